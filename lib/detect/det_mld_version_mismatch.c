/* Both versions of Multicast Listener Discovery on one segment: after a version 1 query every host speaks version 1, one
 * report for each group instead of one for many (RFC 9777 8.2.1), and queriers must agree on the lower one (8.3.1). Where
 * detect.mld_version is 1 that is meant to be so. Called for queries and version 2 reports.
 */
#include "detect_priv.h"
#include "mld_load.h"

#include <errno.h>
#include <stdlib.h>

#define CLEAR_NS (260 * NS_PER_S)
#define STUBBORN_NS (250 * NS_PER_S) /* two intervals: such a host heard the query at least once */
/* A host that spoke version 2 so long ago is still there. */
#define HOSTS_NS (86400 * NS_PER_S)
#define STUBBORN_MAX 16

enum variant { V_FORCED_V1, V_MIXED_QUERIERS, V_V2_UNDER_V1 };
static const char *const names[] = {
	[V_FORCED_V1] = "forced_v1", [V_MIXED_QUERIERS] = "mixed_queriers", [V_V2_UNDER_V1] = "v2_under_v1"};

/* One segment: who speaks version 2 while version 1 is asked for. */
struct speakers {
	uint64_t last_v2_ns, era_ns; /* era_ns: since when version 1 is asked for, for those below */
	struct {
		struct ics_mac mac;
		uint64_t first_ns;
	} under_v1[STUBBORN_MAX];
	unsigned n;
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted;
	uint64_t last_ns; /* version 1 was asked for */
	struct ics_querier v1, v2;
	struct ics_mac stubborn;
	uint64_t n_stubborn;
	struct ics_mld_load load;
};

static const struct ics_ip whole_segment;

/* Version 1 needs so many times the packets, in tenths. */
static uint64_t
factor_10(const struct ics_mld_load *l)
{
	return l->v2_packets == 0 ? 0 : (10 * l->v1_packets + l->v2_packets / 2) / l->v2_packets;
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char v1[ICS_IP_STRLEN], v2[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];
	uint64_t k = factor_10(&e->load);

	a->says[0] = '\0';
	ics_ip_format(&e->v1.addr, v1);
	if (e->variants & 1u << V_FORCED_V1)
		ics_say(a, "MLD version 1 querier %s makes all hosts speak version 1, though they can do version 2",
			v1);
	else if (e->variants & 1u << V_MIXED_QUERIERS)
		ics_say(a, "MLD querier %s speaks version 1 and %s version 2", v1, ics_ip_format(&e->v2.addr, v2));
	else
		ics_say(a, "%s goes on in MLD version 2 though %s asks in version 1", ics_mac_format(&e->stubborn, mac),
			v1);
	if (k > 10)
		ics_say(a, ": each query is answered by about %llu packets instead of %llu (%llu.%llu times as many).",
			(unsigned long long)e->load.v1_packets, (unsigned long long)e->load.v2_packets,
			(unsigned long long)(k / 10), (unsigned long long)(k % 10));
	else
		ics_say(a, ": one packet for each group instead of one for all.");
	ics_say(a,
		" Set %s to version 2, find out what asks there, or set detect.mld_version=1 if version 1 is what you "
		"want.",
		v1);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = ICS_SEV_WARN;
	a->muted = e->muted;
	ics_subject_set_text(a, "querier", "%s", ics_ip_format(&e->v1.addr, ip));
	if (e->v1.has_mac)
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&e->v1.mac, mac));
	ics_fact_set_text(a, "variants", "%s", text);
	if (e->variants & 1u << V_MIXED_QUERIERS)
		ics_fact_set_text(a, "v2_querier", "%s", ics_ip_format(&e->v2.addr, ip));
	if (e->n_stubborn != 0) {
		ics_fact_set_text(a, "v2_host", "%s", ics_mac_format(&e->stubborn, mac));
		ics_fact_set_uint(a, "v2_reports_under_v1", e->n_stubborn);
	}
	ics_fact_set_uint(a, "member_hosts", e->load.hosts);
	ics_fact_set_uint(a, "packets_v1", e->load.v1_packets);
	ics_fact_set_uint(a, "packets_v2", e->load.v2_packets);
	ics_fact_set_text(a, "packet_factor", "%llu.%llu", (unsigned long long)(factor_10(&e->load) / 10),
			  (unsigned long long)(factor_10(&e->load) % 10));
	say(a, e);
}

static struct speakers *
speakers_of(struct ics_detector *d, uint32_t segment)
{
	struct speakers **all = d->state;

	if (all[segment] == NULL)
		all[segment] = calloc(1, sizeof(*all[segment]));
	return all[segment];
}

