/* The exposition (metrics.h): families one after the other, each whole, with the names and units that OpenMetrics wants.
 * Offenders have no label here: they are unbounded, and belong to the anomalies.
 */
#include "metrics.h"

#include "fleet.h"

#include "ics_reason.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Pages of a table that are read at most: more segments or anomalies than that are not counted one by one. */
#define PAGES_MAX 512
#define LABEL_MAX 128

enum kind { COUNTER, GAUGE };

struct scrape {
	struct ics_client *c;
	struct text *out;
	bool openmetrics;
};

/* ---- the format ---- */

static void
family(struct scrape *s, const char *name, enum kind kind, const char *help)
{
	const char *suffix = kind == COUNTER && !s->openmetrics ? "_total" : "";
	const char *unit = strrchr(name, '_');

	text_add(s->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
		 kind == COUNTER ? "counter" : "gauge");
	if (s->openmetrics && unit != NULL && (strcmp(unit, "_seconds") == 0 || strcmp(unit, "_bytes") == 0))
		text_add(s->out, "# UNIT %s %s\n", name, unit + 1);
}

/* A label's value as both formats write it: backslash, quote and newline escaped, whatever else is odd made '?'. */
static const char *
escape(const char *text, char buf[static LABEL_MAX])
{
	size_t n = 0;

	for (; *text != '\0' && n + 3 < LABEL_MAX; text++) {
		if (*text == '\\' || *text == '"')
			buf[n++] = '\\';
		buf[n++] = *text >= 0x20 && *text < 0x7f ? *text : '?';
	}
	buf[n] = '\0';
	return buf;
}

static void
sample(struct scrape *s, const char *name, enum kind kind, const char *const (*labels)[2], unsigned n, uint64_t v)
{
	char buf[LABEL_MAX];

	text_add(s->out, "%s%s", name, kind == COUNTER ? "_total" : "");
	for (unsigned i = 0; i < n; i++)
		text_add(s->out, "%s%s=\"%s\"", i == 0 ? "{" : ",", labels[i][0], escape(labels[i][1], buf));
	text_add(s->out, "%s %" PRIu64 "\n", n > 0 ? "}" : "", v);
}

static void
single(struct scrape *s, const char *name, enum kind kind, const char *help, uint64_t v)
{
	family(s, name, kind, help);
	sample(s, name, kind, NULL, 0, v);
}

/* ---- flat replies ---- */

static const struct {
	const char *key, *name, *help;
	enum kind kind;
} info_rows[] = {
	{"uptime_s", "icmpscope_uptime_seconds", "Time since icmpscope started.", GAUGE},
	{"control", "icmpscope_control_messages", "Control messages that workers saw.", COUNTER},
	{"delivered", "icmpscope_delivered_messages", "Control messages handed to the control core.", COUNTER},
	{"pending", "icmpscope_pending_messages", "Control messages that wait in repeat caches.", GAUGE},
	{"consumed_messages", "icmpscope_judged_messages", "Control messages that the control core has judged.",
	 COUNTER},
	{"conservation_ok", "icmpscope_conservation_ok", "1 when the counters add up.", GAUGE},
	{"anomalies_opened", "icmpscope_anomalies_opened", "Anomalies since start.", COUNTER},
	{"anomalies_cleared", "icmpscope_anomalies_cleared", "Anomalies that ended.", COUNTER},
	{"anomalies_not_opened", "icmpscope_anomalies_not_opened", "Anomalies over the cap of their detector.",
	 COUNTER},
	{"history_written", "icmpscope_history_rows_written", "Rows of the address history that were committed.",
	 COUNTER},
	{"history_dropped", "icmpscope_history_rows_dropped", "Rows of the address history that were lost.", COUNTER},
	{"sandbox_denied", "icmpscope_sandbox_denied_calls", "System calls that the sandbox refused.", COUNTER},
};
/* Answered even when the control core stands still, and nothing else is. */
static const struct {
	const char *key, *name, *help;
	enum kind kind;
} watchdog_rows[] = {
	{"stalled", "icmpscope_stalled_threads", "Workers and control core that do not turn.", GAUGE},
	{"stalls", "icmpscope_stalls", "Times that one of them did not turn.", COUNTER},
	{"pauses", "icmpscope_pauses", "Times that nothing of icmpscope ran.", COUNTER},
};

