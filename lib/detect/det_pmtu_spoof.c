/* Messages about the path MTU that quote packets which never were: somebody who cannot see a host's traffic tries to make it
 * send tiny packets (RFC 5927 4.1, RFC 8201 4). Judged only for hosts whose packets the tap sees, by the filters of the TCP
 * sampler, which forget after ten minutes at most. One voice a host. Called for strict Packet Too Big and Fragmentation
 * Needed messages, copies of them, and data of hosts; over after ten minutes without one.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WARN 5
#define CRITICAL 50
#define WINDOW_NS (10 * NS_PER_S)
#define CLEAR_NS (600 * NS_PER_S)
/* The tap saw data from this address so lately: then it would have seen the quoted packet too. */
#define VISIBLE_NS (300 * NS_PER_S)
#define SENDERS_MAX 65536
#define VICTIMS_MAX 8192

struct address_key {
	struct ics_ip addr;
	uint32_t context;
};

/* Whose data the tap sees. */
struct sender {
	struct ics_table_head head;
	struct address_key key;
	uint64_t last_ns;
};

/* Whom messages about unseen flows went to. */
struct victim {
	struct ics_table_head head;
	struct address_key key;
	uint64_t at_ns[WARN]; /* the latest ones */
	uint32_t n, n_local;
};

struct episode {
	struct ics_episode ep;
	bool muted, is_local;
	struct ics_ip host, far, reporter;
	struct ics_mac mac;
	uint8_t proto, hop_limit, quoted_hop_limit;
	uint16_t sport, dport;
	uint32_t l4_word, mtu;
	uint64_t n, last_ns;
	uint64_t second, in_second[10]; /* messages of the last ten seconds */
};

struct state {
	struct ics_table senders, victims;
	struct ics_recent_frames recent;
};

/* The entry with the key, made where there is none; the oldest gives way. */
static void *
get(struct ics_table *t, const struct address_key *key, uint32_t cap)
{
	uint32_t i = ics_table_find(t, key);

	if (i != 0)
		return ics_table_at(t, i);
	if (t->count >= cap)
		ics_table_remove(t, ics_table_oldest(t, NULL));
	i = ics_table_insert(t, key);
	return i == 0 ? NULL : ics_table_at(t, i);
}

static uint64_t
in_window(const struct episode *e)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(e->in_second); i++)
		n += e->in_second[i];
	return n;
}

static void
count(struct episode *e, uint64_t ts_ns, uint64_t n)
{
	uint64_t sec = ts_ns / NS_PER_S;
	unsigned len = ICS_ARRAY_LEN(e->in_second);

	if (sec >= e->second + len)
		memset(e->in_second, 0, sizeof(e->in_second));
	else
		for (uint64_t s = e->second + 1; s <= sec; s++)
			e->in_second[s % len] = 0;
	if (sec > e->second)
		e->second = sec;
	e->in_second[sec % len] += n;
	e->n += n;
	e->last_ns = ts_ns;
}

/* Once it was so many it stays critical: what was attempted does not get better by a pause. */
static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->is_local || in_window(e) >= CRITICAL ||
	    (e->ep.a->severity == ICS_SEV_CRITICAL && e->ep.published_ns != 0))
		return ICS_SEV_CRITICAL;
	return ICS_SEV_WARN;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char host[ICS_IP_STRLEN], far[ICS_IP_STRLEN], reporter[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->severity = severity_of(e);
	a->variant = e->is_local ? "local_reporter" : "unseen_flow";
	a->muted = e->muted;
	ics_ip_format(&e->host, host);
	ics_ip_format(&e->reporter, reporter);
	ics_mac_format(&e->mac, mac);
	ics_fact_set_text(a, "reporter", "%s", reporter);
	ics_fact_set_text(a, "reporter_mac", "%s", mac);
	ics_fact_set_uint(a, "hop_limit", e->hop_limit);
	ics_fact_set_uint(a, "quoted_hop_limit", e->quoted_hop_limit);
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, far));
	ics_fact_set_text(a, "quoted_proto", "%s", ics_pmtu_proto(e->proto));
	ics_fact_set_uint(a, "quoted_sport", e->sport);
	ics_fact_set_uint(a, "quoted_dport", e->dport);
	if (e->proto == ICS_PROTO_TCP)
		ics_fact_set_uint(a, "quoted_seq", e->l4_word);
	ics_fact_set_uint(a, "mtu", e->mtu);
	ics_fact_set_uint(a, "messages", e->n);
	ics_fact_set_uint(a, "in_10_s", in_window(e));
	a->says[0] = '\0';
	ics_say(a, "%llu messages tell %s to send no more than %u octets on connections that never existed,",
		(unsigned long long)e->n, host, e->mtu);
	ics_say(a, " the latest from %s (%s) about %s.", reporter, mac, far);
	if (e->is_local)
		ics_say(a, " They come from this link: neither they nor the packets they quote went through a router.");
	ics_say(a, " A host that believes them slows down or fragments everything.");
	ics_say(a, " Find the port of %s, and let hosts check that a quoted packet is one of theirs.", mac);
}

