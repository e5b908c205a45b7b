/* The DPDK telemetry v2 endpoints under /icmpscope (docs/telemetry.md). Telemetry's client threads never touch live
 * state: a callback hands its request to the control core, which answers from its loop in ics_export_poll(), so
 * a slow or hostile client delays only itself. What holds counters alone is answered without it, whatever it does. The program describes itself in a struct ics_export_source.
 */
#ifndef ICS_EXPORT_H
#define ICS_EXPORT_H

#include "ics_count.h"
#include "ics_engine.h"
#include "ics_evidence.h"
#include "ics_history.h"
#include "ics_journal.h"
#include "ics_ring.h"
#include "ics_state.h"

/* How long a client waits for the control core before it is told so. */
#define ICS_EXPORT_WAIT_MS 150

/* What a worker counts besides struct ics_counters. One writer, the worker. seq is odd while a burst is being
 * counted, so that a reader can tell a snapshot at rest from one in the middle.
 */
struct ics_worker_stats {
	ics_counter seq;
	ics_counter busy_tsc; /* cycles of polls that gave frames */
	ics_counter idle_tsc; /* cycles of polls that gave none */
	ics_counter polls;    /* all of them */
	ics_counter bursts;   /* those that gave frames */
	ics_counter packets;
	ics_counter pending;    /* messages that wait in the fold cache */
	ics_counter linearised; /* frames in several buffers, copied together */
	ics_counter cut;        /* of them longer than the copy holds: inspected up to there */
	ics_counter waits;      /* of a capture for room in the ring */
	ics_counter told;       /* frames whose class the NIC told, which were not looked at */
} __attribute__((aligned(64)));

/* Starts and ends what one burst counts. */
static inline void
ics_worker_stats_begin(struct ics_worker_stats *s)
{
	ics_count_add(&s->seq, 1);
	atomic_thread_fence(memory_order_release);
}

static inline void
ics_worker_stats_end(struct ics_worker_stats *s)
{
	atomic_store_explicit(&s->seq, atomic_load_explicit(&s->seq, memory_order_relaxed) + 1, memory_order_release);
}

/* A thread that must turn, as the watchdog sees it; any thread may read it. */
struct ics_export_turn {
	ics_counter stalled_ms; /* since when it has not turned; 0: it turns */
	ics_counter stalls;     /* how often that was */
	ics_counter longest_ms; /* the longest of them */
};

/* Written by the watchdog's thread only, so that it tells of a control core that does not turn. */
struct ics_export_watchdog {
	ics_counter checks;
	struct ics_export_turn control;
	ics_counter pauses; /* times that the whole program did not run */
	ics_counter longest_pause_ms;
};

/* What the program gave away after its start; of all this only denied changes later. */
struct ics_export_sandbox {
	char user[64];
	unsigned threads;  /* that were looked at */
	unsigned bounding; /* capabilities that are left in the bounding set of one of them; no other set holds any */
	unsigned landlock_abi; /* 0: the kernel has no landlock */
	bool seccomp;
	ics_counter denied; /* system calls */
};

struct ics_export_worker {
	const struct ics_counters *counters;
	const struct ics_worker_stats *stats;
	const struct ics_ring *ring;
	unsigned port, queue, lcore, cpu;
	int node;                           /* NUMA node of the CPU, -1 unknown */
	bool smt;                           /* another CPU of its physical core runs a thread of this program */
	int port_node;                      /* of the port */
	bool shared;                        /* the CPU runs another thread of this program too */
	const struct ics_sampler *sampler;  /* NULL: off */
	const struct ics_export_turn *turn; /* NULL: nobody watches */
};

enum ics_link_state {
	ICS_LINK_UP,
	ICS_LINK_DOWN,
	ICS_LINK_GONE,     /* there is no such interface any more, or the card was pulled */
	ICS_LINK_REPLACED, /* another interface has its name */
};
/* "up" */
const char *ics_link_name(enum ics_link_state link);

/* Whether a NIC's word for what a frame is counts. */
enum ics_ptypes {
	ICS_PTYPES_UNDECLARED, /* its driver knows no packet types that could be believed */
	ICS_PTYPES_DECLARED,   /* it does, and they are not asked for */
	ICS_PTYPES_TRUSTED,
	ICS_PTYPES_WITHDRAWN, /* one was wrong */
};

