/* Every base packet cut at every length, as on the wire and as by a snapshot length, and with every octet changed:
 * nothing crashes (each frame lies in memory of exactly its length, for sanitizers), each frame is counted in
 * exactly one class, and a short capture alone breaks no rule.
 */
#include "ics_quote.h"
#include "test_common.h"

#define RANDOM_ROUNDS 2000

struct bench {
	struct ics_counters counters;
	struct ics_inspect in;
	uint64_t records, messages;
};

static int
take(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct bench *b = ctx;
	uint64_t sum = 0;

	assert_true(lane <= ICS_LANE_RESERVED);
	assert_true(rec->class < ICS_CLASS_COUNT);
	for (unsigned i = 0; frame != NULL && i < rec->cap_len; i++)
		sum += frame[i]; /* all of it can be read */
	b->records += sum < UINT64_MAX;
	b->messages += 1 + (uint64_t)rec->repeats;
	return 0;
}

static struct bench *
bench_new(void)
{
	struct bench *b = aligned_alloc(64, (sizeof(*b) + 63) / 64 * 64);

	assert_non_null(b);
	memset(b, 0, sizeof(*b));
	b->in = (struct ics_inspect){
		.decode = {.tunnels = 0x3f, .mpls_control_word = true},
		.validate = {.link_mtu = 1500},
		.counters = &b->counters,
		.sink = {take, b},
		.seed = 42,
	};
	ics_inspect_init(&b->in);
	return b;
}

/* One class each, and every message that is for the control core accounted for. */
static void
check_conservation(struct bench *b, uint64_t frames)
{
	struct ics_count_snapshot s = {0};
	uint64_t sum = 0, dropped = 0;

	ics_inspect_idle(&b->in, UINT64_MAX);
	ics_count_snapshot_add(&s, &b->counters);
	for (unsigned c = 0; c < ICS_CLASS_COUNT; c++)
		sum += s.class[c];
	for (unsigned d = 0; d < ICS_DROP_COUNT; d++)
		dropped += s.dropped[d];
	assert_int_equal(s.frames, frames);
	assert_int_equal(sum, frames);
	assert_int_equal(s.control, s.delivered + dropped);
	assert_int_equal(dropped, 0);
	assert_int_equal(b->messages, s.delivered);
	assert_int_equal(b->records, s.records);
}

/* Puts one frame through the whole fast half, and its quote through the reader of quotes. */
static void
run(struct bench *b, const uint8_t *bytes, uint32_t cap_len, uint32_t wire_len, struct ics_pkt *pkt)
{
	uint8_t *copy = malloc(cap_len);
	struct ics_frame f = {copy, cap_len, wire_len, ICS_VLAN_NONE, ICS_LINK_ETHERNET};
	struct ics_quote q;

	assert_true(copy != NULL || cap_len == 0);
	if (cap_len > 0)
		memcpy(copy, bytes, cap_len);
	ics_inspect_burst(&b->in, &f, 1, 1000000000);
	ics_inspect_frame(&b->in, &f, pkt);
	if (ics_quote_parse(pkt, &q) == 0)
		assert_true(q.flags & ICS_QUOTE_IP && q.n_labels <= UINT8_MAX);
	free(copy);
}

/* The bases, a few of them in other clothes, and one with an option of every kind. */
#define SAMPLES (BASE_COUNT + 7)

static struct packet
sample(unsigned i)
{
	struct packet p = base_packet(i < BASE_COUNT ? (enum base)i : BASE_ra);

	switch (i) {
	case BASE_COUNT:
		set_encap(&p, "88a8 0001 8100 0002 86dd");
		break;
	case BASE_COUNT + 1:
		set_encap(&p, "8864 1100 0001 006a 0057");
		break;
	case BASE_COUNT + 2:
		set_encap(&p, "8847 00010040 00011140");
		break;
	case BASE_COUNT + 3:
		add_ext(&p, ICS_PROTO_DSTOPTS, "0000 0104 00000000");
		add_ext(&p, ICS_PROTO_FRAGMENT, "0000 0000 00000001");
		break;
	case BASE_COUNT + 4:
		append_hex(&p, "1903 0000 00000708 20010db8000000000000000000000053");
		append_hex(&p, "1f03 0000 00000708 076578616d706c65 036f726700 000000");
		append_hex(&p, "1803 4000 00000708 fd000000000100000000000000000000");
		append_hex(&p, "2602 0258 0064ff9b 0000000000000000 1a01 8000 00000000 0701 0000 00000258");
		append_hex(&p, "2505 000000000000 0000000000000000000000000000000000000000000000000000000000000000");
		break;
	case BASE_COUNT + 5:
		p = base_packet(BASE_report2);
		set16(&p, 6, 2);
		append_hex(&p, "06000002 ff0e0000000000000000000000000001");
		append_hex(&p, "20010db8000000000000000000000005 20010db8000000000000000000000006");
		break;
	case BASE_COUNT + 6:
		p = base_packet(BASE_unreach6);
		set_len(&p, 136);
		append_hex(&p, "20000000 000c0101 0006403c 000c813c");
		set8(&p, 4, 16);
		repair_extension(&p, 136);
		break;
	default:
		break;
	}
	repair_keep(&p);
	return p;
}

