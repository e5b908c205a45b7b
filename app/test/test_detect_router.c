/* The router detectors over whole sequences of frames in fake time: what must fire, with which variant, severity and
 * evidence, what must not, and when it clears.
 */
#include "test_slow.h"

#define LZ "router_lifetime_zero"
#define FC "router_flag_cleared"

static struct rig *
router_rig(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = LZ " " FC;
	return r;
}

/* ---- router_lifetime_zero ------------------------------------------------------------------------ */

static void
retraction_of_the_only_gateway(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t;

	feed_base(r, BASE_ns, T0); /* one host */
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + 13 * S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, LZ, "graceful", "critical");
	assert_string_equal(a->rfc, "4861 6.2.5");
	assert_int_equal(a->state, ICS_ANOMALY_OPEN);
	assert_int_equal(a->count, 1);
	assert_int_equal(a->n_frames, 1);
	assert_int_equal(a->frame_no[0], 6);
	assert_int_equal(a->proof[ICS_PROOF_FIRST].len, 118);
	assert_int_equal(a->segment.vlan_outer, ICS_VLAN_NONE);
	assert_string_equal(a->subject[0].key, "router");
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_string_equal(a->subject[1].key, "mac");
	assert_string_equal(a->subject[1].text, MAC_R);
	assert_string_equal(fact_text(a, "event"), "gateway_retracted");
	assert_string_equal(fact_text(a, "variants"), "graceful");
	assert_string_equal(fact_text(a, "router_mac"), MAC_R);
	assert_string_equal(fact_text(a, "learned_macs"), MAC_R);
	assert_int_equal(fact_value(a, "mac_known"), 1);
	assert_int_equal(fact_value(a, "lifetime_before_s"), 1800);
	assert_int_equal(fact_value(a, "lifetime_after_s"), 0);
	assert_int_equal(fact_value(a, "lifetime_left_s"), 1787000);
	assert_int_equal(fact_value(a, "last_ra_age_s"), 13000);
	assert_int_equal(fact_value(a, "default_routers_left"), 0);
	assert_string_equal(fact_text(a, "default_routers"), "");
	assert_int_equal(fact_value(a, "zero_ras"), 1);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_null(ics_fact_find(a, "reason"));
	assert_string_equal(a->says,
			    "fe80::1 (00:00:5e:00:53:01) told every host to drop it as IPv6 gateway: Router Lifetime "
			    "1800 -> 0, 1787 s "
			    "before it would have run out; no other default router is left for 1 host. Check "
			    "forwarding, uplink and a "
			    "restart of the RA daemon on that router; if it is not yours, find the port of this MAC.");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_RETRACTED);
	rig_free(r);
}

static void
more_retractions_are_one_finding(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 3; i++)
		feed_base(r, BASE_inc_ra, t + (10 + i * 16) * S);
	assert_finding(the_anomaly(r), LZ, "graceful", "critical");
	feed_base(r, BASE_inc_ra, t + 60 * S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, LZ, "gateway_retracted", "critical");
	assert_int_equal(fact_value(a, "zero_ras"), 4);
	assert_int_equal(fact_value(a, "lifetime_left_s"), 1790000);
	assert_int_equal(a->count, 4);
	assert_int_equal(a->frame_no[3], 8);
	rig_free(r);
}

static void
first_seen_zero(void **state)
{
	struct rig *r = router_rig(NULL);

	feed_base(r, BASE_inc_ra, T0);
	assert_finding(the_anomaly(r), LZ, "first_seen_zero", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "event"), "first_seen_zero");
	rig_free(r);

	r = router_rig("detect.gateways=fe80::1");
	feed_base(r, BASE_inc_ra, T0);
	assert_finding(the_anomaly(r), LZ, "first_seen_zero", "critical");
	rig_free(r);

	r = router_rig("detect.nondefault_ok=fe80::1");
	feed_base(r, BASE_inc_ra, T0);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(detector(r, LZ)->suppressed, 1);
	rig_free(r);
}

/* Routers for prefixes only: a note where there is a gateway, a warning if its MAC says that it routes. */
static void
prefix_only_router(void **state)
{
	struct packet p = ra_from("fe80::2", MAC_R2, 0, 0), na = base_packet(BASE_na);
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 30; i++)
		feed(r, &p, t + i * 100 * S);
	assert_finding(the_anomaly(r), LZ, "first_seen_zero", "info");
	assert_int_equal(fact_value(the_anomaly(r), "zero_ras"), 30);
	rig_free(r);

	r = router_rig(NULL);
	t = learn(r);
	set_smac(&na, MAC_R2);
	set_src(&na, "fe80::2");
	set_addr(&na, 8, "fe80::2");
	set_hex(&na, 26, "00005e005302");
	feed(r, &na, t + S);
	feed(r, &p, t + 2 * S);
	assert_finding(the_anomaly(r), LZ, "first_seen_zero", "warn");
	rig_free(r);
}

