/* The next line of a journal, wherever rotation has put it, with what is missing before it. A place is found again by inode and
 * offset where the line there is the one that was read last; else by the number of the line; else, where numbers began
 * anew, by the run that wrote it. A gap is believed only after all files were looked at again.
 */
#include "files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ics_follow {
	char path[PATH_MAX];
	unsigned n_max;
	struct ics_follow_pos last; /* the line that was given last */
	/* The file that is read; fd -1: it is to be found. */
	int fd;
	uint64_t dev, ino, off;
	char *buf;
	uint64_t buf_off; /* of buf[0] */
	size_t buf_len;
	bool skip;      /* within a line that is too long */
	bool began_new; /* nothing of the run of last is in the files */
	bool looked;    /* again, because of a gap */
	uint64_t damaged;
	json_t *doc;
	struct journal_files files;
};

int
ics_follow_parse(const char *text, size_t len, json_t **doc, struct ics_follow_pos *pos)
{
	json_t *all = json_loadb(text, len, 0, NULL);
	const json_t *own, *seq, *line;
	const char *boot;
	int rc = 0;

	*pos = (struct ics_follow_pos){0};
	own = json_object_get(all, "icmpscope");
	seq = json_object_get(own, "seq");
	line = json_object_get(own, "line");
	boot = json_string_value(json_object_get(own, "boot"));
	if (boot == NULL || boot[0] == '\0' || strlen(boot) >= sizeof(pos->boot) || json_integer_value(seq) <= 0 ||
	    json_integer_value(line) <= 0 || json_string_value(json_object_get(own, "event")) == NULL) {
		rc = -EINVAL;
	} else {
		pos->seq = (uint64_t)json_integer_value(seq);
		pos->line = (uint64_t)json_integer_value(line);
		strcpy(pos->boot, boot);
	}
	if (doc != NULL)
		*doc = rc == 0 ? all : NULL;
	if (doc == NULL || rc != 0)
		json_decref(all);
	return rc;
}

struct ics_follow *
ics_follow_new(const char *path, uint32_t keep)
{
	struct ics_follow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->fd = -1;
	f->buf = malloc(READ_LEN);
	if (f->buf == NULL || snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path)) {
		errno = f->buf == NULL ? ENOMEM : ENAMETOOLONG;
		ics_follow_free(f);
		return NULL;
	}
	f->n_max = keep > ICS_FOLLOW_FILES_MIN ? keep : ICS_FOLLOW_FILES_MIN;
	if (f->n_max > ICS_FOLLOW_FILES_MAX - 1)
		f->n_max = ICS_FOLLOW_FILES_MAX - 1;
	return f;
}

static void
let_go(struct ics_follow *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->buf_len = 0;
	f->skip = false;
}

void
ics_follow_free(struct ics_follow *f)
{
	if (f == NULL)
		return;
	let_go(f);
	json_decref(f->doc);
	free(f->buf);
	free(f);
}

void
ics_follow_seek(struct ics_follow *f, const struct ics_follow_pos *after)
{
	let_go(f);
	f->last = *after;
	f->looked = f->began_new = false;
}

/* ---- finding the place ---- */

static void
take(struct ics_follow *f, struct journal_file *file, uint64_t off)
{
	let_go(f);
	f->fd = file->fd;
	file->fd = -1;
	f->dev = file->dev;
	f->ino = file->ino;
	f->off = off;
}

static bool
is_line(const struct ics_follow_pos *a, const struct ics_follow_pos *b)
{
	return a->line == b->line && a->seq == b->seq && strcmp(a->boot, b->boot) == 0;
}

/* Whether the line that ends at last.off is the one that was read last. */
static bool
ends_there(struct ics_follow *f, const struct journal_file *file)
{
	uint64_t from = f->last.off > READ_LEN ? f->last.off - READ_LEN : 0;
	size_t n = (size_t)(f->last.off - from);
	struct ics_follow_pos pos;
	char *begin;

	if (file->dev != f->last.dev || file->ino != f->last.ino || f->last.off == 0 || f->last.off > file->size ||
	    pread(file->fd, f->buf, n, (off_t)from) != (ssize_t)n || f->buf[n - 1] != '\n')
		return false;
	begin = memrchr(f->buf, '\n', n - 1);
	begin = begin == NULL ? f->buf : begin + 1;
	if (ics_follow_parse(begin, (size_t)(f->buf + n - 1 - begin), NULL, &pos) != 0)
		return false;
	return is_line(&pos, &f->last);
}

