/* The resolvers, search domains, NAT64 prefixes, captive portals or encrypted resolvers that hosts of a segment learn
 * from router advertisements gain or lose one (RFC 8106, 8781, 8910, 9463): names are asked of somebody else, or of
 * nobody. What counts is the union of all routers of the segment, so routers that take turns change nothing. Called for
 * RAs; clears when the change is undone, or is the new normal after a day.
 */
#include "ra_case.h"

#include <stdio.h>

#define SLACK_NS (10 * NS_PER_S)
#define CHANGES_MAX 16

/* In order of precedence. */
enum variant { GAINED, REMOVED, VANISHED };

static const char *const names[] = {[GAINED] = "gained", [REMOVED] = "removed", [VANISHED] = "vanished"};

struct dns_change {
	enum variant variant;
	enum ics_prefix_kind kind;
	struct ics_ip value;
	uint8_t plen;
	uint32_t before_s, after_s; /* lifetimes */
	uint64_t until_ns;          /* gained: when it runs out */
	bool undone;
	char text[ICS_PREFIX_STRLEN];
};

struct episode {
	struct ics_episode ep;
	struct ra_case k;
	struct dns_change change[CHANGES_MAX];
	unsigned n, more;
	uint32_t variants;
	bool goodbye;  /* the router left as a gateway in the same message */
	bool stranger; /* something came from a router that is not allowed or new */
	uint64_t event_ns;
	char before[ICS_FACT_TEXT_LEN], after[ICS_FACT_TEXT_LEN];
};

static bool
is_dns(enum ics_prefix_kind k)
{
	return k == ICS_PREFIX_RDNSS || k == ICS_PREFIX_DNSSL || k == ICS_PREFIX_PREF64 ||
	       k == ICS_PREFIX_CAPTIVE_PORTAL || k == ICS_PREFIX_ENCRYPTED_DNS;
}

static const char *
word_of(enum ics_prefix_kind k)
{
	switch (k) {
	case ICS_PREFIX_RDNSS:
		return "resolver";
	case ICS_PREFIX_DNSSL:
		return "search domain";
	case ICS_PREFIX_PREF64:
		return "NAT64 prefix";
	case ICS_PREFIX_CAPTIVE_PORTAL:
		return "captive portal";
	default:
		return "encrypted resolver";
	}
}

static struct dns_change *
find_change(struct episode *e, enum ics_prefix_kind kind, const struct ics_ip *value, unsigned plen)
{
	for (unsigned i = 0; e != NULL && i < e->n; i++)
		if (e->change[i].kind == kind && e->change[i].plen == plen && ics_ip_equal(&e->change[i].value, value))
			return &e->change[i];
	return NULL;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	enum ics_severity s = ICS_SEV_WARN;

	if ((e->variants & 1u << GAINED) && e->stranger)
		s = ICS_SEV_CRITICAL;
	return ics_ra_case_severity(&e->k, s);
}

static uint64_t
signature_of(const struct episode *e)
{
	uint64_t h = e->variants | (uint64_t)severity_of(e) << 8 | (uint64_t)e->k.lenient << 12 |
		     (uint64_t)e->k.muted << 13 | (uint64_t)e->n << 16 | (uint64_t)(e->more != 0) << 32;

	return ics_hash_mix(h, ics_hash(e->after, strlen(e->after), 1));
}

static void
add_member(char list[static ICS_FACT_TEXT_LEN], enum ics_prefix_kind kind, const char *text)
{
	char entry[ICS_FACT_TEXT_LEN];

	snprintf(entry, sizeof(entry), "%s %s", ics_prefix_kind_name(kind), text);
	if (strstr(list, entry) == NULL)
		ics_ra_list_add(list, entry);
}

