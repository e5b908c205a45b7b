/* The thread that writes the journal and the files of evidence, so that a slow or full disk never holds up the control core,
 * which follows anomalies, losses and the state file and queues what is new.
 */
#ifndef ICMPSCOPE_JOURNALIST_H
#define ICMPSCOPE_JOURNALIST_H

#include "announce.h"
#include "plan.h"

#include "ics_config.h"
#include "ics_evidence.h"
#include "ics_export.h"
#include "ics_journal.h"
#include "ics_state.h"

#include <pthread.h>

/* What SIGHUP may change; the control core writes, the writer reads. */
struct journalist_limits {
	_Atomic bool changed;
	_Atomic uint32_t max_mb, max_age_h, keep, evidence_files, evidence_mb;
};

struct journalist {
	struct ics_journal *journal; /* NULL: none is written */
	struct ics_evidence_dir evidence;
	bool writes_evidence;
	struct ics_journal_queue *queue; /* NULL: there is nothing to do */
	struct ics_journal_stats stats;
	struct ics_evidence_stats evidence_stats;
	struct ics_journal_self self;
	struct ics_journal_found found;
	char host[65], boot[40], program[64];
	const char *port[PLAN_PORTS_MAX];
	pthread_t thread;
	_Atomic bool stop, reopen;
	struct journalist_limits limits;
	/* the writer's own */
	uint64_t seq, told_lost;
	/* the control core's own */
	uint64_t next_seq, second, in_second;
	uint64_t saved, state_failed;
	uint64_t port_lost[PLAN_PORTS_MAX];
	uint64_t said[ANNOUNCE_SLOTS];  /* ids; newer ones take the place of older ones */
	struct ics_journal_event event; /* the one at hand */
	/* the watchdog's own */
	struct ics_journal_queue *asides; /* NULL: no journal is written */
	struct ics_journal_event aside;
	_Atomic uint64_t asides_lost;
};

/* Opens what the configuration names and starts the thread where it names something. port: names of the devices, which
 * live as long. 0; -errno with one line on stderr.
 */
int journalist_start(struct journalist *j, const struct ics_config *conf, const char *const *port, unsigned n_ports,
		     const struct plan_in *facts, const struct plan *plan);
/* A line of the program's own life: begins it, the caller adds facts to j->event, journalist_tell() queues it. False: no
 * journal is written.
 */
bool journalist_begin(struct journalist *j, enum ics_journal_kind kind);
void journalist_tell(struct journalist *j);
/* Limits that may be others than before. */
void journalist_limits(struct journalist *j, const struct ics_config *conf);
/* A turn of the control loop: what changed of anomalies and of the state file. */
void journalist_turn(struct journalist *j, const struct ics_anomaly_store *s, const struct ics_state_stats *state);
/* All that is left of that, at the end. */
void journalist_rest(struct journalist *j, const struct ics_anomaly_store *s, const struct ics_state_stats *state);
/* A worker lost messages. */
void journalist_loss(struct journalist *j, const struct ics_loss *loss);
/* Frames that a port lost before any worker saw them; ports as of now. */
void journalist_ports(struct journalist *j, const struct ics_export_port *ports, unsigned n);
/* The same for the watchdog's thread, whose lines do not wait for the control core. NULL: no journal is written. */
struct ics_journal_event *journalist_aside_begin(struct journalist *j, enum ics_journal_kind kind);
void journalist_aside_tell(struct journalist *j);
/* Writes what waits, and ends. */
void journalist_stop(struct journalist *j);

#endif
