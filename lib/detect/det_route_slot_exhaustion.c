/* Hosts that take only so many automatic routes, those that are gone included, until their link bounces: how many have
 * been made since each of them came up. The count is "at least" where a host was up before it was first heard. One
 * finding a segment. Called for RAs and NAs, which make routes; hosts are counted when the number grew.
 */
#include "detect_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* In percent of detect.route_limit. */
#define HALF 50
#define SOON 80
/* After that many more creations the finding is shown again. */
#define STEP 10
/* Hosts are a long list: no more than one pass over them in so much time, and while a finding is open one a minute. */
#define PASS_NS NS_PER_S
#define REPASS_NS (60 * NS_PER_S)
/* Hosts named. */
#define NAMED 16
#define NAMED_PER_FACT 6
#define ROUTERS_NAMED 3
/* A router is named as the cause when it made one in so many. */
#define WORST_SHARE 4

enum variant { EXHAUSTED, CRITICAL_SOON, HALF_USED };
static const char *const names[] = {
	[EXHAUSTED] = "exhausted", [CRITICAL_SOON] = "critical_soon", [HALF_USED] = "half_used"};

/* What one pass over the hosts of a segment finds. */
struct tally {
	uint32_t worst, exhausted, soon, half, hosts, unseen_boots;
	bool whole; /* there is no host to count for: what any that was up since start was given */
	unsigned n_named;
	struct ics_mac named[NAMED]; /* with SOON or more */
};

struct seg_state {
	uint64_t pass_ns;
	uint32_t total, worst; /* routes_created at the latest pass, and most of them that a host had then */
};

struct episode {
	struct ics_episode ep;
	struct tally tally;
	uint64_t due_ns;
	bool muted;
};

static int
init(struct ics_detector *d)
{
	d->state = calloc(ICS_SEGMENTS_MAX, sizeof(struct seg_state));
	return d->state == NULL ? -1 : 0;
}

static void
configure(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds), "route_limit %u routes, warn %u %%, critical %u %%",
		 d->conf->detect.route_limit, HALF, SOON);
	d->info.thresholds = d->thresholds;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

/* percent of the limit, rounded up. */
static uint32_t
share(const struct ics_detector *d, uint32_t percent)
{
	return (uint32_t)(((uint64_t)d->conf->detect.route_limit * percent + 99) / 100);
}

static void
count_hosts(const struct ics_detector *d, const struct ics_segment *seg, struct tally *t)
{
	const struct ics_host *h;

	memset(t, 0, sizeof(*t));
	for (uint32_t i = 1; (h = ics_model_host_next(d->model, &i)) != NULL; i++) {
		uint32_t n;

		if (h->segment != seg->id || (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT)))
			continue;
		n = seg->routes_created - h->routes_base + h->routes_extra;
		t->hosts++;
		if (n > t->worst)
			t->worst = n;
		t->exhausted += n >= d->conf->detect.route_limit;
		t->soon += n >= share(d, SOON);
		t->half += n >= share(d, HALF);
		t->unseen_boots += n >= share(d, HALF) && h->boot_ns == 0;
		if (n >= share(d, SOON) && t->n_named < NAMED)
			t->named[t->n_named++] = h->mac;
	}
	if (t->hosts == 0) {
		t->whole = true;
		t->worst = seg->routes_created;
	}
}

static enum variant
variant_of(const struct ics_detector *d, const struct tally *t)
{
	return t->worst >= d->conf->detect.route_limit ? EXHAUSTED
	       : t->worst >= share(d, SOON)            ? CRITICAL_SOON
						       : HALF_USED;
}

static uint64_t
signature_of(const struct ics_detector *d, const struct episode *e)
{
	return variant_of(d, &e->tally) | (uint64_t)(e->tally.worst / STEP) << 8 | (uint64_t)e->muted << 63;
}

