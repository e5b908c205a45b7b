/* A machine that sends one MLD report over and over, or far more reports than its groups call for: network cards do that
 * that answer for a sleeping host (incident 2). A conforming host repeats a report at most seven times, a good while apart
 * (RFC 9777 6.1, 9.1), and answers a query with one message for each group at most, spread over the response delay. Reports of stations that nobody heard before are a flood of invented
 * ones: a host that starts reports from no address first (RFC 3590 4). Called for
 * MLD messages and copies of them; data of hosts tells who is awake.
 */
#include "repeat.h"

#include "ics_vendor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Copies: above the seven that RFC 9777 9.1 allows, and what a switch notices. */
#define COPIES 10
#define COPIES_CRITICAL 100
#define COPIES_CRITICAL_10S 300
/* Different messages of one MAC a second, for so many seconds on end. */
#define RATE 50
#define SECONDS 3
#define RATE_CRITICAL 500
/* What a host may exceed the mean of its answers by. */
#define ANSWER_FACTOR 3
#define ANSWER_SLACK_NS (2 * NS_PER_S)
#define QUIET_COPIES 2
#define CLEAR_NS (60 * NS_PER_S)
/* Machines wake up and fall asleep again: one that comes back so soon is one finding for longer. */
#define AGAIN_NS (600 * NS_PER_S)
/* Data of a host is told once a minute, and at once after a minute without: what speaks again is awake again. */
#define SILENCE_NS (60 * NS_PER_S)
/* A loop shows as one only when several are heard in it; what it made look like a storm until then is taken back. */
#define LOOP_LAG_NS (3 * NS_PER_S)

/* Stations never heard that report within a second, as for nd_flood. */
#define INVENTED 200
#define INVENTED_CRITICAL 2000
#define TOP 3

#define SLOTS 16384
#define ENDED 256

struct slot {
	uint32_t tag, sec, n;
	uint32_t over; /* seconds on end above the rate, this one not included */
};

struct awake {
	struct ics_table_head head;
	uint32_t segment;
	struct ics_mac mac; /* both: key */
	uint64_t last_ns;
};

struct segment {
	struct ics_seconds mld;
	uint64_t data_ns; /* the first data of hosts; 0: none seen yet */
	uint64_t invented_ns;
	uint32_t invented;
	bool flooded;
};

struct state {
	struct slot slot[SLOTS];
	struct segment segment[ICS_SEGMENTS_MAX];
	struct ics_table awake;
	struct {
		uint32_t segment;
		struct ics_mac mac;
		uint64_t ns;
	} ended[ENDED];
	unsigned n_ended;
};

enum variant { IDENTICAL, RATE_HIGH, SLEEPING, INVENTED_SOURCES };

