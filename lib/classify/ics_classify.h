/* What kind of message a frame carries. Two 256-entry tables map an ICMP type to a class; the type decides
 * even when the message is invalid, validation says what is wrong with it (design: Classes).
 */
#ifndef ICS_CLASSIFY_H
#define ICS_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

enum ics_class {
#define CLASS(name, control, text) ICS_CLASS_##name,
#include "classes.def"
#undef CLASS
	ICS_CLASS_COUNT
};

extern const uint8_t ics_class_icmp6[256];
extern const uint8_t ics_class_icmp4[256];
/* 1 for classes whose messages go to the control core. */
extern const uint8_t ics_class_control[ICS_CLASS_COUNT];

static inline enum ics_class
ics_classify_icmp6(uint8_t type)
{
	return (enum ics_class)ics_class_icmp6[type];
}

/* Code 4 of type 3 is a class of its own: it carries the next-hop MTU (RFC 1191 4). */
static inline enum ics_class
ics_classify_icmp4(uint8_t type, uint8_t code)
{
	return type == 3 && code == 4 ? ICS_CLASS_icmp4_frag_needed : (enum ics_class)ics_class_icmp4[type];
}

static inline bool
ics_class_is_control(enum ics_class c)
{
	return ics_class_control[c] != 0;
}

/* Messages of Neighbor Discovery, RFC 4861. */
static inline bool
ics_class_is_nd(enum ics_class c)
{
	return c >= ICS_CLASS_nd_rs && c <= ICS_CLASS_nd_redirect;
}

/* API name and description; NULL outside the table. */
const char *ics_class_name(unsigned c);
const char *ics_class_text(unsigned c);
/* The class, or -ENOENT for a name that is not in the table. */
int ics_class_find(const char *name);

#endif
