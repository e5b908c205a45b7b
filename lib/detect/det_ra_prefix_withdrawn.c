/* A router takes a prefix away from hosts that use it. Valid lifetime 0 removes it from the prefix list at once, so
 * neighbors are asked of the router (RFC 4861 6.3.4); addresses made from it stay for as long as the two-hour rule
 * says (RFC 4862 5.5.3 e), but are no longer preferred for new connections once preferred is 0, which nothing protects.
 * A prefix that silently stays out of the announcements is what a router does that lost it (flash renumbering, RFC
 * 8978). Called for RAs; clears when the same router announced it normally twice, or after a day.
 */
#include "ra_case.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TWO_HOURS_S 7200
/* Lifetimes that count down arrive this late or early. */
#define SLACK_NS (10 * NS_PER_S)
#define LOST_MAX 16
/* Addresses of hosts are counted this often at most: a pass over a large table takes a millisecond. */
#define COUNT_INTERVAL_NS (10 * NS_PER_MS)
#define CLEAR_RAS 2

/* In order of precedence. */
enum variant { WITHDRAWN, VANISHED, DEPRECATED, SHORTENED, REANIMATED };

static const char *const names[] = {
	[WITHDRAWN] = "withdrawn", [VANISHED] = "vanished",     [DEPRECATED] = "deprecated",
	[SHORTENED] = "shortened", [REANIMATED] = "reanimated",
};

/* A prefix that hosts lose. Lifetimes in seconds from the message on. */
struct lost {
	struct ics_ip value;
	uint8_t plen;
	bool onlink, counted, exact, normal;
	uint32_t variants;
	uint32_t valid_left_s, preferred_left_s; /* before */
	uint32_t valid_s, preferred_s;           /* as sent now */
	uint32_t address_s;                      /* how long addresses stay, by the two-hour rule */
	uint32_t hosts;
	unsigned n_good;
	uint64_t good_ns;
};

struct episode {
	struct ics_episode ep;
	struct ra_case k;
	struct lost lost[LOST_MAX];
	unsigned n, more;
	uint32_t variants;
	uint64_t event_ns;
};

struct state {
	uint64_t counted_ns;
};

/* RFC 4862 5.5.3 e: what becomes of an address that has left_s, told valid_s. */
static uint32_t
two_hour_rule(uint32_t valid_s, uint32_t left_s)
{
	if (valid_s > TWO_HOURS_S || valid_s > left_s)
		return valid_s;
	return left_s <= TWO_HOURS_S ? left_s : TWO_HOURS_S;
}

static const struct lost *
worst_of(const struct episode *e)
{
	const struct lost *w = &e->lost[0];

	for (unsigned i = 1; i < e->n; i++) {
		uint32_t a = e->lost[i].variants & -e->lost[i].variants, b = w->variants & -w->variants;

		if (a < b || (a == b && e->lost[i].hosts > w->hosts))
			w = &e->lost[i];
	}
	return w;
}

static enum ics_severity
severity_of(const struct ics_detector *d, const struct episode *e)
{
	enum ics_severity s = ICS_SEV_WARN;

	for (unsigned i = 0; i < e->n; i++) {
		const struct lost *l = &e->lost[i];

		if (!(l->variants & 1u << WITHDRAWN) || !l->onlink)
			continue;
		if (l->hosts >= d->conf->detect.pfx_hosts || (l->hosts != 0 && e->k.left.n == 0))
			s = ICS_SEV_CRITICAL;
	}
	return ics_ra_case_severity(&e->k, s);
}

static uint64_t
signature_of(const struct ics_detector *d, const struct episode *e)
{
	/* Coming and going in turns is not shown at the pace of whoever does it. */
	const uint32_t mask = ~(1u << REANIMATED);
	uint64_t h = (e->variants & mask) | (uint64_t)severity_of(d, e) << 8 | (uint64_t)e->k.lenient << 12 |
		     (uint64_t)e->k.muted << 13 | (uint64_t)e->n << 16 | (uint64_t)(e->more != 0) << 32;

	for (unsigned i = 0; i < e->n; i++)
		h = ics_hash_mix(h, e->lost[i].variants & mask);
	return h;
}

