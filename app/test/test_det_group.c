/* host_group_excess, mld_table_forecast and mld_silent_member over sequences of frames in fake time. */
#include "test_group.h"

#define GE "host_group_excess"
#define TF "mld_table_forecast"
#define SM "mld_silent_member"
#define G_MDNS "ff02::fb"

static struct rig *
new_rig(const char *watched, const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = watched;
	return r;
}

/* ---- host_group_excess ---- */

static void
join_many(struct rig *r, const char *mac, const char *pattern, unsigned from, unsigned to, uint64_t ts)
{
	char group[64];

	for (unsigned i = from; i < to; i++) {
		snprintf(group, sizeof(group), pattern, i + 1);
		say2(r, mac, TO_EX, group, NULL, ts + i * MS);
	}
}

/* It is on the segment already. */
static void
is_known(struct rig *r, const char *mac)
{
	announce(r, mac, "fe80::ffff", 0x20, T0 - 10 * S);
}

static void
thirty_groups(void **state)
{
	struct rig *r = new_rig(GE, NULL);
	const struct ics_anomaly *a;

	is_known(r, MAC_H);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 24, T0);
	assert_int_equal(count_anomalies(r), 0);
	join_many(r, MAC_H, "ff0e::1:%x", 24, 30, T0);
	a = the_anomaly(r);
	assert_finding(a, GE, "many", "warn");
	assert_string_equal(a->subject[0].key, "mac");
	assert_string_equal(a->subject[0].text, MAC_H);
	assert_int_equal(fact_value(a, "groups"), 30);
	assert_int_equal(fact_value(a, "limit"), 24);
	assert_int_equal(fact_value(a, "solicited_node"), 0);
	assert_int_equal(fact_value(a, "snm_percent"), 0);
	assert_int_equal(fact_value(a, "packets_per_query"), 1);
	assert_int_equal(fact_value(a, "packets_per_query_v1"), 30);
	assert_int_equal(fact_value(a, "mld_pps_predicted"), 3);
	assert_string_equal(fact_text(a, "group_1"), "ff0e::1:1e");
	assert_int_equal(a->count, 6);
	/* Reports of what is known change nothing. */
	join_many(r, MAC_H, "ff0e::1:%x", 0, 30, T0 + 125 * S);
	assert_int_equal(the_anomaly(r)->count, 6);
	assert_int_equal(detector(r, GE)->fired, 1);
	rig_free(r);
}

/* One that nobody heard before is waited for; many of them are a flood of invented ones, and of real ones later. */
static void
newcomers(void **state)
{
	struct rig *r = new_rig(GE, NULL);
	char mac[32];

	join_many(r, MAC_H, "ff0e::1:%x", 0, 40, T0);
	ics_engine_tick(r->engine, T0 + 1999 * MS);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 2100 * MS);
	assert_finding(the_anomaly(r), GE, "many", "warn");
	assert_string_equal(the_anomaly(r)->subject[0].text, MAC_H);
	assert_int_equal(fact_value(the_anomaly(r), "groups"), 40);
	assert_int_equal(the_anomaly(r)->count, 1);
	assert_true(the_anomaly(r)->first_ns >= T0 + 2 * S && the_anomaly(r)->first_ns <= T0 + 2100 * MS);
	rig_free(r);

	/* While the segment is learned, and thereafter. */
	for (unsigned learned = 0; learned < 2; learned++) {
		r = new_rig(GE, learned ? "detect.learn_s=0" : NULL);
		is_known(r, MAC_H);
		for (unsigned i = 0; i < 3000; i++)
			answer(r, i, 40, T0 + i * MS);
		ics_engine_tick(r->engine, T0 + 10 * S);
		assert_int_equal(count_anomalies(r), 0);
		assert_true(detector(r, GE)->suppressed > 2900);
		/* They say it again. */
		for (unsigned i = 0; i < 1000; i++)
			answer(r, i, 50, T0 + 10 * S + i * MS);
		assert_int_equal(count_anomalies(r), 0);
		/* Who was there before is told of all the same. */
		join_many(r, MAC_H, "ff0e::1:%x", 0, 40, T0 + 12 * S);
		assert_string_equal(the_anomaly(r)->subject[0].text, MAC_H);
		/* And whoever comes when the flood is over. */
		join_many(r, host_mac(5000, mac), "ff0e::1:%x", 0, 40, T0 + 100 * S);
		ics_engine_tick(r->engine, T0 + 103 * S);
		assert_int_equal(count_anomalies(r), 2);
		rig_free(r);
	}
}

