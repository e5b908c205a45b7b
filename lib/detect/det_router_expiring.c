/* A default router whose RAs stop coming: first they are overdue by its own rhythm, then its lifetime (RFC 4861 6.3.4)
 * runs out, then hosts have dropped it. Each router that has shown a rhythm has one timer. Called for RAs; says whether
 * the box is dead or only its RA daemon. Nothing is concluded from silence while records were lost.
 */
#include "detect_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define MIN_INTERVALS 3
#define OVERDUE_MIN_NS (10 * NS_PER_S)
#define LEFT_MIN_NS (60 * NS_PER_S)
/* A router that answers hosts one by one has no rhythm (RFC 7772, UnicastOnly); in percent of its RAs. */
#define UNICAST_ONLY 80
/* Its MAC was heard within so much time: the box is alive. */
#define ALIVE_NS (60 * NS_PER_S)

enum stage { FINE, RA_MISSING, EXPIRING, EXPIRED };
static const char *const names[] = {
	[FINE] = "", [RA_MISSING] = "ra_missing", [EXPIRING] = "expiring", [EXPIRED] = "router_expired"};

struct watch_key {
	struct ics_ip addr;
	uint32_t segment;
};

/* One router that is waited for. */
struct watch {
	struct ics_table_head head;
	struct watch_key key;
	uint32_t index;
	struct ics_timer timer;
	struct ics_detector *det;
	struct ics_router r; /* as of its latest RA with a lifetime */
	enum stage stage;
};

struct episode {
	struct ics_episode ep;
	struct ics_router r;
	enum stage stage;
	uint64_t gap_ms, left_ms, mac_silent_ms;
	bool mac_heard, muted;
	struct ics_defaults left;
	uint32_t hosts;
};

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct watch), sizeof(struct watch_key), ICS_ROUTERS_MAX);
}

static void
fini(struct ics_detector *d)
{
	struct ics_table *t = d->state;

	if (t == NULL)
		return;
	for (uint32_t i = 1; i <= t->fresh; i++)
		if (ics_table_is_live(t, i))
			ics_timer_cancel(&ics_model_clock(d->model)->timers,
					 &((struct watch *)ics_table_at(t, i))->timer);
	ics_table_fini(t);
	free(t);
}

static bool
is_unicast_only(const struct ics_router *r)
{
	return r->unicast_ra_count * 100 >= r->ra_count * UNICAST_ONLY;
}

/* When its RAs are overdue by its own rhythm; UINT64_MAX: it has none. */
static uint64_t
overdue_at(const struct ics_router *r)
{
	uint64_t gap = 3 * r->interval_ewma_ns, by_max = r->interval_max_ns + r->interval_max_ns / 4;

	if (r->n_intervals < MIN_INTERVALS || is_unicast_only(r))
		return UINT64_MAX;
	if (by_max > gap)
		gap = by_max;
	if (gap < OVERDUE_MIN_NS)
		gap = OVERDUE_MIN_NS;
	return r->last_nonzero_ra_ns + gap;
}

/* When little is left of its lifetime and an RA was due. Of a short lifetime there is always little left, so the rhythm
 * counts as well, or where none is known half of the lifetime (RFC 4861 6.2.1: three RAs are sent in one).
 */
static uint64_t
expiring_at(const struct ics_router *r)
{
	uint64_t lifetime = r->last_nonzero_lifetime_s * NS_PER_S, left = lifetime / 4, at, due;

	if (left < LEFT_MIN_NS)
		left = LEFT_MIN_NS;
	at = r->expires_ns > left ? r->expires_ns - left : 0;
	due = r->n_intervals >= MIN_INTERVALS ? r->interval_max_ns + r->interval_max_ns / 4 : lifetime / 2;
	if (at < r->last_nonzero_ra_ns + due)
		at = r->last_nonzero_ra_ns + due;
	return at;
}

