/* Fuzz target: a sequence of frames with times through both halves, then the report. The first two octets of the input
 * choose the configuration; entries follow: time since the last one, how often and with what varied, length, frame.
 * An entry without a frame lets time pass. Checked: the anomaly store and the model against their own rules,
 * that time and sequence numbers only grow, that the report is JSON, and that no verdict depends on the hash seed.
 */
#include "check.h"
#include "frame.h"
#include "fuzz.h"

#include "ics_engine.h"
#include "ics_inspect.h"
#include "ics_report.h"

#include <jansson.h>

#define HEAD 2
#define ENTRY 4
#define FRAMES_MAX 1500 /* in one run */

/* Octet 0 */
#define CONF_GATEWAY 0x01
#define CONF_NO_LEARNING 0x02
#define CONF_TUNNELS 0x04
#define CONF_FOLD 0x08
#define CONF_ONE_VICTIM 0x10
#define CONF_MUTE 0x20
#define CONF_NO_KNOWN 0x40
#define CONF_SECOND_SEED 0x80

/* Octet 1; the upper three bits are the link type. */
#define HEAD1_CONTROL_WORD 0x01
#define HEAD1_SAMPLER 0x02
#define HEAD1_STEADY 0x04

#define MS 1000000ll
#define S 1000000000ll
static const int64_t steps[16] = {0,      1000,   1 * MS,  10 * MS,  100 * MS, 500 * MS,  1 * S,    3 * S,
				  10 * S, 60 * S, 600 * S, 1800 * S, 9000 * S, 86400 * S, -50 * MS, -3600 * S};
static const unsigned times[8] = {1, 2, 3, 10, 40, 150, 500, 1200};

/* The upper half of an entry's first octet: what follows. */
#define KIND 0x30
#define KIND_SAMPLE 0x10 /* octets of a sample record */
#define KIND_COPIES 0x20 /* gap, port, another hash; how many */
#define KIND_LOSS 0x30   /* worker, port, share; messages that were lost */

#define KIND_LONG 0x40 /* or'ed: the frame was 1,514 octets long when it was captured */

/* What is varied from frame to frame of an entry, or'ed. */
#define VARY_SMAC 0x08
#define VARY_SRC 0x10
#define VARY_TARGET 0x20
#define VARY_VLAN 0x40

struct cleared {
	uint64_t id, count, last_ns;
};

struct run {
	struct ics_engine *engine;
	struct ics_inspect in;
	struct ics_counters counters;
	struct ics_fold *fold;
	struct ics_known *known;
	struct ics_config conf;
	uint64_t now_ns, frame_no, frames;
	uint64_t last_seq, last_clock_ns;
	bool jumped_back;
	struct ics_record last; /* that was fed with its frame */
	uint64_t copies;        /* fed by copies_of_last() */
	struct cleared cleared[64];
};

static int
push(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct run *r = ctx;

	if (!ics_record_is_sample(rec) && !(rec->flags & ICS_REC_COPIES))
		r->last = *rec;
	ics_engine_feed(r->engine, rec, (struct ics_view){frame, rec->cap_len}, r->frame_no);
	return 0;
}

static void
add_sampler(struct run *r)
{
	static const struct ics_sample_conf conf = {.filter_bits = ICS_SAMPLE_FILTER_MIN, .link_mtu = 1500};
	static struct ics_samplers all = {.n = 1};
	static struct ics_known watch;
	static void *memory;

	if (memory == NULL)
		memory = aligned_alloc(64, (ics_sampler_size(&conf) + 63) / 64 * 64);
	memset(memory, 0, ics_sampler_size(&conf));
	memset(&watch, 0, sizeof(watch));
	r->in.sampler = ics_sampler_init(&conf, memory);
	FUZZ_CHECK(r->in.sampler != NULL, "no sampler");
	all.at[0] = r->in.sampler;
	ics_engine_set_samplers(r->engine, &all, &watch);
}

