/* The receive loop (worker.h). Per burst: one TSC read, one pass that glances at the frames where they lie, the rest of
 * the fast half for the few that need it, one bulk free. What it counts goes to its own cache lines, once a burst.
 */
#include "worker.h"

#include "rest.h"

#include "ics_glance.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>
#include <time.h>

/* Empty polls between two looks at the fold cache, and the longest time between them. */
#define IDLE_POLLS 256
#define IDLE_US 1000
/* Empty polls after which a capture counts as read, and how long room in a ring is waited for at a time. */
#define SPARE_POLLS 32
#define SPARE_NS 50000
#define READ_NS 1000000
/* After the order to stop: bursts that are still taken, and how long a full ring is waited for. */
#define LAST_BURSTS 64
#define LAST_MS 1000

uint64_t
worker_bytes(uint32_t ring_urgent, uint32_t ring_bulk, const struct ics_sample_conf *sampler)
{
	return ics_ring_bytes(ring_urgent, ring_bulk) + ics_fold_size() + sizeof(struct worker) +
	       (sampler != NULL ? ics_sampler_size(sampler) : 0);
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	rte_free(w->inspect.sampler);
	rte_free(w->inspect.fold);
	ics_ring_free(w->ring);
	rte_free(w);
}

/* Zeroed memory that is there: without hugepages the kernel would hand it out page by page, while packets wait. */
static void *
new_memory(const char *name, size_t size, int node)
{
	void *mem = rte_zmalloc_socket(name, size, RTE_CACHE_LINE_SIZE, node);

	if (mem != NULL)
		memset(mem, 0, size);
	return mem;
}

struct worker *
worker_new(struct worker_shared *shared, const struct plan_worker *plan, unsigned index, uint16_t port_id, bool once)
{
	struct worker *w = rte_zmalloc_socket("worker", sizeof(*w), RTE_CACHE_LINE_SIZE, plan->node);
	void *mem = NULL;
	char name[16];

	if (w == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	w->shared = shared;
	w->lcore = plan->lcore;
	w->port_id = port_id;
	w->queue = (uint16_t)plan->queue;
	w->once = once;
	w->stamped = once && shared->capture_time;
	w->yield = plan->shared;
	snprintf(name, sizeof(name), "worker%u", index);
	w->ring = ics_ring_new(name, shared->ring_urgent, shared->ring_bulk, plan->node);
	if (w->ring == NULL)
		goto fail;
	w->inspect = (struct ics_inspect){
		.decode = shared->decode,
		.validate = shared->validate,
		.counters = &w->counters,
		.known = &shared->known,
		.sink = {.push = ics_ring_push, .ctx = w->ring, .publish = ics_ring_publish},
		.seed = shared->seed,
		.in_order = once,
		.port = (uint8_t)plan->port,
		.queue = (uint8_t)plan->queue,
	};
	if (!once) {
		mem = new_memory("fold", ics_fold_size(), plan->node);
		w->inspect.fold = mem != NULL ? ics_fold_init(mem) : NULL;
		if (w->inspect.fold == NULL) {
			errno = ENOMEM;
			goto fail;
		}
	}
	if (shared->sample) {
		mem = new_memory("sampler", ics_sampler_size(&shared->sampler), plan->node);
		if (mem == NULL) {
			errno = ENOMEM;
			goto fail;
		}
		w->inspect.sampler = ics_sampler_init(&shared->sampler, mem);
	}
	ics_inspect_init(&w->inspect);
	return w;
fail:
	worker_free(w);
	return NULL;
}

static void
sleep_ns(long ns)
{
	struct timespec t = {.tv_nsec = ns};

	nanosleep(&t, NULL);
}

/* ---- what a frame is ---- */

static inline void
describe(const struct rte_mbuf *m, struct ics_frame *f)
{
	f->data = rte_pktmbuf_mtod(m, const uint8_t *);
	rte_prefetch0(f->data);
	f->cap_len = rte_pktmbuf_data_len(m);
	f->wire_len = rte_pktmbuf_pkt_len(m);
	f->stripped_tci = ics_unlikely(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) ? m->vlan_tci : ICS_VLAN_NONE;
	f->link = ICS_LINK_ETHERNET;
}

/* A frame in several buffers, made one. Bounded by the segments of the mbuf. */
static void
linearise(struct worker *w, const struct rte_mbuf *m, struct ics_frame *f)
{
	uint32_t len = 0;

	for (const struct rte_mbuf *s = m; s != NULL && len < WORKER_SCRATCH; s = s->next) {
		uint32_t n = rte_pktmbuf_data_len(s);

		if (n > WORKER_SCRATCH - len)
			n = WORKER_SCRATCH - len;
		memcpy(w->scratch + len, rte_pktmbuf_mtod(s, const uint8_t *), n);
		len += n;
	}
	f->data = w->scratch;
	f->cap_len = len;
	ics_count_add(&w->stats.linearised, 1);
	if (len < f->wire_len)
		ics_count_add(&w->stats.cut, 1);
}

/* Live: all frames of a burst have one time. The scratch holds one frame, so one in several buffers goes alone. */
static inline void
inspect_burst(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t ts_ns)
{
	struct ics_frame f[WORKER_BURST];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		describe(m[i], &f[k]);
		if (ics_likely(m[i]->nb_segs == 1)) {
			k++;
			continue;
		}
		linearise(w, m[i], &f[k]);
		ics_inspect_burst(&w->inspect, f, k + 1, ts_ns);
		k = 0;
	}
	if (k > 0)
		ics_inspect_burst(&w->inspect, f, k, ts_ns);
}