/* A router of a mesh, alone on its network: it has a route or a resolver to offer, and takes back neither. */
static void
router_of_something_else(void **state)
{
	static const struct {
		const char *option, *severity;
	} cases[] = {
		{"1802 4000 00000708 fd00000000010000", "info"},
		{"1903 0000 00000708 20010db8000000000000000000000053", "info"},
		{"1802 4000 00000000 fd00000000010000", "warn"},
		{"1903 0000 00000000 20010db8000000000000000000000053", "warn"},
	};

	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(cases); i++) {
		struct rig *r = router_rig(NULL);
		struct packet p = base_packet(BASE_inc_ra);

		append_hex(&p, cases[i].option);
		feed(r, &p, T0);
		assert_finding(the_anomaly(r), LZ, "first_seen_zero", cases[i].severity);
		rig_free(r);
	}
}

static void
forged_then_contradicted(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_inc_ra);
	uint64_t t = learn(r);

	set_smac(&p, MAC_X);
	feed(r, &p, t + 10 * S);
	assert_finding(the_anomaly(r), LZ, "forged", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "mac_known"), 0);
	assert_string_equal(fact_text(the_anomaly(r), "router_mac"), MAC_X);
	assert_non_null(strstr(the_anomaly(r)->says, MAC_X ", which is not the router's MAC (" MAC_R ")"));
	feed_base(r, BASE_ra, t + 15 * S);
	assert_finding(the_anomaly(r), LZ, "forged", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "forged,contradicted,graceful");
	assert_int_equal(fact_value(the_anomaly(r), "contradicted_after_s"), 5000);
	/* The forger's MAC is not learned by what it forged. */
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->n_macs, 1);
	rig_free(r);

	/* A foreign SLLA alone. */
	r = router_rig(NULL);
	p = base_packet(BASE_inc_ra);
	set_hex(&p, 18, "00005e005366");
	t = learn(r);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), LZ, "forged", "critical");
	rig_free(r);
}

static void
contradicted_by_the_router_itself(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_ra, t + 31 * S);
	assert_finding(the_anomaly(r), LZ, "contradicted", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "contradicted,graceful");
	rig_free(r);

	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_ra, t + 31 * S + MS);
	assert_finding(the_anomaly(r), LZ, "graceful", "critical");
	rig_free(r);
}

static void
uplink_loss(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_inc_ra);
	uint64_t t = learn(r);

	set32(&p, 32, 0);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), LZ, "uplink_loss", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "uplink_loss,graceful");
	rig_free(r);
}

/* Less bad while another router with at least the same preference remains. */
static void
other_routers_remain(void **state)
{
	static const struct {
		unsigned flags;
		const char *severity, *list;
	} rows[] = {
		{0x08, "warn", "fe80::2 prf=high"},
		{0x00, "warn", "fe80::2 prf=medium"},
		{0x18, "critical", "fe80::2 prf=low"},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct packet p = ra_from("fe80::2", MAC_R2, 1800, rows[i].flags);
		struct rig *r = router_rig(NULL);
		uint64_t t = learn(r);

		feed(r, &p, t);
		feed_base(r, BASE_inc_ra, t + S);
		assert_finding(the_anomaly(r), LZ, "graceful", rows[i].severity);
		assert_int_equal(fact_value(the_anomaly(r), "default_routers_left"), 1);
		assert_string_equal(fact_text(the_anomaly(r), "default_routers"), rows[i].list);
		rig_free(r);
	}
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0);
	struct rig *r = router_rig("detect.gateways=fe80::1");
	uint64_t t = learn(r);

	feed(r, &p, t);
	feed_base(r, BASE_inc_ra, t + S);
	assert_finding(the_anomaly(r), LZ, "graceful", "critical");
	rig_free(r);
}

static void
fhrp(void **state)
{
	struct packet up = ra_from("fe80::1", MAC_VRRP, 1800, 0), down = ra_from("fe80::1", MAC_VRRP, 0, 0);
	struct rig *r = router_rig(NULL);

	feed(r, &up, T0);
	feed(r, &down, T0 + 10 * S);
	assert_finding(the_anomaly(r), LZ, "graceful", "warn");
	feed(r, &up, T0 + 12 * S);
	assert_finding(the_anomaly(r), LZ, "fhrp_handover", "warn");
	ics_engine_tick(r->engine, T0 + 14 * S);
	assert_finding(the_anomaly(r), LZ, "fhrp_handover", "warn");
	rig_free(r);

	/* Nobody took over. */
	r = router_rig(NULL);
	feed(r, &up, T0);
	feed(r, &down, T0 + 10 * S);
	ics_engine_tick(r->engine, T0 + 13 * S - 1);
	assert_finding(the_anomaly(r), LZ, "graceful", "warn");
	ics_engine_tick(r->engine, T0 + 13 * S);
	assert_finding(the_anomaly(r), LZ, "graceful", "critical");
	feed(r, &up, T0 + 14 * S);
	assert_string_equal(the_anomaly(r)->variant, "contradicted");
	rig_free(r);

	/* Virtual by configuration. */
	r = router_rig("detect.anycast_gw_macs=" MAC_R);
	feed_base(r, BASE_ra, T0);
	feed_base(r, BASE_inc_ra, T0 + S);
	assert_finding(the_anomaly(r), LZ, "graceful", "warn");
	rig_free(r);
}

