/* What the control core knows of paths: how much a path from one of our hosts to a far end carries, which router said so,
 * what that number looks like, and where packets vanish instead. Learned from strict Packet Too Big (RFC 8201) and
 * Fragmentation Needed (RFC 1191) messages alone; a value is only ever lowered, and forgotten ten minutes after its
 * last message (8201 4, 1191 6.3). Part of the model: one thread owns it.
 */
#ifndef ICS_PATH_H
#define ICS_PATH_H

#include "ics_msg.h"
#include "ics_quote.h"
#include "ics_table.h"
#include "ics_timer.h"

#define ICS_PATHS_MAX 262144
#define ICS_PATH_AGE_NS 600000000000ull
/* Rows of one reporter. */
#define ICS_PATHS_PER_REPORTER 16384
/* Rows that came in a flood and that nothing has confirmed since; they push out each other and nothing else. */
#define ICS_PATHS_FLOOD_MAX 32768
#define ICS_REPORTERS_MAX 16384
#define ICS_BLACK_HOLES_MAX 4096

/* Smallest MTU that a message may teach: no IPv6 link has less (RFC 8200 5), and no IPv4 stack believes less. */
#define ICS_PATH_MIN6 1280
#define ICS_PATH_MIN4 576
/* Fixed IP and TCP headers: what an MSS leaves out (RFC 9293 3.7.1, RFC 6691). */
#define ICS_TCP_HEADERS4 40
#define ICS_TCP_HEADERS6 60

/* Where both directions of a flow meet: VLANs, whatever port of the tap they come in by. */
uint32_t ics_path_context(const struct ics_segment_key *k);
struct ics_segment_key ics_path_context_key(uint32_t context);

enum ics_path_class { ICS_PATH_TCP, ICS_PATH_UDP, ICS_PATH_OTHER, ICS_PATH_CLASSES };
const char *ics_path_class_name(enum ics_path_class c);
enum ics_path_class ics_path_class_of(uint8_t proto);

/* ics_path.flags */
#define ICS_PATH_ESTIMATE 0x01  /* the router told no MTU: mtu is the plateau of RFC 1191 7 */
#define ICS_PATH_CONFIRMED 0x02 /* the quoted flow was seen */
#define ICS_PATH_HOLE 0x04      /* a black hole was found on it */
#define ICS_PATH_FLOODED 0x08   /* came in a flood, nothing has confirmed it since */

/* 96 octets. host: who has to send less, the receiver of the message; far: to whom. */
struct ics_path {
	struct ics_table_head head;
	struct ics_ip host, far; /* with context and class the key */
	uint32_t context;
	uint32_t class; /* enum ics_path_class */
	uint32_t mtu;   /* of whole IP packets */
	struct ics_ip reporter;
	struct ics_mac mac;         /* that the latest message came from; zero without */
	uint16_t quoted_len;        /* longest packet that did not fit; 0: not known */
	uint32_t first_at, last_at; /* ICS_COARSE() times: since when mtu holds, latest message */
	uint32_t repeats;           /* messages after the first with this mtu, copies included; saturates */
	uint16_t sport, dport;      /* of the latest packet that did not fit */
	uint8_t proto;
	uint8_t n_labels; /* of RFC 4950 */
	uint8_t encap;    /* ICS_ENCAP_* of the message; the tap sees them on this segment */
	uint8_t flags;
};

_Static_assert(sizeof(struct ics_path) == 96, "a quarter million of them");

/* Far prefixes that a reporter stands before, /24 or /48: the first few. */
#define ICS_REPORTER_FAR_MAX 8
struct ics_reporter_far {
	struct ics_ip prefix; /* host bits zero */
	uint32_t mtu;         /* the lowest */
	uint64_t first_ns;    /* since when that is so */
	uint64_t last_ns;
};

/* A router that told an MTU. */
struct ics_reporter {
	struct ics_table_head head;
	struct ics_ip addr; /* with context the key */
	uint32_t context;
	uint32_t segment; /* id, where it was heard last */
	struct ics_mac mac;
	uint8_t encap, n_labels;
	bool firm;    /* one of its rows did not come in a flood */
	bool is_ip4;  /* the packets that do not fit are IPv4 */
	uint32_t mtu; /* the lowest of late */
	uint32_t quoted_len;
	uint32_t rows;
	uint64_t first_ns, last_ns;
	uint64_t messages;                     /* that taught something or repeated it, copies included */
	uint32_t labels[ICS_QUOTE_LABELS_MAX]; /* as on the wire; of the latest message that had some */
	unsigned n_far;
	struct ics_reporter_far far[ICS_REPORTER_FAR_MAX];
};

/* What a message did to its path. */
enum ics_path_event {
	ICS_PATH_NOTHING, /* not about a path, or none that may be learned */
	ICS_PATH_NEW,
	ICS_PATH_LOWERED,
	ICS_PATH_REPEATED, /* known with this value */
	ICS_PATH_HIGHER,   /* known with a lower one, which stands */
	ICS_PATH_REFUSED,  /* over a cap */
};
struct ics_path_change {
	enum ics_path_event what;
	uint32_t before_mtu;                 /* LOWERED */
	uint64_t before_last_ns;             /* the message before; 0: there was none */
	uint16_t before_sport, before_dport; /* of the packet that it quoted */
	uint32_t told_mtu;                   /* of the message; an estimate where it told none */
	const struct ics_path *path;         /* as it is now; NULL with NOTHING and REFUSED */
	const struct ics_reporter *reporter; /* NULL: no room */
};

struct ics_model;

