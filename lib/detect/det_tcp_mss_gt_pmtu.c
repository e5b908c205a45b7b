/* Connections are opened with an MSS that the path does not carry: an end announces more than the known path MTU leaves for
 * TCP, so that the other end's first full-size segments are lost (RFC 9293 3.7.1, RFC 6691). Harmless where path MTU
 * discovery works, which shows in packets that fit afterwards; trouble where sizes stay. Called for what the TCP sampler
 * tells; over when SYNs fit, or nobody connects for an hour.
 */
#include "pmtu.h"

#include <stdio.h>

#define FLOWS 10
#define WINDOW_NS (300 * NS_PER_S)
#define CLEAR_NS (300 * NS_PER_S)
#define QUIET_NS (3600 * NS_PER_S)
/* Sizes of a minute that began before the router spoke say nothing. */
#define SUM_NS (60 * NS_PER_S)

struct candidate {
	struct ics_table_head head;
	struct ics_ip host, far; /* host sends what is too long to far; with context the key */
	uint32_t context;
	uint32_t flow[FLOWS]; /* the latest ones, each once */
	uint64_t at_ns[FLOWS];
	uint32_t next;
	uint64_t fits_ns, over_ns; /* the latest minute in which the longest packet fitted, or did not */
};
#define CANDIDATES_MAX 8192

struct episode {
	struct ics_episode ep;
	bool muted, adapts;
	struct ics_ip host, far, reporter;
	uint32_t context, flows, mtu, mss, sent_len;
	struct ics_guess guess;
	uint64_t last_ns, fits_ns; /* fits_ns: since when SYNs fit, and no other came; 0: they do not */
};

static uint32_t
headers(const struct ics_ip *ip)
{
	return ics_ip6_is_v4mapped(ip->b) ? ICS_TCP_HEADERS4 : ICS_TCP_HEADERS6;
}

static struct candidate *
candidate_find(struct ics_detector *d, uint32_t context, const struct ics_ip *host, const struct ics_ip *far, bool make)
{
	struct {
		struct ics_ip host, far;
		uint32_t context;
	} key = {*host, *far, context};
	struct ics_table *t = d->state;
	uint32_t i;

	if (t->count == 0 && !make)
		return NULL;
	i = ics_table_find(t, &key);
	if (i == 0 && make) {
		if (t->count >= CANDIDATES_MAX)
			ics_table_remove(t, ics_table_oldest(t, NULL));
		i = ics_table_insert(t, &key);
	}
	return i == 0 ? NULL : ics_table_at(t, i);
}

static enum ics_severity
severity_of(const struct episode *e)
{
	return e->adapts ? ICS_SEV_INFO : ICS_SEV_WARN;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char host[ICS_IP_STRLEN], far[ICS_IP_STRLEN], reporter[ICS_IP_STRLEN];
	uint32_t clamp = e->mtu - headers(&e->host);

	a->variant = e->adapts ? "adapts" : "unchanged";
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_ip_format(&e->host, host);
	ics_ip_format(&e->far, far);
	ics_ip_format(&e->reporter, reporter);
	ics_fact_set_text(a, "far", "%s", far);
	ics_fact_set_text(a, "reporter", "%s", reporter);
	ics_fact_set_uint(a, "mss", e->mss);
	ics_fact_set_uint(a, "mtu", e->mtu);
	ics_fact_set_uint(a, "flows", e->flows);
	if (e->sent_len != 0)
		ics_fact_set_uint(a, "sent_len", e->sent_len);
	ics_fact_set_uint(a, "clamp", clamp);
	ics_pmtu_set_guess(a, &e->guess);
	a->says[0] = '\0';
	ics_say(a, "%u connections between %s and %s were opened with MSS %u,", e->flows, host, far, e->mss);
	ics_say(a, " but the path to %s carries %u octets (%s), which leaves %u.", far, e->mtu, reporter, clamp);
	if (e->adapts)
		ics_say(a, " Path MTU discovery works: each connection loses its first large packets, then adapts.");
	else
		ics_say(a, " Packets do not get shorter: large transfers hang.");
	ics_say(a, " Clamp the TCP MSS to %u towards %s.", clamp, far);
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t fits = e->fits_ns != 0 ? e->fits_ns + CLEAR_NS : UINT64_MAX;

	return fits < e->last_ns + QUIET_NS ? fits : e->last_ns + QUIET_NS;
}

