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

void
plan_warn(struct plan *p, const char *fmt, ...)
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
	p->figures.idle_cpus = left;
	if (left > 0)
		plan_warn(p,
			  "%u of the %u worker CPUs stay idle: the ports have no more receive queues; name %u with -w",
			  left, in->n_wanted, in->n_wanted - left);
}

/* How far apart nodes are, as libnuma tells it; nodes that are not known are near. */
static unsigned
distance(const struct plan_in *in, int a, int b)
{
	if (a < 0 || b < 0 || a == b)
		return PLAN_NEAR;
	if (a < PLAN_NODES_MAX && b < PLAN_NODES_MAX && in->distance[a][b] > PLAN_NEAR)
		return in->distance[a][b];
	return 2 * PLAN_NEAR;
}

/* What a plan is built of: CPUs that workers may have, and how many threads each has so far. */
struct site {
	const struct plan_cpu *cpu[PLAN_CPUS_MAX];
	unsigned used[PLAN_CPUS_MAX], n;
	int main_core;
};

/* Threads on the same physical core, those on the CPU itself left out. */
static unsigned
neighbours(const struct site *s, unsigned at)
{
	unsigned n = 0;

	if (s->cpu[at]->core < 0)
		return 0;
	n += s->main_core == s->cpu[at]->core;
	for (unsigned i = 0; i < s->n; i++)
		if (i != at && s->cpu[i]->core == s->cpu[at]->core)
			n += s->used[i];
	return n;
}

/* The least used CPU, the nearest to the port's node, with the fewest threads on its physical core; of equals the first. */
static unsigned
pick(const struct plan_in *in, const struct site *s, int node)
{
	unsigned best = 0;

	for (unsigned i = 1; i < s->n; i++) {
		unsigned far_i = distance(in, s->cpu[i]->node, node), far_best = distance(in, s->cpu[best]->node, node);

		if (s->used[i] != s->used[best]) {
			if (s->used[i] < s->used[best])
				best = i;
		} else if (far_i != far_best) {
			if (far_i < far_best)
				best = i;
		} else if (neighbours(s, i) < neighbours(s, best)) {
			best = i;
		}
	}
	return best;
}

static bool
is_remote(const struct plan_worker *w)
{
	return w->node >= 0 && w->port_node >= 0 && w->node != w->port_node;
}

static void
note_sharing(const struct plan_in *in, struct plan *p)
{
	const struct plan_cpu *main_cpu = find_cpu(in, p->main_cpu);

	for (unsigned i = 0; i < p->n_workers; i++) {
		struct plan_worker *w = &p->worker[i];
		int core = find_cpu(in, w->cpu)->core;

		w->shared = w->cpu == p->main_cpu;
		w->smt = core >= 0 && w->cpu != p->main_cpu && main_cpu->core == core;
		for (unsigned j = 0; j < p->n_workers; j++) {
			if (i == j)
				continue;
			w->shared |= w->cpu == p->worker[j].cpu;
			w->smt |=
				core >= 0 && w->cpu != p->worker[j].cpu && find_cpu(in, p->worker[j].cpu)->core == core;
		}
	}
}

/* Fills worker[] for this control CPU; returns what that costs, to be compared with that of others. */
static uint64_t
place(const struct plan_in *in, unsigned main_cpu, struct plan *p)
{
	static struct site s;
	uint64_t cost = 0;

	memset(s.used, 0, sizeof(s.used));
	s.n = worker_cpus(in, main_cpu, s.cpu);
	s.main_core = find_cpu(in, main_cpu)->core;
	p->main_cpu = main_cpu;
	p->n_workers = 0;
	for (unsigned port = 0; port < in->n_ports; port++) {
		for (unsigned q = 0; q < p->queues[port]; q++) {
			unsigned c = pick(in, &s, in->port[port].node);
			struct plan_worker *w = &p->worker[p->n_workers];

			/* A thousand threads on one core cost less than one frame that crosses over. */
			cost += (uint64_t)(distance(in, s.cpu[c]->node, in->port[port].node) - PLAN_NEAR) * 1024 +
				neighbours(&s, c);
			s.used[c]++;
			*w = (struct plan_worker){.lcore = ++p->n_workers,
						  .cpu = s.cpu[c]->id,
						  .node = s.cpu[c]->node,
						  .port_node = in->port[port].node,
						  .port = port,
						  .queue = q};
		}
	}
	return cost;
}

/* The control core takes the lowest CPU that no worker was meant for, of those where it takes least from the workers. */
static unsigned
plan_main(const struct plan_in *in, struct plan *p)
{
	unsigned best = in->cpu[0].id;
	uint64_t best_cost = UINT64_MAX;

	for (unsigned i = 0; i < in->n_cpus; i++) {
		uint64_t cost;

		if (is_wanted(in, in->cpu[i].id))
			continue;
		cost = place(in, in->cpu[i].id, p);
		if (cost < best_cost) {
			best = in->cpu[i].id;
			best_cost = cost;
		}
	}
	return best;
}