/* The routers that made the most of them; worst: the one that made a good part, or an empty text. */
static void
list_creators(const struct ics_detector *d, uint32_t segment, uint32_t total, char buf[static ICS_FACT_TEXT_LEN],
	      char worst[static ICS_IP_STRLEN])
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT], *last = NULL;
	unsigned n = ics_model_segment_routers(d->model, segment, all);
	size_t len = 0;

	buf[0] = worst[0] = '\0';
	for (unsigned k = 0; k < ROUTERS_NAMED; k++) {
		const struct ics_router *best = NULL;
		char ip[ICS_IP_STRLEN];

		for (unsigned i = 0; i < n; i++) {
			bool listed = last != NULL &&
				      (all[i]->routes_created > last->routes_created ||
				       (all[i]->routes_created == last->routes_created && all[i]->id <= last->id));

			if (!listed && all[i]->routes_created != 0 &&
			    (best == NULL || all[i]->routes_created > best->routes_created ||
			     (all[i]->routes_created == best->routes_created && all[i]->id < best->id)))
				best = all[i];
		}
		if (best == NULL)
			return;
		ics_ip_format(&best->addr, ip);
		if (k == 0 && best->routes_created >= total / WORST_SHARE)
			memcpy(worst, ip, sizeof(ip));
		if (len + sizeof(ip) + 16 > ICS_FACT_TEXT_LEN)
			return;
		len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s: %u", k != 0 ? ", " : "", ip,
					best->routes_created);
		last = best;
	}
}

static void
list_hosts(struct ics_anomaly *a, const struct tally *t)
{
	static const char *const keys[] = {"host_macs", "host_macs_2", "host_macs_3"};
	char buf[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN];

	for (unsigned k = 0; k < ICS_ARRAY_LEN(keys); k++) {
		size_t len = 0;

		buf[0] = '\0';
		for (unsigned i = k * NAMED_PER_FACT; i < (k + 1) * NAMED_PER_FACT && i < t->n_named; i++)
			len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s%s", len != 0 ? ", " : "",
						ics_mac_format(&t->named[i], mac));
		if (len != 0 || ics_fact_find(a, keys[k]) != NULL)
			ics_fact_set_text(a, keys[k], "%s", buf);
	}
}

/* Creations a day, of the latest ones that are remembered; 0: too few to tell. */
static uint64_t
rate_per_day(const struct ics_routelog *log)
{
	uint32_t n = log->total < ICS_ROUTELOG_RING ? log->total : ICS_ROUTELOG_RING;
	uint64_t first = log->ring_ns[(log->total - n) % ICS_ROUTELOG_RING];
	uint64_t last = log->ring_ns[(log->total - 1) % ICS_ROUTELOG_RING];
	uint64_t span_s = (last - first) / NS_PER_S;

	return n < 2 || span_s == 0 ? 0 : (n - 1) * 86400ull / span_s;
}

static void
say_left(struct ics_anomaly *a, uint64_t left_s)
{
	if (left_s >= 2 * 86400)
		ics_say(a, " At this rate the first is full in about %llu days.", (unsigned long long)(left_s / 86400));
	else if (left_s >= 7200)
		ics_say(a, " At this rate the first is full in about %llu hours.", (unsigned long long)(left_s / 3600));
	else
		ics_say(a, " At this rate the first is full in about %llu minutes.",
			(unsigned long long)(left_s / 60 + 1));
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct tally *t = &e->tally;
	const struct ics_routelog *log = ics_model_routelog(d->model, ep->segment);
	enum variant v = variant_of(d, t);
	struct ics_anomaly *a = ep->a;
	uint32_t limit = d->conf->detect.route_limit;
	char creators[ICS_FACT_TEXT_LEN], worst[ICS_IP_STRLEN];
	uint64_t per_day = log != NULL ? rate_per_day(log) : 0;

	a->variant = names[v];
	a->severity = v == HALF_USED ? ICS_SEV_WARN : ICS_SEV_CRITICAL;
	a->muted = e->muted;
	list_creators(d, ep->segment, log != NULL ? log->total : 0, creators, worst);
	ics_fact_set_uint(a, "routes_created", t->worst);
	ics_fact_set_uint(a, "route_limit", limit);
	ics_fact_set_uint(a, "hosts_exhausted", t->exhausted);
	ics_fact_set_uint(a, "hosts_soon", t->soon);
	ics_fact_set_uint(a, "hosts_half", t->half);
	ics_fact_set_uint(a, "hosts", t->hosts);
	list_hosts(a, t);
	ics_fact_set_bool(a, "since_start", t->whole || t->unseen_boots != 0);
	if (log != NULL) {
		ics_fact_set_uint(a, "created_since_start", log->total);
		ics_fact_set_uint(a, "by_default_router", log->by_cause[ICS_ROUTE_DEFAULT]);
		ics_fact_set_uint(a, "by_prefix", log->by_cause[ICS_ROUTE_PREFIX]);
		ics_fact_set_uint(a, "by_route_option", log->by_cause[ICS_ROUTE_MORE_SPECIFIC]);
	}
	ics_fact_set_text(a, "creators", "%s", creators);
	ics_fact_set_uint(a, "rate_per_day", per_day);

	a->says[0] = '\0';
	ics_say(a, "Hosts that have stayed up were given %s%u automatic IPv6 routes",
		t->whole || t->unseen_boots != 0 ? "at least " : "", t->worst);
	if (v == EXHAUSTED && !t->whole)
		ics_say(a,
			"; %u of %u hosts on this segment got %u or more: Windows hosts among them accept no more IPv6 "
			"routes.",
			t->exhausted, t->hosts, limit);
	else if (v == EXHAUSTED)
		ics_say(a, ": Windows hosts accept no more after %u.", limit);
	else
		ics_say(a,
			" of the %u that Windows hosts take; %u of %u hosts on this segment got %u %% or more of them.",
			limit, v == CRITICAL_SOON ? t->soon : t->half, t->hosts, v == CRITICAL_SOON ? SOON : HALF);
	if (v != EXHAUSTED && per_day != 0) {
		uint64_t left_s = (uint64_t)(limit - t->worst) * 86400 / per_day;

		ics_fact_set_seconds(a, "full_in_s", left_s * 1000);
		say_left(a, left_s);
	} else if (ics_fact_find(a, "full_in_s") != NULL) {
		ics_fact_set_seconds(a, "full_in_s", 0);
	}
	if (worst[0] != '\0')
		ics_say(a, " Stop what makes routes come and go at %s", worst);
	else
		ics_say(a, " Stop what makes routes come and go, here many routers");
	ics_say(a, v == EXHAUSTED
			   ? ", then reboot those hosts or disable and enable their network interface."
			   : "; a reboot of a host, or its interface disabled and enabled, starts its count anew.");
}

