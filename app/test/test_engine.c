/* The slow half as a whole: copies, stateful rules, the set of known routers, hostile input. */
#include "test_slow.h"

static void
copies_reach_segment_and_anomaly(void **state)
{
	struct rig *r = rig_new(NULL);
	uint64_t t = learn(r);
	const struct ics_anomaly *a;
	struct ics_record copies;

	r->watched = "router_lifetime_zero";
	feed_base(r, BASE_inc_ra, t + S);
	a = the_anomaly(r);
	copies = (struct ics_record){
		.ts_ns = t + 2 * S,
		.frame_hash = a->frame_hash,
		.repeats = 98,
		.vlan_outer = ICS_VLAN_NONE,
		.vlan_inner = ICS_VLAN_NONE,
		.class = ICS_CLASS_nd_ra,
		.flags = ICS_REC_COPIES | ICS_REC_STRICT,
	};
	ics_engine_feed(r->engine, &copies, (struct ics_view){NULL, 0}, 0);
	assert_int_equal(a->count, 100);
	assert_int_equal(a->last_ns, t + 2 * S);
	assert_int_equal(ics_model_segment(ics_engine_model(r->engine), 0)->class[ICS_CLASS_nd_ra], 104);
	rig_free(r);
}

static void
ns_without_slla(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = base_packet(BASE_ns), unicast = base_packet(BASE_ns), cut = base_packet(BASE_ns);

	set_len(&p, 24);
	set_len(&unicast, 24);
	set_dst(&unicast, "fe80::1");
	cut.snap = 78;
	feed(r, &p, T0);
	feed(r, &p, T0 + 3 * S - 1);
	assert_int_equal(ics_engine_reason_count(r->engine, ICS_REASON_nd_ns_mcast_no_slla), 0);
	feed(r, &p, T0 + 3 * S);
	assert_int_equal(ics_engine_reason_count(r->engine, ICS_REASON_nd_ns_mcast_no_slla), 1);
	feed(r, &unicast, T0 + 4 * S);
	feed(r, &cut, T0 + 5 * S);
	feed_base(r, BASE_ns, T0 + 6 * S);
	feed_base(r, BASE_dad, T0 + 7 * S);
	feed_base(r, BASE_dad, T0 + 17 * S);
	p.raw = true;
	feed(r, &p, T0 + 18 * S); /* checksum of the longer message */
	assert_int_equal(ics_engine_reason_count(r->engine, ICS_REASON_nd_ns_mcast_no_slla), 1);
	rig_free(r);
}

/* A fragment of an echo request: len octets from start on, of which the first is fill. */
static struct packet
fragment(uint32_t start, uint32_t len, bool more, uint8_t fill)
{
	struct packet p = base_packet(BASE_na);
	char hdr[32];

	set_len(&p, 0);
	append_zero(&p, len);
	set8(&p, 0, start == 0 ? 0x80 : fill);
	set8(&p, 7, fill);
	snprintf(hdr, sizeof(hdr), "0000 %04x 000000%02x", start | more, 7);
	add_ext(&p, ICS_PROTO_FRAGMENT, hdr);
	return p;
}

static uint64_t
overlaps(struct rig *r)
{
	return ics_engine_reason_count(r->engine, ICS_REASON_ip6_frag_overlap);
}

static void
overlapping_fragments(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet first = fragment(0, 64, true, 1), over = fragment(56, 64, false, 2);
	const struct ics_counters *c = ics_engine_reason_counters(r->engine);
	struct ics_view exemplar;
	uint32_t wire_len;

	feed(r, &first, T0);
	assert_int_equal(overlaps(r), 0);
	feed(r, &over, T0 + S);
	assert_int_equal(overlaps(r), 1);
	/* Another copy of the offender offends again, as a folded one does. */
	feed(r, &over, T0 + 2 * S);
	assert_int_equal(overlaps(r), 2);
	assert_int_equal(ics_count_get(&c->note[ICS_REASON_ip6_frag_overlap].first_ns), T0 + S);
	assert_int_equal(ics_count_get(&c->note[ICS_REASON_ip6_frag_overlap].last_ns), T0 + 2 * S);
	exemplar = ics_count_exemplar(c, ICS_REASON_ip6_frag_overlap, &wire_len);
	assert_int_equal(exemplar.len, 126);
	assert_int_equal(wire_len, 126);
	assert_int_equal(exemplar.p[14 + 40 + 3], 56); /* offset of the fragment header */
	rig_free(r);
}