/* 300 addresses: 30 packets a second for ten seconds, as the incident has it. */
static void
hundreds_of_solicited_node_groups(void **state)
{
	struct rig *r = new_rig(GE, NULL);
	const struct ics_anomaly *a;
	char mac[32];

	is_known(r, host_mac(7, mac));
	answer(r, 7, 120, T0);
	a = the_anomaly(r);
	assert_finding(a, GE, "solicited_node", "critical");
	assert_string_equal(a->subject[0].text, host_mac(7, mac));
	assert_int_equal(fact_value(a, "solicited_node"), 120);
	assert_int_equal(fact_value(a, "snm_percent"), 100);
	rig_free(r);

	r = new_rig(GE, NULL);
	is_known(r, host_mac(7, mac));
	answer_v1(r, 7, 300, T0);
	a = the_anomaly(r);
	assert_finding(a, GE, "solicited_node", "critical");
	assert_int_equal(fact_value(a, "groups"), 300);
	assert_int_equal(fact_value(a, "mld_version"), 1);
	assert_int_equal(fact_value(a, "packets_per_query"), 300);
	assert_int_equal(fact_value(a, "mld_pps_predicted"), 30);
	assert_non_null(strstr(a->says, "30 packets a second for 10 s"));
	rig_free(r);
}

/* Eight addresses, nine groups; and many addresses explain many groups, up to a hundred. */
static void
usual_numbers_of_groups(void **state)
{
	struct rig *r = new_rig(GE, NULL);
	char addr[64];

	for (unsigned i = 0; i < 8; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + i * S);
	for (unsigned k = 0; k < 20; k++) {
		join_many(r, MAC_H, "ff02::1:ff00:%x", 0, 8, T0 + 10 * S + k * 150 * S);
		say2(r, MAC_H, IS_EX, G_MDNS, NULL, T0 + 11 * S + k * 150 * S);
	}
	assert_int_equal(groups_of(r, MAC_H), 9);
	assert_int_equal(count_anomalies(r), 0);
	for (unsigned i = 8; i < 40; i++)
		take_address(r, MAC_H, random_address(1, i, addr), T0 + 3100 * S + i * S);
	join_many(r, MAC_H, "ff02::1:ff00:%x", 0, 40, T0 + 3200 * S);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 12, T0 + 3200 * S);
	assert_int_equal(groups_of(r, MAC_H), 52);
	assert_int_equal(count_anomalies(r), 0);
	join_many(r, MAC_H, "ff0e::1:%x", 12, 13, T0 + 3200 * S);
	assert_finding(the_anomaly(r), GE, "many", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "limit"), 52);
	rig_free(r);
}

