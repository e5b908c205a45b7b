/* Router advertisements as a flood (RFC 6104): invented routers, sheer rate, or invented prefixes and routes. A network
 * has one to four routers; Windows hosts take a hundred routes and Linux hosts sixteen addresses. While it is open on a
 * segment, detectors that would report each invented router stay quiet. Called for RAs and their folded copies, and for
 * RSs: what is an answer (6.2.6) counts as the rate of those who ask, which is for nd_flood.
 */
#include "detect_priv.h"

#include "ics_sketch.h"

#include <stdio.h>
#include <stdlib.h>

#define NEW_ROUTERS 5
#define ROUTERS_WINDOW_NS (10 * NS_PER_S)
#define RATE 50 /* a second */
#define RATE_SECONDS 3
#define PREFIXES_WARN 20
#define PREFIXES_CRITICAL 100
#define PREFIX_SLOTS 6 /* of 10 s: one minute */
#define SLOT_NS (10 * NS_PER_S)
/* While a segment is learned all of its routers are new, and a restart of switches makes them all speak at once. */
#define LEARNING_FACTOR 4
#define CLEAR_PERCENT 20
#define CLEAR_NS (300 * NS_PER_S)
#define TOP 8

enum variant { ROUTERS, PREFIXES, RATE_HIGH };
static const char *const names[] = {[ROUTERS] = "routers", [PREFIXES] = "prefixes", [RATE_HIGH] = "rate"};

/* Senders of RAs in fragments that are remembered, so that one of them does not count as many. */
#define STRANGERS 16

struct talker {
	struct ics_mac mac;
	uint64_t n;
};

/* What is known of one segment, made with its first RA. */
struct flood {
	uint64_t new_ns[NEW_ROUTERS * LEARNING_FACTOR]; /* when the latest new routers came */
	uint64_t n_new;
	uint64_t second, in_second, max_rate;  /* of RAs, copies included */
	unsigned busy_seconds;                 /* in a row, before this one */
	bool was_high;                         /* this one, so far */
	uint64_t rs_second, rs_now, rs_before; /* RSs of that second, and of the one before */
	uint64_t slot;
	uint32_t prefixes[PREFIX_SLOTS];
	struct ics_hll routers, values; /* different senders and prefixes, since the finding was opened */
	struct talker top[TOP];
	uint64_t stranger[STRANGERS]; /* senders of RAs in fragments, which the model does not learn; hashes */
	unsigned n_strangers;
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool critical, muted;
	uint64_t last_high_ns;
	uint32_t hosts;
};

static const struct ics_ip whole_segment;

static int
init(struct ics_detector *d)
{
	d->state = calloc(ICS_SEGMENTS_MAX, sizeof(struct flood *));
	return d->state == NULL ? -1 : 0;
}

static void
fini(struct ics_detector *d)
{
	struct flood **all = d->state;

	for (unsigned i = 0; all != NULL && i < ICS_SEGMENTS_MAX; i++)
		free(all[i]);
	free(all);
}

static struct flood *
flood_get(struct ics_detector *d, uint32_t segment)
{
	struct flood **f = &((struct flood **)d->state)[segment];

	if (*f == NULL) {
		*f = calloc(1, sizeof(**f));
		if (*f != NULL) {
			ics_hll_init(&(*f)->routers, ics_hash_mix(d->seed, 1));
			ics_hll_init(&(*f)->values, ics_hash_mix(d->seed, 2));
		}
	}
	return *f;
}

/* The senders of most RAs: who is not among them takes the place of the last (Space-Saving). */
static void
note_talker(struct flood *f, const struct ics_mac *mac)
{
	unsigned least = 0;

	for (unsigned i = 0; i < TOP; i++) {
		if (f->top[i].n != 0 && ics_mac_equal(&f->top[i].mac, mac)) {
			f->top[i].n++;
			return;
		}
		if (f->top[i].n < f->top[least].n)
			least = i;
	}
	f->top[least].mac = *mac;
	f->top[least].n++;
}

static const struct talker *
top_talker(const struct flood *f)
{
	const struct talker *best = &f->top[0];

	for (unsigned i = 1; i < TOP; i++)
		if (f->top[i].n > best->n)
			best = &f->top[i];
	return best;
}

static void
note_rs(struct flood *f, uint64_t now_ns, uint64_t n)
{
	uint64_t second = now_ns / NS_PER_S;

	if (second != f->rs_second) {
		f->rs_before = second == f->rs_second + 1 ? f->rs_now : 0;
		f->rs_now = 0;
		f->rs_second = second;
	}
	f->rs_now += n;
}

/* An answer may come half a second late (RFC 4861 6.2.6). */
static bool
is_rate_high(const struct flood *f)
{
	uint64_t asked = f->rs_second == f->second       ? f->rs_now + f->rs_before
			 : f->rs_second + 1 == f->second ? f->rs_now
							 : 0;

	return f->in_second >= RATE + asked;
}

