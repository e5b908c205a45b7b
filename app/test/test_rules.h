/* One function a rule, named after it, spread over the files test_rules_*.c; test_rules.c calls them all in the
 * order of reasons.def, so that a rule without a test does not link.
 */
#ifndef ICS_TEST_RULES_H
#define ICS_TEST_RULES_H

#include "test_common.h"

#define REASON(name, id, section, cls, sev, flags, rfc, cond, recv) void rule_##name(void **state);
#include "reasons.def"
#undef REASON

#define RULE(name) void rule_##name(void **state __attribute__((unused)))

#endif