static void
fhrp_macs(void **state)
{
	static const struct {
		const char *mac;
		bool fhrp;
	} rows[] = {
		{"00:00:5e:00:01:07", true}, {"00:00:5e:00:02:ff", true},  {"00:00:5e:00:53:01", false},
		{"00:05:73:a0:00:00", true}, {"00:05:73:a0:0f:ff", true},  {"00:05:73:a0:10:00", false},
		{"00:00:0c:07:ac:01", true}, {"00:00:0c:07:ad:01", false}, {"00:00:0c:9f:f0:01", true},
		{"00:00:0c:9f:ff:ff", true}, {"00:00:0c:9f:e0:00", false}, {"00:07:b4:01:02:03", true},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_mac m;

		assert_int_equal(ics_mac_parse(rows[i].mac, &m), 0);
		assert_int_equal(ics_mac_is_fhrp(&m), rows[i].fhrp);
	}
}

static void
lifetime_zero_clears(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_ra, t + 40 * S);
	ics_engine_tick(r->engine, t + 100 * S - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 200 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(the_anomaly(r)->cleared_ns, t + 100 * S);
	assert_int_equal(detector(r, LZ)->fired, 1);
	assert_int_equal(detector(r, LZ)->cleared, 1);
	/* The next one is a finding of its own. */
	feed_base(r, BASE_inc_ra, t + 210 * S);
	assert_int_equal(count_anomalies(r), 2);
	rig_free(r);

	/* A second RA does, the other half of a split one does not. */
	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_ra, t + 40 * S);
	feed_base(r, BASE_ra, t + 40 * S + MS);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed_base(r, BASE_ra, t + 45 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* Another zero in between starts it over; a stranger's lifetime is no recovery. */
	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_ra, t + 40 * S);
	feed_base(r, BASE_inc_ra, t + 60 * S);
	struct packet x = ra_from("fe80::1", MAC_X, 1800, 0);
	feed(r, &x, t + 70 * S);
	ics_engine_tick(r->engine, t + 1000 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	rig_free(r);
}

static void
lifetime_zero_muted(void **state)
{
	struct rig *r = router_rig("detect.mute=" LZ "@fe80::1");
	uint64_t t = learn(r);

	feed_base(r, BASE_inc_ra, t + S);
	assert_finding(the_anomaly(r), LZ, "graceful", "warn");
	assert_true(the_anomaly(r)->muted);
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_RETRACTED);
	assert_string_equal(detector(r, LZ)->state, "on");
	rig_free(r);

	static const char *const others[] = {"detect.mute=" FC, "detect.mute=" LZ "@fe80::2",
					     "detect.mute=" LZ "@vlan7", "detect.mute=" LZ "@" MAC_X,
					     "detect.mute=" LZ "/2016-05-12T00:00:00Z"};
	for (unsigned i = 0; i < ICS_ARRAY_LEN(others); i++) {
		r = router_rig(others[i]);
		t = learn(r);
		feed_base(r, BASE_inc_ra, t + S);
		assert_finding(the_anomaly(r), LZ, "graceful", "critical");
		assert_false(the_anomaly(r)->muted);
		rig_free(r);
	}
	r = router_rig("detect.mute=*");
	assert_string_equal(detector(r, LZ)->state, "muted");
	rig_free(r);
}

/* What a conforming receiver discards changes nothing; what some receiver takes is one step less bad. */
static void
lifetime_zero_invalid_and_lenient(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_inc_ra);
	uint64_t t = learn(r);

	set_ip8(&p, 7, 254);
	feed(r, &p, t + S);
	p = base_packet(BASE_inc_ra);
	p.raw = true;
	set16(&p, 2, 0x1234);
	feed(r, &p, t + 2 * S);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_DEFAULT);

	p = base_packet(BASE_inc_ra);
	add_ext(&p, ICS_PROTO_FRAGMENT, "0000000012345678");
	feed(r, &p, t + 3 * S);
	assert_finding(the_anomaly(r), LZ, "graceful", "warn");
	assert_true(the_anomaly(r)->lenient);
	assert_string_equal(fact_text(the_anomaly(r), "reason"), "lenient");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_DEFAULT);
	/* The proof makes it worse. */
	feed_base(r, BASE_inc_ra, t + 4 * S);
	assert_finding(the_anomaly(r), LZ, "graceful", "critical");
	assert_false(the_anomaly(r)->lenient);
	rig_free(r);
}