static void
start(struct run *r, const uint8_t *head, uint64_t seed)
{
	static struct ics_fold *memory;
	static struct ics_known known;
	char err[ICS_CONFIG_ERR_LEN];
	uint8_t c = head[0];

	memset(r, 0, sizeof(*r));
	ics_config_init(&r->conf);
	if (c & CONF_GATEWAY)
		ics_config_set(&r->conf, "detect.gateways=fe80::1, fe80::2, 192.0.2.1", err);
	if (c & CONF_NO_LEARNING)
		r->conf.detect.learn_s = 0;
	if (c & CONF_TUNNELS)
		r->conf.decode.tunnels = 0x3f;
	if (c & CONF_ONE_VICTIM)
		r->conf.detect.r0_victims = 1;
	if (c & CONF_MUTE)
		ics_config_set(&r->conf, "detect.mute=*@vlan10/2026-05-12T06:00Z, router_flag_cleared@fe80::2", err);
	r->conf.decode.mpls_control_word = head[1] & HEAD1_CONTROL_WORD;
	r->engine = ics_engine_new(&r->conf, seed);
	FUZZ_CHECK(r->engine != NULL, "no memory");
	/* Allocated once: fresh pages for it cost more than the rest of a short run. */
	if (memory == NULL)
		memory = aligned_alloc(64, ics_fold_size());
	/* Which copies share a set of the repeat cache is a matter of the seed. */
	if ((c & (CONF_FOLD | CONF_SECOND_SEED)) == CONF_FOLD) {
		memset(memory, 0, ics_fold_size());
		r->fold = ics_fold_init(memory);
	}
	memset(&known, 0, sizeof(known));
	r->known = &known;
	r->known->seed = seed;
	ics_engine_publish_known(r->engine, r->known);
	r->in = (struct ics_inspect){
		.decode = r->conf.decode,
		.validate = {r->conf.detect.link_mtu},
		.counters = &r->counters,
		.fold = r->fold,
		.known = c & CONF_NO_KNOWN ? NULL : r->known,
		.sink = {push, r},
		.seed = seed,
	};
	if (head[1] & HEAD1_SAMPLER)
		add_sampler(r);
	if (head[1] & HEAD1_STEADY)
		ics_engine_set_steady(r->engine);
	ics_inspect_init(&r->in);
	r->now_ns = 1463012000000000000ull;
}

static void
stop(struct run *r)
{
	ics_engine_free(r->engine);
}

/* ---- what must hold ---- */

static void
check_text(const char *text, size_t size)
{
	if (text[0] != '\0')
		fuzz_check_line(text, size);
}

static void
check_facts(const struct ics_fact *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		FUZZ_CHECK(f[i].key != NULL && f[i].key[0] != '\0', "a fact without a key");
		if (f[i].type == ICS_FACT_TEXT)
			check_text(f[i].text, sizeof(f[i].text));
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(strcmp(f[i].key, f[j].key) != 0, "%s twice", f[i].key);
	}
}

static void
check_anomaly(const struct run *r, const struct ics_anomaly *a)
{
	FUZZ_CHECK(a->id != 0 && a->detector != NULL && a->rfc != NULL && a->variant != NULL, "empty");
	FUZZ_CHECK(a->n_subject <= 8 && a->n_evidence <= ICS_ANOMALY_FACTS_MAX, "%u and %u facts", a->n_subject,
		   a->n_evidence);
	FUZZ_CHECK(a->n_subject != 0, "%s about nothing", a->detector);
	check_facts(a->subject, a->n_subject);
	check_facts(a->evidence, a->n_evidence);
	fuzz_check_line(a->says, sizeof(a->says));
	FUZZ_CHECK(a->severity <= ICS_SEV_CRITICAL, "severity %d", a->severity);
	FUZZ_CHECK(a->n_frames <= ICS_ANOMALY_FRAMES_MAX &&
			   a->proof[ICS_PROOF_LATEST].len <= ICS_ANOMALY_EVIDENCE_FRAME,
		   "%u frames", a->n_frames);
	FUZZ_CHECK(a->count != 0 && a->count >= a->n_frames, "%llu messages, %u frames", (unsigned long long)a->count,
		   a->n_frames);
	for (unsigned i = 0; i < a->n_frames; i++)
		FUZZ_CHECK(a->frame_no[i] <= r->frame_no && (i == 0 || a->frame_no[i] > a->frame_no[i - 1]),
			   "frame %llu", (unsigned long long)a->frame_no[i]);
	FUZZ_CHECK(a->first_ns <= a->last_ns, "first seen after last");
}

