/* The clock of the benchmarks: the CPU time of the thread that asks, which others' turns on its CPU do not lengthen. */
#ifndef ICMPSCOPE_BENCH_CPU_H
#define ICMPSCOPE_BENCH_CPU_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif
