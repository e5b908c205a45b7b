/* The TCP sampler through the fast half: what it tells of flows, what it holds its tongue about, and which flows it says
 * were seen.
 */
#include "test_common.h"

#define MS 1000000ull
#define S (1000 * MS)
#define T0 (1700000000 * S)
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define TOLD_MAX 4096

struct bed {
	struct ics_inspect in;
	struct ics_counters counters;
	struct ics_sampler *sampler;
	struct ics_samplers set;
	uint64_t now;
	unsigned n, room; /* records told; how many more find room */
	struct ics_sample told[TOLD_MAX];
	struct ics_record rec[TOLD_MAX];
	unsigned control;
};

static int
take(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *bytes)
{
	struct bed *b = ctx;
	struct ics_view frame;

	if (!ics_record_is_sample(rec)) {
		b->control++;
		return 0;
	}
	assert_int_equal(lane, ICS_LANE_SAMPLE);
	if (b->room == 0)
		return -1;
	b->room--;
	assert_true(b->n < TOLD_MAX);
	assert_true(ics_sample_parse(rec, (struct ics_view){bytes, rec->cap_len}, &b->told[b->n], &frame));
	assert_int_equal(frame.len, rec->cap_len - sizeof(struct ics_sample));
	b->rec[b->n++] = *rec;
	return 0;
}

static struct bed *
bed_new(const struct ics_sample_conf *conf)
{
	struct ics_sample_conf c = {.filter_bits = 1u << 20, .link_mtu = 1500, .seed = 77};
	struct bed *b = aligned_alloc(64, (sizeof(*b) + 63) & ~63ul);

	assert_non_null(b);
	memset(b, 0, sizeof(*b));
	b->room = UINT32_MAX;
	b->now = T0;
	b->sampler = ics_sampler_init(conf != NULL ? conf : &c, NULL);
	assert_non_null(b->sampler);
	b->set = (struct ics_samplers){1, {b->sampler}};
	b->in = (struct ics_inspect){.validate = {1500},
				     .counters = &b->counters,
				     .sink = {.push = take, .ctx = b},
				     .sampler = b->sampler,
				     .seed = 5,
				     .port = 3,
				     .queue = 2};
	ics_inspect_init(&b->in);
	return b;
}

/* Every frame has one class, and every control message was handed over, whatever samples there were. */
static void
bed_free(struct bed *b)
{
	struct ics_count_snapshot c = {0};
	uint64_t classes = 0;

	ics_count_snapshot_add(&c, &b->counters);
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		classes += c.class[i];
	assert_int_equal(classes, c.frames);
	assert_int_equal(c.control, c.delivered);
	assert_int_equal(c.records, b->control);
	assert_int_equal(c.sampled, b->n);
	ics_sampler_free(b->sampler);
	free(b);
}