/* The querier of that version that was heard last, as long as it may still ask. */
static const struct ics_querier *
latest(const struct ics_queriers *s, unsigned version, uint64_t now_ns)
{
	const struct ics_querier *best = NULL;

	for (unsigned i = 0; i < s->n; i++) {
		const struct ics_querier *q = &s->q[i];

		if (q->version == version && now_ns < q->last_ns + ics_querier_other_ns(q) &&
		    (best == NULL || q->last_ns > best->last_ns))
			best = q;
	}
	return best;
}

/* The same host twice, so far apart that it heard a query in between: it does not fall back. */
static bool
is_stubborn(struct speakers *sp, const struct ics_queriers *s, const struct ics_msg *msg)
{
	if (sp->era_ns != s->v1_since_ns) {
		sp->era_ns = s->v1_since_ns;
		sp->n = 0;
	}
	for (unsigned i = 0; i < sp->n; i++)
		if (ics_mac_equal(&sp->under_v1[i].mac, &msg->smac))
			return msg->ts_ns >= sp->under_v1[i].first_ns + STUBBORN_NS;
	if (sp->n < STUBBORN_MAX) {
		sp->under_v1[sp->n].mac = msg->smac;
		sp->under_v1[sp->n++].first_ns = msg->ts_ns;
	}
	return false;
}

static uint32_t
judge_query(const struct ics_detector *d, const struct speakers *sp, const struct ics_queriers *s,
	    const struct ics_msg *msg)
{
	bool v1 = ics_queriers_is_v1(s, msg->ts_ns);
	uint32_t v = 0;

	if (v1 && d->conf->detect.mld_version == 2 && sp->last_v2_ns != 0 && msg->ts_ns < sp->last_v2_ns + HOSTS_NS)
		v |= 1u << V_FORCED_V1;
	if (latest(s, 1, msg->ts_ns) != NULL && latest(s, 2, msg->ts_ns) != NULL)
		v |= 1u << V_MIXED_QUERIERS;
	return v;
}

static uint32_t
judge_report(const struct ics_detector *d, struct speakers *sp, const struct ics_queriers *s, const struct ics_msg *msg)
{
	uint32_t v = 0;

	sp->last_v2_ns = msg->ts_ns;
	if (!ics_queriers_is_v1(s, msg->ts_ns) || d->conf->detect.mld_version != 2 || !msg->has_mac)
		return 0;
	v |= 1u << V_FORCED_V1;
	if (is_stubborn(sp, s, msg))
		v |= 1u << V_V2_UNDER_V1;
	return v;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_queriers *s = ics_model_queriers(d->model, c->segment->id);
	struct speakers *sp = speakers_of(d, c->segment->id);
	const struct ics_querier *q;
	struct episode *e;
	uint32_t v;

	if (sp == NULL)
		return;
	if (msg->class == ICS_CLASS_mld_query) {
		if (!msg->strict || c->query == NULL || c->query->forged)
			return;
		v = judge_query(d, sp, s, msg);
	} else {
		v = judge_report(d, sp, s, msg);
	}
	e = (struct episode *)ics_episode_find(d, c->segment->id, &whole_segment);
	if (v == 0 || (msg->class != ICS_CLASS_mld_query && e != NULL && (e->variants | v) == e->variants &&
		       !(v & 1u << V_V2_UNDER_V1)))
		return;
	q = latest(s, 1, msg->ts_ns);
	if (e == NULL) {
		if (q == NULL)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &whole_segment, "querier", "");
		if (e == NULL)
			return;
		e->muted = true;
	}
	e->variants |= v;
	if (q != NULL)
		e->v1 = *q;
	q = latest(s, 2, msg->ts_ns);
	if (q != NULL)
		e->v2 = *q;
	e->last_ns = e->v1.last_ns;
	if (v & 1u << V_V2_UNDER_V1) {
		e->stubborn = msg->smac;
		e->n_stubborn += 1 + (uint64_t)msg->rec->repeats;
	}
	ics_mld_load_get(d->model, c->segment->id, &e->load);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &e->v1.addr, e->v1.has_mac ? &e->v1.mac : NULL);
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->muted << 8);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(ICS_SEGMENTS_MAX, sizeof(struct speakers *));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
fini(struct ics_detector *d)
{
	struct speakers **all = d->state;

	for (unsigned i = 0; all != NULL && i < ICS_SEGMENTS_MAX; i++)
		free(all[i]);
	free(all);
}

const struct ics_detector_ops ics_det_mld_version_mismatch = {
	.classes = 1ull << ICS_CLASS_mld_query | 1ull << ICS_CLASS_mld2_report,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
