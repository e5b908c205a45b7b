/* What the page shows: figures over time, the log of default routers, and the report's file, in which nothing of the capture is
 * markup.
 */
#include "ics_gateway.h"
#include "ics_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ull
#define T0 1463012460000000000ull

static struct ics_page_series series;

static struct ics_page_sample
sample(uint64_t ts_ns, uint64_t frames, uint64_t hosts)
{
	struct ics_page_sample s = {.ts_ns = ts_ns};

	s.v[ICS_PAGE_FRAMES] = frames;
	s.v[ICS_PAGE_HOSTS] = hosts;
	return s;
}

static bool
add(uint64_t ts_ns, uint64_t frames, uint64_t hosts)
{
	struct ics_page_sample s = sample(ts_ns, frames, hosts);

	return ics_page_series_add(&series, &s);
}

static double
value(const json_t *o, const char *key, size_t i)
{
	return json_number_value(json_array_get(json_object_get(o, key), i));
}

static void
test_rates(void **state)
{
	json_t *o;

	ics_page_series_init(&series, 10 * S, true);
	assert_true(add(T0, 1000, 5));
	assert_int_equal(series.n, 0);
	assert_false(add(T0 + 9 * S, 1100, 5));
	assert_true(add(T0 + 10 * S, 1200, 7));
	/* It began anew: what it counted since is the rate. */
	assert_true(add(T0 + 20 * S, 50, 3));
	/* Away for a minute: no rate over the gap. */
	ics_page_series_break(&series);
	assert_true(add(T0 + 80 * S, 90, 3));
	assert_int_equal(series.n, 2);
	assert_true(add(T0 + 90 * S, 100, 4));
	o = ics_page_series_json(&series, 0);
	assert_int_equal(json_array_size(json_object_get(o, "t")), 3);
	assert_true(value(o, "t", 0) == (double)((T0 + 10 * S) / 1000000));
	assert_true(value(o, "frames", 0) == 20 && value(o, "frames", 1) == 5 && value(o, "frames", 2) == 1);
	assert_true(value(o, "hosts", 0) == 7 && value(o, "hosts", 2) == 4);
	json_decref(o);
	o = ics_page_series_json(&series, T0 + 20 * S);
	assert_int_equal(json_array_size(json_object_get(o, "t")), 1);
	json_decref(o);
}

/* Live the oldest go; of a capture two become one, and what was counted stays. */
static void
test_bounds(void **state)
{
	double sum = 0;
	json_t *o;

	ics_page_series_init(&series, 10 * S, true);
	for (uint64_t i = 0; i <= ICS_PAGE_POINTS + 10; i++)
		assert_true(add(T0 + i * 10 * S, i * 30, 1));
	assert_int_equal(series.n, ICS_PAGE_POINTS);
	o = ics_page_series_json(&series, 0);
	assert_true(value(o, "t", 0) == (double)((T0 + 11 * 10 * S) / 1000000));
	assert_true(value(o, "frames", ICS_PAGE_POINTS - 1) == 3);
	json_decref(o);

	ics_page_series_init(&series, S, false);
	for (uint64_t i = 0; i <= 10 * ICS_PAGE_POINTS; i++)
		(void)add(T0 + i * S, i * 4, i);
	assert_in_range(series.n, ICS_PAGE_POINTS / 2, ICS_PAGE_POINTS);
	assert_int_equal(series.step_ns, 16 * S);
	o = ics_page_series_json(&series, 0);
	for (unsigned i = 0; i < series.n; i++)
		sum += value(o, "frames", i);
	assert_true(sum / series.n > 3.99 && sum / series.n < 4.01);
	json_decref(o);
}

/* A router advertisement of fe80::ID. */
static void
advertise(struct ics_engine *e, uint64_t ts_ns, uint16_t id, uint16_t lifetime_s, uint8_t flags)
{
	enum { RA_OFF = 54, LEN = RA_OFF + 24 };
	uint8_t f[LEN] = {0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255};
	static uint64_t n;
	struct ics_record rec = {
		.ts_ns = ts_ns,
		.frame_hash = ++n,
		.class = ICS_CLASS_nd_ra,
		.flags = ICS_REC_STRICT,
		.encap = ICS_LINK_ETHERNET << 5,
		.vlan_outer = (uint16_t)(10 + id / 16), /* a segment holds only so many */
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = RA_OFF,
		.ilen = 24,
		.cap_len = LEN,
		.wire_len = LEN,
	};

	f[10] = f[36] = f[76] = (uint8_t)(id >> 8);
	f[11] = f[37] = f[77] = (uint8_t)id;
	f[22] = 0xfe;
	f[23] = 0x80;
	f[38] = 0xff;
	f[39] = 0x02;
	f[53] = 1;
	f[54] = 134;
	f[58] = 64;
	f[59] = flags;
	f[60] = (uint8_t)(lifetime_s >> 8);
	f[61] = (uint8_t)lifetime_s;
	f[70] = ICS_OPT_SLLA;
	f[71] = 1;
	ics_engine_feed(e, &rec, (struct ics_view){f, sizeof(f)}, n);
}

