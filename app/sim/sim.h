/* A network that does not exist: links with routers and hosts that behave as real stacks do, by the timings of their
 * RFCs, with jitter. It knows nothing of the inspector: what comes out are frames with times, in order. All chance comes
 * from one seed and nothing else, so a seed stands for the same bytes on every machine. One thread.
 */
#ifndef ICS_SIM_H
#define ICS_SIM_H

#include "ics_wire.h"

#define SIM_MS 1000000ull
#define SIM_S 1000000000ull
#define SIM_MINUTE (60 * SIM_S)

#define SIM_FRAME_MAX 1522
#define SIM_LINKS_MAX 64
#define SIM_HOSTS_MAX 10000
#define SIM_ADDRS_MAX 16
#define SIM_GROUPS_MAX 24

struct sim;
struct sim_link;
struct sim_host;

/* ---- sim.c: time, chance, the queue of what is to happen ---- */

typedef void (*sim_event_fn)(struct sim *s, void *who, uint64_t arg);
/* Frames in order of time. False: the world may stop, nobody listens. */
typedef bool (*sim_sink_fn)(void *ctx, uint64_t ts_ns, const uint8_t *frame, unsigned len);

uint64_t sim_now(const struct sim *s); /* ns since the start */
uint64_t sim_random(struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t n);
uint64_t sim_between(struct sim *s, uint64_t low, uint64_t high);
bool sim_chance(struct sim *s, unsigned percent);
/* After wait_ns. life may be NULL; else the event is void when *life has changed by then. */
void sim_after(struct sim *s, uint64_t wait_ns, sim_event_fn fn, void *who, uint64_t arg, const uint32_t *life);

/* ---- frame.c: bytes ---- */

struct sim_packet {
	unsigned len, l3, l4;
	uint8_t proto;
	uint8_t b[SIM_FRAME_MAX];
};

/* From link header to the end of the IP header; lengths and checksums come with sim_send(). */
void sim_begin6(struct sim_packet *p, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
		const struct ics_ip *src, const struct ics_ip *dst, uint8_t proto, uint8_t hop_limit);
/* src and dst are IPv4 addresses, dont_fragment is set. */
void sim_begin4(struct sim_packet *p, const struct sim_link *l, const struct ics_mac *smac, const struct ics_mac *dmac,
		const struct ics_ip *src, const struct ics_ip *dst, uint8_t proto, uint8_t ttl);
/* An ICMPv6 message whose fixed part is a word after type, code and checksum. */
void sim_icmp(struct sim_packet *p, uint8_t type, uint8_t code, uint32_t word);
void sim_put8(struct sim_packet *p, uint8_t v);
void sim_put16(struct sim_packet *p, uint16_t v);
void sim_put32(struct sim_packet *p, uint32_t v);
void sim_put(struct sim_packet *p, const void *bytes, unsigned n);
void sim_fill(struct sim_packet *p, uint8_t v, unsigned n);
/* Sets lengths and checksums. */
void sim_finish(struct sim_packet *p);
/* Finishes it, and it is on the wire in wait_ns. */
void sim_send(struct sim *s, struct sim_packet *p, uint64_t wait_ns);
struct ics_mac sim_group_mac(const struct ics_ip *group);
struct ics_ip sim_solicited_node(const struct ics_ip *addr);
struct ics_ip sim_ip(const char *text);
/* The interface identifier of mac into the lower half. */
void sim_eui64(struct ics_ip *ip, const struct ics_mac *mac);

/* ---- what there is ---- */

enum sim_link_kind {
	SIM_LINK_SLAAC,
	SIM_LINK_TWO_ROUTERS, /* of the same prefix */
	SIM_LINK_VRRP,        /* one address, two routers */
	SIM_LINK_DHCPV6,      /* addresses are managed */
	SIM_LINK_KINDS
};

struct sim_router {
	uint32_t life;
	struct sim_link *link;
	struct ics_mac mac;
	struct ics_ip ll;
	bool up;
	bool unicast_ra; /* answers solicitations to the one who asked (RFC 4861 6.2.6) */
	bool stub;       /* of no default route: a border router of a mesh */
	uint16_t lifetime_s;
	uint64_t ra_min_ns, ra_max_ns;
	uint64_t last_ra_ns;
	unsigned initial; /* RAs yet to come at the short interval */
	bool ra_pending;
	/* RFC 9568: who is master; the routers behind the address. */
	bool vrrp;
	struct ics_mac member_mac[2];
	struct ics_ip member_ll[2];
	unsigned master;
};

struct sim_link {
	unsigned index, vlan; /* 0: untagged */
	enum sim_link_kind kind;
	struct ics_ip prefix; /* /64 */
	struct sim_router router[3];
	unsigned n_routers;
	unsigned next_id;     /* of the hosts on it, for IPv4 and DHCPv6 */
	uint64_t nat_down_ns; /* IPv4 goes nowhere until then */
};

enum sim_os { SIM_OS_LINUX, SIM_OS_WINDOWS, SIM_OS_MAC, SIM_OS_PHONE, SIM_OS_PRINTER, SIM_OS_SERVER, SIM_OS_KINDS };

enum sim_addr_kind { SIM_ADDR_NONE, SIM_ADDR_LL, SIM_ADDR_STABLE, SIM_ADDR_TEMP, SIM_ADDR_MANAGED };
struct sim_addr {
	struct ics_ip ip;
	enum sim_addr_kind kind;
	bool usable;
	uint64_t router_knows_ns; /* until then the gateway need not ask for it; 0: never did */
};

/* A path MTU that the host has learned; RFC 8201 5.3 forgets it after ten minutes. */
#define SIM_PATHS 8
struct sim_path {
	unsigned server, mtu;
	bool v4;
	uint64_t until_ns;
};