static void
routers_queriers_proxies_and_media_servers(void **state)
{
	struct rig *r = new_rig(GE, NULL);
	struct packet q = base_packet(BASE_query2);

	feed_base(r, BASE_ra, T0);
	join_many(r, MAC_R, "ff0e::1:%x", 0, 200, T0 + S);
	assert_int_equal(count_anomalies(r), 0);
	assert_true(detector(r, GE)->suppressed > 0);
	set_smac(&q, MAC_B);
	set_src(&q, "fe80::11");
	feed(r, &q, T0 + 2 * S);
	join_many(r, MAC_B, "ff0e::1:%x", 0, 200, T0 + 3 * S);
	join_many(r, MAC_VRRP, "ff0e::1:%x", 0, 200, T0 + 3 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = new_rig(GE, "detect.proxies=" MAC_H);
	answer(r, 1, 9, T0);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 200, T0);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = new_rig(GE, "detect.groups_per_host=60");
	is_known(r, MAC_H);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 60, T0);
	assert_int_equal(count_anomalies(r), 0);
	join_many(r, MAC_H, "ff0e::1:%x", 60, 61, T0);
	assert_int_equal(count_anomalies(r), 1);
	rig_free(r);

	r = new_rig(GE, "detect.mute=" GE "@" MAC_H);
	is_known(r, MAC_H);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 30, T0);
	assert_true(the_anomaly(r)->muted);
	rig_free(r);
}

/* It goes on with twelve: the rest ends after 260 s, and two queries later the finding does. */
static void
group_excess_clears(void **state)
{
	struct rig *r = new_rig(GE, NULL);
	uint64_t t;

	is_known(r, MAC_H);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 30, T0);
	for (t = T0 + 125 * S; t <= T0 + 500 * S; t += 125 * S)
		join_many(r, MAC_H, "ff0e::1:%x", 0, 12, t);
	ics_engine_tick(r->engine, T0 + 510 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	join_many(r, MAC_H, "ff0e::1:%x", 0, 12, T0 + 600 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(fact_value(the_anomaly(r), "groups"), 12);
	assert_int_equal(fact_value(the_anomaly(r), "groups_most"), 30);
	rig_free(r);

	/* Many hosts with many groups are told a few times. */
	r = new_rig(GE, NULL);
	for (unsigned i = 0; i < 50; i++) {
		char mac[32];

		is_known(r, host_mac(i, mac));
	}
	for (unsigned i = 0; i < 50; i++)
		answer(r, i, 30, T0 + i * MS);
	assert_int_equal(count_anomalies(r), 8);
	rig_free(r);
}

/* ---- mld_table_forecast ---- */

static void
answer_all(struct rig *r, unsigned hosts, uint64_t ts)
{
	for (unsigned i = 0; i < hosts; i++)
		answer(r, i, 9, ts + i * 10 * MS);
}

static void
three_hundred_thirty_four_hosts(void **state)
{
	struct rig *r = new_rig(TF, NULL);
	const struct ics_anomaly *a;

	answer_all(r, 200, T0);
	assert_int_equal(count_anomalies(r), 0);
	answer_all(r, 250, T0 + 100 * S);
	a = the_anomaly(r);
	assert_finding(a, TF, "filling", "warn");
	assert_int_equal(fact_value(a, "used"), 2250);
	assert_int_equal(fact_value(a, "percent"), 75);
	assert_int_equal(fact_value(a, "hosts_to_full"), 83);
	assert_int_equal(fact_value(a, "hosts_at_full"), 333);
	assert_string_equal(fact_text(a, "model"), "port");
	assert_string_equal(fact_text(a, "entries_per_host"), "9.00");
	answer_all(r, 334, T0 + 200 * S);
	a = the_anomaly(r);
	assert_finding(a, TF, "full", "critical");
	assert_int_equal(fact_value(a, "used"), 3006);
	assert_int_equal(fact_value(a, "cap"), 3000);
	assert_int_equal(fact_value(a, "hosts_to_full"), 0);
	assert_int_equal(fact_value(a, "groups_per_host_p50"), 9);
	assert_int_equal(fact_value(a, "groups_per_host_p95"), 9);
	assert_int_equal(fact_value(a, "groups_per_host_max"), 9);
	assert_int_equal(fact_value(a, "snm_percent"), 100);
	assert_non_null(ics_fact_find(a, "top_10"));
	assert_non_null(strstr(a->says, "3006 of 3000 entries"));
	assert_int_equal(detector(r, TF)->fired, 1);
	rig_free(r);
}

/* 90 % is critical; and two entries for each leave room for 166 hosts. */
static void
other_limits_and_models(void **state)
{
	struct rig *r = new_rig(TF, NULL);

	answer_all(r, 300, T0);
	assert_finding(the_anomaly(r), TF, "nearly_full", "critical");
	rig_free(r);

	r = new_rig(TF, "detect.table_model=port2");
	answer_all(r, 116, T0);
	assert_int_equal(count_anomalies(r), 0);
	answer_all(r, 125, T0 + 60 * S);
	answer_all(r, 125, T0 + 130 * S);
	assert_finding(the_anomaly(r), TF, "filling", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "hosts_at_full"), 166);
	assert_string_equal(fact_text(the_anomaly(r), "model"), "port2");
	rig_free(r);

	r = new_rig(TF, "detect.table_cap=100 detect.table_model=group");
	answer_all(r, 8, T0);
	assert_finding(the_anomaly(r), TF, "filling", "warn");
	rig_free(r);
}

