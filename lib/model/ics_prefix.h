/* What router advertisements say beyond their header: prefixes, routes, resolvers, search domains, NAT64 prefixes,
 * captive portals and encrypted resolvers, each as one entry of one capped table. Part of ics_model.h, which is what
 * detectors and reports include.
 */
#ifndef ICS_PREFIX_H
#define ICS_PREFIX_H

#include "ics_msg.h"
#include "ics_table.h"

#define ICS_PREFIXES_MAX 65536
#define ICS_PREFIXES_PER_SEGMENT 256
/* Entries that one RA may bring or refresh; what is beyond them is counted as dropped. */
#define ICS_RA_ITEMS_MAX 64
/* Senders of RAs whose announcements are followed. */
#define ICS_ADVERTISERS_MAX 16384
/* RAs of one router closer to each other than this are one announcement, its options split (RFC 4861 6.2.3). */
#define ICS_RA_SPLIT_NS 1000000000ull
#define ICS_LIFETIME_INFINITE UINT32_MAX
#define ICS_PREFIX_TEXT_LEN 64

enum ics_prefix_kind {
	ICS_PREFIX_PIO,            /* RFC 4861 4.6.2 */
	ICS_PREFIX_RIO,            /* RFC 4191 2.3 */
	ICS_PREFIX_RDNSS,          /* RFC 8106 5.1 */
	ICS_PREFIX_DNSSL,          /* RFC 8106 5.2 */
	ICS_PREFIX_PREF64,         /* RFC 8781 4 */
	ICS_PREFIX_CAPTIVE_PORTAL, /* RFC 8910 2.3 */
	ICS_PREFIX_ENCRYPTED_DNS,  /* RFC 9463 6.1 */
	ICS_PREFIX_KINDS,
};

#define ICS_PIO_ONLINK 0x80
#define ICS_PIO_AUTO 0x40 /* as sent, whether or not an address can be formed from it */

/* One thing that one router advertises. Times are those of the model's clock. */
struct ics_prefix {
	struct ics_table_head head;
	struct ics_ip router; /* from here to plen: the key */
	struct ics_ip value;  /* prefix, its bits behind plen zero; resolver; else a hash of what text shows */
	uint32_t segment;     /* id */
	uint16_t kind;        /* enum ics_prefix_kind */
	uint16_t plen;
	uint32_t id;     /* names it for as long as it is kept, from 1 on */
	uint8_t flags;   /* PIO: L, A, R, P; RIO: preference bits */
	uint8_t max_gap; /* most announcements in a row that it was missing from before it came back, and 1 */
	uint16_t steady; /* announcements in a row with the same flags and lifetimes, deadlines if those count down */
	uint32_t valid_s, preferred_s;           /* as last sent; preferred only of a PIO */
	uint32_t prev_valid_s, prev_preferred_s; /* as sent before that */
	uint32_t count;                          /* RAs that had it, copies included */
	uint32_t rounds, round_seen;             /* announcements to all that had it; the number of the latest */
	uint64_t first_ns, last_ns;
	uint64_t valid_until_ns, preferred_until_ns; /* UINT64_MAX: never */
	uint32_t advertiser;                         /* index */
	uint32_t seg_next, seg_prev, adv_next, adv_prev;
	char text[ICS_PREFIX_TEXT_LEN]; /* DNSSL, captive portal, encrypted DNS: printable ASCII, cut */
};

/* Fields of the RA header and of the MTU option that hosts take over. */
enum ics_ra_param {
	ICS_RA_HOP_LIMIT,
	ICS_RA_MANAGED,
	ICS_RA_OTHER,
	ICS_RA_REACHABLE,
	ICS_RA_RETRANS,
	ICS_RA_MTU,
	ICS_RA_PARAMS,
};

/* What one router announced: an announcement is an RA to all nodes with those that follow within ICS_RA_SPLIT_NS. */
struct ics_advertiser {
	struct ics_table_head head;
	struct ics_ip router; /* with segment the key */
	uint32_t segment;
	uint32_t round;              /* announcements so far */
	uint64_t first_ns, round_ns; /* of the first RA; when the latest announcement began */
	uint64_t any_ns;             /* the latest RA that counted for steady[], unicast ones included */
	uint32_t ras, n_prefixes;
	uint32_t newest, oldest;        /* of its entries, by when they were heard */
	uint32_t value[ICS_RA_PARAMS];  /* latest one that was specified */
	uint16_t steady[ICS_RA_PARAMS]; /* announcements in a row with that value; 0: never specified */
};

