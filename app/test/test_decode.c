/* What stands before the message: link types, tags, labels, PPPoE, tunnels; and that the quick look at a frame never
 * disagrees with the full walk. The rules over these headers are tested in test_rules_*.c.
 */
#include "ics_inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* an RA without options: 40 + 16 octets, checksum not looked at here */
#define RA6                                                                                                            \
	"6000000000103afffe800000000000000000000000000001ff0200000000000000000000000000018600000040000708000000000000" \
	"0000"
/* ICMP fragmentation needed, 28 octets */
#define FRAG4                                                                                                          \
	"4500001c000000004001f6ddc0000201c0000202"                                                                     \
	"0304000000000578"
#define TCP4                                                                                                           \
	"45000028000000004006fff0c0000201c0000202"                                                                     \
	"0014005000000000000000005002ffff00000000"
#define ETHER                                                                                                          \
	"333300000001"                                                                                                 \
	"00005e005301"

struct buf {
	uint8_t b[2048];
	uint32_t n;
};

static void
hex(struct buf *f, const char *text)
{
	for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
		unsigned v;

		assert_int_equal(sscanf(text, "%2x", &v), 1);
		f->b[f->n++] = (uint8_t)v;
	}
}

static struct ics_pkt
decode_with(const struct buf *f, enum ics_link link, struct ics_decode_conf conf)
{
	struct ics_frame frame = {f->b, f->n, f->n, ICS_VLAN_NONE, (uint8_t)link};
	struct ics_pkt pkt;

	ics_decode(&frame, &conf, &pkt);
	return pkt;
}

static struct ics_pkt
decode_hex(const char *text, enum ics_link link, struct ics_decode_conf conf)
{
	static struct buf f;

	f.n = 0;
	hex(&f, text);
	return decode_with(&f, link, conf);
}

static const struct ics_decode_conf plain, all = {.tunnels = 0x3f, .mpls_control_word = true};

static void
test_link_types(void **state)
{
	static const struct {
		enum ics_link link;
		const char *frame;
		enum ics_class class;
	} rows[] = {
		{ICS_LINK_ETHERNET, ETHER "86dd" RA6, ICS_CLASS_nd_ra},
		{ICS_LINK_ETHERNET, ETHER "0800" FRAG4, ICS_CLASS_icmp4_frag_needed},
		{ICS_LINK_ETHERNET,
		 ETHER "0806"
		       "0001",
		 ICS_CLASS_arp},
		{ICS_LINK_ETHERNET,
		 ETHER "8035"
		       "0001",
		 ICS_CLASS_arp},
		{ICS_LINK_ETHERNET,
		 ETHER "88cc"
		       "0001",
		 ICS_CLASS_non_ip},
		{ICS_LINK_ETHERNET,
		 ETHER "0040"
		       "aaaa030000000800" FRAG4,
		 ICS_CLASS_icmp4_frag_needed},
		{ICS_LINK_ETHERNET,
		 ETHER "0040"
		       "aaaa0300000086dd" RA6,
		 ICS_CLASS_nd_ra},
		{ICS_LINK_ETHERNET,
		 ETHER "0040"
		       "aaaa030000f80800" FRAG4,
		 ICS_CLASS_non_ip},
		{ICS_LINK_ETHERNET,
		 ETHER "0040"
		       "aaaa030000000026" FRAG4,
		 ICS_CLASS_non_ip},
		{ICS_LINK_ETHERNET,
		 ETHER "0026"
		       "424203",
		 ICS_CLASS_non_ip},
		{ICS_LINK_ETHERNET,
		 ETHER "8909"
		       "0101000100020800" FRAG4,
		 ICS_CLASS_icmp4_frag_needed},
		{ICS_LINK_ETHERNET,
		 ETHER "8909"
		       "0101000100028909" FRAG4,
		 ICS_CLASS_non_ip},
		{ICS_LINK_ETHERNET,
		 ETHER "8909"
		       "0201000100020800" FRAG4,
		 ICS_CLASS_non_ip},
		{ICS_LINK_ETHERNET, ETHER, ICS_CLASS_malformed},
		{ICS_LINK_RAW_IP, RA6, ICS_CLASS_nd_ra},
		{ICS_LINK_RAW_IP, FRAG4, ICS_CLASS_icmp4_frag_needed},
		{ICS_LINK_RAW_IP, "00", ICS_CLASS_non_ip},
		{ICS_LINK_RAW_IP, "", ICS_CLASS_malformed},
		{ICS_LINK_SLL,
		 "0000000100060000"
		 "5e0053010000"
		 "86dd" RA6,
		 ICS_CLASS_nd_ra},
		{ICS_LINK_SLL,
		 "0000000100060000"
		 "5e0053010000"
		 "8100"
		 "000a86dd" RA6,
		 ICS_CLASS_nd_ra},
		{ICS_LINK_SLL,
		 "0000000100060000"
		 "5e00",
		 ICS_CLASS_malformed},
		{ICS_LINK_SLL2,
		 "86dd0000"
		 "00000002"
		 "00010006"
		 "00005e0053010000" RA6,
		 ICS_CLASS_nd_ra},
		{ICS_LINK_NULL, "02000000" FRAG4, ICS_CLASS_icmp4_frag_needed},
		{ICS_LINK_NULL, "00000002" FRAG4, ICS_CLASS_icmp4_frag_needed},
		{ICS_LINK_NULL, "1e000000" RA6, ICS_CLASS_nd_ra},
		{ICS_LINK_NULL, "0000000a" RA6, ICS_CLASS_nd_ra},
		{ICS_LINK_NULL, "07000000" RA6, ICS_CLASS_non_ip},
		{ICS_LINK_NULL, "0700", ICS_CLASS_malformed},
		{ICS_LINK_LOOP, "00000018" RA6, ICS_CLASS_nd_ra},
		{ICS_LINK_LOOP, "0000001c" RA6, ICS_CLASS_nd_ra},
		{(enum ics_link)9, RA6, ICS_CLASS_malformed},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_pkt p = decode_hex(rows[i].frame, rows[i].link, plain);

		if (p.class != rows[i].class)
			print_error("row %u: %s\n", i, ics_class_name(p.class));
		assert_int_equal(p.class, rows[i].class);
		assert_int_equal((p.flags & ICS_PKT_ETHER) != 0, rows[i].link == ICS_LINK_ETHERNET && i != 13);
	}
}

