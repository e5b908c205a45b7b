/* An address is in use, but its holder never reports the solicited-node group that it must join (RFC 4861 7.2.1, RFC 9777
 * 6): behind a switch that snoops, nobody will find it. Judged after two general queries that others answered, and
 * during whose time for answers it was heard: a machine that fell asleep is silent for another reason. One
 * finding a MAC. Called for NS and NA, queries and reports; clears with the report.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 2
/* Queries closer together are one round: those at the start of a querier, and those of two. */
#define ROUND_NS (12 * NS_PER_S)
/* Answers may take a little longer than they should. */
#define LATE_NS (2 * NS_PER_S)
/* The host is there: it was heard not longer than that before the first query that it missed. */
#define HEARD_NS (130 * NS_PER_S)
#define GONE_NS (3600 * NS_PER_S)
#define WAITING_MAX 8192

/* An address in use that has yet to be reported. */
struct waiting {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t round; /* of its segment when it was taken in */
	struct ics_mac mac;
	uint16_t was_member; /* of its group when it was taken in */
	uint32_t awake;      /* queries since, of which it was heard in the time for answers */
};

struct round {
	uint64_t ns;
	unsigned reporters; /* two stands for more */
	struct ics_mac first;
};

struct seg_state {
	struct ics_detector *d;
	struct ics_timer timer;
	uint32_t segment, n;
	struct round now, before;
};

struct state {
	struct ics_table waiting;
	uint64_t evictions;
	struct seg_state seg[ICS_SEGMENTS_MAX];
};

struct episode {
	struct ics_episode ep;
	struct ics_mac mac;
	struct ics_ip addr;
	bool muted;
	uint32_t addresses, queries, reporters;
	uint64_t heard_ns;
};

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	d->state = s;
	if (s == NULL)
		return -ENOMEM;
	return ics_table_init(&s->waiting, sizeof(struct waiting), 20, WAITING_MAX, d->seed);
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s == NULL)
		return;
	for (unsigned i = 0; i < ICS_SEGMENTS_MAX; i++)
		ics_timer_cancel(&ics_model_clock(d->model)->timers, &s->seg[i].timer);
	ics_table_fini(&s->waiting);
	free(s);
}

static struct ics_ip
group_of(const struct ics_ip *addr)
{
	struct ics_ip g = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};

	memcpy(g.b + 13, addr->b + 13, 3);
	return g;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_ip group = group_of(&e->addr);
	char mac[ICS_MAC_STRLEN], ip[ICS_IP_STRLEN], g[ICS_IP_STRLEN];
	struct ics_anomaly *a = ep->a;

	a->variant = "unreported";
	a->severity = ICS_SEV_INFO;
	a->muted = e->muted;
	ics_fact_set_text(a, "address", "%s", ics_ip_format(&e->addr, ip));
	ics_fact_set_text(a, "group", "%s", ics_ip_format(&group, g));
	ics_fact_set_uint(a, "queries_missed", e->queries);
	ics_fact_set_uint(a, "addresses", e->addresses);
	ics_fact_set_uint(a, "hosts_that_report", e->reporters);
	a->says[0] = '\0';
	ics_say(a, "%s uses %s and did not report its solicited-node group %s after %u queries; %u hosts do report.",
		ics_mac_format(&e->mac, mac), ip, g, e->queries, e->reporters);
	ics_say(a, " Switches that snoop multicast will not bring solicitations to it: it vanishes for its neighbors.");
	ics_say(a, " Update its IPv6 stack, or disable snooping for ff02::1:ff00:0/104.");
}

/* What stands in for others joins no groups for them. */
static bool
is_excused(const struct ics_host *h, const struct ics_binding *b)
{
	return (h->flags & (ICS_HOST_PROXY | ICS_HOST_HYPERVISOR | ICS_HOST_FHRP)) != 0 ||
	       (b->flags & (ICS_BINDING_PROXY | ICS_BINDING_ANYCAST | ICS_BINDING_FHRP | ICS_BINDING_DISPUTED)) != 0;
}

/* Another member of the group answered, so it need not (RFC 2710 4). */
static bool
is_suppressed(struct ics_detector *d, uint32_t segment, const struct ics_ip *group, uint64_t now_ns)
{
	const struct ics_group *g = ics_model_group_find(d->model, segment, group);

	return g != NULL && g->v1_at != 0 &&
	       (uint64_t)(ICS_COARSE(now_ns) - g->v1_at) * ICS_COARSE_NS <= ics_model_mali_ns(d->model, segment);
}

static bool
others_report(const struct round *r, const struct ics_mac *mac)
{
	return r->reporters > 1 || (r->reporters == 1 && !ics_mac_equal(&r->first, mac));
}

static void
report(struct ics_detector *d, const struct ics_segment *seg, const struct waiting *w, const struct ics_host *h,
       uint32_t rounds)
{
	struct ics_ip key = ics_episode_key_of_mac(&w->mac);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	char mac[ICS_MAC_STRLEN];

	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, seg, &key, "mac", ics_mac_format(&w->mac, mac));
		if (e == NULL)
			return;
		e->mac = w->mac;
		e->addr = w->addr;
		e->queries = rounds;
		e->muted = true;
	}
	e->addresses++;
	e->reporters = seg->mcast.hosts;
	e->heard_ns = h->last_ns;
	e->muted &= ics_detect_is_muted(d, &seg->key, &w->addr, &w->mac);
	ics_anomaly_touch(d->store, e->ep.a);
	ics_episode_refresh(&e->ep, e->muted);
}

