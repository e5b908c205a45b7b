/* Packet types that a NIC writes into its mbufs (rte_mbuf_ptype.h): which of them settle a frame without a look at its octets
 * ([worker] trust_ptype). Only what leaves no doubt does: plain Ethernet, IPv4 or IPv6 without extension headers, TCP, UDP or
 * SCTP that is not fragmented, in no tunnel. Made by port.c from what the driver declares, asked by worker.c.
 */
#ifndef ICMPSCOPE_PTYPE_H
#define ICMPSCOPE_PTYPE_H

#include "ics_classify.h"

#include <rte_mbuf_ptype.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Declared types that are looked at; drivers have some forty. */
#define PTYPE_LIST_MAX 256

struct ptype_map {
	/* By L3 and L4 of a packet type: the class, and the least octets of a frame of which it may be said. */
	struct {
		uint8_t class; /* ICS_CLASS_COUNT: look at the frame */
		uint8_t min_len;
	} at[256];
	_Atomic bool withdrawn; /* a frame was another than its type said: never believed again */
};

/* declared: types of single layers, as rte_eth_dev_get_supported_ptypes() lists them. tunnels: whether any is looked into.
 * False: none of them can be believed.
 */
bool ptype_map_make(struct ptype_map *map, const uint32_t *declared, unsigned n, bool tunnels);

/* len: octets of the frame. */
static inline enum ics_class
ptype_class(const struct ptype_map *map, uint32_t packet_type, uint32_t len)
{
	unsigned i = packet_type >> 4 & 0xff;

	/* Tags, tunnels and whatever lies inside of them are other bits. */
	if ((packet_type & ~(RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK)) != RTE_PTYPE_L2_ETHER || len < map->at[i].min_len)
		return ICS_CLASS_COUNT;
	return (enum ics_class)map->at[i].class;
}

#endif
