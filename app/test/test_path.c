/* The path table: what it learns, refuses, forgets and keeps through a flood of forged messages; and what an MTU looks
 * like, for every row of the guess table.
 */
#include "test_pmtu.h"

static struct ics_guess
guess(uint32_t mtu, bool is_ip4, unsigned labels, uint8_t encap, uint32_t quoted)
{
	struct ics_guess_hint hint = {.is_ip4 = is_ip4, .n_labels = (uint8_t)labels, .encap = encap, .quoted = quoted};
	struct ics_guess g;

	ics_guess_encap(mtu, &hint, &g);
	return g;
}

static bool
has(const struct ics_guess *g, const char *text)
{
	for (unsigned i = 0; i < g->n; i++)
		if (strcmp(g->at[i].text, text) == 0)
			return true;
	return false;
}

static void
guess_table(void **state)
{
	static const struct {
		uint32_t mtu;
		bool is_ip4;
		const char *candidate[3];
	} rows[] = {
		{1496, true, {"1 MPLS label", "an 802.1Q tag without room for it"}},
		{1492, true, {"PPPoE", "2 MPLS labels (L3VPN)", "QinQ"}},
		{1488, true, {"3 MPLS labels", "PPPoE and 1 MPLS label"}},
		{1484, true, {"PPPoE and 2 MPLS labels"}},
		{1480, true, {"IPIP", "NAT64 or 464XLAT"}},
		{1480, false, {"6in4 or 6rd"}},
		{1476, true, {"GRE over IPv4"}},
		{1472, true, {"GRE with key over IPv4"}},
		{1472, false, {"GRE with key over IPv4", "6in4 over PPPoE"}},
		{1468, true, {"GRE with key and sequence over IPv4", "GRE over PPPoE"}},
		{1464, true, {"GTP-U"}},
		{1460, true, {"DS-Lite (IPv4 in IPv6)"}},
		{1460, false, {"IPv6 in IPv6"}},
		{1456, true, {"GRE over IPv6"}},
		{1452, false, {"IPv6 tunnel with encapsulation limit (Linux)"}},
		{1450, true, {"VXLAN over IPv4"}},
		{1446, true, {"ESP AES-GCM tunnel over IPv4"}},
		{1442, true, {"Geneve with 8 octets of options (OVN)"}},
		{1440, true, {"WireGuard over IPv4"}},
		{1438, true, {"ESP AES-CBC tunnel over IPv4", "ESP AES-GCM tunnel with NAT-T over IPv4"}},
		{1432, true, {"WireGuard over IPv4 over PPPoE"}},
		{1430, true, {"VXLAN over IPv6"}},
		{1422, true, {"ESP AES-CBC tunnel with NAT-T over IPv4"}},
		{1420, true, {"WireGuard (default, over IPv6)"}},
		{1412, true, {"WireGuard (default) over PPPoE"}},
		{1400, true, {"GRE with IPsec", "a mobile network"}},
		{1280, false, {"a tunnel or setting at the IPv6 minimum", "Teredo", "a mobile network"}},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_guess g = guess(rows[i].mtu, rows[i].is_ip4, 0, 0, 1500);

		for (unsigned k = 0; k < 3 && rows[i].candidate[k] != NULL; k++)
			if (!has(&g, rows[i].candidate[k]))
				fail_msg("%u: no candidate %s", rows[i].mtu, rows[i].candidate[k]);
		assert_string_equal(g.at[0].text, rows[i].candidate[0]);
		assert_in_range(g.n, 1, ICS_GUESS_MAX);
	}
}

