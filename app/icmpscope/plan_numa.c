/* The facts of this machine for the plan: CPUs by affinity, their NUMA nodes and distances by libnuma, physical cores, memory
 * and what the cgroup allows by /proc and /sys.
 */
#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <numa.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cgroups inside one another. */
#define DEPTH_MAX 32

/* Free hugepages of every size, in MB. No such folder: the kernel has none. */
static uint64_t
huge_free_mb(void)
{
	static const char root[] = "/sys/kernel/mm/hugepages";
	uint64_t sum_kb = 0, kb, pages;
	char path[512];
	struct dirent *e;
	DIR *d = opendir(root);
	FILE *f;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "hugepages-%" SCNu64 "kB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", root, e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu64, &pages) == 1)
			sum_kb += pages * kb;
		fclose(f);
	}
	if (d != NULL)
		closedir(d);
	return sum_kb / 1024;
}

static uint64_t
available_mb(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[256];
	uint64_t kb = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb / 1024;
}

/* The first two words of a file; how many there were. */
static int
read_words(const char *path, char a[static 32], char b[static 32])
{
	FILE *f = fopen(path, "re");
	int n = f != NULL ? fscanf(f, "%31s %31s", a, b) : 0;

	if (f != NULL)
		fclose(f);
	return n;
}

/* The first CPU of the physical core of one; -1 where the kernel does not tell. */
static int
core_of(unsigned cpu)
{
	char path[128], first[32], rest[32];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	return read_words(path, first, rest) >= 1 ? atoi(first) : -1;
}

static void
read_cpus(struct plan_in *in, const cpu_set_t *set)
{
	bool has_numa = numa_available() >= 0;
	char path[128], online[32], rest[32];

	in->n_cpus = 0;
	for (unsigned i = 0; i < CPU_SETSIZE && i < PLAN_CPUS_MAX; i++) {
		if (CPU_ISSET(i, set)) {
			in->cpu[in->n_cpus++] = (struct plan_cpu){
				.id = i, .node = has_numa ? numa_node_of_cpu((int)i) : -1, .core = core_of(i)};
			continue;
		}
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", i);
		if (access(path, F_OK) != 0) {
			in->absence[i] = PLAN_NO_CPU;
			continue;
		}
		/* CPU 0 may have no such file: it cannot be taken offline. */
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", i);
		in->absence[i] =
			read_words(path, online, rest) >= 1 && online[0] == '0' ? PLAN_OFFLINE : PLAN_FORBIDDEN;
	}
	for (int a = 0; has_numa && a < PLAN_NODES_MAX && a <= numa_max_node(); a++)
		for (int b = 0; b < PLAN_NODES_MAX && b <= numa_max_node(); b++)
			in->distance[a][b] = (uint8_t)numa_distance(a, b);
}

/* What this process's cgroup (version 2) and those around it leave: CPU time and memory. */
static void
read_cgroup(struct plan_in *in)
{
	char group[PATH_MAX - 64] = "", path[PATH_MAX], a[32], b[32], line[PATH_MAX];
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "0::", 3) == 0)
			snprintf(group, sizeof(group), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
	if (f != NULL)
		fclose(f);
	for (unsigned depth = 0; depth < DEPTH_MAX && group[0] == '/' && group[1] != '\0'; depth++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", group);
		if (read_words(path, a, b) == 2 && strcmp(a, "max") != 0 && strtoull(b, NULL, 10) != 0) {
			uint64_t milli = strtoull(a, NULL, 10) * 1000 / strtoull(b, NULL, 10);

			if (in->quota_milli == 0 || milli < in->quota_milli)
				in->quota_milli = milli > UINT32_MAX ? UINT32_MAX : milli == 0 ? 1 : (unsigned)milli;
		}
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
		if (read_words(path, a, b) >= 1 && strcmp(a, "max") != 0) {
			uint64_t most = strtoull(a, NULL, 10), used = 0;

			snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.current", group);
			if (read_words(path, a, b) >= 1)
				used = strtoull(a, NULL, 10);
			most = most > used ? (most - used) >> 20 : 0;
			if (most < in->available_mb)
				in->available_mb = most;
		}
		*strrchr(group, '/') = '\0';
	}
}

int
plan_read_machine(struct plan_in *in, char err[static PLAN_TEXT_LEN])
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0) {
		int rc = -errno;

		snprintf(err, PLAN_TEXT_LEN, "cannot read the CPUs of this process: %s", strerror(-rc));
		return rc;
	}
	read_cpus(in, &set);
	in->huge_free_mb = huge_free_mb();
	in->available_mb = available_mb();
	in->quota_milli = 0;
	read_cgroup(in);
	return 0;
}
