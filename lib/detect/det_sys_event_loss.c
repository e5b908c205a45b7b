/* The control core cannot keep up and rings are full: messages reach the counters and no detector. Nothing of that may
 * be silent. A ring for messages about routers that overflows, or more than one message in a hundred, is critical.
 * Called with what each worker lost in a second; clears after a minute without loss.
 */
#include "detect_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define CRITICAL_PERMILLE 10
#define CLEAR_NS (60 * NS_PER_S)
#define WORKERS 8 /* that are told one by one */

struct worker_loss {
	uint64_t lost[ICS_DROP_COUNT], messages; /* in seconds with losses */
	uint32_t peak_permille;
	uint8_t port;
};

struct episode {
	struct ics_episode ep;
	bool muted, critical;
	uint64_t last_ns, lost[ICS_DROP_COUNT], lost_class[ICS_CLASS_COUNT];
	uint32_t peak_permille;
	unsigned n_workers; /* that lost something; the first WORKERS of them */
	struct {
		unsigned number;
		struct worker_loss l;
	} worker[WORKERS];
};

/* It is about the inspector and not about any network. */
static const struct ics_segment nowhere = {
	.id = ICS_SEGMENTS_MAX,
	.key = {.vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE},
};
static const struct ics_ip itself;

static uint64_t
total(const uint64_t by_cause[static ICS_DROP_COUNT])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ICS_DROP_COUNT; i++)
		n += by_cause[i];
	return n;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	return e->critical ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	static const char *const key[WORKERS] = {"worker_a", "worker_b", "worker_c", "worker_d",
						 "worker_e", "worker_f", "worker_g", "worker_h"};
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	unsigned long long lost = total(e->lost);

	a->variant = "degraded";
	a->severity = severity_of(e);
	a->muted = e->muted;
	a->count = lost;
	ics_fact_set_uint(a, "lost", lost);
	ics_fact_set_uint(a, "lost_urgent", e->lost[ICS_DROP_URGENT_FULL]);
	ics_fact_set_uint(a, "lost_bulk", e->lost[ICS_DROP_BULK_FULL]);
	ics_fact_set_uint(a, "peak_permille", e->peak_permille);
	for (unsigned i = 0; i < e->n_workers && i < WORKERS; i++) {
		const struct worker_loss *l = &e->worker[i].l;

		ics_fact_set_text(a, key[i], "worker %u, port %u: %" PRIu64 " urgent, %" PRIu64 " bulk of %" PRIu64,
				  e->worker[i].number, l->port, l->lost[ICS_DROP_URGENT_FULL],
				  l->lost[ICS_DROP_BULK_FULL], l->messages);
	}
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		if (e->lost_class[i] != 0)
			ics_fact_set_uint(a, ics_class_name(i), e->lost_class[i]);
	a->says[0] = '\0';
	ics_say(a, "Inspector overloaded: %llu messages summarised, exact counters kept.", lost);
	if (e->lost[ICS_DROP_URGENT_FULL] != 0)
		ics_say(a, " %llu of them were about routers, queriers or path MTU: a lost gateway may go unreported.",
			(unsigned long long)e->lost[ICS_DROP_URGENT_FULL]);
	else
		ics_say(a, " Messages about routers and path MTU have a way of their own and were not lost; findings "
			   "about single hosts may be missing.");
	ics_say(a, " Find the flood in the counters, give the control core a CPU of its own, or raise "
		   "worker.ring_bulk and worker.ring_urgent.");
}

static void
add_worker(struct episode *e, const struct ics_loss *loss, uint32_t permille)
{
	struct worker_loss *l;
	unsigned i = 0;

	while (i < e->n_workers && e->worker[i].number != loss->worker)
		i++;
	if (i == WORKERS)
		return;
	if (i == e->n_workers)
		e->worker[e->n_workers++].number = loss->worker;
	l = &e->worker[i].l;
	l->port = loss->port;
	l->messages += loss->messages;
	if (permille > l->peak_permille)
		l->peak_permille = permille;
	for (unsigned k = 0; k < ICS_DROP_COUNT; k++)
		l->lost[k] += loss->lost[k];
}

static void
on_loss(struct ics_detector *d, const struct ics_loss *loss)
{
	struct episode *e = (struct episode *)ics_episode_find(d, nowhere.id, &itself);
	const struct ics_clock *clock = ics_model_clock(d->model);
	uint64_t n = total(loss->lost);
	uint32_t permille = loss->messages == 0 ? 0 : (uint32_t)(1000 * n / loss->messages);

	if (n == 0)
		return;
	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, &nowhere, &itself, "inspector", "control core");
		if (e == NULL)
			return;
		e->muted = true;
		e->ep.interval_ns = 10 * NS_PER_S;
	}
	ics_episode_last_now(&e->ep);
	e->last_ns = clock->now_ns;
	for (unsigned k = 0; k < ICS_DROP_COUNT; k++)
		e->lost[k] += loss->lost[k];
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		e->lost_class[i] += loss->lost_class[i];
	if (permille > e->peak_permille)
		e->peak_permille = permille;
	e->critical |= loss->lost[ICS_DROP_URGENT_FULL] != 0 || n * 1000 > loss->messages * CRITICAL_PERMILLE;
	add_worker(e, loss, permille);
	e->muted &= ics_detect_is_muted_wholly(d);
	ics_episode_refresh(&e->ep, severity_of(e) | (uint64_t)e->muted << 4);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

const struct ics_detector_ops ics_det_sys_event_loss = {
	.episode_len = sizeof(struct episode),
	.loss = on_loss,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