static const struct {
	const char *key, *table;
} model_rows[] =
	{
		{"segments", "segments"}, {"routers", "routers"}, {"prefixes", "prefixes"}, {"hosts", "hosts"},
		{"bindings", "bindings"}, {"groups", "groups"},   {"paths", "paths"},
},
  eviction_rows[] = {
	  {"segment_drops", "segments"},
	  {"router_drops", "routers"},
	  {"router_evictions", "routers_evicted"},
	  {"host_evictions", "hosts"},
	  {"binding_evictions", "bindings"},
	  {"prefix_drops", "prefixes"},
	  {"prefix_evictions", "prefixes_evicted"},
	  {"path_drops", "paths"},
	  {"path_evictions", "paths_evicted"},
};

static void
add_by_table(struct scrape *s, const json_t *info, const char *name, enum kind kind, bool evictions)
{
	unsigned n = evictions ? sizeof(eviction_rows) / sizeof(eviction_rows[0])
			       : sizeof(model_rows) / sizeof(model_rows[0]);

	for (unsigned i = 0; i < n; i++) {
		const char *key = evictions ? eviction_rows[i].key : model_rows[i].key;
		const char *const label[][2] = {{"table", evictions ? eviction_rows[i].table : model_rows[i].table}};

		if (json_object_get(info, key) != NULL)
			sample(s, name, kind, label, 1, ics_client_uint(info, key));
	}
}

static void
add_info(struct scrape *s, const json_t *info)
{
	const char *const build[][2] = {{"version", ics_client_text(info, "version")},
					{"mode", ics_client_text(info, "mode")}};
	const char *key;
	json_t *v;

	family(s, "icmpscope_build", GAUGE, "What runs; always 1.");
	sample(s, "icmpscope_build", GAUGE, build, 2, 1);
	for (unsigned i = 0; i < sizeof(info_rows) / sizeof(info_rows[0]); i++)
		single(s, info_rows[i].name, info_rows[i].kind, info_rows[i].help,
		       ics_client_uint(info, info_rows[i].key));
	family(s, "icmpscope_dropped_messages", COUNTER, "Control messages lost before the control core, by cause.");
	json_object_foreach((json_t *)info, key, v)
	{
		const char *const label[][2] = {{"cause", key + strlen("dropped_")}};

		if (strncmp(key, "dropped_", strlen("dropped_")) == 0 && json_is_integer(v))
			sample(s, "icmpscope_dropped_messages", COUNTER, label, 1, (uint64_t)json_integer_value(v));
	}
	family(s, "icmpscope_model_entries", GAUGE, "What the model of the network holds, by table.");
	add_by_table(s, info, "icmpscope_model_entries", GAUGE, false);
	family(s, "icmpscope_model_evictions", COUNTER, "What the model had no room for, by table.");
	add_by_table(s, info, "icmpscope_model_evictions", COUNTER, true);
}

/* A reply of totals by name. */
static void
add_totals(struct scrape *s, const char *command, const char *name, const char *label_name, const char *help)
{
	json_t *all = ics_client_ask(s->c, "%s", command), *v;
	const char *key;

	if (all == NULL)
		return;
	family(s, name, COUNTER, help);
	json_object_foreach(all, key, v)
	{
		const char *const label[][2] = {{label_name, key}};

		if (json_is_integer(v))
			sample(s, name, COUNTER, label, 1, (uint64_t)json_integer_value(v));
	}
	json_decref(all);
}

/* ---- tables: one column is one family ---- */

struct column {
	const char *key, *name, *help;
	enum kind kind;
};
struct label_column {
	const char *key, *label;
};

