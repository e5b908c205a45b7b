/* Two routers of a segment tell hosts different things, so that hosts change with every RA (RFC 4861 6.2.7 asks routers
 * to log this): hop limit, address configuration flags, timers, MTU, lifetimes of the same prefix, and beyond 6.2.7
 * the flags of a prefix, NAT64 prefixes and captive portals. Different sets of prefixes are no conflict. A value counts
 * once its router repeated it. Called for RAs; clears when both agreed for two RAs each, or one is gone.
 */
#include "ra_case.h"

#include <stdio.h>

#define REPEATS 2
/* Prefixes of one router that are compared. */
#define PREFIXES_COMPARED 16
/* Deadlines that count down differ by this and still mean the same (B4). */
#define SLACK_NS (10 * NS_PER_S)
#define SILENCE_S 1800 /* the longest interval between RAs, RFC 4861 6.2.1 */

/* The first are those of enum ics_ra_param. */
enum field { LIFETIMES = ICS_RA_PARAMS, PREFIX_FLAGS, PREF64, PORTAL, FIELDS };

static const char *const names[FIELDS] = {
	[ICS_RA_HOP_LIMIT] = "hop_limit", [ICS_RA_MANAGED] = "managed",    [ICS_RA_OTHER] = "other",
	[ICS_RA_REACHABLE] = "reachable", [ICS_RA_RETRANS] = "retrans",    [ICS_RA_MTU] = "mtu",
	[LIFETIMES] = "prefix_lifetime",  [PREFIX_FLAGS] = "prefix_flags", [PREF64] = "pref64",
	[PORTAL] = "captive_portal",
};

#define TIMERS (1u << ICS_RA_REACHABLE | 1u << ICS_RA_RETRANS)

/* What two routers differ in; a is who was there first. */
struct conflict {
	uint32_t fields;
	bool settled; /* both repeated everything that was compared */
	char a[ICS_FACT_TEXT_LEN], b[ICS_FACT_TEXT_LEN];
};

struct episode {
	struct ics_episode ep;
	struct ra_case k;
	struct ics_ip first; /* the other router */
	struct conflict now;
	uint32_t fields; /* that were ever told */
	uint64_t until_ns;
};

static void
note(struct conflict *x, enum field f, const char *a, const char *b)
{
	char text[ICS_FACT_TEXT_LEN];

	x->fields |= 1u << f;
	snprintf(text, sizeof(text), "%s=%.80s", names[f], a);
	ics_ra_list_add(x->a, text);
	snprintf(text, sizeof(text), "%s=%.80s", names[f], b);
	ics_ra_list_add(x->b, text);
}

static void
compare_params(const struct ics_advertiser *a, const struct ics_advertiser *b, unsigned repeats, struct conflict *x)
{
	char va[16], vb[16];

	for (unsigned f = 0; f < ICS_RA_PARAMS; f++) {
		if (a->steady[f] == 0 || b->steady[f] == 0)
			continue;
		if (a->steady[f] < REPEATS || b->steady[f] < REPEATS)
			x->settled = false;
		if (a->value[f] == b->value[f] || a->steady[f] < repeats || b->steady[f] < repeats)
			continue;
		snprintf(va, sizeof(va), "%u", a->value[f]);
		snprintf(vb, sizeof(vb), "%u", b->value[f]);
		note(x, f, va, vb);
	}
}

static bool
is_close(uint64_t a, uint64_t b, uint64_t now_ns)
{
	uint64_t d = a > b ? a - b : b - a, left = (a < b ? a : b) - now_ns, slack = left / 100;

	if (a <= now_ns || b <= now_ns)
		slack = SLACK_NS;
	return d <= (slack > SLACK_NS ? slack : SLACK_NS);
}

static bool
same_lifetimes(const struct ics_prefix *a, const struct ics_prefix *b, uint64_t now_ns)
{
	bool constant = a->valid_s == a->prev_valid_s && a->preferred_s == a->prev_preferred_s &&
			b->valid_s == b->prev_valid_s && b->preferred_s == b->prev_preferred_s;

	if (constant)
		return a->valid_s == b->valid_s && a->preferred_s == b->preferred_s;
	return is_close(a->valid_until_ns, b->valid_until_ns, now_ns) &&
	       is_close(a->preferred_until_ns, b->preferred_until_ns, now_ns);
}

