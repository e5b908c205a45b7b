/* Who asks for multicast listeners has changed, or two do (RFC 9777 7.6.2, RFC 2710 6): the lowest address wins, so
 * anybody with a low enough one takes over, and then decides when hosts report and what they are asked. One finding for
 * each segment, whatever number of addresses is made up. Called for queries.
 */
#include "detect_priv.h"

#include <stdio.h>

#define CONFLICT_QUERIES 2
#define CLEAR_NS (510 * NS_PER_S) /* two timeouts of a querier that is not heard (RFC 9777 9.5) */
#define KNOWN_NS (3600 * NS_PER_S)

enum variant { V_USURP, V_CONFLICT, V_TAKEOVER, V_CHANGE };
static const char *const names[] = {
	[V_USURP] = "usurp", [V_CONFLICT] = "conflict", [V_TAKEOVER] = "takeover", [V_CHANGE] = "change"};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted, any_strict;
	bool expected; /* every querier in conflict is in detect.queriers_allow */
	uint64_t last_ns;
	struct ics_querier from, to; /* of the worst variant: who led, who does or wants to */
	uint64_t silent_ns;
	enum variant worst;
	unsigned queriers;
	uint64_t overruled;
};

static const struct ics_ip whole_segment;

static enum ics_severity
severity_of(const struct episode *e)
{
	enum ics_severity s = ICS_SEV_INFO;

	if (e->variants & 1u << V_USURP)
		s = ICS_SEV_CRITICAL;
	else if ((e->variants & 1u << V_CONFLICT) && !e->expected)
		s = ICS_SEV_WARN;
	return e->any_strict ? s : ics_severity_lower(s);
}

/* "fe80::1 (00:00:5e:00:53:01)" */
static char *
who(const struct ics_querier *q, char buf[static 80])
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	snprintf(buf, 80, "%s (%s)", ics_ip_format(&q->addr, ip), q->has_mac ? ics_mac_format(&q->mac, mac) : "no MAC");
	return buf;
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char from[80], to[80], mac[ICS_MAC_STRLEN];

	who(&e->from, from);
	who(&e->to, to);
	a->says[0] = '\0';
	switch (e->worst) {
	case V_USURP:
		ics_say(a,
			"%s %s MLD querier of this segment from %s: its address is lower, and it is neither a "
			"known router nor in detect.queriers_allow. It decides when every host reports its groups, and "
			"whether switches still forward. Find the port of %s; if it is yours, put it into "
			"detect.queriers_allow.",
			to, e->any_strict ? "took over as" : "tries to take over as", from,
			e->to.has_mac ? ics_mac_format(&e->to.mac, mac) : "its MAC");
		break;
	case V_CONFLICT:
		ics_say(a,
			"Two MLD queriers ask on one segment: %s goes on (%llu queries so far) though %s has the lower "
			"address and wins. Hosts answer both, and switches may send reports to one of them only. The "
			"election is broken or filtered: look for what stops queries between the two.",
			to, (unsigned long long)e->overruled, from);
		break;
	case V_TAKEOVER:
		ics_say(a,
			"MLD querier is now %s, after %s was silent for %llu s. Members are asked again, nothing is "
			"lost. If %s was not taken away on purpose, find out why it stopped.",
			to, from, (unsigned long long)(e->silent_ns / NS_PER_S), from);
		break;
	case V_CHANGE:
		ics_say(a,
			"MLD querier is now %s instead of %s: its address is lower, as the election wants. Timers of "
			"hosts and switches follow it. Nothing to do if it was put there on purpose.",
			to, from);
		break;
	}
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	a->lenient = !e->any_strict;
	ics_subject_set_text(a, "querier", "%s", ics_ip_format(&e->to.addr, ip));
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "from", "%s", who(&e->from, text));
	ics_fact_set_text(a, "to", "%s", who(&e->to, text));
	ics_fact_set_text(a, "versions", "%u, %u", e->from.version, e->to.version);
	ics_fact_set_text(a, "intervals_s", "%u, %u", ics_querier_qi_s(&e->from), ics_querier_qi_s(&e->to));
	ics_fact_set_seconds(a, "silent_s", e->silent_ns / NS_PER_MS);
	ics_fact_set_uint(a, "overruled_queries", e->overruled);
	ics_fact_set_uint(a, "queriers", e->queriers);
	say(a, e);
}

