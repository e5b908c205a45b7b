/* The repeat cache: sets of four; a slot is a line, all that a further copy touches, and its record another. See
 * ics_fold.h for the contract. A slot lives for one window, counted from its first copy. Called by ics_inspect.
 */
#include "ics_fold.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
	uint64_t hash, len; /* these three: struct ics_fold_key; hash 0: free */
	uint32_t kind;
	uint32_t gap_ns; /* shortest time between two copies since copies were last handed over without frame */
	uint64_t first_ns, last_ns;
	uint32_t count;   /* copies in this window */
	uint32_t pending; /* of them: not yet handed over */
	uint32_t next;    /* count at which the next record goes */
	uint8_t lane;
	uint8_t class, encap, has_reasons; /* of rec, which the usual copy does not touch */
	uint64_t due_ns;                   /* when those that wait go, whatever the count */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct slot) == 64, "a further copy touches one cache line");

struct ics_fold {
	uint64_t pending;
	uint32_t sweep_at;
	uint32_t live; /* slots with copies waiting */
	uint8_t owned;
	bool missing; /* the last message was not here: whole sets are fetched */
	struct slot slot[ICS_FOLD_SLOTS] __attribute__((aligned(64)));
	/* Of each slot: as last sent; the copies differ in time alone. Apart, so that lines which copies touch fall on all sets
	 * of the first-level cache.
	 */
	struct ics_record rec[ICS_FOLD_SLOTS] __attribute__((aligned(64)));
};

size_t
ics_fold_size(void)
{
	return sizeof(struct ics_fold);
}

struct ics_fold *
ics_fold_init(void *mem)
{
	struct ics_fold *f = mem;

	if (f == NULL) {
		f = aligned_alloc(64, sizeof(*f));
		if (f == NULL) {
			errno = ENOMEM;
			return NULL;
		}
		memset(f, 0, sizeof(*f));
		f->owned = 1;
	}
	/* Their windows are over at any time. */
	for (unsigned i = 0; i < ICS_FOLD_SLOTS; i++)
		f->slot[i].first_ns = -ICS_FOLD_WINDOW_NS;
	return f;
}

void
ics_fold_free(struct ics_fold *f)
{
	if (f != NULL && f->owned)
		free(f);
}

uint64_t
ics_fold_pending(const struct ics_fold *f)
{
	return f->pending;
}

bool
ics_fold_take(struct ics_fold *f, uint32_t slot, struct ics_fold_out *out)
{
	struct slot *s = &f->slot[slot];

	if (s->pending == 0)
		return false;
	ics_record_copy(&out->rec, &f->rec[slot]);
	out->rec.ts_ns = s->last_ns;
	out->rec.repeats = s->pending - 1;
	out->rec.cap_len = 0;
	out->rec.flags |= ICS_REC_COPIES;
	out->rec.min_gap_ns = s->gap_ns;
	out->lane = (enum ics_lane)s->lane;
	out->slot = slot;
	s->gap_ns = UINT32_MAX;
	f->pending -= s->pending;
	f->live--;
	s->pending = 0;
	return true;
}

static bool
wait_again(struct ics_fold *f, struct slot *s, uint64_t messages)
{
	s->next = s->count + 1;
	if (s->pending + messages > ICS_FOLD_WAITING_MAX)
		return false;
	f->live += s->pending == 0;
	f->pending += messages;
	s->pending += (uint32_t)messages;
	return true;
}

bool
ics_fold_give_back(struct ics_fold *f, uint32_t slot, const struct ics_record *rec)
{
	struct slot *s = &f->slot[slot];

	if (rec->flags & ICS_REC_COPIES)
		s->gap_ns = rec->min_gap_ns;
	return wait_again(f, s, 1 + (uint64_t)rec->repeats);
}

bool
ics_fold_wait(struct ics_fold *f, uint32_t slot, uint64_t ts_ns, enum ics_lane lane)
{
	struct slot *s = &f->slot[slot];

	s->lane = (uint8_t)lane;
	s->count = 1;
	s->first_ns = s->last_ns = ts_ns;
	s->due_ns = ts_ns + ICS_FOLD_WINDOW_NS;
	return wait_again(f, s, 1);
}

