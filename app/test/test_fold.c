/* The repeat cache: which copies go at once, which wait, and that none is lost. Also the set of known routers. */
#include "ics_fold.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS 1000000ull
#define T0 (10000 * MS)

static struct ics_record
record(uint64_t hash, uint64_t ts_ns)
{
	return (struct ics_record){.frame_hash = hash,
				   .ts_ns = ts_ns,
				   .vlan_outer = 10,
				   .vlan_inner = ICS_VLAN_NONE,
				   .class = ICS_CLASS_mld2_report,
				   .cap_len = 90};
}

static struct ics_fold_key
key_of(uint64_t hash)
{
	return ics_fold_key(ics_hash_mix(hash, 42), 90, 90, 0x86dd, ICS_VLAN_NONE);
}

/* What a new message pushed out. */
struct pushed_out {
	bool valid;
	struct ics_fold_out out;
};

/* One message as the fast half offers it; returns how many messages go out with it, 0 when it waits. */
static uint64_t
offer(struct ics_fold *f, const struct ics_fold_key *key, uint64_t ts_ns, enum ics_lane lane, struct pushed_out *ev)
{
	struct ics_record r = record(key->hash, ts_ns);
	struct ics_fold_hit hit;

	ev->valid = false;
	switch (ics_fold_look(f, key, ts_ns, &hit)) {
	case ICS_FOLD_WAIT:
		assert_int_equal(hit.class, r.class);
		assert_int_equal(hit.encap, r.encap);
		assert_int_equal(hit.has_reasons, !ics_reasons_empty(&r.reasons));
		return 0;
	case ICS_FOLD_SEND:
		assert_int_equal(ics_fold_record(f, &hit)->ts_ns, ts_ns);
		assert_int_equal(ics_fold_record(f, &hit)->frame_hash, key->hash);
		return 1 + (uint64_t)ics_fold_record(f, &hit)->repeats;
	case ICS_FOLD_MISS:
		break;
	}
	ev->valid = ics_fold_take(f, hit.at.slot, &ev->out);
	assert_true(!ev->valid || ev->out.slot == hit.at.slot);
	ics_fold_insert(f, hit.at.slot, key, &r, lane);
	return 1;
}

/* Sends n copies 1 ms apart; returns the messages that came out, and how many records they took. */
static uint64_t
storm(struct ics_fold *f, unsigned n, enum ics_lane lane, unsigned *records)
{
	struct pushed_out ev;
	uint64_t out = 0;

	*records = 0;
	for (unsigned i = 0; i < n; i++) {
		struct ics_fold_key k = key_of(77);
		uint64_t sent = offer(f, &k, 1000 * MS + i * MS / 10, lane, &ev);

		out += sent;
		*records += sent != 0;
		assert_false(ev.valid);
	}
	return out;
}

static void
test_storm_goes_out_at_1_5_10_100_1000(void **state)
{
	struct ics_fold *f = ics_fold_init(NULL);
	struct ics_fold_out out[4];
	unsigned records;

	assert_int_equal(storm(f, 5000, ICS_LANE_BULK, &records), 1000);
	assert_int_equal(records, 5);
	assert_int_equal(ics_fold_pending(f), 4000);
	/* the 1000th went 99.9 ms after the first, and a storm tells of itself 100 ms later */
	assert_int_equal(ics_fold_sweep(f, 1199 * MS, out, 4), 0);
	assert_int_equal(ics_fold_sweep(f, 1500 * MS, out, 4), 1);
	assert_int_equal(1 + out[0].rec.repeats, 4000);
	assert_int_equal(out[0].rec.min_gap_ns, MS / 10);
	assert_true(out[0].rec.flags & ICS_REC_COPIES);
	assert_int_equal(out[0].rec.cap_len, 0);
	assert_int_equal(out[0].rec.ts_ns, 1000 * MS + 4999 * MS / 10);
	assert_int_equal(out[0].lane, ICS_LANE_BULK);
	assert_int_equal(ics_fold_pending(f), 0);
	assert_int_equal(ics_fold_sweep(f, UINT64_MAX, out, 4), 0);
	ics_fold_free(f);
}

