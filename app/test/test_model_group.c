/* Groups and memberships in the model: records of both versions, time, quotas, and what they come to. */
#include "test_group.h"

#define G "ff0e::101"
#define G2 "ff02::fb"
#define SSM "ff3e::8000:1"
#define S1 "2001:db8:9::1"
#define S2 "2001:db8:9::2"

static void
joins_and_leaves(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_segment *seg;
	const struct ics_group *g;
	struct ics_ip addr;

	say2(r, MAC_H, TO_EX, G, NULL, T0);
	assert_non_null(member_of(r, MAC_H, G));
	assert_int_equal(groups_of(r, MAC_H), 1);
	assert_int_equal(host_of(r, MAC_H)->mld_version, 2);
	say2(r, MAC_B, IS_EX, G, NULL, T0 + S);
	assert_int_equal(ics_ip_parse(G, &addr), 0);
	g = ics_model_group_find(model_of(r), 0, &addr);
	assert_int_equal(g->members, 2);
	assert_int_equal(g->reports, 2);
	say2(r, MAC_H, IS_EX, G, NULL, T0 + 2 * S);
	assert_int_equal(g->members, 2);
	assert_true(member_of(r, MAC_H, G)->flags & ICS_MEMBER_AGAIN);
	seg = ics_model_segment(model_of(r), 0);
	assert_int_equal(seg->mcast.groups, 1);
	assert_int_equal(seg->mcast.memberships, 2);
	assert_int_equal(seg->mcast.hosts, 2);
	assert_int_equal(seg->mcast.snm, 0);

	say2(r, MAC_H, TO_IN, G, NULL, T0 + 3 * S);
	assert_null(member_of(r, MAC_H, G));
	assert_int_equal(groups_of(r, MAC_H), 0);
	assert_int_equal(seg->mcast.hosts, 1);
	/* Who leaves what it is not in changes nothing. */
	say2(r, MAC_H, TO_IN, G, NULL, T0 + 3 * S);
	assert_int_equal(seg->mcast.memberships, 1);
	say2(r, MAC_B, TO_IN, G, NULL, T0 + 4 * S);
	assert_null(ics_model_group_find(model_of(r), 0, &addr));
	assert_int_equal(seg->mcast.groups, 0);
	assert_int_equal(seg->mcast.memberships, 0);

	/* Version 1. */
	say1(r, MAC_H, BASE_report1, G2, T0 + 5 * S);
	assert_true(member_of(r, MAC_H, G2)->flags & ICS_MEMBER_V1);
	assert_int_equal(host_of(r, MAC_H)->mld_version, 1);
	say1(r, MAC_B, BASE_done1, G2, T0 + 6 * S);
	assert_non_null(member_of(r, MAC_H, G2));
	say1(r, MAC_H, BASE_done1, G2, T0 + 6 * S);
	assert_null(member_of(r, MAC_H, G2));
	assert_int_equal(seg->mcast.groups, 0);
	rig_free(r);
}

