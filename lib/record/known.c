/* The set of known routers: open addressing over single atomic words, so that workers can read it while the
 * control core adds to it.
 */
#include "ics_record.h"

#include <errno.h>
#include <stdatomic.h>

#define PROBE_MAX 32

uint64_t
ics_known_hash(const struct ics_known *k, uint8_t port, uint16_t vlan_outer, uint16_t vlan_inner,
	       const uint8_t addr[static 16])
{
	uint64_t where = (uint64_t)port << 32 | (uint64_t)vlan_outer << 16 | vlan_inner;
	uint64_t h = ics_hash_mix(ics_hash_mix(ics_load_u64(addr) ^ k->seed, ics_load_u64(addr + 8)) ^ where, k->seed);

	return h != 0 ? h : 1;
}

bool
ics_known_has(const struct ics_known *k, uint64_t hash)
{
	for (unsigned i = 0; i < PROBE_MAX; i++) {
		uint64_t v = atomic_load_explicit((_Atomic uint64_t *)&k->slot[(hash + i) % ICS_KNOWN_SLOTS],
						  memory_order_relaxed);

		if (v == hash)
			return true;
		if (v == 0)
			return false;
	}
	return false;
}

int
ics_known_insert(struct ics_known *k, uint64_t hash)
{
	for (unsigned i = 0; i < PROBE_MAX; i++) {
		_Atomic uint64_t *slot = &k->slot[(hash + i) % ICS_KNOWN_SLOTS];
		uint64_t v = atomic_load_explicit(slot, memory_order_relaxed);

		if (v == hash)
			return 0;
		if (v != 0)
			continue;
		if (k->used >= ICS_KNOWN_MAX)
			return -ENOSPC;
		k->used++;
		atomic_store_explicit(slot, hash, memory_order_relaxed);
		return 0;
	}
	return -ENOSPC;
}
