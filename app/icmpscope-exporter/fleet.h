/* icmpscope-exporter in a fleet (docs/fleet.md): the thread that publishes, where the settings name servers. */
#ifndef ICMPSCOPE_EXPORTER_FLEET_H
#define ICMPSCOPE_EXPORTER_FLEET_H

#include "metrics.h"

/* ini: settings, where they exist; socket: of the icmpscope whose journal it is. 0, also when there is no fleet; else an exit
 * status, after a line on stderr.
 */
int fleet_start(const char *ini, const char *socket);
void fleet_stop(void);
/* Metrics of the publisher; nothing without a fleet. */
void fleet_metrics(struct text *out, bool openmetrics);

#endif
