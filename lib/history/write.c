/* What the engine tells becomes rows: one for each stretch of time in which a MAC held an address of a segment. What is told
 * twice, or out of order as captures are read, makes no second row. Called by the writer of icmpscope and by the reader.
 */
#include "history.h"

#include <errno.h>

/* After so long without a word the same MAC begins another row: the address may have been anybody's meanwhile. */
#define GAP_NS (24 * 3600 * 1000000000ll)
#define DAY_NS (24 * 3600 * 1000000000ll)
/* Rows that one retention lets go at most, and how recent ones stay when floods are cleared away. */
#define EXPIRE_ROWS 20000
#define SHRINK_ROWS 20000
#define RECENT_NS (120 * 1000000000ll)

struct found {
	int64_t id, first, last;
	struct ics_mac mac;
};

static void
bind_place(sqlite3_stmt *st, const struct ics_history_event *ev)
{
	(void)sqlite3_bind_blob(st, 1, ev->addr.b, sizeof(ev->addr.b), SQLITE_STATIC);
	(void)sqlite3_bind_int(st, 2, ev->segment.port);
	(void)sqlite3_bind_int(st, 3, ev->segment.encap);
	(void)sqlite3_bind_int(st, 4, ev->segment.vlan_outer);
	(void)sqlite3_bind_int(st, 5, ev->segment.vlan_inner);
}

/* 1 with a row, 0 without, or -errno. */
static int
find(struct ics_history *h, enum statement n, const struct ics_history_event *ev, int64_t at, struct found *out)
{
	sqlite3_stmt *st = ics_history_statement(h, n);
	int rc;

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	bind_place(st, ev);
	(void)sqlite3_bind_int64(st, 6, at);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		out->id = sqlite3_column_int64(st, 0);
		out->first = sqlite3_column_int64(st, 2);
		out->last = sqlite3_column_int64(st, 3);
		if (sqlite3_column_bytes(st, 1) == sizeof(out->mac.b))
			memcpy(out->mac.b, sqlite3_column_blob(st, 1), sizeof(out->mac.b));
		else
			rc = SQLITE_CORRUPT;
	}
	(void)sqlite3_reset(st);
	return rc == SQLITE_ROW ? 1 : ics_history_errno(rc);
}

static int
set_time(struct ics_history *h, enum statement n, int64_t id, int64_t t)
{
	sqlite3_stmt *st = ics_history_statement(h, n);

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	(void)sqlite3_bind_int64(st, 1, id);
	(void)sqlite3_bind_int64(st, 2, t);
	return ics_history_run(h, n);
}

static int
insert(struct ics_history *h, const struct ics_history_event *ev, int64_t ts)
{
	sqlite3_stmt *st = ics_history_statement(h, ST_INSERT);

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	bind_place(st, ev);
	(void)sqlite3_bind_blob(st, 6, ev->mac.b, sizeof(ev->mac.b), SQLITE_STATIC);
	(void)sqlite3_bind_int(st, 7, ev->how);
	(void)sqlite3_bind_int(st, 8, ev->iid);
	(void)sqlite3_bind_int64(st, 9, ts);
	return ics_history_run(h, ST_INSERT);
}

static int
write_one(struct ics_history *h, const struct ics_history_event *ev)
{
	int64_t ts = (int64_t)ev->ts_ns, before_ts = (int64_t)ev->before_ns;
	struct found f, g;
	int rc = find(h, ST_BEFORE, ev, ts, &f);

	if (rc < 0)
		return rc;
	/* The MAC that had it is known to have had it up to this moment. */
	if (rc == 1 && before_ts > f.last && before_ts <= ts && ics_mac_equal(&f.mac, &ev->before)) {
		rc = set_time(h, ST_EXTEND, f.id, before_ts);
		if (rc < 0)
			return rc;
		f.last = before_ts;
		rc = 1;
	}
	if (rc == 1 && ics_mac_equal(&f.mac, &ev->mac) && ts - f.last <= GAP_NS)
		return ts > f.last ? set_time(h, ST_EXTEND, f.id, ts) : 0;
	rc = find(h, ST_AFTER, ev, ts, &g);
	if (rc < 0)
		return rc;
	if (rc == 1 && ics_mac_equal(&g.mac, &ev->mac) && g.first - ts <= GAP_NS)
		return set_time(h, ST_EXTEND_BACK, g.id, ts);
	return insert(h, ev, ts);
}

int
ics_history_write(struct ics_history *h, const struct ics_history_event *ev, unsigned n)
{
	int rc;

	if (n == 0)
		return 0;
	rc = ics_history_run(h, ST_BEGIN);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = write_one(h, &ev[i]);
	if (rc == 0)
		rc = ics_history_run(h, ST_COMMIT);
	/* Some failures have rolled back already. */
	if (rc != 0 && !sqlite3_get_autocommit(h->db))
		(void)ics_history_run(h, ST_ROLLBACK);
	return rc;
}

/* The number that a statement gives, or -errno. */
static int64_t
number(struct ics_history *h, enum statement n)
{
	sqlite3_stmt *st = ics_history_statement(h, n);
	int64_t v;
	int rc;

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	rc = sqlite3_step(st);
	v = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : ics_history_errno(rc);
	(void)sqlite3_reset(st);
	return v;
}

/* At most limit rows that ended before; how many went, or -errno. */
static int
drop(struct ics_history *h, enum statement n, int64_t before, int limit)
{
	sqlite3_stmt *st = ics_history_statement(h, n);
	int rc;

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	(void)sqlite3_bind_int64(st, 1, before);
	(void)sqlite3_bind_int(st, 2, limit);
	rc = ics_history_run(h, n);
	return rc == 0 ? sqlite3_changes(h->db) : rc;
}

static bool
is_too_big(struct ics_history *h)
{
	int64_t pages = number(h, ST_PAGES), empty = number(h, ST_FREE_PAGES), size = number(h, ST_PAGE_SIZE);

	return h->conf.max_mb != 0 && pages > 0 && empty >= 0 && size > 0 &&
	       (pages - empty) * size > (int64_t)h->conf.max_mb << 20;
}

int
ics_history_retain(struct ics_history *h)
{
	int64_t newest = number(h, ST_NEWEST);
	int gone = 0, n;

	if (newest <= 0)
		return (int)newest;
	if (h->conf.days != 0) {
		n = drop(h, ST_EXPIRE, newest - h->conf.days * DAY_NS, EXPIRE_ROWS);
		if (n < 0)
			return n;
		gone += n;
	}
	if (is_too_big(h)) {
		n = drop(h, ST_SHRINK_ONCE, newest - RECENT_NS, SHRINK_ROWS);
		if (n >= 0 && n < SHRINK_ROWS && is_too_big(h)) {
			gone += n;
			n = drop(h, ST_SHRINK, 0, SHRINK_ROWS);
		}
		if (n < 0)
			return n;
		gone += n;
	}
	n = gone > 0 ? ics_history_run(h, ST_VACUUM) : 0;
	return n < 0 ? n : gone;
}
