/* The options of a Neighbor Discovery message, walked once (RFC 4861 4.6, 9). One row an option type: in which
 * messages it is defined, and how long it may be; what else an option can get wrong is below the table. The
 * values of RA options are rfc4861_ra.c's. Called by the five ND validators.
 */
#include "validate.h"

#define KAME_OPTIONS_MAX 10

enum {
	RS = ICS_ND_RS,
	RA = ICS_ND_RA,
	NS = ICS_ND_NS,
	NA = ICS_ND_NA,
	RDR = ICS_ND_REDIRECT,
	ANY = RS | RA | NS | NA | RDR,
	NOWHERE = 0, /* defined for other messages than the five */
};

enum {
	KNOWN = 1,
	ODD = 2,     /* an odd number of units only */
	CONTENT = 4, /* has a case in check_content() */
	IN_RA = 8,   /* has a case in ics_ra_check_option() */
};

#define OPT_NBMA_SHORTCUT 6
#define OPT_CGA 11
#define OPT_RSA 12
#define OPT_TIMESTAMP 13
#define OPT_FLAGS_EXT 26

/* Lengths in units of 8 octets, header included; len_rule is what a wrong one breaks. */
struct row {
	uint8_t flags;
	uint8_t legal;
	uint8_t min_units;
	uint8_t max_units;
	uint8_t len_rule;
};

_Static_assert(ICS_REASON_COUNT <= 256, "row.len_rule is one octet");

#define ROW(legal, min, max, rule, flags)                                                                              \
	{                                                                                                              \
		KNOWN | (flags), legal, min, max, ICS_REASON_nd_opt_##rule                                             \
	}
/* Options whose length nothing here judges. */
#define PLAIN(legal)                                                                                                   \
	{                                                                                                              \
		KNOWN, legal, 1, 255, ICS_REASON_nd_opt_fixed_len                                                      \
	}

static const struct row rows[256] = {
	[ICS_OPT_SLLA] = PLAIN(RS | RA | NS),
	[ICS_OPT_TLLA] = PLAIN(NA | RDR),
	[ICS_OPT_PIO] = ROW(RA, 4, 4, pio_len, IN_RA),
	[ICS_OPT_REDIRECTED] = ROW(RDR, 6, 255, rh_len, CONTENT),
	[ICS_OPT_MTU] = ROW(RA, 1, 1, mtu_len, IN_RA),
	[OPT_NBMA_SHORTCUT] = PLAIN(ANY),
	[7] = ROW(RA, 1, 1, fixed_len, 0), /* advertisement interval, RFC 6275 7.3 */
	[8] = ROW(RA, 1, 1, fixed_len, 0), /* home agent information, RFC 6275 7.4 */
	[9 ... 10] = PLAIN(NOWHERE),       /* address lists of inverse ND, RFC 3122 */
	[OPT_CGA] = ROW(ANY, 2, 255, fixed_len, 0),
	[OPT_RSA] = ROW(ANY, 2, 255, fixed_len, 0),
	[OPT_TIMESTAMP] = ROW(ANY, 2, 2, fixed_len, 0),
	[ICS_OPT_NONCE] = ROW(ANY, 1, 255, fixed_len, CONTENT),
	[15] = PLAIN(NOWHERE),                     /* trust anchor, RFC 3971 6.4 */
	[16] = ROW(NOWHERE, 2, 255, fixed_len, 0), /* certificate */
	[17 ... 19] = PLAIN(ANY),                  /* fast handovers, RFC 5568 6.4 */
	[20] = PLAIN(RA),                          /* NAACK, RFC 5568 6.4.6 */
	[23] = PLAIN(RA),                          /* mobility anchor point, RFC 5380 */
	[ICS_OPT_RIO] = ROW(RA, 1, 3, rio_len, CONTENT | IN_RA),
	[ICS_OPT_RDNSS] = ROW(RA, 3, 255, rdnss_len, ODD | IN_RA),
	[OPT_FLAGS_EXT] = ROW(RA, 1, 1, feo_bad, CONTENT),
	[27 ... 30] = PLAIN(ANY), /* handover keys, RFC 5269; fast handovers, RFC 5271 */
	[ICS_OPT_DNSSL] = ROW(RA, 2, 255, dnssl_bad, CONTENT),
	[32] = PLAIN(ANY), /* proxy signature, RFC 6496 */
	[ICS_OPT_EARO] = ROW(NS | NA, 2, 5, earo_bad, CONTENT),
	[34] = ROW(RA, 2, 3, fixed_len, 0),                /* 6LoWPAN context, RFC 6775 4.2 */
	[35] = ROW(RA, 3, 3, fixed_len, 0),                /* authoritative border router, RFC 6775 4.3 */
	[36] = ROW(RS | RA | NS | NA, 1, 1, fixed_len, 0), /* 6LoWPAN capabilities, RFC 7400, 8505 */
	[ICS_OPT_CAPTIVE_PORTAL] = ROW(RA, 1, 255, fixed_len, 0),
	[ICS_OPT_PREF64] = ROW(RA, 2, 2, pref64_bad, CONTENT),
	[39] = PLAIN(NS | NA),                     /* crypto-ID, RFC 8928 */
	[40] = ROW(NS | NA, 1, 255, fixed_len, 0), /* NDP signature, RFC 8928 */
	[41] = PLAIN(RA),                          /* resource directory, RFC 9176 */
	[42] = PLAIN(ANY),                         /* consistent uptime, RFC 9685 */
	[138 ... 139] = PLAIN(ANY),                /* candidate access routers, RFC 4065 */
	[144] = ROW(RA, 2, 255, fixed_len, 0),     /* encrypted DNS, RFC 9463 6.1 */
	[253 ... 254] = PLAIN(ANY),                /* experiments, RFC 4727 */
};

