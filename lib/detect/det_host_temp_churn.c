/* One MAC makes new random addresses in a prefix far faster than privacy extensions do (RFC 8981 3.6: one a day in each
 * prefix, more after link events). Tells a link that flaps, where a router solicitation goes before each burst, from a
 * host that is broken. Called for NS, NA and RS; clears when the rates have been usual for two hours.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PER_HOUR 8
#define PER_DAY 32
#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (86400 * NS_PER_S)
#define CLEAR_NS (2 * HOUR_NS)
/* A solicitation belongs to the addresses that are made within this time after it, as many of them as a link that comes
 * up makes in a prefix. Whoever makes more has another reason.
 */
#define RS_NS (10 * NS_PER_S)
#define PER_LINK_UP 4
#define RING (PER_DAY + 1)
#define TRACKED_MAX 8192
#define SHOWN 4

/* Its latest arrivals in one prefix. */
struct arrivals {
	uint64_t ts_ns[RING];
	uint64_t after_rs, random; /* bits: with a solicitation before it; one that looks random */
	uint64_t rs_ns;            /* the latest solicitation that had one after it, and how many it had */
	uint32_t n, next, n_of_rs;
};

struct tracked {
	struct ics_table_head head;
	uint8_t prefix[8]; /* with segment and mac the key */
	uint32_t segment;
	struct ics_mac mac;
	uint16_t pad;
	struct arrivals in;
};

struct state {
	struct ics_table tracked;
	uint64_t evictions;
};

struct count {
	unsigned hour, day, random, after_rs; /* random, after_rs: of the hour, or of the day where that is over */
};

struct episode {
	struct ics_episode ep;
	struct ics_mac mac;
	bool muted, hint;
	uint8_t prefix[8];
	struct arrivals in;
	struct count now, most;
	uint32_t mac_churn;
	unsigned n_shown;
	struct ics_ip shown[SHOWN];
};

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	d->state = s;
	if (s == NULL)
		return -ENOMEM;
	return ics_table_init(&s->tracked, sizeof(struct tracked), 18, TRACKED_MAX, d->seed);
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s != NULL)
		ics_table_fini(&s->tracked);
	free(s);
}

static uint64_t
nth_latest(const struct arrivals *in, unsigned n)
{
	return in->ts_ns[(in->next + RING - n) % RING];
}

static void
add(struct arrivals *in, uint64_t ts_ns, uint64_t rs_ns, bool random)
{
	uint64_t bit = 1ull << in->next;
	bool after_rs = false;

	if (rs_ns != 0 && ts_ns < rs_ns + RS_NS) {
		in->n_of_rs = rs_ns == in->rs_ns ? in->n_of_rs + 1 : 1;
		in->rs_ns = rs_ns;
		after_rs = in->n_of_rs <= PER_LINK_UP;
	}
	in->ts_ns[in->next] = ts_ns;
	in->after_rs = (in->after_rs & ~bit) | (after_rs ? bit : 0);
	in->random = (in->random & ~bit) | (random ? bit : 0);
	in->next = (in->next + 1) % RING;
	if (in->n < RING)
		in->n++;
}

static struct count
look_back(const struct arrivals *in, uint64_t now_ns)
{
	struct count c = {0};

	for (unsigned i = 1; i <= in->n; i++) {
		unsigned at = (in->next + RING - i) % RING;

		if (in->ts_ns[at] + DAY_NS <= now_ns)
			break;
		c.day++;
		c.hour += in->ts_ns[at] + HOUR_NS > now_ns;
		if (in->ts_ns[at] + HOUR_NS <= now_ns && c.hour > PER_HOUR)
			continue;
		c.random += in->random >> at & 1;
		c.after_rs += in->after_rs >> at & 1;
	}
	return c;
}

/* A server that is given a dozen addresses by its operator does not make them up. */
static bool
is_over(const struct count *c)
{
	return (c->hour > PER_HOUR && c->random >= PER_HOUR) || (c->day > PER_DAY && c->random >= PER_DAY);
}

static bool
is_link_flap(const struct episode *e)
{
	unsigned n = e->most.hour > PER_HOUR ? e->most.hour : e->most.day;

	return e->most.after_rs * 2 >= n;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	return e->hint || is_link_flap(e) ? ICS_SEV_INFO : ICS_SEV_WARN;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	static const char *const keys[SHOWN] = {"address_1", "address_2", "address_3", "address_4"};
	struct episode *e = (struct episode *)ep;
	char mac[ICS_MAC_STRLEN], text[ICS_IP_STRLEN];
	struct ics_anomaly *a = ep->a;
	struct ics_ip prefix = {{0}};
	unsigned hour = e->most.hour;

	memcpy(prefix.b, e->prefix, 8);
	a->variant = is_link_flap(e) ? "link_flap" : "rotation";
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "prefix", "%s/64", ics_ip_format(&prefix, text));
	ics_fact_set_uint(a, "new_per_hour", e->now.hour);
	ics_fact_set_uint(a, "new_per_hour_most", hour);
	ics_fact_set_uint(a, "new_per_day", e->now.day);
	ics_fact_set_uint(a, "after_solicitation", e->most.after_rs);
	ics_fact_set_uint(a, "mac_churn", e->mac_churn);
	for (unsigned i = 0; i < SHOWN && i < e->n_shown; i++)
		ics_fact_set_text(a, keys[i], "%s", ics_ip_format(&e->shown[(e->n_shown - 1 - i) % SHOWN], text));
	a->says[0] = '\0';
	if (hour > PER_HOUR)
		ics_say(a, "%s made at least %u new addresses in %s/64 within an hour, where one a day is usual.",
			ics_mac_format(&e->mac, mac), hour, ics_ip_format(&prefix, text));
	else
		ics_say(a, "%s made at least %u new addresses in %s/64 within a day, where one is usual.",
			ics_mac_format(&e->mac, mac), e->most.day, ics_ip_format(&prefix, text));
	ics_say(a,
		" Each joins a multicast group of its own and stays in switches, neighbor caches and logs for days.");
	if (is_link_flap(e))
		ics_say(a, " It asks for routers before each burst: its link goes down and up. Check the cable, or the "
			   "wireless coverage and roaming there.");
	else
		ics_say(a, " Update its system or network driver, or disable temporary addresses there.");
}

