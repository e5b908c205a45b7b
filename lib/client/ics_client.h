/* A client of the telemetry socket of icmpscope (DPDK telemetry, version 2): one packet each way, the server speaks
 * first. For programs that ask the inspector; it is never linked into it.
 */
#ifndef ICS_CLIENT_H
#define ICS_CLIENT_H

#include "ics_config.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#define ICS_CLIENT_PATH_LEN 108
#define ICS_CLIENT_ERR_LEN 256
struct ics_client {
	int fd; /* -1: not connected */
	char path[ICS_CLIENT_PATH_LEN];
	char error[ICS_CLIENT_ERR_LEN]; /* one line about the latest failure, with how to mend it where that is known */
};

/* Where DPDK puts the socket of the icmpscope with these settings: the directory of a service first, then root's; for
 * others their own, or root's where only that has one. 0, or -ENAMETOOLONG.
 */
int ics_client_path(const struct ics_config *conf, char path[static ICS_CLIENT_PATH_LEN]);
/* Connects and reads the greeting; waits a while where other clients stand in the way. 0, or -errno and c->error. */
int ics_client_open(struct ics_client *c, const char *path);
void ics_client_close(struct ics_client *c);
/* What the reply holds, to be released with json_decref(). NULL and c->error: the connection was lost (then fd is -1), or
 * icmpscope answered with an error. fmt makes a command with its parameters, at most 1,023 bytes.
 */
json_t *ics_client_ask(struct ics_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Values of a flat reply; 0 and "" where there is none. */
uint64_t ics_client_uint(const json_t *reply, const char *key);
const char *ics_client_text(const json_t *reply, const char *key);
/* A text that came in pieces KEY_0, KEY_1, ... */
void ics_client_long_text(const json_t *reply, const char *key, char *buf, size_t size);
/* Rows of a page of a table: the length of its columns. */
size_t ics_client_rows(const json_t *page);

/* All frames of an anomaly as the socket tells them (an empty array: it has none), or NULL and c->error. */
json_t *ics_client_evidence(struct ics_client *c, uint64_t id);
/* Those frames, one or more, as a pcapng file with comments. 0; -EPROTO and c->error: the socket did not tell what is needed;
 * another -errno: out did not take it.
 */
int ics_client_write_evidence(struct ics_client *c, const json_t *frames, FILE *out, const char *program);

#endif
