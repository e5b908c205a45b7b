/* The planner on made-up machines: who gets which CPU, what is warned of, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
		in.cpu[i] = (struct plan_cpu){.id = i, .node = nodes == 0 ? -1 : (int)(i / (cpus / nodes))};
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
	assert_non_null(strstr(err, "0 to 3"));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
