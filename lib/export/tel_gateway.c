/* /icmpscope/gateway/table: what happened to default routers, as a log. START is a sequence number, so that a follower who asks
 * from its last `next` on sees every event once; skipped counts what came too fast to be in the log.
 */
#include "endpoint.h"

#include "ics_gateway.h"

static const struct reply_column columns[] = {
	{"seq", false},
	{"ts_ns", false},
	{"segment", false},
	{"port", false},
	{"vlan", true},
	{"router", false},
	{"address", true},
	{"mac", true},
	{"what", true},
	{"lifetime_s", false},
	{"lifetime_before_s", false},
	{"preference", true},
	{"left", false},
};

static void
put_row(const struct ics_model *m, const struct ics_gateway_event *ev, struct reply *r)
{
	const struct ics_segment_key *k = segment_key(m, ev->segment);
	const struct ics_router router = {.flags = ev->flags};
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16];

	reply_cell(r, ev->seq);
	reply_cell(r, ev->ts_ns);
	reply_cell(r, ev->segment);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell(r, ev->router);
	reply_cell_text(r, "%s", ics_ip_format(&ev->addr, addr));
	reply_cell_text(r, "%s", ics_mac_format(&ev->mac, mac));
	reply_cell_text(r, "%s", ics_gateway_what_name((enum ics_gateway_what)ev->what));
	reply_cell(r, ev->lifetime_s);
	reply_cell(r, ev->lifetime_before_s);
	reply_cell_text(r, "%s", ics_router_preference_name(&router));
	reply_cell(r, ev->left);
}

void
tel_gateway_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_gateway_event *ev;
	uint64_t start, count, next;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	for (ev = ics_gateway_next(m, start); ev != NULL && count > 0; count--, ev = ics_gateway_next(m, next)) {
		put_row(m, ev, r);
		if (!reply_row_end(r))
			break;
		next = ev->seq + 1;
	}
	reply_uint(r, "skipped", ics_gateway_skipped(m));
	reply_page(r, ics_gateway_count(m), next, ev != NULL);
}
