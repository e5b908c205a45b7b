/* ICMPv4 Destination Unreachable (3), all codes but 4: RFC 792; RFC 1122 3.2.2.1; RFC 1812 5.2.7.1. */
#include "validate.h"

#define CODE_MAX 15
#define OBSOLETE (1u << 6 | 1u << 8 | 1u << 9 | 1u << 10)
#define UNUSED_OFF 4
#define UNUSED_LOW_OFF 6

void
ics_validate_unreach4(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	uint8_t code = ics_view_u8(pkt->icmp, 1);
	struct ics_quote q;

	(void)conf;
	ICS_FIRES(pkt, icmp4_unreach_code_unknown, code > CODE_MAX);
	/* Routers use 0, 1 and 13 instead of these (1812 5.2.7.1). */
	ICS_FIRES(pkt, icmp4_unreach_code_obsolete, code <= CODE_MAX && OBSOLETE >> code & 1);
	/* Zero but for the length attribute at offset 5 (792; 4884 4.1). */
	ICS_FIRES(pkt, icmp4_unreach_unused_nonzero,
		  ics_view_u8(pkt->icmp, UNUSED_OFF) != 0 || ics_view_be16(pkt->icmp, UNUSED_LOW_OFF) != 0);
	ics_icmp4_check_error(pkt, &q);
}
