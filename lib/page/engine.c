/* The document of the engine that read a capture (ics_page.h): the names and units of live.c, from the tables themselves. */
#include "doc.h"

#include "ics_gateway.h"
#include "ics_report_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of all that are kept; the report names how many it leaves out. */
#define ANOMALIES_MAX 500
#define SEGMENTS_MAX 4096
#define DETECTORS_MAX 256
#define PORTS_MAX 256

static void
add_segment_key(struct doc *d, json_t *o, const struct ics_segment_key *k)
{
	char where[64], vlan[16];

	ics_segment_vlan_format(k, vlan);
	doc_uint(d, o, "port", k->port);
	doc_text(d, o, "vlan", vlan);
	doc_text(d, o, "where", ics_report_segment(k, where));
}

static const char *
mac_text(const struct ics_mac *mac, char buf[static ICS_MAC_STRLEN])
{
	return ics_mac_format(mac, buf);
}

/* ---- anomalies ---- */

static int
by_weight(const void *pa, const void *pb)
{
	const struct ics_anomaly *a = *(const struct ics_anomaly *const *)pa,
				 *b = *(const struct ics_anomaly *const *)pb;

	if (a->state != b->state)
		return a->state == ICS_ANOMALY_OPEN ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	return a->first_ns < b->first_ns ? -1 : a->first_ns > b->first_ns;
}

static json_t *
anomaly(struct doc *d, const struct ics_anomaly *a)
{
	const struct ics_proof *proofs[ICS_PROOFS];
	json_t *o = json_object();

	doc_uint(d, o, "id", a->id);
	doc_text(d, o, "name", a->detector);
	doc_text(d, o, "variant", a->variant != NULL ? a->variant : "");
	doc_text(d, o, "severity", ics_severity_name(a->severity));
	doc_text(d, o, "state", a->state == ICS_ANOMALY_OPEN ? "open" : "cleared");
	doc_uint(d, o, "muted", a->muted);
	doc_uint(d, o, "acked", a->acked);
	doc_uint(d, o, "lenient", a->lenient);
	doc_text(d, o, "rfc", a->rfc != NULL ? a->rfc : "");
	add_segment_key(d, o, &a->segment);
	doc_uint(d, o, "count", a->count);
	doc_uint(d, o, "first_ns", a->first_ns);
	doc_uint(d, o, "last_ns", a->last_ns);
	if (a->state == ICS_ANOMALY_CLEARED)
		doc_uint(d, o, "cleared_ns", a->cleared_ns);
	doc_uint(d, o, "frames_kept", ics_anomaly_proofs(a, proofs));
	doc_text(d, o, "says", a->says);
	doc_set(d, o, "subject", ics_report_facts_json(a->subject, a->n_subject, &d->bad));
	doc_set(d, o, "evidence", ics_report_facts_json(a->evidence, a->n_evidence, &d->bad));
	return o;
}

static json_t *
anomalies(struct doc *d, const struct ics_anomaly_store *s)
{
	const struct ics_anomaly **all = calloc(ICS_ANOMALY_STORE_MAX, sizeof(*all)), *a;
	json_t *o = json_object(), *list = json_array(), *before = json_array();
	unsigned n = 0, open = 0, muted = 0, severity[ICS_SEV_CRITICAL + 1] = {0};

	d->bad |= all == NULL;
	for (a = ics_anomaly_next(s, 0); all != NULL && a != NULL && n < ICS_ANOMALY_STORE_MAX;
	     a = ics_anomaly_next(s, a->seq + 1))
		all[n++] = a;
	if (n > 0)
		qsort(all, n, sizeof(*all), by_weight);
	for (unsigned i = 0; i < n; i++) {
		bool is_open = all[i]->state == ICS_ANOMALY_OPEN;

		muted += is_open && all[i]->muted;
		open += is_open && !all[i]->muted;
		severity[all[i]->severity] += is_open && !all[i]->muted;
		if (i < ANOMALIES_MAX)
			doc_append(d, is_open && !all[i]->muted ? list : before, anomaly(d, all[i]));
	}
	doc_uint(d, o, "open", open);
	doc_uint(d, o, "kept", n);
	doc_uint(d, o, "critical", severity[ICS_SEV_CRITICAL]);
	doc_uint(d, o, "warn", severity[ICS_SEV_WARN]);
	doc_uint(d, o, "info", severity[ICS_SEV_INFO]);
	doc_uint(d, o, "muted", muted);
	doc_uint(d, o, "cleared", n - open - muted);
	doc_set(d, o, "list", list);
	doc_set(d, o, "before", before);
	free(all);
	return o;
}

