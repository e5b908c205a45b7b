/* Somebody resolves addresses that nobody has, one after the other (RFC 6583 3, RFC 3756 4.3.2): a router on behalf of a
 * scan from outside, whose neighbor cache fills with incomplete entries until real hosts find no room, or a host that
 * scans its own link. What the model counts for each asker is judged here; called for NS of those who ask a lot.
 */
#include "detect_priv.h"

#include <stdio.h>

#define TARGETS 256
#define ANSWERED_PERCENT 10
#define WARN_PERCENT 50
#define CRITICAL_PERCENT 90
/* Below this share of a threshold, for this long, it is over. */
#define CLEAR_PERCENT 10
#define CLEAR_NS (60 * NS_PER_S)
#define IN_ROW 64
#define SAMPLES 3
/* Sketches are read once in so many solicitations. */
#define LOOK_EVERY 32

struct episode {
	struct ics_episode ep;
	bool muted, router, sequential, filling;
	enum ics_severity severity;
	struct ics_mac mac;
	struct ics_ip addr, target[SAMPLES];
	unsigned n_targets;
	uint64_t unanswered, answered, peak, rate;
	int visibility;
	uint32_t sample;
	uint64_t high_ns;
};

static void
prefix64(const struct ics_ip *a, char buf[static ICS_IP_STRLEN + 4])
{
	struct ics_ip p = *a;
	char ip[ICS_IP_STRLEN];

	memset(p.b + 8, 0, 8);
	snprintf(buf, ICS_IP_STRLEN + 4, "%s/64", ics_ip_format(&p, ip));
}

