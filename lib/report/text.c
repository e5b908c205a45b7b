/* The report for people (design: Voice): what was found, the worst first, then what was looked at, so that silence
 * can be believed. Lines have at most 78 columns.
 */
#include "ics_report.h"

#include "mcast.h"
#include "order.h"
#include "path.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define WIDTH 78
#define INDENT "  "
#define LINE_MAX_LEN 1024
/* Routers in the table; a flood of RAs makes thousands. */
#define ROUTERS_SHOWN 50
#define QUERIERS_SHOWN 20
#define HOSTS_SHOWN 10
#define HOST_ADDRESSES 3
#define PREFIXES_SHOWN 50

/* 12,345 */
static const char *
grouped(uint64_t v, char buf[static 32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v);
	char *to = buf;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Text in lines of WIDTH columns; a sentence starts a line of its own. */
void
ics_report_wrap(FILE *out, const char *text)
{
	size_t column = 0;
	bool ended = false;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > 0 && (column + 1 + n > WIDTH ||
				   (ended && (isupper((unsigned char)*text) || isdigit((unsigned char)*text))))) {
			fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%.*s", column == 0 ? INDENT : " ", (int)n, text);
		ended = n > 0 && text[n - 1] == '.';
		text += n + strspn(text + n, " ");
	}
	if (column > 0)
		fputc('\n', out);
}

static void
print_evidence(FILE *out, const struct ics_anomaly *a)
{
	char line[LINE_MAX_LEN] = "", num[32];
	const struct ics_proof *proofs[ICS_PROOFS];
	size_t n = 0;

	if (a->n_frames > 0 && a->frame_no[0] != 0) {
		n += (size_t)snprintf(line, sizeof(line), "frame%s ", plural(a->n_frames));
		for (unsigned i = 0; i < a->n_frames; i++)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%" PRIu64, i > 0 ? ", " : "",
					      a->frame_no[i]);
		if (a->count > a->n_frames)
			n += (size_t)snprintf(line + n, sizeof(line) - n, " and %s more",
					      grouped(a->count - a->n_frames, num));
	} else if (ics_anomaly_proofs(a, proofs) > 0) {
		n += (size_t)snprintf(line, sizeof(line), "`icmpscopectl evidence %" PRIu64 "`", a->id);
	}
	if (a->rfc != NULL && a->rfc[0] != '\0')
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%sRFC %s", n > 0 ? ", " : "", a->rfc);
	if (a->lenient)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
				      "%sonly by messages that a conforming receiver discards", n > 0 ? ", " : "");
	ics_report_wrap(out, line);
}

void
ics_report_anomaly_text(FILE *out, const struct ics_anomaly *a)
{
	static const char *const words[] = {"INFO", "WARNING", "CRITICAL"};
	char head[160], where[64], when[32];
	int n;

	n = snprintf(head, sizeof(head), "%-8s %s", words[a->severity], a->detector);
	if (a->variant != NULL && a->variant[0] != '\0')
		n += snprintf(head + n, sizeof(head) - (size_t)n, " (%s)", a->variant);
	ics_report_segment(&a->segment, where);
	fprintf(out, "%s%*s\n", head, WIDTH - n > (int)strlen(where) ? WIDTH - n : (int)strlen(where) + 1, where);
	ics_report_wrap(out, a->says);
	if (a->muted)
		ics_report_wrap(out, "Under maintenance: recorded, raises nothing.");
	if (a->state == ICS_ANOMALY_CLEARED) {
		char line[64];

		snprintf(line, sizeof(line), "Cleared at %s.", ics_report_time(a->cleared_ns, when));
		ics_report_wrap(out, line);
	}
	print_evidence(out, a);
}

static void
print_captures(FILE *out, const struct ics_report *r)
{
	char frames[32], bytes[32], first[32], last[32];

	for (unsigned i = 0; i < r->n_captures; i++) {
		const struct ics_report_capture *c = &r->captures[i];

		fputs(INDENT, out);
		for (const char *p = c->file; *p != '\0'; p++)
			fputc(iscntrl((unsigned char)*p) ? '?' : *p, out);
		fprintf(out, ": %s frame%s, %s bytes", grouped(c->frames, frames), plural(c->frames),
			grouped(c->bytes, bytes));
		if (c->frames > 0)
			fprintf(out, ", %s to %s", ics_report_time(c->first_ns, first),
				ics_report_time(c->last_ns, last));
		fputc('\n', out);
		if (c->snapped > 0)
			fprintf(out, INDENT INDENT "%s of them captured shorter than they were\n",
				grouped(c->snapped, frames));
		if (c->damage != NULL) {
			fputs(INDENT INDENT "damaged: ", out);
			for (const char *p = c->damage; *p != '\0'; p++)
				fputc(iscntrl((unsigned char)*p) ? '?' : *p, out);
			fputc('\n', out);
		}
	}
}

