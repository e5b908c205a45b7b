/* Packets that switches and routers handle on their CPU: multicast listener discovery, and whatever else carries a router
 * alert (RFC 2711, RFC 6398 3). Measured exactly, copies included, over ten seconds of each segment, with those who send
 * the most; and predicted for the moment after a general query, when all hosts answer within the time that it gives
 * them. How much a CPU bears is for the site to say (detect.mld_pps_warn, mld_pps_crit). Called for all ICMPv6 messages.
 */
#include "detect_priv.h"
#include "mld_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS 10
#define ALERT_PPS 100 /* that are no MLD: nobody needs them in numbers */
#define CLEAR_NS (60 * NS_PER_S)
#define TOP 5
#define STANDS_OUT 2 /* percent */
#define COPIES 256
#define OPTIONS_MAX 8

enum kind { K_QUERY, K_REPORT, K_DONE, K_MRD, K_ALERT, KINDS };
enum variant { V_RATE, V_ROUTER_ALERT, V_PREDICTED };
static const char *const names[] = {[V_RATE] = "rate", [V_ROUTER_ALERT] = "router_alert", [V_PREDICTED] = "predicted"};

/* One segment: its last seconds. */
struct load {
	uint32_t segment;
	uint64_t sec;                    /* the one at hand */
	uint32_t in[SECONDS][KINDS];     /* by second, modulo */
	uint64_t sum[KINDS];             /* over all of them */
	uint64_t top_s;                  /* since when top counts */
	struct ics_top top;              /* MACs */
	struct ics_top_item before[TOP]; /* of the ten seconds before top */
	unsigned n_before;
	uint64_t total_before;
};

struct episode {
	struct ics_episode ep;
	struct load *load;
	uint32_t variants;
	bool muted, critical;
	uint64_t rate_ns, alert_ns, predicted_ns; /* it was last above half the threshold */
	uint64_t peak[KINDS], peak_sum;           /* over ten seconds, at the worst */
	uint64_t alert_peak;
	struct ics_top_item top[TOP];
	unsigned n_top;
	uint64_t top_total, top_seconds;
	unsigned factor; /* the tap delivers each frame so many times */
	bool loop;       /* frames went round in a loop at the worst */
	/* The query that it was predicted for. */
	struct ics_ip querier;
	uint32_t mrd_ms;
	bool v1;
	uint64_t predicted_pps, packets;
	struct ics_mld_load members;
};

struct state {
	struct load *load[ICS_SEGMENTS_MAX];
	struct {
		uint64_t frame_hash;
		struct ics_mac mac;
		uint8_t kind;
	} copy[COPIES];
};

static const struct ics_ip whole_segment;

static uint64_t
pps(uint64_t in_window)
{
	return (in_window + SECONDS / 2) / SECONDS;
}

