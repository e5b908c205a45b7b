/* Two nodes want one address: within the three seconds of a duplicate address detection somebody else says that it has
 * the address, or probes for it too (RFC 4862 5.4.3, 5.4.4; RFC 7527 for probes that only came back). The address is then
 * unusable for who asked; where it is the link-local one made from the MAC, all of IPv6 on that interface is (5.4.5).
 * Called for NS and NA; clears when a later detection of the same host goes unanswered.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A host that lost its only address is silent until somebody mends it: the finding stays for a day. */
#define FORGET_NS (24 * 3600 * NS_PER_S)
/* Probes of late, to know copies of them. */
#define PROBES 256
/* A host that probes again waits for its RetransTimer, a second as a rule; what is back before is an echo. */
#define ECHO_NS (200 * NS_PER_MS)
/* And what is back that soon was mirrored twice: no network sends a frame back in less. */
#define TWIN_NS (2 * NS_PER_MS)

enum variant { ANSWERED, SIMULTANEOUS, SELF_ECHO };

static const char *const names[] = {
	[ANSWERED] = "answered",
	[SIMULTANEOUS] = "simultaneous",
	[SELF_ECHO] = "self_echo",
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted, eui64, router, has_nonce, has_other_nonce;
	struct ics_ip target;
	struct ics_mac asker, other;
	uint8_t nonce[6], other_nonce[6];
	uint64_t delay_ns, last_ns;
};

struct asker_key {
	uint32_t segment;
	struct ics_mac mac;
};

/* Which host the conflict of an open episode is about. */
struct asker {
	struct ics_table_head head;
	uint32_t segment; /* with mac the key */
	struct ics_mac mac;
	uint8_t pad[2];
	struct ics_ip target;
	uint32_t pad2;
};

struct state {
	struct ics_table askers;
	struct {
		uint64_t frame_hash;
		uint64_t ts_ns; /* packet time */
		bool has_nonce;
		struct ics_mac mac;
	} probe[PROBES];
};

static const uint8_t no_nonce[6];

/* RFC 4291 appendix A. */
static bool
is_eui64_link_local(const struct ics_ip *a, const struct ics_mac *m)
{
	const uint8_t want[16] = {0xfe,        0x80,    0,       0,    0,    0,       0,       0,
				  m->b[0] ^ 2, m->b[1], m->b[2], 0xff, 0xfe, m->b[3], m->b[4], m->b[5]};

	return memcmp(a->b, want, sizeof(want)) == 0;
}

static void
forget_asker(struct state *s, const struct episode *e)
{
	struct asker_key key = {e->ep.segment, e->asker};
	uint32_t i = ics_table_find(&s->askers, &key);

	if (i != 0 && ics_ip_equal(&((struct asker *)ics_table_at(&s->askers, i))->target, &e->target))
		ics_table_remove(&s->askers, i);
}

static void
close_episode(struct ics_detector *d, struct episode *e)
{
	forget_asker(d->state, e);
	ics_episode_close(&e->ep);
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	char ip[ICS_IP_STRLEN], m1[ICS_MAC_STRLEN], m2[ICS_MAC_STRLEN];

	a->says[0] = '\0';
	ics_ip_format(&e->target, ip);
	ics_mac_format(&e->asker, m1);
	ics_mac_format(&e->other, m2);
	if (e->variants == 1u << SELF_ECHO) {
		ics_say(a,
			"A duplicate address probe of %s came back to the wire within a second, and without a nonce "
			"the "
			"host cannot tell it from a real duplicate: it may refuse its own address. Look for a loop, a "
			"mirror port that feeds back or an access point that reflects multicast.",
			m1);
		return;
	}
	if (e->variants & 1u << ANSWERED)
		ics_say(a, "Duplicate address %s: %s asked for it and %s answered that it has it, %llu ms later.", ip,
			m1, m2, (unsigned long long)(e->delay_ns / NS_PER_MS));
	else
		ics_say(a, "Duplicate address %s: %s and %s asked for it within %llu ms of each other.", ip, m1, m2,
			(unsigned long long)(e->delay_ns / NS_PER_MS));
	if (e->router)
		ics_say(a, " It is the address of a router: hosts may send to the wrong one of the two.");
	else if (e->eui64)
		ics_say(a, " It is the link-local address of %s made from its MAC: IPv6 is off on that interface.", m1);
	else
		ics_say(a, " %s does without it.", m1);
	ics_say(a, " Find both ports; change the address, or the MAC of a cloned machine, on one of them.");
}

