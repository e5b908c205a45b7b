/* The plan (plan.h): workers on the NUMA node of their port, the control core on a CPU of its own, one worker a
 * receive queue. Where the machine does not allow that the plan still stands, and a warning says what it costs.
 */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Buffers of one queue: descriptors, bursts in hand, and a reserve for the pool's caches. */
#define MBUFS_PER_QUEUE 8192u
/* What a buffer takes besides its data room: struct rte_mbuf, the pool's header, alignment. */
#define MBUF_OVERHEAD 256u
/* A port besides its buffers: its pool's caches, one for each lcore that could be, the driver's queues, and what stays
 * unused between pieces that must each be in one. Twelve AF_PACKET ports did not start with 576 MB in all.
 */
#define PORT_BYTES (10u << 20)
#define BASE_MB 48u
#define MB (1024u * 1024u)

static void __attribute__((format(printf, 2, 3))) warn(struct plan *p, const char *fmt, ...)
{
	va_list ap;

	if (p->n_warnings == PLAN_WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(p->warning[p->n_warnings++], PLAN_TEXT_LEN, fmt, ap);
	va_end(ap);
}

int
plan_parse_cpus(const char *list, unsigned *out, unsigned max)
{
	unsigned n = 0;

	while (*list != '\0') {
		unsigned long from, to;
		char *end;

		if (*list < '0' || *list > '9')
			return -EINVAL;
		from = to = strtoul(list, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return -EINVAL;
			to = strtoul(end + 1, &end, 10);
		}
		if (to < from || to >= 1u << 20 || (*end != '\0' && *end != ','))
			return -EINVAL;
		for (; from <= to; from++) {
			bool twice = false;

			for (unsigned i = 0; i < n; i++)
				twice |= out[i] == from;
			if (twice)
				continue;
			if (n == max)
				return -EINVAL;
			out[n++] = (unsigned)from;
		}
		if (*end == ',' && end[1] == '\0')
			return -EINVAL;
		list = *end == ',' ? end + 1 : end;
	}
	return (int)n;
}

static const struct plan_cpu *
find_cpu(const struct plan_in *in, unsigned id)
{
	for (unsigned i = 0; i < in->n_cpus; i++)
		if (in->cpu[i].id == id)
			return &in->cpu[i];
	return NULL;
}

static bool
is_wanted(const struct plan_in *in, unsigned id)
{
	for (unsigned i = 0; i < in->n_wanted; i++)
		if (in->wanted[i] == id)
			return true;
	return false;
}

/* CPUs for workers, given the one of the control core: the operator's, else all others, else that one. */
static unsigned
worker_cpus(const struct plan_in *in, unsigned main_cpu, const struct plan_cpu **out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < in->n_cpus; i++)
		if (in->n_wanted > 0 ? is_wanted(in, in->cpu[i].id) : in->cpu[i].id != main_cpu)
			out[n++] = &in->cpu[i];
	if (n == 0)
		out[n++] = find_cpu(in, main_cpu);
	return n;
}

/* Queues a port gets: one; more only when the operator named more CPUs than there are ports. */
static void
plan_queues(const struct plan_in *in, struct plan *p)
{
	unsigned left = in->n_wanted;
	bool gave = true;

	for (unsigned i = 0; i < in->n_ports; i++) {
		p->queues[i] = 1;
		left -= left > 0;
	}
	while (left > 0 && gave) {
		gave = false;
		for (unsigned i = 0; i < in->n_ports && left > 0; i++) {
			if (p->queues[i] >= in->port[i].max_queues)
				continue;
			p->queues[i]++;
			left--;
			gave = true;
		}
	}
	if (left > 0)
		warn(p, "%u of the %u worker CPUs stay idle: the ports have no more receive queues", left,
		     in->n_wanted);
}

/* The least used CPU, on the port's node before any other; of equals the first. */
static unsigned
pick(const struct plan_cpu **cpus, const unsigned *used, unsigned n, int node)
{
	unsigned best = 0;

	for (unsigned i = 1; i < n; i++) {
		bool near_i = node < 0 || cpus[i]->node == node, near_best = node < 0 || cpus[best]->node == node;

		if (used[i] < used[best] || (used[i] == used[best] && near_i && !near_best))
			best = i;
	}
	return best;
}

/* Fills worker[] for this control CPU; returns how many work far from their port. */
static unsigned
place(const struct plan_in *in, unsigned main_cpu, struct plan *p)
{
	static const struct plan_cpu *cpus[PLAN_CPUS_MAX];
	static unsigned used[PLAN_CPUS_MAX];
	unsigned n = worker_cpus(in, main_cpu, cpus), remote = 0;

	memset(used, 0, sizeof(used));
	p->main_cpu = main_cpu;
	p->n_workers = 0;
	for (unsigned port = 0; port < in->n_ports; port++) {
		for (unsigned q = 0; q < p->queues[port]; q++) {
			unsigned c = pick(cpus, used, n, in->port[port].node);
			struct plan_worker *w = &p->worker[p->n_workers];

			used[c]++;
			*w = (struct plan_worker){.lcore = ++p->n_workers,
						  .cpu = cpus[c]->id,
						  .node = cpus[c]->node,
						  .port_node = in->port[port].node,
						  .port = port,
						  .queue = q};
			remote += w->node >= 0 && w->port_node >= 0 && w->node != w->port_node;
		}
	}
	for (unsigned i = 0; i < p->n_workers; i++) {
		p->worker[i].shared = p->worker[i].cpu == main_cpu;
		for (unsigned j = 0; j < p->n_workers; j++)
			p->worker[i].shared |= i != j && p->worker[i].cpu == p->worker[j].cpu;
	}
	return remote;
}

