/* See mld_load.h. What hosts of the segment speak now is in the model; the other version is worked out from it. */
#include "mld_load.h"

void
ics_mld_load_get(const struct ics_model *m, uint32_t segment, struct ics_mld_load *out)
{
	const struct ics_mcast_load *l = &ics_model_segment(m, segment)->mcast;

	*out = (struct ics_mld_load){
		.hosts = l->hosts,
		.memberships = l->memberships,
		.v1_packets = l->memberships,
		.v2_packets = l->packets,
	};
	/* Hosts that have fallen back say nothing of how many packets they would need: at least one each. */
	if (l->v1_hosts != 0)
		out->v2_packets = l->hosts + l->memberships / (ICS_RECORDS_PER_PACKET + 1);
}

uint64_t
ics_mld_load_pps(const struct ics_mld_load *l, bool v1, uint32_t mrd_ms)
{
	/* Of answers within less than a second, all are in one. */
	return (v1 ? l->v1_packets : l->v2_packets) * 1000 / (mrd_ms < 1000 ? 1000 : mrd_ms);
}
