/* Follows journals that the real writer writes and rotates, that others rotate, that are removed, torn or begun anew; the
 * cursor survives what kills its writer.
 */
#include "ics_follow.h"
#include "ics_journal.h"

#include "test_common.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/icmpscope-follow-XXXXXX";
static char path[64], cursor_path[80], err[ICS_FOLLOW_ERR_LEN];
static struct ics_journal_self self = {.host = "tap", .appliance = "a1", .site = "s1", .boot = "b-1"};
static uint64_t seq;
static struct ics_journal *writer;
static struct ics_follow *reader;

static void
begin_run(const char *boot, uint64_t max_bytes, uint32_t keep)
{
	struct ics_journal_conf conf = {path, max_bytes, 0, keep};
	char why[ICS_JOURNAL_ERR_LEN];
	struct ics_journal_found found;

	ics_journal_close(writer);
	writer = ics_journal_open(&conf, &found, why);
	if (writer == NULL)
		fail_msg("%s", why);
	self.boot = boot;
	self.lines_before = found.line;
	seq = 0;
}

static void
write_one(enum ics_journal_kind kind, uint64_t lost)
{
	char buf[ICS_JOURNAL_LINE_MAX];
	struct ics_journal_event ev;
	int n;

	ics_journal_event_init(&ev, kind, 1000000000u);
	if (lost != 0)
		ics_journal_add_uint(&ev, "lost", lost);
	seq += 1 + lost;
	n = ics_journal_line(buf, &self, &ev, seq);
	assert_true(n > 0);
	assert_int_equal(ics_journal_write(writer, buf, (size_t)n, 100), 0);
}

static void
write_lines(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		write_one(ICS_JOURNAL_REOPEN, 0);
}

static int
set_up(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/journal.json", dir);
	snprintf(cursor_path, sizeof(cursor_path), "%s/cursor", dir);
	return 0;
}

static int
clean(void **state)
{
	char name[96];

	ics_journal_close(writer);
	writer = NULL;
	ics_follow_free(reader);
	reader = NULL;
	unlink(path);
	unlink(cursor_path);
	for (unsigned i = 1; i < 40; i++) {
		snprintf(name, sizeof(name), "%s.%u", path, i);
		unlink(name);
	}
	return 0;
}

static int
tear_down(void **state)
{
	clean(state);
	return rmdir(dir);
}

static void
follow(const struct ics_follow_pos *after)
{
	static const struct ics_follow_pos start;

	ics_follow_free(reader);
	reader = ics_follow_new(path, 3);
	assert_non_null(reader);
	ics_follow_seek(reader, after != NULL ? after : &start);
}

static struct ics_follow_line got;

/* The next line has this number, and so many are missing before it. */
static void
expect(uint64_t line, uint64_t missing)
{
	int rc = ics_follow_next(reader, &got);

	if (rc != 1)
		fail_msg("%d instead of line %llu", rc, (unsigned long long)line);
	assert_int_equal(got.pos.line, line);
	assert_int_equal(got.missing, missing);
	assert_false(got.anew);
	assert_int_equal(got.text[0], '{');
	assert_int_equal(got.text[got.len - 1], '}');
}

static void
expect_none(void)
{
	assert_int_equal(ics_follow_next(reader, &got), 0);
	assert_int_equal(ics_follow_next(reader, &got), 0);
}

static void
test_follow_rotation(void **state)
{
	follow(NULL);
	assert_int_equal(ics_follow_next(reader, &got), -ENOENT);
	begin_run("b-1", 1000, 3);
	assert_int_equal(ics_follow_next(reader, &got), 0);
	/* In step with the writer. */
	for (unsigned i = 1; i <= 40; i++) {
		write_lines(1);
		expect(i, 0);
		expect_none();
	}
	assert_true(ics_journal_rotations(writer) > 3);
	/* Files behind, all of them still there. */
	write_lines(15);
	for (unsigned i = 41; i <= 55; i++)
		expect(i, 0);
	expect_none();
	/* Another run goes on. */
	begin_run("b-2", 1000, 3);
	write_lines(2);
	expect(56, 0);
	assert_string_equal(got.pos.boot, "b-2");
	assert_int_equal(got.pos.seq, 1);
	expect(57, 0);
	expect_none();
	assert_int_equal(ics_follow_damaged(reader), 0);
}