/* ---- the usual burst ---- */

/* Of an mbuf, eight octets from data_off on (DPDK's rearm_data): what a whole frame that nobody else holds has there. */
#define REARM_REFCNT 0x00000000ffff0000u
#define REARM_SEGS 0x0000ffff00000000u
#define REARM_USUAL 0x0000000100010000u
/* Lies elsewhere than in the mbuf, or lacks a tag. */
#define UNUSUAL_FLAGS (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)
/* So many frames ahead, the octets are fetched that a frame begins with where its pool keeps nothing of its own there. */
#define AHEAD 6
/* Of each burst, a frame is checked against what the NIC says it is; of full ones, of one in so many. */
#define CHECK_EVERY 16

_Static_assert(offsetof(struct rte_mbuf, refcnt) - offsetof(struct rte_mbuf, rearm_data) == 2, "REARM_REFCNT");
_Static_assert(offsetof(struct rte_mbuf, nb_segs) - offsetof(struct rte_mbuf, rearm_data) == 4, "REARM_SEGS");

static inline enum ics_class
told_class(const struct ptype_map *ptypes, const struct rte_mbuf *m)
{
	return ptype_class(ptypes, m->packet_type, m->data_len);
}

static inline uint64_t
rearm_of(const struct rte_mbuf *m)
{
	uint64_t rearm;

	memcpy(&rearm, &m->rearm_data, sizeof(rearm));
	return rearm;
}

/* Looks at a burst while it is read. Not 0: there is an mbuf in it that is not whole, not in pool or not ours alone, and
 * nothing of this counts.
 */
static inline __attribute__((always_inline)) uint64_t
glance_burst(const struct ics_glance_conf *conf, struct rte_mbuf **m, unsigned n, const struct rte_mempool *pool,
	     struct ics_glance *g, struct ics_left *left)
{
	struct ics_glance sums = {0}; /* nobody else's, so that they stay in registers */
	uint64_t first = rearm_of(m[0]), unusual = (first & (REARM_REFCNT | REARM_SEGS)) ^ REARM_USUAL;

	for (unsigned i = 0; i < n; i++) {
		struct ics_frame f = {.stripped_tci = ICS_VLAN_NONE, .link = ICS_LINK_ETHERNET};
		const struct rte_mbuf *later = m[i + AHEAD < n ? i + AHEAD : i];
		uint64_t rearm = rearm_of(m[i]);

		rte_prefetch0((const uint8_t *)later + sizeof(*later) + RTE_PKTMBUF_HEADROOM);
		/* All but data_off is as in the first: of one port they have it in common. */
		unusual |= ((rearm ^ first) >> 16) | (m[i]->ol_flags & UNUSUAL_FLAGS) |
			   ((uintptr_t)m[i]->pool ^ (uintptr_t)pool);
		f.data = (const uint8_t *)m[i]->buf_addr + (uint16_t)rearm;
		f.cap_len = m[i]->data_len;
		f.wire_len = m[i]->pkt_len;
		ics_glance(conf, &f, true, &sums, left);
	}
	*g = sums;
	return unusual;
}

