/* The fleet as it is now, for who shows it: each appliance with its health by the latest state, what is open everywhere, and what
 * only all sites together show. States come from appliances that may lie or be of another version: texts are cut, numbers are
 * numbers, lists have caps. Called by icmpscopectl fleet and by the page of icmpscope-exporter.
 */
#include "ics_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The worst is first. */
const char *const ics_fleet_healths[ICS_FLEET_HEALTHS] = {"silent",  "down", "critical", "warn",
							  "stopped", "ok",   "unknown"};
static const char *const severities[] = {"critical", "warn", "info"};

struct looking {
	json_t *rows; /* by SITE.APPLIANCE: site, appliance, health, age_s, state */
	ics_fleet_go_on_fn go_on;
	void *ctx;
	struct ics_fleet_correlation *correlation;
};

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static bool
ends(const struct looking *l)
{
	return l->go_on != NULL && l->go_on(l->ctx) != 0;
}

unsigned
ics_fleet_rank(const char *health)
{
	unsigned i = 0;

	while (i < ICS_FLEET_HEALTHS - 1 && strcmp(ics_fleet_healths[i], health) != 0)
		i++;
	return i;
}

static int
take(void *ctx, const char *site, const char *appliance, const json_t *value, double age_s)
{
	struct looking *l = ctx;
	const char *health = json_string_value(json_object_get(value, "health"));
	char key[136];

	if (health == NULL)
		health = "unknown";
	/* Who was told to stop is not missed. */
	if (age_s > ICS_FLEET_SILENT_S && strcmp(health, "stopped") != 0)
		health = "silent";
	snprintf(key, sizeof(key), "%s.%s", site, appliance);
	(void)json_object_set_new(l->rows, key,
				  json_pack("{s:s, s:s, s:s, s:f, s:O?}", "site", site, "appliance", appliance,
					    "health", health, "age_s", age_s, "state", value));
	return ends(l);
}

static int
by_site(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int d = strcmp(text_of(x, "site"), text_of(y, "site"));

	return d != 0 ? d : strcmp(text_of(x, "appliance"), text_of(y, "appliance"));
}

static int
by_rank(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	unsigned p = ics_fleet_rank(text_of(x, "health")), q = ics_fleet_rank(text_of(y, "health"));

	return p != q ? (p > q) - (p < q) : by_site(a, b);
}

/* Values of an object or array as an array in that order. NULL without memory. */
static json_t *
sorted(json_t *from, int (*order)(const void *, const void *))
{
	size_t n = json_is_object(from) ? json_object_size(from) : json_array_size(from), k = 0, i;
	json_t **row = calloc(n + 1, sizeof(*row)), *out = json_array(), *r;
	const char *key;

	if (row == NULL || out == NULL) {
		free(row);
		json_decref(out);
		return NULL;
	}
	if (json_is_object(from))
		json_object_foreach(from, key, r) row[k++] = r;
	else
		json_array_foreach(from, i, r) row[k++] = r;
	qsort(row, k, sizeof(*row), order);
	for (i = 0; i < k; i++)
		(void)json_array_append(out, row[i]);
	free(row);
	return out;
}

json_t *
ics_fleet_look(struct ics_fleet *f, ics_fleet_go_on_fn go_on, void *ctx)
{
	struct looking l = {.rows = json_object(), .go_on = go_on, .ctx = ctx};
	json_t *rows = NULL;

	if (ics_fleet_values(f, ICS_FLEET_STATE_BUCKET, take, &l) == 0)
		rows = sorted(l.rows, by_site);
	json_decref(l.rows);
	return rows;
}

/* ---- what only all together show ---- */

static int
take_bindings(void *ctx, const char *site, const char *appliance, const json_t *value, double age_s)
{
	struct looking *l = ctx;

	ics_fleet_correlate_bindings(l->correlation, site, appliance, value);
	return ends(l);
}

static int
take_event(void *ctx, const char *subject, const json_t *event, uint64_t seq, uint64_t stored_ns)
{
	struct looking *l = ctx;

	ics_fleet_correlate_event(l->correlation, subject, event, stored_ns);
	return ends(l);
}

