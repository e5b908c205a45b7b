/* A redirect that hosts obey though it is not from their first hop, or not about a better one (RFC 4861 8.1, 8.3; RFC 3756
 * 4.2.4): from no default router, from a MAC that is not the router's, to a target that is neither the destination nor a
 * router, with another MAC for a destination on the link, or about a packet that the host never sent, as far as the tap
 * sees what that host sends.
 * Called for redirects; each sender is told once and forgotten ten minutes after its last.
 */
#include "detect_priv.h"

#include <stdio.h>

#define DEDUP_NS (600 * NS_PER_S)
/* Routers that others redirected to may redirect further, for as long. */
#define CHAIN_MAX 1024

/* The data of a host is seen when some of it was of late. */
#define VISIBLE_NS (600 * NS_PER_S)

enum variant { NOT_FIRST_HOP, FOREIGN_MAC, TARGET_NO_ROUTER, OTHER_MAC, OTHER_ADDRESS, NEVER_SENT };

static const char *const names[] = {
	[NOT_FIRST_HOP] = "not_first_hop", [FOREIGN_MAC] = "foreign_mac",     [TARGET_NO_ROUTER] = "target_no_router",
	[OTHER_MAC] = "other_mac",         [OTHER_ADDRESS] = "other_address", [NEVER_SENT] = "never_sent",
};

struct chain {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t pad;
	uint64_t last_ns;
};

struct episode {
	struct ics_episode ep;
	uint32_t variants;
	bool muted, has_tlla, has_quote;
	enum ics_flow_seen seen; /* the flow that it quotes */
	struct ics_ip src, target, dest, victim;
	struct ics_mac mac, tlla;
	uint64_t last_ns;
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], src[ICS_IP_STRLEN], dest[ICS_IP_STRLEN], target[ICS_IP_STRLEN],
		mac[ICS_MAC_STRLEN], ip[ICS_IP_STRLEN];

	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = e->variants == 1u << OTHER_ADDRESS ? ICS_SEV_INFO : ICS_SEV_CRITICAL;
	a->muted = e->muted;
	ics_ip_format(&e->src, src);
	ics_ip_format(&e->dest, dest);
	ics_ip_format(&e->target, target);
	ics_subject_set_text(a, "mac", "%s", ics_mac_format(&e->mac, mac));
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "destination", "%s", dest);
	ics_fact_set_text(a, "target", "%s", target);
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->victim, ip));
	ics_fact_set_text(a, "tlla", "%s", e->has_tlla ? ics_mac_format(&e->tlla, text) : "none");
	ics_fact_set_bool(a, "has_quote", e->has_quote);
	ics_fact_set_text(a, "quoted_flow", "%s",
			  e->seen == ICS_FLOW_SEEN       ? "seen"
			  : e->seen == ICS_FLOW_NOT_SEEN ? "never seen"
							 : "not assessed");
	a->says[0] = '\0';
	ics_say(a, "Redirect for %s to %s from %s (%s), ", dest, target, src, mac);
	switch ((enum variant)__builtin_ctz(e->variants)) {
	case NOT_FIRST_HOP:
		ics_say(a, "which is not the first hop of any host");
		break;
	case FOREIGN_MAC:
		ics_say(a, "which is not the MAC of that router");
		break;
	case TARGET_NO_ROUTER:
		ics_say(a, "to an address that is no router");
		break;
	case OTHER_MAC:
		ics_say(a, "with a MAC that the destination does not have");
		break;
	case NEVER_SENT:
		ics_say(a, "about a packet that the host never sent");
		break;
	case OTHER_ADDRESS:
		ics_say(a,
			"a MAC of a default router but not the address that it advertises: host %s ignores it and "
			"keeps "
			"sending the long way. Let the router redirect from the address in its advertisements.",
			ip);
		return;
	}
	ics_say(a,
		": host %s now sends there what was meant for %s. Find the port of %s and take it off the network; if "
		"it is "
		"a router of yours, name it in detect.gateways.",
		ip, dest, mac);
	if (e->seen == ICS_FLOW_NOT_ASSESSED)
		ics_say(a, " Whether the quoted packet was sent is not assessed.");
}

static struct chain *
chain_of(struct ics_table *t, uint32_t segment, const struct ics_ip *addr, bool make)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	uint32_t i = ics_table_find(t, &key);

	if (i == 0 && make) {
		if (t->count >= CHAIN_MAX)
			ics_table_remove(t, ics_table_oldest(t, NULL));
		i = ics_table_insert(t, &key);
	}
	return i == 0 ? NULL : ics_table_at(t, i);
}

static bool
is_first_hop(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_router *r, uint32_t segment)
{
	const struct chain *ch;

	if (r != NULL && (r->state == ICS_ROUTER_DEFAULT || r->pinned))
		return true;
	if (ics_model_is_gateway(d->model, &msg->src))
		return true;
	ch = chain_of(d->state, segment, &msg->src, false);
	return ch != NULL && msg->ts_ns < ch->last_ns + DEDUP_NS;
}

static bool
is_router(const struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	const struct ics_binding *b = ics_model_binding_find(d->model, segment, addr);

	return ics_detect_is_router_addr(d, segment, addr) || (b != NULL && (b->flags & ICS_BINDING_ROUTER));
}

static bool
is_mac_of_default(const struct ics_detector *d, uint32_t segment, const struct ics_msg *msg)
{
	const struct ics_router *all[ICS_ROUTERS_PER_SEGMENT];
	unsigned n = ics_model_segment_routers(d->model, segment, all);

	for (unsigned i = 0; i < n && msg->has_mac; i++)
		if (all[i]->state == ICS_ROUTER_DEFAULT && ics_router_has_mac(all[i], &msg->smac))
			return true;
	return false;
}

