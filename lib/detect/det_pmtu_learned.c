/* A router told how much a path carries, and it can be true (RFC 8201 4, RFC 1191 3): the healthy half of path MTU discovery,
 * kept for those who look for the reason of a small MSS. One finding for each router, not for each host behind it; none
 * for a path on which the message is in vain, which has its own voice. Called for Packet Too Big and Fragmentation
 * Needed; over ten minutes after the last message, when hosts have forgotten too.
 */
#include "pmtu.h"

struct episode {
	struct ics_episode ep;
	bool muted;
	uint32_t context, mtu, paths;
	struct ics_ip host, far;
	struct ics_mac mac;
	struct ics_quote q; /* of the message that told the lowest value; bytes are gone */
	struct ics_guess guess;
	uint64_t last_ns;
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char host[ICS_IP_STRLEN], far[ICS_IP_STRLEN], text[200], mac[ICS_MAC_STRLEN];

	a->variant = "";
	a->severity = ICS_SEV_INFO;
	a->muted = e->muted;
	ics_ip_format(&e->host, host);
	ics_ip_format(&e->far, far);
	ics_fact_set_text(a, "host", "%s", host);
	ics_fact_set_text(a, "far", "%s", far);
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_uint(a, "mtu", e->mtu);
	ics_fact_set_uint(a, "paths", e->paths);
	ics_pmtu_set_quote(a, &e->q);
	ics_pmtu_set_labels(a, e->q.labels, e->q.n_labels);
	ics_pmtu_set_guess(a, &e->guess);
	ics_pmtu_set_mss(a, e->mtu);
	a->says[0] = '\0';
	ics_say(a, "Path %s to %s carries at most %u octets (%s), says %s to a packet of %u%s.", host, far, e->mtu,
		ics_guess_say(&e->guess, text, sizeof(text)), a->subject[0].text, e->q.ip_len,
		e->q.ip_len > d->conf->detect.link_mtu ? " (that offload had put together)" : "");
	if (e->paths > 1)
		ics_say(a, " It says so about %u paths.", e->paths);
	ics_say(a, " Senders that listen adapt: nothing to do, or clamp the TCP MSS to %u (IPv4) and %u (IPv6).",
		ics_mss4(e->mtu), ics_mss6(e->mtu));
}

static bool
has_hole(struct ics_detector *d, const struct ics_path *p)
{
	return ics_hole_find(d->model, p->context, &p->host, &p->far, ICS_HOLE_REPEAT) != NULL ||
	       ics_hole_find(d->model, p->context, &p->host, &p->far, ICS_HOLE_SILENT) != NULL;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_path *p = c->path.path;
	bool is_news = c->path.what == ICS_PATH_NEW || c->path.what == ICS_PATH_LOWERED;
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	char text[ICS_IP_STRLEN];
	bool is_first = e == NULL;

	/* What quotes a flow that was seen is no invention: a flood does not push its row out. */
	if (p != NULL && !(p->flags & ICS_PATH_CONFIRMED) && ics_pmtu_flow_seen(d, &msg->error.quote) == ICS_FLOW_SEEN)
		ics_path_confirm(d->model, p);
	if (p == NULL || (p->flags & (ICS_PATH_ESTIMATE | ICS_PATH_FLOODED)))
		return;
	if (!is_news || has_hole(d, p)) {
		if (e != NULL && c->path.what == ICS_PATH_REPEATED) {
			e->last_ns = msg->ts_ns;
			ics_episode_rearm(&e->ep);
		}
		return;
	}
	if (e == NULL) {
		if (d->shared->pmtu_flood[c->segment->id])
			return; /* that has its own voice */
		e = (struct episode *)ics_episode_open_as(d, c->segment, &msg->src, "reporter",
							  ics_ip_format(&msg->src, text));
		if (e == NULL)
			return;
		e->muted = true;
		e->mtu = UINT32_MAX;
	}
	/* A path that another router told of before, with more. */
	if (c->path.what == ICS_PATH_NEW || is_first)
		e->paths++;
	if (p->mtu < e->mtu) {
		e->mtu = p->mtu;
		e->host = p->host;
		e->far = p->far;
		e->mac = msg->smac;
		e->q = msg->error.quote;
		e->q.bytes = (struct ics_view){NULL, 0};
		ics_guess_of_path(p, &e->guess);
	}
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->mtu | (uint64_t)e->muted << 32);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + ICS_PATH_AGE_NS;
}

const struct ics_detector_ops ics_det_pmtu_learned = {
	.classes = 1ull << ICS_CLASS_icmp6_too_big | 1ull << ICS_CLASS_icmp4_frag_needed,
	.episode_len = sizeof(struct episode),
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
