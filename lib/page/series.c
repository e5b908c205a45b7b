/* Figures over time (ics_page.h). A point holds rates of counters since the point before and the others as they were. */
#include "ics_page.h"

#include <string.h>

#define NS_PER_S 1000000000ull

static const char *const names[ICS_PAGE_FIGURES] = {"frames", "nd",   "mld",  "errors", "lost", "critical",
						    "warn",   "busy", "ring", "hosts",  "table"};

void
ics_page_series_init(struct ics_page_series *s, uint64_t step_ns, bool is_live)
{
	memset(s, 0, sizeof(*s));
	s->step_ns = step_ns;
	s->is_live = is_live;
}

static struct ics_page_point *
at(const struct ics_page_series *s, unsigned i)
{
	return (struct ics_page_point *)&s->point[(s->first + i) % ICS_PAGE_POINTS];
}

/* Two points become one: the mean of rates, the higher of the others. */
static void
halve(struct ics_page_series *s)
{
	for (unsigned i = 0; i + 1 < s->n; i += 2) {
		struct ics_page_point a = *at(s, i), b = *at(s, i + 1);

		for (unsigned f = 0; f < ICS_PAGE_FIGURES; f++)
			b.v[f] = f < ICS_PAGE_COUNTERS ? (a.v[f] + b.v[f]) / 2 : a.v[f] > b.v[f] ? a.v[f] : b.v[f];
		*at(s, i / 2) = b;
	}
	s->n /= 2;
	s->step_ns *= 2;
}

bool
ics_page_series_is_due(const struct ics_page_series *s, uint64_t ts_ns)
{
	return !s->has_last || ts_ns >= s->last.ts_ns + s->step_ns || ts_ns < s->last.ts_ns;
}

bool
ics_page_series_add(struct ics_page_series *s, const struct ics_page_sample *sample)
{
	struct ics_page_point *p;
	double seconds;

	if (!ics_page_series_is_due(s, sample->ts_ns))
		return false;
	if (!s->has_last || sample->ts_ns <= s->last.ts_ns) {
		s->last = *sample;
		s->has_last = true;
		return true;
	}
	if (s->n == ICS_PAGE_POINTS && !s->is_live)
		halve(s);
	if (s->n == ICS_PAGE_POINTS)
		s->first = (s->first + 1) % ICS_PAGE_POINTS;
	else
		s->n++;
	p = at(s, s->n - 1);
	p->ts_ns = sample->ts_ns;
	seconds = (double)(sample->ts_ns - s->last.ts_ns) / NS_PER_S;
	for (unsigned f = 0; f < ICS_PAGE_FIGURES; f++) {
		/* A counter that fell began anew. */
		uint64_t before = sample->v[f] >= s->last.v[f] ? s->last.v[f] : 0;

		p->v[f] = (float)(f < ICS_PAGE_COUNTERS ? (double)(sample->v[f] - before) / seconds
							: (double)sample->v[f]);
	}
	s->last = *sample;
	return true;
}

void
ics_page_series_break(struct ics_page_series *s)
{
	s->has_last = false;
}

json_t *
ics_page_series_json(const struct ics_page_series *s, uint64_t since_ns)
{
	json_t *o = json_object(), *t = json_array();
	bool bad = json_object_set_new(o, "step_s", json_real((double)s->step_ns / NS_PER_S)) != 0;
	unsigned from = 0;

	while (from < s->n && at(s, from)->ts_ns <= since_ns)
		from++;
	for (unsigned i = from; i < s->n; i++)
		bad |= json_array_append_new(t, json_integer((json_int_t)(at(s, i)->ts_ns / 1000000))) != 0;
	bad |= json_object_set_new(o, "t", t) != 0;
	for (unsigned f = 0; f < ICS_PAGE_FIGURES; f++) {
		json_t *v = json_array();

		/* Three digits are more than a line on the page shows. */
		for (unsigned i = from; i < s->n; i++)
			bad |= json_array_append_new(
				       v, json_real((double)(int64_t)((double)at(s, i)->v[f] * 100 + 0.5) / 100)) != 0;
		bad |= json_object_set_new(o, names[f], v) != 0;
	}
	if (bad) {
		json_decref(o);
		return NULL;
	}
	return o;
}
