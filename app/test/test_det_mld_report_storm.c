/* mld_report_storm over sequences of frames in fake time, each as a capture and as live traffic has it. */
#include "test_repeat.h"

#define ST "mld_report_storm"

static void
identical(bool folded)
{
	struct rig *r = repeat_rig(NULL, folded);
	struct packet p = base_packet(BASE_report2), other;
	const struct ics_anomaly *a;
	uint64_t ts;

	/* Named with its tenth copy. */
	ts = repeat(r, &p, 9, 3 * MS, T0);
	assert_silent(r, ST);
	ts = repeat(r, &p, 1, 3 * MS, ts);
	a = the_only(r, ST);
	assert_finding(a, ST, "identical", "warn");
	assert_string_equal(a->subject[0].text, MAC_H);
	ts = repeat(r, &p, 290, 3 * MS, ts);
	pass(r, T0 + 2 * S);
	a = the_only(r, ST);
	assert_finding(a, ST, "identical", "critical");
	assert_string_equal(fact_text(a, "group"), "ff02::1:ff00:10");
	assert_string_equal(fact_text(a, "src"), "fe80::10");
	assert_int_equal(fact_value(a, "copies"), 300);
	assert_in_range(a->count, 291, 300); /* nine came before it was one */
	assert_int_equal(fact_value(a, "min_gap_us"), 3000);
	assert_int_equal(fact_value(a, "segment_share_percent"), 100);
	assert_in_range(fact_value(a, "peak_per_s"), 100, 334);
	assert_in_range(fact_value(a, "duration"), 890, 900);
	assert_string_equal(fact_text(a, "sleeping"), "not assessed");
	assert_non_null(strstr(a->says, "repeats one MLD report"));
	assert_silent(r, "l2_loop");
	/* Its ordinary reports are no part of it. */
	other = report_of(0x10, 0xfb);
	repeat(r, &other, 2, 400 * MS, T0 + 30 * S);
	assert_int_equal(fact_value(the_only(r, ST), "copies"), 300);
	assert_in_range(fact_value(the_only(r, ST), "duration"), 890, 900);
	assert_string_equal(fact_text(the_only(r, ST), "group"), "ff02::1:ff00:10");
	/* Over after a minute of quiet, once. */
	pass(r, T0 + 60 * S);
	assert_int_equal(the_only(r, ST)->state, ICS_ANOMALY_OPEN);
	pass(r, T0 + 62 * S);
	assert_int_equal(the_only(r, ST)->state, ICS_ANOMALY_CLEARED);
	/* It comes back within ten minutes: a finding that lasts. */
	repeat(r, &p, 20, 3 * MS, T0 + 120 * S);
	pass(r, T0 + 700 * S);
	a = nth_anomaly(r, 2);
	assert_finding(a, ST, "identical", "warn");
	assert_int_equal(a->state, ICS_ANOMALY_OPEN);
	assert_int_equal(fact_value(a, "again"), 1);
	pass(r, T0 + 722 * S);
	assert_int_equal(nth_anomaly(r, 2)->state, ICS_ANOMALY_CLEARED);
	repeat_free(r);
}

static void
one_report_again_and_again(void **state)
{
	identical(false);
	identical(true);
}

/* 30 a second are below 100 a second, and 300 in ten of them. */
static void
slow_and_steady(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		struct packet p = base_packet(BASE_report1);
		uint64_t ts = repeat(r, &p, 60, S / 40, T0);

		assert_finding(the_only(r, ST), ST, "identical", "warn");
		repeat(r, &p, 360, S / 40, ts);
		assert_finding(the_only(r, ST), ST, "identical", "critical");
		repeat_free(r);
	}
}

static void
data_of(struct rig *r, const char *mac, const char *addr, uint64_t ts)
{
	struct ics_record rec = {
		.ts_ns = ts,
		.vlan_outer = ICS_VLAN_NONE,
		.vlan_inner = ICS_VLAN_NONE,
		.class = ICS_CLASS_ip6_other,
		.l3_off = 14,
		.encap = ICS_LINK_ETHERNET << 5,
	};
	struct packet p = base_packet(BASE_report2);

	set_smac(&p, mac);
	set_src(&p, addr);
	rec.cap_len = (uint16_t)p.len;
	ics_engine_feed(r->engine, &rec, (struct ics_view){p.b, p.len}, 0);
}

