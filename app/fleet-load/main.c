/* fleet-load: so many appliances as asked for, each with a connection and the messages of a real one (lib/fleet), from one process;
 * with things planted that icmpscopectl fleet correlate must find, and some appliances that fall silent. Prints one JSON
 * document: what it did, how long acknowledgments took, and the truth. For dts/test_fleet_load.py and docs/scale.md.
 */
#include "ics_fleet.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 64
#define LATENCIES 65536
#define EVENT_PAD 300

struct tap {
	struct ics_fleet_self self;
	struct ics_fleet *fleet;
	unsigned number, site;
	uint64_t seq;
	uint64_t beat_ns, event_ns; /* when they are due */
	bool falls_silent, bound;
};

struct worker {
	pthread_t thread;
	unsigned first, n;
	uint64_t events, beats, failures;
	uint64_t late_ns; /* the most that an event came after it was due */
	uint32_t n_latencies, latency_us[LATENCIES];
	uint64_t seed;
};

static struct ics_config conf;
static struct tap *taps;
static unsigned n_taps = 100, n_sites = 20, n_threads = 16, n_silent, n_bindings = 50, seconds = 30, silent_at = 10;
static double rate = 1.0;
static uint64_t began_ns, end_ns, silent_ns;
static char boot[40];

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t
chance(struct worker *w)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->seed >> 33);
}

static void
note(struct worker *w, uint64_t took_ns)
{
	uint32_t us = (uint32_t)(took_ns / 1000u), at = w->n_latencies;

	if (at >= LATENCIES)
		at = chance(w) % LATENCIES;
	else
		w->n_latencies++;
	w->latency_us[at] = us;
}

/* ---- what is planted ---- */

/* A MAC at the first two sites, an address at the second and third, a vendor that storms at the first four, a reporter at five and
 * six, a router that changes at seven to nine at once; and a version of which those that fall silent are.
 */
#define CLONE "02:c1:00:00:00:01"
#define TWICE "2001:db8:dead::1"
#define OUI "00:1b:21"
#define REPORTER "2001:db8:f00::1"
#define ROUTER "fe80::beef"

static void
add_finding(json_t *list, const char *name, const char *subject)
{
	(void)json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "id", 1, "name", name, "variant",
						    "", "severity", "warn", "subject", subject, "says", "planted"));
}

static json_t *
state_of(const struct tap *t)
{
	json_t *open = json_array();
	char subject[96];

	if (t->site < 4) {
		snprintf(subject, sizeof(subject), "mac=" OUI ":00:%02x:%02x", t->site, t->number & 0xff);
		add_finding(open, "nd_flood", subject);
	}
	if (t->site == 4 || t->site == 5)
		add_finding(open, "pmtu_learned", "reporter=" REPORTER);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:o}", "v", 1, "site", t->self.site,
			 "appliance", t->self.appliance, "health", json_array_size(open) > 0 ? "warn" : "ok", "why", "",
			 "version", t->falls_silent ? "0.9.9" : "1.0.0", "boot", boot, "line", (json_int_t)t->seq,
			 "dropped", 0, "frames", (json_int_t)t->seq * 1000, "open", (json_int_t)json_array_size(open),
			 "anomalies", open);
}

static json_t *
bindings_of(const struct tap *t)
{
	json_t *list = json_array();
	char mac[32], addr[64];

	for (unsigned i = 0; i < n_bindings; i++) {
		snprintf(mac, sizeof(mac), "02:%02x:%02x:%02x:00:%02x", t->site >> 8 & 0xff, t->site & 0xff,
			 t->number & 0xff, i & 0xff);
		snprintf(addr, sizeof(addr), "2001:db8:%x:%x::%x", t->site + 1, t->number, i + 1);
		(void)json_array_append_new(list, json_pack("[s, s, s]", mac, addr, ""));
	}
	if (t->site < 2)
		(void)json_array_append_new(
			list, json_pack("[s, s, s]", CLONE, t->site == 0 ? "2001:db8:1::c" : "2001:db8:2::c", ""));
	if (t->site == 1 || t->site == 2)
		(void)json_array_append_new(
			list,
			json_pack("[s, s, s]", t->site == 1 ? "02:c2:00:00:00:01" : "02:c2:00:00:00:02", TWICE, ""));
	return json_pack("{s:i, s:i, s:o}", "v", 1, "more", 0, "bindings", list);
}

