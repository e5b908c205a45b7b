/* A router advertisement with Router Lifetime 0 makes every host drop its sender from the default router list at once
 * (RFC 4861 6.2.5, 6.3.4). Tells the retraction of a default router, at the first packet, from a router that
 * never was one, and then by what follows a shutdown from a forgery, a handover, a lost uplink or two senders
 * that contradict each other. Called for RAs; clears when the router is back for good.
 */
#include "detect_priv.h"

#include <stdio.h>

/* MAX_FINAL_RTR_ADVERTISEMENTS, RFC 4861 10: what an orderly shutdown sends at most. */
#define FINAL_RAS 3
#define CONTRADICTED_NS (30 * NS_PER_S)
#define FHRP_WAIT_NS (3 * NS_PER_S)
#define CLEAR_NS (60 * NS_PER_S)
#define CLEAR_RAS 2
/* A router for prefixes only goes on like this for good. */
#define FIRST_SEEN_INTERVAL_NS (3600 * NS_PER_S)
/* RAs closer to each other than this are one announcement split in two (6.2.3). */
#define SPLIT_NS NS_PER_S

/* In order of precedence. */
enum variant {
	FORGED,
	FHRP_HANDOVER,
	CONTRADICTED,
	UPLINK_LOSS,
	GRACEFUL,
	GATEWAY_RETRACTED,
	FIRST_SEEN_ZERO,
};

static const char *const names[] = {
	[FORGED] = "forged",
	[FHRP_HANDOVER] = "fhrp_handover",
	[CONTRADICTED] = "contradicted",
	[UPLINK_LOSS] = "uplink_loss",
	[GRACEFUL] = "graceful",
	[GATEWAY_RETRACTED] = "gateway_retracted",
	[FIRST_SEEN_ZERO] = "first_seen_zero",
};

struct episode {
	struct ics_episode ep;
	bool first_seen; /* the router was never a default router */
	bool r1_hint;    /* its MAC had sent NAs with the router flag */
	bool offers;     /* it has routes or resolvers for hosts */
	bool forged, fhrp_handover, contradicted, uplink_loss;
	bool fhrp_wait; /* a peer may still take over */
	bool lenient;   /* no strict message so far */
	bool muted;
	bool to_all; /* the latest retraction went to the whole segment */
	bool has_mac;
	struct ics_mac mac; /* that sent it */
	struct ics_ip dst;
	struct ics_router before; /* as it was when it was retracted */
	struct ics_defaults left;
	uint32_t hosts;
	uint64_t lifetime_left_ms, last_ra_age_ms, contradicted_after_ms;
	uint64_t zero_ras, last_zero_ns;
	uint64_t good_ns, last_good_ns; /* first and latest RA with a lifetime since the latest zero */
	unsigned n_good;
	uint64_t fhrp_until_ns;
};

static uint32_t
variants_of(const struct episode *e)
{
	uint32_t v = (uint32_t)e->forged << FORGED | (uint32_t)e->fhrp_handover << FHRP_HANDOVER |
		     (uint32_t)e->contradicted << CONTRADICTED | (uint32_t)e->uplink_loss << UPLINK_LOSS;

	if (e->first_seen)
		return v | 1u << FIRST_SEEN_ZERO;
	return v | (e->zero_ras <= FINAL_RAS ? 1u << GRACEFUL : 1u << GATEWAY_RETRACTED);
}

static enum ics_severity
severity_of(const struct episode *e)
{
	bool pinned = e->before.pinned;
	enum ics_severity s;

	if (e->first_seen) {
		/* With another gateway around, or with something else to offer, this is most likely a router that
		 * never meant to be one (RFC 4191, SNAC).
		 */
		s = (e->left.n == 0 && !e->offers) || e->r1_hint ? ICS_SEV_WARN : ICS_SEV_INFO;
	} else {
		s = e->left.as_preferred ? ICS_SEV_WARN : ICS_SEV_CRITICAL;
		if (e->left.n == 0)
			s = ics_severity_higher(s);
	}
	if (e->lenient)
		s = ics_severity_lower(s);
	if (e->fhrp_handover)
		s = ics_severity_lower(s);
	if (e->fhrp_wait && s > ICS_SEV_WARN)
		s = ICS_SEV_WARN;
	if (pinned)
		s = ICS_SEV_CRITICAL;
	/* A shutdown that was announced as maintenance. */
	if (e->muted && !e->first_seen && e->zero_ras <= FINAL_RAS && !e->forged && s > ICS_SEV_WARN)
		s = ICS_SEV_WARN;
	return s;
}

