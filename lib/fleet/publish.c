/* The thread of an appliance: copies its journal into the stream, each line once and in order, and says every ten seconds how
 * its icmpscope is. One line is on its way at a time; nothing goes on before it is acknowledged, and after each connection
 * the stream is asked how far it came (docs/fleet.md, "Exactly once, in order"). It only reads files and the telemetry
 * socket, so whatever happens to the servers never reaches the inspector.
 */
#include "fleet_priv.h"

#include "ics_version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS 200
#define BACK_OFF_MIN_MS 200
#define BACK_OFF_OPEN_MS 5000
#define BACK_OFF_MAX_MS 10000
/* The server forgets ids after two minutes: what was tried for so long is asked for before it is sent again. */
#define ASK_AGAIN_S 30
#define SYNC_S 5
#define SAY_LEN (ICS_FLEET_ERR_LEN + 128)

/* What works or does not, each by itself. */
enum work { LINES, BEATS, CURSOR, WORKS };

struct trouble {
	unsigned said; /* kinds, since it last worked */
	uint64_t since_ns;
};

struct ics_fleet_publisher {
	struct ics_config conf;
	struct ics_fleet_self self;
	char socket[ICS_CLIENT_PATH_LEN], host[64];
	void (*say)(const char *text);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	struct ics_fleet_stats stats;

	/* Of the thread alone. */
	struct ics_fleet *fleet; /* NULL: not connected */
	struct ics_follow *follow;
	struct ics_cursor cursor;
	struct ics_follow_pos done; /* the last line that the stream has */
	struct ics_client client;
	struct ics_fleet_sight sight;
	json_t *held; /* bindings that were put last */
	bool have_line;
	struct ics_follow_line line; /* the one that is to be published */
	uint64_t tried_ns;           /* since when; 0: not yet */
	uint64_t beat_ns, bindings_ns, sync_ns;
	uint64_t back_off_ms;
	struct trouble trouble[WORKS];
	char err[ICS_FLEET_ERR_LEN];
};

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void
set(_Atomic uint64_t *to, uint64_t v)
{
	atomic_store_explicit(to, v, memory_order_relaxed);
}

static void
add(_Atomic uint64_t *to, uint64_t v)
{
	atomic_fetch_add_explicit(to, v, memory_order_relaxed);
}

static bool
is_stopping(struct ics_fleet_publisher *p)
{
	bool stop;

	pthread_mutex_lock(&p->lock);
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

static void
wait_ms(struct ics_fleet_publisher *p, uint64_t ms)
{
	uint64_t until = now_ns() + ms * 1000000u;
	struct timespec t = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

	pthread_mutex_lock(&p->lock);
	while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &t) == 0)
		;
	pthread_mutex_unlock(&p->lock);
}

/* ---- what is said, each once until it works again ---- */

static void
say_trouble(struct ics_fleet_publisher *p, enum work work, enum ics_fleet_trouble kind, const char *text)
{
	struct trouble *t = &p->trouble[work];
	char line[SAY_LEN];

	add(&p->stats.failures, 1);
	if (work == LINES)
		set(&p->stats.trouble, kind);
	if (t->said == 0)
		t->since_ns = now_ns();
	if ((t->said & 1u << kind) != 0)
		return;
	t->said |= 1u << kind;
	snprintf(line, sizeof(line), "fleet: %s; it is tried again, and the journal keeps what happens meanwhile",
		 text);
	p->say(line);
}

static void
say_works(struct ics_fleet_publisher *p, enum work work)
{
	static const char *const names[WORKS] = {"publishing", "telling its state", "the cursor"};
	struct trouble *t = &p->trouble[work];
	char line[SAY_LEN];

	if (work == LINES) {
		p->back_off_ms = 0;
		set(&p->stats.trouble, ICS_FLEET_FINE);
	}
	if (t->said == 0)
		return;
	t->said = 0;
	snprintf(line, sizeof(line), "fleet: %s works again after %llu s; line %llu is in the stream", names[work],
		 (unsigned long long)((now_ns() - t->since_ns) / 1000000000u), (unsigned long long)p->done.line);
	p->say(line);
}

/* Longer each time, and not the same for all appliances that lost the same server. */
static void
back_off(struct ics_fleet_publisher *p)
{
	uint64_t ms = p->back_off_ms == 0 ? BACK_OFF_MIN_MS : p->back_off_ms * 2;

	/* While it is connected its beats go on. */
	if (p->fleet != NULL && ms > BACK_OFF_OPEN_MS)
		ms = BACK_OFF_OPEN_MS;
	p->back_off_ms = ms > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : ms;
	wait_ms(p, p->back_off_ms / 2 + clock_ns(CLOCK_MONOTONIC) / 1000u % (p->back_off_ms / 2 + 1));
}

