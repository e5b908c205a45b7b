/* Packet types of NICs: of all that there are, those that settle a frame; what each driver has to declare for that; and that a
 * frame so settled is what ics_decode() says it is, with DPDK's own parser, which net_tap uses, as the NIC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ics_decode.h"
#include "ptype.h"

#include <rte_mbuf.h>
#include <rte_net.h>
#include <string.h>

/* As net_tap declares them, and every other L3 and L4 that is believed. */
static const uint32_t all[] = {
	RTE_PTYPE_L2_ETHER,    RTE_PTYPE_L2_ETHER_VLAN, RTE_PTYPE_L2_ETHER_QINQ,
	RTE_PTYPE_L3_IPV4,     RTE_PTYPE_L3_IPV4_EXT,   RTE_PTYPE_L3_IPV6,
	RTE_PTYPE_L3_IPV6_EXT, RTE_PTYPE_L4_FRAG,       RTE_PTYPE_L3_IPV4_EXT_UNKNOWN,
	RTE_PTYPE_L4_UDP,      RTE_PTYPE_L4_TCP,        RTE_PTYPE_L4_SCTP,
	RTE_PTYPE_L4_ICMP,     RTE_PTYPE_TUNNEL_VXLAN,  RTE_PTYPE_L4_NONFRAG,
};
#define N_ALL (sizeof(all) / sizeof(all[0]))

static struct ptype_map map;

/* Without one of them. */
static bool
make_without(uint32_t type)
{
	uint32_t some[N_ALL];
	unsigned n = 0;

	for (unsigned i = 0; i < N_ALL; i++)
		if (all[i] != type)
			some[n++] = all[i];
	return ptype_map_make(&map, some, n, false);
}

/* What the table of the header says in other words: 12 types, by name. */
static enum ics_class
expected(uint32_t type, uint32_t len, bool tunnels)
{
	uint32_t l3 = type & RTE_PTYPE_L3_MASK, l4 = type & RTE_PTYPE_L4_MASK;
	bool has_options = l3 == RTE_PTYPE_L3_IPV4_EXT || l3 == RTE_PTYPE_L3_IPV4_EXT_UNKNOWN;

	if ((type & RTE_PTYPE_L2_MASK) != RTE_PTYPE_L2_ETHER || type != (l3 | l4 | RTE_PTYPE_L2_ETHER))
		return ICS_CLASS_COUNT;
	if (l4 != RTE_PTYPE_L4_TCP && l4 != RTE_PTYPE_L4_SCTP && (l4 != RTE_PTYPE_L4_UDP || tunnels))
		return ICS_CLASS_COUNT;
	if ((l3 == RTE_PTYPE_L3_IPV4 && len >= 34) || (has_options && len >= 74))
		return ICS_CLASS_ip4_other;
	return l3 == RTE_PTYPE_L3_IPV6 && len >= 54 ? ICS_CLASS_ip6_other : ICS_CLASS_COUNT;
}

/* Each combination of the layers outside, alone and with each bit of what is inside or not assigned. */
static void
test_every_type(void **state)
{
	static const uint32_t lens[] = {0, 14, 33, 34, 53, 54, 60, 73, 74, 255, 1514, 65535};
	unsigned n = 0;

	for (unsigned tunnels = 0; tunnels < 2; tunnels++) {
		assert_true(ptype_map_make(&map, all, N_ALL, tunnels));
		for (uint32_t outer = 0; outer < 1u << 16; outer++)
			for (unsigned bit = 16; bit <= 32; bit++) {
				uint32_t type = outer | (bit < 32 ? 1u << bit : 0);

				for (unsigned i = 0; i < ICS_ARRAY_LEN(lens); i++) {
					enum ics_class class = ptype_class(&map, type, lens[i]);

					n += class != ICS_CLASS_COUNT;
					if (class != expected(type, lens[i], tunnels))
						fail_msg("type %#x, %u octets: class %u", type, lens[i], class);
				}
			}
	}
	/* By length: 9 for plain IPv4, 4 twice for options, 7 for IPv6; three kinds of L4, or two. */
	assert_int_equal(n, (9 + 2 * 4 + 7) * (3 + 2));
}

static void
test_never(void **state)
{
	static const uint32_t never[] = {
		RTE_PTYPE_UNKNOWN,
		RTE_PTYPE_L2_ETHER,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_FRAG,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_ICMP,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6 | RTE_PTYPE_L4_ICMP,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_NONFRAG,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6_EXT | RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6_EXT_UNKNOWN | RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L2_ETHER_VLAN | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L2_ETHER_QINQ | RTE_PTYPE_L3_IPV6 | RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP | RTE_PTYPE_TUNNEL_VXLAN,
		RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP | RTE_PTYPE_INNER_L4_ICMP,
	};

	assert_true(ptype_map_make(&map, all, N_ALL, false));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(never); i++)
		assert_int_equal(ptype_class(&map, never[i], 1514), ICS_CLASS_COUNT);
}

