/* lib/model/prefix.c, prefix_find.c, ra_items.c: what RAs announce, from wire to table: every kind of option, hostile
 * ones, lifetimes as deadlines, announcements and what is missing from them, quotas, questions.
 */
#include "test_ra.h"
#include "test_slow.h"

static struct ics_model *
model_of(struct rig *r)
{
	return ics_engine_model(r->engine);
}

static const struct ics_prefix *
find(struct rig *r, enum ics_prefix_kind kind, const char *text)
{
	char buf[ICS_PREFIX_STRLEN];

	for (const struct ics_prefix *p = ics_model_prefix_next(model_of(r), 1); p != NULL;
	     p = ics_model_prefix_next(model_of(r), p->id + 1))
		if (p->kind == kind && strcmp(ics_prefix_format(p, buf), text) == 0)
			return p;
	return NULL;
}

static void
test_every_kind_is_kept(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);
	const struct ics_prefix *e;

	append_hex(&p, "1803300800000258"
		       "20010db800aa0000"
		       "0000000000000000"); /* RIO /48 high 600 s */
	append_hex(&p, "1905000000000384"
		       "20010db8000000000000000000000053"
		       "20010db8000000000000000000000054");
	append_hex(&p, "1f040000000004b0"
		       "04636f727007657861"
		       "6d706c6500"
		       "0474657374"
		       "00"
		       "00000000");
	append_hex(&p, "26020710"
		       "0064ff9b0000000000000000");                         /* PREF64 /96 1808 s */
	append_hex(&p, "250368747470733a2f2f706f7274616c2e746573742f0000"); /* portal */
	append_hex(&p, "90050001"
		       "00000e10"
		       "000a"
		       "03646e73"
		       "0474657374"
		       "00"
		       "0010"
		       "20010db8000000000000000000000055"
		       "0000");
	feed(r, &p, T0);
	assert_int_equal(ics_model_prefix_count(model_of(r)), 9);
	e = find(r, ICS_PREFIX_PIO, "2001:db8:1::/64");
	assert_non_null(e);
	assert_int_equal(e->flags, 0xc0);
	assert_int_equal(e->valid_s, 0x278d00);
	assert_int_equal(e->preferred_s, 0x93a80);
	assert_int_equal(e->valid_until_ns, T0 + 0x278d00 * S);
	assert_int_equal(e->preferred_until_ns, T0 + 0x93a80 * S);
	e = find(r, ICS_PREFIX_RIO, "2001:db8:aa::/48");
	assert_non_null(e);
	assert_int_equal(e->flags, 0x08);
	assert_int_equal(e->valid_until_ns, T0 + 600 * S);
	assert_non_null(find(r, ICS_PREFIX_RDNSS, "2001:db8::53"));
	assert_non_null(find(r, ICS_PREFIX_RDNSS, "2001:db8::54"));
	assert_non_null(find(r, ICS_PREFIX_DNSSL, "corp.example"));
	e = find(r, ICS_PREFIX_DNSSL, "test");
	assert_non_null(e);
	assert_int_equal(e->valid_s, 1200);
	e = find(r, ICS_PREFIX_PREF64, "64:ff9b::/96");
	assert_non_null(e);
	assert_int_equal(e->valid_s, 0x710);
	e = find(r, ICS_PREFIX_CAPTIVE_PORTAL, "https://portal.test/");
	assert_non_null(e);
	assert_int_equal(e->valid_s, 1800);
	e = find(r, ICS_PREFIX_ENCRYPTED_DNS, "dns.test");
	assert_non_null(e);
	assert_int_equal(e->valid_s, 3600);
	rig_free(r);
}

