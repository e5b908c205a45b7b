/* The table of rules as others use it: names are API, texts are printed as they are, masks and look-ups agree. */
#include "test_common.h"

#include <errno.h>

static bool
is_name(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_'))
			return false;
	return true;
}

static void
test_names(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ICS_REASON_COUNT; n++) {
		const struct ics_reason_info *info = ics_reason_info(n);
		char dots[128];

		assert_true(is_name(info->name));
		/* unique, because the first that is found is itself */
		assert_int_equal(ics_reason_find(info->name), n);
		/* the catalogue writes a dot where the name has an underscore, or keeps the underscore */
		assert_true(strlen(info->id) < sizeof(dots));
		strcpy(dots, info->id);
		for (char *c = dots; *c != '\0'; c++)
			if (*c == '.')
				*c = '_';
		assert_string_equal(dots, info->name);
	}
	assert_int_equal(ics_reason_find("no_such_rule"), -ENOENT);
	assert_int_equal(ics_reason_find(""), -ENOENT);
	assert_null(ics_reason_info(ICS_REASON_COUNT));
}

static void
test_texts(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ICS_REASON_COUNT; n++) {
		const struct ics_reason_info *info = ics_reason_info(n);
		const char *const texts[] = {info->rfc, info->condition, info->receiver, info->section, info->id};

		for (unsigned i = 0; i < ICS_ARRAY_LEN(texts); i++) {
			assert_true(strlen(texts[i]) > 0);
			for (const char *c = texts[i]; *c != '\0'; c++)
				if (*c < ' ' || *c > '~' || *c == '|')
					fail_msg("%s: a text has an octet that is not printable ASCII, or a bar",
						 info->name);
		}
		assert_string_not_equal(ics_reason_class_name(info->cls), "?");
		assert_string_not_equal(ics_severity_name(info->severity), "?");
	}
}

/* strict: no class D rule that hosts apply; lenient: such rules, and all of them forgiven somewhere. */
static void
test_verdict(void **state)
{
	const struct ics_reasons none = {{0}};
	unsigned n_lenient = 0;

	(void)state;
	assert_true(ics_reasons_is_strict(&none));
	assert_false(ics_reasons_is_lenient(&none));
	for (unsigned n = 0; n < ICS_REASON_COUNT; n++) {
		const struct ics_reason_info *info = ics_reason_info(n);
		bool discards = info->cls == ICS_REASON_CLASS_D && !(info->flags & ICS_REASON_BRIDGE);
		bool forgiven = info->flags & ICS_REASON_LENIENT;
		struct ics_reasons r = {{0}};

		ics_reasons_add(&r, (enum ics_reason)n);
		assert_false(ics_reasons_empty(&r));
		assert_int_equal(ics_reasons_is_strict(&r), !discards);
		assert_int_equal(ics_reasons_is_lenient(&r), discards && forgiven);
		n_lenient += discards && forgiven;
		/* One rule that nobody forgives is enough. */
		ics_reasons_add(&r, ICS_REASON_nd_hop_limit);
		assert_false(ics_reasons_is_strict(&r));
		assert_false(ics_reasons_is_lenient(&r));
	}
	assert_true(n_lenient > 0);
}

static void
test_foreach(void **state)
{
	static const enum ics_reason in[] = {ICS_REASON_eth_smac_invalid, ICS_REASON_nd_hop_limit,
					     ICS_REASON_ptb_mtu_zero, ICS_REASON_ext_legacy_no_length};
	struct ics_reasons r = {{0}};
	unsigned n, i = 0;

	(void)state;
	for (i = 0; i < ICS_ARRAY_LEN(in); i++)
		ics_reasons_add(&r, in[i]);
	i = 0;
	ICS_REASONS_FOREACH(n, &r) {
		assert_true(i < ICS_ARRAY_LEN(in));
		assert_int_equal(n, in[i++]);
	}
	assert_int_equal(i, ICS_ARRAY_LEN(in));
}

static void
test_severities(void **state)
{
	(void)state;
	for (enum ics_severity s = ICS_SEV_INFO; s <= ICS_SEV_CRITICAL; s++)
		assert_int_equal(ics_severity_of_name(ics_severity_name(s)), s);
	assert_int_equal(ics_severity_of_name("CRITICAL"), ICS_SEV_INFO);
	assert_int_equal(ics_severity_of_name(""), ICS_SEV_INFO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),   cmocka_unit_test(test_texts),      cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_foreach), cmocka_unit_test(test_severities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
