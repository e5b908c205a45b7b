/* Traffic that looks odd and is right: none of it may break a rule, or only the one named. A tool that cries
 * wolf over these is switched off by the second day.
 */
#include "test_common.h"

#define TARGET 8
#define PIO_HEX "0304 40c0 00278d00 00093a80 00000000 20010db8000100000000000000000000"
#define MTU_HEX "0501 0000 000005dc"

static void
expect(const struct packet *p, const char *name)
{
	struct ics_pkt pkt;
	int n = name[0] != '\0' ? ics_reason_find(name) : -1;
	struct ics_reasons want = {{0}};

	if (n >= 0)
		ics_reasons_add(&want, (enum ics_reason)n);
	inspect(p, &pkt);
	assert_true(pkt.flags & ICS_PKT_ICMP);
	assert_memory_equal(&pkt.reasons, &want, sizeof(want));
}

static void
expect_silence(const struct packet *p)
{
	expect(p, "");
}

/* RFC 4861 6.2.3: left out where several routers share the load. */
static void
test_ra_without_slla(void **state)
{
	struct packet p = base_packet(BASE_ra);

	(void)state;
	remove_bytes(&p, 16, 8);
	expect_silence(&p);
}

/* RFC 9131 4: a host tells the routers its new address, without override. */
static void
test_gratuitous_na(void **state)
{
	struct packet p = base_packet(BASE_inc_na);

	(void)state;
	set_src(&p, "2001:db8:1::10");
	set_dst(&p, "ff02::2");
	set_smac(&p, "00:00:5e:00:53:10");
	set8(&p, 4, 0);
	set_addr(&p, TARGET, "2001:db8:1::10");
	set_hex(&p, 26, "00005e005310");
	expect_silence(&p);
}

/* RFC 7527 4.1 */
static void
test_dad_with_nonce(void **state)
{
	struct packet p = base_packet(BASE_dad);

	(void)state;
	expect_silence(&p);
}

/* RFC 4861 6.2.3, RFC 4191 2.2: a router of a prefix, a resolver or a route only, such as a Thread border router. */
static void
test_ra_of_no_default_router(void **state)
{
	struct packet p = base_packet(BASE_inc_ra);

	(void)state;
	append_hex(&p, "1802 4000 00000708 fd00000000010000");
	append_hex(&p, "1903 0000 00000708 20010db8000000000000000000000053");
	set8(&p, 5, 0x02); /* a flag that stub routers set */
	expect_silence(&p);
}

/* RFC 4861 7.2.7, 7.2.8: anycast and proxied targets are answered without override. */
static void
test_na_for_anycast_and_proxy(void **state)
{
	struct packet p = base_packet(BASE_na);

	(void)state;
	set8(&p, 4, ICS_NA_FLAG_SOLICITED);
	set_addr(&p, TARGET, "2001:db8:1::77");
	expect_silence(&p);
}

/* RFC 4861 6.2.3: options that do not fit into one advertisement are split. */
static void
test_split_ra(void **state)
{
	struct packet a = base_packet(BASE_ra), b = a;

	(void)state;
	set_len(&a, 16);
	append_hex(&a, PIO_HEX);
	expect_silence(&a);
	set_len(&b, 16);
	append_hex(&b, MTU_HEX);
	expect_silence(&b);
}

/* RFC 6085; RFC 9119: access points turn group frames into unicast ones. */
static void
test_group_in_unicast_frame(void **state)
{
	static const enum base bases[] = {BASE_ra, BASE_ns, BASE_query2, BASE_report2};

	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bases); i++) {
		struct packet p = base_packet(bases[i]);

		set_dmac(&p, "00:00:5e:00:53:10");
		expect_silence(&p);
	}
}

