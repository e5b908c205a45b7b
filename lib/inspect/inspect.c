/* Two passes over a burst: ics_glance() settles what cannot be ICMP, the few that remain are decoded, validated,
 * counted, folded and handed over. Called by a worker lcore, by the offline reader and by the tests.
 */
#include "ics_glance.h"
#include "offload.h"

/* Sweeping the fold cache costs a walk over its slots: once in so many bursts, or when idle. */
#define SWEEP_EVERY 4096
#define SWEEP_MAX 32

void
ics_inspect_init(struct ics_inspect *in)
{
	in->since_sweep = 0;
	memset(&in->offload, 0, sizeof(in->offload));
	if (in->sampler != NULL)
		ics_sampler_attach(in->sampler, &in->sink, in->counters, in->port, in->queue);
}

void
ics_inspect_frame(const struct ics_inspect *in, const struct ics_frame *f, struct ics_pkt *pkt)
{
	ics_decode(f, &in->decode, pkt);
	if ((pkt->flags & (ICS_PKT_ICMP | ICS_PKT_UNPARSED)) == ICS_PKT_ICMP)
		ics_validate(pkt, &in->validate);
}

static void
count_drop(struct ics_inspect *in, enum ics_lane lane, const struct ics_record *rec)
{
	uint64_t messages = 1 + (uint64_t)rec->repeats;

	ics_count_add(&in->counters->dropped[lane == ICS_LANE_BULK ? ICS_DROP_BULK_FULL : ICS_DROP_URGENT_FULL],
		      messages);
	ics_count_add(&in->counters->dropped_class[rec->class], messages);
}

/* False: refused. */
static bool
push(struct ics_inspect *in, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	if (ics_unlikely(in->sink.push(in->sink.ctx, lane, rec, frame) != 0))
		return false;
	ics_count_add(&in->counters->records, 1);
	ics_count_add(&in->counters->delivered, 1 + (uint64_t)rec->repeats);
	return true;
}

static void
hand_over(struct ics_inspect *in, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	if (ics_unlikely(!push(in, lane, rec, frame)))
		count_drop(in, lane, rec);
}

/* Copies of a message in the repeat cache. False: refused, and they wait there again. */
static bool
hand_over_copies(struct ics_inspect *in, uint32_t slot, enum ics_lane lane, const struct ics_record *rec,
		 const uint8_t *frame)
{
	if (ics_likely(push(in, lane, rec, frame)))
		return true;
	if (ics_fold_give_back(in->fold, slot, rec))
		return false;
	count_drop(in, lane, rec);
	return true;
}

/* Behind the last push of a burst. */
static inline void
publish(struct ics_inspect *in)
{
	if (in->sink.publish != NULL)
		in->sink.publish(in->sink.ctx);
}

static bool
is_known(const struct ics_inspect *in, const struct ics_pkt *pkt, const uint8_t *addr)
{
	return ics_known_has(in->known, ics_known_hash(in->known, in->port, pkt->vlan[0], pkt->vlan[1], addr));
}

/* Urgent is what changes a host's way out, or hides it; reserved what does so to a router that is known. */
static enum ics_lane
lane_of(const struct ics_inspect *in, const struct ics_pkt *pkt)
{
	switch (pkt->class) {
	case ICS_CLASS_nd_ra:
	case ICS_CLASS_nd_redirect:
		return in->known != NULL && is_known(in, pkt, pkt->src) ? ICS_LANE_RESERVED : ICS_LANE_URGENT;
	case ICS_CLASS_nd_na:
		if (in->known != NULL &&
		    (is_known(in, pkt, pkt->src) || (pkt->icmp.len >= 24 && is_known(in, pkt, pkt->icmp.p + 8))))
			return ICS_LANE_RESERVED;
		break;
	case ICS_CLASS_mld_query:
	case ICS_CLASS_icmp6_too_big:
	case ICS_CLASS_icmp4_frag_needed:
		return ICS_LANE_URGENT;
	default:
		break;
	}
	return pkt->flags & ICS_PKT_EVASION ? ICS_LANE_URGENT : ICS_LANE_BULK;
}

static uint16_t
saturate16(uint32_t v)
{
	return v < UINT16_MAX ? (uint16_t)v : UINT16_MAX;
}