static const char *const names[] = {
	[IDENTICAL] = "identical", [RATE_HIGH] = "rate", [SLEEPING] = "sleeping", [INVENTED_SOURCES] = "invented"};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted, again, has_group, judged;
	bool taken_back; /* it was a loop */
	struct ics_mac mac;
	struct ics_ip src, group;
	uint64_t hash;               /* of the frame that it repeats */
	uint32_t per_s, peak, limit; /* messages a second: of the latest second, and the most */
	uint32_t groups;
	struct ics_seconds own, own_copies;
	uint32_t copies_10s, share; /* the most; percent of the MLD of its segment */
	uint64_t copies, open_ns, high_ns, run_ns, last_ns, silent_ns;
	uint32_t min_gap_ns;
	unsigned factor;
	bool data_seen;
	/* Of a flood on the segment. */
	struct ics_hll macs, groups_hll;
	struct ics_top top;
};

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->taken_back)
		return ICS_SEV_INFO;
	if ((e->variants & 1u << IDENTICAL) && (e->peak >= COPIES_CRITICAL || e->copies_10s >= COPIES_CRITICAL_10S))
		return ICS_SEV_CRITICAL;
	return (e->variants & 1u << RATE_HIGH) && e->peak >= RATE_CRITICAL ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char mac[ICS_MAC_STRLEN], group[ICS_IP_STRLEN];
	const char *vendor = ics_vendor_name(&e->mac);

	a->says[0] = '\0';
	if (e->taken_back) {
		ics_say(a,
			"Reports of %s came up to %u times a second because the network repeats them: a layer-2 loop "
			"(l2_loop). Nothing is wrong with this machine.",
			ics_mac_format(&e->mac, mac), e->peak);
		return;
	}
	ics_say(a, "%s%s%s%s ", ics_mac_format(&e->mac, mac), vendor[0] != '\0' ? " (" : "", vendor,
		vendor[0] != '\0' ? ")" : "");
	if (e->variants & 1u << IDENTICAL)
		ics_say(a, "repeats one MLD report up to %u times a second", e->peak);
	else
		ics_say(a, "sends up to %u MLD messages a second, where %u are plenty", e->peak, e->limit);
	if (e->has_group && (e->variants & 1u << IDENTICAL))
		ics_say(a, " for group %s", ics_ip_format(&e->group, group));
	if (e->variants & 1u << SLEEPING)
		ics_say(a, " while it sleeps");
	ics_say(a, "; %u %% of the MLD of this segment. Switches flood it and handle each one on their CPU.", e->share);
	if (e->variants & (1u << IDENTICAL | 1u << SLEEPING))
		ics_say(a, " Update its network driver or firmware (Intel I217/I218: 19.x or later) or disable offload "
			   "during sleep, and limit MLD per port.");
	else
		ics_say(a, " Find what joins and leaves groups on it (it has %u), and limit MLD per port.", e->groups);
}

static void
top_list(const struct episode *e, char buf[static ICS_FACT_TEXT_LEN])
{
	struct ics_top_item top[TOP];
	unsigned n = ics_top_list(&e->top, top, TOP);
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		struct ics_mac m = ics_mac_from(top[i].key);
		char mac[ICS_MAC_STRLEN];

		len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s %llu", i != 0 ? ", " : "",
					ics_mac_format(&m, mac), (unsigned long long)(top[i].count - top[i].error));
	}
}

static void
render_flood(struct episode *e)
{
	struct ics_anomaly *a = e->ep.a;
	char text[ICS_FACT_TEXT_LEN];

	a->variant = names[INVENTED_SOURCES];
	a->severity = e->peak >= INVENTED_CRITICAL ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "limit", INVENTED);
	ics_fact_set_uint(a, "messages", e->top.total);
	ics_fact_set_uint(a, "macs", ics_hll_count(&e->macs));
	ics_fact_set_uint(a, "groups", ics_hll_count(&e->groups_hll));
	top_list(e, text);
	ics_fact_set_text(a, "top_macs", "%s", text);
	a->says[0] = '\0';
	ics_say(a,
		"Multicast reports of invented stations flood this segment: at least %u a second that nobody heard "
		"before, about "
		"%llu MACs and %llu groups so far. MAC and multicast tables of switches fill up and their CPUs are "
		"busy. Find the "
		"port on which these MACs appear, limit MACs and MLD per port.",
		e->peak, (unsigned long long)ics_hll_count(&e->macs),
		(unsigned long long)ics_hll_count(&e->groups_hll));
}

