/* Settings that are read again (reload.h). */
#include "reload.h"

#include "background.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define KEYS_MAX 128
#define SHOWN_LEN ICS_FACT_TEXT_LEN
/* The control core takes them within a batch; whoever waits longer says so. */
#define TAKE_MS 5000

struct change {
	unsigned row;
	struct ics_config_key key;
	char name[64], before[SHOWN_LEN], after[SHOWN_LEN];
};

struct reload_news {
	bool refused;
	const char *file;
	char why[ICS_CONFIG_ERR_LEN];
	struct ics_config conf; /* what is to be in force */
	unsigned n, n_live;
	struct change change[KEYS_MAX];
};

static uint64_t
wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the thread ---- */

/* A pipe that was read at the start has nothing more to say, and would be waited for. */
static int
read_again(const struct args *args, struct ics_config *out, char err[static ICS_CONFIG_ERR_LEN])
{
	struct stat st;

	if (stat(args->file, &st) == 0 && !S_ISREG(st.st_mode)) {
		snprintf(err, ICS_CONFIG_ERR_LEN, "%.200s: is no regular file, so it is not read again", args->file);
		return -EINVAL;
	}
	return args_again(args, out, err);
}

/* What a message has room for, and printable. */
static void
shorten(char *to, const char *value)
{
	size_t n = strlen(value);

	if (n < SHOWN_LEN)
		strcpy(to, value);
	else
		snprintf(to, SHOWN_LEN, "%.*s...", SHOWN_LEN - 4, value);
	for (; *to != '\0'; to++)
		if (*to < ' ' || *to > '~')
			*to = '?';
}

static void
compare(struct reload_news *news, const struct ics_config *now, const struct ics_config *next)
{
	static char before[ICS_CONFIG_VALUE_LEN], after[ICS_CONFIG_VALUE_LEN]; /* the thread's alone */
	struct ics_config_key key;

	news->conf = *now;
	for (unsigned i = 0; ics_config_key(i, &key) && news->n < KEYS_MAX; i++) {
		struct change *c = &news->change[news->n];

		ics_config_value(now, i, before, sizeof(before));
		ics_config_value(next, i, after, sizeof(after));
		if (strcmp(before, after) == 0)
			continue;
		news->n++;
		news->n_live += key.live;
		c->row = i;
		c->key = key;
		snprintf(c->name, sizeof(c->name), "%s.%s", key.section, key.key);
		shorten(c->before, before);
		shorten(c->after, after);
		if (key.live)
			ics_config_take(&news->conf, next, i);
	}
}

static bool
wait_taken(struct reload *r)
{
	for (unsigned ms = 0; ms < TAKE_MS && !atomic_load_explicit(&r->stop, memory_order_relaxed); ms++) {
		if (atomic_load_explicit(&r->taken, memory_order_acquire) == r->given)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}

static void
say(const struct reload_news *news, bool taken)
{
	if (news->refused) {
		fprintf(stderr, "icmpscope: %s; nothing was changed\n", news->why);
		return;
	}
	for (unsigned i = 0; i < news->n; i++) {
		const struct change *c = &news->change[i];

		fprintf(stderr, "icmpscope: %s: \"%s\" -> \"%s\"%s\n", c->name, c->before, c->after,
			c->key.live ? "" : " needs a restart; until then it stays as it was");
	}
	fprintf(stderr, "icmpscope: %s was read again: %u setting%s changed, %u applied, %u need%s a restart\n",
		news->file, news->n, news->n == 1 ? "" : "s", news->n_live, news->n - news->n_live,
		news->n - news->n_live == 1 ? "s" : "");
	if (!taken)
		fprintf(stderr, "icmpscope: warning: the control core is busy and has not taken them yet\n");
}

static void
do_reload(struct reload *r)
{
	struct reload_news *news = calloc(1, sizeof(*news)), *said = calloc(1, sizeof(*said));
	struct ics_config *next = calloc(1, sizeof(*next));

	if (news == NULL || said == NULL || next == NULL) {
		fprintf(stderr, "icmpscope: no memory to read the settings again; nothing was changed\n");
		free(news);
		free(said);
		free(next);
		return;
	}
	news->file = r->args->file;
	news->refused = read_again(r->args, next, news->why) != 0;
	if (!news->refused) {
		compare(news, r->now, next);
		*r->now = news->conf;
	}
	free(next);
	*said = *news;
	/* One at a time: what was not taken yet is taken first. */
	while (atomic_load_explicit(&r->news, memory_order_acquire) != NULL &&
	       !atomic_load_explicit(&r->stop, memory_order_relaxed))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		free(news);
	} else {
		r->given++;
		atomic_store_explicit(&r->news, news, memory_order_release);
		say(said, wait_taken(r));
	}
	free(said);
}