static void
fragments_that_do_not_overlap(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet first = fragment(0, 64, true, 1), next = fragment(64, 64, false, 2);
	struct packet other = fragment(56, 64, false, 2), changed = fragment(0, 64, true, 3);

	feed(r, &first, T0);
	feed(r, &first, T0 + MS); /* an exact duplicate */
	feed(r, &next, T0 + 2 * MS);
	set_src(&other, "fe80::99"); /* another sender with the same number */
	feed(r, &other, T0 + 3 * MS);
	other = fragment(56, 64, false, 2);
	feed(r, &other, T0 + 60 * S); /* the number is used anew */
	assert_int_equal(overlaps(r), 0);
	rig_free(r);

	/* Datagrams that were whole, and those that are by themselves (RFC 6946), may have the same number. */
	struct packet atomic = fragment(0, 64, false, 1), rest = fragment(64, 64, false, 4);
	r = rig_new(NULL);
	feed(r, &first, T0);
	feed(r, &next, T0 + MS);
	feed(r, &next, T0 + 2 * MS);
	feed(r, &changed, T0 + 3 * MS);
	feed(r, &rest, T0 + 4 * MS);
	feed(r, &atomic, T0 + 5 * MS);
	set8(&atomic, 7, 9);
	feed(r, &atomic, T0 + 6 * MS);
	assert_int_equal(overlaps(r), 0);
	feed(r, &first, T0 + 7 * MS);
	feed(r, &changed, T0 + 8 * MS);
	assert_int_equal(overlaps(r), 1);
	rig_free(r);

	/* The same octets with other contents are no duplicate. */
	r = rig_new(NULL);
	feed(r, &first, T0);
	feed(r, &changed, T0 + MS);
	assert_int_equal(overlaps(r), 1);
	rig_free(r);
}

/* Past the cap the datagram that was not heard of for longest is forgotten, the latest ones are known. */
static void
fragment_table_is_capped(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet p = fragment(0, 64, true, 1), over = fragment(56, 64, false, 2);

	for (unsigned i = 0; i < 6000; i++) {
		set_hex(&p, 0, "80000000");
		p.b[p.l3 + 40 + 6] = (uint8_t)(i >> 8);
		p.b[p.l3 + 40 + 7] = (uint8_t)i;
		feed(r, &p, T0 + i * MS);
	}
	over.b[over.l3 + 40 + 6] = (uint8_t)(5999 >> 8);
	over.b[over.l3 + 40 + 7] = (uint8_t)(5999 & 0xff);
	feed(r, &over, T0 + 6000 * MS);
	assert_int_equal(overlaps(r), 1);
	over.b[over.l3 + 40 + 6] = 0;
	over.b[over.l3 + 40 + 7] = 0;
	feed(r, &over, T0 + 6001 * MS);
	assert_int_equal(overlaps(r), 1);
	rig_free(r);
}

/* Folded copies of a message that broke a stateful rule break it too. */
static void
copies_count_for_stateful_rules(void **state)
{
	struct ics_config conf;
	struct packet p = base_packet(BASE_ns);
	struct ics_record rec = {
		.ts_ns = T0,
		.frame_hash = 77,
		.vlan_outer = ICS_VLAN_NONE,
		.vlan_inner = ICS_VLAN_NONE,
		.cap_len = 78,
		.l3_off = 14,
		.l4_off = 54,
		.ilen = 24,
		.class = ICS_CLASS_nd_ns,
		.flags = ICS_REC_STRICT,
	};
	struct ics_engine *e;

	ics_config_init(&conf);
	e = ics_engine_new(&conf, 1);
	assert_non_null(e);
	ics_engine_feed(e, &rec, (struct ics_view){p.b, 78}, 0);
	rec.ts_ns = T0 + 10 * S;
	rec.repeats = 4;
	ics_engine_feed(e, &rec, (struct ics_view){p.b, 78}, 0);
	assert_int_equal(ics_engine_reason_count(e, ICS_REASON_nd_ns_mcast_no_slla), 5);
	rec.flags |= ICS_REC_COPIES;
	ics_engine_feed(e, &rec, (struct ics_view){NULL, 0}, 0);
	assert_int_equal(ics_engine_reason_count(e, ICS_REASON_nd_ns_mcast_no_slla), 10);
	rec.frame_hash = 78;
	ics_engine_feed(e, &rec, (struct ics_view){NULL, 0}, 0);
	assert_int_equal(ics_engine_reason_count(e, ICS_REASON_nd_ns_mcast_no_slla), 10);
	assert_int_equal(ics_engine_reason_count(e, ICS_REASON_COUNT), 0);
	ics_engine_free(e);
}

