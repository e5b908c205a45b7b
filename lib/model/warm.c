/* Walks through what of the model outlives a restart, and takes it back (ics_warm.h). What depends on the configuration
 * (which routers are pinned, which MACs are shared) is made anew, so that a changed configuration counts. Called by
 * lib/state, in slices on the control core; taking back is done once, before the first record.
 */
#include "warm.h"

#define ROUTER_HOST (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT)
#define KEPT_HOST (ROUTER_HOST | ICS_HOST_PROXY | ICS_HOST_FHRP | ICS_HOST_HYPERVISOR)

const char *
ics_warm_kind_name(enum ics_warm_kind k)
{
	static const char *const names[] = {"model",    "segments", "routers", "advertisers",
					    "prefixes", "routes",   "hosts",   "bindings"};

	return (unsigned)k < ICS_ARRAY_LEN(names) ? names[k] : "?";
}

/* ---- telling: each takes the walk's index (from 1 on) and says whether there is something to keep ---- */

static bool
tell_model(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	(void)w;
	out->model.prefix_seed = m->prefix_seed;
	return true;
}

static bool
tell_segment(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	const struct seg_entry *e = ics_table_at(&m->segments, w->index);

	out->segment.s = e->s;
	if (e->routelog != NULL)
		out->segment.routes = *e->routelog;
	else
		memset(&out->segment.routes, 0, sizeof(out->segment.routes));
	return true;
}

static bool
tell_router(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	const struct router_entry *e = ics_table_at(&m->routers, m->by_id[w->index - 1]);

	ics_router_tell(e, &out->router);
	/* A gateway of the configuration that was never heard is made from the configuration. */
	return e->r.ra_count != 0;
}

static bool
tell_advertiser(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	if (!ics_table_is_live(&m->advertisers, w->index))
		return false;
	out->advertiser = *(const struct ics_advertiser *)ics_table_at(&m->advertisers, w->index);
	return true;
}

static bool
tell_prefix(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	if (!ics_table_is_live(&m->prefixes, w->index))
		return false;
	out->prefix = *(const struct ics_prefix *)ics_table_at(&m->prefixes, w->index);
	return true;
}

static bool
tell_route(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	return ics_table_is_live(&m->routes, w->index) && ics_route_tell(m, w->index, &out->route);
}

static bool
tell_host(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	const struct ics_host *h = ics_table_at(&m->hosts, w->index);

	if (!ics_table_is_live(&m->hosts, w->index) || !(h->flags & KEPT_HOST))
		return false;
	out->host = (struct ics_warm_host){
		.segment = h->segment,
		.mac = h->mac,
		.other = h->other,
		.flags = h->flags,
		.first_ns = h->first_ns,
		.last_ns = h->last_ns,
		.last_rs_ns = h->last_rs_ns,
		.last_dad_ns = h->last_dad_ns,
		.boot_ns = h->boot_ns,
		.routes_base = h->routes_base,
		.routes_extra = h->routes_extra,
	};
	return true;
}

/* The nth latest address of the router at the walk's index; then the walk goes on to the next host. */
static bool
tell_binding(const struct ics_model *m, struct ics_warm_walk *w, union ics_warm *out)
{
	const struct ics_host *h = ics_table_at(&m->hosts, w->index);
	const struct ics_binding *b = NULL;

	if (!ics_table_is_live(&m->hosts, w->index) || !(h->flags & ROUTER_HOST) ||
	    w->nth >= ICS_WARM_BINDINGS_PER_HOST || w->bindings >= ICS_WARM_BINDINGS_MAX) {
		w->nth = 0;
		return false;
	}
	for (unsigned n = 0; n <= w->nth; n++) {
		b = ics_model_host_binding(m, h, b);
		if (b == NULL) {
			w->nth = 0;
			return false;
		}
	}
	w->nth++;
	w->bindings++;
	out->binding = (struct ics_warm_binding){
		.addr = b->addr,
		.segment = b->segment,
		.mac = b->mac,
		.prev = ics_model_binding_more(m, b)->prev,
		.host = h->mac,
		.flags = b->flags,
		.iid = b->iid,
		.proven = b->proven,
		.changes = b->changes,
		.first_ns = b->first_ns,
		.last_ns = b->last_ns,
	};
	return true;
}

