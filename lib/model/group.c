/* The tables of multicast groups and of who is in them. A membership ends when its host says so, or when it was not
 * reported for as long as routers keep it (RFC 9777 9.4); a group ends with its last member. A MAC that joins more than
 * its quota loses its own oldest memberships; where a segment or a table is full, what was reported once makes room for
 * what comes, and what was reported again stays. Called by member.c for each record.
 */
#include "group.h"

#include <errno.h>
#include <stdlib.h>

struct group_key {
	struct ics_ip addr;
	uint32_t segment;
};

struct member_key {
	uint32_t group, host;
};

_Static_assert(sizeof(struct ics_group) == 48, "a quarter of a million of them fit into 13 MB");
_Static_assert(sizeof(struct ics_member) == 32, "two of them in a cache line");

/* All is looked at in so many sweeps, and little in one of them: a minute. */
#define SWEEP_NS 250000000ull
#define SWEEPS 256
#define SWEEP_MIN 1024
/* What a querier asks for beyond that is not waited for. */
#define MALI_MAX_NS 86400000000000ull

static uint32_t
unit_of(uint64_t ns)
{
	return (uint32_t)(ns / ICS_MEMBER_UNIT_NS) & 0xfffff;
}

static uint64_t
age_ns(const struct ics_model *m, const struct ics_member *e)
{
	return (uint64_t)((unit_of(m->clock.now_ns) - (uint32_t)e->last) & 0xfffff) * ICS_MEMBER_UNIT_NS;
}

uint64_t
ics_model_member_last_ns(const struct ics_model *m, const struct ics_member *e)
{
	uint64_t age = age_ns(m, e);

	return m->clock.now_ns > age ? m->clock.now_ns - age : 0;
}

/* Hosts answer queries as they come: where they come less often than said, memberships last for as many of them. What the
 * latest querier said holds when it is gone: nobody says anything else.
 */
uint64_t
ics_model_mali_ns(const struct ics_model *m, uint32_t segment)
{
	const struct ics_queriers *all = ics_model_queriers(m, segment);
	const struct ics_querier *q;
	uint64_t mali, heard;

	if (all == NULL || all->until_ns == 0)
		return ICS_MALI_DEFAULT_NS;
	q = &all->q[all->current];
	mali = ics_querier_mali_ns(q);
	heard = (q->rv != 0 ? q->rv : ICS_QUERY_RV) * q->interval_ns + q->qri_ms * 1000000ull;
	if (heard > mali)
		mali = heard;
	return mali < MALI_MAX_NS ? mali : MALI_MAX_NS;
}

/* ---- what it comes to ---- */

static uint32_t
packets_of(const struct ics_host *h)
{
	return h->mld_version == 1 ? h->n_groups : (h->n_groups + ICS_RECORDS_PER_PACKET - 1u) / ICS_RECORDS_PER_PACKET;
}

static void
both_loads(struct ics_model *m, struct seg_entry *seg, struct ics_mcast_load *out[static 2])
{
	out[0] = &seg->s.mcast;
	out[1] = &m->mcast->domain[seg->s.key.port].load;
}

void
ics_host_set_mld_version(struct ics_model *m, struct seg_entry *seg, uint32_t host, uint8_t version)
{
	struct ics_host *h = ics_table_at(&m->hosts, host);
	uint32_t before = packets_of(h), was_v1 = h->mld_version == 1;
	struct ics_mcast_load *l[2];

	if (h->mld_version == version)
		return;
	h->mld_version = version;
	if (h->n_groups == 0)
		return;
	both_loads(m, seg, l);
	for (unsigned i = 0; i < 2; i++) {
		l[i]->packets += packets_of(h) - before;
		l[i]->v1_hosts += (version == 1) - was_v1;
	}
}

