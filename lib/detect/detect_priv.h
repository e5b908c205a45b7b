/* What detectors are made of and what they share: the operations of one, the episode that an open anomaly is to its
 * detector, muting, and wording.
 */
#ifndef ICS_DETECT_PRIV_H
#define ICS_DETECT_PRIV_H

#include "ics_detect.h"

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

struct ics_dad;
struct ics_detector;
struct ics_episode;

/* What detectors tell each other. */
struct ics_detect_shared {
	uint64_t message;                      /* running number of the message at hand */
	uint8_t ra_flood[ICS_SEGMENTS_MAX];    /* by segment id: 1 while invented routers flood it */
	uint8_t nd_flood[ICS_SEGMENTS_MAX];    /* likewise: 1 while it is flooded with ND, or by invented stations */
	uint8_t mld_flood[ICS_SEGMENTS_MAX];   /* likewise: 1 while invented stations flood it with reports */
	uint8_t l2_loop[ICS_SEGMENTS_MAX];     /* likewise: 1 while a loop repeats what is sent to many */
	uint64_t l2_loop_ns[ICS_SEGMENTS_MAX]; /* likewise: since when, or when it last began */
	uint8_t pmtu_flood[ICS_SEGMENTS_MAX];  /* likewise: 1 while invented reporters tell path MTUs */
	uint8_t dad_denied[ICS_SEGMENTS_MAX];  /* likewise: 1 while one MAC denies every new address */
	uint64_t open;                         /* bits by number of the detector: it has open episodes */
	uint64_t lost_ns[ICS_CLASS_COUNT];     /* messages of a class were lost; 0: never */
	const struct ics_samplers *samplers;   /* to ask whether a flow was seen; NULL: the sampler is off */
};

/* Neighbor solicitations and advertisements are most of all messages, and most of them say what was known before. A
 * detector for which those alone count that have one of these need not be called for the others, as long as it has no
 * open episode; of other classes it is shown everything.
 */
enum ics_detect_only {
	ICS_ONLY_ANY,
	ICS_ONLY_MULTICAST,   /* its frame is counted, and a multicast */
	ICS_ONLY_NEWS,        /* something for the address history */
	ICS_ONLY_DAD,         /* about an address for which a detection is under way, or begins with it */
	ICS_ONLY_ROUTER,      /* an NA about a router, an NS from a link-local address */
	ICS_ONLY_DISPUTED,    /* it claims an address that was claimed for two MACs */
	ICS_ONLY_FOREIGN_LLA, /* its link-layer address option is not its sender's MAC */
	ICS_ONLY_ASKER,       /* an NS whose sender asks a lot */
	ICS_ONLY_HOP_BY_HOP,  /* behind a hop-by-hop header */
	ICS_ONLY_COUNT
};

