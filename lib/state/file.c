/* The state file on disk: written beside itself and renamed, so that whatever happens meanwhile there is the old one or
 * the new one; read as a whole within a bound. Called off the control core, and once at the start.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (1u << 20)

static void
write_header(struct ics_state_snapshot *s)
{
	size_t len;
	uint8_t *h = state_snapshot_data(s, &len);

	memset(h, 0, HEADER_LEN);
	memcpy(h, STATE_MAGIC, 8);
	put_le(h + 8, STATE_VERSION, 4);
	put_le(h + 12, HEADER_LEN, 4);
	put_le(h + 16, state_layout(), 8);
	put_le(h + 24, ics_state_snapshot_time(s), 8);
	put_le(h + 32, len - HEADER_LEN, 8);
	put_le(h + 40, ics_hash(h + HEADER_LEN, len - HEADER_LEN, STATE_SUM_SEED), 8);
	put_le(h + 56, ics_hash(h, 56, STATE_SUM_SEED), 8);
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len != 0) {
		ssize_t n = write(fd, p, len < CHUNK ? len : CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The name in the directory is on disk too. */
static int
sync_directory(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, rc;

	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else if (slash == path)
		snprintf(dir, sizeof(dir), "/");
	else
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) != 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int
write_temporary(struct ics_state_snapshot *s, const char *tmp)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), rc;
	size_t len;
	const uint8_t *data = state_snapshot_data(s, &len);

	if (fd < 0)
		return -errno;
	rc = write_all(fd, data, len);
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int
ics_state_write(struct ics_state_snapshot *s, const char *path)
{
	char tmp[PATH_MAX];
	int rc;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	write_header(s);
	rc = write_temporary(s, tmp);
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	if (rc != 0) {
		(void)unlink(tmp);
		return rc;
	}
	return sync_directory(path);
}

static uint8_t *
read_all(int fd, size_t len)
{
	uint8_t *data = malloc(len);
	size_t got = 0;

	if (data == NULL)
		return NULL;
	while (got < len) {
		ssize_t n = read(fd, data + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			free(data);
			return NULL;
		}
		got += (size_t)n;
	}
	return data;
}

uint8_t *
state_read(const char *path, size_t *len, const char **why)
{
	/* Nothing that stands there in its place may hold up the start. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;
	uint8_t *data = NULL;
	struct stat st;

	*why = NULL;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0) {
		error = errno;
	} else if (!S_ISREG(st.st_mode)) {
		*why = "it is no regular file";
		error = EINVAL;
	} else if (st.st_size < HEADER_LEN) {
		*why = "it is too short";
		error = EINVAL;
	} else if (st.st_size > ICS_STATE_BYTES_MAX) {
		*why = "it is longer than any state file";
		error = EINVAL;
	} else {
		*len = (size_t)st.st_size;
		data = read_all(fd, *len);
		error = errno;
	}
	close(fd);
	errno = error;
	return data;
}

int
state_set_aside(const char *path)
{
	char bad[PATH_MAX];

	if (snprintf(bad, sizeof(bad), "%s.bad", path) >= (int)sizeof(bad))
		return -ENAMETOOLONG;
	return rename(path, bad) != 0 ? -errno : 0;
}
