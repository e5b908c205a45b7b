/* One MAC is in far more multicast groups than its addresses and its services explain (incident 2): each is an entry in
 * every switch and a report after every query, one packet each where version 1 is spoken (RFC 2710 4). Called for reports;
 * clears when the number was well below the limit for as long as two queries take. A host that nobody heard before is
 * given two seconds, to see whether it is one of many: of a flood of invented ones mld_report_storm speaks.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Beside the groups of its addresses: mDNS, LLMNR, SSDP, DHCP, routers and the like. */
#define SPARE 12
#define CRITICAL_SNM 100
#define CLEAR_PERCENT 80
#define CHECK_NS (60 * NS_PER_S)
#define SHOWN 8
#define NEWCOMER_NS (2 * NS_PER_S)
/* Newcomers of a segment with too many groups within two seconds: a flood. A room full of hosts that start joins less. */
#define CROWD 8
#define WAITING_MAX 64
#define FLOOD_NS (60 * NS_PER_S)

/* A newcomer; they become due in turn. */
struct waiting {
	uint32_t segment;
	struct ics_mac mac;
	uint64_t due_ns;
};

struct flood {
	uint64_t start_ns, last_ns; /* 0: there was none */
};

struct state {
	struct waiting waiting[WAITING_MAX];
	unsigned first, n;
	struct ics_timer timer;
	struct flood flood[ICS_SEGMENTS_MAX];
};

struct episode {
	struct ics_episode ep;
	struct ics_mac mac;
	bool muted, hint;
	uint32_t n, snm, limit, most, snm_most;
	uint64_t below_ns; /* since when it is well below the limits; 0: it is not */
	uint64_t checked_ns, mali_ns;
};

static void on_due(struct ics_timer *t, uint64_t now_ns);

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	d->state = st;
	if (st == NULL)
		return -ENOMEM;
	st->timer.owner = d;
	st->timer.fire = on_due;
	return 0;
}

static void
configure(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "groups_per_host %u or addresses + %u, critical %u solicited-node, clear_below %u %%",
		 d->conf->detect.groups_per_host, SPARE, CRITICAL_SNM, CLEAR_PERCENT);
	d->info.thresholds = d->thresholds;
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL)
		ics_timer_cancel(&ics_model_clock(d->model)->timers, &st->timer);
	free(st);
}

static uint32_t
limit_of(const struct ics_detector *d, const struct ics_host *h)
{
	uint32_t by_addresses = h->n_proven + SPARE;

	return by_addresses > d->conf->detect.groups_per_host ? by_addresses : d->conf->detect.groups_per_host;
}

static bool
is_critical(const struct episode *e)
{
	return e->snm_most >= CRITICAL_SNM;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->hint)
		return ICS_SEV_INFO;
	return is_critical(e) ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static void
list_groups(struct ics_detector *d, struct ics_anomaly *a, const struct ics_host *h)
{
	static const char *const keys[SHOWN] = {"group_1", "group_2", "group_3", "group_4",
						"group_5", "group_6", "group_7", "group_8"};
	const struct ics_member *e = NULL;
	char text[ICS_IP_STRLEN];

	for (unsigned i = 0; i < SHOWN && (e = ics_model_host_member(d->model, h, e)) != NULL; i++)
		ics_fact_set_text(a, keys[i], "%s", ics_ip_format(&ics_model_member_group(d->model, e)->addr, text));
}