/* Demoted by an NA it still is the gateway of hosts without a neighbour entry; expired it is nobody's. */
static void
lifetime_zero_by_state(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	feed_base(r, BASE_inc_na, t + S);
	feed_base(r, BASE_inc_ra, t + 2 * S);
	assert_int_equal(count_anomalies(r), 2);
	assert_finding(nth_anomaly(r, 2), LZ, "graceful", "critical");
	rig_free(r);

	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + 1801 * S);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_EXPIRED);
	rig_free(r);
}

static void
lifetime_zero_by_vlan(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet ra = base_packet(BASE_ra), zero = base_packet(BASE_inc_ra);
	struct packet ra20 = base_packet(BASE_ra);

	set_encap(&ra, "8100000a86dd");
	set_encap(&ra20, "8100001486dd");
	set_encap(&zero, "8100000a86dd");
	feed(r, &ra20, T0);
	feed(r, &zero, T0 + S);
	/* On VLAN 10 it is the first that is heard of that router. */
	assert_finding(the_anomaly(r), LZ, "first_seen_zero", "warn");
	assert_int_equal(the_anomaly(r)->segment.vlan_outer, 10);
	assert_int_equal(ics_model_segment_count(ics_engine_model(r->engine)), 2);
	feed(r, &ra, T0 + 2 * S);
	feed(r, &zero, T0 + 3 * S);
	assert_finding(the_anomaly(r), LZ, "contradicted", "critical");
	assert_int_equal(ics_model_segment(ics_engine_model(r->engine), 0)->default_routers, 1);
	rig_free(r);
}

/* Many of them on one segment are a flood, which has its own voice, but for a gateway that is configured. */
static void
first_seen_zero_is_bounded(void **state)
{
	enum { FEW = 20 }; /* new routers in ten seconds that may be real while a segment is learned */
	struct rig *r = router_rig("detect.gateways=fe80::1");
	struct packet p;

	for (unsigned i = 0; i < 1000; i++) {
		char addr[ICS_IP_STRLEN];

		snprintf(addr, sizeof(addr), "fe80::7:%x", i);
		p = ra_from(addr, MAC_X, 0, 0);
		feed(r, &p, T0 + i * MS);
	}
	assert_int_equal(count_anomalies(r), FEW);
	assert_int_equal(detector(r, LZ)->suppressed, 1000 - FEW);
	feed_base(r, BASE_inc_ra, T0 + 2 * S);
	assert_finding(nth_anomaly(r, FEW + 1), LZ, "first_seen_zero", "critical");
	rig_free(r);
}

/* A flood of invented routers neither raises a finding each nor hides what happens to the real one. */
static void
lifetime_zero_under_flood(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_inc_ra), up = base_packet(BASE_ra);
	struct ics_model_stats ms;
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 20000; i++) {
		char addr[ICS_IP_STRLEN], vlan[16];
		struct packet q = i % 2 ? p : up;

		/* 2,500 VLANs, each with a few routers that come and go. */
		snprintf(addr, sizeof(addr), "fe80::%x:%x", 1 + i / 2 % 3, 1 + i / 10000);
		snprintf(vlan, sizeof(vlan), "8100%04x86dd", 1 + i / 2 % 2500);
		set_src(&q, addr);
		set_encap(&q, vlan);
		feed(r, &q, t + i * 10000);
	}
	assert_int_equal(detector(r, LZ)->fired - detector(r, LZ)->cleared, ICS_ANOMALY_OPEN_MAX);
	feed_base(r, BASE_inc_ra, t + 10 * S);
	assert_int_equal(detector(r, LZ)->fired - detector(r, LZ)->cleared, ICS_ANOMALY_OPEN_MAX);
	const struct ics_anomaly *a = nth_anomaly(r, (unsigned)detector(r, LZ)->fired);
	assert_non_null(a);
	assert_finding(a, LZ, "graceful", "critical");
	assert_int_equal(a->segment.vlan_outer, ICS_VLAN_NONE);
	ics_model_stats(ics_engine_model(r->engine), &ms);
	assert_true(ms.segments <= ICS_SEGMENTS_MAX && ms.routers <= ICS_ROUTERS_MAX);
	rig_free(r);
}

/* ---- router_flag_cleared ------------------------------------------------------------------------- */

