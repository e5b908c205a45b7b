/* The table of frames that repeat: four-way, indexed by the hash that the fast half keys per run. A new frame takes the
 * place of one that is old; else of the one unused for longest that is not repeating, so that a flood of frames that come
 * once does not hide one that comes a thousand times. Repetition is what happens at one place, a segment: the same frame on
 * thirty VLANs of a router, or at two ports of the tap, came once. Called for every message and every record of copies.
 */
#include "ics_pages.h"
#include "model_priv.h"

#include <errno.h>

#define WAYS 4
#define SETS (ICS_FRAMES_MAX / WAYS)
/* A frame that pauses for longer begins anew: copies are told every 100 ms, and somewhat late. */
#define PAUSE_NS 250000000ull
#define TWIN_NS 2000000ull

/* New frames that will be looked at again, for what became of them: one that has no copies by then has none, as a loop
 * with 20 copies a second or more would have shown; when its window in the repeat cache is over, all copies are told.
 */
#define SAMPLES 4096
#define SAMPLE_NS 1000000ull /* one in so long: in a flood a few tell as much as all */
#define CLEAN_NS 300000000ull
#define FEED_NS 1300000000ull
#define SAMPLES_A_TURN 4

#define REPEATER_NS 1500000000ull
/* So many messages at a place are not yet a repetition. */
#define FEW 4
#define SPEAKERS 8
#define SPEAKER_NS 10000000000ull

#define FEED_WINDOW_NS 60000000000ull
#define FEED_SAMPLE 10
#define FEED_LEARN_PERCENT 90
#define FEED_CLEAR_PERCENT 50
#define FEED_MACS 2

/* Half a cache line. */
struct set {
	uint32_t tag[WAYS];  /* the lowest bit: it came more often than once or twice */
	uint32_t used[WAYS]; /* ICS_COARSE(), 0: free */
};

struct window {
	uint32_t times[ICS_FEED_BUCKETS], gap[ICS_FEED_GAPS];
	uint32_t at_one[ICS_FEED_BUCKETS]; /* as times, at one place */
};

/* What frames say about a segment. */
struct census {
	struct ics_repeater repeater[ICS_REPEATERS];
	struct {
		struct ics_mac mac;
		uint64_t last_ns;
	} speaker[SPEAKERS];
	struct window window[2]; /* this minute's, and the one before */
	uint64_t window_ns;
	uint64_t macs; /* bits by hash: who sent what the windows hold */
	uint16_t ports;
	uint8_t k;
	uint64_t k_since_ns;
	uint8_t k_at_one; /* at one place */
};

struct sample {
	uint64_t hash, first_ns;
	uint32_t segment;
};

struct ics_frames {
	_Alignas(64) struct set set[SETS];
	_Alignas(64) struct ics_frame_count entry[SETS][WAYS];
	struct census census[ICS_SEGMENTS_MAX];
	struct sample sample[SAMPLES];
	uint64_t next_sample_ns;
	uint64_t newest, clean, feed; /* samples taken; of them looked at for copies; for the feed */
	struct ics_frames_stats stats;
};

_Static_assert(sizeof(struct ics_frame_count) == 160, "three cache lines each, 65,536 of them in 11 MB");

int
ics_frames_init(struct ics_model *m)
{
	m->frames = ics_pages_reserve(sizeof(*m->frames));
	return m->frames == NULL ? -ENOMEM : 0;
}

void
ics_frames_fini(struct ics_model *m)
{
	ics_pages_free(m->frames, sizeof(*m->frames));
}

/* ---- the table ---- */

static unsigned
set_of(uint64_t hash)
{
	return (unsigned)(hash >> 40) % SETS;
}

#define REPEATS 1u
static uint32_t
tag_of(uint64_t hash)
{
	return (uint32_t)hash & ~REPEATS;
}

/* A place that is free may look like it. */
static bool
is_tag(const struct set *s, unsigned way, uint64_t hash)
{
	return (s->tag[way] & ~REPEATS) == tag_of(hash);
}

static unsigned
victim_of(const struct set *s, uint64_t now_ns)
{
	uint32_t now = ICS_COARSE(now_ns), best_age = 0;
	unsigned best = 0;

	for (unsigned w = 0; w < WAYS; w++) {
		uint32_t age = s->used[w] == 0 ? UINT32_MAX : now - s->used[w];

		if (age <= ICS_FRAME_AGE_NS / ICS_COARSE_NS && (s->tag[w] & REPEATS))
			age = 0;
		if (age >= best_age) {
			best_age = age;
			best = w;
		}
	}
	return best;
}

