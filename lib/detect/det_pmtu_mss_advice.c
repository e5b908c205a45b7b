/* What to clamp the TCP MSS to, and where: when a reporter tells a lower MTU for three far prefixes for ten minutes, it is its
 * link and not one odd path; a black hole is reason enough by itself. The MSS leaves out the fixed headers only, options
 * are the sender's affair (RFC 9293 3.7.1, RFC 6691). Called for Packet Too Big and Fragmentation Needed, black holes, and
 * what the TCP sampler sees of SYNs; over when the clamp was seen to work for an hour, or nobody complained for a day, or
 * with the black hole that nobody told of. Once
 * it works, datagrams that do not fit are no reason to ask for it again: no clamp is for them.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FARS 3
#define STABLE_NS (600 * NS_PER_S)
#define CLAMPED_NS (3600 * NS_PER_S)
#define QUIET_NS (86400 * NS_PER_S)
#define WAITING_MAX 1024
/* Bounds that are so far apart are of no single encapsulation. */
#define GUESS_WITHIN 64
/* SYNs are compared with each of them. */
#define ADVICE_MAX 64

/* A reporter whose MTU has to stand for a while. */
struct waiting {
	struct ics_table_head head;
	struct ics_ip addr; /* with context the key */
	uint32_t context;
	struct ics_timer timer;
	struct ics_detector *d;
};

/* A reporter whose advice was followed. */
struct followed {
	struct ics_ip reporter;
	uint32_t context, mtu;
	bool set;
};

struct state {
	struct ics_table waiting;
	struct followed followed[ADVICE_MAX];
	unsigned n_followed;
};

struct episode {
	struct ics_episode ep;
	bool muted, by_hole, has_reporter, is_ip4;
	uint32_t context, mtu, lost, fars, labels; /* lost: the least that vanishes; 0: not known */
	struct ics_ip reporter, host, far;         /* host and far: of the black hole */
	struct ics_mac mac;
	struct ics_guess guess;
	uint64_t last_ns;
	uint64_t clamped_ns; /* since when SYNs were seen that are clamped, and no other; 0: none */
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[160], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->variant = e->by_hole ? "black_hole" : "egress";
	a->severity = ICS_SEV_INFO;
	a->muted = e->muted;
	ics_fact_set_uint(a, "mtu", e->mtu);
	ics_pmtu_set_mss(a, e->mtu);
	if (e->has_reporter) {
		ics_fact_set_text(a, "reporter", "%s", ics_ip_format(&e->reporter, ip));
		ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, mac));
	}
	ics_fact_set_uint(a, "far_prefixes", e->fars);
	if (e->by_hole) {
		ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, ip));
		ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, ip));
	}
	ics_pmtu_set_guess(a, &e->guess);
	a->says[0] = '\0';
	if (e->by_hole && e->has_reporter)
		ics_say(a, "Large packets to %s vanish; %u octets pass.", ics_ip_format(&e->far, ip), e->mtu);
	else if (e->by_hole)
		ics_say(a, "Packets of %u octets to %s vanish, and nobody tells why; %u are safe.", e->lost,
			ics_ip_format(&e->far, ip), e->mtu);
	else
		ics_say(a, "%u far networks behind %s have taken no more than %u octets for ten minutes.", e->fars,
			ics_ip_format(&e->reporter, ip), e->mtu);
	ics_say(a, " Without a clamp every connection starts with a loss, and hangs where ICMP is filtered.");
	ics_say(a, " Set the TCP MSS clamp to %u (IPv4) and %u (IPv6)", ics_mss4(e->mtu), ics_mss6(e->mtu));
	if (e->has_reporter)
		ics_say(a, " on %s, or on your router towards it", ics_ip_format(&e->reporter, ip));
	else
		ics_say(a, " on your router towards %s", ics_ip_format(&e->far, ip));
	if (e->guess.n != 0)
		ics_say(a, " (%s)", ics_guess_say(&e->guess, text, sizeof(text)));
	ics_say(a, ".");
}