static void
put_nonce(struct ics_anomaly *a, const char *key, const uint8_t n[6])
{
	ics_fact_set_text(a, key, "%02x%02x%02x%02x%02x%02x", n[0], n[1], n[2], n[3], n[4], n[5]);
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = e->variants == 1u << SELF_ECHO ? ICS_SEV_INFO
		      : e->eui64 || e->router        ? ICS_SEV_CRITICAL
						     : ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_text(a, "target", "%s", ics_ip_format(&e->target, ip));
	ics_fact_set_text(a, "asker_mac", "%s", ics_mac_format(&e->asker, mac));
	ics_fact_set_text(a, "other_mac", "%s", ics_mac_format(&e->other, mac));
	if (e->has_nonce)
		put_nonce(a, "asker_nonce", e->nonce);
	if (e->has_other_nonce)
		put_nonce(a, "other_nonce", e->other_nonce);
	ics_fact_set_uint(a, "delay_ms", e->delay_ns / NS_PER_MS);
	ics_fact_set_bool(a, "link_local_from_mac", e->eui64);
	ics_fact_set_bool(a, "is_router", e->router);
	say(a, e);
}

static void
remember_asker(struct state *s, const struct episode *e)
{
	struct asker_key key = {e->ep.segment, e->asker};
	uint32_t i = ics_table_find(&s->askers, &key);

	if (i == 0)
		i = ics_table_insert(&s->askers, &key);
	if (i != 0)
		((struct asker *)ics_table_at(&s->askers, i))->target = e->target;
}

static void
conflict(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c, enum variant v)
{
	const struct ics_dad *dad = c->dad;
	bool router = ics_model_router_find(d->model, c->segment->id, &dad->target) != NULL;
	struct episode *e = (struct episode *)ics_episode_find(d, c->segment->id, &dad->target);
	char ip[ICS_IP_STRLEN];

	if (e == NULL) {
		/* Who denies every address, or floods, has a finding of its own. */
		if (!router && (d->shared->dad_denied[c->segment->id] || d->shared->nd_flood[c->segment->id])) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open_as(d, c->segment, &dad->target, "address",
							  ics_ip_format(&dad->target, ip));
		if (e == NULL)
			return;
		e->target = dad->target;
		e->muted = true;
		e->asker = dad->asker;
		memcpy(e->nonce, dad->nonce, 6);
		e->has_nonce = memcmp(dad->nonce, no_nonce, 6) != 0;
		remember_asker(d->state, e);
	}
	e->other = msg->smac;
	if (v == SIMULTANEOUS) {
		ics_msg_nonce(msg, e->other_nonce);
		e->has_other_nonce = memcmp(e->other_nonce, no_nonce, 6) != 0;
	}
	e->variants = (e->variants & ~(1u << SELF_ECHO)) | 1u << v;
	e->router = router;
	e->eui64 = is_eui64_link_local(&e->target, &e->asker);
	e->delay_ns = msg->ts_ns > dad->start_ns ? msg->ts_ns - dad->start_ns : 0;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &e->target, &msg->smac);
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->router << 8 | (uint64_t)e->muted << 9);
}

/* The first of two that asked says that it has the address by now: the second is the one that does without. */
static void
defended(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &msg->na.target);
	uint8_t nonce[6];

	if (e == NULL || e->variants != 1u << SIMULTANEOUS || !msg->has_mac || !ics_mac_equal(&e->asker, &msg->smac) ||
	    msg->ts_ns >= e->last_ns + ICS_DAD_NS)
		return;
	forget_asker(d->state, e);
	e->asker = e->other;
	e->other = msg->smac;
	memcpy(nonce, e->nonce, 6);
	memcpy(e->nonce, e->other_nonce, 6);
	memcpy(e->other_nonce, nonce, 6);
	e->has_nonce = memcmp(e->nonce, no_nonce, 6) != 0;
	e->has_other_nonce = memcmp(e->other_nonce, no_nonce, 6) != 0;
	remember_asker(d->state, e);
	e->variants = 1u << ANSWERED;
	e->eui64 = is_eui64_link_local(&e->target, &e->asker);
	e->delay_ns = msg->ts_ns - e->last_ns;
	e->last_ns = msg->ts_ns;
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->router << 8 | (uint64_t)e->muted << 9);
}