/* Each record type out of each state (RFC 9777 4.2, 7.4). */
static void
follows_source_lists(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_member *e;
	uint64_t t = T0;

	/* INCLUDE {S1} and on to {S1,S2}, {S2}, {}. */
	say2(r, MAC_H, ALLOW, SSM, S1, t);
	e = member_of(r, MAC_H, SSM);
	assert_true(e->flags & ICS_MEMBER_INCLUDE);
	assert_int_equal(e->n_sources, 1);
	say2(r, MAC_H, ALLOW, SSM, S1, t);
	assert_int_equal(e->n_sources, 1);
	say2(r, MAC_H, IS_IN, SSM, S1 " " S2, t);
	assert_int_equal(e->n_sources, 2);
	say2(r, MAC_H, BLOCK, SSM, S1, t);
	assert_int_equal(e->n_sources, 1);
	say2(r, MAC_H, BLOCK, SSM, S1, t);
	assert_non_null(member_of(r, MAC_H, SSM));
	say2(r, MAC_H, BLOCK, SSM, S2, t);
	assert_null(member_of(r, MAC_H, SSM));
	say2(r, MAC_H, BLOCK, SSM, S2, t);
	assert_null(member_of(r, MAC_H, SSM));

	/* TO_IN sets it anew. */
	say2(r, MAC_H, IS_IN, SSM, S1, t);
	say2(r, MAC_H, TO_IN, SSM, S2, t);
	assert_int_equal(member_of(r, MAC_H, SSM)->n_sources, 1);
	say2(r, MAC_H, BLOCK, SSM, S2, t);
	assert_null(member_of(r, MAC_H, SSM));

	/* EXCLUDE stays through ALLOW and BLOCK, and ends as INCLUDE. */
	say2(r, MAC_H, TO_EX, G, S1, t);
	e = member_of(r, MAC_H, G);
	assert_false(e->flags & ICS_MEMBER_INCLUDE);
	say2(r, MAC_H, ALLOW, G, S1, t);
	say2(r, MAC_H, BLOCK, G, S1, t);
	assert_false(member_of(r, MAC_H, G)->flags & ICS_MEMBER_INCLUDE);
	say2(r, MAC_H, IS_IN, G, S1, t);
	assert_true(member_of(r, MAC_H, G)->flags & ICS_MEMBER_INCLUDE);
	say2(r, MAC_H, IS_EX, G, NULL, t);
	assert_int_equal(member_of(r, MAC_H, G)->n_sources, 0);
	say2(r, MAC_H, TO_IN, G, S1, t);
	say2(r, MAC_H, BLOCK, G, S1, t);
	assert_null(member_of(r, MAC_H, G));

	/* More sources than are kept: which are left is not known, that it leaves is. */
	say2(r, MAC_H, IS_IN, SSM, S1 " " S2 " 2001:db8:9::3 2001:db8:9::4", t);
	assert_int_equal(member_of(r, MAC_H, SSM)->n_sources, ICS_MEMBER_MANY);
	say2(r, MAC_H, BLOCK, SSM, S1, t);
	assert_non_null(member_of(r, MAC_H, SSM));
	say2(r, MAC_H, TO_IN, SSM, NULL, t);
	assert_null(member_of(r, MAC_H, SSM));

	/* What says nothing: empty lists, multicast sources, unknown types, all-but for a source-specific group, groups that
	 * need no report.
	 */
	say2(r, MAC_H, IS_IN, G, NULL, t);
	say2(r, MAC_H, ALLOW, G, NULL, t);
	say2(r, MAC_H, ALLOW, G, "ff02::1", t);
	say2(r, MAC_H, 7, G, NULL, t);
	say2(r, MAC_H, 0, G, NULL, t);
	say2(r, MAC_H, IS_EX, SSM, NULL, t);
	say2(r, MAC_H, IS_EX, "ff02::1", NULL, t);
	say2(r, MAC_H, IS_EX, "ff01::5", NULL, t);
	say2(r, MAC_H, IS_EX, "2001:db8::1", NULL, t);
	assert_int_equal(ics_model_member_count(model_of(r)), 0);
	rig_free(r);
}

static void
takes_all_records(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = report2(MAC_H);
	char group[64];

	for (unsigned i = 0; i < 72; i++)
		add_record(&p, i % 2 != 0 ? ALLOW : TO_EX, snm_of(1, i, group), i % 2 != 0 ? S1 : NULL);
	feed(r, &p, T0);
	assert_int_equal(groups_of(r, MAC_H), 72);
	assert_int_equal(host_of(r, MAC_H)->n_snm, 72);
	assert_int_equal(ics_model_segment(model_of(r), 0)->mcast.packets, 1);
	/* Records before the one that is cut off count, as bridges have it. */
	p = report2(MAC_B);
	for (unsigned i = 0; i < 3; i++)
		add_record(&p, TO_EX, snm_of(2, i, group), NULL);
	p.snap = p.l4 + 8 + 2 * 20 + 10;
	feed(r, &p, T0);
	assert_int_equal(groups_of(r, MAC_B), 2);
	rig_free(r);
}

static void
ends_unreported(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;

	say2(r, MAC_H, TO_EX, G, NULL, T0);
	say2(r, MAC_B, TO_EX, G, NULL, T0 + 100 * S);
	ics_engine_tick(r->engine, T0 + MALI - S);
	assert_non_null(member_of(r, MAC_H, G));
	ics_engine_tick(r->engine, T0 + MALI + 2 * S);
	assert_null(member_of(r, MAC_H, G));
	assert_non_null(member_of(r, MAC_B, G));
	ics_engine_tick(r->engine, T0 + MALI + 102 * S);
	assert_int_equal(ics_model_member_count(model_of(r)), 0);
	assert_int_equal(ics_model_group_count(model_of(r)), 0);
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.member_expiries, 2);
	rig_free(r);
}

