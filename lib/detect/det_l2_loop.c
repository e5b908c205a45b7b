/* A loop of bridges: what is sent to many comes again and again, whoever sent it, because link-layer frames have no hop
 * limit (hop limit 1 or 255 of the messages does not stop a bridge). A frame that one machine repeats is another matter
 * (mld_report_storm), as is a mirror that delivers everything twice (tap_duplicate_feed). A probe of duplicate address
 * detection that comes back with its own nonce shows a loop too (RFC 7527 4.2). Where IPv6 is silent a loop is not seen: of
 * what circles, ARP and other broadcasts are no control messages here. Called for multicast ND, MLD and MRD and copies.
 */
#include "repeat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Frames of so many MACs, each so often a second and for longer than a redundant ring takes to heal. */
#define MACS ICS_CHORUS_MACS
#define COPIES 20
#define TRANSIENT_MS 100
/* Or one frame so often, while those of others come ten times as often as they use to, and another MAC repeats too. */
#define ONE_FRAME 200
#define BASELINE_FACTOR 10
#define BASELINE_LEAST 5
#define ONE_FRAME_MACS 2
/* Or copies of one probe, which is sent once a second at most (RFC 4861 10: RetransTimer). */
#define PROBES 3
/* When nothing but MLD reports repeats, a frame of somebody else tells a loop from network cards in trouble. */
#define WAIT_NS (2 * NS_PER_S)
#define DOUBLINGS 3
#define QUIET_COPIES 2
/* What hosts say twice or more within a second keeps no loop open (RFC 9777 9.1: seven times at most). */
#define CONFORMING 7
#define CLEAR_NS (30 * NS_PER_S)
/* Baseline: seconds of which the mean is made. */
#define BASELINE_SECONDS 64
#define SHOWN 4
#define ABOUT 8 /* a larger number of machines is an estimate */
#define VLANS 6
#define JOINED 16

struct segment {
	uint64_t sec;
	uint32_t n, before;   /* multicast messages of this second, of the one before */
	uint32_t baseline_64; /* mean a second, in 64ths */
};

struct state {
	struct segment segment[ICS_SEGMENTS_MAX];
	uint16_t home[ICS_SEGMENTS_MAX]; /* id plus one of the segment whose finding is about this one too; 0: none */
};

enum variant { COPIES_OF_ALL, ONE, PROBE, AMPLIFY };

static const char *const names[] = {
	[COPIES_OF_ALL] = "copies", [ONE] = "frame_rate", [PROBE] = "looped_probe", [AMPLIFY] = "amplify"};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted;
	uint32_t peak; /* copies of one frame a second */
	uint32_t rate, baseline;
	uint64_t copies, high_ns;
	uint32_t min_gap_ns;
	uint32_t ports;
	unsigned doublings, factor;
	unsigned n_macs, n_vlans;
	struct ics_mac mac[SHOWN];
	uint16_t vlan[VLANS];
	unsigned n_joined;
	uint32_t joined[JOINED]; /* segments: the loop goes through them */
	struct ics_hll macs, frames;
};

/* ---- wording ---- */

static void
mac_list(const struct episode *e, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < e->n_macs; i++) {
		char mac[ICS_MAC_STRLEN];

		len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s", i != 0 ? ", " : "",
					ics_mac_format(&e->mac[i], mac));
	}
}

static void
vlan_list(const struct episode *e, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < e->n_vlans; i++)
		len += e->vlan[i] == ICS_VLAN_NONE
			       ? (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%suntagged", i != 0 ? "," : "")
			       : (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%u", i != 0 ? "," : "",
						  e->vlan[i]);
}

