/* What the control core knows of the networks behind the tap: segments, their routers, their hosts and which
 * MAC holds which address. Capped tables keyed by seeded hashes; what a cap refuses is counted. Only strict messages
 * change it (a conforming receiver acts on them). Owned by one thread.
 */
#ifndef ICS_MODEL_H
#define ICS_MODEL_H

#include "ics_config.h"
#include "ics_frames.h"
#include "ics_group.h"
#include "ics_msg.h"
#include "ics_path.h"
#include "ics_prefix.h"
#include "ics_querier.h"
#include "ics_route.h"
#include "ics_sketch.h"
#include "ics_table.h"
#include "ics_timer.h"

#define ICS_SEGMENTS_MAX 4096
#define ICS_ROUTERS_MAX 16384
#define ICS_ROUTERS_PER_SEGMENT 64
#define ICS_HOSTS_MAX 131072
#define ICS_BINDINGS_MAX 1048576
#define ICS_BINDINGS_PER_MAC 4096

/* RFC 4861 6.3.4, 7.2.5: the default-router list entry that conforming hosts of the segment hold. */
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
	uint32_t routes_created; /* automatic routes that its hosts were given since start */
	uint32_t
		router_hosts; /* of the hosts: MACs that acted as routers (sent an RA, or an NA with the router flag) */
	/* New MACs that were made up for this network (locally administered): in this hour since the first, and the one before. */
	struct {
		uint64_t start_ns;
		uint32_t n, before;
	} mac_churn;
	uint64_t dads; /* detections of duplicate addresses that began */
	struct ics_mcast_load mcast;
	/* MLD messages, queries included: of the ten seconds that began at start_ns, and of those before. */
	struct {
		uint64_t start_ns, n, last_n;
	} mld;
	/* Solicitations for hosts known to be live, and how many of them were seen answered; in this window and the one
	 * before.
	 */
	struct {
		uint64_t start_ns;
		uint32_t asked, answered, last_asked, last_answered;
	} seen;
};

#define ICS_ROUTER_MACS 4
struct ics_router {
	uint32_t id;                         /* from 1 on, never reused */
	uint32_t segment;                    /* id */
	struct ics_ip addr;                  /* link-local */
	struct ics_mac mac[ICS_ROUTER_MACS]; /* learned from strict RAs, oldest first */
	unsigned n_macs;
	enum ics_router_state state;
	bool pinned; /* in detect.gateways */
	bool held;   /* ics_model_hold() */
	bool fhrp;   /* a MAC of a first-hop redundancy protocol, or in detect.anycast_gw_macs */
	uint64_t first_ns, last_ra_ns, expires_ns, last_r1_ns, last_r0_ns, retracted_ns, dad_ns;
	uint64_t last_nonzero_ra_ns;
	uint64_t default_ns; /* it is a default router, or was one last, since then */
	uint32_t lifetime_s; /* of the latest RA */
	uint32_t last_nonzero_lifetime_s;
	uint32_t reachable_ms, retrans_ms, mtu;
	uint8_t cur_hop_limit, flags;
	uint64_t ra_count, zero_ra_count, r0_count, transitions;
	/* Between RAs to all nodes, those within 200 ms taken as one, while it was a default router. */
	uint64_t last_multicast_ra_ns, interval_ewma_ns, interval_max_ns;
	uint32_t n_intervals;
	uint32_t routes_created; /* automatic routes that hosts owe to it */
	uint64_t unicast_ra_count;
};

/* A MAC that sent strict ND messages, or MLD reports that switches take, on a segment. */
#define ICS_HOST_ROUTER 0x01      /* sent an RA */
#define ICS_HOST_ROUTER_HINT 0x02 /* sent an NA with the router flag */
#define ICS_HOST_PROXY 0x04       /* in detect.proxies, or named another MAC than its own in what it sent */
#define ICS_HOST_FHRP 0x08        /* of a first-hop redundancy protocol, or in detect.anycast_gw_macs */
#define ICS_HOST_HYPERVISOR 0x10  /* named several other MACs: a bridge, a wireless controller */
/* What the interface identifier of an address tells (RFC 4291 2.5.1, RFC 7217, RFC 8981). Random ones look alike: the
 * first that a MAC has in a /64 is taken for its stable one, the others for temporary.
 */
