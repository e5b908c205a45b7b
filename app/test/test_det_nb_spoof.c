/* nb_spoof over sequences of frames in fake time: who claims an address while its holder lives, who moves it rightly. */
#include "test_nb.h"

#define NBS "nb_spoof"

/* B makes itself known, and again at ts. */
static void
holder(struct rig *r, uint64_t ts)
{
	struct packet ns = ns_of(MAC_B, ADDR_B, "fe80::1", NULL);

	feed(r, &ns, ts);
}

static void
contested(void **state)
{
	struct rig *r = nb_rig(NULL);
	struct packet na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);

	holder(r, T0);
	feed(r, &na, T0 + 2 * S);
	/* As yet it could be a machine that moved. */
	assert_silent(r, NBS);
	holder(r, T0 + 5 * S);

	const struct ics_anomaly *a = the_only(r, NBS);
	assert_finding(a, NBS, "contested", "critical");
	assert_string_equal(a->subject[0].text, ADDR_B);
	assert_string_equal(fact_text(a, "old_mac"), MAC_B);
	assert_string_equal(fact_text(a, "new_mac"), MAC_X);
	assert_string_equal(fact_text(a, "message"), "Neighbor Advertisement");
	assert_int_equal(fact_value(a, "old_heard_s"), 2000);
	assert_int_equal(fact_value(a, "old_mac_again"), 1);
	feed(r, &na, T0 + 6 * S);
	assert_int_equal(the_only(r, NBS)->id, a->id);
	ics_engine_tick(r->engine, T0 + 604 * S);
	assert_int_equal(the_only(r, NBS)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 607 * S);
	assert_int_equal(the_only(r, NBS)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* What no machine that moves would send is told at once. */
static void
replaced(void **state)
{
	struct packet unicast = na_of(MAC_X, ADDR_B, ADDR_H, ADDR_B, MAC_X, NA_OVERRIDE | NA_SOLICITED);
	struct packet ns = ns_of(MAC_X, ADDR_B, "fe80::1", MAC_X), rs = base_packet(BASE_rs);
	struct packet *claims[] = {&unicast, &ns, &rs};
	static const char *const message[] = {"Neighbor Advertisement", "Neighbor Solicitation", "Router Solicitation"};

	set_src(&rs, ADDR_B);
	set_smac(&rs, MAC_X);
	set_lla(&rs, 8, MAC_X);
	for (unsigned i = 0; i < 3; i++) {
		struct rig *r = nb_rig(NULL);

		holder(r, T0);
		feed(r, claims[i], T0 + 60 * S);
		assert_finding(the_only(r, NBS), NBS, "replaced", "warn");
		assert_string_equal(fact_text(the_only(r, NBS), "message"), message[i]);
		rig_free(r);
	}
}

static void
vital_addresses(void **state)
{
	struct packet na = na_of(MAC_X, "fe80::1", NULL, "fe80::1", MAC_X, NA_OVERRIDE | NA_ROUTER);
	struct rig *r = nb_rig(NULL);
	uint64_t t = learn(r);

	feed(r, &na, t + S);
	assert_finding(the_only(r, NBS), NBS, "replaced", "critical");
	rig_free(r);

	na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);
	r = nb_rig("detect.watch=" ADDR_B);
	holder(r, T0);
	feed(r, &na, T0 + 2 * S);
	assert_finding(the_only(r, NBS), NBS, "replaced", "critical");
	rig_free(r);
}

static void
old_mac_is_alive_elsewhere(void **state)
{
	struct rig *r = nb_rig(NULL);
	struct packet na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);
	struct packet ns = ns_of(MAC_B, "fe80::11", "fe80::1", NULL);

	holder(r, T0);
	feed(r, &na, T0 + 2 * S);
	feed(r, &ns, T0 + 10 * S);
	assert_finding(the_only(r, NBS), NBS, "old_alive", "warn");
	rig_free(r);
}

static void
without_override_is_a_note(void **state)
{
	struct rig *r = nb_rig(NULL);
	struct packet na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, 0);

	holder(r, T0);
	feed(r, &na, T0 + 2 * S);
	assert_finding(the_only(r, NBS), NBS, "ignored", "info");
	rig_free(r);
}

