/* The first pass over a burst: what is plainly not ICMP gets its class from the first header alone. Every condition
 * here is one that ics_decode() would find true too; whatever is unusual is left to it.
 */
#include "ics_decode.h"

static inline enum ics_class
peek_ip4(const struct ics_frame *f, bool tunnels)
{
	const uint8_t *p = f->data + 14;
	uint32_t total = ics_load_be16(p + 2);
	uint8_t proto = p[9];

	if (ics_unlikely(p[0] != 0x45 || total < 20 || total > f->wire_len - 14 ||
			 (ics_load_be16(p + 6) & 0x1fff) != 0 || proto == ICS_PROTO_ICMP4))
		return ICS_CLASS_COUNT;
	if (ics_unlikely(tunnels && proto != ICS_PROTO_TCP))
		return ICS_CLASS_COUNT;
	return ICS_CLASS_ip4_other;
}

static inline enum ics_class
peek_ip6(const struct ics_frame *f, bool tunnels)
{
	const uint8_t *p = f->data + 14;

	if (ics_unlikely(p[0] >> 4 != 6 || ics_load_be16(p + 4) + 40u > f->wire_len - 14))
		return ICS_CLASS_COUNT;
	if (p[6] == ICS_PROTO_TCP || (p[6] == ICS_PROTO_UDP && !tunnels))
		return ICS_CLASS_ip6_other;
	return ICS_CLASS_COUNT;
}

enum ics_class
ics_peek(const struct ics_frame *f, const struct ics_decode_conf *conf)
{
	uint16_t type;

	if (ics_unlikely(f->cap_len < 54 || f->link != ICS_LINK_ETHERNET || f->stripped_tci != ICS_VLAN_NONE))
		return ICS_CLASS_COUNT;
	type = ics_load_be16(f->data + 12);
	if (type == ICS_ETHERTYPE_IP4)
		return peek_ip4(f, conf->tunnels != 0);
	if (type == ICS_ETHERTYPE_IP6)
		return peek_ip6(f, conf->tunnels != 0);
	if (type == ICS_ETHERTYPE_ARP)
		return ICS_CLASS_arp;
	return ICS_CLASS_COUNT;
}
