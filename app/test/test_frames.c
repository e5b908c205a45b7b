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

/* One storm over all workers: as soon as one of them has its tenth copy it has a name, and the count is that of all. */
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
	assert_int_equal(f->total, 4000);
	/* each worker saw every fourth copy; between workers the control core sees what is nearer */
	assert_in_range(f->min_gap_ns, 1, 1000000);
	assert_silent(c.r, "l2_loop");
	crew_free(&c);
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
		cmocka_unit_test(exact),
		cmocka_unit_test(latest_second),
		cmocka_unit_test(flood),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