static struct episode *
episode_open(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *key, bool is_reporter)
{
	char ip[ICS_IP_STRLEN], text[ICS_IP_STRLEN + 8];
	struct episode *e;

	if (d->episodes.count >= ADVICE_MAX) {
		d->info.suppressed++;
		return NULL;
	}
	ics_ip_format(key, ip);
	snprintf(text, sizeof(text), is_reporter ? "%s" : "%s/%u", ip, ics_path_prefix_len(key));
	e = (struct episode *)ics_episode_open_as(d, seg, key, is_reporter ? "reporter" : "far_prefix", text);
	if (e != NULL) {
		e->muted = true;
		e->context = ics_path_context(&seg->key);
	}
	return e;
}

/* There is no message at hand. */
static void
show(struct ics_detector *d, struct episode *e)
{
	const struct ics_clock *clock = ics_model_clock(d->model);

	e->last_ns = clock->now_ns;
	ics_episode_last_now(&e->ep);
	e->ep.a->count++;
	ics_episode_refresh(&e->ep,
			    e->mtu | (uint64_t)e->muted << 32 | (uint64_t)e->by_hole << 33 | (uint64_t)e->fars << 34);
}

static void
note_reporter(struct episode *e, const struct ics_reporter *r)
{
	struct ics_guess_hint hint = {
		.is_ip4 = r->is_ip4, .n_labels = r->n_labels, .encap = r->encap, .quoted = r->quoted_len};

	e->has_reporter = true;
	e->reporter = r->addr;
	e->mac = r->mac;
	ics_guess_encap(e->mtu, &hint, &e->guess);
}

/* Far prefixes with the MTU that is to be clamped to, and when the third of them has stood its time. */
static unsigned
stable_fars(const struct ics_detector *d, const struct ics_reporter *r, uint64_t now_ns, uint32_t *mtu,
	    uint64_t *due_ns)
{
	unsigned n = 0, n_waiting = 0;

	*mtu = UINT32_MAX;
	*due_ns = UINT64_MAX;
	for (unsigned i = 0; i < r->n_far; i++) {
		const struct ics_reporter_far *f = &r->far[i];

		if (f->mtu >= d->conf->detect.link_mtu)
			continue;
		if (now_ns >= f->first_ns + STABLE_NS) {
			n++;
			if (f->mtu < *mtu)
				*mtu = f->mtu;
		} else {
			n_waiting++;
			if (f->first_ns + STABLE_NS < *due_ns)
				*due_ns = f->first_ns + STABLE_NS;
		}
	}
	if (n + n_waiting < FARS)
		*due_ns = UINT64_MAX;
	return n;
}

static void
forget(struct ics_detector *d, struct waiting *w)
{
	struct ics_table *t = &((struct state *)d->state)->waiting;

	ics_timer_cancel(&ics_model_clock(d->model)->timers, &w->timer);
	ics_table_remove(t, ics_table_index(t, w));
}

static struct followed *
followed_of(const struct ics_detector *d, uint32_t context, const struct ics_ip *reporter)
{
	struct state *st = d->state;

	for (unsigned i = 0; i < ADVICE_MAX; i++)
		if (st->followed[i].set && st->followed[i].context == context &&
		    ics_ip_equal(&st->followed[i].reporter, reporter))
			return &st->followed[i];
	return NULL;
}

static void
note_followed(const struct ics_detector *d, const struct episode *e)
{
	struct state *st = d->state;
	struct followed *f = followed_of(d, e->context, &e->reporter);

	if (!e->has_reporter)
		return;
	if (f == NULL)
		f = &st->followed[st->n_followed++ % ADVICE_MAX];
	*f = (struct followed){.reporter = e->reporter, .context = e->context, .mtu = e->mtu, .set = true};
}

static void judge(struct ics_detector *d, const struct ics_reporter *r, uint64_t now_ns);

static void
on_stable(struct ics_timer *t, uint64_t now_ns)
{
	struct waiting *w = t->owner;
	struct ics_detector *d = w->d;
	const struct ics_reporter *r = ics_reporter_find(d->model, w->context, &w->addr);

	forget(d, w);
	if (r != NULL)
		judge(d, r, now_ns);
}

