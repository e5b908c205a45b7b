/* When a router speaks: router_expiring (no more) and router_ra_interval (too often, too seldom). */
#include "test_slow.h"

#define EXPIRING "router_expiring"
#define INTERVAL "router_ra_interval"

static struct rig *
rig_for(const char *detector, const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = detector;
	return r;
}

/* n RAs of one router, period apart. Returns the time of the last. */
static uint64_t
advertise(struct rig *r, const struct packet *p, unsigned n, uint64_t t, uint64_t period)
{
	for (unsigned i = 0; i < n; i++)
		feed(r, p, t + i * period);
	return t + (n - 1) * period;
}

/* ---- router_expiring ----------------------------------------------------------------------------- */

static void
countdown_to_expiry(void **state)
{
	struct packet p = ra_from("fe80::1", MAC_R, 600, 0);
	struct rig *r = rig_for(EXPIRING, NULL);
	uint64_t t;

	feed_base(r, BASE_ns, T0);
	t = advertise(r, &p, 4, T0, 200 * S);
	ics_engine_tick(r->engine, t + 450 * S - 1);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, t + 450 * S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, EXPIRING, "expiring", "warn");
	assert_int_equal(fact_value(a, "last_ra_age_s"), 450000);
	assert_int_equal(fact_value(a, "lifetime_left_s"), 150000);
	assert_int_equal(fact_value(a, "interval_s"), 200000);
	assert_int_equal(fact_value(a, "default_routers_left"), 0);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_int_equal(fact_value(a, "mac_alive"), 0);
	ics_engine_tick(r->engine, t + 599 * S);
	assert_finding(the_anomaly(r), EXPIRING, "expiring", "warn");
	ics_engine_tick(r->engine, t + 600 * S);
	assert_finding(the_anomaly(r), EXPIRING, "router_expired", "critical");
	assert_non_null(strstr(the_anomaly(r)->says,
			       "hosts have dropped it as IPv6 gateway; no other default router is left "
			       "for 1 host."));
	ics_engine_tick(r->engine, t + 5000 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed(r, &p, t + 5001 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
overdue_long_before_expiry(void **state)
{
	struct packet p = ra_from("fe80::1", MAC_R, 9000, 0), na = base_packet(BASE_na);
	struct rig *r = rig_for(EXPIRING, NULL);
	uint64_t t = advertise(r, &p, 5, T0, 100 * S);

	ics_engine_tick(r->engine, t + 300 * S - 1);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &na, t + 290 * S);
	ics_engine_tick(r->engine, t + 300 * S);
	assert_finding(the_anomaly(r), EXPIRING, "ra_missing", "info");
	assert_int_equal(fact_value(the_anomaly(r), "mac_alive"), 1);
	assert_non_null(strstr(the_anomaly(r)->says, "check the RA daemon"));
	feed(r, &p, t + 301 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
ordinary_silence(void **state)
{
	struct packet p = ra_from("fe80::1", MAC_R, 600, 0), brief = ra_from("fe80::1", MAC_R, 90, 0), unicast = p;
	struct packet gone = ra_from("fe80::1", MAC_R, 0, 0);
	struct rig *r = rig_for(EXPIRING, NULL);
	uint64_t t = advertise(r, &p, 4, T0, 200 * S);

	/* One RA is lost. */
	advertise(r, &p, 4, t + 400 * S, 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Of a lifetime of 90 s there is never much left. */
	r = rig_for(EXPIRING, NULL);
	advertise(r, &brief, 50, T0, 30 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* A goodbye is not this finding, and nobody waits for the router after it. */
	r = rig_for(EXPIRING, NULL);
	t = advertise(r, &p, 4, T0, 200 * S);
	feed(r, &gone, t + S);
	ics_engine_tick(r->engine, t + 5000 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Routers that answer hosts one by one have no rhythm. */
	r = rig_for(EXPIRING, NULL);
	p = ra_from("fe80::1", MAC_R, 9000, 0);
	unicast = p;
	set_dst(&unicast, "fe80::10");
	t = advertise(r, &p, 4, T0, 10 * S);
	t = advertise(r, &unicast, 30, t + S, S);
	ics_engine_tick(r->engine, t + 4000 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
lost_records_prove_nothing(void **state)
{
	struct packet p = ra_from("fe80::1", MAC_R, 600, 0);
	struct ics_loss loss = {
		.messages = 9, .lost = {[ICS_DROP_BULK_FULL] = 1}, .lost_class = {[ICS_CLASS_nd_ra] = 1}};
	struct rig *r = rig_for(EXPIRING, NULL);
	uint64_t t = advertise(r, &p, 4, T0, 200 * S);

	ics_engine_tick(r->engine, t + S);
	ics_engine_note_loss(r->engine, &loss);
	ics_engine_tick(r->engine, t + 2000 * S);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(detector(r, EXPIRING)->suppressed, 2);
	rig_free(r);
}

/* ---- router_ra_interval -------------------------------------------------------------------------- */

static void
too_often(void **state)
{
	struct packet p = base_packet(BASE_ra);
	struct rig *r = rig_for(INTERVAL, NULL);
	uint64_t t = advertise(r, &p, 5, T0, S);

	assert_int_equal(count_anomalies(r), 0);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), INTERVAL, "fast", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "gaps_s"), "1.000, 1.000, 1.000, 1.000, 1.000");
	advertise(r, &p, 3, t + 2 * S, S);
	assert_int_equal(the_anomaly(r)->count, 4);
	/* Ten gaps as they should be end it. */
	advertise(r, &p, 9, t + 100 * S, 100 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed(r, &p, t + 1000 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
fast_for_a_reason(void **state)
{
	struct packet p = base_packet(BASE_ra), other = p, third = p, mobile = ra_from("fe80::1", MAC_R, 1800, 0x20);
	struct packet unicast = p;
	struct rig *r = rig_for(INTERVAL, NULL);

	/* Options split over several RAs. */
	set32(&other, 24 + 16 + 4, 0x00020000);
	set32(&third, 24 + 16 + 4, 0x00030000);
	for (unsigned i = 0; i < 10; i++) {
		feed(r, &p, T0 + i * 10 * S);
		feed(r, &other, T0 + i * 10 * S + 25 * MS);
		for (unsigned part = 2; part < 8; part++)
			feed(r, &third, T0 + i * 10 * S + part * 25 * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = rig_for(INTERVAL, NULL);
	advertise(r, &mobile, 40, T0, 500 * MS);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = rig_for(INTERVAL, NULL);
	set_dst(&unicast, "fe80::10");
	advertise(r, &unicast, 40, T0, 500 * MS);
	advertise(r, &p, 20, T0 + 100 * S, 3 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
longer_than_the_lifetime(void **state)
{
	struct packet p = base_packet(BASE_ra), two = ra_from("fe80::2", MAC_R2, 9000, 0);
	struct rig *r = rig_for(INTERVAL, NULL);

	feed(r, &p, T0);
	feed(r, &p, T0 + 1900 * S);
	assert_finding(the_anomaly(r), INTERVAL, "gap_risk", "critical");
	assert_non_null(strstr(the_anomaly(r)->says, "silent for 1900 s with a Router Lifetime of 1800 s"));
	rig_free(r);

	/* Less bad with another router. */
	r = rig_for(INTERVAL, NULL);
	feed(r, &two, T0);
	feed(r, &p, T0);
	feed(r, &p, T0 + 1900 * S);
	assert_finding(the_anomaly(r), INTERVAL, "gap_risk", "warn");
	rig_free(r);

	/* An outage is no rhythm. */
	r = rig_for(INTERVAL, NULL);
	feed(r, &p, T0);
	feed(r, &p, T0 + 36000 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
too_seldom(void **state)
{
	struct packet p = ra_from("fe80::1", MAC_R, 9000, 0), longer = ra_from("fe80::1", MAC_R, 20000, 0);
	struct rig *r = rig_for(INTERVAL, NULL);

	advertise(r, &p, 2, T0, 2000 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &p, T0 + 4000 * S);
	assert_finding(the_anomaly(r), INTERVAL, "slow", "warn");
	rig_free(r);

	/* RFC 8319 */
	r = rig_for(INTERVAL, NULL);
	advertise(r, &longer, 6, T0, 2000 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(countdown_to_expiry),
		cmocka_unit_test(overdue_long_before_expiry),
		cmocka_unit_test(ordinary_silence),
		cmocka_unit_test(lost_records_prove_nothing),
		cmocka_unit_test(too_often),
		cmocka_unit_test(fast_for_a_reason),
		cmocka_unit_test(longer_than_the_lifetime),
		cmocka_unit_test(too_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
