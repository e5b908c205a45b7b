/* The document of a running icmpscope (ics_page.h): follows anomalies and gateways by their sequence numbers, reads the
 * smaller tables whole, and of the large ones only how many there are. Every walk has a bound.
 */
#include "doc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replies a table may take: 4,096 anomalies of half a KiB in replies of 16 KiB, and room. */
#define PAGES_MAX 256
#define ANOMALIES_MAX 4096
#define SEGMENTS_MAX 4096
#define PORTS_MAX 16
#define WORKERS_MAX 64
#define REPORTER_PAGES 16
#define REPORTERS_READ 512

/* An anomaly in short. */
struct row {
	uint64_t id, seq, last_ns;
	enum doc_health severity;
	bool is_open, muted;
	uint32_t port;
	char vlan[16];
};

struct segment {
	const json_t *page;
	size_t row;
	uint32_t port;
	const char *vlan;
	enum doc_health health;
	uint64_t messages;
	unsigned open;
};

struct ics_page_live {
	char started[40]; /* of the icmpscope that all this is of */
	uint64_t anomaly_next, event_next, skipped;
	unsigned n_rows, n_open;
	struct row row[ANOMALIES_MAX]; /* in the order of the page */
	json_t *events;
	struct {
		uint64_t busy, idle;
	} worker[WORKERS_MAX]; /* cycles at the document before */
};

