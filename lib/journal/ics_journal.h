/* The journal: what happened, one JSON line each (docs/journal.md, docs/journal.schema.json), in a file that is whole up to
 * its last line whatever kills its writer. A queue of bounded length carries events from the control core to the thread
 * that writes. The envelope is that of Suricata's EVE; all of ours is in the object "icmpscope".
 */
#ifndef ICS_JOURNAL_H
#define ICS_JOURNAL_H

#include "ics_anomaly.h"
#include "ics_count.h"

#define ICS_JOURNAL_ERR_LEN 512
/* No line is longer, its end included. */
#define ICS_JOURNAL_LINE_MAX 65536
#define ICS_JOURNAL_FACTS_MAX 16
/* Events a second that are offered to the file; the rest is counted. */
#define ICS_JOURNAL_RATE 10000

/* ---- line.c: an event as a line ---- */

enum ics_journal_kind {
	ICS_JOURNAL_OPEN, /* of an anomaly */
	ICS_JOURNAL_UPDATE,
	ICS_JOURNAL_CLEAR,
	ICS_JOURNAL_START, /* of the program */
	ICS_JOURNAL_STOP,
	ICS_JOURNAL_CONFIG,
	ICS_JOURNAL_CONFIG_KEY,     /* a setting that changed by SIGHUP */
	ICS_JOURNAL_CONFIG_REFUSED, /* settings that could not be read again */
	ICS_JOURNAL_LINK,           /* a port's link went, or came back */
	ICS_JOURNAL_LOSS,
	ICS_JOURNAL_STATE_SAVED,
	ICS_JOURNAL_STATE_FAILED,
	ICS_JOURNAL_REOPEN,
	ICS_JOURNAL_STALLED, /* a thread that must turn does not; of the watchdog, as the next three */
	ICS_JOURNAL_RESUMED,
	ICS_JOURNAL_PAUSED, /* nothing of the program ran */
	ICS_JOURNAL_DENIED, /* the sandbox refused a system call */
	ICS_JOURNAL_LOST,   /* lines before this one did not come into the file */
	ICS_JOURNAL_KINDS
};

struct ics_journal_event {
	enum ics_journal_kind kind;
	uint64_t ts_ns;
	union {
		struct ics_anomaly anomaly; /* OPEN, UPDATE, CLEAR */
		struct {
			unsigned n_facts;
			struct ics_fact fact[ICS_JOURNAL_FACTS_MAX];
			uint64_t lost_class[ICS_CLASS_COUNT]; /* LOSS */
		};
	};
};

/* A small event without facts. */
void ics_journal_event_init(struct ics_journal_event *ev, enum ics_journal_kind kind, uint64_t ts_ns);
/* Keys are static strings; what does not fit is left out, text is made printable ASCII. */
void ics_journal_add_uint(struct ics_journal_event *ev, const char *key, uint64_t v);
void ics_journal_add_bool(struct ics_journal_event *ev, const char *key, bool v);
void ics_journal_add_text(struct ics_journal_event *ev, const char *key, const char *text);

/* Who writes. */
struct ics_journal_self {
	const char *host, *appliance, *site; /* "": not said */
	const char *boot;                    /* another one for each run */
	const char *const *port;             /* names by number */
	unsigned n_ports;
	uint64_t lines_before; /* running number of the last line of the run before */
};
/* Length with the newline at its end, or -errno. */
int ics_journal_line(char buf[static ICS_JOURNAL_LINE_MAX], const struct ics_journal_self *self,
		     const struct ics_journal_event *ev, uint64_t seq);

/* ---- file.c: lines on file ---- */

struct ics_journal;

struct ics_journal_conf {
	const char *path;
	uint64_t max_bytes; /* 0: no limit */
	uint64_t max_age_s; /* 0: no limit */
	uint32_t keep;      /* earlier files */
};

/* What was there. */
struct ics_journal_found {
	uint64_t bytes;      /* whole lines */
	uint64_t torn_bytes; /* of a last line without end, which were taken away */
	bool stopped;        /* the last line tells that the run before ended as it should */
	uint64_t line;       /* running number of the last line, of FILE.1 where FILE has none; 0: there is none */
};

/* Opens to append; makes the file where there is none. A last line without end is taken away. NULL, errno, and err says in one
 * line what is wrong: a file that is no journal, or that another process writes.
 */
struct ics_journal *ics_journal_open(const struct ics_journal_conf *conf, struct ics_journal_found *found,
				     char err[static ICS_JOURNAL_ERR_LEN]);
/* One line, all of it or nothing: 0 or -errno. Begins the next file when it is time; now_s: seconds since 1970. */
int ics_journal_write(struct ics_journal *j, const char *line, size_t len, uint64_t now_s);
/* From the next line on; path is that of before. */
void ics_journal_limit(struct ics_journal *j, uint64_t max_bytes, uint64_t max_age_s, uint32_t keep);
/* Lets go of the file and opens what is at its path now. 0 or -errno: it is tried again with later lines. */
int ics_journal_reopen(struct ics_journal *j);
/* Lines written so far survive the machine's death. */
int ics_journal_sync(struct ics_journal *j);
void ics_journal_close(struct ics_journal *j);
uint64_t ics_journal_rotations(const struct ics_journal *j);

/* ---- queue.c: one thread pushes, one takes ---- */

struct ics_journal_queue;
/* len: a power of two. NULL and errno. */
struct ics_journal_queue *ics_journal_queue_new(uint32_t len);
void ics_journal_queue_free(struct ics_journal_queue *q);
/* False when it is full. Never waits. */
bool ics_journal_queue_push(struct ics_journal_queue *q, const struct ics_journal_event *ev);
/* The oldest, which stays the writer's until ics_journal_queue_done(); NULL when there is none. */
const struct ics_journal_event *ics_journal_queue_peek(struct ics_journal_queue *q);
void ics_journal_queue_done(struct ics_journal_queue *q);
unsigned ics_journal_queue_fill(const struct ics_journal_queue *q);

struct ics_journal_stats {
	ics_counter written;   /* lines on file */
	ics_counter failed;    /* lines that the file did not take */
	ics_counter error;     /* errno of the latest failure, 0 once it is written again */
	ics_counter rotations; /* files begun because the one before was full or old */
	ics_counter dropped;   /* events over the rate, or that found the queue full; the control core writes it */
};

#endif
