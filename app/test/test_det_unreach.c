/* Source Quench, unreachables and routing loops over sequences of frames in fake time. */
#include "test_pmtu.h"

#define QUENCH "icmp_source_quench"
#define STORM "unreach_storm"
#define ADMIN "unreach_admin_prohibited"
#define LOOP "icmp_te_loop"

/* ---- icmp_source_quench ---- */

static void
quench(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	feed_base(r, BASE_quench, T0);
	feed_base(r, BASE_quench, T0 + 300 * S);
	a = only(r, QUENCH);
	assert_finding(a, QUENCH, "obsolete", "warn");
	assert_string_equal(a->subject[0].text, REPORTER4);
	assert_string_equal(fact_text(a, "host"), HOST4);
	assert_int_equal(fact_value(a, "quoted_dport"), 443);
	assert_int_equal(a->count, 2);
	for (unsigned i = 0; i < 11; i++)
		feed_base(r, BASE_quench, T0 + 400 * S + i * 50 * MS);
	assert_finding(only(r, QUENCH), QUENCH, "attack", "critical");
	assert_int_equal(fact_value(only(r, QUENCH), "peak_per_s"), 11);
	ics_engine_tick(r->engine, T0 + 4000 * S);
	assert_int_equal(only(r, QUENCH)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 4001 * S);
	assert_int_equal(only(r, QUENCH)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
no_quench(void **state)
{
	struct rig *r = rig_new(NULL);

	feed_base(r, BASE_unreach4, T0);
	feed_base(r, BASE_fragneeded, T0 + S);
	feed_base(r, BASE_ptb, T0 + 2 * S);
	assert_int_equal(count_of(r, QUENCH), 0);
	rig_free(r);
}

/* ---- unreach_storm ---- */

/* Port unreachable about packets to hosts of one far network. */
static void
unreach(struct rig *r, unsigned n, unsigned per_s, unsigned fars, unsigned hosts, uint64_t from)
{
	struct packet p = base_packet(BASE_unreach4);

	set8(&p, 1, 1);
	for (unsigned i = 0; i < n; i++) {
		char addr[20];

		snprintf(addr, sizeof(addr), "198.51.%u.%u", 100 + i % fars / 250, 1 + i % fars % 250);
		quote_far(&p, addr);
		snprintf(addr, sizeof(addr), "192.0.2.%u", 1 + i % hosts);
		quote_host(&p, addr);
		quote_ports(&p, 10000 + i % 50000, 80);
		feed(r, &p, from + (uint64_t)i * S / per_s);
	}
}

static void
storm(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	unreach(r, 800, 200, 1, 20, T0);
	a = only(r, STORM);
	assert_finding(a, STORM, "rate", "warn");
	assert_string_equal(a->subject[0].text, REPORTER4);
	assert_string_equal(fact_text(a, "code_name"), "host unreachable");
	assert_int_equal(fact_value(a, "peak_per_s"), 200);
	assert_int_equal(fact_value(a, "destinations"), 1);
	assert_in_range(fact_value(a, "hosts"), 18, 22);
	assert_non_null(strstr(a->says, "a service or network that is gone"));
	unreach(r, 100, 5, 1, 20, T0 + 4 * S);
	ics_engine_tick(r->engine, T0 + 63 * S);
	assert_int_equal(only(r, STORM)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 65 * S);
	assert_int_equal(only(r, STORM)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
	r = rig_new(NULL);
	unreach(r, 6000, 1500, 1, 20, T0);
	assert_finding(only(r, STORM), STORM, "rate", "critical");
	rig_free(r);
}

static void
scan(void **state)
{
	struct rig *r = rig_new(NULL);

	unreach(r, 400, 10, 400, 1, T0);
	assert_finding(only(r, STORM), STORM, "scan", "warn");
	assert_string_equal(only(r, STORM)->subject[0].key, "host");
	assert_string_equal(only(r, STORM)->subject[0].text, "192.0.2.1");
	assert_in_range(fact_value(only(r, STORM), "destinations"), 256, 450);
	rig_free(r);
}

/* Invented reporters, one victim. */
static void
flood(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_unreach6);

	set8(&p, 1, 4);
	quote_proto(&p, 17);
	quote_ports(&p, 53, 53); /* from a name server, but no late answer: no client has that port */
	for (unsigned i = 0; i < 2500; i++) {
		char src[40];

		snprintf(src, sizeof(src), "2001:db8:%x::1", 0x100 + i);
		set_src(&p, src);
		feed(r, &p, T0 + i * S / 2000);
	}
	assert_finding(only(r, STORM), STORM, "flood", "critical");
	assert_string_equal(only(r, STORM)->subject[0].text, HOST6);
	rig_free(r);
}

/* A server that is told about clients that are gone scans nobody. */
static void
server(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_unreach4);

	set8(&p, 1, 1);
	for (unsigned i = 0; i < 600; i++) {
		char far[20];

		snprintf(far, sizeof(far), "198.51.%u.%u", 100 + i / 250, 1 + i % 250);
		quote_far(&p, far);
		quote_ports(&p, 443, 20000 + i);
		feed(r, &p, T0 + i * 100 * MS);
	}
	assert_int_equal(count_of(r, STORM), 0);
	rig_free(r);
}

/* A worker's sampler that saw one flow a second for half a minute: what it did not see was not there. */
static struct ics_sampler *
sampler_of(struct ics_samplers *set)
{
	static const struct ics_sample_conf conf = {.filter_bits = ICS_SAMPLE_FILTER_MIN, .link_mtu = 1500, .seed = 7};
	struct ics_sampler *s = ics_sampler_init(&conf, NULL);
	struct packet p = base_packet(BASE_unreach4);

	assert_non_null(s);
	p.b[p.l3 + 9] = 17;
	set_src(&p, HOST4);
	set_dst(&p, FAR4);
	for (unsigned i = 0; i < 30; i++) {
		struct ics_frame f = {p.b, p.len, p.len, ICS_VLAN_NONE, ICS_LINK_ETHERNET};

		p.b[p.l4 + 1] = (uint8_t)i; /* source port */
		ics_sample_begin(s, T0 + i * S);
		ics_sample_rest(s, &f, ICS_CLASS_ip4_other, T0 + i * S);
	}
	set->n = 1;
	set->at[0] = s;
	return s;
}

/* Our addresses are forged elsewhere: a hundred of them are told about packets that never left. */
static void
backscatter(void **state)
{
	for (unsigned sees_them = 0; sees_them < 2; sees_them++) {
		struct rig *r = rig_new(NULL);
		struct ics_samplers set = {0};
		struct ics_sampler *s = sampler_of(&set);
		struct ics_sample data = {
			.kind = ICS_SAMPLE_HOSTDATA, .proto = 6, .src = ip_of(HOST4), .dst = ip_of(FAR4)};

		ics_engine_set_samplers(r->engine, &set, NULL);
		feed_base(r, BASE_ra, T0 + 28 * S);
		if (sees_them == 1)
			feed_sample(r, &data, T0 + 29 * S);
		unreach(r, 400, 40, 200, 100, T0 + 30 * S);
		if (sees_them == 1) {
			assert_finding(only(r, STORM), STORM, "backscatter", "warn");
			assert_int_equal(fact_value(only(r, STORM), "unseen_percent"), 100);
			assert_in_range(fact_value(only(r, STORM), "hosts"), 80, 120);
			assert_string_equal(only(r, STORM)->subject[0].text, REPORTER4);
		} else {
			/* A tap that carries one direction only knows nothing of what left. */
			assert_int_equal(count_of(r, STORM), 0);
		}
		rig_free(r);
		ics_sampler_free(s);
	}
}

static void
hard_error(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_unreach6);

	/* The quote of the base packet is of a segment with ACK. */
	feed(r, &p, T0);
	feed(r, &p, T0 + S);
	assert_int_equal(count_of(r, STORM), 0);
	feed(r, &p, T0 + 2 * S);
	assert_finding(only(r, STORM), STORM, "hard_error_tcp", "warn");
	assert_int_equal(fact_value(only(r, STORM), "established_tcp"), 3);
	rig_free(r);
	/* A connection that is refused is not established yet. */
	r = rig_new(NULL);
	set8(&p, 48 + 13, 0x02);
	for (unsigned i = 0; i < 20; i++)
		feed(r, &p, T0 + i * S);
	assert_int_equal(count_of(r, STORM), 0);
	rig_free(r);
}

