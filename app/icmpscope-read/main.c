/* icmpscope-read: the inspector over capture files. The fast half sees every frame, what it sends goes straight to
 * the slow half, and the report is what both learned: the same verdict as on the wire (design: Programs).
 */
#include "confine.h"

#include "ics_capture.h"
#include "ics_config.h"
#include "ics_engine.h"
#include "ics_evidence.h"
#include "ics_glance.h"
#include "ics_history.h"
#include "ics_inspect.h"
#include "ics_page.h"
#include "ics_report.h"
#include "ics_vendor.h"
#include "ics_version.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/* The live program tells the engine the time when no record comes; so do frames without a message here. */
#define TICK_NS 100000000u
#define NS_PER_S 1000000000ull

static const char usage[] = "usage: icmpscope-read [-c FILE] [--set SECTION.KEY=VALUE]... [--json] [--history FILE]\n"
			    "                      [--evidence FILE|DIRECTORY] [--html FILE] CAPTURE...\n";

static const char help[] =
	"\n"
	"Reads captures (pcap, pcapng, - for standard input) and tells what is wrong with\n"
	"IPv6 neighbor discovery, multicast listener discovery and path MTU discovery in them.\n"
	"Several captures are read in the given order, as one.\n"
	"\n"
	"  -c, --config FILE            settings, as documented in icmpscope.ini\n"
	"      --set SECTION.KEY=VALUE  one setting; wins over the file; may be repeated\n"
	"      --json                   one JSON document instead of text\n"
	"      --history FILE           adds to this file which MAC had which address when;\n"
	"                               icmpscopectl history answers from it\n"
	"      --evidence FILE          the frames that prove each finding as a pcapng file with\n"
	"                               comments; a directory gets a file for each finding\n"
	"      --html FILE              the report as a page that holds all it needs: to be looked\n"
	"                               at in a browser, mailed, kept (docs/page.md)\n"
	"      --help, --version\n"
	"\n"
	"A capture is short, so routers are not learned for long before they are judged:\n"
	"  --set detect.gateways=fe80::1   names the routers that are known to be right\n"
	"  --set detect.learn_s=0          judges from the first frame on\n"
	"\n"
	"Exit status: 0 all read, 1 something could not be read (what could is reported), 2 usage.\n";

struct options {
	const char *config;
	const char **sets;
	unsigned n_sets;
	bool json;
	const char *history, *evidence, *html;
	char **captures;
	unsigned n_captures;
};

/* One run: both halves, and which frame they are at. */
struct reader {
	struct ics_inspect inspect;
	struct ics_glance_conf glance;
	struct ics_glance sums; /* of n frames that a glance settled */
	struct ics_left left;
	unsigned n;
	struct ics_counters counters;
	struct ics_engine *engine;
	struct ics_samplers samplers;
	struct ics_known watch;
	uint64_t frame_no;
	uint64_t told_ns; /* time that the engine knows */
	struct ics_history *history;
	struct ics_history_event *batch;
	unsigned n_batch;
	struct ics_page_series *series; /* for --html, else NULL */
	uint64_t unwritten;             /* events that the file did not take */
	int history_error;              /* why */
};

/* Frames that are settled by a glance and counted later. */
#define SETTLED_MAX 4096

/* Events in one transaction. */
#define HISTORY_BATCH 4096

static int
push(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct reader *r = ctx;

	ics_engine_feed(r->engine, rec, (struct ics_view){frame, frame != NULL ? rec->cap_len : 0}, r->frame_no);
	r->told_ns = rec->ts_ns;
	return 0;
}

static void
write_batch(struct reader *r)
{
	int rc = ics_history_write(r->history, r->batch, r->n_batch);

	if (rc != 0) {
		r->unwritten += r->n_batch;
		r->history_error = rc;
	}
	r->n_batch = 0;
}

static bool
take_event(void *ctx, const struct ics_history_event *ev)
{
	struct reader *r = ctx;

	r->batch[r->n_batch++] = *ev;
	if (r->n_batch == HISTORY_BATCH)
		write_batch(r);
	return true;
}

