/* l2_loop, l2_mac_move and tap_duplicate_feed in fake time, and what is easily taken for one another: a loop, network cards
 * in trouble, a mirror that delivers twice, one after the other and at the same time.
 */
#include "test_repeat.h"

#define LOOP "l2_loop"
#define ST "mld_report_storm"
#define MOVE "l2_mac_move"
#define FEED "tap_duplicate_feed"

/* Copies of each of n frames in turn, as a loop brings them. */
static uint64_t
circle(struct rig *r, const struct packet *p, unsigned n, unsigned copies, uint64_t gap_ns, uint64_t ts)
{
	for (unsigned i = 0; i < copies; i++) {
		for (unsigned k = 0; k < n; k++)
			feed(r, &p[k], ts + k * 1000);
		ts += gap_ns;
		pass(r, ts);
	}
	return ts;
}

static void
three_stations(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p[3] = {ns_by(0x20, 1), report_of(0x21, 2), ns_by(0x22, 3)};
		const struct ics_anomaly *a;

		circle(r, p, 3, 50, 4 * MS, T0);
		a = the_only(r, LOOP);
		assert_finding(a, LOOP, "copies", "critical");
		/* It says by what, for a loop of ARP is not seen. */
		assert_non_null(strstr(detector(r, LOOP)->text, "ND, MLD and MRD alone, not by ARP"));
		assert_int_equal(fact_value(a, "macs"), 3);
		assert_int_equal(fact_value(a, "frames"), 3);
		assert_non_null(strstr(fact_text(a, "first_macs"), "00:00:5e:00:53:20"));
		assert_string_equal(fact_text(a, "ports"), "0");
		assert_string_equal(fact_text(a, "vlans"), "untagged");
		assert_silent(r, ST);
		/* For half a minute nothing repeats. */
		pass(r, T0 + 29 * S);
		assert_int_equal(the_only(r, LOOP)->state, ICS_ANOMALY_OPEN);
		pass(r, T0 + 32 * S);
		a = the_only(r, LOOP);
		assert_int_equal(a->state, ICS_ANOMALY_CLEARED);
		assert_int_equal(fact_value(a, "copies"), 150);
		assert_int_equal(count_anomalies(r), 1);
		repeat_free(r);
	}
}

/* The loop goes through two VLANs and two ports of the tap: one finding that names them, and quiet at both. */
static void
through_two_places(void **state)
{
	struct rig *r = repeat_rig(NULL, false);
	struct packet p[4] = {ns_by(0x20, 1), report_of(0x21, 2), ns_by(0x22, 3), ns_by(0x23, 4)};

	for (unsigned i = 0; i < 400; i++) {
		r->in.port = (uint8_t)(i % 2);
		feed(r, &p[i / 2 % 4], T0 + i * MS);
	}
	assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
	assert_string_equal(fact_text(the_only(r, LOOP), "ports"), "0,1");
	assert_silent(r, ST);
	pass(r, T0 + 40 * S);
	assert_int_equal(the_only(r, LOOP)->state, ICS_ANOMALY_CLEARED);
	repeat_free(r);
}

/* Reports alone, and nobody else is there to tell; then where others are heard it takes a moment. */
static void
of_reports_alone(void **state)
{
	struct rig *r = repeat_rig(NULL, true);
	struct packet p[3] = {report_of(0x20, 1), report_of(0x21, 2), report_of(0x22, 3)};

	circle(r, p, 3, 50, 4 * MS, T0);
	assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
	assert_silent(r, ST);
	repeat_free(r);

	r = repeat_rig(NULL, true);
	others(r, 0x40, 20, 200 * MS, T0);
	circle(r, p, 3, 500, 4 * MS, T0 + 6 * S);
	assert_silent(r, LOOP);
	circle(r, p, 3, 250, 4 * MS, T0 + 8 * S);
	assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
	assert_int_equal(open_count(r, ST), 0);
	repeat_free(r);
}

/* Two stations are all there is: a loop when it goes on, and until then nobody is blamed. */
static void
two_stations(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig("detect.learn_s=0", folded);
		struct packet p[2] = {ns_by(0x20, 1), report_of(0x21, 2)};
		uint64_t ts = circle(r, p, 2, 150, 10 * MS, T0);

		assert_silent(r, LOOP);
		assert_int_equal(open_count(r, "nd_flood"), 0);
		circle(r, p, 2, 150, 10 * MS, ts);
		assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
		assert_int_equal(open_count(r, "nd_flood"), 0);
		assert_int_equal(open_count(r, ST), 0);
		repeat_free(r);
	}
}

