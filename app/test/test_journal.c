/* The journal: each event a line that a strict reader takes, each line on file wholly or not at all, and what is lost is told. */
#include "ics_journal.h"
#include "test_slow.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/icmpscope-journal-XXXXXX";
static char path[64], err[ICS_JOURNAL_ERR_LEN];
static struct ics_journal_found found;
static const char *const ports[] = {"eth1"};
static const struct ics_journal_self self = {
	.host = "tap", .appliance = "a1", .site = "s1", .boot = "b-1", .port = ports, .n_ports = 1};

static int
set_up(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/journal.json", dir);
	/* As the programs do. */
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static int
clean(void **state)
{
	char name[96];

	unlink(path);
	for (unsigned i = 1; i < 5; i++) {
		snprintf(name, sizeof(name), "%s.%u", path, i);
		unlink(name);
	}
	snprintf(name, sizeof(name), "%s.next", path);
	unlink(name);
	return 0;
}

static int
tear_down(void **state)
{
	clean(state);
	return rmdir(dir);
}

static struct ics_journal *
open_it(uint64_t max_bytes, uint64_t max_age_s, uint32_t keep)
{
	struct ics_journal_conf conf = {path, max_bytes, max_age_s, keep};

	return ics_journal_open(&conf, &found, err);
}

static char *
contents(const char *name)
{
	static char buf[1 << 20];
	FILE *f = fopen(name, "r");
	size_t n;

	if (f == NULL)
		return NULL;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	fclose(f);
	return buf;
}

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#define LINE(n) "{\"timestamp\":\"" #n "\"}\n"

static int
write_it(struct ics_journal *j, const char *line, uint64_t now_s)
{
	return ics_journal_write(j, line, strlen(line), now_s);
}

static json_t *
parsed(const struct ics_journal_event *ev, uint64_t seq)
{
	static char buf[ICS_JOURNAL_LINE_MAX];
	int n = ics_journal_line(buf, &self, ev, seq);
	json_error_t error;
	json_t *o;

	assert_in_range(n, 2, ICS_JOURNAL_LINE_MAX);
	assert_ptr_equal(memchr(buf, '\n', (size_t)n), buf + n - 1);
	assert_int_equal(strncmp(buf, "{\"timestamp\":", 13), 0);
	o = json_loadb(buf, (size_t)n, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(o);
	return o;
}

static const char *
text_of(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
test_line_of_an_anomaly(void **state)
{
	static const uint8_t frame[] = "\x33\x33\x00\x00\x00\x01\x00\x00\x5e\x00\x53\x01\x86\xdd"
				       "\x60\x00\x00\x00\x00\x10\x3a\xff"
				       "\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
				       "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
				       "\x86\x00\x12\x34";
	static struct ics_journal_event ev = {.kind = ICS_JOURNAL_OPEN, .ts_ns = 1463012470543000000};
	struct ics_record rec = {.ts_ns = 1463012470543000000, .l3_off = 14, .l4_off = 54, .wire_len = 58};
	struct ics_anomaly *a = &ev.anomaly;
	json_t *o, *own, *ether, *vlan;

	a->id = 17;
	a->seq = 40;
	a->detector = "router_lifetime_zero";
	a->severity = ICS_SEV_CRITICAL;
	a->segment = (struct ics_segment_key){.vlan_outer = 100, .vlan_inner = 10};
	ics_anomaly_note_frame(a, &rec, (struct ics_view){frame, sizeof(frame) - 1}, 0);
	(void)ics_subject_set_text(a, "router", "fe80::1");
	(void)ics_fact_set_text(a, "quoted", "\"\\");
	snprintf(a->says, sizeof(a->says), "It \"said\" so.");
	o = parsed(&ev, 5);
	assert_string_equal(text_of(o, "timestamp"), "2016-05-12T00:21:10.543000+0000");
	assert_string_equal(text_of(o, "event_type"), "anomaly");
	assert_string_equal(text_of(o, "host"), "tap");
	assert_string_equal(text_of(o, "in_iface"), "eth1");
	assert_string_equal(text_of(o, "src_ip"), "fe80::1");
	assert_string_equal(text_of(o, "dest_ip"), "ff02::1");
	assert_string_equal(text_of(o, "proto"), "IPv6-ICMP");
	assert_int_equal(json_integer_value(json_object_get(o, "icmp_type")), 134);
	ether = json_object_get(o, "ether");
	assert_string_equal(text_of(ether, "src_mac"), "00:00:5e:00:53:01");
	assert_string_equal(text_of(ether, "dest_mac"), "33:33:00:00:00:01");
	vlan = json_object_get(o, "vlan");
	assert_int_equal(json_array_size(vlan), 2);
	assert_int_equal(json_integer_value(json_array_get(vlan, 0)), 100);
	assert_string_equal(text_of(json_object_get(o, "anomaly"), "event"), "icmpscope.router_lifetime_zero");
	own = json_object_get(o, "icmpscope");
	assert_string_equal(text_of(own, "event"), "open");
	assert_int_equal(json_integer_value(json_object_get(own, "seq")), 5);
	assert_int_equal(json_integer_value(json_object_get(own, "change")), 40);
	assert_int_equal(json_integer_value(json_object_get(own, "id")), 17);
	assert_string_equal(text_of(own, "boot"), "b-1");
	assert_string_equal(text_of(own, "appliance"), "a1");
	assert_string_equal(text_of(own, "site"), "s1");
	assert_string_equal(text_of(own, "severity"), "critical");
	assert_string_equal(text_of(own, "says"), "It \"said\" so.");
	assert_string_equal(text_of(json_object_get(own, "evidence"), "quoted"), "\"\\");
	assert_null(json_object_get(own, "frames"));
	json_decref(o);

	/* Without a frame the subject tells; without that nobody does. An IPv4 message has its own addresses. */
	memset(a->proof, 0, sizeof(a->proof));
	a->segment = (struct ics_segment_key){.port = 7, .vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};
	ev.kind = ICS_JOURNAL_CLEAR;
	o = parsed(&ev, 6);
	assert_string_equal(text_of(o, "src_ip"), "fe80::1");
	assert_null(json_object_get(o, "vlan"));
	assert_null(json_object_get(o, "in_iface"));
	assert_null(json_object_get(o, "dest_ip"));
	assert_null(json_object_get(o, "ether"));
	json_decref(o);
	a->n_subject = 0;
	a->judged.noted = 0;
	rec.flags = ICS_REC_IP4;
	ics_anomaly_note_frame(a, &rec, (struct ics_view){frame, sizeof(frame) - 1}, 0);
	o = parsed(&ev, 7);
	assert_string_equal(text_of(o, "src_ip"), "0.0.0.0");
	assert_string_equal(text_of(o, "proto"), "ICMP");
	json_decref(o);
	/* Wherever the frame was cut. */
	for (unsigned len = 1; len < sizeof(frame) - 1; len++) {
		a->judged.noted = 0;
		ics_anomaly_note_frame(a, &rec, (struct ics_view){frame, len}, 0);
		json_decref(parsed(&ev, len));
	}
}

/* The longest there can be is a line still. */
static void
test_longest_line(void **state)
{
	static struct ics_journal_event ev = {.kind = ICS_JOURNAL_UPDATE, .ts_ns = UINT64_MAX};
	static char keys[ICS_ANOMALY_FACTS_MAX][64];
	struct ics_anomaly *a = &ev.anomaly;
	char wide[ICS_FACT_TEXT_LEN];

	memset(wide, '"', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	a->detector = "name";
	for (unsigned i = 0; i < ICS_ANOMALY_FACTS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "a_key_that_is_longer_than_those_of_detectors_are_%u", i);
		(void)ics_fact_set_text(a, keys[i], "%s", wide);
		(void)ics_subject_set_text(a, keys[i], "%s", wide);
	}
	memset(a->says, '\\', sizeof(a->says) - 1);
	json_decref(parsed(&ev, UINT64_MAX >> 1));
}

static void
test_line_of_the_program(void **state)
{
	static struct ics_journal_event ev;
	json_t *o, *own;

	for (unsigned kind = ICS_JOURNAL_START; kind < ICS_JOURNAL_KINDS; kind++) {
		ics_journal_event_init(&ev, kind, 1000);
		for (unsigned i = 0; i < ICS_JOURNAL_FACTS_MAX + 2; i++)
			ics_journal_add_uint(&ev, i % 2 ? "a" : "b", i);
		json_decref(parsed(&ev, 1));
	}
	ics_journal_event_init(&ev, ICS_JOURNAL_LOSS, 1000);
	ics_journal_add_text(&ev, "text", "a\nb");
	ics_journal_add_bool(&ev, "yes", true);
	ev.lost_class[ICS_CLASS_nd_ra] = 3;
	o = parsed(&ev, 1);
	own = json_object_get(o, "icmpscope");
	assert_string_equal(text_of(o, "event_type"), "icmpscope");
	assert_string_equal(text_of(own, "event"), "loss");
	assert_string_equal(text_of(own, "text"), "a?b");
	assert_true(json_is_true(json_object_get(own, "yes")));
	assert_int_equal(json_object_size(json_object_get(own, "lost_class")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(own, "lost_class"), "nd_ra")), 3);
	json_decref(o);
}

static void
test_append_and_mode(void **state)
{
	struct ics_journal *j = open_it(0, 0, 0);
	struct stat st;

	assert_non_null(j);
	assert_int_equal(found.bytes + found.torn_bytes, 0);
	assert_false(found.stopped);
	assert_int_equal(write_it(j, LINE(1), 10), 0);
	/* One writer. */
	assert_null(open_it(0, 0, 0));
	assert_non_null(strstr(err, "another process"));
	assert_int_equal(ics_journal_sync(j), 0);
	ics_journal_close(j);
	j = open_it(0, 0, 0);
	assert_int_equal(found.bytes, strlen(LINE(1)));
	assert_int_equal(write_it(j, LINE(2), 10), 0);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(1) LINE(2));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
}

static void
test_torn_line(void **state)
{
	static const char *const ends[] = {"{", "{\"timest", "{\"timestamp\":\"x\",\"a\":"};
	struct ics_journal *j;
	char text[256];

	for (unsigned i = 0; i < 6; i++) {
		snprintf(text, sizeof(text), "%s%s", i < 3 ? LINE(1) : "", ends[i % 3]);
		put(text);
		j = open_it(0, 0, 0);
		if (j == NULL)
			fail_msg("%s", err);
		assert_int_equal(found.torn_bytes, strlen(ends[i % 3]));
		assert_int_equal(found.bytes, i < 3 ? strlen(LINE(1)) : 0);
		assert_int_equal(write_it(j, LINE(2), 10), 0);
		ics_journal_close(j);
		assert_string_equal(contents(path), i < 3 ? LINE(1) LINE(2) : LINE(2));
	}
	/* How the run before ended. */
	put(LINE(1) "{\"timestamp\":\"2\",\"icmpscope\":{\"event\":\"stop\"}}\n");
	ics_journal_close(open_it(0, 0, 0));
	assert_true(found.stopped);
	put("{\"timestamp\":\"2\",\"icmpscope\":{\"event\":\"stop\"}}\n" LINE(1));
	ics_journal_close(open_it(0, 0, 0));
	assert_false(found.stopped);
}

/* Who copies lines knows how many are missing, across runs and rotation. */
static void
test_running_number(void **state)
{
	struct ics_journal_self later = self;
	char buf[ICS_JOURNAL_LINE_MAX];
	struct ics_journal_event ev;
	struct ics_journal *j;

	ics_journal_event_init(&ev, ICS_JOURNAL_STOP, 1000000000u);
	ics_journal_close(open_it(0, 0, 0));
	assert_int_equal(found.line, 0);
	later.lines_before = 41;
	assert_true(ics_journal_line(buf, &later, &ev, 3) > 0);
	assert_non_null(strstr(buf, "\"seq\":3,\"line\":44,"));
	j = open_it(1, 0, 1);
	assert_int_equal(write_it(j, buf, 10), 0);
	ics_journal_close(j);
	ics_journal_close(open_it(0, 0, 0));
	assert_int_equal(found.line, 44);
	/* A file without a line goes on where FILE.1 ended. */
	j = open_it(1, 0, 1);
	later.lines_before = 44;
	assert_true(ics_journal_line(buf, &later, &ev, 1) > 0);
	assert_int_equal(write_it(j, buf, 10), 0);
	ics_journal_close(j);
	put("{\"timest");
	ics_journal_close(open_it(0, 0, 0));
	assert_int_equal(found.line, 44);
}

static void
test_files_of_others(void **state)
{
	put("root:x:0:0\n");
	assert_null(open_it(0, 0, 0));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(err, "is no journal of icmpscope"));
	assert_null(strchr(err, '\n'));
	assert_string_equal(contents(path), "root:x:0:0\n");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(open_it(0, 0, 0));
	assert_non_null(strstr(err, "no regular file"));
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_null(open_it(0, 0, 0));
	unlink(path);
	/* A megabyte of zeroes behind it is no line that was torn. */
	put(LINE(1));
	assert_int_equal(truncate(path, 3 << 20), 0);
	assert_null(open_it(0, 0, 0));
	assert_non_null(strstr(err, "move it away"));
}

