/* Many unreachable messages, and what is behind them: a scan by one of our hosts, backscatter of an attack in which our
 * addresses are forged, or a network that is gone (RFC 792, 1812 5.2.7.1, 4443 3.1); and those that would reset established
 * TCP connections of old stacks (RFC 5927 5). Answers of resolvers' hosts to late replies of name servers are ordinary. Called
 * for unreachable messages and copies; over when a minute has less than a tenth of the limit.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 100
#define CRITICAL_LIMIT 1000
#define SECONDS 3
#define SCAN_TARGETS 256
#define BACKSCATTER_HOSTS 64
#define BACKSCATTER_PERCENT 90
#define BACKSCATTER_MESSAGES 100
#define HARD_ERRORS 3
#define WINDOW_NS (60 * NS_PER_S)
#define CLEAR_NS (60 * NS_PER_S)
#define SOURCES_MAX 4096
#define HOSTS_MAX 4096
#define PORT_DNS 53
/* Below are ports of services: what comes from there to above is an answer (RFC 6335 6). */
#define COUNT_EVERY 64
#define SEEN_SLOTS 1024
#define SEEN_NS (600 * NS_PER_S)
#define PORTS_OF_SERVICES 1024
/* So many reporters for one host are invented. */
#define FLOOD_REPORTERS 64
#define TCP_FLAGS_OFF 13
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum variant { SCAN, BACKSCATTER, HARD_ERROR, FLOOD, RATE };

static const char *const names[] = {
	[SCAN] = "scan", [BACKSCATTER] = "backscatter", [HARD_ERROR] = "hard_error_tcp", [FLOOD] = "flood",
	[RATE] = "rate",
};

/* What one reporter sends with one code. */
struct source {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment and code the key */
	uint32_t segment, code;
	struct ics_rate rate;
	uint64_t window_ns; /* since when the following are */
	uint32_t n, unseen, seen, hard;
	struct ics_hll fars, hosts;
};

/* A host that many are told about. */
struct host {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment, n;
	uint64_t window_ns;
	struct ics_rate rate;
	struct ics_hll targets, reporters;
};

struct episode {
	struct ics_episode ep;
	bool muted, is_ip4, is_host;
	uint8_t type, code;
	uint32_t variants, peak, n_hard;
	uint64_t fars, hosts, unseen_percent;
	struct ics_ip addr, host, far;
	struct ics_mac mac;
	struct ics_quote q;
	uint64_t high_ns;
};

struct state {
	struct ics_table sources, hosts;
	struct ics_recent_frames recent;
	uint64_t seen_ns[SEEN_SLOTS]; /* by segment and /24 or /48: when data came from there */
};

static enum ics_severity
severity_of(const struct episode *e)
{
	return e->peak > CRITICAL_LIMIT && e->variants != 1u << SCAN ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static void
say(const struct episode *e, struct ics_anomaly *a, enum variant v)
{
	char addr[ICS_IP_STRLEN], host[ICS_IP_STRLEN];
	const char *name = ics_unreach_name(e->is_ip4, e->type, e->code);

	ics_ip_format(&e->addr, addr);
	ics_ip_format(&e->host, host);
	a->says[0] = '\0';
	switch (v) {
	case SCAN:
		ics_say(a,
			"%s was told within a minute that %llu different addresses or ports cannot be reached: it "
			"looks "
			"like a scan by %s. Find its owner, or who else uses that address.",
			addr, (unsigned long long)e->fars, addr);
		break;
	case BACKSCATTER:
		ics_say(a,
			"%s: up to %u a second, code %u (%s), for about %llu of our addresses, and %llu %% are about "
			"packets that were never sent from here: backscatter, somebody forges our addresses elsewhere. "
			"Nothing is wrong here; drop it at the border when it is too much.",
			addr, e->peak, e->code, name, (unsigned long long)e->hosts,
			(unsigned long long)e->unseen_percent);
		break;
	case HARD_ERROR:
		ics_say(a,
			"%s answers established TCP connections of %s with code %u (%s), %u times: old stacks abort "
			"them. It is an attempt to reset connections, a filter that was changed under them, or an "
			"address translator that restarted. Check %s, and filter such messages at the border.",
			addr, host, e->code, name, e->n_hard, addr);
		break;
	case FLOOD:
		ics_say(a,
			"%s is flooded with unreachable messages, up to %u a second, from about %llu different "
			"reporters: most of them are invented. It costs %s time, and resets connections of old stacks. "
			"Find the port or uplink of the frames' source and filter there.",
			addr, e->peak, (unsigned long long)e->hosts, addr);
		break;
	case RATE:
		ics_say(a,
			"%s: up to %u a second, code %u (%s), to about %llu host%s about %llu destination%s: it looks "
			"like "
			"%s. Look at the route or the service behind %s, then at who asks for it.",
			addr, e->peak, e->code, name, (unsigned long long)e->hosts, e->hosts == 1 ? "" : "s",
			(unsigned long long)e->fars, e->fars == 1 ? "" : "s",
			e->fars <= 2 * e->hosts && e->hosts > 1 ? "a service or network that is gone"
								: "one program that does not give up",
			addr);
		break;
	}
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, "type", e->type);
	ics_fact_set_uint(a, "code", e->code);
	ics_fact_set_text(a, "code_name", "%s", ics_unreach_name(e->is_ip4, e->type, e->code));
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "destinations", e->fars);
	ics_fact_set_uint(a, e->variants & 1u << FLOOD ? "reporters" : "hosts", e->hosts);
	if (e->variants & 1u << BACKSCATTER)
		ics_fact_set_uint(a, "unseen_percent", e->unseen_percent);
	if (e->n_hard != 0)
		ics_fact_set_uint(a, "established_tcp", e->n_hard);
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, text));
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, text));
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, text));
	ics_pmtu_set_quote(a, &e->q);
	say(e, a, (enum variant)__builtin_ctz(e->variants));
}