/* MACs, twelve octets, into a lane of a frame's hash. */
static inline struct ics_hash_key
with_macs(struct ics_hash_key k, const uint8_t *macs)
{
	k.a = ics_hash_fold(ics_load_u64(macs) ^ k.a, ics_load_be32(macs + 8) ^ k.key);
	return k;
}

/* Of MACs and IP datagram: padding, tags and labels do not make a message another one. A frame without them has been
 * hashed already, when copies of it were looked for.
 */
static uint64_t
hash_message(const struct ics_inspect *in, const struct ics_pkt *pkt, const struct ics_fold_key *key)
{
	struct ics_view ip = ics_view_sub(pkt->frame, pkt->l3_off, pkt->ip_len);
	struct ics_hash_key k = ics_hash_key(in->seed);

	if (key->hash != 0 && pkt->l3_off == 14 && ip.len + 14 == pkt->frame.len)
		return key->hash;
	return ics_hash_keyed(ip.p, ip.len, pkt->flags & ICS_PKT_ETHER ? with_macs(k, pkt->dmac) : k) | 1;
}

/* What copies are known by. hash 0: not looked for. */
static inline void
make_keys(const struct ics_inspect *in, const struct ics_frame *f, unsigned n, struct ics_fold_key *key)
{
	struct ics_hash_key k = ics_hash_key(in->seed);

	for (unsigned i = 0; i < n; i++, f++) {
		if (ics_unlikely(f->cap_len < 14 || f->link != ICS_LINK_ETHERNET))
			key[i] = (struct ics_fold_key){0};
		else
			key[i] = ics_fold_key(ics_hash_keyed(f->data + 14, f->cap_len - 14, with_macs(k, f->data)) | 1,
					      f->cap_len, f->wire_len, ics_load_be16(f->data + 12), f->stripped_tci);
	}
	for (unsigned i = 0; i < n; i++)
		ics_fold_prefetch(in->fold, &key[i]);
}

/* Eight octets of a record in one store (ics_record_copy() says why), as they lie in memory. */
static inline void
put_words(struct ics_record *rec, size_t off, uint32_t first, uint16_t second, uint16_t third)
{
	uint64_t w = first | (uint64_t)second << 32 | (uint64_t)third << 48;

	memcpy((uint8_t *)rec + off, &w, sizeof(w));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && offsetof(struct ics_record, vlan_outer) == 44 &&
		       offsetof(struct ics_record, cap_len) == 50 && offsetof(struct ics_record, l4_off) == 54 &&
		       offsetof(struct ics_record, port) == 58 && offsetof(struct ics_record, flags) == 61 &&
		       offsetof(struct ics_record, n_labels) == 63,
	       "build_record() writes words");

static void
build_record(const struct ics_inspect *in, const struct ics_frame *f, const struct ics_pkt *pkt,
	     const struct ics_fold_key *key, uint64_t ts_ns, struct ics_record *rec)
{
	uint32_t cap_len = f->cap_len < ICS_RECORD_FRAME_MAX ? f->cap_len : ICS_RECORD_FRAME_MAX;
	uint32_t flags = 0, link = pkt->flags & ICS_PKT_ETHER ? ICS_LINK_ETHERNET : f->link;

	if (pkt->flags & ICS_PKT_UNPARSED)
		flags |= ICS_REC_UNPARSED;
	else if (ics_reasons_is_strict(&pkt->reasons))
		flags |= ICS_REC_STRICT;
	else if (ics_reasons_is_lenient(&pkt->reasons))
		flags |= ICS_REC_LENIENT;
	flags |= (pkt->flags & ICS_PKT_CAP_TRUNC ? ICS_REC_CAP_TRUNC : 0) |
		 (pkt->flags & ICS_PKT_EVASION ? ICS_REC_EVASION : 0) |
		 (pkt->flags & ICS_PKT_FRAGMENT ? ICS_REC_FRAGMENT : 0) | (pkt->ip_version == 4 ? ICS_REC_IP4 : 0);
	rec->ts_ns = ts_ns;
	rec->frame_hash = hash_message(in, pkt, key);
	rec->reasons = pkt->reasons;
	put_words(rec, offsetof(struct ics_record, repeats), 0, pkt->vlan[0], pkt->vlan[1]);
	put_words(rec, offsetof(struct ics_record, wire_len), saturate16(pkt->wire_len) | cap_len << 16,
		  saturate16(pkt->l3_off), saturate16(pkt->l4_off));
	put_words(rec, offsetof(struct ics_record, ilen),
		  saturate16(pkt->ilen) | (uint32_t)in->port << 16 | (uint32_t)in->queue << 24,
		  (uint16_t)(pkt->class | flags << 8), (uint16_t)(pkt->encap | link << 5 | pkt->n_labels << 8));
}