/* Where tunnels are looked into: a loop apart, so that the usual one need not ask. */
static __attribute__((noinline)) uint64_t
glance_tunnels(const struct ics_glance_conf *conf, struct rte_mbuf **m, unsigned n, struct ics_glance *g,
	       struct ics_left *left)
{
	return glance_burst(conf, m, n, m[0]->pool, g, left);
}

/* The same where the NIC is believed and no sampler reads every header: frames that it settles are not touched. */
static inline __attribute__((always_inline)) uint64_t
glance_told(const struct ics_glance_conf *conf, const struct ptype_map *ptypes, struct rte_mbuf **m, unsigned n,
	    struct ics_glance *g, struct ics_left *left)
{
	const struct rte_mempool *pool = m[0]->pool;
	uint64_t unusual = 0, bytes = 0;
	uint32_t told = 0, ip6 = 0, snapped = 0;

	for (unsigned i = 0; i < n; i++) {
		enum ics_class class = told_class(ptypes, m[i]);
		struct ics_frame f;

		unusual |= ((rearm_of(m[i]) & (REARM_REFCNT | REARM_SEGS)) ^ REARM_USUAL) |
			   (m[i]->ol_flags & UNUSUAL_FLAGS) | ((uintptr_t)m[i]->pool ^ (uintptr_t)pool);
		if (ics_likely(class != ICS_CLASS_COUNT)) {
			told++;
			ip6 += class == ICS_CLASS_ip6_other;
			bytes += m[i]->pkt_len;
			snapped += m[i]->data_len < m[i]->pkt_len;
			continue;
		}
		/* One that is to be looked at has more of its kind behind it. */
		rte_prefetch0((const uint8_t *)m[i + AHEAD < n ? i + AHEAD : i] + sizeof(*m[i]) + RTE_PKTMBUF_HEADROOM);
		describe(m[i], &f);
		ics_glance(conf, &f, true, g, left);
	}
	g->ip6 += ip6;
	g->bytes += bytes;
	g->snapped += snapped;
	g->told = told;
	return unusual;
}

/* Whether a frame is what the NIC says. If not, it is never believed again. */
static bool
is_true(struct worker *w, const struct rte_mbuf *one)
{
	enum ics_class told = told_class(w->ptypes, one), class;
	struct ics_frame f;
	struct ics_pkt pkt;

	if (told == ICS_CLASS_COUNT)
		return true;
	describe(one, &f);
	class = ics_peek(&f, &w->inspect.decode);
	if (ics_likely(class == told))
		return true;
	ics_decode(&f, &w->inspect.decode, &pkt);
	if (pkt.class == told && pkt.encap == 0)
		return true;
	atomic_store_explicit(&w->ptypes->withdrawn, true, memory_order_relaxed);
	return false;
}

/* Where the NIC is believed, and no sampler reads every header. False: nothing was done. */
static __attribute__((noinline)) bool
inspect_told(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t ts_ns)
{
	struct ics_glance_conf conf = {.tunnels = w->inspect.decode.tunnels != 0};
	struct ics_glance g = {0};
	struct ics_left left;
	uint32_t any = (uint32_t)ts_ns * 2654435761u;
	const struct rte_mbuf *one = NULL;

	/* A frame of the burst; it is here when the others are done. */
	if (n < WORKER_BURST || any % CHECK_EVERY == 0) {
		one = m[(uint64_t)any * n >> 32];
		rte_prefetch0(rte_pktmbuf_mtod(one, const uint8_t *));
	}
	if (glance_told(&conf, w->ptypes, m, n, &g, &left) != 0 || (one != NULL && ics_unlikely(!is_true(w, one))))
		return false;
	ics_inspect_begin(&w->inspect, ts_ns);
	ics_inspect_glanced(&w->inspect, n, &g, &left, ts_ns);
	ics_count_add(&w->stats.told, g.told);
	return true;
}