/* The querier's own values: robustness 3, 200 s, 20 s: 620 s; and less: 2, 20 s, 1 s: 41 s. */
static void
lasts_as_its_querier_says(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet q = base_packet(BASE_query2);

	assert_int_equal(ics_model_mali_ns(model_of(r), 0), MALI);
	set16(&q, 4, 20000);
	set8(&q, 24, 3);
	set8(&q, 25, 0x99); /* (16 + 9) << 4: 400 s */
	feed(r, &q, T0);
	assert_int_equal(ics_model_mali_ns(model_of(r), 0), 1220 * S);
	say2(r, MAC_H, TO_EX, G, NULL, T0 + S);
	ics_engine_tick(r->engine, T0 + 1000 * S);
	assert_non_null(member_of(r, MAC_H, G));
	rig_free(r);

	r = rig_new(NULL);
	set16(&q, 4, 1000);
	set8(&q, 24, 2);
	set8(&q, 25, 20);
	feed(r, &q, T0);
	say2(r, MAC_H, TO_EX, G, NULL, T0 + S);
	ics_engine_tick(r->engine, T0 + 40 * S);
	assert_non_null(member_of(r, MAC_H, G));
	ics_engine_tick(r->engine, T0 + 44 * S);
	assert_null(member_of(r, MAC_H, G));
	rig_free(r);

	/* One that says nothing and asks every 200 s: two of them and time to answer. */
	r = rig_new(NULL);
	for (unsigned i = 0; i < 5; i++)
		feed_base(r, BASE_query1, T0 + i * 200 * S);
	assert_int_equal(ics_model_mali_ns(model_of(r), 0), 410 * S);
	rig_free(r);
}

/* One of the members of a group answers for all of them (RFC 2710 4). */
static void
version1_members_stay_silent(void **state)
{
	struct rig *r = rig_new(NULL);
	char own[64];

	say1(r, MAC_H, BASE_report1, G2, T0);
	say1(r, MAC_B, BASE_report1, G2, T0);
	for (unsigned i = 1; i <= 8; i++) {
		say1(r, MAC_H, BASE_report1, snm_of(1, 1, own), T0 + i * 125 * S);
		say1(r, MAC_B, BASE_report1, G2, T0 + i * 125 * S + S);
	}
	/* Of H only its own group was heard, for a thousand seconds. */
	assert_non_null(member_of(r, MAC_H, G2));
	assert_non_null(member_of(r, MAC_B, G2));
	/* It is gone: nothing of it is heard. */
	for (unsigned i = 9; i <= 12; i++)
		say1(r, MAC_B, BASE_report1, G2, T0 + i * 125 * S + S);
	assert_null(member_of(r, MAC_H, G2));
	assert_non_null(member_of(r, MAC_B, G2));
	/* Members that speak version 2 report for themselves. */
	say2(r, MAC_H, IS_EX, G2, NULL, T0 + 1600 * S);
	for (unsigned i = 0; i <= 3; i++) {
		say1(r, MAC_B, BASE_report1, G2, T0 + 1600 * S + i * 125 * S);
		say2(r, MAC_H, IS_EX, own, NULL, T0 + 1600 * S + i * 125 * S);
	}
	assert_null(member_of(r, MAC_H, G2));
	rig_free(r);
}

static void
counts_packets_and_entries(void **state)
{
	struct rig *r = rig_new("detect.hosts_per_port=2");
	const struct ics_mcast_load *l;

	answer(r, 1, 100, T0);
	answer_v1(r, 2, 30, T0);
	l = &ics_model_segment(model_of(r), 0)->mcast;
	assert_int_equal(l->packets, 2 + 30);
	assert_int_equal(l->v1_hosts, 1);
	assert_int_equal(l->entries, 130);
	assert_int_equal(l->snm, 130);
	answer(r, 2, 30, T0 + S);
	assert_int_equal(l->packets, 3);
	assert_int_equal(l->v1_hosts, 0);
	/* Five members of one group are on three ports. */
	for (unsigned i = 0; i < 5; i++) {
		char mac[32];

		say2(r, host_mac(10 + i, mac), TO_EX, G, NULL, T0 + S);
	}
	assert_int_equal(l->entries, 133);
	assert_int_equal(l->memberships, 135);
	say2(r, "02:00:5e:10:00:0a", TO_IN, G, NULL, T0 + 2 * S);
	assert_int_equal(l->entries, 132);
	assert_memory_equal(l, ics_model_port_mcast(model_of(r), 0), sizeof(*l));
	rig_free(r);
}

