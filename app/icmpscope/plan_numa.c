/* The facts of this machine for the plan: CPUs by affinity, their NUMA nodes by libnuma, memory by /proc and /sys. */
#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <numa.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

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

int
plan_read_machine(struct plan_in *in, char err[static PLAN_TEXT_LEN])
{
	bool has_numa = numa_available() >= 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0) {
		snprintf(err, PLAN_TEXT_LEN, "cannot read the CPUs of this process: %s", strerror(errno));
		return -errno;
	}
	in->n_cpus = 0;
	for (unsigned i = 0; i < CPU_SETSIZE && in->n_cpus < PLAN_CPUS_MAX; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		in->cpu[in->n_cpus++] = (struct plan_cpu){.id = i, .node = has_numa ? numa_node_of_cpu((int)i) : -1};
	}
	in->huge_free_mb = huge_free_mb();
	in->available_mb = available_mb();
	return 0;
}
