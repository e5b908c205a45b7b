/* The same sender is told the same about the same path again and again, with packets that are still too long: the message
 * is filtered behind the tap, or the sender ignores it (RFC 2923 2.1, RFC 4890 4.3.1). One window of data in flight, or
 * probing for more after five minutes (RFC 8201 4), looks alike for a moment; UDP senders that probe on purpose (RFC 8899)
 * or never look, and pings, have no connection that hangs. Called for Packet Too Big and Fragmentation Needed, copies of
 * them, and what the TCP sampler sees hosts send; over when only packets that fit were seen for five minutes.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define GRACE_NS (3 * NS_PER_S)
#define SPAN_NS (10 * NS_PER_S)
#define REPEATS 3
#define CRITICAL_REPEATS 10
#define CRITICAL_FARS 3
/* Nobody adapts datagrams that an application made: many, before it is worth a word. */
#define DATAGRAM_REPEATS 10
/* A larger packet so long after is no longer one that was in flight. */
#define OBEYS_AFTER_NS (5 * NS_PER_S)
/* Probing for a larger MTU is due no earlier (8201 4, 1191 6.3). */
#define PROBE_NS (300 * NS_PER_S)
#define CLEAR_NS (300 * NS_PER_S)
/* Without a TCP sampler nobody sees what is sent: quiet for as long as hosts remember. */
#define QUIET_NS ICS_PATH_AGE_NS
#define SUSPECTS_MAX 16384
/* How much of the past a sum of the sampler covers. */
#define SUM_NS (60 * NS_PER_S)
#define FARS 8
#define FLOWS 8
#define PORT_HTTPS 443

struct suspect_key {
	struct ics_ip host, far;
	uint32_t context, class;
};

/* A path whose sender was told more than once. */
struct suspect {
	struct ics_table_head head;
	struct suspect_key key;
	uint64_t first_ns, last_ns; /* of the messages in this series */
	uint64_t sent_ns;           /* since when longer packets were seen sent, without a message about them */
	uint32_t n, n_late, n_sent; /* in all; about a flow that was told before, after the grace; those packets */
	uint32_t next;
	/* Flows that were told. Behind an address translator are many senders, each of which has to be told once. */
	struct {
		uint16_t sport, dport;
		uint64_t first_ns;
	} flow[FLOWS];
};

struct episode {
	struct ics_episode ep;
	bool muted, is_datagram, is_on_host;
	uint8_t proto, ttl;
	uint16_t sport, dport;
	uint32_t context, mtu, quoted_len, shortest_len, sent_len;
	uint64_t n;
	struct ics_ip host, reporter;
	struct ics_mac mac;
	uint32_t n_fars;
	struct ics_ip far[FARS];
	struct ics_guess guess;
	uint64_t first_ns, last_ns, fits_ns; /* fits_ns: latest packet that fits; 0: none seen */
};

struct state {
	struct ics_table suspects;
	struct {
		uint64_t frame_hash;
		struct suspect_key key;
		struct ics_ip reporter;
	} recent[64];
};

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->is_datagram)
		return ICS_SEV_INFO;
	return e->n >= CRITICAL_REPEATS || e->n_fars >= CRITICAL_FARS ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static const char *
os_hint(uint8_t ttl)
{
	return ttl == 0     ? "not known"
	       : ttl <= 64  ? "hop limit 64: Linux, macOS, BSD"
	       : ttl <= 128 ? "hop limit 128: Windows"
			    : "hop limit 255: a router";
}

