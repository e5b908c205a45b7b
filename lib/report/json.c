/* The report as one JSON document (design: icmpscope-read --json). Every string is ASCII whatever the file names
 * were; running out of memory anywhere leaves no half a document, but -ENOMEM.
 */
#include "ics_report_json.h"

#include "mcast.h"
#include "order.h"
#include "path.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static json_t *
number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* Bytes that a JSON string cannot hold as they are (file names need not be text) are written as \xNN. */
static json_t *
text(const char *s)
{
	char *escaped, *to;
	json_t *j = json_string(s);

	if (j != NULL)
		return j;
	escaped = malloc(4 * strlen(s) + 1);
	if (escaped == NULL)
		return NULL;
	for (to = escaped; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		to += c < 0x80 ? sprintf(to, "%c", c) : sprintf(to, "\\x%02x", c);
	}
	*to = '\0';
	j = json_string(escaped);
	free(escaped);
	return j;
}

static json_t *
iso_time(uint64_t ns)
{
	char buf[32];

	return text(ics_report_time(ns, buf));
}

static json_t *
iso_time_or_null(uint64_t ns)
{
	return ns == 0 || ns == UINT64_MAX ? json_null() : iso_time(ns);
}

static json_t *
address(const struct ics_ip *ip)
{
	char buf[ICS_IP_STRLEN];

	return text(ics_ip_format(ip, buf));
}

/* json_object_set_new() and json_array_append_new() take NULL for an error; *bad remembers it. */
static void
set(json_t *o, const char *key, json_t *v, bool *bad)
{
	if (json_object_set_new(o, key, v) != 0)
		*bad = true;
}

static void
append(json_t *a, json_t *v, bool *bad)
{
	if (json_array_append_new(a, v) != 0)
		*bad = true;
}

static json_t *
captures(const struct ics_report *r, bool *bad)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_captures; i++) {
		const struct ics_report_capture *c = &r->captures[i];
		json_t *o = json_object();

		set(o, "file", text(c->file), bad);
		set(o, "frames", number(c->frames), bad);
		set(o, "bytes", number(c->bytes), bad);
		set(o, "snapped", number(c->snapped), bad);
		set(o, "first", c->frames == 0 ? json_null() : iso_time(c->first_ns), bad);
		set(o, "last", c->frames == 0 ? json_null() : iso_time(c->last_ns), bad);
		if (c->damage != NULL)
			set(o, "damage", text(c->damage), bad);
		append(list, o, bad);
	}
	return list;
}

static json_t *
classes(const struct ics_count_snapshot *counts, bool *bad)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		set(o, ics_class_name(i), number(counts->class[i]), bad);
	return o;
}

static json_t *
reasons(const struct ics_report *r, bool *bad)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		uint64_t n = r->counts->reason[i] + ics_engine_reason_count(r->engine, (enum ics_reason)i);

		if (n != 0)
			set(o, ics_reason_info(i)->name, number(n), bad);
	}
	return o;
}

/* First octets of a frame, as hex digits. */
static json_t *
hex(struct ics_view v)
{
	char buf[2 * ICS_EXEMPLAR_MAX + 1] = "";

	for (uint32_t i = 0; i < v.len && i < ICS_EXEMPLAR_MAX; i++)
		sprintf(buf + 2 * i, "%02x", v.p[i]);
	return json_string(buf);
}

/* Of each rule seen: what it is, when it fired first and last, and the first frame that broke it. */
static json_t *
reason_details(const struct ics_report *r, bool *bad)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		const struct ics_reason_info *info = ics_reason_info(i);
		uint64_t n = r->counts->reason[i] + ics_engine_reason_count(r->engine, (enum ics_reason)i);
		const struct ics_counters *stateful = ics_engine_reason_counters(r->engine);
		bool is_stateful = (info->flags & ICS_REASON_STATEFUL) != 0;
		struct ics_view v = {NULL, 0};
		uint32_t wire_len = 0;
		json_t *d;

		if (n == 0)
			continue;
		d = json_object();
		set(d, "count", number(n), bad);
		set(d, "class", json_string(ics_reason_class_name(info->cls)), bad);
		set(d, "severity", json_string(ics_severity_name(info->severity)), bad);
		set(d, "rfc", json_string(info->rfc), bad);
		set(d, "condition", json_string(info->condition), bad);
		set(d, "receiver", json_string(info->receiver), bad);
		set(d, "first",
		    iso_time_or_null(is_stateful ? ics_count_get(&stateful->note[i].first_ns)
						 : r->counts->reason_first_ns[i]),
		    bad);
		set(d, "last",
		    iso_time_or_null(is_stateful ? ics_count_get(&stateful->note[i].last_ns)
						 : r->counts->reason_last_ns[i]),
		    bad);
		if (is_stateful)
			v = ics_count_exemplar(stateful, i, &wire_len);
		else if (r->counters != NULL)
			v = ics_count_exemplar(r->counters, i, &wire_len);
		if (v.len != 0) {
			set(d, "frame_hex", hex(v), bad);
			set(d, "frame_wire_len", number(wire_len), bad);
		}
		set(o, info->name, d, bad);
	}
	return o;
}

