/* A record with its frame, parsed once for the model and all detectors. Views point into the record's frame
 * and live as long as the call. ics_msg_parse() uses the fast half's cursor code and bounds.
 */
#ifndef ICS_MSG_H
#define ICS_MSG_H

#include "ics_quote.h"
#include "ics_record.h"

/* Fields of an RA (RFC 4861 4.2) that the model keeps; options beyond the fixed part are walked on demand. */
struct ics_msg_ra {
	uint16_t lifetime_s;
	uint8_t cur_hop_limit, flags;
	uint32_t reachable_ms, retrans_ms, mtu;     /* mtu 0: no option */
	bool has_slla, has_pio, pio_preferred_zero; /* pio_preferred_zero: every PIO has preferred lifetime 0 */
	struct ics_mac slla;
	uint64_t opts_hash;
};

/* Fields of an NS or NA (4.3, 4.4). lla: SLLA of an NS, TLLA of an NA. */
struct ics_msg_na {
	struct ics_ip target;
	uint8_t flags; /* ICS_NA_FLAG_*; 0 for an NS */
	bool has_lla;
	struct ics_mac lla;
};

/* An RS (4.1). */
struct ics_msg_rs {
	bool has_slla;
	struct ics_mac slla;
};

/* A redirect (4.5). */
struct ics_msg_redirect {
	struct ics_ip target, dest;
	bool has_tlla;
	struct ics_mac tlla;
	struct ics_view quoted; /* of the redirected packet, len 0 without one */
};

/* An error about a packet that host or far end sent (RFC 792, 4443 2.4): icmp6_too_big, icmp6_unreach,
 * icmp6_time_exceeded, icmp4_frag_needed, icmp4_unreach, icmp4_source_quench, icmp4_time_exceeded.
 */
struct ics_msg_error {
	uint8_t type, code;
	uint8_t hop_limit;      /* of the message itself */
	uint32_t mtu;           /* that it tells; 0: none */
	struct ics_quote quote; /* flags 0 when no IP header can be read in it */
};

struct ics_msg {
	const struct ics_record *rec;
	struct ics_view frame, icmp;
	uint64_t ts_ns;    /* rebased packet time: never runs back by more than 100 ms */
	uint64_t frame_no; /* 0 where the source has none */
	enum ics_class class;
	bool strict, lenient, has_mac;
	bool later_fragment; /* of a datagram whose message showed before; only what hides a message (fragments) has it */
	bool cut;            /* not all of the message was captured: an option that is not seen may be there */
	struct ics_mac smac, dmac;
	struct ics_ip src, dst;
	union {
		struct ics_msg_ra ra; /* nd_ra */
		struct ics_msg_na na; /* nd_ns, nd_na */
		struct ics_msg_rs rs;
		struct ics_msg_redirect redirect;
		struct ics_msg_error error;
	};
};

/* The options of an ND message one by one, as long as each has a length and is wholly there; at most
 * ICS_ND_OPTIONS_MAX. Begin with off 0.
 */
struct ics_msg_options {
	uint32_t off;
	unsigned n;
};
bool ics_msg_option_next(const struct ics_msg *msg, struct ics_msg_options *it, struct ics_view *opt);

/* The nonce of a DAD probe, RFC 7527; zeros without. */
void ics_msg_nonce(const struct ics_msg *msg, uint8_t nonce[static 6]);

/* MACs and addresses alone, of a frame whose message cannot be found or is in another fragment. False without an IP
 * header.
 */
bool ics_msg_parse_outer(const struct ics_record *rec, struct ics_view frame, struct ics_msg *out);
/* False when the record has no frame or no message to parse. */
bool ics_msg_parse(const struct ics_record *rec, struct ics_view frame, struct ics_msg *out);

#endif
