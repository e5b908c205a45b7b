/* Router Solicitation (133): RFC 4861 4.1, 6.1.1, 6.3.7. */
#include "validate.h"

#define OPTIONS_OFF 8

void
ics_validate_rs(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	struct ics_nd_options opts;

	ics_nd_check_common(pkt);
	/* Hosts solicit all routers; a unicast solicitation is fine (6059). */
	ICS_FIRES(pkt, nd_rs_dst, ics_ip6_is_multicast(pkt->dst) && !ics_ip6_is_link_group(pkt->dst, 2));
	/* At least the reserved word has to be there (6.1.1). */
	if (ics_unlikely(ics_msg_len(pkt) < OPTIONS_OFF)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_nd_rs_len);
		return;
	}
	ics_nd_check_options(pkt, conf, ICS_ND_RS, OPTIONS_OFF, &opts);
	/* Who has no address yet cannot bind one to a link-layer address (6.1.1). */
	ICS_FIRES(pkt, nd_rs_unspecified_with_slla,
		  ics_nd_has_option(&opts, ICS_OPT_SLLA) && ics_ip6_is_unspecified(pkt->src));
}
