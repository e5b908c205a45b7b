/* host_temp_churn over sequences of frames in fake time. */
#include "test_host.h"

#define TC "host_temp_churn"

static struct rig *
new_rig(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = TC;
	return r;
}

static void
twelve_an_hour(void **state)
{
	struct rig *r = new_rig(NULL);
	const struct ics_anomaly *a;
	char addr[64];

	for (unsigned i = 0; i < 8; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + i * 300 * S);
	assert_int_equal(count_anomalies(r), 0);
	for (unsigned i = 8; i < 12; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + i * 300 * S - S);
	a = the_anomaly(r);
	assert_finding(a, TC, "rotation", "warn");
	assert_string_equal(a->subject[0].text, MAC_H);
	assert_string_equal(fact_text(a, "prefix"), "2001:db8:1::/64");
	assert_int_equal(fact_value(a, "new_per_hour"), 12);
	assert_int_equal(fact_value(a, "after_solicitation"), 0);
	assert_string_equal(fact_text(a, "address_1"), random_address(1, 11, addr));
	assert_int_equal(a->count, 4);

	/* The ninth latest came at 900 s: usual an hour later, clear two hours after that. */
	ics_engine_tick(r->engine, T0 + 900 * S + 3 * HOUR - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 900 * S + 3 * HOUR);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
thirty_three_a_day(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	for (unsigned i = 0; i < 32; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + i * 2600 * S);
	assert_int_equal(count_anomalies(r), 0);
	take_address(r, MAC_H, random_address(1, 32, addr), T0 + 32 * 2600 * S);
	assert_finding(the_anomaly(r), TC, "rotation", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "new_per_day"), 33);
	rig_free(r);
}

/* A link that goes down and up: each time a solicitation, then new addresses. */
static void
flapping_link(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	for (unsigned i = 0; i < 10; i++) {
		feed_base(r, BASE_rs, T0 + i * 300 * S);
		take_address(r, MAC_H, random_address(1, i, addr), T0 + i * 300 * S + 2 * S);
	}
	assert_finding(the_anomaly(r), TC, "link_flap", "info");
	rig_free(r);
}

/* A link that came up once and a host that goes on making addresses: the cable is not to blame. Where each time the link
 * comes up has a few of its own, it is, however many come in the seconds after the first.
 */
static void
many_after_one_solicitation(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];
	unsigned i;

	feed_base(r, BASE_rs, T0);
	for (i = 0; i < 9; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + S + i * S / 2);
	assert_finding(the_anomaly(r), TC, "rotation", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "after_solicitation"), 4);
	for (unsigned up = 1; up < 3; up++) {
		feed_base(r, BASE_rs, T0 + up * 60 * S);
		for (unsigned k = 0; k < 4; k++)
			take_address(r, MAC_H, random_address(1, i++, addr), T0 + up * 60 * S + (k + 1) * S);
	}
	assert_finding(the_anomaly(r), TC, "link_flap", "info");
	assert_int_equal(fact_value(the_anomaly(r), "after_solicitation"), 12);
	rig_free(r);
}

static void
ordinary_life(void **state)
{
	struct rig *r = new_rig("detect.learn_s=0");
	char addr[64], mac[32];

	/* One a day in each of two prefixes, for a month, and all of them confirmed again and again. */
	for (unsigned day = 0; day < 30; day++)
		for (unsigned p = 1; p <= 2; p++)
			for (unsigned again = 0; again < 3; again++)
				take_address(r, MAC_H, random_address(p, day, addr),
					     T0 + day * 24 * HOUR + again * HOUR);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Another MAC each time. */
	r = new_rig("detect.learn_s=0");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(mac, sizeof(mac), "02:00:5e:00:53:%02x", i);
		take_address(r, mac, random_address(1, i, addr), T0 + i * 60 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	/* It is told where somebody rotates. */
	for (unsigned i = 50; i < 60; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + 2400 * S + i * S);
	assert_int_equal(fact_value(the_anomaly(r), "mac_churn"), 40);
	/* Of the segment it is a figure of its own, which ends with it. */
	assert_int_equal(ics_segment_mac_churn(ics_model_segment(ics_engine_model(r->engine), 0), T0 + HOUR), 40);
	assert_int_equal(ics_segment_mac_churn(ics_model_segment(ics_engine_model(r->engine), 0), T0 + 3 * HOUR), 0);
	rig_free(r);

	/* Addresses by number, from the MAC, and link-local ones are not made up. */
	r = new_rig("detect.learn_s=0");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(addr, sizeof(addr), "2001:db8:1::%x", 0x100 + i);
		take_address(r, MAC_H, addr, T0 + i * S);
		snprintf(addr, sizeof(addr), "2001:db8:%x::200:5eff:fe00:5310", 0x100 + i);
		take_address(r, MAC_H, addr, T0 + i * S);
		snprintf(addr, sizeof(addr), "fe80::%x:5b71:c2d4:9e00", 0x100 + i);
		take_address(r, MAC_H, addr, T0 + i * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* What the tap had not heard before need not be new: only who asks before it takes an address makes one. */
static void
first_heard_is_not_new(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	for (unsigned i = 0; i < 20; i++)
		announce(r, MAC_H, random_address(1, i, addr), 0x60, T0 + i * 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Claims of what nobody asked for are not new addresses either, whereas those that are answered for are. */
	r = new_rig("detect.learn_s=0");
	for (unsigned i = 0; i < 20; i++)
		announce(r, MAC_H, random_address(1, i, addr), 0x20, T0 + i * 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	for (unsigned i = 20; i < 40; i++)
		announce(r, MAC_H, random_address(1, i, addr), 0x60, T0 + i * 100 * S);
	assert_int_equal(count_anomalies(r), 1);
	rig_free(r);
}

static void
is_capped(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64], mac[32];

	for (unsigned i = 0; i < 20; i++) {
		snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", 0xa0 + i);
		for (unsigned k = 0; k < 12; k++)
			take_address(r, mac, random_address(0x100 + i, k, addr), T0 + i * S + k * MS);
	}
	assert_int_equal(count_anomalies(r), 8);
	assert_true(detector(r, TC)->suppressed > 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twelve_an_hour), cmocka_unit_test(thirty_three_a_day),
		cmocka_unit_test(flapping_link),  cmocka_unit_test(many_after_one_solicitation),
		cmocka_unit_test(ordinary_life),  cmocka_unit_test(first_heard_is_not_new),
		cmocka_unit_test(is_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
