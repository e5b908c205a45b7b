/* Paths and the routers that tell their MTU: learned from strict Packet Too Big (RFC 8201 4) and Fragmentation Needed (RFC
 * 1191 3) messages that can be true; a value is lowered, never raised, and forgotten ten minutes after its last message.
 * Rows that come faster than route changes bring them are kept in a ring of their own, so that forged messages push
 * out each other. Called by apply.c; detectors, reports and telemetry read.
 */
#include "path.h"

/* New rows in a second that a route change onto a smaller link may bring: beyond, it is a flood until proven. */
#define FLOOD_ROWS 200
/* A repetition at once is the rest of a window in flight; later, somebody is there and sends. */
#define PROOF_NS 3000000000ull
/* A far prefix that a reporter told nothing about for so long is no longer behind it. */
#define FAR_AGE_NS 3600000000000ull

/* Messages that contradict themselves: the voice for them is pmtu_bogus. */
static const enum ics_reason untrue[] = {
	ICS_REASON_ptb_mtu_zero,
	ICS_REASON_ptb_mtu_below_1280,
	ICS_REASON_ptb_mtu_ge_quoted,
	ICS_REASON_ptb_mtu_huge,
	ICS_REASON_ptb_to_multicast,
	ICS_REASON_icmp4_fragneeded_mtu_below_68,
	ICS_REASON_icmp4_fragneeded_mtu_below_576,
	ICS_REASON_icmp4_fragneeded_mtu_ge_quoted,
	ICS_REASON_icmp4_fragneeded_df_clear,
};

static bool
is_untrue(const struct ics_reasons *reasons)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(untrue); i++)
		if (ics_reasons_has(reasons, untrue[i]))
			return true;
	return false;
}

/* 0: nothing to learn. */
static uint32_t
told_mtu(const struct ics_model *m, const struct ics_msg *msg, bool *estimate)
{
	const struct ics_quote *q = &msg->error.quote;

	*estimate = false;
	if (!msg->strict || !(q->flags & ICS_QUOTE_IP) || is_untrue(&msg->rec->reasons))
		return 0;
	if (msg->error.mtu != 0)
		return msg->error.mtu;
	*estimate = true;
	return ics_guess_plateau(q->ip_len, q->ip_hdr_len, m->conf.detect.link_mtu);
}

static bool
may_go_reporter(const void *entry)
{
	const struct ics_reporter *r = entry;

	return !r->firm || r->rows == 0;
}

static struct ics_reporter *
reporter_make(struct ics_model *m, uint32_t context, const struct ics_ip *addr, uint64_t ts_ns)
{
	struct reporter_key key = {*addr, context};
	struct ics_table *t = &m->paths.reporters;
	struct ics_reporter *r;
	uint32_t i;

	if (t->count >= ICS_REPORTERS_MAX) {
		i = ics_table_oldest(t, may_go_reporter);
		if (i == 0)
			return NULL;
		ics_table_remove(t, i);
		m->stats.reporter_evictions++;
	}
	i = ics_table_insert(t, &key);
	if (i == 0)
		return NULL;
	r = ics_table_at(t, i);
	r->first_ns = ts_ns;
	return r;
}

/* Prefixes that were not heard of for long go; beyond the few there is room for, what counts is that there are many. */
static void
note_far(struct ics_reporter *r, const struct ics_ip *far, uint32_t mtu, uint64_t ts_ns)
{
	struct ics_ip prefix = ics_path_prefix(far);
	struct ics_reporter_far *f = NULL;

	for (unsigned i = 0; i < r->n_far; i++) {
		if (ics_ip_equal(&r->far[i].prefix, &prefix)) {
			f = &r->far[i];
			break;
		}
		if (f == NULL && ts_ns >= r->far[i].last_ns + FAR_AGE_NS)
			f = &r->far[i];
	}
	if (f == NULL && r->n_far == ICS_REPORTER_FAR_MAX)
		return;
	if (f == NULL)
		f = &r->far[r->n_far++];
	if (!ics_ip_equal(&f->prefix, &prefix) || mtu != f->mtu || ts_ns >= f->last_ns + FAR_AGE_NS) {
		/* Within ten minutes the lower of two stands, as in hosts. */
		bool stays = ics_ip_equal(&f->prefix, &prefix) && mtu > f->mtu && ts_ns < f->last_ns + ICS_PATH_AGE_NS;

		if (!stays)
			*f = (struct ics_reporter_far){.prefix = prefix, .mtu = mtu, .first_ns = ts_ns};
		else
			return;
	}
	f->last_ns = ts_ns;
}

