/* Silent black holes in fake time: from what the TCP sampler tells, and from TCP frames through the sampler itself; what
 * looks alike and is none; what follows from one: advice, and the suspect filter.
 */
#include "test_pmtu.h"

#define SILENT "pmtu_blackhole_silent"
#define REPEAT "pmtu_blackhole_repeat"
#define ADVICE "pmtu_mss_advice"
#define ADMIN "unreach_admin_prohibited"
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define EVIDENCE (ICS_SAMPLE_DF | ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_PEER_HEARD)

static struct rig *
rig_on(void)
{
	struct rig *r = rig_new(NULL);

	rig_sample(r);
	return r;
}

/* A segment of 1500 octets that was sent again three times in seven seconds, while 440 arrive. */
static struct ics_sample
lost(unsigned flow, const char *host, const char *far)
{
	struct ics_sample s = {
		.kind = ICS_SAMPLE_RETX,
		.proto = ICS_PROTO_TCP,
		.flags = EVIDENCE,
		.sport = (uint16_t)(40000 + flow),
		.dport = 443,
		.src = ip_of(host),
		.dst = ip_of(far),
		.seq = 1401,
		.lasted_ms = 7000,
		.n = 3,
		.len = 1500,
		.acked_len = 440,
		.max_len = 1500,
		.mss = 1460,
		.peer_mss = 1460,
		.flow = 0x1000 + flow,
	};

	if (!ics_ip6_is_v4mapped(s.src.b)) {
		s.flags |= ICS_SAMPLE_IP6;
		s.mss = s.peer_mss = 1440;
	}
	return s;
}

static struct ics_sample
passed(unsigned flow, const char *host, const char *far, uint16_t len, uint16_t mss)
{
	struct ics_sample s = lost(flow, host, far);

	s.kind = ICS_SAMPLE_SUM;
	s.flags |= ICS_SAMPLE_FULL_ACKED;
	s.len = s.n = 0;
	s.acked_len = s.max_len = len;
	s.mss = s.peer_mss = mss;
	return s;
}

static const struct ics_hole *
hole_of(struct rig *r, const char *host, const char *far)
{
	struct ics_segment_key k = {.vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};
	struct ics_ip h = ip_of(host), f = ip_of(far);

	return ics_hole_find(ics_engine_model(r->engine), ics_path_context(&k), &h, &f, ICS_HOLE_SILENT);
}

/* Two hosts, one far network: a finding, and advice. */
static void
open_hole(struct rig *r, uint64_t at)
{
	struct ics_sample s = lost(1, HOST4, FAR4);

	feed_sample(r, &s, at);
	s = lost(2, "192.0.2.11", "198.51.100.10");
	feed_sample(r, &s, at + S);
	assert_finding(only(r, SILENT), SILENT, "path", "warn");
}

/* ---- from samples ---- */

static void
two_flows(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s = lost(1, HOST4, FAR4);
	const struct ics_anomaly *a;

	/* One flow alone is a suspicion, and no reason to clamp anything; the same again is no second one. */
	feed_sample(r, &s, T0);
	s.n = 4;
	s.lasted_ms = 15000;
	feed_sample(r, &s, T0 + 8 * S);
	a = only(r, SILENT);
	assert_finding(a, SILENT, "suspected", "info");
	assert_null(hole_of(r, HOST4, FAR4));
	assert_int_equal(count_of(r, ADVICE), 0);
	s = lost(2, HOST4, FAR4);
	s.acked_len = 1300;
	feed_sample(r, &s, T0 + 10 * S);
	a = only(r, SILENT);
	assert_finding(a, SILENT, "path", "warn");
	assert_string_equal(a->subject[0].key, "far_prefix");
	assert_string_equal(a->subject[0].text, "198.51.100.0/24");
	assert_string_equal(fact_text(a, "host"), HOST4);
	assert_string_equal(fact_text(a, "far"), FAR4);
	assert_int_equal(fact_value(a, "flows"), 2);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_int_equal(fact_value(a, "lost_len"), 1500);
	assert_int_equal(fact_value(a, "acked_len"), 1300);
	assert_int_equal(fact_value(a, "pmtu_low"), 1300);
	assert_int_equal(fact_value(a, "pmtu_high"), 1499);
	assert_int_equal(fact_value(a, "mss4"), 1260);
	assert_int_equal(fact_value(a, "mss6"), 1240);
	assert_non_null(strstr(a->says, "Permit ICMP 3/4"));
	assert_non_null(strstr(a->says, "clamp the TCP MSS to 1260"));
	/* Five are critical. */
	for (unsigned i = 3; i <= 5; i++) {
		s = lost(i, HOST4, FAR4);
		feed_sample(r, &s, T0 + (10 + i) * S);
	}
	assert_finding(only(r, SILENT), SILENT, "path", "critical");
	assert_int_equal(fact_value(only(r, SILENT), "flows"), 5);
	rig_free(r);
}

