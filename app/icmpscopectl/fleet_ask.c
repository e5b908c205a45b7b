/* icmpscopectl fleet history and correlate: what the streams hold about an address or MAC, and what only all sites together
 * show.
 */
#include "fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400u
#define TIME_STRLEN 32

static uint64_t
since_of(const struct fleet_options *o)
{
	time_t now = time(NULL);

	return o->is_since ? o->since_ns : (uint64_t)(now > DAY_S ? now - DAY_S : 0) * 1000000000u;
}

static const char *
second_of(uint64_t ns, char buf[static TIME_STRLEN])
{
	time_t s = (time_t)(ns / 1000000000u);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(buf, TIME_STRLEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

/* ---- history ---- */

struct question {
	struct ics_ip addr;
	struct ics_mac mac;
	bool is_mac;
	json_t *places, *events;
};

/* Whether a text is the address or MAC, however it is written. */
static bool
is_meant(const struct question *q, const char *text)
{
	struct ics_mac mac;
	struct ics_ip ip;

	if (text == NULL)
		return false;
	if (q->is_mac)
		return ics_mac_parse(text, &mac) == 0 && memcmp(mac.b, q->mac.b, sizeof(mac.b)) == 0;
	return ics_ip_parse(text, &ip) == 0 && ics_ip_equal(&ip, &q->addr);
}

static int
take_bindings(void *ctx, const char *site, const char *appliance, const json_t *value, double age_s)
{
	struct question *q = ctx;
	json_t *b;
	size_t i;

	fleet_is_alive();
	json_array_foreach(json_object_get(value, "bindings"), i, b)
	{
		const char *mac = json_string_value(json_array_get(b, 0)),
			   *addr = json_string_value(json_array_get(b, 1));
		const char *vlan = json_string_value(json_array_get(b, 2));

		if (mac != NULL && addr != NULL && is_meant(q, q->is_mac ? mac : addr))
			(void)json_array_append_new(q->places,
						    json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "site", site,
							      "appliance", appliance, "mac", mac, "address", addr,
							      "vlan", vlan != NULL ? vlan : "", "age_s", age_s));
	}
	return 0;
}

static bool
mentions(const struct question *q, const json_t *event)
{
	static const char *const objects[] = {"subject", "evidence"};
	const json_t *own = json_object_get(event, "icmpscope"), *ether = json_object_get(event, "ether");
	const char *key;
	json_t *v;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(objects); i++)
		json_object_foreach(json_object_get(own, objects[i]), key,
				    v) if (is_meant(q, json_string_value(v))) return true;
	return is_meant(q, json_string_value(json_object_get(event, "src_ip"))) ||
	       is_meant(q, json_string_value(json_object_get(event, "dest_ip"))) ||
	       is_meant(q, json_string_value(json_object_get(ether, "src_mac"))) ||
	       is_meant(q, json_string_value(json_object_get(ether, "dest_mac")));
}