static bool
is_same_subject(const struct ics_anomaly *a, const struct ics_anomaly *b)
{
	if (strcmp(a->detector, b->detector) != 0 || memcmp(&a->segment, &b->segment, sizeof(a->segment)) != 0 ||
	    a->n_subject != b->n_subject)
		return false;
	for (unsigned i = 0; i < a->n_subject; i++)
		if (strcmp(a->subject[i].key, b->subject[i].key) != 0 || a->subject[i].u != b->subject[i].u ||
		    strcmp(a->subject[i].text, b->subject[i].text) != 0)
			return false;
	return true;
}

static void
check_store(const struct run *r)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(r->engine);
	static const struct ics_anomaly *open[128];
	const struct ics_anomaly *a;
	struct ics_anomaly_stats stats;
	uint64_t seq = 0, n = 0, n_open = 0, n_loud = 0;
	unsigned n_kept = 0;

	ics_anomaly_stats(s, &stats);
	for (a = ics_anomaly_next(s, 0); a != NULL; a = ics_anomaly_next(s, a->seq + 1)) {
		FUZZ_CHECK(a->seq > seq && a->seq <= stats.last_seq, "sequence number %llu behind %llu",
			   (unsigned long long)a->seq, (unsigned long long)seq);
		seq = a->seq;
		n++;
		check_anomaly(r, a);
		FUZZ_CHECK(ics_anomaly_get(s, a->id) == a, "id %llu finds another", (unsigned long long)a->id);
		n_open += a->state == ICS_ANOMALY_OPEN;
		n_loud += a->state == ICS_ANOMALY_OPEN && !a->muted;
		if (a->state == ICS_ANOMALY_OPEN && n_kept < ICS_ARRAY_LEN(open))
			open[n_kept++] = a;
	}
	FUZZ_CHECK(n == stats.kept && n <= ICS_ANOMALY_STORE_MAX, "%llu of %llu kept", (unsigned long long)n,
		   (unsigned long long)stats.kept);
	FUZZ_CHECK(n_loud == stats.open, "%llu of %llu open", (unsigned long long)n_loud,
		   (unsigned long long)stats.open);
	FUZZ_CHECK(stats.opened - stats.cleared == n_open, "%llu opened, %llu cleared, %llu open",
		   (unsigned long long)stats.opened, (unsigned long long)stats.cleared, (unsigned long long)n_open);
	FUZZ_CHECK(stats.opened - stats.overwritten == stats.kept, "kept");
	for (unsigned i = 0; i < n_kept; i++)
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(!is_same_subject(open[i], open[j]), "open twice: %s", open[i]->says);
}

static void
check_detectors(const struct run *r)
{
	const struct ics_detector_info *d;
	struct ics_anomaly_stats stats;
	uint64_t fired = 0, cleared = 0;

	for (unsigned i = 0; (d = ics_engine_detector(r->engine, i)) != NULL; i++) {
		FUZZ_CHECK(d->cleared <= d->fired, "%s: %llu fired, %llu cleared", d->name,
			   (unsigned long long)d->fired, (unsigned long long)d->cleared);
		fired += d->fired;
		cleared += d->cleared;
	}
	ics_anomaly_stats(ics_engine_anomalies(r->engine), &stats);
	FUZZ_CHECK(fired == stats.opened && cleared == stats.cleared, "detectors %llu/%llu, store %llu/%llu",
		   (unsigned long long)fired, (unsigned long long)cleared, (unsigned long long)stats.opened,
		   (unsigned long long)stats.cleared);
}

static void
check_model(const struct run *r)
{
	struct ics_model_stats stats;
	uint64_t classes = fuzz_check_model(r->engine, &r->conf);

	ics_model_stats(ics_engine_model(r->engine), &stats);
	FUZZ_CHECK(stats.segment_drops != 0 || classes == ics_count_get(&r->counters.delivered) + r->copies,
		   "segments count %llu messages", (unsigned long long)classes);
}