static void
render_storm(struct episode *e)
{
	struct ics_anomaly *a = e->ep.a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN];
	const char *variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);

	a->variant = e->variants & 1u << SLEEPING ? names[SLEEPING] : variant;
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	ics_detect_set_vendor(a, &e->mac);
	ics_fact_set_text(a, "src", "%s", ics_ip_format(&e->src, ip));
	if (e->has_group && (e->variants & 1u << IDENTICAL))
		ics_fact_set_text(a, "group", "%s", ics_ip_format(&e->group, ip));
	ics_fact_set_uint(a, "copies", e->copies / (e->factor != 0 ? e->factor : 1));
	ics_fact_set_uint(a, "peak_per_s", e->peak);
	ics_fact_set_uint(a, "limit", e->limit);
	ics_fact_set_seconds(a, "duration", e->last_ns > e->run_ns ? (e->last_ns - e->run_ns) / NS_PER_MS : 0);
	if (e->min_gap_ns != UINT32_MAX)
		ics_fact_set_uint(a, "min_gap_us", e->min_gap_ns / 1000);
	ics_fact_set_text(a, "sleeping", "%s",
			  !e->data_seen                  ? "not assessed"
			  : e->variants & 1u << SLEEPING ? "yes"
							 : "no");
	if (e->silent_ns != 0)
		ics_fact_set_seconds(a, "silent_for", e->silent_ns / NS_PER_MS);
	ics_fact_set_uint(a, "segment_share_percent", e->share);
	ics_fact_set_uint(a, "groups", e->groups);
	if (e->factor > 1)
		ics_fact_set_uint(a, "feed_factor", e->factor);
	if (e->again)
		ics_fact_set_bool(a, "again", true);
	if (e->taken_back)
		ics_fact_set_text(a, "attributed_to", "l2_loop");
	say(a, e);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;

	if (e->variants & 1u << INVENTED_SOURCES)
		render_flood(e);
	else
		render_storm(e);
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)severity_of(e) << 4 | (uint64_t)e->muted << 8;
}

/* ---- who is awake ---- */

struct key {
	uint32_t segment;
	struct ics_mac mac;
} __attribute__((packed));

static void
is_awake(struct state *st, uint32_t segment, const struct ics_mac *mac, uint64_t now_ns)
{
	struct key key = {segment, *mac};
	uint32_t i = ics_table_find(&st->awake, &key);

	if (i == 0) {
		if (st->awake.count >= st->awake.max)
			ics_table_remove(&st->awake, ics_table_oldest(&st->awake, NULL));
		i = ics_table_insert(&st->awake, &key);
	}
	if (i != 0)
		((struct awake *)ics_table_at(&st->awake, i))->last_ns = now_ns;
}

static void
on_data(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct state *st = d->state;

	if (!msg->has_mac)
		return;
	if (st->segment[seg->id].data_ns == 0)
		st->segment[seg->id].data_ns = msg->ts_ns;
	is_awake(st, seg->id, &msg->smac, msg->ts_ns);
}

/* Nothing but MLD and ND for a minute, on a segment where data of hosts is seen for as long. */
static void
judge_sleep(struct ics_detector *d, struct episode *e, uint64_t now_ns)
{
	struct state *st = d->state;
	uint64_t since = st->segment[e->ep.segment].data_ns;
	struct key key = {e->ep.segment, e->mac};
	uint32_t i;

	e->data_seen = since != 0;
	if (!e->data_seen)
		return;
	i = ics_table_find(&st->awake, &key);
	if (i != 0)
		since = ((const struct awake *)ics_table_at(&st->awake, i))->last_ns;
	e->silent_ns = now_ns > since ? now_ns - since : 0;
	if (e->silent_ns >= SILENCE_NS)
		e->variants |= 1u << SLEEPING;
	else
		e->variants &= ~(1u << SLEEPING);
}

/* ---- rates ---- */

static struct slot *
slot_of(struct state *st, uint64_t hash, uint32_t sec)
{
	struct slot *s = &st->slot[hash % (SLOTS / 2) * 2];
	uint32_t tag = (uint32_t)(hash >> 32) | 1;

	if (s[0].tag == tag)
		return &s[0];
	if (s[1].tag == tag)
		return &s[1];
	if (s[1].sec < s[0].sec || (s[1].sec == s[0].sec && s[1].n < s[0].n))
		s++;
	if (s->sec == sec && s->n > RATE / 2) {
		s->n--; /* as in a space-saving count: the resident pays for each visitor */
		return NULL;
	}
	*s = (struct slot){.tag = tag, .sec = sec};
	return s;
}

