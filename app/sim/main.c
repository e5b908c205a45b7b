/* icmpscope-sim: ordinary life on a network, as a capture. The same seed gives the same bytes; an inspector that finds
 * anything but information in it is wrong, or the simulation is.
 */
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/* Sun Nov 1 2026, 08:00 UTC */
#define EPOCH_S 1793520000ull
#define SECONDS_MAX 604800

static const char usage[] = "usage: icmpscope-sim [--seed N] [--hosts N] [--duration SECONDS] [--segments N]\n"
			    "                     [--settings FILE] CAPTURE\n";

static const char help[] = "\n"
			   "Writes a capture (pcap, - for standard output) of ordinary life on a network that does\n"
			   "not exist: hosts boot, sleep, roam and rotate addresses, routers advertise, one is\n"
			   "restarted in a maintenance window, masters hand over, path MTU discovery works.\n"
			   "The same options give the same bytes.\n"
			   "\n"
			   "  --seed N            another course of things (1)\n"
			   "  --hosts N           1 to 10000 (100)\n"
			   "  --duration SECONDS  how long (3600)\n"
			   "  --segments N        VLANs, 1 to 64 (4): with one router, two, VRRP, DHCPv6, and so on\n"
			   "  --settings FILE     writes what an operator would have set: the maintenance window\n";

struct pcap {
	FILE *file;
	bool failed;
};

static void
put32(struct pcap *p, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

	p->failed |= fwrite(b, 1, sizeof(b), p->file) != sizeof(b);
}

/* Little-endian, times in ns, Ethernet. */
static void
put_header(struct pcap *p)
{
	static const uint32_t words[] = {0xa1b23c4d, 4u << 16 | 2, 0, 0, 262144, 1};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(words); i++)
		put32(p, words[i]);
}

static bool
put_frame(void *ctx, uint64_t ts_ns, const uint8_t *frame, unsigned len)
{
	struct pcap *p = ctx;

	put32(p, (uint32_t)(ts_ns / SIM_S));
	put32(p, (uint32_t)(ts_ns % SIM_S));
	put32(p, len);
	put32(p, len);
	p->failed |= fwrite(frame, 1, len, p->file) != len;
	return !p->failed;
}

static int
write_settings(const struct sim *s, const char *path)
{
	char ip[ICS_IP_STRLEN], until[32];
	time_t t = (time_t)((s->conf.epoch_ns + s->maintenance_ns) / SIM_S);
	struct tm tm;
	FILE *f = fopen(path, "w");
	int n;

	if (f == NULL)
		return -errno;
	gmtime_r(&t, &tm);
	strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	n = fprintf(f, "[detect]\nmute = *@%s/%s\n", ics_ip_format(&s->maintained, ip), until);
	return fclose(f) == 0 && n > 0 ? 0 : -EIO;
}

static int
run(const struct sim_conf *conf, const char *path, const char *settings)
{
	struct pcap p = {.file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb")};
	struct sim *s;
	int rc;

	if (p.file == NULL) {
		fprintf(stderr, "icmpscope-sim: %s: %s\n", path, strerror(errno));
		return EXIT_FAILED;
	}
	s = sim_new(conf, put_frame, &p);
	rc = s == NULL ? -ENOMEM : settings != NULL ? write_settings(s, settings) : 0;
	if (rc == 0) {
		put_header(&p);
		rc = sim_run(s);
	}
	sim_free(s);
	if (fclose(p.file) != 0 || p.failed)
		rc = rc != 0 ? rc : -EIO;
	if (rc != 0)
		fprintf(stderr, "icmpscope-sim: %s\n", strerror(-rc));
	return rc == 0 ? EXIT_DONE : EXIT_FAILED;
}

static bool
number(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out >= low && *out <= high;
}

int
main(int argc, char **argv)
{
	enum { SEED = 256, HOSTS, DURATION, SEGMENTS, SETTINGS };
	static const struct option longs[] = {
		{"seed", required_argument, NULL, SEED},
		{"hosts", required_argument, NULL, HOSTS},
		{"duration", required_argument, NULL, DURATION},
		{"segments", required_argument, NULL, SEGMENTS},
		{"settings", required_argument, NULL, SETTINGS},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct sim_conf conf = {.epoch_ns = EPOCH_S * SIM_S};
	uint64_t seed = 1, hosts = 100, seconds = 3600, segments = 4;
	const char *settings = NULL;
	bool ok = true;
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case SEED:
			ok &= number(optarg, 0, UINT64_MAX, &seed);
			break;
		case HOSTS:
			ok &= number(optarg, 1, SIM_HOSTS_MAX, &hosts);
			break;
		case DURATION:
			ok &= number(optarg, 1, SECONDS_MAX, &seconds);
			break;
		case SEGMENTS:
			ok &= number(optarg, 1, SIM_LINKS_MAX, &segments);
			break;
		case SETTINGS:
			settings = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			fputs(help, stdout);
			return EXIT_DONE;
		default:
			ok = false;
			break;
		}
	}
	if (!ok || optind + 1 != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	conf.seed = seed;
	conf.hosts = (unsigned)hosts;
	conf.duration_ns = seconds * SIM_S;
	conf.links = (unsigned)segments;
	return run(&conf, argv[optind], settings);
}