/* The next level may be reached: that is worth a pass at once, and happens three times until links bounce. */
static bool
may_cross(const struct ics_detector *d, const struct seg_state *s, uint32_t total)
{
	const uint32_t levels[] = {share(d, HALF), share(d, SOON), d->conf->detect.route_limit};
	uint32_t most = s->worst + (total - s->total);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(levels); i++)
		if (s->worst < levels[i] && most >= levels[i])
			return true;
	return false;
}

static bool
is_due(const struct ics_detector *d, const struct seg_state *s, uint32_t total, uint64_t now_ns)
{
	return total != s->total && (s->pass_ns == 0 || now_ns >= s->pass_ns + PASS_NS || may_cross(d, s, total));
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct seg_state *s = &((struct seg_state *)d->state)[c->segment->id];
	static const struct ics_ip whole_segment;
	struct episode *e;
	struct tally t;

	/* Nobody can have been given more than the segment was, but for those that were told alone. */
	if (msg->class == ICS_CLASS_nd_na ? !c->kill || ics_ip6_is_multicast(msg->dst.b)
					  : !is_due(d, s, c->segment->routes_created, msg->ts_ns))
		return;
	if (c->segment->routes_created + c->after.r0_count < share(d, HALF))
		return;
	if (msg->class == ICS_CLASS_nd_na && msg->ts_ns < s->pass_ns + PASS_NS)
		return;
	s->pass_ns = msg->ts_ns;
	s->total = c->segment->routes_created;
	count_hosts(d, c->segment, &t);
	s->worst = t.worst;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &whole_segment);
	if (e == NULL) {
		if (t.worst < share(d, HALF))
			return;
		e = (struct episode *)ics_episode_open(d, c->segment, &whole_segment, true);
		if (e == NULL)
			return;
		e->ep.a->n_subject = 0;
		ics_subject_set_text(e->ep.a, "segment", "whole");
		e->muted = true;
	}
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	e->tally = t;
	e->due_ns = msg->ts_ns + REPASS_NS;
	ics_episode_update(&e->ep, msg, signature_of(d, e));
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->due_ns;
}

/* Hosts may have bounced their links: when none is left with half of the limit it is over. */
static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_segment *seg = ics_model_segment(d->model, ep->segment);
	struct tally t;

	if (now_ns < e->due_ns)
		return true;
	count_hosts(d, seg, &t);
	if (t.worst < share(d, HALF)) {
		/* It goes on telling how far it had come. */
		ics_episode_close(ep);
		return false;
	}
	e->tally = t;
	e->due_ns = now_ns + REPASS_NS;
	ics_episode_refresh(ep, signature_of(d, e));
	return true;
}

const struct ics_detector_ops ics_det_route_slot_exhaustion = {
	.classes = 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_na,
	.episode_len = sizeof(struct episode),
	.init = init,
	.configure = configure,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_ROUTER,
	.render = render,
	.timer = on_timer,
	.due = due,
};
