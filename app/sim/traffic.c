/* What hosts do all day: names, transfers in both directions over IPv6 and IPv4, echo, traceroute, neighbors. */
#include "sim.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define LINK_MTU 1500
#define WINDOW 8
#define PORT_MDNS 5353
#define PORT_TRACE 33434

/* Between the host and one that is behind the gateway, or on the link. */
struct flow {
	struct sim_host *h;
	struct ics_mac far_mac;
	struct ics_ip near_ip, far_ip;
	bool v4;
	unsigned server;
	uint16_t near_port, far_port;
	uint32_t near_seq, far_seq;
	uint64_t at_ns, rtt_ns; /* at_ns: from now on, when the next frame goes */
};

static void
begin(const struct flow *f, struct sim_packet *p, bool near, uint8_t proto)
{
	const struct ics_mac *smac = near ? &f->h->mac : &f->far_mac, *dmac = near ? &f->far_mac : &f->h->mac;
	const struct ics_ip *src = near ? &f->near_ip : &f->far_ip, *dst = near ? &f->far_ip : &f->near_ip;

	if (f->v4)
		sim_begin4(p, f->h->link, smac, dmac, src, dst, proto, near ? 64 : 55);
	else
		sim_begin6(p, f->h->link, smac, dmac, src, dst, proto, near ? 64 : 55);
}

static void
udp(struct sim *s, const struct flow *f, bool near, unsigned payload, uint64_t wait_ns)
{
	struct sim_packet p;

	begin(f, &p, near, ICS_PROTO_UDP);
	sim_put16(&p, near ? f->near_port : f->far_port);
	sim_put16(&p, near ? f->far_port : f->near_port);
	sim_put32(&p, 0);
	sim_fill(&p, 0x5a, payload);
	sim_send(s, &p, wait_ns);
}

/* out: the segment as it was sent, for those who quote it; may be NULL. */
static void
tcp(struct sim *s, struct flow *f, bool near, uint8_t flags, unsigned payload, struct sim_packet *out)
{
	uint32_t *seq = near ? &f->near_seq : &f->far_seq, ack = near ? f->far_seq : f->near_seq;
	struct sim_packet p;

	begin(f, &p, near, ICS_PROTO_TCP);
	sim_put16(&p, near ? f->near_port : f->far_port);
	sim_put16(&p, near ? f->far_port : f->near_port);
	sim_put32(&p, *seq);
	sim_put32(&p, flags & TCP_ACK ? ack : 0);
	sim_put8(&p, flags & TCP_SYN ? 0x60 : 0x50);
	sim_put8(&p, flags);
	sim_put32(&p, 0xfff00000);
	sim_put16(&p, 0);
	if (flags & TCP_SYN)
		sim_put32(&p, 0x02040000 | (f->v4 ? 1460 : 1440));
	sim_fill(&p, 0xd5, payload);
	*seq += payload + ((flags & (TCP_SYN | TCP_FIN)) != 0);
	sim_send(s, &p, f->at_ns);
	if (out != NULL)
		*out = p;
	f->at_ns += 20000;
}

static unsigned
mss(const struct flow *f, unsigned mtu)
{
	return mtu - (f->v4 ? 40 : 60);
}

static void
download(struct sim *s, struct flow *f, unsigned segments)
{
	unsigned size = mss(f, sim_server(f->server).mtu);

	for (unsigned i = 0; i < segments; i++) {
		tcp(s, f, false, TCP_ACK | (i + 1 == segments ? TCP_PSH : 0), i + 1 == segments ? size / 3 : size,
		    NULL);
		if (i % 2 == 1 || i + 1 == segments)
			tcp(s, f, true, TCP_ACK, 0, NULL);
		if (i % WINDOW == WINDOW - 1)
			f->at_ns += f->rtt_ns;
	}
}

/* The first window may be too big for the path: it comes back as errors, and goes again in pieces that fit. */
static void
upload(struct sim *s, struct flow *f, unsigned segments)
{
	unsigned mtu = sim_path_mtu(s, f->h, f->server, f->v4), fits = sim_server(f->server).mtu, lost = 0;
	uint32_t first = f->near_seq;

	for (unsigned i = 0; i < segments; i++) {
		struct sim_packet sent;

		tcp(s, f, true, TCP_ACK, mss(f, mtu), &sent);
		if (mtu > fits) {
			sim_too_big(s, f->h, f->server, &sent, f->v4, f->at_ns + f->rtt_ns / 2);
			if (++lost == WINDOW || i + 1 == segments) {
				f->at_ns += f->rtt_ns / 2 + SIM_MS;
				f->near_seq = first;
				mtu = fits;
				i = -1u; /* all of it once more */
			}
			continue;
		}
		if (i % 2 == 1 || i + 1 == segments) {
			f->at_ns += f->rtt_ns / 4;
			tcp(s, f, false, TCP_ACK, 0, NULL);
		}
	}
}