static void
test_tags_name_the_segment(void **state)
{
	static const struct {
		const char *frame;
		uint16_t outer, inner;
		uint8_t encap;
	} rows[] = {
		{ETHER "86dd" RA6, ICS_VLAN_NONE, ICS_VLAN_NONE, 0},
		{ETHER "8100"
		       "600a"
		       "86dd" RA6,
		 10, ICS_VLAN_NONE, ICS_ENCAP_VLAN},
		{ETHER "8100"
		       "0000"
		       "86dd" RA6,
		 ICS_VLAN_NONE, ICS_VLAN_NONE, ICS_ENCAP_VLAN},
		{ETHER "88a8"
		       "0064"
		       "8100"
		       "000a"
		       "86dd" RA6,
		 100, 10, ICS_ENCAP_QINQ},
		{ETHER "9100"
		       "0064"
		       "8100"
		       "0fff"
		       "86dd" RA6,
		 100, 4095, ICS_ENCAP_QINQ},
		{ETHER "8100"
		       "0000"
		       "8100"
		       "000a"
		       "86dd" RA6,
		 10, ICS_VLAN_NONE, ICS_ENCAP_QINQ},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_pkt p = decode_hex(rows[i].frame, ICS_LINK_ETHERNET, plain);

		assert_int_equal(p.class, ICS_CLASS_nd_ra);
		assert_int_equal(p.vlan[0], rows[i].outer);
		assert_int_equal(p.vlan[1], rows[i].inner);
		assert_int_equal(p.encap, rows[i].encap);
		assert_true(ics_reasons_is_strict(&p.reasons));
	}
}

static void
test_a_stripped_tag_is_the_outer_one(void **state)
{
	struct buf f = {.n = 0};
	struct ics_frame frame;
	struct ics_pkt p;

	hex(&f, ETHER "8100"
		      "0014"
		      "86dd" RA6);
	frame = (struct ics_frame){f.b, f.n, f.n, 0x600a, ICS_LINK_ETHERNET};
	assert_int_equal(ics_peek(&frame, &plain), ICS_CLASS_COUNT);
	ics_decode(&frame, &plain, &p);
	assert_int_equal(p.vlan[0], 10);
	assert_int_equal(p.vlan[1], 20);
	assert_int_equal(p.encap, ICS_ENCAP_QINQ);
}

