/* The store of anomalies: one per entity, bounded, in order of change for those who follow it. */
#include "test_slow.h"

static struct ics_anomaly *
open_one(struct ics_anomaly_store *s, const char *det, uint64_t entity, uint64_t frame_hash)
{
	struct ics_record rec = {.ts_ns = T0, .frame_hash = frame_hash};
	struct ics_anomaly *a = ics_anomaly_open(s, det, entity);

	if (a == NULL)
		return NULL;
	ics_anomaly_note_frame(a, &rec, (struct ics_view){(const uint8_t *)"frame", 5}, 7);
	ics_anomaly_changed(s, a);
	return a;
}

static void
open_find_clear(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly *a, *b;
	struct ics_anomaly_stats st;

	assert_non_null(s);
	assert_null(ics_anomaly_find(s, "one", 1));
	a = open_one(s, "one", 1, 10);
	b = open_one(s, "two", 1, 11);
	assert_int_equal(a->id, 1);
	assert_int_equal(b->id, 2);
	assert_ptr_equal(ics_anomaly_find(s, "one", 1), a);
	assert_ptr_equal(ics_anomaly_find(s, "two", 1), b);
	assert_null(ics_anomaly_find(s, "two", 2));
	assert_ptr_equal(ics_anomaly_get(s, 2), b);
	assert_null(ics_anomaly_get(s, 3));
	b->muted = true;
	ics_anomaly_stats(s, &st);
	assert_int_equal(st.open, 1);
	assert_int_equal(st.kept, 2);

	ics_anomaly_clear(s, a, T0 + S);
	assert_int_equal(a->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(a->cleared_ns, T0 + S);
	assert_null(ics_anomaly_find(s, "one", 1));
	assert_ptr_equal(ics_anomaly_get(s, 1), a);
	/* The same entity again is a new anomaly. */
	assert_int_equal(open_one(s, "one", 1, 12)->id, 3);
	ics_anomaly_stats(s, &st);
	assert_int_equal(st.opened, 3);
	assert_int_equal(st.cleared, 1);
	ics_anomaly_store_free(s);
}

static unsigned
proofs_at(struct ics_anomaly_store *s, struct ics_anomaly *a, uint64_t ts, const struct ics_proof **p)
{
	struct ics_record rec = {.ts_ns = ts, .frame_hash = ts, .wire_len = 1500, .l3_off = 14, .l4_off = 54};
	uint8_t frame[60];

	memset(frame, (int)ts, sizeof(frame));
	if (ts != 0)
		ics_anomaly_note_frame(a, &rec, (struct ics_view){frame, sizeof(frame)}, ts);
	ics_anomaly_changed(s, a);
	return ics_anomaly_proofs(a, p);
}

/* First, what turned it, latest: whatever the number of frames; what no frame did turns nothing. */
static void
proofs(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly *a = ics_anomaly_open(s, "one", 1);
	const struct ics_proof *p[ICS_PROOFS];
	struct ics_record copies = {.ts_ns = 99, .flags = ICS_REC_COPIES};

	a->severity = ICS_SEV_WARN;
	assert_int_equal(ics_anomaly_proofs(a, p), 0);
	assert_int_equal(proofs_at(s, a, 1, p), 1);
	assert_int_equal(p[0]->ts_ns, 1);
	assert_int_equal(p[0]->len, 60);
	assert_int_equal(p[0]->wire_len, 1500);
	assert_int_equal(p[0]->l4_off, 54);
	assert_string_equal(ics_anomaly_proof_role(a, p[0]), "opened it");
	for (uint64_t ts = 2; ts < 20; ts++)
		assert_int_equal(proofs_at(s, a, ts, p), 2);
	assert_int_equal(p[1]->ts_ns, 19);
	assert_int_equal(p[1]->bytes[59], 19);
	assert_string_equal(ics_anomaly_proof_role(a, p[1]), "latest");
	a->severity = ICS_SEV_CRITICAL;
	assert_int_equal(proofs_at(s, a, 20, p), 2);
	assert_string_equal(ics_anomaly_proof_role(a, p[1]), "made it worse or changed it");
	assert_int_equal(proofs_at(s, a, 21, p), 3);
	assert_int_equal(p[1]->frame_no, 20);
	assert_int_equal(p[2]->frame_no, 21);
	/* It eases by time, changes by time, and by copies without bytes: no frame did that. */
	a->severity = ICS_SEV_WARN;
	assert_int_equal(proofs_at(s, a, 0, p), 3);
	a->variant = "other";
	assert_int_equal(proofs_at(s, a, 0, p), 3);
	ics_anomaly_note_frame(a, &copies, (struct ics_view){NULL, 0}, 0);
	a->variant = "third";
	assert_int_equal(proofs_at(s, a, 0, p), 3);
	assert_int_equal(p[1]->ts_ns, 20);
	assert_int_equal(p[2]->ts_ns, 21);
	a->variant = "fourth";
	assert_int_equal(proofs_at(s, a, 22, p), 2);
	assert_int_equal(p[1]->ts_ns, 22);
	assert_string_equal(ics_anomaly_proof_role(a, p[1]), "made it worse or changed it");
	ics_anomaly_store_free(s);
}

static void
frames_and_facts(void **state)
{
	struct ics_anomaly a = {0};
	struct ics_record rec = {.ts_ns = T0 + S, .frame_hash = 5, .repeats = 2};
	static char keys[ICS_ANOMALY_FACTS_MAX + 1][8];
	uint8_t frame[2000];

	memset(frame, 0xab, sizeof(frame));
	ics_anomaly_note_frame(&a, &rec, (struct ics_view){frame, sizeof(frame)}, 1);
	assert_int_equal(a.proof[ICS_PROOF_FIRST].len, ICS_ANOMALY_EVIDENCE_FRAME);
	rec.ts_ns = T0;
	rec.repeats = 0;
	for (uint64_t n = 2; n < 30; n++)
		ics_anomaly_note_frame(&a, &rec, (struct ics_view){frame, 10}, n);
	assert_int_equal(a.count, 31);
	assert_int_equal(a.n_frames, ICS_ANOMALY_FRAMES_MAX);
	assert_int_equal(a.frame_no[15], 16);
	assert_int_equal(a.first_ns, T0 + S);
	assert_int_equal(a.last_ns, T0 + S);
	assert_int_equal(a.proof[ICS_PROOF_FIRST].len, ICS_ANOMALY_EVIDENCE_FRAME);

	assert_int_equal(ics_fact_set_text(&a, "text", "%s %d", "a\nb\x7f\xff", 7), 0);
	assert_string_equal(ics_fact_find(&a, "text")->text, "a?b?? 7");
	assert_int_equal(ics_fact_set_seconds(&a, "text", 1500), 0);
	assert_int_equal(a.n_evidence, 1);
	assert_int_equal(ics_fact_find(&a, "text")->type, ICS_FACT_SECONDS);
	for (unsigned i = 1; i <= ICS_ANOMALY_FACTS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		assert_int_equal(ics_fact_set_uint(&a, keys[i], i), i < ICS_ANOMALY_FACTS_MAX ? 0 : -28);
	}
	assert_null(ics_fact_find(&a, "missing"));
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(ics_subject_set_text(&a, keys[1 + i], "x"), i < 8 ? 0 : -28);
	assert_int_equal(ics_fact_set_text(&a, "text", "%0200d", 1), 0);
	assert_int_equal(strlen(ics_fact_find(&a, "text")->text), ICS_FACT_TEXT_LEN - 1);
}

static void
followers_see_each_change_once(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly *a[100];
	const struct ics_anomaly *p;
	uint64_t last = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++)
		a[i] = open_one(s, "det", i, i + 1);
	/* Many more changes than the store keeps anomalies. */
	for (unsigned i = 0; i < 50000; i++)
		ics_anomaly_changed(s, a[i % 10]);
	for (p = ics_anomaly_next(s, 0); p != NULL; p = ics_anomaly_next(s, p->seq + 1)) {
		assert_true(p->seq > last);
		last = p->seq;
		n++;
	}
	assert_int_equal(n, 100);
	assert_int_equal(last, 50100);
	assert_null(ics_anomaly_next(s, last + 1));
	ics_anomaly_changed(s, a[50]);
	assert_ptr_equal(ics_anomaly_next(s, last + 1), a[50]);
	ics_anomaly_clear(s, a[51], T0);
	assert_ptr_equal(ics_anomaly_next(s, last + 2), a[51]);
	ics_anomaly_store_free(s);
}

