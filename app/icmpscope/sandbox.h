/* What the program gives away once it runs: capabilities, new privileges, system calls that it does not use, and every place on
 * disk but those where it writes. Free of DPDK; main.c enters it when workers run and everything is open, and the
 * tests' own program (app/test/sandbox_probe.c) enters the very same one.
 */
#ifndef ICMPSCOPE_SANDBOX_H
#define ICMPSCOPE_SANDBOX_H

#include "ics_count.h"

#include <signal.h>

struct ics_export_sandbox;

#define SANDBOX_ERR_LEN 512
#define SANDBOX_PLACES_MAX 64
/* System calls are told apart by number up to here when they are refused. */
#define SANDBOX_CALLS 512

enum sandbox_right {
	SANDBOX_WRITE,  /* files there are made, written, renamed and removed */
	SANDBOX_REMOVE, /* files there are removed */
	SANDBOX_DEVICE, /* files there are opened for writing and driven by ioctl() */
};

struct sandbox_place {
	char dir[256];
	enum sandbox_right right;
};

struct sandbox_conf {
	const char *user; /* "": stays who it is */
	bool connects;    /* a device may connect to local sockets later on */
	unsigned n_places;
	struct sandbox_place place[SANDBOX_PLACES_MAX];
};

/* A directory that is not there is none. False: no room, or its name is too long. */
bool sandbox_add_dir(struct sandbox_conf *c, const char *dir, enum sandbox_right right);
/* The directory that holds this file. */
bool sandbox_add_dir_of(struct sandbox_conf *c, const char *file, enum sandbox_right right);

/* By which a thread is called to give away what is its own. */
#define SANDBOX_SIGNAL (SIGRTMIN + 3)

/* Takes out of a set the signals that every thread must let through: whoever blocks the second dies of a refusal. */
static inline void
sandbox_keep_signals(sigset_t *blocked)
{
	sigdelset(blocked, SANDBOX_SIGNAL);
	sigdelset(blocked, SIGSYS);
}

/* For all threads that there are and will be. 0; or -errno, and err says in one line what is missing: some of it may hold then.
 * A kernel without landlock is no failure: *out tells. *out lives as long as the process.
 */
int sandbox_enter(const struct sandbox_conf *c, struct ics_export_sandbox *out, char err[static SANDBOX_ERR_LEN]);

/* How often a system call was refused. Any thread may ask. */
uint64_t sandbox_denied(unsigned call);
char *sandbox_call_name(unsigned call, char buf[static 32]);

#endif
