/* The table of what routers advertise: one entry for each thing that each router announces, with lifetimes as absolute
 * deadlines (RFC 4861 6.3.4), and how often it was missing since. Announcements are counted per router, so that a
 * missing entry costs nothing until somebody asks. A segment has a quota: what ran out goes first, then what was heard
 * once, then what was heard longest ago, so that invented prefixes push out each other. Called by apply.c for RAs.
 */
#include "warm.h"

#define NS_PER_S 1000000000ull
#define MIN_MTU 1280
/* Expired entries are looked for among that many of the oldest; the rest of a list is younger. */
#define EXPIRED_WINDOW 8
/* Deadlines as counted down by routers are exact to the second; hosts cannot tell a difference below this (B4). */
#define DEADLINE_SLACK_NS (10 * NS_PER_S)

_Static_assert(offsetof(struct ics_prefix, id) == 8 + 40, "router, value, segment, kind and plen are the key");

struct prefix_key {
	struct ics_ip router, value;
	uint32_t segment;
	uint16_t kind, plen;
};

struct adv_key {
	struct ics_ip router;
	uint32_t segment;
};

static struct ics_prefix *
prefix_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->prefixes, i);
}

static struct ics_advertiser *
adv_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->advertisers, i);
}

static struct ics_prefix_list *
list_of(struct seg_entry *seg, const struct ics_prefix *p)
{
	return &seg->prefix[p->count > 1 ? ICS_PREFIX_AGAIN : ICS_PREFIX_ONCE];
}

static void
seg_unlink(struct ics_model *m, struct ics_prefix_list *l, struct ics_prefix *p)
{
	if (p->seg_prev != 0)
		prefix_at(m, p->seg_prev)->seg_next = p->seg_next;
	else
		l->newest = p->seg_next;
	if (p->seg_next != 0)
		prefix_at(m, p->seg_next)->seg_prev = p->seg_prev;
	else
		l->oldest = p->seg_prev;
}

static void
seg_link(struct ics_model *m, struct ics_prefix_list *l, struct ics_prefix *p)
{
	p->seg_prev = 0;
	p->seg_next = l->newest;
	if (l->newest != 0)
		prefix_at(m, l->newest)->seg_prev = p->id;
	else
		l->oldest = p->id;
	l->newest = p->id;
}

static void
adv_unlink(struct ics_model *m, struct ics_advertiser *a, struct ics_prefix *p)
{
	if (p->adv_prev != 0)
		prefix_at(m, p->adv_prev)->adv_next = p->adv_next;
	else
		a->newest = p->adv_next;
	if (p->adv_next != 0)
		prefix_at(m, p->adv_next)->adv_prev = p->adv_prev;
	else
		a->oldest = p->adv_prev;
}

static void
adv_link(struct ics_model *m, struct ics_advertiser *a, struct ics_prefix *p)
{
	p->adv_prev = 0;
	p->adv_next = a->newest;
	if (a->newest != 0)
		prefix_at(m, a->newest)->adv_prev = p->id;
	else
		a->oldest = p->id;
	a->newest = p->id;
}

static void
drop_prefix(struct ics_model *m, struct ics_prefix *p)
{
	struct seg_entry *seg = seg_by_id(m, p->segment);
	struct ics_advertiser *a = adv_at(m, p->advertiser);

	seg_unlink(m, list_of(seg, p), p);
	adv_unlink(m, a, p);
	a->n_prefixes--;
	seg->prefixes--;
	ics_table_remove(&m->prefixes, p->id);
	m->stats.prefix_evictions++;
}

/* Of a segment that has some: one that ran out, else the oldest of those heard once, else the oldest. */
static struct ics_prefix *
segment_victim(struct ics_model *m, const struct seg_entry *seg)
{
	struct ics_prefix *best = NULL, *p;

	for (unsigned l = 0; l < ICS_PREFIX_LISTS; l++) {
		uint32_t i = seg->prefix[l].oldest;

		for (unsigned n = 0; i != 0 && n < EXPIRED_WINDOW; n++, i = p->seg_prev) {
			p = prefix_at(m, i);
			if (!ics_prefix_is_active(p, m->clock.now_ns) &&
			    (best == NULL || p->valid_until_ns < best->valid_until_ns))
				best = p;
		}
	}
	if (best != NULL)
		return best;
	for (unsigned l = 0; l < ICS_PREFIX_LISTS; l++)
		if (seg->prefix[l].oldest != 0)
			return prefix_at(m, seg->prefix[l].oldest);
	return NULL;
}

