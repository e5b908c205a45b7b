/* What a general query costs: how many reports answer it, and at what rate (RFC 9777 6.1, RFC 2710 4). Shared by the
 * detectors of Multicast Listener Discovery.
 */
#ifndef ICS_MLD_LOAD_H
#define ICS_MLD_LOAD_H

#include "ics_model.h"

struct ics_mld_load {
	uint64_t hosts, memberships; /* members, and groups of each of them added up */
	uint64_t v1_packets;         /* that answer where version 1 is spoken: one for each membership */
	uint64_t v2_packets;         /* where version 2 is: as many records as fit go into one */
};

void ics_mld_load_get(const struct ics_model *m, uint32_t segment, struct ics_mld_load *out);
/* Reports a second while hosts answer a general query. */
uint64_t ics_mld_load_pps(const struct ics_mld_load *l, bool v1, uint32_t mrd_ms);

#endif