struct ics_page_live *
ics_page_live_new(void)
{
	struct ics_page_live *l = calloc(1, sizeof(*l));

	if (l != NULL && (l->events = json_array()) == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

void
ics_page_live_free(struct ics_page_live *l)
{
	if (l == NULL)
		return;
	json_decref(l->events);
	free(l);
}

/* ---- pages of tables ---- */

static const json_t *
cell(const json_t *page, const char *key, size_t i)
{
	return json_array_get(json_object_get(page, key), i);
}

static uint64_t
cell_uint(const json_t *page, const char *key, size_t i)
{
	json_int_t v = json_integer_value(cell(page, key, i));

	return v > 0 ? (uint64_t)v : 0;
}

static const char *
cell_text(const json_t *page, const char *key, size_t i)
{
	const char *s = json_string_value(cell(page, key, i));

	return s != NULL ? s : "";
}

/* The columns of one row as an object. */
static json_t *
row_object(struct doc *d, const json_t *page, size_t i)
{
	json_t *o = json_object(), *column;
	const char *key;

	json_object_foreach((json_t *)page, key, column) if (json_is_array(column))
		doc_set(d, o, key, json_incref(json_array_get(column, i)));
	return o;
}

/* The pages of a table from start on, at most max of them; *next is where it goes on. */
static json_t *
ask_pages(struct ics_client *c, const char *family, uint64_t start, unsigned max, uint64_t *next)
{
	json_t *pages = json_array();
	bool more = true;

	for (unsigned i = 0; i < max && more; i++) {
		json_t *page = ics_client_ask(c, "/icmpscope/%s/table,%" PRIu64, family, start);

		if (page == NULL)
			break;
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > start;
		start = ics_client_uint(page, "next");
		(void)json_array_append_new(pages, page);
	}
	if (next != NULL)
		*next = start;
	return pages;
}

static uint64_t
total_of(const json_t *pages)
{
	return ics_client_uint(json_array_get(pages, 0), "total");
}

static void
where_text(uint64_t port, const char *vlan, char *buf, size_t size)
{
	if (vlan[0] == '\0' || strcmp(vlan, "none") == 0)
		snprintf(buf, size, "port %" PRIu64 " untagged", port);
	else
		snprintf(buf, size, "VLAN %.15s, port %" PRIu64, vlan, port);
}

static void
add_where(struct doc *d, json_t *o)
{
	char where[64];

	where_text(ics_client_uint(o, "port"), ics_client_text(o, "vlan"), where, sizeof(where));
	doc_text(d, o, "where", where);
}

/* A whole table of at most max rows as {"total", "list"}. */
static json_t *
table_object(struct doc *d, struct ics_client *c, const char *family, unsigned max, unsigned pages_max)
{
	json_t *pages = ask_pages(c, family, 0, pages_max, NULL), *o = json_object(), *list = json_array(), *page;
	size_t p;

	json_array_foreach(pages, p, page)
	{
		for (size_t i = 0; i < ics_client_rows(page) && json_array_size(list) < max; i++) {
			json_t *row = row_object(d, page, i);

			if (json_object_get(row, "vlan") != NULL)
				add_where(d, row);
			doc_append(d, list, row);
		}
	}
	doc_uint(d, o, "total", total_of(pages));
	doc_set(d, o, "list", list);
	json_decref(pages);
	return o;
}

/* ---- anomalies ---- */

/* As full as the store is: what is gone there is the oldest of the cleared ones. */
static unsigned
oldest_cleared(const struct ics_page_live *l)
{
	unsigned best = ANOMALIES_MAX - 1;

	for (unsigned i = 0; i < ANOMALIES_MAX; i++)
		if (!l->row[i].is_open && (l->row[best].is_open || l->row[i].seq < l->row[best].seq))
			best = i;
	return best;
}

static void
note_anomaly(struct ics_page_live *l, const json_t *page, size_t i)
{
	uint64_t id = cell_uint(page, "id", i);
	struct row *r = NULL;
	unsigned at;

	for (at = 0; at < l->n_rows && l->row[at].id != id; at++)
		;
	if (at == ANOMALIES_MAX)
		at = oldest_cleared(l);
	else if (at == l->n_rows)
		l->n_rows++;
	r = &l->row[at];
	r->id = id;
	r->seq = cell_uint(page, "seq", i);
	r->last_ns = cell_uint(page, "last_ns", i);
	r->severity = doc_health_of(cell_text(page, "severity", i));
	r->is_open = strcmp(cell_text(page, "state", i), "open") == 0;
	r->muted = cell_uint(page, "muted", i) != 0;
	r->port = (uint32_t)cell_uint(page, "port", i);
	snprintf(r->vlan, sizeof(r->vlan), "%s", cell_text(page, "vlan", i));
}

/* Open before cleared, muted ones between; then the most severe, then what changed last. */
static int
by_weight(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->is_open != b->is_open)
		return a->is_open ? -1 : 1;
	if (a->is_open && a->muted != b->muted)
		return a->muted ? 1 : -1;
	if (a->is_open && a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	return a->seq > b->seq ? -1 : a->seq < b->seq;
}

static void
follow_anomalies(struct ics_page_live *l, struct ics_client *c)
{
	json_t *pages = ask_pages(c, "anomaly", l->anomaly_next, PAGES_MAX, &l->anomaly_next), *page;
	size_t p;

	json_array_foreach(pages, p, page)
	{
		for (size_t i = 0; i < ics_client_rows(page); i++)
			note_anomaly(l, page, i);
		qsort(l->row, l->n_rows, sizeof(l->row[0]), by_weight);
	}
	l->n_open = 0;
	while (l->n_open < l->n_rows && l->row[l->n_open].is_open && !l->row[l->n_open].muted)
		l->n_open++;
	json_decref(pages);
}

/* subject_KEY and evidence_KEY of a reply as objects of their own. */
static void
add_facts(struct doc *d, json_t *o, const json_t *info, const char *prefix, const char *name)
{
	json_t *facts = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)info, key, v) if (strncmp(key, prefix, strlen(prefix)) == 0)
		doc_set(d, facts, key + strlen(prefix), json_incref(v));
	doc_set(d, o, name, facts);
}

json_t *
ics_page_anomaly(struct ics_client *c, uint64_t id)
{
	static const char *const copied[] = {"id",    "name",     "variant", "severity",   "state",      "muted",
					     "acked", "lenient",  "rfc",     "where",      "port",       "vlan",
					     "count", "first_ns", "last_ns", "cleared_ns", "frames_kept"};
	json_t *info = ics_client_ask(c, "/icmpscope/anomaly/info,%" PRIu64, id), *o, *v;
	char says[ICS_ANOMALY_SAYS_LEN];
	struct doc d = {0};

	if (info == NULL)
		return NULL;
	o = json_object();
	for (unsigned i = 0; i < ICS_ARRAY_LEN(copied); i++)
		if ((v = json_object_get(info, copied[i])) != NULL)
			doc_set(&d, o, copied[i], json_incref(v));
	ics_client_long_text(info, "says", says, sizeof(says));
	doc_text(&d, o, "says", says);
	add_facts(&d, o, info, "subject_", "subject");
	add_facts(&d, o, info, "evidence_", "evidence");
	json_decref(info);
	return o;
}

unsigned
ics_page_live_list(const struct ics_page_live *l, unsigned start, struct ics_page_listed *out, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = start; i < l->n_rows && n < count; i++)
		out[n++] = (struct ics_page_listed){.id = l->row[i].id, .total = l->n_rows};
	return n;
}