/* Whether this is an address that was not there before, as opposed to one that the tap had not heard of. Who is seen to
 * ask before it takes an address always does.
 */
static bool
is_arrival(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_binding *b = c->note.binding;

	if (c->note.what != ICS_NOTE_NEW || !c->note.proven || c->host == NULL ||
	    (b->iid != ICS_IID_TEMP && b->iid != ICS_IID_STABLE))
		return false;
	if (msg->class == ICS_CLASS_nd_ns && ics_ip6_is_unspecified(msg->src.b))
		return true;
	if (c->host->last_dad_ns != 0 || ics_model_is_learning(d->model, c->segment))
		return false;
	return d->conf->detect.learn_s == 0 || msg->ts_ns >= c->segment->first_ns + DAY_NS;
}

static struct arrivals *
tracked(struct state *s, const struct ics_binding *b, const struct ics_mac *mac)
{
	struct tracked key = {.segment = b->segment, .mac = *mac};
	uint32_t i;

	memcpy(key.prefix, b->addr.b, 8);
	i = ics_table_find(&s->tracked, key.prefix);
	if (i == 0) {
		if (s->tracked.count >= TRACKED_MAX) {
			ics_table_remove(&s->tracked, ics_table_oldest(&s->tracked, NULL));
			s->evictions++;
		}
		i = ics_table_insert(&s->tracked, key.prefix);
	}
	return i == 0 ? NULL : &((struct tracked *)ics_table_at(&s->tracked, i))->in;
}

static struct episode *
open_episode(struct ics_detector *d, const struct ics_change *c, const struct ics_ip *key, const struct arrivals *in)
{
	char mac[ICS_MAC_STRLEN];
	struct episode *e;

	if (ics_model_is_proxy(d->model, &c->host->mac) || d->shared->dad_denied[c->segment->id] ||
	    d->shared->nd_flood[c->segment->id]) {
		d->info.suppressed++;
		return NULL;
	}
	e = (struct episode *)ics_episode_open_as(d, c->segment, key, "mac", ics_mac_format(&c->host->mac, mac));
	if (e == NULL)
		return NULL;
	e->mac = c->host->mac;
	e->muted = true;
	e->in = *in;
	memcpy(e->prefix, c->note.binding->addr.b, 8);
	return e;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_binding *b = c->note.binding;
	struct state *s = d->state;
	struct arrivals *in;
	struct episode *e;
	struct ics_ip key;
	uint64_t rs_ns;

	if (!is_arrival(d, msg, c))
		return;
	rs_ns = c->host->last_rs_ns;
	key = ics_episode_key_of_mac(&c->host->mac);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	if (e != NULL && memcmp(e->prefix, b->addr.b, 8) == 0) {
		add(&e->in, msg->ts_ns, rs_ns, b->iid == ICS_IID_TEMP);
	} else {
		struct count n;

		in = tracked(s, b, &c->host->mac);
		if (in == NULL)
			return;
		add(in, msg->ts_ns, rs_ns, b->iid == ICS_IID_TEMP);
		n = look_back(in, msg->ts_ns);
		if (e != NULL || !is_over(&n))
			return;
		e = open_episode(d, c, &key, in);
		if (e == NULL)
			return;
	}
	e->now = look_back(&e->in, msg->ts_ns);
	if (e->now.hour > e->most.hour || (e->most.hour <= PER_HOUR && e->now.day > e->most.day))
		e->most = e->now;
	e->hint = (c->host->flags & (ICS_HOST_PROXY | ICS_HOST_HYPERVISOR)) != 0;
	e->mac_churn = ics_segment_mac_churn(c->segment, msg->ts_ns);
	e->shown[e->n_shown++ % SHOWN] = b->addr;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &b->addr, &e->mac);
	ics_episode_update(&e->ep, msg,
			   (uint64_t)severity_of(e) | (uint64_t)is_link_flap(e) << 2 | (uint64_t)e->muted << 3);
}

/* The rates are usual once the arrival that made one of them too high is out of its window. */
static uint64_t
clear_at(const struct episode *e)
{
	uint64_t t = 0;

	if (e->in.n > PER_HOUR)
		t = nth_latest(&e->in, PER_HOUR + 1) + HOUR_NS;
	if (e->in.n > PER_DAY && nth_latest(&e->in, PER_DAY + 1) + DAY_NS > t)
		t = nth_latest(&e->in, PER_DAY + 1) + DAY_NS;
	return t + CLEAR_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (now_ns < clear_at(e))
		return true;
	e->now = look_back(&e->in, now_ns);
	ics_episode_close(ep);
	return false;
}

static uint64_t
due(const struct ics_episode *ep)
{
	return clear_at((const struct episode *)ep);
}

const struct ics_detector_ops ics_det_host_temp_churn = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_rs,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_NEWS,
	.render = render,
	.timer = on_timer,
	.due = due,
};
