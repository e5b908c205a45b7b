/* What a Neighbor Discovery message teaches: routers from RAs (RFC 4861 6.3.4), the loss of a router from an NA with
 * the router flag clear (7.2.5), hosts and bindings from RS, NS, NA and RA (6.2.6, 7.2.3, 7.2.5), duplicate address
 * detection (RFC 4862 5.4). Called by the engine for every parsed message, before the detectors.
 */
#include "model_priv.h"

#define OWN_DAD_NS 60000000000ull
/* Longer than a router takes from its first message to its first RA (RFC 4861 6.2.4: 16 s between initial ones). */
#define HOST_FOR_NS 60000000000ull

/* Without a learned MAC nothing can be foreign. */
static bool
is_known_mac(const struct ics_router *r, const struct ics_msg *msg)
{
	return !msg->has_mac || r->n_macs == 0 || ics_router_has_mac(r, &msg->smac);
}

/* It asked for routers, or was there for a while without acting as one. */
static bool
acted_as_host(const struct ics_host *h, uint64_t now_ns)
{
	return h != NULL && !(h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT)) &&
	       (h->last_rs_ns != 0 || now_ns >= h->first_ns + HOST_FOR_NS);
}

static void
apply_ra(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	struct router_entry *e = ics_router_get(m, seg, &msg->src);

	if (msg->strict) {
		uint32_t host = ics_host_heard(m, seg, msg, 0);

		out->sender_was_host = acted_as_host(ics_host_get(m, host), msg->ts_ns);
		ics_host_flag(m, seg, host, ICS_HOST_ROUTER);
		if (msg->has_mac)
			ics_binding_claim(m, seg, &msg->src, NULL, msg->ra.has_slla ? &msg->ra.slla : &msg->smac, host,
					  msg->ts_ns, msg->ra.has_slla ? ICS_CLAIM_REPLACE : ICS_CLAIM_IMPLIED);
		if (e == NULL) {
			out->crowded = seg->s.routers >= ICS_ROUTERS_PER_SEGMENT;
			out->created = true;
			e = ics_router_make(m, seg, &msg->src);
		}
	}
	/* The last RAs of a router that goes away need not repeat what the others had (RFC 4861 6.2.5). */
	out->ra = ics_prefix_heard(m, seg, msg, msg->ra.lifetime_s != 0 || e == NULL || e->r.last_nonzero_ra_ns == 0);
	if (e == NULL) {
		if (msg->strict)
			ics_routes_heard(m, seg, NULL, msg, out);
		return;
	}
	out->has_router = true;
	out->before = e->r;
	out->mac_known = is_known_mac(&e->r, msg);
	out->lla_known = !msg->ra.has_slla || e->r.n_macs == 0 || ics_router_has_mac(&e->r, &msg->ra.slla);
	if (msg->strict) {
		ics_router_advertised(m, seg, e, msg);
		ics_routes_heard(m, seg, e, msg, out);
	}
	out->after = e->r;
}

/* DAD asks from :: whether somebody has the target; the router's own announces a (re)start of its interface. */
static void
apply_dad(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, uint32_t host, struct ics_change *out)
{
	struct router_entry *e = ics_router_get(m, seg, &msg->na.target);
	struct ics_binding *b;

	/* The link-local address comes first, and so says that the link has come up (RFC 4862 5.3). */
	if (ics_ip6_is_link_local(msg->na.target.b))
		ics_host_booted(m, seg, host, msg->ts_ns);
	if (msg->has_mac) {
		ics_dad_probed(m, seg, msg, out);
		const struct ics_binding *known = ics_binding_get(m, seg, &msg->na.target);

		b = ics_binding_claim(m, seg, &msg->na.target, known, &msg->smac, host, msg->ts_ns, ICS_CLAIM_PROBE);
		if (b != NULL) {
			b->dad_at = ICS_COARSE(msg->ts_ns);
			if (known == NULL)
				b->flags |= ICS_BINDING_TENTATIVE;
		}
	}
	if (e == NULL)
		return;
	out->has_router = true;
	out->before = e->r;
	out->mac_known = is_known_mac(&e->r, msg);
	if (out->mac_known)
		e->r.dad_ns = msg->ts_ns;
	out->after = e->r;
}