static void
test_what_receivers_ignore(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);

	set8(&p, 26, 129);                  /* PIO with 129 bits */
	append_hex(&p, "1801400000000258"); /* RIO of 64 bits without room for them */
	append_hex(&p, "1801001000000258"); /* RIO with reserved preference */
	append_hex(&p, "19040000000003840000000000000000"
		       "00000000000000000000000000000000"); /* RDNSS of even length */
	append_hex(&p, "26020716"
		       "0064ff9b0000000000000000"); /* PREF64 with code 6 */
	append_hex(&p, "1f020000000004b0"
		       "4001020304050607"); /* DNSSL: label of 64 */
	append_hex(&p, "1f020000000004b0"
		       "0701020304050607"); /* DNSSL: no end */
	append_hex(&p, "2501000000000000"); /* portal of zeros */
	append_hex(&p, "90020001"
		       "00000e10"
		       "00ff"
		       "000000000000"); /* encrypted DNS: name beyond the option */
	feed(r, &p, T0);
	assert_int_equal(ics_model_prefix_count(model_of(r)), 0);
	p = base_packet(BASE_ra);
	set_addr(&p, 40, "fe80::");
	feed(r, &p, T0 + S);
	set_addr(&p, 40, "ff0e::");
	feed(r, &p, T0 + 2 * S);
	/* Nobody has it, so it is not there to be withdrawn. */
	p = base_packet(BASE_ra);
	set32(&p, 28, 0);
	set32(&p, 32, 0);
	feed(r, &p, T0 + 3 * S);
	/* No conforming receiver acts on it. */
	p = base_packet(BASE_ra);
	set_ip8(&p, 7, 254);
	feed(r, &p, T0 + 4 * S);
	assert_int_equal(ics_model_prefix_count(model_of(r)), 0);
	rig_free(r);
}

static void
test_hostile_names_become_printable(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);
	struct ics_prefix const *e;

	append_hex(&p, "1f030000000004b0"
		       "0a1b5b324a22005c2e0aff"
		       "00"
		       "00000000");
	append_hex(&p, "2502"
		       "68740a1b5b324a7f803c00000000");
	feed(r, &p, T0);
	e = find(r, ICS_PREFIX_DNSSL, "?[2J??????");
	assert_non_null(e);
	e = find(r, ICS_PREFIX_CAPTIVE_PORTAL, "ht?\?[2J?\?<");
	assert_non_null(e);
	/* A name as long as names can be is cut where text ends. */
	p = base_packet(BASE_ra);
	append_hex(&p, "1f21000000000010");
	for (unsigned i = 0; i < 3; i++) {
		append_hex(&p, "3f");
		for (unsigned k = 0; k < 63; k++)
			append_hex(&p, "61");
	}
	append_hex(&p, "3d");
	for (unsigned k = 0; k < 61; k++)
		append_hex(&p, "61");
	append_hex(&p, "0000");
	feed(r, &p, T0 + S);
	for (const struct ics_prefix *q = ics_model_prefix_next(model_of(r), 1); q != NULL;
	     q = ics_model_prefix_next(model_of(r), q->id + 1))
		for (const char *c = q->text; *c != '\0'; c++)
			assert_in_range(*c, 0x21, 0x7e);
	assert_int_equal(ics_model_prefix_count(model_of(r)), 4);
	rig_free(r);
}

/* Names that differ only in case are one. */
static void
test_names_are_compared_as_dns_does(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);

	append_hex(&p, "1f020000000004b0"
		       "0454657374000000");
	feed(r, &p, T0);
	p = base_packet(BASE_ra);
	append_hex(&p, "1f020000000004b0"
		       "0474455374000000");
	feed(r, &p, T0 + 200 * S);
	assert_int_equal(ics_model_prefix_count(model_of(r)), 2);
	rig_free(r);
}

static void
test_announcements_and_what_is_missing(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet with = base_packet(BASE_ra), without = ra_without_pio(), unicast = without;
	const struct ics_prefix *e;
	uint64_t t;

	t = learn(r);
	e = find(r, ICS_PREFIX_PIO, "2001:db8:1::/64");
	assert_int_equal(e->rounds, 4);
	assert_int_equal(e->steady, 4);
	assert_int_equal(ics_prefix_misses(model_of(r), e), 0);
	/* One announcement in two RAs. */
	feed(r, &without, t += 200 * S);
	feed(r, &with, t + 100 * MS);
	assert_int_equal(ics_prefix_misses(model_of(r), e), 0);
	assert_int_equal(e->rounds, 5);
	/* To one host: says nothing to the others. */
	set_dst(&unicast, "fe80::10");
	for (unsigned i = 0; i < 5; i++)
		feed(r, &unicast, t += 20 * S);
	assert_int_equal(ics_prefix_misses(model_of(r), e), 0);
	feed(r, &without, t += 200 * S);
	feed(r, &without, t += 200 * S);
	assert_int_equal(ics_prefix_misses(model_of(r), e), 2);
	assert_false(ics_prefix_is_missing(model_of(r), e));
	/* Then it is back: it may be missing as long before it is told again. */
	feed(r, &with, t += 200 * S);
	assert_int_equal(e->max_gap, 3);
	for (unsigned i = 0; i < 8; i++)
		feed(r, &without, t += 200 * S);
	assert_false(ics_prefix_is_missing(model_of(r), e));
	feed(r, &without, t += 200 * S);
	assert_true(ics_prefix_is_missing(model_of(r), e));
	rig_free(r);
}