static uint64_t
hash_of(const struct ics_detector *d, uint32_t segment, const struct ics_mac *mac)
{
	struct key id = {segment, *mac};

	return ics_hash(&id, sizeof(id), d->seed);
}

static void
on_ahead(struct ics_detector *d, uint32_t segment, const uint8_t *macs)
{
	const struct state *st = d->state;
	struct ics_mac mac = ics_mac_from(macs + 6);

	__builtin_prefetch(&st->slot[hash_of(d, segment, &mac) % (SLOTS / 2) * 2], 1);
}

/* How many messages a second nobody wonders about: after a query, those that its groups need, within reason. */
static uint32_t
limit_of(const struct ics_detector *d, uint32_t segment, const struct ics_host *h, uint64_t now_ns)
{
	const struct ics_queriers *q = ics_model_queriers(d->model, segment);
	const struct ics_querier *current = q != NULL && q->n != 0 ? &q->q[q->current] : NULL;
	uint64_t answers, mrd_ms;

	if (current == NULL || h == NULL || q->last_general_ns == 0)
		return RATE;
	mrd_ms = current->qri_ms != 0 ? current->qri_ms : ICS_QUERY_QRI_MS;
	if (now_ns > q->last_general_ns + mrd_ms * NS_PER_MS + ANSWER_SLACK_NS)
		return RATE;
	answers = (uint64_t)ANSWER_FACTOR * h->n_groups * 1000 / mrd_ms;
	return answers > RATE ? (uint32_t)answers : RATE;
}

/* Routers, proxies and queriers speak for many. */
static bool
speaks_for_many(const struct ics_detector *d, uint32_t segment, const struct ics_mac *mac)
{
	const struct ics_queriers *q = ics_model_queriers(d->model, segment);
	const struct ics_host *h = ics_model_host_find(d->model, segment, mac);

	if (ics_detect_is_router_mac(d, segment, mac) || ics_model_is_proxy(d->model, mac) ||
	    (h != NULL && (h->flags & (ICS_HOST_PROXY | ICS_HOST_HYPERVISOR))))
		return true;
	for (unsigned i = 0; q != NULL && i < q->n; i++)
		if (q->q[i].has_mac && ics_mac_equal(&q->q[i].mac, mac))
			return true;
	return false;
}

/* A loop repeats its frames, or may turn out to. */
static bool
is_of_a_loop(const struct ics_detector *d, uint32_t segment, const struct ics_mac *mac)
{
	const struct ics_repeater *r = ics_detect_repeater(d, segment, mac);
	struct ics_chorus chorus;

	if (r != NULL && ics_repeater_is_alone(r))
		return false;
	if (d->shared->l2_loop[segment])
		return true;
	ics_detect_chorus(d, segment, ICS_REPEATER_MIN, 0, &chorus);
	return ics_chorus_may_loop(&chorus);
}

static bool
ended_lately(const struct state *st, uint32_t segment, const struct ics_mac *mac, uint64_t now_ns)
{
	for (unsigned i = 0; i < ENDED; i++)
		if (st->ended[i].ns != 0 && st->ended[i].ns + AGAIN_NS > now_ns && st->ended[i].segment == segment &&
		    ics_mac_equal(&st->ended[i].mac, mac))
			return true;
	return false;
}

static struct episode *
open_episode(struct ics_detector *d, const struct ics_segment *seg, const struct ics_mac *mac, uint64_t now_ns)
{
	struct ics_ip key = ics_episode_key_of_mac(mac);
	char text[ICS_MAC_STRLEN];
	struct episode *e = (struct episode *)ics_episode_open_as(d, seg, &key, "mac", ics_mac_format(mac, text));

	if (e == NULL)
		return NULL;
	e->mac = *mac;
	e->muted = true;
	e->open_ns = now_ns;
	e->min_gap_ns = UINT32_MAX;
	e->limit = COPIES;
	e->again = ended_lately(d->state, seg->id, mac, now_ns);
	return e;
}

