/* The table of settings and its entries: defaults, INI file, "SECTION.KEY=VALUE". A change is made to a copy that
 * replaces the caller's configuration only when all of it was right. scalar.c and list.c read the values.
 */
#include "ics_config.h"

#include "row.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OFF(section, key) offsetof(struct ics_config, section.key)
#define RUN true
#define START false
#define KEY(s, k, type, def, allowed, when, text)                                                                      \
	{#s, #k, ICS_CONFIG_##type, OFF(s, k), 0, 0, when, def, allowed, text},
#define KEY_U32(s, k, def, lo, hi, when, text)                                                                         \
	{#s, #k, ICS_CONFIG_U32, OFF(s, k), lo, hi, when, #def, #lo " to " #hi, text},
#define KEY_POW2(s, k, def, lo, hi, when, text)                                                                        \
	{#s, #k, ICS_CONFIG_POW2, OFF(s, k), lo, hi, when, #def, "a power of two, " #lo " to " #hi, text},
static const struct ics_config_row rows[] = {
#include "keys.def"
};

static const char *const type_names[] = {
	[ICS_CONFIG_U32] = "number",      [ICS_CONFIG_POW2] = "number",   [ICS_CONFIG_BOOL] = "switch",
	[ICS_CONFIG_MODEL] = "word",      [ICS_CONFIG_TUNNELS] = "words", [ICS_CONFIG_CPUS] = "cpus",
	[ICS_CONFIG_PATH] = "path",       [ICS_CONFIG_NAME] = "name",     [ICS_CONFIG_LABEL] = "label",
	[ICS_CONFIG_IPS] = "addresses",   [ICS_CONFIG_MACS] = "macs",     [ICS_CONFIG_MUTES] = "mutes",
	[ICS_CONFIG_DEVICES] = "devices", [ICS_CONFIG_SANDBOX] = "mode",  [ICS_CONFIG_SERVERS] = "servers",
	[ICS_CONFIG_IDLE] = "rest",
};

#define SHOWN_MAX 64
#define SHOWN_PATH_MAX 200
#define SECTIONS_LEN 128
/* Beside the path and the line. */
#define WHY_LEN 384
/* No settings take more. */
#define FILE_MAX (1u << 20)

/* User text for a message: printable ASCII, cut where it would push the message out of its line. */
struct shown {
	char text[SHOWN_PATH_MAX + 4];
};

static const char *
show_most(struct shown *s, const char *text, size_t most)
{
	size_t n = 0;

	for (; text[n] != '\0' && n < most; n++)
		s->text[n] = isascii((unsigned char)text[n]) && isprint((unsigned char)text[n]) ? text[n] : '?';
	strcpy(s->text + n, text[n] != '\0' ? "..." : "");
	return s->text;
}

static const char *
show(struct shown *s, const char *text)
{
	return show_most(s, text, SHOWN_MAX);
}

static const char *
show_path(struct shown *s, const char *text)
{
	return show_most(s, text, SHOWN_PATH_MAX);
}

/* A password that somebody wrote into a server's address is not repeated. */
static const char *
show_value(struct shown *s, const struct ics_config_row *row, const char *text)
{
	return show(s, row->type == ICS_CONFIG_SERVERS && strchr(text, '@') != NULL ? "(not shown)" : text);
}

/* Edit distance, for texts of at most SHOWN_MAX characters. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[SHOWN_MAX + 1], n = (unsigned)strlen(b);

	if (n > SHOWN_MAX || strlen(a) > SHOWN_MAX)
		return UINT32_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static const struct ics_config_row *
find_row(const char *section, const char *key)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

const struct ics_config_row *
ics_config_row(unsigned i)
{
	return i < ICS_ARRAY_LEN(rows) ? &rows[i] : NULL;
}

/* "detect, decode, ...": rows of a section stand together. */
static const char *
all_sections(char list[static SECTIONS_LEN])
{
	size_t len = 0;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++)
		if (i == 0 || strcmp(rows[i].section, rows[i - 1].section) != 0)
			len += (size_t)snprintf(list + len, SECTIONS_LEN - len, "%s%s", i == 0 ? "" : ", ",
						rows[i].section);
	return list;
}

/* Its name in the table, NULL for one that is not there. */
static const char *
find_section(const char *section)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].section, section) == 0)
			return rows[i].section;
	return NULL;
}

/* What the user may have meant: the nearest key of any section, if it is near. */
static const struct ics_config_row *
nearest_row(const char *section, const char *key)
{
	const struct ics_config_row *best = NULL;
	unsigned best_distance = 5;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		unsigned in_key = distance(key, rows[i].key), in_section = distance(section, rows[i].section);
		unsigned d = in_key + (in_section > 2 ? 2 : in_section);

		if (in_key <= 3 && in_key < strlen(rows[i].key) && d < best_distance) {
			best_distance = d;
			best = &rows[i];
		}
	}
	return best;
}

