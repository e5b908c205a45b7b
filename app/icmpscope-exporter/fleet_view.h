/* The fleet for the page, read from the servers in a thread of its own while somebody looks at it: each ten seconds, what only all
 * sites together show more seldom. When nobody looks there is no connection, so that a thousand appliances with a page each cost
 * the servers nothing.
 */
#ifndef ICMPSCOPE_EXPORTER_FLEET_VIEW_H
#define ICMPSCOPE_EXPORTER_FLEET_VIEW_H

#include "ics_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Settings that name servers. 0 or -errno. */
int fleet_view_start(const struct ics_config *conf);
void fleet_view_stop(void);
/* Whether there is one; any thread. */
bool fleet_view_is_on(void);
/* JSON text (docs/page.md), the caller's to free, with so many open anomalies from start on. NULL: no fleet, or no memory. */
char *fleet_view_text(uint64_t start, uint64_t count, size_t *len);

#endif
