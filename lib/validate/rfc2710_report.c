/* Version 1 Report (131) and Done (132): RFC 2710 3.6, 3.7, 5, 8. */
#include "validate.h"

#define GROUP_OFF 8
#define LEN 24

void
ics_validate_mld1(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	uint32_t len = ics_msg_len(pkt);
	const uint8_t *group;

	(void)conf;
	ics_mld_check_common(pkt);
	/* Nothing is defined behind the group (3.7). */
	ICS_FIRES(pkt, mld_extra_octets, len > LEN && len != ICS_LEN_UNKNOWN);
	/* Who leaves tells the routers (8). */
	ICS_FIRES(pkt, mld1_done_dst, pkt->class == ICS_CLASS_mld1_done && !ics_ip6_is_link_group(pkt->dst, 2));
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, LEN)))
		return;
	group = pkt->icmp.p + GROUP_OFF;

	/* What is joined or left is a group (3.6). */
	ICS_FIRES(pkt, mld1_group_invalid, !ics_ip6_is_multicast(group));
	ics_mld_check_reported_group(pkt, group);
	/* Who joins tells the other members (8). */
	ICS_FIRES(pkt, mld1_report_dst_ne_group,
		  pkt->class == ICS_CLASS_mld1_report && memcmp(pkt->dst, group, 16) != 0);
}
