/* Keys, rates, names and facts for detectors of ICMP errors. */
#include "pmtu.h"

#include <stdio.h>

uint32_t
ics_rate_add(struct ics_rate *r, uint64_t ts_ns, uint32_t n, uint32_t limit)
{
	uint64_t sec = ts_ns / NS_PER_S;

	if (sec > r->sec) {
		r->over = sec == r->sec + 1 && r->n > limit ? r->over + 1 : 0;
		r->last = sec == r->sec + 1 ? r->n : 0;
		r->n = 0;
		r->sec = sec;
	}
	r->n = r->n + n < r->n ? UINT32_MAX : r->n + n;
	return r->n > limit ? r->over + 1 : 0;
}

enum ics_flow_seen
ics_pmtu_flow_seen(const struct ics_detector *d, const struct ics_quote *q)
{
	struct ics_flow flow = {.src = q->host, .dst = q->far, .proto = q->proto};

	if (d->shared->samplers == NULL || !(q->flags & ICS_QUOTE_PORTS))
		return ICS_FLOW_NOT_ASSESSED;
	flow.sport = q->sport;
	flow.dport = q->dport;
	return ics_sample_flow_seen(d->shared->samplers, &flow);
}

struct ics_ip
ics_pmtu_key(const struct ics_detector *d, const struct ics_ip *a, const struct ics_ip *b, uint32_t n)
{
	uint64_t one = ics_hash(a->b, 16, d->seed), two = ics_hash(b->b, 16, ics_hash_mix(d->seed, n));
	struct ics_ip key;

	memcpy(key.b, &one, 8);
	memcpy(key.b + 8, &two, 8);
	return key;
}

const char *
ics_pmtu_proto(uint8_t proto)
{
	switch (proto) {
	case ICS_PROTO_TCP:
		return "tcp";
	case ICS_PROTO_UDP:
		return "udp";
	case ICS_PROTO_ICMP4:
		return "icmp";
	case ICS_PROTO_ICMP6:
		return "icmpv6";
	case 4:
		return "ipip";
	case 41:
		return "6in4";
	case 47:
		return "gre";
	case 50:
		return "esp";
	case 132:
		return "sctp";
	default:
		return "another protocol";
	}
}

void
ics_pmtu_set_quote(struct ics_anomaly *a, const struct ics_quote *q)
{
	ics_fact_set_uint(a, "quoted_len", q->ip_len);
	ics_fact_set_text(a, "quoted_proto", "%s", ics_pmtu_proto(q->proto));
	if (q->flags & ICS_QUOTE_PORTS) {
		ics_fact_set_uint(a, "quoted_sport", q->sport);
		ics_fact_set_uint(a, "quoted_dport", q->dport);
	}
}

void
ics_pmtu_set_labels(struct ics_anomaly *a, const uint32_t *labels, unsigned n)
{
	char text[ICS_FACT_TEXT_LEN];
	size_t len = 0;

	ics_fact_set_uint(a, "labels", n);
	for (unsigned i = 0; i < n && i < ICS_QUOTE_LABELS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u", i == 0 ? "" : ", ",
					ics_quote_label(labels[i]));
	if (n != 0)
		ics_fact_set_text(a, "label_stack", "%s", text);
}

void
ics_pmtu_set_guess(struct ics_anomaly *a, const struct ics_guess *g)
{
	static const char *const keys[ICS_GUESS_MAX] = {"guess_1", "guess_2", "guess_3"};

	for (unsigned i = 0; i < g->n; i++)
		ics_fact_set_text(a, keys[i], "%s (%s)", g->at[i].text, ics_confidence_name(g->at[i].confidence));
}

void
ics_pmtu_set_mss(struct ics_anomaly *a, uint32_t mtu)
{
	ics_fact_set_uint(a, "mss4", ics_mss4(mtu));
	ics_fact_set_uint(a, "mss6", ics_mss6(mtu));
}

const char *
ics_pmtu_end(const struct ics_ip *ip, uint16_t port, bool has_port, char buf[static 64])
{
	char text[ICS_IP_STRLEN];

	if (has_port)
		snprintf(buf, 64, "%s port %u", ics_ip_format(ip, text), port);
	else
		snprintf(buf, 64, "%s", ics_ip_format(ip, text));
	return buf;
}

const char *
ics_unreach_name(bool is_ip4, uint8_t type, uint8_t code)
{
	/* RFC 792, 1122 3.2.2.1, 1812 5.2.7.1 */
	static const char *const four[] = {
		"net unreachable",
		"host unreachable",
		"protocol unreachable",
		"port unreachable",
		"fragmentation needed",
		"source route failed",
		"net unknown",
		"host unknown",
		"source isolated",
		"net prohibited",
		"host prohibited",
		"net unreachable for this service",
		"host unreachable for this service",
		"administratively prohibited",
		"host precedence violation",
		"precedence cutoff",
	};
	/* RFC 4443 3.1, 6550 6, 8883 3 */
	static const char *const six[] = {
		"no route",
		"administratively prohibited",
		"beyond the scope of the source",
		"address unreachable",
		"port unreachable",
		"source address failed policy",
		"route rejected",
		"error in source routing header",
		"headers too long",
	};

	if (type == (is_ip4 ? ICS_ICMP4_TIME_EXCEEDED : 3))
		return code == 0 ? "hop limit exceeded" : "reassembly time exceeded";
	if (is_ip4)
		return code < ICS_ARRAY_LEN(four) ? four[code] : "unknown code";
	return code < ICS_ARRAY_LEN(six) ? six[code] : "unknown code";
}
