/* Internal to lib/fleet: a connection. */
#ifndef ICS_FLEET_PRIV_H
#define ICS_FLEET_PRIV_H

#include "ics_fleet.h"

#include <nats/nats.h>
#include <pthread.h>

/* How long an acknowledgment may take; a quorum that lost its leader needs several of these. */
#define FLEET_WAIT_MS 3000

struct ics_fleet {
	natsOptions *opts;
	natsConnection *nc;
	jsCtx *js;
	char stream[64];
	char inbox[160]; /* what its answers come to begins so */
	char error[ICS_FLEET_ERR_LEN];
	enum ics_fleet_trouble why; /* kind of the latest error */
	/* What the server says beside the answers, in a thread of the library. */
	pthread_mutex_t lock;
	char refusal[256];
};

/* Keeps what went wrong: what was done, and the library's or the server's words. */
enum ics_fleet_trouble fleet_fail(struct ics_fleet *f, natsStatus s, jsErrCode code, const char *what);

#endif