static void
five_minutes(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s = lost(1, HOST4, FAR4);

	feed_sample(r, &s, T0);
	s = lost(2, HOST4, FAR4);
	feed_sample(r, &s, T0 + 301 * S);
	assert_finding(only(r, SILENT), SILENT, "suspected", "info");
	rig_free(r);
}

/* Each of these takes away what makes it a black hole. */
static void
no_evidence(void **state)
{
	static const struct {
		const char *what;
		uint16_t set, clear;
		unsigned n, lasted_ms, acked_len, len;
	} cases[] = {
		{"congestion", ICS_SAMPLE_SACK_FULL, 0, 3, 7000, 440, 1500},
		{"zero window", ICS_SAMPLE_ZERO_WINDOW, 0, 3, 7000, 440, 1500},
		{"offload", ICS_SAMPLE_SUPER, 0, 3, 7000, 440, 1500},
		{"super-segment", 0, 0, 3, 7000, 440, 32000},
		{"may be fragmented", 0, ICS_SAMPLE_DF, 3, 7000, 440, 1500},
		{"one direction", 0, ICS_SAMPLE_BOTH_WAYS, 3, 7000, 440, 1500},
		{"no handshake", 0, ICS_SAMPLE_HANDSHAKE, 3, 7000, 440, 1500},
		{"dead peer", 0, ICS_SAMPLE_PEER_HEARD, 3, 7000, 440, 1500},
		{"nothing arrived", 0, 0, 3, 7000, 0, 1500},
		{"as long arrived", 0, 0, 3, 7000, 1500, 1500},
		{"twice", 0, 0, 2, 7000, 440, 1500},
		{"too fast", 0, 0, 3, 2999, 440, 1500},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(cases); i++) {
		struct rig *r = rig_on();

		for (unsigned f = 1; f <= 6; f++) {
			struct ics_sample s = lost(f, HOST4, FAR4);

			s.flags = (uint16_t)((s.flags | cases[i].set) & ~cases[i].clear);
			s.n = (uint16_t)cases[i].n;
			s.lasted_ms = cases[i].lasted_ms;
			s.acked_len = (uint16_t)cases[i].acked_len;
			s.len = (uint16_t)cases[i].len;
			feed_sample(r, &s, T0 + f * S);
		}
		if (count_of(r, SILENT) != 0)
			fail_msg("%s", cases[i].what);
		rig_free(r);
	}
}

/* What was selectively acknowledged behind the lost segment arrived, though nothing was acknowledged before it. */
static void
sack(void **state)
{
	struct rig *r = rig_on();

	for (unsigned f = 1; f <= 2; f++) {
		struct ics_sample s = lost(f, HOST4, FAR4);

		s.acked_len = 0;
		s.flags = (uint16_t)((s.flags | ICS_SAMPLE_SACK_SMALL) & ~ICS_SAMPLE_PEER_HEARD);
		feed_sample(r, &s, T0 + f * S);
	}
	assert_finding(only(r, SILENT), SILENT, "path", "warn");
	rig_free(r);
}

/* A router that spoke within 30 s, or since the segment was first sent, is no silence. */
static void
told(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s;

	feed_base(r, BASE_fragneeded, T0);
	for (unsigned f = 1; f <= 3; f++) {
		s = lost(f, HOST4, FAR4);
		feed_sample(r, &s, T0 + f * 9 * S);
	}
	/* The timer of a sender doubles: 31 s after the first try, 63 s. */
	for (unsigned f = 4; f <= 6; f++) {
		s = lost(f, HOST4, FAR4);
		s.n = 6;
		s.lasted_ms = 63000;
		feed_sample(r, &s, T0 + 32 * S + f * S);
	}
	assert_int_equal(count_of(r, SILENT), 0);
	for (unsigned f = 7; f <= 8; f++) {
		s = lost(f, HOST4, FAR4);
		feed_sample(r, &s, T0 + (30 + f) * S);
	}
	assert_int_equal(count_of(r, SILENT), 1);
	rig_free(r);
}

