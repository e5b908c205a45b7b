/* redirect_storm over sequences of frames in fake time. */
#include "test_nb.h"

#define RS "redirect_storm"

static void
redirect(struct rig *r, unsigned dest, uint64_t ts)
{
	struct packet p = base_packet(BASE_redirect);
	char addr[40];

	snprintf(addr, sizeof(addr), "2001:db8:9::%x", dest);
	set_addr(&p, 24, addr);
	feed(r, &p, ts);
}

static void
many_destinations(void **state)
{
	struct rig *r = nb_rig("detect.gateways=fe80::1,fe80::2");

	for (unsigned i = 0; i < 200; i++)
		redirect(r, i, T0 + i * 290 * MS);

	const struct ics_anomaly *a = the_only(r, RS);
	assert_finding(a, RS, "destinations", "warn");
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_in_range(fact_value(a, "destinations"), 101, 240);
	ics_engine_tick(r->engine, T0 + 357 * S);
	assert_int_equal(the_only(r, RS)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 358 * S);
	assert_int_equal(the_only(r, RS)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
high_rate(void **state)
{
	struct rig *r = nb_rig("detect.gateways=fe80::1,fe80::2");

	for (unsigned i = 0; i < 12 * 9; i++)
		redirect(r, i % 20, T0 + i * S / 12);
	assert_silent(r, RS);
	for (unsigned i = 12 * 9; i < 12 * 11; i++)
		redirect(r, i % 20, T0 + i * S / 12);
	assert_finding(the_only(r, RS), RS, "rate", "warn");
	rig_free(r);
}

static void
few(void **state)
{
	struct rig *r = nb_rig("detect.gateways=fe80::1,fe80::2");

	for (unsigned i = 0; i < 3; i++)
		redirect(r, i, T0 + i * S);
	/* Ninety destinations in a minute, and again. */
	for (unsigned i = 0; i < 270; i++)
		redirect(r, i, T0 + 100 * S + i * 667 * MS);
	assert_silent(r, RS);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_destinations),
		cmocka_unit_test(high_rate),
		cmocka_unit_test(few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
