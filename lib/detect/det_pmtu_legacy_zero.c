/* Fragmentation Needed without an MTU: a router from before RFC 1191, whose messages leave hosts to guess (its 5 and 7).
 * Called for Fragmentation Needed; a router is told once and forgotten ten minutes after its last.
 */
#include "pmtu.h"

#define CLEAR_NS (600 * NS_PER_S)

struct episode {
	struct ics_episode ep;
	bool muted;
	uint32_t estimate;
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

	a->variant = "";
	a->severity = ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, text));
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, text));
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, text));
	ics_pmtu_set_quote(a, &e->q);
	ics_fact_set_uint(a, "plateau", e->estimate);
	ics_pmtu_set_labels(a, e->q.labels, e->q.n_labels);
	ics_pmtu_set_mss(a, e->estimate);
	a->says[0] = '\0';
	ics_say(a,
		"%s sends Fragmentation Needed without an MTU, as before RFC 1191, for packets of %u octets: hosts "
		"have "
		"to guess, some take %u, others far less, others never get through.",
		a->subject[0].text, e->q.ip_len, e->estimate);
	ics_say(a, " Upgrade that router, or clamp the TCP MSS to %u before it.", ics_mss4(e->estimate));
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_quote *q = &msg->error.quote;
	struct episode *e;
	char text[ICS_IP_STRLEN];

	if (!msg->strict || !ics_reasons_has(&msg->rec->reasons, ICS_REASON_icmp4_fragneeded_mtu_zero) ||
	    !(q->flags & ICS_QUOTE_IP) || !(q->flags & ICS_QUOTE_DF))
		return;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	if (e == NULL) {
		if (d->shared->pmtu_flood[c->segment->id])
			return; /* that has its own voice */
		e = (struct episode *)ics_episode_open_as(d, c->segment, &msg->src, "reporter",
							  ics_ip_format(&msg->src, text));
		if (e == NULL)
			return;
		e->muted = true;
		e->estimate = UINT32_MAX;
	}
	if (ics_guess_plateau(q->ip_len, q->ip_hdr_len, d->conf->detect.link_mtu) < e->estimate) {
		e->estimate = ics_guess_plateau(q->ip_len, q->ip_hdr_len, d->conf->detect.link_mtu);
		e->host = msg->dst;
		e->far = q->far;
		e->mac = msg->smac;
		e->q = *q;
		e->q.bytes = (struct ics_view){NULL, 0};
	}
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->estimate | (uint64_t)e->muted << 32);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

const struct ics_detector_ops ics_det_pmtu_legacy_zero = {
	.classes = 1ull << ICS_CLASS_icmp4_frag_needed,
	.episode_len = sizeof(struct episode),
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
