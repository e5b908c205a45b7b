/* A message about the path MTU that contradicts itself: below what every link carries, not below the packet that it
 * complains about, or about one that may be fragmented anyway (RFC 8201 4, RFC 1191 3 and 5, RFC 5927 7). Forged, or from a
 * broken router or translator; nothing is learned from it. Called for Packet Too Big and Fragmentation Needed, invalid
 * ones too; a sender is told once and forgotten ten minutes after its last.
 */
#include "pmtu.h"

#define CLEAR_NS (600 * NS_PER_S)
#define MANY_HOSTS 10
#define PORT_BGP 179
#define PORT_DNS 53

enum variant { BELOW_MINIMUM, ZERO, NOT_SMALLER, HUGE, BELOW_68, BELOW_576, DF_CLEAR, TO_GROUP };

static const char *const names[] = {
	[BELOW_MINIMUM] = "below_minimum", [ZERO] = "zero",
	[NOT_SMALLER] = "not_smaller",     [HUGE] = "huge",
	[BELOW_68] = "below_68",           [BELOW_576] = "below_576",
	[DF_CLEAR] = "df_clear",           [TO_GROUP] = "to_group",
};

static const struct {
	enum ics_reason reason;
	enum variant variant;
} rules[] = {
	{ICS_REASON_ptb_mtu_below_1280, BELOW_MINIMUM},
	{ICS_REASON_ptb_mtu_zero, ZERO},
	{ICS_REASON_ptb_mtu_ge_quoted, NOT_SMALLER},
	{ICS_REASON_ptb_mtu_huge, HUGE},
	{ICS_REASON_ptb_to_multicast, TO_GROUP},
	{ICS_REASON_icmp4_fragneeded_mtu_below_68, BELOW_68},
	{ICS_REASON_icmp4_fragneeded_mtu_below_576, BELOW_576},
	{ICS_REASON_icmp4_fragneeded_mtu_ge_quoted, NOT_SMALLER},
	{ICS_REASON_icmp4_fragneeded_df_clear, DF_CLEAR},
};

struct episode {
	struct ics_episode ep;
	uint32_t variants, hosts;
	bool muted, is_critical, is_translator;
	uint32_t mtu, min_mtu;
	struct ics_ip host, far;
	struct ics_mac mac;
	struct ics_quote q;
	struct ics_hll seen;
	uint64_t last_ns;
};

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->is_critical || e->hosts >= MANY_HOSTS)
		return ICS_SEV_CRITICAL;
	return e->is_translator ? ICS_SEV_INFO : ICS_SEV_WARN;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, ip));
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, ip));
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, text));
	ics_fact_set_uint(a, "mtu", e->mtu);
	ics_fact_set_uint(a, "lowest_mtu", e->min_mtu);
	ics_fact_set_bool(a, "df", (e->q.flags & ICS_QUOTE_DF) != 0);
	ics_fact_set_uint(a, "hosts", e->hosts);
	ics_pmtu_set_quote(a, &e->q);
	a->says[0] = '\0';
	ics_say(a, "%s claims a path MTU of %u for a packet of %u octets from %s%s: forged or broken.",
		a->subject[0].text, e->mtu, e->q.ip_len, ics_ip_format(&e->host, ip),
		e->q.flags & ICS_QUOTE_DF ? "" : " that may be fragmented");
	ics_say(a, " Old or careless stacks send tiny packets or stop sending (%u host%s told).", e->hosts,
		e->hosts == 1 ? "" : "s");
	if (e->is_translator)
		ics_say(a, " It is about an address behind NAT64: check how that translator converts MTUs.");
	else
		ics_say(a, " Filter it, and find who sends from %s.", a->subject[0].text);
}

static uint32_t
judge(const struct ics_reasons *reasons)
{
	uint32_t variants = 0;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(rules); i++)
		if (ics_reasons_has(reasons, rules[i].reason))
			variants |= 1u << rules[i].variant;
	return variants;
}

/* Sessions whose loss takes down more than one user. */
static bool
is_vital(const struct ics_detector *d, const struct ics_msg *msg)
{
	const struct ics_quote *q = &msg->error.quote;
	bool has_ports = (q->flags & ICS_QUOTE_PORTS) != 0;

	if (ics_model_is_watched(d->model, &msg->dst) || ics_model_is_gateway(d->model, &msg->dst))
		return true;
	return has_ports &&
	       ((q->proto == ICS_PROTO_TCP && (q->sport == PORT_BGP || q->dport == PORT_BGP)) || q->sport == PORT_DNS);
}

/* 64:ff9b::/96 (RFC 6052 2.1) */
static bool
is_nat64(const struct ics_ip *a)
{
	static const uint8_t prefix[12] = {0, 0x64, 0xff, 0x9b};

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	uint32_t variants = judge(&msg->rec->reasons);
	struct episode *e;
	char text[ICS_IP_STRLEN];

	/* What is broken beyond its MTU is refused by everybody. */
	if (variants == 0 || !(msg->error.quote.flags & ICS_QUOTE_IP) ||
	    ics_reasons_has(&msg->rec->reasons, ICS_REASON_icmp6_checksum) ||
	    ics_reasons_has(&msg->rec->reasons, ICS_REASON_icmp4_checksum))
		return;
	e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	if (e == NULL) {
		if (d->shared->pmtu_flood[c->segment->id])
			return; /* that has its own voice */
		e = (struct episode *)ics_episode_open_as(d, c->segment, &msg->src, "reporter",
							  ics_ip_format(&msg->src, text));
		if (e == NULL)
			return;
		e->muted = e->is_translator = true;
		e->min_mtu = UINT32_MAX;
		ics_hll_init(&e->seen, ics_hash_mix(d->seed, 3));
		e->host = msg->dst;
		e->far = msg->error.quote.far;
		e->mac = msg->smac;
		e->mtu = msg->error.mtu;
		e->q = msg->error.quote;
		e->q.bytes = (struct ics_view){NULL, 0};
	}
	e->variants |= variants;
	if (msg->error.mtu < e->min_mtu)
		e->min_mtu = msg->error.mtu;
	if (ics_hll_add(&e->seen, msg->dst.b, 16))
		e->hosts = (uint32_t)ics_hll_count(&e->seen);
	e->is_translator &= is_nat64(&msg->error.quote.far) || is_nat64(&msg->dst);
	e->is_critical |= is_vital(d, msg);
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->muted << 32 | (uint64_t)severity_of(e) << 33);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

const struct ics_detector_ops ics_det_pmtu_bogus = {
	.classes = 1ull << ICS_CLASS_icmp6_too_big | 1ull << ICS_CLASS_icmp4_frag_needed,
	.invalid_too = true,
	.episode_len = sizeof(struct episode),
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
