/* The IPv6 header and its chain of extension headers (RFC 8200 4), with an eye on what hides a message from
 * filters: headers out of place, chains without end, fragments (RFC 6980, 7112, 7113).
 */
#include "decode.h"

/* IANA "Assigned Internet Protocol Numbers": from here on nothing is assigned but experiments. */
#define PROTO_UNASSIGNED_FIRST 148
/* Options in one hop-by-hop header that are looked at; 512 bytes hold no more of any use. */
#define HBH_OPTIONS_MAX 128

struct chain {
	uint32_t off; /* of the header at hand */
	uint32_t end; /* of the datagram, or of the fragment's payload */
	unsigned n;   /* headers passed, Fragment included */
	uint8_t next;
	bool first_fragment; /* offset 0 and more to come */
};

static bool
is_extension(uint8_t proto)
{
	switch (proto) {
	case ICS_PROTO_HOPOPTS:
	case ICS_PROTO_ROUTING:
	case ICS_PROTO_FRAGMENT:
	case ICS_PROTO_AH:
	case ICS_PROTO_DSTOPTS:
	case ICS_PROTO_MOBILITY:
	case ICS_PROTO_HIP:
	case ICS_PROTO_SHIM6:
		return true;
	default:
		return false;
	}
}

/* The chain cannot be followed. What the next header could have been decides whether it is worth a look by
 * the control core: ND hides behind such chains (RFC 7113 3).
 */
static enum step
chain_lost(struct walk *w, const struct chain *c, enum ics_class class)
{
	w->pkt->proto = c->next;
	w->pkt->flags |= ICS_PKT_UNPARSED;
	if (c->next == ICS_PROTO_ICMP6 || is_extension(c->next))
		w->pkt->flags |= ICS_PKT_EVASION;
	return walk_done(w, class);
}

/* n bytes of the header at hand are there. If not: a first fragment is incomplete, a datagram overrun, or
 * the snapshot too short; *step says where the walk goes.
 */
static bool
chain_has(struct walk *w, const struct chain *c, uint32_t n, enum step *step)
{
	struct ics_pkt *pkt = w->pkt;

	if (n <= c->end - c->off) {
		if (walk_has(w, c->off, n))
			return true;
		/* Not captured, or not in the frame (ip6_truncated): what is missing hides nothing from anybody. */
		pkt->flags = (pkt->flags & ~(uint32_t)ICS_PKT_EVASION) | ICS_PKT_CAP_TRUNC | ICS_PKT_UNPARSED;
		pkt->proto = c->next;
		*step = walk_done(w, (uint64_t)c->off + n > w->end ? ICS_CLASS_malformed : ICS_CLASS_ip6_other);
		return false;
	}
	if (c->first_fragment) {
		/* RFC 7112 5: the first fragment holds the whole chain. */
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_frag_first_incomplete);
		*step = chain_lost(w, c, ICS_CLASS_ip6_fragment);
		return false;
	}
	ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_ext_overrun);
	*step = chain_lost(w, c, ICS_CLASS_malformed);
	return false;
}

static void
check_hop_by_hop(struct ics_pkt *pkt, struct ics_view opts)
{
	unsigned alerts = 0;
	uint32_t off = 0;

	for (unsigned i = 0; i < HBH_OPTIONS_MAX && off < opts.len; i++) {
		uint8_t type = opts.p[off];
		uint8_t len = ics_view_u8(opts, off + 1);

		if (type == 0) { /* Pad1 */
			off++;
			continue;
		}
		if (type == 5) {
			/* RFC 2711 2.1: length 2, and only once */
			if (len != 2 || alerts++ > 0) {
				ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_hbh_router_alert_bad);
			} else if (ics_view_has(opts, off + 2, 2)) {
				pkt->flags |= ICS_PKT_ROUTER_ALERT;
				pkt->router_alert = ics_load_be16(opts.p + off + 2);
			}
		}
		off += 2u + len;
	}
}