static void
wait_for(struct ics_detector *d, const struct ics_reporter *r, uint64_t due_ns)
{
	struct {
		struct ics_ip addr;
		uint32_t context;
	} key = {r->addr, r->context};
	struct ics_table *t = &((struct state *)d->state)->waiting;
	uint32_t i = ics_table_find(t, &key);
	struct waiting *w;

	if (i == 0) {
		/* So many at once are invented; the first ones may be true. */
		if (t->count >= WAITING_MAX)
			return;
		i = ics_table_insert(t, &key);
		if (i == 0)
			return;
		w = ics_table_at(t, i);
		w->d = d;
		w->timer.owner = w;
		w->timer.fire = on_stable;
	}
	w = ics_table_at(t, i);
	(void)ics_timer_set(&ics_model_clock(d->model)->timers, &w->timer, due_ns);
}

static void
judge(struct ics_detector *d, const struct ics_reporter *r, uint64_t now_ns)
{
	const struct ics_segment *seg = ics_model_segment(d->model, r->segment);
	uint64_t due_ns;
	uint32_t mtu;
	unsigned n = stable_fars(d, r, now_ns, &mtu, &due_ns);
	const struct followed *done;
	struct episode *e;

	if (n < FARS) {
		if (due_ns != UINT64_MAX)
			wait_for(d, r, due_ns);
		return;
	}
	e = (struct episode *)ics_episode_find(d, seg->id, &r->addr);
	if (e != NULL && !e->by_hole && e->mtu == mtu && e->fars == n) {
		e->last_ns = now_ns;
		return;
	}
	if (e == NULL) {
		done = followed_of(d, r->context, &r->addr);
		if (done != NULL && mtu >= done->mtu)
			return;
		e = episode_open(d, seg, &r->addr, true);
		if (e == NULL)
			return;
		e->mtu = mtu;
	}
	if (mtu < e->mtu)
		e->mtu = mtu;
	e->fars = n;
	note_reporter(e, r);
	e->muted &= ics_detect_is_muted(d, &seg->key, &r->addr, &r->mac);
	show(d, e);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_path_change *p = &c->path;
	struct followed *done;

	if (p->reporter == NULL || p->path == NULL || (p->path->flags & ICS_PATH_FLOODED) || p->reporter->n_far < FARS)
		return;
	/* TCP does not fit again: the clamp is gone. */
	if (p->path->class == ICS_PATH_TCP) {
		done = followed_of(d, p->reporter->context, &p->reporter->addr);
		if (done != NULL)
			done->set = false;
	}
	judge(d, p->reporter, msg->ts_ns);
}

/* Nobody else's large packets vanish on the way to that network. */
static bool
is_last(const struct ics_detector *d, const struct ics_hole *h)
{
	struct ics_ip own = ics_path_prefix(&h->far);
	const struct ics_hole *at;

	for (uint32_t i = 1; (at = ics_hole_next(d->model, &i)) != NULL; i++) {
		struct ics_ip prefix = ics_path_prefix(&at->far);

		if (at != h && at->kind == ICS_HOLE_SILENT && at->context == h->context && ics_ip_equal(&prefix, &own))
			return false;
	}
	return true;
}

/* By the router that tells in vain; where nobody tells, by the far network: then it is over when large packets arrive
 * there again, clamped or not. A router's link stays as narrow as it is.
 */
