/* Enters the sandbox (sandbox.h) in the order in which one step leaves the right to the next: no new privileges and the bounding
 * set, the user, landlock and capabilities, last the system calls; then libcap-ng and /proc are asked for every thread,
 * because what counts is what the kernel says. Called by main.c.
 */
#include "sandbox_priv.h"

#include "ics_export.h"

#include <cap-ng.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the user ---- */

/* Files that the present user made in directories of the next one are handed on; the directory of another, a link and a file
 * with a second name are left alone.
 */
static void
hand_on(const char *dir, const struct passwd *to)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	struct stat st;

	if (d == NULL)
		return;
	if (fstat(dirfd(d), &st) == 0 && st.st_uid == to->pw_uid)
		while ((e = readdir(d)) != NULL)
			if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
			    st.st_nlink == 1 && st.st_uid == geteuid())
				(void)fchownat(dirfd(d), e->d_name, to->pw_uid, to->pw_gid, AT_SYMLINK_NOFOLLOW);
	closedir(d);
}

static int
become(const struct sandbox_conf *c, char err[static SANDBOX_ERR_LEN])
{
	const struct passwd *pw;

	if (c->user[0] == '\0')
		return 0;
	errno = 0;
	pw = getpwnam(c->user);
	if (pw == NULL) {
		snprintf(err, SANDBOX_ERR_LEN, "sandbox.user = %s: there is no such user", c->user);
		return -ENOENT;
	}
	if (pw->pw_uid == geteuid())
		return 0;
	for (unsigned i = 0; i < c->n_places; i++)
		if (c->place[i].right == SANDBOX_WRITE)
			hand_on(c->place[i].dir, pw);
	/* glibc does it in every thread. */
	if (initgroups(c->user, pw->pw_gid) == 0 && setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == 0 &&
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == 0)
		return 0;
	snprintf(err, SANDBOX_ERR_LEN, "sandbox.user = %s: cannot become that user: %s", c->user, strerror(errno));
	return -errno;
}

/* While names can still be looked up. */
static void
name_user(struct ics_export_sandbox *out)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (pw != NULL)
		snprintf(out->user, sizeof(out->user), "%s", pw->pw_name);
	else
		snprintf(out->user, sizeof(out->user), "%u", (unsigned)geteuid());
}

/* Whoever has lost CAP_DAC_OVERRIDE may have lost the right to its own directories. */
static int
check_places(const struct sandbox_conf *c, const char *user, char err[static SANDBOX_ERR_LEN])
{
	for (unsigned i = 0; i < c->n_places; i++) {
		if (c->place[i].right != SANDBOX_WRITE || access(c->place[i].dir, W_OK | X_OK) == 0)
			continue;
		snprintf(err, SANDBOX_ERR_LEN,
			 "%.255s: user %s without capabilities cannot write there (%s): chown it, or set sandbox.user",
			 c->place[i].dir, user, strerror(errno));
		return -EACCES;
	}
	return 0;
}

/* ---- what the kernel says ---- */

struct seen {
	struct ics_export_sandbox *out;
	bool wants_calls;
	char *err;
};

/* The number behind "KEY:\t" in a thread's status, or -1. */
static long
status_of(int tid, const char *key)
{
	char path[64], line[256];
	long v = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	while (v < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			v = strtol(line + strlen(key) + 1, NULL, 10);
	fclose(f);
	return v;
}

static unsigned
count_bounding(void)
{
	unsigned n = 0;

	for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
		n += capng_have_capability(CAPNG_BOUNDING_SET, c) == 1;
	return n;
}

/* One that ended meanwhile is none. */
static int
look_at(int tid, void *ctx)
{
	struct seen *s = ctx;
	long no_new = status_of(tid, "NoNewPrivs"), calls = status_of(tid, "Seccomp");
	unsigned bounding;

	if (no_new < 0 || calls < 0)
		return 0;
	capng_clear(CAPNG_SELECT_ALL);
	capng_setpid(tid);
	if (capng_get_caps_process() != 0)
		return 0;
	bounding = count_bounding();
	if (bounding > s->out->bounding)
		s->out->bounding = bounding;
	s->out->threads++;
	if (no_new == 1 && (calls == 2 || !s->wants_calls) &&
	    capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE &&
	    capng_have_capabilities(CAPNG_SELECT_AMBIENT) <= CAPNG_NONE)
		return 0;
	snprintf(s->err, SANDBOX_ERR_LEN, "thread %d is not bound: no_new_privs %ld, seccomp %ld, and capabilities%s",
		 tid, no_new, calls,
		 capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE ? " are gone" : " are left");
	return -EPERM;
}

static int
verify(struct ics_export_sandbox *out, char err[static SANDBOX_ERR_LEN])
{
	struct seen s = {.out = out, .wants_calls = out->seccomp, .err = err};

	out->threads = out->bounding = 0;
	return sandbox_each_thread(look_at, &s);
}

/* ---- all of it ---- */

static int
limit_calls(const struct sandbox_conf *c, struct ics_export_sandbox *out, char err[static SANDBOX_ERR_LEN])
{
	int rc = sandbox_calls_limit(c, &out->denied);

	out->seccomp = rc == 0;
	if (rc == 0 || rc == -EOPNOTSUPP)
		return 0;
	snprintf(err, SANDBOX_ERR_LEN, "no filter of system calls (seccomp): %s", strerror(-rc));
	return rc;
}

int
sandbox_enter(const struct sandbox_conf *c, struct ics_export_sandbox *out, char err[static SANDBOX_ERR_LEN])
{
	int rules, rc;

	err[0] = '\0';
	/* What ends a thread is loaded by the C library when it is first needed, and nothing can be loaded then. */
	(void)dlopen("libgcc_s.so.1", RTLD_NOW);
	rules = sandbox_files_make(c, &out->landlock_abi, err);
	if (rules == -ENOSYS || rules == -EOPNOTSUPP)
		rules = -1;
	else if (rules < 0)
		return rules;
	rc = sandbox_all_threads(sandbox_thread_bound, NULL, err);
	if (rc == 0)
		rc = become(c, err);
	if (rc == 0)
		rc = sandbox_all_threads(sandbox_thread_drop, &rules, err);
	if (rules >= 0)
		close(rules);
	name_user(out);
	if (rc == 0)
		rc = check_places(c, out->user, err);
	if (rc == 0)
		rc = limit_calls(c, out, err);
	if (rc == 0)
		rc = verify(out, err);
	return rc;
}
