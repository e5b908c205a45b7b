/* Which addresses workers are to treat as routers: the gateways of the configuration on every segment, and whatever
 * was a default router once. It only grows, so a router stays known while it is gone.
 */
#include "engine_priv.h"

/* A full set costs a router its reserved way through a full ring, nothing else. */
static void
insert(struct ics_engine *e, const struct ics_segment_key *k, const struct ics_ip *addr)
{
	(void)ics_known_insert(e->known, ics_known_hash(e->known, k->port, k->vlan_outer, k->vlan_inner, addr->b));
}

static void
insert_gateways(struct ics_engine *e)
{
	const struct ics_ip_list *l = &e->conf.detect.gateways;
	const struct ics_segment *seg;

	while ((seg = ics_model_segment(e->model, e->known_segments)) != NULL) {
		for (unsigned i = 0; i < l->n; i++)
			insert(e, &seg->key, &l->ip[i]);
		e->known_segments++;
	}
}

void
ics_engine_renew_known(struct ics_engine *e)
{
	e->known_segments = 0;
	if (e->known != NULL)
		insert_gateways(e);
}

void
ics_engine_note_known(struct ics_engine *e, const struct ics_change *c)
{
	if (e->known == NULL)
		return;
	if (e->known_segments < ics_model_segment_count(e->model))
		insert_gateways(e);
	if (c->segment != NULL && c->has_router && c->after.state == ICS_ROUTER_DEFAULT &&
	    c->before.state != ICS_ROUTER_DEFAULT)
		insert(e, &c->segment->key, &c->after.addr);
}

void
ics_engine_publish_known(struct ics_engine *e, struct ics_known *known)
{
	e->known = known;
	e->known_segments = 0;
	if (known == NULL)
		return;
	insert_gateways(e);
	for (const struct ics_router *r = ics_model_router_next(e->model, 0); r != NULL;
	     r = ics_model_router_next(e->model, r->id + 1))
		if (r->last_nonzero_ra_ns != 0)
			insert(e, &ics_model_segment(e->model, r->segment)->key, &r->addr);
}
