/* The command line of icmpscope and the configuration that it leads to. */
#ifndef ICMPSCOPE_ARGS_H
#define ICMPSCOPE_ARGS_H

#include "ics_config.h"

struct args {
	struct ics_config config;
	uint64_t run_for_s; /* 0: until told to stop */
	const char *file;   /* of -c, NULL without one */
	unsigned n_sets;    /* --set */
	char **eal;         /* what stands behind --, for EAL */
	int n_eal;
	bool check, plan; /* --check, --plan: say, and start nothing */
	int argc;         /* of main */
	char **argv;
};

/* 0: go on; 1: everything asked for is done (--help, --version); -EINVAL: usage, and stderr has one line. */
int args_parse(struct args *a, int argc, char **argv);
/* The settings that file and command line lead to now. -errno, err says why and *out holds nothing of use. */
int args_again(const struct args *a, struct ics_config *out, char err[static ICS_CONFIG_ERR_LEN]);

#endif
