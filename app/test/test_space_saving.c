/* Space-saving: exact while everybody fits, bounded error beyond, heavy ones never lost. */
#include "ics_sketch.h"
#include "ics_wire.h"

#include "test_common.h"

#define SEED 0x5eed

static uint64_t
random64(uint64_t *x)
{
	return *x = ics_hash_mix(*x, 0x1234567);
}

static void
few_are_exact(void **state)
{
	struct ics_top_item top[ICS_TOP_ENTRIES + 1];
	struct ics_top t;

	ics_top_init(&t, SEED);
	assert_int_equal(ics_top_list(&t, top, 5), 0);
	for (unsigned round = 0; round < 3; round++)
		for (uint32_t i = 0; i < ICS_TOP_ENTRIES; i++)
			ics_top_add(&t, &i, sizeof(i), i + 1);
	assert_int_equal(ics_top_list(&t, top, ICS_TOP_ENTRIES + 1), ICS_TOP_ENTRIES);
	for (uint32_t i = 0; i < ICS_TOP_ENTRIES; i++) {
		uint32_t who;

		memcpy(&who, top[i].key, sizeof(who));
		assert_int_equal(who, ICS_TOP_ENTRIES - 1 - i);
		assert_int_equal(top[i].count, 3 * (ICS_TOP_ENTRIES - i));
		assert_int_equal(top[i].error, 0);
		assert_int_equal(ics_top_count(&t, &who, sizeof(who)), top[i].count);
	}
	assert_int_equal(ics_top_list(&t, top, 3), 3);
	assert_int_equal(top[2].count, 3 * (ICS_TOP_ENTRIES - 2));
	ics_top_halve(&t);
	assert_int_equal(ics_top_list(&t, top, 1), 1);
	assert_int_equal(top[0].count, 3 * ICS_TOP_ENTRIES / 2);
}

/* A stream of names that come once each does not hide those that come often, and bounds hold for every item listed. */
static void
heavy_ones_stay(void **state)
{
	enum { HEAVY = 8, STREAM = 200000 };
	uint64_t real[HEAVY] = {0}, x = 1;
	struct ics_top_item top[ICS_TOP_ENTRIES];
	struct ics_top t;

	ics_top_init(&t, SEED);
	for (unsigned i = 0; i < STREAM; i++) {
		uint64_t name = random64(&x);

		if (i % 5 == 0) {
			name = name % HEAVY;
			real[name]++;
		} else {
			name |= 1ull << 63;
		}
		ics_top_add(&t, &name, sizeof(name), 1);
	}
	assert_int_equal(t.total, STREAM);
	assert_int_equal(ics_top_list(&t, top, ICS_TOP_ENTRIES), ICS_TOP_ENTRIES);
	for (unsigned i = 0; i < HEAVY; i++) {
		uint64_t name;

		memcpy(&name, top[i].key, sizeof(name));
		assert_true(name < HEAVY);
		assert_true(top[i].count >= real[name]);
		assert_true(top[i].count - top[i].error <= real[name]);
		assert_true(top[i].error <= STREAM / ICS_TOP_ENTRIES);
		real[name] = 0; /* each is listed once */
	}
	for (unsigned i = 0; i < HEAVY; i++)
		assert_int_equal(real[i], 0);
	assert_int_equal(ics_top_count(&t, "nobody", 6), 0);
}

/* Against counting for real, with names that come and go: what is listed is within its error, the sum is the total. */
static void
against_exact_counts(void **state)
{
	enum { NAMES = 500 };
	struct ics_top_item top[ICS_TOP_ENTRIES];
	uint64_t real[NAMES] = {0}, x = 7, sum = 0;
	struct ics_top t;

	ics_top_init(&t, SEED + 1);
	for (unsigned i = 0; i < 50000; i++) {
		uint32_t name = (uint32_t)(random64(&x) % NAMES * (random64(&x) % NAMES) / NAMES);
		uint64_t n = 1 + random64(&x) % 3;

		real[name] += n;
		ics_top_add(&t, &name, sizeof(name), n);
	}
	assert_int_equal(ics_top_list(&t, top, ICS_TOP_ENTRIES), ICS_TOP_ENTRIES);
	for (unsigned i = 0; i < ICS_TOP_ENTRIES; i++) {
		uint32_t name;

		memcpy(&name, top[i].key, sizeof(name));
		assert_in_range(real[name], top[i].count - top[i].error, top[i].count);
		assert_int_equal(ics_top_count(&t, &name, sizeof(name)), top[i].count);
		sum += top[i].count;
	}
	assert_int_equal(sum, t.total);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_are_exact),
		cmocka_unit_test(heavy_ones_stay),
		cmocka_unit_test(against_exact_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
