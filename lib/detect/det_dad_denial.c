/* One MAC answers the duplicate address detection of whoever asks, or probes for the same address at the same time, so
 * that no host gets an address (RFC 3756 4.1.3); or a new MAC each time does, one that was never heard before. A proxy
 * answers for addresses that are registered with it; random new ones of several hosts are not. Called for NAs, NSs and
 * at the end of each detection; clears when new detections go unanswered again.
 */
#include "detect_priv.h"

#include <stdio.h>

#define WINDOW_NS (60 * NS_PER_S)
#define TARGETS 3
#define ASKERS 2
#define RATIO_PERCENT 80
#define CLEAR_PERCENT 20
#define CLEAR_DADS 10
/* Answers of one MAC that are looked back on. */
#define RING 16
#define RESPONDERS_MAX 4096

struct answer {
	uint64_t ts_ns;
	uint64_t dads; /* that had begun on the segment by then */
	struct ics_ip target;
	struct ics_mac asker;
};

struct responder {
	struct ics_table_head head;
	uint32_t segment;   /* with mac the key */
	struct ics_mac mac; /* zero: whoever was never heard before */
	uint16_t n, next;
	uint16_t pad;
	struct answer ring[RING];
};

struct count {
	unsigned targets, askers;
	uint64_t observed;
};

struct episode {
	struct ics_episode ep;
	bool muted, many; /* many: a new MAC each time */
	struct ics_mac mac;
	struct count now;
	unsigned percent;
	unsigned seen, answered; /* detections since the last look at whether it goes on */
	char targets[ICS_FACT_TEXT_LEN], victims[ICS_FACT_TEXT_LEN];
};

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char mac[ICS_MAC_STRLEN];

	a->says[0] = '\0';
	ics_mac_format(&e->mac, mac);
	if (e->many) {
		ics_say(a,
			"Every new address on this segment is denied: %u of %llu duplicate address detections within a "
			"minute, of %u hosts, were answered, each by a MAC that was never heard before, the latest "
			"%s. New hosts get no IPv6 address, known ones get no further one. Find the port on which "
			"these MACs appear and limit MACs per port.",
			e->now.targets, (unsigned long long)e->now.observed, e->now.askers, mac);
		return;
	}
	ics_say(a,
		"%s denies every new address: it answered %u of %llu duplicate address detections within a minute, of "
		"%u "
		"hosts. New hosts get no IPv6 address, known ones get no further one. Block the port of this MAC; if "
		"it is a proxy of yours, name it in detect.proxies.",
		mac, e->now.targets, (unsigned long long)e->now.observed, e->now.askers);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;

	a->variant = e->many ? "invented" : "denial";
	a->severity = ICS_SEV_CRITICAL;
	a->muted = e->muted;
	ics_fact_set_uint(a, "answered", e->now.targets);
	ics_fact_set_uint(a, "observed", e->now.observed);
	ics_fact_set_uint(a, "ratio_percent", e->percent);
	ics_fact_set_uint(a, "victims", e->now.askers);
	ics_fact_set_text(a, "targets", "%s", e->targets);
	ics_fact_set_text(a, "victim_macs", "%s", e->victims);
	say(a, e);
}

static void
list(char buf[static ICS_FACT_TEXT_LEN], const char *item)
{
	size_t len = strlen(buf);

	if (len + strlen(item) + 3 < ICS_FACT_TEXT_LEN)
		snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s", len != 0 ? ", " : "", item);
}

/* Different targets and askers of the last minute; their names into e where that is not NULL. */
static struct count
look_back(const struct responder *r, uint64_t dads, uint64_t now_ns, struct episode *e)
{
	struct count c = {0, 0, 0};
	uint64_t oldest = dads;
	char text[ICS_IP_STRLEN];

	for (unsigned i = 0; i < r->n; i++) {
		const struct answer *x = &r->ring[i];
		bool new_asker = true;

		if (now_ns >= x->ts_ns + WINDOW_NS)
			continue;
		for (unsigned k = 0; k < i && new_asker; k++)
			new_asker =
				now_ns >= r->ring[k].ts_ns + WINDOW_NS || !ics_mac_equal(&r->ring[k].asker, &x->asker);
		c.targets++; /* the ring holds each target once */
		c.askers += new_asker;
		if (x->dads < oldest)
			oldest = x->dads;
		if (e != NULL) {
			list(e->targets, ics_ip_format(&x->target, text));
			if (new_asker)
				list(e->victims, ics_mac_format(&x->asker, text));
		}
	}
	c.observed = dads - oldest + 1;
	return c;
}

