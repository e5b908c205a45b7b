/* Rules that all five Neighbor Discovery messages share (RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1; RFC 6980 5;
 * RFC 7113 3). Called at the start of each of them.
 */
#include "validate.h"

void
ics_nd_check_common(struct ics_pkt *pkt)
{
	/* A hop limit below 255 means that the message came through a router: not from this link. */
	ICS_FIRES(pkt, nd_hop_limit, pkt->hop_limit != 255);
	/* The code is 0 in all of them. */
	ICS_FIRES(pkt, nd_code, ics_view_u8(pkt->icmp, 1) != 0);

	if (ics_unlikely(pkt->flags & (ICS_PKT_FRAGMENT | ICS_PKT_EXT))) {
		/* No fragment header at all, not even an atomic one: filters cannot follow (6980 5). */
		ICS_FIRES(pkt, nd_fragmented, pkt->flags & ICS_PKT_FRAGMENT);
		/* Other extension headers are legal, but their use is to hide from RA Guard (7113 3). */
		ICS_FIRES(pkt, nd_ext_header, pkt->flags & ICS_PKT_EXT);
	}
}
