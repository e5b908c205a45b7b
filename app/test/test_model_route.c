/* What the model counts for hosts that take only so many automatic routes: creations by cause, the base of each host and
 * what its link bounce does to it; and the times at which a default router went and came back.
 */
#include "test_slow.h"

static const struct ics_segment *
segment0(struct rig *r)
{
	return ics_model_segment(ics_engine_model(r->engine), 0);
}

static const struct ics_host *
host(struct rig *r, const char *mac)
{
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	return ics_model_host_find(ics_engine_model(r->engine), 0, &m);
}

static void
routes_count_when_made(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet gone = base_packet(BASE_ra), rio = base_packet(BASE_ra),
		      two = ra_from("fe80::2", MAC_R2, 1800, 0);
	const struct ics_routelog *log;

	for (unsigned i = 0; i < 100; i++)
		feed_base(r, BASE_ra, T0 + i * S);
	assert_int_equal(segment0(r)->routes_created, 2); /* the default route and its prefix */
	feed(r, &two, T0 + 101 * S);
	assert_int_equal(segment0(r)->routes_created, 3); /* the prefix is there */
	set32(&gone, 16 + 8 + 4, 0);
	feed(r, &gone, T0 + 102 * S);
	feed_base(r, BASE_ra, T0 + 103 * S);
	assert_int_equal(segment0(r)->routes_created, 4); /* withdrawn and back */
	append_hex(&rio, "1803 2808 00000384 20010db8ffff0000 0000000000000000");
	feed(r, &rio, T0 + 104 * S);
	feed(r, &rio, T0 + 1003 * S);
	assert_int_equal(segment0(r)->routes_created, 5);
	feed(r, &rio, T0 + 1903 * S); /* its 900 s were over */
	assert_int_equal(segment0(r)->routes_created, 6);
	log = ics_model_routelog(ics_engine_model(r->engine), 0);
	assert_non_null(log);
	assert_int_equal(log->total, 6);
	assert_int_equal(log->by_cause[ICS_ROUTE_DEFAULT], 2);
	assert_int_equal(log->by_cause[ICS_ROUTE_PREFIX], 2);
	assert_int_equal(log->by_cause[ICS_ROUTE_MORE_SPECIFIC], 2);
	assert_int_equal(log->ring_ns[5], T0 + 1903 * S);
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 1)->routes_created, 5);
	rig_free(r);
}

/* A segment keeps 256, counts no more than that, and takes others once those have expired. */
static void
routes_are_capped(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;

	for (unsigned i = 0; i < 300; i++) {
		struct packet p = base_packet(BASE_ra);

		set16(&p, 24 + 16 + 6, (uint16_t)(1000 + i)); /* another /64 */
		set32(&p, 24 + 4, 60);
		set32(&p, 24 + 8, 60);
		feed(r, &p, T0 + i * MS);
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.routes, ICS_ROUTES_PER_SEGMENT);
	assert_int_equal(st.route_drops, 300 - ICS_ROUTES_PER_SEGMENT);
	assert_int_equal(segment0(r)->routes_created, 1 + ICS_ROUTES_PER_SEGMENT);
	feed_base(r, BASE_ra, T0 + 70 * S);
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.routes, 1);
	assert_int_equal(segment0(r)->routes_created, 2 + ICS_ROUTES_PER_SEGMENT);
	rig_free(r);
}

static void
link_bounce_sets_the_base(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet dad_global = base_packet(BASE_dad), report = base_packet(BASE_report2), rs = base_packet(BASE_rs);

	feed_base(r, BASE_rs, T0);
	for (unsigned i = 0; i < 5; i++) {
		feed_base(r, BASE_ra, T0 + (10 * i + 1) * S);
		feed_base(r, BASE_inc_na, T0 + (10 * i + 2) * S);
	}
	assert_int_equal(segment0(r)->routes_created, 6);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->routes_base, 0);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->boot_ns, 0);
	set_addr(&dad_global, 8, "2001:db8:1::10"); /* a new address is no new link */
	feed(r, &dad_global, T0 + 100 * S);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->routes_base, 0);
	feed_base(r, BASE_dad, T0 + 101 * S);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->routes_base, 6);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->boot_ns, T0 + 101 * S);
	feed_base(r, BASE_ra, T0 + 102 * S);
	set_src(&report, "::");
	feed(r, &report, T0 + 103 * S);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->routes_base, 7);
	feed_base(r, BASE_inc_ra, T0 + 104 * S);
	feed_base(r, BASE_ra, T0 + 105 * S);
	set_src(&rs, "::");
	set_len(&rs, 8);
	feed(r, &rs, T0 + 106 * S);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->routes_base, 8);
	rig_free(r);
}