static void
note_message(struct episode *e, const struct ics_msg *msg)
{
	uint32_t off = msg->class == ICS_CLASS_mld2_report ? 12 : 8;

	e->src = msg->src;
	e->has_group = ics_view_has(msg->icmp, off, 16);
	if (e->has_group)
		e->group = ics_ip_from6(msg->icmp.p + off);
}

static void
end(struct ics_detector *d, struct episode *e, uint64_t now_ns)
{
	struct state *st = d->state;
	unsigned i = st->n_ended++ % ENDED;

	st->ended[i].segment = e->ep.segment;
	st->ended[i].mac = e->mac;
	st->ended[i].ns = now_ns;
	ics_episode_close(&e->ep);
}

/* What looked like a storm is the loop that was named since. */
static bool
is_taken_back(const struct ics_detector *d, const struct episode *e)
{
	uint64_t loop_ns = d->shared->l2_loop_ns[e->ep.segment];

	return d->shared->l2_loop[e->ep.segment] && e->open_ns + LOOP_LAG_NS >= loop_ns &&
	       is_of_a_loop(d, e->ep.segment, &e->mac);
}

static void
take_back(struct ics_detector *d, struct episode *e)
{
	e->taken_back = true;
	d->info.suppressed++;
	ics_episode_close(&e->ep);
}

/* ---- one message, or copies ---- */

static void
judge(struct ics_detector *d, const struct ics_segment *seg, const struct ics_mac *mac, const struct ics_frame_count *f,
      uint32_t n, const struct ics_msg *msg, const struct ics_record *rec)
{
	struct state *st = d->state;
	uint64_t now = ics_model_clock(d->model)->now_ns;
	uint32_t sec = (uint32_t)(now / NS_PER_S), rate = 0, limit = RATE, per_s;
	unsigned factor = ics_model_feed_factor(d->model, seg->id);
	struct slot *s = slot_of(st, hash_of(d, seg->id, mac), sec);
	struct ics_ip key = ics_episode_key_of_mac(mac);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	const struct ics_host *h;
	bool identical, high = false;

	per_s = f != NULL ? ics_frame_per_s(f, factor) : 0;
	identical = per_s >= COPIES;
	if (s != NULL) {
		if (s->sec != sec) {
			s->over = s->sec + 1 == sec && s->n / factor > RATE ? s->over + 1 : 0;
			s->sec = sec;
			s->n = 0;
		}
		s->n += n;
		rate = s->n / factor;
		high = rate > RATE && s->over >= SECONDS - 1;
	}
	if (!identical && !high && e == NULL)
		return;
	h = ics_model_host_find(d->model, seg->id, mac);
	if (high) {
		limit = limit_of(d, seg->id, h, now);
		high = rate > limit;
	}
	if ((high || identical) && e == NULL && speaks_for_many(d, seg->id, mac)) {
		high = false;
		identical = per_s >= COPIES_CRITICAL;
	}
	if (e == NULL) {
		if (!identical && !high)
			return;
		if (is_of_a_loop(d, seg->id, mac)) {
			d->info.suppressed++;
			return;
		}
		e = open_episode(d, seg, mac, now);
		if (e == NULL)
			return;
		e->run_ns = f != NULL && identical ? f->run_ns : now;
		e->copies = f != NULL && identical ? f->total : 0;
		if (f != NULL && identical)
			ics_seconds_add(&e->own, sec, f->in_second - n);
	} else if (is_taken_back(d, e)) {
		take_back(d, e);
		return;
	} else if (!identical && !high && rate <= RATE && (f == NULL || f->hash != e->hash)) {
		return; /* what it says besides is ordinary */
	}
	if (identical)
		e->variants |= 1u << IDENTICAL;
	else if (high)
		e->variants |= 1u << RATE_HIGH;
	if ((identical || high) && e->variants & 1u << IDENTICAL)
		e->limit = COPIES;
	else if (high)
		e->limit = limit;
	e->factor = factor;
	e->groups = h != NULL ? h->n_groups : 0;
	e->per_s = e->variants & 1u << IDENTICAL ? per_s : rate;
	if (e->per_s > e->peak)
		e->peak = e->per_s;
	if (identical || high || per_s >= QUIET_COPIES || rate > RATE)
		e->high_ns = now;
	if (f != NULL) {
		uint32_t copies = ics_seconds_add(&e->own_copies, sec, per_s >= QUIET_COPIES ? n : 0) / factor;

		e->copies_10s = copies > e->copies_10s ? copies : e->copies_10s;
		if (f->min_gap_ns < e->min_gap_ns)
			e->min_gap_ns = f->min_gap_ns;
		if (f->last_ns > e->last_ns)
			e->last_ns = f->last_ns;
		if (identical)
			e->hash = f->hash;
		if (e->ep.a->count != 0 && per_s >= QUIET_COPIES)
			e->copies += n;
	} else {
		e->last_ns = now;
	}
	{
		uint32_t own = ics_seconds_add(&e->own, sec, n), all = st->segment[seg->id].mld.sum;

		e->share = all != 0 ? (uint32_t)((uint64_t)own * 100 / all) : 0;
		if (e->share > 100)
			e->share = 100;
	}
	e->muted &= ics_detect_is_muted(d, &seg->key, &key, mac);
	judge_sleep(d, e, now);
	if (msg != NULL) {
		note_message(e, msg);
		ics_episode_update(&e->ep, msg, signature_of(e));
		return;
	}
	ics_episode_add_copies(&e->ep, rec, signature_of(e));
}

