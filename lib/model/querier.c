/* The queriers of each segment as its hosts and routers know them: election by the lowest address (RFC 9777 7.6.2, RFC
 * 2710 6), timers (9), the version that hosts fall back to (8.2.1). Only what hosts accept is learned; of the rest is
 * kept that it came and why it does not count. Called for each query.
 */
#include "model_priv.h"

#include <stdlib.h>

#define MAX_RESPONSE_OFF 4
#define GROUP_OFF 8
#define V1_LEN 24
#define FLAGS_OFF 24
#define QQIC_OFF 25
#define N_SOURCES_OFF 26
#define V2_LEN 28
#define FLAG_SUPPRESS 0x08
#define QRV_MASK 0x07
/* A mirror delivers a frame up to so many times, so close together. */
#define MIRROR_NS 10000000ull
#define MIRROR_COPIES 3
/* Intervals in a row that make a new one the rule. */
#define RELEARN 8
#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

uint32_t
ics_query_decode_mrc(uint16_t mrc)
{
	return mrc < 0x8000 ? mrc : (uint32_t)((mrc & 0xfff) | 0x1000) << (((mrc >> 12) & 7) + 3);
}

uint32_t
ics_query_decode_qqic(uint8_t qqic)
{
	return qqic < 0x80 ? qqic : (uint32_t)((qqic & 0xf) | 0x10) << (((qqic >> 4) & 7) + 3);
}

bool
ics_query_parse(const struct ics_msg *msg, struct ics_query *out)
{
	uint16_t mrc;

	if (msg->class != ICS_CLASS_mld_query || !ics_view_has(msg->icmp, 0, V1_LEN))
		return false;
	/* What is cut short is the version that its length says it is, as far as it is there. */
	if (msg->rec->ilen >= V2_LEN && !ics_view_has(msg->icmp, 0, V2_LEN))
		return false;
	mrc = ics_view_be16(msg->icmp, MAX_RESPONSE_OFF);
	*out = (struct ics_query){
		.version = msg->rec->ilen >= V2_LEN ? 2 : 1,
		.group = ics_ip_from6(msg->icmp.p + GROUP_OFF),
		.mrd_ms = mrc,
	};
	out->general = ics_ip6_is_unspecified(out->group.b);
	if (out->version == 1)
		return true;
	out->mrd_ms = ics_query_decode_mrc(mrc);
	out->suppress = (ics_view_u8(msg->icmp, FLAGS_OFF) & FLAG_SUPPRESS) != 0;
	out->rv = ics_view_u8(msg->icmp, FLAGS_OFF) & QRV_MASK;
	out->qqic = ics_view_u8(msg->icmp, QQIC_OFF);
	out->qqi_s = ics_query_decode_qqic(out->qqic);
	out->n_sources = ics_view_be16(msg->icmp, N_SOURCES_OFF);
	return true;
}

static uint64_t
rv_of(const struct ics_querier *q)
{
	return q->rv != 0 ? q->rv : ICS_QUERY_RV;
}

/* RFC 9777 9.4 takes what the querier says; version 1 says nothing, and its routers have the default. */
static uint64_t
qi_ns(const struct ics_querier *q)
{
	return (q->qqi_s != 0 ? q->qqi_s : ICS_QUERY_QI_S) * NS_PER_S;
}

uint64_t
ics_querier_mali_ns(const struct ics_querier *q)
{
	return rv_of(q) * qi_ns(q) + q->qri_ms * NS_PER_MS;
}

uint64_t
ics_querier_other_ns(const struct ics_querier *q)
{
	return rv_of(q) * qi_ns(q) + q->qri_ms * NS_PER_MS / 2;
}

uint32_t
ics_querier_qi_s(const struct ics_querier *q)
{
	if (q->qqi_s != 0)
		return q->qqi_s;
	return q->intervals != 0 ? (uint32_t)((q->interval_ns + NS_PER_S / 2) / NS_PER_S) : ICS_QUERY_QI_S;
}

const struct ics_querier *
ics_queriers_current(const struct ics_queriers *s, uint64_t now_ns)
{
	return s != NULL && now_ns < s->until_ns ? &s->q[s->current] : NULL;
}

const struct ics_queriers *
ics_model_queriers(const struct ics_model *m, uint32_t segment)
{
	return segment < m->segments.count ? seg_by_id(m, segment)->queriers : NULL;
}

