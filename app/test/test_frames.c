/* Frames that repeat, counted over several workers: exact totals whichever worker saw which copy, where they came in, how
 * close together, and a table that keeps its size.
 */
#include "test_repeat.h"

#define WORKERS 4

/* Workers with a repeat cache each, one seed and one control core. */
struct crew {
	struct rig *r;
	struct ics_inspect in[WORKERS];
	struct ics_counters *counters;
};

static struct crew
crew_new(void)
{
	struct crew c = {.r = repeat_rig(NULL, false)};

	for (unsigned i = 0; i < WORKERS; i++) {
		c.in[i] = c.r->in;
		c.in[i].port = (uint8_t)(i / 2);
		c.in[i].queue = (uint8_t)(i % 2);
		c.in[i].fold = ics_fold_init(NULL);
		assert_non_null(c.in[i].fold);
	}
	return c;
}

static void
crew_free(struct crew *c)
{
	for (unsigned i = 0; i < WORKERS; i++)
		ics_fold_free(c->in[i].fold);
	rig_free(c->r);
}

static void
crew_feed(struct crew *c, unsigned worker, const struct packet *p, uint64_t ts)
{
	struct ics_frame f = {
		.data = p->b, .cap_len = p->len, .wire_len = p->len, .stripped_tci = ICS_VLAN_NONE, .link = p->link};

	ics_inspect_burst(&c->in[worker], &f, 1, ts);
}

static void
crew_pass(struct crew *c, uint64_t ts)
{
	for (unsigned i = 0; i < WORKERS; i++)
		ics_inspect_idle(&c->in[i], ts);
	ics_engine_tick(c->r->engine, ts);
}

/* One storm over all workers: as soon as one of them has its tenth copy it has a name. The workers of a port count
 * together; of two ports, which see the same or halves of it, the one that has more counts.
 */
static void
one_storm_over_all_workers(void **state)
{
	struct crew c = crew_new();
	struct ics_model *m = ics_engine_model(c.r->engine);
	struct packet p = report_of(0x20, 1);
	const struct ics_frame_count *f;
	const struct ics_anomaly *a;
	uint64_t ts = T0;

	repair(&p);
	for (unsigned i = 0; i < 4000; i++, ts += 250000) {
		crew_feed(&c, i % WORKERS, &p, ts);
		if (i == 40) {
			assert_int_equal(open_count(c.r, "mld_report_storm"), 1);
			f = ics_model_frame(m, nth_anomaly(c.r, 1)->frame_hash);
			assert_non_null(f);
			assert_int_equal(f->ports, 3);
			assert_int_equal(f->n_segments, 2);
		}
		if (i % 40 == 39)
			crew_pass(&c, ts);
	}
	crew_pass(&c, ts + S);
	a = nth_anomaly(c.r, 1);
	f = ics_model_frame(m, a->frame_hash);
	assert_int_equal(f->heard, 4000);
	assert_int_equal(f->total, 2000);
	assert_in_range(fact_value(a, "copies"), 1990, 2000);
	/* each worker saw every fourth copy; between workers the control core sees what is nearer */
	assert_in_range(f->min_gap_ns, 1, 1000000);
	assert_silent(c.r, "l2_loop");
	crew_free(&c);
}

static void
tag(struct packet *p, unsigned vlan)
{
	const uint8_t b[4] = {0x81, 0x00, (uint8_t)(vlan >> 8), (uint8_t)vlan};

	memmove(p->b + 16, p->b + 12, p->len - 12);
	memcpy(p->b + 12, b, sizeof(b));
	p->len += 4;
	p->l3 += 4;
	p->l4 += 4;
}

/* The same frame once on each of thirty VLANs is no repetition; on one of them thirty times it is. */
static void
many_vlans(void **state)
{
	for (unsigned folded = 0; folded < 2; folded++) {
		struct rig *r = repeat_rig(NULL, folded);
		const struct ics_anomaly *a;
		uint64_t ts = T0;

		/* Three routers, which are on all VLANs by one MAC and one address each. */
		for (unsigned vlan = 0; vlan < 30; vlan++)
			for (unsigned i = 0; i < 3; i++, ts += 2 * MS) {
				struct packet p = i == 0 ? report_of(0x20, 2) : ns_by(0x20 + i, i);

				tag(&p, 100 + vlan);
				feed(r, &p, ts);
			}
		pass(r, ts + S);
		assert_silent(r, "mld_report_storm");
		assert_silent(r, "l2_loop");
		ts += 5 * S;
		for (unsigned i = 0; i < 60; i++, ts += 5 * MS) {
			struct packet p = report_of(0x20, 2);

			/* The last one storms, the others report once or twice. */
			tag(&p, i % 2 == 0 ? 129 : 100 + i / 2 % 29);
			feed(r, &p, ts);
		}
		pass(r, ts + S);
		a = the_only(r, "mld_report_storm");
		assert_finding(a, "mld_report_storm", "identical", "warn");
		assert_int_equal(a->segment.vlan_outer, 129);
		assert_int_equal(fact_value(a, "copies"), 30);
		assert_silent(r, "l2_loop");
		repeat_free(r);
	}
}

