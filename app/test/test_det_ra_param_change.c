/* ra_param_change: what an RA changes for hosts, from the packet on. Sequences of rules.md E3. */
#include "test_ra.h"

#define NAME "ra_param_change"

static struct rig *
start(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = NAME;
	return r;
}

/* The normal RA with one octet or word changed. */
static struct packet
with8(uint32_t off, uint8_t v)
{
	struct packet p = base_packet(BASE_ra);

	set8(&p, off, v);
	return p;
}

static struct packet
with32(uint32_t off, uint32_t v)
{
	struct packet p = base_packet(BASE_ra);

	set32(&p, off, v);
	return p;
}

static void
test_hop_limit(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(4, 8);
	uint64_t t = learn(r);
	const struct ics_anomaly *a;

	feed(r, &p, t += 10 * S);
	a = the_anomaly(r);
	assert_finding(a, NAME, "hop_limit", "critical");
	assert_int_equal(fact_value(a, "hop_limit_before"), 64);
	assert_int_equal(fact_value(a, "hop_limit_after"), 8);
	assert_int_equal(fact_value(a, "mac_known"), true);
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_non_null(strstr(a->says, "hop limit 64 -> 8"));
	/* Again is the same finding. */
	feed(r, &p, t += 200 * S);
	assert_int_equal(the_anomaly(r)->count, 2);
	/* The old value for two RAs ends it. */
	feed_base(r, BASE_ra, t += 10 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	feed_base(r, BASE_ra, t += 10 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* Forger and router in turns are one finding, from the first of them to a minute after the last. */
static void
test_in_turns(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(4, 1);
	uint64_t t = learn(r);

	set_smac(&p, MAC_X);
	for (unsigned i = 0; i < 10; i++) {
		feed(r, &p, t += 10 * S);
		feed_base(r, BASE_ra, t += 10 * S);
	}
	assert_int_equal(fact_value(the_anomaly(r), "mac_known"), false);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 61 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
test_hop_limit_halved(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(4, 33);
	uint64_t t = learn(r);

	feed(r, &p, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	p = with8(4, 200);
	feed(r, &p, t += 200 * S);
	p = with8(4, 100);
	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "hop_limit", "warn");
	rig_free(r);
}

/* A forged value that harms nobody, and the router's own after it. */
static void
test_hop_limit_put_back(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(4, 255), low = with8(4, 8);
	uint64_t t = learn(r);

	set_smac(&p, MAC_X);
	for (unsigned i = 0; i < 5; i++) {
		feed(r, &p, t += 10 * S);
		feed(r, &p, t += 10 * S);
		feed_base(r, BASE_ra, t += 200 * S);
	}
	assert_int_equal(count_anomalies(r), 0);
	/* What was not there before is news. */
	feed(r, &p, t += 10 * S);
	feed(r, &low, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "hop_limit", "critical");
	rig_free(r);

	/* With something else forged: the finding is about that, and ends with it. */
	r = start(NULL);
	t = learn(r);
	set32(&p, 60, 1400);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "mtu", "warn");
	for (unsigned i = 0; i < 2; i++)
		feed_base(r, BASE_ra, t += 200 * S);
	assert_string_equal(fact_text(the_anomaly(r), "fields"), "mtu");
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);

	/* After more than a day it was the normal one. */
	r = start(NULL);
	t = learn(r);
	p = with8(4, 255);
	for (unsigned i = 0; i < 60; i++)
		feed(r, &p, t += 1500 * S);
	feed_base(r, BASE_ra, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "hop_limit", "warn");
	/* A value that strands hosts is told, whoever had it before. */
	rig_free(r);
	r = start(NULL);
	for (unsigned i = 0; i < 3; i++)
		feed(r, &low, t += 200 * S);
	feed_base(r, BASE_ra, t += 200 * S);
	feed(r, &low, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "hop_limit", "critical");
	rig_free(r);
}

static void
test_mtu(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with32(60, 1280);
	uint64_t t = learn(r);

	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "mtu", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "mtu_before"), 1500);
	assert_int_equal(fact_value(the_anomaly(r), "mtu_after"), 1280);
	rig_free(r);

	r = start(NULL);
	p = with32(60, 1492);
	t = learn(r);
	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "mtu", "warn");
	rig_free(r);
}

