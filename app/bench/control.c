/* What a record costs the control core, every detector on, with so many hosts and addresses known: time, memory, and
 * what the tables hold. Records are made ahead in batches, as rings hold them; most of them are what Neighbor
 * Discovery is made of: questions and answers.
 */
#include "ics_engine.h"
#include "model_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 4096
#define BURST 128 /* as rings hand them over */
#define FRAME_MAX 128
#define SEGMENTS 64
/* Records: of one host, and of a small network in all, so that what has to be done every second does not weigh more there
 * than it ever does.
 */
#define PER_HOST_PER_S 2
#define PER_S_MIN 2000
#define S 1000000000ull

/* Records lie on lines, as they do in rings. */
struct item {
	_Alignas(64) struct ics_record rec;
	uint8_t frame[FRAME_MAX];
};

struct bench {
	struct ics_engine *engine;
	uint32_t hosts, per_host;
	uint64_t random, ts_ns, step_ns, next_ra_ns;
	uint32_t next_ra_segment;
	struct item item[BATCH];
	struct ics_engine_item list[BATCH];
	unsigned n;
};

static uint64_t
draw(struct bench *b)
{
	b->random += 0x9e3779b97f4a7c15ull;
	return ics_hash_mix(b->random, 0x5eed);
}

static uint32_t
below(struct bench *b, uint32_t n)
{
	return (uint32_t)((draw(b) >> 32) * n >> 32);
}

/* ---- who and where ---- */

static void
put_mac(uint8_t *p, uint32_t host)
{
	uint8_t mac[6] = {0x02,         0x10, (uint8_t)(host >> 24), (uint8_t)(host >> 16), (uint8_t)(host >> 8),
			  (uint8_t)host};

	memcpy(p, mac, 6);
}

/* The n-th address of a host; the first is link-local, the others look random. */
static void
put_addr(uint8_t *p, uint32_t host, uint32_t n)
{
	uint64_t iid = ics_hash_mix((uint64_t)host << 16 | n, 0xadd2);
	static const uint8_t prefix[2][8] = {{0xfe, 0x80}, {0x20, 0x01, 0x0d, 0xb8}};

	memcpy(p, prefix[n != 0], 8);
	if (n != 0) {
		p[4] = (uint8_t)(host % SEGMENTS);
		p[5] = (uint8_t)(n / 8);
	}
	memcpy(p + 8, &iid, 8);
}

static uint32_t
neighbor_of(struct bench *b, uint32_t host)
{
	return host % SEGMENTS + below(b, b->hosts / SEGMENTS) * SEGMENTS;
}

/* ---- messages ---- */

/* A frame up to the ICMP header, where the caller goes on. */
static uint8_t *
begin(struct bench *b, enum ics_class class, uint32_t host, unsigned l4_off, unsigned ilen)
{
	struct item *it = &b->item[b->n];

	memset(it, 0, sizeof(*it));
	it->rec = (struct ics_record){
		.ts_ns = b->ts_ns += b->step_ns,
		.frame_hash = draw(b) | 1,
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
	put_mac(it->frame + 6, host);
	it->frame[18] = 0x60;
	it->frame[24] = l4_off == 58 ? ICS_PROTO_ICMP6 : ICS_PROTO_HOPOPTS;
	it->frame[25] = 255;
	b->list[b->n] = (struct ics_engine_item){&it->rec, {it->frame, it->rec.cap_len}, 0};
	b->n++;
	return it->frame;
}

static void
put_lla(uint8_t *p, uint8_t option, uint32_t host)
{
	p[0] = option;
	p[1] = 1;
	put_mac(p + 2, host);
}

static void
solicited_node(uint8_t *dst, const uint8_t *target)
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};

	memcpy(dst, prefix, 13);
	memcpy(dst + 13, target + 13, 3);
}