void
ics_queriers_fini(struct ics_model *m)
{
	for (uint32_t id = 0; id < m->segments.count; id++)
		free(seg_by_id(m, id)->queriers);
}

static struct ics_queriers *
queriers_of(struct seg_entry *seg)
{
	if (seg->queriers == NULL) {
		seg->queriers = calloc(1, sizeof(*seg->queriers));
		if (seg->queriers != NULL)
			seg->queriers->segment = seg->s.id;
	}
	return seg->queriers;
}

static struct ics_querier *
find(struct ics_queriers *s, const struct ics_ip *addr)
{
	for (unsigned i = 0; i < s->n; i++)
		if (ics_ip_equal(&s->q[i].addr, addr))
			return &s->q[i];
	return NULL;
}

/* A place for a new one. There is always one that is not in charge. */
static struct ics_querier *
make_room(struct ics_queriers *s)
{
	struct ics_querier *oldest = NULL;

	if (s->n < ICS_QUERIERS_PER_SEGMENT)
		return &s->q[s->n++];
	for (unsigned i = 0; i < s->n; i++)
		if (i != s->current && (oldest == NULL || s->q[i].last_ns < oldest->last_ns))
			oldest = &s->q[i];
	s->evictions++;
	return oldest;
}

/* Learned from intervals that fit, or from many in a row that do not. */
static void
learn_interval(struct ics_querier *q, uint64_t ns)
{
	if (q->intervals != 0 && (ns < q->interval_ns / 2 || ns > 2 * q->interval_ns)) {
		if (++q->outliers < RELEARN)
			return;
		q->intervals = 0;
	}
	q->outliers = 0;
	q->interval_ns = q->intervals == 0 ? ns : q->interval_ns - q->interval_ns / 4 + ns / 4;
	q->intervals++;
}

/* RFC 9777 9.6, 9.7: as many as the robustness variable, a quarter of the interval apart. */
static bool
is_startup(const struct ics_querier *q, uint64_t interval_ns)
{
	return q->run < rv_of(q) && interval_ns < qi_ns(q) / 2 && interval_ns >= qi_ns(q) / 5;
}

static void
elect(struct ics_queriers *s, struct ics_querier *q, uint64_t ts_ns, struct ics_query_event *ev)
{
	unsigned at = (unsigned)(q - s->q);

	if (s->until_ns == 0) {
		ev->role = ICS_QUERY_FIRST;
	} else {
		struct ics_querier *cur = &s->q[s->current];

		ev->before = *cur;
		if (s->current == at)
			ev->role = ICS_QUERY_SAME;
		else if (ts_ns >= s->until_ns)
			ev->role = ICS_QUERY_TAKEOVER;
		else if (memcmp(q->addr.b, cur->addr.b, 16) < 0)
			ev->role = ICS_QUERY_LOWER;
		else
			ev->role = ICS_QUERY_HIGHER;
		/* It had the chance to hear of the other one. */
		if (ev->role == ICS_QUERY_HIGHER && cur->last_general_ns > q->start_ns)
			q->overruled++;
	}
	if (ev->role == ICS_QUERY_HIGHER)
		return;
	if (ev->role != ICS_QUERY_SAME)
		s->changes++;
	q->overruled = 0;
	s->current = at;
}

static void
heard_general(struct ics_queriers *s, struct ics_querier *q, const struct ics_msg *msg, struct ics_query_event *ev)
{
	const struct ics_query *y = &ev->query;

	if (q->last_general_ns != 0 && msg->ts_ns > q->last_general_ns)
		ev->interval_ns = msg->ts_ns - q->last_general_ns;
	if (q->last_general_ns == 0 || ev->interval_ns > ics_querier_other_ns(q)) {
		ev->started = true;
		q->start_ns = msg->ts_ns;
		q->run = q->overruled = 0;
	}
	q->rv = y->rv;
	q->qqic = y->qqic;
	q->qqi_s = y->qqi_s;
	q->qri_ms = y->mrd_ms;
	if (ev->interval_ns != 0) {
		ev->is_startup = is_startup(q, ev->interval_ns);
		if (!ev->is_startup && !ev->started)
			learn_interval(q, ev->interval_ns);
	}
	q->run++;
	q->last_general_ns = s->last_general_ns = msg->ts_ns;
	elect(s, q, msg->ts_ns, ev);
	if (ev->role != ICS_QUERY_HIGHER)
		s->until_ns = msg->ts_ns + ics_querier_other_ns(q);
}

