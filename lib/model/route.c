/* How many automatic routes a host that stayed up has been given. A route counts when it is made: entry of a router into
 * the default router list (RFC 4861 6.3.4), an on-link prefix (PIO with the L flag) or a route (RFC 4191 2.3) that
 * was not there; after removal or expiry it counts again. Some hosts count routes that are gone as well, until their
 * link bounces, which shows as a start of address configuration. Called for RAs and by the router states.
 */
#include "warm.h"

#include <stdlib.h>

#define NS_PER_S 1000000000ull
/* Expired entries are swept out for a segment at its quota this often at most. */
#define SWEEP_NS (10 * NS_PER_S)

struct route_key {
	struct ics_ip prefix, router; /* router: of an RIO; one on-link prefix serves all */
	uint32_t segment;
	uint8_t plen, cause;
	uint16_t spare;
};

struct route_entry {
	struct ics_table_head head;
	struct route_key key;
	uint64_t expires_ns; /* UINT64_MAX: never */
};

int
ics_routes_init(struct ics_model *m, uint64_t seed)
{
	return ics_table_init(&m->routes, sizeof(struct route_entry), sizeof(struct route_key), ICS_ROUTES_MAX, seed);
}

void
ics_routes_fini(struct ics_model *m)
{
	for (uint32_t id = 0; id < m->segments.count; id++)
		free(seg_by_id(m, id)->routelog);
	ics_table_fini(&m->routes);
}

void
ics_route_created(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, enum ics_route_cause cause)
{
	struct ics_routelog *log = seg->routelog;

	seg->s.routes_created++;
	if (e != NULL)
		e->r.routes_created++;
	if (log == NULL)
		log = seg->routelog = calloc(1, sizeof(*log));
	if (log == NULL)
		return;
	log->ring_ns[log->total++ % ICS_ROUTELOG_RING] = m->clock.now_ns;
	log->by_cause[cause]++;
}

const struct ics_routelog *
ics_model_routelog(const struct ics_model *m, uint32_t segment)
{
	return is_segment(m, segment) ? seg_by_id(m, segment)->routelog : NULL;
}

static void
remove_route(struct ics_model *m, uint32_t i)
{
	const struct route_entry *r = ics_table_at(&m->routes, i);

	seg_by_id(m, r->key.segment)->routes--;
	ics_table_remove(&m->routes, i);
}

static void
sweep(struct ics_model *m)
{
	uint64_t now = m->clock.now_ns;

	if (m->routes_swept_ns != 0 && now < m->routes_swept_ns + SWEEP_NS)
		return;
	m->routes_swept_ns = now;
	for (uint32_t i = 1; i <= m->routes.fresh; i++)
		if (ics_table_is_live(&m->routes, i) &&
		    ((const struct route_entry *)ics_table_at(&m->routes, i))->expires_ns <= now)
			remove_route(m, i);
}

static bool
has_room(struct ics_model *m, struct seg_entry *seg)
{
	if (seg->routes < ICS_ROUTES_PER_SEGMENT && m->routes.count < ICS_ROUTES_MAX)
		return true;
	sweep(m);
	return seg->routes < ICS_ROUTES_PER_SEGMENT && m->routes.count < ICS_ROUTES_MAX;
}

/* True when that made a route. One that cannot be kept is not counted: the count is "at least". */
static bool
set_route(struct ics_model *m, struct seg_entry *seg, const struct route_key *key, uint32_t lifetime_s)
{
	uint32_t i = ics_table_find(&m->routes, key);
	uint64_t now = m->clock.now_ns;
	struct route_entry *r;
	bool is_new;

	if (lifetime_s == 0) {
		if (i != 0)
			remove_route(m, i);
		return false;
	}
	if (i == 0) {
		if (!has_room(m, seg) || (i = ics_table_insert(&m->routes, key)) == 0) {
			m->stats.route_drops++;
			return false;
		}
		seg->routes++;
	}
	r = ics_table_at(&m->routes, i);
	is_new = r->expires_ns <= now;
	r->expires_ns = lifetime_s == UINT32_MAX ? UINT64_MAX : now + lifetime_s * NS_PER_S;
	return is_new;
}

