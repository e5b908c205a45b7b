/* /icmpscope/plan: which CPU does what, how much memory that takes, and every compromise, as a figure and as a sentence with
 * its remedy. /icmpscope/plan/table: a row a worker.
 */
#include "endpoint.h"

static const struct reply_column columns[] = {
	{"worker", false},      {"port", false},       {"device", true},       {"queue", false},  {"lcore", false},
	{"cpu", false},         {"node", true},        {"port_node", true},    {"remote", false}, {"cpu_shared", false},
	{"core_shared", false}, {"ring_bytes", false}, {"table_bytes", false},
};

static const struct ics_export_plan *
plan_of(const struct ics_export_source *src)
{
	static const struct ics_export_plan nothing;

	return src->plan != NULL ? src->plan : &nothing;
}

void
tel_plan(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_export_plan *p = plan_of(src);
	uint64_t pools = 0;
	char key[32];

	if (!param_none(r, params))
		return;
	for (unsigned i = 0; i < src->n_ports && i < ICS_EXPORT_PORTS_MAX; i++)
		pools += p->pool_bytes[i];
	reply_text(r, "cpus", "%s", p->cpus);
	reply_uint(r, "control_cpu", src->main_cpu);
	reply_text(r, "other_cpus", "%s", p->background);
	reply_uint(r, "workers", src->n_workers);
	reply_uint(r, "ports", src->n_ports);
	reply_uint(r, "memory_mb", src->memory_mb);
	reply_uint(r, "hugepages", src->hugepages);
	reply_uint(r, "ring_bytes", p->ring_bytes);
	reply_uint(r, "worker_bytes", p->worker_bytes);
	reply_uint(r, "pool_bytes", pools);
	reply_uint(r, "workers_remote", p->remote);
	reply_uint(r, "workers_cpu_shared", p->shared);
	reply_uint(r, "workers_with_control", p->with_control);
	reply_uint(r, "workers_core_shared", p->smt);
	reply_uint(r, "cpus_idle", p->idle_cpus);
	reply_uint(r, "queues_lacking", p->queues_lacking);
	reply_uint(r, "cgroup_cpu_milli", p->quota_milli);
	reply_uint(r, "warnings", p->n_warnings);
	for (unsigned i = 0; i < p->n_warnings; i++) {
		snprintf(key, sizeof(key), "warning_%u", i);
		reply_long(r, key, p->warning[i]);
	}
}

static void
cell_node(struct reply *r, int node)
{
	if (node < 0)
		reply_cell_text(r, "-");
	else
		reply_cell_text(r, "%d", node);
}

void
tel_plan_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_export_plan *p = plan_of(src);
	uint64_t start, count, i;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	for (i = start; i < src->n_workers && count > 0; i++, count--) {
		const struct ics_export_worker *w = &src->workers[i];

		reply_cell(r, i);
		reply_cell(r, w->port);
		reply_cell_text(r, "%s", src->ports[w->port].device);
		reply_cell(r, w->queue);
		reply_cell(r, w->lcore);
		reply_cell(r, w->cpu);
		cell_node(r, w->node);
		cell_node(r, w->port_node);
		reply_cell(r, w->node >= 0 && w->port_node >= 0 && w->node != w->port_node);
		reply_cell(r, w->shared);
		reply_cell(r, w->smt);
		reply_cell(r, p->ring_bytes);
		reply_cell(r, p->worker_bytes - p->ring_bytes);
		if (!reply_row_end(r))
			break;
	}
	reply_page(r, src->n_workers, i, i < src->n_workers);
}
