/* host_addr_excess over sequences of frames in fake time. */
#include "test_host.h"

#define AE "host_addr_excess"

static struct rig *
new_rig(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = AE;
	return r;
}

static void
take_many(struct rig *r, const char *mac, unsigned from, unsigned to, uint64_t ts)
{
	char addr[64];

	for (unsigned i = from; i < to; i++)
		take_address(r, mac, random_address(1, i, addr), ts + i * 100 * MS);
}

static void
many_addresses(void **state)
{
	struct rig *r = new_rig(NULL);
	const struct ics_anomaly *a;

	feed_base(r, BASE_ra, T0);
	take_address(r, MAC_H, "fe80::10", T0);
	take_many(r, MAC_H, 0, 15, T0);
	assert_int_equal(count_anomalies(r), 0);
	take_many(r, MAC_H, 15, 39, T0);
	a = the_anomaly(r);
	assert_finding(a, AE, "many", "warn");
	assert_string_equal(a->subject[0].key, "mac");
	assert_string_equal(a->subject[0].text, MAC_H);
	assert_int_equal(fact_value(a, "addresses"), 40);
	assert_int_equal(fact_value(a, "limit"), 16);
	assert_int_equal(fact_value(a, "link_local"), 1);
	assert_int_equal(fact_value(a, "stable"), 1);
	assert_int_equal(fact_value(a, "temp"), 38);
	assert_int_equal(fact_value(a, "growth_per_day"), 40);
	assert_int_equal(fact_value(a, "mld_pps_predicted"), 4);
	assert_string_equal(fact_text(a, "per_prefix"), "2001:db8:1::/64 39, fe80::/64 1");
	assert_string_equal(fact_text(a, "address_8") + 0, "2001:db8:1:0:8a20:5b71:c2d4:9e1f");
	assert_int_equal(a->count, 24);

	take_many(r, MAC_H, 39, 99, T0);
	assert_finding(the_anomaly(r), AE, "many", "critical");
	take_many(r, MAC_H, 99, 319, T0);
	assert_finding(the_anomaly(r), AE, "broken_host", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 320);
	assert_int_equal(fact_value(the_anomaly(r), "mld_pps_predicted"), 32);
	assert_int_equal(detector(r, AE)->fired, 1);
	rig_free(r);
}

static void
usual_numbers(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	/* Ten on one prefix, spoken with again and again. */
	feed_base(r, BASE_ra, T0);
	for (unsigned k = 0; k < 5; k++)
		take_many(r, MAC_H, 0, 10, T0 + k * 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* With three prefixes there may be 31. */
	r = new_rig(NULL);
	for (unsigned i = 1; i <= 3; i++) {
		struct packet ra = base_packet(BASE_ra);

		set_hex(&ra, 44, "20010db8");
		set16(&ra, 44, (uint16_t)i);
		feed(r, &ra, T0 + i * 10 * S);
	}
	for (unsigned i = 0; i < 31; i++)
		take_address(r, MAC_H, random_address(1 + i % 3, i, addr), T0 + 60 * S + i * S);
	assert_int_equal(count_anomalies(r), 0);
	take_address(r, MAC_H, random_address(1, 31, addr), T0 + 100 * S);
	assert_finding(the_anomaly(r), AE, "many", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "limit"), 31);
	rig_free(r);
}