static void
test_rotation_by_size(void **state)
{
	struct ics_journal *j = open_it(3 * strlen(LINE(1)), 0, 2);
	char name[96];

	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(write_it(j, LINE(1), 10), 0);
	assert_int_equal(ics_journal_rotations(j), 3);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(1));
	for (unsigned i = 1; i < 3; i++) {
		snprintf(name, sizeof(name), "%s.%u", path, i);
		assert_string_equal(contents(name), LINE(1) LINE(1) LINE(1));
	}
	snprintf(name, sizeof(name), "%s.3", path);
	assert_int_not_equal(access(name, F_OK), 0);
	/* None kept; and a line longer than the limit is a file of its own. */
	j = open_it(5, 0, 0);
	assert_int_equal(write_it(j, LINE(2), 10), 0);
	assert_int_equal(write_it(j, LINE(3), 10), 0);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(3));
}

static void
test_rotation_by_time(void **state)
{
	struct ics_journal *j = open_it(0, 3600, 2);
	uint64_t now = (uint64_t)time(NULL);
	char name[96];

	assert_int_equal(write_it(j, LINE(1), now), 0);
	assert_int_equal(write_it(j, LINE(2), now + 3500), 0);
	assert_int_equal(ics_journal_rotations(j), 0);
	assert_int_equal(write_it(j, LINE(3), now + 3601), 0);
	assert_int_equal(ics_journal_rotations(j), 1);
	/* The clock is set back by a day: no file is a day longer for it. */
	assert_int_equal(write_it(j, LINE(4), now - 86400), 0);
	assert_int_equal(write_it(j, LINE(5), now - 86400 + 3601), 0);
	assert_int_equal(ics_journal_rotations(j), 2);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(5));
	snprintf(name, sizeof(name), "%s.1", path);
	assert_string_equal(contents(name), LINE(3) LINE(4));
}