/* The sender tries what passes: proof by one flow, in steps. */
static void
confirmed(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s = lost(1, HOST4, FAR4);
	const struct ics_anomaly *a;

	s.kind = ICS_SAMPLE_SHRUNK;
	s.n = 2;
	s.shrunk_len = s.acked_len = 1064;
	feed_sample(r, &s, T0);
	a = only(r, SILENT);
	assert_finding(a, SILENT, "confirmed", "critical");
	assert_int_equal(fact_value(a, "pmtu_low"), 1064);
	assert_int_equal(fact_value(a, "pmtu_high"), 1499);
	assert_int_equal(fact_value(a, "shrunk_len"), 1064);
	assert_int_equal(hole_of(r, HOST4, FAR4)->mtu, 1064);
	assert_true(hole_of(r, HOST4, FAR4)->confirmed);
	a = only(r, ADVICE);
	assert_int_equal(fact_value(a, "mss4"), 1024);
	assert_int_equal(fact_value(a, "mss6"), 1004);
	/* 1400 vanished as well; then 1360 got through: advice follows. */
	s.len = 1400;
	s.shrunk_len = s.acked_len = 1240;
	feed_sample(r, &s, T0 + 60 * S);
	a = only(r, SILENT);
	assert_int_equal(fact_value(a, "pmtu_low"), 1240);
	assert_int_equal(fact_value(a, "pmtu_high"), 1399);
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1200);
	s = passed(1, HOST4, FAR4, 1360, 1460);
	feed_sample(r, &s, T0 + 120 * S);
	a = only(r, SILENT);
	assert_int_equal(fact_value(a, "pmtu_low"), 1360);
	assert_int_equal(a->state, ICS_ANOMALY_OPEN);
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1320);
	rig_free(r);
	/* Sent again once may be an accident. */
	r = rig_on();
	s = lost(1, HOST4, FAR4);
	s.kind = ICS_SAMPLE_SHRUNK;
	s.n = 1;
	s.shrunk_len = 1064;
	feed_sample(r, &s, T0);
	assert_int_equal(count_of(r, SILENT), 0);
	rig_free(r);
}

static void
ip6(void **state)
{
	struct rig *r = rig_on();
	const struct ics_anomaly *a;

	for (unsigned f = 1; f <= 2; f++) {
		struct ics_sample s = lost(f, HOST6, FAR6);

		feed_sample(r, &s, T0 + f * S);
	}
	a = only(r, SILENT);
	assert_string_equal(a->subject[0].text, "2001:db8:9::/48");
	assert_int_equal(fact_value(a, "pmtu_low"), 1280);
	assert_int_equal(fact_value(a, "mss6"), 1220);
	assert_non_null(strstr(a->says, "Permit ICMPv6 type 2"));
	assert_non_null(strstr(a->says, "clamp the TCP MSS to 1220"));
	rig_free(r);
}

/* ---- its end ---- */

static void
clears(void **state)
{
	/* The filter was mended; a clamp was set; the same, and it is to be seen in one direction's SYN alone. */
	static const struct {
		uint16_t len, mss, peer_mss;
	} cases[] = {{1500, 1460, 1460}, {1280, 1240, 1240}, {1280, 1460, 1240}};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(cases); i++) {
		struct rig *r = rig_on();
		struct ics_sample s;

		open_hole(r, T0);
		assert_non_null(hole_of(r, HOST4, FAR4));
		for (unsigned f = 10; f < 13; f++) {
			assert_int_equal(only(r, SILENT)->state, ICS_ANOMALY_OPEN);
			s = passed(f, HOST4, FAR4, cases[i].len, cases[i].mss);
			s.peer_mss = cases[i].peer_mss;
			feed_sample(r, &s, T0 + f * 10 * S);
			feed_sample(r, &s, T0 + f * 10 * S + S);
		}
		assert_int_equal(only(r, SILENT)->state, ICS_ANOMALY_CLEARED);
		assert_null(hole_of(r, HOST4, FAR4));
		assert_null(hole_of(r, "192.0.2.11", "198.51.100.10"));
		rig_free(r);
	}
}