/* A burst is its records in turn: whatever the prefetching looks at, nothing else may come of it. */
static void
burst_equals_single(void **state)
{
	enum { N = 1000 };
	static struct ics_record rec[N];
	static uint8_t frame[N][118];
	static struct ics_engine_item item[N];
	struct ics_model_stats a, b;
	struct ics_config conf;
	struct ics_engine *single, *burst;

	ics_config_init(&conf);
	single = ics_engine_new(&conf, 1);
	burst = ics_engine_new(&conf, 2);
	assert_non_null(single);
	assert_non_null(burst);
	for (unsigned i = 0; i < N; i++) {
		struct packet p = base_packet(i % 5 == 0 ? BASE_ns : i % 5 == 1 ? BASE_inc_na : BASE_ra);

		p.b[11] = (uint8_t)(i % 50);
		if (i % 5 != 2)
			p.b[37] = (uint8_t)(i % 200);
		memcpy(frame[i], p.b, p.len);
		rec[i] = (struct ics_record){
			.ts_ns = T0 + i * MS,
			.vlan_outer = i % 100 < 90 ? 1 : 2,
			.vlan_inner = ICS_VLAN_NONE,
			.cap_len = (uint16_t)(i % 7 == 0 ? i % 86 : p.len),
			.l3_off = 14,
			.l4_off = 54,
			.ilen = (uint16_t)(p.len - 54),
			.class = i % 5 == 0   ? ICS_CLASS_nd_ns
				 : i % 5 == 1 ? ICS_CLASS_nd_na
					      : ICS_CLASS_nd_ra,
			.flags = ICS_REC_STRICT,
			.frame_hash = i,
		};
		/* Records of copies come without a frame. */
		if (i % 11 == 10) {
			rec[i].flags |= ICS_REC_COPIES;
			rec[i].cap_len = 0;
		}
		item[i] = (struct ics_engine_item){
			&rec[i], {rec[i].flags & ICS_REC_COPIES ? NULL : frame[i], rec[i].cap_len}, i};
		ics_engine_feed(single, item[i].rec, item[i].frame, item[i].frame_no);
	}
	ics_engine_feed_burst(burst, item, 0);
	ics_engine_feed_burst(burst, item, 77);
	ics_engine_feed_burst(burst, item + 77, N - 77);
	ics_model_stats(ics_engine_model(single), &a);
	ics_model_stats(ics_engine_model(burst), &b);
	assert_true(a.bindings > 100);
	assert_memory_equal(&a, &b, sizeof(a));
	const struct ics_anomaly *x = ics_anomaly_get(ics_engine_anomalies(single), 1);
	const struct ics_anomaly *y = ics_anomaly_get(ics_engine_anomalies(burst), 1);
	assert_non_null(x);
	assert_non_null(y);
	assert_int_equal(x->count, y->count);
	assert_string_equal(x->says, y->says);
	ics_engine_free(single);
	ics_engine_free(burst);
}

static bool
knows(struct ics_known *k, uint16_t vlan, const char *addr)
{
	struct ics_ip a;

	assert_int_equal(ics_ip_parse(addr, &a), 0);
	return ics_known_has(k, ics_known_hash(k, 0, vlan, ICS_VLAN_NONE, a.b));
}

