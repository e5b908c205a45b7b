/* icmpscopectl history: from the file that icmpscope or icmpscope-read keeps, who had an address when, and what a MAC had
 * when; as a table of at most 80 columns or as JSON.
 */
#include "ctl.h"

#include "ics_history.h"
#include "ics_report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TIME_STRLEN 32

const char ctl_history_help[] = "\n"
				"Tells which MAC had an address from when to when, or which addresses a MAC\n"
				"had, on each segment. With --at, who had it at that time.\n"
				"\n"
				"  --at TIME    2026-05-12T08:30 (UTC), with seconds if you like, or seconds\n"
				"               since 1970\n"
				"  --file FILE  the history; without it history.file of the settings decides\n"
				"  -c FILE      settings; " CTL_DEFAULT_INI " where it exists\n"
				"  --json       one JSON document instead of a table\n"
				"\n"
				"FROM is the first message with which the MAC used the address, TO the latest,\n"
				"to the minute; a stretch ends when another MAC takes the address or after a\n"
				"day of silence. HOW: DAD (it asked whether somebody has it), NS, NA, RA, RS.\n"
				"CLASS of an address: eui64 (made from the MAC), stable, temp (privacy),\n"
				"link_local.\n";

struct question {
	const char *text;
	bool is_mac, json;
	struct ics_ip addr;
	struct ics_mac mac;
	uint64_t at_ns; /* ICS_HISTORY_ALL: any time */
	const char *file, *config;
};

struct answer {
	const struct question *q;
	json_t *rows; /* NULL: a table */
	uint64_t n;
	struct ics_ip addr; /* of the row before */
};

static int
parse(int argc, char **argv, struct question *q)
{
	enum { AT = 256, FILE_, JSON };
	static const struct option longs[] = {
		{"at", required_argument, NULL, AT},
		{"file", required_argument, NULL, FILE_},
		{"json", no_argument, NULL, JSON},
		{"config", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	q->at_ns = ICS_HISTORY_ALL;
	while ((c = getopt_long(argc, argv, ":c:", longs, NULL)) != -1) {
		switch (c) {
		case AT:
			if (!ctl_parse_time(optarg, &q->at_ns))
				return ctl_complain(CTL_USAGE,
						    "--at %.60s: 2026-05-12T08:30 (UTC, with seconds if you like) or "
						    "seconds since 1970 are allowed",
						    optarg);
			break;
		case FILE_:
			q->file = optarg;
			break;
		case JSON:
			q->json = true;
			break;
		case 'c':
			q->config = optarg;
			break;
		case ':':
			return ctl_complain(CTL_USAGE, "%.60s wants an argument (icmpscopectl history --help)",
					    argv[optind - 1]);
		default:
			return ctl_complain(CTL_USAGE, "unknown option %.60s (icmpscopectl history --help)",
					    argv[optind - 1]);
		}
	}
	if (argc - optind != 1)
		return ctl_complain(CTL_USAGE, "history wants one address or MAC (icmpscopectl history --help)");
	q->text = argv[optind];
	q->is_mac = ics_mac_parse(q->text, &q->mac) == 0;
	if (!q->is_mac && ics_ip_parse(q->text, &q->addr) != 0)
		return ctl_complain(CTL_USAGE, "%.60s is neither an IPv6 address nor a MAC", q->text);
	return CTL_ANSWERED;
}

/* Which file to ask, as the settings say when the command line does not. */
static int
find_file(struct question *q, struct ics_config *conf)
{
	const char *ini = q->config != NULL ? q->config : CTL_DEFAULT_INI;
	char err[ICS_CONFIG_ERR_LEN];

	if (q->file != NULL)
		return CTL_ANSWERED;
	ics_config_init(conf);
	if ((q->config != NULL || access(ini, F_OK) == 0) && ics_config_load(conf, ini, err) != 0)
		return ctl_complain(CTL_USAGE, "%s", err);
	if (conf->history.file[0] == '\0')
		return ctl_complain(CTL_USAGE, "no history is named: --file FILE, or history.file in %s", ini);
	q->file = conf->history.file;
	return CTL_ANSWERED;
}

static void
format_second(uint64_t ns, char buf[static TIME_STRLEN])
{
	time_t s = (time_t)(ns / 1000000000u);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(buf, TIME_STRLEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void
add_json(struct answer *a, const struct ics_history_row *r)
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], first[32], last[32], vlan[16];

	ics_segment_vlan_format(&r->segment, vlan);
	(void)json_array_append_new(
		a->rows,
		json_pack("{s:s, s:s, s:i, s:s, s:b, s:b, s:s, s:s, s:s, s:s}", "address", ics_ip_format(&r->addr, ip),
			  "mac", ics_mac_format(&r->mac, mac), "port", r->segment.port, "vlan", vlan, "mpls",
			  (r->segment.encap & ICS_ENCAP_MPLS) != 0, "pppoe", (r->segment.encap & ICS_ENCAP_PPPOE) != 0,
			  "how", ics_history_how_name(r->how), "class", ics_iid_name(r->iid), "first",
			  ics_report_time(r->first_ns, first), "last", ics_report_time(r->last_ns, last)));
}

/* An address has rows of its MACs; a MAC has its addresses, each with its rows below. */
static void
print_row(struct answer *a, const struct ics_history_row *r)
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], first[TIME_STRLEN], last[TIME_STRLEN], vlan[16];

	format_second(r->first_ns, first);
	format_second(r->last_ns, last);
	ics_segment_vlan_format(&r->segment, vlan);
	if (a->q->is_mac) {
		if (a->n == 0)
			printf("%-22s %-20s  %-10s %4s %-9s %s\n", "  FROM", "TO", "CLASS", "PORT", "VLAN", "HOW");
		if (a->n == 0 || !ics_ip_equal(&a->addr, &r->addr))
			printf("%s\n", ics_ip_format(&r->addr, ip));
		printf("  %-20s %-20s  %-10s %4u %-9s %s\n", first, last, ics_iid_name(r->iid), r->segment.port, vlan,
		       ics_history_how_name(r->how));
	} else {
		if (a->n == 0) {
			printf("%s (%s)\n", ics_ip_format(&r->addr, ip), ics_iid_name(r->iid));
			printf("%-20s %-20s %-17s %4s %-9s %s\n", "FROM", "TO", "MAC", "PORT", "VLAN", "HOW");
		}
		printf("%-20s %-20s %-17s %4u %-9s %s\n", first, last, ics_mac_format(&r->mac, mac), r->segment.port,
		       vlan, ics_history_how_name(r->how));
	}
	a->addr = r->addr;
}

