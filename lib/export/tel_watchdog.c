/* /icmpscope/watchdog, and the same in short for /icmpscope/info: whether the threads turn that must. Counters alone, so that a
 * client's thread can answer while the control core stands still.
 */
#include "endpoint.h"

/* Threads that do not turn now, and how often one did not since the start. */
static void
sum(const struct ics_export_source *src, uint64_t *stalled, uint64_t *stalls)
{
	*stalled = ics_count_get(&src->watchdog->control.stalled_ms) != 0;
	*stalls = ics_count_get(&src->watchdog->control.stalls);
	for (unsigned i = 0; i < src->n_workers; i++) {
		const struct ics_export_turn *t = src->workers[i].turn;

		if (t == NULL)
			continue;
		*stalled += ics_count_get(&t->stalled_ms) != 0;
		*stalls += ics_count_get(&t->stalls);
	}
}

void
tel_watchdog_add(const struct ics_export_source *src, struct reply *r)
{
	uint64_t stalled = 0, stalls = 0;

	if (src->watchdog != NULL)
		sum(src, &stalled, &stalls);
	reply_text(r, "watchdog", "%s", src->watchdog != NULL ? "on" : "off");
	reply_uint(r, "stalled", stalled);
	reply_uint(r, "stalls", stalls);
	reply_uint(r, "pauses", src->watchdog != NULL ? ics_count_get(&src->watchdog->pauses) : 0);
}

static void
add_turn(struct reply *r, const char *who, const struct ics_export_turn *t)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_stalled_ms", who);
	reply_uint(r, key, ics_count_get(&t->stalled_ms));
	snprintf(key, sizeof(key), "%s_stalls", who);
	reply_uint(r, key, ics_count_get(&t->stalls));
	snprintf(key, sizeof(key), "%s_longest_ms", who);
	reply_uint(r, key, ics_count_get(&t->longest_ms));
}

void
tel_watchdog(const struct ics_export_source *src, const char *params, struct reply *r)
{
	char who[32];

	if (!param_none(r, params))
		return;
	tel_watchdog_add(src, r);
	if (src->watchdog == NULL)
		return;
	reply_uint(r, "checks", ics_count_get(&src->watchdog->checks));
	reply_uint(r, "longest_pause_ms", ics_count_get(&src->watchdog->longest_pause_ms));
	add_turn(r, "control", &src->watchdog->control);
	/* /icmpscope/worker/table has all of them; a reply has room for these. */
	for (unsigned i = 0; i < src->n_workers && i < 32; i++) {
		snprintf(who, sizeof(who), "worker_%u", i);
		if (src->workers[i].turn != NULL)
			add_turn(r, who, src->workers[i].turn);
	}
}
