/* router_preference_hijack: who outbids the gateway. Sequences of rules.md E3. */
#include "test_ra.h"

#define NAME "router_preference_hijack"
#define PRF_HIGH 0x08
#define PRF_LOW 0x18
#define RIO_DEFAULT                                                                                                    \
	"1803000800000708"                                                                                             \
	"00000000000000000000000000000000"
#define RIO_2000                                                                                                       \
	"1802030800000708"                                                                                             \
	"2000000000000000"
#define RIO_SITE                                                                                                       \
	"1802300800000708"                                                                                             \
	"20010db800010000"
#define RIO_ULA                                                                                                        \
	"1802400000000708"                                                                                             \
	"fd00000000000001"

static struct rig *
start(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = NAME;
	return r;
}

static struct packet
from_x(unsigned flags, const char *rio)
{
	struct packet p = ra_from("fe80::66", MAC_X, 1800, flags);

	remove_bytes(&p, 24, 40);
	if (rio != NULL)
		append_hex(&p, rio);
	return p;
}

static void
test_new_and_high(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = from_x(PRF_HIGH, NULL);
	const struct ics_anomaly *a;
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	a = the_anomaly(r);
	assert_finding(a, NAME, "preference", "critical");
	assert_string_equal(a->subject[0].text, "fe80::66");
	assert_string_equal(fact_text(a, "preference_before"), "none");
	assert_string_equal(fact_text(a, "preference_after"), "high");
	assert_string_equal(fact_text(a, "incumbents"), "fe80::1 prf=medium");
	assert_int_equal(fact_value(a, "new_router"), true);
	feed(r, &p, t += 200 * S);
	assert_int_equal(the_anomaly(r)->count, 2);
	/* It ends when the route has run out. */
	ics_engine_tick(r->engine, t + 1799 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 1801 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
test_routes(void **state)
{
	static const struct {
		const char *rio, *text;
	} rows[] = {{RIO_DEFAULT, "::/0"}, {RIO_2000, "2000::/3"}, {RIO_SITE, "2001:db8:1::/48"}};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = start(NULL);
		struct packet p = from_x(0, rows[i].rio);
		uint64_t t = learn(r);

		feed(r, &p, t += 10 * S);
		assert_finding(the_anomaly(r), NAME, "route", "critical");
		assert_string_equal(fact_text(the_anomaly(r), "routes"), rows[i].text);
		feed(r, &p, t += 200 * S);
		the_anomaly(r);
		/* Taken back: hosts drop it at once, and a minute later it is over. */
		set32(&p, 28, 0);
		feed(r, &p, t += 200 * S);
		ics_engine_tick(r->engine, t + 61 * S);
		assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
		rig_free(r);
	}
}

/* Known for long, then it starts to bid. */
static void
test_changed(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = from_x(0, NULL), high = from_x(PRF_HIGH, NULL), rio = from_x(0, RIO_2000);
	uint64_t t = learn(r) - 600 * S;

	rig_free(r);
	r = start(NULL);
	for (unsigned i = 0; i < 5; i++) {
		feed_base(r, BASE_ra, t += 100 * S);
		feed(r, &p, t += 100 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &high, t += 100 * S);
	assert_finding(the_anomaly(r), NAME, "preference", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "preference_before"), "medium");
	assert_int_equal(fact_value(the_anomaly(r), "new_router"), false);
	feed(r, &rio, t += 100 * S);
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "preference,route");
	rig_free(r);
}

static void
test_demoted(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::1", MAC_X, 1800, PRF_LOW), own = base_packet(BASE_ra), two = from_x(0, NULL);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "demoted", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "mac_known"), false);
	rig_free(r);

	/* From its own MAC: somebody drains it, and another one gains. */
	r = start(NULL);
	feed(r, &two, T0);
	t = learn(r);
	set8(&own, 5, PRF_LOW);
	feed(r, &own, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "demoted", "warn");
	rig_free(r);

	/* ... and there is no other. */
	r = start(NULL);
	t = learn(r);
	feed(r, &own, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_silence(void **state)
{
	struct rig *r = start(NULL);
	struct packet high = base_packet(BASE_ra), p = from_x(PRF_HIGH, NULL), ula = from_x(0, RIO_ULA);
	uint64_t t = T0;

	/* The incumbent has always been high. */
	set8(&high, 5, PRF_HIGH);
	for (unsigned i = 0; i < 4; i++)
		feed(r, &high, t += 200 * S);
	feed(r, &p, t += 10 * S);
	feed(r, &high, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* A stub network's border router. */
	r = start(NULL);
	t = learn(r);
	set16(&ula, 6, 0);
	feed(r, &ula, t += 10 * S);
	feed(r, &ula, t += 200 * S);
	/* High without a lifetime means nothing. */
	set16(&p, 6, 0);
	feed(r, &p, t += 10 * S);
	/* The very prefix of the link: hosts have that on-link already. */
	ula = from_x(0, "1802400000000708"
			"20010db800010000");
	feed(r, &ula, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* It was there while the segment was learned. */
	r = start(NULL);
	p = from_x(PRF_HIGH, RIO_SITE);
	feed_base(r, BASE_ra, T0);
	feed(r, &p, T0 + S);
	t = learn(r);
	for (unsigned i = 0; i < 5; i++)
		feed(r, &p, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* The only gateway of the segment bids against nobody. */
	r = start(NULL);
	p = base_packet(BASE_ra);
	append_hex(&p, RIO_DEFAULT);
	t = learn(r);
	feed(r, &p, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_allow_list(void **state)
{
	struct rig *r = start("detect.routers_allow=fe80::1,fe80::66");
	struct packet p = from_x(PRF_HIGH, NULL), low = from_x(0, NULL);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	for (unsigned i = 0; i < 3; i++)
		feed(r, &low, t += 200 * S);
	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "preference", "warn");
	rig_free(r);

	/* One that is not in it, while the segment is still learned. */
	r = start("detect.routers_allow=fe80::1");
	feed_base(r, BASE_ra, T0);
	feed(r, &p, T0 + 10 * S);
	assert_finding(the_anomaly(r), NAME, "preference", "critical");
	rig_free(r);
}

static void
test_muted(void **state)
{
	struct rig *r = start("detect.mute=router_preference_hijack@" MAC_X);
	struct packet p = from_x(PRF_HIGH, NULL);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

static void
test_flood(void **state)
{
	struct rig *r = start(NULL);
	struct packet p;
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 200; i++) {
		p = from_x(PRF_HIGH, RIO_DEFAULT);
		set_ip8(&p, 21, (uint8_t)i);
		feed(r, &p, t += 10 * MS);
	}
	assert_in_range(count_anomalies(r), 1, 3);
	assert_true(detector(r, NAME)->suppressed > 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_and_high), cmocka_unit_test(test_routes),  cmocka_unit_test(test_changed),
		cmocka_unit_test(test_demoted),      cmocka_unit_test(test_silence), cmocka_unit_test(test_allow_list),
		cmocka_unit_test(test_muted),        cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
