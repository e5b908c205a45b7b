/* A routing loop: packets for one far network die of their hop limit at two routers in turn, for several senders at once. One
 * that traces a route is one sender, and its messages come from every router on the way. Called for Time Exceeded in transit
 * (RFC 792, RFC 4443 3.3) and copies; over when a minute has none of that.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 50
#define REPORTERS 8
/* A loop has few routers: these make up most of the messages. */
#define LOOP_ROUTERS 4
#define LOOP_PERCENT 80
#define SOURCES 2
#define SOURCES_KEPT 4
#define WINDOW_NS (10 * NS_PER_S)
#define CLEAR_NS (60 * NS_PER_S)
#define PREFIXES_MAX 1024

struct reporter {
	struct ics_ip addr;
	uint32_t n;
};

struct prefix {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t n;             /* messages in this window, with copies */
	uint32_t looked, turns; /* those at hand; of them, from another reporter than the one before */
	uint64_t window_ns;
	struct ics_rate rate;
	unsigned n_reporters, n_sources, last;
	struct reporter reporter[REPORTERS];
	struct ics_ip source[SOURCES_KEPT];
};

struct episode {
	struct ics_episode ep;
	bool muted;
	unsigned len, sources;
	uint32_t peak;
	struct ics_ip first, second, far;
	struct ics_mac mac;
	uint64_t last_ns;
};

struct state {
	struct ics_table prefixes;
	struct ics_recent_frames recent;
	struct ics_ip recent_reporter[ICS_RECENT_FRAMES];
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char one[ICS_IP_STRLEN], two[ICS_IP_STRLEN], text[ICS_IP_STRLEN];

	a->variant = "";
	a->severity = ICS_SEV_WARN;
	a->muted = e->muted;
	ics_ip_format(&e->first, one);
	ics_ip_format(&e->second, two);
	ics_fact_set_text(a, "reporter_1", "%s", one);
	ics_fact_set_text(a, "reporter_2", "%s", two);
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, text));
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "sources_at_least", e->sources);
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, text));
	a->says[0] = '\0';
	ics_say(a,
		"Routing loop for %s between %s and %s: packets circle until their hop limit is used up, up to %u a "
		"second die there. Nothing reaches that network. Compare the routes of both routers for it: one points "
		"to the other as default where the network is down or not announced; a null route for the aggregate "
		"ends it.",
		a->subject[0].text, one, two, e->peak);
}

static struct prefix *
prefix_get(struct state *st, uint32_t segment, const struct ics_ip *addr)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	uint32_t i = ics_table_find(&st->prefixes, &key);

	if (i == 0) {
		if (st->prefixes.count >= PREFIXES_MAX)
			ics_table_remove(&st->prefixes, ics_table_oldest(&st->prefixes, NULL));
		i = ics_table_insert(&st->prefixes, &key);
	}
	return i == 0 ? NULL : ics_table_at(&st->prefixes, i);
}

static void
note_reporter(struct prefix *p, const struct ics_ip *addr, uint32_t n, bool is_copy)
{
	unsigned i = 0;

	while (i < p->n_reporters && !ics_ip_equal(&p->reporter[i].addr, addr))
		i++;
	if (i == REPORTERS)
		return;
	if (i == p->n_reporters)
		p->reporter[p->n_reporters++] = (struct reporter){.addr = *addr};
	p->reporter[i].n += n;
	if (is_copy)
		return;
	p->turns += i != p->last;
	p->last = i;
}

static void
note_source(struct prefix *p, const struct ics_ip *addr)
{
	for (unsigned i = 0; i < p->n_sources; i++)
		if (ics_ip_equal(&p->source[i], addr))
			return;
	if (p->n_sources < SOURCES_KEPT)
		p->source[p->n_sources++] = *addr;
}

/* The most frequent reporters in front: a few places are sorted. */
static void
sort_reporters(struct prefix *p)
{
	struct ics_ip last = p->reporter[p->last].addr;

	for (unsigned i = 1; i < p->n_reporters; i++)
		for (unsigned k = i; k > 0 && p->reporter[k].n > p->reporter[k - 1].n; k--) {
			struct reporter r = p->reporter[k];

			p->reporter[k] = p->reporter[k - 1];
			p->reporter[k - 1] = r;
		}
	for (unsigned i = 0; i < p->n_reporters; i++)
		if (ics_ip_equal(&p->reporter[i].addr, &last))
			p->last = i;
}

