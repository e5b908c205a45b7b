/* /icmpscope/pmtu/...: how much paths carry and who said so, up to a quarter million of them. START is a place in the table: a
 * row keeps its place for as long as it lives. Times are packet time; a row is forgotten ten minutes after its last.
 */
#include "endpoint.h"

#include "ics_report.h"

#include <stdio.h>
#include <string.h>

static const struct reply_column columns[] = {
	{"id", false},      {"vlan", true},        {"host", true},      {"far", true},
	{"class", true},    {"mtu", false},        {"estimate", false}, {"reporter", true},
	{"repeats", false}, {"labels", false},     {"guess", true},     {"mss4", false},
	{"mss6", false},    {"black_hole", false}, {"first_ns", false}, {"last_ns", false},
};

/* Place id, NULL when nothing lives there. */
static const struct ics_path *
path_at(const struct ics_model *m, uint64_t id)
{
	uint32_t at = (uint32_t)id;
	const struct ics_path *p;

	if (id == 0 || id > ics_path_last(m))
		return NULL;
	p = ics_path_next(m, &at);
	return p != NULL && at == id ? p : NULL;
}

static uint64_t
packet_time(struct ics_model *m, uint64_t ns)
{
	uint64_t offset = ics_model_clock(m)->offset_ns;

	return ns > offset ? ns - offset : 0;
}

void
tel_pmtu_list(const struct ics_export_source *src, const char *params, struct reply *r)
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
	/* An empty list says that there are no more, so free places are passed, however many. */
	while (at != 0 && at <= ics_path_last(m)) {
		if (ics_path_next(m, &at) == NULL)
			continue;
		if (!reply_list_uint(r, at))
			return;
		at++;
	}
}

static void
add_guess(struct reply *r, const struct ics_path *p)
{
	struct ics_guess g;
	char key[24];

	ics_guess_of_path(p, &g);
	reply_uint(r, "guesses", g.n);
	for (unsigned i = 0; i < g.n; i++) {
		snprintf(key, sizeof(key), "guess_%u", i);
		reply_text(r, key, "%s", g.at[i].text);
		snprintf(key, sizeof(key), "confidence_%u", i);
		reply_text(r, key, "%s", ics_confidence_name(g.at[i].confidence));
	}
}

void
tel_pmtu_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_reporter *rep;
	const struct ics_path *p;
	struct ics_segment_key k;
	char text[ICS_IP_STRLEN], vlan[16];
	uint64_t id;

	if (!param_number(r, params, "a path id", &id))
		return;
	p = path_at(m, id);
	if (p == NULL) {
		reply_error(r, "%.40s is not a path id: /icmpscope/pmtu/list has them", params);
		return;
	}
	k = ics_path_context_key(p->context);
	reply_uint(r, "id", id);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(&k, vlan));
	reply_text(r, "host", "%s", ics_ip_format(&p->host, text));
	reply_text(r, "far", "%s", ics_ip_format(&p->far, text));
	reply_text(r, "class", "%s", ics_path_class_name((enum ics_path_class)p->class));
	reply_uint(r, "mtu", p->mtu);
	reply_uint(r, "estimate", (p->flags & ICS_PATH_ESTIMATE) != 0);
	reply_text(r, "reporter", "%s", ics_ip_format(&p->reporter, text));
	reply_text(r, "reporter_mac", "%s", ics_mac_format(&p->mac, text));
	reply_uint(r, "repeats", p->repeats);
	reply_uint(r, "quoted_len", p->quoted_len);
	reply_uint(r, "proto", p->proto);
	reply_uint(r, "sport", p->sport);
	reply_uint(r, "dport", p->dport);
	reply_uint(r, "labels", p->n_labels);
	reply_uint(r, "confirmed", (p->flags & ICS_PATH_CONFIRMED) != 0);
	reply_uint(r, "black_hole", (p->flags & ICS_PATH_HOLE) != 0);
	add_guess(r, p);
	reply_uint(r, "mss4", ics_mss4(p->mtu));
	reply_uint(r, "mss6", ics_mss6(p->mtu));
	rep = ics_reporter_find(m, p->context, &p->reporter);
	if (rep != NULL) {
		reply_uint(r, "reporter_mtu", rep->mtu);
		reply_uint(r, "reporter_paths", rep->rows);
		reply_uint(r, "reporter_far_prefixes", rep->n_far);
		reply_uint(r, "reporter_messages", rep->messages);
	}
	reply_uint(r, "first_ns", packet_time(m, ics_path_first_ns(m, p)));
	reply_uint(r, "last_ns", packet_time(m, ics_path_last_ns(m, p)));
}

static void
put_row(struct ics_model *m, const struct ics_path *p, uint32_t id, struct reply *r)
{
	struct ics_segment_key k = ics_path_context_key(p->context);
	char text[ICS_IP_STRLEN], vlan[16];
	struct ics_guess g;

	ics_guess_of_path(p, &g);
	reply_cell(r, id);
	reply_cell_text(r, "%s", ics_segment_vlan_format(&k, vlan));
	reply_cell_text(r, "%s", ics_ip_format(&p->host, text));
	reply_cell_text(r, "%s", ics_ip_format(&p->far, text));
	reply_cell_text(r, "%s", ics_path_class_name((enum ics_path_class)p->class));
	reply_cell(r, p->mtu);
	reply_cell(r, (p->flags & ICS_PATH_ESTIMATE) != 0);
	reply_cell_text(r, "%s", ics_ip_format(&p->reporter, text));
	reply_cell(r, p->repeats);
	reply_cell(r, p->n_labels);
	reply_cell_text(r, "%s", g.n != 0 ? g.at[0].text : "");
	reply_cell(r, ics_mss4(p->mtu));
	reply_cell(r, ics_mss6(p->mtu));
	reply_cell(r, (p->flags & ICS_PATH_HOLE) != 0);
	reply_cell(r, packet_time(m, ics_path_first_ns(m, p)));
	reply_cell(r, packet_time(m, ics_path_last_ns(m, p)));
}

void
tel_pmtu_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_model *m = ics_engine_model(src->engine);
	uint64_t start, count, next;
	struct ics_model_stats st;
	uint32_t at = 0;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	if (start <= UINT32_MAX)
		at = start == 0 ? 1 : (uint32_t)start;
	for (; at != 0 && count > 0; count--) {
		const struct ics_path *p = ics_path_next(m, &at);

		if (p == NULL)
			break;
		put_row(m, p, at, r);
		if (!reply_row_end(r))
			break;
		at++;
	}
	/* Past the last there may be others later. */
	if (at != 0)
		next = at;
	ics_model_stats(m, &st);
	reply_page(r, st.paths, next, at != 0 && ics_path_last(m) >= at);
}
