/* Follows what happens and writes it down (journalist.h). The control core's half copies events into the queue and never
 * waits; the other half is a thread. What does not come into the file is counted, and the next line that fits says how
 * much it was: the running numbers of lines have a gap of that size.
 */
#include "journalist.h"

#include "background.h"

#include "ics_report.h"
#include "ics_version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Events of some ten kilobytes each: a fifth of a second at the highest rate. */
#define QUEUE_LEN 2048
/* What the watchdog says goes by the state of a handful of threads. */
#define ASIDES_LEN 64
#define IDLE_NS 20000000
/* Lines of the last second may be lost with the machine; with the process none is. */
#define SYNC_S 1
/* Anomalies in one turn of the control loop, which comes every 5 ms: half a millisecond of copying at most. */
#define TURN_MAX 64

static uint64_t
wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
turning_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

/* ---- the writer ---- */

static void
say_failure(ics_counter *error, int rc, const char *what, const char *counter)
{
	if (rc != 0 && ics_count_get(error) == 0)
		fprintf(stderr, "icmpscope: warning: %s cannot be written: %s; what is lost is counted as %s\n", what,
			strerror(-rc), counter);
	else if (rc == 0 && ics_count_get(error) != 0)
		fprintf(stderr, "icmpscope: %s is written again\n", what);
	atomic_store_explicit(error, (uint64_t)-rc, memory_order_relaxed);
}

static int
write_line(struct journalist *j, const struct ics_journal_event *ev)
{
	static char line[ICS_JOURNAL_LINE_MAX]; /* the writer's alone */
	int len = ics_journal_line(line, &j->self, ev, j->seq + 1), rc = len;

	if (len >= 0)
		rc = ics_journal_write(j->journal, line, (size_t)len, wall_ns() / 1000000000u);
	if (rc == 0) {
		j->seq++;
		ics_count_add(&j->stats.written, 1);
	}
	atomic_store_explicit(&j->stats.rotations, ics_journal_rotations(j->journal), memory_order_relaxed);
	return rc;
}

/* Says what was lost since it was last said; the numbers of the lost lines are left out. 0 or -errno. */
static int
tell_lost(struct journalist *j)
{
	uint64_t lost = ics_count_get(&j->stats.dropped) + ics_count_get(&j->stats.failed), seq = j->seq;
	uint64_t more = lost - j->told_lost;
	static struct ics_journal_event ev;
	int rc;

	if (more == 0)
		return 0;
	ics_journal_event_init(&ev, ICS_JOURNAL_LOST, wall_ns());
	ics_journal_add_uint(&ev, "lost", more);
	ics_journal_add_uint(&ev, "lost_since_start", lost);
	if (ics_count_get(&j->stats.error) != 0)
		ics_journal_add_text(&ev, "why", strerror((int)ics_count_get(&j->stats.error)));
	else
		ics_journal_add_text(&ev, "why", "more happened than the journal takes");
	j->seq += more;
	rc = write_line(j, &ev);
	if (rc == 0)
		j->told_lost = lost;
	else
		j->seq = seq;
	return rc;
}

static void
write_event(struct journalist *j, const struct ics_journal_event *ev)
{
	int rc = tell_lost(j);

	if (rc == 0)
		rc = write_line(j, ev);
	if (rc != 0)
		ics_count_add(&j->stats.failed, 1);
	say_failure(&j->stats.error, rc, "the journal", "journal_dropped");
}

static void
write_evidence(struct journalist *j, const struct ics_anomaly *a)
{
	const char *port = a->segment.port < j->self.n_ports ? j->port[a->segment.port] : "port";
	int rc = ics_evidence_write(&j->evidence, a, port);

	if (rc > 0)
		ics_count_add(&j->evidence_stats.written, 1);
	else if (rc < 0)
		ics_count_add(&j->evidence_stats.failed, 1);
	atomic_store_explicit(&j->evidence_stats.files, j->evidence.files, memory_order_relaxed);
	atomic_store_explicit(&j->evidence_stats.bytes, j->evidence.bytes, memory_order_relaxed);
	say_failure(&j->evidence_stats.error, rc < 0 ? rc : 0, "evidence", "evidence_failed");
}

static void
reopen(struct journalist *j)
{
	static struct ics_journal_event ev;
	int rc = ics_journal_reopen(j->journal);

	ics_journal_event_init(&ev, ICS_JOURNAL_REOPEN, wall_ns());
	if (rc == 0)
		write_event(j, &ev);
	else
		say_failure(&j->stats.error, rc, "the journal", "journal_dropped");
}

