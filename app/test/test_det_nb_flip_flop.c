/* nb_flip_flop over sequences of frames in fake time. */
#include "test_nb.h"

#define FF "nb_flip_flop"

static void
claim(struct rig *r, const char *mac, const char *addr, unsigned flags, uint64_t ts)
{
	struct packet na = na_of(mac, addr, NULL, addr, mac, flags);

	feed(r, &na, ts);
}

static void
alternates(void **state)
{
	struct rig *r = nb_rig(NULL);

	for (unsigned i = 0; i < 6; i++)
		claim(r, i % 2 == 0 ? MAC_B : MAC_X, ADDR_B, NA_OVERRIDE, T0 + i * 1700 * MS);

	const struct ics_anomaly *a = the_only(r, FF);
	assert_finding(a, FF, "alternating", "warn");
	assert_string_equal(a->subject[0].text, ADDR_B);
	assert_string_equal(fact_text(a, "macs"), MAC_B " (3), " MAC_X " (3)");
	assert_int_equal(fact_value(a, "changes"), 5);
	ics_engine_tick(r->engine, T0 + 8 * S + 599 * S);
	assert_int_equal(the_only(r, FF)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 9 * S + 600 * S);
	assert_int_equal(the_only(r, FF)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Without override nothing changes, and yet two claim it. */
static void
both_claim_often(void **state)
{
	struct rig *r = nb_rig(NULL);

	for (unsigned i = 0; i < 6; i++)
		claim(r, MAC_B, ADDR_B, NA_OVERRIDE, T0 + i * S);
	for (unsigned i = 0; i < 6; i++) {
		assert_silent(r, FF);
		claim(r, MAC_X, ADDR_B, 0, T0 + (10 + i) * S);
	}
	for (unsigned i = 0; i < 6; i++)
		claim(r, MAC_B, ADDR_B, NA_OVERRIDE, T0 + (20 + i) * S);
	assert_finding(the_only(r, FF), FF, "alternating", "warn");
	rig_free(r);
}

static void
of_a_router(void **state)
{
	struct rig *r = nb_rig("detect.gateways=fe80::1");

	for (unsigned i = 0; i < 6; i++)
		claim(r, i % 2 == 0 ? MAC_R : MAC_X, "fe80::1", NA_OVERRIDE | NA_ROUTER, T0 + i * S);
	assert_finding(the_only(r, FF), FF, "alternating", "critical");
	rig_free(r);
}

static void
rightful_changes(void **state)
{
	struct rig *r = nb_rig(NULL);

	/* Failover and failback; the same again much later. */
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			claim(r, k % 2 == 0 ? MAC_B : MAC_X, ADDR_B, NA_OVERRIDE, T0 + i * 100 * S + k * 10 * S);
	assert_silent(r, FF);
	rig_free(r);

	r = nb_rig("detect.anycast_gw_macs=" MAC_X "," MAC_B);
	for (unsigned i = 0; i < 20; i++)
		claim(r, i % 2 == 0 ? MAC_B : MAC_X, ADDR_B, NA_OVERRIDE, T0 + i * S);
	assert_silent(r, FF);
	rig_free(r);

	/* Ever new MACs are a flood, not two machines. */
	r = nb_rig("detect.learn_s=0");
	for (unsigned i = 0; i < 100; i++) {
		char mac[ICS_MAC_STRLEN];

		snprintf(mac, sizeof(mac), "02:00:00:00:00:%02x", i);
		claim(r, mac, ADDR_B, NA_OVERRIDE, T0 + i * 20000);
	}
	assert_silent(r, FF);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alternates),
		cmocka_unit_test(both_claim_often),
		cmocka_unit_test(of_a_router),
		cmocka_unit_test(rightful_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