/* Every 100 ms while it lasts, what came since, with the shortest gap in it; a window of a few copies stays closed. */
static void
test_a_storm_tells_of_itself(void **state)
{
	struct ics_fold *f = ics_fold_init(NULL);
	struct ics_fold_key k = key_of(3), few = key_of(4);
	struct ics_fold_out out[4];
	struct pushed_out ev;
	uint64_t now = 1000 * MS, sent = 0;

	for (unsigned i = 0; i < 4; i++)
		offer(f, &few, now + i, ICS_LANE_BULK, &ev);
	for (unsigned i = 0; i < 10; i++)
		sent += offer(f, &k, now += i == 5 ? 12345 : MS, ICS_LANE_BULK, &ev);
	assert_int_equal(sent, 10);
	sent = 0;
	for (unsigned i = 0; i < 50; i++)
		sent += offer(f, &k, now += MS, ICS_LANE_BULK, &ev);
	assert_int_equal(sent, 0);
	assert_int_equal(ics_fold_sweep(f, now + 49 * MS, out, 4), 0);
	assert_int_equal(ics_fold_sweep(f, now + 50 * MS, out, 4), 1);
	assert_int_equal(out[0].rec.repeats, 49);
	assert_int_equal(out[0].rec.min_gap_ns, 12345);
	/* the next one has a gap of its own */
	offer(f, &k, now += 60 * MS, ICS_LANE_BULK, &ev);
	offer(f, &k, now += 2 * MS, ICS_LANE_BULK, &ev);
	assert_int_equal(ics_fold_sweep(f, now + 10 * MS, out, 4), 0);
	assert_int_equal(ics_fold_sweep(f, now + 90 * MS, out, 4), 1);
	assert_int_equal(out[0].rec.repeats, 1);
	assert_int_equal(out[0].rec.min_gap_ns, 2 * MS);
	/* the few go when their window is over */
	assert_int_equal(ics_fold_pending(f), 3);
	assert_int_equal(ics_fold_sweep(f, 2000 * MS, out, 4), 1);
	assert_int_equal(out[0].rec.repeats, 2);
	assert_int_equal(out[0].rec.min_gap_ns, 1);
	ics_fold_free(f);
}

static void
test_first_urgent_copies_are_not_folded(void **state)
{
	struct ics_fold *f = ics_fold_init(NULL);
	unsigned records;

	assert_int_equal(storm(f, ICS_FOLD_URGENT_FREE, ICS_LANE_URGENT, &records), ICS_FOLD_URGENT_FREE);
	assert_int_equal(records, ICS_FOLD_URGENT_FREE);
	assert_int_equal(ics_fold_pending(f), 0);
	ics_fold_free(f);
}