static void
no_storm(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_unreach4);

	/* A traceroute by UDP. */
	set8(&p, 1, 3);
	quote_proto(&p, 17);
	for (unsigned i = 0; i < 30; i++) {
		quote_ports(&p, 40000, 33434 + i);
		feed(r, &p, T0 + i * 100 * MS);
	}
	/* Late answers of name servers to a resolver. */
	for (unsigned i = 0; i < 3000; i++) {
		char host[20];

		snprintf(host, sizeof(host), "192.0.2.%u", 1 + i % 200);
		quote_host(&p, host);
		quote_ports(&p, 53, 10000 + i);
		feed(r, &p, T0 + 100 * S + i * 4 * MS);
	}
	/* Too slow, too short, too few targets. */
	unreach(r, 900, 90, 1, 20, T0 + 200 * S);
	unreach(r, 400, 200, 1, 20, T0 + 300 * S);
	unreach(r, 500, 10, 100, 1, T0 + 400 * S);
	assert_int_equal(count_of(r, STORM), 0);
	rig_free(r);
}

static void
storm_copies(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_fold *fold = ics_fold_init(NULL);

	r->in.fold = fold;
	for (unsigned i = 0; i < 6000; i++)
		feed_base(r, BASE_unreach4, T0 + i * MS);
	ics_inspect_idle(&r->in, T0 + 10 * S);
	assert_int_equal(count_of(r, STORM), 1);
	r->in.fold = NULL;
	ics_fold_free(fold);
	rig_free(r);
}

