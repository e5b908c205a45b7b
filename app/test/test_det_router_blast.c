/* What a gateway anomaly says of the damage: how many hosts lose what, who is left with which preference, and since when.
 * Redundant routers that take over within three seconds are less bad. Every router detector honours mute.
 */
#include "test_slow.h"

/* fe80::1 was learned for 600 s; fe80::2 came with it, fe80::3 300 s later. Two hosts are there. */
static struct rig *
three_routers(const char *settings, unsigned prf2, unsigned prf3)
{
	struct packet r2 = ra_from("fe80::2", MAC_R2, 1800, prf2),
		      r3 = ra_from("fe80::3", "00:00:5e:00:53:03", 1800, prf3);
	struct rig *r = rig_new(settings);
	struct packet h = base_packet(BASE_dad);

	for (unsigned i = 0; i <= 3; i++) {
		feed_base(r, BASE_ra, T0 + i * 200 * S);
		feed(r, &r2, T0 + i * 200 * S + S);
		if (i == 1) {
			feed(r, &r3, T0 + 300 * S);
			feed(r, &h, T0 + 301 * S);
		}
	}
	set_smac(&h, "00:00:5e:00:53:11");
	set8(&h, 23, 0x11);
	feed(r, &h, T0 + 601 * S);
	return r;
}

static struct rig *
one_router(const char *settings)
{
	struct rig *r = rig_new(settings);
	struct packet h = base_packet(BASE_dad);

	learn(r);
	feed(r, &h, T0 + 601 * S);
	return r;
}

/* ---- one row a detector: what makes it fire, 700 s after the start ---- */

static void
fire_lifetime_zero(struct rig *r)
{
	feed_base(r, BASE_inc_ra, T0 + 700 * S);
}

static void
fire_flag_cleared(struct rig *r)
{
	feed_base(r, BASE_inc_na, T0 + 700 * S);
}

static void
fire_expiring(struct rig *r)
{
	struct packet others[] = {ra_from("fe80::2", MAC_R2, 1800, 0),
				  ra_from("fe80::3", "00:00:5e:00:53:03", 1800, 0)};
	uint64_t t = T0 + 700 * S;

	if (ics_model_segment(ics_engine_model(r->engine), 0)->routers == 3)
		for (; t < T0 + 600 * S + 1800 * S; t += 200 * S) {
			feed(r, &others[0], t);
			feed(r, &others[1], t + S);
		}
	ics_engine_tick(r->engine, T0 + 600 * S + 1800 * S);
}

static void
fire_flap(struct rig *r)
{
	for (unsigned i = 0; i < 3; i++) {
		feed_base(r, BASE_inc_ra, T0 + (700 + i * 20) * S);
		feed_base(r, BASE_ra, T0 + (710 + i * 20) * S);
	}
}

static void
fire_mac_changed(struct rig *r)
{
	struct packet p = ra_from("fe80::1", MAC_X, 1800, 0);

	feed(r, &p, T0 + 700 * S);
}

static void
fire_hijack(struct rig *r)
{
	struct packet p = ra_from("fe80::66", MAC_X, 1800, 0x08);

	feed(r, &p, T0 + 700 * S);
}

static const struct row {
	const char *name;
	void (*fire)(struct rig *r);
	const char *alone, *others; /* severity without another router, and with two that are as good */
	bool loses;
} rows[] = {
	{"router_lifetime_zero", fire_lifetime_zero, "critical", "warn", true},
	{"router_flag_cleared", fire_flag_cleared, "critical", "warn", true},
	{"router_expiring", fire_expiring, "critical", "warn", true},
	{"router_flap", fire_flap, "critical", "critical", true},
	{"router_gateway_mac_changed", fire_mac_changed, "critical", "critical", false},
	{"router_preference_hijack", fire_hijack, "critical", "critical", false},
};

static void
test_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = one_router(NULL);
		const struct ics_anomaly *a;

		r->watched = rows[i].name;
		rows[i].fire(r);
		a = the_anomaly(r);
		print_message("%s: %s\n", rows[i].name, a->says);
		assert_string_equal(ics_severity_name(a->severity), rows[i].alone);
		assert_int_equal(fact_value(a, "hosts_affected"), 1);
		if (rows[i].loses) {
			assert_string_equal(fact_text(a, "loses"), "every route beyond the link");
			assert_int_equal(fact_value(a, "default_routers_left"), 0);
			assert_string_equal(fact_text(a, "default_since"), "");
		}
		rig_free(r);
	}
}

static void
test_others_remain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = three_routers(NULL, 0, 0);
		const struct ics_anomaly *a;

		r->watched = rows[i].name;
		rows[i].fire(r);
		a = the_anomaly(r);
		print_message("%s: %s\n", rows[i].name, a->says);
		assert_string_equal(ics_severity_name(a->severity), rows[i].others);
		assert_int_equal(fact_value(a, "hosts_affected"), 2);
		if (strcmp(rows[i].name, "router_preference_hijack") == 0) {
			assert_int_equal(fact_value(a, "default_routers_left"), 3);
		} else {
			assert_int_equal(fact_value(a, "default_routers_left"), 2);
			assert_string_equal(fact_text(a, "default_routers"), "fe80::3 prf=medium, fe80::2 prf=medium");
			assert_string_equal(fact_text(a, "default_since"),
					    "fe80::3 2016-05-12T00:25:50Z, fe80::2 2016-05-12T00:20:51Z");
			assert_non_null(strstr(a->says, "fe80::2"));
		}
		if (rows[i].loses)
			assert_string_equal(fact_text(a, "loses"), "one of several gateways");
		rig_free(r);
	}
}

