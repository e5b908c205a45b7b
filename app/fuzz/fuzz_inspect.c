/* Fuzz target: a frame and copies of it through the fast half. The first ten octets of the input choose link type,
 * tunnels, snapshot length, stripped tag, a sink that refuses, copies, time between bursts; the frame follows.
 * Checked: conservation, the fields of every record, that peek and decode agree, and that a shorter capture never
 * breaks a rule that the whole frame keeps.
 */
#include "frame.h"
#include "fuzz.h"

#include "ics_inspect.h"
#include "ics_quote.h"

#define HEAD 10

struct input {
	struct ics_frame whole, frame; /* frame: as captured */
	struct ics_decode_conf decode;
	bool known, in_order, fold, push;
	uint8_t refuse;
	unsigned copies, burst;
	int64_t step_ns;
};

static void
read_head(const uint8_t *h, const uint8_t *data, uint32_t len, struct input *in)
{
	static const int64_t steps[] = {0, 1000, 1000000, 150000000, 999999999, 1000000000, 30000000000, -50000000};
	uint32_t snap = ics_load_be16(h + 2);

	*in = (struct input){
		.whole = {.data = data,
			  .cap_len = len,
			  .wire_len = len,
			  .stripped_tci = ics_load_be16(h + 4),
			  .link = (h[0] & 7) <= ICS_LINK_LOOP ? h[0] & 7 : ICS_LINK_ETHERNET},
		.decode = {.tunnels = h[1] & 0x3f, .mpls_control_word = h[0] & 8},
		.known = h[0] & 16,
		.in_order = h[0] & 32,
		.fold = !(h[0] & 64),
		.push = !(h[0] & 128),
		.refuse = h[6],
		.copies = 1u + (h[7] < 224 ? h[7] & 15u : h[7]),
		.step_ns = steps[h[8] & 7],
		.burst = 1u + (h[9] & 63),
	};
	in->frame = in->whole;
	if (snap != 0 && snap < len)
		in->frame.cap_len = snap;
}

/* ---- one frame ---- */

static void
check_pkt(const struct ics_frame *f, const struct ics_pkt *pkt)
{
	FUZZ_CHECK(pkt->class < ICS_CLASS_COUNT, "class %u", pkt->class);
	FUZZ_CHECK(pkt->frame.p == f->data && pkt->frame.len == f->cap_len && pkt->wire_len == f->wire_len, "frame");
	if (pkt->flags & ICS_PKT_ETHER)
		FUZZ_CHECK(pkt->dmac >= f->data && pkt->smac + 6 <= f->data + f->cap_len, "MACs outside");
	if (pkt->src != NULL) {
		uint32_t n = pkt->ip_version == 6 ? 16 : 4;

		FUZZ_CHECK(pkt->ip_version == 4 || pkt->ip_version == 6, "IP version %u", pkt->ip_version);
		FUZZ_CHECK(pkt->src >= f->data && pkt->dst + n <= f->data + f->cap_len, "addresses outside");
	}
	for (unsigned i = 0; i < ICS_TAGS_MAX; i++)
		FUZZ_CHECK(pkt->vlan[i] == ICS_VLAN_NONE || (pkt->vlan[i] >= 1 && pkt->vlan[i] <= 4095), "VLAN %u",
			   pkt->vlan[i]);
	FUZZ_CHECK(pkt->tunnel_depth <= ICS_TUNNEL_DEPTH_MAX, "%u tunnels", pkt->tunnel_depth);
	if (!(pkt->flags & ICS_PKT_ICMP))
		return;
	/* A message that starts behind what was captured has a place, and no octet there. */
	FUZZ_CHECK(pkt->icmp.len == 0 || (pkt->l4_off <= f->cap_len && pkt->icmp.len <= f->cap_len - pkt->l4_off),
		   "message outside");
	FUZZ_CHECK(pkt->icmp.len == 0 || pkt->icmp.p == f->data + pkt->l4_off, "message elsewhere");
	FUZZ_CHECK(pkt->icmp.len <= pkt->ilen, "%u captured of %u", pkt->icmp.len, pkt->ilen);
	FUZZ_CHECK(pkt->l3_off < pkt->l4_off, "message at %u in front of IP at %u", pkt->l4_off, pkt->l3_off);
}

