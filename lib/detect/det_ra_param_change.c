/* A router advertisement changes what hosts were told before: hop limit, MTU, neighbor timers, address configuration
 * (RFC 4861 6.3.4: a host takes over every value that is specified, from any router). One packet is enough to strand
 * hosts (CVE-2015-2922 and its kin). Called for RAs; clears when the old value is back, or is the new normal after a
 * day. The router that puts back its value after a forged one did not change anything.
 */
#include "ra_case.h"

#include <stdio.h>

/* Fewer hops than this do not reach the far side of the net. */
#define HOP_LIMIT_LOW 32
#define MIN_MTU 1280 /* hosts ignore less, RFC 4861 6.3.4 */
/* Less than any tunnel or label stack on a LAN's uplink needs. */
#define MTU_LOW 1400
#define TIMER_FACTOR 10
/* Announcements without an MTU before one counts as new: options may be split over several RAs (6.2.3). */
#define MTU_ABSENT_ROUNDS 3
#define CLEAR_NS (60 * NS_PER_S)
#define CLEAR_RAS 2
#define RAISED_MAX 1024

/* A router whose hop limit went up, which harms nobody: where it was before, and when. */
struct raised {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t hop_limit;
	uint64_t ns;
};

/* In order of precedence. */
enum field { HOP_LIMIT, MTU, MANAGED, OTHER, REACHABLE, RETRANS, FIELDS };

static const char *const names[FIELDS] = {"hop_limit", "mtu", "managed", "other", "reachable", "retrans"};
static const char *const words[FIELDS] = {
	"hop limit", "MTU", "managed flag", "other-configuration flag", "reachable time", "retransmit timer",
};
static const char *const units[FIELDS] = {"", "", "", "", " ms", " ms"};
static const char *const before_keys[FIELDS] = {"hop_limit_before", "mtu_before",          "managed_before",
						"other_before",     "reachable_ms_before", "retrans_ms_before"};
static const char *const after_keys[FIELDS] = {"hop_limit_after", "mtu_after",          "managed_after",
					       "other_after",     "reachable_ms_after", "retrans_ms_after"};

struct episode {
	struct ics_episode ep;
	struct ra_case k;
	uint32_t changed;  /* fields that were ever told */
	uint32_t deviates; /* those that still are not what they were */
	uint32_t before[FIELDS], after[FIELDS];
	enum ics_severity severity; /* of the worst change */
	bool other_router;          /* the old values are those of another router */
	uint64_t change_ns, good_ns;
	unsigned n_good;
};

/* What a message says of each field, 0 where it leaves it open. */
static void
values_of(const struct ics_msg *msg, uint32_t link_mtu, uint32_t v[static FIELDS])
{
	const struct ics_msg_ra *ra = &msg->ra;

	v[HOP_LIMIT] = ra->cur_hop_limit;
	v[MTU] = ra->mtu >= MIN_MTU && ra->mtu <= link_mtu ? ra->mtu : 0;
	v[MANAGED] = (ra->flags & ICS_RA_FLAG_MANAGED) != 0;
	v[OTHER] = (ra->flags & ICS_RA_FLAG_OTHER) != 0;
	v[REACHABLE] = ra->reachable_ms;
	v[RETRANS] = ra->retrans_ms;
}

/* What hosts had before: of this router, or of another one when this one is new. False: nothing to compare with. */
static bool
prior_of(struct ics_detector *d, const struct ics_change *c, uint32_t v[static FIELDS], bool *other_router)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT], *r = &c->before;
	const struct ics_advertiser *a = c->ra->known ? &c->ra->before : NULL;
	unsigned n;

	*other_router = c->created;
	if (c->created) {
		n = ics_model_segment_routers(d->model, c->segment->id, all);
		for (r = NULL; n > 0; n--)
			if (all[n - 1]->state == ICS_ROUTER_DEFAULT && all[n - 1]->id < c->after.id &&
			    all[n - 1]->ra_count != 0) {
				r = all[n - 1];
				break;
			}
	}
	if (r == NULL || r->ra_count == 0)
		return false;
	if (c->created)
		a = ics_model_advertiser(d->model, c->segment->id, &r->addr);
	v[HOP_LIMIT] = r->cur_hop_limit;
	v[MTU] = a != NULL && a->steady[ICS_RA_MTU] != 0 ? a->value[ICS_RA_MTU] : 0;
	v[MANAGED] = (r->flags & ICS_RA_FLAG_MANAGED) != 0;
	v[OTHER] = (r->flags & ICS_RA_FLAG_OTHER) != 0;
	v[REACHABLE] = r->reachable_ms;
	v[RETRANS] = r->retrans_ms;
	return true;
}