static void
asleep(void **state)
{
	struct packet p = base_packet(BASE_report2);
	struct rig *r = repeat_rig(NULL, false);
	const struct ics_anomaly *a;

	data_of(r, MAC_H, "2001:db8:1::10", T0);
	feed_base(r, BASE_ns, T0 + 40 * S); /* ND is what the card answers by itself */
	data_of(r, MAC_B, "2001:db8:1::11", T0 + 50 * S);
	repeat(r, &p, 300, 3 * MS, T0 + 61 * S);
	a = the_only(r, ST);
	assert_finding(a, ST, "sleeping", "critical");
	assert_string_equal(fact_text(a, "sleeping"), "yes");
	assert_in_range(fact_value(a, "silent_for"), 61000, 62000);
	assert_non_null(strstr(a->says, "while it sleeps"));
	repeat_free(r);

	r = repeat_rig(NULL, false);
	data_of(r, MAC_H, "2001:db8:1::10", T0);
	data_of(r, MAC_H, "2001:db8:1::10", T0 + 30 * S);
	repeat(r, &p, 300, 3 * MS, T0 + 61 * S);
	a = the_only(r, ST);
	assert_finding(a, ST, "identical", "critical");
	assert_string_equal(fact_text(a, "sleeping"), "no");
	repeat_free(r);

	/* Its card was never heard with data, and others were for long enough. */
	r = repeat_rig(NULL, true);
	data_of(r, MAC_B, "2001:db8:1::11", T0);
	repeat(r, &p, 300, 3 * MS, T0 + 61 * S);
	assert_finding(the_only(r, ST), ST, "sleeping", "critical");
	repeat_free(r);
}

static void
what_is_normal(void **state)
{
	struct packet p = base_packet(BASE_report2);

	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig("detect.learn_s=0", folded);

		repeat(r, &p, 2, S, T0);
		repeat(r, &p, 7, S, T0 + 10 * S);
		repeat(r, &p, 7, 100 * MS, T0 + 30 * S); /* robustness 7, and in a hurry */
		pass(r, T0 + 40 * S);
		assert_int_equal(count_anomalies(r), 0);
		repeat_free(r);
	}
}

/* Two reports within a second through a mirror that delivers each frame four times. */
static void
duplicate_feed(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig("detect.learn_s=0", folded);
		uint64_t ts = T0;

		for (unsigned i = 0; i < 40; i++, ts += S) {
			struct packet ns = ns_by(0x20 + i % 5, 0x100 + i);

			repeat(r, &ns, 4, MS / 10, ts);
			pass(r, ts + S / 2);
		}
		for (unsigned i = 0; i < 30; i++, ts += 10 * S) {
			struct packet p = report_of(0x30 + i, 0x10 + i);

			for (unsigned k = 0; k < 4; k++)
				repeat(r, &p, 4, MS / 10, ts + k * 200 * MS);
			pass(r, ts + 2 * S);
		}
		assert_silent(r, ST);
		assert_silent(r, "l2_loop");
		/* The factor does not hide a storm. */
		struct packet p = report_of(0x60, 0x77);

		for (unsigned k = 0; k < 50; k++)
			repeat(r, &p, 4, MS / 10, ts + k * 20 * MS);
		pass(r, ts + 2 * S);
		assert_finding(the_only(r, ST), ST, "identical", "warn");
		assert_int_equal(fact_value(the_only(r, ST), "feed_factor"), 4);
		assert_int_equal(fact_value(the_only(r, ST), "copies"), 50);
		repeat_free(r);
	}
}

/* Different reports at a rate: of a host without a query; not of one that answers, nor of one that speaks for many. */
static void
rate(void **state)
{
	struct rig *r = repeat_rig(NULL, false);

	for (unsigned i = 0; i < 80 * 4; i++) {
		struct packet p = report_of(0x40, 0x100 + i);

		feed(r, &p, T0 + i * S / 80);
	}
	assert_finding(the_only(r, ST), ST, "rate", "warn");
	assert_in_range(fact_value(the_only(r, ST), "peak_per_s"), 51, 80);
	assert_int_equal(fact_value(the_only(r, ST), "limit"), 50);
	/* For no group in particular. */
	assert_null(ics_fact_find(the_only(r, ST), "group"));
	repeat_free(r);

	/* Two seconds of it are a machine that starts. */
	r = repeat_rig(NULL, false);
	for (unsigned i = 0; i < 80 * 2; i++) {
		struct packet p = report_of(0x40, 0x100 + i);

		feed(r, &p, T0 + i * S / 80);
	}
	assert_silent(r, ST);
	repeat_free(r);

	/* A switch that tells its router what its hosts listen to. */
	r = repeat_rig("detect.proxies=00:00:5e:00:53:40", false);
	for (unsigned i = 0; i < 80 * 5; i++) {
		struct packet p = report_of(0x40, 0x100 + i / 3);

		feed(r, &p, T0 + i * S / 80);
	}
	assert_silent(r, ST);
	repeat_free(r);

	/* Six hundred groups answer within ten seconds. */
	r = repeat_rig(NULL, false);
	for (unsigned i = 0; i < 600; i++) {
		struct packet p = report_of(0x40, 0x100 + i);

		set8(&p, 8, 2); /* MODE_IS_EXCLUDE */
		feed(r, &p, T0 + i * S / 20);
	}
	feed_base(r, BASE_query2, T0 + 60 * S);
	for (unsigned i = 0; i < 600; i++) {
		struct packet p = report_of(0x40, 0x100 + i);

		set8(&p, 8, 2);
		feed(r, &p, T0 + 60 * S + i * S / 60);
	}
	assert_silent(r, ST);
	repeat_free(r);
}

