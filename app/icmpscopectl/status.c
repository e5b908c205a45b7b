/* icmpscopectl status, check, counters, reasons: is it well, what has it counted. */
#include "ctl.h"

#include "ics_reason.h"
#include "ics_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANOMALY_PAGES_MAX 4096

/* Open anomalies that are not muted, by severity. */
struct open_count {
	uint64_t of[ICS_SEV_CRITICAL + 1];
	char worst[128]; /* name of the first of the worst */
};

static int
count_open(struct ics_client *c, struct open_count *n)
{
	uint64_t cursor = 0;
	bool more = true;
	int worst = -1;

	memset(n, 0, sizeof(*n));
	for (unsigned i = 0; i < ANOMALY_PAGES_MAX && more; i++) {
		json_t *page = ctl_ask(c, "/icmpscope/anomaly/table,%" PRIu64, cursor), *rows, *row;
		json_t *one;
		size_t k;

		if (page == NULL)
			return CTL_FAILED;
		one = json_pack("[O]", page);
		rows = ctl_table_rows(one);
		json_array_foreach(rows, k, row)
		{
			const char *severity = ics_client_text(row, "severity");

			if (strcmp(ics_client_text(row, "state"), "open") != 0 || ics_client_uint(row, "muted") != 0)
				continue;
			for (int s = ICS_SEV_INFO; s <= ICS_SEV_CRITICAL; s++) {
				if (strcmp(severity, ics_severity_name((enum ics_severity)s)) != 0)
					continue;
				n->of[s]++;
				if (s > worst) {
					worst = s;
					snprintf(n->worst, sizeof(n->worst), "%s", ics_client_text(row, "name"));
				}
			}
		}
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > cursor;
		cursor = ics_client_uint(page, "next");
		json_decref(rows);
		json_decref(one);
		json_decref(page);
	}
	return CTL_ANSWERED;
}

static uint64_t
lost_before(const json_t *info)
{
	return ics_client_uint(info, "missed") + ics_client_uint(info, "errors") + ics_client_uint(info, "no_mbuf");
}