/* The last RAs of a router that leaves are no announcements. */
static void
test_goodbye_does_not_count(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = ra_without_pio();
	uint64_t t = learn(r);

	set16(&p, 6, 0);
	for (unsigned i = 0; i < 3; i++)
		feed(r, &p, t += 2 * S);
	assert_int_equal(ics_prefix_misses(model_of(r), find(r, ICS_PREFIX_PIO, "2001:db8:1::/64")), 0);
	rig_free(r);
}

static void
test_lifetimes_that_count_down_are_steady(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);
	const struct ics_prefix *e;

	for (unsigned i = 0; i < 4; i++) {
		set32(&p, 28, 7200 - i * 200);
		set32(&p, 32, 3600 - i * 200);
		feed(r, &p, T0 + i * 200 * S);
	}
	e = find(r, ICS_PREFIX_PIO, "2001:db8:1::/64");
	assert_int_equal(e->steady, 4);
	assert_int_equal(e->prev_valid_s, 6800);
	set32(&p, 28, ICS_LIFETIME_INFINITE);
	feed(r, &p, T0 + 800 * S);
	assert_int_equal(e->steady, 1);
	assert_int_equal(e->valid_until_ns, UINT64_MAX);
	rig_free(r);
}

static void
test_params_repeat(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);
	struct ics_ip addr;
	const struct ics_advertiser *a;
	uint64_t t = learn(r);

	assert_int_equal(ics_ip_parse("fe80::1", &addr), 0);
	a = ics_model_advertiser(model_of(r), 0, &addr);
	assert_non_null(a);
	assert_int_equal(a->steady[ICS_RA_HOP_LIMIT], 4);
	assert_int_equal(a->value[ICS_RA_MTU], 1500);
	assert_int_equal(a->steady[ICS_RA_RETRANS], 0);
	set8(&p, 4, 0);
	feed(r, &p, t += 200 * S);
	assert_int_equal(a->value[ICS_RA_HOP_LIMIT], 64);
	set8(&p, 4, 32);
	feed(r, &p, t += 200 * S);
	assert_int_equal(a->value[ICS_RA_HOP_LIMIT], 32);
	assert_int_equal(a->steady[ICS_RA_HOP_LIMIT], 1);
	rig_free(r);
}

/* A flood of invented prefixes pushes out its own, not what a router announces for good. */
static void
test_quota_of_a_segment(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p;
	struct ics_model_stats st;
	uint64_t t = learn(r);
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		p = ra_from("fe80::66", MAC_X, 1800, 0);
		set_addr(&p, 40, "2001:db8:f::");
		set16(&p, 46, (uint16_t)i);
		set16(&p, 44, 0x77);
		feed(r, &p, t += 10 * MS);
	}
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.prefixes, ICS_PREFIXES_PER_SEGMENT);
	assert_int_equal(st.prefix_evictions, 1001 - ICS_PREFIXES_PER_SEGMENT);
	assert_non_null(find(r, ICS_PREFIX_PIO, "2001:db8:1::/64"));
	assert_null(find(r, ICS_PREFIX_PIO, "2001:db8:77:1::/64"));
	for (const struct ics_prefix *q = ics_model_segment_prefix(model_of(r), 0, NULL); q != NULL;
	     q = ics_model_segment_prefix(model_of(r), 0, q))
		n++;
	assert_int_equal(n, ICS_PREFIXES_PER_SEGMENT);
	/* What ran out goes before what was heard longer ago. */
	set_addr(&p, 40, "2001:db8:e::");
	set32(&p, 28, 1);
	set32(&p, 32, 1);
	feed(r, &p, t += 10 * MS);
	set_addr(&p, 40, "2001:db8:d::");
	set32(&p, 28, 86400);
	feed(r, &p, t += 2 * S);
	assert_non_null(find(r, ICS_PREFIX_PIO, "2001:db8:d::/64"));
	rig_free(r);
}

static void
test_expired_goes_first(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p;
	uint64_t t = T0;

	for (unsigned i = 0; i < ICS_PREFIXES_PER_SEGMENT + 1; i++) {
		p = base_packet(BASE_ra);
		set16(&p, 44, (uint16_t)i);
		if (i == 5) {
			set32(&p, 28, 1);
			set32(&p, 32, 1);
		}
		feed(r, &p, t += S);
	}
	assert_null(find(r, ICS_PREFIX_PIO, "2001:db8:5::/64"));
	assert_non_null(find(r, ICS_PREFIX_PIO, "2001:db8::/64"));
	assert_non_null(find(r, ICS_PREFIX_PIO, "2001:db8:1::/64"));
	rig_free(r);
}

