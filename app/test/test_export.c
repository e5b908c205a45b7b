/* Endpoints at maximum population: every reply is rendered as telemetry renders it and must fit, whole, into 16 KiB; pages
 * must hold every row exactly once; parameters of any kind get an answer or an error that names what is allowed. No EAL:
 * handlers fill plain memory.
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

#define TELEMETRY_MAX 16384
#define WORKERS 64
#define PORTS 16

static struct {
	struct ics_export_source src;
	struct ics_counters *counters;
	struct ics_worker_stats stats[WORKERS];
	struct ics_export_worker workers[WORKERS];
	struct ics_export_port ports[PORTS];
	struct ics_engine *engine;
	char device[256];
} t;
static struct ics_export_watchdog watchdog;
static struct ics_export_turn turn;
static struct ics_export_sandbox sandbox;
static struct ics_export_plan plan;
static struct ics_export_config config;
static char warning[240];

static struct reply reply;

/* ---- rendering, as DPDK does it ---- */

static char json[1 << 20];
static size_t json_len;

static void __attribute__((format(printf, 1, 2))) put(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_len += (size_t)vsnprintf(json + json_len, sizeof(json) - json_len, fmt, ap);
	va_end(ap);
	assert_true(json_len < sizeof(json));
}

static void
put_text(const char *s)
{
	assert_in_range(strlen(s), 0, 127);
	put("\"");
	for (; *s != '\0'; s++) {
		assert_in_range((unsigned char)*s, 0x20, 0x7e);
		put(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	}
	put("\"");
}

static void
put_key(const char *s, bool first)
{
	assert_in_range(strlen(s), 1, 127);
	assert_int_equal(strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/"), strlen(s));
	put("%s\"%s\":", first ? "" : ",", s);
}

static void
put_dict(const struct reply *r)
{
	put("{");
	for (unsigned c = 0; c < r->n_columns; c++) {
		put_key(r->columns[c].key, c == 0);
		put("[");
		for (unsigned i = 0; i < r->n_rows; i++) {
			put(i > 0 ? "," : "");
			if (r->columns[c].is_text)
				put_text(r->text + r->cells[c][i]);
			else
				put("%llu", (unsigned long long)r->cells[c][i]);
		}
		put("]");
	}
	for (unsigned i = 0; i < r->n_items; i++) {
		put_key(r->text + r->items[i].key, r->n_columns == 0 && i == 0);
		if (r->items[i].str != 0)
			put_text(r->text + r->items[i].str);
		else
			put("%llu", (unsigned long long)r->items[i].u);
	}
	if (r->truncated)
		put(",\"truncated\":1");
	put("}");
	assert_in_range(r->n_items + r->n_columns + r->truncated, 1, 256);
}

static void
render(const char *command, const struct reply *r)
{
	json_len = 0;
	put("{\"%s\":", command);
	if (r->kind == REPLY_DICT) {
		put_dict(r);
	} else {
		assert_in_range(r->n_list, 0, 512);
		put("[");
		for (unsigned i = 0; i < r->n_list; i++) {
			put(i > 0 ? "," : "");
			if (r->kind == REPLY_LIST_TEXT)
				put_text(r->text + r->list[i]);
			else
				put("%llu", (unsigned long long)r->list[i]);
		}
		put("]");
	}
	put("}");
	assert_in_range(json_len, 1, TELEMETRY_MAX);
}

/* Asks as a client does. */
static void
ask(const char *command, const char *params)
{
	const struct endpoint *e = endpoint_find(command);

	assert_non_null(e);
	reply_init(&reply);
	e->fn(&t.src, params, &reply);
	render(command, &reply);
}

static const struct reply_item *
item(const char *key)
{
	for (unsigned i = 0; i < reply.n_items; i++)
		if (strcmp(reply.text + reply.items[i].key, key) == 0)
			return &reply.items[i];
	return NULL;
}

static uint64_t
number(const char *key)
{
	const struct reply_item *it = item(key);

	assert_non_null(it);
	assert_int_equal(it->str, 0);
	return it->u;
}

/* ---- the fullest program there can be ---- */

static void
fill_anomaly(struct ics_anomaly *a, unsigned n)
{
	char wide[ICS_FACT_TEXT_LEN], key[64];

	/* Each of these takes two bytes in JSON. */
	memset(wide, '"', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	a->rfc = "4861 6.2.5";
	a->variant = "contradicted";
	a->severity = ICS_SEV_CRITICAL;
	a->segment = (struct ics_segment_key){.port = 15, .vlan_outer = 4094, .vlan_inner = 4094};
	a->first_ns = a->last_ns = UINT64_MAX;
	a->count = UINT64_MAX;
	a->n_frames = ICS_ANOMALY_FRAMES_MAX;
	memset(a->frame_no, 0xff, sizeof(a->frame_no));
	for (unsigned i = 0; i < 8; i++) {
		static char *const keys[] = {"subject_with_a_long_key_0", "subject_with_a_long_key_1",
					     "subject_with_a_long_key_2", "subject_with_a_long_key_3"};

		(void)ics_subject_set_text(a, keys[i % 4], "%s", wide);
	}
	for (unsigned i = 0; i < ICS_ANOMALY_FACTS_MAX; i++) {
		static char names[ICS_ANOMALY_FACTS_MAX][64];

		snprintf(key, sizeof(key), "evidence_with_a_rather_long_key_%u", i);
		memcpy(names[i], key, sizeof(key));
		(void)ics_fact_set_text(a, names[i], "%s", wide);
	}
	memset(a->says, n % 2 ? '\\' : 'x', sizeof(a->says) - 1);
	for (unsigned i = 0; i < ICS_PROOFS; i++)
		a->proof[i] = (struct ics_proof){
			.ts_ns = 1000 + i, .nth = i + 1, .len = ICS_ANOMALY_EVIDENCE_FRAME, .wire_len = 1500};
}

static void
fill_store(void)
{
	static char names[8][32];
	struct ics_anomaly_store *s = ics_engine_anomalies(t.engine);
	struct ics_anomaly *a;

	for (unsigned i = 0; i < 4000; i++) {
		snprintf(names[i % 8], sizeof(names[0]), "detector_with_a_long_name_%u", i % 8);
		a = ics_anomaly_open(s, names[i % 8], 1000 + i);
		assert_non_null(a);
		fill_anomaly(a, i);
		ics_anomaly_changed(s, a);
	}
}

/* As many segments as it takes, each with its quota of search domains as long as any text can be. */
static void
fill_prefixes(void)
{
	enum { OPT_LEN = 80, RA_OFF = 54, OPTS_OFF = RA_OFF + 16 };
	static uint8_t f[OPTS_OFF + ICS_RA_ITEMS_MAX * OPT_LEN];
	struct ics_record rec = {
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = RA_OFF,
		.ilen = sizeof(f) - RA_OFF,
		.cap_len = sizeof(f),
		.class = ICS_CLASS_nd_ra,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};

	f[RA_OFF + 6] = 7;     /* a lifetime */
	f[RA_OFF - 32] = 0xfe; /* source, destination */
	f[RA_OFF - 31] = 0x80;
	f[RA_OFF - 17] = 1;
	f[RA_OFF - 16] = 0xff;
	for (unsigned n = 0; n < ICS_PREFIXES_MAX; n++) {
		unsigned i = n % ICS_RA_ITEMS_MAX;
		uint8_t *o = f + OPTS_OFF + i * OPT_LEN;

		o[0] = ICS_OPT_DNSSL;
		o[1] = OPT_LEN / 8;
		memset(o + 4, 0xff, 4);
		o[8] = 63;
		memset(o + 9, 'x', 63);
		o[9] = (uint8_t)('a' + n % 16);
		o[10] = (uint8_t)('a' + n / 16 % 16);
		if (i != ICS_RA_ITEMS_MAX - 1)
			continue;
		rec.vlan_outer = (uint16_t)(n / ICS_PREFIXES_PER_SEGMENT);
		rec.ts_ns = 1 + n;
		ics_engine_feed(t.engine, &rec, (struct ics_view){f, sizeof(f)}, 0);
	}
	assert_int_equal(ics_model_prefix_count(ics_engine_model(t.engine)), ICS_PREFIXES_MAX);
}

/* Every binding that there can be, each address as long as it can be. */
static void
fill_neighbors(uint64_t since_ns)
{
	enum { NA_OFF = 54, TARGET_OFF = NA_OFF + 8 };
	static uint8_t f[NA_OFF + 32];
	struct ics_record rec = {
		.vlan_outer = 4094,
		.vlan_inner = 4094,
		.l3_off = 14,
		.l4_off = NA_OFF,
		.ilen = sizeof(f) - NA_OFF,
		.cap_len = sizeof(f),
		.class = ICS_CLASS_nd_na,
		.flags = ICS_REC_STRICT,
		.encap = (uint8_t)(ICS_LINK_ETHERNET << 5),
	};
	uint8_t *target = f + TARGET_OFF;

	f[NA_OFF - 16] = 0xff; /* to a group */
	f[NA_OFF + 4] = 0xe0;
	f[NA_OFF + 24] = ICS_OPT_TLLA;
	f[NA_OFF + 25] = 1;
	memset(target, 0xfd, 16);
	for (unsigned n = 0; n < ICS_BINDINGS_MAX; n++) {
		/* No zero nibble in front of any group: nothing is left out of the text. */
		for (unsigned i = 0; i < 6; i++)
			target[4 + 2 * i] = (uint8_t)(0x10 | (n >> 4 * i & 0xf));
		f[6 + 4] = f[NA_OFF + 26 + 4] = (uint8_t)(n / ICS_BINDINGS_PER_MAC);
		rec.ts_ns = since_ns + n;
		ics_engine_feed(t.engine, &rec, (struct ics_view){f, sizeof(f)}, 0);
	}
	assert_int_equal(ics_model_binding_count(ics_engine_model(t.engine)), ICS_BINDINGS_MAX);
}

/* A solicitation of host n from its address number k, as a worker hands it over. */
static void
solicit(uint32_t n, uint32_t k)
{
	uint8_t f[86] = {0x33, 0x33, 0xff, 0, 0, 1, 0, 0, 0x5e, 0, 0, 0, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255};
	struct ics_record rec = {.ts_ns = 1463012450000000000ull + n * 1000,
				 .class = ICS_CLASS_nd_ns,
				 .flags = ICS_REC_STRICT,
				 .encap = ICS_LINK_ETHERNET << 5,
				 .port = 15,
				 .vlan_outer = 4094,
				 .vlan_inner = 4094,
				 .l3_off = 14,
				 .l4_off = 54,
				 .ilen = 32,
				 .cap_len = sizeof(f),
				 .wire_len = sizeof(f)};

	f[9] = (uint8_t)(n >> 16);
	f[10] = (uint8_t)(n >> 8);
	f[11] = (uint8_t)n;
	memset(f + 22, 0xfd, 16);
	memcpy(f + 30, &n, 4);
	memcpy(f + 34, &k, 4);
	f[38] = 0xff;
	f[39] = 0x02;
	f[54] = 135;
	f[62] = 0x20;
	f[78] = 1;
	f[79] = 1;
	memcpy(f + 80, f + 6, 6);
	ics_engine_feed(t.engine, &rec, (struct ics_view){f, sizeof(f)}, 0);
}

/* All hosts that there can be, the last with more addresses than are listed. */
static void
fill_hosts(void)
{
	for (uint32_t n = 0; n < ICS_HOSTS_MAX; n++)
		solicit(n, 0xffffffff);
	for (uint32_t k = 0; k < 200; k++)
		solicit(ICS_HOSTS_MAX - 1, 0x80000000 + k);
}

/* Eight queriers on each VLAN that is there, as a worker hands their queries over. */
static void
fill_queriers(void)
{
	enum { QUERY_OFF = 54, LEN = QUERY_OFF + 28 };
	uint8_t f[LEN] = {0x33, 0x33, 0,    0,    0, 1, 2, 0xff, 0xff, 0xff, 0xff,
			  0,    0x86, 0xdd, 0x60, 0, 0, 0, 0,    28,   58,   1};
	struct ics_record rec = {.class = ICS_CLASS_mld_query,
				 .flags = ICS_REC_STRICT,
				 .encap = ICS_LINK_ETHERNET << 5,
				 .vlan_inner = ICS_VLAN_NONE,
				 .l3_off = 14,
				 .l4_off = QUERY_OFF,
				 .ilen = 28,
				 .cap_len = LEN,
				 .wire_len = LEN};

	memset(f + 22, 0xff, 16);
	f[22] = 0xfe;
	f[23] = 0x80;
	f[38] = 0xff;
	f[39] = 0x02;
	f[53] = 1;
	f[54] = 130;
	f[58] = f[59] = f[QUERY_OFF + 25] = 0xff; /* the longest delay and interval */
	for (unsigned vlan = 0; vlan < 256; vlan++) {
		for (unsigned n = 0; n < ICS_QUERIERS_PER_SEGMENT; n++) {
			rec.vlan_outer = (uint16_t)vlan;
			rec.ts_ns = 1463012450000000000ull + vlan * 1000 + n;
			rec.frame_hash = 1 + n;
			f[11] = f[37] = (uint8_t)n;
			ics_engine_feed(t.engine, &rec, (struct ics_view){f, LEN}, 0);
		}
	}
}

static int
setup(void **state)
{
	static struct ics_config conf;

	ics_config_init(&conf);
	t.engine = ics_engine_new(&conf, 1);
	assert_non_null(t.engine);
	t.counters = aligned_alloc(64, WORKERS * sizeof(*t.counters));
	assert_non_null(t.counters);
	memset(t.counters, 0xff, WORKERS * sizeof(*t.counters));
	for (unsigned i = 0; i < WORKERS; i++) {
		/* Exemplars have a length that is a length. */
		for (unsigned n = 0; n < ICS_REASON_COUNT; n++)
			t.counters[i].note[n].exemplar_len = ICS_EXEMPLAR_MAX;
		t.workers[i] = (struct ics_export_worker){.counters = &t.counters[i], .stats = &t.stats[i]};
	}
	memset(t.device, '"', sizeof(t.device) - 1);
	for (unsigned i = 0; i < PORTS; i++)
		t.ports[i] = (struct ics_export_port){t.device,   t.device,   "capture",  7,          UINT32_MAX,
						      true,       UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
						      UINT64_MAX, UINT64_MAX, UINT64_MAX, true};
	memset(&watchdog, 0xff, sizeof(watchdog));
	memset(&turn, 0xff, sizeof(turn));
	memset(&sandbox, 0xff, sizeof(sandbox));
	memset(sandbox.user, '"', sizeof(sandbox.user) - 1);
	sandbox.user[sizeof(sandbox.user) - 1] = '\0';
	sandbox.seccomp = true;
	memset(&config, 0xff, sizeof(config));
	memset(&plan, 0xff, sizeof(plan));
	memset(plan.cpus, '7', sizeof(plan.cpus) - 1);
	plan.cpus[sizeof(plan.cpus) - 1] = '\0';
	memset(plan.background, '7', sizeof(plan.background) - 1);
	plan.background[sizeof(plan.background) - 1] = '\0';
	memset(warning, 'w', sizeof(warning) - 1);
	plan.n_warnings = ICS_EXPORT_WARNINGS_MAX;
	for (unsigned i = 0; i < ICS_EXPORT_WARNINGS_MAX; i++)
		plan.warning[i] = warning;
	for (unsigned i = 0; i < PORTS; i++) {
		t.ports[i].link = ICS_LINK_REPLACED;
		t.ports[i].link_ups = t.ports[i].link_downs = t.ports[i].link_since_ns = UINT64_MAX;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		t.workers[i].turn = &turn;
	t.src = (struct ics_export_source){.version = t.device,
					   .mode = "capture",
					   .sandbox = t.device,
					   .given_away = &sandbox,
					   .watchdog = &watchdog,
					   .plan = &plan,
					   .config = &config,
					   .engine = t.engine,
					   .workers = t.workers,
					   .ports = t.ports,
					   .n_workers = WORKERS,
					   .n_ports = PORTS,
					   .main_cpu = UINT32_MAX,
					   .tsc_hz = UINT64_MAX,
					   .start_ns = UINT64_MAX,
					   .uptime_ns = UINT64_MAX,
					   .memory_mb = UINT64_MAX,
					   .hugepages = true,
					   .consumed_records = UINT64_MAX,
					   .consumed_messages = UINT64_MAX};
	fill_store();
	fill_neighbors(1000000);
	fill_prefixes();
	return 0;
}

static int
teardown(void **state)
{
	free(t.counters);
	ics_engine_free(t.engine);
	return 0;
}

/* ---- tests ---- */

/* What it says of threads that turn, of those that do not, and without a watchdog. */
static void
test_watchdog(void **state)
{
	struct ics_export_turn one = {.stalled_ms = 5120, .stalls = 2, .longest_ms = 6000};
	struct ics_export_watchdog dog = {.pauses = 3, .longest_pause_ms = 4000, .control = {.stalls = 1}};

	ask("/icmpscope/watchdog", NULL);
	assert_false(reply.truncated);
	assert_int_equal(number("stalled"), 1 + WORKERS);
	t.src.watchdog = &dog;
	for (unsigned i = 0; i < WORKERS; i++)
		t.workers[i].turn = i == 3 ? &one : NULL;
	ask("/icmpscope/watchdog", NULL);
	assert_int_equal(number("stalled"), 1);
	assert_int_equal(number("stalls"), 3);
	assert_int_equal(number("pauses"), 3);
	assert_int_equal(number("worker_3_stalled_ms"), 5120);
	assert_int_equal(number("worker_3_longest_ms"), 6000);
	assert_int_equal(number("control_stalled_ms"), 0);
	assert_null(item("worker_4_stalls"));
	ask("/icmpscope/info", NULL);
	assert_int_equal(number("stalled"), 1);
	assert_int_equal(number("sandbox_bounding"), UINT32_MAX);
	t.src.watchdog = NULL;
	t.src.given_away = NULL;
	ask("/icmpscope/watchdog", NULL);
	assert_string_equal(reply.text + item("watchdog")->str, "off");
	assert_null(item("checks"));
	ask("/icmpscope/info", NULL);
	assert_null(item("sandbox_denied"));
	t.src.watchdog = &watchdog;
	t.src.given_away = &sandbox;
	for (unsigned i = 0; i < WORKERS; i++)
		t.workers[i].turn = &turn;
}

/* Every worker, every warning; and without a plan there is an answer too. */
static void
test_plan(void **state)
{
	ask("/icmpscope/plan", NULL);
	assert_false(reply.truncated);
	assert_int_equal(number("warnings"), ICS_EXPORT_WARNINGS_MAX);
	assert_non_null(item("warning_0_0"));
	assert_non_null(item("warning_31_1"));
	assert_int_equal(number("workers_remote"), UINT32_MAX);
	ask("/icmpscope/plan", "1");
	assert_non_null(item("error"));
	ask("/icmpscope/port/info", "0");
	assert_string_equal(reply.text + item("link")->str, "replaced");
	assert_int_equal(number("pool_bytes"), UINT64_MAX);
	ask("/icmpscope/info", NULL);
	assert_int_equal(number("ports_down"), PORTS);
	assert_int_equal(number("config_need_restart"), UINT32_MAX);
	t.src.plan = NULL;
	t.src.config = NULL;
	ask("/icmpscope/plan", NULL);
	assert_int_equal(number("warnings"), 0);
	assert_int_equal(number("workers"), WORKERS);
	ask("/icmpscope/port/info", "0");
	assert_null(item("pool_bytes"));
	ask("/icmpscope/info", NULL);
	assert_int_equal(number("config_generation"), 1);
	t.src.plan = &plan;
	t.src.config = &config;
}

static void
test_flat_dicts_are_whole(void **state)
{
	ask("/icmpscope/info", NULL);
	assert_false(reply.truncated);
	assert_non_null(item("memory_mb"));
	ask("/icmpscope/classes", NULL);
	assert_int_equal(reply.n_items, ICS_CLASS_COUNT);
	assert_false(reply.truncated);
	ask("/icmpscope/reasons", "63");
	assert_int_equal(reply.n_items, ICS_REASON_COUNT);
	assert_false(reply.truncated);
	assert_int_equal(number("nd_hop_limit"), UINT64_MAX);
	ask("/icmpscope/dropped", "");
	assert_false(reply.truncated);
	ask("/icmpscope/encapsulation", NULL);
	assert_false(reply.truncated);
	ask("/icmpscope/port/info", "15");
	assert_false(reply.truncated);
}

static void
test_every_rule_can_be_asked_for(void **state)
{
	ask("/icmpscope/reason/list", NULL);
	assert_int_equal(reply.n_list, ICS_REASON_COUNT);
	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		ask("/icmpscope/reason/info", ics_reason_info(i)->name);
		assert_false(reply.truncated);
		assert_non_null(item("condition_0"));
		/* Of what only the slow half judges, the workers' frames are none. */
		if (ics_reason_info(i)->flags & ICS_REASON_STATEFUL)
			assert_null(item("frame_hex_0"));
		else
			assert_non_null(item("frame_hex_0"));
	}
}

static void
test_every_detector_can_be_asked_for(void **state)
{
	char name[128];
	unsigned n;

	ask("/icmpscope/detector/list", NULL);
	n = reply.n_list;
	assert_true(n > 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s", ics_engine_detector(t.engine, i)->name);
		ask("/icmpscope/detector/info", name);
		assert_false(reply.truncated);
	}
	ask("/icmpscope/detector/table", NULL);
	assert_int_equal(reply.n_rows, n);
	assert_int_equal(number("more"), 0);
}

/* The largest dict is cut, says so, and keeps what identifies it. */
static void
test_widest_anomaly(void **state)
{
	ask("/icmpscope/anomaly/info", "2");
	assert_non_null(item("says_5"));
	assert_non_null(item("subject_subject_with_a_long_key_0"));
	ask("/icmpscope/anomaly/evidence", "2");
	assert_false(reply.truncated);
	assert_int_equal(number("len"), ICS_ANOMALY_EVIDENCE_FRAME);
	assert_int_equal(number("wire_len"), 1500);
	assert_non_null(item("hex_8"));
	assert_int_equal(number("frames"), ICS_PROOFS);
	assert_int_equal(number("frame"), 1);
	assert_string_equal(reply.text + item("role")->str, "opened it");
	ask("/icmpscope/anomaly/evidence", "2,3");
	assert_int_equal(number("frame"), 3);
	assert_int_equal(number("ts_ns"), 1002);
	assert_string_equal(reply.text + item("role")->str, "latest");
	for (unsigned i = 0; i < 4; i++) {
		static const char *const wrong[] = {"2,4", "2,", "2,0", ",1"};

		ask("/icmpscope/anomaly/evidence", wrong[i]);
		assert_non_null(item("error"));
	}
}

/* A mark, and nothing else: the cursor of followers shows it once. */
static void
test_acknowledge(void **state)
{
	struct ics_anomaly_store *s = ics_engine_anomalies(t.engine);
	const struct ics_anomaly *a = ics_anomaly_next(s, 0);
	struct ics_anomaly before, after;
	char id[32];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)a->id);
	before = *a;
	assert_false(before.acked);
	ask("/icmpscope/anomaly/ack", id);
	assert_int_equal(number("acked"), 1);
	assert_int_equal(number("id"), before.id);
	ask("/icmpscope/anomaly/info", id);
	assert_int_equal(number("acked"), 1);
	after = *ics_anomaly_get(s, before.id);
	if (before.state == ICS_ANOMALY_OPEN)
		assert_true(after.seq > before.seq);
	else
		assert_int_equal(after.seq, before.seq);
	/* Again: no news. */
	ask("/icmpscope/anomaly/ack", id);
	assert_int_equal(ics_anomaly_get(s, before.id)->seq, after.seq);
	after.acked = false;
	after.seq = before.seq;
	assert_memory_equal(&after, &before, sizeof(before));
	ask("/icmpscope/anomaly/ack", "999999999");
	assert_non_null(item("error"));
	ask("/icmpscope/anomaly/ack", NULL);
	assert_non_null(item("error"));
}

static void
test_anomaly_pages_hold_every_row_once(void **state)
{
	uint64_t start = 0, rows = 0, last = 0;
	char params[32];
	unsigned pages;

	for (pages = 0; pages < 2000; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/anomaly/table", params);
		assert_int_equal(number("total"), 4000);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(reply.cells[1][i] > last);
			last = reply.cells[1][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		assert_true(reply.n_rows > 0);
		/* Full pages, not one row each. */
		assert_true(json_len > TELEMETRY_MAX * 3 / 4);
	}
	assert_int_equal(rows, 4000);
	ask("/icmpscope/anomaly/table", "0,3");
	assert_int_equal(reply.n_rows, 3);
	assert_int_equal(number("more"), 1);
}

static void
test_anomaly_list_pages(void **state)
{
	uint64_t start = 0, rows = 0;
	char params[32];

	for (unsigned pages = 0; pages < 20; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/anomaly/list", params);
		if (reply.n_list == 0)
			break;
		rows += reply.n_list;
		start = reply.list[reply.n_list - 1] + 1;
	}
	assert_int_equal(rows, 4000);
}

/* A million bindings, the widest there are, page by page; then some of them gone. */
static void
test_neighbor_pages_hold_every_row_once(void **state)
{
	uint64_t start = 0, rows = 0, last = 0;
	char params[32];
	unsigned pages;

	for (pages = 0; pages < 20000; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/neighbor/table", params);
		assert_int_equal(number("total"), ICS_BINDINGS_MAX);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(reply.cells[0][i] > last);
			last = reply.cells[0][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		/* Full pages, not one row each. */
		assert_true(json_len > TELEMETRY_MAX * 3 / 4);
	}
	assert_int_equal(rows, ICS_BINDINGS_MAX);
	assert_int_equal(last, ICS_BINDINGS_MAX);
	ask("/icmpscope/neighbor/table", "7,3");
	assert_int_equal(reply.n_rows, 3);
	assert_int_equal(reply.cells[0][0], 7);
	assert_int_equal(number("more"), 1);
	ask("/icmpscope/neighbor/table", "18446744073709551615");
	assert_int_equal(reply.n_rows, 0);
	assert_int_equal(number("more"), 0);
	ask("/icmpscope/neighbor/list", "1048576");
	assert_int_equal(reply.n_list, 1);
	ask("/icmpscope/neighbor/info", "1048576");
	assert_false(reply.truncated);
	assert_non_null(item("flags"));
	ask("/icmpscope/neighbor/info", "1048577");
	assert_non_null(item("error"));
	ask("/icmpscope/neighbor/info", "0");
	assert_non_null(item("error"));
}

static void
test_prefix_pages_hold_every_row_once(void **state)
{
	uint64_t start = 0, rows = 0, last = 0;
	char params[32];
	unsigned pages;

	for (pages = 0; pages < 5000; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/prefix/table", params);
		assert_int_equal(number("total"), ICS_PREFIXES_MAX);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(reply.cells[0][i] > last);
			last = reply.cells[0][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		/* Full pages, not one row each. */
		assert_true(json_len > TELEMETRY_MAX * 3 / 4);
	}
	assert_int_equal(rows, ICS_PREFIXES_MAX);
	ask("/icmpscope/prefix/table", "7,3");
	assert_int_equal(reply.n_rows, 3);
	assert_int_equal(reply.cells[0][0], 7);
	assert_int_equal(number("more"), 1);
	ask("/icmpscope/prefix/table", "18446744073709551615");
	assert_int_equal(reply.n_rows, 0);
}

static void
test_prefix_list_and_info(void **state)
{
	uint64_t start = 0, rows = 0;
	char params[32];

	for (unsigned pages = 0; pages < 200; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/prefix/list", params);
		if (reply.n_list == 0)
			break;
		rows += reply.n_list;
		start = reply.list[reply.n_list - 1] + 1;
	}
	assert_int_equal(rows, ICS_PREFIXES_MAX);
	ask("/icmpscope/prefix/info", "65536");
	assert_false(reply.truncated);
	assert_string_equal(reply.text + item("kind")->str, "dnssl");
	assert_string_equal(reply.text + item("router")->str, "fe80::1");
	assert_string_equal(reply.text + item("vlan")->str, "255");
	assert_int_equal(strlen(reply.text + item("prefix")->str), 63);
	assert_int_equal(number("valid_until_ns"), INT64_MAX);
	assert_int_equal(number("active"), 1);
	ask("/icmpscope/prefix/info", "65537");
	assert_string_equal(reply.text + item("error")->str,
			    "65537 is not a prefix id: /icmpscope/prefix/list has them");
}

/* Paths with the longest addresses, told in time that no flood brings them. */
static void
fill_paths(unsigned n)
{
	enum { ICMP_OFF = 54, QUOTE_OFF = ICMP_OFF + 8, LEN = QUOTE_OFF + 48 };
	uint8_t f[LEN] = {2, 0xff, 0xff, 0xff, 0xff, 0xfe, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0x86, 0xdd, 0x60};
	struct ics_record rec = {.class = ICS_CLASS_icmp6_too_big,
				 .flags = ICS_REC_STRICT,
				 .encap = ICS_LINK_ETHERNET << 5,
				 .vlan_outer = 4094,
				 .vlan_inner = 4094,
				 .l3_off = 14,
				 .l4_off = ICMP_OFF,
				 .ilen = LEN - ICMP_OFF,
				 .cap_len = LEN,
				 .wire_len = LEN};

	f[19] = LEN - ICMP_OFF;
	f[20] = 58;
	f[21] = 255;
	memset(f + 22, 0xfe, 32);
	f[ICMP_OFF] = 2;
	f[ICMP_OFF + 6] = 5; /* 1438 */
	f[ICMP_OFF + 7] = 0x9e;
	f[QUOTE_OFF] = 0x60;
	f[QUOTE_OFF + 4] = 5; /* 1500 */
	f[QUOTE_OFF + 5] = 0xb4;
	f[QUOTE_OFF + 6] = 6;
	memset(f + QUOTE_OFF + 8, 0xfe, 40);
	for (unsigned i = 0; i < n; i++) {
		rec.ts_ns = 1463012500000000000ull + i * 20000000ull;
		rec.frame_hash = 1 + i;
		f[QUOTE_OFF + 38] = (uint8_t)(i >> 8);
		f[QUOTE_OFF + 39] = (uint8_t)i;
		ics_engine_feed(t.engine, &rec, (struct ics_view){f, LEN}, 0);
	}
}

static void
test_pmtu(void **state)
{
	enum { PATHS = 3000 };
	uint64_t start = 0, rows = 0, last = 0;
	char params[32];

	ask("/icmpscope/pmtu/list", NULL);
	assert_int_equal(reply.n_list, 0);
	ask("/icmpscope/pmtu/table", NULL);
	assert_int_equal(number("total"), 0);
	assert_int_equal(number("more"), 0);
	fill_paths(PATHS);
	for (unsigned pages = 0; pages < 300; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/pmtu/table", params);
		assert_int_equal(number("total"), PATHS);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(reply.cells[0][i] > last);
			last = reply.cells[0][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		assert_true(json_len > TELEMETRY_MAX * 3 / 4);
	}
	assert_int_equal(rows, PATHS);
	ask("/icmpscope/pmtu/table", "7,3");
	assert_int_equal(reply.n_rows, 3);
	assert_int_equal(reply.cells[0][0], 7);
	for (start = rows = 0;; start = reply.list[reply.n_list - 1] + 1) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/pmtu/list", params);
		if (reply.n_list == 0)
			break;
		rows += reply.n_list;
	}
	assert_int_equal(rows, PATHS);
	ask("/icmpscope/pmtu/info", "3000");
	assert_false(reply.truncated);
	assert_string_equal(reply.text + item("far")->str, "fefe:fefe:fefe:fefe:fefe:fefe:fefe:bb7");
	assert_int_equal(number("mtu"), 1438);
	assert_string_equal(reply.text + item("guess_0")->str, "ESP AES-CBC tunnel over IPv4");
	assert_string_equal(reply.text + item("confidence_0")->str, "low");
	assert_int_equal(number("mss4"), 1398);
	assert_int_equal(number("mss6"), 1378);
	assert_int_equal(number("reporter_paths"), PATHS);
	assert_string_equal(reply.text + item("vlan")->str, "4094.4094");
	ask("/icmpscope/pmtu/info", "3001");
	assert_string_equal(reply.text + item("error")->str, "3001 is not a path id: /icmpscope/pmtu/list has them");
	ask("/icmpscope/pmtu/info", "0");
	assert_non_null(item("error"));
}

static void
test_queriers(void **state)
{
	uint64_t start = 0, rows = 0, last = 0;
	char params[32];

	ask("/icmpscope/querier/list", NULL);
	assert_int_equal(reply.n_list, 0);
	ask("/icmpscope/querier/table", NULL);
	assert_int_equal(number("total"), 0);
	assert_int_equal(number("more"), 0);
	fill_queriers();
	for (unsigned pages = 0; pages < 200; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/querier/table", params);
		assert_int_equal(number("total"), 2048);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(rows + i == 0 || reply.cells[0][i] > last);
			last = reply.cells[0][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		assert_true(json_len > TELEMETRY_MAX * 3 / 4);
	}
	assert_int_equal(rows, 2048);
	snprintf(params, sizeof(params), "%llu", (unsigned long long)last);
	ask("/icmpscope/querier/info", params);
	assert_false(reply.truncated);
	assert_string_equal(reply.text + item("address")->str, "fe80:ffff:ffff:ffff:ffff:ffff:ffff:ff07");
	assert_int_equal(number("version"), 2);
	assert_int_equal(number("qqi_s"), 31744);
	assert_int_equal(number("mrd_ms"), 8387584);
	assert_int_equal(number("in_charge"), 0);
	assert_int_equal(number("general"), 1);
	snprintf(params, sizeof(params), "%llu", (unsigned long long)last - 7);
	ask("/icmpscope/querier/info", params);
	assert_int_equal(number("in_charge"), 1);
	snprintf(params, sizeof(params), "%llu", (unsigned long long)last / ICS_QUERIERS_PER_SEGMENT);
	ask("/icmpscope/segment/info", params);
	assert_string_equal(reply.text + item("querier")->str, "fe80:ffff:ffff:ffff:ffff:ffff:ffff:ff00");
	assert_int_equal(number("mld_version"), 2);
	snprintf(params, sizeof(params), "%llu", (unsigned long long)last + 1);
	ask("/icmpscope/querier/info", params);
	assert_non_null(strstr(reply.text + item("error")->str, "is not a querier id"));
}

/* A report of host n of n_groups groups of its own, the widest there are. */
static void
join(uint32_t n, unsigned n_groups)
{
	enum { REPORT_OFF = 54, GROUPS = 60 };
	uint8_t f[REPORT_OFF + 8 + GROUPS * 20] = {0x33, 0x33, 0, 0, 0, 0x16, 2, 0, 0x5e, 0, 0, 0, 0x86, 0xdd, 0x60, 0};
	uint16_t len = (uint16_t)(8 + n_groups * 20);
	struct ics_record rec = {.ts_ns = 1463012450000000000ull + n * 1000,
				 .class = ICS_CLASS_mld2_report,
				 .flags = ICS_REC_STRICT,
				 .encap = ICS_LINK_ETHERNET << 5,
				 .port = 14,
				 .vlan_outer = 4094,
				 .vlan_inner = 4094,
				 .l3_off = 14,
				 .l4_off = REPORT_OFF,
				 .ilen = len,
				 .cap_len = (uint16_t)(REPORT_OFF + len),
				 .wire_len = (uint16_t)(REPORT_OFF + len)};

	assert_true(n_groups <= GROUPS);
	f[10] = (uint8_t)(n >> 8);
	f[11] = (uint8_t)n;
	f[22] = 0xfe;
	f[23] = 0x80;
	f[REPORT_OFF] = 143;
	f[REPORT_OFF + 7] = (uint8_t)n_groups;
	for (unsigned i = 0; i < n_groups; i++) {
		uint8_t *record = f + REPORT_OFF + 8 + 20 * i;

		record[0] = 4;
		memset(record + 4, 0xff, 16);
		record[4 + 13] = (uint8_t)(n >> 8) | 0x80;
		record[4 + 14] = (uint8_t)n;
		record[4 + 15] = (uint8_t)(i | 0x80);
	}
	ics_engine_feed(t.engine, &rec, (struct ics_view){f, rec.cap_len}, 0);
}

static void
test_groups(void **state)
{
	uint64_t start = 0, rows = 0, last = 0, segment = 0, host;
	struct ics_mac mac = {{2, 0, 0x5e, 0, 0, 0}};
	const struct ics_host *h = NULL;
	char params[32];

	ask("/icmpscope/group/list", NULL);
	assert_int_equal(reply.n_list, 0);
	ask("/icmpscope/group/table", NULL);
	assert_int_equal(number("total"), 0);
	assert_int_equal(number("more"), 0);
	for (uint32_t n = 0; n < 250; n++)
		join(n, 9);
	join(0, 60);
	for (unsigned pages = 0; pages < 400; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/group/table", params);
		assert_int_equal(number("total"), 2250 + 51);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(reply.cells[0][i] > last);
			last = reply.cells[0][i];
			segment = reply.cells[1][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		assert_true(json_len > TELEMETRY_MAX * 3 / 4);
	}
	assert_int_equal(rows, 2301);
	ask("/icmpscope/group/info", "10");
	assert_false(reply.truncated);
	assert_string_equal(reply.text + item("group")->str, "ffff:ffff:ffff:ffff:ffff:ffff:ff80:180");
	assert_string_equal(reply.text + item("reporter")->str, "02:00:5e:00:00:01");
	assert_string_equal(reply.text + item("kind")->str, "other");
	assert_int_equal(number("members"), 1);
	assert_int_equal(number("mali_ms"), 260000);
	ask("/icmpscope/group/info", "2302");
	assert_non_null(strstr(reply.text + item("error")->str, "is not a group id"));
	ask("/icmpscope/group/info", "0");
	assert_non_null(item("error"));
	ask("/icmpscope/group/table", "18446744073709551615");
	assert_int_equal(reply.n_rows, 0);

	snprintf(params, sizeof(params), "%llu", (unsigned long long)segment);
	ask("/icmpscope/segment/info", params);
	assert_false(reply.truncated);
	assert_int_equal(number("groups"), 2301);
	assert_int_equal(number("memberships"), 2301);
	assert_int_equal(number("member_hosts"), 250);
	assert_int_equal(number("packets_per_query"), 250);
	assert_int_equal(number("groups_per_host_p50"), 9);
	assert_int_equal(number("groups_per_host_max"), 60);
	assert_int_equal(number("table_used"), 2301);
	assert_int_equal(number("table_cap"), 3000);
	assert_string_equal(reply.text + item("table_model")->str, "port");
	assert_int_equal(number("hosts_to_full"), 75);
	snprintf(params, sizeof(params), "%llu,1", (unsigned long long)segment);
	ask("/icmpscope/segment/table", params);
	assert_int_equal(reply.n_rows, 1);

	h = ics_model_host_find(ics_engine_model(t.engine), (uint32_t)segment, &mac);
	assert_non_null(h);
	for (host = 1; host <= ICS_HOSTS_MAX; host++) {
		uint32_t at = (uint32_t)host;

		if (ics_model_host_next(ics_engine_model(t.engine), &at) == h)
			break;
		host = at;
	}
	snprintf(params, sizeof(params), "%u", (unsigned)host);
	ask("/icmpscope/host/info", params);
	assert_int_equal(number("groups"), 60);
	assert_int_equal(number("mld_version"), 2);
	assert_string_equal(reply.text + item("group_59")->str, "ffff:ffff:ffff:ffff:ffff:ffff:ff80:80");
}

static void
test_host_pages_hold_every_host_once(void **state)
{
	uint64_t start = 0, rows = 0, last = 0, total = ICS_HOSTS_MAX;
	char params[32];

	fill_hosts();
	for (unsigned pages = 0; pages < 4000; pages++) {
		snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
		ask("/icmpscope/host/table", params);
		assert_int_equal(number("total"), total);
		for (unsigned i = 0; i < reply.n_rows; i++) {
			assert_true(reply.cells[0][i] > last);
			last = reply.cells[0][i];
		}
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
		/* Full pages. */
		assert_true(json_len > TELEMETRY_MAX * 3 / 4 || reply.n_rows == REPLY_ROWS_MAX);
	}
	assert_int_equal(rows, total);
	assert_int_equal(last, total);
	ask("/icmpscope/host/table", "131073");
	assert_int_equal(reply.n_rows, 0);
	assert_int_equal(number("more"), 0);
	ask("/icmpscope/host/list", "131070");
	assert_int_equal(reply.n_list, 3);
	assert_int_equal(reply.list[2], ICS_HOSTS_MAX);
	ask("/icmpscope/host/list", NULL);
	assert_int_equal(reply.list[0], 1);
	assert_in_range(reply.n_list, 500, 512);
	ask("/icmpscope/host/info", "0");
	assert_non_null(item("error"));
	ask("/icmpscope/host/info", "131073");
	assert_string_equal(reply.text + item("error")->str, "131073 is not a host id: /icmpscope/host/list has them");
}

static void
test_host_with_many_addresses(void **state)
{
	char params[32];
	uint32_t id;

	for (id = ICS_HOSTS_MAX; id > 0; id--) {
		snprintf(params, sizeof(params), "%u", id);
		ask("/icmpscope/host/info", params);
		if (strcmp(reply.text + item("mac")->str, "00:00:5e:01:ff:ff") == 0)
			break;
	}
	assert_true(id > 0);
	assert_false(reply.truncated);
	assert_string_equal(reply.text + item("class")->str, "host");
	assert_string_equal(reply.text + item("vlan")->str, "4094.4094");
	assert_int_equal(number("addresses"), 201);
	assert_int_equal(number("stable") + number("temp") + number("eui64"), 201);
	assert_non_null(item("address_63"));
	assert_null(item("address_64"));
}

static void
test_port_table_of_widest_names(void **state)
{
	uint64_t start = 0, rows = 0;
	char params[32];

	for (unsigned pages = 0; pages < PORTS; pages++) {
		snprintf(params, sizeof(params), "%llu,5", (unsigned long long)start);
		ask("/icmpscope/port/table", params);
		rows += reply.n_rows;
		start = number("next");
		if (number("more") == 0)
			break;
	}
	assert_int_equal(rows, PORTS);
}

/* Nothing a client sends may do more than earn an error. */
static void
test_bad_parameters(void **state)
{
	static const char *const bad[] = {"-1",
					  "x",
					  " 1",
					  "1 ",
					  "1,",
					  ",1",
					  "1,0",
					  "1,2,3",
					  "0x1",
					  "1.5",
					  "\x80\xff",
					  "99999999999999999999",
					  "184467440737095516160",
					  "%s%n",
					  "\"",
					  "1\n"};
	char longest[1024];
	const struct endpoint *e;

	memset(longest, '\xfe', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; (e = endpoint_at(i)) != NULL; i++) {
		if (strstr(e->command, "/worker/") != NULL)
			continue; /* rings need EAL */
		for (unsigned b = 0; b < ICS_ARRAY_LEN(bad); b++) {
			ask(e->command, bad[b]);
			assert_non_null(item("error"));
			assert_int_equal(reply.n_items, 1);
		}
		ask(e->command, longest);
		assert_non_null(item("error"));
	}
	ask("/icmpscope/classes", "64");
	assert_string_equal(reply.text + item("error")->str, "64 is not a worker: 0 to 63 are");
	ask("/icmpscope/anomaly/info", NULL);
	assert_non_null(item("error"));
	ask("/icmpscope/router/info", "18446744073709551615");
	assert_non_null(item("error"));
	ask("/icmpscope/router/table", "18446744073709551615");
	assert_int_equal(reply.n_rows, 0);
}

static void
test_commands_are_telemetrys(void **state)
{
	const struct endpoint *e;

	for (unsigned i = 0; (e = endpoint_at(i)) != NULL; i++) {
		assert_in_range(strlen(e->command), 1, 55);
		assert_in_range(strlen(e->help), 1, 127);
		assert_int_equal(strspn(e->command, "abcdefghijklmnopqrstuvwxyz0123456789_/"), strlen(e->command));
		assert_ptr_equal(endpoint_find(e->command), e);
	}
	assert_null(endpoint_find("/icmpscope/nothing"));
}

static void
test_text_is_cut_and_cleaned(void **state)
{
	char text[400];

	for (unsigned i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)(1 + i % 255);
	text[sizeof(text) - 1] = '\0';
	reply_init(&reply);
	reply_text(&reply, "one", "%s", text);
	reply_long(&reply, "parts", text);
	reply_long(&reply, "none", "");
	render("/x", &reply);
	assert_int_equal(strlen(reply.text + item("one")->str), 127);
	assert_int_equal(strlen(reply.text + item("parts_3")->str), sizeof(text) - 1 - 3 * 127);
	assert_null(item("parts_4"));
	assert_int_equal(strlen(reply.text + item("none_0")->str), 0);
}

static void
test_full_dict_says_so(void **state)
{
	char key[32];

	reply_init(&reply);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		reply_uint(&reply, key, UINT64_MAX);
	}
	render("/x", &reply);
	assert_true(reply.truncated);
	reply_init(&reply);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		reply_text(&reply, key, "%0126d", 0);
	}
	render("/x", &reply);
	assert_true(reply.truncated);
	assert_true(json_len > TELEMETRY_MAX * 9 / 10);
}

/* ---- in time ---- */

#define REPLY_MS_MAX 200

/* As many routers as there can be, on as few VLANs. */
static void
fill_routers(void)
{
	enum { RA_OFF = 54, LEN = RA_OFF + 24 };
	uint8_t f[LEN] = {0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255};
	struct ics_model_stats st;
	struct ics_record rec = {
		.ts_ns = 1463012460000000000ull,
		.class = ICS_CLASS_nd_ra,
		.flags = ICS_REC_STRICT,
		.encap = ICS_LINK_ETHERNET << 5,
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.l4_off = RA_OFF,
		.ilen = 24,
		.cap_len = LEN,
		.wire_len = LEN,
	};

	f[22] = 0xfe;
	f[23] = 0x80;
	f[38] = 0xff;
	f[39] = 0x02;
	f[53] = 1;
	f[54] = 134;
	f[58] = 64;
	f[60] = 7;
	f[70] = ICS_OPT_SLLA;
	f[71] = 1;
	for (unsigned n = 0; n < ICS_ROUTERS_MAX; n++) {
		f[10] = f[36] = f[76] = (uint8_t)(n >> 8);
		f[11] = f[37] = f[77] = (uint8_t)n;
		rec.vlan_outer = (uint16_t)(1024 + n / ICS_ROUTERS_PER_SEGMENT);
		rec.frame_hash = 1 + n;
		ics_engine_feed(t.engine, &rec, (struct ics_view){f, sizeof(f)}, 0);
	}
	ics_model_stats(ics_engine_model(t.engine), &st);
	assert_int_equal(st.routers, ICS_ROUTERS_MAX);
}

static void
ask_in_time(const char *command, const char *params)
{
	static uint32_t n;
	struct timespec a, b;

	for (unsigned i = 0; i < 32; i++, n++)
		solicit(n % ICS_HOSTS_MAX, 0xffffffff);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	ask(command, params);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	assert_in_range((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, 0, REPLY_MS_MAX - 1);
}

/* Whatever is asked while records come in, of the fullest model there can be: from the beginning on, and from everywhere
 * else. The size is checked as it is rendered.
 */
static void
test_every_reply_is_in_time(void **state)
{
	const struct endpoint *e;
	struct ics_model_stats st;
	char params[32];

	fill_neighbors(1463012460000000000ull); /* of those before none was heard for years */
	fill_routers();
	ics_model_stats(ics_engine_model(t.engine), &st);
	assert_int_equal(st.bindings, ICS_BINDINGS_MAX);
	assert_int_equal(st.hosts, ICS_HOSTS_MAX);
	for (unsigned i = 0; (e = endpoint_at(i)) != NULL; i++) {
		size_t len = strlen(e->command);
		bool table = len > 6 && strcmp(e->command + len - 6, "/table") == 0;

		/* That one changes something; workers have no rings here. */
		if (strcmp(e->command, "/icmpscope/anomaly/ack") == 0 ||
		    strncmp(e->command, "/icmpscope/worker/", 18) == 0)
			continue;
		ask_in_time(e->command, NULL);
		/* Indexes and ids from the first to beyond the last. */
		for (uint64_t start = 0; start <= ICS_BINDINGS_MAX * 2; start = start * 3 / 2 + 1) {
			snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
			ask_in_time(e->command, params);
		}
		for (uint64_t start = 0, pages = 0; table && pages < 50; pages++) {
			snprintf(params, sizeof(params), "%llu", (unsigned long long)start);
			ask_in_time(e->command, params);
			if (item("next") == NULL)
				break;
			start = number("next");
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_flat_dicts_are_whole),
		cmocka_unit_test(test_every_rule_can_be_asked_for),
		cmocka_unit_test(test_every_detector_can_be_asked_for),
		cmocka_unit_test(test_widest_anomaly),
		cmocka_unit_test(test_anomaly_pages_hold_every_row_once),
		cmocka_unit_test(test_anomaly_list_pages),
		cmocka_unit_test(test_neighbor_pages_hold_every_row_once),
		cmocka_unit_test(test_prefix_pages_hold_every_row_once),
		cmocka_unit_test(test_prefix_list_and_info),
		cmocka_unit_test(test_pmtu),
		cmocka_unit_test(test_queriers),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_host_pages_hold_every_host_once),
		cmocka_unit_test(test_host_with_many_addresses),
		cmocka_unit_test(test_port_table_of_widest_names),
		cmocka_unit_test(test_bad_parameters),
		cmocka_unit_test(test_commands_are_telemetrys),
		cmocka_unit_test(test_text_is_cut_and_cleaned),
		cmocka_unit_test(test_full_dict_says_so),
		cmocka_unit_test(test_acknowledge),
		cmocka_unit_test(test_every_reply_is_in_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
