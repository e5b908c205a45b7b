/* The life of a host: its link comes up, it configures addresses (RFC 4862, 7217, 8981) or asks for one (RFC 8415), uses
 * them, sleeps, wakes, moves to another link, rotates what is temporary.
 */
#include "sim.h"

#define RS_INTERVAL_NS (4 * SIM_S)
#define RS_COUNT 3
#define DAD_NS SIM_S
/* RFC 8981 3.8 */
#define TEMP_PREFERRED_NS (24 * 3600 * SIM_S)
#define TEMP_EAGER_NS (1800 * SIM_S)
#define TEMP_OVERLAP_NS (600 * SIM_S)

static const struct ics_ip link_local = {{0xfe, 0x80}};

static struct ics_ip
make_ip(struct sim *s, const struct sim_host *h, const struct ics_ip *prefix, enum sim_addr_kind kind)
{
	struct ics_ip ip = *prefix;
	uint64_t iid;

	if (kind == SIM_ADDR_MANAGED) {
		ip.b[14] = (uint8_t)(0x10 + (h->ip4.b[14] & 0x3f));
		ip.b[15] = h->ip4.b[15];
		return ip;
	}
	if (kind != SIM_ADDR_TEMP &&
	    (h->os == SIM_OS_PRINTER || h->os == SIM_OS_SERVER || (h->os == SIM_OS_LINUX && h->secret % 2 == 0))) {
		sim_eui64(&ip, &h->mac);
		return ip;
	}
	iid = kind == SIM_ADDR_TEMP ? sim_random(s) : ics_hash(prefix, sizeof(*prefix), h->secret);
	memcpy(ip.b + 8, &iid, 8);
	return ip;
}

struct sim_addr *
sim_host_addr(struct sim_host *h, enum sim_addr_kind kind)
{
	for (unsigned i = h->n_addrs; i-- != 0;)
		if (h->addr[i].usable && h->addr[i].kind == kind)
			return &h->addr[i];
	return NULL;
}

struct sim_addr *
sim_host_global(struct sim *s, struct sim_host *h)
{
	static const enum sim_addr_kind order[] = {SIM_ADDR_TEMP, SIM_ADDR_MANAGED, SIM_ADDR_STABLE};

	(void)s;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(order); i++) {
		struct sim_addr *a = sim_host_addr(h, order[i]);

		if (a != NULL)
			return a;
	}
	return NULL;
}

struct sim_host *
sim_host_peer(struct sim *s, const struct sim_host *h)
{
	for (unsigned tries = 0; tries < 50; tries++) {
		struct sim_host *p = &s->host[sim_below(s, s->n_hosts)];

		if (p != h && p->link == h->link && p->up && sim_host_global(s, p) != NULL)
			return p;
	}
	return NULL;
}

/* A place that is free again is taken first: events know addresses by their place. */
static struct sim_addr *
add_addr(struct sim_host *h, const struct ics_ip *ip, enum sim_addr_kind kind, bool usable)
{
	unsigned i = 0;

	while (i < h->n_addrs && h->addr[i].kind != SIM_ADDR_NONE)
		i++;
	if (i == SIM_ADDRS_MAX)
		return NULL;
	if (i == h->n_addrs)
		h->n_addrs++;
	h->addr[i] = (struct sim_addr){.ip = *ip, .kind = kind, .usable = usable};
	return &h->addr[i];
}

static void rotate(struct sim *s, void *who, uint64_t arg);

/* RFC 8981 3.8: DESYNC_FACTOR keeps hosts apart. */
static void
plan_rotation(struct sim *s, struct sim_host *h, uint64_t age_ns)
{
	uint64_t life = h->eager ? TEMP_EAGER_NS : TEMP_PREFERRED_NS;

	life -= sim_below(s, life / 10);
	sim_after(s, life > age_ns ? life - age_ns : 0, rotate, h, 0, &h->life);
}

/* ---- one address, from probe to use ---- */

static void
addr_is_usable(struct sim *s, void *who, uint64_t index)
{
	static const struct ics_ip all_routers = {{0xff, 0x02, [15] = 2}};
	struct sim_host *h = who;
	struct sim_addr *a = &h->addr[index];

	a->usable = true;
	/* RFC 9131: newer systems let the routers know. */
	if (h->os == SIM_OS_PHONE)
		sim_announce(s, h->link, &h->mac, &a->ip, &all_routers, 0, 1 * SIM_MS);
	if (a->kind == SIM_ADDR_TEMP)
		plan_rotation(s, h, 0);
}

static void
probe(struct sim *s, void *who, uint64_t index)
{
	struct sim_host *h = who;

	sim_dad(s, h, &h->addr[index].ip);
	sim_after(s, DAD_NS, addr_is_usable, h, index, &h->life);
}

/* The group is joined before the probe goes out (RFC 4862 5.4.2). */
static void
configure(struct sim *s, struct sim_host *h, enum sim_addr_kind kind)
{
	struct ics_ip ip = make_ip(s, h, &h->link->prefix, kind), group = sim_solicited_node(&ip);
	struct sim_addr *a = add_addr(h, &ip, kind, false);

	if (a == NULL)
		return;
	sim_mld_changed(s, h, &group, SIM_MLD_TO_EXCLUDE);
	sim_after(s, sim_between(s, 2 * SIM_MS, SIM_S), probe, h, (uint64_t)(a - h->addr), &h->life);
}

/* ---- temporary addresses ---- */

