/* The detectors of path MTU messages over sequences of frames in fake time. */
#include "test_pmtu.h"

#define LEARNED "pmtu_learned"
#define BOGUS "pmtu_bogus"
#define STORM "pmtu_storm"
#define ZERO "pmtu_legacy_zero"
#define HOLE "pmtu_blackhole_repeat"
#define ADVICE "pmtu_mss_advice"

/* ---- pmtu_learned ---- */

static void
learned(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb);
	const struct ics_anomaly *a;

	feed(r, &p, T0);
	a = only(r, LEARNED);
	assert_finding(a, LEARNED, "", "info");
	assert_string_equal(a->subject[0].key, "reporter");
	assert_string_equal(a->subject[0].text, REPORTER6);
	assert_string_equal(fact_text(a, "host"), HOST6);
	assert_string_equal(fact_text(a, "far"), FAR6);
	assert_int_equal(fact_value(a, "mtu"), 1492);
	assert_int_equal(fact_value(a, "quoted_len"), 1500);
	assert_int_equal(fact_value(a, "quoted_sport"), 50000);
	assert_int_equal(fact_value(a, "quoted_dport"), 443);
	assert_string_equal(fact_text(a, "guess_1"), "PPPoE (medium)");
	assert_string_equal(fact_text(a, "guess_2"), "2 MPLS labels (L3VPN) (low)");
	assert_string_equal(fact_text(a, "guess_3"), "QinQ (low)");
	assert_int_equal(fact_value(a, "mss4"), 1452);
	assert_int_equal(fact_value(a, "mss6"), 1432);
	/* The same value again is no record, a lower one is news of the same. */
	feed(r, &p, T0 + 30 * S);
	assert_int_equal(only(r, LEARNED)->count, 1);
	tell_mtu(&p, 1480);
	feed(r, &p, T0 + 60 * S);
	a = only(r, LEARNED);
	assert_int_equal(a->count, 2);
	assert_int_equal(fact_value(a, "mtu"), 1480);
	assert_string_equal(fact_text(a, "guess_1"), "6in4 or 6rd (medium)");
	/* Aged as in hosts. */
	ics_engine_tick(r->engine, T0 + 659 * S);
	assert_int_equal(only(r, LEARNED)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 660 * S);
	assert_int_equal(only(r, LEARNED)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
learned_labels(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	feed_base(r, BASE_fragneeded_mpls, T0);
	a = only(r, LEARNED);
	assert_int_equal(fact_value(a, "labels"), 2);
	assert_string_equal(fact_text(a, "label_stack"), "100, 200");
	assert_string_equal(fact_text(a, "guess_1"), "2 MPLS labels, link 1500 (high)");
	assert_int_equal(fact_value(a, "mss4"), 1452);
	rig_free(r);
}

static void
not_learned(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	tell_mtu(&p, 1500);
	feed(r, &p, T0);
	feed_base(r, BASE_fragneeded_zero, T0 + S);
	assert_int_equal(count_of(r, LEARNED), 0);
	rig_free(r);
}

/* One reporter, many paths: one finding. */
static void
learned_once(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	for (unsigned i = 0; i < 50; i++) {
		char far[20];

		snprintf(far, sizeof(far), "198.51.%u.9", i);
		quote_far(&p, far);
		feed(r, &p, T0 + i * S);
	}
	assert_int_equal(fact_value(only(r, LEARNED), "paths"), 50);
	rig_free(r);
}

/* ---- pmtu_bogus ---- */

static void
bogus(void **state)
{
	static const struct {
		enum base base;
		uint32_t mtu;
		unsigned len;
		const char *variant;
	} rows[] = {
		{BASE_ptb, 576, 1500, "below_minimum"},       {BASE_ptb, 0, 1500, "zero"},
		{BASE_ptb, 1500, 1500, "not_smaller"},        {BASE_ptb, 100000, 1500, "not_smaller"},
		{BASE_fragneeded, 40, 1500, "below_68"},      {BASE_fragneeded, 100, 1500, "below_576"},
		{BASE_fragneeded, 1500, 1400, "not_smaller"},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new(NULL);
		struct packet p = base_packet(rows[i].base);
		const struct ics_anomaly *a;

		tell_mtu(&p, rows[i].mtu);
		quote_len(&p, rows[i].len);
		feed(r, &p, T0);
		feed(r, &p, T0 + S);
		a = only(r, BOGUS);
		assert_finding(a, BOGUS, rows[i].variant, "warn");
		assert_int_equal(fact_value(a, "mtu"), rows[i].mtu);
		assert_int_equal(fact_value(a, "quoted_len"), rows[i].len);
		assert_int_equal(fact_value(a, "df"), 1);
		assert_int_equal(a->count, 2);
		assert_int_equal(count_of(r, LEARNED), 0);
		ics_engine_tick(r->engine, T0 + 600 * S);
		assert_int_equal(only(r, BOGUS)->state, ICS_ANOMALY_OPEN);
		ics_engine_tick(r->engine, T0 + 601 * S);
		assert_int_equal(only(r, BOGUS)->state, ICS_ANOMALY_CLEARED);
		rig_free(r);
	}
}

static void
bogus_df_clear(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	set16(&p, 14, 0);
	feed(r, &p, T0);
	assert_finding(only(r, BOGUS), BOGUS, "df_clear", "warn");
	assert_int_equal(fact_value(only(r, BOGUS), "df"), 0);
	rig_free(r);
}

static void
bogus_critical(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	/* Ten hosts. */
	tell_mtu(&p, 100);
	for (unsigned i = 0; i < 11; i++) {
		char host[20];

		snprintf(host, sizeof(host), "192.0.2.%u", 20 + i);
		quote_host(&p, host);
		feed(r, &p, T0 + i * S);
		if (i == 6)
			assert_int_equal(only(r, BOGUS)->severity, ICS_SEV_WARN);
	}
	assert_int_equal(only(r, BOGUS)->severity, ICS_SEV_CRITICAL);
	rig_free(r);
	/* A BGP session; somebody who is watched. */
	r = rig_new("detect.watch=192.0.2.77");
	p = base_packet(BASE_fragneeded);
	tell_mtu(&p, 100);
	quote_ports(&p, 40000, 179);
	feed(r, &p, T0);
	assert_int_equal(only(r, BOGUS)->severity, ICS_SEV_CRITICAL);
	p = base_packet(BASE_fragneeded);
	tell_mtu(&p, 100);
	set_src(&p, "203.0.113.2");
	quote_host(&p, "192.0.2.77");
	feed(r, &p, T0 + S);
	assert_int_equal(nth_of(r, BOGUS, 2)->severity, ICS_SEV_CRITICAL);
	rig_free(r);
}

static void
not_bogus(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	feed(r, &p, T0);
	/* Routers that quote 20 octets too many (RFC 1191 5). */
	quote_len(&p, 1520);
	tell_mtu(&p, 1500);
	feed(r, &p, T0 + S);
	feed_base(r, BASE_fragneeded_mpls, T0 + 2 * S);
	feed_base(r, BASE_fragneeded_zero, T0 + 3 * S);
	feed_base(r, BASE_ptb, T0 + 4 * S);
	/* With a bad checksum nobody reads it. */
	p = base_packet(BASE_fragneeded);
	repair(&p);
	p.raw = true;
	p.b[p.l4 + 7] = 1;
	p.b[p.l4 + 6] = 0;
	feed(r, &p, T0 + 5 * S);
	assert_int_equal(count_of(r, BOGUS), 0);
	/* A translator's arithmetic is worth no alarm. */
	p = base_packet(BASE_ptb);
	quote_far(&p, "64:ff9b::c633:6409");
	tell_mtu(&p, 1500);
	feed(r, &p, T0 + 6 * S);
	assert_finding(only(r, BOGUS), BOGUS, "not_smaller", "info");
	rig_free(r);
}

/* ---- pmtu_storm ---- */

static void
storm_feed(struct rig *r, unsigned per_s, unsigned seconds, unsigned reporters, uint64_t from)
{
	struct packet p = base_packet(BASE_ptb);

	for (unsigned i = 0; i < per_s * seconds; i++) {
		char src[40];

		snprintf(src, sizeof(src), "2001:db8:ff::%x", 1 + i % reporters);
		set_src(&p, src);
		quote_ports(&p, 1024 + i % 60000, 443);
		feed(r, &p, from + (uint64_t)i * S / per_s);
	}
}

static void
storm(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	storm_feed(r, 600, 4, 1, T0);
	a = only(r, STORM);
	assert_finding(a, STORM, "reporter", "warn");
	assert_string_equal(a->subject[0].text, REPORTER6);
	assert_int_equal(fact_value(a, "peak_per_s"), 600);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_true(strncmp(fact_text(a, "mtus"), "1492: ", 6) == 0);
	/* Below a tenth for a minute. */
	storm_feed(r, 5, 50, 1, T0 + 4 * S);
	ics_engine_tick(r->engine, T0 + 63 * S);
	assert_int_equal(only(r, STORM)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 65 * S);
	assert_int_equal(only(r, STORM)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
storm_segment(void **state)
{
	struct rig *r = rig_new(NULL);

	storm_feed(r, 600, 4, 50, T0);
	assert_finding(only(r, STORM), STORM, "segment", "warn");
	assert_in_range(fact_value(only(r, STORM), "reporters"), 40, 60);
	rig_free(r);
}

static void
no_storm(void **state)
{
	struct rig *r = rig_new(NULL);

	storm_feed(r, 50, 10, 1, T0);
	/* Two seconds are a burst. */
	storm_feed(r, 300, 2, 1, T0 + 20 * S);
	storm_feed(r, 450, 10, 50, T0 + 60 * S);
	assert_int_equal(count_of(r, STORM), 0);
	rig_free(r);
}

/* Copies that the fast half folds make a storm too. */
static void
storm_copies(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_fold *fold = ics_fold_init(NULL);

	r->in.fold = fold;
	for (unsigned i = 0; i < 5000; i++)
		feed_base(r, BASE_ptb, T0 + i * MS);
	ics_inspect_idle(&r->in, T0 + 10 * S);
	assert_int_equal(count_of(r, STORM), 1);
	r->in.fold = NULL;
	ics_fold_free(fold);
	rig_free(r);
}

/* ---- pmtu_legacy_zero ---- */

static void
legacy_zero(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	feed_base(r, BASE_fragneeded_zero, T0);
	feed_base(r, BASE_fragneeded_zero, T0 + 300 * S);
	a = only(r, ZERO);
	assert_finding(a, ZERO, "", "warn");
	assert_string_equal(a->subject[0].text, REPORTER4);
	assert_int_equal(fact_value(a, "plateau"), 1492);
	assert_int_equal(fact_value(a, "mss4"), 1452);
	assert_int_equal(fact_value(a, "labels"), 0);
	assert_int_equal(a->count, 2);
	assert_non_null(strstr(a->says, "clamp the TCP MSS to 1452"));
	ics_engine_tick(r->engine, T0 + 899 * S);
	assert_int_equal(only(r, ZERO)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 900 * S);
	assert_int_equal(only(r, ZERO)->state, ICS_ANOMALY_CLEARED);
	feed_base(r, BASE_fragneeded, T0 + 901 * S);
	feed_base(r, BASE_ptb, T0 + 902 * S);
	assert_int_equal(count_of(r, ZERO), 1);
	rig_free(r);
}

/* A router that adds the header to the quoted length: 1520 of a link with 1500 was 1500. */
static void
legacy_quirk(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded_zero);

	quote_len(&p, 1508);
	feed(r, &p, T0);
	assert_int_equal(fact_value(only(r, ZERO), "plateau"), 1006);
	rig_free(r);
	r = rig_new(NULL);
	quote_len(&p, 1520);
	feed(r, &p, T0);
	assert_int_equal(fact_value(only(r, ZERO), "plateau"), 1492);
	rig_free(r);
}

/* ---- pmtu_blackhole_repeat ---- */

static void
black_hole(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;
	struct ics_model *m = ics_engine_model(r->engine);
	const struct ics_hole *h;
	uint32_t i = 0;

	for (unsigned t = 0; t <= 8; t += 4)
		feed_base(r, BASE_fragneeded, T0 + t * S);
	assert_int_equal(count_of(r, HOLE), 0);
	feed_base(r, BASE_fragneeded, T0 + 12 * S);
	assert_int_equal(count_of(r, HOLE), 1);
	feed_base(r, BASE_fragneeded, T0 + 16 * S);
	a = only(r, HOLE);
	assert_finding(a, HOLE, "ignored", "warn");
	assert_string_equal(a->subject[0].key, "host");
	assert_string_equal(a->subject[0].text, HOST4);
	assert_string_equal(fact_text(a, "far"), FAR4);
	assert_string_equal(fact_text(a, "reporter"), REPORTER4);
	assert_int_equal(fact_value(a, "mtu"), 1492);
	assert_int_equal(fact_value(a, "quoted_len"), 1500);
	assert_int_equal(fact_value(a, "messages"), 5);
	assert_in_range(fact_value(a, "duration_s"), 15998, 16002);
	assert_int_equal(fact_value(a, "mss4"), 1452);
	assert_string_equal(fact_text(a, "where"), "downstream of the tap");
	assert_non_null(strstr(a->says, "clamp the TCP MSS to 1452"));
	h = ics_hole_next(m, &i);
	assert_non_null(h);
	assert_int_equal(h->mtu, 1492);
	assert_int_equal(h->lost, 1500);
	/* Advice at once, and no further word of what was learned. */
	assert_finding(only(r, ADVICE), ADVICE, "black_hole", "info");
	assert_int_equal(only(r, LEARNED)->count, 1);
	/* Ten are critical. */
	for (unsigned t = 20; t <= 36; t += 4)
		feed_base(r, BASE_fragneeded, T0 + t * S);
	assert_int_equal(only(r, HOLE)->severity, ICS_SEV_CRITICAL);
	assert_int_equal(fact_value(only(r, HOLE), "messages"), 10);
	/* Nothing is seen of what the host sends: quiet for as long as it remembers. */
	ics_engine_tick(r->engine, T0 + 635 * S);
	assert_int_equal(only(r, HOLE)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 636 * S);
	assert_int_equal(only(r, HOLE)->state, ICS_ANOMALY_CLEARED);
	i = 0;
	assert_null(ics_hole_next(m, &i));
	rig_free(r);
}

static void
black_hole_fars(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb);

	for (unsigned t = 0; t <= 12; t += 4)
		for (unsigned k = 0; k < 3; k++) {
			char far[40];

			snprintf(far, sizeof(far), "2001:db8:9:%x::9", k);
			quote_far(&p, far);
			feed(r, &p, T0 + t * S + k * MS);
		}
	assert_finding(only(r, HOLE), HOLE, "ignored", "critical");
	assert_int_equal(fact_value(only(r, HOLE), "fars"), 3);
	assert_int_equal(fact_value(only(r, HOLE), "messages"), 12);
	assert_non_null(strstr(only(r, HOLE)->says, "ICMPv6 type 2"));
	rig_free(r);
}

static void
no_black_hole(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	/* A window in flight. */
	for (unsigned i = 0; i < 5; i++)
		feed(r, &p, T0 + i * 200 * MS);
	/* Probing for more, each time after five minutes and more. */
	for (unsigned i = 1; i < 8; i++)
		for (unsigned k = 0; k < 3; k++)
			feed(r, &p, T0 + i * 320 * S + k * 100 * MS);
	assert_int_equal(count_of(r, HOLE), 0);
	rig_free(r);
	/* QUIC probes for the MTU by itself; a ping of a fixed size is not hurt. */
	r = rig_new(NULL);
	p = base_packet(BASE_fragneeded);
	quote_proto(&p, 17);
	for (unsigned i = 0; i < 40; i++)
		feed(r, &p, T0 + i * S);
	quote_proto(&p, 1);
	for (unsigned i = 0; i < 40; i++)
		feed(r, &p, T0 + 50 * S + i * S);
	assert_int_equal(count_of(r, HOLE), 0);
	rig_free(r);
}

/* Behind an address translator many hosts share an address: each is told once, none is told in vain. */
static void
black_hole_nat(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	for (unsigned i = 0; i < 40; i++) {
		quote_ports(&p, 20000 + i, 443);
		feed(r, &p, T0 + i * 3 * S);
		feed(r, &p, T0 + i * 3 * S + 100 * MS);
	}
	assert_int_equal(count_of(r, HOLE), 0);
	/* One of them does not hear it. */
	quote_ports(&p, 20007, 443);
	for (unsigned i = 0; i < 5; i++)
		feed(r, &p, T0 + 120 * S + i * 4 * S);
	assert_int_equal(count_of(r, HOLE), 1);
	rig_free(r);
}

/* Datagrams of an application do not adapt: a word after ten, no alarm. */
static void
black_hole_datagrams(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);
	uint32_t i = 0;

	quote_proto(&p, 17);
	quote_ports(&p, 4500, 4500);
	for (unsigned k = 0; k < 9; k++)
		feed(r, &p, T0 + k * 4 * S);
	assert_int_equal(count_of(r, HOLE), 0);
	feed(r, &p, T0 + 36 * S);
	assert_finding(only(r, HOLE), HOLE, "datagrams", "info");
	assert_null(ics_hole_next(ics_engine_model(r->engine), &i));
	rig_free(r);
}

