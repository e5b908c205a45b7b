/* What the detectors of RA contents share: the message that an episode is about, what counts as news, and wording.
 * Called by det_ra_*.c and det_router_preference_hijack.c.
 */
#include "ra_case.h"

#include <stdio.h>

void
ics_ra_case_note(struct ics_detector *d, struct ra_case *k, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_mac *mac = msg->has_mac ? &msg->smac : NULL;
	bool muted = ics_detect_is_muted(d, &c->segment->key, &msg->src, mac);

	k->lenient = !msg->strict && (!k->started || k->lenient);
	k->muted = muted && (!k->started || k->muted);
	/* A forger that is heard twice is learned like any other: what is shown is that it was foreign once. */
	if (!k->started || k->mac_known) {
		k->has_mac = msg->has_mac;
		k->mac = msg->smac;
		k->mac_known = !c->has_router || (c->mac_known && c->lla_known);
	}
	k->started = true;
	if (c->has_router && (k->mac_known || k->router.id == 0)) {
		k->router = c->before;
	} else if (!c->has_router) {
		memset(&k->router, 0, sizeof(k->router));
		k->router.addr = msg->src;
		k->router.segment = c->segment->id;
	}
	ics_detect_other_defaults(d->model, &k->router, &k->left);
	k->hosts = ics_detect_hosts(c->segment);
}

void
ics_ra_case_render(struct ics_anomaly *a, const struct ra_case *k)
{
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN];

	a->lenient = k->lenient;
	a->muted = k->muted;
	if (k->has_mac)
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&k->mac, mac));
	ics_detect_mac_list(&k->router, text);
	ics_fact_set_text(a, "learned_macs", "%s", text);
	ics_fact_set_bool(a, "mac_known", k->mac_known);
	ics_fact_set_uint(a, "hosts", k->hosts);
	if (k->lenient)
		ics_fact_set_text(a, "reason", "lenient");
	else if (ics_fact_find(a, "reason") != NULL)
		ics_fact_set_text(a, "reason", "strict");
}

enum ics_severity
ics_ra_case_severity(const struct ra_case *k, enum ics_severity s)
{
	if (k->lenient)
		s = ics_severity_lower(s);
	return k->router.pinned && s != ICS_SEV_INFO ? ICS_SEV_CRITICAL : s;
}

void
ics_ra_case_say_who(struct ics_anomaly *a, const struct ra_case *k)
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN] = "MAC unknown", macs[ICS_FACT_TEXT_LEN];

	ics_ip_format(&k->router.addr, ip);
	if (k->has_mac)
		ics_mac_format(&k->mac, mac);
	if (k->mac_known) {
		ics_say(a, "%s (%s)", ip, mac);
		return;
	}
	ics_detect_mac_list(&k->router, macs);
	ics_say(a, "%s, which is not the MAC of router %s (%s),", mac, ip, macs);
}

void
ics_ra_case_say_forger(struct ics_anomaly *a, const struct ra_case *k, const char *otherwise)
{
	if (k->lenient)
		ics_say(a, " Only hosts that do not follow the standards act on this message.");
	if (!k->mac_known)
		ics_say(a,
			" Find the port of this MAC and take it off the network; RA guard on access ports stops it.");
	else
		ics_say(a, " %s", otherwise);
}

bool
ics_ra_is_crowd(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	bool flooded = c->segment->routers > RA_CROWD || d->shared->ra_flood[c->segment->id % ICS_SEGMENTS_MAX];

	struct ics_detect_quota *q = &d->quota[c->segment->id % ICS_DETECT_QUOTA_SLOTS];

	if (c->has_router && ics_detect_was_known(&c->before, msg->ts_ns))
		return false;
	if (q->segment != c->segment->id || msg->ts_ns >= q->start_ns + 60 * NS_PER_S)
		*q = (struct ics_detect_quota){.segment = c->segment->id, .start_ns = msg->ts_ns};
	if (!flooded && q->n < RA_NEWCOMERS) {
		q->n++;
		return false;
	}
	d->info.suppressed += 1 + (uint64_t)msg->rec->repeats;
	return true;
}

bool
ics_ra_is_allowed(const struct ics_detector *d, const struct ics_ip *router)
{
	const struct ics_ip_list *l = &d->conf->detect.routers_allow;

	for (unsigned i = 0; i < l->n; i++)
		if (ics_ip_equal(&l->ip[i], router))
			return true;
	return ics_model_is_gateway(d->model, router);
}

bool
ics_ra_has_allow_list(const struct ics_detector *d)
{
	return d->conf->detect.routers_allow.n != 0;
}

/* A router that was heard before this one; the first of a segment is nobody's rival. */
static bool
has_elder(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n = ics_model_segment_routers(d->model, c->segment->id, all);

	for (unsigned i = 0; i < n; i++)
		if (!ics_ip_equal(&all[i]->addr, &msg->src) && (!c->has_router || all[i]->id < c->before.id))
			return true;
	return false;
}

bool
ics_ra_is_new_router(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	if (ics_ra_is_allowed(d, &msg->src))
		return false;
	if (c->has_router && msg->ts_ns >= c->before.first_ns + DAY_NS)
		return false;
	if (ics_ra_has_allow_list(d))
		return true;
	if (!has_elder(d, msg, c))
		return false;
	if (!c->has_router || c->created)
		return !ics_model_is_learning(d->model, c->segment);
	return c->before.first_ns >= c->segment->first_ns + d->conf->detect.learn_s * NS_PER_S;
}

char *
ics_ra_duration(uint64_t s, char buf[static 32])
{
	static const struct {
		uint64_t from, unit;
		const char *name;
	} units[] = {{172800, 86400, "days"}, {7200, 3600, "h"}, {600, 60, "min"}, {0, 1, "s"}};

	if (s >= ICS_LIFETIME_INFINITE) {
		snprintf(buf, 32, "infinite");
		return buf;
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(units); i++)
		if (s >= units[i].from) {
			snprintf(buf, 32, "%u %s", (unsigned)(s / units[i].unit), units[i].name);
			break;
		}
	return buf;
}

void
ics_ra_list_add(char list[static ICS_FACT_TEXT_LEN], const char *text)
{
	size_t len = strlen(list), n = strlen(text);

	if (len >= 3 && strcmp(list + len - 3, "...") == 0)
		return;
	if (len + 2 + n + 5 >= ICS_FACT_TEXT_LEN) {
		snprintf(list + len, ICS_FACT_TEXT_LEN - len, "%s...", len != 0 ? ", " : "");
		return;
	}
	snprintf(list + len, ICS_FACT_TEXT_LEN - len, "%s%s", len != 0 ? ", " : "", text);
}
