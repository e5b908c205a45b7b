/* The way of a packet through the sampler: most are settled by a hash and a look into the table of recent flows. What is
 * left goes into the Bloom filter, may be news of a host, and is given to its flow. How many flows are looked at follows
 * how many there are and how much time they take. Called by the fast half.
 */
#include "sampler.h"

#include <errno.h>
#include <sys/mman.h>

#define NS_PER_MINUTE 60000000000ull
/* Filters that were not given all flows stay unsure until they are gone. */
#define LOSSY_NS 600000000000ull
/* Frames of a capture are in disorder by less; a larger step back is another capture. */
#define DISORDER_NS 1000000000ull
#define LARGE_PAGE (2u << 20)

static size_t
align64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static uint32_t
words_of(const struct ics_sample_conf *c)
{
	uint32_t bits = c->filter_bits;

	if (bits < ICS_SAMPLE_FILTER_MIN)
		bits = ICS_SAMPLE_FILTER_MIN;
	if (bits > ICS_SAMPLE_FILTER_MAX)
		bits = ICS_SAMPLE_FILTER_MAX;
	return bits / 64 / 8 * 8;
}

size_t
ics_sampler_size(const struct ics_sample_conf *conf)
{
	return align64(sizeof(struct ics_sampler)) + sizeof(struct flow) * ICS_SAMPLE_FLOWS +
	       sizeof(uint32_t) * (ICS_SAMPLE_FLOWS + SOURCE_SLOTS) + 3 * sizeof(uint64_t) * (size_t)words_of(conf);
}

/* A multiple of large pages is placed so that it can have them: 5 faults instead of 2,600. */
static size_t
reserved_len(const struct ics_sample_conf *conf)
{
	return (ics_sampler_size(conf) + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
}

/* Zeroed; what is not used of it never comes to be. */
static void *
reserve(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, len, MADV_HUGEPAGE); /* a wish, kernels without them are fine */
	return p;
}

/* Largest power of two that is not above n. */
static uint8_t
shift_of(uint32_t n)
{
	return n < 2 ? 0 : (uint8_t)(31 - __builtin_clz(n));
}

struct ics_sampler *
ics_sampler_init(const struct ics_sample_conf *conf, void *mem)
{
	struct ics_sampler *s = mem != NULL ? mem : reserve(reserved_len(conf));
	uint8_t *p = (uint8_t *)s;

	if (s == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	s->conf = *conf;
	s->owned = mem == NULL;
	s->seed1 = ics_hash_mix(conf->seed, 1);
	s->seed2 = ics_hash_mix(conf->seed, 2);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(s->recent.seed); i++)
		s->recent.seed[i] = ics_hash_mix(conf->seed, 1 + i);
	s->shift = shift_of(conf->every);
	atomic_store_explicit(&s->rate_shift, s->shift, memory_order_relaxed);
	s->filter_words = s->clear_at = words_of(conf);
	p += align64(sizeof(*s));
	s->tag = (uint32_t *)(void *)p;
	p += sizeof(uint32_t) * ICS_SAMPLE_FLOWS;
	s->source = (uint32_t *)(void *)p;
	p += sizeof(uint32_t) * SOURCE_SLOTS;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(s->filter); i++) {
		s->filter[i].word = (_Atomic uint64_t *)(void *)p;
		p += sizeof(uint64_t) * (size_t)s->filter_words;
	}
	s->flow = (struct flow *)(void *)p;
	return s;
}

void
ics_sampler_free(struct ics_sampler *s)
{
	if (s != NULL && s->owned)
		munmap(s, reserved_len(&s->conf));
}

void
ics_sampler_attach(struct ics_sampler *s, const struct ics_sink *sink, struct ics_counters *counters, uint8_t port,
		   uint8_t queue)
{
	s->sink = sink;
	s->counters = counters;
	s->port = port;
	s->queue = queue;
}

void
ics_sampler_stats(const struct ics_sampler *s, struct ics_sampler_stats *out)
{
	*out = (struct ics_sampler_stats){
		.flows = ics_count_get(&s->flows),
		.flows_refused = ics_count_get(&s->flows_refused),
		.flows_evicted = ics_count_get(&s->flows_evicted),
		.one_in = 1ull << ics_count_get(&s->rate_shift),
		.filters_sure = ics_sample_filter_is_sure(s),
	};
}

/* ---- hashes from outside ---- */

