/* Advertisements by the thousand and in disguise: ra_flood and ra_guard_evasion. */
#include "test_slow.h"

#define FLOOD "ra_flood"
#define EVASION "ra_guard_evasion"
#define FRAG_ATOMIC "0000 0000 00000001"
#define PADN "0000 0104 00000000"

static struct rig *
rig_for(const char *detector, const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = detector;
	return r;
}

/* RA number i of an inventor of routers and prefixes. */
static struct packet
invented(unsigned i)
{
	char addr[ICS_IP_STRLEN], mac[32];
	struct packet p;

	snprintf(addr, sizeof(addr), "fe80::f:%x", i + 1);
	snprintf(mac, sizeof(mac), "02:66:%02x:%02x:%02x:%02x", i >> 24 & 0xff, i >> 16 & 0xff, i >> 8 & 0xff,
		 i & 0xff);
	p = ra_from(addr, mac, 1800, 0);
	set16(&p, 24 + 16 + 4, 0xbad);
	set16(&p, 24 + 16 + 6, (uint16_t)i);
	return p;
}

/* ---- ra_flood ------------------------------------------------------------------------------------ */

static void
invented_routers(void **state)
{
	struct rig *r = rig_for(FLOOD, NULL);
	uint64_t t;

	feed_base(r, BASE_ns, T0);
	t = learn(r);
	for (unsigned i = 0; i < 500; i++) {
		struct packet p = invented(i);

		feed(r, &p, t + S + i * 10 * MS);
		if (i < 4)
			assert_int_equal(count_anomalies(r), 0);
		if (i == 4)
			assert_finding(the_anomaly(r), FLOOD, "routers", "critical");
	}

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, FLOOD, "routers", "critical");
	assert_string_equal(fact_text(a, "variants"), "routers,prefixes,rate");
	assert_in_range(fact_value(a, "routers"), 400, 600);
	assert_in_range(fact_value(a, "prefixes"), 400, 600);
	assert_int_equal(fact_value(a, "rate_max"), 100);
	assert_int_equal(fact_value(a, "one_sender"), 0);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_non_null(strstr(a->says, "many MACs, most likely invented"));
	/* A few were reported as new before it was clear that they are a flood; the rest has one voice. */
	assert_int_equal(detector(r, "router_new")->fired, 5);
	assert_int_equal(detector(r, "router_new")->fired + detector(r, "router_new")->suppressed, 500);
	/* Nor does each of them expire as a finding of its own. */
	ics_engine_tick(r->engine, t + 6 * S + 299 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 6 * S + 400 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
suppresses_zero_lifetimes(void **state)
{
	struct rig *r = rig_for("router_lifetime_zero", "detect.learn_s=0");

	feed_base(r, BASE_ra, T0);
	for (unsigned i = 0; i < 100; i++) {
		struct packet p = invented(i);

		set16(&p, 6, 0);
		feed(r, &p, T0 + S + i * MS);
	}
	assert_in_range(count_anomalies(r), 1, 5);
	assert_in_range(detector(r, "router_lifetime_zero")->suppressed, 95, 99);
	/* What happens to the real router is told all the same. */
	feed_base(r, BASE_inc_ra, T0 + 2 * S);
	assert_finding(nth_anomaly(r, count_anomalies(r)), "router_lifetime_zero", "graceful", "critical");
	rig_free(r);
}

static void
invented_prefixes_and_rate(void **state)
{
	struct rig *r = rig_for(FLOOD, NULL);
	struct packet p = base_packet(BASE_ra);
	uint64_t t = learn(r);

	/* One router, 25 new prefixes within a minute, and then a hundred. */
	for (unsigned i = 0; i < 100; i++) {
		set16(&p, 24 + 16 + 6, (uint16_t)(1000 + i));
		feed(r, &p, t + S + i * 500 * MS);
		if (i == 18)
			assert_int_equal(count_anomalies(r), 0);
		if (i == 25)
			assert_finding(the_anomaly(r), FLOOD, "prefixes", "warn");
	}
	assert_finding(the_anomaly(r), FLOOD, "prefixes", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "one_sender"), 1);
	assert_string_equal(fact_text(the_anomaly(r), "top_mac"), MAC_R);
	rig_free(r);

	/* Nothing new, but fifty a second for three seconds. */
	r = rig_for(FLOOD, NULL);
	t = learn(r);
	for (unsigned i = 0; i < 150; i++) {
		feed_base(r, BASE_ra, t + S + i * 20 * MS);
		if (i == 148)
			assert_int_equal(count_anomalies(r), 0);
	}
	assert_finding(the_anomaly(r), FLOOD, "rate", "critical");
	rig_free(r);
}