static uint64_t
sum_of(const uint64_t by_kind[static KINDS])
{
	uint64_t n = 0;

	for (unsigned k = 0; k < KINDS; k++)
		n += by_kind[k];
	return n;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	return e->critical ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static struct ics_mac
mac_of(const struct ics_top_item *t)
{
	return ics_mac_from(t->key);
}

/* At least: in a flood of invented ones the sketch knows no more. */
static uint64_t
top_count(const struct episode *e, unsigned i)
{
	return e->top[i].count - e->top[i].error;
}

/* In tenths of a packet a second. */
static uint64_t
top_rate(const struct episode *e, unsigned i)
{
	return e->top_seconds == 0 ? 0 : 10 * top_count(e, i) / e->top_seconds / e->factor;
}

static uint64_t
top_percent(const struct episode *e, unsigned i)
{
	return e->top_total == 0 ? 0 : 100 * top_count(e, i) / e->top_total;
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	const struct ics_config *conf = e->ep.det->conf;
	char mac[ICS_MAC_STRLEN], ip[ICS_IP_STRLEN];
	struct ics_mac m;

	a->says[0] = '\0';
	if (e->variants & 1u << V_RATE)
		ics_say(a,
			"%llu packets/s of multicast listener discovery and router alert are for the CPU of every "
			"switch; the budget is %u/s.",
			(unsigned long long)pps(e->peak_sum),
			e->critical ? conf->detect.mld_pps_crit : conf->detect.mld_pps_warn);
	else if (e->variants & 1u << V_ROUTER_ALERT)
		ics_say(a,
			"%llu packets/s carry a router alert and are no multicast listener discovery: routers take "
			"each of them to their CPU.",
			(unsigned long long)pps(e->alert_peak));
	if (e->loop) {
		ics_say(a, " They go round in a layer-2 loop (l2_loop), which is to be found and cut first.");
	} else if ((e->variants & ~(1u << V_PREDICTED)) != 0 && e->n_top != 0 && top_percent(e, 0) < STANDS_OUT) {
		ics_say(a, " No machine stands out: many send some each.");
	} else if ((e->variants & ~(1u << V_PREDICTED)) != 0 && e->n_top != 0) {
		m = mac_of(&e->top[0]);
		ics_say(a, " %s sends most of them: %llu.%llu/s, %llu %%.", ics_mac_format(&m, mac),
			(unsigned long long)(top_rate(e, 0) / 10), (unsigned long long)(top_rate(e, 0) % 10),
			(unsigned long long)top_percent(e, 0));
	}
	if (e->variants & 1u << V_PREDICTED)
		ics_say(a,
			"%s%llu memberships of %llu hosts answer each query of %s within %u.%u s: %llu reports/s, "
			"more than the %u/s that a switch CPU bears.",
			e->variants == 1u << V_PREDICTED ? "" : " ", (unsigned long long)e->members.memberships,
			(unsigned long long)e->members.hosts, ics_ip_format(&e->querier, ip), e->mrd_ms / 1000,
			e->mrd_ms % 1000 / 100, (unsigned long long)e->predicted_pps, conf->detect.mld_pps_warn);
	ics_say(a, " While a CPU is busy with it, spanning tree and management starve.");
	if (e->v1 && (e->variants & 1u << V_PREDICTED))
		ics_say(a, " Let the querier speak version 2, which puts many groups into one report.");
	else if (e->variants & 1u << V_PREDICTED)
		ics_say(a, " Raise the maximum response delay, or split the VLAN.");
	else if (!e->loop)
		ics_say(a, top_percent(e, 0) < STANDS_OUT
				   ? " Limit MLD and the number of MACs per port."
				   : " Limit MLD per port, or look at the ports of these machines.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	static const char *const top_key[TOP] = {"top_1", "top_2", "top_3", "top_4", "top_5"};
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN], ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_subject_set_text(a, "segment", "%u", ep->segment);
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, "pps", pps(e->peak_sum));
	ics_fact_set_uint(a, "queries_pps", pps(e->peak[K_QUERY]));
	ics_fact_set_uint(a, "reports_pps", pps(e->peak[K_REPORT]));
	ics_fact_set_uint(a, "dones_pps", pps(e->peak[K_DONE]));
	ics_fact_set_uint(a, "router_discovery_pps", pps(e->peak[K_MRD]));
	ics_fact_set_uint(a, "other_router_alert_pps", pps(e->alert_peak));
	ics_fact_set_uint(a, "now_pps", pps(sum_of(e->load->sum) / e->factor));
	ics_fact_set_uint(a, "budget_pps", d->conf->detect.mld_pps_warn);
	for (unsigned i = 0; i < e->n_top; i++) {
		struct ics_mac m = mac_of(&e->top[i]);

		ics_fact_set_text(a, top_key[i], "%s %llu.%llu/s %llu %%", ics_mac_format(&m, mac),
				  (unsigned long long)(top_rate(e, i) / 10), (unsigned long long)(top_rate(e, i) % 10),
				  (unsigned long long)top_percent(e, i));
	}
	if (e->loop)
		ics_fact_set_text(a, "attributed_to", "l2_loop");
	if (e->predicted_pps != 0) {
		ics_fact_set_uint(a, "predicted_pps", e->predicted_pps);
		ics_fact_set_uint(a, "predicted_packets", e->packets);
		ics_fact_set_uint(a, "memberships", e->members.memberships);
		ics_fact_set_uint(a, "member_hosts", e->members.hosts);
		ics_fact_set_seconds(a, "mrd_s", e->mrd_ms);
		ics_fact_set_uint(a, "version", e->v1 ? 1 : 2);
		ics_fact_set_text(a, "querier", "%s", ics_ip_format(&e->querier, ip));
	}
	say(a, e);
}

static struct load *
load_of(struct ics_detector *d, uint32_t segment)
{
	struct state *s = d->state;
	struct load *l = s->load[segment];

	if (l != NULL)
		return l;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->segment = segment;
	ics_top_init(&l->top, ics_hash_mix(d->seed, 1));
	return s->load[segment] = l;
}

/* Lets go of seconds that are over. */
static void
move_on(struct load *l, uint64_t sec)
{
	if (sec >= l->sec + SECONDS) {
		memset(l->in, 0, sizeof(l->in));
		memset(l->sum, 0, sizeof(l->sum));
		l->sec = sec;
	}
	while (l->sec < sec) {
		uint32_t *slot = l->in[++l->sec % SECONDS];

		for (unsigned k = 0; k < KINDS; k++) {
			l->sum[k] -= slot[k];
			slot[k] = 0;
		}
	}
	if (sec >= l->top_s + SECONDS) {
		l->n_before = sec < l->top_s + 2 * SECONDS ? ics_top_list(&l->top, l->before, TOP) : 0;
		l->total_before = l->top.total;
		l->top_s = sec;
		ics_top_init(&l->top, l->top.seed);
	}
}