/* by: 1 or -1 membership of h in g. */
static void
count_member(struct ics_model *m, struct ics_group *g, struct ics_host *h, const struct ics_member *e, int by)
{
	uint32_t before = packets_of(h), per_port = m->conf.detect.hosts_per_port;
	int snm = e->flags & ICS_MEMBER_SNM ? by : 0, hosts, entries;
	struct ics_mcast_load *l[2];

	if (by < 0)
		g->members--;
	entries = g->members % per_port == 0 ? by : 0;
	if (by > 0)
		g->members++;
	h->n_groups = (uint16_t)(h->n_groups + by);
	h->n_snm = (uint16_t)(h->n_snm + snm);
	hosts = by > 0 ? h->n_groups == 1 : -(h->n_groups == 0);
	both_loads(m, seg_by_id(m, g->segment), l);
	for (unsigned i = 0; i < 2; i++) {
		l[i]->memberships += (uint32_t)by;
		l[i]->snm += (uint32_t)snm;
		l[i]->entries += (uint32_t)entries;
		l[i]->hosts += (uint32_t)hosts;
		l[i]->v1_hosts += h->mld_version == 1 ? (uint32_t)hosts : 0;
		l[i]->packets += packets_of(h) - before;
	}
}

static void
count_group(struct ics_model *m, const struct ics_group *g, int by)
{
	struct ics_mcast_load *l[2];

	both_loads(m, seg_by_id(m, g->segment), l);
	l[0]->groups += (uint32_t)by;
	l[1]->groups += (uint32_t)by;
}

/* ---- end ---- */

static void
remove_group(struct ics_model *m, uint32_t i)
{
	count_group(m, group_at(m, i), -1);
	ics_table_remove(&m->mcast->groups, i);
}

void
ics_member_remove(struct ics_model *m, uint32_t i)
{
	struct ics_member *e = member_at(m, i);
	struct ics_host *h = member_host(m, e);
	uint32_t group = e->group;

	if (e->older != 0)
		member_at(m, e->older)->newer = e->newer;
	else
		h->member_oldest = e->newer;
	if (e->newer != 0)
		member_at(m, e->newer)->older = e->older;
	else
		h->member_newest = e->older;
	count_member(m, group_at(m, group), h, e, -1);
	ics_table_remove(&m->mcast->members, i);
	if (group_at(m, group)->members == 0)
		remove_group(m, group);
}

void
ics_members_drop(struct ics_model *m, struct ics_host *h)
{
	while (h->member_oldest != 0) /* at most ICS_MEMBERS_PER_MAC */
		ics_member_remove(m, h->member_oldest);
}

/* RFC 2710 4: one of the members reports for all, so a version 1 member lives as long as its group is reported and its
 * host is there; it reports what only itself is in, so it is heard.
 */
static bool
is_over(const struct ics_model *m, const struct ics_member *e)
{
	const struct ics_group *g;
	uint64_t now = m->clock.now_ns, mali;

	if (age_ns(m, e) <= m->mcast->mali_min_ns)
		return false;
	g = group_at(m, e->group);
	mali = ics_model_mali_ns(m, g->segment);
	if (age_ns(m, e) <= mali)
		return false;
	return !(e->flags & ICS_MEMBER_V1) || g->v1_at == 0 ||
	       (uint64_t)(ICS_COARSE(now) - g->v1_at) * ICS_COARSE_NS > mali || member_host(m, e)->last_ns + mali < now;
}

static void
find_mali_min(struct ics_model *m)
{
	uint64_t min = ICS_MALI_DEFAULT_NS;

	for (uint32_t id = 0; id < m->segments.count; id++) {
		uint64_t mali = seg_by_id(m, id)->s.mcast.memberships != 0 ? ics_model_mali_ns(m, id) : min;

		if (mali < min)
			min = mali;
	}
	m->mcast->mali_min_ns = min;
}

static void
on_sweep(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;
	struct ics_mcast *c = m->mcast;
	uint32_t n = c->members.fresh / SWEEPS;

	if (n < SWEEP_MIN)
		n = c->members.fresh < SWEEP_MIN ? c->members.fresh : SWEEP_MIN;
	if (c->sweep_hand + n >= c->members.fresh)
		find_mali_min(m);
	for (; n != 0; n--) {
		c->sweep_hand = c->sweep_hand < c->members.fresh ? c->sweep_hand + 1 : 1;
		if (!ics_table_is_live(&c->members, c->sweep_hand) || !is_over(m, member_at(m, c->sweep_hand)))
			continue;
		ics_member_remove(m, c->sweep_hand);
		m->stats.member_expiries++;
	}
	if (c->members.count != 0)
		(void)ics_timer_set(&m->clock.timers, t, now_ns + SWEEP_NS);
}

