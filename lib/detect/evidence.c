/* Facts and phrases that the router detectors share. Called by detectors while they render an anomaly. */
#include "detect_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define ESTABLISHED_NS (60 * NS_PER_S)

static void
append_since(char buf[static ICS_FACT_TEXT_LEN], const struct ics_router *r, uint64_t offset_ns)
{
	time_t t = (time_t)((r->default_ns - offset_ns) / NS_PER_S);
	char ip[ICS_IP_STRLEN], when[32], text[ICS_IP_STRLEN + 40];
	size_t len = strlen(buf);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return;
	snprintf(text, sizeof(text), "%s%s %s", len != 0 ? ", " : "", ics_ip_format(&r->addr, ip), when);
	if (len + strlen(text) < ICS_FACT_TEXT_LEN)
		memcpy(buf + len, text, strlen(text) + 1);
}

void
ics_detect_other_defaults(struct ics_model *m, const struct ics_router *r, struct ics_defaults *out)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n = ics_model_segment_routers(m, r->segment, all);
	const struct ics_clock *clock = ics_model_clock(m);
	size_t len = 0;
	unsigned listed = 0;
	/* Room for one more entry and for saying how many are not listed. */
	const size_t entry_max = ICS_IP_STRLEN + sizeof(", prf=medium"), rest_max = sizeof(", and 64 more");

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < n; i++) {
		char ip[ICS_IP_STRLEN];

		if (all[i]->state != ICS_ROUTER_DEFAULT || ics_ip_equal(&all[i]->addr, &r->addr))
			continue;
		out->n++;
		if (clock->now_ns - all[i]->default_ns > out->longest_ns)
			out->longest_ns = clock->now_ns - all[i]->default_ns;
		append_since(out->since, all[i], clock->offset_ns);
		out->as_preferred |= ics_router_preference(all[i]) >= ics_router_preference(r);
		if (len + entry_max + rest_max > sizeof(out->list))
			continue;
		len += (size_t)snprintf(out->list + len, sizeof(out->list) - len, "%s%s prf=%s", len != 0 ? ", " : "",
					ics_ip_format(&all[i]->addr, ip), ics_router_preference_name(all[i]));
		listed++;
	}
	if (out->n > listed)
		snprintf(out->list + len, sizeof(out->list) - len, ", and %u more", out->n - listed);
}

void
ics_detect_blast(struct ics_anomaly *a, const struct ics_defaults *left, uint32_t hosts)
{
	ics_fact_set_uint(a, "hosts_affected", hosts);
	ics_fact_set_text(a, "loses", "%s",
			  left->n == 0         ? "every route beyond the link"
			  : left->as_preferred ? "one of several gateways"
					       : "the preferred gateway");
	ics_fact_set_uint(a, "default_routers_left", left->n);
	ics_fact_set_text(a, "default_routers", "%s", left->list);
	ics_fact_set_text(a, "default_since", "%s", left->since);
}

void
ics_detect_diversion(struct ics_anomaly *a, const struct ics_defaults *others, uint32_t hosts)
{
	ics_fact_set_uint(a, "hosts_affected", hosts);
	ics_fact_set_uint(a, "default_routers_left", others->n);
	ics_fact_set_text(a, "default_routers", "%s", others->list);
	ics_fact_set_text(a, "default_since", "%s", others->since);
}

uint32_t
ics_detect_hosts(const struct ics_segment *seg)
{
	return seg->hosts - seg->router_hosts;
}

void
ics_detect_mac_list(const struct ics_router *r, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	snprintf(buf, ICS_FACT_TEXT_LEN, "none learned");
	for (unsigned i = 0; i < r->n_macs; i++) {
		char mac[ICS_MAC_STRLEN];

		len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s", i != 0 ? ", " : "",
					ics_mac_format(&r->mac[i], mac));
	}
}

const char *
ics_detect_variants(uint32_t variants, const char *const *names, unsigned n, char buf[static ICS_FACT_TEXT_LEN])
{
	const char *first = NULL;
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		int w;

		if (!(variants >> i & 1))
			continue;
		w = snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s", first != NULL ? "," : "", names[i]);
		if (w < 0 || len + (size_t)w >= ICS_FACT_TEXT_LEN)
			break;
		len += (size_t)w;
		if (first == NULL)
			first = names[i];
	}
	return first != NULL ? first : "";
}

bool
ics_detect_was_known(const struct ics_router *before, uint64_t now_ns)
{
	return before->pinned || (before->last_nonzero_ra_ns != 0 && now_ns - before->first_ns >= ESTABLISHED_NS);
}

void
ics_say(struct ics_anomaly *a, const char *fmt, ...)
{
	size_t len = strlen(a->says);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->says + len, sizeof(a->says) - len, fmt, ap);
	va_end(ap);
}

void
ics_say_hosts(struct ics_anomaly *a, uint32_t hosts)
{
	ics_say(a, "; %u host%s on this segment.", hosts, hosts == 1 ? " is" : "s are");
}

/* "12 s", "20 min", "3 h", "4 days" */
static const char *
span_of(uint64_t ns, char buf[static 32])
{
	uint64_t s = ns / NS_PER_S;

	if (s < 120)
		snprintf(buf, 32, "%llu s", (unsigned long long)s);
	else if (s < 7200)
		snprintf(buf, 32, "%llu min", (unsigned long long)(s / 60));
	else if (s < 172800)
		snprintf(buf, 32, "%llu h", (unsigned long long)(s / 3600));
	else
		snprintf(buf, 32, "%llu days", (unsigned long long)(s / 86400));
	return buf;
}

void
ics_say_what_is_left(struct ics_anomaly *a, const struct ics_defaults *left, uint32_t hosts)
{
	char span[32];

	if (left->n == 1)
		ics_say(a, "; 1 other default router remains: %s, for %s.", left->list,
			span_of(left->longest_ns, span));
	else if (left->n != 0)
		ics_say(a, "; %u other default routers remain: %s; the first of them for %s.", left->n, left->list,
			span_of(left->longest_ns, span));
	else if (hosts == 0)
		ics_say(a, "; no other default router is left on this segment.");
	else
		ics_say(a, "; no other default router is left for %u host%s.", hosts, hosts == 1 ? "" : "s");
}
