/* /icmpscope/info: one flat dict that says whether the program is well: what runs, both conservation identities,
 * what was lost and why, how full the model is.
 */
#include "endpoint.h"

#include "ics_report.h"

static void
add_conservation(const struct ics_export_source *src, struct reply *r)
{
	struct ics_conservation c;
	char key[64];

	ics_export_conservation(src, &c);
	reply_uint(r, "frames", c.frames);
	reply_uint(r, "classes_sum", c.classes_sum);
	reply_uint(r, "control", c.control);
	reply_uint(r, "delivered", c.delivered);
	reply_uint(r, "pending", c.pending);
	reply_uint(r, "dropped", c.dropped);
	for (unsigned i = 0; i < ICS_DROP_COUNT; i++) {
		snprintf(key, sizeof(key), "dropped_%s", ics_drop_name(i));
		reply_uint(r, key, c.dropped_cause[i]);
	}
	/* In the middle of a burst the sums may be a burst apart: then exact is 0 and ok says nothing. */
	reply_uint(r, "conservation_ok", c.frames == c.classes_sum && c.control == c.delivered + c.pending + c.dropped);
	reply_uint(r, "conservation_exact", c.exact);
	reply_uint(r, "records", c.records);
	reply_uint(r, "consumed_records", src->consumed_records);
	reply_uint(r, "consumed_messages", src->consumed_messages);
	reply_uint(r, "consumed_samples", src->consumed_samples);
}

static void
add_ports(const struct ics_export_source *src, struct reply *r)
{
	uint64_t missed = 0, errors = 0, no_mbuf = 0, left = 0, down = 0;

	for (unsigned i = 0; i < src->n_ports; i++) {
		missed += src->ports[i].missed;
		errors += src->ports[i].errors;
		no_mbuf += src->ports[i].no_mbuf;
		down += src->ports[i].link != ICS_LINK_UP;
		left += src->ports[i].capture_frames != 0 && !src->ports[i].capture_read;
	}
	reply_uint(r, "ports", src->n_ports);
	reply_uint(r, "ports_down", down);
	reply_uint(r, "workers", src->n_workers);
	reply_uint(r, "missed", missed);
	reply_uint(r, "errors", errors);
	reply_uint(r, "no_mbuf", no_mbuf);
	reply_uint(r, "captures_unread", left);
}

static void
add_findings(const struct ics_export_source *src, struct reply *r)
{
	struct ics_anomaly_stats a;
	struct ics_model_stats m;
	struct ics_frames_stats f;

	ics_anomaly_stats(ics_engine_anomalies(src->engine), &a);
	reply_uint(r, "anomalies_open", a.open);
	reply_uint(r, "anomalies_kept", a.kept);
	reply_uint(r, "anomalies_opened", a.opened);
	reply_uint(r, "anomalies_cleared", a.cleared);
	reply_uint(r, "anomalies_overwritten", a.overwritten);
	reply_uint(r, "anomalies_not_opened", a.not_opened);
	reply_uint(r, "anomaly_last_seq", a.last_seq);
	ics_model_stats(ics_engine_model(src->engine), &m);
	reply_uint(r, "segments", m.segments);
	reply_uint(r, "routers", m.routers);
	reply_uint(r, "hosts", m.hosts);
	reply_uint(r, "bindings", m.bindings);
	reply_uint(r, "segment_drops", m.segment_drops);
	reply_uint(r, "router_drops", m.router_drops);
	reply_uint(r, "router_evictions", m.router_evictions);
	reply_uint(r, "routes", m.routes);
	reply_uint(r, "route_drops", m.route_drops);
	reply_uint(r, "host_evictions", m.host_evictions);
	reply_uint(r, "binding_evictions", m.binding_evictions);
	reply_uint(r, "host_drops", m.host_drops);
	reply_uint(r, "binding_drops", m.binding_drops);
	reply_uint(r, "prefixes", m.prefixes);
	reply_uint(r, "prefix_drops", m.prefix_drops);
	reply_uint(r, "prefix_evictions", m.prefix_evictions);
	reply_uint(r, "advertiser_evictions", m.advertiser_evictions);
	reply_uint(r, "paths", m.paths);
	reply_uint(r, "path_drops", m.path_drops);
	reply_uint(r, "path_evictions", m.path_evictions);
	reply_uint(r, "path_reporters", m.reporters);
	reply_uint(r, "path_reporter_evictions", m.reporter_evictions);
	reply_uint(r, "black_holes", m.holes);
	reply_uint(r, "black_hole_drops", m.hole_drops);
	ics_model_frames_stats(ics_engine_model(src->engine), &f);
	reply_uint(r, "frames_watched", f.kept);
	reply_uint(r, "frame_evictions", f.evictions);
	reply_uint(r, "copies_unknown", f.unknown);
}

static void
add_history(const struct ics_export_source *src, struct reply *r)
{
	uint64_t error = src->history != NULL ? ics_count_get(&src->history->error) : 0;

	reply_text(r, "history", "%s", src->history == NULL ? "off" : error == 0 ? "on" : strerror((int)error));
	reply_uint(r, "history_written", src->history != NULL ? ics_count_get(&src->history->written) : 0);
	reply_uint(r, "history_queued", src->history_queue != NULL ? ics_history_queue_fill(src->history_queue) : 0);
	reply_uint(r, "history_dropped",
		   ics_engine_history_dropped(src->engine) +
			   (src->history != NULL ? ics_count_get(&src->history->failed) : 0));
}

