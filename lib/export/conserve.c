/* Reading the counters of workers that go on counting (design: Conservation). Each worker marks its bursts with a
 * sequence number; a copy taken between two of them is exact. Used by tel_info.c, tel_count.c and the program's
 * last words.
 */
#include "ics_export.h"

/* At full load the gap between bursts is short: after so many attempts the copy is taken as it is. */
#define ATTEMPTS 16

/* Adds one worker's counters and its pending messages. */
static bool
add_worker(const struct ics_export_worker *w, struct ics_count_snapshot *sum, uint64_t *pending)
{
	const struct ics_worker_stats *s = w->stats;
	struct ics_count_snapshot with = *sum;
	uint64_t waiting = 0;
	bool exact = false;

	for (unsigned i = 0; i < ATTEMPTS && !exact; i++) {
		uint64_t before = atomic_load_explicit((ics_counter *)&s->seq, memory_order_acquire);

		with = *sum;
		ics_count_snapshot_add(&with, w->counters);
		waiting = ics_count_get(&s->pending);
		atomic_thread_fence(memory_order_acquire);
		exact = (before & 1) == 0 && before == ics_count_get(&s->seq);
	}
	*sum = with;
	*pending += waiting;
	return exact;
}

static bool
read_all(const struct ics_export_source *src, uint32_t w, struct ics_count_snapshot *out, uint64_t *pending)
{
	bool exact = true;

	*out = (struct ics_count_snapshot){0};
	*pending = 0;
	for (uint32_t i = 0; i < src->n_workers; i++)
		if (w == ICS_EXPORT_ALL || w == i)
			exact &= add_worker(&src->workers[i], out, pending);
	return exact;
}

bool
ics_export_counts(const struct ics_export_source *src, uint32_t w, struct ics_count_snapshot *out)
{
	uint64_t pending;

	return read_all(src, w, out, &pending);
}

void
ics_export_conservation(const struct ics_export_source *src, struct ics_conservation *out)
{
	struct ics_count_snapshot c;

	*out = (struct ics_conservation){0};
	out->exact = read_all(src, ICS_EXPORT_ALL, &c, &out->pending);
	out->frames = c.frames;
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		out->classes_sum += c.class[i];
	out->control = c.control;
	out->delivered = c.delivered;
	out->records = c.records;
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++) {
		out->dropped_cause[i] = c.dropped[i];
		out->dropped += c.dropped[i];
	}
}