/* Counts the flow once; how many there were in the window. */
static uint32_t
count_flow(struct candidate *c, uint32_t flow, uint64_t ts_ns)
{
	uint32_t n = 0;
	bool known = false;

	for (unsigned i = 0; i < FLOWS; i++)
		known |= c->at_ns[i] != 0 && c->flow[i] == flow;
	if (!known) {
		c->flow[c->next % FLOWS] = flow;
		c->at_ns[c->next++ % FLOWS] = ts_ns;
	}
	for (unsigned i = 0; i < FLOWS; i++)
		n += c->at_ns[i] != 0 && ts_ns < c->at_ns[i] + WINDOW_NS;
	return n;
}

/* Adapting shows in a minute in which nothing too long was sent, and none since in which it was. */
static bool
adapts(const struct candidate *c)
{
	return c->fits_ns > c->over_ns;
}

static void
update(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct candidate *c)
{
	e->adapts = adapts(c);
	ics_episode_update(&e->ep, msg,
			   e->mtu | (uint64_t)e->mss << 16 | (uint64_t)e->adapts << 32 | (uint64_t)e->muted << 33);
}

/* src announces what it takes: that is what dst will send. */
static void
on_syn(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	uint32_t context = ics_path_context(&seg->key), n;
	const struct ics_path *p = ics_path_find(d->model, context, &s->dst, &s->src, ICS_PATH_TCP);
	struct ics_ip key = ics_pmtu_key(d, &s->dst, &s->src, context);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	struct candidate *c;
	char text[ICS_IP_STRLEN];

	if (s->mss == 0)
		return;
	if (p == NULL || s->mss + headers(&s->src) <= p->mtu) {
		if (e != NULL && s->mss + headers(&s->src) <= e->mtu && e->fits_ns == 0) {
			e->fits_ns = msg->ts_ns;
			ics_episode_rearm(&e->ep);
		}
		return;
	}
	c = candidate_find(d, context, &s->dst, &s->src, true);
	if (c == NULL)
		return;
	n = count_flow(c, s->flow, msg->ts_ns);
	if (e == NULL && n < FLOWS)
		return;
	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, seg, &key, "host", ics_ip_format(&s->dst, text));
		if (e == NULL)
			return;
		e->muted = true;
		e->host = s->dst;
		e->far = s->src;
		e->context = context;
		e->flows = FLOWS - 1;
	}
	e->flows++;
	e->fits_ns = 0;
	e->mtu = p->mtu;
	e->mss = s->mss;
	e->reporter = p->reporter;
	e->last_ns = msg->ts_ns;
	ics_guess_of_path(p, &e->guess);
	e->muted &= ics_detect_is_muted(d, &seg->key, &e->host, NULL);
	update(d, e, msg, c);
}

/* How long packets were after the router spoke. */
static void
on_sizes(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	uint32_t context = ics_path_context(&seg->key), len = s->kind == ICS_SAMPLE_SUM ? s->max_len : s->len;
	struct candidate *c = candidate_find(d, context, &s->src, &s->dst, false);
	const struct ics_path *p;
	struct ics_ip key;
	struct episode *e;
	uint64_t from_ns = s->kind == ICS_SAMPLE_SUM ? msg->ts_ns - SUM_NS : msg->ts_ns;

	if (c == NULL || len == 0 || len > d->conf->detect.link_mtu)
		return;
	p = ics_path_find(d->model, context, &s->src, &s->dst, ICS_PATH_TCP);
	if (p == NULL)
		return;
	if (len <= p->mtu)
		c->fits_ns = msg->ts_ns;
	else if (from_ns >= ics_path_first_ns(d->model, p))
		c->over_ns = msg->ts_ns;
	else
		return;
	key = ics_pmtu_key(d, &s->src, &s->dst, context);
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e == NULL)
		return;
	if (len > p->mtu)
		e->sent_len = len;
	update(d, e, msg, c);
}

static void
on_sample(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	if (s->kind == ICS_SAMPLE_SYN)
		on_syn(d, s, msg, seg);
	else if (s->kind == ICS_SAMPLE_SUM || s->kind == ICS_SAMPLE_RETX)
		on_sizes(d, s, msg, seg);
}

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct candidate), 36, CANDIDATES_MAX);
}

const struct ics_detector_ops ics_det_tcp_mss_gt_pmtu = {
	.episode_len = sizeof(struct episode),
	.needs_samples = true,
	.init = init,
	.fini = ics_detector_drop_table,
	.sample = on_sample,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