static json_t *
encapsulation(const struct ics_count_snapshot *counts, bool *bad)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < ICS_ENCAP_COUNT_COUNT; i++)
		set(o, ics_encap_count_name(i), number(counts->encap[i]), bad);
	return o;
}

static json_t *
conservation(const struct ics_count_snapshot *counts, bool *bad)
{
	json_t *o = json_object();
	uint64_t sum = 0, dropped = 0;

	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		sum += counts->class[i];
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		dropped += counts->dropped[i];
	set(o, "frames", number(counts->frames), bad);
	set(o, "classes", number(sum), bad);
	set(o, "control", number(counts->control), bad);
	set(o, "delivered", number(counts->delivered), bad);
	set(o, "dropped", number(dropped), bad);
	set(o, "pending", number(counts->control - counts->delivered - dropped), bad);
	return o;
}

json_t *
ics_report_segment_json(const struct ics_segment_key *k, bool *bad)
{
	json_t *o = json_object();

	set(o, "port", number(k->port), bad);
	set(o, "vlan", k->vlan_outer == ICS_VLAN_NONE ? json_null() : number(k->vlan_outer), bad);
	if (k->vlan_inner != ICS_VLAN_NONE)
		set(o, "inner_vlan", number(k->vlan_inner), bad);
	if ((k->encap & ICS_ENCAP_MPLS) != 0)
		set(o, "mpls", json_true(), bad);
	if ((k->encap & ICS_ENCAP_PPPOE) != 0)
		set(o, "pppoe", json_true(), bad);
	return o;
}

json_t *
ics_report_facts_json(const struct ics_fact *fact, unsigned n, bool *bad)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < n; i++) {
		json_t *v = NULL;

		switch (fact[i].type) {
		case ICS_FACT_UINT:
			v = number(fact[i].u);
			break;
		case ICS_FACT_BOOL:
			v = json_boolean(fact[i].u != 0);
			break;
		case ICS_FACT_SECONDS:
			v = json_real((double)fact[i].u / 1000.0);
			break;
		case ICS_FACT_TEXT:
			v = text(fact[i].text);
			break;
		}
		set(o, fact[i].key, v, bad);
	}
	return o;
}

json_t *
ics_report_anomaly_json(const struct ics_anomaly *a, bool *bad)
{
	json_t *o = json_object(), *frames = json_array();

	for (unsigned i = 0; i < a->n_frames; i++)
		append(frames, number(a->frame_no[i]), bad);
	set(o, "id", number(a->id), bad);
	set(o, "name", text(a->detector), bad);
	set(o, "variant", text(a->variant != NULL ? a->variant : ""), bad);
	set(o, "severity", text(ics_severity_name(a->severity)), bad);
	set(o, "state", text(a->state == ICS_ANOMALY_OPEN ? "open" : "cleared"), bad);
	set(o, "muted", json_boolean(a->muted), bad);
	set(o, "acked", json_boolean(a->acked), bad);
	set(o, "lenient", json_boolean(a->lenient), bad);
	set(o, "first", iso_time(a->first_ns), bad);
	set(o, "last", iso_time(a->last_ns), bad);
	set(o, "cleared", a->state == ICS_ANOMALY_OPEN ? json_null() : iso_time(a->cleared_ns), bad);
	set(o, "count", number(a->count), bad);
	set(o, "segment", ics_report_segment_json(&a->segment, bad), bad);
	set(o, "subject", ics_report_facts_json(a->subject, a->n_subject, bad), bad);
	set(o, "evidence", ics_report_facts_json(a->evidence, a->n_evidence, bad), bad);
	set(o, "frames", frames, bad);
	set(o, "rfc", text(a->rfc != NULL ? a->rfc : ""), bad);
	set(o, "says", text(a->says), bad);
	return o;
}