static void
take_row(void *ctx, const struct ics_history_row *r)
{
	struct answer *a = ctx;

	if (a->rows != NULL)
		add_json(a, r);
	else
		print_row(a, r);
	a->n++;
}

/* What the file covers, so that no answer can be believed. */
static int
say_nothing(struct ics_history *h, const struct question *q)
{
	char first[TIME_STRLEN], last[TIME_STRLEN];
	uint64_t n = 0, first_ns = 0, last_ns = 0;

	(void)ics_history_extent(h, &n, &first_ns, &last_ns);
	if (n == 0)
		return ctl_complain(CTL_FAILED, "%s: %.200s holds no row yet", q->text, q->file);
	format_second(first_ns, first);
	format_second(last_ns, last);
	return ctl_complain(CTL_FAILED, "%s was not seen%s; %.200s has %" PRIu64 " rows from %s to %s", q->text,
			    q->at_ns == ICS_HISTORY_ALL ? "" : " at that time", q->file, n, first, last);
}

static int
answer(struct ics_history *h, const struct question *q)
{
	struct answer a = {.q = q, .rows = q->json ? json_array() : NULL};
	int rc;

	if (q->is_mac)
		rc = ics_history_by_mac(h, &q->mac, q->at_ns, take_row, &a);
	else
		rc = ics_history_by_addr(h, &q->addr, q->at_ns, take_row, &a);
	if (a.rows != NULL) {
		char at[32];
		json_t *doc =
			json_pack("{s:s, s:s?, s:o}", "query", q->text, "at",
				  q->at_ns == ICS_HISTORY_ALL ? NULL : ics_report_time(q->at_ns, at), "rows", a.rows);

		if (doc == NULL || json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII) != 0)
			rc = rc != 0 ? rc : -EIO;
		printf("\n");
		json_decref(doc);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		rc = rc != 0 ? rc : -EIO;
	if (rc != 0)
		return ctl_complain(CTL_FAILED, "%.200s: %s", q->file, rc == -EINVAL ? "is damaged" : strerror(-rc));
	return a.n > 0 ? CTL_ANSWERED : say_nothing(h, q);
}

int
ctl_history(int argc, char **argv)
{
	struct ics_config *conf = malloc(sizeof(*conf));
	char err[ICS_HISTORY_ERR_LEN];
	struct ics_history *h;
	struct question q = {0};
	int status;

	if (conf == NULL)
		return ctl_complain(CTL_FAILED, "out of memory");
	status = parse(argc, argv, &q);
	if (status == CTL_ANSWERED)
		status = find_file(&q, conf);
	if (status == CTL_ANSWERED) {
		h = ics_history_open_read(q.file, err);
		status = h == NULL ? ctl_complain(CTL_FAILED, "%s", err) : answer(h, &q);
		ics_history_close(h);
	}
	free(conf);
	return status;
}
