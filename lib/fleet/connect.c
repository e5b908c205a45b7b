/* Connections to the servers of a fleet, and what is written over them. Secrets are read from files that nobody else can read
 * and go nowhere but to the library that signs with them. Each trouble becomes one line with what to do.
 */
#include "fleet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define CONNECT_MS 5000
#define PING_MS 5000
#define PINGS_OUT 2
#define SIGN_TRIES 3

int
ics_fleet_check_files(const struct ics_config *conf, char err[static ICS_FLEET_ERR_LEN])
{
	const struct {
		const char *key, *path;
		bool secret;
	} files[] = {{"fleet.ca", conf->fleet.ca, false},
		     {"fleet.cert", conf->fleet.cert, false},
		     {"fleet.key", conf->fleet.key, true},
		     {"fleet.nkey", conf->fleet.nkey, true},
		     {"fleet.creds", conf->fleet.creds, true}};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(files); i++) {
		struct stat st;

		if (files[i].path[0] == '\0')
			continue;
		if (stat(files[i].path, &st) != 0) {
			int rc = -errno;

			snprintf(err, ICS_FLEET_ERR_LEN, "%s = %.300s: %s", files[i].key, files[i].path, strerror(-rc));
			return rc;
		}
		if (!S_ISREG(st.st_mode) || (files[i].secret && (st.st_mode & 027) != 0)) {
			snprintf(err, ICS_FLEET_ERR_LEN,
				 S_ISREG(st.st_mode)
					 ? "%s = %.300s: others than its owner and group can read it, or the "
					   "group can write it; chmod 0640 or less"
					 : "%s = %.300s is no regular file",
				 files[i].key, files[i].path);
			return -EACCES;
		}
	}
	if ((conf->fleet.cert[0] == '\0') != (conf->fleet.key[0] == '\0')) {
		snprintf(err, ICS_FLEET_ERR_LEN, "fleet.cert and fleet.key: one is useless without the other");
		return -EINVAL;
	}
	if (conf->fleet.nkey[0] != '\0' && conf->fleet.creds[0] != '\0') {
		snprintf(err, ICS_FLEET_ERR_LEN,
			 "fleet.nkey and fleet.creds: a client is known by one of them, not by both");
		return -EINVAL;
	}
	return 0;
}

/* ---- what went wrong ---- */

static enum ics_fleet_trouble
kind_of(natsStatus s, jsErrCode code, const char *text)
{
	switch (s) {
	case NATS_CONNECTION_AUTH_FAILED:
	case NATS_NOT_PERMITTED:
		return ICS_FLEET_AUTH;
	case NATS_NO_RESPONDERS:
		return ICS_FLEET_NO_STREAM;
	case NATS_NO_SERVER:
	case NATS_IO_ERROR:
	case NATS_CONNECTION_CLOSED:
	case NATS_CONNECTION_DISCONNECTED:
	case NATS_STALE_CONNECTION:
	case NATS_SSL_ERROR:
		return strcasestr(text, "authorization") != NULL ? ICS_FLEET_AUTH : ICS_FLEET_LOST;
	default:
		return ICS_FLEET_STREAM;
	}
}

static enum ics_fleet_trouble
fail(struct ics_fleet *f, natsStatus s, jsErrCode code, const char *what)
{
	natsStatus last = NATS_OK;
	const char *text = nats_GetLastError(&last);
	enum ics_fleet_trouble kind;
	char refusal[sizeof(f->refusal)];

	if (text == NULL || text[0] == '\0' || last != s)
		text = natsStatus_GetText(s);
	/* "(conn.c:2088): " is about the library's source. */
	if (text[0] == '(' && strstr(text, "): ") != NULL)
		text = strstr(text, "): ") + 3;
	kind = kind_of(s, code, text);
	pthread_mutex_lock(&f->lock);
	memcpy(refusal, f->refusal, sizeof(refusal));
	f->refusal[0] = '\0';
	pthread_mutex_unlock(&f->lock);
	/* A refused request has no answer; what the server said meanwhile is the cause. */
	if (refusal[0] != '\0' && kind != ICS_FLEET_AUTH) {
		snprintf(f->error, sizeof(f->error), "%s: the server refuses it: %s", what, refusal);
		return ICS_FLEET_REFUSED;
	}
	if (kind == ICS_FLEET_NO_STREAM)
		snprintf(f->error, sizeof(f->error),
			 "%s: no stream takes it; it has no leader now, or icmpscopectl fleet setup was not run", what);
	else if (kind == ICS_FLEET_AUTH)
		snprintf(f->error, sizeof(f->error),
			 "%s: the server does not let this client in (%.100s); see fleet.nkey or fleet.creds, and the "
			 "server's list of users",
			 what, text);
	else if (code != 0)
		snprintf(f->error, sizeof(f->error), "%s: %.200s (JetStream error %d)", what, text, (int)code);
	else
		snprintf(f->error, sizeof(f->error), "%s: %.200s", what, text);
	return kind;
}