static uint64_t
signature_of(const struct episode *e)
{
	return variants_of(e) | (uint64_t)severity_of(e) << 32 | (uint64_t)e->lenient << 34 | (uint64_t)e->muted << 35 |
	       (uint64_t)e->fhrp_wait << 36;
}

static void
say_fact(struct ics_anomaly *a, const struct episode *e)
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], dst[ICS_IP_STRLEN + 16] = "every host";
	char buf[ICS_IP_STRLEN];

	ics_ip_format(&e->before.addr, ip);
	if (e->has_mac)
		ics_mac_format(&e->mac, mac);
	else
		snprintf(mac, sizeof(mac), "MAC unknown");
	if (!e->to_all)
		snprintf(dst, sizeof(dst), "host %s", ics_ip_format(&e->dst, buf));
	if (e->first_seen) {
		ics_say(a, "%s (%s) advertises Router Lifetime 0 and was not seen as a default router since start", ip,
			mac);
		return;
	}
	if (e->forged) {
		char macs[ICS_FACT_TEXT_LEN];

		ics_detect_mac_list(&e->before, macs);
		ics_say(a, "%s, which is not the router's MAC (%s), told %s to drop %s as IPv6 gateway", mac, macs, dst,
			ip);
	} else {
		ics_say(a, "%s (%s) told %s to drop it as IPv6 gateway", ip, mac, dst);
	}
	ics_say(a, ": Router Lifetime %u -> 0, %llu s before it would have run out", e->before.last_nonzero_lifetime_s,
		(unsigned long long)(e->lifetime_left_ms / 1000));
}

static void
say_remedy(struct ics_anomaly *a, const struct episode *e)
{
	if (e->contradicted)
		ics_say(a, " %llu.%03llu s later the router's own MAC advertised a lifetime above 0 again.",
			(unsigned long long)(e->contradicted_after_ms / 1000),
			(unsigned long long)(e->contradicted_after_ms % 1000));
	if (e->fhrp_handover)
		ics_say(a, " A redundancy peer took the address over within 3 s.");
	if (e->lenient)
		ics_say(a, " Only hosts that do not follow the standards act on this message.");
	if (e->forged)
		ics_say(a,
			" Find the port of this MAC and take it off the network; RA guard on access ports stops it.");
	else if (e->fhrp_handover)
		ics_say(a, " Nothing to do if the switchover was planned, else find out why the active router left.");
	else if (e->contradicted)
		ics_say(a, " Look for two senders of these messages, or an RA daemon that restarts.");
	else if (e->uplink_loss)
		ics_say(a,
			" Its prefixes were withdrawn too: check the uplink and the prefix delegation of that router.");
	else if (e->first_seen)
		ics_say(a, " Nothing to do if it only announces prefixes or routes; if it is a gateway of yours, hosts "
			   "have "
			   "no route through it: check forwarding and uplink there, and set detect.gateways.");
	else
		ics_say(a,
			" Check forwarding, uplink and a restart of the RA daemon on that router; if it is not yours, "
			"find the port of this MAC.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN];

	a->variant = ics_detect_variants(variants_of(e), names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->lenient = e->lenient;
	a->muted = e->muted;
	ics_fact_set_text(a, "event", "%s", names[e->first_seen ? FIRST_SEEN_ZERO : GATEWAY_RETRACTED]);
	ics_fact_set_text(a, "variants", "%s", text);
	if (e->has_mac) {
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&e->mac, mac));
		ics_fact_set_text(a, "router_mac", "%s", mac);
	}
	ics_detect_mac_list(&e->before, text);
	ics_fact_set_text(a, "learned_macs", "%s", text);
	ics_fact_set_bool(a, "mac_known", !e->forged);
	if (!e->first_seen) {
		ics_fact_set_uint(a, "lifetime_before_s", e->before.last_nonzero_lifetime_s);
		ics_fact_set_uint(a, "lifetime_after_s", 0);
		ics_fact_set_seconds(a, "lifetime_left_s", e->lifetime_left_ms);
		ics_fact_set_seconds(a, "last_ra_age_s", e->last_ra_age_ms);
	} else {
		ics_fact_set_uint(a, "lifetime_after_s", 0);
	}
	ics_detect_blast(a, &e->left, e->first_seen ? 0 : e->to_all ? e->hosts : 1);
	ics_fact_set_uint(a, "zero_ras", e->zero_ras);
	ics_fact_set_uint(a, "hosts", e->hosts);
	if (e->contradicted)
		ics_fact_set_seconds(a, "contradicted_after_s", e->contradicted_after_ms);
	if (e->lenient)
		ics_fact_set_text(a, "reason", "lenient");
	else if (ics_fact_find(a, "reason") != NULL)
		ics_fact_set_text(a, "reason", "strict");

	a->says[0] = '\0';
	say_fact(a, e);
	if (e->first_seen && e->left.n == 0)
		ics_say(a, "; no default router is known on this segment.");
	else
		ics_say_what_is_left(a, &e->left, e->hosts);
	say_remedy(a, e);
}