static void
connection(struct sim *s, struct flow *f)
{
	bool up = sim_chance(s, 25);

	f->near_seq = (uint32_t)sim_random(s);
	f->far_seq = (uint32_t)sim_random(s);
	tcp(s, f, true, TCP_SYN, 0, NULL);
	f->at_ns += f->rtt_ns;
	tcp(s, f, false, TCP_SYN | TCP_ACK, 0, NULL);
	tcp(s, f, true, TCP_ACK, 0, NULL);
	tcp(s, f, true, TCP_ACK | TCP_PSH, 120 + (unsigned)sim_below(s, 500), NULL);
	f->at_ns += f->rtt_ns;
	if (up)
		upload(s, f, 4 + (unsigned)sim_below(s, 20));
	else
		download(s, f, 1 + (unsigned)sim_below(s, 24));
	f->at_ns += f->rtt_ns;
	tcp(s, f, false, TCP_ACK | TCP_FIN, 0, NULL);
	tcp(s, f, true, TCP_ACK | TCP_FIN, 0, NULL);
	f->at_ns += f->rtt_ns;
	tcp(s, f, false, TCP_ACK, 0, NULL);
}

/* Nobody answers, as when the gateway's translation is down. */
static void
unanswered(struct sim *s, struct flow *f)
{
	f->near_seq = (uint32_t)sim_random(s);
	for (unsigned i = 0; i < 4; i++) {
		tcp(s, f, true, TCP_SYN, 0, NULL);
		f->near_seq--;
		f->at_ns += (1u << i) * SIM_S;
	}
}

static void
echo(struct sim *s, struct flow *f, unsigned count)
{
	uint32_t id = (uint32_t)sim_below(s, 0xffff) << 16;

	for (unsigned i = 1; i <= count; i++) {
		struct sim_packet p;

		begin(f, &p, true, f->v4 ? ICS_PROTO_ICMP4 : ICS_PROTO_ICMP6);
		sim_icmp(&p, f->v4 ? ICS_ICMP4_ECHO_REQUEST : ICS_ICMP6_ECHO_REQUEST, 0, id | i);
		sim_fill(&p, 0x61, 56);
		sim_send(s, &p, f->at_ns);
		begin(f, &p, false, f->v4 ? ICS_PROTO_ICMP4 : ICS_PROTO_ICMP6);
		sim_icmp(&p, f->v4 ? ICS_ICMP4_ECHO_REPLY : ICS_ICMP6_ECHO_REPLY, 0, id | i);
		sim_fill(&p, 0x61, 56);
		sim_send(s, &p, f->at_ns + f->rtt_ns);
		f->at_ns += SIM_S;
	}
}

/* Three probes a hop; each hop says that it is one, the last that nobody listens there. */
static void
traceroute(struct sim *s, struct flow *f)
{
	unsigned hops = sim_server(f->server).hops;

	for (unsigned i = 0; i < 3 * hops; i++) {
		bool last = i / 3 + 1 == hops;
		struct ics_ip from = f->v4 ? sim_ip("198.51.100.200") : sim_ip("2001:db8:fd::1");
		struct sim_packet probe, p;

		from.b[15] = (uint8_t)(200 + i / 3);
		f->far_port = (uint16_t)(PORT_TRACE + i);
		begin(f, &probe, true, ICS_PROTO_UDP);
		probe.b[probe.l3 + (f->v4 ? 8 : 7)] = (uint8_t)(1 + i / 3);
		sim_put16(&probe, f->near_port);
		sim_put16(&probe, f->far_port);
		sim_put32(&probe, 0);
		sim_fill(&probe, 0x40, 32);
		sim_send(s, &probe, f->at_ns);
		probe.b[probe.l3 + (f->v4 ? 8 : 7)] = 1;
		sim_finish(&probe);
		begin(f, &p, false, f->v4 ? ICS_PROTO_ICMP4 : ICS_PROTO_ICMP6);
		if (!last)
			memcpy(p.b + p.l3 + (f->v4 ? 12 : 8), from.b + (f->v4 ? 12 : 0), f->v4 ? 4 : 16);
		if (f->v4)
			sim_icmp(&p, last ? ICS_ICMP4_UNREACH : ICS_ICMP4_TIME_EXCEEDED, last ? 3 : 0, 0);
		else
			sim_icmp(&p, last ? ICS_ICMP6_UNREACH : ICS_ICMP6_TIME_EXCEEDED, last ? 4 : 0, 0);
		sim_put(&p, probe.b + probe.l3, probe.len - probe.l3);
		sim_send(s, &p, f->at_ns + f->rtt_ns * (1 + i / 3) / hops);
		f->at_ns += f->rtt_ns + 10 * SIM_MS;
	}
}

