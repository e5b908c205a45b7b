/* The tap does not see all of a segment: a mirror of one direction, or a switch that keeps unicast from it. Then shares of
 * answers are worth nothing, and the detectors that go by them say less; the operator is told once. Estimated from unicast
 * answers to solicitations for hosts known to be live, and from TCP flows with one direction only. Called for NS, NA and
 * what the TCP sampler tells; judged again every ten minutes.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define JUDGED_NS (600 * NS_PER_S)
#define SAMPLES 50
/* Percent. Of flows what is above is all, but for losses; of solicitations so many are for hosts that fell asleep or left a
 * moment ago that only half of them tells something.
 */
#define FLOWS_BELOW 80
#define ANSWERS_BELOW 50
/* Segments share a slot by chance, then neither is judged by flows. */
#define SLOTS 1024

/* TCP flows that were told of in this window and the one before. */
struct flows {
	uint32_t segment; /* id + 1 */
	uint32_t n, both, last_n, last_both;
	uint64_t start_ns;
};

struct episode {
	struct ics_episode ep;
	bool muted;
	uint32_t asked, answered, flows, both;
	uint64_t judged_ns;
};

static struct flows *
flows_of(const struct ics_detector *d, uint32_t segment)
{
	return (struct flows *)d->state + segment % SLOTS;
}

static uint32_t
percent(uint32_t part, uint32_t whole)
{
	return whole == 0 ? 0 : (uint32_t)(100ull * part / whole);
}

static bool
lacks_answers(uint32_t answered, uint32_t asked)
{
	return asked >= SAMPLES && percent(answered, asked) < ANSWERS_BELOW;
}

static bool
lacks_directions(uint32_t both, uint32_t flows)
{
	return flows >= SAMPLES && percent(both, flows) < FLOWS_BELOW;
}

static bool
is_limited(const struct episode *e)
{
	return lacks_answers(e->answered, e->asked) || lacks_directions(e->both, e->flows);
}

static void
read_segment(const struct ics_detector *d, const struct ics_segment *seg, struct episode *out)
{
	const struct flows *f = flows_of(d, seg->id);
	bool own = f->segment == seg->id + 1;

	out->asked = seg->seen.asked + seg->seen.last_asked;
	out->answered = seg->seen.answered + seg->seen.last_answered;
	out->flows = own ? f->n + f->last_n : 0;
	out->both = own ? f->both + f->last_both : 0;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	bool nd = lacks_answers(e->answered, e->asked);

	a->severity = ICS_SEV_INFO;
	a->variant = nd ? "unicast_replies" : "one_direction";
	a->muted = e->muted;
	ics_fact_set_uint(a, "solicitations", e->asked);
	ics_fact_set_uint(a, "answers_seen", e->answered);
	if (e->asked >= SAMPLES)
		ics_fact_set_uint(a, "answers_percent", percent(e->answered, e->asked));
	ics_fact_set_uint(a, "flows", e->flows);
	ics_fact_set_uint(a, "flows_both_ways", e->both);
	if (e->flows >= SAMPLES)
		ics_fact_set_uint(a, "flows_percent", percent(e->both, e->flows));
	a->says[0] = '\0';
	if (nd)
		ics_say(a, "The tap sees %u %% of the unicast answers on this segment (%u of %u).",
			percent(e->answered, e->asked), e->answered, e->asked);
	else
		ics_say(a, "The tap sees both directions of %u %% of the TCP connections on this segment (%u of %u).",
			percent(e->both, e->flows), e->both, e->flows);
	ics_say(a, " Detectors that go by shares of answers, and those of silent black holes, say less here.");
	ics_say(a, " Mirror both directions of the ports in question, or tap the uplink.");
}

static void
judge(struct ics_detector *d, const struct ics_segment *seg, const struct ics_msg *msg)
{
	struct ics_ip key = {{0}};
	struct episode now = {0}, *e;
	char text[24];

	read_segment(d, seg, &now);
	if (!is_limited(&now))
		return;
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e != NULL)
		return;
	snprintf(text, sizeof(text), "%u", seg->id);
	e = (struct episode *)ics_episode_open_as(d, seg, &key, "segment", text);
	if (e == NULL)
		return;
	e->asked = now.asked;
	e->answered = now.answered;
	e->flows = now.flows;
	e->both = now.both;
	e->judged_ns = msg->ts_ns;
	e->muted = ics_detect_is_muted(d, &seg->key, NULL, NULL);
	ics_episode_update(&e->ep, msg, 1);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_segment *seg = c->segment;

	if (lacks_answers(seg->seen.answered + seg->seen.last_answered, seg->seen.asked + seg->seen.last_asked))
		judge(d, seg, msg);
}

/* A flow tells of itself each minute that it sends much: a long one counts more than once, both ways or not. */
static void
on_sample(struct ics_detector *d, const struct ics_sample *s, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct flows *f = flows_of(d, seg->id);

	if (s->kind != ICS_SAMPLE_SUM)
		return;
	if (f->segment != seg->id + 1)
		*f = (struct flows){.segment = seg->id + 1, .start_ns = msg->ts_ns};
	if (msg->ts_ns >= f->start_ns + JUDGED_NS) {
		f->last_n = f->n;
		f->last_both = f->both;
		f->n = f->both = 0;
		f->start_ns = msg->ts_ns;
	}
	f->n++;
	f->both += (s->flags & ICS_SAMPLE_BOTH_WAYS) != 0;
	if (lacks_directions(f->both + f->last_both, f->n + f->last_n))
		judge(d, seg, msg);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->judged_ns + JUDGED_NS;
}

/* Judged again: what is no longer so, or can no longer be told, is over. */
static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_segment *seg = ics_model_segment(d->model, ep->segment);
	struct episode now = {0};

	if (now_ns < due(ep))
		return true;
	if (seg != NULL)
		read_segment(d, seg, &now);
	/* What is closed goes on saying why it was open. */
	if (!is_limited(&now)) {
		ics_episode_close(ep);
		return false;
	}
	e->asked = now.asked;
	e->answered = now.answered;
	e->flows = now.flows;
	e->both = now.both;
	e->judged_ns = now_ns;
	ics_episode_refresh(ep, percent(e->answered, e->asked) | (uint64_t)percent(e->both, e->flows) << 8);
	return true;
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(SLOTS, sizeof(struct flows));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

const struct ics_detector_ops ics_det_sys_visibility = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.sample = on_sample,
	.render = render,
	.timer = on_timer,
	.due = due,
};
