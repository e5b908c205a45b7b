/* The multicast address records of a version 2 report (RFC 9777 5.2) one by one, for the rules and for the model: one
 * walk with one set of bounds.
 */
#ifndef ICS_MLD_H
#define ICS_MLD_H

#include "ics_wire.h"

#define ICS_MLD2_RECORDS_OFF 8 /* where the first starts */
#define ICS_MLD2_RECORD_LEN 20

enum ics_mld_record_type {
	ICS_MLD_IS_INCLUDE = 1,
	ICS_MLD_IS_EXCLUDE = 2,
	ICS_MLD_TO_INCLUDE = 3,
	ICS_MLD_TO_EXCLUDE = 4,
	ICS_MLD_ALLOW_NEW = 5,
	ICS_MLD_BLOCK_OLD = 6,
};

struct ics_mld_record {
	const uint8_t *p; /* its fixed part: type, aux length, number of sources, group */
	const uint8_t *group;
	struct ics_view sources; /* as far as they were captured */
	uint32_t end;            /* where the next starts; may lie beyond the message */
	uint8_t type, aux_words;
	uint16_t n_sources;
};

enum ics_mld_walk {
	ICS_MLD_RECORD,
	ICS_MLD_TRUNCATED, /* the message ends before the record does */
	ICS_MLD_CUT,       /* it was not captured */
};

/* The record at off of a report of len octets, of which icmp was captured. */
static inline enum ics_mld_walk
ics_mld_record_at(struct ics_view icmp, uint32_t len, uint32_t off, struct ics_mld_record *out)
{
	uint32_t sources_len;

	if (ics_unlikely(ICS_MLD2_RECORD_LEN > len - off))
		return ICS_MLD_TRUNCATED;
	if (ics_unlikely(!ics_view_has(icmp, off, ICS_MLD2_RECORD_LEN)))
		return ICS_MLD_CUT;
	out->p = icmp.p + off;
	out->type = out->p[0];
	out->aux_words = out->p[1];
	out->n_sources = ics_load_be16(out->p + 2);
	out->group = out->p + 4;
	sources_len = out->n_sources * 16u;
	out->sources = ics_view_sub(icmp, off + ICS_MLD2_RECORD_LEN, sources_len);
	out->end = off + ICS_MLD2_RECORD_LEN + sources_len + out->aux_words * 4u;
	return ICS_MLD_RECORD;
}

/* Groups of source-specific multicast, ff3x::/32 (RFC 4607 1): nothing but sources can be asked for. */
static inline bool
ics_ip6_is_source_specific(const uint8_t *group)
{
	return (ics_load_be32(group) & 0xfff0ffff) == 0xff300000;
}

/* All nodes, and what never leaves the node, needs no listener state (RFC 2710 5, RFC 9777 6). */
static inline bool
ics_ip6_is_unreportable(const uint8_t *group)
{
	return ics_ip6_is_link_group(group, 1) || (group[1] & 0x0f) <= 1;
}

#endif