/* What the router was before, and who is left: of the message that took it away. */
static void
take_stock(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c,
	   const struct ics_router *before)
{
	e->before = *before;
	ics_detect_other_defaults(d->model, before, &e->left);
	e->hosts = ics_detect_hosts(c->segment);
	e->to_all = ics_ip6_is_multicast(msg->dst.b);
	e->dst = msg->dst;
	e->lifetime_left_ms = before->expires_ns > msg->ts_ns ? (before->expires_ns - msg->ts_ns) / NS_PER_MS : 0;
	e->last_ra_age_ms = msg->ts_ns > before->last_ra_ns ? (msg->ts_ns - before->last_ra_ns) / NS_PER_MS : 0;
}

static bool
is_nondefault_ok(const struct ics_detector *d, const struct ics_ip *addr)
{
	const struct ics_ip_list *l = &d->conf->detect.nondefault_ok;

	for (unsigned i = 0; i < l->n; i++)
		if (ics_ip_equal(&l->ip[i], addr))
			return true;
	return false;
}

/* Routes and resolvers to be used from now on: a router that goes away takes them back with its last RAs (RFC 4861
 * 6.2.5, RFC 8106 5.1). Prefixes it need not take back, so they tell nothing.
 */
static bool
offers_something(const struct ics_ra_view *ra)
{
	for (unsigned i = 0; ra != NULL && i < ra->n; i++)
		if ((ra->item[i].kind == ICS_PREFIX_RIO || ra->item[i].kind == ICS_PREFIX_RDNSS) &&
		    ra->item[i].valid_s != 0)
			return true;
	return false;
}

static bool
has_r1_hint(struct ics_detector *d, const struct ics_change *c, const struct ics_msg *msg)
{
	const struct ics_host *h = msg->has_mac ? ics_model_host_find(d->model, c->segment->id, &msg->smac) : NULL;

	return h != NULL && (h->flags & ICS_HOST_ROUTER_HINT);
}

