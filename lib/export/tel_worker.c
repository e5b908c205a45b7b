/* The worker family: what each worker did with its cycles, how full its rings are, where it runs, whether it turns. A client's
 * thread runs this: it reads counters, and what never changes.
 */
#include "endpoint.h"

#include <stdio.h>

static const struct reply_column columns[] = {
	{"worker", false},      {"port", false},        {"queue", false},
	{"cpu", false},         {"packets", false},     {"bursts", false},
	{"busy_cycles", false}, {"idle_cycles", false}, {"cycles_per_packet", false},
	{"control", false},     {"delivered", false},   {"dropped", false},
	{"urgent_used", false}, {"urgent_peak", false}, {"bulk_used", false},
	{"bulk_peak", false},   {"stalled_ms", false},  {"stalls", false},
};

/* One worker's numbers at one moment. */
struct view {
	const struct ics_export_worker *w;
	struct ics_count_snapshot c;
	struct ics_ring_stats urgent, bulk;
	uint64_t packets, bursts, busy, idle, dropped;
};

static void
look(const struct ics_export_source *src, unsigned i, struct view *v)
{
	v->w = &src->workers[i];
	ics_export_counts(src, i, &v->c);
	ics_ring_stats_urgent(v->w->ring, &v->urgent);
	ics_ring_stats_bulk(v->w->ring, &v->bulk);
	v->packets = ics_count_get(&v->w->stats->packets);
	v->bursts = ics_count_get(&v->w->stats->bursts);
	v->busy = ics_count_get(&v->w->stats->busy_tsc);
	v->idle = ics_count_get(&v->w->stats->idle_tsc);
	v->dropped = 0;
	for (unsigned d = 0; d < ICS_DROP_COUNT; d++)
		v->dropped += v->c.dropped[d];
}

static uint64_t
stalled_ms(const struct ics_export_worker *w)
{
	return w->turn != NULL ? ics_count_get(&w->turn->stalled_ms) : 0;
}

static uint64_t
stalls(const struct ics_export_worker *w)
{
	return w->turn != NULL ? ics_count_get(&w->turn->stalls) : 0;
}

void
tel_worker_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	for (uint64_t i = start; i < src->n_workers; i++)
		if (!reply_list_uint(r, i))
			return;
}

/* NUMA nodes are left out where the machine does not say. */
static void
add_place(const struct ics_export_worker *w, struct reply *r)
{
	reply_uint(r, "port", w->port);
	reply_uint(r, "queue", w->queue);
	reply_uint(r, "lcore", w->lcore);
	reply_uint(r, "cpu", w->cpu);
	reply_uint(r, "cpu_shared", w->shared);
	if (w->node >= 0)
		reply_uint(r, "numa_node", (uint64_t)w->node);
	if (w->port_node >= 0)
		reply_uint(r, "port_numa_node", (uint64_t)w->port_node);
	reply_uint(r, "numa_remote", w->node >= 0 && w->port_node >= 0 && w->node != w->port_node);
}

/* Samples are no control messages, and in none of the counts of these. */
static void
add_sampler(const struct view *v, struct reply *r)
{
	struct ics_sampler_stats s;

	reply_uint(r, "sampler_on", v->w->sampler != NULL);
	reply_uint(r, "sampled", v->c.sampled);
	reply_uint(r, "sample_dropped", v->c.sample_dropped);
	if (v->w->sampler == NULL)
		return;
	ics_sampler_stats(v->w->sampler, &s);
	reply_uint(r, "flows", s.flows);
	reply_uint(r, "flows_refused", s.flows_refused);
	reply_uint(r, "flows_evicted", s.flows_evicted);
	reply_uint(r, "flows_one_in", s.one_in);
	reply_uint(r, "flow_filters_sure", s.filters_sure);
}

static void
add_rings(const struct view *v, struct reply *r)
{
	reply_uint(r, "urgent_size", v->urgent.size);
	reply_uint(r, "urgent_used", v->urgent.used);
	reply_uint(r, "urgent_peak", v->urgent.peak);
	reply_uint(r, "bulk_size", v->bulk.size);
	reply_uint(r, "bulk_used", v->bulk.used);
	reply_uint(r, "bulk_peak", v->bulk.peak);
}

void
tel_worker_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	char key[64];
	struct view v;
	uint64_t i;

	if (!param_index(r, params, "a worker", src->n_workers, &i))
		return;
	look(src, (unsigned)i, &v);
	reply_uint(r, "worker", i);
	add_place(v.w, r);
	reply_uint(r, "frames", v.c.frames);
	reply_uint(r, "bytes", v.c.bytes);
	reply_uint(r, "packets", v.packets);
	reply_uint(r, "polls", ics_count_get(&v.w->stats->polls));
	reply_uint(r, "bursts", v.bursts);
	reply_uint(r, "busy_cycles", v.busy);
	reply_uint(r, "idle_cycles", v.idle);
	reply_uint(r, "cycles_per_packet", v.packets != 0 ? v.busy / v.packets : 0);
	reply_uint(r, "linearised", ics_count_get(&v.w->stats->linearised));
	reply_uint(r, "cut", ics_count_get(&v.w->stats->cut));
	reply_uint(r, "told", ics_count_get(&v.w->stats->told));
	reply_uint(r, "control", v.c.control);
	reply_uint(r, "delivered", v.c.delivered);
	reply_uint(r, "records", v.c.records);
	reply_uint(r, "pending", ics_count_get(&v.w->stats->pending));
	for (unsigned d = 0; d < ICS_DROP_COUNT; d++) {
		snprintf(key, sizeof(key), "dropped_%s", ics_drop_name(d));
		reply_uint(r, key, v.c.dropped[d]);
	}
	add_sampler(&v, r);
	add_rings(&v, r);
	reply_uint(r, "stalled_ms", stalled_ms(v.w));
	reply_uint(r, "stalls", stalls(v.w));
	reply_uint(r, "longest_stall_ms", v.w->turn != NULL ? ics_count_get(&v.w->turn->longest_ms) : 0);
}

void
tel_worker_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint64_t start, count, i;
	struct view v;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	for (i = start; i < src->n_workers && count > 0; i++, count--) {
		look(src, (unsigned)i, &v);
		reply_cell(r, i);
		reply_cell(r, v.w->port);
		reply_cell(r, v.w->queue);
		reply_cell(r, v.w->cpu);
		reply_cell(r, v.packets);
		reply_cell(r, v.bursts);
		reply_cell(r, v.busy);
		reply_cell(r, v.idle);
		reply_cell(r, v.packets != 0 ? v.busy / v.packets : 0);
		reply_cell(r, v.c.control);
		reply_cell(r, v.c.delivered);
		reply_cell(r, v.dropped);
		reply_cell(r, v.urgent.used);
		reply_cell(r, v.urgent.peak);
		reply_cell(r, v.bulk.used);
		reply_cell(r, v.bulk.peak);
		reply_cell(r, stalled_ms(v.w));
		reply_cell(r, stalls(v.w));
		if (!reply_row_end(r))
			break;
	}
	reply_page(r, src->n_workers, i, i < src->n_workers);
}
