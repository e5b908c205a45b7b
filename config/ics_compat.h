/* What differs between DPDK 22.11 and later releases: the only file of the project that looks at RTE_VERSION.
 * Telemetry's 64-bit calls were renamed from _u64 to _uint in 23.03, RTE_CACHE_GUARD came with 23.11. Included by
 * lib/ring, lib/export and app/icmpscope.
 */
#ifndef ICS_COMPAT_H
#define ICS_COMPAT_H

#include <rte_common.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#define rte_tel_data_add_array_uint rte_tel_data_add_array_u64
#define RTE_TEL_UINT_VAL RTE_TEL_U64_VAL
#endif

/* Keeps what is before and behind it off one cache line, and off the pair that hardware prefetches. */
#ifndef RTE_CACHE_GUARD
#define ICS_COMPAT_GUARD(line) uint8_t ics_guard_##line[RTE_CACHE_LINE_SIZE] __rte_cache_aligned
#define ICS_COMPAT_GUARD_AT(line) ICS_COMPAT_GUARD(line)
#define RTE_CACHE_GUARD ICS_COMPAT_GUARD_AT(__LINE__)
#endif

#endif
