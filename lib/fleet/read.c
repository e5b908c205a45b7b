/* What the fleet's streams hold, for who asks: the latest value of each appliance, with its age by the server's clock, and events
 * by subject and time. By consumers that live in the server's memory and go with who asked.
 */
#include "fleet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT_MS 10000
#define HEARTBEAT_NS 3000000000ll
/* A value that was overwritten while others were read comes later, as the new one. */
#define VALUES_S 5

struct reading {
	natsSubscription *sub;
	char inbox[256];
	bool more; /* messages to come */
	uint64_t delivered;
	int64_t server_ns; /* its clock when it began */
	int64_t until_ns;  /* what was stored later is not waited for */
};

/* The library's own ordered consumer may leave a lock behind when it is closed while messages come (libnats 3.4.1), so this
 * is a plain one whose deliveries are counted here.
 */
static int
begin(struct ics_fleet *f, struct reading *r, const char *stream, const char *filter, jsDeliverPolicy policy,
      uint64_t since_ns)
{
	natsInbox *inbox = NULL;
	jsConsumerInfo *info = NULL;
	jsConsumerConfig c;
	jsErrCode code = 0;
	natsStatus s;

	jsConsumerConfig_Init(&c);
	c.DeliverPolicy = policy;
	if (policy == js_DeliverByStartTime)
		c.OptStartTime = (int64_t)since_ns;
	c.AckPolicy = js_AckNone;
	c.FilterSubject = filter;
	c.FlowControl = true;
	c.Heartbeat = HEARTBEAT_NS;
	c.MemoryStorage = true;
	c.Replicas = 1;
	s = natsInbox_Create(&inbox);
	if (s == NATS_OK) {
		/* "_INBOX.UNIQUE"; it may be that this client may hear its own alone. */
		snprintf(r->inbox, sizeof(r->inbox), "%s.%s", f->inbox, strrchr(inbox, '.') + 1);
		c.DeliverSubject = r->inbox;
		natsInbox_Destroy(inbox);
		s = natsConnection_SubscribeSync(&r->sub, f->nc, r->inbox);
	}
	/* The server holds back by itself (flow control). */
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(r->sub, -1, -1);
	if (s == NATS_OK)
		s = js_AddConsumer(&info, f->js, stream, &c, NULL, &code);
	if (s != NATS_OK) {
		enum ics_fleet_trouble kind = fleet_fail(f, s, code, "reading");

		/* A bucket or stream that is not there has no words of its own. */
		if (s == NATS_NOT_FOUND || kind == ICS_FLEET_NO_STREAM)
			snprintf(f->error, sizeof(f->error), "%s: there is none; run icmpscopectl fleet setup", stream);
		if (s == NATS_NOT_FOUND)
			f->why = ICS_FLEET_NO_STREAM;
		natsSubscription_Destroy(r->sub);
		return -EIO;
	}
	/* How many is told with each message; here it may be of a moment between. */
	r->more = info->NumPending + info->Delivered.Consumer > 0;
	r->server_ns = info->Created;
	r->until_ns = info->Created + (policy == js_DeliverLastPerSubject ? VALUES_S * 1000000000ll : 0);
	jsConsumerInfo_Destroy(info);
	return 0;
}

/* "$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.TRIES.SEQUENCE.DELIVERED.TIME.PENDING[.MORE]" */
static bool
parse_delivery(const char *reply, uint64_t n[static 4])
{
	const char *at[12];
	unsigned k = 0, first;

	for (; reply != NULL && k < ICS_ARRAY_LEN(at); k++) {
		at[k] = reply;
		reply = strchr(reply, '.');
		reply = reply != NULL ? reply + 1 : NULL;
	}
	first = k >= 11 ? 7 : 5;
	if (k < first + 4 || strncmp(at[0], "$JS.ACK.", 8) != 0)
		return false;
	for (unsigned i = 0; i < 4; i++)
		n[i] = strtoull(at[first + i], NULL, 10);
	return true;
}

/* What the server says about the delivery itself; a question is answered. */
static bool
is_control(struct ics_fleet *f, natsMsg *msg)
{
	const char *status = NULL;

	if (natsMsgHeader_Get(msg, "Status", &status) != NATS_OK || status == NULL)
		return false;
	if (natsMsg_GetReply(msg) != NULL)
		(void)natsConnection_Publish(f->nc, natsMsg_GetReply(msg), NULL, 0);
	return true;
}

/* 1: *msg, stored at *stored_ns, the seq-th of its stream; 0: that was all; -errno. */
static int
next(struct ics_fleet *f, struct reading *r, natsMsg **msg, int64_t *stored_ns, uint64_t *seq)
{
	uint64_t n[4]; /* sequence, number of the delivery, time, pending */

	while (r->more) {
		natsStatus s = natsSubscription_NextMsg(msg, r->sub, NEXT_MS);

		if (s != NATS_OK) {
			(void)fleet_fail(f, s, 0, "reading");
			return -EIO;
		}
		if (is_control(f, *msg)) {
			natsMsg_Destroy(*msg);
			continue;
		}
		if (!parse_delivery(natsMsg_GetReply(*msg), n) || n[1] != ++r->delivered) {
			natsMsg_Destroy(*msg);
			snprintf(f->error, sizeof(f->error), "reading: messages were lost on the way; ask again");
			f->why = ICS_FLEET_STREAM;
			return -EIO;
		}
		*seq = n[0];
		*stored_ns = (int64_t)n[2];
		/* Who asks gets what was there when it asked, else a busy stream had no end. */
		r->more = n[3] > 0 && *stored_ns <= r->until_ns;
		return 1;
	}
	return 0;
}