static struct source *
source_get(struct ics_detector *d, uint32_t segment, const struct ics_ip *addr, uint32_t code)
{
	struct {
		struct ics_ip addr;
		uint32_t segment, code;
	} key = {*addr, segment, code};
	struct ics_table *t = &((struct state *)d->state)->sources;
	uint32_t i = ics_table_find(t, &key);
	struct source *s;

	if (i != 0)
		return ics_table_at(t, i);
	if (t->count >= SOURCES_MAX)
		ics_table_remove(t, ics_table_oldest(t, NULL));
	i = ics_table_insert(t, &key);
	if (i == 0)
		return NULL;
	s = ics_table_at(t, i);
	ics_hll_init(&s->fars, ics_hash_mix(d->seed, 3));
	ics_hll_init(&s->hosts, ics_hash_mix(d->seed, 4));
	return s;
}

static struct host *
host_get(struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	struct ics_table *t = &((struct state *)d->state)->hosts;
	uint32_t i = ics_table_find(t, &key);
	struct host *h;

	if (i != 0)
		return ics_table_at(t, i);
	if (t->count >= HOSTS_MAX)
		ics_table_remove(t, ics_table_oldest(t, NULL));
	i = ics_table_insert(t, &key);
	if (i == 0)
		return NULL;
	h = ics_table_at(t, i);
	ics_hll_init(&h->targets, ics_hash_mix(d->seed, 5));
	ics_hll_init(&h->reporters, ics_hash_mix(d->seed, 6));
	return h;
}

/* Names servers answer too late, and the hosts that asked have closed their ports. */
static bool
is_late_answer(const struct ics_msg *msg, bool is_ip4)
{
	const struct ics_quote *q = &msg->error.quote;

	return msg->error.code == (is_ip4 ? 3 : 4) && q->proto == ICS_PROTO_UDP && (q->flags & ICS_QUOTE_PORTS) &&
	       q->sport == PORT_DNS && q->dport >= PORTS_OF_SERVICES;
}

/* Codes that RFC 1122 4.2.3.9 lets abort a connection, about one that is established. */
static bool
is_hard_error(const struct ics_msg *msg, bool is_ip4)
{
	const struct ics_quote *q = &msg->error.quote;
	uint8_t code = msg->error.code, flags;

	if (q->proto != ICS_PROTO_TCP || (q->flags & ICS_QUOTE_LATER) ||
	    !ics_view_has(q->bytes, q->ip_hdr_len + TCP_FLAGS_OFF, 1))
		return false;
	if (is_ip4 ? code != 2 && code != 3 : code != 1 && code != 4)
		return false;
	flags = q->bytes.p[q->ip_hdr_len + TCP_FLAGS_OFF];
	return (flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK;
}

static struct episode *
episode_get(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, bool is_host,
	    uint32_t code)
{
	static const struct ics_ip none;
	const struct ics_ip *addr = is_host ? &msg->dst : &msg->src;
	struct ics_ip key = ics_pmtu_key(d, addr, &none, is_host ? UINT32_MAX : code);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	char text[ICS_IP_STRLEN];

	if (e != NULL)
		return e;
	e = (struct episode *)ics_episode_open_as(d, seg, &key, is_host ? "host" : "reporter",
						  ics_ip_format(addr, text));
	if (e == NULL)
		return NULL;
	e->muted = true;
	e->is_host = is_host;
	e->is_ip4 = (msg->rec->flags & ICS_REC_IP4) != 0;
	e->type = msg->error.type;
	e->code = msg->error.code;
	e->addr = *addr;
	e->host = msg->dst;
	e->far = msg->error.quote.far;
	e->mac = msg->smac;
	e->q = msg->error.quote;
	e->q.bytes = (struct ics_view){NULL, 0};
	return e;
}

static void
update(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_segment *seg,
       uint32_t variants)
{
	e->variants |= variants;
	e->muted &= ics_detect_is_muted(d, &seg->key, &e->addr, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)severity_of(e) << 32 | (uint64_t)e->muted << 34);
}

