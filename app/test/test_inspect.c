/* The fast half as a whole: conservation, what goes to the control core and on which lane, what makes two
 * frames the same message, and the names behind counters and classes.
 */
#include "ics_inspect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ETHER                                                                                                          \
	"333300000001"                                                                                                 \
	"00005e005301"
#define IP6(len, next, dst)                                                                                            \
	"60000000" len next "ff"                                                                                       \
	"fe800000000000000000000000000001" dst
#define ALL_NODES "ff020000000000000000000000000001"
#define HOST "fe800000000000000000000000000010"
#define RA ETHER "86dd" IP6("0010", "3a", ALL_NODES) "86000000400007080000000000000000"
#define RA_LAST ETHER "86dd" IP6("0010", "3a", ALL_NODES) "86000000400000000000000000000000"
#define NA_R0 ETHER "86dd" IP6("0018", "3a", ALL_NODES) "8800000020000000fe800000000000000000000000000001"
#define NA_OTHER ETHER "86dd" IP6("0018", "3a", ALL_NODES) "8800000020000000fe800000000000000000000000000077"
#define NS ETHER "86dd" IP6("0018", "3a", ALL_NODES) "8700000000000000fe800000000000000000000000000001"
#define NS_TARGET ETHER "86dd" IP6("0018", "3a", ALL_NODES) "8700000000000000fe80000000000000000000000000"
#define QUERY ETHER "86dd" IP6("0018", "3a", ALL_NODES) "82000000271000000000000000000000000000000000000000000000"
#define PTB ETHER "86dd" IP6("0008", "3a", HOST) "0200000000000500"
#define ECHO ETHER "86dd" IP6("0008", "3a", HOST) "8000000000000000"
#define TCP6 ETHER "86dd" IP6("0014", "06", HOST) "0014005000000000000000005002ffff00000000"
#define LATER_FRAGMENT ETHER "86dd" IP6("0010", "2c", HOST) "3a000008000000010000000000000000"

struct sent {
	unsigned n, limit;
	bool only_reserved;
	enum ics_lane lane;
	struct ics_record rec;
	uint64_t messages, advertisements;
};

static int
take(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct sent *s = ctx;

	if (s->n >= s->limit || (s->only_reserved && lane != ICS_LANE_RESERVED))
		return -ENOSPC;
	assert_true(frame != NULL || rec->cap_len == 0);
	s->n++;
	s->lane = lane;
	s->rec = *rec;
	s->messages += 1 + (uint64_t)rec->repeats;
	s->advertisements += rec->class == ICS_CLASS_nd_ra ? 1 + (uint64_t)rec->repeats : 0;
	return 0;
}

struct rig {
	struct ics_counters c;
	struct ics_inspect in;
	struct sent sent;
	struct ics_known known;
};

static struct rig *
rig_new(void)
{
	struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) / 64 * 64);

	memset(r, 0, sizeof(*r));
	r->sent.limit = UINT32_MAX;
	r->known.seed = 5;
	r->in = (struct ics_inspect){
		.validate = {1500}, .counters = &r->c, .sink = {take, &r->sent}, .seed = 11, .port = 3};
	ics_inspect_init(&r->in);
	return r;
}

static uint32_t
bytes_of(const char *text, uint8_t *b)
{
	uint32_t n = 0;

	for (; text[0] != '\0'; text += 2) {
		unsigned v;

		assert_int_equal(sscanf(text, "%2x", &v), 1);
		b[n++] = (uint8_t)v;
	}
	return n;
}

static void
feed(struct rig *r, const char *text, uint64_t ts_ns)
{
	static uint8_t b[2048];
	uint32_t n = bytes_of(text, b);
	struct ics_frame f = {b, n, n, ICS_VLAN_NONE, ICS_LINK_ETHERNET};

	ics_inspect_burst(&r->in, &f, 1, ts_ns);
}

static void
check_conservation(const struct rig *r)
{
	struct ics_count_snapshot s = {0};
	uint64_t classes = 0, dropped = 0, dropped_class = 0;

	ics_count_snapshot_add(&s, &r->c);
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++) {
		classes += s.class[i];
		dropped_class += s.dropped_class[i];
	}
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		dropped += s.dropped[i];
	assert_int_equal(s.frames, classes);
	assert_int_equal(dropped, dropped_class);
	assert_int_equal(s.control, s.delivered + dropped + (r->in.fold ? ics_fold_pending(r->in.fold) : 0));
	if (r->in.sink.push != NULL) {
		assert_int_equal(s.delivered, r->sent.messages);
		assert_int_equal(s.records, r->sent.n);
	}
}

