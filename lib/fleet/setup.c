/* Makes the streams of a fleet, or brings them to what the settings say: one table, compared field by field with what is there,
 * so that a second time changes nothing. A bucket is a stream of a certain form. Called by icmpscopectl fleet setup.
 */
#include "fleet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ll
#define DUPLICATES_S 120
#define SAY_LEN 512

struct wanted {
	jsStreamConfig c;
	const char *subject[ICS_FLEET_SITES_MAX];
	char name[80], text[ICS_FLEET_SITES_MAX][96];
};

static void
want_events(struct wanted *w, const struct ics_config *conf, char *const *sites, unsigned n_sites)
{
	w->c.Description = "journals of all appliances";
	w->c.MaxAge = (int64_t)conf->fleet.max_age_d * 86400 * SECOND_NS;
	w->c.MaxBytes = (int64_t)conf->fleet.max_gb * 1000000000;
	w->c.MaxMsgsPerSubject = -1;
	w->c.Discard = js_DiscardOld;
	snprintf(w->name, sizeof(w->name), "%s", conf->fleet.stream);
	w->c.SubjectsLen = n_sites > 0 ? (int)n_sites : 1;
	for (int i = 0; i < w->c.SubjectsLen; i++)
		snprintf(w->text[i], sizeof(w->text[i]), "icmpscope.%s.*.*.*", n_sites > 0 ? sites[i] : "*");
}

static void
want_bucket(struct wanted *w, const char *bucket, const char *text, int32_t max_value)
{
	w->c.Description = text;
	w->c.MaxMsgsPerSubject = 1;
	w->c.MaxMsgSize = max_value;
	w->c.Discard = js_DiscardNew;
	w->c.AllowRollup = true;
	w->c.DenyDelete = true;
	snprintf(w->name, sizeof(w->name), "KV_%s", bucket);
	w->c.SubjectsLen = 1;
	snprintf(w->text[0], sizeof(w->text[0]), "$KV.%s.>", bucket);
}

/* Every field that setup decides, for comparison. */
#define FIELD(member, text)                                                                                            \
	{                                                                                                              \
#member, offsetof(jsStreamConfig, member), sizeof(((jsStreamConfig *)0)->member), text                 \
	}
static const struct {
	const char *name;
	size_t off, size;
	const char *text;
} fields[] = {
	FIELD(MaxAge, "max_age"),          FIELD(MaxBytes, "max_bytes"),
	FIELD(MaxMsgSize, "max_msg_size"), FIELD(MaxMsgsPerSubject, "max_msgs_per_subject"),
	FIELD(Replicas, "replicas"),       FIELD(Duplicates, "duplicate_window"),
	FIELD(Discard, "discard"),         FIELD(AllowDirect, "allow_direct"),
};

static long long
value_of(const jsStreamConfig *c, unsigned i)
{
	const char *p = (const char *)c + fields[i].off;
	int64_t v8;
	int32_t v4;

	if (fields[i].size == 8) {
		memcpy(&v8, p, 8);
		return v8;
	}
	if (fields[i].size == 4) {
		memcpy(&v4, p, 4);
		return v4;
	}
	return *p;
}

static bool
has_subjects(const jsStreamConfig *is, const jsStreamConfig *want)
{
	if (is->SubjectsLen != want->SubjectsLen)
		return false;
	for (int i = 0; i < want->SubjectsLen; i++) {
		bool found = false;

		for (int k = 0; k < is->SubjectsLen; k++)
			found |= strcmp(is->Subjects[k], want->Subjects[i]) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* What differs, as text; empty when nothing does. */
static void
differences(const jsStreamConfig *is, const jsStreamConfig *want, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < ICS_ARRAY_LEN(fields) && n < size; i++)
		if (value_of(is, i) != value_of(want, i))
			n += (size_t)snprintf(buf + n, size - n, "%s%s %lld to %lld", n != 0 ? ", " : "",
					      fields[i].text, value_of(is, i), value_of(want, i));
	if (n < size && !has_subjects(is, want))
		snprintf(buf + n, size - n, "%ssubjects to %s%s", n != 0 ? ", " : "", want->Subjects[0],
			 want->SubjectsLen > 1 ? " and so on" : "");
}

static int
give_up(struct ics_fleet *f, natsStatus s, jsErrCode code, const char *name, char *err)
{
	char what[128];

	snprintf(what, sizeof(what), "stream %.80s", name);
	(void)fleet_fail(f, s, code, what);
	snprintf(err, ICS_FLEET_ERR_LEN, "%.400s%s", f->error,
		 code == JSStreamReplicasNotSupportedErr || code == JSClusterNoPeersErr ||
				 code == JSInsufficientResourcesErr
			 ? "; fleet.replicas and fleet.max_gb may be too much for these servers"
			 : "");
	return -EIO;
}

static int
set_up(struct ics_fleet *f, struct wanted *w, void (*say)(const char *text), char *err)
{
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	char line[SAY_LEN], changes[384];
	natsStatus s = js_GetStreamInfo(&info, f->js, w->name, NULL, &code);

	w->c.Name = w->name;
	for (int i = 0; i < w->c.SubjectsLen; i++)
		w->subject[i] = w->text[i];
	w->c.Subjects = w->subject;
	if (s == NATS_NOT_FOUND) {
		code = 0;
		s = js_AddStream(NULL, f->js, &w->c, NULL, &code);
		if (s != NATS_OK)
			return give_up(f, s, code, w->name, err);
		snprintf(line, sizeof(line), "%s: made", w->name);
		say(line);
		return 0;
	}
	if (s != NATS_OK)
		return give_up(f, s, code, w->name, err);
	differences(info->Config, &w->c, changes, sizeof(changes));
	if (changes[0] == '\0') {
		snprintf(line, sizeof(line), "%s: as it should be", w->name);
	} else {
		s = js_UpdateStream(NULL, f->js, &w->c, NULL, &code);
		snprintf(line, sizeof(line), "%s: changed %s", w->name, changes);
	}
	jsStreamInfo_Destroy(info);
	if (s != NATS_OK)
		return give_up(f, s, code, w->name, err);
	say(line);
	return 0;
}

int
ics_fleet_setup(struct ics_fleet *f, const struct ics_config *conf, char *const *sites, unsigned n_sites,
		void (*say)(const char *text), char err[static ICS_FLEET_ERR_LEN])
{
	struct wanted *w = malloc(sizeof(*w));
	int rc = 0;

	if (w == NULL || n_sites > ICS_FLEET_SITES_MAX) {
		snprintf(err, ICS_FLEET_ERR_LEN, w == NULL ? "out of memory" : "a stream takes at most %d sites",
			 ICS_FLEET_SITES_MAX);
		free(w);
		return -EINVAL;
	}
	for (unsigned i = 0; i < 3 && rc == 0; i++) {
		memset(w, 0, sizeof(*w));
		jsStreamConfig_Init(&w->c);
		w->c.Storage = js_FileStorage;
		w->c.Replicas = conf->fleet.replicas;
		w->c.Duplicates = DUPLICATES_S * SECOND_NS;
		w->c.AllowDirect = true;
		if (i == 0)
			want_events(w, conf, sites, n_sites);
		else if (i == 1)
			want_bucket(w, ICS_FLEET_STATE_BUCKET, "how each appliance is", 128 << 10);
		else
			want_bucket(w, ICS_FLEET_BINDINGS_BUCKET, "who holds which address, by appliance", 256 << 10);
		rc = set_up(f, w, say, err);
	}
	free(w);
	return rc;
}