static void
add(struct load *l, enum kind k, const struct ics_mac *mac, uint64_t n, uint64_t now_ns)
{
	uint64_t sec = now_ns / NS_PER_S;

	if (sec != l->sec)
		move_on(l, sec);
	/* What a second holds has four thousand million packets of room. */
	l->in[l->sec % SECONDS][k] += (uint32_t)n;
	l->sum[k] += n;
	if (mac != NULL)
		ics_top_add(&l->top, mac->b, sizeof(mac->b), n);
}

/* Who sent most, of the full window or of the one at hand, whichever has more. */
static void
take_top(struct episode *e, const struct load *l)
{
	if (l->top.total >= l->total_before || l->n_before == 0) {
		e->n_top = ics_top_list(&l->top, e->top, TOP);
		e->top_total = l->top.total;
		e->top_seconds = l->sec - l->top_s + 1;
		return;
	}
	e->n_top = l->n_before;
	memcpy(e->top, l->before, sizeof(e->top));
	e->top_total = l->total_before;
	e->top_seconds = SECONDS;
}

static struct episode *
episode_of(struct ics_detector *d, const struct ics_segment *seg, struct load *l, uint32_t v)
{
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &whole_segment);

	if (e != NULL || v == 0)
		return e;
	e = (struct episode *)ics_episode_open_as(d, seg, &whole_segment, "segment", "");
	if (e == NULL)
		return NULL;
	e->load = l;
	e->factor = 1;
	e->muted = true;
	return e;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)e->critical << 8 | (uint64_t)e->muted << 9 | (uint64_t)e->loop << 10;
}

/* Takes in what the load is now; msg is NULL for copies. */
static void
judge(struct ics_detector *d, const struct ics_segment *seg, struct load *l, const struct ics_msg *msg,
      const struct ics_record *rec)
{
	unsigned factor = ics_model_feed_factor(d->model, seg->id);
	uint64_t all = sum_of(l->sum) / factor, alerts = l->sum[K_ALERT] / factor;
	uint64_t now = ics_model_clock(d->model)->now_ns;
	uint64_t warn = (uint64_t)d->conf->detect.mld_pps_warn * SECONDS;
	uint64_t crit = (uint64_t)d->conf->detect.mld_pps_crit * SECONDS;
	uint32_t v = 0;
	struct episode *e;

	if (all <= warn / 2 && alerts <= ALERT_PPS * SECONDS / 2)
		return;
	v |= (uint32_t)(all > warn) << V_RATE;
	v |= (uint32_t)(alerts > (uint64_t)ALERT_PPS * SECONDS) << V_ROUTER_ALERT;
	e = episode_of(d, seg, l, v);
	if (e == NULL)
		return;
	e->variants |= v;
	e->factor = factor;
	if (all > warn / 2)
		e->rate_ns = now;
	if (alerts > ALERT_PPS * SECONDS / 2)
		e->alert_ns = now;
	if (alerts > e->alert_peak)
		e->alert_peak = alerts;
	if (all > e->peak_sum) {
		e->peak_sum = all;
		e->loop = d->shared->l2_loop[seg->id];
		for (unsigned k = 0; k < KINDS; k++)
			e->peak[k] = l->sum[k] / factor;
		if (v != 0)
			take_top(e, l);
	}
	if (v == 0)
		return;
	e->critical |= all > crit;
	e->muted &= ics_detect_is_muted(d, &seg->key, &whole_segment, NULL);
	if (msg != NULL) {
		ics_episode_update(&e->ep, msg, signature_of(e));
		return;
	}
	ics_episode_add_copies(&e->ep, rec, signature_of(e));
}