static void
bounded(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly_stats st;
	uint64_t entity = 0;

	for (unsigned i = 0; i < ICS_ANOMALY_OPEN_MAX; i++)
		assert_non_null(open_one(s, "one", entity++, 1));
	assert_null(open_one(s, "one", entity++, 1));
	assert_non_null(open_one(s, "two", entity++, 1));
	ics_anomaly_stats(s, &st);
	assert_int_equal(st.not_opened, 1);
	/* Clearing one makes room for one. */
	ics_anomaly_clear(s, ics_anomaly_find(s, "one", 0), T0);
	assert_non_null(open_one(s, "one", entity++, 1));
	assert_null(open_one(s, "one", entity++, 1));

	/* The oldest cleared ones go, and a cursor can tell. */
	for (unsigned i = 0; i < 2 * ICS_ANOMALY_STORE_MAX; i++) {
		struct ics_anomaly *a = open_one(s, "three", entity, 1);

		assert_non_null(a);
		ics_anomaly_clear(s, a, T0 + i);
	}
	ics_anomaly_stats(s, &st);
	assert_int_equal(st.kept, ICS_ANOMALY_STORE_MAX);
	assert_int_equal(st.overwritten, st.opened - ICS_ANOMALY_STORE_MAX);
	assert_null(ics_anomaly_get(s, 1));
	assert_true(st.overwritten_seq > 0 && st.overwritten_seq < st.last_seq);
	const struct ics_anomaly *p = ics_anomaly_next(s, 0);
	assert_non_null(p);
	assert_int_equal(p->state, ICS_ANOMALY_OPEN);
	/* Nothing but open ones: no room at all. */
	static char names[8][8];
	for (unsigned d = 0; d < 8; d++) {
		snprintf(names[d], sizeof(names[d]), "d%u", d);
		for (unsigned i = 0; i < ICS_ANOMALY_OPEN_MAX; i++)
			(void)open_one(s, names[d], entity++, 1);
	}
	ics_anomaly_stats(s, &st);
	assert_int_equal(st.kept, ICS_ANOMALY_STORE_MAX);
	assert_int_equal(st.open, ICS_ANOMALY_STORE_MAX);
	ics_anomaly_store_free(s);
}