/* A unicast NA without the router flag costs the host that it goes to a route, and nobody else. */
static void
one_host_loses_its_route(void **state)
{
	struct rig *r = rig_new(NULL);
	uint64_t t;

	feed_base(r, BASE_ns, T0);
	t = learn(r);
	feed_base(r, BASE_na_r0, t + S);
	assert_int_equal(host(r, "00:00:5e:00:53:10")->routes_extra, 1);
	assert_int_equal(segment0(r)->routes_created, 2);
	rig_free(r);
}

static void
cycles_are_remembered(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_router_cycles *c;
	struct ics_ip ip;

	assert_int_equal(ics_ip_parse("fe80::1", &ip), 0);
	assert_null(ics_model_router_cycles(ics_engine_model(r->engine), 0, &ip));
	for (unsigned i = 0; i < 20; i++) {
		feed_base(r, BASE_ra, T0 + (10 * i) * S);
		feed_base(r, i % 2 ? BASE_inc_na : BASE_inc_ra, T0 + (10 * i + 5) * S);
	}
	c = ics_model_router_cycles(ics_engine_model(r->engine), 0, &ip);
	assert_non_null(c);
	assert_int_equal(c->total, 19);
	assert_false(c->ring[18 % ICS_ROUTER_CYCLES].by_na);
	assert_true(c->ring[17 % ICS_ROUTER_CYCLES].by_na);
	assert_int_equal(c->ring[18 % ICS_ROUTER_CYCLES].down_ns, T0 + 185 * S);
	assert_int_equal(c->ring[18 % ICS_ROUTER_CYCLES].up_ns, T0 + 190 * S);
	rig_free(r);
}

static void
rhythm_of_a_router(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_router *router;
	struct packet unicast = base_packet(BASE_ra);

	for (unsigned i = 0; i < 5; i++) {
		feed_base(r, BASE_ra, T0 + i * 200 * S);
		feed_base(r, BASE_ra, T0 + i * 200 * S + 100 * MS);
	}
	set_dst(&unicast, "fe80::10");
	feed(r, &unicast, T0 + 850 * S);
	router = ics_model_router_next(ics_engine_model(r->engine), 1);
	assert_int_equal(router->n_intervals, 4);
	assert_int_equal(router->interval_max_ns, 200 * S);
	assert_in_range(router->interval_ewma_ns, 199 * S, 200 * S);
	assert_int_equal(router->unicast_ra_count, 1);
	/* The time that it was gone is no interval. */
	feed_base(r, BASE_inc_ra, T0 + 900 * S);
	feed_base(r, BASE_ra, T0 + 5000 * S);
	router = ics_model_router_next(ics_engine_model(r->engine), 1);
	assert_int_equal(router->interval_max_ns, 200 * S);
	rig_free(r);
}

static void
evictions_are_counted(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;

	for (unsigned i = 0; i < 70; i++) {
		char addr[32];
		struct packet p;

		snprintf(addr, sizeof(addr), "fe80::a:%x", i);
		p = ra_from(addr, MAC_X, 0, 0);
		feed(r, &p, T0 + i * S);
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.routers, ICS_ROUTERS_PER_SEGMENT);
	assert_int_equal(st.router_evictions, 70 - ICS_ROUTERS_PER_SEGMENT);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_count_when_made),    cmocka_unit_test(routes_are_capped),
		cmocka_unit_test(link_bounce_sets_the_base), cmocka_unit_test(one_host_loses_its_route),
		cmocka_unit_test(cycles_are_remembered),     cmocka_unit_test(rhythm_of_a_router),
		cmocka_unit_test(evictions_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
