/* A router advertisement or redirect in a shape that switches with RA guard do not look through: behind extension
 * headers, in fragments, behind a chain that nobody can follow (RFC 7113, 6980, 7112). No host or router sends them like
 * that. Called with every frame of such a shape, valid or not.
 */
#include "detect_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define CHAINS 3 /* that cannot be followed, from one MAC */
#define CHAINS_WINDOW_NS (60 * NS_PER_S)
#define SENDERS_MAX 4096
/* More MACs than this on one segment at a time are one attacker that invents them. */
#define MACS 3
#define CLEAR_NS (600 * NS_PER_S)

enum variant { FRAGMENTED, EXT_HEADER, UNPARSEABLE, AUTHENTICATED };
static const char *const names[] = {
	[FRAGMENTED] = "fragmented",
	[EXT_HEADER] = "ext_header",
	[UNPARSEABLE] = "unparseable",
	[AUTHENTICATED] = "authenticated",
};

/* A MAC that sent chains nobody can follow. */
struct sender_key {
	uint32_t segment;
	struct ics_mac mac;
	uint16_t spare;
};
struct sender {
	struct ics_table_head head;
	struct sender_key key;
	uint32_t n;
	uint64_t at_ns[CHAINS];
};

struct state {
	struct ics_table senders;
	uint8_t open[ICS_SEGMENTS_MAX]; /* findings about one MAC */
};

struct episode {
	struct ics_episode ep;
	struct ics_mac mac; /* many: the latest */
	struct ics_ip src;
	uint32_t variants;
	uint8_t type; /* of the latest message, 0: not known */
	bool has_mac, muted, many;
	uint64_t last_ns, hidden, unparseable;
	char chain[ICS_FACT_TEXT_LEN];
};

static int
init(struct ics_detector *d)
{
	struct state *st = d->state = calloc(1, sizeof(*st));

	if (st == NULL)
		return -1;
	return ics_table_init(&st->senders, sizeof(struct sender), sizeof(struct sender_key), SENDERS_MAX,
			      ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st == NULL)
		return;
	ics_table_fini(&st->senders);
	free(st);
}

static const char *
header_name(uint8_t next)
{
	switch (next) {
	case ICS_PROTO_HOPOPTS:
		return "hop-by-hop";
	case ICS_PROTO_ROUTING:
		return "routing";
	case ICS_PROTO_FRAGMENT:
		return "fragment";
	case ICS_PROTO_AH:
		return "authentication";
	case ICS_PROTO_DSTOPTS:
		return "destination options";
	case ICS_PROTO_MOBILITY:
		return "mobility";
	case ICS_PROTO_HIP:
		return "hip";
	case ICS_PROTO_SHIM6:
		return "shim6";
	default:
		return NULL;
	}
}

/* Names of the headers in front of the message, as far as they can be read; true when there are none but
 * authentication.
 */
static bool
describe_chain(const struct ics_msg *msg, char buf[static ICS_FACT_TEXT_LEN])
{
	uint32_t off = msg->rec->l3_off + 40u;
	uint8_t next = ics_view_u8(msg->frame, msg->rec->l3_off + 6u);
	bool only_ah = true;
	size_t len = 0;
	const char *name;

	buf[0] = '\0';
	for (unsigned n = 0; n < ICS_EXT_MAX && (name = header_name(next)) != NULL; n++) {
		uint32_t units = ics_view_u8(msg->frame, off + 1);
		uint16_t fragment = ics_view_be16(msg->frame, off + 2);
		int w = snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s", n != 0 ? ", " : "", name);

		if (w < 0 || len + (size_t)w >= ICS_FACT_TEXT_LEN) {
			buf[len] = '\0';
			break;
		}
		len += (size_t)w;
		only_ah &= next == ICS_PROTO_AH;
		if (!ics_view_has(msg->frame, off, 8))
			break;
		if (next == ICS_PROTO_FRAGMENT && fragment >> 3 != 0)
			break; /* what follows is from the middle of another header */
		uint8_t type = next;
		next = ics_view_u8(msg->frame, off);
		off += type == ICS_PROTO_FRAGMENT ? 8 : type == ICS_PROTO_AH ? (units + 2) * 4 : (units + 1) * 8;
	}
	return only_ah;
}

