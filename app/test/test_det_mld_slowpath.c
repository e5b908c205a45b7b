/* mld_slowpath_budget over sequences of frames in fake time. */
#include "test_querier.h"

#define BUDGET "mld_slowpath_budget"

/* n reports a second for so many seconds, from hosts 1 to hosts in turn. */
static uint64_t
reports(struct rig *r, unsigned n, unsigned seconds, unsigned hosts, uint64_t t)
{
	for (unsigned i = 0; i < n * seconds; i++)
		feed_report(r, 2, 1 + i % hosts, i / hosts % 5, t + i * (S / n));
	return t + seconds * S;
}

static void
more_than_the_budget(void **state)
{
	struct rig *r = rig_watching(BUDGET, NULL);
	const struct ics_anomaly *a;
	uint64_t t;

	t = reports(r, 1200, 10, 100, T0);
	a = the_anomaly(r);
	assert_finding(a, BUDGET, "rate", "critical");
	assert_in_range(fact_value(a, "pps"), 1190, 1200);
	assert_int_equal(fact_value(a, "reports_pps"), fact_value(a, "pps"));
	assert_int_equal(fact_value(a, "queries_pps"), 0);
	assert_non_null(ics_fact_find(a, "top_5"));
	/* Silence: the last of it is ten seconds old before the minute begins. */
	ics_engine_tick(r->engine, t + 58 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 61 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* Over one threshold and below the other; a burst of one second is no load. */
	r = rig_watching(BUDGET, NULL);
	reports(r, 4900, 1, 100, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	r = rig_watching(BUDGET, NULL);
	reports(r, 700, 10, 100, T0);
	assert_finding(the_anomaly(r), BUDGET, "rate", "warn");
	assert_non_null(strstr(the_anomaly(r)->says, "No machine stands out"));
	rig_free(r);
	r = rig_watching(BUDGET, NULL);
	reports(r, 480, 30, 100, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	r = rig_watching(BUDGET, "detect.mld_pps_warn=100 detect.mld_pps_crit=5000");
	reports(r, 480, 10, 100, T0);
	assert_finding(the_anomaly(r), BUDGET, "rate", "warn");
	rig_free(r);
}

/* Every copy counts, whether it was folded or not. */
static void
copies_count(void **state)
{
	struct packet p = report_of(2, 7, 0), done = base_packet(BASE_done1);
	struct rig *r = rig_watching(BUDGET, NULL);

	r->in.fold = ics_fold_init(NULL);
	for (unsigned i = 0; i < 20000; i++) {
		feed(r, &p, T0 + i * 500000);
		if (i % 2000 == 0)
			feed(r, &done, T0 + i * 500000);
	}
	ics_inspect_idle(&r->in, T0 + 12 * S);
	assert_finding(the_anomaly(r), BUDGET, "rate", "critical");
	assert_in_range(fact_value(the_anomaly(r), "reports_pps"), 1990, 2000);
	assert_int_equal(fact_value(the_anomaly(r), "dones_pps"), 1);
	assert_int_equal(strncmp(fact_text(the_anomaly(r), "top_1"), "02:00:00:00:00:07 ", 18), 0);
	ics_fold_free(r->in.fold);
	rig_free(r);
}

/* A hundred hosts answer, and one that holds three hundred addresses: thirty packets a second, and named. */
static void
one_talks_most(void **state)
{
	struct rig *r = rig_watching(BUDGET, "detect.mld_pps_warn=100");
	const struct ics_anomaly *a;

	for (unsigned i = 0; i < 1200; i++) {
		uint64_t t = T0 + i * (10 * S / 1200);

		if (i % 4 == 0)
			feed_report(r, 1, 999, i / 4, t);
		else
			feed_report(r, 1, 1 + i % 100, i / 100, t);
	}
	a = the_anomaly(r);
	assert_finding(a, BUDGET, "rate", "warn");
	assert_string_equal(fact_text(a, "top_1"), "02:00:00:00:03:e7 30.0/s 25 %");
	assert_non_null(strstr(a->says, "02:00:00:00:03:e7 sends most of them: 30.0/s, 25 %"));
	rig_free(r);
}

static void
join(struct rig *r, unsigned version, unsigned hosts, unsigned groups, uint64_t t)
{
	/* Slowly: this is not about them. */
	for (unsigned h = 1; h <= hosts; h++)
		for (unsigned g = 0; g < groups; g++)
			feed_report(r, version, h, g, t + ((uint64_t)(h - 1) * groups + g) * 5 * MS);
}

static void
predicted_from_groups(void **state)
{
	struct packet q = query1(Q1, MAC_Q1), q2 = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(BUDGET, NULL);
	const struct ics_anomaly *a;
	uint64_t t = T0 + 160 * S;

	/* 100 hosts with 300 groups each, in version 1 within ten seconds. */
	join(r, 1, 100, 300, T0);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &q, t);
	a = the_anomaly(r);
	assert_finding(a, BUDGET, "predicted", "warn");
	assert_int_equal(fact_value(a, "predicted_pps"), 3000);
	assert_int_equal(fact_value(a, "memberships"), 30000);
	assert_int_equal(fact_value(a, "member_hosts"), 100);
	assert_int_equal(fact_value(a, "version"), 1);
	assert_non_null(strstr(a->says, "3000 reports/s"));
	ics_engine_tick(r->engine, t + 261 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* The next query is one of version 2: over in a minute. */
	r = rig_watching(BUDGET, NULL);
	join(r, 1, 100, 300, T0);
	feed(r, &q, t);
	feed(r, &q2, t + 270 * S);
	ics_engine_tick(r->engine, t + 331 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* The same in version 2: five packets each. */
	r = rig_watching(BUDGET, NULL);
	join(r, 2, 100, 300, T0);
	feed(r, &q2, t);
	assert_int_equal(count_anomalies(r), 0);
	/* Within a tenth of a second they come in one. */
	set16(&q2, 4, 100);
	feed(r, &q2, t + 20 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* 333 hosts with nine: 300 a second. */
	r = rig_watching(BUDGET, NULL);
	join(r, 1, 333, 9, T0);
	feed(r, &q, T0 + 20 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Other packets with a router alert are for the CPU as well. */
static void
router_alerts(void **state)
{
	struct rig *r = rig_watching(BUDGET, NULL);
	struct packet p = base_packet(BASE_ns);

	for (unsigned i = 0; i < 3000; i++) {
		set32(&p, 20, i);
		feed(r, &p, T0 + i * 5 * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	add_ext(&p, 0, "0000050200000100");
	for (unsigned i = 0; i < 1500; i++) {
		set32(&p, 20, i);
		feed(r, &p, T0 + 20 * S + i * 6 * MS);
	}
	assert_finding(the_anomaly(r), BUDGET, "router_alert", "warn");
	assert_in_range(fact_value(the_anomaly(r), "other_router_alert_pps"), 101, 150);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_the_budget), cmocka_unit_test(copies_count),
		cmocka_unit_test(one_talks_most),       cmocka_unit_test(predicted_from_groups),
		cmocka_unit_test(router_alerts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