static void
remove_temp(struct sim *s, void *who, uint64_t index)
{
	struct sim_host *h = who;
	struct ics_ip group = sim_solicited_node(&h->addr[index].ip);

	h->addr[index].kind = SIM_ADDR_NONE;
	h->addr[index].usable = false;
	sim_mld_changed(s, h, &group, SIM_MLD_TO_INCLUDE);
}

/* The old one stays valid for a while for what uses it still. */
static void
rotate(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;
	struct sim_addr *old = sim_host_addr(h, SIM_ADDR_TEMP);

	(void)arg;
	if (old != NULL)
		sim_after(s, h->eager ? TEMP_OVERLAP_NS : TEMP_PREFERRED_NS, remove_temp, h, (uint64_t)(old - h->addr),
			  &h->life);
	configure(s, h, SIM_ADDR_TEMP);
}

static bool
has_temp(const struct sim_host *h)
{
	return h->os == SIM_OS_WINDOWS || h->os == SIM_OS_MAC || h->os == SIM_OS_PHONE || h->eager;
}

/* ---- link up ---- */

static const char *const groups[SIM_OS_KINDS][4] = {
	[SIM_OS_LINUX] = {"ff02::fb"},
	[SIM_OS_WINDOWS] = {"ff02::fb", "ff02::1:3", "ff02::c"},
	[SIM_OS_MAC] = {"ff02::fb", "ff02::2:ff12:3456"},
	[SIM_OS_PHONE] = {"ff02::fb"},
	[SIM_OS_PRINTER] = {"ff02::fb", "ff02::c"},
};

static void
ask_routers(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	if (h->has_ra || h->solicitations++ == RS_COUNT)
		return;
	sim_router_solicit(s, h);
	for (unsigned i = 0; i < h->link->n_routers; i++)
		sim_router_heard_rs(s, &h->link->router[i], h);
	sim_after(s, RS_INTERVAL_NS, ask_routers, h, 0, &h->life);
}

static void
link_local_is_usable(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	h->addr[0].usable = true;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(groups[0]) && groups[h->os][i] != NULL; i++)
		sim_join(s, h, groups[h->os][i]);
	sim_after(s, sim_below(s, SIM_S), ask_routers, h, 0, &h->life);
}

static void
probe_link_local(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;

	(void)arg;
	sim_dad(s, h, &h->addr[0].ip);
	sim_after(s, DAD_NS, link_local_is_usable, h, 0, &h->life);
}

static void
settle(struct sim *s, struct sim_host *h, bool usable)
{
	struct ics_ip ll = make_ip(s, h, &link_local, SIM_ADDR_LL);

	h->life++;
	h->up = true;
	h->has_ra = usable;
	h->n_addrs = h->n_groups = h->solicitations = 0;
	h->router_reachable_ns = 0;
	memset(h->path, 0, sizeof(h->path));
	add_addr(h, &ll, SIM_ADDR_LL, usable);
}

void
sim_host_link_up(struct sim *s, struct sim_host *h)
{
	struct ics_ip group;

	settle(s, h, false);
	group = sim_solicited_node(&h->addr[0].ip);
	sim_mld_changed(s, h, &group, SIM_MLD_TO_EXCLUDE);
	sim_after(s, sim_between(s, 2 * SIM_MS, SIM_S), probe_link_local, h, 0, &h->life);
	sim_traffic(s, h);
}

void
sim_host_heard_ra(struct sim *s, struct sim_host *h)
{
	if (h->has_ra || h->n_addrs == 0 || !h->addr[0].usable)
		return;
	h->has_ra = true;
	if (h->link->kind == SIM_LINK_DHCPV6) {
		sim_dhcp(s, h);
		return;
	}
	configure(s, h, SIM_ADDR_STABLE);
	if (has_temp(h))
		configure(s, h, SIM_ADDR_TEMP);
}

void
sim_host_managed(struct sim *s, struct sim_host *h)
{
	configure(s, h, SIM_ADDR_MANAGED);
}

void
sim_host_is_up(struct sim *s, struct sim_host *h)
{
	bool managed = h->link->kind == SIM_LINK_DHCPV6;
	struct ics_ip ip;

	settle(s, h, true);
	ip = make_ip(s, h, &h->link->prefix, managed ? SIM_ADDR_MANAGED : SIM_ADDR_STABLE);
	add_addr(h, &ip, managed ? SIM_ADDR_MANAGED : SIM_ADDR_STABLE, true);
	if (!managed && has_temp(h)) {
		ip = make_ip(s, h, &h->link->prefix, SIM_ADDR_TEMP);
		add_addr(h, &ip, SIM_ADDR_TEMP, true);
		plan_rotation(s, h, sim_below(s, h->eager ? TEMP_EAGER_NS : TEMP_PREFERRED_NS));
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(groups[0]) && groups[h->os][i] != NULL; i++)
		h->group[h->n_groups++] = sim_ip(groups[h->os][i]);
	sim_traffic(s, h);
}

void
sim_host_gone(struct sim_host *h)
{
	h->life++;
	h->up = false;
}

/* Locally administered, as phones and laptops do it for each network. */
void
sim_host_random_mac(struct sim *s, struct sim_host *h)
{
	uint64_t r = sim_random(s);

	memcpy(h->mac.b, &r, 6);
	h->mac.b[0] = (uint8_t)((h->mac.b[0] & 0xfc) | 2);
	h->secret = sim_random(s);
}