static void
copies_find_their_anomaly(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly *a = open_one(s, "one", 1, 10), *b = open_one(s, "two", 1, 10);
	struct ics_record rec = {.ts_ns = T0 + S, .frame_hash = 20};
	uint64_t seq = b->seq;

	assert_int_equal(ics_anomaly_add_copies(s, 10, 5, T0 + S), 2);
	assert_int_equal(a->count, 6);
	assert_int_equal(a->last_ns, T0 + S);
	assert_true(a->seq > seq);
	/* A later frame takes its place. */
	ics_anomaly_note_frame(b, &rec, (struct ics_view){NULL, 0}, 0);
	ics_anomaly_touch(s, b);
	assert_int_equal(ics_anomaly_add_copies(s, 10, 1, T0), 1);
	assert_int_equal(ics_anomaly_add_copies(s, 20, 1, T0), 1);
	assert_int_equal(b->count, 8);
	assert_int_equal(b->last_ns, T0 + S);
	ics_anomaly_clear(s, b, T0);
	assert_int_equal(ics_anomaly_add_copies(s, 20, 1, T0), 0);
	assert_int_equal(ics_anomaly_add_copies(s, 99, 1, T0), 0);
	ics_anomaly_store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_find_clear), cmocka_unit_test(frames_and_facts),
		cmocka_unit_test(proofs),          cmocka_unit_test(followers_see_each_change_once),
		cmocka_unit_test(bounded),         cmocka_unit_test(copies_find_their_anomaly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
