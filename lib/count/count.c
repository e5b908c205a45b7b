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
ics_count_snapshot_add(struct ics_count_snapshot *sum, const struct ics_counters *c)
{
	add_all(&sum->frames, &c->frames, 1);
	add_all(&sum->bytes, &c->bytes, 1);
	add_all(&sum->snapped, &c->snapped, 1);
	add_all(sum->class, c->class, ICS_CLASS_COUNT);
	add_all(sum->reason, c->reason, ICS_REASON_COUNT);
	add_all(sum->encap, c->encap, ICS_ENCAP_COUNT_COUNT);
	add_all(&sum->control, &c->control, 1);
	add_all(&sum->delivered, &c->delivered, 1);
	add_all(&sum->records, &c->records, 1);
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
