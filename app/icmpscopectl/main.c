/* icmpscopectl: the operator's client. Finds the subcommand in the table and leaves the rest to it. */
#include "ctl.h"

#include "ics_version.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *args, *text;
	const char *help; /* of --help behind the name */
	ctl_fn fn;
} commands[] = {
	{"history", "ADDRESS|MAC [--at TIME] [--file FILE] [--json]", "who had an address when, what a MAC had when",
	 ctl_history_help, ctl_history},
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
		if (wants_help(argc - 2, argv + 2)) {
			printf("usage: icmpscopectl %s %s\n%s", commands[i].name, commands[i].args, commands[i].help);
			return CTL_ANSWERED;
		}
		return commands[i].fn(argc - 1, argv + 1);
	}
	return ctl_complain(CTL_USAGE, "unknown command %.60s (icmpscopectl --help)", argv[1]);
}