static void
test_another_frame_or_window_is_another_message(void **state)
{
	struct ics_fold_key k = key_of(5), other[ICS_FOLD_WAYS];
	struct ics_fold *f = ics_fold_init(NULL);
	struct pushed_out ev;

	for (unsigned i = 0; i < ICS_FOLD_WAYS; i++)
		other[i] = k;
	other[0] = ics_fold_key(k.hash, 90, 90, 0x86dd, 11);
	other[1] = ics_fold_key(k.hash, 80, 90, 0x86dd, ICS_VLAN_NONE);
	other[2] = ics_fold_key(k.hash, 90, 90, 0x8100, ICS_VLAN_NONE);
	other[3] = ics_fold_key(k.hash, 90, 91, 0x86dd, ICS_VLAN_NONE);
	assert_int_equal(offer(f, &k, T0 + 1, ICS_LANE_BULK, &ev), 1);
	assert_int_equal(offer(f, &k, T0 + 1, ICS_LANE_BULK, &ev), 0);
	/* one set: the last of them pushes out one that came once */
	for (unsigned i = 0; i < ICS_FOLD_WAYS; i++) {
		assert_int_equal(offer(f, &other[i], T0 + 2 + i, ICS_LANE_BULK, &ev), 1);
		assert_false(ev.valid);
	}
	assert_int_equal(offer(f, &other[3], T0 + 6, ICS_LANE_BULK, &ev), 0);
	assert_int_equal(offer(f, &k, T0 + 7, ICS_LANE_BULK, &ev), 0);
	assert_int_equal(offer(f, &other[1], T0 + 8, ICS_LANE_BULK, &ev), 0);
	assert_int_equal(offer(f, &other[0], T0 + 9, ICS_LANE_BULK, &ev), 1);
	assert_false(ev.valid);
	/* a window later nobody stays, and what waited comes out first */
	for (unsigned i = 0; i < 2; i++) {
		other[0] = ics_fold_key(k.hash, 60 + i, 90, 0x86dd, ICS_VLAN_NONE);
		assert_int_equal(offer(f, &other[0], T0 + 9 + 1000 * MS, ICS_LANE_BULK, &ev), 1);
		assert_true(ev.valid);
		assert_int_equal(ev.out.rec.repeats, i == 0 ? 1 : 0);
		assert_int_equal(ev.out.rec.ts_ns, i == 0 ? T0 + 7 : T0 + 6);
		assert_int_equal(ev.out.lane, ICS_LANE_BULK);
	}
	/* its own slot again, once the window is over */
	assert_int_equal(offer(f, &other[1], T0 + 10 + 1000 * MS, ICS_LANE_BULK, &ev), 1);
	assert_true(ev.valid);
	assert_int_equal(ev.out.rec.repeats, 0);
	assert_int_equal(ev.out.rec.ts_ns, T0 + 8);
	assert_int_equal(offer(f, &other[1], T0 + 11 + 1000 * MS, ICS_LANE_BULK, &ev), 0);
	ics_fold_free(f);
}

/* Keys whose first set is the same, and whose second is, or not. */
static struct ics_fold_key
key_in(unsigned n, unsigned first, unsigned second)
{
	uint64_t hash = (uint64_t)second * ICS_FOLD_WAYS << 44 | (uint64_t)first * ICS_FOLD_WAYS << 32 | (n + 1);

	return ics_fold_key(hash, 90, 90, 0x86dd, ICS_VLAN_NONE);
}

/* Nine that take turns in one set: four in it, four in another, and one without a place that pushes out others. */
static void
test_messages_that_repeat_find_a_second_set(void **state)
{
	static const struct {
		unsigned messages, second, again; /* again: records of the last turn */
	} rows[] = {{4, 0, 0}, {5, 1, 0}, {8, 1, 0}, {9, 1, 1}, {5, 0, 1}};

	for (unsigned row = 0; row < ICS_ARRAY_LEN(rows); row++) {
		struct ics_fold *f = ics_fold_init(NULL);
		struct pushed_out ev;
		unsigned out = 0;
		uint64_t in = 0, sent = 0;

		for (unsigned turn = 0; turn < 9; turn++) {
			out = 0;
			for (unsigned i = 0; i < rows[row].messages; i++) {
				struct ics_fold_key k = key_in(i, 7, 7 + rows[row].second * 16);
				uint64_t n = offer(f, &k, T0 + 100 * turn + i, ICS_LANE_BULK, &ev);

				in++;
				sent += n + (ev.valid ? 1 + (uint64_t)ev.out.rec.repeats : 0);
				out += n != 0;
				assert_int_equal(in, sent + ics_fold_pending(f));
			}
		}
		if (rows[row].again == 0)
			assert_int_equal(out, 0);
		else
			assert_in_range(out, 1, 2);
		ics_fold_free(f);
	}
}

