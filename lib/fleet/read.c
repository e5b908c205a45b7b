/* What the fleet's streams hold, for who asks: the latest value of each appliance, with its age by the server's clock, and events
 * by subject and time. By ordered consumers, which live in the server's memory and go with who asked.
 */
#include "fleet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT_MS 10000
/* A value that was overwritten while others were read comes later, as the new one. */
#define VALUES_S 5

struct reading {
	natsSubscription *sub;
	bool more;         /* messages to come */
	int64_t server_ns; /* its clock then */
	int64_t until_ns;  /* what was stored later is not waited for */
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
	/* How many is told with each message; here it may be of a moment between. */
	r->more = info->NumPending + info->Delivered.Consumer > 0;
	r->server_ns = info->Created;
	r->until_ns = info->Created + (policy == js_DeliverLastPerSubject ? VALUES_S * 1000000000ll : 0);
	jsConsumerInfo_Destroy(info);
	return 0;
}

/* 1: *msg, stored at *stored_ns, the seq-th of its stream; 0: that was all; -errno. */
static int
next(struct ics_fleet *f, struct reading *r, natsMsg **msg, int64_t *stored_ns, uint64_t *seq)
{
	jsMsgMetaData *meta = NULL;
	natsStatus s;

	if (!r->more)
		return 0;
	s = natsSubscription_NextMsg(msg, r->sub, NEXT_MS);
	if (s == NATS_OK) {
		s = natsMsg_GetMetaData(&meta, *msg);
		if (s != NATS_OK)
			natsMsg_Destroy(*msg);
	}
	if (s != NATS_OK) {
		(void)fleet_fail(f, s, 0, "reading");
		return -EIO;
	}
	*stored_ns = meta->Timestamp;
	*seq = meta->Sequence.Stream;
	/* Who asks gets what was there when it asked, else a busy stream had no end. */
	r->more = meta->NumPending > 0 && meta->Timestamp <= r->until_ns;
	jsMsgMetaData_Destroy(meta);
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

int
ics_fleet_events(struct ics_fleet *f, const struct ics_config *conf, const char *filter, uint64_t since_ns,
		 ics_fleet_event_fn fn, void *ctx)
{
	struct reading r = {0};
	int64_t stored_ns;
	uint64_t seq;
	natsMsg *msg;
	int end = 0, rc = begin(f, &r, conf->fleet.stream, filter != NULL ? filter : "icmpscope.>",
				since_ns != 0 ? js_DeliverByStartTime : js_DeliverAll, since_ns);

	if (rc != 0)
		return rc;
	while (end == 0 && (rc = next(f, &r, &msg, &stored_ns, &seq)) == 1) {
		json_t *event = body_of(msg);

		if (event != NULL)
			end = fn(ctx, natsMsg_GetSubject(msg), event, seq, (uint64_t)stored_ns);
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
