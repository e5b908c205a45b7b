/* What the control core knows of the networks behind the tap: segments, their routers, their hosts and which
 * MAC holds which address. Capped tables keyed by seeded hashes; what a cap refuses is counted. Only strict messages
 * change it (a conforming receiver acts on them). Owned by one thread.
 */
#ifndef ICS_MODEL_H
#define ICS_MODEL_H

#include "ics_config.h"
#include "ics_msg.h"

#define ICS_SEGMENTS_MAX 4096
#define ICS_ROUTERS_MAX 16384
#define ICS_ROUTERS_PER_SEGMENT 64
#define ICS_HOSTS_MAX 131072
#define ICS_BINDINGS_MAX 1048576
#define ICS_BINDINGS_PER_MAC 4096

/* rules.md B2: the default-router list entry that conforming hosts of the segment hold. */
enum ics_router_state {
	ICS_ROUTER_UNKNOWN,    /* configured as a gateway, no RA heard yet */
	ICS_ROUTER_NONDEFAULT, /* only ever advertised lifetime 0 */
	ICS_ROUTER_DEFAULT,
	ICS_ROUTER_RETRACTED, /* by an RA with lifetime 0 */
	ICS_ROUTER_HOSTED,    /* by an NA with the router flag clear */
	ICS_ROUTER_EXPIRED,
};

struct ics_segment {
	uint32_t id; /* dense, from 0 on */
	struct ics_segment_key key;
	uint64_t first_ns, last_ns;
	uint64_t class[ICS_CLASS_COUNT]; /* control messages, copies included */
	uint32_t routers, default_routers, hosts, bindings;
};

#define ICS_ROUTER_MACS 4
struct ics_router {
	uint32_t id; /* from 1 on, never reused */
	uint32_t segment; /* id */
	struct ics_ip addr; /* link-local */
	struct ics_mac mac[ICS_ROUTER_MACS]; /* learned from strict RAs, oldest first */
	unsigned n_macs;
	enum ics_router_state state;
	bool pinned; /* in detect.gateways */
	bool fhrp;   /* a MAC of a first-hop redundancy protocol, or in detect.anycast_gw_macs */
	uint64_t first_ns, last_ra_ns, expires_ns, last_r1_ns, last_r0_ns, retracted_ns, dad_ns;
	uint64_t last_nonzero_ra_ns;
	uint32_t lifetime_s; /* of the latest RA */
	uint32_t last_nonzero_lifetime_s;
	uint32_t reachable_ms, retrans_ms, mtu;
	uint8_t cur_hop_limit, flags;
	uint64_t ra_count, zero_ra_count, r0_count, transitions;
};

struct ics_model;

struct ics_model *ics_model_new(const struct ics_config *conf, uint64_t seed);
void ics_model_free(struct ics_model *m);

/* Segment by id, NULL past the last; ids are dense, so counting up visits all. */
const struct ics_segment *ics_model_segment(const struct ics_model *m, uint32_t id);
uint32_t ics_model_segment_count(const struct ics_model *m);
/* Routers in order of id: the one with the lowest id >= id, or NULL. */
const struct ics_router *ics_model_router_next(const struct ics_model *m, uint32_t id);
const char *ics_router_state_name(enum ics_router_state s);
uint64_t ics_model_host_count(const struct ics_model *m);
uint64_t ics_model_binding_count(const struct ics_model *m);

struct ics_model_stats {
	uint64_t segments, routers, hosts, bindings;
	uint64_t segment_drops, router_drops, host_evictions, binding_evictions;
};
void ics_model_stats(const struct ics_model *m, struct ics_model_stats *out);

#endif