/* A packet of a flow between host 1 and far end 2 (or as far says), client port `port`. */
struct tcp {
	bool v6, from_far, df0, more_fragments;
	uint8_t flags, proto;
	uint16_t port, len, window, mss, vlan; /* len: of the IP packet, 0: headers alone */
	uint32_t seq, ack;
	uint32_t sack_left, sack_right;
	uint8_t host;
	uint32_t snap;
};

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static void
send(struct bed *b, const struct tcp *t)
{
	static uint8_t buf[66000];
	uint32_t l3 = t->vlan != 0 ? 18 : 14, ihl = t->v6 ? 40 : 20, l4 = l3 + ihl, doff = 20, len;
	uint8_t *p = buf, mac_host = 1, mac_far = 9;
	struct ics_frame f;

	memset(buf, 0, 2000);
	memcpy(p, (uint8_t[]){2, 0, 0, 0, 0, t->from_far ? mac_host : mac_far}, 6);
	memcpy(p + 6, (uint8_t[]){2, 0, 0, 0, 0, t->from_far ? mac_far : mac_host}, 6);
	if (t->vlan != 0) {
		put16(p + 12, 0x8100);
		put16(p + 14, t->vlan);
	}
	put16(p + l3 - 2, t->v6 ? 0x86dd : 0x0800);
	if (t->mss != 0) {
		memcpy(p + l4 + doff, (uint8_t[]){1, 1, 2, 4}, 4); /* filler first */
		put16(p + l4 + doff + 4, t->mss);
		doff += 8;
	}
	if (t->sack_right != 0) {
		memcpy(p + l4 + doff, (uint8_t[]){1, 1, 5, 10}, 4);
		put32(p + l4 + doff + 4, t->sack_left);
		put32(p + l4 + doff + 8, t->sack_right);
		doff += 12;
	}
	len = t->len != 0 ? t->len : ihl + doff;
	if (t->v6) {
		p[l3] = 0x60;
		put16(p + l3 + 4, len - 40);
		p[l3 + 6] = t->proto != 0 ? t->proto : 6;
		p[l3 + 8] = p[l3 + 24] = 0x20;
		p[l3 + 9] = p[l3 + 25] = 0x01;
		p[l3 + (t->from_far ? 39 : 23)] = t->host != 0 ? t->host : 1;
		p[l3 + (t->from_far ? 23 : 39)] = 2;
	} else {
		p[l3] = 0x45;
		put16(p + l3 + 2, len);
		p[l3 + 6] = (t->df0 ? 0 : 0x40) | (t->more_fragments ? 0x20 : 0);
		p[l3 + 9] = t->proto != 0 ? t->proto : 6;
		memcpy(p + l3 + (t->from_far ? 16 : 12), (uint8_t[]){10, 0, 0, t->host != 0 ? t->host : 1}, 4);
		memcpy(p + l3 + (t->from_far ? 12 : 16), (uint8_t[]){192, 0, 2, 2}, 4);
	}
	put16(p + l4 + (t->from_far ? 2 : 0), t->port != 0 ? t->port : 40000);
	put16(p + l4 + (t->from_far ? 0 : 2), 443);
	put32(p + l4 + 4, t->seq);
	put32(p + l4 + 8, t->ack);
	p[l4 + 12] = (uint8_t)(doff / 4 << 4);
	p[l4 + 13] = t->flags;
	put16(p + l4 + 14, t->window != 0 ? t->window : 1000);
	f = (struct ics_frame){.data = buf,
			       .wire_len = l3 + len < 60 ? 60 : l3 + len,
			       .stripped_tci = ICS_VLAN_NONE,
			       .link = ICS_LINK_ETHERNET};
	f.cap_len = t->snap != 0 && t->snap < f.wire_len ? t->snap : f.wire_len;
	ics_inspect_burst(&b->in, &f, 1, b->now);
}

/* n-th record of a kind, counted from 0; NULL: there are fewer. */
static const struct ics_sample *
told(const struct bed *b, enum ics_sample_kind kind, unsigned n)
{
	for (unsigned i = 0; i < b->n; i++)
		if (b->told[i].kind == kind && n-- == 0)
			return &b->told[i];
	return NULL;
}

static unsigned
count(const struct bed *b, enum ics_sample_kind kind)
{
	unsigned n = 0;

	while (told(b, kind, n) != NULL)
		n++;
	return n;
}

