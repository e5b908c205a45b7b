/* Exact counters of one worker. One writer (the worker), any number of readers: each counter is a C11
 * atomic written with a plain relaxed load and store, so it costs what an ordinary increment costs.
 * Conservation: frames = sum of classes, always; control = delivered + pending + dropped at rest.
 */
#ifndef ICS_COUNT_H
#define ICS_COUNT_H

#include "ics_classify.h"
#include "ics_reason.h"

#include <stdatomic.h>

typedef _Atomic uint64_t ics_counter;

/* Why a record did not reach the control core. */
enum ics_drop { ICS_DROP_URGENT_FULL, ICS_DROP_BULK_FULL, ICS_DROP_COUNT };

enum ics_encap_count {
	ICS_ENCAP_COUNT_vlan,
	ICS_ENCAP_COUNT_qinq,
	ICS_ENCAP_COUNT_mpls,
	ICS_ENCAP_COUNT_pppoe,
	ICS_ENCAP_COUNT_tunnel,
	ICS_ENCAP_COUNT_COUNT
};

struct ics_counters {
	ics_counter frames;
	ics_counter bytes;   /* on the wire, without FCS */
	ics_counter snapped; /* frames captured shorter than they were on the wire */
	ics_counter class[ICS_CLASS_COUNT];
	ics_counter reason[ICS_REASON_COUNT];
	ics_counter encap[ICS_ENCAP_COUNT_COUNT];
	ics_counter control;		   /* messages for the control core, copies included */
	ics_counter delivered;		   /* of them: handed over, as records or as repeats on records */
	ics_counter dropped[ICS_DROP_COUNT]; /* of them: lost, by cause */
	ics_counter dropped_class[ICS_CLASS_COUNT]; /* the same, by class */
	ics_counter records;		   /* records handed over */
} __attribute__((aligned(64)));

/* A copy taken at one moment, summable. */
struct ics_count_snapshot {
	uint64_t frames, bytes, snapped;
	uint64_t class[ICS_CLASS_COUNT];
	uint64_t reason[ICS_REASON_COUNT];
	uint64_t encap[ICS_ENCAP_COUNT_COUNT];
	uint64_t control, delivered, records;
	uint64_t dropped[ICS_DROP_COUNT];
	uint64_t dropped_class[ICS_CLASS_COUNT];
};

static inline void
ics_count_add(ics_counter *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t
ics_count_get(const ics_counter *c)
{
	return atomic_load_explicit((ics_counter *)c, memory_order_relaxed);
}

/* Adds what c holds now to *sum; zero-initialise *sum first. */
void ics_count_snapshot_add(struct ics_count_snapshot *sum, const struct ics_counters *c);
/* "vlan", "qinq", ...; "urgent_ring_full", "bulk_ring_full" */
const char *ics_encap_count_name(unsigned n);
const char *ics_drop_name(unsigned n);

#endif
