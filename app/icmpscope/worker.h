/* A worker: one lcore that polls one receive queue and runs the fast half over what it gets. It waits for nothing and
 * nobody, save that a capture played once waits for room in the ring instead of losing records.
 */
#ifndef ICMPSCOPE_WORKER_H
#define ICMPSCOPE_WORKER_H

#include "clock.h"
#include "plan.h"
#include "ptype.h"

#include "ics_compat.h"
#include "ics_export.h"
#include "ics_inspect.h"
#include "ics_ring.h"

#define WORKER_BURST 32
/* Frames in several buffers are copied together up to this length. */
#define WORKER_SCRATCH 9728

/* Read by all workers, written by the control core at the end only. */
struct worker_shared {
	struct clock clock;
	struct ics_known known;
	uint64_t seed;
	int ts_offset; /* of the receive timestamp in mbufs */
	uint64_t ts_flag;
	bool capture_time; /* every device is a capture that is played once */
	uint32_t ring_urgent, ring_bulk;
	uint32_t idle; /* enum ics_idle: what to do when nothing comes */
	struct ics_decode_conf decode;
	struct ics_validate_conf validate;
	bool sample;                    /* whether workers look at TCP flows */
	struct ics_sample_conf sampler; /* how */
	struct ics_known watch;         /* flows that they look at whatever the load */
	_Atomic bool stop;
};

struct worker {
	struct ics_counters counters;
	struct ics_worker_stats stats;
	struct ics_inspect inspect;
	struct ics_ring *ring;
	struct worker_shared *shared;
	struct ptype_map *ptypes; /* of its port, set after worker_new(); NULL: the NIC is not believed */
	unsigned lcore;
	uint16_t port_id, queue;
	bool once;    /* a capture that is played once: its order, no loss, an end */
	bool stamped; /* packet time is the capture's; false with a live device beside it */
	bool yield;   /* the CPU is shared: sleep when there is nothing to do */
	RTE_CACHE_GUARD;
	_Atomic bool at_end; /* a capture that is played once has no more frames, and all is handed over */
	RTE_CACHE_GUARD;
	uint8_t scratch[WORKER_SCRATCH];
};

/* Bytes of everything that a worker owns, for the plan. sampler NULL: it looks at no flows. */
uint64_t worker_bytes(uint32_t ring_urgent, uint32_t ring_bulk, const struct ics_sample_conf *sampler);
/* Records carry the plan's port number; port_id is DPDK's. NULL and errno. */
struct worker *worker_new(struct worker_shared *shared, const struct plan_worker *plan, unsigned index,
			  uint16_t port_id, bool once);
void worker_free(struct worker *w);
/* For rte_eal_remote_launch(). */
int worker_run(void *worker);

#endif