static bool
is_report(uint8_t class)
{
	return class == ICS_CLASS_mld1_report || class == ICS_CLASS_mld1_done || class == ICS_CLASS_mld2_report;
}

static bool
is_mld(uint8_t class)
{
	return is_report(class) || class == ICS_CLASS_mld_query;
}

/* Copies of one frame are one storm, at whichever ports of the tap they come in: where it repeats. */
static const struct ics_segment *
home_of(const struct ics_detector *d, const struct ics_frame_count *f, const struct ics_segment *seg)
{
	return f != NULL && f->n_segments > 1 ? ics_model_segment(d->model, f->segment[f->home]) : seg;
}

static void
count_segment(struct ics_detector *d, const struct ics_segment *seg, uint32_t n)
{
	struct state *st = d->state;

	ics_seconds_add(&st->segment[seg->id].mld, ics_model_clock(d->model)->now_ns / NS_PER_S, n);
}

/* ---- the segment ---- */

static bool
is_invented(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	return c->new_host && !ics_ip6_is_unspecified(msg->src.b) && !ics_model_is_learning(d->model, c->segment);
}

static void
judge_segment(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	static const struct ics_ip whole_segment;
	struct segment *s = &((struct state *)d->state)->segment[c->segment->id];
	bool invented = is_invented(d, msg, c);
	struct episode *e;

	if (!invented && !s->flooded)
		return;
	if (msg->ts_ns >= s->invented_ns + NS_PER_S) {
		s->invented = 0;
		s->invented_ns = msg->ts_ns;
	}
	s->invented += invented;
	if (s->invented < INVENTED && !s->flooded)
		return;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &whole_segment);
	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, c->segment, &whole_segment, "scope", "segment");
		if (e == NULL)
			return;
		s->flooded = true;
		d->shared->mld_flood[c->segment->id] = 1;
		e->muted = true;
		e->judged = true;
		e->variants = 1u << INVENTED_SOURCES;
		ics_hll_init(&e->macs, ics_hash_mix(d->seed, 2));
		ics_hll_init(&e->groups_hll, ics_hash_mix(d->seed, 3));
		ics_top_init(&e->top, ics_hash_mix(d->seed, 4));
	}
	if (s->invented >= INVENTED)
		e->high_ns = msg->ts_ns;
	if (s->invented > e->peak)
		e->peak = s->invented;
	note_message(e, msg);
	if (e->has_group)
		ics_hll_add(&e->groups_hll, e->group.b, sizeof(e->group.b));
	ics_hll_add(&e->macs, msg->smac.b, sizeof(msg->smac.b));
	ics_top_add(&e->top, msg->smac.b, sizeof(msg->smac.b), 1 + msg->rec->repeats);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &whole_segment, NULL);
	ics_episode_update(&e->ep, msg, (uint64_t)e->muted << 8 | (e->peak >= INVENTED_CRITICAL));
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	uint32_t n = 1 + msg->rec->repeats;

	if (!is_mld(msg->class)) {
		/* Errors come from machines that are awake. */
		if (msg->has_mac)
			is_awake(d->state, c->segment->id, &msg->smac, msg->ts_ns);
		return;
	}
	count_segment(d, c->segment, n);
	if (!is_report(msg->class) || !msg->has_mac)
		return;
	judge_segment(d, msg, c);
	/* What came at another place before says nothing new. */
	if (c->frame == NULL || c->frame->added != 0)
		judge(d, home_of(d, c->frame, c->segment), &msg->smac, c->frame, c->frame != NULL ? c->frame->added : n,
		      msg, msg->rec);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	const struct ics_frame_count *f;

	if (!is_mld(rec->class))
		return;
	count_segment(d, seg, 1 + rec->repeats);
	f = ics_model_frame(d->model, rec->frame_hash);
	if (f != NULL && f->added != 0 && is_report(rec->class))
		judge(d, home_of(d, f, seg), &f->smac, f, f->added, NULL, rec);
}

