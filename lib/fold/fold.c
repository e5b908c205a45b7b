/* The repeat cache: four-way, two lines a slot; the first is all that a further copy touches. See
 * ics_fold.h for the contract. A slot lives for one window, counted from its first copy. Called by ics_inspect.
 */
#include "ics_fold.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
	uint64_t hash; /* these five: struct ics_fold_key; 0: free */
	uint32_t cap_len, wire_len;
	uint16_t type, stripped_tci;
	uint32_t gap_ns; /* shortest time between two copies since copies were last handed over without frame */
	uint64_t first_ns, last_ns;
	uint32_t count;   /* copies in this window */
	uint32_t pending; /* of them: not yet handed over */
	uint32_t next;    /* count at which the next record goes */
	uint32_t lane;
	uint64_t due_ns;       /* when those that wait go, whatever the count */
	struct ics_record rec; /* as last sent; the copies differ in time alone */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct slot) == 128, "a further copy touches one cache line, a record the next");

struct ics_fold {
	uint64_t pending;
	uint32_t sweep_at;
	uint32_t live; /* slots with copies waiting */
	uint8_t owned;
	struct slot slot[ICS_FOLD_SLOTS] __attribute__((aligned(64)));
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

/* Makes of the waiting copies of a slot a record without frame. */
static void
take_copies(struct ics_fold *f, struct slot *s, struct ics_record *rec)
{
	ics_record_copy(rec, &s->rec);
	rec->ts_ns = s->last_ns;
	rec->repeats = s->pending - 1;
	rec->cap_len = 0;
	rec->flags |= ICS_REC_COPIES;
	rec->min_gap_ns = s->gap_ns;
	s->gap_ns = UINT32_MAX;
	f->pending -= s->pending;
	f->live--;
	s->pending = 0;
}

static void
flush(struct ics_fold *f, struct slot *s, struct ics_fold_out *out)
{
	take_copies(f, s, &out->rec);
	out->lane = (enum ics_lane)s->lane;
	out->valid = true;
}

static bool
is_same(const struct slot *s, const struct ics_fold_key *k)
{
	return s->hash == k->hash && s->cap_len == k->cap_len && s->wire_len == k->wire_len && s->type == k->type &&
	       s->stripped_tci == k->stripped_tci;
}

static inline struct slot *
set_of(struct ics_fold *f, const struct ics_fold_key *key)
{
	return &f->slot[(key->hash >> 32) % (ICS_FOLD_SLOTS / ICS_FOLD_WAYS) * ICS_FOLD_WAYS];
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
	const struct slot *s = set_of((struct ics_fold *)f, key);

	for (unsigned way = 0; way < ICS_FOLD_WAYS; way++)
		__builtin_prefetch(&s[way], 1);
}

enum ics_fold_verdict
ics_fold_look(struct ics_fold *f, const struct ics_fold_key *key, uint64_t ts_ns, const struct ics_record **rec,
	      enum ics_lane *lane)
{
	struct slot *s = set_of(f, key);
	unsigned way = 0;
	uint64_t gap;

	for (; !is_same(s, key); s++)
		if (++way == ICS_FOLD_WAYS)
			return ICS_FOLD_MISS;
	if (ts_ns - s->first_ns >= ICS_FOLD_WINDOW_NS)
		return ICS_FOLD_MISS;
	*rec = &s->rec;
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
	s->rec.ts_ns = ts_ns;
	s->rec.repeats = s->pending;
	*lane = (enum ics_lane)s->lane;
	if (s->pending != 0) {
		f->pending -= s->pending;
		f->live--;
		s->pending = 0;
	}
	return ICS_FOLD_SEND;
}

void
ics_fold_insert(struct ics_fold *f, const struct ics_fold_key *key, const struct ics_record *rec, enum ics_lane lane,
		struct ics_fold_out *evicted)
{
	struct slot *set = set_of(f, key), *s = set;

	/* Its own slot, whose window is over; else a free one, else the one that was silent for longest. */
	for (unsigned way = 0; way < ICS_FOLD_WAYS; way++) {
		if (set[way].hash == 0 || is_same(&set[way], key)) {
			s = &set[way];
			break;
		}
		if (set[way].last_ns < s->last_ns)
			s = &set[way];
	}
	evicted->valid = false;
	if (s->pending != 0)
		flush(f, s, evicted);
	s->hash = key->hash;
	s->cap_len = key->cap_len;
	s->wire_len = key->wire_len;
	s->type = key->type;
	s->stripped_tci = key->stripped_tci;
	s->gap_ns = UINT32_MAX;
	s->due_ns = rec->ts_ns + ICS_FOLD_WINDOW_NS;
	s->first_ns = s->last_ns = rec->ts_ns;
	s->count = 1;
	s->next = next_after(1, lane);
	s->lane = lane;
	ics_record_copy(&s->rec, rec);
}

unsigned
ics_fold_sweep(struct ics_fold *f, uint64_t now_ns, struct ics_fold_out *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ICS_FOLD_SLOTS && n < max && f->live != 0; i++) {
		struct slot *s = &f->slot[f->sweep_at++ % ICS_FOLD_SLOTS];

		if (s->pending == 0)
			continue;
		if (now_ns < s->due_ns)
			continue;
		s->due_ns = now_ns + ICS_FOLD_STORM_NS;
		flush(f, s, &out[n++]);
	}
	return n;
}
