/* Internal to sandbox*.c. */
#ifndef ICMPSCOPE_SANDBOX_PRIV_H
#define ICMPSCOPE_SANDBOX_PRIV_H

#include "sandbox.h"

/* ---- sandbox_files.c: landlock ---- */

/* A descriptor of the rules, -ENOSYS or -EOPNOTSUPP where the kernel has no landlock, or -errno and err. */
int sandbox_files_make(const struct sandbox_conf *c, unsigned *abi, char err[static SANDBOX_ERR_LEN]);
/* The calling thread obeys them from here on. Async-signal-safe. 0 or -errno. */
int sandbox_files_obey(int rules);

/* ---- sandbox_thread.c: what each thread must do for itself ---- */

/* Async-signal-safe; 0 or -errno. */
typedef int (*sandbox_thread_fn)(void *arg);

/* Runs fn in every thread of the process, this one first, until there is none left that did not. 0 or -errno and err. */
int sandbox_all_threads(sandbox_thread_fn fn, void *arg, char err[static SANDBOX_ERR_LEN]);
/* For sandbox_all_threads(): nothing can be gained any more, and the bounding and ambient sets are empty. Without
 * CAP_SETPCAP the bounding set stays.
 */
int sandbox_thread_bound(void *unused);
/* For sandbox_all_threads(): rules of landlock, where *rules is not negative; then no capability. */
int sandbox_thread_drop(void *rules);
/* This thread keeps no capability but these, a bit each, of those it has. 0 or -errno. */
int sandbox_thread_keep(uint32_t caps);
/* Calls fn for each thread there is; stops at the first that does not return 0 and returns that. */
int sandbox_each_thread(int (*fn)(int tid, void *ctx), void *ctx);

/* ---- sandbox_calls.c: seccomp ---- */

/* For all threads at once; what is refused is counted in *total. 0 or -errno. */
int sandbox_calls_limit(const struct sandbox_conf *c, ics_counter *total);

#endif