/* A MAC that invents groups pushes out its own; one that invents MACs takes from what was said once. */
static void
floods_evict_themselves(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;
	char group[64], mac[32];

	say2(r, MAC_H, TO_EX, G, NULL, T0);
	say2(r, MAC_H, TO_EX, G, NULL, T0 + S);
	for (unsigned i = 0; i < ICS_MEMBERS_PER_MAC + 500; i++) {
		snprintf(group, sizeof(group), "ff0e::5:%x", i);
		say2(r, MAC_X, TO_EX, group, NULL, T0 + 2 * S);
	}
	assert_int_equal(groups_of(r, MAC_X), ICS_MEMBERS_PER_MAC);
	assert_null(member_of(r, MAC_X, "ff0e::5:1"));
	assert_non_null(member_of(r, MAC_X, "ff0e::5:1000"));
	assert_non_null(member_of(r, MAC_H, G));
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.member_evictions, 500);

	for (unsigned i = 0; i < ICS_GROUPS_PER_SEGMENT + 5000; i++) {
		snprintf(group, sizeof(group), "ff0e::6:%x:%x", i >> 16, i & 0xffff);
		say2(r, host_mac(i, mac), TO_EX, group, NULL, T0 + 3 * S);
	}
	assert_int_equal(ics_model_segment(model_of(r), 0)->mcast.groups, ICS_GROUPS_PER_SEGMENT);
	assert_non_null(member_of(r, MAC_H, G));
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.groups, ICS_GROUPS_PER_SEGMENT);
	assert_true(st.group_evictions > 4000);
	assert_int_equal(st.group_evictions + st.group_drops, 5000 + 1 + ICS_MEMBERS_PER_MAC);
	/* All of it ends by itself. */
	ics_engine_tick(r->engine, T0 + MALI + 120 * S);
	assert_int_equal(ics_model_group_count(model_of(r)), 0);
	assert_int_equal(ics_model_segment(model_of(r), 0)->mcast.entries, 0);
	assert_int_equal(ics_model_segment(model_of(r), 0)->mcast.hosts, 0);
	assert_int_equal(ics_model_segment(model_of(r), 0)->mcast.packets, 0);
	rig_free(r);
}

/* A segment that has its fill: what was reported again stays. */
static void
full_segments_keep_what_was_confirmed(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = report2(MAC_H);
	struct ics_model_stats st;
	char group[64], mac[32];

	for (unsigned i = 0; i < 60; i++) {
		snprintf(group, sizeof(group), "ff0e::7:%x", i);
		add_record(&p, IS_EX, group, NULL);
	}
	for (unsigned i = 0; i < 11000; i++) {
		set_smac(&p, host_mac(i < 9000 ? i : i - 9000, mac));
		feed(r, &p, T0 + i * MS);
		if (i < 2000)
			feed(r, &p, T0 + i * MS);
	}
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.members, ICS_MEMBERS_PER_SEGMENT);
	assert_true(st.member_evictions > 10000);
	assert_int_equal(st.member_evictions + st.member_drops, 9000 * 60 - ICS_MEMBERS_PER_SEGMENT);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(groups_of(r, host_mac(i, mac)), 60);
	rig_free(r);
}

/* A host that is forgotten takes its memberships along. */
static void
forgotten_hosts(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;
	char mac[32];

	say2(r, MAC_H, TO_EX, G, NULL, T0);
	say2(r, MAC_H, TO_EX, G, NULL, T0 + S);
	for (unsigned i = 0; i < ICS_HOSTS_MAX + 1000; i++)
		say2(r, host_mac(i, mac), TO_EX, G2, NULL, T0 + 2 * S);
	ics_model_stats(model_of(r), &st);
	assert_int_equal(st.hosts, ICS_HOSTS_MAX);
	assert_int_equal(st.host_evictions, 1001);
	assert_int_equal(st.members, ICS_HOSTS_MAX);
	assert_int_equal(ics_model_segment(model_of(r), 0)->mcast.hosts, ICS_HOSTS_MAX);
	assert_non_null(member_of(r, MAC_H, G));
	rig_free(r);
}

