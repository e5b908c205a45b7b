/* From telemetry's client threads to the control core and back. A callback queues its request and waits, at most
 * ICS_EXPORT_WAIT_MS; the control core takes requests out one by one and fills plain memory; the callback then turns
 * that into telemetry's data. A request that waited too long is taken back while it is still queued; one that is being
 * answered is waited for, which takes microseconds. So neither side ever writes to what the other has left. Endpoints that read counters alone go another way: the client's thread answers itself.
 */
#include "endpoint.h"
#include "ics_compat.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum request_state { REQUEST_QUEUED, REQUEST_RUNNING, REQUEST_DONE };

struct request {
	struct request *next;
	const struct endpoint *endpoint;
	const char *params; /* telemetry's, valid while the callback waits */
	enum request_state state;
	struct reply reply;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct request *head, **tail;
	const struct ics_export_source *src; /* NULL: closed */
	atomic_uint queued;
	/* For answers that need no control core; whoever closes waits for the one that is being made. */
	pthread_mutex_t direct_lock;
	const struct ics_export_source *direct_src; /* NULL: closed */
} q = {.lock = PTHREAD_MUTEX_INITIALIZER, .direct_lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the control core's side ---- */

static struct request *
take(void)
{
	struct request *rq;

	/* A client thread that holds the lock was interrupted: the next turn of the loop will do. */
	if (pthread_mutex_trylock(&q.lock) != 0)
		return NULL;
	rq = q.head;
	if (rq != NULL) {
		q.head = rq->next;
		if (q.head == NULL)
			q.tail = &q.head;
		atomic_fetch_sub_explicit(&q.queued, 1, memory_order_relaxed);
		rq->state = REQUEST_RUNNING;
	}
	pthread_mutex_unlock(&q.lock);
	return rq;
}

unsigned
ics_export_poll(unsigned max)
{
	struct request *rq;
	unsigned n;

	for (n = 0; n < max; n++) {
		if (atomic_load_explicit(&q.queued, memory_order_relaxed) == 0)
			break;
		rq = take();
		if (rq == NULL)
			break;
		rq->endpoint->fn(q.src, rq->params, &rq->reply);
		pthread_mutex_lock(&q.lock);
		rq->state = REQUEST_DONE;
		pthread_cond_broadcast(&q.done);
		pthread_mutex_unlock(&q.lock);
	}
	return n;
}

/* ---- the client threads' side ---- */

static void
unlink_queued(struct request *rq)
{
	for (struct request **p = &q.head; *p != NULL; p = &(*p)->next) {
		if (*p != rq)
			continue;
		*p = rq->next;
		if (*p == NULL)
			q.tail = p;
		atomic_fetch_sub_explicit(&q.queued, 1, memory_order_relaxed);
		return;
	}
}

static void
answer_directly(struct request *rq)
{
	pthread_mutex_lock(&q.direct_lock);
	if (q.direct_src != NULL)
		rq->endpoint->fn(q.direct_src, rq->params, &rq->reply);
	else
		reply_error(&rq->reply, "icmpscope is stopping");
	pthread_mutex_unlock(&q.direct_lock);
}

/* Under the lock: why there was no answer in time. */
static void
say_busy(struct reply *r)
{
	uint64_t ms = q.src->watchdog != NULL ? ics_count_get(&q.src->watchdog->control.stalled_ms) : 0;

	if (ms == 0)
		reply_error(r, "the control core is busy: ask again");
	else
		reply_error(r, "the control core is busy: it has not turned for %" PRIu64 " ms (/icmpscope/watchdog)",
			    ms);
}

/* Waits for the answer; without one the reply says why. */
static void
ask(struct request *rq)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ICS_EXPORT_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;

	pthread_mutex_lock(&q.lock);
	if (q.src == NULL) {
		reply_error(&rq->reply, "icmpscope is stopping");
		pthread_mutex_unlock(&q.lock);
		return;
	}
	*q.tail = rq;
	q.tail = &rq->next;
	atomic_fetch_add_explicit(&q.queued, 1, memory_order_relaxed);
	while (rq->state == REQUEST_RUNNING || (rq->state == REQUEST_QUEUED && rc == 0 && q.src != NULL)) {
		if (rq->state == REQUEST_RUNNING)
			pthread_cond_wait(&q.done, &q.lock);
		else
			rc = pthread_cond_timedwait(&q.done, &q.lock, &until);
	}
	if (rq->state == REQUEST_QUEUED) {
		unlink_queued(rq);
		if (q.src == NULL)
			reply_error(&rq->reply, "icmpscope is stopping");
		else
			say_busy(&rq->reply);
	}
	pthread_mutex_unlock(&q.lock);
}

