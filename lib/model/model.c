/* The model as a whole: its tables, its clock and its segments. */
#include "gateway.h"
#include "group.h"
#include "warm.h"

#include <errno.h>
#include <stdlib.h>

struct ics_model *
ics_model_new(const struct ics_config *conf, uint64_t seed)
{
	struct ics_model *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->conf = *conf;
	if (ics_table_init(&m->segments, sizeof(struct seg_entry), 8, ICS_SEGMENTS_MAX, ics_hash_mix(seed, 1)) != 0 ||
	    ics_table_init(&m->routers, sizeof(struct router_entry), sizeof(struct router_key), ICS_ROUTERS_MAX,
			   ics_hash_mix(seed, 2)) != 0 ||
	    ics_table_init(&m->hosts, sizeof(struct ics_host), 10, ICS_HOSTS_MAX, ics_hash_mix(seed, 3)) != 0 ||
	    ics_table_init(&m->bindings, sizeof(struct ics_binding), 20, ICS_BINDINGS_MAX, ics_hash_mix(seed, 4)) !=
		    0 ||
	    ics_table_init(&m->dads, sizeof(struct ics_dad), 20, ICS_DAD_MAX, ics_hash_mix(seed, 8)) != 0 ||
	    ics_table_init(&m->solicits, sizeof(struct ics_solicit), 20, ICS_SOLICITS_MAX, ics_hash_mix(seed, 9)) !=
		    0 ||
	    ics_table_init(&m->askers, sizeof(struct ics_asker), 10, ICS_ASKERS_MAX, ics_hash_mix(seed, 10)) != 0 ||
	    ics_table_init(&m->prefixes, sizeof(struct ics_prefix), 40, ICS_PREFIXES_MAX, ics_hash_mix(seed, 5)) != 0 ||
	    ics_table_init(&m->advertisers, sizeof(struct ics_advertiser), 20, ICS_ADVERTISERS_MAX,
			   ics_hash_mix(seed, 6)) != 0 ||
	    ics_routes_init(m, ics_hash_mix(seed, 8)) != 0 || ics_holds_init(m, ics_hash_mix(seed, 21)) != 0 ||
	    ics_paths_init(m, ics_hash_mix(seed, 12)) != 0 || ics_mcast_init(m, ics_hash_mix(seed, 13)) != 0 ||
	    ics_frames_init(m) != 0 || ics_gateways_init(m) != 0 ||
	    (m->binding_more = calloc(ICS_BINDINGS_MAX, sizeof(*m->binding_more))) == NULL ||
	    (m->by_id = calloc(ICS_ROUTERS_MAX, sizeof(*m->by_id))) == NULL) {
		ics_model_free(m);
		errno = ENOMEM;
		return NULL;
	}
	m->prefix_seed = ics_hash_mix(seed, 7);
	ics_model_derive(m);
	return m;
}

void
ics_model_free(struct ics_model *m)
{
	if (m == NULL)
		return;
	ics_queriers_fini(m);
	ics_frames_fini(m);
	ics_gateways_fini(m);
	ics_routes_fini(m);
	ics_paths_fini(m);
	ics_mcast_fini(m);
	ics_table_fini(&m->segments);
	ics_table_fini(&m->routers);
	ics_table_fini(&m->hosts);
	ics_table_fini(&m->bindings);
	ics_table_fini(&m->holds);
	ics_table_fini(&m->dads);
	ics_table_fini(&m->solicits);
	ics_table_fini(&m->askers);
	ics_table_fini(&m->prefixes);
	ics_table_fini(&m->advertisers);
	ics_timers_fini(&m->clock.timers);
	free(m->by_id);
	free(m->binding_more);
	free(m);
}

struct ics_clock *
ics_model_clock(struct ics_model *m)
{
	return &m->clock;
}

struct ics_segment_key
ics_segment_key_of(const struct ics_record *rec)
{
	return (struct ics_segment_key){
		.port = rec->port,
		.encap = rec->encap & (ICS_ENCAP_MPLS | ICS_ENCAP_PPPOE),
		.vlan_outer = rec->vlan_outer,
		.vlan_inner = rec->vlan_inner,
	};
}

