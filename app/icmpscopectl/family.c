/* icmpscopectl routers, prefixes, neighbors, ...: one command a family of the socket, its columns in a table here. */
#include "ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROWS_SHOWN 100
/* A page holds a few rows at least: no population needs more pages. */
#define PAGES_MAX 1000000

struct view {
	const char *command, *family;
	const char *none; /* what there is none of, where the command is no plural */
	struct ctl_column columns[CTL_COLUMNS_MAX];
};

static const struct view views[] = {
	{"routers",
	 "router",
	 NULL,
	 {{"id", "ID", CTL_NUMBER, false},
	  {"vlan", "VLAN", CTL_TEXT, false},
	  {"address", "ADDRESS", CTL_TEXT, true},
	  {"mac", "MAC", CTL_TEXT, false},
	  {"state", "STATE", CTL_TEXT, false},
	  {"lifetime_s", "LIFE", CTL_LIFETIME, false},
	  {"expires_ns", "LEFT", CTL_UNTIL, false},
	  {"last_ra_ns", "HEARD", CTL_AGE, false}}},
	{"prefixes",
	 "prefix",
	 NULL,
	 {{"id", "ID", CTL_NUMBER, false},
	  {"vlan", "VLAN", CTL_TEXT, false},
	  {"kind", "KIND", CTL_TEXT, false},
	  {"prefix", "PREFIX", CTL_TEXT, true},
	  {"router", "ROUTER", CTL_TEXT, true},
	  {"valid_until_ns", "VALID", CTL_UNTIL, false},
	  {"last_ns", "HEARD", CTL_AGE, false}}},
	{"neighbors",
	 "neighbor",
	 NULL,
	 {{"vlan", "VLAN", CTL_TEXT, false},
	  {"address", "ADDRESS", CTL_TEXT, true},
	  {"mac", "MAC", CTL_TEXT, false},
	  {"changes", "MOVES", CTL_NUMBER, false},
	  {"flags", "FLAGS", CTL_TEXT, true},
	  {"last_ns", "HEARD", CTL_AGE, false}}},
	{"hosts",
	 "host",
	 NULL,
	 {{"vlan", "VLAN", CTL_TEXT, false},
	  {"mac", "MAC", CTL_TEXT, false},
	  {"class", "CLASS", CTL_TEXT, true},
	  {"addresses", "ADDRESSES", CTL_NUMBER, false},
	  {"temp", "TEMPORARY", CTL_NUMBER, false},
	  {"first_ns", "SINCE", CTL_AGE, false},
	  {"last_ns", "HEARD", CTL_AGE, false}}},
	{"groups",
	 "group",
	 NULL,
	 {{"vlan", "VLAN", CTL_TEXT, false},
	  {"group", "GROUP", CTL_TEXT, true},
	  {"kind", "KIND", CTL_TEXT, true},
	  {"members", "MEMBERS", CTL_NUMBER, false},
	  {"reports", "REPORTS", CTL_NUMBER, false},
	  {"version", "MLD", CTL_NUMBER, false},
	  {"reporter", "LAST BY", CTL_TEXT, false},
	  {"last_ns", "HEARD", CTL_AGE, false}}},
	{"queriers",
	 "querier",
	 NULL,
	 {{"vlan", "VLAN", CTL_TEXT, false},
	  {"address", "ADDRESS", CTL_TEXT, true},
	  {"mac", "MAC", CTL_TEXT, false},
	  {"in_charge", "ASKS", CTL_YES, false},
	  {"version", "MLD", CTL_NUMBER, false},
	  {"qqi_s", "EVERY", CTL_LIFETIME, false},
	  {"general", "QUERIES", CTL_NUMBER, false},
	  {"last_ns", "HEARD", CTL_AGE, false}}},
	{"pmtu",
	 "pmtu",
	 "path that carries less than its link",
	 {{"host", "HOST", CTL_TEXT, true},
	  {"far", "FAR END", CTL_TEXT, true},
	  {"mtu", "MTU", CTL_NUMBER, false},
	  {"guess", "LIKELY", CTL_TEXT, true},
	  {"mss4", "MSS4", CTL_NUMBER, false},
	  {"mss6", "MSS6", CTL_NUMBER, false},
	  {"repeats", "TOLD", CTL_NUMBER, false},
	  {"black_hole", "HOLE", CTL_YES, false},
	  {"last_ns", "LAST", CTL_AGE, false}}},
	{"segments",
	 "segment",
	 NULL,
	 {{"id", "ID", CTL_NUMBER, false},
	  {"port", "PORT", CTL_NUMBER, false},
	  {"vlan", "VLAN", CTL_TEXT, false},
	  {"routers", "ROUTERS", CTL_NUMBER, false},
	  {"default_routers", "DEFAULT", CTL_NUMBER, false},
	  {"hosts", "HOSTS", CTL_NUMBER, false},
	  {"bindings", "BINDINGS", CTL_NUMBER, false},
	  {"messages", "MESSAGES", CTL_NUMBER, false},
	  {"table_used", "MCAST", CTL_NUMBER, false},
	  {"table_cap", "OF", CTL_NUMBER, false},
	  {"last_ns", "HEARD", CTL_AGE, false}}},
	{"workers",
	 "worker",
	 NULL,
	 {{"worker", "WORKER", CTL_NUMBER, false},
	  {"port", "PORT", CTL_NUMBER, false},
	  {"cpu", "CPU", CTL_NUMBER, false},
	  {"packets", "PACKETS", CTL_NUMBER, false},
	  {"cycles_per_packet", "CYC/PKT", CTL_NUMBER, false},
	  {"delivered", "DELIVERED", CTL_NUMBER, false},
	  {"dropped", "DROPPED", CTL_NUMBER, false},
	  {"urgent_peak", "URGENT", CTL_NUMBER, false},
	  {"bulk_peak", "BULK", CTL_NUMBER, false}}},
	{"ports",
	 "port",
	 NULL,
	 {{"port", "PORT", CTL_NUMBER, false},
	  {"device", "DEVICE", CTL_TEXT, true},
	  {"driver", "DRIVER", CTL_TEXT, true},
	  {"link", "LINK", CTL_TEXT, false},
	  {"rx_packets", "PACKETS", CTL_NUMBER, false},
	  {"missed", "MISSED", CTL_NUMBER, false},
	  {"errors", "ERRORS", CTL_NUMBER, false},
	  {"no_mbuf", "NO MBUF", CTL_NUMBER, false}}},
	{"detectors",
	 "detector",
	 NULL,
	 {{"name", "NAME", CTL_TEXT, true},
	  {"severity", "SEVERITY", CTL_TEXT, false},
	  {"state", "STATE", CTL_TEXT, false},
	  {"fired", "FIRED", CTL_NUMBER, false},
	  {"cleared", "CLEARED", CTL_NUMBER, false},
	  {"suppressed", "SUPPRESSED", CTL_NUMBER, false}}},
};