/* The union of the segment, with and without what changed. */
static void
take_stock(struct ics_detector *d, struct episode *e, uint32_t segment, uint64_t now_ns)
{
	const struct ics_prefix *p = NULL;
	char text[ICS_PREFIX_STRLEN];

	e->before[0] = e->after[0] = '\0';
	for (unsigned i = 0; i < e->n; i++)
		add_member(e->change[i].variant == GAINED ? e->after : e->before, e->change[i].kind, e->change[i].text);
	for (unsigned n = 0; n < ICS_PREFIX_LOOKS; n++) {
		p = ics_model_segment_prefix(d->model, segment, p);
		if (p == NULL)
			break;
		if (!is_dns(p->kind) || !ics_prefix_is_active(p, now_ns) ||
		    find_change(e, p->kind, &p->value, p->plen) != NULL)
			continue;
		ics_prefix_format(p, text);
		add_member(e->before, p->kind, text);
		add_member(e->after, p->kind, text);
	}
	if (e->before[0] == '\0')
		snprintf(e->before, sizeof(e->before), "none");
	if (e->after[0] == '\0')
		snprintf(e->after, sizeof(e->after), "none");
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	static const char *const did[] = {
		[GAINED] = "now gives hosts", [REMOVED] = "took away", [VANISHED] = "no longer announces"};
	enum variant last = VANISHED + 1;
	char life[32];
	unsigned shown = 0;

	a->says[0] = '\0';
	ics_ra_case_say_who(a, &e->k);
	for (unsigned i = 0; i < e->n && shown < 3; i++, shown++) {
		const struct dns_change *x = &e->change[i];

		ics_say(a, "%s ", shown == 0 ? "" : ",");
		if (x->variant != last)
			ics_say(a, "%s ", did[x->variant]);
		ics_say(a, "%s %s", word_of(x->kind), x->text);
		if (x->variant == GAINED)
			ics_say(a, " for %s", ics_ra_duration(x->after_s, life));
		last = x->variant;
	}
	if (e->n + e->more > shown)
		ics_say(a, " and %u more", e->n + e->more - shown);
	ics_say(a, ". DNS settings learned on this segment: %s -> %s.", e->before, e->after);
	if (e->variants & 1u << GAINED)
		ics_say(a, " Hosts may send their queries or traffic to it.");
	else
		ics_say(a, " Hosts that have nothing else no longer resolve names by it.");
	if (e->goodbye)
		ics_say(a, " The router left as a gateway in the same message.");
	ics_ra_case_say_forger(
		a, &e->k,
		e->stranger  ? "If this router is not yours, find the port of its MAC and take it off the network."
		: e->goodbye ? "Nothing to do if it was shut down, else see why it left."
			     : "If nobody changed the configuration of that router, find out what did.");
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
	ics_fact_set_text(a, "before", "%s", e->before);
	ics_fact_set_text(a, "after", "%s", e->after);
	for (unsigned v = GAINED; v <= VANISHED; v++) {
		text[0] = '\0';
		for (unsigned i = 0; i < e->n; i++)
			if (e->change[i].variant == v)
				add_member(text, e->change[i].kind, e->change[i].text);
		if (text[0] != '\0')
			ics_fact_set_text(a, names[v], "%s", text);
	}
	if (e->n != 0) {
		ics_fact_set_uint(a, "lifetime_before_s", e->change[0].before_s);
		ics_fact_set_uint(a, "lifetime_after_s", e->change[0].after_s);
	}
	ics_fact_set_bool(a, "allowed", !e->stranger);
	say(a, e);
}

/* Whether there is more than one router to learn from, or this one has shown all that it has. */
static bool
is_introduced(struct ics_detector *d, const struct ics_change *c, const struct ics_msg *msg)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n;

	if (c->ra->known && c->ra->before.round >= 2)
		return true;
	if (c->ra->known && !c->ra->new_round && c->ra->before.round >= 1 && !ics_ra_is_new_router(d, msg, c))
		return false; /* the rest of its first announcement */
	n = ics_model_segment_routers(d->model, c->segment->id, all);
	for (unsigned i = 0; i < n; i++)
		if (!ics_ip_equal(&all[i]->addr, &msg->src) && all[i]->state == ICS_ROUTER_DEFAULT &&
		    (!c->has_router || all[i]->id < c->before.id))
			return true;
	return false;
}

