/* The thread that looks whether the others turn: every 100 ms, at counters that workers and the control core keep anyway. What has
 * not turned for 700 ms is told on stderr, in the journal and in telemetry; so is its return, and a time in which the
 * whole program did not run. It also tells what the sandbox refused, and notifies whoever started the program.
 */
#ifndef ICMPSCOPE_WATCHDOG_H
#define ICMPSCOPE_WATCHDOG_H

#include "journalist.h"
#include "notify.h"
#include "plan.h"
#include "sandbox.h"

/* One thread and what is known of it. */
struct watched {
	const ics_counter *beat[2]; /* go up as it turns; [1] may be NULL */
	struct ics_export_turn *turn;
	uint64_t seen;     /* their sum */
	uint64_t seen_ns;  /* when it was another for the last time */
	uint64_t still_ns; /* for how long it has been looked at since, in vain */
	bool is_told;
	int worker; /* -1: the control core */
	unsigned cpu;
};

struct watchdog {
	struct ics_export_watchdog view;
	struct ics_export_turn worker_turn[PLAN_WORKERS_MAX];
	struct notify notify;
	/* set before the start */
	struct watched watched[PLAN_WORKERS_MAX + 1]; /* the control core first */
	unsigned n_watched;
	const struct ics_export_worker *workers;
	const _Atomic bool *ending;   /* threads end from then on, and accuse nobody */
	const ics_counter *anomalies; /* that are open */
	const ics_counter *denied;    /* by the sandbox, NULL without one */
	struct journalist *journalist;
	pthread_t thread;
	bool runs;
	_Atomic bool stop;
	/* the thread's own */
	uint64_t last_ns, alive_ns, status_ns;
	char status[160];
	uint64_t denied_seen;
	uint32_t denied_told[SANDBOX_CALLS];
};

/* turns: of the control loop. Sets turn of each worker's view. 0 or -errno. */
int watchdog_start(struct watchdog *w, const ics_counter *turns, struct ics_export_worker *workers, unsigned n_workers,
		   const struct plan_in *facts, const struct plan *plan);
/* From here on nothing needs to turn; whoever started the program is told that it stops. */
void watchdog_stop(struct watchdog *w);

#endif