/* Hosts in a laboratory may sign their messages (RFC 4302): that hides nothing. */
static enum ics_severity
severity_of(const struct episode *e)
{
	return e->variants == 1u << AUTHENTICATED ? ICS_SEV_INFO : ICS_SEV_CRITICAL;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variants | (uint64_t)e->type << 8 | (uint64_t)e->muted << 16;
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_FACT_TEXT_LEN], ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN] = "unknown MAC";
	const char *what = e->type == ICS_ICMP6_REDIRECT ? "redirect"
			   : e->type == ICS_ICMP6_RA     ? "router advertisement"
							 : "message that nobody can look into";

	if (e->has_mac)
		ics_mac_format(&e->mac, mac);
	a->variant = ics_detect_variants(e->variants, names, ICS_ARRAY_LEN(names), text);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_text(a, "variants", "%s", text);
	ics_fact_set_text(a, "source", "%s", ics_ip_format(&e->src, ip));
	ics_fact_set_text(a, "message", "%s", e->type == 0 ? "not known" : what);
	ics_fact_set_text(a, "chain", "%s", e->chain);
	ics_fact_set_uint(a, "hidden", e->hidden);
	ics_fact_set_uint(a, "unparseable", e->unparseable);

	a->says[0] = '\0';
	if (severity_of(e) == ICS_SEV_INFO) {
		ics_say(a, "%s (%s) sends its %s behind an authentication header. Nothing to do if that is meant so.",
			mac, ip, what);
		return;
	}
	ics_say(a,
		"%s%s (%s) hid a %s behind headers (%s): no router sends it like that, and RA guard of many switches "
		"lets it pass.",
		e->many ? "One MAC after the other, most likely invented, the latest " : "", mac, ip, what, e->chain);
	ics_say(a,
		" Hosts that accept it send their traffic where the sender wants. Find the port of %s; let "
		"switches drop such messages (RFC 7113) and fragments of neighbor discovery (RFC 6980).",
		e->many ? "these MACs" : "this MAC");
}

static struct ics_ip
key_of(const struct ics_msg *msg)
{
	return msg->has_mac ? ics_episode_key_of_mac(&msg->smac) : msg->src;
}

static void
raise_finding(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, uint8_t type,
	      uint32_t v)
{
	static const struct ics_ip whole_segment;
	struct state *st = d->state;
	struct ics_ip key = key_of(msg);
	struct episode *e = (struct episode *)ics_episode_find(d, seg->id, &key);
	char text[ICS_IP_STRLEN];
	bool many = e == NULL && st->open[seg->id] >= MACS;

	if (many)
		e = (struct episode *)ics_episode_find(d, seg->id, &whole_segment);
	if (e == NULL) {
		if (many)
			e = (struct episode *)ics_episode_open_as(d, seg, &whole_segment, "segment", "whole");
		else if (msg->has_mac)
			e = (struct episode *)ics_episode_open_as(d, seg, &key, "mac",
								  ics_mac_format(&msg->smac, text));
		else
			e = (struct episode *)ics_episode_open_as(d, seg, &key, "source",
								  ics_ip_format(&msg->src, text));
		if (e == NULL)
			return;
		e->muted = true;
		e->many = many;
		st->open[seg->id] += !many;
	}
	e->has_mac = msg->has_mac;
	e->mac = msg->smac;
	e->src = msg->src;
	if (type != 0)
		e->type = type;
	if (describe_chain(msg, e->chain) && !(v & 1u << UNPARSEABLE))
		v = 1u << AUTHENTICATED;
	e->variants |= v;
	if (v & 1u << UNPARSEABLE)
		e->unparseable += 1 + (uint64_t)msg->rec->repeats;
	else
		e->hidden += 1 + (uint64_t)msg->rec->repeats;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &seg->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* One chain that cannot be followed may be an accident. */
static bool
is_third_chain(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg)
{
	struct sender_key key = {.segment = seg->id, .mac = msg->smac};
	struct ics_table *t = &((struct state *)d->state)->senders;
	uint32_t i = ics_table_find(t, &key);
	struct sender *s;

	if (i == 0 && t->count >= SENDERS_MAX)
		ics_table_remove(t, ics_table_oldest(t, NULL));
	if (i == 0)
		i = ics_table_insert(t, &key);
	if (i == 0)
		return false;
	s = ics_table_at(t, i);
	s->at_ns[s->n++ % CHAINS] = msg->ts_ns;
	return s->n >= CHAINS && msg->ts_ns - s->at_ns[s->n % CHAINS] <= CHAINS_WINDOW_NS;
}

static void
on_hidden(struct ics_detector *d, const struct ics_msg *msg, const struct ics_segment *seg, uint8_t type)
{
	const struct ics_record *rec = msg->rec;

	/* A redirect goes to whatever address its host had sent from. */
	if (!ics_ip6_is_link_group(msg->dst.b, 1) && !ics_ip6_is_link_local(msg->dst.b) && type != ICS_ICMP6_REDIRECT)
		return;
	if (type == ICS_ICMP6_RA || type == ICS_ICMP6_REDIRECT) {
		raise_finding(d, msg, seg, type, rec->flags & ICS_REC_FRAGMENT ? 1u << FRAGMENTED : 1u << EXT_HEADER);
		return;
	}
	/* Of a short snapshot nothing can be said. */
	if (type != 0 || !(rec->flags & ICS_REC_UNPARSED) || (rec->flags & ICS_REC_CAP_TRUNC) ||
	    !ics_ip6_is_multicast(msg->dst.b) || !msg->has_mac)
		return;
	if (is_third_chain(d, msg, seg))
		raise_finding(d, msg, seg, 0, 1u << UNPARSEABLE);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	const struct episode *e = (const struct episode *)ep;
	struct state *st = d->state;

	if (now_ns >= due(ep) && !e->many && st->open[ep->segment] != 0)
		st->open[ep->segment]--;
	return ics_episode_expire(d, ep, now_ns);
}

const struct ics_detector_ops ics_det_ra_guard_evasion = {
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.hidden = on_hidden,
	.render = render,
	.timer = on_timer,
	.due = due,
};