json_t *
ics_fleet_compare(struct ics_fleet *f, const json_t *rows, uint64_t since_ns, ics_fleet_go_on_fn go_on, void *ctx,
		  uint64_t *left_out)
{
	struct looking l = {.go_on = go_on, .ctx = ctx, .correlation = ics_fleet_correlation_new()};
	json_t *list = NULL, *r;
	size_t i;

	if (l.correlation == NULL)
		return NULL;
	json_array_foreach(rows, i, r)
		ics_fleet_correlate_state(l.correlation, text_of(r, "site"), text_of(r, "appliance"),
					  json_object_get(r, "state"), json_real_value(json_object_get(r, "age_s")));
	/* What clears an anomaly says nothing new. */
	if (ics_fleet_values(f, ICS_FLEET_BINDINGS_BUCKET, take_bindings, &l) == 0 &&
	    ics_fleet_events(f, "icmpscope.*.*.open.*", since_ns, take_event, &l) == 0)
		list = ics_fleet_correlate(l.correlation, left_out);
	ics_fleet_correlation_free(l.correlation);
	return list;
}

/* ---- what is open ---- */

json_t *
ics_fleet_open_anomalies(const json_t *rows, size_t most)
{
	json_t *all = json_array(), *r, *a;
	size_t i, k;

	for (unsigned s = 0; s < ICS_ARRAY_LEN(severities); s++) {
		json_array_foreach(rows, i, r)
		{
			json_array_foreach(json_object_get(json_object_get(r, "state"), "anomalies"), k, a)
			{
				json_t *one;

				if (json_array_size(all) >= most || strcmp(text_of(a, "severity"), severities[s]) != 0)
					continue;
				one = json_copy(a);
				(void)json_object_set(one, "site", json_object_get(r, "site"));
				(void)json_object_set(one, "appliance", json_object_get(r, "appliance"));
				(void)json_array_append_new(all, one);
			}
		}
	}
	return all;
}

/* ---- the document of the page ---- */

