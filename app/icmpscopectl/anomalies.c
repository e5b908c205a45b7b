/* icmpscopectl anomalies: what was found, as a table or in full; --follow goes on with every change and outlives a restart
 * of icmpscope.
 */
#include "ctl.h"

#include "ics_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGES_MAX 100000
#define FOLLOW_NS 500000000
#define RETRY_S 1

static const struct ctl_column columns[] = {
	{"id", "ID", CTL_NUMBER, false},       {"severity", "SEVERITY", CTL_TEXT, false},
	{"name", "NAME", CTL_TEXT, false},     {"state", "STATE", CTL_TEXT, false},
	{"vlan", "VLAN", CTL_TEXT, false},     {"subject", "WHO", CTL_TEXT, true},
	{"count", "COUNT", CTL_NUMBER, false}, {"last_ns", "LAST", CTL_AGE, false},
};

/* "none", "10", "100.10" */
static void
parse_vlan(const char *text, struct ics_segment_key *k)
{
	unsigned outer, inner;
	int n = sscanf(text, "%5u.%5u", &outer, &inner);

	k->vlan_outer = n >= 1 ? (uint16_t)outer : ICS_VLAN_NONE;
	k->vlan_inner = n == 2 ? (uint16_t)inner : ICS_VLAN_NONE;
}

/* What the socket says of one, in the voice that the reader uses too. */
static void
print_anomaly(const json_t *info)
{
	struct ics_anomaly *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return;
	a->id = ics_client_uint(info, "id");
	a->detector = ics_client_text(info, "name");
	a->variant = ics_client_text(info, "variant");
	a->rfc = ics_client_text(info, "rfc");
	a->severity = ics_severity_of_name(ics_client_text(info, "severity"));
	a->state = strcmp(ics_client_text(info, "state"), "cleared") == 0 ? ICS_ANOMALY_CLEARED : ICS_ANOMALY_OPEN;
	a->muted = ics_client_uint(info, "muted") != 0;
	a->lenient = ics_client_uint(info, "lenient") != 0;
	a->segment.port = (uint8_t)ics_client_uint(info, "port");
	parse_vlan(ics_client_text(info, "vlan"), &a->segment);
	a->first_ns = ics_client_uint(info, "first_ns");
	a->last_ns = ics_client_uint(info, "last_ns");
	a->cleared_ns = ics_client_uint(info, "cleared_ns");
	a->count = ics_client_uint(info, "count");
	/* How many frames it keeps is all that is told of them here. */
	for (uint64_t i = 0; i < ics_client_uint(info, "frames_kept") && i < ICS_PROOFS; i++)
		a->proof[i].nth = i + 1;
	ics_client_long_text(info, "says", a->says, sizeof(a->says));
	if (ctl_wants_colour())
		fputs(a->state == ICS_ANOMALY_CLEARED   ? "\033[32m"
		      : a->severity == ICS_SEV_CRITICAL ? "\033[1;31m"
		      : a->severity == ICS_SEV_WARN     ? "\033[33m"
							: "",
		      stdout);
	ics_report_anomaly_text(stdout, a);
	if (ctl_wants_colour())
		fputs("\033[0m", stdout);
	putchar('\n');
	free(a);
}

/* Keeps of a page the rows that changed at since_ns or later. */
static json_t *
recent_rows(const json_t *page, uint64_t since_ns)
{
	json_t *out = json_object(), *v;
	const json_t *last = json_object_get(page, "last_ns");
	const char *key;

	json_object_foreach((json_t *)page, key, v)
	{
		json_t *kept;

		if (!json_is_array(v))
			continue;
		kept = json_array();
		for (size_t i = 0; i < json_array_size(v); i++)
			if ((uint64_t)json_integer_value(json_array_get(last, i)) >= since_ns)
				(void)json_array_append(kept, json_array_get(v, i));
		(void)json_object_set_new(out, key, kept);
	}
	return out;
}

/* Appends the pages from *cursor on and moves it behind them. */
static int
fetch(struct ics_client *c, const struct ctl_options *o, uint64_t *cursor, json_t *pages)
{
	bool more = true;

	for (unsigned i = 0; i < PAGES_MAX && more; i++) {
		json_t *page = ctl_ask(c, "/icmpscope/anomaly/table,%" PRIu64, *cursor);

		if (page == NULL)
			return CTL_FAILED;
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > *cursor;
		*cursor = ics_client_uint(page, "next");
		(void)json_array_append_new(pages, recent_rows(page, o->since_ns));
		json_decref(page);
	}
	return CTL_ANSWERED;
}