static bool
is_answer(const struct ics_quote *q)
{
	return (q->flags & ICS_QUOTE_PORTS) && q->sport < PORTS_OF_SERVICES && q->dport >= PORTS_OF_SERVICES;
}

/* One host is told about ever more addresses and ports that it tried, or by ever more reporters. True: it is being named
 * for that.
 */
static bool
look_at_host(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	static const struct ics_ip none;
	const struct ics_quote *q = &msg->error.quote;
	struct ics_ip key = ics_pmtu_key(d, &msg->dst, &none, UINT32_MAX);
	struct host *h = host_get(d, seg->id, &msg->dst);
	uint32_t variants = 0, n = 1 + msg->rec->repeats, seconds;
	struct {
		struct ics_ip far;
		uint16_t port;
	} target = {.far = q->far, .port = q->dport};
	struct episode *e;

	if (h == NULL)
		return false;
	if (msg->ts_ns >= h->window_ns + WINDOW_NS) {
		h->window_ns = msg->ts_ns;
		h->n = 0;
		ics_hll_init(&h->targets, h->targets.seed);
		ics_hll_init(&h->reporters, h->reporters.seed);
	}
	ics_hll_add(&h->reporters, msg->src.b, 16);
	seconds = ics_rate_add(&h->rate, msg->ts_ns, n, LIMIT);
	if ((seconds >= SECONDS || h->rate.n > CRITICAL_LIMIT) && h->rate.n % 64 == 0 &&
	    ics_hll_count(&h->reporters) >= FLOOD_REPORTERS)
		variants |= 1u << FLOOD;
	if (ics_ip_equal(&q->host, &msg->dst) && !is_answer(q)) {
		h->n++;
		if (ics_hll_add(&h->targets, &target, 18) && h->n >= SCAN_TARGETS &&
		    ics_hll_count(&h->targets) >= SCAN_TARGETS)
			variants |= 1u << SCAN;
	}
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e == NULL && variants == 0)
		return false;
	if (e == NULL)
		e = episode_get(d, msg, seg, true, 0);
	if (e == NULL)
		return true;
	e->variants |= variants;
	/* Counting takes time: now and then is enough for evidence. */
	if (variants != 0 || h->rate.n % COUNT_EVERY == 0) {
		uint64_t n_targets = ics_hll_count(&h->targets);

		if (n_targets > e->fars)
			e->fars = n_targets;
		e->hosts = e->variants & 1u << FLOOD ? ics_hll_count(&h->reporters) : 1;
	}
	if (h->rate.n > e->peak)
		e->peak = h->rate.n;
	/* It goes on while it brings a tenth of what makes one. */
	if (h->n * 10 >= SCAN_TARGETS || h->rate.n * 10 >= LIMIT)
		e->high_ns = msg->ts_ns;
	update(d, e, msg, seg, variants);
	return true;
}

static void
note_source(struct episode *e, const struct source *s, uint64_t ts_ns)
{
	if (s->rate.n * 10 >= LIMIT)
		e->high_ns = ts_ns;
	if (s->rate.n > e->peak)
		e->peak = s->rate.n;
	if (e->hosts == 0 || s->n % COUNT_EVERY == 0) {
		uint64_t fars = ics_hll_count(&s->fars), hosts = ics_hll_count(&s->hosts);

		if (fars > e->fars)
			e->fars = fars;
		if (hosts > e->hosts)
			e->hosts = hosts;
	}
	if (s->hard > e->n_hard)
		e->n_hard = s->hard;
	if (s->seen + s->unseen != 0)
		e->unseen_percent = s->unseen * 100ull / (s->seen + s->unseen);
}

static uint64_t *
seen_slot(const struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr)
{
	struct ics_ip prefix = ics_path_prefix(addr);
	struct state *st = d->state;

	return &st->seen_ns[ics_hash(prefix.b, 16, ics_hash_mix(d->seed, seg->id)) % SEEN_SLOTS];
}

static void
on_data(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	*seen_slot(d, seg, &msg->src) = msg->ts_ns;
}

static bool
sees_packets_of(const struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr, uint64_t now_ns)
{
	uint64_t ns = *seen_slot(d, seg, addr);

	return ns != 0 && now_ns < ns + SEEN_NS;
}