/* SYN, SYN and ACK, ACK, and 400 octets that are acknowledged; the host is at 1401 then, the far end at 5001. */
static void
open_flow(struct bed *b, struct tcp t)
{
	uint16_t mss = t.v6 ? 1440 : 1460, port = t.port;
	uint8_t host = t.host;
	bool v6 = t.v6;

	send(b, &(struct tcp){.v6 = v6, .host = host, .port = port, .flags = SYN, .seq = 1000, .mss = mss});
	send(b, &(struct tcp){.v6 = v6,
			      .host = host,
			      .port = port,
			      .from_far = true,
			      .flags = SYN | ACK,
			      .seq = 5000,
			      .ack = 1001,
			      .mss = 1400});
	send(b, &(struct tcp){.v6 = v6, .host = host, .port = port, .flags = ACK, .seq = 1001, .ack = 5001});
	send(b, &(struct tcp){.v6 = v6,
			      .host = host,
			      .port = port,
			      .flags = ACK,
			      .seq = 1001,
			      .ack = 5001,
			      .len = v6 ? 460 : 440});
	send(b,
	     &(struct tcp){
		     .v6 = v6, .host = host, .port = port, .from_far = true, .flags = ACK, .seq = 5001, .ack = 1401});
}

static void
test_syn_tells_mss_of_both(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct bed *b = bed_new(NULL);
		const struct ics_sample *m;

		open_flow(b, (struct tcp){.v6 = v6});
		assert_int_equal(count(b, ICS_SAMPLE_SYN), 2);
		m = told(b, ICS_SAMPLE_SYN, 0);
		assert_int_equal(m->mss, v6 ? 1440 : 1460);
		assert_int_equal(m->peer_mss, 0);
		assert_int_equal(m->sport, 40000);
		assert_int_equal(m->dport, 443);
		assert_int_equal(m->src.b[15], 1);
		assert_int_equal(m->dst.b[15], 2);
		assert_int_equal(ics_ip6_is_v4mapped(m->src.b), !v6);
		assert_int_equal(m->smac.b[5], 1);
		assert_int_equal(m->flags & ICS_SAMPLE_IP6, v6 ? ICS_SAMPLE_IP6 : 0);
		m = told(b, ICS_SAMPLE_SYN, 1);
		assert_int_equal(m->mss, 1400);
		assert_int_equal(m->peer_mss, v6 ? 1440 : 1460);
		assert_int_equal(m->src.b[15], 2);
		assert_true(m->flags & ICS_SAMPLE_HANDSHAKE);
		assert_int_equal(b->rec[0].port, 3);
		assert_int_equal(b->rec[0].ts_ns, T0);
		bed_free(b);
	}
}

/* E3: 1500 octets again at 1, 3 and 7 s, 400 acknowledged. */
static void
test_full_size_segment_again_and_again(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		static const unsigned at[] = {1, 3, 7};
		struct bed *b = bed_new(NULL);
		const struct ics_sample *m;

		open_flow(b, (struct tcp){.v6 = v6});
		for (unsigned i = 0; i < 4; i++) {
			b->now = T0 + (i == 0 ? 100 * MS : at[i - 1] * S);
			send(b, &(struct tcp){.v6 = v6, .flags = ACK, .seq = 1401, .ack = 5001, .len = 1500});
			/* a copy that the tap made is none that was sent */
			b->now += MS;
			send(b, &(struct tcp){.v6 = v6, .flags = ACK, .seq = 1401, .ack = 5001, .len = 1500});
			send(b, &(struct tcp){.v6 = v6, .from_far = true, .flags = ACK, .seq = 5001, .ack = 1401});
		}
		assert_int_equal(count(b, ICS_SAMPLE_RETX), 3);
		m = told(b, ICS_SAMPLE_RETX, 2);
		assert_int_equal(m->n, 3);
		assert_int_equal(m->len, 1500);
		assert_int_equal(m->seq, 1401);
		assert_int_equal(m->acked_len, v6 ? 460 : 440);
		assert_in_range(m->lasted_ms, 6800, 6950);
		assert_int_equal(m->flags & (ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_PEER_HEARD |
					     ICS_SAMPLE_DF),
				 ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_PEER_HEARD | ICS_SAMPLE_DF);
		assert_int_equal(count(b, ICS_SAMPLE_SUM), 0);
		send(b, &(struct tcp){.v6 = v6, .from_far = true, .flags = RST, .seq = 5001});
		m = told(b, ICS_SAMPLE_END, 0);
		assert_non_null(m);
		assert_true(m->flags & ICS_SAMPLE_RST);
		assert_int_equal(m->n, 3);
		assert_int_equal(m->src.b[15], 1);
		bed_free(b);
	}
}