static void
guess_ties(void **state)
{
	struct ics_guess g;
	char text[200];

	/* What the tap sees decides. */
	g = guess(1492, true, 0, ICS_ENCAP_PPPOE, 1500);
	assert_string_equal(g.at[0].text, "PPPoE");
	assert_int_equal(g.at[0].confidence, ICS_CONFIDENCE_HIGH);
	g = guess(1492, true, 0, ICS_ENCAP_QINQ, 1500);
	assert_string_equal(g.at[0].text, "QinQ");
	g = guess(1492, true, 2, 0, 1500);
	assert_string_equal(g.at[0].text, "2 MPLS labels, link 1500");
	assert_int_equal(g.at[0].confidence, ICS_CONFIDENCE_HIGH);
	assert_int_equal(g.link, 1500);
	g = guess(8988, true, 3, 0, 9000);
	assert_string_equal(g.at[0].text, "3 MPLS labels, link 9000");
	assert_int_equal(g.at[0].confidence, ICS_CONFIDENCE_HIGH);
	g = guess(1484, true, 2, 0, 1500);
	assert_string_equal(g.at[0].text, "2 MPLS labels over PPPoE, link 1500");
	assert_int_equal(g.at[0].confidence, ICS_CONFIDENCE_MEDIUM);
	/* Links that are larger or smaller than Ethernet's. */
	g = guess(1500, true, 0, 0, 9000);
	assert_string_equal(g.at[0].text, "a link with MTU 1500");
	assert_int_equal(g.at[0].confidence, ICS_CONFIDENCE_HIGH);
	g = guess(8950, true, 0, 0, 9000);
	assert_string_equal(g.at[0].text, "VXLAN over IPv4, link 9000");
	/* No usual one. */
	g = guess(1411, true, 0, 0, 1500);
	assert_int_equal(g.n, 0);
	assert_string_equal(ics_guess_say(&g, text, sizeof(text)), "not the mark of any usual encapsulation");
	g = guess(1492, true, 0, 0, 1500);
	assert_string_equal(ics_guess_say(&g, text, sizeof(text)), "PPPoE, 2 MPLS labels (L3VPN) or QinQ");
	assert_string_equal(ics_guess_say(&g, text, 12), "PPPoE");
	ics_guess_encap(1492, &(struct ics_guess_hint){.is_ip4 = true, .n_labels = 2}, &g);
	assert_string_equal(ics_guess_say(&g, text, sizeof(text)), "2 MPLS labels, link 1500");
}

static void
guess_numbers(void **state)
{
	static const struct {
		uint32_t len, ihl, estimate;
	} plateau[] = {
		{1500, 20, 1492}, {1520, 20, 1492}, {1492, 20, 1006}, {1006, 20, 508},
		{576, 20, 508},   {508, 20, 296},   {296, 20, 68},    {68, 20, 68},
		{9000, 20, 8166}, {4372, 20, 2002}, {1512, 20, 1006},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(plateau); i++)
		assert_int_equal(ics_guess_plateau(plateau[i].len, plateau[i].ihl, 1500), plateau[i].estimate);
	/* AES-GCM and AES-CBC tunnels over IPv4, plain and in UDP. */
	assert_int_equal(ics_guess_esp(1500, 20, 0, 8, 16, 4), 1446);
	assert_int_equal(ics_guess_esp(1500, 20, 8, 8, 16, 4), 1438);
	assert_int_equal(ics_guess_esp(1500, 20, 0, 16, 12, 16), 1438);
	assert_int_equal(ics_guess_esp(1500, 20, 0, 16, 16, 16), 1438);
	assert_int_equal(ics_guess_esp(1500, 20, 8, 16, 12, 16), 1422);
	assert_int_equal(ics_guess_esp(40, 20, 8, 16, 12, 16), 0);
	assert_int_equal(ics_mss4(1492), 1452);
	assert_int_equal(ics_mss6(1492), 1432);
	assert_int_equal(ics_mss6(60), 0);
}

/* Incident 3: two labels on 1,500-octet links, PPPoE, then IPsec. */
static void
incident(void **state)
{
	struct ics_guess g = guess(1492, true, 2, 0, 1500);

	assert_string_equal(g.at[0].text, "2 MPLS labels, link 1500");
	assert_int_equal(ics_mss4(1492), 1452);
	assert_int_equal(ics_mss6(1492), 1432);
	g = guess(1492, true, 0, ICS_ENCAP_PPPOE, 1500);
	assert_string_equal(g.at[0].text, "PPPoE");
	assert_int_equal(g.at[0].confidence, ICS_CONFIDENCE_HIGH);
	/* Both under each other. */
	g = guess(1484, true, 0, ICS_ENCAP_PPPOE, 1500);
	assert_string_equal(g.at[0].text, "PPPoE and 2 MPLS labels");
	/* GRE and IPsec by the rule of thumb, and the application that needed an MSS of 1200. */
	assert_int_equal(ics_mss4(1400), 1360);
	assert_int_equal(ics_mss6(1400), 1340);
	g = guess(1240, true, 0, 0, 1500);
	assert_int_equal(ics_mss4(1240), 1200);
	assert_string_equal(g.at[0].text, "several encapsulations, ESP among them");
	/* An ESP tunnel over PPPoE is told by its number. */
	g = guess(ics_guess_esp(1492, 20, 0, 8, 16, 4), true, 0, 0, 1500);
	assert_true(has(&g, "ESP AES-GCM tunnel over IPv4, PPPoE"));
}