static void
say(struct ics_anomaly *a, const struct episode *e, uint32_t nce_limit)
{
	char ip[ICS_IP_STRLEN], net[ICS_IP_STRLEN + 4], mac[ICS_MAC_STRLEN];

	a->says[0] = '\0';
	prefix64(&e->target[0], net);
	ics_say(a,
		"%s %s (%s) resolves %llu addresses a second in %s that nobody has: %llu in ten seconds, %llu "
		"answered%s.",
		e->router ? "Router" : "Host", ics_ip_format(&e->addr, ip), ics_mac_format(&e->mac, mac),
		(unsigned long long)e->rate, net, (unsigned long long)e->unanswered, (unsigned long long)e->answered,
		e->sequential ? ", one after the other" : "");
	if (e->filling)
		ics_say(a, " About %llu of %u neighbor cache entries are taken by them: real hosts soon find no room.",
			(unsigned long long)e->peak, nce_limit);
	if (e->router)
		ics_say(a, " Rate-limit ND on it, filter the scan that comes in, and consider a filter that admits "
			   "only the "
			   "addresses in use.");
	else
		ics_say(a, " Find the port of this MAC; a monitoring sweep belongs on a longer interval.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN] = "", ip[ICS_IP_STRLEN], net[ICS_IP_STRLEN + 4];
	size_t len = 0;

	a->variant = e->router ? "remote_scan" : "local_scan";
	a->severity = e->severity;
	a->muted = e->muted;
	prefix64(&e->target[0], net);
	ics_fact_set_text(a, "asker", "%s", ics_ip_format(&e->addr, ip));
	ics_fact_set_bool(a, "is_router", e->router);
	ics_fact_set_uint(a, "targets_per_s", e->rate);
	ics_fact_set_uint(a, "unanswered", e->unanswered);
	ics_fact_set_uint(a, "answered", e->answered);
	ics_fact_set_uint(a, "incomplete_estimate", e->peak);
	ics_fact_set_uint(a, "nce_limit", d->conf->detect.nce_limit);
	ics_fact_set_text(a, "prefix", "%s", net);
	for (unsigned i = 0; i < e->n_targets && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i != 0 ? ", " : "",
					ics_ip_format(&e->target[i], ip));
	ics_fact_set_text(a, "sample_targets", "%s", text);
	ics_fact_set_bool(a, "sequential", e->sequential);
	if (e->visibility >= 0)
		ics_fact_set_uint(a, "answers_seen_percent", (uint64_t)e->visibility);
	else
		ics_fact_set_text(a, "answers_seen_percent", "not assessed: %u samples of %u", e->sample,
				  ICS_VISIBILITY_SAMPLE);
	say(a, e, d->conf->detect.nce_limit);
}

static void
update(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c,
       uint64_t unanswered, uint64_t answered)
{
	const struct ics_asker *k = c->asker;
	uint64_t age_ns = msg->ts_ns > k->window_ns ? msg->ts_ns - k->window_ns : 0;

	if (unanswered >= e->unanswered) {
		e->unanswered = unanswered;
		e->answered = answered;
	}
	if (k->pending > e->peak)
		e->peak = k->pending;
	if (age_ns < NS_PER_S)
		age_ns = NS_PER_S;
	e->rate = (unanswered + answered) * NS_PER_S / age_ns;
	e->sequential |= k->most_in_row > IN_ROW;
	e->visibility = ics_segment_visibility(c->segment, &e->sample);
	if (e->n_targets < SAMPLES)
		e->target[e->n_targets++] = msg->na.target;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_asker *k = c->asker;
	uint64_t nce = d->conf->detect.nce_limit, targets, answered, unanswered;
	bool many = false, filling, low;
	struct ics_ip key;
	struct episode *e;
	char mac[ICS_MAC_STRLEN];

	if (k == NULL)
		return;
	filling = k->pending * 100ull >= nce * WARN_PERCENT;
	key = ics_episode_key_of_mac(&msg->smac);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	if (!filling && e == NULL && (k->asked < TARGETS || k->asked % LOOK_EVERY != 0))
		return;
	if (e != NULL && k->asked % LOOK_EVERY != 0)
		return;
	targets = ics_hll_count(&k->targets);
	answered = ics_hll_count(&k->answered);
	unanswered = targets > answered ? targets - answered : 0;
	many = unanswered >= TARGETS && answered * 100 < targets * ANSWERED_PERCENT;
	if (e == NULL) {
		if (!many && !filling)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &key, "mac", ics_mac_format(&msg->smac, mac));
		if (e == NULL)
			return;
		e->mac = msg->smac;
		e->severity = ICS_SEV_WARN;
		e->muted = true;
	}
	low = unanswered * 100 < TARGETS * CLEAR_PERCENT && k->pending * 10000ull < nce * WARN_PERCENT * CLEAR_PERCENT;
	if (low)
		return;
	e->high_ns = msg->ts_ns;
	e->addr = msg->src;
	e->router = ics_detect_is_router_mac(d, c->segment->id, &msg->smac) ||
		    ics_detect_is_router_addr(d, c->segment->id, &msg->src);
	e->filling |= filling;
	if (k->pending * 100ull >= nce * CRITICAL_PERCENT)
		e->severity = ICS_SEV_CRITICAL;
	update(d, e, msg, c, unanswered, answered);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, &msg->smac);
	ics_episode_update(&e->ep, msg,
			   1 | (uint64_t)e->severity << 1 | (uint64_t)e->muted << 4 | (uint64_t)e->router << 5 |
				   (uint64_t)e->sequential << 6 | (uint64_t)e->filling << 7);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->high_ns + CLEAR_NS;
}

static void
configure(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "targets %u in 10 s, answered %u percent, nce_limit %u entries, warn %u percent, critical %u percent",
		 TARGETS, ANSWERED_PERCENT, d->conf->detect.nce_limit, WARN_PERCENT, CRITICAL_PERCENT);
	d->info.thresholds = d->thresholds;
}

const struct ics_detector_ops ics_det_nd_scan = {
	.classes = 1ull << ICS_CLASS_nd_ns,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.configure = configure,
	.message = on_message,
	.only = ICS_ONLY_ASKER,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
