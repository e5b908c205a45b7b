/* Maintenance windows, over one bad day in which most detectors of routers, neighbors and hosts find something: muted as a
 * whole each finding is recorded and raises nothing, muted by name just that one.
 */
#include "test_nb.h"

#define SETTINGS "detect.learn_s=0 detect.route_limit=6"

static const char *const names[] = {
	"router_lifetime_zero",
	"router_flag_cleared",
	"router_flap",
	"route_slot_exhaustion",
	"router_new",
	"router_gateway_mac_changed",
	"router_expiring",
	"router_ra_interval",
	"ra_inconsistent",
	"ra_param_change",
	"ra_flood",
	"ra_prefix_withdrawn",
	"router_preference_hijack",
	"ra_guard_evasion",
	"dad_conflict",
	"dad_denial",
	"nb_spoof",
	"nb_flip_flop",
	"nb_lla_mismatch",
	"nd_scan",
	"nd_flood",
	"redirect_rogue",
	"redirect_storm",
	"host_addr_excess",
	"host_temp_churn",
};

/* The router does everything wrong that a router can. */
static uint64_t
bad_router(struct rig *r)
{
	struct packet hop = base_packet(BASE_ra), gone = base_packet(BASE_ra), hidden = base_packet(BASE_ra);
	struct packet forged = ra_from("fe80::1", MAC_X, 1800, 0), rogue = ra_from("fe80::66", MAC_X, 1800, 0x08);
	struct packet other = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = T0 + 700 * S;

	set8(&hop, 4, 8);
	feed(r, &hop, t);
	feed_base(r, BASE_ra, t + 100 * S);
	set32(&gone, 28, 0);
	set32(&gone, 32, 0);
	feed(r, &gone, t += 200 * S);
	set8(&other, 4, 32);
	for (unsigned i = 0; i < 4; i++) {
		feed_base(r, BASE_ra, t += 100 * S);
		feed(r, &other, t += 100 * S);
	}
	for (unsigned i = 0; i < 8; i++)
		feed(r, &other, t += S);
	feed_base(r, BASE_ra, t += S);
	for (unsigned i = 0; i < 4; i++) {
		feed_base(r, i % 2 == 0 ? BASE_inc_ra : BASE_inc_na, t += 10 * S);
		feed_base(r, BASE_ra, t += 10 * S);
	}
	feed(r, &rogue, t += S);
	feed(r, &forged, t += S);
	add_ext(&hidden, ICS_PROTO_FRAGMENT, "0000 0000 00000009");
	feed(r, &hidden, t += S);
	ics_engine_tick(r->engine, t += 1900 * S);
	return t;
}

static uint64_t
bad_hosts(struct rig *r, uint64_t t)
{
	struct packet redirect = base_packet(BASE_redirect), p;
	char addr[ICS_IP_STRLEN], mac[32];

	/* X denies the addresses of others. */
	for (unsigned i = 0; i < 4; i++) {
		snprintf(addr, sizeof(addr), "fe80::a:%x", i + 1);
		snprintf(mac, sizeof(mac), "00:00:5e:00:55:%02x", i);
		p = dad_of(mac, addr, NULL);
		feed(r, &p, t += S);
		p = na_of(MAC_X, addr, NULL, addr, MAC_X, NA_OVERRIDE);
		feed(r, &p, t + 100 * MS);
	}
	/* Two MACs claim one address in turn. */
	for (unsigned i = 0; i < 12; i++) {
		const char *m = i % 2 == 0 ? MAC_B : MAC_X;

		p = na_of(m, ADDR_B, NULL, ADDR_B, m, NA_OVERRIDE);
		feed(r, &p, t += S);
	}
	p = na_of(MAC_X, "fe80::66", NULL, "fe80::1", MAC_B, NA_OVERRIDE);
	feed(r, &p, t += S);
	set_smac(&redirect, MAC_X);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(addr, sizeof(addr), "2001:db8:9::%x", i + 1);
		set_addr(&redirect, 24, addr);
		feed(r, &redirect, t += 50 * MS);
	}
	/* One host takes forty random addresses within the hour. */
	for (unsigned i = 0; i < 40; i++) {
		snprintf(addr, sizeof(addr), "2001:db8:1:0:8a3f:%x:77b1:%x", 0x5b71 + i * 37, 0x2345 + i * 911);
		p = dad_of(MAC_H, addr, NULL);
		feed(r, &p, t += 10 * S);
	}
	return t;
}