static void
test_lanes(void **state)
{
	static const struct {
		const char *frame;
		int before, after; /* lane before and after the router is known; -1: not handed over */
	} rows[] = {
		{RA, ICS_LANE_URGENT, ICS_LANE_RESERVED},
		{NA_R0, ICS_LANE_BULK, ICS_LANE_RESERVED},
		{NA_OTHER, ICS_LANE_BULK, ICS_LANE_RESERVED},
		{NS, ICS_LANE_BULK, ICS_LANE_BULK},
		{QUERY, ICS_LANE_URGENT, ICS_LANE_URGENT},
		{PTB, ICS_LANE_URGENT, ICS_LANE_URGENT},
		{ECHO, -1, -1},
		{TCP6, -1, -1},
		{LATER_FRAGMENT, ICS_LANE_URGENT, ICS_LANE_URGENT},
	};
	const uint8_t router[16] = {0xfe, 0x80, [15] = 1};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new();
		int want = rows[i].before;

		for (unsigned pass = 0; pass < 4; pass++) {
			r->sent.n = 0;
			r->sent.messages = 0;
			memset(&r->c, 0, sizeof(r->c));
			feed(r, rows[i].frame, 1);
			assert_int_equal(r->sent.n, want >= 0);
			if (want >= 0) {
				assert_int_equal(r->sent.lane, want);
				assert_int_equal(r->sent.rec.port, 3);
				assert_int_equal(r->sent.rec.vlan_outer, ICS_VLAN_NONE);
			}
			check_conservation(r);
			if (pass == 0) {
				r->in.known = &r->known; /* an empty set changes nothing */
			} else if (pass == 1) {
				assert_int_equal(ics_known_insert(&r->known, ics_known_hash(&r->known, 3, ICS_VLAN_NONE,
											    ICS_VLAN_NONE, router)),
						 0);
				want = rows[i].after;
			} else if (want >= 0) {
				r->in.in_order = true;
				want = ICS_LANE_BULK;
			}
		}
		free(r);
	}
}

static void
test_every_drop_is_counted_by_cause_and_class(void **state)
{
	struct rig *r = rig_new();

	r->sent.limit = 1;
	feed(r, RA, 1);
	feed(r, RA, 2);
	feed(r, NS, 3);
	feed(r, NS, 4);
	feed(r, ECHO, 5);
	assert_int_equal(ics_count_get(&r->c.dropped[ICS_DROP_URGENT_FULL]), 1);
	assert_int_equal(ics_count_get(&r->c.dropped[ICS_DROP_BULK_FULL]), 2);
	assert_int_equal(ics_count_get(&r->c.dropped_class[ICS_CLASS_nd_ns]), 2);
	check_conservation(r);
	free(r);
}

/* With the repeat cache: a storm, then another segment's copy, then silence. */
static void
test_folded_copies_are_conserved(void **state)
{
	struct rig *r = rig_new();

	r->in.fold = ics_fold_init(NULL);
	for (unsigned i = 0; i < 5000; i++) {
		feed(r, NS, 1000 + i);
		check_conservation(r);
	}
	assert_int_equal(r->sent.n, 5);
	assert_true(r->sent.rec.cap_len > 0);
	ics_inspect_idle(&r->in, 2000);
	assert_int_equal(r->sent.n, 5);
	ics_inspect_idle(&r->in, UINT64_MAX);
	assert_int_equal(r->sent.n, 6);
	assert_int_equal(r->sent.rec.cap_len, 0);
	assert_true(r->sent.rec.flags & ICS_REC_COPIES);
	assert_int_equal(r->sent.messages, 5000);
	check_conservation(r);
	/* a busy worker sweeps too: the window is over long before 5,000 bursts of bulk traffic */
	feed(r, NS, 10);
	feed(r, NS, 11);
	for (unsigned i = 0; i < 5000; i++)
		feed(r, TCP6, 5000000000ull);
	assert_int_equal(r->sent.messages, 5002);
	check_conservation(r);
	ics_fold_free(r->in.fold);
	free(r);
}

static uint64_t
dropped(const struct rig *r)
{
	return ics_count_get(&r->c.dropped[ICS_DROP_URGENT_FULL]) + ics_count_get(&r->c.dropped[ICS_DROP_BULK_FULL]);
}

