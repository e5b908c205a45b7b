/* The slow half put together: sets the clock, counts a record in its segment, parses it, lets the model learn from it
 * and the detectors judge what that changed. Called by the control core and by the offline reader.
 */
#include "engine_priv.h"

#include <errno.h>
#include <stdlib.h>

/* Rings of several workers are drained in turn: so much disorder is normal. */
#define DISORDER_NS 100000000ull

/* Records between two steps of prefetching: what is asked for at one step has come by the next. */
#define STEP_AHEAD 4
#define AHEAD_MAX 32
/* Records before the first step at which they are asked for themselves: they come from another core's cache. */
#define FETCH_AHEAD 8
#define LENGTH (ICS_MODEL_PREFETCH_STEPS * STEP_AHEAD)
_Static_assert(LENGTH < AHEAD_MAX, "what is on the conveyor has a place each");

struct ics_engine *
ics_engine_new(const struct ics_config *conf, uint64_t seed)
{
	struct ics_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->conf = *conf;
	e->model = ics_model_new(&e->conf, ics_hash_mix(seed, 1));
	e->anomalies = ics_anomaly_store_new();
	e->stateful = aligned_alloc(64, sizeof(*e->stateful));
	if (e->stateful != NULL)
		memset(e->stateful, 0, sizeof(*e->stateful));
	if (e->model != NULL && e->anomalies != NULL && e->stateful != NULL &&
	    ics_fragments_init(e, ics_hash_mix(seed, 3)) == 0)
		e->detectors = ics_detectors_new(&e->conf, e->model, e->anomalies, ics_hash_mix(seed, 2));
	if (e->detectors == NULL) {
		ics_engine_free(e);
		errno = ENOMEM;
		return NULL;
	}
	e->clock = ics_model_clock(e->model);
	return e;
}

void
ics_engine_free(struct ics_engine *e)
{
	if (e == NULL)
		return;
	ics_detectors_free(e->detectors);
	ics_anomaly_store_free(e->anomalies);
	ics_table_fini(&e->fragments);
	free(e->stateful);
	ics_model_free(e->model);
	free(e);
}

void
ics_engine_configure(struct ics_engine *e, const struct ics_config *conf)
{
	e->conf = *conf;
	ics_model_configure(e->model, conf);
	ics_detectors_configure(e->detectors, conf);
	ics_engine_renew_known(e);
}

/* Takes packet time to the clock's time and moves the clock, deadlines on the way included. A jump back beyond what
 * disorder explains (another capture, a clock that was set) shifts all that follows instead.
 */
static uint64_t
advance(struct ics_engine *e, uint64_t ts_ns)
{
	struct ics_clock *c = e->clock;
	uint64_t t = ts_ns + c->offset_ns;

	if (!e->started) {
		e->started = true;
		c->now_ns = t;
	}
	if (t + DISORDER_NS < c->now_ns && !e->steady) {
		c->offset_ns += c->now_ns - t;
		t = c->now_ns;
	}
	if (t > c->now_ns) {
		if (ics_timers_are_due(&c->timers, t))
			ics_timers_run(&c->timers, t, &c->now_ns);
		c->now_ns = t;
	}
	return t;
}

/* A shape that hides messages from filters (RFC 6980, 7113). */
static bool
is_suspect(const struct ics_record *rec)
{
	if (rec->flags & ICS_REC_IP4)
		return false;
	if (rec->flags & (ICS_REC_EVASION | ICS_REC_FRAGMENT))
		return true;
	return (rec->class == ICS_CLASS_nd_ra || rec->class == ICS_CLASS_nd_redirect) &&
	       ics_reasons_has(&rec->reasons, ICS_REASON_nd_ext_header);
}

void
ics_engine_feed(struct ics_engine *e, const struct ics_record *rec, struct ics_view frame, uint64_t frame_no)
{
	/* Folded copies come up to a window later than they were: that is no disorder, and no news of the time. */
	uint64_t ts = rec->flags & ICS_REC_COPIES ? e->clock->now_ns : advance(e, rec->ts_ns);
	const struct ics_segment *seg = ics_model_count(e->model, rec);
	struct ics_change change;
	struct ics_msg msg;

	if (ics_record_is_sample(rec)) {
		ics_engine_take_sample(e, rec, frame, ts, seg, frame_no);
		return;
	}
	if (rec->flags & ICS_REC_COPIES) {
		ics_anomaly_add_copies(e->anomalies, rec->frame_hash, 1 + (uint64_t)rec->repeats, rec->ts_ns);
		ics_engine_add_stateful_copies(e, rec);
		ics_model_copies(e->model, seg, rec);
		ics_detectors_copies(e->detectors, rec, seg);
		return;
	}
	if (is_suspect(rec))
		ics_engine_look_hidden(e, rec, frame, seg, ts, frame_no);
	/* Shapes that hide something are no data. */
	if ((rec->class == ICS_CLASS_ip6_other || rec->class == ICS_CLASS_ip4_other) &&
	    !(rec->flags & (ICS_REC_UNPARSED | ICS_REC_EVASION | ICS_REC_FRAGMENT))) {
		if (!ics_msg_parse_outer(rec, frame, &msg))
			return;
		msg.ts_ns = ts;
		msg.frame_no = frame_no;
		ics_detectors_data(e->detectors, &msg, seg);
		return;
	}
	if (!ics_msg_parse(rec, frame, &msg))
		return;
	msg.ts_ns = ts;
	msg.frame_no = frame_no;
	ics_model_apply(e->model, seg, &msg, &change);
	ics_engine_note_known(e, &change);
	ics_engine_note_watch(e, &change);
	if (change.note.what != ICS_NOTE_NONE)
		ics_engine_note_history(e, &msg, &change);
	ics_engine_check_stateful(e, &msg, &change);
	ics_detectors_message(e->detectors, &msg, &change);
}

