/* What was learned, on file, so that a restart opens no blind window: a snapshot of the model that the control core
 * takes in slices, a file that another thread writes and that is replaced as a whole or not at all, and its way back into
 * an engine before the first record. Versioned and checksummed; a file that is not whole changes nothing.
 */
#ifndef ICS_STATE_H
#define ICS_STATE_H

#include "ics_engine.h"
#include "ics_warm.h"

#define ICS_STATE_ERR_LEN 512
/* Of a file and of the memory for a snapshot; the caps of the model's tables do not fill it. */
#define ICS_STATE_BYTES_MAX (96u << 20)

struct ics_state_snapshot;

/* Address space for the largest snapshot; memory only for what is used. NULL and errno. */
struct ics_state_snapshot *ics_state_snapshot_new(void);
void ics_state_snapshot_free(struct ics_state_snapshot *s);
/* Begins anew. */
void ics_state_snapshot_begin(struct ics_state_snapshot *s);
/* Takes in what the next so many places of the model's tables hold. True: it is complete. */
bool ics_state_snapshot_step(struct ics_state_snapshot *s, struct ics_engine *e, unsigned places);
uint64_t ics_state_snapshot_bytes(const struct ics_state_snapshot *s);
uint64_t ics_state_snapshot_time(const struct ics_state_snapshot *s); /* packet time when it was complete */

/* Puts a complete snapshot in the place of the file: temporary file beside it (PATH.tmp), fsync, rename, fsync of the
 * directory. 0 or -errno; then the old file is whole.
 */
int ics_state_write(struct ics_state_snapshot *s, const char *path);

/* What came back. */
struct ics_state_restored {
	bool found;
	uint64_t saved_ns;
	uint64_t taken[ICS_WARM_KINDS], left[ICS_WARM_KINDS];
};
/* Brings the file back into an engine that has not been fed. now_ns: packet time now; 0: not known, captures bring their
 * own. A file from the future (the clock was set back) counts as saved now. 0, also when there is no file; -errno when it
 * cannot be used: err says why in one line, the file is renamed to PATH.bad unless it could not be read at all, and the
 * engine is as it was.
 */
int ics_state_restore(struct ics_engine *e, const char *path, uint64_t now_ns, struct ics_state_restored *out,
		      char err[static ICS_STATE_ERR_LEN]);

/* What a writer counts; one thread writes it, any reads. */
struct ics_state_stats {
	ics_counter saved;    /* times that the file was replaced */
	ics_counter failed;   /* times that it was not */
	ics_counter error;    /* errno of the latest failure, 0 once it is written again */
	ics_counter saved_ns; /* packet time of the latest snapshot on file */
	ics_counter bytes;
};

#endif
