/* TCP flows that are looked at: an entry for both directions, in sets of eight. One segment of each direction is watched
 * at a time, the first full-size one that is not acknowledged: does it come again, is it acknowledged, or what is sent of
 * it in shorter packets (RFC 2923 2.1, 4821 3, 9293 3.7.1)? Full-size: not to be fragmented, more than any path carries, and within a few octets of
 * the longest of this minute. Called by sampler.c for what the table of recent flows does not settle.
 */
#include "sampler.h"

/* Lengths that far apart are the same: options of TCP come and go. */
#define ABOUT 8
/* Longer than what every path has to carry (RFC 791, 8200 5). */
#define FULL_OVER4 576
#define FULL_OVER6 1280
/* What an end without the option takes (RFC 9293 3.7.1). */
#define MSS_DEFAULT4 536
#define MSS_DEFAULT6 1220
/* Copies of a segment that are closer in time were made by the tap. */
#define COPY_GAP_MS 48
/* A watched segment of a direction whose acknowledgements the tap does not see. */
#define BLIND_MS 1000
#define MINUTE_SHIFT 16 /* of ms */
#define PUSH_OUT_MS 10000
/* Options of a header that are looked at: it has at most 40 octets of them. */
#define OPTIONS_MAX 40

static bool
is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static uint32_t
idle_ms(const struct flow *e, uint32_t now_ms)
{
	int32_t d = (int32_t)(now_ms - e->last_ms);

	return d > 0 ? (uint32_t)d : 0;
}

static bool
is_idle(const struct flow *e, uint32_t now_ms)
{
	uint32_t limit = e->side[0].flags & e->side[1].flags & SIDE_SEEN ? FLOW_IDLE_MS : FLOW_HALF_IDLE_MS;

	return idle_ms(e, now_ms) >= (e->side[0].n | e->side[1].n ? FLOW_IDLE_MS : limit);
}

static void
drop_flow(struct ics_sampler *s, struct flow *e)
{
	s->tag[e - s->flow] = 0;
	s->used--;
	atomic_store_explicit(&s->flows, s->used, memory_order_relaxed);
}

static uint32_t
tag_of(const struct seg *g)
{
	uint32_t t = (uint32_t)(g->place >> 32);

	return t != 0 ? t : 1;
}

/* Which of a full set goes: an idle one, else the one that was quiet the longest and waits for nothing. */
static struct flow *
victim(struct flow *set, uint32_t now_ms)
{
	struct flow *oldest = NULL;

	for (unsigned i = 0; i < FLOW_WAYS; i++) {
		struct flow *e = &set[i];

		if (is_idle(e, now_ms))
			return e;
		if (((e->side[0].flags | e->side[1].flags) & SIDE_WATCH) == 0 && idle_ms(e, now_ms) >= PUSH_OUT_MS &&
		    (oldest == NULL || idle_ms(e, now_ms) > idle_ms(oldest, now_ms)))
			oldest = e;
	}
	return oldest;
}

/* first: the set. */
static struct flow *
make_flow(struct ics_sampler *s, uint32_t first, uint32_t tag, const struct seg *g)
{
	struct flow *set = &s->flow[first], *e = NULL;

	for (unsigned i = 0; i < FLOW_WAYS && e == NULL; i++)
		if (s->tag[first + i] == 0)
			e = &set[i];
	if (e == NULL) {
		e = victim(set, g->now_ms);
		if (e == NULL) {
			ics_count_add(&s->flows_refused, 1);
			return NULL;
		}
		ics_count_add(&s->flows_evicted, 1);
		drop_flow(s, e);
	}
	memset(e, 0, sizeof(*e));
	s->tag[e - s->flow] = tag;
	e->last_ms = g->now_ms;
	e->side[0].flags = e->side[1].flags = g->now_ms >> MINUTE_SHIFT & SIDE_MINUTE;
	s->used++;
	atomic_store_explicit(&s->flows, s->used, memory_order_relaxed);
	return e;
}

static struct flow *
find_flow(struct ics_sampler *s, uint32_t first, uint32_t tag)
{
	for (unsigned i = 0; i < FLOW_WAYS; i++)
		if (s->tag[first + i] == tag)
			return &s->flow[first + i];
	return NULL;
}

void
ics_sample_flow_sweep(struct ics_sampler *s, uint32_t now_ms)
{
	for (unsigned i = 0; i < SWEEP_SETS * FLOW_WAYS; i++) {
		struct flow *e = &s->flow[s->sweep_at];
		bool taken = s->tag[s->sweep_at] != 0;

		s->sweep_at = (s->sweep_at + 1) % ICS_SAMPLE_FLOWS;
		if (taken && is_idle(e, now_ms))
			drop_flow(s, e);
	}
}

