/* The system calls that the program uses after its start, found by strace over all it does (docs/operations.md says how). Any
 * other fails with EPERM and is counted by its number: SIGSYS is what makes a refusal visible here, in telemetry and in the
 * journal. To end the program instead would let a new version of the C library stop an inspector for good; to say
 * nothing would hide an intruder. What runs for another architecture is killed. Called by sandbox.c.
 */
#include "sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

/* By name: what an architecture or a C library does not have is left out. */
static const char *const plain[] = {
	/* files that are open, and those that are opened: landlock says where */
	"read",
	"readv",
	"pread64",
	"preadv",
	"write",
	"writev",
	"pwrite64",
	"pwritev",
	"lseek",
	"close",
	"fsync",
	"fdatasync",
	"ftruncate",
	"fallocate",
	"fadvise64",
	"flock",
	"fcntl",
	"fstat",
	"newfstatat",
	"stat",
	"lstat",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"open",
	"openat",
	"rename",
	"renameat",
	"renameat2",
	"unlink",
	"unlinkat",
	"getdents",
	"getdents64",
	"umask",
	"fchmod",
	"fchown",
	"getcwd",
	"dup",
	"dup2",
	"dup3",
	"pipe",
	"pipe2",
	/* waiting; without epoll_create() DPDK's interrupt thread ends the program */
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_ctl",
	"epoll_create",
	"epoll_create1",
	"eventfd",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"nanosleep",
	"clock_nanosleep",
	"futex",
	"futex_waitv",
	"restart_syscall",
	"sched_yield",
	/* sockets that are open; bind: a packet socket whose interface came back */
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"accept",
	"accept4",
	"shutdown",
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	"bind",
	"socketpair",
	/* memory; the policies are for hugepages, which DPDK takes and gives back as it needs them */
	"munmap",
	"mremap",
	"madvise",
	"mlock",
	"mlock2",
	"munlock",
	"brk",
	"msync",
	"mincore",
	"memfd_create",
	"mbind",
	"get_mempolicy",
	"set_mempolicy",
	"move_pages",
	/* threads, signals, time */
	"set_robust_list",
	"rseq",
	"membarrier",
	"rt_sigreturn",
	"rt_sigaction",
	"rt_sigprocmask",
	"sigaltstack",
	"exit",
	"exit_group",
	"gettid",
	"getpid",
	"getppid",
	"sched_getaffinity",
	"sched_setaffinity",
	"sched_getparam",
	"sched_getscheduler",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"getpriority",
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"times",
	"getcpu",
	"getrandom",
	"getrusage",
	"getrlimit",
	"sysinfo",
	"uname",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getgroups",
	"getresuid",
	"getresgid",
	"capget",
};

/* ioctl() by what drives it, which is the second octet of the number: VFIO, network interfaces, RDMA verbs, vhost; besides,
 * what the C library asks of a file. Nothing that types for the operator (TIOCSTI).
 */
static const unsigned ioctl_kinds[] = {0x3b00, 0x8900, 0x1b00, 0xaf00};
static const unsigned ioctls[] = {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO};
static const unsigned prctls[] = {PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA, by the allocator */};

static struct {
	ics_counter *total;
	_Atomic uint32_t by[SANDBOX_CALLS];
} denied;

uint64_t
sandbox_denied(unsigned call)
{
	return call < SANDBOX_CALLS ? atomic_load_explicit(&denied.by[call], memory_order_relaxed) : 0;
}

char *
sandbox_call_name(unsigned call, char buf[static 32])
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)call);

	snprintf(buf, 32, "%s", name != NULL ? name : "unknown");
	free(name);
	return buf;
}

/* Async-signal-safe. Several threads may come here at once. */
static void
on_denied(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	unsigned call = (unsigned)info->si_syscall;

	(void)sig;
	atomic_fetch_add_explicit(&denied.by[call < SANDBOX_CALLS ? call : SANDBOX_CALLS - 1], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(denied.total, 1, memory_order_relaxed);
#if defined(__x86_64__)
	c->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	c->uc_mcontext.regs[0] = (unsigned long)-EPERM;
#else
#error "the result of a system call is in a register that is not known here"
#endif
}

/* By name, so that what is not there on this architecture is left out. */
static int
allow(scmp_filter_ctx f, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
	int call = seccomp_syscall_resolve_name(name);

	return call < 0 ? 0 : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, n, args);
}

static int
allow_if(scmp_filter_ctx f, const char *name, struct scmp_arg_cmp arg)
{
	return allow(f, name, 1, &arg);
}

static int
allow_some(scmp_filter_ctx f, const struct sandbox_conf *c)
{
	int rc = 0;

	/* Threads, no processes. The flags of clone3() cannot be looked at: without it the C library takes clone(). */
	rc |= allow_if(f, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	rc |= seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* No memory that is written first and run then. */
	rc |= allow_if(f, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= allow_if(f, "mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Signals to itself (abort()), limits only read. */
	rc |= allow_if(f, "tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	rc |= allow_if(f, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(ioctl_kinds); i++)
		rc |= allow_if(f, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, ioctl_kinds[i]));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(ioctls); i++)
		rc |= allow_if(f, "ioctl", SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(prctls); i++)
		rc |= allow_if(f, "prctl", SCMP_A0(SCMP_CMP_EQ, prctls[i]));
	/* A local socket alone reaches nobody: it is for asking about interfaces. */
	rc |= allow_if(f, "socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (c->connects)
		rc |= allow(f, "connect", 0, NULL);
	return rc;
}

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

int
sandbox_calls_limit(const struct sandbox_conf *c, ics_counter *total)
{
	struct sigaction sa = {.sa_sigaction = on_denied, .sa_flags = SA_SIGINFO};
	scmp_filter_ctx f;
	int rc;

	/* The leak checker of a build with sanitizers traces its own threads at the end. */
	if (IS_SANITIZED)
		return -EOPNOTSUPP;
	denied.total = total;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGSYS, &sa, NULL);
	f = seccomp_init(SCMP_ACT_TRAP);
	if (f == NULL)
		return -ENOMEM;
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary tree over the numbers instead of a list: a worker's sleep costs as much as a write. */
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(plain) && rc == 0; i++)
		rc = allow(f, plain[i], 0, NULL);
	if (rc == 0 && allow_some(f, c) != 0)
		rc = -EINVAL;
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc;
}
