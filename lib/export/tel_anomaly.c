/* The anomaly family: what was found. list and info go by id; table goes by sequence number, which an anomaly gets
 * anew with every change, so that a follower who asks from its last `next` on sees every change once, and learns from
 * overwritten_seq whether it came too late for some.
 */
#include "endpoint.h"

#include "ics_report.h"

#include <stdlib.h>

static const struct reply_column columns[] = {
	{"id", false},     {"seq", false},      {"name", true},     {"variant", true}, {"severity", true},
	{"state", true},   {"muted", false},    {"acked", false},   {"port", false},   {"vlan", true},
	{"subject", true}, {"first_ns", false}, {"last_ns", false}, {"count", false},  {"says", true},
};

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The store goes by sequence number; ids are wanted in their own order. */
void
tel_anomaly_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(src->engine);
	static uint64_t ids[ICS_ANOMALY_STORE_MAX]; /* the control core's alone */
	const struct ics_anomaly *a;
	unsigned n = 0;
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	for (a = ics_anomaly_next(s, 0); a != NULL && n < ICS_ARRAY_LEN(ids); a = ics_anomaly_next(s, a->seq + 1))
		if (a->id >= start)
			ids[n++] = a->id;
	qsort(ids, n, sizeof(ids[0]), by_value);
	for (unsigned i = 0; i < n; i++)
		if (!reply_list_uint(r, ids[i]))
			return;
}

static const struct ics_anomaly *
get(const struct ics_export_source *src, uint64_t id, struct reply *r)
{
	const struct ics_anomaly *a = ics_anomaly_get(ics_engine_anomalies(src->engine), id);

	if (a == NULL)
		reply_error(r, "%llu is not an anomaly that is kept: /icmpscope/anomaly/list has them",
			    (unsigned long long)id);
	return a;
}

/* The anomaly that params names, or NULL and an error. */
static const struct ics_anomaly *
by_id(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint64_t id;

	return param_number(r, params, "an anomaly id", &id) ? get(src, id, r) : NULL;
}

static const char *
state_name(const struct ics_anomaly *a)
{
	return a->state == ICS_ANOMALY_OPEN ? "open" : "cleared";
}

static void
fact_text(const struct ics_fact *f, char *buf, size_t size)
{
	switch (f->type) {
	case ICS_FACT_TEXT:
		snprintf(buf, size, "%s", f->text);
		break;
	case ICS_FACT_SECONDS:
		snprintf(buf, size, "%llu.%03u", (unsigned long long)(f->u / 1000), (unsigned)(f->u % 1000));
		break;
	default:
		snprintf(buf, size, "%llu", (unsigned long long)f->u);
		break;
	}
}

static void
add_fact(const char *prefix, const struct ics_fact *f, struct reply *r)
{
	char key[64], text[ICS_FACT_TEXT_LEN];

	snprintf(key, sizeof(key), "%s_%.50s", prefix, f->key);
	if (f->type == ICS_FACT_UINT || f->type == ICS_FACT_BOOL) {
		reply_uint(r, key, f->u);
	} else {
		fact_text(f, text, sizeof(text));
		reply_text(r, key, "%s", text);
	}
}

static void
add_times(const struct ics_anomaly *a, struct reply *r)
{
	char when[32];

	reply_text(r, "first", "%s", ics_report_time(a->first_ns, when));
	reply_text(r, "last", "%s", ics_report_time(a->last_ns, when));
	reply_uint(r, "first_ns", a->first_ns);
	reply_uint(r, "last_ns", a->last_ns);
	if (a->state == ICS_ANOMALY_CLEARED) {
		reply_text(r, "cleared", "%s", ics_report_time(a->cleared_ns, when));
		reply_uint(r, "cleared_ns", a->cleared_ns);
	}
}

void
tel_anomaly_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_anomaly *a = by_id(src, params, r);
	const struct ics_proof *proofs[ICS_PROOFS];
	char vlan[16], where[64];

	if (a == NULL)
		return;
	reply_uint(r, "id", a->id);
	reply_uint(r, "seq", a->seq);
	reply_text(r, "name", "%s", a->detector);
	reply_text(r, "variant", "%s", a->variant != NULL ? a->variant : "");
	reply_text(r, "severity", "%s", ics_severity_name(a->severity));
	reply_text(r, "state", "%s", state_name(a));
	reply_uint(r, "muted", a->muted);
	reply_uint(r, "acked", a->acked);
	reply_uint(r, "lenient", a->lenient);
	reply_text(r, "rfc", "%s", a->rfc != NULL ? a->rfc : "");
	reply_text(r, "where", "%s", ics_report_segment(&a->segment, where));
	reply_uint(r, "port", a->segment.port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(&a->segment, vlan));
	add_times(a, r);
	reply_uint(r, "count", a->count);
	reply_uint(r, "frames_kept", ics_anomaly_proofs(a, proofs));
	reply_long(r, "says", a->says);
	for (unsigned i = 0; i < a->n_subject; i++)
		add_fact("subject", &a->subject[i], r);
	for (unsigned i = 0; i < a->n_evidence; i++)
		add_fact("evidence", &a->evidence[i], r);
	for (unsigned i = 0; i < a->n_frames; i++)
		if (a->frame_no[i] != 0)
			reply_uint_n(r, "frame", i, a->frame_no[i]);
}