static void
learns(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded_mpls), q = base_packet(BASE_ptb);
	const struct ics_path *path;
	const struct ics_reporter *rep;
	struct ics_ip reporter = ip_of(REPORTER4);
	char ip[ICS_IP_STRLEN];

	feed(r, &p, T0);
	path = path_of(r, HOST4, FAR4);
	assert_non_null(path);
	assert_int_equal(path->mtu, 1492);
	assert_int_equal(path->class, ICS_PATH_TCP);
	assert_int_equal(path->quoted_len, 1500);
	assert_int_equal(path->n_labels, 2);
	assert_int_equal(path->sport, 50000);
	assert_int_equal(path->dport, 443);
	assert_int_equal(path->repeats, 0);
	assert_string_equal(ics_ip_format(&path->reporter, ip), REPORTER4);
	rep = ics_reporter_find(ics_engine_model(r->engine), path->context, &reporter);
	assert_non_null(rep);
	assert_int_equal(rep->rows, 1);
	assert_int_equal(rep->n_far, 1);
	assert_int_equal(ics_quote_label(rep->labels[0]), 100);
	assert_int_equal(ics_quote_label(rep->labels[1]), 200);
	feed(r, &q, T0 + S);
	path = path_of(r, HOST6, FAR6);
	assert_non_null(path);
	assert_int_equal(path->mtu, 1492);
	rig_free(r);
}

/* RFC 8201 4, RFC 1191 6.3: never raised but by age. */
static void
only_lower(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb);

	feed(r, &p, T0);
	tell_mtu(&p, 1480);
	feed(r, &p, T0 + S);
	assert_int_equal(path_of(r, HOST6, FAR6)->mtu, 1480);
	assert_int_equal(path_of(r, HOST6, FAR6)->repeats, 0);
	tell_mtu(&p, 1490);
	feed(r, &p, T0 + 2 * S);
	assert_int_equal(path_of(r, HOST6, FAR6)->mtu, 1480);
	assert_int_equal(path_of(r, HOST6, FAR6)->repeats, 0);
	tell_mtu(&p, 1480);
	feed(r, &p, T0 + 3 * S);
	assert_int_equal(path_of(r, HOST6, FAR6)->repeats, 1);
	/* What it had of the first is gone ten minutes after the last. */
	ics_engine_tick(r->engine, T0 + 602 * S);
	assert_non_null(path_of(r, HOST6, FAR6));
	ics_engine_tick(r->engine, T0 + 604 * S);
	assert_null(path_of(r, HOST6, FAR6));
	tell_mtu(&p, 1490);
	feed(r, &p, T0 + 605 * S);
	assert_int_equal(path_of(r, HOST6, FAR6)->mtu, 1490);
	rig_free(r);
}

static void
sweeps(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb);
	struct ics_model_stats st;

	feed(r, &p, T0);
	ics_engine_tick(r->engine, T0 + 700 * S);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.paths, 0);
	assert_int_equal(st.path_expiries, 1);
	rig_free(r);
}

static void
refuses(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb), q = base_packet(BASE_fragneeded);
	struct ics_model_stats st;

	tell_mtu(&p, 1279);
	feed(r, &p, T0);
	tell_mtu(&p, 1500);
	feed(r, &p, T0);
	tell_mtu(&p, 0);
	feed(r, &p, T0);
	tell_mtu(&p, 70000);
	feed(r, &p, T0);
	p = base_packet(BASE_ptb);
	p.raw = true;
	p.b[p.l4 + 2] ^= 1; /* checksum */
	feed(r, &p, T0);
	tell_mtu(&q, 40);
	feed(r, &q, T0);
	tell_mtu(&q, 575);
	feed(r, &q, T0);
	tell_mtu(&q, 1500);
	feed(r, &q, T0);
	q = base_packet(BASE_fragneeded);
	set16(&q, 14, 0); /* DF */
	feed(r, &q, T0);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.paths, 0);
	rig_free(r);
}