/* What is cleared stays as it is. */
static void
check_cleared(struct run *r)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(r->engine);
	const struct ics_anomaly *a;

	for (a = ics_anomaly_next(s, 0); a != NULL; a = ics_anomaly_next(s, a->seq + 1)) {
		struct cleared *c = &r->cleared[a->id % ICS_ARRAY_LEN(r->cleared)];

		if (a->state == ICS_ANOMALY_OPEN)
			continue;
		FUZZ_CHECK(c->id != a->id || (c->count == a->count && c->last_ns == a->last_ns),
			   "%s: cleared, and goes from %llu to %llu messages", a->detector,
			   (unsigned long long)c->count, (unsigned long long)a->count);
		*c = (struct cleared){a->id, a->count, a->last_ns};
	}
}

/* After every entry: cheap, and nothing goes back. */
static void
check_progress(struct run *r)
{
	struct ics_anomaly_stats stats;
	uint64_t clock = ics_model_clock(ics_engine_model(r->engine))->now_ns;

	ics_anomaly_stats(ics_engine_anomalies(r->engine), &stats);
	check_cleared(r);
	FUZZ_CHECK(stats.last_seq >= r->last_seq, "sequence numbers run back");
	FUZZ_CHECK(clock >= r->last_clock_ns, "the clock runs back");
	if (!r->jumped_back)
		FUZZ_CHECK(clock <= r->now_ns, "the clock is %llu ns ahead of the frames",
			   (unsigned long long)(clock - r->now_ns));
	r->last_seq = stats.last_seq;
	r->last_clock_ns = clock;
}

static char *
report(struct run *r, bool json)
{
	struct ics_report_capture capture = {.file = "fuzz.pcap", .frames = r->frames, .first_ns = 1, .last_ns = 2};
	struct ics_count_snapshot counts = {0};
	struct ics_report rep = {
		.version = "fuzz",
		.captures = &capture,
		.n_captures = 1,
		.counts = &counts,
		.engine = r->engine,
	};
	size_t len;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);
	int rc;

	ics_count_snapshot_add(&counts, &r->counters);
	rc = json ? ics_report_json(f, &rep) : ics_report_text(f, &rep);
	FUZZ_CHECK(fclose(f) == 0 && rc == 0, "the report fails with %d", rc);
	return text;
}

static char *
check_report(struct run *r)
{
	char *json = report(r, true), *text = report(r, false);
	json_error_t err;
	json_t *doc = json_loads(json, JSON_REJECT_DUPLICATES, &err);

	FUZZ_CHECK(doc != NULL, "no JSON: %s at %d", err.text, err.position);
	FUZZ_CHECK(json_integer_value(json_object_get(doc, "frames")) == (json_int_t)r->frames, "frames of the report");
	json_decref(doc);
	for (const char *p = text; *p != '\0'; p++)
		FUZZ_CHECK(*p == '\n' || (*p >= 0x20 && *p < 0x7f), "octet 0x%02x in the report", (unsigned char)*p);
	free(text);
	return json;
}

/* ---- running a sequence ---- */

static void
put_number(uint8_t *to, unsigned n)
{
	to[0] = (uint8_t)(n >> 8);
	to[1] = (uint8_t)n;
}

static void
vary(struct fuzz_frame *f, uint8_t how, unsigned n)
{
	struct fuzz_layout at;

	fuzz_frame_layout(f, &at);
	if (how & VARY_SMAC && f->link == ICS_LINK_ETHERNET && f->len >= 12)
		put_number(f->b + 10, n);
	if (how & VARY_VLAN && at.type_off >= 16)
		put_number(f->b + at.type_off - 2, n & 0x0fff);
	if (how & VARY_SRC && at.version == 6)
		put_number(f->b + at.l3 + 20, n);
	if (how & VARY_TARGET && at.version == 6 && at.l4 + 24 <= f->len)
		put_number(f->b + at.l4 + 22, n);
	if (how & (VARY_SRC | VARY_TARGET))
		fuzz_frame_repair(f, 0);
}

/* What the sampler told: octets as a record carries them. */
static void
feed_sample(struct run *r, const uint8_t *data, uint32_t len)
{
	uint8_t *exact = malloc(len);
	struct ics_record rec = {.ts_ns = r->now_ns,
				 .class = ICS_RECORD_SAMPLE,
				 .vlan_outer = ICS_VLAN_NONE,
				 .vlan_inner = ICS_VLAN_NONE,
				 .wire_len = (uint16_t)len,
				 .cap_len = (uint16_t)len};

	memcpy(exact, data, len);
	ics_engine_feed(r->engine, &rec, (struct ics_view){exact, len}, r->frame_no);
	free(exact);
}