static int
print_details(struct ics_client *c, const json_t *pages)
{
	json_t *page, *id;
	size_t p, i;

	json_array_foreach((json_t *)pages, p, page) json_array_foreach(json_object_get(page, "id"), i, id)
	{
		json_t *info = ctl_ask(c, "/icmpscope/anomaly/info,%" JSON_INTEGER_FORMAT, json_integer_value(id));

		if (info == NULL && c->fd < 0)
			return CTL_FAILED;
		/* One that made room for others meanwhile is gone: that was said. */
		if (info != NULL)
			print_anomaly(info);
		json_decref(info);
	}
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static int
print_lines(const json_t *pages)
{
	json_t *rows = ctl_table_rows(pages), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		(void)json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	}
	json_decref(rows);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

/* Which icmpscope it is: another one, started later, numbers its anomalies anew. */
static bool
note_start(struct ics_client *c, char started[static 40])
{
	json_t *info = ctl_ask(c, "/icmpscope/info");
	bool same = strcmp(started, ics_client_text(info, "started")) == 0;

	if (info != NULL)
		snprintf(started, 40, "%s", ics_client_text(info, "started"));
	json_decref(info);
	return same;
}

/* Until interrupted, or until nobody reads. A connection that is lost is looked for again. */
static int
follow(struct ics_client *c, const struct ctl_options *o, uint64_t cursor)
{
	char started[40] = "";
	int status = CTL_ANSWERED;

	(void)note_start(c, started);
	while (status == CTL_ANSWERED || !ferror(stdout)) {
		json_t *pages;

		nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, NULL);
		if (c->fd < 0) {
			if (ctl_connect(c, o, true) != CTL_ANSWERED) {
				nanosleep(&(struct timespec){.tv_sec = RETRY_S}, NULL);
				continue;
			}
			if (!note_start(c, started))
				cursor = 0;
			if (c->fd < 0)
				continue;
			ctl_complain(CTL_ANSWERED, "connected again");
		}
		pages = json_array();
		status = fetch(c, o, &cursor, pages);
		if (status == CTL_ANSWERED)
			status = o->json ? print_lines(pages) : print_details(c, pages);
		json_decref(pages);
	}
	return CTL_FAILED;
}

static int
show(struct ics_client *c, const struct ctl_options *o, const json_t *pages)
{
	json_t *info;
	size_t n = 0, p;
	json_t *page;

	json_array_foreach((json_t *)pages, p, page) n += ics_client_rows(page);
	if (o->follow && o->json)
		return print_lines(pages);
	if (o->json)
		return ctl_print_json(json_pack("{s:o}", "anomalies", ctl_table_rows(pages)));
	if (o->detail || o->follow)
		return n > 0 ? print_details(c, pages) : CTL_ANSWERED;
	if (n == 0) {
		printf("Nothing was found%s.\n", o->since_ns != 0 ? " since then" : "");
		return CTL_ANSWERED;
	}
	info = ctl_ask(c, "/icmpscope/info");
	if (info == NULL)
		return CTL_FAILED;
	ctl_table_print(pages, columns, ICS_ARRAY_LEN(columns), ics_client_uint(info, "now_ns"));
	json_decref(info);
	printf("What they mean and what to do: icmpscopectl anomalies --long\n");
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

int
ctl_anomalies(int argc, char **argv)
{
	struct ctl_options o;
	struct ics_client c;
	uint64_t cursor = 0;
	json_t *pages;
	int status = ctl_options_parse(&o, argc, argv, CTL_OPT_FOLLOW, 0);

	if (status == CTL_ANSWERED)
		status = ctl_connect(&c, &o, false);
	if (status != CTL_ANSWERED)
		return status;
	pages = json_array();
	status = fetch(&c, &o, &cursor, pages);
	if (status == CTL_ANSWERED)
		status = show(&c, &o, pages);
	json_decref(pages);
	if (status == CTL_ANSWERED && o.follow)
		status = follow(&c, &o, cursor);
	ics_client_close(&c);
	return status;
}