void
ics_frames_prefetch(const struct ics_model *m, unsigned step, uint64_t hash)
{
	const struct set *s = &m->frames->set[set_of(hash)];

	const char *e;
	unsigned way;

	if (step == 0) {
		__builtin_prefetch(s, 1);
		return;
	}
	for (way = 0; way < WAYS && !is_tag(s, way, hash); way++)
		;
	if (way == WAYS)
		way = victim_of(s, m->clock.now_ns);
	e = (const char *)&m->frames->entry[set_of(hash)][way];
	__builtin_prefetch(e, 1);
	__builtin_prefetch(e + 64, 1);
	__builtin_prefetch(e + 128, 1);
}

static struct ics_frame_count *
find(struct ics_frames *f, uint64_t hash)
{
	struct set *s = &f->set[set_of(hash)];

	for (unsigned w = 0; w < WAYS; w++)
		if (is_tag(s, w, hash) && f->entry[set_of(hash)][w].hash == hash)
			return &f->entry[set_of(hash)][w];
	return NULL;
}

const struct ics_frame_count *
ics_model_frame(const struct ics_model *m, uint64_t hash)
{
	return hash == 0 ? NULL : find(m->frames, hash);
}

/* By then all small pages are in use, as frames lie anywhere. */
#define MANY 8192
static void
count_kept(struct ics_frames *f)
{
	if (++f->stats.kept == MANY)
		ics_pages_prefer_large(f, sizeof(f->set) + sizeof(f->entry));
}

static struct ics_frame_count *
take_place(struct ics_frames *f, uint64_t hash, uint64_t now_ns)
{
	struct set *s = &f->set[set_of(hash)];
	uint32_t now = ICS_COARSE(now_ns);
	unsigned best = victim_of(s, now_ns);
	struct ics_frame_count *e;

	if (s->used[best] != 0 && now - s->used[best] <= ICS_FRAME_AGE_NS / ICS_COARSE_NS)
		f->stats.evictions++;
	if (s->used[best] == 0)
		count_kept(f);
	s->tag[best] = tag_of(hash);
	e = &f->entry[set_of(hash)][best];
	memset(e, 0, sizeof(*e));
	e->hash = hash;
	return e;
}

static void
use(struct ics_frames *f, const struct ics_frame_count *e)
{
	struct set *s = &f->set[set_of(e->hash)];
	unsigned way = (unsigned)(e - f->entry[set_of(e->hash)]);

	s->used[way] = ICS_COARSE(e->last_ns);
	if (e->heard > 2)
		s->tag[way] |= REPEATS;
}

/* A slot is complete: copies that double from slot to slot are multiplied on their way. */
static void
complete(struct ics_frame_count *e, bool last)
{
	uint32_t n = e->n[e->slot % ICS_FRAME_SLOTS], before = e->n[(e->slot - 1) % ICS_FRAME_SLOTS];

	if (before >= 2 && n >= 2 * before)
		e->doublings += e->doublings < UINT8_MAX;
	else
		e->doublings = 0;
	if (!last)
		e->doublings = 0;
}

static void
add(struct ics_frame_count *e, uint32_t n, uint64_t ts_ns)
{
	uint64_t slot = ts_ns / ICS_FRAME_SLOT_NS;

	if (slot > e->slot) {
		uint64_t steps = slot - e->slot;

		complete(e, steps == 1);
		for (uint64_t i = 0; i < steps && i < ICS_FRAME_SLOTS; i++) {
			uint32_t *old = &e->n[(slot - i) % ICS_FRAME_SLOTS];

			e->in_second -= *old;
			*old = 0;
		}
		e->slot = slot;
	}
	if (ts_ns > e->last_ns + PAUSE_NS)
		e->run_ns = ts_ns;
	if (ts_ns > e->last_ns)
		e->last_ns = ts_ns;
	e->n[e->slot % ICS_FRAME_SLOTS] += n;
	e->in_second += n;
	e->total += n;
}

static void
note_gap(struct ics_frame_count *e, uint64_t gap_ns)
{
	if (gap_ns < e->min_gap_ns)
		e->min_gap_ns = (uint32_t)gap_ns;
}

/* The place with the fewest messages, where few can be given up for another. */
static unsigned
place_to_give_up(const struct ics_frame_count *e)
{
	unsigned least = ICS_FRAME_PLACES;

	for (unsigned i = 0; i < ICS_FRAME_PLACES; i++)
		if (i != e->home && e->at[i] < FEW && (least == ICS_FRAME_PLACES || e->at[i] < e->at[least]))
			least = i;
	return least;
}

