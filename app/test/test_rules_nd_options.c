/* Rules of A3: Neighbor Discovery options, by type and length. */
#include "test_rules.h"

#define Z8 "0000000000000000"
#define SLLA_R "0101 00005e005301"
#define SLLA_X "0101 00005e005366"
#define PIO "0304 40c0 00278d00 00093a80 00000000 20010db8000100000000000000000000"

/* A base with more options behind its own. */
static struct packet
with(enum base b, const char *options)
{
	struct packet p = base_packet(b);

	append_hex(&p, options);
	return p;
}

static void
fires_with(enum base b, const char *options, const char *names)
{
	struct packet p = with(b, options);

	fires(&p, names);
}

static void
silent_with(enum base b, const char *options, const char *rule)
{
	struct packet p = with(b, options);

	silent(&p, rule, "");
}

RULE(nd_opt_len_zero)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "nd_opt_len_zero", "");
	set8(&p, 25, 0);
	fires(&p, "nd_opt_len_zero");
}

RULE(nd_opt_truncated)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "nd_opt_truncated", "");
	set8(&p, 25, 2);
	fires(&p, "nd_opt_truncated");
	fires_with(BASE_ns, "01", "nd_opt_truncated");
	p = base_packet(BASE_ns);
	p.snap = p.len - 3;
	silent(&p, "nd_opt_truncated", "");
	/* Who announces nothing cannot be blamed for it when the option with the address is unreadable. */
	p = base_packet(BASE_inc_na);
	set8(&p, 25, 2);
	fires(&p, "nd_opt_truncated");
}

RULE(nd_opt_too_many)
{
	struct packet p = base_packet(BASE_ra);

	set_len(&p, 16);
	for (unsigned i = 0; i < 10; i++)
		append_hex(&p, "c801 000000000000");
	assert_false(silent(&p, "nd_opt_too_many", "nd_opt_unknown") & ICS_PKT_GT10_OPTIONS);
	append_hex(&p, "c801 000000000000");
	assert_true(silent(&p, "nd_opt_too_many", "nd_opt_unknown") & ICS_PKT_GT10_OPTIONS);
	for (unsigned i = 11; i < 64; i++)
		append_hex(&p, "c801 000000000000");
	silent(&p, "nd_opt_too_many", "nd_opt_unknown");
	append_hex(&p, "c801 000000000000");
	assert_true(fires(&p, "nd_opt_too_many nd_opt_unknown") & ICS_PKT_GT10_OPTIONS);
}

RULE(nd_opt_unknown)
{
	fires_with(BASE_ra, "c801 000000000000", "nd_opt_unknown");
	silent_with(BASE_ra, "1801 0000 00000000", "nd_opt_unknown");
}

RULE(nd_opt_misplaced)
{
	struct packet p = base_packet(BASE_ra);

	fires_with(BASE_ns, "0201 00005e005310", "nd_opt_misplaced");
	fires_with(BASE_na, PIO, "nd_opt_misplaced");
	silent(&p, "nd_opt_misplaced", "");
}

RULE(nd_opt_dup_lla)
{
	fires_with(BASE_ra, SLLA_X, "nd_opt_dup_lla");
	silent_with(BASE_ra, SLLA_R, "nd_opt_dup_lla");
}

RULE(nd_opt_lla_len)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "nd_opt_lla_len", "");
	append_zero(&p, 8);
	set8(&p, 25, 2);
	fires(&p, "nd_opt_lla_len");
	/* Elsewhere addresses are longer: 20 octets on InfiniBand. */
	repair(&p);
	memmove(p.b, p.b + p.l3, p.len - p.l3);
	p.len -= p.l3;
	p.l4 -= p.l3;
	p.l3 = 0;
	p.link = ICS_LINK_RAW_IP;
	silent(&p, "nd_opt_lla_len", "");
}

