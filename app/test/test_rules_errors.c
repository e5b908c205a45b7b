/* Rules of A10 to A12: ICMPv6 and ICMPv4 errors, the packets that they quote, their extensions. */
#include "test_rules.h"

#define Q 8     /* the quoted packet */
#define EXT 136 /* the extension of fragneeded_mpls: header, object header, two label entries */

RULE(icmp6_err_quote_short)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "icmp6_err_quote_short", "");
	set_len(&p, 8 + 48);
	silent(&p, "icmp6_err_quote_short", "");
	set_len(&p, 8 + 47);
	fires(&p, "icmp6_err_quote_short");
	set_len(&p, 8 + 40);
	fires(&p, "icmp6_err_quote_short");
	set_len(&p, 8);
	fires(&p, "icmp6_err_quote_short");
	p = base_packet(BASE_ptb);
	p.snap = p.len - 30;
	silent(&p, "icmp6_err_quote_short", "");
}

RULE(icmp6_err_quote_bad)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "icmp6_err_quote_bad", "");
	set8(&p, Q, 0x45);
	fires(&p, "icmp6_err_quote_bad");
}

RULE(icmp6_err_oversize)
{
	struct packet p = base_packet(BASE_ptb);

	set_len(&p, 1300 - 40);
	fires(&p, "icmp6_err_oversize");
	set_len(&p, 1280 - 40);
	silent(&p, "icmp6_err_oversize", "");
	add_ext(&p, ICS_PROTO_DSTOPTS, "0000 0104 00000000");
	fires(&p, "icmp6_err_oversize");
}

RULE(icmp6_err_about_error)
{
	struct packet p = base_packet(BASE_unreach6);

	set8(&p, Q + 6, ICS_PROTO_ICMP6);
	set8(&p, Q + 40, ICS_ICMP6_TIME_EXCEEDED);
	fires(&p, "icmp6_err_about_error");
	set8(&p, Q + 40, ICS_ICMP6_REDIRECT);
	fires(&p, "icmp6_err_about_error");
	set8(&p, Q + 40, ICS_ICMP6_ECHO_REQUEST);
	silent(&p, "icmp6_err_about_error", "");

	/* Behind an extension header, and in a fragment that has no upper layer. */
	set8(&p, Q + 6, ICS_PROTO_FRAGMENT);
	set_hex(&p, Q + 40, "3a00 0001 00000001 0100");
	fires(&p, "icmp6_err_about_error");
	set_hex(&p, Q + 40, "3a00 0008 00000001 0100");
	silent(&p, "icmp6_err_about_error", "");
}

RULE(icmp6_err_about_multicast)
{
	struct packet p = base_packet(BASE_unreach6);

	silent(&p, "icmp6_err_about_multicast", "");
	set_addr(&p, Q + 24, "ff0e::1");
	fires(&p, "icmp6_err_about_multicast");
	set8(&p, 0, ICS_ICMP6_PARAM_PROBLEM);
	fires(&p, "icmp6_err_about_multicast");
	set8(&p, 1, 2);
	silent(&p, "icmp6_err_about_multicast", "");
	p = base_packet(BASE_ptb);
	set_addr(&p, Q + 24, "ff0e::1");
	silent(&p, "icmp6_err_about_multicast", "");
}

RULE(icmp6_err_quote_src_ne_dst)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "icmp6_err_quote_src_ne_dst", "");
	set_addr(&p, Q + 8, "2001:db8:1::77");
	fires(&p, "icmp6_err_quote_src_ne_dst");
}

RULE(icmp6_err_src_invalid)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "icmp6_err_src_invalid", "");
	set_src(&p, "ff02::1");
	fires(&p, "icmp6_err_src_invalid ip6_src_multicast");
	set_src(&p, "::");
	fires(&p, "icmp6_err_src_invalid");
	set_src(&p, "fe80::1");
	silent(&p, "icmp6_err_src_invalid", "");
}

RULE(icmp6_err_code_unknown)
{
	static const uint8_t bad[][2] = {{1, 9}, {3, 2}, {4, 11}}, good[][2] = {{1, 8}, {3, 1}, {4, 10}};
	struct packet p = base_packet(BASE_unreach6);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set8(&p, 0, bad[i][0]);
		set8(&p, 1, bad[i][1]);
		fires(&p, "icmp6_err_code_unknown");
		set8(&p, 1, good[i][1]);
		silent(&p, "icmp6_err_code_unknown", "");
	}
}

RULE(ptb_code_nonzero)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "ptb_code_nonzero", "");
	set8(&p, 1, 1);
	fires(&p, "ptb_code_nonzero");
}

