/* A subcommand of icmpscopectl: its own file, its row in the table of main.c. */
#ifndef ICMPSCOPECTL_CTL_H
#define ICMPSCOPECTL_CTL_H

/* 0: answered; 1: failed, or nothing to answer (one line on stderr says which); 2: usage. */
enum { CTL_ANSWERED, CTL_FAILED, CTL_USAGE };

/* argv[0] is the name of the subcommand. */
typedef int (*ctl_fn)(int argc, char **argv);

/* One line on stderr that begins with the name of the program; gives status back. */
int ctl_complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* history.c */
int ctl_history(int argc, char **argv);
extern const char ctl_history_help[];

#endif
