/* Rules of every ICMPv4 message, and of every ICMPv4 error (types 3, 4, 5, 11, 12) about the packet that it
 * quotes: RFC 792; RFC 1122 3.2.2; RFC 1812 4.3.2.7.
 */
#include "validate.h"

#define HEADER_LEN 8
#define IP4_HEADER_MIN 20

bool
ics_icmp4_check_common(struct ics_pkt *pkt)
{
	/* Every type has 8 octets at least (792). */
	if (ics_unlikely(ics_msg_len(pkt) < HEADER_LEN)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_icmp4_len_short);
		return false;
	}
	/* The checksum covers the message alone (792; 1122 3.2.2). */
	ICS_FIRES(pkt, icmp4_checksum, ics_msg_is_whole(pkt) && ics_sum_fold(ics_sum_add(0, pkt->icmp)) != 0xffff);
	return true;
}

static bool
is_error_type(uint8_t type)
{
	return type == ICS_ICMP4_UNREACH || type == ICS_ICMP4_SOURCE_QUENCH || type == ICS_ICMP4_REDIRECT ||
	       type == ICS_ICMP4_TIME_EXCEEDED || type == ICS_ICMP4_PARAM_PROBLEM;
}

/* 224/4, or all ones. */
static bool
is_group(const uint8_t *a)
{
	return a[0] >> 4 == 0xe || ics_load_be32(a) == 0xffffffff;
}

void
ics_icmp4_check_error(struct ics_pkt *pkt, struct ics_quote *q)
{
	uint32_t ihl = IP4_HEADER_MIN;

	ics_quote_read(pkt, q);
	/* Nobody answers what came to everybody on the link (1122 3.2.2). */
	ICS_FIRES(pkt, icmp4_err_l2_group, pkt->flags & ICS_PKT_ETHER && pkt->dmac[0] & 1);

	if (ics_likely(q->bytes.len > 0)) {
		ihl = (q->bytes.p[0] & 0x0f) * 4u;
		/* What is quoted is IPv4 (1122 3.2.2). */
		if (ics_unlikely(q->bytes.p[0] >> 4 != 4 || ihl < IP4_HEADER_MIN)) {
			ics_reasons_add(&pkt->reasons, ICS_REASON_icmp4_err_quote_bad);
			ihl = IP4_HEADER_MIN;
		}
	}
	/* The header and 8 octets are what it takes to find the connection (792; 1122 3.2.2). */
	ICS_FIRES(pkt, icmp4_err_quote_short, q->len < ihl + 8);

	if (ics_likely(q->flags & ICS_QUOTE_IP)) {
		/* Never an error about an error, a later fragment, or what went to a group (1122 3.2.2). */
		ICS_FIRES(pkt, icmp4_err_about_error,
			  q->flags & ICS_QUOTE_ICMP && q->proto == ICS_PROTO_ICMP4 && is_error_type(q->icmp_type));
		ICS_FIRES(pkt, icmp4_err_about_fragment, q->flags & ICS_QUOTE_LATER);
		ICS_FIRES(pkt, icmp4_err_about_group, is_group(q->far.b + 12));
		/* It goes to the source of the packet that it is about (792). */
		ICS_FIRES(pkt, icmp4_err_quote_src_ne_dst, memcmp(q->host.b + 12, pkt->dst, 4) != 0);
	}
	ics_ext_walk(pkt, &pkt->reasons, NULL, 0);
}

/* Redirect, Time Exceeded, Parameter Problem: nothing beyond what all errors have to keep. */
void
ics_validate_error4(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	struct ics_quote q;

	(void)conf;
	ics_icmp4_check_error(pkt, &q);
}
