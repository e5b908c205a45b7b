/* A neighbor advertisement about a router with the router flag clear makes hosts drop it as default router, with all
 * destinations behind it (RFC 4861 7.2.5, 7.3.3). Which of them act is 7.2.5's table, in the model; here it becomes a
 * finding: to the whole segment, to one host after the other (a NUD probe answered by a router that does not
 * forward on that interface), by a foreign MAC, or without effect. Called for NAs and RAs; clears when the router
 * says that it is one and has stopped denying it for as long as hosts may take to probe again.
 */
#include "detect_priv.h"

#include <stdio.h>

#define WINDOW_NS (600 * NS_PER_S)
#define CHRONIC 3
/* A peer of a redundancy group takes over within this time (B1). */
#define FHRP_WAIT_NS (3 * NS_PER_S)
#define VICTIMS_MAX 64

#define NOTE_GONE "not a default router at the time"
#define NOTE_TO_ROUTER "its receiver is a router itself, and routers have no default router"
#define NOTE_CUT "not enough of it was captured to know whether hosts act on it"

/* In order of precedence. */
enum variant { HIJACK, SOURCE_ONLY, UNSOL_ALL, SOL_UNICAST, UNSOL_UNICAST, INEFFECTIVE, MIXED };

static const char *const names[] = {
	[HIJACK] = "hijack",
	[SOURCE_ONLY] = "source_only",
	[UNSOL_ALL] = "unsol_all",
	[SOL_UNICAST] = "sol_unicast",
	[UNSOL_UNICAST] = "unsol_unicast",
	[INEFFECTIVE] = "ineffective",
	[MIXED] = "mixed",
};

/* One message that cleared the flag, as judged. */
struct verdict {
	enum variant variant;
	enum ics_severity severity;
	bool kill, mac_known, to_all, has_mac, has_tlla, lenient;
	const char *note; /* why it is without effect; NULL: nothing to add */
	enum ics_match match;
	uint8_t flags;
	struct ics_mac mac, tlla;
	struct ics_ip source, target, dst;
	struct ics_router before;
	struct ics_defaults left;
	uint32_t hosts;
	uint64_t last_r1_age_ms; /* UINT64_MAX: never */
};

struct episode {
	struct ics_episode ep;
	struct verdict worst; /* what the evidence shows */
	uint32_t variants;
	bool lenient, muted, chronic, effective;
	bool fhrp_handover;      /* since the latest R=0 a peer has taken the router over */
	uint64_t fhrp_until_ns;  /* one may still; 0: not waited for */
	bool affirmed;           /* R=1 or a lifetime since the latest R=0 */
	uint64_t r0_ns[CHRONIC]; /* times of the latest ones, newest first */
	unsigned n_r0;
	uint64_t quiet_ns; /* how long there must be none before it clears */
	struct ics_ip victim[VICTIMS_MAX];
	unsigned n_victims;
	bool more_victims;
};

static const char *const match_names[] = {"none", "target", "source", "both"};

static enum variant
variant_of(const struct ics_msg *msg, const struct ics_change *c, bool effective)
{
	if (!effective)
		return INEFFECTIVE;
	if (!c->lla_known && (msg->na.flags & ICS_NA_FLAG_OVERRIDE))
		return HIJACK;
	if (c->match == ICS_MATCH_SOURCE)
		return SOURCE_ONLY;
	if (ics_ip6_is_multicast(msg->dst.b))
		return UNSOL_ALL;
	return msg->na.flags & ICS_NA_FLAG_SOLICITED ? SOL_UNICAST : UNSOL_UNICAST;
}

static enum ics_severity
severity_of(const struct ics_detector *d, const struct verdict *v, unsigned victims)
{
	enum ics_severity s = ICS_SEV_WARN;

	if (v->variant == INEFFECTIVE)
		return ICS_SEV_INFO;
	/* As with lifetime 0: hosts go on with another router that is as good. A hijacker keeps the traffic. */
	if (v->variant == HIJACK || (v->variant == UNSOL_ALL && !v->left.as_preferred) ||
	    (v->variant != SOURCE_ONLY && victims >= d->conf->detect.r0_victims))
		s = ICS_SEV_CRITICAL;
	if (v->before.state == ICS_ROUTER_NONDEFAULT)
		s = ICS_SEV_WARN; /* no host had it as a default router */
	else if (v->to_all && v->left.n == 0)
		s = ics_severity_higher(s);
	if (v->lenient)
		s = ics_severity_lower(s);
	return v->before.pinned ? ICS_SEV_CRITICAL : s;
}

