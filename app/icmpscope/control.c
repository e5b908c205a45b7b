/* The control loop (control.h): urgent records of every worker first, then bulk in bounded batches, then the chores. It
 * sleeps when there is nothing to do, because telemetry's threads may live on the same CPU.
 */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <stdlib.h>
#include <time.h>

#define URGENT_BATCH 1024
#define BULK_BATCH 128
#define REQUESTS_BATCH 4
#define TICK_MS 10
/* Shortly after work more of it is likely, and a ring of urgent records is full after a millisecond of the worst. */
#define SLEEP_NS 1000000
#define NAP_NS 100000
#define NAPS 100
#define NEWS_MS 5
#define LOSS_MS 1000
#define STOP_WAIT_MS 3000
/* Nice value: three times the share of an ordinary thread, which leaves enough for those of telemetry. */
#define PRIORITY (-5)
/* Before ordinary threads, and behind all others of its kind. After so long without a nap it takes one, or a flood
 * of messages would leave those threads to starve.
 */
#define REALTIME_PRIORITY 1
#define STRETCH_MS 2
#define STRETCH_NAP_NS 200000

static void
feed(void *ctx, const struct ics_ring_item *items, unsigned n)
{
	struct ics_engine_item e[ICS_RING_BATCH];
	struct control *c = ctx;
	unsigned samples = 0;

	for (unsigned i = 0; i < n; i++) {
		e[i] = (struct ics_engine_item){.rec = items[i].rec, .frame = items[i].frame};
		if (ics_record_is_sample(items[i].rec))
			samples++;
		else
			c->source->consumed_messages += 1 + (uint64_t)items[i].rec->repeats;
	}
	ics_engine_feed_burst(c->engine, e, n);
	c->source->consumed_records += n - samples;
	c->source->consumed_samples += samples;
}

static unsigned
drain(struct control *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_workers; i++)
		n += ics_ring_drain_urgent(c->workers[i]->ring, URGENT_BATCH, feed, c);
	for (unsigned i = 0; i < c->n_workers; i++)
		n += ics_ring_drain_bulk(c->workers[i]->ring, BULK_BATCH, feed, c);
	return n;
}

static uint64_t
since(uint64_t *before, const ics_counter *now)
{
	uint64_t n = ics_count_get(now), more = n - *before;

	*before = n;
	return more;
}

/* What a worker lost in a full ring since it was last looked at: whoever judges by single messages must know. */
static void
note_losses_of(struct control *c, unsigned i)
{
	const struct ics_counters *n = &c->workers[i]->counters;
	struct control_seen *seen = &c->seen[i];
	struct ics_loss loss = {.worker = i, .port = (uint8_t)c->source->workers[i].port};
	uint64_t lost = 0;

	loss.messages = since(&seen->control, &n->control);
	for (unsigned k = 0; k < ICS_DROP_COUNT; k++)
		lost += loss.lost[k] = since(&seen->dropped[k], &n->dropped[k]);
	if (lost == 0)
		return;
	for (unsigned k = 0; k < ICS_CLASS_COUNT; k++)
		loss.lost_class[k] = since(&seen->dropped_class[k], &n->dropped_class[k]);
	ics_engine_note_loss(c->engine, &loss);
	journalist_loss(c->journalist, &loss);
}

static void
read_ports(void *ctx)
{
	struct control *c = ctx;

	for (unsigned i = 0; i < c->n_ports; i++)
		port_read(&c->ports[i], &c->port_views[i]);
}

static void
note_losses(struct control *c, uint64_t tsc)
{
	struct ics_anomaly_stats a;

	if (tsc < c->next_loss_tsc || c->seen == NULL)
		return;
	c->next_loss_tsc = tsc + rte_get_tsc_hz() / 1000 * LOSS_MS;
	for (unsigned i = 0; i < c->n_workers; i++)
		note_losses_of(c, i);
	ics_anomaly_stats(ics_engine_anomalies(c->engine), &a);
	atomic_store_explicit(&c->anomalies, a.open, memory_order_relaxed);
	if (c->journalist->journal != NULL) {
		read_ports(c);
		journalist_ports(c->journalist, c->port_views, c->n_ports);
	}
}

/* Captures bring their own time: the clock on the wall must not drive detectors through them, nor past their end. */
static void
tick(struct control *c, uint64_t tsc, bool rings_empty)
{
	if (tsc < c->next_tick_tsc)
		return;
	c->source->uptime_ns = clock_ns(&c->shared->clock, tsc) - c->shared->clock.ns0;
	note_losses(c, tsc);
	/* While records wait in the rings, they tell the time: a tick would be ahead of them. */
	if (!rings_empty)
		return;
	c->next_tick_tsc = tsc + rte_get_tsc_hz() / 1000 * TICK_MS;
	if (!c->shared->capture_time)
		ics_engine_tick(c->engine, clock_ns(&c->shared->clock, tsc));
}

/* The engine settles its episodes when it is asked for anomalies: not on every turn of the loop. */
static void
tell_news(struct control *c, uint64_t tsc)
{
	if (tsc < c->next_news_tsc)
		return;
	c->next_news_tsc = tsc + rte_get_tsc_hz() / 1000 * NEWS_MS;
	announce_news(&c->announce, ics_engine_anomalies(c->engine));
	journalist_turn(c->journalist, ics_engine_anomalies(c->engine), &c->keeper->stats);
}