static void
add_journal(const struct ics_export_source *src, struct reply *r)
{
	static const struct ics_journal_stats no_journal;
	static const struct ics_evidence_stats no_evidence;
	const struct ics_journal_stats *j = src->journal != NULL ? src->journal : &no_journal;
	const struct ics_evidence_stats *e = src->evidence != NULL ? src->evidence : &no_evidence;
	uint64_t error = ics_count_get(&j->error);

	reply_text(r, "journal", "%s", src->journal == NULL ? "off" : error == 0 ? "on" : strerror((int)error));
	reply_uint(r, "journal_written", ics_count_get(&j->written));
	reply_uint(r, "journal_queued", src->journal_queue != NULL ? ics_journal_queue_fill(src->journal_queue) : 0);
	reply_uint(r, "journal_dropped", ics_count_get(&j->dropped) + ics_count_get(&j->failed));
	reply_uint(r, "journal_rotations", ics_count_get(&j->rotations));
	error = ics_count_get(&e->error);
	reply_text(r, "evidence", "%s", src->evidence == NULL ? "off" : error == 0 ? "on" : strerror((int)error));
	reply_uint(r, "evidence_written", ics_count_get(&e->written));
	reply_uint(r, "evidence_failed", ics_count_get(&e->failed));
	reply_uint(r, "evidence_files", ics_count_get(&e->files));
}

static void
add_config(const struct ics_export_source *src, struct reply *r)
{
	const struct ics_export_config start = {.generation = 1, .applied_ns = src->start_ns};
	const struct ics_export_config *c = src->config != NULL ? src->config : &start;

	reply_uint(r, "config_generation", c->generation);
	reply_uint(r, "config_ns", c->applied_ns);
	reply_uint(r, "config_refused", c->refused);
	reply_uint(r, "config_need_restart", c->need_restart);
}

static void
add_state(const struct ics_export_source *src, struct reply *r)
{
	static const struct ics_state_restored nothing;
	const struct ics_state_restored *back = src->restored != NULL ? src->restored : &nothing;
	uint64_t error = src->state != NULL ? ics_count_get(&src->state->error) : 0;
	uint64_t saved_ns = src->state != NULL ? ics_count_get(&src->state->saved_ns) : 0, left = 0;
	char when[32], key[64];

	reply_text(r, "state", "%s", src->state == NULL ? "off" : error == 0 ? "on" : strerror((int)error));
	reply_uint(r, "state_saves", src->state != NULL ? ics_count_get(&src->state->saved) : 0);
	reply_uint(r, "state_failed", src->state != NULL ? ics_count_get(&src->state->failed) : 0);
	reply_uint(r, "state_bytes", src->state != NULL ? ics_count_get(&src->state->bytes) : 0);
	reply_text(r, "state_saved", "%s", saved_ns != 0 ? ics_report_time(saved_ns, when) : "never");
	reply_text(r, "state_restored", "%s", back->found ? ics_report_time(back->saved_ns, when) : "nothing");
	for (unsigned k = ICS_WARM_SEGMENT; k < ICS_WARM_KINDS; k++) {
		snprintf(key, sizeof(key), "state_restored_%s", ics_warm_kind_name(k));
		reply_uint(r, key, back->taken[k]);
		left += back->left[k];
	}
	reply_uint(r, "state_not_restored", left);
}

static void
add_sandbox(const struct ics_export_source *src, struct reply *r)
{
	const struct ics_export_sandbox *s = src->given_away;

	reply_text(r, "sandbox", "%s", src->sandbox);
	if (s == NULL)
		return;
	reply_text(r, "sandbox_user", "%s", s->user);
	reply_text(r, "sandbox_seccomp", "%s", s->seccomp ? "on" : "off");
	reply_uint(r, "sandbox_landlock", s->landlock_abi);
	reply_uint(r, "sandbox_bounding", s->bounding);
	reply_uint(r, "sandbox_threads", s->threads);
	reply_uint(r, "sandbox_denied", ics_count_get(&s->denied));
}

void
tel_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	char when[32];

	if (!param_none(r, params))
		return;
	read_ports(src);
	reply_text(r, "version", "%s", src->version);
	reply_text(r, "mode", "%s", src->mode);
	add_sandbox(src, r);
	tel_watchdog_add(src, r);
	reply_text(r, "started", "%s", ics_report_time(src->start_ns, when));
	reply_uint(r, "now_ns", ics_model_clock(ics_engine_model(src->engine))->now_ns);
	reply_uint(r, "uptime_s", src->uptime_ns / 1000000000ull);
	add_conservation(src, r);
	add_ports(src, r);
	add_findings(src, r);
	add_history(src, r);
	add_state(src, r);
	add_config(src, r);
	add_journal(src, r);
	reply_uint(r, "main_cpu", src->main_cpu);
	reply_uint(r, "tsc_hz", src->tsc_hz);
	reply_uint(r, "hugepages", src->hugepages);
	reply_uint(r, "memory_mb", src->memory_mb);
}
