/* The planner on made-up machines: who gets which CPU, what is warned of, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct plan_in in;
static struct plan out;
static char err[PLAN_TEXT_LEN];

/* cpus CPUs spread over nodes in turns of cpus / nodes; one port on no node; 4 GB and no hugepages. */
static void
machine(unsigned cpus, unsigned nodes)
{
	memset(&in, 0, sizeof(in));
	in.n_cpus = cpus;
	for (unsigned i = 0; i < cpus; i++)
		in.cpu[i] =
			(struct plan_cpu){.id = i, .node = nodes == 0 ? -1 : (int)(i / (cpus / nodes)), .core = (int)i};
	in.n_ports = 1;
	for (unsigned i = 0; i < PLAN_PORTS_MAX; i++)
		in.port[i] = (struct plan_port){.name = "p", .node = -1, .max_queues = 1, .data_room = 2176};
	in.worker_bytes = 6u << 20;
	in.available_mb = 4096;
}

static void
want(unsigned n, const unsigned *cpus)
{
	in.n_wanted = n;
	memcpy(in.wanted, cpus, n * sizeof(*cpus));
}

static void
make(void)
{
	err[0] = '\0';
	assert_int_equal(plan_make(&in, &out, err), 0);
	assert_string_equal(err, "");
	for (unsigned i = 0; i < out.n_workers; i++)
		assert_int_equal(out.worker[i].lcore, i + 1);
}

static bool
warned(const char *what)
{
	for (unsigned i = 0; i < out.n_warnings; i++)
		if (strstr(out.warning[i], what) != NULL)
			return true;
	return false;
}

static void
test_two_cpus_one_each(void **state)
{
	machine(2, 1);
	make();
	assert_int_equal(out.main_cpu, 0);
	assert_int_equal(out.n_workers, 1);
	assert_int_equal(out.worker[0].cpu, 1);
	assert_false(out.worker[0].shared);
	assert_int_equal(out.n_warnings, 0);
}

static void
test_one_cpu_is_shared_and_said(void **state)
{
	machine(1, 1);
	make();
	assert_int_equal(out.worker[0].cpu, 0);
	assert_true(out.worker[0].shared);
	assert_true(warned("shares CPU 0 with the control core, the only one"));
}

static void
test_more_ports_than_cpus(void **state)
{
	machine(3, 1);
	in.n_ports = 4;
	make();
	assert_int_equal(out.n_workers, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(out.worker[i].port, i);
		assert_int_equal(out.worker[i].cpu, 1 + i % 2);
		assert_true(out.worker[i].shared);
	}
	assert_int_equal(out.n_warnings, 4);
	assert_true(warned("with another worker"));
}

static void
test_worker_goes_to_the_node_of_its_port(void **state)
{
	machine(8, 2);
	in.port[0].node = 1;
	make();
	assert_int_equal(out.worker[0].node, 1);
	assert_int_equal(out.main_cpu, 0);
	assert_int_equal(out.n_warnings, 0);
}

/* One CPU on the port's node: the control core leaves it to the worker, though it is the lowest. */
static void
test_control_makes_room(void **state)
{
	machine(2, 2);
	in.port[0].node = 0;
	make();
	assert_int_equal(out.worker[0].cpu, 0);
	assert_int_equal(out.main_cpu, 1);
	assert_int_equal(out.n_warnings, 0);
}

static void
test_remote_worker_is_said(void **state)
{
	machine(8, 2);
	in.port[0].node = 0;
	want(1, (unsigned[]){6});
	make();
	assert_int_equal(out.worker[0].cpu, 6);
	assert_true(warned("runs on NUMA node 1, its port p is on node 0"));
}

