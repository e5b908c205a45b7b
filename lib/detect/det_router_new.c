/* A router that was not there while the segment was learned (RFC 6104, 6105): worst when it is not allowed, was a host,
 * outbids the others or announces what they do not. One that announces lifetime 0 takes no traffic and is a note; one
 * that takes over from its own earlier address (RFC 4861 6.2.8) is no stranger. Called for RAs.
 */
#include "detect_priv.h"

#include <stdio.h>

#define GONE_NS (600 * NS_PER_S)
/* Default of MaxRtrAdvInterval, RFC 4861 6.2.1. */
#define FIRST_NS (600 * NS_PER_S)
/* Within this the old link-local address says goodbye (three RAs, 16 s apart at most) or has done so. */
#define LL_CHANGE_NS (60 * NS_PER_S)

/* In order of precedence. */
enum variant {
	LL_CHANGE,
	NOT_ALLOWED,
	WAS_HOST,
	HIGH_PREFERENCE,
	OTHER_PREFIX,
	OTHER_RESOLVER,
	TUNNEL_PREFIX,
	FIRST,
	NEW_ROUTER,
	NONDEFAULT
};
static const char *const names[] = {
	[LL_CHANGE] = "ll_change",
	[NOT_ALLOWED] = "not_allowed",
	[WAS_HOST] = "was_host",
	[HIGH_PREFERENCE] = "high_preference",
	[OTHER_PREFIX] = "other_prefix",
	[OTHER_RESOLVER] = "other_resolver",
	[TUNNEL_PREFIX] = "tunnel_prefix",
	[FIRST] = "first",
	[NEW_ROUTER] = "new",
	[NONDEFAULT] = "nondefault",
};
#define MAKES_CRITICAL                                                                                                 \
	(1u << NOT_ALLOWED | 1u << WAS_HOST | 1u << HIGH_PREFERENCE | 1u << OTHER_PREFIX | 1u << OTHER_RESOLVER)

struct episode {
	struct ics_episode ep;
	struct ics_router router;
	struct ics_mac mac;
	bool has_mac, muted;
	uint32_t variants;
	struct ics_ip old; /* with LL_CHANGE */
	uint64_t last_ns;
	uint32_t others;
	char prefixes[ICS_FACT_TEXT_LEN], resolvers[ICS_FACT_TEXT_LEN];
};

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->variants & 1u << NOT_ALLOWED)
		return ICS_SEV_CRITICAL;
	if (e->variants & (1u << LL_CHANGE | 1u << NONDEFAULT))
		return ICS_SEV_INFO;
	if (e->variants & MAKES_CRITICAL)
		return ICS_SEV_CRITICAL;
	return e->variants & 1u << FIRST ? ICS_SEV_INFO : ICS_SEV_WARN;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)e->muted << 32;
}

