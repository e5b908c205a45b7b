/* The detector family: every detector with its RFC, thresholds and state, so that silence can be read. */
#include "endpoint.h"

#include <string.h>

/* Far above the number of detectors: bounds the walk. */
#define DETECTORS_MAX 256

static const struct reply_column columns[] = {
	{"row", false},  {"name", true},   {"rfc", true},      {"severity", true},
	{"state", true}, {"fired", false}, {"cleared", false}, {"suppressed", false},
};

static unsigned
detectors(const struct ics_export_source *src)
{
	unsigned n = 0;

	while (n < DETECTORS_MAX && ics_engine_detector(src->engine, n) != NULL)
		n++;
	return n;
}

void
tel_detector_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	unsigned n = detectors(src);
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_TEXT);
	for (uint64_t i = start; i < n; i++)
		if (!reply_list_text(r, ics_engine_detector(src->engine, (unsigned)i)->name))
			return;
}

void
tel_detector_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_detector_info *d = NULL;
	unsigned n = detectors(src), i;

	for (i = 0; i < n && params != NULL; i++) {
		d = ics_engine_detector(src->engine, i);
		if (strcmp(d->name, params) == 0)
			break;
	}
	if (params == NULL || i == n) {
		reply_error(r, "%.40s is not a detector: /icmpscope/detector/list names them",
			    params != NULL ? params : "nothing");
		return;
	}
	reply_text(r, "name", "%s", d->name);
	reply_text(r, "rfc", "%s", d->rfc);
	reply_text(r, "severity", "%s", ics_severity_name(d->severity));
	reply_text(r, "state", "%s", d->state);
	reply_uint(r, "fired", d->fired);
	reply_uint(r, "cleared", d->cleared);
	reply_uint(r, "suppressed", d->suppressed);
	reply_long(r, "text", d->text);
	reply_long(r, "advice", d->advice);
	reply_long(r, "thresholds", d->thresholds);
}

void
tel_detector_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	unsigned n = detectors(src);
	uint64_t start, count, i;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	for (i = start; i < n && count > 0; i++, count--) {
		const struct ics_detector_info *d = ics_engine_detector(src->engine, (unsigned)i);

		reply_cell(r, i);
		reply_cell_text(r, "%s", d->name);
		reply_cell_text(r, "%s", d->rfc);
		reply_cell_text(r, "%s", ics_severity_name(d->severity));
		reply_cell_text(r, "%s", d->state);
		reply_cell(r, d->fired);
		reply_cell(r, d->cleared);
		reply_cell(r, d->suppressed);
		if (!reply_row_end(r))
			break;
	}
	reply_page(r, n, i, i < n);
}