/* Where it stands at now_ns, and when that changes. */
static enum stage
stage_at(const struct ics_router *r, uint64_t now_ns, uint64_t *next_ns)
{
	uint64_t overdue = overdue_at(r), expiring = expiring_at(r);

	*next_ns = UINT64_MAX;
	if (now_ns >= r->expires_ns)
		return EXPIRED;
	*next_ns = r->expires_ns;
	if (now_ns >= expiring)
		return EXPIRING;
	if (expiring < *next_ns)
		*next_ns = expiring;
	if (now_ns >= overdue)
		return RA_MISSING;
	if (overdue < *next_ns)
		*next_ns = overdue;
	return FINE;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->stage == RA_MISSING)
		return ICS_SEV_INFO;
	if (e->r.pinned)
		return ICS_SEV_CRITICAL;
	/* Hosts go on with another router that is as good (RFC 4191 3.2). */
	return e->stage == EXPIRED && !e->left.as_preferred ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->stage | (uint64_t)severity_of(e) << 8 | (uint64_t)e->muted << 16;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char ip[ICS_IP_STRLEN], macs[ICS_FACT_TEXT_LEN];
	bool alive = e->mac_heard && e->mac_silent_ms <= ALIVE_NS / NS_PER_MS;

	ics_ip_format(&e->r.addr, ip);
	ics_detect_mac_list(&e->r, macs);
	a->variant = names[e->stage];
	a->severity = severity_of(e);
	a->muted = e->muted;
	if (e->r.n_macs != 0)
		ics_subject_set_text(a, "mac", "%s", macs);
	ics_fact_set_seconds(a, "last_ra_age_s", e->gap_ms);
	ics_fact_set_seconds(a, "lifetime_left_s", e->left_ms);
	ics_fact_set_uint(a, "lifetime_s", e->r.last_nonzero_lifetime_s);
	ics_fact_set_seconds(a, "interval_s", e->r.interval_ewma_ns / NS_PER_MS);
	ics_fact_set_seconds(a, "interval_max_s", e->r.interval_max_ns / NS_PER_MS);
	ics_fact_set_uint(a, "intervals", e->r.n_intervals);
	ics_fact_set_bool(a, "mac_alive", alive);
	if (e->mac_heard)
		ics_fact_set_seconds(a, "mac_silent_s", e->mac_silent_ms);
	ics_detect_blast(a, &e->left, e->hosts);
	ics_fact_set_uint(a, "hosts", e->hosts);

	a->says[0] = '\0';
	ics_say(a, "No router advertisement from %s (%s) for %llu s", ip, macs, (unsigned long long)(e->gap_ms / 1000));
	if (e->r.n_intervals >= MIN_INTERVALS)
		ics_say(a, ", where it sends one every %llu s", (unsigned long long)(e->r.interval_ewma_ns / NS_PER_S));
	if (e->stage == EXPIRED)
		ics_say(a, ": hosts have dropped it as IPv6 gateway");
	else
		ics_say(a, ": hosts drop it as IPv6 gateway in %llu s", (unsigned long long)(e->left_ms / 1000));
	ics_say_what_is_left(a, &e->left, e->hosts);
	if (alive)
		ics_say(a, " Its MAC still talks: check the RA daemon on that router.");
	else
		ics_say(a, " Its MAC is silent too: check the router, its port and the way to it.");
}

static void
take_stock(struct ics_detector *d, struct episode *e, uint64_t now_ns)
{
	const struct ics_segment *seg = ics_model_segment(d->model, e->r.segment);
	uint64_t heard = 0;

	for (unsigned i = 0; i < e->r.n_macs; i++) {
		const struct ics_host *h = ics_model_host_find(d->model, e->r.segment, &e->r.mac[i]);

		if (h != NULL && h->last_ns > heard)
			heard = h->last_ns;
	}
	e->mac_heard = heard != 0;
	e->mac_silent_ms = now_ns > heard ? (now_ns - heard) / NS_PER_MS : 0;
	e->gap_ms = now_ns > e->r.last_nonzero_ra_ns ? (now_ns - e->r.last_nonzero_ra_ns) / NS_PER_MS : 0;
	e->left_ms = e->r.expires_ns > now_ns ? (e->r.expires_ns - now_ns) / NS_PER_MS : 0;
	ics_detect_other_defaults(d->model, &e->r, &e->left);
	e->hosts = ics_detect_hosts(seg);
	e->muted = ics_detect_is_muted(d, &seg->key, &e->r.addr, e->r.n_macs != 0 ? &e->r.mac[0] : NULL);
}

static void
raise_stage(struct ics_detector *d, struct watch *w, uint64_t now_ns)
{
	const struct ics_segment *seg = ics_model_segment(d->model, w->key.segment);
	struct episode *e = (struct episode *)ics_episode_find(d, w->key.segment, &w->key.addr);

	/* Invented routers run out too. */
	if (e == NULL && !w->r.pinned && (d->shared->ra_flood[seg->id] || w->r.ra_count < 2)) {
		d->info.suppressed++;
		return;
	}
	if (e == NULL) {
		e = (struct episode *)ics_episode_open(d, seg, &w->key.addr, ics_detect_was_known(&w->r, now_ns));
		if (e == NULL)
			return;
	}
	ics_episode_last_now(&e->ep);
	e->ep.a->count++;
	e->r = w->r;
	e->stage = w->stage;
	take_stock(d, e, now_ns);
	ics_episode_refresh(&e->ep, signature_of(e));
}