static void
say(struct ics_anomaly *a, const struct episode *e, const char *vlans, const char *ports)
{
	a->says[0] = '\0';
	if (e->variants == 1u << PROBE)
		ics_say(a,
			"Layer-2 loop on VLAN %s: a probe for a duplicate address came back %u times within a second. ",
			vlans, e->peak);
	else
		ics_say(a, "Layer-2 loop on VLAN %s: frames of %s%llu machine%s repeat up to %u times a second%s. ",
			vlans, ics_hll_count(&e->macs) > ABOUT ? "about " : "",
			(unsigned long long)ics_hll_count(&e->macs), ics_hll_count(&e->macs) == 1 ? "" : "s", e->peak,
			e->variants & 1u << AMPLIFY ? " and multiply" : "");
	ics_say(a,
		"Each multicast frame loads every host and the CPUs of the switches, until the spanning tree starves. "
		"Check "
		"STP/BPDU starvation and shut one of the ports that close the loop; copies arrive at tap port %s.",
		ports);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], vlans[ICS_FACT_TEXT_LEN], ports[ICS_FACT_TEXT_LEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = ICS_SEV_CRITICAL;
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	mac_list(e, text);
	ics_fact_set_text(a, "first_macs", "%s", text);
	ics_fact_set_uint(a, "macs", ics_hll_count(&e->macs));
	ics_fact_set_uint(a, "frames", ics_hll_count(&e->frames));
	ics_fact_set_uint(a, "copies", e->copies / (e->factor != 0 ? e->factor : 1));
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "multicast_per_s", e->rate);
	ics_fact_set_uint(a, "baseline_per_s", e->baseline);
	if (e->min_gap_ns != UINT32_MAX)
		ics_fact_set_uint(a, "min_gap_us", e->min_gap_ns / 1000);
	if (e->doublings >= DOUBLINGS)
		ics_fact_set_seconds(a, "doubling_time", 100);
	vlan_list(e, vlans);
	ics_fact_set_text(a, "vlans", "%s", vlans);
	ics_fact_set_text(a, "ports", "%s", ics_detect_port_list(e->ports, ports));
	if (e->factor > 1)
		ics_fact_set_uint(a, "feed_factor", e->factor);
	say(a, e, vlans, ports);
}

/* ---- the segment ---- */

/* Counts multicast; the baseline leaves out seconds that are far above it. */
static uint32_t
count(struct segment *s, uint64_t sec, uint32_t n)
{
	if (sec > s->sec) {
		uint32_t limit = s->baseline_64 / BASELINE_SECONDS * BASELINE_FACTOR;
		uint64_t quiet = sec - s->sec - 1;

		if (s->sec == 0)
			s->baseline_64 = 0;
		else if (s->n <= limit || s->n <= BASELINE_LEAST * BASELINE_FACTOR)
			s->baseline_64 += s->n - s->baseline_64 / BASELINE_SECONDS;
		for (; quiet != 0 && s->baseline_64 != 0 && quiet < BASELINE_SECONDS; quiet--)
			s->baseline_64 -= s->baseline_64 / BASELINE_SECONDS;
		if (quiet >= BASELINE_SECONDS)
			s->baseline_64 = 0;
		s->before = sec == s->sec + 1 ? s->n : 0;
		s->n = 0;
		s->sec = sec;
	}
	s->n += n;
	return s->n > s->before ? s->n : s->before;
}

static uint32_t
baseline_of(const struct segment *s)
{
	uint32_t mean = s->baseline_64 / BASELINE_SECONDS;

	return mean > BASELINE_LEAST ? mean : BASELINE_LEAST;
}

/* All repeat: enough of them, for long enough, and it is clear that it is not their network cards. */
static bool
is_chorus(const struct ics_detector *d, uint32_t segment, uint32_t per_s, unsigned macs, uint64_t now_ns)
{
	struct ics_chorus c;

	ics_detect_chorus(d, segment, per_s, TRANSIENT_MS, &c);
	/* Two that go on like this, and it is no network card: a small network, or a loop that just began. */
	if (c.macs < macs)
		return c.macs >= ICS_DUET_MACS && c.other_kind && now_ns >= c.since_ns + WAIT_NS;
	return c.other_kind || !c.others_speak || now_ns >= c.since_ns + WAIT_NS;
}

/* A frame so often that it alone stands out, and more of the others than there use to be. */
static bool
is_one_frame(const struct ics_detector *d, const struct ics_segment *seg, const struct ics_frame_count *f,
	     uint32_t rate, unsigned factor, uint64_t now_ns)
{
	const struct segment *s = &((const struct state *)d->state)->segment[seg->id];
	const struct ics_repeater *all[ICS_REPEATERS];
	uint32_t per_s = ics_frame_per_s(f, factor), own = 0;
	unsigned n;

	if (per_s < ONE_FRAME)
		return false;
	n = ics_model_repeaters(d->model, seg->id, all);
	for (unsigned i = 0; i < n; i++)
		if (ics_mac_equal(&all[i]->mac, &f->smac) || ics_repeater_is_alone(all[i]))
			own += all[i]->per_s;
	rate /= factor;
	if (rate < own || rate - own < BASELINE_FACTOR * baseline_of(s) / factor)
		return false;
	return is_chorus(d, seg->id, ICS_REPEATER_MIN, ONE_FRAME_MACS, now_ns);
}

