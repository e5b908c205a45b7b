/* Shared by the tests of the host and address detectors: hosts that take addresses, and data of hosts. */
#ifndef ICS_TEST_HOST_H
#define ICS_TEST_HOST_H

#include "test_slow.h"

#define MAC_H "00:00:5e:00:53:10"
#define HOUR (3600 * S)

/* Duplicate address detection of mac for addr. */
static inline void
take_address(struct rig *r, const char *mac, const char *addr, uint64_t ts_ns)
{
	struct packet p = base_packet(BASE_dad);

	set_smac(&p, mac);
	set_addr(&p, 8, addr);
	feed(r, &p, ts_ns);
}

/* The n-th random address of a host in 2001:db8:PREFIX::/64. */
static inline const char *
random_address(unsigned prefix, unsigned n, char buf[static 64])
{
	snprintf(buf, 64, "2001:db8:%x:0:%x:%x:%x:%x", prefix, 0x8a3f ^ n, 0x5b71, 0xc2d4, 0x9e00 + n);
	return buf;
}

/* mac says that it has addr: an NA, to one who asked with the solicited flag (0x40) and else to all. */
static inline void
announce(struct rig *r, const char *mac, const char *addr, unsigned flags, uint64_t ts_ns)
{
	struct packet p = base_packet(BASE_inc_na);
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	set_smac(&p, mac);
	set_src(&p, addr);
	set_addr(&p, 8, addr);
	if (flags & 0x40)
		set_dst(&p, "fe80::1");
	set8(&p, 4, (uint8_t)flags);
	for (unsigned i = 0; i < 6; i++)
		set8(&p, 26 + i, m.b[i]);
	feed(r, &p, ts_ns);
}

/* Data (UDP) from src, as a record of the class that frames without ICMP have. */
static inline void
send_data(struct rig *r, const char *mac, const char *src, uint64_t ts_ns)
{
	struct packet p = base_packet(BASE_ns);
	struct ics_record rec;

	set_smac(&p, mac);
	set_src(&p, src);
	set_dst(&p, "2001:db8:9::9");
	make_udp(&p);
	r->frame_no++;
	rec = (struct ics_record){.ts_ns = ts_ns,
				  .class = ICS_CLASS_ip6_other,
				  .vlan_outer = ICS_VLAN_NONE,
				  .vlan_inner = ICS_VLAN_NONE,
				  .l3_off = (uint16_t)p.l3,
				  .cap_len = (uint16_t)p.len,
				  .wire_len = (uint16_t)p.len,
				  .encap = ICS_LINK_ETHERNET << 5,
				  .flags = ICS_REC_STRICT};
	ics_engine_feed(r->engine, &rec, (struct ics_view){p.b, p.len}, r->frame_no);
}

#endif
