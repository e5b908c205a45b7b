/* lib/report: the JSON contract and the voice of the text, from findings and counters set by hand and from what the
 * engine made of an RA.
 */
#include "ics_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define T0 1463012470543000000ull /* 2016-05-12T00:21:10.543 */

struct fixture {
	struct ics_config conf;
	struct ics_count_snapshot counts;
	struct ics_counters counters;
	struct ics_report_capture capture;
	struct ics_report report;
};

static int
setup(void **state)
{
	struct fixture *x = aligned_alloc(64, (sizeof(*x) + 63) / 64 * 64);

	assert_non_null(x);
	memset(x, 0, sizeof(*x));
	ics_config_init(&x->conf);
	x->capture = (struct ics_report_capture){
		.file = "a.pcap", .frames = 12345, .bytes = 99, .first_ns = T0, .last_ns = T0 + 1000};
	x->counts.frames = 12345;
	x->counts.class[ICS_CLASS_nd_ra] = 5;
	x->counts.class[ICS_CLASS_ip6_other] = 12340;
	x->counts.control = x->counts.delivered = 5;
	x->report = (struct ics_report){
		.version = "1.2.3",
		.captures = &x->capture,
		.n_captures = 1,
		.counts = &x->counts,
		.counters = &x->counters,
		.engine = ics_engine_new(&x->conf, 1),
	};
	assert_non_null(x->report.engine);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	ics_engine_free(x->report.engine);
	free(x);
	return 0;
}

static struct ics_anomaly *
add(struct fixture *x, enum ics_severity severity, uint64_t entity)
{
	struct ics_anomaly_store *s = ics_engine_anomalies(x->report.engine);
	struct ics_anomaly *a = ics_anomaly_open(s, "router_lifetime_zero", entity);

	assert_non_null(a);
	a->rfc = "4861 6.2.5";
	a->variant = "graceful";
	a->severity = severity;
	a->segment = (struct ics_segment_key){.port = 0, .vlan_outer = 10, .vlan_inner = ICS_VLAN_NONE};
	a->first_ns = T0;
	a->last_ns = T0 + 5000000000ull;
	a->count = 3;
	a->n_frames = 2;
	a->frame_no[0] = 6;
	a->frame_no[1] = 9;
	assert_int_equal(ics_subject_set_text(a, "router", "%s", "fe80::1"), 0);
	assert_int_equal(ics_fact_set_uint(a, "lifetime_before", 1800), 0);
	assert_int_equal(ics_fact_set_bool(a, "known_mac", true), 0);
	assert_int_equal(ics_fact_set_seconds(a, "left", 1787123), 0);
	snprintf(a->says, sizeof(a->says),
		 "fe80::1 (00:00:5e:00:53:01) told every host to drop it as IPv6 gateway: Router Lifetime 1800 -> 0. "
		 "41 hosts on this VLAN have no other default router. "
		 "Do: check forwarding, uplink and a restart of the RA daemon on that router.");
	ics_anomaly_changed(s, a);
	return a;
}

static json_t *
get_json(struct fixture *x)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	json_error_t e;
	json_t *j;

	assert_non_null(f);
	assert_int_equal(ics_report_json(f, &x->report), 0);
	fclose(f);
	for (size_t i = 0; i < n; i++)
		assert_true((unsigned char)text[i] < 0x7f);
	j = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		fail_msg("%s in %s", e.text, text);
	free(text);
	return j;
}

static char *
get_text(struct fixture *x)
{
	static char *text;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(ics_report_text(f, &x->report), 0);
	fclose(f);
	return text;
}

static json_t *
at(json_t *j, const char *key)
{
	json_t *v = json_object_get(j, key);

	if (v == NULL)
		fail_msg("no \"%s\"", key);
	return v;
}

static void
assert_text(json_t *j, const char *key, const char *want)
{
	assert_string_equal(json_string_value(at(j, key)), want);
}