static void
routers_and_proxies(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	feed_base(r, BASE_ra, T0);
	take_many(r, MAC_R, 0, 500, T0 + S);
	assert_int_equal(count_anomalies(r), 0);
	assert_true(detector(r, AE)->suppressed > 0);
	take_many(r, MAC_VRRP, 0, 500, T0 + 100 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = new_rig("detect.proxies=" MAC_H);
	take_many(r, MAC_H, 0, 500, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* A bridge that speaks for others is named, and nobody is woken for it. */
	r = new_rig(NULL);
	for (unsigned i = 0; i < 40; i++) {
		struct packet p = base_packet(BASE_inc_na);

		set_smac(&p, MAC_H);
		set_src(&p, random_address(1, i, addr));
		set_addr(&p, 8, addr);
		set_dst(&p, "fe80::1");
		set8(&p, 4, 0x60);
		set8(&p, 30, 0x54);
		set8(&p, 31, (uint8_t)i);
		feed(r, &p, T0 + i * S);
	}
	assert_finding(the_anomaly(r), AE, "many", "info");
	assert_int_equal(fact_value(the_anomaly(r), "proxy_hint"), 1);
	rig_free(r);
}

static void
clears(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];
	uint64_t t;

	take_many(r, MAC_H, 0, 40, T0);
	/* Twelve are kept: 80 % of the limit are 12.8. */
	for (t = T0 + HOUR; t <= T0 + 23 * HOUR; t += HOUR)
		for (unsigned i = 0; i < 12; i++)
			take_address(r, MAC_H, random_address(1, i, addr), t + i * S);
	ics_engine_tick(r->engine, T0 + 24 * HOUR);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 25 * HOUR + 60 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 26 * HOUR + 60 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 12);
	assert_int_equal(fact_value(the_anomaly(r), "addresses_most"), 40);
	rig_free(r);

	r = new_rig("detect.mute=" AE "@" MAC_H);
	take_many(r, MAC_H, 0, 40, T0);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* Advertisements that nobody asked for prove nothing: a flood of them has its own voice. */
static void
mere_claims(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];

	for (unsigned i = 0; i < 400; i++)
		announce(r, MAC_H, random_address(1, i, addr), 0x20, T0 + i * MS);
	assert_int_equal(count_anomalies(r), 0);
	/* Once they are asked for and answered they are held. */
	for (unsigned i = 0; i < 17; i++)
		announce(r, MAC_H, random_address(1, i, addr), 0x60, T0 + 10 * S + i * S);
	assert_finding(the_anomaly(r), AE, "many", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 17);
	/* Somebody else takes one over by a claim: it is his no more, and not proven to be the other's. */
	announce(r, MAC_X, random_address(1, 0, addr), 0x20, T0 + 30 * S);
	announce(r, MAC_H, random_address(1, 17, addr), 0x60, T0 + 31 * S);
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 17);
	rig_free(r);
}

/* A phone comes back to the Wi-Fi every 20 minutes with an address that it did not have before: it holds two. */
static void
link_comes_and_goes(void **state)
{
	struct rig *r = new_rig(NULL);
	char addr[64];
	uint64_t t = T0;

	for (unsigned i = 0; i < 70; i++) {
		t = T0 + i * 1200 * S;
		take_address(r, MAC_H, "fe80::10", t);
		take_address(r, MAC_H, random_address(1, 0, addr), t + S);
		take_address(r, MAC_H, random_address(1, 1 + i, addr), t + 2 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	/* Now it goes wrong: what it has since its link came up counts, not what went before. */
	t += 2 * HOUR;
	take_address(r, MAC_H, "fe80::10", t);
	take_many(r, MAC_H, 200, 216, t + S);
	assert_finding(the_anomaly(r), AE, "many", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 17);
	assert_int_equal(fact_value(the_anomaly(r), "temp"), 16);
	for (unsigned i = 0; i < 9; i++)
		take_many(r, MAC_H, 216 + 32 * i, 248 + 32 * i, t + (600 + 600 * i) * S);
	assert_finding(the_anomaly(r), AE, "broken_host", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 305);
	/* The link comes up again without them. */
	t += 4 * HOUR;
	take_address(r, MAC_H, "fe80::10", t);
	ics_engine_tick(r->engine, t + HOUR);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 3 * HOUR);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Many hosts at once are one fault, told a few times. */
static void
is_capped(void **state)
{
	struct rig *r = new_rig(NULL);

	for (unsigned i = 0; i < 20; i++) {
		char mac[32];

		snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", 0xa0 + i);
		for (unsigned k = 0; k < 20; k++) {
			char addr[64];

			take_address(r, mac, random_address(0x100 + i, k, addr), T0 + i * S + k * MS);
		}
	}
	assert_int_equal(count_anomalies(r), 8);
	assert_true(detector(r, AE)->suppressed > 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_addresses),      cmocka_unit_test(usual_numbers),
		cmocka_unit_test(routers_and_proxies), cmocka_unit_test(clears),
		cmocka_unit_test(is_capped),           cmocka_unit_test(mere_claims),
		cmocka_unit_test(link_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