/* What cannot be rotated goes on. */
static void
test_rotation_that_fails(void **state)
{
	struct ics_journal *j = open_it(2 * strlen(LINE(1)), 0, 1);
	char name[96];

	snprintf(name, sizeof(name), "%s.next", path);
	assert_int_equal(mkdir(name, 0700), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(write_it(j, LINE(1), 10), 0);
	assert_int_equal(rmdir(name), 0);
	assert_string_equal(contents(path), LINE(1) LINE(1) LINE(1) LINE(1));
	assert_int_equal(write_it(j, LINE(2), 30), 0);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(2));
	/* The one before cannot be put away: nothing is lost. */
	clean(state);
	snprintf(name, sizeof(name), "%s.1", path);
	j = open_it(2 * strlen(LINE(1)), 0, 1);
	assert_int_equal(mkdir(name, 0700), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(write_it(j, LINE(1), 10), 0);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(1) LINE(1) LINE(1));
	assert_int_equal(rmdir(name), 0);
}

static void
test_reopen(void **state)
{
	struct ics_journal *j = open_it(0, 0, 0);
	char name[96];

	snprintf(name, sizeof(name), "%s.1", path);
	assert_int_equal(write_it(j, LINE(1), 10), 0);
	assert_int_equal(rename(path, name), 0);
	assert_int_equal(write_it(j, LINE(2), 10), 0);
	assert_int_equal(ics_journal_reopen(j), 0);
	assert_int_equal(write_it(j, LINE(3), 10), 0);
	assert_string_equal(contents(name), LINE(1) LINE(2));
	assert_string_equal(contents(path), LINE(3));
	/* Whoever removes it loses nothing that comes later; whoever empties it leaves no hole. */
	unlink(path);
	assert_int_equal(write_it(j, LINE(4), 10), 0);
	assert_string_equal(contents(path), LINE(4));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(write_it(j, LINE(5), 10), 0);
	assert_string_equal(contents(path), LINE(5));
	/* Something else stands there for a while. */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(ics_journal_reopen(j) < 0);
	assert_true(write_it(j, LINE(6), 20) < 0);
	assert_true(write_it(j, LINE(6), 20) < 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(write_it(j, LINE(7), 30), 0);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(7));
}

