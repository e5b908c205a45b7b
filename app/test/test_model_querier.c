/* Queriers in the model: codes, election, timers, what is kept of whom. */
#include "test_querier.h"

static const struct ics_queriers *
queriers(struct rig *r)
{
	const struct ics_queriers *s = ics_model_queriers(ics_engine_model(r->engine), 0);

	assert_non_null(s);
	return s;
}

static void
assert_leads(struct rig *r, const char *addr, uint64_t ts)
{
	const struct ics_querier *q;
	char ip[ICS_IP_STRLEN];

	ics_engine_tick(r->engine, ts);
	q = ics_queriers_current(queriers(r), ics_model_clock(ics_engine_model(r->engine))->now_ns);
	if (addr == NULL) {
		assert_null(q);
		return;
	}
	assert_non_null(q);
	assert_string_equal(ics_ip_format(&q->addr, ip), addr);
}

static void
codes(void **state)
{
	assert_int_equal(ics_query_decode_mrc(0), 0);
	assert_int_equal(ics_query_decode_mrc(0x7fff), 32767);
	assert_int_equal(ics_query_decode_mrc(0x8000), 32768);
	assert_int_equal(ics_query_decode_mrc(0xffff), 8387584);
	assert_int_equal(ics_query_decode_qqic(0x7d), 125);
	assert_int_equal(ics_query_decode_qqic(0x80), 128);
	assert_int_equal(ics_query_decode_qqic(0x82), 144);
	assert_int_equal(ics_query_decode_qqic(0x83), 152);
	assert_int_equal(ics_query_decode_qqic(0xff), 31744);
}

static void
election(void **state)
{
	struct packet q1 = query2(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_new(NULL);

	assert_null(ics_model_queriers(ics_engine_model(r->engine), 0));
	feed(r, &q5, T0);
	assert_leads(r, Q5, T0);
	feed(r, &q1, T0 + 10 * S);
	assert_leads(r, Q1, T0 + 10 * S);
	feed(r, &q5, T0 + 20 * S);
	assert_leads(r, Q1, T0 + 20 * S);
	/* 2 * 125 s + 10 s / 2 after its latest query. */
	assert_leads(r, Q1, T0 + 264 * S);
	assert_leads(r, NULL, T0 + 265 * S);
	feed(r, &q5, T0 + 270 * S);
	assert_leads(r, Q5, T0 + 270 * S);
	assert_int_equal(queriers(r)->n, 2);
	assert_int_equal(queriers(r)->changes, 3);
	assert_int_equal(queriers(r)->q[0].general, 3);
	rig_free(r);
}

static void
timers_of_the_querier(void **state)
{
	struct packet q = query_of(2, Q1, MAC_Q1, 20000, 60, 3), v1 = query1(Q1, MAC_Q1), bad = query2(Q5, MAC_Q5);
	struct rig *r = rig_new(NULL);
	struct ics_model *m = ics_engine_model(r->engine);

	feed(r, &q, T0);
	assert_int_equal(ics_querier_mali_ns(&queriers(r)->q[0]), 200 * S);
	assert_int_equal(ics_querier_other_ns(&queriers(r)->q[0]), 190 * S);
	assert_true(ics_model_mali_ns(m, 0) == 200 * S);
	assert_false(ics_queriers_is_v1(queriers(r), T0));
	/* What hosts discard changes no timer, and why is kept. */
	set_src(&bad, "2001:db8::5");
	feed(r, &bad, T0 + S);
	assert_int_equal(queriers(r)->invalid, 1);
	assert_int_equal(queriers(r)->invalid_reason, ICS_REASON_mld_src_not_link_local);
	assert_int_equal(queriers(r)->n, 1);
	/* RFC 9777 8.2.1 */
	feed(r, &v1, T0 + 10 * S);
	assert_true(ics_queriers_is_v1(queriers(r), T0 + 269 * S));
	assert_false(ics_queriers_is_v1(queriers(r), T0 + 270 * S));
	rig_free(r);
}

static void
learned_interval(void **state)
{
	struct packet q = query_of(2, Q1, MAC_Q1, 10000, 0x82, 2), other = q;
	struct rig *r = rig_new(NULL);
	uint64_t t;

	/* The second query comes after a quarter of the interval, and says nothing about it. */
	feed(r, &q, T0);
	t = feed_every(r, &q, 5, T0 + 36 * S, 150 * S);
	assert_true(queriers(r)->q[0].interval_ns == 150 * S);
	assert_int_equal(queriers(r)->q[0].intervals, 4);
	/* One that got lost, and a mirror that delivers twice. */
	feed(r, &q, t + 400 * S);
	feed(r, &q, t + 400 * S + 300000);
	feed(r, &q, t + 550 * S);
	assert_true(queriers(r)->q[0].interval_ns == 150 * S);
	assert_int_equal(queriers(r)->q[0].general, 9);
	/* Another machine in its name. */
	set_smac(&other, MAC_X);
	feed(r, &other, t + 560 * S);
	assert_int_equal(queriers(r)->q[0].forged, 1);
	assert_int_equal(queriers(r)->q[0].general, 9);
	rig_free(r);
}

/* However many are made up, the one in charge stays. */
static void
ring_of_queriers(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_new(NULL);
	char addr[40];

	feed(r, &q, T0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(addr, sizeof(addr), "fe80::2:%x", i);
		set_src(&q, addr);
		feed(r, &q, T0 + S + i * MS);
	}
	assert_int_equal(queriers(r)->n, ICS_QUERIERS_PER_SEGMENT);
	assert_int_equal(queriers(r)->evictions, 201 - ICS_QUERIERS_PER_SEGMENT);
	assert_leads(r, Q1, T0 + 2 * S);
	rig_free(r);
}

/* Folded copies count one by one. */
static void
copies(void **state)
{
	struct packet q = query2(Q1, MAC_Q1);
	struct rig *r = rig_new(NULL);

	r->in.fold = ics_fold_init(NULL);
	assert_non_null(r->in.fold);
	feed_every(r, &q, 2345, T0, 100000);
	ics_inspect_idle(&r->in, T0 + 5 * S);
	assert_int_equal(queriers(r)->q[0].general, 2345);
	ics_fold_free(r->in.fold);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes),
		cmocka_unit_test(election),
		cmocka_unit_test(timers_of_the_querier),
		cmocka_unit_test(learned_interval),
		cmocka_unit_test(ring_of_queriers),
		cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