static struct ics_prefix *
make_prefix(struct ics_model *m, struct seg_entry *seg, struct ics_advertiser *a, uint32_t adv_index,
	    const struct prefix_key *key)
{
	struct ics_prefix *p;
	uint32_t i;

	if (seg->prefixes >= ICS_PREFIXES_PER_SEGMENT ||
	    (m->prefixes.count >= ICS_PREFIXES_MAX && seg->prefixes != 0)) {
		drop_prefix(m, segment_victim(m, seg));
	} else if (m->prefixes.count >= ICS_PREFIXES_MAX) {
		i = ics_table_oldest(&m->prefixes, NULL);
		if (i != 0)
			drop_prefix(m, prefix_at(m, i));
	}
	i = ics_table_insert(&m->prefixes, key);
	if (i == 0) {
		m->stats.prefix_drops++;
		return NULL;
	}
	p = prefix_at(m, i);
	p->id = i;
	p->advertiser = adv_index;
	p->first_ns = m->clock.now_ns;
	p->max_gap = 1;
	seg->prefixes++;
	a->n_prefixes++;
	seg_link(m, list_of(seg, p), p);
	adv_link(m, a, p);
	return p;
}

static bool
is_newcomer(const void *entry)
{
	return ((const struct ics_advertiser *)entry)->ras < 2;
}

/* Senders of a single RA go first: a flood of invented routers is made of them. */
static uint32_t
make_advertiser(struct ics_model *m, const struct adv_key *key)
{
	if (m->advertisers.count >= ICS_ADVERTISERS_MAX) {
		uint32_t i = ics_table_oldest(&m->advertisers, is_newcomer);
		struct ics_advertiser *a;

		if (i == 0)
			i = ics_table_oldest(&m->advertisers, NULL);
		if (i == 0)
			return 0;
		a = adv_at(m, i);
		while (a->oldest != 0) /* at most ICS_PREFIXES_PER_SEGMENT */
			drop_prefix(m, prefix_at(m, a->oldest));
		ics_table_remove(&m->advertisers, i);
		m->stats.advertiser_evictions++;
	}
	return ics_table_insert(&m->advertisers, key);
}

static uint64_t
deadline(uint64_t ts_ns, uint32_t lifetime_s)
{
	return lifetime_s == ICS_LIFETIME_INFINITE ? UINT64_MAX : ts_ns + lifetime_s * NS_PER_S;
}

static bool
is_same_deadline(uint64_t a, uint64_t b)
{
	uint64_t d = a > b ? a - b : b - a;

	return d <= DEADLINE_SLACK_NS;
}

/* Constant lifetimes, or ones that count down to the same moment (RFC 4861 6.2.1 allows both). */
static bool
is_steady(const struct ics_prefix *p, const struct ics_ra_item *i, uint64_t valid_until, uint64_t preferred_until)
{
	if (p->flags != i->flags)
		return false;
	return (p->valid_s == i->valid_s || is_same_deadline(p->valid_until_ns, valid_until)) &&
	       (p->preferred_s == i->preferred_s || is_same_deadline(p->preferred_until_ns, preferred_until));
}