/* False when the history could not be opened. */
static bool
open_history(struct reader *r, const char *path, const struct ics_config *conf)
{
	struct ics_history_conf c = {path, conf->detect.journal_days, conf->history.max_mb};
	char err[ICS_HISTORY_ERR_LEN];

	r->history = ics_history_open(&c, err);
	if (r->history == NULL) {
		fprintf(stderr, "icmpscope-read: %s\n", err);
		return false;
	}
	r->batch = calloc(HISTORY_BATCH, sizeof(*r->batch));
	if (r->batch == NULL) {
		fputs("icmpscope-read: out of memory\n", stderr);
		return false;
	}
	ics_engine_set_history(r->engine, take_event, r);
	return true;
}

/* False when not everything came to be on file. */
static bool
finish_history(struct reader *r)
{
	uint64_t lost;
	int n;

	if (r->history == NULL)
		return true;
	write_batch(r);
	do
		n = ics_history_retain(r->history);
	while (n > 0);
	lost = r->unwritten + ics_engine_history_dropped(r->engine);
	if (r->unwritten != 0)
		fprintf(stderr, "icmpscope-read: the history lacks %" PRIu64 " events: %s\n", lost,
			strerror(-r->history_error));
	else if (lost != 0)
		fprintf(stderr, "icmpscope-read: the history lacks %" PRIu64 " events: more than %u came in a second\n",
			lost, ICS_HISTORY_RATE);
	else if (n < 0)
		fprintf(stderr, "icmpscope-read: old rows of the history stay: %s\n", strerror(-n));
	return lost == 0 && n == 0;
}

static void
take_sample(struct reader *r, uint64_t ts_ns)
{
	struct ics_count_snapshot counts = {0};
	struct ics_page_sample s = {.ts_ns = ts_ns};

	ics_count_snapshot_add(&counts, &r->counters);
	ics_page_engine_sample(r->engine, &counts, &s);
	(void)ics_page_series_add(r->series, &s);
}

static void
end_burst(struct reader *r, uint64_t ts_ns)
{
	ics_inspect_glanced(&r->inspect, r->n, &r->sums, &r->left, ts_ns);
	r->sums = (struct ics_glance){0};
	r->n = 0;
}

/* A burst has one time, and a capture a time for each frame: a burst is what a glance settles, whose time nobody asks for,
 * and the one frame behind it that needs more.
 */
static inline void
inspect_frame(struct reader *r, const struct ics_frame *f, uint64_t ts_ns)
{
	ics_inspect_begin(&r->inspect, ts_ns);
	ics_glance(&r->glance, f, f->link == ICS_LINK_ETHERNET && f->stripped_tci == ICS_VLAN_NONE, &r->sums, &r->left);
	if (++r->n == SETTLED_MAX || r->sums.n_deep + r->sums.n_rest != 0)
		end_burst(r, ts_ns);
	if (ts_ns > r->told_ns + TICK_NS || ts_ns + TICK_NS < r->told_ns) {
		ics_engine_tick(r->engine, ts_ns);
		r->told_ns = ts_ns;
	}
	if (ics_unlikely(r->series != NULL) && ics_page_series_is_due(r->series, ts_ns)) {
		end_burst(r, ts_ns);
		take_sample(r, ts_ns);
	}
}

