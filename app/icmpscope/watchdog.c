/* Looks, tells, notifies (watchdog.h). A thread is stalled when it did not turn while this one did: a machine that was suspended
 * or a process that was stopped makes one late look, which accuses nobody. Called by main.c.
 */
#include "watchdog.h"

#include "background.h"

#include "ics_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define CHECK_NS 100000000ull
/* Named within a second: this, one look more, and the journal's 20 ms. */
#define STALL_NS 700000000ull
/* More than this does not count of a look that comes late: then the others may have been held up with this thread. */
#define LATE_NS 250000000ull
/* A look that comes later than this tells that the program did not run. */
#define PAUSE_NS 3000000000ull
#define STATUS_NS 5000000000ull

static uint64_t
clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
to_ms(uint64_t ns)
{
	return ns / 1000000u;
}

static void
set_highest(ics_counter *c, uint64_t v)
{
	if (v > ics_count_get(c))
		atomic_store_explicit(c, v, memory_order_relaxed);
}

/* ---- what it says ---- */

static char *
name_of(const struct watched *t, char buf[static 48])
{
	if (t->worker < 0)
		snprintf(buf, 48, "the control core (CPU %u)", t->cpu);
	else
		snprintf(buf, 48, "worker %d (CPU %u)", t->worker, t->cpu);
	return buf;
}

static void
tell_turn(struct watchdog *w, const struct watched *t, enum ics_journal_kind kind, uint64_t ms)
{
	struct ics_journal_event *ev = journalist_aside_begin(w->journalist, kind);
	char when[32];

	if (ev == NULL)
		return;
	ics_journal_add_text(ev, "what", t->worker < 0 ? "control" : "worker");
	if (t->worker >= 0)
		ics_journal_add_uint(ev, "worker", (uint64_t)t->worker);
	ics_journal_add_uint(ev, "cpu", t->cpu);
	ics_journal_add_text(ev, "since", ics_report_time(ev->ts_ns - ms * 1000000u, when));
	ics_journal_add_uint(ev, "stalled_ms", ms);
	journalist_aside_tell(w->journalist);
}

static void
tell_pause(struct watchdog *w, uint64_t ms)
{
	struct ics_journal_event *ev = journalist_aside_begin(w->journalist, ICS_JOURNAL_PAUSED);
	char when[32];

	ics_count_add(&w->view.pauses, 1);
	set_highest(&w->view.longest_pause_ms, ms);
	fprintf(stderr, "icmpscope: warning: nothing of it ran for %" PRIu64 " ms: was it stopped, or the machine?\n",
		ms);
	if (ev == NULL)
		return;
	ics_journal_add_text(ev, "since", ics_report_time(ev->ts_ns - ms * 1000000u, when));
	ics_journal_add_uint(ev, "paused_ms", ms);
	journalist_aside_tell(w->journalist);
}

/* Each call once, then when it has happened ten times as often. */
static void
tell_denied(struct watchdog *w)
{
	uint64_t total = w->denied != NULL ? ics_count_get(w->denied) : 0;
	char name[32];

	if (total == w->denied_seen)
		return;
	w->denied_seen = total;
	for (unsigned call = 0; call < SANDBOX_CALLS; call++) {
		uint64_t n = sandbox_denied(call);
		struct ics_journal_event *ev;

		if (n == 0 || n < w->denied_told[call] * 10ull)
			continue;
		w->denied_told[call] = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
		fprintf(stderr,
			"icmpscope: warning: the sandbox refused the system call %s, %" PRIu64 " times so far\n",
			sandbox_call_name(call, name), n);
		ev = journalist_aside_begin(w->journalist, ICS_JOURNAL_DENIED);
		if (ev == NULL)
			continue;
		ics_journal_add_text(ev, "call", sandbox_call_name(call, name));
		ics_journal_add_uint(ev, "denied", n);
		journalist_aside_tell(w->journalist);
	}
}

/* ---- what it sees ---- */

static uint64_t
beat(const struct watched *t)
{
	return ics_count_get(t->beat[0]) + (t->beat[1] != NULL ? ics_count_get(t->beat[1]) : 0);
}

/* gap: since the look before, as far as this thread itself turned. */
static void
look_at(struct watchdog *w, struct watched *t, uint64_t now, uint64_t gap)
{
	uint64_t seen = beat(t), ms = to_ms(now - t->seen_ns);
	char name[48];

	if (seen == t->seen) {
		t->still_ns += gap;
		if (t->still_ns < STALL_NS)
			return;
		atomic_store_explicit(&t->turn->stalled_ms, ms, memory_order_relaxed);
		set_highest(&t->turn->longest_ms, ms);
		if (t->is_told)
			return;
		t->is_told = true;
		ics_count_add(&t->turn->stalls, 1);
		fprintf(stderr, "icmpscope: warning: %s has not turned for %" PRIu64 " ms\n", name_of(t, name), ms);
		tell_turn(w, t, ICS_JOURNAL_STALLED, ms);
		return;
	}
	if (t->is_told) {
		t->is_told = false;
		set_highest(&t->turn->longest_ms, ms);
		atomic_store_explicit(&t->turn->stalled_ms, 0, memory_order_relaxed);
		fprintf(stderr, "icmpscope: %s turns again after %" PRIu64 " ms\n", name_of(t, name), ms);
		tell_turn(w, t, ICS_JOURNAL_RESUMED, ms);
	}
	t->seen = seen;
	t->seen_ns = now;
	t->still_ns = 0;
}

