/* Reading of a worker's counters, and the names of what is counted. */
#include "ics_count.h"

#include <stddef.h>

static void
add_all(uint64_t *sum, const ics_counter *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sum[i] += ics_count_get(&c[i]);
}

void
ics_count_reason(struct ics_counters *c, unsigned n, uint64_t ts_ns, const uint8_t *frame, uint32_t cap_len,
		 uint32_t wire_len)
{
	struct ics_reason_note *note = &c->note[n];

	if (ics_unlikely(ics_count_get(&c->reason[n]) == 0)) {
		uint32_t len = cap_len < ICS_EXEMPLAR_MAX ? cap_len : ICS_EXEMPLAR_MAX;

		memcpy(note->exemplar, frame, len);
		note->exemplar_wire_len = wire_len;
		atomic_store_explicit(&note->first_ns, ts_ns, memory_order_relaxed);
		atomic_store_explicit(&note->exemplar_len, len, memory_order_release);
	}
	ics_count_reason_copy(c, n, ts_ns);
}

struct ics_view
ics_count_exemplar(const struct ics_counters *c, unsigned n, uint32_t *wire_len)
{
	const struct ics_reason_note *note = &c->note[n];
	uint32_t len = atomic_load_explicit((_Atomic uint32_t *)&note->exemplar_len, memory_order_acquire);

	*wire_len = len != 0 ? note->exemplar_wire_len : 0;
	return (struct ics_view){note->exemplar, len};
}

/* The earliest first and the latest last of all workers. */
static void
add_notes(struct ics_count_snapshot *sum, const struct ics_counters *c)
{
	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		uint64_t first = ics_count_get(&c->note[i].first_ns), last = ics_count_get(&c->note[i].last_ns);

		if (first != 0 && (sum->reason_first_ns[i] == 0 || first < sum->reason_first_ns[i]))
			sum->reason_first_ns[i] = first;
		if (last > sum->reason_last_ns[i])
			sum->reason_last_ns[i] = last;
	}
}

void
ics_count_snapshot_add(struct ics_count_snapshot *sum, const struct ics_counters *c)
{
	add_all(&sum->frames, &c->frames, 1);
	add_all(&sum->bytes, &c->bytes, 1);
	add_all(&sum->snapped, &c->snapped, 1);
	add_all(sum->class, c->class, ICS_CLASS_COUNT);
	add_all(sum->reason, c->reason, ICS_REASON_COUNT);
	add_notes(sum, c);
	add_all(sum->encap, c->encap, ICS_ENCAP_COUNT_COUNT);
	add_all(&sum->control, &c->control, 1);
	add_all(&sum->delivered, &c->delivered, 1);
	add_all(&sum->records, &c->records, 1);
	add_all(&sum->sampled, &c->sampled, 1);
	add_all(&sum->sample_dropped, &c->sample_dropped, 1);
	add_all(sum->dropped, c->dropped, ICS_DROP_COUNT);
	add_all(sum->dropped_class, c->dropped_class, ICS_CLASS_COUNT);
}

const char *
ics_encap_count_name(unsigned n)
{
	static const char *const names[] = {"vlan", "qinq", "mpls", "pppoe", "tunnel"};

	return n < ICS_ENCAP_COUNT_COUNT ? names[n] : NULL;
}

const char *
ics_drop_name(unsigned n)
{
	static const char *const names[] = {"urgent_ring_full", "bulk_ring_full"};

	return n < ICS_DROP_COUNT ? names[n] : NULL;
}