/* False when the capture could not be read to its end; out->damage then says why, and belongs to the caller. */
static bool
read_capture(struct reader *r, const char *path, struct ics_report_capture *out)
{
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c = ics_capture_open(path, err);
	struct ics_frame f;
	uint64_t ts_ns;
	int ret = -EINVAL;

	out->file = path;
	if (c == NULL) {
		out->damage = strdup(err);
		fprintf(stderr, "icmpscope-read: %s\n", err);
		return false;
	}
	r->frame_no = 0;
	while ((ret = ics_capture_next(c, &f, &ts_ns, err)) == 1) {
		r->frame_no++;
		if (out->frames == 0)
			out->first_ns = ts_ns;
		out->last_ns = ts_ns;
		out->frames++;
		out->bytes += f.wire_len;
		out->snapped += f.cap_len < f.wire_len;
		inspect_frame(r, &f, ts_ns);
	}
	end_burst(r, out->last_ns);
	/* Timers that end with the last frame have ended. */
	if (out->frames > 0)
		ics_engine_tick(r->engine, out->last_ns);
	ics_engine_flush_history(r->engine);
	ics_capture_close(c);
	if (ret == 0)
		return true;
	out->damage = strdup(err);
	fprintf(stderr, "icmpscope-read: %s: %s; what came before is reported\n", path, err);
	return false;
}

/* Names of vendors are a convenience: without them, or with a file that is none, all else goes on. */
static void
load_vendors(const struct ics_config *conf)
{
	char err[ICS_VENDOR_ERR_LEN];
	int rc = conf->vendor.file[0] != '\0' ? ics_vendor_load_later(conf->vendor.file, err) : 0;

	if (rc != 0 && rc != -ENOENT)
		fprintf(stderr, "icmpscope-read: vendors are not named: %s\n", err);
}

static void
tell_vendors(void)
{
	char err[ICS_VENDOR_ERR_LEN];

	if (ics_vendor_late(err) != 0)
		fprintf(stderr, "icmpscope-read: vendors are not named: %s\n", err);
}

static int
start(struct reader *r, const struct ics_config *conf)
{
	uint64_t seed;

	memset(r, 0, sizeof(*r));
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		fprintf(stderr, "icmpscope-read: no random numbers: %s\n", strerror(errno));
		return -1;
	}
	load_vendors(conf);
	r->engine = ics_engine_new(conf, seed);
	if (r->engine == NULL) {
		fprintf(stderr, "icmpscope-read: out of memory for the tables; free some and start again\n");
		return -1;
	}
	r->inspect.decode = conf->decode;
	r->inspect.validate.link_mtu = conf->detect.link_mtu;
	r->inspect.counters = &r->counters;
	r->inspect.sink = (struct ics_sink){.push = push, .ctx = r};
	r->inspect.seed = seed;
	if (conf->sample.enable) {
		struct ics_sample_conf sampler = {.every = conf->sample.every,
						  .filter_bits = conf->sample.filter_bits,
						  .link_mtu = conf->detect.link_mtu,
						  .seed = seed,
						  .watch = &r->watch};

		r->watch.seed = seed;
		r->inspect.sampler = ics_sampler_init(&sampler, NULL);
		if (r->inspect.sampler == NULL) {
			fprintf(stderr,
				"icmpscope-read: out of memory for flows; free some or set sample.enable=off\n");
			ics_engine_free(r->engine);
			return -1;
		}
		r->samplers = (struct ics_samplers){1, {r->inspect.sampler}};
		ics_engine_set_samplers(r->engine, &r->samplers, &r->watch);
	}
	ics_inspect_init(&r->inspect);
	r->glance = ics_glance_conf(&r->inspect);
	return 0;
}

static void
stop(struct reader *r)
{
	ics_history_close(r->history);
	free(r->batch);
	free(r->series);
	ics_engine_free(r->engine);
	ics_sampler_free(r->inspect.sampler);
	free(r);
}

/* 0 or -errno. What was there before stays until the new one is whole. */
static int
write_html(const char *path, const struct ics_report *rep, const struct ics_page_series *series)
{
	char tmp[PATH_MAX];
	FILE *f;
	int rc;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	f = fopen(tmp, "we");
	if (f == NULL)
		return -errno;
	rc = ics_page_write_html(f, rep, series);
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	if (rc != 0)
		(void)remove(tmp);
	return rc;
}

