/* The file: made, recognised, refused. It is SQLite in WAL mode: who asks never holds up who writes, and a transaction
 * that was committed is whole after the death of the process. Called by the programs once.
 */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x69637368 /* "icsh" */
#define SCHEMA_VERSION 1
/* Who reads beside the writer or copies the file holds it up for moments. */
#define BUSY_MS 2000
/* Files up to here are checked wholly when they are opened to write: that takes less than a second. */
#define CHECKED_MAX (64 << 20)
/* What the rows may grow beyond max_mb between two retentions. */
#define SLACK_MB 16

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE binding (id INTEGER PRIMARY KEY, addr BLOB NOT NULL, mac BLOB NOT NULL, port INT NOT NULL,"
	" encap INT NOT NULL, vlan_outer INT NOT NULL, vlan_inner INT NOT NULL, how INT NOT NULL, iid INT NOT NULL,"
	" first INT NOT NULL, last INT NOT NULL);"
	"CREATE INDEX by_addr ON binding (addr, first);"
	"CREATE INDEX by_mac ON binding (mac, first);"
	"CREATE INDEX by_last ON binding (last);"
	"CREATE INDEX by_once ON binding (last) WHERE first = last;"
	"COMMIT;";

static struct ics_history *
refuse(struct ics_history *h, int error, char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, ICS_HISTORY_ERR_LEN, fmt, ap);
	va_end(ap);
	ics_history_close(h);
	errno = error;
	return NULL;
}

/* The one number that a pragma gives; -1 when it cannot be had. */
static int64_t
pragma(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

static bool
is_whole(sqlite3 *db)
{
	sqlite3_stmt *st;
	bool ok = false;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		ok = strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
	sqlite3_finalize(st);
	return ok;
}

/* Personal data: for the owner's eyes. SQLite gives its other files the mode of this one. */
static int
make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static struct ics_history *
open_db(const char *path, int flags, char *err)
{
	struct ics_history *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return refuse(h, ENOMEM, err, "%.300s: out of memory", path);
	rc = sqlite3_open_v2(path, &h->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return refuse(h, EIO, err, "%.300s: cannot be opened as an address history: %s", path,
			      h->db != NULL ? sqlite3_errmsg(h->db) : "out of memory");
	sqlite3_extended_result_codes(h->db, 1);
	sqlite3_busy_timeout(h->db, BUSY_MS);
	return h;
}

/* Whether it is ours; *fresh: nobody's yet. The first look into a file that is no database says so. */
static struct ics_history *
recognise(struct ics_history *h, const char *path, bool *fresh, char *err)
{
	int64_t id = pragma(h->db, "PRAGMA application_id"), version = pragma(h->db, "PRAGMA user_version");
	int64_t tables = pragma(h->db, "SELECT count(*) FROM sqlite_schema");
	int rc = sqlite3_errcode(h->db) & 0xff;

	*fresh = false;
	if (id < 0 || version < 0 || tables < 0) {
		if (rc == SQLITE_NOTADB)
			return refuse(h, EINVAL, err,
				      "%.300s: is no address history (not an SQLite file); name another file", path);
		if (rc == SQLITE_CORRUPT)
			return refuse(h, EINVAL, err, "%.300s: is damaged; move it away, a new one is made", path);
		return refuse(h, EIO, err, "%.300s: cannot be read: %s", path, sqlite3_errmsg(h->db));
	}
	if (id == 0 && version == 0 && tables == 0) {
		*fresh = true;
		return h;
	}
	if (id != APPLICATION_ID)
		return refuse(h, EINVAL, err, "%.300s: is a database of another program; name another file", path);
	if (version != SCHEMA_VERSION)
		return refuse(h, EINVAL, err,
			      "%.300s: has schema %lld, and this program knows %d; use the program that wrote it", path,
			      (long long)version, SCHEMA_VERSION);
	if (pragma(h->db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('binding','by_addr','by_mac','by_last',"
			  "'by_once')") != 5)
		return refuse(h, EINVAL, err,
			      "%.300s: is damaged (tables are missing); move it away, a new one is made", path);
	return h;
}

static int
execute(struct ics_history *h, const char *sql)
{
	return sqlite3_exec(h->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

struct ics_history *
ics_history_open(const struct ics_history_conf *conf, char err[static ICS_HISTORY_ERR_LEN])
{
	struct ics_history *h;
	struct stat st;
	char sql[128];
	bool fresh;
	int rc = make_file(conf->path);

	if (rc != 0)
		return refuse(NULL, -rc, err, "%.300s: cannot be written: %s", conf->path, strerror(-rc));
	h = open_db(conf->path, SQLITE_OPEN_READWRITE, err);
	if (h == NULL)
		return NULL;
	h = recognise(h, conf->path, &fresh, err);
	if (h == NULL)
		return NULL;
	if (!fresh && stat(conf->path, &st) == 0 && st.st_size <= CHECKED_MAX && !is_whole(h->db))
		return refuse(h, EINVAL, err, "%.300s: is damaged; move it away, a new one is made", conf->path);
	/* Space is given back a piece at a time; this must stand before the first table. */
	if (fresh)
		rc = execute(h, "PRAGMA auto_vacuum = INCREMENTAL");
	if (rc == 0)
		rc = execute(h, "PRAGMA journal_mode = WAL") | execute(h, "PRAGMA synchronous = NORMAL") |
		     execute(h, "PRAGMA journal_size_limit = 16777216") | execute(h, "PRAGMA temp_store = MEMORY");
	if (rc == 0 && fresh) {
		snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
			 SCHEMA_VERSION);
		rc = execute(h, schema) | execute(h, sql);
	}
	if (rc == 0 && conf->max_mb != 0) {
		snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld",
			 ((long long)conf->max_mb + SLACK_MB) * (1 << 20) / pragma(h->db, "PRAGMA page_size"));
		rc = execute(h, sql);
	}
	if (rc != 0)
		return refuse(h, EIO, err, "%.300s: cannot be written: %s", conf->path, sqlite3_errmsg(h->db));
	h->conf = *conf;
	h->conf.path = NULL; /* the caller's */
	return h;
}

struct ics_history *
ics_history_open_read(const char *path, char err[static ICS_HISTORY_ERR_LEN])
{
	struct ics_history *h;
	bool fresh;

	if (access(path, R_OK) != 0)
		return refuse(NULL, errno, err, "%.300s: cannot be read: %s", path, strerror(errno));
	h = open_db(path, SQLITE_OPEN_READONLY, err);
	if (h == NULL)
		return NULL;
	h = recognise(h, path, &fresh, err);
	if (h != NULL && fresh)
		return refuse(h, EINVAL, err, "%.300s: is empty, no address history", path);
	return h;
}

void
ics_history_close(struct ics_history *h)
{
	if (h == NULL)
		return;
	for (unsigned i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(h->st[i]);
	sqlite3_close(h->db);
	free(h);
}
