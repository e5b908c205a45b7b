/* nd_flood over sequences of frames in fake time. */
#include "test_repeat.h"

#define NF "nd_flood"

static void
ns_at_rate(struct rig *r, const char *mac, unsigned per_s, unsigned seconds, uint64_t ts)
{
	for (unsigned i = 0; i < per_s * seconds; i++) {
		char target[40];

		snprintf(target, sizeof(target), "2001:db8:1::8:%x", i % 40);
		struct packet ns = ns_of(mac, "fe80::66", target, NULL);
		set8(&ns, 7, (uint8_t)i); /* reserved: no two are copies */
		feed(r, &ns, ts + i * S / per_s);
	}
}

static void
one_station(void **state)
{
	struct rig *r = nb_rig(NULL);

	ns_at_rate(r, MAC_X, 80, 4, T0);

	const struct ics_anomaly *a = the_only(r, NF);
	assert_finding(a, NF, "ns", "warn");
	assert_string_equal(a->subject[0].text, MAC_X);
	assert_in_range(fact_value(a, "peak_per_s"), 51, 80);
	assert_int_equal(fact_value(a, "limit"), 50);
	assert_int_equal(fact_value(a, "sources"), 1);
	ics_engine_tick(r->engine, T0 + 33 * S);
	assert_int_equal(the_only(r, NF)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 34 * S);
	assert_int_equal(the_only(r, NF)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	r = nb_rig(NULL);
	ns_at_rate(r, MAC_X, 600, 4, T0);
	assert_finding(the_only(r, NF), NF, "ns", "critical");
	rig_free(r);
}

/* Identical frames arrive folded, which hides none of them. */
static void
copies(void **state)
{
	struct rig *r = nb_rig(NULL);
	struct packet na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);

	r->in.fold = ics_fold_init(NULL);
	for (unsigned i = 0; i < 100 * 6; i++) {
		feed(r, &na, T0 + i * 10 * MS);
		ics_inspect_idle(&r->in, T0 + i * 10 * MS);
	}
	assert_finding(the_only(r, NF), NF, "na", "warn");
	assert_in_range(the_only(r, NF)->count, 250, 600);
	ics_fold_free(r->in.fold);
	rig_free(r);
}

static void
router_solicitations(void **state)
{
	struct rig *r = nb_rig(NULL);

	/* Ten a minute are no pattern yet. */
	for (unsigned i = 0; i < 10; i++)
		feed_base(r, BASE_rs, T0 + i * 5 * S);
	assert_silent(r, NF);
	feed_base(r, BASE_rs, T0 + 55 * S);
	assert_finding(the_only(r, NF), NF, "rs_repeated", "warn");
	rig_free(r);

	r = nb_rig(NULL);
	for (unsigned i = 0; i < 12; i++)
		feed_base(r, BASE_rs, T0 + i * 8 * S);
	assert_silent(r, NF);
	rig_free(r);
}

/* A loop of bridges got hold of one solicitation, then of another frame too: its sender did not send the copies. */
static void
copies_of_a_loop(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet rs = base_packet(BASE_rs), ns = ns_by(0x20, 1);
		uint64_t ts = T0;

		/* Alone for less than a second, then again, with somebody else's at the end. */
		others(r, 0x30, 3, 50 * MS, ts);
		ts = repeat(r, &rs, 73, 10 * MS, ts + 2 * S);
		pass(r, ts + 2 * S);
		ts = repeat(r, &rs, 100, 10 * MS, ts + 5 * S);
		assert_silent(r, NF);
		for (unsigned i = 0; i < 300; i++, ts += 10 * MS) {
			feed(r, &rs, ts);
			feed(r, &ns, ts + MS);
			pass(r, ts);
		}
		pass(r, ts + S);
		assert_int_equal(open_count(r, "l2_loop"), 1);
		assert_silent(r, NF);
		repeat_free(r);
	}
}

/* Two hundred copies within two seconds are no two hundred solicitations, whoever makes them. */
static void
a_short_burst_of_copies(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet rs = base_packet(BASE_rs);
		uint64_t ts = T0;

		for (unsigned i = 0; i < 20; i++) {
			others(r, 0x30, 1, 0, ts);
			ts = repeat(r, &rs, 10, 10 * MS, ts);
		}
		pass(r, ts + 2 * S);
		assert_silent(r, NF);
		repeat_free(r);
	}
}

/* One that solicits again and again, while what others say comes once, or is not there at all. */
static void
solicitations_of_its_own(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet rs = base_packet(BASE_rs);
		uint64_t ts = T0;

		for (unsigned i = 0; i < 8; i++) {
			ts = repeat(r, &rs, 10, 100 * MS, ts);
			others(r, 0x30, 3, 10 * MS, ts);
		}
		pass(r, ts + S);
		assert_finding(the_only(r, NF), NF, "rs", "warn");
		assert_in_range(fact_value(the_only(r, NF), "peak_per_s"), 6, 10);
		repeat_free(r);

		/* Two a second are copies of none. */
		r = repeat_rig(NULL, folded);
		ts = repeat(r, &rs, 30, 500 * MS, T0);
		pass(r, ts + 2 * S);
		assert_finding(the_only(r, NF), NF, "rs_repeated", "warn");
		assert_in_range(fact_value(the_only(r, NF), "per_minute"), 11, 16);
		repeat_free(r);

		/* Nobody else is there. */
		r = repeat_rig(NULL, folded);
		ts = repeat(r, &rs, 40, 100 * MS, T0);
		pass(r, ts + S);
		assert_finding(the_only(r, NF), NF, "rs", "warn");
		repeat_free(r);
	}
}

