/* Private to lib/sample: the tables of one worker's sampler, and what a packet looks like to them. */
#ifndef ICS_SAMPLER_H
#define ICS_SAMPLER_H

#include "ics_recent.h"
#include "ics_sample.h"

/* Of words in the table of recent flows (ics_recent.h). */
#define RECENT_EPOCH 0x0000e000u
#define RECENT_EPOCH_SHIFT 13
#define EPOCHS 8
#define EPOCH_SHIFT 30 /* of ns: about a second */

/* (MAC, source) of data frames: 20 bits of the hash, 12 of the minute. In sets of four: with one place for each, of 4,000
 * stations hundreds pushed each other out and were told again and again.
 */
#define SOURCE_SLOTS 16384
#define SOURCE_WAYS 4
#define MINUTE_MASK 0x0fffu

#define FLOW_WAYS 8
#define FLOW_SETS (ICS_SAMPLE_FLOWS / FLOW_WAYS)
/* Idle times in ms: flows; flows of which one side alone was ever seen; what a full set may push out. */
#define FLOW_IDLE_MS 120000
#define FLOW_HALF_IDLE_MS 10000
/* Sets that a new epoch looks through for idle flows: all of them in two minutes. */
#define SWEEP_SETS (FLOW_SETS / 120 + 1)

/* An epoch of one worker: looks at packets beyond the table of recent ones, records about data, SYNs, all else. At 100
 * cycles a look the first is 4 % of a core.
 */
#define LOOKS_MAX (1u << 20)
#define SOURCES_MAX 2000
#define SYNS_MAX 10000
#define RECORDS_MAX 10000
#define SHIFT_MAX 8

/* side.flags */
#define SIDE_MINUTE 0x000f /* which minute max_len is of */
#define SIDE_WATCH 0x0010  /* seq, len, hdr are of a full-size segment on its way */
#define SIDE_SMALL 0x0020  /* seq is the end of a smaller segment, other_len its length */
#define SIDE_PEND 0x0040   /* with WATCH: a smaller segment of other_len ends no later than seq */
#define SIDE_SHRUNK 0x0080 /* with WATCH: the same octets were sent in packets of other_len */
#define SIDE_SACK_SMALL 0x0100
#define SIDE_SACK_FULL 0x0200
#define SIDE_HEARD 0x0400 /* the other end spoke since the segment was first sent again */
#define SIDE_ZERO 0x0800  /* the other end had no room of late */
#define SIDE_UNA 0x1000   /* una is set */
#define SIDE_ACKED 0x2000 /* a full-size segment was acknowledged in this minute */
#define SIDE_SEEN 0x4000  /* packets of this direction came past */
#define SIDE_SUPER 0x8000 /* some of them longer than any link's */
#define SIDE_OF_SEGMENT                                                                                                \
	(SIDE_WATCH | SIDE_SMALL | SIDE_PEND | SIDE_SHRUNK | SIDE_SACK_SMALL | SIDE_SACK_FULL | SIDE_HEARD)

/* What one end sends. */
struct side {
	uint32_t seq, una;     /* una: highest acknowledgement of the other end */
	uint32_t first_ms;     /* when the watched segment was first seen */
	uint16_t last;         /* its latest copy, in 16 ms after that */
	uint16_t len, max_len; /* of the watched segment; longest in this minute */
	uint16_t acked_len;    /* longest known to be acknowledged */
	uint16_t other_len, mss;
	uint16_t flags;
	uint8_t hdr, n; /* octets of headers in len; times it was sent again */
};

struct flow {
	uint32_t last_ms;
	struct side side[2];
	uint32_t pad;
};
_Static_assert(sizeof(struct flow) == 64, "a cache line");