/* As judged, less bad where redundant routers hand the address over and for as long as that may be so. */
static enum ics_severity
severity_now(const struct episode *e)
{
	enum ics_severity s = e->worst.severity;

	if (e->worst.before.pinned)
		return s;
	if (e->fhrp_handover)
		return ics_severity_lower(s);
	return e->fhrp_until_ns != 0 && s > ICS_SEV_WARN ? ICS_SEV_WARN : s;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)severity_now(e) << 32 | (uint64_t)e->fhrp_handover << 37 |
	       (uint64_t)e->lenient << 34 | (uint64_t)e->muted << 35 | (uint64_t)e->chronic << 36;
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	const struct verdict *v = &e->worst;
	char ip[ICS_IP_STRLEN], dst[ICS_IP_STRLEN], target[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN] = "MAC unknown";
	char who[ICS_IP_STRLEN + 8] = "every host";

	a->says[0] = '\0';
	ics_ip_format(&v->before.addr, ip);
	ics_ip_format(&v->dst, dst);
	if (v->has_mac)
		ics_mac_format(&v->mac, mac);
	if (!v->to_all)
		snprintf(who, sizeof(who), "host %s", dst);

	if (v->variant == INEFFECTIVE) {
		ics_say(a, "%s sent a Neighbor Advertisement for router %s to %s with the router flag clear", mac, ip,
			dst);
		if (v->note != NULL)
			ics_say(a, ": %s.", v->note);
		else
			ics_say(a, ", without override and with a MAC that hosts do not have for it. Hosts ignore it.");
		ics_say(a,
			" Nothing to do if a sleep or neighbor proxy answers there, else find the port of this MAC.");
		return;
	}
	if (v->variant == SOURCE_ONLY)
		ics_say(a,
			"%s (%s) sent a Neighbor Advertisement for %s to %s with the router flag clear: Linux hosts "
			"drop their routes through its sender %s",
			ip, mac, ics_ip_format(&v->target, target), dst, ip);
	else if (v->mac_known)
		ics_say(a, "%s (%s) told %s that it is no router: router flag 1 -> 0 in a Neighbor Advertisement to %s",
			ip, mac, who, dst);
	else
		ics_say(a,
			"%s, which is not the router's MAC, told %s that %s is no router: router flag 1 -> 0 in a "
			"Neighbor Advertisement to %s",
			mac, who, ip, dst);
	if (v->variant == HIJACK)
		ics_say(a, ", and that its MAC is now another one");
	if (v->to_all)
		ics_say_what_is_left(a, &v->left, v->hosts);
	else
		ics_say(a, "; so far %s%u host%s dropped it.", e->more_victims ? "at least " : "", e->n_victims,
			e->n_victims == 1 ? "" : "s");
	if (v->before.last_nonzero_ra_ns != 0 && v->before.state == ICS_ROUTER_DEFAULT)
		ics_say(a, " Its last Router Lifetime was %u s.", v->before.last_nonzero_lifetime_s);
	if (e->fhrp_handover)
		ics_say(a, " A redundancy peer took it over within 3 s.");
	else if (e->variants & 1u << MIXED)
		ics_say(a, " In between the same router says that it is one: it contradicts itself.");
	if (e->lenient)
		ics_say(a, " Only hosts that do not follow the standards act on this message.");
	if (v->variant == HIJACK || !v->mac_known)
		ics_say(a, " Find the port of this MAC and take it off the network.");
	else
		ics_say(a, " Enable IPv6 forwarding on that interface of the router, or stop the host that uses the "
			   "gateway's "
			   "address.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct verdict *v = &e->worst;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_now(e);
	a->lenient = e->lenient;
	a->muted = e->muted;
	if (v->has_mac)
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&v->mac, mac));
	ics_fact_set_text(a, "event", "router_flag_cleared");
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "match", "%s", match_names[v->match]);
	ics_fact_set_bool(a, "kill", v->kill);
	ics_fact_set_text(a, "target", "%s", ics_ip_format(&v->target, ip));
	ics_fact_set_text(a, "source", "%s", ics_ip_format(&v->source, ip));
	ics_fact_set_bool(a, "flag_r", v->flags & ICS_NA_FLAG_ROUTER);
	ics_fact_set_bool(a, "flag_s", v->flags & ICS_NA_FLAG_SOLICITED);
	ics_fact_set_bool(a, "flag_o", v->flags & ICS_NA_FLAG_OVERRIDE);
	ics_fact_set_text(a, "tlla", "%s", v->has_tlla ? ics_mac_format(&v->tlla, mac) : "");
	ics_detect_mac_list(&v->before, text);
	ics_fact_set_text(a, "learned_macs", "%s", text);
	ics_fact_set_bool(a, "mac_known", v->mac_known);
	ics_fact_set_text(a, "dst_scope", "%s", v->to_all ? "all hosts" : "one host");
	ics_fact_set_uint(a, "victims", e->n_victims);
	if (e->more_victims)
		ics_fact_set_bool(a, "victims_at_least", true);
	if (v->before.last_ra_ns != 0)
		ics_fact_set_uint(a, "last_ra_lifetime_s", v->before.lifetime_s);
	if (v->last_r1_age_ms != UINT64_MAX)
		ics_fact_set_seconds(a, "last_r1_age_s", v->last_r1_age_ms);
	ics_fact_set_text(a, "router_state_before", "%s", ics_router_state_name(v->before.state));
	ics_detect_blast(a, &v->left, v->variant == INEFFECTIVE ? 0 : v->to_all ? v->hosts : e->n_victims);
	ics_fact_set_uint(a, "hosts", v->hosts);
	ics_fact_set_bool(a, "chronic", e->chronic);
	if (v->before.fhrp)
		ics_fact_set_bool(a, "fhrp_handover", e->fhrp_handover);
	if (v->note != NULL)
		ics_fact_set_text(a, "note", "%s", v->note);
	else if (ics_fact_find(a, "note") != NULL)
		ics_fact_set_text(a, "note", "%s", "");
	if (e->lenient)
		ics_fact_set_text(a, "reason", "lenient");
	else if (ics_fact_find(a, "reason") != NULL)
		ics_fact_set_text(a, "reason", "strict");
	say(a, e);
}