/* What hosts say twice by themselves does not keep it open. */
static void
ordinary_life_after_a_loop(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p[3] = {ns_by(0x20, 1), report_of(0x21, 2), ns_by(0x22, 3)};
		uint64_t ts = circle(r, p, 3, 50, 4 * MS, T0);

		pass(r, ts + 200 * MS);
		for (unsigned i = 0; i < 20; i++) {
			struct packet change = report_of(0x30 + i, 0x100 + i);

			repeat(r, &change, 2, 400 * MS, ts + (2 + 2 * i) * S);
		}
		assert_int_equal(the_only(r, LOOP)->state, ICS_ANOMALY_CLEARED);
		assert_int_equal(fact_value(the_only(r, LOOP), "copies"), 150);
		assert_int_equal(fact_value(the_only(r, LOOP), "macs"), 3);
		repeat_free(r);
	}
}

static void
storms_are_no_loop(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p[3] = {report_of(0x20, 1), report_of(0x21, 2), report_of(0x22, 3)};
		uint64_t ts = T0;

		/* One. */
		others(r, 0x40, 20, 50 * MS, ts);
		ts = repeat(r, &p[0], 3000, MS, ts + 2 * S);
		assert_silent(r, LOOP);
		assert_int_equal(open_count(r, ST), 1);
		/* Three at once, while others go about their business. */
		for (unsigned i = 0; i < 100; i++) {
			others(r, 0x40, 3, 10 * MS, ts);
			ts = circle(r, p, 3, 100, MS, ts);
		}
		pass(r, ts);
		assert_silent(r, LOOP);
		assert_int_equal(open_count(r, ST), 3);
		repeat_free(r);
	}
}

/* Three machines storm, then the bridges loop, then the loop is over and the storms are not. */
static void
storms_and_then_a_loop(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p[7] = {report_of(0x20, 1), report_of(0x21, 2), report_of(0x22, 3), ns_by(0x30, 4),
				      ns_by(0x31, 5),     ns_by(0x32, 6),     report_of(0x33, 7)};
		uint64_t ts = T0;
		unsigned n;

		for (unsigned i = 0; i < 50; i++) {
			others(r, 0x40, 3, 10 * MS, ts);
			ts = circle(r, p, 3, 100, MS, ts);
		}
		assert_silent(r, LOOP);
		ts = circle(r, p, 7, 1000, MS, ts);
		assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
		/* Those of the loop are not named as storms. */
		found(r, ST, &n);
		assert_int_equal(n, 3);
		for (unsigned i = 0; i < 350; i++) {
			others(r, 0x40, 3, 10 * MS, ts);
			ts = circle(r, p, 3, 100, MS, ts);
		}
		assert_int_equal(the_only(r, LOOP)->state, ICS_ANOMALY_CLEARED);
		assert_int_equal(open_count(r, ST), 3);
		found(r, ST, &n);
		assert_int_equal(n, 3);
		repeat_free(r);
	}
}

/* One report alone came first, so that it looked like a storm: taken back when the others follow. */
static void
storm_is_taken_back(void **state)
{
	struct rig *r = repeat_rig(NULL, true);
	struct packet p[4] = {report_of(0x20, 1), ns_by(0x30, 4), ns_by(0x31, 5), ns_by(0x32, 6)};
	uint64_t ts = circle(r, p, 1, 500, MS, T0);

	assert_int_equal(open_count(r, ST), 1);
	ts = circle(r, p, 4, 500, MS, ts);
	assert_int_equal(open_count(r, LOOP), 1);
	assert_int_equal(open_count(r, ST), 0);
	assert_string_equal(fact_text(found(r, ST, NULL), "attributed_to"), LOOP);
	assert_finding(found(r, ST, NULL), ST, "identical", "info");
	assert_non_null(strstr(found(r, ST, NULL)->says, "Nothing is wrong with this machine"));
	repeat_free(r);
}

/* A redundant ring that heals within 100 ms. */
static void
transients(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p[4] = {ns_by(0x20, 1), ns_by(0x21, 2), ns_by(0x22, 3), ns_by(0x23, 4)};

		circle(r, p, 4, 90, MS, T0);
		pass(r, T0 + 5 * S);
		assert_silent(r, LOOP);
		repeat_free(r);
	}
}

