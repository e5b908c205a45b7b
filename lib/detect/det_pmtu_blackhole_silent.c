/* Full-size segments vanish while shorter ones arrive, and no router says why: a filter before the tap drops the ICMP
 * message, or nobody sends one (RFC 2923 2.1, RFC 4821 1). A flow tells when a segment that may not be fragmented was sent
 * again three times in three seconds, what is shorter was acknowledged, and its peer lives. Two flows towards one network
 * are a finding; a sender that sends the same octets in shorter packets, and those arrive, is proof. Called for what the
 * TCP sampler tells; over when three flows get full-size segments through.
 */
#include "pmtu.h"

#include <stdio.h>

#define RESENT 3
#define RESENT_MS 3000
/* A shrunk segment is no partial retransmission of an accident when the loss came twice. */
#define SHRUNK_RESENT 2
/* A router that told something lately, or since the segment was first sent, is the affair of pmtu_blackhole_repeat. */
#define TOLD_NS (30 * NS_PER_S)
#define WINDOW_NS (300 * NS_PER_S)
#define FLOWS_WARN 2
#define FLOWS_CRITICAL 5
#define PASSED_FLOWS 3
/* Full size is what the MSS allows, give or take a filler. */
#define ABOUT 8u
/* Nobody connects any more, or the sampler sees no more. */
#define QUIET_NS (86400 * NS_PER_S)
#define FLOWS 16
#define PREFIXES_MAX 8192
/* Every IPv6 path carries it (RFC 8200 5), and in practice every IPv4 path does. */
#define SAFE_MTU 1280

struct flow {
	uint32_t id;
	struct ics_ip host, far;
	uint64_t last_ns;
	bool is_alive; /* its peer was heard after the loss */
};

/* What is known of a far network. */
struct prefix {
	struct ics_table_head head;
	struct ics_ip addr; /* with context the key */
	uint32_t context;
	uint32_t n_flows, n_passed;
	uint64_t first_ns, last_ns, alive_ns; /* alive_ns: a connection to it was opened after a loss */
	uint64_t mended_ns;                   /* a black hole ended: what began to vanish before says nothing new */
	uint32_t lost_len;                    /* the least that vanished */
	struct flow flow[FLOWS];
	uint32_t passed[PASSED_FLOWS]; /* flows that got full-size segments through since the latest loss */
};

struct episode {
	struct ics_episode ep;
	bool muted, confirmed;
	uint32_t context, flows, hosts;
	uint32_t low, high; /* the most that is known to arrive, the least that is known to vanish */
	uint32_t lost_len, acked_len, shrunk_len, resent, lasted_ms;
	uint16_t mss, peer_mss, sport, dport;
	uint8_t proto;
	struct ics_ip prefix, host, far;
	struct ics_guess guess;
	uint64_t last_ns;
};

static uint32_t
context_key(const struct ics_segment *seg)
{
	return ics_path_context(&seg->key);
}

static void
end_hole(struct ics_detector *d, const struct prefix *p, const struct flow *f)
{
	ics_hole_end(d->model, p->context, &f->host, &f->far, ICS_HOLE_SILENT);
}

static void
prefix_remove(struct ics_detector *d, struct prefix *p)
{
	for (unsigned i = 0; i < FLOWS; i++)
		if (p->flow[i].last_ns != 0)
			end_hole(d, p, &p->flow[i]);
	ics_table_remove(d->state, ics_table_index(d->state, p));
}

static struct prefix *
prefix_find(struct ics_detector *d, uint32_t context, const struct ics_ip *far, bool make)
{
	struct {
		struct ics_ip addr;
		uint32_t context;
	} key = {ics_path_prefix(far), context};
	struct ics_table *t = d->state;
	uint32_t i;

	if (t->count == 0 && !make)
		return NULL;
	i = ics_table_find(t, &key);
	if (i == 0 && make) {
		if (t->count >= PREFIXES_MAX)
			prefix_remove(d, ics_table_at(t, ics_table_oldest(t, NULL)));
		i = ics_table_insert(t, &key);
	}
	return i == 0 ? NULL : ics_table_at(t, i);
}