/* A query of this address by another MAC, while its own is in use. */
static bool
is_forged(const struct ics_model *m, struct ics_querier *q, const struct ics_msg *msg)
{
	if (!msg->has_mac || !q->has_mac || ics_mac_equal(&q->mac, &msg->smac) ||
	    ics_model_is_shared_mac(m, &msg->smac))
		return false;
	return msg->ts_ns < q->last_ns + ics_querier_other_ns(q);
}

/* Hosts speak version 1 for a while after somebody asked in it. */
static void
fall_back(struct ics_queriers *s, const struct ics_querier *q, const struct ics_query_event *ev, uint64_t ts_ns)
{
	if (ev->query.version != 1)
		return;
	if (ts_ns >= s->v1_until_ns)
		s->v1_since_ns = ts_ns;
	s->v1_until_ns = ts_ns + ICS_QUERY_RV * ICS_QUERY_QI_S * NS_PER_S +
			 (ev->query.general ? q->qri_ms : ICS_QUERY_QRI_MS) * NS_PER_MS;
}

static void
learn(struct ics_model *m, struct ics_queriers *s, const struct ics_msg *msg, struct ics_query_event *ev)
{
	struct ics_querier *q = find(s, &msg->src);
	uint64_t n = 1 + (uint64_t)msg->rec->repeats;

	if (q != NULL && is_forged(m, q, msg)) {
		ev->forged = true;
		ev->mac_before = q->mac;
		ev->querier = q;
		q->forged += n;
		return;
	}
	if (q == NULL) {
		q = make_room(s);
		*q = (struct ics_querier){.addr = msg->src, .first_ns = msg->ts_ns, .qri_ms = ICS_QUERY_QRI_MS};
	}
	ev->querier = q;
	ev->is_copy = ev->query.general && q->frame_hash == msg->rec->frame_hash &&
		      msg->ts_ns < q->last_ns + MIRROR_NS && q->copies_run < MIRROR_COPIES && msg->rec->repeats == 0;
	q->copies_run = ev->is_copy ? q->copies_run + 1 : 0;
	q->has_mac = msg->has_mac;
	q->mac = msg->smac;
	q->version = ev->query.version;
	q->last_ns = msg->ts_ns;
	q->frame_hash = msg->rec->frame_hash;
	q->last_is_general = ev->query.general;
	*(ev->query.general ? &q->general : &q->specific) += n;
	if (ev->query.general && !ev->is_copy)
		heard_general(s, q, msg, ev);
	fall_back(s, q, ev, msg->ts_ns);
}

/* Hosts drop it: the querier that they hear is none. */
static void
note_invalid(struct ics_queriers *s, const struct ics_msg *msg)
{
	unsigned n;

	s->invalid += 1 + (uint64_t)msg->rec->repeats;
	s->invalid_ns = msg->ts_ns;
	s->invalid_src = msg->src;
	ICS_REASONS_FOREACH(n, &msg->rec->reasons) {
		if (ics_reason_info(n)->cls == ICS_REASON_CLASS_D) {
			s->invalid_reason = (enum ics_reason)n;
			return;
		}
	}
}

const struct ics_query_event *
ics_query_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg)
{
	struct ics_queriers *s = queriers_of(seg);
	struct ics_query_event *ev = &m->query;

	memset(ev, 0, sizeof(*ev));
	if (s == NULL || !ics_query_parse(msg, &ev->query))
		return NULL;
	ev->queriers = s;
	if (msg->strict)
		learn(m, s, msg, ev);
	else
		note_invalid(s, msg);
	return ev;
}

void
ics_query_copies(struct ics_model *m, const struct ics_segment *seg, const struct ics_record *rec)
{
	struct ics_queriers *s = seg_by_id(m, seg->id)->queriers;
	uint64_t n = 1 + (uint64_t)rec->repeats;

	for (unsigned i = 0; s != NULL && i < s->n; i++) {
		struct ics_querier *q = &s->q[i];

		if (q->frame_hash == rec->frame_hash)
			*(q->last_is_general ? &q->general : &q->specific) += n;
	}
}
