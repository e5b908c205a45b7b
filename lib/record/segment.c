/* What a segment is called. Called wherever one is shown: report, telemetry, history, page. */
#include "ics_record.h"

#include <stdio.h>

char *
ics_segment_vlan_format(const struct ics_segment_key *k, char buf[static ICS_SEGMENT_VLAN_STRLEN])
{
	if (k->vlan_outer == ICS_VLAN_NONE)
		snprintf(buf, ICS_SEGMENT_VLAN_STRLEN, "none");
	else if (k->vlan_inner == ICS_VLAN_NONE)
		snprintf(buf, ICS_SEGMENT_VLAN_STRLEN, "%u", k->vlan_outer);
	else
		snprintf(buf, ICS_SEGMENT_VLAN_STRLEN, "%u.%u", k->vlan_outer, k->vlan_inner);
	return buf;
}