static void
note_victim(struct episode *e, const struct ics_ip *dst)
{
	for (unsigned i = 0; i < e->n_victims; i++)
		if (ics_ip_equal(&e->victim[i], dst))
			return;
	if (e->n_victims < VICTIMS_MAX)
		e->victim[e->n_victims++] = *dst;
	else
		e->more_victims = true;
}

static void
note_time(struct episode *e, const struct ics_msg *msg)
{
	uint64_t copies = 1 + (uint64_t)msg->rec->repeats;

	if (e->n_r0 != 0 && e->affirmed && msg->ts_ns < e->r0_ns[0] + WINDOW_NS)
		e->variants |= 1u << MIXED;
	for (uint64_t i = 0; i < copies && i < CHRONIC; i++) {
		memmove(&e->r0_ns[1], &e->r0_ns[0], (CHRONIC - 1) * sizeof(e->r0_ns[0]));
		e->r0_ns[0] = msg->ts_ns;
		if (e->n_r0 < CHRONIC)
			e->n_r0++;
	}
	if (e->n_r0 == CHRONIC && e->r0_ns[0] <= e->r0_ns[CHRONIC - 1] + WINDOW_NS)
		e->chronic = true;
	e->affirmed = false;
}

/* Default routers are kept by hosts (RFC 4861 6.3.4): a router that asks another one loses nothing by the answer. */
static bool
is_to_router(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_router *r =
		ics_ip6_is_multicast(msg->dst.b) ? NULL : ics_model_router_find(d->model, c->segment->id, &msg->dst);

	return r != NULL && r->state == ICS_ROUTER_DEFAULT;
}

/* Why a message is without effect, where it is not plain from its flags. */
static const char *
note_of(const struct ics_msg *msg, const struct ics_change *c, bool gone, bool to_router)
{
	if (c->kill)
		return gone ? NOTE_GONE : to_router ? NOTE_TO_ROUTER : NULL;
	return msg->cut && !msg->na.has_lla ? NOTE_CUT : NULL;
}

static void
judge(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, struct verdict *v)
{
	/* A configured gateway counts as DEFAULT before its first RA. Demoted (HOSTED) it still is one to hosts that
	 * had no neighbour entry for it.
	 */
	bool gone = c->before.state == ICS_ROUTER_RETRACTED || c->before.state == ICS_ROUTER_EXPIRED;
	bool to_router = is_to_router(d, msg, c);

	*v = (struct verdict){
		.variant = variant_of(msg, c, c->kill && !gone && !to_router),
		.kill = c->kill,
		.mac_known = c->mac_known,
		.to_all = ics_ip6_is_multicast(msg->dst.b),
		.has_mac = msg->has_mac,
		.has_tlla = msg->na.has_lla,
		.lenient = !msg->strict,
		.note = note_of(msg, c, gone, to_router),
		.match = c->match,
		.flags = msg->na.flags,
		.mac = msg->smac,
		.tlla = msg->na.lla,
		.source = msg->src,
		.target = msg->na.target,
		.dst = msg->dst,
		.before = c->before,
		.hosts = ics_detect_hosts(c->segment),
		.last_r1_age_ms = UINT64_MAX,
	};
	ics_detect_other_defaults(d->model, &c->before, &v->left);
	if (c->before.last_r1_ns != 0)
		v->last_r1_age_ms =
			msg->ts_ns > c->before.last_r1_ns ? (msg->ts_ns - c->before.last_r1_ns) / NS_PER_MS : 0;
}