static void
watch(struct ics_model *m)
{
	struct ics_timer *t = &m->mcast->sweep;

	if (t->pos != 0)
		return;
	t->owner = m;
	t->fire = on_sweep;
	find_mali_min(m);
	(void)ics_timer_set(&m->clock.timers, t, m->clock.now_ns + SWEEP_NS);
	ics_trend_start(m);
}

/* ---- room ---- */

/* Anywhere: what came at one time lies in one place. */
static uint32_t
place_of_probe(const struct ics_table *t, uint64_t probe)
{
	return (uint32_t)(ics_hash_mix(probe ^ t->seed, t->seed | 1) % t->fresh) + 1;
}

static uint32_t
probe(const struct ics_table *t, uint64_t *probes)
{
	return place_of_probe(t, ++*probes);
}

/* What groups that are looked at later lead to: each look, be it in vain, takes each of those to its next step. */
static void
fetch_victims(const struct ics_mcast *c, const struct ics_table *hosts)
{
	const struct ics_table *groups = &c->groups, *members = &c->members;
	uint32_t key[2] = {place_of_probe(groups, c->probes + 2), 0}, i;
	const struct ics_group *g = ics_table_at(groups, key[0]);
	const struct ics_member *e;

	key[1] = g->reporter;
	if (g->head.used != 0 && (i = ics_table_prefetch_entry(members, ics_table_hash(members, key))) != 0) {
		e = ics_table_at(members, i);
		if (e->older != 0)
			__builtin_prefetch(ics_table_at(members, e->older), 1);
		if (e->newer != 0)
			__builtin_prefetch(ics_table_at(members, e->newer), 1);
	}
	key[0] = place_of_probe(groups, c->probes + 4);
	g = ics_table_at(groups, key[0]);
	key[1] = g->reporter;
	if (g->head.used != 0 && ics_table_prefetch_entry(members, ics_table_hash(members, key)) != 0)
		__builtin_prefetch((const uint8_t *)ics_table_at(hosts, g->reporter) + 64, 1);
	key[0] = place_of_probe(groups, c->probes + 6);
	key[1] = ((const struct ics_group *)ics_table_at(groups, key[0]))->reporter;
	ics_table_prefetch_bucket(members, ics_table_hash(members, key));
	__builtin_prefetch(ics_table_at(groups, place_of_probe(groups, c->probes + 8)), 1);
}

uint32_t
ics_group_next(const struct ics_mcast *c)
{
	if (c->groups.free_head != 0)
		return c->groups.free_head;
	return c->groups.fresh < c->groups.max ? c->groups.fresh + 1 : place_of_probe(&c->groups, c->probes + 1);
}

/* One of a few groups that was reported once, of this segment or, with any, of whichever. False: none. */
static bool
evict_group(struct ics_model *m, uint32_t segment, bool any)
{
	struct ics_mcast *c = m->mcast;
	uint32_t window = c->groups.fresh < ICS_TABLE_WINDOW ? c->groups.fresh : ICS_TABLE_WINDOW;

	for (uint32_t n = 0; n < window; n++) {
		const struct ics_group *g;
		uint32_t member;

		uint32_t i = probe(&c->groups, &c->probes);

		fetch_victims(c, &m->hosts);
		g = group_at(m, i);
		if (g->head.used == 0 || g->reports != 1 || (!any && g->segment != segment))
			continue;
		/* One report: it has one member, and that is who reported it. */
		member = ics_member_get(m, i, g->reporter);
		if (member == 0)
			continue;
		ics_member_remove(m, member);
		m->stats.group_evictions++;
		return true;
	}
	return false;
}

static bool
evict_member(struct ics_model *m, uint32_t group, bool any)
{
	struct ics_mcast *c = m->mcast;
	uint32_t segment = group_at(m, group)->segment;
	uint32_t window = c->members.fresh < ICS_TABLE_WINDOW ? c->members.fresh : ICS_TABLE_WINDOW;

	for (uint32_t n = 0; n < window; n++) {
		const struct ics_member *e;

		uint32_t i = probe(&c->members, &c->probes);

		e = member_at(m, i);
		if (e->head.used == 0 || (e->flags & ICS_MEMBER_AGAIN) || e->group == group ||
		    (!any && group_at(m, e->group)->segment != segment))
			continue;
		ics_member_remove(m, i);
		m->stats.member_evictions++;
		return true;
	}
	return false;
}