/* Seconds over which hosts spread their answers. */
static uint32_t
response_s(const struct ics_detector *d, uint32_t segment)
{
	const struct ics_querier *q =
		ics_queriers_current(ics_model_queriers(d->model, segment), ics_model_clock(d->model)->now_ns);
	uint32_t ms = q != NULL ? q->qri_ms : ICS_QUERY_QRI_MS;

	return ms < 1000 ? 1 : ms / 1000;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_host *h = ics_model_host_find(d->model, ep->segment, &e->mac);
	uint32_t spread = response_s(d, ep->segment), v2, version = h != NULL ? h->mld_version : 2;
	struct ics_anomaly *a = ep->a;
	char mac[ICS_MAC_STRLEN];

	v2 = (e->most + ICS_RECORDS_PER_PACKET - 1) / ICS_RECORDS_PER_PACKET;
	a->variant = is_critical(e) ? "solicited_node" : "many";
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_uint(a, "groups", e->n);
	ics_fact_set_uint(a, "groups_most", e->most);
	ics_fact_set_uint(a, "limit", e->limit);
	ics_fact_set_uint(a, "solicited_node", e->snm);
	ics_fact_set_uint(a, "snm_percent", e->n != 0 ? e->snm * 100 / e->n : 0);
	ics_fact_set_uint(a, "addresses", h != NULL ? h->n_proven : 0);
	ics_fact_set_uint(a, "mld_version", version);
	ics_fact_set_uint(a, "packets_per_query", version == 1 ? e->most : v2);
	ics_fact_set_uint(a, "packets_per_query_v1", e->most);
	ics_fact_set_uint(a, "mld_pps_predicted", (e->most + spread - 1) / spread);
	ics_fact_set_bool(a, "proxy_hint", e->hint);
	if (h != NULL)
		list_groups(d, a, h);

	a->says[0] = '\0';
	ics_say(a, "%s is a member of %u multicast groups (%u solicited-node), where %u are usual at most.",
		ics_mac_format(&e->mac, mac), e->most, e->snm_most, e->limit);
	ics_say(a,
		" Each is an entry in the multicast table of every switch; where version 1 is spoken it answers every "
		"query with %u packets a second for %u s.",
		(e->most + spread - 1) / spread, spread);
	if (e->hint)
		ics_say(a, " It also speaks for other MACs, as bridges and proxies do: if it is one, name it in "
			   "detect.proxies.");
	else if (is_critical(e))
		ics_say(a, " Update its system or network driver, or disable temporary addresses there.");
	else
		ics_say(a, " Find the application that joins them; for a media server raise detect.groups_per_host.");
}

/* Routers, queriers and proxies join for many by their nature. */
static bool
is_excused(const struct ics_detector *d, const struct ics_host *h)
{
	const struct ics_queriers *q = ics_model_queriers(d->model, h->segment);

	for (unsigned i = 0; q != NULL && i < q->n; i++)
		if (q->q[i].has_mac && ics_mac_equal(&q->q[i].mac, &h->mac))
			return true;
	return (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT | ICS_HOST_FHRP)) != 0 ||
	       ics_model_is_proxy(d->model, &h->mac);
}

static void
set_count(struct episode *e, const struct ics_host *h, uint64_t now_ns)
{
	e->n = h != NULL ? h->n_groups : 0;
	e->snm = h != NULL ? h->n_snm : 0;
	if (e->n > e->most)
		e->most = e->n;
	if (e->snm > e->snm_most)
		e->snm_most = e->snm;
	if (e->n * 100 >= e->limit * CLEAR_PERCENT || e->snm * 100 >= CRITICAL_SNM * CLEAR_PERCENT)
		e->below_ns = 0;
	else if (e->below_ns == 0)
		e->below_ns = now_ns;
}

static void
note_flood(struct flood *f, uint64_t now_ns)
{
	if (f->last_ns == 0 || now_ns >= f->last_ns + FLOOD_NS)
		f->start_ns = now_ns - NEWCOMER_NS;
	f->last_ns = now_ns;
}

/* Invented stations flood the segment, and this one came with them. */
static bool
is_of_a_flood(const struct ics_detector *d, const struct ics_host *h, uint64_t now_ns)
{
	struct flood *f = &((struct state *)d->state)->flood[h->segment];

	if (d->shared->mld_flood[h->segment] || d->shared->nd_flood[h->segment])
		note_flood(f, now_ns);
	return f->last_ns != 0 && now_ns < f->last_ns + FLOOD_NS && h->first_ns >= f->start_ns;
}

static struct waiting *
waiting_at(struct state *st, unsigned i)
{
	return &st->waiting[(st->first + i) % WAITING_MAX];
}

static void
wait_for(struct ics_detector *d, const struct ics_host *h, uint64_t now_ns)
{
	struct state *st = d->state;
	unsigned same = 0;

	for (unsigned i = 0; i < st->n; i++) {
		const struct waiting *w = waiting_at(st, i);

		if (w->segment != h->segment)
			continue;
		if (ics_mac_equal(&w->mac, &h->mac))
			return;
		same++;
	}
	if (same >= CROWD)
		note_flood(&st->flood[h->segment], now_ns);
	if (same >= CROWD || st->n == WAITING_MAX) {
		d->info.suppressed++;
		return;
	}
	*waiting_at(st, st->n++) = (struct waiting){h->segment, h->mac, now_ns + NEWCOMER_NS};
	if (st->n == 1)
		(void)ics_timer_set(&ics_model_clock(d->model)->timers, &st->timer, now_ns + NEWCOMER_NS);
}

