/* Neighbor Solicitation (135): RFC 4861 4.3, 7.1.1, duplicate address detection of RFC 4862 included. */
#include "validate.h"

#define TARGET_OFF 8
#define OPTIONS_OFF 24

void
ics_validate_ns(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	bool unspecified = ics_ip6_is_unspecified(pkt->src);
	bool to_snm = ics_ip6_is_solicited_node(pkt->dst);
	struct ics_nd_options opts;
	const uint8_t *target;

	ics_nd_check_common(pkt);
	/* Duplicate address detection goes to the solicited-node group of its target (7.1.1). */
	ICS_FIRES(pkt, nd_ns_unspecified_dst, unspecified && !to_snm);
	/* The target address has to be there (7.1.1). */
	if (ics_unlikely(ics_msg_len(pkt) < OPTIONS_OFF)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_nd_ns_len);
		return;
	}
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, OPTIONS_OFF)))
		return;
	target = pkt->icmp.p + TARGET_OFF;

	/* Sent to the group of another address than the one it asks for: the owner never hears it (4.3). */
	ICS_FIRES(pkt, nd_ns_snm_mismatch, to_snm && memcmp(pkt->dst + 13, target + 13, 3) != 0);
	/* Nobody owns such an address (4291 2.5). */
	ICS_FIRES(pkt, nd_ns_target_invalid, ics_nd_is_invalid_target(target));

	ics_nd_check_options(pkt, conf, ICS_ND_NS, OPTIONS_OFF, &opts);
	/* A multicast address has no neighbour (7.1.1), unless it is being registered (9685 4). */
	ICS_FIRES(pkt, nd_ns_target_multicast,
		  ics_ip6_is_multicast(target) && !opts.earo_multicast && opts.end != ICS_ND_END_CUT);
	/* Who has no address yet cannot bind one to a link-layer address (7.1.1). */
	ICS_FIRES(pkt, nd_ns_unspecified_with_slla, unspecified && ics_nd_has_option(&opts, ICS_OPT_SLLA));
}