/* Copies of the latest frame, as a worker tells them; at times of another frame, which nobody knows. */
static void
copies_of_last(struct run *r, const uint8_t *data, uint32_t len)
{
	static const uint32_t gaps[] = {0, 1000, 50000, 400000, 1500000, 20000000, 900000000, UINT32_MAX};
	struct ics_record rec = r->last;

	if (rec.frame_hash == 0)
		return;
	rec.ts_ns = r->now_ns;
	rec.flags |= ICS_REC_COPIES;
	rec.cap_len = 0;
	rec.repeats = len > 2 ? ics_load_be16(data + 1) : len;
	rec.min_gap_ns = gaps[data[0] & 7];
	rec.port = data[0] >> 3 & 1;
	rec.frame_hash ^= data[0] >> 7;
	r->copies += 1 + (uint64_t)rec.repeats;
	ics_engine_feed(r->engine, &rec, (struct ics_view){NULL, 0}, r->frame_no);
}

static void
note_loss(struct run *r, const uint8_t *data, uint32_t len)
{
	struct ics_loss loss = {.worker = data[0] & 3, .port = data[0] >> 4};

	for (uint32_t i = 1; i < len; i++) {
		loss.lost[i % ICS_DROP_COUNT] += data[i];
		loss.lost_class[data[i] % ICS_CLASS_COUNT] += data[i];
		loss.messages += (uint64_t)data[i] * (1 + (data[0] & 0x0cu));
	}
	ics_engine_tick(r->engine, r->now_ns);
	ics_engine_note_loss(r->engine, &loss);
}

static void
run_entry(struct run *r, const uint8_t *e, const uint8_t *data, uint32_t len, uint8_t link)
{
	unsigned n = times[e[1] & 7];

	r->now_ns += (uint64_t)steps[e[0] & 15];
	r->jumped_back |= steps[e[0] & 15] < 0;
	if (len == 0) {
		ics_inspect_idle(&r->in, r->now_ns);
		ics_engine_tick(r->engine, r->now_ns);
		return;
	}
	switch (e[0] & KIND) {
	case KIND_SAMPLE:
		feed_sample(r, data, len);
		return;
	case KIND_COPIES:
		copies_of_last(r, data, len);
		return;
	case KIND_LOSS:
		note_loss(r, data, len);
		return;
	default:
		break;
	}
	for (unsigned i = 0; i < n && r->frames < FRAMES_MAX; i++) {
		struct fuzz_frame f = {malloc(len), len, len, link};
		struct ics_frame frame = {f.b, len, len, ICS_VLAN_NONE, link};

		if (e[0] & KIND_LONG && len < 1514)
			frame.wire_len = 1514;
		memcpy(f.b, data, len);
		if (i != 0)
			vary(&f, e[1], i);
		r->frame_no = ++r->frames;
		ics_inspect_burst(&r->in, &frame, 1, r->now_ns);
		if (i + 1 < n)
			r->now_ns += 1 * MS;
		free(f.b);
	}
}

static char *
run(const uint8_t *data, size_t size, uint64_t seed)
{
	static struct run r;
	uint8_t link = data[1] >> 5 <= ICS_LINK_LOOP ? data[1] >> 5 : ICS_LINK_ETHERNET;
	char *json;

	start(&r, data, seed);
	for (size_t off = HEAD; off + ENTRY <= size;) {
		size_t len = ics_load_be16(data + off + 2);

		if (len > size - off - ENTRY)
			len = size - off - ENTRY;
		run_entry(&r, data + off, data + off + ENTRY, (uint32_t)len, link);
		check_progress(&r);
		off += ENTRY + len;
	}
	ics_inspect_idle(&r.in, UINT64_MAX);
	check_progress(&r);
	check_store(&r);
	check_detectors(&r);
	check_model(&r);
	json = check_report(&r);
	stop(&r);
	return json;
}

