/* What the files of this library share: the way to fire a rule, how long a message is when part of it is
 * missing, and one prototype a message.
 */
#ifndef ICS_VALIDATE_PRIVATE_H
#define ICS_VALIDATE_PRIVATE_H

#include "ics_quote.h"
#include "ics_validate.h"

#define ICS_FIRES(pkt, rule, broken)                                                                                   \
	do {                                                                                                           \
		if (ics_unlikely(broken))                                                                              \
			ics_reasons_add(&(pkt)->reasons, ICS_REASON_##rule);                                           \
	} while (0)

/* Length of a message whose end is in another fragment: nothing is too short for it. */
#define ICS_LEN_UNKNOWN 0x7fffffffu

/* The first of several fragments: the message goes on in a frame that this code never sees. */
static inline bool
ics_msg_is_first_fragment(const struct ics_pkt *pkt)
{
	return (pkt->flags & (ICS_PKT_FRAGMENT | ICS_PKT_FRAG_ATOMIC)) == ICS_PKT_FRAGMENT;
}

/* Octets of the message by the IP layer. Length rules compare with this, never with what was captured. */
static inline uint32_t
ics_msg_len(const struct ics_pkt *pkt)
{
	return ics_unlikely(ics_msg_is_first_fragment(pkt)) ? ICS_LEN_UNKNOWN : pkt->ilen;
}

/* Every octet of the message is readable, so a checksum can be judged. */
static inline bool
ics_msg_is_whole(const struct ics_pkt *pkt)
{
	return pkt->icmp.len == ics_msg_len(pkt);
}

/* ---- Neighbor Discovery -------------------------------------------------------------------------- */

enum ics_nd_msg { ICS_ND_RS = 1, ICS_ND_RA = 2, ICS_ND_NS = 4, ICS_ND_NA = 8, ICS_ND_REDIRECT = 16 };

enum ics_nd_end {
	ICS_ND_END_WHOLE,   /* the walk saw every option */
	ICS_ND_END_STOPPED, /* an option is so broken that nothing behind it can be read */
	ICS_ND_END_CUT,     /* the rest was not captured */
};

/* What the rules of a message need to know of its options. */
struct ics_nd_options {
	uint64_t seen; /* bit t: an option of type t < 64 */
	enum ics_nd_end end;
	bool earo_multicast; /* a registration of a multicast address (RFC 9685 4) */
};

static inline bool
ics_nd_has_option(const struct ics_nd_options *o, unsigned type)
{
	return o->seen >> type & 1;
}

void ics_nd_check_common(struct ics_pkt *pkt);
/* Walks the options from off on and fires the rules of A3; those of A5 in an RA. Fills *out wholly. */
void ics_nd_check_options(struct ics_pkt *pkt, const struct ics_validate_conf *conf, enum ics_nd_msg msg, uint32_t off,
			  struct ics_nd_options *out);
/* One option of an RA, all of its bytes readable and its length right. */
void ics_ra_check_option(struct ics_pkt *pkt, const struct ics_validate_conf *conf, struct ics_view opt);

/* ::, ::1 and ::ffff:0:0/96 own no link-layer address. */
static inline bool
ics_nd_is_invalid_target(const uint8_t *a)
{
	return ics_unlikely(ics_load_u64(a) == 0) &&
	       (ics_ip6_is_unspecified(a) || ics_ip6_is_loopback(a) || ics_ip6_is_v4mapped(a));
}

/* ---- errors -------------------------------------------------------------------------------------- */

/* Octets of the original datagram field that the length attribute of RFC 4884 gives, 0 without one. */
uint32_t ics_ext_attr_len(const struct ics_pkt *pkt);
/* Fires the rules of A12 into *reasons and copies the incoming label stack: up to max entries into labels.
 * Returns how many entries the stack has, 0 without a good one.
 */
unsigned ics_ext_walk(const struct ics_pkt *pkt, struct ics_reasons *reasons, uint32_t *labels, unsigned max);
/* Reads the quoted packet, its labels not. */
void ics_quote_read(const struct ics_pkt *pkt, struct ics_quote *q);

/* ---- families ------------------------------------------------------------------------------------ */

/* Length, checksum, type. False: the message is not usable. */
bool ics_icmp6_check_common(struct ics_pkt *pkt);
bool ics_icmp4_check_common(struct ics_pkt *pkt);
/* Rules of any ICMPv4 error, and its extensions; fills *q. */
void ics_icmp4_check_error(struct ics_pkt *pkt, struct ics_quote *q);
void ics_mld_check_common(struct ics_pkt *pkt);
/* Groups that no listener may report (RFC 2710 5, RFC 9777 6). */
void ics_mld_check_reported_group(struct ics_pkt *pkt, const uint8_t *group);
void ics_ptb_check(struct ics_pkt *pkt, const struct ics_quote *q);

void ics_validate_rs(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_ra(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_ns(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_na(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_redirect(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_mld_query(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_mld1(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_mld2_report(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_mrd(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_error6(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_error4(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_unreach4(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_fragneeded(struct ics_pkt *pkt, const struct ics_validate_conf *conf);
void ics_validate_quench(struct ics_pkt *pkt, const struct ics_validate_conf *conf);

#endif
