/* Where anomalies live. Followers read it in order of change: a log of (sequence number, anomaly) that is compacted
 * when most of it is out of date, so that a follower's step is a binary search. Three chained indexes find
 * an anomaly by id, by entity and by its latest frame. Detectors write, the exporter and the reader read.
 */
#include "proof.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS 8192
#define DETECTORS_MAX 64
#define LOG_SLACK 1024
#define LOG_MAX (2 * ICS_ANOMALY_STORE_MAX + LOG_SLACK)

enum index { BY_ID, BY_ENTITY, BY_FRAME, N_INDEXES };

struct node {
	struct ics_anomaly a; /* first: the public pointer is the node */
	uint64_t entity;
	uint64_t key[N_INDEXES]; /* as filed */
	bool filed[N_INDEXES];
	struct node *next[N_INDEXES];
	struct node *next_cleared;
	uint64_t log_pos;
};

struct log_entry {
	uint64_t seq;
	struct node *node; /* NULL: out of date */
};

struct ics_anomaly_store {
	struct node *bucket[N_INDEXES][BUCKETS];
	struct log_entry log[LOG_MAX];
	unsigned n_log;
	struct node *cleared_head, *cleared_tail; /* in order of clearing, which is that of seq */
	struct {
		const char *name;
		unsigned open;
	} detector[DETECTORS_MAX];
	struct ics_anomaly_stats stats;
	uint64_t last_id;
};

struct ics_anomaly_store *
ics_anomaly_store_new(void)
{
	return calloc(1, sizeof(struct ics_anomaly_store));
}

void
ics_anomaly_store_free(struct ics_anomaly_store *s)
{
	if (s == NULL)
		return;
	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct node *n = s->bucket[BY_ID][b], *next; n != NULL; n = next) {
			next = n->next[BY_ID];
			free(n);
		}
	free(s);
}

static struct node **
bucket_of(struct ics_anomaly_store *s, enum index i, uint64_t key)
{
	return &s->bucket[i][ics_hash_mix(key, i) % BUCKETS];
}

static void
unfile(struct ics_anomaly_store *s, enum index i, struct node *n)
{
	struct node **p;

	if (!n->filed[i])
		return;
	for (p = bucket_of(s, i, n->key[i]); *p != n; p = &(*p)->next[i])
		;
	*p = n->next[i];
	n->filed[i] = false;
}

static void
file(struct ics_anomaly_store *s, enum index i, struct node *n, uint64_t key)
{
	struct node **p;

	if (n->filed[i] && n->key[i] == key)
		return;
	unfile(s, i, n);
	p = bucket_of(s, i, key);
	n->key[i] = key;
	n->next[i] = *p;
	n->filed[i] = true;
	*p = n;
}

static void
compact(struct ics_anomaly_store *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_log; i++)
		if (s->log[i].node != NULL) {
			s->log[n] = s->log[i];
			s->log[n].node->log_pos = n;
			n++;
		}
	s->n_log = n;
}

/* There are at most ICS_ANOMALY_STORE_MAX live entries, so compacting frees more than half of a full log. */
static void
log_change(struct ics_anomaly_store *s, struct node *n)
{
	if (n->a.seq != 0)
		s->log[n->log_pos].node = NULL;
	if (s->n_log == LOG_MAX)
		compact(s);
	n->a.seq = ++s->stats.last_seq;
	n->log_pos = s->n_log;
	s->log[s->n_log++] = (struct log_entry){n->a.seq, n};
}

/* The open count of a detector; names are static strings, equal names may have two addresses. */
static unsigned *
open_count(struct ics_anomaly_store *s, const char *detector)
{
	for (unsigned i = 0; i < DETECTORS_MAX; i++) {
		if (s->detector[i].name == NULL)
			s->detector[i].name = detector;
		if (s->detector[i].name == detector || strcmp(s->detector[i].name, detector) == 0)
			return &s->detector[i].open;
	}
	return NULL;
}

struct ics_anomaly *
ics_anomaly_find(struct ics_anomaly_store *s, const char *detector, uint64_t entity)
{
	for (struct node *n = *bucket_of(s, BY_ENTITY, entity); n != NULL; n = n->next[BY_ENTITY])
		if (n->key[BY_ENTITY] == entity && strcmp(n->a.detector, detector) == 0)
			return &n->a;
	return NULL;
}