/* Detectors may go by estimates and by small caches, which are others with another seed; everything else is exact. */
static void
check_same(const char *json, const char *other)
{
	json_t *a, *b;

	if (strcmp(json, other) == 0)
		return;
	a = json_loads(json, 0, NULL);
	b = json_loads(other, 0, NULL);
	json_object_del(a, "anomalies");
	json_object_del(b, "anomalies");
	json_object_del(a, "detectors");
	json_object_del(b, "detectors");
	FUZZ_CHECK(json_equal(a, b), "what is known depends on the hash seed:\n%s\n%s", json, other);
	json_decref(a);
	json_decref(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json, *other;

	if (size < HEAD + ENTRY)
		return 0;
	json = run(data, size, 1);
	if (data[0] & CONF_SECOND_SEED) {
		other = run(data, size, 0x5eed);
		check_same(json, other);
		free(other);
	}
	free(json);
	return 0;
}

/* ---- the mutator: works on entries ---- */

#define ENTRIES_MAX 64

struct entries {
	unsigned n;
	size_t off[ENTRIES_MAX + 1];
};

static void
find_entries(const uint8_t *data, size_t size, struct entries *e)
{
	size_t off = HEAD;

	e->n = 0;
	while (e->n < ENTRIES_MAX && off + ENTRY <= size) {
		size_t len = ics_load_be16(data + off + 2);

		e->off[e->n++] = off;
		off += ENTRY + (len < size - off - ENTRY ? len : size - off - ENTRY);
	}
	e->off[e->n] = off < size ? off : size;
}

/* n octets of room at off; 0 when there is none, else the new size. */
static size_t
make_room(uint8_t *data, size_t size, size_t max_size, size_t off, size_t n)
{
	if (size + n > max_size)
		return 0;
	memmove(data + off + n, data + off, size - off);
	return size + n;
}

static size_t
insert_base(struct fuzz_rng *r, uint8_t *data, size_t size, size_t max_size, size_t off)
{
	uint8_t entry[ENTRY + FUZZ_FRAME_MAX];
	uint32_t len;
	unsigned n = 0;

	while (fuzz_base(n) != NULL)
		n++;
	/* Half of the time one of the first eight: what routers and their hosts say. */
	n = fuzz_rng_below(r, fuzz_rng_below(r, 2) ? n : 8);
	len = fuzz_unhex(fuzz_base(n), entry + ENTRY, FUZZ_FRAME_MAX);
	entry[0] = (uint8_t)fuzz_rng_below(r, 13);
	entry[1] = (uint8_t)(fuzz_rng_below(r, 16) == 0 ? fuzz_rng_next(r) & 0x7d : 0);
	put_number(entry + 2, len);
	size = make_room(data, size, max_size, off, ENTRY + len);
	if (size != 0)
		memcpy(data + off, entry, ENTRY + len);
	return size;
}

/* An address that a base packet is from, to, or about. */
static struct ics_ip
any_address(struct fuzz_rng *r)
{
	uint8_t b[FUZZ_FRAME_MAX];
	struct fuzz_frame f = {b, 0, sizeof(b), ICS_LINK_ETHERNET};
	struct fuzz_layout at;
	unsigned n = 0;

	while (fuzz_base(n) != NULL)
		n++;
	f.len = fuzz_unhex(fuzz_base(fuzz_rng_below(r, n)), b, sizeof(b));
	fuzz_frame_layout(&f, &at);
	if (at.l4 + 48 <= f.len && fuzz_rng_below(r, 2))
		at.l3 = at.l4 + 8; /* what an error quotes */
	n = fuzz_rng_below(r, 2);
	return at.version == 6 && at.l3 + 40 <= f.len ? ics_ip_from6(b + at.l3 + 8 + 16 * n)
						      : ics_ip_from4(b + at.l3 + 12 + 4 * n);
}

/* A segment of one of a few TCP flows, the headers of it: full-size ones, small ones, acknowledgements, SYNs. */
static size_t
insert_tcp(struct fuzz_rng *r, uint8_t *data, size_t size, size_t max_size, size_t off)
{
	static const uint8_t flags[] = {0x10, 0x10, 0x10, 0x18, 0x02, 0x12, 0x11, 0x04};
	uint8_t entry[ENTRY + 14 + 40 + 24] = {0}, *b = entry + ENTRY, *ip = b + 14;
	bool is6 = fuzz_rng_below(r, 2), back = fuzz_rng_below(r, 2), full = fuzz_rng_below(r, 2);
	unsigned header = is6 ? 40 : 20, total = full ? 1500 : header + 24 + fuzz_rng_below(r, 3) * 700;
	uint8_t *tcp = ip + header;
	uint32_t len = 14 + header + 24;

	entry[0] = (uint8_t)(KIND_LONG | fuzz_rng_below(r, 10));
	entry[1] = (uint8_t)fuzz_rng_below(r, 4);
	put_number(entry + 2, len);
	b[0] = b[6] = 2;
	b[5] = (uint8_t)(1 + back);
	b[11] = (uint8_t)(2 - back);
	put_number(b + 12, is6 ? ICS_ETHERTYPE_IP6 : ICS_ETHERTYPE_IP4);
	if (is6) {
		ip[0] = 0x60;
		put_number(ip + 4, total - 40);
		ip[6] = ICS_PROTO_TCP;
		ip[7] = 64;
		memcpy(ip + 8, "\x20\x01\x0d\xb8", 4);
		memcpy(ip + 24, "\x20\x01\x0d\xb8", 4);
		ip[23] = b[11];
		ip[39] = b[5];
	} else {
		ip[0] = 0x45;
		put_number(ip + 2, total);
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = ICS_PROTO_TCP;
		memcpy(ip + 12, "\xc0\0\x02", 3);
		memcpy(ip + 16, "\xc0\0\x02", 3);
		ip[15] = b[11];
		ip[19] = b[5];
	}
	put_number(tcp, back ? 443 : 5000);
	put_number(tcp + 2, back ? 5000 : 443);
	put_number(tcp + 6, 1440 * fuzz_rng_below(r, 4));
	put_number(tcp + 10, 1440 * fuzz_rng_below(r, 4));
	tcp[12] = 0x60;
	tcp[13] = flags[fuzz_rng_below(r, ICS_ARRAY_LEN(flags))];
	tcp[14] = (uint8_t)fuzz_rng_below(r, 2);
	memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
	data[1] = (uint8_t)((data[1] & 0x1f) | HEAD1_SAMPLER); /* Ethernet */
	size = make_room(data, size, max_size, off, ENTRY + len);
	if (size != 0)
		memcpy(data + off, entry, ENTRY + len);
	return size;
}

static size_t
insert_other(struct fuzz_rng *r, uint8_t *data, size_t size, size_t max_size, size_t off)
{
	static const uint16_t lengths[] = {0, 40, 576, 1280, 1400, 1460, 1492, 1500, 9000, 65535};
	uint8_t entry[ENTRY + sizeof(struct ics_sample)];
	struct ics_sample m = {0};
	uint16_t *length[] = {&m.len, &m.acked_len, &m.shrunk_len, &m.max_len, &m.peer_max_len, &m.mss, &m.peer_mss};
	uint32_t len = 3 + fuzz_rng_below(r, 12);

	entry[0] = (uint8_t)((1 + fuzz_rng_below(r, 3)) << 4 | fuzz_rng_below(r, 13));
	entry[1] = 0;
	for (unsigned i = 0; i < sizeof(m); i++)
		entry[ENTRY + i] = (uint8_t)fuzz_rng_next(r);
	if ((entry[0] & KIND) == KIND_SAMPLE) {
		m.kind = (uint8_t)fuzz_rng_below(r, ICS_SAMPLE_KINDS);
		m.proto = fuzz_rng_below(r, 8) ? ICS_PROTO_TCP : (uint8_t)fuzz_rng_next(r);
		m.flags = (uint16_t)fuzz_rng_next(r);
		m.sport = 443;
		m.dport = (uint16_t)(1000 + fuzz_rng_below(r, 4));
		m.src = any_address(r);
		m.dst = any_address(r);
		memcpy(&m.smac, "\x02\0\0\0\0\x01", 6);
		m.smac.b[5] = (uint8_t)fuzz_rng_below(r, 4);
		m.seq = fuzz_rng_below(r, 3);
		m.lasted_ms = fuzz_rng_below(r, 100000);
		m.n = (uint16_t)fuzz_rng_below(r, 256);
		for (unsigned i = 0; i < ICS_ARRAY_LEN(length); i++)
			*length[i] = lengths[fuzz_rng_below(r, ICS_ARRAY_LEN(lengths))];
		m.flow = fuzz_rng_below(r, 3);
		len = sizeof(m);
		memcpy(entry + ENTRY, &m, sizeof(m));
	}
	put_number(entry + 2, len);
	size = make_room(data, size, max_size, off, ENTRY + len);
	if (size != 0)
		memcpy(data + off, entry, ENTRY + len);
	return size;
}

static size_t
mutate_frame(struct fuzz_rng *r, uint8_t *data, size_t size, size_t max_size, const struct entries *e, unsigned i)
{
	uint8_t b[FUZZ_FRAME_MAX];
	size_t off = e->off[i], old = e->off[i + 1] - off - ENTRY, room = max_size - size + old;
	struct fuzz_frame f = {b, (uint32_t)old, (uint32_t)(room < sizeof(b) ? room : sizeof(b)),
			       data[1] >> 5 <= ICS_LINK_LOOP ? data[1] >> 5 : 0};

	if (old < 14 || old > sizeof(b) || f.max < 200)
		return 0;
	memcpy(b, data + off + ENTRY, old);
	fuzz_frame_mutate(&f, r);
	data[1] = (uint8_t)((data[1] & 0x1f) | f.link << 5);
	memmove(data + off + ENTRY + f.len, data + off + ENTRY + old, size - off - ENTRY - old);
	memcpy(data + off + ENTRY, b, f.len);
	put_number(data + off + 2, f.len);
	return size - old + f.len;
}

static size_t
mutate_entries(struct fuzz_rng *r, uint8_t *data, size_t size, size_t max_size)
{
	struct entries e;
	uint8_t copy[ENTRY + FUZZ_FRAME_MAX];
	unsigned i, j;
	size_t len;

	find_entries(data, size, &e);
	if (e.n == 0)
		return insert_base(r, data, size, max_size, size);
	i = fuzz_rng_below(r, e.n);
	j = fuzz_rng_below(r, e.n + 1);
	len = e.off[i + 1] - e.off[i];
	switch (fuzz_rng_below(r, 14)) {
	case 12:
	case 13:
		return insert_tcp(r, data, size, max_size, e.off[j]);
	case 10:
	case 11:
		return insert_other(r, data, size, max_size, e.off[j]);
	case 0:
	case 1:
		return insert_base(r, data, size, max_size, e.off[j]);
	case 2: /* said again, later or earlier */
		if (len > sizeof(copy))
			return 0;
		memcpy(copy, data + e.off[i], len);
		size = make_room(data, size, max_size, e.off[j], len);
		if (size != 0)
			memcpy(data + e.off[j], copy, len);
		return size;
	case 3: /* taken out */
		memmove(data + e.off[i], data + e.off[i + 1], size - e.off[i + 1]);
		return size - len;
	case 4: /* at another time */
		data[e.off[i]] = (uint8_t)((data[e.off[i]] & KIND) | fuzz_rng_below(r, 16));
		return size;
	case 5: /* how often, what varies: thousands of frames are rarely worth their time */
		data[e.off[i] + 1] = (uint8_t)(fuzz_rng_next(r) & (fuzz_rng_below(r, 16) ? 0x7b : 0x7f));
		return size;
	case 6: /* time passes */
		size = make_room(data, size, max_size, e.off[j], ENTRY);
		if (size != 0) {
			memset(data + e.off[j], 0, ENTRY);
			data[e.off[j]] = (uint8_t)fuzz_rng_below(r, 14);
		}
		return size;
	default:
		return mutate_frame(r, data, size, max_size, &e, i);
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct fuzz_rng r = {seed};
	size_t n = 0;

	if (size < HEAD || fuzz_rng_below(&r, 16) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	if (fuzz_rng_below(&r, 16) == 0) {
		data[0] = (uint8_t)fuzz_rng_next(&r);
		data[1] = (uint8_t)((data[1] & 0xe0) | fuzz_rng_below(&r, 8));
		return size;
	}
	n = mutate_entries(&r, data, size, max_size);
	return n != 0 ? n : LLVMFuzzerMutate(data, size, max_size);
}
