/* nd_scan over sequences of frames in fake time, with what the model counts for it. */
#include "test_nb.h"

#define SC "nd_scan"

static void
ask(struct rig *r, const char *mac, const char *src, unsigned n, uint64_t ts)
{
	char target[40];

	snprintf(target, sizeof(target), "2001:db8:1::%x:%x", 7 + (n >> 16), n & 0xffff);
	struct packet ns = ns_of(mac, src, target, NULL);
	feed(r, &ns, ts);
}

static void
reply(struct rig *r, unsigned n, const char *to, uint64_t ts)
{
	char target[40], mac[ICS_MAC_STRLEN];

	snprintf(target, sizeof(target), "2001:db8:1::7:%x", n);
	snprintf(mac, sizeof(mac), "02:00:00:01:%02x:%02x", n >> 8, n & 0xff);
	struct packet na = na_of(mac, target, to, target, mac, NA_SOLICITED | NA_OVERRIDE);
	feed(r, &na, ts);
}

static void
remote_scan(void **state)
{
	struct rig *r = nb_rig(NULL);

	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 3000; i++)
		ask(r, MAC_R, "fe80::1", i, T0 + i * 10 * S / 3000);

	const struct ics_anomaly *a = the_only(r, SC);
	assert_finding(a, SC, "remote_scan", "warn");
	assert_string_equal(a->subject[0].text, MAC_R);
	assert_string_equal(fact_text(a, "asker"), "fe80::1");
	assert_int_equal(fact_value(a, "is_router"), 1);
	assert_int_equal(fact_value(a, "sequential"), 1);
	assert_int_equal(fact_value(a, "answered"), 0);
	assert_string_equal(fact_text(a, "prefix"), "2001:db8:1::/64");
	/* 900 in three seconds, of which the sketch of ten seconds knows nothing. */
	assert_in_range(fact_value(a, "incomplete_estimate"), 860, 901);
	assert_in_range(fact_value(a, "targets_per_s"), 230, 370);
	ics_engine_tick(r->engine, T0 + 69 * S);
	assert_int_equal(the_only(r, SC)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 71 * S);
	assert_int_equal(the_only(r, SC)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
cache_is_nearly_full(void **state)
{
	struct rig *r = nb_rig("detect.nce_limit=400");

	for (unsigned i = 0; i < 220; i++)
		ask(r, MAC_X, "fe80::66", i * 7, T0 + i * 5 * MS);
	assert_finding(the_only(r, SC), SC, "local_scan", "warn");
	for (unsigned i = 220; i < 420; i++)
		ask(r, MAC_X, "fe80::66", i * 7, T0 + i * 5 * MS);
	assert_finding(the_only(r, SC), SC, "local_scan", "critical");
	assert_int_equal(fact_value(the_only(r, SC), "sequential"), 0);
	rig_free(r);
}

static void
busy_but_answered(void **state)
{
	struct rig *r = nb_rig(NULL);
	const struct ics_segment *seg = ics_model_segment(ics_engine_model(r->engine), 0);
	uint32_t sample;

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 200; i++) {
			uint64_t ts = T0 + round * 30 * S + i * 50 * MS;

			ask(r, MAC_R, "fe80::1", i, ts);
			if (i % 20 != 0)
				reply(r, i, "fe80::1", ts + MS);
		}
	assert_silent(r, SC);
	ics_engine_tick(r->engine, T0 + 100 * S);
	seg = ics_model_segment(ics_engine_model(r->engine), 0);
	/* Of those known to be live, all were seen to answer: 190 twice. */
	assert_int_equal(ics_segment_visibility(seg, &sample), 100);
	assert_int_equal(sample, 380);
	rig_free(r);
}

/* A tap that sees no unicast: hosts that are known answer, whether it is seen or not. */
static void
answers_are_not_seen(void **state)
{
	struct rig *r = nb_rig(NULL);
	uint32_t sample;

	for (unsigned i = 0; i < 600; i++) {
		char addr[40], mac[ICS_MAC_STRLEN];

		snprintf(addr, sizeof(addr), "2001:db8:1::7:%x", i);
		snprintf(mac, sizeof(mac), "02:00:00:01:%02x:%02x", i >> 8, i & 0xff);
		struct packet ns = ns_of(mac, addr, "fe80::1", NULL);
		feed(r, &ns, T0 + i * 10 * MS);
	}
	/* Slowly, until it is known how little is seen. */
	for (unsigned i = 0; i < 60; i++)
		ask(r, MAC_R, "fe80::1", i, T0 + 10 * S + i * 500 * MS);
	ics_engine_tick(r->engine, T0 + 45 * S);
	assert_int_equal(ics_segment_visibility(ics_model_segment(ics_engine_model(r->engine), 0), &sample), 0);
	for (unsigned i = 0; i < 600; i++)
		ask(r, MAC_R, "fe80::1", i, T0 + 50 * S + i * 10 * MS);
	assert_silent(r, SC);
	/* Those that nobody knows are not there. */
	for (unsigned i = 0; i < 600; i++)
		ask(r, MAC_R, "fe80::1", 10000 + i, T0 + 60 * S + i * 10 * MS);
	assert_finding(the_only(r, SC), SC, "local_scan", "warn");
	assert_int_equal(fact_value(the_only(r, SC), "answers_seen_percent"), 0);
	rig_free(r);
}

static void
solicitations_are_capped(void **state)
{
	struct rig *r = nb_rig(NULL);
	struct ics_model_stats st;

	for (unsigned i = 0; i < ICS_SOLICITS_MAX + 1000; i++)
		ask(r, MAC_X, "fe80::66", i, T0 + i * 1000);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.solicitations, ICS_SOLICITS_MAX);
	assert_int_equal(st.solicitation_drops, 1000);
	assert_finding(the_only(r, SC), SC, "local_scan", "critical");
	ics_engine_tick(r->engine, T0 + 10 * S);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.solicitations, 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remote_scan),
		cmocka_unit_test(cache_is_nearly_full),
		cmocka_unit_test(busy_but_answered),
		cmocka_unit_test(answers_are_not_seen),
		cmocka_unit_test(solicitations_are_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