/* ---- segments ---- */

struct segment {
	const struct ics_segment *s;
	enum doc_health health, worst; /* of what is open, of all */
	unsigned open, findings;
	uint64_t messages;
};

static int
by_health(const void *pa, const void *pb)
{
	const struct segment *a = pa, *b = pb;

	if (a->worst != b->worst)
		return a->worst > b->worst ? -1 : 1;
	return a->messages > b->messages ? -1 : a->messages < b->messages;
}

static bool
is_same(const struct ics_segment_key *a, const struct ics_segment_key *b)
{
	return a->port == b->port && a->encap == b->encap && a->vlan_outer == b->vlan_outer &&
	       a->vlan_inner == b->vlan_inner;
}

static void
judge(const struct ics_anomaly_store *store, struct segment *s)
{
	for (const struct ics_anomaly *a = ics_anomaly_next(store, 0); a != NULL;
	     a = ics_anomaly_next(store, a->seq + 1)) {
		enum doc_health h = (enum doc_health)(DOC_INFO + a->severity);

		if (a->muted || !is_same(&a->segment, &s->s->key))
			continue;
		s->findings++;
		if (h > s->worst)
			s->worst = h;
		if (a->state != ICS_ANOMALY_OPEN)
			continue;
		s->open++;
		if (h > s->health)
			s->health = h;
	}
}

static json_t *
segment_row(struct doc *d, const struct ics_model *m, const struct segment *s)
{
	json_t *o = json_object();

	doc_uint(d, o, "id", s->s->id);
	add_segment_key(d, o, &s->s->key);
	doc_uint(d, o, "routers", s->s->routers);
	doc_uint(d, o, "default_routers", s->s->default_routers);
	doc_uint(d, o, "hosts", s->s->hosts);
	doc_uint(d, o, "bindings", s->s->bindings);
	doc_uint(d, o, "messages", s->messages);
	doc_uint(d, o, "first_ns", s->s->first_ns);
	doc_uint(d, o, "last_ns", s->s->last_ns);
	doc_uint(d, o, "groups", s->s->mcast.groups);
	doc_uint(d, o, "memberships", s->s->mcast.memberships);
	doc_uint(d, o, "member_hosts", s->s->mcast.hosts);
	doc_uint(d, o, "mld_pps", ics_segment_mld_pps(s->s, ics_model_now_ns(m)));
	doc_uint(d, o, "table_used", ics_model_table_used(m, s->s->key.port));
	doc_uint(d, o, "table_cap", ics_model_table_cap(m));
	/* Of a capture what was open at its end means little: it stopped there. */
	doc_text(d, o, "health", doc_health_name(s->worst));
	doc_uint(d, o, "open", s->open);
	doc_uint(d, o, "findings", s->findings);
	return o;
}

