/* ICMPv4 Fragmentation Needed (3 code 4) and the next-hop MTU that it tells: RFC 1191 3 to 5, 7; RFC 5927 7. */
#include "validate.h"

#define MTU_OFF 6
#define MTU_FLOOR 68 /* RFC 791: every link carries this much */
#define MTU_TINY 576 /* what every host accepts; stacks floor near it */

void
ics_validate_fragneeded(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	struct ics_quote q;
	uint32_t mtu;

	ics_icmp4_check_error(pkt, &q);
	if (ics_unlikely(!ics_view_has(pkt->icmp, MTU_OFF, 2)))
		return;
	mtu = ics_load_be16(pkt->icmp.p + MTU_OFF);

	/* A router from before RFC 1191: hosts have to guess (5, 7). */
	ICS_FIRES(pkt, icmp4_fragneeded_mtu_zero, mtu == 0);
	/* An estimate never goes below 68 (3), and below 576 it is an attack more likely than a link (5927 7). */
	ICS_FIRES(pkt, icmp4_fragneeded_mtu_below_68, mtu > 0 && mtu < MTU_FLOOR);
	ICS_FIRES(pkt, icmp4_fragneeded_mtu_below_576, mtu >= MTU_FLOOR && mtu < MTU_TINY);
	if (ics_unlikely(!(q.flags & ICS_QUOTE_IP)))
		return;
	/* A packet that was not too big (5). */
	ICS_FIRES(pkt, icmp4_fragneeded_mtu_ge_quoted, mtu >= q.ip_len);
	/* Only a packet that may not be fragmented can be the cause (792). */
	ICS_FIRES(pkt, icmp4_fragneeded_df_clear, !(q.flags & ICS_QUOTE_DF));
	/* Routers derived from 4.2BSD add the header length to the quoted length (5): seen where the length is
	 * more than the link could carry, and with that corrected is not.
	 */
	if (ics_unlikely(q.ip_len > conf->link_mtu && q.ip_len - q.ip_hdr_len <= conf->link_mtu))
		pkt->flags |= ICS_PKT_BSD_QUIRK;
}