static void
say(const struct episode *e, struct ics_anomaly *a, const char *host, const char *far)
{
	char text[120], reporter[ICS_IP_STRLEN];

	ics_ip_format(&e->reporter, reporter);
	a->says[0] = '\0';
	ics_say(a, "%s keeps sending %u octets to %s", host, e->quoted_len, far);
	if (e->n_fars > 1)
		ics_say(a, " and %u other%s", e->n_fars - 1, e->n_fars == 2 ? "" : "s");
	ics_say(a, " although %s said %llu times that no more than %u pass (%s):", reporter, (unsigned long long)e->n,
		e->mtu, ics_guess_say(&e->guess, text, sizeof(text)));
	if (e->is_datagram) {
		ics_say(a, " its %s datagrams do not adapt and are lost. Let that application send less, or fragment.",
			ics_pmtu_proto(e->proto));
		return;
	}
	ics_say(a, " large transfers hang. %s. Permit %s to it, or clamp the TCP MSS to %u.",
		e->is_on_host ? "The message reaches the host's own link: look at its firewall"
			      : "The message passes here: the filter is on the host, or on the way from here to it",
		ics_ip6_is_v4mapped(e->host.b) ? "ICMP 3/4" : "ICMPv6 type 2",
		ics_ip6_is_v4mapped(e->host.b) ? ics_mss4(e->mtu) : ics_mss6(e->mtu));
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char host[ICS_IP_STRLEN], far[ICS_IP_STRLEN], text[ICS_IP_STRLEN];

	a->variant = e->is_datagram ? "datagrams" : "ignored";
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_ip_format(&e->host, host);
	ics_ip_format(&e->far[0], far);
	ics_fact_set_text(a, "far", "%s", far);
	ics_fact_set_uint(a, "fars", e->n_fars);
	ics_fact_set_text(a, "reporter", "%s", ics_ip_format(&e->reporter, text));
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, text));
	ics_fact_set_uint(a, "mtu", e->mtu);
	ics_fact_set_uint(a, "quoted_len", e->quoted_len);
	ics_fact_set_uint(a, "quoted_len_shortest", e->shortest_len);
	if (e->sent_len != 0)
		ics_fact_set_uint(a, "sent_len", e->sent_len);
	ics_fact_set_uint(a, "messages", e->n);
	ics_fact_set_seconds(a, "duration_s", (e->last_ns - e->first_ns) / NS_PER_MS);
	ics_fact_set_text(a, "quoted_proto", "%s", ics_pmtu_proto(e->proto));
	if (e->sport != 0 || e->dport != 0) {
		ics_fact_set_uint(a, "quoted_sport", e->sport);
		ics_fact_set_uint(a, "quoted_dport", e->dport);
	}
	ics_fact_set_text(a, "host_os_hint", "%s", os_hint(e->ttl));
	ics_fact_set_text(a, "where", e->is_on_host ? "downstream of the tap, on the host" : "downstream of the tap");
	ics_pmtu_set_guess(a, &e->guess);
	ics_pmtu_set_mss(a, e->mtu);
	say(e, a, host, far);
}

static struct suspect *
suspect_find(struct state *st, const struct suspect_key *key)
{
	uint32_t i = ics_table_find(&st->suspects, key);

	return i == 0 ? NULL : ics_table_at(&st->suspects, i);
}

static struct suspect *
suspect_get(struct state *st, const struct suspect_key *key)
{
	struct suspect *s = suspect_find(st, key);
	uint32_t i;

	if (s != NULL)
		return s;
	if (st->suspects.count >= SUSPECTS_MAX)
		ics_table_remove(&st->suspects, ics_table_oldest(&st->suspects, NULL));
	i = ics_table_insert(&st->suspects, key);
	return i == 0 ? NULL : ics_table_at(&st->suspects, i);
}

/* Pings of a fixed size tell about the path, they are not hurt by it; QUIC probes for the MTU by itself (RFC 9000 14). */
static bool
is_exempt(uint8_t proto, uint16_t sport, uint16_t dport)
{
	return proto == ICS_PROTO_ICMP4 || proto == ICS_PROTO_ICMP6 ||
	       (proto == ICS_PROTO_UDP && (sport == PORT_HTTPS || dport == PORT_HTTPS));
}