/* The packet that a redirect is about, RFC 4861 8.2: was one of its flow seen? Not assessed without a quote, when the flow
 * cannot be read in it, or when nothing that the host sends comes past the tap.
 */
static enum ics_flow_seen
quoted_flow_seen(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct ics_view q = msg->redirect.quoted;
	struct ics_flow flow = {.proto = ics_view_u8(q, 6)};
	bool is_echo = flow.proto == ICS_PROTO_ICMP6 &&
		       (ics_view_u8(q, 40) == ICS_ICMP6_ECHO_REQUEST || ics_view_u8(q, 40) == ICS_ICMP6_ECHO_REPLY);
	const struct ics_host *h;

	if (!ics_view_has(q, 0, 48) || q.p[0] >> 4 != 6 ||
	    !(flow.proto == ICS_PROTO_TCP || flow.proto == ICS_PROTO_UDP || is_echo) || !msg->has_mac)
		return ICS_FLOW_NOT_ASSESSED;
	h = ics_model_host_find(d->model, seg->id, &msg->dmac);
	if (h == NULL || h->last_data_ns == 0 || h->last_data_ns + VISIBLE_NS < msg->ts_ns)
		return ICS_FLOW_NOT_ASSESSED;
	flow.src = ics_ip_from6(q.p + 8);
	flow.dst = ics_ip_from6(q.p + 24);
	flow.sport = ics_load_be16(q.p + (is_echo ? 44 : 40));
	flow.dport = ics_load_be16(q.p + (is_echo ? 44 : 42));
	return ics_sample_flow_seen(d->shared->samplers, &flow);
}

static uint32_t
judge(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, enum ics_flow_seen seen)
{
	const struct ics_msg_redirect *m = &msg->redirect;
	const struct ics_router *r = ics_model_router_find(d->model, seg->id, &msg->src);
	const struct ics_binding *src = ics_model_binding_find(d->model, seg->id, &msg->src);
	const struct ics_binding *dest = ics_model_binding_find(d->model, seg->id, &m->dest);
	const struct ics_binding *target;
	bool to_router = !ics_ip_equal(&m->target, &m->dest);
	uint32_t variants = 0;

	/* Where no router was heard yet, that this one was not proves nothing; where none advertises, one that says in its
	 * NAs that it routes is a gateway set by hand.
	 */
	if (!is_first_hop(d, msg, r, seg->id) && (seg->default_routers != 0 || !ics_model_is_learning(d->model, seg)) &&
	    !(seg->default_routers == 0 && src != NULL && (src->flags & ICS_BINDING_ROUTER)))
		variants |= 1u << (is_mac_of_default(d, seg->id, msg) ? OTHER_ADDRESS : NOT_FIRST_HOP);
	if (msg->has_mac && !ics_model_is_shared_mac(d->model, &msg->smac)) {
		if (r != NULL && r->n_macs != 0 ? !ics_router_has_mac(r, &msg->smac)
						: src != NULL && !ics_mac_equal(&src->mac, &msg->smac))
			variants |= 1u << FOREIGN_MAC;
	}
	/* Likewise of a target that was not heard yet. */
	target = ics_model_binding_find(d->model, seg->id, &m->target);
	if (to_router && !is_router(d, seg->id, &m->target) && (seg->default_routers != 0 || target != NULL))
		variants |= 1u << TARGET_NO_ROUTER;
	if (m->has_tlla && dest != NULL && !(dest->flags & ICS_BINDING_TENTATIVE) &&
	    !ics_mac_equal(&dest->mac, &m->tlla) && !ics_model_is_shared_mac(d->model, &m->tlla) &&
	    !ics_model_is_proxy(d->model, &m->tlla))
		variants |= 1u << OTHER_MAC;
	if (seen == ICS_FLOW_NOT_SEEN)
		variants |= 1u << NEVER_SENT;
	return variants;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	enum ics_flow_seen seen;
	uint32_t variants;
	struct chain *ch;
	struct episode *e;
	char ip[ICS_IP_STRLEN];

	if (!msg->strict)
		return;
	seen = quoted_flow_seen(d, msg, c->segment);
	variants = judge(d, msg, c->segment, seen);
	if (variants == 0) {
		ch = chain_of(d->state, c->segment->id, &msg->redirect.target, true);
		if (ch != NULL)
			ch->last_ns = msg->ts_ns;
		return;
	}
	e = (struct episode *)ics_episode_find(d, c->segment->id, &msg->src);
	if (e == NULL) {
		e = (struct episode *)ics_episode_open_as(d, c->segment, &msg->src, "source",
							  ics_ip_format(&msg->src, ip));
		if (e == NULL)
			return;
		e->muted = true;
		e->src = msg->src;
		e->target = msg->redirect.target;
		e->dest = msg->redirect.dest;
		e->victim = msg->dst;
		e->mac = msg->smac;
		e->has_tlla = msg->redirect.has_tlla;
		e->tlla = msg->redirect.tlla;
		e->has_quote = msg->redirect.quoted.len != 0;
		e->seen = seen;
	}
	e->variants |= variants;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, e->variants | (uint64_t)e->muted << 8);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + DEDUP_NS;
}

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct chain), 20, CHAIN_MAX);
}

const struct ics_detector_ops ics_det_redirect_rogue = {
	.classes = 1ull << ICS_CLASS_nd_redirect,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = ics_detector_drop_table,
	.message = on_message,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