static void
disconnect(struct ics_fleet_publisher *p)
{
	ics_fleet_close(p->fleet);
	p->fleet = NULL;
}

static void
failed(struct ics_fleet_publisher *p, enum ics_fleet_trouble kind)
{
	say_trouble(p, LINES, kind, ics_fleet_error(p->fleet));
	if (!ics_fleet_is_open(p->fleet))
		disconnect(p);
	back_off(p);
}

/* ---- the place ---- */

static void
note_done(struct ics_fleet_publisher *p, const struct ics_follow_pos *pos)
{
	int rc;

	p->done = *pos;
	set(&p->stats.line, pos->line);
	rc = ics_cursor_write(&p->cursor, pos);
	if (rc != 0) {
		snprintf(p->err, sizeof(p->err), "fleet.cursor = %.300s: %s", p->conf.fleet.cursor, strerror(-rc));
		say_trouble(p, CURSOR, ICS_FLEET_LOCAL, p->err);
	} else {
		say_works(p, CURSOR);
	}
}

/* Asks the stream how far it came. Sequence numbers tell which is further: a server that lags behind the others may answer. */
static bool
ask_place(struct ics_fleet_publisher *p)
{
	struct ics_follow_pos pos;
	enum ics_fleet_trouble rc = ics_fleet_last(p->fleet, &p->self, &pos);

	if (rc != ICS_FLEET_FINE) {
		failed(p, rc);
		return false;
	}
	if (pos.mark > p->done.mark) {
		note_done(p, &pos);
		p->have_line = false;
		ics_follow_seek(p->follow, &p->done);
	}
	p->tried_ns = 0;
	return true;
}

