/* One parse of a record for everyone behind it: addresses, MACs, and the fields of ND messages with their options
 * (RFC 4861 4.2 to 4.4 and 4.6). What the fast half said about validity stands; nothing is judged here.
 * Called by the engine for each record that has a frame.
 */
#include "ics_msg.h"
#include "ics_validate.h"

#define ETHER_LEN 14
#define TAG_LEN 4
#define LABEL_LEN 4
#define CONTROL_WORD_LEN 4

/* Where the Ethernet header of the message starts: that of the frame, or the one inside a pseudowire (RFC 4448),
 * which the decoder looks for behind a control word only.
 */
static bool
find_ether(const struct ics_record *rec, struct ics_view frame, uint32_t *off)
{
	uint32_t end = ETHER_LEN;

	*off = 0;
	if (ics_record_link(rec) != ICS_LINK_ETHERNET || !ics_view_has(frame, 0, ETHER_LEN))
		return false;
	if (rec->encap & ICS_ENCAP_TUNNEL)
		return false; /* the outer header names the tunnel's ends, not the sender */
	if (!(rec->encap & ICS_ENCAP_MPLS))
		return true;
	for (unsigned tag = 0; tag < ICS_TAGS_MAX; tag++) {
		uint16_t type = ics_view_be16(frame, end - 2);

		if (type != ICS_ETHERTYPE_VLAN && type != ICS_ETHERTYPE_QINQ && type != ICS_ETHERTYPE_QINQ_OLD)
			break;
		end += TAG_LEN;
	}
	end += rec->n_labels * LABEL_LEN;
	if (rec->l3_off >= end + CONTROL_WORD_LEN + ETHER_LEN)
		*off = end + CONTROL_WORD_LEN;
	return ics_view_has(frame, *off, ETHER_LEN);
}

#define REDIRECTED_HEADER_LEN 8

struct options {
	struct ics_view quoted;
	bool has_slla, has_tlla, has_pio, pio_preferred;
	struct ics_mac slla, tlla;
	uint32_t mtu;
};

/* RFC 4861 4.6. The first of each kind counts; an option of the wrong length is skipped, as receivers do. */
static void
walk_options(struct ics_view icmp, uint32_t off, struct options *o)
{
	memset(o, 0, sizeof(*o));
	for (unsigned n = 0; n < ICS_ND_OPTIONS_MAX && ics_view_has(icmp, off, 2); n++) {
		uint8_t type = ics_view_u8(icmp, off);
		uint32_t len = ics_view_u8(icmp, off + 1) * 8u;

		if (len == 0 || !ics_view_has(icmp, off, len))
			return;
		if (type == ICS_OPT_SLLA && len == 8 && !o->has_slla) {
			o->has_slla = true;
			o->slla = ics_mac_from(icmp.p + off + 2);
		} else if (type == ICS_OPT_TLLA && len == 8 && !o->has_tlla) {
			o->has_tlla = true;
			o->tlla = ics_mac_from(icmp.p + off + 2);
		} else if (type == ICS_OPT_MTU && len == 8 && o->mtu == 0) {
			o->mtu = ics_view_be32(icmp, off + 4);
		} else if (type == ICS_OPT_PIO && len == 32) {
			o->has_pio = true;
			o->pio_preferred |= ics_view_be32(icmp, off + 8) != 0;
		} else if (type == ICS_OPT_REDIRECTED && o->quoted.len == 0) {
			o->quoted = ics_view_sub(icmp, off + REDIRECTED_HEADER_LEN, len - REDIRECTED_HEADER_LEN);
		}
		off += len;
	}
}

bool
ics_msg_option_next(const struct ics_msg *msg, struct ics_msg_options *it, struct ics_view *opt)
{
	uint32_t len;

	if (it->off == 0)
		it->off = msg->class == ICS_CLASS_nd_ra ? 16 : msg->class == ICS_CLASS_nd_rs ? 8 : 24;
	len = ics_view_u8(msg->icmp, it->off + 1) * 8u;
	if (len == 0 || !ics_view_has(msg->icmp, it->off, len) || it->n++ >= ICS_ND_OPTIONS_MAX)
		return false;
	*opt = ics_view_sub(msg->icmp, it->off, len);
	it->off += len;
	return true;
}

static bool
parse_rs(struct ics_msg *m)
{
	struct options o;

	if (!ics_view_has(m->icmp, 0, 8))
		return false;
	walk_options(m->icmp, 8, &o);
	m->rs = (struct ics_msg_rs){.has_slla = o.has_slla, .slla = o.slla};
	return true;
}

static bool
parse_redirect(struct ics_msg *m)
{
	struct options o;

	if (!ics_view_has(m->icmp, 0, 40))
		return false;
	walk_options(m->icmp, 40, &o);
	m->redirect = (struct ics_msg_redirect){
		.target = ics_ip_from6(m->icmp.p + 8),
		.dest = ics_ip_from6(m->icmp.p + 24),
		.has_tlla = o.has_tlla,
		.tlla = o.tlla,
		.quoted = o.quoted,
	};
	return true;
}

static bool
parse_ra(struct ics_msg *m)
{
	struct options o;
	struct ics_view options = ics_view_sub(m->icmp, 16, m->icmp.len);

	if (!ics_view_has(m->icmp, 0, 16))
		return false;
	walk_options(m->icmp, 16, &o);
	m->ra = (struct ics_msg_ra){
		.cur_hop_limit = ics_view_u8(m->icmp, 4),
		.flags = ics_view_u8(m->icmp, 5),
		.lifetime_s = ics_view_be16(m->icmp, 6),
		.reachable_ms = ics_view_be32(m->icmp, 8),
		.retrans_ms = ics_view_be32(m->icmp, 12),
		.mtu = o.mtu,
		.has_slla = o.has_slla,
		.slla = o.slla,
		.has_pio = o.has_pio,
		.pio_preferred_zero = o.has_pio && !o.pio_preferred,
		.opts_hash = ics_hash(options.p, options.len, 0),
	};
	return true;
}

