/* ra_dns_change: the union of what the routers of a segment say about names. Sequences of rules.md E3. */
#include "test_ra.h"

#define NAME "ra_dns_change"
#define RDNSS_53                                                                                                       \
	"1903000000000384"                                                                                             \
	"20010db8000000000000000000000053"
#define RDNSS_53_ZERO                                                                                                  \
	"1903000000000000"                                                                                             \
	"20010db8000000000000000000000053"
#define RDNSS_666                                                                                                      \
	"1903000000000384"                                                                                             \
	"20010db8000000000000000000000666"
#define RDNSS_BOTH                                                                                                     \
	"1905000000000384"                                                                                             \
	"20010db8000000000000000000000053"                                                                             \
	"20010db8000000000000000000000666"

static struct rig *
start(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = NAME;
	return r;
}

static struct packet
ra_with(const char *option)
{
	struct packet p = base_packet(BASE_ra);

	append_hex(&p, option);
	return p;
}

static struct packet
x_with(const char *option)
{
	struct packet p = ra_from("fe80::66", MAC_X, 1800, 0);

	append_hex(&p, option);
	return p;
}

/* The normal router with one resolver, for as long as learning takes. */
static uint64_t
learn_dns(struct rig *r)
{
	struct packet p = ra_with(RDNSS_53);

	for (unsigned i = 0; i <= 3; i++)
		feed(r, &p, T0 + i * 200 * S);
	return T0 + 600 * S;
}

