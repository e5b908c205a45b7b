/* The router family: the routers that were heard, and what conforming hosts hold of each. START is an id. */
#include "endpoint.h"

#include "ics_report.h"

static const struct reply_column columns[] = {
	{"id", false},       {"segment", false},     {"port", false},       {"vlan", true},
	{"address", true},   {"mac", true},          {"state", true},       {"lifetime_s", false},
	{"flags", false},    {"pinned", false},      {"ra_count", false},   {"zero_ra_count", false},
	{"r0_count", false}, {"transitions", false}, {"last_ra_ns", false}, {"expires_ns", false},
};

/* The newest MAC of the router, empty before any was learned. */
static char *
mac_of(const struct ics_router *rt, char buf[static ICS_MAC_STRLEN])
{
	buf[0] = '\0';
	if (rt->n_macs > 0)
		ics_mac_format(&rt->mac[rt->n_macs - 1], buf);
	return buf;
}

void
tel_router_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_router *rt;
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	if (start > UINT32_MAX)
		return;
	for (rt = ics_model_router_next(m, (uint32_t)start); rt != NULL; rt = ics_model_router_next(m, rt->id + 1))
		if (!reply_list_uint(r, rt->id))
			return;
}

static void
add_macs(const struct ics_router *rt, struct reply *r)
{
	char mac[ICS_MAC_STRLEN], key[16];

	reply_uint(r, "macs", rt->n_macs);
	for (unsigned i = 0; i < rt->n_macs && i < ICS_ROUTER_MACS; i++) {
		snprintf(key, sizeof(key), "mac_%u", i);
		reply_text(r, key, "%s", ics_mac_format(&rt->mac[i], mac));
	}
}

static void
add_times(const struct ics_router *rt, struct reply *r)
{
	reply_uint(r, "first_ns", rt->first_ns);
	reply_uint(r, "last_ra_ns", rt->last_ra_ns);
	reply_uint(r, "last_nonzero_ra_ns", rt->last_nonzero_ra_ns);
	reply_uint(r, "expires_ns", rt->expires_ns);
	reply_uint(r, "last_r1_ns", rt->last_r1_ns);
	reply_uint(r, "last_r0_ns", rt->last_r0_ns);
	reply_uint(r, "retracted_ns", rt->retracted_ns);
	reply_uint(r, "dad_ns", rt->dad_ns);
}

void
tel_router_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_router *rt = NULL;
	char addr[ICS_IP_STRLEN], vlan[16], where[64];
	const struct ics_segment_key *k;
	uint64_t id;

	if (!param_number(r, params, "a router id", &id))
		return;
	if (id <= UINT32_MAX)
		rt = ics_model_router_next(m, (uint32_t)id);
	if (rt == NULL || rt->id != id) {
		reply_error(r, "%.40s is not a router id: /icmpscope/router/list has them", params);
		return;
	}
	k = segment_key(m, rt->segment);
	reply_uint(r, "id", rt->id);
	reply_text(r, "address", "%s", ics_ip_format(&rt->addr, addr));
	reply_text(r, "state", "%s", ics_router_state_name(rt->state));
	reply_uint(r, "segment", rt->segment);
	reply_text(r, "where", "%s", ics_report_segment(k, where));
	reply_uint(r, "port", k->port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(k, vlan));
	add_macs(rt, r);
	reply_uint(r, "pinned", rt->pinned);
	reply_uint(r, "fhrp", rt->fhrp);
	reply_uint(r, "lifetime_s", rt->lifetime_s);
	reply_uint(r, "last_nonzero_lifetime_s", rt->last_nonzero_lifetime_s);
	reply_uint(r, "reachable_ms", rt->reachable_ms);
	reply_uint(r, "retrans_ms", rt->retrans_ms);
	reply_uint(r, "mtu", rt->mtu);
	reply_uint(r, "cur_hop_limit", rt->cur_hop_limit);
	reply_uint(r, "flags", rt->flags);
	reply_uint(r, "ra_count", rt->ra_count);
	reply_uint(r, "zero_ra_count", rt->zero_ra_count);
	reply_uint(r, "r0_count", rt->r0_count);
	reply_uint(r, "transitions", rt->transitions);
	add_times(rt, r);
}

static void
put_row(const struct ics_model *m, const struct ics_router *rt, struct reply *r)
{
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16];
	const struct ics_segment_key *k = segment_key(m, rt->segment);

	reply_cell(r, rt->id);
	reply_cell(r, rt->segment);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell_text(r, "%s", ics_ip_format(&rt->addr, addr));
	reply_cell_text(r, "%s", mac_of(rt, mac));
	reply_cell_text(r, "%s", ics_router_state_name(rt->state));
	reply_cell(r, rt->lifetime_s);
	reply_cell(r, rt->flags);
	reply_cell(r, rt->pinned);
	reply_cell(r, rt->ra_count);
	reply_cell(r, rt->zero_ra_count);
	reply_cell(r, rt->r0_count);
	reply_cell(r, rt->transitions);
	reply_cell(r, rt->last_ra_ns);
	reply_cell(r, rt->expires_ns);
}

void
tel_router_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_router *rt = NULL;
	struct ics_model_stats st;
	uint64_t start, count, next;

	if (!param_page(r, params, &start, &count))
		return;
	ics_model_stats(m, &st);
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	if (start <= UINT32_MAX)
		rt = ics_model_router_next(m, (uint32_t)start);
	for (; rt != NULL && count > 0; count--, rt = ics_model_router_next(m, rt->id + 1)) {
		put_row(m, rt, r);
		if (!reply_row_end(r))
			break;
		next = (uint64_t)rt->id + 1;
	}
	reply_page(r, st.routers, next, rt != NULL);
}
