/* Queries that make multicast listeners answer too often, too fast or to the wrong one, or that contradict themselves
 * (RFC 9777 5.1, 9; RFC 2710 7): each makes every host send its reports, through the CPU of every switch. Values within
 * tolerance are no finding, whatever load they make: 150 s cannot even be written as QQIC. Called for queries.
 */
#include "detect_priv.h"
#include "mld_load.h"

#include <errno.h>
#include <stdlib.h>

#define FAST_NS (20 * NS_PER_S)
#define ROW 3                    /* queries on end */
#define LONG_NS (300 * NS_PER_S) /* snoopers forget after 260 s */
#define LONG_ROW 2               /* one may be lost */
#define SHORT_MS 1000
#define MILD_MS 100 /* as long as not many answer, nobody notices */
#define TOLERANCE_NS (8 * NS_PER_S)
#define SPECIFIC_PER_S 50
#define SPECIFIC_SECONDS 3 /* a mass leave is asked about for two seconds (RFC 9777 7.6.3.1) */
#define SPECIFIC_REPEATS 3 /* of a group in one second: no querier does that */
#define CLEAR_QUERIES 3
#define SAID_PPS 10              /* fewer answers hurt no switch */
#define GONE_NS (510 * NS_PER_S) /* two timeouts of a querier that is not heard */
#define RHYTHMS_MAX 4096
#define COPIES 64

enum variant {
	V_MRD_ZERO,
	V_FORGED,
	V_TOO_FAST,
	V_SPECIFIC_FLOOD,
	V_UNICAST,
	V_MRD_SHORT,
	V_MRD_GE_QI,
	V_LONG,
	V_QQIC_MISMATCH,
	V_RV_BAD,
};

static const char *const names[] = {
	[V_MRD_ZERO] = "mrd_zero",
	[V_FORGED] = "forged",
	[V_TOO_FAST] = "too_fast",
	[V_SPECIFIC_FLOOD] = "specific_flood",
	[V_UNICAST] = "unicast",
	[V_MRD_SHORT] = "mrd_short",
	[V_MRD_GE_QI] = "mrd_ge_qi",
	[V_LONG] = "long",
	[V_QQIC_MISMATCH] = "qqic_mismatch",
	[V_RV_BAD] = "rv_bad",
};

/* What one querier did lately. */
struct rhythm {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t fast_row, long_row, mismatch_row;
	uint32_t sec, in_sec, over; /* specific queries in this second; seconds on end above the rate before it */
	uint32_t intervals;
	struct ics_hll groups; /* asked for in this second */
};

struct episode {
	struct ics_episode ep;
	uint32_t variants, conforming;
	bool muted, any_strict, has_mac, forged;
	struct ics_mac mac, right_mac; /* of the latest odd query; forged: that of the querier */
	struct ics_query query;        /* likewise, a general one */
	uint64_t last_ns, interval_ns, learned_ns, peak_specific;
	struct ics_ip dst;
	bool in_charge;
	struct ics_mld_load load;
	uint64_t pps;
};

struct state {
	struct ics_table rhythms;
	struct {
		uint64_t frame_hash;
		uint32_t rhythm;
	} copy[COPIES];
};

