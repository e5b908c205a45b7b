/* Internal to lib/report: what is known of path MTUs, and what to clamp the TCP MSS to. */
#ifndef ICS_REPORT_PATH_H
#define ICS_REPORT_PATH_H

#include "ics_model.h"

#include <jansson.h>
#include <stdio.h>

/* Adds pmtu, one row a path, and pmtu_reporters, one a router that told an MTU. */
void ics_report_paths_json(json_t *o, struct ics_model *m, bool *bad);
void ics_report_paths_text(FILE *out, struct ics_model *m);

#endif