static void
test_shrinking_gives_both_bounds(void **state)
{
	struct bed *b = bed_new(NULL);
	const struct ics_sample *m;

	open_flow(b, (struct tcp){0});
	for (unsigned i = 0; i < 3; i++) {
		send(b, &(struct tcp){.flags = ACK, .seq = 1401, .ack = 5001, .len = 1500});
		b->now += S;
	}
	send(b, &(struct tcp){.flags = ACK, .seq = 1401, .ack = 5001, .len = 1064});
	assert_null(told(b, ICS_SAMPLE_SHRUNK, 0));
	send(b, &(struct tcp){.from_far = true, .flags = ACK, .seq = 5001, .ack = 1401 + 1024});
	m = told(b, ICS_SAMPLE_SHRUNK, 0);
	assert_non_null(m);
	assert_int_equal(m->len, 1500);
	assert_int_equal(m->shrunk_len, 1064);
	assert_int_equal(m->acked_len, 1064);
	assert_int_equal(m->n, 2);
	assert_int_equal(count(b, ICS_SAMPLE_RETX), 2);
	bed_free(b);
}

static void
test_progress_is_told_once_a_minute(void **state)
{
	struct bed *b = bed_new(NULL);
	const struct ics_sample *m;
	uint32_t seq = 1401;

	open_flow(b, (struct tcp){0});
	for (unsigned i = 0; i < 200; i++) {
		b->now += S;
		send(b, &(struct tcp){.flags = ACK, .seq = seq, .ack = 5001, .len = i < 100 ? 1492 : 1400});
		seq += i < 100 ? 1452 : 1360;
		send(b, &(struct tcp){.from_far = true, .flags = ACK, .seq = 5001, .ack = seq});
	}
	m = told(b, ICS_SAMPLE_SUM, 0);
	assert_non_null(m);
	assert_int_equal(m->acked_len, 1492);
	assert_int_equal(m->max_len, 1492);
	assert_true(m->flags & ICS_SAMPLE_FULL_ACKED);
	assert_true(m->flags & ICS_SAMPLE_DF);
	assert_in_range(count(b, ICS_SAMPLE_SUM), 4, 9);
	/* what it sends now, not what it once sent */
	m = told(b, ICS_SAMPLE_SUM, count(b, ICS_SAMPLE_SUM) - 1);
	assert_int_equal(m->max_len, 1400);
	assert_int_equal(count(b, ICS_SAMPLE_RETX), 0);
	bed_free(b);
}

/* What may be fragmented, or is no packet of a link, is not lost for its length. */
static void
test_df_and_offload(void **state)
{
	static const struct tcp how[] = {
		{.df0 = true, .len = 1500},  {.len = 32000, .snap = 128},
		{.len = 65000, .snap = 128}, {.len = 560},
		{.v6 = true, .len = 1280},   {.more_fragments = true, .len = 1500},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(how); i++) {
		struct bed *b = bed_new(NULL);
		struct tcp t = how[i];

		open_flow(b, (struct tcp){.v6 = t.v6});
		t.flags = ACK;
		t.seq = 1401;
		t.ack = 5001;
		for (unsigned k = 0; k < 5; k++) {
			send(b, &t);
			b->now += 2 * S;
		}
		if (count(b, ICS_SAMPLE_RETX) != 0)
			fail_msg("row %u is told", i);
		bed_free(b);
	}
}