/* ---- what each does ---- */

static bool
is_up(struct tap *t, struct worker *w)
{
	enum ics_fleet_trouble why;
	char err[ICS_FLEET_ERR_LEN];

	if (t->fleet != NULL && !ics_fleet_is_open(t->fleet)) {
		ics_fleet_close(t->fleet);
		t->fleet = NULL;
	}
	if (t->fleet == NULL)
		t->fleet = ics_fleet_connect(&conf, &t->self, &why, err);
	if (t->fleet == NULL) {
		w->failures++;
		if (w->failures == 1)
			fprintf(stderr, "fleet-load: %s\n", err);
	}
	return t->fleet != NULL;
}

static void
beat(struct tap *t, struct worker *w)
{
	json_t *v = state_of(t);

	if (ics_fleet_put(t->fleet, ICS_FLEET_STATE_BUCKET, &t->self, v) == ICS_FLEET_FINE)
		w->beats++;
	else
		w->failures++;
	json_decref(v);
	if (t->bound)
		return;
	v = bindings_of(t);
	t->bound = ics_fleet_put(t->fleet, ICS_FLEET_BINDINGS_BUCKET, &t->self, v) == ICS_FLEET_FINE;
	json_decref(v);
}

static void
publish(struct tap *t, struct worker *w, uint64_t due_ns)
{
	bool changes = t->site >= 6 && t->site <= 8 && t->seq == 0;
	struct ics_follow_pos pos = {.seq = t->seq + 1, .line = t->seq + 1};
	char id[ICS_FLEET_ID_LEN], subject[ICS_FLEET_SUBJECT_LEN], pad[EVENT_PAD + 1];
	uint64_t from = now_ns();
	json_t *e;
	char *text;

	memset(pad, 'x', EVENT_PAD);
	pad[EVENT_PAD] = '\0';
	strcpy(pos.boot, boot);
	e = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:{s:s}, s:s}}", "timestamp",
		      "2026-11-22T06:00:00.000000+0000", "event_type", "anomaly", "host", "load", "icmpscope", "event",
		      changes ? "open" : "update", "name", changes ? "router_gateway_mac_changed" : "nb_flip_flop",
		      "seq", (json_int_t)pos.seq, "line", (json_int_t)pos.line, "boot", boot, "site", t->self.site,
		      "appliance", t->self.appliance, "subject", changes ? "router" : "address",
		      changes ? ROUTER : "2001:db8::1", "says", pad);
	(void)json_object_set_new(json_object_get(e, "icmpscope"), "change", json_integer(1));
	text = json_dumps(e, JSON_COMPACT);
	ics_fleet_id(id, &t->self, &pos);
	if (ics_fleet_subject(subject, &t->self, json_object_get(e, "icmpscope")) == 0 &&
	    ics_fleet_publish(t->fleet, conf.fleet.stream, subject, id, text, strlen(text), NULL) == ICS_FLEET_FINE) {
		uint64_t now = now_ns();

		t->seq++;
		w->events++;
		note(w, now - from);
		if (now - due_ns > w->late_ns)
			w->late_ns = now - due_ns;
		t->event_ns = due_ns + (uint64_t)(1e9 / rate);
	} else {
		w->failures++;
	}
	free(text);
	json_decref(e);
}

