/* Traffic for the benchmarks, a process of its own: frames of a capture again and again through net_memif, at a rate or as
 * fast as it goes, each from a source of its own if wanted, and at the start and now and then one of a second capture, with the
 * time at which it was sent. What finds no room in the port is lost and counted, as on a wire, unless it is to be tried again.
 * With trials=1 it reads "RATE MILLISECONDS" from its standard input, line by line, and answers each when it is done; the shared
 * memory has been gone through once, slowly, before the first, so that no trial pays for pages that the kernel hands out.
 * With hold=1 it waits for a line there after the first frame of the second capture. With server=1 the reader connects, and the
 * shared memory is the reader's.
 */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_MAX 65536
#define BURST 32
#define MBUFS 8191
/* Slots of the ring in shared memory, as a power of two: what is asked for without a word, and the most that memif has. */
#define RING_LOG 11
#define RING_LOG_MAX 14
/* So many frames are kept ready; of a longer capture each is made when it is sent. */
#define READY_MAX 4096
#define WARM_PPS 2000000
#define LINK_WAIT_S 20
/* Of probes the last one is counted on: it is tried until it is in the ring. */
#define PROBE_TRIES 100000000u

struct frame {
	uint8_t *data;
	uint32_t len;
};

struct frames {
	struct frame at[FRAMES_MAX];
	unsigned n;
};

static struct frames load, probes;
static struct rte_mbuf *ready[READY_MAX];
static struct {
	const char *probe;
	uint64_t rate, seconds, probe_ms, ring_log;
	bool distinct, retry, trials, hold, server;
} opt = {.seconds = 10, .ring_log = RING_LOG};
static uint16_t port;
static struct rte_mempool *pool;
static _Atomic bool stop;
static unsigned next_frame, next_probe;
static uint64_t sent, lost, serial;

static int
die(const char *what, const char *why)
{
	fprintf(stderr, "icmpscope-bench-generator: %s: %s\n", what, why);
	return 1;
}

static void
on_signal(int n)
{
	(void)n;
	atomic_store(&stop, true);
}

static int
read_capture(const char *path, struct frames *out)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *h;
	const u_char *data;

	if (p == NULL)
		return die(path, err);
	while (out->n < FRAMES_MAX && pcap_next_ex(p, &h, &data) == 1) {
		struct frame *f = &out->at[out->n++];

		f->len = h->caplen < RTE_MBUF_DEFAULT_DATAROOM ? h->caplen : RTE_MBUF_DEFAULT_DATAROOM;
		f->data = malloc(f->len);
		if (f->data == NULL)
			return die(path, "no memory");
		memcpy(f->data, data, f->len);
	}
	pcap_close(p);
	return out->n > 0 ? 0 : die(path, "no frames");
}

/* RFC 1624 3: the checksum at sum, after 32 bits changed from old to new (as they lie in memory). */
static void
mend(uint8_t *sum, uint32_t old, uint32_t new)
{
	uint16_t v;
	uint32_t s;

	memcpy(&v, sum, 2);
	s = (uint16_t)~v + (uint16_t) ~(old & 0xffff) + (uint16_t) ~(old >> 16) + (new & 0xffff) + (new >> 16);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	v = (uint16_t)~s;
	memcpy(sum, &v, 2);
}

static void
change(uint8_t *at, uint8_t *sum, uint32_t to)
{
	uint32_t old;

	memcpy(&old, at, 4);
	memcpy(at, &to, 4);
	if (sum != NULL)
		mend(sum, old, to);
}

/* Another MAC and another source address, the checksum right. */
static void
change_source(uint8_t *d, uint32_t len)
{
	uint32_t v = (uint32_t)(++serial * 0x9e3779b97f4a7c15ull >> 32);

	if (len < 66)
		return;
	if (d[12] == 0x86 && d[13] == 0xdd) {
		uint8_t *sum = d[20] == 58 ? d + 56 : d[20] == 0 && d[55] == 0 ? d + 64 : NULL;

		change(d + 34, sum, v);
	} else if (d[12] == 0x08 && d[13] == 0x00) {
		change(d + 26, d + 24, v);
	}
	change(d + 8, NULL, v);
}