static void
print_classes(FILE *out, const struct ics_count_snapshot *counts)
{
	uint64_t others = counts->frames;
	char num[32];

	fputs("Messages\n", out);
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++) {
		if (!ics_class_is_control((enum ics_class)i) || counts->class[i] == 0)
			continue;
		fprintf(out, INDENT "%12s %-20s %s\n", grouped(counts->class[i], num), ics_class_name(i),
			ics_class_text(i));
		others -= counts->class[i];
	}
	fprintf(out, INDENT "%12s %-20s %s\n", grouped(others, num), "other frames", "only counted");
}

static void
print_reasons(FILE *out, const struct ics_report *r)
{
	bool any = false;
	const struct ics_counters *stateful = ics_engine_reason_counters(r->engine);
	char num[32], first[32], last[32];

	for (unsigned i = 0; i < ICS_REASON_COUNT; i++) {
		const struct ics_reason_info *info = ics_reason_info(i);
		bool is_stateful = (info->flags & ICS_REASON_STATEFUL) != 0;
		uint64_t first_ns =
			is_stateful ? ics_count_get(&stateful->note[i].first_ns) : r->counts->reason_first_ns[i];
		uint64_t last_ns =
			is_stateful ? ics_count_get(&stateful->note[i].last_ns) : r->counts->reason_last_ns[i];
		uint64_t n = r->counts->reason[i] + ics_engine_reason_count(r->engine, (enum ics_reason)i);

		if (n == 0)
			continue;
		if (!any)
			fputs("Rules that they break or touch\n", out);
		any = true;
		fprintf(out, INDENT "%12s %-32s %s: %s\n", grouped(n, num), info->name,
			ics_severity_name(info->severity), info->condition);
		if (first_ns != 0)
			fprintf(out, INDENT "%12s first %s, last %s\n", "", ics_report_time(first_ns, first),
				ics_report_time(last_ns, last));
	}
	if (!any)
		fputs("No message breaks a rule.\n", out);
}

static void
print_routers(FILE *out, const struct ics_model *m)
{
	const struct ics_router *r = ics_model_router_next(m, 1);
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], where[64], until[32];
	uint64_t n = 0;

	if (r == NULL)
		return;
	fputs("Routers\n", out);
	for (; r != NULL; r = ics_model_router_next(m, r->id + 1)) {
		const struct ics_segment *s = ics_model_segment(m, r->segment);

		if (n++ >= ROUTERS_SHOWN)
			continue;
		fprintf(out, INDENT "%s (%s) on %s: %s", ics_ip_format(&r->addr, ip),
			r->n_macs > 0 ? ics_mac_format(&r->mac[0], mac) : "MAC not learned",
			s != NULL ? ics_report_segment(&s->key, where) : "?", ics_router_state_name(r->state));
		if (r->ra_count == 0)
			fputs(", no RA heard", out);
		else
			fprintf(out, ", lifetime %" PRIu32 " s, preference %s", r->lifetime_s,
				ics_report_preference(r->flags));
		if (r->state == ICS_ROUTER_DEFAULT && r->expires_ns != 0 && r->expires_ns != UINT64_MAX)
			fprintf(out, ", until %s", ics_report_time(r->expires_ns, until));
		fputc('\n', out);
	}
	if (n > ROUTERS_SHOWN)
		fprintf(out, INDENT "and %s more\n", grouped(n - ROUTERS_SHOWN, until));
}