static void *
run(void *arg)
{
	struct worker *w = arg;

	while (now_ns() < end_ns) {
		uint64_t next = end_ns;

		for (unsigned i = w->first; i < w->first + w->n; i++) {
			struct tap *t = &taps[i];
			uint64_t now = now_ns();

			if (t->falls_silent && now >= silent_ns)
				continue;
			if ((now >= t->beat_ns || now >= t->event_ns) && is_up(t, w)) {
				if (now >= t->beat_ns) {
					beat(t, w);
					t->beat_ns += ICS_FLEET_BEAT_S * 1000000000ull;
				}
				if (now >= t->event_ns)
					publish(t, w, t->event_ns);
			}
			if (t->beat_ns < next)
				next = t->beat_ns;
			if (t->event_ns < next)
				next = t->event_ns;
		}
		if (next > now_ns()) {
			uint64_t ns = next - now_ns() < 5000000u ? next - now_ns() : 5000000u;
			struct timespec s = {0, (long)ns};

			nanosleep(&s, NULL);
		}
	}
	return NULL;
}

/* ---- the whole ---- */

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
print(struct worker *workers, double connected_s)
{
	uint64_t events = 0, beats = 0, failures = 0, late = 0, n = 0;
	json_t *silent = json_array(), *o;
	uint32_t *all;
	int rc;

	for (unsigned i = 0; i < n_threads; i++) {
		events += workers[i].events;
		beats += workers[i].beats;
		failures += workers[i].failures;
		late = workers[i].late_ns > late ? workers[i].late_ns : late;
		n += workers[i].n_latencies;
	}
	all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return 1;
	n = 0;
	for (unsigned i = 0; i < n_threads; i++) {
		memcpy(all + n, workers[i].latency_us, workers[i].n_latencies * sizeof(*all));
		n += workers[i].n_latencies;
	}
	qsort(all, n, sizeof(*all), by_value);
	for (unsigned i = 0; i < n_taps; i++)
		if (taps[i].falls_silent)
			(void)json_array_append_new(silent, json_string(taps[i].self.appliance));
	o = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:f, s:o, s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}, "
		      "{s:s, s:s, s:i}, "
		      "{s:s, s:s, s:i}, {s:s, s:s, s:i}]}",
		      "appliances", (json_int_t)n_taps, "events", (json_int_t)events, "beats", (json_int_t)beats,
		      "seconds", (double)(end_ns - began_ns) / 1e9, "connected_s", connected_s, "events_per_s",
		      (double)events * 1e9 / (double)(end_ns - began_ns), "failures", (json_int_t)failures,
		      "ack_p50_us", (json_int_t)all[n / 2], "ack_p99_us", (json_int_t)all[n - n / 100 - (n > 0)],
		      "late_s", (double)late / 1e9, "silent", silent, "truth", "kind", "mac", "key", CLONE, "n_sites",
		      2, "kind", "address", "key", TWICE, "n_sites", 2, "kind", "oui_storm", "key", OUI, "n_sites", 4,
		      "kind", "pmtu_reporter", "key", REPORTER, "n_sites", 2, "kind", "router_change", "key", ROUTER,
		      "n_sites", 3);
	free(all);
	rc = o != NULL && json_dumpf(o, stdout, JSON_COMPACT) == 0 ? 0 : 1;
	printf("\n");
	json_decref(o);
	return fflush(stdout) == 0 ? rc : 1;
}

static bool
number(const char *text, unsigned lo, unsigned hi, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (unsigned)v;
	return *text >= '0' && *text <= '9' && *end == '\0' && v >= lo && v <= hi;
}

