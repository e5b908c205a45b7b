/* What the families of endpoints share: the row that describes one, and the checks of its parameter. The table of all
 * rows is in endpoints.c. Handlers run on the control core.
 */
#ifndef ICS_EXPORT_ENDPOINT_H
#define ICS_EXPORT_ENDPOINT_H

#include "ics_export.h"
#include "reply.h"

/* params: text behind the first comma of the command, NULL without one, at most 1,023 bytes. */
typedef void (*endpoint_fn)(const struct ics_export_source *src, const char *params, struct reply *r);

struct endpoint {
	const char *command; /* at most 55 characters of A-Z a-z 0-9 _ / */
	const char *help;    /* at most 127 characters */
	endpoint_fn fn;
	bool direct; /* reads counters alone: a client's own thread answers, even when the control core does not turn */
};

/* NULL past the last. */
const struct endpoint *endpoint_at(unsigned i);
const struct endpoint *endpoint_find(const char *command);

/* Each returns false after it has put an error into r that says what is allowed; what: "a worker". */
bool param_none(struct reply *r, const char *params);
bool param_number(struct reply *r, const char *params, const char *what, uint64_t *out);
/* A number below n; an absent parameter is refused as well. */
bool param_index(struct reply *r, const char *params, const char *what, uint64_t n, uint64_t *out);
/* The same or nothing: *out is then ICS_EXPORT_ALL. */
bool param_index_or_all(struct reply *r, const char *params, const char *what, uint64_t n, uint32_t *out);
/* "START" or nothing (0), for lists. */
bool param_start(struct reply *r, const char *params, uint64_t *start);
/* "START[,COUNT]" or nothing (from 0 on, all that fit), for tables. */
bool param_page(struct reply *r, const char *params, uint64_t *start, uint64_t *count);

/* "ID[,N]": both from 1 on; N is 1 when it is absent. */
bool param_pair(struct reply *r, const char *params, const char *what, uint64_t *id, uint64_t *n);

static inline void
read_ports(const struct ics_export_source *src)
{
	if (src->read_ports != NULL)
		src->read_ports(src->ctx);
}

/* Where the segment of this id is; untagged on port 0 when there is none. */
const struct ics_segment_key *segment_key(const struct ics_model *m, uint32_t id);

/* tel_info.c */
void tel_info(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_count.c */
void tel_classes(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_reasons(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_dropped(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_encapsulation(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_reason.c */
void tel_reason_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_reason_info(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_worker.c */
void tel_worker_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_worker_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_worker_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_watchdog.c */
void tel_watchdog(const struct ics_export_source *src, const char *params, struct reply *r);
/* What the watchdog sees, for /icmpscope/info. */
void tel_watchdog_add(const struct ics_export_source *src, struct reply *r);
/* tel_plan.c */
void tel_plan(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_plan_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_port.c */
void tel_port_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_port_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_port_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_detector.c */
void tel_detector_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_detector_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_detector_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_anomaly.c */
void tel_anomaly_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_anomaly_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_anomaly_table(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_anomaly_ack(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_anomaly_evidence(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_neighbor.c */
void tel_neighbor_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_neighbor_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_neighbor_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_router.c */
void tel_router_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_router_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_router_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_prefix.c */
void tel_prefix_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_prefix_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_prefix_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_group.c */
void tel_group_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_group_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_group_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* Groups of the segment and the table of its switch, for its /info. */
void tel_segment_add_multicast(const struct ics_model *m, const struct ics_segment *s, struct reply *r);
/* tel_host.c */
void tel_host_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_host_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_host_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_querier.c */
void tel_querier_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_querier_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_querier_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_pmtu.c */
void tel_pmtu_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_pmtu_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_pmtu_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_reporter.c */
void tel_reporter_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_gateway.c */
void tel_gateway_table(const struct ics_export_source *src, const char *params, struct reply *r);
/* tel_segment.c */
void tel_segment_list(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_segment_info(const struct ics_export_source *src, const char *params, struct reply *r);
void tel_segment_table(const struct ics_export_source *src, const char *params, struct reply *r);

#endif