static enum ics_severity
severity_of(const struct episode *e)
{
	enum ics_severity s = e->variants & 1u << V_MRD_ZERO ? ICS_SEV_CRITICAL : ICS_SEV_WARN;

	if (e->variants == 1u << V_MRD_SHORT && e->query.mrd_ms >= MILD_MS &&
	    e->pps <= e->ep.det->conf->detect.mld_pps_warn)
		s = ICS_SEV_INFO;
	return e->any_strict ? s : ics_severity_lower(s);
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], dst[ICS_IP_STRLEN];
	unsigned first = (unsigned)__builtin_ctz(e->variants);
	const char *q = ics_ip_format(&e->ep.addr, ip);
	unsigned long long interval_s = (e->interval_ns + NS_PER_S / 2) / NS_PER_S, mrd = e->query.mrd_ms;

	a->says[0] = '\0';
	ics_mac_format(&e->mac, mac);
	switch ((enum variant)first) {
	case V_MRD_ZERO:
		ics_say(a,
			"MLD querier %s lets hosts no time to spread their answers (maximum response delay 0): all "
			"answer at once.",
			q);
		break;
	case V_FORGED:
		ics_say(a, "%s sends MLD queries with the address %s of another machine", mac, q);
		ics_say(a, " (%s): hosts take its timers and versions.", ics_mac_format(&e->right_mac, mac));
		break;
	case V_TOO_FAST:
		ics_say(a, "MLD querier %s asks every %llu s", q, interval_s);
		if (e->learned_ns != 0 && e->learned_ns > 2 * e->interval_ns)
			ics_say(a, " instead of every %llu s",
				(unsigned long long)((e->learned_ns + NS_PER_S / 2) / NS_PER_S));
		ics_say(a, ": hosts never stop answering.");
		break;
	case V_SPECIFIC_FLOOD:
		ics_say(a,
			"%s asks for single multicast groups %llu times a second: every member and every switch "
			"has to look.",
			q, (unsigned long long)e->peak_specific);
		break;
	case V_UNICAST:
		ics_say(a,
			"%s asks one host (%s) which multicast groups it is in: real queriers ask all, this looks "
			"like a scan.",
			q, ics_ip_format(&e->dst, dst));
		break;
	case V_MRD_SHORT:
		ics_say(a, "MLD querier %s wants all answers within %llu ms: they come in one burst.", q, mrd);
		if (mrd == 100)
			ics_say(a, " (In IGMP, which counts in tenths of a second, 100 means 10 s.)");
		break;
	case V_MRD_GE_QI:
		ics_say(a,
			"MLD querier %s gives hosts %llu s to answer and asks again before that: reports never end "
			"and members may be forgotten.",
			q, mrd / 1000);
		break;
	case V_LONG:
		ics_say(a,
			"MLD querier %s asks only every %llu s: switches forget members after 260 s and stop "
			"forwarding to them.",
			q, interval_s);
		break;
	case V_QQIC_MISMATCH:
		ics_say(a,
			"MLD querier %s asks every %llu s and says %u s: routers and switches set their timers "
			"wrong.",
			q, interval_s, e->query.qqi_s);
		break;
	case V_RV_BAD:
		ics_say(a, "MLD querier %s has a robustness of 1: one lost report, and a host is cut off its group.",
			q);
		break;
	}
	if (e->pps >= SAID_PPS && first != V_LONG && first != V_RV_BAD)
		ics_say(a, " %llu memberships of %llu hosts make %llu packets/s for the CPU of each switch.",
			(unsigned long long)e->load.memberships, (unsigned long long)e->load.hosts,
			(unsigned long long)e->pps);
	if (first == V_FORGED || first == V_UNICAST)
		ics_say(a, " Find the port of %s.", ics_mac_format(&e->mac, mac));
	else if (first == V_MRD_ZERO || first == V_SPECIFIC_FLOOD)
		ics_say(a, " Find the port of %s, or correct that querier.", mac);
	else
		ics_say(a, " Set it to an interval of 125 s, a delay of 10 s and robustness 2.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN], ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	a->lenient = !e->any_strict;
	if (e->has_mac)
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_uint(a, "version", e->query.version);
	ics_fact_set_bool(a, "in_charge", e->in_charge);
	ics_fact_set_seconds(a, "interval_s", e->interval_ns / NS_PER_MS);
	ics_fact_set_seconds(a, "learned_interval_s", e->learned_ns / NS_PER_MS);
	ics_fact_set_seconds(a, "mrd_s", e->query.mrd_ms);
	if (e->query.version == 2) {
		ics_fact_set_uint(a, "qqi_s", e->query.qqi_s);
		ics_fact_set_uint(a, "qrv", e->query.rv);
	}
	if (e->forged)
		ics_fact_set_text(a, "querier_mac", "%s", ics_mac_format(&e->right_mac, mac));
	if (e->variants & 1u << V_UNICAST)
		ics_fact_set_text(a, "asked", "%s", ics_ip_format(&e->dst, ip));
	if (e->peak_specific != 0)
		ics_fact_set_uint(a, "specific_per_s", e->peak_specific);
	ics_fact_set_uint(a, "member_hosts", e->load.hosts);
	ics_fact_set_uint(a, "memberships", e->load.memberships);
	ics_fact_set_uint(a, "predicted_pps", e->pps);
	say(a, e);
}

/* Those that never had a rhythm go first: a flood of invented queriers has none. */
static bool
may_go(const void *entry)
{
	return ((const struct rhythm *)entry)->intervals == 0;
}

