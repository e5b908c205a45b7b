/* The journal on file: appended line by line, each wholly or not at all, so that whatever kills the writer the file ends with a
 * line, or with one torn line that the next start takes away. A file that is full or old is renamed and the next begun.
 * Called by the thread that writes.
 */
#include "ics_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* How each of our lines begins. */
#define BEGIN "{\"timestamp\":"
#define STOPPED "\"event\":\"stop\""
/* Before the running number of a line; within a string its quotes would be escaped. */
#define LINE "\"line\":"
/* What a torn end may hold: a line, or what a file system left of one after a power failure. */
#define TAIL_MAX (1u << 20)
/* A rotation that failed is tried again after so long; meanwhile the file grows. */
#define RETRY_S 10

struct ics_journal {
	int fd; /* -1: could not be opened again */
	struct ics_journal_conf conf;
	char path[PATH_MAX];
	uint64_t size, begun_s, retry_s, rotations;
	bool torn;  /* a line that was not written wholly could not be taken away again */
	bool dirty; /* since the latest sync */
};

/* -errno; then *why says more where there is more to say. */
static int
open_at(const char *path, int flags, struct stat *st, const char **why)
{
	/* Nothing that stands there in its place may hold us up, and nobody else may write it. */
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0640);
	int rc = 0;

	*why = NULL;
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) != 0) {
		rc = -errno;
	} else if (!S_ISREG(st->st_mode)) {
		*why = "is no regular file; name another";
		rc = -EINVAL;
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		*why = "is written by another process; name another file for each";
		rc = -errno;
	}
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static uint64_t
age_of(int fd, const struct stat *st)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) == 0 && (x.stx_mask & STATX_BTIME) != 0)
		return (uint64_t)x.stx_btime.tv_sec;
	return (uint64_t)st->st_mtim.tv_sec;
}

static bool
is_journal(int fd, uint64_t size)
{
	char head[sizeof(BEGIN)];
	size_t n = size < strlen(BEGIN) ? (size_t)size : strlen(BEGIN);

	return pread(fd, head, n, 0) == (ssize_t)n && memcmp(head, BEGIN, n) == 0;
}

/* Looks at the end: what has no newline, how the run before ended, and the number of its last line. 0 or -errno. */
static int
look_at_end(int fd, uint64_t size, struct ics_journal_found *found)
{
	size_t n = size < TAIL_MAX ? (size_t)size : TAIL_MAX;
	char *tail = malloc(n + 1), *end, *begin;

	if (tail == NULL)
		return -ENOMEM;
	if (pread(fd, tail, n, (off_t)(size - n)) != (ssize_t)n) {
		free(tail);
		return -EIO;
	}
	tail[n] = '\0';
	end = memrchr(tail, '\n', n);
	if (end == NULL && n < size) {
		free(tail);
		return -EILSEQ;
	}
	found->torn_bytes = end == NULL ? n : (uint64_t)(tail + n - (end + 1));
	found->bytes = size - found->torn_bytes;
	if (end != NULL) {
		*end = '\0';
		begin = memrchr(tail, '\n', (size_t)(end - tail));
		begin = begin != NULL ? begin : tail;
		found->stopped = found->torn_bytes == 0 && strstr(begin, STOPPED) != NULL;
		begin = strstr(begin, LINE);
		found->line = begin != NULL ? strtoull(begin + strlen(LINE), NULL, 10) : 0;
	}
	free(tail);
	return 0;
}

/* Takes away what has no newline. */
static int
mend(int fd, uint64_t size, struct ics_journal_found *found)
{
	int rc = look_at_end(fd, size, found);

	if (rc == 0 && found->torn_bytes != 0 && ftruncate(fd, (off_t)found->bytes) != 0)
		rc = -errno;
	return rc;
}

/* Numbers go on where the file before ended. */
static uint64_t
line_of_earlier(const char *path)
{
	struct ics_journal_found found = {0};
	char name[PATH_MAX + 16];
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "%s.1", path);
	fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && is_journal(fd, (uint64_t)st.st_size))
		(void)look_at_end(fd, (uint64_t)st.st_size, &found);
	close(fd);
	return found.line;
}

static struct ics_journal *
refuse(struct ics_journal *j, int error, const char *path, const char *why, char *err)
{
	snprintf(err, ICS_JOURNAL_ERR_LEN, "journal.file = %.300s: %s", path, why != NULL ? why : strerror(error));
	ics_journal_close(j);
	errno = error;
	return NULL;
}

struct ics_journal *
ics_journal_open(const struct ics_journal_conf *conf, struct ics_journal_found *found,
		 char err[static ICS_JOURNAL_ERR_LEN])
{
	struct ics_journal *j = calloc(1, sizeof(*j));
	const char *why;
	struct stat st;
	int rc;

	*found = (struct ics_journal_found){0};
	if (j == NULL)
		return refuse(j, ENOMEM, conf->path, NULL, err);
	j->conf = *conf;
	j->fd = -1;
	/* Room for the number of an earlier file. */
	if (snprintf(j->path, sizeof(j->path), "%s", conf->path) >= (int)sizeof(j->path) - 16)
		return refuse(j, ENAMETOOLONG, conf->path, NULL, err);
	j->fd = open_at(j->path, 0, &st, &why);
	if (j->fd < 0)
		return refuse(j, -j->fd, conf->path, why, err);
	if (!is_journal(j->fd, (uint64_t)st.st_size))
		return refuse(j, EINVAL, conf->path, "is no journal of icmpscope; name another file", err);
	rc = st.st_size > 0 ? mend(j->fd, (uint64_t)st.st_size, found) : 0;
	if (rc != 0)
		return refuse(j, -rc, conf->path,
			      rc == -EILSEQ ? "ends with a megabyte without a line; move it away, a new one is made"
					    : NULL,
			      err);
	if (found->line == 0)
		found->line = line_of_earlier(j->path);
	j->size = found->bytes;
	j->begun_s = age_of(j->fd, &st);
	return j;
}

