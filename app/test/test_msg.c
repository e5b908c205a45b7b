/* A record with its frame, parsed: fields of RA, NS and NA, MACs behind tags and labels, and frames cut short. */
#include "test_slow.h"

static struct ics_record rec;
static uint8_t frame[9216];
static bool seen;

static int
keep(void *ctx, enum ics_lane lane, const struct ics_record *r, const uint8_t *f)
{
	rec = *r;
	if (r->cap_len != 0)
		memcpy(frame, f, r->cap_len);
	seen = true;
	return 0;
}

static bool
parse(const struct packet *p, struct ics_msg *m)
{
	static struct ics_counters counters;
	struct ics_inspect in = {
		.decode = {.mpls_control_word = true},
		.validate = {.link_mtu = 1500},
		.counters = &counters,
		.sink = {keep, NULL},
	};
	struct packet fixed = *p;
	struct ics_frame f;

	repair_keep(&fixed);
	f = (struct ics_frame){
		.data = fixed.b,
		.cap_len = p->snap != 0 ? p->snap : fixed.len,
		.wire_len = fixed.len,
		.stripped_tci = ICS_VLAN_NONE,
	};
	seen = false;
	ics_inspect_init(&in);
	ics_inspect_burst(&in, &f, 1, T0);
	return seen && ics_msg_parse(&rec, (struct ics_view){frame, rec.cap_len}, m);
}

static void
assert_mac(const struct ics_mac *m, const char *text)
{
	char buf[ICS_MAC_STRLEN];

	assert_string_equal(ics_mac_format(m, buf), text);
}

static void
assert_ip(const struct ics_ip *a, const char *text)
{
	char buf[ICS_IP_STRLEN];

	assert_string_equal(ics_ip_format(a, buf), text);
}

static void
router_advertisement(void **state)
{
	struct packet p = base_packet(BASE_ra);
	struct ics_msg m;
	uint64_t hash;

	assert_true(parse(&p, &m));
	assert_int_equal(m.class, ICS_CLASS_nd_ra);
	assert_true(m.strict && !m.lenient && m.has_mac && !m.cut);
	assert_mac(&m.smac, MAC_R);
	assert_mac(&m.dmac, "33:33:00:00:00:01");
	assert_ip(&m.src, "fe80::1");
	assert_ip(&m.dst, "ff02::1");
	assert_int_equal(m.ra.lifetime_s, 1800);
	assert_int_equal(m.ra.cur_hop_limit, 64);
	assert_int_equal(m.ra.reachable_ms, 900000);
	assert_int_equal(m.ra.mtu, 1500);
	assert_true(m.ra.has_slla && m.ra.has_pio && !m.ra.pio_preferred_zero);
	assert_mac(&m.ra.slla, MAC_R);
	hash = m.ra.opts_hash;

	set32(&p, 32, 0);
	assert_true(parse(&p, &m));
	assert_true(m.ra.pio_preferred_zero);
	assert_true(m.ra.opts_hash != hash);

	/* One prefix that is still preferred is enough. */
	append_hex(&p, "030440c000278d0000093a800000000020010db8000200000000000000000000");
	assert_true(parse(&p, &m));
	assert_false(m.ra.pio_preferred_zero);

	p = base_packet(BASE_ra);
	set_len(&p, 16);
	assert_true(parse(&p, &m));
	assert_false(m.ra.has_slla || m.ra.has_pio || m.ra.pio_preferred_zero);
	assert_int_equal(m.ra.mtu, 0);
}

static void
neighbor_messages(void **state)
{
	struct packet p = base_packet(BASE_inc_na);
	struct ics_msg m;

	assert_true(parse(&p, &m));
	assert_int_equal(m.na.flags, ICS_NA_FLAG_OVERRIDE);
	assert_true(m.na.has_lla);
	assert_mac(&m.na.lla, MAC_R);
	assert_ip(&m.na.target, "fe80::1");
	p = base_packet(BASE_na_r0);
	assert_true(parse(&p, &m));
	assert_int_equal(m.na.flags, ICS_NA_FLAG_SOLICITED);
	assert_false(m.na.has_lla);
	p = base_packet(BASE_ns);
	assert_true(parse(&p, &m));
	assert_int_equal(m.na.flags, 0);
	assert_mac(&m.na.lla, "00:00:5e:00:53:10");
	/* An SLLA in an NA is not a TLLA. */
	p = base_packet(BASE_inc_na);
	set8(&p, 24, ICS_OPT_SLLA);
	assert_true(parse(&p, &m));
	assert_false(m.na.has_lla);
}