RULE(nd_opt_lla_invalid)
{
	struct packet p = base_packet(BASE_na);

	silent(&p, "nd_opt_lla_invalid", "");
	set_hex(&p, 26, "03bfc000020a");
	fires(&p, "nd_opt_lla_invalid");
	set_hex(&p, 26, "000000000000");
	fires(&p, "nd_opt_lla_invalid");
	set_hex(&p, 26, "ffffffffffff");
	fires(&p, "nd_opt_lla_invalid");
}

RULE(nd_opt_pio_len)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_opt_pio_len", "");
	set8(&p, 25, 3);
	remove_bytes(&p, 48, 8);
	fires(&p, "nd_opt_pio_len");
}

RULE(nd_opt_rh_len)
{
	fires_with(BASE_redirect, "0402 0000 00000000" Z8, "nd_opt_rh_len");
	fires_with(BASE_redirect,
		   "0407 0000 00000000 45"
		   "00000000000000" Z8 Z8 Z8 Z8 Z8,
		   "nd_opt_rh_len");
	silent_with(BASE_redirect,
		    "0408 0000 00000000 60"
		    "00000000000000" Z8 Z8 Z8 Z8 Z8 Z8,
		    "nd_opt_rh_len");
}

RULE(nd_opt_mtu_len)
{
	struct packet p = base_packet(BASE_ra);

	silent(&p, "nd_opt_mtu_len", "");
	set8(&p, 57, 2);
	append_zero(&p, 8);
	fires(&p, "nd_opt_mtu_len");
}

RULE(nd_opt_rio_len)
{
	fires_with(BASE_ra, "1804 4000 00000708" Z8 Z8 Z8, "nd_opt_rio_len");
	fires_with(BASE_ra, "1801 3000 00000708", "nd_opt_rio_len");
	fires_with(BASE_ra, "1802 6000 00000708" Z8, "nd_opt_rio_len");
	silent_with(BASE_ra, "1801 0000 00000708", "nd_opt_rio_len");
	silent_with(BASE_ra, "1802 4000 00000708" Z8, "nd_opt_rio_len");
	silent_with(BASE_ra, "1803 8000 00000708" Z8 Z8, "nd_opt_rio_len");
}

RULE(nd_opt_rdnss_len)
{
	fires_with(BASE_ra, "1902 0000 00000708" Z8, "nd_opt_rdnss_len");
	fires_with(BASE_ra, "1904 0000 00000708 20010db8000000000000000000000053" Z8, "nd_opt_rdnss_len");
	silent_with(BASE_ra, "1903 0000 00000708 20010db8000000000000000000000053", "nd_opt_rdnss_len");
	silent_with(BASE_ra, "1905 0000 00000708 20010db8000000000000000000000053 20010db8000000000000000000000054",
		    "nd_opt_rdnss_len");
}

RULE(nd_opt_dnssl_bad)
{
	/* 7 example 3 org 0, and three octets of padding */
	silent_with(BASE_ra, "1f03 0000 00000708 076578616d706c65 036f726700 000000", "nd_opt_dnssl_bad");
	/* two names that fill the option: 3 foo 0, 9 xxxxxxxxx 0 */
	silent_with(BASE_ra, "1f03 0000 00000708 03666f6f00 09787878787878787878 00", "nd_opt_dnssl_bad");
	fires_with(BASE_ra, "1f01 0000 00000708", "nd_opt_dnssl_bad");
	fires_with(BASE_ra,
		   "1f02 0000 00000708 40"
		   "78787878787878",
		   "nd_opt_dnssl_bad");
	/* the last label ends with the option, or runs past it: no root label */
	fires_with(BASE_ra,
		   "1f02 0000 00000708 07"
		   "6578616d706c65",
		   "nd_opt_dnssl_bad");
	fires_with(BASE_ra,
		   "1f02 0000 00000708 3f"
		   "6578616d706c65",
		   "nd_opt_dnssl_bad");
}