/* ---- words ---- */

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->confirmed || e->flows >= FLOWS_CRITICAL || e->hosts >= FLOWS_CRITICAL)
		return ICS_SEV_CRITICAL;
	return e->flows >= FLOWS_WARN || e->hosts >= FLOWS_WARN ? ICS_SEV_WARN : ICS_SEV_INFO;
}

static const char *
variant_of(const struct episode *e)
{
	return e->confirmed ? "confirmed" : severity_of(e) == ICS_SEV_INFO ? "suspected" : "path";
}

/* What to clamp to: what the sender found out by itself, else the least that every path carries. */
static uint32_t
safe_mtu(const struct episode *e)
{
	if (e->confirmed || e->low > SAFE_MTU || e->high <= SAFE_MTU)
		return e->low;
	return SAFE_MTU;
}

/* The usual MTUs between the bounds, the largest first: one of them it is, most likely. */
static void
guess(struct episode *e)
{
	struct ics_guess one;
	struct ics_guess_hint hint = {.is_ip4 = ics_ip6_is_v4mapped(e->host.b)};

	e->guess.n = 0;
	e->guess.link = 0;
	for (uint32_t mtu = e->high - 1; mtu >= e->low && mtu >= SAFE_MTU && e->guess.n < ICS_GUESS_MAX; mtu--) {
		ics_guess_encap(mtu, &hint, &one);
		if (one.n == 0)
			continue;
		snprintf(e->guess.at[e->guess.n].text, ICS_GUESS_TEXT_LEN, "%u: %.60s", mtu, one.at[0].text);
		e->guess.at[e->guess.n++].confidence = ICS_CONFIDENCE_LOW;
	}
}

static void
say(const struct episode *e, struct ics_anomaly *a, const char *host, const char *far)
{
	bool is_ip4 = ics_ip6_is_v4mapped(e->host.b);

	a->says[0] = '\0';
	ics_say(a, "Large packets from %s to %s vanish without an ICMP message:", host, far);
	ics_say(a, " %u octets were sent %u times in %u s and never acknowledged, while shorter ones arrive",
		e->lost_len, 1 + e->resent, (e->lasted_ms + 500) / 1000);
	if (e->flows > 1)
		ics_say(a, "; %u connections of %u host%s", e->flows, e->hosts, e->hosts == 1 ? "" : "s");
	if (e->confirmed)
		ics_say(a, ". The sender then tried %u octets, and those arrived", e->shrunk_len);
	ics_say(a, ". Connections open and then hang; the path carries between %u and %u octets.", e->low, e->high - 1);
	ics_say(a, " Permit %s on the way back to the host, and clamp the TCP MSS to %u until then.",
		is_ip4 ? "ICMP 3/4" : "ICMPv6 type 2", is_ip4 ? ics_mss4(safe_mtu(e)) : ics_mss6(safe_mtu(e)));
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char host[ICS_IP_STRLEN], far[ICS_IP_STRLEN];

	guess(e);
	a->variant = variant_of(e);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, host));
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, far));
	ics_fact_set_uint(a, "sport", e->sport);
	ics_fact_set_uint(a, "dport", e->dport);
	ics_fact_set_uint(a, "mss", e->mss);
	ics_fact_set_uint(a, "peer_mss", e->peer_mss);
	ics_fact_set_uint(a, "lost_len", e->lost_len);
	if (e->shrunk_len != 0)
		ics_fact_set_uint(a, "shrunk_len", e->shrunk_len);
	if (e->acked_len != 0)
		ics_fact_set_uint(a, "acked_len", e->acked_len);
	ics_fact_set_uint(a, "retries", e->resent);
	ics_fact_set_seconds(a, "lasted_s", e->lasted_ms);
	ics_fact_set_uint(a, "flows", e->flows);
	ics_fact_set_uint(a, "hosts", e->hosts);
	ics_fact_set_uint(a, "pmtu_low", e->low);
	ics_fact_set_uint(a, "pmtu_high", e->high - 1);
	ics_pmtu_set_guess(a, &e->guess);
	ics_pmtu_set_mss(a, safe_mtu(e));
	say(e, a, host, far);
}

