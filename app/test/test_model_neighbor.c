/* What the model keeps of neighbors: their flags, the MAC before, detections of duplicates, and when it forgets. */
#include "test_nb.h"

static const struct ics_binding *
binding(struct rig *r, const char *addr)
{
	struct ics_ip a;

	assert_int_equal(ics_ip_parse(addr, &a), 0);
	return ics_model_binding_find(ics_engine_model(r->engine), 0, &a);
}

static bool
has_mac(const struct ics_mac *m, const char *text)
{
	struct ics_mac want;

	assert_int_equal(ics_mac_parse(text, &want), 0);
	return ics_mac_equal(m, &want);
}

static void
flags_and_moves(void **state)
{
	struct rig *r = rig_new("detect.proxies=" MAC_X " detect.anycast_gw_macs=" MAC_R2);
	struct packet b = na_of(MAC_B, ADDR_B, ADDR_H, ADDR_B, MAC_B, NA_SOLICITED | NA_OVERRIDE);
	struct packet no = na_of(MAC_H, ADDR_B, ADDR_H, ADDR_B, MAC_H, NA_SOLICITED);
	struct packet x = na_of(MAC_X, ADDR_B, NULL, ADDR_B, MAC_X, NA_OVERRIDE);
	struct packet v = na_of(MAC_R, ADDR_B, NULL, ADDR_B, MAC_VRRP, NA_OVERRIDE | NA_ROUTER);
	struct packet any = na_of(MAC_R2, ADDR_B, NULL, ADDR_B, MAC_R2, NA_OVERRIDE);
	struct packet bare = ns_of(MAC_H, ADDR_B, "fe80::1", NULL);
	const struct ics_binding_more *more;
	const struct ics_binding *e;

	feed(r, &b, T0);
	e = binding(r, ADDR_B);
	more = ics_model_binding_more(ics_engine_model(r->engine), e);
	assert_int_equal(e->flags, ICS_BINDING_SOLICITED | ICS_BINDING_OVERRIDE);
	assert_int_equal(e->changes, 0);
	/* Without override the MAC stays; without option nothing was claimed. */
	feed(r, &no, T0 + S);
	assert_true(has_mac(&e->mac, MAC_B));
	assert_int_equal(e->flags, ICS_BINDING_SOLICITED | ICS_BINDING_DISPUTED);
	set_len(&bare, 24);
	set_dst(&bare, "fe80::1");
	feed(r, &bare, T0 + 2 * S);
	assert_true(has_mac(&e->mac, MAC_B));
	feed(r, &x, T0 + 3 * S);
	assert_true(has_mac(&e->mac, MAC_X) && has_mac(&more->prev, MAC_B));
	assert_int_equal(e->flags, ICS_BINDING_OVERRIDE | ICS_BINDING_PROXY | ICS_BINDING_DISPUTED);
	assert_int_equal(more->moved_at, ICS_COARSE(T0 + 3 * S));
	feed(r, &v, T0 + 4 * S);
	assert_true(has_mac(&e->mac, MAC_VRRP) && has_mac(&more->prev, MAC_X));
	assert_true(e->flags & ICS_BINDING_FHRP && e->flags & ICS_BINDING_ROUTER && !(e->flags & ICS_BINDING_PROXY));
	feed(r, &any, T0 + 5 * S);
	assert_true(e->flags & ICS_BINDING_ANYCAST && !(e->flags & ICS_BINDING_FHRP));
	assert_int_equal(e->changes, 3);
	rig_free(r);
}

static void
detections_are_capped_and_end(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;

	for (unsigned i = 0; i < ICS_DAD_MAX + 100; i++) {
		char target[40];

		snprintf(target, sizeof(target), "2001:db8:1::%x:%x", 1 + (i >> 16), i & 0xffff);
		struct packet p = dad_of(MAC_H, target, NULL);
		feed(r, &p, T0 + i * 1000);
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.dads, ICS_DAD_MAX);
	assert_int_equal(st.dad_drops, 100);
	ics_engine_tick(r->engine, T0 + 3 * S);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.dads, ICS_DAD_MAX - 1);
	ics_engine_tick(r->engine, T0 + 4 * S);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.dads, 0);
	rig_free(r);
}

static void
forgotten_after_a_day(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet b = ns_of(MAC_B, ADDR_B, "fe80::1", NULL), h = ns_of(MAC_H, ADDR_H, "fe80::1", NULL);
	struct ics_model_stats st;

	feed(r, &b, T0);
	feed(r, &h, T0);
	for (unsigned hour = 1; hour <= 24; hour++)
		feed(r, &h, T0 + hour * 3600 * S);
	assert_non_null(binding(r, ADDR_B));
	/* Eight hours at most until the sweep comes by. */
	feed(r, &h, T0 + 33ull * 3600 * S);
	assert_null(binding(r, ADDR_B));
	assert_non_null(binding(r, ADDR_H));
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.binding_expiries, 1);
	assert_int_equal(st.binding_evictions, 0);
	ics_engine_tick(r->engine, T0 + 100ull * 3600 * S);
	assert_int_equal(ics_model_binding_count(ics_engine_model(r->engine)), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_moves),
		cmocka_unit_test(detections_are_capped_and_end),
		cmocka_unit_test(forgotten_after_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
