/* What a detector found, from open to clear. Detectors open and update anomalies here; the store dedups by
 * (detector, entity), bounds what it keeps, keeps order for those who follow it, and never prints.
 */
#ifndef ICS_ANOMALY_H
#define ICS_ANOMALY_H

#include "ics_record.h"

#define ICS_ANOMALY_FACTS_MAX 40
#define ICS_ANOMALY_FRAMES_MAX 16
#define ICS_ANOMALY_SAYS_LEN 640
#define ICS_ANOMALY_EVIDENCE_FRAME 512
#define ICS_FACT_TEXT_LEN 120
/* Open anomalies a detector may hold; beyond it the detector's "and N more" count grows. */
#define ICS_ANOMALY_OPEN_MAX 1000
/* Anomalies kept in all; the oldest cleared ones go first. */
#define ICS_ANOMALY_STORE_MAX 4096

enum ics_anomaly_state { ICS_ANOMALY_OPEN, ICS_ANOMALY_CLEARED };

/* One named value of the subject or the evidence. Keys are static strings, [a-z0-9_]+. */
enum ics_fact_type { ICS_FACT_UINT, ICS_FACT_TEXT, ICS_FACT_BOOL, ICS_FACT_SECONDS };
struct ics_fact {
	const char *key;
	enum ics_fact_type type;
	uint64_t u;                   /* UINT, BOOL; SECONDS in milliseconds */
	char text[ICS_FACT_TEXT_LEN]; /* printable ASCII */
};

/* A frame that proves an anomaly, its first bytes. */
enum ics_proof_role {
	ICS_PROOF_FIRST,  /* the one that opened it */
	ICS_PROOF_TURN,   /* the latest that made it worse or of another variant */
	ICS_PROOF_LATEST, /* the latest of all */
	ICS_PROOFS
};
struct ics_proof {
	uint64_t ts_ns;    /* packet time */
	uint64_t frame_no; /* 0 where the source has no numbers */
	uint64_t nth;      /* its place among the messages with bytes of this anomaly, from 1 on; 0: there is none */
	uint16_t len, wire_len;
	uint16_t l3_off, l4_off; /* of the message that counts; 0: not known */
	uint8_t link;            /* enum ics_link */
	bool is_ip4;
	uint8_t bytes[ICS_ANOMALY_EVIDENCE_FRAME];
};

struct ics_anomaly {
	uint64_t id;          /* from 1 on, in order of opening */
	uint64_t seq;         /* of its latest change; a follower's cursor */
	const char *detector; /* static: "router_lifetime_zero" */
	const char *rfc;      /* static: "4861 6.2.5" */
	const char *variant;  /* static */
	enum ics_severity severity;
	enum ics_anomaly_state state;
	bool acked;   /* an operator has seen it; says nothing more */
	bool muted;   /* under maintenance: recorded, raises nothing */
	bool lenient; /* proven only by messages that a conforming receiver discards */
	struct ics_segment_key segment;
	uint64_t first_ns, last_ns, cleared_ns;    /* packet time, ns since the epoch */
	uint64_t count;                            /* messages that made it, copies included */
	uint64_t frame_hash;                       /* of the latest of them: later copies find their anomaly by it */
	uint64_t frame_no[ICS_ANOMALY_FRAMES_MAX]; /* the first ones; 0 where the source has no numbers */
	unsigned n_frames;
	unsigned n_subject, n_evidence;
	struct ics_fact subject[8];
	struct ics_fact evidence[ICS_ANOMALY_FACTS_MAX];
	char says[ICS_ANOMALY_SAYS_LEN]; /* one line for the operator, printable ASCII: fact, impact, remedy */
	struct ics_proof proof[ICS_PROOFS];
	struct {
		uint64_t noted; /* messages with bytes */
		uint64_t nth;   /* of them, when it was last judged */
		enum ics_severity severity;
		const char *variant;
	} judged; /* the store's own: what it was when its sequence number last changed */
};