/* ---- options ---- */

/* Offset of option `kind` with at least len octets, 0 when it is not there: it never is in the first octet of a header. */
static uint32_t
find_option(struct ics_view o, uint8_t kind, uint32_t len, uint32_t *option_len)
{
	uint32_t off = 0;

	for (unsigned i = 0; i < OPTIONS_MAX && off < o.len; i++) {
		uint8_t k = ics_view_u8(o, off), n = ics_view_u8(o, off + 1);

		if (k == 0)
			break;
		if (k == 1) {
			off++;
			continue;
		}
		if (n < 2 || !ics_view_has(o, off, n))
			break;
		if (k == kind && n >= len) {
			*option_len = n;
			return off + 2;
		}
		off += n;
	}
	return 0;
}

static uint16_t
mss_of(const struct seg *g)
{
	uint32_t n, at = find_option(g->options, 2, 4, &n);
	uint16_t mss = at != 0 ? ics_view_be16(g->options, at) : 0;

	return mss != 0 ? mss : g->is6 ? MSS_DEFAULT6 : MSS_DEFAULT4;
}

/* RFC 2018 3. Blocks behind the watched segment: was as much as a full-size segment received there, or less? */
static void
look_at_sack(struct side *x, const struct seg *g)
{
	uint32_t payload = x->len - x->hdr, n, at = find_option(g->options, 5, 10, &n);

	if (at == 0)
		return;
	for (uint32_t i = 0; i + 8 <= n - 2; i += 8) {
		uint32_t left = ics_view_be32(g->options, at + i), right = ics_view_be32(g->options, at + i + 4);

		if (!is_after(right, x->seq + payload) || !is_after(right, left))
			continue;
		x->flags |= right - left >= payload ? SIDE_SACK_FULL : SIDE_SACK_SMALL;
	}
}

/* ---- what is told ---- */

static uint16_t
flags_of(const struct flow *e, unsigned d)
{
	static const struct {
		uint16_t side, sample;
	} map[] = {
		{SIDE_SACK_SMALL, ICS_SAMPLE_SACK_SMALL}, {SIDE_SACK_FULL, ICS_SAMPLE_SACK_FULL},
		{SIDE_HEARD, ICS_SAMPLE_PEER_HEARD},      {SIDE_ZERO, ICS_SAMPLE_ZERO_WINDOW},
		{SIDE_ACKED, ICS_SAMPLE_FULL_ACKED},      {SIDE_SUPER, ICS_SAMPLE_SUPER},
	};
	const struct side *x = &e->side[d];
	uint16_t flags = 0;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(map); i++)
		flags |= x->flags & map[i].side ? map[i].sample : 0;
	if (x->mss != 0 && e->side[!d].mss != 0)
		flags |= ICS_SAMPLE_HANDSHAKE;
	if (e->side[!d].flags & SIDE_SEEN)
		flags |= ICS_SAMPLE_BOTH_WAYS;
	return flags;
}

/* About side d of the flow. */
static void
tell(struct ics_sampler *s, const struct flow *e, const struct seg *g, unsigned d, enum ics_sample_kind kind,
     uint16_t flags)
{
	const struct side *x = &e->side[d];
	bool of_segment = kind == ICS_SAMPLE_RETX || kind == ICS_SAMPLE_SHRUNK || kind == ICS_SAMPLE_END;
	struct ics_sample m = {
		.kind = (uint8_t)kind,
		.flags = (uint16_t)(flags_of(e, d) | flags),
		.acked_len = x->acked_len,
		.max_len = x->max_len,
		.peer_max_len = e->side[!d].max_len,
		.mss = x->mss,
		.peer_mss = e->side[!d].mss,
	};

	if (of_segment) {
		m.flags |= ICS_SAMPLE_DF;
		m.seq = x->seq;
		m.lasted_ms = (uint32_t)x->last * 16;
		m.n = x->n;
		m.len = x->len;
		m.shrunk_len = kind == ICS_SAMPLE_SHRUNK ? x->other_len : 0;
	} else if (kind == ICS_SAMPLE_SUM && (g->is6 || g->df)) {
		m.flags |= ICS_SAMPLE_DF;
	}
	ics_sample_tell(s, g, &m, (uint8_t)d);
}

/* ---- a segment ---- */

static void
stop_watch(struct side *x)
{
	x->flags &= (uint16_t)~SIDE_OF_SEGMENT;
	x->n = 0;
	x->other_len = 0;
}

static void
note_acked(struct side *x, uint16_t len)
{
	if (len > x->acked_len)
		x->acked_len = len;
}

