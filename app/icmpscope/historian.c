/* The address history's writer (historian.h): takes what the control core queued, in transactions, and keeps the file
 * within its limits. What cannot be written is counted and said once; it goes on as soon as the disk does.
 */
#include "historian.h"

#include "background.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define QUEUE_LEN 131072
#define BATCH 4096
#define IDLE_NS 200000000
/* Looks after retention. */
#define RETAIN_S 60
#define BUSY_TRIES 5

static void
say_failure(struct historian *h, int error)
{
	if (error != 0 && ics_count_get(&h->stats.error) == 0)
		fprintf(stderr,
			"icmpscope: warning: the address history cannot be written: %s; what is lost is counted as "
			"history_dropped\n",
			strerror(-error));
	else if (error == 0 && ics_count_get(&h->stats.error) != 0)
		fprintf(stderr, "icmpscope: the address history is written again\n");
	atomic_store_explicit(&h->stats.error, (uint64_t)-error, memory_order_relaxed);
}

static void
write_batch(struct historian *h, const struct ics_history_event *ev, unsigned n)
{
	int rc = -EBUSY;

	for (unsigned i = 0; i < BUSY_TRIES && rc == -EBUSY; i++)
		rc = ics_history_write(h->history, ev, n);
	/* A full file may hold what is too old. */
	if (rc == -ENOSPC && ics_history_retain(h->history) > 0)
		rc = ics_history_write(h->history, ev, n);
	ics_count_add(rc == 0 ? &h->stats.written : &h->stats.failed, n);
	say_failure(h, rc);
}

static uint64_t
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

static void *
write_history(void *historian)
{
	static struct ics_history_event batch[BATCH];
	struct historian *h = historian;
	uint64_t retained_s = now_s();

	for (;;) {
		bool stop = atomic_load_explicit(&h->stop, memory_order_acquire);
		unsigned n = ics_history_queue_pop(h->queue, batch, BATCH);

		if (n > 0)
			write_batch(h, batch, n);
		else if (stop)
			break;
		if (now_s() >= retained_s + RETAIN_S && ics_history_retain(h->history) <= 0)
			retained_s = now_s();
		if (n < BATCH && !stop)
			nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
	}
	(void)ics_history_retain(h->history);
	return NULL;
}

int
historian_start(struct historian *h, const struct ics_config *conf, const struct plan_in *facts,
		const struct plan *plan)
{
	struct ics_history_conf c = {conf->history.file, conf->detect.journal_days, conf->history.max_mb};
	char err[ICS_HISTORY_ERR_LEN];
	int rc;

	if (conf->history.file[0] == '\0')
		return 0;
	h->history = ics_history_open(&c, err);
	if (h->history == NULL) {
		rc = -errno;
		fprintf(stderr, "icmpscope: %s\n", err);
		return rc;
	}
	h->queue = ics_history_queue_new(QUEUE_LEN);
	rc = h->queue == NULL ? -errno : background_start(&h->thread, "history", write_history, h, facts, plan);
	if (rc != 0) {
		fprintf(stderr, "icmpscope: no thread for the address history: %s\n", strerror(-rc));
		ics_history_close(h->history);
		ics_history_queue_free(h->queue);
		h->history = NULL;
		h->queue = NULL;
	}
	return rc;
}

bool
historian_tell(void *historian, const struct ics_history_event *ev)
{
	struct historian *h = historian;

	return ics_history_queue_push(h->queue, ev);
}

void
historian_stop(struct historian *h)
{
	if (h->history == NULL)
		return;
	atomic_store_explicit(&h->stop, true, memory_order_release);
	pthread_join(h->thread, NULL);
	ics_history_close(h->history);
	ics_history_queue_free(h->queue);
	h->history = NULL;
	h->queue = NULL;
}
