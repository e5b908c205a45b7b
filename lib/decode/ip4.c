/* The IPv4 header (RFC 791, RFC 1122 3.2.1): length, checksum, fragments; ends at ICMP, at a tunnel or at a class. */
#include "decode.h"

static enum step
found_icmp(struct walk *w, uint32_t l4_off)
{
	struct ics_pkt *pkt = w->pkt;
	struct ics_view rest = ics_view_sub(pkt->frame, l4_off, pkt->ilen);

	pkt->l4_off = l4_off;
	pkt->icmp = rest;
	pkt->flags |= ICS_PKT_ICMP;
	if (rest.len < pkt->ilen)
		pkt->flags |= ICS_PKT_CAP_TRUNC;
	if (rest.len == 0)
		return walk_done(w, ICS_CLASS_icmp4_other);
	return walk_done(w, ics_classify_icmp4(rest.p[0], ics_view_u8(rest, 1)));
}

enum step
ics_walk_ip4(struct walk *w)
{
	struct ics_pkt *pkt = w->pkt;
	const uint8_t *p = pkt->frame.p + w->off;
	uint32_t left, ihl, total;
	uint16_t frag;
	bool bad = false;

	if (!walk_has(w, w->off, 20)) {
		if (!(pkt->flags & ICS_PKT_CAP_TRUNC))
			return walk_stop(w, ICS_REASON_ip4_hdr_bad);
		return walk_done(w, ICS_CLASS_malformed);
	}
	left = w->end - w->off;
	if (p[0] >> 4 != 4)
		return walk_stop(w, ICS_REASON_ip_version_mismatch);
	ihl = (p[0] & 15u) * 4;
	total = ics_load_be16(p + 2);
	/* A header shorter than its fixed part, or longer than the frame, has nothing behind it. */
	if (ihl < 20 || ihl > left)
		return walk_stop(w, ICS_REASON_ip4_hdr_bad);
	/* A total length that cannot be: the header is readable, so the type still decides the class. */
	if (total < ihl || total > left) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip4_hdr_bad);
		pkt->flags |= ICS_PKT_UNPARSED;
		bad = true;
	}
	pkt->l3_off = w->off;
	pkt->ip_version = 4;
	pkt->src = p + 12;
	pkt->dst = p + 16;
	pkt->hop_limit = p[8];
	pkt->proto = p[9];
	pkt->ip_len = (uint16_t)total;
	pkt->ilen = bad ? left - ihl : total - ihl;
	frag = ics_load_be16(p + 6);
	if (frag & 0x3fff)
		pkt->flags |= ICS_PKT_FRAGMENT;

	if (pkt->proto == ICS_PROTO_ICMP4) {
		/* RFC 1812 4.3.2.3: no ICMP error is ever long enough to need it. */
		if (frag & 0x3fff)
			ics_reasons_add(&pkt->reasons, ICS_REASON_ip4_icmp_fragmented);
		if (frag & 0x1fff) {
			pkt->flags |= ICS_PKT_FRAG_LATER | ICS_PKT_UNPARSED;
			return walk_done(w, ICS_CLASS_ip4_fragment);
		}
		/* RFC 1122 3.2.1.2; the header may be longer than what was captured. */
		if (walk_has(w, w->off, ihl) && ics_sum_fold(ics_sum_add(0, (struct ics_view){p, ihl})) != 0xffff)
			ics_reasons_add(&pkt->reasons, ICS_REASON_ip4_hdr_csum);
		return found_icmp(w, w->off + ihl);
	}
	if (frag & 0x1fff) {
		pkt->flags |= ICS_PKT_FRAG_LATER;
		return walk_done(w, ICS_CLASS_ip4_fragment);
	}
	pkt->class = ICS_CLASS_ip4_other;
	if (ics_likely(w->conf->tunnels == 0) || bad)
		return STEP_DONE;
	w->end = w->off + total;
	w->off += ihl;
	return STEP_TUNNEL;
}