/* Beyond two tags, eight labels, 16 tags and 64 labels. */
static void
test_depth_is_bounded(void **state)
{
	for (unsigned n = 1; n <= 100; n++) {
		struct buf tags = {.n = 0}, labels = {.n = 0};
		struct ics_pkt p;

		hex(&tags, ETHER "8100");
		hex(&labels, ETHER "8847");
		for (unsigned i = 0; i < n; i++) {
			hex(&tags, i + 1 < n ? "000a8100" : "000a86dd");
			hex(&labels, i + 1 < n ? "00010040" : "00010140");
		}
		hex(&tags, RA6);
		hex(&labels, RA6);
		p = decode_with(&tags, ICS_LINK_ETHERNET, plain);
		assert_int_equal(p.class, n <= 16 ? ICS_CLASS_nd_ra : ICS_CLASS_malformed);
		assert_int_equal(ics_reasons_has(&p.reasons, ICS_REASON_encap_depth), n > 2);
		p = decode_with(&labels, ICS_LINK_ETHERNET, plain);
		assert_int_equal(p.class, n <= 64 ? ICS_CLASS_nd_ra : ICS_CLASS_malformed);
		assert_int_equal(ics_reasons_has(&p.reasons, ICS_REASON_encap_depth), n > 8);
	}
}

static void
test_mpls_and_pppoe(void **state)
{
	static const struct {
		const char *frame;
		enum ics_class class, class_with_control_word;
		int reason;
	} rows[] = {
		{ETHER "8847"
		       "00010040"
		       "00011140" RA6,
		 ICS_CLASS_nd_ra, ICS_CLASS_nd_ra, -1},
		{ETHER "8848"
		       "00011140" FRAG4,
		 ICS_CLASS_icmp4_frag_needed, ICS_CLASS_icmp4_frag_needed, -1},
		{ETHER "8847"
		       "00010040"
		       "00011040",
		 ICS_CLASS_malformed, ICS_CLASS_malformed, ICS_REASON_mpls_no_bottom},
		{ETHER "8847"
		       "00011140",
		 ICS_CLASS_malformed, ICS_CLASS_malformed, -1},
		/* control word, Ethernet behind it */
		{ETHER "8847"
		       "00011140"
		       "00000000" ETHER "8100"
		       "000a"
		       "86dd" RA6,
		 ICS_CLASS_non_ip, ICS_CLASS_nd_ra, -1},
		/* control word, IP behind it */
		{ETHER "8847"
		       "00011140"
		       "00000000" RA6,
		 ICS_CLASS_non_ip, ICS_CLASS_nd_ra, -1},
		{ETHER "8864"
		       "11000001003a"
		       "0057" RA6,
		 ICS_CLASS_nd_ra, ICS_CLASS_nd_ra, -1},
		{ETHER "8864"
		       "11000001001e"
		       "0021" FRAG4,
		 ICS_CLASS_icmp4_frag_needed, ICS_CLASS_icmp4_frag_needed, -1},
		{ETHER "8864"
		       "110000010002"
		       "c021",
		 ICS_CLASS_non_ip, ICS_CLASS_non_ip, -1},
		{ETHER "8864"
		       "120000010002"
		       "0057" RA6,
		 ICS_CLASS_malformed, ICS_CLASS_malformed, ICS_REASON_pppoe_bad},
		{ETHER "8864"
		       "110900010002"
		       "0057" RA6,
		 ICS_CLASS_malformed, ICS_CLASS_malformed, ICS_REASON_pppoe_bad},
		{ETHER "8864"
		       "11000001003b"
		       "0057" RA6,
		 ICS_CLASS_nd_ra, ICS_CLASS_nd_ra, ICS_REASON_pppoe_bad},
		{ETHER "8864"
		       "110000010001"
		       "0057" RA6,
		 ICS_CLASS_nd_ra, ICS_CLASS_nd_ra, ICS_REASON_pppoe_bad},
		{ETHER "8864"
		       "11000001",
		 ICS_CLASS_malformed, ICS_CLASS_malformed, ICS_REASON_pppoe_bad},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_pkt p = decode_hex(rows[i].frame, ICS_LINK_ETHERNET, plain);
		struct ics_pkt cw = decode_hex(rows[i].frame, ICS_LINK_ETHERNET, all);

		if (p.class != rows[i].class || cw.class != rows[i].class_with_control_word)
			print_error("row %u: %s %s\n", i, ics_class_name(p.class), ics_class_name(cw.class));
		assert_int_equal(p.class, rows[i].class);
		assert_int_equal(cw.class, rows[i].class_with_control_word);
		if (rows[i].reason >= 0)
			assert_true(ics_reasons_has(&p.reasons, (enum ics_reason)rows[i].reason));
		else
			assert_true(ics_reasons_is_strict(&p.reasons));
	}
}

