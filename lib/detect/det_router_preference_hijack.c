/* A router outbids the gateway: preference high where the others have medium or low, a route that is as good as a
 * default route or covers the site, or the gateway's own preference turned to low (RFC 4191 2, 3.1: hosts of type B and
 * C follow at once). Only what was not there before is told. Called for RAs; clears when what was announced has run out
 * or was taken back.
 */
#include "ra_case.h"

#include <stdio.h>

/* 2000::/3 is all of the global unicast space; anything as short takes all or much of it. */
#define DEFAULT_LIKE_PLEN 3
#define HIGH 2
#define LOW 0
#define CLEAR_NS (60 * NS_PER_S)
#define ROUTES_MAX 16

/* In order of precedence. */
enum variant { PREFERENCE, ROUTE, DEMOTED };

static const char *const names[] = {[PREFERENCE] = "preference", [ROUTE] = "route", [DEMOTED] = "demoted"};

struct route {
	struct ics_ip value;
	uint8_t plen;
	uint64_t until_ns;
};

struct episode {
	struct ics_episode ep;
	struct ra_case k;
	uint32_t variants;
	bool is_new, allowed;
	const char *prf_before, *prf_after;
	char others[ICS_FACT_TEXT_LEN];
	struct route route[ROUTES_MAX];
	unsigned n_routes;
	uint64_t prf_until_ns, good_ns;
};

static const char *const prf_names[] = {"low", "medium", "high"};

static unsigned
prf_of(uint8_t flags)
{
	static const uint8_t rank[4] = {1, 2, 1, 0};

	return rank[(flags & ICS_RA_PRF_MASK) >> 3];
}

/* The default routers that were there before this one. */
struct incumbents {
	unsigned n;
	unsigned best; /* preference */
	char *list;    /* ICS_FACT_TEXT_LEN bytes for their names, or NULL */
};

static void
find_incumbents(struct ics_detector *d, const struct ics_change *c, const struct ics_msg *msg, bool any_age, char *list,
		struct incumbents *out)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n = ics_model_segment_routers(d->model, c->segment->id, all);
	char ip[ICS_IP_STRLEN], text[ICS_FACT_TEXT_LEN];

	*out = (struct incumbents){.list = list};
	if (list != NULL)
		list[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		if (all[i]->state != ICS_ROUTER_DEFAULT || ics_ip_equal(&all[i]->addr, &msg->src))
			continue;
		if (!any_age && c->has_router && all[i]->id > c->before.id)
			continue;
		out->n++;
		if (ics_router_preference(all[i]) > out->best)
			out->best = ics_router_preference(all[i]);
		if (list == NULL)
			continue;
		snprintf(text, sizeof(text), "%s prf=%s", ics_ip_format(&all[i]->addr, ip),
			 ics_router_preference_name(all[i]));
		ics_ra_list_add(list, text);
	}
}

/* A route to the site: it holds an on-link prefix that another router announces. */
static bool
covers_site(struct ics_detector *d, const struct ics_change *c, const struct ics_msg *msg, const struct ics_ra_item *i)
{
	const struct ics_prefix *p = NULL;

	for (unsigned n = 0; n < ICS_PREFIX_LOOKS; n++) {
		p = ics_model_segment_prefix(d->model, c->segment->id, p);
		if (p == NULL)
			return false;
		if (p->kind == ICS_PREFIX_PIO && p->plen > i->plen && !ics_ip_equal(&p->router, &msg->src) &&
		    ics_prefix_is_active(p, msg->ts_ns) && ics_prefix_covers(&i->value, i->plen, &p->value))
			return true;
	}
	return false;
}

/* A border router of a stub network offers routes to its own ULA /64 (SNAC): that holds no prefix of this link. */
static bool
is_diverting(struct ics_detector *d, const struct ics_change *c, const struct ics_msg *msg, const struct ics_ra_item *i)
{
	if (i->kind != ICS_PREFIX_RIO || i->valid_s == 0)
		return false;
	return i->plen <= DEFAULT_LIKE_PLEN || covers_site(d, c, msg, i);
}

static void
note_route(struct episode *e, const struct ics_ra_item *i, uint64_t now_ns)
{
	uint64_t until = i->valid_s == ICS_LIFETIME_INFINITE ? UINT64_MAX : now_ns + i->valid_s * NS_PER_S;

	for (unsigned n = 0; n < e->n_routes; n++)
		if (e->route[n].plen == i->plen && ics_ip_equal(&e->route[n].value, &i->value)) {
			e->route[n].until_ns = until;
			return;
		}
	if (e->n_routes < ROUTES_MAX)
		e->route[e->n_routes++] = (struct route){i->value, i->plen, until};
}