static void
on_hole(struct ics_detector *d, const struct ics_hole *h, bool open)
{
	const struct ics_segment *seg = ics_model_segment(d->model, h->segment);
	const struct ics_reporter *r = h->reporter_known ? ics_reporter_find(d->model, h->context, &h->reporter) : NULL;
	struct ics_ip key = h->reporter_known ? h->reporter : ics_path_prefix(&h->far);
	struct episode *e;
	bool is_same;

	if (seg == NULL || h->mtu == 0)
		return;
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (!open) {
		if (e != NULL && !h->reporter_known && is_last(d, h))
			ics_episode_close(&e->ep);
		return;
	}
	is_same = e != NULL && e->by_hole && !h->reporter_known && ics_ip_equal(&e->far, &h->far);
	if (e != NULL && e->by_hole && (is_same ? e->mtu == h->mtu && e->lost == h->lost : e->mtu <= h->mtu)) {
		e->last_ns = ics_model_clock(d->model)->now_ns;
		ics_episode_rearm(&e->ep);
		return;
	}
	if (e == NULL) {
		e = episode_open(d, seg, &key, h->reporter_known);
		if (e == NULL)
			return;
		e->mtu = h->mtu;
	}
	/* The same black hole, better known: the sender tried what passes. */
	if (h->mtu < e->mtu || is_same)
		e->mtu = h->mtu;
	e->lost = h->lost;
	e->by_hole = true;
	e->host = h->host;
	e->far = h->far;
	if (e->fars == 0)
		e->fars = 1;
	if (r != NULL) {
		note_reporter(e, r);
	} else {
		struct ics_guess_hint hint = {.is_ip4 = ics_ip6_is_v4mapped(h->host.b)};

		e->guess.n = 0;
		if (h->lost > e->mtu && h->lost - e->mtu <= GUESS_WITHIN)
			ics_guess_encap(e->mtu, &hint, &e->guess);
	}
	e->muted &= ics_detect_is_muted(d, &seg->key, &h->host, NULL);
	show(d, e);
}

static bool
is_behind(struct ics_detector *d, const struct episode *e, const struct ics_ip *far)
{
	struct ics_ip prefix = ics_path_prefix(far), own = ics_path_prefix(&e->far);
	const struct ics_reporter *r = e->has_reporter ? ics_reporter_find(d->model, e->context, &e->reporter) : NULL;

	if (e->by_hole && ics_ip_equal(&prefix, &own))
		return true;
	for (unsigned i = 0; r != NULL && i < r->n_far; i++)
		if (ics_ip_equal(&prefix, &r->far[i].prefix))
			return true;
	return false;
}

/* The MSS that src announces limits what dst sends: the clamp works on both directions. */
static void
on_sample(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	uint32_t context = ics_path_context(&seg->key);

	if (s->kind != ICS_SAMPLE_SYN || s->mss == 0)
		return;
	for (uint32_t i = 1; i <= d->episodes.fresh && d->episodes.count != 0; i++) {
		struct episode *e = ics_table_at(&d->episodes, i);
		uint32_t advice;

		if (!ics_table_is_live(&d->episodes, i) || e->context != context ||
		    (!is_behind(d, e, &s->dst) && !is_behind(d, e, &s->src)))
			continue;
		advice = ics_ip6_is_v4mapped(s->src.b) ? ics_mss4(e->mtu) : ics_mss6(e->mtu);
		if (s->mss > advice)
			e->clamped_ns = 0;
		else if (e->clamped_ns == 0)
			e->clamped_ns = msg->ts_ns;
		ics_episode_rearm(&e->ep);
	}
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t clamped = e->clamped_ns != 0 ? e->clamped_ns + CLAMPED_NS : UINT64_MAX;

	return clamped < e->last_ns + QUIET_NS ? clamped : e->last_ns + QUIET_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	const struct episode *e = (const struct episode *)ep;

	if (e->clamped_ns != 0 && now_ns >= e->clamped_ns + CLAMPED_NS)
		note_followed(d, e);
	return ics_episode_expire(d, ep, now_ns);
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	d->state = st;
	if (st == NULL)
		return -ENOMEM;
	return ics_table_init(&st->waiting, sizeof(struct waiting), 20, WAITING_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st == NULL)
		return;
	for (uint32_t i = 1; i <= st->waiting.fresh; i++)
		if (ics_table_is_live(&st->waiting, i))
			ics_timer_cancel(&ics_model_clock(d->model)->timers,
					 &((struct waiting *)ics_table_at(&st->waiting, i))->timer);
	ics_table_fini(&st->waiting);
	free(st);
}

const struct ics_detector_ops ics_det_pmtu_mss_advice = {
	.classes = 1ull << ICS_CLASS_icmp6_too_big | 1ull << ICS_CLASS_icmp4_frag_needed,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.hole = on_hole,
	.sample = on_sample,
	.render = render,
	.timer = on_timer,
	.due = due,
};
