/* /icmpscope/reporter/table: the routers that told path MTUs, one row each, with what to clamp the TCP MSS to. START is a place
 * in the table of up to 16,384: a row keeps it for as long as it lives. Times are packet time.
 */
#include "endpoint.h"

#include "ics_report.h"

static const struct reply_column columns[] = {
	{"id", false},           {"port", false},     {"vlan", true},      {"address", true},
	{"mac", true},           {"mtu", false},      {"ip", false},       {"paths", false},
	{"far_prefixes", false}, {"messages", false}, {"guess", true},     {"confidence", true},
	{"mss4", false},         {"mss6", false},     {"first_ns", false}, {"last_ns", false},
};

static uint64_t
packet_time(struct ics_model *m, uint64_t ns)
{
	uint64_t offset = ics_model_clock(m)->offset_ns;

	return ns > offset ? ns - offset : 0;
}

static void
put_row(struct ics_model *m, const struct ics_reporter *rep, uint32_t id, struct reply *r)
{
	const struct ics_guess_hint hint = {
		.is_ip4 = rep->is_ip4, .n_labels = rep->n_labels, .encap = rep->encap, .quoted = rep->quoted_len};
	const struct ics_segment_key *k = segment_key(m, rep->segment);
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16];
	struct ics_guess g;

	ics_guess_encap(rep->mtu, &hint, &g);
	reply_cell(r, id);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell_text(r, "%s", ics_ip_format(&rep->addr, addr));
	reply_cell_text(r, "%s", ics_mac_format(&rep->mac, mac));
	reply_cell(r, rep->mtu);
	reply_cell(r, rep->is_ip4 ? 4 : 6);
	reply_cell(r, rep->rows);
	reply_cell(r, rep->n_far);
	reply_cell(r, rep->messages);
	reply_cell_text(r, "%s", g.n != 0 ? g.at[0].text : "");
	reply_cell_text(r, "%s", g.n != 0 ? ics_confidence_name(g.at[0].confidence) : "");
	reply_cell(r, ics_mss4(rep->mtu));
	reply_cell(r, ics_mss6(rep->mtu));
	reply_cell(r, packet_time(m, rep->first_ns));
	reply_cell(r, packet_time(m, rep->last_ns));
}

void
tel_reporter_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_reporter *rep = NULL;
	uint64_t start, count, next;
	struct ics_model_stats st;
	uint32_t at;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	at = start == 0 ? 1 : start > UINT32_MAX ? UINT32_MAX : (uint32_t)start;
	if (start < UINT32_MAX)
		rep = ics_reporter_next(m, &at);
	for (; rep != NULL && count > 0; count--, rep = ics_reporter_next(m, &at)) {
		/* One that only stands for a path, and told nothing itself. */
		if (rep->messages != 0) {
			put_row(m, rep, at, r);
			if (!reply_row_end(r))
				break;
		}
		next = ++at;
	}
	ics_model_stats(m, &st);
	reply_page(r, st.reporters, next, rep != NULL);
}