static uint64_t
age_s(const struct ics_follow_line *l)
{
	const char *when = json_string_value(json_object_get(l->doc, "timestamp"));
	uint64_t now = clock_ns(CLOCK_REALTIME) / 1000000000u;
	struct tm tm = {0};
	time_t t;

	if (when == NULL || strptime(when, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return 0;
	t = timegm(&tm);
	return t > 0 && (uint64_t)t < now ? now - (uint64_t)t : 0;
}

/* Without a connection too: what waits grows older. */
static void
note_lag(struct ics_fleet_publisher *p)
{
	if (!p->have_line)
		p->have_line = ics_follow_next(p->follow, &p->line) == 1;
	set(&p->stats.lag_s, p->have_line ? age_s(&p->line) : 0);
}

static bool
make_connection(struct ics_fleet_publisher *p)
{
	enum ics_fleet_trouble why;

	p->fleet = ics_fleet_connect(&p->conf, &p->self, &why, p->err);
	if (p->fleet == NULL) {
		say_trouble(p, LINES, why, p->err);
		note_lag(p);
		back_off(p);
		return false;
	}
	add(&p->stats.connects, 1);
	p->beat_ns = 0;
	return ask_place(p);
}

/* ---- lines ---- */

static bool
send_message(struct ics_fleet_publisher *p, const char *subject, const char *id, const char *text, size_t len,
	     uint64_t *seq)
{
	enum ics_fleet_trouble rc;

	if (p->tried_ns == 0)
		p->tried_ns = now_ns();
	else if (now_ns() - p->tried_ns > ASK_AGAIN_S * 1000000000ull && !ask_place(p))
		return false;
	/* It may turn out to be there. */
	if (!p->have_line)
		return false;
	rc = ics_fleet_publish(p->fleet, p->conf.fleet.stream, subject, id, text, len, seq);
	if (rc != ICS_FLEET_FINE) {
		failed(p, rc);
		return false;
	}
	p->tried_ns = 0;
	return true;
}

static bool
send_gap(struct ics_fleet_publisher *p)
{
	const char *host = json_string_value(json_object_get(p->line.doc, "host"));
	char subject[ICS_FLEET_SUBJECT_LEN], id[ICS_FLEET_ID_LEN + 8], said[SAY_LEN];
	char *text = ics_fleet_gap(&p->self, host != NULL ? host : "unknown", &p->line, clock_ns(CLOCK_REALTIME));
	bool ok;

	if (text == NULL)
		return false;
	snprintf(subject, sizeof(subject), "icmpscope.%s.%s.gap.journal", p->self.site, p->self.appliance);
	ics_fleet_id(id, &p->self, &p->line.pos);
	strcat(id, ":gap");
	ok = send_message(p, subject, id, text, strlen(text), NULL);
	free(text);
	if (!ok)
		return false;
	if (p->line.anew)
		snprintf(said, sizeof(said),
			 "fleet: the journal was begun anew; what it held last may be missing in the stream");
	else
		snprintf(said, sizeof(said),
			 "fleet: %llu lines went by rotation before they were published; journal.keep = %u is too "
			 "little "
			 "for outages that long",
			 (unsigned long long)p->line.missing, p->conf.journal.keep);
	p->say(said);
	add(&p->stats.gap, p->line.missing);
	p->line.missing = 0;
	p->line.anew = false;
	return true;
}

static void
publish_line(struct ics_fleet_publisher *p)
{
	char subject[ICS_FLEET_SUBJECT_LEN], id[ICS_FLEET_ID_LEN];
	struct ics_follow_pos pos;

	if ((p->line.missing != 0 || p->line.anew) && !send_gap(p))
		return;
	pos = p->line.pos;
	if (ics_fleet_subject(subject, &p->self, p->line.own) != 0) {
		add(&p->stats.damaged, 1);
		pos.mark = p->done.mark;
	} else {
		ics_fleet_id(id, &p->self, &pos);
		if (!send_message(p, subject, id, p->line.text, p->line.len, &pos.mark))
			return;
		add(&p->stats.published, 1);
	}
	p->have_line = false;
	note_done(p, &pos);
	say_works(p, LINES);
}

/* False: there is none now. */
static bool
take_line(struct ics_fleet_publisher *p)
{
	int rc;

	if (p->have_line)
		return true;
	rc = ics_follow_next(p->follow, &p->line);
	if (rc == 1) {
		p->have_line = true;
		return true;
	}
	if (rc < 0) {
		snprintf(p->err, sizeof(p->err), "journal.file = %.300s: %s", p->conf.journal.file, strerror(-rc));
		say_trouble(p, LINES, ICS_FLEET_LOCAL, p->err);
	} else {
		say_works(p, LINES);
		set(&p->stats.lag_s, 0);
	}
	return false;
}

/* ---- beats ---- */

static void
put_bindings(struct ics_fleet_publisher *p)
{
	json_t *now = ics_fleet_bindings(&p->client);

	if (now == NULL)
		return;
	if (p->held == NULL || !json_equal(json_object_get(p->held, "bindings"), json_object_get(now, "bindings"))) {
		if (ics_fleet_put(p->fleet, ICS_FLEET_BINDINGS_BUCKET, &p->self, now) == ICS_FLEET_FINE) {
			json_decref(p->held);
			p->held = json_incref(now);
		}
	}
	json_decref(now);
}

static void
beat(struct ics_fleet_publisher *p, const char *ending)
{
	json_t *o = ics_fleet_state(&p->sight, &p->client, p->socket, &p->self);
	enum ics_fleet_trouble rc;

	set(&p->stats.lag_s, p->have_line ? age_s(&p->line) : 0);
	if (ending != NULL) {
		(void)json_object_set_new(o, "health", json_string("stopped"));
		(void)json_object_set_new(o, "why", json_string(ending));
	}
	(void)json_object_set_new(o, "host", json_string(p->host));
	(void)json_object_set_new(o, "exporter", json_string(ICS_VERSION));
	(void)json_object_set_new(o, "line", json_integer((json_int_t)p->done.line));
	(void)json_object_set_new(o, "boot", json_string(p->done.boot));
	(void)json_object_set_new(o, "lag_s", json_integer((json_int_t)p->stats.lag_s));
	(void)json_object_set_new(o, "gap", json_integer((json_int_t)p->stats.gap));
	(void)json_object_set_new(o, "failures", json_integer((json_int_t)p->stats.failures));
	rc = ics_fleet_put(p->fleet, ICS_FLEET_STATE_BUCKET, &p->self, o);
	json_decref(o);
	p->beat_ns = now_ns();
	if (rc != ICS_FLEET_FINE) {
		say_trouble(p, BEATS, rc, ics_fleet_error(p->fleet));
		if (!ics_fleet_is_open(p->fleet))
			disconnect(p);
		return;
	}
	say_works(p, BEATS);
	if (ending == NULL &&
	    (p->bindings_ns == 0 || p->beat_ns - p->bindings_ns >= ICS_FLEET_BINDINGS_S * 1000000000ull)) {
		p->bindings_ns = p->beat_ns;
		put_bindings(p);
	}
}

static void *
run(void *arg)
{
	struct ics_fleet_publisher *p = arg;

	while (!is_stopping(p)) {
		if (p->fleet != NULL && !ics_fleet_is_open(p->fleet))
			disconnect(p);
		if (p->fleet == NULL && !make_connection(p))
			continue;
		if (p->beat_ns == 0 || now_ns() - p->beat_ns >= ICS_FLEET_BEAT_S * 1000000000ull)
			beat(p, NULL);
		if (p->fleet == NULL)
			continue;
		if (now_ns() - p->sync_ns >= SYNC_S * 1000000000ull) {
			p->sync_ns = now_ns();
			(void)ics_cursor_sync(&p->cursor);
			set(&p->stats.damaged, ics_follow_damaged(p->follow));
		}
		if (take_line(p))
			publish_line(p);
		else
			wait_ms(p, IDLE_MS);
	}
	/* Who could not tell its state before is not waited for. */
	if (p->fleet != NULL && p->trouble[BEATS].said == 0)
		beat(p, "it was told to");
	disconnect(p);
	nats_ReleaseThreadMemory();
	return NULL;
}

/* ---- start and stop ---- */

static void
let_go(struct ics_fleet_publisher *p)
{
	ics_cursor_close(&p->cursor);
	ics_follow_free(p->follow);
	ics_client_close(&p->client);
	ics_fleet_sight_free(&p->sight);
	json_decref(p->held);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static struct ics_fleet_publisher *
refuse(struct ics_fleet_publisher *p, int error)
{
	let_go(p);
	errno = error;
	return NULL;
}

struct ics_fleet_publisher *
ics_fleet_publisher_start(const struct ics_config *conf, const struct ics_fleet_self *self, const char *socket,
			  void (*say)(const char *text), char err[static ICS_FLEET_ERR_LEN])
{
	struct ics_fleet_publisher *p = calloc(1, sizeof(*p));
	char who[sizeof(*self) + 2], why[ICS_FOLLOW_ERR_LEN], pub[ICS_FLEET_NKEY_LEN];
	pthread_condattr_t attr;
	int rc;

	if (p == NULL) {
		snprintf(err, ICS_FLEET_ERR_LEN, "out of memory");
		return NULL;
	}
	p->conf = *conf;
	p->self = *self;
	p->say = say;
	p->client.fd = p->cursor.fd = -1;
	snprintf(p->socket, sizeof(p->socket), "%s", socket);
	if (gethostname(p->host, sizeof(p->host) - 1) != 0 || p->host[0] == '\0')
		strcpy(p->host, "unknown");
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = ics_fleet_check_files(conf, err);
	if (rc == 0 && conf->fleet.nkey[0] != '\0')
		rc = ics_fleet_nkey_file(conf->fleet.nkey, pub, err);
	if (rc == 0 && conf->fleet.creds[0] != '\0')
		rc = ics_fleet_creds_file(conf->fleet.creds, err);
	if (rc != 0)
		return refuse(p, -rc);
	snprintf(who, sizeof(who), "%s.%s", self->site, self->appliance);
	rc = ics_cursor_open(&p->cursor, conf->fleet.cursor, who, &p->done, why);
	if (rc != 0) {
		snprintf(err, ICS_FLEET_ERR_LEN, "fleet.cursor = %.490s", why);
		return refuse(p, -rc);
	}
	if (p->cursor.damaged)
		say("fleet: the cursor is damaged; the stream is asked how far it came");
	p->follow = ics_follow_new(conf->journal.file, conf->journal.keep);
	if (p->follow == NULL) {
		snprintf(err, ICS_FLEET_ERR_LEN, "journal.file = %.300s: %s", conf->journal.file, strerror(errno));
		return refuse(p, errno);
	}
	ics_follow_seek(p->follow, &p->done);
	rc = pthread_create(&p->thread, NULL, run, p);
	if (rc != 0) {
		snprintf(err, ICS_FLEET_ERR_LEN, "no thread for the fleet: %s", strerror(rc));
		return refuse(p, rc);
	}
	return p;
}

void
ics_fleet_publisher_stop(struct ics_fleet_publisher *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	let_go(p);
}

const struct ics_fleet_stats *
ics_fleet_publisher_stats(const struct ics_fleet_publisher *p)
{
	return &p->stats;
}
