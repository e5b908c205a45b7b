/* dad_conflict over sequences of frames in fake time: who asks, who answers, what is only an echo, when it clears. */
#include "test_nb.h"

#define DC "dad_conflict"
#define T "fe80::10"
#define T_RANDOM "2001:db8:1::abcd"

static struct packet
answer(const char *mac, const char *target)
{
	return na_of(mac, target, NULL, target, mac, NA_OVERRIDE);
}

static void
answered(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet na = answer(MAC_B, T);

	feed_base(r, BASE_dad, T0);
	feed(r, &na, T0 + 300 * MS);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, DC, "answered", "warn");
	assert_string_equal(a->subject[0].text, T);
	assert_string_equal(fact_text(a, "asker_mac"), MAC_H);
	assert_string_equal(fact_text(a, "other_mac"), MAC_B);
	assert_string_equal(fact_text(a, "asker_nonce"), "a1a2a3a4a5a6");
	assert_int_equal(fact_value(a, "delay_ms"), 300);
	assert_int_equal(fact_value(a, "link_local_from_mac"), 0);
	/* The same again is the same finding, and the address that fell out is not spoofed. */
	feed(r, &na, T0 + 600 * MS);
	assert_int_equal(the_anomaly(r)->count, 2);
	/* A later probe that nobody answers: it is over three seconds after it. */
	feed_base(r, BASE_dad, T0 + 100 * S);
	ics_engine_tick(r->engine, T0 + 103 * S - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 103 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
clears_with_another_address(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet dad = dad_of(MAC_H, T_RANDOM, NULL), na = answer(MAC_B, T_RANDOM);
	struct packet other_prefix = dad_of(MAC_H, "2001:db8:2::1", NULL),
		      other = dad_of(MAC_H, "2001:db8:1::ef", NULL);

	feed(r, &dad, T0);
	feed(r, &na, T0 + 300 * MS);
	feed(r, &other_prefix, T0 + 10 * S);
	ics_engine_tick(r->engine, T0 + 20 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed(r, &other, T0 + 30 * S);
	ics_engine_tick(r->engine, T0 + 33 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
critical_cases(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet dad = dad_of(MAC_H, "fe80::200:5eff:fe00:5310", NULL);
	struct packet na = answer(MAC_B, "fe80::200:5eff:fe00:5310");

	feed(r, &dad, T0);
	feed(r, &na, T0 + 300 * MS);
	assert_finding(the_anomaly(r), DC, "answered", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "link_local_from_mac"), 1);
	rig_free(r);

	r = nb_rig("detect.learn_s=0 detect.gateways=fe80::1");
	dad = dad_of(MAC_X, "fe80::1", NULL);
	na = answer(MAC_R, "fe80::1");
	feed(r, &dad, T0);
	set8(&na, 4, NA_ROUTER | NA_OVERRIDE);
	feed(r, &na, T0 + 300 * MS);
	assert_finding(the_only(r, DC), DC, "answered", "critical");
	rig_free(r);
}

static void
simultaneous(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet a = dad_of(MAC_H, T_RANDOM, "010203040506"), b = dad_of(MAC_B, T_RANDOM, "111213141516");

	feed(r, &a, T0);
	feed(r, &b, T0 + 3 * S - 1);
	assert_finding(the_anomaly(r), DC, "simultaneous", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "other_nonce"), "111213141516");
	rig_free(r);
}

/* The first has won before the second asks, and says so: who does without is the second. */
static void
first_one_has_it(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet a = dad_of(MAC_H, T_RANDOM, "010203040506"), b = dad_of(MAC_B, T_RANDOM, "111213141516");
	struct packet na = answer(MAC_H, T_RANDOM), other = dad_of(MAC_B, "2001:db8:1::beef", NULL);

	feed(r, &a, T0);
	feed(r, &b, T0 + 1800 * MS);
	feed(r, &na, T0 + 1801 * MS);
	assert_finding(the_anomaly(r), DC, "answered", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "asker_mac"), MAC_B);
	assert_string_equal(fact_text(the_anomaly(r), "other_mac"), MAC_H);
	assert_string_equal(fact_text(the_anomaly(r), "asker_nonce"), "111213141516");
	assert_string_equal(fact_text(the_anomaly(r), "other_nonce"), "010203040506");
	assert_int_equal(fact_value(the_anomaly(r), "delay_ms"), 1);
	assert_non_null(strstr(the_anomaly(r)->says, MAC_B " does without it"));
	/* It takes another one: over. */
	feed(r, &other, T0 + 10 * S);
	ics_engine_tick(r->engine, T0 + 14 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
silent_when_nothing_is_wrong(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet na = answer(MAC_B, T), own = answer(MAC_H, T);

	/* Repeated probes, a loop that brings back one with a nonce, an NA that is no answer any more. */
	for (unsigned i = 0; i < 3; i++)
		feed_base(r, BASE_dad, T0 + i * S);
	for (unsigned i = 0; i < 40; i++)
		feed_base(r, BASE_dad, T0 + 100 * S + i * MS);
	ics_inspect_idle(&r->in, UINT64_MAX);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 200 * S);
	feed_base(r, BASE_dad, T0 + 300 * S);
	feed(r, &own, T0 + 301 * S);
	assert_silent(r, DC);
	feed(r, &na, T0 + 310 * S);
	assert_silent(r, DC);
	rig_free(r);

	/* Proxies that the operator named, and registrars that say what they are. */
	r = nb_rig("detect.learn_s=0 detect.proxies=" MAC_B);
	feed_base(r, BASE_dad, T0);
	feed(r, &na, T0 + 300 * MS);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(info_of(r, DC)->suppressed, 1);
	rig_free(r);
	r = nb_rig("detect.learn_s=0");
	append_hex(&na, "21020000000000000000000000000000");
	feed_base(r, BASE_dad, T0);
	feed(r, &na, T0 + 300 * MS);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Bad checksums, hop limits and the like prove nothing. */
	r = nb_rig("detect.learn_s=0");
	na = answer(MAC_B, T);
	set_ip8(&na, 7, 64);
	feed_base(r, BASE_dad, T0);
	feed(r, &na, T0 + 300 * MS);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Without a nonce a host cannot tell its own probe from another's: one note for a segment, folded or not. */
static void
self_echo(void **state)
{
	struct packet a = dad_of(MAC_H, T_RANDOM, NULL), b = dad_of(MAC_B, T, NULL), na = answer(MAC_X, T);
	struct packet c = dad_of(MAC_R2, "fe80::c", NULL);

	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = nb_rig("detect.learn_s=0");

		if (folded)
			r->in.fold = ics_fold_init(NULL);
		/* A mirror that delivers it three times brings nothing back. */
		for (unsigned i = 0; i < 3; i++)
			feed(r, &c, T0 + i * MS / 2);
		ics_inspect_idle(&r->in, UINT64_MAX);
		assert_silent(r, DC);
		for (unsigned i = 0; i < 3; i++)
			feed(r, &a, T0 + 300 * MS + i * 5 * MS);
		for (unsigned i = 0; i < 3; i++)
			feed(r, &b, T0 + 300 * MS + i * 5 * MS);
		ics_inspect_idle(&r->in, UINT64_MAX);
		assert_finding(the_only(r, DC), DC, "self_echo", "info");
		assert_int_equal(the_only(r, DC)->count, 4);
		/* A real one does not hide behind it. */
		feed(r, &na, T0 + 500 * MS);
		assert_int_equal(count_anomalies(r), 2);
		if (folded)
			ics_fold_free(r->in.fold);
		rig_free(r);
	}
	/* Probing again after a second is what hosts do. */
	struct rig *r = nb_rig("detect.learn_s=0");
	for (unsigned i = 0; i < 3; i++)
		feed(r, &a, T0 + i * S);
	assert_silent(r, DC);
	rig_free(r);
}

/* Beyond a few a minute on one segment nobody reads them. */
static void
is_bounded(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	unsigned n;

	for (unsigned i = 0; i < 100; i++) {
		char target[40];

		snprintf(target, sizeof(target), "2001:db8:1::%x", 0x100 + i);
		struct packet dad = dad_of(MAC_H, target, NULL), na = answer(MAC_B, target);
		feed(r, &dad, T0 + i * 20 * MS);
		feed(r, &na, T0 + i * 20 * MS + MS);
	}
	found(r, DC, &n);
	assert_int_equal(n, 8);
	assert_int_equal(info_of(r, DC)->suppressed, 92);
	rig_free(r);
}

static void
muted(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0 detect.mute=dad_conflict");
	struct packet na = answer(MAC_B, T);

	feed_base(r, BASE_dad, T0);
	feed(r, &na, T0 + 300 * MS);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answered),
		cmocka_unit_test(clears_with_another_address),
		cmocka_unit_test(critical_cases),
		cmocka_unit_test(simultaneous),
		cmocka_unit_test(first_one_has_it),
		cmocka_unit_test(silent_when_nothing_is_wrong),
		cmocka_unit_test(self_echo),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(muted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
