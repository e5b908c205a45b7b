/* What the files of the engine share. */
#ifndef ICS_ENGINE_PRIV_H
#define ICS_ENGINE_PRIV_H

#include "ics_engine.h"

/* Frames that fired a stateful rule of late: their folded copies fire it too. */
#define STATEFUL_RECENT 256

struct ics_engine {
	struct ics_config conf;
	struct ics_model *model;
	struct ics_anomaly_store *anomalies;
	struct ics_detectors *detectors;
	struct ics_clock *clock; /* the model's */
	struct ics_known *known; /* NULL: nobody reads it */
	uint32_t known_segments; /* whose gateways are in the set */
	uint64_t reason[ICS_REASON_COUNT];
	struct {
		uint64_t frame_hash;
		enum ics_reason reason;
	} recent[STATEFUL_RECENT];
	bool started;
	bool steady; /* the clock of the records never runs back */
};

/* known.c. After a message changed the model. */
void ics_engine_note_known(struct ics_engine *e, const struct ics_change *c);
/* stateful.c */
void ics_engine_check_stateful(struct ics_engine *e, const struct ics_msg *msg, const struct ics_change *c);
void ics_engine_add_stateful_copies(struct ics_engine *e, const struct ics_record *rec);

#endif