/* A line that does not fit leaves nothing of itself; once there is room it goes on. */
static void
test_full_disk(void **state)
{
	struct ics_journal *j = open_it(0, 0, 0);
	struct rlimit before, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = strlen(LINE(1)) * 5 / 2;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(write_it(j, LINE(1), 10), 0);
	assert_int_equal(write_it(j, LINE(2), 10), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(write_it(j, LINE(3), 10), -EFBIG);
	assert_string_equal(contents(path), LINE(1) LINE(2));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(write_it(j, LINE(4), 10), 0);
	ics_journal_close(j);
	assert_string_equal(contents(path), LINE(1) LINE(2) LINE(4));
}

/* Whenever it is killed, the next start finds whole lines, and at most one that was torn. */
static void
test_killed_while_writing(void **state)
{
	static char line[40000];
	uint64_t n = 0;

	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "{\"timestamp\":", 13);
	line[sizeof(line) - 2] = '\n';
	for (unsigned i = 0; i < 20; i++) {
		pid_t child = fork();
		struct ics_journal *j;
		int status;

		if (child == 0) {
			j = open_it(0, 0, 0);
			if (j == NULL)
				_exit(1);
			for (;;)
				if (write_it(j, line, 10) != 0)
					_exit(2);
		}
		assert_true(child > 0);
		usleep(1000 + 317 * i);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		j = open_it(0, 0, 0);
		if (j == NULL)
			fail_msg("%s", err);
		assert_int_equal(found.bytes % (sizeof(line) - 1), 0);
		assert_true(found.torn_bytes < sizeof(line) - 1);
		n += found.bytes;
		ics_journal_close(j);
		assert_int_equal(truncate(path, 0), 0);
	}
	assert_true(n > 0);
}

