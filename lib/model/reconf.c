/* A configuration that changed while the program runs: what was derived from the one before is derived again. Routers are
 * few and are looked at on the spot; addresses may be a million, and are gone through in steps beside the work.
 */
#include "group.h"

#define STEP 4096u
#define STEP_NS 1000000u

static bool
is_shared(const struct ics_model *m, const struct ics_router *r)
{
	for (unsigned i = 0; i < r->n_macs; i++)
		if (ics_model_is_shared_mac(m, &r->mac[i]))
			return true;
	/* There may have been others, of which one was. */
	return r->n_macs == ICS_ROUTER_MACS && r->fhrp;
}

static void
on_step(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;
	const uint8_t derived = ICS_BINDING_PROXY | ICS_BINDING_ANYCAST | ICS_BINDING_FHRP;

	for (unsigned n = 0; n < STEP && m->reconf_hand != 0; n++) {
		uint32_t i = m->reconf_hand;
		struct ics_binding *b;

		m->reconf_hand = i < m->bindings.fresh ? i + 1 : 0;
		if (!ics_table_is_live(&m->bindings, i))
			continue;
		b = ics_table_at(&m->bindings, i);
		b->flags = (uint8_t)((b->flags & ~derived) | ics_binding_mac_flags(m, &b->mac));
	}
	if (m->reconf_hand != 0)
		(void)ics_timer_set(&m->clock.timers, t, now_ns + STEP_NS);
}

void
ics_model_derive(struct ics_model *m)
{
	const struct ics_ip_list *l = &m->conf.detect.gateways;

	memset(m->gateway_last_byte, 0, sizeof(m->gateway_last_byte));
	for (unsigned i = 0; i < l->n; i++)
		m->gateway_last_byte[l->ip[i].b[15]] = 1;
}

void
ics_model_configure(struct ics_model *m, const struct ics_config *conf)
{
	bool other_macs = memcmp(&m->conf.detect.proxies, &conf->detect.proxies, sizeof(conf->detect.proxies)) != 0 ||
			  memcmp(&m->conf.detect.anycast_gw_macs, &conf->detect.anycast_gw_macs,
				 sizeof(conf->detect.anycast_gw_macs)) != 0;
	/* Entries were counted with it from the first group on. */
	uint32_t hosts_per_port = m->conf.detect.hosts_per_port;

	/* What was used of a table that is counted in another way is no trend. */
	for (unsigned i = 0; m->conf.detect.table_model != conf->detect.table_model && i < ICS_PORTS_MAX; i++)
		m->mcast->domain[i].n = m->mcast->domain[i].next = 0;
	m->conf = *conf;
	m->conf.detect.hosts_per_port = hosts_per_port;
	ics_model_derive(m);
	for (uint32_t i = 0; i < m->routers.count; i++) {
		struct router_entry *e = ics_table_at(&m->routers, m->by_id[i]);

		e->r.pinned = ics_model_is_gateway(m, &e->r.addr);
		e->r.fhrp = is_shared(m, &e->r);
	}
	if (!other_macs || m->bindings.fresh == 0)
		return;
	m->reconf_hand = 1;
	m->reconf.owner = m;
	m->reconf.fire = on_step;
	(void)ics_timer_set(&m->clock.timers, &m->reconf, m->clock.now_ns + STEP_NS);
}
