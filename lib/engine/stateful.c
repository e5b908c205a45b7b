/* Rules that need memory across frames (ICS_REASON_STATEFUL): counted here, exactly, because the fast half cannot
 * judge them. A solicitation to a multicast address must carry the sender's link-layer address (RFC 4861 7.2.2, 4.3)
 * except from an optimistic address (RFC 4429 3.2), which is one that came up moments ago.
 */
#include "engine_priv.h"

#define OPTIMISTIC_NS 3000000000ull

/* More of a message that was noted before. */
static void
add_copies(struct ics_engine *e, enum ics_reason reason, uint64_t n, uint64_t ts_ns)
{
	if (n == 0)
		return;
	ics_count_reason_copy(e->stateful, reason, ts_ns);
	ics_count_add(&e->stateful->reason[reason], n - 1);
}

void
ics_engine_fire(struct ics_engine *e, enum ics_reason reason, const struct ics_record *rec, struct ics_view frame)
{
	unsigned slot = rec->frame_hash % STATEFUL_RECENT;

	ics_count_reason(e->stateful, reason, rec->ts_ns, frame.p, frame.len, rec->wire_len);
	add_copies(e, reason, rec->repeats, rec->ts_ns);
	e->recent[slot].frame_hash = rec->frame_hash;
	e->recent[slot].reason = reason;
}

void
ics_engine_check_stateful(struct ics_engine *e, const struct ics_msg *msg, const struct ics_change *c)
{
	if (msg->class != ICS_CLASS_nd_ns || !msg->strict || msg->cut)
		return;
	if (msg->na.has_lla || !ics_ip6_is_multicast(msg->dst.b) || ics_ip6_is_unspecified(msg->src.b))
		return;
	if (c->source_first_ns != 0 && msg->ts_ns >= c->source_first_ns + OPTIMISTIC_NS)
		ics_engine_fire(e, ICS_REASON_nd_ns_mcast_no_slla, msg->rec, msg->frame);
}

void
ics_engine_add_stateful_copies(struct ics_engine *e, const struct ics_record *rec)
{
	unsigned slot = rec->frame_hash % STATEFUL_RECENT;

	if (rec->frame_hash != 0 && e->recent[slot].frame_hash == rec->frame_hash)
		add_copies(e, e->recent[slot].reason, 1 + (uint64_t)rec->repeats, rec->ts_ns);
}
