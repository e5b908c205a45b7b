/* The slow half put together: records in, model and anomalies out. One thread owns it. Pure C on bytes: time is
 * what the records say (packet time), so every verdict can be repeated from a capture. Timers run when
 * time is told, by a record or by ics_engine_tick().
 */
#ifndef ICS_ENGINE_H
#define ICS_ENGINE_H

#include "ics_anomaly.h"
#include "ics_config.h"
#include "ics_count.h"
#include "ics_detect.h"
#include "ics_model.h"
#include "ics_record.h"

struct ics_engine;

/* conf is copied. seed keys every table. NULL and errno ENOMEM. */
struct ics_engine *ics_engine_new(const struct ics_config *conf, uint64_t seed);
void ics_engine_free(struct ics_engine *e);
/* Settings that changed, of keys that are live (ics_config_key); copied. From the next record on they hold. */
void ics_engine_configure(struct ics_engine *e, const struct ics_config *conf);

/* One record with the frame bytes that follow it (len 0 with ICS_REC_COPIES). frame_no counts from 1 within a
 * capture, 0 live. Time that jumps back by more than 100 ms does not turn the clock back: it is rebased.
 */
void ics_engine_feed(struct ics_engine *e, const struct ics_record *rec, struct ics_view frame, uint64_t frame_no);
/* The same for n of them in turn, at a better speed: the caches are filled ahead. */
struct ics_engine_item {
	const struct ics_record *rec;
	struct ics_view frame;
	uint64_t frame_no;
};
void ics_engine_feed_burst(struct ics_engine *e, const struct ics_engine_item *items, unsigned n);
/* The source's clock never runs back (live, by TSC): a late record is one that waited, nothing is rebased. */
void ics_engine_set_steady(struct ics_engine *e);
/* Time has passed without a record; ts_ns as in records. */
void ics_engine_tick(struct ics_engine *e, uint64_t ts_ns);
/* The set of known routers for the workers to read; the engine keeps it up to date. */
void ics_engine_publish_known(struct ics_engine *e, struct ics_known *known);

/* The samplers of all workers, for detectors to ask whether a flow was seen, and the pairs (host, far) that they are to
 * look at whatever the load; the engine keeps these up to date. NULL or none: the sampler is off.
 */
void ics_engine_set_samplers(struct ics_engine *e, const struct ics_samplers *samplers, struct ics_known *watch);

/* What the address history is told: which MAC is known by now to hold an address. before and before_ns: of the MAC that
 * held it until now and when it was last heard with it (0: nobody did). Times are packet time.
 */
enum ics_history_how {
	ICS_HISTORY_DAD,
	ICS_HISTORY_NS,
	ICS_HISTORY_NA,
	ICS_HISTORY_RA,
	ICS_HISTORY_RS,
	ICS_HISTORY_HOWS
};
struct ics_history_event {
	uint64_t ts_ns, before_ns;
	struct ics_ip addr;
	struct ics_mac mac, before;
	struct ics_segment_key segment;
	uint8_t how, iid; /* enum ics_history_how, enum ics_iid */
};
/* Called for each change of a binding, and for one that goes on at most once a minute. False: it could not be taken,
 * which is counted. More than ICS_HISTORY_RATE a second are not offered at all, and counted too.
 */
#define ICS_HISTORY_RATE 10000
typedef bool (*ics_history_fn)(void *ctx, const struct ics_history_event *ev);
void ics_engine_set_history(struct ics_engine *e, ics_history_fn fn, void *ctx);
/* Tells all bindings once more, so that the last time of each is right to the message: at the end of a capture. */
void ics_engine_flush_history(struct ics_engine *e);
/* Events that were lost: not taken, or over the rate. */
uint64_t ics_engine_history_dropped(const struct ics_engine *e);

/* What was known goes back into the model between these two, before the first record: begin sets the clock to when it was
 * saved, end moves it to now, so that what has run out meanwhile is gone.
 */
void ics_engine_resume_begin(struct ics_engine *e, uint64_t saved_ns);
void ics_engine_resume_end(struct ics_engine *e, uint64_t now_ns);

struct ics_model *ics_engine_model(struct ics_engine *e);
struct ics_anomaly_store *ics_engine_anomalies(struct ics_engine *e);
/* Detector i with its counters, NULL past the last. */
const struct ics_detector_info *ics_engine_detector(struct ics_engine *e, unsigned i);
/* Rules that only the slow half can judge (ICS_REASON_STATEFUL): how often each fired. */
uint64_t ics_engine_reason_count(const struct ics_engine *e, enum ics_reason n);
/* The same with the first and latest time and the first frame of each, as ics_count_exemplar() and
 * ics_count_snapshot_add() read them; all else in it is 0.
 */
const struct ics_counters *ics_engine_reason_counters(const struct ics_engine *e);
/* Messages of one worker were lost before they came here; once a second is often enough. */
void ics_engine_note_loss(struct ics_engine *e, const struct ics_loss *loss);

#endif
