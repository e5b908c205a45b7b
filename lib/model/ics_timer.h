/* Deadlines in packet time: a timing wheel for what is not due soon, where setting, moving and cancelling cost a few
 * stores, and a heap for the slot at hand, so that timers fire at their deadline to the nanosecond and in order. The owner
 * embeds the timer and keeps it in place while it is set. A zeroed struct ics_timers is empty.
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
	struct ics_timer *next, **link; /* in a list: what points here */
	uint32_t pos;                   /* in the heap, from 1 on; 0: not set; else one of the lists */
};

/* Slots of about a second; those of four and a half hours. */
#define ICS_TIMER_SLOT_SHIFT 30
#define ICS_TIMER_SLOTS 16384

struct ics_timers {
	struct ics_timer **heap; /* [1 .. n]: slots up to now_slot */
	uint32_t n, cap;         /* cap has room for all that are set */
	uint32_t n_listed;       /* in the wheel or far */
	struct ics_timer **slot; /* heads of lists: slots behind now_slot, before now_slot + ICS_TIMER_SLOTS */
	uint64_t *taken;         /* a bit a slot; one whose timers were cancelled may still be set */
	struct ics_timer *far;   /* beyond the wheel, in no order */
	uint64_t now_slot;
	uint64_t far_slot; /* none in far is before */
	uint64_t next_ns;  /* none in a list is due before */
};

void ics_timers_fini(struct ics_timers *h);
/* Sets t, or moves it. 0, or -ENOMEM when it was not set and cannot be. */
int ics_timer_set(struct ics_timers *h, struct ics_timer *t, uint64_t due_ns);
void ics_timer_cancel(struct ics_timers *h, struct ics_timer *t);
/* Fires everything that is due at now_ns, earliest first; *clock_ns is each deadline in turn, unless it is later. */
void ics_timers_run(struct ics_timers *h, uint64_t now_ns, uint64_t *clock_ns);

/* True when something may be due. */
static inline bool
ics_timers_are_due(const struct ics_timers *h, uint64_t now_ns)
{
	return h->n != 0 ? h->heap[1]->due_ns <= now_ns : h->n_listed != 0 && h->next_ns <= now_ns;
}

#endif