/* All that is left to say, as far as standard output takes it. */
static void
announce_all(struct control *c)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(c->engine);

	while (ics_anomaly_next(s, c->announce.next_seq) != NULL)
		announce_news(&c->announce, s);
}

/* Once all captures have ended and their records are judged, says so. Called when the rings were found empty. */
static void
check_captures(struct control *c)
{
	uint64_t expected = 0, got = 0;
	unsigned ended = 0;

	if (c->n_once == 0 || c->captures_read)
		return;
	for (unsigned i = 0; i < c->n_workers; i++)
		ended += c->workers[i]->once && atomic_load_explicit(&c->workers[i]->at_end, memory_order_acquire);
	/* A worker hands over before it says so: a last look into its ring makes sure. */
	if (ended < c->n_once || drain(c) > 0)
		return;
	for (unsigned i = 0; i < c->n_workers; i++) {
		struct ics_export_port *p = &c->port_views[c->source->workers[i].port];

		if (!c->workers[i]->once)
			continue;
		p->capture_read = true;
		expected += p->capture_frames;
		got += ics_count_get(&c->workers[i]->counters.frames);
	}
	c->captures_read = true;
	announce_all(c);
	printf("capture read: %" PRIu64 " of %" PRIu64 " frames; the socket still answers, Ctrl-C ends\n", got,
	       expected);
	fflush(stdout);
}

static uint64_t
read_tsc(void)
{
	return rte_rdtsc();
}

/* Time as frames have it follows the kernel's. */
static void
steer_clock(struct control *c, uint64_t tsc)
{
	if (tsc < c->next_steer_tsc)
		return;
	c->next_steer_tsc = tsc + rte_get_tsc_hz() / 1000 * CLOCK_STEER_MS;
	clock_turn(&c->shared->clock, read_tsc);
}

static bool
is_over(const struct control *c, const _Atomic bool *stop, uint64_t tsc)
{
	return atomic_load_explicit((_Atomic bool *)stop, memory_order_relaxed) || c->links->restart ||
	       (c->run_for_ns != 0 && clock_ns(&c->shared->clock, tsc) - c->shared->clock.ns0 >= c->run_for_ns);
}

/* Workers finish while their rings are still being emptied; whoever hangs is left behind after a while. */
static void
stop_workers(struct control *c)
{
	uint64_t deadline = rte_rdtsc() + rte_get_tsc_hz() / 1000 * STOP_WAIT_MS;
	bool running = true;

	atomic_store_explicit(&c->shared->stop, true, memory_order_relaxed);
	while (running && rte_rdtsc() < deadline) {
		running = false;
		for (unsigned i = 0; i < c->n_workers; i++)
			running |= rte_eal_get_lcore_state(c->workers[i]->lcore) == RUNNING;
		if (drain(c) == 0 && running)
			nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
	}
	while (drain(c) > 0)
		;
}

/* Whatever else runs on this CPU must not hold a finding back for its time slice. Not where that is a worker of ours; and
 * without the right to it, it stays as it is.
 */
int
control_prepare(struct control *c)
{
	bool shared = false, wanted = c->realtime;

	c->realtime = false;
	for (unsigned i = 0; i < c->n_workers; i++)
		shared |= c->workers[i]->yield;
	if (shared)
		return wanted ? -EBUSY : 0;
	(void)setpriority(PRIO_PROCESS, 0, PRIORITY);
	if (!wanted)
		return 0;
	/* What it starts from here on is ordinary. */
	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK,
			       &(struct sched_param){.sched_priority = REALTIME_PRIORITY}) != 0)
		return -errno;
	c->realtime = true;
	return 0;
}

static void
nap(struct control *c, long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
	c->rested_tsc = rte_rdtsc();
}

void
control_run(struct control *c, const _Atomic bool *stop)
{
	uint64_t tsc = c->rested_tsc = rte_rdtsc();
	unsigned idle = 0;

	/* Without memory for it losses are in the counters alone. */
	c->seen = calloc(c->n_workers, sizeof(*c->seen));
	c->source->read_ports = read_ports;
	c->source->ctx = c;
	while (!is_over(c, stop, tsc)) {
		unsigned n = drain(c);

		ics_count_add(&c->turns, 1);
		reload_turn(c->reload, c->engine, c->journalist);
		links_turn(c->links, c->devices, c->ports, c->port_views, c->journalist,
			   clock_ns(&c->shared->clock, tsc));
		tsc = rte_rdtsc();
		steer_clock(c, tsc);
		tick(c, tsc, n == 0);
		tell_news(c, tsc);
		keeper_turn(c->keeper, c->engine, clock_ns(&c->shared->clock, tsc));
		if (n == 0)
			check_captures(c);
		n += ics_export_poll(REQUESTS_BATCH);
		idle = n > 0 ? 0 : idle + 1;
		if (idle > 0)
			nap(c, idle <= NAPS ? NAP_NS : SLEEP_NS);
		else if (c->realtime && tsc > c->rested_tsc + rte_get_tsc_hz() / 1000 * STRETCH_MS)
			nap(c, STRETCH_NAP_NS);
	}
	ics_export_close();
	stop_workers(c);
	c->source->uptime_ns = clock_ns(&c->shared->clock, tsc) - c->shared->clock.ns0;
	read_ports(c);
	c->next_loss_tsc = 0;
	note_losses(c, tsc);
	free(c->seen);
	announce_all(c);
}