static bool
has_nonce(const struct ics_msg *msg)
{
	static const uint8_t none[6];
	uint8_t nonce[6];

	ics_msg_nonce(msg, nonce);
	return memcmp(nonce, none, sizeof(none)) != 0;
}

/* Only while the probe is at hand, or its nonce was seen in it: a second one is never sent within a second. */
static bool
is_probe(const struct ics_frame_count *f, const struct ics_msg *msg, unsigned factor)
{
	if (msg == NULL || f->class != ICS_CLASS_nd_ns || !ics_ip6_is_unspecified(msg->src.b))
		return false;
	return ics_frame_per_s(f, factor) >= PROBES && f->last_ns - f->run_ns >= TRANSIENT_MS * NS_PER_MS &&
	       has_nonce(msg);
}

static void
join(struct ics_detector *d, struct episode *e, uint32_t segment, uint64_t now_ns)
{
	struct state *st = d->state;

	if (st->home[segment] != 0 || e->n_joined == JOINED)
		return;
	e->joined[e->n_joined++] = segment;
	st->home[segment] = (uint16_t)(e->ep.segment + 1);
	d->shared->l2_loop[segment] = 1;
	d->shared->l2_loop_ns[segment] = now_ns;
}

/* Of a loop through one of the places where the frame came in. */
static struct episode *
episode_of(struct ics_detector *d, const struct ics_frame_count *f)
{
	static const struct ics_ip whole_segment;
	const struct state *st = d->state;

	for (unsigned i = 0; i < f->n_segments; i++)
		if (st->home[f->segment[i]] != 0)
			return (struct episode *)ics_episode_find(d, st->home[f->segment[i]] - 1u, &whole_segment);
	return NULL;
}

static struct episode *
open_episode(struct ics_detector *d, const struct ics_segment *seg, uint64_t now_ns)
{
	static const struct ics_ip whole_segment;
	struct episode *e = (struct episode *)ics_episode_open_as(d, seg, &whole_segment, "scope", "segment");

	if (e == NULL)
		return NULL;
	e->muted = true;
	e->min_gap_ns = UINT32_MAX;
	ics_hll_init(&e->macs, ics_hash_mix(d->seed, 2));
	ics_hll_init(&e->frames, ics_hash_mix(d->seed, 3));
	join(d, e, seg->id, now_ns);
	return e;
}

static void
note_mac(struct episode *e, const struct ics_mac *mac)
{
	if (!ics_hll_add(&e->macs, mac->b, 6) && e->n_macs != 0)
		return;
	for (unsigned i = 0; i < e->n_macs; i++)
		if (ics_mac_equal(&e->mac[i], mac))
			return;
	if (e->n_macs < SHOWN)
		e->mac[e->n_macs++] = *mac;
}

static void
note_vlan(struct episode *e, uint16_t vlan)
{
	for (unsigned i = 0; i < e->n_vlans; i++)
		if (e->vlan[i] == vlan)
			return;
	if (e->n_vlans < VLANS)
		e->vlan[e->n_vlans++] = vlan;
}

static void
note_chorus(struct ics_detector *d, struct episode *e)
{
	struct ics_chorus c;

	ics_detect_chorus(d, e->ep.segment, ICS_REPEATER_MIN, 0, &c);
	for (unsigned i = 0; i < c.macs; i++) {
		note_mac(e, &c.who[i]->mac);
		ics_hll_add(&e->frames, &c.who[i]->hash, sizeof(c.who[i]->hash));
	}
}

/* Of this frame and of those that repeat with it, until now. */
static uint64_t
all_copies(const struct ics_detector *d, uint32_t segment, const struct ics_frame_count *f)
{
	uint64_t n = f->total;
	struct ics_chorus c;

	ics_detect_chorus(d, segment, ICS_REPEATER_MIN, 0, &c);
	for (unsigned i = 0; i < c.macs; i++) {
		const struct ics_frame_count *other = ics_model_frame(d->model, c.who[i]->hash);

		if (other != NULL && other != f)
			n += other->total;
	}
	return n;
}