/* n messages came in there; returns how many more that are than at any place before. */
static uint32_t
note_place(struct ics_frame_count *e, uint32_t segment, uint8_t port, uint32_t n)
{
	unsigned i;

	e->ports |= (uint16_t)(1u << (port & 15));
	for (i = 0; i < e->n_segments && e->segment[i] != segment; i++)
		;
	if (i == e->n_segments) {
		if (e->n_segments < ICS_FRAME_PLACES)
			e->n_segments++;
		else
			i = place_to_give_up(e);
		if (i == ICS_FRAME_PLACES)
			return 0;
		e->segment[i] = segment;
		e->at[i] = 0;
	}
	e->at[i] += n;
	if (e->at[e->home] < FEW && e->at[i] > 2 * e->at[e->home])
		e->home = (uint8_t)i;
	return e->at[i] > e->total ? (uint32_t)(e->at[i] - e->total) : 0;
}

/* n more of it. */
static void
take_in(struct ics_frame_count *e, uint32_t segment, uint8_t port, uint32_t n, uint64_t ts_ns)
{
	e->heard += n;
	e->added = note_place(e, segment, port, n);
	add(e, e->added, ts_ns);
}

/* ---- the segment ---- */

static bool
is_report(uint8_t class)
{
	return class == ICS_CLASS_mld1_report || class == ICS_CLASS_mld1_done || class == ICS_CLASS_mld2_report;
}

/* Its place in the list: its own, a free one or that of whoever is silent for longest. */
static void
note_repeater(struct census *c, const struct ics_frame_count *e, uint32_t per_s)
{
	struct ics_repeater *r = &c->repeater[0];

	for (unsigned i = 0; i < ICS_REPEATERS; i++) {
		if (c->repeater[i].last_ns != 0 && ics_mac_equal(&c->repeater[i].mac, &e->smac)) {
			r = &c->repeater[i];
			break;
		}
		if (c->repeater[i].last_ns < r->last_ns)
			r = &c->repeater[i];
	}
	if (!ics_mac_equal(&r->mac, &e->smac) || e->last_ns > r->last_ns + REPEATER_NS) {
		if (r->last_ns + REPEATER_NS >= e->last_ns)
			return; /* the list is full of those that repeat right now */
		*r = (struct ics_repeater){.mac = e->smac, .since_ns = e->run_ns};
	}
	r->other_kind |= !is_report(e->class);
	if (r->hash != e->hash && per_s < r->per_s && e->last_ns < r->last_ns + REPEATER_NS)
		return;
	r->hash = e->hash;
	r->class = e->class;
	r->per_s = per_s;
	r->span_ms = (uint32_t)((e->last_ns - e->run_ns) / 1000000);
	if (e->last_ns > r->last_ns)
		r->last_ns = e->last_ns;
}

static void
note_speaker(struct census *c, const struct ics_mac *mac, uint64_t ts_ns)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < SPEAKERS; i++) {
		if (ics_mac_equal(&c->speaker[i].mac, mac)) {
			c->speaker[i].last_ns = ts_ns;
			return;
		}
		if (c->speaker[i].last_ns < c->speaker[oldest].last_ns)
			oldest = i;
	}
	c->speaker[oldest].mac = *mac;
	c->speaker[oldest].last_ns = ts_ns;
}

unsigned
ics_model_speakers(const struct ics_model *m, uint32_t segment)
{
	const struct census *c = &m->frames->census[segment];
	unsigned n = 0;

	for (unsigned i = 0; i < SPEAKERS; i++)
		n += c->speaker[i].last_ns != 0 && c->speaker[i].last_ns + SPEAKER_NS >= m->clock.now_ns;
	return n;
}

unsigned
ics_model_repeaters(const struct ics_model *m, uint32_t segment, const struct ics_repeater *out[static ICS_REPEATERS])
{
	const struct census *c = &m->frames->census[segment];
	unsigned n = 0;

	for (unsigned i = 0; i < ICS_REPEATERS; i++)
		if (c->repeater[i].last_ns != 0 && c->repeater[i].last_ns + REPEATER_NS >= m->clock.now_ns)
			out[n++] = &c->repeater[i];
	return n;
}

/* ---- what became of new frames ---- */

static unsigned
factor(const struct census *c)
{
	return c->k_at_one > 1 ? c->k_at_one : 1;
}

