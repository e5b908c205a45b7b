/* Internal to lib/report: anomalies in the order in which they are told. */
#ifndef ICS_REPORT_ORDER_H
#define ICS_REPORT_ORDER_H

#include "ics_anomaly.h"

/* The store's anomalies, *n of them, by id or the most severe first; free() it. NULL when out of memory. */
const struct ics_anomaly **ics_report_by_id(const struct ics_anomaly_store *s, unsigned *n);
const struct ics_anomaly **ics_report_by_severity(const struct ics_anomaly_store *s, unsigned *n);

/* Router preference of an RA flags octet (RFC 4191 2.2): "high", "medium", "low", "reserved". */
const char *ics_report_preference(uint8_t ra_flags);

#endif
