/* The files of a journal: FILE and FILE.1, FILE.2 and so on, looked at from the newest to the oldest. Rotation moves files in
 * that direction too, so one that moves meanwhile is met twice, never missed; an inode that was met before is left out.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
file_lines(int fd, uint64_t off, char buf[static READ_LEN], line_fn fn, void *ctx)
{
	bool skip = false; /* the rest of a line that is too long */

	for (;;) {
		ssize_t n = pread(fd, buf, READ_LEN, (off_t)off);
		char *p = buf, *end;
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		while ((end = memchr(p, '\n', (size_t)(buf + n - p))) != NULL) {
			off += (uint64_t)(end + 1 - p);
			rc = skip ? 0 : fn(ctx, p, (size_t)(end - p), off);
			skip = false;
			if (rc != 0)
				return rc;
			p = end + 1;
		}
		if (p == buf) {
			/* No end in all of it: of a line that is still being written nothing is taken. */
			if (n < (ssize_t)READ_LEN)
				return 0;
			off += (uint64_t)n;
			skip = true;
		}
	}
}

/* The first line that is one: the one before may be damaged. */
static int
take_first(void *ctx, const char *text, size_t len, uint64_t next)
{
	struct journal_file *file = ctx;
	struct ics_follow_pos pos;

	if (ics_follow_parse(text, len, NULL, &pos) != 0)
		return 0;
	file->first = pos.line;
	return 1;
}

static bool
is_known(const struct journal_files *fs, const struct stat *st)
{
	for (unsigned i = 0; i < fs->n; i++)
		if (fs->file[i].dev == st->st_dev && fs->file[i].ino == st->st_ino)
			return true;
	return false;
}

int
files_open(struct journal_files *fs, const char *path, unsigned n_max)
{
	char name[PATH_MAX + 16], *buf = malloc(READ_LEN);
	int error = ENOENT;

	fs->n = 0;
	if (buf == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i <= n_max && fs->n < ICS_FOLLOW_FILES_MAX; i++) {
		struct journal_file *file = &fs->file[fs->n];
		struct stat st;
		int fd;

		if (i == 0)
			snprintf(name, sizeof(name), "%.*s", PATH_MAX - 1, path);
		else
			snprintf(name, sizeof(name), "%.*s.%u", PATH_MAX - 1, path, i);
		fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0) {
			error = errno != ENOENT ? errno : error;
			continue;
		}
		if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || is_known(fs, &st)) {
			close(fd);
			continue;
		}
		*file = (struct journal_file){
			.fd = fd, .dev = st.st_dev, .ino = st.st_ino, .size = (uint64_t)st.st_size};
		(void)file_lines(fd, 0, buf, take_first, file);
		fs->n++;
	}
	free(buf);
	return fs->n > 0 ? 0 : -error;
}

void
files_close(struct journal_files *fs)
{
	for (unsigned i = 0; i < fs->n; i++)
		if (fs->file[i].fd >= 0)
			close(fs->file[i].fd);
	fs->n = 0;
}
