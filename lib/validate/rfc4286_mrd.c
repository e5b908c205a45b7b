/* Multicast Router Discovery: Advertisement (151), Solicitation (152), Termination (153): RFC 4286 3 to 5. */
#include "validate.h"

void
ics_validate_mrd(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	bool from_router = ics_view_u8(pkt->icmp, 0) != ICS_ICMP6_MRD_SOLICIT;

	(void)conf;
	/* Link scope, looked at by every router; routers speak with their link-local address (3 to 5). */
	ICS_FIRES(pkt, mrd_invalid,
		  pkt->hop_limit != 1 || !(pkt->flags & ICS_PKT_ROUTER_ALERT) ||
			  (from_router && !ics_ip6_is_link_local(pkt->src)));
}
