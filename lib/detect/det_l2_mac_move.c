/* One MAC at two places of the tap in turn: a loop, or two machines with one MAC. A place is a port with its VLANs. Not
 * meant are gateways that share a MAC, links that form a bundle and are mirrored one by one (several MACs alternate then),
 * a mirror that delivers a frame at two ports at once, and machines that are in several VLANs with one MAC: between VLANs
 * only the very same frame counts. Called for multicast ND and MLD.
 */
#include "repeat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MOVES 4
#define WINDOW_NS (10 * NS_PER_S)
#define CLEAR_NS (60 * NS_PER_S)
/* A copy that is so near is the same frame at another mirror. */
#define TWIN_NS (2 * NS_PER_MS)
/* So many MACs that alternate between the same two places: both are ways of one link. */
#define BUNDLE_MACS 3
#define BUNDLE_NS (600 * NS_PER_S)

/* Where MACs were: a cache in pairs by their hash, the one heard longer ago gives way. */
#define SLOTS 32768
#define PAIRS 256

/* A pair is a cache line. */
struct slot {
	uint32_t tag;
	uint32_t now, before; /* segment ids, plus one */
	uint32_t moves;       /* back to the place before, in this window */
	uint64_t window_ns, last_ns;
};

/* Two places between which MACs alternate. */
struct pair {
	uint32_t a, b;
	uint64_t last_ns, mirrored_ns;
	unsigned n;
	uint32_t mac[BUNDLE_MACS]; /* tags */
};

struct state {
	_Alignas(64) struct slot slot[SLOTS];
	struct pair pair[PAIRS];
};

struct episode {
	struct ics_episode ep;
	bool muted, loop;
	struct ics_mac mac;
	uint32_t a, b, peak;
	uint64_t moves, last_ns;
};

static void
place(const struct ics_detector *d, uint32_t segment, char *buf, size_t len)
{
	const struct ics_segment_key *k = &ics_model_segment(d->model, segment)->key;
	int n = snprintf(buf, len, "port %u", k->port);

	if (k->vlan_outer != ICS_VLAN_NONE)
		n += snprintf(buf + n, len - (size_t)n, " vlan %u", k->vlan_outer);
	if (k->vlan_inner != ICS_VLAN_NONE)
		snprintf(buf + n, len - (size_t)n, ".%u", k->vlan_inner);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char mac[ICS_MAC_STRLEN], p1[40], p2[40];

	a->variant = e->loop ? "loop" : "move";
	a->severity = e->loop ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
	a->muted = e->muted;
	place(d, e->a, p1, sizeof(p1));
	place(d, e->b, p2, sizeof(p2));
	ics_detect_set_vendor(a, &e->mac);
	ics_fact_set_text(a, "places", "%s, %s", p1, p2);
	ics_fact_set_uint(a, "moves", e->moves);
	ics_fact_set_uint(a, "peak_per_10s", e->peak);
	a->says[0] = '\0';
	ics_say(a,
		"%s moves between %s and %s, up to %u times in 10 s: %s. Switches send its frames to the wrong port "
		"half of "
		"the time. %s",
		ics_mac_format(&e->mac, mac), p1, p2, e->peak,
		e->loop ? "there is a layer-2 loop" : "a loop, or two machines with one MAC",
		e->loop ? "End the loop first." : "Find both ports; a clone of a machine needs a MAC of its own.");
}

static uint64_t
hash_of(const struct ics_detector *d, const uint8_t *mac)
{
	return ics_hash(mac, 6, d->seed);
}

static void
on_ahead(struct ics_detector *d, uint32_t segment, const uint8_t *macs)
{
	const struct state *st = d->state;

	if ((macs[0] & 1) && ics_model_segment_count(d->model) > 1)
		__builtin_prefetch(&st->slot[hash_of(d, macs + 6) % (SLOTS / 2) * 2], 1);
}

static struct slot *
slot_of(struct state *st, uint64_t hash)
{
	struct slot *s = &st->slot[hash % (SLOTS / 2) * 2];
	uint32_t tag = (uint32_t)(hash >> 32) | 1;

	if (s[0].tag == tag)
		return &s[0];
	if (s[1].tag == tag)
		return &s[1];
	if (s[1].last_ns < s[0].last_ns)
		s++;
	*s = (struct slot){.tag = tag};
	return s;
}

static struct pair *
pair_of(struct ics_detector *d, uint32_t x, uint32_t y, uint64_t now_ns)
{
	struct state *st = d->state;
	uint32_t a = x < y ? x : y, b = x < y ? y : x;
	struct pair *p = &st->pair[ics_hash_mix(d->seed, (uint64_t)a << 32 | b) % PAIRS];

	if (p->a != a || p->b != b || now_ns > p->last_ns + BUNDLE_NS)
		*p = (struct pair){.a = a, .b = b};
	p->last_ns = now_ns;
	return p;
}