RULE(ptb_mtu_zero)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "ptb_mtu_zero", "");
	set32(&p, 4, 0);
	fires(&p, "ptb_mtu_zero");
}

RULE(ptb_mtu_below_1280)
{
	struct packet p = base_packet(BASE_ptb);

	set32(&p, 4, 1279);
	fires(&p, "ptb_mtu_below_1280");
	set32(&p, 4, 576);
	fires(&p, "ptb_mtu_below_1280");
	set32(&p, 4, 1280);
	silent(&p, "ptb_mtu_below_1280", "");
}

RULE(ptb_mtu_ge_quoted)
{
	struct packet p = base_packet(BASE_ptb);

	set32(&p, 4, 1500);
	fires(&p, "ptb_mtu_ge_quoted");
	set32(&p, 4, 1501);
	fires(&p, "ptb_mtu_ge_quoted");
	set32(&p, 4, 1499);
	silent(&p, "ptb_mtu_ge_quoted", "");
	/* A jumbogram says nothing about its length there. */
	set16(&p, Q + 4, 0);
	silent(&p, "ptb_mtu_ge_quoted", "");
}

RULE(ptb_mtu_huge)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "ptb_mtu_huge", "");
	set32(&p, 4, 65536);
	fires(&p, "ptb_mtu_huge ptb_mtu_ge_quoted");
	set32(&p, 4, 65535);
	silent(&p, "ptb_mtu_huge", "ptb_mtu_ge_quoted");
	set32(&p, 4, 9000);
	set16(&p, Q + 4, 9001 - 40);
	silent(&p, "ptb_mtu_huge", "");
}

RULE(ptb_to_multicast)
{
	struct packet p = base_packet(BASE_ptb);

	silent(&p, "ptb_to_multicast", "");
	set_dst(&p, "ff0e::1");
	fires(&p, "ptb_to_multicast icmp6_err_quote_src_ne_dst");
}

RULE(icmp4_len_short)
{
	struct packet p = base_packet(BASE_fragneeded);

	set_len(&p, 7);
	assert_true(fires(&p, "icmp4_len_short") & ICS_PKT_UNPARSED);
	set_len(&p, 8);
	silent(&p, "icmp4_len_short", "icmp4_err_quote_short");
	set8(&p, 0, ICS_ICMP4_ECHO_REQUEST);
	silent(&p, "icmp4_len_short", "");
}

RULE(icmp4_checksum)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "icmp4_checksum", "");
	repair(&p);
	p.b[p.l4 + 3] ^= 1;
	fires(&p, "icmp4_checksum");
	p.snap = p.len - 1;
	silent(&p, "icmp4_checksum", "");
	p = base_packet(BASE_fragneeded);
	set8(&p, 0, ICS_ICMP4_ECHO_REPLY);
	repair(&p);
	p.b[p.l4 + 2] ^= 1;
	fires(&p, "icmp4_checksum");
}

RULE(icmp4_err_quote_short)
{
	static const uint8_t types[] = {3, 4, 5, 11, 12};
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "icmp4_err_quote_short", "");
	set_len(&p, 8 + 24);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(types); i++) {
		set8(&p, 0, types[i]);
		set8(&p, 1, types[i] == 3 ? 4 : 0);
		fires(&p, types[i] == 4 ? "icmp4_err_quote_short icmp4_sq_seen" : "icmp4_err_quote_short");
	}
	/* With IP options the header alone is longer. */
	p = base_packet(BASE_fragneeded);
	set8(&p, Q, 0x46);
	fires(&p, "icmp4_err_quote_short");
}

RULE(icmp4_err_quote_bad)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "icmp4_err_quote_bad", "");
	set8(&p, Q, 0x44);
	fires(&p, "icmp4_err_quote_bad");
	set8(&p, Q, 0x65);
	fires(&p, "icmp4_err_quote_bad");
}

static struct packet
host_unreachable(void)
{
	struct packet p = base_packet(BASE_unreach4);

	set8(&p, 1, 1);
	return p;
}

RULE(icmp4_err_about_error)
{
	static const uint8_t bad[] = {3, 4, 5, 11, 12};
	struct packet p = host_unreachable();

	silent(&p, "icmp4_err_about_error", "");
	set8(&p, Q + 9, ICS_PROTO_ICMP4);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set8(&p, Q + 20, bad[i]);
		fires(&p, "icmp4_err_about_error");
	}
	set8(&p, Q + 20, ICS_ICMP4_ECHO_REQUEST);
	silent(&p, "icmp4_err_about_error", "");
}

