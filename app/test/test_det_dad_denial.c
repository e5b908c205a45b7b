/* dad_denial over sequences of frames in fake time. */
#include "test_nb.h"

#define DD "dad_denial"

static void
ask(struct rig *r, const char *mac, const char *target, const char *denier, uint64_t ts)
{
	struct packet dad = dad_of(mac, target, NULL), na = na_of(denier, target, NULL, target, denier, NA_OVERRIDE);

	feed(r, &dad, ts);
	feed(r, &na, ts + 50 * MS);
}

static void
ask_unanswered(struct rig *r, const char *mac, unsigned n, uint64_t ts)
{
	for (unsigned i = 0; i < n; i++) {
		char target[40];

		snprintf(target, sizeof(target), "2001:db8:1::5:%x", i);
		struct packet dad = dad_of(mac, target, NULL);
		feed(r, &dad, ts + i * S);
	}
	ics_engine_tick(r->engine, ts + (n + 3) * S);
}

static void
denies_everybody(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");

	ask(r, MAC_H, "fe80::a", MAC_X, T0);
	ask(r, MAC_B, "fe80::b", MAC_X, T0 + 15 * S);
	assert_silent(r, DD);
	ask(r, "00:00:5e:00:53:12", "fe80::c", MAC_X, T0 + 30 * S);

	const struct ics_anomaly *a = the_only(r, DD);
	assert_finding(a, DD, "denial", "critical");
	assert_string_equal(a->subject[0].text, MAC_X);
	assert_int_equal(fact_value(a, "answered"), 3);
	assert_int_equal(fact_value(a, "observed"), 3);
	assert_int_equal(fact_value(a, "ratio_percent"), 100);
	assert_int_equal(fact_value(a, "victims"), 3);
	assert_string_equal(fact_text(a, "targets"), "fe80::a, fe80::b, fe80::c");
	/* It goes on: the same finding, and no more conflicts of single addresses. */
	unsigned before = count_anomalies(r);
	ask(r, MAC_H, "fe80::d", MAC_X, T0 + 40 * S);
	assert_int_equal(count_anomalies(r), before);
	/* Nine later detections without an answer are not enough to believe that it is over, ten are. */
	ask_unanswered(r, MAC_H, 8, T0 + 100 * S);
	assert_int_equal(the_only(r, DD)->state, ICS_ANOMALY_OPEN);
	ask_unanswered(r, MAC_B, 12, T0 + 200 * S);
	assert_int_equal(the_only(r, DD)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
what_is_no_denial(void **state)
{
	/* One real conflict; several of one host; too few of all; too slow. */
	struct rig *r = nb_rig("detect.learn_s=0");
	ask(r, MAC_H, "fe80::a", MAC_X, T0);
	assert_silent(r, DD);
	for (unsigned i = 0; i < 5; i++) {
		char target[40];

		snprintf(target, sizeof(target), "fe80::1:%x", i);
		ask(r, MAC_H, target, MAC_X, T0 + (1 + i) * S);
	}
	assert_silent(r, DD);
	rig_free(r);

	r = nb_rig("detect.learn_s=0");
	ask(r, MAC_H, "fe80::a", MAC_X, T0);
	ask_unanswered(r, MAC_B, 1, T0 + 5 * S);
	ask(r, MAC_B, "fe80::b", MAC_X, T0 + 15 * S);
	ask(r, MAC_H, "fe80::c", MAC_X, T0 + 30 * S); /* three of four */
	assert_silent(r, DD);
	rig_free(r);

	r = nb_rig("detect.learn_s=0");
	ask(r, MAC_H, "fe80::a", MAC_X, T0);
	ask(r, MAC_B, "fe80::b", MAC_X, T0 + 31 * S);
	ask(r, MAC_H, "fe80::c", MAC_X, T0 + 62 * S);
	assert_silent(r, DD);
	rig_free(r);

	r = nb_rig("detect.learn_s=0 detect.proxies=" MAC_X);
	ask(r, MAC_H, "fe80::a", MAC_X, T0);
	ask(r, MAC_B, "fe80::b", MAC_X, T0 + 15 * S);
	ask(r, MAC_R2, "fe80::c", MAC_X, T0 + 30 * S);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(info_of(r, DD)->suppressed, 3);
	rig_free(r);
}

/* The other way to deny: to probe for the same address at the same time. */
static void
denies_by_probing(void **state)
{
	static const char *const askers[] = {MAC_H, MAC_B, "00:00:5e:00:53:12"};
	struct rig *r = nb_rig("detect.learn_s=0");

	for (unsigned i = 0; i < 3; i++) {
		char target[40];

		snprintf(target, sizeof(target), "fe80::a:%x", i);
		struct packet dad = dad_of(askers[i], target, NULL), rival = dad_of(MAC_X, target, NULL);

		assert_silent(r, DD);
		feed(r, &dad, T0 + i * 10 * S);
		/* What the asker repeats itself is nobody's denial. */
		feed(r, &dad, T0 + i * 10 * S + 20 * MS);
		feed(r, &rival, T0 + i * 10 * S + 50 * MS);
	}
	assert_finding(the_only(r, DD), DD, "denial", "critical");
	assert_string_equal(the_only(r, DD)->subject[0].text, MAC_X);
	assert_int_equal(fact_value(the_only(r, DD), "victims"), 3);
	rig_free(r);
}

/* One that shows another MAC each time is found by that none of them was ever heard before. */
static void
denies_with_invented_macs(void **state)
{
	static const char *const askers[] = {MAC_H, MAC_B, MAC_H};
	static const char *const macs[] = {"02:00:30:50:eb:f6", "02:00:55:7a:4c:31", "02:00:80:30:1c:48"};

	for (unsigned known = 0; known < 2; known++) {
		struct rig *r = nb_rig("detect.learn_s=0");

		/* Three stations that live here may each have what somebody wants: clones of one image do. */
		for (unsigned i = 0; i < 3 && known; i++) {
			struct packet ns = ns_of(macs[i], "fe80::77", ADDR_B, macs[i]);
			feed(r, &ns, T0 - 5 * S + i * S);
		}
		for (unsigned i = 0; i < 3; i++) {
			char target[40];

			snprintf(target, sizeof(target), "fe80::a:%x", i);
			assert_silent(r, DD);
			ask(r, askers[i], target, macs[i], T0 + i * 10 * S);
		}
		if (known) {
			assert_silent(r, DD);
		} else {
			const struct ics_anomaly *a = the_only(r, DD);

			assert_finding(a, DD, "invented", "critical");
			assert_string_equal(a->subject[0].text, "whole");
			assert_int_equal(fact_value(a, "answered"), 3);
			assert_int_equal(fact_value(a, "victims"), 2);
			assert_non_null(strstr(a->says, "never heard before, the latest 02:00:80:30:1c:48"));
		}
		rig_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denies_everybody),
		cmocka_unit_test(denies_by_probing),
		cmocka_unit_test(denies_with_invented_macs),
		cmocka_unit_test(what_is_no_denial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