#define UDP4(len, port)                                                                                                \
	"4500" len "000000004011"                                                                                      \
	"0000c0000201c0000202"                                                                                         \
	"1234" port "0000"                                                                                             \
	"0000"
#define IP4(len, proto) "4500" len "0000000040" proto "0000c0000201c0000202"
#define IP6(len, next) "60000000" len next "4020010db800000000000000000000000120010db8000000000000000000000002"
#define INNER ETHER "86dd" RA6 /* 70 octets */

static void
test_tunnels_are_looked_into_where_named(void **state)
{
	static const struct {
		const char *frame;
		uint32_t tunnel;
		uint16_t vlan;
	} rows[] = {
		{ETHER "0800" UDP4("006a", "12b5") "0800000000000100" INNER, ICS_TUNNEL_VXLAN, ICS_VLAN_NONE},
		{ETHER "0800" UDP4("006a", "2118") "0800000000000100" INNER, ICS_TUNNEL_VXLAN, ICS_VLAN_NONE},
		{ETHER "86dd" IP6("0056", "11") "123412b500000000"
						"0800000000000100" INNER,
		 ICS_TUNNEL_VXLAN, ICS_VLAN_NONE},
		{ETHER "0800" UDP4("006e", "17c1") "0100655800000100"
						   "00000000" INNER,
		 ICS_TUNNEL_GENEVE, ICS_VLAN_NONE},
		{ETHER "0800" UDP4("005c", "17c1") "000086dd00000100" RA6, ICS_TUNNEL_GENEVE, ICS_VLAN_NONE},
		{ETHER "0800" IP4("0050", "2f") "000086dd" RA6, ICS_TUNNEL_GRE, ICS_VLAN_NONE},
		{ETHER "0800" IP4("005c", "2f") "b00086dd"
						"000000000000000700000001" RA6,
		 ICS_TUNNEL_GRE, ICS_VLAN_NONE},
		{ETHER "0800" IP4("005e", "2f") "00006558" INNER, ICS_TUNNEL_GRE, ICS_VLAN_NONE},
		{ETHER "0800" IP4("005e", "2f") "000088be" INNER, ICS_TUNNEL_ERSPAN, ICS_VLAN_NONE},
		{ETHER "0800" IP4("006a", "2f") "100088be"
						"00000001"
						"100a000000000000" INNER,
		 ICS_TUNNEL_ERSPAN, 10},
		{ETHER "0800" IP4("006e", "2f") "100022eb"
						"00000001"
						"200a00000000000000000000" INNER,
		 ICS_TUNNEL_ERSPAN, 10},
		{ETHER "0800" IP4("0076", "2f") "100022eb"
						"00000001"
						"200a00000000000000000001"
						"0000000000000000" INNER,
		 ICS_TUNNEL_ERSPAN, 10},
		{ETHER "0800" IP4("004c", "29") RA6, ICS_TUNNEL_6IN4, ICS_VLAN_NONE},
		{ETHER "86dd" IP6("0038", "29") RA6, ICS_TUNNEL_6IN4, ICS_VLAN_NONE},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_decode_conf one = {.tunnels = rows[i].tunnel}, others = {.tunnels = 0x3f & ~rows[i].tunnel};
		struct ics_pkt p = decode_hex(rows[i].frame, ICS_LINK_ETHERNET, one);

		if (p.class != ICS_CLASS_nd_ra)
			print_error("row %u: %s\n", i, ics_class_name(p.class));
		assert_int_equal(p.class, ICS_CLASS_nd_ra);
		assert_true(p.encap & ICS_ENCAP_TUNNEL);
		assert_int_equal(p.vlan[0], rows[i].vlan);
		assert_int_equal(p.ilen, 16);
		p = decode_hex(rows[i].frame, ICS_LINK_ETHERNET, plain);
		assert_true(p.class == ICS_CLASS_ip4_other || p.class == ICS_CLASS_ip6_other);
		assert_int_equal(p.encap, 0);
		p = decode_hex(rows[i].frame, ICS_LINK_ETHERNET, others);
		assert_true(p.class == ICS_CLASS_ip4_other || p.class == ICS_CLASS_ip6_other);
	}
	/* IP in IP carries IPv4 */
	assert_int_equal(decode_hex(ETHER "0800" IP4("0030", "04") FRAG4, ICS_LINK_ETHERNET, all).class,
			 ICS_CLASS_icmp4_frag_needed);
}

