/* The TCP sampler of one worker: what the flows that pass say about path MTUs. It remembers, of as many TCP flows as
 * fit, the MSS of both ends, how long the packets of each direction are, and whether a full-size segment that may not be
 * fragmented is sent again and again while smaller ones arrive (RFC 2923 2.1, 4821 3); and of all flows, in two rotating
 * Bloom filters, that they were seen at all (RFC 5927 4.1). Called by the fast half for frames that are no ICMP errors;
 * what is worth telling goes to the control core as a sample record. Bounded in time and space; it never allocates.
 *
 * A sample record is no control message: its class is ICS_RECORD_SAMPLE, which no counter of classes has; what follows is a
 * struct ics_sample and the first bytes of the frame that told; it is counted apart, as sampled or sample_dropped.
 */
#ifndef ICS_SAMPLE_H
#define ICS_SAMPLE_H

#include "ics_count.h"
#include "ics_decode.h"
#include "ics_record.h"

/* ---- what is told ------------------------------------------------------------------------------- */

enum ics_sample_kind {
	ICS_SAMPLE_SYN,    /* a SYN, or SYN and ACK: mss, which src wants from dst */
	ICS_SAMPLE_RETX,   /* a full-size segment from src was sent again: n, len, first to latest */
	ICS_SAMPLE_SHRUNK, /* what was lost in len arrived in pieces of shrunk_len: the most that passes lies between */
	ICS_SAMPLE_SUM, /* every minute of a flow that full-size segments arrive on, or that sends: max_len of that minute */
	ICS_SAMPLE_END,      /* the flow was reset or closed with a full-size segment sent again and not acknowledged */
	ICS_SAMPLE_HOSTDATA, /* first data frame (TCP, UDP, other, ARP) in a minute of this smac with this src */
	ICS_SAMPLE_KINDS
};
const char *ics_sample_kind_name(unsigned kind);

/* ics_sample.flags */
#define ICS_SAMPLE_IP6 0x0001
#define ICS_SAMPLE_DF 0x0002         /* may not be fragmented on the way: always so in IPv6 */
#define ICS_SAMPLE_HANDSHAKE 0x0004  /* SYN and SYN with ACK were both seen */
#define ICS_SAMPLE_BOTH_WAYS 0x0008  /* packets from dst were seen too; without it nothing is known to be lost */
#define ICS_SAMPLE_PEER_HEARD 0x0010 /* dst sent something since the full-size segment was first sent again: it lives */
#define ICS_SAMPLE_SACK_SMALL                                                                                          \
	0x0020                      /* dst selectively acknowledged less than a full-size segment behind the lost one */
#define ICS_SAMPLE_SACK_FULL 0x0040 /* ... as much or more: full-size segments pass, it is congestion */
#define ICS_SAMPLE_ZERO_WINDOW 0x0080 /* dst had no room of late */
#define ICS_SAMPLE_RST 0x0100         /* END: by a reset, else by a FIN */
#define ICS_SAMPLE_SUPER                                                                                               \
	0x0200 /* packets longer than any link's came past (offload on the tap): lengths are not sure */
#define ICS_SAMPLE_FULL_ACKED 0x0400 /* SUM: a full-size segment (acked_len) was acknowledged in that minute */
#define ICS_SAMPLE_SAMPLED 0x0800    /* not every flow was looked at: this one stands for several */

/* What a sample record carries in front of the first ICS_SAMPLE_FRAME_MAX bytes of the frame at hand. All fields are about the direction from src to dst, whichever frame told;
 * lengths are of whole IP packets by their headers. vlans and port are in the record, IPv4 addresses as ::ffff:a.b.c.d.
 */
struct ics_sample {
	uint8_t kind; /* enum ics_sample_kind */
	uint8_t proto;
	uint16_t flags;
	uint16_t sport, dport;
	struct ics_ip src, dst;
	struct ics_mac smac, dmac; /* zero without Ethernet */
	uint32_t seq;              /* of the full-size segment: the same in all records about one loss */
	uint32_t lasted_ms;        /* RETX, SHRUNK, END: from when it was first seen to the latest copy */
	uint16_t n;                /* RETX, SHRUNK, END: how often it was sent again; saturates at 255 */
	uint16_t len;              /* of the full-size segment; HOSTDATA: of the packet */
	uint16_t acked_len;        /* longest packet from src to dst that is known to be acknowledged; 0: none yet */
	uint16_t shrunk_len;       /* SHRUNK: of the shorter packets; 0 in others */
	uint16_t max_len;          /* longest packet from src in the present minute, offload left out */
	uint16_t peer_max_len;     /* likewise from dst */
	uint16_t mss, peer_mss;    /* as each end announced it in its SYN: mss is what src announced; 0: not seen */
	uint32_t flow;             /* hash of the flow, both directions and all workers the same */
	uint8_t pad[48];
};
_Static_assert(sizeof(struct ics_sample) == 128, "two elements of a ring");
#define ICS_SAMPLE_FRAME_MAX 128

