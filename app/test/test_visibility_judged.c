/* sys_visibility: what it takes for a part, and what it says once it is over. */
#include "test_nb.h"
#include "test_pmtu.h"

#define VIS "sys_visibility"

/* The router asks for n hosts that are known, one each half second, of which so many percent answer. */
static uint64_t
ask_for(struct rig *r, unsigned n, unsigned percent, uint64_t ts)
{
	char addr[40], mac[ICS_MAC_STRLEN];

	for (unsigned i = 0; i < n; i++) {
		snprintf(addr, sizeof(addr), "2001:db8:1::7:%x", i);
		snprintf(mac, sizeof(mac), "02:00:00:01:%02x:%02x", i >> 8, i & 0xff);
		struct packet hello = ns_of(mac, addr, "fe80::1", NULL);
		feed(r, &hello, ts + i * MS);
	}
	ts += 10 * S;
	for (unsigned i = 0; i < n; i++, ts += S / 2) {
		snprintf(addr, sizeof(addr), "2001:db8:1::7:%x", i);
		snprintf(mac, sizeof(mac), "02:00:00:01:%02x:%02x", i >> 8, i & 0xff);
		struct packet ns = ns_of(MAC_R, "fe80::1", addr, NULL);
		feed(r, &ns, ts);
		if (i * 37 % 100 < percent) {
			struct packet na = na_of(mac, addr, "fe80::1", addr, mac, 0x60);

			feed(r, &na, ts + MS);
		}
	}
	ics_engine_tick(r->engine, ts + 4 * S);
	return ts + 4 * S;
}

static struct rig *
vis_rig(void)
{
	struct rig *r = rig_new(NULL);

	r->watched = VIS;
	return r;
}

static void
sleepers_are_no_blind_tap(void **state)
{
	struct rig *r = vis_rig();

	ask_for(r, 100, 60, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = vis_rig();
	ask_for(r, 100, 3, T0);
	assert_finding(the_anomaly(r), VIS, "unicast_replies", "info");
	assert_in_range(fact_value(the_anomaly(r), "answers_percent"), 0, 5);
	rig_free(r);
}

static uint64_t
flows(struct rig *r, unsigned n, unsigned percent, uint64_t ts)
{
	for (unsigned i = 0; i < n; i++, ts += S) {
		struct ics_sample s = {.kind = ICS_SAMPLE_SUM, .src = ip_of(HOST4), .dst = ip_of(FAR4)};

		s.flags = i * 37 % 100 < percent ? ICS_SAMPLE_BOTH_WAYS : 0;
		feed_sample(r, &s, ts);
	}
	return ts;
}

/* A finding that is over says what it was about. */
static void
over_is_not_rewritten(void **state)
{
	struct rig *r = vis_rig();
	uint64_t t;
	unsigned n;

	t = flows(r, 120, 50, T0);
	assert_finding(the_anomaly(r), VIS, "one_direction", "info");
	n = (unsigned)fact_value(the_anomaly(r), "flows");
	/* Then all of them, for twenty minutes. */
	flows(r, 1300, 100, t);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_finding(the_anomaly(r), VIS, "one_direction", "info");
	assert_in_range(fact_value(the_anomaly(r), "flows_percent"), 0, 79);
	assert_true(fact_value(the_anomaly(r), "flows") >= n);
	assert_null(strstr(the_anomaly(r)->says, "100 %"));
	rig_free(r);

	/* Nine of ten are all, but for losses; three of four are not. */
	r = vis_rig();
	flows(r, 100, 90, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
	r = vis_rig();
	flows(r, 100, 75, T0);
	assert_int_equal(count_anomalies(r), 1);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleepers_are_no_blind_tap),
		cmocka_unit_test(over_is_not_rewritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