static json_t *
anomalies(const struct ics_anomaly_store *s, bool *bad)
{
	unsigned n;
	const struct ics_anomaly **all = ics_report_by_id(s, &n);
	json_t *list = json_array();

	if (all == NULL)
		*bad = true;
	for (unsigned i = 0; i < n; i++)
		append(list, ics_report_anomaly_json(all[i], bad), bad);
	free(all);
	return list;
}

static json_t *
router(const struct ics_model *m, const struct ics_router *r, bool *bad)
{
	const struct ics_segment *s = ics_model_segment(m, r->segment);
	json_t *o = json_object(), *macs = json_array(), *flags = json_object();
	char buf[ICS_MAC_STRLEN];

	for (unsigned i = 0; i < r->n_macs; i++)
		append(macs, text(ics_mac_format(&r->mac[i], buf)), bad);
	set(flags, "managed", json_boolean(r->flags & ICS_RA_FLAG_MANAGED), bad);
	set(flags, "other", json_boolean(r->flags & ICS_RA_FLAG_OTHER), bad);
	set(o, "id", number(r->id), bad);
	set(o, "address", address(&r->addr), bad);
	set(o, "mac", macs, bad);
	set(o, "segment", s != NULL ? ics_report_segment_json(&s->key, bad) : json_null(), bad);
	set(o, "state", text(ics_router_state_name(r->state)), bad);
	set(o, "pinned", json_boolean(r->pinned), bad);
	set(o, "lifetime", number(r->lifetime_s), bad);
	set(o, "expires", iso_time_or_null(r->expires_ns), bad);
	set(o, "preference", text(ics_report_preference(r->flags)), bad);
	set(o, "flags", flags, bad);
	set(o, "cur_hop_limit", number(r->cur_hop_limit), bad);
	set(o, "reachable_ms", number(r->reachable_ms), bad);
	set(o, "retrans_ms", number(r->retrans_ms), bad);
	set(o, "mtu", number(r->mtu), bad);
	set(o, "ra_count", number(r->ra_count), bad);
	set(o, "zero_ra_count", number(r->zero_ra_count), bad);
	set(o, "r0_count", number(r->r0_count), bad);
	set(o, "first", iso_time_or_null(r->first_ns), bad);
	set(o, "last", iso_time_or_null(r->last_ra_ns), bad);
	return o;
}

static json_t *
routers(const struct ics_model *m, bool *bad)
{
	json_t *list = json_array();

	for (const struct ics_router *r = ics_model_router_next(m, 1); r != NULL;
	     r = ics_model_router_next(m, r->id + 1))
		append(list, router(m, r, bad), bad);
	return list;
}

static json_t *
prefix(const struct ics_model *m, const struct ics_prefix *p, bool *bad)
{
	const struct ics_segment *s = ics_model_segment(m, p->segment);
	json_t *o = json_object();
	char buf[ICS_PREFIX_STRLEN];

	set(o, "id", number(p->id), bad);
	set(o, "kind", text(ics_prefix_kind_name(p->kind)), bad);
	set(o, "prefix", text(ics_prefix_format(p, buf)), bad);
	set(o, "router", address(&p->router), bad);
	set(o, "segment", s != NULL ? ics_report_segment_json(&s->key, bad) : json_null(), bad);
	if (p->kind == ICS_PREFIX_PIO) {
		set(o, "on_link", json_boolean(p->flags & ICS_PIO_ONLINK), bad);
		set(o, "autonomous", json_boolean(p->flags & ICS_PIO_AUTO), bad);
		set(o, "preferred", number(p->preferred_s), bad);
	} else if (p->kind == ICS_PREFIX_RIO) {
		set(o, "preference", text(ics_report_preference(p->flags)), bad);
	}
	set(o, "valid", number(p->valid_s), bad);
	set(o, "valid_until", p->valid_until_ns == UINT64_MAX ? json_null() : iso_time(p->valid_until_ns), bad);
	set(o, "count", number(p->count), bad);
	set(o, "misses", number(ics_prefix_misses(m, p)), bad);
	set(o, "first", iso_time(p->first_ns), bad);
	set(o, "last", iso_time(p->last_ns), bad);
	return o;
}

static json_t *
prefixes(const struct ics_model *m, bool *bad)
{
	json_t *list = json_array();

	for (const struct ics_prefix *p = ics_model_prefix_next(m, 1); p != NULL;
	     p = ics_model_prefix_next(m, p->id + 1))
		append(list, prefix(m, p, bad), bad);
	return list;
}