static json_t *
anomalies(struct ics_page_live *l, struct doc *d, struct ics_client *c, struct ics_page_sample *out)
{
	unsigned n[DOC_CRITICAL + 1] = {0}, cleared = 0, muted = 0;
	json_t *o = json_object(), *list = json_array(), *before = json_array(), *a;

	for (unsigned i = 0; i < l->n_rows; i++) {
		const struct row *r = &l->row[i];

		n[r->severity] += i < l->n_open;
		muted += r->is_open && r->muted;
		if (i < l->n_open && i < ICS_PAGE_ANOMALIES && (a = ics_page_anomaly(c, r->id)) != NULL)
			doc_append(d, list, a);
		if (!r->is_open && cleared++ < ICS_PAGE_CLEARED && (a = ics_page_anomaly(c, r->id)) != NULL)
			doc_append(d, before, a);
	}
	out->v[ICS_PAGE_CRITICAL] = n[DOC_CRITICAL];
	out->v[ICS_PAGE_WARN] = n[DOC_WARN];
	doc_uint(d, o, "open", l->n_open);
	doc_uint(d, o, "kept", l->n_rows);
	doc_uint(d, o, "critical", n[DOC_CRITICAL]);
	doc_uint(d, o, "warn", n[DOC_WARN]);
	doc_uint(d, o, "info", n[DOC_INFO]);
	doc_uint(d, o, "muted", muted);
	doc_uint(d, o, "cleared", cleared);
	doc_set(d, o, "list", list);
	doc_set(d, o, "before", before);
	return o;
}

/* ---- segments ---- */

/* Those in trouble first, then those where most is said. */
static int
by_health(const void *pa, const void *pb)
{
	const struct segment *a = pa, *b = pb;

	if (a->health != b->health)
		return a->health > b->health ? -1 : 1;
	return a->messages > b->messages ? -1 : a->messages < b->messages;
}

static void
judge(const struct ics_page_live *l, struct segment *s)
{
	for (unsigned i = 0; i < l->n_open; i++) {
		const struct row *r = &l->row[i];

		if (r->port != s->port || strcmp(r->vlan, s->vlan) != 0)
			continue;
		s->open++;
		if (r->severity > s->health)
			s->health = r->severity;
	}
}

static void
add_forecast(struct doc *d, json_t *o, struct ics_client *c, const struct segment *s, struct ics_page_sample *out)
{
	static const char *const copied[] = {"port",           "table_model",      "table_used",    "table_cap",
					     "table_percent",  "entries_per_host", "hosts_to_full", "hosts_at_full",
					     "growth_per_day", "hours_to_full"};
	json_t *info = ics_client_ask(c, "/icmpscope/segment/info,%" PRIu64, cell_uint(s->page, "id", s->row)), *v, *f;

	if (info == NULL)
		return;
	f = json_object();
	for (unsigned i = 0; i < ICS_ARRAY_LEN(copied); i++)
		if ((v = json_object_get(info, copied[i])) != NULL)
			doc_set(d, f, copied[i], json_incref(v));
	doc_append(d, o, f);
	if (ics_client_uint(info, "table_percent") > out->v[ICS_PAGE_TABLE])
		out->v[ICS_PAGE_TABLE] = ics_client_uint(info, "table_percent");
	json_decref(info);
}

