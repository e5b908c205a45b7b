/* Endpoints over full tables: 100,000 hosts with a million addresses, 10,000 groups, as many paths as ten minutes of news
 * bring. Every page of every table has to be there within a second of processor time, its rows follow those of the page
 * before, and together they are as many as the table says. Prints the dearest page of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOSTS 100000u
#define PER_HOST 10u
#define SEGMENTS 50u
#define GROUPS 10000u
#define PATHS 100000u
#define PATHS_PER_S 190u /* less than a flood */
#define PAGE_NS 1000000000ull
#define FRAME_MAX 192

static struct {
	struct ics_export_source src;
	struct ics_counters counters;
	struct ics_worker_stats stats;
	struct ics_export_worker worker;
	struct ics_engine *engine;
	uint64_t ts_ns;
} t;

static struct reply reply;

/* ---- who is there ---- */

struct message {
	struct ics_record rec;
	uint8_t f[FRAME_MAX];
};

static void
put_mac(uint8_t *p, uint32_t host)
{
	uint8_t mac[6] = {0x02,         0x10, (uint8_t)(host >> 24), (uint8_t)(host >> 16), (uint8_t)(host >> 8),
			  (uint8_t)host};

	memcpy(p, mac, sizeof(mac));
}

static void
put_addr(uint8_t *p, uint32_t host, uint32_t n)
{
	static const uint8_t prefix[2][8] = {{0xfe, 0x80}, {0x20, 0x01, 0x0d, 0xb8}};
	uint64_t iid = ics_hash_mix((uint64_t)host << 16 | n, 0xadd2);

	memcpy(p, prefix[n != 0], 8);
	memcpy(p + 8, &iid, 8);
}

/* Up to the ICMP header, where the caller goes on. */
static uint8_t *
begin(struct message *m, enum ics_class class, uint32_t host, unsigned l4_off, unsigned ilen)
{
	assert_in_range(l4_off + ilen, 1, FRAME_MAX);
	memset(m, 0, sizeof(*m));
	m->rec = (struct ics_record){
		.ts_ns = t.ts_ns,
		.frame_hash = ics_hash_mix(t.ts_ns, host) | 1,
		.vlan_outer = (uint16_t)(10 + host % SEGMENTS),
		.vlan_inner = ICS_VLAN_NONE,
		.wire_len = (uint16_t)(l4_off + ilen),
		.cap_len = (uint16_t)(l4_off + ilen),
		.l3_off = 18,
		.l4_off = (uint16_t)l4_off,
		.ilen = (uint16_t)ilen,
		.class = class,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};
	put_mac(m->f + 6, host);
	m->f[18] = 0x60;
	m->f[23] = (uint8_t)(ilen + l4_off - 58);
	m->f[24] = l4_off == 58 ? ICS_PROTO_ICMP6 : ICS_PROTO_HOPOPTS;
	m->f[25] = 255;
	put_addr(m->f + 26, host, 0);
	return m->f + l4_off;
}

static void
feed(const struct message *m)
{
	ics_engine_feed(t.engine, &m->rec, (struct ics_view){m->f, m->rec.cap_len}, 0);
}

static void
claim(uint32_t host, uint32_t n)
{
	struct message m;
	uint8_t *p = begin(&m, ICS_CLASS_nd_na, host, 58, 32);

	m.f[0] = 0x33;
	m.f[42] = 0xff;
	m.f[43] = 2;
	m.f[57] = 1;
	put_addr(m.f + 26, host, n);
	p[0] = ICS_ICMP6_NA;
	p[4] = ICS_NA_FLAG_OVERRIDE;
	put_addr(p + 8, host, n);
	p[24] = ICS_OPT_TLLA;
	p[25] = 1;
	put_mac(p + 26, host);
	feed(&m);
}

static void
join(uint32_t host, uint32_t group)
{
	static const uint8_t router_alert[8] = {58, 0, 5, 2, 0, 0, 1, 0};
	struct message m;
	uint8_t *p = begin(&m, ICS_CLASS_mld2_report, host, 66, 28);

	m.f[0] = 0x33;
	m.f[25] = 1;
	memcpy(m.f + 58, router_alert, sizeof(router_alert));
	p[0] = ICS_ICMP6_MLD2_REPORT;
	p[7] = 1;
	p[8] = 4;
	p[12] = 0xff;
	p[13] = 0x05;
	memcpy(p + 24, &group, sizeof(group));
	feed(&m);
}

/* A router tells a host that a packet of 1,500 octets to this far end does not fit. */
static void
too_big(uint32_t host, uint32_t far)
{
	struct message m;
	uint8_t *p = begin(&m, ICS_CLASS_icmp6_too_big, far % 500, 58, 8 + 60), *quote = p + 8;

	put_addr(m.f + 42, host, 1);
	p[0] = 2;
	p[6] = 0x05;
	p[7] = 0x78; /* 1400 */
	quote[0] = 0x60;
	quote[4] = 0x05;
	quote[5] = 0xb4; /* 1460 behind the header */
	quote[6] = ICS_PROTO_TCP;
	quote[7] = 60;
	put_addr(quote + 8, host, 1);
	quote[24] = 0x20;
	quote[25] = 0x01;
	memcpy(quote + 36, &far, sizeof(far));
	quote[41] = 80;
	quote[43] = 80;
	feed(&m);
}