static uint64_t
hash_ip(const struct ics_sampler *s, const struct ics_ip *a, uint16_t port)
{
	uint32_t v4;

	memcpy(&v4, a->b + 12, sizeof(v4));
	return ics_ip6_is_v4mapped(a->b)
		       ? hash_end4(s, v4, __builtin_bswap16(port))
		       : hash_end6(s, ics_load_u64(a->b), ics_load_u64(a->b + 8), __builtin_bswap16(port));
}

enum ics_flow_seen
ics_sample_flow_seen(const struct ics_samplers *set, const struct ics_flow *flow)
{
	bool sure = true;
	uint64_t warm = 0;

	for (unsigned i = 0; set != NULL && i < set->n; i++) {
		const struct ics_sampler *s = set->at[i];
		uint64_t first = ics_count_get(&s->first_ns), last = ics_count_get(&s->last_ns);

		if (ics_sample_filter_has(s, hash_ends(hash_ip(s, &flow->src, flow->sport),
						       hash_ip(s, &flow->dst, flow->dport), flow->proto)))
			return ICS_FLOW_SEEN;
		sure &= ics_sample_filter_is_sure(s);
		if (first != 0 && last > first && last - first > warm)
			warm = last - first;
	}
	return sure && warm >= ICS_FLOW_WARMUP_NS ? ICS_FLOW_NOT_SEEN : ICS_FLOW_NOT_ASSESSED;
}

uint64_t
ics_sample_watch_hash(const struct ics_known *k, const struct ics_ip *a, const struct ics_ip *b)
{
	uint64_t h = ics_hash(a->b, sizeof(a->b), k->seed) + ics_hash(b->b, sizeof(b->b), k->seed);

	return h != 0 ? h : 1;
}

/* ---- an epoch ---- */

/* As many flows as fit into half of the table, and as time allows. */
static void
adapt(struct ics_sampler *s)
{
	if (s->conf.every == 0) {
		if ((s->used > ICS_SAMPLE_FLOWS / 2 || s->looks > LOOKS_MAX / 2) && s->shift < SHIFT_MAX)
			s->shift++;
		else if (s->used < ICS_SAMPLE_FLOWS / 4 && s->looks < LOOKS_MAX / 8 && s->shift > 0)
			s->shift--;
	}
	atomic_store_explicit(&s->rate_shift, s->shift, memory_order_relaxed);
}

/* Words of the epoch that had this one's bits before must be gone: each epoch empties an eighth of the table. */
static void
empty_recent(struct ics_sampler *s, uint64_t epoch_no)
{
	uint64_t n = epoch_no - s->epoch_no;

	if (n >= EPOCHS) {
		memset(s->recent.word, 0, sizeof(s->recent.word));
		return;
	}
	for (; n > 0; n--, epoch_no--)
		memset(s->recent.word + epoch_no % EPOCHS * (ICS_RECENT_SLOTS / EPOCHS), 0,
		       sizeof(s->recent.word) / EPOCHS);
}

static void
new_epoch(struct ics_sampler *s, uint64_t ts_ns)
{
	adapt(s);
	empty_recent(s, ts_ns >> EPOCH_SHIFT);
	s->epoch_no = ts_ns >> EPOCH_SHIFT;
	s->recent.epoch = (uint32_t)(s->epoch_no % EPOCHS) << RECENT_EPOCH_SHIFT;
	s->minute = (uint16_t)(1 + ts_ns / NS_PER_MINUTE % 0xfff);
	s->looks = s->sources = s->syns = s->records = 0;
	ics_sample_flow_sweep(s, (uint32_t)(ts_ns / 1000000));
}

static inline void
tell_time(struct ics_sampler *s, uint64_t ts_ns)
{
	if (ics_unlikely(ts_ns >> EPOCH_SHIFT != s->epoch_no))
		new_epoch(s, ts_ns);
	if (ics_unlikely(ics_count_get(&s->first_ns) == 0 || ts_ns + DISORDER_NS < ics_count_get(&s->last_ns)))
		atomic_store_explicit(&s->first_ns, ts_ns, memory_order_relaxed);
	atomic_store_explicit(&s->last_ns, ts_ns, memory_order_relaxed);
	ics_sample_filter_turn(s, ts_ns);
}

