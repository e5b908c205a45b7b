/* Internal to lib/page: small things about JSON that both sources of the document need. */
#ifndef ICS_PAGE_DOC_H
#define ICS_PAGE_DOC_H

#include "ics_page.h"

/* A document in the making; bad: memory ran out somewhere. */
struct doc {
	bool bad;
};
void doc_set(struct doc *d, json_t *o, const char *key, json_t *v);
void doc_append(struct doc *d, json_t *a, json_t *v);
void doc_uint(struct doc *d, json_t *o, const char *key, uint64_t v);
void doc_text(struct doc *d, json_t *o, const char *key, const char *s);

/* How bad a segment is, and how a state of findings is called: "critical", "warn", "info", "ok". */
enum doc_health { DOC_OK, DOC_INFO, DOC_WARN, DOC_CRITICAL };
const char *doc_health_name(enum doc_health h);
enum doc_health doc_health_of(const char *severity);

/* The figure that a class counts to besides the frames: ND, MLD, ERRORS; ICS_PAGE_FIGURES: none. */
enum ics_page_figure doc_figure_of_class(const char *name);

#endif
