/* What a port saves that writes packet types into its mbufs ([worker] trust_ptype): the worker, TCP sampler off, as it believes
 * them and as it does not, in turns. A port of net_null gives mbufs out in turns from a pool that was filled with the frames of
 * a capture, and a callback writes the type that DPDK's own parser found beforehand, as a NIC does. The pool keeps no
 * buffers at hand, so a frame is as far from the CPU as the size of the pool makes it.
 */
#include "../icmpscope/ptype.h"
#include "../icmpscope/worker.h"

#include "cpu.h"

#include "ics_capture.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MS 10
#define FRAMES_MAX 65536
#define ROUNDS_MAX 1000
#define LEN_MAX 2048
#define DRAIN_MAX 1024

static struct {
	uint8_t octets[LEN_MAX];
	uint16_t len;
	uint32_t type;
} * frames;
static unsigned n_frames;

/* Of each mbuf, behind it: which frame it holds. */
struct label {
	uint32_t type;
	uint16_t len;
};

static uint16_t port;
static struct worker_shared shared;
static struct ptype_map map;
static struct rte_mempool *pool;
static double window_cycles;

static int
die(const char *what, int rc)
{
	fprintf(stderr, "icmpscope-bench-ptype: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	return 1;
}

static int
load(const char *path)
{
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c = ics_capture_open(path, err);
	struct ics_frame f;
	uint64_t ts;

	frames = calloc(FRAMES_MAX, sizeof(*frames));
	if (c == NULL || frames == NULL)
		return -EINVAL;
	while (n_frames < FRAMES_MAX && ics_capture_next(c, &f, &ts, err) == 1) {
		if (f.cap_len > LEN_MAX)
			continue;
		memcpy(frames[n_frames].octets, f.data, f.cap_len);
		frames[n_frames++].len = (uint16_t)f.cap_len;
	}
	ics_capture_close(c);
	return n_frames > 0 ? 0 : -ENODATA;
}

/* Fills the i-th buffer of the pool. */
static void
fill(struct rte_mempool *mp, void *arg, void *obj, unsigned i)
{
	struct rte_mbuf *m = obj;
	struct label *l = rte_mbuf_to_priv(m);

	(void)mp;
	(void)arg;
	l->len = frames[i % n_frames].len;
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->nb_segs = 1;
	m->data_len = l->len;
	m->pkt_len = l->len;
	memcpy(rte_pktmbuf_mtod(m, void *), frames[i % n_frames].octets, l->len);
	l->type = rte_net_get_ptype(m, NULL, RTE_PTYPE_ALL_MASK);
}

/* What a NIC writes: length and type. */
static uint16_t
label(uint16_t p, uint16_t q, struct rte_mbuf **m, uint16_t n, uint16_t max, void *arg)
{
	(void)p;
	(void)q;
	(void)max;
	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		const struct label *l = rte_mbuf_to_priv(m[i]);

		m[i]->packet_type = l->type;
		m[i]->data_len = l->len;
		m[i]->pkt_len = l->len;
	}
	return n;
}

static int
open_port(unsigned mbufs)
{
	struct rte_eth_conf conf;
	int rc;

	memset(&conf, 0, sizeof(conf));
	pool = rte_pktmbuf_pool_create("bench", mbufs, 0, 64, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (pool == NULL)
		return -ENOMEM;
	rte_mempool_obj_iter(pool, fill, NULL);
	rc = rte_eth_dev_get_port_by_name("net_null0", &port);
	if (rc == 0)
		rc = rte_eth_dev_configure(port, 1, 0, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port, 0, 512, 0, NULL, pool);
	if (rc == 0 && rte_eth_add_rx_callback(port, 0, label, NULL) == NULL)
		rc = -ENOTSUP;
	return rc == 0 ? rte_eth_dev_start(port) : rc;
}

static int
run_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t packets = ics_count_get(&w->stats.packets), start = cpu_ns();
	int rc = worker_run(w);

	window_cycles = (double)(cpu_ns() - start) / 1e9 * (double)rte_get_tsc_hz() /
			(double)(ics_count_get(&w->stats.packets) - packets);
	return rc;
}

static void
ignore(void *ctx, const struct ics_ring_item *items, unsigned n)
{
	(void)ctx;
	(void)items;
	(void)n;
}

