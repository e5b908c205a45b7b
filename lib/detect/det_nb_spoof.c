/* An address that a live host holds is claimed with another MAC (RFC 3756 4.1.1): hosts send there from then on. A machine
 * that moved looks the same at first, except that its old MAC falls silent: so an ordinary announcement of an ordinary
 * address waits for half a minute whether the old MAC speaks again. Called for every message while there is something
 * to wait for; clears after ten minutes with one MAC.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVE_NS (60 * NS_PER_S)
#define CONTEST_NS (30 * NS_PER_S)
#define CLEAR_NS (600 * NS_PER_S)
/* Changes that are waited on at once. */
#define MOVES_MAX 4096

enum variant { CONTESTED, REPLACED, OLD_ALIVE, IGNORED };

static const char *const names[] = {
	[CONTESTED] = "contested",
	[REPLACED] = "replaced",
	[OLD_ALIVE] = "old_alive",
	[IGNORED] = "ignored",
};

/* A change of MAC, found by the old one for as long as it may speak up. */
struct move {
	struct ics_table_head head;
	uint32_t segment; /* with old the key */
	struct ics_mac old, new;
	uint32_t newer; /* index of the next one to be forgotten */
	uint16_t msg_class;
	uint16_t na_flags;
	struct ics_ip addr;
	uint64_t ts_ns, old_heard_ns;
};

struct state {
	struct ics_table moves;
	uint32_t oldest, newest;
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted, vital, old_again, lenient;
	struct move m;
	uint64_t changes, last_ns;
};

static const char *
message_name(const struct move *m)
{
	switch (m->msg_class) {
	case ICS_CLASS_nd_na:
		return "Neighbor Advertisement";
	case ICS_CLASS_nd_ns:
		return "Neighbor Solicitation";
	case ICS_CLASS_nd_rs:
		return "Router Solicitation";
	case ICS_CLASS_nd_ra:
		return "Router Advertisement";
	default:
		return "Redirect";
	}
}

static enum ics_severity
severity_by_variant(const struct episode *e)
{
	if (e->variants & 1u << CONTESTED)
		return ICS_SEV_CRITICAL;
	if (!(e->variants & (1u << REPLACED | 1u << OLD_ALIVE)))
		return ICS_SEV_INFO;
	return e->vital ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	enum ics_severity s = severity_by_variant(e);

	return e->lenient ? ics_severity_lower(s) : s;
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char ip[ICS_IP_STRLEN], old[ICS_MAC_STRLEN], new[ICS_MAC_STRLEN];

	a->says[0] = '\0';
	ics_ip_format(&e->m.addr, ip);
	ics_mac_format(&e->m.old, old);
	ics_mac_format(&e->m.new, new);
	if (e->variants == 1u << IGNORED) {
		ics_say(a,
			"%s was claimed for %s while %s holds it, in a Neighbor Advertisement without override: hosts "
			"keep "
			"what they have. Nothing to do if a proxy answers there, else find the port of the former.",
			ip, new, old);
		return;
	}
	ics_say(a, "%s moved %s -> %s by a %s while the old one is alive", ip, old, new, message_name(&e->m));
	if (e->variants & 1u << CONTESTED)
		ics_say(a, ", and the old one still uses it. Hosts send to whichever spoke last: traffic is lost or "
			   "read by "
			   "the other.");
	else
		ics_say(a, ". Hosts now send what is meant for this address to the new one.");
	if (e->lenient)
		ics_say(a, " Only hosts that do not follow the standards act on this message.");
	if (e->vital)
		ics_say(a, " This is a router, a resolver or an address under watch.");
	ics_say(a, " Find the port of %s; if both are yours, name them in detect.anycast_gw_macs or detect.proxies.",
		new);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	a->lenient = e->lenient;
	if (e->lenient)
		ics_fact_set_text(a, "reason", "lenient");
	else if (ics_fact_find(a, "reason") != NULL)
		ics_fact_set_text(a, "reason", "strict");
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "old_mac", "%s", ics_mac_format(&e->m.old, mac));
	ics_fact_set_text(a, "new_mac", "%s", ics_mac_format(&e->m.new, mac));
	ics_fact_set_text(a, "message", "%s", message_name(&e->m));
	if (e->m.msg_class == ICS_CLASS_nd_na) {
		ics_fact_set_bool(a, "override", (e->m.na_flags & ICS_NA_FLAG_OVERRIDE) != 0);
		ics_fact_set_bool(a, "solicited", (e->m.na_flags & ICS_NA_FLAG_SOLICITED) != 0);
	}
	ics_fact_set_seconds(a, "old_heard_s", (e->m.ts_ns - e->m.old_heard_ns) / NS_PER_MS);
	ics_fact_set_bool(a, "old_mac_again", e->old_again);
	ics_fact_set_bool(a, "vital", e->vital);
	ics_fact_set_uint(a, "changes", e->changes);
	ics_fact_set_uint(a, "port", a->segment.port);
	say(a, e);
}

static bool
is_vital(const struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	return ics_detect_is_router_addr(d, segment, addr) || ics_model_is_watched(d->model, addr) ||
	       ics_detect_is_resolver(d, segment, addr);
}