static void
test_queue(void **state)
{
	struct ics_journal_queue *q = ics_journal_queue_new(4);
	static struct ics_journal_event ev;

	assert_null(ics_journal_queue_new(3));
	assert_non_null(q);
	for (unsigned round = 0; round < 10; round++) {
		assert_null(ics_journal_queue_peek(q));
		for (unsigned i = 0; i < 4; i++) {
			ics_journal_event_init(&ev, ICS_JOURNAL_LOSS, round * 10 + i);
			ics_journal_add_uint(&ev, "n", i);
			ev.lost_class[ICS_CLASS_COUNT - 1] = i;
			assert_true(ics_journal_queue_push(q, &ev));
		}
		assert_false(ics_journal_queue_push(q, &ev));
		assert_int_equal(ics_journal_queue_fill(q), 4);
		for (unsigned i = 0; i < 4; i++) {
			const struct ics_journal_event *out = ics_journal_queue_peek(q);

			assert_int_equal(out->ts_ns, round * 10 + i);
			assert_int_equal(out->fact[0].u, i);
			assert_int_equal(out->lost_class[ICS_CLASS_COUNT - 1], i);
			ics_journal_queue_done(q);
		}
	}
	ev.kind = ICS_JOURNAL_CLEAR;
	memset(&ev.anomaly, 0x5a, sizeof(ev.anomaly));
	assert_true(ics_journal_queue_push(q, &ev));
	assert_memory_equal(&ics_journal_queue_peek(q)->anomaly, &ev.anomaly, sizeof(ev.anomaly));
	ics_journal_queue_free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_of_an_anomaly),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_line_of_the_program),
		cmocka_unit_test_teardown(test_append_and_mode, clean),
		cmocka_unit_test_teardown(test_torn_line, clean),
		cmocka_unit_test_teardown(test_running_number, clean),
		cmocka_unit_test_teardown(test_files_of_others, clean),
		cmocka_unit_test_teardown(test_rotation_by_size, clean),
		cmocka_unit_test_teardown(test_rotation_by_time, clean),
		cmocka_unit_test_teardown(test_rotation_that_fails, clean),
		cmocka_unit_test_teardown(test_reopen, clean),
		cmocka_unit_test_teardown(test_full_disk, clean),
		cmocka_unit_test_teardown(test_killed_while_writing, clean),
		cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