static void
forget(struct ics_detector *d, struct watch *w)
{
	ics_timer_cancel(&ics_model_clock(d->model)->timers, &w->timer);
	ics_table_remove(d->state, w->index);
}

static void
on_watch(struct ics_timer *t, uint64_t now_ns)
{
	struct watch *w = t->owner;
	struct ics_detector *d = w->det;
	uint64_t next;
	enum stage stage = stage_at(&w->r, now_ns, &next);

	/* While records were lost since its last RA, there may have been one. */
	if (d->shared->lost_ns[ICS_CLASS_nd_ra] > w->r.last_nonzero_ra_ns && stage != FINE) {
		d->info.suppressed++;
	} else if (stage > w->stage) {
		w->stage = stage;
		raise_stage(d, w, now_ns);
	}
	if (next == UINT64_MAX)
		forget(d, w);
	else
		(void)ics_timer_set(&ics_model_clock(d->model)->timers, &w->timer, next);
}

static struct watch *
watch_get(struct ics_detector *d, const struct ics_router *r)
{
	struct watch_key key = {r->addr, r->segment};
	struct ics_table *t = d->state;
	uint32_t i = ics_table_find(t, &key);
	struct watch *w;

	if (i != 0)
		return ics_table_at(t, i);
	if (t->count >= ICS_ROUTERS_MAX)
		forget(d, ics_table_at(t, ics_table_oldest(t, NULL)));
	i = ics_table_insert(t, &key);
	if (i == 0)
		return NULL;
	w = ics_table_at(t, i);
	w->index = i;
	w->det = d;
	w->timer.owner = w;
	w->timer.fire = on_watch;
	return w;
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e;
	struct watch *w;
	uint64_t next;

	if (!c->has_router || !msg->strict)
		return;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &c->after.addr);
	/* Back, or gone in a way that others report. */
	if (e != NULL)
		ics_episode_close(&e->ep);
	w = watch_get(d, &c->after);
	if (w == NULL)
		return;
	if (msg->ra.lifetime_s == 0) {
		forget(d, w);
		return;
	}
	w->r = c->after;
	w->stage = FINE;
	(void)stage_at(&w->r, msg->ts_ns, &next);
	(void)ics_timer_set(&ics_model_clock(d->model)->timers, &w->timer, next);
}

/* An NA with the router flag clear took it from hosts, which is another finding. */
static void
on_na(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct watch_key key = {c->after.addr, c->after.segment};
	struct ics_episode *ep;
	uint32_t i;

	if (!c->has_router || c->after.state != ICS_ROUTER_HOSTED || c->before.state != ICS_ROUTER_DEFAULT)
		return;
	ep = ics_episode_find(d, c->segment->id, &c->after.addr);
	if (ep != NULL)
		ics_episode_close(ep);
	i = ics_table_find(d->state, &key);
	if (i != 0)
		forget(d, ics_table_at(d->state, i));
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	if (msg->class == ICS_CLASS_nd_ra)
		on_ra(d, msg, c);
	else
		on_na(d, msg, c);
}

/* What it sent while nobody listened is not known: it is waited for as if it had sent an RA just now. */
static void
on_resumed(struct ics_detector *d, const struct ics_router *r)
{
	uint64_t now = ics_model_clock(d->model)->now_ns, next;
	struct watch *w = r->state == ICS_ROUTER_DEFAULT ? watch_get(d, r) : NULL;

	if (w == NULL)
		return;
	w->r = *r;
	w->r.last_nonzero_ra_ns = now;
	w->r.expires_ns = now + r->last_nonzero_lifetime_s * NS_PER_S;
	w->stage = FINE;
	(void)stage_at(&w->r, now, &next);
	(void)ics_timer_set(&ics_model_clock(d->model)->timers, &w->timer, next);
}

/* It ends with an RA; a day after the router was dropped nobody waits for it. */
#define GIVE_UP_NS (86400 * NS_PER_S)

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->r.expires_ns + GIVE_UP_NS;
}

const struct ics_detector_ops ics_det_router_expiring = {
	.classes = 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_na,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_ROUTER,
	.resumed = on_resumed,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