/* Of equals the latest is shown, but the one that demoted the router rather than those that came after. */
static bool
is_worse(const struct verdict *v, const struct verdict *worst)
{
	if (worst->variant == INEFFECTIVE || v->severity > worst->severity)
		return true;
	return v->severity == worst->severity &&
	       (v->before.state != ICS_ROUTER_HOSTED || worst->before.state == ICS_ROUTER_HOSTED);
}

static void
on_cleared(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &c->before.addr);
	const struct ics_mac *mac = msg->has_mac ? &msg->smac : NULL;
	struct verdict v;

	/* A router that comes up says R=0 until it forwards; one that answers for others (7.2.8) does so rightly. */
	if (c->own_dad || (c->match == ICS_MATCH_SOURCE && !c->kill)) {
		d->info.suppressed += 1 + (uint64_t)msg->rec->repeats;
		return;
	}
	judge(d, msg, c, &v);
	if (e == NULL) {
		e = (struct episode *)ics_episode_open(d, c->segment, &c->before.addr,
						       ics_detect_was_known(&c->before, msg->ts_ns));
		if (e == NULL)
			return;
		e->worst = v;
		e->lenient = true;
		e->muted = true;
	}
	note_time(e, msg);
	e->variants |= 1u << v.variant;
	if (v.variant != INEFFECTIVE) {
		/* Once it is effective the harmless ones are no longer what it is about. */
		e->effective = true;
		e->variants &= ~(1u << INEFFECTIVE);
		if (!v.to_all)
			note_victim(e, &msg->dst);
		e->fhrp_handover = false;
		e->fhrp_until_ns = v.before.fhrp && v.variant != HIJACK ? msg->ts_ns + FHRP_WAIT_NS : 0;
	} else if (e->effective) {
		e->variants &= ~(1u << INEFFECTIVE);
	}
	v.severity = severity_of(d, &v, e->n_victims);
	if (is_worse(&v, &e->worst))
		e->worst = v;
	e->lenient &= !msg->strict;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &c->before.addr, mac);
	e->quiet_ns = 3 * NS_PER_MS * c->after.reachable_ms;
	if (e->quiet_ns < WINDOW_NS)
		e->quiet_ns = WINDOW_NS;
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* The router flag set, or a lifetime advertised. */
static void
on_affirmed(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &c->before.addr);

	if (e == NULL)
		return;
	e->affirmed = true;
	if (e->fhrp_until_ns != 0 && msg->ts_ns <= e->fhrp_until_ns && c->mac_known)
		e->fhrp_handover = true;
	e->fhrp_until_ns = 0;
	if (msg->ts_ns >= e->r0_ns[0] + e->quiet_ns)
		ics_episode_close(&e->ep);
	else
		ics_episode_refresh(&e->ep, signature_of(e));
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	if (!c->has_router)
		return;
	if (msg->class == ICS_CLASS_nd_ra) {
		if (msg->strict && msg->ra.lifetime_s != 0)
			on_affirmed(d, msg, c);
	} else if (!(msg->na.flags & ICS_NA_FLAG_ROUTER)) {
		on_cleared(d, msg, c);
	} else if (msg->strict && c->match != ICS_MATCH_SOURCE) {
		on_affirmed(d, msg, c);
	}
}

/* What had no effect needs no recovery. */
static uint64_t
over_at(const struct episode *e)
{
	return e->affirmed || !e->effective ? e->r0_ns[0] + e->quiet_ns : UINT64_MAX;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t t = over_at(e);

	return e->fhrp_until_ns != 0 && e->fhrp_until_ns < t ? e->fhrp_until_ns : t;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	(void)d;
	if (now_ns >= over_at(e)) {
		ics_episode_close(ep);
		return false;
	}
	if (e->fhrp_until_ns != 0 && now_ns >= e->fhrp_until_ns) {
		e->fhrp_until_ns = 0;
		ics_episode_refresh(ep, signature_of(e));
	}
	return true;
}

static void
configure(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "r0_victims %u hosts, chronic %u messages, window %llu s, clear_after %llu s",
		 d->conf->detect.r0_victims, CHRONIC, WINDOW_NS / NS_PER_S, WINDOW_NS / NS_PER_S);
	d->info.thresholds = d->thresholds;
}

const struct ics_detector_ops ics_det_router_flag_cleared = {
	.classes = 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.configure = configure,
	.message = on_message,
	.only = ICS_ONLY_ROUTER,
	.render = render,
	.timer = on_timer,
	.due = due,
};
