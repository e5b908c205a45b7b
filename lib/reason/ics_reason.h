/* The validation rules as a set of bits. reasons.def is the table; this header turns it into an enum, a set
 * type and look-ups. 165 rules fit into three words with room to spare, so a rule's bit number is simply its
 * row number and no rule shares a bit with another (docs/architecture.md, "Reasons").
 */
#ifndef ICS_REASON_H
#define ICS_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICS_REASON_LENIENT 0x1
#define ICS_REASON_STOP 0x2
#define ICS_REASON_STATEFUL 0x4
#define ICS_REASON_BRIDGE 0x8

enum ics_reason {
#define REASON(name, id, section, cls, sev, flags, rfc, cond, recv) ICS_REASON_##name,
#include "reasons.def"
#undef REASON
	ICS_REASON_COUNT
};

#define ICS_REASON_WORDS 3
_Static_assert(ICS_REASON_COUNT <= ICS_REASON_WORDS * 64, "a fourth word is needed for this many rules");

enum ics_reason_class {
	ICS_REASON_CLASS_D,
	ICS_REASON_CLASS_O,
	ICS_REASON_CLASS_S,
	ICS_REASON_CLASS_H,
	ICS_REASON_CLASS_P
};

enum ics_severity { ICS_SEV_INFO, ICS_SEV_WARN, ICS_SEV_CRITICAL };

/* A set of rules. Zero-initialise it. */
struct ics_reasons {
	uint64_t w[ICS_REASON_WORDS];
};

static inline void
ics_reasons_add(struct ics_reasons *r, enum ics_reason n)
{
	r->w[n >> 6] |= 1ull << (n & 63);
}

static inline bool
ics_reasons_has(const struct ics_reasons *r, enum ics_reason n)
{
	return r->w[n >> 6] >> (n & 63) & 1;
}

static inline bool
ics_reasons_empty(const struct ics_reasons *r)
{
	return (r->w[0] | r->w[1] | r->w[2]) == 0;
}

/* Rules that make a conforming host discard the message: all of class D but those that only bridges apply
 * (ICS_REASON_BRIDGE); and those of them that no widely deployed host forgives.
 */
extern const struct ics_reasons ics_reasons_discard;
extern const struct ics_reasons ics_reasons_fatal;

/* strict: no class D rule fired, so a conforming receiver acts on the message. */
static inline bool
ics_reasons_is_strict(const struct ics_reasons *r)
{
	return ((r->w[0] & ics_reasons_discard.w[0]) | (r->w[1] & ics_reasons_discard.w[1]) |
		(r->w[2] & ics_reasons_discard.w[2])) == 0;
}

/* lenient: class D rules fired, and each of them is one that some deployed receiver overlooks. */
static inline bool
ics_reasons_is_lenient(const struct ics_reasons *r)
{
	return !ics_reasons_is_strict(r) && ((r->w[0] & ics_reasons_fatal.w[0]) | (r->w[1] & ics_reasons_fatal.w[1]) |
					     (r->w[2] & ics_reasons_fatal.w[2])) == 0;
}

/* What a row of the table says. All strings are ASCII and static. */
struct ics_reason_info {
	const char *name;      /* API name, [a-z0-9_]+ */
	const char *id;        /* name in the catalogue, with dots */
	const char *section;   /* "A0" ... "A12" */
	const char *rfc;       /* RFC number and section, several split by ';' */
	const char *condition; /* when it fires */
	const char *receiver;  /* what a conforming receiver does */
	enum ics_reason_class cls;
	enum ics_severity severity;
	unsigned flags;
};

/* NULL for n outside the table. */
const struct ics_reason_info *ics_reason_info(unsigned n);
/* The rule's number, or -ENOENT for a name that is not in the table. */
int ics_reason_find(const char *name);
/* "D", "O", "S", "H", "P" and "info", "warn", "critical". */
const char *ics_reason_class_name(enum ics_reason_class c);
const char *ics_severity_name(enum ics_severity s);
/* What has that name; info where nothing has. */
enum ics_severity ics_severity_of_name(const char *name);

/* Calls fn for each rule in the set, lowest bit first. */
#define ICS_REASONS_FOREACH(n, set)                                                                                    \
	for (unsigned ics_w_ = 0; ics_w_ < ICS_REASON_WORDS; ics_w_++)                                                 \
		for (uint64_t ics_b_ = (set)->w[ics_w_];                                                               \
		     ics_b_ != 0 && ((n) = ics_w_ * 64 + (unsigned)__builtin_ctzll(ics_b_), 1); ics_b_ &= ics_b_ - 1)

#endif