static void
say(struct ics_anomaly *a, const struct episode *e, const struct lost *l)
{
	char ip[ICS_IP_STRLEN], router[ICS_IP_STRLEN], was[32], now[32], end[32];
	const char *least = l->exact ? "" : "at least ";

	a->says[0] = '\0';
	ics_ip_format(&l->value, ip);
	if (l->variants & 1u << VANISHED) {
		ics_say(a, "Prefix %s/%u is missing from the announcements of %s, which always had it, with ", ip,
			l->plen, ics_ip_format(&e->k.router.addr, router));
		ics_say(a, "%s of its lifetime left.", ics_ra_duration(l->valid_left_s, was));
		ics_say(a, " %s%u known addresses go on using it although the router may no longer forward for it.",
			least, l->hosts);
	} else {
		ics_ra_case_say_who(a, &e->k);
		ics_say(a, " %s prefix %s/%u: valid %s -> %s, preferred ",
			l->variants & 1u << WITHDRAWN    ? "withdrew"
			: l->variants & 1u << DEPRECATED ? "deprecated"
							 : "shortened",
			ip, l->plen, ics_ra_duration(l->valid_left_s, was), ics_ra_duration(l->valid_s, now));
		ics_say(a, "%s -> %s.", ics_ra_duration(l->preferred_left_s, was),
			ics_ra_duration(l->preferred_s, now));
		if ((l->variants & 1u << WITHDRAWN) && l->onlink)
			ics_say(a, " Hosts no longer reach each other directly on it, at once.");
		ics_say(a, " %s%u known addresses%s", least, l->hosts,
			l->preferred_s == 0 ? " are no longer used for new connections and" : "");
		ics_say(a, l->address_s == l->valid_left_s ? " keep their lifetime of %s." : " end in %s.",
			ics_ra_duration(l->address_s, end));
	}
	if (e->n + e->more > 1)
		ics_say(a, " %u more prefixes likewise.", e->n + e->more - 1);
	if (e->variants & 1u << REANIMATED)
		ics_say(a, " Since then it is announced again.");
	ics_ra_case_say_forger(
		a, &e->k,
		"Check the uplink and the prefix delegation of that router; a planned renumbering is muted "
		"with detect.mute.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct lost *l = worst_of(e);
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], list[ICS_FACT_TEXT_LEN] = "", ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(d, e);
	ics_ra_case_render(a, &e->k);
	ics_fact_set_text(a, "variants", "%s", text);
	for (unsigned i = 0; i < e->n; i++) {
		snprintf(text, sizeof(text), "%s/%u", ics_ip_format(&e->lost[i].value, ip), e->lost[i].plen);
		ics_ra_list_add(list, text);
	}
	ics_fact_set_text(a, "prefixes", "%s", list);
	snprintf(text, sizeof(text), "%s/%u", ics_ip_format(&l->value, ip), l->plen);
	ics_subject_set_text(a, "prefix", "%s", text);
	ics_fact_set_text(a, "prefix", "%s", text);
	ics_fact_set_bool(a, "on_link", l->onlink);
	ics_fact_set_uint(a, "valid_before_s", l->valid_left_s);
	ics_fact_set_uint(a, "valid_after_s", l->valid_s);
	ics_fact_set_uint(a, "preferred_before_s", l->preferred_left_s);
	ics_fact_set_uint(a, "preferred_after_s", l->preferred_s);
	ics_fact_set_uint(a, "addresses_end_s", l->address_s);
	ics_fact_set_uint(a, "addresses", l->hosts);
	if (!l->exact)
		ics_fact_set_bool(a, "addresses_at_least", true);
	ics_fact_set_uint(a, "default_routers_left", e->k.left.n);
	say(a, e, l);
}

static struct lost *
find_lost(struct episode *e, const struct ics_ip *value, unsigned plen)
{
	for (unsigned i = 0; e != NULL && i < e->n; i++)
		if (e->lost[i].plen == plen && ics_ip_equal(&e->lost[i].value, value))
			return &e->lost[i];
	return NULL;
}

/* What hosts have of a prefix: what this router said last, or else what another one did. */
static const struct ics_prefix *
prior_of(struct ics_detector *d, const struct ics_change *c, const struct ics_ra_item *i, uint64_t now_ns)
{
	const struct ics_prefix *p = NULL, *best = NULL;

	if (i->known && ics_prefix_is_active(&i->before, now_ns))
		return &i->before;
	if (i->valid_s > TWO_HOURS_S && i->preferred_s != 0)
		return NULL; /* an offer */
	for (unsigned n = 0; n < ICS_PREFIXES_PER_SEGMENT; n++) {
		p = ics_model_segment_prefix(d->model, c->segment->id, p);
		if (p == NULL)
			break;
		if (p->kind == ICS_PREFIX_PIO && p->plen == i->plen && ics_ip_equal(&p->value, &i->value) &&
		    ics_prefix_is_active(p, now_ns) && (!i->kept || p->id != i->after.id) &&
		    (best == NULL || p->last_ns > best->last_ns))
			best = p;
	}
	return best;
}