static uint64_t
signature_of(const struct episode *e)
{
	return (uint64_t)severity_of(e) | (uint64_t)is_critical(e) << 2 | (uint64_t)e->muted << 3;
}

static bool
is_too_many(const struct ics_detector *d, const struct ics_host *h)
{
	return h->n_groups > limit_of(d, h) || h->n_snm >= CRITICAL_SNM;
}

static struct episode *
episode_of(struct ics_detector *d, const struct ics_segment *seg, const struct ics_host *h, uint64_t now_ns)
{
	struct ics_ip key = ics_episode_key_of_mac(&h->mac);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	char mac[ICS_MAC_STRLEN];

	if (e != NULL || !is_too_many(d, h))
		return e;
	if (is_excused(d, h) || is_of_a_flood(d, h, now_ns)) {
		d->info.suppressed++;
		return NULL;
	}
	if (now_ns < h->first_ns + NEWCOMER_NS) {
		wait_for(d, h, now_ns);
		return NULL;
	}
	e = (struct episode *)ics_episode_open_as(d, seg, &key, "mac", ics_mac_format(&h->mac, mac));
	if (e == NULL)
		return NULL;
	e->mac = h->mac;
	e->limit = limit_of(d, h);
	e->muted = true;
	e->checked_ns = now_ns;
	return e;
}

static void
take_in(struct ics_detector *d, const struct ics_segment *seg, struct episode *e, const struct ics_host *h,
	const struct ics_ip *src, uint64_t now_ns)
{
	e->mali_ns = ics_model_mali_ns(d->model, seg->id);
	e->hint = (h->flags & (ICS_HOST_PROXY | ICS_HOST_HYPERVISOR)) != 0;
	e->muted &= ics_detect_is_muted(d, &seg->key, src, &h->mac);
	set_count(e, h, now_ns);
}

/* It is no newcomer any more. */
static void
judge_waiting(struct ics_detector *d, const struct waiting *w, uint64_t now_ns)
{
	const struct ics_host *h = ics_model_host_find(d->model, w->segment, &w->mac);
	const struct ics_segment *seg = ics_model_segment(d->model, w->segment);
	struct episode *e;

	if (h == NULL)
		return;
	e = episode_of(d, seg, h, now_ns);
	if (e == NULL)
		return;
	take_in(d, seg, e, h, NULL, now_ns);
	if (e->ep.a->count == 0) {
		ics_episode_last_now(&e->ep);
		e->ep.a->count = 1;
	}
	ics_episode_refresh(&e->ep, signature_of(e));
}

static void
on_due(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_detector *d = t->owner;
	struct state *st = d->state;

	while (st->n != 0 && waiting_at(st, 0)->due_ns <= now_ns) { /* at most WAITING_MAX */
		struct waiting w = *waiting_at(st, 0);

		st->first = (st->first + 1) % WAITING_MAX;
		st->n--;
		judge_waiting(d, &w, now_ns);
	}
	if (st->n != 0)
		(void)ics_timer_set(&ics_model_clock(d->model)->timers, t, waiting_at(st, 0)->due_ns);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_host *h = c->host;
	struct episode *e;

	if (h == NULL || (c->mcast.joined == 0 && c->mcast.left == 0) ||
	    (h->n_groups <= d->conf->detect.groups_per_host && d->episodes.count == 0))
		return;
	e = episode_of(d, c->segment, h, msg->ts_ns);
	if (e == NULL)
		return;
	take_in(d, c->segment, e, h, &msg->src, msg->ts_ns);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (e->below_ns != 0 && now_ns >= e->below_ns + e->mali_ns) {
		ics_episode_close(ep);
		return false;
	}
	if (now_ns >= e->checked_ns + CHECK_NS) {
		e->checked_ns = now_ns;
		set_count(e, ics_model_host_find(d->model, ep->segment, &e->mac), now_ns);
	}
	return true;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t check = e->checked_ns + CHECK_NS;

	return e->below_ns != 0 && e->below_ns + e->mali_ns < check ? e->below_ns + e->mali_ns : check;
}

const struct ics_detector_ops ics_det_host_group_excess = {
	.classes = 1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld2_report | 1ull << ICS_CLASS_mld1_done,
	.episode_len = sizeof(struct episode),
	.init = init,
	.configure = configure,
	.fini = fini,
	.message = on_message,
	.render = render,
	.timer = on_timer,
	.due = due,
};