static inline void
count_class(struct ics_counters *c, uint8_t class, uint8_t encap)
{
	ics_count_add(&c->class[class], 1);
	if (ics_likely(encap == 0))
		return;
	for (unsigned n = 0; n < ICS_ENCAP_COUNT_COUNT; n++)
		if (encap >> n & 1)
			ics_count_add(&c->encap[n], 1);
}

/* Hands over what is not a copy, or the first copy of a new window, and remembers what was taken. A message that nobody has
 * taken yet is not in the cache: the next copy is as new as the first. What waits in its slot goes before it, and
 * as long as that is refused it keeps the slot.
 */
static void
hand_over_new(struct ics_inspect *in, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame,
	      const struct ics_fold_key *key, struct ics_fold_place at)
{
	struct ics_fold_out waiting;
	bool has_slot = !ics_fold_take(in->fold, at.slot, &waiting) ||
			hand_over_copies(in, at.slot, waiting.lane, &waiting.rec, NULL);

	if ((has_slot || !at.again) && ics_likely(push(in, lane, rec, frame))) {
		if (ics_likely(has_slot))
			ics_fold_insert(in->fold, at.slot, key, rec, lane);
	} else if (!at.again || !ics_fold_wait(in->fold, at.slot, rec->ts_ns, lane)) {
		count_drop(in, lane, rec);
	}
}

static void
inspect_new(struct ics_inspect *in, const struct ics_frame *f, const struct ics_fold_key *key, struct ics_fold_place at,
	    uint64_t ts_ns)
{
	struct ics_pkt pkt;
	struct ics_record rec;
	enum ics_lane lane;
	unsigned n;

	ics_inspect_frame(in, f, &pkt);
	if (ics_unlikely((pkt.flags & ICS_PKT_CSUM_PARTIAL) != 0 || in->offload.n != 0))
		ics_offload_judge(&in->offload, &pkt);
	count_class(in->counters, pkt.class, pkt.encap);
	if (ics_unlikely(!ics_reasons_empty(&pkt.reasons)))
		ICS_REASONS_FOREACH(n, &pkt.reasons)
			ics_count_reason(in->counters, n, ts_ns, f->data, f->cap_len, f->wire_len);
	if (!ics_class_is_control((enum ics_class)pkt.class) && !(pkt.flags & ICS_PKT_EVASION)) {
		if (in->sampler != NULL)
			ics_sample_packet(in->sampler, f, &pkt, ts_ns);
		return;
	}
	ics_count_add(&in->counters->control, 1);
	if (in->sink.push == NULL) {
		ics_count_add(&in->counters->delivered, 1);
		return;
	}
	build_record(in, f, &pkt, key, ts_ns, &rec);
	lane = in->in_order ? ICS_LANE_BULK : lane_of(in, &pkt);
	if (key->hash != 0)
		hand_over_new(in, lane, &rec, f->data, key, at);
	else
		hand_over(in, lane, &rec, f->data);
}

/* A copy of a message in the repeat cache is counted from there; anything else is looked at. Returns how many copies it was
 * that the control core hears of.
 */
