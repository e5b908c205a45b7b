/* Nobody asks for multicast listeners any more, though hosts report: switches that snoop forget their members after
 * RV * QI + QRI (RFC 9777 9.4, RFC 4541 3) and then keep solicited-node groups from them, so that neighbor discovery
 * fails. Or somebody asks in a way that hosts discard (RFC 9777 5.1.14). Called for queries and reports, and by time.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdlib.h>

#define SILENCE_NS (260 * NS_PER_S)
#define START_NS (300 * NS_PER_S) /* never a query: since the segment was first heard */
#define REPORTERS 3
#define ROLL_NS (20 * NS_PER_S) /* hosts answer within this */
#define LOOK_NS (30 * NS_PER_S)
#define CLEAR_QUERIES 2
#define WORSE 5             /* times as many solicitations without an answer */
#define UNANSWERED_FLOOR 10 /* per mille; less is noise */

enum variant { V_MISSING, V_QUERIER_INVALID };
static const char *const names[] = {[V_MISSING] = "missing", [V_QUERIER_INVALID] = "querier_invalid"};

/* What became of solicitations for hosts that live. */
struct answers {
	uint64_t start_ns;
	uint32_t asked, answered;
};

/* One segment. Who reported since the latest query, and before it. */
struct watch {
	struct ics_timer timer;
	struct ics_detector *det;
	const struct ics_segment *seg;
	struct ics_mac mac[REPORTERS];
	unsigned n, n_before;
	struct ics_hll hosts;
	uint64_t hosts_before, rolled_ns;
	bool has_ratio;
	uint32_t unanswered; /* per mille, when a query was last heard */
};

struct episode {
	struct ics_episode ep;
	struct watch *watch;
	bool muted, invalid, critical;
	unsigned queries;
	uint64_t look_ns, hosts;
	struct answers answers; /* when it began */
	bool has_after;
	uint32_t after; /* per mille without an answer since then */
};

static const struct ics_ip whole_segment;

static enum ics_severity
severity_of(const struct episode *e)
{
	if (!e->ep.det->conf->detect.snooping)
		return ICS_SEV_INFO;
	return e->critical ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->invalid | (uint64_t)severity_of(e) << 4 | (uint64_t)e->muted << 8;
}

static void
say(struct ics_anomaly *a, const struct episode *e, const struct ics_queriers *s, uint64_t age_s)
{
	char ip[ICS_IP_STRLEN];
	const struct ics_reason_info *why = e->invalid ? ics_reason_info(s->invalid_reason) : NULL;

	a->says[0] = '\0';
	if (why != NULL)
		ics_say(a, "Hosts discard the MLD queries of %s (%s), so nobody asks for listeners",
			ics_ip_format(&s->invalid_src, ip), why->name);
	else if (s == NULL || s->last_general_ns == 0)
		ics_say(a, "There is no MLD querier: nobody asked for listeners in %llu s", (unsigned long long)age_s);
	else
		ics_say(a, "MLD querier %s is silent for %llu s", ics_ip_format(&s->q[s->current].addr, ip),
			(unsigned long long)age_s);
	ics_say(a, ", while %llu hosts report groups.", (unsigned long long)e->hosts);
	if (!e->ep.det->conf->detect.snooping)
		ics_say(a, " Without MLD snooping (detect.snooping off) nothing breaks.");
	else if (e->critical)
		ics_say(a,
			" Switches have forgotten members: %u.%u %% of neighbor solicitations stay without answer, "
			"before it were %u.%u %%. Enable a querier on this VLAN now, or turn MLD snooping off.",
			e->after / 10, e->after % 10, e->watch->unanswered / 10, e->watch->unanswered % 10);
	else
		ics_say(a,
			" Switches that snoop MLD forget members after 260 s and keep solicited-node multicast from "
			"them: hosts become unreachable one by one. Enable a querier on this VLAN%s.",
			why != NULL ? ", with a link-local address, hop limit 1 and router alert" : "");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_queriers *s = ics_model_queriers(d->model, ep->segment);
	uint64_t now = ics_model_clock(d->model)->now_ns;
	uint64_t since = s != NULL && s->last_general_ns != 0 ? s->last_general_ns : e->watch->seg->first_ns;
	struct ics_anomaly *a = ep->a;
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->variant = names[e->invalid ? V_QUERIER_INVALID : V_MISSING];
	a->severity = severity_of(e);
	a->muted = e->muted;
	if (s != NULL && s->until_ns != 0) {
		const struct ics_querier *q = &s->q[s->current];

		ics_fact_set_text(a, "last_querier", "%s", ics_ip_format(&q->addr, ip));
		if (q->has_mac)
			ics_fact_set_text(a, "last_querier_mac", "%s", ics_mac_format(&q->mac, mac));
	}
	/* A query that ends it must not make it young. */
	if (e->queries == 0)
		ics_fact_set_seconds(a, "silent_s", (now - since) / NS_PER_MS);
	ics_fact_set_uint(a, "member_hosts", e->hosts);
	if (e->invalid) {
		ics_fact_set_text(a, "reason", "%s", ics_reason_info(s->invalid_reason)->name);
		ics_fact_set_uint(a, "invalid_queries", s->invalid);
		ics_fact_set_text(a, "invalid_querier", "%s", ics_ip_format(&s->invalid_src, ip));
	}
	if (e->watch->has_ratio)
		ics_fact_set_uint(a, "unanswered_before_permille", e->watch->unanswered);
	if (e->has_after)
		ics_fact_set_uint(a, "unanswered_after_permille", e->after);
	ics_fact_set_bool(a, "snooping", d->conf->detect.snooping);
	if (e->queries == 0)
		say(a, e, s, (now - since) / NS_PER_S);
}

