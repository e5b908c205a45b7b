/* ra_prefix_withdrawn: what hosts lose of a prefix and when. Sequences of rules.md E3, the two-hour rule at its edges. */
#include "test_ra.h"

#define NAME "ra_prefix_withdrawn"

static struct rig *
start(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = NAME;
	return r;
}

/* Hosts with addresses in the prefix. */
static void
add_hosts(struct rig *r, unsigned n, uint64_t t)
{
	struct packet p = base_packet(BASE_ns);

	for (unsigned i = 0; i < n; i++) {
		set_src(&p, "2001:db8:1::100");
		set_ip8(&p, 23, (uint8_t)i);
		feed(r, &p, t + i * MS);
	}
}

static struct packet
with_lifetimes(uint32_t valid_s, uint32_t preferred_s)
{
	struct packet p = base_packet(BASE_ra);

	set_lifetimes(&p, valid_s, preferred_s);
	return p;
}

static void
test_withdrawn(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(0, 0);
	const struct ics_anomaly *a;
	uint64_t t = learn(r);

	add_hosts(r, 5, t + S);
	feed(r, &p, t += 10 * S);
	a = the_anomaly(r);
	assert_finding(a, NAME, "withdrawn", "critical");
	assert_string_equal(fact_text(a, "variants"), "withdrawn,deprecated");
	assert_string_equal(fact_text(a, "prefix"), "2001:db8:1::/64");
	assert_int_equal(fact_value(a, "valid_before_s"), 0x278d00 - 10);
	assert_int_equal(fact_value(a, "valid_after_s"), 0);
	assert_int_equal(fact_value(a, "preferred_before_s"), 0x93a80 - 10);
	/* Thirty days are left, so addresses stay for two hours; the on-link list has no such rule. */
	assert_int_equal(fact_value(a, "addresses_end_s"), 7200);
	assert_int_equal(fact_value(a, "addresses"), 5);
	assert_non_null(strstr(a->says, "end in 2 h"));
	assert_non_null(strstr(a->says, "at once"));
	/* Again it is the same finding. */
	feed(r, &p, t += 10 * S);
	assert_int_equal(the_anomaly(r)->count, 2);
	assert_int_equal(fact_value(a, "valid_before_s"), 0x278d00 - 10);
	/* Normal twice, and it is over; two RAs at once are one. */
	feed_base(r, BASE_ra, t += 10 * S);
	feed_base(r, BASE_ra, t + 500 * MS);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "withdrawn,deprecated,reanimated");
	feed_base(r, BASE_ra, t += 200 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* With another router around it takes as many addresses as pfx_hosts says. */
static void
test_withdrawn_counts_hosts(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(0, 0), two = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = learn(r);

	set_addr(&two, 40, "2001:db8:2::");
	feed(r, &two, t);
	add_hosts(r, 4, t + S);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "withdrawn", "warn");
	rig_free(r);

	r = start(NULL);
	t = learn(r);
	feed(r, &two, t);
	add_hosts(r, 5, t + S);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "withdrawn", "critical");
	rig_free(r);
}

/* Four hosts lose it, and their only router says so. */
static void
test_withdrawn_by_the_only_router(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(0, 0);
	uint64_t t = learn(r);

	add_hosts(r, 4, t + S);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "withdrawn", "critical");
	rig_free(r);
}

static void
test_deprecated(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(0x278d00, 0);
	uint64_t t = learn(r);

	add_hosts(r, 41, t + S);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "deprecated", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 41);
	rig_free(r);
}

/* RFC 4862 5.5.3 e: V above two hours or above what is left: V. Else, what is left if that is under two hours, else two
 * hours.
 */
static void
test_two_hour_rule(void **state)
{
	static const struct {
		uint32_t left_s, valid_s, want_s;
	} rows[] = {{86400, 7201, 7201}, {86400, 7200, 7200}, {86400, 600, 7200}, {7100, 600, 7100}, {3600, 60, 3600}};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct rig *r = start(NULL);
		struct packet p = with_lifetimes(rows[i].left_s, 50);
		uint64_t t = T0;

		feed(r, &p, t);
		feed(r, &p, t += 100 * S);
		set_lifetimes(&p, rows[i].valid_s, 50);
		feed(r, &p, t);
		assert_finding(the_anomaly(r), NAME, "shortened", "warn");
		assert_int_equal(fact_value(the_anomaly(r), "valid_before_s"), rows[i].left_s);
		assert_int_equal(fact_value(the_anomaly(r), "addresses_end_s"), rows[i].want_s);
		rig_free(r);
	}
}

