/* The plan as the operator reads it before anything is started (--plan): ports, workers, what else runs where, memory, and
 * every compromise with its remedy. 80 columns.
 */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 80
#define DEVICE_WIDTH 36

static unsigned
mb(uint64_t bytes)
{
	return (unsigned)((bytes + (1u << 20) - 1) >> 20);
}

static const char *
node_name(int node, char buf[static 16])
{
	if (node < 0)
		return "-";
	snprintf(buf, 16, "%d", node);
	return buf;
}

/* Words, broken before the line is too long; what follows the first line is indented. */
static void
put_wrapped(const char *head, const char *text)
{
	size_t col = strlen(head), indent = 9;

	printf("%s", head);
	for (const char *word = text; *word != '\0';) {
		size_t len = strcspn(word, " ");

		if (word != text && col + 1 + len > WIDTH) {
			printf("\n%*s", (int)indent, "");
			col = indent;
		} else if (word != text) {
			putchar(' ');
			col++;
		}
		printf("%.*s", (int)len, word);
		col += len;
		word += len + strspn(word + len, " ");
	}
	putchar('\n');
}

static void
put_ports(const struct plan_in *in, const struct plan *p)
{
	printf("%4s  %-*s %4s %6s %8s %9s\n", "PORT", DEVICE_WIDTH, "DEVICE", "NODE", "QUEUES", "BUFFERS", "MEMORY");
	for (unsigned i = 0; i < in->n_ports; i++) {
		const char *name = in->port[i].name;
		char node[16];

		printf("%4u  %.*s%s%*s %4s %6u %8u %6u MB\n", i, DEVICE_WIDTH - 1, name,
		       strlen(name) > DEVICE_WIDTH - 1 ? "~" : "",
		       strlen(name) > DEVICE_WIDTH - 1 ? 0 : (int)(DEVICE_WIDTH - strlen(name)), "",
		       node_name(in->port[i].node, node), p->queues[i], p->mbufs[i], mb(p->pool_bytes[i]));
	}
}

static void
put_workers(const struct plan_in *in, const struct plan *p)
{
	printf("\n%6s %4s %5s %5s %4s %4s %8s %8s  %s\n", "WORKER", "PORT", "QUEUE", "LCORE", "CPU", "NODE", "RINGS",
	       "TABLES", "COMPROMISE");
	for (unsigned i = 0; i < p->n_workers; i++) {
		const struct plan_worker *w = &p->worker[i];
		bool far = w->node >= 0 && w->port_node >= 0 && w->node != w->port_node;
		char node[16];

		printf("%6u %4u %5u %5u %4u %4s %5u MB %5u MB%s%s\n", i, w->port, w->queue, w->lcore, w->cpu,
		       node_name(w->node, node), mb(in->ring_bytes), mb(in->worker_bytes - in->ring_bytes),
		       w->shared ? "  CPU shared"
		       : w->smt  ? "  core shared"
				 : "",
		       far ? "  far node" : "");
	}
}

int
plan_print(const struct plan_in *in, const struct plan *p)
{
	unsigned list[PLAN_CPUS_MAX], n;
	char ranges[56];

	for (unsigned i = 0; i < in->n_cpus; i++)
		list[i] = in->cpu[i].id;
	printf("CPUs that may be used: %s\n\n", plan_ranges(list, in->n_cpus, ranges, sizeof(ranges)));
	put_ports(in, p);
	put_workers(in, p);
	n = plan_background(in, p, list);
	printf("\nControl core   lcore 0 on CPU %u\n", p->main_cpu);
	printf("Other threads  on CPUs %s (journal, history, state, telemetry)\n",
	       plan_ranges(list, n, ranges, sizeof(ranges)));
	printf("Memory         %" PRIu64 " MB %s (%" PRIu64 " MB are free in them)\n", p->memory_mb,
	       p->hugepages ? "in hugepages" : "without hugepages", in->huge_free_mb);
	if (p->n_warnings == 0)
		printf("\nNo compromise.\n");
	else
		putchar('\n');
	for (unsigned i = 0; i < p->n_warnings; i++)
		put_wrapped("warning: ", p->warning[i]);
	return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : -EIO;
}
