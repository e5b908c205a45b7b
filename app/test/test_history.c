/* lib/history: rows from what the engine tells, questions, retention, and what may befall the file: the death of the process,
 * a full disk, damage, files of others.
 */
#include "ics_history.h"
#include "test_slow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAY (86400 * S)
#define ADDR "2001:db8:1::10"

static char dir[] = "/tmp/icmpscope-history-XXXXXX";
static char path[64], err[ICS_HISTORY_ERR_LEN];

static int
make_dir(void **state)
{
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static void
remove_file(void)
{
	char name[80];

	unlink(path);
	snprintf(name, sizeof(name), "%s-wal", path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
}

static int
fresh_path(void **state)
{
	snprintf(path, sizeof(path), "%s/history.db", dir);
	return 0;
}

static int
clean(void **state)
{
	remove_file();
	return 0;
}

static int
remove_dir(void **state)
{
	return rmdir(dir);
}

static struct ics_history *
open_history(uint32_t days, uint32_t max_mb)
{
	struct ics_history_conf c = {path, days, max_mb};
	struct ics_history *h = ics_history_open(&c, err);

	if (h == NULL)
		fail_msg("%s", err);
	return h;
}

static struct ics_history_event
event(const char *addr, const char *mac, uint64_t ts)
{
	struct ics_history_event ev = {.ts_ns = ts,
				       .segment = {.port = 1, .vlan_outer = 10, .vlan_inner = ICS_VLAN_NONE},
				       .how = ICS_HISTORY_NS,
				       .iid = ICS_IID_STABLE};

	assert_int_equal(ics_ip_parse(addr, &ev.addr), 0);
	assert_int_equal(ics_mac_parse(mac, &ev.mac), 0);
	return ev;
}

static void
tell(struct ics_history *h, const char *addr, const char *mac, uint64_t ts)
{
	struct ics_history_event ev = event(addr, mac, ts);

	assert_int_equal(ics_history_write(h, &ev, 1), 0);
}

/* ---- answers ---- */

static struct ics_history_row row[256];
static unsigned n_rows;

static void
take_row(void *ctx, const struct ics_history_row *r)
{
	assert_in_range(n_rows, 0, 255);
	row[n_rows++] = *r;
}

static unsigned
ask_addr(struct ics_history *h, const char *text, uint64_t at)
{
	struct ics_ip ip;

	assert_int_equal(ics_ip_parse(text, &ip), 0);
	n_rows = 0;
	assert_int_equal(ics_history_by_addr(h, &ip, at, take_row, NULL), 0);
	return n_rows;
}

static unsigned
ask_mac(struct ics_history *h, const char *text, uint64_t at)
{
	struct ics_mac mac;

	assert_int_equal(ics_mac_parse(text, &mac), 0);
	n_rows = 0;
	assert_int_equal(ics_history_by_mac(h, &mac, at, take_row, NULL), 0);
	return n_rows;
}

static void
assert_row(unsigned i, const char *addr, const char *mac, uint64_t first, uint64_t last)
{
	char ip[ICS_IP_STRLEN], m[ICS_MAC_STRLEN];

	assert_true(i < n_rows);
	assert_string_equal(ics_ip_format(&row[i].addr, ip), addr);
	assert_string_equal(ics_mac_format(&row[i].mac, m), mac);
	assert_int_equal(row[i].first_ns, first);
	assert_int_equal(row[i].last_ns, last);
}

static uint64_t
count_rows(struct ics_history *h)
{
	uint64_t n, first, last;

	assert_int_equal(ics_history_extent(h, &n, &first, &last), 0);
	return n;
}

/* ---- rows ---- */

static void
moves_and_refreshes(void **state)
{
	struct ics_history *h = open_history(90, 0);

	tell(h, ADDR, MAC_R, T0);
	tell(h, ADDR, MAC_R, T0 + 60 * S);
	tell(h, ADDR, MAC_R, T0 + 120 * S);
	assert_int_equal(ask_addr(h, ADDR, ICS_HISTORY_ALL), 1);
	assert_row(0, ADDR, MAC_R, T0, T0 + 120 * S);
	assert_int_equal(row[0].segment.port, 1);
	assert_int_equal(row[0].segment.vlan_outer, 10);
	assert_int_equal(row[0].segment.vlan_inner, ICS_VLAN_NONE);
	assert_int_equal(row[0].iid, ICS_IID_STABLE);
	assert_string_equal(ics_history_how_name(row[0].how), "NS");

	struct ics_history_event ev = event(ADDR, MAC_X, T0 + 200 * S);
	assert_int_equal(ics_mac_parse(MAC_R, &ev.before), 0);
	ev.before_ns = T0 + 150 * S;
	assert_int_equal(ics_history_write(h, &ev, 1), 0);
	assert_int_equal(ask_addr(h, ADDR, ICS_HISTORY_ALL), 2);
	assert_row(0, ADDR, MAC_R, T0, T0 + 150 * S);
	assert_row(1, ADDR, MAC_X, T0 + 200 * S, T0 + 200 * S);

	/* Another VLAN is another network. */
	ev = event(ADDR, MAC_R, T0 + 210 * S);
	ev.segment.vlan_outer = 20;
	assert_int_equal(ics_history_write(h, &ev, 1), 0);
	assert_int_equal(ask_addr(h, ADDR, ICS_HISTORY_ALL), 3);
	ics_history_close(h);

	/* The same once more, as when a capture is read twice: nothing new. */
	h = open_history(90, 0);
	tell(h, ADDR, MAC_R, T0);
	tell(h, ADDR, MAC_R, T0 + 120 * S);
	tell(h, ADDR, MAC_X, T0 + 200 * S);
	assert_int_equal(count_rows(h), 3);
	/* An earlier capture that is read later. */
	tell(h, ADDR, MAC_R, T0 - 100 * S);
	assert_int_equal(count_rows(h), 3);
	ask_addr(h, ADDR, ICS_HISTORY_ALL);
	assert_row(0, ADDR, MAC_R, T0 - 100 * S, T0 + 150 * S);
	/* After a day of silence it is another stretch. */
	tell(h, ADDR, MAC_X, T0 + 200 * S + DAY);
	assert_int_equal(count_rows(h), 3);
	tell(h, ADDR, MAC_X, T0 + 200 * S + 2 * DAY + S);
	assert_int_equal(count_rows(h), 4);
	ics_history_close(h);
}

static void
who_had_it_then(void **state)
{
	struct ics_history *h = open_history(90, 0);

	tell(h, ADDR, MAC_R, T0);
	tell(h, ADDR, MAC_R, T0 + 300 * S);
	tell(h, ADDR, MAC_X, T0 + 400 * S);
	tell(h, "fe80::66", MAC_X, T0 + 10 * S);
	tell(h, "2001:db8:1::11", MAC_R, T0 + 20 * S);
	assert_int_equal(ask_addr(h, ADDR, T0 - 1), 0);
	assert_int_equal(ask_addr(h, ADDR, T0), 1);
	assert_row(0, ADDR, MAC_R, T0, T0 + 300 * S);
	assert_int_equal(ask_addr(h, ADDR, T0 + 399 * S), 1);
	assert_row(0, ADDR, MAC_R, T0, T0 + 300 * S);
	assert_int_equal(ask_addr(h, ADDR, T0 + 400 * S), 1);
	assert_row(0, ADDR, MAC_X, T0 + 400 * S, T0 + 400 * S);
	assert_int_equal(ask_addr(h, "2001:db8::77", ICS_HISTORY_ALL), 0);

	assert_int_equal(ask_mac(h, MAC_R, ICS_HISTORY_ALL), 2);
	assert_row(0, ADDR, MAC_R, T0, T0 + 300 * S);
	assert_row(1, "2001:db8:1::11", MAC_R, T0 + 20 * S, T0 + 20 * S);
	assert_int_equal(ask_mac(h, MAC_X, T0 + 50 * S), 1);
	assert_row(0, "fe80::66", MAC_X, T0 + 10 * S, T0 + 10 * S);
	/* By then the address had passed on to the other. */
	assert_int_equal(ask_mac(h, MAC_R, T0 + 410 * S), 1);
	assert_int_equal(ask_mac(h, MAC_X, T0 + 410 * S), 2);
	/* Not heard for a day: it cannot be said to hold it. */
	assert_int_equal(ask_mac(h, MAC_R, T0 + 20 * S + DAY), 1);
	assert_int_equal(ask_mac(h, MAC_R, T0 + 20 * S + DAY + 1), 0);
	assert_int_equal(ask_mac(h, MAC_VRRP, ICS_HISTORY_ALL), 0);
	ics_history_close(h);
}

/* ---- from frames, as the reader and icmpscope fill it ---- */

static struct ics_history_event told[64];
static unsigned n_told;

static bool
note(void *ctx, const struct ics_history_event *ev)
{
	assert_in_range(n_told, 0, 63);
	told[n_told++] = *ev;
	return ctx == NULL;
}

static void
engine_tells_changes(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet dad = base_packet(BASE_dad), ns = base_packet(BASE_ns), na = base_packet(BASE_na);
	struct ics_history *h = open_history(90, 0);
	uint64_t t = T0 / (60 * S) * 60 * S;

	n_told = 0;
	ics_engine_set_history(r->engine, note, NULL);
	set_addr(&dad, 8, ADDR);
	set_smac(&dad, MAC_R);
	set_src(&ns, ADDR);
	set_smac(&ns, MAC_R);
	remove_bytes(&ns, 24, 8);
	feed(r, &dad, t + S);
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].how, ICS_HISTORY_DAD);
	assert_int_equal(told[0].iid, ICS_IID_STABLE);
	assert_int_equal(told[0].ts_ns, t + S);
	/* Within the minute nothing more is told, in the next once. */
	feed(r, &ns, t + 2 * S);
	feed(r, &ns, t + 59 * S);
	assert_int_equal(n_told, 1);
	feed(r, &ns, t + 61 * S);
	feed(r, &ns, t + 62 * S);
	assert_int_equal(n_told, 2);
	assert_int_equal(told[1].how, ICS_HISTORY_NS);
	/* A claim without override moves nothing, one with it does. */
	set_addr(&na, 8, ADDR);
	set_src(&na, ADDR);
	set_smac(&na, MAC_X);
	set_hex(&na, 26, "00005e005366");
	set8(&na, 4, 0);
	feed(r, &na, t + 63 * S);
	assert_int_equal(n_told, 2);
	set8(&na, 4, 0x20);
	feed(r, &na, t + 64 * S);
	assert_int_equal(n_told, 3);
	assert_int_equal(told[2].how, ICS_HISTORY_NA);
	assert_int_equal(told[2].before_ns, t + 63 * S);
	/* An invalid message teaches nothing. */
	set_ip8(&ns, 7, 64);
	feed(r, &ns, t + 65 * S);
	assert_int_equal(n_told, 3);

	assert_int_equal(ics_history_write(h, told, n_told), 0);
	assert_int_equal(ask_addr(h, ADDR, ICS_HISTORY_ALL), 2);
	assert_row(0, ADDR, MAC_R, t + S, t + 63 * S);
	assert_row(1, ADDR, MAC_X, t + 64 * S, t + 64 * S);
	assert_int_equal(ask_addr(h, ADDR, t + 10 * S), 1);
	assert_row(0, ADDR, MAC_R, t + S, t + 63 * S);

	/* At the end each is told once more; who does not take it makes a loss. */
	n_told = 0;
	assert_int_equal(ics_engine_history_dropped(r->engine), 0);
	ics_engine_set_history(r->engine, note, r);
	ics_engine_flush_history(r->engine);
	assert_int_equal(n_told, 1);
	assert_int_equal(ics_engine_history_dropped(r->engine), 1);
	ics_history_close(h);
	rig_free(r);
}

