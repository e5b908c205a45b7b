/* How far the reader of a journal came, on file: two slots that are written in turn, each with a number and a checksum, so that
 * whatever kills the writer one of them is whole. The file never grows, so a full disk does not stop it. Called by the thread
 * that publishes, after each acknowledgment.
 */
#include "ics_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "icscurs1"
/* Slots do not share a sector. */
#define SLOT_STEP 4096

struct slot {
	char magic[8];
	uint64_t generation;
	uint64_t who;
	struct ics_follow_pos pos;
	uint64_t sum; /* of what is before it */
};

static uint64_t
fnv(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u;
	return h;
}

static bool
is_whole(const struct slot *s)
{
	return memcmp(s->magic, MAGIC, sizeof(s->magic)) == 0 && s->sum == fnv(s, offsetof(struct slot, sum)) &&
	       memchr(s->pos.boot, '\0', sizeof(s->pos.boot)) != NULL;
}

static int
refuse(struct ics_cursor *c, int error, const char *path, const char *why, char *err)
{
	snprintf(err, ICS_FOLLOW_ERR_LEN, "%.300s: %s", path, why != NULL ? why : strerror(error));
	ics_cursor_close(c);
	return -error;
}

/* NULL, or what is wrong with what the file holds. */
static const char *
take(struct ics_cursor *c, uint64_t size, struct ics_follow_pos *pos)
{
	bool is_ours = false, found = false;

	for (unsigned i = 0; i < 2; i++) {
		struct slot s;

		if (pread(c->fd, &s, sizeof(s), (off_t)i * SLOT_STEP) < (ssize_t)sizeof(s.magic))
			continue;
		is_ours |= memcmp(s.magic, MAGIC, sizeof(s.magic)) == 0;
		if (pread(c->fd, &s, sizeof(s), (off_t)i * SLOT_STEP) != (ssize_t)sizeof(s) || !is_whole(&s))
			continue;
		if (s.who != c->who)
			return "is the cursor of another appliance; name another file";
		if (!found || s.generation > c->generation) {
			c->generation = s.generation;
			*pos = s.pos;
		}
		found = true;
	}
	if (size > 0 && !is_ours)
		return "is no cursor; name another file";
	c->damaged = size > 0 && !found;
	return NULL;
}

int
ics_cursor_open(struct ics_cursor *c, const char *path, const char *who, struct ics_follow_pos *pos,
		char err[static ICS_FOLLOW_ERR_LEN])
{
	const char *why;
	struct stat st;

	*c = (struct ics_cursor){.who = fnv(who, strlen(who))};
	*pos = (struct ics_follow_pos){0};
	c->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (c->fd < 0 || fstat(c->fd, &st) != 0)
		return refuse(c, errno, path, NULL, err);
	if (!S_ISREG(st.st_mode))
		return refuse(c, EINVAL, path, "is no regular file; name another", err);
	if (flock(c->fd, LOCK_EX | LOCK_NB) != 0)
		return refuse(c, errno, path, "is used by another process; one exporter for each appliance", err);
	why = take(c, (uint64_t)st.st_size, pos);
	if (why != NULL)
		return refuse(c, EINVAL, path, why, err);
	return 0;
}

int
ics_cursor_write(struct ics_cursor *c, const struct ics_follow_pos *pos)
{
	struct slot s;
	ssize_t n;

	/* Holes between the members take part in the checksum. */
	memset(&s, 0, sizeof(s));
	memcpy(s.magic, MAGIC, sizeof(s.magic));
	s.generation = ++c->generation;
	s.who = c->who;
	s.pos = *pos;
	memset(s.pos.boot, 0, sizeof(s.pos.boot));
	memcpy(s.pos.boot, pos->boot, strnlen(pos->boot, sizeof(s.pos.boot) - 1));
	s.sum = fnv(&s, offsetof(struct slot, sum));
	n = pwrite(c->fd, &s, sizeof(s), (off_t)(s.generation & 1) * SLOT_STEP);
	if (n != (ssize_t)sizeof(s))
		return n < 0 ? -errno : -ENOSPC;
	c->dirty = true;
	return 0;
}

int
ics_cursor_sync(struct ics_cursor *c)
{
	if (!c->dirty)
		return 0;
	c->dirty = false;
	return fdatasync(c->fd) == 0 ? 0 : -errno;
}

void
ics_cursor_close(struct ics_cursor *c)
{
	if (c->fd < 0)
		return;
	(void)ics_cursor_sync(c);
	close(c->fd);
	c->fd = -1;
}