static enum ics_severity
severity_of(const struct episode *e)
{
	enum ics_severity s = e->allowed ? ICS_SEV_WARN : ICS_SEV_CRITICAL;

	/* Its own MAC turned it down: most likely somebody drains it. */
	if (e->variants == 1u << DEMOTED && e->k.mac_known)
		s = ICS_SEV_WARN;
	return ics_ra_case_severity(&e->k, s);
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)severity_of(e) << 8 | (uint64_t)e->k.lenient << 12 | (uint64_t)e->k.muted << 13 |
	       (uint64_t)e->n_routes << 16;
}

static void
list_routes(const struct episode *e, char list[static ICS_FACT_TEXT_LEN])
{
	char ip[ICS_IP_STRLEN], text[ICS_FACT_TEXT_LEN];

	list[0] = '\0';
	for (unsigned n = 0; n < e->n_routes; n++) {
		snprintf(text, sizeof(text), "%s/%u", ics_ip_format(&e->route[n].value, ip), e->route[n].plen);
		ics_ra_list_add(list, text);
	}
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char routes[ICS_FACT_TEXT_LEN];

	list_routes(e, routes);
	a->says[0] = '\0';
	ics_ra_case_say_who(a, &e->k);
	if (e->variants & 1u << DEMOTED)
		ics_say(a, " told hosts to prefer other routers over it: preference %s -> %s.", e->prf_before,
			e->prf_after);
	else if (e->variants & 1u << PREFERENCE)
		ics_say(a, " outbids the gateway: router preference %s -> %s, against %s.", e->prf_before, e->prf_after,
			e->others);
	else
		ics_say(a, " announces a route that outbids the gateway: %s.", routes);
	if ((e->variants & 1u << ROUTE) && (e->variants & ~(1u << ROUTE)))
		ics_say(a, " It also announces routes to %s.", routes);
	if (e->variants & 1u << DEMOTED)
		ics_say(a, " Traffic of hosts that follow router preferences moves to %s", e->others);
	else
		ics_say(a, " Traffic of hosts that follow router preferences and routes goes through it");
	ics_say_hosts(a, e->k.hosts);
	ics_ra_case_say_forger(a, &e->k,
			       e->allowed ? "Nothing to do if you changed its configuration."
					  : "If it is not yours, find the port of this MAC; if it is, put it into "
					    "detect.routers_allow.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	ics_ra_case_render(a, &e->k);
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "preference_before", "%s", e->prf_before);
	ics_fact_set_text(a, "preference_after", "%s", e->prf_after);
	list_routes(e, text);
	ics_fact_set_text(a, "routes", "%s", text);
	ics_fact_set_text(a, "incumbents", "%s", e->others);
	ics_detect_diversion(a, &e->k.left, e->k.hosts);
	ics_fact_set_bool(a, "new_router", e->is_new);
	ics_fact_set_bool(a, "allowed", e->allowed);
	say(a, e);
}

/* What a message does of the three; routes are told apart by whoever asks. */
static uint32_t
judge(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, bool is_new,
      const struct incumbents *older)
{
	unsigned now = prf_of(msg->ra.flags), before = c->created || !c->has_router ? now : prf_of(c->before.flags);
	bool known = c->has_router && !c->created;
	/* Preferences of an RA without lifetime mean nothing (RFC 4191 2.2), neither before nor now. */
	bool is_settled =
		known && !ics_model_is_learning(d->model, c->segment) && c->ra->known && c->ra->before.round >= 2;
	bool changed = known && c->before.lifetime_s != 0 && now != before;
	bool forged = known && (!c->mac_known || !c->lla_known);
	struct incumbents others;
	uint32_t v = 0;

	find_incumbents(d, c, msg, true, NULL, &others);
	if (msg->ra.lifetime_s != 0 && now == HIGH &&
	    ((is_new && older->n != 0 && older->best < HIGH) || (changed && others.n != 0 && others.best < HIGH)))
		v |= 1u << PREFERENCE;
	if (msg->ra.lifetime_s != 0 && changed && now == LOW && c->before.state == ICS_ROUTER_DEFAULT) {
		/* From a foreign MAC it is a forgery; from its own it matters where another router gains. */
		if (forged || (others.n != 0 && others.best > LOW))
			v |= 1u << DEMOTED;
	}
	for (unsigned n = 0; n < c->ra->n; n++) {
		const struct ics_ra_item *i = &c->ra->item[n];

		if (i->known && ics_prefix_is_active(&i->before, msg->ts_ns))
			continue;
		/* Of a newcomer, or of one that was there without it; where no other router is it outbids nobody. */
		if (!(is_new && older->n != 0) && !(is_settled && (others.n != 0 || forged)))
			continue;
		if (is_diverting(d, c, msg, i))
			v |= 1u << ROUTE;
	}
	return v;
}

