/* The first pass over a burst, as part of the loop that takes the frames from where they lie (mbufs, an array): most are
 * settled by a glance, counted in registers and never written down; what is left goes to ics_inspect_glanced().
 */
#ifndef ICS_GLANCE_H
#define ICS_GLANCE_H

#include "ics_inspect.h"
#include "ics_peek.h"
#include "ics_recent.h"

/* What the loop knows all the time. */
struct ics_glance_conf {
	bool tunnels;
	const struct ics_recent *recent; /* NULL: no sampler */
};

/* Sums of a burst, local to the loop. */
struct ics_glance {
	uint64_t bytes;
	uint32_t ip6, arp, snapped; /* what else is not left is ip4_other */
	uint32_t told;              /* of these: as the NIC says, not looked at */
	unsigned n_deep, n_rest;
};

/* The frames that need more than a glance, in order: to be decoded, and of known class, for the sampler. */
struct ics_left {
	struct ics_frame deep[ICS_BURST_MAX];
	struct ics_frame rest[ICS_BURST_MAX];
	uint8_t class[ICS_BURST_MAX];
};

static inline struct ics_glance_conf
ics_glance_conf(const struct ics_inspect *in)
{
	return (struct ics_glance_conf){
		.tunnels = in->decode.tunnels != 0,
		.recent = in->sampler != NULL ? ics_sampler_recent(in->sampler) : NULL,
	};
}

_Static_assert(offsetof(struct ics_frame, wire_len) == offsetof(struct ics_frame, cap_len) + 4, "ics_glance_leave()");

/* Writes a frame down that is left. Both lengths in one scalar store, made here: compilers vectorise two, and do so ahead of
 * the branch, for every frame.
 */
static inline __attribute__((always_inline)) void
ics_glance_leave(struct ics_frame *to, const struct ics_frame *f)
{
	uint64_t lengths = f->cap_len | (uint64_t)f->wire_len << 32;

	__asm__("" : "+r"(lengths));
	memcpy((uint8_t *)to + offsetof(struct ics_frame, cap_len), &lengths, sizeof(lengths));
	to->data = f->data;
	to->stripped_tci = f->stripped_tci;
	to->link = f->link;
}

/* plain: Ethernet with nothing taken out of it. */
static inline __attribute__((always_inline)) void
ics_glance(const struct ics_glance_conf *c, const struct ics_frame *f, bool plain, struct ics_glance *g,
	   struct ics_left *left)
{
	enum ics_class class = ICS_CLASS_COUNT;
	bool settled = false;

	g->bytes += f->wire_len;
	g->snapped += f->cap_len < f->wire_len;
	if (ics_likely(plain && f->cap_len >= ICS_PEEK_LEN)) {
		class = ics_peek_ether(f->data, f->wire_len, c->tunnels);
		if (class == ICS_CLASS_ip4_other) {
			settled = c->recent == NULL || ics_recent_has4(c->recent, f->data + 14);
		} else if (class == ICS_CLASS_ip6_other) {
			g->ip6++;
			/* Ports of IPv6 lie behind what ics_peek() is sure of: without them it is not looked at. */
			settled = c->recent == NULL || f->cap_len < 58 || ics_recent_has6(c->recent, f->data + 14);
		} else if (class == ICS_CLASS_arp) {
			g->arp++;
			settled = c->recent == NULL;
		}
	}
	if (class == ICS_CLASS_COUNT) {
		/* The loop fetches the first line of each frame; who is read to its end has a second one. */
		__builtin_prefetch(f->data + 64);
		ics_glance_leave(&left->deep[g->n_deep++], f);
	} else if (ics_unlikely(!settled)) {
		ics_glance_leave(&left->rest[g->n_rest], f);
		left->class[g->n_rest++] = (uint8_t) class;
	}
}

/* The rest of the burst: counts n frames, looks at those that are left. */
void ics_inspect_glanced(struct ics_inspect *in, unsigned n, const struct ics_glance *g, const struct ics_left *left,
			 uint64_t ts_ns);
/* To be called before the loop: the sampler's epoch begins. */
static inline void
ics_inspect_begin(struct ics_inspect *in, uint64_t ts_ns)
{
	if (in->sampler != NULL)
		ics_sample_begin(in->sampler, ts_ns);
}

#endif
