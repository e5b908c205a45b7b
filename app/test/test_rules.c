/* Runs the test of every rule, each with packets that break it and packets that do not, and then asks the
 * registry whether that was so. The base packets themselves come first.
 */
#include "test_rules.h"

/* A valid packet breaks no rule; these four say something worth a rule all the same. */
static const char *
expected_of(enum base b)
{
	switch (b) {
	case BASE_fragneeded_zero:
		return "icmp4_fragneeded_mtu_zero";
	case BASE_quench:
		return "icmp4_sq_seen";
	default:
		return NULL;
	}
}

static void
test_bases(void **state)
{
	(void)state;
	for (unsigned b = 0; b < BASE_COUNT; b++) {
		struct packet p = base_packet((enum base)b);
		const char *expected = expected_of((enum base)b);
		struct ics_pkt pkt;

		p.raw = true;
		if (expected != NULL) {
			fires(&p, expected);
			continue;
		}
		inspect(&p, &pkt);
		if (!ics_reasons_empty(&pkt.reasons))
			fail_msg("%s breaks a rule", base_name((enum base)b));
		assert_true(pkt.flags & ICS_PKT_ICMP);
		assert_false(pkt.flags & (ICS_PKT_UNPARSED | ICS_PKT_CAP_TRUNC));
	}
}

/* Repairing what is not broken changes nothing: the helpers compute what the senders of the bases did. */
static void
test_repair(void **state)
{
	(void)state;
	for (unsigned b = 0; b < BASE_COUNT; b++) {
		struct packet p = base_packet((enum base)b), q = p;

		repair(&q);
		assert_int_equal(p.len, q.len);
		assert_memory_equal(p.b, q.b, p.len);
	}
}

static void
test_every_rule_has_both(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ICS_REASON_COUNT; n++) {
		const struct ics_reason_info *info = ics_reason_info(n);

		/* Rules with memory are the control core's, and provoked in its tests. */
		if (!(info->flags & ICS_REASON_STATEFUL) && !is_provoked((enum ics_reason)n))
			fail_msg("nothing provokes %s", info->name);
		if (!is_negated((enum ics_reason)n))
			fail_msg("nothing shows %s silent", info->name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_bases),
#define REASON(name, id, section, cls, sev, flags, rfc, cond, recv) cmocka_unit_test(rule_##name),
#include "reasons.def"
#undef REASON
		cmocka_unit_test(test_every_rule_has_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
