/* Who is there, and what happens to them in the course of the time: machines boot, sleep, wake and move, virtual ones
 * start, a router is restarted in a maintenance window, a master hands over, a translator reboots.
 */
#include "sim.h"

#include <stdio.h>

/* Weights of what hosts are. */
static const unsigned os_weight[SIM_OS_KINDS] = {
	[SIM_OS_LINUX] = 20, [SIM_OS_WINDOWS] = 35, [SIM_OS_MAC] = 12,
	[SIM_OS_PHONE] = 20, [SIM_OS_PRINTER] = 5,  [SIM_OS_SERVER] = 8,
};
/* First half of the MAC of each; of the rest the number. */
static const uint8_t oui[SIM_OS_KINDS][3] = {
	[SIM_OS_LINUX] = {0x3c, 0x97, 0x0e},   [SIM_OS_WINDOWS] = {0x8c, 0x16, 0x45},
	[SIM_OS_MAC] = {0xf0, 0x18, 0x98},     [SIM_OS_PHONE] = {0xac, 0x37, 0x43},
	[SIM_OS_PRINTER] = {0x00, 0x1b, 0xa9}, [SIM_OS_SERVER] = {0x52, 0x54, 0x00},
};

#define FIRST_VLAN 10
#define UP_AT_START 70 /* percent */
#define MAINTENANCE_NS (10 * SIM_MINUTE)
#define VIRTUAL_PERCENT 8

static enum sim_os
draw_os(struct sim *s)
{
	uint64_t n = sim_below(s, 100);

	for (unsigned i = 0; i < SIM_OS_KINDS; i++) {
		if (n < os_weight[i])
			return (enum sim_os)i;
		n -= os_weight[i];
	}
	return SIM_OS_WINDOWS;
}

static void
enter(struct sim *s, struct sim_host *h, struct sim_link *l)
{
	unsigned id = 16 + l->next_id++;

	(void)s;
	h->link = l;
	h->ip4 = sim_ip("10.0.0.0");
	h->ip4.b[13] = (uint8_t)l->index;
	h->ip4.b[14] = (uint8_t)(id >> 8);
	h->ip4.b[15] = (uint8_t)id;
}

/* ---- hosts: sleep, wake, move ---- */

static void plan_next(struct sim *s, struct sim_host *h);

static void
wake(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	if (h->up)
		return;
	sim_host_link_up(s, h);
	plan_next(s, h);
}

static void
doze(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	sim_host_gone(h);
	sim_after(s, sim_between(s, 3 * SIM_MINUTE, 20 * SIM_MINUTE), wake, h, 0, NULL);
}

static void
roam(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	sim_host_gone(h);
	enter(s, h, &s->link[sim_below(s, s->n_links)]);
	if (h->randomises)
		sim_host_random_mac(s, h);
	sim_after(s, sim_between(s, 200 * SIM_MS, 5 * SIM_S), wake, h, 0, NULL);
}

static void
plan_next(struct sim *s, struct sim_host *h)
{
	if (h->os == SIM_OS_SERVER || h->os == SIM_OS_PRINTER)
		return;
	if (h->roams)
		sim_after(s, sim_between(s, 5 * SIM_MINUTE, 30 * SIM_MINUTE), roam, h, 0, &h->life);
	else if (sim_chance(s, 40))
		sim_after(s, sim_between(s, 5 * SIM_MINUTE, 50 * SIM_MINUTE), doze, h, 0, &h->life);
}

static void
add_host(struct sim *s, unsigned i)
{
	struct sim_host *h = &s->host[i];

	h->os = draw_os(s);
	memcpy(h->mac.b, oui[h->os], 3);
	h->mac.b[3] = (uint8_t)(i >> 16);
	h->mac.b[4] = (uint8_t)(i >> 8);
	h->mac.b[5] = (uint8_t)i;
	h->secret = sim_random(s);
	h->roams = h->os == SIM_OS_PHONE && sim_chance(s, 50);
	h->randomises = h->roams && sim_chance(s, 50);
	h->eager = h->os == SIM_OS_LINUX && sim_chance(s, 10);
	enter(s, h, &s->link[i % s->n_links]);
	if (i * 100 >= s->n_hosts * (100 - VIRTUAL_PERCENT)) {
		/* Virtual machines: a dozen of them is started at once. */
		h->os = SIM_OS_SERVER;
		h->roams = h->randomises = h->eager = false;
		memcpy(h->mac.b, oui[h->os], 3);
		enter(s, h, &s->link[1 % s->n_links]);
		sim_after(s, s->conf.duration_ns / 3 + sim_below(s, 20 * SIM_S), wake, h, 0, NULL);
		return;
	}
	if (sim_chance(s, UP_AT_START)) {
		sim_host_is_up(s, h);
		plan_next(s, h);
	} else {
		sim_after(s, sim_below(s, s->conf.duration_ns * 3 / 4), wake, h, 0, NULL);
	}
}

/* ---- routers ---- */