/* Seen at two ports of the tap: as often as at one, whether or not it is known that everything is. */
static void
two_ports(void **state)
{
	for (unsigned known = 0; known < 2; known++) {
		struct rig *r = repeat_rig(NULL, false);
		struct packet p = report_of(0x20, 1);
		struct ics_feed feed_now;
		uint64_t ts = T0;

		for (unsigned i = 0; known && i < 200; i++, ts += S) {
			struct packet ns = ns_by(0x30 + i % 5, 0x100 + i);

			for (unsigned port = 0; port < 2; port++) {
				r->in.port = (uint8_t)port;
				feed(r, &ns, ts + port * 300000);
			}
		}
		ics_model_feed(ics_engine_model(r->engine), 0, &feed_now);
		assert_int_equal(feed_now.k, 1 + known);
		assert_int_equal(open_count(r, "tap_duplicate_feed"), known);
		for (unsigned i = 0; i < 9; i++)
			for (unsigned port = 0; port < 2; port++) {
				r->in.port = (uint8_t)port;
				feed(r, &p, ts + i * 100 * MS + port * 300000);
			}
		assert_silent(r, "mld_report_storm");
		ts += 5 * S;
		for (unsigned i = 0; i < 15; i++)
			for (unsigned port = 0; port < 2; port++) {
				r->in.port = (uint8_t)port;
				feed(r, &p, ts + i * 50 * MS + port * 300000);
			}
		assert_finding(the_only(r, "mld_report_storm"), "mld_report_storm", "identical", "warn");
		assert_int_equal(fact_value(the_only(r, "mld_report_storm"), "copies"), 15);
		assert_silent(r, "l2_loop");
		repeat_free(r);
	}
}

/* What one worker counts and what a reader counts is the same, to the copy, at any rate. */
static void
exact(void **state)
{
	static const uint64_t gap[] = {700, 20000, 1500000, 33000000};

	for (unsigned g = 0; g < ICS_ARRAY_LEN(gap); g++)
		for (unsigned folded = 0; folded < 2; folded++) {
			struct rig *r = repeat_rig(NULL, folded);
			struct packet p = report_of(0x20, 1);
			const struct ics_frame_count *f;
			uint64_t ts = T0;

			for (unsigned i = 0; i < 500; i++, ts += gap[g]) {
				feed(r, &p, ts);
				if (i % 16 == 0)
					pass(r, ts);
			}
			pass(r, ts + S);
			f = ics_model_frame(ics_engine_model(r->engine), nth_anomaly(r, 1)->frame_hash);
			assert_int_equal(f->total, 500);
			assert_int_equal(f->min_gap_ns, gap[g]);
			assert_int_equal(f->last_ns - f->first_ns, 499 * gap[g]);
			repeat_free(r);
		}
}

/* The latest second, and nothing of what was before. */
static void
latest_second(void **state)
{
	struct rig *r = repeat_rig(NULL, false);
	struct ics_model *m = ics_engine_model(r->engine);
	struct packet p = report_of(0x20, 1);
	const struct ics_frame_count *f;
	uint64_t ts = T0;

	for (unsigned i = 0; i < 300; i++, ts += 10 * MS)
		feed(r, &p, ts);
	f = ics_model_frame(m, nth_anomaly(r, 1)->frame_hash);
	assert_in_range(f->in_second, 90, 100);
	assert_int_equal(f->total, 300);
	feed(r, &p, ts + 900 * MS);
	assert_in_range(f->in_second, 1, 11);
	feed(r, &p, ts + 2500 * MS); /* it begins anew */
	assert_int_equal(f->in_second, 1);
	assert_int_equal(f->total, 1);
	repeat_free(r);
}

/* Frames that come once push each other out, and not one that repeats. */
static void
flood(void **state)
{
	struct rig *r = repeat_rig(NULL, false);
	struct ics_model *m = ics_engine_model(r->engine);
	struct packet p = report_of(0x20, 1);
	struct ics_frames_stats st;
	uint64_t ts = T0, hash;

	repeat(r, &p, 20, MS, ts);
	hash = nth_anomaly(r, 1)->frame_hash;
	ts += 20 * MS;
	for (unsigned i = 0; i < 4 * ICS_FRAMES_MAX; i++, ts += 1000) {
		struct packet q = report_of(0x21, i & 0xffff);

		q.b[10] = (uint8_t)(i >> 16);
		feed(r, &q, ts);
		if (i % 200000 == 0) /* five times a second */
			feed(r, &p, ts);
	}
	assert_non_null(ics_model_frame(m, hash));
	assert_int_equal(ics_model_frame(m, hash)->total, 22);
	ics_model_frames_stats(m, &st);
	assert_true(st.kept <= ICS_FRAMES_MAX);
	assert_true(st.kept > ICS_FRAMES_MAX * 9 / 10);
	assert_in_range(st.evictions, 3 * ICS_FRAMES_MAX - 10, 4 * ICS_FRAMES_MAX);
	assert_int_equal(st.unknown, 0);
	repeat_free(r);
}

/* Copies of a frame that is not there any more are counted as such. */
static void
unknown(void **state)
{
	struct rig *r = repeat_rig(NULL, false);
	struct packet p = report_of(0x20, 1);
	struct ics_record rec = {.frame_hash = 77,
				 .ts_ns = T0,
				 .class = ICS_CLASS_mld2_report,
				 .repeats = 4,
				 .flags = ICS_REC_COPIES,
				 .vlan_outer = ICS_VLAN_NONE,
				 .vlan_inner = ICS_VLAN_NONE};
	struct ics_frames_stats st;

	feed(r, &p, T0);
	ics_engine_feed(r->engine, &rec, (struct ics_view){NULL, 0}, 0);
	ics_model_frames_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.unknown, 5);
	assert_int_equal(count_anomalies(r), 0);
	repeat_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_storm_over_all_workers),
		cmocka_unit_test(many_vlans),
		cmocka_unit_test(two_ports),
		cmocka_unit_test(exact),
		cmocka_unit_test(latest_second),
		cmocka_unit_test(flood),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
