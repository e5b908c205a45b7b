/* Record sink and source on real rings: order, wrap-around, the reserved quarter, losses, a producer on another lcore.
 * EAL without hugepages, devices or files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ics_ring.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_memory.h>
#include <sched.h>
#include <stdio.h>

#define SIZE ICS_RING_MIN

/* What the consumer saw. */
struct seen {
	uint64_t n, next, bad;
};

/* A record that tells its own number and length, with a frame that follows from both. */
static void
make_record(struct ics_record *rec, uint8_t *frame, uint64_t n, unsigned len)
{
	*rec = (struct ics_record){.ts_ns = n, .cap_len = (uint16_t)len, .frame_hash = ~n};
	for (unsigned i = 0; i < len; i++)
		frame[i] = (uint8_t)(n * 7 + i * 13);
}

static void
check(void *ctx, const struct ics_record *rec, struct ics_view frame)
{
	struct seen *s = ctx;

	s->bad += rec->ts_ns != s->next || rec->frame_hash != ~s->next || frame.len != rec->cap_len;
	for (unsigned i = 0; i < frame.len; i++)
		s->bad += frame.p[i] != (uint8_t)(s->next * 7 + i * 13);
	s->next++;
	s->n++;
}

static void
check_all(void *ctx, const struct ics_ring_item *items, unsigned n)
{
	assert_in_range(n, 1, ICS_RING_BATCH);
	for (unsigned i = 0; i < n; i++)
		check(ctx, items[i].rec, items[i].frame);
}

static struct ics_ring *
ring_of(unsigned size)
{
	static unsigned made;
	char name[16];
	struct ics_ring *r;

	snprintf(name, sizeof(name), "test%u", made++);
	r = ics_ring_new(name, size, size, SOCKET_ID_ANY);
	assert_non_null(r);
	return r;
}

static struct ics_ring *
ring(void)
{
	return ring_of(SIZE);
}

static int
put(struct ics_ring *r, enum ics_lane lane, uint64_t n, unsigned len)
{
	static uint8_t frame[ICS_RECORD_FRAME_MAX];
	struct ics_record rec;

	make_record(&rec, frame, n, len);
	return ics_ring_push(r, lane, &rec, len > 0 ? frame : NULL);
}

static int
push(struct ics_ring *r, enum ics_lane lane, uint64_t n, unsigned len)
{
	int rc = put(r, lane, n, len);

	ics_ring_publish(r);
	return rc;
}

static void
test_sizes_are_checked(void **state)
{
	static const unsigned bad[] = {0, 512, SIZE + 1, ICS_RING_MAX * 2};

	for (unsigned i = 0; i < 4; i++) {
		errno = 0;
		assert_null(ics_ring_new("bad", bad[i], SIZE, SOCKET_ID_ANY));
		assert_int_equal(errno, EINVAL);
		assert_null(ics_ring_new("bad", SIZE, bad[i], SOCKET_ID_ANY));
		assert_int_equal(errno, EINVAL);
	}
}

/* Every length, many times around: each start position meets each wrap. */
static void
test_every_length_survives_the_wrap(void **state)
{
	struct ics_ring *r = ring();
	struct seen s = {0};
	uint64_t n = 0;

	for (unsigned len = 0; len <= ICS_RECORD_FRAME_MAX; len += len < 300 ? 1 : 61) {
		for (unsigned i = n % 5; i > 0; i--)
			assert_int_equal(put(r, ICS_LANE_BULK, n++, len % 700), 0);
		assert_int_equal(push(r, ICS_LANE_BULK, n++, len), 0);
		assert_int_equal(push(r, ICS_LANE_BULK, n++, 86), 0);
		ics_ring_drain_bulk(r, 10, check_all, &s);
	}
	assert_int_equal(s.n, n);
	assert_int_equal(s.bad, 0);
	assert_int_equal(ics_ring_drain_bulk(r, 10, check_all, &s), 0);
	ics_ring_free(r);
}