static void
drop_oldest_cleared(struct ics_anomaly_store *s)
{
	struct node *n = s->cleared_head;

	s->cleared_head = n->next_cleared;
	if (s->cleared_head == NULL)
		s->cleared_tail = NULL;
	if (n->a.seq > s->stats.overwritten_seq)
		s->stats.overwritten_seq = n->a.seq;
	s->stats.overwritten++;
	s->stats.kept--;
	if (n->a.seq != 0)
		s->log[n->log_pos].node = NULL;
	for (unsigned i = 0; i < N_INDEXES; i++)
		unfile(s, i, n);
	free(n);
}

struct ics_anomaly *
ics_anomaly_open(struct ics_anomaly_store *s, const char *detector, uint64_t entity)
{
	unsigned *open = open_count(s, detector);
	struct node *n;

	if (open == NULL || *open >= ICS_ANOMALY_OPEN_MAX ||
	    (s->stats.kept >= ICS_ANOMALY_STORE_MAX && s->cleared_head == NULL)) {
		s->stats.not_opened++;
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL) {
		s->stats.not_opened++;
		return NULL;
	}
	if (s->stats.kept >= ICS_ANOMALY_STORE_MAX)
		drop_oldest_cleared(s);
	n->a.id = ++s->last_id;
	n->a.detector = detector;
	n->a.variant = "";
	n->a.rfc = "";
	n->entity = entity;
	file(s, BY_ID, n, n->a.id);
	file(s, BY_ENTITY, n, entity);
	++*open;
	s->stats.opened++;
	s->stats.kept++;
	return &n->a;
}

void
ics_anomaly_touch(struct ics_anomaly_store *s, struct ics_anomaly *a)
{
	if (a->state == ICS_ANOMALY_OPEN)
		file(s, BY_FRAME, (struct node *)a, a->frame_hash);
}

void
ics_anomaly_changed(struct ics_anomaly_store *s, struct ics_anomaly *a)
{
	ics_anomaly_touch(s, a);
	anomaly_judge(a);
	log_change(s, (struct node *)a);
}

void
ics_anomaly_clear(struct ics_anomaly_store *s, struct ics_anomaly *a, uint64_t now_ns)
{
	struct node *n = (struct node *)a;

	if (a->state == ICS_ANOMALY_CLEARED)
		return;
	a->state = ICS_ANOMALY_CLEARED;
	a->cleared_ns = now_ns;
	unfile(s, BY_ENTITY, n);
	unfile(s, BY_FRAME, n);
	--*open_count(s, a->detector);
	s->stats.cleared++;
	if (s->cleared_tail != NULL)
		s->cleared_tail->next_cleared = n;
	else
		s->cleared_head = n;
	s->cleared_tail = n;
	log_change(s, n);
}

const struct ics_anomaly *
ics_anomaly_get(const struct ics_anomaly_store *s, uint64_t id)
{
	for (struct node *n = *bucket_of((struct ics_anomaly_store *)s, BY_ID, id); n != NULL; n = n->next[BY_ID])
		if (n->key[BY_ID] == id)
			return &n->a;
	return NULL;
}

const struct ics_anomaly *
ics_anomaly_next(const struct ics_anomaly_store *s, uint64_t seq)
{
	unsigned lo = 0, hi = s->n_log;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (s->log[mid].seq < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < s->n_log; lo++)
		if (s->log[lo].node != NULL)
			return &s->log[lo].node->a;
	return NULL;
}

unsigned
ics_anomaly_add_copies(struct ics_anomaly_store *s, uint64_t frame_hash, uint64_t n_copies, uint64_t ts_ns)
{
	unsigned found = 0;

	for (struct node *n = *bucket_of(s, BY_FRAME, frame_hash); n != NULL; n = n->next[BY_FRAME]) {
		if (n->key[BY_FRAME] != frame_hash)
			continue;
		n->a.count += n_copies;
		if (ts_ns > n->a.last_ns)
			n->a.last_ns = ts_ns;
		log_change(s, n);
		found++;
	}
	return found;
}

void
ics_anomaly_stats(const struct ics_anomaly_store *s, struct ics_anomaly_stats *out)
{
	*out = s->stats;
	for (unsigned i = 0; i < s->n_log; i++) {
		const struct node *n = s->log[i].node;

		out->open += n != NULL && n->a.state == ICS_ANOMALY_OPEN && !n->a.muted;
	}
}

bool
ics_anomaly_acknowledge(struct ics_anomaly_store *s, uint64_t id)
{
	struct ics_anomaly *a = (struct ics_anomaly *)ics_anomaly_get(s, id);

	if (a == NULL)
		return false;
	/* Cleared ones stay in the order in which they were cleared. */
	if (!a->acked && a->state == ICS_ANOMALY_OPEN)
		ics_anomaly_changed(s, a);
	a->acked = true;
	return true;
}