/* It came once although others were repeating: their copies are their own. */
static void
look_for_copies(struct ics_frames *f, const struct sample *s)
{
	struct census *c = &f->census[s->segment];
	const struct ics_frame_count *e = find(f, s->hash);

	if (e == NULL || e->first_ns != s->first_ns || !e->multicast || e->total > factor(c))
		return;
	for (unsigned i = 0; i < ICS_REPEATERS; i++) {
		struct ics_repeater *r = &c->repeater[i];

		if (r->last_ns + REPEATER_NS >= s->first_ns && r->since_ns < s->first_ns && r->last_ns != 0)
			r->clean++;
	}
}

/* How often frames come, by those of two windows and what was found before. */
static unsigned
feed_of(const uint32_t *now, const uint32_t *before, unsigned k_before, uint64_t macs)
{
	uint32_t times[ICS_FEED_BUCKETS], all = 0;

	for (unsigned i = 0; i < ICS_FEED_BUCKETS; i++)
		all += times[i] = now[i] + before[i];
	if (all < FEED_SAMPLE)
		return k_before;
	if (k_before > 1 && (uint64_t)times[k_before] * 100 >= (uint64_t)all * FEED_CLEAR_PERCENT)
		return k_before;
	for (unsigned k = 2; k <= ICS_FEED_MAX; k++)
		if ((uint64_t)times[k] * 100 >= (uint64_t)all * FEED_LEARN_PERCENT &&
		    __builtin_popcountll(macs) >= FEED_MACS)
			return k;
	return 1;
}

static void
judge_feed(struct census *c, uint64_t now_ns)
{
	unsigned k = feed_of(c->window[0].times, c->window[1].times, c->k, c->macs);

	if (k != c->k && (k > 1 || c->k > 1))
		c->k_since_ns = now_ns;
	c->k = (uint8_t)k;
	c->k_at_one = (uint8_t)feed_of(c->window[0].at_one, c->window[1].at_one, c->k_at_one, c->macs);
}

static void
count_feed(struct ics_frames *f, const struct sample *s)
{
	struct census *c = &f->census[s->segment];
	const struct ics_frame_count *e = find(f, s->hash);
	uint64_t when = s->first_ns + FEED_NS;
	unsigned n;

	if (e == NULL || e->first_ns != s->first_ns || e->last_ns - e->first_ns > TWIN_NS)
		return;
	if (when >= c->window_ns + FEED_WINDOW_NS) {
		c->window[1] = c->window[0];
		if (when >= c->window_ns + 2 * FEED_WINDOW_NS)
			c->window[1] = (struct window){0};
		c->window[0] = (struct window){0};
		c->window_ns = when;
		c->macs = 0;
		c->ports = 0;
	}
	n = e->total < ICS_FEED_BUCKETS ? (unsigned)e->total : ICS_FEED_BUCKETS - 1;
	c->window[0].at_one[n]++;
	n = e->heard < ICS_FEED_BUCKETS ? (unsigned)e->heard : ICS_FEED_BUCKETS - 1;
	c->window[0].times[n]++;
	if (n > 1)
		c->window[0].gap[e->min_gap_ns < 100000    ? 0
				 : e->min_gap_ns < 500000  ? 1
				 : e->min_gap_ns < 1000000 ? 2
							   : 3]++;
	c->macs |= 1ull << ics_hash(e->smac.b, sizeof(e->smac.b), 0) % 64;
	c->ports |= e->ports;
	judge_feed(c, when);
}

static bool
is_due(const struct ics_frames *f, uint64_t now_ns)
{
	return (f->clean < f->newest && now_ns >= f->sample[f->clean % SAMPLES].first_ns + CLEAN_NS) ||
	       (f->feed < f->clean && now_ns >= f->sample[f->feed % SAMPLES].first_ns + FEED_NS);
}

static void
look_back(struct ics_frames *f, uint64_t now_ns)
{
	for (unsigned i = 0; i < SAMPLES_A_TURN && f->clean < f->newest; i++) {
		const struct sample *s = &f->sample[f->clean % SAMPLES];

		if (now_ns < s->first_ns + CLEAN_NS)
			break;
		look_for_copies(f, s);
		f->clean++;
	}
	for (unsigned i = 0; i < SAMPLES_A_TURN && f->feed < f->clean; i++) {
		const struct sample *s = &f->sample[f->feed % SAMPLES];

		if (now_ns < s->first_ns + FEED_NS)
			break;
		count_feed(f, s);
		f->feed++;
	}
}

/* ---- what comes in ---- */

