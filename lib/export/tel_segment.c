/* The segment family: each VLAN of each port, with what is behind it. Ids are dense. */
#include "endpoint.h"

#include "ics_report.h"

static const struct reply_column columns[] = {
	{"id", false},
	{"port", false},
	{"vlan", true},
	{"mpls", false},
	{"pppoe", false},
	{"routers", false},
	{"default_routers", false},
	{"hosts", false},
	{"bindings", false},
	{"messages", false},
	{"first_ns", false},
	{"last_ns", false},
	{"groups", false},
	{"memberships", false},
	{"member_hosts", false},
	{"mld_pps", false},
	{"table_used", false},
	{"table_cap", false},
	{"mac_churn", false},
};

static uint64_t
messages(const struct ics_segment *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		n += s->class[i];
	return n;
}

/* Who asks for multicast listeners there. */
static const char *
querier(struct ics_model *m, uint32_t segment, char buf[static ICS_IP_STRLEN])
{
	const struct ics_querier *q = ics_queriers_current(ics_model_queriers(m, segment), ics_model_clock(m)->now_ns);

	return q != NULL ? ics_ip_format(&q->addr, buf) : "none";
}

void
tel_segment_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint32_t n = ics_model_segment_count(ics_engine_model(src->engine));
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	for (uint64_t i = start; i < n; i++)
		if (!reply_list_uint(r, i))
			return;
}

void
tel_segment_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_segment *s;
	char vlan[16], where[64], ip[ICS_IP_STRLEN];
	uint64_t id;

	if (!param_index(r, params, "a segment id", ics_model_segment_count(m), &id))
		return;
	s = ics_model_segment(m, (uint32_t)id);
	reply_uint(r, "id", s->id);
	reply_text(r, "where", "%s", ics_report_segment(&s->key, where));
	reply_uint(r, "port", s->key.port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(&s->key, vlan));
	reply_uint(r, "mpls", (s->key.encap & ICS_ENCAP_MPLS) != 0);
	reply_uint(r, "pppoe", (s->key.encap & ICS_ENCAP_PPPOE) != 0);
	reply_uint(r, "routers", s->routers);
	reply_uint(r, "default_routers", s->default_routers);
	reply_uint(r, "hosts", s->hosts);
	reply_uint(r, "bindings", s->bindings);
	reply_uint(r, "mac_churn", ics_segment_mac_churn(s, ics_model_now_ns(m)));
	reply_text(r, "querier", "%s", querier(m, s->id, ip));
	reply_uint(r, "mld_version",
		   ics_queriers_is_v1(ics_model_queriers(m, s->id), ics_model_clock(m)->now_ns) ? 1 : 2);
	reply_uint(r, "mali_ms", ics_model_mali_ns(m, s->id) / 1000000);
	reply_uint(r, "messages", messages(s));
	reply_uint(r, "first_ns", s->first_ns);
	reply_uint(r, "last_ns", s->last_ns);
	tel_segment_add_multicast(m, s, r);
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		if (ics_class_is_control((enum ics_class)i))
			reply_uint(r, ics_class_name(i), s->class[i]);
}

void
tel_segment_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	uint32_t n = ics_model_segment_count(m);
	uint64_t start, count, i;
	char vlan[16];

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	for (i = start; i < n && count > 0; i++, count--) {
		const struct ics_segment *s = ics_model_segment(m, (uint32_t)i);

		reply_cell(r, i);
		reply_cell(r, s->key.port);
		reply_cell_text(r, "%s", ics_segment_vlan_format(&s->key, vlan));
		reply_cell(r, (s->key.encap & ICS_ENCAP_MPLS) != 0);
		reply_cell(r, (s->key.encap & ICS_ENCAP_PPPOE) != 0);
		reply_cell(r, s->routers);
		reply_cell(r, s->default_routers);
		reply_cell(r, s->hosts);
		reply_cell(r, s->bindings);
		reply_cell(r, messages(s));
		reply_cell(r, s->first_ns);
		reply_cell(r, s->last_ns);
		reply_cell(r, s->mcast.groups);
		reply_cell(r, s->mcast.memberships);
		reply_cell(r, s->mcast.hosts);
		reply_cell(r, ics_segment_mld_pps(s, ics_model_now_ns(m)));
		reply_cell(r, ics_model_table_used(m, s->key.port));
		reply_cell(r, ics_model_table_cap(m));
		reply_cell(r, ics_segment_mac_churn(s, ics_model_now_ns(m)));
		if (!reply_row_end(r))
			break;
	}
	reply_page(r, n, i, i < n);
}
