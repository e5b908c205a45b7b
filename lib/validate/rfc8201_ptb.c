/* Packet Too Big (2) and the MTU that it tells: RFC 4443 3.2, RFC 8201 4. Called by rfc4443_error.c. */
#include "validate.h"

#define MTU_OFF 4
#define MIN_MTU 1280
#define IP_LEN_MAX 65535

void
ics_ptb_check(struct ics_pkt *pkt, const struct ics_quote *q)
{
	uint32_t mtu;

	/* Sent as zero and ignored (4443 3.2). */
	ICS_FIRES(pkt, ptb_code_nonzero, ics_view_u8(pkt->icmp, 1) != 0);
	/* It answers one host (4443 2.2). */
	ICS_FIRES(pkt, ptb_to_multicast, ics_ip6_is_multicast(pkt->dst));
	if (ics_unlikely(!ics_view_has(pkt->icmp, MTU_OFF, 4)))
		return;
	mtu = ics_load_be32(pkt->icmp.p + MTU_OFF);

	/* No IPv6 link carries less than 1280: such a message is discarded (8201 4). */
	ICS_FIRES(pkt, ptb_mtu_zero, mtu == 0);
	ICS_FIRES(pkt, ptb_mtu_below_1280, mtu > 0 && mtu < MIN_MTU);
	/* A packet that was not too big; an estimate is never raised (8201 4). Jumbograms have length 0. */
	ICS_FIRES(pkt, ptb_mtu_ge_quoted, q->ip_len != 0 && mtu >= q->ip_len);
	ICS_FIRES(pkt, ptb_mtu_huge, mtu > IP_LEN_MAX);
}
