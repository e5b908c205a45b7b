/* Every SQL statement of the address history, by name. */
#include "history.h"

#include <errno.h>

#define COLUMNS "addr, mac, port, encap, vlan_outer, vlan_inner, how, iid, first, last"
#define SEGMENT "port = ?2 AND encap = ?3 AND vlan_outer = ?4 AND vlan_inner = ?5"
#define SAME_PLACE(a, b)                                                                                               \
	a ".addr = " b ".addr AND " a ".port = " b ".port AND " a ".encap = " b ".encap AND " a ".vlan_outer = " b     \
	  ".vlan_outer AND " a ".vlan_inner = " b ".vlan_inner"

static const char *const sql[ST_COUNT] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_BEFORE] = "SELECT id, mac, first, last FROM binding WHERE addr = ?1 AND first <= ?6 AND " SEGMENT
		      " ORDER BY first DESC, id DESC LIMIT 1",
	[ST_AFTER] = "SELECT id, mac, first, last FROM binding WHERE addr = ?1 AND first > ?6 AND " SEGMENT
		     " ORDER BY first, id LIMIT 1",
	[ST_INSERT] = "INSERT INTO binding (" COLUMNS ") VALUES (?1, ?6, ?2, ?3, ?4, ?5, ?7, ?8, ?9, ?9)",
	[ST_EXTEND] = "UPDATE binding SET last = ?2 WHERE id = ?1",
	[ST_EXTEND_BACK] = "UPDATE binding SET first = ?2 WHERE id = ?1",
	[ST_NEWEST] = "SELECT max(last) FROM binding",
	[ST_EXPIRE] = "DELETE FROM binding WHERE id IN (SELECT id FROM binding WHERE last < ?1 ORDER BY last LIMIT ?2)",
	[ST_SHRINK_ONCE] =
		"DELETE FROM binding WHERE id IN (SELECT id FROM binding INDEXED BY by_once WHERE first = last"
		" AND last < ?1 ORDER BY last LIMIT ?2)",
	[ST_SHRINK] = "DELETE FROM binding WHERE id IN (SELECT id FROM binding ORDER BY last LIMIT ?2)",
	[ST_BY_ADDR] = "SELECT " COLUMNS " FROM binding WHERE addr = ?1 ORDER BY first, id",
	[ST_BY_ADDR_AT] =
		"SELECT " COLUMNS " FROM binding b WHERE addr = ?1 AND first <= ?2 AND NOT EXISTS (SELECT 1 FROM"
		" binding n WHERE " SAME_PLACE("n", "b") " AND n.first <= ?2 AND (n.first > b.first OR"
							 " (n.first = b.first AND n.id > b.id))) ORDER BY first, id",
	[ST_BY_MAC] = "SELECT " COLUMNS " FROM binding WHERE mac = ?1 ORDER BY first, id",
	[ST_BY_MAC_AT] =
		"SELECT " COLUMNS " FROM binding b WHERE mac = ?1 AND first <= ?2 AND last >= ?3 AND NOT EXISTS"
		" (SELECT 1 FROM binding n WHERE " SAME_PLACE(
			"n", "b") " AND n.first <= ?2 AND n.first > b.first) ORDER BY first, id",
	[ST_EXTENT] = "SELECT count(*), min(first), max(last) FROM binding",
	[ST_PAGES] = "PRAGMA page_count",
	[ST_FREE_PAGES] = "PRAGMA freelist_count",
	[ST_PAGE_SIZE] = "PRAGMA page_size",
	[ST_VACUUM] = "PRAGMA incremental_vacuum(2000)",
};

int
ics_history_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EINVAL;
	case SQLITE_READONLY:
		return -EROFS;
	default:
		return -EIO;
	}
}

sqlite3_stmt *
ics_history_statement(struct ics_history *h, enum statement n)
{
	if (h->st[n] == NULL)
		(void)sqlite3_prepare_v3(h->db, sql[n], -1, SQLITE_PREPARE_PERSISTENT, &h->st[n], NULL);
	else
		(void)sqlite3_reset(h->st[n]);
	return h->st[n];
}

int
ics_history_run(struct ics_history *h, enum statement n)
{
	sqlite3_stmt *st = ics_history_statement(h, n);
	int rc;

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	/* A pragma may have rows: at most as many as the pages it gives back. */
	do
		rc = sqlite3_step(st);
	while (rc == SQLITE_ROW);
	(void)sqlite3_reset(st);
	return ics_history_errno(rc);
}
