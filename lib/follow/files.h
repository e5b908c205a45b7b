/* Internal to lib/follow: the files of a journal as they are at the moment. */
#ifndef ICS_FOLLOW_FILES_H
#define ICS_FOLLOW_FILES_H

#include "ics_follow.h"

/* Longer than any line: what has no end within it is passed over. */
#define READ_LEN (128u << 10)

struct journal_file {
	int fd;
	uint64_t dev, ino, size;
	uint64_t first; /* number of its first line; 0: it has no whole line */
};

struct journal_files {
	unsigned n; /* the newest first */
	struct journal_file file[ICS_FOLLOW_FILES_MAX];
};

/* Opens them all. 0, or -errno when there is none that can be read. */
int files_open(struct journal_files *fs, const char *path, unsigned n_max);
/* All but the one that is taken out (its fd set to -1). */
void files_close(struct journal_files *fs);

/* Calls fn for every line from off on until it returns non-zero or the file ends; gives that back. next: offset behind the line. */
typedef int (*line_fn)(void *ctx, const char *text, size_t len, uint64_t next);
int file_lines(int fd, uint64_t off, char buf[static READ_LEN], line_fn fn, void *ctx);

#endif
