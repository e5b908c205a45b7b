/* Too many neighbor solicitations, advertisements or router solicitations: from one MAC for three seconds on end (RFC 4861
 * 7.3.3 asks for one a second and neighbor), more router solicitations in a minute than 6.3.7 allows in all, too many
 * of any kind on a segment, or a stream of stations and addresses that nobody probed for before they spoke (RFC 4862 5.4
 * wants that), which is how tools invent them. A station that answers what it is asked is the one that suffers, and is
 * told so. Called for each such message, invalid ones included.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { NS, NA, RS, KINDS };

static const char *const kind_names[] = {"neighbor solicitations", "neighbor advertisements", "router solicitations"};

/* A second, of one MAC; of a router where it resolves for many hosts. */
static const uint32_t limit[KINDS] = {50, 50, 5};
#define NS_LIMIT_ROUTER 1000
#define SECONDS 3
#define SEGMENT_LIMIT 5000
/* In a minute, where a second in which one and the same solicitation came again counts once: a host leaves four seconds
 * between two (RFC 4861 10: RTR_SOLICITATION_INTERVAL), and what comes within milliseconds is a copy made on the way.
 */
#define RS_MINUTE 10
/* Stations never heard and addresses never probed for, within a second. That of a tap that has just begun to listen all
 * are is what the learning time is for.
 */
#define INVENTED 200
#define CRITICAL_FACTOR 10
#define CLEAR_PERCENT 20
#define CLEAR_NS (30 * NS_PER_S)

/* Rates of MACs: a cache of 16,384 in pairs by their hash. One that is busy in this second gives way only to
 * another that is as busy.
 */
#define SLOTS 16384
#define COPIES 1024

/* A pair is a cache line. */
struct slot {
	uint32_t tag, sec;
	uint32_t n[KINDS];
	uint8_t over[KINDS]; /* seconds on end above the limit, this one not included */
	uint8_t rs_minute;
	uint32_t minute_sec;
	uint32_t rs_sec; /* of the latest solicitation that counted for the minute */
};

struct segment_rate {
	uint32_t sec, n, over;
	uint32_t ns, ns_before; /* solicitations of this second and of the one before */
	uint32_t invented;
	uint64_t invented_ns;
};

struct copy {
	uint64_t frame_hash;
	uint32_t slot, tag;
	uint8_t kind;
	bool router, solicited;
	struct ics_mac mac;
};

struct state {
	_Alignas(64) struct slot slot[SLOTS];
	struct segment_rate segment[ICS_SEGMENTS_MAX];
	struct copy copy[COPIES];
};

enum variant { V_NS, V_NA, V_RS, RS_REPEATED, SEGMENT, INVENTED_SOURCES, ASKED };

static const char *const names[] = {
	[V_NS] = "ns",         [V_NA] = "na",
	[V_RS] = "rs",         [RS_REPEATED] = "rs_repeated",
	[SEGMENT] = "segment", [INVENTED_SOURCES] = "invented",
	[ASKED] = "asked",
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted, has_mac;
	struct ics_mac mac;
	enum kind kind;
	uint32_t peak, limit; /* messages a second */
	uint64_t messages, high_ns;
	struct ics_hll sources, targets, macs;
};

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char mac[ICS_MAC_STRLEN];

	a->says[0] = '\0';
	if (!e->has_mac) {
		if (e->variants & 1u << INVENTED_SOURCES)
			ics_say(a,
				"Invented stations flood this segment: at least %u a second that nobody heard or "
				"probed for "
				"before, about %llu MACs so far. Neighbor caches and MAC tables fill up and real "
				"entries are "
				"pushed out. Find the port on which these MACs appear and limit MACs per port.",
				e->peak, (unsigned long long)ics_hll_count(&e->macs));
		else
			ics_say(a,
				"Neighbor Discovery at %u messages a second on this segment, from about %llu MACs. "
				"Every host "
				"spends time on it. Look for a loop, or limit ND on the switch ports.",
				e->peak, (unsigned long long)ics_hll_count(&e->macs));
		return;
	}
	ics_mac_format(&e->mac, mac);
	if (e->variants == 1u << RS_REPEATED)
		ics_say(a,
			"%s sent %u router solicitations within a minute, three are allowed. It hears no answer: check "
			"that "
			"advertisements reach it, and its driver.",
			mac, e->peak);
	else if (e->variants == 1u << ASKED)
		ics_say(a,
			"%s is made to answer %u neighbor solicitations a second: as many are sent on this segment, by "
			"stations that ask no more than others each. Its processor and its neighbor cache are busy "
			"with them. Find the ports on which those who ask appear, and limit MACs per port.",
			mac, e->peak);
	else
		ics_say(a,
			"%s floods %s at %u a second. Every host that listens spends time on it, and neighbor caches "
			"fill. "
			"Look at what runs on that machine, or find its port and limit it.",
			mac, kind_names[e->kind], e->peak);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = e->variants != 1u << RS_REPEATED && e->peak >= CRITICAL_FACTOR * e->limit ? ICS_SEV_CRITICAL
												: ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, e->variants == 1u << RS_REPEATED ? "per_minute" : "peak_per_s", e->peak);
	ics_fact_set_uint(a, "limit", e->limit);
	ics_fact_set_uint(a, "sources", ics_hll_count(&e->sources));
	ics_fact_set_uint(a, "targets", ics_hll_count(&e->targets));
	ics_fact_set_uint(a, "macs", ics_hll_count(&e->macs));
	say(a, e);
}

