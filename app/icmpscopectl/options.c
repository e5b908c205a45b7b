/* The options of commands that ask the socket, in one table: which command takes which is a bit set. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum option_id { SOCKET = 256, CONFIG, JSON, START, COUNT, ALL, FOLLOW, SINCE, LONG, WORKER, WARN, CRIT };

static const struct {
	const char *name, *arg, *text;
	enum option_id id;
	unsigned bit; /* CTL_OPT_*; 0: every command takes it */
} table[] = {
	{"socket", "FILE", "the telemetry socket; by default that of eal.file_prefix", SOCKET, 0},
	{"config", "FILE", "settings (-c); " CTL_DEFAULT_INI, CONFIG, 0},
	{"json", NULL, "one JSON document instead of a table", JSON, 0},
	{"start", "N", "go on where a page ended", START, CTL_OPT_PAGE},
	{"count", "N", "so many rows (100)", COUNT, CTL_OPT_PAGE},
	{"all", NULL, "every row", ALL, CTL_OPT_PAGE},
	{"follow", NULL, "go on with what changes, until interrupted", FOLLOW, CTL_OPT_FOLLOW},
	{"since", "TIME", "changed since 2026-05-12T08:30 (UTC) or seconds since 1970", SINCE, CTL_OPT_FOLLOW},
	{"long", NULL, "each with what it means and what to do", LONG, CTL_OPT_FOLLOW},
	{"worker", "N", "of this worker alone", WORKER, CTL_OPT_WORKER},
	{"warning", "N", "warn from so many open anomalies on", WARN, CTL_OPT_LIMITS},
	{"critical", "N", "critical from so many open anomalies on", CRIT, CTL_OPT_LIMITS},
};

#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

static bool
is_taken(unsigned i, unsigned allowed)
{
	return table[i].bit == 0 || (table[i].bit & allowed) != 0;
}

void
ctl_options_help(unsigned allowed)
{
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		char left[32];

		if (!is_taken(i, allowed))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", table[i].name, table[i].arg != NULL ? " " : "",
			 table[i].arg != NULL ? table[i].arg : "");
		printf("  %-16s %s\n", left, table[i].text);
	}
}

/* "2026-05-12T08:30[:SS][Z]" or seconds. */
bool
ctl_parse_time(const char *text, uint64_t *ns)
{
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
					      "%Y-%m-%d %H:%M", "%Y-%m-%d"};

	if (text[0] >= '0' && text[0] <= '9' && strspn(text, "0123456789") == strlen(text)) {
		unsigned long long s;

		errno = 0;
		s = strtoull(text, NULL, 10);
		if (errno != 0 || s > INT64_MAX / 1000000000u)
			return false;
		*ns = s * 1000000000u;
		return true;
	}
	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = {0};
		const char *rest = strptime(text, formats[i], &tm);
		time_t t;

		if (rest == NULL || (strcmp(rest, "") != 0 && strcmp(rest, "Z") != 0))
			continue;
		t = timegm(&tm);
		if (t < 0 || (uint64_t)t > INT64_MAX / 1000000000u)
			return false;
		*ns = (uint64_t)t * 1000000000u;
		return true;
	}
	return false;
}

static bool
parse_number(const char *text, uint64_t *v)
{
	if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	*v = strtoull(text, NULL, 10);
	return errno == 0;
}

static int
want_number(const char *name, const char *text, uint64_t low, uint64_t *v)
{
	if (parse_number(text, v) && *v >= low)
		return CTL_ANSWERED;
	return ctl_complain(CTL_USAGE, "--%s %.60s: a whole number from %llu on is allowed", name, text,
			    (unsigned long long)low);
}

static int
take(struct ctl_options *o, enum option_id id, const char *arg)
{
	switch (id) {
	case SOCKET:
		o->socket = arg;
		break;
	case CONFIG:
		o->config = arg;
		break;
	case JSON:
		o->json = true;
		break;
	case START:
		return want_number("start", arg, 0, &o->start);
	case COUNT:
		return want_number("count", arg, 1, &o->count);
	case ALL:
		o->all = true;
		break;
	case FOLLOW:
		o->follow = true;
		break;
	case SINCE:
		if (!ctl_parse_time(arg, &o->since_ns))
			return ctl_complain(CTL_USAGE,
					    "--since %.60s: 2026-05-12T08:30 (UTC, with seconds if you like) or "
					    "seconds since 1970 are allowed",
					    arg);
		break;
	case LONG:
		o->detail = true;
		break;
	case WORKER:
		return want_number("worker", arg, 0, &o->worker);
	case WARN:
		return want_number("warning", arg, 0, &o->warn);
	case CRIT:
		return want_number("critical", arg, 0, &o->crit);
	}
	return CTL_ANSWERED;
}

int
ctl_options_parse(struct ctl_options *o, int argc, char **argv, unsigned allowed, int operands)
{
	struct option longs[N_OPTIONS + 1] = {0};
	unsigned n = 0;
	int c, status;

	*o = (struct ctl_options){.command = argv[0], .worker = UINT64_MAX, .warn = UINT64_MAX, .crit = UINT64_MAX};
	for (unsigned i = 0; i < N_OPTIONS; i++)
		if (is_taken(i, allowed))
			longs[n++] = (struct option){
				.name = table[i].name, .has_arg = table[i].arg != NULL, .val = (int)table[i].id};
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":c:", longs, NULL)) != -1) {
		if (c == ':')
			return ctl_complain(CTL_USAGE, "%.60s wants an argument (icmpscopectl %s --help)",
					    argv[optind - 1], argv[0]);
		if (c == '?')
			return ctl_complain(CTL_USAGE, "unknown option %.60s (icmpscopectl %s --help)",
					    argv[optind - 1], argv[0]);
		status = take(o, c == 'c' ? CONFIG : (enum option_id)c, optarg);
		if (status != CTL_ANSWERED)
			return status;
	}
	o->argc = argc - optind;
	o->argv = argv + optind;
	if (o->argc != operands)
		return ctl_complain(CTL_USAGE, "%s takes %s besides its options (icmpscopectl %s --help)", argv[0],
				    operands == 0 ? "nothing" : "one argument", argv[0]);
	return CTL_ANSWERED;
}