/* ---- the verdict ---- */

static bool
was_told(struct ics_detector *d, uint32_t context, const struct ics_sample *s, uint64_t now_ns)
{
	const struct ics_path *p = ics_path_find(d->model, context, &s->src, &s->dst, ICS_PATH_CLASSES);
	uint64_t lasted_ns = s->lasted_ms * 1000000ull;

	return p != NULL && now_ns < ics_path_last_ns(d->model, p) + (lasted_ns > TOLD_NS ? lasted_ns : TOLD_NS);
}

/* Congestion loses short and long ones, a full window and a dead peer answer nothing, offload makes lengths that no link
 * ever saw.
 */
static bool
is_evidence(const struct ics_detector *d, const struct ics_sample *s)
{
	uint16_t wanted = ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_DF;
	uint16_t refused = ICS_SAMPLE_SACK_FULL | ICS_SAMPLE_ZERO_WINDOW | ICS_SAMPLE_SUPER;

	if ((s->flags & wanted) != wanted || (s->flags & refused) != 0 || s->len > d->conf->detect.link_mtu)
		return false;
	if (s->kind == ICS_SAMPLE_SHRUNK)
		return s->n >= SHRUNK_RESENT && s->shrunk_len != 0 && s->shrunk_len < s->len;
	return s->n >= RESENT && s->lasted_ms >= RESENT_MS && s->acked_len < s->len &&
	       (s->acked_len != 0 || (s->flags & ICS_SAMPLE_SACK_SMALL) != 0);
}

/* Another flow between the two is on the list. */
static bool
is_shared(const struct prefix *p, const struct flow *f)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		const struct flow *at = &p->flow[i];

		if (at != f && at->last_ns != 0 && ics_ip_equal(&at->host, &f->host) && ics_ip_equal(&at->far, &f->far))
			return true;
	}
	return false;
}

static void
note_flow(struct ics_detector *d, struct prefix *p, const struct ics_sample *s, uint64_t ts_ns)
{
	struct flow *f = NULL;

	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow *at = &p->flow[i];

		if (at->last_ns != 0 && at->id == s->flow) {
			f = at;
			break;
		}
		if (f == NULL || at->last_ns < f->last_ns)
			f = at;
	}
	if (f->last_ns == 0 || f->id != s->flow) {
		if (f->last_ns != 0 && !is_shared(p, f))
			end_hole(d, p, f);
		*f = (struct flow){.id = s->flow, .host = s->src, .far = s->dst};
	}
	f->last_ns = ts_ns;
	f->is_alive |= (s->flags & (ICS_SAMPLE_PEER_HEARD | ICS_SAMPLE_SACK_SMALL)) != 0;
	if (p->first_ns == 0)
		p->first_ns = ts_ns;
	if (p->lost_len == 0 || s->len < p->lost_len)
		p->lost_len = s->len;
	p->last_ns = ts_ns;
	p->n_passed = 0;
}

/* Flows and hosts of the last five minutes; *is_alive: that network answers. */
static void
count_flows(const struct prefix *p, uint64_t now_ns, uint32_t *flows, uint32_t *hosts, bool *is_alive)
{
	*flows = *hosts = 0;
	*is_alive = p->alive_ns != 0 && now_ns < p->alive_ns + WINDOW_NS;
	for (unsigned i = 0; i < FLOWS; i++) {
		const struct flow *f = &p->flow[i];
		unsigned k = 0;

		if (f->last_ns == 0 || now_ns >= f->last_ns + WINDOW_NS)
			continue;
		++*flows;
		*is_alive |= f->is_alive;
		while (k < i && (p->flow[k].last_ns == 0 || now_ns >= p->flow[k].last_ns + WINDOW_NS ||
				 !ics_ip_equal(&p->flow[k].host, &f->host)))
			k++;
		*hosts += k == i;
	}
}