/* After a while without events: what was lost is said as soon as it can be, and what is written is on the disk. */
static void
rest(struct journalist *j, uint64_t *synced_s)
{
	int rc;

	if (j->journal == NULL || turning_s() < *synced_s + SYNC_S)
		return;
	*synced_s = turning_s();
	rc = tell_lost(j);
	if (rc == 0)
		rc = ics_journal_sync(j->journal);
	say_failure(&j->stats.error, rc, "the journal", "journal_dropped");
}

static void
take_limits(struct journalist *j)
{
	struct journalist_limits *l = &j->limits;

	if (!atomic_exchange_explicit(&l->changed, false, memory_order_acquire))
		return;
	if (j->journal != NULL)
		ics_journal_limit(j->journal, (uint64_t)l->max_mb << 20, (uint64_t)l->max_age_h * 3600, l->keep);
	j->evidence.max_files = l->evidence_files;
	j->evidence.max_bytes = (uint64_t)l->evidence_mb << 20;
}

/* What the watchdog says goes first: the control core may have stopped. */
static void
write_asides(struct journalist *j)
{
	uint64_t lost = atomic_exchange_explicit(&j->asides_lost, 0, memory_order_relaxed);
	const struct ics_journal_event *ev;

	if (lost != 0)
		ics_count_add(&j->stats.failed, lost);
	for (unsigned n = 0; n < ASIDES_LEN && (ev = ics_journal_queue_peek(j->asides)) != NULL; n++) {
		write_event(j, ev);
		ics_journal_queue_done(j->asides);
	}
}

static void *
write_journal(void *journalist)
{
	struct journalist *j = journalist;
	uint64_t synced_s = turning_s();

	for (;;) {
		bool stop = atomic_load_explicit(&j->stop, memory_order_acquire);
		const struct ics_journal_event *ev = ics_journal_queue_peek(j->queue);

		if (atomic_exchange_explicit(&j->reopen, false, memory_order_relaxed) && j->journal != NULL)
			reopen(j);
		take_limits(j);
		rest(j, &synced_s);
		if (j->asides != NULL)
			write_asides(j);
		if (ev != NULL) {
			if (j->journal != NULL)
				write_event(j, ev);
			if (j->writes_evidence && (ev->kind == ICS_JOURNAL_OPEN || ev->kind == ICS_JOURNAL_CLEAR))
				write_evidence(j, &ev->anomaly);
			ics_journal_queue_done(j->queue);
		} else if (stop) {
			return NULL;
		} else {
			nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
		}
	}
}

/* ---- start and stop ---- */

/* Names of this run: ids and running numbers of different runs are told apart by it. */
static void
name_run(struct journalist *j)
{
	FILE *f = fopen("/proc/sys/kernel/random/uuid", "re");

	if (f == NULL || fscanf(f, "%36[0-9a-f-]", j->boot) != 1)
		snprintf(j->boot, sizeof(j->boot), "%llx-%x", (unsigned long long)wall_ns(), (unsigned)getpid());
	if (f != NULL)
		fclose(f);
	if (gethostname(j->host, sizeof(j->host) - 1) != 0 || j->host[0] == '\0')
		snprintf(j->host, sizeof(j->host), "unknown");
	snprintf(j->program, sizeof(j->program), "icmpscope %s", ICS_VERSION);
}

static int
open_journal(struct journalist *j, const struct ics_config *conf)
{
	struct ics_journal_conf c = {.path = conf->journal.file,
				     .max_bytes = (uint64_t)conf->journal.max_mb << 20,
				     .max_age_s = (uint64_t)conf->journal.max_age_h * 3600,
				     .keep = conf->journal.keep};
	char err[ICS_JOURNAL_ERR_LEN];

	if (conf->journal.file[0] == '\0')
		return 0;
	j->journal = ics_journal_open(&c, &j->found, err);
	if (j->journal == NULL) {
		int rc = -errno;

		fprintf(stderr, "icmpscope: %s\n", err);
		return rc;
	}
	if (j->found.torn_bytes != 0)
		fprintf(stderr, "icmpscope: %s ended with %llu octets of a line that was not finished; they are gone\n",
			conf->journal.file, (unsigned long long)j->found.torn_bytes);
	return 0;
}

