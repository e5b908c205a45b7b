/* Reads icmpscope for the page, in a thread of its own: each two seconds while somebody looks, each ten otherwise, so that there
 * are hours to show when somebody does. Memory: one document, six hours of samples, the ids of 4,096 anomalies.
 */
#ifndef ICMPSCOPE_EXPORTER_COLLECT_H
#define ICMPSCOPE_EXPORTER_COLLECT_H

#include "ics_page.h"

#include <stdbool.h>
#include <stdint.h>

struct collect;

/* path: the telemetry socket. NULL and errno. */
struct collect *collect_start(const char *path);
void collect_stop(struct collect *c);

/* JSON texts, the caller's to free; NULL without memory. Asked for the state, it reads more often for a while. */
char *collect_state(struct collect *c, bool has_fleet, size_t *len);
/* Samples later than that, in ms since the epoch. */
char *collect_history(struct collect *c, uint64_t since_ms, size_t *len);
/* Ids of anomalies in the order of the page, from the one at start on; *total: how many there are. */
unsigned collect_list(struct collect *c, uint64_t start, uint64_t *ids, unsigned count, uint64_t *total);

#endif