RULE(icmp4_err_about_fragment)
{
	struct packet p = host_unreachable();

	set16(&p, Q + 6, 185);
	fires(&p, "icmp4_err_about_fragment");
	set16(&p, Q + 6, 0x2000);
	silent(&p, "icmp4_err_about_fragment", "");
}

RULE(icmp4_err_about_group)
{
	struct packet p = host_unreachable();

	silent(&p, "icmp4_err_about_group", "");
	set_addr(&p, Q + 16, "224.0.0.251");
	fires(&p, "icmp4_err_about_group");
	set_addr(&p, Q + 16, "255.255.255.255");
	fires(&p, "icmp4_err_about_group");
}

RULE(icmp4_err_quote_src_ne_dst)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "icmp4_err_quote_src_ne_dst", "");
	set_addr(&p, Q + 12, "192.0.2.99");
	fires(&p, "icmp4_err_quote_src_ne_dst");
}

RULE(icmp4_err_l2_group)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "icmp4_err_l2_group", "");
	set_dmac(&p, "ff:ff:ff:ff:ff:ff");
	fires(&p, "icmp4_err_l2_group eth_unicast_ip_group_mac");
}

RULE(icmp4_unreach_code_unknown)
{
	struct packet p = base_packet(BASE_unreach4);

	set8(&p, 1, 16);
	fires(&p, "icmp4_unreach_code_unknown");
	set8(&p, 1, 200);
	fires(&p, "icmp4_unreach_code_unknown");
	for (uint8_t code = 0; code <= 15; code++) {
		bool old = code == 6 || (code >= 8 && code <= 10);

		set8(&p, 1, code);
		silent(&p, "icmp4_unreach_code_unknown",
		       old         ? "icmp4_unreach_code_obsolete"
		       : code == 4 ? "icmp4_fragneeded_mtu_zero"
				   : "");
	}
}

RULE(icmp4_unreach_code_obsolete)
{
	static const uint8_t bad[] = {6, 8, 9, 10}, good[] = {0, 1, 3, 13};
	struct packet p = base_packet(BASE_unreach4);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set8(&p, 1, bad[i]);
		fires(&p, "icmp4_unreach_code_obsolete");
		set8(&p, 1, good[i]);
		silent(&p, "icmp4_unreach_code_obsolete", "");
	}
}

RULE(icmp4_unreach_unused_nonzero)
{
	struct packet p = host_unreachable();

	set16(&p, 6, 1492);
	fires(&p, "icmp4_unreach_unused_nonzero");
	set16(&p, 6, 0);
	set8(&p, 4, 1);
	fires(&p, "icmp4_unreach_unused_nonzero");
	p = base_packet(BASE_fragneeded_mpls);
	set8(&p, 1, 1);
	set16(&p, 6, 0);
	silent(&p, "icmp4_unreach_unused_nonzero", "");
	p = base_packet(BASE_fragneeded);
	silent(&p, "icmp4_unreach_unused_nonzero", "");
}

RULE(icmp4_fragneeded_mtu_zero)
{
	struct packet p = base_packet(BASE_fragneeded_zero);

	fires(&p, "icmp4_fragneeded_mtu_zero");
	p = base_packet(BASE_fragneeded);
	silent(&p, "icmp4_fragneeded_mtu_zero", "");
}

RULE(icmp4_fragneeded_mtu_below_68)
{
	struct packet p = base_packet(BASE_fragneeded);

	set16(&p, 6, 67);
	fires(&p, "icmp4_fragneeded_mtu_below_68");
	set16(&p, 6, 1);
	fires(&p, "icmp4_fragneeded_mtu_below_68");
	set16(&p, 6, 68);
	silent(&p, "icmp4_fragneeded_mtu_below_68", "icmp4_fragneeded_mtu_below_576");
}

RULE(icmp4_fragneeded_mtu_below_576)
{
	struct packet p = base_packet(BASE_fragneeded);

	set16(&p, 6, 575);
	fires(&p, "icmp4_fragneeded_mtu_below_576");
	set16(&p, 6, 296);
	fires(&p, "icmp4_fragneeded_mtu_below_576");
	set16(&p, 6, 576);
	silent(&p, "icmp4_fragneeded_mtu_below_576", "");
}

RULE(icmp4_fragneeded_mtu_ge_quoted)
{
	struct packet p = base_packet(BASE_fragneeded);

	set16(&p, 6, 1500);
	fires(&p, "icmp4_fragneeded_mtu_ge_quoted");
	set16(&p, 6, 1600);
	fires(&p, "icmp4_fragneeded_mtu_ge_quoted");
	set16(&p, 6, 1499);
	assert_false(silent(&p, "icmp4_fragneeded_mtu_ge_quoted", "") & ICS_PKT_BSD_QUIRK);
	/* 4.2BSD adds the header length to the quoted length (RFC 1191 5). */
	set16(&p, Q + 2, 1520);
	set16(&p, 6, 1500);
	assert_true(silent(&p, "icmp4_fragneeded_mtu_ge_quoted", "") & ICS_PKT_BSD_QUIRK);
}

