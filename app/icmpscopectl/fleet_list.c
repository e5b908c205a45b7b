/* icmpscopectl fleet and fleet anomalies: from the latest state of each appliance, how it is and what is open. */
#include "fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

/* All appliances, ordered by site. NULL after a line on stderr. */
static json_t *
look(struct fleet_options *o)
{
	struct ics_fleet *f = fleet_open(o);
	json_t *rows = NULL;

	if (f == NULL)
		return NULL;
	rows = ics_fleet_look(f, fleet_go_on, NULL);
	if (rows == NULL)
		fleet_complain(f);
	ics_fleet_close(f);
	return rows;
}

static const char *
age_text(double s, char buf[static 32])
{
	if (s < 120)
		snprintf(buf, 32, "%.0f s", s);
	else if (s < 7200)
		snprintf(buf, 32, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(buf, 32, "%.0f h", s / 3600);
	else
		snprintf(buf, 32, "%.0f days", s / 86400);
	return buf;
}

static uint64_t
count_of(const json_t *state, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(state, key));
}

static void
print_row(const json_t *r)
{
	const json_t *state = json_object_get(r, "state");
	char age[32], lost[32];

	ctl_put_text(text_of(r, "site"), 16);
	printf(" ");
	ctl_put_text(text_of(r, "appliance"), 16);
	printf(" %-8s %8s ", text_of(r, "health"), age_text(json_real_value(json_object_get(r, "age_s")), age));
	printf("%4" PRIu64 " %4" PRIu64 " %9s ", count_of(state, "open"), count_of(state, "critical"),
	       ctl_grouped(count_of(state, "dropped") + count_of(state, "missed"), lost));
	ctl_put_text(text_of(state, "version"), 0);
	printf("\n");
}

int
fleet_list(struct fleet_options *o)
{
	uint64_t n[ICS_FLEET_HEALTHS] = {0}, sites = 0;
	json_t *rows = look(o);
	const char *site = "";
	json_t *r;
	size_t i;

	if (rows == NULL)
		return CTL_FAILED;
	if (o->json)
		return ctl_print_json(json_pack("{s:o}", "appliances", rows));
	if (json_array_size(rows) == 0) {
		json_decref(rows);
		return ctl_complain(CTL_FAILED, "no appliance has said anything yet");
	}
	json_array_foreach(rows, i, r)
	{
		n[ics_fleet_rank(text_of(r, "health"))]++;
		sites += strcmp(site, text_of(r, "site")) != 0;
		site = text_of(r, "site");
	}
	printf("%" PRIu64 " sites, %zu appliances:", sites, json_array_size(rows));
	for (i = 0; i < ICS_FLEET_HEALTHS; i++)
		if (n[i] != 0)
			printf(" %" PRIu64 " %s", n[i], ics_fleet_healths[i]);
	printf("\n%-16s %-16s %-8s %8s %4s %4s %9s %s\n", "SITE", "APPLIANCE", "HEALTH", "SAID", "OPEN", "CRIT", "LOST",
	       "VERSION");
	for (unsigned k = 0; k < ICS_FLEET_HEALTHS; k++)
		json_array_foreach(rows, i, r) if (ics_fleet_rank(text_of(r, "health")) == k) print_row(r);
	json_decref(rows);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

/* ---- anomalies ---- */

static void
print_anomaly(const json_t *a)
{
	ctl_put_text(text_of(a, "site"), 12);
	printf(" ");
	ctl_put_text(text_of(a, "appliance"), 12);
	printf(" %-8s ", text_of(a, "severity"));
	ctl_put_text(text_of(a, "name"), 24);
	printf(" ");
	ctl_put_text(text_of(a, "subject"), 0);
	printf("\n");
}

int
fleet_anomalies(struct fleet_options *o)
{
	json_t *rows = look(o), *all, *a;
	size_t i;

	if (rows == NULL)
		return CTL_FAILED;
	all = ics_fleet_open_anomalies(rows, SIZE_MAX);
	json_decref(rows);
	if (o->json)
		return ctl_print_json(json_pack("{s:o}", "anomalies", all));
	if (json_array_size(all) == 0)
		printf("Nothing is open.\n");
	else
		printf("%-12s %-12s %-8s %-24s %s\n", "SITE", "APPLIANCE", "SEVERITY", "NAME", "ABOUT");
	json_array_foreach(all, i, a) print_anomaly(a);
	json_decref(all);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}
