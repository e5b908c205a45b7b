/* A mirror that delivers each frame several times, as when both directions of a VLAN are mirrored or two taps see one
 * link: the factor is learned over a minute (ics_frames.h) and what is said of copies is divided by it. A loop differs:
 * its copies keep coming. Called for multicast ND and MLD; clears when most frames come once again.
 */
#include "repeat.h"

#include <stdio.h>

#define LEARN_NS (60 * NS_PER_S)

struct episode {
	struct ics_episode ep;
	bool muted;
	unsigned k, divided_by; /* fewer where some come in at another port: those are a segment of their own */
	struct ics_feed feed;
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_feed *f = &e->feed;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN];
	uint32_t all = f->gap[0] + f->gap[1] + f->gap[2] + f->gap[3];

	a->variant = "duplicate";
	a->severity = ICS_SEV_INFO;
	a->muted = e->muted;
	ics_fact_set_uint(a, "factor", e->k);
	ics_fact_set_uint(a, "frames", f->frames);
	ics_fact_set_uint(a, "share_percent", f->frames != 0 ? (uint64_t)f->times[e->k] * 100 / f->frames : 0);
	ics_fact_set_text(a, "ports", "%s", ics_detect_port_list(f->ports, text));
	if (all != 0)
		ics_fact_set_text(a, "gaps", "<0.1 ms %u %%, <0.5 ms %u %%, <1 ms %u %%, <2 ms %u %%",
				  f->gap[0] * 100 / all, f->gap[1] * 100 / all, f->gap[2] * 100 / all,
				  f->gap[3] * 100 / all);
	a->says[0] = '\0';
	ics_say(a,
		"The mirror delivers every frame %u times (tap port %s). Counts of copies are divided by %u; other "
		"counters "
		"and rates are %u times too high. Mirror one direction, or one place, alone.",
		e->k, text, e->divided_by, e->k);
}

__attribute__((noinline)) static void
judge(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, unsigned k)
{
	static const struct ics_ip whole_segment;
	struct ics_feed feed;
	struct episode *e;

	ics_model_feed(d->model, c->segment->id, &feed);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &whole_segment);
	if (k == 1) {
		if (e != NULL)
			ics_episode_close(&e->ep);
		return;
	}
	if (e == NULL) {
		if (msg->ts_ns < feed.since_ns + LEARN_NS)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &whole_segment, "scope", "segment");
		if (e == NULL)
			return;
		e->muted = true;
	}
	e->k = k;
	e->divided_by = ics_model_feed_factor(d->model, c->segment->id);
	e->feed = feed;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &whole_segment, NULL);
	ics_episode_update(&e->ep, msg, k | (uint64_t)e->muted << 8);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	unsigned k = ics_model_feed_times(d->model, c->segment->id);

	if (k != 1 || d->episodes.count != 0)
		judge(d, msg, c, k);
}

/* Frames end it, time does not: a silent feed is as it was. */
static uint64_t
due(const struct ics_episode *ep)
{
	return UINT64_MAX;
}

const struct ics_detector_ops ics_det_tap_duplicate_feed = {
	.classes = 1ull << ICS_CLASS_nd_rs | 1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_ns |
		   1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_mld_query | 1ull << ICS_CLASS_mld1_report |
		   1ull << ICS_CLASS_mld1_done | 1ull << ICS_CLASS_mld2_report,
	.episode_len = sizeof(struct episode),
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