static bool
count_only(void *ctx, const struct ics_history_event *ev)
{
	++*(unsigned *)ctx;
	return true;
}

static void
rate_is_bounded(void **state)
{
	struct rig *r = rig_new(NULL);
	struct packet dad = base_packet(BASE_dad);
	unsigned n = 0;

	ics_engine_set_history(r->engine, count_only, &n);
	for (unsigned i = 0; i < ICS_HISTORY_RATE + 500; i++) {
		set32(&dad, 20, 0x10000 + i);
		feed(r, &dad, T0 + i);
	}
	assert_int_equal(n, ICS_HISTORY_RATE);
	assert_int_equal(ics_engine_history_dropped(r->engine), 500);
	set32(&dad, 20, 1);
	feed(r, &dad, T0 + S);
	assert_int_equal(n, ICS_HISTORY_RATE + 1);
	rig_free(r);
}

/* ---- retention ---- */

static void
retention_by_days(void **state)
{
	struct ics_history *h = open_history(90, 0);

	tell(h, "2001:db8::1", MAC_R, T0);
	tell(h, "2001:db8::2", MAC_R, T0 + DAY);
	tell(h, "2001:db8::3", MAC_R, T0 + 90 * DAY);
	assert_int_equal(ics_history_retain(h), 0);
	tell(h, "2001:db8::3", MAC_R, T0 + 90 * DAY + S);
	assert_int_equal(ics_history_retain(h), 1);
	assert_int_equal(ask_mac(h, MAC_R, ICS_HISTORY_ALL), 2);
	assert_row(0, "2001:db8::2", MAC_R, T0 + DAY, T0 + DAY);
	assert_int_equal(ics_history_retain(h), 0);
	ics_history_close(h);
}