static void *
wait_for_it(void *reload)
{
	struct reload *r = reload;

	for (;;) {
		while (sem_wait(&r->wake) != 0)
			;
		/* Several that came meanwhile are one. */
		while (sem_trywait(&r->wake) == 0)
			;
		if (atomic_load_explicit(&r->stop, memory_order_relaxed))
			return NULL;
		notify_reloading(r->notify);
		if (r->args->file != NULL)
			do_reload(r);
		else
			fprintf(stderr, "icmpscope: SIGHUP: there is no file of settings (-c) to read again\n");
		notify_ready_again(r->notify);
	}
}

int
reload_start(struct reload *r, const struct args *args, const struct plan_in *facts, const struct plan *plan)
{
	int rc;

	r->args = args;
	r->stats = (struct ics_export_config){.generation = 1, .applied_ns = wall_ns()};
	r->now = malloc(sizeof(*r->now));
	if (r->now == NULL || sem_init(&r->wake, 0, 0) != 0)
		rc = -ENOMEM;
	else
		rc = background_start(&r->thread, "reload", wait_for_it, r, facts, plan);
	if (rc != 0) {
		fprintf(stderr, "icmpscope: no thread for SIGHUP: %s\n", strerror(-rc));
		free(r->now);
		r->now = NULL;
		return rc;
	}
	*r->now = args->config;
	atomic_store_explicit(&r->started, true, memory_order_release);
	return 0;
}

void
reload_ask(struct reload *r)
{
	if (atomic_load_explicit(&r->started, memory_order_acquire))
		(void)sem_post(&r->wake);
}

void
reload_stop(struct reload *r)
{
	if (!r->started)
		return;
	atomic_store_explicit(&r->stop, true, memory_order_relaxed);
	(void)sem_post(&r->wake);
	pthread_join(r->thread, NULL);
	free(atomic_exchange(&r->news, NULL));
	free(r->now);
	r->now = NULL;
}

/* ---- the control core ---- */

static void
journal_refused(struct journalist *j, const struct reload_news *news)
{
	const char *why = news->why;

	if (!journalist_begin(j, ICS_JOURNAL_CONFIG_REFUSED))
		return;
	ics_journal_add_text(&j->event, "file", news->file);
	/* It begins with the file, which may be long. */
	if (strncmp(why, news->file, strlen(news->file)) == 0)
		why += strlen(news->file) + (why[strlen(news->file)] == ':');
	ics_journal_add_text(&j->event, "why", why + (*why == ' '));
	journalist_tell(j);
}

static void
journal_applied(struct journalist *j, const struct reload_news *news, uint64_t generation)
{
	for (unsigned i = 0; i < news->n; i++) {
		const struct change *c = &news->change[i];

		if (!journalist_begin(j, ICS_JOURNAL_CONFIG_KEY))
			return;
		ics_journal_add_text(&j->event, "key", c->name);
		ics_journal_add_text(&j->event, "before", c->before);
		ics_journal_add_text(&j->event, "after", c->after);
		ics_journal_add_bool(&j->event, "applied", c->key.live);
		journalist_tell(j);
	}
	if (!journalist_begin(j, ICS_JOURNAL_CONFIG))
		return;
	ics_journal_add_text(&j->event, "file", news->file);
	ics_journal_add_uint(&j->event, "generation", generation);
	ics_journal_add_uint(&j->event, "applied", news->n_live);
	ics_journal_add_uint(&j->event, "need_restart", news->n - news->n_live);
	journalist_tell(j);
}

void
reload_turn(struct reload *r, struct ics_engine *e, struct journalist *j)
{
	struct reload_news *news;

	if (atomic_load_explicit(&r->news, memory_order_relaxed) == NULL)
		return;
	news = atomic_exchange_explicit(&r->news, NULL, memory_order_acq_rel);
	if (news->refused) {
		r->stats.refused++;
		journal_refused(j, news);
	} else {
		if (news->n_live > 0) {
			ics_engine_configure(e, &news->conf);
			journalist_limits(j, &news->conf);
		}
		r->stats.generation++;
		r->stats.applied_ns = wall_ns();
		r->stats.need_restart = news->n - news->n_live;
		journal_applied(j, news, r->stats.generation);
	}
	free(news);
	atomic_fetch_add_explicit(&r->taken, 1, memory_order_release);
}
