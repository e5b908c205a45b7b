/* Messages about packets that never were, and connections whose MSS the path does not carry: with the TCP sampler. */
#include "test_pmtu.h"

#define SPOOF "pmtu_spoof"
#define MSS "tcp_mss_gt_pmtu"

/* ---- pmtu_spoof ---- */

static void
send_datagram(struct rig *r, const char *host, unsigned sport, uint64_t at)
{
	struct packet p = base_packet(BASE_ptb);

	make_udp(&p);
	set_src(&p, host);
	set_dst(&p, FAR6);
	set_smac(&p, MAC_H);
	set_dmac(&p, MAC_R);
	set16(&p, 0, (uint16_t)sport);
	set16(&p, 2, 443);
	feed(r, &p, at);
}

/* The host's data passes the tap, for long enough that what was not seen was not there. */
static struct rig *
rig_seen(const char *host)
{
	struct rig *r = rig_new("detect.learn_s=0");

	rig_sample(r);
	for (unsigned i = 0; i <= 15; i++)
		send_datagram(r, host, 5000, T0 + i * S);
	return r;
}

/* Too big, about a datagram from a port; routed unless told otherwise. */
static void
forge(struct rig *r, unsigned sport, bool routed, uint64_t at)
{
	struct packet p = base_packet(BASE_ptb);

	quote_proto(&p, ICS_PROTO_UDP);
	quote_ports(&p, sport, 443);
	quote_ttl(&p, routed ? 61 : 64);
	set_ip8(&p, 7, routed ? 57 : 255);
	feed(r, &p, at);
}

