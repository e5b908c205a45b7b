/* Parts of the JSON report for whoever writes JSON too. Needs jansson's headers. */
#ifndef ICS_REPORT_JSON_H
#define ICS_REPORT_JSON_H

#include "ics_report.h"

#include <jansson.h>

/* NULL, or *bad set, when memory ran out. */
json_t *ics_report_anomaly_json(const struct ics_anomaly *a, bool *bad);
json_t *ics_report_segment_json(const struct ics_segment_key *k, bool *bad);
json_t *ics_report_facts_json(const struct ics_fact *fact, unsigned n, bool *bad);

#endif
