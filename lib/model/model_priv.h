/* What the files of the model share. */
#ifndef ICS_MODEL_PRIV_H
#define ICS_MODEL_PRIV_H

#include "ics_model.h"

/* Entries of a segment by when they were heard: those heard once, those heard again. */
enum { ICS_PREFIX_ONCE, ICS_PREFIX_AGAIN, ICS_PREFIX_LISTS };
struct ics_prefix_list {
	uint32_t newest, oldest;
};

struct seg_entry {
	struct ics_table_head head;
	uint64_t key;         /* pack_segment_key() */
	uint32_t routers;     /* first of its list, newest first; index */
	uint64_t router_bits; /* router_bit() of those, and of some that are gone: most addresses need no look-up */
	struct ics_prefix_list prefix[ICS_PREFIX_LISTS];
	uint32_t prefixes;
	uint32_t routes;
	struct ics_routelog *routelog;
	struct ics_queriers *queriers; /* NULL: no query was heard */
	struct ics_segment s;
};

struct router_key {
	struct ics_ip addr;
	uint32_t segment;
};

struct router_entry {
	struct ics_table_head head;
	struct router_key key;
	uint32_t index;
	uint32_t next, prev; /* in the list of the segment */
	struct ics_timer expiry;
	uint64_t down_ns; /* it was taken from hosts then and is not back */
	struct ics_router_cycles cycles;
	struct ics_model *model;
	struct ics_router r;
};

/* Messages whose copies may still come, by hash of the frame. */
#define ICS_PATH_COPIES 256
struct ics_paths {
	struct ics_table rows, reporters, holes;
	struct ics_timer sweep;
	uint32_t hand; /* row that the sweep looked at last */
	uint64_t second;
	uint32_t in_second; /* new rows in that second */
	uint32_t flooded;   /* rows that came in a flood */
	uint64_t ring_at;
	uint32_t ring[ICS_PATHS_FLOOD_MAX]; /* their indexes */
	struct {
		uint64_t frame_hash, row_hash;
		uint32_t row;
	} copy[ICS_PATH_COPIES];
	ics_hole_fn on_hole;
	void *hole_ctx;
};

struct ics_frames;
/* What came in while its table was full, in turn: indexes. */
#define PROBATION 4096
struct probation {
	uint32_t index[PROBATION], next;
};

/* Segments that are found without a look-up. */
#define RECENT_SEGMENTS 256

struct ics_model {
	struct probation new_hosts, new_bindings;
	struct ics_frames *frames;
	struct ics_table dads, solicits, askers;
	uint32_t dad_oldest, dad_newest, solicit_oldest, solicit_newest; /* lists in order of start */
	struct ics_timer dad_timer, solicit_timer, sweep;
	uint32_t sweep_hand; /* binding that was looked at last */
	ics_dad_fn dad_over;
	void *dad_ctx;
	struct ics_change *change; /* of the message in hand */
	bool proves;               /* it is more than a claim: not an NA that nobody asked for */
	uint32_t asker_generation;
	uint64_t asker_filter_ns;
	uint8_t asker_filter[8192]; /* solicitations by hash of the asker, to tell who is worth an entry */
	struct ics_config conf;
	struct ics_clock clock;
	struct ics_table segments, routers, hosts, bindings;
	struct ics_binding_more *binding_more; /* of those, by index less one */
	struct ics_table holds;                /* what open anomalies are about */
	struct ics_table prefixes, advertisers;
	struct ics_ra_view ra;        /* of the latest RA */
	struct ics_query_event query; /* of the latest query */
	uint64_t prefix_seed;
	struct ics_paths paths;
	struct ics_mcast *mcast;       /* group.h */
	struct ics_gateways *gateways; /* gateway.c */
	struct ics_table routes;
	uint64_t routes_swept_ns;
	uint32_t latest_binding;                       /* that was looked up and found */
	struct seg_entry *recent_seg[RECENT_SEGMENTS]; /* by recent_segment(): they come in runs, or by turns */
	uint64_t minute_ns;                            /* when that of the latest message began */
	uint32_t expected_host, expected_solicit;      /* what the next record is about, perhaps: indexes */
	uint32_t *by_id;                               /* indexes of routers in order of id */
	uint32_t last_router_id;
	struct ics_timer reconf;        /* reconf.c: goes through the bindings */
	uint32_t reconf_hand;           /* 0: it is through */
	uint8_t gateway_last_byte[256]; /* 1 where a gateway ends in this byte: most addresses need no look-up */
	struct ics_model_stats stats;   /* drops and evictions; populations come from the tables */
};