void
ics_sample_idle(struct ics_sampler *s, uint64_t ts_ns)
{
	if (ts_ns != UINT64_MAX && ics_count_get(&s->first_ns) != 0)
		tell_time(s, ts_ns);
}

/* ---- a packet that is not settled ---- */

/* False when the headers are not captured, or lie. */
static bool
read_tcp(struct seg *g, struct ics_view v, uint32_t at)
{
	uint32_t len;

	if (!ics_view_has(v, at, 20))
		return false;
	len = (v.p[at + 12] >> 4) * 4u;
	if (len < 20 || at - g->l3_off + len > g->ip_len)
		return false;
	g->seq = ics_load_be32(v.p + at + 4);
	g->ack = ics_load_be32(v.p + at + 8);
	g->tcp_flags = v.p[at + 13];
	g->window = ics_load_be16(v.p + at + 14);
	g->options = ics_view_sub(v, at + 20, len - 20);
	g->hdr = (uint16_t)(at - g->l3_off + len);
	g->payload = (uint16_t)(g->ip_len - g->hdr);
	return true;
}

static bool
is_chosen(const struct ics_sampler *s, const struct seg *g)
{
	const uint8_t *p = g->f->data + g->l3_off;
	struct ics_ip a, b;

	if (s->shift == 0 || (g->hash >> 40 & ((1u << s->shift) - 1)) == 0)
		return true;
	if (s->conf.watch == NULL)
		return false;
	a = g->is6 ? ics_ip_from6(p + 8) : ics_ip_from4(p + 12);
	b = g->is6 ? ics_ip_from6(p + 24) : ics_ip_from4(p + 16);
	return ics_known_has(s->conf.watch, ics_sample_watch_hash(s->conf.watch, &a, &b));
}

/* One of another minute, else any. */
static unsigned
source_victim(const struct ics_sampler *s, const uint32_t *slot)
{
	for (unsigned i = 0; i < SOURCE_WAYS; i++)
		if ((slot[i] & MINUTE_MASK) != s->minute)
			return i;
	return s->looks % SOURCE_WAYS;
}

/* The first data of a station in a minute is told. */
static void
note_source(struct ics_sampler *s, const struct seg *g, const struct ics_ip *src)
{
	struct ics_sample m = {.kind = ICS_SAMPLE_HOSTDATA, .len = g->ip_len};
	uint32_t *slot, word;
	uint64_t h;

	if (!g->ether || s->sources >= SOURCES_MAX)
		return;
	h = ics_hash_mix(ics_hash(src->b, sizeof(src->b), s->seed1), (uint64_t)ics_load_be32(g->f->data + 6) << 32 |
									     ics_load_be16(g->f->data + 10) |
									     (uint64_t)g->vlan[0] << 16);
	word = (uint32_t)(h >> 32) << 12 | s->minute;
	slot = &s->source[h % SOURCE_SLOTS / SOURCE_WAYS * SOURCE_WAYS];
	for (unsigned i = 0; i < SOURCE_WAYS; i++)
		if (slot[i] == word)
			return;
	slot[source_victim(s, slot)] = word;
	m.src = *src;
	m.smac = ics_mac_from(g->f->data + 6);
	m.dmac = ics_mac_from(g->f->data);
	ics_sample_tell(s, g, &m, g->dir);
}

/* The packet's direction of its flow in the table of recent ones, or the other one (swap). */
static uint64_t
quick_of(const struct ics_sampler *s, const struct seg *g, bool swap)
{
	const uint8_t *p = g->f->data + g->l3_off;
	uint32_t src = swap ? g->dport : g->sport, dst = swap ? g->sport : g->dport;
	uint32_t ports = __builtin_bswap32(src << 16 | dst);
	uint64_t a, h;

	if (g->is6) {
		h = ics_recent_hash6(&s->recent, p + (swap ? 24 : 8), p + (swap ? 8 : 24), ports, g->proto);
	} else {
		a = ics_load_u64(p + 12);
		h = ics_recent_hash4(&s->recent, swap ? a << 32 | a >> 32 : a, ports, g->proto);
	}
	if (g->place != g->hash)
		h = ics_hash_mix(h, (uint64_t)g->vlan[0] << 16 | g->vlan[1]);
	return h;
}