/* A packet as the tables see it. dir: which side of the flow sent it. */
struct seg {
	const struct ics_frame *f;
	uint32_t l3_off;
	uint64_t ts_ns;
	uint64_t hash;  /* of the flow */
	uint64_t place; /* the same with its VLANs: a router's two legs are two flows to the tables */
	uint32_t now_ms;
	uint32_t seq, ack;
	uint16_t vlan[2];
	uint16_t sport, dport;
	uint16_t ip_len, hdr, payload, window;
	uint8_t encap, proto, tcp_flags, dir;
	bool is6, df, ether, arp;
	struct ics_view options; /* of TCP, as far as captured */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* One of three Bloom filters: the present, the one before, and one that is being emptied. */
struct filter {
	_Atomic uint64_t *word;
	ics_counter set; /* bits */
};

struct ics_sampler {
	struct ics_recent recent;
	struct ics_sample_conf conf;
	uint64_t seed1, seed2;
	const struct ics_sink *sink; /* NULL: nothing is told */
	struct ics_counters *counters;
	uint8_t port, queue;
	bool owned;      /* its memory */
	uint8_t shift;   /* one flow in 2^shift */
	uint16_t minute; /* 12 bits */
	uint64_t epoch_no;
	uint32_t looks, sources, syns, records; /* in this epoch */
	uint32_t used, sweep_at;                /* flows; next set to look through */
	/* Bloom filters; the control core reads these */
	uint32_t filter_words, clear_at;
	uint64_t filter_ns; /* when the present one began */
	struct filter filter[3];
	_Atomic unsigned present;
	ics_counter first_ns, last_ns, lossy_until_ns;
	ics_counter flows, flows_refused, flows_evicted, rate_shift; /* for telemetry */
	uint32_t *source;
	uint32_t *tag; /* of each flow, those of a set side by side: most packets are of none; 0: free */
	struct flow *flow;
};

/* ---- hashes: the same for both directions ---- */

static inline uint64_t
hash_end4(const struct ics_sampler *s, uint32_t addr, uint32_t port)
{
	return ics_hash_mix(((uint64_t)port << 32 | addr) ^ s->seed1, s->seed2);
}

static inline uint64_t
hash_end6(const struct ics_sampler *s, uint64_t high, uint64_t low, uint32_t port)
{
	return ics_hash_mix(high ^ s->seed1, low + s->seed2 + ((uint64_t)port << 48 | port));
}

static inline uint64_t
hash_ends(uint64_t a, uint64_t b, uint8_t proto)
{
	return a + b + proto * 0x9e3779b97f4a7c15ull;
}

/* A length of an IP packet as the table of recent flows has it. */
static inline uint32_t
recent_len(bool is6, uint32_t ip_len)
{
	return (is6 ? ip_len - 40 : ip_len) >> 8;
}

/* bloom.c */
void ics_sample_filter_prefetch(const struct ics_sampler *s, uint64_t hash);
void ics_sample_filter_add(struct ics_sampler *s, uint64_t hash);
bool ics_sample_filter_has(const struct ics_sampler *s, uint64_t hash);
void ics_sample_filter_turn(struct ics_sampler *s, uint64_t ts_ns);
bool ics_sample_filter_is_sure(const struct ics_sampler *s);

/* flow.c. Both tell what the packet says and how far packets of its direction are of no more interest in this epoch, in
 * units of the table of recent flows; 0: all are, those of the other direction too.
 */
uint32_t ics_sample_flow_look(struct ics_sampler *s, const struct seg *g);
/* Asks for what it will need first. */
static inline void
ics_sample_flow_prefetch(const struct ics_sampler *s, const struct seg *g)
{
	__builtin_prefetch(&s->tag[(uint32_t)g->place % FLOW_SETS * FLOW_WAYS]);
}
void ics_sample_flow_sweep(struct ics_sampler *s, uint32_t now_ms);

/* tell.c. dir: whose packets the record is about. */
void ics_sample_tell(struct ics_sampler *s, const struct seg *g, struct ics_sample *m, uint8_t dir);

#endif