static void
lenient_is_one_lower(void **state)
{
	struct rig *r = nb_rig("detect.watch=" ADDR_B);
	struct packet na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);
	struct ics_ip b;
	const struct ics_binding *nb;
	struct ics_mac m;

	add_ext(&na, ICS_PROTO_FRAGMENT, "0000000012345678");
	holder(r, T0);
	feed(r, &na, T0 + 2 * S);
	assert_finding(the_only(r, NBS), NBS, "replaced", "warn");
	assert_string_equal(fact_text(the_only(r, NBS), "reason"), "lenient");
	assert_int_equal(ics_ip_parse(ADDR_B, &b), 0);
	assert_int_equal(ics_mac_parse(MAC_B, &m), 0);
	nb = ics_model_binding_find(ics_engine_model(r->engine), 0, &b);
	assert_true(ics_mac_equal(&nb->mac, &m));
	rig_free(r);
}

static void
rightful_moves(void **state)
{
	struct packet na = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);
	struct packet vrrp = na_of(MAC_VRRP, ADDR_B, NULL, ADDR_B, MAC_VRRP, NA_OVERRIDE);
	struct packet dad = dad_of(MAC_X, ADDR_B, NULL), later = ns_of(MAC_B, "fe80::11", "fe80::1", NULL);
	struct packet hop = na_of(MAC_X, ADDR_B, ADDR_H, ADDR_B, MAC_X, NA_OVERRIDE), bare;

	/* A virtual machine moves once and its old MAC is silent for half a minute. */
	struct rig *r = nb_rig(NULL);
	holder(r, T0);
	feed(r, &na, T0 + 2 * S);
	feed(r, &later, T0 + 33 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	/* The old MAC has been silent for a minute. */
	r = nb_rig(NULL);
	holder(r, T0);
	feed(r, &hop, T0 + 61 * S);
	assert_silent(r, NBS);
	rig_free(r);

	/* The new holder asked first and nobody answered. */
	r = nb_rig(NULL);
	holder(r, T0);
	feed(r, &dad, T0 + 2 * S);
	feed(r, &na, T0 + 3 * S);
	feed(r, &later, T0 + 4 * S);
	assert_silent(r, NBS);
	rig_free(r);

	/* Shared MACs, by number or by configuration, and proxies. */
	r = nb_rig(NULL);
	holder(r, T0);
	feed(r, &vrrp, T0 + 2 * S);
	holder(r, T0 + 3 * S);
	assert_silent(r, NBS);
	rig_free(r);
	for (unsigned i = 0; i < 2; i++) {
		r = nb_rig(i == 0 ? "detect.anycast_gw_macs=" MAC_X : "detect.proxies=" MAC_X);
		holder(r, T0);
		feed(r, &hop, T0 + 2 * S);
		holder(r, T0 + 3 * S);
		assert_silent(r, NBS);
		rig_free(r);
	}

	/* No link-layer address, no claim; invalid messages prove nothing. */
	r = nb_rig(NULL);
	bare = ns_of(MAC_X, ADDR_B, "fe80::1", NULL);
	set_len(&bare, 24);
	set_dst(&bare, "fe80::1");
	holder(r, T0);
	feed(r, &bare, T0 + 2 * S);
	set_ip8(&hop, 7, 64);
	feed(r, &hop, T0 + 3 * S);
	assert_silent(r, NBS);
	rig_free(r);
}

/* One MAC after the other claims the same address: no holder, no theft. */
static void
invented_holders(void **state)
{
	struct rig *r = nb_rig("detect.learn_s=0");

	for (unsigned i = 0; i < 100; i++) {
		char mac[ICS_MAC_STRLEN];

		snprintf(mac, sizeof(mac), "02:00:00:00:00:%02x", i);
		struct packet ns = ns_of(mac, ADDR_B, "fe80::1", NULL);
		feed(r, &ns, T0 + i * 20000);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contested),
		cmocka_unit_test(replaced),
		cmocka_unit_test(vital_addresses),
		cmocka_unit_test(old_mac_is_alive_elsewhere),
		cmocka_unit_test(without_override_is_a_note),
		cmocka_unit_test(lenient_is_one_lower),
		cmocka_unit_test(rightful_moves),
		cmocka_unit_test(invented_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