static void
test_snapped_frames_have_lengths_of_their_headers(void **state)
{
	struct bed *b = bed_new(NULL);

	open_flow(b, (struct tcp){0});
	for (unsigned k = 0; k < 3; k++) {
		send(b, &(struct tcp){.flags = ACK, .seq = 1401, .ack = 5001, .len = 1500, .snap = 60});
		b->now += S;
	}
	assert_int_equal(count(b, ICS_SAMPLE_RETX), 2);
	assert_int_equal(told(b, ICS_SAMPLE_RETX, 1)->len, 1500);
	bed_free(b);
}

/* Congestion: what follows the lost segment arrives, and is as long. */
static void
test_sack_tells_congestion(void **state)
{
	for (unsigned small = 0; small < 2; small++) {
		struct bed *b = bed_new(NULL);
		const struct ics_sample *m;

		open_flow(b, (struct tcp){0});
		for (unsigned k = 0; k < 3; k++) {
			send(b, &(struct tcp){.flags = ACK, .seq = 1401, .ack = 5001, .len = 1500});
			send(b, &(struct tcp){.from_far = true,
					      .flags = ACK,
					      .seq = 5001,
					      .ack = 1401,
					      .sack_left = 2861,
					      .sack_right = small ? 2961 : 4321});
			b->now += S;
		}
		m = told(b, ICS_SAMPLE_RETX, 1);
		assert_non_null(m);
		assert_int_equal(m->flags & (ICS_SAMPLE_SACK_FULL | ICS_SAMPLE_SACK_SMALL),
				 small ? ICS_SAMPLE_SACK_SMALL : ICS_SAMPLE_SACK_FULL);
		bed_free(b);
	}
}

static void
test_one_direction_alone_is_said(void **state)
{
	struct bed *b = bed_new(NULL);
	const struct ics_sample *m;

	for (unsigned k = 0; k < 4; k++) {
		send(b, &(struct tcp){.flags = ACK, .seq = 1401, .ack = 5001, .len = 1500});
		b->now += S;
	}
	m = told(b, ICS_SAMPLE_RETX, 2);
	assert_non_null(m);
	assert_int_equal(m->flags & (ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_HANDSHAKE), 0);
	assert_int_equal(m->acked_len, 0);
	bed_free(b);
}

/* A router's two legs in two VLANs: each packet comes past twice, and is no other flow's copy. */
static void
test_two_legs(void **state)
{
	struct bed *b = bed_new(NULL);
	uint32_t seq = 1401;

	for (unsigned k = 0; k < 5; k++) {
		send(b, &(struct tcp){.vlan = 10, .flags = ACK, .seq = seq, .ack = 5001, .len = 1500});
		b->now += 100 * MS; /* slow router */
		send(b, &(struct tcp){.vlan = 20, .flags = ACK, .seq = seq, .ack = 5001, .len = 1500});
		b->now += 100 * MS;
		seq += 1460;
		send(b, &(struct tcp){.vlan = 20, .from_far = true, .flags = ACK, .seq = 5001, .ack = seq});
		send(b, &(struct tcp){.vlan = 10, .from_far = true, .flags = ACK, .seq = 5001, .ack = seq});
	}
	assert_int_equal(count(b, ICS_SAMPLE_RETX), 0);
	assert_int_equal(count(b, ICS_SAMPLE_SUM), 2);
	assert_int_equal(b->rec[b->n - 1].vlan_outer, 10);
	bed_free(b);
}

static void
test_hostdata_once_a_minute(void **state)
{
	struct bed *b = bed_new(NULL);
	const struct ics_sample *m;

	for (unsigned k = 0; k < 100; k++) {
		send(b, &(struct tcp){.proto = 17, .len = 100, .v6 = true});
		b->now += 100 * MS;
	}
	assert_int_equal(count(b, ICS_SAMPLE_HOSTDATA), 1);
	m = told(b, ICS_SAMPLE_HOSTDATA, 0);
	assert_int_equal(m->smac.b[5], 1);
	assert_int_equal(m->src.b[15], 1);
	assert_int_equal(m->len, 100);
	b->now += 61 * S;
	send(b, &(struct tcp){.proto = 17, .len = 100, .v6 = true});
	assert_int_equal(count(b, ICS_SAMPLE_HOSTDATA), 2);
	bed_free(b);
}

