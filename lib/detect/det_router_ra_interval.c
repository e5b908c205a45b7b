/* RAs of a router that come too often for its hosts' batteries, too seldom, or with gaps longer than the lifetime that
 * they carry (RFC 4861 6.2.1, 6.2.6, 10; RFC 8319 for long lifetimes). What is sent within 200 ms is one announcement.
 * Routers for mobile nodes may be fast (RFC 6275 7.5). Called for RAs to all nodes.
 */
#include "detect_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define MIN_DELAY_NS (3 * NS_PER_S) /* MIN_DELAY_BETWEEN_RAS */
#define FAST_GAPS 5
#define FAST_WINDOW_NS (15 * NS_PER_S)
#define BURST_NS (200 * NS_PER_MS)
#define MAX_INTERVAL_NS (1800 * NS_PER_S) /* of MaxRtrAdvInterval */
#define MAX_LIFETIME_S 9000               /* with a longer one RFC 8319 allows longer intervals */
#define SLOW_GAPS 2                       /* one may be a lost RA */
#define NORMAL_GAPS 10
#define GAPS_KEPT 8
/* Behind its lifetime and this the router is gone, and its rhythm with it. */
#define GONE_NS (600 * NS_PER_S)
#define OPT_ADVERTISEMENT_INTERVAL 7

enum variant { GAP_RISK, FAST, SLOW };
static const char *const names[] = {[GAP_RISK] = "gap_risk", [FAST] = "fast", [SLOW] = "slow"};

struct rhythm_key {
	struct ics_ip addr;
	uint32_t segment;
};

struct rhythm {
	struct ics_table_head head;
	struct rhythm_key key;
	uint32_t fast_row, slow_row, burst;
	uint64_t last_ns;            /* start of the latest announcement */
	uint64_t fast_ns[FAST_GAPS]; /* starts of the latest ones that came too soon, by fast_row */
	uint32_t gap_ms[GAPS_KEPT], n_gaps;
	uint32_t max_burst;
};

struct episode {
	struct ics_episode ep;
	struct ics_router r;
	struct rhythm rhythm;
	uint32_t variants, normal;
	uint64_t opts_hash, worst_gap_ms;
	struct ics_defaults left;
	uint32_t hosts;
	bool muted, has_mac;
	struct ics_mac mac;
};

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct rhythm), sizeof(struct rhythm_key), ICS_ROUTERS_MAX);
}

static void
fini(struct ics_detector *d)
{
	if (d->state == NULL)
		return;
	ics_table_fini(d->state);
	free(d->state);
}

static struct rhythm *
rhythm_get(struct ics_detector *d, const struct ics_change *c)
{
	struct rhythm_key key = {c->after.addr, c->after.segment};
	struct ics_table *t = d->state;
	uint32_t i = ics_table_find(t, &key);

	if (i == 0 && t->count >= ICS_ROUTERS_MAX)
		ics_table_remove(t, ics_table_oldest(t, NULL));
	if (i == 0)
		i = ics_table_insert(t, &key);
	return i == 0 ? NULL : ics_table_at(t, i);
}

/* Hosts had no router in between: that is worse where there is no other. Timing alone hurts batteries and nothing else,
 * whichever router it is.
 */
static enum ics_severity
severity_of(const struct episode *e)
{
	if ((e->variants & 1u << GAP_RISK) && (e->left.n == 0 || e->r.pinned))
		return ICS_SEV_CRITICAL;
	return ICS_SEV_WARN;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)severity_of(e) << 8 | (uint64_t)e->muted << 16;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct rhythm *y = &e->rhythm;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];
	size_t len = 0;

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	if (e->has_mac)
		ics_subject_set_text(a, "mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_text(a, "variants", "%s", text);
	text[0] = '\0';
	for (unsigned i = 0; i < GAPS_KEPT && i < y->n_gaps; i++) {
		uint32_t ms = y->gap_ms[(y->n_gaps - 1 - i) % GAPS_KEPT];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u.%03u", i != 0 ? ", " : "", ms / 1000,
					ms % 1000);
	}
	ics_fact_set_text(a, "gaps_s", "%s", text);
	ics_fact_set_uint(a, "lifetime_s", e->r.last_nonzero_lifetime_s);
	ics_fact_set_uint(a, "max_burst", y->max_burst);
	ics_fact_set_text(a, "options_hash", "%016llx", (unsigned long long)e->opts_hash);
	ics_fact_set_uint(a, "hosts", e->hosts);

	a->says[0] = '\0';
	ics_ip_format(&e->r.addr, ip);
	if (e->variants & 1u << GAP_RISK)
		ics_say(a,
			"%s was silent for %llu s with a Router Lifetime of %u s: hosts had no route through it in "
			"between. Make its advertisement interval shorter, at most a third of the lifetime, or look "
			"for "
			"lost multicast.",
			ip, (unsigned long long)(e->worst_gap_ms / 1000), e->r.last_nonzero_lifetime_s);
	else if (e->variants & 1u << FAST)
		ics_say(a,
			"%s sends router advertisements to all hosts less than 3 s apart (%s s): each one wakes every "
			"sleeping host, which drains batteries. Look for two RA daemons, or one that restarts, and "
			"check its interval.",
			ip, text);
	else
		ics_say(a,
			"%s sends router advertisements %llu s apart, more than the 1800 s that are allowed with a "
			"lifetime of %u s: one lost message and hosts have no route. Set a shorter interval there.",
			ip, (unsigned long long)(e->worst_gap_ms / 1000), e->r.last_nonzero_lifetime_s);
}