static void
bad_floods(struct rig *r, uint64_t t)
{
	struct packet p = base_packet(BASE_ns);
	char addr[ICS_IP_STRLEN], snm[ICS_IP_STRLEN], mac[32];

	for (unsigned i = 0; i < 1500; i++) {
		snprintf(addr, sizeof(addr), "2001:db8:1::f:%x", i + 1);
		set_addr(&p, 8, addr);
		snm_of(addr, snm);
		set_dst(&p, snm);
		feed(r, &p, t += 4 * MS);
	}
	t += 60 * S;
	for (unsigned i = 0; i < 30; i++) {
		snprintf(addr, sizeof(addr), "fe80::f:%x", i + 1);
		snprintf(mac, sizeof(mac), "02:66:00:00:00:%02x", i);
		p = ra_from(addr, mac, 1800, 0);
		feed(r, &p, t += 50 * MS);
	}
}

static struct rig *
bad_day(const char *mute)
{
	char settings[256];
	struct rig *r;

	snprintf(settings, sizeof(settings), SETTINGS "%s%s", mute[0] != '\0' ? " detect.mute=" : "", mute);
	r = rig_new(settings);
	learn(r);
	bad_floods(r, bad_hosts(r, bad_router(r)));
	return r;
}

static void
test_nothing_muted(void **state)
{
	struct rig *r = bad_day("");
	const struct ics_anomaly *a;

	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(names); i++)
		if (detector(r, names[i])->fired == 0)
			fail_msg("%s found nothing", names[i]);
	for (unsigned n = 1; (a = nth_anomaly(r, n)) != NULL; n++)
		assert_false(a->muted);
	rig_free(r);
}

static void
test_all_muted(void **state)
{
	struct rig *open = bad_day(""), *r = bad_day("*");
	const struct ics_anomaly *a;
	struct ics_anomaly_stats st;

	(void)state;
	for (unsigned n = 1; (a = nth_anomaly(r, n)) != NULL; n++)
		if (!a->muted)
			fail_msg("%s is not muted", a->detector);
	ics_anomaly_stats(r->store, &st);
	assert_int_equal(st.open, 0);
	/* Recorded all the same. */
	for (unsigned i = 0; i < ICS_ARRAY_LEN(names); i++) {
		assert_int_equal(detector(r, names[i])->fired, detector(open, names[i])->fired);
		assert_string_equal(detector(r, names[i])->state, "muted");
	}
	rig_free(open);
	rig_free(r);
}

static void
test_one_muted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(names); i++) {
		struct rig *r = bad_day(names[i]);
		const struct ics_anomaly *a;
		unsigned muted = 0;

		for (unsigned n = 1; (a = nth_anomaly(r, n)) != NULL; n++) {
			if (a->muted != (strcmp(a->detector, names[i]) == 0))
				fail_msg("%s is %s while %s is muted", a->detector, a->muted ? "muted" : "not muted",
					 names[i]);
			muted += a->muted;
		}
		assert_true(muted > 0);
		rig_free(r);
	}
}

/* Windows end. */
static void
test_until(void **state)
{
	struct rig *r = bad_day("*/2016-05-12T00:00:00Z");
	const struct ics_anomaly *a;

	(void)state;
	for (unsigned n = 1; (a = nth_anomaly(r, n)) != NULL; n++)
		assert_false(a->muted);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_muted),
		cmocka_unit_test(test_all_muted),
		cmocka_unit_test(test_one_muted),
		cmocka_unit_test(test_until),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