static void
set_prefix(struct route_key *key, struct ics_view opt, uint32_t off, uint8_t plen)
{
	struct ics_view v = ics_view_sub(opt, off, 16);

	memset(key->prefix.b, 0, sizeof(key->prefix.b));
	for (unsigned bit = 0; bit < plen; bit += 8) {
		uint8_t mask = plen - bit >= 8 ? 0xff : (uint8_t)(0xff00 >> (plen - bit));

		key->prefix.b[bit / 8] = ics_view_u8(v, bit / 8) & mask;
	}
	key->plen = plen;
}

void
ics_routes_heard(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, const struct ics_msg *msg,
		 struct ics_change *out)
{
	struct ics_msg_options it = {0};
	struct ics_view opt;

	out->prefixes_before = seg->routes;
	while (ics_msg_option_next(msg, &it, &opt)) {
		uint8_t type = ics_view_u8(opt, 0), plen = ics_view_u8(opt, 2), flags = ics_view_u8(opt, 3);
		struct route_key key = {.segment = seg->s.id};

		if (plen > 128)
			continue;
		if (type == ICS_OPT_PIO && opt.len == 32 && (flags & ICS_PIO_ONLINK)) {
			set_prefix(&key, opt, 16, plen);
			if (ics_ip6_is_link_local(key.prefix.b) || ics_ip6_is_multicast(key.prefix.b))
				continue; /* RFC 4861 4.6.2 */
			key.cause = ICS_ROUTE_PREFIX;
			if (set_route(m, seg, &key, ics_view_be32(opt, 4))) {
				ics_route_created(m, seg, e, ICS_ROUTE_PREFIX);
				out->new_prefixes++;
			}
		} else if (type == ICS_OPT_RIO && (flags & ICS_RA_PRF_MASK) != 0x10) {
			if (plen > (opt.len - 8) * 8u)
				continue;
			set_prefix(&key, opt, 8, plen);
			key.router = msg->src;
			key.cause = ICS_ROUTE_MORE_SPECIFIC;
			if (set_route(m, seg, &key, ics_view_be32(opt, 4))) {
				ics_route_created(m, seg, e, ICS_ROUTE_MORE_SPECIFIC);
				out->new_prefixes++;
			}
		}
	}
}

bool
ics_route_tell(const struct ics_model *m, uint32_t index, struct ics_warm_route *out)
{
	const struct route_entry *r = ics_table_at(&m->routes, index);

	*out = (struct ics_warm_route){
		.prefix = r->key.prefix,
		.router = r->key.router,
		.segment = r->key.segment,
		.plen = r->key.plen,
		.cause = r->key.cause,
		.expires_ns = r->expires_ns,
	};
	return r->expires_ns > m->clock.now_ns;
}

bool
ics_route_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_route *w)
{
	struct route_key key = {
		.prefix = w->prefix, .router = w->router, .segment = seg->s.id, .plen = w->plen, .cause = w->cause};
	uint32_t i;

	if (seg->routes >= ICS_ROUTES_PER_SEGMENT || m->routes.count >= ICS_ROUTES_MAX ||
	    ics_table_find(&m->routes, &key) != 0)
		return false;
	i = ics_table_insert(&m->routes, &key);
	if (i == 0)
		return false;
	seg->routes++;
	((struct route_entry *)ics_table_at(&m->routes, i))->expires_ns = w->expires_ns;
	return true;
}

void
ics_routelog_restore(struct seg_entry *seg, const struct ics_routelog *log)
{
	if (log->total == 0)
		return;
	seg->routelog = calloc(1, sizeof(*log));
	if (seg->routelog != NULL)
		*seg->routelog = *log;
}