static void
judge(struct ics_detector *d, const struct ics_segment *seg, const struct ics_frame_count *f, uint32_t n,
      const struct ics_msg *msg, const struct ics_record *rec)
{
	static const struct ics_ip whole_segment;
	struct state *st = d->state;
	uint64_t now = ics_model_clock(d->model)->now_ns;
	uint32_t rate = count(&st->segment[seg->id], now / NS_PER_S, n), variants = 0, per_s;
	struct episode *e = d->episodes.count != 0 ? episode_of(d, f) : NULL;
	unsigned factor;
	const struct ics_repeater *r;

	if (e == NULL && f->total < PROBES)
		return;
	factor = ics_model_feed_factor(d->model, seg->id);
	per_s = ics_frame_per_s(f, factor);
	if (per_s < QUIET_COPIES && f->total / factor < QUIET_COPIES)
		return;
	if (per_s >= COPIES && is_chorus(d, seg->id, COPIES, MACS, now))
		variants |= 1u << COPIES_OF_ALL;
	if (is_one_frame(d, seg, f, rate, factor, now))
		variants |= 1u << ONE;
	if (is_probe(f, msg, factor))
		variants |= 1u << PROBE;
	if (e == NULL && variants == 0)
		return;
	if (e == NULL)
		e = open_episode(d, seg, now);
	if (e == NULL)
		return;
	if (f->doublings >= DOUBLINGS) {
		variants |= 1u << AMPLIFY;
		e->doublings = f->doublings;
	}
	r = ics_detect_repeater(d, seg->id, &f->smac);
	if (variants == 0 && r != NULL && ics_repeater_is_alone(r))
		return; /* a machine of its own trouble does not keep the loop open */
	if (variants == 0 && per_s <= CONFORMING && now > e->high_ns + NS_PER_S)
		return;
	e->variants |= variants;
	e->factor = factor;
	if (variants != 0 || per_s > CONFORMING)
		e->high_ns = now;
	if (per_s > e->peak)
		e->peak = per_s;
	if (rate / factor > e->rate)
		e->rate = rate / factor;
	e->baseline = baseline_of(&st->segment[seg->id]) / factor;
	if (e->ep.a->count == 0)
		e->copies = all_copies(d, seg->id, f);
	else
		e->copies += f->added;
	if (f->min_gap_ns < e->min_gap_ns)
		e->min_gap_ns = f->min_gap_ns;
	e->ports |= f->ports;
	for (unsigned i = 0; i < f->n_segments; i++)
		join(d, e, f->segment[i], now);
	for (unsigned i = 0; i < f->n_segments; i++)
		note_vlan(e, ics_model_segment(d->model, f->segment[i])->key.vlan_outer);
	note_mac(e, &f->smac);
	ics_hll_add(&e->frames, &f->hash, sizeof(f->hash));
	note_chorus(d, e);
	e->muted &= ics_detect_is_muted(d, &seg->key, &whole_segment, &f->smac);
	if (msg != NULL) {
		ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->muted << 8);
		return;
	}
	ics_episode_add_copies(&e->ep, rec, e->variants | (uint64_t)e->muted << 8);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	if (c->frame != NULL && c->frame->multicast)
		judge(d, c->segment, c->frame, 1 + msg->rec->repeats, msg, msg->rec);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	const struct ics_frame_count *f = ics_model_frame(d->model, rec->frame_hash);

	if (f != NULL && f->multicast)
		judge(d, seg, f, 1 + rec->repeats, NULL, rec);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->high_ns + CLEAR_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	struct state *st = d->state;

	if (now_ns < due(ep))
		return true;
	for (unsigned i = 0; i < e->n_joined; i++) {
		st->home[e->joined[i]] = 0;
		d->shared->l2_loop[e->joined[i]] = 0;
	}
	ics_episode_close(ep);
	return false;
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(1, sizeof(struct state));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

const struct ics_detector_ops ics_det_l2_loop = {
	.classes = 1ull << ICS_CLASS_nd_rs | 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_ns |
		   1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_redirect | 1ull << ICS_CLASS_mld_query |
		   1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld1_done | 1ull << ICS_CLASS_mld2_report |
		   1ull << ICS_CLASS_mrd,
	.invalid_too = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_MULTICAST,
	.copies = on_copies,
	.render = render,
	.timer = on_timer,
	.due = due,
};