static void
check_quote(const struct ics_pkt *pkt)
{
	struct ics_quote q;

	if (ics_quote_parse(pkt, &q) != 0)
		return;
	FUZZ_CHECK(q.bytes.len == 0 ||
			   (q.bytes.p >= pkt->frame.p && q.bytes.p + q.bytes.len <= pkt->frame.p + pkt->frame.len),
		   "quote outside");
	FUZZ_CHECK(q.bytes.len <= q.len, "%u captured of a quote of %u", q.bytes.len, q.len);
}

static bool
is_subset(const struct ics_reasons *a, const struct ics_reasons *b)
{
	return !(a->w[0] & ~b->w[0]) && !(a->w[1] & ~b->w[1]) && !(a->w[2] & ~b->w[2]);
}

static void
print_new(const struct ics_reasons *a, const struct ics_reasons *b)
{
	unsigned n;

	ICS_REASONS_FOREACH(n, a)
		if (!ics_reasons_has(b, n))
			fprintf(stderr, "only in the first: %s\n", ics_reason_info(n)->name);
}

/* Peek settles only what decode would settle likewise, and would find nothing wrong with. */
static void
check_peek(const struct ics_inspect *in, const struct ics_frame *f, const struct ics_pkt *pkt)
{
	enum ics_class c = ics_peek(f, &in->decode);

	if (c == ICS_CLASS_COUNT)
		return;
	FUZZ_CHECK(c == pkt->class, "peek says %s, decode %s", ics_class_name(c), ics_class_name(pkt->class));
	FUZZ_CHECK(pkt->encap == 0, "peek settles a frame with encapsulation %#x", pkt->encap);
	if (!ics_reasons_empty(&pkt->reasons)) {
		print_new(&pkt->reasons, &(struct ics_reasons){0});
		FUZZ_CHECK(false, "peek settles a frame that breaks rules");
	}
}

static void
check_frame(const struct ics_inspect *in, const struct input *input, struct ics_pkt *pkt)
{
	struct ics_pkt whole;

	ics_inspect_frame(in, &input->whole, &whole);
	check_pkt(&input->whole, &whole);
	check_quote(&whole);
	check_peek(in, &input->whole, &whole);
	ics_inspect_frame(in, &input->frame, pkt);
	check_pkt(&input->frame, pkt);
	check_quote(pkt);
	check_peek(in, &input->frame, pkt);
	if (input->frame.cap_len == input->whole.cap_len)
		return;
	/* A rule that only the whole frame can break, such as a checksum, may have stopped the walk before others. */
	if (!is_subset(&pkt->reasons, &whole.reasons) && is_subset(&whole.reasons, &pkt->reasons)) {
		print_new(&pkt->reasons, &whole.reasons);
		FUZZ_CHECK(false, "the first %u of %u octets break a rule that the frame does not break",
			   input->frame.cap_len, input->whole.cap_len);
	}
}

/* ---- records ---- */

struct sink {
	const struct input *input;
	const struct ics_pkt *pkt;
	uint64_t pushes, messages, refused;
};

/* The checksum of a sender that leaves it to its NIC is forgiven after some frames. */
static bool
is_forgivable(const struct ics_pkt *pkt, unsigned n)
{
	return n == ICS_REASON_icmp6_checksum && pkt->flags & ICS_PKT_CSUM_PARTIAL;
}

static bool
is_expected(const struct ics_reasons *r, const struct ics_pkt *pkt)
{
	struct ics_reasons forgiven = pkt->reasons;

	if (memcmp(r, &pkt->reasons, sizeof(*r)) == 0)
		return true;
	forgiven.w[ICS_REASON_icmp6_checksum >> 6] &= ~(1ull << (ICS_REASON_icmp6_checksum & 63));
	return is_forgivable(pkt, ICS_REASON_icmp6_checksum) && memcmp(r, &forgiven, sizeof(*r)) == 0;
}

