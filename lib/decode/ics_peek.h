/* What ics_peek() (ics_decode.h) looks at, for the loops that go over a burst: what is plainly not ICMP gets its class from
 * the first header alone. Every condition here is one that ics_decode() would find true too (RFC 791 3.1, RFC 8200 3);
 * whatever is unusual is left to it. Two loads of eight octets stand for most of the comparisons.
 */
#ifndef ICS_PEEK_H
#define ICS_PEEK_H

#include "ics_decode.h"

/* Octets of a frame that are looked at. */
#define ICS_PEEK_LEN 54

/* The type field, version and header length, as eight octets from the type on lie in a register. */
#define ICS_PEEK_IP4_MASK 0xffffffu
#define ICS_PEEK_IP4 0x450008u
#define ICS_PEEK_IP6_MASK 0xf0ffffu
#define ICS_PEEK_IP6 0x60dd86u
#define ICS_PEEK_ARP 0x0608u

/* Of untagged Ethernet with ICS_PEEK_LEN octets at data. tunnels: whether any is looked into. */
static inline enum ics_class
ics_peek_ether(const uint8_t *data, uint32_t wire_len, bool tunnels)
{
	uint64_t head = ics_load_u64(data + 12);
	uint32_t len;
	uint8_t proto;

	if ((head & ICS_PEEK_IP4_MASK) == ICS_PEEK_IP4) {
		len = __builtin_bswap16((uint16_t)(head >> 32));
		proto = data[23];
		/* A total length from 20 to what the frame holds, and the first or only fragment. */
		if (ics_unlikely(len - 20 > wire_len - 34 || (ics_load_be16(data + 20) & 0x1fff) != 0 ||
				 proto == ICS_PROTO_ICMP4))
			return ICS_CLASS_COUNT;
		if (ics_unlikely(tunnels && proto != ICS_PROTO_TCP))
			return ICS_CLASS_COUNT;
		return ICS_CLASS_ip4_other;
	}
	if ((head & ICS_PEEK_IP6_MASK) == ICS_PEEK_IP6) {
		len = __builtin_bswap16((uint16_t)(head >> 48));
		if (ics_unlikely(len > wire_len - 54))
			return ICS_CLASS_COUNT;
		if (data[20] == ICS_PROTO_TCP || (data[20] == ICS_PROTO_UDP && !tunnels))
			return ICS_CLASS_ip6_other;
		return ICS_CLASS_COUNT;
	}
	return (uint16_t)head == ICS_PEEK_ARP ? ICS_CLASS_arp : ICS_CLASS_COUNT;
}

#endif