/* State of one walk. */
struct walk {
	struct ics_pkt *pkt;
	const struct ics_validate_conf *conf;
	const uint8_t *lla[2]; /* first SLLA and first TLLA */
	struct ics_nd_options *out;
	enum ics_nd_msg msg;
	unsigned count;
	unsigned last_type;
};

static inline void
check_lla(struct walk *w, struct ics_view opt)
{
	const uint8_t *mac = opt.p + 2, **first = &w->lla[opt.p[0] - ICS_OPT_SLLA];

	/* An Ethernet address makes an option of one unit (2464 6); other links have other lengths. */
	if (ics_unlikely(opt.len != 8)) {
		ICS_FIRES(w->pkt, nd_opt_lla_len, w->pkt->flags & ICS_PKT_ETHER);
		return;
	}
	/* No interface has a group address or none at all. */
	ICS_FIRES(w->pkt, nd_opt_lla_invalid, (mac[0] & 1) || (ics_load_be32(mac) | ics_load_be16(mac + 4)) == 0);
	/* Two that differ: stacks take the first or the last, so an observer sees another one than the host. */
	ICS_FIRES(w->pkt, nd_opt_dup_lla, *first != NULL && memcmp(*first, mac, 6) != 0);
	if (*first == NULL)
		*first = mac;
}

/* Domain names as sequences of labels that end with the root label; zeros may follow (8106 5.2). The loops
 * advance with each turn and end with the option, at most 2040 octets.
 */
static bool
is_bad_dnssl(struct ics_view opt)
{
	uint32_t off = 8;

	while (ics_view_u8(opt, off) != 0) {
		while (ics_view_u8(opt, off) != 0) {
			if (opt.p[off] > 63)
				return true;
			off += 1u + opt.p[off];
		}
		if (off >= opt.len)
			return true;
		off++;
	}
	return false;
}

static void
check_content(struct walk *w, struct ics_view opt)
{
	struct ics_pkt *pkt = w->pkt;
	unsigned units = opt.p[1];

	switch (opt.p[0]) {
	case ICS_OPT_REDIRECTED:
		/* What is quoted behind the header of 8 octets is an IPv6 packet (4861 4.6.3). */
		ICS_FIRES(pkt, nd_opt_rh_len, ics_view_u8(opt, 8) >> 4 != 6);
		break;
	case ICS_OPT_NONCE:
		/* Longer is legal, but a host that compares 6 octets misses its own probe (7527 4.1). */
		ICS_FIRES(pkt, nd_opt_nonce_len, units != 1 && w->msg == ICS_ND_NS && ics_ip6_is_unspecified(pkt->src));
		break;
	case ICS_OPT_RIO:
		/* Room for no, half or all of the prefix, by its length (4191 2.3). */
		ICS_FIRES(pkt, nd_opt_rio_len, (units == 1 && opt.p[2] > 0) || (units == 2 && opt.p[2] > 64));
		break;
	case OPT_FLAGS_EXT:
		/* Sent only once, and only with a flag to tell (5175 4). */
		ICS_FIRES(pkt, nd_opt_feo_bad,
			  (ics_load_be16(opt.p + 2) | ics_load_be32(opt.p + 4)) == 0 ||
				  ics_nd_has_option(w->out, OPT_FLAGS_EXT));
		break;
	case ICS_OPT_DNSSL:
		ICS_FIRES(pkt, nd_opt_dnssl_bad, is_bad_dnssl(opt));
		break;
	case ICS_OPT_EARO:
		/* A solicitation registers; only the answer has a status (6775 4.1, 8505 4.1). */
		ICS_FIRES(pkt, nd_opt_earo_bad, w->msg == ICS_ND_NS && opt.p[2] != 0);
		w->out->earo_multicast |= (opt.p[4] >> 4 & 3) == 1;
		break;
	case ICS_OPT_PREF64:
		/* Six prefix lengths are defined, codes 0 to 5 (8781 4). */
		ICS_FIRES(pkt, nd_opt_pref64_bad, (opt.p[3] & 7) > 5);
		break;
	default:
		break;
	}
}

