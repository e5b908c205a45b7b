/* From the first byte to an IP header: Ethernet, LLC/SNAP, 802.1Q and 802.1ad tags, MPLS (RFC 3032), PPPoE
 * (RFC 2516), Linux cooked captures, loopback and raw IP.
 */
#include "decode.h"

void
ics_walk_add_tag(struct walk *w, uint16_t tci)
{
	struct ics_pkt *pkt = w->pkt;
	uint16_t vid = tci & 0x0fff;

	/* Id 0 is a priority tag: it says nothing about the VLAN (IEEE 802.1Q). */
	if (vid != 0 && pkt->vlan[0] == ICS_VLAN_NONE)
		pkt->vlan[0] = vid;
	else if (vid != 0 && pkt->vlan[1] == ICS_VLAN_NONE)
		pkt->vlan[1] = vid;
	pkt->n_tags++;
	pkt->encap = (pkt->encap & ~(ICS_ENCAP_VLAN | ICS_ENCAP_QINQ)) |
		     (pkt->n_tags == 1 ? ICS_ENCAP_VLAN : ICS_ENCAP_QINQ);
	if (pkt->n_tags > ICS_TAGS_MAX) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_encap_depth);
		pkt->flags |= ICS_PKT_UNPARSED;
	}
}

/* Tags at off, whose first type field is w->ethertype; leaves the type behind them there. */
static bool
walk_tags(struct walk *w)
{
	for (unsigned i = 0; i < TAGS_WALK_MAX && is_vlan_type(w->ethertype); i++) {
		if (!walk_has(w, w->off, 4))
			return false;
		ics_walk_add_tag(w, ics_load_be16(w->pkt->frame.p + w->off));
		w->ethertype = ics_load_be16(w->pkt->frame.p + w->off + 2);
		w->off += 4;
	}
	return !is_vlan_type(w->ethertype);
}

/* A length instead of a type: 802.2 LLC, of which only SNAP with OUI 0 carries an Ethernet type (RFC 1042). */
static enum step
walk_llc(struct walk *w)
{
	const uint8_t *p = w->pkt->frame.p + w->off;

	if (w->ethertype > 1500 || !walk_has(w, w->off, 8) || ics_load_be32(p) != 0xaaaa0300 || p[4] != 0 || p[5] != 0)
		return walk_done(w, ICS_CLASS_non_ip);
	w->ethertype = ics_load_be16(p + 6);
	w->off += 8;
	return w->ethertype < 0x0600 ? walk_done(w, ICS_CLASS_non_ip) : STEP_ETHERTYPE;
}

enum step
ics_walk_ethernet(struct walk *w)
{
	struct ics_pkt *pkt = w->pkt;

	if (!walk_has(w, w->off, 14))
		return walk_done(w, ICS_CLASS_malformed);
	pkt->dmac = pkt->frame.p + w->off;
	pkt->smac = pkt->dmac + 6;
	pkt->flags |= ICS_PKT_ETHER;
	w->ethertype = ics_load_be16(pkt->dmac + 12);
	w->off += 14;
	return STEP_ETHERTYPE;
}

static enum step
walk_mpls(struct walk *w)
{
	struct ics_pkt *pkt = w->pkt;
	unsigned n;

	pkt->encap |= ICS_ENCAP_MPLS;
	for (n = 0; n < LABELS_WALK_MAX; n++) {
		/* RFC 3032 2.1: the last entry of the stack has S set. */
		if (!walk_has(w, w->off, 4)) {
			if (pkt->flags & ICS_PKT_CAP_TRUNC)
				return walk_done(w, ICS_CLASS_malformed);
			return walk_stop(w, ICS_REASON_mpls_no_bottom);
		}
		w->off += 4;
		if (pkt->frame.p[w->off - 2] & 1)
			break;
	}
	if (n == LABELS_WALK_MAX)
		return walk_stop(w, ICS_REASON_encap_depth);
	pkt->n_labels = (uint8_t)(n + 1);
	if (pkt->n_labels > ICS_LABELS_MAX) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_encap_depth);
		pkt->flags |= ICS_PKT_UNPARSED;
	}
	if (!walk_has(w, w->off, 1))
		return walk_done(w, ICS_CLASS_malformed);
	/* A first nibble of 0 or 1 is a pseudowire control word (RFC 4385): Ethernet behind it, or IP. */
	if (pkt->frame.p[w->off] >> 4 <= 1 && w->conf->mpls_control_word && ics_view_has(pkt->frame, w->off, 5)) {
		uint16_t type = ics_view_be16(pkt->frame, w->off + 4 + 12);

		w->off += 4;
		if (is_vlan_type(type) || type == ICS_ETHERTYPE_IP4 || type == ICS_ETHERTYPE_IP6 ||
		    type == ICS_ETHERTYPE_ARP) {
			pkt->vlan[0] = pkt->vlan[1] = ICS_VLAN_NONE;
			pkt->n_tags = 0;
			return STEP_ETHERNET;
		}
	}
	return STEP_IP_BY_NIBBLE;
}