static void
explain_unknown(char *err, size_t size, const char *section, const char *key)
{
	const struct ics_config_row *near = nearest_row(section, key);
	char sections[SECTIONS_LEN];
	struct shown s, k;

	if (near != NULL)
		snprintf(err, size, "unknown key %s.%s; did you mean %s.%s?", show(&s, section), show(&k, key),
			 near->section, near->key);
	else if (find_section(section) == NULL)
		snprintf(err, size, "unknown section \"%s\"; sections are %s", show(&s, section),
			 all_sections(sections));
	else
		snprintf(err, size, "unknown key %s.%s; config/icmpscope.ini lists all of them", show(&s, section),
			 show(&k, key));
}

/* Adds to the row's list, or sets its scalar. False, and err says why not. */
static bool
apply(struct ics_config *c, const struct ics_config_row *row, const char *value, char *err, size_t size)
{
	const char *problem =
		ics_config_is_list(row) ? ics_config_read_list(c, row, value) : ics_config_read_scalar(c, row, value);
	struct shown v;

	if (problem == NULL)
		return true;
	snprintf(err, size, "%s.%s = \"%s\" %s; allowed: %s", row->section, row->key, show_value(&v, row, value),
		 problem, row->allowed);
	return false;
}

void
ics_config_init(struct ics_config *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(rows); i++) {
		char err[ICS_CONFIG_ERR_LEN];

		apply(c, &rows[i], rows[i].def, err, sizeof(err));
	}
}

int
ics_config_set(struct ics_config *c, const char *assignment, char err[static ICS_CONFIG_ERR_LEN])
{
	char name[2 * SHOWN_MAX], *dot;
	const char *equals = strchr(assignment, '=');
	const struct ics_config_row *row;
	struct ics_config next = *c;
	struct shown s;

	err[0] = '\0';
	if (equals == NULL || (size_t)(equals - assignment) >= sizeof(name)) {
		snprintf(err, ICS_CONFIG_ERR_LEN, "\"%s\" is not of the form SECTION.KEY=VALUE", show(&s, assignment));
		return -EINVAL;
	}
	memcpy(name, assignment, (size_t)(equals - assignment));
	name[equals - assignment] = '\0';
	dot = strchr(name, '.');
	if (dot == NULL) {
		snprintf(err, ICS_CONFIG_ERR_LEN, "\"%s\" is not of the form SECTION.KEY=VALUE", show(&s, assignment));
		return -EINVAL;
	}
	*dot = '\0';
	row = find_row(name, dot + 1);
	if (row == NULL) {
		explain_unknown(err, ICS_CONFIG_ERR_LEN, name, dot + 1);
		return -EINVAL;
	}
	if (ics_config_is_list(row))
		ics_config_empty_list(&next, row);
	if (!apply(&next, row, equals + 1, err, ICS_CONFIG_ERR_LEN))
		return -EINVAL;
	*c = next;
	return 0;
}

/* One reading of a file. libinih takes lines from read_line(), so that a line longer than its buffer is an error
 * rather than two lines, and hands every key to take_key().
 */
struct load {
	struct ics_config next;
	const char *path;
	FILE *file;
	unsigned line_no;
	size_t octets;
	const char *section; /* that the line belongs to; NULL: none yet */
	bool failed;
	bool seen[ICS_ARRAY_LEN(rows)];
	char *err;
};

static void __attribute__((format(printf, 2, 3))) fail(struct load *l, const char *fmt, ...)
{
	struct shown path;
	va_list ap;
	int n;

	if (l->failed)
		return;
	l->failed = true;
	n = snprintf(l->err, ICS_CONFIG_ERR_LEN, "%s:%u: ", show_path(&path, l->path), l->line_no);
	va_start(ap, fmt);
	vsnprintf(l->err + n, ICS_CONFIG_ERR_LEN - (size_t)n, fmt, ap);
	va_end(ap);
}

/* What is wrong with a line as such, by the key that it is about where it tells one. */
static void
fail_line(struct load *l, char *line, const char *what)
{
	char *equals = strchr(line, '='), *end = equals;
	const struct ics_config_row *row = NULL;
	struct shown v;

	while (end != NULL && end > line && isspace((unsigned char)end[-1]))
		end--;
	if (end != NULL && l->section != NULL) {
		*end = '\0';
		row = find_row(l->section, line);
	}
	if (row != NULL)
		fail(l, "%s.%s = \"%s\": %s; allowed: %s", row->section, row->key,
		     show_value(&v, row, equals + 1 + strspn(equals + 1, " \t")), what, row->allowed);
	else
		fail(l, "%s", what);
}