static void
what_is_normal(void **state)
{
	struct rig *r = nb_rig(NULL);

	/* A router resolves for many hosts; a burst is over in a second. */
	feed_base(r, BASE_ra, T0);
	ns_at_rate(r, MAC_R, 300, 5, T0 + S);
	ns_at_rate(r, MAC_X, 60, 1, T0 + 10 * S);
	assert_silent(r, NF);
	rig_free(r);
}

static void
invented(struct rig *r, unsigned n, uint64_t ts)
{
	for (unsigned i = 0; i < n; i++) {
		char mac[ICS_MAC_STRLEN], addr[40];

		snprintf(mac, sizeof(mac), "02:00:00:03:%02x:%02x", i >> 8 & 0xff, i & 0xff);
		snprintf(addr, sizeof(addr), "fe80::3:%x", i);
		struct packet na = na_of(mac, addr, NULL, addr, mac, NA_OVERRIDE);
		feed(r, &na, ts + i * 100000);
	}
}

/* A stream of invented stations is one finding of the segment, and none of its stations. */
static void
invented_stations(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");

	invented(r, 1500, T0);
	assert_finding(the_anomaly(r), NF, "invented", "warn");
	assert_string_equal(the_anomaly(r)->subject[0].text, "segment");
	assert_in_range(fact_value(the_anomaly(r), "macs"), 1050, 1550);
	/* The same ones later are known. */
	invented(r, 1500, T0 + 3600 * S);
	assert_int_equal(count_anomalies(r), 1);
	rig_free(r);

	/* While the tap learns who is there, everybody is new. */
	r = nb_rig(NULL);
	invented(r, 2000, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* A hundred hosts that start at once probe for their addresses first. */
	r = nb_rig("detect.learn_s=0");
	for (unsigned i = 0; i < 400; i++) {
		char mac[ICS_MAC_STRLEN], addr[40];

		snprintf(mac, sizeof(mac), "02:00:00:04:%02x:%02x", i >> 8, i & 0xff);
		snprintf(addr, sizeof(addr), "fe80::4:%x", i);
		struct packet dad = dad_of(mac, addr, NULL), ns = ns_of(mac, addr, "fe80::1", NULL);
		feed(r, &dad, T0 + i * MS);
		feed(r, &ns, T0 + 1500 * MS + i * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
whole_segment(void **state)
{
	struct rig *r = nb_rig(NULL);

	for (unsigned i = 0; i < 5500 * 4; i++) {
		char mac[ICS_MAC_STRLEN], addr[40];

		snprintf(mac, sizeof(mac), "02:00:00:03:%02x:%02x", i % 2000 >> 8, i % 2000 & 0xff);
		snprintf(addr, sizeof(addr), "fe80::3:%x", i % 2000);
		struct packet ns = ns_of(mac, addr, "fe80::1", NULL);
		set8(&ns, 7, (uint8_t)(i / 2000));
		feed(r, &ns, T0 + i * (S / 5500));
	}
	assert_finding(the_only(r, NF), NF, "segment", "warn");
	rig_free(r);
}

/* Floods are floods whether or not their checksums are right. */
static void
invalid_messages_count(void **state)
{
	struct rig *r = nb_rig(NULL);

	for (unsigned i = 0; i < 80 * 4; i++) {
		struct packet ns = ns_of(MAC_X, "fe80::66", "2001:db8:1::9", NULL);

		set8(&ns, 7, (uint8_t)i);
		repair(&ns);
		ns.b[ns.l4 + 2] ^= 1;
		feed(r, &ns, T0 + i * S / 80);
	}
	assert_finding(the_only(r, NF), NF, "ns", "warn");
	rig_free(r);
}

/* A station that many others ask answers as often: it is the victim. Unasked answers are its own doing. */
static void
who_is_asked(void **state)
{
	for (unsigned asked = 0; asked < 2; asked++) {
		struct rig *r = nb_rig(NULL);

		for (unsigned i = 0; i < 80 * 4; i++) {
			struct packet na = na_of(MAC_B, ADDR_B, "fe80::66", ADDR_B, MAC_B, NA_SOLICITED);
			char mac[32];

			/* Forty stations, two a second each. */
			snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x", i % 40);
			struct packet ns = ns_of(mac, "fe80::66", ADDR_B, NULL);
			set8(&ns, 7, (uint8_t)i);
			set8(&na, 7, (uint8_t)i);
			if (asked)
				feed(r, &ns, T0 + i * S / 80);
			feed(r, &na, T0 + i * S / 80 + MS);
		}
		assert_finding(the_only(r, NF), NF, asked ? "asked" : "na", "warn");
		assert_string_equal(the_only(r, NF)->subject[0].text, MAC_B);
		if (asked)
			assert_non_null(strstr(the_only(r, NF)->says, "is made to answer"));
		rig_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_station),
		cmocka_unit_test(copies),
		cmocka_unit_test(router_solicitations),
		cmocka_unit_test(copies_of_a_loop),
		cmocka_unit_test(a_short_burst_of_copies),
		cmocka_unit_test(solicitations_of_its_own),
		cmocka_unit_test(what_is_normal),
		cmocka_unit_test(invented_stations),
		cmocka_unit_test(whole_segment),
		cmocka_unit_test(invalid_messages_count),
		cmocka_unit_test(who_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
