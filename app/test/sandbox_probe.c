/* Enters the sandbox of icmpscope and then tries what it may not do, for dts/test_sandbox.py. Never installed.
 *
 *   sandbox_probe USER MINE OTHER   USER: "" or a name; MINE: a directory where it may write, OTHER: one where it may not
 *
 * Both hold a file "there". Each line it prints is THREAD ATTEMPT RESULT, THREAD being before (a thread that was there when the
 * sandbox was entered, with every signal blocked as the writers of icmpscope have it), after (one that came later) or
 * main; RESULT the name of an error, or ok. Then it prints "waiting", and ends when its standard input does.
 */
#include "../icmpscope/sandbox.h"

#include "ics_export.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char mine[200], other[200];

static const char *
in(const char *dir, const char *name)
{
	static _Thread_local char path[2][256];
	static _Thread_local unsigned i;

	i ^= 1;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

/* ---- attempts: 0 or above when it worked, -1 and errno ---- */

static int
open_and_close(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int
write_mine(void)
{
	char name[32];

	snprintf(name, sizeof(name), "new-%ld", syscall(SYS_gettid));
	if (open_and_close(in(mine, name), O_WRONLY | O_CREAT | O_TRUNC) != 0)
		return -1;
	if (rename(in(mine, name), in(mine, "renamed")) != 0)
		return -1;
	return unlink(in(mine, "renamed"));
}

static int
read_other(void)
{
	return open_and_close(in(other, "there"), O_RDONLY);
}

static int
write_other(void)
{
	return open_and_close(in(other, "there"), O_WRONLY);
}

static int
make_other(void)
{
	return open_and_close(in(other, "new"), O_WRONLY | O_CREAT);
}

static int
truncate_other(void)
{
	return open_and_close(in(other, "there"), O_RDONLY | O_TRUNC);
}

static int
remove_other(void)
{
	return unlink(in(other, "there"));
}

static int
move_out(void)
{
	return rename(in(mine, "there"), in(other, "moved"));
}

static int
write_proc(void)
{
	return open_and_close("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static int
make_directory(void)
{
	return mkdir(in(mine, "directory"), 0700);
}

static int
make_link(void)
{
	return symlink("/etc/passwd", in(mine, "link"));
}

static int
make_device(void)
{
	return mknod(in(mine, "null"), S_IFCHR | 0600, 0x103);
}

static int
run_program(void)
{
	char *const argv[] = {"true", NULL};

	return execve("/bin/true", argv, NULL);
}

static int
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid(pid, NULL, 0);
}

static int
make_socket(int family, int type)
{
	int fd = socket(family, type, 0);

	return fd < 0 ? -1 : close(fd);
}

static int
socket_ip4(void)
{
	return make_socket(AF_INET, SOCK_DGRAM);
}

static int
socket_ip6(void)
{
	return make_socket(AF_INET6, SOCK_STREAM);
}

static int
socket_packet(void)
{
	return make_socket(AF_PACKET, SOCK_RAW);
}

static int
socket_netlink(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW);
}

static int
connect_local(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/run/nobody-listens"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;

	if (fd < 0)
		return -1;
	rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return rc;
}

static int
trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
read_memory_of_parent(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int
mount_tmpfs(void)
{
	return mount("none", mine, "tmpfs", 0, NULL);
}

static int
change_root(void)
{
	return chroot(mine);
}

static int
become_root(void)
{
	return (int)syscall(SYS_setresuid, 0, 0, 0);
}

static int
take_capability(void)
{
	struct {
		uint32_t version;
		int pid;
	} header = {0x20080522, 0};
	uint32_t caps[6] = {1u << 13, 1u << 13, 0, 0, 0, 0};

	return (int)syscall(SYS_capset, &header, caps);
}

static int
make_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int
load_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int
load_module(void)
{
	return (int)syscall(SYS_finit_module, 0, "", 0);
}

static int
make_io_uring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int
count_events(void)
{
	return (int)syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static int
reboot_machine(void)
{
	return (int)syscall(SYS_reboot, 0, 0, 0, NULL);
}

static int
set_clock(void)
{
	struct timespec t = {.tv_sec = 1};

	return (int)syscall(SYS_clock_settime, CLOCK_REALTIME, &t);
}

static int
run_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : munmap(p, 4096);
}

static int
make_memory_run(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc = mprotect(p, 4096, PROT_READ | PROT_EXEC);

	munmap(p, 4096);
	return rc;
}

static int
signal_parent(void)
{
	return kill(getppid(), 0);
}

static int
signal_thread_of_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int
type_for_operator(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static int
raise_limit(void)
{
	struct rlimit r = {1, 1};

	return setrlimit(RLIMIT_NOFILE, &r);
}

static int
drop_filter(void)
{
	return prctl(PR_SET_SECCOMP, 0, 0, 0, 0);
}

static const struct attempt {
	const char *name;
	int (*fn)(void);
} attempts[] = {
	{"write_mine", write_mine},
	{"read_other", read_other},
	{"write_other", write_other},
	{"make_other", make_other},
	{"truncate_other", truncate_other},
	{"remove_other", remove_other},
	{"move_out", move_out},
	{"write_proc", write_proc},
	{"make_directory", make_directory},
	{"make_link", make_link},
	{"make_device", make_device},
	{"run_program", run_program},
	{"make_process", make_process},
	{"socket_ip4", socket_ip4},
	{"socket_ip6", socket_ip6},
	{"socket_packet", socket_packet},
	{"socket_netlink", socket_netlink},
	{"connect_local", connect_local},
	{"trace", trace},
	{"read_memory_of_parent", read_memory_of_parent},
	{"mount_tmpfs", mount_tmpfs},
	{"change_root", change_root},
	{"become_root", become_root},
	{"take_capability", take_capability},
	{"make_namespace", make_namespace},
	{"load_bpf", load_bpf},
	{"load_module", load_module},
	{"make_io_uring", make_io_uring},
	{"count_events", count_events},
	{"reboot_machine", reboot_machine},
	{"set_clock", set_clock},
	{"run_memory", run_memory},
	{"make_memory_run", make_memory_run},
	{"signal_parent", signal_parent},
	{"signal_thread_of_parent", signal_thread_of_parent},
	{"type_for_operator", type_for_operator},
	{"raise_limit", raise_limit},
	{"drop_filter", drop_filter},
};

static sem_t entered, tried;

static void
try_all(const char *who)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(attempts); i++) {
		int rc = attempts[i].fn(), error = errno;

		printf("%s %s %s\n", who, attempts[i].name, rc >= 0 ? "ok" : strerrorname_np(error));
	}
	fflush(stdout);
}

static void *
try_from_thread(void *who)
{
	while (sem_wait(&entered) != 0)
		;
	try_all(who);
	sem_post(&tried);
	for (;;)
		sleep(60);
	return NULL;
}

static pthread_t
start(const char *who)
{
	sigset_t all, before;
	pthread_t t;

	sigfillset(&all);
	sandbox_keep_signals(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&t, NULL, try_from_thread, (void *)who) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t;
}

int
main(int argc, char **argv)
{
	static struct ics_export_sandbox out;
	static struct sandbox_conf conf;
	char err[SANDBOX_ERR_LEN], c;

	if (argc != 4) {
		fprintf(stderr, "usage: sandbox_probe USER MINE OTHER\n");
		return 2;
	}
	snprintf(mine, sizeof(mine), "%s", argv[2]);
	snprintf(other, sizeof(other), "%s", argv[3]);
	sem_init(&entered, 0, 0);
	sem_init(&tried, 0, 0);
	start("before");
	conf.user = argv[1];
	if (!sandbox_add_dir(&conf, mine, SANDBOX_WRITE) || sandbox_enter(&conf, &out, err) != 0) {
		fprintf(stderr, "sandbox_probe: %s\n", err);
		return 1;
	}
	start("after");
	try_all("main");
	for (unsigned i = 0; i < 2; i++) {
		sem_post(&entered);
		while (sem_wait(&tried) != 0)
			;
	}
	for (unsigned i = 0; i < SANDBOX_CALLS; i++) {
		char name[32];

		if (sandbox_denied(i) != 0)
			printf("denied %s %llu\n", sandbox_call_name(i, name), (unsigned long long)sandbox_denied(i));
	}
	printf("waiting\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	_exit(0);
}