static void
test_items_of_one_message_are_bounded(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ra);
	struct ics_model_stats st;

	append_hex(&p, "19c9000000000384");
	for (unsigned i = 0; i < 100; i++) {
		char hex[33];

		snprintf(hex, sizeof(hex), "20010db80000000000000000%08x", i + 1);
		append_hex(&p, hex);
	}
	feed(r, &p, T0);
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.prefixes, ICS_RA_ITEMS_MAX);
	assert_int_equal(st.prefix_drops, 101 - ICS_RA_ITEMS_MAX);
	rig_free(r);
}

static void
test_advertisers_are_bounded(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p;
	struct ics_model_stats st;
	struct ics_ip addr;
	uint64_t t = learn(r);

	for (unsigned i = 0; i < ICS_ADVERTISERS_MAX + 1000; i++) {
		p = ra_from("fe80::66", MAC_X, 1800, 0);
		set_ip8(&p, 20, (uint8_t)(i >> 8));
		set_ip8(&p, 21, (uint8_t)i);
		set16(&p, 46, (uint16_t)i);
		feed(r, &p, t += MS);
	}
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.advertiser_evictions, 1001);
	assert_int_equal(st.prefixes, ICS_PREFIXES_PER_SEGMENT);
	assert_int_equal(ics_ip_parse("fe80::1", &addr), 0);
	assert_non_null(ics_model_advertiser(model_of(r), 0, &addr));
	assert_non_null(ics_model_router_prefix(model_of(r), 0, &addr, NULL));
	rig_free(r);
}

static void
test_addresses_in_a_prefix(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_prefix *p[2];
	struct packet ns = base_packet(BASE_ns);
	struct ics_ip in, out;
	uint32_t hosts[2];
	uint64_t t = learn(r);

	assert_int_equal(ics_ip_parse("2001:db8:1::10", &in), 0);
	assert_int_equal(ics_ip_parse("2001:db8:2::10", &out), 0);
	p[0] = ics_model_prefix_of(model_of(r), 0, &in, ICS_PIO_ONLINK);
	assert_non_null(p[0]);
	assert_null(ics_model_prefix_of(model_of(r), 0, &out, ICS_PIO_ONLINK | ICS_PIO_AUTO));
	assert_null(ics_model_prefix_of(model_of(r), 0, &in, 0x10));
	for (unsigned i = 0; i < 7; i++) {
		set_src(&ns, "2001:db8:1::10");
		set_ip8(&ns, 23, (uint8_t)(0x20 + i));
		feed(r, &ns, t += S);
	}
	p[1] = p[0];
	assert_true(ics_model_prefix_hosts(model_of(r), 0, p, 2, hosts));
	assert_int_equal(hosts[0], 7);
	assert_int_equal(hosts[1], 7);
	rig_free(r);
}

static void
test_covers(void **state)
{
	struct ics_ip a, b;

	assert_int_equal(ics_ip_parse("2001:db8:0:8000::", &a), 0);
	assert_int_equal(ics_ip_parse("2001:db8:0:ffff::1", &b), 0);
	assert_true(ics_prefix_covers(&a, 49, &b));
	assert_false(ics_prefix_covers(&a, 50, &b));
	assert_true(ics_prefix_covers(&a, 0, &b));
	assert_false(ics_prefix_covers(&a, 128, &b));
	assert_true(ics_prefix_covers(&b, 128, &b));
	assert_false(ics_prefix_covers(&b, 129, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_is_kept),
		cmocka_unit_test(test_what_receivers_ignore),
		cmocka_unit_test(test_hostile_names_become_printable),
		cmocka_unit_test(test_names_are_compared_as_dns_does),
		cmocka_unit_test(test_announcements_and_what_is_missing),
		cmocka_unit_test(test_goodbye_does_not_count),
		cmocka_unit_test(test_lifetimes_that_count_down_are_steady),
		cmocka_unit_test(test_params_repeat),
		cmocka_unit_test(test_quota_of_a_segment),
		cmocka_unit_test(test_expired_goes_first),
		cmocka_unit_test(test_items_of_one_message_are_bounded),
		cmocka_unit_test(test_advertisers_are_bounded),
		cmocka_unit_test(test_addresses_in_a_prefix),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