/* One item of an RA, beside what was known of it before. */
struct ics_ra_item {
	enum ics_prefix_kind kind;
	struct ics_ip value;
	uint8_t plen, flags;
	uint32_t valid_s, preferred_s;
	char text[ICS_PREFIX_TEXT_LEN];
	bool known; /* before is what this router had advertised */
	bool kept;  /* after is what the model has now */
	struct ics_prefix before, after;
};

/* What a strict or lenient RA says; valid until the next message. */
struct ics_ra_view {
	unsigned n;
	struct ics_ra_item item[ICS_RA_ITEMS_MAX];
	bool known;     /* before is set: this router had sent RAs */
	bool new_round; /* it begins another announcement */
	struct ics_advertiser before, after;
};

struct ics_model;

const char *ics_prefix_kind_name(enum ics_prefix_kind k);
/* "2001:db8:1::/64", a resolver's address, or the text. */
#define ICS_PREFIX_STRLEN ICS_PREFIX_TEXT_LEN
char *ics_prefix_format(const struct ics_prefix *p, char buf[static ICS_PREFIX_STRLEN]);
/* In use by hosts at that time: its lifetime has not run out. */
bool ics_prefix_is_active(const struct ics_prefix *p, uint64_t now_ns);
bool ics_prefix_covers(const struct ics_ip *prefix, unsigned plen, const struct ics_ip *addr);
/* Announcements in a row of its router that it was missing from. */
uint32_t ics_prefix_misses(const struct ics_model *m, const struct ics_prefix *p);
/* So many that splitting of options (RFC 4861 6.2.3) no longer explains it. */
uint32_t ics_prefix_missing_at(const struct ics_prefix *p);
/* It was always there and is missing for so long that splitting of options does not explain it. */
bool ics_prefix_is_missing(const struct ics_model *m, const struct ics_prefix *p);

uint64_t ics_model_prefix_count(const struct ics_model *m);
/* In order of id: the one with the lowest id >= id, or NULL. */
const struct ics_prefix *ics_model_prefix_next(const struct ics_model *m, uint32_t id);
/* The entries of a segment, those heard more than once first, then the latest first: begin with after = NULL. At most
 * ICS_PREFIXES_PER_SEGMENT. NULL past the last.
 */
const struct ics_prefix *ics_model_segment_prefix(const struct ics_model *m, uint32_t segment,
						  const struct ics_prefix *after);
/* The entries of one router of a segment, the latest heard first, likewise. */
const struct ics_prefix *ics_model_router_prefix(struct ics_model *m, uint32_t segment, const struct ics_ip *router,
						 const struct ics_prefix *after);
const struct ics_advertiser *ics_model_advertiser(struct ics_model *m, uint32_t segment, const struct ics_ip *router);
/* The other way round: begin with the one that was not heard for longest. */
const struct ics_prefix *ics_model_router_stalest(struct ics_model *m, uint32_t segment, const struct ics_ip *router,
						  const struct ics_prefix *after);
/* Another router of the segment advertises the same as p, now; NULL: none among the first ICS_PREFIX_LOOKS. */
const struct ics_prefix *ics_model_prefix_elsewhere(const struct ics_model *m, const struct ics_prefix *p);
/* The entry of a router for this very value, or NULL. */
const struct ics_prefix *ics_model_prefix_find(struct ics_model *m, uint32_t segment, const struct ics_ip *router,
					       enum ics_prefix_kind kind, const struct ics_ip *value, unsigned plen);
/* A prefix of the segment, valid now, with one of the flags (ICS_PIO_*), that the address is in; NULL: none among
 * the first ICS_PREFIX_LOOKS that would be listed.
 */
#define ICS_PREFIX_LOOKS 64
const struct ics_prefix *ics_model_prefix_of(const struct ics_model *m, uint32_t segment, const struct ics_ip *addr,
					     uint8_t flags);
/* How many known addresses of the segment are in each of n prefixes: one pass over at most ICS_PREFIX_SCAN entries of
 * the table. False: there are more, the numbers are "at least".
 */
#define ICS_PREFIX_SCAN 65536
bool ics_model_prefix_hosts(const struct ics_model *m, uint32_t segment, const struct ics_prefix *const *p, unsigned n,
			    uint32_t *hosts);

#endif