static void
macs_behind_encapsulation(void **state)
{
	static const char *const encaps[] = {
		"8100000a86dd",         "88a800648100000a86dd", "884700064140", "8100000a8847000640000006414f",
		"88641100000100320057",
	};
	struct ics_msg m;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(encaps); i++) {
		struct packet p = base_packet(BASE_inc_na);

		set_encap(&p, encaps[i]);
		p.raw = true;
		if (!parse(&p, &m))
			fail_msg("%s", encaps[i]);
		assert_true(m.has_mac);
		assert_mac(&m.smac, MAC_R);
		assert_ip(&m.na.target, "fe80::1");
	}
	/* An Ethernet frame of a host inside a pseudowire between two provider edges. */
	struct packet p = base_packet(BASE_inc_na);
	set_encap(&p, "884700064140"
		      "00000000"
		      "33330000000100005e005366"
		      "8100000a86dd");
	p.raw = true;
	assert_true(parse(&p, &m));
	assert_mac(&m.smac, MAC_X);
}

static void
frames_cut_short(void **state)
{
	static const enum base bases[] = {BASE_ra, BASE_inc_na, BASE_ns, BASE_fragneeded};
	struct ics_msg m;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bases); i++) {
		struct packet p = base_packet(bases[i]);
		struct packet whole = p;

		repair_keep(&whole);
		assert_true(parse(&p, &m));
		for (uint32_t n = 1; n < whole.len; n++) {
			p.snap = n;
			if (parse(&p, &m)) {
				assert_true(m.cut);
				/* Fixed fields are there or the message is not. */
				if (bases[i] == BASE_ra)
					assert_int_equal(m.ra.lifetime_s, 1800);
				if (bases[i] == BASE_inc_na)
					assert_ip(&m.na.target, "fe80::1");
			}
		}
	}
}

/* A record that claims more than its frame has: the bounds are those of the frame. */
static void
lying_records(void **state)
{
	struct packet p = base_packet(BASE_ra);
	struct ics_msg m;

	assert_true(parse(&p, &m));
	for (unsigned i = 0; i < 20000; i++) {
		struct ics_record lie = rec;
		uint8_t *exact;
		uint32_t n = (uint32_t)(ics_hash_mix(i, 1) % (rec.cap_len + 1u));

		lie.l3_off = (uint16_t)(ics_hash_mix(i, 2) % 200);
		lie.l4_off = (uint16_t)(ics_hash_mix(i, 3) % 200);
		lie.ilen = (uint16_t)ics_hash_mix(i, 4);
		lie.class = (uint8_t)(ics_hash_mix(i, 5) % 40);
		lie.encap = (uint8_t)ics_hash_mix(i, 6);
		lie.n_labels = (uint8_t)ics_hash_mix(i, 7);
		lie.flags = (uint8_t)ics_hash_mix(i, 8);
		exact = malloc(n != 0 ? n : 1);
		assert_non_null(exact);
		memcpy(exact, frame, n);
		if (ics_msg_parse(&lie, (struct ics_view){exact, n}, &m))
			assert_true(m.icmp.len <= n);
		free(exact);
	}
	rec.flags |= ICS_REC_COPIES;
	assert_false(ics_msg_parse(&rec, (struct ics_view){frame, rec.cap_len}, &m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(router_advertisement),
		cmocka_unit_test(neighbor_messages),
		cmocka_unit_test(macs_behind_encapsulation),
		cmocka_unit_test(frames_cut_short),
		cmocka_unit_test(lying_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