static void
note_rate(struct flood *f, uint64_t now_ns, uint64_t n)
{
	uint64_t second = now_ns / NS_PER_S;

	if (second != f->second) {
		f->busy_seconds = second == f->second + 1 && f->was_high ? f->busy_seconds + 1 : 0;
		f->second = second;
		f->in_second = 0;
	}
	f->in_second += n;
	f->was_high = is_rate_high(f);
	if (f->in_second > f->max_rate)
		f->max_rate = f->in_second;
}

static void
turn_slots(struct flood *f, uint64_t now_ns)
{
	uint64_t slot = now_ns / SLOT_NS;

	for (unsigned i = 0; f->slot < slot && i < PREFIX_SLOTS; i++)
		f->prefixes[++f->slot % PREFIX_SLOTS] = 0;
	f->slot = slot;
}

static uint32_t
new_prefixes(const struct flood *f)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < PREFIX_SLOTS; i++)
		n += f->prefixes[i];
	return n;
}

/* New routers within the window, at most as many as are remembered. */
static unsigned
new_routers(const struct flood *f, uint64_t now_ns)
{
	unsigned n = 0;

	while (n < f->n_new && n < ICS_ARRAY_LEN(f->new_ns) &&
	       now_ns - f->new_ns[(f->n_new - 1 - n) % ICS_ARRAY_LEN(f->new_ns)] <= ROUTERS_WINDOW_NS)
		n++;
	return n;
}

struct verdict {
	uint32_t variants;
	bool critical, high;
};

static struct verdict
judge(const struct flood *f, bool learning, uint64_t now_ns)
{
	unsigned factor = learning ? LEARNING_FACTOR : 1, routers = new_routers(f, now_ns);
	uint32_t prefixes = new_prefixes(f);
	bool rate = f->was_high && f->busy_seconds + 1 >= RATE_SECONDS;
	struct verdict v = {0};

	v.variants = (uint32_t)(routers >= NEW_ROUTERS * factor) << ROUTERS |
		     (uint32_t)(prefixes >= (learning ? PREFIXES_CRITICAL : PREFIXES_WARN)) << PREFIXES |
		     (uint32_t)rate << RATE_HIGH;
	v.critical = (v.variants & (1u << ROUTERS | 1u << RATE_HIGH)) || prefixes >= PREFIXES_CRITICAL;
	v.high = routers * 100 >= NEW_ROUTERS * CLEAR_PERCENT || f->in_second * 100 >= RATE * CLEAR_PERCENT ||
		 prefixes * 100 >= PREFIXES_WARN * CLEAR_PERCENT;
	return v;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)e->critical << 8 | (uint64_t)e->muted << 9;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct flood *f = flood_get(d, ep->segment);
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN] = "unknown MACs";
	const struct talker *top = top_talker(f);
	uint64_t routers = ics_hll_count(&f->routers), values = ics_hll_count(&f->values), total = 0;
	bool one;

	for (unsigned i = 0; i < TOP; i++)
		total += f->top[i].n;
	/* With many senders the one that leads may be there by chance. */
	one = top->n * 4 >= total && total != 0;
	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = e->critical ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
	a->muted = e->muted;
	if (top->n != 0)
		ics_mac_format(&top->mac, mac);
	if (one)
		ics_subject_set_text(a, "mac", "%s", mac);
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, "routers", routers);
	ics_fact_set_uint(a, "prefixes", values);
	ics_fact_set_uint(a, "new_prefixes_60s", new_prefixes(f));
	ics_fact_set_uint(a, "rate_max", f->max_rate);
	ics_fact_set_text(a, "top_mac", "%s", mac);
	ics_fact_set_uint(a, "top_mac_count", top->n);
	ics_fact_set_bool(a, "one_sender", one);
	ics_fact_set_uint(a, "hosts", e->hosts);

	a->says[0] = '\0';
	ics_say(a,
		"Flood of router advertisements from %s: about %llu router%s and %llu prefixes and routes, up to %llu "
		"messages in a second.",
		one ? mac : "many MACs, most likely invented", (unsigned long long)routers, routers == 1 ? "" : "s",
		(unsigned long long)values, (unsigned long long)f->max_rate);
	ics_say(a,
		" %u host%s on this segment take%s up addresses and routes until they are slow or lose their own "
		"router.",
		e->hosts, e->hosts == 1 ? "" : "s", e->hosts == 1 ? "s" : "");
	ics_say(a, " Find the port that sends them, shut it, and then reboot Windows hosts or disable and enable their "
		   "network interface; RA guard on access ports stops it.");
}

/* RFC 4861 4.6.2 and 4191 2.3: whatever the model had no room for counts here. */
static void
note_values(struct flood *f, const struct ics_change *c)
{
	for (unsigned i = 0; c->ra != NULL && i < c->ra->n; i++) {
		const struct ics_ra_item *item = &c->ra->item[i];

		if (item->kind == ICS_PREFIX_PIO || item->kind == ICS_PREFIX_RIO)
			ics_hll_add(&f->values, &item->value, sizeof(item->value));
	}
}