static void
test_what_is_no_tunnel_stays_what_it_is(void **state)
{
	static const char *const rows[] = {
		ETHER "0800" UDP4("006a", "12b5") "0000000000000100" INNER, /* I flag clear */
		ETHER "0800" UDP4("0020", "12b5") "08000000",               /* cut */
		ETHER "0800" UDP4("006a", "17c1") "4000655800000100" INNER, /* version 1 */
		ETHER "0800" UDP4("006a", "17c1") "0000888800000100" INNER, /* unknown protocol */
		ETHER "0800" IP4("005e", "2f") "40006558" INNER,            /* routing present */
		ETHER "0800" IP4("005e", "2f") "00016558" INNER,            /* PPTP's version 1 */
		ETHER "0800" IP4("005e", "2f") "0000888e" INNER,            /* another payload */
		ETHER "0800" IP4("0016", "2f") "0000",                      /* cut */
		ETHER "0800" IP4("001c", "2f") "100088be00000001",          /* ERSPAN II without its header */
		ETHER "0800" IP4("001c", "2f") "100022eb00000001",          /* ERSPAN III without its header */
		ETHER "0800" IP4("0018", "2f") "000086dd",                  /* nothing inside */
		ETHER "0800" IP4("0014", "04"),                             /* nothing inside */
		ETHER "0800" TCP4,
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++)
		assert_int_equal(decode_hex(rows[i], ICS_LINK_ETHERNET, all).class, ICS_CLASS_ip4_other);
}

/* IPv4 in IPv4 in IPv4 ... : three are looked into. */
static void
test_tunnel_depth_is_bounded(void **state)
{
	for (unsigned n = 1; n < 30; n++) {
		struct buf f = {.n = 0};
		struct ics_pkt p;

		hex(&f, ETHER "0800");
		for (unsigned i = 0; i < n; i++) {
			uint32_t at = f.n, len = 28 + 20 * (n - i);

			hex(&f, IP4("0000", "04"));
			f.b[at + 2] = (uint8_t)(len >> 8);
			f.b[at + 3] = (uint8_t)len;
		}
		hex(&f, FRAG4);
		p = decode_with(&f, ICS_LINK_ETHERNET, all);
		assert_int_equal(p.class, n <= 3 ? ICS_CLASS_icmp4_frag_needed : ICS_CLASS_ip4_other);
	}
}

/* The frame itself is an ICMP error: what it quotes does not count. */
static void
test_outer_icmp_wins(void **state)
{
	struct ics_pkt p = decode_hex(ETHER "0800" IP4("0038", "01") "0304000000000578" FRAG4, ICS_LINK_ETHERNET, all);

	assert_int_equal(p.class, ICS_CLASS_icmp4_frag_needed);
	assert_int_equal(p.encap, 0);
	assert_int_equal(p.ilen, 36);
}