static struct episode *
episode_of(struct ics_detector *d, const struct ics_segment *seg, const struct ics_mac *mac, bool open)
{
	static const struct ics_ip whole_segment;
	struct ics_ip key = mac != NULL ? ics_episode_key_of_mac(mac) : whole_segment;
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	char text[ICS_MAC_STRLEN];

	if (e != NULL || !open)
		return e;
	if (mac != NULL && d->shared->nd_flood[seg->id]) {
		d->info.suppressed++;
		return NULL;
	}
	e = (struct episode *)ics_episode_open_as(d, seg, &key, mac != NULL ? "mac" : "scope",
						  mac != NULL ? ics_mac_format(mac, text) : "segment");
	if (e == NULL)
		return NULL;
	e->muted = true;
	if (mac != NULL) {
		e->has_mac = true;
		e->mac = *mac;
	} else {
		d->shared->nd_flood[seg->id] = 1;
	}
	ics_hll_init(&e->sources, ics_hash_mix(d->seed, 2));
	ics_hll_init(&e->targets, ics_hash_mix(d->seed, 3));
	ics_hll_init(&e->macs, ics_hash_mix(d->seed, 4));
	return e;
}

static void
note(struct ics_detector *d, struct episode *e, const struct ics_segment *seg, enum variant v, uint32_t rate,
     uint32_t limit_per_s, uint64_t now_ns)
{
	if (v <= V_RS || v == ASKED)
		e->kind = v == ASKED ? NA : (enum kind)v;
	if (v != RS_REPEATED)
		e->variants &= ~(1u << RS_REPEATED);
	if (v != RS_REPEATED || e->variants == 0)
		e->variants |= 1u << v;
	if (rate > e->peak)
		e->peak = rate;
	e->limit = limit_per_s;
	e->high_ns = now_ns;
	e->muted &= ics_detect_is_muted(d, &seg->key, &e->ep.addr, e->has_mac ? &e->mac : NULL);
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)e->muted << 8 | (uint64_t)(e->peak >= CRITICAL_FACTOR * e->limit) << 9;
}

