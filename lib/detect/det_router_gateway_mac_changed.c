/* Another MAC claims a router's address, by its RA, by an NA that overrides, or by its solicitations (RFC 4861 7.2.3,
 * 7.2.5): spoofing while the old MAC is alive, a replacement when that has fallen silent. Virtual MACs of redundancy
 * protocols are none of it. Called for RA, NA and NS.
 */
#include "detect_priv.h"

#include <stdio.h>

/* Where the router advertised no lifetime. */
#define DEFAULT_LIFETIME_S 1800

enum variant { REPLACED, BOTH_ALIVE, CLAIMED };
static const char *const names[] = {[REPLACED] = "replaced", [BOTH_ALIVE] = "both_alive", [CLAIMED] = "claimed"};

struct episode {
	struct ics_episode ep;
	struct ics_router before;
	struct ics_mac mac; /* the new one */
	const char *how;    /* the kind of message */
	bool lenient, muted, replaced, both_alive;
	uint64_t first_ns, last_ns; /* the new one's claims */
	uint64_t old_ns;            /* the old one was last heard; 0: never */
	uint64_t claims;
	struct ics_defaults left; /* other routers */
	uint32_t hosts;
};

static uint64_t
patience(const struct episode *e)
{
	uint32_t s = e->before.last_nonzero_lifetime_s;

	return 2 * (s != 0 ? s : DEFAULT_LIFETIME_S) * NS_PER_S;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->replaced)
		return ICS_SEV_INFO;
	if (e->before.pinned)
		return ICS_SEV_CRITICAL;
	return e->lenient ? ICS_SEV_WARN : ICS_SEV_CRITICAL;
}

static uint32_t
variants_of(const struct episode *e)
{
	return e->replaced ? 1u << REPLACED : e->both_alive ? 1u << BOTH_ALIVE | 1u << CLAIMED : 1u << CLAIMED;
}

static uint64_t
signature_of(const struct episode *e)
{
	return variants_of(e) | (uint64_t)severity_of(e) << 8 | (uint64_t)e->lenient << 16 | (uint64_t)e->muted << 17 |
	       ics_hash(e->mac.b, 6, 1) << 18;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->variant = ics_detect_variants(variants_of(e), names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->lenient = e->lenient;
	a->muted = e->muted;
	ics_mac_format(&e->mac, mac);
	ics_subject_set_text(a, "mac", "%s", mac);
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "new_mac", "%s", mac);
	ics_detect_mac_list(&e->before, text);
	ics_fact_set_text(a, "old_macs", "%s", text);
	ics_fact_set_text(a, "message", "%s", e->how);
	ics_fact_set_bool(a, "old_mac_alive", e->both_alive);
	if (e->old_ns != 0)
		ics_fact_set_seconds(a, "old_mac_silent_s",
				     e->last_ns > e->old_ns ? (e->last_ns - e->old_ns) / NS_PER_MS : 0);
	ics_fact_set_uint(a, "claims", e->claims);
	ics_detect_diversion(a, &e->left, e->replaced ? 0 : e->hosts);
	if (e->lenient)
		ics_fact_set_text(a, "reason", "lenient");

	a->says[0] = '\0';
	ics_ip_format(&e->before.addr, ip);
	if (e->replaced) {
		ics_say(a,
			"Gateway %s now has the MAC %s; %s, which had it before, has fallen silent. Nothing to do if "
			"the "
			"device was replaced.",
			ip, mac, text);
		return;
	}
	ics_say(a, "Gateway %s is claimed by %s in %s, while its MAC was %s", ip, mac, e->how, text);
	if (e->both_alive)
		ics_say(a, ", which still talks: this is most likely spoofing");
	ics_say(a, ". Hosts that believe it send %s to the new MAC",
		e->left.n == 0 ? "all their traffic" : "what goes through this gateway");
	ics_say_hosts(a, e->hosts);
	if (e->left.n != 0)
		ics_say(a, " Other default routers: %s.", e->left.list);
	if (e->lenient)
		ics_say(a, " Only hosts that do not follow the standards act on this message.");
	ics_say(a, " Find the port of %s; if a device was replaced, nothing to do.", mac);
}

/* When any of the old MACs was last heard. */
static uint64_t
last_heard(struct ics_detector *d, const struct ics_router *r)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < r->n_macs; i++) {
		const struct ics_host *h = ics_model_host_find(d->model, r->segment, &r->mac[i]);

		if (h != NULL && h->last_ns > last)
			last = h->last_ns;
	}
	return last;
}

