/* ICMPv6 errors: Destination Unreachable (1), Packet Too Big (2), Time Exceeded (3), Parameter Problem (4):
 * RFC 4443 2.2, 2.4, 3. What is special to Packet Too Big is rfc8201_ptb.c's, the extensions rfc4884_ext.c's.
 */
#include "validate.h"

#define MIN_MTU 1280
#define QUOTE_MIN 48 /* IPv6 header and the first 8 octets behind it */
#define CODE_UNRECOGNISED_OPTION 2
#define INFORMATIONAL_MIN 128

/* Highest code that IANA has assigned; 2 ignores its code (rfc8201_ptb.c). */
static const uint8_t max_code[5] = {0, 8, 255, 1, 10};

/* Groups are answered only where the sender has to learn of a limit or of an option (2.4 e.3). */
static bool
may_answer_multicast(uint8_t type, uint8_t code)
{
	return type == ICS_ICMP6_TOO_BIG || (type == ICS_ICMP6_PARAM_PROBLEM && code == CODE_UNRECOGNISED_OPTION);
}

static void
check_quote(struct ics_pkt *pkt, uint8_t type, uint8_t code, const struct ics_quote *q)
{
	/* Without upper-layer octets the error cannot be delivered (2.4 c, d). */
	ICS_FIRES(pkt, icmp6_err_quote_short, q->len < QUOTE_MIN);
	/* What is quoted is IPv6 (3). */
	ICS_FIRES(pkt, icmp6_err_quote_bad, q->bytes.len > 0 && q->bytes.p[0] >> 4 != 6);
	if (!(q->flags & ICS_QUOTE_IP))
		return;
	/* Never an error about an error, or about a redirect (2.4 e.1, e.2). */
	ICS_FIRES(pkt, icmp6_err_about_error,
		  q->flags & ICS_QUOTE_ICMP && q->proto == ICS_PROTO_ICMP6 &&
			  (q->icmp_type < INFORMATIONAL_MIN || q->icmp_type == ICS_ICMP6_REDIRECT));
	ICS_FIRES(pkt, icmp6_err_about_multicast, ics_ip6_is_multicast(q->far.b) && !may_answer_multicast(type, code));
	/* It goes to the source of the packet that it is about (2.2). */
	ICS_FIRES(pkt, icmp6_err_quote_src_ne_dst, memcmp(q->host.b, pkt->dst, 16) != 0);
}

void
ics_validate_error6(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	uint8_t type = ics_view_u8(pkt->icmp, 0), code = ics_view_u8(pkt->icmp, 1);
	struct ics_quote q;

	(void)conf;
	/* It comes from a node's own unicast address (2.2). */
	ICS_FIRES(pkt, icmp6_err_src_invalid, ics_ip6_is_multicast(pkt->src) || ics_ip6_is_unspecified(pkt->src));
	/* It fits into the minimum MTU (2.4 c). */
	ICS_FIRES(pkt, icmp6_err_oversize, 40u + pkt->ext_len + pkt->ilen > MIN_MTU);
	ICS_FIRES(pkt, icmp6_err_code_unknown, type < ICS_ARRAY_LEN(max_code) && code > max_code[type]);

	ics_quote_read(pkt, &q);
	check_quote(pkt, type, code, &q);
	if (type == ICS_ICMP6_TOO_BIG)
		ics_ptb_check(pkt, &q);
	else if (type != ICS_ICMP6_PARAM_PROBLEM)
		ics_ext_walk(pkt, &pkt->reasons, NULL, 0);
}