/* n addresses of a flood, each heard once. */
static int
flood(struct ics_history *h, unsigned n, uint64_t ts)
{
	static struct ics_history_event ev[1000];
	static uint32_t next;
	int rc = 0;

	for (unsigned done = 0; done < n && rc == 0; done += 1000) {
		for (unsigned i = 0; i < 1000; i++) {
			ev[i] = event("2001:db8:f::1", MAC_X, ts);
			next++;
			ev[i].addr.b[8] = 0x80;
			memcpy(ev[i].addr.b + 12, &next, 4);
		}
		rc = ics_history_write(h, ev, 1000);
	}
	return rc;
}

static void
retention_by_size(void **state)
{
	struct ics_history *h = open_history(90, 2);
	char name[80];
	struct stat st;
	int gone = 0, n;

	tell(h, ADDR, MAC_R, T0);
	tell(h, ADDR, MAC_R, T0 + 100 * S);
	assert_int_equal(flood(h, 40000, T0 + 200 * S), 0);
	tell(h, "2001:db8::1", MAC_R, T0 + 5000 * S);
	while ((n = ics_history_retain(h)) > 0)
		gone += n;
	assert_int_equal(n, 0);
	assert_in_range(gone, 20000, 40000);
	/* What was heard more than once outlives what was not, though it is older. */
	assert_int_equal(ask_addr(h, ADDR, ICS_HISTORY_ALL), 1);
	assert_int_equal(ask_addr(h, "2001:db8::1", ICS_HISTORY_ALL), 1);
	ics_history_close(h);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1, 3 << 20);
	snprintf(name, sizeof(name), "%s-wal", path);
	assert_int_equal(access(name, F_OK), -1);
}