/* One for a segment: where probes come back, those of all hosts do. */
static void
self_echo(struct ics_detector *d, const struct ics_segment *seg, const struct ics_record *rec,
	  const struct ics_mac *mac, struct ics_view frame, uint64_t frame_no)
{
	static const struct ics_ip nobody;
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &nobody);
	char text[ICS_MAC_STRLEN];

	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, seg, &nobody, "mac", ics_mac_format(mac, text));
		if (e == NULL)
			return;
		e->muted = true;
	}
	e->asker = e->other = *mac;
	e->variants = 1u << SELF_ECHO;
	e->last_ns = ics_model_clock(d->model)->now_ns;
	e->muted &= ics_detect_is_muted(d, &seg->key, &nobody, mac);
	if (frame.len != 0 || e->ep.a->frame_hash != rec->frame_hash) /* else they are counted */
		ics_anomaly_note_frame(e->ep.a, rec, frame, frame_no);
	ics_anomaly_touch(d->store, e->ep.a);
	ics_episode_refresh(&e->ep, e->variants | (uint64_t)e->muted << 9);
}

static void
copy_of_probe(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg,
	      struct ics_view frame, uint64_t frame_no)
{
	struct state *s = d->state;
	unsigned i = rec->frame_hash % PROBES;

	if (rec->frame_hash == 0 || s->probe[i].frame_hash != rec->frame_hash ||
	    rec->ts_ns >= s->probe[i].ts_ns + ECHO_NS)
		return;
	if (s->probe[i].has_nonce) /* RFC 7527: the host knows its own probe again */
		d->info.suppressed++;
	else if (rec->ts_ns < s->probe[i].ts_ns + TWIN_NS || ics_model_feed_factor(d->model, seg->id) > 1)
		d->info.suppressed++;
	else
		self_echo(d, seg, rec, &s->probe[i].mac, frame, frame_no);
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	copy_of_probe(d, rec, seg, (struct ics_view){NULL, 0}, 0);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *s = d->state;

	if (c->dad_started) {
		unsigned i = msg->rec->frame_hash % PROBES;
		uint8_t nonce[6];

		ics_msg_nonce(msg, nonce);
		s->probe[i].frame_hash = msg->rec->frame_hash;
		s->probe[i].has_nonce = memcmp(nonce, no_nonce, 6) != 0;
		s->probe[i].mac = msg->smac;
		s->probe[i].ts_ns = msg->rec->ts_ns;
	}
	if (c->dad == NULL) {
		if (msg->class == ICS_CLASS_nd_na && d->episodes.count != 0)
			defended(d, msg, c->segment);
		return;
	}
	if (msg->class == ICS_CLASS_nd_ns) {
		/* The host's own further probes (DupAddrDetectTransmits), or one that a loop brought back. */
		if (ics_mac_equal(&msg->smac, &c->dad->asker))
			copy_of_probe(d, msg->rec, c->segment, msg->frame, msg->frame_no);
		else
			conflict(d, msg, c, SIMULTANEOUS);
	} else if (ics_detect_may_answer_dad(d, msg)) {
		d->info.suppressed++;
	} else {
		conflict(d, msg, c, ANSWERED);
	}
}

static void
on_dad_over(struct ics_detector *d, const struct ics_dad *dad)
{
	struct state *s = d->state;
	struct asker_key key = {dad->segment, dad->asker};
	struct ics_ip target;
	struct episode *e;
	uint32_t i;

	if (dad->answers != 0 || s->askers.count == 0)
		return;
	i = ics_table_find(&s->askers, &key);
	if (i == 0)
		return;
	target = ((struct asker *)ics_table_at(&s->askers, i))->target;
	e = (struct episode *)ics_episode_find(d, dad->segment, &target);
	/* The same address, unanswered, or another one of the same prefix instead. */
	if (e != NULL && memcmp(target.b, dad->target.b, 8) == 0)
		close_episode(d, e);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + FORGET_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	if (now_ns < due(ep))
		return true;
	close_episode(d, (struct episode *)ep);
	return false;
}

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	d->state = s;
	return ics_table_init(&s->askers, sizeof(struct asker), 10, ICS_ANOMALY_OPEN_MAX, ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s != NULL)
		ics_table_fini(&s->askers);
	free(s);
}

const struct ics_detector_ops ics_det_dad_conflict = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_DAD,
	.copies = on_copies,
	.dad_over = on_dad_over,
	.render = render,
	.timer = on_timer,
	.due = due,
};
