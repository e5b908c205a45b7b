/* Credentials files: the token of a user (JWT, RFC 7519) and the seed of its key, each between two lines of dashes. cnats says of
 * a damaged one no more than "invalid checksum", again and again; here it is looked at before anything is sent, and named. Whether
 * the token is signed by somebody the servers trust is theirs to say.
 */
#include "ics_fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (64u * 1024)
#define SIGNATURE_LEN 64

/* RFC 4648 section 5, without padding. Length, or -1. */
static ssize_t
decode(const char *text, size_t len, uint8_t *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0;
	ssize_t n = 0;

	for (size_t i = 0; i < len; i++) {
		const char *at = memchr(alphabet, text[i], sizeof(alphabet) - 1);

		if (at == NULL)
			return -1;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have);
	}
	return n;
}

/* The line between two lines of dashes that comes next; what is between sections does not matter. */
static const char *
next_section(char **rest)
{
	const char *before = NULL, *line = NULL;

	for (const char *p = strsep(rest, "\r\n"); p != NULL; p = strsep(rest, "\r\n")) {
		if (p[0] == '\0')
			continue;
		if (before != NULL && line != NULL && strncmp(p, "---", 3) == 0 && strncmp(before, "---", 3) == 0 &&
		    strncmp(line, "---", 3) != 0)
			return line;
		before = line;
		line = p;
	}
	return NULL;
}

/* Whether token is one, whole, and about the key pub. NULL: it is. */
static const char *
check_token(const char *token, const char *pub)
{
	const char *body = strchr(token, '.'), *sig = body != NULL ? strchr(body + 1, '.') : NULL;
	size_t len = strlen(token);
	const char *wrong = "its token is damaged or cut off";
	uint8_t *raw = malloc(len + 1);
	json_t *claims = NULL;
	ssize_t n;

	if (raw == NULL)
		return "out of memory";
	if (sig != NULL && decode(sig + 1, strlen(sig + 1), raw) == SIGNATURE_LEN) {
		n = decode(body + 1, (size_t)(sig - body - 1), raw);
		claims = n > 0 ? json_loadb((const char *)raw, (size_t)n, 0, NULL) : NULL;
	}
	if (claims != NULL) {
		const char *sub = json_string_value(json_object_get(claims, "sub"));

		wrong = sub != NULL && strcmp(sub, pub) == 0 ? NULL : "its seed is not that of its token's user";
	}
	json_decref(claims);
	free(raw);
	return wrong;
}

static const char *
check(char *text)
{
	char pub[ICS_FLEET_NKEY_LEN], *rest = text;
	const char *token, *seed;

	token = next_section(&rest);
	seed = token != NULL ? next_section(&rest) : NULL;
	if (seed == NULL)
		return "it does not hold a token and a seed, each between two lines of dashes";
	if (ics_fleet_nkey_public(seed, pub) != 0)
		return "its seed is damaged, or not that of a user (SU...)";
	return check_token(token, pub);
}

int
ics_fleet_creds_file(const char *path, char err[static ICS_FLEET_ERR_LEN])
{
	char *text = malloc(FILE_MAX + 1);
	const char *wrong = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	size_t n = 0;
	ssize_t got;

	if (text == NULL || fd < 0) {
		rc = text == NULL ? -ENOMEM : -errno;
		wrong = strerror(-rc);
		goto out;
	}
	while ((got = read(fd, text + n, FILE_MAX + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0) {
		rc = -errno;
		wrong = strerror(-rc);
	} else if (n > FILE_MAX) {
		wrong = "it is larger than a credentials file can be";
	} else {
		text[n] = '\0';
		wrong = check(text);
	}
	if (wrong != NULL && rc == 0)
		rc = -EINVAL;
out:
	if (wrong != NULL)
		snprintf(err, ICS_FLEET_ERR_LEN, "fleet.creds = %.300s: %s", path, wrong);
	if (text != NULL)
		OPENSSL_cleanse(text, FILE_MAX + 1);
	free(text);
	if (fd >= 0)
		close(fd);
	return rc;
}