/* The value is lower again; true when it is back where it was within the last day, and hosts can live with that. */
static bool
is_back(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, uint32_t old, uint32_t now)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {msg->src, c->segment->id};
	struct ics_table *t = d->state;
	struct raised *r;
	uint32_t i;

	if (now == 0 || old == 0 || now == old)
		return false;
	i = ics_table_find(t, &key);
	r = i != 0 ? ics_table_at(t, i) : NULL;
	if (now < old)
		return r != NULL && now == r->hop_limit && now >= HOP_LIMIT_LOW && msg->ts_ns < r->ns + DAY_NS;
	if (r != NULL && msg->ts_ns < r->ns + DAY_NS)
		return false;
	if (r == NULL) {
		if (t->count >= RAISED_MAX)
			ics_table_remove(t, ics_table_oldest(t, NULL));
		i = ics_table_insert(t, &key);
		if (i == 0)
			return false;
		r = ics_table_at(t, i);
	}
	r->hop_limit = old;
	r->ns = msg->ts_ns;
	return false;
}

static bool
is_tenfold(uint32_t a, uint32_t b)
{
	return a != 0 && b != 0 && ((uint64_t)a * TIMER_FACTOR <= b || (uint64_t)b * TIMER_FACTOR <= a);
}

static uint32_t
changes_of(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, bool other_router,
	   uint32_t old[static FIELDS], const uint32_t now[static FIELDS])
{
	uint32_t link_mtu = d->conf->detect.link_mtu, f = 0;

	if (now[HOP_LIMIT] != 0 && now[HOP_LIMIT] < old[HOP_LIMIT] &&
	    (now[HOP_LIMIT] < HOP_LIMIT_LOW || (!other_router && now[HOP_LIMIT] * 2 <= old[HOP_LIMIT])))
		f |= 1u << HOP_LIMIT;
	if (now[MTU] != 0 && old[MTU] == 0 && !other_router &&
	    (!c->ra->known || c->ra->before.round < MTU_ABSENT_ROUNDS))
		return f; /* still being introduced */
	/* Without the option hosts use what the link carries. */
	if (old[MTU] == 0)
		old[MTU] = link_mtu;
	if (now[MTU] != 0 && now[MTU] != old[MTU] && (!other_router || now[MTU] < MTU_LOW))
		f |= 1u << MTU;
	/* Routers may differ in what follows as long as they stay with it: ra_inconsistent. */
	if (other_router)
		return f;
	if (is_tenfold(old[REACHABLE], now[REACHABLE]))
		f |= 1u << REACHABLE;
	if (is_tenfold(old[RETRANS], now[RETRANS]))
		f |= 1u << RETRANS;
	/* The last RAs of a router that leaves are built from nothing by some. */
	if (msg->ra.lifetime_s != 0 && now[MANAGED] != old[MANAGED])
		f |= 1u << MANAGED;
	if (msg->ra.lifetime_s != 0 && now[OTHER] != old[OTHER])
		f |= 1u << OTHER;
	return f;
}