/* True when there is nothing left to wait for. */
static bool
judge(struct ics_detector *d, const struct seg_state *s, const struct waiting *w, const struct ics_host *h,
      uint64_t now_ns)
{
	const struct ics_segment *seg = ics_model_segment(d->model, w->segment);
	const struct ics_binding *b = ics_model_binding_find(d->model, w->segment, &w->addr);
	struct ics_ip group = group_of(&w->addr);

	/* What was reported once and is not heard any more was given up. */
	if (h == NULL || b == NULL || !ics_mac_equal(&b->mac, &w->mac) || is_excused(h, b) ||
	    h->last_ns + HEARD_NS < s->before.ns || (w->was_member && b->last_ns < s->before.ns) ||
	    ics_model_member_find(d->model, w->segment, &w->mac, &group) != NULL ||
	    is_suppressed(d, w->segment, &group, now_ns))
		return true;
	if (w->awake < ROUNDS)
		return false;
	if (!others_report(&s->now, &w->mac) || !others_report(&s->before, &w->mac))
		return false;
	/* Where most are not heard to report, it is the tap that does not hear them. */
	if (seg->mcast.hosts * 2ull < seg->hosts - seg->router_hosts)
		return false;
	report(d, seg, w, h, w->awake);
	return true;
}

static void
on_round_over(struct ics_timer *t, uint64_t now_ns)
{
	struct seg_state *s = t->owner;
	struct state *st = s->d->state;

	for (uint32_t i = 1; i <= st->waiting.fresh; i++) { /* at most WAITING_MAX, once a query */
		const struct ics_host *h;
		struct waiting *w;

		if (!ics_table_is_live(&st->waiting, i))
			continue;
		w = ics_table_at(&st->waiting, i);
		if (w->segment != s->segment || s->n == w->round)
			continue;
		h = ics_model_host_find(s->d->model, w->segment, &w->mac);
		w->awake += h != NULL && h->last_ns >= s->now.ns;
		if (s->n - w->round >= ROUNDS && judge(s->d, s, w, h, now_ns))
			ics_table_remove(&st->waiting, i);
	}
}

static void
on_query(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *st = d->state;
	struct seg_state *s = &st->seg[c->segment->id];

	if (c->query == NULL || !c->query->query.general || c->query->querier == NULL ||
	    (s->n != 0 && msg->ts_ns < s->now.ns + ROUND_NS))
		return;
	s->d = d;
	s->segment = c->segment->id;
	s->before = s->now;
	s->now = (struct round){.ns = msg->ts_ns};
	s->n++;
	s->timer.owner = s;
	s->timer.fire = on_round_over;
	(void)ics_timer_set(&ics_model_clock(d->model)->timers, &s->timer,
			    msg->ts_ns + c->query->query.mrd_ms * NS_PER_MS + LATE_NS);
}

static void
on_report(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *st = d->state;
	struct seg_state *s = &st->seg[c->segment->id];
	struct episode *e;
	struct ics_ip key, group;

	if (!msg->has_mac || msg->class == ICS_CLASS_mld1_done)
		return;
	if (s->now.reporters == 0)
		s->now.first = msg->smac;
	if (s->now.reporters == 0 || (s->now.reporters == 1 && !ics_mac_equal(&s->now.first, &msg->smac)))
		s->now.reporters++;
	if (d->episodes.count == 0 || c->mcast.joined == 0)
		return;
	key = ics_episode_key_of_mac(&msg->smac);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	if (e == NULL)
		return;
	group = group_of(&e->addr);
	if (ics_model_member_find(d->model, c->segment->id, &e->mac, &group) != NULL)
		ics_episode_close(&e->ep);
}

static void
on_neighbor(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_binding *b = c->note.binding;
	struct state *st = d->state;
	struct waiting key = {.segment = c->segment->id};
	struct ics_ip group;
	struct waiting *w;
	uint32_t i;

	if ((c->note.what == ICS_NOTE_NONE && !c->note.proven) || b == NULL || !b->proven || !msg->has_mac ||
	    !ics_mac_equal(&b->mac, &msg->smac) || d->shared->nd_flood[c->segment->id])
		return;
	key.addr = b->addr;
	group = group_of(&b->addr);
	if (ics_table_find(&st->waiting, &key.addr) != 0)
		return;
	if (st->waiting.count >= WAITING_MAX) {
		ics_table_remove(&st->waiting, ics_table_oldest(&st->waiting, NULL));
		st->evictions++;
	}
	i = ics_table_insert(&st->waiting, &key.addr);
	if (i == 0)
		return;
	w = ics_table_at(&st->waiting, i);
	w->mac = b->mac;
	w->round = st->seg[key.segment].n;
	w->was_member = c->host != NULL && ics_model_host_in_group(d->model, c->host, &group) != NULL;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	if (msg->class == ICS_CLASS_mld_query)
		on_query(d, msg, c);
	else if (msg->class == ICS_CLASS_nd_ns || msg->class == ICS_CLASS_nd_na)
		on_neighbor(d, msg, c);
	else
		on_report(d, msg, c);
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_host *h = ics_model_host_find(d->model, ep->segment, &e->mac);

	if (h != NULL && h->last_ns > e->heard_ns)
		e->heard_ns = h->last_ns;
	if (h != NULL && now_ns < e->heard_ns + GONE_NS)
		return true;
	ics_episode_close(ep);
	return false;
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->heard_ns + GONE_NS;
}

const struct ics_detector_ops ics_det_mld_silent_member = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_mld_query |
		   1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld2_report,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_NEWS,
	.render = render,
	.timer = on_timer,
	.due = due,
};
