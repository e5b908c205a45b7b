/* Which MACs are there and which addresses they hold, learned from strict ND messages. A MAC that claims more than
 * its quota of addresses loses its own oldest ones, never those of others; full tables let the least recently
 * used of a few go.
 */
#include "warm.h"

struct host_key {
	uint32_t segment;
	struct ics_mac mac;
};

struct binding_key {
	struct ics_ip addr;
	uint32_t segment;
};

/* A host's bindings are in order of when they were heard, to this much. */
#define ORDER_NS 3600000000000ull

_Static_assert(sizeof(struct ics_host) == 128 && offsetof(struct ics_host, last_data_ns) == 64,
	       "two cache lines, of which NS and NA need the first");
_Static_assert(sizeof(struct ics_binding) == 64, "a cache line");

static struct ics_host *
host_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->hosts, i);
}

static struct ics_binding *
binding_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->bindings, i);
}

static void
unlink_binding(struct ics_model *m, struct ics_binding *b)
{
	struct ics_binding_more *more;
	struct ics_host *h;

	if (b->host == 0)
		return;
	h = host_at(m, b->host);
	more = binding_more(m, b);
	if (more->older != 0)
		binding_more_at(m, more->older)->newer = more->newer;
	else
		h->oldest = more->newer;
	if (more->newer != 0)
		binding_more_at(m, more->newer)->older = more->older;
	else
		h->newest = more->older;
	h->n_bindings--;
	h->n_iid[b->iid]--;
	h->n_proven -= b->proven;
	b->host = more->older = more->newer = 0;
}

static uint32_t
new_binding(struct ics_model *m, const struct binding_key *key)
{
	uint32_t i = ics_table_insert(&m->bindings, key);

	if (i != 0)
		*binding_more_at(m, i) = (struct ics_binding_more){0};
	return i;
}

static void
remove_binding(struct ics_model *m, uint32_t i)
{
	struct ics_binding *b = binding_at(m, i);

	unlink_binding(m, b);
	seg_by_id(m, b->segment)->s.bindings--;
	m->latest_binding = 0;
	ics_table_remove(&m->bindings, i);
}

static void
drop_binding(struct ics_model *m, uint32_t i)
{
	remove_binding(m, i);
	m->stats.binding_evictions++;
}

static bool
is_stale(const struct ics_model *m, const struct ics_binding *b)
{
	return b->last_ns + ICS_HOLD_NS < m->clock.now_ns;
}

void
ics_bindings_sweep(struct ics_model *m, uint32_t n)
{
	for (; n != 0 && m->bindings.fresh != 0; n--) {
		m->sweep_hand = m->sweep_hand < m->bindings.fresh ? m->sweep_hand + 1 : 1;
		if (!ics_table_is_live(&m->bindings, m->sweep_hand) || !is_stale(m, binding_at(m, m->sweep_hand)) ||
		    binding_at(m, m->sweep_hand)->held)
			continue;
		remove_binding(m, m->sweep_hand);
		m->stats.binding_expiries++;
	}
}

/* What an open anomaly is about stays, unless a MAC had so many of these that it pays for its own. */
#define HELD_LOOKS 16
static uint32_t
oldest_free(const struct ics_model *m, const struct ics_host *h)
{
	uint32_t i = h->oldest;

	for (unsigned n = 0; n < HELD_LOOKS && i != 0; n++, i = binding_more_at(m, i)->newer)
		if (!binding_at(m, i)->held)
			return i;
	return h->oldest;
}

static void
link_binding(struct ics_model *m, uint32_t i, uint32_t host)
{
	struct ics_binding *b = binding_at(m, i);
	struct ics_host *h;

	if (host == 0)
		return;
	h = host_at(m, host);
	/* One comes, at most two go: in the long run none stays longer than it is held. */
	for (unsigned n = 0; n < 2 && h->oldest != 0 && is_stale(m, binding_at(m, h->oldest)); n++)
		unlink_binding(m, binding_at(m, h->oldest));
	if (h->n_bindings >= ICS_BINDINGS_PER_MAC)
		drop_binding(m, oldest_free(m, h));
	b->host = host;
	binding_more_at(m, i)->older = h->newest;
	binding_more_at(m, i)->newer = 0;
	if (h->newest != 0)
		binding_more_at(m, h->newest)->newer = i;
	else
		h->oldest = i;
	h->newest = i;
	h->n_bindings++;
	h->n_iid[b->iid]++;
	h->n_proven += b->proven;
}

