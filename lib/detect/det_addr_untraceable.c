/* Addresses that are in use here and that nobody could tie to a machine afterwards: data comes from them, and Neighbor
 * Discovery never told which MAC has them; or the MAC is a made-up one that changes all the time (incident 2). Called
 * for data of hosts and for NS and NA; a tap that is behind a router sees no prefix of its own here, and stays quiet.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ND may lag behind data, or precede the tap by the life of a neighbor cache entry that is confirmed from above. */
#define GRACE_NS (60 * NS_PER_S)
#define WINDOW_NS (600 * NS_PER_S)
#define SOURCES 10
#define WARN_PERCENT 5
#define CLEAR_PERCENT 2
#define CLEAR_NS (3600 * NS_PER_S)
#define CHECK_NS (600 * NS_PER_S)
#define MAC_CHANGES 3
#define MAC_WINDOW_NS (3600 * NS_PER_S)
#define SOURCES_MAX 16384
#define PATHS_MAX 1024
#define MOVERS_MAX 4096
#define RING 64
/* Sources that one turn of the timer judges. */
#define TURN 256
#define SHOWN 4

/* An address that data came from and that no binding is known for. */
struct source {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t newer; /* the next whose grace ends */
	struct ics_mac mac;
	uint8_t port;
	bool judged; /* its grace is over */
	uint64_t first_ns, counted_ns, frame_no;
};

/* What sends them: a MAC, or none where the link has no MACs. */
struct path {
	struct ics_table_head head;
	uint32_t segment; /* with mac the key */
	struct ics_mac mac;
	uint16_t next, n;
	uint64_t ts_ns[RING];
};

struct mover {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t next;
	uint64_t ts_ns[MAC_CHANGES];
};

struct state {
	struct ics_table sources, paths, movers;
	uint32_t oldest, newest; /* of the sources whose grace is running */
	struct ics_timer timer;
	uint64_t drops;
};

struct episode {
	struct ics_episode ep;
	bool muted, by_mac; /* by_mac: the MAC changes */
	struct ics_mac mac;
	uint8_t port;
	unsigned n, percent, most;
	uint64_t first_ns, below_ns, checked_ns, changed_ns;
	unsigned n_shown;
	struct ics_ip shown[SHOWN];
};

static void on_grace_over(struct ics_timer *t, uint64_t now_ns);

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	d->state = s;
	if (s == NULL)
		return -ENOMEM;
	s->timer.owner = d;
	s->timer.fire = on_grace_over;
	if (ics_table_init(&s->sources, sizeof(struct source), 20, SOURCES_MAX, d->seed) != 0 ||
	    ics_table_init(&s->paths, sizeof(struct path), 10, PATHS_MAX, d->seed) != 0)
		return -ENOMEM;
	return ics_table_init(&s->movers, sizeof(struct mover), 20, MOVERS_MAX, d->seed);
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s == NULL)
		return;
	ics_timer_cancel(&ics_model_clock(d->model)->timers, &s->timer);
	ics_table_fini(&s->sources);
	ics_table_fini(&s->paths);
	ics_table_fini(&s->movers);
	free(s);
}

static enum ics_severity
severity_of(const struct episode *e)
{
	return !e->by_mac && e->percent > WARN_PERCENT ? ICS_SEV_WARN : ICS_SEV_INFO;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	static const char *const keys[SHOWN] = {"address_1", "address_2", "address_3", "address_4"};
	struct episode *e = (struct episode *)ep;
	char mac[ICS_MAC_STRLEN], text[ICS_IP_STRLEN];
	uint64_t now = ics_model_clock(d->model)->now_ns;
	struct ics_anomaly *a = ep->a;

	a->variant = e->by_mac ? "random_mac" : "no_nd";
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_uint(a, "port", e->port);
	ics_fact_set_seconds(a, "gap_s", (now - e->first_ns) / NS_PER_MS);
	for (unsigned i = 0; i < SHOWN && i < e->n_shown; i++)
		ics_fact_set_text(a, keys[i], "%s", ics_ip_format(&e->shown[i], text));
	a->says[0] = '\0';
	if (e->by_mac) {
		ics_fact_set_uint(a, "mac_changes", e->n);
		ics_say(a,
			"%s changed its MAC %u times within an hour, from one made-up MAC to another, now %s: the "
			"address "
			"history cannot tell which machine that is.",
			ics_ip_format(&e->shown[0], text), e->n, mac);
		ics_say(a, " Ask who has to be found there to use one MAC for a network, or enable 802.1X accounting.");
		return;
	}
	ics_fact_set_uint(a, "sources", e->n);
	ics_fact_set_uint(a, "sources_most", e->most);
	ics_fact_set_uint(a, "share_percent", e->percent);
	ics_say(a,
		"At least %u active addresses of this segment cannot be tied to a machine: their data comes from %s, "
		"and no "
		"Neighbor Discovery told within %llu s who has them (%u %% of the addresses in use).",
		e->most, mac, (unsigned long long)(GRACE_NS / NS_PER_S), e->percent);
	ics_say(a,
		" Whoever misuses one of them cannot be found later. Enable DHCPv6 or 802.1X accounting or ND logging "
		"behind that MAC, or mirror its port too.");
}