/* What hosts will answer to a general query, before they do. */
static void
predict(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, struct load *l)
{
	const struct ics_query_event *ev = c->query;
	bool v1 = ics_queriers_is_v1(ev->queriers, msg->ts_ns);
	struct ics_mld_load members;
	struct episode *e;
	uint64_t n;
	bool over;

	ics_mld_load_get(d->model, c->segment->id, &members);
	n = ics_mld_load_pps(&members, v1, ev->query.mrd_ms);
	over = n > d->conf->detect.mld_pps_warn;
	e = episode_of(d, c->segment, l, over ? 1u << V_PREDICTED : 0);
	if (e == NULL)
		return;
	if (2 * n > d->conf->detect.mld_pps_warn) {
		e->predicted_ns = msg->ts_ns + ics_querier_mali_ns(ev->querier);
	} else if (e->predicted_ns > msg->ts_ns + CLEAR_NS) {
		e->predicted_ns = msg->ts_ns + CLEAR_NS;
		ics_episode_rearm(&e->ep);
	}
	if (!over)
		return;
	e->variants |= 1u << V_PREDICTED;
	e->members = members;
	e->predicted_pps = n;
	e->packets = v1 ? members.v1_packets : members.v2_packets;
	e->mrd_ms = ev->query.mrd_ms;
	e->v1 = v1;
	e->querier = msg->src;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* Hop-by-hop options come first when they are there at all (RFC 8200 4.1). */
static bool
has_router_alert(const struct ics_msg *msg)
{
	uint32_t off = msg->rec->l3_off + 40u, end;

	if ((msg->rec->flags & ICS_REC_IP4) || ics_view_u8(msg->frame, msg->rec->l3_off + 6u) != ICS_PROTO_HOPOPTS)
		return false;
	end = off + (ics_view_u8(msg->frame, off + 1) + 1u) * 8;
	off += 2;
	for (unsigned n = 0; n < OPTIONS_MAX && off < end; n++) {
		uint8_t type = ics_view_u8(msg->frame, off);

		if (type == 5)
			return true;
		off += type == 0 ? 1 : 2u + ics_view_u8(msg->frame, off + 1);
	}
	return false;
}

static enum kind kind_of(enum ics_class class)
{
	switch (class) {
	case ICS_CLASS_mld_query:
		return K_QUERY;
	case ICS_CLASS_mld1_report:
	case ICS_CLASS_mld2_report:
		return K_REPORT;
	case ICS_CLASS_mld1_done:
		return K_DONE;
	case ICS_CLASS_mrd:
		return K_MRD;
	default:
		return K_ALERT;
	}
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	enum kind k = kind_of(msg->class);
	struct state *s = d->state;
	unsigned slot = msg->rec->frame_hash % COPIES;
	struct load *l;

	if (k == K_ALERT && !has_router_alert(msg))
		return;
	l = load_of(d, c->segment->id);
	if (l == NULL)
		return;
	s->copy[slot].frame_hash = msg->rec->frame_hash;
	s->copy[slot].mac = msg->smac;
	s->copy[slot].kind = (uint8_t)k;
	add(l, k, msg->has_mac ? &msg->smac : NULL, 1 + (uint64_t)msg->rec->repeats, msg->ts_ns);
	judge(d, c->segment, l, msg, msg->rec);
	if (k == K_QUERY && msg->strict && c->query != NULL && c->query->query.general && !c->query->is_copy &&
	    c->query->querier != NULL)
		predict(d, msg, c, l);
}

/* Copies are told by their hash alone: whose they are is remembered for the latest messages. */
static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *s = d->state;
	unsigned slot = rec->frame_hash % COPIES;
	bool known = s->copy[slot].frame_hash == rec->frame_hash;
	enum kind k = known ? s->copy[slot].kind : kind_of((enum ics_class)rec->class);
	struct load *l;

	if (!known && k == K_ALERT)
		return;
	l = load_of(d, seg->id);
	if (l == NULL)
		return;
	add(l, k, known ? &s->copy[slot].mac : NULL, 1 + (uint64_t)rec->repeats, ics_model_clock(d->model)->now_ns);
	judge(d, seg, l, NULL, rec);
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t measured = later(e->rate_ns, e->alert_ns);

	return later(measured == 0 ? 0 : measured + CLEAR_NS, e->predicted_ns);
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(1, sizeof(struct state));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
configure(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "mld_pps_warn %u/s, mld_pps_crit %u/s over 10 s, router_alert 100/s, clear_below 50 %% for 60 s",
		 d->conf->detect.mld_pps_warn, d->conf->detect.mld_pps_crit);
	d->info.thresholds = d->thresholds;
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	for (unsigned i = 0; s != NULL && i < ICS_SEGMENTS_MAX; i++)
		free(s->load[i]);
	free(s);
}

#define MLD_CLASSES                                                                                                    \
	(1ull << ICS_CLASS_mld_query | 1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld1_done |                   \
	 1ull << ICS_CLASS_mld2_report | 1ull << ICS_CLASS_mrd)
#define ALERT_CLASSES                                                                                                  \
	(1ull << ICS_CLASS_nd_rs | 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na |       \
	 1ull << ICS_CLASS_nd_redirect | 1ull << ICS_CLASS_icmp6_unreach | 1ull << ICS_CLASS_icmp6_too_big |           \
	 1ull << ICS_CLASS_icmp6_time_exceeded | 1ull << ICS_CLASS_icmp6_param_problem)

const struct ics_detector_ops ics_det_mld_slowpath_budget = {
	.classes = MLD_CLASSES | ALERT_CLASSES,
	.invalid_too = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.configure = configure,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_HOP_BY_HOP,
	.copies = on_copies,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
