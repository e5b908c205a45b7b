/* The fast half put together: frames in; counters, and records into a sink, out. Pure C on bytes: no
 * allocation, lock, log, clock or system call after ics_inspect_init(), and no DPDK header, so that the
 * worker, the offline reader, the unit tests and the fuzzers all run the very same code.
 */
#ifndef ICS_INSPECT_H
#define ICS_INSPECT_H

#include "ics_count.h"
#include "ics_decode.h"
#include "ics_fold.h"
#include "ics_record.h"
#include "ics_sample.h"
#include "ics_validate.h"

#define ICS_BURST_MAX 64

/* Senders whose ICMPv6 checksums were seen unfinished, a direct-mapped table of them. */
#define ICS_OFFLOAD_SENDERS 64
struct ics_offload_sender {
	struct ics_mac mac;
	uint32_t seen;    /* messages since the first unfinished one; 0: free */
	uint32_t partial; /* of them: unfinished */
	uint32_t wrong;   /* of them: wrong in another way */
};
struct ics_offload {
	uint32_t n;        /* senders in the table */
	uint64_t forgiven; /* messages not judged by their checksum */
	struct ics_offload_sender sender[ICS_OFFLOAD_SENDERS];
};

/* One worker's fast half. Fill the fields of the first part, then call ics_inspect_init(). */
struct ics_inspect {
	struct ics_decode_conf decode;
	struct ics_validate_conf validate;
	struct ics_counters *counters; /* this worker's, never NULL */
	struct ics_fold *fold;         /* NULL: every message is a record of its own (offline) */
	const struct ics_known *known; /* NULL: no router is known */
	struct ics_sink sink;          /* push NULL: count only */
	struct ics_sampler *sampler;   /* NULL: data is not looked at */
	uint64_t seed;                 /* of the frame hash; the same for all workers of a run */
	bool in_order;                 /* all records take the bulk lane, so that a capture keeps its order */
	uint8_t port;
	uint8_t queue;
	/* set by init */
	uint32_t since_sweep;
	struct ics_offload offload;
};

void ics_inspect_init(struct ics_inspect *in);

/* Inspects n <= ICS_BURST_MAX frames that arrived at ts_ns (ns since the epoch, one reading a burst).
 * Every frame gets exactly one class. Nothing can fail.
 */
void ics_inspect_burst(struct ics_inspect *in, const struct ics_frame *frames, unsigned n, uint64_t ts_ns);

/* To be called when no frame came: sends folded copies whose window is over. UINT64_MAX: all of them. */
void ics_inspect_idle(struct ics_inspect *in, uint64_t ts_ns);

/* Decodes and validates one frame without counting or sending it: the view of tests and tools. */
void ics_inspect_frame(const struct ics_inspect *in, const struct ics_frame *f, struct ics_pkt *pkt);

#endif
