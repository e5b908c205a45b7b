/* mld_querier_missing and mld_version_mismatch over sequences of frames in fake time. */
#include "test_querier.h"

#define MISSING "mld_querier_missing"
#define VERSION "mld_version_mismatch"

/* ---- mld_querier_missing ------------------------------------------------------------------------- */

static void
hosts_report(struct rig *r, unsigned hosts, uint64_t t)
{
	for (unsigned h = 1; h <= hosts; h++)
		feed_report(r, 2, h, 0, t + h * 100 * MS);
}

static void
never_a_query(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(MISSING, NULL);
	const struct ics_anomaly *a;

	hosts_report(r, 3, T0);
	ics_engine_tick(r->engine, T0 + 300 * S);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 301 * S);
	a = the_anomaly(r);
	assert_finding(a, MISSING, "missing", "warn");
	assert_int_equal(fact_value(a, "member_hosts"), 3);
	assert_true(a->first_ns >= T0 + 300 * S && a->first_ns <= T0 + 301 * S);
	assert_non_null(strstr(a->says, "There is no MLD querier"));
	/* Two queries end it. */
	hosts_report(r, 3, T0 + 400 * S);
	feed(r, &q, T0 + 500 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed(r, &q, T0 + 531 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
querier_goes_silent(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(MISSING, NULL);
	uint64_t t = 0;

	for (unsigned i = 0; i < 5; i++) {
		t = T0 + i * 125 * S;
		feed(r, &q, t);
		hosts_report(r, 5, t + S);
	}
	ics_engine_tick(r->engine, t + 259 * S);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, t + 260 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "last_querier"), Q1);
	assert_int_equal(fact_value(the_anomaly(r), "silent_s"), 260000);
	assert_int_equal(fact_value(the_anomaly(r), "member_hosts"), 5);
	rig_free(r);

	/* A slow one is waited for as long as it says. */
	r = rig_watching(MISSING, NULL);
	set8(&q, 25, 0x8a); /* 208 s */
	feed(r, &q, T0);
	hosts_report(r, 5, T0 + S);
	ics_engine_tick(r->engine, T0 + 425 * S);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 426 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "warn");
	rig_free(r);
}

static void
no_querier_needed(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(MISSING, NULL);

	/* Queries come. */
	for (unsigned i = 0; i < 10; i++) {
		feed(r, &q, T0 + i * 125 * S);
		hosts_report(r, 5, T0 + i * 125 * S + S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Two hosts are no network. */
	r = rig_watching(MISSING, NULL);
	for (unsigned i = 0; i < 10; i++)
		hosts_report(r, 2, T0 + i * 100 * S);
	ics_engine_tick(r->engine, T0 + 5000 * S);
	assert_int_equal(count_anomalies(r), 0);
	/* The third comes late. */
	hosts_report(r, 3, T0 + 6000 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "warn");
	rig_free(r);

	/* Nobody snoops: for information. */
	r = rig_watching(MISSING, "detect.snooping=off");
	hosts_report(r, 3, T0);
	ics_engine_tick(r->engine, T0 + 400 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "info");
	rig_free(r);
}

/* A query may have been among what the inspector lost. */
static void
lost_queries(void **state)
{
	struct ics_loss loss = {.messages = 9, .lost = {[ICS_DROP_URGENT_FULL] = 1}};
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(MISSING, NULL);

	loss.lost_class[ICS_CLASS_mld_query] = 1;
	feed(r, &q, T0);
	hosts_report(r, 3, T0 + S);
	ics_engine_tick(r->engine, T0 + 125 * S);
	ics_engine_note_loss(r->engine, &loss);
	ics_engine_tick(r->engine, T0 + 384 * S);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 385 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "warn");
	rig_free(r);
}

static void
queries_that_hosts_discard(void **state)
{
	struct packet q = query2("::", MAC_Q1), far = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(MISSING, NULL);

	for (unsigned i = 0; i < 4; i++) {
		feed(r, &q, T0 + i * 125 * S);
		hosts_report(r, 3, T0 + i * 125 * S + S);
	}
	assert_finding(the_anomaly(r), MISSING, "querier_invalid", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "reason"), "mld_src_not_link_local");
	assert_string_equal(fact_text(the_anomaly(r), "invalid_querier"), "::");
	rig_free(r);

	/* Another reason, and only after the finding. */
	r = rig_watching(MISSING, NULL);
	set_ip8(&far, 7, 64);
	hosts_report(r, 3, T0);
	ics_engine_tick(r->engine, T0 + 400 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "warn");
	feed(r, &far, T0 + 500 * S);
	assert_finding(the_anomaly(r), MISSING, "querier_invalid", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "reason"), "mld_hop_limit");
	rig_free(r);
}