/* Many stations do not push each other out of the table that remembers who was told. */
static void
test_hostdata_of_many(void **state)
{
	struct bed *b = bed_new(NULL);

	b->now = (b->now / (60 * S) + 1) * 60 * S;
	b->room = TOLD_MAX;
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 1500; i++)
			send(b, &(struct tcp){.proto = 17, .len = 100, .vlan = 1 + i % 10, .host = 1 + i / 10});
		b->now += 1200 * MS;
	}
	assert_int_equal(ics_count_get(&b->counters.sampled) + ics_count_get(&b->counters.sample_dropped), 1500);
	bed_free(b);
}

static struct ics_flow
flow_of(uint8_t host, uint16_t port, uint8_t proto)
{
	struct ics_flow f = {.sport = port, .dport = 443, .proto = proto};

	f.src = ics_ip_from4((uint8_t[]){10, 0, 0, host});
	f.dst = ics_ip_from4((uint8_t[]){192, 0, 2, 2});
	return f;
}

static void
test_flows_seen(void **state)
{
	struct ics_flow tcp = flow_of(1, 40000, 6), udp = flow_of(1, 40001, 17), never = flow_of(1, 40002, 6),
			back = tcp;
	struct bed *b = bed_new(NULL);

	assert_int_equal(ics_sample_flow_seen(NULL, &tcp), ICS_FLOW_NOT_ASSESSED);
	send(b, &(struct tcp){.flags = ACK, .len = 60});
	send(b, &(struct tcp){.port = 40001, .proto = 17, .len = 60});
	assert_int_equal(ics_sample_flow_seen(&b->set, &tcp), ICS_FLOW_SEEN);
	assert_int_equal(ics_sample_flow_seen(&b->set, &udp), ICS_FLOW_SEEN);
	/* the tap has just begun */
	assert_int_equal(ics_sample_flow_seen(&b->set, &never), ICS_FLOW_NOT_ASSESSED);
	b->now += 20 * S;
	ics_inspect_idle(&b->in, b->now);
	assert_int_equal(ics_sample_flow_seen(&b->set, &never), ICS_FLOW_NOT_SEEN);
	assert_int_equal(ics_sample_flow_seen(&b->set, &tcp), ICS_FLOW_SEEN);
	back.src = tcp.dst;
	back.dst = tcp.src;
	back.sport = tcp.dport;
	back.dport = tcp.sport;
	assert_int_equal(ics_sample_flow_seen(&b->set, &back), ICS_FLOW_SEEN);
	udp.proto = 6;
	assert_int_equal(ics_sample_flow_seen(&b->set, &udp), ICS_FLOW_NOT_SEEN);
	/* five minutes later it was seen, after ten it was not */
	b->now += 290 * S;
	ics_inspect_idle(&b->in, b->now);
	assert_int_equal(ics_sample_flow_seen(&b->set, &tcp), ICS_FLOW_SEEN);
	b->now += 310 * S;
	ics_inspect_idle(&b->in, b->now);
	assert_int_equal(ics_sample_flow_seen(&b->set, &tcp), ICS_FLOW_NOT_SEEN);
	bed_free(b);
}

/* A busy flow stays seen through every turn of the filters. */
static void
test_busy_flow_survives_rotation(void **state)
{
	struct ics_flow tcp = flow_of(1, 40000, 6);
	struct bed *b = bed_new(NULL);

	for (unsigned i = 0; i < 2000; i++) {
		send(b, &(struct tcp){.flags = ACK, .len = 60});
		assert_int_equal(ics_sample_flow_seen(&b->set, &tcp), ICS_FLOW_SEEN);
		b->now += S;
	}
	bed_free(b);
}

