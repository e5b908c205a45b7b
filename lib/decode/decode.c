/* The walk over one frame: each step looks at one header and names the next, until a class is found. Called by
 * ics_inspect for every frame that ics_peek() does not settle.
 */
#include "decode.h"

/* Ethernet, tags, labels, PPPoE, IP and two tunnels take fewer; whatever wants more is no traffic. */
#define STEPS_MAX 64

/* Rules over the addresses that a message came with: they say something about a message only, so frames
 * without one are not judged.
 */
static void
check_addresses(struct ics_pkt *pkt)
{
	bool group = false;

	if (pkt->flags & ICS_PKT_ETHER) {
		group = pkt->dmac[0] & 1;
		/* A source address is never a group address, nor zero (IEEE 802.3). */
		if ((pkt->smac[0] & 1) != 0 || (ics_load_be16(pkt->smac) | ics_load_be32(pkt->smac + 2)) == 0)
			ics_reasons_add(&pkt->reasons, ICS_REASON_eth_smac_invalid);
	}
	if (pkt->ip_version == 4) {
		uint8_t a = pkt->src[0];

		/* RFC 1122 3.2.1.3: these are never a source. */
		if (a >= 224 || a == 127 || a == 0)
			ics_reasons_add(&pkt->reasons, ICS_REASON_ip4_src_invalid);
		/* RFC 1122 3.3.6: a unicast datagram does not come in a link-layer multicast. */
		if (group && pkt->dst[0] < 224)
			ics_reasons_add(&pkt->reasons, ICS_REASON_eth_unicast_ip_group_mac);
		return;
	}
	/* RFC 4291 2.7 */
	if (ics_ip6_is_multicast(pkt->src))
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_src_multicast);
	/* RFC 4291 2.5.2, 2.5.3: loopback never leaves a node, nothing is sent to ::; mapped forms neither. */
	if (ics_ip6_is_loopback(pkt->src) || ics_ip6_is_loopback(pkt->dst) || ics_ip6_is_unspecified(pkt->dst) ||
	    ics_ip6_is_v4mapped(pkt->src) || ics_ip6_is_v4mapped(pkt->dst))
		ics_reasons_add(&pkt->reasons, ICS_REASON_ip6_addr_invalid);
	if (!(pkt->flags & ICS_PKT_ETHER))
		return;
	if (!ics_ip6_is_multicast(pkt->dst)) {
		/* RFC 2464 6 */
		if (group)
			ics_reasons_add(&pkt->reasons, ICS_REASON_eth_unicast_ip_group_mac);
	} else if (!group) {
		pkt->flags |= ICS_PKT_L2_UNICAST;
	} else if (ics_load_be16(pkt->dmac) != 0x3333 || memcmp(pkt->dmac + 2, pkt->dst + 12, 4) != 0) {
		/* RFC 2464 7: 33:33 and the last four octets of the group */
		ics_reasons_add(&pkt->reasons, ICS_REASON_eth_mcast_mac_mismatch);
	}
}

/* Field by field: a compound literal becomes `rep stos`, which costs more than the whole walk (52 cycles a frame with
 * it, see docs/performance.md).
 */
static inline void
reset(struct ics_pkt *pkt, const struct ics_frame *f)
{
	pkt->frame = (struct ics_view){f->data, f->cap_len};
	pkt->icmp = (struct ics_view){f->data, 0};
	pkt->dmac = NULL;
	pkt->smac = NULL;
	pkt->src = NULL;
	pkt->dst = NULL;
	pkt->reasons.w[0] = 0;
	pkt->reasons.w[1] = 0;
	pkt->reasons.w[2] = 0;
	pkt->wire_len = f->wire_len;
	pkt->flags = 0;
	pkt->l3_off = 0;
	pkt->l4_off = 0;
	pkt->ilen = 0;
	pkt->ip_len = 0;
	pkt->vlan[0] = ICS_VLAN_NONE;
	pkt->vlan[1] = ICS_VLAN_NONE;
	pkt->router_alert = 0;
	pkt->ext_len = 0;
	pkt->class = ICS_CLASS_malformed;
	pkt->ip_version = 0;
	pkt->proto = 0;
	pkt->hop_limit = 0;
	pkt->n_tags = 0;
	pkt->n_labels = 0;
	pkt->n_ext = 0;
	pkt->encap = 0;
	pkt->tunnel_depth = 0;
}

static void
walk(struct walk *w, enum step step)
{
	for (unsigned i = 0; step != STEP_DONE; i++) {
		if (i == STEPS_MAX) {
			walk_stop(w, ICS_REASON_encap_depth);
			return;
		}
		switch (step) {
		case STEP_ETHERNET:
			step = ics_walk_ethernet(w);
			break;
		case STEP_ETHERTYPE:
			step = ics_walk_ethertype(w);
			break;
		case STEP_IP4:
			step = ics_walk_ip4(w);
			break;
		case STEP_IP6:
			step = ics_walk_ip6(w);
			break;
		case STEP_IP_BY_NIBBLE:
			if (!walk_has(w, w->off, 1))
				step = walk_done(w, ICS_CLASS_malformed);
			else if (w->pkt->frame.p[w->off] >> 4 == 4)
				step = STEP_IP4;
			else if (w->pkt->frame.p[w->off] >> 4 == 6)
				step = STEP_IP6;
			else
				step = walk_done(w, ICS_CLASS_non_ip);
			break;
		case STEP_TUNNEL:
			step = ics_walk_tunnel(w);
			break;
		case STEP_DONE:
			break;
		}
	}
}

void
ics_decode(const struct ics_frame *f, const struct ics_decode_conf *conf, struct ics_pkt *pkt)
{
	struct walk w = {.pkt = pkt, .conf = conf, .end = f->wire_len};
	enum step step;

	reset(pkt, f);
	if (ics_unlikely(f->stripped_tci != ICS_VLAN_NONE))
		ics_walk_add_tag(&w, f->stripped_tci);
	/* Nearly all that comes here is untagged IP on Ethernet: no need to go round the loop for it. */
	step = f->link == ICS_LINK_ETHERNET ? ics_walk_ethernet(&w) : ics_walk_link(&w, (enum ics_link)f->link);
	if (ics_likely(step == STEP_ETHERTYPE && w.ethertype == ICS_ETHERTYPE_IP6))
		step = ics_walk_ip6(&w);
	else if (step == STEP_ETHERTYPE && w.ethertype == ICS_ETHERTYPE_IP4)
		step = ics_walk_ip4(&w);
	if (ics_unlikely(step != STEP_DONE))
		walk(&w, step);
	if (pkt->flags & (ICS_PKT_ICMP | ICS_PKT_EVASION))
		check_addresses(pkt);
}
