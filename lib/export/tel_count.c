/* /icmpscope/classes, reasons, dropped, encapsulation: exact counters by name, of all workers or of one. A name that
 * was never seen is there with 0, so that a reader need not tell absent from zero.
 */
#include "endpoint.h"

static bool
counts(const struct ics_export_source *src, const char *params, struct reply *r, uint32_t *w,
       struct ics_count_snapshot *c)
{
	if (!param_index_or_all(r, params, "a worker", src->n_workers, w))
		return false;
	ics_export_counts(src, *w, c);
	return true;
}

void
tel_classes(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_count_snapshot c;
	uint32_t w;

	if (!counts(src, params, r, &w, &c))
		return;
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		reply_uint(r, ics_class_name(i), c.class[i]);
}

/* Rules that need memory across frames are judged by the control core, for all workers at once. */
void
tel_reasons(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_count_snapshot c;
	uint32_t w;

	if (!counts(src, params, r, &w, &c))
		return;
	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		const struct ics_reason_info *info = ics_reason_info(i);
		uint64_t n = c.reason[i];

		if (w == ICS_EXPORT_ALL && (info->flags & ICS_REASON_STATEFUL))
			n += ics_engine_reason_count(src->engine, (enum ics_reason)i);
		reply_uint(r, info->name, n);
	}
}

void
tel_dropped(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_count_snapshot c;
	uint32_t w;

	if (!counts(src, params, r, &w, &c))
		return;
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		reply_uint(r, ics_drop_name(i), c.dropped[i]);
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		if (ics_class_is_control((enum ics_class)i))
			reply_uint(r, ics_class_name(i), c.dropped_class[i]);
}

void
tel_encapsulation(const struct ics_export_source *src, const char *params, struct reply *r)
{
	struct ics_count_snapshot c;
	uint32_t w;

	if (!counts(src, params, r, &w, &c))
		return;
	for (unsigned i = 0; i < ICS_ENCAP_COUNT_COUNT; i++)
		reply_uint(r, ics_encap_count_name(i), c.encap[i]);
}
