/* Which declared packet types are believed (ptype.h). A type says something only where the driver also knows the one that a
 * frame would have otherwise: whole next to fragmented, untagged next to tagged, IPv6 alone next to IPv6 with extension
 * headers. Many drivers declare no tags, and call a tagged frame plain Ethernet: their types are not believed.
 */
#include "ptype.h"

/* The place in the map of a type's L3 and L4. */
#define PLACE(l3, l4) (((l3) | (l4)) >> 4)
/* Ethernet and the longest IPv4 header (RFC 791 3.1), the shortest, and IPv6's (RFC 8200 3). */
#define LEN_IP4_OPTIONS (14 + 60)
#define LEN_IP4 (14 + 20)
#define LEN_IP6 (14 + 40)

static bool
declares(const uint32_t *declared, unsigned n, uint32_t type)
{
	for (unsigned i = 0; i < n; i++)
		if (declared[i] == type)
			return true;
	return false;
}

bool
ptype_map_make(struct ptype_map *map, const uint32_t *declared, unsigned n, bool tunnels)
{
	/* Behind an IPv6 header with extension headers, rules want to see the chain (RFC 8200 4). IPv4's options hide
	 * nothing from anybody, as long as the frame is long enough for them.
	 */
	static const struct {
		uint32_t l3, also;
		uint8_t class, min_len;
	} l3s[] = {
		{RTE_PTYPE_L3_IPV4, RTE_PTYPE_L3_IPV4, ICS_CLASS_ip4_other, LEN_IP4},
		{RTE_PTYPE_L3_IPV4_EXT, RTE_PTYPE_L3_IPV4_EXT, ICS_CLASS_ip4_other, LEN_IP4_OPTIONS},
		{RTE_PTYPE_L3_IPV4_EXT_UNKNOWN, RTE_PTYPE_L3_IPV4_EXT_UNKNOWN, ICS_CLASS_ip4_other, LEN_IP4_OPTIONS},
		{RTE_PTYPE_L3_IPV6, RTE_PTYPE_L3_IPV6_EXT, ICS_CLASS_ip6_other, LEN_IP6},
	};
	static const uint32_t l4s[] = {RTE_PTYPE_L4_TCP, RTE_PTYPE_L4_SCTP, RTE_PTYPE_L4_UDP};
	bool any = false;

	for (unsigned i = 0; i < sizeof(map->at) / sizeof(map->at[0]); i++) {
		map->at[i].class = ICS_CLASS_COUNT;
		map->at[i].min_len = UINT8_MAX;
	}
	atomic_store_explicit(&map->withdrawn, false, memory_order_relaxed);
	if (!declares(declared, n, RTE_PTYPE_L2_ETHER) || !declares(declared, n, RTE_PTYPE_L2_ETHER_VLAN) ||
	    !declares(declared, n, RTE_PTYPE_L4_FRAG))
		return false;
	for (unsigned i = 0; i < sizeof(l3s) / sizeof(l3s[0]); i++) {
		if (!declares(declared, n, l3s[i].l3) || !declares(declared, n, l3s[i].also))
			continue;
		for (unsigned k = 0; k < sizeof(l4s) / sizeof(l4s[0]); k++) {
			unsigned place = PLACE(l3s[i].l3, l4s[k]);

			/* Tunnels that are looked into may lie in UDP. */
			if (!declares(declared, n, l4s[k]) || (tunnels && l4s[k] == RTE_PTYPE_L4_UDP))
				continue;
			map->at[place].class = l3s[i].class;
			map->at[place].min_len = l3s[i].min_len;
			any = true;
		}
	}
	return any;
}
