/* icmpscopectl fleet and fleet anomalies: from the latest state of each appliance, how it is and what is open. */
#include "fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The worst is shown first. */
static const char *const ranks[] = {"silent", "down", "critical", "warn", "stopped", "ok"};

struct picture {
	json_t *rows; /* by SITE.APPLIANCE: site, appliance, health, age_s, state */
};

static unsigned
rank_of(const char *health)
{
	unsigned i = 0;

	while (i < ICS_ARRAY_LEN(ranks) && strcmp(ranks[i], health) != 0)
		i++;
	return i;
}

static int
take(void *ctx, const char *site, const char *appliance, const json_t *value, double age_s)
{
	struct picture *p = ctx;
	const char *health = json_string_value(json_object_get(value, "health"));
	char key[136];

	fleet_is_alive();
	if (health == NULL)
		health = "unknown";
	/* Who was told to stop is not missed. */
	if (age_s > ICS_FLEET_SILENT_S && strcmp(health, "stopped") != 0)
		health = "silent";
	snprintf(key, sizeof(key), "%s.%s", site, appliance);
	(void)json_object_set_new(p->rows, key,
				  json_pack("{s:s, s:s, s:s, s:f, s:O?}", "site", site, "appliance", appliance,
					    "health", health, "age_s", age_s, "state", value));
	return 0;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static int
by_site(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int d = strcmp(text_of(x, "site"), text_of(y, "site"));

	return d != 0 ? d : strcmp(text_of(x, "appliance"), text_of(y, "appliance"));
}

/* All appliances, ordered by site. NULL after a line on stderr. */
static json_t *
look(struct fleet_options *o)
{
	struct picture p = {json_object()};
	struct ics_fleet *f = fleet_open(o);
	json_t *sorted = NULL, **row;
	size_t n;

	if (f == NULL || ics_fleet_values(f, ICS_FLEET_STATE_BUCKET, take, &p) != 0) {
		if (f != NULL)
			fleet_complain(f);
		ics_fleet_close(f);
		json_decref(p.rows);
		return NULL;
	}
	ics_fleet_close(f);
	n = json_object_size(p.rows);
	row = calloc(n + 1, sizeof(*row));
	if (row != NULL) {
		const char *key;
		json_t *r;

		n = 0;
		json_object_foreach(p.rows, key, r) row[n++] = r;
		qsort(row, n, sizeof(*row), by_site);
		sorted = json_array();
		for (size_t i = 0; i < n; i++)
			(void)json_array_append(sorted, row[i]);
		free(row);
	}
	json_decref(p.rows);
	return sorted;
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
	uint64_t n[ICS_ARRAY_LEN(ranks) + 1] = {0}, sites = 0;
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
		n[rank_of(text_of(r, "health"))]++;
		sites += strcmp(site, text_of(r, "site")) != 0;
		site = text_of(r, "site");
	}
	printf("%" PRIu64 " sites, %zu appliances:", sites, json_array_size(rows));
	for (i = 0; i < ICS_ARRAY_LEN(ranks); i++)
		if (n[i] != 0)
			printf(" %" PRIu64 " %s", n[i], ranks[i]);
	printf("\n%-16s %-16s %-8s %8s %4s %4s %9s %s\n", "SITE", "APPLIANCE", "HEALTH", "SAID", "OPEN", "CRIT", "LOST",
	       "VERSION");
	for (unsigned k = 0; k <= ICS_ARRAY_LEN(ranks); k++)
		json_array_foreach(rows, i, r) if (rank_of(text_of(r, "health")) == k) print_row(r);
	json_decref(rows);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

/* ---- anomalies ---- */

static void
print_anomaly(const json_t *r, const json_t *a)
{
	ctl_put_text(text_of(r, "site"), 12);
	printf(" ");
	ctl_put_text(text_of(r, "appliance"), 12);
	printf(" %-8s ", text_of(a, "severity"));
	ctl_put_text(text_of(a, "name"), 24);
	printf(" ");
	ctl_put_text(text_of(a, "subject"), 0);
	printf("\n");
}

int
fleet_anomalies(struct fleet_options *o)
{
	static const char *const severities[] = {"critical", "warn", "info"};
	json_t *rows = look(o), *all, *r, *a;
	size_t i, k;

	if (rows == NULL)
		return CTL_FAILED;
	all = json_array();
	for (unsigned s = 0; s < ICS_ARRAY_LEN(severities); s++) {
		json_array_foreach(rows, i, r)
		{
			json_array_foreach(json_object_get(json_object_get(r, "state"), "anomalies"), k, a)
			{
				json_t *one;

				if (strcmp(text_of(a, "severity"), severities[s]) != 0)
					continue;
				if (!o->json && json_array_size(all) == 0)
					printf("%-12s %-12s %-8s %-24s %s\n", "SITE", "APPLIANCE", "SEVERITY", "NAME",
					       "ABOUT");
				if (!o->json)
					print_anomaly(r, a);
				one = json_copy(a);
				(void)json_object_set(one, "site", json_object_get(r, "site"));
				(void)json_object_set(one, "appliance", json_object_get(r, "appliance"));
				(void)json_array_append_new(all, one);
			}
		}
	}
	json_decref(rows);
	if (o->json)
		return ctl_print_json(json_pack("{s:o}", "anomalies", all));
	if (json_array_size(all) == 0)
		printf("Nothing is open.\n");
	json_decref(all);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}