/* A text of an appliance, at most TEXT_MAX bytes of it, at the end of a character. */
static json_t *
cut(const json_t *o, const char *key)
{
	const char *text = text_of(o, key);
	size_t n = strnlen(text, ICS_FLEET_VIEW_TEXT + 1);

	if (n > ICS_FLEET_VIEW_TEXT) {
		n = ICS_FLEET_VIEW_TEXT;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	return json_stringn(text, n);
}

static json_int_t
count_of(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? n : 0;
}

/* Since when it is as bad as it is: by the oldest open anomaly of that severity, where one is it. */
static json_t *
since_of(const json_t *state, const char *health)
{
	const json_t *oldest = NULL;
	json_t *a;
	size_t i;

	json_array_foreach(json_object_get(state, "anomalies"), i, a)
	{
		if (strcmp(text_of(a, "severity"), health) == 0 &&
		    (oldest == NULL || strcmp(text_of(a, "first"), text_of(oldest, "first")) < 0))
			oldest = a;
	}
	return cut(oldest, "first");
}

static json_t *
appliance_of(const json_t *r, uint64_t now_ms)
{
	const json_t *state = json_object_get(r, "state");
	double age_s = json_real_value(json_object_get(r, "age_s"));
	const char *health = ics_fleet_healths[ics_fleet_rank(text_of(r, "health"))];

	return json_pack("{s:O, s:O, s:s, s:f, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "site", json_object_get(r, "site"), "appliance", json_object_get(r, "appliance"), "health",
			 health, "age_s", age_s, "said_ms", (json_int_t)(now_ms - (uint64_t)(age_s * 1000)), "since",
			 since_of(state, health), "why", cut(state, "why"), "host", cut(state, "host"), "version",
			 cut(state, "version"), "uptime_s", count_of(state, "uptime_s"), "open",
			 count_of(state, "open"), "critical", count_of(state, "critical"), "warn",
			 count_of(state, "warn"), "info", count_of(state, "info"), "lost",
			 count_of(state, "dropped") + count_of(state, "missed"), "lag_s", count_of(state, "lag_s"),
			 "gap", count_of(state, "gap"));
}

static int
by_worst(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	unsigned p = ics_fleet_rank(text_of(x, "worst")), q = ics_fleet_rank(text_of(y, "worst"));

	return p != q ? (p > q) - (p < q) : strcmp(text_of(x, "site"), text_of(y, "site"));
}

static void
grow(json_t *o, const char *key, json_int_t by)
{
	(void)json_object_set_new(o, key, json_integer(json_integer_value(json_object_get(o, key)) + by));
}

/* rows are ordered by site. */
static json_t *
sites_of(const json_t *rows)
{
	json_t *list = json_array(), *site = NULL, *r, *out;
	size_t i;

	json_array_foreach(rows, i, r)
	{
		const json_t *state = json_object_get(r, "state");
		const char *health = ics_fleet_healths[ics_fleet_rank(text_of(r, "health"))];

		if (site == NULL || strcmp(text_of(site, "site"), text_of(r, "site")) != 0) {
			site = json_pack("{s:O, s:s}", "site", json_object_get(r, "site"), "worst", health);
			(void)json_array_append_new(list, site);
		}
		if (ics_fleet_rank(health) < ics_fleet_rank(text_of(site, "worst")))
			(void)json_object_set_new(site, "worst", json_string(health));
		grow(site, "appliances", 1);
		grow(site, "unwell", ics_fleet_rank(health) <= ics_fleet_rank("warn"));
		grow(site, "open", count_of(state, "open"));
	}
	out = sorted(list, by_worst);
	json_decref(list);
	return out;
}

/* The first ones of a list and how many there are. */
static json_t *
some_of(json_t *list, size_t most)
{
	json_t *out = json_array(), *r;
	size_t n = json_array_size(list), i;

	json_array_foreach(list, i, r)
	{
		if (i < most)
			(void)json_array_append(out, r);
	}
	json_decref(list);
	return json_pack("{s:I, s:o}", "total", (json_int_t)n, "list", out);
}

json_t *
ics_fleet_view(const json_t *rows, uint64_t now_ms)
{
	json_t *ranked = sorted((json_t *)rows, by_rank), *appliances = json_array(), *healths = json_object(), *r;
	json_int_t open = 0;
	size_t i;

	for (unsigned k = 0; k < ICS_FLEET_HEALTHS; k++)
		(void)json_object_set_new(healths, ics_fleet_healths[k], json_integer(0));
	json_array_foreach(ranked, i, r)
	{
		grow(healths, ics_fleet_healths[ics_fleet_rank(text_of(r, "health"))], 1);
		open += count_of(json_object_get(r, "state"), "open");
		if (i < ICS_FLEET_VIEW_APPLIANCES)
			(void)json_array_append_new(appliances, appliance_of(r, now_ms));
	}
	json_decref(ranked);
	return json_pack("{s:o, s:I, s:o, s:{s:I, s:o}}", "healths", healths, "open", open, "sites",
			 some_of(sites_of(rows), ICS_FLEET_VIEW_SITES), "appliances", "total",
			 (json_int_t)json_array_size(rows), "list", appliances);
}

json_t *
ics_fleet_view_anomalies(const json_t *open, size_t start, size_t most)
{
	json_t *list = json_array(), *a;

	for (size_t i = start; i < json_array_size(open) && i - start < most; i++) {
		a = json_array_get(open, i);
		(void)json_array_append_new(
			list, json_pack("{s:O, s:O, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "site",
					json_object_get(a, "site"), "appliance", json_object_get(a, "appliance"), "id",
					count_of(a, "id"), "name", cut(a, "name"), "variant", cut(a, "variant"),
					"severity", cut(a, "severity"), "first", cut(a, "first"), "last",
					cut(a, "last"), "count", count_of(a, "count"), "vlan", cut(a, "vlan"),
					"subject", cut(a, "subject"), "says", cut(a, "says")));
	}
	return list;
}