static void
test_nothing_is_seen_before_it_is_published(void **state)
{
	struct ics_ring *r = ring();
	struct seen s = {0};

	for (uint64_t n = 0; n < 20; n++)
		assert_int_equal(put(r, n % 2 ? ICS_LANE_URGENT : ICS_LANE_BULK, n / 2, 100), 0);
	assert_int_equal(ics_ring_drain_bulk(r, 100, check_all, &s) + ics_ring_drain_urgent(r, 100, check_all, &s), 0);
	ics_ring_publish(r);
	assert_int_equal(ics_ring_drain_bulk(r, 100, check_all, &s), 10);
	s.next = 0;
	assert_int_equal(ics_ring_drain_urgent(r, 100, check_all, &s), 10);
	assert_int_equal(s.bad, 0);
	ics_ring_free(r);
}

/* Inside a burst that fills it, a ring says no only when it is full; and what it took can be seen, or who waits for room would
 * wait for ever.
 */
static void
test_room_that_came_in_the_meantime_is_used(void **state)
{
	struct ics_ring *r = ring();
	struct seen s = {0};
	uint64_t n = 0;

	while (push(r, ICS_LANE_URGENT, n, 0) == 0)
		n++;
	assert_int_equal(ics_ring_drain_urgent(r, 1, check_all, &s), 1);
	assert_int_equal(put(r, ICS_LANE_URGENT, n, 0), 0);
	assert_int_equal(ics_ring_drain_urgent(r, 1, check_all, &s), 1);
	assert_int_equal(put(r, ICS_LANE_URGENT, n + 1, 0), 0);
	assert_int_equal(put(r, ICS_LANE_URGENT, n + 2, 0), -ENOSPC);
	assert_int_equal(ics_ring_drain_urgent(r, SIZE, check_all, &s), n);
	assert_int_equal(s.bad, 0);
	ics_ring_free(r);
}

static void
test_full_ring_refuses_whole_records(void **state)
{
	struct ics_ring *r = ring();
	struct ics_ring_stats st;
	struct seen s = {0};
	uint64_t n = 0;

	/* 3 elements each: 1,023 of them hold 341. */
	while (push(r, ICS_LANE_BULK, n, 120) == 0)
		n++;
	assert_int_equal(n, 341);
	assert_int_equal(push(r, ICS_LANE_BULK, n, 0), -ENOSPC);
	ics_ring_stats_bulk(r, &st);
	assert_int_equal(st.size, SIZE - 1);
	assert_int_equal(st.used, SIZE - 1);
	assert_int_equal(st.peak, SIZE - 1);
	/* The other lane is another ring. */
	assert_int_equal(push(r, ICS_LANE_URGENT, 0, 120), 0);
	assert_int_equal(ics_ring_drain_bulk(r, 100, check_all, &s), 100);
	assert_int_equal(ics_ring_drain_bulk(r, 1000, check_all, &s), 241);
	assert_int_equal(s.bad, 0);
	ics_ring_stats_bulk(r, &st);
	assert_int_equal(st.used, 0);
	assert_int_equal(st.peak, SIZE - 1);
	ics_ring_free(r);
}

/* The consumer looks at so many elements in one go; records of three and four elements do not end there. */
static void
test_look_ends_inside_a_record(void **state)
{
	struct ics_ring *r = ring_of(8 * SIZE);
	struct seen s = {0};
	uint64_t n = 0;

	while (push(r, ICS_LANE_BULK, n, n % 2 ? 120 : 190) == 0)
		n++;
	assert_int_equal(ics_ring_drain_bulk(r, 7, check_all, &s), 7);
	assert_int_equal(ics_ring_drain_bulk(r, 8 * SIZE, check_all, &s), n - 7);
	assert_int_equal(s.bad, 0);
	ics_ring_free(r);
}

/* A flood of urgent messages leaves the last quarter to messages about known routers. */
static void
test_last_quarter_is_reserved(void **state)
{
	struct ics_ring *r = ring();
	struct seen s = {0};
	uint64_t n = 0, reserved = 0;

	while (push(r, ICS_LANE_URGENT, n, 0) == 0)
		n++;
	assert_int_equal(n, SIZE - 1 - SIZE / 4);
	assert_int_equal(push(r, ICS_LANE_URGENT, n, 0), -ENOSPC);
	while (push(r, ICS_LANE_RESERVED, n + reserved, 0) == 0)
		reserved++;
	assert_int_equal(reserved, SIZE / 4);
	assert_int_equal(ics_ring_drain_urgent(r, SIZE, check_all, &s), SIZE - 1);
	assert_int_equal(s.bad, 0);
	/* A refused record leaves no trace. */
	assert_int_equal(push(r, ICS_LANE_URGENT, s.next, 200), 0);
	assert_int_equal(ics_ring_drain_urgent(r, 10, check_all, &s), 1);
	assert_int_equal(s.bad, 0);
	ics_ring_free(r);
}