/* Chats and their like send nothing long; a sender that found out by itself goes on with what passes; a loss in between
 * begins the count anew.
 */
static void
does_not_clear(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s;

	open_hole(r, T0);
	for (unsigned f = 10; f < 20; f++) {
		s = passed(f, HOST4, FAR4, 700, 1460);
		feed_sample(r, &s, T0 + f * S);
		s = passed(1 + f % 2, HOST4, FAR4, 1064, 1460);
		feed_sample(r, &s, T0 + f * S + 1);
	}
	for (unsigned f = 30; f < 40; f++) {
		if (f % 2 == 0)
			s = lost(f, HOST4, FAR4);
		else
			s = passed(f, HOST4, FAR4, 1500, 1460);
		feed_sample(r, &s, T0 + f * S);
	}
	/* A flow that had got long ones through before says nothing by short ones now. */
	for (unsigned f = 50; f < 60; f++) {
		s = passed(f, HOST4, FAR4, 1500, 1460);
		s.max_len = 700;
		feed_sample(r, &s, T0 + f * S);
	}
	assert_int_equal(only(r, SILENT)->state, ICS_ANOMALY_OPEN);
	rig_free(r);
}

static void
ends_in_silence(void **state)
{
	struct rig *r = rig_on();

	open_hole(r, T0);
	ics_engine_tick(r->engine, T0 + 86400 * S);
	assert_int_equal(only(r, SILENT)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 86402 * S);
	assert_int_equal(only(r, SILENT)->state, ICS_ANOMALY_CLEARED);
	assert_null(hole_of(r, "192.0.2.11", "198.51.100.10"));
	rig_free(r);
}

/* ---- what follows from it ---- */

/* Where nothing better is known, what every path carries. Over with the black hole, or when SYNs were clamped for an hour. */
static void
advice(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s;

	open_hole(r, T0);
	assert_finding(only(r, ADVICE), ADVICE, "black_hole", "info");
	assert_string_equal(only(r, ADVICE)->subject[0].text, "198.51.100.0/24");
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1240);
	assert_int_equal(fact_value(only(r, ADVICE), "mss6"), 1220);
	for (unsigned f = 10; f < 13; f++) {
		assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_OPEN);
		s = passed(f, HOST4, FAR4, 1280, 1240);
		feed_sample(r, &s, T0 + f * S);
	}
	assert_int_equal(only(r, SILENT)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
	/* Clamped, and nobody sends anything long: an hour of such SYNs. */
	r = rig_on();
	open_hole(r, T0);
	for (unsigned i = 0; i <= 12; i++) {
		for (unsigned back = 0; back < 2; back++) {
			s = lost(100 + i, back ? FAR4 : HOST4, back ? HOST4 : FAR4);
			s.kind = ICS_SAMPLE_SYN;
			s.mss = 1240;
			feed_sample(r, &s, T0 + (100 + i * 290) * S + back);
		}
	}
	ics_engine_tick(r->engine, T0 + 3698 * S);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 3701 * S);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Forty flows of as many hosts: each pair that is on the list is a hole, and none is left behind at the end. */