static bool
is_counted(const struct ics_detector *d, const struct ics_prefix *p, uint64_t now_ns)
{
	return ics_prefix_is_active(p, now_ns) && !ics_prefix_is_missing(d->model, p);
}

static void
compare_prefix(const struct ics_prefix *a, const struct ics_prefix *b, unsigned repeats, uint64_t now_ns,
	       struct conflict *x)
{
	const uint8_t flags = ICS_PIO_ONLINK | ICS_PIO_AUTO;
	char va[ICS_FACT_TEXT_LEN], vb[ICS_FACT_TEXT_LEN], text[ICS_PREFIX_STRLEN];

	if (a->steady < REPEATS || b->steady < REPEATS)
		x->settled = false;
	if (a->steady < repeats || b->steady < repeats)
		return;
	ics_prefix_format(a, text);
	if (!(x->fields & 1u << LIFETIMES) && !same_lifetimes(a, b, now_ns)) {
		snprintf(va, sizeof(va), "%s %u/%u s", text, a->valid_s, a->preferred_s);
		snprintf(vb, sizeof(vb), "%s %u/%u s", text, b->valid_s, b->preferred_s);
		note(x, LIFETIMES, va, vb);
	}
	if (!(x->fields & 1u << PREFIX_FLAGS) && (a->flags & flags) != (b->flags & flags)) {
		snprintf(va, sizeof(va), "%s L%u A%u", text, a->flags >> 7, a->flags >> 6 & 1);
		snprintf(vb, sizeof(vb), "%s L%u A%u", text, b->flags >> 7, b->flags >> 6 & 1);
		note(x, PREFIX_FLAGS, va, vb);
	}
}

/* Of a kind of which hosts take one: both have some, and a has one that b has not. */
static void
compare_sets(struct ics_detector *d, const struct ics_prefix *a, const struct ics_ip *b, enum field f, unsigned repeats,
	     uint64_t now_ns, struct conflict *x)
{
	const struct ics_prefix *p = NULL, *other = NULL;
	char va[ICS_PREFIX_STRLEN], vb[ICS_PREFIX_STRLEN];

	if ((x->fields & 1u << f) || a->count < repeats)
		return;
	for (unsigned n = 0; n < PREFIXES_COMPARED; n++) {
		p = ics_model_router_prefix(d->model, a->segment, b, p);
		if (p == NULL)
			break;
		if (p->kind != a->kind || p->count < repeats || !is_counted(d, p, now_ns))
			continue;
		if (ics_ip_equal(&p->value, &a->value) && p->plen == a->plen)
			return;
		other = p;
	}
	if (other != NULL)
		note(x, f, ics_prefix_format(a, va), ics_prefix_format(other, vb));
}

/* repeats: how often a router must have said a thing for it to count. */
static void
compare(struct ics_detector *d, uint32_t segment, const struct ics_router *ra, const struct ics_router *rb,
	unsigned repeats, uint64_t now_ns, struct conflict *x)
{
	const struct ics_advertiser *a = ics_model_advertiser(d->model, segment, &ra->addr);
	const struct ics_advertiser *b = ics_model_advertiser(d->model, segment, &rb->addr);
	const struct ics_prefix *p = NULL, *q;

	memset(x, 0, sizeof(*x));
	if (a == NULL || b == NULL)
		return;
	x->settled = true;
	compare_params(a, b, repeats, x);
	for (unsigned n = 0; n < PREFIXES_COMPARED; n++) {
		p = ics_model_router_prefix(d->model, segment, &ra->addr, p);
		if (p == NULL)
			break;
		if (!is_counted(d, p, now_ns))
			continue;
		if (p->kind == ICS_PREFIX_PIO) {
			q = ics_model_prefix_find(d->model, segment, &rb->addr, ICS_PREFIX_PIO, &p->value, p->plen);
			if (q != NULL && is_counted(d, q, now_ns))
				compare_prefix(p, q, repeats, now_ns, x);
		} else if (p->kind == ICS_PREFIX_PREF64) {
			compare_sets(d, p, &rb->addr, PREF64, repeats, now_ns, x);
		} else if (p->kind == ICS_PREFIX_CAPTIVE_PORTAL) {
			compare_sets(d, p, &rb->addr, PORTAL, repeats, now_ns, x);
		}
	}
}