static int
push(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct sink *s = ctx;
	const struct ics_frame *f = &s->input->frame;
	uint64_t messages = 1 + (uint64_t)rec->repeats;
	bool copies = rec->flags & ICS_REC_COPIES;

	if (ics_record_is_sample(rec)) {
		struct ics_sample m;
		struct ics_view told;

		FUZZ_CHECK(lane == ICS_LANE_SAMPLE, "lane %u", lane);
		FUZZ_CHECK(ics_sample_parse(rec, (struct ics_view){frame, rec->cap_len}, &m, &told), "no sample");
		FUZZ_CHECK(told.len <= f->cap_len && memcmp(told.p, f->data, told.len) == 0, "another frame");
		FUZZ_CHECK(m.kind == ICS_SAMPLE_HOSTDATA || m.proto == ICS_PROTO_TCP, "protocol %u", m.proto);
		return s->input->refuse & 1 ? -28 : 0;
	}
	FUZZ_CHECK(!s->input->in_order || lane == ICS_LANE_BULK, "lane %u, order to be kept", lane);
	FUZZ_CHECK(rec->class == s->pkt->class, "class %u of a frame of class %u", rec->class, s->pkt->class);
	FUZZ_CHECK(is_expected(&rec->reasons, s->pkt), "other reasons");
	FUZZ_CHECK(!(rec->flags & ICS_REC_STRICT) ==
			   !(ics_reasons_is_strict(&rec->reasons) && !(s->pkt->flags & ICS_PKT_UNPARSED)),
		   "strict");
	FUZZ_CHECK((rec->flags & (ICS_REC_STRICT | ICS_REC_LENIENT)) != (ICS_REC_STRICT | ICS_REC_LENIENT),
		   "strict and lenient");
	FUZZ_CHECK(!(rec->flags & ICS_REC_UNPARSED) || !(rec->flags & (ICS_REC_STRICT | ICS_REC_LENIENT)),
		   "unparsed and strict or lenient");
	FUZZ_CHECK(rec->vlan_outer == s->pkt->vlan[0] && rec->vlan_inner == s->pkt->vlan[1], "VLANs");
	FUZZ_CHECK(copies || (rec->l3_off == s->pkt->l3_off && rec->l4_off == s->pkt->l4_off), "offsets");
	if (copies) {
		FUZZ_CHECK(rec->cap_len == 0, "%u octets with copies", rec->cap_len);
	} else {
		FUZZ_CHECK(rec->cap_len == (f->cap_len < ICS_RECORD_FRAME_MAX ? f->cap_len : ICS_RECORD_FRAME_MAX),
			   "%u octets of %u", rec->cap_len, f->cap_len);
		FUZZ_CHECK(rec->cap_len == 0 || memcmp(frame, f->data, rec->cap_len) == 0, "another frame");
	}
	if (s->input->refuse >> (s->pushes++ & 7) & 1) {
		s->refused += messages;
		return -28;
	}
	s->messages += messages;
	return 0;
}

static uint64_t
sum(const ics_counter *c, unsigned n)
{
	uint64_t v = 0;

	while (n-- != 0)
		v += ics_count_get(&c[n]);
	return v;
}

