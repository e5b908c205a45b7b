/* Internal to lib/page: the parts of the report's file, between which its title, its words, and its document stand. */
#ifndef ICS_PAGE_PARTS_H
#define ICS_PAGE_PARTS_H

#include <stddef.h>

enum { PART_HEAD, PART_MIDDLE, PART_END, PART_TAIL };
struct part {
	const char *text;
	size_t len;
};
extern const struct part report_parts[];

#endif