static void
ordinary_routers(void **state)
{
	struct packet two = ra_from("fe80::2", MAC_R2, 1800, 0), three = ra_from("fe80::3", MAC_X, 1800, 0);
	struct rig *r = rig_for(FLOOD, "detect.learn_s=0");

	/* Three routers that answer solicitations twice a second. */
	for (unsigned i = 0; i < 60; i++) {
		feed_base(r, BASE_ra, T0 + i * 500 * MS);
		feed(r, &two, T0 + i * 500 * MS + MS);
		feed(r, &three, T0 + i * 500 * MS + 2 * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Switches came up and ten routers speak at once: while they are learned that is no flood. */
	r = rig_for(FLOOD, NULL);
	for (unsigned i = 0; i < 10; i++) {
		struct packet p = invented(i);

		feed(r, &p, T0 + i * 100 * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* ---- ra_guard_evasion ---------------------------------------------------------------------------- */

static void
behind_headers(void **state)
{
	struct packet p = base_packet(BASE_ra), redirect = base_packet(BASE_redirect);
	struct rig *r = rig_for(EVASION, NULL);

	add_ext(&p, ICS_PROTO_DSTOPTS, PADN);
	feed(r, &p, T0);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, EVASION, "ext_header", "critical");
	assert_string_equal(a->subject[0].key, "mac");
	assert_string_equal(a->subject[0].text, MAC_R);
	assert_string_equal(fact_text(a, "chain"), "destination options");
	assert_string_equal(fact_text(a, "message"), "router advertisement");
	assert_string_equal(fact_text(a, "source"), "fe80::1");
	feed(r, &p, T0 + S);
	assert_int_equal(fact_value(the_anomaly(r), "hidden"), 2);
	ics_engine_tick(r->engine, T0 + 601 * S - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 601 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	r = rig_for(EVASION, NULL);
	add_ext(&redirect, ICS_PROTO_HOPOPTS, PADN);
	feed(r, &redirect, T0);
	assert_finding(the_anomaly(r), EVASION, "ext_header", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "message"), "redirect");
	rig_free(r);

	/* An atomic fragment, and more headers than anybody follows. */
	r = rig_for(EVASION, NULL);
	p = base_packet(BASE_ra);
	add_ext(&p, ICS_PROTO_FRAGMENT, FRAG_ATOMIC);
	feed(r, &p, T0);
	assert_finding(the_anomaly(r), EVASION, "fragmented", "critical");
	rig_free(r);
	r = rig_for(EVASION, NULL);
	p = base_packet(BASE_ra);
	for (unsigned i = 0; i < 9; i++)
		add_ext(&p, ICS_PROTO_DSTOPTS, PADN);
	feed(r, &p, T0);
	assert_finding(the_anomaly(r), EVASION, "ext_header", "critical");
	rig_free(r);

	r = rig_for(EVASION, "detect.mute=ra_guard_evasion@" MAC_R);
	feed(r, &p, T0);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* The first fragment ends within a long header, the second one has the rest of it and the message. */
static void
make_fragments(const char *src, uint8_t id, struct packet *one, struct packet *two)
{
	struct packet whole = base_packet(BASE_ra), first = base_packet(BASE_ra), second = base_packet(BASE_ra);

	set_src(&first, src);
	set_src(&second, src);
	set_len(&first, 0);
	append_hex(&first, "3a03 0104 00000000"); /* 32 octets of destination options, of which 8 are here */
	add_ext(&first, ICS_PROTO_FRAGMENT, "0000 0001 00000009");
	first.b[first.l3 + 40] = ICS_PROTO_DSTOPTS;
	set_len(&second, 0);
	append_zero(&second, 24 + 16);
	memcpy(second.b + second.l4 + 24, whole.b + whole.l4, 16);
	add_ext(&second, ICS_PROTO_FRAGMENT, "0000 0008 00000009");
	second.b[second.l3 + 40] = ICS_PROTO_DSTOPTS;
	first.raw = second.raw = false;
	repair(&first);
	repair(&second);
	first.b[first.l3 + 40] = second.b[second.l3 + 40] = ICS_PROTO_DSTOPTS;
	first.b[first.l3 + 40 + 7] = second.b[second.l3 + 40 + 7] = id;
	/* repair() sums what it takes for a message; the type is what counts here. */
	memcpy(second.b + second.l3 + 40 + 8 + 24, whole.b + whole.l4, 16);
	first.raw = second.raw = true;
	*one = first;
	*two = second;
}

static void
in_two_fragments(void **state)
{
	struct rig *r = rig_for(EVASION, NULL);
	struct packet first, second;

	make_fragments("fe80::1", 9, &first, &second);
	feed(r, &first, T0);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &second, T0 + MS);
	assert_finding(the_anomaly(r), EVASION, "fragmented", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "message"), "router advertisement");
	rig_free(r);
}

/* Floods with RAs in fragments are floods, whether or not a switch or a model looks into them. */
static void
flood_in_fragments(void **state)
{
	struct packet first, second, atomic;
	struct rig *r = rig_for(FLOOD, "detect.learn_s=0");
	char addr[ICS_IP_STRLEN];

	/* Five invented routers. */
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(count_anomalies(r), 0);
		snprintf(addr, sizeof(addr), "fe80::f:%x", i);
		make_fragments(addr, (uint8_t)i, &first, &second);
		feed(r, &first, T0 + i * S);
		feed(r, &second, T0 + i * S + MS);
	}
	assert_finding(the_anomaly(r), FLOOD, "routers", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "routers"), 5);
	rig_free(r);

	/* One sender at a high rate: each datagram counts once. */
	r = rig_for(FLOOD, "detect.learn_s=0");
	for (unsigned i = 0; i < 400; i++) {
		make_fragments("fe80::f:1", (uint8_t)i, &first, &second);
		feed(r, &first, T0 + i * 10 * MS);
		feed(r, &second, T0 + i * 10 * MS + MS);
		feed(r, &second, T0 + i * 10 * MS + 2 * MS);
	}
	assert_finding(the_anomaly(r), FLOOD, "rate", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "rate_max"), 100);
	assert_int_equal(fact_value(the_anomaly(r), "routers"), 1);
	rig_free(r);

	/* Atomic fragments, which are whole messages. */
	r = rig_for(FLOOD, "detect.learn_s=0");
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(count_anomalies(r), 0);
		atomic = invented(i);
		add_ext(&atomic, ICS_PROTO_FRAGMENT, "0000 0000 00000009");
		feed(r, &atomic, T0 + i * S);
	}
	assert_finding(the_anomaly(r), FLOOD, "routers", "critical");
	rig_free(r);

	/* A single sender at an ordinary rate is none, however long it goes on. */
	r = rig_for(FLOOD, "detect.learn_s=0");
	for (unsigned i = 0; i < 200; i++) {
		make_fragments("fe80::f:1", (uint8_t)i, &first, &second);
		feed(r, &first, T0 + i * S);
		feed(r, &second, T0 + i * S + MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
chains_nobody_can_follow(void **state)
{
	struct rig *r = rig_for(EVASION, NULL);
	struct packet p = base_packet(BASE_ra);

	set_len(&p, 0);
	add_ext(&p, ICS_PROTO_FRAGMENT, "0000 0001 00000001");
	add_ext(&p, ICS_PROTO_DSTOPTS, "00ff 0104 00000000"); /* longer than the fragment */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(count_anomalies(r), 0);
		p.b[p.l3 + 40 + 7] = (uint8_t)i; /* of another datagram */
		feed(r, &p, T0 + i * 25 * S);
	}
	assert_finding(the_anomaly(r), EVASION, "unparseable", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "message"), "not known");
	rig_free(r);

	r = rig_for(EVASION, NULL);
	for (unsigned i = 0; i < 10; i++) {
		p.b[p.l3 + 40 + 7] = (uint8_t)i;
		feed(r, &p, T0 + i * 31 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
ordinary_headers_and_fragments(void **state)
{
	struct rig *r = rig_for(EVASION, NULL);
	struct packet udp = base_packet(BASE_ra), ns = base_packet(BASE_ns), echo = base_packet(BASE_na), later;
	struct packet plain = base_packet(BASE_ra), signedra = base_packet(BASE_ra);

	make_udp(&udp);
	add_ext(&udp, ICS_PROTO_FRAGMENT, "0000 0001 00000001");
	for (unsigned i = 0; i < 10; i++) {
		udp.b[udp.l3 + 47] = (uint8_t)i;
		feed(r, &udp, T0 + i * MS);
		feed_base(r, BASE_report2, T0 + i * MS);
		feed_base(r, BASE_query2, T0 + i * MS);
	}
	/* Somebody pings all nodes with large packets. */
	set_len(&echo, 0);
	append_zero(&echo, 64);
	set_hex(&echo, 0, "8000 0000 1234 0001");
	set_dst(&echo, "ff02::1");
	later = echo;
	add_ext(&echo, ICS_PROTO_FRAGMENT, "0000 0001 00000001");
	add_ext(&later, ICS_PROTO_FRAGMENT, "0000 0040 00000001");
	for (unsigned i = 0; i < 10; i++) {
		echo.b[echo.l3 + 47] = later.b[later.l3 + 47] = (uint8_t)(100 + i);
		feed(r, &echo, T0 + S + i * MS);
		feed(r, &later, T0 + S + i * MS);
	}
	feed(r, &ns, T0 + 2 * S);
	plain.snap = 60; /* of a short snapshot nothing is said */
	add_ext(&plain, ICS_PROTO_DSTOPTS, PADN);
	for (unsigned i = 0; i < 10; i++)
		feed(r, &plain, T0 + 3 * S + i * MS);
	plain = base_packet(BASE_ra);
	add_ext(&plain, ICS_PROTO_FRAGMENT, "0000 0001 00000001");
	add_ext(&plain, ICS_PROTO_DSTOPTS, PADN);
	plain.snap = 66;
	for (unsigned i = 0; i < 10; i++) {
		plain.b[plain.l3 + 47] = (uint8_t)(200 + i);
		feed(r, &plain, T0 + 4 * S + i * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Signed messages of a laboratory are a note. */
	r = rig_for(EVASION, NULL);
	add_ext(&signedra, ICS_PROTO_AH, "0004 0000 00000001 00000001 000000000000000000000000");
	feed(r, &signedra, T0);
	assert_finding(the_anomaly(r), EVASION, "authenticated", "info");
	rig_free(r);
}

/* One attacker with a new MAC for each RA is not a finding each. */
static void
hidden_by_many_macs(void **state)
{
	struct rig *r = rig_for(EVASION, NULL);

	for (unsigned i = 0; i < 200; i++) {
		struct packet p = invented(i);

		add_ext(&p, ICS_PROTO_HOPOPTS, PADN);
		feed(r, &p, T0 + i * 10 * MS);
	}
	assert_int_equal(count_anomalies(r), 4);
	for (unsigned n = 1; n <= 3; n++)
		assert_string_equal(nth_anomaly(r, n)->subject[0].key, "mac");
	assert_string_equal(nth_anomaly(r, 4)->subject[0].key, "segment");
	assert_int_equal(nth_anomaly(r, 4)->count, 197);
	assert_non_null(strstr(nth_anomaly(r, 4)->says, "most likely invented, the latest 02:66:00:00:00:c7"));
	/* Over, and later anew: the first MACs have their own finding again. */
	ics_engine_tick(r->engine, T0 + 3 * S + 601 * S);
	for (unsigned n = 1; n <= 4; n++)
		assert_int_equal(nth_anomaly(r, n)->state, ICS_ANOMALY_CLEARED);
	struct packet p = invented(1000);
	add_ext(&p, ICS_PROTO_HOPOPTS, PADN);
	feed(r, &p, T0 + 700 * S);
	assert_string_equal(nth_anomaly(r, 5)->subject[0].key, "mac");
	rig_free(r);
}

/* A router that answers a flood of solicitations does what it must; nd_flood is about those who ask. */
static void
answers_are_no_flood(void **state)
{
	for (unsigned asked = 0; asked < 2; asked++) {
		struct rig *r = rig_for(FLOOD, NULL);
		uint64_t t = learn(r) + S;

		for (unsigned i = 0; i < 100 * 6; i++) {
			struct packet rs = base_packet(BASE_rs), ra = base_packet(BASE_ra);

			set8(&rs, 7, (uint8_t)i); /* reserved: no two are copies */
			set16(&ra, 12 + 2, (uint16_t)i);
			if (asked)
				feed(r, &rs, t + i * 10 * MS);
			feed(r, &ra, t + i * 10 * MS + (asked ? 400 * MS : 0));
		}
		if (asked)
			assert_int_equal(count_anomalies(r), 0);
		else
			assert_finding(the_anomaly(r), FLOOD, "rate", "critical");
		rig_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invented_routers),
		cmocka_unit_test(suppresses_zero_lifetimes),
		cmocka_unit_test(invented_prefixes_and_rate),
		cmocka_unit_test(ordinary_routers),
		cmocka_unit_test(behind_headers),
		cmocka_unit_test(in_two_fragments),
		cmocka_unit_test(flood_in_fragments),
		cmocka_unit_test(chains_nobody_can_follow),
		cmocka_unit_test(ordinary_headers_and_fragments),
		cmocka_unit_test(hidden_by_many_macs),
		cmocka_unit_test(answers_are_no_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