RULE(icmp4_fragneeded_df_clear)
{
	struct packet p = base_packet(BASE_fragneeded);

	silent(&p, "icmp4_fragneeded_df_clear", "");
	set16(&p, Q + 6, 0);
	fires(&p, "icmp4_fragneeded_df_clear");
}

RULE(icmp4_sq_seen)
{
	struct packet p = base_packet(BASE_quench);

	fires(&p, "icmp4_sq_seen");
	p = base_packet(BASE_fragneeded);
	silent(&p, "icmp4_sq_seen", "");
}

RULE(icmp4_sq_code)
{
	struct packet p = base_packet(BASE_quench);

	silent(&p, "icmp4_sq_code", "icmp4_sq_seen");
	set8(&p, 1, 1);
	fires(&p, "icmp4_sq_code icmp4_sq_seen");
}

RULE(ext_length_lt_128)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_length_lt_128", "");
	set8(&p, 5, 16);
	fires(&p, "ext_length_lt_128");
}

RULE(ext_length_overrun)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_length_overrun", "");
	set8(&p, 5, 255);
	fires(&p, "ext_length_overrun");
}

RULE(ext_version)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_version", "");
	set8(&p, EXT, 0x10);
	repair_extension(&p, EXT);
	fires(&p, "ext_version");
}

RULE(ext_checksum)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_checksum", "");
	p.b[p.l4 + EXT + 3] ^= 1;
	fires(&p, "ext_checksum");
	set16(&p, EXT + 2, 0);
	silent(&p, "ext_checksum", "");
}

RULE(ext_obj_len)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_obj_len", "");
	set16(&p, EXT + 4, 3);
	repair_extension(&p, EXT);
	fires(&p, "ext_obj_len");
	set16(&p, EXT + 4, 400);
	repair_extension(&p, EXT);
	fires(&p, "ext_obj_len");
	/* What is left behind the last object is too short for another. */
	p = base_packet(BASE_fragneeded_mpls);
	append_zero(&p, 2);
	repair_extension(&p, EXT);
	fires(&p, "ext_obj_len");
}

RULE(ext_mpls_bad_stack)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_mpls_bad_stack", "");
	p.b[p.l4 + EXT + 10] |= 1;
	repair_extension(&p, EXT);
	fires(&p, "ext_mpls_bad_stack");
	p = base_packet(BASE_fragneeded_mpls);
	p.b[p.l4 + EXT + 14] &= (uint8_t)~1;
	repair_extension(&p, EXT);
	fires(&p, "ext_mpls_bad_stack");
	p = base_packet(BASE_fragneeded_mpls);
	set16(&p, EXT + 4, 10);
	set_len(&p, EXT + 14);
	repair_extension(&p, EXT);
	fires(&p, "ext_mpls_bad_stack");
	/* Another class is not looked into. */
	p = base_packet(BASE_fragneeded_mpls);
	set8(&p, EXT + 6, 2);
	set16(&p, EXT + 10, 0);
	repair_extension(&p, EXT);
	silent(&p, "ext_mpls_bad_stack", "");
}

RULE(ext_legacy_no_length)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);

	silent(&p, "ext_legacy_no_length", "");
	set8(&p, 5, 0);
	fires(&p, "ext_legacy_no_length");
	/* A quote of 160 octets has something there, but no extension. */
	p = base_packet(BASE_fragneeded);
	set_len(&p, 8 + 160);
	silent(&p, "ext_legacy_no_length", "");
	set8(&p, EXT, 0x20);
	silent(&p, "ext_legacy_no_length", "");
	/* Version 6 counts the quote in words of 8 octets, and Packet Too Big has no extensions at all. */
	p = base_packet(BASE_unreach6);
	set_len(&p, EXT);
	append_hex(&p, "20000000 000c0101 0006403c 000c813c");
	repair_extension(&p, EXT);
	fires(&p, "ext_legacy_no_length");
	set8(&p, 4, 16);
	silent(&p, "ext_legacy_no_length", "");
	set8(&p, 4, 0);
	set16(&p, 0, ICS_ICMP6_TOO_BIG << 8);
	set32(&p, 4, 1492);
	silent(&p, "ext_legacy_no_length", "");
}