static bool
has_far(const struct episode *e, const struct ics_ip *far)
{
	for (unsigned i = 0; i < e->n_fars; i++)
		if (ics_ip_equal(&e->far[i], far))
			return true;
	return e->n_fars == FARS; /* of those beyond, only what comes now is counted */
}

static void
note_far(struct ics_detector *d, struct episode *e, const struct ics_ip *far)
{
	struct ics_hole h = {
		.host = e->host,
		.far = *far,
		.context = e->context,
		.kind = ICS_HOLE_REPEAT,
		.segment = e->ep.segment,
		.mtu = e->mtu,
		.lost = e->quoted_len,
		.reporter_known = true,
		.reporter = e->reporter,
	};
	const struct ics_hole *known;
	unsigned i = 0;

	while (i < e->n_fars && i < FARS && !ics_ip_equal(&e->far[i], far))
		i++;
	if (i == FARS)
		return;
	if (i == e->n_fars)
		e->far[e->n_fars++] = *far;
	known = ics_hole_find(d->model, h.context, &h.host, far, ICS_HOLE_REPEAT);
	if (!e->is_datagram && (known == NULL || known->mtu != h.mtu || known->lost != h.lost))
		(void)ics_hole_set(d->model, &h);
}

/* The finding about this host and reporter, opened where there is none. */
static struct episode *
episode_get(struct ics_detector *d, const struct ics_segment *seg, const struct ics_path *p, const struct suspect *s)
{
	struct ics_ip key = ics_pmtu_key(d, &p->host, &p->reporter, p->class);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	char text[ICS_IP_STRLEN];

	if (e != NULL)
		return e;
	e = (struct episode *)ics_episode_open_as(d, seg, &key, "host", ics_ip_format(&p->host, text));
	if (e == NULL)
		return NULL;
	ics_subject_set_text(e->ep.a, "reporter", "%s", ics_ip_format(&p->reporter, text));
	e->muted = true;
	e->host = p->host;
	e->reporter = p->reporter;
	e->context = p->context;
	e->is_datagram = p->class == ICS_PATH_UDP;
	e->mtu = p->mtu;
	e->mac = p->mac;
	e->proto = p->proto;
	e->sport = p->sport;
	e->dport = p->dport;
	e->shortest_len = UINT32_MAX;
	e->first_ns = s->first_ns;
	return e;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->mtu | (uint64_t)severity_of(e) << 32 | (uint64_t)e->muted << 34 | (uint64_t)e->n_fars << 35;
}

static bool
is_black_hole(const struct suspect *s, uint64_t now_ns)
{
	if (s->n_sent >= REPEATS && now_ns >= s->sent_ns + GRACE_NS)
		return true;
	return s->n_late >= REPEATS && s->last_ns >= s->first_ns + SPAN_NS &&
	       (s->key.class != ICS_PATH_UDP || s->n >= DATAGRAM_REPEATS);
}

static void
note_path(struct episode *e, const struct ics_path *p, uint32_t quoted_len, uint64_t ts_ns)
{
	if (p->mtu < e->mtu)
		e->mtu = p->mtu;
	if (quoted_len > e->quoted_len)
		e->quoted_len = quoted_len;
	if (quoted_len < e->shortest_len)
		e->shortest_len = quoted_len;
	e->last_ns = ts_ns;
	ics_guess_of_path(p, &e->guess);
}

/* The host is on this link, and the frame goes to its own MAC. */
static bool
is_next_to(const struct ics_detector *d, const struct ics_segment *seg, const struct ics_msg *msg)
{
	const struct ics_binding *b = ics_model_binding_find(d->model, seg->id, &msg->dst);

	return b != NULL && msg->has_mac && ics_mac_equal(&b->mac, &msg->dmac);
}