static void
apply_ns(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	struct ics_binding *b;
	uint32_t host;

	if (!msg->strict) {
		if (msg->has_mac && msg->na.has_lla)
			ics_binding_observed(m, seg, &msg->src, &msg->na.lla, msg->ts_ns, true);
		return;
	}
	if (ics_ip6_is_unspecified(msg->src.b)) {
		apply_dad(m, seg, msg, ics_host_heard(m, seg, msg, 0), out);
		return;
	}
	b = ics_binding_get(m, seg, &msg->src);
	host = ics_host_heard(m, seg, msg, b == NULL ? 0 : b->host);
	if (!msg->has_mac)
		return;
	b = ics_binding_claim(m, seg, &msg->src, b, msg->na.has_lla ? &msg->na.lla : &msg->smac, host, msg->ts_ns,
			      msg->na.has_lla ? ICS_CLAIM_REPLACE : ICS_CLAIM_IMPLIED);
	if (b != NULL) {
		b->flags &= ~ICS_BINDING_TENTATIVE;
		out->source_first_ns = b->first_ns;
	}
	ics_solicit_asked(m, seg, msg, out);
}

/* RFC 4861 7.2.5 as seen from outside: with override, without TLLA, or with the MAC that hosts have anyway, the
 * router flag is copied into the neighbour entry of the target, and clearing it drops the default router. A
 * foreign TLLA without override changes nothing. An NA from a router's address about something else reaches
 * only hosts that took its target for a router: seen as one, or overridden.
 */
static bool
is_kill(const struct ics_msg *msg, const struct ics_change *c, const struct ics_binding *target)
{
	bool override = (msg->na.flags & ICS_NA_FLAG_OVERRIDE) != 0;

	if (msg->na.flags & ICS_NA_FLAG_ROUTER)
		return false;
	if (c->match == ICS_MATCH_SOURCE && !override && (target == NULL || !(target->flags & ICS_BINDING_ROUTER)))
		return false;
	if (override)
		return true;
	return msg->na.has_lla ? c->lla_known : !msg->cut;
}

/* The one host that was told makes its default route anew with the next RA. */
static void
reroute_host(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg)
{
	const struct ics_binding *b = ics_binding_get(m, seg, &msg->dst);

	if (b != NULL)
		ics_host_rerouted(m, b->host, 1 + msg->rec->repeats);
}

static void
na_about_router(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct router_entry *e,
		const struct ics_binding *target, struct ics_change *out)
{
	struct ics_router *r = &e->r;

	out->has_router = true;
	out->before = *r;
	out->mac_known = is_known_mac(r, msg);
	out->lla_known = !msg->na.has_lla || ics_router_has_mac(r, &msg->na.lla) ||
			 (r->n_macs == 0 && (!msg->has_mac || ics_mac_equal(&msg->na.lla, &msg->smac)));
	out->own_dad = r->dad_ns != 0 && msg->ts_ns < r->dad_ns + OWN_DAD_NS && out->mac_known && out->lla_known;
	out->kill = is_kill(msg, out, target);
	if (msg->strict) {
		if (msg->na.flags & ICS_NA_FLAG_ROUTER) {
			if (out->match != ICS_MATCH_SOURCE)
				r->last_r1_ns = msg->ts_ns;
		} else if (out->kill) {
			r->r0_count += 1 + (uint64_t)msg->rec->repeats;
			r->last_r0_ns = msg->ts_ns;
			if (!ics_ip6_is_multicast(msg->dst.b))
				reroute_host(m, seg, msg);
			/* A unicast strips one host of its router, the segment keeps it. */
			if (out->match != ICS_MATCH_SOURCE && ics_ip6_is_multicast(msg->dst.b) &&
			    r->state == ICS_ROUTER_DEFAULT)
				ics_router_set_state(m, seg, e, ICS_ROUTER_HOSTED);
		}
	}
	out->after = *r;
}

