/* Anomalies on standard output as they open, worsen and clear. */
#ifndef ICMPSCOPE_ANNOUNCE_H
#define ICMPSCOPE_ANNOUNCE_H

#include "ics_anomaly.h"

#define ANNOUNCE_SLOTS (2 * ICS_ANOMALY_STORE_MAX)

struct announce {
	uint64_t next_seq;
	uint64_t unprinted; /* standard output took no more at that time */
	bool gone;          /* nobody reads it any more */
	/* what was said of an anomaly last; by id, newer ones take the place of older ones */
	struct {
		uint64_t id;
		uint8_t severity, state;
	} said[ANNOUNCE_SLOTS];
};

/* Says what changed since the last call. Never blocks: a reader that does not read is skipped. */
void announce_news(struct announce *a, const struct ics_anomaly_store *s);

#endif
