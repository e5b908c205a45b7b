/* Repeat cache of one worker: identical messages inside a short window become a count. The first copy goes at
 * once (of urgent messages the first few, so that a short exchange keeps its order), then the 5th, 10th, 100th
 * and 1000th; what lies between rides on the next of them as repeats, or on a record of its own when the window
 * closes. From the 10th copy on such a record goes every 100 ms too (when the worker sweeps): how a storm grows is
 * seen while it does. Nothing is lost: every copy is delivered in a count, and what the sink refuses waits again.
 */
#ifndef ICS_FOLD_H
#define ICS_FOLD_H

#include "ics_record.h"

#define ICS_FOLD_SLOTS 4096
#define ICS_FOLD_WAYS 4 /* slots of a set; while all of them hold messages that repeat, others go to a second set */
#define ICS_FOLD_WINDOW_NS 1000000000ull
#define ICS_FOLD_URGENT_FREE 8
/* So many messages at most wait in a slot because the sink refuses them. */
#define ICS_FOLD_WAITING_MAX (1u << 30)
/* Copies that tell early whether others repeat too, before the 10th makes a storm of it. */
#define ICS_FOLD_EARLY 5
/* So many copies in a window are a storm, of which copies are told as often as this. */
#define ICS_FOLD_STORM 10
#define ICS_FOLD_STORM_NS 100000000ull

struct ics_fold;

/* NULL and errno when there is no memory. mem, if not NULL, is ics_fold_size() zeroed bytes aligned to 64
 * that the caller owns (NUMA placement).
 */
size_t ics_fold_size(void);
struct ics_fold *ics_fold_init(void *mem);
/* Frees what init allocated; memory that the caller brought stays the caller's. */
void ics_fold_free(struct ics_fold *f);

/* What makes two frames copies of each other, found without decoding them: all of their bytes (hash covers
 * MACs and everything behind the type field) and how they came. Identical bytes have an identical verdict,
 * so a copy is counted from the slot and is neither decoded nor validated again.
 */
struct ics_fold_key {
	uint64_t hash; /* never 0 */
	uint64_t len;  /* captured, in the low half; on the wire, in the high one */
	uint32_t kind; /* the type field, in the low half; the tag that was taken out, in the high one */
	uint32_t slot; /* where it is looked for first */
};

static inline struct ics_fold_key
ics_fold_key(uint64_t hash, uint32_t cap_len, uint32_t wire_len, uint16_t type, uint16_t stripped_tci)
{
	return (struct ics_fold_key){hash, cap_len | (uint64_t)wire_len << 32, type | (uint32_t)stripped_tci << 16,
				     (uint32_t)(hash >> 32) % ICS_FOLD_SLOTS};
}

enum ics_fold_verdict {
	ICS_FOLD_MISS, /* a new message, or its window is over: decode it, then ics_fold_take() and ics_fold_insert() */
	ICS_FOLD_WAIT, /* a copy; counted in the slot */
	ICS_FOLD_SEND, /* a copy whose turn it is: send its record, which holds its time and the copies that waited */
};

/* Of a message that missed: where it would go. again: it is there already, and its window is over. */
struct ics_fold_place {
	uint32_t slot;
	bool again;
};

struct ics_fold_hit {
	struct ics_fold_place at;
	/* what a copy has in common with the first; not filled with MISS */
	bool has_reasons;
	enum ics_lane lane;
	uint8_t class, encap; /* as in the record */
};

/* Fetches the slot that a look, or an insertion, will want. */
void ics_fold_prefetch(const struct ics_fold *f, const struct ics_fold_key *key);
enum ics_fold_verdict ics_fold_look(struct ics_fold *f, const struct ics_fold_key *key, uint64_t ts_ns,
				    struct ics_fold_hit *hit);
/* What was found; good until the next call. */
const struct ics_record *ics_fold_record(const struct ics_fold *f, const struct ics_fold_hit *hit);

/* Copies that were waiting in a slot, as a record without frame. */
struct ics_fold_out {
	struct ics_record rec;
	enum ics_lane lane;
	uint32_t slot;
};
/* False: none wait there. */
bool ics_fold_take(struct ics_fold *f, uint32_t slot, struct ics_fold_out *out);
/* The sink refused a record of the message in that slot, of which it had one before: what the record stands for waits there
 * again, and goes with the next copy. False: too many wait already.
 */
bool ics_fold_give_back(struct ics_fold *f, uint32_t slot, const struct ics_record *rec);
/* Likewise for the first copy of a new window (MISS, again). */
bool ics_fold_wait(struct ics_fold *f, uint32_t slot, uint64_t ts_ns, enum ics_lane lane);

/* Remembers a message that the sink has taken, in a slot where none wait. */
void ics_fold_insert(struct ics_fold *f, uint32_t slot, const struct ics_fold_key *key, const struct ics_record *rec,
		     enum ics_lane lane);

/* Empties at most max slots whose window is over at now_ns, or where a storm is due, or every slot that has copies
 * waiting when now_ns is UINT64_MAX. Returns how many out[] were filled. Call it when idle and once in a while.
 */
unsigned ics_fold_sweep(struct ics_fold *f, uint64_t now_ns, struct ics_fold_out *out, unsigned max);

/* Copies that wait in the cache, for the conservation identity. */
uint64_t ics_fold_pending(const struct ics_fold *f);

#endif
