/* Reads the packet that an ICMP error quotes, however much of it there is: RFC 792 (header and 8 octets),
 * RFC 4443 2.4 (as much as fits), RFC 4884 (as much as the length attribute says). Called by the validators of
 * errors and, through ics_quote_parse(), by the control core.
 */
#include "validate.h"

#include <errno.h>

#define QUOTE_OFF 8
#define EXT_HEADERS_MAX 8

enum { PORTS = 1, WORD = 2 };

/* What the first octets of an upper layer are: two ports, and a word that tells packets of a flow apart. */
static const uint8_t l4_shape[256] = {
	[ICS_PROTO_ICMP4] = WORD,       [ICS_PROTO_TCP] = PORTS | WORD,
	[ICS_PROTO_UDP] = PORTS | WORD, [33] = PORTS,         /* DCCP */
	[ICS_PROTO_ICMP6] = WORD,       [132] = PORTS | WORD, /* SCTP: verification tag */
	[136] = PORTS | WORD,                                 /* UDP-Lite */
};

static void
read_l4(struct ics_quote *q)
{
	uint8_t shape = l4_shape[q->proto];
	struct ics_view l4 = ics_view_sub(q->bytes, q->ip_hdr_len, UINT32_MAX);

	if (q->flags & ICS_QUOTE_LATER)
		return;
	if (shape & PORTS && ics_view_has(l4, 0, 4)) {
		q->sport = ics_load_be16(l4.p);
		q->dport = ics_load_be16(l4.p + 2);
		q->flags |= ICS_QUOTE_PORTS;
	}
	if (shape & WORD && ics_view_has(l4, 0, 8)) {
		q->l4_word = ics_load_be32(l4.p + 4);
		q->flags |= ICS_QUOTE_WORD;
	}
	if ((q->proto == ICS_PROTO_ICMP4 || q->proto == ICS_PROTO_ICMP6) && l4.len > 0) {
		q->icmp_type = l4.p[0];
		q->flags |= ICS_QUOTE_ICMP;
	}
}

static void
read_ip4(struct ics_quote *q)
{
	const uint8_t *p = q->bytes.p;
	uint32_t ihl = (p[0] & 0x0f) * 4u;
	uint16_t frag;

	if (p[0] >> 4 != 4 || ihl < 20 || q->bytes.len < 20)
		return;
	frag = ics_load_be16(p + 6);
	q->ip_len = ics_load_be16(p + 2);
	q->ip_hdr_len = ihl;
	q->ip_id = ics_load_be16(p + 4);
	q->hop_limit = p[8];
	q->proto = p[9];
	q->host = ics_ip_from4(p + 12);
	q->far = ics_ip_from4(p + 16);
	q->flags = ICS_QUOTE_IP | (frag & 0x4000 ? ICS_QUOTE_DF : 0) | (frag & 0x1fff ? ICS_QUOTE_LATER : 0);
	read_l4(q);
}

/* Steps over extension headers to the upper layer: at most EXT_HEADERS_MAX, and never past what is quoted. */
static void
skip_extensions(struct ics_quote *q)
{
	for (unsigned n = 0; n < EXT_HEADERS_MAX; n++) {
		uint8_t len = ics_view_u8(q->bytes, q->ip_hdr_len + 1);
		uint32_t step;

		switch (q->proto) {
		case ICS_PROTO_HOPOPTS:
		case ICS_PROTO_ROUTING:
		case ICS_PROTO_DSTOPTS:
		case ICS_PROTO_MOBILITY:
		case ICS_PROTO_HIP:
		case ICS_PROTO_SHIM6:
			step = (len + 1u) * 8;
			break;
		case ICS_PROTO_AH:
			step = (len + 2u) * 4;
			break;
		case ICS_PROTO_FRAGMENT:
			step = 8;
			break;
		default:
			return;
		}
		if (!ics_view_has(q->bytes, q->ip_hdr_len, step))
			return;
		if (q->proto == ICS_PROTO_FRAGMENT) {
			q->ip_id = ics_load_be32(q->bytes.p + q->ip_hdr_len + 4);
			if (ics_load_be16(q->bytes.p + q->ip_hdr_len + 2) & 0xfff8)
				q->flags |= ICS_QUOTE_LATER;
		}
		q->proto = q->bytes.p[q->ip_hdr_len];
		q->ip_hdr_len += step;
		if (q->flags & ICS_QUOTE_LATER)
			return;
	}
}

static void
read_ip6(struct ics_quote *q)
{
	const uint8_t *p = q->bytes.p;
	uint16_t payload_len;

	if (p[0] >> 4 != 6 || q->bytes.len < 40)
		return;
	payload_len = ics_load_be16(p + 4);
	q->ip_len = payload_len != 0 ? 40u + payload_len : 0;
	q->ip_hdr_len = 40;
	q->proto = p[6];
	q->hop_limit = p[7];
	q->host = ics_ip_from6(p + 8);
	q->far = ics_ip_from6(p + 24);
	q->flags = ICS_QUOTE_IP | ICS_QUOTE_DF;
	skip_extensions(q);
	read_l4(q);
}

void
ics_quote_read(const struct ics_pkt *pkt, struct ics_quote *q)
{
	uint32_t len = ics_msg_len(pkt), attr = ics_ext_attr_len(pkt);

	/* All but the labels, of which n_labels tells how many there are: the whole would become `rep stos`. */
	memset(q, 0, offsetof(struct ics_quote, labels));
	q->len = len > QUOTE_OFF ? len - QUOTE_OFF : 0;
	/* The extension behind the original datagram is not part of it (4884 4). */
	if (attr != 0 && attr < q->len)
		q->len = attr;
	q->bytes = ics_view_sub(pkt->icmp, QUOTE_OFF, q->len);
	if (q->bytes.len == 0)
		return;
	if (pkt->ip_version == 6)
		read_ip6(q);
	else
		read_ip4(q);
}

int
ics_quote_parse(const struct ics_pkt *pkt, struct ics_quote *q)
{
	struct ics_reasons ignored = {{0}};
	unsigned n;

	*q = (struct ics_quote){0};
	if ((pkt->flags & (ICS_PKT_ICMP | ICS_PKT_UNPARSED)) != ICS_PKT_ICMP)
		return -ENOENT;
	switch (pkt->class) {
	case ICS_CLASS_icmp6_unreach:
	case ICS_CLASS_icmp6_too_big:
	case ICS_CLASS_icmp6_time_exceeded:
	case ICS_CLASS_icmp6_param_problem:
	case ICS_CLASS_icmp4_unreach:
	case ICS_CLASS_icmp4_frag_needed:
	case ICS_CLASS_icmp4_source_quench:
	case ICS_CLASS_icmp4_redirect:
	case ICS_CLASS_icmp4_time_exceeded:
	case ICS_CLASS_icmp4_param_problem:
		break;
	default:
		return -ENOENT;
	}
	ics_quote_read(pkt, q);
	n = ics_ext_walk(pkt, &ignored, q->labels, ICS_QUOTE_LABELS_MAX);
	q->n_labels = n < UINT8_MAX ? (uint8_t)n : UINT8_MAX;
	return q->flags & ICS_QUOTE_IP ? 0 : -EINVAL;
}