static int
open_evidence(struct journalist *j, const struct ics_config *conf)
{
	int rc;

	if (conf->evidence.dir[0] == '\0')
		return 0;
	j->evidence = (struct ics_evidence_dir){.path = conf->evidence.dir,
						.boot = j->boot,
						.program = j->program,
						.max_files = conf->evidence.max_files,
						.max_bytes = (uint64_t)conf->evidence.max_mb << 20};
	rc = ics_evidence_open(&j->evidence);
	if (rc != 0)
		fprintf(stderr, "icmpscope: evidence.dir = %s: %s; make the directory, or name another\n",
			conf->evidence.dir, strerror(-rc));
	j->writes_evidence = rc == 0;
	return rc;
}

int
journalist_start(struct journalist *j, const struct ics_config *conf, const char *const *port, unsigned n_ports,
		 const struct plan_in *facts, const struct plan *plan)
{
	int rc;

	if (conf->journal.file[0] == '\0' && conf->evidence.dir[0] == '\0')
		return 0;
	name_run(j);
	for (unsigned i = 0; i < n_ports; i++)
		j->port[i] = port[i];
	j->self = (struct ics_journal_self){.host = j->host,
					    .appliance = conf->journal.appliance,
					    .site = conf->journal.site,
					    .boot = j->boot,
					    .port = j->port,
					    .n_ports = n_ports};
	rc = open_journal(j, conf);
	j->self.lines_before = j->found.line;
	if (rc == 0)
		rc = open_evidence(j, conf);
	if (rc == 0) {
		j->queue = ics_journal_queue_new(QUEUE_LEN);
		if (j->queue != NULL && j->journal != NULL)
			j->asides = ics_journal_queue_new(ASIDES_LEN);
		rc = j->queue == NULL || (j->journal != NULL && j->asides == NULL)
			     ? -errno
			     : background_start(&j->thread, "journal", write_journal, j, facts, plan);
		if (rc != 0)
			fprintf(stderr, "icmpscope: no thread for the journal: %s\n", strerror(-rc));
	}
	if (rc != 0) {
		ics_journal_queue_free(j->queue);
		ics_journal_queue_free(j->asides);
		j->queue = j->asides = NULL;
		ics_journal_close(j->journal);
		j->journal = NULL;
	}
	return rc;
}

void
journalist_stop(struct journalist *j)
{
	if (j->queue == NULL)
		return;
	atomic_store_explicit(&j->stop, true, memory_order_release);
	pthread_join(j->thread, NULL);
	if (j->journal != NULL)
		(void)tell_lost(j);
	ics_journal_close(j->journal);
	ics_journal_queue_free(j->queue);
	ics_journal_queue_free(j->asides);
	j->journal = NULL;
	j->queue = j->asides = NULL;
}

struct ics_journal_event *
journalist_aside_begin(struct journalist *j, enum ics_journal_kind kind)
{
	if (j->asides == NULL)
		return NULL;
	ics_journal_event_init(&j->aside, kind, wall_ns());
	return &j->aside;
}

void
journalist_aside_tell(struct journalist *j)
{
	if (!ics_journal_queue_push(j->asides, &j->aside))
		atomic_fetch_add_explicit(&j->asides_lost, 1, memory_order_relaxed);
}

/* ---- the control core's half ---- */

/* False: over the rate, or the queue is full; counted. */
static bool
push(struct journalist *j)
{
	uint64_t second = turning_s();

	if (second != j->second) {
		j->second = second;
		j->in_second = 0;
	}
	if (j->in_second >= ICS_JOURNAL_RATE || !ics_journal_queue_push(j->queue, &j->event)) {
		ics_count_add(&j->stats.dropped, 1);
		return false;
	}
	j->in_second++;
	return true;
}

bool
journalist_begin(struct journalist *j, enum ics_journal_kind kind)
{
	if (j->journal == NULL)
		return false;
	ics_journal_event_init(&j->event, kind, wall_ns());
	return true;
}

void
journalist_tell(struct journalist *j)
{
	(void)push(j);
}

void
journalist_limits(struct journalist *j, const struct ics_config *conf)
{
	j->limits.max_mb = conf->journal.max_mb;
	j->limits.max_age_h = conf->journal.max_age_h;
	j->limits.keep = conf->journal.keep;
	j->limits.evidence_files = conf->evidence.max_files;
	j->limits.evidence_mb = conf->evidence.max_mb;
	atomic_store_explicit(&j->limits.changed, true, memory_order_release);
}

static bool
push_anomaly(struct journalist *j, const struct ics_anomaly *a, enum ics_journal_kind kind, uint64_t ts_ns)
{
	j->event.kind = kind;
	j->event.ts_ns = ts_ns;
	j->event.anomaly = *a;
	if (kind == ICS_JOURNAL_OPEN) {
		j->event.anomaly.state = ICS_ANOMALY_OPEN;
		j->event.anomaly.cleared_ns = 0;
	}
	return push(j);
}