static struct ics_prefix
key_of(const struct ics_msg *msg, const struct ics_change *c, const struct ics_ra_item *i)
{
	struct ics_prefix p;

	memset(&p, 0, sizeof(p));
	p.router = msg->src;
	p.segment = c->segment->id;
	p.kind = i->kind;
	p.plen = i->plen;
	p.value = i->value;
	memcpy(p.text, i->text, sizeof(p.text));
	return p;
}

/* What an item changes in the union; false: nothing. */
static bool
judge(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, const struct ics_ra_item *i,
      struct dns_change *out)
{
	struct ics_prefix p = key_of(msg, c, i);
	const struct ics_prefix *elsewhere = ics_model_prefix_elsewhere(d->model, &p), *prior;
	bool listed = ics_ra_has_allow_list(d) && !ics_ra_is_allowed(d, &msg->src);

	*out = (struct dns_change){.kind = i->kind, .value = i->value, .plen = i->plen, .after_s = i->valid_s};
	ics_prefix_format(&p, out->text);
	if (i->valid_s != 0) {
		if (i->known || elsewhere != NULL)
			return false;
		/* While a segment is learned nothing is new, unless who may announce is known from the start. */
		if (!listed && (ics_model_is_learning(d->model, c->segment) || !is_introduced(d, c, msg)))
			return false;
		out->variant = GAINED;
		out->until_ns = i->valid_s == ICS_LIFETIME_INFINITE ? UINT64_MAX : msg->ts_ns + i->valid_s * NS_PER_S;
		return true;
	}
	/* Another router still has it: hosts keep or regain it. Of one that never had it itself it is an attack. */
	if (i->known && elsewhere != NULL)
		return false;
	prior = i->known ? &i->before : elsewhere;
	if (prior == NULL || prior->valid_until_ns <= msg->ts_ns + SLACK_NS)
		return false;
	out->variant = REMOVED;
	out->before_s = ra_left_s(prior->valid_until_ns, msg->ts_ns);
	return true;
}

/* *found: there was room to note it. */
static struct episode *
add_change(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c,
	   const struct dns_change *x, bool *found)
{
	struct dns_change *to;

	if (e == NULL) {
		if (ics_ra_is_crowd(d, msg, c))
			return NULL;
		e = (struct episode *)ics_episode_open(d, c->segment, &msg->src,
						       c->has_router && ics_detect_was_known(&c->before, msg->ts_ns));
		if (e == NULL)
			return NULL;
	}
	to = find_change(e, x->kind, &x->value, x->plen);
	if (to == NULL) {
		if (e->n == CHANGES_MAX) {
			e->more++;
			return e;
		}
		to = &e->change[e->n++];
	}
	*to = *x;
	*found = true;
	e->variants |= 1u << x->variant;
	if (x->variant == GAINED &&
	    (ics_ra_has_allow_list(d) ? !ics_ra_is_allowed(d, &msg->src) : ics_ra_is_new_router(d, msg, c)))
		e->stranger = true;
	return e;
}