/* The rules that need no more than type and length. Returns whether the length is right. */
static inline bool
check_header(struct walk *w, const struct row *row, unsigned units)
{
	/* Receivers skip what they do not know, or do not expect here (4861 9). */
	if (ics_unlikely(!(row->flags & KNOWN))) {
		ics_reasons_add(&w->pkt->reasons, ICS_REASON_nd_opt_unknown);
		return true;
	}
	ICS_FIRES(w->pkt, nd_opt_misplaced, !(row->legal & w->msg));
	if (ics_unlikely(units < row->min_units || units > row->max_units || (row->flags & ODD && units % 2 == 0))) {
		ics_reasons_add(&w->pkt->reasons, (enum ics_reason)row->len_rule);
		return false;
	}
	return true;
}

/* One option, header checked and all bytes readable. */
static inline void
check_option(struct walk *w, const struct row *row, struct ics_view opt, bool good_len)
{
	if (opt.p[0] == ICS_OPT_SLLA || opt.p[0] == ICS_OPT_TLLA)
		check_lla(w, opt);
	else if (row->flags & CONTENT && good_len)
		check_content(w, opt);
	if (row->flags & IN_RA && w->msg == ICS_ND_RA && good_len)
		ics_ra_check_option(w->pkt, w->conf, opt);
}

/* From off to the end of the message. Each turn takes an option, and there are at most ICS_ND_OPTIONS_MAX. */
static enum ics_nd_end
walk_options(struct walk *w, uint32_t off)
{
	const struct ics_view icmp = w->pkt->icmp;
	const uint32_t len = ics_msg_len(w->pkt);

	for (; off < len; w->count++) {
		const struct row *row;
		uint32_t opt_len;
		bool good_len;

		/* Not even room for type and length: the end is missing (4861 4.6). */
		if (ics_unlikely(len - off < 2)) {
			ics_reasons_add(&w->pkt->reasons, ICS_REASON_nd_opt_truncated);
			return ICS_ND_END_STOPPED;
		}
		if (ics_unlikely(!ics_view_has(icmp, off, 2)))
			return ICS_ND_END_CUT;
		if (ics_unlikely(w->count == ICS_ND_OPTIONS_MAX)) {
			ics_reasons_add(&w->pkt->reasons, ICS_REASON_nd_opt_too_many);
			return ICS_ND_END_STOPPED;
		}
		w->last_type = icmp.p[off];
		row = &rows[w->last_type];
		opt_len = icmp.p[off + 1] * 8u;

		/* Length zero: a receiver that walks on would never end; the whole message goes (4861 4.6). */
		if (ics_unlikely(opt_len == 0)) {
			ics_reasons_add(&w->pkt->reasons, ICS_REASON_nd_opt_len_zero);
			return ICS_ND_END_STOPPED;
		}
		/* It claims more than the message has. */
		if (ics_unlikely(opt_len > len - off)) {
			ics_reasons_add(&w->pkt->reasons, ICS_REASON_nd_opt_truncated);
			return ICS_ND_END_STOPPED;
		}
		good_len = check_header(w, row, opt_len / 8);
		if (ics_likely(ics_view_has(icmp, off, opt_len)))
			check_option(w, row, (struct ics_view){icmp.p + off, opt_len}, good_len);
		w->out->seen |= w->last_type < 64 ? 1ull << w->last_type : 0;
		off += opt_len;
	}
	return off <= icmp.len ? ICS_ND_END_WHOLE : ICS_ND_END_CUT;
}

void
ics_nd_check_options(struct ics_pkt *pkt, const struct ics_validate_conf *conf, enum ics_nd_msg msg, uint32_t off,
		     struct ics_nd_options *out)
{
	struct walk w = {.pkt = pkt, .conf = conf, .out = out, .msg = msg};

	*out = (struct ics_nd_options){0};
	out->end = walk_options(&w, off);

	/* KAME-derived stacks read this many options and skip the rest: hosts disagree about the message. */
	if (ics_unlikely(w.count > KAME_OPTIONS_MAX))
		pkt->flags |= ICS_PKT_GT10_OPTIONS;
	/* A signature covers what stands before it, a timestamp among that (3971 5.2.1, 5.3.3). */
	ICS_FIRES(pkt, nd_opt_send_incomplete,
		  ics_nd_has_option(out, OPT_RSA) && out->end == ICS_ND_END_WHOLE &&
			  (!ics_nd_has_option(out, OPT_TIMESTAMP) || w.last_type != OPT_RSA));
}