static bool
is_backscatter(const struct source *s)
{
	uint32_t known = s->seen + s->unseen;

	return known >= BACKSCATTER_MESSAGES && s->unseen * 100ull >= (uint64_t)known * BACKSCATTER_PERCENT &&
	       ics_hll_count(&s->hosts) >= BACKSCATTER_HOSTS;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	bool is_ip4 = (msg->rec->flags & ICS_REC_IP4) != 0;
	uint32_t code = (uint32_t)msg->error.type << 8 | msg->error.code, n = 1 + msg->rec->repeats, variants = 0;
	const struct ics_quote *q = &msg->error.quote;
	struct state *st = d->state;
	struct source *s;
	struct episode *e;
	struct ics_ip key;
	static const struct ics_ip none;
	enum ics_flow_seen flow;

	if (!(q->flags & ICS_QUOTE_IP) || is_late_answer(msg, is_ip4))
		return;
	if (look_at_host(d, msg, c->segment))
		return;
	s = source_get(d, c->segment->id, &msg->src, code);
	if (s == NULL)
		return;
	ics_recent_put(&st->recent, msg->rec->frame_hash, ics_table_index(&st->sources, s));
	if (msg->ts_ns >= s->window_ns + WINDOW_NS) {
		s->window_ns = msg->ts_ns;
		s->n = s->unseen = s->seen = s->hard = 0;
		ics_hll_init(&s->fars, s->fars.seed);
		ics_hll_init(&s->hosts, s->hosts.seed);
	}
	s->n += n;
	/* Of a network whose packets do not pass the tap, none was seen, and that says nothing. */
	flow = sees_packets_of(d, c->segment, &msg->dst, msg->ts_ns) ? ics_pmtu_flow_seen(d, q) : ICS_FLOW_NOT_ASSESSED;
	s->seen += flow == ICS_FLOW_SEEN;
	s->unseen += flow == ICS_FLOW_NOT_SEEN;
	ics_hll_add(&s->fars, q->far.b, 16);
	ics_hll_add(&s->hosts, msg->dst.b, 16);
	if (is_hard_error(msg, is_ip4) && ++s->hard >= HARD_ERRORS)
		variants |= 1u << HARD_ERROR;
	if (ics_rate_add(&s->rate, msg->ts_ns, n, LIMIT) >= SECONDS || s->rate.n > CRITICAL_LIMIT)
		variants |= 1u << RATE;
	if (flow == ICS_FLOW_NOT_SEEN && s->unseen % 16 == 0 && is_backscatter(s))
		variants |= 1u << BACKSCATTER;
	if (variants == 0) {
		key = ics_pmtu_key(d, &msg->src, &none, code);
		e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	} else {
		e = episode_get(d, msg, c->segment, false, code);
	}
	if (e == NULL)
		return;
	note_source(e, s, msg->ts_ns);
	if (variants != 0)
		e->high_ns = msg->ts_ns;
	update(d, e, msg, c->segment, variants);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	static const struct ics_ip none;
	struct state *st = d->state;
	uint32_t i = ics_recent_find(&st->recent, rec->frame_hash);
	struct source *s;
	struct episode *e;
	struct ics_ip key;

	if (i == 0 || !ics_table_is_live(&st->sources, i))
		return;
	s = ics_table_at(&st->sources, i);
	if (s->segment != seg->id)
		return;
	s->n += 1 + rec->repeats;
	/* They were in the second of their first copy; the next message opens what they make. */
	(void)ics_rate_add(&s->rate, s->rate.sec * NS_PER_S, 1 + rec->repeats, LIMIT);
	key = ics_pmtu_key(d, &s->addr, &none, s->code);
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e == NULL)
		return;
	note_source(e, s, ics_model_clock(d->model)->now_ns);
	ics_episode_add_copies(&e->ep, rec, e->variants | (uint64_t)severity_of(e) << 32 | (uint64_t)e->muted << 34);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->high_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));
	int err;

	if (st == NULL)
		return -ENOMEM;
	d->state = st;
	err = ics_table_init(&st->sources, sizeof(struct source), 24, SOURCES_MAX, ics_hash_mix(d->seed, 1));
	if (err == 0)
		err = ics_table_init(&st->hosts, sizeof(struct host), 20, HOSTS_MAX, ics_hash_mix(d->seed, 2));
	return err;
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL) {
		ics_table_fini(&st->sources);
		ics_table_fini(&st->hosts);
	}
	free(st);
}

const struct ics_detector_ops ics_det_unreach_storm = {
	.classes = 1ull << ICS_CLASS_icmp6_unreach | 1ull << ICS_CLASS_icmp4_unreach,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.data = on_data,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