static bool
is_same(const struct slot *s, const struct ics_fold_key *k)
{
	return ((s->hash ^ k->hash) | (s->len ^ k->len) | (s->kind ^ k->kind)) == 0;
}

/* The ways of a message are the slots of its set, from the one on that its hash names: if all began at the first, what is used
 * most would lie in few sets of the processor's cache.
 */
static inline uint32_t
next_way(uint32_t slot)
{
	return (slot & ~(ICS_FOLD_WAYS - 1u)) | ((slot + 1) % ICS_FOLD_WAYS);
}

/* Of urgent messages the first few copies go one by one, so that a short exchange keeps its order. */
static uint32_t
next_after(uint32_t count, uint32_t lane)
{
	if (lane != ICS_LANE_BULK && count < ICS_FOLD_URGENT_FREE)
		return count + 1;
	return count < ICS_FOLD_EARLY ? ICS_FOLD_EARLY
	       : count < 10           ? 10
	       : count < 100          ? 100
	       : count < 1000         ? 1000
				      : UINT32_MAX;
}

void
ics_fold_prefetch(const struct ics_fold *f, const struct ics_fold_key *key)
{
	uint32_t slot = key->slot;

	__builtin_prefetch(&f->slot[slot], 1);
	if (ics_likely(!f->missing))
		return;
	for (unsigned i = 1; i < ICS_FOLD_WAYS; i++)
		__builtin_prefetch(&f->slot[slot = next_way(slot)], 1);
}

const struct ics_record *
ics_fold_record(const struct ics_fold *f, const struct ics_fold_hit *hit)
{
	return &f->rec[hit->at.slot];
}

#define NO_SLOT ICS_FOLD_SLOTS

static uint32_t
find(const struct ics_fold *f, const struct ics_fold_key *key, uint32_t slot)
{
	for (unsigned i = 0; i < ICS_FOLD_WAYS; i++, slot = next_way(slot))
		if (ics_unlikely(f->slot[slot].hash == key->hash) && is_same(&f->slot[slot], key))
			return slot;
	return NO_SLOT;
}

/* Of the slots of a set, from the message's first on, those that may give way: one whose window is over, or that is free; one
 * whose message came once. So a flood of messages that come once passes over each other, and the others stay.
 */
struct room {
	uint32_t over, once; /* NO_SLOT: none */
	unsigned repeat;     /* messages that have come again in an open window */
};

static struct room
look_for_room(const struct ics_fold *f, uint32_t slot, uint64_t ts_ns)
{
	struct room r = {NO_SLOT, NO_SLOT, 0};

	for (unsigned i = 0; i < ICS_FOLD_WAYS; i++, slot = next_way(slot)) {
		const struct slot *s = &f->slot[slot];

		if (ics_unlikely(ts_ns - s->first_ns >= ICS_FOLD_WINDOW_NS))
			r.over = r.over == NO_SLOT ? slot : r.over;
		else if (s->count > 1)
			r.repeat++;
		else if (r.once == NO_SLOT)
			r.once = slot;
	}
	return r;
}

static uint32_t
longest_silent(const struct ics_fold *f, uint32_t slot)
{
	uint32_t r = slot;

	for (unsigned i = 1; i < ICS_FOLD_WAYS; i++) {
		slot = next_way(slot);
		if (f->slot[slot].last_ns < f->slot[r].last_ns)
			r = slot;
	}
	return r;
}

/* A message that is not in its first slot: where it is (again), or would go. Where all others of its set repeat it may be in a
 * second set: five that take turns in four ways would push each other out each time. By value, so that what a usual
 * look finds need not lie in memory.
 */