/* A ring that is full for a while, under messages that repeat: once they were told nothing is lost. */
static void
test_copies_wait_while_the_ring_is_full(void **state)
{
	static const char *const messages[] = {RA, NS, QUERY, PTB, NA_OTHER};
	const uint64_t gap = 90000000; /* the 10th copy, windows, storms, sweeps all fall into it */
	struct rig *r = rig_new();
	uint64_t now = 1000000000, n = 0, waiting, delivered;

	r->in.fold = ics_fold_init(NULL);
	for (unsigned i = 0; i < 296; i++, now += gap) {
		for (unsigned k = 0; k < ICS_ARRAY_LEN(messages); k++, n++)
			feed(r, messages[k], now + k);
		if (i % 7 == 0)
			ics_inspect_idle(&r->in, now + 10);
		check_conservation(r);
		r->sent.limit = i % 50 >= 10 ? r->sent.n : UINT32_MAX;
	}
	assert_int_equal(dropped(r), 0);
	assert_int_equal(ics_count_get(&r->c.control), n);
	waiting = ics_fold_pending(r->in.fold);
	assert_true(waiting >= 35 * 5);
	/* the next copy takes all of them along, one record each */
	r->sent.limit = UINT32_MAX;
	r->sent.n = 0;
	memset(&r->c.records, 0, sizeof(r->c.records));
	delivered = r->sent.messages;
	for (unsigned k = 0; k < ICS_ARRAY_LEN(messages); k++, n++) {
		feed(r, messages[k], now + k);
		assert_true(r->sent.rec.cap_len > 0);
		assert_true(r->sent.rec.repeats >= 35);
	}
	assert_int_equal(r->sent.n, 5);
	assert_int_equal(ics_fold_pending(r->in.fold), 0);
	assert_int_equal(r->sent.messages, delivered + 5 + waiting);
	assert_int_equal(r->sent.messages, n);
	check_conservation(r);
	/* what nobody takes to the end is lost, and counted */
	r->sent.limit = 0;
	feed(r, RA, now += 10);
	feed(r, NS, now);
	ics_inspect_idle(&r->in, UINT64_MAX);
	assert_int_equal(dropped(r), 2);
	assert_int_equal(ics_fold_pending(r->in.fold), 0);
	check_conservation(r);
	ics_fold_free(r->in.fold);
	free(r);
}

/* Nobody was told of them: each copy is tried as the first, and lost when it is refused. */
static void
test_a_message_that_was_never_taken_is_new(void **state)
{
	const uint8_t router[16] = {0xfe, 0x80, [15] = 1};
	struct rig *r = rig_new();

	r->in.fold = ics_fold_init(NULL);
	r->sent.limit = 0;
	for (unsigned i = 0; i < 5; i++) {
		feed(r, NS, 100 + i);
		feed(r, RA, 100 + i);
	}
	assert_int_equal(dropped(r), 10);
	assert_int_equal(ics_fold_pending(r->in.fold), 0);
	check_conservation(r);
	r->sent.limit = UINT32_MAX;
	feed(r, NS, 200);
	assert_int_equal(r->sent.n, 1);
	assert_int_equal(r->sent.rec.repeats, 0);
	assert_true(r->sent.rec.cap_len > 0);
	/* the reserved way is open: another message of a router that has become known goes at once */
	feed(r, RA, 300);
	r->sent.only_reserved = true;
	r->in.known = &r->known;
	ics_known_insert(&r->known, ics_known_hash(&r->known, 3, ICS_VLAN_NONE, ICS_VLAN_NONE, router));
	feed(r, RA, 400);
	assert_int_equal(r->sent.messages, 2);
	assert_int_equal(ics_fold_pending(r->in.fold), 1);
	feed(r, RA_LAST, 500);
	assert_int_equal(r->sent.messages, 3);
	assert_int_equal(r->sent.lane, ICS_LANE_RESERVED);
	assert_int_equal(dropped(r), 10);
	check_conservation(r);
	ics_fold_free(r->in.fold);
	free(r);
}

