/* Path MTU discovery that works: the router before the narrow link says how much fits (RFC 8201, RFC 1191), the host
 * keeps to it, and tries more after ten minutes.
 */
#include "sim.h"

#define PATH_LIFE_NS (600 * SIM_S)
#define LINK_MTU 1500
#define QUOTE6_MAX (1280 - 48)
#define QUOTE4_MAX (576 - 28)

struct sim_server
sim_server(unsigned i)
{
	struct sim_server v = {sim_ip("2001:db8:f000::80"), sim_ip("203.0.113.1"), LINK_MTU, 4 + i % 9,
			       (2 + i * 7 % 120) * SIM_MS};

	v.ip6.b[7] = (uint8_t)i;
	v.ip4.b[15] = (uint8_t)(1 + i);
	if (i % 8 == 3)
		v.mtu = 1492; /* PPPoE */
	else if (i % 8 == 5)
		v.mtu = 1420; /* a tunnel */
	else if (i % 16 == 7)
		v.mtu = 1280;
	return v;
}

unsigned
sim_path_mtu(struct sim *s, const struct sim_host *h, unsigned server, bool v4)
{
	for (unsigned i = 0; i < SIM_PATHS; i++)
		if (h->path[i].mtu != 0 && h->path[i].server == server && h->path[i].v4 == v4 &&
		    h->path[i].until_ns > s->now_ns)
			return h->path[i].mtu;
	return LINK_MTU;
}

static void
learn(struct sim *s, struct sim_host *h, unsigned server, bool v4, unsigned mtu, uint64_t wait_ns)
{
	struct sim_path *p = &h->path[0];

	if (sim_path_mtu(s, h, server, v4) <= mtu)
		return;
	for (unsigned i = 1; i < SIM_PATHS; i++)
		if (h->path[i].until_ns < p->until_ns)
			p = &h->path[i];
	*p = (struct sim_path){server, mtu, v4, s->now_ns + wait_ns + PATH_LIFE_NS};
}

void
sim_too_big(struct sim *s, struct sim_host *h, unsigned server, const struct sim_packet *sent, bool v4,
	    uint64_t wait_ns)
{
	const struct sim_router *r = sim_gateway(h->link);
	struct sim_server v = sim_server(server);
	unsigned n = sent->len - sent->l3, max = v4 ? QUOTE4_MAX : QUOTE6_MAX;
	struct ics_ip dst, from = v4 ? sim_ip("198.51.100.1") : sim_ip("2001:db8:fe::1");
	struct sim_packet p, quoted = *sent;

	/* As it came there, some hops further on. */
	quoted.b[quoted.l3 + (v4 ? 8 : 7)] = (uint8_t)(64 - v.hops / 2);
	sim_finish(&quoted);
	if (v4) {
		dst = ics_ip_from4(sent->b + sent->l3 + 12);
		from.b[15] = (uint8_t)(1 + server);
		sim_begin4(&p, h->link, &r->mac, &h->mac, &from, &dst, ICS_PROTO_ICMP4, (uint8_t)(255 - v.hops / 2));
		sim_icmp(&p, ICS_ICMP4_UNREACH, ICS_ICMP4_CODE_FRAG_NEEDED, v.mtu);
	} else {
		dst = ics_ip_from6(sent->b + sent->l3 + 8);
		from.b[7] = (uint8_t)server;
		sim_begin6(&p, h->link, &r->mac, &h->mac, &from, &dst, ICS_PROTO_ICMP6, (uint8_t)(64 - v.hops / 2));
		sim_icmp(&p, ICS_ICMP6_TOO_BIG, 0, v.mtu);
	}
	sim_put(&p, quoted.b + quoted.l3, n < max ? n : max);
	sim_send(s, &p, wait_ns);
	learn(s, h, server, v4, v.mtu, wait_ns);
}