/* A router that tells no MTU: hosts guess, and what another tells exactly replaces the guess. */
static void
estimates(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_fragneeded);

	feed_base(r, BASE_fragneeded_zero, T0);
	assert_int_equal(path_of(r, HOST4, FAR4)->mtu, 1492);
	assert_true(path_of(r, HOST4, FAR4)->flags & ICS_PATH_ESTIMATE);
	tell_mtu(&p, 1496);
	feed(r, &p, T0 + S);
	assert_int_equal(path_of(r, HOST4, FAR4)->mtu, 1496);
	assert_false(path_of(r, HOST4, FAR4)->flags & ICS_PATH_ESTIMATE);
	rig_free(r);
}

static void
copies_count(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_inspect *in = &r->in;
	struct ics_fold *fold = ics_fold_init(NULL);

	assert_non_null(fold);
	in->fold = fold;
	for (unsigned i = 0; i < 50; i++)
		feed_base(r, BASE_ptb, T0 + i * MS);
	ics_inspect_idle(in, T0 + 5 * S);
	assert_int_equal(path_of(r, HOST6, FAR6)->repeats, 49);
	in->fold = NULL;
	ics_fold_free(fold);
	rig_free(r);
}

/* 300,000 forged messages about as many paths, half of them from as many reporters, half from four: true rows stay, whether heard once before, heard
 * again, or known by their reporter; the table stays small, and all that did not find room is counted.
 */
static void
flood(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb), forged = base_packet(BASE_ptb);
	struct ics_model_stats st;
	struct ics_ip reporter = ip_of(REPORTER6);
	const struct ics_path *path;

	for (unsigned i = 0; i < 100; i++) {
		char far[40];

		snprintf(far, sizeof(far), "2001:db8:9:%x::9", i);
		quote_far(&p, far);
		feed(r, &p, T0 + i * S / 20);
	}
	quote_far(&p, "2001:db8:9:0::9");
	feed(r, &p, T0 + 8 * S);
	for (unsigned i = 0; i < 300000; i++) {
		char addr[40];

		snprintf(addr, sizeof(addr), "2001:db8:%x:%x::1", 0x1000 + i / 65536, i % 65536);
		quote_far(&forged, addr);
		if (i % 2 == 0)
			snprintf(addr, sizeof(addr), "2001:db8:%x:%x::2", 0x2000 + i / 65536, i % 65536);
		else
			snprintf(addr, sizeof(addr), "2001:db8:2000::%x", i % 8);
		set_src(&forged, addr);
		feed(r, &forged, T0 + 10 * S + i * (S / 100000));
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	/* 200 a second are believed: a route change brings as many. */
	assert_in_range(st.paths, ICS_PATHS_FLOOD_MAX, ICS_PATHS_FLOOD_MAX + 100 + 4 * 200);
	assert_in_range(st.reporters, 1, ICS_REPORTERS_MAX);
	assert_int_equal(st.path_evictions + st.paths, 300000 + 100 - st.path_drops);
	for (unsigned i = 0; i < 100; i++) {
		char far[40];

		snprintf(far, sizeof(far), "2001:db8:9:%x::9", i);
		path = path_of(r, HOST6, far);
		assert_non_null(path);
		assert_int_equal(path->mtu, 1492);
	}
	assert_int_equal(path_of(r, HOST6, "2001:db8:9:0::9")->repeats, 1);
	path = path_of(r, HOST6, "2001:db8:9:1::9");
	assert_non_null(ics_reporter_find(ics_engine_model(r->engine), path->context, &reporter));
	/* Told as what it is, in few words. */
	assert_string_equal(only(r, "pmtu_storm")->variant, "segment");
	assert_in_range(count_of(r, "pmtu_learned"), 1, 24);
	rig_free(r);
}

/* A single reporter has its quota. */
static void
quota(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb);
	struct ics_model_stats st;

	for (unsigned i = 0; i < ICS_PATHS_PER_REPORTER + 1000; i++) {
		char far[40];

		snprintf(far, sizeof(far), "2001:db8:%x::9", i);
		quote_far(&p, far);
		feed(r, &p, T0 + i * (S / 100));
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.paths, ICS_PATHS_PER_REPORTER);
	assert_int_equal(st.path_drops, 1000);
	rig_free(r);
}