enum ics_iid { ICS_IID_EUI64, ICS_IID_STABLE, ICS_IID_TEMP, ICS_IID_LINK_LOCAL, ICS_IID_COUNT };
const char *ics_iid_name(enum ics_iid iid);
/* An address that was not heard for so long is no longer counted as its host's. */
#define ICS_HOLD_NS 86400000000000ull
struct ics_host {
	struct ics_table_head head;
	uint32_t segment; /* id; with mac the key */
	struct ics_mac mac;
	uint16_t flags;
	uint32_t n_bindings, oldest, newest; /* bindings that this MAC claimed, in order: indexes into the table */
	uint64_t first_ns, last_ns, last_rs_ns, last_dad_ns;
	uint64_t last_data_ns;         /* data that it sent, to about a minute; 0: none seen, or the sampler is off */
	uint16_t n_iid[ICS_IID_COUNT]; /* of the bindings */
	uint32_t n_proven;             /* likewise */
	uint32_t temp_arrivals;        /* temporary addresses that were new */
	struct ics_mac other;          /* the first other MAC that it named as its own or its target's */
	uint8_t mld_version;           /* of its latest report; 0: none */
	bool held;                     /* ics_model_hold() */
	uint64_t boot_ns;              /* its link came up: it began to configure addresses anew; 0: not seen */
	uint32_t routes_base;          /* routes_created of the segment then, or when it was first heard */
	uint32_t routes_extra;         /* made again for it alone since */
	uint32_t member_oldest, member_newest; /* its memberships in order of joining: indexes */
	uint16_t n_groups, n_snm;              /* memberships; of them in solicited-node groups */
	uint32_t mld_at;                       /* ICS_COARSE(): its latest report or done; 0: never */
};

/* An address and the MAC that claims it, RFC 4861 7.2. */
#define ICS_BINDING_ROUTER 0x01    /* an NA for it had the router flag */
#define ICS_BINDING_TENTATIVE 0x02 /* only ever asked for by duplicate address detection (RFC 4862 5.4) */
#define ICS_BINDING_OVERRIDE 0x04  /* of the latest NA about it */
#define ICS_BINDING_SOLICITED 0x08 /* likewise */
#define ICS_BINDING_PROXY 0x10     /* its MAC is in detect.proxies */
#define ICS_BINDING_ANYCAST 0x20   /* its MAC is in detect.anycast_gw_macs */
#define ICS_BINDING_FHRP 0x40      /* its MAC is one of a first-hop redundancy protocol */
#define ICS_BINDING_DISPUTED 0x80  /* claimed for two MACs */
struct ics_binding {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	struct ics_mac mac;
	uint8_t flags;
	uint8_t iid : 6;    /* enum ics_iid */
	uint8_t held : 1;   /* ics_model_hold() */
	uint8_t proven : 1; /* its MAC asked for it, asked from it or answered for it: more than a claim in passing */
	uint32_t host;      /* index of the host that claimed it, 0 when that is gone */
	uint64_t first_ns, last_ns;
	uint32_t dad_at;  /* ICS_COARSE(): its latest DAD; 0: never */
	uint16_t changes; /* of the MAC; saturates */
};

/* What few messages are about, apart from what each one is: a binding is a cache line. */
struct ics_binding_more {
	uint32_t older, newer; /* in the list of its host */
	uint32_t moved_at;     /* ICS_COARSE(): the latest change of its MAC; 0: never */
	struct ics_mac prev;   /* the MAC before this one, zero when there was none */
};

/* Times of which a million are kept: in about milliseconds, and good for 52 days. */
#define ICS_COARSE_NS (1u << 20)
#define ICS_COARSE(ns) ((uint32_t)((ns) / ICS_COARSE_NS) | 1)

/* A duplicate address detection that is under way (RFC 4862 5.4): three seconds from its first probe. */
#define ICS_DAD_MAX 65536
#define ICS_DAD_NS 3000000000ull
struct ics_dad {
	struct ics_table_head head;
	struct ics_ip target; /* with segment the key */
	uint32_t segment;
	uint32_t newer; /* the next to end; index */
	struct ics_mac asker;
	uint8_t nonce[6];      /* of RFC 7527, zero without */
	uint32_t answers : 31; /* NAs and probes of others */
	uint32_t done : 1;     /* the asker uses the address */
	uint64_t start_ns;
	uint64_t frame_hash;
};