/* ---- what may befall the file ---- */

static void
kill_9_loses_no_committed_row(void **state)
{
	int pipes[2];
	uint32_t committed = 0, v;
	struct ics_history *h;
	int status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct ics_history_conf c = {path, 90, 0};

		close(pipes[0]);
		h = ics_history_open(&c, err);
		for (uint32_t i = 1; h != NULL; i++) {
			struct ics_history_event ev[3];

			for (unsigned k = 0; k < 3; k++) {
				ev[k] = event("2001:db8:9::", MAC_R, T0 + i);
				ev[k].addr.b[8] = (uint8_t)(1 + k);
				memcpy(ev[k].addr.b + 12, &i, 4);
			}
			if (ics_history_write(h, ev, 3) != 0 || write(pipes[1], &i, 4) != 4)
				break;
		}
		_exit(1);
	}
	close(pipes[1]);
	while (committed < 200 && read(pipes[0], &v, 4) == 4)
		committed = v;
	assert_int_equal(committed, 200);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(pipes[0], &v, 4) == 4)
		committed = v;
	close(pipes[0]);

	h = open_history(90, 0);
	/* Whole transactions, all that were said to be, and at most the one that nobody heard of. */
	assert_int_equal(count_rows(h) % 3, 0);
	assert_in_range(count_rows(h), committed * 3, (committed + 1) * 3);
	tell(h, ADDR, MAC_R, T0 + S);
	ics_history_close(h);
}

