/* Neighbor Advertisement (136): RFC 4861 4.4, 7.1.2, 7.2.4 to 7.2.6; RFC 9131 4 for those to all routers. */
#include "validate.h"

#define FLAGS_OFF 4
#define TARGET_OFF 8
#define OPTIONS_OFF 24

void
ics_validate_na(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	bool to_multicast = ics_ip6_is_multicast(pkt->dst);
	struct ics_nd_options opts;
	const uint8_t *target;
	bool solicited;

	ics_nd_check_common(pkt);
	/* The sender has an address on the interface (4.4). */
	ICS_FIRES(pkt, nd_na_src_unspecified, ics_ip6_is_unspecified(pkt->src));
	/* Unsolicited ones go to all nodes (7.2.6), or to all routers (9131 4). */
	ICS_FIRES(pkt, nd_na_dst_mcast_other,
		  to_multicast && !ics_ip6_is_link_group(pkt->dst, 1) && !ics_ip6_is_link_group(pkt->dst, 2));
	/* The target address has to be there (7.1.2). */
	if (ics_unlikely(ics_msg_len(pkt) < OPTIONS_OFF)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_nd_na_len);
		return;
	}
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, OPTIONS_OFF)))
		return;
	target = pkt->icmp.p + TARGET_OFF;
	solicited = pkt->icmp.p[FLAGS_OFF] & ICS_NA_FLAG_SOLICITED;

	/* An answer to one asker cannot go to a group (7.1.2). */
	ICS_FIRES(pkt, nd_na_solicited_multicast, to_multicast && solicited);
	/* Nobody owns such an address (4291 2.5). */
	ICS_FIRES(pkt, nd_na_target_invalid, ics_nd_is_invalid_target(target));

	ics_nd_check_options(pkt, conf, ICS_ND_NA, OPTIONS_OFF, &opts);
	/* A multicast address has no neighbour (7.1.2), unless it is being registered (9685 4). */
	ICS_FIRES(pkt, nd_na_target_multicast,
		  ics_ip6_is_multicast(target) && !opts.earo_multicast && opts.end != ICS_ND_END_CUT);
	/* What everybody is told has to say the link-layer address (4.4, 7.2.6). */
	ICS_FIRES(pkt, nd_na_unsol_no_tlla,
		  to_multicast && !solicited && opts.end == ICS_ND_END_WHOLE &&
			  !ics_nd_has_option(&opts, ICS_OPT_TLLA));
}
