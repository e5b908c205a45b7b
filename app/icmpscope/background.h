/* Threads beside the control core that may wait for a disk. */
#ifndef ICMPSCOPE_BACKGROUND_H
#define ICMPSCOPE_BACKGROUND_H

#include "plan.h"

#include <pthread.h>

/* Starts one away from the workers and the control core where there is room; signals do not reach it. 0 or -errno. */
int background_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg, const struct plan_in *facts,
		     const struct plan *plan);

#endif