/* What it is to a follower who has heard of it, or has not. An opening that was lost is told again as one, and what opened
 * and cleared between two turns has both.
 */
static void
tell_anomaly(struct journalist *j, const struct ics_anomaly *a)
{
	unsigned slot = (unsigned)(a->id % ANNOUNCE_SLOTS);
	bool known = j->said[slot] == a->id, cleared = a->state == ICS_ANOMALY_CLEARED;

	if (!known && push_anomaly(j, a, ICS_JOURNAL_OPEN, cleared ? a->first_ns : a->last_ns))
		j->said[slot] = a->id;
	if (cleared)
		(void)push_anomaly(j, a, ICS_JOURNAL_CLEAR, a->cleared_ns);
	else if (known && j->journal != NULL)
		(void)push_anomaly(j, a, ICS_JOURNAL_UPDATE, a->last_ns);
}

static void
tell_state(struct journalist *j, const struct ics_state_stats *state)
{
	uint64_t saved = ics_count_get(&state->saved), failed = ics_count_get(&state->failed);
	char when[32];

	if (saved != j->saved && journalist_begin(j, ICS_JOURNAL_STATE_SAVED)) {
		ics_journal_add_uint(&j->event, "bytes", ics_count_get(&state->bytes));
		ics_journal_add_text(&j->event, "as_of", ics_report_time(ics_count_get(&state->saved_ns), when));
		journalist_tell(j);
	}
	if (failed != j->state_failed && journalist_begin(j, ICS_JOURNAL_STATE_FAILED)) {
		ics_journal_add_text(&j->event, "why", strerror((int)ics_count_get(&state->error)));
		journalist_tell(j);
	}
	j->saved = saved;
	j->state_failed = failed;
}

void
journalist_turn(struct journalist *j, const struct ics_anomaly_store *s, const struct ics_state_stats *state)
{
	const struct ics_anomaly *a;

	if (j->queue == NULL)
		return;
	for (unsigned n = 0; n < TURN_MAX && (a = ics_anomaly_next(s, j->next_seq)) != NULL; n++) {
		j->next_seq = a->seq + 1;
		tell_anomaly(j, a);
	}
	tell_state(j, state);
}

void
journalist_rest(struct journalist *j, const struct ics_anomaly_store *s, const struct ics_state_stats *state)
{
	while (j->queue != NULL && ics_anomaly_next(s, j->next_seq) != NULL) {
		/* Nobody waits for the control core any more, so it waits for the writer. */
		while (ics_journal_queue_fill(j->queue) > QUEUE_LEN - TURN_MAX)
			nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
		journalist_turn(j, s, state);
	}
	journalist_turn(j, s, state);
}

void
journalist_loss(struct journalist *j, const struct ics_loss *loss)
{
	uint64_t lost = 0;

	if (!journalist_begin(j, ICS_JOURNAL_LOSS))
		return;
	ics_journal_add_text(&j->event, "where", "worker");
	ics_journal_add_uint(&j->event, "worker", loss->worker);
	ics_journal_add_uint(&j->event, "port", loss->port);
	ics_journal_add_uint(&j->event, "messages", loss->messages);
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++) {
		lost += loss->lost[i];
		ics_journal_add_uint(&j->event, ics_drop_name(i), loss->lost[i]);
	}
	ics_journal_add_uint(&j->event, "lost", lost);
	memcpy(j->event.lost_class, loss->lost_class, sizeof(j->event.lost_class));
	journalist_tell(j);
}

void
journalist_ports(struct journalist *j, const struct ics_export_port *ports, unsigned n)
{
	for (unsigned i = 0; i < n && i < PLAN_PORTS_MAX; i++) {
		uint64_t lost = ports[i].missed + ports[i].errors + ports[i].no_mbuf, before = j->port_lost[i];

		j->port_lost[i] = lost;
		if (lost <= before || !journalist_begin(j, ICS_JOURNAL_LOSS))
			continue;
		ics_journal_add_text(&j->event, "where", "port");
		ics_journal_add_uint(&j->event, "port", i);
		ics_journal_add_uint(&j->event, "missed_since_start", ports[i].missed);
		ics_journal_add_uint(&j->event, "errors_since_start", ports[i].errors);
		ics_journal_add_uint(&j->event, "no_mbuf_since_start", ports[i].no_mbuf);
		ics_journal_add_uint(&j->event, "lost", lost - before);
		journalist_tell(j);
	}
}