static void
note_reporter(struct ics_reporter *r, const struct ics_segment *s, const struct ics_msg *msg, uint32_t mtu,
	      bool in_flood)
{
	const struct ics_quote *q = &msg->error.quote;

	if (r->mtu == 0 || mtu <= r->mtu || msg->ts_ns >= r->last_ns + ICS_PATH_AGE_NS) {
		r->mtu = mtu;
		r->quoted_len = q->ip_len;
	}
	r->segment = s->id;
	r->last_ns = msg->ts_ns;
	r->messages += 1 + (uint64_t)msg->rec->repeats;
	r->encap = msg->rec->encap & 0x1f;
	r->is_ip4 = (msg->rec->flags & ICS_REC_IP4) != 0;
	if (msg->has_mac)
		r->mac = msg->smac;
	if (q->n_labels != 0) {
		r->n_labels = q->n_labels;
		memcpy(r->labels, q->labels, sizeof(r->labels));
	}
	if (in_flood)
		return;
	r->firm = true;
	note_far(r, &q->far, mtu, msg->ts_ns);
}

static bool
is_flooding(struct ics_paths *ps, uint64_t ts_ns)
{
	uint64_t second = ts_ns / 1000000000;

	if (second != ps->second) {
		ps->second = second;
		ps->in_second = 0;
	}
	return ++ps->in_second > FLOOD_ROWS;
}

/* The next place of the ring; the row that has it goes, unless it proved true since. */
static void
push_flooded(struct ics_model *m, uint32_t row)
{
	struct ics_paths *ps = &m->paths;
	uint32_t *slot = &ps->ring[ps->ring_at++ % ICS_PATHS_FLOOD_MAX];

	if (*slot != 0 && *slot != row && ics_table_is_live(&ps->rows, *slot) &&
	    (path_at(m, *slot)->flags & ICS_PATH_FLOODED)) {
		ics_path_remove(m, *slot);
		m->stats.path_evictions++;
	}
	*slot = row;
	ps->flooded++;
}

static void
clear_flooded(struct ics_model *m, struct ics_path *p)
{
	if (p->flags & ICS_PATH_FLOODED)
		m->paths.flooded--;
	p->flags &= ~ICS_PATH_FLOODED;
}

static bool
may_go_row(const void *entry)
{
	const struct ics_path *p = entry;

	return p->repeats == 0 && !(p->flags & (ICS_PATH_CONFIRMED | ICS_PATH_HOLE));
}

/* NULL: over a cap. */
static struct ics_path *
row_make(struct ics_model *m, const struct path_key *key, const struct ics_reporter *r, bool in_flood)
{
	struct ics_paths *ps = &m->paths;
	uint32_t i = 0;

	if (r == NULL || r->rows >= ICS_PATHS_PER_REPORTER) {
		m->stats.path_drops++;
		return NULL;
	}
	if (ps->rows.count >= ICS_PATHS_MAX) {
		i = in_flood ? 0 : ics_table_oldest(&ps->rows, may_go_row);
		if (i == 0) {
			m->stats.path_drops++;
			return NULL;
		}
		ics_path_remove(m, i);
		m->stats.path_evictions++;
	}
	i = ics_table_insert(&ps->rows, key);
	if (i == 0)
		return NULL;
	if (in_flood) {
		path_at(m, i)->flags |= ICS_PATH_FLOODED;
		push_flooded(m, i);
	}
	ics_paths_watch(m);
	return path_at(m, i);
}

