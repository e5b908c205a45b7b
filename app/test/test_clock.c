/* Packet time follows the monotonic clock however wrong the known frequency of the TSC is, and never goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "clock.h"

#define START_NS 1500000000000000000u
#define MONO_NS 77000000000u
#define TSC 123456789u
#define SECOND 1000000000u
#define KNOWN_HZ 2600000000u
#define TRUE_HZ 2596100000u

static struct clock c;

/* ns after the start by the clock that is right. */
static uint64_t
tsc_at(uint64_t ns, uint64_t hz)
{
	return TSC + (uint64_t)((unsigned __int128)ns * hz / SECOND);
}

static int64_t
error_at(uint64_t ns, uint64_t hz)
{
	return (int64_t)(clock_ns(&c, tsc_at(ns, hz)) - START_NS - ns);
}

static void
begin(void)
{
	clock_begin(&c, TSC, KNOWN_HZ, START_NS, MONO_NS);
}

static void
test_a_rounded_frequency_is_made_good(void **state)
{
	uint64_t last = 0;

	begin();
	for (uint64_t s = 1; s < 40000; s++) {
		/* Read a little late each time, as it is. */
		uint64_t ns = s * SECOND + s % 7 * 1000000;

		if (s > 4)
			assert_in_range((uint64_t)(error_at(ns, TRUE_HZ) + 20000), 0, 40000);
		clock_steer(&c, tsc_at(ns, TRUE_HZ), MONO_NS + ns);
		for (unsigned i = 0; i < 8; i++) {
			uint64_t now = clock_ns(&c, tsc_at(ns + i * 3000000, TRUE_HZ));

			assert_true(now > last);
			last = now;
		}
	}
	assert_true(error_at(40000 * (uint64_t)SECOND, TRUE_HZ) < 20000);
}

static void
test_without_it_time_drifts(void **state)
{
	begin();
	assert_true(error_at(1000 * (uint64_t)SECOND, TRUE_HZ) < -1000000000);
}

static void
test_a_change_of_the_kernels_pace_is_followed(void **state)
{
	begin();
	for (uint64_t s = 1; s <= 100; s++)
		clock_steer(&c, tsc_at(s * SECOND, KNOWN_HZ), MONO_NS + s * SECOND);
	/* From now on 500 ppm faster, as a time server may have it. */
	for (uint64_t s = 1; s <= 100; s++)
		clock_steer(&c, tsc_at((100 + s) * SECOND, KNOWN_HZ),
			    MONO_NS + 100 * (uint64_t)SECOND + s * 1000500000);
	assert_in_range((uint64_t)(error_at(200 * (uint64_t)SECOND, KNOWN_HZ) - 100 * 500000 + 20000), 0, 40000);
}

/* One second in which the TSC stood still or ran far too fast: time neither stops nor jumps, and comes back slowly. */
static void
test_a_pause_is_no_frequency(void **state)
{
	uint64_t last;

	begin();
	for (uint64_t s = 1; s <= 10; s++)
		clock_steer(&c, tsc_at(s * SECOND, KNOWN_HZ), MONO_NS + s * SECOND);
	last = clock_ns(&c, tsc_at(10 * (uint64_t)SECOND, KNOWN_HZ));
	/* Half a second of the monotonic clock is missing from the TSC. */
	clock_steer(&c, tsc_at(10 * (uint64_t)SECOND + SECOND / 2, KNOWN_HZ), MONO_NS + 11 * (uint64_t)SECOND);
	for (uint64_t s = 1; s <= 600; s++) {
		uint64_t ns = 10 * (uint64_t)SECOND + SECOND / 2 + s * SECOND, now = clock_ns(&c, tsc_at(ns, KNOWN_HZ));

		assert_true(now - last < SECOND + SECOND / 2 + SECOND / 500 && now > last);
		last = now;
		clock_steer(&c, tsc_at(ns, KNOWN_HZ), MONO_NS + ns + SECOND / 2);
	}
	assert_in_range((uint64_t)(error_at(610 * (uint64_t)SECOND, KNOWN_HZ) - SECOND / 2 + 20000), 0, 40000);
}

static void
test_readings_that_go_back_change_nothing(void **state)
{
	uint64_t later = tsc_at(5 * (uint64_t)SECOND, KNOWN_HZ), before;

	begin();
	clock_steer(&c, tsc_at(SECOND, KNOWN_HZ), MONO_NS + SECOND);
	before = clock_ns(&c, later);
	clock_steer(&c, tsc_at(SECOND / 2, KNOWN_HZ), MONO_NS + 2 * (uint64_t)SECOND);
	clock_steer(&c, tsc_at(2 * (uint64_t)SECOND, KNOWN_HZ), MONO_NS + SECOND);
	assert_int_equal(clock_ns(&c, later), before);
	assert_int_equal(clock_ns(&c, TSC - 100), START_NS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rounded_frequency_is_made_good),
		cmocka_unit_test(test_without_it_time_drifts),
		cmocka_unit_test(test_a_change_of_the_kernels_pace_is_followed),
		cmocka_unit_test(test_a_pause_is_no_frequency),
		cmocka_unit_test(test_readings_that_go_back_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