static bool
is_in_ring(const struct responder *r, const struct ics_dad *dad, uint64_t now_ns)
{
	for (unsigned i = 0; i < r->n; i++)
		if (ics_ip_equal(&r->ring[i].target, &dad->target) && now_ns < r->ring[i].ts_ns + WINDOW_NS)
			return true;
	return false;
}

static struct responder *
responder(struct ics_table *t, uint32_t segment, const struct ics_mac *mac)
{
	struct {
		uint32_t segment;
		struct ics_mac mac;
	} key = {segment, *mac};
	uint32_t i = ics_table_find(t, &key);

	if (i == 0) {
		if (t->count >= RESPONDERS_MAX)
			ics_table_remove(t, ics_table_oldest(t, NULL));
		i = ics_table_insert(t, &key);
	}
	return i == 0 ? NULL : ics_table_at(t, i);
}

/* An answer of this MAC; many: of whoever was never heard before. */
static void
on_answer(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, bool many)
{
	static const struct ics_mac whoever;
	const struct ics_mac *by = many ? &whoever : &msg->smac;
	struct responder *r = responder(d->state, c->segment->id, by);
	struct ics_ip key = ics_episode_key_of_mac(by);
	struct episode *e;
	struct count n;
	char mac[ICS_MAC_STRLEN];

	if (r == NULL || is_in_ring(r, c->dad, msg->ts_ns))
		return;
	r->ring[r->next] = (struct answer){msg->ts_ns, c->segment->dads, c->dad->target, c->dad->asker};
	r->next = (r->next + 1) % RING;
	if (r->n < RING)
		r->n++;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	n = look_back(r, c->segment->dads, msg->ts_ns, NULL);
	if (e == NULL) {
		if (n.targets < TARGETS || n.askers < ASKERS || n.targets * 100 < n.observed * RATIO_PERCENT)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &key, many ? "segment" : "mac",
							  many ? "whole" : ics_mac_format(&msg->smac, mac));
		if (e == NULL)
			return;
		e->many = many;
		e->muted = true;
		d->shared->dad_denied[c->segment->id] = 1;
	}
	e->mac = msg->smac;
	e->targets[0] = e->victims[0] = '\0';
	e->now = look_back(r, c->segment->dads, msg->ts_ns, e);
	e->percent = (unsigned)(e->now.targets * 100 / e->now.observed);
	e->answered++;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &c->dad->target, &msg->smac);
	ics_episode_update(&e->ep, msg, 1 | (uint64_t)e->muted << 1);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	/* Its own probe, sent again or come back, denies nobody anything. */
	if (c->dad == NULL || !msg->has_mac || ics_mac_equal(&msg->smac, &c->dad->asker))
		return;
	if (msg->class == ICS_CLASS_nd_na && ics_detect_may_answer_dad(d, msg)) {
		d->info.suppressed++;
		return;
	}
	on_answer(d, msg, c, false);
	if (c->new_host)
		on_answer(d, msg, c, true);
}

static void
on_dad_over(struct ics_detector *d, const struct ics_dad *dad)
{
	bool open = false;

	if (d->episodes.count == 0 || !d->shared->dad_denied[dad->segment])
		return;
	/* There are at most a few for a segment, and few in all. */
	for (uint32_t i = 1; i <= d->episodes.fresh; i++) {
		struct episode *e;

		if (!ics_table_is_live(&d->episodes, i))
			continue;
		e = ics_table_at(&d->episodes, i);
		if (e->ep.segment != dad->segment)
			continue;
		if (++e->seen >= CLEAR_DADS) {
			if (e->answered * 100 < CLEAR_PERCENT * e->seen) {
				ics_episode_close(&e->ep);
				continue;
			}
			e->seen = e->answered = 0;
		}
		open = true;
	}
	d->shared->dad_denied[dad->segment] = open;
}

static uint64_t
due(const struct ics_episode *ep)
{
	return UINT64_MAX;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	return true;
}

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct responder), 10, RESPONDERS_MAX);
}

const struct ics_detector_ops ics_det_dad_denial = {
	.classes = 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_ns,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = ics_detector_drop_table,
	.message = on_message,
	.only = ICS_ONLY_DAD,
	.dad_over = on_dad_over,
	.render = render,
	.timer = on_timer,
	.due = due,
};