static void
take_in(struct episode *e, const struct ics_msg *msg)
{
	ics_hll_add(&e->sources, msg->src.b, 16);
	if (msg->class != ICS_CLASS_nd_rs)
		ics_hll_add(&e->targets, msg->na.target.b, 16);
	if (msg->has_mac)
		ics_hll_add(&e->macs, msg->smac.b, 6);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* ---- one MAC ---- */

static uint64_t
busyness(const struct slot *s, uint32_t sec)
{
	return s->sec != sec ? 0 : (uint64_t)s->n[NS] + s->n[NA] + s->n[RS];
}

static uint64_t
hash_of(const struct ics_detector *d, uint32_t segment, const uint8_t *mac)
{
	uint32_t first, last;

	memcpy(&first, mac, 4);
	memcpy(&last, mac + 2, 4);
	return ics_hash_mix(((uint64_t)segment << 32 | last) ^ d->seed, first + d->seed);
}

static void
on_ahead(struct ics_detector *d, uint32_t segment, const uint8_t *macs)
{
	const struct state *st = d->state;

	__builtin_prefetch(&st->slot[hash_of(d, segment, macs + 6) % (SLOTS / 2) * 2], 1);
}

static struct slot *
slot_of(struct state *st, uint64_t hash, uint32_t sec)
{
	struct slot *s = &st->slot[hash % (SLOTS / 2) * 2];
	uint32_t tag = (uint32_t)(hash >> 32) | 1;

	if (s[0].tag == tag)
		return &s[0];
	if (s[1].tag == tag)
		return &s[1];
	if (busyness(&s[1], sec) < busyness(&s[0], sec) || (s[1].sec < s[0].sec))
		s++;
	if (busyness(s, sec) > limit[RS]) {
		/* As in a space-saving count: the resident pays for each visitor. */
		for (unsigned k = 0; k < KINDS; k++)
			s->n[k] -= s->n[k] != 0;
		return NULL;
	}
	*s = (struct slot){.tag = tag, .sec = sec, .minute_sec = sec};
	return s;
}

static uint32_t
limit_of(enum kind k, bool router)
{
	return k == NS && router ? NS_LIMIT_ROUTER : limit[k];
}

static void
count_solicitation(struct slot *s, bool copy, uint32_t sec)
{
	if (sec - s->minute_sec >= 60) {
		s->minute_sec = sec;
		s->rs_minute = 0;
	}
	if (copy && s->rs_sec == sec)
		return;
	s->rs_sec = sec;
	s->rs_minute += s->rs_minute != UINT8_MAX;
}

/* Adds n messages, copies of one that went before or not; true when this makes or keeps it a flood, with the variant
 * and rate.
 */
static bool
add(struct slot *s, enum kind k, uint32_t n, bool copy, bool router, uint32_t sec, enum variant *v, uint32_t *rate)
{
	if (s->sec != sec) {
		for (unsigned i = 0; i < KINDS; i++) {
			bool over = s->sec + 1 == sec && s->n[i] > limit_of((enum kind)i, router);

			s->over[i] = !over ? 0 : s->over[i] < SECONDS ? s->over[i] + 1 : SECONDS;
			s->n[i] = 0;
		}
		s->sec = sec;
	}
	s->n[k] += n;
	if (k == RS)
		count_solicitation(s, copy, sec);
	if (s->n[k] > limit_of(k, router) && s->over[k] >= SECONDS - 1) {
		*v = (enum variant)k;
		*rate = s->n[k];
		return true;
	}
	if (k != RS)
		return false;
	*v = RS_REPEATED;
	*rate = s->rs_minute;
	return s->rs_minute > RS_MINUTE;
}

static uint32_t
limit_for(enum variant v, bool router)
{
	return v == RS_REPEATED ? RS_MINUTE : limit_of(v == ASKED ? NA : (enum kind)v, router);
}

/* ---- the segment ---- */

static bool
is_invented(const struct ics_msg *msg, const struct ics_change *c)
{
	if (!c->new_host && !c->new_address)
		return false;
	return msg->class == ICS_CLASS_nd_na || !ics_ip6_is_unspecified(msg->src.b);
}

static void
on_segment(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, uint32_t n, uint32_t sec)
{
	struct state *st = d->state;
	struct segment_rate *r = &st->segment[c->segment->id];
	struct episode *e = d->shared->nd_flood[c->segment->id] ? episode_of(d, c->segment, NULL, false) : NULL;
	bool over, invented = false;

	if (r->sec != sec) {
		r->ns_before = r->sec + 1 == sec ? r->ns : 0;
		r->ns = 0;
		r->over = r->sec + 1 == sec && r->n > SEGMENT_LIMIT ? r->over + 1 : 0;
		r->n = 0;
		r->sec = sec;
	}
	r->n += n;
	if (msg->class == ICS_CLASS_nd_ns)
		r->ns += n;
	over = r->n > SEGMENT_LIMIT && r->over >= SECONDS - 1;
	if (is_invented(msg, c)) {
		if (msg->ts_ns >= r->invented_ns + NS_PER_S) {
			r->invented = 0;
			r->invented_ns = msg->ts_ns;
		}
		invented = ++r->invented >= INVENTED && !ics_model_is_learning(d->model, c->segment);
	}
	if (e == NULL && (over || invented))
		e = episode_of(d, c->segment, NULL, true);
	if (e == NULL)
		return;
	if (invented)
		note(d, e, c->segment, INVENTED_SOURCES, r->invented, INVENTED, msg->ts_ns);
	else if (over)
		note(d, e, c->segment, SEGMENT, r->n, SEGMENT_LIMIT, msg->ts_ns);
	else if (r->invented * 100 > INVENTED * CLEAR_PERCENT || r->n * 100ull > SEGMENT_LIMIT * CLEAR_PERCENT)
		e->high_ns = msg->ts_ns;
	take_in(e, msg);
}

/* Each answer has its question, perhaps of the second before. */
static bool
is_asked(const struct segment_rate *r, bool solicited, uint32_t rate)
{
	return solicited && r->ns + r->ns_before >= rate;
}

static void
on_mac(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, enum kind k, uint32_t n,
       uint32_t sec)
{
	struct state *st = d->state;
	struct slot *s = slot_of(st, hash_of(d, c->segment->id, msg->smac.b), sec);
	struct episode *e;
	struct copy *copy;
	enum variant v;
	uint32_t rate;
	bool router = false;

	if (s == NULL)
		return;
	/* Who routes is looked up only for those it could excuse. */
	if (k == NS && s->n[NS] + n > limit[NS])
		router = ics_detect_is_router_mac(d, c->segment->id, &msg->smac);
	copy = &st->copy[msg->rec->frame_hash % COPIES];
	*copy = (struct copy){.frame_hash = msg->rec->frame_hash,
			      .slot = (uint32_t)(s - st->slot),
			      .tag = s->tag,
			      .kind = (uint8_t)k,
			      .router = router,
			      .solicited = k == NA && (msg->na.flags & ICS_NA_FLAG_SOLICITED),
			      .mac = msg->smac};
	if (add(s, k, n, c->frame != NULL && c->frame->heard > n, router, sec, &v, &rate)) {
		if (v == V_NA && is_asked(&st->segment[c->segment->id], copy->solicited, rate))
			v = ASKED;
		e = episode_of(d, c->segment, &msg->smac, true);
		if (e == NULL)
			return;
		note(d, e, c->segment, v, rate, limit_for(v, router), msg->ts_ns);
		take_in(e, msg);
	} else if (d->episodes.count != 0 && (e = episode_of(d, c->segment, &msg->smac, false)) != NULL) {
		if (s->n[k] * 100ull > limit_of(k, router) * CLEAR_PERCENT)
			e->high_ns = msg->ts_ns;
		take_in(e, msg);
	}
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	uint32_t sec = (uint32_t)(msg->ts_ns / NS_PER_S), n = 1 + msg->rec->repeats;
	enum kind k = msg->class == ICS_CLASS_nd_ns ? NS : msg->class == ICS_CLASS_nd_na ? NA : RS;

	on_segment(d, msg, c, n, sec);
	if (msg->has_mac)
		on_mac(d, msg, c, k, n, sec);
}

/* Copies come without their frame, late by up to a second, for the second in which they were. */
static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	const struct copy *copy = &st->copy[rec->frame_hash % COPIES];
	uint64_t now = ics_model_clock(d->model)->now_ns;
	struct episode *e;
	enum variant v;
	struct slot *s;
	uint32_t rate;

	if (rec->class == ICS_CLASS_nd_ns)
		st->segment[seg->id].ns += 1 + rec->repeats;
	if (rec->frame_hash == 0 || copy->frame_hash != rec->frame_hash || st->slot[copy->slot].tag != copy->tag)
		return;
	s = &st->slot[copy->slot];
	if (!add(s, (enum kind)copy->kind, 1 + rec->repeats, true, copy->router, s->sec, &v, &rate))
		return;
	if (v == V_NA && is_asked(&st->segment[seg->id], copy->solicited, rate))
		v = ASKED;
	e = episode_of(d, seg, &copy->mac, true);
	if (e == NULL)
		return;
	note(d, e, seg, v, rate, limit_for(v, copy->router), now);
	ics_hll_add(&e->macs, copy->mac.b, 6);
	ics_episode_add_copies(&e->ep, rec, signature_of(e));
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

	if (now_ns < due(ep))
		return true;
	if (!e->has_mac)
		d->shared->nd_flood[ep->segment] = 0;
	ics_episode_close(ep);
	return false;
}

static int
init(struct ics_detector *d)
{
	/* Each pair on a line of its own. */
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

const struct ics_detector_ops ics_det_nd_flood = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_rs,
	.invalid_too = true,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.ahead = on_ahead,
	.copies = on_copies,
	.render = render,
	.timer = on_timer,
	.due = due,
};
