/* Fuzz target: any endpoint with any parameter, through the callback that telemetry calls to the data that it sends.
 * EAL is not started: rte_tel_data is replaced by one that writes JSON as telemetry does and that holds lib/export to
 * telemetry's limits, and the client thread's wait (pthread_cond_timedwait, wrapped by the linker) is the moment at
 * which the control core answers. The first two octets choose endpoint and population; the parameter follows.
 */
#include "frame.h"
#include "fuzz.h"

#include "ics_compat.h"
#include "ics_export.h"
#include "ics_inspect.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>

#define PARAMS_MAX 1023
#define SECOND 1000000000ull

/* ---- telemetry's side: DPDK 22.11 lib/telemetry ---- */

#define OUTPUT_MAX (16384 - 64) /* less the command, quotes and braces around the data */
#define COMMANDS_MAX 64

struct rte_tel_data {
	enum { NONE, ARRAY_STRING, ARRAY_UINT, DICT } type;
	unsigned entries;
	size_t len;
	char json[4 * OUTPUT_MAX];
};

static struct {
	const char *name;
	telemetry_cb fn;
} commands[COMMANDS_MAX];
static unsigned n_commands;

int
rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help)
{
	FUZZ_CHECK(n_commands < COMMANDS_MAX && cmd[0] == '/' && strlen(cmd) < 56 && strlen(help) < 128, "%s", cmd);
	commands[n_commands].name = cmd;
	commands[n_commands++].fn = fn;
	return 0;
}

struct rte_tel_data *
rte_tel_data_alloc(void)
{
	return calloc(1, sizeof(struct rte_tel_data));
}

void
rte_tel_data_free(struct rte_tel_data *d)
{
	free(d);
}

static void
put(struct rte_tel_data *d, const char *text, size_t n)
{
	FUZZ_CHECK(d->len + n < sizeof(d->json), "more than %zu octets", sizeof(d->json));
	memcpy(d->json + d->len, text, n);
	d->len += n;
}

static void
put_string(struct rte_tel_data *d, const char *s)
{
	put(d, "\"", 1);
	for (; *s != '\0'; s++) {
		FUZZ_CHECK(*s >= 0x20 && *s < 0x7f, "octet 0x%02x in a string", (unsigned char)*s);
		if (*s == '"' || *s == '\\')
			put(d, "\\", 1);
		put(d, s, 1);
	}
	put(d, "\"", 1);
}

static int
start_entry(struct rte_tel_data *d, unsigned max)
{
	if (d->entries >= max)
		return -ENOSPC;
	if (d->entries++ != 0)
		put(d, ",", 1);
	return 0;
}

static int
start_named(struct rte_tel_data *d, const char *name)
{
	if (d->type != DICT)
		return -EINVAL;
	for (const char *p = name; *p != '\0'; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') && *p != '_' &&
		    *p != '/')
			return -EINVAL;
	if (name[0] == '\0' || strlen(name) >= RTE_TEL_MAX_STRING_LEN)
		return -EINVAL;
	if (start_entry(d, RTE_TEL_MAX_DICT_ENTRIES) != 0)
		return -ENOSPC;
	put_string(d, name);
	put(d, ":", 1);
	return 0;
}

int
rte_tel_data_start_array(struct rte_tel_data *d, enum rte_tel_value_type type)
{
	d->type = type == RTE_TEL_STRING_VAL ? ARRAY_STRING : ARRAY_UINT;
	d->entries = 0;
	d->len = 0;
	return 0;
}

int
rte_tel_data_start_dict(struct rte_tel_data *d)
{
	d->type = DICT;
	d->entries = 0;
	d->len = 0;
	return 0;
}

int
rte_tel_data_add_array_string(struct rte_tel_data *d, const char *s)
{
	if (d->type != ARRAY_STRING || strlen(s) >= RTE_TEL_MAX_STRING_LEN)
		return -EINVAL;
	if (start_entry(d, RTE_TEL_MAX_ARRAY_ENTRIES) != 0)
		return -ENOSPC;
	put_string(d, s);
	return 0;
}