static void
known_routers(void **state)
{
	struct rig *r = rig_new("detect.gateways=fe80::abc");
	struct ics_known *k = calloc(1, sizeof(*k));
	struct packet p = base_packet(BASE_ra), zero = ra_from("fe80::2", MAC_R2, 0, 0);

	assert_non_null(k);
	k->seed = 5;
	feed_base(r, BASE_ra, T0);
	ics_engine_publish_known(r->engine, k);
	/* What was there before, and the gateways. */
	assert_true(knows(k, ICS_VLAN_NONE, "fe80::1"));
	assert_true(knows(k, ICS_VLAN_NONE, "fe80::abc"));
	assert_false(knows(k, 10, "fe80::1"));
	assert_false(knows(k, 10, "fe80::abc"));
	set_encap(&p, "8100000a86dd");
	feed(r, &p, T0 + S);
	assert_true(knows(k, 10, "fe80::1"));
	assert_true(knows(k, 10, "fe80::abc"));
	/* Never a default router. */
	feed(r, &zero, T0 + 2 * S);
	assert_false(knows(k, ICS_VLAN_NONE, "fe80::2"));
	/* Known for good. */
	feed_base(r, BASE_inc_ra, T0 + 3 * S);
	assert_true(knows(k, ICS_VLAN_NONE, "fe80::1"));
	ics_engine_publish_known(r->engine, NULL);
	feed_base(r, BASE_ra, T0 + 4 * S);
	rig_free(r);
	free(k);
}

static void
ticks(void **state)
{
	struct rig *r = rig_new(NULL);
	uint64_t t;

	ics_engine_tick(r->engine, T0 + 86400 * S); /* before the first record: says nothing */
	t = learn(r);
	assert_int_equal(ics_model_clock(ics_engine_model(r->engine))->offset_ns, 0);
	ics_engine_tick(r->engine, T0);
	assert_int_equal(ics_model_clock(ics_engine_model(r->engine))->now_ns, t);
	ics_engine_tick(r->engine, t + 1800 * S);
	assert_int_equal(ics_model_router_next(ics_engine_model(r->engine), 0)->state, ICS_ROUTER_EXPIRED);
	rig_free(r);
}

/* Copies that were folded come up to a second late, and a record may have waited in a ring: neither moves the clock of
 * a source whose time never runs back, nor do copies in a capture.
 */
static void
late_records_do_not_shift_time(void **state)
{
	struct ics_record copies = {.ts_ns = T0,
				    .vlan_outer = ICS_VLAN_NONE,
				    .vlan_inner = ICS_VLAN_NONE,
				    .flags = ICS_REC_COPIES,
				    .class = ICS_CLASS_nd_ra};
	struct rig *r = rig_new(NULL);
	const struct ics_clock *c = ics_model_clock(ics_engine_model(r->engine));

	feed_base(r, BASE_ra, T0 + S);
	ics_engine_feed(r->engine, &copies, (struct ics_view){NULL, 0}, 0);
	assert_int_equal(c->offset_ns, 0);
	assert_int_equal(c->now_ns, T0 + S);
	ics_engine_set_steady(r->engine);
	feed_base(r, BASE_ra, T0);
	assert_int_equal(c->offset_ns, 0);
	assert_int_equal(c->now_ns, T0 + S);
	rig_free(r);
}

static void
learning_phase(void **state)
{
	struct rig *r = rig_new("detect.learn_s=100");
	struct ics_model *m = ics_engine_model(r->engine);

	feed_base(r, BASE_ra, T0);
	assert_true(ics_model_is_learning(m, ics_model_segment(m, 0)));
	ics_engine_tick(r->engine, T0 + 100 * S);
	assert_false(ics_model_is_learning(m, ics_model_segment(m, 0)));
	rig_free(r);
}

