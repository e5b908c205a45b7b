/* The detectors: one file each (det_<name>.c), one row each in detectors.def. A detector sees every parsed
 * message together with what it changed in the model, and is told time; it opens, updates and clears anomalies.
 */
#ifndef ICS_DETECT_H
#define ICS_DETECT_H

#include "ics_anomaly.h"
#include "ics_config.h"
#include "ics_model.h"

/* What /icmpscope/detector/info says. Strings are static. */
struct ics_detector_info {
	const char *name;
	const char *rfc;
	const char *text;	 /* what it is, one line */
	const char *advice;	 /* what to do, one line */
	const char *thresholds; /* "key value unit, ..." */
	enum ics_severity severity; /* by default */
	const char *state;	 /* "on", "muted", "not_assessed" */
	uint64_t fired, cleared, suppressed;
};

#endif