struct sim_host {
	uint32_t life; /* each link-up begins another */
	struct sim_link *link;
	struct ics_mac mac;
	enum sim_os os;
	bool up, roams, randomises, eager; /* eager: makes a new temporary address every half hour */
	struct sim_addr addr[SIM_ADDRS_MAX];
	unsigned n_addrs;
	struct ics_ip group[SIM_GROUPS_MAX]; /* of applications; the solicited-node groups come from the addresses */
	unsigned n_groups;
	struct ics_ip ip4;
	uint64_t secret; /* of its stable addresses, RFC 7217 */
	bool has_ra;
	unsigned solicitations;
	uint64_t router_reachable_ns;
	struct sim_path path[SIM_PATHS];
	uint16_t next_port;
};

struct sim_conf {
	uint64_t seed, duration_ns;
	unsigned hosts, links;
	uint64_t epoch_ns; /* time of the first moment, since 1970 */
};

struct sim {
	struct sim_conf conf;
	uint64_t now_ns, random;
	struct sim_event *heap;
	size_t n_events, max_events;
	uint64_t sequence;
	sim_sink_fn sink;
	void *sink_ctx;
	bool stopped, failed; /* failed: out of memory */
	uint64_t frames;
	struct sim_link link[SIM_LINKS_MAX];
	unsigned n_links;
	struct sim_host *host;
	unsigned n_hosts;
	uint64_t maintenance_ns; /* the restart of a router was announced until then */
	struct ics_ip maintained;
};

/* NULL: out of memory. */
struct sim *sim_new(const struct sim_conf *conf, sim_sink_fn sink, void *ctx);
void sim_free(struct sim *s);
/* 0, or -ENOMEM. */
int sim_run(struct sim *s);

/* ---- world.c: who is there, and what happens to them ---- */

void sim_populate(struct sim *s);

/* ---- host.c ---- */

/* The host was there already, with all its addresses. */
void sim_host_is_up(struct sim *s, struct sim_host *h);
/* Its link comes up: it configures everything from the start. */
void sim_host_link_up(struct sim *s, struct sim_host *h);
void sim_host_gone(struct sim_host *h);
void sim_host_heard_ra(struct sim *s, struct sim_host *h);
void sim_host_random_mac(struct sim *s, struct sim_host *h);
struct sim_addr *sim_host_addr(struct sim_host *h, enum sim_addr_kind kind); /* the newest that is usable, or NULL */
/* Best source for traffic that leaves the link; NULL: none. */
struct sim_addr *sim_host_global(struct sim *s, struct sim_host *h);
/* Another host that is up on the same link, or NULL. */
struct sim_host *sim_host_peer(struct sim *s, const struct sim_host *h);

/* ---- nd.c ---- */

void sim_dad(struct sim *s, struct sim_host *h, const struct ics_ip *target);
/* ask for the address of another host, which answers when it is there; how long that takes. */
uint64_t sim_resolve(struct sim *s, struct sim_host *h, struct sim_host *peer, const struct ics_ip *from,
		     const struct ics_ip *target, uint64_t wait_ns);
/* What the host and its gateway need to know of each other before a packet goes and comes; false: the gateway does not
 * answer. *wait_ns is when it is there.
 */
bool sim_reach_gateway(struct sim *s, struct sim_host *h, struct sim_addr *from, uint64_t *wait_ns);
/* An NA that nobody asked for; flags as on the wire. */
void sim_announce(struct sim *s, const struct sim_link *l, const struct ics_mac *mac, const struct ics_ip *addr,
		  const struct ics_ip *dst, uint32_t flags, uint64_t wait_ns);
void sim_router_solicit(struct sim *s, struct sim_host *h);

/* ---- router.c ---- */

struct sim_router *sim_gateway(struct sim_link *l); /* one that is up, or NULL */
void sim_router_is_up(struct sim *s, struct sim_router *r);
void sim_router_heard_rs(struct sim *s, struct sim_router *r, struct sim_host *h);
/* It says goodbye, is gone for down_ns and comes up as from power-on. */
void sim_router_restart(struct sim *s, struct sim_router *r, uint64_t down_ns);
void sim_vrrp_failover(struct sim *s, struct sim_router *r);

/* ---- mld.c ---- */

#define SIM_MLD_IS_EXCLUDE 2
#define SIM_MLD_TO_INCLUDE 3
#define SIM_MLD_TO_EXCLUDE 4
/* The report of a change, and its repetition (RFC 3810 6.1). */
void sim_mld_changed(struct sim *s, struct sim_host *h, const struct ics_ip *group, uint8_t record);
void sim_mld_router_joins(struct sim *s, struct sim_router *r);
void sim_mld_querier(struct sim *s, struct sim_router *r);
void sim_join(struct sim *s, struct sim_host *h, const char *group);

/* ---- dhcp.c ---- */

/* Four messages, then sim_host_managed(). */
void sim_dhcp(struct sim *s, struct sim_host *h);
void sim_host_managed(struct sim *s, struct sim_host *h);

/* ---- traffic.c, pmtu.c ---- */

void sim_traffic(struct sim *s, struct sim_host *h);
struct sim_server {
	struct ics_ip ip6, ip4;
	unsigned mtu, hops;
	uint64_t rtt_ns;
};
#define SIM_SERVERS 48
struct sim_server sim_server(unsigned i);
unsigned sim_path_mtu(struct sim *s, const struct sim_host *h, unsigned server, bool v4);
/* A packet of the host that is too big for the path: the router behind which it is narrow says so. */
void sim_too_big(struct sim *s, struct sim_host *h, unsigned server, const struct sim_packet *sent, bool v4,
		 uint64_t wait_ns);

#endif
