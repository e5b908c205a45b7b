/* What passes from a worker to the control core: what the worker learned about a frame, in one cache line,
 * followed by the captured frame itself, padded to 64 bytes. No union of event kinds: the slow half parses
 * the frame again with the same cursor code, so that evidence is always at hand (design: The record).
 */
#ifndef ICS_RECORD_H
#define ICS_RECORD_H

#include "ics_decode.h"

#define ICS_RECORD_ELEM 64
/* Longest frame that travels with its record; of a longer one the first so many bytes do. */
#define ICS_RECORD_FRAME_MAX 9216

/* ics_record.flags */
#define ICS_REC_STRICT 0x01
#define ICS_REC_LENIENT 0x02
#define ICS_REC_CAP_TRUNC 0x04
#define ICS_REC_UNPARSED 0x08
#define ICS_REC_EVASION 0x10
#define ICS_REC_FRAGMENT 0x20
/* The frame does not follow: these are further copies of the frame with the same hash sent before. */
#define ICS_REC_COPIES 0x40
#define ICS_REC_IP4 0x80

struct ics_record {
	uint64_t ts_ns;             /* packet time of the newest copy, ns since the epoch */
	uint64_t frame_hash;        /* of MACs and IP datagram, keyed per run; equal for identical messages */
	struct ics_reasons reasons; /* 24 bytes */
	uint32_t repeats;           /* this record stands for 1 + repeats messages */
	uint16_t vlan_outer;        /* VLAN id or ICS_VLAN_NONE */
	uint16_t vlan_inner;
	uint16_t wire_len; /* saturates */
	uint16_t cap_len;  /* bytes of frame that follow */
	union {
		struct {
			uint16_t l3_off; /* from the first byte of the frame */
			uint16_t l4_off; /* 0 when there is no ICMP message */
		};
		/* With ICS_REC_COPIES: the shortest time between two copies since the last such record of this frame; 0:
		 * in one burst, UINT32_MAX: not known.
		 */
		uint32_t min_gap_ns;
	};
	uint16_t ilen;
	uint8_t port;
	uint8_t queue;
	uint8_t class; /* enum ics_class */
	uint8_t flags; /* ICS_REC_* */
	uint8_t encap; /* ICS_ENCAP_* in the low five bits, link type (enum ics_link) in the high three */
	uint8_t n_labels;
};

_Static_assert(sizeof(struct ics_record) == ICS_RECORD_ELEM, "a record header is one cache line");

/* Eight octets at a time, each load from what one store wrote: a wider load of a record that was just put together waits
 * until all of it has left the store queue.
 */
static inline void
ics_record_copy(void *to, const struct ics_record *from)
{
	for (unsigned i = 0; i < sizeof(*from); i += 8) {
		uint64_t w = ics_load_u64((const uint8_t *)from + i);

		__asm__("" : "+r"(w)); /* or the compiler makes wide loads of them */
		memcpy((uint8_t *)to + i, &w, sizeof(w));
	}
}

/* ics_record.class of a sample, which is no control message: what follows is no frame but a struct ics_sample. */
#define ICS_RECORD_SAMPLE 0xff

static inline bool
ics_record_is_sample(const struct ics_record *r)
{
	return r->class == ICS_RECORD_SAMPLE;
}

static inline enum ics_link
ics_record_link(const struct ics_record *r)
{
	return (enum ics_link)(r->encap >> 5);
}

/* Ring elements that a record with cap_len bytes of frame takes, header included. */
static inline unsigned
ics_record_elems(unsigned cap_len)
{
	return 1 + (cap_len + ICS_RECORD_ELEM - 1) / ICS_RECORD_ELEM;
}

/* Where: link-local addresses are unique only inside one of these. */
struct ics_segment_key {
	uint8_t port;
	uint8_t encap;       /* ICS_ENCAP_MPLS | ICS_ENCAP_PPPOE of the record: another context on the same VLAN */
	uint16_t vlan_outer; /* ICS_VLAN_NONE when untagged */
	uint16_t vlan_inner;
};

/* "10", "100.10" (outer and inner tag), "none". Gives buf back. */
#define ICS_SEGMENT_VLAN_STRLEN 16
char *ics_segment_vlan_format(const struct ics_segment_key *k, char buf[static ICS_SEGMENT_VLAN_STRLEN]);

/* Which way a record goes. RESERVED is urgent with the right to the last part of the ring: messages about
 * routers that the control core knows, so that a flood cannot push them out. SAMPLE is bulk that may take no more than a
 * small part of the ring, so that no message is lost for a sample.
 */
enum ics_lane { ICS_LANE_BULK, ICS_LANE_URGENT, ICS_LANE_RESERVED, ICS_LANE_SAMPLE };

/* Where records go: a ring in the program, a call in the offline reader. push returns 0, or -ENOSPC when the
 * record is lost (the caller counts it). frame holds rec->cap_len bytes, and may be NULL when that is 0.
 * publish, if not NULL, is called behind the last push of a burst: until then nobody else need see them.
 */
struct ics_sink {
	int (*push)(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame);
	void *ctx;
	void (*publish)(void *ctx);
};

/* The routers that the control core knows, for workers to read: a set of hashes of (port, VLANs, address).
 * One writer, which only inserts and clears; every slot is one atomic word.
 */
#define ICS_KNOWN_SLOTS 8192
#define ICS_KNOWN_MAX 4096
struct ics_known {
	uint64_t seed;
	uint32_t used; /* slots taken; the writer alone reads it */
	_Atomic uint64_t slot[ICS_KNOWN_SLOTS];
};

/* Never 0. */
uint64_t ics_known_hash(const struct ics_known *k, uint8_t port, uint16_t vlan_outer, uint16_t vlan_inner,
			const uint8_t addr[static 16]);
bool ics_known_has(const struct ics_known *k, uint64_t hash);
/* 0, or -ENOSPC when ICS_KNOWN_MAX are in; inserting twice is fine. Control core only. */
int ics_known_insert(struct ics_known *k, uint64_t hash);

#endif