/* Since when the flow in question was told; without ports the path is one flow. */
static uint64_t
told_since(struct suspect *s, const struct ics_quote *q, uint64_t ts_ns)
{
	unsigned i;

	if (!(q->flags & ICS_QUOTE_PORTS))
		return s->first_ns;
	for (i = 0; i < FLOWS; i++)
		if (s->flow[i].first_ns != 0 && s->flow[i].sport == q->sport && s->flow[i].dport == q->dport)
			return s->flow[i].first_ns;
	i = s->next++ % FLOWS;
	s->flow[i].sport = q->sport;
	s->flow[i].dport = q->dport;
	s->flow[i].first_ns = ts_ns;
	return ts_ns;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_path *p = c->path.path;
	const struct ics_quote *q = &msg->error.quote;
	struct state *st = d->state;
	uint32_t n = 1 + msg->rec->repeats, slot = msg->rec->frame_hash % ICS_ARRAY_LEN(st->recent);
	bool is_probe = msg->ts_ns >= c->path.before_last_ns + PROBE_NS;
	struct suspect_key key;
	struct suspect *s;
	struct episode *e;

	if (c->path.what != ICS_PATH_REPEATED || is_exempt(q->proto, q->sport, q->dport) ||
	    (q->ip_len != 0 && q->ip_len <= p->mtu) || (p->flags & ICS_PATH_FLOODED))
		return;
	key = (struct suspect_key){p->host, p->far, p->context, p->class};
	s = suspect_get(st, &key);
	if (s == NULL)
		return;
	/* Begins with the message before this one, or with this one when it may be a probe for more. */
	if (s->first_ns == 0 || is_probe || msg->ts_ns >= s->last_ns + PROBE_NS) {
		s->first_ns = is_probe ? msg->ts_ns : ics_path_first_ns(d->model, p);
		s->n = is_probe ? 0 : p->repeats + 1 - n;
		s->n_late = 0;
		memset(s->flow, 0, sizeof(s->flow));
		if (!is_probe) {
			s->flow[0].sport = c->path.before_sport;
			s->flow[0].dport = c->path.before_dport;
			s->flow[0].first_ns = c->path.before_last_ns;
			s->next = 1;
		}
	}
	s->n_sent = 0;
	s->sent_ns = 0;
	s->last_ns = msg->ts_ns;
	s->n += n;
	if (msg->ts_ns >= told_since(s, q, msg->ts_ns) + GRACE_NS)
		s->n_late += n;
	st->recent[slot].frame_hash = msg->rec->frame_hash;
	st->recent[slot].key = key;
	st->recent[slot].reporter = p->reporter;
	if (!is_black_hole(s, msg->ts_ns))
		return;
	e = episode_get(d, c->segment, p, s);
	if (e == NULL)
		return;
	e->n += has_far(e, &p->far) ? n : s->n;
	e->ttl = q->hop_limit;
	e->is_on_host = is_next_to(d, c->segment, msg);
	note_path(e, p, q->ip_len, msg->ts_ns);
	note_far(d, e, &p->far);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &p->host, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* Folded copies come within a second of their first: they are of one moment, but they count. */
static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	unsigned slot = rec->frame_hash % ICS_ARRAY_LEN(st->recent);
	uint32_t n = 1 + rec->repeats;
	struct suspect *s;
	struct episode *e;
	struct ics_ip key;

	if (rec->frame_hash == 0 || st->recent[slot].frame_hash != rec->frame_hash)
		return;
	s = suspect_find(st, &st->recent[slot].key);
	if (s == NULL)
		return;
	s->n += n;
	if (s->last_ns >= s->first_ns + GRACE_NS)
		s->n_late += n;
	key = ics_pmtu_key(d, &s->key.host, &st->recent[slot].reporter, s->key.class);
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e == NULL)
		return;
	e->n += n;
	ics_episode_add_copies(&e->ep, rec, signature_of(e));
}

/* The longest packet that a sample tells of, and since when it must have been known to be too long. */
static uint32_t
sent_len(const struct ics_sample *s, uint64_t *from_ns, uint64_t ts_ns)
{
	*from_ns = ts_ns;
	switch (s->kind) {
	case ICS_SAMPLE_RETX:
		*from_ns = ts_ns - s->lasted_ms * NS_PER_MS;
		return s->len;
	case ICS_SAMPLE_SUM:
		/* Of a whole minute, the beginning of which may have been before. */
		*from_ns = ts_ns - SUM_NS;
		return s->max_len;
	default:
		return 0;
	}
}