static void
resolve_name(struct sim *s, struct flow *f)
{
	f->near_port = (uint16_t)(49152 + sim_below(s, 16384));
	f->far_port = 53;
	udp(s, f, true, 40, f->at_ns);
	f->at_ns += f->rtt_ns;
	udp(s, f, false, 80 + (unsigned)sim_below(s, 300), f->at_ns);
	f->at_ns += SIM_MS;
}

static void
talk_away(struct sim *s, struct sim_host *h, struct sim_addr *from)
{
	unsigned server = (unsigned)sim_below(s, SIM_SERVERS), what = (unsigned)sim_below(s, 100);
	struct sim_server v = sim_server(server);
	struct flow f = {
		.h = h,
		.near_ip = from->ip,
		.far_ip = v.ip6,
		.server = server,
		.near_port = (uint16_t)(32768 + h->next_port++ % 28000),
		.far_port = 443,
		.rtt_ns = v.rtt_ns,
	};
	uint64_t wait = 0;

	if (!sim_reach_gateway(s, h, from, &wait))
		return;
	f.at_ns = wait + 200000;
	f.far_mac = sim_gateway(h->link)->mac;
	if (what < 30) {
		f.v4 = true;
		f.near_ip = h->ip4;
		f.far_ip = v.ip4;
		if (s->now_ns < h->link->nat_down_ns) {
			unanswered(s, &f);
			return;
		}
	}
	if (what < 85) {
		struct flow dns = f;

		resolve_name(s, &dns);
		f.at_ns = dns.at_ns;
		connection(s, &f);
	} else if (what < 95) {
		echo(s, &f, 4);
	} else if (what < 97) {
		traceroute(s, &f);
	} else {
		/* A transport over UDP, which finds its own packet size. */
		for (unsigned i = 0; i < 20; i++, f.at_ns += f.rtt_ns / 8)
			udp(s, &f, i % 4 == 0, 1200, f.at_ns);
	}
}

static void
talk_nearby(struct sim *s, struct sim_host *h, struct sim_addr *from)
{
	struct sim_host *peer = sim_host_peer(s, h);
	struct sim_addr *to = peer != NULL ? sim_host_global(s, peer) : NULL;
	struct flow f = {
		.h = h,
		.near_ip = from->ip,
		.near_port = (uint16_t)(32768 + h->next_port++ % 28000),
		.far_port = 445,
		.rtt_ns = 400000,
	};

	if (to == NULL)
		return;
	f.far_ip = to->ip;
	f.far_mac = peer->mac;
	f.at_ns = sim_resolve(s, h, peer, &from->ip, &to->ip, 0) + 100000;
	if (sim_chance(s, 50))
		echo(s, &f, 2);
	else
		connection(s, &f);
}

static void
talk_to_sleeper(struct sim *s, struct sim_host *h, struct sim_addr *from)
{
	const struct sim_host *p = &s->host[sim_below(s, s->n_hosts)];

	if (!p->up && p->link == h->link && p->n_addrs > 1)
		sim_resolve(s, h, NULL, &from->ip, &p->addr[1].ip, 0);
}

static void
announce_service(struct sim *s, struct sim_host *h)
{
	static const struct ics_ip mdns = {{0xff, 0x02, [15] = 0xfb}};
	struct flow f = {
		.h = h, .near_ip = h->addr[0].ip, .far_ip = mdns, .near_port = PORT_MDNS, .far_port = PORT_MDNS};

	f.far_mac = sim_group_mac(&mdns);
	udp(s, &f, true, 120, 0);
}

static void
talk(struct sim *s, void *who, uint64_t arg)
{
	struct sim_host *h = who;
	struct sim_addr *from = sim_host_global(s, h);
	unsigned what = (unsigned)sim_below(s, 100);

	(void)arg;
	if (from != NULL) {
		if (what < 75)
			talk_away(s, h, from);
		else if (what < 90)
			talk_nearby(s, h, from);
		else if (what < 93)
			talk_to_sleeper(s, h, from);
		else
			announce_service(s, h);
	}
	sim_after(s, sim_between(s, 15 * SIM_S, 90 * SIM_S), talk, h, 0, &h->life);
}

void
sim_traffic(struct sim *s, struct sim_host *h)
{
	sim_after(s, sim_between(s, 4 * SIM_S, 40 * SIM_S), talk, h, 0, &h->life);
}
