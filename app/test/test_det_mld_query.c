/* mld_query_anomaly and mld_querier_change over sequences of frames in fake time. */
#include "test_querier.h"

#define ANOMALY "mld_query_anomaly"
#define CHANGE "mld_querier_change"

/* ---- mld_query_anomaly --------------------------------------------------------------------------- */

static void
too_fast(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(ANOMALY, NULL);
	const struct ics_anomaly *a;
	uint64_t t;

	feed_every(r, &q, 3, T0, 5 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &q, T0 + 15 * S);
	a = the_anomaly(r);
	assert_finding(a, ANOMALY, "too_fast", "warn");
	assert_string_equal(a->subject[0].text, Q1);
	assert_int_equal(fact_value(a, "interval_s"), 5000);
	assert_int_equal(fact_value(a, "qqi_s"), 125);
	assert_non_null(strstr(a->says, "asks every 5 s"));
	/* More of the same is the same finding. */
	t = feed_every(r, &q, 20, T0 + 20 * S, 5 * S);
	a = the_anomaly(r);
	assert_int_equal(a->count, 21);
	/* Three queries as they should be end it. */
	feed_every(r, &q, 2, t + 125 * S, 125 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed(r, &q, t + 375 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Half of what it used to be, though not fast by itself; one that says so may. */
static void
faster_than_learned(void **state)
{
	struct packet q = query1(Q1, MAC_Q1), told = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(ANOMALY, NULL);
	uint64_t t = feed_every(r, &q, 6, T0, 125 * S);

	feed_every(r, &q, 3, t + 50 * S, 50 * S);
	assert_finding(the_anomaly(r), ANOMALY, "too_fast", "warn");
	assert_non_null(strstr(the_anomaly(r)->says, "every 50 s instead of every 125 s"));
	rig_free(r);

	r = rig_watching(ANOMALY, NULL);
	t = feed_every(r, &told, 6, T0, 125 * S);
	set8(&told, 25, 50);
	feed_every(r, &told, 20, t + 50 * S, 50 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
response_delay(void **state)
{
	static const struct {
		unsigned version, mrc, qqic;
		const char *variant, *severity;
	} odd[] = {
		{2, 0, QQIC_125, "mrd_zero", "critical"},   {1, 0, 0, "mrd_zero", "critical"},
		{2, 999, QQIC_125, "mrd_short", "info"},    {1, 1, 0, "mrd_short", "warn"},
		{2, 0x9fbd, QQIC_125, "mrd_ge_qi", "warn"}, /* (0xfbd + 0x1000) * 16: 130 s */
		{2, 32767, 30, "mrd_ge_qi", "warn"},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(odd); i++) {
		struct packet q = query_of(odd[i].version, Q1, MAC_Q1, odd[i].mrc, odd[i].qqic, 2);
		struct rig *r = rig_watching(ANOMALY, NULL);

		feed(r, &q, T0);
		assert_finding(the_anomaly(r), ANOMALY, odd[i].variant, odd[i].severity);
		/* It is never heard of again. */
		ics_engine_tick(r->engine, T0 + 509 * S);
		assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
		ics_engine_tick(r->engine, T0 + 510 * S);
		assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
		rig_free(r);
	}
}

/* A short delay is worse where many answer. */
static void
short_delay_for_many(void **state)
{
	struct packet q = query_of(1, Q1, MAC_Q1, 100, 0, 0);
	struct rig *r = rig_watching(ANOMALY, "detect.mld_pps_warn=50");

	for (unsigned h = 1; h <= 10; h++)
		for (unsigned g = 0; g < 6; g++)
			feed_report(r, 1, h, g, T0 + h * S + g * MS);
	feed(r, &q, T0 + 20 * S);
	assert_finding(the_anomaly(r), ANOMALY, "mrd_short", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "predicted_pps"), 60);
	assert_non_null(strstr(the_anomaly(r)->says, "In IGMP"));
	rig_free(r);
}

/* Hosts discard it (hop limit): an attempt, one severity lower. */
static void
lenient_query(void **state)
{
	struct packet q = query_of(2, Q1, MAC_Q1, 0, QQIC_125, 2);
	struct rig *r = rig_watching(ANOMALY, NULL);

	set_ip8(&q, 7, 64);
	feed(r, &q, T0);
	assert_finding(the_anomaly(r), ANOMALY, "mrd_zero", "warn");
	assert_true(the_anomaly(r)->lenient);
	rig_free(r);
}

static void
longer_than_snoopers_wait(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(ANOMALY, NULL);

	/* One query that got lost, or a querier that was away, is none. */
	feed_every(r, &q, 3, T0, 125 * S);
	feed_every(r, &q, 2, T0 + 650 * S, 125 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed_every(r, &q, 2, T0 + 1200 * S, 350 * S);
	assert_finding(the_anomaly(r), ANOMALY, "long", "warn");
	rig_free(r);
}

static void
contradicts_itself(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(ANOMALY, NULL);

	feed_every(r, &q, 3, T0, 60 * S + 30 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &q, T0 + 270 * S);
	assert_finding(the_anomaly(r), ANOMALY, "qqic_mismatch", "warn");
	assert_non_null(strstr(the_anomaly(r)->says, "every 90 s and says 125 s"));
	rig_free(r);

	q = query_of(2, Q1, MAC_Q1, 10000, QQIC_125, 1);
	r = rig_watching(ANOMALY, NULL);
	feed(r, &q, T0);
	assert_finding(the_anomaly(r), ANOMALY, "rv_bad", "warn");
	rig_free(r);
}

static struct packet
specific_of(unsigned group)
{
	struct packet p = query2(Q1, MAC_Q1);
	char addr[40];

	snprintf(addr, sizeof(addr), "ff15::%x", group + 1);
	set16(&p, 4, 1000);
	set_addr(&p, 8, addr);
	set_dst(&p, addr);
	return p;
}

static void
flood_of_specific_queries(void **state)
{
	struct rig *r = rig_watching(ANOMALY, NULL);
	struct packet q;

	/* A host leaves three hundred groups: each is asked about twice, a second apart. */
	for (unsigned i = 0; i < 600; i++) {
		q = specific_of(i % 300);
		feed(r, &q, T0 + 100 * MS + i / 300 * S + i % 300 * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	/* A group for each second that passes, sixty times: no querier does that. */
	for (unsigned i = 0; i < 60; i++) {
		q = specific_of(i % 4);
		feed(r, &q, T0 + 10 * S + i * MS);
	}
	assert_finding(the_anomaly(r), ANOMALY, "specific_flood", "warn");
	assert_in_range(fact_value(the_anomaly(r), "specific_per_s"), 51, 60);
	rig_free(r);

	/* Ever new ones, on and on. */
	r = rig_watching(ANOMALY, NULL);
	for (unsigned i = 0; i < 60 * 4; i++) {
		q = specific_of(i);
		feed(r, &q, T0 + i / 60 * S + i % 60 * MS);
	}
	assert_finding(the_anomaly(r), ANOMALY, "specific_flood", "warn");
	rig_free(r);

	/* Copies of one, folded. */
	r = rig_watching(ANOMALY, NULL);
	r->in.fold = ics_fold_init(NULL);
	q = specific_of(1);
	feed_every(r, &q, 800, T0, MS);
	ics_inspect_idle(&r->in, T0 + 5 * S);
	assert_finding(the_anomaly(r), ANOMALY, "specific_flood", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "specific_per_s"), 800);
	ics_fold_free(r->in.fold);
	rig_free(r);
}

static void
asked_alone_and_forged(void **state)
{
	struct packet q = query2(Q1, MAC_Q1), unicast = q, forged = q;
	struct rig *r = rig_watching(ANOMALY, NULL);

	set_dst(&unicast, "fe80::10");
	feed(r, &unicast, T0);
	assert_finding(the_anomaly(r), ANOMALY, "unicast", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "asked"), "fe80::10");
	rig_free(r);

	r = rig_watching(ANOMALY, NULL);
	set_smac(&forged, MAC_X);
	feed(r, &q, T0);
	feed(r, &forged, T0 + 20 * S);
	assert_finding(the_anomaly(r), ANOMALY, "forged", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "querier_mac"), MAC_Q1);
	assert_string_equal(the_anomaly(r)->subject[1].text, MAC_X);
	rig_free(r);

	/* The old machine is silent: it was replaced. */
	r = rig_watching(ANOMALY, NULL);
	feed(r, &q, T0);
	feed(r, &forged, T0 + 300 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Two routers share a MAC of VRRP. */
	r = rig_watching(ANOMALY, NULL);
	feed(r, &q, T0);
	set_smac(&forged, MAC_VRRP);
	feed(r, &forged, T0 + 20 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Every 150 s with 10 s to answer: all that the network of incident 2 was asked for. */
static void
incident_cadence(void **state)
{
	static const unsigned qqic[] = {0x82, 0x83};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(qqic); i++) {
		struct packet q = query_of(2, Q1, MAC_Q1, 10000, qqic[i], 2);
		struct rig *r = rig_watching(ANOMALY " " CHANGE " mld_querier_missing mld_version_mismatch "
						     "mld_slowpath_budget",
					     "detect.learn_s=0");

		for (unsigned n = 0; n < 20; n++) {
			feed(r, &q, T0 + n * 150 * S);
			for (unsigned h = 1; h <= 8; h++)
				feed_report(r, 2, h, 0, T0 + n * 150 * S + h * S);
		}
		ics_engine_tick(r->engine, T0 + 19 * 150 * S + 200 * S);
		assert_int_equal(count_anomalies(r), 0);
		rig_free(r);
	}
}

static void
ordinary_queriers(void **state)
{
	struct packet q = query2(Q1, MAC_Q1), robust = query_of(2, Q1, MAC_Q1, 10000, QQIC_125, 7);
	struct rig *r = rig_watching(ANOMALY, NULL);
	uint64_t t;

	/* It starts, with two queries 31 s apart, and starts again. */
	feed(r, &q, T0);
	t = feed_every(r, &q, 5, T0 + 31 * S, 125 * S);
	feed(r, &q, t + 900 * S);
	feed_every(r, &q, 5, t + 931 * S, 125 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* As many as its robustness, a quarter of the interval apart. */
	r = rig_watching(ANOMALY, NULL);
	t = feed_every(r, &robust, 7, T0, 31 * S);
	feed_every(r, &robust, 5, t + 125 * S, 125 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Eight seconds more or less are no contradiction, nine are. */
	robust = query_of(2, Q1, MAC_Q1, 10000, 30, 2);
	r = rig_watching(ANOMALY, NULL);
	t = feed_every(r, &robust, 8, T0, 38 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed_every(r, &robust, 3, t + 39 * S, 39 * S);
	assert_finding(the_anomaly(r), ANOMALY, "qqic_mismatch", "warn");
	rig_free(r);

	/* A mirror delivers everything twice. */
	r = rig_watching(ANOMALY, NULL);
	for (unsigned i = 0; i < 8; i++)
		feed_every(r, &q, 2, T0 + i * 125 * S, 300000);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Each from a machine of its own: some are shown, the others counted. */
static void
invented_queriers(void **state)
{
	struct packet q = query_of(2, Q1, MAC_Q1, 0, QQIC_125, 2);
	struct rig *r = rig_watching(ANOMALY, NULL);
	char addr[40];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(addr, sizeof(addr), "fe80::2:%x", i);
		set_src(&q, addr);
		feed(r, &q, T0 + i * MS);
	}
	assert_int_equal(count_anomalies(r), 8);
	assert_int_equal(detector(r, ANOMALY)->suppressed, 4992);
	rig_free(r);
}

static void
under_maintenance(void **state)
{
	struct packet q = query_of(2, Q1, MAC_Q1, 0, QQIC_125, 2);
	struct rig *r = rig_watching(ANOMALY, "detect.mute=mld_query_anomaly");

	feed(r, &q, T0);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* ---- mld_querier_change -------------------------------------------------------------------------- */

static void
two_that_go_on(void **state)
{
	struct packet q1 = query2(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_watching(CHANGE, NULL);
	const struct ics_anomaly *a;

	for (unsigned i = 0; i < 3; i++) {
		feed(r, &q1, T0 + i * 125 * S);
		feed(r, &q5, T0 + i * 125 * S + 60 * S);
	}
	a = the_anomaly(r);
	assert_finding(a, CHANGE, "conflict", "warn");
	assert_string_equal(a->subject[0].text, Q5);
	assert_string_equal(fact_text(a, "from"), Q1 " (" MAC_Q1 ")");
	assert_string_equal(fact_text(a, "to"), Q5 " (" MAC_Q5 ")");
	assert_non_null(strstr(a->says, Q5 " (" MAC_Q5 ") goes on"));
	for (unsigned i = 3; i < 5; i++) {
		feed(r, &q1, T0 + i * 125 * S);
		feed(r, &q5, T0 + i * 125 * S + 60 * S);
	}
	assert_int_equal(fact_value(the_anomaly(r), "overruled_queries"), 4);
	/* One for 510 s. */
	feed_every(r, &q1, 4, T0 + 625 * S, 125 * S);
	ics_engine_tick(r->engine, T0 + 560 * S + 509 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 560 * S + 510 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
one_that_yields(void **state)
{
	struct packet q1 = query2(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_watching(CHANGE, NULL);

	/* fe80::5 starts on a segment that fe80::1 looks after, and hears of it with the next query. */
	feed_every(r, &q1, 2, T0, 125 * S);
	feed_every(r, &q5, 2, T0 + 130 * S, 31 * S);
	feed(r, &q1, T0 + 250 * S);
	/* Its last one was on the way already. */
	feed(r, &q5, T0 + 251 * S);
	feed_every(r, &q1, 4, T0 + 375 * S, 125 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* fe80::1 is a router that comes back and wins. */
	r = rig_watching(CHANGE, "detect.learn_s=0");
	feed_base(r, BASE_ra, T0);
	feed_every(r, &q5, 2, T0, 125 * S);
	feed_every(r, &q1, 4, T0 + 200 * S, 125 * S);
	assert_finding(the_anomaly(r), CHANGE, "change", "info");
	rig_free(r);
}

static void
one_that_takes_over(void **state)
{
	struct packet q1 = query2(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_watching(CHANGE, NULL);
	const struct ics_anomaly *a;

	feed_every(r, &q1, 3, T0, 125 * S);
	feed(r, &q5, T0 + 506 * S);
	a = the_anomaly(r);
	assert_finding(a, CHANGE, "takeover", "info");
	assert_int_equal(fact_value(a, "silent_s"), 256000);
	rig_free(r);
}

static void
usurper(void **state)
{
	struct packet q1 = query2(Q1, MAC_X), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_watching(CHANGE, "detect.learn_s=0");

	feed_every(r, &q5, 2, T0, 125 * S);
	feed(r, &q1, T0 + 140 * S);
	assert_finding(the_anomaly(r), CHANGE, "usurp", "critical");
	assert_string_equal(the_anomaly(r)->subject[0].text, Q1);
	assert_non_null(strstr(the_anomaly(r)->says, "Find the port of " MAC_X));
	/* Whatever else is made up is the same finding. */
	for (unsigned i = 0; i < 100; i++) {
		char addr[40];

		snprintf(addr, sizeof(addr), "fe80::%x", 0x1000 - i);
		set_src(&q1, addr);
		feed(r, &q1, T0 + 141 * S + i * MS);
	}
	assert_finding(the_anomaly(r), CHANGE, "usurp", "critical");
	rig_free(r);

	/* Hosts discard it: an attempt. */
	r = rig_watching(CHANGE, "detect.learn_s=0");
	q1 = query2(Q1, MAC_X);
	set_ip8(&q1, 7, 255);
	feed(r, &q5, T0);
	feed(r, &q1, T0 + 5 * S);
	assert_finding(the_anomaly(r), CHANGE, "usurp", "warn");
	assert_true(the_anomaly(r)->lenient);
	rig_free(r);
}

static void
expected_queriers(void **state)
{
	struct packet q1 = query2(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_watching(CHANGE, "detect.learn_s=0 detect.queriers_allow=fe80::1,fe80::5");

	/* In the list: a change, and even two that go on are information. */
	feed(r, &q5, T0);
	feed(r, &q1, T0 + 5 * S);
	assert_finding(the_anomaly(r), CHANGE, "change", "info");
	for (unsigned i = 1; i < 5; i++) {
		feed(r, &q1, T0 + i * 125 * S);
		feed(r, &q5, T0 + i * 125 * S + 60 * S);
	}
	assert_finding(the_anomaly(r), CHANGE, "conflict", "info");
	rig_free(r);

	/* While the segment is learned, who asks is learned as well; a list says it from the start. */
	r = rig_watching(CHANGE, NULL);
	feed(r, &q5, T0);
	feed(r, &q1, T0 + 5 * S);
	assert_finding(the_anomaly(r), CHANGE, "change", "info");
	rig_free(r);
	r = rig_watching(CHANGE, "detect.queriers_allow=fe80::5");
	feed(r, &q5, T0);
	feed(r, &q1, T0 + 5 * S);
	assert_finding(the_anomaly(r), CHANGE, "usurp", "critical");
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_fast),
		cmocka_unit_test(faster_than_learned),
		cmocka_unit_test(response_delay),
		cmocka_unit_test(short_delay_for_many),
		cmocka_unit_test(lenient_query),
		cmocka_unit_test(longer_than_snoopers_wait),
		cmocka_unit_test(contradicts_itself),
		cmocka_unit_test(flood_of_specific_queries),
		cmocka_unit_test(asked_alone_and_forged),
		cmocka_unit_test(incident_cadence),
		cmocka_unit_test(ordinary_queriers),
		cmocka_unit_test(invented_queriers),
		cmocka_unit_test(under_maintenance),
		cmocka_unit_test(two_that_go_on),
		cmocka_unit_test(one_that_yields),
		cmocka_unit_test(one_that_takes_over),
		cmocka_unit_test(usurper),
		cmocka_unit_test(expected_queriers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