static uint32_t
make_group(struct ics_model *m, struct seg_entry *seg, const struct group_key *key)
{
	struct ics_mcast *c = m->mcast;
	bool full = c->groups.count >= ICS_GROUPS_MAX;
	uint32_t i = 0;

	if (!(full || seg->s.mcast.groups >= ICS_GROUPS_PER_SEGMENT) || evict_group(m, seg->s.id, full))
		i = ics_table_insert(&c->groups, key);
	if (i == 0) {
		m->stats.group_drops++;
		return 0;
	}
	count_group(m, group_at(m, i), 1);
	return i;
}

static struct ics_member *
make_member(struct ics_model *m, struct seg_entry *seg, uint32_t group, uint32_t host)
{
	struct member_key key = {group, host};
	struct ics_mcast *c = m->mcast;
	struct ics_host *h = ics_table_at(&m->hosts, host);
	bool full = c->members.count >= ICS_MEMBERS_MAX;
	struct ics_member *e;
	uint32_t i = 0;

	if (h->n_groups >= ICS_MEMBERS_PER_MAC) {
		ics_member_remove(m, h->member_oldest);
		m->stats.member_evictions++;
		full = false;
	}
	if (!(full || seg->s.mcast.memberships >= ICS_MEMBERS_PER_SEGMENT) || evict_member(m, group, full))
		i = ics_table_insert(&c->members, &key);
	if (i == 0) {
		m->stats.member_drops++;
		return NULL;
	}
	e = member_at(m, i);
	e->flags = ics_ip6_is_solicited_node(group_at(m, group)->addr.b) ? ICS_MEMBER_SNM : 0;
	e->older = h->member_newest;
	if (h->member_newest != 0)
		member_at(m, h->member_newest)->newer = i;
	else
		h->member_oldest = i;
	h->member_newest = i;
	count_member(m, group_at(m, group), h, e, 1);
	watch(m);
	return e;
}

/* ---- look-ups ---- */

uint32_t
ics_group_get(struct ics_model *m, const struct seg_entry *seg, const uint8_t *addr)
{
	struct group_key key = {ics_ip_from6(addr), seg->s.id};

	return m->mcast->groups.count == 0 ? 0 : ics_table_find(&m->mcast->groups, &key);
}

uint32_t
ics_member_get(struct ics_model *m, uint32_t group, uint32_t host)
{
	struct member_key key = {group, host};

	return group == 0 || host == 0 ? 0 : ics_table_find(&m->mcast->members, &key);
}

bool
ics_group_is(const struct ics_model *m, uint32_t i, const struct seg_entry *seg, const uint8_t *addr)
{
	const struct ics_group *g;

	if (i == 0)
		return false;
	g = group_at(m, i);
	return g->head.used != 0 && g->segment == seg->s.id && memcmp(g->addr.b, addr, sizeof(g->addr.b)) == 0;
}

static bool
is_member(const struct ics_model *m, uint32_t i, uint32_t group, uint32_t host)
{
	const struct ics_member *e;

	if (i == 0)
		return false;
	e = member_at(m, i);
	return e->head.used != 0 && e->group == group && e->host == host;
}

struct ics_member *
ics_member_join(struct ics_model *m, struct seg_entry *seg, const uint8_t *addr, uint32_t host,
		const struct ics_msg *msg, struct ics_member_hint hint, bool *is_new)
{
	struct group_key key = {ics_ip_from6(addr), seg->s.id};
	uint32_t group = ics_group_is(m, hint.group, seg, addr) ? hint.group : ics_table_find(&m->mcast->groups, &key);
	uint32_t i = 0;
	struct ics_member *e;
	struct ics_group *g;

	*is_new = false;
	if (group != 0)
		i = is_member(m, hint.member, group, host) ? hint.member : ics_member_get(m, group, host);
	else if ((group = make_group(m, seg, &key)) == 0)
		return NULL;
	if (i != 0) {
		e = member_at(m, i);
		e->flags |= ICS_MEMBER_AGAIN;
	} else {
		e = make_member(m, seg, group, host);
		if (e == NULL) {
			if (group_at(m, group)->members == 0)
				remove_group(m, group);
			return NULL;
		}
		*is_new = true;
	}
	g = group_at(m, group);
	e->last = unit_of(msg->ts_ns);
	g->last_at = ICS_COARSE(msg->ts_ns);
	g->reporter = host;
	if (g->reports != UINT32_MAX)
		g->reports++;
	if (msg->class == ICS_CLASS_mld1_report) {
		g->v1_at = g->last_at;
		e->flags |= ICS_MEMBER_V1;
	} else {
		e->flags &= ~ICS_MEMBER_V1;
	}
	return e;
}