/* A solicitation that waits for its answer. */
#define ICS_SOLICITS_MAX 262144
#define ICS_SOLICIT_NS 3000000000ull
struct ics_solicit {
	_Alignas(64) struct ics_table_head head; /* a cache line */
	struct ics_ip target;                    /* with segment the key */
	uint32_t segment;
	uint32_t newer : 31; /* the next to end; index */
	uint32_t answered : 1;
	uint32_t asker, generation; /* index, and which of those that had it */
	uint64_t start_ns;
};

/* A MAC that asks for many addresses. */
#define ICS_ASKERS_MAX 4096
struct ics_asker {
	struct ics_table_head head;
	uint32_t segment; /* with mac the key */
	struct ics_mac mac;
	uint16_t spare;
	uint32_t generation;
	uint32_t pending;            /* different targets without an answer, of the last three seconds */
	uint64_t window_ns, last_ns; /* since when the following are; its latest solicitation */
	uint64_t asked;
	uint32_t in_row, most_in_row; /* targets that each are the one before plus one */
	struct ics_ip last, addr;     /* latest target; the address that it asks from */
	struct ics_hll targets, answered;
};

/* What a message claims as the link-layer address of its sender or target, and what was known before. */
struct ics_claim_change {
	bool claims;         /* it claims one for addr */
	bool known;          /* which had one: before */
	bool differs;        /* before is another MAC */
	bool replaced;       /* hosts take the new one at once (RFC 4861 7.2.3, 7.2.5) */
	bool tentative;      /* before only asked for it (DAD) */
	bool asked_first;    /* claimed probed for the address within three seconds and nobody answered */
	bool before_is_live; /* before held it for 50 ms or longer, not just in passing */
	uint8_t flags;       /* of the binding, after */
	uint16_t changes;    /* likewise */
	struct ics_ip addr;
	struct ics_mac claimed, before;
	uint64_t before_heard_ns; /* when before was last heard with anything; 0: not known */
	uint64_t held_ns;         /* how long before held it */
};

/* What became of the binding that a message claims, for the address history: SEEN at most once a minute. */
#define ICS_NOTE_NS 60000000000ull
enum ics_note { ICS_NOTE_NONE, ICS_NOTE_NEW, ICS_NOTE_MOVED, ICS_NOTE_SEEN };
struct ics_binding_note {
	enum ics_note what;
	const struct ics_binding *binding; /* as it is now */
	bool proven;                       /* by this message */
	uint64_t before_ns;                /* MOVED: when the MAC before was last heard with it */
	struct ics_mac before;
};

/* What one message meant to the model, for the detectors: the router that it is about, as it was and as it is. */
enum ics_match { ICS_MATCH_NONE, ICS_MATCH_TARGET, ICS_MATCH_SOURCE, ICS_MATCH_BOTH };
struct ics_change {
	const struct ics_segment *segment; /* NULL: over the cap, nothing else is set */
	bool has_router;      /* RA: its source; NA: the target, or else the source; NS from :: (DAD): the target */
	bool created;         /* an RA made this router known */
	bool crowded;         /* ... where the segment had its quota of routers already */
	bool mac_known;       /* smac is a MAC of the router, or none is learned yet */
	bool lla_known;       /* likewise for the SLLA or TLLA; true when there is none */
	bool own_dad;         /* an NA within 60 s after the router's own DAD for this address */
	bool kill;            /* an NA after which hosts drop the router (7.2.5) */
	enum ics_match match; /* which address of an NA is a router's */
	struct ics_router before, after;
	struct ics_claim_change claim;
	bool new_host;    /* its MAC was never heard here */
	bool new_address; /* it claims an address that nobody claimed or probed for */
	/* NS from ::, NA: the detection under way for the target, as it was before this message; NULL: none. */
	const struct ics_dad *dad;
	bool dad_started;              /* this NS began it (then dad is NULL) */
	const struct ics_asker *asker; /* of an NS to a multicast address, when its sender asks a lot */
	/* RA: its sender had not acted as a router, but as a host; on-link prefixes and routes that it brought, and how
	 * many the segment had before.
	 */
	bool sender_was_host;
	uint32_t new_prefixes, prefixes_before;
	uint64_t source_first_ns;            /* when the source address of an NS was first seen; 0: unknown */
	const struct ics_ra_view *ra;        /* of an RA, what it announces; NULL: another message */
	struct ics_path_change path;         /* of Packet Too Big and Fragmentation Needed */
	const struct ics_host *host;         /* that sent it, as it is now; NULL: not known */
	const struct ics_frame_count *frame; /* how often its frame came; NULL: not counted */
	struct ics_binding_note note;
	struct ics_mcast_change mcast;       /* of a report or done */
	const struct ics_query_event *query; /* of an MLD query; NULL: another message, or not enough of it */
};