static inline uint64_t
pack_segment_key(const struct ics_segment_key *k)
{
	return (uint64_t)k->port << 40 | (uint64_t)k->encap << 32 | (uint64_t)k->vlan_outer << 16 | k->vlan_inner;
}

/* Segments stay for good, so a place once filled is right or another's. */
static inline unsigned
recent_segment(uint64_t packed_key)
{
	return ics_hash_mix(packed_key, 0) % RECENT_SEGMENTS;
}

static inline uint64_t
router_bit(const struct ics_ip *addr)
{
	return 1ull << (ics_hash_mix(ics_load_u64(addr->b + 8), 0) >> 58);
}

static inline struct seg_entry *
seg_by_id(const struct ics_model *m, uint32_t id)
{
	return ics_table_at(&m->segments, id + 1);
}

static inline struct ics_binding_more *
binding_more_at(const struct ics_model *m, uint32_t i)
{
	return &m->binding_more[i - 1];
}

static inline struct ics_binding_more *
binding_more(const struct ics_model *m, const struct ics_binding *b)
{
	return binding_more_at(m, ics_table_index(&m->bindings, b));
}

/* Findings about icmpscope itself are about none. */
static inline bool
is_segment(const struct ics_model *m, uint32_t id)
{
	return id < m->segments.count;
}

/* router.c. The router of this address; a gateway of the configuration is made on demand. NULL: unknown. */
struct router_entry *ics_router_get(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr);
/* A new router in state UNKNOWN, or NULL when neither quota nor table have room (counted). */
struct router_entry *ics_router_make(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr);
void ics_router_advertised(struct ics_model *m, struct seg_entry *seg, struct router_entry *e,
			   const struct ics_msg *msg);
void ics_router_set_state(struct ics_model *m, struct seg_entry *seg, struct router_entry *e,
			  enum ics_router_state state);

/* evict.c. Who makes room for one more on this segment, in a full table: index, 0: nobody. */
int ics_holds_init(struct ics_model *m, uint64_t seed);
uint32_t ics_evict_host(struct ics_model *m, const struct seg_entry *seg);
uint32_t ics_evict_binding(struct ics_model *m, const struct seg_entry *seg);
/* An entry came into the table; to be called for each. */
void ics_evict_newcomer(struct probation *p, const struct ics_table *t, uint32_t index);
/* It asks for multicast listeners on its segment, at present. */
bool ics_router_is_querier(const struct ics_model *m, const struct ics_router *r);

/* prefix.c. What an RA announces, learned when the message is strict. counts: it is one of those that a router sends
 * while it is in service, so what it leaves out is missing.
 */
const struct ics_ra_view *ics_prefix_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg,
					   bool counts);

/* ra_items.c. The items of an RA without what is known of them; returns how many more there were than room. */
unsigned ics_ra_items(const struct ics_msg *msg, uint64_t seed, struct ics_ra_view *out);

/* neighbor.c. mac is claimed for a binding that has another one. */
enum ics_dispute { ICS_DISPUTE_LOOK, ICS_DISPUTE_LEARN };
void ics_binding_disputed(struct ics_model *m, struct ics_binding *b, const struct ics_mac *mac, uint64_t ts_ns,
			  bool replace, enum ics_dispute how_far);
/* What a lenient message claims, which changes nothing. */
void ics_binding_observed(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr,
			  const struct ics_mac *mac, uint64_t ts_ns, bool replace);
uint8_t ics_binding_mac_flags(const struct ics_model *m, const struct ics_mac *mac);

/* iid.c. Of a new address of this host (index, 0: unknown), before it is in its list. */
enum ics_iid ics_iid_of(const struct ics_model *m, uint32_t host, const struct ics_ip *addr);

/* Begins to let go of those that nobody claims. */
void ics_bindings_watch(struct ics_model *m);
/* reconf.c. What follows from m->conf alone. */
void ics_model_derive(struct ics_model *m);

/* frames.c. Step 0 or 1 for a frame that will be heard soon. */
int ics_frames_init(struct ics_model *m);
void ics_frames_fini(struct ics_model *m);
void ics_frames_prefetch(const struct ics_model *m, unsigned step, uint64_t hash);
/* NULL: such frames are not counted. */
const struct ics_frame_count *ics_frames_heard(struct ics_model *m, const struct ics_segment *seg,
					       const struct ics_msg *msg);
