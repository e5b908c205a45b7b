/* What a worker does between two polls that brought nothing ([worker] idle). Called by worker.c alone.
 *
 * poll asks again at once. pause waits longer and longer, up to 64 pause instructions: a few microseconds, in which
 * a port of any speed fills a fraction of its descriptors. sleep gives the CPU away, from 0.02 up to 0.16 ms
 * (and the kernel's timer slack, 0.05 ms): 1024 descriptors hold that of 4 million frames a second.
 */
#ifndef ICMPSCOPE_REST_H
#define ICMPSCOPE_REST_H

#include "ics_config.h"

#include <rte_pause.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Empty polls in a row before a worker waits for longer, or sleeps. */
#define REST_POLLS 32
/* Each so many more empty polls, pauses double. */
#define REST_STEP 32
#define REST_PAUSES_SHIFT 6
#define REST_SLEEP_MIN_NS 20000u
#define REST_SLEEP_SHIFT 3
/* Of a worker that shares its CPU: others are waiting. */
#define REST_SHARED_NS 50000u

static inline bool
rest_sleeps(uint32_t idle, bool shared, unsigned empty)
{
	return (shared || idle == ICS_IDLE_SLEEP) && empty >= REST_POLLS;
}

static inline unsigned
rest_shift(unsigned empty, unsigned step, unsigned max)
{
	unsigned n = empty < REST_POLLS ? 0 : (empty - REST_POLLS) / step;

	return n < max ? n : max;
}

/* Nothing came, for the empty-th time in a row. shared: the worker's CPU has other work too. */
static inline void
rest(uint32_t idle, bool shared, unsigned empty)
{
	unsigned pauses = 1;
	struct timespec t = {.tv_nsec = REST_SHARED_NS};

	if (rest_sleeps(idle, shared, empty)) {
		if (idle == ICS_IDLE_SLEEP)
			t.tv_nsec = (long)REST_SLEEP_MIN_NS << rest_shift(empty, 1, REST_SLEEP_SHIFT);
		nanosleep(&t, NULL);
		return;
	}
	if (idle == ICS_IDLE_PAUSE)
		pauses <<= rest_shift(empty, REST_STEP, REST_PAUSES_SHIFT);
	while (pauses-- > 0)
		rte_pause();
}

#endif