static json_t *
segments(struct doc *d, struct ics_engine *e)
{
	const struct ics_model *m = ics_engine_model(e);
	uint32_t n = ics_model_segment_count(m);
	struct segment *all = calloc(n + 1, sizeof(*all));
	json_t *o = json_object(), *list = json_array();
	unsigned counts[DOC_CRITICAL + 1] = {0};
	uint64_t groups = 0, memberships = 0, first_ns = 0, last_ns = 0;

	d->bad |= all == NULL;
	for (uint32_t i = 0; all != NULL && i < n; i++) {
		struct segment *s = &all[i];

		s->s = ics_model_segment(m, i);
		for (unsigned k = 0; k < ICS_CLASS_COUNT; k++)
			s->messages += s->s->class[k];
		judge(ics_engine_anomalies(e), s);
		counts[s->worst]++;
		groups += s->s->mcast.groups;
		memberships += s->s->mcast.memberships;
		if (first_ns == 0 || s->s->first_ns < first_ns)
			first_ns = s->s->first_ns;
		if (s->s->last_ns > last_ns)
			last_ns = s->s->last_ns;
	}
	if (all != NULL && n > 0)
		qsort(all, n, sizeof(*all), by_health);
	for (uint32_t i = 0; all != NULL && i < n && i < ICS_PAGE_SEGMENTS; i++)
		doc_append(d, list, segment_row(d, m, &all[i]));
	doc_uint(d, o, "total", n);
	for (unsigned i = 0; i <= DOC_CRITICAL; i++)
		doc_uint(d, o, doc_health_name((enum doc_health)i), counts[i]);
	doc_uint(d, o, "groups", groups);
	doc_uint(d, o, "memberships", memberships);
	doc_uint(d, o, "first_ns", first_ns);
	doc_uint(d, o, "last_ns", last_ns);
	doc_set(d, o, "list", list);
	free(all);
	return o;
}

static json_t *
forecasts(struct doc *d, const struct ics_model *m)
{
	json_t *list = json_array();

	for (unsigned port = 0; port < PORTS_MAX; port++) {
		struct ics_table_forecast f;
		char per_host[16];
		json_t *o;

		if (ics_model_port_mcast(m, (uint8_t)port)->memberships == 0)
			continue;
		ics_model_forecast(m, (uint8_t)port, &f);
		o = json_object();
		doc_uint(d, o, "port", port);
		doc_text(d, o, "table_model", f.model);
		doc_uint(d, o, "table_used", f.used);
		doc_uint(d, o, "table_cap", f.cap);
		doc_uint(d, o, "table_percent", f.percent);
		snprintf(per_host, sizeof(per_host), "%u.%02u", f.per_host_100 / 100, f.per_host_100 % 100);
		doc_text(d, o, "entries_per_host", per_host);
		if (f.per_host_100 != 0) {
			doc_uint(d, o, "hosts_to_full", f.hosts_to_full);
			doc_uint(d, o, "hosts_at_full", f.hosts_at_full);
		}
		if (f.has_trend) {
			doc_uint(d, o, "growth_per_day", f.per_day);
			doc_uint(d, o, "hours_to_full", f.hours_to_full);
		}
		doc_append(d, list, o);
	}
	return list;
}

/* ---- gateways ---- */

static json_t *
event(struct doc *d, const struct ics_model *m, const struct ics_gateway_event *ev)
{
	const struct ics_router router = {.flags = ev->flags};
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];
	json_t *o = json_object();

	doc_uint(d, o, "seq", ev->seq);
	doc_uint(d, o, "ts_ns", ev->ts_ns);
	doc_uint(d, o, "segment", ev->segment);
	add_segment_key(d, o, &ics_model_segment(m, ev->segment)->key);
	doc_uint(d, o, "router", ev->router);
	doc_text(d, o, "address", ics_ip_format(&ev->addr, addr));
	doc_text(d, o, "mac", mac_text(&ev->mac, mac));
	doc_text(d, o, "what", ics_gateway_what_name((enum ics_gateway_what)ev->what));
	doc_uint(d, o, "lifetime_s", ev->lifetime_s);
	doc_uint(d, o, "lifetime_before_s", ev->lifetime_before_s);
	doc_text(d, o, "preference", ics_router_preference_name(&router));
	doc_uint(d, o, "left", ev->left);
	return o;
}