static const struct column port_columns[] = {
	{"rx_packets", "icmpscope_port_received_frames", "Frames that the port received.", COUNTER},
	{"rx_bytes", "icmpscope_port_received_bytes", "Bytes that the port received.", COUNTER},
	{"missed", "icmpscope_port_missed_frames", "Frames that found the receive queue full.", COUNTER},
	{"errors", "icmpscope_port_error_frames", "Frames that arrived broken.", COUNTER},
	{"no_mbuf", "icmpscope_port_no_buffer_frames", "Frames that found no buffer.", COUNTER},
	{"link_up", "icmpscope_port_link_up", "1 while the link is up.", GAUGE},
	{"link_downs", "icmpscope_port_link_downs", "Times that the link went.", COUNTER},
};
static const struct label_column port_labels[] = {{"port", "port"}, {"device", "device"}};

static const struct column worker_columns[] = {
	{"packets", "icmpscope_worker_frames", "Frames that the worker took.", COUNTER},
	{"busy_cycles", "icmpscope_worker_busy_cycles", "Cycles of polls that gave frames.", COUNTER},
	{"idle_cycles", "icmpscope_worker_idle_cycles", "Cycles of polls that gave none.", COUNTER},
	{"dropped", "icmpscope_worker_dropped_messages", "Messages that the worker could not hand over.", COUNTER},
	{"urgent_used", "icmpscope_worker_urgent_ring_used", "Elements in use in the urgent ring.", GAUGE},
	{"urgent_peak", "icmpscope_worker_urgent_ring_peak", "The most that were ever in use.", GAUGE},
	{"bulk_used", "icmpscope_worker_bulk_ring_used", "Elements in use in the bulk ring.", GAUGE},
	{"bulk_peak", "icmpscope_worker_bulk_ring_peak", "The most that were ever in use.", GAUGE},
	{"stalls", "icmpscope_worker_stalls", "Times that the worker did not turn.", COUNTER},
};
static const struct label_column worker_labels[] = {{"worker", "worker"}, {"cpu", "cpu"}};

static const struct column detector_columns[] = {
	{"fired", "icmpscope_detector_fired", "Anomalies that the detector opened.", COUNTER},
	{"cleared", "icmpscope_detector_cleared", "Anomalies of the detector that ended.", COUNTER},
	{"suppressed", "icmpscope_detector_suppressed", "Findings that another detector speaks for.", COUNTER},
};
static const struct label_column detector_labels[] = {{"name", "detector"}};

static const struct column segment_columns[] = {
	{"messages", "icmpscope_segment_messages", "Control messages of the segment.", COUNTER},
	{"routers", "icmpscope_segment_routers", "Routers that were heard.", GAUGE},
	{"default_routers", "icmpscope_segment_default_routers", "Routers that hosts hold as default routers.", GAUGE},
	{"hosts", "icmpscope_segment_hosts", "Hosts that were heard.", GAUGE},
	{"bindings", "icmpscope_segment_addresses", "Addresses in use.", GAUGE},
	{"groups", "icmpscope_segment_multicast_groups", "Multicast groups with members.", GAUGE},
	{"memberships", "icmpscope_segment_multicast_memberships", "Hosts by the groups that each is in.", GAUGE},
	{"mld_pps", "icmpscope_segment_mld_message_rate", "MLD messages a second.", GAUGE},
	{"table_used", "icmpscope_segment_multicast_table_used", "Entries that the smallest switch needs.", GAUGE},
	{"table_cap", "icmpscope_segment_multicast_table_size", "Entries that it has (detect.table_cap).", GAUGE},
};
static const struct label_column segment_labels[] = {{"port", "port"}, {"vlan", "vlan"}};

static json_t *
ask_pages(struct scrape *s, const char *name)
{
	json_t *pages = json_array();
	uint64_t next = 0;
	bool more = true;

	for (unsigned i = 0; i < PAGES_MAX && more; i++) {
		json_t *page = ics_client_ask(s->c, "/icmpscope/%s/table,%" PRIu64, name, next);

		if (page == NULL)
			break;
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > next;
		next = ics_client_uint(page, "next");
		(void)json_array_append_new(pages, page);
	}
	return pages;
}