static struct rte_mbuf *
build(const struct frame *f, bool distinct)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *d;

	if (m == NULL)
		return NULL;
	d = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(d, f->data, f->len);
	m->data_len = (uint16_t)f->len;
	m->pkt_len = f->len;
	if (distinct)
		change_source(d, f->len);
	return m;
}

/* Sending copies the octets and gives the buffer back: of those that are kept, a reference. Two of one burst must not be the
 * same one where each is to differ.
 */
static bool
make_ready(void)
{
	if (load.n > READY_MAX || (opt.distinct && load.n < BURST))
		return true;
	for (unsigned i = 0; i < load.n; i++) {
		ready[i] = build(&load.at[i], false);
		if (ready[i] == NULL)
			return false;
	}
	return true;
}

static struct rte_mbuf *
next(void)
{
	unsigned i = next_frame;
	struct rte_mbuf *m;

	next_frame = i + 1 < load.n ? i + 1 : 0;
	if (ready[0] == NULL)
		return build(&load.at[i], opt.distinct);
	m = ready[i];
	if (opt.distinct)
		change_source(rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	rte_mbuf_refcnt_update(m, 1);
	return m;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
send_burst(struct rte_mbuf **m, unsigned n)
{
	unsigned done = rte_eth_tx_burst(port, 0, m, (uint16_t)n);

	while (opt.retry && done < n && !atomic_load_explicit(&stop, memory_order_relaxed))
		done += rte_eth_tx_burst(port, 0, m + done, (uint16_t)(n - done));
	sent += done;
	lost += n - done;
	if (done < n)
		rte_pktmbuf_free_bulk(m + done, n - done);
}

static void
send_probe(unsigned i)
{
	struct rte_mbuf *m = build(&probes.at[i], false);
	uint64_t ns = now_ns();

	for (unsigned k = 0; m != NULL && k < PROBE_TRIES && !atomic_load_explicit(&stop, memory_order_relaxed); k++) {
		if (rte_eth_tx_burst(port, 0, &m, 1) == 1) {
			sent++;
			printf("probe %u %" PRIu64 "\n", i, ns);
			fflush(stdout);
			return;
		}
	}
	rte_pktmbuf_free(m);
	lost++;
}

/* At most frames at rate, 0: without bound, for a time of the TSC, and up to four times that while a probe has not had its turn.
 * False: no buffer.
 */
static bool
run(uint64_t rate, uint64_t frames, uint64_t cycles)
{
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), tsc = start, allowed = 0, n = 0;
	uint64_t probe_at = start + (next_probe > 0 ? opt.probe_ms * hz / 1000 : 0);
	uint64_t ring = 1u << opt.ring_log;
	struct rte_mbuf *m[BURST];

	while (!atomic_load_explicit(&stop, memory_order_relaxed) && n < frames &&
	       (tsc - start < cycles || (next_probe < probes.n && tsc - start < 4 * cycles))) {
		tsc = rte_rdtsc();
		if (next_probe < probes.n && tsc >= probe_at) {
			send_probe(next_probe++);
			probe_at += opt.probe_ms * hz / 1000;
		}
		if (rate != 0) {
			allowed = (uint64_t)((double)(tsc - start) / (double)hz * (double)rate);
			/* Behind by more than what the port can easily take at once: that time is lost. */
			if (allowed > n + ring / 4 && !opt.retry)
				n = allowed - ring / 4;
			if (allowed < n + BURST)
				continue;
		}
		for (unsigned i = 0; i < BURST; i++) {
			m[i] = next();
			if (m[i] == NULL) {
				rte_pktmbuf_free_bulk(m, i);
				return false;
			}
		}
		send_burst(m, BURST);
		n += BURST;
	}
	return true;
}

static void
run_and_tell(uint64_t rate, uint64_t cycles)
{
	uint64_t start = rte_rdtsc();

	run(rate, UINT64_MAX, cycles);
	printf("sent %" PRIu64 " lost %" PRIu64 " seconds %.6f\n", sent, lost,
	       (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz());
	fflush(stdout);
}

/* Until the standard input ends. */
static void
run_trials(void)
{
	uint64_t rate, ms;

	opt.retry = true;
	run(WARM_PPS, 2u << opt.ring_log, UINT64_MAX);
	opt.retry = false;
	printf("warm %" PRIu64 "\n", sent);
	fflush(stdout);
	while (!atomic_load(&stop) && scanf("%" SCNu64 " %" SCNu64, &rate, &ms) == 2) {
		sent = lost = 0;
		run_and_tell(rate, ms * (rte_get_tsc_hz() / 1000));
	}
}

static int
open_port(void)
{
	struct rte_eth_conf conf;
	struct rte_eth_link link = {0};
	int rc;

	memset(&conf, 0, sizeof(conf));
	pool = rte_pktmbuf_pool_create("gen", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (pool == NULL)
		return -ENOMEM;
	rc = rte_eth_dev_get_port_by_name("net_memif0", &port);
	if (rc == 0)
		rc = rte_eth_dev_configure(port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port, 0, (uint16_t)(1u << opt.ring_log), 0, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port, 0, (uint16_t)(1u << opt.ring_log), 0, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(port);
	for (unsigned i = 0; rc == 0 && link.link_status != RTE_ETH_LINK_UP && !atomic_load(&stop); i++) {
		if (i == LINK_WAIT_S * 100)
			return -ETIMEDOUT;
		rte_delay_us_sleep(10000);
		rc = rte_eth_link_get_nowait(port, &link);
	}
	return rc != 0 || make_ready() ? rc : -ENOMEM;
}

static bool
read_option(const char *arg)
{
	const char *value = strchr(arg, '=');
	const struct {
		const char *name;
		uint64_t *number;
		bool *flag;
	} known[] = {
		{.name = "rate=", .number = &opt.rate},         {.name = "seconds=", .number = &opt.seconds},
		{.name = "probe_ms=", .number = &opt.probe_ms}, {.name = "ring=", .number = &opt.ring_log},
		{.name = "distinct=", .flag = &opt.distinct},   {.name = "retry=", .flag = &opt.retry},
		{.name = "trials=", .flag = &opt.trials},       {.name = "hold=", .flag = &opt.hold},
		{.name = "server=", .flag = &opt.server},
	};

	if (value == NULL)
		return false;
	value++;
	if (strncmp(arg, "probes=", 7) == 0) {
		opt.probe = value;
		return true;
	}
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(arg, known[i].name, strlen(known[i].name)) != 0)
			continue;
		if (known[i].number != NULL)
			*known[i].number = strtoull(value, NULL, 10);
		else
			*known[i].flag = value[0] == '1';
		return opt.ring_log >= 1 && opt.ring_log <= RING_LOG_MAX;
	}
	return false;
}

int
main(int argc, char **argv)
{
	char vdev[256], prefix[48];
	char *eal[] = {"generator",      "--lcores=0@0", "--no-huge",           "-m",   "64", "--no-pci",
		       "--no-telemetry", "--no-shconf",  "--log-level=*:error", prefix, vdev};
	bool good = argc >= 3;
	int rc;

	for (int i = 3; i < argc; i++)
		good &= read_option(argv[i]);
	if (!good) {
		fprintf(stderr, "usage: icmpscope-bench-generator SOCKET CAPTURE [rate=PPS] [seconds=N] [distinct=1] "
				"[retry=1] [probes=CAPTURE probe_ms=N] [ring=LOG2] [trials=1] [hold=1] [server=1]\n");
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (read_capture(argv[2], &load) != 0 || (opt.probe != NULL && read_capture(opt.probe, &probes) != 0))
		return 1;
	snprintf(prefix, sizeof(prefix), "--file-prefix=icsbenchg%d", getpid());
	snprintf(vdev, sizeof(vdev), "--vdev=net_memif0,role=%s,id=0,socket=%s,socket-abstract=no,rsize=%" PRIu64,
		 opt.server ? "server" : "client", argv[1], opt.ring_log);
	if (rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])), eal) < 0)
		return die("EAL", "does not start");
	rc = open_port();
	if (rc != 0)
		return die(argv[1], strerror(-rc));
	/* Until whoever reads has taken note of the first. */
	if (opt.hold && probes.n > 0) {
		send_probe(next_probe++);
		getchar();
	}
	if (opt.trials)
		run_trials();
	else
		run_and_tell(opt.rate, opt.seconds * rte_get_tsc_hz());
	/* The reader ends first, or it would poll rings that are gone. */
	while (!atomic_load(&stop))
		rte_delay_us_sleep(10000);
	rte_eth_dev_stop(port);
	rte_eal_cleanup();
	return 0;
}
