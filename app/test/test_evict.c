/* Who gives way in a full table: what an open anomaly is about never does, nor a router in service, nor the querier; and a
 * flooded segment, or a flooder, evicts only itself.
 */
#include "test_slow.h"

#define HOSTS_A 1000

/* An NS of host i for its address j on a VLAN, as the fast half makes the record. */
static void
feed_ns(struct ics_engine *e, uint16_t vlan, uint32_t host, uint32_t addr, uint64_t ts)
{
	static struct packet base;
	struct ics_record rec = {
		.ts_ns = ts,
		.frame_hash = ics_hash_mix(host, addr),
		.vlan_outer = vlan,
		.vlan_inner = ICS_VLAN_NONE,
		.wire_len = 86,
		.cap_len = 86,
		.l3_off = 14,
		.l4_off = 54,
		.ilen = 32,
		.class = ICS_CLASS_nd_ns,
		.flags = ICS_REC_STRICT,
	};
	uint8_t b[86];

	if (base.len == 0)
		base = base_packet(BASE_ns);
	memcpy(b, base.b, sizeof(b));
	memcpy(b + 8, &host, 4);
	memcpy(b + 80 + 2, &host, 4);
	memcpy(b + 30, &addr, 4);
	memcpy(b + 34, &host, 4);
	ics_engine_feed(e, &rec, (struct ics_view){b, sizeof(b)}, 0);
}

static const struct ics_segment *
on_vlan(struct ics_engine *e, uint16_t vlan)
{
	const struct ics_segment *s;

	for (uint32_t id = 0; (s = ics_model_segment(ics_engine_model(e), id)) != NULL; id++)
		if (s->key.vlan_outer == vlan)
			return s;
	fail_msg("no segment of VLAN %u", vlan);
	return NULL;
}

static struct ics_engine *
engine(void)
{
	struct ics_engine *e;
	struct ics_config conf;

	ics_config_init(&conf);
	e = ics_engine_new(&conf, 7);
	assert_non_null(e);
	return e;
}

/* VLAN 10 has a thousand hosts, half of them heard once; then VLAN 20 is flooded with invented ones. */
static void
test_flooded_segment_evicts_itself(void **state)
{
	struct ics_engine *e = engine();
	struct ics_model *m = ics_engine_model(e);
	struct ics_model_stats st;
	uint64_t ts = T0;

	(void)state;
	for (uint32_t i = 0; i < HOSTS_A; i++)
		feed_ns(e, 10, 0x0a000000 + i, 1, ts += 1000);
	for (uint32_t i = 0; i < HOSTS_A; i += 2)
		feed_ns(e, 10, 0x0a000000 + i, 1, ts += 1000);
	for (uint32_t i = 0; i < ICS_HOSTS_MAX + 70000; i++)
		feed_ns(e, 20, 0x14000000 + i, 1, ts += 1000);
	ics_model_stats(m, &st);
	assert_int_equal(st.hosts, ICS_HOSTS_MAX);
	assert_int_equal(on_vlan(e, 10)->hosts, HOSTS_A);
	assert_int_equal(on_vlan(e, 20)->hosts, ICS_HOSTS_MAX - HOSTS_A);
	assert_int_equal(st.host_evictions, 70000 + HOSTS_A);
	assert_int_equal(st.host_drops, 0);
	/* Who has less than its share takes room from the one that has more. */
	for (uint32_t i = 0; i < 2000; i++)
		feed_ns(e, 30, 0x1e000000 + i, 1, ts += 1000);
	assert_int_equal(on_vlan(e, 30)->hosts, 2000);
	assert_int_equal(on_vlan(e, 10)->hosts, HOSTS_A);
	assert_int_equal(on_vlan(e, 20)->hosts, ICS_HOSTS_MAX - HOSTS_A - 2000);
	ics_engine_free(e);
}

/* Two segments with more than their share: who floods does not live on the other. */
static void
test_two_large_segments(void **state)
{
	struct ics_engine *e = engine();
	uint64_t ts = T0;

	(void)state;
	for (uint32_t i = 0; i < 50000; i++)
		feed_ns(e, 10, 0x0a000000 + i, 1, ts += 1000);
	for (uint32_t i = 0; i < ICS_HOSTS_MAX + 50000; i++)
		feed_ns(e, 20, 0x14000000 + i, 1, ts += 1000);
	assert_int_equal(on_vlan(e, 10)->hosts, 50000);
	assert_int_equal(on_vlan(e, 20)->hosts, ICS_HOSTS_MAX - 50000);
	ics_engine_free(e);
}