/* What one item takes away, as bits of variants; 0: nothing. */
static uint32_t
judge(const struct ics_ra_item *i, const struct ics_prefix *prior, uint64_t now_ns, struct lost *l)
{
	uint64_t until = i->valid_s == ICS_LIFETIME_INFINITE ? UINT64_MAX : now_ns + i->valid_s * NS_PER_S;
	uint32_t v = 0;

	*l = (struct lost){
		.value = i->value,
		.plen = i->plen,
		.onlink = (i->flags & ICS_PIO_ONLINK) != 0,
		.valid_left_s = ra_left_s(prior->valid_until_ns, now_ns),
		.preferred_left_s = ra_left_s(prior->preferred_until_ns, now_ns),
		.valid_s = i->valid_s,
		.preferred_s = i->preferred_s,
	};
	l->address_s = two_hour_rule(i->valid_s, l->valid_left_s);
	/* Counted down to its end it is no surprise. */
	if (i->valid_s == 0 && prior->valid_until_ns > now_ns + SLACK_NS)
		v |= 1u << WITHDRAWN;
	else if (until < prior->valid_until_ns - SLACK_NS && i->valid_s < l->valid_left_s / 2)
		v |= 1u << SHORTENED; /* by less than half is a matter of taste */
	if (i->preferred_s == 0 && (i->flags & ICS_PIO_AUTO) && prior->preferred_until_ns > now_ns + SLACK_NS)
		v |= 1u << DEPRECATED;
	return l->variants = v;
}

static struct lost *
add_lost(struct episode *e, const struct lost *l)
{
	struct lost *to = find_lost(e, &l->value, l->plen);
	uint32_t before = 0;

	if (to == NULL) {
		if (e->n == LOST_MAX) {
			e->more++;
			return NULL;
		}
		to = &e->lost[e->n++];
	} else {
		before = to->variants & ~(1u << REANIMATED);
	}
	*to = *l;
	to->variants |= before;
	e->variants = (e->variants & ~(1u << REANIMATED)) | l->variants;
	return to;
}

static struct episode *
open_episode(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c)
{
	if (e != NULL)
		return e;
	return (struct episode *)ics_episode_open(d, c->segment, &msg->src,
						  c->has_router && ics_detect_was_known(&c->before, msg->ts_ns));
}

/* Addresses in the prefixes that were just lost, in one pass. */
static void
count_hosts(struct ics_detector *d, struct episode *e, uint32_t segment)
{
	struct state *st = d->state;
	uint64_t now = ics_model_clock(d->model)->now_ns;
	struct ics_prefix copy[LOST_MAX];
	const struct ics_prefix *p[LOST_MAX];
	uint32_t hosts[LOST_MAX];
	unsigned which[LOST_MAX], n = 0;
	bool exact;

	for (unsigned i = 0; i < e->n; i++) {
		if (e->lost[i].counted)
			continue;
		copy[n].value = e->lost[i].value;
		copy[n].plen = e->lost[i].plen;
		p[n] = &copy[n];
		which[n++] = i;
	}
	if (n == 0 || (st->counted_ns != 0 && now < st->counted_ns + COUNT_INTERVAL_NS))
		return;
	st->counted_ns = now;
	exact = ics_model_prefix_hosts(d->model, segment, p, n, hosts);
	for (unsigned i = 0; i < n; i++) {
		e->lost[which[i]].hosts = hosts[i];
		e->lost[which[i]].exact = exact;
		e->lost[which[i]].counted = true;
	}
}

