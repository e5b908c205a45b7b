/* Source Quench, which hosts have to ignore and nobody may send any more (RFC 6633 3 and 4): a very old sender, or an attempt
 * to slow connections down (RFC 5927 6). Called for Source Quench; a sender is told once and forgotten an hour after its
 * last.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdlib.h>

#define CLEAR_NS (3600 * NS_PER_S)
#define ATTACK_RATE 10

struct episode {
	struct ics_episode ep;
	bool muted, is_attack;
	struct ics_rate rate;
	uint32_t peak;
	struct ics_ip host, far;
	struct ics_mac mac;
	struct ics_quote q;
	uint64_t last_ns;
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_IP_STRLEN];

	a->variant = e->is_attack ? "attack" : "obsolete";
	a->severity = e->is_attack ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, text));
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, text));
	ics_fact_set_text(a, "sender_mac", "%s", ics_mac_format(&e->mac, text));
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_pmtu_set_quote(a, &e->q);
	a->says[0] = '\0';
	if (e->is_attack)
		ics_say(a,
			"%s sends up to %u Source Quench messages a second to %s: an old attack that slows down the "
			"connections of unpatched hosts.",
			a->subject[0].text, e->peak, ics_ip_format(&e->host, text));
	else
		ics_say(a, "%s sends obsolete Source Quench messages to %s; current hosts ignore them.",
			a->subject[0].text, ics_ip_format(&e->host, text));
	ics_say(a, " Update its software, or filter ICMP type 4 at the border.");
}

static void
count(struct episode *e, uint64_t ts_ns, uint32_t n)
{
	ics_rate_add(&e->rate, ts_ns, n, ATTACK_RATE);
	if (e->rate.n > e->peak)
		e->peak = e->rate.n;
	e->is_attack |= e->rate.n > ATTACK_RATE;
	e->last_ns = ts_ns;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	char text[ICS_IP_STRLEN];

	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, c->segment, &msg->src, "source",
							  ics_ip_format(&msg->src, text));
		if (e == NULL)
			return;
		e->muted = true;
		e->host = msg->dst;
		e->far = msg->error.quote.far;
		e->mac = msg->smac;
		e->q = msg->error.quote;
		e->q.bytes = (struct ics_view){NULL, 0};
	}
	count(e, msg->ts_ns, 1 + msg->rec->repeats);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_recent_put(d->state, msg->rec->frame_hash, e->ep.index);
	ics_episode_update(&e->ep, msg, e->is_attack | (uint64_t)e->muted << 1);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	uint32_t i = ics_recent_find(d->state, rec->frame_hash);
	struct episode *e;

	if (i == 0 || !ics_table_is_live(&d->episodes, i))
		return;
	e = ics_table_at(&d->episodes, i);
	if (e->ep.segment != seg->id)
		return;
	count(e, e->last_ns, 1 + rec->repeats);
	ics_episode_refresh(&e->ep, e->is_attack | (uint64_t)e->muted << 1);
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(1, sizeof(struct ics_recent_frames));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

const struct ics_detector_ops ics_det_icmp_source_quench = {
	.classes = 1ull << ICS_CLASS_icmp4_source_quench,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