static void
refresh(struct ics_model *m, struct seg_entry *seg, struct ics_advertiser *a, struct ics_prefix *p,
	const struct ics_ra_item *i, const struct ics_msg *msg, bool counts, bool new_any)
{
	uint64_t valid_until = deadline(msg->ts_ns, i->valid_s), preferred_until = deadline(msg->ts_ns, i->preferred_s);
	uint32_t gap;

	seg_unlink(m, list_of(seg, p), p);
	adv_unlink(m, a, p);
	if (p->count == 0)
		p->steady = 1;
	else if (!is_steady(p, i, valid_until, preferred_until))
		p->steady = 1;
	else if (new_any && p->steady < UINT16_MAX)
		p->steady++;
	p->count += 1 + msg->rec->repeats;
	if (p->count == 0)
		p->count = UINT32_MAX;
	if (counts && (p->rounds == 0 || p->round_seen != a->round)) {
		gap = a->round - p->round_seen;
		if (p->rounds != 0 && gap > p->max_gap)
			p->max_gap = gap < UINT8_MAX ? (uint8_t)gap : UINT8_MAX;
		p->rounds++;
		p->round_seen = a->round;
	}
	p->flags = i->flags;
	p->prev_valid_s = p->valid_s;
	p->prev_preferred_s = p->preferred_s;
	p->valid_s = i->valid_s;
	p->preferred_s = i->preferred_s;
	p->valid_until_ns = valid_until;
	p->preferred_until_ns = preferred_until;
	p->last_ns = msg->ts_ns;
	memcpy(p->text, i->text, sizeof(p->text));
	seg_link(m, list_of(seg, p), p);
	adv_link(m, a, p);
}

static void
note_param(struct ics_advertiser *a, enum ics_ra_param n, uint32_t value, bool specified, bool new_any)
{
	if (!specified)
		return;
	if (a->steady[n] == 0 || a->value[n] != value)
		a->steady[n] = 1;
	else if (new_any && a->steady[n] < UINT16_MAX)
		a->steady[n]++;
	a->value[n] = value;
}

/* Zero is "unspecified" for all but the flags (RFC 4861 4.2). */
static void
note_params(struct ics_advertiser *a, const struct ics_msg_ra *ra, uint32_t link_mtu, bool new_any)
{
	note_param(a, ICS_RA_HOP_LIMIT, ra->cur_hop_limit, ra->cur_hop_limit != 0, new_any);
	note_param(a, ICS_RA_MANAGED, (ra->flags & ICS_RA_FLAG_MANAGED) != 0, true, new_any);
	note_param(a, ICS_RA_OTHER, (ra->flags & ICS_RA_FLAG_OTHER) != 0, true, new_any);
	note_param(a, ICS_RA_REACHABLE, ra->reachable_ms, ra->reachable_ms != 0, new_any);
	note_param(a, ICS_RA_RETRANS, ra->retrans_ms, ra->retrans_ms != 0, new_any);
	/* Hosts ignore an MTU that is too small for IPv6 or too large for the link (6.3.4). */
	note_param(a, ICS_RA_MTU, ra->mtu, ra->mtu >= MIN_MTU && ra->mtu <= link_mtu, new_any);
}

static void
learn_item(struct ics_model *m, struct seg_entry *seg, struct ics_advertiser *a, uint32_t adv_index,
	   struct ics_ra_item *i, const struct ics_msg *msg, bool counts, bool new_any)
{
	struct prefix_key key = {msg->src, i->value, seg->s.id, (uint16_t)i->kind, i->plen};
	struct ics_prefix *p;
	uint32_t index = ics_table_find(&m->prefixes, &key);

	if (index != 0) {
		p = prefix_at(m, index);
		i->known = true;
		i->before = *p;
	} else {
		/* Withdrawing what nobody has changes nothing (RFC 4861 6.3.4). */
		p = i->valid_s == 0 ? NULL : make_prefix(m, seg, a, adv_index, &key);
		if (p == NULL)
			return;
	}
	refresh(m, seg, a, p, i, msg, counts, new_any);
	i->kept = true;
	i->after = *p;
}

/* A message that no conforming receiver acts on: what it says beside what is known. */
static void
compare_only(struct ics_model *m, const struct seg_entry *seg, const struct ics_msg *msg, struct ics_ra_view *v)
{
	struct adv_key adv = {msg->src, seg->s.id};
	uint32_t index = ics_table_find(&m->advertisers, &adv);

	v->known = index != 0;
	v->new_round = false;
	if (index == 0)
		return;
	v->before = v->after = *adv_at(m, index);
	for (unsigned n = 0; n < v->n; n++) {
		struct ics_ra_item *i = &v->item[n];
		struct prefix_key key = {msg->src, i->value, seg->s.id, (uint16_t)i->kind, i->plen};

		index = ics_table_find(&m->prefixes, &key);
		i->known = index != 0;
		if (index != 0)
			i->before = *prefix_at(m, index);
	}
}