static __attribute__((noinline)) struct ics_fold_place
search(const struct ics_fold *f, const struct ics_fold_key *key, uint64_t ts_ns)
{
	uint32_t second = (uint32_t)(key->hash >> 44) % ICS_FOLD_SLOTS, slot = find(f, key, key->slot);
	struct room here, there;

	if (slot != NO_SLOT)
		return (struct ics_fold_place){slot, true};
	here = look_for_room(f, key->slot, ts_ns);
	slot = here.over != NO_SLOT ? here.over : here.once;
	if (ics_likely(here.repeat < ICS_FOLD_WAYS - 1))
		return (struct ics_fold_place){slot, false};
	there.once = find(f, key, second);
	if (there.once != NO_SLOT)
		return (struct ics_fold_place){there.once, true};
	if (here.over == NO_SLOT) {
		there = look_for_room(f, second, ts_ns);
		if (there.over != NO_SLOT)
			slot = there.over;
		else if (there.once != NO_SLOT)
			slot = there.once;
		else if (slot == NO_SLOT)
			slot = longest_silent(f, key->slot);
	}
	return (struct ics_fold_place){slot, false};
}

enum ics_fold_verdict
ics_fold_look(struct ics_fold *f, const struct ics_fold_key *key, uint64_t ts_ns, struct ics_fold_hit *hit)
{
	uint32_t slot = key->slot;
	struct slot *s = &f->slot[slot];
	uint64_t gap;

	if (ics_unlikely(!is_same(s, key))) {
		hit->at = search(f, key, ts_ns);
		f->missing = !hit->at.again;
		if (f->missing)
			return ICS_FOLD_MISS;
		slot = hit->at.slot;
		s = &f->slot[slot];
	}
	hit->at = (struct ics_fold_place){slot, true};
	if (ts_ns - s->first_ns >= ICS_FOLD_WINDOW_NS)
		return ICS_FOLD_MISS;
	hit->lane = (enum ics_lane)s->lane;
	hit->class = s->class;
	hit->encap = s->encap;
	hit->has_reasons = s->has_reasons;
	gap = ts_ns - s->last_ns;
	s->gap_ns = gap < s->gap_ns ? (uint32_t)gap : s->gap_ns;
	s->last_ns = ts_ns;
	if (ics_likely(++s->count < s->next)) {
		f->live += s->pending++ == 0;
		f->pending++;
		return ICS_FOLD_WAIT;
	}
	s->next = next_after(s->count, s->lane);
	s->due_ns = s->count >= ICS_FOLD_STORM ? ts_ns + ICS_FOLD_STORM_NS : s->first_ns + ICS_FOLD_WINDOW_NS;
	f->rec[slot].ts_ns = ts_ns;
	f->rec[slot].repeats = s->pending;
	if (s->pending != 0) {
		f->pending -= s->pending;
		f->live--;
		s->pending = 0;
	}
	return ICS_FOLD_SEND;
}

void
ics_fold_insert(struct ics_fold *f, uint32_t slot, const struct ics_fold_key *key, const struct ics_record *rec,
		enum ics_lane lane)
{
	struct slot *s = &f->slot[slot];

	s->hash = key->hash;
	s->len = key->len;
	s->kind = key->kind;
	s->gap_ns = UINT32_MAX;
	s->due_ns = rec->ts_ns + ICS_FOLD_WINDOW_NS;
	s->first_ns = s->last_ns = rec->ts_ns;
	s->count = 1;
	s->next = next_after(1, lane);
	s->lane = (uint8_t)lane;
	s->class = rec->class;
	s->encap = rec->encap;
	s->has_reasons = !ics_reasons_empty(&rec->reasons);
	ics_record_copy(&f->rec[slot], rec);
}

unsigned
ics_fold_sweep(struct ics_fold *f, uint64_t now_ns, struct ics_fold_out *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ICS_FOLD_SLOTS && n < max && f->live != 0; i++) {
		uint32_t slot = f->sweep_at++ % ICS_FOLD_SLOTS;
		struct slot *s = &f->slot[slot];

		if (s->pending == 0)
			continue;
		if (now_ns < s->due_ns)
			continue;
		s->due_ns = now_ns + ICS_FOLD_STORM_NS;
		ics_fold_take(f, slot, &out[n++]);
	}
	return n;
}