/* An access point sends each multicast to its stations one by one: other MACs, so other frames. */
static void
multicast_to_unicast(void **state)
{
	struct rig *r = repeat_rig(NULL, true);
	uint64_t ts = T0;

	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k < 4; k++) {
			struct packet p = ns_by(0x20 + k, k);
			char mac[ICS_MAC_STRLEN];

			snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", 0x60 + i);
			for (unsigned b = 0; b < 6; b++)
				p.b[b] = (uint8_t)(b == 5 ? 0x60 + i : p.b[6 + b]);
			feed(r, &p, ts);
		}
		pass(r, ts += 5 * MS);
	}
	assert_silent(r, LOOP);
	repeat_free(r);
}

/* A probe that comes back with its nonce; not one that is sent twice, nor one that a mirror doubles. */
static void
looped_probe(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p = dad_of(MAC_H, "fe80::10", "a1a2a3a4a5a6");

		repeat(r, &p, 2, S, T0);
		repeat(r, &p, 3, MS, T0 + 10 * S);
		pass(r, T0 + 20 * S);
		assert_silent(r, LOOP);
		repeat(r, &p, 6, 60 * MS, T0 + 30 * S);
		pass(r, T0 + 32 * S);
		assert_finding(the_only(r, LOOP), LOOP, "looped_probe", "critical");
		assert_silent(r, "dad_conflict");
		repeat_free(r);
	}
}

/* Frames double from slot to slot. */
static void
amplified(void **state)
{
	struct rig *r = repeat_rig(NULL, false);
	struct packet p[3] = {ns_by(0x20, 1), ns_by(0x21, 2), ns_by(0x22, 3)};
	uint64_t ts = T0 / (100 * MS) * (100 * MS);

	for (unsigned copies = 3; copies <= 96; copies *= 2, ts += 100 * MS)
		circle(r, p, 3, copies, 95 * MS / copies, ts);
	assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
	assert_non_null(strstr(fact_text(the_only(r, LOOP), "variants"), "amplify"));
	assert_int_equal(fact_value(the_only(r, LOOP), "doubling_time"), 100);
	repeat_free(r);
}

/* One frame of hundreds a second, and two others that are not as quick, where there used to be little. */
static void
one_frame(void **state)
{
	struct rig *r = repeat_rig(NULL, true);
	struct packet p[3] = {ns_by(0x20, 1), ns_by(0x21, 2), ns_by(0x22, 3)};
	uint64_t ts = T0;

	others(r, 0x40, 50, 500 * MS, ts);
	ts += 30 * S;
	for (unsigned i = 0; i < 1000; i++, ts += MS) {
		feed(r, &p[0], ts);
		if (i % 70 == 0)
			feed(r, &p[1], ts);
		others(r, 0x50, i % 5 == 0, 0, ts);
		if (i % 10 == 0)
			pass(r, ts);
	}
	assert_finding(the_only(r, LOOP), LOOP, "frame_rate", "critical");
	repeat_free(r);
}

/* What else looks for floods and conflicts has nothing to say while bridges loop. */
static void
others_are_quiet(void **state)
{
	struct rig *r = repeat_rig("detect.learn_s=0", true);
	struct packet p[6] = {ns_by(0x20, 1),
			      base_packet(BASE_ra),
			      dad_of(MAC_H, "fe80::10", "a1a2a3a4a5a6"),
			      na_of(MAC_H, ADDR_H, NULL, ADDR_H, MAC_H, NA_OVERRIDE),
			      na_of(MAC_B, ADDR_B, NULL, ADDR_B, MAC_B, NA_OVERRIDE),
			      base_packet(BASE_rs)};

	circle(r, p, 6, 5000, MS, T0);
	assert_int_equal(open_count(r, LOOP), 1);
	assert_int_equal(count_anomalies(r), 1);
	repeat_free(r);
}

/* ---- the mirror ---- */

static uint64_t
doubled(struct rig *r, unsigned k, unsigned frames, uint64_t step_ns, uint64_t ts)
{
	for (unsigned i = 0; i < frames; i++, ts += step_ns) {
		struct packet ns = ns_by(0x20 + i % 5, 0x100 + i % 0xf000);

		for (unsigned c = 0; c < k; c++)
			feed(r, &ns, ts + c * 300000);
		pass(r, ts + step_ns / 2);
	}
	return ts;
}

