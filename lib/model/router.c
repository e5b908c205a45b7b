/* The routers of each segment and what hosts believe of them: the default router list of RFC 4861 6.3.4 as a state
 * machine. Quota and cap push out the oldest of those that are neither DEFAULT nor configured; for a configured one the
 * latest that is not gives way.
 */
#include "gateway.h"
#include "warm.h"

#include <stddef.h>

#define NS_PER_S 1000000000ull
/* RAs closer to each other than this are one announcement, its options split (RFC 4861 6.2.3). */
#define ANNOUNCEMENT_NS 200000000ull

/* VRRP (RFC 9568 7.3), HSRP, GLBP: virtual MACs, as prefix and the bits of it that count. */
static const struct {
	uint64_t value, mask;
} fhrp_macs[] = {
	{0x00005e000100, 0xffffffffff00}, /* VRRP for IPv4 */
	{0x00005e000200, 0xffffffffff00}, /* VRRP for IPv6 */
	{0x000573a00000, 0xfffffffff000}, /* HSRP for IPv6 */
	{0x00000c07ac00, 0xffffffffff00}, /* HSRP */
	{0x00000c9ff000, 0xfffffffff000}, /* HSRP version 2 */
	{0x0007b4000000, 0xffffff000000}, /* GLBP */
};

bool
ics_mac_is_fhrp(const struct ics_mac *mac)
{
	uint64_t v = (uint64_t)ics_load_be16(mac->b) << 32 | ics_load_be32(mac->b + 2);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(fhrp_macs); i++)
		if ((v & fhrp_macs[i].mask) == fhrp_macs[i].value)
			return true;
	return false;
}

const char *
ics_router_state_name(enum ics_router_state s)
{
	static const char *const names[] = {"unknown", "nondefault", "default", "retracted", "hosted", "expired"};

	return (unsigned)s < ICS_ARRAY_LEN(names) ? names[s] : "?";
}

unsigned
ics_router_preference(const struct ics_router *r)
{
	static const uint8_t rank[4] = {1, 2, 1, 0};

	return rank[(r->flags & ICS_RA_PRF_MASK) >> 3];
}

const char *
ics_router_preference_name(const struct ics_router *r)
{
	static const char *const names[] = {"low", "medium", "high"};

	return names[ics_router_preference(r)];
}

bool
ics_router_has_mac(const struct ics_router *r, const struct ics_mac *mac)
{
	for (unsigned i = 0; i < r->n_macs; i++)
		if (ics_mac_equal(&r->mac[i], mac))
			return true;
	return false;
}

static void
on_expiry(struct ics_timer *t, uint64_t now_ns)
{
	struct router_entry *e = t->owner;

	if (e->r.state == ICS_ROUTER_DEFAULT && e->r.expires_ns <= now_ns)
		ics_router_set_state(e->model, seg_by_id(e->model, e->key.segment), e, ICS_ROUTER_EXPIRED);
}

/* It is a default router again. */
static void
note_cycle(const struct ics_model *m, struct router_entry *e)
{
	struct ics_router_cycles *c = &e->cycles;

	if (e->down_ns == 0)
		return;
	c->ring[c->total++ % ICS_ROUTER_CYCLES] = (struct ics_router_cycle){
		.down_ns = e->down_ns,
		.up_ns = m->clock.now_ns,
		.by_na = e->r.state == ICS_ROUTER_HOSTED,
	};
	e->down_ns = 0;
}

const struct ics_router_cycles *
ics_model_router_cycles(struct ics_model *m, uint32_t segment, const struct ics_ip *addr)
{
	struct router_key key = {*addr, segment};
	uint32_t i = ics_table_find(&m->routers, &key);

	return i == 0 ? NULL : &((const struct router_entry *)ics_table_at(&m->routers, i))->cycles;
}

/* For the log: what the change from its state to this one is to hosts. */
static void
note_gateway(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, enum ics_router_state state)
{
	uint32_t before_s = e->r.last_nonzero_lifetime_s;

	if (state == ICS_ROUTER_DEFAULT)
		ics_gateway_note(m, &seg->s, &e->r, ICS_GATEWAY_ADVERTISED, 0);
	else if (e->r.state != ICS_ROUTER_DEFAULT)
		return;
	else if (state == ICS_ROUTER_RETRACTED)
		ics_gateway_note(m, &seg->s, &e->r, ICS_GATEWAY_RETRACTED, before_s);
	else if (state == ICS_ROUTER_HOSTED)
		ics_gateway_note(m, &seg->s, &e->r, ICS_GATEWAY_FLAG_CLEARED, before_s);
	else if (state == ICS_ROUTER_EXPIRED)
		ics_gateway_note(m, &seg->s, &e->r, ICS_GATEWAY_EXPIRED, before_s);
}

