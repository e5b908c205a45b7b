/* How far apart two CPUs are: the time in which a line of cache goes from CPU 0 to CPU 1 and back, in nanoseconds, best of
 * five hundredths of a second. A host that moves virtual CPUs between cores with and without a common cache changes it
 * by a factor of four, and with it whatever two CPUs do together; devtools/bench compares only what was measured at one distance.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define WINDOWS 5
#define WINDOW_NS 10000000
#define TURNS 50

static _Alignas(128) _Atomic uint64_t line;
static _Alignas(128) _Atomic bool stop;

static bool
take_cpu(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Makes each odd number the next even one. */
static void *
answer(void *arg)
{
	(void)arg;
	if (!take_cpu(0))
		atomic_store(&stop, true);
	for (uint64_t want = 1; !atomic_load_explicit(&stop, memory_order_relaxed);) {
		if (atomic_load_explicit(&line, memory_order_acquire) != want)
			continue;
		atomic_store_explicit(&line, want + 1, memory_order_release);
		want += 2;
	}
	return NULL;
}

/* Of TURNS turns, from an even number on. */
static uint64_t
ask(uint64_t *n)
{
	uint64_t start = now_ns();

	for (unsigned i = 0; i < TURNS; i++) {
		atomic_store_explicit(&line, *n + 1, memory_order_release);
		*n += 2;
		while (atomic_load_explicit(&line, memory_order_acquire) != *n)
			if (atomic_load_explicit(&stop, memory_order_relaxed))
				return UINT64_MAX;
	}
	return (now_ns() - start) / TURNS;
}

int
main(void)
{
	uint64_t n = 0, best = UINT64_MAX;
	pthread_t other;

	if (!take_cpu(1) || pthread_create(&other, NULL, answer, NULL) != 0) {
		fprintf(stderr, "icmpscope-bench-roundtrip: CPU 0 and CPU 1 are needed\n");
		return 1;
	}
	for (unsigned w = 0; w < WINDOWS; w++) {
		for (uint64_t end = now_ns() + WINDOW_NS; now_ns() < end && !atomic_load(&stop);) {
			uint64_t ns = ask(&n);

			best = ns < best ? ns : best;
		}
	}
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	if (best == UINT64_MAX)
		return 1;
	printf("%llu\n", (unsigned long long)best);
	return 0;
}