static struct rhythm *
rhythm_get(struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	struct ics_table *t = &((struct state *)d->state)->rhythms;
	uint32_t i = ics_table_find(t, &key);

	if (i != 0)
		return ics_table_at(t, i);
	if (t->count >= RHYTHMS_MAX) {
		i = ics_table_oldest(t, may_go);
		ics_table_remove(t, i != 0 ? i : ics_table_oldest(t, NULL));
	}
	i = ics_table_insert(t, &key);
	if (i == 0)
		return NULL;
	ics_hll_init(&((struct rhythm *)ics_table_at(t, i))->groups, ics_hash_mix(d->seed, 2));
	return ics_table_at(t, i);
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* RFC 9777 9.2: the interval that it says; what it does may differ by what clocks and QQIC allow. */
static bool
is_as_told(const struct ics_querier *q, uint64_t gap_ns)
{
	uint64_t told = q->qqi_s * NS_PER_S, tolerance = told / 10 > TOLERANCE_NS ? told / 10 : TOLERANCE_NS;

	return q->qqi_s != 0 && distance(told, gap_ns) <= tolerance;
}

static uint32_t
judge_interval(struct rhythm *y, const struct ics_query_event *ev)
{
	const struct ics_querier *q = ev->querier;
	uint64_t gap = ev->interval_ns;
	uint32_t v = 0;
	bool fast;

	if (gap == 0 || ev->is_startup)
		return 0;
	y->intervals++;
	y->long_row = gap > LONG_NS ? y->long_row + 1 : 0;
	if (y->long_row >= LONG_ROW || (y->long_row != 0 && q->qqi_s * NS_PER_S > LONG_NS))
		v |= 1u << V_LONG;
	fast = gap < FAST_NS || (q->intervals != 0 && gap < q->interval_ns / 2 && !is_as_told(q, gap));
	y->fast_row = fast ? y->fast_row + 1 : 0;
	if (y->fast_row >= ROW)
		v |= 1u << V_TOO_FAST;
	if (q->qqi_s == 0 || fast || ev->started || is_as_told(q, gap))
		y->mismatch_row = 0;
	else if (++y->mismatch_row >= ROW)
		v |= 1u << V_QQIC_MISMATCH;
	return v;
}

static uint32_t
judge_fields(const struct ics_query_event *ev)
{
	const struct ics_query *y = &ev->query;
	const struct ics_querier *q = ev->querier;
	uint32_t v = 0;

	if (y->mrd_ms == 0)
		v |= 1u << V_MRD_ZERO;
	else if (y->mrd_ms < SHORT_MS)
		v |= 1u << V_MRD_SHORT;
	/* RFC 9777 9.3: smaller than the interval. */
	if (y->qqi_s != 0 ? y->mrd_ms >= y->qqi_s * 1000ull
			  : q != NULL && q->intervals >= ROW && y->mrd_ms * NS_PER_MS >= q->interval_ns)
		v |= 1u << V_MRD_GE_QI;
	/* RFC 9777 9.1 */
	if (y->version == 2 && y->rv == 1)
		v |= 1u << V_RV_BAD;
	return v;
}

static uint32_t
count_specific(struct rhythm *y, const struct ics_ip *group, uint32_t n, uint64_t now_ns, unsigned factor)
{
	uint32_t sec = (uint32_t)(now_ns / NS_PER_S);

	if (sec != y->sec) {
		y->over = sec == y->sec + 1 && y->in_sec / factor > SPECIFIC_PER_S ? y->over + 1 : 0;
		y->in_sec = 0;
		y->sec = sec;
		ics_hll_init(&y->groups, y->groups.seed);
	}
	y->in_sec += n;
	if (group != NULL)
		ics_hll_add(&y->groups, group->b, 16);
	if (y->in_sec / factor <= SPECIFIC_PER_S)
		return 0;
	if (y->over + 1 >= SPECIFIC_SECONDS || y->in_sec / factor > SPECIFIC_REPEATS * ics_hll_count(&y->groups))
		return 1u << V_SPECIFIC_FLOOD;
	return 0;
}

static struct episode *
episode_of(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr, uint32_t v)
{
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, addr);
	char ip[ICS_IP_STRLEN];

	if (e != NULL || v == 0)
		return e;
	e = (struct episode *)ics_episode_open_as(d, seg, addr, "querier", ics_ip_format(addr, ip));
	if (e != NULL)
		e->muted = true;
	return e;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)severity_of(e) << 16 | (uint64_t)e->muted << 20;
}