static void
test_operator_spreads_queues(void **state)
{
	machine(8, 1);
	in.n_ports = 2;
	in.port[0].max_queues = 16;
	want(4, (unsigned[]){2, 3, 4, 5});
	make();
	assert_int_equal(out.queues[0], 3);
	assert_int_equal(out.queues[1], 1);
	assert_int_equal(out.n_workers, 4);
	assert_int_equal(out.main_cpu, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_false(out.worker[i].shared);
	assert_int_equal(out.n_warnings, 0);
}

static void
test_idle_cpus_are_said(void **state)
{
	machine(4, 1);
	want(3, (unsigned[]){1, 2, 3});
	make();
	assert_int_equal(out.n_workers, 1);
	assert_true(warned("2 of the 3 worker CPUs stay idle"));
}

static void
test_all_cpus_wanted(void **state)
{
	machine(2, 1);
	in.port[0].max_queues = 8;
	want(2, (unsigned[]){0, 1});
	make();
	assert_int_equal(out.n_workers, 2);
	assert_true(warned("leave one CPU out of -w"));
}

static void
test_wanted_cpu_that_is_not_there(void **state)
{
	machine(4, 1);
	want(1, (unsigned[]){9});
	assert_int_equal(plan_make(&in, &out, err), -EINVAL);
	assert_non_null(strstr(err, "CPU 9"));
	assert_non_null(strstr(err, "0-3"));
}

static void
test_no_port(void **state)
{
	machine(4, 1);
	in.n_ports = 0;
	assert_int_equal(plan_make(&in, &out, err), -ERANGE);
	assert_non_null(strstr(err, "-p"));
}

static void
test_too_many_workers(void **state)
{
	unsigned cpus[100];

	machine(128, 2);
	for (unsigned i = 0; i < 100; i++)
		cpus[i] = i + 1;
	want(100, cpus);
	in.port[0].max_queues = 128;
	assert_int_equal(plan_make(&in, &out, err), -ERANGE);
	assert_non_null(strstr(err, "64"));
}

static void
test_memory(void **state)
{
	uint64_t plain;

	machine(2, 1);
	make();
	plain = out.memory_mb;
	/* 8,191 buffers of 2,432 bytes, 10 MB more for the port, 6 MB for the worker, an eighth more, and the base. */
	assert_in_range(plain, 85, 92);
	assert_false(out.hugepages);

	in.huge_free_mb = plain;
	make();
	assert_true(out.hugepages);
	in.huge_free_mb = plain - 1;
	make();
	assert_false(out.hugepages);

	in.port[0].extra_mbufs = 100000;
	make();
	assert_in_range(out.memory_mb - plain, 250, 270);

	in.available_mb = 100;
	assert_int_equal(plan_make(&in, &out, err), -ENOMEM);
	assert_non_null(strstr(err, "worker.ring_bulk"));
}

/* Twelve AF_PACKET ports did not start with 576 MB. */
static void
test_memory_of_many_ports(void **state)
{
	machine(2, 1);
	in.n_ports = 12;
	in.worker_bytes = 14u << 20;
	make();
	assert_in_range(out.memory_mb, 620, 680);
}

static void
test_configured_memory_wins_and_is_doubted(void **state)
{
	machine(2, 1);
	in.memory_mb = 60;
	make();
	assert_int_equal(out.memory_mb, 60);
	assert_true(warned("eal.memory_mb is 60"));
	in.memory_mb = 1000;
	make();
	assert_int_equal(out.memory_mb, 1000);
	assert_int_equal(out.n_warnings, 0);
}

static void
test_cpu_lists(void **state)
{
	unsigned cpu[8];

	assert_int_equal(plan_parse_cpus("", cpu, 8), 0);
	assert_int_equal(plan_parse_cpus("2,4-6,5", cpu, 8), 4);
	assert_int_equal(cpu[0], 2);
	assert_int_equal(cpu[3], 6);
	for (unsigned i = 0; i < 9; i++) {
		static const char *const bad[] = {",", "1,", "a", "1-", "5-4", "-1", "1 ", "0-8", "1,,2"};

		assert_int_equal(plan_parse_cpus(bad[i], cpu, 8), -EINVAL);
	}
	assert_int_equal(plan_parse_cpus("99999999999999999999", cpu, 8), -EINVAL);
}

/* Two threads a core: CPU i and CPU i + cpus / 2 are one. */
static void
smt_machine(unsigned cpus, unsigned nodes)
{
	machine(cpus, nodes);
	for (unsigned i = 0; i < cpus; i++) {
		unsigned core = i % (cpus / 2);

		in.cpu[i].core = (int)core;
		in.cpu[i].node = nodes == 0 ? -1 : (int)(core / (cpus / 2 / nodes));
	}
}

/* Whatever the machine: each worker has a CPU that the process may use, each queue one worker, and the figures are those of the
 * workers.
 */
static void
check_plan(void)
{
	unsigned remote = 0, shared = 0, smt = 0, control = 0, n = 0;

	for (unsigned i = 0; i < out.n_workers; i++) {
		const struct plan_worker *w = &out.worker[i];
		const struct plan_cpu *cpu = NULL, *main_cpu = NULL;
		bool is_shared = w->cpu == out.main_cpu, is_smt = false;

		for (unsigned k = 0; k < in.n_cpus; k++) {
			if (in.cpu[k].id == w->cpu)
				cpu = &in.cpu[k];
			if (in.cpu[k].id == out.main_cpu)
				main_cpu = &in.cpu[k];
		}
		assert_non_null(cpu);
		assert_non_null(main_cpu);
		is_smt = cpu != main_cpu && cpu->core >= 0 && cpu->core == main_cpu->core;
		for (unsigned j = 0; j < out.n_workers; j++) {
			const struct plan_worker *v = &out.worker[j];

			if (i == j)
				continue;
			assert_true(v->port != w->port || v->queue != w->queue);
			is_shared |= v->cpu == w->cpu;
			for (unsigned k = 0; k < in.n_cpus; k++)
				is_smt |= in.cpu[k].id == v->cpu && v->cpu != w->cpu && cpu->core >= 0 &&
					  in.cpu[k].core == cpu->core;
		}
		assert_int_equal(w->shared, is_shared);
		assert_int_equal(w->smt, is_smt);
		assert_int_equal(w->node, cpu->node);
		remote += w->node >= 0 && w->port_node >= 0 && w->node != w->port_node;
		shared += is_shared;
		smt += is_smt;
		control += w->cpu == out.main_cpu;
	}
	for (unsigned i = 0; i < in.n_ports; i++)
		n += out.queues[i];
	assert_int_equal(n, out.n_workers);
	assert_int_equal(out.figures.remote, remote);
	assert_int_equal(out.figures.shared, shared);
	assert_int_equal(out.figures.smt, smt);
	assert_int_equal(out.figures.with_control, control);
	/* No compromise without a word. */
	if (remote + shared + smt > 0)
		assert_true(out.n_warnings > 0);
}

/* Two threads of one core only: it is said, and there is no better place. */
static void
test_one_core_of_two_threads(void **state)
{
	smt_machine(2, 1);
	make();
	check_plan();
	assert_int_equal(out.worker[0].cpu, 1);
	assert_true(out.worker[0].smt);
	assert_true(warned("physical core another thread"));
}

/* Workers and the control core take cores of their own before they take the other thread of one. */
static void
test_cores_before_threads(void **state)
{
	smt_machine(8, 1);
	in.n_ports = 3;
	make();
	check_plan();
	assert_int_equal(out.main_cpu, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(out.worker[i].cpu, i + 1);
	assert_int_equal(out.n_warnings, 0);
	/* The fifth thread has to share. */
	in.n_ports = 4;
	make();
	check_plan();
	assert_int_equal(out.figures.smt, 1);
	assert_int_equal(out.figures.shared, 0);
}

/* The same where the threads of a core are numbered one after the other. */
static void
test_cores_before_threads_in_turn(void **state)
{
	machine(8, 1);
	for (unsigned i = 0; i < 8; i++)
		in.cpu[i].core = (int)(i & ~1u);
	in.n_ports = 3;
	make();
	check_plan();
	assert_int_equal(out.main_cpu, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(out.worker[i].cpu, 2 * i + 2);
	assert_int_equal(out.n_warnings, 0);
}

/* The operator names one thread of each core: the control core does not take the other one of any while there is a core left. */
static void
test_control_avoids_cores_of_workers(void **state)
{
	smt_machine(8, 1);
	in.port[0].max_queues = 8;
	want(3, (unsigned[]){0, 1, 3});
	make();
	check_plan();
	assert_int_equal(out.main_cpu, 2);
	assert_int_equal(out.figures.smt, 0);
}

/* A thread next door before a frame crosses over. */
static void
test_near_thread_before_far_core(void **state)
{
	smt_machine(8, 2);
	in.port[0].node = 1;
	in.port[0].max_queues = 4;
	in.n_ports = 1;
	want(6, (unsigned[]){2, 3, 6, 7, 0, 1});
	make();
	check_plan();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(out.worker[i].node, 1);
	assert_int_equal(out.figures.remote, 0);
	assert_int_equal(out.figures.idle_cpus, 2);
	assert_true(warned("2 of the 6 worker CPUs stay idle"));
}

/* Where no near CPU is left, the nearest. */
static void
test_nearest_of_the_far(void **state)
{
	machine(4, 4);
	for (unsigned a = 0; a < 4; a++)
		for (unsigned b = 0; b < 4; b++)
			in.distance[a][b] = (uint8_t)(a == b ? 10 : 20 + 10 * (a > b ? a - b : b - a));
	in.port[0].node = 3;
	want(2, (unsigned[]){0, 1});
	make();
	check_plan();
	assert_int_equal(out.worker[0].cpu, 1);
	assert_int_equal(out.figures.remote, 1);
}

static void
test_128_cpus(void **state)
{
	unsigned cpus[60];

	smt_machine(128, 2);
	in.n_ports = 16;
	for (unsigned i = 0; i < 16; i++)
		in.port[i] = (struct plan_port){.name = "p", .node = (int)(i % 2), .max_queues = 64, .data_room = 2176};
	in.available_mb = 65536;
	make();
	check_plan();
	assert_int_equal(out.n_workers, 16);
	assert_int_equal(out.n_warnings, 0);
	for (unsigned i = 0; i < 60; i++)
		cpus[i] = i + 2;
	want(60, cpus);
	make();
	check_plan();
	assert_int_equal(out.n_workers, 60);
	assert_int_equal(out.figures.shared, 0);
	assert_int_equal(out.figures.smt, 0);
	assert_int_equal(out.figures.idle_cpus, 0);
	assert_true(out.main_cpu < 2 || out.main_cpu >= 62);
}

/* 1, 2 and 7 of many are left by the cgroup; numbers of lcores are not numbers of CPUs. */
static void
test_cpus_with_gaps(void **state)
{
	machine(3, 1);
	in.cpu[0].id = 1;
	in.cpu[1].id = 2;
	in.cpu[2].id = 7;
	in.absence[0] = PLAN_FORBIDDEN;
	in.absence[3] = PLAN_OFFLINE;
	in.n_ports = 2;
	make();
	check_plan();
	assert_int_equal(out.main_cpu, 1);
	assert_int_equal(out.worker[0].cpu, 2);
	assert_int_equal(out.worker[1].cpu, 7);
	want(1, (unsigned[]){0});
	assert_int_equal(plan_make(&in, &out, err), -EINVAL);
	assert_non_null(strstr(err, "CPU 0 is outside of what this process may use"));
	assert_non_null(strstr(err, "1-2,7 may be used"));
	want(1, (unsigned[]){3});
	assert_int_equal(plan_make(&in, &out, err), -EINVAL);
	assert_non_null(strstr(err, "CPU 3 is offline"));
	want(1, (unsigned[]){4});
	assert_int_equal(plan_make(&in, &out, err), -EINVAL);
	assert_non_null(strstr(err, "there is no CPU 4"));
	want(1, (unsigned[]){99999});
	assert_int_equal(plan_make(&in, &out, err), -EINVAL);
	assert_non_null(strstr(err, "there is no CPU 99999"));
}

static void
test_throttled_cgroup(void **state)
{
	machine(4, 1);
	in.quota_milli = 1500;
	make();
	assert_true(warned("may use 1.50 CPUs"));
	assert_true(warned("200 %"));
	in.quota_milli = 2000;
	make();
	assert_int_equal(out.n_warnings, 0);
}

/* Nodes and cores that nobody knows are no compromise. */
static void
test_nothing_is_known(void **state)
{
	machine(4, 0);
	for (unsigned i = 0; i < 4; i++)
		in.cpu[i].core = -1;
	in.port[0].node = 1;
	in.n_ports = 3;
	make();
	check_plan();
	assert_int_equal(out.n_warnings, 0);
}

static void
test_background(void **state)
{
	unsigned cpu[PLAN_CPUS_MAX];

	machine(4, 1);
	make();
	assert_int_equal(plan_background(&in, &out, cpu), 2);
	assert_int_equal(cpu[0], 2);
	assert_int_equal(cpu[1], 3);
	machine(2, 1);
	make();
	assert_int_equal(plan_background(&in, &out, cpu), 1);
	assert_int_equal(cpu[0], out.main_cpu);
	machine(1, 1);
	make();
	assert_int_equal(plan_background(&in, &out, cpu), 1);
	assert_int_equal(cpu[0], 0);
}

static uint32_t
dice(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % n;
}

/* Machines of all kinds, three thousand of them. */
static void
test_made_up_machines(void **state)
{
	uint32_t d = 1;
	unsigned planned = 0;

	for (unsigned round = 0; round < 3000; round++) {
		unsigned cores = 1 + dice(&d, 16), threads = 1 + dice(&d, 2), nodes = 1 + dice(&d, 3), n = 0;

		machine(1, 1);
		for (unsigned i = 0; i < cores * threads; i++)
			if (i == 0 || dice(&d, 4) != 0)
				in.cpu[n++] = (struct plan_cpu){
					.id = i, .node = (int)(i % cores * nodes / cores), .core = (int)(i % cores)};
		in.n_cpus = n;
		in.n_ports = 1 + dice(&d, 4);
		for (unsigned i = 0; i < in.n_ports; i++) {
			in.port[i].node = (int)dice(&d, nodes + 1) - 1;
			in.port[i].max_queues = 1 + dice(&d, 8);
		}
		for (unsigned i = 0; i < n && dice(&d, 2) != 0; i++)
			in.wanted[in.n_wanted++] = in.cpu[dice(&d, n)].id;
		/* A CPU that is named twice is no case: plan_parse_cpus() takes it once. */
		for (unsigned i = 0; i < in.n_wanted; i++)
			for (unsigned j = i + 1; j < in.n_wanted; j++)
				if (in.wanted[i] == in.wanted[j])
					in.wanted[j--] = in.wanted[--in.n_wanted];
		if (plan_make(&in, &out, err) != 0)
			continue;
		planned++;
		check_plan();
		/* With a CPU to spare nobody shares one. */
		if (in.n_wanted == 0 && n > out.n_workers)
			assert_int_equal(out.figures.shared, 0);
		if (in.n_wanted > 0)
			for (unsigned i = 0; i < out.n_workers; i++) {
				bool named = false;

				for (unsigned k = 0; k < in.n_wanted; k++)
					named |= in.wanted[k] == out.worker[i].cpu;
				assert_true(named);
			}
	}
	assert_int_equal(planned, 3000);
}

/* What --plan prints, in at most 80 columns. */
static char *
printed(void)
{
	char path[] = "/tmp/test_plan.XXXXXX", *text = calloc(1, 65536);
	int fd = mkstemp(path), saved = dup(STDOUT_FILENO);
	unsigned col = 0;

	assert_true(fd >= 0 && saved >= 0);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	assert_int_equal(plan_print(&in, &out), 0);
	dup2(saved, STDOUT_FILENO);
	assert_true(pread(fd, text, 65535, 0) > 0);
	close(fd);
	close(saved);
	unlink(path);
	for (const char *p = text; *p != '\0'; p++) {
		col = *p == '\n' ? 0 : col + 1;
		if (col > 80)
			fail_msg("more than 80 columns: %.100s", p - 80);
		assert_false(*p == '\n' && p > text && p[-1] == ' ');
	}
	return text;
}

static void
test_print(void **state)
{
	char *text;

	smt_machine(8, 2);
	in.n_ports = 2;
	in.port[0] = (struct plan_port){.name = "0000:3b:00.0", .node = 1, .max_queues = 4, .data_room = 2176};
	in.port[1] = (struct plan_port){
		.name = "net_pcap0,rx_pcap=/a/path/that/is/longer/than/the/column.pcap", .node = -1, .max_queues = 1};
	in.ring_bytes = 5u << 20;
	want(4, (unsigned[]){0, 1, 2, 6});
	make();
	text = printed();
	assert_non_null(strstr(text, "CPUs that may be used: 0-7\n"));
	assert_non_null(strstr(text, "   0  0000:3b:00.0                            1      3    24575     57 MB\n"));
	assert_non_null(strstr(text, "net_pcap0,rx_pcap=/a/path/that/is/l~"));
	assert_non_null(strstr(text, "core shared"));
	assert_non_null(strstr(text, "far node"));
	assert_non_null(strstr(text, "warning: worker "));
	free(text);
	machine(2, 1);
	in.ring_bytes = 5u << 20;
	make();
	text = printed();
	assert_non_null(strstr(text, "No compromise.\n"));
	assert_non_null(strstr(text, "Other threads  on CPUs 0 "));
	free(text);
}

static void
test_ranges(void **state)
{
	char buf[16], small[6];
	unsigned many[64];

	assert_string_equal(plan_ranges((unsigned[]){0, 1, 2, 5}, 4, buf, sizeof(buf)), "0-2,5");
	assert_string_equal(plan_ranges((unsigned[]){3}, 1, buf, sizeof(buf)), "3");
	assert_string_equal(plan_ranges(NULL, 0, buf, sizeof(buf)), "none");
	for (unsigned i = 0; i < 64; i++)
		many[i] = 2 * i;
	for (size_t size = 6; size <= sizeof(buf); size++) {
		plan_ranges(many, 64, buf, size);
		assert_true(strlen(buf) < size);
		assert_non_null(strstr(buf, "..."));
	}
	assert_non_null(plan_ranges(many, 64, small, sizeof(small)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_cpus_one_each),
		cmocka_unit_test(test_one_cpu_is_shared_and_said),
		cmocka_unit_test(test_more_ports_than_cpus),
		cmocka_unit_test(test_worker_goes_to_the_node_of_its_port),
		cmocka_unit_test(test_control_makes_room),
		cmocka_unit_test(test_remote_worker_is_said),
		cmocka_unit_test(test_operator_spreads_queues),
		cmocka_unit_test(test_idle_cpus_are_said),
		cmocka_unit_test(test_all_cpus_wanted),
		cmocka_unit_test(test_wanted_cpu_that_is_not_there),
		cmocka_unit_test(test_no_port),
		cmocka_unit_test(test_too_many_workers),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_of_many_ports),
		cmocka_unit_test(test_configured_memory_wins_and_is_doubted),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_one_core_of_two_threads),
		cmocka_unit_test(test_cores_before_threads),
		cmocka_unit_test(test_cores_before_threads_in_turn),
		cmocka_unit_test(test_control_avoids_cores_of_workers),
		cmocka_unit_test(test_near_thread_before_far_core),
		cmocka_unit_test(test_nearest_of_the_far),
		cmocka_unit_test(test_128_cpus),
		cmocka_unit_test(test_cpus_with_gaps),
		cmocka_unit_test(test_throttled_cgroup),
		cmocka_unit_test(test_nothing_is_known),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_made_up_machines),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
