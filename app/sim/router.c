/* Routers: advertisements at random intervals, faster at first, and to those who ask (RFC 4861 6.2.4 to 6.2.6); a restart
 * that was planned (6.2.5); two that share one address, of which the master goes away (RFC 9568).
 */
#include "sim.h"

#define INITIAL_COUNT 3
#define INITIAL_NS (16 * SIM_S)
#define RA_DELAY_NS (500 * SIM_MS)
#define RA_GAP_NS (3 * SIM_S)
#define VALID_S 2592000
#define PREFERRED_S 604800
#define VRRP_PROTO 112
#define VRRP_INTERVAL_NS SIM_S
/* Three lost ones and the skew of the backup. */
#define VRRP_DOWN_NS (3600 * SIM_MS)

static const struct ics_ip all_nodes = {{0xff, 0x02, [15] = 1}}, vrrp_group = {{0xff, 0x02, [15] = 0x12}};

struct sim_router *
sim_gateway(struct sim_link *l)
{
	for (unsigned i = 0; i < l->n_routers; i++)
		if (l->router[i].up && !l->router[i].stub)
			return &l->router[i];
	return NULL;
}

static void
put_prefix(struct sim_packet *p, const struct sim_link *l)
{
	sim_put8(p, ICS_OPT_PIO);
	sim_put8(p, 4);
	sim_put8(p, 64);
	sim_put8(p, l->kind == SIM_LINK_DHCPV6 ? 0x80 : 0xc0);
	sim_put32(p, VALID_S);
	sim_put32(p, PREFERRED_S);
	sim_put32(p, 0);
	sim_put(p, &l->prefix, 16);
}

static void
put_options(struct sim_packet *p, const struct sim_router *r)
{
	static const struct ics_ip resolver = {{0x20, 0x01, 0x0d, 0xb8, 0, 0x53, [15] = 0x53}},
				   mesh = {{0xfd, 0x5a, 0x11, 0x22, 0x33, 0x44}};

	sim_put8(p, ICS_OPT_SLLA);
	sim_put8(p, 1);
	sim_put(p, &r->mac, 6);
	if (r->stub) {
		/* RFC 4191 2.3: the way to the mesh behind it. */
		sim_put8(p, ICS_OPT_RIO);
		sim_put8(p, 2);
		sim_put16(p, 64 << 8);
		sim_put32(p, 1800);
		sim_put(p, &mesh, 8);
		return;
	}
	sim_put8(p, ICS_OPT_MTU);
	sim_put8(p, 1);
	sim_put16(p, 0);
	sim_put32(p, 1500);
	put_prefix(p, r->link);
	sim_put8(p, ICS_OPT_RDNSS);
	sim_put8(p, 3);
	sim_put16(p, 0);
	sim_put32(p, 1800);
	sim_put(p, &resolver, 16);
}

static void
advertise(struct sim *s, struct sim_router *r, const struct ics_mac *dmac, const struct ics_ip *dst, bool final)
{
	uint8_t flags = r->link->kind == SIM_LINK_DHCPV6 ? ICS_RA_FLAG_MANAGED | ICS_RA_FLAG_OTHER : 0;
	struct sim_packet p;

	sim_begin6(&p, r->link, &r->mac, dmac, &r->ll, dst, ICS_PROTO_ICMP6, 255);
	sim_icmp(&p, ICS_ICMP6_RA, 0, 64u << 24 | (uint32_t)flags << 16 | (final || r->stub ? 0 : r->lifetime_s));
	sim_put32(&p, 0);
	sim_put32(&p, 0);
	put_options(&p, r);
	sim_send(s, &p, 0);
}

static void
advertise_all(struct sim *s, struct sim_router *r, bool final)
{
	struct ics_mac dmac = sim_group_mac(&all_nodes);

	r->last_ra_ns = s->now_ns;
	advertise(s, r, &dmac, &all_nodes, final);
	for (unsigned i = 0; !final && !r->stub && i < s->n_hosts; i++)
		if (s->host[i].up && s->host[i].link == r->link)
			sim_host_heard_ra(s, &s->host[i]);
}

static void
periodic(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;
	uint64_t wait = sim_between(s, r->ra_min_ns, r->ra_max_ns);

	(void)arg;
	advertise_all(s, r, false);
	if (r->initial != 0) {
		r->initial--;
		if (wait > INITIAL_NS)
			wait = INITIAL_NS;
	}
	sim_after(s, wait, periodic, r, 0, &r->life);
}

