/* What an appliance says of itself, from the telemetry socket of its icmpscope: health as icmpscopectl check judges it, what was
 * lost, open anomalies, routers, and now and then who holds which address. Pages of anomalies and routers are asked for
 * only when something changed. Called by the publisher.
 */
#include "ics_fleet.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGES_MAX 256
#define TEXT_MAX 256

enum { INFO, WARN, CRITICAL };

static const char *const severities[] = {"info", "warn", "critical"};

static const char *
text_at(const json_t *page, const char *key, size_t i)
{
	const char *text = json_string_value(json_array_get(json_object_get(page, key), i));

	return text != NULL ? text : "";
}

static uint64_t
uint_at(const json_t *page, const char *key, size_t i)
{
	return (uint64_t)json_integer_value(json_array_get(json_object_get(page, key), i));
}

static json_t *
cut_text(const char *text)
{
	return json_stringn(text, strnlen(text, TEXT_MAX));
}

static json_t *
iso_time(uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000u);
	char buf[48];
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, sizeof(buf) - n, ".%06uZ", (unsigned)(ns % 1000000000u / 1000u));
	return json_string(buf);
}

static uint64_t
wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
ics_fleet_sight_free(struct ics_fleet_sight *s)
{
	json_decref(s->anomalies);
	json_decref(s->routers);
	*s = (struct ics_fleet_sight){0};
}

/* ---- pages ---- */

/* Calls row for each row of a table; false ends it. */
typedef bool (*row_fn)(void *ctx, const json_t *page, size_t i);

static bool
each_row(struct ics_client *c, const char *table, row_fn row, void *ctx)
{
	uint64_t start = 0;

	for (unsigned k = 0; k < PAGES_MAX; k++) {
		json_t *page = ics_client_ask(c, "/icmpscope/%s/table,%llu", table, (unsigned long long)start);
		uint64_t next;
		bool more;

		if (page == NULL)
			return false;
		for (size_t i = 0; i < ics_client_rows(page); i++) {
			if (row(ctx, page, i))
				continue;
			json_decref(page);
			return true;
		}
		next = ics_client_uint(page, "next");
		more = ics_client_uint(page, "more") != 0 && next > start;
		json_decref(page);
		if (!more)
			break;
		start = next;
	}
	return true;
}

struct finds {
	struct ics_fleet_sight *s;
	json_t *of[3];
};

static bool
take_anomaly(void *ctx, const json_t *page, size_t i)
{
	struct finds *f = ctx;
	int sev = INFO;

	if (strcmp(text_at(page, "state", i), "open") != 0 || uint_at(page, "muted", i) != 0)
		return true;
	for (int k = INFO; k <= CRITICAL; k++)
		if (strcmp(text_at(page, "severity", i), severities[k]) == 0)
			sev = k;
	f->s->open[sev]++;
	/* The latest are wanted; pages begin with the earliest. */
	if (json_array_size(f->of[sev]) == ICS_FLEET_ANOMALIES_MAX)
		(void)json_array_remove(f->of[sev], 0);
	(void)json_array_append_new(
		f->of[sev],
		json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:s, s:o, s:o}", "id",
			  (json_int_t)uint_at(page, "id", i), "name", text_at(page, "name", i), "variant",
			  text_at(page, "variant", i), "severity", severities[sev], "first",
			  iso_time(uint_at(page, "first_ns", i)), "last", iso_time(uint_at(page, "last_ns", i)),
			  "count", (json_int_t)uint_at(page, "count", i), "vlan", text_at(page, "vlan", i), "subject",
			  cut_text(text_at(page, "subject", i)), "says", cut_text(text_at(page, "says", i))));
	return true;
}

static bool
look_at_anomalies(struct ics_fleet_sight *s, struct ics_client *c)
{
	struct finds f = {s, {json_array(), json_array(), json_array()}};
	bool ok;

	memset(s->open, 0, sizeof(s->open));
	ok = each_row(c, "anomaly", take_anomaly, &f);
	json_decref(s->anomalies);
	s->anomalies = json_array();
	for (int sev = CRITICAL; sev >= INFO; sev--) {
		for (size_t i = json_array_size(f.of[sev]); i-- > 0;)
			if (json_array_size(s->anomalies) < ICS_FLEET_ANOMALIES_MAX)
				(void)json_array_append(s->anomalies, json_array_get(f.of[sev], i));
		json_decref(f.of[sev]);
	}
	return ok;
}

static bool
take_router(void *ctx, const json_t *page, size_t i)
{
	json_t *routers = ctx;

	(void)json_array_append_new(routers, json_pack("{s:s, s:s, s:s}", "address", text_at(page, "address", i), "mac",
						       text_at(page, "mac", i), "vlan", text_at(page, "vlan", i)));
	return json_array_size(routers) < ICS_FLEET_ROUTERS_MAX;
}

