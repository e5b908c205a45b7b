/* The worker of icmpscope on a looped capture, in one process with its limit: receiving and freeing the same frames, as
 * dpdk-testpmd rxonly does. Short windows in turns, the best of each counting, so that others on the machine matter little.
 * Its records go to a consumer on the other CPU that only counts; every message is accounted for at the end.
 */
#include "../icmpscope/worker.h"

#include "cpu.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MS 10
#define MBUFS 8191
#define CACHE 256
#define DESCRIPTORS 1024
#define LINK_MTU 1500
#define DRAIN_MAX 1024

static uint16_t port;
static struct worker_shared shared;
static _Atomic bool stop_limit;
/* Of the last window, on the worker's lcore; CPU time, which others' turns on that CPU do not lengthen. */
static _Atomic uint64_t window_packets, window_ns;
/* Every message is a record of its own: there is no fold cache, or there is and the key of its hash is another for each burst. */
static bool unfolded, distinct;
static struct worker *_Atomic running;
static uint64_t consumed, consumed_records, consumed_samples;

static int
die(const char *what, int rc)
{
	fprintf(stderr, "icmpscope-bench-worker: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	return 1;
}

static int
open_port(unsigned mbufs)
{
	struct rte_eth_conf conf;
	struct rte_mempool *pool = rte_pktmbuf_pool_create("bench", mbufs, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	int rc;

	memset(&conf, 0, sizeof(conf));
	if (pool == NULL)
		return -ENOMEM;
	rc = rte_eth_dev_get_port_by_name("net_pcap0", &port);
	if (rc == 0)
		rc = rte_eth_dev_configure(port, 1, 0, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, 0, NULL, pool);
	return rc == 0 ? rte_eth_dev_start(port) : rc;
}

static uint16_t
change_key(uint16_t port_id, uint16_t queue, struct rte_mbuf **m, uint16_t n, uint16_t max, void *ctx)
{
	struct worker *w = atomic_load_explicit(&running, memory_order_relaxed);

	(void)port_id, (void)queue, (void)m, (void)max, (void)ctx;
	if (w != NULL)
		w->inspect.seed++;
	return n;
}

static double
window_cycles(void)
{
	return (double)atomic_load(&window_ns) / 1e9 * (double)rte_get_tsc_hz() / (double)atomic_load(&window_packets);
}

/* As testpmd's rxonly: one burst, each buffer freed. */
static int
run_limit(void *arg)
{
	struct rte_mbuf *m[WORKER_BURST];
	uint64_t n = 0, start = cpu_ns();

	(void)arg;
	while (!atomic_load_explicit(&stop_limit, memory_order_relaxed)) {
		unsigned got = rte_eth_rx_burst(port, 0, m, WORKER_BURST);

		for (unsigned i = 0; i < got; i++)
			rte_pktmbuf_free(m[i]);
		n += got;
	}
	atomic_store(&window_ns, cpu_ns() - start);
	atomic_store(&window_packets, n);
	return 0;
}

static double
measure_limit(void)
{
	atomic_store(&stop_limit, false);
	if (rte_eal_remote_launch(run_limit, NULL, 1) != 0)
		return 0;
	rte_delay_us_sleep(WINDOW_MS * 1000);
	atomic_store(&stop_limit, true);
	rte_eal_wait_lcore(1);
	return window_cycles();
}

static void
count(void *ctx, const struct ics_ring_item *items, unsigned n)
{
	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		if (ics_record_is_sample(items[i].rec))
			consumed_samples++;
		else
			consumed += 1 + (uint64_t)items[i].rec->repeats;
	}
	consumed_records += n;
}

static unsigned
drain(struct worker *w)
{
	return ics_ring_drain_urgent(w->ring, DRAIN_MAX, count, NULL) +
	       ics_ring_drain_bulk(w->ring, DRAIN_MAX, count, NULL);
}

static int
run_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t packets = ics_count_get(&w->stats.packets), start = cpu_ns();
	int rc = worker_run(w);

	atomic_store(&window_ns, cpu_ns() - start);
	atomic_store(&window_packets, ics_count_get(&w->stats.packets) - packets);
	return rc;
}

static double
measure_worker(struct worker *w)
{
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000 * WINDOW_MS;

	atomic_store(&shared.stop, false);
	atomic_store(&running, w);
	if (rte_eal_remote_launch(run_worker, w, 1) != 0)
		return 0;
	while (rte_rdtsc() < end)
		if (drain(w) == 0)
			rte_pause();
	atomic_store(&shared.stop, true);
	while (rte_eal_get_lcore_state(1) == RUNNING)
		drain(w);
	rte_eal_wait_lcore(1);
	while (drain(w) > 0)
		;
	atomic_store(&running, NULL);
	return window_cycles();
}

struct kind {
	const char *name;
	bool sample, fold;
	double best, all[1000];
	struct worker *worker;
	double worst; /* of the seeds: the best of that one */
	uint64_t worst_seed;
};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
add(struct kind *k, unsigned round, double cycles)
{
	k->all[round] = cycles;
	if (round == 0 || cycles < k->best)
		k->best = cycles;
}

static bool
print(struct kind *k, unsigned rounds, const struct kind *limit)
{
	const struct worker *w = k->worker;
	uint64_t dropped = 0, control, delivered, waiting;

	qsort(k->all, rounds, sizeof(k->all[0]), compare);
	printf("%-34s %7.2f %7.2f %6.3f", k->name, k->best, k->all[rounds / 2], limit->best / k->best);
	if (w == NULL) {
		printf("\n");
		return true;
	}
	control = ics_count_get(&w->counters.control);
	delivered = ics_count_get(&w->counters.delivered);
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		dropped += ics_count_get(&w->counters.dropped[i]);
	waiting = unfolded ? 0 : ics_fold_pending(w->inspect.fold);
	printf(" %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %8" PRIu64 "%s\n",
	       ics_count_get(&w->counters.frames), control, delivered, ics_count_get(&w->counters.records), dropped,
	       control == delivered + dropped + waiting ? "" : "  NOT CONSERVED");
	return control == delivered + dropped + waiting;
}

