/* SIGHUP: a thread reads the settings again, so that no disk holds up the control core, compares them with those in force
 * and hands over what changed. The control core applies what is live between two batches; the thread says what became of
 * each key. A file that is wrong changes nothing.
 */
#ifndef ICMPSCOPE_RELOAD_H
#define ICMPSCOPE_RELOAD_H

#include "args.h"
#include "journalist.h"
#include "notify.h"

#include "ics_engine.h"
#include "ics_export.h"

#include <pthread.h>
#include <semaphore.h>

struct reload_news;

struct reload {
	const struct args *args;
	const struct notify *notify; /* who started the program is told when it begins and ends */
	struct ics_config *now;      /* in force; the thread's own */
	sem_t wake;
	pthread_t thread;
	_Atomic bool started;
	_Atomic bool stop;
	_Atomic(struct reload_news *) news; /* for the control core */
	_Atomic uint64_t taken;
	uint64_t given;                 /* the thread's own */
	struct ics_export_config stats; /* the control core's */
};

/* args and notify, which is set before, live as long. 0; -errno with one line on stderr. */
int reload_start(struct reload *r, const struct args *args, const struct plan_in *facts, const struct plan *plan);
/* For the signal handler. */
void reload_ask(struct reload *r);
/* A turn of the control loop: applies what was read, and journals it. */
void reload_turn(struct reload *r, struct ics_engine *e, struct journalist *j);
void reload_stop(struct reload *r);

#endif