static uint64_t
deadline(const struct ics_detector *d, const struct ics_segment *seg)
{
	const struct ics_queriers *s = ics_model_queriers(d->model, seg->id);
	uint64_t wait, lost_ns = d->shared->lost_ns[ICS_CLASS_mld_query];
	const struct ics_querier *q;

	/* What was lost on the way to here may have been a query. */
	if (s == NULL || s->last_general_ns == 0)
		return (seg->first_ns > lost_ns ? seg->first_ns : lost_ns) + START_NS;
	q = &s->q[s->current];
	wait = 2 * ics_querier_qi_s(q) * NS_PER_S + q->qri_ms * NS_PER_MS;
	return (s->last_general_ns > lost_ns ? s->last_general_ns : lost_ns) + (wait > SILENCE_NS ? wait : SILENCE_NS);
}

/* Queries that hosts discard came since the latest valid one. */
static bool
is_invalid_only(const struct ics_queriers *s)
{
	return s != NULL && s->invalid != 0 && s->invalid_ns > s->last_general_ns &&
	       ics_reason_info(s->invalid_reason) != NULL;
}

static struct answers
answers_of(const struct ics_segment *seg)
{
	return (struct answers){seg->seen.start_ns, seg->seen.asked, seg->seen.answered};
}

static bool
permille_unanswered(uint32_t asked, uint32_t answered, uint32_t *out)
{
	if (asked < ICS_VISIBILITY_SAMPLE)
		return false;
	*out = answered >= asked ? 0 : (uint32_t)(1000ull * (asked - answered) / asked);
	return true;
}

/* Members are gone from the tables of switches once neighbor discovery fails far more often than it did. */
static void
compare_answers(struct episode *e)
{
	struct answers now = answers_of(e->watch->seg);
	uint32_t before = e->watch->unanswered;

	if (now.start_ns == e->answers.start_ns) {
		now.asked -= e->answers.asked;
		now.answered -= now.answered < e->answers.answered ? now.answered : e->answers.answered;
	}
	if (!permille_unanswered(now.asked, now.answered, &e->after))
		return;
	e->has_after = true;
	if (before < UNANSWERED_FLOOR)
		before = UNANSWERED_FLOOR;
	e->critical |= e->watch->has_ratio && e->after >= WORSE * before;
}

/* Opens the finding when its time has come. */
static void
look(struct watch *w, uint64_t now_ns)
{
	struct ics_detector *d = w->det;
	unsigned n = w->n > w->n_before ? w->n : w->n_before;
	uint64_t hosts = ics_hll_count(&w->hosts);
	struct episode *e;

	if (n < REPORTERS || now_ns < deadline(d, w->seg) || ics_episode_find(d, w->seg->id, &whole_segment) != NULL)
		return;
	e = (struct episode *)ics_episode_open_as(d, w->seg, &whole_segment, "segment", "");
	if (e == NULL)
		return;
	ics_subject_set_text(e->ep.a, "segment", "%u", w->seg->id);
	e->ep.a->count = 1; /* no message made it, but their absence */
	e->watch = w;
	e->hosts = hosts > w->hosts_before ? hosts : w->hosts_before;
	if (e->hosts < n)
		e->hosts = n;
	e->invalid = is_invalid_only(ics_model_queriers(d->model, w->seg->id));
	e->muted = ics_detect_is_muted(d, &w->seg->key, &whole_segment, NULL);
	e->answers = answers_of(w->seg);
	e->look_ns = now_ns + LOOK_NS;
	ics_episode_refresh(&e->ep, signature_of(e));
}