static struct kind kinds[] = {
	{.name = "receive and free (limit)"},
	{.name = "worker, TCP sampler off"},
	{.name = "worker, TCP sampler on", .sample = true},
};

/* Which of the messages meet in a set of the fold cache, and which flows in the sampler's, is the seed's choice. */
static int
run(unsigned rounds, uint64_t seed)
{
	struct plan_worker plan = {.lcore = 1, .node = -1, .port_node = -1};
	bool conserved = true;
	uint64_t delivered = 0;

	clock_init(&shared.clock, rte_rdtsc(), rte_get_tsc_hz());
	shared.seed = shared.known.seed = shared.watch.seed = seed;
	shared.ring_urgent = 8192;
	shared.ring_bulk = 65536;
	shared.validate.link_mtu = LINK_MTU;
	shared.sampler = (struct ics_sample_conf){
		.filter_bits = 1u << 24, .link_mtu = LINK_MTU, .seed = seed, .watch = &shared.watch};
	consumed = consumed_records = consumed_samples = 0;
	for (unsigned i = 1; i < ICS_ARRAY_LEN(kinds); i++) {
		shared.sample = kinds[i].sample;
		kinds[i].worker = worker_new(&shared, &plan, i, port, false);
		if (kinds[i].worker == NULL)
			return die("a worker", errno);
		if (unfolded) {
			rte_free(kinds[i].worker->inspect.fold);
			kinds[i].worker->inspect.fold = NULL;
		}
	}
	for (unsigned r = 0; r < rounds; r++) {
		add(&kinds[0], r, measure_limit());
		for (unsigned i = 1; i < ICS_ARRAY_LEN(kinds); i++)
			add(&kinds[i], r, measure_worker(kinds[i].worker));
	}
	printf("seed %-29" PRIu64 " %7s %7s %6s %12s %12s %12s %10s %8s\n", seed, "best", "median", "ratio", "frames",
	       "messages", "delivered", "records", "dropped");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(kinds); i++) {
		conserved &= print(&kinds[i], rounds, &kinds[0]);
		if (kinds[i].best > kinds[i].worst) {
			kinds[i].worst = kinds[i].best;
			kinds[i].worst_seed = seed;
		}
		if (kinds[i].worker != NULL)
			delivered += ics_count_get(&kinds[i].worker->counters.delivered);
		worker_free(kinds[i].worker);
		kinds[i].worker = NULL;
	}
	printf("consumer: %" PRIu64 " records, %" PRIu64 " samples, %" PRIu64 " messages counted of %" PRIu64
	       " delivered%s\n",
	       consumed_records - consumed_samples, consumed_samples, consumed, delivered,
	       consumed == delivered ? "" : "  NOT CONSERVED");
	return conserved && consumed == delivered ? 0 : 1;
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20;
	unsigned frames = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 512;
	unsigned seeds = 1;
	char vdev[512], prefix[48], memory[16];
	bool known = true;
	char *eal[] = {"bench",          "--lcores=0@0,1@1", "--no-huge",           "-m",   memory, "--no-pci",
		       "--no-telemetry", "--no-shconf",      "--log-level=*:error", prefix, vdev};
	int rc = 0;

	for (int i = 4; i < argc; i++) {
		if (strcmp(argv[i], "huge") == 0)
			eal[2] = "--in-memory";
		else if (strcmp(argv[i], "unfolded") == 0)
			unfolded = true;
		else if (strcmp(argv[i], "distinct") == 0)
			distinct = true;
		else if (sscanf(argv[i], "seeds=%u", &seeds) != 1)
			known = false;
	}
	if (argc < 2 || !known || rounds == 0 || rounds > ICS_ARRAY_LEN(kinds[0].all) || frames == 0 || seeds == 0) {
		fprintf(stderr,
			"usage: icmpscope-bench-worker CAPTURE [ROUNDS [FRAMES IN IT [WORD]...]]   two CPUs, root\n"
			"huge: in hugepages; unfolded: no fold cache; distinct: every message is taken for another; "
			"seeds=N: so "
			"many seeds of all hashes, one after the other\n");
		return 2;
	}
	snprintf(prefix, sizeof(prefix), "--file-prefix=icsbenchw%d", getpid());
	snprintf(vdev, sizeof(vdev), "--vdev=net_pcap0,rx_pcap=%s,infinite_rx=1", argv[1]);
	snprintf(memory, sizeof(memory), "%u", 160 + (MBUFS + frames) / 400);
	if (rte_eal_init(ICS_ARRAY_LEN(eal), eal) < 0)
		return die("EAL", EINVAL);
	rc = open_port(MBUFS + frames);
	if (rc != 0)
		return die(argv[1], rc);
	if (distinct && rte_eth_add_rx_callback(port, 0, change_key, NULL) == NULL)
		return die("a callback", rte_errno);
	for (unsigned i = 1; i <= seeds && rc == 0; i++)
		rc = run(rounds, i);
	if (rc == 0 && seeds > 1)
		for (unsigned i = 0; i < ICS_ARRAY_LEN(kinds); i++)
			printf("worst of %u seeds: %-30s %7.2f, seed %" PRIu64 "\n", seeds, kinds[i].name,
			       kinds[i].worst, kinds[i].worst_seed);
	rte_eth_dev_stop(port);
	rte_eal_cleanup();
	return rc;
}
