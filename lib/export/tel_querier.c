/* The querier family: who asks for multicast listeners on which segment, and with which timers. An id is the number of a
 * segment times eight, plus the place of the querier there, which it keeps for as long as it is known.
 */
#include "endpoint.h"

#include "ics_report.h"

#define PLACES ICS_QUERIERS_PER_SEGMENT

static const struct reply_column columns[] = {
	{"id", false},       {"segment", false},     {"port", false},    {"vlan", true},      {"address", true},
	{"mac", true},       {"in_charge", false},   {"version", false}, {"qqi_s", false},    {"mrd_ms", false},
	{"rv", false},       {"interval_ms", false}, {"general", false}, {"specific", false}, {"forged", false},
	{"first_ns", false}, {"last_ns", false},
};

/* The querier of the lowest id >= *id, which becomes its own; at most ICS_SEGMENTS_MAX segments are looked at. */
static const struct ics_querier *
querier_at(const struct ics_model *m, uint64_t *id)
{
	uint32_t n = ics_model_segment_count(m);

	for (uint64_t seg = *id / PLACES; seg < n; *id = ++seg * PLACES) {
		const struct ics_queriers *s = ics_model_queriers(m, (uint32_t)seg);

		if (s != NULL && *id % PLACES < s->n)
			return &s->q[*id % PLACES];
	}
	return NULL;
}

static uint64_t
count(const struct ics_model *m)
{
	uint32_t n = ics_model_segment_count(m);
	uint64_t total = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct ics_queriers *s = ics_model_queriers(m, i);

		total += s != NULL ? s->n : 0;
	}
	return total;
}

static bool
is_in_charge(struct ics_model *m, const struct ics_querier *q, uint64_t id)
{
	return ics_queriers_current(ics_model_queriers(m, (uint32_t)(id / PLACES)), ics_model_clock(m)->now_ns) == q;
}

static const char *
mac_of(const struct ics_querier *q, char buf[static ICS_MAC_STRLEN])
{
	return q->has_mac ? ics_mac_format(&q->mac, buf) : "none";
}

void
tel_querier_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	uint64_t id;

	if (!param_start(r, params, &id))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	for (; querier_at(m, &id) != NULL; id++)
		if (!reply_list_uint(r, id))
			return;
}

void
tel_querier_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_model *m = ics_engine_model(src->engine);
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16], where[64];
	const struct ics_queriers *all;
	const struct ics_querier *q;
	const struct ics_segment *s;
	uint64_t id, at;

	if (!param_number(r, params, "a querier id", &id))
		return;
	at = id;
	q = querier_at(m, &at);
	if (q == NULL || at != id) {
		reply_error(r, "%.40s is not a querier id: /icmpscope/querier/list has them", params);
		return;
	}
	s = ics_model_segment(m, (uint32_t)(id / PLACES));
	all = ics_model_queriers(m, s->id);
	reply_uint(r, "id", id);
	reply_text(r, "address", "%s", ics_ip_format(&q->addr, ip));
	reply_text(r, "mac", "%s", mac_of(q, mac));
	reply_uint(r, "segment", s->id);
	reply_text(r, "where", "%s", ics_report_segment(&s->key, where));
	reply_uint(r, "port", s->key.port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(&s->key, vlan));
	reply_uint(r, "in_charge", is_in_charge(m, q, id));
	reply_uint(r, "version", q->version);
	reply_uint(r, "qqi_s", q->qqi_s);
	reply_uint(r, "qqic", q->qqic);
	reply_uint(r, "mrd_ms", q->qri_ms);
	reply_uint(r, "rv", q->rv);
	reply_uint(r, "interval_ms", q->interval_ns / 1000000);
	reply_uint(r, "intervals", q->intervals);
	reply_uint(r, "mali_ms", ics_querier_mali_ns(q) / 1000000);
	reply_uint(r, "other_querier_ms", ics_querier_other_ns(q) / 1000000);
	reply_uint(r, "general", q->general);
	reply_uint(r, "specific", q->specific);
	reply_uint(r, "forged", q->forged);
	reply_uint(r, "overruled", q->overruled);
	reply_uint(r, "first_ns", q->first_ns);
	reply_uint(r, "last_ns", q->last_ns);
	reply_uint(r, "last_general_ns", q->last_general_ns);
	reply_uint(r, "hosts_speak_version", ics_queriers_is_v1(all, ics_model_clock(m)->now_ns) ? 1 : 2);
	reply_uint(r, "changes", all->changes);
	reply_uint(r, "evictions", all->evictions);
	reply_uint(r, "invalid", all->invalid);
}

static void
put_row(struct ics_model *m, const struct ics_querier *q, uint64_t id, struct reply *r)
{
	const struct ics_segment *s = ics_model_segment(m, (uint32_t)(id / PLACES));
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], vlan[16];

	reply_cell(r, id);
	reply_cell(r, s->id);
	reply_cell(r, s->key.port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(&s->key, vlan));
	reply_cell_text(r, "%s", ics_ip_format(&q->addr, ip));
	reply_cell_text(r, "%s", mac_of(q, mac));
	reply_cell(r, is_in_charge(m, q, id));
	reply_cell(r, q->version);
	reply_cell(r, q->qqi_s);
	reply_cell(r, q->qri_ms);
	reply_cell(r, q->rv);
	reply_cell(r, q->interval_ns / 1000000);
	reply_cell(r, q->general);
	reply_cell(r, q->specific);
	reply_cell(r, q->forged);
	reply_cell(r, q->first_ns);
	reply_cell(r, q->last_ns);
}

void
tel_querier_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_model *m = ics_engine_model(src->engine);
	uint64_t id, rows, next;
	const struct ics_querier *q;

	if (!param_page(r, params, &id, &rows))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = id;
	for (; (q = querier_at(m, &id)) != NULL && rows > 0; id++, rows--) {
		put_row(m, q, id, r);
		if (!reply_row_end(r))
			break;
		next = id + 1;
	}
	reply_page(r, count(m), next, q != NULL);
}