/* Offset, M flag and payload of a Fragment header. False when the walk ends here. */
static bool
check_fragment(struct walk *w, struct chain *c, enum step *step)
{
	struct ics_pkt *pkt = w->pkt;
	const uint8_t *p = pkt->frame.p + c->off;
	uint16_t field = ics_load_be16(p + 2);
	uint32_t payload = c->end - c->off - 8;

	pkt->flags |= ICS_PKT_FRAGMENT;
	c->next = p[0];
	c->off += 8;
	/* RFC 8200 4.5: all but the last are a multiple of eight octets long. */
	if ((field & 1) != 0 && payload % 8 != 0)
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_frag_len_not_8);
	if (field >> 3 != 0) {
		pkt->flags |= ICS_PKT_FRAG_LATER;
		*step = chain_lost(w, c, ICS_CLASS_ip6_fragment);
		return false;
	}
	if ((field & 1) == 0) {
		/* RFC 6946: a whole datagram in one fragment, unless it is itself inside a first fragment */
		if (!c->first_fragment)
			pkt->flags |= ICS_PKT_FRAG_ATOMIC;
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_frag_atomic);
	} else {
		c->first_fragment = true;
		pkt->flags &= ~(uint32_t)ICS_PKT_FRAG_ATOMIC;
	}
	if (c->next == ICS_PROTO_ICMP6 || is_extension(c->next))
		pkt->flags |= ICS_PKT_EVASION;
	return true;
}

static enum step
chain_end(struct walk *w, const struct chain *c)
{
	struct ics_pkt *pkt = w->pkt;
	struct ics_view rest;
	enum step step = STEP_DONE;
	uint32_t in_frame;

	pkt->proto = c->next;
	if (c->next != ICS_PROTO_ICMP6) {
		/* RFC 7112: a first fragment whose chain stops short of the upper layer */
		if (c->first_fragment && c->next != ICS_PROTO_NONE && c->end == c->off)
			return chain_has(w, c, 1, &step) ? STEP_DONE : step;
		pkt->flags &= ~(uint32_t)ICS_PKT_EVASION;
		pkt->class = ICS_CLASS_ip6_other;
		if (c->next >= PROTO_UNASSIGNED_FIRST) {
			ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_ext_unknown);
			pkt->flags |= ICS_PKT_UNPARSED;
			return STEP_DONE;
		}
		if (ics_likely(w->conf->tunnels == 0) || c->first_fragment)
			return STEP_DONE;
		w->off = c->off;
		w->end = c->end;
		return STEP_TUNNEL;
	}
	if (c->first_fragment && c->end == c->off)
		return chain_has(w, c, 1, &step) ? STEP_DONE : step;
	pkt->l4_off = c->off;
	pkt->ilen = c->end - c->off;
	/* What lies behind the layer below (PPPoE's length, a tunnel's) is padding, whatever this header claims. */
	in_frame = c->off < w->end ? w->end - c->off : 0;
	rest = ics_view_sub(pkt->frame, c->off, pkt->ilen < in_frame ? pkt->ilen : in_frame);
	pkt->icmp = rest;
	pkt->flags |= ICS_PKT_ICMP;
	if (rest.len < pkt->ilen)
		pkt->flags |= ICS_PKT_CAP_TRUNC;
	return walk_done(w, rest.len == 0 ? ICS_CLASS_icmp6_other : ics_classify_icmp6(rest.p[0]));
}