/* ---- unreach_admin_prohibited ---- */

static void
prohibited(void **state)
{
	static const enum base bases[] = {BASE_unreach4, BASE_unreach6};

	for (unsigned b = 0; b < 2; b++) {
		struct rig *r = rig_new(NULL);
		const struct ics_anomaly *a;

		struct packet p = base_packet(bases[b]);

		if (b == 1)
			set8(&p, 48 + 13, 0x02);
		for (unsigned i = 0; i < 9; i++)
			feed(r, &p, T0 + i * 40 * S);
		assert_int_equal(count_of(r, ADMIN), 0);
		feed(r, &p, T0 + 9 * 40 * S);
		assert_int_equal(count_of(r, ADMIN), 1);
		for (unsigned i = 10; i < 12; i++)
			feed(r, &p, T0 + i * 40 * S);
		a = only(r, ADMIN);
		assert_finding(a, ADMIN, "policy", "info");
		assert_string_equal(a->subject[0].text, b == 0 ? REPORTER4 : REPORTER6);
		assert_string_equal(fact_text(a, "code_name"), "administratively prohibited");
		assert_int_equal(fact_value(a, "messages"), 12);
		assert_int_equal(fact_value(a, "quoted_dport"), 443);
		ics_engine_tick(r->engine, T0 + 440 * S + 3599 * S);
		assert_int_equal(only(r, ADMIN)->state, ICS_ANOMALY_OPEN);
		ics_engine_tick(r->engine, T0 + 440 * S + 3600 * S);
		assert_int_equal(only(r, ADMIN)->state, ICS_ANOMALY_CLEARED);
		rig_free(r);
	}
}

static void
not_prohibited(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_unreach4);

	for (unsigned i = 0; i < 3; i++)
		feed(r, &p, T0 + i * S);
	/* One every two minutes is below ten in ten minutes; port unreachable is no filter; services count apart. */
	for (unsigned i = 0; i < 30; i++)
		feed(r, &p, T0 + 1000 * S + i * 120 * S);
	for (unsigned i = 0; i < 30; i++) {
		quote_ports(&p, 40000, 1000 + i);
		feed(r, &p, T0 + 10000 * S + i * S);
	}
	set8(&p, 1, 3);
	for (unsigned i = 0; i < 30; i++)
		feed(r, &p, T0 + 11000 * S + i * S);
	assert_int_equal(count_of(r, ADMIN), 0);
	rig_free(r);
}

/* Between two on whose path large packets vanish, the filter is the suspect: whichever was found first. */
static void
culprit(void **state)
{
	for (unsigned first = 0; first < 2; first++) {
		struct rig *r = rig_new(NULL);

		for (unsigned i = 0; i < 24; i++) {
			bool is_filter = (i < 12) == (first == 0);

			feed_base(r, is_filter ? BASE_unreach4 : BASE_fragneeded, T0 + i * 4 * S);
		}
		assert_finding(only(r, ADMIN), ADMIN, "black_hole", "warn");
		rig_free(r);
	}
}