/* Seventeen reporters with a full quota each, all heard twice: more than there is room for. */
static void
full(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ptb);
	struct ics_model_stats st;
	unsigned n = 17 * ICS_PATHS_PER_REPORTER;

	for (unsigned i = 0; i < n; i += ICS_PATHS_PER_REPORTER) {
		char addr[40];

		snprintf(addr, sizeof(addr), "2001:db8:ff::%x", 1 + i / ICS_PATHS_PER_REPORTER);
		set_src(&p, addr);
		for (unsigned k = 0; k < 2 * ICS_PATHS_PER_REPORTER; k++) {
			unsigned far = i + k % ICS_PATHS_PER_REPORTER;
			uint64_t at = T0 + i / ICS_PATHS_PER_REPORTER * 20 * S + k * (S / 4000);

			snprintf(addr, sizeof(addr), "2001:db8:%x:%x::9", 0x1000 + far / 65536, far % 65536);
			quote_far(&p, addr);
			feed(r, &p, at);
		}
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	/* Who is there and was heard again stays; the last reporter finds no room, either time. */
	assert_int_equal(st.paths, ICS_PATHS_MAX);
	assert_int_equal(st.path_evictions, 0);
	assert_int_equal(st.path_drops, 2 * ICS_PATHS_PER_REPORTER);
	rig_free(r);
}

static void
black_holes(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_hole h = {
		.kind = ICS_HOLE_SILENT, .mtu = 1400, .lost = 1500, .host = ip_of(HOST4), .far = ip_of(FAR4)};
	struct ics_segment_key k = {.vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};
	const struct ics_hole *got;
	uint32_t i = 0;

	h.context = ics_path_context(&k);
	feed_base(r, BASE_fragneeded, T0);
	assert_null(ics_hole_next(m, &i));
	got = ics_hole_set(m, &h);
	assert_non_null(got);
	assert_int_equal(got->first_ns, T0);
	assert_true(path_of(r, HOST4, FAR4)->flags & ICS_PATH_HOLE);
	h.mtu = 1300;
	ics_engine_tick(r->engine, T0 + 5 * S);
	assert_ptr_equal(ics_hole_set(m, &h), got);
	assert_int_equal(got->first_ns, T0);
	assert_int_equal(got->last_ns, T0 + 5 * S);
	assert_ptr_equal(ics_hole_find(m, h.context, &h.host, &h.far, ICS_HOLE_SILENT), got);
	assert_null(ics_hole_find(m, h.context, &h.host, &h.far, ICS_HOLE_REPEAT));
	i = 0;
	assert_ptr_equal(ics_hole_next(m, &i), got);
	assert_int_equal(got->mtu, 1300);
	ics_hole_end(m, h.context, &h.host, &h.far, ICS_HOLE_SILENT);
	i = 0;
	assert_null(ics_hole_next(m, &i));
	assert_false(path_of(r, HOST4, FAR4)->flags & ICS_PATH_HOLE);
	/* The cap holds, and is counted. */
	for (i = 0; i < ICS_BLACK_HOLES_MAX + 5; i++) {
		struct ics_model_stats st;

		h.far.b[15] = (uint8_t)i;
		h.far.b[14] = (uint8_t)(i >> 8);
		(void)ics_hole_set(m, &h);
		ics_model_stats(m, &st);
		assert_int_equal(st.holes, i < ICS_BLACK_HOLES_MAX ? i + 1 : ICS_BLACK_HOLES_MAX);
		assert_int_equal(st.hole_drops, i < ICS_BLACK_HOLES_MAX ? 0 : i + 1 - ICS_BLACK_HOLES_MAX);
	}
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guess_table),  cmocka_unit_test(guess_ties), cmocka_unit_test(guess_numbers),
		cmocka_unit_test(incident),     cmocka_unit_test(learns),     cmocka_unit_test(only_lower),
		cmocka_unit_test(sweeps),       cmocka_unit_test(refuses),    cmocka_unit_test(estimates),
		cmocka_unit_test(copies_count), cmocka_unit_test(flood),      cmocka_unit_test(quota),
		cmocka_unit_test(black_holes),  cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