/* len 0: forget it. */
static void
set_recent(struct ics_sampler *s, uint64_t quick, uint32_t len)
{
	uint32_t *pair = &s->recent.word[quick * 2 % ICS_RECENT_SLOTS];
	uint32_t word = ics_recent_word(&s->recent, quick, len), other = s->looks >> 3 & 1;

	for (unsigned i = 0; i < 2; i++) {
		if ((pair[i] ^ word) & ICS_RECENT_HASH) {
			if (((pair[i] ^ word) & RECENT_EPOCH) != 0)
				other = i;
			continue;
		}
		pair[i] = len != 0 ? word : 0;
		return;
	}
	if (len != 0)
		pair[other] = word;
}

/* Of g frame, offset, place, ports and addresses' hash are there. */
static void
look(struct ics_sampler *s, struct seg *g, uint32_t l4_off)
{
	struct ics_view v = {g->f->data, g->f->cap_len};
	struct ics_ip src;
	uint32_t quiet = ICS_RECENT_LEN_MAX;

	if (ics_unlikely(++s->looks > LOOKS_MAX)) {
		atomic_store_explicit(&s->lossy_until_ns, g->ts_ns + LOSSY_NS, memory_order_relaxed);
		return;
	}
	ics_sample_filter_add(s, g->hash);
	if (g->proto != ICS_PROTO_ICMP4 && g->proto != ICS_PROTO_ICMP6) {
		src = g->is6 ? ics_ip_from6(v.p + g->l3_off + 8) : ics_ip_from4(v.p + g->l3_off + 12);
		note_source(s, g, &src);
	}
	if (g->proto == ICS_PROTO_TCP && is_chosen(s, g) && read_tcp(g, v, l4_off))
		quiet = ics_sample_flow_look(s, g);
	set_recent(s, quick_of(s, g, false), quiet);
	if (quiet == 0)
		set_recent(s, quick_of(s, g, true), 0);
}

/* ---- which packets are ---- */

/* The hash that both directions share, and which of them this is. */
static void
set_hash(const struct ics_sampler *s, struct seg *g)
{
	const uint8_t *p = g->f->data + g->l3_off;
	uint32_t src = __builtin_bswap16(g->sport), dst = __builtin_bswap16(g->dport), v[2];
	uint64_t a, b;

	if (g->is6) {
		a = hash_end6(s, ics_load_u64(p + 8), ics_load_u64(p + 16), src);
		b = hash_end6(s, ics_load_u64(p + 24), ics_load_u64(p + 32), dst);
	} else {
		memcpy(v, p + 12, sizeof(v));
		a = hash_end4(s, v[0], src);
		b = hash_end4(s, v[1], dst);
	}
	g->hash = g->place = hash_ends(a, b, g->proto);
	g->dir = a > b;
	if (g->vlan[0] != ICS_VLAN_NONE)
		g->place = ics_hash_mix(g->hash, (uint64_t)g->vlan[0] << 16 | g->vlan[1]);
}

static bool
has_ports(uint8_t proto)
{
	return proto == ICS_PROTO_TCP || proto == ICS_PROTO_UDP;
}

/* ARP is data too: whoever sends it is awake. */
static void
look_at_arp(struct ics_sampler *s, const struct ics_frame *f, uint64_t ts_ns)
{
	struct seg g = {.f = f,
			.l3_off = 14,
			.ts_ns = ts_ns,
			.vlan = {ICS_VLAN_NONE, ICS_VLAN_NONE},
			.ip_len = 28,
			.ether = true,
			.arp = true};
	struct ics_ip src;

	if (f->cap_len < 42 || s->looks >= LOOKS_MAX)
		return;
	s->looks++;
	src = ics_ip_from4(f->data + 28);
	if (ics_load_be32(f->data + 28) != 0)
		note_source(s, &g, &src);
}

static void
look_plain(struct ics_sampler *s, const struct ics_frame *f, bool is6, uint64_t ts_ns)
{
	const uint8_t *p = f->data + 14;
	uint8_t proto = is6 ? p[6] : p[9];
	struct seg g = {
		.f = f,
		.l3_off = 14,
		.ts_ns = ts_ns,
		.now_ms = (uint32_t)(ts_ns / 1000000),
		.vlan = {ICS_VLAN_NONE, ICS_VLAN_NONE},
		.ip_len = (uint16_t)(is6 ? ics_load_be16(p + 4) + 40u : ics_load_be16(p + 2)),
		.proto = proto,
		.is6 = is6,
		.df = is6 || (p[6] & 0x40),
		.ether = true,
	};
	uint32_t l4 = is6 ? 54 : 34;

	/* More fragments follow: its length is no packet's. */
	if (!is6 && (p[6] & 0x20))
		g.df = false;
	if (has_ports(proto)) {
		g.sport = ics_load_be16(f->data + l4);
		g.dport = ics_load_be16(f->data + l4 + 2);
	}
	set_hash(s, &g);
	ics_sample_filter_prefetch(s, g.hash);
	ics_sample_flow_prefetch(s, &g);
	look(s, &g, l4);
}

