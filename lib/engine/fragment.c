/* IPv6 fragments of messages that matter here: which of them overlap (ip6_frag_overlap: RFC 5722 4, RFC 8200 4.5, exact
 * duplicates tolerated), and what type of message they hide when the first one does not show it (RFC 7112, 7113).
 * Nothing is reassembled: a datagram is its fragments' ranges, a hash of each, and where its ICMPv6 header begins.
 * Called by the engine for each record with fragments, extension headers or a chain that cannot be followed.
 */
#include "engine_priv.h"

#define FRAGMENT_AGE_NS 60000000000ull
#define RANGES_MAX 64 /* 65,535 octets in fragments of a link with the smallest MTU, 1280 */
#define ICMP_UNKNOWN UINT32_MAX

struct fragment_key {
	struct ics_ip src, dst;
	uint32_t id, segment;
};

struct range {
	uint16_t start, end;
	uint32_t hash : 31, overlaps : 1;
};

struct datagram {
	struct ics_table_head head;
	struct fragment_key key;
	uint64_t first_ns;
	uint32_t icmp_off; /* of the ICMPv6 header, or ICMP_UNKNOWN */
	uint32_t len, got; /* of the datagram once the last fragment told, octets that came */
	uint8_t type;      /* of the message, 0: not seen yet */
	uint8_t n;
	struct range range[RANGES_MAX];
};

/* The fragment header of a frame: where it puts which octets. */
struct fragment {
	uint32_t id, start;
	uint8_t next;
	bool more;
	struct ics_view payload;
	uint32_t payload_len; /* by the IP header; more than what was captured of it */
};

int
ics_fragments_init(struct ics_engine *e, uint64_t seed)
{
	return ics_table_init(&e->fragments, sizeof(struct datagram), sizeof(struct fragment_key), FRAGMENTS_MAX, seed);
}

static bool
is_extension(uint8_t next)
{
	return next == ICS_PROTO_HOPOPTS || next == ICS_PROTO_ROUTING || next == ICS_PROTO_DSTOPTS ||
	       next == ICS_PROTO_AH || next == ICS_PROTO_MOBILITY || next == ICS_PROTO_HIP || next == ICS_PROTO_SHIM6;
}

static uint32_t
extension_len(uint8_t type, struct ics_view v, uint32_t off)
{
	uint32_t len = ics_view_u8(v, off + 1);

	return type == ICS_PROTO_AH ? (len + 2) * 4 : (len + 1) * 8;
}

/* Follows extension headers of v from *off on, at most ICS_EXT_MAX; *next is what stands at *off then. False when one
 * is not there to be read.
 */
static bool
walk(struct ics_view v, uint32_t *off, uint8_t *next)
{
	for (unsigned n = 0; n < ICS_EXT_MAX && is_extension(*next); n++) {
		uint8_t type = *next;

		if (!ics_view_has(v, *off, 2))
			return false;
		*next = ics_view_u8(v, *off);
		*off += extension_len(type, v, *off);
	}
	return !is_extension(*next);
}

static bool
find_fragment(const struct ics_record *rec, struct ics_view frame, struct fragment *f)
{
	uint32_t off = rec->l3_off + 40u, end = off + ics_view_be16(frame, rec->l3_off + 4u);
	uint8_t next = ics_view_u8(frame, rec->l3_off + 6u);

	if (!walk(frame, &off, &next) || next != ICS_PROTO_FRAGMENT || !ics_view_has(frame, off, 8) || end < off + 8)
		return false;
	f->next = ics_view_u8(frame, off);
	f->start = ics_view_be16(frame, off + 2) & ~7u;
	f->more = ics_view_be16(frame, off + 2) & 1;
	f->id = ics_view_be32(frame, off + 4);
	f->payload_len = end - off - 8;
	f->payload = ics_view_sub(frame, off + 8, f->payload_len);
	return true;
}