static bool
parse_neighbor(struct ics_msg *m)
{
	struct options o;

	if (!ics_view_has(m->icmp, 0, 24))
		return false;
	walk_options(m->icmp, 24, &o);
	m->na.target = ics_ip_from6(m->icmp.p + 8);
	if (m->class == ICS_CLASS_nd_na) {
		m->na.flags = ics_view_u8(m->icmp, 4);
		m->na.has_lla = o.has_tlla;
		m->na.lla = o.tlla;
	} else {
		m->na.flags = 0;
		m->na.has_lla = o.has_slla;
		m->na.lla = o.slla;
	}
	return true;
}

/* Of the decoded frame no more is made up than the quote's parser reads. */
static bool
parse_error(struct ics_msg *m)
{
	const struct ics_record *rec = m->rec;
	bool is_ip4 = (rec->flags & ICS_REC_IP4) != 0;
	struct ics_msg_error *e = &m->error;
	struct ics_pkt pkt = {
		.icmp = m->icmp,
		.ilen = rec->ilen,
		.class = rec->class,
		.ip_version = is_ip4 ? 4 : 6,
		.flags = ICS_PKT_ICMP | (rec->flags & ICS_REC_FRAGMENT ? ICS_PKT_FRAGMENT : 0),
	};

	if (!ics_view_has(m->icmp, 0, 8))
		return false;
	e->type = m->icmp.p[0];
	e->code = m->icmp.p[1];
	e->hop_limit = ics_view_u8(m->frame, rec->l3_off + (is_ip4 ? 8 : 7));
	e->mtu = rec->class == ICS_CLASS_icmp6_too_big       ? ics_load_be32(m->icmp.p + 4)
		 : rec->class == ICS_CLASS_icmp4_frag_needed ? ics_load_be16(m->icmp.p + 6)
							     : 0;
	(void)ics_quote_parse(&pkt, &e->quote);
	return true;
}

/* All but what only messages of a class have. Field by field: a compiler fills a struct with an instruction that takes
 * longer than all else here.
 */
static bool
parse_outer(const struct ics_record *rec, struct ics_view frame, struct ics_msg *out)
{
	static const struct ics_mac none;
	uint32_t ether;

	if ((rec->flags & ICS_REC_COPIES) || rec->class >= ICS_CLASS_COUNT)
		return false;
	out->rec = rec;
	out->frame = frame;
	out->icmp = (struct ics_view){NULL, 0};
	out->ts_ns = rec->ts_ns;
	out->frame_no = 0;
	out->class = rec->class;
	out->strict = (rec->flags & ICS_REC_STRICT) != 0;
	out->lenient = (rec->flags & ICS_REC_LENIENT) != 0;
	out->later_fragment = out->cut = false;
	out->has_mac = find_ether(rec, frame, &ether);
	out->smac = out->dmac = none;
	if (out->has_mac) {
		out->dmac = ics_mac_from(frame.p + ether);
		out->smac = ics_mac_from(frame.p + ether + 6);
	}
	if (rec->flags & ICS_REC_IP4) {
		if (!ics_view_has(frame, rec->l3_off, 20))
			return false;
		out->src = ics_ip_from4(frame.p + rec->l3_off + 12);
		out->dst = ics_ip_from4(frame.p + rec->l3_off + 16);
	} else {
		if (!ics_view_has(frame, rec->l3_off, 40))
			return false;
		out->src = ics_ip_from6(frame.p + rec->l3_off + 8);
		out->dst = ics_ip_from6(frame.p + rec->l3_off + 24);
	}
	return true;
}

static void
clear_class(struct ics_msg *m)
{
	_Static_assert(sizeof(struct ics_msg) == offsetof(struct ics_msg, error) + sizeof(m->error), "the largest");
	memset(&m->error, 0, sizeof(m->error));
}

bool
ics_msg_parse_outer(const struct ics_record *rec, struct ics_view frame, struct ics_msg *out)
{
	clear_class(out);
	return parse_outer(rec, frame, out);
}

bool
ics_msg_parse(const struct ics_record *rec, struct ics_view frame, struct ics_msg *out)
{
	if (rec->l4_off == 0 || (rec->flags & ICS_REC_UNPARSED) || !parse_outer(rec, frame, out))
		return false;
	out->icmp = ics_view_sub(frame, rec->l4_off, rec->ilen);
	out->cut = out->icmp.len < rec->ilen;
	if (out->class == ICS_CLASS_nd_ns || out->class == ICS_CLASS_nd_na)
		return parse_neighbor(out);
	clear_class(out);
	switch (out->class) {
	case ICS_CLASS_nd_ra:
		return parse_ra(out);
	case ICS_CLASS_nd_rs:
		return parse_rs(out);
	case ICS_CLASS_nd_redirect:
		return parse_redirect(out);
	case ICS_CLASS_icmp6_too_big:
	case ICS_CLASS_icmp6_unreach:
	case ICS_CLASS_icmp6_time_exceeded:
	case ICS_CLASS_icmp4_frag_needed:
	case ICS_CLASS_icmp4_unreach:
	case ICS_CLASS_icmp4_source_quench:
	case ICS_CLASS_icmp4_time_exceeded:
		return parse_error(out);
	default:
		return out->icmp.len != 0;
	}
}
