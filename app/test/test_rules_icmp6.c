/* Rules of A1 and A2: every ICMPv6 message, every Neighbor Discovery message. */
#include "test_rules.h"

#define FRAG_ATOMIC "0000 0000 00000001"
#define FRAG_FIRST "0000 0001 00000001"

/* A message of a type without rules of its own, 8 octets long. */
static struct packet
plain6(uint8_t type)
{
	struct packet p = base_packet(BASE_na);

	set_len(&p, 8);
	set32(&p, 0, 0);
	set8(&p, 0, type);
	set_ip8(&p, 7, 64);
	return p;
}

RULE(icmp6_len_short)
{
	struct packet p = base_packet(BASE_rs);

	silent(&p, "icmp6_len_short", "");
	set_len(&p, 3);
	assert_true(fires(&p, "icmp6_len_short") & ICS_PKT_UNPARSED);
	p = base_packet(BASE_unreach6);
	set_len(&p, 6);
	fires(&p, "icmp6_len_short");
	p = plain6(ICS_ICMP6_ECHO_REPLY);
	silent(&p, "icmp6_len_short", "");
	set_len(&p, 7);
	fires(&p, "icmp6_len_short");
	/* What a short capture lacks is not missing in the message. */
	p = base_packet(BASE_unreach6);
	p.snap = p.l4 + 3;
	silent(&p, "icmp6_len_short", "");
}

RULE(icmp6_checksum)
{
	struct packet p = base_packet(BASE_na);
	uint16_t pseudo;

	silent(&p, "icmp6_checksum", "");
	p.snap = 70;
	silent(&p, "icmp6_checksum", "");
	p.snap = 0;
	repair(&p);
	p.b[p.l4 + 3] ^= 1;
	assert_false(fires(&p, "icmp6_checksum") & ICS_PKT_CSUM_PARTIAL);

	/* A mirror in front of the checksum offload shows the sum of the pseudo-header. */
	pseudo = (uint16_t)~checksum(p.b + p.l3 + 8, 32, p.len - p.l4 + ICS_PROTO_ICMP6);
	set16(&p, 2, pseudo);
	assert_true(fires(&p, "icmp6_checksum") & ICS_PKT_CSUM_PARTIAL);

	/* On the way through a routing header the final destination is summed up (RFC 8200 8.1). */
	p = plain6(ICS_ICMP6_ECHO_REQUEST);
	set_dst(&p, "2001:db8:9::9");
	repair(&p);
	add_ext(&p, ICS_PROTO_ROUTING, "0002 0401 00000000 20010db8000900000000000000000009");
	set_dst(&p, "2001:db8:8::8");
	set_ip8(&p, 5, (uint8_t)(p.len - p.l3 - 40));
	silent(&p, "icmp6_checksum", "");
	p.b[p.l3 + 43] = 0;
	fires(&p, "icmp6_checksum");
}

RULE(icmp6_type_unassigned)
{
	static const uint8_t bad[] = {5, 99, 102, 126, 162, 170, 199, 202, 254};
	static const uint8_t good[] = {128, 129, 138, 149, 157, 160, 161};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		struct packet p = plain6(bad[i]);

		fires(&p, "icmp6_type_unassigned");
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(good); i++) {
		struct packet p = plain6(good[i]);

		silent(&p, "icmp6_type_unassigned", "");
	}
}

RULE(icmp6_type_experimental)
{
	static const uint8_t bad[] = {100, 101, 127, 200, 201, 255};
	struct packet p = plain6(ICS_ICMP6_ECHO_REQUEST);

	silent(&p, "icmp6_type_experimental", "");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		p = plain6(bad[i]);
		fires(&p, "icmp6_type_experimental");
	}
}

RULE(nd_hop_limit)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_hop_limit", "");
	set_ip8(&p, 7, 254);
	fires(&p, "nd_hop_limit");
	p = base_packet(BASE_na);
	set_ip8(&p, 7, 64);
	fires(&p, "nd_hop_limit");
	p = base_packet(BASE_redirect);
	set_ip8(&p, 7, 1);
	fires(&p, "nd_hop_limit");
	p = plain6(ICS_ICMP6_ECHO_REQUEST);
	silent(&p, "nd_hop_limit", "");
}

RULE(nd_code)
{
	static const enum base bases[] = {BASE_rs, BASE_ra, BASE_ns, BASE_na, BASE_redirect};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bases); i++) {
		struct packet p = base_packet(bases[i]);

		silent(&p, "nd_code", "");
		set8(&p, 1, 1);
		fires(&p, "nd_code");
	}
}

RULE(nd_fragmented)
{
	struct packet p = base_packet(BASE_ra);

	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_ATOMIC);
	fires(&p, "nd_fragmented ip6_frag_atomic");
	/* Two real fragments: the first has the fixed part and half an option, the second is just a fragment. */
	p = base_packet(BASE_ra);
	repair(&p);
	set_len(&p, 32);
	p.raw = false;
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	fires(&p, "nd_fragmented");
	p = plain6(170);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	silent(&p, "nd_fragmented", "icmp6_type_unassigned");
	p = plain6(ICS_ICMP6_CPS);
	silent(&p, "nd_fragmented", "");
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	fires(&p, "nd_fragmented");
	p = plain6(ICS_ICMP6_CPA);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	silent(&p, "nd_fragmented", "");
	p = plain6(ICS_ICMP6_ECHO_REQUEST);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	silent(&p, "nd_fragmented", "");
}

RULE(nd_ext_header)
{
	struct packet p = base_packet(BASE_ra);

	add_ext(&p, ICS_PROTO_DSTOPTS, "0000 0104 00000000");
	fires(&p, "nd_ext_header");
	p = base_packet(BASE_report2);
	silent(&p, "nd_ext_header", "");
}
