/* Rules of A0: link, encapsulation, IP, extension headers, fragments. */
#include "test_rules.h"

#define PADN "0000 0104 00000000" /* 8 octets of options that say nothing; the first octet is filled in */
#define FRAG_ATOMIC "0000 0000 00000001"
#define FRAG_FIRST "0000 0001 00000001"
#define ADDR_FAR "20010db8000900000000000000000009"

static struct packet
echo6(void)
{
	struct packet p = base_packet(BASE_na);

	set_len(&p, 8);
	set_hex(&p, 0, "8000 0000 1234 0001");
	set_ip8(&p, 7, 64);
	return p;
}

RULE(eth_smac_invalid)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "eth_smac_invalid", "");
	set_smac(&p, "01:00:5e:00:53:01");
	fires(&p, "eth_smac_invalid");
	set_smac(&p, "00:00:00:00:00:00");
	fires(&p, "eth_smac_invalid");
}

RULE(eth_mcast_mac_mismatch)
{
	struct packet p = base_packet(BASE_ra);

	set_dmac(&p, "33:33:00:00:00:02");
	fires(&p, "eth_mcast_mac_mismatch");
	/* A unicast frame with a group inside is what Wi-Fi access points make of it (RFC 6085, 9119). */
	set_dmac(&p, "00:00:5e:00:53:10");
	assert_true(silent(&p, "eth_mcast_mac_mismatch", "") & ICS_PKT_L2_UNICAST);
}

RULE(eth_unicast_ip_group_mac)
{
	struct packet p = base_packet(BASE_na);

	silent(&p, "eth_unicast_ip_group_mac", "");
	set_dmac(&p, "33:33:00:00:00:10");
	fires(&p, "eth_unicast_ip_group_mac");
}

RULE(encap_depth)
{
	struct packet p = base_packet(BASE_ra);

	set_encap(&p, "8100 0001 8100 0002 8100 0003 86dd");
	fires(&p, "encap_depth");
	p = base_packet(BASE_ra);
	set_encap(&p, "8847 00010040 00010040 00010040 00010040 00010040 00010040 00010040 00010040 00010140");
	fires(&p, "encap_depth");
	p = base_packet(BASE_ra);
	set_encap(&p, "88a8 0001 8100 0002 86dd");
	silent(&p, "encap_depth", "");
	p = base_packet(BASE_ra);
	set_encap(&p, "8847 00010040 00010040 00010040 00010040 00010040 00010040 00010040 00010140");
	silent(&p, "encap_depth", "");
}

RULE(mpls_no_bottom)
{
	struct packet p = base_packet(BASE_fragneeded);

	set_encap(&p, "8847 00010040 00011140");
	silent(&p, "mpls_no_bottom", "");
	p = base_packet(BASE_fragneeded);
	set_encap(&p, "8847 00010040 00011040 00012040");
	p.len = p.l3;
	fires(&p, "mpls_no_bottom");
}

RULE(pppoe_bad)
{
	struct packet p = base_packet(BASE_ra);

	set_encap(&p, "8864 1100 0001 006a 0057");
	silent(&p, "pppoe_bad", "");
	p = base_packet(BASE_ra);
	set_encap(&p, "8864 1200 0001 006a 0057");
	fires(&p, "pppoe_bad");
	p = base_packet(BASE_ra);
	set_encap(&p, "8864 1101 0001 006a 0057");
	fires(&p, "pppoe_bad");
	p = base_packet(BASE_ra);
	set_encap(&p, "8864 1100 0001 006b 0057");
	fires(&p, "pppoe_bad");
}

RULE(ip_version_mismatch)
{
	struct packet p = base_packet(BASE_ra);

	repair(&p);
	set_ip8(&p, 0, 0x45);
	fires(&p, "ip_version_mismatch");
	p = base_packet(BASE_fragneeded);
	silent(&p, "ip_version_mismatch", "");
	repair(&p);
	set_ip8(&p, 0, 0x65);
	fires(&p, "ip_version_mismatch");
}