/* ---- icmp_te_loop ---- */

static void
exceeded(struct rig *r, unsigned n, unsigned per_s, unsigned reporters, unsigned sources, unsigned ttl, uint64_t from)
{
	struct packet p = base_packet(BASE_unreach6);

	set8(&p, 0, 3);
	set8(&p, 1, 0);
	quote_ttl(&p, (uint8_t)ttl);
	for (unsigned i = 0; i < n; i++) {
		char addr[40];

		snprintf(addr, sizeof(addr), "2001:db8:ff::%x", 1 + i % reporters);
		set_src(&p, addr);
		snprintf(addr, sizeof(addr), "2001:db8:1::%x", 0x10 + i % sources);
		quote_host(&p, addr);
		snprintf(addr, sizeof(addr), "2001:db8:9:%x::9", i % 100);
		quote_far(&p, addr);
		feed(r, &p, from + (uint64_t)i * S / per_s);
	}
}

static void
loop(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_anomaly *a;

	exceeded(r, 300, 100, 2, 5, 1, T0);
	a = only(r, LOOP);
	assert_finding(a, LOOP, "", "warn");
	assert_string_equal(a->subject[0].text, "2001:db8:9::/48");
	assert_string_equal(fact_text(a, "reporter_1"), "2001:db8:ff::1");
	assert_string_equal(fact_text(a, "reporter_2"), "2001:db8:ff::2");
	assert_int_equal(fact_value(a, "peak_per_s"), 100);
	ics_engine_tick(r->engine, T0 + 62 * S);
	assert_int_equal(only(r, LOOP)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 63 * S);
	assert_int_equal(only(r, LOOP)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Packets that are the same each time leave the same messages, which are folded. */
static void
loop_copies(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_fold *fold = ics_fold_init(NULL);
	struct packet p = base_packet(BASE_unreach6);
	const struct ics_anomaly *a;

	r->in.fold = fold;
	set8(&p, 0, 3);
	set8(&p, 1, 0);
	quote_ttl(&p, 1);
	quote_far(&p, "2001:db8:9::9");
	for (unsigned i = 0; i < 500; i++) {
		set_src(&p, i % 2 == 0 ? "2001:db8:ff::1" : "2001:db8:ff::2");
		quote_host(&p, i / 2 % 2 == 0 ? "2001:db8:1::10" : "2001:db8:1::20");
		feed(r, &p, T0 + i * 5 * MS);
	}
	ics_inspect_idle(&r->in, T0 + 10 * S);
	a = only(r, LOOP);
	assert_finding(a, LOOP, "", "warn");
	assert_string_equal(fact_text(a, "reporter_1"), "2001:db8:ff::1");
	assert_string_equal(fact_text(a, "reporter_2"), "2001:db8:ff::2");
	r->in.fold = NULL;
	ics_fold_free(fold);
	rig_free(r);
}

static void
no_loop(void **state)
{
	struct rig *r = rig_new(NULL);

	exceeded(r, 300, 100, 2, 1, 1, T0);            /* one that traces */
	exceeded(r, 300, 40, 2, 5, 1, T0 + 20 * S);    /* too few */
	exceeded(r, 300, 100, 1, 5, 1, T0 + 40 * S);   /* one reporter */
	exceeded(r, 1000, 100, 12, 5, 1, T0 + 60 * S); /* a farm of tracers: every router on the way */
	exceeded(r, 300, 100, 2, 5, 9, T0 + 90 * S);   /* packets that could have gone on */
	assert_int_equal(count_of(r, LOOP), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quench),       cmocka_unit_test(no_quench),  cmocka_unit_test(storm),
		cmocka_unit_test(scan),         cmocka_unit_test(flood),      cmocka_unit_test(backscatter),
		cmocka_unit_test(server),       cmocka_unit_test(hard_error), cmocka_unit_test(no_storm),
		cmocka_unit_test(storm_copies), cmocka_unit_test(prohibited), cmocka_unit_test(not_prohibited),
		cmocka_unit_test(culprit),      cmocka_unit_test(loop),       cmocka_unit_test(no_loop),
		cmocka_unit_test(loop_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
