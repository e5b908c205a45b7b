/* Rules of A4 and A5: Router Solicitation and Advertisement. Offsets of B-RA: SLLA at 16, PIO at 24, MTU at 56. */
#include "test_rules.h"

#define PIO 24
#define PIO_FLAGS (PIO + 3)
#define MTU_VALUE 60

RULE(nd_rs_len)
{
	struct packet p = base_packet(BASE_rs);

	set_len(&p, 8);
	silent(&p, "nd_rs_len", "");
	set_len(&p, 7);
	fires(&p, "nd_rs_len");
	set_len(&p, 4);
	fires(&p, "nd_rs_len");
}

RULE(nd_rs_unspecified_with_slla)
{
	struct packet p = base_packet(BASE_rs);

	silent(&p, "nd_rs_unspecified_with_slla", "");
	set_src(&p, "::");
	fires(&p, "nd_rs_unspecified_with_slla");
	set_len(&p, 8);
	silent(&p, "nd_rs_unspecified_with_slla", "");
}

RULE(nd_rs_dst)
{
	struct packet p = base_packet(BASE_rs);

	silent(&p, "nd_rs_dst", "");
	set_dst(&p, "ff02::1");
	fires(&p, "nd_rs_dst");
	set_dst(&p, "fe80::1");
	silent(&p, "nd_rs_dst", "");
}

RULE(nd_ra_len)
{
	struct packet p = base_packet(BASE_ra);

	set_len(&p, 16);
	silent(&p, "nd_ra_len", "");
	set_len(&p, 15);
	fires(&p, "nd_ra_len");
	set_len(&p, 12);
	fires(&p, "nd_ra_len");
}

RULE(nd_ra_src_not_link_local)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_ra_src_not_link_local", "");
	set_src(&p, "2001:db8:1::1");
	fires(&p, "nd_ra_src_not_link_local");
	set_src(&p, "fe80:1::1");
	silent(&p, "nd_ra_src_not_link_local", "");
	set_src(&p, "fec0::1");
	fires(&p, "nd_ra_src_not_link_local");
}

RULE(nd_ra_dst)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_ra_dst", "");
	set_dst(&p, "ff02::2");
	fires(&p, "nd_ra_dst");
	set_dst(&p, "fe80::10");
	silent(&p, "nd_ra_dst", "");
}

RULE(nd_ra_lifetime_small)
{
	struct packet p = base_packet(BASE_ra);

	for (uint16_t s = 1; s <= 3; s++) {
		set16(&p, 6, s);
		fires(&p, "nd_ra_lifetime_small");
	}
	set16(&p, 6, 0);
	silent(&p, "nd_ra_lifetime_small", "");
	set16(&p, 6, 4);
	silent(&p, "nd_ra_lifetime_small", "");
}

RULE(nd_ra_lifetime_gt_9000)
{
	struct packet p = base_packet(BASE_ra);

	set16(&p, 6, 65535);
	fires(&p, "nd_ra_lifetime_gt_9000");
	set16(&p, 6, 9001);
	fires(&p, "nd_ra_lifetime_gt_9000");
	set16(&p, 6, 9000);
	silent(&p, "nd_ra_lifetime_gt_9000", "");
}

RULE(nd_ra_prf_reserved)
{
	struct packet p = base_packet(BASE_ra);

	set8(&p, 5, 0x10);
	fires(&p, "nd_ra_prf_reserved");
	set8(&p, 5, 0x08);
	silent(&p, "nd_ra_prf_reserved", "");
	set8(&p, 5, 0x18);
	silent(&p, "nd_ra_prf_reserved", "");
	set8(&p, 5, 0x00);
	silent(&p, "nd_ra_prf_reserved", "");
}

RULE(nd_ra_prf_with_zero_lifetime)
{
	struct packet p = base_packet(BASE_inc_ra);

	silent(&p, "nd_ra_prf_with_zero_lifetime", "");
	set8(&p, 5, 0x08);
	fires(&p, "nd_ra_prf_with_zero_lifetime");
	set16(&p, 6, 1800);
	silent(&p, "nd_ra_prf_with_zero_lifetime", "");
}

RULE(nd_ra_reachable_gt_1h)
{
	struct packet p = base_packet(BASE_inc_ra);

	silent(&p, "nd_ra_reachable_gt_1h", "");
	set32(&p, 8, 3600000);
	silent(&p, "nd_ra_reachable_gt_1h", "");
	set32(&p, 8, 3600001);
	fires(&p, "nd_ra_reachable_gt_1h");
}

RULE(nd_ra_curhl_low)
{
	static const uint8_t bad[] = {1, 31}, good[] = {0, 32, 64};
	struct packet p = base_packet(BASE_ra);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set8(&p, 4, bad[i]);
		fires(&p, "nd_ra_curhl_low");
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(good); i++) {
		set8(&p, 4, good[i]);
		silent(&p, "nd_ra_curhl_low", "");
	}
}

RULE(nd_ra_pio_plen)
{
	struct packet p = base_packet(BASE_ra);

	set8(&p, PIO_FLAGS, 0x80);
	set8(&p, PIO + 2, 129);
	fires(&p, "nd_ra_pio_plen");
	set8(&p, PIO + 2, 128);
	silent(&p, "nd_ra_pio_plen", "");
	set8(&p, PIO + 2, 0);
	set_addr(&p, PIO + 16, "::");
	silent(&p, "nd_ra_pio_plen", "");
	/* With A set, a prefix that long makes no address either. */
	p = base_packet(BASE_ra);
	set8(&p, PIO + 2, 129);
	fires(&p, "nd_ra_pio_plen nd_ra_pio_auto_plen");
}