static void
test_full_filter_is_not_sure(void **state)
{
	struct ics_sample_conf c = {.filter_bits = ICS_SAMPLE_FILTER_MIN, .link_mtu = 1500, .seed = 3};
	struct ics_flow never = flow_of(200, 1, 6);
	struct bed *b = bed_new(&c);

	for (unsigned i = 0; i < 60000; i++) {
		send(b, &(struct tcp){
				.port = (uint16_t)(1 + i), .host = (uint8_t)(1 + i / 30000), .proto = 17, .len = 60});
		b->now += MS;
	}
	assert_int_not_equal(ics_sample_flow_seen(&b->set, &never), ICS_FLOW_NOT_SEEN);
	bed_free(b);
}

/* Every flow while there is room; then one in so many, and those that are watched. */
static void
test_sampling_follows_the_number_of_flows(void **state)
{
	struct ics_known *watch = calloc(1, sizeof(*watch));
	struct ics_sample_conf c = {.filter_bits = 1u << 24, .link_mtu = 1500, .seed = 3, .watch = watch};
	struct ics_ip host = ics_ip_from4((uint8_t[]){10, 0, 0, 222}), far = ics_ip_from4((uint8_t[]){192, 0, 2, 2});
	struct bed *b = bed_new(&c);
	struct ics_sampler_stats s;
	unsigned before;

	assert_non_null(watch);
	assert_int_equal(ics_known_insert(watch, ics_sample_watch_hash(watch, &far, &host)), 0);
	b->room = 0; /* flows count, not what is told */
	ics_sampler_stats(b->sampler, &s);
	assert_int_equal(s.one_in, 1);
	for (unsigned i = 0; i < 60000; i++)
		send(b, &(struct tcp){.port = (uint16_t)(1 + i % 50000),
				      .host = (uint8_t)(1 + i / 50000),
				      .flags = ACK,
				      .len = 1400});
	ics_sampler_stats(b->sampler, &s);
	assert_in_range(s.flows, 50000, 60000);
	for (unsigned i = 0; i < 8; i++) {
		b->now += 2 * S;
		send(b, &(struct tcp){.flags = ACK, .len = 60});
	}
	ics_sampler_stats(b->sampler, &s);
	assert_int_equal(s.one_in, 256);
	before = (unsigned)s.flows;
	b->room = UINT32_MAX;
	for (unsigned i = 0; i < 1024; i++)
		send(b, &(struct tcp){.port = (uint16_t)(1 + i), .host = 100, .flags = ACK, .len = 1400});
	ics_sampler_stats(b->sampler, &s);
	assert_in_range(s.flows, before, before + 20);
	before = b->n;
	send(b, &(struct tcp){.host = 222, .flags = SYN, .mss = 1460});
	assert_int_equal(b->told[b->n - 1].kind, ICS_SAMPLE_SYN);
	assert_true(b->told[b->n - 1].flags & ICS_SAMPLE_SAMPLED);
	/* idle flows go, and there is room for all again */
	b->now += 130 * S;
	for (unsigned i = 0; i < 300; i++) {
		b->now += 2 * S;
		send(b, &(struct tcp){.flags = ACK, .len = 60});
	}
	ics_sampler_stats(b->sampler, &s);
	assert_true(s.flows < 10);
	assert_int_equal(s.one_in, 1);
	bed_free(b);
	free(watch);
}

/* More flows than fit into a set of the table: none is pushed out that is at work, and that is counted. */
static void
test_full_table_refuses(void **state)
{
	struct ics_sample_conf c = {.every = 1, .filter_bits = 1u << 24, .link_mtu = 1500, .seed = 3};
	struct bed *b = bed_new(&c);
	struct ics_sampler_stats s;

	b->room = 0;
	for (unsigned i = 0; i < 150000; i++)
		send(b, &(struct tcp){.port = (uint16_t)(1 + i % 50000),
				      .host = (uint8_t)(1 + i / 50000),
				      .flags = ACK,
				      .len = 1400});
	ics_sampler_stats(b->sampler, &s);
	assert_in_range(s.flows, 60000, ICS_SAMPLE_FLOWS);
	assert_true(s.flows_refused > 10000);
	assert_int_equal(s.flows + s.flows_refused, 150000);
	bed_free(b);
}

