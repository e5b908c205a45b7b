/* The table from class to check, and the steps that all messages of one IP version have in common. Called by
 * the fast half for each decoded ICMP message; the evaluation order is length, checksum, then the message.
 */
#include "validate.h"

typedef void (*check_fn)(struct ics_pkt *pkt, const struct ics_validate_conf *conf);

/* Classes without a row have no rules beyond the common ones. */
static const check_fn checks[ICS_CLASS_COUNT] = {
	[ICS_CLASS_icmp6_unreach] = ics_validate_error6,
	[ICS_CLASS_icmp6_too_big] = ics_validate_error6,
	[ICS_CLASS_icmp6_time_exceeded] = ics_validate_error6,
	[ICS_CLASS_icmp6_param_problem] = ics_validate_error6,
	[ICS_CLASS_mld_query] = ics_validate_mld_query,
	[ICS_CLASS_mld1_report] = ics_validate_mld1,
	[ICS_CLASS_mld1_done] = ics_validate_mld1,
	[ICS_CLASS_nd_rs] = ics_validate_rs,
	[ICS_CLASS_nd_ra] = ics_validate_ra,
	[ICS_CLASS_nd_ns] = ics_validate_ns,
	[ICS_CLASS_nd_na] = ics_validate_na,
	[ICS_CLASS_nd_redirect] = ics_validate_redirect,
	[ICS_CLASS_mld2_report] = ics_validate_mld2_report,
	[ICS_CLASS_mrd] = ics_validate_mrd,
	[ICS_CLASS_icmp4_unreach] = ics_validate_unreach4,
	[ICS_CLASS_icmp4_frag_needed] = ics_validate_fragneeded,
	[ICS_CLASS_icmp4_source_quench] = ics_validate_quench,
	[ICS_CLASS_icmp4_redirect] = ics_validate_error4,
	[ICS_CLASS_icmp4_time_exceeded] = ics_validate_error4,
	[ICS_CLASS_icmp4_param_problem] = ics_validate_error4,
};

void
ics_validate(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	bool usable;

	if ((pkt->flags & (ICS_PKT_ICMP | ICS_PKT_UNPARSED)) != ICS_PKT_ICMP)
		return;

	usable = pkt->ip_version == 6 ? ics_icmp6_check_common(pkt) : ics_icmp4_check_common(pkt);
	if (ics_unlikely(!usable)) {
		pkt->flags |= ICS_PKT_UNPARSED;
		return;
	}
	if (checks[pkt->class] != NULL)
		checks[pkt->class](pkt, conf);
}