static bool
is_listed(const struct ics_ip_list *l, const struct ics_ip *addr)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ics_ip_equal(&l->ip[i], addr))
			return true;
	return false;
}

/* A router may well ask, and so may what was here for a while. */
static bool
may_lead(const struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr,
	 const struct ics_querier *q, uint64_t now_ns)
{
	if (is_listed(&d->conf->detect.queriers_allow, addr) || is_listed(&d->conf->detect.routers_allow, addr) ||
	    ics_detect_is_router_addr(d, seg->id, addr))
		return true;
	if (q != NULL && now_ns >= q->first_ns + KNOWN_NS)
		return true;
	/* Whom to expect is learned; a list says it from the start. */
	return d->conf->detect.queriers_allow.n == 0 && ics_model_is_learning(d->model, seg);
}

/* ICS_ARRAY_LEN(names): none. */
static enum variant
judge(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, struct ics_querier *from)
{
	const struct ics_query_event *ev = c->query;
	const struct ics_querier *cur;

	*from = ev->before;
	switch (ev->role) {
	case ICS_QUERY_LOWER:
		return may_lead(d, c->segment, &msg->src, ev->querier, msg->ts_ns) ? V_CHANGE : V_USURP;
	case ICS_QUERY_TAKEOVER:
		return V_TAKEOVER;
	case ICS_QUERY_HIGHER:
		return ev->querier->overruled >= CONFLICT_QUERIES ? V_CONFLICT : ICS_ARRAY_LEN(names);
	default:
		break;
	}
	/* An attempt that hosts do not follow. */
	cur = ics_queriers_current(ev->queriers, msg->ts_ns);
	if (msg->strict || !ev->query.general || cur == NULL || !ics_ip6_is_link_local(msg->src.b) ||
	    memcmp(msg->src.b, cur->addr.b, 16) >= 0 || may_lead(d, c->segment, &msg->src, NULL, msg->ts_ns))
		return ICS_ARRAY_LEN(names);
	*from = *cur;
	return V_USURP;
}

static struct ics_querier
sender_of(const struct ics_msg *msg, const struct ics_query_event *ev)
{
	if (ev->querier != NULL)
		return *ev->querier;
	return (struct ics_querier){
		.addr = msg->src,
		.mac = msg->smac,
		.has_mac = msg->has_mac,
		.version = ev->query.version,
		.qqi_s = ev->query.qqi_s,
	};
}

static void
on_query(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_query_event *ev = c->query;
	struct ics_querier from;
	struct episode *e;
	enum variant v;

	if (ev == NULL || ev->is_copy || ev->forged)
		return;
	v = judge(d, msg, c, &from);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &whole_segment);
	if ((unsigned)v == ICS_ARRAY_LEN(names)) {
		if (e != NULL && ev->role == ICS_QUERY_HIGHER) {
			e->last_ns = msg->ts_ns;
			ics_episode_rearm(&e->ep);
		}
		return;
	}
	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, c->segment, &whole_segment, "querier", "");
		if (e == NULL)
			return;
		e->muted = e->expected = true;
		e->worst = V_CHANGE;
	}
	e->variants |= 1u << v;
	e->any_strict |= msg->strict;
	e->last_ns = msg->ts_ns;
	e->queriers = ev->queriers != NULL ? ev->queriers->n : 0;
	if (v <= e->worst) {
		e->worst = v;
		e->from = from;
		e->to = sender_of(msg, ev);
		e->silent_ns = from.last_general_ns != 0 && msg->ts_ns > from.last_general_ns
				       ? msg->ts_ns - from.last_general_ns
				       : 0;
	}
	if (v == V_CONFLICT) {
		e->overruled = ev->querier->overruled;
		e->expected &= is_listed(&d->conf->detect.queriers_allow, &msg->src);
	}
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)severity_of(e) << 8 | (uint64_t)e->muted << 12);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

const struct ics_detector_ops ics_det_mld_querier_change = {
	.classes = 1ull << ICS_CLASS_mld_query,
	.episode_len = sizeof(struct episode),
	.message = on_query,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
