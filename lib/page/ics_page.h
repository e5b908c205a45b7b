/* What the page of icmpscope-exporter and the report of icmpscope-read show: one JSON document, read from a running icmpscope
 * (live.c) or made of the engine that read a capture (engine.c); samples of the last hours or of the capture (series.c); and
 * the page itself, whose files are built in (assets.h, made by bundle.py). docs/page.md has the document.
 */
#ifndef ICS_PAGE_H
#define ICS_PAGE_H

#include "ics_client.h"
#include "ics_report.h"

#include <jansson.h>

/* ---- series.c: figures over time in bounded memory ---- */

/* Counters grow; the others are as they are at that moment. */
enum ics_page_figure {
	ICS_PAGE_FRAMES, /* counters first */
	ICS_PAGE_ND,
	ICS_PAGE_MLD,
	ICS_PAGE_ERRORS, /* ICMP errors and redirects: MTU, unreachable, ... */
	ICS_PAGE_LOST,   /* frames and messages, wherever */
	ICS_PAGE_COUNTERS,
	ICS_PAGE_CRITICAL = ICS_PAGE_COUNTERS, /* open anomalies */
	ICS_PAGE_WARN,
	ICS_PAGE_BUSY, /* percent of the busiest worker */
	ICS_PAGE_RING, /* percent of the fullest ring */
	ICS_PAGE_HOSTS,
	ICS_PAGE_TABLE, /* percent of the fullest multicast table */
	ICS_PAGE_FIGURES
};
struct ics_page_sample {
	uint64_t ts_ns;
	uint64_t v[ICS_PAGE_FIGURES];
};

/* A ring of points, step_ns apart. Live, the oldest go (6 h of 10 s: 2,160 points, 121 kB). Of a capture, whose length is not
 * known before, two become one when it is full, and the step twice as long.
 */
#define ICS_PAGE_POINTS 2160
struct ics_page_series {
	uint64_t step_ns;
	bool is_live;
	unsigned n, first;
	bool has_last;
	struct ics_page_sample last; /* the sample that the next rates are against */
	struct ics_page_point {
		uint64_t ts_ns;
		float v[ICS_PAGE_FIGURES]; /* counters: a second */
	} point[ICS_PAGE_POINTS];
};
void ics_page_series_init(struct ics_page_series *s, uint64_t step_ns, bool is_live);
/* Taken when a step has passed since the one before; the time may jump. True when it was taken. */
bool ics_page_series_add(struct ics_page_series *s, const struct ics_page_sample *sample);
bool ics_page_series_is_due(const struct ics_page_series *s, uint64_t ts_ns);
/* The source was away: the next rates begin anew. */
void ics_page_series_break(struct ics_page_series *s);
/* {"step_s", "t": [ms since the epoch], "frames": [a second], ...}, points later than since_ns. NULL without memory. */
json_t *ics_page_series_json(const struct ics_page_series *s, uint64_t since_ns);

/* ---- live.c: the document from a running icmpscope ---- */

/* In one document at most; more is paged. */
#define ICS_PAGE_ANOMALIES 50
#define ICS_PAGE_CLEARED 20
#define ICS_PAGE_SEGMENTS 60
#define ICS_PAGE_ROUTERS 200
#define ICS_PAGE_REPORTERS 24
#define ICS_PAGE_QUERIERS 64
#define ICS_PAGE_EVENTS 300 /* of gateways, the latest */

struct ics_page_live;
/* NULL without memory. It keeps 4,096 anomalies in short, 4,096 segments while it reads, and the events: less than 2 MB. */
struct ics_page_live *ics_page_live_new(void);
void ics_page_live_free(struct ics_page_live *l);
/* Asks a few dozen questions. NULL: it did not answer (c->error says why), or was lost on the way. out: the figures now. */
json_t *ics_page_live_read(struct ics_page_live *l, struct ics_client *c, struct ics_page_sample *out);
/* Anomalies start to start + count in the order of the page: open ones, the most severe and latest first, then cleared ones.
 * After ics_page_live_read(), from the same thread or under the caller's lock.
 */
struct ics_page_listed {
	uint64_t id, total;
};
unsigned ics_page_live_list(const struct ics_page_live *l, unsigned start, struct ics_page_listed *out, unsigned count);
/* All about one of them as the document has it, NULL when it is gone. */
json_t *ics_page_anomaly(struct ics_client *c, uint64_t id);

/* ---- assets.c: the page's own files, for the server ---- */

struct ics_page_file {
	const char *url, *type, *text;
	size_t len;
};
/* "/", "/page.css", "/page.js"; NULL for another. */
const struct ics_page_file *ics_page_file(const char *url);

/* ---- engine.c, html.c: the report of captures ---- */

/* The same document. NULL without memory. */
json_t *ics_page_engine_read(const struct ics_report *r, const struct ics_page_series *series);
/* The figures of an engine now; counters may be NULL. */
void ics_page_engine_sample(struct ics_engine *e, const struct ics_count_snapshot *counts, struct ics_page_sample *out);
/* Frames as files in the report at most: what is over it is named, with how to get it. */
#define ICS_PAGE_EVIDENCE_BYTES 2000000
/* One file of HTML that needs nothing else and no network. 0 or -errno. */
int ics_page_write_html(FILE *out, const struct ics_report *r, const struct ics_page_series *series);

#endif