static inline void
fetch(const struct ics_engine_item *item)
{
	__builtin_prefetch(item->rec);
	if (item->frame.p == NULL)
		return;
	__builtin_prefetch(item->frame.p);
	__builtin_prefetch(item->frame.p + 64);
}

static void
look_ahead(struct ics_engine *e, unsigned step, const struct ics_engine_item *item, struct ics_ahead *ahead)
{
	ics_model_prefetch(e->model, step, item->rec, item->frame, ahead);
	if (step == 0 && ahead->segment != 0)
		ics_detectors_ahead(e->detectors, item->rec->class, ahead->segment - 1, item->frame.p);
}

/* A burst on its way: at every turn another record comes to its first step. */
struct conveyor {
	struct ics_engine *e;
	const struct ics_engine_item *items;
	struct ics_ahead ahead[AHEAD_MAX];
};

static inline void
take_step(struct conveyor *c, unsigned step, unsigned at)
{
	look_ahead(c->e, step, &c->items[at], &c->ahead[at % AHEAD_MAX]);
}

static inline void
take_off(struct conveyor *c, unsigned at)
{
	ics_model_expect(c->e->model, &c->ahead[at % AHEAD_MAX]);
	ics_engine_feed(c->e, c->items[at].rec, c->items[at].frame, c->items[at].frame_no);
}

/* Turn i of a conveyor that is not full: at its end, or because there is nothing to come. */
__attribute__((noinline)) static void
turn_partly(struct conveyor *c, unsigned i, unsigned end)
{
	unsigned at = i;

	for (unsigned step = 0; step < ICS_MODEL_PREFETCH_STEPS; step++, at -= STEP_AHEAD)
		if (at < end)
			take_step(c, step, at);
	if (at < end)
		take_off(c, at);
}

/* While one record is worked on, the memory for those behind it is on its way. */
void
ics_engine_feed_burst(struct ics_engine *e, const struct ics_engine_item *items, unsigned n)
{
	struct conveyor c;
	unsigned i;

	c.e = e;
	c.items = items;
	for (i = 0; i < FETCH_AHEAD && i < n; i++)
		fetch(&items[i]);
	for (i = 0; i < LENGTH && i < n; i++) {
		if (i + FETCH_AHEAD < n)
			fetch(&items[i + FETCH_AHEAD]);
		turn_partly(&c, i, n);
	}
	for (; i < n; i++) {
		if (i + FETCH_AHEAD < n)
			fetch(&items[i + FETCH_AHEAD]);
		for (unsigned step = 0; step < ICS_MODEL_PREFETCH_STEPS; step++)
			take_step(&c, step, i - step * STEP_AHEAD);
		take_off(&c, i - LENGTH);
	}
	for (; i < n + LENGTH; i++)
		turn_partly(&c, i, n);
}

void
ics_engine_tick(struct ics_engine *e, uint64_t ts_ns)
{
	/* Idle time says nothing about disorder: a tick never moves the clock back or shifts it. */
	if (e->started && ts_ns + e->clock->offset_ns > e->clock->now_ns)
		advance(e, ts_ns);
}

void
ics_engine_resume_begin(struct ics_engine *e, uint64_t saved_ns)
{
	e->started = true;
	e->clock->now_ns = saved_ns;
}

void
ics_engine_resume_end(struct ics_engine *e, uint64_t now_ns)
{
	if (now_ns > e->clock->now_ns)
		advance(e, now_ns);
	ics_detectors_resumed(e->detectors);
}

void
ics_engine_set_steady(struct ics_engine *e)
{
	e->steady = true;
}

struct ics_model *
ics_engine_model(struct ics_engine *e)
{
	return e->model;
}

struct ics_anomaly_store *
ics_engine_anomalies(struct ics_engine *e)
{
	ics_detectors_settle(e->detectors);
	return e->anomalies;
}

const struct ics_detector_info *
ics_engine_detector(struct ics_engine *e, unsigned i)
{
	return ics_detectors_info(e->detectors, i);
}

uint64_t
ics_engine_reason_count(const struct ics_engine *e, enum ics_reason n)
{
	return (unsigned)n < ICS_REASON_COUNT ? ics_count_get(&e->stateful->reason[n]) : 0;
}

const struct ics_counters *
ics_engine_reason_counters(const struct ics_engine *e)
{
	return e->stateful;
}

void
ics_engine_note_loss(struct ics_engine *e, const struct ics_loss *loss)
{
	ics_detectors_note_loss(e->detectors, loss);
}
