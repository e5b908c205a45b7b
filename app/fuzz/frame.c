/* Where the headers of a frame are, and their lengths and checksums put right. Follows the types and not the lengths,
 * which a mutation may just have broken; see frame.h.
 */
#include "frame.h"

#define DEPTH_MAX 6

static const char *const base[] = {
#define BASE(name, text, hex) hex,
#include "../test/base_packets.def"
#undef BASE
};

const char *
fuzz_base(unsigned n)
{
	return n < ICS_ARRAY_LEN(base) ? base[n] : NULL;
}

static uint8_t
digit(char c)
{
	return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

uint32_t
fuzz_unhex(const char *hex, uint8_t *to, uint32_t max)
{
	uint32_t n = 0;

	for (; hex[2 * n] != '\0' && hex[2 * n + 1] != '\0' && n < max; n++)
		to[n] = (uint8_t)(digit(hex[2 * n]) << 4 | digit(hex[2 * n + 1]));
	return n;
}

bool
fuzz_frame_insert(struct fuzz_frame *f, uint32_t off, const void *data, uint32_t n)
{
	if (off > f->len || n > f->max - f->len)
		return false;
	memmove(f->b + off + n, f->b + off, f->len - off);
	memcpy(f->b + off, data, n);
	f->len += n;
	return true;
}

void
fuzz_frame_remove(struct fuzz_frame *f, uint32_t off, uint32_t n)
{
	if (off >= f->len)
		return;
	if (n > f->len - off)
		n = f->len - off;
	memmove(f->b + off, f->b + off + n, f->len - off - n);
	f->len -= n;
}

static void
put16(struct fuzz_frame *f, uint32_t off, uint32_t v)
{
	f->b[off] = (uint8_t)(v >> 8);
	f->b[off + 1] = (uint8_t)v;
}

/* In memory order, so it is stored as it is. */
static uint16_t
checksum(const uint8_t *p, uint32_t n, uint64_t acc)
{
	return (uint16_t)~ics_sum_fold(ics_sum_add(acc, (struct ics_view){p, n}));
}

struct walk {
	struct fuzz_frame *f;
	struct fuzz_layout *at;
	bool repair;
	uint32_t off, end; /* end of the datagram: of the frame less the padding */
	uint16_t type;
};

static bool
has(const struct walk *w, uint32_t n)
{
	return w->off <= w->end && n <= w->end - w->off;
}

static uint16_t
be16(const struct walk *w, uint32_t off)
{
	return ics_load_be16(w->f->b + off);
}

/* To the type field in front of IP and behind tags, labels and PPPoE. */
static bool
walk_link(struct walk *w, uint8_t link)
{
	static const uint8_t header[] = {14, 0, 16, 20, 4, 4};

	w->at->type_off = 0;
	if (!has(w, header[link] + 1u))
		return false;
	w->off += header[link];
	w->type = w->f->b[w->off] >> 4 == 4 ? ICS_ETHERTYPE_IP4 : ICS_ETHERTYPE_IP6;
	if (link == ICS_LINK_ETHERNET || link == ICS_LINK_SLL) {
		w->at->type_off = w->off - 2;
		w->type = be16(w, w->off - 2);
	}
	return true;
}

static bool
walk_tags(struct walk *w)
{
	for (unsigned n = 0; n < 64; n++) {
		switch (w->type) {
		case ICS_ETHERTYPE_VLAN:
		case ICS_ETHERTYPE_QINQ:
		case ICS_ETHERTYPE_QINQ_OLD:
			if (!has(w, 4))
				return false;
			w->off += 4;
			w->at->type_off = w->off - 2;
			w->type = be16(w, w->off - 2);
			break;
		case ICS_ETHERTYPE_MPLS:
		case ICS_ETHERTYPE_MPLS_MC:
			if (!has(w, 5))
				return false;
			w->off += 4;
			if (w->f->b[w->off - 2] & 1)
				w->type = w->f->b[w->off] >> 4 == 4 ? ICS_ETHERTYPE_IP4 : ICS_ETHERTYPE_IP6;
			break;
		case ICS_ETHERTYPE_PPPOE_SESSION:
			if (!has(w, 8))
				return false;
			if (w->repair)
				put16(w->f, w->off + 4, w->end - w->off - 6);
			w->type = be16(w, w->off + 6) == 0x0021 ? ICS_ETHERTYPE_IP4 : ICS_ETHERTYPE_IP6;
			w->off += 8;
			break;
		default:
			return w->type == ICS_ETHERTYPE_IP4 || w->type == ICS_ETHERTYPE_IP6;
		}
	}
	return false;
}

static bool
walk_ip4(struct walk *w)
{
	uint8_t *ip = w->f->b + w->off;
	uint32_t header = has(w, 20) ? (ip[0] & 15u) * 4 : 0;

	if (header < 20 || !has(w, header))
		return false;
	if (w->repair) {
		uint16_t sum;

		put16(w->f, w->off + 2, w->end - w->off);
		put16(w->f, w->off + 10, 0);
		sum = checksum(ip, header, 0);
		memcpy(ip + 10, &sum, 2);
	}
	w->at->version = 4;
	w->at->l3 = w->off;
	w->at->next_off = w->off + 9;
	w->off += header;
	return true;
}

static bool
is_extension(uint8_t proto)
{
	return proto == ICS_PROTO_HOPOPTS || proto == ICS_PROTO_ROUTING || proto == ICS_PROTO_FRAGMENT ||
	       proto == ICS_PROTO_DSTOPTS || proto == ICS_PROTO_AH || proto == ICS_PROTO_MOBILITY ||
	       proto == ICS_PROTO_HIP || proto == ICS_PROTO_SHIM6;
}

static bool
walk_ip6(struct walk *w)
{
	const uint8_t *b = w->f->b;

	if (!has(w, 40))
		return false;
	if (w->repair)
		put16(w->f, w->off + 4, w->end - w->off - 40);
	w->at->version = 6;
	w->at->l3 = w->off;
	w->at->next_off = w->off + 6;
	w->off += 40;
	for (unsigned n = 0; n < 300 && is_extension(b[w->at->next_off]); n++) {
		uint8_t proto = b[w->at->next_off];
		uint32_t len;

		if (!has(w, 8))
			return false;
		len = proto == ICS_PROTO_FRAGMENT ? 8
		      : proto == ICS_PROTO_AH     ? (b[w->off + 1] + 2u) * 4
						  : (b[w->off + 1] + 1u) * 8;
		if (!has(w, len))
			return false;
		w->at->next_off = w->off;
		w->off += len;
	}
	return true;
}

static void
repair_icmp(struct walk *w)
{
	uint8_t *b = w->f->b;
	uint32_t n = w->end - w->off, l3 = w->at->l3;
	uint16_t sum;
	uint64_t acc = 0;

	if (n < 4)
		return;
	put16(w->f, w->off + 2, 0);
	if (w->at->proto == ICS_PROTO_ICMP6) {
		uint8_t pseudo[40] = {0};

		memcpy(pseudo, b + l3 + 8, 32);
		pseudo[34] = (uint8_t)(n >> 8);
		pseudo[35] = (uint8_t)n;
		pseudo[39] = ICS_PROTO_ICMP6;
		acc = ics_sum_add(0, (struct ics_view){pseudo, sizeof(pseudo)});
	}
	sum = checksum(b + w->off, n, acc);
	memcpy(b + w->off + 2, &sum, 2);
}

/* Behind an upper layer that is a tunnel: true, and type says what follows. */
static bool
walk_tunnel(struct walk *w)
{
	uint8_t *b = w->f->b;
	uint32_t off = w->off;

	switch (w->at->proto) {
	case ICS_PROTO_IPIP:
		w->type = ICS_ETHERTYPE_IP4;
		return has(w, 20);
	case ICS_PROTO_IP6:
		w->type = ICS_ETHERTYPE_IP6;
		return has(w, 40);
	case ICS_PROTO_GRE:
		if (!has(w, 4))
			return false;
		w->type = be16(w, off + 2);
		w->off += 4 + (b[off] & 0x80 ? 4 : 0) + (b[off] & 0x20 ? 4 : 0) + (b[off] & 0x10 ? 4 : 0);
		if (w->type == ICS_ETHERTYPE_ERSPAN)
			w->off += b[off] & 0x10 ? 8 : 0;
		if (w->type == ICS_ETHERTYPE_ERSPAN3 && has(w, 12))
			w->off += b[w->off + 11] & 1 ? 20 : 12;
		if (w->type == ICS_ETHERTYPE_ERSPAN || w->type == ICS_ETHERTYPE_ERSPAN3 || w->type == ICS_ETHERTYPE_TEB)
			return walk_link(w, ICS_LINK_ETHERNET);
		return has(w, 1);
	case ICS_PROTO_UDP:
		if (!has(w, 16))
			return false;
		if (w->repair) {
			put16(w->f, off + 4, w->end - off);
			put16(w->f, off + 6, 0);
		}
		w->off += 16;
		if (be16(w, off + 2) == 6081)
			w->off += (b[off + 8] & 0x3fu) * 4;
		else if (be16(w, off + 2) != 4789)
			return false;
		return walk_link(w, ICS_LINK_ETHERNET);
	default:
		return false;
	}
}

static void
walk(struct walk *w)
{
	*w->at = (struct fuzz_layout){.end = w->end};
	if (!walk_link(w, w->f->link))
		return;
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		if (!walk_tags(w) || !(w->type == ICS_ETHERTYPE_IP4 ? walk_ip4(w) : walk_ip6(w)))
			return;
		w->at->proto = w->f->b[w->at->next_off];
		w->at->l4 = w->off;
		if (w->at->proto == ICS_PROTO_ICMP6 || w->at->proto == ICS_PROTO_ICMP4) {
			if (w->repair)
				repair_icmp(w);
			return;
		}
		if (!walk_tunnel(w))
			return;
	}
}

void
fuzz_frame_layout(const struct fuzz_frame *f, struct fuzz_layout *at)
{
	struct walk w = {.f = (struct fuzz_frame *)f, .at = at, .end = f->len};

	walk(&w);
}

void
fuzz_frame_repair(struct fuzz_frame *f, uint32_t pad)
{
	struct fuzz_layout at;
	struct walk w = {.f = f, .at = &at, .repair = true, .end = f->len - (pad < f->len ? pad : 0)};

	walk(&w);
}
