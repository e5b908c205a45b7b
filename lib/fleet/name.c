/* Names in a fleet: who an appliance is, the subject and the id of each line, and what is said about lines that are missing.
 * No NATS in here. Called by the publisher and by what reads the stream.
 */
#include "ics_fleet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

bool
ics_fleet_is_word(const char *text)
{
	size_t n = strlen(text);

	return n >= 1 && n <= 63 && strspn(text, WORD) == n;
}

int
ics_fleet_self(struct ics_fleet_self *self, const struct ics_config *conf, char err[static ICS_FLEET_ERR_LEN])
{
	const struct {
		const char *key, *value;
	} need[] = {{"journal.site", conf->journal.site}, {"journal.appliance", conf->journal.appliance}};

	if (conf->fleet.servers[0] == '\0')
		return -ENOENT;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(need); i++) {
		if (ics_fleet_is_word(need[i].value))
			continue;
		snprintf(err, ICS_FLEET_ERR_LEN, "%s = \"%s\": a fleet wants a name of A-Z a-z 0-9 _ - without dots",
			 need[i].key, need[i].value);
		return -EINVAL;
	}
	if (conf->journal.file[0] == '\0') {
		snprintf(err, ICS_FLEET_ERR_LEN, "journal.file is empty: fleet.servers needs a journal to publish");
		return -EINVAL;
	}
	if (conf->fleet.cursor[0] == '\0') {
		snprintf(err, ICS_FLEET_ERR_LEN, "fleet.cursor is empty: name a file in which how far it came is kept");
		return -EINVAL;
	}
	if (!ics_fleet_is_word(conf->fleet.stream)) {
		snprintf(err, ICS_FLEET_ERR_LEN, "fleet.stream = \"%s\": a stream's name has no dots",
			 conf->fleet.stream);
		return -EINVAL;
	}
	snprintf(self->site, sizeof(self->site), "%s", conf->journal.site);
	snprintf(self->appliance, sizeof(self->appliance), "%s", conf->journal.appliance);
	return 0;
}

int
ics_fleet_subject(char buf[static ICS_FLEET_SUBJECT_LEN], const struct ics_fleet_self *self, const json_t *own)
{
	const char *event = json_string_value(json_object_get(own, "event"));
	const char *name = json_string_value(json_object_get(own, "name"));

	if (name == NULL || json_object_get(own, "change") == NULL)
		name = "program";
	/* The journal is a file that others may write too: what is no word could be a wildcard. */
	if (event == NULL || !ics_fleet_is_word(event) || !ics_fleet_is_word(name))
		return -EINVAL;
	snprintf(buf, ICS_FLEET_SUBJECT_LEN, "icmpscope.%s.%s.%s.%s", self->site, self->appliance, event, name);
	return 0;
}

void
ics_fleet_id(char buf[static ICS_FLEET_ID_LEN], const struct ics_fleet_self *self, const struct ics_follow_pos *pos)
{
	snprintf(buf, ICS_FLEET_ID_LEN, "%s:%s:%llu", self->appliance, pos->boot, (unsigned long long)pos->seq);
}

/* A gap may stand before the first line of a run, or of a journal. */
int
ics_fleet_place(const json_t *body, struct ics_follow_pos *pos)
{
	const json_t *own = json_object_get(body, "icmpscope");
	const char *boot = json_string_value(json_object_get(own, "boot"));
	json_int_t seq = json_integer_value(json_object_get(own, "seq"));
	json_int_t line = json_integer_value(json_object_get(own, "line"));

	*pos = (struct ics_follow_pos){0};
	if (boot == NULL || strlen(boot) >= sizeof(pos->boot) || seq < 0 || line < 0)
		return -EINVAL;
	pos->seq = (uint64_t)seq;
	pos->line = (uint64_t)line;
	strcpy(pos->boot, boot);
	return 0;
}

char *
ics_fleet_gap(const struct ics_fleet_self *self, const char *host, const struct ics_follow_line *before,
	      uint64_t now_ns)
{
	time_t s = (time_t)(now_ns / 1000000000u);
	char when[48], *text;
	struct tm tm;
	json_t *doc;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(when, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof(when) - n, ".%06u+0000", (unsigned)(now_ns % 1000000000u / 1000u));
	doc = json_pack("{s:s, s:s, s:s, s:{s:s, s:I, s:I, s:s, s:s, s:s, s:o, s:s}}", "timestamp", when, "event_type",
			"icmpscope", "host", host, "icmpscope", "event", "gap", "seq",
			(json_int_t)(before->pos.seq - 1), "line", (json_int_t)(before->pos.line - 1), "boot",
			before->pos.boot, "appliance", self->appliance, "site", self->site, "missing",
			before->anew ? json_null() : json_integer((json_int_t)before->missing), "why",
			before->anew ? "the journal was begun anew"
				     : "lines went by rotation before they were published");
	text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(doc);
	return text;
}