static void
no_hole_is_left(void **state)
{
	struct rig *r = rig_on();
	struct ics_sample s;
	unsigned n = 0;
	uint32_t i;

	for (unsigned f = 0; f < 40; f++) {
		char host[20], far[20];

		snprintf(host, sizeof(host), "192.0.2.%u", 10 + f);
		snprintf(far, sizeof(far), "198.51.100.%u", 10 + f);
		s = lost(f, host, far);
		feed_sample(r, &s, T0 + f * S);
	}
	assert_finding(only(r, SILENT), SILENT, "path", "critical");
	for (i = 1; ics_hole_next(ics_engine_model(r->engine), &i) != NULL; i++)
		n++;
	assert_int_equal(n, 16);
	assert_int_equal(count_of(r, ADVICE), 1);
	for (unsigned f = 50; f < 53; f++) {
		s = passed(f, HOST4, FAR4, 1500, 1460);
		feed_sample(r, &s, T0 + f * S);
	}
	i = 1;
	assert_null(ics_hole_next(ics_engine_model(r->engine), &i));
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* A filter that rejects something between the two is the suspect, whichever was found first. */
static void
culprit(void **state)
{
	struct packet p = base_packet(BASE_unreach4);

	for (unsigned first = 0; first < 2; first++) {
		struct rig *r = rig_on();

		if (first == 0)
			open_hole(r, T0);
		for (unsigned i = 0; i < 12; i++)
			feed(r, &p, T0 + (10 + i) * S);
		if (first == 1) {
			assert_finding(only(r, ADMIN), ADMIN, "policy", "info");
			/* Of another host it says nothing. */
			open_hole(r, T0 + 30 * S);
		}
		assert_finding(only(r, ADMIN), ADMIN, "black_hole", "warn");
		rig_free(r);
	}
}

/* ---- from frames ---- */

struct tcp {
	bool v6, from_far, df0, zero_window;
	uint8_t host, far, flags;
	uint16_t port, len, mss;
	uint32_t seq, ack, sack_left, sack_right;
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
send(struct rig *r, const struct tcp *t, uint64_t at)
{
	static uint8_t buf[40000];
	struct ics_ip host = ip_of(t->v6 ? HOST6 : HOST4), far = ip_of(t->v6 ? FAR6 : FAR4);
	const uint8_t *src = t->from_far ? far.b : host.b, *dst = t->from_far ? host.b : far.b;
	uint32_t ihl = t->v6 ? 40 : 20, alen = t->v6 ? 16 : 4, opts = 0, len;
	uint8_t *ip = buf + 14, *l4 = ip + ihl;
	struct ics_frame f;

	host.b[15] = (uint8_t)(10 + t->host);
	far.b[15] = (uint8_t)(9 + t->far);
	memset(buf, 0, 200);
	buf[5] = t->from_far ? 1 : 9;
	buf[11] = t->from_far ? 9 : 1;
	put16(buf + 12, t->v6 ? 0x86dd : 0x0800);
	if (t->mss != 0) {
		put16(l4 + 20, 0x0204);
		put16(l4 + 22, t->mss);
		opts = 4;
	} else if (t->sack_right != 0) {
		put32(l4 + 20, 0x0101050a);
		put32(l4 + 24, t->sack_left);
		put32(l4 + 28, t->sack_right);
		opts = 12;
	}
	len = t->len != 0 ? t->len : ihl + 20 + opts;
	if (t->v6) {
		ip[0] = 0x60;
		put16(ip + 4, len - 40);
		ip[6] = ICS_PROTO_TCP;
		ip[7] = 64;
	} else {
		ip[0] = 0x45;
		put16(ip + 2, len);
		ip[6] = t->df0 ? 0 : 0x40;
		ip[8] = 64;
		ip[9] = ICS_PROTO_TCP;
	}
	memcpy(ip + ihl - 2 * alen, src + 16 - alen, alen);
	memcpy(ip + ihl - alen, dst + 16 - alen, alen);
	put16(l4 + (t->from_far ? 2 : 0), 40000u + t->port);
	put16(l4 + (t->from_far ? 0 : 2), 443);
	put32(l4 + 4, t->seq);
	put32(l4 + 8, t->ack);
	l4[12] = (uint8_t)((20 + opts) / 4 << 4);
	l4[13] = t->flags;
	put16(l4 + 14, t->zero_window ? 0 : 1000);
	f = (struct ics_frame){.data = buf,
			       .cap_len = 14 + len,
			       .wire_len = 14 + len,
			       .stripped_tci = ICS_VLAN_NONE,
			       .link = ICS_LINK_ETHERNET};
	r->frame_no++;
	ics_inspect_burst(&r->in, &f, 1, at);
}

/* Data from the host, an acknowledgement from the far end. */
static void
data(struct rig *r, struct tcp t, uint32_t seq, uint16_t len, uint64_t at)
{
	t.flags = ACK;
	t.seq = seq;
	t.ack = 5001;
	t.len = len;
	send(r, &t, at);
}

static void
ack(struct rig *r, struct tcp t, uint32_t upto, uint64_t at)
{
	t.from_far = true;
	t.flags = ACK;
	t.seq = 5001;
	t.ack = upto;
	send(r, &t, at);
}

/* Handshake, and 400 octets that are acknowledged: the host is at 1401 then. */
static void
open_flow(struct rig *r, struct tcp t, uint64_t at)
{
	struct tcp one = t;

	one.flags = SYN;
	one.seq = 1000;
	one.mss = t.v6 ? 1440 : 1460;
	send(r, &one, at);
	one.from_far = true;
	one.flags = SYN | ACK;
	one.seq = 5000;
	one.ack = 1001;
	send(r, &one, at + 20 * MS);
	data(r, t, 1001, t.v6 ? 460 : 440, at + 40 * MS);
	ack(r, t, 1401, at + 60 * MS);
}

/* E3: 1500 octets, and again at 1, 3 and 7 s; the far end goes on saying what it has. */
static void
resend(struct rig *r, struct tcp t, uint16_t len, uint64_t at)
{
	static const unsigned when_s[] = {0, 1, 3, 7};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(when_s); i++) {
		data(r, t, 1401, len, at + when_s[i] * S);
		ack(r, t, 1401, at + when_s[i] * S + 100 * MS);
	}
}

static void
frames_two_hosts(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct rig *r = rig_on();
		const struct ics_anomaly *a;

		for (unsigned i = 0; i < 2; i++) {
			struct tcp t = {.v6 = v6, .host = (uint8_t)i, .port = (uint16_t)i};

			open_flow(r, t, T0 + i * 20 * S);
			resend(r, t, 1500, T0 + i * 20 * S + 100 * MS);
		}
		a = only(r, SILENT);
		assert_finding(a, SILENT, "path", "warn");
		assert_int_equal(fact_value(a, "hosts"), 2);
		assert_int_equal(fact_value(a, "lost_len"), 1500);
		assert_int_equal(fact_value(a, "acked_len"), v6 ? 460 : 440);
		/* 1400 it is, by construction. */
		assert_in_range(1400, fact_value(a, "pmtu_low"), fact_value(a, "pmtu_high"));
		assert_int_equal(fact_value(a, "mss"), v6 ? 1440 : 1460);
		assert_int_equal(fact_value(a, v6 ? "mss6" : "mss4"), v6 ? 1220 : 1240);
		assert_int_equal(count_of(r, ADVICE), 1);
		rig_free(r);
	}
}

