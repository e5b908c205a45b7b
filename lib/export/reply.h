/* An answer before it is telemetry's: plain memory that the control core fills without allocating, and that counts
 * what it will take as JSON, so that a page ends where 16 KiB end and never somewhere later in silence. Used by every
 * tel_*.c; request.c turns it into rte_tel_data on the client's thread.
 */
#ifndef ICS_EXPORT_REPLY_H
#define ICS_EXPORT_REPLY_H

#include <stdbool.h>
#include <stdint.h>

/* Telemetry sends at most 16,384 bytes; some are for the braces and the command that it puts around the data. */
#define REPLY_JSON_MAX 16000
#define REPLY_TEXT_MAX 127 /* of one string */
#define REPLY_ITEMS_MAX 250
#define REPLY_COLUMNS_MAX 24
#define REPLY_ROWS_MAX 256
#define REPLY_LIST_MAX 512

enum reply_kind { REPLY_DICT, REPLY_LIST_UINT, REPLY_LIST_TEXT };

struct reply_item {
	uint16_t key; /* offsets into text */
	uint16_t str; /* 0: a number */
	uint64_t u;
};

struct reply_column {
	const char *key; /* static */
	bool is_text;
};

struct reply {
	enum reply_kind kind;
	unsigned n_items, n_columns, n_rows, n_list;
	unsigned json_len; /* bytes so far, row in progress included */
	unsigned text_len;
	bool truncated;
	/* row in progress */
	unsigned cell, row_json, row_text;
	struct reply_item items[REPLY_ITEMS_MAX];
	const struct reply_column *columns;
	uint64_t cells[REPLY_COLUMNS_MAX][REPLY_ROWS_MAX]; /* numbers, or offsets into text */
	uint64_t list[REPLY_LIST_MAX];
	char text[REPLY_JSON_MAX + 2048];
};

void reply_init(struct reply *r);
/* Forgets what was there. The message names what is allowed. */
void reply_error(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Entries of a dict. Text is cut at 127 characters and made printable ASCII; what does not fit is left out and the
 * dict gets "truncated": 1.
 */
void reply_uint(struct reply *r, const char *key, uint64_t v);
void reply_text(struct reply *r, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Of any length, as key_0, key_1, ... */
void reply_long(struct reply *r, const char *key, const char *s);
/* key_N */
void reply_uint_n(struct reply *r, const char *key, unsigned n, uint64_t v);

/* Elements of a flat array; false when it is full. */
bool reply_list_uint(struct reply *r, uint64_t v);
bool reply_list_text(struct reply *r, const char *s);
/* For lists without elements. */
void reply_list_kind(struct reply *r, enum reply_kind kind);

/* A page: columns, then cells from left to right and reply_row_end() for each row, which returns false and takes the
 * row back when it does not fit; then reply_page() once. columns must be static.
 */
void reply_columns(struct reply *r, const struct reply_column *columns, unsigned n);
void reply_cell(struct reply *r, uint64_t v);
void reply_cell_text(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool reply_row_end(struct reply *r);
/* next: START of the following page, more: whether there is one now. */
void reply_page(struct reply *r, uint64_t total, uint64_t next, bool more);

#endif
