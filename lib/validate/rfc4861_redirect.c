/* Redirect (137): RFC 4861 4.5, 8.1, 8.2. That its source is the first hop of that destination (8.1) takes
 * memory and is the control core's to judge.
 */
#include "validate.h"

#define TARGET_OFF 8
#define DEST_OFF 24
#define OPTIONS_OFF 40
#define MIN_MTU 1280

void
ics_validate_redirect(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	struct ics_nd_options opts;
	const uint8_t *target, *dest;

	ics_nd_check_common(pkt);
	/* Routers redirect with their link-local address, so that hosts know them by it (8.1). */
	ICS_FIRES(pkt, nd_redir_src_not_link_local, !ics_ip6_is_link_local(pkt->src));
	/* It goes to the host whose packet triggered it (4.5). */
	ICS_FIRES(pkt, nd_redir_to_multicast, ics_ip6_is_multicast(pkt->dst));
	/* What it quotes must not make it longer than the minimum MTU (8.2). */
	ICS_FIRES(pkt, nd_redir_oversize, 40 + pkt->ilen > MIN_MTU);
	/* Target and destination have to be there (8.1). */
	if (ics_unlikely(ics_msg_len(pkt) < OPTIONS_OFF)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_nd_redir_len);
		return;
	}
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, OPTIONS_OFF)))
		return;
	target = pkt->icmp.p + TARGET_OFF;
	dest = pkt->icmp.p + DEST_OFF;

	/* Groups are not redirected (8.1). */
	ICS_FIRES(pkt, nd_redir_dest_multicast, ics_ip6_is_multicast(dest));
	/* Either another router, by its link-local address, or the destination itself on this link (8.1). */
	ICS_FIRES(pkt, nd_redir_target_bad, !ics_ip6_is_link_local(target) && memcmp(target, dest, 16) != 0);
	ics_nd_check_options(pkt, conf, ICS_ND_REDIRECT, OPTIONS_OFF, &opts);
}
