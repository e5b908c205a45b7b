/* Routers that were not there, and other MACs for those that were: router_new and router_gateway_mac_changed. */
#include "test_slow.h"

#define NEW "router_new"
#define MAC "router_gateway_mac_changed"

static struct rig *
rig_for(const char *detector, const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = detector;
	return r;
}

/* ---- router_new ---------------------------------------------------------------------------------- */

static void
rogue_with_high_preference(void **state)
{
	struct packet p = ra_from("fe80::66", MAC_X, 1800, 0x08);
	struct rig *r = rig_for(NEW, NULL);
	uint64_t t = learn(r);

	assert_int_equal(count_anomalies(r), 0);
	feed(r, &p, t + S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, NEW, "high_preference", "critical");
	assert_string_equal(a->subject[0].text, "fe80::66");
	assert_string_equal(a->subject[1].text, MAC_X);
	assert_string_equal(fact_text(a, "variants"), "high_preference,new");
	assert_string_equal(fact_text(a, "preference"), "high");
	assert_string_equal(fact_text(a, "prefixes"), "2001:db8:1::/64");
	assert_int_equal(fact_value(a, "lifetime_s"), 1800);
	assert_int_equal(fact_value(a, "other_default_routers"), 1);
	assert_int_equal(a->proof[ICS_PROOF_FIRST].len, p.len);
	/* Its next RAs are the same finding, and it ends when it is gone for good. */
	feed(r, &p, t + 100 * S);
	assert_int_equal(the_anomaly(r)->count, 2);
	ics_engine_tick(r->engine, t + (100 + 1800 + 599) * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + (100 + 1800 + 600) * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
severity_by_what_it_does(void **state)
{
	struct packet same = ra_from("fe80::2", MAC_R2, 1800, 0), prefix = same, dns = same,
		      host_rs = base_packet(BASE_rs);
	struct packet resolver = base_packet(BASE_ra);
	struct rig *r = rig_for(NEW, NULL);

	/* One more router, which says what the other says. */
	feed(r, &same, learn(r) + S);
	assert_finding(the_anomaly(r), NEW, "new", "warn");
	rig_free(r);

	r = rig_for(NEW, NULL);
	set16(&prefix, 24 + 16 + 4, 0xbad);
	feed(r, &prefix, learn(r) + S);
	assert_finding(the_anomaly(r), NEW, "other_prefix", "critical");
	rig_free(r);

	/* Its own resolver, where the other announces one as well. */
	r = rig_for(NEW, NULL);
	append_hex(&resolver, "1903 0000 00000384 20010db8000000000000000000000053");
	append_hex(&dns, "1903 0000 00000384 20010db8000000000000000000000666");
	learn(r);
	feed(r, &resolver, T0 + 601 * S);
	feed(r, &dns, T0 + 602 * S);
	assert_finding(the_anomaly(r), NEW, "other_resolver", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "resolvers"), "2001:db8::666");
	rig_free(r);

	/* A host that asked for routers and now is one. */
	r = rig_for(NEW, NULL);
	set_smac(&host_rs, MAC_R2);
	set_src(&host_rs, "fe80::2");
	set_hex(&host_rs, 10, "00005e005302");
	feed(r, &host_rs, T0);
	feed(r, &same, learn(r) + S);
	assert_finding(the_anomaly(r), NEW, "was_host", "critical");
	rig_free(r);

	/* Thread and the like: prefixes, but no way out. */
	r = rig_for(NEW, NULL);
	set16(&prefix, 6, 0);
	feed(r, &prefix, learn(r) + S);
	assert_int_equal(the_anomaly(r)->severity, ICS_SEV_INFO);
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "other_prefix,nondefault");
	rig_free(r);
}

