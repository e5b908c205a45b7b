/* Managed addresses: Solicit, Advertise, Request, Reply (RFC 8415 18), with the least that they hold. */
#include "sim.h"

#define CLIENT_PORT 546
#define SERVER_PORT 547
#define SOLICIT 1
#define ADVERTISE 2
#define REQUEST 3
#define REPLY 7
#define OPTION_CLIENTID 1
#define OPTION_IA_NA 3

static const struct ics_ip all_servers = {{0xff, 0x02, [11] = 1, [13] = 1, [15] = 2}};

static void
send_message(struct sim *s, struct sim_host *h, const struct sim_router *r, uint8_t type, uint64_t wait_ns)
{
	bool from_client = type == SOLICIT || type == REQUEST;
	struct ics_mac group = sim_group_mac(&all_servers);
	struct sim_packet p;

	if (from_client)
		sim_begin6(&p, h->link, &h->mac, &group, &h->addr[0].ip, &all_servers, ICS_PROTO_UDP, 1);
	else
		sim_begin6(&p, h->link, &r->mac, &h->mac, &r->ll, &h->addr[0].ip, ICS_PROTO_UDP, 64);
	sim_put16(&p, from_client ? CLIENT_PORT : SERVER_PORT);
	sim_put16(&p, from_client ? SERVER_PORT : CLIENT_PORT);
	sim_put32(&p, 0);
	sim_put32(&p, (uint32_t)type << 24 | (uint32_t)(h->secret & 0xffffff));
	sim_put16(&p, OPTION_CLIENTID);
	sim_put16(&p, 10);
	sim_put32(&p, 0x00030001);
	sim_put(&p, &h->mac, 6);
	sim_put16(&p, OPTION_IA_NA);
	sim_put16(&p, 12);
	sim_fill(&p, 0, 12);
	sim_send(s, &p, wait_ns);
}

static void
has_lease(struct sim *s, void *who, uint64_t arg)
{
	(void)arg;
	sim_host_managed(s, who);
}

void
sim_dhcp(struct sim *s, struct sim_host *h)
{
	const struct sim_router *r = sim_gateway(h->link);
	static const uint8_t types[] = {SOLICIT, ADVERTISE, REQUEST, REPLY};
	uint64_t wait = sim_below(s, SIM_S);

	for (unsigned i = 0; r != NULL && i < ICS_ARRAY_LEN(types); i++) {
		send_message(s, h, r, types[i], wait);
		wait += sim_between(s, 500000, 40 * SIM_MS);
	}
	sim_after(s, wait, has_lease, h, 0, &h->life);
}