static json_t *
router(struct doc *d, const struct ics_model *m, const struct ics_router *r)
{
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN] = "";
	json_t *o = json_object();

	doc_uint(d, o, "id", r->id);
	doc_uint(d, o, "segment", r->segment);
	add_segment_key(d, o, &ics_model_segment(m, r->segment)->key);
	doc_text(d, o, "address", ics_ip_format(&r->addr, addr));
	doc_text(d, o, "mac", r->n_macs > 0 ? mac_text(&r->mac[r->n_macs - 1], mac) : "");
	doc_text(d, o, "state", ics_router_state_name(r->state));
	doc_uint(d, o, "lifetime_s", r->lifetime_s);
	doc_uint(d, o, "flags", r->flags);
	doc_uint(d, o, "pinned", r->pinned);
	doc_uint(d, o, "ra_count", r->ra_count);
	doc_uint(d, o, "zero_ra_count", r->zero_ra_count);
	doc_uint(d, o, "r0_count", r->r0_count);
	doc_uint(d, o, "last_ra_ns", r->last_ra_ns);
	doc_uint(d, o, "expires_ns", r->expires_ns);
	return o;
}

static json_t *
gateways(struct doc *d, const struct ics_model *m)
{
	json_t *o = json_object(), *events = json_array(), *routers = json_object(), *list = json_array();
	uint64_t n = ics_gateway_count(m);
	const struct ics_gateway_event *ev = ics_gateway_next(m, 0);
	struct ics_model_stats st;

	/* The latest ones. */
	for (; ev != NULL; ev = ics_gateway_next(m, ev->seq + 1), n--)
		if (n <= ICS_PAGE_EVENTS)
			doc_append(d, events, event(d, m, ev));
	for (const struct ics_router *r = ics_model_router_next(m, 1);
	     r != NULL && json_array_size(list) < ICS_PAGE_ROUTERS; r = ics_model_router_next(m, r->id + 1))
		doc_append(d, list, router(d, m, r));
	ics_model_stats(m, &st);
	doc_uint(d, routers, "total", st.routers);
	doc_set(d, routers, "list", list);
	doc_uint(d, o, "skipped", ics_gateway_skipped(m));
	doc_set(d, o, "events", events);
	doc_set(d, o, "routers", routers);
	return o;
}

static json_t *
queriers(struct doc *d, struct ics_model *m)
{
	json_t *o = json_object(), *list = json_array();
	uint64_t total = 0;

	for (uint32_t id = 0; id < ics_model_segment_count(m); id++) {
		const struct ics_queriers *s = ics_model_queriers(m, id);

		for (unsigned i = 0; s != NULL && i < s->n; i++, total++) {
			const struct ics_querier *q = &s->q[i];
			char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];
			json_t *row;

			if (json_array_size(list) == ICS_PAGE_QUERIERS)
				continue;
			row = json_object();
			add_segment_key(d, row, &ics_model_segment(m, id)->key);
			doc_text(d, row, "address", ics_ip_format(&q->addr, addr));
			doc_text(d, row, "mac", q->has_mac ? mac_text(&q->mac, mac) : "none");
			doc_uint(d, row, "in_charge", ics_queriers_current(s, ics_model_clock(m)->now_ns) == q);
			doc_uint(d, row, "version", q->version);
			doc_uint(d, row, "qqi_s", q->qqi_s);
			doc_uint(d, row, "mrd_ms", q->qri_ms);
			doc_uint(d, row, "rv", q->rv);
			doc_uint(d, row, "interval_ms", q->interval_ns / 1000000);
			doc_uint(d, row, "general", q->general);
			doc_uint(d, row, "forged", q->forged);
			doc_uint(d, row, "last_ns", q->last_ns);
			doc_append(d, list, row);
		}
	}
	doc_uint(d, o, "total", total);
	doc_set(d, o, "list", list);
	return o;
}

/* ---- path MTUs ---- */