static json_t *
body_of(natsMsg *msg)
{
	return json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
}

/* "$KV.BUCKET.SITE.APPLIANCE" */
static bool
split_key(const char *subject, struct ics_fleet_self *who)
{
	const char *appliance = strrchr(subject, '.'), *site;

	if (appliance == NULL)
		return false;
	site = memrchr(subject, '.', (size_t)(appliance - subject));
	if (site == NULL || appliance - site - 1 >= (int)sizeof(who->site) ||
	    strlen(appliance + 1) >= sizeof(who->appliance))
		return false;
	snprintf(who->site, sizeof(who->site), "%.*s", (int)(appliance - site - 1), site + 1);
	strcpy(who->appliance, appliance + 1);
	return ics_fleet_is_word(who->site) && ics_fleet_is_word(who->appliance);
}

int
ics_fleet_values(struct ics_fleet *f, const char *bucket, ics_fleet_value_fn fn, void *ctx)
{
	char stream[80], filter[80];
	struct reading r = {0};
	int64_t stored_ns;
	uint64_t seq;
	natsMsg *msg;
	int rc, end = 0;

	snprintf(stream, sizeof(stream), "KV_%s", bucket);
	snprintf(filter, sizeof(filter), "$KV.%s.>", bucket);
	rc = begin(f, &r, stream, filter, js_DeliverLastPerSubject, 0);
	if (rc != 0)
		return rc;
	while (end == 0 && (rc = next(f, &r, &msg, &stored_ns, &seq)) == 1) {
		struct ics_fleet_self who;
		const char *op = NULL;

		(void)natsMsgHeader_Get(msg, "KV-Operation", &op);
		if (op == NULL && split_key(natsMsg_GetSubject(msg), &who)) {
			double age = (double)(r.server_ns - stored_ns) / 1e9;
			json_t *value = body_of(msg);

			end = fn(ctx, who.site, who.appliance, value, age > 0 ? age : 0);
			json_decref(value);
		}
		natsMsg_Destroy(msg);
	}
	natsSubscription_Destroy(r.sub);
	return rc < 0 ? rc : 0;
}

/* Names of the streams that hold events: sites may be split over several. NULL after an error. */
static json_t *
streams_of_events(struct ics_fleet *f)
{
	static const char question[] = "{\"subject\":\"icmpscope.>\"}";
	json_t *answer, *names;
	natsMsg *msg = NULL;
	natsStatus s = natsConnection_Request(&msg, f->nc, "$JS.API.STREAM.NAMES", question, sizeof(question) - 1,
					      FLEET_WAIT_MS);

	if (s != NATS_OK) {
		(void)fleet_fail(f, s, 0, "asking for streams");
		return NULL;
	}
	answer = body_of(msg);
	natsMsg_Destroy(msg);
	names = json_incref(json_object_get(answer, "streams"));
	json_decref(answer);
	if (json_array_size(names) > 0)
		return names;
	json_decref(names);
	snprintf(f->error, sizeof(f->error), "no stream holds events; run icmpscopectl fleet setup");
	f->why = ICS_FLEET_NO_STREAM;
	return NULL;
}

static int
read_events(struct ics_fleet *f, const char *stream, const char *filter, uint64_t since_ns, ics_fleet_event_fn fn,
	    void *ctx, int *end)
{
	struct reading r = {0};
	int64_t stored_ns;
	uint64_t seq;
	natsMsg *msg;
	int rc = begin(f, &r, stream, filter != NULL ? filter : "icmpscope.>",
		       since_ns != 0 ? js_DeliverByStartTime : js_DeliverAll, since_ns);

	if (rc != 0)
		return rc;
	while (*end == 0 && (rc = next(f, &r, &msg, &stored_ns, &seq)) == 1) {
		json_t *event = body_of(msg);

		if (event != NULL)
			*end = fn(ctx, natsMsg_GetSubject(msg), event, seq, (uint64_t)stored_ns);
		json_decref(event);
		natsMsg_Destroy(msg);
	}
	natsSubscription_Destroy(r.sub);
	return rc < 0 ? rc : 0;
}

int
ics_fleet_events(struct ics_fleet *f, const char *filter, uint64_t since_ns, ics_fleet_event_fn fn, void *ctx)
{
	json_t *names = streams_of_events(f), *name;
	int rc = names == NULL ? -EIO : 0, end = 0;
	size_t i;

	json_array_foreach(names, i, name)
	{
		if (rc == 0 && end == 0)
			rc = read_events(f, json_string_value(name), filter, since_ns, fn, ctx, &end);
	}
	json_decref(names);
	return rc;
}

int
ics_fleet_forget(struct ics_fleet *f, const struct ics_fleet_self *self)
{
	static const char *const buckets[] = {ICS_FLEET_STATE_BUCKET, ICS_FLEET_BINDINGS_BUCKET};
	char key[136];

	snprintf(key, sizeof(key), "%s.%s", self->site, self->appliance);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(buckets); i++) {
		kvStore *kv = NULL;
		natsStatus s = js_KeyValue(&kv, f->js, buckets[i]);

		if (s == NATS_OK)
			s = kvStore_Purge(kv, key, NULL);
		kvStore_Destroy(kv);
		if (s != NATS_OK) {
			(void)fleet_fail(f, s, 0, buckets[i]);
			return -EIO;
		}
	}
	return 0;
}
