/* The control core: drains the workers' rings into the engine, tells it time, answers
 * telemetry, and says on stdout what was found. Runs on the main lcore, owns the engine.
 */
#ifndef ICMPSCOPE_CONTROL_H
#define ICMPSCOPE_CONTROL_H

#include "announce.h"
#include "journalist.h"
#include "link.h"
#include "keeper.h"
#include "port.h"
#include "reload.h"
#include "worker.h"

/* Counters of a worker when its losses were last told. */
struct control_seen {
	uint64_t control, dropped[ICS_DROP_COUNT], dropped_class[ICS_CLASS_COUNT];
};

struct control {
	struct worker_shared *shared;
	struct worker **workers;
	unsigned n_workers, n_ports, n_once; /* n_once: captures that are played once */
	struct port *ports;
	struct ics_export_port *port_views;
	struct ics_export_source *source;
	struct ics_engine *engine;
	struct keeper *keeper;
	struct journalist *journalist;
	struct reload *reload;
	struct links *links;
	const struct device *devices;
	struct announce announce;
	bool realtime;         /* wanted, and after control_prepare() had: it goes before ordinary threads */
	uint64_t run_for_ns;   /* 0: until told to stop */
	ics_counter turns;     /* of its loop: what the watchdog looks at */
	ics_counter anomalies; /* that are open */
	/* the loop's own */
	uint64_t next_tick_tsc, next_news_tsc;
	uint64_t next_loss_tsc, next_steer_tsc, rested_tsc;
	struct control_seen *seen; /* by worker */
	bool captures_read;
};

/* What needs rights that the sandbox takes away. -errno: realtime is wanted and cannot be had (-EBUSY: a worker shares the
 * CPU); it goes on without.
 */
int control_prepare(struct control *c);
/* Runs until a signal, or the end of run_for_ns; then stops the workers and takes what is left. */
void control_run(struct control *c, const _Atomic bool *stop);

#endif