static bool
needs_more(const char *name)
{
	static const char *const names[] = {"addr_untraceable", "pmtu_blackhole_silent", "pmtu_spoof",
					    "tcp_mss_gt_pmtu"};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void
detector_table(void **state)
{
	struct rig *r = rig_new(NULL);
	unsigned n = 0;
	const struct ics_detector_info *d;

	for (; (d = ics_engine_detector(r->engine, n)) != NULL; n++) {
		for (const char *c = d->name; *c != '\0'; c++)
			assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
		/* What is about the inspector itself, no RFC knows. */
		assert_true(*d->rfc != '\0' || strncmp(d->name, "sys_", 4) == 0 || strncmp(d->name, "tap_", 4) == 0);
		assert_true(*d->text != '\0' && *d->advice != '\0' && *d->thresholds != '\0');
		/* Some judge data or what the TCP sampler tells, of which there was none. */
		assert_string_equal(d->state, needs_more(d->name) ? "not_assessed" : "on");
	}
	assert_true(n >= 2);
	rig_free(r);
}

/* Whatever comes, in frames and in headers: no crash, no table over its cap, and counts that add up. */
static void
random_records(void **state)
{
	static const enum base bases[] = {BASE_ra, BASE_inc_ra, BASE_inc_na,   BASE_na_r0,  BASE_ns,  BASE_dad,
					  BASE_na, BASE_rs,     BASE_redirect, BASE_query2, BASE_ptb, BASE_fragneeded};
	struct rig *r = rig_new("detect.gateways=fe80::1,fe80::2");
	struct ics_model_stats st;
	uint64_t x = 42, sum = 0, ts = T0;
	uint64_t fed = 0;

	for (unsigned i = 0; i < 100000; i++) {
		struct packet p = base_packet(bases[(x = ics_hash_mix(x, i)) % ICS_ARRAY_LEN(bases)]);
		uint8_t *exact;
		struct ics_record rec = {
			.vlan_outer = (uint16_t)(x >> 20) % 8,
			.vlan_inner = ICS_VLAN_NONE,
			.l3_off = 14,
			.l4_off = 54,
			.ilen = (uint16_t)(p.len - 54),
			.class = (uint8_t)((x >> 24) % 8 == 0 ? (x >> 28) % 50 : ICS_CLASS_nd_rs + (x >> 28) % 5),
			.flags = (uint8_t)((x >> 40) % 4 == 0 ? x >> 44 : ICS_REC_STRICT),
			.frame_hash = x >> 50,
			.repeats = (x >> 52) % 16 == 0 ? 3 : 0,
		};

		/* A few bytes are different: addresses of few routers, flags, options. */
		for (unsigned k = 0; k < 3; k++) {
			x = ics_hash_mix(x, k);
			p.b[14 + x % (p.len - 14)] = (uint8_t)(x >> 32);
		}
		ts += (x >> 10) % S;
		if (x % 1000 == 0)
			ts -= (x >> 20) % (10000 * S);
		rec.ts_ns = ts;
		rec.cap_len = (uint16_t)((x >> 8) % 10 == 0 ? x % p.len : p.len);
		exact = malloc(rec.cap_len + 1u);
		assert_non_null(exact);
		memcpy(exact, p.b, rec.cap_len);
		ics_engine_feed(r->engine, &rec, (struct ics_view){exact, rec.cap_len}, i);
		free(exact);
		if (rec.class < ICS_CLASS_COUNT)
			fed += 1 + rec.repeats;
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.segment_drops, 0);
	assert_true(st.routers <= st.segments * ICS_ROUTERS_PER_SEGMENT);
	assert_true(count_anomalies(r) > 0);
	for (uint32_t s = 0; s < ics_model_segment_count(ics_engine_model(r->engine)); s++) {
		const struct ics_segment *seg = ics_model_segment(ics_engine_model(r->engine), s);
		const struct ics_router *routers[ICS_ROUTERS_PER_SEGMENT];
		unsigned n = ics_model_segment_routers(ics_engine_model(r->engine), s, routers), defaults = 0;

		for (unsigned i = 0; i < n; i++)
			defaults += routers[i]->state == ICS_ROUTER_DEFAULT;
		assert_int_equal(n, seg->routers);
		assert_int_equal(defaults, seg->default_routers);
		assert_true(seg->router_hosts <= seg->hosts);
		for (unsigned c = 0; c < ICS_CLASS_COUNT; c++)
			sum += seg->class[c];
	}
	assert_int_equal(sum, fed);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_reach_segment_and_anomaly),
		cmocka_unit_test(ns_without_slla),
		cmocka_unit_test(overlapping_fragments),
		cmocka_unit_test(fragments_that_do_not_overlap),
		cmocka_unit_test(fragment_table_is_capped),
		cmocka_unit_test(copies_count_for_stateful_rules),
		cmocka_unit_test(burst_equals_single),
		cmocka_unit_test(known_routers),
		cmocka_unit_test(ticks),
		cmocka_unit_test(late_records_do_not_shift_time),
		cmocka_unit_test(learning_phase),
		cmocka_unit_test(detector_table),
		cmocka_unit_test(random_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