struct ics_detector_ops {
	uint64_t classes;                    /* bits 1 << enum ics_class: messages of other classes are not shown */
	size_t episode_len;                  /* of the struct that starts with struct ics_episode */
	int (*init)(struct ics_detector *d); /* NULL: nothing to do */
	/* After init, and when settings changed: what is derived from d->conf. NULL: nothing is. */
	void (*configure)(struct ics_detector *d);
	void (*fini)(struct ics_detector *d); /* frees d->state; also after an init that failed. NULL: nothing to do */
	void (*message)(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c);
	enum ics_detect_only only;
	/* See ics_detectors_ahead(). NULL: it has nothing to fetch. */
	void (*ahead)(struct ics_detector *d, uint32_t segment, const uint8_t *macs);
	/* See ics_detectors_hidden(). NULL: not of interest. */
	void (*hidden)(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, uint8_t type);
	/* A lenient or strict message is what the detectors judge; with this they are shown invalid ones too. */
	bool invalid_too;
	/* While a loop repeats frames, they are shown once only: what floods then, or comes from everywhere, is the loop. */
	bool once_in_loop;
	/* Further copies of a frame that was shown before, told apart by rec->frame_hash; NULL: not wanted. */
	void (*copies)(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg);
	/* Duplicate address detection for an address is over, three seconds after it began; NULL: not wanted. */
	void (*dad_over)(struct ics_detector *d, const struct ics_dad *dad);
	/* Data of hosts (ip6_other, ip4_other), of which msg has addresses and frame; NULL: not of interest. */
	void (*data)(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg);
	/* A router of an earlier run is known again; NULL: not of interest. */
	void (*resumed)(struct ics_detector *d, const struct ics_router *r);
	/* A black hole opened or changed, or (open false) is about to go. NULL: not of interest. */
	void (*hole)(struct ics_detector *d, const struct ics_hole *h, bool open);
	/* What the TCP sampler tells, HOSTDATA left out (that is data). msg: its time, segment, frame, MACs and addresses as
	 * of s, for episodes; its rec is a sample's. NULL: not of interest.
	 */
	void (*sample)(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg,
		       const struct ics_segment *seg);
	bool needs_samples;   /* it is not assessed as long as the sampler is off */
	bool needs_both_ways; /* ... or no connection was seen in both directions */
	/* A worker lost messages; NULL: not of interest. */
	void (*loss)(struct ics_detector *d, const struct ics_loss *loss);
	bool needs_data; /* it is not assessed as long as no data was seen */
	/* Writes subject, evidence, variant, severity and says of the episode's anomaly. */
	void (*render)(struct ics_detector *d, struct ics_episode *ep);
	/* A timer of the episode is due. False when that closed it; else due() is asked again. */
	bool (*timer)(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns);
	/* When the episode next needs its timer; UINT64_MAX: never. */
	uint64_t (*due)(const struct ics_episode *ep);
};

/* How many anomalies a detector opened of late on a segment (segments share a slot by chance). */
#define ICS_DETECT_QUOTA_SLOTS 64
struct ics_detect_quota {
	uint32_t segment, n;
	uint64_t start_ns;
};

struct ics_detector {
	struct ics_detector_info info;
	const struct ics_detector_ops *ops;
	const struct ics_config *conf;
	struct ics_model *model;
	struct ics_anomaly_store *store;
	struct ics_table episodes;
	struct ics_detect_shared *shared;
	void *state; /* the detector's own */
	uint64_t seed;
	unsigned number; /* of its row */
	uint32_t n_dirty;
	struct ics_detect_quota quota[ICS_DETECT_QUOTA_SLOTS];
	char thresholds[160];
};

/* episode.c ---- one open anomaly about one router, with what its detector remembers of it */
struct ics_episode {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t index;
	bool established; /* its router was known for a while: a flood of new ones does not push it out */
	bool dirty;       /* the anomaly is behind what the episode knows */
	struct ics_detector *det;
	struct ics_anomaly *a;
	struct ics_timer timer;
	uint64_t interval_ns; /* between updates that change nothing but counts */
	uint64_t published_ns;
	uint64_t signature; /* of what was published */
	uint64_t noted;     /* running number of the latest message that counts: one message counts once */
};

struct ics_episode *ics_episode_find(struct ics_detector *d, uint32_t segment, const struct ics_ip *addr);
/* Opens an anomaly and its episode; NULL when the detector has its fill of them. */
struct ics_episode *ics_episode_open(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr,
				     bool established);
/* The same about something else than a router: key is what it is found by, what and text are its subject. Beyond a few
 * a minute on one segment it opens none and counts them as suppressed: a flood of invented entities has its own voice.
 */
struct ics_episode *ics_episode_open_as(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *key,
					const char *what, const char *text);
/* A MAC as the key of an episode. */
struct ics_ip ics_episode_key_of_mac(const struct ics_mac *mac);
/* Takes in the message and shows it: at once when it is among the first or the signature (a value that differs when
 * anything but a count changed) is new, else within interval_ns.
 */