/* ---- whoever started the program ---- */

static const struct watched *
first_stalled(const struct watchdog *w)
{
	for (unsigned i = 0; i < w->n_watched; i++)
		if (w->watched[i].is_told)
			return &w->watched[i];
	return NULL;
}

static void
describe(const struct watchdog *w, char *buf, size_t size)
{
	const struct watched *t = first_stalled(w);
	unsigned n_workers = w->n_watched - 1;
	uint64_t lost = 0;
	char name[48];

	for (unsigned i = 0; i < n_workers; i++)
		for (unsigned d = 0; d < ICS_DROP_COUNT; d++)
			lost += ics_count_get(&w->workers[i].counters->dropped[d]);
	if (t != NULL)
		snprintf(buf, size, "STATUS=%s does not turn; %" PRIu64 " anomalies open, %" PRIu64 " messages lost",
			 name_of(t, name), ics_count_get(w->anomalies), lost);
	else
		snprintf(buf, size,
			 "STATUS=%u worker%s and the control core turn; %" PRIu64 " anomalies open, %" PRIu64
			 " messages lost",
			 n_workers, n_workers == 1 ? "" : "s", ics_count_get(w->anomalies), lost);
}

/* Ready is what has turned once, all of it. */
static bool
all_have_turned(const struct watchdog *w)
{
	for (unsigned i = 0; i < w->n_watched; i++)
		if (beat(&w->watched[i]) == 0)
			return false;
	return true;
}

static void
notify(struct watchdog *w, uint64_t now)
{
	char status[sizeof(w->status)];
	bool changed = first_stalled(w) != NULL;

	if (w->notify.fd < 0)
		return;
	if (!w->notify.ready)
		w->notify.ready = all_have_turned(w) && notify_send(&w->notify, "READY=1");
	if (!w->notify.ready)
		return;
	if (w->notify.watchdog_ns != 0 && !changed && now - w->alive_ns >= w->notify.watchdog_ns / 4 &&
	    notify_send(&w->notify, "WATCHDOG=1"))
		w->alive_ns = now;
	if (!changed && now - w->status_ns < STATUS_NS)
		return;
	describe(w, status, sizeof(status));
	if (strcmp(status, w->status) != 0 && notify_send(&w->notify, status))
		memcpy(w->status, status, sizeof(status));
	w->status_ns = changed ? 0 : now;
}

/* ---- the thread ---- */

static void
look(struct watchdog *w, uint64_t now)
{
	uint64_t gap = now - w->last_ns;

	if (gap >= PAUSE_NS) {
		tell_pause(w, to_ms(gap));
		/* Who is slow to turn afterwards has stood still since then, not since before. */
		for (unsigned i = 0; i < w->n_watched; i++)
			w->watched[i].seen_ns += gap - LATE_NS;
	}
	if (gap > LATE_NS)
		gap = LATE_NS;
	for (unsigned i = 0; i < w->n_watched && !atomic_load_explicit(w->ending, memory_order_relaxed); i++)
		look_at(w, &w->watched[i], now, gap);
	tell_denied(w);
	notify(w, now);
	ics_count_add(&w->view.checks, 1);
	w->last_ns = now;
}

static void *
watch(void *watchdog)
{
	struct watchdog *w = watchdog;

	/* In the sandbox only a thread itself can change its name. */
	pthread_setname_np(pthread_self(), "watchdog");
	while (!atomic_load_explicit(&w->stop, memory_order_acquire)) {
		look(w, clock_of(CLOCK_MONOTONIC));
		nanosleep(&(struct timespec){.tv_nsec = CHECK_NS}, NULL);
	}
	return NULL;
}

int
watchdog_start(struct watchdog *w, const ics_counter *turns, struct ics_export_worker *workers, unsigned n_workers,
	       const struct plan_in *facts, const struct plan *plan)
{
	uint64_t now = clock_of(CLOCK_MONOTONIC);
	int rc;

	w->workers = workers;
	w->watched[0] =
		(struct watched){.beat = {turns}, .turn = &w->view.control, .worker = -1, .cpu = plan->main_cpu};
	for (unsigned i = 0; i < n_workers; i++) {
		w->watched[1 + i] = (struct watched){
			.beat = {&workers[i].stats->polls, &workers[i].stats->waits},
			.turn = &w->worker_turn[i],
			.worker = (int)i,
			.cpu = workers[i].cpu,
		};
		workers[i].turn = &w->worker_turn[i];
	}
	w->n_watched = 1 + n_workers;
	for (unsigned i = 0; i < w->n_watched; i++)
		w->watched[i].seen_ns = now;
	w->last_ns = w->alive_ns = now;
	rc = background_start(&w->thread, "watchdog", watch, w, facts, plan);
	w->runs = rc == 0;
	if (rc != 0)
		fprintf(stderr, "icmpscope: no thread for the watchdog: %s\n", strerror(-rc));
	return rc;
}

void
watchdog_stop(struct watchdog *w)
{
	if (!w->runs)
		return;
	w->runs = false;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	pthread_join(w->thread, NULL);
	tell_denied(w);
	(void)notify_send(&w->notify, "STOPPING=1");
}