struct ics_model;

struct ics_model *ics_model_new(const struct ics_config *conf, uint64_t seed);
/* Settings that changed; copied. Keys that are not live must be as they were. */
void ics_model_configure(struct ics_model *m, const struct ics_config *conf);
void ics_model_free(struct ics_model *m);

/* An open anomaly is about the router, the address or the MAC (behind ten zeros) that goes by this name: it is kept until
 * it was released as often.
 */
void ics_model_hold(struct ics_model *m, uint32_t segment, const struct ics_ip *key);
void ics_model_release(struct ics_model *m, uint32_t segment, const struct ics_ip *key);

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
	uint64_t dads, dad_drops, solicitations, solicitation_drops;
	uint64_t binding_expiries; /* not claimed for ICS_HOLD_NS */
	uint64_t routes, route_drops, router_evictions;
	uint64_t segment_drops, router_drops, host_evictions, binding_evictions, host_drops, binding_drops;
	uint64_t paths, path_drops, path_evictions, path_expiries, reporters, reporter_evictions, holes, hole_drops;
	uint64_t prefixes, prefix_drops, prefix_evictions, advertiser_evictions;
	uint64_t groups, members; /* drops: a segment or a table had its fill and nothing in it could go */
	uint64_t group_drops, group_evictions, member_drops, member_evictions, member_expiries;
};
void ics_model_stats(const struct ics_model *m, struct ics_model_stats *out);

/* ---- for the engine and the detectors ------------------------------------------------------------ */

/* The clock of the slow half. Deadlines of the model and the detectors are in its timers. */
struct ics_clock {
	uint64_t now_ns;    /* rebased packet time, never runs back */
	uint64_t offset_ns; /* rebased less packet time */
	struct ics_timers timers;
};
struct ics_clock *ics_model_clock(struct ics_model *m);

/* Counts a record in its segment, a new one included; NULL when there are ICS_SEGMENTS_MAX others. */
const struct ics_segment *ics_model_count(struct ics_model *m, const struct ics_record *rec);
/* Data of a MAC was seen (class sample, HOSTDATA). */
void ics_model_note_data(struct ics_model *m, const struct ics_segment *seg, const struct ics_mac *mac, uint64_t ts_ns);
/* Learns from a message on the segment that ics_model_count() gave, and tells what changed. Lenient messages get
 * the same view of the router without changing it.
 */
void ics_model_apply(struct ics_model *m, const struct ics_segment *seg, const struct ics_msg *msg,
		     struct ics_change *out);
/* Steps from 0 on for records that ics_model_apply() will see soon, each for all of them before the next: brings into
 * the cache what they are about. ahead is what one record passes from step to step.
 */
#define ICS_MODEL_PREFETCH_STEPS 4
struct ics_ahead {
	uint32_t segment;       /* id plus one; 0: not known, or its sender is not */
	uint64_t binding, host; /* hashes, then indexes; 0: none */
	uint64_t group, member; /* likewise */
	uint64_t news_group;    /* hash */
	uint64_t solicit;       /* likewise */
	uint64_t asker, dad;    /* hashes */
	bool binding_late;      /* its entry stands behind another one */
	bool reports;           /* a membership: group is set, or new */
};
void ics_model_prefetch(const struct ics_model *m, unsigned step, const struct ics_record *rec, struct ics_view frame,
			struct ics_ahead *ahead);
/* Of the record that comes next, after all steps: what was found for it is looked at before the tables. */
void ics_model_expect(struct ics_model *m, const struct ics_ahead *ahead);
struct ics_segment_key ics_segment_key_of(const struct ics_record *rec);