/* The same of addresses; and as long as there is room one segment may have all of it. */
static void
test_bindings(void **state)
{
	struct ics_engine *e = engine();
	struct ics_model *m = ics_engine_model(e);
	struct ics_model_stats st;
	uint64_t ts = T0;

	(void)state;
	for (uint32_t i = 0; i < HOSTS_A; i++)
		feed_ns(e, 10, 0x0a000000 + i, 1, ts += 1000);
	for (uint32_t i = 0; i < ICS_BINDINGS_MAX; i++)
		feed_ns(e, 20, 0x14000000 + i / 1024, i, ts += 1000);
	ics_model_stats(m, &st);
	assert_int_equal(st.bindings, ICS_BINDINGS_MAX);
	assert_int_equal(st.binding_evictions, HOSTS_A);
	assert_int_equal(st.binding_drops, 0);
	assert_int_equal(on_vlan(e, 10)->bindings, HOSTS_A);
	assert_int_equal(on_vlan(e, 20)->bindings, ICS_BINDINGS_MAX - HOSTS_A);
	ics_engine_free(e);
}

/* On one segment: those that speak again stay, the invented ones push out each other. */
static void
test_flooder_evicts_itself(void **state)
{
	struct ics_engine *e = engine();
	struct ics_model *m = ics_engine_model(e);
	uint64_t ts = T0;
	unsigned there = 0;

	(void)state;
	for (unsigned n = 0; n < 2; n++)
		for (uint32_t i = 0; i < HOSTS_A; i++)
			feed_ns(e, 10, 0x0a000000 + i, 1, ts += 1000);
	for (uint32_t i = 0; i < ICS_HOSTS_MAX + 200000; i++)
		feed_ns(e, 10, 0x14000000 + i, 1, ts += 1000);
	for (uint32_t i = 0; i < HOSTS_A; i++) {
		uint32_t host = 0x0a000000 + i;
		struct ics_mac mac = {{0}};

		memcpy(mac.b + 2, &host, 4);
		there += ics_model_host_find(m, 0, &mac) != NULL;
	}
	assert_int_equal(there, HOSTS_A);
	ics_engine_free(e);
}

#define KNOWN_HOSTS 104858
#define KNOWN_VLANS 64
#define KNOWN_EACH 10

/* How many addresses of the hosts of test_full_table() are there still. */
static unsigned
count_known(const struct ics_model *m)
{
	const struct ics_binding *b;
	unsigned n = 0;
	uint32_t host;

	for (uint32_t i = 1; (b = ics_model_binding_next(m, &i)) != NULL; i++) {
		memcpy(&host, b->addr.b + 12, 4);
		n += host >= 0x0a000000 && host < 0x0a000000 + KNOWN_HOSTS;
	}
	return n;
}

/* All the addresses there is room for, each heard twice; then a flood on one of the VLANs, from one MAC and from as many
 * as addresses.
 */
static void
test_full_table(void **state)
{
	struct ics_engine *e = engine();
	struct ics_model *m = ics_engine_model(e);
	uint64_t ts = T0, before[KNOWN_VLANS];
	unsigned known;

	(void)state;
	for (unsigned n = 0; n < 2; n++)
		for (uint32_t i = 0; i < ICS_BINDINGS_MAX; i++)
			feed_ns(e, (uint16_t)(10 + i / KNOWN_EACH % KNOWN_VLANS), 0x0a000000 + i / KNOWN_EACH,
				i % KNOWN_EACH, ts += 1000);
	known = count_known(m);
	assert_int_equal(known, ICS_BINDINGS_MAX);
	for (unsigned v = 0; v < KNOWN_VLANS; v++)
		before[v] = on_vlan(e, (uint16_t)(10 + v))->bindings;
	for (uint32_t i = 0; i < 200000; i++)
		feed_ns(e, 10, 0x14000000, i, ts += 1000);
	/* The flooder has its quota, of its own VLAN, and no more. */
	assert_in_range(count_known(m), ICS_BINDINGS_MAX - ICS_BINDINGS_PER_MAC - 1, ICS_BINDINGS_MAX);
	known = count_known(m);
	for (uint32_t i = 0; i < 200000; i++)
		feed_ns(e, 10, 0x15000000 + i, i, ts += 1000);
	/* Heard once, invented ones go before all that was heard again. */
	assert_in_range(count_known(m), known - ICS_BINDINGS_PER_MAC - 1, known);
	/* What the flooded VLAN took before it had its share came from all of them alike. */
	for (unsigned v = 1; v < KNOWN_VLANS; v++)
		assert_in_range(on_vlan(e, (uint16_t)(10 + v))->bindings,
				before[v] - 2 * ICS_BINDINGS_PER_MAC / KNOWN_VLANS * 2, before[v]);
	print_message("known addresses: %u of %u\n", count_known(m), ICS_BINDINGS_MAX);
	ics_engine_free(e);
}