/* A prefix of an open episode that the same router announces as if nothing had been. Twice, and it is over. */
static void
note_normal(struct episode *e, const struct ics_msg *msg, const struct ics_ra_item *i)
{
	struct lost *l = find_lost(e, &i->value, i->plen);

	if (l == NULL || i->valid_s == 0 || (i->preferred_s == 0 && (i->flags & ICS_PIO_AUTO)))
		return;
	if (l->n_good != 0 && msg->ts_ns < l->good_ns + ICS_RA_SPLIT_NS)
		return;
	l->n_good++;
	l->good_ns = msg->ts_ns;
	if (l->variants & (1u << WITHDRAWN | 1u << VANISHED | 1u << DEPRECATED)) {
		l->variants |= 1u << REANIMATED;
		e->variants |= 1u << REANIMATED;
	}
}

/* The same loss once more: nothing new for hosts, but whoever sends it goes on. */
static bool
is_again(struct episode *e, const struct ics_ra_item *i)
{
	const struct lost *l = find_lost(e, &i->value, i->plen);

	return l != NULL && ((i->valid_s == 0 && (l->variants & 1u << WITHDRAWN)) ||
			     (i->preferred_s == 0 && (l->variants & 1u << DEPRECATED)));
}

static bool
is_over(const struct episode *e)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->lost[i].n_good < CLEAR_RAS)
			return false;
	return e->more == 0;
}

/* Announced always, and missing now. Those not heard for longest are looked at, LOST_MAX at most. */
static struct episode *
look_for_missing(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c,
		 bool *found)
{
	const struct ics_prefix *p = NULL;

	for (unsigned n = 0; n < LOST_MAX; n++) {
		struct lost l;

		p = ics_model_router_stalest(d->model, c->segment->id, &msg->src, p);
		if (p == NULL || ics_prefix_misses(d->model, p) == 0)
			break;
		if (p->kind != ICS_PREFIX_PIO || !ics_prefix_is_missing(d->model, p) ||
		    !ics_prefix_is_active(p, msg->ts_ns) || p->preferred_s == 0)
			continue;
		if (find_lost(e, &p->value, p->plen) != NULL || ics_model_prefix_elsewhere(d->model, p) != NULL)
			continue;
		e = open_episode(d, e, msg, c);
		if (e == NULL)
			return NULL;
		l = (struct lost){
			.value = p->value,
			.plen = (uint8_t)p->plen,
			.onlink = (p->flags & ICS_PIO_ONLINK) != 0,
			.variants = 1u << VANISHED,
			.valid_left_s = ra_left_s(p->valid_until_ns, msg->ts_ns),
			.preferred_left_s = ra_left_s(p->preferred_until_ns, msg->ts_ns),
		};
		l.valid_s = l.address_s = l.valid_left_s;
		l.preferred_s = l.preferred_left_s;
		*found |= add_lost(e, &l) != NULL;
	}
	return e;
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
		const struct ics_prefix *prior;
		struct lost l;

		if (i->kind != ICS_PREFIX_PIO || !(i->flags & (ICS_PIO_ONLINK | ICS_PIO_AUTO)))
			continue;
		prior = prior_of(d, c, i, msg->ts_ns);
		if (prior != NULL && judge(i, prior, msg->ts_ns, &l) != 0) {
			if (!found && e == NULL && ics_ra_is_crowd(d, msg, c))
				return;
			e = open_episode(d, e, msg, c);
			if (e == NULL)
				return;
			add_lost(e, &l);
			found = true;
		} else if (e != NULL && msg->strict) {
			again |= is_again(e, i);
			note_normal(e, msg, i);
		}
	}
	if (msg->strict && c->ra->new_round)
		e = look_for_missing(d, e, msg, c, &found);
	if (e == NULL)
		return;
	if (found) {
		e->event_ns = msg->ts_ns;
		count_hosts(d, e, c->segment->id);
		ics_ra_case_note(d, &e->k, msg, c);
		ics_episode_update(&e->ep, msg, signature_of(d, e));
	} else if (again) {
		e->event_ns = msg->ts_ns;
		ics_episode_update(&e->ep, msg, signature_of(d, e));
	} else if (is_over(e)) {
		ics_episode_close(&e->ep);
	} else {
		ics_episode_refresh(&e->ep, signature_of(d, e));
	}
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->event_ns + DAY_NS;
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(1, sizeof(struct state));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
configure(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "pfx_hosts %u addresses, vanished 3 announcements, clear_after 2 RAs or 86400 s",
		 d->conf->detect.pfx_hosts);
	d->info.thresholds = d->thresholds;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

const struct ics_detector_ops ics_det_ra_prefix_withdrawn = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.init = init,
	.configure = configure,
	.fini = fini,
	.message = on_ra,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
