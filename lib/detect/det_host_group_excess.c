/* One MAC is in far more multicast groups than its addresses and its services explain (incident 2): each is an entry in
 * every switch and a report after every query, one packet each where version 1 is spoken (RFC 2710 4). Called for reports;
 * clears when the number was well below the limit for as long as two queries take.
 */
#include "detect_priv.h"

#include <stdio.h>

/* Beside the groups of its addresses: mDNS, LLMNR, SSDP, DHCP, routers and the like. */
#define SPARE 12
#define CRITICAL_SNM 100
#define CLEAR_PERCENT 80
#define CHECK_NS (60 * NS_PER_S)
#define SHOWN 8

struct episode {
	struct ics_episode ep;
	struct ics_mac mac;
	bool muted, hint;
	uint32_t n, snm, limit, most, snm_most;
	uint64_t below_ns; /* since when it is well below the limits; 0: it is not */
	uint64_t checked_ns, mali_ns;
};

static int
init(struct ics_detector *d)
{
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "groups_per_host %u or addresses + %u, critical %u solicited-node, clear_below %u %%",
		 d->conf->detect.groups_per_host, SPARE, CRITICAL_SNM, CLEAR_PERCENT);
	d->info.thresholds = d->thresholds;
	return 0;
}

static uint32_t
limit_of(const struct ics_detector *d, const struct ics_host *h)
{
	uint32_t by_addresses = h->n_proven + SPARE;

	return by_addresses > d->conf->detect.groups_per_host ? by_addresses : d->conf->detect.groups_per_host;
}

static bool
is_critical(const struct episode *e)
{
	return e->snm_most >= CRITICAL_SNM;
}

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->hint)
		return ICS_SEV_INFO;
	return is_critical(e) ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static void
list_groups(struct ics_detector *d, struct ics_anomaly *a, const struct ics_host *h)
{
	static const char *const keys[SHOWN] = {"group_1", "group_2", "group_3", "group_4",
						"group_5", "group_6", "group_7", "group_8"};
	const struct ics_member *e = NULL;
	char text[ICS_IP_STRLEN];

	for (unsigned i = 0; i < SHOWN && (e = ics_model_host_member(d->model, h, e)) != NULL; i++)
		ics_fact_set_text(a, keys[i], "%s", ics_ip_format(&ics_model_member_group(d->model, e)->addr, text));
}

/* Seconds over which hosts spread their answers. */
static uint32_t
response_s(const struct ics_detector *d, uint32_t segment)
{
	const struct ics_querier *q =
		ics_queriers_current(ics_model_queriers(d->model, segment), ics_model_clock(d->model)->now_ns);
	uint32_t ms = q != NULL ? q->qri_ms : ICS_QUERY_QRI_MS;

	return ms < 1000 ? 1 : ms / 1000;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_host *h = ics_model_host_find(d->model, ep->segment, &e->mac);
	uint32_t spread = response_s(d, ep->segment), v2, version = h != NULL ? h->mld_version : 2;
	struct ics_anomaly *a = ep->a;
	char mac[ICS_MAC_STRLEN];

	v2 = (e->most + ICS_RECORDS_PER_PACKET - 1) / ICS_RECORDS_PER_PACKET;
	a->variant = is_critical(e) ? "solicited_node" : "many";
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_uint(a, "groups", e->n);
	ics_fact_set_uint(a, "groups_most", e->most);
	ics_fact_set_uint(a, "limit", e->limit);
	ics_fact_set_uint(a, "solicited_node", e->snm);
	ics_fact_set_uint(a, "snm_percent", e->n != 0 ? e->snm * 100 / e->n : 0);
	ics_fact_set_uint(a, "addresses", h != NULL ? h->n_proven : 0);
	ics_fact_set_uint(a, "mld_version", version);
	ics_fact_set_uint(a, "packets_per_query", version == 1 ? e->most : v2);
	ics_fact_set_uint(a, "packets_per_query_v1", e->most);
	ics_fact_set_uint(a, "mld_pps_predicted", (e->most + spread - 1) / spread);
	ics_fact_set_bool(a, "proxy_hint", e->hint);
	if (h != NULL)
		list_groups(d, a, h);

	a->says[0] = '\0';
	ics_say(a, "%s is a member of %u multicast groups (%u solicited-node), where %u are usual at most.",
		ics_mac_format(&e->mac, mac), e->most, e->snm_most, e->limit);
	ics_say(a,
		" Each is an entry in the multicast table of every switch; where version 1 is spoken it answers every "
		"query with %u packets a second for %u s.",
		(e->most + spread - 1) / spread, spread);
	if (e->hint)
		ics_say(a, " It also speaks for other MACs, as bridges and proxies do: if it is one, name it in "
			   "detect.proxies.");
	else if (is_critical(e))
		ics_say(a, " Update its system or network driver, or disable temporary addresses there.");
	else
		ics_say(a, " Find the application that joins them; for a media server raise detect.groups_per_host.");
}