static void
on_deadline(struct ics_timer *t, uint64_t now_ns)
{
	struct watch *w = t->owner;
	uint64_t due = deadline(w->det, w->seg);

	if (now_ns >= due) {
		look(w, now_ns);
		/* From now on it is the reports that say whether somebody is there. */
		return;
	}
	(void)ics_timer_set(&ics_model_clock(w->det->model)->timers, t, due);
}

static struct watch *
watch_of(struct ics_detector *d, const struct ics_segment *seg)
{
	struct watch **all = d->state, *w = all[seg->id];

	if (w != NULL)
		return w;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->det = d;
	w->seg = seg;
	w->timer.fire = on_deadline;
	w->timer.owner = w;
	ics_hll_init(&w->hosts, ics_hash_mix(d->seed, 2));
	return all[seg->id] = w;
}

static void
on_query(struct ics_detector *d, struct watch *w, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &whole_segment);

	if (!msg->strict) {
		if (e != NULL && e->queries == 0 && is_invalid_only(c->query->queriers)) {
			e->invalid = true;
			ics_episode_update(&e->ep, msg, signature_of(e));
		}
		return;
	}
	if (!c->query->query.general || c->query->is_copy || c->query->forged)
		return;
	if (e != NULL && ++e->queries >= CLEAR_QUERIES) {
		ics_episode_close(&e->ep);
		e = NULL;
	}
	if (msg->ts_ns >= w->rolled_ns + ROLL_NS) {
		w->rolled_ns = msg->ts_ns;
		w->n_before = w->n;
		w->hosts_before = ics_hll_count(&w->hosts);
		w->n = 0;
		ics_hll_init(&w->hosts, w->hosts.seed);
	}
	if (e == NULL)
		w->has_ratio =
			permille_unanswered(c->segment->seen.asked + c->segment->seen.last_asked,
					    c->segment->seen.answered + c->segment->seen.last_answered, &w->unanswered);
}

static void
on_report(struct watch *w, const struct ics_msg *msg)
{
	bool known = false;

	if (!msg->has_mac)
		return;
	for (unsigned i = 0; i < w->n; i++)
		known |= ics_mac_equal(&w->mac[i], &msg->smac);
	if (!known && w->n < REPORTERS && !ics_detect_is_router_mac(w->det, w->seg->id, &msg->smac))
		w->mac[w->n++] = msg->smac;
	ics_hll_add(&w->hosts, msg->smac.b, 6);
	if (w->n >= REPORTERS && w->timer.pos == 0)
		look(w, msg->ts_ns);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct watch *w = watch_of(d, c->segment);
	uint64_t due;

	if (w == NULL)
		return;
	if (msg->class != ICS_CLASS_mld_query) {
		if (msg->strict || msg->lenient)
			on_report(w, msg);
	} else if (c->query != NULL) {
		on_query(d, w, msg, c);
	}
	if (w->timer.pos == 0 && (due = deadline(d, c->segment)) > msg->ts_ns)
		(void)ics_timer_set(&ics_model_clock(d->model)->timers, &w->timer, due);
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->critical ? UINT64_MAX : e->look_ns;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (now_ns >= e->look_ns) {
		e->look_ns = now_ns + LOOK_NS;
		compare_answers(e);
		if (e->critical && e->queries == 0)
			ics_episode_refresh(ep, signature_of(e));
	}
	return true;
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(ICS_SEGMENTS_MAX, sizeof(struct watch *));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
fini(struct ics_detector *d)
{
	struct watch **all = d->state;

	for (unsigned i = 0; all != NULL && i < ICS_SEGMENTS_MAX; i++) {
		if (all[i] != NULL)
			ics_timer_cancel(&ics_model_clock(d->model)->timers, &all[i]->timer);
		free(all[i]);
	}
	free(all);
}

const struct ics_detector_ops ics_det_mld_querier_missing = {
	.classes = 1ull << ICS_CLASS_mld_query | 1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld2_report,
	.invalid_too = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.render = render,
	.timer = on_timer,
	.due = due,
};
