/* What the files of lib/history share. */
#ifndef ICS_HISTORY_PRIV_H
#define ICS_HISTORY_PRIV_H

#include "ics_history.h"

#include <sqlite3.h>

enum statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_BEFORE, /* the row of an address and segment that began last, up to a time */
	ST_AFTER,  /* the one that began first after it */
	ST_INSERT,
	ST_EXTEND,      /* sets last */
	ST_EXTEND_BACK, /* sets first */
	ST_NEWEST,
	ST_EXPIRE,
	ST_SHRINK_ONCE,
	ST_SHRINK,
	ST_BY_ADDR,
	ST_BY_ADDR_AT,
	ST_BY_MAC,
	ST_BY_MAC_AT,
	ST_EXTENT,
	ST_PAGES,
	ST_FREE_PAGES,
	ST_PAGE_SIZE,
	ST_VACUUM,
	ST_COUNT,
};

struct ics_history {
	sqlite3 *db;
	sqlite3_stmt *st[ST_COUNT];
	struct ics_history_conf conf;
};

/* The statement, made on first use and reset; NULL: no memory or a damaged file. */
sqlite3_stmt *ics_history_statement(struct ics_history *h, enum statement n);
/* Runs a statement without rows. 0 or -errno. */
int ics_history_run(struct ics_history *h, enum statement n);
int ics_history_errno(int sqlite_rc);

#endif