/* RFC 9777 5.2.14: before it has an address. Told, for information, and by a rule that hosts overlook. */
static void
test_report_at_boot(void **state)
{
	struct packet p = base_packet(BASE_report2);
	const struct ics_reason_info *info = ics_reason_info(ICS_REASON_mld_src_unspecified);

	(void)state;
	set_src(&p, "::");
	expect(&p, "mld_src_unspecified");
	assert_int_equal(info->severity, ICS_SEV_INFO);
	assert_true(info->flags & ICS_REASON_LENIENT);
}

/* RFC 4861 9; RFC 9777 5.2.13: what is new is skipped, and told for information only. */
static void
test_unknown_option_and_record(void **state)
{
	struct packet p = base_packet(BASE_ra);

	(void)state;
	append_hex(&p, "c801 000000000000");
	expect(&p, "nd_opt_unknown");
	assert_int_equal(ics_reason_info(ICS_REASON_nd_opt_unknown)->severity, ICS_SEV_INFO);
	p = base_packet(BASE_report2);
	set8(&p, 8, 7);
	expect(&p, "mld2_report_rectype_unknown");
	assert_int_equal(ics_reason_info(ICS_REASON_mld2_report_rectype_unknown)->severity, ICS_SEV_INFO);
}

/* RFC 9762, stub routers: flags that were allocated after this program was written look like these. */
static void
test_new_flags(void **state)
{
	struct packet p = base_packet(BASE_ra);

	(void)state;
	set8(&p, 5, 0x03);
	set8(&p, 27, 0xd0);
	expect_silence(&p);
}

/* RFC 4443 2.4 e.3: the one error that answers a group. */
static void
test_ptb_about_multicast(void **state)
{
	struct packet p = base_packet(BASE_ptb);

	(void)state;
	set_addr(&p, 32, "ff0e::1");
	expect_silence(&p);
}

static void
test_ptb_of_small_link(void **state)
{
	static const uint16_t mtus[] = {1280, 1400, 1480, 1492};

	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(mtus); i++) {
		struct packet p = base_packet(BASE_ptb), q = base_packet(BASE_fragneeded);

		set32(&p, 4, mtus[i]);
		expect_silence(&p);
		set16(&q, 6, mtus[i]);
		expect_silence(&q);
	}
}

/* RFC 8335: ICMPv6 160 and 161, ICMPv4 42 and 43. */
static void
test_probe(void **state)
{
	(void)state;
	for (uint8_t type = 160; type <= 161; type++) {
		struct packet p = base_packet(BASE_na);

		set8(&p, 0, type);
		expect_silence(&p);
	}
	for (uint8_t type = 42; type <= 43; type++) {
		struct packet p = base_packet(BASE_fragneeded);

		set8(&p, 0, type);
		expect_silence(&p);
	}
}

/* RFC 6775, 8505, 8929, 9685: address registration, and duplicate address messages 157 and 158. */
static void
test_registration(void **state)
{
	struct packet p = base_packet(BASE_ns);

	(void)state;
	append_hex(&p, "2102 0000 00010000 0000000000000000");
	expect_silence(&p);
	p = base_packet(BASE_na);
	append_hex(&p, "2102 0100 00010000 0000000000000000");
	expect_silence(&p);
	for (uint8_t type = 157; type <= 158; type++) {
		p = base_packet(BASE_na);
		set8(&p, 0, type);
		expect_silence(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ra_without_slla),
		cmocka_unit_test(test_gratuitous_na),
		cmocka_unit_test(test_dad_with_nonce),
		cmocka_unit_test(test_ra_of_no_default_router),
		cmocka_unit_test(test_na_for_anycast_and_proxy),
		cmocka_unit_test(test_split_ra),
		cmocka_unit_test(test_group_in_unicast_frame),
		cmocka_unit_test(test_report_at_boot),
		cmocka_unit_test(test_unknown_option_and_record),
		cmocka_unit_test(test_new_flags),
		cmocka_unit_test(test_ptb_about_multicast),
		cmocka_unit_test(test_ptb_of_small_link),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_registration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
