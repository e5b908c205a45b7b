/* The heap behind ics_timer.h. Its size is bounded by the tables whose entries embed timers (routers, open anomalies). */
#include "ics_timer.h"

#include <errno.h>
#include <stdlib.h>

static void
place(struct ics_timers *h, uint32_t pos, struct ics_timer *t)
{
	h->heap[pos] = t;
	t->pos = pos;
}

static void
sift_up(struct ics_timers *h, uint32_t pos, struct ics_timer *t)
{
	for (; pos > 1 && h->heap[pos / 2]->due_ns > t->due_ns; pos /= 2)
		place(h, pos, h->heap[pos / 2]);
	place(h, pos, t);
}

static void
sift_down(struct ics_timers *h, uint32_t pos, struct ics_timer *t)
{
	for (uint32_t child; (child = 2 * pos) <= h->n; pos = child) {
		if (child < h->n && h->heap[child + 1]->due_ns < h->heap[child]->due_ns)
			child++;
		if (h->heap[child]->due_ns >= t->due_ns)
			break;
		place(h, pos, h->heap[child]);
	}
	place(h, pos, t);
}

void
ics_timers_fini(struct ics_timers *h)
{
	free(h->heap);
	h->heap = NULL;
	h->n = h->cap = 0;
}

int
ics_timer_set(struct ics_timers *h, struct ics_timer *t, uint64_t due_ns)
{
	if (t->pos == 0) {
		if (h->n + 1 >= h->cap) {
			uint32_t cap = h->cap == 0 ? 64 : 2 * h->cap;
			struct ics_timer **heap = realloc(h->heap, cap * sizeof(*heap));

			if (heap == NULL)
				return -ENOMEM;
			h->heap = heap;
			h->cap = cap;
		}
		t->pos = ++h->n;
	}
	t->due_ns = due_ns;
	if (t->pos > 1 && h->heap[t->pos / 2]->due_ns > due_ns)
		sift_up(h, t->pos, t);
	else
		sift_down(h, t->pos, t);
	return 0;
}

void
ics_timer_cancel(struct ics_timers *h, struct ics_timer *t)
{
	uint32_t pos = t->pos;
	struct ics_timer *last;

	if (pos == 0)
		return;
	t->pos = 0;
	last = h->heap[h->n--];
	if (last == t)
		return;
	if (pos > 1 && h->heap[pos / 2]->due_ns > last->due_ns)
		sift_up(h, pos, last);
	else
		sift_down(h, pos, last);
}

void
ics_timers_run(struct ics_timers *h, uint64_t now_ns, uint64_t *clock_ns)
{
	/* A timer that fires may set itself again, later than its deadline: the loop ends. */
	while (ics_timers_are_due(h, now_ns)) {
		struct ics_timer *t = h->heap[1];

		ics_timer_cancel(h, t);
		if (t->due_ns > *clock_ns)
			*clock_ns = t->due_ns;
		t->fire(t, *clock_ns);
	}
}
