/* ICMPv4 Source Quench (4), which nobody may send any more and hosts ignore: RFC 6633 3, 4. */
#include "validate.h"

void
ics_validate_quench(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	struct ics_quote q;

	(void)conf;
	ics_reasons_add(&pkt->reasons, ICS_REASON_icmp4_sq_seen);
	/* 792 defines code 0 only. */
	ICS_FIRES(pkt, icmp4_sq_code, ics_view_u8(pkt->icmp, 1) != 0);
	ics_icmp4_check_error(pkt, &q);
}