enum ics_fleet_trouble
fleet_fail(struct ics_fleet *f, natsStatus s, jsErrCode code, const char *what)
{
	f->why = fail(f, s, code, what);
	return f->why;
}

static void
on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *ctx)
{
	struct ics_fleet *f = ctx;
	const char *text = NULL;

	if (s != NATS_NOT_PERMITTED)
		return;
	(void)natsConnection_GetLastError(nc, &text);
	pthread_mutex_lock(&f->lock);
	snprintf(f->refusal, sizeof(f->refusal), "%s", text != NULL ? text : natsStatus_GetText(s));
	pthread_mutex_unlock(&f->lock);
}

/* ---- connecting ---- */

static natsStatus
set_servers(natsOptions *o, const char *list, bool *tls)
{
	char copy[512], *save = NULL;
	const char *url[ICS_FLEET_SERVERS_MAX];
	int n = 0;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *p = strtok_r(copy, ", \t", &save); p != NULL && n < ICS_FLEET_SERVERS_MAX;
	     p = strtok_r(NULL, ", \t", &save)) {
		*tls |= strncmp(p, "tls://", 6) == 0;
		url[n++] = p;
	}
	return natsOptions_SetServers(o, url, n);
}

static natsStatus
set_options(struct ics_fleet *f, const struct ics_config *conf, const struct ics_fleet_self *self, const char *pub)
{
	char name[160];
	bool tls = conf->fleet.ca[0] != '\0' || conf->fleet.cert[0] != '\0';
	natsStatus s = natsOptions_Create(&f->opts);
	natsOptions *o = f->opts;

	snprintf(name, sizeof(name), "icmpscope%s%s%s%s", self != NULL ? " " : "ctl fleet",
		 self != NULL ? self->site : "", self != NULL ? "." : "", self != NULL ? self->appliance : "");
	if (s == NATS_OK)
		s = set_servers(o, conf->fleet.servers, &tls);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, name);
	/* Its own inbox: an appliance must not hear the answers to others. */
	if (s == NATS_OK && self != NULL) {
		snprintf(f->inbox, sizeof(f->inbox), "_INBOX.%s.%s", self->site, self->appliance);
		s = natsOptions_SetCustomInboxPrefix(o, f->inbox);
	}
	/* When a connection ends, the place in the stream is asked for before anything is sent over the next one. */
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, PING_MS);
	if (s == NATS_OK)
		s = natsOptions_SetMaxPingsOut(o, PINGS_OUT);
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetFailRequestsOnDisconnect(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(o, on_error, f);
	if (s == NATS_OK && tls)
		s = natsOptions_SetSecure(o, true);
	if (s == NATS_OK && tls)
		s = natsOptions_LoadCATrustedCertificates(o, conf->fleet.ca[0] != '\0' ? conf->fleet.ca : SYSTEM_CA);
	if (s == NATS_OK && conf->fleet.cert[0] != '\0')
		s = natsOptions_LoadCertificatesChain(o, conf->fleet.cert, conf->fleet.key);
	if (s == NATS_OK && conf->fleet.creds[0] != '\0')
		s = natsOptions_SetUserCredentialsFromFiles(o, conf->fleet.creds, NULL);
	if (s == NATS_OK && conf->fleet.nkey[0] != '\0')
		s = natsOptions_SetNKeyFromSeed(o, pub, conf->fleet.nkey);
	return s;
}

/* libnats 3.4 leaves a signature out whose first octet is zero, one of 256, and the server lets nobody in without: its next nonce
 * is another one.
 */
static natsStatus
open_connection(struct ics_fleet *f)
{
	natsStatus s = NATS_OK;

	for (unsigned i = 0; i < SIGN_TRIES; i++) {
		const char *text;

		s = natsConnection_Connect(&f->nc, f->opts);
		if (s == NATS_OK)
			break;
		text = nats_GetLastError(NULL);
		if (kind_of(s, 0, text != NULL ? text : "") != ICS_FLEET_AUTH)
			break;
	}
	return s;
}