static void
say_why(struct ics_anomaly *a, const struct episode *e)
{
	char ip[ICS_IP_STRLEN];

	if (e->variants & 1u << LL_CHANGE)
		ics_say(a, "; it is %s under another address, which it gave up", ics_ip_format(&e->old, ip));
	if (e->variants & 1u << NOT_ALLOWED)
		ics_say(a, "; it is not in detect.routers_allow");
	if (e->variants & 1u << WAS_HOST)
		ics_say(a, "; its MAC acted as a host before");
	if (e->variants & 1u << HIGH_PREFERENCE)
		ics_say(a, "; it asks to be preferred over other routers");
	if (e->variants & 1u << OTHER_PREFIX)
		ics_say(a, "; it announces prefixes that no other router here does (%s)", e->prefixes);
	if (e->variants & 1u << OTHER_RESOLVER)
		ics_say(a, "; it announces other DNS resolvers (%s)", e->resolvers);
	if (e->variants & 1u << TUNNEL_PREFIX)
		ics_say(a, "; its prefix is one of 6to4 or Teredo, as connection sharing of a PC announces");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	const struct ics_router *r = &e->router;
	uint32_t lifetime_s = e->variants & 1u << NONDEFAULT ? 0 : r->last_nonzero_lifetime_s;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN] = "MAC unknown";

	if (e->has_mac)
		ics_mac_format(&e->mac, mac);
	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_subject_set_text(a, "mac", "%s", mac);
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, "lifetime_s", lifetime_s);
	ics_fact_set_text(a, "preference", "%s", ics_router_preference_name(r));
	ics_fact_set_bool(a, "managed", r->flags & ICS_RA_FLAG_MANAGED);
	ics_fact_set_bool(a, "other", r->flags & ICS_RA_FLAG_OTHER);
	ics_fact_set_uint(a, "cur_hop_limit", r->cur_hop_limit);
	ics_fact_set_uint(a, "mtu", r->mtu);
	ics_fact_set_text(a, "prefixes", "%s", e->prefixes);
	ics_fact_set_text(a, "resolvers", "%s", e->resolvers);
	ics_fact_set_uint(a, "other_default_routers", e->others);

	a->says[0] = '\0';
	ics_say(a, "New IPv6 router %s (%s): Router Lifetime %u s, preference %s", ics_ip_format(&r->addr, ip), mac,
		lifetime_s, ics_router_preference_name(r));
	say_why(a, e);
	if (e->variants & 1u << NONDEFAULT)
		ics_say(a, ". It asks for no traffic to the outside, only announces prefixes or routes. Nothing to do "
			   "if it is "
			   "yours.");
	else if (severity_of(e) == ICS_SEV_INFO && (e->variants & 1u << FIRST))
		ics_say(a, ". It is the first one that was heard here. If it is yours, put it in detect.gateways.");
	else if (e->variants & 1u << LL_CHANGE)
		ics_say(a, ". Nothing to do if that was planned.");
	else
		ics_say(a,
			". Hosts may send their traffic through it. If it is not yours, find the port of this MAC and "
			"enable RA guard on access ports; if it is, put it in detect.routers_allow.");
}

static bool
is_in(const struct ics_ip_list *l, const struct ics_ip *addr)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ics_ip_equal(&l->ip[i], addr))
			return true;
	return false;
}

static void
append_item(char buf[static ICS_FACT_TEXT_LEN], const struct ics_ra_item *item)
{
	size_t len = strlen(buf);
	char ip[ICS_IP_STRLEN], text[ICS_IP_STRLEN + 8];

	if (item->kind == ICS_PREFIX_PIO)
		snprintf(text, sizeof(text), "%s/%u", ics_ip_format(&item->value, ip), item->plen);
	else
		snprintf(text, sizeof(text), "%s", ics_ip_format(&item->value, ip));
	if (len + strlen(text) + 3 < ICS_FACT_TEXT_LEN)
		snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s", len != 0 ? ", " : "", text);
}

/* Others announce something of this kind, and none of them this. */
static bool
differs(struct ics_detector *d, const struct ics_change *c, const struct ics_ip *router, const struct ics_ra_item *item)
{
	const struct ics_prefix *p = NULL;
	uint64_t now = ics_model_clock(d->model)->now_ns;
	bool any = false;

	while ((p = ics_model_segment_prefix(d->model, c->segment->id, p)) != NULL) {
		if (p->kind != item->kind || ics_ip_equal(&p->router, router) || !ics_prefix_is_active(p, now))
			continue;
		if (p->plen == item->plen && ics_ip_equal(&p->value, &item->value))
			return false;
		any = true;
	}
	return any;
}

/* 2002::/16 (RFC 3056), 2001::/32 (RFC 4380) */
static bool
is_tunnel_prefix(const struct ics_ip *p)
{
	return ics_load_be16(p->b) == 0x2002 || ics_load_be32(p->b) == 0x20010000;
}

static uint32_t
judge_items(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c)
{
	uint32_t v = 0;

	for (unsigned i = 0; c->ra != NULL && i < c->ra->n; i++) {
		const struct ics_ra_item *item = &c->ra->item[i];

		if (item->valid_s == 0 || (item->kind != ICS_PREFIX_PIO && item->kind != ICS_PREFIX_RDNSS))
			continue;
		append_item(item->kind == ICS_PREFIX_PIO ? e->prefixes : e->resolvers, item);
		if (differs(d, c, &msg->src, item))
			v |= item->kind == ICS_PREFIX_PIO ? 1u << OTHER_PREFIX : 1u << OTHER_RESOLVER;
		if (item->kind == ICS_PREFIX_PIO && is_tunnel_prefix(&item->value))
			v |= 1u << TUNNEL_PREFIX;
	}
	return v;
}

static bool
share_mac(const struct ics_router *a, const struct ics_router *b)
{
	for (unsigned i = 0; i < a->n_macs; i++)
		if (ics_router_has_mac(b, &a->mac[i]))
			return true;
	return false;
}