static uint32_t
last_of(const struct ics_model *m, enum ics_warm_kind k)
{
	switch (k) {
	case ICS_WARM_MODEL:
		return 1;
	case ICS_WARM_SEGMENT:
		return m->segments.count;
	case ICS_WARM_ROUTER:
		return m->routers.count;
	case ICS_WARM_ADVERTISER:
		return m->advertisers.fresh;
	case ICS_WARM_PREFIX:
		return m->prefixes.fresh;
	case ICS_WARM_ROUTE:
		return m->routes.fresh;
	default:
		return m->hosts.fresh;
	}
}

bool
ics_model_warm_next(const struct ics_model *m, struct ics_warm_walk *w, unsigned *steps, enum ics_warm_kind *kind_out,
		    union ics_warm *out)
{
	static bool (*const tell[])(const struct ics_model *, struct ics_warm_walk *,
				    union ics_warm *) = {tell_model,  tell_segment, tell_router, tell_advertiser,
							 tell_prefix, tell_route,   tell_host,   tell_binding};

	while (w->kind < ICS_WARM_KINDS && *steps != 0) {
		--*steps;
		if (w->nth == 0)
			w->index++;
		if (w->index > last_of(m, w->kind)) {
			w->kind++;
			w->index = 0;
			continue;
		}
		if (tell[w->kind](m, w, out)) {
			*kind_out = w->kind;
			return true;
		}
	}
	return false;
}

/* ---- taking back ---- */

/* Nothing began after it was last heard: a file that says so would make ages negative. */
static uint64_t
first_of(uint64_t first_ns, uint64_t last_ns)
{
	return first_ns < last_ns ? first_ns : last_ns;
}

/* The segment that was of this id, or NULL. */
static struct seg_entry *
segment_of(struct ics_model *m, const struct ics_warm_back *b, uint32_t id)
{
	return id < ICS_SEGMENTS_MAX && b->segment[id] != 0 ? seg_by_id(m, b->segment[id] - 1) : NULL;
}

static bool
put_segment(struct ics_model *m, struct ics_warm_back *b, const struct ics_warm_segment *w)
{
	struct seg_entry *e;

	if (w->s.id >= ICS_SEGMENTS_MAX || w->s.last_ns + ICS_WARM_SEGMENT_NS < b->now_ns)
		return false;
	e = ics_segment_make(m, &w->s.key);
	if (e == NULL)
		return false;
	e->s.first_ns = first_of(w->s.first_ns, w->s.last_ns);
	e->s.last_ns = w->s.last_ns;
	e->s.routes_created = w->s.routes_created;
	e->s.dads = w->s.dads;
	e->s.seen = w->s.seen;
	ics_routelog_restore(e, &w->routes);
	b->segment[w->s.id] = e->s.id + 1;
	return true;
}

static bool
put(struct ics_model *m, struct ics_warm_back *b, enum ics_warm_kind kind, const union ics_warm *w)
{
	struct seg_entry *seg;

	switch (kind) {
	case ICS_WARM_MODEL:
		m->prefix_seed = w->model.prefix_seed;
		return true;
	case ICS_WARM_SEGMENT:
		return put_segment(m, b, &w->segment);
	case ICS_WARM_ROUTER:
		seg = segment_of(m, b, w->router.r.segment);
		return seg != NULL && ics_router_restore(m, seg, &w->router);
	case ICS_WARM_ADVERTISER:
		seg = segment_of(m, b, w->advertiser.segment);
		return seg != NULL && ics_advertiser_restore(m, seg, &w->advertiser);
	case ICS_WARM_PREFIX:
		seg = segment_of(m, b, w->prefix.segment);
		return seg != NULL && ics_prefix_restore(m, seg, &w->prefix);
	case ICS_WARM_ROUTE:
		seg = segment_of(m, b, w->route.segment);
		return seg != NULL && ics_route_restore(m, seg, &w->route);
	case ICS_WARM_HOST:
		seg = segment_of(m, b, w->host.segment);
		return seg != NULL && ics_host_restore(m, seg, &w->host);
	case ICS_WARM_BINDING:
		seg = segment_of(m, b, w->binding.segment);
		return seg != NULL && w->binding.last_ns + ICS_HOLD_NS >= b->now_ns &&
		       ics_binding_restore(m, seg, &w->binding);
	default:
		return false;
	}
}

bool
ics_model_warm_put(struct ics_model *m, struct ics_warm_back *b, enum ics_warm_kind kind, const union ics_warm *w)
{
	bool taken = put(m, b, kind, w);

	++*(taken ? &b->taken[kind] : &b->left[kind]);
	return taken;
}