/* From random MACs for random groups: nobody is named, tables keep their size, and what stands out stands out. */
static void
spread(void **state)
{
	struct rig *r = repeat_rig("detect.learn_s=0", true);
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_frames_stats fs;
	const struct ics_segment *seg;
	uint64_t ts = T0;
	unsigned n;

	for (unsigned i = 0; i < 200000; i++, ts += S / 50000) {
		struct packet p = base_packet(BASE_report2);
		uint64_t x = ics_hash_mix(7, i);
		char mac[ICS_MAC_STRLEN];

		snprintf(mac, sizeof(mac), "02:%02x:%02x:%02x:%02x:%02x", (unsigned)x & 0xff, (unsigned)(x >> 8) & 0xff,
			 (unsigned)(x >> 16) & 0xff, (unsigned)(x >> 24) & 0xff, (unsigned)(x >> 32) & 0xff);
		set_smac(&p, mac);
		for (unsigned b = 0; b < 3; b++)
			set8(&p, 25 + b, (uint8_t)(x >> (40 + 8 * b)));
		if (i % 20 == 10)
			p = report_of(0x40, i % 0xffff);
		feed(r, &p, ts);
		if (i % 5000 == 0)
			pass(r, ts);
	}
	pass(r, UINT64_MAX / 2 > ts ? ts + 2 * S : ts);
	seg = ics_model_segment(m, 0);
	assert_int_equal(seg->class[ICS_CLASS_mld2_report], 200000);
	ics_model_frames_stats(m, &fs);
	assert_true(fs.kept <= ICS_FRAMES_MAX);
	assert_true(fs.evictions > 0);
	/* One finding for all that are invented, one for the one that is not; that one leads their list, too. */
	found(r, ST, &n);
	assert_int_equal(n, 2);
	assert_finding(nth_anomaly(r, 1), ST, "invented", "critical");
	assert_string_equal(nth_anomaly(r, 1)->subject[0].text, "segment");
	assert_in_range(fact_value(nth_anomaly(r, 1), "macs"), 150000, 240000);
	assert_in_range(fact_value(nth_anomaly(r, 1), "messages"), 199000, 200000);
	assert_int_equal(strncmp(fact_text(nth_anomaly(r, 1), "top_macs"), "00:00:5e:00:53:40 ", 18), 0);
	assert_finding(nth_anomaly(r, 2), ST, "rate", "critical");
	assert_string_equal(nth_anomaly(r, 2)->subject[0].text, "00:00:5e:00:53:40");
	assert_silent(r, "l2_loop");
	/* A storm is found among them as well. */
	struct packet p = report_of(0x41, 0x41);

	for (unsigned i = 0; i < 20000; i++, ts += S / 50000) {
		struct packet q = report_of(0x42, i);

		q.b[6] = 2;
		for (unsigned b = 0; b < 4; b++)
			q.b[7 + b] = (uint8_t)(ics_hash_mix(9, i) >> 8 * b);
		feed(r, i % 50 == 0 ? &p : &q, ts);
		if (i % 500 == 0)
			pass(r, ts);
	}
	assert_int_equal(open_count(r, ST), 3);
	repeat_free(r);
}

/* Machines that start, many at once, are heard from no address first; so is one whose reports are all that it sends. */
static void
not_invented(void **state)
{
	struct rig *r = repeat_rig("detect.learn_s=0", true);

	for (unsigned i = 0; i < 2000; i++) {
		struct packet p = report_of(0, i % 1000);
		char mac[ICS_MAC_STRLEN], addr[40];

		snprintf(mac, sizeof(mac), "00:00:5e:10:%02x:%02x", i % 1000 >> 8, i % 1000 & 0xff);
		set_smac(&p, mac);
		snprintf(addr, sizeof(addr), "fe80::10:%x", i % 1000);
		set_src(&p, i < 1000 ? "::" : addr);
		feed(r, &p, T0 + i * MS);
	}
	assert_silent(r, ST);
	repeat_free(r);

	r = repeat_rig(NULL, true); /* all are new to a tap that begins to listen */
	for (unsigned i = 0; i < 1000; i++) {
		struct packet p = report_of(0, i);
		char mac[ICS_MAC_STRLEN];

		snprintf(mac, sizeof(mac), "00:00:5e:10:%02x:%02x", i >> 8, i & 0xff);
		set_smac(&p, mac);
		feed(r, &p, T0 + i * MS);
	}
	assert_silent(r, ST);
	repeat_free(r);
}

static void
muted(void **state)
{
	struct rig *r = repeat_rig("detect.mute=mld_report_storm@" MAC_H, false);
	struct packet p = base_packet(BASE_report2);

	set_smac(&p, MAC_H);
	repeat(r, &p, 50, MS, T0);
	assert_true(the_only(r, ST)->muted);
	repeat_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_report_again_and_again),
		cmocka_unit_test(slow_and_steady),
		cmocka_unit_test(asleep),
		cmocka_unit_test(what_is_normal),
		cmocka_unit_test(duplicate_feed),
		cmocka_unit_test(rate),
		cmocka_unit_test(spread),
		cmocka_unit_test(not_invented),
		cmocka_unit_test(muted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