/* Whatever the time, a message that is new takes a free slot, not that of another. */
static void
test_free_slots_are_taken_first(void **state)
{
	struct ics_fold *f = ics_fold_init(NULL);
	struct pushed_out ev;

	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < ICS_FOLD_WAYS; i++) {
			struct ics_fold_key k = key_in(i, 3, 9);

			assert_int_equal(offer(f, &k, 1 + turn, ICS_LANE_BULK, &ev), turn == 0);
		}
	ics_fold_free(f);
}

/* A sink that is full for a while: what it refuses waits and goes with the next copy, with its times. */
static void
test_what_is_refused_waits_again(void **state)
{
	struct ics_fold *f = ics_fold_init(NULL);
	struct ics_fold_key k = key_of(6);
	struct ics_fold_out out;
	struct ics_fold_hit hit;
	struct pushed_out ev;
	uint64_t now = 1000 * MS;

	assert_int_equal(offer(f, &k, now, ICS_LANE_URGENT, &ev), 1);
	/* the second copy is refused; the third takes it along */
	assert_int_equal(ics_fold_look(f, &k, now += MS, &hit), ICS_FOLD_SEND);
	assert_true(ics_fold_give_back(f, hit.at.slot, ics_fold_record(f, &hit)));
	assert_int_equal(ics_fold_pending(f), 1);
	assert_int_equal(offer(f, &k, now += MS, ICS_LANE_URGENT, &ev), 2);
	assert_int_equal(ics_fold_pending(f), 0);
	for (unsigned i = 3; i < 12; i++)
		offer(f, &k, now += MS, ICS_LANE_URGENT, &ev);
	assert_int_equal(ics_fold_pending(f), 2);
	/* a sweep's record is refused: all of it goes with the next copy, which has not long to wait */
	assert_int_equal(ics_fold_sweep(f, now + 200 * MS, &out, 1), 1);
	assert_int_equal(out.rec.min_gap_ns, MS);
	assert_true(ics_fold_give_back(f, out.slot, &out.rec));
	assert_int_equal(ics_fold_pending(f), 2);
	assert_int_equal(ics_fold_sweep(f, now + 200 * MS, &out, 1), 0);
	assert_int_equal(offer(f, &k, now += 200 * MS, ICS_LANE_URGENT, &ev), 3);
	/* the first of a new window is refused: the next begins no other, and takes it along; the shortest gap stays */
	assert_int_equal(ics_fold_look(f, &k, now += 1000 * MS, &hit), ICS_FOLD_MISS);
	assert_true(hit.at.again);
	assert_false(ics_fold_take(f, hit.at.slot, &out));
	assert_true(ics_fold_wait(f, hit.at.slot, now, ICS_LANE_RESERVED));
	assert_int_equal(ics_fold_pending(f), 1);
	assert_int_equal(ics_fold_sweep(f, now + 999 * MS, &out, 1), 0);
	assert_int_equal(offer(f, &k, now + 10 * MS, ICS_LANE_RESERVED, &ev), 2);
	assert_int_equal(ics_fold_look(f, &k, now + 11 * MS, &hit), ICS_FOLD_SEND);
	assert_int_equal(hit.lane, ICS_LANE_RESERVED);
	assert_true(ics_fold_give_back(f, hit.at.slot, ics_fold_record(f, &hit)));
	assert_int_equal(ics_fold_sweep(f, now + 1000 * MS, &out, 1), 1);
	assert_int_equal(out.rec.min_gap_ns, MS);
	/* a sink that never takes anything: so many wait, and no more */
	out.rec.repeats = ICS_FOLD_WAITING_MAX - 1;
	assert_true(ics_fold_give_back(f, out.slot, &out.rec));
	assert_false(ics_fold_wait(f, out.slot, now + 2000 * MS, ICS_LANE_URGENT));
	out.rec.repeats = UINT32_MAX;
	assert_false(ics_fold_give_back(f, out.slot, &out.rec));
	assert_int_equal(ics_fold_pending(f), ICS_FOLD_WAITING_MAX);
	ics_fold_free(f);
}

