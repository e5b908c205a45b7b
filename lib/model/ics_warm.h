/* What of the model outlives a restart: segments that were learned, their routers with all that these announce, the
 * automatic routes that hosts were given, MACs with a role, and the addresses of routers. Plain copies without pointers,
 * taken one at a time so that the control core can go through the model in slices. Part of ics_model.h's library;
 * lib/state puts them on file.
 */
#ifndef ICS_WARM_H
#define ICS_WARM_H

#include "ics_model.h"

/* In the order in which they are told, which is the order in which they are to be taken back. */
enum ics_warm_kind {
	ICS_WARM_MODEL,
	ICS_WARM_SEGMENT,
	ICS_WARM_ROUTER,
	ICS_WARM_ADVERTISER,
	ICS_WARM_PREFIX,
	ICS_WARM_ROUTE,
	ICS_WARM_HOST,
	ICS_WARM_BINDING,
	ICS_WARM_KINDS,
};
const char *ics_warm_kind_name(enum ics_warm_kind k);

/* Names (of search domains and the like) are known by a keyed hash, so its key goes along. */
struct ics_warm_model {
	uint64_t prefix_seed;
};

/* Of s: key, first_ns, last_ns, routes_created, dads, seen. */
struct ics_warm_segment {
	struct ics_segment s;
	struct ics_routelog routes;
};

/* Cycle n of n at n % ICS_ROUTER_CYCLES. pinned and fhrp of r are made anew from the configuration. */
struct ics_warm_router {
	struct ics_router r;
	uint64_t gone_ns; /* it was taken from hosts then and is not back */
	uint32_t cycles;
	uint64_t cycle_down_ns[ICS_ROUTER_CYCLES], cycle_up_ns[ICS_ROUTER_CYCLES];
	uint8_t cycle_by_na[ICS_ROUTER_CYCLES];
};

struct ics_warm_route {
	struct ics_ip prefix, router;
	uint32_t segment;
	uint8_t plen, cause;
	uint64_t expires_ns;
};

/* A MAC that is a router, a proxy, a hypervisor or shared by routers. */
struct ics_warm_host {
	uint32_t segment;
	struct ics_mac mac, other;
	uint16_t flags;
	uint64_t first_ns, last_ns, last_rs_ns, last_dad_ns, boot_ns;
	uint32_t routes_base, routes_extra;
};

struct ics_warm_binding {
	struct ics_ip addr;
	uint32_t segment;
	struct ics_mac mac, prev, host; /* host: that claimed it */
	uint8_t flags, iid, proven;
	uint16_t changes;
	uint64_t first_ns, last_ns;
};

/* Segment ids are those of the model that told. head, id, links and indexes of public structs mean nothing here. */
union ics_warm {
	struct ics_warm_model model;
	struct ics_warm_segment segment;
	struct ics_warm_router router;
	struct ics_advertiser advertiser;
	struct ics_prefix prefix;
	struct ics_warm_route route;
	struct ics_warm_host host;
	struct ics_warm_binding binding;
};

/* Addresses of one router and of all that are told; the rest is heard again soon. */
#define ICS_WARM_BINDINGS_PER_HOST 32
#define ICS_WARM_BINDINGS_MAX 131072

/* Where a walk through the model stands; all zero to begin with. */
struct ics_warm_walk {
	enum ics_warm_kind kind;
	uint32_t index, nth, bindings;
};
/* The next thing to keep, of which w->kind is set before the call returns true. False: *steps places were looked at and
 * the walk goes on with another call, or it is over (kind is ICS_WARM_KINDS). *kind_out is what *out holds.
 */
bool ics_model_warm_next(const struct ics_model *m, struct ics_warm_walk *w, unsigned *steps,
			 enum ics_warm_kind *kind_out, union ics_warm *out);

/* A segment that nobody was heard on for so long is learned anew, with all that was on it. */
#define ICS_WARM_SEGMENT_NS (7 * 86400000000000ull)

/* Taking back, into a model that has not heard anything. */
struct ics_warm_back {
	uint64_t now_ns;                    /* of the model's clock; nothing restored is later, deadlines apart */
	uint32_t segment[ICS_SEGMENTS_MAX]; /* id then -> id now, and 1 */
	uint64_t taken[ICS_WARM_KINDS], left[ICS_WARM_KINDS];
};
/* Every number is in its range as ics_state's tables have it; relations are checked here: what does not fit (an unknown
 * segment, a second entry of the same name, no room, too old) is left out and counted.
 */
bool ics_model_warm_put(struct ics_model *m, struct ics_warm_back *b, enum ics_warm_kind kind, const union ics_warm *w);

#endif