static void
test_gained_from_a_stranger(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = x_with(RDNSS_666), zero;
	const struct ics_anomaly *a;
	uint64_t t = learn_dns(r);

	feed(r, &p, t += 10 * S);
	a = the_anomaly(r);
	assert_finding(a, NAME, "gained", "critical");
	assert_string_equal(a->subject[0].text, "fe80::66");
	assert_string_equal(fact_text(a, "before"), "rdnss 2001:db8::53");
	assert_string_equal(fact_text(a, "after"), "rdnss 2001:db8::666, rdnss 2001:db8::53");
	assert_string_equal(fact_text(a, "gained"), "rdnss 2001:db8::666");
	assert_int_equal(fact_value(a, "lifetime_after_s"), 900);
	assert_int_equal(fact_value(a, "allowed"), false);
	feed(r, &p, t += 200 * S);
	the_anomaly(r);
	/* Taken back. */
	zero = x_with("1903000000000000"
		      "20010db8000000000000000000000666");
	feed(r, &zero, t += 10 * S);
	feed(r, &zero, t += 10 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
test_gained_from_the_router(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_with(RDNSS_BOTH);
	uint64_t t = learn_dns(r);

	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "gained", "warn");
	/* It runs out. */
	ics_engine_tick(r->engine, t + 901 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* The first router of a segment is no stranger, however short the learning. */
	r = start("detect.learn_s=0");
	t = learn_dns(r);
	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "gained", "warn");
	rig_free(r);

	r = start("detect.routers_allow=fe80::2");
	t = learn_dns(r);
	feed(r, &p, t += 200 * S);
	assert_finding(nth_anomaly(r, 1), NAME, "gained", "critical");
	rig_free(r);
}

static void
test_every_kind(void **state)
{
	static const struct {
		const char *option, *want;
	} rows[] = {
		{"1f020000000004b00474657374000000", "dnssl test"},
		{"260207080064ff9b0000000000000000", "pref64 64:ff9b::/96"},
		{"2502687474703a2f2f612e6578000000", "captive_portal http://a.ex"},
		{"9003000100000e10000a03646e7304746573740000000000", "encrypted_dns dns.test"},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = start(NULL);
		struct packet p = ra_with(rows[i].option);
		uint64_t t = learn(r);

		feed(r, &p, t += 200 * S);
		assert_finding(the_anomaly(r), NAME, "gained", "warn");
		assert_string_equal(fact_text(the_anomaly(r), "gained"), rows[i].want);
		assert_string_equal(fact_text(the_anomaly(r), "before"), "none");
		rig_free(r);
	}
}

static void
test_removed(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_with(RDNSS_53_ZERO), back = ra_with(RDNSS_53);
	uint64_t t = learn_dns(r);

	feed(r, &p, t += 100 * S);
	assert_finding(the_anomaly(r), NAME, "removed", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "before"), "rdnss 2001:db8::53");
	assert_string_equal(fact_text(the_anomaly(r), "after"), "none");
	assert_int_equal(fact_value(the_anomaly(r), "lifetime_before_s"), 800);
	feed(r, &p, t += 100 * S);
	assert_int_equal(the_anomaly(r)->count, 2);
	feed(r, &back, t += 100 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* By somebody else. */
	r = start(NULL);
	p = x_with(RDNSS_53_ZERO);
	t = learn_dns(r);
	feed(r, &p, t += 100 * S);
	assert_finding(the_anomaly(r), NAME, "removed", "warn");
	assert_string_equal(the_anomaly(r)->subject[0].text, "fe80::66");
	rig_free(r);
}

static void
test_vanished(void **state)
{
	struct rig *r = start(NULL);
	uint64_t t = learn_dns(r);

	feed_base(r, BASE_ra, t += 200 * S);
	feed_base(r, BASE_ra, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed_base(r, BASE_ra, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "vanished", "warn");
	feed_base(r, BASE_ra, t += 200 * S);
	assert_int_equal(the_anomaly(r)->count, 1);
	ics_engine_tick(r->engine, t + 86400 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	feed_base(r, BASE_ra, t += 86600 * S);
	the_anomaly(r);
	rig_free(r);
}

static void
test_silence(void **state)
{
	struct rig *r = start(NULL);
	struct packet a = ra_with(RDNSS_53), b = ra_from("fe80::2", MAC_R2, 1800, 0), zero = ra_with(RDNSS_53_ZERO);
	uint64_t t = T0;

	/* Two routers take turns with the same union. */
	append_hex(&b, RDNSS_BOTH);
	for (unsigned i = 0; i < 12; i++) {
		feed(r, &a, t += 100 * S);
		feed(r, &b, t += 100 * S);
	}
	/* One of them takes back what the other still has. */
	feed(r, &zero, t += 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Another router joins with a resolver that is known. */
	r = start(NULL);
	t = learn_dns(r);
	a = x_with(RDNSS_53);
	feed(r, &a, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	a = ra_with(RDNSS_53);

	/* Resolvers of the only router, of which each RA names another, options split over two RAs. */
	r = start("detect.learn_s=0");
	b = ra_with(RDNSS_666);
	t = T0;
	feed_base(r, BASE_ra, t);
	feed(r, &a, t += 100 * MS);
	feed(r, &b, t += 100 * MS);
	for (unsigned i = 0; i < 12; i++) {
		feed(r, &a, t += 200 * S);
		feed(r, &b, t += 200 * S);
	}
	/* To one host only. */
	b = base_packet(BASE_ra);
	set_dst(&b, "fe80::10");
	for (unsigned i = 0; i < 8; i++)
		feed(r, &b, t += 20 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* A lifetime shorter than the interval: it comes and goes by itself. */
	r = start(NULL);
	a = ra_with("190300000000003c"
		    "20010db8000000000000000000000053");
	t = T0;
	for (unsigned i = 0; i < 12; i++)
		feed(r, &a, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_learning(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_with(RDNSS_53), x = x_with(RDNSS_666);

	feed(r, &p, T0);
	feed(r, &x, T0 + 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = start("detect.routers_allow=fe80::1");
	feed(r, &p, T0);
	feed(r, &x, T0 + 100 * S);
	assert_finding(the_anomaly(r), NAME, "gained", "critical");
	rig_free(r);
}

static void
test_goodbye_says_so(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_with(RDNSS_53_ZERO);
	uint64_t t = learn_dns(r);

	set16(&p, 6, 0);
	feed(r, &p, t += 100 * S);
	assert_finding(the_anomaly(r), NAME, "removed", "warn");
	assert_non_null(strstr(the_anomaly(r)->says, "left as a gateway in the same message"));
	rig_free(r);
}

static void
test_hostile_names(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_with("1f030000000004b00a1b5b324a22005c2e0aff0000000000");
	uint64_t t = learn(r);

	feed(r, &p, t += 100 * S);
	assert_string_equal(fact_text(the_anomaly(r), "gained"), "dnssl ?[2J?\?\?\?\?\?");
	for (const char *c = the_anomaly(r)->says; *c != '\0'; c++)
		assert_in_range(*c, 0x20, 0x7e);
	rig_free(r);
}

static void
test_muted_and_gateway(void **state)
{
	struct rig *r = start("detect.mute=ra_dns_change@fe80::1 detect.gateways=fe80::1");
	struct packet p = ra_with(RDNSS_BOTH);
	uint64_t t = learn_dns(r);

	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "gained", "critical");
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

static void
test_flood(void **state)
{
	struct rig *r = start(NULL);
	struct packet p;
	uint64_t t = learn_dns(r);

	for (unsigned i = 0; i < 200; i++) {
		p = x_with(RDNSS_666);
		set_ip8(&p, 21, (uint8_t)i);
		set16(&p, p.len - p.l4 - 2, (uint16_t)(0x1000 + i));
		feed(r, &p, t += 10 * MS);
	}
	assert_in_range(count_anomalies(r), 1, 3);
	assert_true(detector(r, NAME)->suppressed > 0);
	/* One router that names ever more of them. */
	for (unsigned i = 0; i < 200; i++) {
		p = ra_with(RDNSS_666);
		set16(&p, p.len - p.l4 - 2, (uint16_t)(0x2000 + i));
		feed(r, &p, t += 10 * MS);
	}
	assert_in_range(count_anomalies(r), 1, 4);
	/* Also where there are more than it keeps, it ends. */
	ics_engine_tick(r->engine, t + 86401 * S);
	for (unsigned i = 1; nth_anomaly(r, i) != NULL; i++)
		assert_int_equal(nth_anomaly(r, i)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gained_from_a_stranger),
		cmocka_unit_test(test_gained_from_the_router),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_learning),
		cmocka_unit_test(test_goodbye_says_so),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_muted_and_gateway),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
