/* Rules that need memory across frames (ICS_REASON_STATEFUL): counted here, exactly, because the fast half cannot
 * judge them. A solicitation to a multicast address must carry the sender's link-layer address (RFC 4861 7.2.2, 4.3)
 * except from an optimistic address (RFC 4429 3.2), which is one that came up moments ago.
 */
#include "engine_priv.h"

#define OPTIMISTIC_NS 3000000000ull

static void
fire(struct ics_engine *e, enum ics_reason reason, const struct ics_record *rec)
{
	unsigned slot = rec->frame_hash % STATEFUL_RECENT;

	e->reason[reason] += 1 + (uint64_t)rec->repeats;
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
		fire(e, ICS_REASON_nd_ns_mcast_no_slla, msg->rec);
}

void
ics_engine_add_stateful_copies(struct ics_engine *e, const struct ics_record *rec)
{
	unsigned slot = rec->frame_hash % STATEFUL_RECENT;

	if (rec->frame_hash != 0 && e->recent[slot].frame_hash == rec->frame_hash)
		e->reason[e->recent[slot].reason] += 1 + (uint64_t)rec->repeats;
}