static void
fire(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, const struct move *m,
     enum variant v)
{
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &m->addr);
	bool vital = is_vital(d, seg->id, &m->addr);
	char ip[ICS_IP_STRLEN];

	if (e == NULL) {
		if (!vital && d->shared->nd_flood[seg->id]) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open_as(d, seg, &m->addr, "address", ics_ip_format(&m->addr, ip));
		if (e == NULL)
			return;
		e->m = *m;
		e->muted = e->lenient = true;
	} else if (v == REPLACED && e->variants == 1u << IGNORED) {
		e->m = *m;
	}
	if (v != IGNORED)
		e->variants &= ~(1u << IGNORED);
	else if (e->variants != 0)
		v = (enum variant)__builtin_ctz(e->variants);
	e->variants |= 1u << v;
	e->vital |= vital;
	e->lenient &= !msg->strict;
	e->old_again |= v == CONTESTED || v == OLD_ALIVE;
	e->changes += v == REPLACED || v == IGNORED;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &seg->key, &m->addr, &m->new);
	ics_episode_update(&e->ep, msg,
			   e->variants | (uint64_t)e->vital << 8 | (uint64_t)e->muted << 9 |
				   (uint64_t)e->lenient << 10);
}

/* ---- changes that are waited on ---- */

static void
forget_old(struct state *s, uint64_t now_ns)
{
	/* At most MOVES_MAX; each is forgotten once. */
	while (s->oldest != 0) {
		struct move *m = ics_table_at(&s->moves, s->oldest);

		if (now_ns < m->ts_ns + CONTEST_NS && s->moves.count < MOVES_MAX)
			return;
		uint32_t i = s->oldest;
		s->oldest = m->newer;
		if (s->oldest == 0)
			s->newest = 0;
		ics_table_remove(&s->moves, i);
	}
}

static void
remember(struct state *s, const struct move *m)
{
	struct {
		uint32_t segment;
		struct ics_mac mac;
	} key = {m->segment, m->old};
	uint32_t i = ics_table_find(&s->moves, &key);
	struct move *e;

	if (i != 0)
		return; /* the first change of this MAC is what counts; its time is not moved on */
	i = ics_table_insert(&s->moves, &key);
	if (i == 0)
		return;
	e = ics_table_at(&s->moves, i);
	struct ics_table_head head = e->head;
	*e = *m;
	e->head = head;
	e->newer = 0;
	if (s->newest != 0)
		((struct move *)ics_table_at(&s->moves, s->newest))->newer = i;
	else
		s->oldest = i;
	s->newest = i;
}

/* An old MAC that speaks: with the address in question, or at all. */
static void
on_old_mac(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *s = d->state;
	struct {
		uint32_t segment;
		struct ics_mac mac;
	} key = {c->segment->id, msg->smac};
	uint32_t i = ics_table_find(&s->moves, &key);
	const struct move *m;
	bool uses;

	if (i == 0)
		return;
	m = ics_table_at(&s->moves, i);
	if (msg->ts_ns >= m->ts_ns + CONTEST_NS)
		return;
	uses = ics_ip_equal(&msg->src, &m->addr) ||
	       (c->claim.claims && ics_ip_equal(&c->claim.addr, &m->addr) && ics_mac_equal(&c->claim.claimed, &m->old));
	if (uses)
		fire(d, msg, c->segment, m, CONTESTED);
	else if (ics_episode_find(d, c->segment->id, &m->addr) == NULL)
		fire(d, msg, c->segment, m, OLD_ALIVE);
}

/* What a move by one who may do so looks like. */
static bool
is_excused(const struct ics_detector *d, const struct ics_claim_change *k, uint64_t now_ns)
{
	return k->tentative || k->asked_first || !k->before_is_live || k->before_heard_ns == 0 ||
	       now_ns > k->before_heard_ns + LIVE_NS || ics_model_is_shared_mac(d->model, &k->before) ||
	       ics_model_is_shared_mac(d->model, &k->claimed) || ics_model_is_proxy(d->model, &k->before) ||
	       ics_model_is_proxy(d->model, &k->claimed);
}

static void
on_change(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_claim_change *k = &c->claim;
	bool is_na = msg->class == ICS_CLASS_nd_na;
	struct move m = {
		.segment = c->segment->id,
		.old = k->before,
		.new = k->claimed,
		.msg_class = (uint16_t)msg->class,
		.na_flags = is_na ? msg->na.flags : 0,
		.addr = k->addr,
		.ts_ns = msg->ts_ns,
		.old_heard_ns = k->before_heard_ns < msg->ts_ns ? k->before_heard_ns : msg->ts_ns,
	};

	if (is_excused(d, k, msg->ts_ns)) {
		d->info.suppressed++;
		return;
	}
	if (!k->replaced) {
		fire(d, msg, c->segment, &m, IGNORED);
		return;
	}
	/* The announcement of a move to everyone: a virtual machine elsewhere, a failover, or a lie. */
	if (msg->strict && is_na && ics_ip6_is_multicast(msg->dst.b) && !(msg->na.flags & ICS_NA_FLAG_SOLICITED) &&
	    !ics_mac_equal(&msg->smac, &k->before) && !is_vital(d, c->segment->id, &k->addr)) {
		d->info.suppressed++;
		remember(d->state, &m);
		return;
	}
	fire(d, msg, c->segment, &m, REPLACED);
	remember(d->state, &m);
}

__attribute__((noinline)) static void
look(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *s = d->state;

	if (s->oldest != 0) {
		forget_old(s, msg->ts_ns);
		if (s->oldest != 0 && msg->strict)
			on_old_mac(d, msg, c);
	}
	if (c->claim.differs)
		on_change(d, msg, c);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct state *s = d->state;

	if (msg->has_mac && (s->oldest != 0 || c->claim.differs))
		look(d, msg, c);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	d->state = s;
	return ics_table_init(&s->moves, sizeof(struct move), 10, MOVES_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s != NULL)
		ics_table_fini(&s->moves);
	free(s);
}

/* A host that is there shows it by more than ND. */
const struct ics_detector_ops ics_det_nb_spoof = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_rs |
		   1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_redirect | 1ull << ICS_CLASS_mld2_report |
		   1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_icmp6_echo_request |
		   1ull << ICS_CLASS_icmp6_echo_reply,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
