/* From link header to ICMP message: which bytes are the IP header, which the message, how long the IP layer
 * says it is, and what stood on the way (tags, labels, extension headers, fragments). Two entries: ics_peek()
 * settles the bulk of traffic from a handful of loads, ics_decode() does the whole walk for the rest.
 */
#ifndef ICS_DECODE_H
#define ICS_DECODE_H

#include "ics_classify.h"
#include "ics_reason.h"
#include "ics_wire.h"

/* Bounds of the walk. Beyond the limits of the rules (8 extension headers, 512 bytes, 2 tags, 8 labels) a
 * frame is marked; ICS_EXT_WALK_MAX bounds how far the class is still looked for.
 */
#define ICS_TAGS_MAX 2
#define ICS_LABELS_MAX 8
#define ICS_EXT_MAX 8
#define ICS_EXT_BYTES_MAX 512
#define ICS_EXT_WALK_MAX 256
#define ICS_TUNNEL_DEPTH_MAX 3

#define ICS_VLAN_NONE 0xffff

/* What the first byte of a frame is. */
enum ics_link {
	ICS_LINK_ETHERNET,
	ICS_LINK_RAW_IP, /* IPv4 or IPv6 by its first nibble */
	ICS_LINK_SLL,    /* Linux cooked capture, 16 bytes */
	ICS_LINK_SLL2,   /* Linux cooked capture v2, 20 bytes */
	ICS_LINK_NULL,   /* BSD loopback, 4-byte address family in the capturing host's order */
	ICS_LINK_LOOP,   /* OpenBSD loopback, the same in network order */
};

/* One frame as received. cap_len bytes are readable at data, wire_len were on the wire (no FCS);
 * cap_len <= wire_len. stripped_tci is the tag that a NIC took out of the frame, or ICS_VLAN_NONE.
 */
struct ics_frame {
	const uint8_t *data;
	uint32_t cap_len;
	uint32_t wire_len;
	uint16_t stripped_tci;
	uint8_t link; /* enum ics_link */
};

/* Tunnels to look into, or'ed; 0 looks into none (the default). */
#define ICS_TUNNEL_VXLAN 0x01
#define ICS_TUNNEL_GENEVE 0x02
#define ICS_TUNNEL_GRE 0x04
#define ICS_TUNNEL_ERSPAN 0x08
#define ICS_TUNNEL_IPIP 0x10
#define ICS_TUNNEL_6IN4 0x20

struct ics_decode_conf {
	uint32_t tunnels;       /* ICS_TUNNEL_* */
	bool mpls_control_word; /* try behind a pseudowire control word when the first nibble is 0 or 1 */
};

/* ics_pkt.flags */
#define ICS_PKT_CAP_TRUNC 0x0001    /* fewer bytes captured than the IP layer says there are */
#define ICS_PKT_L2_UNICAST 0x0002   /* multicast IP destination in a unicast frame (RFC 6085), legal */
#define ICS_PKT_FRAGMENT 0x0004     /* a fragment header or IPv4 fragment fields are present */
#define ICS_PKT_FRAG_ATOMIC 0x0008  /* IPv6 fragment header with offset 0 and M 0 */
#define ICS_PKT_FRAG_LATER 0x0010   /* offset > 0: the upper layer is in another frame */
#define ICS_PKT_EXT 0x0020          /* an extension header other than Fragment is present */
#define ICS_PKT_HBH 0x0040          /* ... and it is hop-by-hop */
#define ICS_PKT_ROUTER_ALERT 0x0080 /* hop-by-hop option 5; value in router_alert */
#define ICS_PKT_UNPARSED 0x0100     /* a stop rule fired: no message to validate or to learn from */
#define ICS_PKT_ICMP 0x0200         /* l4_off, ilen and icmp are set */
#define ICS_PKT_EVASION 0x0400      /* shape that hides an ND message from a filter (RFC 7113, 6980) */
#define ICS_PKT_GT10_OPTIONS 0x0800 /* more ND options than KAME-derived stacks read (10) */
#define ICS_PKT_ETHER 0x1000        /* dmac and smac are set */
#define ICS_PKT_CSUM_PARTIAL 0x2000 /* ICMP checksum field holds just the pseudo-header sum: not yet offloaded */
#define ICS_PKT_BSD_QUIRK 0x4000    /* quoted length has the header length added twice (RFC 1191 5) */

/* ics_pkt.encap, or'ed: what counts in the reader's "encapsulation" */
#define ICS_ENCAP_VLAN 0x01
#define ICS_ENCAP_QINQ 0x02
#define ICS_ENCAP_MPLS 0x04
#define ICS_ENCAP_PPPOE 0x08
#define ICS_ENCAP_TUNNEL 0x10

/* A decoded frame. Scratch of one call: it points into the frame and is never kept.
 * Offsets count from the first byte of the frame.
 */
struct ics_pkt {
	struct ics_view frame; /* all captured bytes */
	struct ics_view icmp;  /* captured bytes of the ICMP message: min(ilen, captured) */
	const uint8_t *dmac;   /* 6 bytes each, valid with ICS_PKT_ETHER */
	const uint8_t *smac;
	const uint8_t *src; /* 16 bytes for IPv6, 4 for IPv4; NULL when there is no IP header */
	const uint8_t *dst;
	struct ics_reasons reasons;
	uint32_t wire_len;
	uint32_t flags;
	uint32_t l3_off;             /* the IP header */
	uint32_t l4_off;             /* the ICMP message */
	uint32_t ilen;               /* length of the ICMP message by the IP layer, never by the frame */
	uint16_t ip_len;             /* 40 + payload length, or IPv4 total length */
	uint16_t vlan[ICS_TAGS_MAX]; /* VLAN ids outer first, ICS_VLAN_NONE where there is none (or id 0) */
	uint16_t router_alert;
	uint16_t ext_len;   /* bytes of extension headers */
	uint8_t class;      /* enum ics_class */
	uint8_t ip_version; /* 4, 6, 0 without IP */
	uint8_t proto;      /* protocol the walk ended at */
	uint8_t hop_limit;  /* or TTL */
	uint8_t n_tags;
	uint8_t n_labels;
	uint8_t n_ext; /* extension headers without Fragment; saturates */
	uint8_t encap; /* ICS_ENCAP_* */
	uint8_t tunnel_depth;
};

/* ICS_CLASS_COUNT means "not settled: decode". Any other value is the frame's class, decided without
 * looking past the first IP header: untagged Ethernet with plain IPv4 or IPv6 that cannot be ICMP, ARP.
 * Reads at most the first 54 bytes. Agrees with ics_decode() for every frame that it settles.
 */
enum ics_class ics_peek(const struct ics_frame *f, const struct ics_decode_conf *conf);

/* Fills *pkt wholly; cannot fail. Sets the class, the offsets and the A0 rules. */
void ics_decode(const struct ics_frame *f, const struct ics_decode_conf *conf, struct ics_pkt *pkt);

#endif