void ics_frames_copies(struct ics_model *m, const struct ics_segment *seg, const struct ics_record *rec);

/* dad.c */
void ics_dad_probed(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out);
void ics_dad_answered(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out);
bool ics_dad_is_won(struct ics_model *m, uint32_t segment, const struct ics_ip *addr, const struct ics_mac *mac);

/* solicit.c */
void ics_solicit_asked(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out);
void ics_solicit_answered(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg,
			  const struct ics_binding *before);

/* route.c */
int ics_routes_init(struct ics_model *m, uint64_t seed);
void ics_routes_fini(struct ics_model *m);
void ics_route_created(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, enum ics_route_cause cause);
/* The prefixes and routes of a strict RA; e: its sender, NULL when there is no room for it. */
void ics_routes_heard(struct ics_model *m, struct seg_entry *seg, struct router_entry *e, const struct ics_msg *msg,
		      struct ics_change *out);

/* group.c, member.c */
int ics_mcast_init(struct ics_model *m, uint64_t seed);
void ics_mcast_fini(struct ics_model *m);
void ics_members_drop(struct ics_model *m, struct ics_host *h);
void ics_members_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, uint32_t host,
		       struct ics_mcast_change *out);
void ics_mld_counted(struct ics_segment *s, uint64_t n, uint64_t now_ns);

/* querier.c */
void ics_queriers_fini(struct ics_model *m);
/* Learns from a query, valid or not; NULL: there is not enough of it. */
const struct ics_query_event *ics_query_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg);
void ics_query_copies(struct ics_model *m, const struct ics_segment *seg, const struct ics_record *rec);

/* path.c, hole.c */
int ics_paths_init(struct ics_model *m, uint64_t seed);
void ics_paths_fini(struct ics_model *m);
int ics_holes_init(struct ics_model *m, uint64_t seed);
/* A Packet Too Big or Fragmentation Needed message. */
void ics_path_heard(struct ics_model *m, const struct ics_segment *s, const struct ics_msg *msg,
		    struct ics_path_change *out);
/* Further copies of one of those. */
void ics_path_copies(struct ics_model *m, const struct ics_record *rec);
/* It has a black hole, or no more. */
enum ics_path_mark { ICS_PATH_MARK_HOLE, ICS_PATH_UNMARK_HOLE };
void ics_path_mark(struct ics_model *m, const struct ics_path *p, enum ics_path_mark what);

/* host.c. The host configures its addresses from the start: its link came up. */
void ics_host_booted(struct ics_model *m, struct seg_entry *seg, uint32_t host, uint64_t ts_ns);
/* NULL for index 0. */
const struct ics_host *ics_host_get(const struct ics_model *m, uint32_t host);
/* Routes were made again for one host alone. */
void ics_host_rerouted(struct ics_model *m, uint32_t host, uint32_t n);
/* host.c. The MAC that sent msg: index, 0 without MAC or memory. */
uint32_t ics_host_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, uint32_t hint);
void ics_host_flag(struct ics_model *m, struct seg_entry *seg, uint32_t host, uint16_t flag);
/* addr was claimed by host with mac as its link-layer address; NULL when it is no unicast address or there is no
 * room. A binding to another MAC is replaced only where may_replace says so (RFC 4861 7.2.3, 7.2.5). known: what
 * ics_binding_get() said of addr, or NULL; saves a look-up.
 */
enum ics_claim {
	ICS_CLAIM_PROBE,   /* by DAD, no claim yet */
	ICS_CLAIM_IMPLIED, /* by the MAC of a frame without link-layer address option: hosts learn nothing from it */
	ICS_CLAIM_KEEP,
	ICS_CLAIM_REPLACE,
};
struct ics_binding *ics_binding_claim(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr,
				      const struct ics_binding *known, const struct ics_mac *mac, uint32_t host,
				      uint64_t ts_ns, enum ics_claim how);
/* Looks at the next n places and lets those go that were not claimed for ICS_HOLD_NS. */
void ics_bindings_sweep(struct ics_model *m, uint32_t n);
struct ics_binding *ics_binding_get(struct ics_model *m, struct seg_entry *seg, const struct ics_ip *addr);

#endif
