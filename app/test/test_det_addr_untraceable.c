/* addr_untraceable over sequences of frames in fake time. */
#include "test_host.h"

#define UT "addr_untraceable"

static struct rig *
new_rig(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = UT;
	return r;
}

static void
data_without_nd(void **state)
{
	struct rig *r = new_rig(NULL);
	const struct ics_anomaly *a;
	char addr[64];
	uint64_t t;

	assert_string_equal(detector(r, UT)->state, "not_assessed");
	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 20; i++)
		send_data(r, MAC_X, random_address(1, i, addr), T0 + S + i * 100 * MS);
	assert_string_equal(detector(r, UT)->state, "on");
	ics_engine_tick(r->engine, T0 + 61 * S - 1);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 61 * S + 900 * MS - 1);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 70 * S);
	a = the_anomaly(r);
	assert_finding(a, UT, "no_nd", "warn");
	assert_string_equal(a->subject[0].text, MAC_X);
	assert_int_equal(fact_value(a, "sources"), 20);
	assert_int_equal(fact_value(a, "share_percent"), 95);
	assert_string_equal(fact_text(a, "address_1"), random_address(1, 9, addr));
	assert_int_equal(a->count, 11);
	assert_int_equal(a->first_ns, T0 + 61 * S + 900 * MS);

	/* More of the same is the same finding; an hour after the last it is over. */
	t = T0 + 70 * S + 600 * S;
	for (unsigned i = 0; i < 20; i++)
		send_data(r, MAC_X, random_address(1, i, addr), t + i * 100 * MS);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 610 * S + HOUR - S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 3 * HOUR);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* The same by what the TCP sampler tells of frames. */
static void
data_by_the_sampler(void **state)
{
	struct rig *r = new_rig(NULL);
	struct ics_model *m = ics_engine_model(r->engine);
	const struct ics_host *h;
	struct ics_mac mac;
	char addr[64];

	rig_sample(r);
	feed_base(r, BASE_ra, T0);
	feed_base(r, BASE_ns, T0);
	assert_int_equal(ics_mac_parse("00:00:5e:00:53:10", &mac), 0);
	h = ics_model_host_find(m, 0, &mac);
	assert_non_null(h);
	assert_int_equal(h->last_data_ns, 0);
	assert_string_equal(detector(r, UT)->state, "not_assessed");
	for (unsigned i = 0; i < 21; i++) {
		struct packet p = base_packet(BASE_ns);

		set_smac(&p, i == 20 ? "00:00:5e:00:53:10" : MAC_X);
		set_src(&p, random_address(1, i, addr));
		set_dst(&p, "2001:db8:9::9");
		make_udp(&p);
		p.raw = true;
		feed(r, &p, T0 + S + i * 100 * MS);
	}
	assert_string_equal(detector(r, UT)->state, "on");
	assert_int_equal(h->last_data_ns, T0 + 3 * S);
	ics_engine_tick(r->engine, T0 + 70 * S);
	assert_finding(the_anomaly(r), UT, "no_nd", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "sources"), 20);
	rig_free(r);
}

static void
data_with_nd(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64], mac[32];

	/* Known before, or within the minute after. */
	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", 0xa0 + i);
		if (i % 2 == 0)
			take_address(r, mac, random_address(1, i, addr), T0 + S);
		send_data(r, MAC_X, random_address(1, i, addr), T0 + 2 * S);
		if (i % 2 == 1)
			take_address(r, mac, random_address(1, i, addr), T0 + 50 * S);
	}
	ics_engine_tick(r->engine, T0 + 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Nine, of several MACs, link-local ones, and those of elsewhere that a router forwards. */
	r = new_rig(NULL);
	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", 0xa0 + i / 9);
		send_data(r, mac, random_address(1, i, addr), T0 + S);
		send_data(r, MAC_R, random_address(2, i, addr), T0 + S);
		snprintf(addr, sizeof(addr), "fe80::%x", 0x100 + i);
		send_data(r, MAC_X, addr, T0 + S);
	}
	ics_engine_tick(r->engine, T0 + 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Ten within ten minutes is the limit: nine, and nine more later, are none. */
	r = new_rig(NULL);
	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 18; i++) {
		send_data(r, MAC_X, random_address(1, i, addr), T0 + S + i / 9 * 700 * S);
		ics_engine_tick(r->engine, T0 + 2 * S + i / 9 * 700 * S);
	}
	ics_engine_tick(r->engine, T0 + 1000 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Few of many are information. */
static void
small_share(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64], mac[32];

	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 400; i++) {
		snprintf(mac, sizeof(mac), "00:00:5e:00:54:%02x", i % 200);
		take_address(r, mac, random_address(1, 1000 + i, addr), T0 + i * MS);
	}
	for (unsigned i = 0; i < 12; i++)
		send_data(r, MAC_X, random_address(1, i, addr), T0 + S);
	ics_engine_tick(r->engine, T0 + 100 * S);
	assert_finding(the_anomaly(r), UT, "no_nd", "info");
	rig_free(r);
}

static void
made_up_macs(void **state)
{
	struct rig *r = new_rig(NULL);

	announce(r, "02:00:5e:00:53:01", "2001:db8:1::10", 0x20, T0);
	announce(r, "02:00:5e:00:53:02", "2001:db8:1::10", 0x20, T0 + 600 * S);
	announce(r, "02:00:5e:00:53:03", "2001:db8:1::10", 0x20, T0 + 1200 * S);
	assert_int_equal(count_anomalies(r), 0);
	announce(r, "02:00:5e:00:53:04", "2001:db8:1::10", 0x20, T0 + 1800 * S);
	assert_finding(the_anomaly(r), UT, "random_mac", "info");
	assert_string_equal(the_anomaly(r)->subject[0].text, "2001:db8:1::10");
	assert_int_equal(fact_value(the_anomaly(r), "mac_changes"), 3);
	ics_engine_tick(r->engine, T0 + 1800 * S + HOUR - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 1800 * S + HOUR);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* Slower, or between MACs that somebody was given. */
	r = new_rig(NULL);
	for (unsigned i = 0; i < 10; i++) {
		char mac[32];

		snprintf(mac, sizeof(mac), "02:00:5e:00:53:%02x", i);
		announce(r, mac, "2001:db8:1::10", 0x20, T0 + i * 1900 * S);
		announce(r, i % 2 ? MAC_X : MAC_H, "2001:db8:1::11", 0x20, T0 + i * 1900 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* A flood of invented sources: the table is bounded, and it is one finding. */
static void
flood(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(addr, sizeof(addr), "2001:db8:1:0:8a3f:5b71:%x:%x", 1 + i / 200, 1 + i % 200);
		send_data(r, MAC_X, addr, T0 + S + i * MS);
	}
	ics_engine_tick(r->engine, T0 + 200 * S);
	assert_finding(the_anomaly(r), UT, "no_nd", "warn");
	assert_in_range(fact_value(the_anomaly(r), "sources_most"), 60, 64);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_without_nd), cmocka_unit_test(data_by_the_sampler),
		cmocka_unit_test(data_with_nd),    cmocka_unit_test(small_share),
		cmocka_unit_test(made_up_macs),    cmocka_unit_test(flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
