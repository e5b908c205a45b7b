/* The detectors: one file each (det_<name>.c), one row each in detectors.def. A detector sees every parsed
 * message together with what it changed in the model, and is told time; it opens, updates and clears anomalies.
 */
#ifndef ICS_DETECT_H
#define ICS_DETECT_H

#include "ics_anomaly.h"
#include "ics_config.h"
#include "ics_count.h"
#include "ics_model.h"
#include "ics_sample.h"

/* What /icmpscope/detector/info says. Strings are static. */
struct ics_detector_info {
	const char *name;
	const char *rfc;
	const char *text;           /* what it is, one line */
	const char *advice;         /* what to do, one line */
	const char *thresholds;     /* "key value unit, ..." */
	enum ics_severity severity; /* by default */
	const char *state;          /* "on", "muted", "not_assessed" */
	const char *lacks;          /* of one that is not assessed, what it needs and does not have */
	uint64_t fired, cleared, suppressed;
};

/* What one worker could not hand over within about a second, because a ring was full. */
struct ics_loss {
	unsigned worker;
	uint8_t port;
	uint64_t messages; /* that it had for the control core in that time, lost ones included */
	uint64_t lost[ICS_DROP_COUNT];
	uint64_t lost_class[ICS_CLASS_COUNT];
};

struct ics_detectors;

/* All detectors over one model and one store; conf, model and store outlive them. NULL and errno ENOMEM. */
struct ics_detectors *ics_detectors_new(const struct ics_config *conf, struct ics_model *model,
					struct ics_anomaly_store *store, uint64_t seed);
void ics_detectors_free(struct ics_detectors *s);
/* Settings that changed; after the model has them. */
void ics_detectors_configure(struct ics_detectors *s, const struct ics_config *conf);
/* A message, after ics_model_apply() told what it changed. Timers of detectors are in the model's clock. */
void ics_detectors_message(struct ics_detectors *s, const struct ics_msg *msg, const struct ics_change *change);
/* A message of that class comes soon, macs: to whom and from whom. Detectors with large tables ask for the memory. */
void ics_detectors_ahead(const struct ics_detectors *s, uint8_t class, uint32_t segment, const uint8_t *macs);
/* A frame whose shape hides its message from filters: fragments, extension headers, chains that cannot be followed.
 * Of msg no more than addresses and frame need to be there; type is that of the message, or 0 where it is unknown.
 */
void ics_detectors_hidden(struct ics_detectors *s, const struct ics_msg *msg, const struct ics_segment *segment,
			  uint8_t type);
/* A frame of a host that is no control message (ip6_other, ip4_other): of msg only addresses and frame are there. */
void ics_detectors_data(struct ics_detectors *s, const struct ics_msg *msg, const struct ics_segment *segment);
/* What the TCP sampler tells of a flow; msg is made of it, and live as long as the call. */
void ics_detectors_sample(struct ics_detectors *s, const struct ics_sample *sample, const struct ics_msg *msg,
			  const struct ics_segment *segment);
/* The samplers, for detectors to ask whether a flow was seen. NULL: there are none. */
void ics_detectors_set_samplers(struct ics_detectors *s, const struct ics_samplers *samplers);
/* Messages were lost on their way: what was not heard may have been said. */
void ics_detectors_note_loss(struct ics_detectors *s, const struct ics_loss *loss);
/* Further copies of a frame that went before (ICS_REC_COPIES). */
void ics_detectors_copies(struct ics_detectors *s, const struct ics_record *rec, const struct ics_segment *seg);
/* Routers of an earlier run are in the model again, before the first message. */
void ics_detectors_resumed(struct ics_detectors *s);
/* Brings the evidence of anomalies up to date where updates were held back because they came too fast. */
void ics_detectors_settle(struct ics_detectors *s);
/* Row i of the table of detectors, without an instance: state "on", counters 0. NULL past the last. */
const struct ics_detector_info *ics_detector_row(unsigned i);
/* Detector i with its counters, NULL past the last. */
const struct ics_detector_info *ics_detectors_info(struct ics_detectors *s, unsigned i);

#endif