int
ics_journal_sync(struct ics_journal *j)
{
	if (j->fd < 0)
		return ics_journal_reopen(j);
	if (!j->dirty)
		return 0;
	if (fdatasync(j->fd) != 0)
		return -errno;
	j->dirty = false;
	return 0;
}

void
ics_journal_close(struct ics_journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0) {
		(void)ics_journal_sync(j);
		close(j->fd);
	}
	free(j);
}

void
ics_journal_limit(struct ics_journal *j, uint64_t max_bytes, uint64_t max_age_s, uint32_t keep)
{
	j->conf.max_bytes = max_bytes;
	j->conf.max_age_s = max_age_s;
	j->conf.keep = keep;
}

int
ics_journal_reopen(struct ics_journal *j)
{
	struct ics_journal_found found;
	const char *why;
	struct stat st;
	int rc;

	if (j->fd >= 0) {
		(void)ics_journal_sync(j);
		close(j->fd);
	}
	j->torn = j->dirty = false;
	j->fd = open_at(j->path, 0, &st, &why);
	if (j->fd < 0) {
		rc = j->fd;
		j->fd = -1;
		return rc;
	}
	j->size = (uint64_t)st.st_size;
	j->begun_s = age_of(j->fd, &st);
	if (j->size == 0)
		return 0;
	rc = is_journal(j->fd, j->size) ? mend(j->fd, j->size, &found) : -EINVAL;
	if (rc == 0) {
		j->size = found.bytes;
	} else {
		close(j->fd);
		j->fd = -1;
	}
	return rc;
}

/* FILE.1 becomes FILE.2 and so on, the last one goes. */
static void
shift_earlier(const struct ics_journal *j)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	for (uint32_t i = j->conf.keep; i > 1; i--) {
		snprintf(from, sizeof(from), "%s.%u", j->path, i - 1);
		snprintf(to, sizeof(to), "%s.%u", j->path, i);
		(void)rename(from, to);
	}
}

/* The next file is there before anything is renamed: a disk that has no room for it leaves all as it is. */
static int
rotate(struct ics_journal *j, uint64_t now_s)
{
	char next[PATH_MAX + 16], earlier[PATH_MAX + 16];
	const char *why;
	struct stat st;
	int fd;

	snprintf(next, sizeof(next), "%s.next", j->path);
	fd = open_at(next, O_TRUNC, &st, &why);
	if (fd < 0)
		return fd;
	(void)ics_journal_sync(j);
	if (j->conf.keep > 0) {
		shift_earlier(j);
		snprintf(earlier, sizeof(earlier), "%s.1", j->path);
	}
	/* What cannot be put away stays. */
	if ((j->conf.keep > 0 && rename(j->path, earlier) != 0) || rename(next, j->path) != 0) {
		int rc = -errno;

		(void)unlink(next);
		close(fd);
		return rc;
	}
	close(j->fd);
	j->fd = fd;
	j->size = 0;
	j->begun_s = now_s;
	j->rotations++;
	return 0;
}

/* Brings what we know of the file up to date: others may have renamed, emptied or removed it. */
static int
look(struct ics_journal *j, uint64_t now_s)
{
	struct stat st;

	if (j->fd >= 0 && fstat(j->fd, &st) == 0 && st.st_nlink > 0) {
		if (j->torn && ftruncate(j->fd, (off_t)j->size) != 0)
			return -errno;
		if (!j->torn)
			j->size = (uint64_t)st.st_size;
		j->torn = false;
		return 0;
	}
	if (j->fd < 0 && now_s < j->retry_s && j->retry_s <= now_s + RETRY_S)
		return -ENOENT;
	j->retry_s = now_s + 1;
	return ics_journal_reopen(j);
}

static bool
is_due(const struct ics_journal *j, size_t len, uint64_t now_s)
{
	return j->size > 0 && ((j->conf.max_bytes != 0 && j->size + len > j->conf.max_bytes) ||
			       (j->conf.max_age_s != 0 && now_s >= j->begun_s + j->conf.max_age_s));
}

/* A line is cut where a disk ends; the rest of it then tells why. */
static int
write_all(int fd, const char *p, size_t len, size_t *written)
{
	for (*written = 0; *written < len;) {
		ssize_t n = write(fd, p + *written, len - *written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		*written += (size_t)n;
	}
	return 0;
}

int
ics_journal_write(struct ics_journal *j, const char *line, size_t len, uint64_t now_s)
{
	int rc = look(j, now_s);
	size_t written;

	if (rc != 0)
		return rc;
	/* The clock was set back. */
	if (j->begun_s > now_s)
		j->begun_s = now_s;
	if (is_due(j, len, now_s) && (now_s >= j->retry_s || j->retry_s > now_s + RETRY_S) && rotate(j, now_s) != 0)
		j->retry_s = now_s + RETRY_S;
	rc = write_all(j->fd, line, len, &written);
	if (rc == 0) {
		j->size += len;
		j->dirty = true;
		return 0;
	}
	j->torn = written > 0 && ftruncate(j->fd, (off_t)j->size) != 0;
	return rc;
}

uint64_t
ics_journal_rotations(const struct ics_journal *j)
{
	return j->rotations;
}