static void
add_router(struct sim *s, struct sim_link *l, bool stub)
{
	struct sim_router *r = &l->router[l->n_routers];
	/* One box has the same MAC on all of its VLANs. */
	struct ics_mac mac = {{0x00, 0x1e, 0x13, 0x00, 0x00, (uint8_t)(1 + l->n_routers)}};

	r->link = l;
	r->mac = mac;
	r->ll = sim_ip("fe80::1");
	r->ll.b[15] = (uint8_t)(1 + l->n_routers);
	r->lifetime_s = 1800;
	r->ra_min_ns = 198 * SIM_S;
	r->ra_max_ns = 600 * SIM_S;
	r->unicast_ra = l->n_routers == 1;
	r->stub = stub;
	if (stub) {
		r->mac.b[0] = 0x18;
		r->mac.b[3] = (uint8_t)l->index;
		sim_eui64(&r->ll, &r->mac);
	}
	if (l->kind == SIM_LINK_VRRP) {
		r->vrrp = true;
		r->mac = (struct ics_mac){{0x00, 0x00, 0x5e, 0x00, 0x02, 0x01}};
		r->ll = sim_ip("fe80::5");
		for (unsigned i = 0; i < 2; i++) {
			r->member_ll[i] = sim_ip("fe80::11");
			r->member_ll[i].b[15] = (uint8_t)(0x11 + i);
		}
	}
	l->n_routers++;
}

static void
maintenance(struct sim *s, void *who, uint64_t arg)
{
	(void)arg;
	sim_router_restart(s, who, sim_between(s, 60 * SIM_S, 90 * SIM_S));
}

static void
failover(struct sim *s, void *who, uint64_t arg)
{
	(void)arg;
	sim_vrrp_failover(s, who);
}

static void
nat_reboots(struct sim *s, void *who, uint64_t arg)
{
	struct sim_link *l = who;

	(void)arg;
	l->nat_down_ns = s->now_ns + sim_between(s, 40 * SIM_S, 120 * SIM_S);
}

/* ---- machines that others carry on ---- */

static struct sim_host *
a_server(struct sim *s)
{
	for (unsigned i = 0; i < s->n_hosts; i++)
		if (s->host[i].os == SIM_OS_SERVER && s->host[i].up && sim_host_global(s, &s->host[i]) != NULL)
			return &s->host[i];
	return NULL;
}

/* It says where it is now, to everyone. */
static void
announce_all(struct sim *s, struct sim_host *h)
{
	static const struct ics_ip all_nodes = {{0xff, 0x02, [15] = 1}};

	for (unsigned i = 0; i < h->n_addrs; i++)
		if (h->addr[i].usable)
			sim_announce(s, h->link, &h->mac, &h->addr[i].ip, &all_nodes, ICS_NA_FLAG_OVERRIDE, i * SIM_MS);
}

static void
migrates(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = a_server(s);

	(void)who;
	(void)arg;
	if (h != NULL)
		announce_all(s, h);
}

static void
other_card(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	h->up = true;
	h->mac.b[3] = 0xfb;
	announce_all(s, h);
	sim_traffic(s, h);
}

/* A pair of cards, each with its own MAC, of which the active one loses its link. */
static void
card_fails(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = a_server(s);

	(void)who;
	(void)arg;
	if (h == NULL)
		return;
	sim_host_gone(h);
	sim_after(s, 40 * SIM_S, other_card, h, 0, NULL);
}

/* ---- all of it ---- */

static void
add_link(struct sim *s, unsigned i)
{
	struct sim_link *l = &s->link[i];

	l->index = i;
	l->vlan = FIRST_VLAN + i;
	l->kind = (enum sim_link_kind)(i % SIM_LINK_KINDS);
	l->prefix = sim_ip("2001:db8:0:100::");
	l->prefix.b[6] = (uint8_t)(1 + (i >> 8));
	l->prefix.b[7] = (uint8_t)i;
	add_router(s, l, false);
	if (l->kind == SIM_LINK_TWO_ROUTERS)
		add_router(s, l, false);
	if (i == 0) {
		/* A box of its own, which is restarted in the course of things. */
		l->router[0].mac.b[5] = 0x40;
		l->router[0].ll = sim_ip("fe80::40");
		s->maintained = l->router[0].ll;
		add_router(s, l, true);
	}
	for (unsigned r = 0; r < l->n_routers; r++)
		sim_router_is_up(s, &l->router[r]);
}

void
sim_populate(struct sim *s)
{
	uint64_t hour = s->conf.duration_ns;

	s->n_links = s->conf.links;
	s->n_hosts = s->conf.hosts;
	for (unsigned i = 0; i < s->n_links; i++)
		add_link(s, i);
	for (unsigned i = 0; i < s->n_hosts; i++)
		add_host(s, i);
	sim_after(s, hour * 6 / 10, maintenance, &s->link[0].router[0], 0, NULL);
	s->maintenance_ns = hour * 6 / 10 + MAINTENANCE_NS;
	sim_after(s, hour * 5 / 10, nat_reboots, &s->link[1 % s->n_links], 0, NULL);
	sim_after(s, hour * 45 / 100, migrates, NULL, 0, NULL);
	sim_after(s, hour * 7 / 10, card_fails, NULL, 0, NULL);
	for (unsigned i = 0; i < s->n_links; i++)
		if (s->link[i].kind == SIM_LINK_VRRP)
			sim_after(s, hour * 4 / 10 + i * SIM_S, failover, &s->link[i].router[0], 0, NULL);
}