struct search {
	const struct ics_follow_pos *want;
	uint64_t off; /* behind the line that was found; 0: none */
};

static int
is_wanted(void *ctx, const char *text, size_t len, uint64_t next)
{
	struct search *s = ctx;
	struct ics_follow_pos pos;

	if (ics_follow_parse(text, len, NULL, &pos) != 0)
		return 0;
	if (is_line(&pos, s->want))
		s->off = next;
	return s->off != 0;
}

/* The latest line of that run that is not behind the one we want. */
static int
is_of_run(void *ctx, const char *text, size_t len, uint64_t next)
{
	struct search *s = ctx;
	struct ics_follow_pos pos;

	if (ics_follow_parse(text, len, NULL, &pos) != 0)
		return 0;
	if (strcmp(pos.boot, s->want->boot) == 0 && pos.seq <= s->want->seq)
		s->off = next;
	return 0;
}

/* The file that holds the line, if any does, by the numbers that files begin with. */
static bool
find_by_line(struct ics_follow *f)
{
	struct search s = {&f->last, 0};

	for (unsigned i = 0; i < f->files.n; i++) {
		struct journal_file *file = &f->files.file[i];

		if (file->first == 0 || file->first > f->last.line)
			continue;
		(void)file_lines(file->fd, 0, f->buf, is_wanted, &s);
		if (s.off == 0)
			return false;
		take(f, file, s.off);
		return true;
	}
	return false;
}

static bool
find_by_run(struct ics_follow *f)
{
	for (unsigned i = 0; i < f->files.n; i++) {
		struct search s = {&f->last, 0};

		(void)file_lines(f->files.file[i].fd, 0, f->buf, is_of_run, &s);
		if (s.off == 0)
			continue;
		take(f, &f->files.file[i], s.off);
		return true;
	}
	return false;
}

static struct journal_file *
oldest(struct ics_follow *f)
{
	for (unsigned i = f->files.n; i-- > 0;)
		if (f->files.file[i].first != 0)
			return &f->files.file[i];
	return NULL;
}

/* 1: the place is found; 0: there is no line yet; -errno. */
static int
locate(struct ics_follow *f)
{
	struct journal_file *begin;
	int rc = files_open(&f->files, f->path, f->n_max);

	if (rc != 0)
		return rc;
	let_go(f);
	begin = oldest(f);
	if (begin == NULL) {
		files_close(&f->files);
		return 0;
	}
	for (unsigned i = 0; i < f->files.n && f->fd < 0 && f->last.line != 0; i++)
		if (ends_there(f, &f->files.file[i]))
			take(f, &f->files.file[i], f->last.off);
	if (f->fd < 0 && (f->last.line == 0 || begin->first > f->last.line)) {
		/* From the beginning; or what comes next was taken by rotation, or may have been. */
		take(f, begin, 0);
	} else if (f->fd < 0 && !find_by_line(f) && !find_by_run(f)) {
		f->began_new = true;
		take(f, begin, 0);
	}
	files_close(&f->files);
	return 1;
}

static int
any_line(void *ctx, const char *text, size_t len, uint64_t next)
{
	return 1;
}

/* At the end of a file: whether a newer one has lines already. Then the end of this one is final, as the writer has only one
 * file open; but it may have grown since we looked.
 */