/* The arithmetic of the incident: nine groups a host, 3,000 entries, 333 hosts; from 100 hosts on it is known. */
static void
forecasts_the_incident(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_table_forecast f;

	ics_model_forecast(model_of(r), 0, &f);
	assert_int_equal(f.used, 0);
	assert_int_equal(f.per_host_100, 0);
	for (unsigned i = 0; i < 334; i++) {
		answer(r, i, 9, T0 + i * MS);
		ics_model_forecast(model_of(r), 0, &f);
		assert_int_equal(f.used, 9 * (i + 1));
		if (i + 1 >= 100)
			assert_in_range(f.hosts_at_full, 327, 340);
	}
	assert_string_equal(f.model, "port");
	assert_int_equal(f.cap, 3000);
	assert_int_equal(f.percent, 100);
	assert_int_equal(f.hosts_to_full, 0);
	assert_int_equal(f.per_host_100, 900);
	rig_free(r);

	r = rig_new("detect.table_model=port2");
	for (unsigned i = 0; i < 100; i++)
		answer(r, i, 9, T0);
	ics_model_forecast(model_of(r), 0, &f);
	assert_int_equal(f.used, 1800);
	assert_in_range(f.hosts_at_full, 163, 170);
	rig_free(r);

	/* Groups that all share take one entry in a table of groups. */
	r = rig_new("detect.table_model=group");
	for (unsigned i = 0; i < 100; i++) {
		char mac[32];

		answer(r, i, 8, T0);
		say2(r, host_mac(i, mac), IS_EX, G2, NULL, T0);
	}
	ics_model_forecast(model_of(r), 0, &f);
	assert_string_equal(f.model, "group");
	assert_int_equal(f.used, 801);
	assert_int_equal(f.hosts_to_full, 274);
	rig_free(r);
}

static void
who_has_most(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_mcast_hosts h;
	char mac[32], text[ICS_MAC_STRLEN];

	for (unsigned i = 0; i < 100; i++)
		answer(r, i, i == 42 ? 300 : i < 10 ? 20 : 9, T0);
	ics_model_mcast_hosts(model_of(r), 0, UINT32_MAX, &h);
	assert_int_equal(h.hosts, 100);
	assert_int_equal(h.p50, 9);
	assert_int_equal(h.p95, 20);
	assert_int_equal(h.max, 300);
	assert_int_equal(h.n_top, ICS_MCAST_TOP);
	assert_string_equal(ics_mac_format(&h.top[0].mac, text), host_mac(42, mac));
	assert_int_equal(h.top[0].groups, 300);
	for (unsigned i = 1; i < ICS_MCAST_TOP; i++)
		assert_int_equal(h.top[i].groups, 20);
	ics_model_mcast_hosts(model_of(r), 1, UINT32_MAX, &h);
	assert_int_equal(h.hosts, 0);
	ics_model_mcast_hosts(model_of(r), 0, 7, &h);
	assert_int_equal(h.hosts, 0);
	rig_free(r);
}

/* Growth of a day is a trend; a morning is none. */
static void
trends(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_table_forecast f;

	for (unsigned q = 0; q <= 97; q++)
		for (unsigned k = 0; k < 4; k++)
			for (unsigned i = 0; i < 20 + q; i++)
				answer(r, i, 9, T0 + (q * 900 + k * 225) * S + i * MS);
	ics_model_forecast(model_of(r), 0, &f);
	assert_true(f.has_trend);
	assert_in_range(f.per_day, 840, 880);
	/* 117 hosts have 1,053 entries: 1,947 are free, at 864 a day. */
	assert_in_range(f.hours_to_full, 52, 56);
	rig_free(r);

	r = rig_new(NULL);
	for (unsigned q = 0; q <= 97; q++)
		for (unsigned k = 0; k < 4; k++)
			for (unsigned i = 0; i < (q < 60 ? 20u : 110u); i++)
				answer(r, i, 9, T0 + (q * 900 + k * 225) * S + i * MS);
	ics_model_forecast(model_of(r), 0, &f);
	assert_int_equal(f.used, 990);
	assert_false(f.has_trend);
	rig_free(r);
}

static void
message_rates(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_segment *s;

	for (unsigned i = 0; i < 2000; i++)
		say2(r, MAC_H, i % 2 != 0 ? TO_EX : IS_EX, G, NULL, T0 + i * 10 * MS);
	s = ics_model_segment(model_of(r), 0);
	assert_int_equal(ics_segment_mld_pps(s, T0 + 20 * S), 100);
	assert_int_equal(ics_segment_mld_pps(s, T0 + 60 * S), 0);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_and_leaves),
		cmocka_unit_test(follows_source_lists),
		cmocka_unit_test(takes_all_records),
		cmocka_unit_test(ends_unreported),
		cmocka_unit_test(lasts_as_its_querier_says),
		cmocka_unit_test(version1_members_stay_silent),
		cmocka_unit_test(counts_packets_and_entries),
		cmocka_unit_test(floods_evict_themselves),
		cmocka_unit_test(full_segments_keep_what_was_confirmed),
		cmocka_unit_test(forgotten_hosts),
		cmocka_unit_test(forecasts_the_incident),
		cmocka_unit_test(who_has_most),
		cmocka_unit_test(trends),
		cmocka_unit_test(message_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