static void
mirror(void **state)
{
	for (unsigned k = 2; k <= 4; k++)
		for (unsigned folded = 0; folded < 2; folded++) {
			struct rig *r = repeat_rig(NULL, folded);
			const struct ics_anomaly *a;
			uint64_t ts = doubled(r, k, 50, S, T0);

			assert_silent(r, FEED);
			ts = doubled(r, k, 50, S, ts);
			a = the_only(r, FEED);
			assert_finding(a, FEED, "duplicate", "info");
			assert_int_equal(fact_value(a, "factor"), k);
			assert_in_range(fact_value(a, "share_percent"), 99, 100);
			assert_non_null(strstr(fact_text(a, "gaps"), "<0.5 ms 100 %"));
			/* Repaired. */
			doubled(r, 1, 200, S, ts);
			assert_int_equal(the_only(r, FEED)->state, ICS_ANOMALY_CLEARED);
			assert_int_equal(ics_model_feed_factor(ics_engine_model(r->engine), 0), 1);
			assert_int_equal(count_anomalies(r), 1);
			repeat_free(r);
		}
}

static void
few_duplicates(void **state)
{
	struct rig *r = repeat_rig(NULL, true);
	uint64_t ts = T0;

	for (unsigned i = 0; i < 5; i++) {
		ts = doubled(r, 1, 99, S / 2, ts);
		ts = doubled(r, 2, 1, S / 2, ts);
	}
	assert_int_equal(count_anomalies(r), 0);
	repeat_free(r);
}

/* A machine that sends everything twice is no mirror. */
static void
one_stutters(void **state)
{
	struct rig *r = repeat_rig(NULL, true);

	for (unsigned i = 0; i < 150; i++) {
		struct packet ns = ns_by(0x20, i);

		feed(r, &ns, T0 + i * S);
		feed(r, &ns, T0 + i * S + 300000);
		pass(r, T0 + i * S + S / 2);
	}
	assert_silent(r, FEED);
	repeat_free(r);
}

/* A storm and a loop behind a mirror that delivers twice: named as such, and counted right. */
static void
behind_a_mirror(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p[3] = {report_of(0x60, 1), ns_by(0x61, 2), ns_by(0x62, 3)};
		uint64_t ts = doubled(r, 2, 90, S, T0);

		assert_int_equal(open_count(r, FEED), 1);
		/* Seven copies are fourteen frames. */
		for (unsigned i = 0; i < 7; i++)
			repeat(r, &p[0], 2, 300000, ts + i * 100 * MS);
		ts = doubled(r, 2, 5, S, ts + 2 * S);
		assert_silent(r, ST);
		for (unsigned i = 0; i < 30; i++) {
			repeat(r, &p[0], 2, 300000, ts + i * 30 * MS);
			pass(r, ts + i * 30 * MS + 10 * MS);
		}
		ts = doubled(r, 2, 5, S, ts + 2 * S);
		assert_finding(the_only(r, ST), ST, "identical", "warn");
		assert_int_equal(fact_value(the_only(r, ST), "copies"), 30);
		assert_silent(r, LOOP);
		for (unsigned i = 0; i < 100; i++)
			for (unsigned k = 0; k < 3; k++) {
				repeat(r, &p[k], 2, 300000, ts + i * 10 * MS + k * MS);
				pass(r, ts + i * 10 * MS + k * MS);
			}
		assert_finding(the_only(r, LOOP), LOOP, "copies", "critical");
		assert_int_equal(open_count(r, FEED), 1);
		repeat_free(r);
	}
}

/* ---- places ---- */

static void
at(struct rig *r, unsigned port, const struct packet *p, uint64_t ts)
{
	r->in.port = (uint8_t)port;
	feed(r, p, ts);
}

