/* What was seen, what was lost and why, what is still open (summary.h). Called by main.c when the workers have ended, so
 * every sum is exact.
 */
#include "summary.h"

#include <inttypes.h>
#include <stdio.h>

static void
print_classes(const struct ics_count_snapshot *c)
{
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		if (c->class[i] != 0)
			printf("  %-20s %12" PRIu64 "  %s\n", ics_class_name(i), c->class[i], ics_class_text(i));
}

static void
print_losses(const struct ics_export_source *src, const struct ics_conservation *c)
{
	uint64_t missed = 0, errors = 0, no_mbuf = 0;

	for (unsigned i = 0; i < src->n_ports; i++) {
		missed += src->ports[i].missed;
		errors += src->ports[i].errors;
		no_mbuf += src->ports[i].no_mbuf;
	}
	printf("before the workers: %" PRIu64 " missed, %" PRIu64 " errors, %" PRIu64 " without buffer\n", missed,
	       errors, no_mbuf);
	printf("control messages: %" PRIu64 " = %" PRIu64 " delivered + %" PRIu64 " pending + %" PRIu64 " dropped",
	       c->control, c->delivered, c->pending, c->dropped);
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		if (c->dropped_cause[i] != 0)
			printf(", %s %" PRIu64, ics_drop_name(i), c->dropped_cause[i]);
	printf("\n");
}

bool
summary_print(const struct ics_export_source *src, uint64_t unprinted)
{
	struct ics_count_snapshot counts;
	struct ics_anomaly_stats a;
	struct ics_conservation c;
	bool ok;

	ics_export_counts(src, ICS_EXPORT_ALL, &counts);
	ics_export_conservation(src, &c);
	ics_anomaly_stats(ics_engine_anomalies(src->engine), &a);
	ok = c.frames == c.classes_sum && c.control == c.delivered + c.pending + c.dropped &&
	     src->consumed_messages == c.delivered;
	printf("%" PRIu64 " frames in %" PRIu64 " s\n", c.frames, (uint64_t)(src->uptime_ns / 1000000000u));
	print_classes(&counts);
	print_losses(src, &c);
	printf("anomalies: %" PRIu64 " opened, %" PRIu64 " cleared, %" PRIu64 " open now\n", a.opened, a.cleared,
	       a.open);
	if (unprinted > 0)
		printf("%" PRIu64 " findings were not printed because standard output took no more\n", unprinted);
	if (!ok)
		printf("THE SUMS DO NOT AGREE: %" PRIu64 " frames, %" PRIu64 " classified, %" PRIu64
		       " delivered, %" PRIu64 " consumed\n",
		       c.frames, c.classes_sum, c.delivered, src->consumed_messages);
	fflush(stdout);
	return ok;
}