static unsigned
column_count(const struct view *v)
{
	unsigned n = 0;

	while (n < CTL_COLUMNS_MAX && v->columns[n].key != NULL)
		n++;
	return n;
}

struct listing {
	json_t *pages;
	uint64_t rows, total, next;
	bool more;
};

static int
fetch(struct ics_client *c, const struct view *v, const struct ctl_options *o, struct listing *l)
{
	uint64_t wanted = o->all ? UINT64_MAX : o->count != 0 ? o->count : ROWS_SHOWN;

	*l = (struct listing){.pages = json_array(), .next = o->start, .more = true};
	for (unsigned i = 0; i < PAGES_MAX && l->more && l->rows < wanted; i++) {
		uint64_t left = wanted - l->rows;
		json_t *page = left == UINT64_MAX ? ctl_ask(c, "/icmpscope/%s/table,%" PRIu64, v->family, l->next)
						  : ctl_ask(c, "/icmpscope/%s/table,%" PRIu64 ",%" PRIu64, v->family,
							    l->next, left);

		if (page == NULL)
			return CTL_FAILED;
		l->total = ics_client_uint(page, "total");
		l->more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > l->next;
		l->next = ics_client_uint(page, "next");
		l->rows += ics_client_rows(page);
		(void)json_array_append_new(l->pages, page);
	}
	return CTL_ANSWERED;
}

static int
show(const struct view *v, const struct ctl_options *o, struct listing *l, uint64_t now_ns)
{
	char rows[32], total[32];

	if (o->json)
		return ctl_print_json(json_pack("{s:o, s:I, s:I, s:b}", "rows", ctl_table_rows(l->pages), "total",
						(json_int_t)l->total, "next", (json_int_t)l->next, "more", l->more));
	if (l->rows == 0) {
		printf("No %s%s.\n", v->none != NULL ? v->none : v->command, o->start > 0 ? " from there on" : "");
		return CTL_ANSWERED;
	}
	ctl_table_print(l->pages, v->columns, column_count(v), now_ns);
	if (l->more)
		printf("%s of %s; the next: icmpscopectl %s --start %" PRIu64 "\n", ctl_grouped(l->rows, rows),
		       ctl_grouped(l->total, total), v->command, l->next);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

int
ctl_family(int argc, char **argv)
{
	const struct view *v = NULL;
	struct listing l = {0};
	struct ctl_options o;
	struct ics_client c;
	json_t *info = NULL;
	int status;

	for (unsigned i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(argv[0], views[i].command) == 0)
			v = &views[i];
	status = ctl_options_parse(&o, argc, argv, CTL_OPT_PAGE, 0);
	if (status != CTL_ANSWERED || v == NULL)
		return status;
	status = ctl_connect(&c, &o, false);
	if (status != CTL_ANSWERED)
		return status;
	info = ctl_ask(&c, "/icmpscope/info");
	status = info == NULL ? CTL_FAILED : fetch(&c, v, &o, &l);
	if (status == CTL_ANSWERED)
		status = show(v, &o, &l, ics_client_uint(info, "now_ns"));
	json_decref(l.pages);
	json_decref(info);
	ics_client_close(&c);
	return status;
}