static void
put_uint(struct rte_tel_data *d, uint64_t v)
{
	char text[24];

	put(d, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

int
rte_tel_data_add_array_uint(struct rte_tel_data *d, uint64_t v)
{
	if (d->type != ARRAY_UINT)
		return -EINVAL;
	if (start_entry(d, RTE_TEL_MAX_ARRAY_ENTRIES) != 0)
		return -ENOSPC;
	put_uint(d, v);
	return 0;
}

int
rte_tel_data_add_dict_string(struct rte_tel_data *d, const char *name, const char *s)
{
	int rc = start_named(d, name);

	if (rc != 0 || strlen(s) >= RTE_TEL_MAX_STRING_LEN)
		return rc != 0 ? rc : -E2BIG;
	put_string(d, s);
	return 0;
}

int
rte_tel_data_add_dict_uint(struct rte_tel_data *d, const char *name, uint64_t v)
{
	int rc = start_named(d, name);

	if (rc == 0)
		put_uint(d, v);
	return rc;
}

int
rte_tel_data_add_dict_container(struct rte_tel_data *d, const char *name, struct rte_tel_data *val, int keep)
{
	int rc = val->type == ARRAY_STRING || val->type == ARRAY_UINT ? start_named(d, name) : -EINVAL;

	if (rc != 0)
		return rc;
	put(d, "[", 1);
	put(d, val->json, val->len);
	put(d, "]", 1);
	if (!keep)
		free(val);
	return 0;
}

/* The client's wait: the control core's turn comes. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);

int
__wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	unsigned n;

	pthread_mutex_unlock(m);
	n = ics_export_poll(1);
	pthread_mutex_lock(m);
	FUZZ_CHECK(n == 1, "nothing was queued");
	return 0;
}

/* ---- the program's side ---- */

/* Rings need EAL; these are as full as can be. */
void
ics_ring_stats_urgent(const struct ics_ring *r, struct ics_ring_stats *out)
{
	*out = (struct ics_ring_stats){UINT64_MAX, UINT64_MAX, UINT64_MAX};
}

void
ics_ring_stats_bulk(const struct ics_ring *r, struct ics_ring_stats *out)
{
	*out = (struct ics_ring_stats){65536, 0, 1};
}

enum { EMPTY, SMALL, LARGE, POPULATIONS };

static struct {
	struct ics_export_source src;
	struct ics_counters *counters;
	struct ics_inspect in;
	struct ics_config conf;
} population[POPULATIONS];
static struct ics_worker_stats worker_stats;
static struct ics_export_source source; /* the one that answers */

static int
push(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	ics_engine_feed(ctx, rec, (struct ics_view){frame, rec->cap_len}, 1);
	return 0;
}

/* Base packets on n VLANs, the incident among them, from several routers. */
static void
populate(struct ics_inspect *in, unsigned n)
{
	uint64_t now = 1463012000 * SECOND;
	const char *hex;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; (hex = fuzz_base(j < 3 ? 2 - j : j)) != NULL; j++) {
			uint8_t b[FUZZ_FRAME_MAX];
			struct fuzz_frame f = {b, fuzz_unhex(hex, b, sizeof(b)), sizeof(b), ICS_LINK_ETHERNET};
			struct ics_frame frame;

			b[11] = (uint8_t)i;
			if (i != 0)
				fuzz_frame_insert(&f, 12, (uint8_t[]){0x81, 0, (uint8_t)(i >> 4), (uint8_t)i}, 4);
			frame = (struct ics_frame){f.b, f.len, f.len, ICS_VLAN_NONE, ICS_LINK_ETHERNET};
			ics_inspect_burst(in, &frame, 1, now += SECOND / 100);
		}
	}
}

static void
set_up(unsigned p, unsigned n)
{
	static const struct ics_export_port ports[] = {
		{.device = "eth0", .driver = "net_af_packet", .clock = "tsc", .node = -1, .queues = 1, .link_up = true},
		{.device = "pcap:\"\\\x01\xff.pcap",
		 .driver = "",
		 .clock = "capture",
		 .node = 0,
		 .queues = 65535,
		 .rx_packets = UINT64_MAX},
	};
	struct ics_export_worker *workers = calloc(128, sizeof(*workers));
	struct ics_export_source *src = &population[p].src;

	population[p].counters = calloc(1, sizeof(struct ics_counters));
	for (unsigned i = 0; i < 128; i++)
		workers[i] = (struct ics_export_worker){
			population[p].counters, &worker_stats, NULL, i & 1, i, i, i, -1, 0, true};
	ics_config_init(&population[p].conf);
	population[p].conf.detect.learn_s = 0;
	*src = (struct ics_export_source){
		.version = "fuzz",
		.mode = "live",
		.sandbox = "off",
		.engine = ics_engine_new(&population[p].conf, 1),
		.workers = workers,
		.ports = ports,
		.n_workers = p == LARGE   ? 128
			     : p == SMALL ? 1
					  : 0,
		.n_ports = p == EMPTY ? 0 : 2,
		.tsc_hz = 1000000000,
		.start_ns = 1,
	};
	population[p].in = (struct ics_inspect){
		.validate = {1500}, .counters = population[p].counters, .sink = {push, src->engine}, .seed = 1};
	ics_inspect_init(&population[p].in);
	populate(&population[p].in, n);
}

