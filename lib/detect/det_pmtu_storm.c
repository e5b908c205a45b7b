/* Mass messages about the path MTU: a route that moved onto a smaller link makes many for a minute, an attack or a wrong
 * MTU for as long as it lasts. By reporter, or by segment where they are invented. Called for Packet Too Big and
 * Fragmentation Needed, invalid ones too, and for copies; over when a minute has less than a tenth of the limit.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORTER_LIMIT 100
#define SEGMENT_LIMIT 500
#define SECONDS 3
#define CLEAR_NS (60 * NS_PER_S)
#define REPORTERS_MAX 4096
#define MTUS 8

struct reporter {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key; zero: the segment as a whole */
	uint32_t segment;
	struct ics_rate rate;
};

struct episode {
	struct ics_episode ep;
	bool muted, is_segment;
	uint32_t peak;
	struct ics_mac mac;
	struct ics_hll hosts, reporters;
	struct {
		uint32_t mtu;
		uint64_t n;
	} mtu[MTUS];
	unsigned n_mtus;
	uint64_t other_mtus;
	uint64_t high_ns; /* latest second with a tenth of the limit or more */
};

struct state {
	struct ics_table reporters;
	struct ics_recent_frames recent;
	uint8_t by_reporter[ICS_SEGMENTS_MAX]; /* by segment id: storms of single reporters that are open */
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN];
	unsigned top = 0;
	size_t len = 0;

	a->variant = e->is_segment ? "segment" : "reporter";
	a->severity = ICS_SEV_WARN;
	a->muted = e->muted;
	for (unsigned i = 0; i < e->n_mtus; i++) {
		if (e->mtu[i].n > e->mtu[top].n)
			top = i;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u: %llu", i == 0 ? "" : ", ", e->mtu[i].mtu,
					(unsigned long long)e->mtu[i].n);
		if (len >= sizeof(text))
			break;
	}
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "hosts", ics_hll_count(&e->hosts));
	ics_fact_set_uint(a, "reporters", ics_hll_count(&e->reporters));
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_text(a, "mtus", "%s", text);
	ics_fact_set_uint(a, "other_mtus", e->other_mtus);
	a->says[0] = '\0';
	ics_say(a, "Mass path MTU messages, up to %u a second, from %s to about %llu host%s, most with MTU %u.",
		e->peak, e->is_segment ? "many reporters" : a->subject[0].text,
		(unsigned long long)ics_hll_count(&e->hosts), ics_hll_count(&e->hosts) == 1 ? "" : "s",
		e->mtu[top].mtu);
	ics_say(a,
		" A route that moved onto a smaller link does that for a minute; longer, it is a wrong MTU on that "
		"link "
		"or an attack on the MTU of these hosts. Their frames come from %s: compare the MTU of both ends of "
		"the "
		"link behind it, and filter what is forged.",
		mac);
}

static struct reporter *
reporter_get(struct state *st, uint32_t segment, const struct ics_ip *addr)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	uint32_t i = ics_table_find(&st->reporters, &key);

	if (i == 0) {
		if (st->reporters.count >= REPORTERS_MAX)
			ics_table_remove(&st->reporters, ics_table_oldest(&st->reporters, NULL));
		i = ics_table_insert(&st->reporters, &key);
	}
	return i == 0 ? NULL : ics_table_at(&st->reporters, i);
}