struct ics_anomaly_store;

/* NULL and errno ENOMEM. */
struct ics_anomaly_store *ics_anomaly_store_new(void);
void ics_anomaly_store_free(struct ics_anomaly_store *s);

/* The open anomaly of this detector about this entity (a hash that the detector makes), or NULL. */
struct ics_anomaly *ics_anomaly_find(struct ics_anomaly_store *s, const char *detector, uint64_t entity);
/* A new open anomaly, its id set, everything else zero; NULL when the detector holds ICS_ANOMALY_OPEN_MAX open ones
 * (counted). Fill it, then call ics_anomaly_changed().
 */
struct ics_anomaly *ics_anomaly_open(struct ics_anomaly_store *s, const char *detector, uint64_t entity);
/* Gives it a new sequence number: followers see it again. When it got worse or its variant changed, the latest frame is
 * what turned it.
 */
void ics_anomaly_changed(struct ics_anomaly_store *s, struct ics_anomaly *a);
/* After ics_anomaly_note_frame() without a change that followers need to see at once: copies of the frame find it. */
void ics_anomaly_touch(struct ics_anomaly_store *s, struct ics_anomaly *a);
void ics_anomaly_clear(struct ics_anomaly_store *s, struct ics_anomaly *a, uint64_t now_ns);

/* An operator has seen it: followers are told of an open one. False: it is not kept. */
bool ics_anomaly_acknowledge(struct ics_anomaly_store *s, uint64_t id);

/* Facts: set replaces a fact of the same key; a full list drops the fact and returns -ENOSPC. */
int ics_fact_set_uint(struct ics_anomaly *a, const char *key, uint64_t v);
int ics_fact_set_bool(struct ics_anomaly *a, const char *key, bool v);
int ics_fact_set_seconds(struct ics_anomaly *a, const char *key, uint64_t ms);
int ics_fact_set_text(struct ics_anomaly *a, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int ics_subject_set_text(struct ics_anomaly *a, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The evidence fact of that key, or NULL. */
const struct ics_fact *ics_fact_find(const struct ics_anomaly *a, const char *key);
/* Notes a contributing frame: count, times, hash, number (first ones) and its bytes as first or latest (proof.c). */
void ics_anomaly_note_frame(struct ics_anomaly *a, const struct ics_record *rec, struct ics_view frame,
			    uint64_t frame_no);

/* Of the frames that it keeps those that differ, in order of time; how many. */
unsigned ics_anomaly_proofs(const struct ics_anomaly *a, const struct ics_proof *out[static ICS_PROOFS]);
/* "opened it", "made it worse or changed it", "latest" */
const char *ics_anomaly_proof_role(const struct ics_anomaly *a, const struct ics_proof *p);

/* By id; NULL when it never was or is gone. */
const struct ics_anomaly *ics_anomaly_get(const struct ics_anomaly_store *s, uint64_t id);
/* The one with the lowest sequence number >= seq, or NULL: for (a = next(s, 0); a; a = next(s, a->seq + 1)). */
const struct ics_anomaly *ics_anomaly_next(const struct ics_anomaly_store *s, uint64_t seq);
/* Open ones whose latest frame had this hash get n more copies at ts_ns; returns how many there were. */
unsigned ics_anomaly_add_copies(struct ics_anomaly_store *s, uint64_t frame_hash, uint64_t n, uint64_t ts_ns);

struct ics_anomaly_stats {
	uint64_t opened, cleared, last_seq;
	uint64_t kept;            /* in the store now */
	uint64_t open;            /* of them: open and not muted */
	uint64_t overwritten;     /* cleared ones that made room */
	uint64_t overwritten_seq; /* highest sequence number among those: a cursor at or below it missed some */
	uint64_t not_opened;      /* over ICS_ANOMALY_OPEN_MAX */
};
void ics_anomaly_stats(const struct ics_anomaly_store *s, struct ics_anomaly_stats *out);

#endif
