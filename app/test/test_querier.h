/* Shared by the tests of MLD queriers: queries of any kind, and hosts by number that report groups by number. */
#ifndef ICS_TEST_QUERIER_H
#define ICS_TEST_QUERIER_H

#include "test_slow.h"

#define Q1 "fe80::1"
#define Q5 "fe80::5"
#define MAC_Q1 "00:00:5e:00:53:01"
#define MAC_Q5 "00:00:5e:00:53:05"
#define QQIC_125 0x7d

/* To all nodes, about all groups. mrc and qqic as they are on the wire; version 1 has no qqic and rv. */
static inline struct packet
query_of(unsigned version, const char *addr, const char *mac, unsigned mrc, unsigned qqic, unsigned rv)
{
	struct packet p = base_packet(version == 1 ? BASE_query1 : BASE_query2);

	set_src(&p, addr);
	set_smac(&p, mac);
	set16(&p, 4, (uint16_t)mrc);
	if (version == 2) {
		set8(&p, 24, (uint8_t)rv);
		set8(&p, 25, (uint8_t)qqic);
	}
	return p;
}

static inline struct packet
query2(const char *addr, const char *mac)
{
	return query_of(2, addr, mac, 10000, QQIC_125, 2);
}

static inline struct packet
query1(const char *addr, const char *mac)
{
	return query_of(1, addr, mac, 10000, 0, 0);
}

/* Of host n, from 1 on, about its group g. */
static inline struct packet
report_of(unsigned version, unsigned n, unsigned g)
{
	struct packet p = base_packet(version == 1 ? BASE_report1 : BASE_report2);
	char mac[ICS_MAC_STRLEN], addr[40], group[40];

	snprintf(mac, sizeof(mac), "02:00:00:00:%02x:%02x", n >> 8 & 0xff, n & 0xff);
	snprintf(addr, sizeof(addr), "fe80::1:%x", n);
	snprintf(group, sizeof(group), "ff15::%x:%x", n, g + 1);
	set_smac(&p, mac);
	set_src(&p, addr);
	if (version == 1)
		set_dst(&p, group);
	set_addr(&p, version == 1 ? 8 : 12, group);
	return p;
}

static inline void
feed_report(struct rig *r, unsigned version, unsigned n, unsigned g, uint64_t ts)
{
	struct packet p = report_of(version, n, g);

	feed(r, &p, ts);
}

/* n of them from t on, one every step; returns the time of the last. */
static inline uint64_t
feed_every(struct rig *r, const struct packet *p, unsigned n, uint64_t t, uint64_t step)
{
	for (unsigned i = 0; i < n; i++)
		feed(r, p, t + i * step);
	return t + (n - 1) * step;
}

/* A rig that looks at one detector. */
static inline struct rig *
rig_watching(const char *detector, const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = detector;
	return r;
}

#endif
