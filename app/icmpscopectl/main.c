/* icmpscopectl: the operator's client. Finds the subcommand in the table and leaves the rest to it. */
#include "ctl.h"

#include "ics_version.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PAGE_ARGS "[--start N] [--count N | --all] [--json]"

static const struct {
	const char *name, *args, *text;
	ctl_fn fn;
	unsigned options; /* CTL_OPT_*: for --help */
	const char *help; /* of --help behind the name instead of options */
} commands[] = {
	{"status", "[--json]", "is it well, what has it seen and found", ctl_status, 0, NULL},
	{"anomalies", "[--follow] [--since TIME] [--long] [--json]", "what was found", ctl_anomalies, CTL_OPT_FOLLOW,
	 NULL},
	{"evidence", "ID > FILE", "the frames that prove an anomaly, as a pcapng file", ctl_evidence, 0,
	 ctl_evidence_help},
	{"top", "", "a live screen of rates, workers, anomalies and segments", ctl_top, 0, ctl_top_help},
	{"explain", "NAME [--json]", "what a detector or a rule is about, and what to do", ctl_explain, 0, NULL},
	{"routers", PAGE_ARGS, "the routers that were heard", ctl_family, CTL_OPT_PAGE, NULL},
	{"prefixes", PAGE_ARGS, "what routers announce", ctl_family, CTL_OPT_PAGE, NULL},
	{"neighbors", PAGE_ARGS, "which MAC holds which address", ctl_family, CTL_OPT_PAGE, NULL},
	{"hosts", PAGE_ARGS, "the machines that were heard", ctl_family, CTL_OPT_PAGE, NULL},
	{"groups", PAGE_ARGS, "multicast groups and who listens", ctl_family, CTL_OPT_PAGE, NULL},
	{"queriers", PAGE_ARGS, "who asks for multicast listeners", ctl_family, CTL_OPT_PAGE, NULL},
	{"pmtu", PAGE_ARGS, "paths that carry less than the link, and the MSS to clamp to", ctl_family, CTL_OPT_PAGE,
	 NULL},
	{"segments", PAGE_ARGS, "the networks behind the tap", ctl_family, CTL_OPT_PAGE, NULL},
	{"counters", "[--worker N] [--json]", "frames by class, exact", ctl_counters, CTL_OPT_WORKER, NULL},
	{"reasons", "[--worker N] [--json]", "messages by the rule that they break, exact", ctl_reasons, CTL_OPT_WORKER,
	 NULL},
	{"workers", PAGE_ARGS, "what each worker does and loses", ctl_family, CTL_OPT_PAGE, NULL},
	{"ports", PAGE_ARGS, "what each port received and lost", ctl_family, CTL_OPT_PAGE, NULL},
	{"plan", "[--json]", "which CPU does what, memory, and every compromise", ctl_plan, 0, NULL},
	{"detectors", PAGE_ARGS, "what is looked for, and what is not assessed", ctl_family, CTL_OPT_PAGE, NULL},
	{"history", "ADDRESS|MAC [--at TIME] [--file FILE] [--json]", "who had an address when, what a MAC had when",
	 ctl_history, 0, ctl_history_help},
	{"fleet", "[COMMAND] [--json]", "many appliances at once", ctl_fleet, 0, ctl_fleet_help},
	{"check", "[--warning N] [--critical N]", "one line for Nagios; exit status 0 to 3", ctl_check, CTL_OPT_LIMITS,
	 NULL},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
ctl_complain(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("icmpscopectl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static int
help(void)
{
	fputs("usage: icmpscopectl COMMAND ...\n"
	      "Asks what icmpscope has seen.\n\n",
	      stdout);
	for (unsigned i = 0; i < N_COMMANDS; i++)
		printf("  %s %s\n      %s\n", commands[i].name, commands[i].args, commands[i].text);
	fputs("\nicmpscopectl COMMAND --help says more.\n"
	      "Exit status: 0 answered, 1 failed or nothing to answer, 2 usage.\n",
	      stdout);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static int
help_of(unsigned i)
{
	printf("usage: icmpscopectl %s %s\n", commands[i].name, commands[i].args);
	if (commands[i].help != NULL) {
		fputs(commands[i].help, stdout);
	} else {
		printf("\n%c%s.\n\n", commands[i].text[0] - 'a' + 'A', commands[i].text + 1);
		ctl_options_help(commands[i].options);
	}
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static bool
wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return ctl_complain(CTL_USAGE, "no command is named (icmpscopectl --help)");
	if (wants_help(1, argv + 1))
		return help();
	if (strcmp(argv[1], "--version") == 0)
		return printf("icmpscopectl %s\n", ICS_VERSION) > 0 ? CTL_ANSWERED : CTL_FAILED;
	for (unsigned i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (wants_help(argc - 2, argv + 2))
			return help_of(i);
		return commands[i].fn(argc - 1, argv + 1);
	}
	return ctl_complain(CTL_USAGE, "unknown command %.60s (icmpscopectl --help)", argv[1]);
}