struct ics_fleet *
ics_fleet_connect(const struct ics_config *conf, const struct ics_fleet_self *self, enum ics_fleet_trouble *why,
		  char err[static ICS_FLEET_ERR_LEN])
{
	struct ics_fleet *f = calloc(1, sizeof(*f));
	char pub[ICS_FLEET_NKEY_LEN] = "", what[ICS_FLEET_ERR_LEN];
	natsStatus s;

	*why = ICS_FLEET_LOCAL;
	if (f == NULL) {
		snprintf(err, ICS_FLEET_ERR_LEN, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&f->lock, NULL);
	snprintf(f->stream, sizeof(f->stream), "%s", conf->fleet.stream);
	snprintf(f->inbox, sizeof(f->inbox), "_INBOX");
	if (ics_fleet_check_files(conf, err) != 0 ||
	    (conf->fleet.nkey[0] != '\0' && ics_fleet_nkey_file(conf->fleet.nkey, pub, err) != 0) ||
	    (conf->fleet.creds[0] != '\0' && ics_fleet_creds_file(conf->fleet.creds, err) != 0)) {
		ics_fleet_close(f);
		return NULL;
	}
	s = set_options(f, conf, self, pub);
	if (s == NATS_OK)
		s = open_connection(f);
	if (s == NATS_OK)
		s = natsConnection_JetStream(&f->js, f->nc, NULL);
	if (s != NATS_OK) {
		snprintf(what, sizeof(what), "connecting to %.200s", conf->fleet.servers);
		*why = fleet_fail(f, s, 0, what);
		memcpy(err, f->error, ICS_FLEET_ERR_LEN);
		ics_fleet_close(f);
		return NULL;
	}
	*why = ICS_FLEET_FINE;
	return f;
}

void
ics_fleet_close(struct ics_fleet *f)
{
	if (f == NULL)
		return;
	jsCtx_Destroy(f->js);
	if (f->nc != NULL)
		natsConnection_Close(f->nc);
	natsConnection_Destroy(f->nc);
	natsOptions_Destroy(f->opts);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

bool
ics_fleet_is_open(const struct ics_fleet *f)
{
	return natsConnection_Status(f->nc) == NATS_CONN_STATUS_CONNECTED;
}

const char *
ics_fleet_error(const struct ics_fleet *f)
{
	return f->error;
}

enum ics_fleet_trouble
ics_fleet_why(const struct ics_fleet *f)
{
	return f->why;
}

/* ---- writing ---- */

enum ics_fleet_trouble
ics_fleet_publish(struct ics_fleet *f, const char *stream, const char *subject, const char *id, const void *body,
		  size_t len, uint64_t *seq)
{
	jsPubOptions o;
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	char what[ICS_FLEET_SUBJECT_LEN + 16];
	natsStatus s;

	jsPubOptions_Init(&o);
	o.MaxWait = FLEET_WAIT_MS;
	o.MsgId = id;
	/* Another stream that takes these subjects as well is not the one that is asked for the place. */
	o.ExpectStream = stream;
	s = js_Publish(&ack, f->js, subject, body, (int)len, &o, &code);
	if (s == NATS_OK) {
		if (seq != NULL)
			*seq = ack->Sequence;
		jsPubAck_Destroy(ack);
		return ICS_FLEET_FINE;
	}
	snprintf(what, sizeof(what), "publishing %s", subject);
	return fleet_fail(f, s, code, what);
}

enum ics_fleet_trouble
ics_fleet_put(struct ics_fleet *f, const char *bucket, const struct ics_fleet_self *self, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII), subject[ICS_FLEET_SUBJECT_LEN], stream[80];
	enum ics_fleet_trouble rc;

	if (text == NULL) {
		snprintf(f->error, sizeof(f->error), "out of memory");
		return ICS_FLEET_LOCAL;
	}
	snprintf(subject, sizeof(subject), "$KV.%s.%s.%s", bucket, self->site, self->appliance);
	snprintf(stream, sizeof(stream), "KV_%s", bucket);
	rc = ics_fleet_publish(f, stream, subject, NULL, text, strlen(text), NULL);
	free(text);
	return rc;
}

enum ics_fleet_trouble
ics_fleet_last(struct ics_fleet *f, const struct ics_fleet_self *self, struct ics_follow_pos *pos)
{
	char subject[ICS_FLEET_SUBJECT_LEN];
	const char *status = NULL, *seq = NULL;
	enum ics_fleet_trouble rc = ICS_FLEET_FINE;
	natsMsg *msg = NULL;
	json_t *body;
	natsStatus s;

	*pos = (struct ics_follow_pos){0};
	/* The subject is part of the request's, so that a server can let each appliance ask for its own alone. */
	snprintf(subject, sizeof(subject), "$JS.API.DIRECT.GET.%s.icmpscope.%s.%s.>", f->stream, self->site,
		 self->appliance);
	s = natsConnection_Request(&msg, f->nc, subject, NULL, 0, FLEET_WAIT_MS);
	if (s != NATS_OK)
		return fleet_fail(f, s, 0, "asking for the last event in the stream");
	if (natsMsgHeader_Get(msg, "Status", &status) == NATS_OK && status != NULL) {
		if (strcmp(status, "404") != 0) {
			snprintf(f->error, sizeof(f->error), "asking for the last event in the stream: status %.20s",
				 status);
			rc = ICS_FLEET_STREAM;
		}
		natsMsg_Destroy(msg);
		return rc;
	}
	body = json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
	if (ics_fleet_place(body, pos) == 0 && natsMsgHeader_Get(msg, "Nats-Sequence", &seq) == NATS_OK && seq != NULL)
		pos->mark = strtoull(seq, NULL, 10);
	json_decref(body);
	natsMsg_Destroy(msg);
	return rc;
}