/* All slots that a message may be in hold copies that are refused: they stay, and it goes without one. */
static void
test_copies_that_are_refused_keep_their_slots(void **state)
{
	const uint8_t router[16] = {0xfe, 0x80, [15] = 1};
	struct rig *r = rig_new();
	char text[512];
	uint64_t before;

	r->in.fold = ics_fold_init(NULL);
	for (unsigned twice = 0; twice < 2; twice++) {
		for (unsigned i = 0; i < 4 * ICS_FOLD_SLOTS; i++) {
			snprintf(text, sizeof(text), NS_TARGET "%04x", i);
			feed(r, text, 1000);
			feed(r, text, 1000);
		}
	}
	assert_true(ics_fold_pending(r->in.fold) > ICS_FOLD_SLOTS / 2);
	check_conservation(r);
	before = ics_fold_pending(r->in.fold);
	r->sent.only_reserved = true;
	for (unsigned i = 0; i < 2000; i++) {
		if (i == 1000) { /* now they are taken themselves */
			r->in.known = &r->known;
			ics_known_insert(&r->known, ics_known_hash(&r->known, 3, ICS_VLAN_NONE, ICS_VLAN_NONE, router));
		}
		snprintf(text, sizeof(text), RA "%04x", i);
		feed(r, text, 5000000000);
	}
	assert_int_equal(ics_fold_pending(r->in.fold), before);
	assert_int_equal(dropped(r), 1000);
	check_conservation(r);
	r->sent.only_reserved = false;
	ics_inspect_idle(&r->in, UINT64_MAX);
	assert_int_equal(r->sent.advertisements, 1000);
	assert_int_equal(ics_fold_pending(r->in.fold), 0);
	check_conservation(r);
	ics_fold_free(r->in.fold);
	free(r);
}

/* More messages than the cache has slots, twice each: what it pushes out is handed over first. */
static void
test_a_full_cache_loses_nothing(void **state)
{
	struct rig *r = rig_new();
	char text[512];

	r->in.fold = ics_fold_init(NULL);
	for (unsigned i = 0; i < 4 * ICS_FOLD_SLOTS; i++) {
		snprintf(text, sizeof(text), NS_TARGET "%04x", i);
		feed(r, text, 1000 + i);
		feed(r, text, 1000 + i);
	}
	assert_true(ics_fold_pending(r->in.fold) > 0);
	check_conservation(r);
	ics_inspect_idle(&r->in, UINT64_MAX);
	assert_int_equal(r->sent.messages, 8 * ICS_FOLD_SLOTS);
	check_conservation(r);
	ics_fold_free(r->in.fold);
	free(r);
}

static void
test_without_a_sink_it_only_counts(void **state)
{
	struct rig *r = rig_new();

	r->in.sink.push = NULL;
	feed(r, RA, 1);
	ics_inspect_idle(&r->in, UINT64_MAX);
	assert_int_equal(ics_count_get(&r->c.class[ICS_CLASS_nd_ra]), 1);
	assert_int_equal(ics_count_get(&r->c.control), 1);
	check_conservation(r);
	free(r);
}

/* Tags, labels and padding do not make it another message; MACs and any byte of the datagram do. */
static void
test_what_the_frame_hash_covers(void **state)
{
	struct rig *r = rig_new();
	uint64_t h;
	uint8_t b[256];
	uint32_t n = bytes_of(RA, b);

	feed(r, RA, 1);
	h = r->sent.rec.frame_hash;
	feed(r, RA "000000", 1);
	assert_int_equal(r->sent.rec.frame_hash, h);
	feed(r, ETHER "8100000a86dd" IP6("0010", "3a", ALL_NODES) "86000000400007080000000000000000", 1);
	assert_int_equal(r->sent.rec.frame_hash, h);
	assert_int_equal(r->sent.rec.vlan_outer, 10);
	for (uint32_t i = 0; i < n; i++) {
		struct ics_frame f = {b, n, n, ICS_VLAN_NONE, ICS_LINK_ETHERNET};

		if ((i >= 12 && i < 21) || i == 54) /* keeps it an RA of the same length */
			continue;
		b[i] ^= 0x40;
		ics_inspect_burst(&r->in, &f, 1, 1);
		assert_int_not_equal(r->sent.rec.frame_hash, h);
		b[i] ^= 0x40;
	}
	free(r);
}

