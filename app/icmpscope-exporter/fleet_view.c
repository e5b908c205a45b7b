/* The thread that reads the fleet for the page (fleet_view.h). */
#include "fleet_view.h"

#include "ics_fleet.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define EVERY_NS (10 * NS_PER_S)
/* Nobody looks any more. */
#define LOOKS_NS (30 * NS_PER_S)
/* All bindings and a day of events are much to read: at most a fiftieth of the time is spent with them. */
#define COMPARE_EVERY_NS (60 * NS_PER_S)
#define COMPARE_SHARE 50
#define DAY_NS (86400 * NS_PER_S)
#define PAUSE_MIN_NS (1 * NS_PER_S)
#define PAUSE_MAX_NS (30 * NS_PER_S)
#define OPEN_MAX 4096
#define FINDINGS_MAX 50

static const char *const whys[ICS_FLEET_TROUBLES] = {
	[ICS_FLEET_FINE] = "",
	[ICS_FLEET_LOST] = "lost",
	[ICS_FLEET_AUTH] = "auth",
	[ICS_FLEET_REFUSED] = "refused",
	[ICS_FLEET_STREAM] = "stream",
	[ICS_FLEET_LOCAL] = "local",
	[ICS_FLEET_NO_STREAM] = "no_stream",
};

static struct {
	atomic_bool on, stop;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	uint64_t asked_ns; /* monotonic; 0: never */
	bool ok, is_asked; /* is_asked: the servers were, at least once */
	uint64_t since_ms, read_ms, compared_ms, left_out;
	enum ics_fleet_trouble why;
	char error[ICS_FLEET_ERR_LEN];
	json_t *view, *open, *findings;
	/* The thread's own. */
	struct ics_config conf;
	struct ics_fleet *fleet;
	uint64_t compare_ns; /* when it is due; monotonic */
	uint64_t pause_ns;
} v = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int
goes_on(void *ctx)
{
	return atomic_load(&v.stop);
}

static void
replace(json_t **place, json_t *value)
{
	json_decref(*place);
	*place = value;
}

static void
set_state(bool ok, enum ics_fleet_trouble why, const char *error)
{
	if (ok != v.ok || !v.is_asked)
		v.since_ms = now_ns(CLOCK_REALTIME) / 1000000;
	v.is_asked = true;
	v.ok = ok;
	v.why = why;
	snprintf(v.error, sizeof(v.error), "%s", error);
}

static void
failed(enum ics_fleet_trouble why, const char *error)
{
	pthread_mutex_lock(&v.lock);
	set_state(false, why, error);
	pthread_mutex_unlock(&v.lock);
	ics_fleet_close(v.fleet);
	v.fleet = NULL;
	v.pause_ns = v.pause_ns == 0 ? PAUSE_MIN_NS : v.pause_ns * 2;
	/* Who may not does not change soon, and each try takes the servers' patience. */
	if (v.pause_ns > PAUSE_MAX_NS || why == ICS_FLEET_REFUSED || why == ICS_FLEET_AUTH)
		v.pause_ns = PAUSE_MAX_NS;
}

static bool
connected(void)
{
	/* The inbox of readers (docs/fleet.md). */
	static const struct ics_fleet_self reader = {.site = "fleet", .appliance = "reader"};
	enum ics_fleet_trouble why;
	char err[ICS_FLEET_ERR_LEN];

	if (v.fleet != NULL && ics_fleet_is_open(v.fleet))
		return true;
	ics_fleet_close(v.fleet);
	v.fleet = ics_fleet_connect(&v.conf, &reader, &why, err);
	if (v.fleet == NULL)
		failed(why, err);
	return v.fleet != NULL;
}

static void
compare(const json_t *rows)
{
	uint64_t began_ns = now_ns(CLOCK_MONOTONIC), real_ns = now_ns(CLOCK_REALTIME), left_out = 0, took_ns;
	json_t *list;

	if (began_ns < v.compare_ns)
		return;
	list = ics_fleet_compare(v.fleet, rows, real_ns > DAY_NS ? real_ns - DAY_NS : 0, goes_on, NULL, &left_out);
	if (list == NULL) {
		failed(ics_fleet_why(v.fleet), ics_fleet_error(v.fleet));
		return;
	}
	took_ns = (now_ns(CLOCK_MONOTONIC) - began_ns) * COMPARE_SHARE;
	v.compare_ns = began_ns + (took_ns > COMPARE_EVERY_NS ? took_ns : COMPARE_EVERY_NS);
	pthread_mutex_lock(&v.lock);
	replace(&v.findings, list);
	v.left_out = left_out;
	v.compared_ms = real_ns / 1000000;
	pthread_mutex_unlock(&v.lock);
}

static void
turn(void)
{
	uint64_t now_ms;
	json_t *rows, *view, *open;

	if (!connected())
		return;
	rows = ics_fleet_look(v.fleet, goes_on, NULL);
	if (rows == NULL) {
		failed(ics_fleet_why(v.fleet), ics_fleet_error(v.fleet));
		return;
	}
	now_ms = now_ns(CLOCK_REALTIME) / 1000000;
	view = ics_fleet_view(rows, now_ms);
	open = ics_fleet_open_anomalies(rows, OPEN_MAX);
	pthread_mutex_lock(&v.lock);
	set_state(true, ICS_FLEET_FINE, "");
	replace(&v.view, view);
	replace(&v.open, open);
	v.read_ms = now_ms;
	pthread_mutex_unlock(&v.lock);
	v.pause_ns = 0;
	compare(rows);
	json_decref(rows);
}

