/* Building and measuring an answer (reply.h). Pure: the unit tests fill it to the brim without EAL. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Set aside for "truncated":1 and for what reply_page() adds behind the rows. */
#define JSON_RESERVE 160

static unsigned
uint_width(uint64_t v)
{
	unsigned n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

/* Width inside quotes: telemetry escapes both of these with a backslash. */
static unsigned
text_width(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += *s == '"' || *s == '\\' ? 2 : 1;
	return n;
}

/* Telemetry's JSON writer takes bytes beyond ASCII for negative indexes: none may reach it. */
static void
make_ascii(char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '.';
}

void
reply_init(struct reply *r)
{
	r->kind = REPLY_DICT;
	r->n_items = r->n_columns = r->n_rows = r->n_list = 0;
	r->json_len = JSON_RESERVE;
	r->truncated = false;
	r->cell = r->row_json = r->row_text = 0;
	r->columns = NULL;
	/* Offset 0 stands for "no text". */
	r->text[0] = '\0';
	r->text_len = 1;
}

/* Offset of a copy of s, or 0 when the arena is full. */
static uint16_t
keep(struct reply *r, const char *s)
{
	size_t len = strlen(s) + 1;
	uint16_t at = (uint16_t)r->text_len;

	if (r->text_len + len > sizeof(r->text))
		return 0;
	memcpy(r->text + r->text_len, s, len);
	r->text_len += (unsigned)len;
	return at;
}

static void
add_item(struct reply *r, const char *key, const char *str, uint64_t u)
{
	unsigned width = text_width(key) + 4 + (str != NULL ? text_width(str) + 2 : uint_width(u));
	unsigned text_len = r->text_len;
	struct reply_item *it;

	if (r->n_items >= REPLY_ITEMS_MAX - 4 || r->json_len + width > REPLY_JSON_MAX)
		goto full;
	it = &r->items[r->n_items];
	it->u = u;
	it->key = keep(r, key);
	it->str = str != NULL ? keep(r, str) : 0;
	if (it->key == 0 || (str != NULL && it->str == 0))
		goto full;
	r->n_items++;
	r->json_len += width;
	return;
full:
	r->text_len = text_len;
	r->truncated = true;
}

static void
format(char buf[static REPLY_TEXT_MAX + 1], const char *fmt, va_list ap)
{
	vsnprintf(buf, REPLY_TEXT_MAX + 1, fmt, ap);
	make_ascii(buf);
}

void
reply_error(struct reply *r, const char *fmt, ...)
{
	char buf[REPLY_TEXT_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	format(buf, fmt, ap);
	va_end(ap);
	reply_init(r);
	add_item(r, "error", buf, 0);
}

void
reply_uint(struct reply *r, const char *key, uint64_t v)
{
	add_item(r, key, NULL, v);
}

void
reply_uint_n(struct reply *r, const char *key, unsigned n, uint64_t v)
{
	char name[64];

	snprintf(name, sizeof(name), "%.48s_%u", key, n);
	add_item(r, name, NULL, v);
}

void
reply_text(struct reply *r, const char *key, const char *fmt, ...)
{
	char buf[REPLY_TEXT_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	format(buf, fmt, ap);
	va_end(ap);
	add_item(r, key, buf, 0);
}

void
reply_long(struct reply *r, const char *key, const char *s)
{
	size_t len = strlen(s);
	char name[64];

	for (unsigned n = 0; n == 0 || (size_t)n * REPLY_TEXT_MAX < len; n++) {
		snprintf(name, sizeof(name), "%.48s_%u", key, n);
		reply_text(r, name, "%.*s", REPLY_TEXT_MAX, s + (size_t)n * REPLY_TEXT_MAX);
	}
}

void
reply_list_kind(struct reply *r, enum reply_kind kind)
{
	r->kind = kind;
}

bool
reply_list_uint(struct reply *r, uint64_t v)
{
	unsigned width = uint_width(v) + 1;

	r->kind = REPLY_LIST_UINT;
	if (r->n_list == REPLY_LIST_MAX || r->json_len + width > REPLY_JSON_MAX)
		return false;
	r->list[r->n_list++] = v;
	r->json_len += width;
	return true;
}

bool
reply_list_text(struct reply *r, const char *s)
{
	char buf[REPLY_TEXT_MAX + 1];
	unsigned width;
	uint16_t at;

	r->kind = REPLY_LIST_TEXT;
	snprintf(buf, sizeof(buf), "%s", s);
	make_ascii(buf);
	width = text_width(buf) + 3;
	if (r->n_list == REPLY_LIST_MAX || r->json_len + width > REPLY_JSON_MAX)
		return false;
	at = keep(r, buf);
	if (at == 0)
		return false;
	r->list[r->n_list++] = at;
	r->json_len += width;
	return true;
}

void
reply_columns(struct reply *r, const struct reply_column *columns, unsigned n)
{
	r->columns = columns;
	r->n_columns = n < REPLY_COLUMNS_MAX ? n : REPLY_COLUMNS_MAX;
	for (unsigned i = 0; i < r->n_columns; i++)
		r->json_len += text_width(columns[i].key) + 6;
	r->row_json = r->json_len;
	r->row_text = r->text_len;
}

static void
put_cell(struct reply *r, uint64_t v, unsigned width)
{
	if (r->cell < r->n_columns && r->n_rows < REPLY_ROWS_MAX)
		r->cells[r->cell][r->n_rows] = v;
	r->cell++;
	r->json_len += width + 1;
}

void
reply_cell(struct reply *r, uint64_t v)
{
	put_cell(r, v, uint_width(v));
}

void
reply_cell_text(struct reply *r, const char *fmt, ...)
{
	char buf[REPLY_TEXT_MAX + 1];
	uint16_t at;
	va_list ap;

	va_start(ap, fmt);
	format(buf, fmt, ap);
	va_end(ap);
	at = keep(r, buf);
	/* A full arena makes the row too wide, so that it is taken back. */
	put_cell(r, at, at == 0 ? REPLY_JSON_MAX : text_width(buf) + 2);
}

bool
reply_row_end(struct reply *r)
{
	bool fits = r->cell == r->n_columns && r->n_rows < REPLY_ROWS_MAX && r->json_len <= REPLY_JSON_MAX;

	r->cell = 0;
	if (!fits) {
		r->json_len = r->row_json;
		r->text_len = r->row_text;
		return false;
	}
	r->n_rows++;
	r->row_json = r->json_len;
	r->row_text = r->text_len;
	return true;
}

/* Fits by JSON_RESERVE and the item that add_item() keeps free. */
void
reply_page(struct reply *r, uint64_t total, uint64_t next, bool more)
{
	static const char *const keys[] = {"total", "next", "more"};
	const uint64_t v[] = {total, next, more};

	for (unsigned i = 0; i < 3; i++) {
		struct reply_item *it = &r->items[r->n_items];

		it->key = keep(r, keys[i]);
		it->str = 0;
		it->u = v[i];
		if (it->key != 0)
			r->n_items++;
	}
}