/* A minute of this direction is over: tells how long its packets were, when they say anything. */
static void
turn_minute(struct ics_sampler *s, struct flow *e, const struct seg *g, unsigned d)
{
	uint16_t minute = g->now_ms >> MINUTE_SHIFT & SIDE_MINUTE;
	struct side *x = &e->side[d];

	if (ics_likely((x->flags & SIDE_MINUTE) == minute))
		return;
	if (x->max_len > FULL_OVER4)
		tell(s, e, g, d, ICS_SAMPLE_SUM, 0);
	x->max_len = 0;
	x->flags = (uint16_t)((x->flags & ~(SIDE_MINUTE | SIDE_ACKED | SIDE_SUPER)) | minute);
}

static void
full_acked(struct ics_sampler *s, struct flow *e, const struct seg *g, unsigned d)
{
	struct side *x = &e->side[d];

	if (x->flags & SIDE_SHRUNK) {
		/* All at once may be for the packet that was thought lost; after so many copies it was not. */
		if (x->n >= 2) {
			note_acked(x, x->other_len);
			tell(s, e, g, d, ICS_SAMPLE_SHRUNK, 0);
			x->max_len = x->other_len;
		}
		stop_watch(x);
		return;
	}
	note_acked(x, x->len);
	stop_watch(x);
	if (!(x->flags & SIDE_ACKED)) {
		x->flags |= SIDE_ACKED;
		tell(s, e, g, d, ICS_SAMPLE_SUM, 0);
	}
}

/* What the packet acknowledges is of the other side. */
static void
take_ack(struct ics_sampler *s, struct flow *e, const struct seg *g)
{
	unsigned d = !g->dir;
	struct side *x = &e->side[d];

	if (g->window == 0)
		x->flags |= SIDE_ZERO;
	else
		x->flags &= (uint16_t)~SIDE_ZERO;
	if (x->n != 0)
		x->flags |= SIDE_HEARD;
	if (!(x->flags & SIDE_UNA) || is_after(g->ack, x->una)) {
		x->una = g->ack;
		x->flags |= SIDE_UNA;
	}
	if (x->flags & SIDE_SMALL) {
		if (!is_after(x->seq, x->una)) {
			note_acked(x, x->other_len);
			stop_watch(x);
		}
		return;
	}
	if (!(x->flags & SIDE_WATCH))
		return;
	if ((x->flags & SIDE_PEND) && !is_after(x->seq, x->una)) {
		note_acked(x, x->other_len);
		x->flags &= (uint16_t)~SIDE_PEND;
		x->other_len = 0;
	}
	if (!is_after(x->seq + (x->len - x->hdr), x->una)) {
		full_acked(s, e, g, d);
	} else if (is_after(x->una, x->seq)) {
		/* In part: only shorter packets can have brought that. */
		if (x->flags & SIDE_SHRUNK) {
			note_acked(x, x->other_len);
			tell(s, e, g, d, ICS_SAMPLE_SHRUNK, 0);
			x->max_len = x->other_len;
		}
		stop_watch(x);
	} else {
		look_at_sack(x, g);
	}
}

static void
watch(struct side *x, const struct seg *g)
{
	bool pend = (x->flags & SIDE_SMALL) && !is_after(x->seq, g->seq);
	uint16_t small = x->other_len;

	if ((x->flags & SIDE_UNA) && is_after(x->una, g->seq))
		return;
	stop_watch(x);
	x->flags |= pend ? SIDE_WATCH | SIDE_PEND : SIDE_WATCH;
	x->other_len = pend ? small : 0;
	x->seq = g->seq;
	x->len = g->ip_len;
	x->hdr = (uint8_t)g->hdr;
	x->first_ms = g->now_ms;
	x->last = 0;
}

/* The watched segment came again, whole or in part. */
static void
again(struct ics_sampler *s, struct flow *e, const struct seg *g)
{
	struct side *x = &e->side[g->dir];
	uint32_t after = (g->now_ms - x->first_ms) / 16;

	if (x->flags & SIDE_PEND) {
		if ((x->flags & SIDE_UNA) && !is_after(x->seq, x->una))
			note_acked(x, x->other_len);
		x->flags &= (uint16_t)~SIDE_PEND;
	}
	if (g->ip_len + ABOUT < x->len) {
		x->flags |= SIDE_SHRUNK;
		x->other_len = g->ip_len;
		return;
	}
	if (after - x->last < COPY_GAP_MS / 16)
		return;
	x->flags &= (uint16_t)~SIDE_SHRUNK;
	x->other_len = 0;
	x->last = (uint16_t)(after < UINT16_MAX ? after : UINT16_MAX);
	if (g->ip_len > x->len)
		x->len = g->ip_len;
	if (x->n < UINT8_MAX)
		x->n++;
	tell(s, e, g, g->dir, ICS_SAMPLE_RETX, 0);
}

