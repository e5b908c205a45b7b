/* What icmpscope-exporter says to Prometheus: the text of one scrape, from what the socket answers. */
#ifndef ICMPSCOPE_EXPORTER_METRICS_H
#define ICMPSCOPE_EXPORTER_METRICS_H

#include "ics_client.h"

#include <stdbool.h>

/* Text that grows; ok is false when memory ran out. */
struct text {
	char *p;
	size_t len, cap;
	bool ok;
};
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);

/* The exposition of a running icmpscope: OpenMetrics 1.0, or the older text format 0.0.4. Label sets are bounded: names of
 * the tables, ports, workers, and at most METRICS_SEGMENTS segments; the others are summed as vlan="other". Where icmpscope
 * does not answer, icmpscope_up is 0 and nothing else is said of it. c is connected when it was not.
 */
#define METRICS_SEGMENTS 256
void metrics_scrape(struct ics_client *c, const char *path, bool openmetrics, struct text *out);

#endif