static void
on_verdict(struct ics_detector *d, const struct ics_segment *seg, const struct ics_msg *msg, uint64_t now_ns)
{
	struct flood *f = flood_get(d, seg->id);
	struct verdict v = judge(f, ics_model_is_learning(d->model, seg), now_ns);
	struct episode *e =
		d->shared->ra_flood[seg->id] ? (struct episode *)ics_episode_find(d, seg->id, &whole_segment) : NULL;

	if (e == NULL) {
		if (v.variants == 0)
			return;
		e = (struct episode *)ics_episode_open(d, seg, &whole_segment, true);
		if (e == NULL)
			return;
		e->ep.a->n_subject = 0;
		ics_subject_set_text(e->ep.a, "segment", "whole");
		e->muted = true;
		e->ep.interval_ns = 10 * NS_PER_S;
		d->shared->ra_flood[seg->id] = 1;
	}
	e->variants |= v.variants;
	e->critical |= v.critical;
	e->hosts = ics_detect_hosts(seg);
	if (v.high || v.variants != 0)
		e->last_high_ns = now_ns;
	if (msg == NULL) {
		ics_episode_refresh(&e->ep, signature_of(e));
		return;
	}
	e->muted &= ics_detect_is_muted(d, &seg->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	if (v.high || v.variants != 0)
		ics_episode_update(&e->ep, msg, signature_of(e));
}

static void
note_new(struct flood *f, uint64_t now_ns)
{
	f->new_ns[f->n_new++ % ICS_ARRAY_LEN(f->new_ns)] = now_ns;
}

/* Hosts that assemble fragments against RFC 6980 take it for a router. */
static void
note_stranger(struct ics_detector *d, struct flood *f, const struct ics_ip *addr, uint64_t now_ns)
{
	uint64_t h = ics_hash(addr, sizeof(*addr), d->seed) | 1;

	ics_hll_add(&f->routers, addr, sizeof(*addr));
	for (unsigned i = 0; i < STRANGERS; i++)
		if (f->stranger[i] == h)
			return;
	f->stranger[f->n_strangers++ % STRANGERS] = h;
	note_new(f, now_ns);
}

/* An RA in fragments is a message to those hosts only; whoever floods with them counts all the same, each datagram once. */
static void
on_hidden(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, uint8_t type)
{
	uint64_t now = ics_model_clock(d->model)->now_ns;
	struct flood *f;

	if (type != ICS_ICMP6_RA || msg->later_fragment ||
	    (msg->class == ICS_CLASS_nd_ra && (msg->strict || msg->lenient)))
		return;
	f = flood_get(d, seg->id);
	if (f == NULL)
		return;
	note_rate(f, now, 1 + (uint64_t)msg->rec->repeats);
	turn_slots(f, now);
	if (msg->has_mac)
		note_talker(f, &msg->smac);
	if (ics_model_router_find(d->model, seg->id, &msg->src) == NULL)
		note_stranger(d, f, &msg->src, now);
	on_verdict(d, seg, msg, now);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct flood *f;
	uint64_t now = ics_model_clock(d->model)->now_ns;

	if (msg->class == ICS_CLASS_nd_rs && ((struct flood **)d->state)[c->segment->id] == NULL)
		return;
	f = flood_get(d, c->segment->id);
	if (f == NULL)
		return;
	if (msg->class == ICS_CLASS_nd_rs) {
		note_rs(f, now, 1 + (uint64_t)msg->rec->repeats);
		return;
	}
	note_rate(f, now, 1 + (uint64_t)msg->rec->repeats);
	turn_slots(f, now);
	if (msg->has_mac)
		note_talker(f, &msg->smac);
	/* A router that the model has no room for is new each time. */
	if (c->created || (!c->has_router && msg->strict))
		note_new(f, now);
	else if (!c->has_router && (msg->rec->flags & ICS_REC_FRAGMENT))
		note_stranger(d, f, &msg->src, now);
	if (msg->strict) {
		f->prefixes[f->slot % PREFIX_SLOTS] += c->new_prefixes;
		ics_hll_add(&f->routers, &msg->src, sizeof(msg->src));
		note_values(f, c);
	}
	on_verdict(d, c->segment, msg, now);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct flood *f = ((struct flood **)d->state)[seg->id];
	uint64_t now = ics_model_clock(d->model)->now_ns;

	if (f == NULL)
		return;
	if (rec->class == ICS_CLASS_nd_rs) {
		note_rs(f, now, 1 + (uint64_t)rec->repeats);
		return;
	}
	note_rate(f, now, 1 + (uint64_t)rec->repeats);
	turn_slots(f, now);
	on_verdict(d, seg, NULL, now);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_high_ns + CLEAR_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct flood *f = flood_get(d, ep->segment);

	if (now_ns < due(ep))
		return true;
	d->shared->ra_flood[ep->segment] = 0;
	ics_episode_close(ep);
	ics_hll_init(&f->routers, f->routers.seed);
	ics_hll_init(&f->values, f->values.seed);
	memset(f->top, 0, sizeof(f->top));
	f->max_rate = 0;
	return false;
}

const struct ics_detector_ops ics_det_ra_flood = {
	.classes = 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_rs,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.hidden = on_hidden,
	.copies = on_copies,
	.render = render,
	.timer = on_timer,
	.due = due,
};