/* By host, far end and class; by any class with ICS_PATH_CLASSES, then the one with the lowest MTU. NULL: none lives. */
const struct ics_path *ics_path_find(struct ics_model *m, uint32_t context, const struct ics_ip *host,
				     const struct ics_ip *far, enum ics_path_class class);
/* In order of their place, from 1 on: the first that lives at or behind *index, which becomes its own. NULL: none in
 * the next ICS_PATH_STEPS, *index is where to go on, or 0 at the end.
 */
#define ICS_PATH_STEPS 65536
const struct ics_path *ics_path_next(const struct ics_model *m, uint32_t *index);
uint32_t ics_path_last(const struct ics_model *m); /* no index is higher */
uint64_t ics_path_first_ns(const struct ics_model *m, const struct ics_path *p);
uint64_t ics_path_last_ns(const struct ics_model *m, const struct ics_path *p);
/* The flow that the path's message quotes was seen to exist: a flood does not push the row out. */
void ics_path_confirm(struct ics_model *m, const struct ics_path *p);

const struct ics_reporter *ics_reporter_find(struct ics_model *m, uint32_t context, const struct ics_ip *addr);
/* As ics_path_next(), without a bound on the steps: there are ICS_REPORTERS_MAX at most. */
const struct ics_reporter *ics_reporter_next(const struct ics_model *m, uint32_t *index);
/* /24 or /48 of an address. */
struct ics_ip ics_path_prefix(const struct ics_ip *addr);
unsigned ics_path_prefix_len(const struct ics_ip *addr);

/* ---- black holes: host keeps sending to far what does not arrive -------------------------------------- */

enum ics_hole_kind {
	ICS_HOLE_REPEAT, /* a router says so in vain */
	ICS_HOLE_SILENT, /* nobody says so */
	ICS_HOLE_KINDS
};
struct ics_hole {
	struct ics_table_head head;
	struct ics_ip host, far; /* with context and kind the key */
	uint32_t context, kind;
	uint32_t segment; /* id */
	uint32_t mtu;     /* the most that is known to pass: told, or the longest that was acknowledged */
	uint32_t lost;    /* the shortest that is known not to; 0: not known */
	bool confirmed;   /* the sender shrank its packets, and they arrived */
	uint8_t reporter_known;
	struct ics_ip reporter;
	uint64_t first_ns, last_ns;
};
/* Opens or updates the black hole with the key in *h, of which head, first_ns and last_ns are not read. NULL: there are
 * ICS_BLACK_HOLES_MAX (counted).
 */
const struct ics_hole *ics_hole_set(struct ics_model *m, const struct ics_hole *h);
void ics_hole_end(struct ics_model *m, uint32_t context, const struct ics_ip *host, const struct ics_ip *far,
		  enum ics_hole_kind kind);
const struct ics_hole *ics_hole_find(struct ics_model *m, uint32_t context, const struct ics_ip *host,
				     const struct ics_ip *far, enum ics_hole_kind kind);
const struct ics_hole *ics_hole_next(const struct ics_model *m, uint32_t *index);
/* Called when a black hole opened or changed (open) and before it is taken away. One listener; NULL: none. */
typedef void (*ics_hole_fn)(void *ctx, const struct ics_hole *h, bool open);
void ics_model_on_hole(struct ics_model *m, ics_hole_fn fn, void *ctx);

/* ---- what an MTU looks like ---------------------------------------------------------------------------- */

enum ics_confidence { ICS_CONFIDENCE_LOW, ICS_CONFIDENCE_MEDIUM, ICS_CONFIDENCE_HIGH };
const char *ics_confidence_name(enum ics_confidence c);

#define ICS_GUESS_MAX 3
#define ICS_GUESS_TEXT_LEN 80
struct ics_guess {
	unsigned n;
	uint32_t link; /* MTU of the link below, as far as that is clear; 0: it is not */
	struct {
		char text[ICS_GUESS_TEXT_LEN];
		enum ics_confidence confidence;
	} at[ICS_GUESS_MAX];
};
/* What is known besides the number. */
struct ics_guess_hint {
	bool is_ip4;      /* version of the packets that do not fit */
	uint8_t n_labels; /* label stack that the router tells, 0: none */
	uint8_t encap;    /* ICS_ENCAP_* that the tap sees there */
	uint32_t quoted;  /* length of a packet that did not fit; 0: not known */
};
/* Up to three, the likeliest first. */
void ics_guess_encap(uint32_t mtu, const struct ics_guess_hint *hint, struct ics_guess *out);
void ics_guess_of_path(const struct ics_path *p, struct ics_guess *out);
/* "PPPoE or 2 MPLS labels"; "not a value of any usual encapsulation". */
const char *ics_guess_say(const struct ics_guess *g, char *buf, size_t len);
/* Largest plateau of RFC 1191 7 below the length of a packet that did not fit (its 5: some routers quote ihl octets too
 * many, which shows where the length is more than the link carries). At least 68.
 */
uint32_t ics_guess_plateau(uint32_t quoted_len, uint32_t ihl, uint32_t link_mtu);
/* MTU less fixed headers; 0 where nothing is left. */
uint32_t ics_mss4(uint32_t mtu);
uint32_t ics_mss6(uint32_t mtu);
/* What an ESP tunnel leaves of a link of this MTU (RFC 4303), for outer headers, UDP (8 or 0), IV, ICV and block. */
uint32_t ics_guess_esp(uint32_t link, uint32_t outer, uint32_t udp, uint32_t iv, uint32_t icv, uint32_t block);

#endif
