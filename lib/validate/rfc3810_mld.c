/* Rules that all Multicast Listener Discovery messages share (RFC 2710 3, 5; RFC 9777, once 3810, 5, 6.2, 7.4;
 * RFC 2711 2.1; RFC 3590 4). Called at the start of each of them.
 */
#include "ics_mld.h"
#include "validate.h"

void
ics_mld_check_common(struct ics_pkt *pkt)
{
	/* MLD never leaves the link (9777 5). */
	ICS_FIRES(pkt, mld_hop_limit, pkt->hop_limit != 1);
	/* Without a router alert of value 0 a router need not look into the packet (9777 5; 2711 2.1). */
	ICS_FIRES(pkt, mld_no_router_alert, !(pkt->flags & ICS_PKT_ROUTER_ALERT));
	ICS_FIRES(pkt, mld_router_alert_value, pkt->flags & ICS_PKT_ROUTER_ALERT && pkt->router_alert != 0);
	/* Queries come from a link-local address (9777 5.1.14), reports from one or, before there is one, from
	 * the unspecified address (5.2.14, 3590 4).
	 */
	if (ics_unlikely(!ics_ip6_is_link_local(pkt->src))) {
		bool unspecified = pkt->class != ICS_CLASS_mld_query && ics_ip6_is_unspecified(pkt->src);

		ICS_FIRES(pkt, mld_src_unspecified, unspecified);
		ICS_FIRES(pkt, mld_src_not_link_local, !unspecified);
	}
	/* A field that senders leave zero (2710 3.2; 9777 5.1.1, 5.2.1). */
	ICS_FIRES(pkt, mld_code_nonzero, ics_view_u8(pkt->icmp, 1) != 0);
	/* Snooping switches do not reassemble; reports are split by record instead (9777 5.2.16). */
	ICS_FIRES(pkt, mld_fragmented, pkt->flags & ICS_PKT_FRAGMENT);
}

void
ics_mld_check_reported_group(struct ics_pkt *pkt, const uint8_t *group)
{
	/* All nodes, and what never leaves the node, needs no listener state (2710 5; 9777 6). */
	ICS_FIRES(pkt, mld_group_unreportable, ics_ip6_is_multicast(group) && ics_ip6_is_unreportable(group));
}