/* Routers, queriers and proxies join for many by their nature. */
static bool
is_excused(const struct ics_detector *d, const struct ics_host *h)
{
	const struct ics_queriers *q = ics_model_queriers(d->model, h->segment);

	for (unsigned i = 0; q != NULL && i < q->n; i++)
		if (q->q[i].has_mac && ics_mac_equal(&q->q[i].mac, &h->mac))
			return true;
	return (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT | ICS_HOST_FHRP)) != 0 ||
	       ics_model_is_proxy(d->model, &h->mac);
}

static void
set_count(struct episode *e, const struct ics_host *h, uint64_t now_ns)
{
	e->n = h != NULL ? h->n_groups : 0;
	e->snm = h != NULL ? h->n_snm : 0;
	if (e->n > e->most)
		e->most = e->n;
	if (e->snm > e->snm_most)
		e->snm_most = e->snm;
	if (e->n * 100 >= e->limit * CLEAR_PERCENT || e->snm * 100 >= CRITICAL_SNM * CLEAR_PERCENT)
		e->below_ns = 0;
	else if (e->below_ns == 0)
		e->below_ns = now_ns;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_host *h = c->host;
	char mac[ICS_MAC_STRLEN];
	struct episode *e = NULL;
	struct ics_ip key;

	if (h == NULL || (c->mcast.joined == 0 && c->mcast.left == 0) ||
	    (h->n_groups <= d->conf->detect.groups_per_host && d->episodes.count == 0))
		return;
	key = ics_episode_key_of_mac(&h->mac);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	if (e == NULL) {
		uint32_t limit = limit_of(d, h);

		if (h->n_groups <= limit && h->n_snm < CRITICAL_SNM)
			return;
		if (is_excused(d, h)) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open_as(d, c->segment, &key, "mac", ics_mac_format(&h->mac, mac));
		if (e == NULL)
			return;
		e->mac = h->mac;
		e->limit = limit;
		e->muted = true;
		e->checked_ns = msg->ts_ns;
	}
	e->mali_ns = ics_model_mali_ns(d->model, c->segment->id);
	e->hint = (h->flags & (ICS_HOST_PROXY | ICS_HOST_HYPERVISOR)) != 0;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, &h->mac);
	set_count(e, h, msg->ts_ns);
	ics_episode_update(&e->ep, msg,
			   (uint64_t)severity_of(e) | (uint64_t)is_critical(e) << 2 | (uint64_t)e->muted << 3);
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (e->below_ns != 0 && now_ns >= e->below_ns + e->mali_ns) {
		ics_episode_close(ep);
		return false;
	}
	if (now_ns >= e->checked_ns + CHECK_NS) {
		e->checked_ns = now_ns;
		set_count(e, ics_model_host_find(d->model, ep->segment, &e->mac), now_ns);
	}
	return true;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t check = e->checked_ns + CHECK_NS;

	return e->below_ns != 0 && e->below_ns + e->mali_ns < check ? e->below_ns + e->mali_ns : check;
}

const struct ics_detector_ops ics_det_host_group_excess = {
	.classes = 1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld2_report | 1ull << ICS_CLASS_mld1_done,
	.episode_len = sizeof(struct episode),
	.init = init,
	.message = on_message,
	.render = render,
	.timer = on_timer,
	.due = due,
};