void ics_episode_update(struct ics_episode *ep, const struct ics_msg *msg, uint64_t signature);
/* It lasts until now, in packet time, which may have been set back since: for findings that no message makes. */
void ics_episode_last_now(struct ics_episode *ep);
/* The same as ics_episode_update() without a message. */
void ics_episode_refresh(struct ics_episode *ep, uint64_t signature);
/* The same for copies without frame: those of the finding's latest frame are counted already, others are here. */
void ics_episode_add_copies(struct ics_episode *ep, const struct ics_record *rec, uint64_t signature);
/* Sets the timer by ops->due(). */
void ics_episode_rearm(struct ics_episode *ep);
void ics_episode_close(struct ics_episode *ep);
/* Timer callback of detectors whose findings are over when due() says so. */
bool ics_episode_expire(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns);
/* For detectors whose state is one table: init, and the fini callback. 0 or -ENOMEM. */
int ics_detector_make_table(struct ics_detector *d, uint32_t entry_len, uint32_t key_len, uint32_t cap);
void ics_detector_drop_table(struct ics_detector *d);
void ics_episode_settle_all(struct ics_detector *d);

/* neighbor.c ---- who may do what others may not */
bool ics_detect_may_answer_dad(const struct ics_detector *d, const struct ics_msg *msg);
bool ics_detect_is_router_addr(const struct ics_detector *d, uint32_t segment, const struct ics_ip *addr);
bool ics_detect_is_router_mac(const struct ics_detector *d, uint32_t segment, const struct ics_mac *mac);
/* A name server that a router of the segment announces. */
bool ics_detect_is_resolver(const struct ics_detector *d, uint32_t segment, const struct ics_ip *addr);

/* loss.c ---- says so in an anomaly of a detector that needs every message, when some of its kind were lost */
void ics_detect_mark_lossy(const struct ics_detector *d, struct ics_anomaly *a);

/* mute.c ---- maintenance windows of detect.mute */
bool ics_detect_is_muted(const struct ics_detector *d, const struct ics_segment_key *seg, const struct ics_ip *addr,
			 const struct ics_mac *mac);
bool ics_detect_is_muted_wholly(const struct ics_detector *d);

/* evidence.c ---- facts and words that router detectors share */
struct ics_defaults {
	unsigned n;                    /* other DEFAULT routers of the segment */
	bool as_preferred;             /* one of them has at least the preference of the router in question */
	char list[ICS_FACT_TEXT_LEN];  /* "fe80::2 prf=high, ..." */
	char since[ICS_FACT_TEXT_LEN]; /* "fe80::2 2016-05-12T00:20:50Z, ...": since when each of them is one */
	uint64_t longest_ns;           /* for how long one of them has been one by now */
};
void ics_detect_other_defaults(struct ics_model *m, const struct ics_router *r, struct ics_defaults *out);
/* What the router's hosts lose with it: how many of them (all of the segment, or those that were told one by one), what
 * they lose, who is left and since when.
 */
void ics_detect_blast(struct ics_anomaly *a, const struct ics_defaults *left, uint32_t hosts);
/* The same of a finding in which nothing is lost, but traffic goes another way. */
void ics_detect_diversion(struct ics_anomaly *a, const struct ics_defaults *others, uint32_t hosts);
/* Hosts of the segment, those left out that act as routers. */
uint32_t ics_detect_hosts(const struct ics_segment *seg);
/* "00:00:5e:00:53:01, ..."; "none learned" */
void ics_detect_mac_list(const struct ics_router *r, char buf[static ICS_FACT_TEXT_LEN]);
/* Names of the bits set in variants, in order, split by commas; the first of them is what is returned. */
const char *ics_detect_variants(uint32_t variants, const char *const *names, unsigned n,
				char buf[static ICS_FACT_TEXT_LEN]);
bool ics_detect_was_known(const struct ics_router *before, uint64_t now_ns);

static inline enum ics_severity
ics_severity_lower(enum ics_severity s)
{
	return s == ICS_SEV_INFO ? s : s - 1;
}

static inline enum ics_severity
ics_severity_higher(enum ics_severity s)
{
	return s == ICS_SEV_CRITICAL ? s : s + 1;
}

/* Appends to a->says; what does not fit is left out. */
void ics_say(struct ics_anomaly *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "; 41 hosts are on this segment.": the end of a sentence. */
void ics_say_hosts(struct ics_anomaly *a, uint32_t hosts);
/* "; no other default router is left for 41 hosts." and the like: the end of a sentence. */
void ics_say_what_is_left(struct ics_anomaly *a, const struct ics_defaults *left, uint32_t hosts);

#endif
