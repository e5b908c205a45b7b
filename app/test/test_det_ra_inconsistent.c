/* ra_inconsistent: two routers that tell hosts different things. Sequences of rules.md E3. */
#include "test_ra.h"

#define NAME "ra_inconsistent"

static struct rig *
start(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = NAME;
	return r;
}

/* fe80::1 as always and p, in turns, n times. Returns the time of the last. */
static uint64_t
both(struct rig *r, const struct packet *p, unsigned n, uint64_t t)
{
	for (unsigned i = 0; i < n; i++) {
		feed_base(r, BASE_ra, t += 100 * S);
		feed(r, p, t += 100 * S);
	}
	return t;
}

static void
test_hop_limit(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0), same = p;
	const struct ics_anomaly *a;
	uint64_t t;

	set8(&p, 4, 32);
	t = both(r, &p, 1, T0);
	assert_int_equal(count_anomalies(r), 0);
	t = both(r, &p, 1, t);
	a = the_anomaly(r);
	assert_finding(a, NAME, "hop_limit", "warn");
	assert_string_equal(a->subject[0].text, "fe80::2");
	assert_string_equal(fact_text(a, "says_other_router"), "hop_limit=64");
	assert_string_equal(fact_text(a, "says_router"), "hop_limit=32");
	t = both(r, &p, 3, t);
	the_anomaly(r);
	/* Agreed for two RAs each. */
	t = both(r, &same, 1, t);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	both(r, &same, 1, t);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
test_managed(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0x80);

	both(r, &p, 2, T0);
	assert_finding(the_anomaly(r), NAME, "managed", "warn");
	rig_free(r);
}

static void
test_timers_are_info(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0);

	set32(&p, 8, 30000);
	both(r, &p, 2, T0);
	assert_finding(the_anomaly(r), NAME, "reachable", "info");
	rig_free(r);
}

static void
test_lifetimes_and_flags_of_a_prefix(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0);

	set_lifetimes(&p, 86400, 14400);
	set8(&p, 27, 0x80);
	both(r, &p, 3, T0);
	assert_finding(the_anomaly(r), NAME, "prefix_lifetime", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "fields"), "prefix_lifetime,prefix_flags");
	assert_non_null(strstr(the_anomaly(r)->says, "2001:db8:1::/64 86400/14400 s"));
	rig_free(r);
}

/* Both count down to the same moment. */
static void
test_counted_down_alike(void **state)
{
	struct rig *r = start(NULL);
	struct packet a = base_packet(BASE_ra), b = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = 0;

	for (unsigned i = 0; i < 5; i++) {
		set_lifetimes(&a, 7200 - (unsigned)(t / S), 3600 - (unsigned)(t / S));
		feed(r, &a, T0 + t);
		t += 100 * S;
		set_lifetimes(&b, 7205 - (unsigned)(t / S), 3605 - (unsigned)(t / S));
		feed(r, &b, T0 + t);
		t += 100 * S;
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_nat64_and_portal(void **state)
{
	struct rig *r = start(NULL);
	struct packet a = base_packet(BASE_ra), b = ra_from("fe80::2", MAC_R2, 1800, 0);

	append_hex(&a, "260207080064ff9b0000000000000000");
	append_hex(&a, "2502687474703a2f2f612e6578000000");
	append_hex(&b, "2602070820010db80064000000000000");
	append_hex(&b, "2502687474703a2f2f622e6578000000");
	for (unsigned i = 0; i < 3; i++) {
		feed(r, &a, T0 + i * 200 * S);
		feed(r, &b, T0 + i * 200 * S + 100 * S);
	}
	assert_finding(the_anomaly(r), NAME, "pref64", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "fields"), "pref64,captive_portal");
	assert_string_equal(fact_text(the_anomaly(r), "says_router"),
			    "captive_portal=http://b.ex, pref64=2001:db8:64::/96");
	rig_free(r);
}

static void
test_silence(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = T0;

	/* Other prefixes. */
	set_addr(&p, 40, "2001:db8:2::");
	t = both(r, &p, 5, t);
	/* Unspecified. */
	set8(&p, 4, 0);
	set32(&p, 8, 0);
	t = both(r, &p, 5, t);
	/* Once. */
	set8(&p, 4, 32);
	t = both(r, &p, 1, t);
	set8(&p, 4, 64);
	t = both(r, &p, 2, t);
	assert_int_equal(count_anomalies(r), 0);
	/* A border router of a stub network is no default router; its header is nobody's business. */
	p = ra_from("fe80::3", "00:00:5e:00:53:03", 0, 0xc0);
	both(r, &p, 5, t);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* One of both is gone: nothing to change between. */
static void
test_clears_when_one_leaves(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0x80);
	uint64_t t = both(r, &p, 3, T0);

	set16(&p, 6, 0);
	feed(r, &p, t += 10 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	r = start(NULL);
	set16(&p, 6, 1800);
	t = both(r, &p, 3, T0);
	ics_engine_tick(r->engine, t + 1801 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
test_muted(void **state)
{
	struct rig *r = start("detect.mute=ra_inconsistent");
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0x80);

	both(r, &p, 3, T0);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* Another one among three: one finding for each router that differs from one before it. */
static void
test_three_routers(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::2", MAC_R2, 1800, 0), q = ra_from("fe80::3", "00:00:5e:00:53:03", 1800, 0x80);
	uint64_t t = T0;

	for (unsigned i = 0; i < 4; i++) {
		t = both(r, &p, 1, t);
		feed(r, &q, t += 10 * S);
	}
	assert_string_equal(the_anomaly(r)->subject[0].text, "fe80::3");
	rig_free(r);
}

static void
test_flood_is_not_told(void **state)
{
	struct rig *r = start(NULL);
	struct packet p;
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 600; i++) {
		p = ra_from("fe80::66", MAC_X, 1800, 0);
		set8(&p, 4, (uint8_t)(1 + i % 60));
		set_ip8(&p, 21, (uint8_t)(i % 60));
		feed(r, &p, t += 50 * MS);
	}
	assert_in_range(count_anomalies(r), 0, 3);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hop_limit),
		cmocka_unit_test(test_managed),
		cmocka_unit_test(test_timers_are_info),
		cmocka_unit_test(test_lifetimes_and_flags_of_a_prefix),
		cmocka_unit_test(test_counted_down_alike),
		cmocka_unit_test(test_nat64_and_portal),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_clears_when_one_leaves),
		cmocka_unit_test(test_muted),
		cmocka_unit_test(test_three_routers),
		cmocka_unit_test(test_flood_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
