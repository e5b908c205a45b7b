/* Which CPU does what, and how much memory that takes: computed from facts, so that no user has to compute a core
 * mask. Pure: plan_numa.c collects the facts of this machine, unit tests make them up.
 */
#ifndef ICMPSCOPE_PLAN_H
#define ICMPSCOPE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_CPUS_MAX 1024
#define PLAN_PORTS_MAX 16
#define PLAN_WORKERS_MAX 64
#define PLAN_WARNINGS_MAX 32
#define PLAN_NODES_MAX 64
/* Of libnuma, of a node to itself. */
#define PLAN_NEAR 10
#define PLAN_TEXT_LEN 240

struct plan_cpu {
	unsigned id;
	int node; /* NUMA node, -1 unknown */
	int core; /* the first CPU of its physical core, -1 unknown */
};

/* Of a CPU that the process may not use. */
enum plan_absence { PLAN_NO_CPU, PLAN_OFFLINE, PLAN_FORBIDDEN };

struct plan_port {
	const char *name;
	int node; /* -1: none in particular (virtual device) or unknown */
	unsigned max_queues;
	unsigned data_room;   /* bytes of a packet buffer, headroom included */
	unsigned extra_mbufs; /* that the device keeps for itself (a looped capture: its frames) */
};

struct plan_in {
	unsigned n_cpus, n_wanted, n_ports;
	struct plan_cpu cpu[PLAN_CPUS_MAX]; /* that this process may use, ascending */
	unsigned wanted[PLAN_CPUS_MAX];     /* for workers, as the operator said; none: planned */
	struct plan_port port[PLAN_PORTS_MAX];
	/* Of CPUs that are not in cpu[]: PLAN_FORBIDDEN by affinity or cgroup. */
	uint8_t absence[PLAN_CPUS_MAX];
	uint8_t distance[PLAN_NODES_MAX][PLAN_NODES_MAX]; /* 0: not known */
	unsigned quota_milli;  /* CPU time that the cgroup may take, of 1000 a CPU; 0: no limit */
	uint64_t worker_bytes; /* rings and tables of one worker */
	uint64_t ring_bytes;   /* of these, the rings */
	uint64_t huge_free_mb; /* in free hugepages */
	uint64_t available_mb; /* of ordinary memory */
	uint64_t memory_mb;    /* as configured, 0: planned */
};

struct plan_worker {
	unsigned lcore, cpu;
	int node, port_node;
	unsigned port, queue; /* port: row of plan_in.port */
	bool shared;          /* its CPU runs the control core or another worker too */
	bool smt;             /* so does another CPU of its physical core */
};

/* How many workers are placed worse than they could be elsewhere. */
struct plan_figures {
	unsigned remote;         /* on another NUMA node than their port */
	unsigned shared;         /* with another worker or the control core on their CPU */
	unsigned with_control;   /* of these, with the control core */
	unsigned smt;            /* with one of them on the other thread of their physical core */
	unsigned idle_cpus;      /* named by the operator, and without a queue to serve */
	unsigned queues_lacking; /* that the plan had and the devices do not */
};

/* The control core is lcore 0; worker i is lcore i + 1. */
struct plan {
	unsigned main_cpu;
	unsigned n_workers;
	struct plan_worker worker[PLAN_WORKERS_MAX];
	unsigned queues[PLAN_PORTS_MAX];
	unsigned mbufs[PLAN_PORTS_MAX];
	uint64_t pool_bytes[PLAN_PORTS_MAX];
	struct plan_figures figures;
	uint64_t memory_mb;
	bool hugepages;
	unsigned n_warnings;
	char warning[PLAN_WARNINGS_MAX][PLAN_TEXT_LEN]; /* every compromise, for the operator */
};

/* 0, or -EINVAL (a wanted CPU cannot be had), -ENOMEM (too little memory), -ERANGE (no CPU, no port, too many
 * workers), and err says in one line what and how to mend it.
 */
int plan_make(const struct plan_in *in, struct plan *out, char err[static PLAN_TEXT_LEN]);

/* One more warning; one that finds no room is left out. */
void plan_warn(struct plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* CPUs for threads that are neither workers nor the control core, into out (room for PLAN_CPUS_MAX): those that are left,
 * else those without workers, else all. How many.
 */
unsigned plan_background(const struct plan_in *in, const struct plan *plan, unsigned *out);

/* "2,4-7" into numbers; how many, or -EINVAL. */
int plan_parse_cpus(const char *list, unsigned *out, unsigned max);

/* plan_numa.c: CPUs, NUMA nodes and memory of this machine into *in. */
int plan_read_machine(struct plan_in *in, char err[static PLAN_TEXT_LEN]);

/* plan_print.c: the plan as a table of 80 columns, for --plan. 0, or -EIO. */
int plan_print(const struct plan_in *in, const struct plan *plan);
/* "0-3,6" of numbers in ascending order, "none"; cut with "..." where it is longer than size. */
const char *plan_ranges(const unsigned *cpu, unsigned n, char *buf, size_t size);

#endif