RULE(ip6_truncated)
{
	struct packet p = base_packet(BASE_ra);

	repair(&p);
	set_ip8(&p, 5, 0x80);
	fires(&p, "ip6_truncated");
	p = base_packet(BASE_ra);
	p.snap = 80;
	assert_true(silent(&p, "ip6_truncated", "") & ICS_PKT_CAP_TRUNC);
	p = base_packet(BASE_ra);
	add_padding(&p, 6);
	silent(&p, "ip6_truncated", "");
}

RULE(ip6_src_multicast)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "ip6_src_multicast", "");
	set_src(&p, "ff02::1");
	fires(&p, "ip6_src_multicast");
}

RULE(ip6_addr_invalid)
{
	struct packet p = base_packet(BASE_ns);

	set_src(&p, "::1");
	fires(&p, "ip6_addr_invalid");
	p = base_packet(BASE_ns);
	memcpy(p.b + p.l3 + 8, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01", 16);
	fires(&p, "ip6_addr_invalid");
	p = base_packet(BASE_na);
	set_dst(&p, "::");
	fires(&p, "ip6_addr_invalid");
	set_dst(&p, "::1");
	fires(&p, "ip6_addr_invalid");
	p = base_packet(BASE_dad);
	silent(&p, "ip6_addr_invalid", "");
}

RULE(ip6_ext_hbh_position)
{
	struct packet p = base_packet(BASE_ra);

	add_ext(&p, ICS_PROTO_DSTOPTS, PADN);
	add_ext(&p, ICS_PROTO_HOPOPTS, PADN);
	fires(&p, "ip6_ext_hbh_position nd_ext_header");
	p = base_packet(BASE_report2);
	silent(&p, "ip6_ext_hbh_position", "");
}

RULE(ip6_ext_overrun)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "ip6_ext_overrun", "");
	repair(&p);
	set_ip8(&p, 41, 0xff);
	fires(&p, "ip6_ext_overrun");
}

RULE(ip6_ext_limit)
{
	struct packet p = base_packet(BASE_ns);

	for (unsigned i = 0; i < 9; i++)
		add_ext(&p, ICS_PROTO_DSTOPTS, PADN);
	assert_true(fires(&p, "ip6_ext_limit") & ICS_PKT_UNPARSED);
	p = base_packet(BASE_ns);
	for (unsigned i = 0; i < 2; i++)
		add_ext(&p, ICS_PROTO_DSTOPTS, PADN);
	silent(&p, "ip6_ext_limit", "nd_ext_header");
	for (unsigned i = 2; i < 8; i++)
		add_ext(&p, ICS_PROTO_DSTOPTS, PADN);
	silent(&p, "ip6_ext_limit", "nd_ext_header");
}

RULE(ip6_ext_unknown)
{
	struct packet p = base_packet(BASE_ns);

	repair(&p);
	set_ip8(&p, 6, 253);
	fires(&p, "ip6_ext_unknown");
	p = echo6();
	add_ext(&p, ICS_PROTO_ROUTING, "0002 0201 00000000" ADDR_FAR);
	silent(&p, "ip6_ext_unknown", "");
}

RULE(ip6_ext_rh0)
{
	struct packet p = echo6();

	add_ext(&p, ICS_PROTO_ROUTING, "0002 0001 00000000" ADDR_FAR);
	fires(&p, "ip6_ext_rh0");
	p = echo6();
	add_ext(&p, ICS_PROTO_ROUTING, "0002 0000 00000000" ADDR_FAR);
	silent(&p, "ip6_ext_rh0", "");
	p = echo6();
	add_ext(&p, ICS_PROTO_ROUTING, "0002 0401 00000000" ADDR_FAR);
	silent(&p, "ip6_ext_rh0", "");
}