/* Less preferred ones: hosts go on, but the way that the network was built for is gone. */
static void
test_lesser_ones_remain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rig *r = three_routers(NULL, 0x18, 0x18);
		const struct ics_anomaly *a;

		r->watched = rows[i].name;
		rows[i].fire(r);
		a = the_anomaly(r);
		assert_string_equal(ics_severity_name(a->severity), "critical");
		assert_string_equal(fact_text(a, "loses"), "the preferred gateway");
		assert_non_null(strstr(a->says,
				       "2 other default routers remain: fe80::3 prf=low, fe80::2 prf=low; the first "
				       "of them for 11 min."));
		rig_free(r);
	}
}

/* The gateways of the configuration are what the network depends on, whoever else is there. */
static void
test_configured_gateway(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct rig *r = three_routers("detect.gateways=fe80::1", 0, 0);

		r->watched = rows[i].name;
		rows[i].fire(r);
		assert_string_equal(ics_severity_name(the_anomaly(r)->severity), "critical");
		rig_free(r);
	}
}

/* A router that was gone and came back is one since then. */
static void
test_since_it_came_back(void **state)
{
	struct packet down = ra_from("fe80::2", MAC_R2, 0, 0), up = ra_from("fe80::2", MAC_R2, 1800, 0);
	struct rig *r = three_routers(NULL, 0, 0);

	(void)state;
	feed(r, &down, T0 + 610 * S);
	feed(r, &up, T0 + 640 * S);
	r->watched = "router_flag_cleared";
	fire_flag_cleared(r);
	assert_string_equal(fact_text(the_anomaly(r), "default_since"),
			    "fe80::3 2016-05-12T00:25:50Z, fe80::2 2016-05-12T00:31:30Z");
	rig_free(r);
}

static void
test_one_host_alone(void **state)
{
	struct rig *r = one_router(NULL);
	const struct ics_anomaly *a;

	(void)state;
	r->watched = "router_flag_cleared";
	feed_base(r, BASE_na_r0, T0 + 700 * S);
	a = the_anomaly(r);
	assert_finding(a, "router_flag_cleared", "sol_unicast", "warn");
	assert_int_equal(fact_value(a, "hosts_affected"), 1);
	rig_free(r);
}

/* ---- first-hop redundancy ---- */

static void
test_flag_cleared_handover(void **state)
{
	struct packet up = ra_from("fe80::1", MAC_VRRP, 1800, 0), na = base_packet(BASE_inc_na);
	struct rig *r = rig_new(NULL);

	(void)state;
	set_smac(&na, MAC_VRRP);
	set_hex(&na, 26, "00005e000201");
	for (unsigned i = 0; i <= 3; i++)
		feed(r, &up, T0 + i * 200 * S);
	r->watched = "router_flag_cleared";
	feed(r, &na, T0 + 700 * S);
	assert_finding(the_anomaly(r), "router_flag_cleared", "unsol_all", "warn");
	feed(r, &up, T0 + 702 * S);
	assert_string_equal(ics_severity_name(the_anomaly(r)->severity), "warn");
	assert_int_equal(fact_value(the_anomaly(r), "fhrp_handover"), 1);
	ics_engine_tick(r->engine, T0 + 710 * S);
	assert_string_equal(ics_severity_name(the_anomaly(r)->severity), "warn");
	rig_free(r);

	/* Nobody takes over. */
	r = rig_new(NULL);
	for (unsigned i = 0; i <= 3; i++)
		feed(r, &up, T0 + i * 200 * S);
	r->watched = "router_flag_cleared";
	feed(r, &na, T0 + 700 * S);
	assert_string_equal(ics_severity_name(the_anomaly(r)->severity), "warn");
	ics_engine_tick(r->engine, T0 + 703 * S);
	assert_finding(the_anomaly(r), "router_flag_cleared", "unsol_all", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "fhrp_handover"), 0);
	/* Too late. */
	feed(r, &up, T0 + 704 * S);
	assert_string_equal(ics_severity_name(the_anomaly(r)->severity), "critical");
	rig_free(r);
}

/* ---- maintenance ---- */

static void
test_mute(void **state)
{
	static const char *const scopes[] = {"*", "*@fe80::1", "*@vlan10", "NAME", "NAME@fe80::1"};

	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++)
		for (unsigned n = 0; n < ICS_ARRAY_LEN(scopes); n++) {
			bool named = strncmp(scopes[n], "NAME", 4) == 0, vlan = strstr(scopes[n], "vlan") != NULL;
			bool hijack = strcmp(rows[i].name, "router_preference_hijack") == 0;
			bool by_addr = strchr(scopes[n], '@') != NULL && !vlan;
			char set[128];
			struct rig *r;

			snprintf(set, sizeof(set), "detect.mute=%s%s", named ? rows[i].name : "",
				 scopes[n] + (named ? 4 : 0));
			r = one_router(set);
			r->watched = rows[i].name;
			rows[i].fire(r);
			/* The segment is untagged; the hijacker has another address. */
			assert_int_equal(the_anomaly(r)->muted, !vlan && !(hijack && by_addr));
			rig_free(r);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_others_remain),
		cmocka_unit_test(test_lesser_ones_remain),
		cmocka_unit_test(test_configured_gateway),
		cmocka_unit_test(test_since_it_came_back),
		cmocka_unit_test(test_one_host_alone),
		cmocka_unit_test(test_flag_cleared_handover),
		cmocka_unit_test(test_mute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