/* The episode of this reporter, or of the segment, after n more messages; opened when they are too many. */
static struct episode *
count(struct ics_detector *d, const struct ics_segment *seg, struct reporter *r, uint64_t ts_ns, uint32_t n)
{
	static const struct ics_ip none;
	bool is_segment = ics_ip_equal(&r->addr, &none);
	uint32_t limit = is_segment ? SEGMENT_LIMIT : REPORTER_LIMIT;
	bool storms = ics_rate_add(&r->rate, ts_ns, n, limit) >= SECONDS;
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &r->addr);
	struct state *st = d->state;
	char text[ICS_IP_STRLEN];

	if (e == NULL) {
		/* One voice: where a single reporter is to blame, not the segment too, and the other way round. */
		if (!storms || (is_segment ? st->by_reporter[seg->id] != 0 : d->shared->pmtu_flood[seg->id] != 0))
			return NULL;
		e = (struct episode *)ics_episode_open_as(d, seg, &r->addr, is_segment ? "segment" : "reporter",
							  is_segment ? "all" : ics_ip_format(&r->addr, text));
		if (e == NULL)
			return NULL;
		e->muted = true;
		e->is_segment = is_segment;
		e->high_ns = ts_ns;
		ics_hll_init(&e->hosts, ics_hash_mix(d->seed, 2));
		ics_hll_init(&e->reporters, ics_hash_mix(d->seed, 3));
		if (is_segment)
			d->shared->pmtu_flood[seg->id] = 1;
		else if (st->by_reporter[seg->id] < UINT8_MAX)
			st->by_reporter[seg->id]++;
	}
	if (r->rate.n * 10 >= limit)
		e->high_ns = ts_ns;
	if (r->rate.n > e->peak)
		e->peak = r->rate.n;
	return e;
}

static void
note_mtu(struct episode *e, uint32_t mtu, uint64_t n)
{
	for (unsigned i = 0; i < e->n_mtus; i++)
		if (e->mtu[i].mtu == mtu) {
			e->mtu[i].n += n;
			return;
		}
	if (e->n_mtus == MTUS) {
		e->other_mtus += n;
		return;
	}
	e->mtu[e->n_mtus].mtu = mtu;
	e->mtu[e->n_mtus++].n = n;
}

static void
note(struct ics_detector *d, struct episode *e, const struct ics_msg *msg, const struct ics_change *c)
{
	ics_hll_add(&e->hosts, msg->dst.b, 16);
	ics_hll_add(&e->reporters, msg->src.b, 16);
	note_mtu(e, msg->error.mtu, 1 + (uint64_t)msg->rec->repeats);
	e->mac = msg->smac;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->muted);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	static const struct ics_ip none;
	bool has_source = !ics_ip_equal(&msg->src, &none);
	struct reporter *r = has_source ? reporter_get(d->state, c->segment->id, &msg->src) : NULL;
	uint32_t n = 1 + msg->rec->repeats;
	struct state *st = d->state;
	struct episode *e;

	if (r != NULL) {
		ics_recent_put(&st->recent, msg->rec->frame_hash, ics_table_index(&st->reporters, r));
		e = count(d, c->segment, r, msg->ts_ns, n);
		if (e != NULL)
			note(d, e, msg, c);
	}
	r = reporter_get(st, c->segment->id, &none);
	e = r != NULL ? count(d, c->segment, r, msg->ts_ns, n) : NULL;
	if (e != NULL)
		note(d, e, msg, c);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	static const struct ics_ip none;
	struct state *st = d->state;
	uint32_t i = ics_recent_find(&st->recent, rec->frame_hash);
	struct reporter *r[2] = {NULL, reporter_get(st, seg->id, &none)};

	if (i != 0 && ics_table_is_live(&st->reporters, i))
		r[0] = ics_table_at(&st->reporters, i);
	for (unsigned k = 0; k < 2; k++) {
		struct episode *e;

		if (r[k] == NULL || r[k]->segment != seg->id)
			continue;
		/* They were in the second of their first copy. */
		e = count(d, seg, r[k], r[k]->rate.sec * NS_PER_S, 1 + rec->repeats);
		if (e == NULL)
			continue;
		ics_episode_add_copies(&e->ep, rec, e->muted);
	}
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->high_ns + CLEAR_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct state *st = d->state;

	if (now_ns < due(ep))
		return true;
	if (((struct episode *)ep)->is_segment)
		d->shared->pmtu_flood[ep->segment] = 0;
	else if (st->by_reporter[ep->segment] != 0)
		st->by_reporter[ep->segment]--;
	ics_episode_close(ep);
	return false;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return -ENOMEM;
	d->state = st;
	return ics_table_init(&st->reporters, sizeof(struct reporter), 20, REPORTERS_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL)
		ics_table_fini(&st->reporters);
	free(st);
}

const struct ics_detector_ops ics_det_pmtu_storm = {
	.classes = 1ull << ICS_CLASS_icmp6_too_big | 1ull << ICS_CLASS_icmp4_frag_needed,
	.invalid_too = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.render = render,
	.timer = on_timer,
	.due = due,
};