static int
go_to_newer(struct ics_follow *f)
{
	struct journal_file *next = NULL;
	struct stat st;
	int known = -1, rc;

	if (stat(f->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino)
		return 0;
	rc = files_open(&f->files, f->path, f->n_max);
	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	for (unsigned i = 0; i < f->files.n; i++)
		if (f->files.file[i].dev == f->dev && f->files.file[i].ino == f->ino)
			known = (int)i;
	/* Ours was removed: the oldest that has lines we do not know. */
	for (unsigned i = 0; i < (known >= 0 ? (unsigned)known : f->files.n); i++) {
		struct journal_file *file = &f->files.file[i];

		if (file->first != 0 && (known >= 0 || file->first > f->last.line || next == NULL))
			next = file;
	}
	/* What has no end in it by now never gets one. */
	if (next != NULL && file_lines(f->fd, f->off, f->buf, any_line, NULL) == 0)
		take(f, next, 0);
	f->buf_len = 0;
	files_close(&f->files);
	return next != NULL;
}

/* ---- lines ---- */

/* 1: a line; 0: the file has none more now; -errno. */
static int
read_line(struct ics_follow *f, const char **text, size_t *len)
{
	for (;;) {
		ssize_t n;

		if (f->off >= f->buf_off && f->off < f->buf_off + f->buf_len) {
			char *at = f->buf + (f->off - f->buf_off), *end;

			end = memchr(at, '\n', f->buf_len - (size_t)(at - f->buf));
			if (end != NULL) {
				*text = at;
				*len = (size_t)(end - at);
				f->off += *len + 1;
				if (!f->skip)
					return 1;
				f->skip = false;
				f->damaged++;
				continue;
			}
		}
		/* A line without end is read again from its beginning: the writer may take it away. */
		n = pread(f->fd, f->buf, READ_LEN, (off_t)f->off);
		f->buf_off = f->off;
		f->buf_len = n > 0 ? (size_t)n : 0;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (memchr(f->buf, '\n', (size_t)n) != NULL)
			continue;
		f->buf_len = 0;
		if (n < (ssize_t)READ_LEN)
			return 0;
		f->off += (uint64_t)n;
		f->skip = true;
	}
}

static bool
is_shorter(const struct ics_follow *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && (uint64_t)st.st_size < f->off;
}

/* How many lines are missing before l that it does not tell as lost; false: it was given before. */
static bool
compare(struct ics_follow *f, struct ics_follow_line *l)
{
	const char *event = json_string_value(json_object_get(l->own, "event"));
	uint64_t told = 0;

	l->missing = 0;
	l->anew = f->began_new;
	if (f->last.line == 0)
		return true;
	if (strcmp(l->pos.boot, f->last.boot) == 0 && l->pos.seq <= f->last.seq)
		return false;
	if (l->pos.line <= f->last.line) {
		/* Of another run: it found a journal that was shorter than what we know. */
		l->anew = l->anew || l->pos.line == 1;
		return true;
	}
	if (l->anew)
		return true;
	if (strcmp(event, "journal_lost") == 0)
		told = (uint64_t)json_integer_value(json_object_get(l->own, "lost"));
	l->missing = l->pos.line - f->last.line - 1;
	l->missing -= told < l->missing ? told : l->missing;
	return true;
}

int
ics_follow_next(struct ics_follow *f, struct ics_follow_line *l)
{
	int rc;

	for (;;) {
		if (f->fd < 0 && (rc = locate(f)) <= 0)
			return rc;
		rc = read_line(f, &l->text, &l->len);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			if (is_shorter(f)) {
				/* Emptied in place: what is in it now is found by number. */
				f->last.off = 0;
				let_go(f);
				continue;
			}
			rc = go_to_newer(f);
			if (rc <= 0)
				return rc;
			continue;
		}
		json_decref(f->doc);
		f->doc = NULL;
		if (ics_follow_parse(l->text, l->len, &f->doc, &l->pos) != 0) {
			f->damaged++;
			continue;
		}
		l->doc = f->doc;
		l->own = json_object_get(f->doc, "icmpscope");
		l->pos.dev = f->dev;
		l->pos.ino = f->ino;
		l->pos.off = f->off;
		if (!compare(f, l))
			continue;
		if ((l->missing != 0 || l->anew) && !f->looked) {
			/* Rotation may have moved files while we looked at them. */
			f->looked = true;
			f->began_new = false;
			let_go(f);
			continue;
		}
		f->looked = f->began_new = false;
		f->last = l->pos;
		return 1;
	}
}

uint64_t
ics_follow_damaged(const struct ics_follow *f)
{
	return f->damaged;
}

uint64_t
ics_follow_behind(const struct ics_follow *f)
{
	struct stat st;

	return f->fd >= 0 && fstat(f->fd, &st) == 0 && (uint64_t)st.st_size > f->off ? (uint64_t)st.st_size - f->off
										     : 0;
}