static void
on_zero(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, const struct ics_router *before)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	const struct ics_mac *mac = msg->has_mac ? &msg->smac : NULL;
	/* Demoted by an NA it is still the gateway of hosts that had no neighbour entry for it (7.2.5). */
	bool retracts = before->state == ICS_ROUTER_DEFAULT ||
			(before->state == ICS_ROUTER_HOSTED && before->expires_ns > msg->ts_ns);
	bool first_seen = before->state == ICS_ROUTER_UNKNOWN;
	bool is_new = e == NULL;

	if (is_new) {
		if (!retracts && !first_seen)
			return;
		/* More routers than a segment can have are a flood of invented ones: not one finding each. */
		if (first_seen && (is_nondefault_ok(d, &msg->src) ||
				   (!before->pinned && (c->crowded || d->shared->ra_flood[c->segment->id])))) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open(d, c->segment, &msg->src,
						       ics_detect_was_known(before, msg->ts_ns));
		if (e == NULL)
			return;
		e->lenient = true;
		e->muted = true;
		e->first_seen = first_seen;
		if (first_seen)
			e->ep.interval_ns = FIRST_SEEN_INTERVAL_NS;
		e->r1_hint = has_r1_hint(d, c, msg);
		e->offers = offers_something(c->ra);
	}
	if (retracts || is_new) {
		e->first_seen &= !retracts;
		take_stock(d, e, msg, c, before);
		e->fhrp_wait = retracts && !e->fhrp_handover && (before->fhrp || (mac != NULL && ics_mac_is_fhrp(mac)));
		e->fhrp_until_ns = msg->ts_ns + FHRP_WAIT_NS;
	}
	e->has_mac = msg->has_mac;
	e->mac = msg->smac;
	e->lenient &= !msg->strict;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, mac);
	e->forged |= !c->mac_known || !c->lla_known;
	e->uplink_loss |= msg->ra.pio_preferred_zero;
	e->zero_ras += 1 + (uint64_t)msg->rec->repeats;
	e->last_zero_ns = msg->ts_ns;
	e->n_good = 0;
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static void
on_lifetime(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	uint64_t since;

	if (e == NULL || !c->has_router)
		return;
	since = msg->ts_ns > e->last_zero_ns ? msg->ts_ns - e->last_zero_ns : 0;
	if (e->fhrp_wait && since <= FHRP_WAIT_NS) {
		e->fhrp_wait = false;
		e->fhrp_handover = true;
	}
	if (c->mac_known) {
		if (since <= CONTRADICTED_NS && !e->contradicted) {
			e->contradicted = true;
			e->contradicted_after_ms = since / NS_PER_MS;
		}
		if (e->n_good == 0)
			e->good_ns = e->last_good_ns = msg->ts_ns;
		if (e->n_good == 0 || msg->ts_ns >= e->last_good_ns + SPLIT_NS) {
			e->n_good++;
			e->last_good_ns = msg->ts_ns;
		}
	}
	if (e->n_good >= CLEAR_RAS)
		ics_episode_close(&e->ep);
	else
		ics_episode_refresh(&e->ep, signature_of(e));
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct ics_router unseen;

	if (msg->ra.lifetime_s != 0) {
		if (msg->strict)
			on_lifetime(d, msg, c);
		return;
	}
	if (c->has_router) {
		on_zero(d, msg, c, &c->before);
		return;
	}
	if (msg->strict) {
		d->info.suppressed++; /* the model has no room for it */
		return;
	}
	/* The model does not learn from a lenient message, nobody knows its sender. */
	memset(&unseen, 0, sizeof(unseen));
	unseen.addr = msg->src;
	unseen.segment = c->segment->id;
	on_zero(d, msg,
		&(struct ics_change){.segment = c->segment,
				     .mac_known = true,
				     .lla_known = true,
				     .crowded = c->segment->routers >= ICS_ROUTERS_PER_SEGMENT},
		&unseen);
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (e->n_good != 0 && now_ns >= e->good_ns + CLEAR_NS) {
		ics_episode_close(ep);
		return false;
	}
	if (e->fhrp_wait && now_ns >= e->fhrp_until_ns) {
		e->fhrp_wait = false;
		ics_episode_refresh(ep, signature_of(e));
	}
	return true;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t t = UINT64_MAX;

	if (e->n_good != 0)
		t = e->good_ns + CLEAR_NS;
	if (e->fhrp_wait && e->fhrp_until_ns < t)
		t = e->fhrp_until_ns;
	return t;
}

const struct ics_detector_ops ics_det_router_lifetime_zero = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.message = on_ra,
	.render = render,
	.timer = on_timer,
	.due = due,
};