static inline unsigned
inspect_deep(struct ics_inspect *in, const struct ics_frame *f, const struct ics_fold_key *key, uint64_t ts_ns)
{
	enum ics_fold_verdict verdict = ICS_FOLD_MISS;
	struct ics_fold_hit hit = {.at = {0}};
	unsigned n;

	if (ics_likely(key->hash != 0))
		verdict = ics_fold_look(in->fold, key, ts_ns, &hit);
	if (verdict == ICS_FOLD_MISS) {
		inspect_new(in, f, key, hit.at, ts_ns);
		return 0;
	}
	count_class(in->counters, hit.class, hit.encap & 0x1f);
	if (ics_unlikely(hit.has_reasons))
		ICS_REASONS_FOREACH(n, &ics_fold_record(in->fold, &hit)->reasons)
			ics_count_reason_copy(in->counters, n, ts_ns);
	if (ics_unlikely(verdict == ICS_FOLD_SEND))
		hand_over_copies(in, hit.at.slot, hit.lane, ics_fold_record(in->fold, &hit), f->data);
	return 1;
}

/* What is refused goes with a later sweep; of the last one, it is lost. */
static void
sweep(struct ics_inspect *in, uint64_t ts_ns)
{
	struct ics_fold_out out[SWEEP_MAX], *o;
	bool taken = true;
	unsigned n;

	do {
		n = ics_fold_sweep(in->fold, ts_ns, out, SWEEP_MAX);
		for (o = out; o < out + n; o++) {
			if (ts_ns == UINT64_MAX)
				hand_over(in, o->lane, &o->rec, NULL);
			else
				taken &= hand_over_copies(in, o->slot, o->lane, &o->rec, NULL);
		}
	} while (n == SWEEP_MAX && taken);
}

void
ics_inspect_idle(struct ics_inspect *in, uint64_t ts_ns)
{
	in->since_sweep = 0;
	if (in->fold != NULL && in->sink.push != NULL)
		sweep(in, ts_ns);
	if (in->sampler != NULL)
		ics_sample_idle(in->sampler, ts_ns);
	publish(in);
}

void
ics_inspect_glanced(struct ics_inspect *in, unsigned n, const struct ics_glance *g, const struct ics_left *left,
		    uint64_t ts_ns)
{
	struct ics_counters *c = in->counters;
	struct ics_fold_key key[ICS_BURST_MAX];
	unsigned copies = 0;

	ics_count_add(&c->frames, n);
	ics_count_add(&c->bytes, g->bytes);
	if (ics_unlikely(g->snapped != 0))
		ics_count_add(&c->snapped, g->snapped);
	if (n - g->n_deep - g->ip6 - g->arp != 0)
		ics_count_add(&c->class[ICS_CLASS_ip4_other], n - g->n_deep - g->ip6 - g->arp);
	if (g->ip6 != 0)
		ics_count_add(&c->class[ICS_CLASS_ip6_other], g -> ip6);
	if (g->arp != 0)
		ics_count_add(&c->class[ICS_CLASS_arp], g -> arp);
	/* Data first: a message that quotes a packet finds that it was seen. */
	for (unsigned i = 0; i < g->n_rest; i++)
		ics_sample_rest(in->sampler, &left->rest[i], (enum ics_class)left->class[i], ts_ns);
	if (ics_likely(in->fold != NULL && in->sink.push != NULL))
		make_keys(in, left->deep, g->n_deep, key);
	else
		for (unsigned i = 0; i < g->n_deep; i++)
			key[i].hash = 0;
	for (unsigned i = 0; i < g->n_deep; i++)
		copies += inspect_deep(in, &left->deep[i], &key[i], ts_ns);
	if (copies != 0)
		ics_count_add(&c->control, copies);
	if (g->n_deep + g->n_rest != 0)
		publish(in);
	if (ics_unlikely(++in->since_sweep >= SWEEP_EVERY))
		ics_inspect_idle(in, ts_ns);
}

void
ics_inspect_burst(struct ics_inspect *in, const struct ics_frame *frames, unsigned n, uint64_t ts_ns)
{
	struct ics_glance_conf conf = ics_glance_conf(in);
	struct ics_glance g = {0};
	struct ics_left left;

	if (ics_unlikely(n > ICS_BURST_MAX))
		n = ICS_BURST_MAX;
	ics_inspect_begin(in, ts_ns);
	for (unsigned i = 0; i < n; i++) {
		bool plain = frames[i].link == ICS_LINK_ETHERNET && frames[i].stripped_tci == ICS_VLAN_NONE;

		ics_glance(&conf, &frames[i], plain, &g, &left);
	}
	ics_inspect_glanced(in, n, &g, &left, ts_ns);
}