void
ics_router_set_state(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, enum ics_router_state state)
{
	if (e->r.state == state)
		return;
	if (e->r.state == ICS_ROUTER_DEFAULT) {
		seg->s.default_routers--;
		ics_timer_cancel(&m->clock.timers, &e->expiry);
		if (state == ICS_ROUTER_RETRACTED || state == ICS_ROUTER_HOSTED)
			e->down_ns = m->clock.now_ns;
	}
	if (state == ICS_ROUTER_DEFAULT) {
		seg->s.default_routers++;
		e->r.default_ns = m->clock.now_ns;
		note_cycle(m, e);
		ics_route_created(m, seg, e, ICS_ROUTE_DEFAULT);
	}
	note_gateway(m, seg, e, state);
	e->r.state = state;
	e->r.transitions++;
}

/* First position in by_id whose router has an id >= id; ids only grow, so by_id is sorted. */
static uint32_t
id_position(const struct ics_model *m, uint32_t id)
{
	uint32_t lo = 0, hi = m->routers.count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct router_entry *e = ics_table_at(&m->routers, m->by_id[mid]);

		if (e->r.id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct ics_router *
ics_model_router_next(const struct ics_model *m, uint32_t id)
{
	uint32_t pos = id_position(m, id);

	if (pos == m->routers.count)
		return NULL;
	return &((const struct router_entry *)ics_table_at(&m->routers, m->by_id[pos]))->r;
}

static bool
may_go(const void *entry)
{
	const struct router_entry *e = entry;

	return e->r.state != ICS_ROUTER_DEFAULT && !e->r.pinned && !e->r.held &&
	       !ics_router_is_querier(e->model, &e->r);
}

static void
forget(struct ics_model *m, struct router_entry *e)
{
	struct seg_entry *seg = seg_by_id(m, e->key.segment);
	uint32_t pos = id_position(m, e->r.id);

	m->stats.router_evictions++;
	ics_timer_cancel(&m->clock.timers, &e->expiry);
	if (e->prev != 0)
		((struct router_entry *)ics_table_at(&m->routers, e->prev))->next = e->next;
	else
		seg->routers = e->next;
	if (e->next != 0)
		((struct router_entry *)ics_table_at(&m->routers, e->next))->prev = e->prev;
	seg->s.routers--;
	if (e->r.state == ICS_ROUTER_DEFAULT)
		seg->s.default_routers--;
	if (seg->routers == 0)
		seg->router_bits = 0;
	memmove(&m->by_id[pos], &m->by_id[pos + 1], (m->routers.count - pos - 1) * sizeof(m->by_id[0]));
	ics_table_remove(&m->routers, e->index);
}

/* An operator named the router that comes: it takes the place of whoever was not named and came last, whatever that one
 * says of itself. A flood of invented routers fills the quota before a gateway is first heard.
 */
static struct router_entry *
latest_unnamed(struct ics_model *m, const struct seg_entry *seg)
{
	struct router_entry *best = NULL, *e;

	for (uint32_t i = seg->routers; i != 0; i = e->next) {
		e = ics_table_at(&m->routers, i);
		if (!e->r.pinned && !e->r.held && !ics_router_is_querier(m, &e->r) &&
		    (best == NULL || e->r.first_ns > best->r.first_ns))
			best = e;
	}
	return best;
}

/* One that never was a default router goes before one that was; of equals the one not heard for longest. */
static struct router_entry *
quota_victim(struct ics_model *m, const struct seg_entry *seg)
{
	struct router_entry *best = NULL, *e;

	for (uint32_t i = seg->routers; i != 0; i = e->next) {
		bool better;

		e = ics_table_at(&m->routers, i);
		if (!may_go(e))
			continue;
		if (best == NULL)
			better = true;
		else if ((e->r.last_nonzero_ra_ns == 0) != (best->r.last_nonzero_ra_ns == 0))
			better = e->r.last_nonzero_ra_ns == 0;
		else
			better = e->r.last_ra_ns < best->r.last_ra_ns;
		if (better)
			best = e;
	}
	return best;
}

struct router_entry *
ics_router_make(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr)
{
	struct router_key key = {*addr, seg->s.id};
	struct router_entry *e;
	uint32_t i;

	if (seg->s.routers >= ICS_ROUTERS_PER_SEGMENT) {
		e = quota_victim(m, seg);
		if (e == NULL && ics_model_is_gateway(m, addr))
			e = latest_unnamed(m, seg);
		if (e == NULL) {
			m->stats.router_drops++;
			return NULL;
		}
		forget(m, e);
	} else if (m->routers.count >= ICS_ROUTERS_MAX) {
		i = ics_table_oldest(&m->routers, may_go);
		if (i == 0) {
			m->stats.router_drops++;
			return NULL;
		}
		forget(m, ics_table_at(&m->routers, i));
	}
	i = ics_table_insert(&m->routers, &key);
	if (i == 0) {
		m->stats.router_drops++;
		return NULL;
	}
	e = ics_table_at(&m->routers, i);
	e->index = i;
	e->model = m;
	e->expiry.owner = e;
	e->expiry.fire = on_expiry;
	e->next = seg->routers;
	if (e->next != 0)
		((struct router_entry *)ics_table_at(&m->routers, e->next))->prev = i;
	seg->routers = i;
	seg->router_bits |= router_bit(addr);
	seg->s.routers++;
	m->by_id[m->routers.count - 1] = i;
	e->r.id = ++m->last_router_id;
	e->r.segment = seg->s.id;
	e->r.addr = *addr;
	e->r.pinned = ics_model_is_gateway(m, addr);
	e->r.first_ns = m->clock.now_ns;
	return e;
}

struct router_entry *
ics_router_get(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr)
{
	struct router_key key = {*addr, seg->s.id};
	uint32_t i = seg->router_bits & router_bit(addr) ? ics_table_find(&m->routers, &key) : 0;

	if (i != 0)
		return ics_table_at(&m->routers, i);
	return ics_model_is_gateway(m, addr) ? ics_router_make(m, seg, addr) : NULL;
}

const struct ics_router *
ics_model_router_find(struct ics_model *m, uint32_t segment, const struct ics_ip *addr)
{
	struct router_key key = {*addr, segment};
	uint32_t i = 0;

	if (is_segment(m, segment) && (seg_by_id(m, segment)->router_bits & router_bit(addr)))
		i = ics_table_find(&m->routers, &key);
	return i == 0 ? NULL : &((const struct router_entry *)ics_table_at(&m->routers, i))->r;
}

unsigned
ics_model_segment_routers(const struct ics_model *m, uint32_t segment,
			  const struct ics_router *out[static ICS_ROUTERS_PER_SEGMENT])
{
	const struct router_entry *e;
	unsigned n = 0;

	if (!is_segment(m, segment))
		return 0;
	for (uint32_t i = seg_by_id(m, segment)->routers; i != 0 && n < ICS_ROUTERS_PER_SEGMENT; i = e->next) {
		e = ics_table_at(&m->routers, i);
		out[n++] = &e->r;
	}
	return n;
}

static void
learn_mac(const struct ics_model *m, struct ics_router *r, const struct ics_mac *mac)
{
	const struct ics_mac_list *anycast = &m->conf.detect.anycast_gw_macs;

	if (ics_mac_is_fhrp(mac))
		r->fhrp = true;
	for (unsigned i = 0; i < anycast->n; i++)
		if (ics_mac_equal(&anycast->mac[i], mac))
			r->fhrp = true;
	if (!ics_router_has_mac(r, mac) && r->n_macs < ICS_ROUTER_MACS)
		r->mac[r->n_macs++] = *mac;
}

/* The rhythm of its RAs to all nodes; what hosts asked for says nothing of it. */
static void
note_interval(struct ics_router *r, const struct ics_msg *msg)
{
	uint64_t gap = msg->ts_ns - r->last_multicast_ra_ns;

	if (!ics_ip6_is_multicast(msg->dst.b)) {
		r->unicast_ra_count += 1 + (uint64_t)msg->rec->repeats;
		return;
	}
	if (r->last_multicast_ra_ns != 0 && (msg->ts_ns < r->last_multicast_ra_ns || gap <= ANNOUNCEMENT_NS))
		return;
	if (r->last_multicast_ra_ns != 0 && r->state == ICS_ROUTER_DEFAULT) {
		r->interval_ewma_ns = r->n_intervals == 0 ? gap : r->interval_ewma_ns / 8 * 7 + gap / 8;
		if (gap > r->interval_max_ns)
			r->interval_max_ns = gap;
		r->n_intervals++;
	}
	r->last_multicast_ra_ns = msg->ts_ns;
}

/* RFC 4861 6.3.4: a lifetime above 0 makes or refreshes the entry of the default router list, 0 times it out at
 * once. Only the former teaches MACs: a forged retraction must not make its own sender known. A value of 0
 * in the other fields means unspecified, and hosts keep what they had.
 */
void
ics_router_advertised(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, const struct ics_msg *msg)
{
	struct ics_router *r = &e->r;
	const struct ics_msg_ra *ra = &msg->ra;
	bool differs = r->state == ICS_ROUTER_DEFAULT && ra->lifetime_s != 0 &&
		       (ra->lifetime_s != r->lifetime_s || ((ra->flags ^ r->flags) & ICS_RA_PRF_MASK) != 0);
	uint32_t before_s = r->lifetime_s;

	r->ra_count += 1 + (uint64_t)msg->rec->repeats;
	note_interval(r, msg);
	r->last_ra_ns = msg->ts_ns;
	r->lifetime_s = ra->lifetime_s;
	r->flags = ra->flags;
	if (ra->reachable_ms != 0)
		r->reachable_ms = ra->reachable_ms;
	if (ra->retrans_ms != 0)
		r->retrans_ms = ra->retrans_ms;
	if (ra->mtu != 0)
		r->mtu = ra->mtu;
	if (ra->cur_hop_limit != 0)
		r->cur_hop_limit = ra->cur_hop_limit;
	if (ra->lifetime_s == 0) {
		r->zero_ra_count += 1 + (uint64_t)msg->rec->repeats;
		r->retracted_ns = msg->ts_ns;
		if (r->state == ICS_ROUTER_UNKNOWN)
			ics_router_set_state(m, seg, e, ICS_ROUTER_NONDEFAULT);
		else if (r->state == ICS_ROUTER_DEFAULT || r->state == ICS_ROUTER_HOSTED)
			ics_router_set_state(m, seg, e, ICS_ROUTER_RETRACTED);
		return;
	}
	if (msg->has_mac)
		learn_mac(m, r, &msg->smac);
	if (ra->has_slla)
		learn_mac(m, r, &ra->slla);
	r->last_nonzero_ra_ns = msg->ts_ns;
	r->last_nonzero_lifetime_s = ra->lifetime_s;
	r->expires_ns = msg->ts_ns + ra->lifetime_s * NS_PER_S;
	ics_router_set_state(m, seg, e, ICS_ROUTER_DEFAULT);
	if (differs)
		ics_gateway_note(m, &seg->s, r, ICS_GATEWAY_CHANGED, before_s);
	/* Without memory for the timer the router stays DEFAULT for too long; nothing else depends on it. */
	(void)ics_timer_set(&m->clock.timers, &e->expiry, r->expires_ns);
}

void
ics_router_tell(const struct router_entry *e, struct ics_warm_router *out)
{
	out->r = e->r;
	out->gone_ns = e->down_ns;
	out->cycles = e->cycles.total;
	for (unsigned i = 0; i < ICS_ROUTER_CYCLES; i++) {
		out->cycle_down_ns[i] = e->cycles.ring[i].down_ns;
		out->cycle_up_ns[i] = e->cycles.ring[i].up_ns;
		out->cycle_by_na[i] = e->cycles.ring[i].by_na;
	}
}

bool
ics_router_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_router *w)
{
	struct router_key key = {w->r.addr, seg->s.id};
	struct router_entry *e;
	struct ics_router was;

	if (ics_table_find(&m->routers, &key) != 0)
		return false;
	e = ics_router_make(m, seg, &w->r.addr);
	if (e == NULL)
		return false;
	was = e->r;
	e->r = w->r;
	e->r.id = was.id;
	e->r.segment = was.segment;
	e->r.pinned = was.pinned;
	e->r.held = false;
	e->r.fhrp = false;
	e->r.n_macs = 0;
	for (unsigned i = 0; i < w->r.n_macs; i++)
		learn_mac(m, &e->r, &w->r.mac[i]);
	e->down_ns = w->gone_ns;
	e->cycles.total = w->cycles;
	for (unsigned i = 0; i < ICS_ROUTER_CYCLES; i++)
		e->cycles.ring[i] = (struct ics_router_cycle){
			.down_ns = w->cycle_down_ns[i], .up_ns = w->cycle_up_ns[i], .by_na = w->cycle_by_na[i] != 0};
	if (e->r.state == ICS_ROUTER_DEFAULT) {
		seg->s.default_routers++;
		(void)ics_timer_set(&m->clock.timers, &e->expiry, e->r.expires_ns);
	}
	return true;
}