/* The host's own link: the frame goes to the MAC that has its address. */
static void
black_hole_on_host(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet ns = base_packet(BASE_ns);

	set_src(&ns, HOST6);
	feed(r, &ns, T0);
	for (unsigned t = 1; t <= 17; t += 4)
		feed_base(r, BASE_ptb, T0 + t * S);
	assert_string_equal(fact_text(only(r, HOLE), "where"), "downstream of the tap, on the host");
	rig_free(r);
}

/* ---- with what the TCP sampler saw ---- */

static struct ics_sample
sample_of(unsigned kind, const char *src, const char *dst)
{
	return (struct ics_sample){
		.kind = (uint8_t)kind,
		.proto = 6,
		.flags = ICS_SAMPLE_DF | (strchr(src, ':') != NULL ? ICS_SAMPLE_IP6 : 0),
		.sport = 50000,
		.dport = 443,
		.src = ip_of(src),
		.dst = ip_of(dst),
	};
}

/* Only what fits is sent for five minutes: it is over, long before the quiet that nobody sees. */
static void
black_hole_obeyed(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_sample s = sample_of(ICS_SAMPLE_SUM, HOST4, FAR4);

	for (unsigned t = 0; t <= 16; t += 4)
		feed_base(r, BASE_fragneeded, T0 + t * S);
	assert_int_equal(only(r, HOLE)->state, ICS_ANOMALY_OPEN);
	s.max_len = 1492;
	for (unsigned i = 1; i <= 5; i++)
		feed_sample(r, &s, T0 + 16 * S + i * 59 * S);
	ics_engine_tick(r->engine, T0 + 315 * S);
	assert_int_equal(only(r, HOLE)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 316 * S);
	assert_int_equal(only(r, HOLE)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* The router limits its messages, but the host is seen to go on. */
static void
black_hole_seen(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_sample s = sample_of(ICS_SAMPLE_RETX, HOST6, FAR6);

	feed_base(r, BASE_ptb, T0);
	s.len = 1500;
	s.n = 3;
	s.lasted_ms = 7000;
	feed_sample(r, &s, T0 + 8 * S);
	assert_finding(only(r, HOLE), HOLE, "ignored", "warn");
	assert_int_equal(fact_value(only(r, HOLE), "sent_len"), 1500);
	assert_int_equal(fact_value(only(r, HOLE), "messages"), 1);
	rig_free(r);
}

static void
no_black_hole_seen(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_sample s = sample_of(ICS_SAMPLE_RETX, HOST6, FAR6);

	feed_base(r, BASE_ptb, T0);
	/* Within moments; what fits; offload; another path; after five minutes, when probing is due. */
	s.len = 1500;
	s.n = 3;
	s.lasted_ms = 4000;
	feed_sample(r, &s, T0 + 4 * S);
	s.len = 1492;
	s.lasted_ms = 7000;
	feed_sample(r, &s, T0 + 20 * S);
	s.len = 32000;
	feed_sample(r, &s, T0 + 30 * S);
	s.len = 1500;
	s.dst.b[15] ^= 1;
	feed_sample(r, &s, T0 + 40 * S);
	s.dst.b[15] ^= 1;
	feed_sample(r, &s, T0 + 301 * S);
	/* A minute that began before the message. */
	s.kind = ICS_SAMPLE_SUM;
	s.max_len = 1500;
	for (unsigned i = 0; i < 3; i++) {
		s.sport++;
		feed_sample(r, &s, T0 + (40 + i) * S);
	}
	assert_int_equal(count_of(r, HOLE), 0);
	rig_free(r);
}

/* ---- pmtu_mss_advice ---- */

static void
tell_fars_of(struct rig *r, unsigned n, uint8_t proto, unsigned mtu, uint64_t ts)
{
	struct packet p = base_packet(BASE_fragneeded);

	quote_proto(&p, proto);
	tell_mtu(&p, mtu);
	for (unsigned i = 0; i < n; i++) {
		char far[20];

		snprintf(far, sizeof(far), "198.51.%u.9", 100 + i);
		quote_far(&p, far);
		feed(r, &p, ts + i * S);
	}
}

static void
tell_fars(struct rig *r, unsigned n, uint64_t ts)
{
	tell_fars_of(r, n, 6, 1492, ts);
}

static void
advice(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	tell_fars(r, 3, T0);
	ics_engine_tick(r->engine, T0 + 599 * S);
	assert_int_equal(count_of(r, ADVICE), 0);
	ics_engine_tick(r->engine, T0 + 602 * S);
	a = only(r, ADVICE);
	assert_finding(a, ADVICE, "egress", "info");
	assert_string_equal(a->subject[0].text, REPORTER4);
	assert_int_equal(fact_value(a, "mss4"), 1452);
	assert_int_equal(fact_value(a, "mss6"), 1432);
	assert_int_equal(fact_value(a, "far_prefixes"), 3);
	assert_string_equal(fact_text(a, "guess_1"), "PPPoE (medium)");
	/* It stays for a day after the last word of that router. */
	tell_fars(r, 3, T0 + 700 * S);
	ics_engine_tick(r->engine, T0 + 702 * S + 86399 * S);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 702 * S + 86400 * S);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* The clamp was seen to work for an hour. */
static void
advice_followed(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_sample s = sample_of(ICS_SAMPLE_SYN, HOST4, "198.51.101.9");

	tell_fars(r, 3, T0);
	ics_engine_tick(r->engine, T0 + 602 * S);
	s.mss = 1452;
	feed_sample(r, &s, T0 + 700 * S);
	/* One that is not clamped begins it anew; one to elsewhere does not. */
	s.mss = 1460;
	feed_sample(r, &s, T0 + 1000 * S);
	s.mss = 1452;
	feed_sample(r, &s, T0 + 1100 * S);
	s.mss = 1460;
	s.dst = ip_of("198.51.7.9");
	feed_sample(r, &s, T0 + 1200 * S);
	ics_engine_tick(r->engine, T0 + 1100 * S + 3599 * S);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 1100 * S + 3600 * S);
	assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Then datagrams that do not fit open it no more; TCP that does not, and a lower MTU, do. */
static void
advice_stays_followed(void **state)
{
	struct ics_sample s = sample_of(ICS_SAMPLE_SYN, HOST4, "198.51.101.9");

	for (unsigned how = 0; how < 3; how++) {
		struct rig *r = rig_new(NULL);
		uint64_t t = T0 + 700 * S + 3600 * S;

		tell_fars(r, 3, T0);
		ics_engine_tick(r->engine, T0 + 602 * S);
		s.mss = 1452;
		feed_sample(r, &s, T0 + 700 * S);
		ics_engine_tick(r->engine, t);
		assert_int_equal(only(r, ADVICE)->state, ICS_ANOMALY_CLEARED);
		for (unsigned i = 0; i < 10; i++)
			tell_fars_of(r, 3, 17, 1492, t += 300 * S);
		assert_int_equal(count_of(r, ADVICE), 1);
		if (how == 1)
			tell_fars(r, 3, t += 300 * S);
		if (how == 2)
			for (unsigned i = 0; i < 4; i++)
				tell_fars_of(r, 3, 17, 1400, t += 300 * S);
		assert_int_equal(count_of(r, ADVICE), how == 0 ? 1 : 2);
		rig_free(r);
	}
}

/* A black hole that nobody tells of is advised about by its far network. */
static void
advice_silent(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_hole h = {
		.host = ip_of(HOST4), .far = ip_of(FAR4), .kind = ICS_HOLE_SILENT, .mtu = 1400, .lost = 1500};
	struct ics_segment_key k = {.vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};

	h.context = ics_path_context(&k);
	feed_base(r, BASE_ra, T0);
	ics_hole_set(ics_engine_model(r->engine), &h);
	assert_finding(only(r, ADVICE), ADVICE, "black_hole", "info");
	assert_string_equal(only(r, ADVICE)->subject[0].key, "far_prefix");
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1360);
	assert_int_equal(fact_value(only(r, ADVICE), "mss6"), 1340);
	rig_free(r);
}

static void
no_advice(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	/* A single path; two of one network; a link that is no smaller than ours. */
	tell_fars(r, 1, T0);
	tell_fars(r, 1, T0 + 120 * S);
	for (unsigned i = 0; i < 4; i++) {
		char far[20];

		snprintf(far, sizeof(far), "198.51.100.%u", 10 + i);
		quote_far(&p, far);
		feed(r, &p, T0 + 121 * S);
	}
	set_src(&p, "203.0.113.2");
	tell_mtu(&p, 1500);
	quote_len(&p, 9000);
	for (unsigned i = 0; i < 4; i++) {
		char far[20];

		snprintf(far, sizeof(far), "198.51.%u.9", 50 + i);
		quote_far(&p, far);
		feed(r, &p, T0 + 122 * S);
	}
	ics_engine_tick(r->engine, T0 + 2000 * S);
	assert_int_equal(count_of(r, ADVICE), 0);
	rig_free(r);
}

/* ---- incident 3 with what ICMP alone tells ---- */

static void
incident(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p;

	feed_base(r, BASE_fragneeded_zero, T0);
	p = base_packet(BASE_fragneeded_mpls);
	set_src(&p, "203.0.113.2");
	quote_far(&p, "198.51.100.20");
	feed(r, &p, T0 + S);
	p = base_packet(BASE_fragneeded);
	set_src(&p, "203.0.113.3");
	quote_far(&p, "198.51.100.30");
	for (unsigned i = 0; i < 5; i++)
		feed(r, &p, T0 + 2 * S + i * 4 * S);
	assert_int_equal(fact_value(only(r, ZERO), "mss4"), 1452);
	assert_string_equal(fact_text(nth_of(r, LEARNED, 1), "guess_1"), "2 MPLS labels, link 1500 (high)");
	assert_int_equal(count_of(r, HOLE), 1);
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1452);
	rig_free(r);
	/* Where an encrypting application lets 1240 pass. */
	r = rig_new(NULL);
	p = base_packet(BASE_fragneeded);
	tell_mtu(&p, 1240);
	for (unsigned i = 0; i < 5; i++)
		feed(r, &p, T0 + i * 4 * S);
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1200);
	rig_free(r);
}