static void
mac_moves(void **state)
{
	struct rig *r = repeat_rig(NULL, false);
	const struct ics_anomaly *a;

	for (unsigned i = 0; i < 2; i++) {
		struct packet p = ns_by(0x20, i);

		at(r, 1 + i, &p, T0 + i * 500 * MS);
	}
	assert_silent(r, MOVE);
	for (unsigned i = 2; i < 7; i++) {
		struct packet p = ns_by(0x20, i);

		at(r, 1 + i % 2, &p, T0 + i * 500 * MS);
	}
	a = the_only(r, MOVE);
	assert_finding(a, MOVE, "move", "warn");
	assert_string_equal(a->subject[0].text, "00:00:5e:00:53:20");
	assert_string_equal(fact_text(a, "places"), "port 1, port 2");
	assert_in_range(fact_value(a, "moves"), 5, 6); /* the first place counts once there is another */
	pass(r, T0 + 62 * S);
	assert_int_equal(the_only(r, MOVE)->state, ICS_ANOMALY_OPEN);
	pass(r, T0 + 64 * S);
	assert_int_equal(the_only(r, MOVE)->state, ICS_ANOMALY_CLEARED);
	repeat_free(r);

	/* In a loop it is critical. */
	r = repeat_rig(NULL, true);
	struct packet c[3] = {ns_by(0x20, 1), ns_by(0x21, 2), ns_by(0x22, 3)};

	circle(r, c, 3, 100, 4 * MS, T0);
	assert_int_equal(open_count(r, LOOP), 1);
	for (unsigned i = 0; i < 8; i++) {
		struct packet p = ns_by(0x20, 10 + i);

		at(r, i % 2, &p, T0 + S + i * 100 * MS);
	}
	assert_finding(the_only(r, MOVE), MOVE, "loop", "critical");
	repeat_free(r);
}

static void
what_is_no_move(void **state)
{
	struct rig *r = repeat_rig("detect.learn_s=0 detect.anycast_gw_macs=00:00:5e:00:53:30", false);

	/* One move, and gateways that share a MAC. */
	for (unsigned i = 0; i < 20; i++) {
		struct packet p = ns_by(0x20, i), q = ns_by(0x30, i);

		at(r, 1 + i / 10, &p, T0 + i * 500 * MS);
		at(r, 1 + i % 2, &q, T0 + i * 500 * MS);
	}
	/* The members of a bundle, mirrored one by one. */
	for (unsigned i = 0; i < 200; i++) {
		struct packet p = ns_by(0x40 + i % 10, i);

		at(r, 3 + ics_hash_mix(3, i) % 2, &p, T0 + i * 50 * MS);
	}
	/* Two mirrors of one link, either of which may be first. */
	for (unsigned i = 0; i < 60; i++) {
		struct packet p = ns_by(0x50, i);
		unsigned first = ics_hash_mix(5, i) % 2;

		at(r, 5 + first, &p, T0 + i * 500 * MS);
		at(r, 6 - first, &p, T0 + i * 500 * MS + 100000);
	}
	/* One MAC in several VLANs, and in each with frames of its own. */
	r->in.port = 7;
	for (unsigned i = 0; i < 40; i++) {
		struct packet p = ns_by(0x60, i), tagged = p;

		memmove(tagged.b + 16, tagged.b + 12, tagged.len - 12);
		tagged.len += 4;
		tagged.b[12] = 0x81;
		tagged.b[13] = 0;
		tagged.b[14] = 0;
		tagged.b[15] = (uint8_t)(10 + i % 2);
		struct ics_frame f = {.data = tagged.b,
				      .cap_len = tagged.len,
				      .wire_len = tagged.len,
				      .stripped_tci = ICS_VLAN_NONE,
				      .link = ICS_LINK_ETHERNET};
		ics_inspect_burst(&r->in, &f, 1, T0 + i * 300 * MS);
	}
	assert_silent(r, MOVE);
	repeat_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_stations),
		cmocka_unit_test(through_two_places),
		cmocka_unit_test(of_reports_alone),
		cmocka_unit_test(two_stations),
		cmocka_unit_test(ordinary_life_after_a_loop),
		cmocka_unit_test(storms_are_no_loop),
		cmocka_unit_test(storms_and_then_a_loop),
		cmocka_unit_test(storm_is_taken_back),
		cmocka_unit_test(transients),
		cmocka_unit_test(multicast_to_unicast),
		cmocka_unit_test(looped_probe),
		cmocka_unit_test(amplified),
		cmocka_unit_test(one_frame),
		cmocka_unit_test(others_are_quiet),
		cmocka_unit_test(mirror),
		cmocka_unit_test(few_duplicates),
		cmocka_unit_test(one_stutters),
		cmocka_unit_test(behind_a_mirror),
		cmocka_unit_test(mac_moves),
		cmocka_unit_test(what_is_no_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
