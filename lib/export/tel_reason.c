/* /icmpscope/reason/list and info,NAME: what each rule says, and where it says so. */
#include "endpoint.h"

#include <stdio.h>

void
tel_reason_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_TEXT);
	for (uint64_t i = start; i < ICS_REASON_COUNT; i++)
		if (!reply_list_text(r, ics_reason_info((unsigned)i)->name))
			return;
}

/* The first frame that broke the rule; false when there is none yet. */
static bool
add_exemplar(const struct ics_counters *counters, unsigned n, struct reply *r)
{
	char hex[2 * ICS_EXEMPLAR_MAX + 1];
	uint32_t wire_len;
	struct ics_view v = ics_count_exemplar(counters, n, &wire_len);

	if (v.len == 0)
		return false;
	for (uint32_t i = 0; i < v.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", v.p[i]);
	reply_uint(r, "frame_wire_len", wire_len);
	reply_long(r, "frame_hex", hex);
	return true;
}

/* When it fired, and the first frame that broke it: of the first worker that has one, or of the slow half where only
 * that can judge the rule.
 */
static void
add_notes(const struct ics_export_source *src, unsigned n, const struct ics_count_snapshot *c, struct reply *r)
{
	reply_uint(r, "first_ns", c->reason_first_ns[n]);
	reply_uint(r, "last_ns", c->reason_last_ns[n]);
	if (ics_reason_info(n)->flags & ICS_REASON_STATEFUL) {
		add_exemplar(ics_engine_reason_counters(src->engine), n, r);
		return;
	}
	for (unsigned w = 0; w < src->n_workers; w++)
		if (add_exemplar(src->workers[w].counters, n, r))
			return;
}

void
tel_reason_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	int n = params != NULL ? ics_reason_find(params) : -1;
	const struct ics_reason_info *info;
	struct ics_count_snapshot c;

	if (n < 0) {
		reply_error(r, "%.40s is not a rule: /icmpscope/reason/list names them",
			    params != NULL ? params : "nothing");
		return;
	}
	info = ics_reason_info((unsigned)n);
	ics_export_counts(src, ICS_EXPORT_ALL, &c);
	if (info->flags & ICS_REASON_STATEFUL)
		ics_count_snapshot_add(&c, ics_engine_reason_counters(src->engine));
	reply_text(r, "name", "%s", info->name);
	reply_text(r, "id", "%s", info->id);
	reply_text(r, "section", "%s", info->section);
	reply_text(r, "class", "%s", ics_reason_class_name(info->cls));
	reply_text(r, "severity", "%s", ics_severity_name(info->severity));
	reply_text(r, "rfc", "%s", info->rfc);
	reply_uint(r, "stateful", (info->flags & ICS_REASON_STATEFUL) != 0);
	reply_uint(r, "lenient", (info->flags & ICS_REASON_LENIENT) != 0);
	reply_uint(r, "count", c.reason[n]);
	reply_long(r, "condition", info->condition);
	reply_long(r, "receiver", info->receiver);
	add_notes(src, (unsigned)n, &c, r);
}