static void
print_queriers(FILE *out, struct ics_model *m)
{
	char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], where[64], num[2][32];
	unsigned shown = 0;
	uint64_t n = 0;

	for (uint32_t id = 0; id < ics_model_segment_count(m); id++) {
		const struct ics_queriers *s = ics_model_queriers(m, id);

		for (unsigned i = 0; s != NULL && i < s->n; i++) {
			const struct ics_querier *q = &s->q[i];

			if (n++ == 0)
				fputs("MLD queriers\n", out);
			if (shown >= QUERIERS_SHOWN)
				continue;
			shown++;
			fprintf(out, INDENT "%s (%s) on %s: %s, version %u, ", ics_ip_format(&q->addr, ip),
				q->has_mac ? ics_mac_format(&q->mac, mac) : "no MAC",
				ics_report_segment(&ics_model_segment(m, id)->key, where),
				ics_queriers_current(s, ics_model_clock(m)->now_ns) == q ? "in charge"
											 : "not in charge",
				q->version);
			if (q->intervals != 0)
				fprintf(out, "every %" PRIu64 " s, ", (q->interval_ns + 500000000) / 1000000000);
			fprintf(out, "%" PRIu32 ".%" PRIu32 " s to answer, %s general and %s specific queries\n",
				q->qri_ms / 1000, q->qri_ms % 1000 / 100, grouped(q->general, num[0]),
				grouped(q->specific, num[1]));
		}
	}
	if (n > shown)
		fprintf(out, INDENT "and %s more\n", grouped(n - shown, num[0]));
}

static void
print_prefixes(FILE *out, const struct ics_model *m)
{
	const struct ics_prefix *p = ics_model_prefix_next(m, 1);
	char text[ICS_PREFIX_STRLEN], ip[ICS_IP_STRLEN], num[32];
	uint64_t n = 0;

	if (p == NULL)
		return;
	fputs("What routers advertise\n", out);
	for (; p != NULL && n < PREFIXES_SHOWN; p = ics_model_prefix_next(m, p->id + 1), n++) {
		fprintf(out, INDENT "%-14s %s by %s, ", ics_prefix_kind_name(p->kind), ics_prefix_format(p, text),
			ics_ip_format(&p->router, ip));
		if (p->valid_s == ICS_LIFETIME_INFINITE)
			fputs("for ever", out);
		else if (p->valid_s == 0)
			fputs("taken back", out);
		else
			fprintf(out, "for %" PRIu32 " s", p->valid_s);
		if (p->kind == ICS_PREFIX_PIO)
			fprintf(out, "%s%s", p->flags & ICS_PIO_ONLINK ? ", on-link" : "",
				p->flags & ICS_PIO_AUTO ? ", autonomous" : "");
		else if (p->kind == ICS_PREFIX_RIO)
			fprintf(out, ", preference %s", ics_report_preference(p->flags));
		fputc('\n', out);
	}
	if (p != NULL)
		fprintf(out, INDENT "and %s more\n", grouped(ics_model_prefix_count(m) - n, num));
}

/* The hosts with the most addresses. A link-local address and one more are what everybody has. */
static void
print_hosts(FILE *out, const struct ics_model *m)
{
	const struct ics_host *top[HOSTS_SHOWN], *h;
	char mac[ICS_MAC_STRLEN], where[64], n[32];
	unsigned shown = 0;
	uint32_t i = 1;

	for (; (h = ics_model_host_next(m, &i)) != NULL; i++) {
		unsigned at = shown;

		if (h->n_bindings < HOST_ADDRESSES)
			continue;
		while (at > 0 && top[at - 1]->n_bindings < h->n_bindings)
			at--;
		if (at == HOSTS_SHOWN)
			continue;
		shown += shown < HOSTS_SHOWN;
		for (unsigned k = shown - 1; k > at; k--)
			top[k] = top[k - 1];
		top[at] = h;
	}
	if (shown == 0)
		return;
	fprintf(out, "Hosts with the most addresses, of %s\n", grouped(ics_model_host_count(m), n));
	for (unsigned k = 0; k < shown; k++) {
		const struct ics_segment *s = ics_model_segment(m, top[k]->segment);

		fprintf(out, INDENT "%12s %s on %s: %u link-local, %u stable, %u temporary\n",
			grouped(top[k]->n_bindings, n), ics_mac_format(&top[k]->mac, mac),
			s != NULL ? ics_report_segment(&s->key, where) : "?", top[k]->n_iid[ICS_IID_LINK_LOCAL],
			top[k]->n_iid[ICS_IID_STABLE] + top[k]->n_iid[ICS_IID_EUI64], top[k]->n_iid[ICS_IID_TEMP]);
	}
}

static bool
is_in(const struct ics_detector_info *d, const char *state, const char *lacks)
{
	return strcmp(d->state, state) == 0 && (lacks == NULL || strcmp(d->lacks, lacks) == 0);
}

