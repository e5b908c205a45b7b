/* What happened to default routers, as a log: who became one with which lifetime and preference, what changed, who was
 * taken back and how, who was left. A ring with a sequence number, for timelines; it decides nothing.
 */
#ifndef ICS_GATEWAY_H
#define ICS_GATEWAY_H

#include "ics_wire.h"

#include <stdint.h>

struct ics_model;

/* Events kept, the latest ones. */
#define ICS_GATEWAY_EVENTS 1024

enum ics_gateway_what {
	ICS_GATEWAY_ADVERTISED,   /* hosts hold it as a default router from now on */
	ICS_GATEWAY_CHANGED,      /* they still do: another lifetime or preference */
	ICS_GATEWAY_RETRACTED,    /* by an RA with lifetime 0 (RFC 4861 6.3.4) */
	ICS_GATEWAY_FLAG_CLEARED, /* by an NA with the router flag clear (RFC 4861 7.2.5) */
	ICS_GATEWAY_EXPIRED,      /* its lifetime ran out */
	ICS_GATEWAY_WHATS
};
/* "advertised", "changed", "retracted", "flag_cleared", "expired" */
const char *ics_gateway_what_name(enum ics_gateway_what what);

struct ics_gateway_event {
	uint64_t seq;             /* from 1 on */
	uint64_t ts_ns;           /* packet time */
	uint32_t router, segment; /* ids */
	struct ics_ip addr;
	struct ics_mac mac; /* the newest that was learned; zero before any was */
	uint8_t what;       /* enum ics_gateway_what */
	uint8_t flags;      /* of its RA: preference */
	uint16_t left;      /* default routers of the segment afterwards */
	uint32_t lifetime_s, lifetime_before_s;
};

/* The event of the lowest sequence number >= seq, or NULL. */
const struct ics_gateway_event *ics_gateway_next(const struct ics_model *m, uint64_t seq);
uint64_t ics_gateway_count(const struct ics_model *m); /* in the ring now */
/* Events that came faster than one a second of their kind, after a burst of ICS_GATEWAY_BURST: not in the log, so that a flood
 * of invented routers does not push out what happened to the true ones.
 */
#define ICS_GATEWAY_BURST 64
uint64_t ics_gateway_skipped(const struct ics_model *m);

#endif
