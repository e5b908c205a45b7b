/* The packet that an ICMP error quotes: who sent it to whom, how long it was, and what is needed to find its
 * connection again. Read once, bounded, from a decoded error message; the validators and the control core
 * use the same code (RFC 792, 1812 4.3.2.3, 4443 2.4, 4884, 4950).
 */
#ifndef ICS_QUOTE_H
#define ICS_QUOTE_H

#include "ics_decode.h"

#define ICS_QUOTE_LABELS_MAX 8

/* ics_quote.flags */
#define ICS_QUOTE_IP 0x01    /* the IP header is there and of the error's IP version: host, far, ip_len, proto */
#define ICS_QUOTE_DF 0x02    /* the quoted packet may not be fragmented (always so in IPv6) */
#define ICS_QUOTE_LATER 0x04 /* a fragment with offset > 0: it has no upper-layer header */
#define ICS_QUOTE_PORTS 0x08 /* sport and dport are set */
#define ICS_QUOTE_WORD 0x10  /* l4_word is set */
#define ICS_QUOTE_ICMP 0x20  /* icmp_type is set */

struct ics_quote {
	struct ics_view bytes; /* what was captured of the quote */
	struct ics_ip host;    /* its source: the one that the error tells */
	struct ics_ip far;     /* its destination */
	uint32_t len;          /* octets quoted, by the message; more than bytes.len in a short capture */
	uint32_t ip_len;       /* length of the quoted packet by its own header; 0 for a jumbogram */
	uint32_t ip_hdr_len;   /* octets of its IP header, IPv6 extension headers included */
	uint32_t ip_id;        /* IPv4 identification, or of an IPv6 fragment header */
	uint32_t l4_word;      /* octets 4 to 7 of the upper layer: TCP sequence number, ICMP id and sequence */
	uint16_t sport;
	uint16_t dport;
	uint8_t flags; /* ICS_QUOTE_* */
	uint8_t proto; /* upper layer, ICS_PROTO_* */
	uint8_t hop_limit;
	uint8_t icmp_type;
	uint8_t n_labels; /* entries of the label stack that the reporter received the packet with; saturates */
	uint32_t labels[ICS_QUOTE_LABELS_MAX]; /* its first entries, as on the wire: label 20, TC 3, S 1, TTL 8 */
};

/* 0; -ENOENT when the message is no ICMP error, -EINVAL when no IP header can be read in it (the fields that
 * do not depend on one are set then). Fills *q wholly.
 */
int ics_quote_parse(const struct ics_pkt *pkt, struct ics_quote *q);

static inline uint32_t
ics_quote_label(uint32_t entry)
{
	return entry >> 12;
}

#endif