static void
vrrp_advertise(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;
	struct ics_mac dmac = sim_group_mac(&vrrp_group);
	struct sim_packet p;

	(void)arg;
	sim_begin6(&p, r->link, &r->mac, &dmac, &r->member_ll[r->master], &vrrp_group, VRRP_PROTO, 255);
	sim_put32(&p, 0x31016401); /* version 3, advertisement, router 1, priority 100, one address */
	sim_put32(&p, 0x00640000); /* every second; its checksum is not looked at */
	sim_put(&p, &r->ll, 16);
	sim_send(s, &p, 0);
	sim_after(s, VRRP_INTERVAL_NS, vrrp_advertise, r, 0, &r->life);
}

static void
start(struct sim *s, struct sim_router *r, uint64_t first_ra_ns)
{
	r->up = true;
	sim_after(s, first_ra_ns, periodic, r, 0, &r->life);
	if (r->vrrp)
		sim_after(s, sim_below(s, VRRP_INTERVAL_NS), vrrp_advertise, r, 0, &r->life);
	if (r == &r->link->router[0])
		sim_mld_querier(s, r);
}

void
sim_router_is_up(struct sim *s, struct sim_router *r)
{
	start(s, r, sim_below(s, r->ra_min_ns));
}

/* ---- solicited ---- */

static void
answer_all(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;

	(void)arg;
	r->ra_pending = false;
	advertise_all(s, r, false);
}

static void
answer_one(struct sim *s, void *who, uint64_t host)
{
	struct sim_router *r = who;
	struct sim_host *h = &s->host[host];

	if (!h->up || h->link != r->link || h->n_addrs == 0)
		return;
	advertise(s, r, &h->mac, &h->addr[0].ip, false);
	if (!r->stub)
		sim_host_heard_ra(s, h);
}

void
sim_router_heard_rs(struct sim *s, struct sim_router *r, struct sim_host *h)
{
	uint64_t wait = sim_below(s, RA_DELAY_NS);

	if (!r->up)
		return;
	if (r->unicast_ra) {
		sim_after(s, wait, answer_one, r, (uint64_t)(h - s->host), &r->life);
		return;
	}
	if (r->ra_pending)
		return;
	r->ra_pending = true;
	if (s->now_ns + wait < r->last_ra_ns + RA_GAP_NS)
		wait += r->last_ra_ns + RA_GAP_NS - s->now_ns;
	sim_after(s, wait, answer_all, r, 0, &r->life);
}

/* ---- restart ---- */

static void
own_dad(struct sim *s, struct sim_router *r)
{
	static const struct ics_ip unspecified;
	struct ics_ip group = sim_solicited_node(&r->ll);
	struct ics_mac dmac = sim_group_mac(&group);
	struct sim_packet p;

	sim_begin6(&p, r->link, &r->mac, &dmac, &unspecified, &group, ICS_PROTO_ICMP6, 255);
	sim_icmp(&p, ICS_ICMP6_NS, 0, 0);
	sim_put(&p, &r->ll, 16);
	sim_send(s, &p, 0);
}

static void
in_service(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;

	(void)arg;
	r->initial = INITIAL_COUNT;
	start(s, r, sim_below(s, 10 * SIM_S));
}

static void
boots(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;

	(void)arg;
	sim_mld_router_joins(s, r);
	own_dad(s, r);
	sim_after(s, sim_between(s, 2 * SIM_S, 6 * SIM_S), in_service, r, 0, &r->life);
}

void
sim_router_restart(struct sim *s, struct sim_router *r, uint64_t down_ns)
{
	if (!r->up)
		return;
	advertise_all(s, r, true);
	r->life++;
	r->up = r->ra_pending = false;
	sim_after(s, down_ns, boots, r, 0, &r->life);
}

/* ---- failover ---- */

static void
take_over(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;

	(void)arg;
	sim_mld_router_joins(s, r);
	for (unsigned i = 0; i < 3; i++)
		sim_announce(s, r->link, &r->mac, &r->ll, &all_nodes, ICS_NA_FLAG_ROUTER | ICS_NA_FLAG_OVERRIDE,
			     i * SIM_MS);
	r->initial = INITIAL_COUNT;
	start(s, r, sim_below(s, SIM_S));
}

void
sim_vrrp_failover(struct sim *s, struct sim_router *r)
{
	r->life++;
	r->up = r->ra_pending = false;
	r->master ^= 1;
	sim_after(s, VRRP_DOWN_NS, take_over, r, 0, &r->life);
}