static void
feed_router(struct rig *r, unsigned n, unsigned lifetime_s, uint64_t ts)
{
	char addr[32], mac[32];
	struct packet p;

	snprintf(addr, sizeof(addr), "fe80::%x", 0x1000 + n);
	snprintf(mac, sizeof(mac), "00:00:5e:00:54:%02x", n & 0xff);
	p = ra_from(addr, mac, lifetime_s, 0);
	feed(r, &p, ts);
}

/* The nth router that never was a default router. */
static void
feed_nondefault(struct rig *r, unsigned n, uint64_t ts)
{
	feed_router(r, n, 0, ts);
}

static bool
knows(struct rig *r, const char *addr)
{
	struct ics_ip ip;

	assert_int_equal(ics_ip_parse(addr, &ip), 0);
	return ics_model_router_find(ics_engine_model(r->engine), 0, &ip) != NULL;
}

/* A default router that is gone: its anomaly is open, and a flood of others does not push it out. */
static void
test_open_anomaly_keeps_its_router(void **state)
{
	struct rig *r = rig_new("detect.learn_s=0");
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_ip key;

	(void)state;
	assert_int_equal(ics_ip_parse("fe80::1", &key), 0);
	learn(r);
	feed_base(r, BASE_inc_ra, T0 + 700 * S);
	assert_int_equal(ics_model_router_find(m, 0, &key)->state, ICS_ROUTER_RETRACTED);
	/* The others were default routers too, and later. */
	for (unsigned n = 0; n < 200; n++) {
		feed_router(r, n, 1800, T0 + 701 * S + n * MS);
		feed_router(r, n, 0, T0 + 701 * S + n * MS);
	}
	assert_true(knows(r, "fe80::1"));
	assert_true(ics_model_router_find(m, 0, &key)->held);
	rig_free(r);
}

static void
test_holds_are_counted(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_mac mac;
	struct ics_ip addr, by_mac = {{0}}, nobody;

	(void)state;
	learn(r);
	assert_int_equal(ics_ip_parse("fe80::1", &addr), 0);
	assert_int_equal(ics_ip_parse("fe80::abcd", &nobody), 0);
	assert_int_equal(ics_mac_parse(MAC_R, &mac), 0);
	memcpy(by_mac.b + 10, mac.b, 6);
	for (unsigned i = 0; i < 2; i++) {
		ics_model_hold(m, 0, &addr);
		ics_model_hold(m, 0, &by_mac);
		ics_model_hold(m, 0, &nobody);
	}
	for (unsigned left = 2; left > 0; left--) {
		assert_true(ics_model_router_find(m, 0, &addr)->held);
		assert_true(ics_model_binding_find(m, 0, &addr)->held);
		assert_true(ics_model_host_find(m, 0, &mac)->held);
		ics_model_release(m, 0, &addr);
		ics_model_release(m, 0, &by_mac);
		ics_model_release(m, 0, &nobody);
	}
	assert_false(ics_model_router_find(m, 0, &addr)->held);
	assert_false(ics_model_binding_find(m, 0, &addr)->held);
	assert_false(ics_model_host_find(m, 0, &mac)->held);
	ics_model_release(m, 0, &addr);
	rig_free(r);
}