/* False when the record is no sample, or not wholly there. bytes: as the record carries them; *frame: what was captured
 * of the frame that told, as far as it travels.
 */
bool ics_sample_parse(const struct ics_record *rec, struct ics_view bytes, struct ics_sample *out,
		      struct ics_view *frame);

/* ---- the sampler of one worker ------------------------------------------------------------------ */

#define ICS_SAMPLE_FLOWS 65536
/* Flows between (host, far) that the control core wants to see whatever the load: ICS_KNOWN_* says how many. */
uint64_t ics_sample_watch_hash(const struct ics_known *k, const struct ics_ip *a, const struct ics_ip *b);

struct ics_sampler;
struct ics_recent;

struct ics_sample_conf {
	uint32_t every;                /* one flow in so many is looked at; 0: as many as fit and time allows */
	uint32_t filter_bits;          /* of each Bloom filter, a power of two, ICS_SAMPLE_FILTER_MIN at least */
	uint32_t link_mtu;             /* longer packets are offload's, unless they are jumbo frames */
	uint64_t seed;                 /* the same for all workers of a run */
	const struct ics_known *watch; /* NULL: none */
};
#define ICS_SAMPLE_FILTER_MIN 65536u
#define ICS_SAMPLE_FILTER_MAX (1u << 30)

/* mem: ics_sampler_size() zeroed bytes, aligned to 64, that the caller owns; NULL: allocated. NULL and errno. */
size_t ics_sampler_size(const struct ics_sample_conf *conf);
struct ics_sampler *ics_sampler_init(const struct ics_sample_conf *conf, void *mem);
/* Frees what init allocated. */
void ics_sampler_free(struct ics_sampler *s);

/* What the worker calls. Where records go and what counts them; sink may change its push later. NULL: nothing is told. */
void ics_sampler_attach(struct ics_sampler *s, const struct ics_sink *sink, struct ics_counters *counters, uint8_t port,
			uint8_t queue);
/* A burst: begin, then those of its frames that ics_peek() classed as ip4_other, ip6_other (58 octets captured) or arp and
 * that the table of recent flows does not settle (ics_recent.h), one by one.
 */
void ics_sample_begin(struct ics_sampler *s, uint64_t ts_ns);
const struct ics_recent *ics_sampler_recent(const struct ics_sampler *s);
void ics_sample_rest(struct ics_sampler *s, const struct ics_frame *f, enum ics_class class, uint64_t ts_ns);
/* A decoded frame that ics_peek() did not settle: data behind tags and labels, ICMP echo. Others are ignored. */
void ics_sample_packet(struct ics_sampler *s, const struct ics_frame *f, const struct ics_pkt *pkt, uint64_t ts_ns);
/* No frame came. */
void ics_sample_idle(struct ics_sampler *s, uint64_t ts_ns);

/* From any thread. */
struct ics_sampler_stats {
	uint64_t flows;         /* in the table */
	uint64_t flows_refused; /* found no room in it */
	uint64_t flows_evicted; /* made room for others */
	uint64_t one_in;        /* one flow in so many is looked at */
	bool filters_sure;      /* what the filters do not have was not there */
};
void ics_sampler_stats(const struct ics_sampler *s, struct ics_sampler_stats *out);

/* ---- was a flow seen? --------------------------------------------------------------------------- */

enum ics_flow_seen {
	ICS_FLOW_NOT_ASSESSED, /* off, not long enough on the tap, or too many flows to tell */
	ICS_FLOW_SEEN,
	ICS_FLOW_NOT_SEEN
};

/* A flow as an ICMP error quotes it, in either direction. ICMP echo has its identifier in both ports; what has no ports
 * has zeros.
 */
struct ics_flow {
	struct ics_ip src, dst;
	uint16_t sport, dport;
	uint8_t proto;
};

/* The samplers of all workers, for the control core to ask; owned by the program. */
#define ICS_SAMPLERS_MAX 128
struct ics_samplers {
	unsigned n;
	const struct ics_sampler *at[ICS_SAMPLERS_MAX];
};

/* From any thread. A message quotes a packet that came past moments before: NOT_SEEN is said when the tap has been read
 * for ICS_FLOW_WARMUP_NS and all filters have room; the five to ten minutes before count. set NULL or empty: not assessed.
 * Whether the tap sees that direction of the host's packets at all is for the caller to know (ics_host.last_data_ns).
 */
#define ICS_FLOW_WARMUP_NS 10000000000ull
enum ics_flow_seen ics_sample_flow_seen(const struct ics_samplers *set, const struct ics_flow *flow);

#endif