/* The one thing that the socket changes: a mark for other operators. */
void
tel_anomaly_ack(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_anomaly *a = by_id(src, params, r);

	if (a == NULL)
		return;
	ics_anomaly_acknowledge(ics_engine_anomalies(src->engine), a->id);
	reply_uint(r, "id", a->id);
	reply_uint(r, "acked", a->acked);
}

/* One frame a reply: N counts them from 1 on. */
void
tel_anomaly_evidence(const struct ics_export_source *src, const char *params, struct reply *r)
{
	char hex[2 * ICS_ANOMALY_EVIDENCE_FRAME + 1] = "";
	const struct ics_proof *proofs[ICS_PROOFS], *p;
	const struct ics_anomaly *a;
	uint64_t id, index;
	unsigned n;

	if (!param_pair(r, params, "an anomaly id", &id, &index))
		return;
	a = get(src, id, r);
	if (a == NULL)
		return;
	n = ics_anomaly_proofs(a, proofs);
	if (index > n && index > 1) {
		reply_error(r, "anomaly %llu keeps %u frames, counted from 1 on", (unsigned long long)id, n);
		return;
	}
	reply_uint(r, "id", a->id);
	reply_text(r, "name", "%s", a->detector);
	reply_text(r, "variant", "%s", a->variant != NULL ? a->variant : "");
	reply_text(r, "severity", "%s", ics_severity_name(a->severity));
	reply_uint(r, "port", a->segment.port);
	reply_uint(r, "frames", n);
	if (n == 0)
		return;
	p = proofs[index - 1];
	for (unsigned i = 0; i < p->len; i++)
		snprintf(hex + 2 * i, 3, "%02x", p->bytes[i]);
	reply_uint(r, "frame", index);
	reply_text(r, "role", "%s", ics_anomaly_proof_role(a, p));
	reply_uint(r, "ts_ns", p->ts_ns);
	reply_uint(r, "link", p->link);
	reply_uint(r, "wire_len", p->wire_len);
	reply_uint(r, "len", p->len);
	reply_long(r, "hex", hex);
}

/* "key=value key=value", as much as fits. */
static void
subject_text(const struct ics_anomaly *a, char *buf, size_t size)
{
	char text[ICS_FACT_TEXT_LEN];
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < a->n_subject && len < size - 1; i++) {
		fact_text(&a->subject[i], text, sizeof(text));
		len += (size_t)snprintf(buf + len, size - len, "%s%s=%s", i > 0 ? " " : "", a->subject[i].key, text);
	}
}

static void
put_row(const struct ics_anomaly *a, struct reply *r)
{
	char vlan[16], subject[REPLY_TEXT_MAX + 1];

	subject_text(a, subject, sizeof(subject));
	reply_cell(r, a->id);
	reply_cell(r, a->seq);
	reply_cell_text(r, "%s", a->detector);
	reply_cell_text(r, "%s", a->variant != NULL ? a->variant : "");
	reply_cell_text(r, "%s", ics_severity_name(a->severity));
	reply_cell_text(r, "%s", state_name(a));
	reply_cell(r, a->muted);
	reply_cell(r, a->acked);
	reply_cell(r, a->segment.port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(&a->segment, vlan));
	reply_cell_text(r, "%s", subject);
	reply_cell(r, a->first_ns);
	reply_cell(r, a->last_ns);
	reply_cell(r, a->count);
	reply_cell_text(r, "%s", a->says);
}

void
tel_anomaly_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(src->engine);
	uint64_t start, count, next;
	struct ics_anomaly_stats st;
	const struct ics_anomaly *a;

	if (!param_page(r, params, &start, &count))
		return;
	ics_anomaly_stats(s, &st);
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	for (a = ics_anomaly_next(s, start); a != NULL && count > 0; count--, a = ics_anomaly_next(s, a->seq + 1)) {
		put_row(a, r);
		if (!reply_row_end(r))
			break;
		next = a->seq + 1;
	}
	reply_uint(r, "overwritten", st.overwritten);
	reply_uint(r, "overwritten_seq", st.overwritten_seq);
	reply_page(r, st.kept, next, a != NULL);
}