/* Under the lock. */
static void
wait_until(uint64_t until_ns)
{
	struct timespec t = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};

	pthread_cond_timedwait(&v.wake, &v.lock, &t);
}

static bool
is_looked_at(void)
{
	return v.asked_ns != 0 && now_ns(CLOCK_MONOTONIC) < v.asked_ns + LOOKS_NS;
}

static void *
run(void *arg)
{
	pthread_mutex_lock(&v.lock);
	while (!atomic_load(&v.stop)) {
		uint64_t next_ns;

		if (!is_looked_at()) {
			if (v.fleet != NULL) {
				pthread_mutex_unlock(&v.lock);
				ics_fleet_close(v.fleet);
				v.fleet = NULL;
				pthread_mutex_lock(&v.lock);
			} else {
				pthread_cond_wait(&v.wake, &v.lock);
			}
			continue;
		}
		pthread_mutex_unlock(&v.lock);
		turn();
		next_ns = now_ns(CLOCK_MONOTONIC) + (v.pause_ns != 0 ? v.pause_ns : EVERY_NS);
		pthread_mutex_lock(&v.lock);
		while (!atomic_load(&v.stop) && now_ns(CLOCK_MONOTONIC) < next_ns)
			wait_until(next_ns);
	}
	pthread_mutex_unlock(&v.lock);
	return NULL;
}

int
fleet_view_start(const struct ics_config *conf)
{
	pthread_condattr_t attr;
	int rc;

	v.conf = *conf;
	if (conf->fleet.reader_nkey[0] != '\0') {
		memcpy(v.conf.fleet.nkey, conf->fleet.reader_nkey, sizeof(v.conf.fleet.nkey));
		v.conf.fleet.creds[0] = '\0';
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&v.wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = pthread_create(&v.thread, NULL, run, NULL);
	atomic_store(&v.on, rc == 0);
	return -rc;
}

void
fleet_view_stop(void)
{
	if (!atomic_load(&v.on))
		return;
	atomic_store(&v.on, false);
	atomic_store(&v.stop, true);
	pthread_mutex_lock(&v.lock);
	pthread_cond_signal(&v.wake);
	pthread_mutex_unlock(&v.lock);
	pthread_join(v.thread, NULL);
	ics_fleet_close(v.fleet);
	/* Who asks meanwhile finds nothing. */
	pthread_mutex_lock(&v.lock);
	replace(&v.view, NULL);
	replace(&v.open, NULL);
	replace(&v.findings, NULL);
	pthread_mutex_unlock(&v.lock);
}

bool
fleet_view_is_on(void)
{
	return atomic_load(&v.on);
}

/* The first findings, those of most sites; under the lock. */
static json_t *
findings(void)
{
	json_t *list = json_array(), *f;
	size_t i;

	json_array_foreach(v.findings, i, f)
	{
		if (i < FINDINGS_MAX)
			(void)json_array_append(list, f);
	}
	return json_pack("{s:I, s:I, s:I, s:o}", "read_ms", (json_int_t)v.compared_ms, "left_out",
			 (json_int_t)v.left_out, "total", (json_int_t)json_array_size(v.findings), "list", list);
}

/* {"connection", "now_ms", "read_ms", "fleet"}; fleet is null before anything was read. */
char *
fleet_view_text(uint64_t start, uint64_t count, size_t *len)
{
	json_t *doc, *fleet = NULL;
	char *out;

	*len = 0;
	if (!fleet_view_is_on())
		return NULL;
	pthread_mutex_lock(&v.lock);
	/* One who comes back need not wait for the old turn to end. */
	if (!is_looked_at())
		pthread_cond_signal(&v.wake);
	v.asked_ns = now_ns(CLOCK_MONOTONIC);
	if (v.view != NULL && (fleet = json_copy(v.view)) != NULL) {
		(void)json_object_set_new(fleet, "findings", findings());
		(void)json_object_set_new(fleet, "anomalies",
					  json_pack("{s:I, s:I, s:o}", "total", (json_int_t)json_array_size(v.open),
						    "start", (json_int_t)start, "list",
						    ics_fleet_view_anomalies(v.open, start, count)));
	}
	doc = json_pack("{s:{s:b, s:b, s:I, s:s, s:s}, s:I, s:I, s:o?}", "connection", "ok", (int)v.ok, "asked",
			(int)v.is_asked, "since_ms", (json_int_t)v.since_ms, "why", whys[v.why], "error", v.error,
			"now_ms", (json_int_t)(now_ns(CLOCK_REALTIME) / 1000000), "read_ms", (json_int_t)v.read_ms,
			"fleet", fleet);
	out = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(8)) : NULL;
	json_decref(doc);
	pthread_mutex_unlock(&v.lock);
	*len = out != NULL ? strlen(out) : 0;
	return out;
}
