/* From the control core to the writer: a ring in memory with one writer and one reader, which never waits for either. */
#include "ics_history.h"

#include <errno.h>
#include <stdlib.h>

struct ics_history_queue {
	uint32_t mask;
	_Atomic uint32_t head __attribute__((aligned(64))); /* written by push */
	_Atomic uint32_t tail __attribute__((aligned(64))); /* written by pop */
	struct ics_history_event ev[] __attribute__((aligned(64)));
};

struct ics_history_queue *
ics_history_queue_new(uint32_t len)
{
	struct ics_history_queue *q;

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
ics_history_queue_free(struct ics_history_queue *q)
{
	free(q);
}

bool
ics_history_queue_push(struct ics_history_queue *q, const struct ics_history_event *ev)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&q->tail, memory_order_acquire) > q->mask)
		return false;
	q->ev[head & q->mask] = *ev;
	atomic_store_explicit(&q->head, head + 1, memory_order_release);
	return true;
}

unsigned
ics_history_queue_pop(struct ics_history_queue *q, struct ics_history_event *out, unsigned max)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&q->head, memory_order_acquire) - tail;

	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++)
		out[i] = q->ev[(tail + i) & q->mask];
	atomic_store_explicit(&q->tail, tail + n, memory_order_release);
	return n;
}

unsigned
ics_history_queue_fill(const struct ics_history_queue *q)
{
	uint32_t tail = atomic_load_explicit((_Atomic uint32_t *)&q->tail, memory_order_relaxed);

	return atomic_load_explicit((_Atomic uint32_t *)&q->head, memory_order_relaxed) - tail;
}
