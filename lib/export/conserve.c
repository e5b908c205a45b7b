/* Reading the counters of workers that go on counting (design: Conservation). Each worker marks its bursts with a
 * sequence number; a copy taken between two of them is exact. Used by tel_info.c, tel_count.c and the program's
 * last words.
 */
#include "ics_export.h"

/* At full load the gap between bursts is short: after so many attempts the copy is taken as it is. */
#define ATTEMPTS 16

/* Copies one worker's counters and its pending messages. */
static bool
read_worker(const struct ics_export_worker *w, struct ics_count_snapshot *out, uint64_t *pending)
{
	const struct ics_worker_stats *s = w->stats;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		uint64_t before = atomic_load_explicit((ics_counter *)&s->seq, memory_order_acquire);

		*out = (struct ics_count_snapshot){0};
		ics_count_snapshot_add(out, w->counters);
		*pending = ics_count_get(&s->pending);
		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) == 0 && before == ics_count_get(&s->seq))
			return true;
	}
	return false;
}

static void
snapshot_add(struct ics_count_snapshot *sum, const struct ics_count_snapshot *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	_Static_assert(sizeof(*sum) % sizeof(uint64_t) == 0, "a snapshot is numbers only");
	for (unsigned i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

static bool
read_all(const struct ics_export_source *src, uint32_t w, struct ics_count_snapshot *out, uint64_t *pending)
{
	struct ics_count_snapshot one;
	uint64_t waiting;
	bool exact = true;

	*out = (struct ics_count_snapshot){0};
	*pending = 0;
	for (uint32_t i = 0; i < src->n_workers; i++) {
		if (w != ICS_EXPORT_ALL && w != i)
			continue;
		exact &= read_worker(&src->workers[i], &one, &waiting);
		snapshot_add(out, &one);
		*pending += waiting;
	}
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
