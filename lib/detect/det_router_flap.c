/* A default router that hosts lose and get back again and again, by RAs with lifetime 0 or by NAs with the router flag
 * clear (RFC 4861 6.2.5, 7.2.5): one or two times are a restart, more are a mechanism, and each time costs every host
 * one of its automatic routes. Called for RAs and NAs; the model keeps the times.
 */
#include "detect_priv.h"

#include <stdio.h>

#define FAST_CYCLES 3
#define FAST_NS (600 * NS_PER_S)
#define SLOW_CYCLES 10
#define SLOW_NS (86400 * NS_PER_S)
#define FAST_CLEAR_NS (1800 * NS_PER_S)
#define SLOW_CLEAR_NS (86400 * NS_PER_S)
/* Times that are listed. */
#define LISTED 8

enum variant { FHRP, FAST, SLOW };
static const char *const names[] = {[FHRP] = "fhrp", [FAST] = "fast", [SLOW] = "slow"};

struct episode {
	struct ics_episode ep;
	struct ics_router router;
	struct ics_router_cycles cycles;
	struct ics_defaults left;
	uint32_t hosts, fast_cycles, slow_cycles;
	uint64_t last_ns;
	bool fast, muted, has_mac;
	struct ics_mac mac;
};

static unsigned
kept(const struct ics_router_cycles *c)
{
	return c->total < ICS_ROUTER_CYCLES ? c->total : ICS_ROUTER_CYCLES;
}

/* Cycle i back from the latest. */
static const struct ics_router_cycle *
cycle_back(const struct ics_router_cycles *c, unsigned i)
{
	return &c->ring[(c->total - 1 - i) % ICS_ROUTER_CYCLES];
}

static unsigned
cycles_within(const struct ics_router_cycles *c, uint64_t now_ns, uint64_t window_ns)
{
	unsigned n = 0;

	while (n < kept(c) && now_ns - cycle_back(c, n)->down_ns <= window_ns)
		n++;
	return n;
}

/* Every cycle was over within three seconds on a virtual MAC: peers hand the address to each other. */
static bool
is_fhrp(const struct episode *e)
{
	for (unsigned i = 0; i < kept(&e->cycles); i++)
		if (cycle_back(&e->cycles, i)->up_ns - cycle_back(&e->cycles, i)->down_ns > 3 * NS_PER_S)
			return false;
	return e->router.fhrp;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	if (is_fhrp(e) && !e->router.pinned)
		return ICS_SEV_WARN;
	return ICS_SEV_CRITICAL;
}

static uint32_t
variants_of(const struct episode *e)
{
	return (uint32_t)is_fhrp(e) << FHRP | (e->fast ? 1u << FAST : 1u << SLOW);
}

static uint64_t
signature_of(const struct episode *e)
{
	return variants_of(e) | (uint64_t)severity_of(e) << 8 | (uint64_t)e->muted << 16;
}