RULE(nd_ra_pio_link_local)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_ra_pio_link_local", "");
	set_addr(&p, PIO + 16, "fe80::");
	fires(&p, "nd_ra_pio_link_local");
}

RULE(nd_ra_pio_multicast)
{
	struct packet p = base_packet(BASE_ra);

	set_addr(&p, PIO + 16, "ff05::");
	fires(&p, "nd_ra_pio_multicast");
	set_addr(&p, PIO + 16, "fd00::");
	silent(&p, "nd_ra_pio_multicast", "");
}

RULE(nd_ra_pio_pref_gt_valid)
{
	struct packet p = base_packet(BASE_ra);

	set32(&p, PIO + 4, 3600);
	set32(&p, PIO + 8, 7200);
	fires(&p, "nd_ra_pio_pref_gt_valid");
	set32(&p, PIO + 8, 3600);
	silent(&p, "nd_ra_pio_pref_gt_valid", "");
	set32(&p, PIO + 4, UINT32_MAX);
	set32(&p, PIO + 8, UINT32_MAX);
	silent(&p, "nd_ra_pio_pref_gt_valid", "");
}

RULE(nd_ra_pio_auto_plen)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_ra_pio_auto_plen", "");
	set8(&p, PIO + 2, 127);
	fires(&p, "nd_ra_pio_auto_plen");
	set8(&p, PIO + 2, 48);
	set_addr(&p, PIO + 16, "2001:db8::");
	fires(&p, "nd_ra_pio_auto_plen");
	p = base_packet(BASE_ra);
	set8(&p, PIO + 2, 127);
	set8(&p, PIO_FLAGS, 0x80);
	silent(&p, "nd_ra_pio_auto_plen", "");
}

RULE(nd_ra_pio_host_bits)
{
	struct packet p = base_packet(BASE_ra);

	set_addr(&p, PIO + 16, "2001:db8:1::5");
	fires(&p, "nd_ra_pio_host_bits");
	set8(&p, PIO_FLAGS, 0xe0);
	silent(&p, "nd_ra_pio_host_bits", "");
	/* the last bit inside and the first outside, on either side of the middle */
	set8(&p, PIO_FLAGS, 0x80);
	set_addr(&p, PIO + 16, "2001:db8:1::8000:0:0:0");
	set8(&p, PIO + 2, 64);
	fires(&p, "nd_ra_pio_host_bits");
	set8(&p, PIO + 2, 65);
	silent(&p, "nd_ra_pio_host_bits", "");
	set_addr(&p, PIO + 16, "2001:db8:0:1::");
	silent(&p, "nd_ra_pio_host_bits", "");
	set8(&p, PIO + 2, 63);
	fires(&p, "nd_ra_pio_host_bits");
}

RULE(nd_ra_pio_no_flags)
{
	struct packet p = base_packet(BASE_ra);

	set8(&p, PIO_FLAGS, 0x00);
	fires(&p, "nd_ra_pio_no_flags");
	set8(&p, PIO_FLAGS, 0x10);
	silent(&p, "nd_ra_pio_no_flags", "");
	set8(&p, PIO_FLAGS, 0x80);
	silent(&p, "nd_ra_pio_no_flags", "");
}

RULE(nd_ra_mtu_lt_1280)
{
	struct packet p = base_packet(BASE_ra);

	set32(&p, MTU_VALUE, 1279);
	fires(&p, "nd_ra_mtu_lt_1280");
	set32(&p, MTU_VALUE, 1280);
	silent(&p, "nd_ra_mtu_lt_1280", "");
}

RULE(nd_ra_mtu_gt_link)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_ra_mtu_gt_link", "");
	set32(&p, MTU_VALUE, 9000);
	fires(&p, "nd_ra_mtu_gt_link");
	p.link_mtu = 9000;
	silent(&p, "nd_ra_mtu_gt_link", "");
}

RULE(nd_ra_rio_prf_reserved)
{
	struct packet p = base_packet(BASE_ra);

	append_hex(&p, "1801 0010 00000708");
	fires(&p, "nd_ra_rio_prf_reserved");
	set8(&p, 67, 0x08);
	silent(&p, "nd_ra_rio_prf_reserved", "");
}

RULE(nd_ra_rio_plen)
{
	struct packet p = base_packet(BASE_ra);

	append_hex(&p, "1803 c800 00000708 20010db8000100000000000000000000");
	fires(&p, "nd_ra_rio_plen");
	set8(&p, 66, 0);
	silent(&p, "nd_ra_rio_plen", "");
	set8(&p, 66, 128);
	silent(&p, "nd_ra_rio_plen", "");
}

RULE(nd_ra_rdnss_addr)
{
	static const char *const bad[] = {"ff02::1", "::", "::1", "::ffff:c000:201"}, *const good[] = {"fe80::1",
												       "2001:db8::53"};
	struct packet p = base_packet(BASE_ra);

	append_hex(&p, "1905 0000 00000708 20010db8000000000000000000000053 00000000000000000000000000000000");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set_addr(&p, 88, bad[i]);
		fires(&p, "nd_ra_rdnss_addr");
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(good); i++) {
		set_addr(&p, 88, good[i]);
		silent(&p, "nd_ra_rdnss_addr", "");
	}
}