/* Adds segments and forecasts, the latter once a port. */
static void
add_segments(struct ics_page_live *l, struct doc *d, json_t *doc, struct ics_client *c, struct ics_page_sample *out)
{
	json_t *pages = ask_pages(c, "segment", 0, PAGES_MAX, NULL), *o = json_object(), *list = json_array(),
	       *forecasts = json_array(), *page;
	struct segment *all = calloc(SEGMENTS_MAX, sizeof(*all));
	unsigned n = 0, counts[DOC_CRITICAL + 1] = {0};
	uint64_t seen_ports = 0, groups = 0, memberships = 0, mld_pps = 0, last_ns = 0, first_ns = 0;
	size_t p;

	d->bad |= all == NULL;
	json_array_foreach(pages, p, page)
	{
		for (size_t i = 0; all != NULL && i < ics_client_rows(page) && n < SEGMENTS_MAX; i++, n++) {
			all[n] = (struct segment){.page = page,
						  .row = i,
						  .port = (uint32_t)cell_uint(page, "port", i),
						  .vlan = cell_text(page, "vlan", i),
						  .messages = cell_uint(page, "messages", i)};
			judge(l, &all[n]);
			counts[all[n].health]++;
			groups += cell_uint(page, "groups", i);
			memberships += cell_uint(page, "memberships", i);
			mld_pps += cell_uint(page, "mld_pps", i);
			if (cell_uint(page, "last_ns", i) > last_ns)
				last_ns = cell_uint(page, "last_ns", i);
			if (first_ns == 0 || cell_uint(page, "first_ns", i) < first_ns)
				first_ns = cell_uint(page, "first_ns", i);
			if (all[n].port < PORTS_MAX && (seen_ports >> all[n].port & 1) == 0) {
				seen_ports |= 1ull << all[n].port;
				add_forecast(d, forecasts, c, &all[n], out);
			}
		}
	}
	if (n > 0)
		qsort(all, n, sizeof(*all), by_health);
	for (unsigned i = 0; i < n && i < ICS_PAGE_SEGMENTS; i++) {
		json_t *s = row_object(d, all[i].page, all[i].row);

		add_where(d, s);
		doc_text(d, s, "health", doc_health_name(all[i].health));
		doc_uint(d, s, "open", all[i].open);
		doc_append(d, list, s);
	}
	doc_uint(d, o, "total", total_of(pages));
	for (unsigned i = 0; i <= DOC_CRITICAL; i++)
		doc_uint(d, o, doc_health_name((enum doc_health)i), counts[i]);
	doc_uint(d, o, "groups", groups);
	doc_uint(d, o, "memberships", memberships);
	doc_uint(d, o, "mld_pps", mld_pps);
	doc_uint(d, o, "first_ns", first_ns);
	doc_uint(d, o, "last_ns", last_ns);
	doc_set(d, o, "list", list);
	doc_set(d, doc, "segments", o);
	doc_set(d, doc, "forecasts", forecasts);
	free(all);
	json_decref(pages);
}

/* ---- gateways ---- */

static json_t *
gateways(struct ics_page_live *l, struct doc *d, struct ics_client *c)
{
	json_t *pages = ask_pages(c, "gateway", l->event_next, PAGES_MAX, &l->event_next), *page, *o = json_object();
	size_t p;

	json_array_foreach(pages, p, page)
	{
		l->skipped = ics_client_uint(page, "skipped");
		for (size_t i = 0; i < ics_client_rows(page); i++) {
			json_t *ev = row_object(d, page, i);

			add_where(d, ev);
			doc_append(d, l->events, ev);
			if (json_array_size(l->events) > ICS_PAGE_EVENTS)
				(void)json_array_remove(l->events, 0);
		}
	}
	json_decref(pages);
	doc_uint(d, o, "skipped", l->skipped);
	/* A copy: the document is written while these go on. */
	doc_set(d, o, "events", json_copy(l->events));
	doc_set(d, o, "routers", table_object(d, c, "router", ICS_PAGE_ROUTERS, 8));
	return o;
}

/* ---- path MTUs ---- */

/* The routers that stand before most paths. */
static int
by_paths(const void *pa, const void *pb)
{
	const json_t *const *a = pa, *const *b = pb;
	uint64_t x = ics_client_uint(*a, "paths"), y = ics_client_uint(*b, "paths");

	return x > y ? -1 : x < y;
}

static json_t *
reporters(struct doc *d, struct ics_client *c)
{
	json_t *o = table_object(d, c, "reporter", REPORTERS_READ, REPORTER_PAGES), *list = json_object_get(o, "list"),
	       *r;
	json_t *row[REPORTERS_READ], *top = json_array();
	size_t n = 0, i;

	json_array_foreach(list, i, r) row[n++] = r;
	if (n > 0)
		qsort(row, n, sizeof(row[0]), by_paths);
	for (i = 0; i < n && i < ICS_PAGE_REPORTERS; i++)
		doc_append(d, top, json_incref(row[i]));
	doc_set(d, o, "list", top);
	return o;
}

/* ---- figures ---- */

static void
add_classes(struct doc *d, json_t *doc, struct ics_client *c, struct ics_page_sample *out)
{
	json_t *all = ics_client_ask(c, "/icmpscope/classes"), *v;
	const char *key;

	json_object_foreach(all, key, v)
	{
		enum ics_page_figure f = doc_figure_of_class(key);

		if (f != ICS_PAGE_FIGURES && json_integer_value(v) > 0)
			out->v[f] += (uint64_t)json_integer_value(v);
	}
	doc_set(d, doc, "classes", all != NULL ? all : json_object());
}

