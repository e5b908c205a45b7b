/* The wheel and the heap behind ics_timer.h. Their size is bounded by the tables whose entries embed timers. What is in the
 * heap is due before all that is in a list, so the wheel turns only when the heap is empty, and then to the next slot that
 * holds something, however far that is.
 */
#include "ics_timer.h"

#include <errno.h>
#include <stdlib.h>

/* ics_timer.pos of those in lists */
#define IN_WHEEL UINT32_MAX
#define IN_FAR (UINT32_MAX - 1)
#define WORD_BITS 64
#define WORDS (ICS_TIMER_SLOTS / WORD_BITS)

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

static void
heap_push(struct ics_timers *h, struct ics_timer *t)
{
	t->pos = ++h->n;
	sift_up(h, t->pos, t);
}

static void
heap_remove(struct ics_timers *h, struct ics_timer *t)
{
	uint32_t pos = t->pos;
	struct ics_timer *last = h->heap[h->n--];

	if (last == t)
		return;
	if (pos > 1 && h->heap[pos / 2]->due_ns > last->due_ns)
		sift_up(h, pos, last);
	else
		sift_down(h, pos, last);
}

static uint64_t
slot_of(uint64_t due_ns)
{
	return due_ns >> ICS_TIMER_SLOT_SHIFT;
}

static void
list_push(struct ics_timers *h, struct ics_timer **head, struct ics_timer *t)
{
	t->next = *head;
	t->link = head;
	if (t->next != NULL)
		t->next->link = &t->next;
	*head = t;
	h->n_listed++;
}

static void
list_remove(struct ics_timers *h, struct ics_timer *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	h->n_listed--;
}

/* Puts a timer that is nowhere where its deadline belongs. */
static void
file(struct ics_timers *h, struct ics_timer *t)
{
	uint64_t slot = slot_of(t->due_ns), at = slot % ICS_TIMER_SLOTS;

	if (slot <= h->now_slot) {
		heap_push(h, t);
		return;
	}
	if (slot - h->now_slot < ICS_TIMER_SLOTS) {
		t->pos = IN_WHEEL;
		list_push(h, &h->slot[at], t);
		h->taken[at / WORD_BITS] |= 1ull << at % WORD_BITS;
	} else {
		t->pos = IN_FAR;
		if (h->far == NULL || slot < h->far_slot)
			h->far_slot = slot;
		list_push(h, &h->far, t);
	}
	if (h->n_listed == 1 || slot << ICS_TIMER_SLOT_SHIFT < h->next_ns)
		h->next_ns = slot << ICS_TIMER_SLOT_SHIFT;
}

/* Room for one more: when a slot is taken into the heap, none can be missing. */
static int
make_room(struct ics_timers *h)
{
	if (h->slot == NULL) {
		h->slot = calloc(ICS_TIMER_SLOTS, sizeof(struct ics_timer *));
		h->taken = calloc(WORDS, sizeof(*h->taken));
		if (h->slot == NULL || h->taken == NULL) {
			ics_timers_fini(h);
			return -ENOMEM;
		}
	}
	if (h->n + h->n_listed + 1 >= h->cap) {
		uint32_t cap = h->cap == 0 ? 64 : 2 * h->cap;
		struct ics_timer **heap = realloc(h->heap, cap * sizeof(*heap));

		if (heap == NULL)
			return -ENOMEM;
		h->heap = heap;
		h->cap = cap;
	}
	return 0;
}

void
ics_timers_fini(struct ics_timers *h)
{
	free(h->heap);
	free(h->slot);
	free(h->taken);
	*h = (struct ics_timers){0};
}

static void
take_out(struct ics_timers *h, struct ics_timer *t)
{
	if (t->pos >= IN_FAR)
		list_remove(h, t);
	else
		heap_remove(h, t);
	t->pos = 0;
}

int
ics_timer_set(struct ics_timers *h, struct ics_timer *t, uint64_t due_ns)
{
	uint64_t slot = slot_of(due_ns);

	if (t->pos != 0)
		take_out(h, t);
	else if (make_room(h) != 0)
		return -ENOMEM;
	/* Nothing tells the time yet: this one is as far away as the wheel reaches, and others come before it. */
	if (h->n + h->n_listed == 0)
		h->now_slot = slot < ICS_TIMER_SLOTS ? 0 : slot - (ICS_TIMER_SLOTS - 1);
	t->due_ns = due_ns;
	file(h, t);
	return 0;
}

void
ics_timer_cancel(struct ics_timers *h, struct ics_timer *t)
{
	if (t->pos != 0)
		take_out(h, t);
}

/* Files anew what was beyond the wheel. */
static void
bring_near(struct ics_timers *h)
{
	struct ics_timer *t = h->far, *next;

	h->far = NULL;
	for (; t != NULL; t = next) {
		next = t->next;
		h->n_listed--;
		file(h, t);
	}
}

/* The first slot behind now_slot that may hold a timer; 0: none in the wheel. */
static uint64_t
next_taken(const struct ics_timers *h)
{
	uint64_t first = h->now_slot + 1;
	unsigned at = first % ICS_TIMER_SLOTS;

	for (unsigned i = 0; i <= WORDS; i++) {
		unsigned word = (at / WORD_BITS + i) % WORDS;
		uint64_t bits = h->taken[word];

		if (i == 0)
			bits &= ~0ull << at % WORD_BITS;
		if (bits != 0) {
			unsigned found = word * WORD_BITS + (unsigned)__builtin_ctzll(bits);

			return first + (found + ICS_TIMER_SLOTS - at) % ICS_TIMER_SLOTS;
		}
	}
	return 0;
}

/* Turns to the next slot that holds something and takes it into the heap, unless that is later than now_ns. */
static bool
turn(struct ics_timers *h, uint64_t now_ns)
{
	while (h->n == 0 && h->n_listed != 0) {
		uint64_t slot = next_taken(h);
		struct ics_timer *t;

		if (h->far != NULL && (slot == 0 || h->far_slot <= slot)) {
			/* Nothing is due before far_slot: the wheel may turn until it reaches that far. */
			if (h->far_slot - h->now_slot >= ICS_TIMER_SLOTS)
				h->now_slot = h->far_slot - (ICS_TIMER_SLOTS - 1);
			bring_near(h);
			slot = next_taken(h);
		}
		if (slot == 0)
			continue;
		h->next_ns = slot << ICS_TIMER_SLOT_SHIFT;
		if (h->next_ns > now_ns)
			return false;
		h->now_slot = slot;
		h->taken[slot % ICS_TIMER_SLOTS / WORD_BITS] &= ~(1ull << slot % WORD_BITS);
		while ((t = h->slot[slot % ICS_TIMER_SLOTS]) != NULL) {
			list_remove(h, t);
			heap_push(h, t);
		}
	}
	return h->n != 0 && h->heap[1]->due_ns <= now_ns;
}

void
ics_timers_run(struct ics_timers *h, uint64_t now_ns, uint64_t *clock_ns)
{
	/* A timer that fires may set itself again, later than its deadline: the loop ends. */
	while (turn(h, now_ns)) {
		struct ics_timer *t = h->heap[1];

		take_out(h, t);
		if (t->due_ns > *clock_ns)
			*clock_ns = t->due_ns;
		t->fire(t, *clock_ns);
	}
}
