/* From the control core to the writer: a ring in memory with one writer and one reader, which never waits for either. An
 * event is some kilobytes, so it is read where it lies.
 */
#include "ics_journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct ics_journal_queue {
	uint32_t mask;
	_Atomic uint32_t head __attribute__((aligned(64))); /* written by push */
	_Atomic uint32_t tail __attribute__((aligned(64))); /* written by done */
	struct ics_journal_event ev[] __attribute__((aligned(64)));
};

struct ics_journal_queue *
ics_journal_queue_new(uint32_t len)
{
	struct ics_journal_queue *q;

	if (len == 0 || (len & (len - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	q = aligned_alloc(64, (sizeof(*q) + len * sizeof(q->ev[0]) + 63) / 64 * 64);
	if (q == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	q->mask = len - 1;
	atomic_init(&q->head, 0);
	atomic_init(&q->tail, 0);
	return q;
}

void
ics_journal_queue_free(struct ics_journal_queue *q)
{
	free(q);
}

/* Of the small events, which are most of a start and of a loss, only what they hold is copied. */
static size_t
length_of(const struct ics_journal_event *ev)
{
	return ev->kind <= ICS_JOURNAL_CLEAR ? sizeof(*ev)
					     : offsetof(struct ics_journal_event, lost_class) + sizeof(ev->lost_class);
}

bool
ics_journal_queue_push(struct ics_journal_queue *q, const struct ics_journal_event *ev)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&q->tail, memory_order_acquire) > q->mask)
		return false;
	memcpy(&q->ev[head & q->mask], ev, length_of(ev));
	atomic_store_explicit(&q->head, head + 1, memory_order_release);
	return true;
}

const struct ics_journal_event *
ics_journal_queue_peek(struct ics_journal_queue *q)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	return atomic_load_explicit(&q->head, memory_order_acquire) == tail ? NULL : &q->ev[tail & q->mask];
}

void
ics_journal_queue_done(struct ics_journal_queue *q)
{
	atomic_store_explicit(&q->tail, atomic_load_explicit(&q->tail, memory_order_relaxed) + 1, memory_order_release);
}

unsigned
ics_journal_queue_fill(const struct ics_journal_queue *q)
{
	uint32_t tail = atomic_load_explicit((_Atomic uint32_t *)&q->tail, memory_order_relaxed);

	return atomic_load_explicit((_Atomic uint32_t *)&q->head, memory_order_relaxed) - tail;
}
