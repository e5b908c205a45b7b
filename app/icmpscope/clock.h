/* Packet time of live frames: one TSC read a burst, turned into nanoseconds since the epoch by a multiplication and a
 * shift. The epoch is read once, at the start, so time never jumps while detectors count it.
 */
#ifndef ICMPSCOPE_CLOCK_H
#define ICMPSCOPE_CLOCK_H

#include <stdint.h>
#include <time.h>

struct clock {
	uint64_t tsc0, ns0;
	uint64_t mult; /* nanoseconds in a cycle, times 2^32 */
};

static inline void
clock_init(struct clock *c, uint64_t tsc, uint64_t tsc_hz)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	c->tsc0 = tsc;
	c->ns0 = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	c->mult = (uint64_t)(((unsigned __int128)1000000000u << 32) / tsc_hz);
}

/* CPUs may differ by a few cycles: a reading from before the start is the start. */
static inline uint64_t
clock_ns(const struct clock *c, uint64_t tsc)
{
	uint64_t delta = tsc > c->tsc0 ? tsc - c->tsc0 : 0;

	return c->ns0 + (uint64_t)((unsigned __int128)delta * c->mult >> 32);
}

#endif
