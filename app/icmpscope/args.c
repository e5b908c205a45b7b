/* Reads the command line (args.h): -c first, then --set in order, then -p and -w, which win. */
#include "args.h"

#include "ics_detect.h"
#include "ics_version.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A year. */
#define RUN_FOR_MAX_S 31536000ull

static const char usage[] =
	"usage: icmpscope [-c FILE] [-p DEVICE]... [-w CPULIST] [--set SECTION.KEY=VALUE]... [--run-for SECONDS]\n"
	"                 [--check | --plan] [-- EAL-OPTIONS]\n"
	"Watches the ICMP control plane of a LAN from a tap or mirror port; never sends.\n"
	"\n"
	"  -p DEVICE             what to listen on, repeatable:\n"
	"                          0000:3b:00.0     a network card by PCI address\n"
	"                          eth0             a kernel interface, by AF_PACKET\n"
	"                          xdp:eth0         the same by AF_XDP, which takes the frames away from the kernel\n"
	"                          pcap:FILE[,loop] a capture, once with its own time, or again and again\n"
	"                          net_memif0,...   any DPDK virtual device\n"
	"  -w CPULIST            CPUs for the workers, as 2,4-7; without it the program plans\n"
	"  -c FILE               settings (INI); config/icmpscope.ini explains every key\n"
	"  --set SECTION.KEY=VALUE  one setting, wins over the file; repeatable\n"
	"  --run-for SECONDS     stop after that time\n"
	"  --check               say whether the settings are right, and start nothing\n"
	"  --plan                say which CPU would do what and how much memory that takes, and start nothing\n"
	"  --help, --version\n"
	"\n"
	"Ask it with icmpscopectl (status, anomalies --long, top); it answers on DPDK's telemetry socket.\n"
	"Exit status: 0 ran and stopped as asked, 1 failed, 2 usage.\n";

static int
complain(const char *what)
{
	fprintf(stderr, "icmpscope: %s (icmpscope --help)\n", what);
	return -EINVAL;
}

static int
set(struct ics_config *c, const char *assignment)
{
	char err[ICS_CONFIG_ERR_LEN];

	if (ics_config_set(c, assignment, err) == 0)
		return 0;
	fprintf(stderr, "icmpscope: %s\n", err);
	return -EINVAL;
}

static int
parse_run_for(const char *s, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return complain("--run-for wants whole seconds, 1 to 31536000");
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (errno != 0 || *end != '\0' || *out == 0 || *out > RUN_FOR_MAX_S)
		return complain("--run-for wants whole seconds, 1 to 31536000");
	return 0;
}

static int
add_device(struct ics_config *c, unsigned *n, const char *text)
{
	if (text[0] == '\0')
		return complain("-p wants a device");
	if (*n == ICS_CONFIG_DEVICES_MAX)
		return complain("-p: 16 devices at most");
	if (strlen(text) >= sizeof(c->port.device[0]))
		return complain("-p: a device of at most 255 characters");
	snprintf(c->port.device[*n], sizeof(c->port.device[0]), "%s", text);
	c->port.n_devices = ++*n;
	return 0;
}

enum { OPT_SET = 256, OPT_RUN_FOR, OPT_CHECK, OPT_PLAN, OPT_HELP, OPT_VERSION };
static const struct option options[] = {
	{"set", required_argument, NULL, OPT_SET},
	{"run-for", required_argument, NULL, OPT_RUN_FOR},
	{"check", no_argument, NULL, OPT_CHECK},
	{"plan", no_argument, NULL, OPT_PLAN},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

/* What does not depend on the file: finds the file, answers --help and --version, refuses what is unknown. */
static int
first_pass(int argc, char **argv, const char **file)
{
	char what[256];
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:c:p:w:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			*file = optarg;
			break;
		case 'h':
		case OPT_HELP:
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		case OPT_VERSION:
			printf("icmpscope %s\n", ICS_VERSION);
			return 1;
		case ':':
			snprintf(what, sizeof(what), "%.80s wants an argument", argv[optind - 1]);
			return complain(what);
		case '?':
			snprintf(what, sizeof(what), "unknown option %.80s", argv[optind - 1]);
			return complain(what);
		default:
			break;
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		snprintf(what, sizeof(what), "%.80s: not an option; devices go behind -p, EAL options behind --",
			 argv[optind]);
		return complain(what);
	}
	return 0;
}

static int
second_pass(struct args *a, int argc, char **argv)
{
	char assignment[256];
	unsigned devices = 0;
	int opt, rc = 0;

	optind = 1;
	while (rc == 0 && (opt = getopt_long(argc, argv, "+:c:p:w:h", options, NULL)) != -1) {
		switch (opt) {
		case 'p':
			rc = add_device(&a->config, &devices, optarg);
			break;
		case 'w':
			snprintf(assignment, sizeof(assignment), "worker.cpus=%.200s", optarg);
			rc = set(&a->config, assignment);
			break;
		case OPT_SET:
			rc = set(&a->config, optarg);
			a->n_sets++;
			break;
		case OPT_RUN_FOR:
			rc = parse_run_for(optarg, &a->run_for_s);
			break;
		case OPT_CHECK:
			a->check = true;
			break;
		case OPT_PLAN:
			a->plan = true;
			break;
		default:
			break;
		}
	}
	a->eal = argv + optind;
	a->n_eal = argc - optind;
	return rc;
}

static bool
is_detector(const char *name)
{
	const struct ics_detector_info *d;

	for (unsigned i = 0; (d = ics_detector_row(i)) != NULL; i++)
		if (strcmp(d->name, name) == 0)
			return true;
	return false;
}

int
args_again(const struct args *a, struct ics_config *out, char err[static ICS_CONFIG_ERR_LEN])
{
	struct args *next = calloc(1, sizeof(*next));
	int rc = -ENOMEM;

	snprintf(err, ICS_CONFIG_ERR_LEN, "%s: out of memory", a->file);
	if (next == NULL)
		return rc;
	ics_config_init(&next->config);
	rc = ics_config_load(&next->config, a->file, err);
	/* They were right at the start. */
	if (rc == 0)
		rc = second_pass(next, a->argc, a->argv);
	if (rc == 0)
		*out = next->config;
	free(next);
	return rc;
}

int
args_parse(struct args *a, int argc, char **argv)
{
	char err[ICS_CONFIG_ERR_LEN];
	const char *file = NULL;
	int rc;

	memset(a, 0, sizeof(*a));
	a->argc = argc;
	a->argv = argv;
	ics_config_know_detectors(is_detector);
	ics_config_init(&a->config);
	rc = first_pass(argc, argv, &file);
	if (rc != 0)
		return rc;
	if (file != NULL && ics_config_load(&a->config, file, err) != 0) {
		fprintf(stderr, "icmpscope: %s\n", err);
		return -EINVAL;
	}
	a->file = file;
	rc = second_pass(a, argc, argv);
	if (rc != 0)
		return rc;
	if (a->config.port.n_devices == 0 && !a->check)
		return complain("no device to listen on: -p DEVICE names one");
	return 0;
}
