/* Deadlines in packet time: an intrusive binary heap, so that the next one is known at once and moving or cancelling
 * one costs a few swaps. The owner embeds the timer and keeps it in place while it is set.
 */
#ifndef ICS_TIMER_H
#define ICS_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct ics_timer;
/* now_ns: the deadline, or the clock where that is later. The timer is no longer set and may be set again. */
typedef void (*ics_timer_fn)(struct ics_timer *t, uint64_t now_ns);

struct ics_timer {
	uint64_t due_ns;
	ics_timer_fn fire;
	void *owner;
	uint32_t pos; /* in the heap, from 1 on; 0: not set */
};

struct ics_timers {
	struct ics_timer **heap; /* [1 .. n] */
	uint32_t n, cap;
};

void ics_timers_fini(struct ics_timers *h);
/* Sets t, or moves it. 0, or -ENOMEM when it was not set and cannot be. */
int ics_timer_set(struct ics_timers *h, struct ics_timer *t, uint64_t due_ns);
void ics_timer_cancel(struct ics_timers *h, struct ics_timer *t);
/* Fires everything that is due at now_ns, earliest first; *clock_ns is each deadline in turn, unless it is later. */
void ics_timers_run(struct ics_timers *h, uint64_t now_ns, uint64_t *clock_ns);

static inline bool
ics_timers_are_due(const struct ics_timers *h, uint64_t now_ns)
{
	return h->n != 0 && h->heap[1]->due_ns <= now_ns;
}

#endif