/* Segments are never removed: an id is an index less one. */
static struct seg_entry *
make_segment(struct ics_model *m, const struct ics_segment_key *key)
{
	uint64_t packed = pack_segment_key(key);
	uint32_t i = ics_table_insert(&m->segments, &packed);
	struct seg_entry *e;

	if (i == 0) {
		m->stats.segment_drops++;
		return NULL;
	}
	e = ics_table_at(&m->segments, i);
	e->s.id = i - 1;
	e->s.key = *key;
	e->s.first_ns = m->clock.now_ns;
	return e;
}

static struct seg_entry *
segment_get(struct ics_model *m, const struct ics_record *rec)
{
	struct ics_segment_key key = ics_segment_key_of(rec);
	uint64_t packed = pack_segment_key(&key);
	struct seg_entry **recent = &m->recent_seg[recent_segment(packed)], *e;
	uint32_t i;

	if (*recent != NULL && (*recent)->key == packed)
		return *recent;
	i = ics_table_find(&m->segments, &packed);
	e = i == 0 ? make_segment(m, &key) : ics_table_at(&m->segments, i);
	if (e != NULL)
		*recent = e;
	return e;
}

struct seg_entry *
ics_segment_make(struct ics_model *m, const struct ics_segment_key *key)
{
	uint64_t packed = pack_segment_key(key);

	return ics_table_find(&m->segments, &packed) != 0 ? NULL : make_segment(m, key);
}

static bool
is_mld(uint8_t class)
{
	return class == ICS_CLASS_mld2_report || class == ICS_CLASS_mld1_report || class == ICS_CLASS_mld1_done ||
	       class == ICS_CLASS_mld_query;
}

const struct ics_segment *
ics_model_count(struct ics_model *m, const struct ics_record *rec)
{
	struct seg_entry *e = segment_get(m, rec);

	if (e == NULL)
		return NULL;
	if (rec->class < ICS_CLASS_COUNT)
		e->s.class[rec->class] += 1 + (uint64_t)rec->repeats;
	if (is_mld(rec->class))
		ics_mld_counted(&e->s, 1 + (uint64_t)rec->repeats, m->clock.now_ns);
	e->s.last_ns = m->clock.now_ns;
	return &e->s;
}

const struct ics_segment *
ics_model_segment(const struct ics_model *m, uint32_t id)
{
	return id < m->segments.count ? &seg_by_id(m, id)->s : NULL;
}

uint32_t
ics_model_segment_count(const struct ics_model *m)
{
	return m->segments.count;
}

bool
ics_model_is_learning(const struct ics_model *m, const struct ics_segment *seg)
{
	return m->clock.now_ns - seg->first_ns < m->conf.detect.learn_s * 1000000000ull;
}

bool
ics_model_is_gateway(const struct ics_model *m, const struct ics_ip *addr)
{
	if (!m->gateway_last_byte[addr->b[15]])
		return false;
	for (unsigned i = 0; i < m->conf.detect.gateways.n; i++)
		if (ics_ip_equal(&m->conf.detect.gateways.ip[i], addr))
			return true;
	return false;
}

uint64_t
ics_model_host_count(const struct ics_model *m)
{
	return m->hosts.count;
}

uint64_t
ics_model_binding_count(const struct ics_model *m)
{
	return m->bindings.count;
}

void
ics_model_stats(const struct ics_model *m, struct ics_model_stats *out)
{
	*out = m->stats;
	out->segments = m->segments.count;
	out->routers = m->routers.count;
	out->routes = m->routes.count;
	out->hosts = m->hosts.count;
	out->bindings = m->bindings.count;
	out->dads = m->dads.count;
	out->solicitations = m->solicits.count;
	out->prefixes = m->prefixes.count;
	out->groups = m->mcast->groups.count;
	out->members = m->mcast->members.count;
	out->paths = m->paths.rows.count;
	out->reporters = m->paths.reporters.count;
	out->holes = m->paths.holes.count;
}