/* A probe leaves its time at the binding, if there is one. */
static bool
may_be_probed(const struct ics_binding *b, uint64_t ts_ns)
{
	return b == NULL ||
	       (b->dad_at != 0 && ICS_COARSE(ts_ns) - b->dad_at <= 2 * (uint32_t)(ICS_DAD_NS / ICS_COARSE_NS));
}

static void
apply_na(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	struct router_entry *by_target = ics_router_get(m, seg, &msg->na.target), *by_source = by_target;
	struct ics_binding *b = NULL;

	if (!ics_ip_equal(&msg->src, &msg->na.target))
		by_source = ics_router_get(m, seg, &msg->src);
	out->match = (by_target != NULL ? ICS_MATCH_TARGET : 0) | (by_source != NULL ? ICS_MATCH_SOURCE : 0);
	if (out->match == ICS_MATCH_SOURCE)
		b = ics_binding_get(m, seg, &msg->na.target);
	if (out->match != ICS_MATCH_NONE)
		na_about_router(m, seg, msg, by_target != NULL ? by_target : by_source, b, out);
	if (!msg->has_mac)
		return;
	if (!msg->strict) {
		if (msg->na.has_lla)
			ics_binding_observed(m, seg, &msg->na.target, &msg->na.lla, msg->ts_ns,
					     (msg->na.flags & ICS_NA_FLAG_OVERRIDE) != 0);
		return;
	}

	b = ics_binding_get(m, seg, &msg->na.target);
	ics_solicit_answered(m, seg, msg, b);
	if (may_be_probed(b, msg->ts_ns))
		ics_dad_answered(m, seg, msg, out);
	uint32_t host = ics_host_heard(m, seg, msg, b == NULL ? 0 : b->host);
	b = ics_binding_claim(m, seg, &msg->na.target, b, msg->na.has_lla ? &msg->na.lla : &msg->smac, host, msg->ts_ns,
			      !msg->na.has_lla                       ? ICS_CLAIM_IMPLIED
			      : msg->na.flags & ICS_NA_FLAG_OVERRIDE ? ICS_CLAIM_REPLACE
								     : ICS_CLAIM_KEEP);
	if (b != NULL) {
		b->flags &= ~(ICS_BINDING_TENTATIVE | ICS_BINDING_OVERRIDE | ICS_BINDING_SOLICITED);
		if (msg->na.flags & ICS_NA_FLAG_OVERRIDE)
			b->flags |= ICS_BINDING_OVERRIDE;
		if (msg->na.flags & ICS_NA_FLAG_SOLICITED)
			b->flags |= ICS_BINDING_SOLICITED;
	}
	if (msg->na.flags & ICS_NA_FLAG_ROUTER) {
		ics_host_flag(m, seg, host, ICS_HOST_ROUTER_HINT);
		if (b != NULL)
			b->flags |= ICS_BINDING_ROUTER;
	}
}

/* RFC 4861 8.3: the target's link-layer address is learned from a redirect as from an NA with override. */
static void
apply_redirect(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg)
{
	struct ics_binding *b;

	if (!msg->strict || !msg->has_mac)
		return;
	ics_host_heard(m, seg, msg, 0);
	b = ics_binding_get(m, seg, &msg->redirect.target);
	/* Only what is known is compared: a redirect proves nothing of its target. */
	if (msg->redirect.has_tlla && b != NULL)
		ics_binding_claim(m, seg, &msg->redirect.target, b, &msg->redirect.tlla, b->host, b->last_ns,
				  ICS_CLAIM_KEEP);
}

static void
apply_rs(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg)
{
	struct ics_binding *b;
	uint32_t host;

	if (!msg->strict)
		return;
	host = ics_host_heard(m, seg, msg, 0);
	if (ics_ip6_is_unspecified(msg->src.b))
		ics_host_booted(m, seg, host, msg->ts_ns);
	if (!msg->has_mac)
		return;
	b = ics_binding_claim(m, seg, &msg->src, NULL, msg->rs.has_slla ? &msg->rs.slla : &msg->smac, host, msg->ts_ns,
			      msg->rs.has_slla ? ICS_CLAIM_REPLACE : ICS_CLAIM_IMPLIED);
	if (b != NULL)
		b->flags &= ~ICS_BINDING_TENTATIVE;
}

