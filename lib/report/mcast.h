/* Internal to lib/report: multicast groups, the table of the switch with its forecast, the hosts with the most groups. */
#ifndef ICS_REPORT_MCAST_H
#define ICS_REPORT_MCAST_H

#include "ics_model.h"

#include <jansson.h>
#include <stdio.h>

/* Adds groups, memberships, table_forecast and top_hosts to the mld object. */
void ics_report_mcast_json(json_t *mld, const struct ics_model *m, bool *bad);
void ics_report_mcast_text(FILE *out, const struct ics_model *m);

#endif
