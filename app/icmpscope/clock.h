/* Packet time of live frames: one TSC read a burst, turned into nanoseconds since the epoch by a multiplication and a
 * shift. The epoch is read once, at the start, so time never jumps while detectors count it. From there on it follows the
 * kernel's monotonic clock: the frequency that DPDK knows of the TSC may be a rounded one, 0.1 % or two minutes a day off.
 */
#ifndef ICMPSCOPE_CLOCK_H
#define ICMPSCOPE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* So many corrections later a line is written again: whoever reads it was held up for seven seconds by then. */
#define CLOCK_LINES 8
/* Between two corrections; what is wrong by then is made good during the next. */
#define CLOCK_STEER_MS 1000
/* At most so much faster or slower than the TSC was found to be, in 1/2^SHIFT: 0.1 %. Time goes on whatever happens. */
#define CLOCK_SLEW_SHIFT 10
/* A correction begins so much later than it is told, so that nobody has read the time beyond it: none goes back. */
#define CLOCK_AHEAD_NS 10000000u
/* A frequency further than this from DPDK's is none: the machine was asleep or moved. 1.6 %. */
#define CLOCK_ODD_SHIFT 6
/* Between the two readings of a pair: further apart, somebody else had the CPU. */
#define CLOCK_PAIR_TSC 50000
#define CLOCK_PAIR_TRIES 4

/* From tsc0 on. */
struct clock_line {
	uint64_t tsc0, ns0;
	uint64_t mult; /* nanoseconds in a cycle, times 2^32 */
};

struct clock {
	uint64_t ns0; /* of the start */
	struct clock_line line[CLOCK_LINES];
	_Atomic unsigned at; /* the line in force */
	/* the control core's own */
	uint64_t nominal, rate; /* as mult: by DPDK, as measured */
	uint64_t start_mono, last_tsc, last_mono;
};

/* CPUs may differ by a few cycles: a reading from before the first line is its start. */
static inline uint64_t
clock_ns(const struct clock *c, uint64_t tsc)
{
	unsigned at = atomic_load_explicit((_Atomic unsigned *)&c->at, memory_order_acquire);
	const struct clock_line *l = &c->line[at % CLOCK_LINES];
	uint64_t delta;

	if (tsc < l->tsc0)
		l = &c->line[(at - 1) % CLOCK_LINES];
	delta = tsc > l->tsc0 ? tsc - l->tsc0 : 0;
	return l->ns0 + (uint64_t)((unsigned __int128)delta * l->mult >> 32);
}

static inline void
clock_begin(struct clock *c, uint64_t tsc, uint64_t tsc_hz, uint64_t epoch_ns, uint64_t mono_ns)
{
	*c = (struct clock){.ns0 = epoch_ns, .start_mono = mono_ns, .last_tsc = tsc, .last_mono = mono_ns};
	c->nominal = c->rate = (uint64_t)(((unsigned __int128)1000000000u << 32) / tsc_hz);
	for (unsigned i = 0; i < CLOCK_LINES; i++)
		c->line[i] = (struct clock_line){.tsc0 = tsc, .ns0 = epoch_ns, .mult = c->nominal};
}

/* Once a second: tsc and the monotonic clock, read together. One writer. */
static inline void
clock_steer(struct clock *c, uint64_t tsc, uint64_t mono_ns)
{
	unsigned at = atomic_load_explicit(&c->at, memory_order_relaxed);
	uint64_t cycles = tsc - c->last_tsc, took = mono_ns - c->last_mono, measured, from;
	int64_t off, most = (int64_t)(c->nominal >> CLOCK_SLEW_SHIFT), more;
	struct clock_line *l = &c->line[(at + 1) % CLOCK_LINES];
	bool forward = tsc > c->last_tsc && mono_ns > c->last_mono;

	c->last_tsc = tsc;
	c->last_mono = mono_ns;
	if (!forward || took > UINT32_MAX)
		return;
	measured = (took << 32) / cycles;
	if (measured > c->nominal - (c->nominal >> CLOCK_ODD_SHIFT) &&
	    measured < c->nominal + (c->nominal >> CLOCK_ODD_SHIFT))
		c->rate = measured;
	/* Behind: positive. What is off, spread over as many cycles as the last second had. */
	off = (int64_t)(c->ns0 + (mono_ns - c->start_mono) - clock_ns(c, tsc));
	more = (int64_t)((__int128)off * ((__int128)1 << 32) / (__int128)cycles);
	more = more > most ? most : more < -most ? -most : more;
	from = tsc + ((uint64_t)CLOCK_AHEAD_NS << 32) / c->nominal;
	*l = (struct clock_line){.tsc0 = from, .ns0 = clock_ns(c, from), .mult = (uint64_t)((int64_t)c->rate + more)};
	atomic_store_explicit(&c->at, at + 1, memory_order_release);
}

static inline uint64_t
clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void
clock_init(struct clock *c, uint64_t tsc, uint64_t tsc_hz)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	clock_begin(c, tsc, tsc_hz, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec, clock_mono_ns());
}

/* Reads both clocks with nothing in between, and steers; not if somebody comes in between each time. */
static inline void
clock_turn(struct clock *c, uint64_t (*read_tsc)(void))
{
	for (unsigned i = 0; i < CLOCK_PAIR_TRIES; i++) {
		uint64_t before = read_tsc(), mono = clock_mono_ns(), after = read_tsc();

		if (after - before > CLOCK_PAIR_TSC)
			continue;
		clock_steer(c, before + (after - before) / 2, mono);
		return;
	}
}

#endif