static void
what_is_allowed(void **state)
{
	struct packet same = ra_from("fe80::2", MAC_R2, 1800, 0), rogue = ra_from("fe80::66", MAC_X, 1800, 0);
	struct rig *r = rig_for(NEW, "detect.routers_allow=fe80::1,fe80::2");

	feed(r, &same, learn(r) + S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Against a list of what is allowed nothing needs to be learned. */
	r = rig_for(NEW, "detect.routers_allow=fe80::1");
	feed_base(r, BASE_ra, T0);
	feed(r, &rogue, T0 + S);
	assert_finding(the_anomaly(r), NEW, "not_allowed", "critical");
	rig_free(r);

	/* While it is learned, a router is news to nobody; the first one after that is a note. */
	r = rig_for(NEW, NULL);
	feed_base(r, BASE_ra, T0);
	feed(r, &rogue, T0 + 599 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	r = rig_for(NEW, "detect.learn_s=0");
	feed_base(r, BASE_ra, T0);
	assert_finding(the_anomaly(r), NEW, "first", "info");
	rig_free(r);
	r = rig_for(NEW, "detect.learn_s=0 detect.gateways=fe80::1");
	feed_base(r, BASE_ra, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	r = rig_for(NEW, "detect.mute=router_new");
	feed(r, &rogue, learn(r) + S);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* RFC 4861 6.2.8: the same router under another address, in either order. */
static void
changed_link_local_address(void **state)
{
	struct packet moved = ra_from("fe80::99", MAC_R, 1800, 0);
	struct rig *r = rig_for(NEW, NULL);
	uint64_t t = learn(r);

	feed_base(r, BASE_inc_ra, t + S);
	feed(r, &moved, t + 2 * S);
	assert_finding(the_anomaly(r), NEW, "ll_change", "info");
	assert_non_null(strstr(the_anomaly(r)->says, "it is fe80::1 under another address"));
	rig_free(r);

	r = rig_for(NEW, NULL);
	t = learn(r);
	feed(r, &moved, t + S);
	assert_finding(the_anomaly(r), NEW, "new", "warn");
	feed_base(r, BASE_inc_ra, t + 2 * S);
	assert_finding(the_anomaly(r), NEW, "ll_change", "info");
	rig_free(r);
}

/* ---- router_gateway_mac_changed ------------------------------------------------------------------ */

static struct packet
claim_by(const char *tlla_hex, const char *mac)
{
	struct packet p = base_packet(BASE_inc_na);

	set8(&p, 4, 0xa0); /* R, O */
	set_hex(&p, 26, tlla_hex);
	set_smac(&p, mac);
	return p;
}

static void
spoofed_while_alive(void **state)
{
	struct packet p = claim_by("00005e005366", MAC_X);
	struct rig *r = rig_for(MAC, NULL);
	uint64_t t = learn(r);

	feed(r, &p, t + S);

	const struct ics_anomaly *a = the_anomaly(r);
	assert_finding(a, MAC, "claimed", "critical");
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_string_equal(fact_text(a, "new_mac"), MAC_X);
	assert_string_equal(fact_text(a, "old_macs"), MAC_R);
	assert_string_equal(fact_text(a, "message"), "a neighbor advertisement");
	assert_int_equal(fact_value(a, "old_mac_silent_s"), 1000);
	feed_base(r, BASE_ra, t + 2 * S);
	assert_finding(the_anomaly(r), MAC, "both_alive", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "old_mac_alive"), 1);
	feed(r, &p, t + 3 * S);
	assert_int_equal(fact_value(the_anomaly(r), "claims"), 2);
	/* Two lifetimes after the last claim it is over. */
	for (unsigned i = 1; i <= 18; i++)
		feed_base(r, BASE_ra, t + i * 200 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 3603 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
by_solicitation_and_advertisement(void **state)
{
	struct packet ns = base_packet(BASE_ns), ra = base_packet(BASE_ra), weak = claim_by("00005e005366", MAC_X);
	struct rig *r = rig_for(MAC, NULL);
	uint64_t t = learn(r);

	set_src(&ns, "fe80::1");
	set_smac(&ns, MAC_X);
	set_addr(&ns, 8, "fe80::10");
	set_hex(&ns, 26, "00005e005366");
	set_dst(&ns, "ff02::1:ff00:10");
	feed(r, &ns, t + S);
	assert_finding(the_anomaly(r), MAC, "claimed", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "message"), "a neighbor solicitation");
	rig_free(r);

	r = rig_for(MAC, NULL);
	t = learn(r);
	set_smac(&ra, MAC_X);
	set_hex(&ra, 18, "00005e005366");
	feed(r, &ra, t + S);
	assert_finding(the_anomaly(r), MAC, "claimed", "critical");
	rig_free(r);

	/* Without override hosts keep what they have. */
	r = rig_for(MAC, NULL);
	t = learn(r);
	set8(&weak, 4, 0x80);
	feed(r, &weak, t + S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* Behind an atomic fragment header only careless hosts believe it. */
	r = rig_for(MAC, NULL);
	t = learn(r);
	weak = claim_by("00005e005366", MAC_X);
	add_ext(&weak, ICS_PROTO_FRAGMENT, "0000 0000 00000001");
	feed(r, &weak, t + S);
	assert_finding(the_anomaly(r), MAC, "claimed", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "reason"), "lenient");
	rig_free(r);
}

static void
replacements_and_shared_macs(void **state)
{
	struct packet p = claim_by("00005e005366", MAC_X), vrrp = claim_by("00005e000201", MAC_R);
	struct rig *r = rig_for(MAC, NULL);
	uint64_t t = learn(r);

	/* The old one has been silent for two lifetimes. */
	feed(r, &p, t + 3601 * S);
	assert_finding(the_anomaly(r), MAC, "replaced", "info");
	rig_free(r);

	/* It falls silent with the claim. */
	r = rig_for(MAC, NULL);
	t = learn(r);
	feed(r, &p, t + S);
	assert_finding(the_anomaly(r), MAC, "claimed", "critical");
	ics_engine_tick(r->engine, t + 3602 * S);
	assert_finding(the_anomaly(r), MAC, "replaced", "info");
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	r = rig_for(MAC, NULL);
	t = learn(r);
	feed(r, &vrrp, t + S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	r = rig_for(MAC, "detect.proxies=" MAC_X);
	t = learn(r);
	feed(r, &p, t + S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rogue_with_high_preference),
		cmocka_unit_test(severity_by_what_it_does),
		cmocka_unit_test(what_is_allowed),
		cmocka_unit_test(changed_link_local_address),
		cmocka_unit_test(spoofed_while_alive),
		cmocka_unit_test(by_solicitation_and_advertisement),
		cmocka_unit_test(replacements_and_shared_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