static void
warn_place(const struct plan_in *in, struct plan *p, unsigned i)
{
	const struct plan_worker *w = &p->worker[i];

	if (w->cpu == p->main_cpu)
		plan_warn(p, "worker %u shares CPU %u with the control core%s", i, w->cpu,
			  in->n_cpus == 1 ? ", the only one there is: frames may be missed under load"
					  : ": leave one CPU out of -w");
	else if (w->shared)
		plan_warn(p,
			  "worker %u shares CPU %u with another worker: frames may be missed under load; give %u CPUs",
			  i, w->cpu, p->n_workers + 1);
	else if (w->smt)
		plan_warn(p,
			  "worker %u runs on CPU %u, whose physical core another thread of this program uses too: it "
			  "gets about "
			  "half of it; give %u cores, or name one CPU a core with -w",
			  i, w->cpu, p->n_workers + 1);
	if (is_remote(w))
		plan_warn(p,
			  "worker %u runs on NUMA node %d, its port %s is on node %d: every frame crosses over; choose "
			  "CPUs of "
			  "node %d with -w",
			  i, w->node, in->port[w->port].name, w->port_node, w->port_node);
}

static void
judge_places(const struct plan_in *in, struct plan *p)
{
	note_sharing(in, p);
	for (unsigned i = 0; i < p->n_workers; i++) {
		const struct plan_worker *w = &p->worker[i];

		p->figures.remote += is_remote(w);
		p->figures.shared += w->shared;
		p->figures.with_control += w->cpu == p->main_cpu;
		p->figures.smt += w->smt;
		warn_place(in, p, i);
	}
	/* Workers never stop polling but where they share a CPU. */
	if (in->quota_milli != 0 && in->quota_milli < (p->n_workers + 1) * 1000)
		plan_warn(p,
			  "the cgroup may use %u.%02u CPUs, the workers and the control core are %u threads: while it "
			  "is throttled "
			  "frames are missed; raise CPUQuota to %u %% or take it away",
			  in->quota_milli / 1000, in->quota_milli % 1000 / 10, p->n_workers + 1,
			  (p->n_workers + 1) * 100);
}

unsigned
plan_background(const struct plan_in *in, const struct plan *plan, unsigned *out)
{
	unsigned n = 0;

	for (unsigned attempt = 0; attempt < 3 && n == 0; attempt++)
		for (unsigned i = 0; i < in->n_cpus; i++) {
			bool taken = attempt < 1 && in->cpu[i].id == plan->main_cpu;

			for (unsigned w = 0; w < plan->n_workers; w++)
				taken |= attempt < 2 && in->cpu[i].id == plan->worker[w].cpu;
			if (!taken)
				out[n++] = in->cpu[i].id;
		}
	return n;
}

static int
plan_memory(const struct plan_in *in, struct plan *p, char err[static PLAN_TEXT_LEN])
{
	uint64_t bytes = p->n_workers * in->worker_bytes, need;

	for (unsigned i = 0; i < in->n_ports; i++) {
		p->mbufs[i] = p->queues[i] * MBUFS_PER_QUEUE + in->port[i].extra_mbufs - 1;
		p->pool_bytes[i] = (uint64_t)p->mbufs[i] * (in->port[i].data_room + MBUF_OVERHEAD);
		bytes += PORT_BYTES + p->pool_bytes[i];
	}
	need = (bytes + bytes / 8) / MB + BASE_MB;
	p->memory_mb = in->memory_mb != 0 ? in->memory_mb : need;
	if (in->memory_mb != 0 && in->memory_mb < need)
		plan_warn(p, "eal.memory_mb is %" PRIu64 ", about %" PRIu64 " are needed: 0 lets the program choose",
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

static void
explain_absence(const struct plan_in *in, unsigned cpu, char err[static PLAN_TEXT_LEN])
{
	unsigned list[PLAN_CPUS_MAX];
	char may[96];

	for (unsigned i = 0; i < in->n_cpus; i++)
		list[i] = in->cpu[i].id;
	plan_ranges(list, in->n_cpus, may, sizeof(may));
	switch (cpu < PLAN_CPUS_MAX ? in->absence[cpu] : PLAN_NO_CPU) {
	case PLAN_OFFLINE:
		snprintf(err, PLAN_TEXT_LEN,
			 "-w: CPU %u is offline (echo 1 > /sys/devices/system/cpu/cpu%u/online brings it back); %s may "
			 "be used",
			 cpu, cpu, may);
		break;
	case PLAN_FORBIDDEN:
		snprintf(err, PLAN_TEXT_LEN,
			 "-w: CPU %u is outside of what this process may use, by affinity or cgroup (taskset, "
			 "AllowedCPUs); %s may be "
			 "used",
			 cpu, may);
		break;
	default:
		snprintf(err, PLAN_TEXT_LEN, "-w: there is no CPU %u; %s may be used", cpu, may);
		break;
	}
}

const char *
plan_ranges(const unsigned *cpu, unsigned n, char *buf, size_t size)
{
	size_t len = 0;

	snprintf(buf, size, "none");
	for (unsigned i = 0, last; i < n; i = last + 1) {
		int more;

		for (last = i; last + 1 < n && cpu[last + 1] == cpu[last] + 1; last++)
			;
		more = last == i ? snprintf(buf + len, size - len, "%s%u", i == 0 ? "" : ",", cpu[i])
				 : snprintf(buf + len, size - len, "%s%u-%u", i == 0 ? "" : ",", cpu[i], cpu[last]);
		if (more < 0 || (size_t)more >= size - len) {
			strcpy(buf + (size > 5 + len ? len : size - 5), "...");
			break;
		}
		len += (size_t)more;
	}
	return buf;
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
		explain_absence(in, in->wanted[i], err);
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
	(void)place(in, plan_main(in, out), out);
	judge_places(in, out);
	return plan_memory(in, out, err);
}
