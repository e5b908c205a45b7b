/* Answers for the page (api.h). Whatever is asked is a number or a name of a table here; nothing else goes to the socket. */
#include "api.h"

#include "collect.h"
#include "fleet_view.h"

#include "ics_version.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JSON_TYPE "application/json; charset=utf-8"
#define COUNT_MAX 100
#define ANOMALIES_MAX 50
/* How long one who asks on demand waits for another. */
#define WAIT_S 4

static const char table_prefix[] = "/api/v1/table/";
static const char evidence_prefix[] = "/evidence/";
static const char evidence_suffix[] = ".pcapng";

static const char *const families[] = {"anomaly", "detector", "gateway", "group",    "host",   "neighbor", "pmtu",
				       "port",    "prefix",   "querier", "reporter", "router", "segment",  "worker"};

struct api {
	struct collect *collect;
	char path[ICS_CLIENT_PATH_LEN];
	pthread_mutex_t lock; /* of client */
	struct ics_client client;
};

struct api *
api_start(const char *path)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	snprintf(a->path, sizeof(a->path), "%s", path);
	a->client.fd = -1;
	a->collect = collect_start(path);
	if (a->collect == NULL) {
		free(a);
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void
api_stop(struct api *a)
{
	if (a == NULL)
		return;
	collect_stop(a->collect);
	ics_client_close(&a->client);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static void
fail(struct api_reply *out, unsigned status, const char *line)
{
	free(out->body);
	out->status = status;
	out->type = "text/plain; charset=utf-8";
	out->body = strdup(line);
	out->len = out->body != NULL ? strlen(out->body) : 0;
	out->name[0] = '\0';
}

/* Decimal digits, nothing else. */
static bool
number(const char *text, uint64_t without, uint64_t *v)
{
	*v = without;
	if (text == NULL)
		return true;
	if (text[0] == '\0' || strlen(text) > 19 || text[strspn(text, "0123456789")] != '\0')
		return false;
	*v = strtoull(text, NULL, 10);
	return true;
}

static void
answer_json(json_t *doc, struct api_reply *out)
{
	out->body = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	out->len = out->body != NULL ? strlen(out->body) : 0;
	json_decref(doc);
}

/* The connection for questions on demand, connected. False after an answer. */
static bool
take(struct api *a, struct api_reply *out)
{
	struct timespec t;
	json_t *info = NULL;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += WAIT_S;
	if (pthread_mutex_clocklock(&a->lock, CLOCK_MONOTONIC, &t) != 0) {
		fail(out, 503, "others ask as well: try again\n");
		return false;
	}
	for (unsigned i = 0; i < 2 && info == NULL; i++)
		if (a->client.fd >= 0 || ics_client_open(&a->client, a->path) == 0)
			info = ics_client_ask(&a->client, "/icmpscope/info");
	if (info == NULL) {
		pthread_mutex_unlock(&a->lock);
		fail(out, 503, "icmpscope does not answer\n");
		return false;
	}
	json_decref(info);
	return true;
}

static void
answer_anomalies(struct api *a, uint64_t start, uint64_t count, struct api_reply *out)
{
	uint64_t ids[ANOMALIES_MAX], total;
	unsigned n =
		collect_list(a->collect, start, ids, count < ANOMALIES_MAX ? (unsigned)count : ANOMALIES_MAX, &total);
	json_t *list = json_array(), *one;

	if (!take(a, out)) {
		json_decref(list);
		return;
	}
	/* One that went meanwhile is left out. */
	for (unsigned i = 0; i < n; i++)
		if ((one = ics_page_anomaly(&a->client, ids[i])) != NULL)
			(void)json_array_append_new(list, one);
	pthread_mutex_unlock(&a->lock);
	answer_json(json_pack("{s:I, s:I, s:o}", "total", (json_int_t)total, "start", (json_int_t)start, "list", list),
		    out);
}

static void
answer_table(struct api *a, const char *family, uint64_t start, uint64_t count, struct api_reply *out)
{
	unsigned i = 0;
	json_t *page;

	while (i < ICS_ARRAY_LEN(families) && strcmp(families[i], family) != 0)
		i++;
	if (i == ICS_ARRAY_LEN(families)) {
		fail(out, 404, "there is no such table\n");
		return;
	}
	if (!take(a, out))
		return;
	page = ics_client_ask(&a->client, "/icmpscope/%s/table,%" PRIu64 ",%" PRIu64, families[i], start, count);
	pthread_mutex_unlock(&a->lock);
	if (page == NULL)
		fail(out, 503, "icmpscope gave no such page\n");
	else
		answer_json(page, out);
}

static void
answer_evidence(struct api *a, uint64_t id, struct api_reply *out)
{
	json_t *frames;
	FILE *f = NULL;
	int rc = -EPROTO;

	if (!take(a, out))
		return;
	frames = ics_client_evidence(&a->client, id);
	if (frames != NULL && json_array_size(frames) > 0 && (f = open_memstream(&out->body, &out->len)) != NULL) {
		rc = ics_client_write_evidence(&a->client, frames, f, "icmpscope-exporter " ICS_VERSION);
		if (fclose(f) != 0)
			rc = -ENOMEM;
	}
	pthread_mutex_unlock(&a->lock);
	if (frames == NULL)
		fail(out, 404, "there is no such anomaly\n");
	else if (json_array_size(frames) == 0)
		fail(out, 404, "this anomaly was found without a frame: by time, or by counters\n");
	else if (rc != 0)
		fail(out, 500, "the capture could not be made\n");
	out->type = out->status == 200 ? "application/octet-stream" : out->type;
	if (out->status == 200)
		snprintf(out->name, sizeof(out->name), "icmpscope-%" PRIu64 ".pcapng", id);
	json_decref(frames);
}

/* ID of "/evidence/ID.pcapng"; false: it is none. */
static bool
evidence_id(const char *url, uint64_t *id)
{
	const char *text = url + strlen(evidence_prefix), *end = strstr(text, evidence_suffix);
	char digits[20];

	if (end == NULL || end[strlen(evidence_suffix)] != '\0' || end == text ||
	    (size_t)(end - text) >= sizeof(digits))
		return false;
	memcpy(digits, text, (size_t)(end - text));
	digits[end - text] = '\0';
	return number(digits, 0, id);
}

void
api_answer(struct api *a, const char *url, const char *start, const char *count, const char *since,
	   struct api_reply *out)
{
	uint64_t from, n, later, id;

	*out = (struct api_reply){.status = 200, .type = JSON_TYPE};
	if (!number(start, 0, &from) || !number(count, ANOMALIES_MAX, &n) || !number(since, 0, &later) || n == 0 ||
	    n > COUNT_MAX)
		fail(out, 400, "start and since are numbers, count is one of 1 to 100\n");
	else if (strcmp(url, "/api/v1/state") == 0)
		out->body = collect_state(a->collect, fleet_view_is_on(), &out->len);
	else if (strcmp(url, "/api/v1/history") == 0)
		out->body = collect_history(a->collect, later, &out->len);
	else if (strcmp(url, "/api/v1/fleet") == 0 && fleet_view_is_on())
		out->body = fleet_view_text(from, n < ANOMALIES_MAX ? n : ANOMALIES_MAX, &out->len);
	else if (strcmp(url, "/api/v1/anomalies") == 0)
		answer_anomalies(a, from, n, out);
	else if (strncmp(url, table_prefix, strlen(table_prefix)) == 0)
		answer_table(a, url + strlen(table_prefix), from, n, out);
	else if (strncmp(url, evidence_prefix, strlen(evidence_prefix)) == 0 && evidence_id(url, &id))
		answer_evidence(a, id, out);
	else
		fail(out, 404, "not found\n");
}
