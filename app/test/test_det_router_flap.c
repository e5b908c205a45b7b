/* Default routers that come and go, and what that costs hosts: router_flap and route_slot_exhaustion over whole
 * sequences in fake time.
 */
#include "test_slow.h"

#define FLAP "router_flap"
#define SLOTS "route_slot_exhaustion"
#define MAC_H "00:00:5e:00:53:10"

static struct rig *
rig_for(const char *detector, const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = detector;
	return r;
}

/* n times: advertised, then lost by msg; period apart. Returns the time behind the last of them. */
static uint64_t
cycle(struct rig *r, enum base msg, unsigned n, uint64_t t, uint64_t period)
{
	for (unsigned i = 0; i < n; i++, t += period) {
		feed_base(r, BASE_ra, t);
		feed_base(r, msg, t + period / 2);
	}
	return t;
}

/* ---- router_flap --------------------------------------------------------------------------------- */

static void
three_cycles_in_ten_minutes(void **state)
{
	struct rig *r = rig_for(FLAP, NULL);
	uint64_t t;

	feed_base(r, BASE_ns, T0);
	t = learn(r);
	feed_base(r, BASE_inc_na, t + S);
	t = cycle(r, BASE_inc_na, 2, t + 100 * S, 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed_base(r, BASE_ra, t);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, FLAP, "fast", "critical");
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_int_equal(fact_value(a, "cycles_10min"), 3);
	assert_int_equal(fact_value(a, "by_router_flag"), 3);
	assert_int_equal(fact_value(a, "by_lifetime_0"), 0);
	assert_int_equal(fact_value(a, "routes_used_up"), 5); /* default four times, prefix once */
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_string_equal(fact_text(a, "gone_s_ago_for_s"), "50 (50), 150 (50), 299 (99)");
	assert_non_null(strstr(a->says, "3 times within 10 minutes"));
	/* Once more is the same finding; half an hour of quiet ends it. */
	feed_base(r, BASE_inc_na, t + 50 * S);
	feed_base(r, BASE_ra, t + 100 * S);
	assert_int_equal(fact_value(the_anomaly(r), "cycles_10min"), 4);
	ics_engine_tick(r->engine, t + 1899 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 1900 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(detector(r, FLAP)->cleared, 1);
	rig_free(r);
}

static void
ten_cycles_in_a_day(void **state)
{
	struct rig *r = rig_for(FLAP, NULL);
	uint64_t t = T0;

	for (unsigned i = 0; i < 10; i++, t += 8000 * S) {
		feed_base(r, BASE_ra, t);
		feed_base(r, BASE_inc_ra, t + 600 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	feed_base(r, BASE_ra, t);
	assert_finding(the_anomaly(r), FLAP, "slow", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "by_lifetime_0"), 10);
	ics_engine_tick(r->engine, t + 86399 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 86400 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
a_restart_is_no_flap(void **state)
{
	struct rig *r = rig_for(FLAP, NULL);
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 3; i++)
		feed_base(r, BASE_inc_ra, t + (1 + i) * S);
	feed_base(r, BASE_ra, t + 93 * S);
	feed_base(r, BASE_inc_ra, t + 200 * S);
	feed_base(r, BASE_ra, t + 300 * S);
	/* A third one ten minutes later is another restart. */
	feed_base(r, BASE_inc_ra, t + 900 * S);
	feed_base(r, BASE_ra, t + 1000 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
redundant_routers_and_mutes(void **state)
{
	struct packet good = ra_from("fe80::1", MAC_VRRP, 1800, 0), bad = ra_from("fe80::1", MAC_VRRP, 0, 0);
	struct rig *r = rig_for(FLAP, NULL);

	for (unsigned i = 0; i < 4; i++) {
		feed(r, &good, T0 + i * 60 * S);
		feed(r, &bad, T0 + i * 60 * S + 58 * S);
	}
	assert_finding(the_anomaly(r), FLAP, "fhrp", "warn");
	rig_free(r);

	r = rig_for(FLAP, "detect.mute=router_flap@fe80::1");
	cycle(r, BASE_inc_ra, 5, T0, 60 * S);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* ---- route_slot_exhaustion ----------------------------------------------------------------------- */

static void
levels_of_exhaustion(void **state)
{
	struct rig *r = rig_for(SLOTS, NULL);
	uint64_t t = T0 + S;

	feed_base(r, BASE_rs, T0);
	t = cycle(r, BASE_inc_na, 48, t, 4 * S); /* 49 routes */
	assert_int_equal(count_anomalies(r), 0);
	t = cycle(r, BASE_inc_na, 1, t, 4 * S);
	assert_finding(the_anomaly(r), SLOTS, "half_used", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "routes_created"), 50);
	t = cycle(r, BASE_inc_na, 30, t, 4 * S);
	assert_finding(the_anomaly(r), SLOTS, "critical_soon", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "hosts_soon"), 1);
	t = cycle(r, BASE_inc_na, 20, t, 4 * S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, SLOTS, "exhausted", "critical");
	assert_int_equal(fact_value(a, "routes_created"), 100);
	assert_int_equal(fact_value(a, "hosts_exhausted"), 1);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_string_equal(fact_text(a, "host_macs"), MAC_H);
	assert_int_equal(fact_value(a, "since_start"), 1);
	assert_int_equal(fact_value(a, "by_default_router"), 99);
	assert_int_equal(fact_value(a, "by_prefix"), 1);
	assert_string_equal(fact_text(a, "creators"), "fe80::1: 100");
	assert_int_equal(fact_value(a, "rate_per_day"), 99 * 86400 / 392);
	assert_non_null(strstr(a->says, "at least 100 automatic IPv6 routes; 1 of 1 hosts"));
	/* Not shown again for each one more, but for ten. */
	uint64_t seq = a->seq;
	t = cycle(r, BASE_inc_na, 9, t, 4 * S);
	assert_int_equal(a->seq, seq);
	t = cycle(r, BASE_inc_na, 1, t, 4 * S);
	assert_int_not_equal(a->seq, seq);
	/* The host bounces its link. */
	feed_base(r, BASE_dad, t);
	ics_engine_tick(r->engine, t + 61 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
a_bounce_starts_anew(void **state)
{
	struct packet rs = base_packet(BASE_rs);
	struct rig *r = rig_for(SLOTS, NULL);
	uint64_t t;

	set_src(&rs, "::");
	set_len(&rs, 8);
	feed(r, &rs, T0);
	t = cycle(r, BASE_inc_na, 60, T0 + S, 70 * S);
	assert_finding(the_anomaly(r), SLOTS, "half_used", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "since_start"), 0);
	feed(r, &rs, t);
	feed_base(r, BASE_dad, t + S);
	cycle(r, BASE_inc_na, 40, t + 2 * S, 70 * S);
	assert_finding(the_anomaly(r), SLOTS, "half_used", "warn");
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_in_range(fact_value(the_anomaly(r), "routes_created"), 0, 2);

	uint32_t i = 1;
	const struct ics_host *h = ics_model_host_next(ics_engine_model(r->engine), &i);
	while (h != NULL && (h->flags & ICS_HOST_ROUTER) != 0) {
		i++;
		h = ics_model_host_next(ics_engine_model(r->engine), &i);
	}
	assert_non_null(h);
	assert_int_equal(ics_model_segment(ics_engine_model(r->engine), 0)->routes_created - h->routes_base, 40);
	rig_free(r);
}

static void
nothing_is_lost_nothing_is_counted(void **state)
{
	struct rig *r = rig_for(SLOTS, NULL);

	feed_base(r, BASE_rs, T0);
	for (unsigned i = 0; i < 100; i++)
		feed_base(r, BASE_ra, T0 + (1 + i) * 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(ics_model_segment(ics_engine_model(r->engine), 0)->routes_created, 2);
	rig_free(r);
}

/* One host is told alone, again and again. */
static void
unicast_costs_one_host(void **state)
{
	struct rig *r = rig_for(SLOTS, NULL);
	struct packet other = base_packet(BASE_ns);

	feed_base(r, BASE_ns, T0);
	set_src(&other, "fe80::11");
	set_smac(&other, "00:00:5e:00:53:11");
	set_hex(&other, 26, "00005e005311");
	feed(r, &other, T0);
	feed_base(r, BASE_ra, T0 + S);
	for (unsigned i = 0; i < 50; i++)
		feed_base(r, BASE_na_r0, T0 + (10 + i * 2) * S);
	assert_finding(the_anomaly(r), SLOTS, "half_used", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "hosts_half"), 1);
	assert_int_equal(fact_value(the_anomaly(r), "hosts"), 2);
	rig_free(r);
}

static void
limit_is_a_setting(void **state)
{
	struct rig *r = rig_for(SLOTS, "detect.route_limit=10");

	assert_non_null(strstr(detector(r, SLOTS)->thresholds, "route_limit 10 routes"));
	/* Nobody but the router is seen: what any host would have. */
	cycle(r, BASE_inc_ra, 9, T0, 4 * S);
	assert_finding(the_anomaly(r), SLOTS, "exhausted", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "hosts"), 0);
	assert_int_equal(fact_value(the_anomaly(r), "since_start"), 1);
	rig_free(r);
}

/* Ten hours in which one router advertises and something keeps telling hosts that it is no router, and at last it says
 * goodbye: every name that the operator needs, once.
 */
static void
a_whole_day(void **state)
{
	static const char *const expected[] = {"router_flag_cleared", FLAP, SLOTS, "router_lifetime_zero"};
	struct rig *r = rig_for(SLOTS, NULL);
	uint64_t t;

	feed_base(r, BASE_dad, T0);
	feed_base(r, BASE_rs, T0 + S);
	t = learn(r);
	t = cycle(r, BASE_inc_na, 100, t + S, 360 * S);
	feed_base(r, BASE_ra, t);
	feed_base(r, BASE_inc_ra, t + 13 * S);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(expected); i++) {
		r->watched = expected[i];
		assert_int_equal(count_anomalies(r), 1);
		assert_int_equal(nth_anomaly(r, 1)->severity, ICS_SEV_CRITICAL);
	}
	r->watched = SLOTS;
	assert_finding(the_anomaly(r), SLOTS, "exhausted", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "since_start"), 0);
	r->watched = FLAP;
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "slow");
	assert_int_equal(fact_value(the_anomaly(r), "cycles_since_start"), 100);
	r->watched =
		"router_new router_gateway_mac_changed router_expiring router_ra_interval ra_flood ra_guard_evasion";
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_cycles_in_ten_minutes),
		cmocka_unit_test(ten_cycles_in_a_day),
		cmocka_unit_test(a_restart_is_no_flap),
		cmocka_unit_test(redundant_routers_and_mutes),
		cmocka_unit_test(levels_of_exhaustion),
		cmocka_unit_test(a_bounce_starts_anew),
		cmocka_unit_test(nothing_is_lost_nothing_is_counted),
		cmocka_unit_test(unicast_costs_one_host),
		cmocka_unit_test(limit_is_a_setting),
		cmocka_unit_test(a_whole_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
