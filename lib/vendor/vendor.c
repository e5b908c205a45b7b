/* Reads the registry of MAC prefixes and looks names up in it. Of oui.txt the lines "00-22-72   (hex)   Name" are taken,
 * of a CSV file "MA-L,002272,Name,..." with 24, 28 or 36 bits. The file may be anything: it is read within bounds, and
 * one that holds no registrations is refused as a whole. Called by the programs at start and by detectors.
 */
#include "ics_vendor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 4096
/* Of a path in a sentence. */
#define PATH_TOLD_LEN 161

/* Local bit of a MAC (IEEE 802): not from the registry. */
#define LOCAL 0x02

struct row {
	uint64_t prefix; /* in the upper bits of 48 */
	uint8_t bits;
	char name[ICS_VENDOR_NAME_LEN];
};

static struct {
	struct row *row; /* by prefix, longer ones first where equal */
	unsigned n;
} list;

/* A list that is to be read when the first name is asked for. */
static struct {
	FILE *f; /* NULL: none */
	char path[PATH_TOLD_LEN];
	int rc;
} later;

static int
hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* Hex digits, dashes among them passed over; returns the place behind them, or NULL when their number is none that the
 * registry gives out.
 */
static const char *
read_prefix(const char *s, struct row *r)
{
	unsigned digits = 0;

	r->prefix = 0;
	for (; hex(*s) >= 0 || (*s == '-' && digits != 0 && hex(s[1]) >= 0); s++) {
		if (*s == '-')
			continue;
		if (++digits > 9)
			return NULL;
		r->prefix = r->prefix << 4 | (unsigned)hex(*s);
	}
	if (digits != 6 && digits != 7 && digits != 9)
		return NULL;
	r->bits = (uint8_t)(digits * 4);
	r->prefix <<= 48 - r->bits;
	return s;
}

/* Up to the end of the line, or of a CSV field with or without quotes; what is not printable becomes a question mark. */
static bool
read_name(const char *s, bool csv, struct row *r)
{
	bool quoted = csv && *s == '"';
	size_t n = 0;

	s += quoted;
	while (!csv && (*s == ' ' || *s == '\t'))
		s++;
	for (; *s != '\0' && *s != '\r' && *s != '\n'; s++) {
		if (quoted && *s == '"') {
			if (s[1] != '"')
				break;
			s++; /* a quote in quotes is doubled */
		} else if (csv && !quoted && *s == ',') {
			break;
		}
		if (n + 1 < sizeof(r->name))
			r->name[n++] = *s >= ' ' && *s <= '~' ? *s : '?';
	}
	while (n > 0 && r->name[n - 1] == ' ')
		n--;
	r->name[n] = '\0';
	return n != 0;
}

static bool
read_line(const char *line, struct row *r)
{
	const char *s;

	if (strncmp(line, "MA-", 3) == 0 || strncmp(line, "IAB,", 4) == 0) {
		s = strchr(line, ',');
		s = s != NULL ? read_prefix(s + 1, r) : NULL;
		return s != NULL && *s == ',' && read_name(s + 1, true, r);
	}
	s = read_prefix(line, r);
	if (s == NULL || r->bits != 24)
		return false;
	while (*s == ' ' || *s == '\t')
		s++;
	return strncmp(s, "(hex)", 5) == 0 && read_name(s + 5, false, r);
}

static int
compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return (int)y->bits - x->bits;
}

/* Rows of the file into *out, which grows; 0 or -errno. */
static int
read_rows(FILE *f, struct row **out, unsigned *n)
{
	unsigned room = 0;
	char line[LINE_MAX_LEN];
	size_t octets = 0;
	bool rest = false; /* of a line that is longer than any that counts */

	while (fgets(line, sizeof(line), f) != NULL) {
		size_t len = strlen(line);
		bool whole = len != 0 && line[len - 1] == '\n';
		struct row r;

		/* A line with a zero in it seems to have no end, and is skipped with what follows it. */
		octets += whole ? len : sizeof(line);
		if (octets > ICS_VENDOR_FILE_MAX)
			return -EFBIG;
		if (!rest && read_line(line, &r)) {
			if (*n >= ICS_VENDOR_MAX)
				return -EFBIG;
			if (*n == room) {
				struct row *more = realloc(*out, (room = room * 2 + 4096) * sizeof(r));

				if (more == NULL)
					return -ENOMEM;
				*out = more;
			}
			(*out)[(*n)++] = r;
		}
		rest = !whole;
	}
	return ferror(f) ? -EIO : *n == 0 ? -EINVAL : 0;
}

