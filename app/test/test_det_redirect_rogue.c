/* redirect_rogue over sequences of frames in fake time. */
#include "test_nb.h"

#define RR "redirect_rogue"

/* R and R2 advertise; returns the time of the last RA. */
static uint64_t
two_routers(struct rig *r)
{
	struct packet second = ra_from("fe80::2", MAC_R2, 1800, 0);
	uint64_t t = learn(r);

	feed(r, &second, t);
	return t;
}

static void
foreign_sender(void **state)
{
	struct packet p = base_packet(BASE_redirect);
	struct rig *r = nb_rig(NULL);
	uint64_t t = two_routers(r);

	set_smac(&p, MAC_X);
	feed(r, &p, t + S);

	const struct ics_anomaly *a = the_only(r, RR);
	assert_finding(a, RR, "foreign_mac", "critical");
	assert_string_equal(a->subject[0].text, "fe80::1");
	assert_string_equal(a->subject[1].text, MAC_X);
	assert_string_equal(fact_text(a, "destination"), "2001:db8:9::9");
	assert_string_equal(fact_text(a, "target"), "fe80::2");
	assert_string_equal(fact_text(a, "host"), ADDR_H);
	assert_string_equal(fact_text(a, "tlla"), MAC_R2);
	assert_string_equal(fact_text(a, "quoted_flow"), "not assessed");
	feed(r, &p, t + 100 * S);
	assert_int_equal(the_only(r, RR)->count, 2);
	ics_engine_tick(r->engine, t + 699 * S);
	assert_int_equal(the_only(r, RR)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, t + 700 * S);
	assert_int_equal(the_only(r, RR)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
not_the_first_hop(void **state)
{
	struct packet p = base_packet(BASE_redirect);
	struct rig *r = nb_rig(NULL);
	uint64_t t = learn(r);

	set_src(&p, "fe80::66");
	set_smac(&p, MAC_X);
	feed(r, &p, t + S);
	assert_finding(the_only(r, RR), RR, "not_first_hop", "critical");
	assert_string_equal(fact_text(the_only(r, RR), "variants"), "not_first_hop,target_no_router");
	rig_free(r);

	/* A router that withdrew is none. */
	struct packet gone = ra_from("fe80::2", MAC_R2, 0, 0);
	p = base_packet(BASE_redirect);
	set_src(&p, "fe80::2");
	set_smac(&p, MAC_R2);
	set_addr(&p, 8, "fe80::1");
	r = nb_rig("detect.nondefault_ok=fe80::2");
	t = learn(r);
	feed(r, &gone, t);
	feed(r, &p, t + S);
	assert_finding(the_only(r, RR), RR, "not_first_hop", "critical");
	rig_free(r);
}

static void
bad_targets(void **state)
{
	struct packet p = base_packet(BASE_redirect), known = ns_of(MAC_B, ADDR_B, "fe80::1", NULL);
	struct rig *r = nb_rig(NULL);
	uint64_t t = learn(r);

	feed(r, &p, t + S); /* fe80::2 is no router here */
	assert_finding(the_only(r, RR), RR, "target_no_router", "critical");
	rig_free(r);

	/* To a neighbor, with the MAC of another. */
	r = nb_rig(NULL);
	t = learn(r);
	set_addr(&p, 8, ADDR_B);
	set_addr(&p, 24, ADDR_B);
	set_lla(&p, 40, MAC_X);
	feed(r, &known, t);
	feed(r, &p, t + S);
	assert_finding(the_only(r, RR), RR, "other_mac", "critical");
	rig_free(r);

	r = nb_rig(NULL);
	t = learn(r);
	set_lla(&p, 40, MAC_B);
	feed(r, &known, t);
	feed(r, &p, t + S);
	assert_silent(r, RR);
	rig_free(r);
}

static void
rightful_redirects(void **state)
{
	struct packet p = base_packet(BASE_redirect), chain = base_packet(BASE_redirect),
		      other = base_packet(BASE_redirect);
	struct packet r_na = base_packet(BASE_na);
	struct rig *r = nb_rig(NULL);
	uint64_t t = two_routers(r);

	feed(r, &p, t + S);
	assert_silent(r, RR);
	rig_free(r);

	/* Gateways set by hand, by configuration or by what they say of themselves. */
	r = nb_rig("detect.gateways=fe80::1,fe80::2 detect.learn_s=0");
	feed(r, &p, T0);
	assert_silent(r, RR);
	rig_free(r);
	r = nb_rig("detect.learn_s=0");
	feed(r, &r_na, T0);
	feed(r, &p, T0 + S);
	assert_silent(r, RR);
	rig_free(r);

	/* Where nothing was heard yet, nothing is proved. */
	r = nb_rig(NULL);
	feed(r, &p, T0);
	assert_silent(r, RR);
	rig_free(r);

	/* The router that hosts were sent to sends them on, for ten minutes. */
	struct packet na = na_of("00:00:5e:00:53:03", "fe80::3", ADDR_H, "fe80::3", "00:00:5e:00:53:03",
				 NA_ROUTER | NA_SOLICITED | NA_OVERRIDE);
	r = nb_rig(NULL);
	t = learn(r);
	feed(r, &na, t);
	set_addr(&p, 8, "fe80::3");
	set_lla(&p, 40, "00:00:5e:00:53:03");
	feed(r, &p, t + S);
	set_src(&chain, "fe80::3");
	set_smac(&chain, "00:00:5e:00:53:03");
	set_addr(&chain, 8, "fe80::1");
	feed(r, &chain, t + 2 * S);
	assert_silent(r, RR);
	feed(r, &chain, t + 601 * S);
	assert_finding(the_only(r, RR), RR, "not_first_hop", "critical");
	rig_free(r);

	/* From another address of the router: hosts ignore it, which is a note. */
	r = nb_rig(NULL);
	t = two_routers(r);
	set_src(&other, "fe80::200:5eff:fe00:5301");
	feed(r, &other, t + S);
	assert_finding(the_only(r, RR), RR, "other_address", "info");
	rig_free(r);

	/* Invalid ones have a rule. */
	p = base_packet(BASE_redirect);
	r = nb_rig(NULL);
	t = learn(r);
	set_smac(&p, MAC_X);
	set_ip8(&p, 7, 64);
	feed(r, &p, t + S);
	assert_silent(r, RR);
	rig_free(r);
}

/* UDP of host H from port 0x1234 + n to 2001:db8:9::9 port 53: the IPv6 packet. */
#define QUOTE_HEAD                                                                                                     \
	"6000000000081140"                                                                                             \
	"20010db8000100000000000000000010"                                                                             \
	"20010db8000900000000000000000009"

static void
send_data(struct rig *r, uint64_t ts_ns)
{
	struct packet p = hex_packet("00005e00530100005e00531086dd" QUOTE_HEAD "1234003500080000");

	p.raw = true;
	feed(r, &p, ts_ns);
}

static struct packet
redirect_quoting(const char *ports)
{
	struct packet p = base_packet(BASE_redirect);

	append_hex(&p, "0407000000000000" QUOTE_HEAD);
	append_hex(&p, ports);
	append_hex(&p, "00080000");
	return p;
}

/* E3: the quoted flow was seen, or it never was though the tap sees what the host sends. */
static void
quoted_flow(void **state)
{
	struct packet sent = redirect_quoting("12340035"), never = redirect_quoting("12350035");
	struct packet h = ns_of(MAC_H, ADDR_H, "fe80::1", NULL);
	struct rig *r = nb_rig(NULL);
	uint64_t t;

	rig_sample(r);
	t = two_routers(r);
	feed(r, &h, t);
	send_data(r, t + S);
	feed(r, &sent, t + 20 * S);
	assert_silent(r, RR);
	feed(r, &never, t + 21 * S);
	assert_finding(the_only(r, RR), RR, "never_sent", "critical");
	assert_string_equal(fact_text(the_only(r, RR), "quoted_flow"), "never seen");
	rig_free(r);

	/* Nothing that the host sends comes past the tap, or the sampler is off. */
	for (unsigned i = 0; i < 2; i++) {
		r = nb_rig(NULL);
		if (i == 0)
			rig_sample(r);
		t = two_routers(r);
		feed(r, &h, t);
		if (i == 1)
			send_data(r, t + S);
		feed(r, &never, t + 20 * S);
		assert_silent(r, RR);
		rig_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_sender), cmocka_unit_test(not_the_first_hop),
		cmocka_unit_test(bad_targets),    cmocka_unit_test(rightful_redirects),
		cmocka_unit_test(quoted_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
