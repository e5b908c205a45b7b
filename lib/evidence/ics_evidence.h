/* The frames that prove anomalies, as capture files that tell which frame proves what: to one stream, or a file each in a
 * directory that is kept within bounds. For icmpscope, icmpscopectl and icmpscope-read.
 */
#ifndef ICS_EVIDENCE_H
#define ICS_EVIDENCE_H

#include "ics_anomaly.h"
#include "ics_count.h"
#include "ics_pcapng.h"

/* Adds its frames in order of time. port: name of the port that it was seen at. Number of frames, or -errno. */
int ics_evidence_add(struct ics_pcapng *out, const struct ics_anomaly *a, const char *port);
/* The comment that a frame gets: "anomaly 17 router_lifetime_zero (graceful), critical: opened it (frame 1 of 3)". */
#define ICS_EVIDENCE_COMMENT_LEN 256
struct ics_evidence_comment {
	uint64_t id;
	const char *name, *variant, *severity, *role;
	unsigned n, frames; /* n from 1 on */
};
char *ics_evidence_comment(const struct ics_evidence_comment *c, char buf[static ICS_EVIDENCE_COMMENT_LEN]);

struct ics_evidence_dir {
	const char *path;
	const char *boot;    /* tells apart ids of different runs; [A-Za-z0-9]+ */
	const char *program; /* as the files name it */
	uint32_t max_files;  /* 0: no limit */
	uint64_t max_bytes;  /* 0: no limit */
	/* its own */
	uint64_t files, bytes;
};

/* Looks at what is there: only files whose names ics_evidence_write() makes count, and only these ever go. 0 or -errno. */
int ics_evidence_open(struct ics_evidence_dir *d);
/* Writes icmpscope-TIME-NAME-ID-BOOT.pcapng in the place of an earlier one about the same anomaly: temporary file, rename.
 * Then lets the oldest go when there are too many. 1, 0 when it has no frames, or -errno; then no file is half there.
 */
int ics_evidence_write(struct ics_evidence_dir *d, const struct ics_anomaly *a, const char *port);

/* What a writer counts; one thread writes it, any reads. */
struct ics_evidence_stats {
	ics_counter written; /* files, earlier ones of the same anomaly included */
	ics_counter failed;  /* files that could not be written */
	ics_counter error;   /* errno of the latest failure, 0 once one is written again */
	ics_counter files;   /* there now */
	ics_counter bytes;
};

#endif