/* No room for samples: they are counted, and no control message is lost for them (bed_free() checks). */
static void
test_full_ring_drops_samples_alone(void **state)
{
	struct bed *b = bed_new(NULL);
	struct packet ns = base_packet(BASE_ns);
	struct ics_frame f = {.data = ns.b, .cap_len = ns.len, .wire_len = ns.len, .stripped_tci = ICS_VLAN_NONE};

	b->room = 2;
	open_flow(b, (struct tcp){0});
	ics_inspect_burst(&b->in, &f, 1, b->now);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->control, 1);
	assert_int_equal(ics_count_get(&b->counters.sample_dropped), 2);
	bed_free(b);
}

/* Whatever the bytes are: every frame is counted, and what is told can be read (take() checks). */
static void
test_hostile_bytes(void **state)
{
	struct bed *b = bed_new(NULL);
	uint64_t x = 88172645463325252ull;
	uint8_t *p;

	for (unsigned i = 0; i < 20000; i++) {
		uint32_t len = 54 + (uint32_t)(x % 80);
		struct ics_frame f = {
			.cap_len = len, .wire_len = len + (x >> 20) % 9000, .stripped_tci = ICS_VLAN_NONE};

		/* memory of exactly that length, for sanitizers */
		p = malloc(len);
		assert_non_null(p);
		for (uint32_t k = 0; k < len; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			p[k] = (uint8_t)x;
		}
		put16(p + 12, i & 1 ? 0x0800 : i & 2 ? 0x86dd : 0x8100);
		if (i % 4 == 2)
			put16(p + 16, 0x0800);
		p[i % 4 == 2 ? 18 : 14] = i & 1 ? 0x45 : i & 2 ? 0x60 : 0x45;
		if (i & 1) {
			p[23] = i & 4 ? 6 : p[23];
			put16(p + 16, (uint32_t)(x >> 8) % (f.wire_len - 14 + 10));
			p[20] = 0x40;
		} else {
			p[20] = 6;
			put16(p + 18, (uint32_t)(x >> 8) % (f.wire_len - 54 + 10));
		}
		f.data = p;
		ics_inspect_burst(&b->in, &f, 1, b->now);
		b->now += (x >> 32) % (100 * MS);
		if (b->n > TOLD_MAX - 16) {
			atomic_store(&b->counters.sampled, 0);
			b->n = 0;
		}
		free(p);
	}
	bed_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syn_tells_mss_of_both),
		cmocka_unit_test(test_full_size_segment_again_and_again),
		cmocka_unit_test(test_shrinking_gives_both_bounds),
		cmocka_unit_test(test_progress_is_told_once_a_minute),
		cmocka_unit_test(test_df_and_offload),
		cmocka_unit_test(test_snapped_frames_have_lengths_of_their_headers),
		cmocka_unit_test(test_sack_tells_congestion),
		cmocka_unit_test(test_one_direction_alone_is_said),
		cmocka_unit_test(test_two_legs),
		cmocka_unit_test(test_hostdata_once_a_minute),
		cmocka_unit_test(test_hostdata_of_many),
		cmocka_unit_test(test_flows_seen),
		cmocka_unit_test(test_busy_flow_survives_rotation),
		cmocka_unit_test(test_full_filter_is_not_sure),
		cmocka_unit_test(test_sampling_follows_the_number_of_flows),
		cmocka_unit_test(test_full_table_refuses),
		cmocka_unit_test(test_full_ring_drops_samples_alone),
		cmocka_unit_test(test_hostile_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