/* tcp_mtu_probing: the same octets in packets of 1024 and of 536, which arrive. */
static void
frames_shrink(void **state)
{
	static const uint16_t payload[] = {1024, 536};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(payload); i++) {
		struct rig *r = rig_on();
		struct tcp t = {.port = 7};
		const struct ics_anomaly *a;

		open_flow(r, t, T0);
		resend(r, t, 1500, T0 + 100 * MS);
		data(r, t, 1401, (uint16_t)(40 + payload[i]), T0 + 15 * S);
		ack(r, t, 1401u + payload[i], T0 + 15 * S + 50 * MS);
		a = only(r, SILENT);
		assert_finding(a, SILENT, "confirmed", "critical");
		assert_int_equal(fact_value(a, "pmtu_low"), 40 + payload[i]);
		assert_int_equal(fact_value(a, "pmtu_high"), 1499);
		assert_int_equal(fact_value(only(r, ADVICE), "mss4"), payload[i]);
		rig_free(r);
	}
}

static void
frames_silent(void **state)
{
	enum { LATE, SUPER, ZERO_WINDOW, FRAGMENTABLE, CASES };

	for (unsigned c = 0; c < CASES; c++) {
		struct rig *r = rig_on();

		for (unsigned i = 0; i < 6; i++) {
			struct tcp t = {.host = (uint8_t)i, .port = (uint16_t)i, .df0 = c == FRAGMENTABLE};
			uint64_t at = T0 + i * 20 * S;

			open_flow(r, t, at);
			for (unsigned k = 0; k < 4; k++) {
				struct tcp zero = t;
				uint64_t then = at + S + k * 2 * S;

				data(r, t, 1401, c == SUPER ? 32040 : 1500, then);
				zero.zero_window = c == ZERO_WINDOW;
				if (c == SUPER || c == ZERO_WINDOW || c == FRAGMENTABLE)
					ack(r, zero, 1401, then + 100 * MS);
				/* Sent twice again, then it arrives. */
				if (c == LATE && k == 2) {
					ack(r, t, 1401 + 1460, then + 100 * MS);
					break;
				}
			}
		}
		if (count_of(r, SILENT) != 0)
			fail_msg("case %u", c);
		rig_free(r);
	}
}