static int
usage(void)
{
	fputs("usage: fleet-load -c FILE [--appliances N] [--sites N] [--seconds N] [--rate EVENTS] [--threads N] "
	      "[--bindings N]\n"
	      "                  [--silent N] [--silent-at SECOND]\n"
	      "Acts as N appliances of the fleet that FILE names; prints what it did and planted.\n",
	      stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	enum { APPLIANCES = 256, SITES, SECONDS, RATE, NTHREADS, BINDINGS, SILENT, SILENT_AT };
	static const struct option longs[] = {
		{"appliances", required_argument, NULL, APPLIANCES},
		{"sites", required_argument, NULL, SITES},
		{"seconds", required_argument, NULL, SECONDS},
		{"rate", required_argument, NULL, RATE},
		{"threads", required_argument, NULL, NTHREADS},
		{"bindings", required_argument, NULL, BINDINGS},
		{"silent", required_argument, NULL, SILENT},
		{"silent-at", required_argument, NULL, SILENT_AT},
		{NULL, 0, NULL, 0},
	};
	static struct worker workers[THREADS_MAX];
	char err[ICS_CONFIG_ERR_LEN];
	const char *ini = NULL;
	bool ok = true;
	int c;

	while ((c = getopt_long(argc, argv, "c:", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ini = optarg;
			break;
		case APPLIANCES:
			ok &= number(optarg, 1, 100000, &n_taps);
			break;
		case SITES:
			ok &= number(optarg, 1, 60000, &n_sites);
			break;
		case SECONDS:
			ok &= number(optarg, 1, 3600, &seconds);
			break;
		case RATE:
			rate = atof(optarg);
			ok &= rate > 0 && rate <= 10000;
			break;
		case NTHREADS:
			ok &= number(optarg, 1, THREADS_MAX, &n_threads);
			break;
		case BINDINGS:
			ok &= number(optarg, 0, 256, &n_bindings);
			break;
		case SILENT:
			ok &= number(optarg, 0, 100000, &n_silent);
			break;
		case SILENT_AT:
			ok &= number(optarg, 0, 3600, &silent_at);
			break;
		default:
			return usage();
		}
	}
	if (!ok || ini == NULL || optind != argc || n_silent > n_taps)
		return usage();
	ics_config_init(&conf);
	if (ics_config_load(&conf, ini, err) != 0) {
		fprintf(stderr, "fleet-load: %s\n", err);
		return 2;
	}
	snprintf(boot, sizeof(boot), "load-%llx", (unsigned long long)time(NULL));
	taps = calloc(n_taps, sizeof(*taps));
	if (taps == NULL)
		return 1;
	began_ns = now_ns();
	for (unsigned i = 0; i < n_taps; i++) {
		struct tap *t = &taps[i];

		t->number = i;
		t->site = i % n_sites;
		t->falls_silent = i >= n_taps - n_silent;
		snprintf(t->self.site, sizeof(t->self.site), "site-%04u", t->site);
		snprintf(t->self.appliance, sizeof(t->self.appliance), "tap-%05u", i);
		workers[0].seed = 1;
		(void)is_up(t, &workers[0]);
	}
	fprintf(stderr, "fleet-load: %u connections\n", n_taps);
	end_ns = now_ns();
	{
		double connected_s = (double)(end_ns - began_ns) / 1e9;

		began_ns = end_ns;
		end_ns = began_ns + seconds * 1000000000ull;
		silent_ns = began_ns + silent_at * 1000000000ull;
		/* Not all at once. */
		for (unsigned i = 0; i < n_taps; i++) {
			taps[i].beat_ns = began_ns + (uint64_t)i * 5000000000ull / n_taps;
			taps[i].event_ns = began_ns + (uint64_t)((double)i * 1e9 / rate / n_taps);
		}
		if (n_threads > n_taps)
			n_threads = n_taps;
		for (unsigned i = 0; i < n_threads; i++) {
			workers[i].first = (unsigned)((uint64_t)n_taps * i / n_threads);
			workers[i].n = (unsigned)((uint64_t)n_taps * (i + 1) / n_threads) - workers[i].first;
			workers[i].seed = i + 1;
			if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
				return 1;
		}
		for (unsigned i = 0; i < n_threads; i++)
			pthread_join(workers[i].thread, NULL);
		c = print(workers, connected_s);
	}
	for (unsigned i = 0; i < n_taps; i++)
		ics_fleet_close(taps[i].fleet);
	free(taps);
	return c;
}