/* Random traffic over few messages: what comes out, waits or is swept adds up to what went in. */
static void
test_every_copy_is_delivered_once(void **state)
{
	struct ics_fold *f = ics_fold_init(NULL);
	struct ics_fold_out out[16];
	struct pushed_out ev;
	uint64_t in = 0, sent = 0, now = 0;
	unsigned n;

	srand(2);
	for (unsigned i = 0; i < 200000; i++) {
		struct ics_fold_key k = key_of((uint64_t)(rand() % 6000) + 1);

		in++;
		sent += offer(f, &k, now += (uint64_t)(rand() % 100000), (enum ics_lane)(rand() % 3), &ev);
		if (ev.valid)
			sent += 1 + ev.out.rec.repeats;
		if (rand() % 50 == 0) {
			n = ics_fold_sweep(f, now, out, 16);
			while (n > 0)
				sent += 1 + out[--n].rec.repeats;
		}
		assert_int_equal(in, sent + ics_fold_pending(f));
	}
	while ((n = ics_fold_sweep(f, UINT64_MAX, out, 16)) > 0)
		while (n > 0)
			sent += 1 + out[--n].rec.repeats;
	assert_int_equal(in, sent);
	assert_int_equal(ics_fold_pending(f), 0);
	ics_fold_free(f);
}

static void
test_caller_may_bring_the_memory(void **state)
{
	void *mem = aligned_alloc(64, ics_fold_size());
	struct pushed_out ev;
	struct ics_fold_key k = key_of(9);

	memset(mem, 0, ics_fold_size());
	assert_ptr_equal(ics_fold_init(mem), mem);
	assert_int_equal(offer(mem, &k, 0, ICS_LANE_BULK, &ev), 1);
	ics_fold_free(mem);
	free(mem);
	ics_fold_free(NULL);
}

static void
test_known_routers_are_found_up_to_the_cap(void **state)
{
	struct ics_known *k = calloc(1, sizeof(*k));
	uint8_t a[16] = {0xfe, 0x80};
	unsigned in = 0;
	uint64_t h;

	k->seed = 3;
	h = ics_known_hash(k, 0, 10, ICS_VLAN_NONE, a);
	assert_int_not_equal(h, ics_known_hash(k, 1, 10, ICS_VLAN_NONE, a));
	assert_int_not_equal(h, ics_known_hash(k, 0, 11, ICS_VLAN_NONE, a));
	assert_false(ics_known_has(k, h));
	for (unsigned i = 0; i < ICS_KNOWN_MAX + 100; i++) {
		a[15] = (uint8_t)i;
		a[14] = (uint8_t)(i >> 8);
		h = ics_known_hash(k, 0, 10, ICS_VLAN_NONE, a);
		if (ics_known_insert(k, h) == 0) {
			in++;
			assert_int_equal(ics_known_insert(k, h), 0);
			assert_true(ics_known_has(k, h));
		} else {
			assert_false(ics_known_has(k, h));
		}
	}
	assert_int_equal(in, ICS_KNOWN_MAX);
	free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm_goes_out_at_1_5_10_100_1000),
		cmocka_unit_test(test_a_storm_tells_of_itself),
		cmocka_unit_test(test_first_urgent_copies_are_not_folded),
		cmocka_unit_test(test_another_frame_or_window_is_another_message),
		cmocka_unit_test(test_messages_that_repeat_find_a_second_set),
		cmocka_unit_test(test_free_slots_are_taken_first),
		cmocka_unit_test(test_what_is_refused_waits_again),
		cmocka_unit_test(test_every_copy_is_delivered_once),
		cmocka_unit_test(test_caller_may_bring_the_memory),
		cmocka_unit_test(test_known_routers_are_found_up_to_the_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
