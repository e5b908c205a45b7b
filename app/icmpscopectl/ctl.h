/* A subcommand of icmpscopectl: its own file, its row in the table of main.c. What they share: options, the telemetry
 * socket, tables.
 */
#ifndef ICMPSCOPECTL_CTL_H
#define ICMPSCOPECTL_CTL_H

#include "ics_client.h"
#include "ics_version.h"

#include <stdbool.h>
#include <stdint.h>

/* 0: answered; 1: failed, or nothing to answer (one line on stderr says which); 2: usage. */
enum { CTL_ANSWERED, CTL_FAILED, CTL_USAGE };

/* argv[0] is the name of the subcommand. */
typedef int (*ctl_fn)(int argc, char **argv);

/* One line on stderr that begins with the name of the program; gives status back. */
int ctl_complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- options.c: what commands that ask the socket take ---- */

#define CTL_DEFAULT_INI ICS_DEFAULT_INI
/* Besides --socket, -c and --json, which all of them take. */
#define CTL_OPT_PAGE 0x01   /* --start N, --count N, --all */
#define CTL_OPT_FOLLOW 0x02 /* --follow, --since TIME, --long */
#define CTL_OPT_WORKER 0x04 /* --worker N */
#define CTL_OPT_LIMITS 0x08 /* --warning N, --critical N: open anomalies */
struct ctl_options {
	const char *command;
	const char *socket, *config;
	bool json, all, follow, detail;
	uint64_t start, count; /* of a page; count 0: as many as are usual */
	uint64_t since_ns;     /* 0: from the beginning */
	uint64_t worker;       /* UINT64_MAX: all */
	uint64_t warn, crit;   /* UINT64_MAX: not said */
	int argc;              /* what is no option */
	char **argv;
};
/* Help lines of the options in allowed and of those that all take. */
void ctl_options_help(unsigned allowed);
/* CTL_ANSWERED, or CTL_USAGE after a line. operands: how many arguments there must be besides the options. */
int ctl_options_parse(struct ctl_options *o, int argc, char **argv, unsigned allowed, int operands);
/* "2026-05-12T08:30" (UTC, with seconds if you like) or seconds since 1970. */
bool ctl_parse_time(const char *text, uint64_t *ns);

/* ---- client.c: the telemetry socket of icmpscope ---- */

/* CTL_ANSWERED, or CTL_FAILED or CTL_USAGE after a line that says what is missing and how to mend it (not when quiet). */
int ctl_connect(struct ics_client *c, const struct ctl_options *o, bool quiet);
/* ics_client_ask(), and its error as a line on stderr. */
json_t *ctl_ask(struct ics_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- table.c: columns of a reply as a table of 80 columns ---- */

enum ctl_kind {
	CTL_TEXT,
	CTL_NUMBER,   /* 12,345 */
	CTL_AGE,      /* of a time in ns since the epoch, against now: 12s, 3m, 4h, 5d; "-" for 0 */
	CTL_UNTIL,    /* likewise, for a time to come; "ever", "over" */
	CTL_YES,      /* yes or empty */
	CTL_LIFETIME, /* seconds */
};
struct ctl_column {
	const char *key, *head;
	enum ctl_kind kind;
	bool elastic; /* gives way when the line is too long */
};
/* Prints the rows of pages (an array of replies of one family's table); at most CTL_COLUMNS_MAX columns. */
#define CTL_COLUMNS_MAX 12
void ctl_table_print(const json_t *pages, const struct ctl_column *columns, unsigned n_columns, uint64_t now_ns);
/* Rows as an array of objects. */
json_t *ctl_table_rows(const json_t *pages);
/* 0, or CTL_FAILED after a line. Takes over doc. */
int ctl_print_json(json_t *doc);
/* 12,345 */
const char *ctl_grouped(uint64_t v, char buf[static 32]);
/* Wire bytes never reach a terminal: what is not printable ASCII becomes '?'. */
void ctl_put_text(const char *text, int width);
bool ctl_wants_colour(void);

/* ---- the commands ---- */

int ctl_history(int argc, char **argv);
int ctl_family(int argc, char **argv);
int ctl_status(int argc, char **argv);
int ctl_check(int argc, char **argv);
int ctl_counters(int argc, char **argv);
int ctl_reasons(int argc, char **argv);
int ctl_anomalies(int argc, char **argv);
int ctl_explain(int argc, char **argv);
int ctl_plan(int argc, char **argv);
int ctl_top(int argc, char **argv);
int ctl_evidence(int argc, char **argv);
int ctl_fleet(int argc, char **argv);
extern const char ctl_history_help[], ctl_evidence_help[], ctl_top_help[], ctl_fleet_help[];

#endif
