/* Neighbor Discovery as hosts and routers speak it (RFC 4861 7, RFC 4862 5.4, RFC 7527): who asks whom, who answers, and
 * what each side remembers.
 */
#include "sim.h"

/* RFC 4861 10 */
#define RETRANS_NS SIM_S
#define MAX_SOLICIT 3
#define DELAY_FIRST_PROBE_NS (5 * SIM_S)
#define REACHABLE_NS (30 * SIM_S)

static const struct ics_ip unspecified;

/* An answer takes an ordinary stack so long. */
static uint64_t
reply_time(struct sim *s)
{
	return sim_between(s, 100000, 900000);
}

static void
put_lla(struct sim_packet *p, uint8_t option, const struct ics_mac *mac)
{
	sim_put8(p, option);
	sim_put8(p, 1);
	sim_put(p, mac, 6);
}

void
sim_dad(struct sim *s, struct sim_host *h, const struct ics_ip *target)
{
	struct ics_ip group = sim_solicited_node(target);
	struct ics_mac dmac = sim_group_mac(&group);
	struct sim_packet p;
	uint64_t nonce = sim_random(s);

	sim_begin6(&p, h->link, &h->mac, &dmac, &unspecified, &group, ICS_PROTO_ICMP6, 255);
	sim_icmp(&p, ICS_ICMP6_NS, 0, 0);
	sim_put(&p, target, 16);
	if (h->os == SIM_OS_LINUX || h->os == SIM_OS_SERVER || h->os == SIM_OS_PHONE) {
		sim_put8(&p, ICS_OPT_NONCE);
		sim_put8(&p, 1);
		sim_put(&p, &nonce, 6);
	}
	sim_send(s, &p, 0);
}

static void
solicit(struct sim *s, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
	const struct ics_ip *src, const struct ics_ip *dst, const struct ics_ip *target, uint64_t wait_ns)
{
	struct sim_packet p;

	sim_begin6(&p, l, smac, dmac, src, dst, ICS_PROTO_ICMP6, 255);
	sim_icmp(&p, ICS_ICMP6_NS, 0, 0);
	sim_put(&p, target, 16);
	put_lla(&p, ICS_OPT_SLLA, smac);
	sim_send(s, &p, wait_ns);
}

static void
solicit_all(struct sim *s, const struct sim_link *l, const struct ics_mac *smac, const struct ics_ip *src,
	    const struct ics_ip *target, uint64_t wait_ns)
{
	struct ics_ip group = sim_solicited_node(target);
	struct ics_mac dmac = sim_group_mac(&group);

	solicit(s, l, smac, &dmac, src, &group, target, wait_ns);
}

static void
advertise(struct sim *s, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
	  const struct ics_ip *dst, const struct ics_ip *target, uint32_t flags, bool with_lla, uint64_t wait_ns)
{
	struct sim_packet p;

	sim_begin6(&p, l, smac, dmac, target, dst, ICS_PROTO_ICMP6, 255);
	sim_icmp(&p, ICS_ICMP6_NA, 0, flags << 24);
	sim_put(&p, target, 16);
	if (with_lla)
		put_lla(&p, ICS_OPT_TLLA, smac);
	sim_send(s, &p, wait_ns);
}

void
sim_announce(struct sim *s, const struct sim_link *l, const struct ics_mac *mac, const struct ics_ip *addr,
	     const struct ics_ip *dst, uint32_t flags, uint64_t wait_ns)
{
	struct ics_mac dmac = sim_group_mac(dst);

	advertise(s, l, mac, &dmac, dst, addr, flags, true, wait_ns);
}

uint64_t
sim_resolve(struct sim *s, struct sim_host *h, struct sim_host *peer, const struct ics_ip *from,
	    const struct ics_ip *target, uint64_t wait_ns)
{
	for (unsigned i = 0; i < MAX_SOLICIT; i++) {
		solicit_all(s, h->link, &h->mac, from, target, wait_ns);
		if (peer != NULL) {
			wait_ns += reply_time(s);
			advertise(s, h->link, &peer->mac, &h->mac, from, target,
				  ICS_NA_FLAG_SOLICITED | ICS_NA_FLAG_OVERRIDE, true, wait_ns);
			return wait_ns;
		}
		wait_ns += RETRANS_NS;
	}
	return wait_ns;
}

