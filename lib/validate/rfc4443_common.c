/* Rules of every ICMPv6 message: long enough, checksum right, type assigned (RFC 4443 2.1, 2.3, 2.4). One row
 * a type says how long it is at least and what else is known of it; called first by ics_validate().
 */
#include "validate.h"

#define HEADER_LEN 4 /* type, code, checksum */
#define EXT_HEADERS_MAX 8

enum { UNASSIGNED = 1, EXPERIMENTAL = 2, MLD = 4, SEND_SOLICIT = 8 };

/* Neighbor Discovery has length rules of its own, which do not end the evaluation: 4 here. */
static const struct {
	uint8_t min_len;
	uint8_t flags;
} types[256] = {
	[0] = {4, 0},
	[1 ... 4] = {8, 0},
	[5 ... 99] = {4, UNASSIGNED},
	[100 ... 101] = {4, EXPERIMENTAL},
	[102 ... 126] = {4, UNASSIGNED},
	[127] = {4, EXPERIMENTAL},
	[128 ... 129] = {8, 0},
	[130 ... 132] = {24, MLD},
	[133 ... 142] = {4, 0},
	[143] = {8, MLD},
	[144 ... 147] = {4, 0},
	[148] = {4, SEND_SOLICIT},
	[149 ... 161] = {4, 0},
	[162 ... 199] = {4, UNASSIGNED},
	[200 ... 201] = {4, EXPERIMENTAL},
	[202 ... 254] = {4, UNASSIGNED},
	[255] = {4, EXPERIMENTAL},
};

/* A routing header that is not used up: the pseudo-header then has the final destination, which only the
 * routing header's own rules could tell (RFC 8200 8.1). Bounded by EXT_HEADERS_MAX; looked at only after a
 * checksum failed, so it costs ordinary traffic nothing.
 */
static bool
has_segments_left(const struct ics_pkt *pkt)
{
	uint8_t next = ics_view_u8(pkt->frame, pkt->l3_off + 6);
	uint32_t off = pkt->l3_off + 40;

	for (unsigned n = 0; n < EXT_HEADERS_MAX && off < pkt->l4_off; n++) {
		uint8_t this = next, len = ics_view_u8(pkt->frame, off + 1);

		if (next == ICS_PROTO_ROUTING && ics_view_u8(pkt->frame, off + 3) != 0)
			return true;
		next = ics_view_u8(pkt->frame, off);
		off += this == ICS_PROTO_FRAGMENT ? 8u : this == ICS_PROTO_AH ? (len + 2u) * 4 : (len + 1u) * 8;
	}
	return false;
}

/* Upper-layer length and next header of the pseudo-header, each a big-endian word (RFC 8200 8.1). */
static uint64_t
pseudo_tail(const struct ics_pkt *pkt)
{
	return (uint64_t)__builtin_bswap32(pkt->ilen) + __builtin_bswap32(ICS_PROTO_ICMP6);
}

static __attribute__((noinline, cold)) void
report_sum(struct ics_pkt *pkt)
{
	uint16_t stored;

	if (has_segments_left(pkt))
		return;
	ics_reasons_add(&pkt->reasons, ICS_REASON_icmp6_checksum);
	/* A mirror taken before the sender's hardware filled the checksum in shows the pseudo-header sum. */
	memcpy(&stored, pkt->icmp.p + 2, sizeof(stored));
	if (stored == ics_sum_fold(ics_sum_add(pseudo_tail(pkt), (struct ics_view){pkt->src, 32})))
		pkt->flags |= ICS_PKT_CSUM_PARTIAL;
}

static inline void
check_sum(struct ics_pkt *pkt)
{
	uint64_t acc;

	/* Source, destination and message stand in a row unless extension headers part them. */
	if (ics_likely(pkt->icmp.p == pkt->src + 32)) {
		acc = ics_sum_add(pseudo_tail(pkt), (struct ics_view){pkt->src, 32 + pkt->icmp.len});
	} else {
		acc = ics_sum_add(pseudo_tail(pkt), (struct ics_view){pkt->src, 32});
		acc = ics_sum_add(acc, pkt->icmp);
	}
	if (ics_unlikely(ics_sum_fold(acc) != 0xffff))
		report_sum(pkt);
}

bool
ics_icmp6_check_common(struct ics_pkt *pkt)
{
	uint32_t len = ics_msg_len(pkt);
	uint8_t type = ics_view_u8(pkt->icmp, 0);

	/* Shorter than the header that all messages share (2.1). */
	if (ics_unlikely(len < HEADER_LEN)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_icmp6_len_short);
		return false;
	}
	if (ics_unlikely(pkt->icmp.len == 0))
		return true;

	/* Shorter than the fixed part of its type (4443 2.1; MLD: 2710 5, 9777 5.2). */
	if (ics_unlikely(len < types[type].min_len)) {
		ics_reasons_add(&pkt->reasons,
				types[type].flags & MLD ? ICS_REASON_mld_len_short : ICS_REASON_icmp6_len_short);
		return false;
	}
	if (ics_msg_is_whole(pkt))
		check_sum(pkt);

	if (ics_unlikely(types[type].flags & ~MLD)) {
		/* Types that IANA has not assigned, and those kept for experiments (2.1, 2.4 a and b). */
		ICS_FIRES(pkt, icmp6_type_unassigned, types[type].flags & UNASSIGNED);
		ICS_FIRES(pkt, icmp6_type_experimental, types[type].flags & EXPERIMENTAL);
		/* Certification Path Solicitations must not be fragmented either (6980 5). */
		ICS_FIRES(pkt, nd_fragmented, types[type].flags & SEND_SOLICIT && pkt->flags & ICS_PKT_FRAGMENT);
	}
	return true;
}