static void
test_gap_is_counted(void **state)
{
	uint64_t last = 3;

	begin_run("b-1", 1000, 1);
	write_lines(3);
	follow(NULL);
	expect(1, 0);
	expect(2, 0);
	/* It holds the file that goes: the lines in it are not lost. */
	write_lines(97);
	expect(3, 0);
	while (ics_follow_next(reader, &got) == 1 && got.missing == 0) {
		assert_true(got.pos.line < 100);
		last = got.pos.line;
	}
	assert_true(got.missing > 50);
	assert_int_equal(got.missing, got.pos.line - last - 1);
	for (uint64_t i = got.pos.line + 1; i <= 100; i++)
		expect(i, 0);
	expect_none();
}

/* The same after a restart: exactly as many as there are numbers between. */
static void
test_gap_after_restart(void **state)
{
	struct ics_follow_pos pos;
	uint64_t first;

	begin_run("b-1", 1000, 1);
	write_lines(2);
	follow(NULL);
	expect(1, 0);
	pos = got.pos;
	write_lines(98);
	follow(NULL);
	assert_int_equal(ics_follow_next(reader, &got), 1);
	assert_int_equal(got.missing, 0);
	first = got.pos.line;
	assert_true(first > 50);
	follow(&pos);
	expect(first, first - 2);
	expect(first + 1, 0);
}

static void
test_told_as_lost(void **state)
{
	begin_run("b-1", 0, 0);
	write_lines(1);
	write_one(ICS_JOURNAL_LOST, 5);
	write_lines(1);
	follow(NULL);
	expect(1, 0);
	expect(7, 0);
	expect(8, 0);
	expect_none();
}

static void
test_place_is_found_again(void **state)
{
	struct ics_follow_pos pos, only;

	begin_run("b-1", 1000, 3);
	write_lines(8);
	follow(NULL);
	for (unsigned i = 1; i <= 3; i++)
		expect(i, 0);
	pos = got.pos;
	write_lines(4);
	follow(&pos);
	expect(4, 0);
	/* As the stream tells it: the line alone. */
	only = (struct ics_follow_pos){.line = pos.line, .seq = pos.seq};
	strcpy(only.boot, pos.boot);
	follow(&only);
	for (unsigned i = 4; i <= 12; i++)
		expect(i, 0);
	/* At the very end. */
	only = got.pos;
	only.ino = only.off = 0;
	follow(&only);
	expect_none();
	write_lines(1);
	expect(13, 0);
	/* An offset that is not where a line of that name ends. */
	pos.off -= 3;
	follow(&pos);
	expect(4, 0);
}

static void
test_numbers_come_again(void **state)
{
	struct ics_follow_pos pos;

	/* The latest lines did not survive a power failure: the run after gives their numbers again. */
	begin_run("b-1", 0, 0);
	write_lines(5);
	follow(NULL);
	for (unsigned i = 1; i <= 5; i++)
		expect(i, 0);
	pos = got.pos;
	assert_int_equal(truncate(path, (off_t)(pos.off / 5 * 3)), 0);
	begin_run("b-2", 0, 0);
	write_lines(4);
	follow(&pos);
	expect(4, 0);
	assert_string_equal(got.pos.boot, "b-2");
	expect(5, 0);
	expect(6, 0);
	expect(7, 0);
	expect_none();
}

static void
test_begun_anew(void **state)
{
	struct ics_follow_pos pos;

	begin_run("b-1", 0, 0);
	write_lines(5);
	follow(NULL);
	for (unsigned i = 1; i <= 5; i++)
		expect(i, 0);
	pos = got.pos;
	/* Removed while it is read. */
	unlink(path);
	begin_run("b-2", 0, 0);
	write_lines(3);
	assert_int_equal(ics_follow_next(reader, &got), 1);
	assert_true(got.anew);
	assert_int_equal(got.pos.line, 1);
	expect(2, 0);
	expect(3, 0);
	/* And while nobody read. */
	follow(&pos);
	assert_int_equal(ics_follow_next(reader, &got), 1);
	assert_true(got.anew);
	assert_int_equal(got.pos.line, 1);
	expect(2, 0);
}

/* logrotate renames, and the writer goes on in the renamed file until it is told. */
static void
test_renamed_by_others(void **state)
{
	char earlier[96];

	snprintf(earlier, sizeof(earlier), "%s.1", path);
	begin_run("b-1", 0, 0);
	write_lines(2);
	follow(NULL);
	expect(1, 0);
	expect(2, 0);
	assert_int_equal(rename(path, earlier), 0);
	expect_none();
	close(open(path, O_CREAT | O_WRONLY, 0640));
	expect_none();
	write_lines(2);
	expect(3, 0);
	expect(4, 0);
	write_lines(1);
	assert_int_equal(ics_journal_reopen(writer), 0);
	write_lines(1);
	expect(5, 0);
	expect(6, 0);
	expect_none();
}

