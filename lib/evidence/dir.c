/* A directory of evidence: one file an anomaly, the oldest go first. What others put there stays. Called off the control
 * core, and by the reader.
 */
#include "ics_evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "icmpscope-"
#define SUFFIX ".pcapng"
#define TEMPORARY ".icmpscope-evidence.tmp"

struct entry {
	char name[NAME_MAX + 1];
	uint64_t bytes;
};

/* Ours begin with the time: PREFIX, 20160512T002110.543000Z, '-'. */
static bool
is_ours(const char *name)
{
	static const char form[] = PREFIX "########T######.######Z-";
	size_t len = strlen(name);

	if (len < sizeof(form) + sizeof(SUFFIX) || strcmp(name + len - strlen(SUFFIX), SUFFIX) != 0)
		return false;
	for (unsigned i = 0; form[i] != '\0'; i++)
		if (form[i] == '#' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
			return false;
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* All of ours with their sizes; *out is the caller's to free. -errno. */
static int
scan(const struct ics_evidence_dir *d, struct entry **out, size_t *n)
{
	DIR *dir = opendir(d->path);
	size_t room = 0;
	struct dirent *e;

	*out = NULL;
	*n = 0;
	if (dir == NULL)
		return -errno;
	while ((e = readdir(dir)) != NULL) {
		struct stat st;

		if (!is_ours(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (*n == room) {
			struct entry *more = realloc(*out, (room + 256) * sizeof(**out));

			if (more == NULL) {
				free(*out);
				closedir(dir);
				return -ENOMEM;
			}
			room += 256;
			*out = more;
		}
		strcpy((*out)[*n].name, e->d_name);
		(*out)[*n].bytes = (uint64_t)st.st_size;
		++*n;
	}
	closedir(dir);
	return 0;
}

static bool
is_too_much(const struct ics_evidence_dir *d, unsigned tenths)
{
	return (d->max_files != 0 && d->files * 10 > (uint64_t)d->max_files * tenths) ||
	       (d->max_bytes != 0 && d->bytes * 10 > d->max_bytes * tenths);
}

/* Counts, and lets the oldest go until nine tenths of the bounds are left, so that not each new file looks at all. */
static int
retain(struct ics_evidence_dir *d)
{
	struct entry *all;
	size_t n;
	int rc = scan(d, &all, &n);

	if (rc != 0)
		return rc;
	d->files = n;
	d->bytes = 0;
	for (size_t i = 0; i < n; i++)
		d->bytes += all[i].bytes;
	if (is_too_much(d, 10)) {
		qsort(all, n, sizeof(*all), by_name);
		/* The newest stays whatever its size. */
		for (size_t i = 0; i + 1 < n && is_too_much(d, 9); i++) {
			char path[PATH_MAX];

			if (snprintf(path, sizeof(path), "%s/%s", d->path, all[i].name) >= (int)sizeof(path) ||
			    unlink(path) != 0)
				continue;
			d->files--;
			d->bytes -= all[i].bytes;
		}
	}
	free(all);
	return 0;
}

int
ics_evidence_open(struct ics_evidence_dir *d)
{
	struct stat st;

	if (stat(d->path, &st) != 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (access(d->path, W_OK | X_OK) != 0)
		return -errno;
	return retain(d);
}

static void
file_name(const struct ics_evidence_dir *d, const struct ics_anomaly *a, char *buf, size_t size)
{
	time_t s = (time_t)(a->first_ns / 1000000000u);
	struct tm tm;
	char when[32];

	gmtime_r(&s, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
	snprintf(buf, size, "%s/" PREFIX "%s.%06uZ-%.60s-%llu-%.36s" SUFFIX, d->path, when,
		 (unsigned)(a->first_ns % 1000000000u / 1000), a->detector, (unsigned long long)a->id, d->boot);
}

static int
write_file(const struct ics_evidence_dir *d, const char *tmp, const struct ics_anomaly *a, const char *port,
	   uint64_t *bytes)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640), rc;
	struct ics_pcapng out;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
	long len;

	if (f == NULL) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	errno = 0;
	rc = ics_pcapng_begin(&out, f, d->program);
	if (rc == 0)
		rc = ics_evidence_add(&out, a, port);
	if (rc >= 0 && fflush(f) != 0)
		rc = errno != 0 ? -errno : -EIO;
	len = ftell(f);
	*bytes = len > 0 ? (uint64_t)len : 0;
	if (fclose(f) != 0 && rc >= 0)
		rc = errno != 0 ? -errno : -EIO;
	return rc < 0 ? rc : 0;
}

int
ics_evidence_write(struct ics_evidence_dir *d, const struct ics_anomaly *a, const char *port)
{
	const struct ics_proof *proofs[ICS_PROOFS];
	char path[PATH_MAX], tmp[PATH_MAX];
	uint64_t bytes = 0, before = 0;
	struct stat st;
	int rc;

	if (ics_anomaly_proofs(a, proofs) == 0)
		return 0;
	if (snprintf(tmp, sizeof(tmp), "%s/" TEMPORARY, d->path) >= (int)sizeof(tmp) - NAME_MAX)
		return -ENAMETOOLONG;
	file_name(d, a, path, sizeof(path));
	rc = write_file(d, tmp, a, port, &bytes);
	if (rc == 0) {
		if (lstat(path, &st) == 0)
			before = (uint64_t)st.st_size;
		else
			d->files++;
		if (rename(tmp, path) != 0) {
			rc = -errno;
			d->files -= before == 0;
		}
	}
	if (rc != 0) {
		(void)unlink(tmp);
		return rc;
	}
	d->bytes += bytes - before;
	if (is_too_much(d, 10))
		(void)retain(d);
	return 1;
}
