/* Questions to the address history: who had an address, what had a MAC, now or then. */
#include "history.h"

#include <errno.h>

/* An address may be probed for once and then only used: after a day without a word it is not known to be held. */
#define HELD_NS (24 * 3600 * 1000000000ll)

const char *
ics_history_how_name(enum ics_history_how how)
{
	static const char *const names[ICS_HISTORY_HOWS] = {"DAD", "NS", "NA", "RA", "RS"};

	return (unsigned)how < ICS_HISTORY_HOWS ? names[how] : "?";
}

static bool
read_row(sqlite3_stmt *st, struct ics_history_row *r)
{
	memset(r, 0, sizeof(*r));
	if (sqlite3_column_bytes(st, 0) != sizeof(r->addr.b) || sqlite3_column_bytes(st, 1) != sizeof(r->mac.b))
		return false;
	memcpy(r->addr.b, sqlite3_column_blob(st, 0), sizeof(r->addr.b));
	memcpy(r->mac.b, sqlite3_column_blob(st, 1), sizeof(r->mac.b));
	r->segment.port = (uint8_t)sqlite3_column_int(st, 2);
	r->segment.encap = (uint8_t)sqlite3_column_int(st, 3);
	r->segment.vlan_outer = (uint16_t)sqlite3_column_int(st, 4);
	r->segment.vlan_inner = (uint16_t)sqlite3_column_int(st, 5);
	r->how = (enum ics_history_how)sqlite3_column_int(st, 6);
	r->iid = (enum ics_iid)sqlite3_column_int(st, 7);
	r->first_ns = (uint64_t)sqlite3_column_int64(st, 8);
	r->last_ns = (uint64_t)sqlite3_column_int64(st, 9);
	return true;
}

static int64_t
time_of(uint64_t ns)
{
	return ns < INT64_MAX ? (int64_t)ns : INT64_MAX;
}

static int
rows(struct ics_history *h, enum statement n, const void *key, int key_len, uint64_t at_ns, ics_history_row_fn fn,
     void *ctx)
{
	sqlite3_stmt *st = ics_history_statement(h, n);
	struct ics_history_row r;
	int64_t at = time_of(at_ns);
	int rc;

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	(void)sqlite3_bind_blob(st, 1, key, key_len, SQLITE_STATIC);
	if (at_ns != ICS_HISTORY_ALL) {
		(void)sqlite3_bind_int64(st, 2, at);
		if (n == ST_BY_MAC_AT)
			(void)sqlite3_bind_int64(st, 3, at - HELD_NS);
	}
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!read_row(st, &r)) {
			rc = SQLITE_CORRUPT;
			break;
		}
		fn(ctx, &r);
	}
	(void)sqlite3_reset(st);
	return ics_history_errno(rc);
}

int
ics_history_by_addr(struct ics_history *h, const struct ics_ip *addr, uint64_t at_ns, ics_history_row_fn fn, void *ctx)
{
	return rows(h, at_ns == ICS_HISTORY_ALL ? ST_BY_ADDR : ST_BY_ADDR_AT, addr->b, sizeof(addr->b), at_ns, fn, ctx);
}

int
ics_history_by_mac(struct ics_history *h, const struct ics_mac *mac, uint64_t at_ns, ics_history_row_fn fn, void *ctx)
{
	return rows(h, at_ns == ICS_HISTORY_ALL ? ST_BY_MAC : ST_BY_MAC_AT, mac->b, sizeof(mac->b), at_ns, fn, ctx);
}

int
ics_history_extent(struct ics_history *h, uint64_t *n, uint64_t *first_ns, uint64_t *last_ns)
{
	sqlite3_stmt *st = ics_history_statement(h, ST_EXTENT);
	int rc;

	if (st == NULL)
		return ics_history_errno(sqlite3_errcode(h->db));
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*n = (uint64_t)sqlite3_column_int64(st, 0);
		*first_ns = (uint64_t)sqlite3_column_int64(st, 1);
		*last_ns = (uint64_t)sqlite3_column_int64(st, 2);
	}
	(void)sqlite3_reset(st);
	return ics_history_errno(rc);
}