/* The gateway asks for the host that a packet is for, or probes whether it is there still. */
static void
gateway_asks(struct sim *s, struct sim_host *h, struct sim_router *r, struct sim_addr *a, uint64_t wait_ns)
{
	bool known = a->router_knows_ns != 0;

	if (known)
		solicit(s, h->link, &r->mac, &h->mac, &r->ll, &a->ip, &a->ip, wait_ns + DELAY_FIRST_PROBE_NS);
	else
		solicit_all(s, h->link, &r->mac, &r->ll, &a->ip, wait_ns);
	/* RFC 4861 7.2.4: the option may be left out of the answer to a unicast. */
	advertise(s, h->link, &h->mac, &r->mac, &r->ll, &a->ip,
		  ICS_NA_FLAG_SOLICITED | (known ? 0 : ICS_NA_FLAG_OVERRIDE), !known || h->os == SIM_OS_WINDOWS,
		  wait_ns + (known ? DELAY_FIRST_PROBE_NS : 0) + reply_time(s));
	a->router_knows_ns = s->now_ns + wait_ns + sim_between(s, 2 * REACHABLE_NS, 20 * REACHABLE_NS);
}

/* RFC 4861 7.3.3: the entry went stale, five seconds after it was used it is probed. */
static void
probe_gateway(struct sim *s, struct sim_host *h, struct sim_router *r, const struct ics_ip *src, uint64_t wait_ns)
{
	wait_ns += DELAY_FIRST_PROBE_NS;
	solicit(s, h->link, &h->mac, &r->mac, src, &r->ll, &r->ll, wait_ns);
	advertise(s, h->link, &r->mac, &h->mac, src, &r->ll, ICS_NA_FLAG_ROUTER | ICS_NA_FLAG_SOLICITED,
		  sim_chance(s, 50), wait_ns + reply_time(s));
}

bool
sim_reach_gateway(struct sim *s, struct sim_host *h, struct sim_addr *from, uint64_t *wait_ns)
{
	struct sim_router *r = sim_gateway(h->link);
	/* Stacks differ: they ask from the address in use, or from the link-local one. */
	const struct ics_ip *src =
		h->os == SIM_OS_WINDOWS || h->addr[0].kind != SIM_ADDR_LL ? &from->ip : &h->addr[0].ip;
	uint64_t reachable = sim_between(s, REACHABLE_NS / 2, REACHABLE_NS * 3 / 2);

	if (r == NULL) {
		*wait_ns = sim_resolve(s, h, NULL, src, &h->link->router[0].ll, *wait_ns);
		h->router_reachable_ns = 0;
		return false;
	}
	if (h->router_reachable_ns == 0) {
		solicit_all(s, h->link, &h->mac, src, &r->ll, *wait_ns);
		*wait_ns += reply_time(s);
		advertise(s, h->link, &r->mac, &h->mac, src, &r->ll,
			  ICS_NA_FLAG_ROUTER | ICS_NA_FLAG_SOLICITED | ICS_NA_FLAG_OVERRIDE, true, *wait_ns);
		h->router_reachable_ns = s->now_ns + reachable;
	} else if (h->router_reachable_ns < s->now_ns) {
		/* TCP confirms by itself most of the time (7.3.1). */
		if (sim_chance(s, 60))
			probe_gateway(s, h, r, src, *wait_ns);
		h->router_reachable_ns = s->now_ns + DELAY_FIRST_PROBE_NS + reachable;
	}
	if (from->router_knows_ns < s->now_ns)
		gateway_asks(s, h, r, from, *wait_ns + 300000);
	return true;
}

void
sim_router_solicit(struct sim *s, struct sim_host *h)
{
	static const struct ics_ip all_routers = {{0xff, 0x02, [15] = 2}};
	struct ics_mac dmac = sim_group_mac(&all_routers);
	struct sim_packet p;

	sim_begin6(&p, h->link, &h->mac, &dmac, &h->addr[0].ip, &all_routers, ICS_PROTO_ICMP6, 255);
	sim_icmp(&p, ICS_ICMP6_RS, 0, 0);
	put_lla(&p, ICS_OPT_SLLA, &h->mac);
	sim_send(s, &p, 0);
}
