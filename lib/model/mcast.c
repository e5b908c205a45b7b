/* How full the multicast table of the switch is, and when it will be: entries by the model of the configuration (F3: one
 * a group, or one or two a group and port), hosts that still fit, and the trend of 24 hours. Read by the detector, the
 * report and telemetry, always, whether it is too full or not.
 */
#include "group.h"

#include <stdlib.h>

enum { BY_GROUP, BY_PORT, BY_PORT2 };

static uint32_t
table_used(const struct ics_model *m, const struct ics_mcast_load *l)
{
	switch (m->conf.detect.table_model) {
	case BY_GROUP:
		return l->groups;
	case BY_PORT2:
		return 2 * l->entries;
	default:
		return l->entries;
	}
}

uint32_t
ics_model_table_cap(const struct ics_model *m)
{
	return m->conf.detect.table_cap;
}

uint64_t
ics_model_table_used(const struct ics_model *m, uint8_t port)
{
	return table_used(m, &m->mcast->domain[port].load);
}

const struct ics_mcast_load *
ics_model_port_mcast(const struct ics_model *m, uint8_t port)
{
	return &m->mcast->domain[port].load;
}

/* ---- trend ---- */

static void
on_quarter_hour(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;

	for (unsigned i = 0; i < ICS_PORTS_MAX; i++) {
		struct ics_domain *d = &m->mcast->domain[i];

		if (d->n == 0 && d->load.memberships == 0)
			continue;
		d->point[d->next] = table_used(m, &d->load);
		d->next = (d->next + 1) % ICS_TREND_POINTS;
		if (d->n < ICS_TREND_POINTS)
			d->n++;
	}
	(void)ics_timer_set(&m->clock.timers, t, now_ns + ICS_TREND_NS);
}

void
ics_trend_start(struct ics_model *m)
{
	struct ics_timer *t = &m->mcast->trend;

	if (t->pos != 0)
		return;
	t->owner = m;
	t->fire = on_quarter_hour;
	(void)ics_timer_set(&m->clock.timers, t, m->clock.now_ns + ICS_TREND_NS);
}

/* Hosts that come in the morning are no trend: it grows all day, each quarter of it by a tenth of the whole at least. */
static bool
grows_steadily(const uint32_t *x)
{
	uint32_t last = x[ICS_TREND_POINTS - 1], growth = last - x[0];

	if (last <= x[0])
		return false;
	for (unsigned q = 0; q < 4; q++) {
		uint32_t from = x[q * ICS_TREND_POINTS / 4];
		uint32_t to = q == 3 ? last : x[(q + 1) * ICS_TREND_POINTS / 4];

		if (to < from || (to - from) * 10ull < growth)
			return false;
	}
	return true;
}

/* Entries a day by least squares. */
static double
slope_per_day(const uint32_t *x)
{
	const double n = ICS_TREND_POINTS, mid = (n - 1) / 2;
	double sum = 0, weight = 0;

	for (unsigned i = 0; i < ICS_TREND_POINTS; i++) {
		sum += (i - mid) * x[i];
		weight += (i - mid) * (i - mid);
	}
	return sum / weight * n;
}

static void
find_trend(const struct ics_domain *d, struct ics_table_forecast *out)
{
	uint32_t x[ICS_TREND_POINTS];
	double per_day;

	if (d->n < ICS_TREND_POINTS)
		return;
	for (unsigned i = 0; i < ICS_TREND_POINTS; i++)
		x[i] = d->point[(d->next + i) % ICS_TREND_POINTS];
	if (!grows_steadily(x))
		return;
	per_day = slope_per_day(x);
	if (per_day < 1)
		return;
	out->has_trend = true;
	out->per_day = (uint64_t)(per_day + 0.5);
	out->hours_to_full = out->used >= out->cap ? 0 : (uint64_t)((double)(out->cap - out->used) * 24 / per_day);
}

void
ics_model_forecast(const struct ics_model *m, uint8_t port, struct ics_table_forecast *out)
{
	static const char *const names[] = {[BY_GROUP] = "group", [BY_PORT] = "port", [BY_PORT2] = "port2"};
	const struct ics_domain *d = &m->mcast->domain[port];
	uint64_t left;

	*out = (struct ics_table_forecast){
		.cap = m->conf.detect.table_cap,
		.model = names[m->conf.detect.table_model % ICS_ARRAY_LEN(names)],
		.port = port,
		.used = table_used(m, &d->load),
		.load = d->load,
	};
	out->percent = (uint32_t)(out->used * 100 / out->cap);
	if (d->load.hosts != 0 && out->used != 0) {
		left = out->used >= out->cap ? 0 : out->cap - out->used;
		out->per_host_100 = (uint32_t)(out->used * 100 / d->load.hosts);
		out->hosts_to_full = left * d->load.hosts / out->used;
		out->hosts_at_full = d->load.hosts + out->hosts_to_full;
	}
	find_trend(d, out);
}

/* ---- groups per host ---- */

static void
take_top(struct ics_mcast_hosts *out, const struct ics_host *h, uint32_t id)
{
	unsigned at = out->n_top;

	while (at > 0 && out->top[at - 1].groups < h->n_groups)
		at--;
	if (at == ICS_MCAST_TOP)
		return;
	if (out->n_top < ICS_MCAST_TOP)
		out->n_top++;
	memmove(&out->top[at + 1], &out->top[at], (out->n_top - at - 1) * sizeof(out->top[0]));
	out->top[at].mac = h->mac;
	out->top[at].id = id;
	out->top[at].segment = h->segment;
	out->top[at].groups = h->n_groups;
	out->top[at].snm = h->n_snm;
	out->top[at].version = h->mld_version;
}

void
ics_model_mcast_hosts(const struct ics_model *m, uint8_t port, uint32_t segment, struct ics_mcast_hosts *out)
{
	uint32_t with[ICS_MEMBERS_PER_MAC + 1] = {0}, seen = 0, id = 1;
	const struct ics_host *h;

	memset(out, 0, sizeof(*out));
	for (; (h = ics_model_host_next(m, &id)) != NULL; id++) { /* at most ICS_HOSTS_MAX */
		if (h->n_groups == 0 || (segment != UINT32_MAX && h->segment != segment) ||
		    seg_by_id(m, h->segment)->s.key.port != port)
			continue;
		with[h->n_groups]++;
		out->hosts++;
		take_top(out, h, id);
	}
	for (uint32_t n = 1; n <= ICS_MEMBERS_PER_MAC && seen < out->hosts; n++) {
		if (with[n] == 0)
			continue;
		seen += with[n];
		if (out->p50 == 0 && seen * 2ull >= out->hosts)
			out->p50 = n;
		if (out->p95 == 0 && seen * 100ull >= out->hosts * 95ull)
			out->p95 = n;
		out->max = n;
	}
}