static void
append(const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
test_torn_and_foreign(void **state)
{
	char *big = malloc(300000);

	begin_run("b-1", 0, 1);
	write_lines(1);
	follow(NULL);
	expect(1, 0);
	/* Half a line is none; what takes it away again changes nothing. */
	append("{\"timestamp\":\"2026");
	expect_none();
	begin_run("b-2", 0, 1);
	write_lines(1);
	expect(2, 0);
	append("nonsense\n\n{\"icmpscope\":{}}\n[1]\n");
	memset(big, 'x', 299999);
	big[299998] = '\n';
	big[299999] = '\0';
	append(big);
	write_lines(1);
	expect(3, 0);
	assert_int_equal(ics_follow_damaged(reader), 5);
	/* A torn end that nobody takes away: the file was renamed before the next run. */
	append("{\"torn");
	snprintf(big, 300, "%s.1", path);
	assert_int_equal(rename(path, big), 0);
	begin_run("b-3", 0, 1);
	expect_none();
	write_lines(1);
	assert_int_equal(ics_follow_next(reader, &got), 1);
	free(big);
}

static void
test_emptied_in_place(void **state)
{
	begin_run("b-1", 0, 0);
	write_lines(3);
	follow(NULL);
	expect(1, 0);
	expect(2, 0);
	expect(3, 0);
	assert_int_equal(truncate(path, 0), 0);
	expect_none();
	write_lines(2);
	expect(4, 0);
	expect(5, 0);
}

static void
test_cursor(void **state)
{
	struct ics_follow_pos pos = {0}, back;
	struct ics_cursor c, other;
	struct stat st;
	uint8_t byte = 0x5a;
	int fd;

	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a1", &back, err), 0);
	assert_int_equal(back.line, 0);
	assert_false(c.damaged);
	assert_int_equal(stat(cursor_path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	/* One user. */
	assert_int_equal(ics_cursor_open(&other, cursor_path, "s1.a1", &back, err), -EWOULDBLOCK);
	assert_non_null(strstr(err, "one exporter"));
	strcpy(pos.boot, "b-1");
	for (unsigned i = 1; i <= 7; i++) {
		pos.line = i;
		assert_int_equal(ics_cursor_write(&c, &pos), 0);
	}
	ics_cursor_close(&c);
	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a1", &back, err), 0);
	assert_int_equal(back.line, 7);
	assert_string_equal(back.boot, "b-1");
	ics_cursor_close(&c);
	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a2", &back, err), -EINVAL);
	assert_non_null(strstr(err, "another appliance"));
	/* The latest half is torn: the one before stands. Both: it is said. */
	fd = open(cursor_path, O_RDWR);
	assert_int_equal(pwrite(fd, &byte, 1, 4096 + 60), 1);
	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a1", &back, err), 0);
	assert_int_equal(back.line, 6);
	assert_false(c.damaged);
	ics_cursor_close(&c);
	assert_int_equal(pwrite(fd, &byte, 1, 60), 1);
	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a1", &back, err), 0);
	assert_int_equal(back.line, 0);
	assert_true(c.damaged);
	assert_int_equal(ics_cursor_write(&c, &pos), 0);
	ics_cursor_close(&c);
	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a1", &back, err), 0);
	assert_int_equal(back.line, 7);
	ics_cursor_close(&c);
	/* A file of others is left alone. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "precious data", 13, 0), 13);
	assert_int_equal(ics_cursor_open(&c, cursor_path, "s1.a1", &back, err), -EINVAL);
	assert_non_null(strstr(err, "is no cursor"));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_follow_rotation, clean),
		cmocka_unit_test_teardown(test_gap_is_counted, clean),
		cmocka_unit_test_teardown(test_gap_after_restart, clean),
		cmocka_unit_test_teardown(test_told_as_lost, clean),
		cmocka_unit_test_teardown(test_place_is_found_again, clean),
		cmocka_unit_test_teardown(test_numbers_come_again, clean),
		cmocka_unit_test_teardown(test_begun_anew, clean),
		cmocka_unit_test_teardown(test_renamed_by_others, clean),
		cmocka_unit_test_teardown(test_torn_and_foreign, clean),
		cmocka_unit_test_teardown(test_emptied_in_place, clean),
		cmocka_unit_test_teardown(test_cursor, clean),
	};

	return cmocka_run_group_tests_name("follow", tests, set_up, tear_down);
}
