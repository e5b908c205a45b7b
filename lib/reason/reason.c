/* Tables over reasons.def: descriptions, and the two masks from which strict and lenient follow. */
#include "ics_reason.h"

#include <errno.h>
#include <string.h>

static const struct ics_reason_info infos[] = {
#define REASON(name_, id_, section_, cls_, sev_, flags_, rfc_, cond_, recv_)                                           \
	[ICS_REASON_##name_] = {.name = #name_,                                                                        \
				.id = (id_),                                                                           \
				.section = #section_,                                                                  \
				.rfc = (rfc_),                                                                         \
				.condition = (cond_),                                                                  \
				.receiver = (recv_),                                                                   \
				.cls = ICS_REASON_CLASS_##cls_,                                                        \
				.severity = ICS_SEV_##sev_,                                                            \
				.flags = (flags_)},
#include "reasons.def"
#undef REASON
};

#define IS_D(cls) (ICS_REASON_CLASS_##cls == ICS_REASON_CLASS_D)
#define BIT_IN(name, word) ((ICS_REASON_##name >> 6) == (word) ? 1ull << (ICS_REASON_##name & 63) : 0)

#define REASON(name, id, section, cls, sev, flags, rfc, cond, recv)                                                    \
	| (IS_D(cls) && !((flags)&ICS_REASON_BRIDGE) ? BIT_IN(name, WORD) : 0)
const struct ics_reasons ics_reasons_discard = {{
#define WORD 0
	0
#include "reasons.def"
#undef WORD
	,
#define WORD 1
	0
#include "reasons.def"
#undef WORD
	,
#define WORD 2
	0
#include "reasons.def"
#undef WORD
}};
#undef REASON

#define REASON(name, id, section, cls, sev, flags, rfc, cond, recv)                                                    \
	| (IS_D(cls) && !((flags) & (ICS_REASON_LENIENT | ICS_REASON_BRIDGE)) ? BIT_IN(name, WORD) : 0)
const struct ics_reasons ics_reasons_fatal = {{
#define WORD 0
	0
#include "reasons.def"
#undef WORD
	,
#define WORD 1
	0
#include "reasons.def"
#undef WORD
	,
#define WORD 2
	0
#include "reasons.def"
#undef WORD
}};
#undef REASON

const struct ics_reason_info *
ics_reason_info(unsigned n)
{
	return n < ICS_REASON_COUNT ? &infos[n] : NULL;
}

int
ics_reason_find(const char *name)
{
	for (unsigned n = 0; n < ICS_REASON_COUNT; n++)
		if (strcmp(infos[n].name, name) == 0)
			return (int)n;
	return -ENOENT;
}

const char *
ics_reason_class_name(enum ics_reason_class c)
{
	static const char *const names[] = {"D", "O", "S", "H", "P"};

	return (unsigned)c < 5 ? names[c] : "?";
}

const char *
ics_severity_name(enum ics_severity s)
{
	static const char *const names[] = {"info", "warn", "critical"};

	return (unsigned)s < 3 ? names[s] : "?";
}

enum ics_severity
ics_severity_of_name(const char *name)
{
	for (enum ics_severity s = ICS_SEV_CRITICAL; s > ICS_SEV_INFO; s--)
		if (strcmp(name, ics_severity_name(s)) == 0)
			return s;
	return ICS_SEV_INFO;
}