static void
test_a_burst_counts_frames_bytes_and_snapshots(void **state)
{
	struct rig *r = rig_new();
	struct ics_frame f[ICS_BURST_MAX + 1];
	uint8_t b[256];
	uint32_t n = bytes_of(TCP6, b);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(f); i++)
		f[i] = (struct ics_frame){b, n, n + (i == 0 ? 1000 : 0), ICS_VLAN_NONE, ICS_LINK_ETHERNET};
	ics_inspect_burst(&r->in, f, ICS_BURST_MAX + 1, 1);
	assert_int_equal(ics_count_get(&r->c.frames), ICS_BURST_MAX);
	assert_int_equal(ics_count_get(&r->c.bytes), ICS_BURST_MAX * n + 1000);
	assert_int_equal(ics_count_get(&r->c.snapped), 1);
	assert_int_equal(ics_count_get(&r->c.class[ICS_CLASS_ip6_other]), ICS_BURST_MAX);
	feed(r,
	     ETHER "0806"
		   "0001080006040001"
		   "00005e005301c0000201"
		   "000000000000c0000202000000000000000000000000",
	     1);
	assert_int_equal(ics_count_get(&r->c.class[ICS_CLASS_arp]), 1);
	feed(r,
	     ETHER "0800"
		   "45000028000000004006fff0c0000201c0000202"
		   "0014005000000000000000005002ffff00000000",
	     1);
	assert_int_equal(ics_count_get(&r->c.class[ICS_CLASS_ip4_other]), 1);
	feed(r,
	     ETHER "88a80064"
		   "8100000a"
		   "8847"
		   "00011140"
		   "00",
	     1);
	assert_int_equal(ics_count_get(&r->c.encap[ICS_ENCAP_COUNT_qinq]), 1);
	assert_int_equal(ics_count_get(&r->c.encap[ICS_ENCAP_COUNT_vlan]), 0);
	assert_int_equal(ics_count_get(&r->c.encap[ICS_ENCAP_COUNT_mpls]), 1);
	check_conservation(r);
	free(r);
}

/* A hop limit of 64 breaks one rule; the fixture's checksums are wrong throughout. */
#define NS_HL64                                                                                                        \
	ETHER "86dd"                                                                                                   \
	      "60000000"                                                                                               \
	      "0018"                                                                                                   \
	      "3a"                                                                                                     \
	      "40"                                                                                                     \
	      "fe800000000000000000000000000001" ALL_NODES "8700000000000000fe800000000000000000000000000001"

static void
test_a_rule_keeps_its_times_and_first_frame(void **state)
{
	struct ics_count_snapshot s = {0};
	struct rig *r = rig_new();
	struct ics_view v;
	uint8_t b[256];
	uint32_t wire_len, n = bytes_of(NS_HL64, b);

	v = ics_count_exemplar(&r->c, ICS_REASON_nd_hop_limit, &wire_len);
	assert_int_equal(v.len, 0);
	assert_int_equal(wire_len, 0);
	r->in.fold = ics_fold_init(NULL);
	feed(r, NS, 500);
	feed(r, NS_HL64, 1000);
	feed(r, NS_HL64, 2000); /* a copy */
	feed(r, NS_HL64 "00", 3000);
	ics_count_snapshot_add(&s, &r->c);
	assert_int_equal(s.reason[ICS_REASON_nd_hop_limit], 3);
	assert_int_equal(s.reason_first_ns[ICS_REASON_nd_hop_limit], 1000);
	assert_int_equal(s.reason_last_ns[ICS_REASON_nd_hop_limit], 3000);
	assert_int_equal(s.reason_first_ns[ICS_REASON_icmp6_checksum], 500);
	assert_int_equal(s.reason_first_ns[ICS_REASON_nd_code], 0);
	v = ics_count_exemplar(&r->c, ICS_REASON_nd_hop_limit, &wire_len);
	assert_int_equal(v.len, n);
	assert_int_equal(wire_len, n);
	assert_memory_equal(v.p, b, n);
	/* two workers: the earliest and the latest */
	ics_count_reason(&r->c, ICS_REASON_nd_code, 7, b, sizeof(b), 1000);
	ics_count_snapshot_add(&s, &r->c);
	assert_int_equal(s.reason_first_ns[ICS_REASON_nd_hop_limit], 1000);
	assert_int_equal(s.reason[ICS_REASON_nd_hop_limit], 6);
	v = ics_count_exemplar(&r->c, ICS_REASON_nd_code, &wire_len);
	assert_int_equal(v.len, ICS_EXEMPLAR_MAX);
	assert_int_equal(wire_len, 1000);
	ics_fold_free(r->in.fold);
	free(r);
}

/* An echo request whose checksum field is the pseudo-header's sum (partial) or another value, from MAC ..:mac. */
static void
feed_echo(struct rig *r, unsigned mac, unsigned id, const char *checksum)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "333300000001"
		 "00005e0053%02x"
		 "86dd" IP6("0008", "3a", HOST) "8000"
						"%s"
						"%04x0000",
		 mac, checksum, id);
	feed(r, text, 1);
}