static inline bool
believes(const struct worker *w)
{
	return w->ptypes != NULL && !atomic_load_explicit(&w->ptypes->withdrawn, memory_order_relaxed);
}

/* False: nothing was done. A loop each for a NIC that is believed, for tunnels, with sampler and without. */
static inline bool
inspect_usual(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t ts_ns)
{
	struct ics_glance_conf conf = ics_glance_conf(&w->inspect);
	struct ics_glance g = {0};
	struct ics_left left;
	uint64_t unusual;

	if (ics_unlikely(believes(w)) && inspect_told(w, m, n, ts_ns))
		return true;
	ics_inspect_begin(&w->inspect, ts_ns);
	if (ics_unlikely(conf.tunnels)) {
		unusual = glance_tunnels(&conf, m, n, &g, &left);
	} else if (conf.recent != NULL) {
		conf.tunnels = false;
		unusual = glance_burst(&conf, m, n, m[0]->pool, &g, &left);
	} else {
		conf.recent = NULL;
		conf.tunnels = false;
		unusual = glance_burst(&conf, m, n, m[0]->pool, &g, &left);
	}
	if (ics_unlikely(unusual != 0))
		return false;
	ics_inspect_glanced(&w->inspect, n, &g, &left, ts_ns);
	return true;
}

/* The pcap driver stamps with microseconds since the epoch. A frame without a stamp has the time of the one before. */
static void
inspect_stamped(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t *ts_ns)
{
	struct ics_frame f;

	for (unsigned i = 0; i < n; i++) {
		if (m[i]->ol_flags & w->shared->ts_flag)
			*ts_ns = *RTE_MBUF_DYNFIELD(m[i], w->shared->ts_offset, rte_mbuf_timestamp_t *) * 1000;
		describe(m[i], &f);
		if (m[i]->nb_segs > 1)
			linearise(w, m[i], &f);
		ics_inspect_burst(&w->inspect, &f, 1, *ts_ns);
	}
}

/* ---- the loop ---- */

static bool
is_stopping(const struct worker *w)
{
	return atomic_load_explicit(&w->shared->stop, memory_order_relaxed);
}

/* A sink that waits for room: a capture can wait, and so can the last records of a worker that ends, for a while. */
static int
push_patiently(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct worker *w = ctx;
	uint64_t deadline = 0;

	while (ics_ring_push(w->ring, lane, rec, frame) != 0) {
		if (is_stopping(w)) {
			if (deadline == 0)
				deadline = rte_rdtsc() + rte_get_tsc_hz() / 1000 * LAST_MS;
			if (rte_rdtsc() > deadline)
				return -ENOSPC;
		}
		ics_count_add(&w->stats.waits, 1);
		sleep_ns(SPARE_NS);
	}
	return 0;
}

static void
publish(void *ctx)
{
	struct worker *w = ctx;

	ics_ring_publish(w->ring);
}

static void
set_pending(struct worker *w)
{
	if (w->inspect.fold != NULL)
		atomic_store_explicit(&w->stats.pending, ics_fold_pending(w->inspect.fold), memory_order_relaxed);
}

static void
idle(struct worker *w, uint64_t ts_ns)
{
	ics_worker_stats_begin(&w->stats);
	ics_inspect_idle(&w->inspect, ts_ns);
	set_pending(w);
	ics_worker_stats_end(&w->stats);
}

/* Gives the buffers of a burst back to their pool in one go: nearly all are of one pool, whole, and nobody else's. */
static inline void
release(struct rte_mbuf **m, unsigned n)
{
	struct rte_mempool *pool = m[0]->pool;
	unsigned plain = 0;

	for (unsigned i = 0; i < n; i++) {
		if (ics_likely(m[i]->pool == pool && m[i]->nb_segs == 1 && RTE_MBUF_DIRECT(m[i]) &&
			       rte_mbuf_refcnt_read(m[i]) == 1))
			m[plain++] = m[i];
		else
			rte_pktmbuf_free(m[i]);
	}
	rte_mempool_put_bulk(pool, (void *const *)m, plain);
}