static bool
is_loop(struct prefix *p)
{
	uint32_t most = 0;

	if (p->n_reporters < 2 || p->n_sources < SOURCES)
		return false;
	sort_reporters(p);
	for (unsigned i = 0; i < p->n_reporters && i < LOOP_ROUTERS; i++)
		most += p->reporter[i].n;
	/* In turn: the second is no chance visitor, and they alternate. */
	return most * 100ull >= (uint64_t)p->n * LOOP_PERCENT && p->reporter[1].n * 5 >= p->reporter[0].n &&
	       p->turns * 10 >= p->looked;
}

static struct episode *
look(struct ics_detector *d, const struct ics_segment *seg, struct prefix *p, uint64_t ts_ns, uint32_t n)
{
	struct episode *e;
	char text[ICS_IP_STRLEN], subject[ICS_IP_STRLEN + 8];
	bool above = ics_rate_add(&p->rate, ts_ns, n, LIMIT) != 0;

	e = (struct episode *)ics_episode_find(d, seg->id, &p->addr);
	if (e == NULL && (!above || !is_loop(p)))
		return NULL;
	if (e == NULL) {
		snprintf(subject, sizeof(subject), "%s/%u", ics_ip_format(&p->addr, text),
			 ics_path_prefix_len(&p->addr));
		e = (struct episode *)ics_episode_open_as(d, seg, &p->addr, "prefix", subject);
		if (e == NULL)
			return NULL;
		e->muted = true;
		e->first = p->reporter[0].addr;
		e->second = p->reporter[1].addr;
		e->last_ns = ts_ns;
	}
	if (p->rate.n * 10 >= LIMIT)
		e->last_ns = ts_ns;
	if (p->rate.n > e->peak)
		e->peak = p->rate.n;
	if (p->n_sources > e->sources)
		e->sources = p->n_sources;
	return e;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_quote *q = &msg->error.quote;
	struct ics_ip prefix = ics_path_prefix(&q->far);
	struct state *st = d->state;
	struct prefix *p;
	struct episode *e;
	uint32_t n = 1 + msg->rec->repeats;

	/* Of reassembly it is another code; a packet that could go on is none of a loop. */
	if (msg->error.code != 0 || !(q->flags & ICS_QUOTE_IP) || q->hop_limit > 1)
		return;
	p = prefix_get(st, c->segment->id, &prefix);
	if (p == NULL)
		return;
	ics_recent_put(&st->recent, msg->rec->frame_hash, ics_table_index(&st->prefixes, p));
	st->recent_reporter[msg->rec->frame_hash % ICS_RECENT_FRAMES] = msg->src;
	if (msg->ts_ns >= p->window_ns + WINDOW_NS) {
		p->window_ns = msg->ts_ns;
		p->n = p->looked = p->turns = 0;
		p->n_reporters = p->n_sources = p->last = 0;
	}
	p->n += n;
	p->looked++;
	note_reporter(p, &msg->src, n, false);
	note_source(p, &q->host);
	e = look(d, c->segment, p, msg->ts_ns, n);
	if (e == NULL)
		return;
	e->far = q->far;
	e->mac = msg->smac;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->muted);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	uint32_t i = ics_recent_find(&st->recent, rec->frame_hash);
	struct prefix *p;
	struct episode *e;

	if (i == 0 || !ics_table_is_live(&st->prefixes, i))
		return;
	p = ics_table_at(&st->prefixes, i);
	if (p->segment != seg->id)
		return;
	p->n += 1 + rec->repeats;
	/* A packet that is the same each time dies the same way: with an IPv6 header it leaves the same message. */
	note_reporter(p, &st->recent_reporter[rec->frame_hash % ICS_RECENT_FRAMES], 1 + rec->repeats, true);
	e = look(d, seg, p, p->rate.sec * NS_PER_S, 1 + rec->repeats);
	if (e == NULL)
		return;
	ics_episode_add_copies(&e->ep, rec, e->muted);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return -ENOMEM;
	d->state = st;
	return ics_table_init(&st->prefixes, sizeof(struct prefix), 20, PREFIXES_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL)
		ics_table_fini(&st->prefixes);
	free(st);
}

const struct ics_detector_ops ics_det_icmp_te_loop = {
	.classes = 1ull << ICS_CLASS_icmp6_time_exceeded | 1ull << ICS_CLASS_icmp4_time_exceeded,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