static void
test_unfinished_checksums_are_forgiven_once_the_sender_is_known(void **state)
{
	/* fe80::1 + fe80::10 + length 8 + next header 58, folded; not complemented */
	const char *const partial = "fd54";
	struct rig *r = rig_new();

	for (unsigned i = 0; i < 19; i++)
		feed_echo(r, 1, i, partial);
	assert_int_equal(ics_count_get(&r->c.reason[ICS_REASON_icmp6_checksum]), 19);
	for (unsigned i = 0; i < 100; i++)
		feed_echo(r, 1, i, partial);
	assert_int_equal(ics_count_get(&r->c.reason[ICS_REASON_icmp6_checksum]), 19);
	assert_int_equal(r->in.offload.forgiven, 100);
	/* ICMPv4 has no pseudo-header, and a good message of another sender is none of its business */
	feed(r,
	     "333300000001"
	     "00005e005301"
	     "0800"
	     "4500001c000000004001f6ddc0000201c0000202"
	     "0304000000000578",
	     1);
	feed_echo(r, 9, 1, "1234");
	assert_int_equal(ics_count_get(&r->c.reason[ICS_REASON_icmp6_checksum]), 20);
	/* another sender is judged, and one plainly wrong sum ends the leniency */
	feed_echo(r, 2, 1, partial);
	assert_int_equal(ics_count_get(&r->c.reason[ICS_REASON_icmp6_checksum]), 21);
	feed_echo(r, 1, 1, "1234");
	feed_echo(r, 1, 2, partial);
	assert_int_equal(ics_count_get(&r->c.reason[ICS_REASON_icmp6_checksum]), 23);
	free(r);
}

/* One unfinished sum in twenty good messages or more is an accident, not an offload. */
static void
test_a_rare_unfinished_checksum_is_judged(void **state)
{
	struct rig *r = rig_new();
	char good[8];

	for (unsigned i = 0; i < 2000; i++) {
		/* type and code, pseudo-header and id, summed up and complemented */
		uint32_t sum = 0x8000 + 0xfd54 + i;

		sum = (sum & 0xffff) + (sum >> 16);
		snprintf(good, sizeof(good), "%04x", ~sum & 0xffff);
		feed_echo(r, 1, i, i % 50 == 0 ? "fd54" : good);
	}
	assert_int_equal(ics_count_get(&r->c.reason[ICS_REASON_icmp6_checksum]), 40);
	assert_int_equal(r->in.offload.forgiven, 0);
	free(r);
}

static void
test_names(void **state)
{
	for (unsigned c = 0; c < ICS_CLASS_COUNT; c++) {
		assert_int_equal(ics_class_find(ics_class_name(c)), c);
		assert_true(strlen(ics_class_text(c)) > 0);
	}
	assert_null(ics_class_name(ICS_CLASS_COUNT));
	assert_null(ics_class_text(ICS_CLASS_COUNT));
	assert_int_equal(ics_class_find("nd"), -ENOENT);
	for (unsigned i = 0; i < ICS_ENCAP_COUNT_COUNT; i++)
		assert_non_null(ics_encap_count_name(i));
	assert_null(ics_encap_count_name(ICS_ENCAP_COUNT_COUNT));
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		assert_non_null(ics_drop_name(i));
	assert_null(ics_drop_name(ICS_DROP_COUNT));
	assert_true(ics_class_is_nd(ICS_CLASS_nd_rs));
	assert_false(ics_class_is_nd(ICS_CLASS_mld2_report));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_every_drop_is_counted_by_cause_and_class),
		cmocka_unit_test(test_folded_copies_are_conserved),
		cmocka_unit_test(test_copies_wait_while_the_ring_is_full),
		cmocka_unit_test(test_a_message_that_was_never_taken_is_new),
		cmocka_unit_test(test_copies_that_are_refused_keep_their_slots),
		cmocka_unit_test(test_a_full_cache_loses_nothing),
		cmocka_unit_test(test_without_a_sink_it_only_counts),
		cmocka_unit_test(test_what_the_frame_hash_covers),
		cmocka_unit_test(test_a_burst_counts_frames_bytes_and_snapshots),
		cmocka_unit_test(test_a_rule_keeps_its_times_and_first_frame),
		cmocka_unit_test(test_unfinished_checksums_are_forgiven_once_the_sender_is_known),
		cmocka_unit_test(test_a_rare_unfinished_checksum_is_judged),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