static struct ics_engine *
engine(void)
{
	static struct ics_config conf;
	struct ics_engine *e;

	ics_config_init(&conf);
	e = ics_engine_new(&conf, 7);
	assert_non_null(e);
	return e;
}

static void
expect(const struct ics_model *m, uint64_t seq, enum ics_gateway_what what, uint32_t before_s, uint32_t after_s,
       unsigned left)
{
	const struct ics_gateway_event *ev = ics_gateway_next(m, seq);

	assert_non_null(ev);
	assert_int_equal(ev->seq, seq);
	assert_string_equal(ics_gateway_what_name(ev->what), ics_gateway_what_name(what));
	assert_int_equal(ev->lifetime_before_s, before_s);
	assert_int_equal(ev->lifetime_s, after_s);
	assert_int_equal(ev->left, left);
}

static void
test_gateway_log(void **state)
{
	struct ics_engine *e = engine();
	const struct ics_model *m = ics_engine_model(e);

	advertise(e, T0, 1, 1800, 0);
	advertise(e, T0 + 10 * S, 2, 600, 0);
	advertise(e, T0 + 20 * S, 1, 1800, 0); /* nothing new */
	advertise(e, T0 + 30 * S, 1, 1800, 0x08);
	advertise(e, T0 + 40 * S, 1, 0, 0x08);
	advertise(e, T0 + 50 * S, 1, 0, 0x08); /* nor this */
	ics_engine_tick(e, T0 + 620 * S);
	assert_int_equal(ics_gateway_count(m), 5);
	expect(m, 1, ICS_GATEWAY_ADVERTISED, 0, 1800, 1);
	expect(m, 2, ICS_GATEWAY_ADVERTISED, 0, 600, 2);
	expect(m, 3, ICS_GATEWAY_CHANGED, 1800, 1800, 2);
	assert_int_equal(ics_gateway_next(m, 3)->flags, 0x08);
	expect(m, 4, ICS_GATEWAY_RETRACTED, 1800, 0, 1);
	assert_int_equal(ics_gateway_next(m, 4)->ts_ns, T0 + 40 * S);
	expect(m, 5, ICS_GATEWAY_EXPIRED, 600, 600, 0);
	assert_null(ics_gateway_next(m, 6));
	ics_engine_free(e);
}

/* A thousand invented routers in a second: a few are in the log, and what happens to a true one afterwards is. */
static void
test_gateway_flood(void **state)
{
	struct ics_engine *e = engine();
	const struct ics_model *m = ics_engine_model(e);
	uint64_t n;

	advertise(e, T0, 1, 1800, 0);
	for (uint16_t i = 2; i < 1002; i++)
		advertise(e, T0 + 10 * S + i, i, 1800, 0);
	n = ics_gateway_count(m);
	assert_in_range(n, 2, ICS_GATEWAY_BURST + 1);
	assert_true(ics_gateway_skipped(m) > 0);
	advertise(e, T0 + 11 * S, 1, 0, 0);
	assert_int_equal(ics_gateway_count(m), n + 1);
	assert_int_equal(ics_gateway_next(m, n + 1)->what, ICS_GATEWAY_RETRACTED);
	ics_engine_free(e);
}

static void
test_report_holds_no_markup(void **state)
{
	struct ics_engine *e = engine();
	struct ics_count_snapshot counts = {0};
	struct ics_report_capture c = {.file = "</script><img src=x onerror=1>\"&'\xff",
				       .frames = 2,
				       .first_ns = T0,
				       .last_ns = T0 + 5 * S,
				       .damage = "</p><b>"};
	struct ics_report r = {.version = "1", .captures = &c, .n_captures = 1, .counts = &counts, .engine = e};
	char *p = NULL, *data;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);
	json_t *doc;

	advertise(e, T0, 1, 1800, 0);
	advertise(e, T0 + 5 * S, 1, 0, 0);
	ics_page_series_init(&series, S, false);
	assert_int_equal(ics_page_write_html(f, &r, &series), 0);
	fclose(f);
	assert_null(strstr(p, "<img"));
	assert_null(strstr(p, "<b>"));
	assert_non_null(strstr(p, "&lt;/script&gt;&lt;img src=x onerror=1&gt;&quot;&amp;'?"));
	/* The document is whole, and says the name as it is, but for what no text can hold. */
	data = strstr(p, "id=\"data\">");
	assert_non_null(data);
	data += strlen("id=\"data\">");
	doc = json_loadb(data, (size_t)(strstr(data, "</script>") - data), 0, NULL);
	assert_non_null(doc);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(doc, "captures"), 0), "file")),
		"</script><img src=x onerror=1>\"&'?");
	assert_int_equal(json_array_size(json_object_get(json_object_get(doc, "gateways"), "events")), 2);
	json_decref(doc);
	free(p);
	ics_engine_free(e);
}

static void
test_files(void **state)
{
	assert_non_null(strstr(ics_page_file("/")->text, "<script src=\"page.js\" defer></script>"));
	assert_non_null(ics_page_file("/page.js"));
	assert_non_null(ics_page_file("/page.css"));
	assert_null(ics_page_file("/page.j"));
	assert_null(ics_page_file(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_gateway_log),
		cmocka_unit_test(test_gateway_flood),
		cmocka_unit_test(test_report_holds_no_markup),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