static void
note(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c, uint32_t v)
{
	const struct ics_query_event *ev = c->query;

	e->variants |= v;
	e->conforming = 0;
	e->any_strict |= msg->strict;
	e->has_mac = msg->has_mac;
	e->mac = msg->smac;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	if (v & 1u << V_UNICAST)
		e->dst = msg->dst;
	if (ev->forged) {
		e->forged = true;
		e->right_mac = ev->mac_before;
	}
	if (ev->query.general || e->query.version == 0)
		e->query = ev->query;
	if (ev->interval_ns != 0)
		e->interval_ns = ev->interval_ns;
	if (ev->querier != NULL) {
		const struct ics_querier *in_charge = ics_queriers_current(ev->queriers, msg->ts_ns);

		/* What was the rule before it asked too fast. */
		if (ev->querier->intervals != 0)
			e->learned_ns = ev->querier->interval_ns;
		e->in_charge = in_charge == ev->querier;
	}
	ics_mld_load_get(d->model, c->segment->id, &e->load);
	e->pps = ics_mld_load_pps(&e->load, e->query.version == 1 || ics_queriers_is_v1(ev->queriers, msg->ts_ns),
				  e->query.mrd_ms);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static void
on_query(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_query_event *ev = c->query;
	struct state *st = d->state;
	struct rhythm *y;
	unsigned factor = ics_model_feed_factor(d->model, c->segment->id);
	struct episode *e;
	uint32_t v = 0;

	if (ev == NULL || ev->is_copy)
		return;
	y = rhythm_get(d, c->segment->id, &msg->src);
	if (y == NULL)
		return;
	if (ev->forged)
		v |= 1u << V_FORGED;
	if (!ics_ip6_is_multicast(msg->dst.b))
		v |= 1u << V_UNICAST;
	if (ev->query.general) {
		v |= judge_fields(ev);
		if (ev->querier != NULL && !ev->forged)
			v |= judge_interval(y, ev);
	} else {
		st->copy[msg->rec->frame_hash % COPIES].frame_hash = msg->rec->frame_hash;
		st->copy[msg->rec->frame_hash % COPIES].rhythm = ics_table_index(&st->rhythms, y);
		v |= count_specific(y, &ev->query.group, 1 + msg->rec->repeats, msg->ts_ns, factor);
	}
	e = episode_of(d, c->segment, &msg->src, v);
	if (e == NULL)
		return;
	e->last_ns = msg->ts_ns;
	if ((v & 1u << V_SPECIFIC_FLOOD) && y->in_sec / factor > e->peak_specific)
		e->peak_specific = y->in_sec / factor;
	if (v != 0) {
		note(d, e, msg, c, v);
	} else if (ev->query.general && msg->strict && ++e->conforming >= CLEAR_QUERIES) {
		ics_episode_close(&e->ep);
	} else {
		ics_episode_rearm(&e->ep);
	}
}

/* Copies of a query for one group: a flood is made of them. */
static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	uint32_t i = st->copy[rec->frame_hash % COPIES].rhythm;
	unsigned factor = ics_model_feed_factor(d->model, seg->id);
	struct rhythm *y;
	struct episode *e;
	uint32_t v;

	if (i == 0 || st->copy[rec->frame_hash % COPIES].frame_hash != rec->frame_hash ||
	    !ics_table_is_live(&st->rhythms, i))
		return;
	y = ics_table_at(&st->rhythms, i);
	if (y->segment != seg->id)
		return;
	/* They were in the second of their first copy. */
	v = count_specific(y, NULL, 1 + rec->repeats, y->sec * NS_PER_S, factor);
	e = (struct episode *)ics_episode_find(d, seg->id, &y->addr);
	if (v == 0 || e == NULL)
		return;
	if (y->in_sec / factor > e->peak_specific)
		e->peak_specific = y->in_sec / factor;
	e->variants |= v;
	e->conforming = 0;
	ics_episode_refresh(&e->ep, signature_of(e));
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + GONE_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	d->state = s;
	return ics_table_init(&s->rhythms, sizeof(struct rhythm), 20, RHYTHMS_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s != NULL)
		ics_table_fini(&s->rhythms);
	free(s);
}

const struct ics_detector_ops ics_det_mld_query_anomaly = {
	.classes = 1ull << ICS_CLASS_mld_query,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_query,
	.copies = on_copies,
	.once_in_loop = true,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