static void
test_vanished(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_without_pio();
	const struct ics_anomaly *a;
	uint64_t t = learn(r);

	feed(r, &p, t += 200 * S);
	feed(r, &p, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	feed(r, &p, t += 200 * S);
	a = the_anomaly(r);
	assert_finding(a, NAME, "vanished", "warn");
	assert_int_equal(fact_value(a, "valid_before_s"), 0x278d00 - 600);
	feed(r, &p, t += 200 * S);
	assert_int_equal(the_anomaly(r)->count, 1);
	feed_base(r, BASE_ra, t += 200 * S);
	assert_string_equal(fact_text(the_anomaly(r), "variants"), "vanished,reanimated");
	feed_base(r, BASE_ra, t += 200 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Another router goes on announcing it: hosts lose nothing. */
static void
test_vanished_but_announced_elsewhere(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_without_pio(), other = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 6; i++) {
		feed(r, &other, t += 100 * S);
		feed(r, &p, t += 100 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Someone else withdraws what the router announces: prefixes belong to the link, not to who named them. */
static void
test_by_another_router(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::66", MAC_X, 0, 0);
	uint64_t t = learn(r);

	add_hosts(r, 6, t + S);
	set_lifetimes(&p, 0, 0);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "withdrawn", "critical");
	assert_string_equal(the_anomaly(r)->subject[0].text, "fe80::66");
	rig_free(r);
}

static void
test_forged(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::1", MAC_X, 1800, 0);
	uint64_t t = learn(r);

	set_lifetimes(&p, 0, 0);
	feed(r, &p, t += 10 * S);
	assert_int_equal(fact_value(the_anomaly(r), "mac_known"), false);
	assert_non_null(strstr(the_anomaly(r)->says, "which is not the MAC of router fe80::1"));
	rig_free(r);
}

static void
test_silence(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(0, 0), parts = ra_without_pio();
	uint64_t t = learn(r);

	/* One that nobody has. */
	set_addr(&p, 40, "2001:db8:77::");
	feed(r, &p, t += 10 * S);
	/* Options split over two RAs. */
	for (unsigned i = 0; i < 5; i++) {
		feed(r, &parts, t += 200 * S);
		feed_base(r, BASE_ra, t + 300 * MS);
	}
	/* ... over three, of which each comes in turn. */
	for (unsigned i = 0; i < 12; i++) {
		if (i % 3 == 0)
			feed_base(r, BASE_ra, t += 200 * S);
		else
			feed(r, &parts, t += 200 * S);
	}
	/* Solicited by one host. */
	set_dst(&parts, "fe80::10");
	for (unsigned i = 0; i < 5; i++)
		feed(r, &parts, t += 20 * S);
	/* A goodbye. */
	feed_base(r, BASE_inc_ra, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	/* Nobody acts on it. */
	p = with_lifetimes(0, 0);
	set_ip8(&p, 7, 254);
	feed(r, &p, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Lifetimes that count down, to the very end. */
static void
test_counted_down(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = base_packet(BASE_ra);

	for (unsigned s = 0; s <= 1200; s += 100) {
		set_lifetimes(&p, 1000 > s ? 1000 - s : 0, 500 > s ? 500 - s : 0);
		feed(r, &p, T0 + s * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	/* Rounded to nothing a little before its time. */
	set_lifetimes(&p, 100, 100);
	feed(r, &p, T0 + 2000 * S);
	set_lifetimes(&p, 0, 0);
	feed(r, &p, T0 + 2095 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* Shorter by less than half: renewed leases are not all alike. */
static void
test_a_bit_shorter(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(86400, 43200), q = with_lifetimes(50000, 43200);

	feed(r, &p, T0);
	feed(r, &q, T0 + 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_many_prefixes_are_one_finding(void **state)
{
	struct rig *r = start(NULL);
	struct packet p;
	uint64_t t = T0;

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 20; i++) {
			p = round < 2 ? base_packet(BASE_ra) : with_lifetimes(0, 0);
			set16(&p, 44, (uint16_t)(0x100 + i));
			feed(r, &p, t += 10 * MS);
		}
	assert_finding(the_anomaly(r), NAME, "withdrawn", "warn");
	assert_non_null(strstr(the_anomaly(r)->says, "19 more prefixes likewise"));
	assert_non_null(strstr(fact_text(the_anomaly(r), "prefixes"), "2001:db8:100::/64, "));
	rig_free(r);
}

static void
test_modifiers(void **state)
{
	struct rig *r = start("detect.gateways=fe80::1");
	struct packet p = with_lifetimes(0x278d00, 0);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "deprecated", "critical");
	rig_free(r);

	r = start("detect.mute=ra_prefix_withdrawn@fe80::1");
	t = learn(r);
	feed(r, &p, t += 10 * S);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);

	/* An option of the wrong length for Ethernet: some stacks act on the rest. */
	r = start(NULL);
	t = learn(r);
	set8(&p, 17, 2);
	insert_hex(&p, 24, "0000000000000000");
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "deprecated", "info");
	assert_true(the_anomaly(r)->lenient);
	rig_free(r);

	r = start("detect.pfx_hosts=50");
	t = learn(r);
	assert_non_null(strstr(detector(r, NAME)->thresholds, "pfx_hosts 50"));
	rig_free(r);
}

static void
test_over_after_a_day(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with_lifetimes(0, 0);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	ics_engine_tick(r->engine, t + 86399 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 86401 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_withdrawn),
		cmocka_unit_test(test_withdrawn_counts_hosts),
		cmocka_unit_test(test_withdrawn_by_the_only_router),
		cmocka_unit_test(test_deprecated),
		cmocka_unit_test(test_two_hour_rule),
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_vanished_but_announced_elsewhere),
		cmocka_unit_test(test_by_another_router),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_counted_down),
		cmocka_unit_test(test_a_bit_shorter),
		cmocka_unit_test(test_many_prefixes_are_one_finding),
		cmocka_unit_test(test_modifiers),
		cmocka_unit_test(test_over_after_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