/* A payload length that fits what was written behind the header. */
static struct ics_pkt
decode_chain(const char *next, const char *rest, struct ics_decode_conf conf)
{
	static struct buf f;

	f.n = 0;
	hex(&f, ETHER "86dd");
	hex(&f, "60000000"
		"0000");
	hex(&f, next);
	hex(&f, "ff"
		"fe800000000000000000000000000001"
		"ff020000000000000000000000000001");
	hex(&f, rest);
	f.b[18] = (uint8_t)((f.n - 54) >> 8);
	f.b[19] = (uint8_t)(f.n - 54);
	return decode_with(&f, ICS_LINK_ETHERNET, conf);
}

static void
test_what_chains_end_at(void **state)
{
	static const struct {
		const char *next, *rest;
		enum ics_class class;
		uint32_t flags; /* of UNPARSED, EVASION, FRAG_LATER, FRAG_ATOMIC */
		int reason;
	} rows[] = {
		/* first fragments without a byte of the upper layer */
		{"2c", "3a00000100000001", ICS_CLASS_ip6_fragment, ICS_PKT_UNPARSED | ICS_PKT_EVASION,
		 ICS_REASON_ip6_frag_first_incomplete},
		{"2c", "0600000100000001", ICS_CLASS_ip6_fragment, ICS_PKT_UNPARSED,
		 ICS_REASON_ip6_frag_first_incomplete},
		/* no next header needs none */
		{"2c", "3b00000100000001", ICS_CLASS_ip6_other, 0, -1},
		{"2c",
		 "0600000900000001"
		 "0000000000000000",
		 ICS_CLASS_ip6_fragment, ICS_PKT_UNPARSED | ICS_PKT_FRAG_LATER, -1},
		{"2c",
		 "3a00000900000001"
		 "0000000000000000",
		 ICS_CLASS_ip6_fragment, ICS_PKT_UNPARSED | ICS_PKT_EVASION | ICS_PKT_FRAG_LATER, -1},
		{"2c",
		 "3a00000000000001"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, ICS_PKT_EVASION | ICS_PKT_FRAG_ATOMIC, ICS_REASON_ip6_frag_atomic},
		/* an atomic fragment inside a first one, and the other way round: not the whole message */
		{"2c",
		 "2c00000100000001"
		 "3a00000000000002"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, ICS_PKT_EVASION, ICS_REASON_ip6_frag_atomic},
		{"2c",
		 "2c00000000000001"
		 "3a00000100000002"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, ICS_PKT_EVASION, ICS_REASON_ip6_frag_atomic},
		/* authentication header: length in words of four, less two */
		{"33",
		 "3a04000000000001"
		 "00000001000000000000000000000000"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, 0, -1},
		{"33",
		 "3a00000000000001"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, 0, -1},
		/* ESP and "no next header" end the walk */
		{"32", "0000000100000001", ICS_CLASS_ip6_other, 0, -1},
		{"3b", "", ICS_CLASS_ip6_other, 0, -1},
		{"fd", "0000000000000000", ICS_CLASS_ip6_other, ICS_PKT_UNPARSED, ICS_REASON_ip6_ext_unknown},
		/* HIP, Shim6 and mobility headers are walked over */
		{"8b",
		 "3a00000000000000"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, 0, -1},
		{"8c",
		 "3a00000000000000"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, 0, -1},
		{"87",
		 "3a00000000000000"
		 "8600000000000000",
		 ICS_CLASS_nd_ra, 0, -1},
		{"3a", "", ICS_CLASS_icmp6_other, 0, -1},
	};
	const uint32_t mask = ICS_PKT_UNPARSED | ICS_PKT_EVASION | ICS_PKT_FRAG_LATER | ICS_PKT_FRAG_ATOMIC;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		struct ics_pkt p = decode_chain(rows[i].next, rows[i].rest, plain);

		if (p.class != rows[i].class || (p.flags & mask) != rows[i].flags)
			print_error("row %u: %s %x\n", i, ics_class_name(p.class), p.flags);
		assert_int_equal(p.class, rows[i].class);
		assert_int_equal(p.flags & mask, rows[i].flags);
		if (rows[i].reason >= 0)
			assert_true(ics_reasons_has(&p.reasons, (enum ics_reason)rows[i].reason));
	}
}