static enum ics_severity
severity_of(uint32_t fields, const uint32_t v[static FIELDS])
{
	bool low_hops = (fields & 1u << HOP_LIMIT) && v[HOP_LIMIT] < HOP_LIMIT_LOW;
	bool low_mtu = (fields & 1u << MTU) && v[MTU] < MTU_LOW;

	return low_hops || low_mtu ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static uint64_t
signature_of(const struct episode *e)
{
	uint64_t h =
		e->changed | (uint64_t)e->severity << 16 | (uint64_t)e->k.lenient << 20 | (uint64_t)e->k.muted << 21;

	return ics_hash_mix(h, ics_hash(e->after, sizeof(e->after), 1));
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	bool first = true;

	a->says[0] = '\0';
	ics_ra_case_say_who(a, &e->k);
	ics_say(a, " changed what it tells hosts: ");
	for (unsigned f = 0; f < FIELDS; f++) {
		if (!(e->changed >> f & 1))
			continue;
		ics_say(a, "%s%s %u -> %u%s", first ? "" : ", ", words[f], e->before[f], e->after[f], units[f]);
		first = false;
	}
	ics_say(a, "%s.", e->other_router ? " (before: of the other router)" : "");
	if ((e->changed & 1u << HOP_LIMIT) && e->after[HOP_LIMIT] < HOP_LIMIT_LOW)
		ics_say(a, " Hosts no longer reach anything more than %u routers away.", e->after[HOP_LIMIT]);
	else if (e->changed & 1u << HOP_LIMIT)
		ics_say(a, " Hosts take the smaller hop limit at once; distant peers may be out of reach.");
	if (e->changed & 1u << MTU)
		ics_say(a, " Hosts send packets of at most %u octets from now on.", e->after[MTU]);
	if (e->changed & (1u << MANAGED | 1u << OTHER))
		ics_say(a, " Hosts %s DHCPv6 for it.", e->after[MANAGED] || e->after[OTHER] ? "ask" : "no longer ask");
	if (e->changed & (1u << REACHABLE | 1u << RETRANS))
		ics_say(a, " Hosts probe their neighbors at another pace.");
	ics_ra_case_say_forger(
		a, &e->k,
		"If nobody changed the configuration of that router, find out what did; a planned change "
		"is muted with detect.mute.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN];

	a->variant = ics_detect_variants(e->changed, names, FIELDS, text);
	a->severity = ics_ra_case_severity(&e->k, e->severity);
	ics_ra_case_render(a, &e->k);
	ics_fact_set_text(a, "fields", "%s", text);
	for (unsigned f = 0; f < FIELDS; f++) {
		if (!(e->changed >> f & 1))
			continue;
		ics_fact_set_uint(a, before_keys[f], e->before[f]);
		ics_fact_set_uint(a, after_keys[f], e->after[f]);
	}
	if (e->other_router)
		ics_fact_set_bool(a, "before_is_of_another_router", true);
	say(a, e);
}

/* Fields of an open episode that the message puts back, or away from what they were. */
static void
follow(struct episode *e, const struct ics_msg *msg, const uint32_t now[static FIELDS])
{
	for (unsigned f = 0; f < FIELDS; f++) {
		bool open = now[f] == 0 && f != MANAGED && f != OTHER;

		if (!(e->changed >> f & 1) || open || (msg->ra.lifetime_s == 0 && (f == MANAGED || f == OTHER)))
			continue;
		if (now[f] == e->before[f]) {
			e->deviates &= ~(1u << f);
		} else {
			e->deviates |= 1u << f;
			e->after[f] = now[f];
		}
	}
	if (e->deviates != 0) {
		e->n_good = 0;
	} else if (e->n_good == 0) {
		e->n_good = 1;
		e->good_ns = msg->ts_ns;
	} else if (msg->ts_ns >= e->good_ns + ICS_RA_SPLIT_NS) {
		e->n_good++;
	}
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	uint32_t old[FIELDS], now[FIELDS], f = 0;
	enum ics_severity s;
	bool other_router;

	if (!c->has_router || c->ra == NULL) {
		d->info.suppressed += !c->has_router && msg->strict; /* the model has no room for it */
		return;
	}
	values_of(msg, d->conf->detect.link_mtu, now);
	if (prior_of(d, c, old, &other_router)) {
		f = changes_of(d, msg, c, other_router, old, now);
		if (msg->strict && !other_router && is_back(d, msg, c, old[HOP_LIMIT], now[HOP_LIMIT]))
			f &= ~(1u << HOP_LIMIT);
	}
	if (e == NULL) {
		if (f == 0 || ics_ra_is_crowd(d, msg, c))
			return;
		e = (struct episode *)ics_episode_open(d, c->segment, &msg->src,
						       ics_detect_was_known(&c->before, msg->ts_ns));
		if (e == NULL)
			return;
		e->other_router = other_router;
		e->severity = ICS_SEV_INFO;
	} else if (msg->strict) {
		follow(e, msg, now);
	}
	/* Back to what it was is no news of its own. */
	for (unsigned i = 0; i < FIELDS; i++)
		if ((f >> i & 1) && (e->changed >> i & 1) && now[i] == e->before[i])
			f &= ~(1u << i);
	if (f != 0) {
		e->change_ns = msg->ts_ns;
		e->n_good = 0;
		for (unsigned i = 0; i < FIELDS; i++) {
			if (!(f >> i & 1))
				continue;
			if (!(e->changed >> i & 1))
				e->before[i] = old[i];
			e->after[i] = now[i];
		}
		e->changed |= f;
		e->deviates |= f;
		s = severity_of(f, now);
		if (s > e->severity)
			e->severity = s;
		ics_ra_case_note(d, &e->k, msg, c);
	}
	if (e->n_good >= CLEAR_RAS)
		ics_episode_close(&e->ep);
	else if (f != 0 || e->deviates != 0)
		ics_episode_update(&e->ep, msg, signature_of(e));
	else
		ics_episode_refresh(&e->ep, signature_of(e));
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->n_good != 0 ? e->good_ns + CLEAR_NS : e->change_ns + DAY_NS;
}

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct raised), 20, RAISED_MAX);
}

const struct ics_detector_ops ics_det_ra_param_change = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = ics_detector_drop_table,
	.message = on_ra,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
