/* The group family: multicast groups with how many members each has. START and ID are a place in the table, which a group
 * keeps for as long as it has members: a page costs what is on it and a bounded look over free places. Who is in which
 * group is told by the host.
 */
#include "endpoint.h"

#include "ics_report.h"

static const struct reply_column columns[] = {
	{"id", false},      {"segment", false}, {"port", false},    {"vlan", true},
	{"group", true},    {"kind", true},     {"members", false}, {"reports", false},
	{"version", false}, {"reporter", true}, {"last_ns", false},
};

static const char *
kind_of(const struct ics_group *g)
{
	return ics_ip6_is_solicited_node(g->addr.b) ? "solicited_node" : "other";
}

/* The version of its latest report. */
static unsigned
version_of(const struct ics_group *g)
{
	return g->v1_at != 0 && g->v1_at == g->last_at ? 1 : 2;
}

static const char *
reporter_of(const struct ics_model *m, const struct ics_group *g, char buf[static ICS_MAC_STRLEN])
{
	uint32_t i = g->reporter;
	const struct ics_host *h = i == 0 ? NULL : ics_model_host_next(m, &i);

	return h != NULL && i == g->reporter && h->segment == g->segment ? ics_mac_format(&h->mac, buf) : "";
}

static uint64_t
last_ns(const struct ics_model *m, const struct ics_group *g)
{
	return ics_model_group_last_ns(m, g);
}

void
tel_group_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	uint64_t start;
	uint32_t at;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	if (start > UINT32_MAX)
		return;
	at = start == 0 ? 1 : (uint32_t)start;
	while (ics_model_group_next(m, &at) != NULL)
		if (!reply_list_uint(r, at++))
			return;
}

void
tel_group_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16], where[64];
	const struct ics_group *g = NULL;
	const struct ics_segment_key *k;
	uint64_t id;

	if (!param_number(r, params, "a group id", &id))
		return;
	if (id <= UINT32_MAX)
		g = ics_model_group_at(m, (uint32_t)id);
	if (g == NULL) {
		reply_error(r, "%.40s is not a group id: /icmpscope/group/list has them", params);
		return;
	}
	k = segment_key(m, g->segment);
	reply_uint(r, "id", id);
	reply_text(r, "group", "%s", ics_ip_format(&g->addr, addr));
	reply_text(r, "kind", "%s", kind_of(g));
	reply_uint(r, "segment", g->segment);
	reply_text(r, "where", "%s", ics_report_segment(k, where));
	reply_uint(r, "port", k->port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(k, vlan));
	reply_uint(r, "members", g->members);
	reply_uint(r, "reports", g->reports);
	reply_uint(r, "version", version_of(g));
	reply_text(r, "reporter", "%s", reporter_of(m, g, mac));
	reply_uint(r, "last_ns", last_ns(m, g));
	reply_uint(r, "mali_ms", ics_model_mali_ns(m, g->segment) / 1000000);
}

static void
put_row(const struct ics_model *m, const struct ics_group *g, uint32_t id, struct reply *r)
{
	const struct ics_segment_key *k = segment_key(m, g->segment);
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16];

	reply_cell(r, id);
	reply_cell(r, g->segment);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell_text(r, "%s", ics_ip_format(&g->addr, addr));
	reply_cell_text(r, "%s", kind_of(g));
	reply_cell(r, g->members);
	reply_cell(r, g->reports);
	reply_cell(r, version_of(g));
	reply_cell_text(r, "%s", reporter_of(m, g, mac));
	reply_cell(r, last_ns(m, g));
}

void
tel_group_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	uint64_t start, count, next;
	uint32_t at = 0;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	if (start <= UINT32_MAX)
		at = start == 0 ? 1 : (uint32_t)start;
	for (; at != 0 && count > 0; count--) {
		const struct ics_group *g = ics_model_group_next(m, &at);

		if (g == NULL)
			break;
		put_row(m, g, at, r);
		if (!reply_row_end(r))
			break;
		at++;
	}
	/* Past the last there may be others later. */
	if (at != 0)
		next = at;
	reply_page(r, ics_model_group_count(m), next, at != 0 && ics_model_group_last(m) >= at);
}

void
tel_segment_add_multicast(const struct ics_model *m, const struct ics_segment *s, struct reply *r)
{
	struct ics_table_forecast f;
	struct ics_mcast_hosts h;

	reply_uint(r, "groups", s->mcast.groups);
	reply_uint(r, "memberships", s->mcast.memberships);
	reply_uint(r, "solicited_node", s->mcast.snm);
	reply_uint(r, "member_hosts", s->mcast.hosts);
	reply_uint(r, "member_hosts_v1", s->mcast.v1_hosts);
	reply_uint(r, "packets_per_query", s->mcast.packets);
	reply_uint(r, "mld_pps", ics_segment_mld_pps(s, ics_model_now_ns(m)));
	ics_model_mcast_hosts(m, s->key.port, s->id, &h);
	reply_uint(r, "groups_per_host_p50", h.p50);
	reply_uint(r, "groups_per_host_p95", h.p95);
	reply_uint(r, "groups_per_host_max", h.max);
	ics_model_forecast(m, s->key.port, &f);
	reply_text(r, "table_model", "%s", f.model);
	reply_uint(r, "table_used", f.used);
	reply_uint(r, "table_cap", f.cap);
	reply_uint(r, "table_percent", f.percent);
	reply_text(r, "entries_per_host", "%u.%02u", f.per_host_100 / 100, f.per_host_100 % 100);
	if (f.per_host_100 != 0) {
		reply_uint(r, "hosts_to_full", f.hosts_to_full);
		reply_uint(r, "hosts_at_full", f.hosts_at_full);
	}
	if (f.has_trend) {
		reply_uint(r, "growth_per_day", f.per_day);
		reply_uint(r, "hours_to_full", f.hours_to_full);
	}
}