static bool
look_at_routers(struct ics_fleet_sight *s, struct ics_client *c)
{
	json_decref(s->routers);
	s->routers = json_array();
	return each_row(c, "router", take_router, s->routers);
}

/* ---- state ---- */

static void
add_info(json_t *o, const json_t *info)
{
	uint64_t missed =
		ics_client_uint(info, "missed") + ics_client_uint(info, "errors") + ics_client_uint(info, "no_mbuf");

	(void)json_object_set_new(o, "version", json_string(ics_client_text(info, "version")));
	(void)json_object_set_new(o, "uptime_s", json_integer((json_int_t)ics_client_uint(info, "uptime_s")));
	(void)json_object_set_new(o, "frames", json_integer((json_int_t)ics_client_uint(info, "frames")));
	(void)json_object_set_new(o, "control", json_integer((json_int_t)ics_client_uint(info, "control")));
	(void)json_object_set_new(o, "dropped", json_integer((json_int_t)ics_client_uint(info, "dropped")));
	(void)json_object_set_new(o, "missed", json_integer((json_int_t)missed));
}

static void
add_findings(json_t *o, const struct ics_fleet_sight *s)
{
	(void)json_object_set_new(o, "open",
				  json_integer((json_int_t)(s->open[INFO] + s->open[WARN] + s->open[CRITICAL])));
	for (int k = CRITICAL; k >= INFO; k--)
		(void)json_object_set_new(o, severities[k], json_integer((json_int_t)s->open[k]));
	(void)json_object_set(o, "anomalies", s->anomalies);
	(void)json_object_set(o, "routers", s->routers);
}

static void
judge(json_t *o, const struct ics_fleet_sight *s, const json_t *info)
{
	const char *health = "ok", *why = "";
	char text[96];

	if (ics_client_uint(info, "conservation_exact") != 0 && ics_client_uint(info, "conservation_ok") == 0) {
		health = "critical";
		why = "its counters do not add up";
	} else if (s->open[CRITICAL] + s->open[WARN] > 0) {
		const json_t *first = json_array_get(s->anomalies, 0);

		health = s->open[CRITICAL] > 0 ? "critical" : "warn";
		snprintf(text, sizeof(text), "%.90s", ics_client_text(first, "name"));
		why = text;
	}
	(void)json_object_set_new(o, "health", json_string(health));
	(void)json_object_set_new(o, "why", json_string(why));
}

json_t *
ics_fleet_state(struct ics_fleet_sight *s, struct ics_client *c, const char *socket, const struct ics_fleet_self *self)
{
	json_t *o = json_pack("{s:i, s:s, s:s, s:o}", "v", 1, "site", self->site, "appliance", self->appliance, "at",
			      iso_time(wall_ns())),
	       *info = NULL;
	bool ok = true;

	/* A connection of before may have ended with the icmpscope of before. */
	for (unsigned i = 0; i < 2 && info == NULL; i++)
		if (c->fd >= 0 || ics_client_open(c, socket) == 0)
			info = ics_client_ask(c, "/icmpscope/info");
	if (info != NULL && (s->anomalies == NULL || s->last_seq != ics_client_uint(info, "anomaly_last_seq") ||
			     s->uptime_s > ics_client_uint(info, "uptime_s"))) {
		s->last_seq = ics_client_uint(info, "anomaly_last_seq");
		ok = look_at_anomalies(s, c);
	}
	s->uptime_s = ics_client_uint(info, "uptime_s");
	if (info != NULL && ok)
		ok = look_at_routers(s, c);
	if (info == NULL || !ok) {
		(void)json_object_set_new(o, "health", json_string("down"));
		(void)json_object_set_new(o, "why", json_string(c->error));
		ics_fleet_sight_free(s);
	} else {
		add_info(o, info);
		judge(o, s, info);
		add_findings(o, s);
	}
	json_decref(info);
	return o;
}

/* ---- bindings ---- */

struct held {
	json_t *list;
	uint64_t more;
};

static bool
take_binding(void *ctx, const json_t *page, size_t i)
{
	struct held *h = ctx;
	const char *address = text_at(page, "address", i);

	/* A link-local address means something on its own link alone. */
	if (strncasecmp(address, "fe80:", 5) == 0 || strcmp(address, "::") == 0)
		return true;
	if (json_array_size(h->list) == ICS_FLEET_BINDINGS_MAX)
		h->more++;
	else
		(void)json_array_append_new(
			h->list, json_pack("[s, s, s]", text_at(page, "mac", i), address, text_at(page, "vlan", i)));
	return true;
}

json_t *
ics_fleet_bindings(struct ics_client *c)
{
	struct held h = {json_array(), 0};

	if (c->fd < 0 || !each_row(c, "neighbor", take_binding, &h)) {
		json_decref(h.list);
		return NULL;
	}
	return json_pack("{s:i, s:o, s:I, s:o}", "v", 1, "at", iso_time(wall_ns()), "more", (json_int_t)h.more,
			 "bindings", h.list);
}