static void
flag_cleared_to_all(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t;

	feed_base(r, BASE_ns, T0);
	t = learn(r);
	feed_base(r, BASE_na, t + S);
	feed_base(r, BASE_inc_na, t + 13 * S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, FC, "unsol_all", "critical");
	assert_string_equal(a->rfc, "4861 7.2.5");
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_string_equal(a->subject[1].text, MAC_R);
	assert_string_equal(fact_text(a, "event"), FC);
	assert_string_equal(fact_text(a, "variants"), "unsol_all");
	assert_string_equal(fact_text(a, "match"), "both");
	assert_int_equal(fact_value(a, "kill"), 1);
	assert_string_equal(fact_text(a, "target"), "fe80::1");
	assert_string_equal(fact_text(a, "source"), "fe80::1");
	assert_int_equal(fact_value(a, "flag_r"), 0);
	assert_int_equal(fact_value(a, "flag_s"), 0);
	assert_int_equal(fact_value(a, "flag_o"), 1);
	assert_string_equal(fact_text(a, "tlla"), MAC_R);
	assert_int_equal(fact_value(a, "mac_known"), 1);
	assert_string_equal(fact_text(a, "dst_scope"), "all hosts");
	assert_int_equal(fact_value(a, "victims"), 0);
	assert_int_equal(fact_value(a, "last_ra_lifetime_s"), 1800);
	assert_int_equal(fact_value(a, "last_r1_age_s"), 12000);
	assert_string_equal(fact_text(a, "router_state_before"), "default");
	assert_int_equal(fact_value(a, "default_routers_left"), 0);
	assert_int_equal(fact_value(a, "hosts"), 1);
	assert_int_equal(fact_value(a, "chronic"), 0);
	assert_string_equal(
		a->says,
		"fe80::1 (00:00:5e:00:53:01) told every host that it is no router: router flag 1 -> 0 in a Neighbor "
		"Advertisement to ff02::1; no other default router is left for 1 host. Its last Router Lifetime was "
		"1800 s. "
		"Enable IPv6 forwarding on that interface of the router, or stop the host that uses the gateway's "
		"address.");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_HOSTED);

	/* Again: no second finding, and what it was before stays in evidence. */
	feed_base(r, BASE_inc_na, t + 14 * S);
	feed_base(r, BASE_inc_na, t + 15 * S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "router_state_before"), "default");
	assert_int_equal(fact_value(the_anomaly(r), "chronic"), 1);
	assert_int_equal(the_anomaly(r)->count, 3);
	rig_free(r);
}

/* Routers keep no default routers: what one answers another takes nothing from anybody. */
static void
flag_cleared_to_a_router(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_na_r0), ra = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = learn(r);

	feed(r, &ra, t + S);
	set_dst(&p, "fe80::2");
	r->watched = FC;
	feed(r, &p, t + 2 * S);
	assert_finding(the_anomaly(r), FC, "ineffective", "info");
	assert_string_equal(fact_text(the_anomaly(r), "note"),
			    "its receiver is a router itself, and routers have no default router");
	assert_int_equal(fact_value(the_anomaly(r), "victims"), 0);
	rig_free(r);
}

static void
flag_cleared_to_one(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	feed_base(r, BASE_na_r0, t + S);
	assert_finding(the_anomaly(r), FC, "sol_unicast", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "victims"), 1);
	assert_string_equal(fact_text(the_anomaly(r), "dst_scope"), "one host");
	assert_string_equal(fact_text(the_anomaly(r), "tlla"), "");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_DEFAULT);
	/* The same host again is no second victim. */
	feed_base(r, BASE_na_r0, t + 2 * S);
	for (unsigned i = 1; i < 5; i++) {
		struct packet p = base_packet(BASE_na_r0);
		char dst[ICS_IP_STRLEN];

		assert_finding(the_anomaly(r), FC, "sol_unicast", "warn");
		snprintf(dst, sizeof(dst), "fe80::10:%x", i);
		set_dst(&p, dst);
		feed(r, &p, t + (2 + i) * S);
	}
	assert_finding(the_anomaly(r), FC, "sol_unicast", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "victims"), 5);
	assert_int_equal(the_anomaly(r)->count, 6);
	for (unsigned i = 0; i < 100; i++) {
		struct packet p = base_packet(BASE_na_r0);
		char dst[ICS_IP_STRLEN];

		snprintf(dst, sizeof(dst), "fe80::11:%x", i);
		set_dst(&p, dst);
		feed(r, &p, t + 10 * S);
	}
	assert_int_equal(fact_value(the_anomaly(r), "victims"), 64);
	assert_int_equal(fact_value(the_anomaly(r), "victims_at_least"), 1);
	rig_free(r);

	struct packet p = base_packet(BASE_na_r0);
	set8(&p, 4, 0);
	r = router_rig("detect.r0_victims=1");
	t = learn(r);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), FC, "unsol_unicast", "critical");
	assert_non_null(strstr(detector(r, FC)->thresholds, "r0_victims 1 "));
	rig_free(r);
}

