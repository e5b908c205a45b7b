/* The journal's thread: what comes faster than it may is counted, told in the file, and told again when it goes on. */
#include "journalist.h"

#include "ics_classify.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CHANGES 30000
#define ANOMALIES 900

static char dir[] = "/tmp/icmpscope-journalist-XXXXXX";
static struct ics_config conf;
static struct journalist j;
static struct plan_in facts;
static struct plan plan;

static void
start(void)
{
	static const char *const port[] = {"eth1"};

	memset(&j, 0, sizeof(j));
	facts.n_cpus = 1;
	facts.cpu[0].id = 0;
	assert_int_equal(journalist_start(&j, &conf, port, 1, &facts, &plan), 0);
}

/* Adds up what the file holds: lines, what they say is lost, openings; numbers go up by one and by what is lost. */
static void
read_back(uint64_t *lines, uint64_t *lost, uint64_t *opened)
{
	static char line[ICS_JOURNAL_LINE_MAX];
	FILE *f = fopen(conf.journal.file, "r");
	json_int_t seq = 0;

	*lines = *lost = *opened = 0;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *o = json_loads(line, 0, NULL), *own = json_object_get(o, "icmpscope");
		json_int_t more = json_integer_value(json_object_get(own, "lost"));

		assert_non_null(own);
		assert_int_equal(json_integer_value(json_object_get(own, "seq")), seq + 1 + more);
		seq += 1 + more;
		*lost += (uint64_t)more;
		++*lines;
		*opened += strcmp(json_string_value(json_object_get(own, "event")), "open") == 0;
		json_decref(o);
	}
	fclose(f);
}

static void
spend_second(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	j.second = (uint64_t)t.tv_sec;
	j.in_second = ICS_JOURNAL_RATE;
}

static void
test_rate(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly *a[ANOMALIES];
	struct ics_state_stats nothing = {0};
	uint64_t lines, lost, opened, told;

	(void)state;
	start();
	for (unsigned i = 0; i < CHANGES; i++) {
		unsigned n = i % ANOMALIES;

		if (i < ANOMALIES) {
			a[n] = ics_anomaly_open(s, "router_flap", i);
			assert_non_null(a[n]);
			a[n]->segment.vlan_outer = ICS_VLAN_NONE;
			a[n]->segment.vlan_inner = ICS_VLAN_NONE;
			snprintf(a[n]->says, sizeof(a[n]->says), "It flaps.");
		}
		/* However slow the machine is: of some seconds the budget is spent. */
		if (i % 100 == 50)
			spend_second();
		ics_anomaly_changed(s, a[n]);
		journalist_turn(&j, s, &nothing);
	}
	assert_true(ics_count_get(&j.stats.dropped) > 0);
	journalist_stop(&j);
	/* Every change is on file or counted. */
	assert_int_equal(ics_count_get(&j.stats.failed), 0);
	read_back(&lines, &lost, &opened);
	assert_int_equal(lost, ics_count_get(&j.stats.dropped));
	assert_int_equal(lines, ics_count_get(&j.stats.written));
	told = CHANGES - lost;
	/* Lines beyond those are the ones that tell of losses. */
	assert_true(lines > told && lines - told < 1000);
	assert_in_range(opened, 1, ANOMALIES);
	ics_anomaly_store_free(s);
	unlink(conf.journal.file);
}

/* What opened and cleared between two turns has both lines; what was not told at its opening is told as one later. */
static void
test_short_lives(void **state)
{
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	struct ics_anomaly *a = ics_anomaly_open(s, "router_flap", 1);
	struct ics_state_stats nothing = {0};
	uint64_t lines, lost, opened;

	(void)state;
	snprintf(a->says, sizeof(a->says), "It flaps.");
	start();
	ics_anomaly_changed(s, a);
	ics_anomaly_clear(s, a, 5);
	journalist_rest(&j, s, &nothing);
	a = ics_anomaly_open(s, "router_flap", 2);
	snprintf(a->says, sizeof(a->says), "It flaps.");
	ics_anomaly_changed(s, a);
	/* The second is full: the opening is lost, the next change is an opening. */
	for (unsigned i = 0; i < 100 && ics_count_get(&j.stats.dropped) == 0; i++) {
		spend_second();
		ics_anomaly_changed(s, a);
		j.said[a->id % ANNOUNCE_SLOTS] = 0;
		journalist_turn(&j, s, &nothing);
	}
	assert_true(ics_count_get(&j.stats.dropped) > 0);
	j.in_second = 0;
	ics_anomaly_changed(s, a);
	journalist_turn(&j, s, &nothing);
	journalist_stop(&j);
	read_back(&lines, &lost, &opened);
	assert_true(lost >= 1);
	assert_true(opened >= 2);
	assert_int_equal(lines, ics_count_get(&j.stats.written));
	ics_anomaly_store_free(s);
	unlink(conf.journal.file);
}

static void
test_off(void **state)
{
	struct ics_state_stats nothing = {0};
	struct ics_anomaly_store *s = ics_anomaly_store_new();
	char file[sizeof(conf.journal.file)];

	(void)state;
	memcpy(file, conf.journal.file, sizeof(file));
	conf.journal.file[0] = '\0';
	start();
	assert_null(j.queue);
	assert_false(journalist_begin(&j, ICS_JOURNAL_START));
	journalist_turn(&j, s, &nothing);
	journalist_rest(&j, s, &nothing);
	journalist_stop(&j);
	memcpy(conf.journal.file, file, sizeof(file));
	ics_anomaly_store_free(s);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	ics_config_init(&conf);
	snprintf(conf.journal.file, sizeof(conf.journal.file), "%s/journal.json", dir);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_short_lives),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