/* The MAC that the message claims for the router and that is not one of its own; false: none. */
static bool
foreign_mac(struct ics_detector *d, const struct ics_router *r, const struct ics_msg *msg, struct ics_mac *out)
{
	const struct ics_mac *lla = NULL;

	if (r->n_macs == 0)
		return false;
	if (msg->class == ICS_CLASS_nd_ra)
		lla = msg->ra.has_slla ? &msg->ra.slla : NULL;
	else
		lla = msg->na.has_lla ? &msg->na.lla : NULL;
	if (lla != NULL && !ics_router_has_mac(r, lla))
		*out = *lla;
	else if (msg->has_mac && !ics_router_has_mac(r, &msg->smac) && (lla == NULL || msg->class == ICS_CLASS_nd_ra))
		*out = msg->smac;
	else
		return false;
	/* Peers of a redundancy group send from their own MAC and announce the virtual one. */
	if (ics_model_is_shared_mac(d->model, out) || (r->fhrp && lla != NULL && ics_router_has_mac(r, lla)))
		return false;
	return !ics_model_is_proxy(d->model, out) && !(msg->has_mac && ics_model_is_proxy(d->model, &msg->smac));
}

static void
on_claim(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, const struct ics_router *r,
	 const struct ics_mac *mac)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &r->addr);

	if (e == NULL) {
		e = (struct episode *)ics_episode_open(d, c->segment, &r->addr, ics_detect_was_known(r, msg->ts_ns));
		if (e == NULL)
			return;
		e->lenient = e->muted = true;
		e->before = *r;
		e->first_ns = msg->ts_ns;
		e->old_ns = last_heard(d, r);
		e->replaced = msg->strict && (e->old_ns == 0 || msg->ts_ns > e->old_ns + patience(e));
		e->both_alive = false;
	}
	ics_detect_other_defaults(d->model, r, &e->left);
	e->hosts = ics_detect_hosts(c->segment);
	e->mac = *mac;
	e->how = msg->class == ICS_CLASS_nd_ra   ? "a router advertisement"
		 : msg->class == ICS_CLASS_nd_na ? "a neighbor advertisement"
						 : "a neighbor solicitation";
	e->lenient &= !msg->strict;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &r->addr, mac);
	e->last_ns = msg->ts_ns;
	e->claims += 1 + (uint64_t)msg->rec->repeats;
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* From a MAC that had the address before the claim. */
static void
on_old_mac(struct ics_detector *d, struct episode *e, const struct ics_msg *msg)
{
	e->old_ns = msg->ts_ns;
	e->replaced = false;
	e->both_alive = true;
	ics_episode_refresh(&e->ep, signature_of(e));
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_router *r = NULL;
	struct episode *e;
	struct ics_mac mac;

	if (c->segment->routers == 0)
		return;
	if (msg->class == ICS_CLASS_nd_ns) {
		/* Routers are known by their link-local addresses; :: is nobody's claim yet. */
		if (!ics_ip6_is_link_local(msg->src.b))
			return;
		r = ics_model_router_find(d->model, c->segment->id, &msg->src);
	} else if (c->has_router && !c->created) {
		r = &c->before;
		if (msg->class == ICS_CLASS_nd_na && c->match == ICS_MATCH_SOURCE)
			return; /* about something else */
	}
	if (r == NULL)
		return;
	e = d->episodes.count == 0 ? NULL : (struct episode *)ics_episode_find(d, c->segment->id, &r->addr);
	if (e != NULL && msg->has_mac && msg->strict && ics_router_has_mac(&e->before, &msg->smac))
		on_old_mac(d, e, msg);
	if (msg->class == ICS_CLASS_nd_na && !(msg->na.flags & ICS_NA_FLAG_OVERRIDE))
		return;
	/* What was claimed once is learned from RAs; to the episode it stays foreign. */
	if (foreign_mac(d, e != NULL ? &e->before : r, msg, &mac))
		on_claim(d, msg, c, e != NULL ? &e->before : r, &mac);
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t since = e->both_alive ? e->last_ns : e->old_ns > e->first_ns ? e->old_ns : e->first_ns;

	return since + patience(e);
}

/* The old MAC has fallen silent, or the new one no longer claims the address. */
static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	uint64_t heard = last_heard(d, &e->before);

	if (heard > e->old_ns) {
		e->old_ns = heard;
		e->both_alive |= heard > e->first_ns;
	}
	if (now_ns < due(ep))
		return true;
	if (!e->both_alive || e->old_ns + patience(e) <= now_ns)
		e->replaced = e->last_ns > e->old_ns;
	ics_episode_close(ep);
	return false;
}

const struct ics_detector_ops ics_det_router_gateway_mac_changed = {
	.classes = 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_ns,
	.episode_len = sizeof(struct episode),
	.message = on_message,
	.only = ICS_ONLY_ROUTER,
	.render = render,
	.timer = on_timer,
	.due = due,
};
