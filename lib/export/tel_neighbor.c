/* /icmpscope/neighbor/...: which MAC holds which address, up to a million of them. START is a place in the table: an entry
 * keeps its place for as long as it lives, so a client that goes on from next sees each that stays exactly once, and a page
 * costs what it shows and a bounded look over free places.
 */
#include "endpoint.h"

#include "ics_report.h"

#include <stdio.h>
#include <string.h>

static const struct reply_column columns[] = {
	{"id", false},      {"segment", false}, {"port", false}, {"vlan", true},      {"address", true},  {"mac", true},
	{"prev_mac", true}, {"changes", false}, {"flags", true}, {"first_ns", false}, {"last_ns", false},
};

static const struct {
	uint8_t bit;
	const char *name;
} flags[] = {
	{ICS_BINDING_ROUTER, "router"},       {ICS_BINDING_TENTATIVE, "tentative"}, {ICS_BINDING_OVERRIDE, "override"},
	{ICS_BINDING_SOLICITED, "solicited"}, {ICS_BINDING_PROXY, "proxy"},         {ICS_BINDING_ANYCAST, "anycast"},
	{ICS_BINDING_FHRP, "fhrp"},           {ICS_BINDING_DISPUTED, "disputed"},
};

#define FLAGS_STRLEN 96

static char *
flag_names(uint8_t f, char buf[static FLAGS_STRLEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < ICS_ARRAY_LEN(flags); i++)
		if (f & flags[i].bit)
			len += (size_t)snprintf(buf + len, FLAGS_STRLEN - len, "%s%s", len != 0 ? "," : "",
						flags[i].name);
	return buf;
}

static char *
prev_of(const struct ics_model *m, const struct ics_binding *b, char buf[static ICS_MAC_STRLEN])
{
	buf[0] = '\0';
	if (b->changes != 0)
		ics_mac_format(&ics_model_binding_more(m, b)->prev, buf);
	return buf;
}

void
tel_neighbor_list(const struct ics_export_source *src, const char *params, struct reply *r)
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
	while (at != 0) {
		if (ics_model_binding_next(m, &at) == NULL)
			continue;
		if (!reply_list_uint(r, at))
			return;
		at++;
	}
}

void
tel_neighbor_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_binding *b = NULL;
	char text[FLAGS_STRLEN], vlan[16], where[64];
	const struct ics_segment_key *k;
	uint64_t id;

	if (!param_number(r, params, "a neighbor id", &id))
		return;
	if (id <= UINT32_MAX)
		b = ics_model_binding_at(m, (uint32_t)id);
	if (b == NULL) {
		reply_error(r, "%.40s is not a neighbor id: /icmpscope/neighbor/list has them", params);
		return;
	}
	k = segment_key(m, b->segment);
	reply_uint(r, "id", id);
	reply_text(r, "address", "%s", ics_ip_format(&b->addr, text));
	reply_text(r, "mac", "%s", ics_mac_format(&b->mac, text));
	reply_text(r, "prev_mac", "%s", prev_of(m, b, text));
	reply_uint(r, "changes", b->changes);
	reply_text(r, "flags", "%s", flag_names(b->flags, text));
	reply_uint(r, "segment", b->segment);
	reply_text(r, "where", "%s", ics_report_segment(k, where));
	reply_uint(r, "port", k->port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(k, vlan));
	reply_uint(r, "first_ns", b->first_ns);
	reply_uint(r, "last_ns", b->last_ns);
}

static void
put_row(const struct ics_model *m, const struct ics_binding *b, uint32_t id, struct reply *r)
{
	char text[FLAGS_STRLEN], vlan[16];
	const struct ics_segment_key *k = segment_key(m, b->segment);

	reply_cell(r, id);
	reply_cell(r, b->segment);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell_text(r, "%s", ics_ip_format(&b->addr, text));
	reply_cell_text(r, "%s", ics_mac_format(&b->mac, text));
	reply_cell_text(r, "%s", prev_of(m, b, text));
	reply_cell(r, b->changes);
	reply_cell_text(r, "%s", flag_names(b->flags, text));
	reply_cell(r, b->first_ns);
	reply_cell(r, b->last_ns);
}

void
tel_neighbor_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_binding *b;
	uint64_t start, count, next;
	uint32_t at = 0;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	if (start <= UINT32_MAX)
		at = start == 0 ? 1 : (uint32_t)start;
	for (; at != 0 && count > 0; count--) {
		b = ics_model_binding_next(m, &at);
		if (b == NULL)
			break;
		put_row(m, b, at, r);
		if (!reply_row_end(r))
			break;
		at++;
	}
	/* Past the last there may be others later. */
	if (at != 0)
		next = at;
	reply_page(r, ics_model_binding_count(m), next, at != 0 && ics_model_binding_last(m) >= at);
}