/* "20.0+5.1, ..." s: how long it was gone and then back, latest first. */
static void
list_cycles(const struct episode *e, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < kept(&e->cycles) && i < LISTED; i++) {
		const struct ics_router_cycle *c = cycle_back(&e->cycles, i);
		uint64_t age_ms = (e->last_ns - c->down_ns) / NS_PER_MS, gone_ms = (c->up_ns - c->down_ns) / NS_PER_MS;
		int w = snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%llu (%llu)", i != 0 ? ", " : "",
				 (unsigned long long)(age_ms / 1000), (unsigned long long)(gone_ms / 1000));

		if (w < 0 || len + (size_t)w >= ICS_FACT_TEXT_LEN) {
			buf[len] = '\0';
			break;
		}
		len += (size_t)w;
	}
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];
	unsigned n = kept(&e->cycles), by_na = 0;
	unsigned shown = e->fast ? e->fast_cycles : e->slow_cycles;
	/* Earlier ones are not kept: there were as many, or more. */
	bool at_least = shown == ICS_ROUTER_CYCLES && e->cycles.total > ICS_ROUTER_CYCLES;

	for (unsigned i = 0; i < n; i++)
		by_na += cycle_back(&e->cycles, i)->by_na;
	a->variant = ics_detect_variants(variants_of(e), names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	if (e->has_mac)
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_text(a, "variants", "%s", text);
	ics_detect_mac_list(&e->router, text);
	ics_fact_set_text(a, "learned_macs", "%s", text);
	ics_fact_set_uint(a, "cycles_10min", e->fast_cycles);
	ics_fact_set_uint(a, "cycles_24h", e->slow_cycles);
	ics_fact_set_uint(a, "cycles_since_start", e->cycles.total);
	ics_fact_set_uint(a, "by_lifetime_0", n - by_na);
	ics_fact_set_uint(a, "by_router_flag", by_na);
	list_cycles(e, text);
	ics_fact_set_text(a, "gone_s_ago_for_s", "%s", text);
	ics_fact_set_uint(a, "routes_used_up", e->router.routes_created);
	ics_detect_blast(a, &e->left, e->hosts);
	ics_fact_set_uint(a, "hosts", e->hosts);

	a->says[0] = '\0';
	ics_say(a, "Hosts lost %s as IPv6 gateway and got it back %s%u times within %s (%s%s%s)",
		ics_ip_format(&e->router.addr, ip), at_least ? "at least " : "", shown,
		e->fast ? "10 minutes" : "24 hours", by_na != n ? "router advertisements with lifetime 0" : "",
		by_na != n && by_na != 0 ? ", " : "",
		by_na != 0 ? "neighbor advertisements with the router flag clear" : "");
	if (e->left.n != 0)
		ics_say_what_is_left(a, &e->left, e->hosts);
	else
		ics_say_hosts(a, e->hosts);
	if (at_least)
		ics_say(a, " Since start it happened %u times.", (unsigned)e->cycles.total);
	ics_say(a,
		" Windows hosts stop accepting routes after about %u of them, until their link bounces; at least %u "
		"were used up since start.",
		d->conf->detect.route_limit, e->router.routes_created);
	if (is_fhrp(e))
		ics_say(a, " Redundant routers hand the address to each other: find out why the active one leaves.");
	else if (by_na != 0)
		ics_say(a,
			" Enable IPv6 forwarding on the router's interface, or stop whoever advertises its address.");
	else
		ics_say(a, " Find out what restarts the RA daemon or takes the uplink of that router.");
}

/* A cycle ends with the message that makes it a default router again. */
static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_router_cycles *cycles;
	struct episode *e;
	unsigned fast, slow;
	bool is_back;

	if (!c->has_router || !msg->strict || msg->class != ICS_CLASS_nd_ra)
		return;
	is_back = (c->before.state == ICS_ROUTER_RETRACTED || c->before.state == ICS_ROUTER_HOSTED) &&
		  c->after.state == ICS_ROUTER_DEFAULT;
	if (!is_back)
		return;
	cycles = ics_model_router_cycles(d->model, c->segment->id, &c->after.addr);
	if (cycles == NULL || cycles->total == 0)
		return;
	fast = cycles_within(cycles, msg->ts_ns, FAST_NS);
	slow = cycles_within(cycles, msg->ts_ns, SLOW_NS);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &c->after.addr);
	if (e == NULL) {
		if (fast < FAST_CYCLES && slow < SLOW_CYCLES)
			return;
		e = (struct episode *)ics_episode_open(d, c->segment, &c->after.addr,
						       ics_detect_was_known(&c->before, msg->ts_ns));
		if (e == NULL)
			return;
		e->muted = true;
	}
	e->fast |= fast >= FAST_CYCLES;
	e->fast_cycles = fast;
	e->slow_cycles = slow;
	e->cycles = *cycles;
	e->router = c->after;
	ics_detect_other_defaults(d->model, &c->after, &e->left);
	e->hosts = ics_detect_hosts(c->segment);
	e->last_ns = msg->ts_ns;
	e->has_mac = msg->has_mac;
	e->mac = msg->smac;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->last_ns + (e->fast ? FAST_CLEAR_NS : SLOW_CLEAR_NS);
}

const struct ics_detector_ops ics_det_router_flap = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