static void
flag_cleared_variants(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_inc_na);
	uint64_t t = learn(r);

	/* The router speaks about somebody else: only the source is a router's. */
	set_addr(&p, 8, "fe80::77");
	feed(r, &p, t + S);
	assert_string_equal(the_anomaly(r)->variant, "source_only");
	assert_string_equal(fact_text(the_anomaly(r), "match"), "source");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_DEFAULT);
	rig_free(r);

	r = router_rig(NULL);
	t = learn(r);
	p = base_packet(BASE_inc_na);
	set_hex(&p, 26, "00005e005366");
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), FC, "hijack", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "tlla"), MAC_X);
	rig_free(r);

	/* From an address that is not the router's. */
	r = router_rig(NULL);
	t = learn(r);
	p = base_packet(BASE_inc_na);
	set_src(&p, "fe80::66");
	set_smac(&p, MAC_X);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "match"), "target");
	assert_int_equal(fact_value(the_anomaly(r), "mac_known"), 0);
	rig_free(r);

	/* A missing TLLA is no excuse. */
	r = router_rig(NULL);
	t = learn(r);
	p = base_packet(BASE_inc_na);
	set_len(&p, 24);
	set8(&p, 4, 0);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	rig_free(r);
}

static void
flag_cleared_without_effect(void **state)
{
	struct rig *r = router_rig(NULL);
	struct packet p = base_packet(BASE_inc_na);
	uint64_t t = learn(r);

	set8(&p, 4, 0);
	set_hex(&p, 26, "00005e005366");
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), FC, "ineffective", "info");
	assert_int_equal(fact_value(the_anomaly(r), "kill"), 0);
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_DEFAULT);
	/* Nothing happened, so nothing must recover. */
	ics_engine_tick(r->engine, t + 2701 * S - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 2701 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* Cut before the option that decides: nobody knows. With override it does not matter. */
	r = router_rig(NULL);
	t = learn(r);
	struct packet cut = base_packet(BASE_inc_na);
	set8(&cut, 4, 0);
	cut.snap = 78;
	feed(r, &cut, t + S);
	assert_finding(the_anomaly(r), FC, "ineffective", "info");
	assert_non_null(strstr(fact_text(the_anomaly(r), "note"), "captured"));
	set8(&cut, 4, ICS_NA_FLAG_OVERRIDE);
	feed(r, &cut, t + 2 * S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	rig_free(r);

	/* Then one that has an effect. */
	r = router_rig(NULL);
	t = learn(r);
	feed(r, &p, t + S);
	feed_base(r, BASE_inc_na, t + 2 * S);
	feed(r, &p, t + 3 * S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "unsol_all");
	assert_int_equal(fact_value(the_anomaly(r), "kill"), 1);
	rig_free(r);

	/* A router that took itself out of service first. */
	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_inc_na, t + 2 * S);
	assert_int_equal(count_anomalies(r), 2);
	const struct ics_anomaly *a = nth_anomaly(r, 2);
	assert_finding(a, FC, "ineffective", "info");
	assert_string_equal(fact_text(a, "note"), "not a default router at the time");
	assert_string_equal(fact_text(a, "router_state_before"), "retracted");
	rig_free(r);

	/* One that only ever announced prefixes. */
	r = router_rig("detect.nondefault_ok=fe80::1");
	feed_base(r, BASE_inc_ra, T0);
	feed_base(r, BASE_inc_na, T0 + S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "warn");
	rig_free(r);
}

static void
flag_cleared_modifiers(void **state)
{
	struct packet second = ra_from("fe80::2", MAC_R2, 1800, 0), p = base_packet(BASE_inc_na);
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	add_ext(&p, ICS_PROTO_FRAGMENT, "0000000012345678");
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "warn");
	assert_true(the_anomaly(r)->lenient);
	assert_string_equal(fact_text(the_anomaly(r), "reason"), "lenient");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_DEFAULT);
	rig_free(r);

	/* One source_only with and without another gateway: to the whole segment the only one counts more. */
	for (unsigned i = 0; i < 2; i++) {
		r = router_rig(NULL);
		t = learn(r);
		if (i == 1)
			feed(r, &second, t);
		p = base_packet(BASE_inc_na);
		set_addr(&p, 8, "fe80::77");
		feed(r, &p, t + S);
		assert_finding(the_anomaly(r), FC, "source_only", i == 0 ? "critical" : "warn");
		assert_int_equal(fact_value(the_anomaly(r), "default_routers_left"), i);
		rig_free(r);
	}
	r = router_rig("detect.gateways=fe80::1");
	t = learn(r);
	feed_base(r, BASE_na_r0, t + S);
	assert_finding(the_anomaly(r), FC, "sol_unicast", "critical");
	rig_free(r);
}