/* The snapshot ends inside an extension header: nothing is known, and nothing is suspected. */
static void
test_a_short_snapshot_is_no_evasion(void **state)
{
	struct buf f = {.n = 0};
	struct ics_frame frame;
	struct ics_pkt p;

	hex(&f, ETHER "86dd"
		      "60000000"
		      "0018"
		      "3c"
		      "ff"
		      "fe800000000000000000000000000001"
		      "ff020000000000000000000000000001");
	hex(&f, "2b01010400000000"
		"0000000000000000");
	frame = (struct ics_frame){f.b, 60, f.n + 8, ICS_VLAN_NONE, ICS_LINK_ETHERNET};
	ics_decode(&frame, &plain, &p);
	assert_int_equal(p.class, ICS_CLASS_ip6_other);
	assert_int_equal(p.flags & (ICS_PKT_UNPARSED | ICS_PKT_CAP_TRUNC | ICS_PKT_EVASION),
			 ICS_PKT_UNPARSED | ICS_PKT_CAP_TRUNC);
	assert_true(ics_reasons_empty(&p.reasons));
	/* the frame itself ends there */
	frame.wire_len = 60;
	ics_decode(&frame, &plain, &p);
	assert_int_equal(p.class, ICS_CLASS_malformed);
	assert_true(ics_reasons_has(&p.reasons, ICS_REASON_ip6_truncated));
}

/* 256 headers are followed to find the class, not one more; the rule names the ninth. */
static void
test_chains_are_bounded(void **state)
{
	static char rest[300 * 16 + 17];

	for (unsigned n = 1; n < 300; n++) {
		struct ics_pkt p;

		rest[0] = '\0';
		for (unsigned i = 0; i < n; i++)
			strcat(rest, i + 1 < n ? "3c00010400000000" : "3a00010400000000");
		strcat(rest, "8600000000000000");
		if (strlen(rest) / 2 + 54 > sizeof(((struct buf *)0)->b))
			break;
		p = decode_chain("3c", rest, plain);
		assert_int_equal(p.class, ICS_CLASS_nd_ra);
		assert_int_equal(ics_reasons_has(&p.reasons, ICS_REASON_ip6_ext_limit), n > 8);
		assert_int_equal((p.flags & ICS_PKT_UNPARSED) != 0, n > 8);
	}
}

static void
test_a_chain_without_end_is_malformed(void **state)
{
	static uint8_t b[54 + 260 * 8 + 8];
	struct ics_frame f = {b, sizeof(b), sizeof(b), ICS_VLAN_NONE, ICS_LINK_ETHERNET};
	struct buf head = {.n = 0};
	struct ics_pkt p;

	hex(&head, ETHER "86dd"
			 "60000000"
			 "0828"
			 "3c"
			 "ff"
			 "fe800000000000000000000000000001"
			 "ff020000000000000000000000000001");
	memcpy(b, head.b, head.n);
	for (unsigned i = 0; i < 260; i++)
		memcpy(b + 54 + i * 8, (const uint8_t[]){0x3c, 0, 1, 4, 0, 0, 0, 0}, 8);
	ics_decode(&f, &plain, &p);
	assert_int_equal(p.class, ICS_CLASS_malformed);
	assert_true(p.flags & ICS_PKT_EVASION);
}