const struct ics_ra_view *
ics_prefix_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, bool counts)
{
	struct ics_ra_view *v = &m->ra;
	struct adv_key key = {msg->src, seg->s.id};
	struct ics_advertiser *a;
	uint32_t index;
	bool new_any;

	m->stats.prefix_drops += ics_ra_items(msg, m->prefix_seed, v);
	if (!msg->strict) {
		compare_only(m, seg, msg, v);
		return v;
	}
	index = ics_table_find(&m->advertisers, &key);
	v->known = index != 0;
	v->new_round = false;
	if (index == 0) {
		index = make_advertiser(m, &key);
		if (index == 0)
			return v;
		a = adv_at(m, index);
		a->first_ns = msg->ts_ns;
	} else {
		a = adv_at(m, index);
		v->before = *a;
	}
	/* One that was cut may hold what is not seen, and one to a single host says nothing to the others. */
	counts = counts && !msg->cut && ics_ip6_is_multicast(msg->dst.b);
	if (counts && (a->round == 0 || msg->ts_ns >= a->round_ns + ICS_RA_SPLIT_NS)) {
		a->round++;
		a->round_ns = msg->ts_ns;
		v->new_round = true;
	}
	new_any = a->ras == 0 || msg->ts_ns >= a->any_ns + ICS_RA_SPLIT_NS;
	if (new_any)
		a->any_ns = msg->ts_ns;
	if (a->ras < UINT32_MAX)
		a->ras++;
	note_params(a, &msg->ra, m->conf.detect.link_mtu, new_any);
	for (unsigned n = 0; n < v->n; n++)
		learn_item(m, seg, a, index, &v->item[n], msg, counts, new_any);
	v->after = *a;
	return v;
}

bool
ics_advertiser_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_advertiser *w)
{
	struct adv_key key = {w->router, seg->s.id};
	uint32_t i = ics_table_find(&m->advertisers, &key) != 0 ? 0 : ics_table_insert(&m->advertisers, &key);
	struct ics_advertiser *a;

	if (i == 0)
		return false;
	a = adv_at(m, i);
	a->round = w->round;
	a->first_ns = w->first_ns;
	a->round_ns = w->round_ns;
	a->any_ns = w->any_ns;
	a->ras = w->ras;
	memcpy(a->value, w->value, sizeof(a->value));
	memcpy(a->steady, w->steady, sizeof(a->steady));
	return true;
}

bool
ics_prefix_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_prefix *w)
{
	struct prefix_key key = {w->router, w->value, seg->s.id, w->kind, (uint8_t)w->plen};
	struct adv_key adv = {w->router, seg->s.id};
	uint32_t a = ics_table_find(&m->advertisers, &adv);
	struct ics_prefix *p;

	if (a == 0 || seg->prefixes >= ICS_PREFIXES_PER_SEGMENT || m->prefixes.count >= ICS_PREFIXES_MAX ||
	    ics_table_find(&m->prefixes, &key) != 0)
		return false;
	p = make_prefix(m, seg, adv_at(m, a), a, &key);
	if (p == NULL)
		return false;
	/* The list that it is in depends on its count. */
	seg_unlink(m, list_of(seg, p), p);
	p->count = w->count;
	seg_link(m, list_of(seg, p), p);
	p->flags = w->flags;
	p->max_gap = w->max_gap;
	p->steady = w->steady;
	p->valid_s = w->valid_s;
	p->preferred_s = w->preferred_s;
	p->prev_valid_s = w->prev_valid_s;
	p->prev_preferred_s = w->prev_preferred_s;
	p->rounds = w->rounds;
	p->round_seen = w->round_seen;
	p->first_ns = w->first_ns;
	p->last_ns = w->last_ns;
	p->valid_until_ns = w->valid_until_ns;
	p->preferred_until_ns = w->preferred_until_ns;
	memcpy(p->text, w->text, sizeof(p->text));
	return true;
}