/* What is handed over is no part of it: nothing is, but what a worker has left when it ends. */
static double
measure(struct worker *w, bool trust)
{
	w->inspect.sink = (struct ics_sink){.push = NULL};
	w->ptypes = trust ? &map : NULL;
	atomic_store(&shared.stop, false);
	if (rte_eal_remote_launch(run_worker, w, 1) != 0)
		return 0;
	rte_delay_us_sleep(WINDOW_MS * 1000);
	atomic_store(&shared.stop, true);
	while (rte_eal_get_lcore_state(1) == RUNNING) {
		ics_ring_drain_urgent(w->ring, DRAIN_MAX, ignore, NULL);
		ics_ring_drain_bulk(w->ring, DRAIN_MAX, ignore, NULL);
	}
	rte_eal_wait_lcore(1);
	return window_cycles;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
run(unsigned rounds)
{
	static const uint32_t declared[] = {RTE_PTYPE_L2_ETHER,    RTE_PTYPE_L2_ETHER_VLAN, RTE_PTYPE_L3_IPV4,
					    RTE_PTYPE_L3_IPV4_EXT, RTE_PTYPE_L3_IPV6,       RTE_PTYPE_L3_IPV6_EXT,
					    RTE_PTYPE_L4_FRAG,     RTE_PTYPE_L4_TCP,        RTE_PTYPE_L4_UDP,
					    RTE_PTYPE_L4_SCTP};
	static double at[3][ROUNDS_MAX];
	struct plan_worker plan = {.lcore = 1, .node = -1, .port_node = -1};
	struct worker *w;

	clock_init(&shared.clock, rte_rdtsc(), rte_get_tsc_hz());
	shared.seed = shared.known.seed = 1;
	shared.ring_urgent = 8192;
	shared.ring_bulk = 65536;
	shared.validate.link_mtu = 1500;
	w = worker_new(&shared, &plan, 0, port, false);
	if (w == NULL || !ptype_map_make(&map, declared, ICS_ARRAY_LEN(declared), false))
		return die("a worker", errno);
	for (unsigned r = 0; r < rounds; r++) {
		at[0][r] = measure(w, false);
		at[1][r] = measure(w, true);
		at[2][r] = at[0][r] - at[1][r];
	}
	for (unsigned i = 0; i < 3; i++)
		qsort(at[i], rounds, sizeof(at[i][0]), compare);
	printf("%-40s %7s %7s\n", "cycles a packet", "best", "median");
	printf("%-40s %7.2f %7.2f\n", "frames looked at", at[0][0], at[0][rounds / 2]);
	printf("%-40s %7.2f %7.2f\n", "types believed", at[1][0], at[1][rounds / 2]);
	printf("%-40s %7s %7.2f\n", "saved, of pairs", "", at[2][rounds / 2]);
	printf("%" PRIu64 " frames, %" PRIu64 " not looked at, believed to the end: %s\n",
	       ics_count_get(&w->counters.frames), ics_count_get(&w->stats.told), map.withdrawn ? "no" : "yes");
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20;
	unsigned mbufs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 2047;
	char prefix[48], memory[16];
	char *eal[] = {"bench",
		       "--lcores=0@0,1@1",
		       "--no-huge",
		       "-m",
		       memory,
		       "--no-pci",
		       "--no-telemetry",
		       "--no-shconf",
		       "--log-level=*:error",
		       prefix,
		       "--vdev=net_null0"};
	int rc;

	if (argc < 2 || argc > 4 || rounds == 0 || rounds > ROUNDS_MAX || mbufs < 512) {
		fprintf(stderr, "usage: icmpscope-bench-ptype CAPTURE [ROUNDS [BUFFERS]]   two CPUs, root\n");
		return 2;
	}
	snprintf(prefix, sizeof(prefix), "--file-prefix=icsbenchp%d", getpid());
	snprintf(memory, sizeof(memory), "%u", 160 + mbufs / 380);
	if (load(argv[1]) != 0)
		return die(argv[1], EINVAL);
	if (rte_eal_init(ICS_ARRAY_LEN(eal), eal) < 0)
		return die("EAL", EINVAL);
	rc = open_port(mbufs);
	if (rc != 0)
		return die("net_null", rc);
	rc = run(rounds);
	rte_eth_dev_stop(port);
	rte_eal_cleanup();
	return rc;
}