static void
take_data(struct ics_sampler *s, struct flow *e, const struct seg *g)
{
	struct side *x = &e->side[g->dir];
	bool full;

	if (g->ip_len > s->conf.link_mtu) {
		x->flags |= SIDE_SUPER;
		return;
	}
	if (g->ip_len > x->max_len)
		x->max_len = g->ip_len;
	full = g->df && g->ip_len > (g->is6 ? FULL_OVER6 : FULL_OVER4) && g->ip_len + ABOUT >= x->max_len;
	if (x->flags & SIDE_WATCH) {
		if (g->seq == x->seq)
			again(s, e, g);
		else if (full && (is_after(x->seq, g->seq) ||
				  (!(e->side[!g->dir].flags & SIDE_SEEN) && g->now_ms - x->first_ms >= BLIND_MS)))
			watch(x, g);
	} else if (full) {
		watch(x, g);
	} else if (!(x->flags & SIDE_SMALL) || is_after(g->seq + g->payload, x->seq)) {
		x->flags |= SIDE_SMALL;
		x->seq = g->seq + g->payload;
		x->other_len = g->ip_len;
	}
}

static void
take_syn(struct ics_sampler *s, struct flow *e, const struct seg *g)
{
	struct side *x = &e->side[g->dir];
	uint16_t mss = mss_of(g);

	/* Another connection between the same ports. */
	if (!(g->tcp_flags & TCP_ACK) && (x->flags & SIDE_UNA)) {
		uint16_t minute = x->flags & SIDE_MINUTE;

		memset(e->side, 0, sizeof(e->side));
		e->side[0].flags = e->side[1].flags = minute;
	}
	if (x->mss == mss)
		return;
	x->mss = mss;
	x->flags |= SIDE_SEEN;
	tell(s, e, g, g->dir, ICS_SAMPLE_SYN, 0);
}

static void
take_end(struct ics_sampler *s, struct flow *e, const struct seg *g)
{
	bool rst = g->tcp_flags & TCP_RST;

	for (unsigned d = 0; d < 2; d++) {
		struct side *x = &e->side[d];

		if (!(x->flags & SIDE_WATCH) || x->n == 0)
			continue;
		/* A FIN of the other end says nothing about what is under way to it. */
		if (!rst && d != g->dir)
			continue;
		tell(s, e, g, d, ICS_SAMPLE_END, rst ? ICS_SAMPLE_RST : 0);
		stop_watch(x);
	}
	if (rst)
		drop_flow(s, e);
}

uint32_t
ics_sample_flow_look(struct ics_sampler *s, const struct seg *g)
{
	uint32_t first = (uint32_t)g->place % FLOW_SETS * FLOW_WAYS;
	uint32_t tag = tag_of(g), floor = g->is6 ? FULL_OVER6 : FULL_OVER4, len;
	struct flow *e = find_flow(s, first, tag);
	struct side *x;

	if (e != NULL && is_idle(e, g->now_ms)) {
		drop_flow(s, e);
		e = NULL;
	}
	if (e == NULL) {
		/* From its SYN on, or when it sends what may be too long: the rest has nothing to say. */
		if (!(g->tcp_flags & TCP_SYN) && (g->payload == 0 || !g->df || g->ip_len <= floor))
			return recent_len(g->is6, floor);
		e = make_flow(s, first, tag, g);
		if (e == NULL)
			return ICS_RECENT_LEN_MAX;
	}
	e->last_ms = g->now_ms;
	x = &e->side[g->dir];
	x->flags |= SIDE_SEEN;
	turn_minute(s, e, g, g->dir);
	if (g->tcp_flags & TCP_SYN)
		take_syn(s, e, g);
	if (g->tcp_flags & TCP_ACK)
		take_ack(s, e, g);
	if (g->payload != 0 && !(g->tcp_flags & (TCP_SYN | TCP_RST)))
		take_data(s, e, g);
	if (g->tcp_flags & (TCP_FIN | TCP_RST)) {
		take_end(s, e, g);
		if (g->tcp_flags & TCP_RST)
			return ICS_RECENT_LEN_MAX;
	}
	if ((e->side[0].flags | e->side[1].flags) & SIDE_WATCH)
		return 0;
	/* Whether small segments arrive is of interest, and not for every one of them. */
	if ((((e->side[0].flags | e->side[1].flags) & SIDE_SMALL) || x->acked_len == 0) && (s->looks & 7) != 0)
		return 0;
	if (g->payload != 0 && (!g->df || g->ip_len > s->conf.link_mtu))
		return ICS_RECENT_LEN_MAX;
	len = x->acked_len > floor ? x->acked_len : floor;
	return recent_len(g->is6, len);
}