/* Host 2 asks for host 1, which is known to live, and is answered or not. */
static void
ask(struct rig *r, bool answered, uint64_t t)
{
	struct packet ns = base_packet(BASE_ns), na = base_packet(BASE_na);

	set_src(&ns, "fe80::1:2");
	set_smac(&ns, "02:00:00:00:00:02");
	set_hex(&ns, 26, "020000000002");
	set_dst(&ns, "ff02::1:ff01:1");
	set_addr(&ns, 8, "fe80::1:1");
	feed(r, &ns, t);
	if (!answered)
		return;
	set_src(&na, "fe80::1:1");
	set_smac(&na, "02:00:00:00:00:01");
	set_hex(&na, 26, "020000000001");
	set_dst(&na, "fe80::1:2");
	set_addr(&na, 8, "fe80::1:1");
	set8(&na, 4, 0x60);
	feed(r, &na, t + MS);
}

static void
neighbors_become_unreachable(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(MISSING, NULL);
	const struct ics_segment *seg;
	uint64_t t = T0;

	ask(r, true, t);
	for (unsigned i = 0; i < 60; i++)
		ask(r, i % 20 != 0, t += 4 * S);
	feed(r, &q, t);
	hosts_report(r, 3, t + S);
	seg = ics_model_segment(ics_engine_model(r->engine), 0);
	assert_true(seg->seen.asked >= ICS_VISIBILITY_SAMPLE && seg->seen.answered * 10 > seg->seen.asked * 8);
	ics_engine_tick(r->engine, t + 261 * S);
	assert_finding(the_anomaly(r), MISSING, "missing", "warn");
	/* The table of the switch is empty; somebody else keeps the host alive in the model. */
	t += 261 * S;
	for (unsigned i = 0; i < 200; i++) {
		ask(r, i % 2 != 0, t += 4 * S);
		ics_engine_tick(r->engine, t + 3500 * MS);
	}
	assert_finding(the_anomaly(r), MISSING, "missing", "critical");
	assert_in_range(fact_value(the_anomaly(r), "unanswered_after_permille"), 400, 600);
	rig_free(r);
}

/* ---- mld_version_mismatch ------------------------------------------------------------------------ */

static void
forced_to_version_1(void **state)
{
	struct packet q = query1(Q1, MAC_Q1);
	struct rig *r = rig_watching(VERSION, NULL);
	const struct ics_anomaly *a;

	for (unsigned h = 1; h <= 10; h++)
		for (unsigned g = 0; g < 9; g++)
			feed_report(r, 2, h, g, T0 + h * 100 * MS + g * MS);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &q, T0 + 10 * S);
	a = the_anomaly(r);
	assert_finding(a, VERSION, "forced_v1", "warn");
	assert_string_equal(a->subject[0].text, Q1);
	/* Nine groups each: nine packets instead of one. */
	assert_int_equal(fact_value(a, "packets_v1"), 90);
	assert_int_equal(fact_value(a, "packets_v2"), 10);
	assert_string_equal(fact_text(a, "packet_factor"), "9.0");
	/* It goes on, and stops. */
	feed_every(r, &q, 3, T0 + 135 * S, 125 * S);
	ics_engine_tick(r->engine, T0 + 385 * S + 259 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 385 * S + 260 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* The query came first: a host that starts up speaks version 2 until it hears one. */
	r = rig_watching(VERSION, NULL);
	feed(r, &q, T0);
	feed_report(r, 2, 1, 0, T0 + 20 * S);
	assert_finding(the_anomaly(r), VERSION, "forced_v1", "warn");
	rig_free(r);
}

