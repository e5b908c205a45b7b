/* The thread that writes the address history, so that a slow or full disk never holds up the control core. */
#ifndef ICMPSCOPE_HISTORIAN_H
#define ICMPSCOPE_HISTORIAN_H

#include "plan.h"

#include "ics_history.h"

#include <pthread.h>

struct historian {
	struct ics_history *history; /* NULL: none is kept */
	struct ics_history_queue *queue;
	struct ics_history_stats stats;
	pthread_t thread;
	_Atomic bool stop;
};

/* Opens the file that the configuration names, and starts the thread away from the workers where there is room. 0, also
 * without a file; -errno with one line on stderr.
 */
int historian_start(struct historian *h, const struct ics_config *conf, const struct plan_in *facts,
		    const struct plan *plan);
/* An ics_history_fn: for the control core. */
bool historian_tell(void *historian, const struct ics_history_event *ev);
/* Writes what waits, and ends. */
void historian_stop(struct historian *h);

#endif