const struct ics_recent *
ics_sampler_recent(const struct ics_sampler *s)
{
	return &s->recent;
}

void
ics_sample_begin(struct ics_sampler *s, uint64_t ts_ns)
{
	tell_time(s, ts_ns);
}

void
ics_sample_rest(struct ics_sampler *s, const struct ics_frame *f, enum ics_class class, uint64_t ts_ns)
{
	/* A packet before it in the burst may have been of its flow. */
	if (class == ICS_CLASS_arp)
		look_at_arp(s, f, ts_ns);
	else if (class == ICS_CLASS_ip4_other ? !ics_recent_has4(&s->recent, f->data + 14)
					      : !ics_recent_has6(&s->recent, f->data + 14))
		look_plain(s, f, class == ICS_CLASS_ip6_other, ts_ns);
}

/* Where ports or an echo identifier are; false for packets that are of no interest or not wholly read. */
static bool
read_packet(struct seg *g, const struct ics_pkt *pkt, uint32_t *l4)
{
	struct ics_view v = {g->f->data, g->f->cap_len};
	const uint8_t *p = v.p + g->l3_off;

	if (pkt->ip_version == 6) {
		if (!ics_view_has(v, g->l3_off, 40))
			return false;
		g->is6 = g->df = true;
		g->proto = p[6];
		*l4 = g->l3_off + 40;
	} else {
		if (!ics_view_has(v, g->l3_off, 20))
			return false;
		g->df = p[6] & 0x40;
		g->proto = p[9];
		*l4 = g->l3_off + (p[0] & 15) * 4u;
	}
	g->ip_len = pkt->ip_len;
	if (has_ports(g->proto)) {
		if (!ics_view_has(v, *l4, 4))
			return false;
		g->sport = ics_load_be16(v.p + *l4);
		g->dport = ics_load_be16(v.p + *l4 + 2);
	} else if (pkt->flags & ICS_PKT_ICMP) {
		if (!ics_view_has(pkt->icmp, 4, 2))
			return false;
		g->sport = g->dport = ics_load_be16(pkt->icmp.p + 4);
		g->proto = pkt->proto;
	}
	return true;
}

void
ics_sample_packet(struct ics_sampler *s, const struct ics_frame *f, const struct ics_pkt *pkt, uint64_t ts_ns)
{
	struct seg g = {.f = f, .l3_off = pkt->l3_off, .ts_ns = ts_ns, .now_ms = (uint32_t)(ts_ns / 1000000)};
	uint32_t l4 = 0;

	switch (pkt->class) {
	case ICS_CLASS_ip4_other:
	case ICS_CLASS_ip6_other:
	case ICS_CLASS_icmp4_echo_request:
	case ICS_CLASS_icmp4_echo_reply:
	case ICS_CLASS_icmp6_echo_request:
	case ICS_CLASS_icmp6_echo_reply:
		break;
	default:
		return;
	}
	if (pkt->src == NULL || (pkt->flags & (ICS_PKT_UNPARSED | ICS_PKT_FRAGMENT | ICS_PKT_EXT)) != 0 ||
	    (pkt->encap & ICS_ENCAP_TUNNEL) != 0 || !read_packet(&g, pkt, &l4))
		return;
	tell_time(s, ts_ns);
	g.vlan[0] = pkt->vlan[0];
	g.vlan[1] = pkt->vlan[1];
	g.encap = pkt->encap;
	g.ether = pkt->flags & ICS_PKT_ETHER && pkt->smac == f->data + 6;
	/* Behind extension headers, or an upper layer that is not what the header says. */
	if (g.is6 && g.proto != f->data[g.l3_off + 6])
		return;
	set_hash(s, &g);
	if (ics_recent_has(&s->recent, quick_of(s, &g, false), recent_len(g.is6, g.ip_len)))
		return;
	look(s, &g, l4);
}