/* host asks for an address of another, or probes for its own (no asker address). */
static void
ns(struct bench *b, uint32_t host, int from, uint32_t target, uint32_t n, bool multicast)
{
	uint8_t *f = begin(b, ICS_CLASS_nd_ns, host, 58, from < 0 ? 24 : 32), *m = f + 58;

	m[0] = ICS_ICMP6_NS;
	put_addr(m + 8, target, n);
	if (from >= 0) {
		put_addr(f + 26, host, (uint32_t)from);
		put_lla(m + 24, ICS_OPT_SLLA, host);
	}
	if (multicast || from < 0)
		solicited_node(f + 42, m + 8);
	else
		memcpy(f + 42, m + 8, 16);
	put_mac(f, target);
}

static void
na(struct bench *b, uint32_t host, uint32_t n, uint32_t asker, uint32_t from)
{
	uint8_t *f = begin(b, ICS_CLASS_nd_na, host, 58, 32), *m = f + 58;

	m[0] = ICS_ICMP6_NA;
	m[4] = ICS_NA_FLAG_SOLICITED | ICS_NA_FLAG_OVERRIDE | (host < SEGMENTS ? ICS_NA_FLAG_ROUTER : 0);
	put_addr(m + 8, host, n);
	put_lla(m + 24, ICS_OPT_TLLA, host);
	put_addr(f + 26, host, n);
	put_addr(f + 42, asker, from);
	put_mac(f, asker);
}

static void
report(struct bench *b, uint32_t host)
{
	static const uint8_t router_alert[8] = {58, 0, 5, 2, 0, 0, 1, 0};
	uint8_t *f = begin(b, ICS_CLASS_mld2_report, host, 66, 28), *m = f + 66;
	uint8_t target[16];

	f[25] = 1;
	memcpy(f + 58, router_alert, sizeof(router_alert));
	m[0] = ICS_ICMP6_MLD2_REPORT;
	m[7] = 1;
	m[8] = 4;
	put_addr(f + 26, host, 0);
	put_addr(target, host, below(b, b->per_host));
	solicited_node(m + 12, target);
}

static void
ra(struct bench *b, uint32_t segment)
{
	uint8_t *f = begin(b, ICS_CLASS_nd_ra, segment, 58, 16 + 8 + 32), *m = f + 58;
	static const uint8_t pio[] = {3, 4, 64, 0xc0, 0, 0x27, 0x8d, 0, 0, 9, 0x3a, 0x80};

	m[0] = ICS_ICMP6_RA;
	m[4] = 64;
	m[6] = 7;
	m[7] = 8;
	put_addr(f + 26, segment, 0);
	f[42] = 0xff;
	f[43] = 0x02;
	f[57] = 1;
	put_lla(m + 16, ICS_OPT_SLLA, segment);
	memcpy(m + 24, pio, sizeof(pio));
	m[40] = 0x20;
	m[41] = 0x01;
	m[42] = 0x0d;
	m[43] = 0xb8;
	m[44] = (uint8_t)segment;
}

/* An exchange, or one message of the other kinds. */
static void
next(struct bench *b)
{
	uint32_t what = below(b, 100), host = below(b, b->hosts), other = neighbor_of(b, host);
	uint32_t from = below(b, b->per_host), n = below(b, b->per_host);

	if (what < 80) {
		ns(b, host, (int)from, other, n, what < 25);
		na(b, other, n, host, from);
	} else if (what < 96) {
		report(b, host);
	} else {
		ns(b, host, -1, host, n, true);
	}
	if (b->ts_ns >= b->next_ra_ns) {
		ra(b, b->next_ra_segment++ % SEGMENTS);
		b->next_ra_ns = b->ts_ns + 200 * S / SEGMENTS;
	}
}

static void
feed(struct bench *b)
{
	for (unsigned i = 0; i < b->n; i += BURST)
		ics_engine_feed_burst(b->engine, &b->list[i], b->n - i < BURST ? b->n - i : BURST);
	b->n = 0;
}

/* What is measured; callgrind counts it alone with --toggle-collect='counted*'. */
__attribute__((noipa)) static void
counted(struct bench *b)
{
	feed(b);
}

/* Every address answers once. */
static void
populate(struct bench *b)
{
	for (uint32_t n = 0; n < b->per_host; n++)
		for (uint32_t h = 0; h < b->hosts; h++) {
			if (n == 0 && h < SEGMENTS)
				ra(b, h);
			na(b, h, n, h, 0);
			if (b->n >= BATCH - 2)
				feed(b);
		}
	feed(b);
}