/* Dead: small ones are lost like long ones, and the far end does not answer a new connection either. */
static void
frames_dead_network(void **state)
{
	struct rig *r = rig_on();

	for (unsigned i = 0; i < 8; i++)
		open_flow(r, (struct tcp){.host = (uint8_t)i, .port = (uint16_t)i}, T0 + i * MS);
	for (unsigned k = 0; k < 6; k++) {
		for (unsigned i = 0; i < 8; i++) {
			struct tcp t = {.host = (uint8_t)i, .port = (uint16_t)i}, syn = t;

			data(r, t, 1401, 1500, T0 + (1u << k) * S + i * MS);
			syn.port += 100;
			syn.flags = SYN;
			syn.seq = 1000;
			syn.mss = 1460;
			send(r, &syn, T0 + (1u << k) * S + i * MS + 100);
		}
	}
	assert_int_equal(count_of(r, SILENT), 0);
	rig_free(r);
}

/* Packets of every size are lost: at random, or by a token bucket that lets short ones through rather than long ones.
 * Senders send again after 1, 2, 4 s until it arrives.
 */
static void
frames_congestion(void **state)
{
	for (unsigned bucket = 0; bucket < 2; bucket++) {
		struct rig *r = rig_on();
		uint32_t x = 12345, seq[40], tries[40] = {0};
		uint64_t next[40];
		int64_t tokens = 4000;

		for (unsigned i = 0; i < 40; i++) {
			open_flow(r, (struct tcp){.host = (uint8_t)(i % 8), .port = (uint16_t)i}, T0 + i * 10 * MS);
			seq[i] = 1401;
			next[i] = T0 + S + i * 20 * MS;
		}
		for (uint64_t now = T0 + S; now < T0 + 300 * S; now += 10 * MS) {
			tokens = tokens + 300 > 6000 ? 6000 : tokens + 300;
			for (unsigned i = 0; i < 40; i++) {
				struct tcp t = {.host = (uint8_t)(i % 8), .port = (uint16_t)i};
				uint16_t len = seq[i] % 5 == 0 ? 240 : 1500;
				bool arrives;

				if (now < next[i])
					continue;
				data(r, t, seq[i], len, now);
				x = x * 1103515245 + 12345;
				arrives = bucket ? tokens >= len : (x >> 16) % 100 >= 45;
				tokens -= arrives ? len : 0;
				if (arrives) {
					seq[i] += len - 40u;
					ack(r, t, seq[i], now + 30 * MS);
					tries[i] = 0;
					next[i] = now + 50 * MS;
				} else {
					next[i] = now + (S << (tries[i] < 5 ? tries[i]++ : 5));
				}
			}
		}
		for (unsigned i = 1; nth_of(r, SILENT, i) != NULL; i++)
			assert_int_equal(nth_of(r, SILENT, i)->severity, ICS_SEV_INFO);
		assert_int_equal(count_of(r, ADVICE), 0);
		rig_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_flows),
		cmocka_unit_test(five_minutes),
		cmocka_unit_test(no_evidence),
		cmocka_unit_test(sack),
		cmocka_unit_test(told),
		cmocka_unit_test(confirmed),
		cmocka_unit_test(ip6),
		cmocka_unit_test(clears),
		cmocka_unit_test(does_not_clear),
		cmocka_unit_test(ends_in_silence),
		cmocka_unit_test(advice),
		cmocka_unit_test(no_hole_is_left),
		cmocka_unit_test(culprit),
		cmocka_unit_test(frames_two_hosts),
		cmocka_unit_test(frames_shrink),
		cmocka_unit_test(frames_silent),
		cmocka_unit_test(frames_dead_network),
		cmocka_unit_test(frames_congestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
