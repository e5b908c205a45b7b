/* Neighbor solicitations that wait for an answer (RFC 4861 7.2.2): which target, who asked, for three seconds, the
 * time in which a host gives up. From it: how many entries of the asker's neighbor cache are incomplete at this moment,
 * how many different targets it asked for and how many answered in ten seconds, and what share of the answers of live
 * hosts the tap sees at all. Multicast solicitations only; probes of known neighbors are no resolution.
 */
#include "model_priv.h"

#define WINDOW_NS 10000000000ull
/* Solicitations in one window before their sender is followed; most hosts never send so many. */
#define FOLLOW 16
/* RFC 4861 7.3.3: a neighbor heard within this time is taken for live. */
#define LIVE_NS 60000000000ull
#define VISIBILITY_NS 600000000000ull

struct solicit_key {
	struct ics_ip target;
	uint32_t segment;
};

struct asker_key {
	uint32_t segment;
	struct ics_mac mac;
};

_Static_assert(sizeof(struct ics_solicit) == 64, "a quarter of a million of them fit into 17 MB");

static struct ics_solicit *
solicit_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->solicits, i);
}

static struct ics_asker *
asker_of(const struct ics_model *m, const struct ics_solicit *s)
{
	struct ics_asker *a;

	if (s->asker == 0)
		return NULL;
	a = ics_table_at(&m->askers, s->asker);
	return a->head.used != 0 && a->generation == s->generation ? a : NULL;
}

static struct ics_segment *
segment_of(const struct ics_model *m, const struct ics_solicit *s)
{
	return &seg_by_id(m, s->segment)->s;
}

static void
note_visibility(struct ics_segment *seg, bool answered, uint64_t now_ns)
{
	if (now_ns >= seg->seen.start_ns + VISIBILITY_NS) {
		seg->seen.last_asked = seg->seen.asked;
		seg->seen.last_answered = seg->seen.answered;
		seg->seen.asked = seg->seen.answered = 0;
		seg->seen.start_ns = now_ns;
	}
	seg->seen.asked++;
	seg->seen.answered += answered;
}

int
ics_segment_visibility(const struct ics_segment *seg, uint32_t *sample)
{
	uint32_t asked = seg->seen.asked + seg->seen.last_asked;

	*sample = asked;
	if (asked < ICS_VISIBILITY_SAMPLE)
		return -1;
	return (int)(100ull * (seg->seen.answered + seg->seen.last_answered) / asked);
}

/* The next ones to end, three seconds after they were last touched: their entry first, a turn later where its key leads. */
static void
fetch_next(const struct ics_model *m)
{
	const struct ics_solicit *s = solicit_at(m, m->solicit_oldest);

	ics_table_prefetch_bucket(&m->solicits, ics_table_hash(&m->solicits, &s->target));
	if (s->newer != 0)
		__builtin_prefetch(solicit_at(m, s->newer));
}

static void
on_timer(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;

	while (m->solicit_oldest != 0 && now_ns >= solicit_at(m, m->solicit_oldest)->start_ns + ICS_SOLICIT_NS) {
		uint32_t i = m->solicit_oldest;
		struct ics_solicit *s = solicit_at(m, i);

		if (!s->answered) {
			struct ics_asker *a = asker_of(m, s);
			const struct ics_binding *b = ics_model_binding_find(m, s->segment, &s->target);

			if (a != NULL)
				a->pending--;
			if (b != NULL && !(b->flags & ICS_BINDING_TENTATIVE) && s->start_ns < b->last_ns + LIVE_NS &&
			    b->first_ns < s->start_ns)
				note_visibility(segment_of(m, s), false, now_ns);
		}
		m->solicit_oldest = s->newer;
		if (m->solicit_oldest == 0)
			m->solicit_newest = 0;
		ics_table_remove(&m->solicits, i);
	}
	if (m->solicit_oldest != 0) {
		fetch_next(m);
		(void)ics_timer_set(&m->clock.timers, t, solicit_at(m, m->solicit_oldest)->start_ns + ICS_SOLICIT_NS);
	}
}

/* A window of its own for each asker, from its first solicitation on. */
static void
roll(struct ics_asker *a, uint64_t ts_ns)
{
	if (ts_ns < a->window_ns + WINDOW_NS)
		return;
	a->window_ns = ts_ns;
	a->asked = 0;
	ics_hll_init(&a->targets, a->targets.seed);
	ics_hll_init(&a->answered, a->answered.seed);
}

