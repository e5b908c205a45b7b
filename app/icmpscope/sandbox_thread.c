/* Capabilities, no_new_privs and landlock belong to a thread, and most threads are DPDK's: so each is sent a signal whose handler
 * does there what has to be done, and whoever appears meanwhile is found in the next look at the list of threads. What a
 * thread starts after that inherits it. Called by sandbox.c.
 */
#include "sandbox_priv.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 1024
#define LOOKS_MAX 64
/* For one thread to run its handler. */
#define ANSWER_MS 5000

static struct {
	sandbox_thread_fn fn;
	void *arg;
	_Atomic int rc;     /* the first failure */
	_Atomic unsigned n; /* threads that have done it */
	_Atomic int done[THREADS_MAX];
} order;

static void
obey(void)
{
	int rc = order.fn(order.arg), none = 0;
	unsigned i;

	if (rc != 0)
		atomic_compare_exchange_strong(&order.rc, &none, rc);
	i = atomic_fetch_add(&order.n, 1);
	if (i < THREADS_MAX)
		atomic_store(&order.done[i], (int)syscall(SYS_gettid));
}

static void
on_call(int sig)
{
	int saved = errno;

	(void)sig;
	obey();
	errno = saved;
}

static bool
has_done(int tid)
{
	unsigned n = atomic_load(&order.n);

	for (unsigned i = 0; i < n && i < THREADS_MAX; i++)
		if (atomic_load(&order.done[i]) == tid)
			return true;
	return false;
}

int
sandbox_each_thread(int (*fn)(int tid, void *ctx), void *ctx)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *e;
	int rc = 0;

	if (d == NULL)
		return -errno;
	while (rc == 0 && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			rc = fn(atoi(e->d_name), ctx);
	closedir(d);
	return rc;
}

struct look {
	unsigned fresh;
	char *err;
};

/* One that is gone has nothing left to lose. */
static int
call_thread(int tid, void *look)
{
	struct look *l = look;

	if (has_done(tid))
		return 0;
	l->fresh++;
	if (atomic_load(&order.n) >= THREADS_MAX) {
		snprintf(l->err, SANDBOX_ERR_LEN, "more than %u threads", THREADS_MAX);
		return -E2BIG;
	}
	for (unsigned ms = 0; ms < ANSWER_MS && !has_done(tid); ms++) {
		if (ms % 1000 == 0 && syscall(SYS_tgkill, getpid(), tid, SANDBOX_SIGNAL) != 0)
			return errno == ESRCH ? 0 : -errno;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (has_done(tid) || syscall(SYS_tgkill, getpid(), tid, 0) != 0)
		return 0;
	snprintf(l->err, SANDBOX_ERR_LEN, "thread %d does not answer", tid);
	return -ETIMEDOUT;
}

int
sandbox_all_threads(sandbox_thread_fn fn, void *arg, char err[static SANDBOX_ERR_LEN])
{
	struct sigaction sa = {.sa_handler = on_call, .sa_flags = SA_RESTART}, before;
	struct look l = {.fresh = 1, .err = err};
	int rc = 0;

	err[0] = '\0';
	order.fn = fn;
	order.arg = arg;
	atomic_store(&order.rc, 0);
	atomic_store(&order.n, 0);
	sigfillset(&sa.sa_mask);
	sigaction(SANDBOX_SIGNAL, &sa, &before);
	obey();
	for (unsigned i = 0; i < LOOKS_MAX && rc == 0 && l.fresh > 0; i++) {
		l.fresh = 0;
		rc = sandbox_each_thread(call_thread, &l);
	}
	if (rc == 0)
		rc = atomic_load(&order.rc);
	if (rc == 0 && l.fresh > 0)
		rc = -EAGAIN;
	/* A call that comes late, to a thread that was asked twice, must not end the program. */
	sa.sa_handler = SIG_IGN;
	sigaction(SANDBOX_SIGNAL, &sa, NULL);
	if (rc != 0 && err[0] == '\0')
		snprintf(err, SANDBOX_ERR_LEN, "not every thread could be bound: %s", strerror(-rc));
	return rc;
}

int
sandbox_thread_bound(void *unused)
{
	(void)unused;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0 && errno != EPERM)
			return -errno;
	return 0;
}

int
sandbox_thread_keep(uint32_t caps)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{0}};

	if (syscall(SYS_capget, &h, d) != 0)
		return -errno;
	d[0] = (struct __user_cap_data_struct){.effective = d[0].effective & caps, .permitted = d[0].permitted & caps};
	d[1] = (struct __user_cap_data_struct){0};
	return syscall(SYS_capset, &h, d) == 0 ? 0 : -errno;
}

int
sandbox_thread_drop(void *rules)
{
	int rc = *(int *)rules >= 0 ? sandbox_files_obey(*(int *)rules) : 0;

	return rc == 0 ? sandbox_thread_keep(0) : rc;
}