static struct datagram *
datagram_get(struct ics_engine *e, const struct ics_msg *msg, uint32_t segment, uint32_t id)
{
	struct fragment_key key = {msg->src, msg->dst, id, segment};
	uint32_t i = ics_table_find(&e->fragments, &key);
	struct datagram *d;

	if (i != 0) {
		d = ics_table_at(&e->fragments, i);
		if (msg->ts_ns < d->first_ns + FRAGMENT_AGE_NS)
			return d;
		ics_table_remove(&e->fragments, i);
	}
	if (e->fragments.count >= FRAGMENTS_MAX) {
		ics_table_remove(&e->fragments, ics_table_oldest(&e->fragments, NULL));
		e->fragment_evictions++;
	}
	i = ics_table_insert(&e->fragments, &key);
	if (i == 0)
		return NULL;
	d = ics_table_at(&e->fragments, i);
	d->first_ns = msg->ts_ns;
	d->icmp_off = ICMP_UNKNOWN;
	return d;
}

/* True when it overlaps another one, or repeats one that did. */
static bool
add_range(struct ics_engine *e, struct datagram *d, const struct fragment *f)
{
	uint32_t end = f->start + f->payload_len;
	struct range r = {
		.start = (uint16_t)f->start,
		.end = end < UINT16_MAX ? (uint16_t)end : UINT16_MAX,
		.hash = (uint32_t)ics_hash(f->payload.p, f->payload.len, f->payload_len) & 0x7fffffff,
	};

	for (unsigned i = 0; i < d->n; i++) {
		const struct range *o = &d->range[i];

		if (o->start == r.start && o->end == r.end && o->hash == r.hash)
			return o->overlaps;
		r.overlaps |= r.start < o->end && o->start < r.end;
	}
	/* The datagram was whole: its number is used anew. */
	if (d->len != 0 && d->got == d->len) {
		d->n = d->type = 0;
		d->got = d->len = 0;
		d->icmp_off = ICMP_UNKNOWN;
		r.overlaps = 0;
	}
	if (!f->more)
		d->len = end;
	d->got += r.overlaps ? 0 : f->payload_len;
	if (d->n < RANGES_MAX)
		d->range[d->n++] = r;
	else
		e->fragment_ranges_full++;
	return r.overlaps;
}

/* What message the fragment is of, as far as it shows or the earlier ones told. */
static void
look_for_type(struct datagram *d, const struct fragment *f)
{
	if (f->start == 0) {
		uint32_t off = 0;
		uint8_t next = f->next;

		d->icmp_off = walk(f->payload, &off, &next) && next == ICS_PROTO_ICMP6 ? off : ICMP_UNKNOWN;
	}
	if (d->icmp_off != ICMP_UNKNOWN && d->icmp_off >= f->start &&
	    ics_view_has(f->payload, d->icmp_off - f->start, 1))
		d->type = ics_view_u8(f->payload, d->icmp_off - f->start);
}

/* Of a message whose header the fast half found. */
static uint8_t
type_of(const struct ics_record *rec, struct ics_view frame)
{
	return rec->l4_off != 0 ? ics_view_u8(frame, rec->l4_off) : 0;
}

void
ics_engine_look_hidden(struct ics_engine *e, const struct ics_record *rec, struct ics_view frame,
		       const struct ics_segment *seg, uint64_t ts_ns, uint64_t frame_no)
{
	uint8_t type = type_of(rec, frame);
	struct ics_msg msg;
	struct fragment f;

	if (seg == NULL || !ics_msg_parse_outer(rec, frame, &msg))
		return;
	msg.ts_ns = ts_ns;
	msg.frame_no = frame_no;
	if ((rec->flags & ICS_REC_FRAGMENT) && find_fragment(rec, frame, &f)) {
		struct datagram *d = datagram_get(e, &msg, seg->id, f.id);

		if (d != NULL) {
			/* A datagram in one fragment stands for itself (RFC 6946 4). */
			if ((f.start != 0 || f.more) && add_range(e, d, &f))
				ics_engine_fire(e, ICS_REASON_ip6_frag_overlap, rec, frame);
			msg.later_fragment = d->type != 0;
			look_for_type(d, &f);
			if (type == 0)
				type = d->type;
		}
	}
	ics_detectors_hidden(e->detectors, &msg, seg, type);
}