/* One line for the detectors in that state, and for that reason; nothing when there are none. */
static void
print_detectors_in(FILE *out, struct ics_engine *e, const char *state, const char *lacks, const char *title)
{
	const struct ics_detector_info *d;
	char *line = NULL;
	size_t size = 0;
	bool any = false;
	FILE *to = open_memstream(&line, &size);

	if (to == NULL)
		return;
	fprintf(to, "%s%s", title, lacks != NULL ? lacks : "");
	for (unsigned i = 0; (d = ics_engine_detector(e, i)) != NULL; i++) {
		if (!is_in(d, state, lacks))
			continue;
		fprintf(to, "%s %s", any ? "," : ":", d->name);
		any = true;
	}
	fclose(to);
	if (any)
		ics_report_wrap(out, line);
	free(line);
}

/* The names of all would hide those few that matter: of what was not looked for. */
static void
print_detectors(FILE *out, struct ics_engine *e)
{
	const struct ics_detector_info *d, *before;
	unsigned n = 0, on = 0;
	char line[64];

	for (; (d = ics_engine_detector(e, n)) != NULL; n++)
		on += strcmp(d->state, "on") == 0;
	if (on == n)
		snprintf(line, sizeof(line), "assessed by all %u detectors", n);
	else
		snprintf(line, sizeof(line), "assessed by %u of %u detectors", on, n);
	ics_report_wrap(out, line);
	print_detectors_in(out, e, "muted", NULL, "muted (recorded, raises nothing)");
	for (unsigned i = 0; (d = ics_engine_detector(e, i)) != NULL; i++) {
		bool first = strcmp(d->state, "not_assessed") == 0;

		for (unsigned k = 0; k < i && first; k++) {
			before = ics_engine_detector(e, k);
			first = !is_in(before, "not_assessed", d->lacks);
		}
		if (first)
			print_detectors_in(out, e, "not_assessed", d->lacks, "not assessed, as ");
	}
}

static void
print_looked_at(FILE *out, const struct ics_report *r)
{
	struct ics_model_stats s;
	struct ics_anomaly_stats a;
	char n[5][32], line[LINE_MAX_LEN];

	ics_model_stats(ics_engine_model(r->engine), &s);
	ics_anomaly_stats(ics_engine_anomalies(r->engine), &a);
	fputs("Looked at\n", out);
	snprintf(line, sizeof(line),
		 "%s frame%s, %s message%s for the detectors, %s segment%s, %s router%s, %s host%s, %" PRIu64
		 " address%s in use",
		 grouped(r->counts->frames, n[0]), plural(r->counts->frames), grouped(r->counts->control, n[1]),
		 plural(r->counts->control), grouped(s.segments, n[2]), plural(s.segments), grouped(s.routers, n[3]),
		 plural(s.routers), grouped(s.hosts, n[4]), plural(s.hosts), s.bindings, s.bindings == 1 ? "" : "es");
	ics_report_wrap(out, line);
	print_detectors(out, r->engine);
	if (s.routers == 0)
		ics_report_wrap(out, "no router was heard or named, so whether a gateway was lost cannot be judged; "
				     "detect.gateways names one");
	if (s.segment_drops + s.router_drops + s.router_evictions + s.host_evictions + s.binding_evictions > 0) {
		snprintf(line, sizeof(line),
			 "tables were full: %s segment%s and %s router%s not kept, %s router%s and %s host%s evicted",
			 grouped(s.segment_drops, n[0]), plural(s.segment_drops), grouped(s.router_drops, n[1]),
			 plural(s.router_drops), grouped(s.router_evictions, n[2]), plural(s.router_evictions),
			 grouped(s.host_evictions, n[3]), plural(s.host_evictions));
		ics_report_wrap(out, line);
	}
	if (a.not_opened + a.overwritten > 0) {
		snprintf(line, sizeof(line), "and %s more findings than are kept",
			 grouped(a.not_opened + a.overwritten, n[0]));
		ics_report_wrap(out, line);
	}
}

int
ics_report_text(FILE *out, const struct ics_report *r)
{
	unsigned n;
	const struct ics_anomaly **all = ics_report_by_severity(ics_engine_anomalies(r->engine), &n);

	if (all == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		ics_report_anomaly_text(out, all[i]);
		fputc('\n', out);
	}
	free(all);
	if (n == 0)
		fputs("No findings.\n\n", out);
	print_classes(out, r->counts);
	print_reasons(out, r);
	print_routers(out, ics_engine_model(r->engine));
	print_queriers(out, ics_engine_model(r->engine));
	ics_report_mcast_text(out, ics_engine_model(r->engine));
	ics_report_paths_text(out, ics_engine_model(r->engine));
	print_hosts(out, ics_engine_model(r->engine));
	print_prefixes(out, ics_engine_model(r->engine));
	print_looked_at(out, r);
	print_captures(out, r);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
