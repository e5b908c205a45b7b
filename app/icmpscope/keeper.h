/* The state file: what was learned comes back at the start, and is saved every minute and at the end. The control core
 * takes the snapshot in slices; a thread writes it, so that a slow or full disk never holds up the control core.
 */
#ifndef ICMPSCOPE_KEEPER_H
#define ICMPSCOPE_KEEPER_H

#include "plan.h"

#include "ics_state.h"

#include <pthread.h>

struct keeper {
	const char *path;
	struct ics_state_snapshot *snapshot; /* NULL: nothing is kept */
	struct ics_state_stats stats;
	struct ics_state_restored restored;
	pthread_t thread;
	_Atomic bool full; /* the snapshot is complete and the writer's, else the control core's */
	_Atomic bool stop;
	bool building;
	uint64_t due_ns;
};

/* Starts the thread where the configuration names a file. 0, also without a file; -errno with one line on stderr. */
int keeper_start(struct keeper *k, const struct ics_config *conf, const struct plan_in *facts, const struct plan *plan);
/* Brings back what is on file, before the first record; says what came, or why nothing did. now_ns: packet time, 0: not
 * known.
 */
void keeper_restore(struct keeper *k, struct ics_engine *e, uint64_t now_ns);
/* A turn of the control loop: takes a slice of the snapshot when one is due. now_ns: any clock that goes on. */
void keeper_turn(struct keeper *k, struct ics_engine *e, uint64_t now_ns);
/* Saves once more (e NULL: does not), and ends. */
void keeper_stop(struct keeper *k, struct ics_engine *e);

#endif