static const char *
cell_text(const json_t *page, const char *key, size_t i, char buf[static 24])
{
	const json_t *v = json_array_get(json_object_get(page, key), i);

	if (json_is_string(v))
		return json_string_value(v);
	snprintf(buf, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return buf;
}

static uint64_t
cell(const json_t *page, const char *key, size_t i)
{
	json_int_t v = json_integer_value(json_array_get(json_object_get(page, key), i));

	return v > 0 ? (uint64_t)v : 0;
}

/* Rows beyond max are summed into one whose labels read "other". */
static void
add_column(struct scrape *s, const json_t *pages, const struct column *col, const struct label_column *labels,
	   unsigned n_labels, uint64_t max)
{
	uint64_t rows = 0, others = 0;
	json_t *page;
	size_t p;

	family(s, col->name, col->kind, col->help);
	json_array_foreach((json_t *)pages, p, page)
	{
		size_t n = ics_client_rows(page);

		for (size_t i = 0; i < n; i++, rows++) {
			const char *pair[2][2];
			char buf[2][24];

			if (rows >= max) {
				others += cell(page, col->key, i);
				continue;
			}
			for (unsigned l = 0; l < n_labels; l++) {
				pair[l][0] = labels[l].label;
				pair[l][1] = cell_text(page, labels[l].key, i, buf[l]);
			}
			sample(s, col->name, col->kind, (const char *const(*)[2])pair, n_labels,
			       cell(page, col->key, i));
		}
	}
	if (rows > max) {
		const char *const other[2][2] = {{labels[0].label, "other"}, {labels[n_labels - 1].label, "other"}};

		sample(s, col->name, col->kind, other, n_labels, others);
	}
}

static void
add_table(struct scrape *s, const char *name, const struct column *columns, unsigned n_columns,
	  const struct label_column *labels, unsigned n_labels, uint64_t max)
{
	json_t *pages = ask_pages(s, name);

	for (unsigned c = 0; c < n_columns; c++)
		if (json_object_get(json_array_get(pages, 0), columns[c].key) != NULL)
			add_column(s, pages, &columns[c], labels, n_labels, max);
	json_decref(pages);
}

/* ---- anomalies: how many are open, by detector and severity ---- */

#define DETECTORS_MAX 128
struct open_row {
	const char *name;
	uint64_t n[ICS_SEV_CRITICAL + 1];
};

static void
count_page(const json_t *page, struct open_row *rows, unsigned n_rows)
{
	size_t n = ics_client_rows(page);
	char buf[24];

	for (size_t i = 0; i < n; i++) {
		const char *name = cell_text(page, "name", i, buf);

		if (strcmp(cell_text(page, "state", i, buf), "open") != 0 || cell(page, "muted", i) != 0)
			continue;
		for (unsigned r = 0; r < n_rows; r++)
			for (unsigned v = ICS_SEV_INFO; v <= ICS_SEV_CRITICAL && strcmp(rows[r].name, name) == 0; v++)
				rows[r].n[v] += strcmp(cell_text(page, "severity", i, buf), ics_severity_name(v)) == 0;
	}
}

/* A detector that can speak has a row even when nothing is open: an alert must tell 0 from silence. */
static void
add_open(struct scrape *s, const json_t *detectors)
{
	struct open_row rows[DETECTORS_MAX] = {0};
	json_t *pages = ask_pages(s, "anomaly"), *page;
	unsigned n_rows = 0;
	size_t p;

	json_array_foreach((json_t *)detectors, p, page)
	{
		const json_t *names = json_object_get(page, "name");

		for (size_t i = 0; i < json_array_size(names) && n_rows < DETECTORS_MAX; i++)
			rows[n_rows++].name = json_string_value(json_array_get(names, i));
	}
	json_array_foreach(pages, p, page) count_page(page, rows, n_rows);
	family(s, "icmpscope_anomalies_open", GAUGE, "Open anomalies that are not muted.");
	for (unsigned r = 0; r < n_rows; r++)
		for (unsigned v = ICS_SEV_INFO; v <= ICS_SEV_CRITICAL; v++) {
			const char *const labels[][2] = {{"detector", rows[r].name},
							 {"severity", ics_severity_name(v)}};

			sample(s, "icmpscope_anomalies_open", GAUGE, labels, 2, rows[r].n[v]);
		}
	json_decref(pages);
}

static void
add_detectors(struct scrape *s)
{
	json_t *pages = ask_pages(s, "detector"), *page;
	size_t p;

	for (unsigned c = 0; c < sizeof(detector_columns) / sizeof(detector_columns[0]); c++)
		add_column(s, pages, &detector_columns[c], detector_labels, 1, DETECTORS_MAX);
	family(s, "icmpscope_detector_assessed", GAUGE, "1 while the detector sees what it needs and is not muted.");
	json_array_foreach(pages, p, page) for (size_t i = 0; i < ics_client_rows(page); i++)
	{
		char buf[2][24];
		const char *const label[][2] = {{"detector", cell_text(page, "name", i, buf[0])}};

		sample(s, "icmpscope_detector_assessed", GAUGE, label, 1,
		       strcmp(cell_text(page, "state", i, buf[1]), "on") == 0);
	}
	add_open(s, pages);
	json_decref(pages);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
scrape_all(struct scrape *s, const json_t *info)
{
	add_info(s, info);
	add_totals(s, "/icmpscope/classes", "icmpscope_frames", "class", "Frames by class; every frame has one.");
	add_totals(s, "/icmpscope/reasons", "icmpscope_rule_messages", "rule", "Messages that broke a rule.");
	add_totals(s, "/icmpscope/encapsulation", "icmpscope_encapsulated_frames", "encapsulation",
		   "Frames by what they came in.");
	add_table(s, "port", port_columns, COUNT(port_columns), port_labels, 2, UINT64_MAX);
	add_table(s, "worker", worker_columns, COUNT(worker_columns), worker_labels, 2, UINT64_MAX);
	add_table(s, "segment", segment_columns, COUNT(segment_columns), segment_labels, 2, METRICS_SEGMENTS);
	add_detectors(s);
}

static void
add_watchdog(struct scrape *s)
{
	json_t *dog = s->c->fd >= 0 ? ics_client_ask(s->c, "/icmpscope/watchdog") : NULL;

	for (unsigned i = 0; dog != NULL && i < COUNT(watchdog_rows); i++)
		single(s, watchdog_rows[i].name, watchdog_rows[i].kind, watchdog_rows[i].help,
		       ics_client_uint(dog, watchdog_rows[i].key));
	json_decref(dog);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void
metrics_scrape(struct ics_client *c, const char *path, bool openmetrics, struct text *out)
{
	struct scrape s = {.c = c, .out = out, .openmetrics = openmetrics};
	double start = now_s();
	json_t *info = NULL;

	out->ok = true;
	/* A connection of yesterday may be dead, since icmpscope was started anew: then a second try. */
	for (unsigned i = 0; i < 2 && info == NULL; i++)
		if (c->fd >= 0 || ics_client_open(c, path) == 0)
			info = ics_client_ask(c, "/icmpscope/info");
	add_watchdog(&s);
	if (info != NULL)
		scrape_all(&s, info);
	/* Lost on the way: half of the families would look like a restart of counters. */
	if (info != NULL && c->fd < 0)
		out->len = 0;
	single(&s, "icmpscope_up", GAUGE, "1 when icmpscope answered.", info != NULL && c->fd >= 0);
	family(&s, "icmpscope_scrape_duration_seconds", GAUGE, "What this scrape took.");
	text_add(out, "icmpscope_scrape_duration_seconds %.6f\n", now_s() - start);
	fleet_metrics(out, openmetrics);
	if (openmetrics)
		text_add(out, "# EOF\n");
	json_decref(info);
}