/* Tables lie in mapped memory, where the leak detector does not look for pointers. */
static void
end(void)
{
	for (unsigned i = 0; i < sizeof(population) / sizeof(population[0]); i++)
		ics_engine_free(population[i].src.engine);
}

static void
start(void)
{
	atexit(end);
	set_up(EMPTY, 0);
	set_up(SMALL, 2);
	set_up(LARGE, 1500);
	FUZZ_CHECK(ics_export_open(&source) == 0, "the endpoints are refused");
}

/* ---- one request ---- */

/* Columns of a page are as long as each other, and a page that is not the last one has rows: who follows gets on. */
static void
check_page(const json_t *doc)
{
	const char *key;
	json_t *v;
	size_t rows = 0;
	bool any = false;

	json_object_foreach((json_t *)doc, key, v)
	{
		if (!json_is_array(v))
			continue;
		FUZZ_CHECK(!any || json_array_size(v) == rows, "%s has %zu rows, not %zu", key, json_array_size(v),
			   rows);
		rows = json_array_size(v);
		any = true;
	}
	if (!any)
		return;
	FUZZ_CHECK(json_is_integer(json_object_get(doc, "next")) && json_is_integer(json_object_get(doc, "total")),
		   "a page without total and next");
	FUZZ_CHECK(json_integer_value(json_object_get(doc, "more")) == 0 || rows != 0,
		   "an empty page, and more to come");
}

static void
check_data(const char *cmd, const struct rte_tel_data *d)
{
	static char text[sizeof(d->json) + 4];
	json_error_t err;
	json_t *doc, *error;

	FUZZ_CHECK(d->type != NONE, "%s gives nothing", cmd);
	FUZZ_CHECK(d->len + 2 <= OUTPUT_MAX, "%s gives %zu octets", cmd, d->len);
	snprintf(text, sizeof(text), d->type == DICT ? "{%.*s}" : "[%.*s]", (int)d->len, d->json);
	doc = json_loads(text, JSON_REJECT_DUPLICATES, &err);
	FUZZ_CHECK(doc != NULL || strstr(err.text, "too big") != NULL, "%s: %s in %s", cmd, err.text, text);
	if (doc != NULL && d->type == DICT) {
		error = json_object_get(doc, "error");
		FUZZ_CHECK(error == NULL || json_object_size(doc) == 1, "an error and more: %s", text);
		FUZZ_CHECK(error == NULL || json_string_length(error) != 0, "an empty error");
		check_page(doc);
	}
	json_decref(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rte_tel_data d;
	char *params = NULL;
	unsigned i;
	int rc;

	if (size < 2)
		return 0;
	if (n_commands == 0)
		start();
	i = data[0] % n_commands;
	source = population[data[1] % POPULATIONS].src;
	/* Telemetry reads at most so much, and ends at a zero octet; without a comma there is no parameter. */
	if (size > 2)
		params = strndup((const char *)data + 2, size - 2 < PARAMS_MAX ? size - 2 : PARAMS_MAX);
	d.type = NONE;
	d.len = 0;
	d.entries = 0;
	rc = commands[i].fn(commands[i].name, params, &d);
	FUZZ_CHECK(rc == 0, "%s fails with %d", commands[i].name, rc);
	check_data(commands[i].name, &d);
	free(params);
	return 0;
}

static const char *const params[] = {
	"0",
	"1",
	"2",
	"63",
	"64",
	"127",
	"128",
	"255",
	"4094",
	"18446744073709551615",
	"18446744073709551616",
	"00000000001",
	"0,1",
	"1,0",
	"0,18446744073709551615",
	"5,",
	",5",
	"0,1,2",
	"-1",
	"+1",
	"0x1",
	"1e3",
	" 1",
	"1 ",
	"nd_hop_limit",
	"icmp6_checksum",
	"router_lifetime_zero",
	"router_flag_cleared",
	"\"\\",
	"%s%n",
	"\x7f\xff",
};

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct fuzz_rng r = {seed};
	const char *p;
	size_t n;

	if (size < 2 || max_size < 64)
		return LLVMFuzzerMutate(data, size, max_size);
	switch (fuzz_rng_below(&r, 4)) {
	case 0:
		data[0] = (uint8_t)fuzz_rng_next(&r);
		return size;
	case 1:
		data[1] = (uint8_t)fuzz_rng_next(&r);
		return size;
	case 2:
		p = params[fuzz_rng_below(&r, ICS_ARRAY_LEN(params))];
		n = strlen(p);
		memcpy(data + 2, p, n);
		return 2 + n;
	default:
		return 2 + LLVMFuzzerMutate(data + 2, size - 2, max_size - 2);
	}
}
