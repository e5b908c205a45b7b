/* Shared by the tests of ICMP errors: messages about packets of one host to one far end, in both versions. */
#ifndef ICS_TEST_PMTU_H
#define ICS_TEST_PMTU_H

#include "test_slow.h"

#define MAC_H "00:00:5e:00:53:10"
#define HOST4 "192.0.2.10"
#define FAR4 "198.51.100.9"
#define REPORTER4 "203.0.113.1"
#define HOST6 "2001:db8:1::10"
#define FAR6 "2001:db8:9::9"
#define REPORTER6 "2001:db8:ff::1"

static inline bool
is_v4(const struct packet *p)
{
	return p->b[p->l3] >> 4 == 4;
}

/* Which packet it was: from host to far, so long, of that protocol between those ports. */
static inline void
quote_host(struct packet *p, const char *host)
{
	set_dst(p, host);
	set_dmac(p, MAC_H);
	set_addr(p, is_v4(p) ? 20 : 16, host);
}

static inline void
quote_far(struct packet *p, const char *far)
{
	set_addr(p, is_v4(p) ? 24 : 32, far);
}

static inline void
quote_len(struct packet *p, unsigned len)
{
	if (is_v4(p))
		set16(p, 10, (uint16_t)len);
	else
		set16(p, 12, (uint16_t)(len - 40));
}

static inline void
quote_proto(struct packet *p, uint8_t proto)
{
	set8(p, is_v4(p) ? 17 : 14, proto);
}

static inline void
quote_ttl(struct packet *p, uint8_t ttl)
{
	set8(p, is_v4(p) ? 16 : 15, ttl);
}

static inline void
quote_ports(struct packet *p, unsigned sport, unsigned dport)
{
	set16(p, is_v4(p) ? 28 : 48, (uint16_t)sport);
	set16(p, is_v4(p) ? 30 : 50, (uint16_t)dport);
}

static inline void
tell_mtu(struct packet *p, uint32_t mtu)
{
	if (is_v4(p))
		set16(p, 6, (uint16_t)mtu);
	else
		set32(p, 4, mtu);
}

static inline const struct ics_anomaly *
nth_of(struct rig *r, const char *name, unsigned n)
{
	r->watched = name;
	return nth_anomaly(r, n);
}

static inline unsigned
count_of(struct rig *r, const char *name)
{
	r->watched = name;
	return count_anomalies(r);
}

static inline const struct ics_anomaly *
only(struct rig *r, const char *name)
{
	assert_int_equal(count_of(r, name), 1);
	return nth_of(r, name, 1);
}

static inline struct ics_ip
ip_of(const char *text)
{
	struct ics_ip ip;

	assert_int_equal(ics_ip_parse(text, &ip), 0);
	return ip;
}

static inline const struct ics_path *
path_of(struct rig *r, const char *host, const char *far)
{
	struct ics_segment_key k = {.vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};
	struct ics_ip h = ip_of(host), f = ip_of(far);

	return ics_path_find(ics_engine_model(r->engine), ics_path_context(&k), &h, &f, ICS_PATH_CLASSES);
}

/* What the TCP sampler tells, as a record of its own. */
static inline void
feed_sample(struct rig *r, const struct ics_sample *s, uint64_t ts_ns)
{
	struct packet p = base_packet(ics_ip6_is_v4mapped(s->src.b) ? BASE_fragneeded : BASE_ptb);
	uint8_t bytes[sizeof(*s) + ICS_SAMPLE_FRAME_MAX];
	struct ics_record rec = {
		.ts_ns = ts_ns,
		.frame_hash = ts_ns | 1,
		.class = ICS_RECORD_SAMPLE,
		.flags = ICS_REC_STRICT,
		.encap = ICS_LINK_ETHERNET << 5,
		.vlan_outer = ICS_VLAN_NONE,
		.vlan_inner = ICS_VLAN_NONE,
		.l3_off = 14,
		.cap_len = sizeof(*s) + 64,
		.wire_len = 64,
	};

	memcpy(bytes, s, sizeof(*s));
	memcpy(bytes + sizeof(*s), p.b, 64);
	r->frame_no++;
	ics_engine_feed(r->engine, &rec, (struct ics_view){bytes, rec.cap_len}, r->frame_no);
}

#endif