/* Brings the deadlines of an open episode up to date: what is announced again goes on, what is taken back ends. */
static bool
follow(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c, bool fresh)
{
	unsigned now = prf_of(msg->ra.flags);
	bool offends = false;

	if ((e->variants & (1u << PREFERENCE | 1u << DEMOTED)) && msg->ra.lifetime_s != 0) {
		bool same = now == (e->variants & 1u << DEMOTED ? LOW : HIGH);

		if (same || fresh) {
			e->prf_until_ns = msg->ts_ns + msg->ra.lifetime_s * NS_PER_S;
			offends = true;
		} else {
			e->prf_until_ns = 0;
		}
	} else if (msg->ra.lifetime_s == 0 && (e->variants & 1u << PREFERENCE)) {
		e->prf_until_ns = 0;
	}
	for (unsigned n = 0; n < c->ra->n; n++) {
		const struct ics_ra_item *i = &c->ra->item[n];

		if (i->kind != ICS_PREFIX_RIO)
			continue;
		if (is_diverting(d, c, msg, i)) {
			note_route(e, i, msg->ts_ns);
			offends = true;
		}
		for (unsigned k = 0; i->valid_s == 0 && k < e->n_routes; k++)
			if (e->route[k].plen == i->plen && ics_ip_equal(&e->route[k].value, &i->value))
				e->route[k].until_ns = msg->ts_ns;
	}
	if (!offends && e->good_ns == 0)
		e->good_ns = msg->ts_ns;
	else if (offends)
		e->good_ns = 0;
	return offends;
}

/* Nearly all RAs end here. */
static bool
may_bid(const struct ics_msg *msg, const struct ics_change *c)
{
	if (prf_of(msg->ra.flags) == HIGH ||
	    (c->has_router && !c->created && prf_of(msg->ra.flags) != prf_of(c->before.flags)))
		return true;
	for (unsigned n = 0; n < c->ra->n; n++)
		if (c->ra->item[n].kind == ICS_PREFIX_RIO)
			return true;
	return false;
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	bool is_new, offends;
	struct incumbents older;
	uint32_t v;

	if (c->ra == NULL)
		return;
	is_new = ics_ra_is_new_router(d, msg, c);
	if (e == NULL && !may_bid(msg, c))
		return;
	find_incumbents(d, c, msg, false, NULL, &older);
	v = judge(d, msg, c, is_new, &older);
	if (e == NULL) {
		if (v == 0 || ics_ra_is_crowd(d, msg, c))
			return;
		e = (struct episode *)ics_episode_open(d, c->segment, &msg->src,
						       c->has_router && ics_detect_was_known(&c->before, msg->ts_ns));
		if (e == NULL)
			return;
		e->prf_before = c->has_router && !c->created ? prf_names[prf_of(c->before.flags)] : "none";
		e->prf_after = prf_names[prf_of(msg->ra.flags)];
	}
	if (!msg->strict && v == 0)
		return;
	if (v != 0) {
		e->variants |= v;
		e->is_new |= is_new;
		e->allowed = ics_ra_is_allowed(d, &msg->src);
		e->prf_after = prf_names[prf_of(msg->ra.flags)];
		find_incumbents(d, c, msg, older.n == 0, e->others, &older);
		ics_ra_case_note(d, &e->k, msg, c);
	}
	offends = follow(d, e, msg, c, v != 0);
	if (offends)
		ics_episode_update(&e->ep, msg, signature_of(e));
	else
		ics_episode_refresh(&e->ep, signature_of(e));
}

/* When the last of it has run out; not within CLEAR_NS of taking it back, lest it comes and goes. */
static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t t = e->prf_until_ns;

	for (unsigned n = 0; n < e->n_routes; n++)
		if (e->route[n].until_ns > t)
			t = e->route[n].until_ns;
	if (e->good_ns != 0 && t < e->good_ns + CLEAR_NS)
		t = e->good_ns + CLEAR_NS;
	return t;
}

const struct ics_detector_ops ics_det_router_preference_hijack = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.message = on_ra,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