RULE(nd_opt_feo_bad)
{
	silent_with(BASE_ra, "1a01 8000 00000000", "nd_opt_feo_bad");
	silent_with(BASE_ra, "1a01 0000 00000001", "nd_opt_feo_bad");
	fires_with(BASE_ra, "1a02 8000 00000000" Z8, "nd_opt_feo_bad");
	fires_with(BASE_ra, "1a01 0000 00000000", "nd_opt_feo_bad");
	fires_with(BASE_ra, "1a01 8000 00000000 1a01 8000 00000000", "nd_opt_feo_bad");
}

RULE(nd_opt_pref64_bad)
{
	fires_with(BASE_ra, "2601 0258 0064ff9b", "nd_opt_pref64_bad");
	fires_with(BASE_ra, "2602 025e 0064ff9b" Z8, "nd_opt_pref64_bad");
	silent_with(BASE_ra, "2602 0258 0064ff9b" Z8, "nd_opt_pref64_bad");
	silent_with(BASE_ra, "2602 025d 0064ff9b" Z8, "nd_opt_pref64_bad");
}

RULE(nd_opt_nonce_len)
{
	struct packet p = base_packet(BASE_dad);

	silent(&p, "nd_opt_nonce_len", "");
	append_zero(&p, 8);
	set8(&p, 25, 2);
	fires(&p, "nd_opt_nonce_len");
	silent_with(BASE_ns, "0e02 000000000000" Z8, "nd_opt_nonce_len");
}

RULE(nd_opt_send_incomplete)
{
#define CGA "0b02 0000 00000000" Z8
#define RSA "0c02 0000 00000000" Z8
#define TIMESTAMP "0d02 0000 00000000" Z8
#define NONCE "0e01 000000000000"
	fires_with(BASE_na, CGA RSA, "nd_opt_send_incomplete");
	fires_with(BASE_na, CGA RSA TIMESTAMP, "nd_opt_send_incomplete");
	fires_with(BASE_na, CGA TIMESTAMP RSA NONCE, "nd_opt_send_incomplete");
	silent_with(BASE_na, CGA TIMESTAMP NONCE RSA, "nd_opt_send_incomplete");
}

RULE(nd_opt_earo_bad)
{
	fires_with(BASE_ns, "2101 0000 00000000", "nd_opt_earo_bad");
	fires_with(BASE_ns, "2106 0000 00000000" Z8 Z8 Z8 Z8 Z8, "nd_opt_earo_bad");
	fires_with(BASE_ns, "2102 0100 00000000" Z8, "nd_opt_earo_bad");
	silent_with(BASE_ns, "2102 0000 00000000" Z8, "nd_opt_earo_bad");
	silent_with(BASE_na, "2102 0100 00000000" Z8, "nd_opt_earo_bad");
}

RULE(nd_opt_fixed_len)
{
	fires_with(BASE_ra, "0702 0000 00000258" Z8, "nd_opt_fixed_len");
	fires_with(BASE_ra, "0802 0000 00000258" Z8, "nd_opt_fixed_len");
	fires_with(BASE_ra, "2302 0000 00000000" Z8, "nd_opt_fixed_len");
	fires_with(BASE_ra, "0d01 0000 00000000", "nd_opt_fixed_len");
	fires_with(BASE_ra, "2402 0000 00000000" Z8, "nd_opt_fixed_len");
	fires_with(BASE_ra, "2201 0000 00000000", "nd_opt_fixed_len");
	fires_with(BASE_ra, "9001 0000 00000000", "nd_opt_fixed_len");
	silent_with(BASE_ra, "0701 0000 00000258", "nd_opt_fixed_len");
	silent_with(BASE_ra, "2303 0000 00000000" Z8 Z8, "nd_opt_fixed_len");
	silent_with(BASE_ra, "0d02 0000 00000000" Z8, "nd_opt_fixed_len");
	silent_with(BASE_ra, "2505 000000000000" Z8 Z8 Z8 Z8, "nd_opt_fixed_len");
	silent_with(BASE_ra, "2203 0000 00000000" Z8 Z8, "nd_opt_fixed_len");
}
