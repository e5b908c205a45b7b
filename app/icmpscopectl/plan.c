/* icmpscopectl plan: where the running icmpscope put its workers, what memory they have, and every compromise with its remedy:
 * what icmpscope --plan said before, and what became of it with the devices that there are.
 */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 80
#define INDENT 9
#define PORTS_MAX 64

static const struct ctl_column worker_columns[] = {
	{"worker", "WORKER", CTL_NUMBER, false},
	{"port", "PORT", CTL_NUMBER, false},
	{"device", "DEVICE", CTL_TEXT, true},
	{"queue", "QUEUE", CTL_NUMBER, false},
	{"lcore", "LCORE", CTL_NUMBER, false},
	{"cpu", "CPU", CTL_NUMBER, false},
	{"node", "NODE", CTL_TEXT, false},
	{"remote", "FAR NODE", CTL_YES, false},
	{"cpu_shared", "CPU SHARED", CTL_YES, false},
	{"core_shared", "CORE SHARED", CTL_YES, false},
};

static uint64_t
mb(uint64_t bytes)
{
	return (bytes + (1u << 20) - 1) >> 20;
}

/* Words, broken before the line is too long. */
static void
put_warning(const char *text)
{
	size_t col = INDENT;

	printf("warning: ");
	for (const char *word = text; *word != '\0';) {
		size_t len = strcspn(word, " ");

		if (word != text && col + 1 + len > WIDTH) {
			printf("\n%*s", INDENT, "");
			col = INDENT;
		} else if (word != text) {
			putchar(' ');
			col++;
		}
		for (size_t i = 0; i < len; i++)
			putchar(word[i] >= 0x20 && word[i] < 0x7f ? word[i] : '?');
		col += len;
		word += len + strspn(word + len, " ");
	}
	putchar('\n');
}

static void
put_plan(const json_t *plan, const json_t *workers, const json_t *ports)
{
	uint64_t ring = ics_client_uint(plan, "ring_bytes"), all = ics_client_uint(plan, "worker_bytes");
	uint64_t warnings = ics_client_uint(plan, "warnings");
	char key[32], text[512], n[32];
	const json_t *p;
	size_t i;

	ctl_table_print(workers, worker_columns, sizeof(worker_columns) / sizeof(worker_columns[0]), 0);
	printf("\nCPUs that may be used  %s\n", ics_client_text(plan, "cpus"));
	printf("Control core           CPU %" PRIu64 "\n", ics_client_uint(plan, "control_cpu"));
	printf("Other threads          CPUs %s\n", ics_client_text(plan, "other_cpus"));
	printf("Memory                 %" PRIu64 " MB %s\n", ics_client_uint(plan, "memory_mb"),
	       ics_client_uint(plan, "hugepages") != 0 ? "in hugepages" : "without hugepages");
	printf("Each worker            %" PRIu64 " MB of rings, %" PRIu64 " MB of tables\n", mb(ring), mb(all - ring));
	json_array_foreach((json_t *)ports, i, p)
		printf("Port %-2zu                %s buffers, %" PRIu64 " MB\n", i,
		       ctl_grouped(ics_client_uint(p, "buffers"), n), mb(ics_client_uint(p, "pool_bytes")));
	printf(warnings == 0 ? "\nNo compromise.\n" : "\n");
	for (uint64_t w = 0; w < warnings; w++) {
		snprintf(key, sizeof(key), "warning_%" PRIu64, w);
		ics_client_long_text(plan, key, text, sizeof(text));
		put_warning(text);
	}
}

/* Pieces of a warning joined, as --json shows them. */
static json_t *
document(json_t *plan, const json_t *workers, json_t *ports)
{
	json_t *doc = json_object(), *texts = json_array(), *v;
	uint64_t warnings = ics_client_uint(plan, "warnings");
	char key[32], text[512];
	const char *name;

	for (uint64_t w = 0; w < warnings; w++) {
		snprintf(key, sizeof(key), "warning_%" PRIu64, w);
		ics_client_long_text(plan, key, text, sizeof(text));
		(void)json_array_append_new(texts, json_string(text));
	}
	json_object_foreach(plan, name, v) if (strncmp(name, "warning", 7) != 0 && strcmp(name, "workers") != 0 &&
					       strcmp(name, "ports") != 0)(void) json_object_set(doc, name, v);
	(void)json_object_set_new(doc, "workers", ctl_table_rows(workers));
	(void)json_object_set(doc, "ports", ports);
	(void)json_object_set_new(doc, "warnings", texts);
	return doc;
}

static json_t *
ask_workers(struct ics_client *c)
{
	json_t *pages = json_array(), *page;
	uint64_t start = 0;
	bool more = true;

	/* A page holds one row at least. */
	for (unsigned i = 0; more && i < 1024; i++) {
		page = ctl_ask(c, "/icmpscope/plan/table,%" PRIu64, start);
		if (page == NULL) {
			json_decref(pages);
			return NULL;
		}
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > start;
		start = ics_client_uint(page, "next");
		(void)json_array_append_new(pages, page);
	}
	return pages;
}

static json_t *
ask_ports(struct ics_client *c, uint64_t n)
{
	json_t *ports = json_array(), *port;

	for (uint64_t i = 0; i < n && i < PORTS_MAX; i++) {
		port = ctl_ask(c, "/icmpscope/port/info,%" PRIu64, i);
		if (port == NULL) {
			json_decref(ports);
			return NULL;
		}
		(void)json_array_append_new(ports, port);
	}
	return ports;
}

int
ctl_plan(int argc, char **argv)
{
	json_t *plan, *workers = NULL, *ports = NULL;
	struct ctl_options o;
	struct ics_client c;
	int status = ctl_options_parse(&o, argc, argv, 0, 0);

	if (status == CTL_ANSWERED)
		status = ctl_connect(&c, &o, false);
	if (status != CTL_ANSWERED)
		return status;
	plan = ctl_ask(&c, "/icmpscope/plan");
	if (plan != NULL)
		workers = ask_workers(&c);
	if (workers != NULL)
		ports = ask_ports(&c, ics_client_uint(plan, "ports"));
	if (ports == NULL)
		status = CTL_FAILED;
	else if (o.json)
		status = ctl_print_json(document(plan, workers, ports));
	else
		put_plan(plan, workers, ports);
	json_decref(ports);
	json_decref(workers);
	json_decref(plan);
	ics_client_close(&c);
	return status;
}