static uint32_t
saturating_add(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

static void
refresh(const struct ics_model *m, struct ics_path *p, const struct ics_msg *msg)
{
	const struct ics_quote *q = &msg->error.quote;
	uint32_t len = q->ip_len < UINT16_MAX ? q->ip_len : UINT16_MAX;

	p->last_at = ICS_COARSE(m->clock.now_ns);
	p->reporter = msg->src;
	if (msg->has_mac)
		p->mac = msg->smac;
	if (len > p->quoted_len)
		p->quoted_len = (uint16_t)len;
	p->proto = q->proto;
	p->sport = q->sport;
	p->dport = q->dport;
	p->encap |= msg->rec->encap & 0x1f;
	if (q->n_labels != 0)
		p->n_labels = q->n_labels;
}

static void
set_mtu(const struct ics_model *m, struct ics_path *p, uint32_t mtu, bool estimate, const struct ics_msg *msg)
{
	p->mtu = mtu;
	p->first_at = ICS_COARSE(m->clock.now_ns);
	p->repeats = msg->rec->repeats;
	p->quoted_len = 0;
	p->n_labels = 0;
	p->flags = (uint8_t)((p->flags & ~ICS_PATH_ESTIMATE) | (estimate ? ICS_PATH_ESTIMATE : 0));
}

static uint64_t
row_hash(const struct ics_paths *ps, const struct ics_path *p)
{
	return ics_table_hash(&ps->rows, &p->host);
}

/* Copies of messages that taught something, or said so again. */
void
ics_path_copies(struct ics_model *m, const struct ics_record *rec)
{
	struct ics_paths *ps = &m->paths;
	unsigned slot = rec->frame_hash % ICS_PATH_COPIES;
	uint32_t i = ps->copy[slot].row;

	if (i == 0 || ps->copy[slot].frame_hash != rec->frame_hash || !ics_table_is_live(&ps->rows, i) ||
	    row_hash(ps, path_at(m, i)) != ps->copy[slot].row_hash)
		return;
	path_at(m, i)->repeats = saturating_add(path_at(m, i)->repeats, 1 + rec->repeats);
}

static void
note_copies(struct ics_paths *ps, const struct ics_path *p, const struct ics_record *rec)
{
	unsigned slot = rec->frame_hash % ICS_PATH_COPIES;

	ps->copy[slot].frame_hash = rec->frame_hash;
	ps->copy[slot].row_hash = row_hash(ps, p);
	ps->copy[slot].row = ics_table_index(&ps->rows, p);
}

void
ics_path_heard(struct ics_model *m, const struct ics_segment *s, const struct ics_msg *msg, struct ics_path_change *out)
{
	const struct ics_quote *q = &msg->error.quote;
	struct path_key key = {.host = msg->dst, .context = ics_path_context(&s->key)};
	bool estimate, in_flood = false;
	struct ics_reporter *r;
	struct ics_path *p;
	uint32_t mtu, i;

	mtu = told_mtu(m, msg, &estimate);
	if (mtu == 0)
		return;
	out->told_mtu = mtu;
	key.far = q->far;
	key.class = ics_path_class_of(q->proto);
	i = ics_path_row(m, &key);
	p = i != 0 ? path_at(m, i) : NULL;
	out->before_last_ns = p != NULL ? ics_path_last_ns(m, p) : 0;
	out->before_sport = p != NULL ? p->sport : 0;
	out->before_dport = p != NULL ? p->dport : 0;
	if (p == NULL)
		in_flood = is_flooding(&m->paths, msg->ts_ns);
	r = ics_reporter_get(m, key.context, &msg->src);
	/* One that only a flood speaks of is not remembered; who tells of a changed route comes before the flood. */
	if (r == NULL && !in_flood)
		r = reporter_make(m, key.context, &msg->src, msg->ts_ns);
	out->reporter = r;
	if (p == NULL) {
		p = row_make(m, &key, r, in_flood);
		if (p == NULL) {
			out->what = ICS_PATH_REFUSED;
			return;
		}
		r->rows++;
		set_mtu(m, p, mtu, estimate, msg);
		out->what = ICS_PATH_NEW;
	} else if (mtu < p->mtu || ((p->flags & ICS_PATH_ESTIMATE) && !estimate && mtu != p->mtu)) {
		out->what = ICS_PATH_LOWERED;
		out->before_mtu = p->mtu;
		set_mtu(m, p, mtu, estimate, msg);
	} else if (mtu == p->mtu) {
		out->what = ICS_PATH_REPEATED;
		p->repeats = saturating_add(p->repeats, 1 + msg->rec->repeats);
		if (!estimate)
			p->flags &= ~ICS_PATH_ESTIMATE;
		if (age_of(m, p->first_at) >= PROOF_NS / ICS_COARSE_NS)
			clear_flooded(m, p);
	} else {
		out->what = ICS_PATH_HIGHER;
		out->path = p;
		return;
	}
	/* The reporter that rows are counted with is the one that told last. */
	if (i != 0 && !ics_ip_equal(&p->reporter, &msg->src)) {
		struct ics_reporter *before = ics_reporter_get(m, p->context, &p->reporter);

		if (before != NULL && before->rows != 0)
			before->rows--;
		if (r != NULL)
			r->rows++;
	}
	refresh(m, p, msg);
	note_copies(&m->paths, p, msg->rec);
	out->path = p;
	if (r != NULL)
		note_reporter(r, s, msg, mtu, (p->flags & ICS_PATH_FLOODED) != 0);
}

void
ics_path_confirm(struct ics_model *m, const struct ics_path *p)
{
	struct ics_path *row = path_at(m, ics_table_index(&m->paths.rows, p));

	row->flags |= ICS_PATH_CONFIRMED;
	clear_flooded(m, row);
}

void
ics_path_mark(struct ics_model *m, const struct ics_path *p, enum ics_path_mark what)
{
	struct ics_path *row = path_at(m, ics_table_index(&m->paths.rows, p));

	if (what == ICS_PATH_UNMARK_HOLE) {
		row->flags &= ~ICS_PATH_HOLE;
		return;
	}
	row->flags |= ICS_PATH_HOLE;
	clear_flooded(m, row);
}