/* ---- whole ---- */

int
ics_mcast_init(struct ics_model *m, uint64_t seed)
{
	m->mcast = calloc(1, sizeof(*m->mcast));
	if (m->mcast == NULL)
		return -ENOMEM;
	if (ics_table_init(&m->mcast->groups, sizeof(struct ics_group), sizeof(struct group_key), ICS_GROUPS_MAX,
			   ics_hash_mix(seed, 1)) != 0)
		return -ENOMEM;
	return ics_table_init(&m->mcast->members, sizeof(struct ics_member), sizeof(struct member_key), ICS_MEMBERS_MAX,
			      ics_hash_mix(seed, 2));
}

void
ics_mcast_fini(struct ics_model *m)
{
	if (m->mcast == NULL)
		return;
	ics_table_fini(&m->mcast->groups);
	ics_table_fini(&m->mcast->members);
	free(m->mcast);
}

uint64_t
ics_model_group_count(const struct ics_model *m)
{
	return m->mcast->groups.count;
}

uint64_t
ics_model_member_count(const struct ics_model *m)
{
	return m->mcast->members.count;
}

const struct ics_group *
ics_model_group_find(struct ics_model *m, uint32_t segment, const struct ics_ip *addr)
{
	uint32_t i = is_segment(m, segment) ? ics_group_get(m, seg_by_id(m, segment), addr->b) : 0;

	return i == 0 ? NULL : group_at(m, i);
}

const struct ics_group *
ics_model_group_at(const struct ics_model *m, uint32_t index)
{
	if (index == 0 || index > m->mcast->groups.fresh || !ics_table_is_live(&m->mcast->groups, index))
		return NULL;
	return group_at(m, index);
}

uint32_t
ics_model_group_last(const struct ics_model *m)
{
	return m->mcast->groups.fresh;
}

uint64_t
ics_model_group_last_ns(const struct ics_model *m, const struct ics_group *g)
{
	uint64_t age = (uint64_t)(ICS_COARSE(m->clock.now_ns) - g->last_at) * ICS_COARSE_NS;

	return m->clock.now_ns > age ? m->clock.now_ns - age : 0;
}

uint64_t
ics_model_now_ns(const struct ics_model *m)
{
	return m->clock.now_ns;
}

const struct ics_group *
ics_model_group_next(const struct ics_model *m, uint32_t *index)
{
	uint32_t i = *index != 0 ? *index : 1;

	for (unsigned n = 0; n < ICS_GROUP_STEPS && i <= m->mcast->groups.fresh; n++, i++)
		if (ics_table_is_live(&m->mcast->groups, i)) {
			*index = i;
			return group_at(m, i);
		}
	*index = i <= m->mcast->groups.fresh ? i : 0;
	return NULL;
}

const struct ics_member *
ics_model_host_in_group(struct ics_model *m, const struct ics_host *h, const struct ics_ip *group)
{
	uint32_t g = ics_group_get(m, seg_by_id(m, h->segment), group->b);
	uint32_t i = g == 0 ? 0 : ics_member_get(m, g, ics_table_index(&m->hosts, h));

	return i == 0 ? NULL : member_at(m, i);
}

const struct ics_member *
ics_model_member_find(struct ics_model *m, uint32_t segment, const struct ics_mac *mac, const struct ics_ip *group)
{
	const struct ics_host *h = ics_model_host_find(m, segment, mac);

	return h == NULL ? NULL : ics_model_host_in_group(m, h, group);
}

const struct ics_member *
ics_model_host_member(const struct ics_model *m, const struct ics_host *h, const struct ics_member *after)
{
	uint32_t i = after == NULL ? h->member_newest : after->older;

	return i == 0 ? NULL : member_at(m, i);
}

const struct ics_group *
ics_model_member_group(const struct ics_model *m, const struct ics_member *e)
{
	return group_at(m, e->group);
}
