/* nb_lla_mismatch over sequences of frames in fake time. */
#include "test_nb.h"

#define LM "nb_lla_mismatch"

static void
about_a_router(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	struct packet ns = ns_of(MAC_X, "fe80::66", "fe80::1", MAC_B);

	feed_base(r, BASE_ra, T0);
	feed(r, &ns, T0 + S);

	const struct ics_anomaly *a = the_only(r, LM);
	assert_finding(a, LM, "router", "warn");
	assert_string_equal(a->subject[0].text, MAC_X);
	assert_string_equal(fact_text(a, "lla"), MAC_B);
	assert_string_equal(fact_text(a, "address"), "fe80::1");
	/* News once; over ten minutes after the last news. */
	feed(r, &ns, T0 + 300 * S);
	assert_int_equal(the_only(r, LM)->count, 1);
	ics_engine_tick(r->engine, T0 + 601 * S);
	assert_int_equal(the_only(r, LM)->state, ICS_ANOMALY_CLEARED);
	feed(r, &ns, T0 + 700 * S);
	the_only(r, LM);
	rig_free(r);
}

static void
one_pair_and_many(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");

	for (unsigned i = 0; i < 16; i++) {
		char mac[ICS_MAC_STRLEN], addr[40];

		snprintf(mac, sizeof(mac), "02:00:00:00:00:%02x", i);
		snprintf(addr, sizeof(addr), "2001:db8:1::9:%x", i);
		struct packet na = na_of(MAC_X, addr, ADDR_H, addr, mac, NA_SOLICITED);
		feed(r, &na, T0 + i * S);
		if (i == 0)
			assert_finding(the_only(r, LM), LM, "pair", "info");
	}
	assert_finding(the_only(r, LM), LM, "many", "warn");
	assert_int_equal(fact_value(the_only(r, LM), "pairs"), 16);
	rig_free(r);
}

static void
what_is_normal(void **state)
{
	struct packet ns = ns_of(MAC_X, "fe80::66", "fe80::77", MAC_B),
		      late = ns_of(MAC_X, "fe80::66", "fe80::77", MAC_H);
	struct packet vrrp = ra_from("fe80::5", MAC_R, 1800, 0), group = ns_of(MAC_X, "fe80::66", "fe80::77", MAC_B);
	struct packet other = ns_of(MAC_X, "fe80::66", "fe80::77", MAC_R2);
	struct rig *r = nb_rig("detect.learn_s=0");

	/* Virtual router with the MAC of the box in the frame. */
	set_lla(&vrrp, 16, MAC_VRRP);
	feed(r, &vrrp, T0);
	feed(r, &vrrp, T0 + 60 * S);
	set_smac(&group, "33:33:00:00:00:01");
	feed(r, &group, T0 + 61 * S);
	assert_silent(r, LM);
	rig_free(r);

	/* Learned in the beginning, and no news afterwards. */
	r = nb_rig(NULL);
	feed(r, &ns, T0);
	feed(r, &ns, T0 + 700 * S);
	assert_silent(r, LM);
	feed(r, &late, T0 + 701 * S);
	assert_finding(the_only(r, LM), LM, "pair", "info");
	rig_free(r);

	/* Who has spoken for others for a day is a proxy. */
	r = nb_rig(NULL);
	feed(r, &ns, T0);
	feed(r, &other, T0 + 86401 * S);
	assert_silent(r, LM);
	rig_free(r);

	r = nb_rig("detect.learn_s=0 detect.proxies=" MAC_X);
	feed(r, &ns, T0);
	assert_silent(r, LM);
	rig_free(r);
}

static void
invented_speakers(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");
	unsigned n;

	for (unsigned i = 0; i < 100; i++) {
		char mac[ICS_MAC_STRLEN];

		snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x", i);
		struct packet ns = ns_of(mac, "fe80::66", "fe80::77", MAC_B);
		feed(r, &ns, T0 + i * MS);
	}
	found(r, LM, &n);
	assert_int_equal(n, 8);
	assert_int_equal(info_of(r, LM)->suppressed, 92);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(about_a_router),
		cmocka_unit_test(one_pair_and_many),
		cmocka_unit_test(what_is_normal),
		cmocka_unit_test(invented_speakers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