/* A host without an address that joins groups is about to get one (RFC 3590 4). Routers discard its report, which
 * makes the message a lenient one.
 */
static void
apply_report(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	uint32_t host = ics_host_heard(m, seg, msg, 0);

	if (ics_ip6_is_unspecified(msg->src.b) && msg->class != ICS_CLASS_mld1_done)
		ics_host_booted(m, seg, host, msg->ts_ns);
	ics_members_heard(m, seg, msg, host, &out->mcast);
}

void
ics_model_apply(struct ics_model *m, const struct ics_segment *s, const struct ics_msg *msg, struct ics_change *out)
{
	struct seg_entry *seg;

	if (msg->ts_ns - m->minute_ns >= ICS_NOTE_NS)
		m->minute_ns = msg->ts_ns / ICS_NOTE_NS * ICS_NOTE_NS;
	out->segment = s;
	out->sender_was_host = false;
	out->new_prefixes = out->prefixes_before = 0;
	out->has_router = out->created = out->crowded = out->mac_known = out->lla_known = false;
	out->own_dad = out->kill = false;
	out->match = ICS_MATCH_NONE;
	out->source_first_ns = 0;
	out->claim.claims = out->claim.known = out->claim.differs = out->claim.replaced = false;
	out->new_host = out->new_address = out->dad_started = false;
	out->dad = NULL;
	out->asker = NULL;
	m->change = out;
	out->host = NULL;
	out->note.what = ICS_NOTE_NONE;
	out->note.proven = false;
	m->proves = msg->class != ICS_CLASS_nd_redirect;
	if (msg->class == ICS_CLASS_nd_na)
		m->proves = (msg->na.flags & ICS_NA_FLAG_SOLICITED) != 0 && !ics_ip6_is_multicast(msg->dst.b);
	out->ra = NULL;
	out->path.what = ICS_PATH_NOTHING;
	out->path.path = NULL;
	out->path.reporter = NULL;
	out->query = NULL;
	memset(&out->mcast, 0, sizeof(out->mcast));
	/* Of queries that hosts discard it is kept why. */
	if (s != NULL && msg->class == ICS_CLASS_mld_query)
		out->query = ics_query_heard(m, seg_by_id(m, s->id), msg);
	out->frame = s != NULL ? ics_frames_heard(m, s, msg) : NULL;
	if (s == NULL || (!msg->strict && !msg->lenient))
		return;
	seg = seg_by_id(m, s->id);
	switch (msg->class) {
	case ICS_CLASS_nd_ra:
		apply_ra(m, seg, msg, out);
		break;
	case ICS_CLASS_nd_ns:
		apply_ns(m, seg, msg, out);
		break;
	case ICS_CLASS_nd_na:
		apply_na(m, seg, msg, out);
		break;
	case ICS_CLASS_nd_rs:
		apply_rs(m, seg, msg);
		break;
	case ICS_CLASS_mld1_report:
	case ICS_CLASS_mld2_report:
	case ICS_CLASS_mld1_done:
		apply_report(m, seg, msg, out);
		break;
	case ICS_CLASS_nd_redirect:
		apply_redirect(m, seg, msg);
		break;
	case ICS_CLASS_icmp6_too_big:
	case ICS_CLASS_icmp4_frag_needed:
		ics_path_heard(m, s, msg, &out->path);
		break;
	default:
		break;
	}
}

void
ics_model_copies(struct ics_model *m, const struct ics_segment *seg, const struct ics_record *rec)
{
	if (seg != NULL)
		ics_frames_copies(m, seg, rec);
	if (seg != NULL && rec->class == ICS_CLASS_mld_query)
		ics_query_copies(m, seg, rec);
	if (rec->class == ICS_CLASS_icmp6_too_big || rec->class == ICS_CLASS_icmp4_frag_needed)
		ics_path_copies(m, rec);
}
