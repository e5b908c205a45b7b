/* The named values and frames of an anomaly: evidence that a person or a program reads later. Called by detectors. */
#include "ics_anomaly.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static struct ics_fact *
fact_slot(struct ics_fact *facts, unsigned *n, unsigned max, const char *key)
{
	for (unsigned i = 0; i < *n; i++)
		if (strcmp(facts[i].key, key) == 0)
			return &facts[i];
	return *n < max ? &facts[(*n)++] : NULL;
}

static int
set_number(struct ics_anomaly *a, const char *key, enum ics_fact_type type, uint64_t v)
{
	struct ics_fact *f = fact_slot(a->evidence, &a->n_evidence, ICS_ANOMALY_FACTS_MAX, key);

	if (f == NULL)
		return -ENOSPC;
	f->key = key;
	f->type = type;
	f->u = v;
	f->text[0] = '\0';
	return 0;
}

int
ics_fact_set_uint(struct ics_anomaly *a, const char *key, uint64_t v)
{
	return set_number(a, key, ICS_FACT_UINT, v);
}

int
ics_fact_set_bool(struct ics_anomaly *a, const char *key, bool v)
{
	return set_number(a, key, ICS_FACT_BOOL, v);
}

int
ics_fact_set_seconds(struct ics_anomaly *a, const char *key, uint64_t ms)
{
	return set_number(a, key, ICS_FACT_SECONDS, ms);
}

/* Text may hold bytes from the wire: whatever is not printable ASCII is masked. */
static int __attribute__((format(printf, 3, 0)))
set_text(struct ics_fact *f, const char *key, const char *fmt, va_list ap)
{
	if (f == NULL)
		return -ENOSPC;
	f->key = key;
	f->type = ICS_FACT_TEXT;
	f->u = 0;
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	for (char *c = f->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return 0;
}

int
ics_fact_set_text(struct ics_anomaly *a, const char *key, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = set_text(fact_slot(a->evidence, &a->n_evidence, ICS_ANOMALY_FACTS_MAX, key), key, fmt, ap);
	va_end(ap);
	return rc;
}

int
ics_subject_set_text(struct ics_anomaly *a, const char *key, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = set_text(fact_slot(a->subject, &a->n_subject, ICS_ARRAY_LEN(a->subject), key), key, fmt, ap);
	va_end(ap);
	return rc;
}

const struct ics_fact *
ics_fact_find(const struct ics_anomaly *a, const char *key)
{
	for (unsigned i = 0; i < a->n_evidence; i++)
		if (strcmp(a->evidence[i].key, key) == 0)
			return &a->evidence[i];
	return NULL;
}
