/* Multicast Listener Discovery: reports of what changed, queries every 125 s and the answers to them (RFC 3810), and the
 * stragglers that still speak version 1 (RFC 2710).
 */
#include "sim.h"

/* RFC 3810 9 */
#define QUERY_INTERVAL_NS (125 * SIM_S)
#define STARTUP_INTERVAL_NS (QUERY_INTERVAL_NS / 4)
#define STARTUP_COUNT 2
#define RESPONSE_NS (10 * SIM_S)
#define RESPONSE_MS 10000
#define LAST_LISTENER_MS 1000
#define ROBUSTNESS 2
#define QQIC 125

static const struct ics_ip unspecified, all_nodes = {{0xff, 0x02, [15] = 1}}, all_routers = {{0xff, 0x02, [15] = 2}},
					all_reports = {{0xff, 0x02, [15] = 0x16}};

/* Fixed header, hop-by-hop header with the router alert (RFC 2711), up to the message. */
static void
begin(struct sim_packet *p, const struct sim_link *l, const struct ics_mac *mac, const struct ics_ip *src,
      const struct ics_ip *dst)
{
	struct ics_mac dmac = sim_group_mac(dst);

	sim_begin6(p, l, mac, &dmac, src, dst, ICS_PROTO_HOPOPTS, 1);
	sim_put8(p, ICS_PROTO_ICMP6);
	sim_put8(p, 0);
	sim_put32(p, 0x05020000);
	sim_put16(p, 0x0100);
	p->proto = ICS_PROTO_ICMP6;
	p->l4 = p->len;
}

static const struct ics_ip *
source_of(const struct sim_host *h)
{
	return h->n_addrs != 0 && h->addr[0].usable ? &h->addr[0].ip : &unspecified;
}

static bool
speaks_v1(const struct sim_host *h)
{
	return h->os == SIM_OS_PRINTER;
}

static void
send_v1(struct sim *s, struct sim_host *h, const struct ics_ip *group, uint8_t type, uint64_t wait_ns)
{
	struct sim_packet p;

	begin(&p, h->link, &h->mac, source_of(h), type == ICS_ICMP6_MLD1_DONE ? &all_routers : group);
	sim_icmp(&p, type, 0, 0);
	sim_put(&p, group, 16);
	sim_send(s, &p, wait_ns);
}

static void
put_record(struct sim_packet *p, uint8_t type, const struct ics_ip *group)
{
	sim_put8(p, type);
	sim_put8(p, 0);
	sim_put16(p, 0);
	sim_put(p, group, 16);
}

static void
send_change(struct sim *s, const struct sim_link *l, const struct ics_mac *mac, const struct ics_ip *src,
	    const struct ics_ip *group, uint8_t record)
{
	uint64_t wait = 0;

	for (unsigned i = 0; i < ROBUSTNESS; i++) {
		struct sim_packet p;

		begin(&p, l, mac, src, &all_reports);
		sim_icmp(&p, ICS_ICMP6_MLD2_REPORT, 0, 1);
		put_record(&p, record, group);
		sim_send(s, &p, wait);
		wait += sim_between(s, 1 * SIM_MS, SIM_S);
	}
}

static void
query(struct sim *s, struct sim_router *r, const struct ics_ip *group, unsigned response_ms, uint64_t wait_ns)
{
	struct sim_packet p;

	begin(&p, r->link, &r->mac, &r->ll, group != NULL ? group : &all_nodes);
	sim_icmp(&p, ICS_ICMP6_MLD_QUERY, 0, response_ms << 16);
	sim_put(&p, group != NULL ? group : &unspecified, 16);
	sim_put8(&p, ROBUSTNESS);
	sim_put8(&p, QQIC);
	sim_put16(&p, 0);
	sim_send(s, &p, wait_ns);
}

void
sim_mld_changed(struct sim *s, struct sim_host *h, const struct ics_ip *group, uint8_t record)
{
	struct sim_router *r = sim_gateway(h->link);
	bool leaves = record == SIM_MLD_TO_INCLUDE;

	if (speaks_v1(h))
		send_v1(s, h, group, leaves ? ICS_ICMP6_MLD1_DONE : ICS_ICMP6_MLD1_REPORT, 0);
	else
		send_change(s, h->link, &h->mac, source_of(h), group, record);
	/* Does anybody else listen? (RFC 3810 7.6.3) */
	for (unsigned i = 0; leaves && r != NULL && i < ROBUSTNESS; i++)
		query(s, r, group, LAST_LISTENER_MS, sim_between(s, 200000, 2000000) + i * SIM_S);
}

