/* Replies of a family's table as lines of at most 80 columns: every column is as wide as what is in it, the elastic ones
 * give way.
 */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 80
#define CELL_LEN 128
#define ELASTIC_MIN 6
#define NS_PER_S 1000000000ull

const char *
ctl_grouped(uint64_t v, char buf[static 32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v);
	char *to = buf;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

void
ctl_put_text(const char *text, int width)
{
	int n = 0;

	for (; *text != '\0' && (width <= 0 || n < width); text++, n++)
		putchar(*text >= 0x20 && *text < 0x7f ? *text : '?');
	for (; n < width; n++)
		putchar(' ');
}

bool
ctl_wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

static void
format_span(uint64_t s, char *buf, size_t size)
{
	if (s < 120)
		snprintf(buf, size, "%" PRIu64 "s", s);
	else if (s < 120 * 60)
		snprintf(buf, size, "%" PRIu64 "m", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, size, "%" PRIu64 "h", s / 3600);
	else
		snprintf(buf, size, "%" PRIu64 "d", s / 86400);
}

static void
format_cell(const json_t *v, enum ctl_kind kind, uint64_t now_ns, char buf[static CELL_LEN])
{
	uint64_t u = json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
	char num[32];

	buf[0] = '\0';
	switch (kind) {
	case CTL_TEXT:
		if (json_is_string(v))
			snprintf(buf, CELL_LEN, "%s", json_string_value(v));
		else
			snprintf(buf, CELL_LEN, "%" PRIu64, u);
		if (buf[0] == '\0')
			snprintf(buf, CELL_LEN, "-");
		break;
	case CTL_NUMBER:
		snprintf(buf, CELL_LEN, "%s", ctl_grouped(u, num));
		break;
	case CTL_AGE:
		if (u == 0)
			snprintf(buf, CELL_LEN, "-");
		else
			format_span(now_ns > u ? (now_ns - u) / NS_PER_S : 0, buf, CELL_LEN);
		break;
	case CTL_UNTIL:
		if (u == 0)
			snprintf(buf, CELL_LEN, "-");
		else if (u == INT64_MAX)
			snprintf(buf, CELL_LEN, "ever");
		else if (u <= now_ns)
			snprintf(buf, CELL_LEN, "over");
		else
			format_span((u - now_ns) / NS_PER_S, buf, CELL_LEN);
		break;
	case CTL_YES:
		snprintf(buf, CELL_LEN, "%s", u != 0 ? "yes" : "");
		break;
	case CTL_LIFETIME:
		if (u == UINT32_MAX)
			snprintf(buf, CELL_LEN, "ever");
		else
			snprintf(buf, CELL_LEN, "%" PRIu64 "s", u);
		break;
	}
}

static bool
is_right(enum ctl_kind kind)
{
	return kind != CTL_TEXT && kind != CTL_YES;
}

/* Takes width from the widest elastic column, one by one, until the line fits or none can give more. */
static void
squeeze(const struct ctl_column *columns, unsigned n_columns, int *width)
{
	int sum = (int)n_columns - 1;

	for (unsigned c = 0; c < n_columns; c++)
		sum += width[c];
	while (sum > WIDTH) {
		int widest = -1;

		for (unsigned c = 0; c < n_columns; c++)
			if (columns[c].elastic && width[c] > ELASTIC_MIN && (widest < 0 || width[c] > width[widest]))
				widest = (int)c;
		if (widest < 0)
			return;
		width[widest]--;
		sum--;
	}
}

static void
put_cell(const struct ctl_column *column, char *text, int width, bool last)
{
	int len = (int)strlen(text);

	if (len > width) {
		text[width - 1] = '~';
		text[width] = '\0';
		len = width;
	}
	if (is_right(column->kind))
		printf("%*s", width - len, "");
	ctl_put_text(text, is_right(column->kind) || last ? 0 : width);
	putchar(last ? '\n' : ' ');
}

void
ctl_table_print(const json_t *pages, const struct ctl_column *columns, unsigned n_columns, uint64_t now_ns)
{
	int width[CTL_COLUMNS_MAX];
	char cell[CELL_LEN];
	json_t *page;
	size_t p;

	for (unsigned c = 0; c < n_columns; c++)
		width[c] = (int)strlen(columns[c].head);
	json_array_foreach((json_t *)pages, p, page)
	{
		size_t n = ics_client_rows(page);

		for (size_t i = 0; i < n; i++)
			for (unsigned c = 0; c < n_columns; c++) {
				format_cell(json_array_get(json_object_get(page, columns[c].key), i), columns[c].kind,
					    now_ns, cell);
				if ((int)strlen(cell) > width[c])
					width[c] = (int)strlen(cell);
			}
	}
	squeeze(columns, n_columns, width);
	for (unsigned c = 0; c < n_columns; c++) {
		snprintf(cell, sizeof(cell), "%s", columns[c].head);
		put_cell(&columns[c], cell, width[c], c + 1 == n_columns);
	}
	json_array_foreach((json_t *)pages, p, page)
	{
		size_t n = ics_client_rows(page);

		for (size_t i = 0; i < n; i++)
			for (unsigned c = 0; c < n_columns; c++) {
				format_cell(json_array_get(json_object_get(page, columns[c].key), i), columns[c].kind,
					    now_ns, cell);
				put_cell(&columns[c], cell, width[c], c + 1 == n_columns);
			}
	}
}

json_t *
ctl_table_rows(const json_t *pages)
{
	json_t *rows = json_array(), *page, *v;
	const char *key;
	size_t p;

	json_array_foreach((json_t *)pages, p, page)
	{
		size_t n = ics_client_rows(page);

		for (size_t i = 0; i < n; i++) {
			json_t *row = json_object();

			json_object_foreach(page, key, v) if (json_is_array(v))(void)
				json_object_set(row, key, json_array_get(v, i));
			(void)json_array_append_new(rows, row);
		}
	}
	return rows;
}

int
ctl_print_json(json_t *doc)
{
	int rc = doc != NULL ? json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII) : -1;

	json_decref(doc);
	if (rc != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
		return ctl_complain(CTL_FAILED, "the answer could not be written");
	return CTL_ANSWERED;
}