/* RFC 6275 7.5: the home agent flag, or the option that tells the interval. */
static bool
serves_mobiles(const struct ics_msg *msg)
{
	struct ics_msg_options it = {0};
	struct ics_view opt;

	if (msg->ra.flags & ICS_RA_FLAG_HOME_AGENT)
		return true;
	while (ics_msg_option_next(msg, &it, &opt))
		if (ics_view_u8(opt, 0) == OPT_ADVERTISEMENT_INTERVAL)
			return true;
	return false;
}

/* Too many in a row too soon. */
static bool
is_fast(struct rhythm *y, uint64_t gap_ns, uint64_t now_ns)
{
	uint64_t oldest;

	if (gap_ns >= MIN_DELAY_NS) {
		y->fast_row = 0;
		return false;
	}
	y->fast_ns[y->fast_row++ % FAST_GAPS] = now_ns - gap_ns;
	if (y->fast_row < FAST_GAPS)
		return false;
	oldest = y->fast_ns[y->fast_row % FAST_GAPS];
	return now_ns - oldest <= FAST_WINDOW_NS;
}

static uint32_t
judge_gap(struct rhythm *y, const struct ics_msg *msg, const struct ics_change *c, uint64_t gap_ns)
{
	uint64_t lifetime_ns = c->before.last_nonzero_lifetime_s * NS_PER_S;
	uint32_t v = 0;

	if (!serves_mobiles(msg) && is_fast(y, gap_ns, msg->ts_ns))
		v |= 1u << FAST;
	/* Longer than two lifetimes is an outage, which others report, and no rhythm. */
	if (c->before.state == ICS_ROUTER_EXPIRED && gap_ns > lifetime_ns && gap_ns <= 2 * lifetime_ns)
		v |= 1u << GAP_RISK;
	if (gap_ns > MAX_INTERVAL_NS && gap_ns <= lifetime_ns && c->before.last_nonzero_lifetime_s <= MAX_LIFETIME_S) {
		if (++y->slow_row >= SLOW_GAPS)
			v |= 1u << SLOW;
	} else {
		y->slow_row = 0;
	}
	return v;
}

static void
on_gap(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, struct rhythm *y, uint32_t v,
       uint64_t gap_ns)
{
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &c->after.addr);

	if (e == NULL) {
		if (v == 0)
			return;
		if (d->shared->ra_flood[c->segment->id] && !ics_detect_was_known(&c->before, msg->ts_ns)) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open(d, c->segment, &c->after.addr,
						       ics_detect_was_known(&c->before, msg->ts_ns));
		if (e == NULL)
			return;
		e->muted = true;
	}
	e->rhythm = *y;
	e->r = c->after;
	if (v == 0) {
		if (gap_ns < MIN_DELAY_NS || gap_ns > MAX_INTERVAL_NS)
			e->normal = 0;
		else if (++e->normal >= NORMAL_GAPS) {
			ics_episode_close(&e->ep);
			return;
		}
		ics_episode_rearm(&e->ep);
		return;
	}
	e->normal = 0;
	e->variants |= v;
	if (gap_ns / NS_PER_MS > e->worst_gap_ms)
		e->worst_gap_ms = gap_ns / NS_PER_MS;
	e->opts_hash = msg->ra.opts_hash;
	e->has_mac = msg->has_mac;
	e->mac = msg->smac;
	e->hosts = ics_detect_hosts(c->segment);
	ics_detect_other_defaults(d->model, &c->after, &e->left);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static void
on_ra(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct rhythm *y;
	uint64_t gap;

	if (!c->has_router || !msg->strict || !ics_ip6_is_link_group(msg->dst.b, 1))
		return;
	y = rhythm_get(d, c);
	if (y == NULL)
		return;
	if (y->last_ns == 0 || msg->ts_ns < y->last_ns) {
		y->last_ns = msg->ts_ns;
		y->burst = 1;
		return;
	}
	gap = msg->ts_ns - y->last_ns;
	if (gap <= BURST_NS) {
		y->burst++;
		if (y->burst > y->max_burst)
			y->max_burst = y->burst;
		return;
	}
	y->burst = 1;
	y->last_ns = msg->ts_ns;
	y->gap_ms[y->n_gaps++ % GAPS_KEPT] = gap / NS_PER_MS < UINT32_MAX ? (uint32_t)(gap / NS_PER_MS) : UINT32_MAX;
	on_gap(d, msg, c, y, judge_gap(y, msg, c, gap), gap);
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->r.last_ra_ns + e->r.last_nonzero_lifetime_s * NS_PER_S + GONE_NS;
}

const struct ics_detector_ops ics_det_router_ra_interval = {
	.classes = 1ull << ICS_CLASS_nd_ra,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_ra,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
