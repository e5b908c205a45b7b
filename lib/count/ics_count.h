/* Exact counters of one worker. One writer (the worker), any number of readers: each counter is a C11
 * atomic written with a plain relaxed load and store, so it costs what an ordinary increment costs.
 * Conservation: frames = sum of classes, always; control = delivered + pending + dropped at rest.
 */
#ifndef ICS_COUNT_H
#define ICS_COUNT_H

#include "ics_classify.h"
#include "ics_reason.h"
#include "ics_wire.h"

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

/* What is kept beside the count of a rule: when it fired, and the first frame that broke it. The frame is written
 * once, before exemplar_len is published; 0 means that there is none yet.
 */
#define ICS_EXEMPLAR_MAX 128
struct ics_reason_note {
	ics_counter first_ns, last_ns;
	_Atomic uint32_t exemplar_len;
	uint32_t exemplar_wire_len;
	uint8_t exemplar[ICS_EXEMPLAR_MAX];
};

struct ics_counters {
	ics_counter frames;
	ics_counter bytes;   /* on the wire, without FCS */
	ics_counter snapped; /* frames captured shorter than they were on the wire */
	ics_counter class[ICS_CLASS_COUNT];
	ics_counter reason[ICS_REASON_COUNT];
	ics_counter encap[ICS_ENCAP_COUNT_COUNT];
	ics_counter control;                        /* messages for the control core, copies included */
	ics_counter delivered;                      /* of them: handed over, as records or as repeats on records */
	ics_counter dropped[ICS_DROP_COUNT];        /* of them: lost, by cause */
	ics_counter dropped_class[ICS_CLASS_COUNT]; /* the same, by class */
	ics_counter records;                        /* records handed over */
	ics_counter sampled, sample_dropped;        /* samples handed over, and lost: they are no control messages */
	struct ics_reason_note note[ICS_REASON_COUNT];
} __attribute__((aligned(64)));

/* A copy taken at one moment, summable. */
struct ics_count_snapshot {
	uint64_t frames, bytes, snapped;
	uint64_t class[ICS_CLASS_COUNT];
	uint64_t reason[ICS_REASON_COUNT];
	uint64_t reason_first_ns[ICS_REASON_COUNT]; /* ns since the epoch; 0 where it never fired */
	uint64_t reason_last_ns[ICS_REASON_COUNT];
	uint64_t encap[ICS_ENCAP_COUNT_COUNT];
	uint64_t control, delivered, records, sampled, sample_dropped;
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

/* One more message that broke rule n. Called by the one writer. */
void ics_count_reason(struct ics_counters *c, unsigned n, uint64_t ts_ns, const uint8_t *frame, uint32_t cap_len,
		      uint32_t wire_len);
/* The same for a copy of a message counted before. */
static inline void
ics_count_reason_copy(struct ics_counters *c, unsigned n, uint64_t ts_ns)
{
	ics_count_add(&c->reason[n], 1);
	atomic_store_explicit(&c->note[n].last_ns, ts_ns, memory_order_relaxed);
}

/* The first frame that broke rule n (its first bytes), or one of length 0. *wire_len is its length on the wire.
 * Good as long as c is.
 */
struct ics_view ics_count_exemplar(const struct ics_counters *c, unsigned n, uint32_t *wire_len);

/* Adds what c holds now to *sum; zero-initialise *sum first. */
void ics_count_snapshot_add(struct ics_count_snapshot *sum, const struct ics_counters *c);
/* "vlan", "qinq", ...; "urgent_ring_full", "bulk_ring_full" */
const char *ics_encap_count_name(unsigned n);
const char *ics_drop_name(unsigned n);

#endif