RULE(ip6_hbh_router_alert_bad)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "ip6_hbh_router_alert_bad", "");
	drop_ext(&p);
	add_ext(&p, ICS_PROTO_HOPOPTS, "0000 0504 00000000");
	fires(&p, "ip6_hbh_router_alert_bad mld_no_router_alert");
	drop_ext(&p);
	add_ext(&p, ICS_PROTO_HOPOPTS, "0001 0502 0000 0502 0000 0104 00000000");
	fires(&p, "ip6_hbh_router_alert_bad");
}

RULE(ip6_frag_first_incomplete)
{
	struct packet p = base_packet(BASE_ra);

	set_len(&p, 0);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	add_ext(&p, ICS_PROTO_DSTOPTS, "0001 0104 00000000");
	assert_true(fires(&p, "ip6_frag_first_incomplete") & ICS_PKT_EVASION);
	p = base_packet(BASE_ra);
	make_udp(&p);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	silent(&p, "ip6_frag_first_incomplete", "");
}

/* Needs memory: the fast half lets overlapping fragments pass one by one. */
RULE(ip6_frag_overlap)
{
	struct packet p = echo6();

	set_len(&p, 64);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	silent(&p, "ip6_frag_overlap", "");
	p = echo6();
	set_len(&p, 64);
	add_ext(&p, ICS_PROTO_FRAGMENT, "0000 0038 00000001");
	silent(&p, "ip6_frag_overlap", "");
}

RULE(ip6_frag_len_not_8)
{
	struct packet p = echo6();

	set_len(&p, 61);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_FIRST);
	fires(&p, "ip6_frag_len_not_8");
	p = echo6();
	set_len(&p, 61);
	add_ext(&p, ICS_PROTO_FRAGMENT, "0000 0040 00000001");
	silent(&p, "ip6_frag_len_not_8", "");
	p = echo6();
	set_len(&p, 61);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_ATOMIC);
	silent(&p, "ip6_frag_len_not_8", "ip6_frag_atomic");
}

RULE(ip6_frag_atomic)
{
	struct packet p = echo6();

	silent(&p, "ip6_frag_atomic", "");
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_ATOMIC);
	assert_true(fires(&p, "ip6_frag_atomic") & ICS_PKT_FRAG_ATOMIC);
}

RULE(ip4_hdr_bad)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "ip4_hdr_bad", "");
	repair(&p);
	set_ip8(&p, 0, 0x44);
	fires(&p, "ip4_hdr_bad");
	p = base_packet(BASE_fragneeded);
	repair(&p);
	set_ip8(&p, 3, 10);
	p.b[p.l3 + 10] = p.b[p.l3 + 11] = 0;
	uint16_t sum = checksum(p.b + p.l3, 20, 0);

	set_ip8(&p, 10, (uint8_t)(sum >> 8));
	set_ip8(&p, 11, (uint8_t)sum);
	fires(&p, "ip4_hdr_bad");
}

RULE(ip4_hdr_csum)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "ip4_hdr_csum", "");
	repair(&p);
	p.b[p.l3 + 11] ^= 1;
	fires(&p, "ip4_hdr_csum");
}

RULE(ip4_src_invalid)
{
	static const char *const bad[] = {"224.0.0.1", "240.0.0.1", "127.0.0.1", "0.0.0.0", "0.1.2.3"};
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "ip4_src_invalid", "");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set_src(&p, bad[i]);
		fires(&p, "ip4_src_invalid");
	}
}

RULE(ip4_icmp_fragmented)
{
	struct packet p = base_packet(BASE_fragneeded);

	set_ip8(&p, 6, 0x20);
	fires(&p, "ip4_icmp_fragmented");
	set_ip8(&p, 6, 0);
	set_ip8(&p, 7, 8);
	fires(&p, "ip4_icmp_fragmented");
	p = base_packet(BASE_fragneeded);
	make_udp(&p);
	set_ip8(&p, 6, 0x20);
	silent(&p, "ip4_icmp_fragmented", "");
}