/* Follows extension headers from c->off on. */
static enum step
walk_chain(struct walk *w, struct chain *c)
{
	struct ics_pkt *pkt = w->pkt;
	uint32_t start = c->off;
	enum step step = STEP_DONE;

	for (; c->n < ICS_EXT_WALK_MAX && is_extension(c->next); c->n++) {
		uint8_t type = c->next;
		const uint8_t *p;
		uint32_t len;

		if (!chain_has(w, c, 8, &step))
			return step;
		p = pkt->frame.p + c->off;
		if (type == ICS_PROTO_FRAGMENT) {
			if (!check_fragment(w, c, &step))
				return step;
		} else {
			len = type == ICS_PROTO_AH ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
			if (!chain_has(w, c, len, &step))
				return step;
			pkt->flags |= ICS_PKT_EXT;
			if (pkt->n_ext < UINT8_MAX)
				pkt->n_ext++;
			if (type == ICS_PROTO_HOPOPTS) {
				/* RFC 8200 4.1, 4.3: straight behind the IPv6 header or nowhere */
				if (c->n != 0)
					ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_ext_hbh_position);
				pkt->flags |= ICS_PKT_HBH;
				check_hop_by_hop(pkt, (struct ics_view){p + 2, len - 2});
			} else if (type == ICS_PROTO_ROUTING && p[2] == 0 && p[3] != 0) {
				/* RFC 5095 3: type 0 with segments left is dead */
				ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_ext_rh0);
			}
			c->next = p[0];
			c->off += len;
		}
		/* RFC 7112 5, RFC 8883 2: a receiver may have a limit, and this one has. The class is still
		 * looked for.
		 */
		if (c->n + 1 > ICS_EXT_MAX || c->off - start > ICS_EXT_BYTES_MAX) {
			ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_ext_limit);
			pkt->flags |= ICS_PKT_UNPARSED;
			if (c->next == ICS_PROTO_ICMP6 || is_extension(c->next))
				pkt->flags |= ICS_PKT_EVASION;
		}
	}
	pkt->ext_len = (uint16_t)(c->off - start);
	if (is_extension(c->next))
		return chain_lost(w, c, ICS_CLASS_malformed);
	return chain_end(w, c);
}

/* RFC 2675 2, 3: payload length 0, and a hop-by-hop header whose options hold a Jumbo Payload. No link that is tapped
 * carries one; without the option the datagram is empty.
 */
static bool
is_jumbogram(struct walk *w)
{
	uint32_t hbh = w->off + 40, len = (ics_view_u8(w->pkt->frame, hbh + 1) + 1u) * 8, off = 0;
	struct ics_view opts = ics_view_sub(w->pkt->frame, hbh + 2, len - 2);

	for (unsigned i = 0; i < HBH_OPTIONS_MAX && off < opts.len; i++) {
		if (opts.p[off] == 0xc2)
			return true;
		off += opts.p[off] == 0 ? 1 : 2u + ics_view_u8(opts, off + 1);
	}
	return false;
}

enum step
ics_walk_ip6(struct walk *w)
{
	struct ics_pkt *pkt = w->pkt;
	const uint8_t *p = pkt->frame.p + w->off;
	uint32_t plen, left;
	struct chain c;

	if (!walk_has(w, w->off, 40)) {
		if (!(pkt->flags & ICS_PKT_CAP_TRUNC)) {
			if (ics_view_has(pkt->frame, w->off, 1) && p[0] >> 4 != 6)
				return walk_stop(w, ICS_REASON_ip_version_mismatch);
			return walk_stop(w, ICS_REASON_ip6_truncated);
		}
		return walk_done(w, ICS_CLASS_malformed);
	}
	if (p[0] >> 4 != 6)
		return walk_stop(w, ICS_REASON_ip_version_mismatch);
	left = w->end - w->off;
	plen = ics_load_be16(p + 4);
	pkt->l3_off = w->off;
	pkt->ip_version = 6;
	pkt->src = p + 8;
	pkt->dst = p + 24;
	pkt->hop_limit = p[7];
	pkt->ip_len = (uint16_t)(40 + plen <= UINT16_MAX ? 40 + plen : UINT16_MAX);
	if (ics_unlikely(plen == 0 && p[6] == ICS_PROTO_HOPOPTS && is_jumbogram(w))) {
		plen = left - 40;
		pkt->flags |= ICS_PKT_UNPARSED; /* counted by its type, not judged */
	}
	/* RFC 8200 3 */
	if (plen > left - 40)
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_truncated);
	c = (struct chain){.off = w->off + 40, .end = w->off + 40 + plen, .next = p[6]};
	if (ics_likely(!is_extension(c.next)))
		return chain_end(w, &c);
	return walk_chain(w, &c);
}