static enum step
walk_pppoe(struct walk *w)
{
	struct ics_pkt *pkt = w->pkt;
	const uint8_t *p = pkt->frame.p + w->off;
	uint16_t len;

	pkt->encap |= ICS_ENCAP_PPPOE;
	if (!walk_has(w, w->off, 8)) {
		if (!(pkt->flags & ICS_PKT_CAP_TRUNC))
			ics_reasons_add(&pkt->reasons, ICS_REASON_pppoe_bad);
		return walk_done(w, ICS_CLASS_malformed);
	}
	/* RFC 2516 4, 6: version 1, type 1, code 0 in the session stage. */
	if (p[0] != 0x11 || p[1] != 0)
		return walk_stop(w, ICS_REASON_pppoe_bad);
	len = ics_load_be16(p + 4);
	if (len < 2 || len > w->end - w->off - 6)
		ics_reasons_add(&pkt->reasons, ICS_REASON_pppoe_bad);
	else
		w->end = w->off + 6 + len;
	w->off += 8;
	switch (ics_load_be16(p + 6)) {
	case 0x0021:
		w->ethertype = ICS_ETHERTYPE_IP4;
		return STEP_IP4;
	case 0x0057:
		w->ethertype = ICS_ETHERTYPE_IP6;
		return STEP_IP6;
	default:
		return walk_done(w, ICS_CLASS_non_ip);
	}
}

/* A security group tag: version, length in words (one at most), option, tag, then the type of what follows. */
static enum step
walk_metadata(struct walk *w)
{
	const uint8_t *p = w->pkt->frame.p + w->off;

	if (!walk_has(w, w->off, 8) || p[0] > 1 || p[1] > 1)
		return walk_done(w, ICS_CLASS_non_ip);
	w->ethertype = ics_load_be16(p + 6);
	w->off += 8;
	return w->ethertype == ICS_ETHERTYPE_CMD ? walk_done(w, ICS_CLASS_non_ip) : STEP_ETHERTYPE;
}

enum step
ics_walk_ethertype(struct walk *w)
{
	if (ics_unlikely(is_vlan_type(w->ethertype)) && !walk_tags(w)) {
		if (is_vlan_type(w->ethertype) && !(w->pkt->flags & ICS_PKT_CAP_TRUNC) &&
		    w->pkt->n_tags >= TAGS_WALK_MAX)
			return walk_stop(w, ICS_REASON_encap_depth);
		return walk_done(w, ICS_CLASS_malformed);
	}
	switch (w->ethertype) {
	case ICS_ETHERTYPE_IP4:
		return STEP_IP4;
	case ICS_ETHERTYPE_IP6:
		return STEP_IP6;
	case ICS_ETHERTYPE_ARP:
	case ICS_ETHERTYPE_RARP:
		return walk_done(w, ICS_CLASS_arp);
	case ICS_ETHERTYPE_MPLS:
	case ICS_ETHERTYPE_MPLS_MC:
		return walk_mpls(w);
	case ICS_ETHERTYPE_PPPOE_SESSION:
		return walk_pppoe(w);
	case ICS_ETHERTYPE_CMD:
		return walk_metadata(w);
	default:
		return w->ethertype < 0x0600 ? walk_llc(w) : walk_done(w, ICS_CLASS_non_ip);
	}
}

/* Linux cooked captures keep the link type, a source address of up to 8 octets and the protocol. */
static enum step
walk_sll(struct walk *w, uint32_t header_len, uint32_t protocol_off)
{
	if (!walk_has(w, 0, header_len))
		return walk_done(w, ICS_CLASS_malformed);
	w->ethertype = ics_load_be16(w->pkt->frame.p + protocol_off);
	w->off = header_len;
	return STEP_ETHERTYPE;
}

/* AF_INET is 2 everywhere, AF_INET6 24, 28, 30 or 10 depending on the system that captured. */
static enum step
walk_null(struct walk *w)
{
	uint32_t family;

	if (!walk_has(w, 0, 4))
		return walk_done(w, ICS_CLASS_malformed);
	family = ics_load_be32(w->pkt->frame.p);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	w->off = 4;
	switch (family) {
	case 2:
		w->ethertype = ICS_ETHERTYPE_IP4;
		return STEP_IP4;
	case 10:
	case 24:
	case 28:
	case 30:
		w->ethertype = ICS_ETHERTYPE_IP6;
		return STEP_IP6;
	default:
		return walk_done(w, ICS_CLASS_non_ip);
	}
}

enum step
ics_walk_link(struct walk *w, enum ics_link link)
{
	switch (link) {
	case ICS_LINK_ETHERNET:
		return STEP_ETHERNET;
	case ICS_LINK_RAW_IP:
		return STEP_IP_BY_NIBBLE;
	case ICS_LINK_SLL:
		return walk_sll(w, 16, 14);
	case ICS_LINK_SLL2:
		return walk_sll(w, 20, 0);
	case ICS_LINK_NULL:
	case ICS_LINK_LOOP:
		return walk_null(w);
	}
	return walk_done(w, ICS_CLASS_malformed);
}
