/* Multicast in the report: how full the table of each switch is and how many hosts still fit, by which model, and who is in
 * the most groups. Told whether it is too full or not: an operator wants to know before.
 */
#include "mcast.h"

#include "ics_report.h"

#include <inttypes.h>

#define INDENT "  "
#define PORTS_MAX 256
/* Fewer groups than these are any host's. */
#define GROUPS_SHOWN 3

static void
put(json_t *o, const char *key, json_t *v, bool *bad)
{
	if (json_object_set_new(o, key, v) != 0)
		*bad = true;
}

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
known(bool is_known, uint64_t v)
{
	return is_known ? number(v) : json_null();
}

static json_t *
forecast_json(const struct ics_table_forecast *f, const struct ics_mcast_hosts *h, bool *bad)
{
	json_t *o = json_object(), *per_host = json_object();

	put(per_host, "p50", number(h->p50), bad);
	put(per_host, "p95", number(h->p95), bad);
	put(per_host, "max", number(h->max), bad);
	put(o, "port", number(f->port), bad);
	put(o, "model", json_string(f->model), bad);
	put(o, "used", number(f->used), bad);
	put(o, "cap", number(f->cap), bad);
	put(o, "percent", number(f->percent), bad);
	put(o, "hosts", number(f->load.hosts), bad);
	put(o, "groups", number(f->load.groups), bad);
	put(o, "memberships", number(f->load.memberships), bad);
	put(o, "solicited_node", number(f->load.snm), bad);
	put(o, "groups_per_host", per_host, bad);
	put(o, "entries_per_host", f->per_host_100 != 0 ? json_real(f->per_host_100 / 100.0) : json_null(), bad);
	put(o, "hosts_to_full", known(f->per_host_100 != 0, f->hosts_to_full), bad);
	put(o, "hosts_at_full", known(f->per_host_100 != 0, f->hosts_at_full), bad);
	put(o, "growth_per_day", known(f->has_trend, f->per_day), bad);
	put(o, "hours_to_full", known(f->has_trend, f->hours_to_full), bad);
	return o;
}

static void
hosts_json(json_t *list, const struct ics_model *m, const struct ics_mcast_hosts *h, bool *bad)
{
	char mac[ICS_MAC_STRLEN], where[64];

	for (unsigned i = 0; i < h->n_top; i++) {
		json_t *o = json_object();

		put(o, "mac", json_string(ics_mac_format(&h->top[i].mac, mac)), bad);
		put(o, "where", json_string(ics_report_segment(&ics_model_segment(m, h->top[i].segment)->key, where)),
		    bad);
		put(o, "groups", number(h->top[i].groups), bad);
		put(o, "solicited_node", number(h->top[i].snm), bad);
		put(o, "version", number(h->top[i].version), bad);
		if (json_array_append_new(list, o) != 0)
			*bad = true;
	}
}

void
ics_report_mcast_json(json_t *mld, const struct ics_model *m, bool *bad)
{
	json_t *tables = json_array(), *hosts = json_array();
	struct ics_table_forecast f;
	struct ics_mcast_hosts h;

	put(mld, "groups", number(ics_model_group_count(m)), bad);
	put(mld, "memberships", number(ics_model_member_count(m)), bad);
	for (unsigned port = 0; port < PORTS_MAX; port++) {
		if (ics_model_port_mcast(m, (uint8_t)port)->memberships == 0)
			continue;
		ics_model_forecast(m, (uint8_t)port, &f);
		ics_model_mcast_hosts(m, (uint8_t)port, UINT32_MAX, &h);
		if (json_array_append_new(tables, forecast_json(&f, &h, bad)) != 0)
			*bad = true;
		hosts_json(hosts, m, &h, bad);
	}
	put(mld, "table_forecast", tables, bad);
	put(mld, "top_hosts", hosts, bad);
}

static void
forecast_text(FILE *out, const struct ics_table_forecast *f, const struct ics_mcast_hosts *h)
{
	fprintf(out, INDENT "port %u: %" PRIu64 " of %u entries (%u %%) by model %s\n", f->port, f->used, f->cap,
		f->percent, f->model);
	fprintf(out, INDENT INDENT "%u hosts in %u groups; groups per host: median %u, 95 %% up to %u, most %u\n",
		f->load.hosts, f->load.groups, h->p50, h->p95, h->max);
	if (f->used >= f->cap)
		fputs(INDENT INDENT "it is full\n", out);
	else if (f->per_host_100 != 0)
		fprintf(out,
			INDENT INDENT "a host takes %u.%02u entries: full with about %" PRIu64 " more, %" PRIu64
				      " in all\n",
			f->per_host_100 / 100, f->per_host_100 % 100, f->hosts_to_full, f->hosts_at_full);
	if (f->has_trend)
		fprintf(out, INDENT INDENT "it grew by %" PRIu64 " entries in 24 h: full in about %" PRIu64 " hours\n",
			f->per_day, f->hours_to_full);
}

void
ics_report_mcast_text(FILE *out, const struct ics_model *m)
{
	char mac[ICS_MAC_STRLEN], where[64];
	struct ics_table_forecast f;
	struct ics_mcast_hosts h;

	if (ics_model_member_count(m) == 0)
		return;
	fputs("Multicast table of the switch\n", out);
	for (unsigned port = 0; port < PORTS_MAX; port++) {
		bool headed = false;

		if (ics_model_port_mcast(m, (uint8_t)port)->memberships == 0)
			continue;
		ics_model_forecast(m, (uint8_t)port, &f);
		ics_model_mcast_hosts(m, (uint8_t)port, UINT32_MAX, &h);
		forecast_text(out, &f, &h);
		for (unsigned i = 0; i < h.n_top && h.top[i].groups >= GROUPS_SHOWN; i++) {
			if (!headed)
				fputs(INDENT INDENT "most groups:\n", out);
			headed = true;
			fprintf(out, INDENT INDENT "%6u %s on %s: %u solicited-node, MLDv%u\n", h.top[i].groups,
				ics_mac_format(&h.top[i].mac, mac),
				ics_report_segment(&ics_model_segment(m, h.top[i].segment)->key, where), h.top[i].snm,
				h.top[i].version);
		}
	}
}