static int
emit_column(struct rte_tel_data *d, const struct reply *r, unsigned col)
{
	const struct reply_column *c = &r->columns[col];
	struct rte_tel_data *a = rte_tel_data_alloc();
	int rc;

	if (a == NULL)
		return -ENOMEM;
	rc = rte_tel_data_start_array(a, c->is_text ? RTE_TEL_STRING_VAL : RTE_TEL_UINT_VAL);
	for (unsigned i = 0; i < r->n_rows && rc == 0; i++) {
		if (c->is_text)
			rc = rte_tel_data_add_array_string(a, r->text + r->cells[col][i]);
		else
			rc = rte_tel_data_add_array_uint(a, r->cells[col][i]);
	}
	if (rc == 0)
		rc = rte_tel_data_add_dict_container(d, c->key, a, 0);
	if (rc != 0)
		rte_tel_data_free(a);
	return rc;
}

static int
emit_dict(struct rte_tel_data *d, const struct reply *r)
{
	int rc = rte_tel_data_start_dict(d);

	for (unsigned i = 0; i < r->n_columns && rc == 0; i++)
		rc = emit_column(d, r, i);
	for (unsigned i = 0; i < r->n_items && rc == 0; i++) {
		const struct reply_item *it = &r->items[i];

		if (it->str != 0)
			rc = rte_tel_data_add_dict_string(d, r->text + it->key, r->text + it->str);
		else
			rc = rte_tel_data_add_dict_uint(d, r->text + it->key, it->u);
	}
	if (r->truncated && rc == 0)
		rc = rte_tel_data_add_dict_uint(d, "truncated", 1);
	return rc;
}

static int
emit(struct rte_tel_data *d, const struct reply *r)
{
	int rc;

	if (r->kind == REPLY_DICT)
		return emit_dict(d, r);
	rc = rte_tel_data_start_array(d, r->kind == REPLY_LIST_TEXT ? RTE_TEL_STRING_VAL : RTE_TEL_UINT_VAL);
	for (unsigned i = 0; i < r->n_list && rc == 0; i++) {
		if (r->kind == REPLY_LIST_TEXT)
			rc = rte_tel_data_add_array_string(d, r->text + r->list[i]);
		else
			rc = rte_tel_data_add_array_uint(d, r->list[i]);
	}
	return rc;
}

static int
callback(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct request *rq = malloc(sizeof(*rq));
	int rc;

	if (rq == NULL)
		return -ENOMEM;
	rq->next = NULL;
	rq->endpoint = endpoint_find(cmd);
	rq->params = params;
	rq->state = REQUEST_QUEUED;
	reply_init(&rq->reply);
	if (rq->endpoint == NULL)
		reply_error(&rq->reply, "no such endpoint");
	else if (rq->endpoint->direct)
		answer_directly(rq);
	else
		ask(rq);
	rc = emit(d, &rq->reply);
	free(rq);
	return rc;
}

/* ---- opening and closing ---- */

int
ics_export_open(const struct ics_export_source *src)
{
	pthread_condattr_t attr;
	const struct endpoint *e;
	int rc = 0;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q.done, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_lock(&q.lock);
	q.head = NULL;
	q.tail = &q.head;
	q.src = src;
	pthread_mutex_unlock(&q.lock);
	pthread_mutex_lock(&q.direct_lock);
	q.direct_src = src;
	pthread_mutex_unlock(&q.direct_lock);
	for (unsigned i = 0; rc == 0 && (e = endpoint_at(i)) != NULL; i++)
		rc = rte_telemetry_register_cmd(e->command, callback, e->help);
	return rc;
}

void
ics_export_close(void)
{
	pthread_mutex_lock(&q.lock);
	q.src = NULL;
	if (q.tail != NULL)
		pthread_cond_broadcast(&q.done);
	pthread_mutex_unlock(&q.lock);
	pthread_mutex_lock(&q.direct_lock);
	q.direct_src = NULL;
	pthread_mutex_unlock(&q.direct_lock);
}