struct ics_export_port {
	const char *device; /* as the operator wrote it */
	const char *driver;
	const char *clock; /* "tsc" or "capture" */
	int node;
	unsigned queues;
	bool link_up;
	uint32_t link_mbps; /* 0: unknown */
	/* of rte_eth_stats, as of the latest read_ports() */
	uint64_t rx_packets, rx_bytes, missed, errors, no_mbuf;
	uint64_t capture_frames; /* frames in a capture that is played once; 0 otherwise */
	bool capture_read;
	enum ics_link_state link;
	uint64_t link_ups, link_downs, link_since_ns; /* how often it came back and went, and when last; wall clock */
	enum ics_ptypes ptypes;
};

/* Where everything was put, and what is a compromise. */
#define ICS_EXPORT_WARNINGS_MAX 32
#define ICS_EXPORT_PORTS_MAX 16
struct ics_export_plan {
	char cpus[64], background[64];     /* "0-3,6": that may be used; of threads besides workers and control core */
	uint64_t ring_bytes, worker_bytes; /* of a worker: its rings; all that it owns */
	unsigned remote, shared,
		with_control; /* workers far from their port; on a CPU with others; with the control core */
	unsigned smt;         /* workers on a physical core with others */
	unsigned idle_cpus, queues_lacking;     /* CPUs without a queue; queues that the devices do not have */
	unsigned quota_milli;                   /* CPU time of the cgroup, 1000 a CPU; 0: no limit */
	unsigned buffers[ICS_EXPORT_PORTS_MAX]; /* by port */
	uint64_t pool_bytes[ICS_EXPORT_PORTS_MAX];
	unsigned n_warnings;
	const char *warning[ICS_EXPORT_WARNINGS_MAX];
};

/* Settings: how often they came into force, counting the start. */
struct ics_export_config {
	uint64_t generation, applied_ns; /* since the epoch */
	uint64_t refused;                /* times that they could not be read again */
	unsigned need_restart;           /* keys on file that are others than those in force */
};

/* Read by the control core only, in ics_export_poll(). Strings and arrays belong to the program. */
struct ics_export_source {
	const char *version;
	const char *mode;                            /* "live", "capture" or "loop" */
	const char *sandbox;                         /* "on", "off", or "in part" */
	const struct ics_export_sandbox *given_away; /* NULL: nothing */
	const struct ics_export_watchdog *watchdog;  /* NULL: nobody watches */
	struct ics_engine *engine;
	const struct ics_export_worker *workers;
	const struct ics_export_port *ports;
	unsigned n_workers, n_ports;
	unsigned main_cpu;
	uint64_t tsc_hz;
	uint64_t start_ns; /* since the epoch */
	uint64_t uptime_ns;
	uint64_t memory_mb;
	bool hugepages;
	uint64_t consumed_records, consumed_messages; /* what the control core took from the rings */
	uint64_t consumed_samples;                    /* besides: of the TCP sampler */
	const struct ics_history_stats *history;      /* of the writer; NULL: no history is kept */
	const struct ics_history_queue *history_queue;
	const struct ics_state_stats *state;       /* of the writer; NULL: no state is kept */
	const struct ics_state_restored *restored; /* what came back at the start; NULL: nothing */
	const struct ics_journal_stats *journal;   /* of the writer; NULL: no journal is written */
	const struct ics_journal_queue *journal_queue;
	const struct ics_export_plan *plan;        /* NULL: nothing is known of it */
	const struct ics_export_config *config;    /* NULL: they are as at the start */
	const struct ics_evidence_stats *evidence; /* NULL: no evidence is written */
	void (*read_ports)(void *ctx);             /* brings ports[] up to date; NULL: they are */
	void *ctx;
};

/* Both identities of the design, summed over workers (or of one). pending is what fold caches hold. exact:
 * every worker was between two bursts while it was read; then the identities hold to the last frame.
 */
struct ics_conservation {
	uint64_t frames, classes_sum;
	uint64_t control, delivered, pending, dropped;
	uint64_t dropped_cause[ICS_DROP_COUNT];
	uint64_t records;
	bool exact;
};
void ics_export_conservation(const struct ics_export_source *src, struct ics_conservation *out);
/* Counters of all workers, or of one (w < n_workers); true when each was read between two bursts. */
#define ICS_EXPORT_ALL UINT32_MAX
bool ics_export_counts(const struct ics_export_source *src, uint32_t w, struct ics_count_snapshot *out);

/* Registers every endpoint; -errno of rte_telemetry_register_cmd(). src must live until ics_export_close(). */
int ics_export_open(const struct ics_export_source *src);
/* Answers at most max waiting requests; returns how many. Control core only, it never blocks. */
unsigned ics_export_poll(unsigned max);
/* Endpoints cannot be taken back: from here on they answer that the program is stopping. */
void ics_export_close(void);

#endif
