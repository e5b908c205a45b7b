/* The thread that reads icmpscope for the page (collect.h). */
#include "collect.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define EVERY_S 10
#define EVERY_LOOKED_AT_S 2
/* Nobody looks any more. */
#define LOOKS_S 15
#define LIST_MAX 4096

struct collect {
	char path[ICS_CLIENT_PATH_LEN];
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	bool stop;
	uint64_t asked_ns; /* for the state, last; monotonic */
	uint64_t read_ns;  /* the document, last; monotonic */
	/* What was read. */
	char *doc; /* text; NULL: nothing yet */
	uint64_t read_ms;
	bool ok;
	uint64_t since_ms; /* it is so since then; 0: from the beginning on */
	char error[ICS_CLIENT_ERR_LEN];
	struct ics_page_series series;
	unsigned n_ids;
	uint64_t ids[LIST_MAX];
	/* The thread's own. */
	struct ics_client client;
	struct ics_page_live *live;
	struct ics_page_listed listed[LIST_MAX];
};

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* A connection of yesterday may be dead, since icmpscope was started anew: then a second try. */
static json_t *
read_document(struct collect *c, struct ics_page_sample *sample)
{
	json_t *doc = NULL;

	for (unsigned i = 0; i < 2 && doc == NULL; i++)
		if (c->client.fd >= 0 || ics_client_open(&c->client, c->path) == 0)
			doc = ics_page_live_read(c->live, &c->client, sample);
	return doc;
}

static void
turn(struct collect *c)
{
	uint64_t began_ns = now_ns(CLOCK_MONOTONIC), real_ns;
	struct ics_page_sample sample = {0};
	json_t *doc = read_document(c, &sample);
	char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL, *old = NULL;
	bool ok = text != NULL;
	unsigned n = ics_page_live_list(c->live, 0, c->listed, LIST_MAX);

	json_decref(doc);
	real_ns = now_ns(CLOCK_REALTIME);
	pthread_mutex_lock(&c->lock);
	c->read_ns = began_ns;
	if (ok != c->ok) {
		c->ok = ok;
		c->since_ms = real_ns / 1000000;
	}
	if (ok) {
		old = c->doc;
		c->doc = text;
		c->read_ms = real_ns / 1000000;
		sample.ts_ns = real_ns;
		(void)ics_page_series_add(&c->series, &sample);
		c->n_ids = n;
		for (unsigned i = 0; i < n; i++)
			c->ids[i] = c->listed[i].id;
	} else {
		ics_page_series_break(&c->series);
		snprintf(c->error, sizeof(c->error), "%s",
			 c->client.error[0] != '\0' ? c->client.error : "out of memory");
	}
	pthread_mutex_unlock(&c->lock);
	free(old);
}

/* Until when the next turn has time. */
static uint64_t
next_ns(const struct collect *c)
{
	bool looked_at = c->asked_ns != 0 && now_ns(CLOCK_MONOTONIC) < c->asked_ns + LOOKS_S * NS_PER_S;

	return c->read_ns + (looked_at ? EVERY_LOOKED_AT_S : EVERY_S) * NS_PER_S;
}

static void *
run(void *arg)
{
	struct collect *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		uint64_t until;

		pthread_mutex_unlock(&c->lock);
		turn(c);
		pthread_mutex_lock(&c->lock);
		while (!c->stop && now_ns(CLOCK_MONOTONIC) < (until = next_ns(c))) {
			struct timespec t = {.tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S)};

			pthread_cond_timedwait(&c->wake, &c->lock, &t);
		}
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct collect *
collect_start(const char *path)
{
	struct collect *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	int rc;

	if (c == NULL || (c->live = ics_page_live_new()) == NULL) {
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	snprintf(c->path, sizeof(c->path), "%s", path);
	snprintf(c->error, sizeof(c->error), "it was not asked yet");
	c->client.fd = -1;
	ics_page_series_init(&c->series, EVERY_S * NS_PER_S, true);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = pthread_create(&c->thread, NULL, run, c);
	if (rc != 0) {
		ics_page_live_free(c->live);
		free(c);
		errno = rc;
		return NULL;
	}
	return c;
}

void
collect_stop(struct collect *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	ics_client_close(&c->client);
	ics_page_live_free(c->live);
	free(c->doc);
	free(c);
}

char *
collect_state(struct collect *c, bool has_fleet, size_t *len)
{
	char *connection, *out = NULL;
	json_t *o;
	int n = -1;

	pthread_mutex_lock(&c->lock);
	c->asked_ns = now_ns(CLOCK_MONOTONIC);
	if (c->asked_ns >= c->read_ns + EVERY_LOOKED_AT_S * NS_PER_S)
		pthread_cond_signal(&c->wake);
	o = json_pack("{s:b, s:I, s:s}", "ok", (int)c->ok, "since_ms", (json_int_t)c->since_ms, "error",
		      c->ok ? "" : c->error);
	connection = o != NULL ? json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	if (connection != NULL)
		n = asprintf(&out, "{\"connection\":%s,\"read_ms\":%" PRIu64 ",\"fleet\":%s,\"state\":%s}\n",
			     connection, c->read_ms, has_fleet ? "true" : "false", c->doc != NULL ? c->doc : "null");
	pthread_mutex_unlock(&c->lock);
	free(connection);
	json_decref(o);
	if (n < 0)
		return NULL;
	*len = (size_t)n;
	return out;
}

char *
collect_history(struct collect *c, uint64_t since_ms, size_t *len)
{
	json_t *o;
	char *out;

	pthread_mutex_lock(&c->lock);
	/* To the millisecond, that of the point included. */
	o = ics_page_series_json(&c->series,
				 since_ms < UINT64_MAX / 1000000 - 1 ? since_ms * 1000000 + 999999 : UINT64_MAX);
	pthread_mutex_unlock(&c->lock);
	out = o != NULL ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(8)) : NULL;
	json_decref(o);
	*len = out != NULL ? strlen(out) : 0;
	return out;
}

unsigned
collect_list(struct collect *c, uint64_t start, uint64_t *ids, unsigned count, uint64_t *total)
{
	unsigned n = 0;

	pthread_mutex_lock(&c->lock);
	*total = c->n_ids;
	for (uint64_t i = start; i < c->n_ids && n < count; i++)
		ids[n++] = c->ids[i];
	pthread_mutex_unlock(&c->lock);
	return n;
}