/* A tap that carries one direction cannot tell what was lost. */
static void
silent_needs_both_directions(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_sample s = {.kind = ICS_SAMPLE_SUM,
			       .proto = ICS_PROTO_TCP,
			       .src = ip_of(HOST4),
			       .dst = ip_of(FAR4),
			       .max_len = 1500};

	assert_string_equal(detector(r, "pmtu_blackhole_silent")->state, "not_assessed");
	rig_sample(r);
	feed_sample(r, &s, T0);
	assert_string_equal(detector(r, "pmtu_spoof")->state, "on");
	assert_string_equal(detector(r, "pmtu_blackhole_silent")->state, "not_assessed");
	s.flags = ICS_SAMPLE_BOTH_WAYS;
	feed_sample(r, &s, T0 + S);
	assert_string_equal(detector(r, "pmtu_blackhole_silent")->state, "on");
	rig_free(r);
}

/* Sizes that were acknowledged tell where it begins. Senders that find a way around do not mend it, others that get
 * through do.
 */
static void
silent_bounds(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_sample s = {
		.kind = ICS_SAMPLE_SHRUNK,
		.proto = ICS_PROTO_TCP,
		.flags = ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_DF,
		.src = ip_of(HOST4),
		.dst = ip_of(FAR4),
		.n = 4,
		.lasted_ms = 3200,
		.len = 1500,
		.acked_len = 1076,
		.shrunk_len = 1076,
	};
	const struct ics_anomaly *a;

	rig_sample(r);
	for (s.flow = 1; s.flow <= 4; s.flow++)
		feed_sample(r, &s, T0 + s.flow * S);
	a = only(r, "pmtu_blackhole_silent");
	assert_finding(a, "pmtu_blackhole_silent", "confirmed", "critical");
	assert_int_equal(fact_value(a, "pmtu_low"), 1076);
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1036);
	s.kind = ICS_SAMPLE_SUM;
	s.flags |= ICS_SAMPLE_FULL_ACKED;
	s.acked_len = 1388;
	for (s.flow = 1; s.flow <= 4; s.flow++)
		feed_sample(r, &s, T0 + 60 * S + s.flow * S);
	assert_int_equal(a->state, ICS_ANOMALY_OPEN);
	assert_int_equal(fact_value(a, "pmtu_low"), 1388);
	assert_int_equal(fact_value(a, "pmtu_high"), 1499);
	assert_int_equal(fact_value(only(r, ADVICE), "mss4"), 1348);
	/* Another end of that network, on another path. */
	s.dst = ip_of("198.51.100.77");
	s.acked_len = s.max_len = 1492;
	s.mss = s.peer_mss = 1452;
	s.flow = 11;
	feed_sample(r, &s, T0 + 70 * S);
	assert_int_equal(fact_value(a, "pmtu_low"), 1388);
	for (s.flow = 12; s.flow <= 13; s.flow++)
		feed_sample(r, &s, T0 + 71 * S);
	assert_int_equal(a->state, ICS_ANOMALY_CLEARED);
	/* A connection of before hangs on: that is no news. One that was opened since is. */
	s.kind = ICS_SAMPLE_RETX;
	s.flags = ICS_SAMPLE_BOTH_WAYS | ICS_SAMPLE_HANDSHAKE | ICS_SAMPLE_DF | ICS_SAMPLE_PEER_HEARD;
	s.dst = ip_of(FAR4);
	s.n = 9;
	s.acked_len = 352;
	s.lasted_ms = 55000;
	feed_sample(r, &s, T0 + 100 * S);
	assert_int_equal(count_of(r, "pmtu_blackhole_silent"), 1);
	s.lasted_ms = 13000;
	feed_sample(r, &s, T0 + 101 * S);
	assert_int_equal(count_of(r, "pmtu_blackhole_silent"), 2);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learned),
		cmocka_unit_test(learned_labels),
		cmocka_unit_test(not_learned),
		cmocka_unit_test(learned_once),
		cmocka_unit_test(bogus),
		cmocka_unit_test(bogus_df_clear),
		cmocka_unit_test(bogus_critical),
		cmocka_unit_test(not_bogus),
		cmocka_unit_test(storm),
		cmocka_unit_test(storm_segment),
		cmocka_unit_test(no_storm),
		cmocka_unit_test(storm_copies),
		cmocka_unit_test(legacy_zero),
		cmocka_unit_test(legacy_quirk),
		cmocka_unit_test(black_hole),
		cmocka_unit_test(black_hole_fars),
		cmocka_unit_test(no_black_hole),
		cmocka_unit_test(black_hole_nat),
		cmocka_unit_test(black_hole_datagrams),
		cmocka_unit_test(black_hole_on_host),
		cmocka_unit_test(black_hole_obeyed),
		cmocka_unit_test(black_hole_seen),
		cmocka_unit_test(no_black_hole_seen),
		cmocka_unit_test(advice),
		cmocka_unit_test(advice_followed),
		cmocka_unit_test(advice_stays_followed),
		cmocka_unit_test(advice_silent),
		cmocka_unit_test(no_advice),
		cmocka_unit_test(incident),
		cmocka_unit_test(silent_needs_both_directions),
		cmocka_unit_test(silent_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