static const char *
span(uint64_t s, char buf[static 32])
{
	if (s < 120)
		snprintf(buf, 32, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(buf, 32, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(buf, 32, "%" PRIu64 " h", s / 3600);
	else
		snprintf(buf, 32, "%" PRIu64 " days", s / 86400);
	return buf;
}

static void
print_status(const json_t *info, const struct open_count *open)
{
	char a[32], b[32], c[32], d[32];
	uint64_t before = lost_before(info), dropped = ics_client_uint(info, "dropped");

	printf("icmpscope %s, %s, up %s\n", ics_client_text(info, "version"), ics_client_text(info, "mode"),
	       span(ics_client_uint(info, "uptime_s"), a));
	printf("Seen      %s frames, %s control messages on %s port(s)%s\n",
	       ctl_grouped(ics_client_uint(info, "frames"), a), ctl_grouped(ics_client_uint(info, "control"), b),
	       ctl_grouped(ics_client_uint(info, "ports"), c),
	       ics_client_uint(info, "ports_down") > 0 ? ", NOT ALL OF THEM UP" : "");
	if (before == 0)
		printf("Lost      nothing before the workers");
	else
		printf("Lost      %s frames before the workers (missed %s, errors %s, no buffer %s)",
		       ctl_grouped(before, a), ctl_grouped(ics_client_uint(info, "missed"), b),
		       ctl_grouped(ics_client_uint(info, "errors"), c),
		       ctl_grouped(ics_client_uint(info, "no_mbuf"), d));
	if (dropped == 0)
		printf(", nothing behind them\n");
	else
		printf(",\n          %s messages behind them (counted, not judged)\n", ctl_grouped(dropped, a));
	if (ics_client_uint(info, "conservation_exact") != 0 && ics_client_uint(info, "conservation_ok") == 0)
		printf("          THE COUNTERS DO NOT ADD UP: this is a fault of icmpscope\n");
	if (ics_client_uint(info, "stalled") != 0)
		printf("          %s THREAD(S) DO NOT TURN: `icmpscopectl worker` says which\n",
		       ctl_grouped(ics_client_uint(info, "stalled"), a));
	if (ics_client_uint(info, "sandbox_denied") != 0)
		printf("          THE SANDBOX REFUSED %s SYSTEM CALLS: the journal says which\n",
		       ctl_grouped(ics_client_uint(info, "sandbox_denied"), a));
	printf("Knows     %s segments, %s routers, %s hosts, %s addresses\n",
	       ctl_grouped(ics_client_uint(info, "segments"), a), ctl_grouped(ics_client_uint(info, "routers"), b),
	       ctl_grouped(ics_client_uint(info, "hosts"), c), ctl_grouped(ics_client_uint(info, "bindings"), d));
	printf("Found     %s open: %s critical, %s warnings, %s for information\n",
	       ctl_grouped(open->of[0] + open->of[1] + open->of[2], a), ctl_grouped(open->of[ICS_SEV_CRITICAL], b),
	       ctl_grouped(open->of[ICS_SEV_WARN], c), ctl_grouped(open->of[ICS_SEV_INFO], d));
	if (open->worst[0] != '\0')
		printf("          worst: %s; icmpscopectl anomalies --long says what to do\n", open->worst);
}

int
ctl_status(int argc, char **argv)
{
	struct open_count open;
	struct ctl_options o;
	struct ics_client c;
	json_t *info;
	int status = ctl_options_parse(&o, argc, argv, 0, 0);

	if (status == CTL_ANSWERED)
		status = ctl_connect(&c, &o, false);
	if (status != CTL_ANSWERED)
		return status;
	info = ctl_ask(&c, "/icmpscope/info");
	status = info == NULL ? CTL_FAILED : count_open(&c, &open);
	if (status == CTL_ANSWERED && o.json) {
		(void)json_object_set_new(info, "open_critical", json_integer((json_int_t)open.of[ICS_SEV_CRITICAL]));
		(void)json_object_set_new(info, "open_warn", json_integer((json_int_t)open.of[ICS_SEV_WARN]));
		(void)json_object_set_new(info, "open_info", json_integer((json_int_t)open.of[ICS_SEV_INFO]));
		status = ctl_print_json(json_incref(info));
	} else if (status == CTL_ANSWERED) {
		print_status(info, &open);
	}
	json_decref(info);
	ics_client_close(&c);
	return status;
}

/* ---- for Nagios and its kin: one line, 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN ---- */

enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

static int
judge(const struct ctl_options *o, const json_t *info, const struct open_count *n)
{
	uint64_t all = n->of[ICS_SEV_WARN] + n->of[ICS_SEV_CRITICAL];

	if (ics_client_uint(info, "conservation_exact") != 0 && ics_client_uint(info, "conservation_ok") == 0)
		return CHECK_CRITICAL;
	if (ics_client_uint(info, "stalled") > 0)
		return CHECK_CRITICAL;
	if (o->crit != UINT64_MAX ? all >= o->crit : n->of[ICS_SEV_CRITICAL] > 0)
		return CHECK_CRITICAL;
	/* Whatever happens there is not seen. */
	if (ics_client_uint(info, "ports_down") > 0)
		return CHECK_WARNING;
	if (o->warn != UINT64_MAX ? all >= o->warn : n->of[ICS_SEV_WARN] > 0)
		return CHECK_WARNING;
	return CHECK_OK;
}

int
ctl_check(int argc, char **argv)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
	struct open_count n;
	struct ctl_options o;
	struct ics_client c = {.fd = -1};
	json_t *info = NULL;
	int verdict = CHECK_UNKNOWN;

	if (ctl_options_parse(&o, argc, argv, CTL_OPT_LIMITS, 0) != CTL_ANSWERED)
		return CHECK_UNKNOWN;
	if (ctl_connect(&c, &o, true) == CTL_ANSWERED)
		info = ctl_ask(&c, "/icmpscope/info");
	if (info == NULL || count_open(&c, &n) != CTL_ANSWERED) {
		printf("ICMPSCOPE UNKNOWN - no icmpscope answers at %s\n", c.path);
	} else {
		verdict = judge(&o, info, &n);
		printf("ICMPSCOPE %s - %" PRIu64 " critical, %" PRIu64 " warnings open%s%s, %s%s%" PRIu64
		       " frames, %" PRIu64 " lost | critical=%" PRIu64 " warning=%" PRIu64 " frames=%" PRIu64
		       "c lost=%" PRIu64 "c dropped=%" PRIu64 "c\n",
		       words[verdict], n.of[ICS_SEV_CRITICAL], n.of[ICS_SEV_WARN], n.worst[0] != '\0' ? ": " : "",
		       n.worst, ics_client_uint(info, "stalled") > 0 ? "a thread does not turn, " : "",
		       ics_client_uint(info, "ports_down") > 0 ? "a port is down, " : "",
		       ics_client_uint(info, "frames"), lost_before(info), n.of[ICS_SEV_CRITICAL], n.of[ICS_SEV_WARN],
		       ics_client_uint(info, "frames"), lost_before(info), ics_client_uint(info, "dropped"));
	}
	json_decref(info);
	ics_client_close(&c);
	return verdict;
}

/* ---- totals by name ---- */

typedef void (*row_fn)(const char *name, uint64_t n);

static int
totals(int argc, char **argv, const char *what, const char *none, row_fn print)
{
	struct ctl_options o;
	struct ics_client c;
	const char *key;
	json_t *all, *v;
	uint64_t shown = 0;
	int status = ctl_options_parse(&o, argc, argv, CTL_OPT_WORKER, 0);

	if (status == CTL_ANSWERED)
		status = ctl_connect(&c, &o, false);
	if (status != CTL_ANSWERED)
		return status;
	all = o.worker == UINT64_MAX ? ctl_ask(&c, "/icmpscope/%s", what)
				     : ctl_ask(&c, "/icmpscope/%s,%" PRIu64, what, o.worker);
	ics_client_close(&c);
	if (all == NULL)
		return CTL_FAILED;
	if (o.json)
		return ctl_print_json(all);
	json_object_foreach(all, key, v)
	{
		if (!json_is_integer(v) || json_integer_value(v) == 0)
			continue;
		print(key, (uint64_t)json_integer_value(v));
		shown++;
	}
	json_decref(all);
	if (shown == 0)
		printf("%s\n", none);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static void
print_class(const char *name, uint64_t n)
{
	char num[32];

	printf("%20s  %s\n", ctl_grouped(n, num), name);
}

static void
print_reason(const char *name, uint64_t n)
{
	const struct ics_reason_info *r = ics_reason_info((unsigned)ics_reason_find(name));
	char num[32];

	printf("%16s  ", ctl_grouped(n, num));
	ctl_put_text(name, 30);
	printf(" %s\n", r != NULL ? ics_severity_name(r->severity) : "");
}

int
ctl_counters(int argc, char **argv)
{
	return totals(argc, argv, "classes", "No frame was seen yet.", print_class);
}

int
ctl_reasons(int argc, char **argv)
{
	return totals(argc, argv, "reasons", "No message broke a rule.", print_reason);
}
