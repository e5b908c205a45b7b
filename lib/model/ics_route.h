/* The automatic routes that router advertisements make on every host of a segment, counted for hosts that take only so
 * many of them until their link bounces; and the times at which a default router went and came back. Part of
 * ics_model.h.
 */
#ifndef ICS_ROUTE_H
#define ICS_ROUTE_H

#include "ics_table.h"

/* On-link prefixes and routes (PIO, RIO) that hosts have; default routes are states of routers. */
#define ICS_ROUTES_MAX 65536
#define ICS_ROUTES_PER_SEGMENT 256

enum ics_route_cause { ICS_ROUTE_DEFAULT, ICS_ROUTE_PREFIX, ICS_ROUTE_MORE_SPECIFIC, ICS_ROUTE_CAUSES };

/* Creations on a segment since start; nothing takes one back (a deleted route counts too). */
#define ICS_ROUTELOG_RING 128
struct ics_routelog {
	uint32_t total, by_cause[ICS_ROUTE_CAUSES];
	uint64_t ring_ns[ICS_ROUTELOG_RING]; /* of creation n at n % ICS_ROUTELOG_RING, n from 0 on */
};

/* A default router went (by an RA with lifetime 0, or by an NA with the router flag clear) and came back. */
#define ICS_ROUTER_CYCLES 16
struct ics_router_cycle {
	uint64_t down_ns, up_ns;
	bool by_na;
};
struct ics_router_cycles {
	uint32_t total;
	struct ics_router_cycle ring[ICS_ROUTER_CYCLES]; /* cycle n at n % ICS_ROUTER_CYCLES, n from 0 on */
};

#endif