void
sim_join(struct sim *s, struct sim_host *h, const char *group)
{
	if (h->n_groups == SIM_GROUPS_MAX)
		return;
	h->group[h->n_groups] = sim_ip(group);
	sim_mld_changed(s, h, &h->group[h->n_groups++], SIM_MLD_TO_EXCLUDE);
}

void
sim_mld_router_joins(struct sim *s, struct sim_router *r)
{
	struct ics_ip groups[] = {sim_solicited_node(&r->ll), all_routers, all_reports};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(groups); i++)
		send_change(s, r->link, &r->mac, &unspecified, &groups[i], SIM_MLD_TO_EXCLUDE);
}

/* ---- answers to a general query ---- */

/* The solicited-node groups of its addresses, each once, and those of its applications. */
static unsigned
groups_of(const struct sim_host *h, struct ics_ip out[static SIM_ADDRS_MAX + SIM_GROUPS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n_addrs; i++) {
		struct ics_ip g = sim_solicited_node(&h->addr[i].ip);
		unsigned k = 0;

		if (h->addr[i].kind == SIM_ADDR_NONE)
			continue;
		while (k < n && !ics_ip_equal(&out[k], &g))
			k++;
		if (k == n)
			out[n++] = g;
	}
	for (unsigned i = 0; i < h->n_groups; i++)
		out[n++] = h->group[i];
	return n;
}

static void
answer_query(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;
	struct ics_ip groups[SIM_ADDRS_MAX + SIM_GROUPS_MAX];
	unsigned n = groups_of(h, groups);
	struct sim_packet p;

	(void)arg;
	if (speaks_v1(h)) {
		for (unsigned i = 0; i < n; i++)
			send_v1(s, h, &groups[i], ICS_ICMP6_MLD1_REPORT, sim_below(s, RESPONSE_NS / 2));
		return;
	}
	begin(&p, h->link, &h->mac, source_of(h), &all_reports);
	sim_icmp(&p, ICS_ICMP6_MLD2_REPORT, 0, n);
	for (unsigned i = 0; i < n; i++)
		put_record(&p, SIM_MLD_IS_EXCLUDE, &groups[i]);
	sim_send(s, &p, 0);
}

/* Routers listen too, the one that asks among them. */
static void
router_answers(struct sim *s, void *who, uint64_t arg)
{
	struct sim_router *r = who;
	struct ics_ip groups[] = {sim_solicited_node(&r->ll), all_routers};
	struct sim_packet p;

	(void)arg;
	begin(&p, r->link, &r->mac, &r->ll, &all_reports);
	sim_icmp(&p, ICS_ICMP6_MLD2_REPORT, 0, ICS_ARRAY_LEN(groups));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(groups); i++)
		put_record(&p, SIM_MLD_IS_EXCLUDE, &groups[i]);
	sim_send(s, &p, 0);
}

static void
general_query(struct sim *s, void *who, uint64_t startup_left)
{
	struct sim_router *r = who;

	query(s, r, NULL, RESPONSE_MS, 0);
	for (unsigned i = 0; i < r->link->n_routers; i++)
		if (r->link->router[i].up)
			sim_after(s, sim_below(s, RESPONSE_NS), router_answers, &r->link->router[i], 0,
				  &r->link->router[i].life);
	for (unsigned i = 0; i < s->n_hosts; i++)
		if (s->host[i].up && s->host[i].link == r->link && s->host[i].n_addrs != 0)
			sim_after(s, sim_below(s, RESPONSE_NS), answer_query, &s->host[i], 0, &s->host[i].life);
	sim_after(s, startup_left != 0 ? STARTUP_INTERVAL_NS : QUERY_INTERVAL_NS, general_query, r,
		  startup_left != 0 ? startup_left - 1 : 0, &r->life);
}

void
sim_mld_querier(struct sim *s, struct sim_router *r)
{
	/* One that was there already is somewhere between two queries. */
	if (s->now_ns == 0)
		sim_after(s, sim_below(s, QUERY_INTERVAL_NS), general_query, r, 0, &r->life);
	else
		general_query(s, r, STARTUP_COUNT - 1);
}