const struct ics_router *ics_model_router_find(struct ics_model *m, uint32_t segment, const struct ics_ip *addr);
/* The routers of one segment, newest first; returns how many were put into out. */
unsigned ics_model_segment_routers(const struct ics_model *m, uint32_t segment,
				   const struct ics_router *out[static ICS_ROUTERS_PER_SEGMENT]);
const struct ics_host *ics_model_host_find(struct ics_model *m, uint32_t segment, const struct ics_mac *mac);
/* The addresses that a host holds, the latest claimed first: begin with after = NULL. NULL past the last; at most
 * ICS_BINDINGS_PER_MAC.
 */
const struct ics_binding *ics_model_host_binding(const struct ics_model *m, const struct ics_host *h,
						 const struct ics_binding *after);
/* Takes from the host what it has not been heard with for ICS_HOLD_NS. */
void ics_model_host_age(struct ics_model *m, const struct ics_host *h);
const struct ics_binding *ics_model_binding_find(struct ics_model *m, uint32_t segment, const struct ics_ip *addr);
/* Bindings in order of their index in the table: the first at or behind *index that lives, and *index is its own. NULL:
 * none in the next ICS_BINDING_STEPS, *index is where to go on, or 0 when that is the end.
 */
#define ICS_BINDING_STEPS 65536
const struct ics_binding *ics_model_binding_next(const struct ics_model *m, uint32_t *index);
uint32_t ics_model_binding_last(const struct ics_model *m);                                /* no index is higher */
const struct ics_binding *ics_model_binding_at(const struct ics_model *m, uint32_t index); /* NULL: it is free */
const struct ics_binding_more *ics_model_binding_more(const struct ics_model *m, const struct ics_binding *b);
/* So many in the last one to two hours. */
uint32_t ics_segment_mac_churn(const struct ics_segment *seg, uint64_t now_ns);
/* Of a hundred answers of hosts known to be live the tap saw so many; -1 when there were too few to tell. */
#define ICS_VISIBILITY_SAMPLE 50
#define ICS_VISIBILITY_LOW 50
int ics_segment_visibility(const struct ics_segment *seg, uint32_t *sample);
/* Called when a duplicate address detection is over. One listener; NULL: none. */
typedef void (*ics_dad_fn)(void *ctx, const struct ics_dad *dad);
void ics_model_on_dad_over(struct ics_model *m, ics_dad_fn fn, void *ctx);
/* Of a first-hop redundancy protocol or in detect.anycast_gw_macs; in detect.proxies; in detect.watch. */
bool ics_model_is_shared_mac(const struct ics_model *m, const struct ics_mac *mac);
bool ics_model_is_proxy(const struct ics_model *m, const struct ics_mac *mac);
bool ics_model_is_watched(const struct ics_model *m, const struct ics_ip *addr);
/* Hosts in order of their index in the table, from 1 on: the first that lives at or behind *index, which becomes its
 * own; NULL: there is none.
 */
const struct ics_host *ics_model_host_next(const struct ics_model *m, uint32_t *index);
/* NULL: no route was made. */
const struct ics_routelog *ics_model_routelog(const struct ics_model *m, uint32_t segment);
/* NULL: the router is not known. */
const struct ics_router_cycles *ics_model_router_cycles(struct ics_model *m, uint32_t segment,
							const struct ics_ip *addr);
bool ics_model_is_gateway(const struct ics_model *m, const struct ics_ip *addr); /* in detect.gateways */
/* NULL: no query was heard there. */
const struct ics_queriers *ics_model_queriers(const struct ics_model *m, uint32_t segment);
/* Further copies of a message that went before (ICS_REC_COPIES). */
void ics_model_copies(struct ics_model *m, const struct ics_segment *seg, const struct ics_record *rec);
/* While a segment is younger than detect.learn_s, what is new on it is not news. */
bool ics_model_is_learning(const struct ics_model *m, const struct ics_segment *seg);

/* A MAC of a first-hop redundancy protocol. */
bool ics_mac_is_fhrp(const struct ics_mac *mac);
bool ics_router_has_mac(const struct ics_router *r, const struct ics_mac *mac);
/* Default router preference of RFC 4191 2.1: 2 high, 1 medium (also the reserved value), 0 low. */
unsigned ics_router_preference(const struct ics_router *r);
const char *ics_router_preference_name(const struct ics_router *r);

#endif