/* Different sources of the path in the window. */
static unsigned
count_recent(const struct path *p, uint64_t now_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++)
		n += p->ts_ns[i] + WINDOW_NS > now_ns;
	return n;
}

static struct path *
path_get(struct state *s, uint32_t segment, const struct ics_mac *mac)
{
	struct {
		uint32_t segment;
		struct ics_mac mac;
	} key = {segment, *mac};
	uint32_t i = ics_table_find(&s->paths, &key);

	if (i == 0) {
		if (s->paths.count >= PATHS_MAX)
			ics_table_remove(&s->paths, ics_table_oldest(&s->paths, NULL));
		i = ics_table_insert(&s->paths, &key);
	}
	return i == 0 ? NULL : ics_table_at(&s->paths, i);
}

static void
set_share(struct ics_detector *d, struct episode *e, unsigned n, uint64_t now_ns)
{
	uint64_t active = ics_model_segment(d->model, e->ep.segment)->bindings + (uint64_t)n;

	e->n = n;
	if (n > e->most)
		e->most = n;
	e->percent = active == 0 ? 0 : (unsigned)(n * 100ull / active);
	if (e->percent >= CLEAR_PERCENT)
		e->below_ns = 0;
	else if (e->below_ns == 0)
		e->below_ns = now_ns;
}

static void
show_address(struct episode *e, const struct ics_ip *addr)
{
	for (unsigned i = 0; i < e->n_shown; i++)
		if (ics_ip_equal(&e->shown[i], addr))
			return;
	if (e->n_shown < SHOWN)
		e->shown[e->n_shown++] = *addr;
}

/* One more address that stays without a machine; there may be no frame at hand. */
static void
count_source(struct ics_detector *d, struct source *src, uint64_t now_ns)
{
	const struct ics_segment *seg = ics_model_segment(d->model, src->segment);
	struct ics_ip key = ics_episode_key_of_mac(&src->mac);
	struct path *p = path_get(d->state, src->segment, &src->mac);
	char mac[ICS_MAC_STRLEN];
	struct episode *e;
	unsigned n;

	src->counted_ns = now_ns;
	if (p == NULL)
		return;
	p->ts_ns[p->next] = now_ns;
	p->next = (uint16_t)((p->next + 1) % RING);
	if (p->n < RING)
		p->n++;
	n = count_recent(p, now_ns);
	e = (struct episode *)ics_episode_find(d, src->segment, &key);
	if (e == NULL) {
		if (n < SOURCES)
			return;
		e = (struct episode *)ics_episode_open_as(d, seg, &key, "mac", ics_mac_format(&src->mac, mac));
		if (e == NULL)
			return;
		e->mac = src->mac;
		e->port = src->port;
		e->first_ns = src->first_ns;
		e->checked_ns = now_ns;
		e->muted = true;
	}
	e->muted &= ics_detect_is_muted(d, &seg->key, &src->addr, &src->mac);
	show_address(e, &src->addr);
	set_share(d, e, n, now_ns);
	ics_episode_last_now(&e->ep);
	e->ep.a->count++;
	if (src->frame_no != 0 && e->ep.a->n_frames < ICS_ANOMALY_FRAMES_MAX)
		e->ep.a->frame_no[e->ep.a->n_frames++] = src->frame_no;
	ics_episode_refresh(&e->ep, (uint64_t)severity_of(e) | (uint64_t)e->muted << 2);
}

static void
arm(struct ics_detector *d)
{
	struct state *s = d->state;
	struct source *src;

	if (s->oldest == 0)
		return;
	src = ics_table_at(&s->sources, s->oldest);
	(void)ics_timer_set(&ics_model_clock(d->model)->timers, &s->timer, src->first_ns + GRACE_NS);
}

static void
on_grace_over(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_detector *d = t->owner;
	struct state *s = d->state;

	for (unsigned n = 0; n < TURN && s->oldest != 0; n++) {
		uint32_t i = s->oldest;
		struct source *src = ics_table_at(&s->sources, i);

		if (now_ns < src->first_ns + GRACE_NS)
			break;
		s->oldest = src->newer;
		if (s->oldest == 0)
			s->newest = 0;
		src->judged = true;
		if (ics_model_binding_find(d->model, src->segment, &src->addr) != NULL)
			ics_table_remove(&s->sources, i);
		else
			count_source(d, src, now_ns);
	}
	arm(d);
}

static bool
is_judged(const void *entry)
{
	return ((const struct source *)entry)->judged;
}

