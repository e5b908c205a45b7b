/* What the files of the engine share. */
#ifndef ICS_ENGINE_PRIV_H
#define ICS_ENGINE_PRIV_H

#include "ics_engine.h"

/* Frames that fired a stateful rule of late: their folded copies fire it too. */
#define STATEFUL_RECENT 256
/* Datagrams whose fragments are looked at together. */
#define FRAGMENTS_MAX 4096

struct ics_engine {
	struct ics_config conf;
	struct ics_model *model;
	struct ics_anomaly_store *anomalies;
	struct ics_detectors *detectors;
	struct ics_clock *clock;       /* the model's */
	struct ics_known *known;       /* NULL: nobody reads it */
	struct ics_known *watch;       /* likewise: pairs for the samplers to look at */
	uint32_t known_segments;       /* whose gateways are in the set */
	struct ics_counters *stateful; /* of it, the rules that only the slow half can judge */
	struct ics_table fragments;
	uint64_t fragment_evictions, fragment_ranges_full;
	struct {
		uint64_t frame_hash;
		enum ics_reason reason;
	} recent[STATEFUL_RECENT];
	struct {
		ics_history_fn fn;
		void *ctx;
		uint64_t second, in_second; /* of the clock; events offered in it */
		uint64_t dropped;
	} history;
	bool started;
	bool steady; /* the clock of the records never runs back */
};

/* known.c. Gateways of the configuration may be new. */
void ics_engine_renew_known(struct ics_engine *e);
/* After a message changed the model. */
void ics_engine_note_known(struct ics_engine *e, const struct ics_change *c);
/* sample.c. A sample record; after a message changed the model. */
void ics_engine_take_sample(struct ics_engine *e, const struct ics_record *rec, struct ics_view bytes, uint64_t ts_ns,
			    const struct ics_segment *seg, uint64_t frame_no);
void ics_engine_note_watch(struct ics_engine *e, const struct ics_change *c);
/* history.c. After a message changed the model. */
void ics_engine_note_history(struct ics_engine *e, const struct ics_msg *msg, const struct ics_change *c);
/* fragment.c */
int ics_fragments_init(struct ics_engine *e, uint64_t seed);
/* Of a frame with fragments, extension headers or a chain that cannot be followed: overlaps, and what it hides. */
void ics_engine_look_hidden(struct ics_engine *e, const struct ics_record *rec, struct ics_view frame,
			    const struct ics_segment *seg, uint64_t ts_ns, uint64_t frame_no);
/* stateful.c */
void ics_engine_fire(struct ics_engine *e, enum ics_reason reason, const struct ics_record *rec, struct ics_view frame);
void ics_engine_check_stateful(struct ics_engine *e, const struct ics_msg *msg, const struct ics_change *c);
void ics_engine_add_stateful_copies(struct ics_engine *e, const struct ics_record *rec);

#endif
