/* Maintenance windows (detect.mute): under one of them an anomaly is recorded and raises nothing. Called by detectors. */
#include "detect_priv.h"

/* Windows end at a time of the calendar, so packet time is compared and not the rebased clock. */
static bool
covers(const struct ics_detector *d, const struct ics_mute *m)
{
	const struct ics_clock *c = ics_model_clock(d->model);

	return c->now_ns - c->offset_ns < m->until_ns &&
	       (strcmp(m->detector, "*") == 0 || strcmp(m->detector, d->info.name) == 0);
}

bool
ics_detect_is_muted(const struct ics_detector *d, const struct ics_segment_key *seg, const struct ics_ip *addr,
		    const struct ics_mac *mac)
{
	for (unsigned i = 0; i < d->conf->detect.n_mutes; i++) {
		const struct ics_mute *m = &d->conf->detect.mute[i];
		bool match = false;

		if (!covers(d, m))
			continue;
		switch (m->scope) {
		case ICS_MUTE_ALL:
			match = true;
			break;
		case ICS_MUTE_IP:
			match = addr != NULL && ics_ip_equal(&m->ip, addr);
			break;
		case ICS_MUTE_MAC:
			match = mac != NULL && ics_mac_equal(&m->mac, mac);
			break;
		case ICS_MUTE_VLAN:
			match = seg->vlan_outer == m->vlan || seg->vlan_inner == m->vlan;
			break;
		}
		if (match)
			return true;
	}
	return false;
}

bool
ics_detect_is_muted_wholly(const struct ics_detector *d)
{
	for (unsigned i = 0; i < d->conf->detect.n_mutes; i++)
		if (d->conf->detect.mute[i].scope == ICS_MUTE_ALL && covers(d, &d->conf->detect.mute[i]))
			return true;
	return false;
}
