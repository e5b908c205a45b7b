/* Repeat cache of one worker: identical messages inside a short window become a count. The first copy goes at
 * once (of urgent messages the first few, so that a short exchange keeps its order), then the 10th, 100th and
 * 1000th; what lies between rides on the next of them as repeats, or on a record of its own when the window
 * closes. Nothing is lost: every copy is delivered in a count.
 */
#ifndef ICS_FOLD_H
#define ICS_FOLD_H

#include "ics_record.h"

#define ICS_FOLD_SLOTS 1024
#define ICS_FOLD_WINDOW_NS 1000000000ull
#define ICS_FOLD_URGENT_FREE 8

struct ics_fold;

/* NULL and errno when there is no memory. mem, if not NULL, is ics_fold_size() zeroed bytes aligned to 64
 * that the caller owns (NUMA placement).
 */
size_t ics_fold_size(void);
struct ics_fold *ics_fold_init(void *mem);
/* Frees what init allocated; memory that the caller brought stays the caller's. */
void ics_fold_free(struct ics_fold *f);

/* Looks at one message. Returns true when rec is to be sent now (rec->repeats then holds the copies that
 * waited), false when it was folded. A slot that rec pushes out of the cache is flushed into sink first.
 */
struct ics_fold_out {
	struct ics_record rec; /* a record without frame for copies that were waiting in a reused slot */
	bool valid;
	enum ics_lane lane;
};
bool ics_fold_message(struct ics_fold *f, struct ics_record *rec, enum ics_lane lane, struct ics_fold_out *evicted);

/* Closes at most max slots whose window is over at now_ns, or every slot that has copies waiting when
 * now_ns is UINT64_MAX. Returns how many out[] were filled. Call it when idle and once in a while.
 */
unsigned ics_fold_sweep(struct ics_fold *f, uint64_t now_ns, struct ics_fold_out *out, unsigned max);

/* Copies that wait in the cache, for the conservation identity. */
uint64_t ics_fold_pending(const struct ics_fold *f);

#endif
