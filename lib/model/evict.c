/* Who gives way when a table is full. Never what an open anomaly is about; routers last; what was heard once, as floods
 * leave it, first. A segment that has its share of a table (a quarter) takes room from nobody but itself, and one that
 * has less takes it from those that have more: a flooded segment cannot evict the others. As long as there is room, one
 * segment may have all of it. Called by host.c and router.c, and by the detectors' episodes.
 */
#include "model_priv.h"

#define SHARE 4
#define HOLDS_MAX 65536
/* A MAC that acted as a router for so long is one; floods invent them faster. */
#define ROLE_NS 60000000000ull

/* Open anomalies about one thing: a router or an address, or a MAC behind ten zeros. */
struct hold {
	struct ics_table_head head;
	struct ics_ip key;
	uint32_t segment;
	uint32_t n;
	uint32_t spare;
};

struct hold_key {
	struct ics_ip key;
	uint32_t segment;
};

int
ics_holds_init(struct ics_model *m, uint64_t seed)
{
	return ics_table_init(&m->holds, sizeof(struct hold), sizeof(struct hold_key), HOLDS_MAX, seed);
}

static bool
is_mac(const struct ics_ip *key)
{
	static const uint8_t zero[10];

	return memcmp(key->b, zero, sizeof(zero)) == 0;
}

/* All that goes by this name. */
static void
mark(struct ics_model *m, const struct hold_key *k, bool held)
{
	struct ics_router *r = (struct ics_router *)ics_model_router_find(m, k->segment, &k->key);
	struct ics_binding *b = (struct ics_binding *)ics_model_binding_find(m, k->segment, &k->key);
	struct ics_host *h = NULL;
	struct ics_mac mac;

	if (is_mac(&k->key)) {
		memcpy(mac.b, k->key.b + 10, sizeof(mac.b));
		h = (struct ics_host *)ics_model_host_find(m, k->segment, &mac);
	}
	if (r != NULL)
		r->held = held;
	if (b != NULL)
		b->held = held;
	if (h != NULL)
		h->held = held;
}

void
ics_model_hold(struct ics_model *m, uint32_t segment, const struct ics_ip *key)
{
	struct hold_key k = {*key, segment};
	uint32_t i = ics_table_find(&m->holds, &k);
	struct hold *h;

	if (!is_segment(m, segment))
		return;
	if (i == 0)
		i = ics_table_insert(&m->holds, &k);
	if (i == 0)
		return;
	h = ics_table_at(&m->holds, i);
	if (h->n++ == 0)
		mark(m, &k, true);
}

void
ics_model_release(struct ics_model *m, uint32_t segment, const struct ics_ip *key)
{
	struct hold_key k = {*key, segment};
	uint32_t i = ics_table_find(&m->holds, &k);

	if (i == 0 || --((struct hold *)ics_table_at(&m->holds, i))->n != 0)
		return;
	ics_table_remove(&m->holds, i);
	mark(m, &k, false);
}

/* ---- ranks: the lowest goes first, below 0 never ---- */

enum { HEARD_ONCE, ORDINARY, ROLE, RANKS };

struct asking {
	const struct ics_model *m;
	uint32_t segment; /* that needs room */
	uint32_t share;   /* entries */
	bool own_only;
	uint32_t (*population)(const struct ics_segment *seg);
};

static uint32_t
hosts_of(const struct ics_segment *seg)
{
	return seg->hosts;
}

static uint32_t
bindings_of(const struct ics_segment *seg)
{
	return seg->bindings;
}

static int
rank_in_segment(const struct asking *a, uint32_t segment, int rank)
{
	if (segment == a->segment)
		return rank;
	if (a->own_only)
		return -1;
	return a->population(&seg_by_id(a->m, segment)->s) > a->share ? rank : rank + RANKS;
}

static int
rank_host(const void *entry, void *asking)
{
	const struct ics_host *h = entry;
	int rank = h->first_ns == h->last_ns ? HEARD_ONCE : ORDINARY;

	if (h->held)
		return -1;
	if ((h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT)) && h->last_ns >= h->first_ns + ROLE_NS)
		rank = ROLE;
	return rank_in_segment(asking, h->segment, rank);
}

static int
rank_binding(const void *entry, void *asking)
{
	const struct ics_binding *b = entry;
	int rank = b->first_ns == b->last_ns ? HEARD_ONCE : ORDINARY;

	if (b->held)
		return -1;
	if ((b->flags & ICS_BINDING_ROUTER) && b->last_ns >= b->first_ns + ROLE_NS)
		rank = ROLE;
	return rank_in_segment(asking, b->segment, rank);
}

/* In a full table newcomers are on probation: the one that came so many others ago and was not heard again goes before
 * anybody else. So a flood, from however many MACs, lives in as many places and no more.
 */
static uint32_t
failed_probation(const struct probation *p, const struct ics_table *t, ics_table_rank_fn rank, struct asking *a)
{
	uint32_t i = p->index[p->next % PROBATION];

	return i != 0 && ics_table_is_live(t, i) && rank(ics_table_at(t, i), a) == HEARD_ONCE ? i : 0;
}

void
ics_evict_newcomer(struct probation *p, const struct ics_table *t, uint32_t index)
{
	if (index != 0 && t->count >= t->max)
		p->index[p->next++ % PROBATION] = index;
}

static uint32_t
victim(struct ics_model *m, struct ics_table *t, const struct probation *p, const struct seg_entry *seg,
       uint32_t (*population)(const struct ics_segment *seg), ics_table_rank_fn rank)
{
	uint32_t i;
	struct asking a = {.m = m, .segment = seg->s.id, .share = t->max / SHARE, .population = population};

	a.own_only = population(&seg->s) >= a.share;
	i = failed_probation(p, t, rank, &a);
	return i != 0 ? i : ics_table_victim(t, rank, &a);
}

uint32_t
ics_evict_host(struct ics_model *m, const struct seg_entry *seg)
{
	return victim(m, &m->hosts, &m->new_hosts, seg, hosts_of, rank_host);
}

uint32_t
ics_evict_binding(struct ics_model *m, const struct seg_entry *seg)
{
	return victim(m, &m->bindings, &m->new_bindings, seg, bindings_of, rank_binding);
}

bool
ics_router_is_querier(const struct ics_model *m, const struct ics_router *r)
{
	const struct ics_queriers *q = ics_model_queriers(m, r->segment);
	const struct ics_querier *current = q != NULL ? ics_queriers_current(q, m->clock.now_ns) : NULL;

	return current != NULL && ics_ip_equal(&current->addr, &r->addr);
}
