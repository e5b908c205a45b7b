/* Composes EAL's arguments and starts it (eal.h). One process, no files in hugetlbfs, no PCI probing unless a card was
 * named, memory without hugepages where none are free; telemetry always.
 */
#include "eal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARGS_MAX 160
#define TEXT_MAX 24576

struct list {
	char *argv[ARGS_MAX];
	int argc;
	char text[TEXT_MAX];
	size_t used;
	bool full;
};

static void
add_raw(struct list *l, char *arg)
{
	if (l->argc == ARGS_MAX - 1)
		l->full = true;
	else
		l->argv[l->argc++] = arg;
}

static void __attribute__((format(printf, 2, 3))) add(struct list *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		l->full = true;
		return;
	}
	add_raw(l, l->text + l->used);
	l->used += (size_t)n + 1;
}

/* "0@0,1@1,2@1": the control core is lcore 0. */
static void
add_lcores(struct list *l, const struct plan *plan)
{
	char buf[PLAN_WORKERS_MAX * 12 + 16];
	size_t len;

	len = (size_t)snprintf(buf, sizeof(buf), "0@%u", plan->main_cpu);
	for (unsigned i = 0; i < plan->n_workers && len < sizeof(buf); i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, ",%u@%u", plan->worker[i].lcore,
					plan->worker[i].cpu);
	add(l, "--lcores=%s", buf);
	add(l, "--main-lcore=0");
}

static void
compose(struct list *l, const struct args *a, const struct plan *plan, const struct device *d, unsigned n)
{
	bool pci = false, one_file = false;

	add(l, "icmpscope");
	add_lcores(l, plan);
	add(l, "--file-prefix=%s", a->config.eal.file_prefix);
	/* Both leave no file behind; DPDK 22.11 refuses --in-memory where there are no hugepages. */
	add(l, plan->hugepages ? "--in-memory" : "--no-shconf");
	if (!plan->hugepages) {
		add(l, "--no-huge");
		add(l, "-m");
		add(l, "%" PRIu64, plan->memory_mb);
	} else if (a->config.eal.memory_mb != 0) {
		add(l, "-m");
		add(l, "%" PRIu64, plan->memory_mb);
	}
	for (unsigned i = 0; i < n; i++) {
		pci |= d[i].kind == DEVICE_PCI;
		one_file |= d[i].shared_memory;
		add(l, d[i].kind == DEVICE_PCI ? "--allow=%s" : "--vdev=%s", d[i].eal);
	}
	if (!pci)
		add(l, "--no-pci");
	if (one_file)
		add(l, "--single-file-segments");
	/* Its news are for developers; its errors are passed on. */
	add(l, "--log-level=*:error");
	for (int i = 0; i < a->n_eal; i++)
		add_raw(l, a->eal[i]);
}

static const char *
hint(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return "run it as root, or give it CAP_NET_RAW, CAP_NET_ADMIN, CAP_IPC_LOCK and CAP_BPF";
	case ENOMEM:
		return "not enough memory: set eal.memory_mb, or free some";
	case EINVAL:
		return "EAL refused its options; what stands behind -- and in -p goes to it as it is";
	default:
		return "the lines above are EAL's; `-- --log-level=*:debug` makes it say more";
	}
}

/* Where DPDK puts the telemetry socket. */
static void
socket_path(const char *prefix, char *buf, size_t size)
{
	const char *dir = getenv("RUNTIME_DIRECTORY");

	if (dir == NULL)
		dir = geteuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");
	snprintf(buf, size, "%s/dpdk/%s/dpdk_telemetry.v2", dir != NULL ? dir : "/tmp", prefix);
}

/* Without files nothing keeps two processes from one prefix; the second one's socket would have a name that nobody
 * looks for.
 */
static bool
is_prefix_taken(const char *prefix)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool taken;

	if (fd < 0)
		return false;
	socket_path(prefix, sa.sun_path, sizeof(sa.sun_path));
	taken = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	close(fd);
	return taken;
}

/* EAL prints all its options to stdout when it dislikes one: stderr says which, and that is enough. */
static int
init_quietly(struct list *l)
{
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC), rc;

	fflush(stdout);
	if (saved >= 0 && null >= 0)
		dup2(null, STDOUT_FILENO);
	rc = rte_eal_init(l->argc, l->argv);
	fflush(stdout);
	if (saved >= 0) {
		dup2(saved, STDOUT_FILENO);
		close(saved);
	}
	if (null >= 0)
		close(null);
	return rc;
}

int
eal_start(const struct args *a, const struct plan *plan, const struct device *devices, unsigned n_devices)
{
	static struct list l; /* EAL keeps pointers into it */

	compose(&l, a, plan, devices, n_devices);
	if (l.full) {
		fprintf(stderr, "icmpscope: too many or too long options for EAL: %d at most\n", ARGS_MAX);
		return -E2BIG;
	}
	if (is_prefix_taken(a->config.eal.file_prefix)) {
		fprintf(stderr,
			"icmpscope: a process with file prefix %s is running: choose another with --set "
			"eal.file_prefix=NAME\n",
			a->config.eal.file_prefix);
		return -EADDRINUSE;
	}
	if (init_quietly(&l) < 0) {
		int err = rte_errno;

		fprintf(stderr, "icmpscope: DPDK did not start: %s; %s\n", rte_strerror(err), hint(err));
		return err != 0 ? -err : -EINVAL;
	}
	return 0;
}
