/* Shared by the tests of groups and their detectors: hosts that join, leave and answer. */
#ifndef ICS_TEST_GROUP_H
#define ICS_TEST_GROUP_H

#include "test_host.h"

#define MAC_B "00:00:5e:00:53:11"
enum { IS_IN = 1, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK };
#define MALI (260 * S)

/* "02:00:5e:10:NN:NN" */
static inline const char *
host_mac(unsigned n, char buf[static 32])
{
	snprintf(buf, 32, "02:00:5e:%02x:%02x:%02x", 0x10 + (n >> 16), n >> 8 & 0xff, n & 0xff);
	return buf;
}

/* The solicited-node group of the nth address of a host, each its own. */
static inline const char *
snm_of(unsigned host, unsigned n, char buf[static 64])
{
	snprintf(buf, 64, "ff02::1:ff%02x:%x", host >> 4 & 0xff, (host & 0xf) << 12 | (n + 1));
	return buf;
}

static inline struct packet
report2(const char *mac)
{
	struct packet p = base_packet(BASE_report2);

	set_smac(&p, mac);
	set_len(&p, 8);
	set16(&p, 6, 0);
	return p;
}

/* sources: addresses split by blanks, NULL: none. */
static inline void
add_record(struct packet *p, unsigned type, const char *group, const char *sources)
{
	uint32_t off = p->len - p->l4;
	unsigned n = (unsigned)p->b[p->l4 + 6] << 8 | p->b[p->l4 + 7], n_sources = 0;
	char buf[512], *save = NULL;

	append_zero(p, 20);
	set8(p, off, (uint8_t)type);
	set_addr(p, off + 4, group);
	snprintf(buf, sizeof(buf), "%s", sources != NULL ? sources : "");
	for (char *s = strtok_r(buf, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save)) {
		append_zero(p, 16);
		set_addr(p, off + 20 + 16 * n_sources++, s);
	}
	set16(p, off + 2, (uint16_t)n_sources);
	set16(p, 6, (uint16_t)(n + 1));
}

static inline void
say2(struct rig *r, const char *mac, unsigned type, const char *group, const char *sources, uint64_t ts_ns)
{
	struct packet p = report2(mac);

	add_record(&p, type, group, sources);
	feed(r, &p, ts_ns);
}

/* Version 1: b is BASE_report1 or BASE_done1. */
static inline void
say1(struct rig *r, const char *mac, enum base b, const char *group, uint64_t ts_ns)
{
	struct packet p = base_packet(b);

	set_smac(&p, mac);
	set_addr(&p, 8, group);
	if (b == BASE_report1)
		set_dst(&p, group);
	feed(r, &p, ts_ns);
}

/* A host with n groups of its own tells them: an answer to a query, in packets of up to 60 records. */
static inline void
answer(struct rig *r, unsigned host, unsigned n, uint64_t ts_ns)
{
	char mac[32], group[64];

	for (unsigned i = 0; i < n;) {
		struct packet p = report2(host_mac(host, mac));

		for (unsigned k = 0; k < 60 && i < n; k++, i++)
			add_record(&p, IS_EX, snm_of(host, i, group), NULL);
		feed(r, &p, ts_ns);
	}
}

static inline void
answer_v1(struct rig *r, unsigned host, unsigned n, uint64_t ts_ns)
{
	char mac[32], group[64];

	for (unsigned i = 0; i < n; i++)
		say1(r, host_mac(host, mac), BASE_report1, snm_of(host, i, group), ts_ns);
}

static inline struct ics_model *
model_of(struct rig *r)
{
	return ics_engine_model(r->engine);
}

static inline const struct ics_host *
host_of(struct rig *r, const char *mac)
{
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	return ics_model_host_find(model_of(r), 0, &m);
}

static inline unsigned
groups_of(struct rig *r, const char *mac)
{
	const struct ics_host *h = host_of(r, mac);

	return h == NULL ? 0 : h->n_groups;
}

/* The membership; NULL: there is none. */
static inline const struct ics_member *
member_of(struct rig *r, const char *mac, const char *group)
{
	struct ics_mac m;
	struct ics_ip g;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	assert_int_equal(ics_ip_parse(group, &g), 0);
	return ics_model_member_find(model_of(r), 0, &m, &g);
}

#endif
