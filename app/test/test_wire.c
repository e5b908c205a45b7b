/* Bounds, sums, hashes and text forms of lib/wire. */
#include "ics_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_view_reads_zero_beyond_its_end(void **state)
{
	const uint8_t b[] = {1, 2, 3, 4, 5};
	struct ics_view v = {b, sizeof(b)};

	assert_int_equal(ics_view_u8(v, 4), 5);
	assert_int_equal(ics_view_u8(v, 5), 0);
	assert_int_equal(ics_view_be16(v, 3), 0x0405);
	assert_int_equal(ics_view_be16(v, 4), 0);
	assert_int_equal(ics_view_be32(v, 1), 0x02030405);
	assert_int_equal(ics_view_be32(v, 2), 0);
	assert_int_equal(ics_view_be32(v, UINT32_MAX), 0);
	assert_true(ics_view_has(v, 5, 0));
	assert_false(ics_view_has(v, 6, 0));
	assert_false(ics_view_has(v, 1, UINT32_MAX));
	assert_int_equal(ics_view_sub(v, 3, 9).len, 2);
	assert_int_equal(ics_view_sub(v, 3, 1).len, 1);
	assert_int_equal(ics_view_sub(v, 9, 1).len, 0);
}

/* RFC 1071 by the book, one 16-bit word at a time. */
static uint16_t
slow_sum(const uint8_t *p, uint32_t n)
{
	uint32_t acc = 0;

	for (uint32_t i = 0; i < n; i++)
		acc += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)acc;
}

static void
test_sum_agrees_with_the_book_at_every_length(void **state)
{
	uint8_t b[300];

	srand(1);
	for (uint32_t n = 0; n <= sizeof(b); n++) {
		for (uint32_t i = 0; i < n; i++)
			b[i] = (uint8_t)rand();
		assert_int_equal(__builtin_bswap16(ics_sum_fold(ics_sum_add(0, (struct ics_view){b, n}))) % 0xffff,
				 slow_sum(b, n) % 0xffff);
	}
	memset(b, 0xff, sizeof(b));
	assert_int_equal(ics_sum_fold(ics_sum_add(0, (struct ics_view){b, 300})), 0xffff);
}

/* In memory of just that length, so that the sanitizer sees every octet too many. */
static void
test_nothing_is_read_beyond_the_end(void **state)
{
	uint8_t all[64], padded[8];

	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 37 + 1);
	for (uint32_t n = 1; n <= sizeof(all); n++) {
		uint8_t *b = malloc(n);

		assert_non_null(b);
		memcpy(b, all, n);
		assert_int_equal(ics_hash(b, n, 1), ics_hash(all, n, 1));
		assert_int_equal(ics_sum_fold(ics_sum_add(0, (struct ics_view){b, n})),
				 ics_sum_fold(ics_sum_add(0, (struct ics_view){all, n})));
		if (n < 8) {
			memset(padded, 0, sizeof(padded));
			memcpy(padded, b, n);
			assert_true(ics_load_tail(b, n) == ics_load_u64(padded));
		}
		free(b);
	}
}

static void
test_hash_depends_on_every_bit_the_length_and_the_seed(void **state)
{
	uint8_t b[100] = {0};

	for (uint32_t n = 1; n <= sizeof(b); n++) {
		uint64_t h = ics_hash(b, n, 7);

		assert_int_not_equal(h, ics_hash(b, n, 8));
		assert_int_not_equal(h, ics_hash(b, n - 1, 7));
		for (uint32_t bit = 0; bit < n * 8; bit++) {
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(h, ics_hash(b, n, 7));
			b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(h, ics_hash(b, n, 7));
	}
}

static void
check_ip(const char *text, const char *shown)
{
	char buf[ICS_IP_STRLEN];
	struct ics_ip a;

	assert_int_equal(ics_ip_parse(text, &a), 0);
	assert_string_equal(ics_ip_format(&a, buf), shown);
}

static void
test_addresses_as_text(void **state)
{
	const char *const bad[] = {"", "fe80", "1.2.3", "1.2.3.4.5", "fe80::1%eth0", "::g", "host"};
	struct ics_ip a;

	check_ip("FE80:0::1", "fe80::1");
	check_ip("192.0.2.1", "192.0.2.1");
	check_ip("::ffff:192.0.2.1", "192.0.2.1");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++)
		assert_int_equal(ics_ip_parse(bad[i], &a), -EINVAL);
}

static void
test_macs_as_text(void **state)
{
	const char *const bad[] = {"",
				   "00:00:5e:00:53",
				   "00:00:5e:00:53:01:02",
				   "00:00:5e:00:53:1g",
				   "0000.5e00.5301",
				   "00:00-5e:00:53:01",
				   "00:00:5e:00:53:",
				   "000:0:5e:0:53:1",
				   "00:00:5e:00:53:01 "};
	char buf[ICS_MAC_STRLEN];
	struct ics_mac m;

	assert_int_equal(ics_mac_parse("00:00:5E:0:53:1", &m), 0);
	assert_string_equal(ics_mac_format(&m, buf), "00:00:5e:00:53:01");
	assert_int_equal(ics_mac_parse("00-00-5e-00-53-01", &m), 0);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++)
		assert_int_equal(ics_mac_parse(bad[i], &m), -EINVAL);
}

static void
test_address_predicates(void **state)
{
	static const struct {
		const char *text;
		bool mc, ll, unspec, loop, mapped, snm;
	} rows[] = {
		{"::", false, false, true, false, false, false},
		{"::1", false, false, false, true, false, false},
		{"::ffff:1.2.3.4", false, false, false, false, true, false},
		{"fe80::1", false, true, false, false, false, false},
		{"febf:ffff::1", false, true, false, false, false, false},
		{"fec0::1", false, false, false, false, false, false},
		{"ff02::1", true, false, false, false, false, false},
		{"ff02::1:ff00:10", true, false, false, false, false, true},
		{"ff02::1:fe00:10", true, false, false, false, false, false},
		{"ff05::1:ff00:10", true, false, false, false, false, false},
		{"2001:db8::1", false, false, false, false, false, false},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_ip a;

		assert_int_equal(ics_ip_parse(rows[i].text, &a), 0);
		assert_int_equal(ics_ip6_is_multicast(a.b), rows[i].mc);
		assert_int_equal(ics_ip6_is_link_local(a.b), rows[i].ll);
		assert_int_equal(ics_ip6_is_unspecified(a.b), rows[i].unspec);
		assert_int_equal(ics_ip6_is_loopback(a.b), rows[i].loop);
		assert_int_equal(ics_ip6_is_v4mapped(a.b), rows[i].mapped);
		assert_int_equal(ics_ip6_is_solicited_node(a.b), rows[i].snm);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_view_reads_zero_beyond_its_end),
		cmocka_unit_test(test_sum_agrees_with_the_book_at_every_length),
		cmocka_unit_test(test_nothing_is_read_beyond_the_end),
		cmocka_unit_test(test_hash_depends_on_every_bit_the_length_and_the_seed),
		cmocka_unit_test(test_addresses_as_text),
		cmocka_unit_test(test_macs_as_text),
		cmocka_unit_test(test_address_predicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