static void
check_conservation(const struct ics_inspect *in, const struct sink *s, uint64_t frames)
{
	const struct ics_counters *c = in->counters;
	uint64_t dropped = sum(c->dropped, ICS_DROP_COUNT), pending = in->fold != NULL ? ics_fold_pending(in->fold) : 0;

	FUZZ_CHECK(ics_count_get(&c->frames) == frames, "frames");
	FUZZ_CHECK(sum(c->class, ICS_CLASS_COUNT) == frames, "classes do not add up");
	FUZZ_CHECK(ics_count_get(&c->control) == ics_count_get(&c->delivered) + dropped + pending,
		   "control messages do not add up");
	FUZZ_CHECK(sum(c->dropped_class, ICS_CLASS_COUNT) == dropped, "drops by class");
	if (in->sink.push != NULL)
		FUZZ_CHECK(ics_count_get(&c->delivered) == s->messages && dropped <= s->refused, "the sink saw others");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ics_counters counters;
	static struct ics_known known;
	static struct ics_fold *fold_memory;
	/* Keeps its flows from input to input: emptying its tables would take longer than all the rest. */
	static struct ics_sampler *sampler;
	struct input input;
	struct ics_frame burst[ICS_BURST_MAX];
	struct ics_pkt pkt;
	struct sink sink = {.input = &input, .pkt = &pkt};
	struct ics_inspect in = {.validate = {1500}, .counters = &counters, .seed = 1, .port = 3, .queue = 1};
	uint64_t now = 1500000000000000000ull;
	unsigned n = 0;
	uint8_t *exact, *captured;

	if (size < HEAD)
		return 0;
	/* Memory of exactly the captured length, so that a step beyond it is seen. */
	exact = malloc(size - HEAD);
	memcpy(exact, data + HEAD, size - HEAD);
	read_head(data, exact, (uint32_t)(size - HEAD), &input);
	captured = malloc(input.frame.cap_len);
	memcpy(captured, exact, input.frame.cap_len);
	input.frame.data = captured;

	memset(&counters, 0, sizeof(counters));
	if (fold_memory == NULL)
		fold_memory = aligned_alloc(64, ics_fold_size());
	if (input.fold) {
		memset(fold_memory, 0, ics_fold_size());
		in.fold = ics_fold_init(fold_memory);
	}
	if (input.known) {
		static const uint8_t router[16] = {0xfe, 0x80, [15] = 1};

		memset(&known, 0, sizeof(known));
		ics_known_insert(&known, ics_known_hash(&known, 3, ICS_VLAN_NONE, ICS_VLAN_NONE, router));
		in.known = &known;
	}
	if (sampler == NULL)
		sampler = ics_sampler_init(&(struct ics_sample_conf){.filter_bits = 65536, .link_mtu = 1500}, NULL);
	in.sampler = sampler;
	in.decode = input.decode;
	in.in_order = input.in_order;
	if (input.push)
		in.sink = (struct ics_sink){push, &sink};
	ics_inspect_init(&in);

	check_frame(&in, &input, &pkt);
	for (unsigned i = 0; i < ICS_BURST_MAX; i++)
		burst[i] = input.frame;
	while (n < input.copies) {
		unsigned now_n = input.copies - n < input.burst ? input.copies - n : input.burst;

		ics_inspect_burst(&in, burst, now_n, now);
		n += now_n;
		check_conservation(&in, &sink, n);
		now += (uint64_t)input.step_ns;
	}
	ics_inspect_idle(&in, now);
	check_conservation(&in, &sink, n);
	ics_inspect_idle(&in, UINT64_MAX);
	check_conservation(&in, &sink, n);
	FUZZ_CHECK(in.fold == NULL || ics_fold_pending(in.fold) == 0, "copies are left behind");
	{
		unsigned r;

		ICS_REASONS_FOREACH(r, &pkt.reasons)
			FUZZ_CHECK(ics_count_get(&counters.reason[r]) == n || is_forgivable(&pkt, r),
				   "%s counted for %llu of %u", ics_reason_info(r)->name,
				   (unsigned long long)ics_count_get(&counters.reason[r]), n);
		FUZZ_CHECK(ics_count_get(&counters.class[pkt.class]) == n, "class %u", pkt.class);
	}
	free(captured);
	free(exact);
	return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct fuzz_rng r = {seed};
	struct fuzz_frame f;

	if (size < HEAD + 14 || max_size < HEAD + 200)
		return LLVMFuzzerMutate(data, size, max_size);
	if (fuzz_rng_below(&r, 8) == 0) {
		LLVMFuzzerMutate(data, HEAD, HEAD);
		return size;
	}
	f = (struct fuzz_frame){data + HEAD, (uint32_t)(size - HEAD), (uint32_t)(max_size - HEAD),
				(data[0] & 7) <= ICS_LINK_LOOP ? data[0] & 7 : ICS_LINK_ETHERNET};
	for (unsigned n = 1 + fuzz_rng_below(&r, 3); n != 0; n--)
		fuzz_frame_mutate(&f, &r);
	data[0] = (uint8_t)((data[0] & ~7) | f.link);
	return HEAD + f.len;
}