/* Its addresses stay known; they are claimed anew when their owner speaks again. */
static void
drop_host(struct ics_model *m, uint32_t i)
{
	struct ics_host *h = host_at(m, i);
	struct seg_entry *seg = seg_by_id(m, h->segment);

	while (h->oldest != 0) /* at most ICS_BINDINGS_PER_MAC */
		unlink_binding(m, binding_at(m, h->oldest));
	ics_members_drop(m, h);
	seg->s.hosts--;
	if (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT))
		seg->s.router_hosts--;
	ics_table_remove(&m->hosts, i);
	m->stats.host_evictions++;
}

static bool
make_room_for_host(struct ics_model *m, const struct seg_entry *seg)
{
	uint32_t i = m->hosts.count < ICS_HOSTS_MAX ? 0 : ics_evict_host(m, seg);

	if (i != 0)
		drop_host(m, i);
	m->stats.host_drops += m->hosts.count >= ICS_HOSTS_MAX;
	return m->hosts.count < ICS_HOSTS_MAX;
}

static bool
make_room_for_binding(struct ics_model *m, const struct seg_entry *seg)
{
	uint32_t i = m->bindings.count < ICS_BINDINGS_MAX ? 0 : ics_evict_binding(m, seg);

	if (i != 0)
		drop_binding(m, i);
	m->stats.binding_drops += m->bindings.count >= ICS_BINDINGS_MAX;
	return m->bindings.count < ICS_BINDINGS_MAX;
}

#define CHURN_NS 3600000000000ull

/* A station that changes its MAC for privacy is a new one to everybody. */
static void
note_made_up(struct ics_segment *seg, uint64_t ts_ns)
{
	if (ts_ns >= seg->mac_churn.start_ns + CHURN_NS) {
		seg->mac_churn.before = ts_ns < seg->mac_churn.start_ns + 2 * CHURN_NS ? seg->mac_churn.n : 0;
		seg->mac_churn.n = 0;
		seg->mac_churn.start_ns = ts_ns;
	}
	seg->mac_churn.n++;
}

uint32_t
ics_segment_mac_churn(const struct ics_segment *seg, uint64_t now_ns)
{
	uint64_t age = now_ns - seg->mac_churn.start_ns;

	return age < CHURN_NS ? seg->mac_churn.n + seg->mac_churn.before : age < 2 * CHURN_NS ? seg->mac_churn.n : 0;
}

uint32_t
ics_host_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, uint32_t hint)
{
	struct host_key key = {seg->s.id, msg->smac};
	struct ics_host *h;
	uint32_t i;

	if (!msg->has_mac)
		return 0;
	/* hint: the host that claimed the address of this message before, which saves the look-up. */
	i = ics_table_find_near(&m->hosts, &key, hint != 0 ? hint : m->expected_host);
	if (i == 0) {
		i = make_room_for_host(m, seg) ? ics_table_insert(&m->hosts, &key) : 0;
		ics_evict_newcomer(&m->new_hosts, &m->hosts, i);
		if (i == 0)
			return 0;
		host_at(m, i)->first_ns = msg->ts_ns;
		host_at(m, i)->flags = (ics_model_is_proxy(m, &msg->smac) ? ICS_HOST_PROXY : 0) |
				       (ics_model_is_shared_mac(m, &msg->smac) ? ICS_HOST_FHRP : 0);
		host_at(m, i)->routes_base = seg->s.routes_created;
		m->change->new_host = true;
		if ((msg->smac.b[0] & 2) != 0 && !ics_model_is_shared_mac(m, &msg->smac))
			note_made_up(&seg->s, msg->ts_ns);
		seg->s.hosts++;
	}
	h = host_at(m, i);
	h->last_ns = msg->ts_ns;
	if (msg->class == ICS_CLASS_nd_rs)
		h->last_rs_ns = msg->ts_ns;
	else if (msg->class == ICS_CLASS_nd_ns && ics_ip6_is_unspecified(msg->src.b))
		h->last_dad_ns = msg->ts_ns;
	m->change->host = h;
	return i;
}

void
ics_host_booted(struct ics_model *m, struct seg_entry *seg, uint32_t host, uint64_t ts_ns)
{
	struct ics_host *h;

	if (host == 0)
		return;
	h = host_at(m, host);
	h->boot_ns = ts_ns;
	h->routes_base = seg->s.routes_created;
	h->routes_extra = 0;
}

const struct ics_host *
ics_host_get(const struct ics_model *m, uint32_t host)
{
	return host == 0 ? NULL : host_at(m, host);
}

void
ics_host_rerouted(struct ics_model *m, uint32_t host, uint32_t n)
{
	if (host != 0)
		host_at(m, host)->routes_extra += n;
}

const struct ics_host *
ics_model_host_next(const struct ics_model *m, uint32_t *index)
{
	for (; *index <= m->hosts.fresh; ++*index)
		if (ics_table_is_live(&m->hosts, *index))
			return host_at(m, *index);
	return NULL;
}