static void
note_bounds(struct episode *e, const struct ics_sample *s)
{
	uint32_t least = ics_ip6_is_v4mapped(s->src.b) ? ICS_PATH_MIN4 : ICS_PATH_MIN6;
	uint32_t low = s->kind == ICS_SAMPLE_SHRUNK ? s->shrunk_len : s->acked_len;

	if (low < least && least < s->len)
		low = least;
	if (s->len < e->high)
		e->high = s->len;
	/* Another path to the same network may carry more. */
	if (e->low >= e->high)
		e->low = 0;
	if (low > e->low && low < e->high)
		e->low = low;
}

/* Each pair of host and far end that hit it. */
static void
tell_holes(struct ics_detector *d, const struct episode *e, const struct prefix *p)
{
	struct ics_hole h = {
		.context = e->context,
		.kind = ICS_HOLE_SILENT,
		.segment = e->ep.segment,
		.mtu = safe_mtu(e),
		.lost = e->high,
		.confirmed = e->confirmed,
	};

	if (severity_of(e) == ICS_SEV_INFO)
		return;
	for (unsigned i = 0; i < FLOWS; i++) {
		const struct ics_hole *known;

		if (p->flow[i].last_ns == 0)
			continue;
		h.host = p->flow[i].host;
		h.far = p->flow[i].far;
		known = ics_hole_find(d->model, h.context, &h.host, &h.far, ICS_HOLE_SILENT);
		if (known == NULL || known->mtu != h.mtu || known->lost != h.lost || known->confirmed != h.confirmed)
			(void)ics_hole_set(d->model, &h);
	}
}

static struct episode *
episode_get(struct ics_detector *d, const struct ics_segment *seg, const struct prefix *p)
{
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &p->addr);
	char ip[ICS_IP_STRLEN], text[64];

	if (e != NULL)
		return e;
	snprintf(text, sizeof(text), "%s/%u", ics_ip_format(&p->addr, ip), ics_path_prefix_len(&p->addr));
	e = (struct episode *)ics_episode_open_as(d, seg, &p->addr, "far_prefix", text);
	if (e == NULL)
		return NULL;
	e->muted = true;
	e->context = p->context;
	e->prefix = p->addr;
	e->high = UINT32_MAX;
	return e;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->low | (uint64_t)e->high << 16 | (uint64_t)severity_of(e) << 32 | (uint64_t)e->confirmed << 34 |
	       (uint64_t)e->muted << 35 | (uint64_t)e->flows << 36 | (uint64_t)e->hosts << 44;
}

static void
on_loss(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	uint32_t context = context_key(seg), flows, hosts;
	struct prefix *p;
	struct episode *e;
	bool is_alive;

	if (!is_evidence(d, s) || was_told(d, context, s, msg->ts_ns))
		return;
	p = prefix_find(d, context, &s->dst, true);
	/* Connections from before it was mended hang on, and try again for a quarter of an hour. */
	if (p == NULL || msg->ts_ns - s->lasted_ms * NS_PER_MS < p->mended_ns)
		return;
	note_flow(d, p, s, msg->ts_ns);
	count_flows(p, msg->ts_ns, &flows, &hosts, &is_alive);
	if (!is_alive && s->kind != ICS_SAMPLE_SHRUNK)
		return;
	e = episode_get(d, seg, p);
	if (e == NULL)
		return;
	e->confirmed |= s->kind == ICS_SAMPLE_SHRUNK;
	if (flows > e->flows)
		e->flows = flows;
	if (hosts > e->hosts)
		e->hosts = hosts;
	note_bounds(e, s);
	e->host = s->src;
	e->far = s->dst;
	e->lost_len = s->len;
	e->acked_len = s->acked_len;
	if (s->kind == ICS_SAMPLE_SHRUNK)
		e->shrunk_len = s->shrunk_len;
	e->resent = s->n;
	e->lasted_ms = s->lasted_ms;
	e->mss = s->mss;
	e->peer_mss = s->peer_mss;
	e->sport = s->sport;
	e->dport = s->dport;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &seg->key, &s->src, NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
	tell_holes(d, e, p);
}