/* In a child, since the limit would hold for all tests. */
static void
full_disk(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct ics_history_conf c = {path, 90, 0};
		struct rlimit limit = {300000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
		struct ics_history_event ev = event(ADDR, MAC_R, T0 + S);
		struct ics_history *h = ics_history_open(&c, err);
		uint64_t n, first, last, kept;

		signal(SIGXFSZ, SIG_IGN);
		if (h == NULL || ics_history_write(h, &ev, 1) != 0)
			_exit(2);
		setrlimit(RLIMIT_FSIZE, &limit);
		if (flood(h, 100000, T0) >= 0)
			_exit(3);
		/* All that came before is there, and nothing of what failed. */
		if (ics_history_extent(h, &kept, &first, &last) != 0 || kept == 0 || kept % 1000 != 1)
			_exit(4);
		setrlimit(RLIMIT_FSIZE, &none);
		/* Once there is room again it goes on. */
		if (flood(h, 1000, T0 + S) != 0 || ics_history_extent(h, &n, &first, &last) != 0 || n != kept + 1000)
			_exit(6);
		ics_history_close(h);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
refused(const char *says)
{
	struct ics_history_conf c = {path, 90, 0};
	struct ics_history *h = ics_history_open(&c, err);

	if (h != NULL)
		fail_msg("opened where it should say: %s", says);
	if (strstr(err, says) == NULL || strchr(err, '\n') != NULL || strstr(err, path) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, says);
	assert_true(errno > 0);
	assert_null(ics_history_open_read(path, err));
}

static void
write_file(const char *bytes, size_t len, long at)
{
	FILE *f = fopen(path, at == 0 ? "w" : "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static void
run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
files_of_others(void **state)
{
	char junk[8192];
	struct stat st;

	memset(junk, 'x', sizeof(junk));
	write_file(junk, sizeof(junk), 0);
	refused("not an SQLite file");
	/* It is left as it was. */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, sizeof(junk));
	remove_file();

	run_sql("CREATE TABLE other (x)");
	refused("another program");
	remove_file();

	ics_history_close(open_history(90, 0));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	run_sql("PRAGMA user_version = 2");
	refused("has schema 2");
	run_sql("PRAGMA user_version = 1; DROP INDEX by_mac");
	refused("tables are missing");
	remove_file();

	snprintf(path, sizeof(path), "%s/none/history.db", dir);
	struct ics_history_conf c = {path, 90, 0};
	assert_null(ics_history_open(&c, err));
	assert_non_null(strstr(err, "No such file or directory"));
	assert_null(ics_history_open_read(path, err));
	assert_non_null(strstr(err, "No such file or directory"));
}

static void
damage(void **state)
{
	struct ics_history *h = open_history(90, 0);
	struct ics_history_conf c = {path, 90, 0};
	char junk[4096];

	assert_int_equal(flood(h, 5000, T0), 0);
	ics_history_close(h);
	memset(junk, 'x', sizeof(junk));
	write_file(junk, sizeof(junk), 8 * 4096);
	h = ics_history_open(&c, err);
	if (h != NULL)
		fail_msg("opened though a page is overwritten");
	assert_non_null(strstr(err, "is damaged; move it away"));
}

/* ---- queue ---- */

static void
queue(void **state)
{
	struct ics_history_queue *q = ics_history_queue_new(8);
	struct ics_history_event ev = event(ADDR, MAC_R, 0), out[8];

	assert_non_null(q);
	assert_null(ics_history_queue_new(6));
	for (uint64_t i = 0, next = 0; i < 1000; i += 5) {
		for (unsigned k = 0; k < 5; k++) {
			ev.ts_ns = i + k;
			assert_true(ics_history_queue_push(q, &ev));
		}
		assert_int_equal(ics_history_queue_fill(q), 5);
		assert_int_equal(ics_history_queue_pop(q, out, 3), 3);
		assert_int_equal(ics_history_queue_pop(q, out + 3, 8), 2);
		for (unsigned k = 0; k < 5; k++)
			assert_int_equal(out[k].ts_ns, next++);
	}
	for (unsigned i = 0; i < 8; i++)
		assert_true(ics_history_queue_push(q, &ev));
	assert_false(ics_history_queue_push(q, &ev));
	assert_int_equal(ics_history_queue_pop(q, out, 1), 1);
	assert_true(ics_history_queue_push(q, &ev));
	ics_history_queue_free(q);
}

int
main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, fresh_path, clean)
	const struct CMUnitTest tests[] = {
		FILE_TEST(moves_and_refreshes),
		FILE_TEST(who_had_it_then),
		FILE_TEST(engine_tells_changes),
		FILE_TEST(rate_is_bounded),
		FILE_TEST(retention_by_days),
		FILE_TEST(retention_by_size),
		FILE_TEST(kill_9_loses_no_committed_row),
		FILE_TEST(full_disk),
		FILE_TEST(files_of_others),
		FILE_TEST(damage),
		FILE_TEST(queue),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
