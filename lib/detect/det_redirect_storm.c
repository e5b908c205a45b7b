/* Hosts that bounce off their router: redirects must be rate-limited (RFC 4861 8.2), and a router that redirects for ever
 * more destinations tells that hosts do not know what is on their own link, by a prefix without the on-link flag or by
 * design. Called for redirects and copies of them; clears after five quiet minutes.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RATE 10
#define SECONDS 10
#define DESTINATIONS 100
#define WINDOW_NS (60 * NS_PER_S)
#define CLEAR_NS (300 * NS_PER_S)
#define SENDERS_MAX 1024
#define COPIES 64

struct sender {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t sec, n, over; /* messages in this second; seconds on end above the rate before it */
	uint64_t window_ns;
	struct ics_hll destinations;
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted;
	uint32_t peak;
	uint64_t destinations, last_ns;
};

struct state {
	struct ics_table senders;
	struct {
		uint64_t frame_hash;
		uint32_t sender;
	} copy[COPIES];
};

enum variant { V_RATE, V_DESTINATIONS };

static const char *const names[] = {[V_RATE] = "rate", [V_DESTINATIONS] = "destinations"};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "destinations", e->destinations);
	a->says[0] = '\0';
	ics_say(a,
		"Hosts bounce off %s: up to %u redirects a second, for about %llu destinations within a minute. Each "
		"of these "
		"packets crosses the link twice. Check the on-link flag of the prefix it advertises and the prefix "
		"length of "
		"the hosts.",
		ics_ip_format(&ep->addr, ip), e->peak, (unsigned long long)e->destinations);
}

static struct sender *
sender_of(struct ics_table *t, uint32_t segment, const struct ics_ip *addr, uint64_t seed)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	uint32_t i = ics_table_find(t, &key);

	if (i == 0) {
		if (t->count >= SENDERS_MAX)
			ics_table_remove(t, ics_table_oldest(t, NULL));
		i = ics_table_insert(t, &key);
		if (i == 0)
			return NULL;
		ics_hll_init(&((struct sender *)ics_table_at(t, i))->destinations, seed);
	}
	return ics_table_at(t, i);
}

/* Variants that hold now. */
static uint32_t
add(struct sender *s, uint32_t n, uint64_t ts_ns)
{
	uint32_t sec = (uint32_t)(ts_ns / NS_PER_S);

	if (sec != s->sec) {
		s->over = sec == s->sec + 1 && s->n > RATE ? s->over + 1 : 0;
		s->n = 0;
		s->sec = sec;
	}
	s->n += n;
	return s->n > RATE && s->over >= SECONDS - 1 ? 1u << V_RATE : 0;
}

static struct episode *
storm(struct ics_detector *d, const struct ics_segment *seg, const struct sender *s, uint32_t variants, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &s->addr);
	char ip[ICS_IP_STRLEN];

	if (e == NULL) {
		if (variants == 0)
			return NULL;
		e = (struct episode *)ics_episode_open_as(d, seg, &s->addr, "router", ics_ip_format(&s->addr, ip));
		if (e == NULL)
			return NULL;
		e->muted = true;
	}
	e->variants |= variants;
	e->last_ns = now_ns;
	if (s->n > e->peak)
		e->peak = s->n;
	e->muted &= ics_detect_is_muted(d, &seg->key, &s->addr, NULL);
	return e;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *st = d->state;
	struct sender *s = sender_of(&st->senders, c->segment->id, &msg->src, ics_hash_mix(d->seed, 2));
	struct episode *e;
	uint32_t variants;
	uint64_t n;

	if (s == NULL)
		return;
	st->copy[msg->rec->frame_hash % COPIES].frame_hash = msg->rec->frame_hash;
	st->copy[msg->rec->frame_hash % COPIES].sender = ics_table_index(&st->senders, s);
	if (msg->ts_ns >= s->window_ns + WINDOW_NS) {
		s->window_ns = msg->ts_ns;
		ics_hll_init(&s->destinations, s->destinations.seed);
	}
	variants = add(s, 1 + msg->rec->repeats, msg->ts_ns);
	if (ics_hll_add(&s->destinations, msg->redirect.dest.b, 16)) {
		n = ics_hll_count(&s->destinations);
		if (n > DESTINATIONS)
			variants |= 1u << V_DESTINATIONS;
	} else {
		n = 0;
	}
	e = storm(d, c->segment, s, variants, msg->ts_ns);
	if (e == NULL)
		return;
	if (n > e->destinations)
		e->destinations = n;
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->muted << 8);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	uint32_t i = st->copy[rec->frame_hash % COPIES].sender;
	struct sender *s;
	struct episode *e;

	if (i == 0 || st->copy[rec->frame_hash % COPIES].frame_hash != rec->frame_hash ||
	    !ics_table_is_live(&st->senders, i))
		return;
	s = ics_table_at(&st->senders, i);
	if (s->segment != seg->id)
		return;
	/* They were in the second of their first copy. */
	e = storm(d, seg, s, add(s, 1 + rec->repeats, s->sec * NS_PER_S), ics_model_clock(d->model)->now_ns);
	if (e == NULL)
		return;
	ics_episode_add_copies(&e->ep, rec, e->variants | (uint64_t)e->muted << 8);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	d->state = s;
	return ics_table_init(&s->senders, sizeof(struct sender), 20, SENDERS_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s != NULL)
		ics_table_fini(&s->senders);
	free(s);
}

const struct ics_detector_ops ics_det_redirect_storm = {
	.classes = 1ull << ICS_CLASS_nd_redirect,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
