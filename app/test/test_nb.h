/* Shared by the tests of the neighbor detectors: stations by number, and the messages that they send. */
#ifndef ICS_TEST_NB_H
#define ICS_TEST_NB_H

#include "test_slow.h"

#define MAC_H "00:00:5e:00:53:10"
#define MAC_B "00:00:5e:00:53:11"
#define ADDR_H "2001:db8:1::10"
#define ADDR_B "2001:db8:1::11"

#define NA_ROUTER 0x80
#define NA_SOLICITED 0x40
#define NA_OVERRIDE 0x20

/* A rig that looks at these detectors alone. */
static inline struct rig *
nb_rig(const char *settings)
{
	struct rig *r = rig_new(settings);

	r->watched = "dad_conflict dad_denial nb_spoof nb_flip_flop nb_lla_mismatch nd_scan nd_flood redirect_rogue "
		     "redirect_storm";
	return r;
}

static inline void
set_lla(struct packet *p, uint32_t off, const char *mac)
{
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	for (unsigned i = 0; i < 6; i++)
		set8(p, off + 2 + i, m.b[i]);
}

/* To all nodes when dst is NULL. */
static inline struct packet
na_of(const char *smac, const char *src, const char *dst, const char *target, const char *tlla, unsigned flags)
{
	struct packet p = base_packet(BASE_inc_na);

	set_src(&p, src);
	set_dst(&p, dst != NULL ? dst : "ff02::1");
	set_smac(&p, smac);
	set8(&p, 4, (uint8_t)flags);
	set_addr(&p, 8, target);
	if (tlla != NULL)
		set_lla(&p, 24, tlla);
	else
		set_len(&p, 24);
	return p;
}

static inline void
snm_of(const char *target, char buf[static ICS_IP_STRLEN])
{
	struct ics_ip a;

	assert_int_equal(ics_ip_parse(target, &a), 0);
	snprintf(buf, ICS_IP_STRLEN, "ff02::1:ff%02x:%02x%02x", a.b[13], a.b[14], a.b[15]);
}

static inline struct packet
ns_of(const char *smac, const char *src, const char *target, const char *slla)
{
	struct packet p = base_packet(BASE_ns);
	char group[ICS_IP_STRLEN];

	snm_of(target, group);
	set_src(&p, src);
	set_dst(&p, group);
	set_smac(&p, smac);
	set_addr(&p, 8, target);
	set_lla(&p, 24, slla != NULL ? slla : smac);
	return p;
}

/* nonce: twelve hex digits, or NULL for none. */
static inline struct packet
dad_of(const char *smac, const char *target, const char *nonce)
{
	struct packet p = base_packet(BASE_dad);
	char group[ICS_IP_STRLEN];

	snm_of(target, group);
	set_dst(&p, group);
	set_smac(&p, smac);
	set_addr(&p, 8, target);
	if (nonce != NULL)
		set_hex(&p, 26, nonce);
	else
		set_len(&p, 24);
	return p;
}

static inline const struct ics_detector_info *
info_of(struct rig *r, const char *name)
{
	const struct ics_detector_info *i = NULL;

	for (unsigned n = 0; (i = ics_engine_detector(r->engine, n)) != NULL; n++)
		if (strcmp(i->name, name) == 0)
			return i;
	fail_msg("no detector %s", name);
	return NULL;
}

/* The first anomaly of a detector, NULL when there is none; n counts them. */
static inline const struct ics_anomaly *
found(struct rig *r, const char *name, unsigned *n)
{
	const struct ics_anomaly *first = NULL, *a;
	unsigned count = 0;

	for (unsigned i = 1; (a = nth_anomaly(r, i)) != NULL; i++) {
		if (strcmp(a->detector, name) != 0)
			continue;
		if (first == NULL)
			first = a;
		count++;
	}
	if (n != NULL)
		*n = count;
	return first;
}

static inline const struct ics_anomaly *
the_only(struct rig *r, const char *name)
{
	unsigned n;
	const struct ics_anomaly *a = found(r, name, &n);

	assert_int_equal(n, 1);
	return a;
}

#define assert_silent(r, name) assert_null(found((r), (name), NULL))

#endif
