/* Frames byte by byte: Ethernet with or without a tag, IPv6 and IPv4, and the lengths and checksums that go into them. */
#include "sim.h"

#define ETHERNET_MIN 60

void
sim_put(struct sim_packet *p, const void *bytes, unsigned n)
{
	if (n > SIM_FRAME_MAX - p->len)
		n = SIM_FRAME_MAX - p->len;
	memcpy(p->b + p->len, bytes, n);
	p->len += n;
}

void
sim_fill(struct sim_packet *p, uint8_t v, unsigned n)
{
	if (n > SIM_FRAME_MAX - p->len)
		n = SIM_FRAME_MAX - p->len;
	memset(p->b + p->len, v, n);
	p->len += n;
}

void
sim_put8(struct sim_packet *p, uint8_t v)
{
	sim_put(p, &v, 1);
}

void
sim_put16(struct sim_packet *p, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	sim_put(p, b, 2);
}

void
sim_put32(struct sim_packet *p, uint32_t v)
{
	sim_put16(p, (uint16_t)(v >> 16));
	sim_put16(p, (uint16_t)v);
}

static void
begin(struct sim_packet *p, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
      uint16_t ethertype)
{
	p->len = 0;
	sim_put(p, dmac, 6);
	sim_put(p, smac, 6);
	if (l->vlan != 0) {
		sim_put16(p, ICS_ETHERTYPE_VLAN);
		sim_put16(p, (uint16_t)l->vlan);
	}
	sim_put16(p, ethertype);
	p->l3 = p->len;
}

void
sim_begin6(struct sim_packet *p, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
	   const struct ics_ip *src, const struct ics_ip *dst, uint8_t proto, uint8_t hop_limit)
{
	begin(p, l, smac, dmac, ICS_ETHERTYPE_IP6);
	sim_put32(p, 0x60000000);
	sim_put16(p, 0);
	sim_put8(p, proto);
	sim_put8(p, hop_limit);
	sim_put(p, src, 16);
	sim_put(p, dst, 16);
	p->proto = proto;
	p->l4 = p->len;
}

void
sim_begin4(struct sim_packet *p, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
	   const struct ics_ip *src, const struct ics_ip *dst, uint8_t proto, uint8_t ttl)
{
	begin(p, l, smac, dmac, ICS_ETHERTYPE_IP4);
	sim_put32(p, 0x45000000);
	sim_put32(p, 0x00004000); /* do not fragment */
	sim_put8(p, ttl);
	sim_put8(p, proto);
	sim_put16(p, 0);
	sim_put(p, src->b + 12, 4);
	sim_put(p, dst->b + 12, 4);
	p->proto = proto;
	p->l4 = p->len;
}

void
sim_icmp(struct sim_packet *p, uint8_t type, uint8_t code, uint32_t word)
{
	sim_put8(p, type);
	sim_put8(p, code);
	sim_put16(p, 0);
	sim_put32(p, word);
}

static void
set16(struct sim_packet *p, unsigned off, uint16_t v)
{
	p->b[off] = (uint8_t)(v >> 8);
	p->b[off + 1] = (uint8_t)v;
}

/* The sum in memory order, as it stands in the frame. */
static void
set_sum(struct sim_packet *p, unsigned off, uint64_t sum)
{
	uint16_t folded = (uint16_t)~ics_sum_fold(sum);

	if (folded == 0 && p->proto == ICS_PROTO_UDP)
		folded = 0xffff;
	memcpy(p->b + off, &folded, sizeof(folded));
}

static int
checksum_off(uint8_t proto)
{
	switch (proto) {
	case ICS_PROTO_ICMP4:
	case ICS_PROTO_ICMP6:
		return 2;
	case ICS_PROTO_TCP:
		return 16;
	case ICS_PROTO_UDP:
		return 6;
	default:
		return -1;
	}
}

void
sim_finish(struct sim_packet *p)
{
	unsigned n = p->len - p->l4;
	bool is6 = p->b[p->l3] >> 4 == 6;
	int off = checksum_off(p->proto);
	uint8_t pseudo[8] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, p->proto};
	uint64_t sum = 0;

	if (is6) {
		set16(p, p->l3 + 4, (uint16_t)(p->len - p->l3 - 40));
	} else {
		set16(p, p->l3 + 2, (uint16_t)(p->len - p->l3));
		set16(p, p->l3 + 10, 0);
		set_sum(p, p->l3 + 10, ics_sum_add(0, (struct ics_view){p->b + p->l3, 20}));
	}
	if (p->proto == ICS_PROTO_UDP)
		set16(p, p->l4 + 4, (uint16_t)n);
	if (off >= 0) {
		set16(p, p->l4 + (unsigned)off, 0);
		if (p->proto != ICS_PROTO_ICMP4) {
			struct ics_view addresses = {p->b + p->l3 + (is6 ? 8 : 12), is6 ? 32 : 8};

			sum = ics_sum_add(ics_sum_add(0, addresses), (struct ics_view){pseudo, sizeof(pseudo)});
		}
		set_sum(p, p->l4 + (unsigned)off, ics_sum_add(sum, (struct ics_view){p->b + p->l4, n}));
	}
	if (p->len < ETHERNET_MIN)
		sim_fill(p, 0, ETHERNET_MIN - p->len);
}

/* RFC 2464 7 */
struct ics_mac
sim_group_mac(const struct ics_ip *group)
{
	return (struct ics_mac){{0x33, 0x33, group->b[12], group->b[13], group->b[14], group->b[15]}};
}

struct ics_ip
sim_solicited_node(const struct ics_ip *addr)
{
	struct ics_ip g = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};

	memcpy(g.b + 13, addr->b + 13, 3);
	return g;
}

struct ics_ip
sim_ip(const char *text)
{
	struct ics_ip a = {{0}};

	(void)ics_ip_parse(text, &a);
	return a;
}

/* RFC 4291 appendix A */
void
sim_eui64(struct ics_ip *ip, const struct ics_mac *mac)
{
	uint8_t iid[8] = {mac->b[0] ^ 2, mac->b[1], mac->b[2], 0xff, 0xfe, mac->b[3], mac->b[4], mac->b[5]};

	memcpy(ip->b + 8, iid, 8);
}