/* Percent of the cycles since the document before. */
static uint64_t
busy_percent(struct ics_page_live *l, const json_t *w)
{
	uint64_t i = ics_client_uint(w, "worker"), busy = ics_client_uint(w, "busy_cycles"),
		 idle = ics_client_uint(w, "idle_cycles"), busy_new, idle_new;

	if (i >= WORKERS_MAX)
		return 0;
	busy_new = busy > l->worker[i].busy ? busy - l->worker[i].busy : 0;
	idle_new = idle > l->worker[i].idle ? idle - l->worker[i].idle : 0;
	l->worker[i].busy = busy;
	l->worker[i].idle = idle;
	return busy_new + idle_new > 0 ? (uint64_t)((double)busy_new * 100 / (double)(busy_new + idle_new) + 0.5) : 0;
}

/* Workers with their load and the sizes of their rings. */
static json_t *
workers(struct ics_page_live *l, struct doc *d, struct ics_client *c, struct ics_page_sample *out)
{
	static const char *const rings[][3] = {{"urgent_size", "urgent_used", "urgent_peak"},
					       {"bulk_size", "bulk_used", "bulk_peak"}};
	json_t *o = table_object(d, c, "worker", WORKERS_MAX, 8), *w;
	size_t i;

	json_array_foreach(json_object_get(o, "list"), i, w)
	{
		json_t *info = ics_client_ask(c, "/icmpscope/worker/info,%" PRIu64, ics_client_uint(w, "worker"));
		uint64_t busy = busy_percent(l, w);

		doc_uint(d, w, "busy_percent", busy);
		if (busy > out->v[ICS_PAGE_BUSY])
			out->v[ICS_PAGE_BUSY] = busy;

		for (unsigned r = 0; r < ICS_ARRAY_LEN(rings); r++) {
			uint64_t size = ics_client_uint(info, rings[r][0]), used = ics_client_uint(w, rings[r][1]);

			doc_uint(d, w, rings[r][0], size);
			if (size > 0 && used * 100 / size > out->v[ICS_PAGE_RING])
				out->v[ICS_PAGE_RING] = used * 100 / size;
		}
		json_decref(info);
	}
	return o;
}

static void
begin(struct ics_page_live *l, const char *started)
{
	if (strcmp(l->started, started) == 0)
		return;
	snprintf(l->started, sizeof(l->started), "%s", started);
	l->anomaly_next = l->event_next = l->skipped = 0;
	l->n_rows = l->n_open = 0;
	json_array_clear(l->events);
}

json_t *
ics_page_live_read(struct ics_page_live *l, struct ics_client *c, struct ics_page_sample *out)
{
	json_t *info = ics_client_ask(c, "/icmpscope/info"), *doc;
	struct doc d = {0};

	if (info == NULL)
		return NULL;
	memset(out, 0, sizeof(*out));
	doc = json_object();
	begin(l, ics_client_text(info, "started"));
	out->v[ICS_PAGE_FRAMES] = ics_client_uint(info, "frames");
	out->v[ICS_PAGE_LOST] = ics_client_uint(info, "missed") + ics_client_uint(info, "no_mbuf") +
				ics_client_uint(info, "errors") + ics_client_uint(info, "dropped");
	out->v[ICS_PAGE_HOSTS] = ics_client_uint(info, "hosts");
	doc_text(&d, doc, "kind", "live");
	doc_set(&d, doc, "info", info);
	follow_anomalies(l, c);
	doc_set(&d, doc, "anomalies", anomalies(l, &d, c, out));
	add_segments(l, &d, doc, c, out);
	doc_set(&d, doc, "gateways", gateways(l, &d, c));
	doc_set(&d, doc, "queriers", table_object(&d, c, "querier", ICS_PAGE_QUERIERS, 4));
	doc_set(&d, doc, "reporters", reporters(&d, c));
	doc_set(&d, doc, "workers", workers(l, &d, c, out));
	doc_set(&d, doc, "ports", table_object(&d, c, "port", 64, 4));
	doc_set(&d, doc, "detectors", table_object(&d, c, "detector", 128, 8));
	add_classes(&d, doc, c, out);
	/* Lost on the way: half of it would look as if all were well. */
	if (d.bad || c->fd < 0) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}