/* Of files alone: a pipe or device may never end. */
static int
open_list(const char *path, FILE **f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	struct stat st;

	*f = NULL;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if ((*f = fdopen(fd, "r")) == NULL)
		rc = -errno;
	if (rc != 0)
		close(fd);
	return rc;
}

static int
tell(int rc, const char *path, char err[static ICS_VENDOR_ERR_LEN])
{
	if (rc != 0)
		snprintf(err, ICS_VENDOR_ERR_LEN, "%.*s: %s", PATH_TOLD_LEN - 1, path,
			 rc == -EINVAL  ? "not a list of MAC prefixes as ieee-data has it"
			 : rc == -EFBIG ? "too large for a list of MAC prefixes"
					: strerror(-rc));
	return rc;
}

/* The file is closed. 0 or -errno. */
static int
take_list(FILE *f)
{
	struct row *rows = NULL;
	unsigned n = 0;
	int rc = read_rows(f, &rows, &n);

	fclose(f);
	if (rc != 0) {
		free(rows);
		return rc;
	}
	qsort(rows, n, sizeof(*rows), compare);
	free(list.row);
	list.row = rows;
	list.n = n;
	return 0;
}

static void
forget_later(void)
{
	if (later.f != NULL)
		fclose(later.f);
	later.f = NULL;
	later.rc = 0;
}

int
ics_vendor_load(const char *path, char err[static ICS_VENDOR_ERR_LEN])
{
	FILE *f;
	int rc = open_list(path, &f);

	if (rc == 0)
		rc = take_list(f);
	if (rc == 0)
		forget_later();
	return tell(rc, path, err);
}

int
ics_vendor_load_later(const char *path, char err[static ICS_VENDOR_ERR_LEN])
{
	FILE *f;
	int rc = open_list(path, &f);

	if (rc != 0)
		return tell(rc, path, err);
	forget_later();
	later.f = f;
	snprintf(later.path, sizeof(later.path), "%s", path);
	return 0;
}

int
ics_vendor_late(char err[static ICS_VENDOR_ERR_LEN])
{
	return tell(later.rc, later.path, err);
}

void
ics_vendor_free(void)
{
	free(list.row);
	list.row = NULL;
	list.n = 0;
	forget_later();
}

unsigned
ics_vendor_count(void)
{
	return list.n;
}

static const struct row *
find(uint64_t prefix, unsigned bits)
{
	unsigned lo = 0, hi = list.n;

	/* The first that is not before it. */
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const struct row *r = &list.row[mid];

		if (r->prefix < prefix || (r->prefix == prefix && r->bits > bits))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < list.n && list.row[lo].prefix == prefix && list.row[lo].bits == bits ? &list.row[lo] : NULL;
}

const char *
ics_vendor_name(const struct ics_mac *mac)
{
	static const uint8_t bits[] = {36, 28, 24};
	uint64_t value = 0;

	if (mac->b[0] & LOCAL)
		return "locally administered";
	if (later.f != NULL) {
		later.rc = take_list(later.f);
		later.f = NULL;
	}
	for (unsigned i = 0; i < 6; i++)
		value = value << 8 | mac->b[i];
	for (unsigned i = 0; list.n != 0 && i < ICS_ARRAY_LEN(bits); i++) {
		const struct row *r = find(value >> (48 - bits[i]) << (48 - bits[i]), bits[i]);

		if (r != NULL)
			return r->name;
	}
	return "";
}