static uint64_t
clears_ns(const struct episode *e)
{
	return e->high_ns + (e->again ? AGAIN_NS : CLEAR_NS);
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;

	return e->judged ? clears_ns(e) : e->open_ns + LOOP_LAG_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;

	if (is_taken_back(d, e)) {
		take_back(d, e);
		return false;
	}
	if (now_ns >= e->open_ns + LOOP_LAG_NS)
		e->judged = true;
	if (!e->judged || now_ns < clears_ns(e))
		return true;
	if (e->variants & 1u << INVENTED_SOURCES) {
		((struct state *)d->state)->segment[ep->segment].flooded = false;
		d->shared->mld_flood[ep->segment] = 0;
		ics_episode_close(ep);
	} else {
		end(d, e, now_ns);
	}
	return false;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	d->state = st;
	if (st == NULL)
		return -ENOMEM;
	return ics_table_init(&st->awake, sizeof(struct awake), sizeof(struct key), ICS_HOSTS_MAX, d->seed);
}

static void
fini(struct ics_detector *d)
{
	if (d->state != NULL)
		ics_table_fini(&((struct state *)d->state)->awake);
	free(d->state);
}

const struct ics_detector_ops ics_det_mld_report_storm = {
	.classes = 1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld1_done | 1ull << ICS_CLASS_mld2_report |
		   1ull << ICS_CLASS_mld_query | 1ull << ICS_CLASS_icmp6_unreach | 1ull << ICS_CLASS_icmp6_too_big |
		   1ull << ICS_CLASS_icmp6_time_exceeded | 1ull << ICS_CLASS_icmp6_param_problem |
		   1ull << ICS_CLASS_icmp4_unreach,
	.invalid_too = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.ahead = on_ahead,
	.copies = on_copies,
	.data = on_data,
	.render = render,
	.timer = on_timer,
	.due = due,
};