static json_t *
reporter(struct doc *d, struct ics_model *m, const struct ics_reporter *r)
{
	const struct ics_guess_hint hint = {
		.is_ip4 = r->is_ip4, .n_labels = r->n_labels, .encap = r->encap, .quoted = r->quoted_len};
	uint64_t offset = ics_model_clock(m)->offset_ns;
	char addr[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];
	struct ics_guess g;
	json_t *o = json_object();

	ics_guess_encap(r->mtu, &hint, &g);
	add_segment_key(d, o, &ics_model_segment(m, r->segment)->key);
	doc_text(d, o, "address", ics_ip_format(&r->addr, addr));
	doc_text(d, o, "mac", mac_text(&r->mac, mac));
	doc_uint(d, o, "mtu", r->mtu);
	doc_uint(d, o, "ip", r->is_ip4 ? 4 : 6);
	doc_uint(d, o, "paths", r->rows);
	doc_uint(d, o, "far_prefixes", r->n_far);
	doc_uint(d, o, "messages", r->messages);
	doc_text(d, o, "guess", g.n != 0 ? g.at[0].text : "");
	doc_text(d, o, "confidence", g.n != 0 ? ics_confidence_name(g.at[0].confidence) : "");
	doc_uint(d, o, "mss4", ics_mss4(r->mtu));
	doc_uint(d, o, "mss6", ics_mss6(r->mtu));
	doc_uint(d, o, "first_ns", r->first_ns > offset ? r->first_ns - offset : 0);
	doc_uint(d, o, "last_ns", r->last_ns > offset ? r->last_ns - offset : 0);
	return o;
}

/* Those that stand before most paths, as many as the page shows. */
static json_t *
reporters(struct doc *d, struct ics_model *m)
{
	const struct ics_reporter *top[ICS_PAGE_REPORTERS], *r;
	json_t *o = json_object(), *list = json_array();
	uint64_t total = 0;
	unsigned n = 0;

	for (uint32_t i = 1; (r = ics_reporter_next(m, &i)) != NULL; i++) {
		unsigned at;

		if (r->messages == 0)
			continue;
		total++;
		for (at = n; at > 0 && top[at - 1]->rows < r->rows; at--)
			if (at < ICS_PAGE_REPORTERS)
				top[at] = top[at - 1];
		if (at < ICS_PAGE_REPORTERS)
			top[at] = r;
		n += n < ICS_PAGE_REPORTERS;
	}
	for (unsigned i = 0; i < n; i++)
		doc_append(d, list, reporter(d, m, top[i]));
	doc_uint(d, o, "total", total);
	doc_set(d, o, "list", list);
	return o;
}

/* ---- what was looked at ---- */

static json_t *
detectors(struct doc *d, struct ics_engine *e)
{
	json_t *o = json_object(), *list = json_array();
	const struct ics_detector_info *info;

	for (unsigned i = 0; i < DETECTORS_MAX && (info = ics_engine_detector(e, i)) != NULL; i++) {
		json_t *row = json_object();

		doc_text(d, row, "name", info->name);
		doc_text(d, row, "rfc", info->rfc);
		doc_text(d, row, "severity", ics_severity_name(info->severity));
		doc_text(d, row, "state", info->state);
		doc_uint(d, row, "fired", info->fired);
		doc_uint(d, row, "cleared", info->cleared);
		doc_uint(d, row, "suppressed", info->suppressed);
		doc_text(d, row, "text", info->text);
		doc_append(d, list, row);
	}
	doc_uint(d, o, "total", json_array_size(list));
	doc_set(d, o, "list", list);
	return o;
}

static json_t *
captures(struct doc *d, const struct ics_report *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_captures; i++) {
		const struct ics_report_capture *c = &r->captures[i];
		json_t *o = json_object();

		doc_text(d, o, "file", c->file);
		doc_uint(d, o, "frames", c->frames);
		doc_uint(d, o, "bytes", c->bytes);
		doc_uint(d, o, "snapped", c->snapped);
		doc_uint(d, o, "first_ns", c->first_ns);
		doc_uint(d, o, "last_ns", c->last_ns);
		if (c->damage != NULL)
			doc_text(d, o, "damage", c->damage);
		doc_append(d, list, o);
	}
	return list;
}