static void
spoof(void **state)
{
	struct rig *r = rig_seen(HOST6);
	const struct ics_anomaly *a;

	for (unsigned i = 0; i < 4; i++)
		forge(r, 20000 + i * 77, true, T0 + (20 + i) * S);
	assert_int_equal(count_of(r, SPOOF), 0);
	forge(r, 30000, true, T0 + 25 * S);
	a = only(r, SPOOF);
	assert_finding(a, SPOOF, "unseen_flow", "warn");
	assert_string_equal(a->subject[0].key, "host");
	assert_string_equal(a->subject[0].text, HOST6);
	assert_string_equal(fact_text(a, "reporter"), REPORTER6);
	assert_int_equal(fact_value(a, "messages"), 5);
	assert_int_equal(fact_value(a, "quoted_sport"), 30000);
	assert_int_equal(fact_value(a, "hop_limit"), 57);
	/* Fifty in ten seconds; once critical it stays so. */
	for (unsigned i = 0; i < 44; i++)
		forge(r, 40000 + i, true, T0 + 26 * S + i * MS);
	assert_int_equal(only(r, SPOOF)->severity, ICS_SEV_WARN);
	forge(r, 45000, true, T0 + 27 * S);
	assert_finding(only(r, SPOOF), SPOOF, "unseen_flow", "critical");
	forge(r, 45001, true, T0 + 60 * S);
	assert_finding(only(r, SPOOF), SPOOF, "unseen_flow", "critical");
	assert_int_equal(fact_value(only(r, SPOOF), "messages"), 51);
	ics_engine_tick(r->engine, T0 + 659 * S);
	assert_int_equal(only(r, SPOOF)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 661 * S);
	assert_int_equal(only(r, SPOOF)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
copies_of(struct rig *r, uint64_t frame_hash, uint32_t n, uint64_t at)
{
	struct ics_record rec = {
		.ts_ns = at,
		.frame_hash = frame_hash,
		.repeats = n - 1,
		.class = ICS_CLASS_icmp6_too_big,
		.flags = ICS_REC_COPIES | ICS_REC_STRICT,
		.encap = ICS_LINK_ETHERNET << 5,
		.vlan_outer = ICS_VLAN_NONE,
		.vlan_inner = ICS_VLAN_NONE,
	};

	ics_engine_feed(r->engine, &rec, (struct ics_view){NULL, 0}, 0);
}

/* Folded copies count, those of the finding's latest message and those of one before. */
static void
spoof_copies(void **state)
{
	struct rig *r = rig_seen(HOST6);
	uint64_t fifth, sixth, count;

	for (unsigned i = 0; i < 5; i++)
		forge(r, 20000 + i, true, T0 + (20 + i) * S);
	fifth = only(r, SPOOF)->frame_hash;
	forge(r, 20005, true, T0 + 25 * S);
	sixth = only(r, SPOOF)->frame_hash;
	assert_true(fifth != sixth);
	count = only(r, SPOOF)->count;
	assert_int_equal(fact_value(only(r, SPOOF), "messages"), 6);
	copies_of(r, sixth, 10, T0 + 25 * S + 500 * MS);
	assert_int_equal(only(r, SPOOF)->count, count + 10);
	copies_of(r, fifth, 7, T0 + 25 * S + 600 * MS);
	assert_int_equal(only(r, SPOOF)->count, count + 17);
	assert_int_equal(fact_value(only(r, SPOOF), "messages"), 23);
	/* Of a message that was never shown nothing is counted. */
	copies_of(r, 12345, 5, T0 + 25 * S + 700 * MS);
	assert_int_equal(only(r, SPOOF)->count, count + 17);
	copies_of(r, sixth, 40, T0 + 25 * S + 800 * MS);
	assert_finding(only(r, SPOOF), SPOOF, "unseen_flow", "critical");
	rig_free(r);
}

/* Neither the message nor what it quotes came through a router. */
static void
spoof_local(void **state)
{
	struct rig *r = rig_seen(HOST6);

	for (unsigned i = 0; i < 5; i++)
		forge(r, 20000 + i, false, T0 + (20 + i) * S);
	assert_finding(only(r, SPOOF), SPOOF, "local_reporter", "critical");
	rig_free(r);
}

static void
no_spoof(void **state)
{
	/* The datagrams were seen 20 s before. */
	struct rig *r = rig_seen(HOST6);

	for (unsigned i = 0; i < 10; i++)
		send_datagram(r, HOST6, 20000 + i, T0 + 16 * S + i * MS);
	for (unsigned i = 0; i < 10; i++)
		forge(r, 20000 + i, true, T0 + 36 * S + i * MS);
	assert_int_equal(count_of(r, SPOOF), 0);
	/* Five, but not within ten seconds. */
	for (unsigned i = 0; i < 10; i++)
		forge(r, 30000 + i, true, T0 + 40 * S + i * 3 * S);
	assert_int_equal(count_of(r, SPOOF), 0);
	rig_free(r);
	/* The tap does not see what this host sends: another way out, or behind a translator. */
	r = rig_seen("2001:db8:1::77");
	for (unsigned i = 0; i < 100; i++)
		forge(r, 20000 + i, true, T0 + 20 * S + i * MS);
	assert_int_equal(count_of(r, SPOOF), 0);
	rig_free(r);
	/* It did, six minutes ago. */
	r = rig_seen(HOST6);
	for (unsigned i = 16; i < 400; i += 10)
		send_datagram(r, "2001:db8:1::77", 5000, T0 + i * S);
	for (unsigned i = 0; i < 10; i++)
		forge(r, 20000 + i, true, T0 + 400 * S + i * MS);
	assert_int_equal(count_of(r, SPOOF), 0);
	rig_free(r);
	/* Five seconds after the start nothing is known yet. */
	r = rig_new("detect.learn_s=0");
	rig_sample(r);
	for (unsigned i = 0; i <= 5; i++)
		send_datagram(r, HOST6, 5000, T0 + i * S);
	for (unsigned i = 0; i < 10; i++)
		forge(r, 20000 + i, true, T0 + 5 * S + i * MS);
	assert_int_equal(count_of(r, SPOOF), 0);
	rig_free(r);
}

/* ---- tcp_mss_gt_pmtu ---- */

static void
syn(struct rig *r, unsigned flow, uint16_t mss, uint64_t at)
{
	struct ics_sample s = {
		.kind = ICS_SAMPLE_SYN,
		.proto = ICS_PROTO_TCP,
		.flags = ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_DF,
		.sport = 443,
		.dport = (uint16_t)(40000 + flow),
		.src = ip_of(FAR4),
		.dst = ip_of(HOST4),
		.mss = mss,
		.peer_mss = 1460,
		.flow = 0x2000 + flow,
	};

	feed_sample(r, &s, at);
}

static void
sizes(struct rig *r, unsigned flow, uint16_t max_len, uint64_t at)
{
	struct ics_sample s = {
		.kind = ICS_SAMPLE_SUM,
		.proto = ICS_PROTO_TCP,
		.flags = ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_DF,
		.sport = (uint16_t)(40000 + flow),
		.dport = 443,
		.src = ip_of(HOST4),
		.dst = ip_of(FAR4),
		.max_len = max_len,
		.flow = 0x2000 + flow,
	};

	feed_sample(r, &s, at);
}

/* The router says 1492; the far end announces 1460 in ten connections. */
static void
ten_syns(struct rig *r, uint16_t mss, unsigned flows, uint64_t apart)
{
	rig_sample(r);
	feed_base(r, BASE_fragneeded, T0);
	for (unsigned i = 0; i < 10; i++)
		syn(r, i % flows, mss, T0 + S + i * apart);
}

static void
mss(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	ten_syns(r, 1460, 10, 10 * S);
	a = only(r, MSS);
	assert_finding(a, MSS, "unchanged", "warn");
	assert_string_equal(a->subject[0].text, HOST4);
	assert_string_equal(fact_text(a, "far"), FAR4);
	assert_string_equal(fact_text(a, "reporter"), REPORTER4);
	assert_int_equal(fact_value(a, "mss"), 1460);
	assert_int_equal(fact_value(a, "mtu"), 1492);
	assert_int_equal(fact_value(a, "flows"), 10);
	assert_int_equal(fact_value(a, "clamp"), 1452);
	assert_non_null(strstr(a->says, "Clamp the TCP MSS to 1452"));
	/* Sizes stay; then they drop, and path MTU discovery works; then SYNs fit. */
	sizes(r, 3, 1500, T0 + 130 * S);
	assert_finding(only(r, MSS), MSS, "unchanged", "warn");
	assert_int_equal(fact_value(only(r, MSS), "sent_len"), 1500);
	sizes(r, 3, 1492, T0 + 200 * S);
	assert_finding(only(r, MSS), MSS, "adapts", "info");
	syn(r, 20, 1452, T0 + 210 * S);
	ics_engine_tick(r->engine, T0 + 509 * S);
	assert_int_equal(only(r, MSS)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 511 * S);
	assert_int_equal(only(r, MSS)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
no_mss(void **state)
{
	static const struct {
		uint16_t mss;
		unsigned flows;
		uint64_t apart;
	} cases[] = {{1452, 10, S}, {1460, 9, S}, {1460, 10, 40 * S}};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(cases); i++) {
		struct rig *r = rig_new(NULL);

		ten_syns(r, cases[i].mss, cases[i].flows, cases[i].apart);
		assert_int_equal(count_of(r, MSS), 0);
		rig_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spoof),    cmocka_unit_test(spoof_copies), cmocka_unit_test(spoof_local),
		cmocka_unit_test(no_spoof), cmocka_unit_test(mss),          cmocka_unit_test(no_mss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