static uint64_t
signature_of(const struct episode *e)
{
	return ics_hash_mix(ics_hash(e->now.a, strlen(e->now.a), e->fields), ics_hash(e->now.b, strlen(e->now.b), 1)) +
	       e->k.muted;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], first[ICS_IP_STRLEN], second[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->fields, names, FIELDS, text);
	a->severity = ics_ra_case_severity(&e->k, (e->fields & ~TIMERS) != 0 ? ICS_SEV_WARN : ICS_SEV_INFO);
	ics_ra_case_render(a, &e->k);
	ics_ip_format(&e->first, first);
	ics_ip_format(&ep->addr, second);
	ics_subject_set_text(a, "other_router", "%s", first);
	ics_fact_set_text(a, "fields", "%s", text);
	ics_fact_set_text(a, "says_other_router", "%s", e->now.a);
	ics_fact_set_text(a, "says_router", "%s", e->now.b);
	a->says[0] = '\0';
	ics_say(a, "Routers %s and %s tell hosts different things: %s against %s.", first, second, e->now.a, e->now.b);
	ics_say(a, " Hosts take over the one that spoke last and change with every router advertisement.");
	ics_say(a, " Give both routers the same settings; if one of them is not yours, find its port.");
}

static void
tell(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, const struct ics_router *first,
     const struct ics_router *second)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &second->addr);
	struct conflict x;

	/* An episode is about one pair; a third router has its own with the first. */
	if (e != NULL && !ics_ip_equal(&e->first, &first->addr))
		return;
	compare(d, c->segment->id, first, second, e != NULL ? 1 : REPEATS, msg->ts_ns, &x);
	if (e == NULL) {
		if (x.fields == 0 || ics_ra_is_crowd(d, msg, c))
			return;
		e = (struct episode *)ics_episode_open(d, c->segment, &second->addr, true);
		if (e == NULL)
			return;
		e->first = first->addr;
	}
	if (x.fields == 0) {
		if (x.settled)
			ics_episode_close(&e->ep);
		return;
	}
	e->now = x;
	e->fields |= x.fields;
	e->until_ns = first->lifetime_s > second->lifetime_s ? first->lifetime_s : second->lifetime_s;
	e->until_ns = msg->ts_ns + (e->until_ns > SILENCE_S ? e->until_ns : SILENCE_S) * NS_PER_S;
	ics_ra_case_note(d, &e->k, msg, c);
	e->k.mac_known = true;
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT], *me;
	struct episode *e;
	unsigned n;

	if (!msg->strict || !c->has_router || c->ra == NULL || !c->ra->known)
		return;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	/* Routers for prefixes and routes only leave the rest to the gateway, whatever their header says (SNAC). */
	if (c->after.state != ICS_ROUTER_DEFAULT) {
		if (e != NULL)
			ics_episode_close(&e->ep);
		return;
	}
	if (c->ra->after.steady[ICS_RA_MANAGED] < REPEATS && c->ra->after.steady[ICS_RA_HOP_LIMIT] < REPEATS)
		return;
	me = ics_model_router_find(d->model, c->segment->id, &msg->src);
	if (me == NULL)
		return;
	n = ics_model_segment_routers(d->model, c->segment->id, all);
	for (unsigned i = 0; i < n; i++) {
		if (all[i] == me)
			continue;
		if (all[i]->state == ICS_ROUTER_DEFAULT) {
			if (all[i]->id < me->id)
				tell(d, msg, c, all[i], me);
			else
				tell(d, msg, c, me, all[i]);
		} else if ((e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src)) != NULL &&
			   ics_ip_equal(&e->first, &all[i]->addr)) {
			ics_episode_close(&e->ep);
		}
	}
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->until_ns;
}

const struct ics_detector_ops ics_det_ra_inconsistent = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.message = on_ra,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
