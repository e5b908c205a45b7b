/* NKEYs of users: an Ed25519 pair whose seed and public key are written in base32 with a kind before and a checksum (CRC-16 of
 * XMODEM) behind. cnats signs with a seed but wants to be told the public key; Debian has no tool that makes a pair.
 */
#include "ics_fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND_SEED (18u << 3) /* 'S' */
#define KIND_USER (20u << 3) /* 'U' */
#define KEY_LEN 32
#define SEED_RAW_LEN (2 + KEY_LEN + 2)
#define PUBLIC_RAW_LEN (1 + KEY_LEN + 2)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint16_t
crc16(const uint8_t *p, size_t n)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc ^= (uint16_t)(p[i] << 8);
		for (unsigned b = 0; b < 8; b++)
			crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
	}
	return crc;
}

/* Puts the checksum behind n octets of raw, and all of it as text. */
static void
encode(uint8_t *raw, size_t n, char text[static ICS_FLEET_NKEY_LEN])
{
	uint16_t crc = crc16(raw, n);
	uint32_t bits = 0;
	unsigned have = 0;

	raw[n++] = (uint8_t)crc;
	raw[n++] = (uint8_t)(crc >> 8);
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | raw[i];
		for (have += 8; have >= 5; have -= 5)
			*text++ = alphabet[bits >> (have - 5) & 31];
	}
	if (have > 0)
		*text++ = alphabet[bits << (5 - have) & 31];
	*text = '\0';
}

/* Length, or 0 when it is not that or its checksum is wrong. */
static size_t
decode(const char *text, uint8_t *raw, size_t want)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (; *text != '\0'; text++) {
		const char *at = strchr(alphabet, *text);

		if (at == NULL)
			return 0;
		bits = bits << 5 | (uint32_t)(at - alphabet);
		have += 5;
		if (have < 8)
			continue;
		have -= 8;
		if (n == want)
			return 0;
		raw[n++] = (uint8_t)(bits >> have);
	}
	if (n != want || (raw[n - 2] | raw[n - 1] << 8) != crc16(raw, n - 2))
		return 0;
	return n - 2;
}

static int
public_of(const uint8_t seed[static KEY_LEN], char pub[static ICS_FLEET_NKEY_LEN])
{
	uint8_t raw[PUBLIC_RAW_LEN] = {KIND_USER};
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_LEN);
	size_t n = KEY_LEN;
	int rc = 0;

	if (key == NULL || EVP_PKEY_get_raw_public_key(key, raw + 1, &n) != 1 || n != KEY_LEN)
		rc = -EIO;
	else
		encode(raw, 1 + KEY_LEN, pub);
	EVP_PKEY_free(key);
	return rc;
}

int
ics_fleet_nkey_public(const char *seed, char pub[static ICS_FLEET_NKEY_LEN])
{
	uint8_t raw[SEED_RAW_LEN];
	int rc = -EINVAL;

	/* The kind of the key is spread over both octets. */
	if (strlen(seed) < ICS_FLEET_NKEY_LEN && decode(seed, raw, sizeof(raw)) != 0 && (raw[0] & 0xf8) == KIND_SEED &&
	    ((raw[0] & 7u) << 5 | raw[1] >> 3) == KIND_USER)
		rc = public_of(raw + 2, pub);
	OPENSSL_cleanse(raw, sizeof(raw));
	return rc;
}

int
ics_fleet_nkey_new(char seed[static ICS_FLEET_NKEY_LEN], char pub[static ICS_FLEET_NKEY_LEN])
{
	uint8_t raw[SEED_RAW_LEN] = {KIND_SEED | KIND_USER >> 5, (uint8_t)((KIND_USER & 31u) << 3)};
	int rc = -EIO;

	if (RAND_priv_bytes(raw + 2, KEY_LEN) == 1)
		rc = public_of(raw + 2, pub);
	if (rc == 0)
		encode(raw, 2 + KEY_LEN, seed);
	OPENSSL_cleanse(raw, sizeof(raw));
	return rc;
}

int
ics_fleet_nkey_file(const char *path, char pub[static ICS_FLEET_NKEY_LEN], char err[static ICS_FLEET_ERR_LEN])
{
	char text[256] = "", *seed = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -EINVAL;

	if (fd < 0) {
		rc = -errno;
		snprintf(err, ICS_FLEET_ERR_LEN, "fleet.nkey = %.300s: %s", path, strerror(-rc));
		return rc;
	}
	if (read(fd, text, sizeof(text) - 1) > 0)
		seed = strstr(text, "SU");
	close(fd);
	if (seed != NULL) {
		seed[strspn(seed, alphabet)] = '\0';
		rc = ics_fleet_nkey_public(seed, pub);
	}
	OPENSSL_cleanse(text, sizeof(text));
	if (rc != 0)
		snprintf(err, ICS_FLEET_ERR_LEN,
			 "fleet.nkey = %.300s holds no seed of a user (SU...); icmpscopectl fleet key makes one", path);
	return rc;
}
