/* Takes the options of an RA apart: prefixes (RFC 4861 4.6.2), routes (RFC 4191 2.3), resolvers and search domains (RFC
 * 8106 5), NAT64 prefixes (RFC 8781 4), captive portals (RFC 8910 2.3), encrypted resolvers (RFC 9463 6.1). What a
 * receiver has to ignore is left out. Names and addresses of portals come from whoever is on the wire: only printable
 * ASCII of them gets any further. Called by prefix.c for each RA.
 */
#include "model_priv.h"

#define BITS 128

/* Where the next item goes; NULL when there is no more room, which is counted. */
struct items {
	struct ics_ra_view *out;
	uint64_t seed;
	uint32_t router_lifetime_s;
	unsigned dropped;
};

static struct ics_ra_item *
add(struct items *s, enum ics_prefix_kind kind, uint32_t valid_s)
{
	struct ics_ra_item *i;

	if (s->out->n == ICS_RA_ITEMS_MAX) {
		s->dropped++;
		return NULL;
	}
	i = &s->out->item[s->out->n++];
	i->kind = kind;
	i->valid_s = i->preferred_s = valid_s;
	i->plen = BITS;
	i->flags = 0;
	i->text[0] = '\0';
	i->known = i->kept = false;
	memset(&i->value, 0, sizeof(i->value));
	return i;
}

/* The first plen bits of the octets there are. */
static struct ics_ip
prefix_from(struct ics_view v, unsigned plen)
{
	struct ics_ip a;

	memset(&a, 0, sizeof(a));
	for (unsigned i = 0; i < 16 && i * 8 < plen; i++) {
		a.b[i] = ics_view_u8(v, i);
		if (plen - i * 8 < 8)
			a.b[i] &= (uint8_t)(0xff << (8 - (plen - i * 8)));
	}
	return a;
}

static void
take_pio(struct items *s, struct ics_view opt)
{
	uint8_t plen = ics_view_u8(opt, 2);
	struct ics_ip prefix = prefix_from(ics_view_sub(opt, 16, 16), plen);
	struct ics_ra_item *i;

	if (opt.len != 32 || plen > BITS || ics_ip6_is_link_local(prefix.b) || ics_ip6_is_multicast(prefix.b))
		return;
	i = add(s, ICS_PREFIX_PIO, ics_view_be32(opt, 4));
	if (i == NULL)
		return;
	i->value = prefix;
	i->plen = plen;
	i->flags = ics_view_u8(opt, 3);
	i->preferred_s = ics_view_be32(opt, 8);
}

static void
take_rio(struct items *s, struct ics_view opt)
{
	uint8_t plen = ics_view_u8(opt, 2), prf = ics_view_u8(opt, 3) & ICS_RA_PRF_MASK;
	struct ics_ra_item *i;

	/* Preference 10 makes receivers ignore it (2.3). */
	if (opt.len > 24 || plen > BITS || plen > (opt.len - 8) * 8 || prf == 0x10)
		return;
	i = add(s, ICS_PREFIX_RIO, ics_view_be32(opt, 4));
	if (i == NULL)
		return;
	i->value = prefix_from(ics_view_sub(opt, 8, opt.len - 8), plen);
	i->plen = plen;
	i->flags = prf;
}

/* At most 127 addresses fit into an option. */
static void
take_rdnss(struct items *s, struct ics_view opt)
{
	struct ics_ra_item *i;

	if (opt.len < 24 || opt.len % 16 != 8)
		return;
	for (uint32_t off = 8; ics_view_has(opt, off, 16); off += 16) {
		i = add(s, ICS_PREFIX_RDNSS, ics_view_be32(opt, 4));
		if (i != NULL)
			i->value = ics_ip_from6(opt.p + off);
	}
}

static char
printable(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '\\' ? (char)c : '?';
}

/* One name in wire format (RFC 1035 3.1, no compression) at off, as text that is cut where text ends. Returns the
 * offset behind it, 0 when it does not end within v. At most 2,040 octets.
 */
static uint32_t
take_name(struct ics_view v, uint32_t off, char text[static ICS_PREFIX_TEXT_LEN])
{
	unsigned n = 0;

	text[0] = '\0';
	while (ics_view_has(v, off, 1)) {
		uint8_t len = v.p[off++];

		if (len == 0)
			return off;
		if (len > 63 || !ics_view_has(v, off, len))
			return 0;
		for (unsigned i = 0; i < len + 1u && n < ICS_PREFIX_TEXT_LEN - 1; i++)
			if (i > 0 || n > 0)
				text[n++] = i == 0 ? '.' : v.p[off + i - 1] == '.' ? '?' : printable(v.p[off + i - 1]);
		text[n] = '\0';
		off += len;
	}
	return 0;
}

