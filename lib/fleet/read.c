/* What the fleet's streams hold, for who asks: the latest value of each appliance, with its age by the server's clock, and events
 * by subject and time. By ordered consumers, which live in the server's memory and go with who asked.
 */
#include "fleet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT_MS 10000

struct reading {
	natsSubscription *sub;
	uint64_t pending;  /* messages that were there when it began */
	int64_t server_ns; /* its clock then */
};

static int
begin(struct ics_fleet *f, struct reading *r, const char *stream, const char *filter, jsDeliverPolicy policy,
      uint64_t since_ns)
{
	jsConsumerInfo *info = NULL;
	jsSubOptions o;
	jsErrCode code = 0;
	natsStatus s;

	jsSubOptions_Init(&o);
	o.Stream = stream;
	o.Ordered = true;
	o.Config.DeliverPolicy = policy;
	if (policy == js_DeliverByStartTime)
		o.Config.OptStartTime = (int64_t)since_ns;
	s = js_SubscribeSync(&r->sub, f->js, filter, NULL, &o, &code);
	if (s == NATS_OK)
		s = natsSubscription_GetConsumerInfo(&info, r->sub, NULL, &code);
	if (s != NATS_OK) {
		enum ics_fleet_trouble kind = fleet_fail(f, s, code, "reading");

		/* A bucket or stream that is not there has no words of its own. */
		if (s == NATS_NOT_FOUND || kind == ICS_FLEET_NO_STREAM)
			snprintf(f->error, sizeof(f->error), "%s: there is none; run icmpscopectl fleet setup", stream);
		natsSubscription_Destroy(r->sub);
		return -EIO;
	}
	/* What was delivered meanwhile is no longer pending. */
	r->pending = info->NumPending + info->Delivered.Consumer;
	r->server_ns = info->Created;
	jsConsumerInfo_Destroy(info);
	return 0;
}

/* 1: *msg; 0: that was all; -errno. */
static int
next(struct ics_fleet *f, struct reading *r, natsMsg **msg)
{
	natsStatus s;

	if (r->pending == 0)
		return 0;
	s = natsSubscription_NextMsg(msg, r->sub, NEXT_MS);
	if (s != NATS_OK) {
		(void)fleet_fail(f, s, 0, "reading");
		return -EIO;
	}
	r->pending--;
	return 1;
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
	natsMsg *msg;
	int rc, end = 0;

	snprintf(stream, sizeof(stream), "KV_%s", bucket);
	snprintf(filter, sizeof(filter), "$KV.%s.>", bucket);
	rc = begin(f, &r, stream, filter, js_DeliverLastPerSubject, 0);
	if (rc != 0)
		return rc;
	while (end == 0 && (rc = next(f, &r, &msg)) == 1) {
		struct ics_fleet_self who;
		const char *op = NULL;

		(void)natsMsgHeader_Get(msg, "KV-Operation", &op);
		if (op == NULL && split_key(natsMsg_GetSubject(msg), &who)) {
			jsMsgMetaData *meta = NULL;
			json_t *value = body_of(msg);
			double age = 0;

			if (natsMsg_GetMetaData(&meta, msg) == NATS_OK) {
				age = (double)(r.server_ns - meta->Timestamp) / 1e9;
				jsMsgMetaData_Destroy(meta);
			}
			end = fn(ctx, who.site, who.appliance, value, age > 0 ? age : 0);
			json_decref(value);
		}
		natsMsg_Destroy(msg);
	}
	natsSubscription_Destroy(r.sub);
	return rc < 0 ? rc : 0;
}

int
ics_fleet_events(struct ics_fleet *f, const struct ics_config *conf, const char *filter, uint64_t since_ns,
		 ics_fleet_event_fn fn, void *ctx)
{
	struct reading r = {0};
	natsMsg *msg;
	int end = 0, rc = begin(f, &r, conf->fleet.stream, filter != NULL ? filter : "icmpscope.>",
				since_ns != 0 ? js_DeliverByStartTime : js_DeliverAll, since_ns);

	if (rc != 0)
		return rc;
	while (end == 0 && (rc = next(f, &r, &msg)) == 1) {
		jsMsgMetaData *meta = NULL;
		json_t *event = body_of(msg);

		if (event != NULL && natsMsg_GetMetaData(&meta, msg) == NATS_OK) {
			end = fn(ctx, natsMsg_GetSubject(msg), event, meta->Sequence.Stream, (uint64_t)meta->Timestamp);
			jsMsgMetaData_Destroy(meta);
		}
		json_decref(event);
		natsMsg_Destroy(msg);
	}
	natsSubscription_Destroy(r.sub);
	return rc < 0 ? rc : 0;
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