/* libinih tells of a section only with its first key, and cuts long names. */
static void
note_section(struct load *l, char *line)
{
	char *end = strchr(line, ']'), sections[SECTIONS_LEN];
	struct shown s;

	if (end == NULL)
		return;
	*end = '\0';
	l->section = find_section(line + 1);
	if (l->section == NULL)
		fail(l, "unknown section \"%s\"; sections are %s", show(&s, line + 1), all_sections(sections));
	*end = ']';
}

static char *
read_line(char *to, int room, void *ctx)
{
	struct load *l = ctx;
	int n = 0, c = EOF;

	if (l->failed)
		return NULL;
	while (n < room && (c = getc(l->file)) != EOF && c != '\n' && c != '\0')
		to[n++] = (char)c;
	if (n == 0 && c == EOF)
		return NULL;
	l->line_no++;
	l->octets += (size_t)n + 1;
	if (l->octets > FILE_MAX) {
		fail(l, "the file is larger than 1 MB: this is no file of settings");
		return NULL;
	}
	if (c == '\0' || n == room) {
		char what[128];

		to[n == room ? n - 1 : n] = '\0';
		snprintf(what, sizeof(what),
			 "the line is longer than %d characters; a list may be split by repeating its key", room - 1);
		fail_line(l, to, c == '\0' ? "a zero byte: this is no text file" : what);
		return NULL;
	}
	if (n > 0 && to[n - 1] == '\r')
		n--;
	to[n] = '\0';
	if (to[0] == '[')
		note_section(l, to);
	return l->failed ? NULL : to;
}

static int
take_key(void *ctx, const char *section, const char *key, const char *value)
{
	struct load *l = ctx;
	const struct ics_config_row *row = find_row(section, key);
	char why[WHY_LEN];

	if (l->failed)
		return 0;
	if (section[0] == '\0') {
		struct shown k;

		fail(l, "key \"%s\" stands before the first [section]", show(&k, key));
		return 0;
	}
	if (row == NULL) {
		explain_unknown(why, sizeof(why), section, key);
		fail(l, "%s", why);
		return 0;
	}
	if (l->seen[row - rows] && !ics_config_is_list(row)) {
		fail(l, "%s.%s is given a second time", section, key);
		return 0;
	}
	if (!l->seen[row - rows] && ics_config_is_list(row))
		ics_config_empty_list(&l->next, row);
	l->seen[row - rows] = true;
	if (!apply(&l->next, row, value, why, sizeof(why))) {
		fail(l, "%s", why);
		return 0;
	}
	return 1;
}

int
ics_config_load(struct ics_config *c, const char *path, char err[static ICS_CONFIG_ERR_LEN])
{
	struct load *l = calloc(1, sizeof(*l));
	struct shown p;
	int ret = 0, bad_line;

	err[0] = '\0';
	if (l == NULL) {
		snprintf(err, ICS_CONFIG_ERR_LEN, "%s: out of memory", show_path(&p, path));
		return -ENOMEM;
	}
	l->next = *c;
	l->path = path;
	l->err = err;
	l->file = fopen(path, "re");
	if (l->file == NULL) {
		ret = -errno;
		snprintf(err, ICS_CONFIG_ERR_LEN, "%s: %s", show_path(&p, path), strerror(-ret));
		free(l);
		return ret;
	}
	bad_line = ini_parse_stream(read_line, l, take_key, l);
	if (ferror(l->file)) {
		ret = -EIO;
		snprintf(err, ICS_CONFIG_ERR_LEN, "%s: cannot be read; is it a file?", show_path(&p, path));
	} else if (bad_line < 0) {
		ret = -ENOMEM;
		snprintf(err, ICS_CONFIG_ERR_LEN, "%s: out of memory", show_path(&p, path));
	} else if (bad_line > 0 && (!l->failed || (unsigned)bad_line < l->line_no)) {
		ret = -EINVAL;
		l->failed = false;
		l->line_no = (unsigned)bad_line;
		fail(l, "neither [section] nor KEY = VALUE nor a comment");
	} else if (l->failed) {
		ret = -EINVAL;
	} else {
		*c = l->next;
	}
	fclose(l->file);
	free(l);
	return ret;
}

bool
ics_config_key(unsigned i, struct ics_config_key *out)
{
	if (i >= ICS_ARRAY_LEN(rows))
		return false;
	*out = (struct ics_config_key){
		.section = rows[i].section,
		.key = rows[i].key,
		.type = type_names[rows[i].type],
		.def = rows[i].def,
		.allowed = rows[i].allowed,
		.text = rows[i].text,
		.live = rows[i].live,
	};
	return true;
}
