/* icmpscopectl fleet: many appliances at once, from the streams that their exporters write (docs/fleet.md). Finds its command in
 * the table and reads the options that they share.
 */
#include "ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char ctl_fleet_help[] = "\n"
			      "Many appliances at once, from the servers that the setting fleet.servers names.\n"
			      "\n"
			      "  fleet                       sites and appliances, how each is\n"
			      "  fleet anomalies             what is open, everywhere\n"
			      "  fleet history ADDRESS|MAC   where it is and was, and what was found about it\n"
			      "  fleet correlate             what a single tap cannot see\n"
			      "  fleet setup                 makes the streams, or brings them to the settings\n"
			      "  fleet key FILE              makes an NKEY: the seed goes to FILE, the public\n"
			      "                              key is printed\n"
			      "  fleet permissions SITE APPLIANCE KEY\n"
			      "                              what the server's configuration must allow it\n"
			      "  fleet forget SITE APPLIANCE it was taken away: it is no longer shown\n"
			      "\n"
			      "  --since TIME  of history and correlate: 2026-05-12T08:30 (UTC) or seconds\n"
			      "                since 1970; a day ago otherwise\n"
			      "  -c FILE       settings; " CTL_DEFAULT_INI " where it exists\n"
			      "  --json        one JSON document instead of a table\n"
			      "\n"
			      "Silent is who has said nothing for 25 s; it says something every 10 s.\n";

#ifdef ICS_HAVE_FLEET
#include "fleet.h"

#include <signal.h>

#define ANY (-1)

static const struct {
	const char *name;
	int (*fn)(struct fleet_options *o);
	int operands;
	const char *usage;
	bool offline;
} commands[] = {
	{"list", fleet_list, 0, "", false},
	{"anomalies", fleet_anomalies, 0, "", false},
	{"history", fleet_history, 1, "ADDRESS|MAC", false},
	{"correlate", fleet_correlate, 0, "", false},
	{"setup", fleet_setup, ANY, "", false},
	{"key", fleet_key, 1, "FILE", true},
	{"permissions", fleet_permissions, 3, "SITE APPLIANCE KEY", true},
	{"forget", fleet_forget, 2, "SITE APPLIANCE", false},
};

static int
parse(struct fleet_options *o, int argc, char **argv, const char **config)
{
	enum { JSON = 256, SINCE };
	static const struct option longs[] = {
		{"json", no_argument, NULL, JSON},
		{"since", required_argument, NULL, SINCE},
		{"config", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:", longs, NULL)) != -1) {
		switch (c) {
		case JSON:
			o->json = true;
			break;
		case SINCE:
			if (!ctl_parse_time(optarg, &o->since_ns))
				return ctl_complain(
					CTL_USAGE,
					"--since %.60s: 2026-05-12T08:30 (UTC, with seconds if you like) or "
					"seconds since 1970 are allowed",
					optarg);
			o->is_since = true;
			break;
		case 'c':
			*config = optarg;
			break;
		case ':':
			return ctl_complain(CTL_USAGE, "%.60s wants an argument (icmpscopectl fleet --help)",
					    argv[optind - 1]);
		default:
			return ctl_complain(CTL_USAGE, "unknown option %.60s (icmpscopectl fleet --help)",
					    argv[optind - 1]);
		}
	}
	o->argc = argc - optind;
	o->argv = argv + optind;
	return CTL_ANSWERED;
}

static int
load(struct fleet_options *o, const char *config, bool offline)
{
	const char *ini = config != NULL ? config : CTL_DEFAULT_INI;
	char err[ICS_CONFIG_ERR_LEN];

	ics_config_init(&o->conf);
	if ((config != NULL || access(ini, F_OK) == 0) && ics_config_load(&o->conf, ini, err) != 0)
		return ctl_complain(CTL_USAGE, "%s", err);
	if (!offline && o->conf.fleet.servers[0] == '\0')
		return ctl_complain(CTL_USAGE, "there is no fleet: fleet.servers is empty in %.300s", ini);
	if (!ics_fleet_is_word(o->conf.fleet.stream))
		return ctl_complain(CTL_USAGE, "fleet.stream = \"%s\": a stream's name has no dots",
				    o->conf.fleet.stream);
	return CTL_ANSWERED;
}

static void
give_up(int sig)
{
	static const char text[] = "icmpscopectl: nothing came from the servers for a minute\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(CTL_FAILED);
}

void
fleet_is_alive(void)
{
	alarm(FLEET_PATIENCE_S);
}

int
fleet_go_on(void *ctx)
{
	fleet_is_alive();
	return 0;
}

struct ics_fleet *
fleet_open(const struct fleet_options *o)
{
	enum ics_fleet_trouble why;
	char err[ICS_FLEET_ERR_LEN];
	struct ics_fleet *f;

	signal(SIGALRM, give_up);
	fleet_is_alive();
	f = ics_fleet_connect(&o->conf, NULL, &why, err);

	if (f == NULL)
		ctl_complain(CTL_FAILED, "%s", err);
	return f;
}

int
fleet_complain(const struct ics_fleet *f)
{
	return ctl_complain(CTL_FAILED, "%s", ics_fleet_error(f));
}

int
ctl_fleet(int argc, char **argv)
{
	struct fleet_options *o = calloc(1, sizeof(*o));
	const char *config = NULL;
	unsigned which = 0;
	int status;

	if (o == NULL)
		return ctl_complain(CTL_FAILED, "out of memory");
	status = parse(o, argc, argv, &config);
	if (status == CTL_ANSWERED && o->argc > 0) {
		while (which < ICS_ARRAY_LEN(commands) && strcmp(o->argv[0], commands[which].name) != 0)
			which++;
		if (which == ICS_ARRAY_LEN(commands))
			status = ctl_complain(CTL_USAGE, "unknown command fleet %.60s (icmpscopectl fleet --help)",
					      o->argv[0]);
		o->argc--;
		o->argv++;
	}
	if (status == CTL_ANSWERED && commands[which].operands != ANY && o->argc != commands[which].operands)
		status = ctl_complain(CTL_USAGE, "fleet %s takes %s besides its options (icmpscopectl fleet --help)",
				      commands[which].name,
				      commands[which].operands == 0 ? "nothing" : commands[which].usage);
	if (status == CTL_ANSWERED)
		status = load(o, config, commands[which].offline);
	if (status == CTL_ANSWERED)
		status = commands[which].fn(o);
	free(o);
	return status;
}

#else

int
ctl_fleet(int argc, char **argv)
{
	return ctl_complain(CTL_FAILED, "this program was built without a fleet (libnats)");
}

#endif