static json_t *
querier(struct ics_model *m, const struct ics_querier *q, uint32_t segment_id, bool *bad)
{
	const struct ics_queriers *s = ics_model_queriers(m, segment_id);
	char buf[ICS_MAC_STRLEN];
	json_t *o = json_object();

	set(o, "address", address(&q->addr), bad);
	set(o, "mac", q->has_mac ? text(ics_mac_format(&q->mac, buf)) : json_null(), bad);
	set(o, "segment", ics_report_segment_json(&ics_model_segment(m, segment_id)->key, bad), bad);
	set(o, "in_charge", json_boolean(ics_queriers_current(s, ics_model_clock(m)->now_ns) == q), bad);
	set(o, "version", number(q->version), bad);
	set(o, "qqi_s", number(q->qqi_s), bad);
	set(o, "mrd_ms", number(q->qri_ms), bad);
	set(o, "rv", number(q->rv), bad);
	set(o, "interval_ms", q->intervals != 0 ? number(q->interval_ns / 1000000) : json_null(), bad);
	set(o, "general", number(q->general), bad);
	set(o, "specific", number(q->specific), bad);
	set(o, "forged", number(q->forged), bad);
	set(o, "first", iso_time(q->first_ns), bad);
	set(o, "last", iso_time(q->last_ns), bad);
	return o;
}

static json_t *
queriers(struct ics_model *m, bool *bad)
{
	json_t *list = json_array();

	for (uint32_t id = 0; id < ics_model_segment_count(m); id++) {
		const struct ics_queriers *s = ics_model_queriers(m, id);

		for (unsigned i = 0; s != NULL && i < s->n; i++)
			append(list, querier(m, &s->q[i], id, bad), bad);
	}
	return list;
}

static json_t *
mld(struct ics_model *m, const struct ics_count_snapshot *counts, bool *bad)
{
	json_t *o = json_object();

	set(o, "queries", number(counts->class[ICS_CLASS_mld_query]), bad);
	set(o, "mld1_reports", number(counts->class[ICS_CLASS_mld1_report]), bad);
	set(o, "mld2_reports", number(counts->class[ICS_CLASS_mld2_report]), bad);
	set(o, "dones", number(counts->class[ICS_CLASS_mld1_done]), bad);
	set(o, "queriers", queriers(m, bad), bad);
	ics_report_mcast_json(o, m, bad);
	return o;
}

static json_t *
detectors(const struct ics_engine *e, bool *bad)
{
	const struct ics_detector_info *d;
	json_t *list = json_array();

	for (unsigned i = 0; (d = ics_engine_detector((struct ics_engine *)e, i)) != NULL; i++) {
		json_t *o = json_object();

		set(o, "name", text(d->name), bad);
		set(o, "state", text(d->state), bad);
		set(o, "fired", number(d->fired), bad);
		set(o, "cleared", number(d->cleared), bad);
		set(o, "suppressed", number(d->suppressed), bad);
		append(list, o, bad);
	}
	return list;
}

int
ics_report_json(FILE *out, const struct ics_report *r)
{
	const struct ics_model *m = ics_engine_model(r->engine);
	json_t *o = json_object();
	bool bad = false;
	int ret = 0;

	set(o, "version", text(r->version), &bad);
	set(o, "captures", captures(r, &bad), &bad);
	set(o, "frames", number(r->counts->frames), &bad);
	set(o, "classes", classes(r->counts, &bad), &bad);
	set(o, "reasons", reasons(r, &bad), &bad);
	set(o, "reason_details", reason_details(r, &bad), &bad);
	set(o, "encapsulation", encapsulation(r->counts, &bad), &bad);
	set(o, "conservation", conservation(r->counts, &bad), &bad);
	set(o, "anomalies", anomalies(ics_engine_anomalies(r->engine), &bad), &bad);
	set(o, "detectors", detectors(r->engine, &bad), &bad);
	set(o, "routers", routers(m, &bad), &bad);
	set(o, "prefixes", prefixes(m, &bad), &bad);
	set(o, "mld", mld(ics_engine_model(r->engine), r->counts, &bad), &bad);
	ics_report_paths_json(o, ics_engine_model(r->engine), &bad);
	set(o, "hosts", number(ics_model_host_count(m)), &bad);
	set(o, "bindings", number(ics_model_binding_count(m)), &bad);
	if (bad)
		ret = -ENOMEM;
	else if (json_dumpf(o, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0 || fputc('\n', out) == EOF ||
		 fflush(out) != 0)
		ret = -EIO;
	json_decref(o);
	return ret;
}