/* What has no address of its own gets one: a keyed hash of its octets, letters alike in both cases. */
static void
set_hash(const struct items *s, struct ics_ra_item *i, struct ics_view v)
{
	uint8_t low[256];
	uint64_t h[2] = {s->seed, ics_hash_mix(s->seed, i->kind)};

	for (uint32_t off = 0; off < v.len; off += sizeof(low)) {
		uint32_t n = v.len - off < sizeof(low) ? v.len - off : sizeof(low);

		for (uint32_t k = 0; k < n; k++) {
			uint8_t c = v.p[off + k];

			low[k] = c >= 'A' && c <= 'Z' ? c + 32 : c;
		}
		h[0] = ics_hash(low, n, h[0]);
		h[1] = ics_hash(low, n, h[1]);
	}
	memcpy(i->value.b, h, 16);
}

/* Names up to the padding of zeros; one that does not end takes the rest with it. */
static void
take_dnssl(struct items *s, struct ics_view opt)
{
	uint32_t off = 8, end;

	while (ics_view_u8(opt, off) != 0) {
		char text[ICS_PREFIX_TEXT_LEN];
		struct ics_ra_item *i;

		end = take_name(opt, off, text);
		if (end == 0)
			return;
		i = add(s, ICS_PREFIX_DNSSL, ics_view_be32(opt, 4));
		if (i != NULL) {
			memcpy(i->text, text, sizeof(text));
			set_hash(s, i, ics_view_sub(opt, off, end - off));
		}
		off = end;
	}
}

static void
take_pref64(struct items *s, struct ics_view opt)
{
	static const uint8_t plens[] = {96, 64, 56, 48, 40, 32};
	uint16_t lifetime = ics_view_be16(opt, 2);
	struct ics_ra_item *i;

	if (opt.len != 16 || (lifetime & 7) >= ICS_ARRAY_LEN(plens))
		return;
	i = add(s, ICS_PREFIX_PREF64, lifetime & ~7u); /* the high 13 bits count 8 s each */
	if (i == NULL)
		return;
	i->plen = plens[lifetime & 7];
	i->value = prefix_from(ics_view_sub(opt, 4, 12), i->plen);
}

/* The option has no lifetime of its own: it goes with the router. */
static void
take_portal(struct items *s, struct ics_view opt)
{
	struct ics_view uri = ics_view_sub(opt, 2, opt.len - 2);
	struct ics_ra_item *i;
	unsigned n;

	while (uri.len > 0 && uri.p[uri.len - 1] == 0)
		uri.len--;
	if (uri.len == 0)
		return;
	i = add(s, ICS_PREFIX_CAPTIVE_PORTAL, s->router_lifetime_s != 0 ? s->router_lifetime_s : ICS_LIFETIME_INFINITE);
	if (i == NULL)
		return;
	for (n = 0; n < uri.len && n < ICS_PREFIX_TEXT_LEN - 1; n++)
		i->text[n] = printable(uri.p[n]);
	i->text[n] = '\0';
	set_hash(s, i, uri);
}

static void
take_encrypted_dns(struct items *s, struct ics_view opt)
{
	uint16_t name_len = ics_view_be16(opt, 8);
	struct ics_view name = ics_view_sub(opt, 10, name_len);
	struct ics_ra_item *i;
	char text[ICS_PREFIX_TEXT_LEN];

	if (opt.len < 16 || name.len < name_len || take_name(name, 0, text) != name.len)
		return;
	i = add(s, ICS_PREFIX_ENCRYPTED_DNS, ics_view_be32(opt, 4));
	if (i == NULL)
		return;
	memcpy(i->text, text, sizeof(text));
	/* Name, addresses and parameters: one that differs is another resolver. */
	set_hash(s, i, ics_view_sub(opt, 8, opt.len - 8));
}

unsigned
ics_ra_items(const struct ics_msg *msg, uint64_t seed, struct ics_ra_view *out)
{
	struct items s = {.out = out, .seed = seed, .router_lifetime_s = msg->ra.lifetime_s};
	struct ics_msg_options it = {0};
	struct ics_view opt;

	out->n = 0;
	while (ics_msg_option_next(msg, &it, &opt)) {
		switch (opt.p[0]) {
		case ICS_OPT_PIO:
			take_pio(&s, opt);
			break;
		case ICS_OPT_RIO:
			take_rio(&s, opt);
			break;
		case ICS_OPT_RDNSS:
			take_rdnss(&s, opt);
			break;
		case ICS_OPT_DNSSL:
			take_dnssl(&s, opt);
			break;
		case ICS_OPT_PREF64:
			take_pref64(&s, opt);
			break;
		case ICS_OPT_CAPTIVE_PORTAL:
			take_portal(&s, opt);
			break;
		case ICS_OPT_ENCRYPTED_DNS:
			take_encrypted_dns(&s, opt);
			break;
		default:
			break;
		}
	}
	return s.dropped;
}
