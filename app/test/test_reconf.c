/* Settings that change while the engine runs: what was derived from the old ones is derived again, and the next record is
 * judged by the new ones. That settings which come late are as good as those at the start is what the *_late tests show.
 */
#include "test_nb.h"

static void
change(struct rig *r, const char *assignment)
{
	rig_set(r, assignment);
	ics_engine_configure(r->engine, &r->conf);
}

static void
ask(struct rig *r, unsigned n, uint64_t ts)
{
	char target[40];

	snprintf(target, sizeof(target), "2001:db8:1::7:%x", n * 7);
	struct packet ns = ns_of(MAC_X, "fe80::66", target, NULL);
	feed(r, &ns, ts);
}

/* 220 unanswered solicitations are little for a cache of 1024, and more than half of one of 400. */
static void
test_threshold(void **state)
{
	struct rig *r = nb_rig("detect.nce_limit=1024");

	assert_non_null(strstr(info_of(r, "nd_scan")->thresholds, "nce_limit 1024 entries"));
	for (unsigned i = 0; i < 220; i++)
		ask(r, i, T0 + i * 5 * MS);
	assert_silent(r, "nd_scan");
	change(r, "detect.nce_limit=400");
	assert_non_null(strstr(info_of(r, "nd_scan")->thresholds, "nce_limit 400 entries"));
	ask(r, 220, T0 + 1101 * MS);
	assert_string_equal(the_only(r, "nd_scan")->detector, "nd_scan");
	rig_free(r);
}

/* What each detector says of its thresholds is the same whether the settings were there at the start or came later, whatever
 * they are.
 */
static void
test_thresholds_of_all(void **state)
{
	const struct ics_detector_info *a, *b;
	struct rig *early, *late = rig_new(NULL);
	struct ics_config_key key;
	unsigned n = 0, changed = 0;
	char set[128];

	for (unsigned i = 0; ics_config_key(i, &key); i++) {
		if (!key.live || strcmp(key.type, "number") != 0 || strcmp(key.key, "mld_version") == 0)
			continue;
		snprintf(set, sizeof(set), "%s.%s=%u", key.section, key.key, 700 + i);
		rig_set(late, set);
		n++;
	}
	assert_true(n > 10);
	early = rig_new(NULL);
	ics_engine_free(early->engine);
	early->conf = late->conf;
	early->engine = ics_engine_new(&early->conf, 0x5eed);
	for (unsigned i = 0; (a = ics_engine_detector(early->engine, i)) != NULL; i++) {
		b = ics_engine_detector(late->engine, i);
		changed += strcmp(a->thresholds, b->thresholds) != 0;
	}
	assert_true(changed >= 7);
	ics_engine_configure(late->engine, &late->conf);
	for (unsigned i = 0; (a = ics_engine_detector(early->engine, i)) != NULL; i++) {
		b = ics_engine_detector(late->engine, i);
		if (strcmp(a->thresholds, b->thresholds) != 0)
			fail_msg("%s: \"%s\" at the start, \"%s\" later", a->name, a->thresholds, b->thresholds);
	}
	rig_free(early);
	rig_free(late);
}

static void
test_mute(void **state)
{
	struct rig *r = rig_new("detect.learn_s=0");
	struct packet a = ra_from("fe80::66", MAC_X, 1800, 0), b = ra_from("fe80::67", MAC_R2, 1800, 0);
	struct packet c = ra_from("fe80::68", "00:00:5e:00:53:68", 1800, 0);

	r->watched = "router_new";
	learn(r);
	feed(r, &a, T0 + 700 * S);
	assert_false(nth_anomaly(r, 2)->muted);
	change(r, "detect.mute=router_new@fe80::67");
	feed(r, &b, T0 + 701 * S);
	assert_true(nth_anomaly(r, 3)->muted);
	feed(r, &c, T0 + 702 * S);
	assert_false(nth_anomaly(r, 4)->muted);
	change(r, "detect.mute=");
	rig_free(r);
}

static void
test_gateways(void **state)
{
	struct rig *r = rig_new("detect.gateways=fe80::1");
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_known known = {.seed = 7};
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0);
	struct ics_ip one, two;

	ics_engine_publish_known(r->engine, &known);
	learn(r);
	feed(r, &p, T0 + 601 * S);
	assert_int_equal(ics_ip_parse("fe80::1", &one), 0);
	assert_int_equal(ics_ip_parse("fe80::2", &two), 0);
	assert_true(ics_model_router_find(m, 0, &one)->pinned);
	assert_false(ics_model_router_find(m, 0, &two)->pinned);
	change(r, "detect.gateways=fe80::2, fe80::9");
	assert_false(ics_model_router_find(m, 0, &one)->pinned);
	assert_true(ics_model_router_find(m, 0, &two)->pinned);
	assert_int_equal(ics_ip_parse("fe80::9", &one), 0);
	assert_true(ics_model_is_gateway(m, &one));
	assert_true(ics_known_has(&known, ics_known_hash(&known, 0, ICS_VLAN_NONE, ICS_VLAN_NONE, one.b)));
	rig_free(r);
}

static unsigned
count_proxied(struct rig *r)
{
	const struct ics_binding *b;
	uint32_t at = 0;
	unsigned n = 0;

	do {
		b = ics_model_binding_next(ics_engine_model(r->engine), &at);
		if (b == NULL)
			continue;
		n += (b->flags & ICS_BINDING_PROXY) != 0;
		at++;
	} while (at != 0);
	return n;
}

/* More addresses than one step takes. */
static void
test_flags_of_bindings(void **state)
{
	struct rig *r = rig_new(NULL);
	char addr[40];

	for (unsigned i = 0; i < 6000; i++) {
		const char *mac = i % 2 == 0 ? MAC_B : MAC_R2;

		snprintf(addr, sizeof(addr), "2001:db8:1::%x:1", i);
		struct packet p = na_of(mac, addr, NULL, addr, mac, NA_OVERRIDE);
		feed(r, &p, T0 + i * MS);
	}
	assert_int_equal(count_proxied(r), 0);
	change(r, "detect.proxies=" MAC_B);
	ics_engine_tick(r->engine, T0 + 7 * S);
	assert_int_equal(count_proxied(r), 3000);
	change(r, "detect.proxies=");
	ics_engine_tick(r->engine, T0 + 8 * S);
	assert_int_equal(count_proxied(r), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threshold), cmocka_unit_test(test_thresholds_of_all), cmocka_unit_test(test_mute),
		cmocka_unit_test(test_gateways),  cmocka_unit_test(test_flags_of_bindings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
