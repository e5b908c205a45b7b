/* What JSON and text reports share: times, places, router preference, and the order of anomalies. */
#include "order.h"

#include "ics_report.h"

#include <stdlib.h>
#include <time.h>

char *
ics_report_time(uint64_t ns, char buf[static 32])
{
	time_t s = (time_t)(ns / 1000000000u);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, 32 - n, ".%06uZ", (unsigned)(ns % 1000000000u / 1000u));
	return buf;
}

char *
ics_report_segment(const struct ics_segment_key *k, char buf[static 64])
{
	const char *mpls = (k->encap & ICS_ENCAP_MPLS) != 0 ? ", MPLS" : "";
	const char *pppoe = (k->encap & ICS_ENCAP_PPPOE) != 0 ? ", PPPoE" : "";

	if (k->vlan_outer == ICS_VLAN_NONE)
		snprintf(buf, 64, "port %u untagged%s%s", k->port, mpls, pppoe);
	else if (k->vlan_inner == ICS_VLAN_NONE)
		snprintf(buf, 64, "VLAN %u, port %u%s%s", k->vlan_outer, k->port, mpls, pppoe);
	else
		snprintf(buf, 64, "VLAN %u.%u, port %u%s%s", k->vlan_outer, k->vlan_inner, k->port, mpls, pppoe);
	return buf;
}

const char *
ics_report_preference(uint8_t ra_flags)
{
	static const char *const names[] = {"medium", "high", "reserved", "low"};

	return names[(ra_flags & ICS_RA_PRF_MASK) >> 3];
}

static int
compare_id(const void *a, const void *b)
{
	const struct ics_anomaly *x = *(const struct ics_anomaly *const *)a, *y = *(const struct ics_anomaly *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int
compare_severity(const void *a, const void *b)
{
	const struct ics_anomaly *x = *(const struct ics_anomaly *const *)a, *y = *(const struct ics_anomaly *const *)b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return compare_id(a, b);
}

static const struct ics_anomaly **
collect(const struct ics_anomaly_store *s, unsigned *n, int (*compare)(const void *, const void *))
{
	struct ics_anomaly_stats stats;
	const struct ics_anomaly **all, *a;

	ics_anomaly_stats(s, &stats);
	all = calloc(stats.kept + 1, sizeof(*all));
	*n = 0;
	if (all == NULL)
		return NULL;
	for (a = ics_anomaly_next(s, 0); a != NULL && *n < stats.kept; a = ics_anomaly_next(s, a->seq + 1))
		all[(*n)++] = a;
	qsort(all, *n, sizeof(*all), compare);
	return all;
}

const struct ics_anomaly **
ics_report_by_id(const struct ics_anomaly_store *s, unsigned *n)
{
	return collect(s, n, compare_id);
}

const struct ics_anomaly **
ics_report_by_severity(const struct ics_anomaly_store *s, unsigned *n)
{
	return collect(s, n, compare_severity);
}