/* What is about icmpscope itself is about no segment: nothing is found there, and nothing of the first one is held. */
static void
test_no_such_segment(void **state)
{
	static const uint32_t ids[] = {1, 7, ICS_SEGMENTS_MAX - 1, ICS_SEGMENTS_MAX, UINT32_MAX};
	struct rig *r = rig_new(NULL);
	struct ics_model *m = ics_engine_model(r->engine);
	const struct ics_router *routers[ICS_ROUTERS_PER_SEGMENT];
	struct ics_ip addr, group;

	(void)state;
	learn(r);
	assert_int_equal(ics_ip_parse("fe80::1", &addr), 0);
	assert_int_equal(ics_ip_parse("ff02::1:ff00:1", &group), 0);
	assert_int_equal(ics_model_segment_count(m), 1);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(ids); i++) {
		ics_model_hold(m, ids[i], &addr);
		assert_false(ics_model_binding_find(m, 0, &addr)->held);
		assert_null(ics_model_binding_find(m, ids[i], &addr));
		assert_null(ics_model_router_find(m, ids[i], &addr));
		assert_null(ics_model_group_find(m, ids[i], &group));
		assert_null(ics_model_routelog(m, ids[i]));
		assert_int_equal(ics_model_segment_routers(m, ids[i], routers), 0);
		ics_model_release(m, ids[i], &addr);
	}
	rig_free(r);
}

/* Detectors hold what their anomaly is about from open to clear: nothing is left when all are over. */
static void
test_released_when_cleared(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_ip addr;

	(void)state;
	assert_int_equal(ics_ip_parse("fe80::1", &addr), 0);
	learn(r);
	r->watched = "router_lifetime_zero";
	feed_base(r, BASE_inc_ra, T0 + 700 * S);
	assert_true(ics_model_router_find(ics_engine_model(r->engine), 0, &addr)->held);
	feed_base(r, BASE_ra, T0 + 720 * S);
	feed_base(r, BASE_ra, T0 + 920 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	assert_false(ics_model_router_find(ics_engine_model(r->engine), 0, &addr)->held);
	rig_free(r);
}

/* A held MAC and a held address in full tables. */
static void
test_held_in_full_tables(void **state)
{
	struct ics_engine *e = engine();
	struct ics_model *m = ics_engine_model(e);
	uint32_t host = 0x0a000001;
	struct ics_ip by_mac = {{0}};
	struct ics_mac mac = {{0}};
	uint64_t ts = T0;

	(void)state;
	memcpy(mac.b + 2, &host, 4);
	memcpy(by_mac.b + 10, mac.b, 6);
	feed_ns(e, 10, host, 1, ts);
	ics_model_hold(m, 0, &by_mac);
	/* These are heard again, so they stay on. */
	for (uint32_t i = 0; i < 2 * (ICS_HOSTS_MAX + 300000); i++)
		feed_ns(e, 10, 0x14000000 + i / 2, 1, ts += 1000);
	assert_non_null(ics_model_host_find(m, 0, &mac));
	ics_model_release(m, 0, &by_mac);
	assert_false(ics_model_host_find(m, 0, &mac)->held);
	ics_engine_free(e);
}

/* The querier of the segment may be a router for prefixes only. */
static void
test_querier_stays(void **state)
{
	struct rig *r = rig_new("detect.learn_s=0 detect.nondefault_ok=fe80::1000,fe80::1001");
	struct packet q = base_packet(BASE_query2);

	(void)state;
	feed_nondefault(r, 0, T0);
	feed_nondefault(r, 1, T0 + S);
	set_src(&q, "fe80::1000");
	set_smac(&q, "00:00:5e:00:54:00");
	feed(r, &q, T0 + 2 * S);
	feed(r, &q, T0 + 30 * S);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned n = 2; n < 120; n++)
			feed_nondefault(r, n, T0 + 31 * S + round * S + n * MS);
	assert_true(knows(r, "fe80::1000"));
	assert_false(knows(r, "fe80::1001"));
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flooded_segment_evicts_itself),
		cmocka_unit_test(test_two_large_segments),
		cmocka_unit_test(test_bindings),
		cmocka_unit_test(test_flooder_evicts_itself),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_open_anomaly_keeps_its_router),
		cmocka_unit_test(test_holds_are_counted),
		cmocka_unit_test(test_no_such_segment),
		cmocka_unit_test(test_released_when_cleared),
		cmocka_unit_test(test_held_in_full_tables),
		cmocka_unit_test(test_querier_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