static void
version_1_as_meant(void **state)
{
	struct packet q1 = query1(Q1, MAC_Q1), q2 = query2(Q1, MAC_Q1);
	struct rig *r = rig_watching(VERSION, "detect.mld_version=1");

	for (unsigned i = 0; i < 5; i++) {
		feed(r, &q1, T0 + i * 125 * S);
		feed_report(r, 1, 1, 0, T0 + i * 125 * S + S);
		feed_report(r, 2, 2, 0, T0 + i * 125 * S + 2 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Nobody there can speak version 2. */
	r = rig_watching(VERSION, NULL);
	for (unsigned i = 0; i < 5; i++) {
		feed(r, &q1, T0 + i * 125 * S);
		feed_report(r, 1, 1, 0, T0 + i * 125 * S + S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Version 2, and an old host. */
	r = rig_watching(VERSION, NULL);
	for (unsigned i = 0; i < 5; i++) {
		feed(r, &q2, T0 + i * 125 * S);
		feed_report(r, 1, 1, 0, T0 + i * 125 * S + S);
		feed_report(r, 2, 2, 0, T0 + i * 125 * S + S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
queriers_of_both_versions(void **state)
{
	struct packet q1 = query1(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_watching(VERSION, "detect.mld_version=1");

	feed(r, &q1, T0);
	feed(r, &q5, T0 + 20 * S);
	assert_finding(the_anomaly(r), VERSION, "mixed_queriers", "warn");
	assert_string_equal(the_anomaly(r)->subject[0].text, Q1);
	assert_string_equal(fact_text(the_anomaly(r), "v2_querier"), Q5);
	rig_free(r);
}

static void
host_that_does_not_fall_back(void **state)
{
	struct packet q = query1(Q1, MAC_Q1);
	struct rig *r = rig_watching(VERSION, NULL);

	for (unsigned i = 0; i < 4; i++) {
		feed(r, &q, T0 + i * 125 * S);
		if (i < 2)
			feed_report(r, 2, 1 + i, 0, T0 + i * 125 * S + S);
	}
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "forced_v1");
	feed_report(r, 2, 1, 0, T0 + 3 * 125 * S + S);
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "forced_v1,v2_under_v1");
	assert_string_equal(fact_text(the_anomaly(r), "v2_host"), "02:00:00:00:00:01");
	rig_free(r);

	/* In between nobody asked in version 1: it had gone back to version 2, as it may. */
	r = rig_watching(VERSION, NULL);
	feed(r, &q, T0);
	feed_report(r, 2, 1, 0, T0 + S);
	feed(r, &q, T0 + 700 * S);
	feed_report(r, 2, 1, 0, T0 + 701 * S);
	assert_int_equal(count_anomalies(r), 2);
	assert_string_equal(fact_text(nth_anomaly(r, 2), "variants"), "forced_v1");
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_a_query),
		cmocka_unit_test(querier_goes_silent),
		cmocka_unit_test(no_querier_needed),
		cmocka_unit_test(lost_queries),
		cmocka_unit_test(queries_that_hosts_discard),
		cmocka_unit_test(neighbors_become_unreachable),
		cmocka_unit_test(forced_to_version_1),
		cmocka_unit_test(version_1_as_meant),
		cmocka_unit_test(queriers_of_both_versions),
		cmocka_unit_test(host_that_does_not_fall_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