static int
report(const struct reader *r, const struct ics_report_capture *captures, unsigned n, const struct options *o)
{
	struct ics_count_snapshot counts = {0};
	struct ics_report rep = {
		.version = ICS_VERSION,
		.captures = captures,
		.n_captures = n,
		.counts = &counts,
		.counters = &r->counters,
		.engine = r->engine,
	};
	int ret;

	ics_count_snapshot_add(&counts, &r->counters);
	ret = o->html != NULL ? write_html(o->html, &rep, r->series) : 0;
	if (ret != 0) {
		fprintf(stderr, "icmpscope-read: %s: the report could not be written: %s\n", o->html, strerror(-ret));
		return ret;
	}
	ret = o->json ? ics_report_json(stdout, &rep) : ics_report_text(stdout, &rep);
	if (ret != 0)
		fprintf(stderr, "icmpscope-read: the report could not be written: %s\n",
			ret == -ENOMEM ? "out of memory" : "is there room where it goes?");
	return ret;
}

/* Whether a path is one of the captures, which must not be written over. */
static bool
is_capture(const struct options *o, const struct stat *st)
{
	struct stat c;

	for (unsigned i = 0; i < o->n_captures; i++)
		if (stat(o->captures[i], &c) == 0 && c.st_dev == st->st_dev && c.st_ino == st->st_ino)
			return true;
	return false;
}

/* One file for all. 0 or -errno. */
static int
write_evidence_file(const struct ics_anomaly_store *s, const char *path, const char *name)
{
	FILE *f = fopen(path, "wbe");
	struct ics_pcapng out;
	int rc = 0;

	if (f == NULL)
		return -errno;
	errno = 0;
	rc = ics_pcapng_begin(&out, f, "icmpscope-read " ICS_VERSION);
	for (const struct ics_anomaly *a = ics_anomaly_next(s, 0); a != NULL && rc >= 0;
	     a = ics_anomaly_next(s, a->seq + 1))
		rc = ics_evidence_add(&out, a, name);
	if (fclose(f) != 0 || rc == -EIO)
		rc = errno != 0 ? -errno : -EIO;
	return rc < 0 ? rc : 0;
}

static int
write_evidence_directory(const struct ics_anomaly_store *s, const char *path, const char *name)
{
	struct ics_evidence_dir d = {.path = path, .boot = "read", .program = "icmpscope-read " ICS_VERSION};
	int rc = ics_evidence_open(&d);

	for (const struct ics_anomaly *a = ics_anomaly_next(s, 0); a != NULL && rc >= 0;
	     a = ics_anomaly_next(s, a->seq + 1))
		rc = ics_evidence_write(&d, a, name);
	return rc < 0 ? rc : 0;
}

/* Before the captures are read, so that a name that will not do is told at once. */
static bool
open_html(struct reader *r, const struct options *o)
{
	struct stat st;

	if (stat(o->html, &st) == 0 && is_capture(o, &st)) {
		fprintf(stderr, "icmpscope-read: %s: is one of the captures; name another file for the report\n",
			o->html);
		return false;
	}
	r->series = malloc(sizeof(*r->series));
	if (r->series == NULL) {
		fputs("icmpscope-read: out of memory\n", stderr);
		return false;
	}
	ics_page_series_init(r->series, NS_PER_S, false);
	return true;
}

static bool
write_evidence(struct reader *r, const struct options *o)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(r->engine);
	const char *name = o->n_captures == 1 ? o->captures[0] : "captures";
	struct stat st;
	bool exists;
	int rc;

	if (o->evidence == NULL)
		return true;
	exists = stat(o->evidence, &st) == 0;
	if (exists && is_capture(o, &st)) {
		fprintf(stderr, "icmpscope-read: %s: is one of the captures; name another file for the evidence\n",
			o->evidence);
		return false;
	}
	if (exists && S_ISDIR(st.st_mode))
		rc = write_evidence_directory(s, o->evidence, name);
	else
		rc = write_evidence_file(s, o->evidence, name);
	if (rc != 0)
		fprintf(stderr, "icmpscope-read: %s: the evidence could not be written: %s\n", o->evidence,
			strerror(-rc));
	return rc == 0;
}