/* A router with the same MAC that has just said goodbye. */
static const struct ics_router *
find_old_address(struct ics_detector *d, const struct ics_router *r, uint64_t now_ns)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n = ics_model_segment_routers(d->model, r->segment, all);

	for (unsigned i = 0; i < n; i++)
		if (all[i]->id != r->id && all[i]->state == ICS_ROUTER_RETRACTED && share_mac(all[i], r) &&
		    now_ns <= all[i]->retracted_ns + LL_CHANGE_NS)
			return all[i];
	return NULL;
}

static void
set_ll_change(struct episode *e, const struct ics_ip *old)
{
	e->variants |= 1u << LL_CHANGE;
	e->old = *old;
}

/* Nobody was heard before it because nobody listened for long enough: routers may be silent for so long. */
static bool
is_first(const struct ics_change *c, uint64_t now_ns)
{
	return c->segment->routers == 1 && now_ns < c->segment->first_ns + FIRST_NS;
}

static void
on_new(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_ip_list *allow = &d->conf->detect.routers_allow;
	bool nondefault = msg->ra.lifetime_s == 0;
	const struct ics_router *old;
	struct ics_defaults left;
	struct episode *e;

	if (is_in(allow, &msg->src) || (nondefault && is_in(&d->conf->detect.nondefault_ok, &msg->src)))
		return;
	if (ics_model_is_learning(d->model, c->segment) && allow->n == 0)
		return;
	if (d->shared->ra_flood[c->segment->id] || c->crowded) {
		d->info.suppressed++;
		return;
	}
	e = (struct episode *)ics_episode_open(d, c->segment, &msg->src, false);
	if (e == NULL)
		return;
	e->router = c->after;
	e->has_mac = msg->has_mac;
	e->mac = msg->smac;
	ics_detect_other_defaults(d->model, &c->after, &left);
	e->others = left.n;
	e->variants = judge_items(d, e, msg, c);
	if (nondefault) {
		e->variants |= 1u << NONDEFAULT;
	} else {
		e->variants |= is_first(c, msg->ts_ns) ? 1u << FIRST : 1u << NEW_ROUTER;
		if (allow->n != 0)
			e->variants |= 1u << NOT_ALLOWED;
		if (c->sender_was_host)
			e->variants |= 1u << WAS_HOST;
		if (ics_router_preference(&c->after) == 2)
			e->variants |= 1u << HIGH_PREFERENCE;
		old = find_old_address(d, &c->after, msg->ts_ns);
		if (old != NULL)
			set_ll_change(e, &old->addr);
	}
	e->last_ns = msg->ts_ns;
	e->muted = ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* A router says goodbye: is it one that has just come up under another address? */
static void
on_goodbye(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n = ics_model_segment_routers(d->model, c->segment->id, all);

	for (unsigned i = 0; i < n; i++) {
		struct episode *e;

		if (all[i]->id == c->after.id || !share_mac(all[i], &c->after) ||
		    msg->ts_ns > all[i]->first_ns + LL_CHANGE_NS)
			continue;
		e = (struct episode *)ics_episode_find(d, c->segment->id, &all[i]->addr);
		if (e == NULL || (e->variants & 1u << NONDEFAULT))
			continue;
		set_ll_change(e, &c->after.addr);
		ics_episode_refresh(&e->ep, signature_of(e));
	}
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e;

	if (!msg->strict)
		return;
	if (!c->has_router) {
		d->info.suppressed++; /* the model has no room for it */
		return;
	}
	if (d->episodes.count != 0 && msg->ra.lifetime_s == 0 && c->before.state == ICS_ROUTER_DEFAULT)
		on_goodbye(d, msg, c);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	if (e == NULL) {
		if (c->created)
			on_new(d, msg, c);
		return;
	}
	/* What began as one for prefixes only may ask for traffic later. */
	if (msg->ra.lifetime_s != 0 && (e->variants & 1u << NONDEFAULT)) {
		ics_episode_close(&e->ep);
		on_new(d, msg, c);
		return;
	}
	e->router = c->after;
	e->last_ns = msg->ts_ns;
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->last_ns + e->router.last_nonzero_lifetime_s * NS_PER_S + GONE_NS;
}

const struct ics_detector_ops ics_det_router_new = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.message = on_ra,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