void
ics_host_flag(struct ics_model *m, struct seg_entry *seg, uint32_t host, uint16_t flag)
{
	struct ics_host *h;

	if (host == 0)
		return;
	h = host_at(m, host);
	if (!(h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT)))
		seg->s.router_hosts++;
	h->flags |= flag;
}

/* h sent what is said to come from mac. Shared MACs stand in for the router's own (RFC 9568 7.3). */
static void
note_other(struct ics_model *m, struct ics_host *h, const struct ics_mac *mac)
{
	static const struct ics_mac none;

	if ((h->flags & ICS_HOST_HYPERVISOR) || ics_mac_equal(&h->other, mac) || ics_model_is_shared_mac(m, mac) ||
	    ics_model_is_shared_mac(m, &h->mac))
		return;
	h->flags |= ics_mac_equal(&h->other, &none) ? ICS_HOST_PROXY : ICS_HOST_HYPERVISOR;
	if (ics_mac_equal(&h->other, &none))
		h->other = *mac;
}

/* Several in turn ask for the address of one message: the one that was expected or found last is looked at first. */
static uint32_t
find_binding(struct ics_model *m, const struct binding_key *key)
{
	uint32_t i = ics_table_find_near(&m->bindings, key, m->latest_binding);

	if (i != 0)
		m->latest_binding = i;
	return i;
}

/* The same of one that was just got, mostly. */
static uint32_t
find_binding_again(struct ics_model *m, const struct binding_key *key, const struct ics_binding *known)
{
	if (known != NULL && m->latest_binding != 0 && binding_at(m, m->latest_binding) == known)
		return m->latest_binding;
	return find_binding(m, key);
}

struct ics_binding *
ics_binding_get(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr)
{
	struct binding_key key = {*addr, seg->s.id};
	uint32_t i = find_binding(m, &key);

	return i == 0 ? NULL : binding_at(m, i);
}

static bool
is_one_minute(const struct ics_model *m, uint64_t a_ns, uint64_t b_ns)
{
	uint64_t from = m->minute_ns;

	if (a_ns - from < ICS_NOTE_NS && b_ns - from < ICS_NOTE_NS)
		return true;
	return a_ns / ICS_NOTE_NS == b_ns / ICS_NOTE_NS;
}

struct ics_binding *
ics_binding_claim(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr,
		  const struct ics_binding *known, const struct ics_mac *mac, uint32_t host, uint64_t ts_ns,
		  enum ics_claim how)
{
	struct binding_key key = {*addr, seg->s.id};
	struct ics_claim_change *claim = NULL;
	struct ics_binding *b;
	uint32_t i;

	if (ics_ip6_is_multicast(addr->b) || ics_ip6_is_unspecified(addr->b) || ics_ip6_is_loopback(addr->b))
		return NULL;
	if (how != ICS_CLAIM_PROBE) {
		claim = &m->change->claim;
		claim->claims = true;
		claim->addr = *addr;
		claim->claimed = *mac;
	}
	i = find_binding_again(m, &key, known);
	if (i == 0) {
		i = make_room_for_binding(m, seg) ? new_binding(m, &key) : 0;
		ics_evict_newcomer(&m->new_bindings, &m->bindings, i);
		if (i == 0)
			return NULL;
		b = binding_at(m, i);
		b->first_ns = ts_ns;
		b->mac = *mac;
		b->flags = ics_binding_mac_flags(m, mac);
		if (m->sweep.pos == 0)
			ics_bindings_watch(m);
		b->iid = ics_iid_of(m, host, addr);
		if (host != 0 && b->iid == ICS_IID_TEMP)
			host_at(m, host)->temp_arrivals++;
		m->change->note.what = ICS_NOTE_NEW;
		if (claim != NULL)
			m->change->new_address = true;
		seg->s.bindings++;
		link_binding(m, i, host);
	} else {
		b = binding_at(m, i);
		if (claim != NULL) {
			claim->known = true;
			if (how == ICS_CLAIM_IMPLIED)
				claim->claims = ics_mac_equal(&b->mac, mac);
			else if (!ics_mac_equal(&b->mac, mac))
				ics_binding_disputed(m, b, mac, ts_ns, how == ICS_CLAIM_REPLACE, ICS_DISPUTE_LEARN);
		}
		if (ics_mac_equal(&b->mac, mac)) {
			if (!is_one_minute(m, b->last_ns, ts_ns))
				m->change->note.what = ICS_NOTE_SEEN;
		} else if (how == ICS_CLAIM_REPLACE) {
			m->change->note.what = ICS_NOTE_MOVED;
			m->change->note.before = b->mac;
			m->change->note.before_ns = b->last_ns;
			b->mac = *mac;
			if (b->host != 0)
				host_at(m, b->host)->n_proven -= b->proven;
			b->proven = 0;
		}
		if (b->host != host ? how == ICS_CLAIM_REPLACE || b->host == 0 : b->last_ns + ORDER_NS < ts_ns) {
			unlink_binding(m, b);
			link_binding(m, i, host);
		}
	}
	b->last_ns = ts_ns;
	m->change->note.binding = b;
	if (m->proves && !b->proven && ics_mac_equal(&b->mac, mac)) {
		b->proven = 1;
		if (b->host != 0)
			host_at(m, b->host)->n_proven++;
		m->change->note.proven = true;
	}
	if (host != 0 && !ics_mac_equal(mac, &host_at(m, host)->mac))
		note_other(m, host_at(m, host), mac);
	if (claim != NULL) {
		claim->flags = b->flags;
		claim->changes = b->changes;
	}
	return b;
}

