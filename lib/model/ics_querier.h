/* Who asks for multicast listeners on a segment, how, and since when: the queriers heard (RFC 9777 7.6.2 and RFC 2710 6
 * elect the lowest address), the values that hosts and routers derive timers from, and whether version 1 is spoken
 * because somebody asked for it (RFC 9777 8.2.1). Part of ics_model.h.
 */
#ifndef ICS_QUERIER_H
#define ICS_QUERIER_H

#include "ics_msg.h"

/* Of a segment that are kept; who was silent for longest goes, never the one that is in charge. */
#define ICS_QUERIERS_PER_SEGMENT 8

/* RFC 9777 9: what a querier is taken to mean that does not say. */
#define ICS_QUERY_RV 2
#define ICS_QUERY_QI_S 125
#define ICS_QUERY_QRI_MS 10000

/* The fields of a query (RFC 2710 3, RFC 9777 5.1). */
struct ics_query {
	uint8_t version;    /* 1 or 2, by the length */
	bool general;       /* for all groups */
	bool suppress;      /* routers do not change their timers */
	uint8_t rv;         /* robustness variable, 0: more than 7, or version 1 */
	uint8_t qqic;       /* as it is on the wire */
	uint32_t qqi_s;     /* querier's query interval; 0 in version 1 */
	uint32_t mrd_ms;    /* maximum response delay */
	uint16_t n_sources; /* asked for */
	struct ics_ip group;
};

struct ics_querier {
	struct ics_ip addr;
	struct ics_mac mac; /* zero where the link has none */
	bool has_mac;
	uint8_t version;            /* of its latest query */
	uint8_t rv, qqic;           /* of its latest general query, with qqi_s and qri_ms */
	uint32_t qqi_s, qri_ms;     /* qqi_s 0: it did not say */
	uint64_t first_ns, last_ns; /* any query */
	uint64_t start_ns;          /* it began, or began again after a silence */
	uint64_t last_general_ns;   /* 0: none */
	uint64_t general, specific; /* queries, copies included */
	uint64_t forged;            /* with its address and another MAC */
	uint64_t interval_ns;       /* between general queries, learned; 0: not yet */
	uint32_t intervals;         /* that it was learned from */
	uint32_t outliers;          /* in a row that do not fit it */
	uint32_t run;               /* general queries since start_ns */
	uint32_t overruled;         /* of them: though one with a lower address had spoken since it began; in a row */
	uint32_t copies_run;        /* queries in a row that were copies of one frame by a mirror */
	uint64_t frame_hash;        /* of its latest query, */
	bool last_is_general;       /* which is general */
};

struct ics_queriers {
	uint32_t segment;
	unsigned n;
	unsigned current;                  /* in q; the one in charge, or last in charge */
	uint64_t until_ns;                 /* it is, as long as it speaks again until then; 0: nobody ever was */
	uint64_t last_general_ns;          /* by whom ever, valid */
	uint64_t v1_since_ns, v1_until_ns; /* hosts speak version 1; 0: never did */
	uint64_t changes, evictions;
	/* Queries that hosts discard. */
	uint64_t invalid, invalid_ns;
	enum ics_reason invalid_reason;
	struct ics_ip invalid_src;
	struct ics_querier q[ICS_QUERIERS_PER_SEGMENT];
};

/* What one query meant. */
enum ics_query_role {
	ICS_QUERY_NONE,     /* not a general one */
	ICS_QUERY_FIRST,    /* nobody asked before */
	ICS_QUERY_SAME,     /* of the one in charge */
	ICS_QUERY_LOWER,    /* it takes over, by its lower address */
	ICS_QUERY_TAKEOVER, /* it takes over from one that is silent */
	ICS_QUERY_HIGHER,   /* it ought not to ask */
};
struct ics_query_event {
	struct ics_query query;
	enum ics_query_role role;
	bool forged;                         /* another MAC than that of its address */
	bool is_copy;                        /* by a mirror that delivers twice: no query of its own */
	bool is_startup;                     /* the interval before it is one of the short ones at start */
	bool started;                        /* its sender was not heard before, or was silent */
	uint64_t interval_ns;                /* since its sender's general query before it; 0: none */
	struct ics_mac mac_before;           /* forged: the right one */
	const struct ics_queriers *queriers; /* as they are now; NULL: none was ever valid */
	const struct ics_querier *querier;   /* its sender; NULL: not kept, as the query is not valid */
	struct ics_querier before;           /* who was in charge; of role LOWER, TAKEOVER, HIGHER and SAME */
};

/* False when there is not enough of it. Reads no more than msg->icmp. */
bool ics_query_parse(const struct ics_msg *msg, struct ics_query *out);
/* Floating point of RFC 9777 5.1.3 and 5.1.9: milliseconds, seconds. */
uint32_t ics_query_decode_mrc(uint16_t mrc);
uint32_t ics_query_decode_qqic(uint8_t qqic);

/* Timers of RFC 9777 9.4, 9.5 with the values that a querier tells: how long a membership lives that is not reported
 * again, and how long a silent querier keeps its place.
 */
uint64_t ics_querier_mali_ns(const struct ics_querier *q);
uint64_t ics_querier_other_ns(const struct ics_querier *q);
/* Seconds between its general queries: as it says, else as learned, else the default. */
uint32_t ics_querier_qi_s(const struct ics_querier *q);

/* The one in charge at that time; NULL: nobody. */
const struct ics_querier *ics_queriers_current(const struct ics_queriers *s, uint64_t now_ns);
static inline bool
ics_queriers_is_v1(const struct ics_queriers *s, uint64_t now_ns)
{
	return s != NULL && now_ns < s->v1_until_ns;
}

#endif