/* Fifty hosts; what all share on one port; and the cadence of the incident alone. */
static void
tables_with_room(void **state)
{
	struct rig *r = new_rig(TF, NULL);
	struct packet q = base_packet(BASE_query2);

	set8(&q, 25, 0x82);
	for (unsigned k = 0; k < 20; k++) {
		feed(r, &q, T0 + k * 150 * S);
		answer_all(r, 50, T0 + k * 150 * S + S);
	}
	assert_int_equal(count_anomalies(r), 0);
	r->watched = NULL;
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);

	r = new_rig(TF, "detect.hosts_per_port=10 detect.table_cap=100");
	for (unsigned i = 0; i < 400; i++) {
		char mac[32];

		say2(r, host_mac(i, mac), TO_EX, G_MDNS, NULL, T0 + i * MS);
	}
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

/* VLANs of one port share the table of one switch. */
static void
all_vlans_of_a_port(void **state)
{
	struct rig *r = new_rig(TF, "detect.table_cap=100");

	for (unsigned vlan = 10; vlan < 14; vlan++)
		for (unsigned i = 0; i < 20; i++) {
			struct packet p = report2("00:00:5e:00:53:99");
			char mac[32], group[64], tag[32];

			set_smac(&p, host_mac(vlan << 8 | i, mac));
			add_record(&p, TO_EX, snm_of(vlan, i, group), NULL);
			snprintf(tag, sizeof(tag), "8100%04x86dd", vlan);
			set_encap(&p, tag);
			feed(r, &p, T0 + vlan * S + i * MS);
		}
	assert_finding(the_anomaly(r), TF, "filling", "warn");
	assert_int_equal(fact_value(the_anomaly(r), "hosts"), 80);
	rig_free(r);
}