/* The control core takes the lowest CPU that no worker was meant for, of the node where it takes least from the ports. */
static unsigned
plan_main(const struct plan_in *in, struct plan *p)
{
	unsigned best = in->cpu[0].id, best_remote = 0;
	bool found = false;

	for (unsigned i = 0; i < in->n_cpus; i++) {
		bool first_of_node = true;
		unsigned remote;

		if (is_wanted(in, in->cpu[i].id))
			continue;
		for (unsigned j = 0; j < i; j++)
			first_of_node &= in->cpu[j].node != in->cpu[i].node || is_wanted(in, in->cpu[j].id);
		if (!first_of_node)
			continue;
		remote = place(in, in->cpu[i].id, p);
		if (!found || remote < best_remote) {
			found = true;
			best = in->cpu[i].id;
			best_remote = remote;
		}
	}
	return best;
}

static void
warn_places(const struct plan_in *in, struct plan *p)
{
	for (unsigned i = 0; i < p->n_workers; i++) {
		const struct plan_worker *w = &p->worker[i];

		if (w->cpu == p->main_cpu)
			warn(p, "worker %u shares CPU %u with the control core%s", i, w->cpu,
			     in->n_cpus == 1 ? ", the only one there is: frames may be missed under load"
					     : ": leave one CPU out of -w");
		else if (w->shared)
			warn(p,
			     "worker %u shares CPU %u with another worker: frames may be missed under load; give %u "
			     "CPUs",
			     i, w->cpu, p->n_workers + 1);
		if (w->node >= 0 && w->port_node >= 0 && w->node != w->port_node)
			warn(p,
			     "worker %u runs on NUMA node %d, its port %s is on node %d: every frame crosses over; "
			     "choose CPUs of node %d with -w",
			     i, w->node, in->port[w->port].name, w->port_node, w->port_node);
	}
}

static int
plan_memory(const struct plan_in *in, struct plan *p, char err[static PLAN_TEXT_LEN])
{
	uint64_t bytes = p->n_workers * in->worker_bytes, need;

	for (unsigned i = 0; i < in->n_ports; i++) {
		p->mbufs[i] = p->queues[i] * MBUFS_PER_QUEUE + in->port[i].extra_mbufs - 1;
		bytes += PORT_BYTES + (uint64_t)p->mbufs[i] * (in->port[i].data_room + MBUF_OVERHEAD);
	}
	need = (bytes + bytes / 8) / MB + BASE_MB;
	p->memory_mb = in->memory_mb != 0 ? in->memory_mb : need;
	if (in->memory_mb != 0 && in->memory_mb < need)
		warn(p, "eal.memory_mb is %" PRIu64 ", about %" PRIu64 " are needed: 0 lets the program choose",
		     in->memory_mb, need);
	p->hugepages = in->huge_free_mb >= p->memory_mb;
	if (p->hugepages)
		return 0;
	if (p->memory_mb > in->available_mb) {
		snprintf(err, PLAN_TEXT_LEN,
			 "%" PRIu64 " MB of memory are needed, %" PRIu64
			 " are available: make worker.ring_bulk smaller or listen on fewer devices",
			 p->memory_mb, in->available_mb);
		return -ENOMEM;
	}
	return 0;
}

int
plan_make(const struct plan_in *in, struct plan *out, char err[static PLAN_TEXT_LEN])
{
	unsigned workers = 0;

	memset(out, 0, sizeof(*out));
	if (in->n_cpus == 0 || in->n_ports == 0) {
		snprintf(err, PLAN_TEXT_LEN,
			 in->n_ports == 0 ? "no device to listen on: -p names one" : "this process may use no CPU");
		return -ERANGE;
	}
	for (unsigned i = 0; i < in->n_wanted; i++) {
		if (find_cpu(in, in->wanted[i]) != NULL)
			continue;
		snprintf(err, PLAN_TEXT_LEN, "CPU %u is not one that this process may use: %u to %u%s", in->wanted[i],
			 in->cpu[0].id, in->cpu[in->n_cpus - 1].id,
			 in->cpu[in->n_cpus - 1].id - in->cpu[0].id + 1 == in->n_cpus ? " are" : ", with gaps, are");
		return -EINVAL;
	}
	plan_queues(in, out);
	for (unsigned i = 0; i < in->n_ports; i++)
		workers += out->queues[i];
	if (workers > PLAN_WORKERS_MAX) {
		snprintf(err, PLAN_TEXT_LEN, "%u workers are too many: %u at most; name fewer CPUs with -w", workers,
			 PLAN_WORKERS_MAX);
		return -ERANGE;
	}
	place(in, plan_main(in, out), out);
	warn_places(in, out);
	return plan_memory(in, out, err);
}
