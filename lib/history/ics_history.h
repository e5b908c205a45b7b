/* Which MAC held which address on which segment, from when to when (addr_journal): an SQLite file that is written
 * beside the control core and answers "who had A at T" and "what had MAC M" months later. A queue of bounded
 * length carries what the engine tells from the control core to the thread that writes.
 */
#ifndef ICS_HISTORY_H
#define ICS_HISTORY_H

#include "ics_engine.h"

#include <stdatomic.h>

#define ICS_HISTORY_ERR_LEN 512

struct ics_history;

struct ics_history_conf {
	const char *path;
	uint32_t days;   /* rows that ended earlier than this before the newest go; 0: all stay */
	uint32_t max_mb; /* of the file; 0: no limit */
};

/* Opens to write; makes the file (readable by its owner only) where there is none. NULL, errno, and err says what is wrong
 * and how to mend it in one line: a file that is no database, of another program, of a newer version, or damaged.
 */
struct ics_history *ics_history_open(const struct ics_history_conf *conf, char err[static ICS_HISTORY_ERR_LEN]);
/* Opens to ask. */
struct ics_history *ics_history_open_read(const char *path, char err[static ICS_HISTORY_ERR_LEN]);
void ics_history_close(struct ics_history *h);

/* Writes n events in one transaction: all of them are on file when this returns 0 and survive the death of the process. Else
 * -errno (-ENOSPC, -EIO, -EBUSY ...), and none of them is. Order: as the engine told them.
 */
int ics_history_write(struct ics_history *h, const struct ics_history_event *ev, unsigned n);
/* Lets go what is too old or too much: of rows beyond max_mb first the oldest of those that were heard once, as floods leave
 * them, then the oldest. Bounded work; call again later. Number of rows that went, or -errno.
 */
int ics_history_retain(struct ics_history *h);

/* One stretch of time in which a MAC held an address. */
struct ics_history_row {
	struct ics_ip addr;
	struct ics_mac mac;
	struct ics_segment_key segment;
	enum ics_history_how how; /* it was first heard */
	enum ics_iid iid;
	uint64_t first_ns, last_ns;
};

/* Asked for the whole time, or as of one. */
#define ICS_HISTORY_ALL UINT64_MAX
typedef void (*ics_history_row_fn)(void *ctx, const struct ics_history_row *row);
/* Rows of an address in order of time; at at_ns: for each segment the one that began last before it. */
int ics_history_by_addr(struct ics_history *h, const struct ics_ip *addr, uint64_t at_ns, ics_history_row_fn fn,
			void *ctx);
/* Rows of a MAC; at at_ns: those that had begun, were not over, and were not another MAC's by then. */
int ics_history_by_mac(struct ics_history *h, const struct ics_mac *mac, uint64_t at_ns, ics_history_row_fn fn,
		       void *ctx);
/* Rows in the file, its oldest and newest time (0 without rows). */
int ics_history_extent(struct ics_history *h, uint64_t *rows, uint64_t *first_ns, uint64_t *last_ns);
const char *ics_history_how_name(enum ics_history_how how);

/* ---- queue: one thread pushes, one takes ---- */

struct ics_history_queue;
/* len: a power of two. NULL and errno. */
struct ics_history_queue *ics_history_queue_new(uint32_t len);
void ics_history_queue_free(struct ics_history_queue *q);
/* False when it is full. Never waits. */
bool ics_history_queue_push(struct ics_history_queue *q, const struct ics_history_event *ev);
/* At most max; how many. */
unsigned ics_history_queue_pop(struct ics_history_queue *q, struct ics_history_event *out, unsigned max);
unsigned ics_history_queue_fill(const struct ics_history_queue *q);

/* What a writer counts; one thread writes it, any reads. */
struct ics_history_stats {
	ics_counter written; /* events on file */
	ics_counter failed;  /* events that the file did not take */
	ics_counter error;   /* errno of the latest failure, 0 once it is written again */
};

#endif
