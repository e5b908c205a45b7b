/* What it means to detectors that messages were lost on their way from the workers: those that judge by single messages
 * may have missed the one that matters, so what they find meanwhile is marked. Counters of the fast half stay exact.
 * Called when an anomaly opens.
 */
#include "detect_priv.h"

#define LOSSY_NS (60 * NS_PER_S)

/* The others judge by counts, which nothing is missing from. */
static const char *const need_all[] = {
	"router_lifetime_zero",
	"router_flag_cleared",
	"router_new",
	"router_gateway_mac_changed",
	"router_expiring",
	"router_preference_hijack",
	"ra_inconsistent",
	"ra_param_change",
	"ra_prefix_withdrawn",
	"ra_dns_change",
	"ra_guard_evasion",
	"dad_conflict",
	"nb_spoof",
	"nb_flip_flop",
	"redirect_rogue",
	"mld_querier_change",
	"mld_silent_member",
	"pmtu_blackhole_silent",
	"pmtu_spoof",
	"pmtu_mss_advice",
	"tcp_mss_gt_pmtu",
};

static bool
needs_all(const char *name)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(need_all); i++)
		if (strcmp(need_all[i], name) == 0)
			return true;
	return false;
}

void
ics_detect_mark_lossy(const struct ics_detector *d, struct ics_anomaly *a)
{
	uint64_t now = ics_model_clock(d->model)->now_ns;
	const uint64_t *lost_ns = d->shared->lost_ns;
	bool lossy = false;

	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		lossy |= (d->ops->classes >> i & 1) && lost_ns[i] != 0 && now < lost_ns[i] + LOSSY_NS;
	if (lossy && needs_all(d->info.name))
		ics_fact_set_bool(a, "lossy", true);
}
