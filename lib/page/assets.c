/* The files of the page, as bundle.py made them (ics_page.h). */
#include "ics_page.h"

#include "assets.h"
#include "parts.h"

#include <string.h>

#define PART(a)                                                                                                        \
	{                                                                                                              \
		(const char *)(a), sizeof(a) - 1                                                                       \
	}

static const struct ics_page_file files[] = {
	{"/", "text/html; charset=utf-8", (const char *)page_html, sizeof(page_html) - 1},
	{"/page.css", "text/css; charset=utf-8", (const char *)page_css, sizeof(page_css) - 1},
	{"/page.js", "text/javascript; charset=utf-8", (const char *)page_js, sizeof(page_js) - 1},
};

const struct part report_parts[] = {
	[PART_HEAD] = PART(report_head),
	[PART_MIDDLE] = PART(report_middle),
	[PART_END] = PART(report_end),
	[PART_TAIL] = PART(report_tail),
};

const struct ics_page_file *
ics_page_file(const char *url)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(files); i++)
		if (strcmp(files[i].url, url) == 0)
			return &files[i];
	return NULL;
}