/* Rules that were broken, with what receivers do about it. */
static json_t *
rules(struct doc *d, const struct ics_report *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		uint64_t n = r->counts->reason[i] + ics_engine_reason_count(r->engine, (enum ics_reason)i);
		const struct ics_reason_info *info = ics_reason_info(i);
		json_t *o;

		if (n == 0)
			continue;
		o = json_object();
		doc_text(d, o, "name", info->name);
		doc_text(d, o, "rfc", info->rfc);
		doc_text(d, o, "condition", info->condition);
		doc_text(d, o, "receiver", info->receiver);
		doc_uint(d, o, "count", n);
		doc_append(d, list, o);
	}
	return list;
}

static json_t *
info(struct doc *d, const struct ics_report *r)
{
	struct ics_model_stats st;
	json_t *o = json_object();
	uint64_t dropped = 0, sum = 0;

	ics_model_stats(ics_engine_model(r->engine), &st);
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		dropped += r->counts->dropped[i];
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		sum += r->counts->class[i];
	doc_text(d, o, "version", r->version);
	doc_text(d, o, "mode", "report");
	doc_uint(d, o, "now_ns", ics_model_now_ns(ics_engine_model(r->engine)));
	doc_uint(d, o, "frames", r->counts->frames);
	doc_uint(d, o, "control", r->counts->control);
	doc_uint(d, o, "delivered", r->counts->delivered);
	doc_uint(d, o, "dropped", dropped);
	doc_uint(d, o, "conservation_ok", r->counts->frames == sum);
	doc_uint(d, o, "segments", st.segments);
	doc_uint(d, o, "routers", st.routers);
	doc_uint(d, o, "hosts", st.hosts);
	doc_uint(d, o, "bindings", st.bindings);
	doc_uint(d, o, "prefixes", st.prefixes);
	doc_uint(d, o, "paths", st.paths);
	doc_uint(d, o, "path_reporters", st.reporters);
	doc_uint(d, o, "black_holes", st.holes);
	return o;
}

json_t *
ics_page_engine_read(const struct ics_report *r, const struct ics_page_series *series)
{
	struct ics_model *m = ics_engine_model(r->engine);
	json_t *doc = json_object(), *classes = json_object();
	struct doc d = {0};

	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		doc_uint(&d, classes, ics_class_name(i), r->counts->class[i]);
	doc_text(&d, doc, "kind", "report");
	doc_set(&d, doc, "info", info(&d, r));
	doc_set(&d, doc, "captures", captures(&d, r));
	doc_set(&d, doc, "anomalies", anomalies(&d, ics_engine_anomalies(r->engine)));
	doc_set(&d, doc, "segments", segments(&d, r->engine));
	doc_set(&d, doc, "forecasts", forecasts(&d, m));
	doc_set(&d, doc, "gateways", gateways(&d, m));
	doc_set(&d, doc, "queriers", queriers(&d, m));
	doc_set(&d, doc, "reporters", reporters(&d, m));
	doc_set(&d, doc, "detectors", detectors(&d, r->engine));
	doc_set(&d, doc, "rules", rules(&d, r));
	doc_set(&d, doc, "classes", classes);
	doc_set(&d, doc, "series", ics_page_series_json(series, 0));
	if (d.bad) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}

void
ics_page_engine_sample(struct ics_engine *e, const struct ics_count_snapshot *counts, struct ics_page_sample *out)
{
	struct ics_anomaly_stats st;

	memset(out->v, 0, sizeof(out->v));
	ics_anomaly_stats(ics_engine_anomalies(e), &st);
	out->v[ICS_PAGE_CRITICAL] = st.open;
	out->v[ICS_PAGE_HOSTS] = ics_model_host_count(ics_engine_model(e));
	out->v[ICS_PAGE_FRAMES] = counts->frames;
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++) {
		enum ics_page_figure f = doc_figure_of_class(ics_class_name(i));

		if (f != ICS_PAGE_FIGURES)
			out->v[f] += counts->class[i];
	}
}