static int
setup(void **state)
{
	static struct ics_config conf;

	ics_config_init(&conf);
	t.ts_ns = 1700000000000000000ull;
	t.engine = ics_engine_new(&conf, 0x5eed);
	assert_non_null(t.engine);
	for (uint32_t i = 0; i < PATHS; i++, t.ts_ns += 1000000000 / PATHS_PER_S)
		too_big(i % HOSTS, i);
	for (uint32_t n = 0; n < PER_HOST; n++)
		for (uint32_t h = 0; h < HOSTS; h++, t.ts_ns += 10000)
			claim(h, n);
	for (uint32_t g = 0; g < GROUPS; g++, t.ts_ns += 10000)
		join((g * (HOSTS / GROUPS) + g % SEGMENTS) % HOSTS, g);
	t.worker.counters = &t.counters;
	t.worker.stats = &t.stats;
	t.src.version = "1";
	t.src.mode = "live";
	t.src.sandbox = "on";
	t.src.engine = t.engine;
	t.src.workers = &t.worker;
	t.src.n_workers = 1;
	return 0;
}

static int
teardown(void **state)
{
	ics_engine_free(t.engine);
	return 0;
}

/* ---- pages ---- */

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
number(const char *key)
{
	for (unsigned i = 0; i < reply.n_items; i++)
		if (strcmp(reply.text + reply.items[i].key, key) == 0)
			return reply.items[i].u;
	fail_msg("no %s", key);
	return 0;
}

static uint64_t
ask(const char *command, const char *params)
{
	const struct endpoint *e = endpoint_find(command);
	uint64_t start = cpu_ns();

	assert_non_null(e);
	reply_init(&reply);
	e->fn(&t.src, params, &reply);
	return cpu_ns() - start;
}

/* Every page, one after the other; returns how many rows there were. */
static uint64_t
walk(const char *family)
{
	char command[64], params[32];
	uint64_t rows = 0, pages = 0, start = 0, last_id = 0, worst = 0, first, spent;

	snprintf(command, sizeof(command), "/icmpscope/%s/table", family);
	for (bool more = true; more; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		spent = ask(command, params);
		first = pages == 0 ? spent : first;
		worst = spent > worst ? spent : worst;
		assert_in_range(spent, 0, PAGE_NS);
		for (unsigned i = 0; i < reply.n_rows; i++, rows++) {
			assert_true(rows == 0 || reply.cells[0][i] > last_id);
			last_id = reply.cells[0][i];
		}
		more = number("more") != 0;
		assert_true(!more || number("next") > start);
		start = number("next");
	}
	assert_true(rows == number("total"));
	print_message("%-9s %8llu rows, %6llu pages; first %llu us, dearest %llu us\n", family,
		      (unsigned long long)rows, (unsigned long long)pages, (unsigned long long)first / 1000,
		      (unsigned long long)worst / 1000);
	return rows;
}

static void
test_pages(void **state)
{
	assert_int_equal(walk("neighbor"), HOSTS * PER_HOST);
	assert_int_equal(walk("host"), HOSTS);
	assert_in_range(walk("group"), GROUPS, 2 * GROUPS);
	assert_in_range(walk("pmtu"), PATHS, 2 * PATHS);
	assert_in_range(walk("segment"), SEGMENTS, 2 * SEGMENTS);
}

/* What is no page: the first list, one entry from the middle, and what takes a pass over all hosts. */
static void
test_others(void **state)
{
	static const char *const asked[][2] = {
		{"/icmpscope/info", NULL},
		{"/icmpscope/neighbor/list", "900000"},
		{"/icmpscope/host/list", "90000"},
		{"/icmpscope/group/list", NULL},
		{"/icmpscope/pmtu/list", NULL},
		{"/icmpscope/neighbor/info", "500000"},
		{"/icmpscope/host/info", "50000"},
		{"/icmpscope/group/info", "5000"},
		{"/icmpscope/pmtu/info", "50000"},
		{"/icmpscope/segment/info", "7"},
		{"/icmpscope/neighbor/table", "999999"},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(asked); i++) {
		uint64_t spent = ask(asked[i][0], asked[i][1]);

		assert_in_range(spent, 0, PAGE_NS);
		assert_true(reply.n_items + reply.n_list + reply.n_rows != 0);
		assert_true(reply.n_items == 0 || strcmp(reply.text + reply.items[0].key, "error") != 0);
		print_message("%s,%s: %llu us\n", asked[i][0], asked[i][1] != NULL ? asked[i][1] : "",
			      (unsigned long long)spent / 1000);
	}
}

/* Half a million in a row went: what is left is found behind the gap. */
static void
test_gap(void **state)
{
	struct ics_model *m = ics_engine_model(t.engine);
	uint64_t later = t.ts_ns + 365ull * 86400 * 1000000000;
	uint64_t before = ics_model_binding_count(m), rows;

	/* A year on nobody holds an address but those who say so again; sweeps let go of the others as time goes by. */
	for (unsigned i = 0; i < 600; i++) {
		t.ts_ns += 60000000000ull;
		ics_engine_tick(t.engine, t.ts_ns);
	}
	t.ts_ns = later;
	for (uint32_t h = 0; h < 100; h++, t.ts_ns += 10000)
		claim(h, 3);
	for (unsigned i = 0; i < 600; i++) {
		t.ts_ns += 60000000000ull;
		ics_engine_tick(t.engine, t.ts_ns);
	}
	rows = walk("neighbor");
	assert_in_range(rows, 100, before - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_gap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
