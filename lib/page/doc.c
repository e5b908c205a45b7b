/* JSON without a check after each line (doc.h). */
#include "doc.h"

#include <stdlib.h>
#include <string.h>

void
doc_set(struct doc *d, json_t *o, const char *key, json_t *v)
{
	if (json_object_set_new(o, key, v) != 0)
		d->bad = true;
}

void
doc_append(struct doc *d, json_t *a, json_t *v)
{
	if (json_array_append_new(a, v) != 0)
		d->bad = true;
}

void
doc_uint(struct doc *d, json_t *o, const char *key, uint64_t v)
{
	doc_set(d, o, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

/* What is no UTF-8 (names of files may be anything) shows as question marks. */
void
doc_text(struct doc *d, json_t *o, const char *key, const char *s)
{
	json_t *v = json_string(s);

	if (v == NULL) {
		char *copy = strdup(s);

		for (char *p = copy; p != NULL && *p != '\0'; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		v = copy != NULL ? json_string(copy) : NULL;
		free(copy);
	}
	doc_set(d, o, key, v);
}

static const char *const names[] = {"ok", "info", "warn", "critical"};

const char *
doc_health_name(enum doc_health h)
{
	return names[h];
}

enum doc_health
doc_health_of(const char *severity)
{
	for (unsigned i = DOC_INFO; i <= DOC_CRITICAL; i++)
		if (strcmp(severity, names[i]) == 0)
			return (enum doc_health)i;
	return DOC_OK;
}

enum ics_page_figure
doc_figure_of_class(const char *name)
{
	static const struct {
		const char *prefix;
		enum ics_page_figure figure;
	} rows[] = {
		{"nd_redirect", ICS_PAGE_ERRORS},
		{"nd_", ICS_PAGE_ND},
		{"mld", ICS_PAGE_MLD},
		{"mrd", ICS_PAGE_MLD},
		{"icmp6_echo", ICS_PAGE_FIGURES},
		{"icmp4_echo", ICS_PAGE_FIGURES},
		{"icmp6_other", ICS_PAGE_FIGURES},
		{"icmp4_other", ICS_PAGE_FIGURES},
		{"icmp", ICS_PAGE_ERRORS},
	};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++)
		if (strncmp(name, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].figure;
	return ICS_PAGE_FIGURES;
}