static struct source *
source_make(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {msg->src, seg->id};
	struct state *s = d->state;
	struct source *src;
	uint32_t i;

	if (s->sources.count >= SOURCES_MAX) {
		i = ics_table_oldest(&s->sources, is_judged);
		if (i == 0) {
			s->drops++;
			return NULL;
		}
		ics_table_remove(&s->sources, i);
	}
	i = ics_table_insert(&s->sources, &key);
	if (i == 0)
		return NULL;
	src = ics_table_at(&s->sources, i);
	src->first_ns = msg->ts_ns;
	src->frame_no = msg->frame_no;
	src->mac = msg->smac;
	src->port = msg->rec->port;
	if (s->newest != 0)
		((struct source *)ics_table_at(&s->sources, s->newest))->newer = i;
	else
		s->oldest = i;
	s->newest = i;
	if (s->oldest == i)
		arm(d);
	return src;
}

/* The address history knows no IPv4 addresses, so only IPv6 can be missing from it. An address belongs to the segment
 * when a router announces its prefix here.
 */
static void
on_data(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {msg->src, seg->id};
	struct state *s = d->state;
	struct source *src;
	uint32_t i;

	if (msg->class != ICS_CLASS_ip6_other || ics_ip6_is_link_local(msg->src.b) ||
	    ics_ip6_is_multicast(msg->src.b) || ics_ip6_is_unspecified(msg->src.b) || ics_ip6_is_loopback(msg->src.b) ||
	    ics_model_binding_find(d->model, seg->id, &msg->src) != NULL)
		return;
	i = ics_table_find(&s->sources, &key);
	if (i != 0) {
		src = ics_table_at(&s->sources, i);
		if (src->judged && msg->ts_ns >= src->counted_ns + WINDOW_NS)
			count_source(d, src, msg->ts_ns);
	} else if (ics_model_prefix_of(d->model, seg->id, &msg->src, ICS_PIO_ONLINK | ICS_PIO_AUTO) != NULL) {
		(void)source_make(d, msg, seg);
	}
}

static bool
is_made_up(const struct ics_mac *mac)
{
	return (mac->b[0] & 3) == 2;
}

static struct mover *
mover_get(struct state *s, const struct ics_binding *b)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {b->addr, b->segment};
	uint32_t i = ics_table_find(&s->movers, &key);

	if (i == 0) {
		if (s->movers.count >= MOVERS_MAX)
			ics_table_remove(&s->movers, ics_table_oldest(&s->movers, NULL));
		i = ics_table_insert(&s->movers, &key);
	}
	return i == 0 ? NULL : ics_table_at(&s->movers, i);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_binding *b = c->note.binding;
	char text[ICS_IP_STRLEN];
	struct mover *m;
	struct episode *e;

	if (c->note.what != ICS_NOTE_MOVED || !is_made_up(&b->mac) || !is_made_up(&c->note.before))
		return;
	m = mover_get(d->state, b);
	if (m == NULL)
		return;
	m->ts_ns[m->next++ % MAC_CHANGES] = msg->ts_ns;
	e = (struct episode *)ics_episode_find(d, b->segment, &b->addr);
	if (e == NULL) {
		/* The slot that is next to be written holds the earliest of the latest few. */
		if (m->next < MAC_CHANGES || m->ts_ns[m->next % MAC_CHANGES] + MAC_WINDOW_NS < msg->ts_ns)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &b->addr, "address",
							  ics_ip_format(&b->addr, text));
		if (e == NULL)
			return;
		e->by_mac = e->muted = true;
		e->first_ns = m->ts_ns[m->next % MAC_CHANGES];
		e->n = MAC_CHANGES - 1;
		e->port = msg->rec->port;
	}
	e->n++;
	e->changed_ns = msg->ts_ns;
	e->mac = b->mac;
	show_address(e, &b->addr);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &b->addr, &b->mac);
	ics_episode_update(&e->ep, msg, (uint64_t)severity_of(e) | (uint64_t)e->muted << 2);
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	struct path *p;

	if (e->by_mac ? now_ns >= e->changed_ns + MAC_WINDOW_NS
		      : e->below_ns != 0 && now_ns >= e->below_ns + CLEAR_NS) {
		ics_episode_close(ep);
		return false;
	}
	if (!e->by_mac && now_ns >= e->checked_ns + CHECK_NS) {
		e->checked_ns = now_ns;
		p = path_get(d->state, ep->segment, &e->mac);
		set_share(d, e, p != NULL ? count_recent(p, now_ns) : 0, now_ns);
	}
	return true;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	if (e->by_mac)
		return e->changed_ns + MAC_WINDOW_NS;
	return e->below_ns != 0 && e->below_ns + CLEAR_NS < e->checked_ns + CHECK_NS ? e->below_ns + CLEAR_NS
										     : e->checked_ns + CHECK_NS;
}

const struct ics_detector_ops ics_det_addr_untraceable = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_NEWS,
	.data = on_data,
	.needs_data = true,
	.render = render,
	.timer = on_timer,
	.due = due,
};