/* It appears: news only where it changes what hosts do, and where the router was known without it. */
static void
test_mtu_appears(void **state)
{
	struct rig *r = start(NULL);
	struct packet without = base_packet(BASE_ra), p = with32(60, 1492), same = base_packet(BASE_ra);
	uint64_t t = T0;

	remove_bytes(&without, 56, 8);
	for (unsigned i = 0; i < 4; i++)
		feed(r, &without, t += 200 * S);
	feed(r, &same, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = start(NULL);
	for (unsigned i = 0; i < 4; i++)
		feed(r, &without, t += 200 * S);
	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "mtu", "warn");
	rig_free(r);

	/* Options split over two RAs. */
	r = start(NULL);
	feed(r, &without, t += 200 * S);
	feed(r, &p, t += 100 * MS);
	feed(r, &without, t += 200 * S);
	feed(r, &p, t += 100 * MS);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_flags_and_timers(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(5, 0xc0);
	uint64_t t = learn(r);

	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "managed", "warn");
	assert_string_equal(fact_text(the_anomaly(r), "fields"), "managed,other");
	rig_free(r);

	r = start(NULL);
	t = learn(r);
	p = with32(8, 90000);
	feed(r, &p, t += 200 * S);
	assert_finding(the_anomaly(r), NAME, "reachable", "warn");
	rig_free(r);

	r = start(NULL);
	t = learn(r);
	p = with32(8, 90001);
	feed(r, &p, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* A newcomer whose hop limit strands the hosts of the router that is there. */
static void
test_from_another_router(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = ra_from("fe80::66", MAC_X, 1800, 0);
	uint64_t t = learn(r);

	set8(&p, 4, 8);
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "hop_limit", "critical");
	assert_string_equal(the_anomaly(r)->subject[0].text, "fe80::66");
	rig_free(r);

	r = start(NULL);
	t = learn(r);
	set8(&p, 4, 64);
	feed(r, &p, t += 10 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_silence(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(4, 0);
	uint64_t t = learn(r);

	/* Unspecified: hosts keep what they have. */
	feed(r, &p, t += 200 * S);
	feed_base(r, BASE_ra, t += 200 * S);
	/* Ignored by hosts. */
	p = with32(60, 1279);
	feed(r, &p, t += 200 * S);
	p = with32(60, 9000);
	feed(r, &p, t += 200 * S);
	/* The router leaves. */
	feed_base(r, BASE_inc_ra, t += 200 * S);
	feed_base(r, BASE_ra, t += 200 * S);
	/* Nobody acts on it. */
	p = with8(4, 8);
	set_ip8(&p, 7, 254);
	feed(r, &p, t += 200 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_muted(void **state)
{
	struct rig *r = start("detect.mute=ra_param_change@fe80::1");
	struct packet p = with8(4, 8);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

static void
test_gateway_is_critical(void **state)
{
	struct rig *r = start("detect.gateways=fe80::1");
	struct packet p = with32(60, 1492);
	uint64_t t = learn(r);

	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "mtu", "critical");
	rig_free(r);
}

/* Only stacks that act on RAs with an option of the wrong length for Ethernet. */
static void
test_lenient_is_lower(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with8(4, 8);
	uint64_t t = learn(r);

	set8(&p, 17, 2);
	insert_hex(&p, 24, "0000000000000000");
	feed(r, &p, t += 10 * S);
	assert_finding(the_anomaly(r), NAME, "hop_limit", "warn");
	assert_true(the_anomaly(r)->lenient);
	assert_string_equal(fact_text(the_anomaly(r), "reason"), "lenient");
	rig_free(r);
}

static void
test_new_normal_after_a_day(void **state)
{
	struct rig *r = start(NULL);
	struct packet p = with32(60, 1492);
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 3; i++)
		feed(r, &p, t += 200 * S);
	ics_engine_tick(r->engine, t + 86400 * S - 401 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 86400 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	feed(r, &p, t + 86500 * S);
	the_anomaly(r);
	rig_free(r);
}

static void
test_flood_of_newcomers(void **state)
{
	struct rig *r = start(NULL);
	struct packet p;
	uint64_t t = learn(r);

	for (unsigned i = 0; i < 500; i++) {
		p = ra_from("fe80::66", MAC_X, 1800, 0);
		set8(&p, 4, 1);
		set_ip8(&p, 20, (uint8_t)(i >> 8));
		set_ip8(&p, 21, (uint8_t)i);
		feed(r, &p, t += 10 * MS);
	}
	assert_in_range(count_anomalies(r), 1, 3);
	assert_true(detector(r, NAME)->suppressed >= 490);
	/* What happens to the real one is told all the same. */
	p = with8(4, 1);
	feed(r, &p, t += 10 * MS);
	assert_string_equal(nth_anomaly(r, count_anomalies(r))->subject[0].text, "fe80::1");
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hop_limit),
		cmocka_unit_test(test_in_turns),
		cmocka_unit_test(test_hop_limit_halved),
		cmocka_unit_test(test_hop_limit_put_back),
		cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_mtu_appears),
		cmocka_unit_test(test_flags_and_timers),
		cmocka_unit_test(test_from_another_router),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_muted),
		cmocka_unit_test(test_gateway_is_critical),
		cmocka_unit_test(test_lenient_is_lower),
		cmocka_unit_test(test_new_normal_after_a_day),
		cmocka_unit_test(test_flood_of_newcomers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
