/* The repeat cache: direct-mapped, two lines a slot; the first is all that a further copy touches. See
 * ics_fold.h for the contract. A slot lives for one window, counted from its first copy.
 */
#include "ics_fold.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
	uint64_t hash; /* 0: free */
	uint64_t first_ns, last_ns;
	uint32_t count;	  /* copies in this window */
	uint32_t pending; /* of them: not yet handed over */
	uint32_t next;	  /* count at which the next record goes */
	uint16_t vlan_outer, vlan_inner;
	uint8_t port, lane, encap;
	uint8_t spare[17];
	struct ics_record rec; /* as first sent; the copies differ in time alone */
} __attribute__((aligned(64)));

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

/* Hands the waiting copies of a slot over as a record without frame. */
static void
flush(struct ics_fold *f, struct slot *s, struct ics_fold_out *out)
{
	out->rec = s->rec;
	out->rec.ts_ns = s->last_ns;
	out->rec.repeats = s->pending - 1;
	out->rec.cap_len = 0;
	out->rec.flags |= ICS_REC_COPIES;
	out->lane = (enum ics_lane)s->lane;
	out->valid = true;
	f->pending -= s->pending;
	f->live--;
	s->pending = 0;
}

static bool
is_same(const struct slot *s, const struct ics_record *rec)
{
	return s->hash == rec->frame_hash && s->vlan_outer == rec->vlan_outer && s->vlan_inner == rec->vlan_inner &&
	       s->port == rec->port && s->encap == rec->encap;
}

bool
ics_fold_message(struct ics_fold *f, struct ics_record *rec, enum ics_lane lane, struct ics_fold_out *evicted)
{
	struct slot *s = &f->slot[rec->frame_hash % ICS_FOLD_SLOTS];

	evicted->valid = false;
	if (is_same(s, rec) && rec->ts_ns - s->first_ns < ICS_FOLD_WINDOW_NS) {
		s->count++;
		s->last_ns = rec->ts_ns;
		if (s->count < s->next) {
			f->live += s->pending++ == 0;
			f->pending++;
			return false;
		}
		s->next = s->count < ICS_FOLD_URGENT_FREE && lane != ICS_LANE_BULK ? s->count + 1
			  : s->count < 10					   ? 10
			  : s->count < 100					   ? 100
			  : s->count < 1000					   ? 1000
										   : UINT32_MAX;
		rec->repeats = s->pending;
		if (s->pending != 0) {
			f->pending -= s->pending;
			f->live--;
			s->pending = 0;
		}
		return true;
	}
	if (s->pending != 0)
		flush(f, s, evicted);
	s->hash = rec->frame_hash;
	s->first_ns = s->last_ns = rec->ts_ns;
	s->count = 1;
	s->next = lane == ICS_LANE_BULK ? 10 : 2;
	s->vlan_outer = rec->vlan_outer;
	s->vlan_inner = rec->vlan_inner;
	s->port = rec->port;
	s->encap = rec->encap;
	s->lane = (uint8_t)lane;
	s->rec = *rec;
	return true;
}

unsigned
ics_fold_sweep(struct ics_fold *f, uint64_t now_ns, struct ics_fold_out *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ICS_FOLD_SLOTS && n < max && f->live != 0; i++) {
		struct slot *s = &f->slot[f->sweep_at++ % ICS_FOLD_SLOTS];

		if (s->pending == 0)
			continue;
		if (now_ns == UINT64_MAX || now_ns - s->first_ns >= ICS_FOLD_WINDOW_NS)
			flush(f, s, &out[n++]);
	}
	return n;
}