static void
end(struct ics_detector *d, struct episode *e, struct prefix *p)
{
	if (p != NULL)
		prefix_remove(d, p);
	ics_episode_close(&e->ep);
}

/* A sender that tries how much passes tells where the black hole begins. */
static void
note_passed(struct ics_detector *d, struct episode *e, const struct prefix *p, const struct ics_sample *s,
	    const struct ics_msg *msg)
{
	if (!ics_ip_equal(&s->dst, &e->far) || s->acked_len <= e->low || s->acked_len >= e->high)
		return;
	e->low = s->acked_len;
	ics_episode_update(&e->ep, msg, signature_of(e));
	tell_holes(d, e, p);
}

/* A sender that found out by itself gets its shorter ones through, the next one will hang as well. */
static bool
is_way_around(const struct prefix *p, const struct episode *e, const struct ics_sample *s)
{
	if (e == NULL || s->acked_len >= e->high)
		return false;
	for (unsigned i = 0; i < FLOWS; i++)
		if (p->flow[i].last_ns != 0 && p->flow[i].id == s->flow)
			return true;
	return false;
}

/* A flow gets through what vanished before, or, with a clamp, the longest that the MSS allows. Short messages of a
 * flow that has nothing longer to say prove nothing.
 */
static bool
is_full_size(const struct prefix *p, const struct ics_sample *s)
{
	uint32_t headers = ics_ip6_is_v4mapped(s->src.b) ? ICS_TCP_HEADERS4 : ICS_TCP_HEADERS6;
	uint32_t mss = s->mss < s->peer_mss ? s->mss : s->peer_mss;
	/* What was acknowledged may be from before the loss. */
	uint32_t len = s->acked_len < s->max_len ? s->acked_len : s->max_len;

	return len >= p->lost_len || (mss != 0 && len + ABOUT >= mss + headers);
}

static void
on_passed(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct prefix *p = prefix_find(d, context_key(seg), &s->dst, false);
	struct episode *e;
	unsigned i = 0;

	if (p == NULL)
		return;
	e = (struct episode *)ics_episode_find(d, seg->id, &p->addr);
	if (e != NULL)
		note_passed(d, e, p, s, msg);
	if (is_way_around(p, e, s) || !is_full_size(p, s))
		return;
	while (i < p->n_passed && p->passed[i] != s->flow)
		i++;
	if (i == p->n_passed)
		p->passed[p->n_passed++] = s->flow;
	if (p->n_passed < PASSED_FLOWS)
		return;
	if (e == NULL) {
		prefix_remove(d, p);
		return;
	}
	end(d, e, p);
	p = prefix_find(d, context_key(seg), &s->dst, true);
	if (p != NULL)
		p->mended_ns = msg->ts_ns;
}

static void
on_sample(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct prefix *p;

	switch (s->kind) {
	case ICS_SAMPLE_RETX:
	case ICS_SAMPLE_SHRUNK:
	case ICS_SAMPLE_END:
		on_loss(d, s, msg, seg);
		break;
	case ICS_SAMPLE_SUM:
		if (s->flags & ICS_SAMPLE_FULL_ACKED)
			on_passed(d, s, msg, seg);
		break;
	case ICS_SAMPLE_SYN:
		/* Who answers a SYN after the loss is not dead. */
		p = s->flags & ICS_SAMPLE_HANDSHAKE ? prefix_find(d, context_key(seg), &s->src, false) : NULL;
		if (p != NULL && p->last_ns != 0)
			p->alive_ns = msg->ts_ns;
		break;
	default:
		break;
	}
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + QUIET_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (now_ns < due(ep))
		return true;
	end(d, e, prefix_find(d, e->context, &e->prefix, false));
	return false;
}

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct prefix), 20, PREFIXES_MAX);
}

const struct ics_detector_ops ics_det_pmtu_blackhole_silent = {
	.episode_len = sizeof(struct episode),
	.needs_samples = true,
	.needs_both_ways = true,
	.init = init,
	.fini = ics_detector_drop_table,
	.sample = on_sample,
	.render = render,
	.timer = on_timer,
	.due = due,
};