static void
test_ip_headers_that_are_none(void **state)
{
#define EMPTY_IP6                                                                                                      \
	"60000000"                                                                                                     \
	"0000"                                                                                                         \
	"00"                                                                                                           \
	"ff"                                                                                                           \
	"fe800000000000000000000000000001"                                                                             \
	"ff020000000000000000000000000001"
	/* a jumbogram: payload length 0 and the option for it; its frame says how long it is */
	struct ics_pkt p = decode_hex(ETHER "86dd" EMPTY_IP6 "3a00c20400010000"
					    "8600000000000000",
				      ICS_LINK_ETHERNET, plain);

	assert_int_equal(p.class, ICS_CLASS_nd_ra);
	assert_int_equal(p.ilen, 8);
	assert_true(p.flags & ICS_PKT_UNPARSED);
	/* another option: the payload is empty, whatever follows */
	p = decode_hex(ETHER "86dd" EMPTY_IP6 "3a00010400000000"
			     "8600000000000000",
		       ICS_LINK_ETHERNET, plain);
	assert_int_equal(p.class, ICS_CLASS_malformed);
	assert_true(ics_reasons_has(&p.reasons, ICS_REASON_ip6_ext_overrun));
	p = decode_hex(ETHER "86dd" EMPTY_IP6 "3a00000000000000"
			     "8600000000000000",
		       ICS_LINK_ETHERNET, plain);
	assert_int_equal(p.class, ICS_CLASS_malformed);
	/* the frame below ends before the message does: what follows is padding */
	p = decode_hex(ETHER "8864"
			     "110000010032"
			     "0057" RA6,
		       ICS_LINK_ETHERNET, plain);
	assert_true(ics_reasons_has(&p.reasons, ICS_REASON_ip6_truncated));
	assert_int_equal(p.ilen, 16);
	assert_int_equal(p.icmp.len, 8);
	/* a short frame whose first nibble is not 6 */
	p = decode_hex(ETHER "86dd"
			     "4500",
		       ICS_LINK_ETHERNET, plain);
	assert_true(ics_reasons_has(&p.reasons, ICS_REASON_ip_version_mismatch));
	p = decode_hex(ETHER "86dd"
			     "6000",
		       ICS_LINK_ETHERNET, plain);
	assert_true(ics_reasons_has(&p.reasons, ICS_REASON_ip6_truncated));
	/* a later fragment of TCP */
	p = decode_hex(ETHER "0800"
			     "4500001c0000000140060000"
			     "c0000201"
			     "c0000202"
			     "0000000000000000",
		       ICS_LINK_ETHERNET, plain);
	assert_int_equal(p.class, ICS_CLASS_ip4_fragment);
}

/* Frames of every kind, each byte of the first 60 set to each value in turn: where ics_peek() settles a class,
 * the full walk finds the same one, and no rule.
 */
static void
test_peek_never_disagrees_with_decode(void **state)
{
	static const char *const seeds[] = {
		ETHER "86dd" RA6,
		ETHER "0800" FRAG4 "000000000000000000000000",
		ETHER "0800" TCP4 "0000",
		ETHER "86dd" IP6("0014", "06") "0014005000000000000000005002ffff00000000",
		ETHER "0806"
		      "0001080006040001"
		      "00005e005301c0000201"
		      "000000000000c0000202"
		      "00000000000000000000000000000000",
		ETHER "8100"
		      "000a"
		      "0800" TCP4,
	};
	unsigned settled = 0;

	for (unsigned s = 0; s < ICS_ARRAY_LEN(seeds); s++) {
		struct buf f = {.n = 0};

		hex(&f, seeds[s]);
		for (uint32_t at = 12; at < f.n && at < 60; at++) {
			uint8_t was = f.b[at];

			for (unsigned v = 0; v < 256; v++) {
				f.b[at] = (uint8_t)v;
				for (unsigned t = 0; t < 2; t++) {
					struct ics_frame frame = {f.b, f.n, f.n + v % 3, ICS_VLAN_NONE,
								  ICS_LINK_ETHERNET};
					const struct ics_decode_conf *conf = t ? &all : &plain;
					enum ics_class quick = ics_peek(&frame, conf);
					struct ics_pkt p;

					if (quick == ICS_CLASS_COUNT)
						continue;
					settled++;
					ics_decode(&frame, conf, &p);
					assert_int_equal(p.class, quick);
					assert_true(ics_reasons_empty(&p.reasons));
				}
			}
			f.b[at] = was;
		}
	}
	assert_true(settled > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_tags_name_the_segment),
		cmocka_unit_test(test_a_stripped_tag_is_the_outer_one),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_mpls_and_pppoe),
		cmocka_unit_test(test_tunnels_are_looked_into_where_named),
		cmocka_unit_test(test_what_is_no_tunnel_stays_what_it_is),
		cmocka_unit_test(test_tunnel_depth_is_bounded),
		cmocka_unit_test(test_outer_icmp_wins),
		cmocka_unit_test(test_what_chains_end_at),
		cmocka_unit_test(test_a_short_snapshot_is_no_evasion),
		cmocka_unit_test(test_chains_are_bounded),
		cmocka_unit_test(test_a_chain_without_end_is_malformed),
		cmocka_unit_test(test_ip_headers_that_are_none),
		cmocka_unit_test(test_peek_never_disagrees_with_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