static struct episode *
look_for_missing(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c,
		 bool *found)
{
	const struct ics_prefix *p = NULL;

	for (unsigned n = 0; n < CHANGES_MAX; n++) {
		struct dns_change x;

		p = ics_model_router_stalest(d->model, c->segment->id, &msg->src, p);
		if (p == NULL || ics_prefix_misses(d->model, p) == 0)
			break;
		if (!is_dns(p->kind) || !ics_prefix_is_missing(d->model, p) || p->valid_s == 0 ||
		    ics_model_prefix_elsewhere(d->model, p) != NULL)
			continue;
		/* Told once: the announcement that makes it missing, whether or not its lifetime ran out on the way. */
		if (ics_prefix_misses(d->model, p) != ics_prefix_missing_at(p) ||
		    find_change(e, p->kind, &p->value, p->plen) != NULL)
			continue;
		x = (struct dns_change){
			.variant = VANISHED,
			.kind = p->kind,
			.value = p->value,
			.plen = (uint8_t)p->plen,
			.before_s = p->valid_s,
			.after_s = ra_left_s(p->valid_until_ns, msg->ts_ns),
		};
		ics_prefix_format(p, x.text);
		e = add_change(d, e, msg, c, &x, found);
		if (e == NULL)
			return NULL;
	}
	return e;
}

/* Brings an open episode up to date with what the router says now; true when nothing of the change is left. */
static bool
is_undone(struct ics_detector *d, struct episode *e, uint64_t now_ns)
{
	bool all = e->more == 0;

	for (unsigned i = 0; i < e->n; i++) {
		struct dns_change *x = &e->change[i];
		const struct ics_prefix *p =
			ics_model_prefix_find(d->model, e->ep.segment, &e->ep.addr, x->kind, &x->value, x->plen);
		bool there = p != NULL && ics_prefix_is_active(p, now_ns) && !ics_prefix_is_missing(d->model, p);

		if (x->variant == GAINED) {
			x->until_ns = p != NULL ? p->valid_until_ns : x->until_ns;
			x->undone = p != NULL ? !there : now_ns >= x->until_ns;
		} else {
			x->undone = there;
		}
		all &= x->undone;
	}
	return all;
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	bool found = false, again = false;

	if (c->ra == NULL)
		return;
	for (unsigned n = 0; n < c->ra->n; n++) {
		const struct ics_ra_item *i = &c->ra->item[n];
		const struct dns_change *told;
		struct dns_change x;

		if (!is_dns(i->kind))
			continue;
		told = find_change(e, i->kind, &i->value, i->plen);
		/* The same once more: nothing new for hosts, but whoever sends it goes on. */
		again |= told != NULL && (told->variant == GAINED) == (i->valid_s != 0);
		if (!judge(d, msg, c, i, &x))
			continue;
		if (told != NULL && told->variant == GAINED)
			continue; /* undone, below */
		e = add_change(d, e, msg, c, &x, &found);
		if (e == NULL)
			return;
		again |= !found;
	}
	if (msg->strict && c->ra->new_round)
		e = look_for_missing(d, e, msg, c, &found);
	if (e == NULL)
		return;
	if (found) {
		e->event_ns = msg->ts_ns;
		e->goodbye = msg->ra.lifetime_s == 0 && c->has_router && c->before.last_nonzero_ra_ns != 0;
		take_stock(d, e, c->segment->id, msg->ts_ns);
		ics_ra_case_note(d, &e->k, msg, c);
		ics_episode_update(&e->ep, msg, signature_of(e));
	} else if (is_undone(d, e, msg->ts_ns)) {
		ics_episode_close(&e->ep);
	} else if (again) {
		ics_episode_update(&e->ep, msg, signature_of(e));
	} else {
		ics_episode_refresh(&e->ep, signature_of(e));
	}
}

/* When the last of what was gained runs out, or after a day. */
static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t last = 0;

	for (unsigned i = 0; i < e->n; i++)
		if (e->change[i].variant != GAINED)
			last = UINT64_MAX;
		else if (e->change[i].until_ns > last)
			last = e->change[i].until_ns;
	return e->more == 0 && last < e->event_ns + DAY_NS ? last : e->event_ns + DAY_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (now_ns < e->event_ns + DAY_NS && !is_undone(d, e, now_ns))
		return true;
	ics_episode_close(ep);
	return false;
}

const struct ics_detector_ops ics_det_ra_dns_change = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.message = on_ra,
	.render = render,
	.timer = on_timer,
	.due = due,
};