static void
forecast_clears(void **state)
{
	struct rig *r = new_rig(TF, NULL);
	uint64_t t = T0;

	answer_all(r, 250, T0);
	assert_int_equal(count_anomalies(r), 1);
	for (unsigned k = 1; k <= 30; k++) {
		t = T0 + k * 125 * S;
		answer_all(r, 190, t);
	}
	/* Below 60 % since about 260 s: no hour yet. */
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	for (unsigned k = 1; k <= 20; k++)
		answer_all(r, 190, t + k * 125 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_int_equal(fact_value(the_anomaly(r), "used"), 1710);
	assert_int_equal(fact_value(the_anomaly(r), "used_most"), 2250);
	rig_free(r);
}

/* It grows all day long and is full in two days, long before 70 %. */
static void
steady_growth(void **state)
{
	struct rig *r = new_rig(TF, NULL);
	const struct ics_anomaly *a;

	for (unsigned q = 0; q <= 100; q++)
		for (unsigned k = 0; k < 4; k++)
			for (unsigned i = 0; i < 20 + q; i++)
				answer(r, i, 9, T0 + (q * 900 + k * 225) * S + i * MS);
	a = the_anomaly(r);
	assert_finding(a, TF, "trend", "warn");
	assert_in_range(fact_value(a, "growth_per_day"), 840, 880);
	assert_in_range(fact_value(a, "hours_to_full"), 40, 60);
	/* It stays as it is: no trend is left, and an hour later the finding is gone. */
	for (unsigned q = 101; q <= 140; q++)
		for (unsigned k = 0; k < 4; k++)
			for (unsigned i = 0; i < 120; i++)
				answer(r, i, 9, T0 + (q * 900 + k * 225) * S + i * MS);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* ---- mld_silent_member ---- */

static void
query(struct rig *r, uint64_t ts)
{
	feed_base(r, BASE_query2, ts);
}

static void
never_reported(void **state)
{
	struct rig *r = new_rig(SM, NULL);
	const struct ics_anomaly *a;

	announce(r, MAC_H, "2001:db8:1::10", 0x60, T0);
	for (unsigned i = 0; i < 2; i++) {
		query(r, T0 + S + i * 125 * S);
		announce(r, MAC_H, "2001:db8:1::10", 0x60, T0 + 2 * S + i * 125 * S);
		say2(r, MAC_B, IS_EX, "ff02::1:ff00:11", NULL, T0 + 3 * S + i * 125 * S);
	}
	ics_engine_tick(r->engine, T0 + 130 * S);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + 140 * S);
	a = the_anomaly(r);
	assert_finding(a, SM, "unreported", "info");
	assert_string_equal(a->subject[0].text, MAC_H);
	assert_string_equal(fact_text(a, "address"), "2001:db8:1::10");
	assert_string_equal(fact_text(a, "group"), "ff02::1:ff00:10");
	assert_int_equal(fact_value(a, "queries_missed"), 2);
	/* Once more, and it is no news. */
	for (unsigned i = 2; i < 6; i++) {
		announce(r, MAC_H, "2001:db8:1::10", 0x60, T0 + i * 125 * S);
		query(r, T0 + S + i * 125 * S);
		say2(r, MAC_B, IS_EX, "ff02::1:ff00:11", NULL, T0 + 3 * S + i * 125 * S);
	}
	assert_int_equal(count_anomalies(r), 1);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	/* Another group of it does not end it, this one does. */
	say2(r, MAC_H, IS_EX, G_MDNS, NULL, T0 + 700 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	say2(r, MAC_H, IS_EX, "ff02::1:ff00:10", NULL, T0 + 701 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

/* sm_case: what happens beside the answer of H and two queries that B answers. */
enum sm_case {
	REPORTED,
	NOBODY_REPORTS,
	SUPPRESSED,
	ONE_QUERY,
	PROXY,
	LEFT,
	TAP_HEARS_FEW,
	GAVE_IT_UP,
	STOPPED,
	ASLEEP,
	DOZES
};

static unsigned
silent_in(enum sm_case what)
{
	struct rig *r = new_rig(SM, what == PROXY ? "detect.proxies=" MAC_H : NULL);
	unsigned n;

	if (what == GAVE_IT_UP || what == STOPPED)
		say2(r, MAC_H, TO_EX, "ff02::1:ff00:10", NULL, T0);
	announce(r, MAC_H, "2001:db8:1::10", 0x60, T0);
	if (what == GAVE_IT_UP || what == STOPPED)
		say2(r, MAC_H, TO_IN, "ff02::1:ff00:10", NULL, T0);
	if (what == REPORTED)
		say2(r, MAC_H, TO_EX, "ff02::1:ff00:10", NULL, T0);
	for (unsigned i = 0; i < (what == ONE_QUERY ? 1 : 2); i++) {
		uint64_t t = T0 + (what == LEFT ? 200 : 1) * S + i * 125 * S;

		for (unsigned k = 0; what == TAP_HEARS_FEW && k < 5; k++) {
			char mac[32], addr[64];

			snprintf(addr, sizeof(addr), "fe80::5:%x", k);
			announce(r, host_mac(k, mac), addr, 0x60, t);
		}
		query(r, t);
		if (what != NOBODY_REPORTS)
			say2(r, MAC_B, IS_EX, "ff02::1:ff00:11", NULL, t + 2 * S);
		if (what == DOZES) /* and is awake half a minute later */
			announce(r, MAC_H, "2001:db8:1::10", 0x60, t + 30 * S);
		else if (what != ASLEEP && what != LEFT) /* of another address */
			announce(r, MAC_H, "fe80::10", 0x20, t + S);
		if (what == GAVE_IT_UP) /* its other address */
			announce(r, MAC_H, "fe80::10", 0x60, t + 3 * S);
		if (what == STOPPED)
			announce(r, MAC_H, "2001:db8:1::10", 0x60, t + 3 * S);
		if (what == REPORTED)
			say2(r, MAC_H, IS_EX, "ff02::1:ff00:10", NULL, t + 3 * S);
		if (what == SUPPRESSED)
			say1(r, MAC_B, BASE_report1, "ff02::1:ff00:10", t + 3 * S);
	}
	ics_engine_tick(r->engine, T0 + 400 * S);
	n = count_anomalies(r);
	rig_free(r);
	return n;
}

static void
silent_for_a_reason(void **state)
{
	assert_int_equal(silent_in(REPORTED), 0);
	assert_int_equal(silent_in(NOBODY_REPORTS), 0);
	assert_int_equal(silent_in(SUPPRESSED), 0);
	assert_int_equal(silent_in(ONE_QUERY), 0);
	assert_int_equal(silent_in(PROXY), 0);
	assert_int_equal(silent_in(LEFT), 0);
	assert_int_equal(silent_in(TAP_HEARS_FEW), 0);
	/* An address that it had for a while; and one that it goes on to use without its group. */
	assert_int_equal(silent_in(GAVE_IT_UP), 0);
	assert_int_equal(silent_in(STOPPED), 1);
	assert_int_equal(silent_in(ASLEEP), 0);
	assert_int_equal(silent_in(DOZES), 0);
}

/* One finding a MAC, and it ends when the machine is gone. */
static void
silent_and_gone(void **state)
{
	struct rig *r = new_rig(SM, NULL);

	for (unsigned i = 0; i < 3; i++) {
		char addr[64];

		snprintf(addr, sizeof(addr), "2001:db8:1::%x", 0x10 + i);
		announce(r, MAC_H, addr, 0x60, T0);
	}
	for (unsigned i = 0; i < 2; i++) {
		query(r, T0 + S + i * 125 * S);
		announce(r, MAC_H, "2001:db8:1::10", 0x60, T0 + 2 * S + i * 125 * S);
		say2(r, MAC_B, IS_EX, "ff02::1:ff00:11", NULL, T0 + 3 * S + i * 125 * S);
	}
	ics_engine_tick(r->engine, T0 + 140 * S);
	assert_int_equal(fact_value(the_anomaly(r), "addresses"), 3);
	ics_engine_tick(r->engine, T0 + 3726 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 3728 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newcomers),
		cmocka_unit_test(thirty_groups),
		cmocka_unit_test(hundreds_of_solicited_node_groups),
		cmocka_unit_test(usual_numbers_of_groups),
		cmocka_unit_test(routers_queriers_proxies_and_media_servers),
		cmocka_unit_test(group_excess_clears),
		cmocka_unit_test(three_hundred_thirty_four_hosts),
		cmocka_unit_test(other_limits_and_models),
		cmocka_unit_test(tables_with_room),
		cmocka_unit_test(all_vlans_of_a_port),
		cmocka_unit_test(forecast_clears),
		cmocka_unit_test(steady_growth),
		cmocka_unit_test(never_reported),
		cmocka_unit_test(silent_for_a_reason),
		cmocka_unit_test(silent_and_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