static void
published_field_capture(void **state)
{
	struct rig *r = router_rig("detect.gateways=fe80::20d:b9ff:fe43:59a5");

	feed_base(r, BASE_na_lost_router, T0);
	assert_finding(the_anomaly(r), FC, "sol_unicast", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "router_state_before"), "unknown");
	assert_null(ics_fact_find(the_anomaly(r), "last_ra_lifetime_s"));
	rig_free(r);

	r = router_rig(NULL);
	feed_base(r, BASE_na_lost_router, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
flag_cleared_silent(void **state)
{
	struct packet host = base_packet(BASE_inc_na), hop = base_packet(BASE_inc_na), flag = base_packet(BASE_inc_na);
	struct packet proxy = base_packet(BASE_na_r0), new_addr = base_packet(BASE_inc_na);
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	set_src(&host, "fe80::10");
	set_addr(&host, 8, "fe80::10");
	feed(r, &host, t + S);
	set_ip8(&hop, 7, 64);
	feed(r, &hop, t + 2 * S);
	set8(&flag, 4, 0xa0);
	feed(r, &flag, t + 3 * S);
	/* RFC 4861 7.2.8: the router answers for a host behind it. */
	set_addr(&proxy, 8, "2001:db8:1::77");
	feed(r, &proxy, t + 4 * S);
	/* RFC 9131: a host announces its new address to routers. */
	set_src(&new_addr, "2001:db8:1::10");
	set_dst(&new_addr, "ff02::2");
	set_addr(&new_addr, 8, "2001:db8:1::10");
	set8(&new_addr, 4, 0);
	feed(r, &new_addr, t + 5 * S);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(detector(r, FC)->suppressed, 1);
	/* The same address on another VLAN is another node. */
	struct packet other = base_packet(BASE_inc_na);
	set_encap(&other, "8100000a86dd");
	feed(r, &other, t + 6 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Before it forwards, a router that starts says that it is none; a stranger's DAD is no excuse. */
static void
flag_cleared_after_own_dad(void **state)
{
	struct packet dad = base_packet(BASE_dad);
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	set_dst(&dad, "ff02::1:ff00:1");
	set_addr(&dad, 8, "fe80::1");
	set_smac(&dad, MAC_R);
	feed(r, &dad, t + S);
	feed_base(r, BASE_inc_na, t + 61 * S - 1);
	assert_int_equal(count_anomalies(r), 0);
	assert_int_equal(detector(r, FC)->suppressed, 1);
	feed_base(r, BASE_inc_na, t + 61 * S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	rig_free(r);

	r = router_rig(NULL);
	t = learn(r);
	set_smac(&dad, MAC_X);
	feed(r, &dad, t + S);
	feed_base(r, BASE_inc_na, t + 2 * S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	rig_free(r);
}

static void
flag_cleared_mixed_and_clears(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	feed_base(r, BASE_inc_na, t + S);
	feed_base(r, BASE_ra, t + 100 * S);
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "unsol_all");
	feed_base(r, BASE_inc_na, t + 200 * S);
	assert_finding(the_anomaly(r), FC, "unsol_all", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "unsol_all,mixed");
	/* It advertises a reachable time of 900 s: quiet for three times that, after it said R=1. */
	ics_engine_tick(r->engine, t + 9000 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed_base(r, BASE_na, t + 9001 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_na, t + S);
	feed_base(r, BASE_ra, t + 100 * S);
	ics_engine_tick(r->engine, t + 2701 * S - 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 2701 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* Without a reachable time ten minutes are enough. */
	struct packet p = base_packet(BASE_ra);
	set32(&p, 8, 0);
	r = router_rig(NULL);
	feed(r, &p, T0);
	feed_base(r, BASE_na_r0, T0 + S);
	feed(r, &p, T0 + 100 * S);
	ics_engine_tick(r->engine, T0 + 601 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
flag_cleared_is_capped(void **state)
{
	struct rig *r = router_rig(NULL);
	struct ics_anomaly_stats st;

	for (unsigned i = 0; i < ICS_ANOMALY_OPEN_MAX + 50; i++) {
		struct packet ra = base_packet(BASE_ra), na = base_packet(BASE_inc_na);
		char vlan[16];

		snprintf(vlan, sizeof(vlan), "8100%04x86dd", 1 + i);
		set_encap(&ra, vlan);
		set_encap(&na, vlan);
		feed(r, &ra, T0 + i * MS);
		feed(r, &na, T0 + i * MS);
	}
	ics_anomaly_stats(r->store, &st);
	assert_true(st.not_opened >= 50);
	assert_int_equal(count_anomalies(r), ICS_ANOMALY_OPEN_MAX);
	assert_int_equal(detector(r, FC)->fired, ICS_ANOMALY_OPEN_MAX);
	rig_free(r);
}

/* ---- both ---------------------------------------------------------------------------------------- */

/* Ordinary life: nothing to report. */
static void
not_violations(void **state)
{
	static const enum base quiet[] = {BASE_ra,     BASE_rs,       BASE_ns,       BASE_dad,     BASE_na,
					  BASE_query1, BASE_query2,   BASE_report1,  BASE_done1,   BASE_report2,
					  BASE_ptb,    BASE_redirect, BASE_unreach4, BASE_unreach6};
	struct rig *r = router_rig(NULL);
	struct packet no_slla = base_packet(BASE_ra);

	remove_bytes(&no_slla, 16, 8);
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned b = 0; b < ICS_ARRAY_LEN(quiet); b++)
			feed_base(r, quiet[b], T0 + i * 30 * S + b * MS);
		/* Options split over two RAs, and one without SLLA (6.2.3). */
		feed(r, &no_slla, T0 + i * 30 * S + 20 * MS);
		feed_base(r, BASE_ra, T0 + i * 30 * S + 21 * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
time_runs_backwards(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	/* Another capture, a day older: the clock goes on from where it was. */
	feed_base(r, BASE_ra, t - 86400 * S);
	feed_base(r, BASE_inc_ra, t - 86400 * S + 13 * S);
	assert_finding(the_anomaly(r), LZ, "graceful", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "lifetime_left_s"), 1787000);
	assert_int_equal(the_anomaly(r)->first_ns, t - 86400 * S + 13 * S);
	feed_base(r, BASE_ra, t - 86400 * S + 50 * S);
	ics_engine_tick(r->engine, t - 86400 * S + 110 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(the_anomaly(r)->cleared_ns, t - 86400 * S + 110 * S);
	rig_free(r);

	/* Up to 100 ms is disorder between rings, and not rebased. */
	r = router_rig(NULL);
	t = learn(r);
	feed_base(r, BASE_inc_ra, t + S);
	feed_base(r, BASE_inc_ra, t + 950 * MS);
	ics_engine_tick(r->engine, t + 2 * S);
	assert_int_equal(ics_model_clock(ics_engine_model(r->engine))->offset_ns, 0);
	assert_int_equal(the_anomaly(r)->count, 2);
	rig_free(r);
}

/* The incident as it happened: RAs add the route, NAs remove it, at last an RA does. */
static void
whole_incident(void **state)
{
	struct rig *r = router_rig(NULL);
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 100; i++) {
		feed_base(r, BASE_ra, t + i * 360 * S);
		feed_base(r, BASE_inc_na, t + i * 360 * S + 13 * S);
	}
	feed_base(r, BASE_inc_ra, t + 100 * 360 * S - 13 * S);
	assert_int_equal(count_anomalies(r), 2);
	assert_finding(nth_anomaly(r, 1), FC, "unsol_all", "critical");
	ics_engine_anomalies(r->engine);
	assert_int_equal(nth_anomaly(r, 1)->count, 100);
	assert_string_equal(fact_text(nth_anomaly(r, 1), "variants"), "unsol_all,mixed");
	assert_finding(nth_anomaly(r, 2), LZ, "graceful", "critical");
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->r0_count, 100);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retraction_of_the_only_gateway),
		cmocka_unit_test(more_retractions_are_one_finding),
		cmocka_unit_test(first_seen_zero),
		cmocka_unit_test(prefix_only_router),
		cmocka_unit_test(router_of_something_else),
		cmocka_unit_test(first_seen_zero_is_bounded),
		cmocka_unit_test(forged_then_contradicted),
		cmocka_unit_test(contradicted_by_the_router_itself),
		cmocka_unit_test(uplink_loss),
		cmocka_unit_test(other_routers_remain),
		cmocka_unit_test(fhrp),
		cmocka_unit_test(fhrp_macs),
		cmocka_unit_test(lifetime_zero_clears),
		cmocka_unit_test(lifetime_zero_muted),
		cmocka_unit_test(lifetime_zero_invalid_and_lenient),
		cmocka_unit_test(lifetime_zero_by_state),
		cmocka_unit_test(lifetime_zero_by_vlan),
		cmocka_unit_test(lifetime_zero_under_flood),
		cmocka_unit_test(flag_cleared_to_all),
		cmocka_unit_test(flag_cleared_to_a_router),
		cmocka_unit_test(flag_cleared_to_one),
		cmocka_unit_test(flag_cleared_variants),
		cmocka_unit_test(flag_cleared_without_effect),
		cmocka_unit_test(flag_cleared_modifiers),
		cmocka_unit_test(published_field_capture),
		cmocka_unit_test(flag_cleared_silent),
		cmocka_unit_test(flag_cleared_after_own_dad),
		cmocka_unit_test(flag_cleared_mixed_and_clears),
		cmocka_unit_test(flag_cleared_is_capped),
		cmocka_unit_test(not_violations),
		cmocka_unit_test(time_runs_backwards),
		cmocka_unit_test(whole_incident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