static struct ics_asker *
follow(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg)
{
	struct asker_key key = {seg->s.id, msg->smac};
	uint32_t i = m->askers.count == 0 ? 0 : ics_table_find(&m->askers, &key);
	struct ics_asker *a;

	if (i == 0) {
		uint64_t slot = ics_hash(&key, 10, m->askers.seed) % ICS_ARRAY_LEN(m->asker_filter);

		if (msg->ts_ns >= m->asker_filter_ns + WINDOW_NS) {
			memset(m->asker_filter, 0, sizeof(m->asker_filter));
			m->asker_filter_ns = msg->ts_ns;
		}
		if (++m->asker_filter[slot] < FOLLOW)
			return NULL;
		m->asker_filter[slot] = 0;
		if (m->askers.count >= ICS_ASKERS_MAX)
			ics_table_remove(&m->askers, ics_table_oldest(&m->askers, NULL));
		i = ics_table_insert(&m->askers, &key);
		if (i == 0)
			return NULL;
		a = ics_table_at(&m->askers, i);
		a->generation = ++m->asker_generation;
		a->window_ns = msg->ts_ns;
		ics_hll_init(&a->targets, ics_hash_mix(m->askers.seed, 1));
		ics_hll_init(&a->answered, ics_hash_mix(m->askers.seed, 2));
	}
	return ics_table_at(&m->askers, i);
}

static void
note_target(struct ics_asker *a, const struct ics_msg *msg)
{
	const struct ics_ip *t = &msg->na.target;
	uint64_t now = __builtin_bswap64(ics_load_u64(t->b + 8)), last = __builtin_bswap64(ics_load_u64(a->last.b + 8));

	roll(a, msg->ts_ns);
	a->asked += 1 + msg->rec->repeats;
	a->last_ns = msg->ts_ns;
	a->addr = msg->src;
	ics_hll_add(&a->targets, t->b, sizeof(t->b));
	if (memcmp(t->b, a->last.b, 8) == 0 && now == last + 1)
		a->in_row++;
	else if (!ics_ip_equal(t, &a->last))
		a->in_row = 0;
	if (a->in_row > a->most_in_row)
		a->most_in_row = a->in_row;
	a->last = *t;
}

void
ics_solicit_asked(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	struct solicit_key key = {msg->na.target, seg->s.id};
	struct ics_solicit *s;
	struct ics_asker *a;
	uint32_t i, sample;
	int visibility;

	if (!msg->has_mac || !ics_ip6_is_multicast(msg->dst.b))
		return;
	/* Where the tap does not see the answers, a target that is known counts as answered (sys_visibility). */
	visibility = ics_segment_visibility(&seg->s, &sample);
	if (visibility >= 0 && visibility < ICS_VISIBILITY_LOW && sample % 8 != 0 &&
	    ics_model_binding_find(m, key.segment, &key.target) != NULL)
		return;
	a = follow(m, seg, msg);
	if (a != NULL) {
		note_target(a, msg);
		out->asker = a;
	}
	i = m->solicits.count == 0 ? 0 : ics_table_find_near(&m->solicits, &key, m->expected_solicit);
	if (i != 0) {
		s = solicit_at(m, i);
		/* Several ask for it: it stays with the first that is followed. */
		if (a != NULL && s->asker == 0 && !s->answered) {
			s->asker = ics_table_index(&m->askers, a);
			s->generation = a->generation;
			a->pending++;
		}
		return;
	}
	i = ics_table_insert(&m->solicits, &key);
	if (i == 0) {
		m->stats.solicitation_drops++;
		return;
	}
	s = solicit_at(m, i);
	s->start_ns = msg->ts_ns;
	if (a != NULL) {
		s->asker = ics_table_index(&m->askers, a);
		s->generation = a->generation;
		a->pending++;
	}
	if (m->solicit_newest != 0)
		solicit_at(m, m->solicit_newest)->newer = i;
	else
		m->solicit_oldest = i;
	m->solicit_newest = i;
	if (m->solicit_timer.pos == 0) {
		m->solicit_timer.owner = m;
		m->solicit_timer.fire = on_timer;
		(void)ics_timer_set(&m->clock.timers, &m->solicit_timer, s->start_ns + ICS_SOLICIT_NS);
	}
}

void
ics_solicit_answered(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg,
		     const struct ics_binding *before)
{
	struct solicit_key key = {msg->na.target, seg->s.id};
	uint32_t i = m->solicits.count == 0 ? 0 : ics_table_find_near(&m->solicits, &key, m->expected_solicit);
	struct ics_solicit *s;
	struct ics_asker *a;

	if (i == 0)
		return;
	s = solicit_at(m, i);
	if (s->answered)
		return;
	s->answered = true;
	a = asker_of(m, s);
	if (a != NULL) {
		a->pending--;
		ics_hll_add(&a->answered, key.target.b, sizeof(key.target.b));
	}
	if (before != NULL && !(before->flags & ICS_BINDING_TENTATIVE) && msg->ts_ns < before->last_ns + LIVE_NS &&
	    before->first_ns < s->start_ns)
		note_visibility(&seg->s, true, msg->ts_ns);
}