const struct ics_host *
ics_model_host_find(struct ics_model *m, uint32_t segment, const struct ics_mac *mac)
{
	struct host_key key = {segment, *mac};
	uint32_t i = ics_table_find(&m->hosts, &key);

	return i == 0 ? NULL : host_at(m, i);
}

const struct ics_binding *
ics_model_host_binding(const struct ics_model *m, const struct ics_host *h, const struct ics_binding *after)
{
	uint32_t i = after == NULL ? h->newest : binding_more(m, after)->older;

	return i == 0 ? NULL : binding_at(m, i);
}

void
ics_model_host_age(struct ics_model *m, const struct ics_host *h)
{
	while (h->oldest != 0 && is_stale(m, binding_at(m, h->oldest))) /* at most ICS_BINDINGS_PER_MAC */
		unlink_binding(m, binding_at(m, h->oldest));
}

const struct ics_binding *
ics_model_binding_find(struct ics_model *m, uint32_t segment, const struct ics_ip *addr)
{
	return is_segment(m, segment) ? ics_binding_get(m, seg_by_id(m, segment), addr) : NULL;
}

bool
ics_host_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_host *w)
{
	struct host_key key = {seg->s.id, w->mac};
	struct ics_host *h;
	uint32_t i;

	if (m->hosts.count >= ICS_HOSTS_MAX || ics_table_find(&m->hosts, &key) != 0)
		return false;
	i = ics_table_insert(&m->hosts, &key);
	if (i == 0)
		return false;
	h = host_at(m, i);
	h->flags = (w->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT | ICS_HOST_HYPERVISOR)) |
		   (ics_model_is_proxy(m, &w->mac) ? ICS_HOST_PROXY : 0) |
		   (ics_model_is_shared_mac(m, &w->mac) ? ICS_HOST_FHRP : 0);
	if (!ics_mac_equal(&w->other, &(struct ics_mac){{0}}))
		h->flags |= ICS_HOST_PROXY;
	h->other = w->other;
	h->first_ns = w->first_ns < w->last_ns ? w->first_ns : w->last_ns;
	h->last_ns = w->last_ns;
	h->last_rs_ns = w->last_rs_ns;
	h->last_dad_ns = w->last_dad_ns;
	h->boot_ns = w->boot_ns;
	h->routes_base = w->routes_base;
	h->routes_extra = w->routes_extra;
	seg->s.hosts++;
	if (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT))
		seg->s.router_hosts++;
	return true;
}

bool
ics_binding_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_binding *w)
{
	struct binding_key key = {w->addr, seg->s.id};
	struct host_key host = {seg->s.id, w->host};
	uint32_t h = ics_table_find(&m->hosts, &host), i;
	struct ics_binding *b;

	if (h == 0 || m->bindings.count >= ICS_BINDINGS_MAX || host_at(m, h)->n_bindings >= ICS_BINDINGS_PER_MAC ||
	    find_binding(m, &key) != 0)
		return false;
	i = new_binding(m, &key);
	if (i == 0)
		return false;
	b = binding_at(m, i);
	b->mac = w->mac;
	binding_more_at(m, i)->prev = w->prev;
	b->flags = (w->flags & ~(ICS_BINDING_PROXY | ICS_BINDING_ANYCAST | ICS_BINDING_FHRP)) |
		   ics_binding_mac_flags(m, &w->mac);
	b->iid = w->iid;
	b->proven = w->proven != 0;
	b->changes = w->changes;
	b->first_ns = w->first_ns < w->last_ns ? w->first_ns : w->last_ns;
	b->last_ns = w->last_ns;
	seg->s.bindings++;
	link_binding(m, i, h);
	if (m->sweep.pos == 0)
		ics_bindings_watch(m);
	return true;
}