/* ---- figures ---- */

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static uint64_t
rss_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	uint64_t total = 0, rss = 0;

	if (f != NULL) {
		if (fscanf(f, "%" SCNu64 " %" SCNu64, &total, &rss) != 2)
			rss = 0;
		fclose(f);
	}
	return rss * 4;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
table_row(const char *name, const struct ics_table *t)
{
	printf("    %-12s %8u entries of %3u bytes, %6.1f MB with their index\n", name, t->count, t->entry_len,
	       ((double)t->fresh * t->entry_len + 4.0 * t->n_buckets) / 1e6);
}

static int
measure(uint32_t hosts, uint32_t per_host, unsigned rounds, unsigned batches, bool tables)
{
	static struct ics_config conf;
	struct bench *b = aligned_alloc(64, sizeof(*b));
	double ns[64];
	uint64_t anomalies = 0, records = 0;
	const struct ics_detector_info *d;
	uint64_t rss = rss_kb();

	ics_config_init(&conf);
	if (b != NULL)
		memset(b, 0, sizeof(*b));
	if (b == NULL || (b->engine = ics_engine_new(&conf, 0x5eed)) == NULL) {
		free(b);
		return -1;
	}
	b->hosts = hosts;
	b->per_host = per_host;
	b->step_ns = S / ((uint64_t)hosts * PER_HOST_PER_S);
	if (b->step_ns > S / PER_S_MIN)
		b->step_ns = S / PER_S_MIN;
	b->ts_ns = 1700000000 * S;
	populate(b);
	for (unsigned r = 0; r < rounds; r++) {
		uint64_t spent = 0, n = 0;

		for (unsigned i = 0; i < batches; i++) {
			uint64_t t;

			while (b->n < BATCH - 3)
				next(b);
			n += b->n;
			records += b->n;
			t = cpu_ns();
			counted(b);
			spent += cpu_ns() - t;
		}
		ns[r] = (double)spent / (double)n;
	}
	qsort(ns, rounds, sizeof(ns[0]), by_value);
	for (unsigned i = 0; (d = ics_engine_detector(b->engine, i)) != NULL; i++)
		anomalies += d->fired;
	printf("%7u %9" PRIu64 " %9.0f %9.0f %8.2f %8.0f %9" PRIu64 "\n", hosts,
	       ics_model_binding_count(ics_engine_model(b->engine)), ns[0], ns[rounds / 2], 1e3 / ns[rounds / 2],
	       (double)(rss_kb() - rss) / 1e3, anomalies);
	if (tables) {
		const struct ics_model *m = ics_engine_model(b->engine);

		printf("    %" PRIu64 " records counted\n", records);
		table_row("bindings", &m->bindings);
		table_row("hosts", &m->hosts);
		table_row("solicits", &m->solicits);
		table_row("dads", &m->dads);
		table_row("askers", &m->askers);
		table_row("routers", &m->routers);
		table_row("prefixes", &m->prefixes);
	}
	ics_engine_free(b->engine);
	free(b);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		uint32_t hosts, per_host;
	} sizes[] = {{128, 8}, {100032, 1}, {100032, 10}};
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5;
	unsigned only = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (argc > 3 || rounds == 0 || rounds > 64 || only > ICS_ARRAY_LEN(sizes)) {
		fputs("usage: icmpscope-bench-control [ROUNDS [1|2|3]]   (1 k, 100 k, 1 M bindings; BATCHES=N: of 4096 "
		      "records, 128)\n",
		      stderr);
		return 2;
	}
	printf("%7s %9s %9s %9s %8s %8s %9s\n", "hosts", "bindings", "best ns", "median ns", "M/s", "MB", "anomalies");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(sizes); i++)
		if ((only == 0 || only == i + 1) &&
		    measure(sizes[i].hosts, sizes[i].per_host, rounds,
			    getenv("BATCHES") ? (unsigned)atoi(getenv("BATCHES")) : 128, true) != 0)
			return 1;
	return 0;
}