static void
note_alternation(struct pair *p, uint32_t tag)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->mac[i] == tag)
			return;
	if (p->n < BUNDLE_MACS)
		p->mac[p->n++] = tag;
}

/* Both places see the same link. */
static bool
is_one_link(const struct pair *p, uint64_t now_ns)
{
	return p->n >= BUNDLE_MACS || (p->mirrored_ns != 0 && now_ns < p->mirrored_ns + BUNDLE_NS);
}

static struct episode *
episode_of(struct ics_detector *d, const struct ics_segment *seg, const struct ics_mac *mac, bool open)
{
	struct ics_ip key = ics_episode_key_of_mac(mac);
	char text[ICS_MAC_STRLEN];
	struct episode *e;

	/* Of the two places the first that is known by the lower id. */
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e != NULL || !open)
		return e;
	e = (struct episode *)ics_episode_open_as(d, seg, &key, "mac", ics_mac_format(mac, text));
	if (e == NULL)
		return NULL;
	e->mac = *mac;
	e->muted = true;
	return e;
}

static void
moved(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, struct slot *s)
{
	uint32_t here = c->segment->id, there = s->before - 1;
	const struct ics_segment *first = here < there ? c->segment : ics_model_segment(d->model, there);
	bool loop = d->shared->l2_loop[here] || d->shared->l2_loop[there];
	struct pair *p = pair_of(d, here, there, msg->ts_ns);
	struct episode *e;

	note_alternation(p, s->tag);
	e = d->episodes.count != 0 ? episode_of(d, first, &msg->smac, false) : NULL;
	if (!loop && is_one_link(p, msg->ts_ns)) {
		d->info.suppressed += s->moves == MOVES || e != NULL;
		if (e != NULL) {
			ics_fact_set_text(e->ep.a, "attributed_to", "both places are one link");
			ics_episode_close(&e->ep);
		}
		return;
	}
	if (e == NULL && s->moves >= MOVES)
		e = episode_of(d, first, &msg->smac, true);
	if (e == NULL)
		return;
	e->a = first->id;
	e->b = first->id == here ? there : here;
	e->loop |= loop;
	e->moves += e->moves == 0 ? s->moves : 1;
	if (s->moves > e->peak)
		e->peak = s->moves;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &e->ep.addr, &e->mac);
	ics_episode_update(&e->ep, msg, (uint64_t)e->loop | (uint64_t)e->muted << 1);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_frame_count *f = c->frame;
	uint32_t here = c->segment->id + 1;
	const struct ics_segment_key *was;
	struct slot *s;

	if (f == NULL || !f->multicast || ics_model_segment_count(d->model) < 2 ||
	    ics_model_is_shared_mac(d->model, &msg->smac))
		return;
	s = slot_of(d->state, hash_of(d, msg->smac.b));
	if (s->now == here || s->now == 0) {
		s->now = here;
		s->last_ns = msg->ts_ns;
		return;
	}
	was = &ics_model_segment(d->model, s->now - 1)->key;
	if (f->heard > 1 + (uint64_t)msg->rec->repeats && msg->ts_ns <= s->last_ns + TWIN_NS) {
		if (was->port != c->segment->key.port)
			pair_of(d, s->now - 1, here - 1, msg->ts_ns)->mirrored_ns = msg->ts_ns;
		return;
	}
	/* With one MAC in several VLANs a machine is at several places, and at each with frames of its own. */
	if ((was->vlan_outer != c->segment->key.vlan_outer || was->vlan_inner != c->segment->key.vlan_inner) &&
	    f->n_segments < 2)
		return;
	s->last_ns = msg->ts_ns;
	if (s->before != here) {
		s->before = s->now;
		s->now = here;
		s->moves = 1;
		s->window_ns = msg->ts_ns;
		return;
	}
	if (msg->ts_ns > s->window_ns + WINDOW_NS) {
		s->window_ns = msg->ts_ns;
		s->moves = 0;
	}
	s->moves++;
	s->before = s->now;
	s->now = here;
	moved(d, msg, c, s);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	d->state = aligned_alloc(64, sizeof(struct state));
	if (d->state == NULL)
		return -ENOMEM;
	memset(d->state, 0, sizeof(struct state));
	return 0;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

const struct ics_detector_ops ics_det_l2_mac_move = {
	.classes = 1ull << ICS_CLASS_nd_rs | 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_ns |
		   1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_mld_query | 1ull << ICS_CLASS_mld1_report |
		   1ull << ICS_CLASS_mld1_done | 1ull << ICS_CLASS_mld2_report,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_MULTICAST,
	.ahead = on_ahead,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