/* Longer than what was told, while the sender must still remember; offload makes segments that no link carries. */
static void
on_sample(struct ics_detector *d, const struct ics_sample *sample, const struct ics_msg *msg,
	  const struct ics_segment *seg)
{
	uint32_t context = ics_path_context(&seg->key), class = ics_path_class_of(sample->proto), len;
	const struct ics_path *p;
	struct suspect_key key;
	struct episode *e;
	struct suspect *s;
	struct ics_ip ekey;
	uint64_t told_ns, from_ns;

	len = sent_len(sample, &from_ns, msg->ts_ns);
	if (len == 0 || len > d->conf->detect.link_mtu)
		return;
	p = ics_path_find(d->model, context, &sample->src, &sample->dst, (enum ics_path_class) class);
	if (p == NULL || is_exempt(p->proto, p->sport, p->dport))
		return;
	ekey = ics_pmtu_key(d, &p->host, &p->reporter, p->class);
	e = (struct episode *)ics_episode_find(d, seg->id, &ekey);
	if (len <= p->mtu) {
		if (e != NULL && sample->kind == ICS_SAMPLE_SUM) {
			e->fits_ns = msg->ts_ns;
			ics_episode_rearm(&e->ep);
		}
		return;
	}
	told_ns = ics_path_last_ns(d->model, p);
	if (!(sample->flags & (ICS_SAMPLE_DF | ICS_SAMPLE_IP6)) || msg->ts_ns >= told_ns + PROBE_NS ||
	    (sample->kind == ICS_SAMPLE_RETX ? msg->ts_ns : from_ns) < told_ns + OBEYS_AFTER_NS)
		return;
	key = (struct suspect_key){p->host, p->far, p->context, p->class};
	s = suspect_get(d->state, &key);
	if (s == NULL)
		return;
	if (s->first_ns == 0) {
		s->first_ns = ics_path_first_ns(d->model, p);
		s->last_ns = told_ns;
		s->n = p->repeats + 1;
	}
	if (s->sent_ns == 0)
		s->sent_ns = from_ns > told_ns ? from_ns : told_ns;
	s->n_sent += sample->kind == ICS_SAMPLE_RETX ? 1u + sample->n : 1;
	if (!is_black_hole(s, msg->ts_ns))
		return;
	e = episode_get(d, seg, p, s);
	if (e == NULL)
		return;
	if (e->n == 0)
		e->n = s->n;
	if (len > e->sent_len)
		e->sent_len = len;
	note_path(e, p, len, msg->ts_ns);
	note_far(d, e, &p->far);
	e->muted &= ics_detect_is_muted(d, &seg->key, &p->host, NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->last_ns + (e->fits_ns > e->last_ns ? CLEAR_NS : QUIET_NS);
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	/* Five minutes of nothing decide nothing, five minutes in which what fits was sent do. */
	if (now_ns < due(ep))
		return true;
	for (unsigned i = 0; i < e->n_fars; i++)
		ics_hole_end(d->model, e->context, &e->host, &e->far[i], ICS_HOLE_REPEAT);
	ics_episode_close(ep);
	return false;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return -ENOMEM;
	d->state = st;
	return ics_table_init(&st->suspects, sizeof(struct suspect), sizeof(struct suspect_key), SUSPECTS_MAX,
			      ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL)
		ics_table_fini(&st->suspects);
	free(st);
}

const struct ics_detector_ops ics_det_pmtu_blackhole_repeat = {
	.classes = 1ull << ICS_CLASS_icmp6_too_big | 1ull << ICS_CLASS_icmp4_frag_needed,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.sample = on_sample,
	.render = render,
	.timer = on_timer,
	.due = due,
};