/* It repeats where it came again and again. */
static void
judge(struct ics_frames *f, struct ics_frame_count *e)
{
	use(f, e);
	if (e->in_second < ICS_REPEATER_MIN)
		return;
	for (unsigned i = 0; i < e->n_segments; i++) {
		struct census *c = &f->census[e->segment[i]];
		uint32_t per_s = ics_frame_per_s(e, factor(c));

		if (e->at[i] >= ICS_REPEATER_MIN && per_s >= ICS_REPEATER_MIN)
			note_repeater(c, e, per_s);
	}
}

const struct ics_frame_count *
ics_frames_heard(struct ics_model *m, const struct ics_segment *seg, const struct ics_msg *msg)
{
	struct ics_frames *f = m->frames;
	const struct ics_record *rec = msg->rec;
	bool multicast = msg->has_mac && (msg->dmac.b[0] & 1);
	struct ics_frame_count *e;

	if (is_due(f, m->clock.now_ns))
		look_back(f, m->clock.now_ns);
	if (rec->frame_hash == 0 || !msg->has_mac ||
	    (!multicast && !is_report(rec->class) && rec->class != ICS_CLASS_mld_query))
		return NULL;
	e = find(f, rec->frame_hash);
	if (e == NULL || msg->ts_ns > e->last_ns + ICS_FRAME_AGE_NS) {
		if (e == NULL) {
			e = take_place(f, rec->frame_hash, msg->ts_ns);
		} else {
			memset(e, 0, sizeof(*e));
			e->hash = rec->frame_hash;
		}
		e->first_ns = e->run_ns = e->last_ns = msg->ts_ns;
		e->slot = msg->ts_ns / ICS_FRAME_SLOT_NS;
		e->min_gap_ns = UINT32_MAX;
		e->smac = msg->smac;
		e->class = rec->class;
		e->multicast = multicast;
		if (msg->ts_ns >= f->next_sample_ns && f->newest - f->feed < SAMPLES) {
			f->next_sample_ns = msg->ts_ns + SAMPLE_NS;
			f->sample[f->newest++ % SAMPLES] = (struct sample){e->hash, e->first_ns, seg->id};
		}
		note_speaker(&f->census[seg->id], &msg->smac, msg->ts_ns);
	} else {
		/* The shortest gap of several copies is at most their mean, which is all that is known of them here. */
		uint64_t gap = msg->ts_ns > e->last_ns ? msg->ts_ns - e->last_ns : 0;

		note_gap(e, gap / (1 + (uint64_t)rec->repeats));
		if (gap <= TWIN_NS && !(e->ports >> (rec->port & 15) & 1))
			e->twin_port = true;
	}
	take_in(e, seg->id, rec->port, 1 + rec->repeats, msg->ts_ns);
	judge(f, e);
	return e;
}

void
ics_frames_copies(struct ics_model *m, const struct ics_segment *seg, const struct ics_record *rec)
{
	struct ics_frame_count *e = rec->frame_hash != 0 ? find(m->frames, rec->frame_hash) : NULL;
	uint64_t ts = rec->ts_ns + m->clock.offset_ns;

	look_back(m->frames, m->clock.now_ns);
	if (e == NULL) {
		m->frames->stats.unknown += 1 + (uint64_t)rec->repeats;
		return;
	}
	note_gap(e, rec->min_gap_ns);
	take_in(e, seg->id, rec->port, 1 + rec->repeats, ts);
	judge(m->frames, e);
}

unsigned
ics_model_feed_factor(const struct ics_model *m, uint32_t segment)
{
	return factor(&m->frames->census[segment]);
}

static unsigned
times_of(const struct census *c)
{
	return c->k > 1 ? c->k : 1;
}

unsigned
ics_model_feed_times(const struct ics_model *m, uint32_t segment)
{
	return times_of(&m->frames->census[segment]);
}

void
ics_model_feed(const struct ics_model *m, uint32_t segment, struct ics_feed *out)
{
	const struct census *c = &m->frames->census[segment];

	*out = (struct ics_feed){.k = times_of(c), .since_ns = c->k_since_ns, .ports = c->ports};
	for (unsigned i = 0; i < ICS_FEED_BUCKETS; i++)
		out->frames += out->times[i] = c->window[0].times[i] + c->window[1].times[i];
	for (unsigned i = 0; i < ICS_FEED_GAPS; i++)
		out->gap[i] = c->window[0].gap[i] + c->window[1].gap[i];
}

void
ics_model_frames_stats(const struct ics_model *m, struct ics_frames_stats *out)
{
	*out = m->frames->stats;
}
