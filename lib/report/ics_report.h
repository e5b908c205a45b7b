/* Anomalies and the model as JSON (design: icmpscope-read --json) and as text for people (design: Voice).
 * Shared by the reader, the journal and the client; takes plain structs, prints to a stream, knows no source.
 */
#ifndef ICS_REPORT_H
#define ICS_REPORT_H

#include "ics_anomaly.h"
#include "ics_count.h"
#include "ics_engine.h"

#include <stdio.h>

struct ics_report_capture {
	const char *file;
	uint64_t frames, bytes, snapped;
	uint64_t first_ns, last_ns; /* 0: no frame */
	const char *damage;         /* one line when the file was cut short, else NULL */
};

struct ics_report {
	const char *version;
	const struct ics_report_capture *captures;
	unsigned n_captures;
	const struct ics_count_snapshot *counts;
	const struct ics_counters *counters; /* whose first offending frames are shown; NULL: none are */
	struct ics_engine *engine;
};

/* 0, or -errno when writing failed. */
int ics_report_json(FILE *out, const struct ics_report *r);
int ics_report_text(FILE *out, const struct ics_report *r);
/* One anomaly in the voice of the design, without trailing blank line. */
void ics_report_anomaly_text(FILE *out, const struct ics_anomaly *a);
/* Text in indented lines of 78 columns; a sentence starts a line of its own. */
void ics_report_wrap(FILE *out, const char *text);
/* "2016-05-12T00:21:10.543000Z"; buf of 32 bytes. */
char *ics_report_time(uint64_t ns, char buf[static 32]);
/* "VLAN 10, port 0", "port 0 untagged", "VLAN 100.10, port 0" */
char *ics_report_segment(const struct ics_segment_key *k, char buf[static 64]);

#endif
