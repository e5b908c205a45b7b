/* Shared by the files of this library only: the state of one walk, and its steps. Offsets count from the first
 * byte of the frame; `end` is where the current layer ends on the wire, which may lie beyond what was captured.
 */
#ifndef ICS_DECODE_PRIVATE_H
#define ICS_DECODE_PRIVATE_H

#include "ics_decode.h"

/* How far a class is looked for behind the limits that the rules name. */
#define TAGS_WALK_MAX 16
#define LABELS_WALK_MAX 64

enum step {
	STEP_ETHERNET,  /* an Ethernet header at off */
	STEP_ETHERTYPE, /* what `ethertype` says at off */
	STEP_IP4,
	STEP_IP6,
	STEP_IP_BY_NIBBLE,
	STEP_TUNNEL, /* an upper layer that may be a tunnel at off; protocol in pkt->proto */
	STEP_DONE,
};

struct walk {
	struct ics_pkt *pkt;
	const struct ics_decode_conf *conf;
	uint32_t off;
	uint32_t end;
	uint16_t ethertype;
};

/* n bytes at off lie inside the current layer and are captured. When only the snapshot length is to blame, the
 * packet is marked. True implies off + n <= end, so that `end - off` never runs below zero.
 */
static inline bool
walk_has(struct walk *w, uint32_t off, uint32_t n)
{
	if (ics_unlikely((uint64_t)off + n > w->end))
		return false;
	if (ics_likely(ics_view_has(w->pkt->frame, off, n)))
		return true;
	w->pkt->flags |= ICS_PKT_CAP_TRUNC;
	return false;
}

static inline enum step
walk_done(struct walk *w, enum ics_class class)
{
	w->pkt->class = class;
	return STEP_DONE;
}

/* A stop rule: nothing behind this point is read. */
static inline enum step
walk_stop(struct walk *w, enum ics_reason reason)
{
	ics_reasons_add(&w->pkt->reasons, reason);
	w->pkt->flags |= ICS_PKT_UNPARSED;
	return walk_done(w, ICS_CLASS_malformed);
}

static inline bool
is_vlan_type(uint16_t t)
{
	return t == ICS_ETHERTYPE_VLAN || t == ICS_ETHERTYPE_QINQ || t == ICS_ETHERTYPE_QINQ_OLD;
}

enum step ics_walk_link(struct walk *w, enum ics_link link);
enum step ics_walk_ethernet(struct walk *w);
enum step ics_walk_ethertype(struct walk *w);
enum step ics_walk_ip4(struct walk *w);
enum step ics_walk_ip6(struct walk *w);
enum step ics_walk_tunnel(struct walk *w);
void ics_walk_add_tag(struct walk *w, uint16_t tci);

#endif