static bool
is_visible(struct state *st, const struct address_key *key, uint64_t now_ns)
{
	uint32_t i = ics_table_find(&st->senders, key);

	return i != 0 && now_ns < ((const struct sender *)ics_table_at(&st->senders, i))->last_ns + VISIBLE_NS;
}

/* Neither hop limit has been counted down: from the link itself, where no router stands between. */
static bool
is_from_link(const struct ics_msg_error *x)
{
	return (x->hop_limit == 255 || x->hop_limit == 64) &&
	       (x->quote.hop_limit == 64 || x->quote.hop_limit == 128 || x->quote.hop_limit == 255);
}

static void
remember(struct state *st, const struct ics_msg *msg, const struct victim *v)
{
	ics_recent_put(&st->recent, msg->rec->frame_hash, ics_table_index(&st->victims, v));
}

static void
note(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct victim *v, uint64_t n)
{
	const struct ics_quote *q = &msg->error.quote;

	count(e, msg->ts_ns, n);
	e->is_local |= v->n_local >= WARN;
	e->far = q->far;
	e->reporter = msg->src;
	e->mac = msg->smac;
	e->proto = q->proto;
	e->hop_limit = msg->error.hop_limit;
	e->quoted_hop_limit = q->hop_limit;
	e->sport = q->sport;
	e->dport = q->dport;
	e->l4_word = q->l4_word;
	e->mtu = msg->error.mtu;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_quote *q = &msg->error.quote;
	struct address_key key = {q->host, ics_path_context(&c->segment->key)};
	uint32_t n = 1 + msg->rec->repeats;
	struct state *st = d->state;
	char text[ICS_IP_STRLEN];
	struct episode *e;
	struct victim *v;

	if (!(q->flags & ICS_QUOTE_IP) || !is_visible(st, &key, msg->ts_ns) ||
	    ics_pmtu_flow_seen(d, q) != ICS_FLOW_NOT_SEEN)
		return;
	v = get(&st->victims, &key, VICTIMS_MAX);
	if (v == NULL)
		return;
	remember(st, msg, v);
	v->n_local = is_from_link(&msg->error) ? v->n_local + n : 0;
	for (uint32_t i = 0; i < n && i < WARN; i++)
		v->at_ns[v->n++ % WARN] = msg->ts_ns;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &q->host);
	if (e == NULL) {
		/* The slot that comes next holds the fifth last one. */
		uint64_t fifth_ns = v->at_ns[v->n % WARN];

		if (fifth_ns == 0 || msg->ts_ns >= fifth_ns + WINDOW_NS)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &q->host, "host",
							  ics_ip_format(&q->host, text));
		if (e == NULL)
			return;
		e->muted = true;
		e->host = q->host;
		n = n < WARN ? WARN : n;
	}
	note(d, e, msg, v, n);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &q->host, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, severity_of(e) | (uint64_t)e->is_local << 2 | (uint64_t)e->muted << 3);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	uint32_t i = ics_recent_find(&st->recent, rec->frame_hash);
	struct episode *e = NULL;

	if (i != 0 && ics_table_is_live(&st->victims, i)) {
		struct victim *v = ics_table_at(&st->victims, i);

		e = (struct episode *)ics_episode_find(d, seg->id, &v->key.addr);
	}
	if (e == NULL)
		return;
	count(e, ics_model_clock(d->model)->now_ns, 1 + (uint64_t)rec->repeats);
	ics_episode_add_copies(&e->ep, rec, severity_of(e) | (uint64_t)e->is_local << 2 | (uint64_t)e->muted << 3);
}

static void
on_data(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct address_key key = {msg->src, ics_path_context(&seg->key)};
	struct state *st = d->state;
	struct sender *s;

	if (msg->class == ICS_CLASS_arp)
		return;
	s = get(&st->senders, &key, SENDERS_MAX);
	if (s != NULL)
		s->last_ns = msg->ts_ns;
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return -ENOMEM;
	d->state = st;
	if (ics_table_init(&st->senders, sizeof(struct sender), 20, SENDERS_MAX, ics_hash_mix(d->seed, 1)) != 0)
		return -ENOMEM;
	return ics_table_init(&st->victims, sizeof(struct victim), 20, VICTIMS_MAX, ics_hash_mix(d->seed, 2));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL) {
		ics_table_fini(&st->senders);
		ics_table_fini(&st->victims);
	}
	free(st);
}

const struct ics_detector_ops ics_det_pmtu_spoof = {
	.classes = 1ull << ICS_CLASS_icmp6_too_big | 1ull << ICS_CLASS_icmp4_frag_needed,
	.episode_len = sizeof(struct episode),
	.needs_samples = true,
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.data = on_data,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