static void
test_time(void **state)
{
	char buf[32];

	assert_string_equal(ics_report_time(T0, buf), "2016-05-12T00:21:10.543000Z");
	assert_string_equal(ics_report_time(T0 + 999, buf), "2016-05-12T00:21:10.543000Z");
	assert_string_equal(ics_report_time(T0 + 1999, buf), "2016-05-12T00:21:10.543001Z");
	assert_string_equal(ics_report_time(0, buf), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(ics_report_time(UINT64_MAX, buf), "2554-07-21T23:34:33.709551Z");
}

static void
test_segment(void **state)
{
	struct ics_segment_key k = {.port = 3, .vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};
	char buf[64];

	assert_string_equal(ics_report_segment(&k, buf), "port 3 untagged");
	k.vlan_outer = 10;
	assert_string_equal(ics_report_segment(&k, buf), "VLAN 10, port 3");
	k.vlan_inner = 20;
	assert_string_equal(ics_report_segment(&k, buf), "VLAN 10.20, port 3");
	k.encap = ICS_ENCAP_MPLS | ICS_ENCAP_PPPOE;
	k.port = 255;
	k.vlan_outer = k.vlan_inner = 4094;
	assert_string_equal(ics_report_segment(&k, buf), "VLAN 4094.4094, port 255, MPLS, PPPoE");
}

static void
test_json(void **state)
{
	struct fixture *x = *state;
	json_t *j, *o, *list;
	uint64_t sum = 0;
	const char *name;

	add(x, ICS_SEV_WARN, 1);
	add(x, ICS_SEV_CRITICAL, 2)->segment.vlan_inner = 20;
	add(x, ICS_SEV_INFO, 3)->segment.vlan_outer = ICS_VLAN_NONE;
	x->counts.reason[0] = 7;
	x->counts.reason_first_ns[0] = 1463012470543000000ull;
	ics_count_reason(&x->counters, 0, 1463012470543000000ull, (const uint8_t *)"\x01\xab", 2, 60);
	j = get_json(x);
	assert_text(j, "version", "1.2.3");
	o = at(at(j, "reason_details"), ics_reason_info(0)->name);
	assert_int_equal(json_object_size(at(j, "reason_details")), 1);
	assert_int_equal(json_integer_value(at(o, "count")), 7);
	assert_text(o, "first", "2016-05-12T00:21:10.543000Z");
	assert_text(o, "frame_hex", "01ab");
	assert_text(o, "rfc", ics_reason_info(0)->rfc);
	assert_int_equal(json_integer_value(at(o, "frame_wire_len")), 60);
	assert_int_equal(json_integer_value(at(j, "frames")), 12345);
	assert_int_equal(json_object_size(at(j, "classes")), ICS_CLASS_COUNT);
	json_object_foreach(at(j, "classes"), name, o) sum += (uint64_t)json_integer_value(o);
	assert_int_equal(sum, 12345);
	assert_int_equal(json_object_size(at(j, "reasons")), 1);
	assert_int_equal(json_integer_value(at(at(j, "reasons"), ics_reason_info(0)->name)), 7);
	o = json_array_get(at(j, "captures"), 0);
	assert_text(o, "file", "a.pcap");
	assert_text(o, "first", "2016-05-12T00:21:10.543000Z");
	assert_text(o, "last", "2016-05-12T00:21:10.543001Z");
	assert_null(json_object_get(o, "damage"));
	o = at(j, "conservation");
	assert_int_equal(json_integer_value(at(o, "classes")), 12345);
	assert_int_equal(json_integer_value(at(o, "delivered")), 5);
	assert_int_equal(json_integer_value(at(o, "pending")), 0);

	list = at(j, "anomalies");
	assert_int_equal(json_array_size(list), 3);
	o = json_array_get(list, 0);
	assert_int_equal(json_integer_value(at(o, "id")), 1);
	assert_text(o, "name", "router_lifetime_zero");
	assert_text(o, "variant", "graceful");
	assert_text(o, "severity", "warn");
	assert_text(o, "state", "open");
	assert_text(o, "first", "2016-05-12T00:21:10.543000Z");
	assert_text(o, "rfc", "4861 6.2.5");
	assert_int_equal(json_integer_value(at(o, "count")), 3);
	assert_int_equal(json_array_size(at(o, "frames")), 2);
	assert_int_equal(json_integer_value(json_array_get(at(o, "frames"), 1)), 9);
	assert_text(at(o, "subject"), "router", "fe80::1");
	assert_int_equal(json_integer_value(at(at(o, "evidence"), "lifetime_before")), 1800);
	assert_true(json_is_true(at(at(o, "evidence"), "known_mac")));
	assert_true(json_real_value(at(at(o, "evidence"), "left")) == 1787.123);
	assert_int_equal(json_integer_value(at(at(o, "segment"), "vlan")), 10);
	assert_null(json_object_get(at(o, "segment"), "inner_vlan"));
	o = at(json_array_get(list, 1), "segment");
	assert_int_equal(json_integer_value(at(o, "inner_vlan")), 20);
	assert_true(json_is_null(at(at(json_array_get(list, 2), "segment"), "vlan")));
	assert_true(json_array_size(at(j, "detectors")) >= 2);
	json_decref(j);
}

static void
test_json_of_strange_strings(void **state)
{
	struct fixture *x = *state;
	json_t *j, *o;

	x->capture.file = "\xff"
			  "a\xc3\xa4\n\".pcap";
	x->capture.damage = "cut short";
	x->capture.frames = 0;
	j = get_json(x);
	o = json_array_get(at(j, "captures"), 0);
	assert_text(o, "file", "\\xffa\\xc3\\xa4\n\".pcap");
	assert_text(o, "damage", "cut short");
	assert_true(json_is_null(at(o, "first")));
	json_decref(j);
	x->capture.file = "\xc3\xa4.pcap";
	j = get_json(x);
	assert_text(json_array_get(at(j, "captures"), 0), "file", "\xc3\xa4.pcap");
	json_decref(j);
}

static void
test_text_of_a_finding(void **state)
{
	struct fixture *x = *state;
	struct ics_anomaly *a = add(x, ICS_SEV_CRITICAL, 1);
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	ics_report_anomaly_text(f, a);
	fclose(f);
	assert_string_equal(text, "CRITICAL router_lifetime_zero (graceful)                       VLAN 10, port 0\n"
				  "  fe80::1 (00:00:5e:00:53:01) told every host to drop it as IPv6 gateway:\n"
				  "  Router Lifetime 1800 -> 0.\n"
				  "  41 hosts on this VLAN have no other default router.\n"
				  "  Do: check forwarding, uplink and a restart of the RA daemon on that router.\n"
				  "  frames 6, 9 and 1 more, RFC 4861 6.2.5\n");
	free(text);

	a->n_frames = 1;
	a->count = 1;
	a->frame_no[0] = 0; /* live */
	a->muted = a->lenient = true;
	a->severity = ICS_SEV_WARN;
	a->variant = "";
	ics_anomaly_clear(ics_engine_anomalies(x->report.engine), a, T0);
	text = NULL;
	f = open_memstream(&text, &n);
	ics_report_anomaly_text(f, a);
	fclose(f);
	assert_non_null(strstr(text, "WARNING  router_lifetime_zero  "));
	assert_non_null(strstr(text, "\n  Under maintenance: recorded, raises nothing.\n"));
	assert_non_null(strstr(text, "\n  Cleared at 2016-05-12T00:21:10.543000Z.\n"));
	assert_non_null(strstr(text, "\n  RFC 4861 6.2.5, only by messages that a conforming receiver discards\n"));
	free(text);
	/* Where there is a frame to look at, how to see it. */
	a->proof[ICS_PROOF_FIRST].nth = 1;
	text = NULL;
	f = open_memstream(&text, &n);
	ics_report_anomaly_text(f, a);
	fclose(f);
	assert_non_null(strstr(text, "\n  `icmpscopectl evidence 1`, RFC 4861 6.2.5, only by messages that a\n"));
	free(text);
}

static void
test_text(void **state)
{
	struct fixture *x = *state;
	const struct ics_detector_info *d;
	unsigned n = 0, on = 0;
	char line[80];
	char *text;

	text = get_text(x);
	assert_true(strncmp(text, "No findings.\n", 13) == 0);
	assert_non_null(strstr(text, "\nLooked at\n"));
	assert_non_null(strstr(text, "12,345 frames"));
	/* What was not looked for is told with the reason, and not among the names of all that was. */
	for (; (d = ics_engine_detector(x->report.engine, n)) != NULL; n++)
		on += strcmp(d->state, "on") == 0;
	assert_true(on > 0 && on < n);
	snprintf(line, sizeof(line), "\n  assessed by %u of %u detectors\n", on, n);
	assert_non_null(strstr(text, line));
	assert_null(strstr(text, "router_flag_cleared"));
	assert_non_null(strstr(text, "\n  not assessed, as the TCP sampler is off (sample.enable):"));
	assert_non_null(strstr(text, "pmtu_blackhole_silent"));
	assert_non_null(strstr(text, "\n  not assessed, as no data of hosts was seen:"));
	assert_non_null(strstr(text, "No message breaks a rule.\n"));
	assert_non_null(strstr(text, "no router was heard or named"));
	free(text);

	add(x, ICS_SEV_INFO, 1);
	add(x, ICS_SEV_CRITICAL, 2);
	add(x, ICS_SEV_WARN, 3);
	x->counts.reason[0] = 1200;
	x->capture.file = "a\x1b[31m.pcap";
	x->capture.damage = "cut short after frame 12345: x";
	text = get_text(x);
	assert_non_null(strstr(text, "CRITICAL router"));
	assert_non_null(strstr(text, "WARNING  router"));
	assert_non_null(strstr(text, "INFO     router"));
	assert_int_equal(strstr(text, "CRITICAL router") - text, 0);
	assert_true(strstr(text, "WARNING  router") < strstr(text, "INFO     router"));
	assert_non_null(strstr(text, "nd_ra"));
	assert_null(strstr(text, "nd_rs"));
	assert_non_null(strstr(text, ics_reason_info(0)->name));
	assert_non_null(strstr(text, "1,200"));
	assert_non_null(strstr(text, "damaged: cut short after frame 12345"));
	assert_null(strchr(text, '\x1b'));
	free(text);
}

static void
test_write_error(void **state)
{
	struct fixture *x = *state;
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	assert_int_equal(ics_report_json(f, &x->report), -EIO);
	fclose(f);
	f = fopen("/dev/full", "w");
	assert_non_null(f);
	assert_int_equal(ics_report_text(f, &x->report), -EIO);
	fclose(f);
}

/* An RA with a prefix and a search domain whose name would clear the screen. */
static void
feed_ra(struct fixture *x)
{
	static const uint8_t f[] = {
		0x33, 0x33, 0,    0,    0,    1,    0,   0, 0x5e, 0,    0x53, 1, 0x86, 0xdd, 0x60, 0, 0,    0,
		0,    72,   58,   255,  0xfe, 0x80, 0,   0, 0,    0,    0,    0, 0,    0,    0,    0, 0,    0,
		0,    1,    0xff, 2,    0,    0,    0,   0, 0,    0,    0,    0, 0,    0,    0,    0, 0,    1,
		134,  0,    0,    0,    64,   0,    7,   8, 0,    0,    0,    0, 0,    0,    0,    0, 3,    4,
		64,   0xc0, 0,    1,    0x51, 0x80, 0,   0, 0x38, 0x40, 0,    0, 0,    0,    0x20, 1, 0x0d, 0xb8,
		0,    1,    0,    0,    0,    0,    0,   0, 0,    0,    0,    0, 31,   3,    0,    0, 0xff, 0xff,
		0xff, 0xff, 4,    0x1b, '[',  '2',  'J', 3, 'c',  'o',  'm',  0, 0,    0,    0,    0, 0,    0,
	};
	struct ics_record rec = {
		.ts_ns = T0,
		.vlan_outer = 10,
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = 54,
		.ilen = 72,
		.cap_len = sizeof(f),
		.class = ICS_CLASS_nd_ra,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};

	ics_engine_feed(x->report.engine, &rec, (struct ics_view){f, sizeof(f)}, 1);
}

/* A Packet Too Big of 1492 octets about 1500, as a worker hands it over. */
static void
feed_too_big(struct fixture *x, uint64_t ts_ns)
{
	enum { ICMP_OFF = 54, QUOTE_OFF = ICMP_OFF + 8, LEN = QUOTE_OFF + 48 };
	uint8_t f[LEN] = {2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, [20] = 58, [21] = 255};
	static const uint8_t net[] = {0x20, 0x01, 0x0d, 0xb8};
	struct ics_record rec = {
		.ts_ns = ts_ns,
		.vlan_outer = 10,
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = ICMP_OFF,
		.ilen = LEN - ICMP_OFF,
		.cap_len = LEN,
		.class = ICS_CLASS_icmp6_too_big,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};

	for (unsigned i = 0; i < 4; i++) /* reporter ::ff, host ::10, far ::9 */
		memcpy(f + (unsigned[]){22, 38, QUOTE_OFF + 8, QUOTE_OFF + 24}[i], net, 4);
	f[37] = 0xff;
	f[53] = f[QUOTE_OFF + 23] = 0x10;
	f[QUOTE_OFF + 39] = 9;
	f[ICMP_OFF] = 2;
	f[ICMP_OFF + 6] = 5;
	f[ICMP_OFF + 7] = 0xd4;
	f[QUOTE_OFF] = 0x60;
	f[QUOTE_OFF + 4] = 5;
	f[QUOTE_OFF + 5] = 0xb4;
	f[QUOTE_OFF + 6] = 6;
	ics_engine_feed(x->report.engine, &rec, (struct ics_view){f, LEN}, 1);
}

static void
test_paths(void **state)
{
	struct fixture *x = *state;
	json_t *j = get_json(x), *o, *g;
	char *text;

	assert_int_equal(json_array_size(at(j, "pmtu")), 0);
	assert_int_equal(json_array_size(at(j, "pmtu_reporters")), 0);
	json_decref(j);
	text = get_text(x);
	assert_null(strstr(text, "Path MTU\n"));
	free(text);

	feed_too_big(x, T0);
	feed_too_big(x, T0 + 1000000000);
	j = get_json(x);
	assert_int_equal(json_array_size(at(j, "pmtu")), 1);
	o = json_array_get(at(j, "pmtu"), 0);
	assert_text(o, "host", "2001:db8::10");
	assert_text(o, "far", "2001:db8::9");
	assert_text(o, "class", "tcp");
	assert_text(o, "reporter", "2001:db8::ff");
	assert_text(o, "reporter_mac", "02:00:00:00:00:01");
	assert_int_equal(json_integer_value(at(o, "vlan_outer")), 10);
	assert_true(json_is_null(at(o, "vlan_inner")));
	assert_int_equal(json_integer_value(at(o, "mtu")), 1492);
	assert_int_equal(json_integer_value(at(o, "repeats")), 1);
	assert_int_equal(json_integer_value(at(o, "labels")), 0);
	assert_int_equal(json_integer_value(at(o, "quoted_len")), 1500);
	assert_int_equal(json_integer_value(at(o, "mss4")), 1452);
	assert_int_equal(json_integer_value(at(o, "mss6")), 1432);
	assert_true(json_is_false(at(o, "black_hole")));
	assert_int_equal(json_array_size(at(o, "guess")), 3);
	g = json_array_get(at(o, "guess"), 0);
	assert_text(g, "what", "PPPoE");
	assert_text(g, "confidence", "medium");
	o = json_array_get(at(j, "pmtu_reporters"), 0);
	assert_text(o, "address", "2001:db8::ff");
	assert_int_equal(json_integer_value(at(o, "messages")), 2);
	json_decref(j);
	text = get_text(x);
	assert_non_null(
		strstr(text, "\nPath MTU\n"
			     "  2001:db8::ff (02:00:00:00:00:01): at most 1492 octets on 1 path, PPPoE, 2 MPLS labels "
			     "(L3VPN) or QinQ\n"
			     "    TCP MSS that fits: 1452 for IPv4, 1432 for IPv6\n"
			     "  2001:db8::10 to 2001:db8::9 (tcp): 1492, told by 2001:db8::ff 2 times\n"));
	free(text);
}

static void
test_prefixes(void **state)
{
	struct fixture *x = *state;
	json_t *j = get_json(x), *o;
	char *text;

	assert_int_equal(json_array_size(at(j, "prefixes")), 0);
	json_decref(j);
	text = get_text(x);
	assert_null(strstr(text, "What routers advertise"));
	free(text);

	feed_ra(x);
	j = get_json(x);
	assert_int_equal(json_array_size(at(j, "prefixes")), 2);
	o = json_array_get(at(j, "prefixes"), 0);
	assert_text(o, "kind", "prefix");
	assert_text(o, "prefix", "2001:db8:1::/64");
	assert_text(o, "router", "fe80::1");
	assert_true(json_is_true(at(o, "on_link")));
	assert_int_equal(json_integer_value(at(o, "valid")), 86400);
	assert_int_equal(json_integer_value(at(o, "preferred")), 14400);
	assert_text(o, "valid_until", "2016-05-13T00:21:10.543000Z");
	o = json_array_get(at(j, "prefixes"), 1);
	assert_text(o, "kind", "dnssl");
	assert_text(o, "prefix", "?[2J.com");
	assert_true(json_is_null(at(o, "valid_until")));
	json_decref(j);
	text = get_text(x);
	assert_non_null(strstr(text, "\nWhat routers advertise\n"
				     "  prefix         2001:db8:1::/64 by fe80::1, for 86400 s, on-link, autonomous\n"
				     "  dnssl          ?[2J.com by fe80::1, for ever\n"));
	assert_null(strchr(text, '\x1b'));
	free(text);
}

/* A version 2 query every 125 s, as bytes of a querier. */
static void
feed_query(struct fixture *x, uint64_t ts_ns)
{
	static const uint8_t f[] = {
		0x33, 0x33, 0,    0, 0, 1, 0, 0, 0x5e, 0, 0x53, 1, 0x86, 0xdd, 0x60, 0, 0,    0,    0, 28, 58,
		1,    0xfe, 0x80, 0, 0, 0, 0, 0, 0,    0, 0,    0, 0,    0,    0,    0, 1,    0xff, 2, 0,  0,
		0,    0,    0,    0, 0, 0, 0, 0, 0,    0, 0,    1, 130,  0,    0,    0, 0x27, 0x10, 0, 0,  0,
		0,    0,    0,    0, 0, 0, 0, 0, 0,    0, 0,    0, 0,    0,    0,    2, 0x7d, 0,    0,
	};
	struct ics_record rec = {
		.ts_ns = ts_ns,
		.frame_hash = 7,
		.vlan_outer = 10,
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = 54,
		.ilen = 28,
		.cap_len = sizeof(f),
		.class = ICS_CLASS_mld_query,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};

	ics_engine_feed(x->report.engine, &rec, (struct ics_view){f, sizeof(f)}, 1);
}

static void
test_queriers(void **state)
{
	struct fixture *x = *state;
	json_t *j = get_json(x), *o;
	char *text;

	assert_int_equal(json_array_size(at(at(j, "mld"), "queriers")), 0);
	json_decref(j);
	feed_query(x, T0);
	feed_query(x, T0 + 125000000000);
	j = get_json(x);
	assert_int_equal(json_array_size(at(at(j, "mld"), "queriers")), 1);
	o = json_array_get(at(at(j, "mld"), "queriers"), 0);
	assert_text(o, "address", "fe80::1");
	assert_text(o, "mac", "00:00:5e:00:53:01");
	assert_true(json_is_true(at(o, "in_charge")));
	assert_int_equal(json_integer_value(at(o, "qqi_s")), 125);
	assert_int_equal(json_integer_value(at(o, "mrd_ms")), 10000);
	assert_int_equal(json_integer_value(at(o, "interval_ms")), 125000);
	assert_int_equal(json_integer_value(at(o, "general")), 2);
	json_decref(j);
	text = get_text(x);
	assert_non_null(strstr(text,
			       "\nMLD queriers\n"
			       "  fe80::1 (00:00:5e:00:53:01) on VLAN 10, port 0: in charge, version 2, every 125 s, "
			       "10.0 s to answer, 2 general and 0 specific queries\n"));
	free(text);
}

/* Host n joins nine groups of its own. */
static void
feed_report(struct fixture *x, uint8_t n, unsigned groups)
{
	uint8_t f[62 + 60 * 20] = {0x33, 0x33, 0, 0, 0, 0x16, 2, 0, 0x5e, 0, 0, n, 0x86, 0xdd, 0x60, 0};
	uint16_t len = (uint16_t)(8 + groups * 20);
	struct ics_record rec = {
		.ts_ns = T0 + n,
		.vlan_outer = 10,
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = 54,
		.ilen = len,
		.cap_len = (uint16_t)(54 + len),
		.class = ICS_CLASS_mld2_report,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};

	f[22] = 0xfe;
	f[23] = 0x80;
	f[54] = 143;
	f[61] = (uint8_t)groups;
	for (unsigned i = 0; i < groups; i++) {
		static const uint8_t snm[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
		uint8_t *record = f + 62 + 20 * i;

		record[0] = 2;
		memcpy(record + 4, snm, sizeof(snm));
		record[18] = n;
		record[19] = (uint8_t)i;
	}
	ics_engine_feed(x->report.engine, &rec, (struct ics_view){f, rec.cap_len}, 1);
}

static void
test_multicast(void **state)
{
	struct fixture *x = *state;
	json_t *j = get_json(x), *o;
	char *text;

	assert_int_equal(json_integer_value(at(at(j, "mld"), "groups")), 0);
	assert_int_equal(json_array_size(at(at(j, "mld"), "table_forecast")), 0);
	json_decref(j);
	text = get_text(x);
	assert_null(strstr(text, "Multicast table"));
	free(text);

	for (unsigned n = 0; n < 100; n++)
		feed_report(x, (uint8_t)n, 9);
	j = get_json(x);
	assert_int_equal(json_integer_value(at(at(j, "mld"), "memberships")), 900);
	o = json_array_get(at(at(j, "mld"), "table_forecast"), 0);
	assert_text(o, "model", "port");
	assert_int_equal(json_integer_value(at(o, "used")), 900);
	assert_int_equal(json_integer_value(at(o, "cap")), 3000);
	assert_int_equal(json_integer_value(at(o, "percent")), 30);
	assert_int_equal(json_integer_value(at(o, "hosts_to_full")), 233);
	assert_int_equal(json_integer_value(at(o, "hosts_at_full")), 333);
	assert_true(json_real_value(at(o, "entries_per_host")) == 9.0);
	assert_true(json_is_null(at(o, "hours_to_full")));
	assert_int_equal(json_integer_value(at(at(o, "groups_per_host"), "p95")), 9);
	json_decref(j);

	feed_report(x, 7, 20);
	j = get_json(x);
	o = json_array_get(at(at(j, "mld"), "top_hosts"), 0);
	assert_int_equal(json_array_size(at(at(j, "mld"), "top_hosts")), 10);
	assert_text(o, "mac", "02:00:5e:00:00:07");
	assert_text(o, "where", "VLAN 10, port 0");
	assert_int_equal(json_integer_value(at(o, "groups")), 20);
	json_decref(j);
	text = get_text(x);
	assert_non_null(strstr(text, "\nMulticast table of the switch\n"
				     "  port 0: 911 of 3000 entries (30 %) by model port\n"
				     "    100 hosts in 911 groups; groups per host: median 9, 95 % up to 9, most 20\n"
				     "    a host takes 9.11 entries: full with about 229 more, 329 in all\n"
				     "    most groups:\n"
				     "        20 02:00:5e:00:00:07 on VLAN 10, port 0: 20 solicited-node, MLDv2\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_segment),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_of_strange_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_of_a_finding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefixes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queriers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multicast, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