/* Samples leave most of the bulk ring to messages, which never give way to them. */
static void
test_samples_take_an_eighth(void **state)
{
	struct ics_ring *r = ring();
	struct seen s = {0};
	uint64_t n = 0, messages = 0;

	while (push(r, ICS_LANE_SAMPLE, n, 0) == 0)
		n++;
	assert_in_range(n, SIZE / 8 - 2, SIZE / 8);
	while (push(r, ICS_LANE_BULK, n + messages, 0) == 0)
		messages++;
	assert_int_equal(n + messages, SIZE - 1);
	assert_int_equal(push(r, ICS_LANE_SAMPLE, n, 0), -ENOSPC);
	assert_int_equal(ics_ring_drain_bulk(r, SIZE, check_all, &s), SIZE - 1);
	assert_int_equal(s.bad, 0);
	ics_ring_free(r);
}

static void
test_longest_record(void **state)
{
	struct ics_ring *r = ring();
	struct seen s = {0};

	for (uint64_t n = 0; n < 50; n++) {
		assert_int_equal(push(r, ICS_LANE_URGENT, n, ICS_RECORD_FRAME_MAX), 0);
		assert_int_equal(ics_ring_drain_urgent(r, 10, check_all, &s), 1);
	}
	assert_int_equal(s.bad, 0);
	ics_ring_free(r);
}

/* ---- two threads ---- */

#define RECORDS 300000u

static int
produce(void *ring)
{
	static uint8_t frame[ICS_RECORD_FRAME_MAX];
	struct ics_record rec;

	for (uint64_t n = 0; n < RECORDS; n++) {
		make_record(&rec, frame, n, (unsigned)(n * 37 % 400));
		while (ics_ring_push(ring, ICS_LANE_BULK, &rec, frame) != 0)
			sched_yield();
		if (n % 7 == 0)
			ics_ring_publish(ring);
	}
	ics_ring_publish(ring);
	return 0;
}

static void
test_producer_on_another_lcore(void **state)
{
	unsigned lcore = rte_get_next_lcore(-1, 1, 0);
	struct ics_ring *r = ring();
	struct seen s = {0};

	assert_true(lcore < RTE_MAX_LCORE);
	assert_int_equal(rte_eal_remote_launch(produce, r, lcore), 0);
	/* Bounded by the test's own time limit. */
	while (s.n < RECORDS)
		if (ics_ring_drain_bulk(r, 64, check_all, &s) == 0)
			sched_yield();
	assert_int_equal(rte_eal_wait_lcore(lcore), 0);
	assert_int_equal(s.bad, 0);
	assert_int_equal(ics_ring_drain_bulk(r, 64, check_all, &s), 0);
	ics_ring_free(r);
}

int
main(void)
{
	static char lcores[32];
	static char *eal[] = {"test_ring",
			      "--no-huge",
			      "-m",
			      "64",
			      "--no-shconf",
			      "--no-pci",
			      "--no-telemetry",
			      "--file-prefix=ics_test_ring",
			      lcores,
			      "--log-level=*:error",
			      NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_are_checked),
		cmocka_unit_test(test_every_length_survives_the_wrap),
		cmocka_unit_test(test_nothing_is_seen_before_it_is_published),
		cmocka_unit_test(test_room_that_came_in_the_meantime_is_used),
		cmocka_unit_test(test_full_ring_refuses_whole_records),
		cmocka_unit_test(test_look_ends_inside_a_record),
		cmocka_unit_test(test_last_quarter_is_reserved),
		cmocka_unit_test(test_samples_take_an_eighth),
		cmocka_unit_test(test_longest_record),
		cmocka_unit_test(test_producer_on_another_lcore),
	};
	unsigned cpu[2] = {0, 0}, n = 0;
	cpu_set_t set;
	int failed;

	/* Two CPUs of those that there are; on one, both threads take turns. */
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	for (unsigned i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	snprintf(lcores, sizeof(lcores), "--lcores=0@%u,1@%u", cpu[0], cpu[n - 1]);
	if (rte_eal_init(10, eal) < 0) {
		fprintf(stderr, "EAL did not start\n");
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rte_eal_cleanup();
	return failed;
}