static int
run(const struct options *o, const struct ics_config *conf)
{
	struct reader *r = aligned_alloc(_Alignof(struct reader), sizeof(*r));
	struct ics_report_capture *captures = calloc(o->n_captures, sizeof(*captures));
	unsigned opened = 0;
	int status = EXIT_DONE;

	if (r == NULL || captures == NULL || start(r, conf) != 0) {
		free(r);
		free(captures);
		return EXIT_FAILED;
	}
	confine((const char *[]){o->history, o->evidence, o->html}, 3);
	if (o->html != NULL && !open_html(r, o)) {
		stop(r);
		free(captures);
		return EXIT_FAILED;
	}
	if (o->history != NULL && !open_history(r, o->history, conf)) {
		stop(r);
		free(captures);
		return EXIT_FAILED;
	}
	for (unsigned i = 0; i < o->n_captures; i++) {
		if (!read_capture(r, o->captures[i], &captures[i]))
			status = EXIT_FAILED;
		opened += captures[i].frames > 0 || captures[i].damage == NULL;
	}
	/* Of captures that could not be read at all there is nothing to tell but why. */
	if (opened > 0 && report(r, captures, o->n_captures, o) != 0)
		status = EXIT_FAILED;
	tell_vendors();
	for (unsigned i = 0; i < o->n_captures; i++)
		free((char *)captures[i].damage);
	if (!write_evidence(r, o))
		status = EXIT_FAILED;
	if (!finish_history(r))
		status = EXIT_FAILED;
	stop(r);
	free(captures);
	return status;
}

/* -1 to go on, or the status to exit with. */
static int
parse(int argc, char **argv, struct options *o)
{
	enum { SET = 256, JSON, HISTORY, EVIDENCE, HTML, HELP, VERSION };
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"set", required_argument, NULL, SET},
		{"json", no_argument, NULL, JSON},
		{"history", required_argument, NULL, HISTORY},
		{"evidence", required_argument, NULL, EVIDENCE},
		{"html", required_argument, NULL, HTML},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case SET:
			o->sets[o->n_sets++] = optarg;
			break;
		case JSON:
			o->json = true;
			break;
		case HISTORY:
			o->history = optarg;
			break;
		case EVIDENCE:
			o->evidence = optarg;
			break;
		case HTML:
			o->html = optarg;
			break;
		case 'h':
		case HELP:
			fputs(usage, stdout);
			fputs(help, stdout);
			return EXIT_DONE;
		case VERSION:
			printf("icmpscope-read %s\n", ICS_VERSION);
			return EXIT_DONE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		fputs("icmpscope-read: no capture is named; give one or more files, or - for standard input\n", stderr);
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	o->captures = argv + optind;
	o->n_captures = (unsigned)(argc - optind);
	return -1;
}

static int
configure(struct ics_config *conf, const struct options *o)
{
	char err[ICS_CONFIG_ERR_LEN];

	ics_config_init(conf);
	if (o->config != NULL && ics_config_load(conf, o->config, err) != 0) {
		fprintf(stderr, "icmpscope-read: %s\n", err);
		return EXIT_USAGE;
	}
	for (unsigned i = 0; i < o->n_sets; i++) {
		if (ics_config_set(conf, o->sets[i], err) != 0) {
			fprintf(stderr, "icmpscope-read: --set: %s\n", err);
			return EXIT_USAGE;
		}
	}
	return -1;
}

int
main(int argc, char **argv)
{
	struct options o = {.sets = calloc((size_t)argc, sizeof(*o.sets))};
	struct ics_config *conf = malloc(sizeof(*conf));
	int status = EXIT_FAILED;

	/* A file that may not grow is a loss that is told, no death. */
	signal(SIGXFSZ, SIG_IGN);
	if (o.sets == NULL || conf == NULL)
		fputs("icmpscope-read: out of memory\n", stderr);
	else if ((status = parse(argc, argv, &o)) < 0 && (status = configure(conf, &o)) < 0)
		status = run(&o, conf);
	free(o.sets);
	free(conf);
	return status;
}
