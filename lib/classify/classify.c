/* The tables behind ics_classify.h. */
#include "ics_classify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define ROW(type, name) [type] = ICS_CLASS_##name

/* Types not named below stay "other": the tables are filled with it first. */
#define FILL(name) [0 ... 255] = ICS_CLASS_##name

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif

const uint8_t ics_class_icmp6[256] = {
	FILL(icmp6_other),
	ROW(1, icmp6_unreach),
	ROW(2, icmp6_too_big),
	ROW(3, icmp6_time_exceeded),
	ROW(4, icmp6_param_problem),
	ROW(128, icmp6_echo_request),
	ROW(129, icmp6_echo_reply),
	ROW(130, mld_query),
	ROW(131, mld1_report),
	ROW(132, mld1_done),
	ROW(133, nd_rs),
	ROW(134, nd_ra),
	ROW(135, nd_ns),
	ROW(136, nd_na),
	ROW(137, nd_redirect),
	ROW(143, mld2_report),
	ROW(151, mrd),
	ROW(152, mrd),
	ROW(153, mrd),
};

const uint8_t ics_class_icmp4[256] = {
	FILL(icmp4_other),      ROW(0, icmp4_echo_reply),   ROW(3, icmp4_unreach),        ROW(4, icmp4_source_quench),
	ROW(5, icmp4_redirect), ROW(8, icmp4_echo_request), ROW(11, icmp4_time_exceeded), ROW(12, icmp4_param_problem),
};

#pragma GCC diagnostic pop

const uint8_t ics_class_control[ICS_CLASS_COUNT] = {
#define CLASS(name, control, text) [ICS_CLASS_##name] = (control),
#include "classes.def"
#undef CLASS
};

static const struct {
	const char *name;
	const char *text;
} rows[ICS_CLASS_COUNT] = {
#define CLASS(name, control, text) [ICS_CLASS_##name] = {#name, (text)},
#include "classes.def"
#undef CLASS
};

const char *
ics_class_name(unsigned c)
{
	return c < ICS_CLASS_COUNT ? rows[c].name : NULL;
}

const char *
ics_class_text(unsigned c)
{
	return c < ICS_CLASS_COUNT ? rows[c].text : NULL;
}

int
ics_class_find(const char *name)
{
	for (unsigned c = 0; c < ICS_CLASS_COUNT; c++)
		if (strcmp(rows[c].name, name) == 0)
			return (int)c;
	return -ENOENT;
}