static int
take_event(void *ctx, const char *subject, const json_t *event, uint64_t seq, uint64_t stored_ns)
{
	struct question *q = ctx;

	fleet_is_alive();
	if (mentions(q, event))
		(void)json_array_append_new(q->events, json_pack("{s:s, s:I, s:O}", "subject", subject, "stored_ns",
								 (json_int_t)stored_ns, "event", event));
	return 0;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static void
print_history(const struct question *q)
{
	char when[TIME_STRLEN];
	json_t *r;
	size_t i;

	json_array_foreach(q->places, i, r)
	{
		printf("now at ");
		ctl_put_text(text_of(r, "site"), 0);
		printf(" (");
		ctl_put_text(text_of(r, "appliance"), 0);
		printf("): ");
		ctl_put_text(text_of(r, "mac"), 0);
		printf(" has ");
		ctl_put_text(text_of(r, "address"), 0);
		printf("\n");
	}
	json_array_foreach(q->events, i, r)
	{
		const json_t *own = json_object_get(json_object_get(r, "event"), "icmpscope");

		printf("%s ", second_of((uint64_t)json_integer_value(json_object_get(r, "stored_ns")), when));
		ctl_put_text(text_of(own, "site"), 12);
		printf(" ");
		ctl_put_text(text_of(own, "event"), 6);
		printf(" ");
		ctl_put_text(text_of(own, "name"), 0);
		printf(": ");
		ctl_put_text(text_of(own, "says"), 0);
		printf("\n");
	}
}

int
fleet_history(struct fleet_options *o)
{
	struct question q = {.places = json_array(), .events = json_array()};
	struct ics_fleet *f;
	int status = CTL_ANSWERED;

	q.is_mac = ics_mac_parse(o->argv[0], &q.mac) == 0;
	if (!q.is_mac && ics_ip_parse(o->argv[0], &q.addr) != 0)
		status = ctl_complain(CTL_USAGE, "%.60s is neither an IPv6 address nor a MAC", o->argv[0]);
	f = status == CTL_ANSWERED ? fleet_open(o) : NULL;
	if (status == CTL_ANSWERED && f == NULL)
		status = CTL_FAILED;
	if (f != NULL && (ics_fleet_values(f, ICS_FLEET_BINDINGS_BUCKET, take_bindings, &q) != 0 ||
			  ics_fleet_events(f, NULL, since_of(o), take_event, &q) != 0))
		status = fleet_complain(f);
	ics_fleet_close(f);
	if (status == CTL_ANSWERED && o->json) {
		status = ctl_print_json(
			json_pack("{s:s, s:O, s:O}", "query", o->argv[0], "places", q.places, "events", q.events));
	} else if (status == CTL_ANSWERED) {
		print_history(&q);
		if (json_array_size(q.places) + json_array_size(q.events) == 0)
			status = ctl_complain(CTL_FAILED, "%s is known at no site, and no event%s is about it",
					      o->argv[0], o->is_since ? " since then" : " of the last day");
	}
	json_decref(q.places);
	json_decref(q.events);
	return fflush(stdout) == 0 ? status : CTL_FAILED;
}

/* ---- correlate ---- */

static void
print_finding(const json_t *r)
{
	json_t *site;
	size_t i;

	ctl_put_text(text_of(r, "kind"), 14);
	printf(" ");
	ctl_put_text(text_of(r, "key"), 0);
	printf(" at %" PRIu64 " sites, %" PRIu64 " appliances: ",
	       (uint64_t)json_integer_value(json_object_get(r, "n_sites")),
	       (uint64_t)json_integer_value(json_object_get(r, "appliances")));
	ctl_put_text(text_of(r, "says"), 0);
	printf("\n              ");
	json_array_foreach(json_object_get(r, "sites"), i, site)
	{
		if (i == 8) {
			printf(" ...");
			break;
		}
		printf(" ");
		ctl_put_text(json_string_value(site), 0);
	}
	printf("\n");
}

int
fleet_correlate(struct fleet_options *o)
{
	struct ics_fleet *f = fleet_open(o);
	json_t *list = NULL, *r, *rows = NULL;
	uint64_t left_out = 0;
	size_t i;

	if (f == NULL)
		return CTL_FAILED;
	rows = ics_fleet_look(f, fleet_go_on, NULL);
	if (rows != NULL)
		list = ics_fleet_compare(f, rows, since_of(o), fleet_go_on, NULL, &left_out);
	json_decref(rows);
	if (list == NULL) {
		fleet_complain(f);
		ics_fleet_close(f);
		return CTL_FAILED;
	}
	ics_fleet_close(f);
	if (o->json)
		return ctl_print_json(json_pack("{s:o, s:I}", "findings", list, "left_out", (json_int_t)left_out));
	json_array_foreach(list, i, r) print_finding(r);
	if (json_array_size(list) == 0)
		printf("Nothing is the same at several sites.\n");
	if (left_out != 0)
		printf("%" PRIu64 " facts were left out: there are too many.\n", left_out);
	json_decref(list);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}
