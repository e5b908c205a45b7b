/* /icmpscope/prefix/...: what routers advertise: prefixes, routes, resolvers, search domains, NAT64 prefixes, portals.
 * START is an id, which names an entry for as long as that is kept.
 */
#include "endpoint.h"

#include "ics_report.h"

static const struct reply_column columns[] = {
	{"id", false},      {"segment", false},        {"port", false},   {"vlan", true},
	{"kind", true},     {"prefix", true},          {"router", true},  {"flags", false},
	{"valid_s", false}, {"preferred_s", false},    {"count", false},  {"misses", false},
	{"last_ns", false}, {"valid_until_ns", false}, {"active", false},
};

/* For ever is the largest number that JSON readers with signed integers take. */
static uint64_t
deadline(uint64_t ns)
{
	return ns < INT64_MAX ? ns : INT64_MAX;
}

static uint64_t
now_of(const struct ics_export_source *src)
{
	return ics_model_clock(ics_engine_model(src->engine))->now_ns;
}

void
tel_prefix_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_prefix *p;
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	if (start > UINT32_MAX)
		return;
	for (p = ics_model_prefix_next(m, (uint32_t)start); p != NULL; p = ics_model_prefix_next(m, p->id + 1))
		if (!reply_list_uint(r, p->id))
			return;
}

void
tel_prefix_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_prefix *p = NULL;
	char text[ICS_PREFIX_STRLEN], addr[ICS_IP_STRLEN], vlan[16], where[64];
	const struct ics_segment_key *k;
	uint64_t id;

	if (!param_number(r, params, "a prefix id", &id))
		return;
	if (id <= UINT32_MAX)
		p = ics_model_prefix_next(m, (uint32_t)id);
	if (p == NULL || p->id != id) {
		reply_error(r, "%.40s is not a prefix id: /icmpscope/prefix/list has them", params);
		return;
	}
	k = segment_key(m, p->segment);
	reply_uint(r, "id", p->id);
	reply_text(r, "kind", "%s", ics_prefix_kind_name(p->kind));
	reply_text(r, "prefix", "%s", ics_prefix_format(p, text));
	reply_text(r, "router", "%s", ics_ip_format(&p->router, addr));
	reply_uint(r, "segment", p->segment);
	reply_text(r, "where", "%s", ics_report_segment(k, where));
	reply_uint(r, "port", k->port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(k, vlan));
	reply_uint(r, "flags", p->flags);
	reply_uint(r, "on_link", p->kind == ICS_PREFIX_PIO && (p->flags & ICS_PIO_ONLINK));
	reply_uint(r, "autonomous", p->kind == ICS_PREFIX_PIO && (p->flags & ICS_PIO_AUTO));
	reply_uint(r, "active", ics_prefix_is_active(p, now_of(src)));
	reply_uint(r, "missing", ics_prefix_is_missing(m, p));
	reply_uint(r, "misses", ics_prefix_misses(m, p));
	reply_uint(r, "valid_s", p->valid_s);
	reply_uint(r, "preferred_s", p->preferred_s);
	reply_uint(r, "valid_until_ns", deadline(p->valid_until_ns));
	reply_uint(r, "preferred_until_ns", deadline(p->preferred_until_ns));
	reply_uint(r, "count", p->count);
	reply_uint(r, "announcements", p->rounds);
	reply_uint(r, "first_ns", p->first_ns);
	reply_uint(r, "last_ns", p->last_ns);
}

static void
put_row(const struct ics_export_source *src, const struct ics_prefix *p, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	char text[ICS_PREFIX_STRLEN], addr[ICS_IP_STRLEN], vlan[16];
	const struct ics_segment_key *k = segment_key(m, p->segment);

	reply_cell(r, p->id);
	reply_cell(r, p->segment);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell_text(r, "%s", ics_prefix_kind_name(p->kind));
	reply_cell_text(r, "%s", ics_prefix_format(p, text));
	reply_cell_text(r, "%s", ics_ip_format(&p->router, addr));
	reply_cell(r, p->flags);
	reply_cell(r, p->valid_s);
	reply_cell(r, p->preferred_s);
	reply_cell(r, p->count);
	reply_cell(r, ics_prefix_misses(m, p));
	reply_cell(r, p->last_ns);
	reply_cell(r, deadline(p->valid_until_ns));
	reply_cell(r, ics_prefix_is_active(p, now_of(src)));
}

void
tel_prefix_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_prefix *p = NULL;
	uint64_t start, count, next;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	if (start <= UINT32_MAX)
		p = ics_model_prefix_next(m, (uint32_t)start);
	for (; p != NULL && count > 0; count--, p = ics_model_prefix_next(m, p->id + 1)) {
		put_row(src, p, r);
		if (!reply_row_end(r))
			break;
		next = (uint64_t)p->id + 1;
	}
	reply_page(r, ics_model_prefix_count(m), next, p != NULL);
}