static inline void
busy(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t tsc, uint64_t *capture_ns)
{
	struct rte_mempool *pool = m[0]->pool;
	bool usual = false;
	uint64_t ts_ns;

	ics_worker_stats_begin(&w->stats);
	if (ics_unlikely(w->stamped)) {
		inspect_stamped(w, m, n, capture_ns);
	} else {
		ts_ns = clock_ns(&w->shared->clock, tsc);
		usual = inspect_usual(w, m, n, ts_ns);
		if (ics_unlikely(!usual))
			inspect_burst(w, m, n, ts_ns);
	}
	ics_count_add(&w->stats.bursts, 1);
	ics_count_add(&w->stats.packets, n);
	set_pending(w);
	ics_worker_stats_end(&w->stats);
	if (ics_likely(usual))
		rte_mempool_put_bulk(pool, (void *const *)m, n);
	else
		release(m, n);
}

/* Polls and cycles since they were last written down. */
struct meter {
	uint64_t polls, idle_tsc, busy_tsc;
};

static inline void
write_down(struct worker *w, struct meter *t)
{
	ics_count_add(&w->stats.polls, t->polls);
	ics_count_add(&w->stats.idle_tsc, t->idle_tsc);
	ics_count_add(&w->stats.busy_tsc, t->busy_tsc);
	*t = (struct meter){0};
}

/* Nothing came, for the empty-th time in a row. */
static void
spare(struct worker *w, unsigned empty, uint64_t tsc, uint64_t *next_idle)
{
	if (w->once) {
		if (empty < SPARE_POLLS)
			return;
		atomic_store_explicit(&w->at_end, true, memory_order_release);
		sleep_ns(READ_NS);
		return;
	}
	if (empty % IDLE_POLLS == 0 || tsc >= *next_idle) {
		*next_idle = tsc + rte_get_tsc_hz() / 1000000 * IDLE_US;
		idle(w, clock_ns(&w->shared->clock, tsc));
	}
	rest(w->shared->idle, w->yield, empty);
}

/* What still lies in the port, within bounds, then what waits in the fold cache. */
static void
finish(struct worker *w, uint64_t *capture_ns)
{
	struct rte_mbuf *m[WORKER_BURST];

	w->inspect.sink = (struct ics_sink){.push = push_patiently, .ctx = w, .publish = publish};
	for (unsigned i = 0; i < LAST_BURSTS; i++) {
		unsigned n = rte_eth_rx_burst(w->port_id, w->queue, m, WORKER_BURST);

		if (n == 0)
			break;
		busy(w, m, n, rte_rdtsc(), capture_ns);
	}
	idle(w, UINT64_MAX);
}

int
worker_run(void *worker)
{
	struct worker *w = worker;
	struct rte_mbuf *m[WORKER_BURST];
	uint64_t tsc, last = rte_rdtsc(), next_idle = 0, capture_ns = 0;
	struct meter t = {0};
	unsigned n, before = 0, empty = 0;

	if (w->once)
		w->inspect.sink = (struct ics_sink){.push = push_patiently, .ctx = w, .publish = publish};
	while (!is_stopping(w)) {
		n = rte_eth_rx_burst(w->port_id, w->queue, m, WORKER_BURST);
		tsc = rte_rdtsc();
		/* The time since the last reading went into the last burst, if there was one, and this poll. */
		*(before > 0 || n > 0 ? &t.busy_tsc : &t.idle_tsc) += tsc - last;
		last = tsc;
		before = n;
		t.polls++;
		if (n > 0) {
			empty = 0;
			write_down(w, &t);
			busy(w, m, n, tsc, &capture_ns);
		} else {
			/* Before it sleeps, too: the watchdog wants to see it turn. */
			if (++empty % IDLE_POLLS == 0 || (w->once && empty >= SPARE_POLLS) ||
			    rest_sleeps(w->shared->idle, w->yield, empty))
				write_down(w, &t);
			spare(w, empty, tsc, &next_idle);
			last = rte_rdtsc();
			t.idle_tsc += last - tsc;
		}
	}
	write_down(w, &t);
	finish(w, &capture_ns);
	return 0;
}