/* A driver that cannot tell tagged from untagged, or fragments from whole packets, is not believed at all. */
static void
test_what_has_to_be_declared(void **state)
{
	const uint32_t tcp6 = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6 | RTE_PTYPE_L4_TCP;
	const uint32_t tcp4 = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP;
	const uint32_t udp4 = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP;

	assert_true(make_without(RTE_PTYPE_L4_ICMP));
	assert_int_equal(ptype_class(&map, tcp6, 60), ICS_CLASS_ip6_other);
	assert_false(make_without(RTE_PTYPE_L2_ETHER));
	assert_false(make_without(RTE_PTYPE_L2_ETHER_VLAN));
	assert_int_equal(ptype_class(&map, tcp4, 60), ICS_CLASS_COUNT);
	assert_false(make_without(RTE_PTYPE_L4_FRAG));
	assert_int_equal(ptype_class(&map, tcp4, 60), ICS_CLASS_COUNT);
	assert_true(make_without(RTE_PTYPE_L3_IPV6_EXT));
	assert_int_equal(ptype_class(&map, tcp6, 60), ICS_CLASS_COUNT);
	assert_int_equal(ptype_class(&map, tcp4, 60), ICS_CLASS_ip4_other);
	assert_true(make_without(RTE_PTYPE_L3_IPV4));
	assert_int_equal(ptype_class(&map, tcp4, 60), ICS_CLASS_COUNT);
	assert_int_equal(ptype_class(&map, tcp6, 60), ICS_CLASS_ip6_other);
	assert_true(make_without(RTE_PTYPE_L4_TCP));
	assert_int_equal(ptype_class(&map, tcp4, 60), ICS_CLASS_COUNT);
	assert_int_equal(ptype_class(&map, udp4, 60), ICS_CLASS_ip4_other);
	assert_false(ptype_map_make(&map, all, 0, false));
	for (uint32_t type = 0; type < 1u << 16; type++)
		assert_int_equal(ptype_class(&map, type, 1514), ICS_CLASS_COUNT);
}

/* ---- against DPDK's parser ---- */

static uint64_t seed = 1;

static uint32_t
roll(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) * n >> 31);
}

/* Most octets as they should be, each of the others as it comes. */
static uint32_t
make_frame(uint8_t *f)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x8847};
	static const uint8_t protos[] = {6, 17, 132, 1, 58, 0, 43, 44, 50, 51, 60, 4, 41, 47};
	uint32_t len = 14 + roll(100), l3 = 14;
	uint16_t type = types[roll(ICS_ARRAY_LEN(types))];
	uint8_t proto = protos[roll(roll(2) ? 3 : (uint32_t)ICS_ARRAY_LEN(protos))];

	for (unsigned i = 0; i < 128; i++)
		f[i] = (uint8_t)roll(256);
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
	if (type == 0x8100 || type == 0x88a8) {
		type = roll(2) ? 0x0800 : 0x86dd;
		f[16] = (uint8_t)(type >> 8);
		f[17] = (uint8_t)type;
		l3 = 18;
	}
	if (type == 0x0800) {
		f[l3] = (uint8_t)(roll(8) ? 0x45 : 0x40 + roll(16));
		if (roll(8)) {
			f[l3 + 2] = 0;
			f[l3 + 3] = (uint8_t)(len - l3);
		}
		if (roll(8))
			f[l3 + 6] = f[l3 + 7] = 0;
		f[l3 + 9] = proto;
	} else if (type == 0x86dd) {
		f[l3] = (uint8_t)(roll(16) ? 0x60 : roll(256));
		f[l3 + 4] = 0;
		f[l3 + 5] = (uint8_t)(len > l3 + 40 ? len - l3 - 40 : 0);
		f[l3 + 6] = proto;
		f[l3 + 40] = protos[roll(ICS_ARRAY_LEN(protos))];
		f[l3 + 41] = (uint8_t)roll(3);
	}
	return len;
}

static void
compare(bool tunnels, unsigned *settled, unsigned *icmp)
{
	const struct ics_decode_conf conf = {.tunnels = tunnels ? UINT32_MAX : 0};
	/* In memory of just its length, for the sanitizers. */
	uint8_t octets[128], *copy;
	struct rte_mbuf m;
	struct ics_frame f = {.stripped_tci = ICS_VLAN_NONE, .link = ICS_LINK_ETHERNET};
	struct ics_pkt pkt;
	enum ics_class class;
	uint32_t type;

	memset(&m, 0, sizeof(m));
	f.cap_len = f.wire_len = make_frame(octets);
	copy = malloc(f.cap_len);
	assert_non_null(copy);
	memcpy(copy, octets, f.cap_len);
	f.data = copy;
	m.buf_addr = copy;
	m.data_len = (uint16_t)f.cap_len;
	m.pkt_len = f.cap_len;
	m.nb_segs = 1;
	type = rte_net_get_ptype(&m, NULL, RTE_PTYPE_ALL_MASK);
	class = ptype_class(&map, type, f.cap_len);
	ics_decode(&f, &conf, &pkt);
	*icmp += (pkt.flags & ICS_PKT_ICMP) != 0;
	if (class != ICS_CLASS_COUNT) {
		/* RTE_PTYPE_L3_IPV6 means version 6 as well; this parser does not look. */
		if (class == ICS_CLASS_ip6_other && copy[14] >> 4 != 6) {
			assert_true(ics_reasons_has(&pkt.reasons, ICS_REASON_ip_version_mismatch));
			free(copy);
			return;
		}
		*settled += 1;
		assert_false(pkt.flags & ICS_PKT_ICMP);
		if (pkt.class != class || pkt.encap != 0)
			fail_msg("type %#x: class %u, decoded: %u", type, class, pkt.class);
	}
	free(copy);
}

static void
test_as_decoded(void **state)
{
	for (unsigned tunnels = 0; tunnels < 2; tunnels++) {
		unsigned settled = 0, icmp = 0;

		assert_true(ptype_map_make(&map, all, N_ALL, tunnels));
		for (unsigned i = 0; i < 300000; i++)
			compare(tunnels, &settled, &icmp);
		assert_true(settled > 30000);
		assert_true(icmp > 3000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_what_has_to_be_declared),
		cmocka_unit_test(test_as_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
