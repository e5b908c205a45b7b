/* What a message claims about an address (RFC 4861 7.2.3, 7.2.5): whether the MAC in it is the one that is known, and if
 * not, what is to be said for and against the newcomer. The lists of the configuration that decide which MACs may
 * answer for several addresses. Called by host.c for each claim, and by detectors.
 */
#include "model_priv.h"

/* A MAC that held an address for less than this was not its owner: floods claim one for the next within microseconds. */
#define HELD_NS 50000000ull

static bool
mac_in(const struct ics_mac_list *l, const struct ics_mac *mac)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ics_mac_equal(&l->mac[i], mac))
			return true;
	return false;
}

bool
ics_model_is_shared_mac(const struct ics_model *m, const struct ics_mac *mac)
{
	return ics_mac_is_fhrp(mac) || mac_in(&m->conf.detect.anycast_gw_macs, mac);
}

bool
ics_model_is_proxy(const struct ics_model *m, const struct ics_mac *mac)
{
	return mac_in(&m->conf.detect.proxies, mac);
}

bool
ics_model_is_watched(const struct ics_model *m, const struct ics_ip *addr)
{
	for (unsigned i = 0; i < m->conf.detect.watch.n; i++)
		if (ics_ip_equal(&m->conf.detect.watch.ip[i], addr))
			return true;
	return false;
}

uint8_t
ics_binding_mac_flags(const struct ics_model *m, const struct ics_mac *mac)
{
	return (ics_model_is_proxy(m, mac) ? ICS_BINDING_PROXY : 0) |
	       (mac_in(&m->conf.detect.anycast_gw_macs, mac) ? ICS_BINDING_ANYCAST : 0) |
	       (ics_mac_is_fhrp(mac) ? ICS_BINDING_FHRP : 0);
}

void
ics_binding_disputed(struct ics_model *m, struct ics_binding *b, const struct ics_mac *mac, uint64_t ts_ns,
		     bool replace, enum ics_dispute how_far)
{
	bool learn = how_far == ICS_DISPUTE_LEARN;
	const struct ics_host *before = ics_model_host_find(m, b->segment, &b->mac);
	struct ics_binding_more *more = binding_more(m, b);
	uint64_t held = more->moved_at == 0 ? ts_ns - b->first_ns
					    : (uint64_t)(ICS_COARSE(ts_ns) - more->moved_at) * ICS_COARSE_NS;
	struct ics_claim_change *c = &m->change->claim;

	c->differs = true;
	c->replaced = replace;
	c->tentative = (b->flags & ICS_BINDING_TENTATIVE) != 0;
	c->asked_first = ics_dad_is_won(m, b->segment, &b->addr, mac);
	c->before = b->mac;
	c->before_heard_ns = before != NULL ? before->last_ns : 0;
	c->held_ns = held;
	c->before_is_live = held >= HELD_NS;
	if (!learn)
		return;
	b->flags |= ICS_BINDING_DISPUTED;
	if (!replace)
		return;
	more->prev = b->mac;
	more->moved_at = ICS_COARSE(ts_ns);
	if (b->changes != UINT16_MAX)
		b->changes++;
	b->flags &= ~(ICS_BINDING_PROXY | ICS_BINDING_ANYCAST | ICS_BINDING_FHRP);
	b->flags |= ics_binding_mac_flags(m, mac);
}

void
ics_binding_observed(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr, const struct ics_mac *mac,
		     uint64_t ts_ns, bool replace)
{
	struct ics_claim_change *c = &m->change->claim;
	struct ics_binding *b = ics_binding_get(m, seg, addr);

	if (b == NULL)
		return;
	c->claims = c->known = true;
	c->addr = *addr;
	c->claimed = *mac;
	c->flags = b->flags;
	c->changes = b->changes;
	if (!ics_mac_equal(&b->mac, mac))
		ics_binding_disputed(m, b, mac, ts_ns, replace, ICS_DISPUTE_LOOK);
}

const struct ics_binding *
ics_model_binding_at(const struct ics_model *m, uint32_t index)
{
	if (index == 0 || index > m->bindings.fresh || !ics_table_is_live(&m->bindings, index))
		return NULL;
	return ics_table_at(&m->bindings, index);
}

const struct ics_binding *
ics_model_binding_next(const struct ics_model *m, uint32_t *index)
{
	uint32_t i = *index != 0 ? *index : 1;

	for (unsigned n = 0; n < ICS_BINDING_STEPS && i <= m->bindings.fresh; n++, i++)
		if (ics_table_is_live(&m->bindings, i)) {
			*index = i;
			return ics_table_at(&m->bindings, i);
		}
	*index = i <= m->bindings.fresh ? i : 0;
	return NULL;
}

const struct ics_binding_more *
ics_model_binding_more(const struct ics_model *m, const struct ics_binding *b)
{
	return binding_more(m, b);
}

uint32_t
ics_model_binding_last(const struct ics_model *m)
{
	return m->bindings.fresh;
}

/* ---- what nobody has claimed for long ---- */

#define SWEEP_NS 60000000000ull
/* The whole table is looked at in so many sweeps: eight hours. */
#define SWEEPS 480

static void
on_sweep(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;

	ics_bindings_sweep(m, m->bindings.fresh / SWEEPS + 1);
	if (m->bindings.count != 0)
		(void)ics_timer_set(&m->clock.timers, t, now_ns + SWEEP_NS);
}

void
ics_bindings_watch(struct ics_model *m)
{
	m->sweep.owner = m;
	m->sweep.fire = on_sweep;
	(void)ics_timer_set(&m->clock.timers, &m->sweep, m->clock.now_ns + SWEEP_NS);
}