static void
test_wire_truncation(void **state)
{
	struct bench *b = bench_new();
	uint64_t frames = 0;

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct packet p = sample(i);
		struct ics_pkt pkt;

		for (uint32_t len = 0; len <= p.len; len++, frames++) {
			run(b, p.b, len, len, &pkt);
			/* An IPv6 datagram that lost its end cannot pass as whole. */
			if (len > p.l3 && len < p.len && pkt.class != ICS_CLASS_malformed)
				assert_false(ics_reasons_is_strict(&pkt.reasons));
		}
	}
	check_conservation(b, frames);
	free(b);
}

static void
test_snapshot(void **state)
{
	struct bench *b = bench_new();
	uint64_t frames = 0;

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct packet p = sample(i);
		struct ics_pkt pkt, whole;

		run(b, p.b, p.len, p.len, &whole);
		frames++;
		for (uint32_t len = 0; len < p.len; len++, frames++) {
			run(b, p.b, len, p.len, &pkt);
			for (unsigned w = 0; w < ICS_REASON_WORDS; w++)
				if ((pkt.reasons.w[w] & ~whole.reasons.w[w]) != 0)
					fail_msg("sample %u captured up to %u of %u breaks a rule of word %u: %llx", i,
						 len, p.len, w, (unsigned long long)pkt.reasons.w[w]);
			if (len > p.l4)
				assert_int_equal(pkt.class,
						 whole.class == ICS_CLASS_icmp4_frag_needed && len == p.l4 + 1
							 ? ICS_CLASS_icmp4_unreach
							 : whole.class);
		}
	}
	check_conservation(b, frames);
	free(b);
}

static void
test_changed_octets(void **state)
{
	static const uint8_t masks[] = {0xff, 0x01, 0x80, 0x0f, 0xf0};
	struct bench *b = bench_new();
	uint64_t frames = 0;

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct packet p = sample(i);
		struct ics_pkt pkt;

		for (uint32_t at = 0; at < p.len; at++) {
			uint8_t kept = p.b[at];

			for (unsigned m = 0; m < ICS_ARRAY_LEN(masks); m++, frames++) {
				p.b[at] = kept ^ masks[m];
				run(b, p.b, p.len, p.len, &pkt);
			}
			/* A message that was changed, and not repaired, is never taken for good. */
			if (at > p.l4 + 1 && !(pkt.flags & ICS_PKT_UNPARSED))
				assert_false(ics_reasons_is_strict(&pkt.reasons));
			p.b[at] = kept;
		}
	}
	check_conservation(b, frames);
	free(b);
}

/* Several octets at a time, checksums repaired, so that what lies behind them is reached. */
static void
test_changed_and_repaired(void **state)
{
	struct bench *b = bench_new();
	uint64_t frames = 0, random = 1;

	(void)state;
	for (unsigned i = 0; i < SAMPLES; i++) {
		for (unsigned round = 0; round < RANDOM_ROUNDS; round++, frames++) {
			struct packet p = sample(i);
			struct ics_pkt pkt;

			for (unsigned k = 0; k < 3; k++) {
				random = random * 6364136223846793005ull + 1442695040888963407ull;
				p.b[p.l4 + (random >> 33) % (p.len - p.l4)] = (uint8_t)(random >> 24);
			}
			if (i < BASE_COUNT)
				repair(&p);
			run(b, p.b, p.len, p.len, &pkt);
			if (i < BASE_COUNT)
				assert_false(ics_reasons_has(&pkt.reasons, ICS_REASON_icmp6_checksum));
		}
	}
	check_conservation(b, frames);
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_truncation),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_changed_octets),
		cmocka_unit_test(test_changed_and_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
