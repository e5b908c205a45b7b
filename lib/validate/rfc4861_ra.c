/* Router Advertisement (134) and the values of its options: RFC 4861 4.2, 4.6, 6.1.2, 6.2.1, 6.3.4; RFC 4862
 * 5.5.3; RFC 4191 2; RFC 8106 5.1; RFC 8319 4. The lengths of the options are nd_options.c's.
 */
#include "validate.h"

#define CUR_HOP_LIMIT_OFF 4
#define FLAGS_OFF 5
#define LIFETIME_OFF 6
#define REACHABLE_OFF 8
#define OPTIONS_OFF 16

#define LIFETIME_MIN_S 4
#define LIFETIME_MAX_S 9000
#define REACHABLE_MAX_MS 3600000
#define CUR_HOP_LIMIT_LOW 32
#define PRF_RESERVED 0x10
#define MIN_MTU 1280

#define PIO_FLAG_AUTO 0x40
#define PIO_FLAG_ROUTER 0x20
#define PIO_FLAGS_KNOWN 0xf0 /* L, A, R, and P of RFC 9762 */

static bool
has_bits_after(const uint8_t *addr, unsigned plen)
{
	uint64_t hi = __builtin_bswap64(ics_load_u64(addr)), lo = __builtin_bswap64(ics_load_u64(addr + 8));

	if (plen >= 128)
		return false;
	if (plen >= 64)
		return (lo & (~0ull >> (plen - 64))) != 0;
	return ((hi & (~0ull >> plen)) | lo) != 0;
}

static void
check_pio(struct ics_pkt *pkt, struct ics_view opt)
{
	const uint8_t *prefix = opt.p + 16;
	uint8_t plen = opt.p[2], flags = opt.p[3];

	/* An address has 128 bits (4861 4.6.2). */
	ICS_FIRES(pkt, nd_ra_pio_plen, plen > 128);
	/* The link-local prefix is not advertised (4861 4.6.2). */
	ICS_FIRES(pkt, nd_ra_pio_link_local, ics_ip6_is_link_local(prefix));
	/* Groups are no prefixes of a link (4291 2.7). */
	ICS_FIRES(pkt, nd_ra_pio_multicast, ics_ip6_is_multicast(prefix));
	/* Preferred longer than valid (4862 5.5.3 c). */
	ICS_FIRES(pkt, nd_ra_pio_pref_gt_valid, ics_load_be32(opt.p + 8) > ics_load_be32(opt.p + 4));
	/* Prefix and 64-bit interface identifier have to make an address (4862 5.5.3 d). */
	ICS_FIRES(pkt, nd_ra_pio_auto_plen, flags & PIO_FLAG_AUTO && plen != 64);
	/* Bits behind the prefix are zero (4861 4.6.2), unless it is a router's whole address (6275 7.2). */
	ICS_FIRES(pkt, nd_ra_pio_host_bits, !(flags & PIO_FLAG_ROUTER) && has_bits_after(prefix, plen));
	/* Good for nothing. */
	ICS_FIRES(pkt, nd_ra_pio_no_flags, (flags & PIO_FLAGS_KNOWN) == 0);
}

static void
check_rdnss(struct ics_pkt *pkt, struct ics_view opt)
{
	/* At most 127 resolvers fit into an option (8106 5.1). */
	for (uint32_t off = 8; ics_view_has(opt, off, 16); off += 16) {
		const uint8_t *a = opt.p + off;

		/* Resolvers are asked by unicast. */
		ICS_FIRES(pkt, nd_ra_rdnss_addr, ics_ip6_is_multicast(a) || ics_nd_is_invalid_target(a));
	}
}

void
ics_ra_check_option(struct ics_pkt *pkt, const struct ics_validate_conf *conf, struct ics_view opt)
{
	switch (opt.p[0]) {
	case ICS_OPT_PIO:
		check_pio(pkt, opt);
		break;
	case ICS_OPT_MTU:
		/* Between the minimum MTU and what the link can carry (4861 6.3.4). */
		ICS_FIRES(pkt, nd_ra_mtu_lt_1280, ics_load_be32(opt.p + 4) < MIN_MTU);
		ICS_FIRES(pkt, nd_ra_mtu_gt_link, ics_load_be32(opt.p + 4) > conf->link_mtu);
		break;
	case ICS_OPT_RIO:
		/* Preference 10 is reserved, and an address has 128 bits (4191 2.3). */
		ICS_FIRES(pkt, nd_ra_rio_prf_reserved, (opt.p[3] & ICS_RA_PRF_MASK) == PRF_RESERVED);
		ICS_FIRES(pkt, nd_ra_rio_plen, opt.p[2] > 128);
		break;
	case ICS_OPT_RDNSS:
		check_rdnss(pkt, opt);
		break;
	default:
		break;
	}
}

static void
check_fixed(struct ics_pkt *pkt)
{
	const uint8_t *p = pkt->icmp.p;
	uint16_t lifetime = ics_load_be16(p + LIFETIME_OFF);
	uint8_t prf = p[FLAGS_OFF] & ICS_RA_PRF_MASK;

	/* Zero, or not less than the shortest interval between advertisements (4861 6.2.1). */
	ICS_FIRES(pkt, nd_ra_lifetime_small, lifetime != 0 && lifetime < LIFETIME_MIN_S);
	/* The old upper bound; since 8319 4 up to 65535 are allowed. */
	ICS_FIRES(pkt, nd_ra_lifetime_gt_9000, lifetime > LIFETIME_MAX_S);
	/* Preference 10 is reserved, and without a lifetime there is nothing to prefer (4191 2.2). */
	ICS_FIRES(pkt, nd_ra_prf_reserved, prf == PRF_RESERVED);
	ICS_FIRES(pkt, nd_ra_prf_with_zero_lifetime, lifetime == 0 && prf != 0);
	/* A reachable time of at most one hour (4861 6.2.1). */
	ICS_FIRES(pkt, nd_ra_reachable_gt_1h, ics_load_be32(p + REACHABLE_OFF) > REACHABLE_MAX_MS);
	/* Legal (4861 6.3.4), but hosts that obey can no longer reach the far side of the net. */
	ICS_FIRES(pkt, nd_ra_curhl_low, p[CUR_HOP_LIMIT_OFF] != 0 && p[CUR_HOP_LIMIT_OFF] < CUR_HOP_LIMIT_LOW);
}

void
ics_validate_ra(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	struct ics_nd_options opts;

	ics_nd_check_common(pkt);
	/* Hosts know a router by its link-local address (4861 6.1.2). */
	ICS_FIRES(pkt, nd_ra_src_not_link_local, !ics_ip6_is_link_local(pkt->src));
	/* To all nodes, or to the one who solicited (4861 4.2). */
	ICS_FIRES(pkt, nd_ra_dst, ics_ip6_is_multicast(pkt->dst) && !ics_ip6_is_link_group(pkt->dst, 1));
	/* The fixed part has to be there (4861 6.1.2). */
	if (ics_unlikely(ics_msg_len(pkt) < OPTIONS_OFF)) {
		ics_reasons_add(&pkt->reasons, ICS_REASON_nd_ra_len);
		return;
	}
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, OPTIONS_OFF)))
		return;
	check_fixed(pkt);
	ics_nd_check_options(pkt, conf, ICS_ND_RA, OPTIONS_OFF, &opts);
}
