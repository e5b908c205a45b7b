/* A filter that says that it rejects a service: ordinary policy, but worth a word when somebody keeps trying, and a suspect when
 * large packets vanish between the same two (RFC 1812 5.2.7.1 codes 9, 10 and 13; RFC 4443 3.1 codes 1 and 5). Called for
 * unreachable messages; over after a quiet hour.
 */
#include "pmtu.h"

#include <errno.h>
#include <stdlib.h>

#define MESSAGES 10
#define WINDOW_NS (600 * NS_PER_S)
#define CLEAR_NS (3600 * NS_PER_S)
#define SERVICES_MAX 4096

struct service_key {
	struct ics_ip reporter, far;
	uint32_t segment;
	uint16_t port;
	uint8_t proto, pad;
};

struct service {
	struct ics_table_head head;
	struct service_key key;
	uint64_t window_ns;
	uint32_t n, pad;
};

struct episode {
	struct ics_episode ep;
	bool muted, is_ip4, has_hole;
	uint8_t type, code;
	uint64_t n;
	struct ics_ip reporter, host, far;
	struct ics_mac mac;
	struct ics_quote q;
	uint64_t last_ns;
};

struct state {
	struct ics_table services;
	struct ics_recent_frames recent;
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char text[ICS_IP_STRLEN], from[64], to[64];
	bool has_ports = (e->q.flags & ICS_QUOTE_PORTS) != 0;

	a->variant = e->has_hole ? "black_hole" : "policy";
	a->severity = e->has_hole ? ICS_SEV_WARN : ICS_SEV_INFO;
	a->muted = e->muted;
	ics_pmtu_end(&e->host, 0, false, from);
	ics_pmtu_end(&e->far, e->q.dport, has_ports, to);
	ics_fact_set_text(a, "host", "%s", ics_ip_format(&e->host, text));
	ics_fact_set_text(a, "far", "%s", ics_ip_format(&e->far, text));
	ics_fact_set_text(a, "reporter_mac", "%s", ics_mac_format(&e->mac, text));
	ics_fact_set_uint(a, "type", e->type);
	ics_fact_set_uint(a, "code", e->code);
	ics_fact_set_text(a, "code_name", "%s", ics_unreach_name(e->is_ip4, e->type, e->code));
	ics_fact_set_uint(a, "messages", e->n);
	ics_pmtu_set_quote(a, &e->q);
	a->says[0] = '\0';
	ics_say(a, "A filter on %s rejects %s from %s to %s, %llu times by now.", ics_ip_format(&e->reporter, text),
		ics_pmtu_proto(e->q.proto), from, to, (unsigned long long)e->n);
	if (e->has_hole)
		ics_say(a,
			" Large packets between the same two vanish: that filter is the likely cause. Let it pass %s.",
			e->is_ip4 ? "ICMP type 3 code 4" : "ICMPv6 type 2");
	else
		ics_say(a, " Nothing to do where that is meant; else permit it there, or stop %s from trying.", from);
}

static bool
is_prohibited(const struct ics_msg *msg)
{
	uint8_t code = msg->error.code;

	return msg->rec->flags & ICS_REC_IP4 ? code == 9 || code == 10 || code == 13 : code == 1 || code == 5;
}

static struct service *
service_get(struct state *st, const struct service_key *key)
{
	uint32_t i = ics_table_find(&st->services, key);

	if (i == 0) {
		if (st->services.count >= SERVICES_MAX)
			ics_table_remove(&st->services, ics_table_oldest(&st->services, NULL));
		i = ics_table_insert(&st->services, key);
	}
	return i == 0 ? NULL : ics_table_at(&st->services, i);
}

static struct ics_ip
key_of(const struct ics_detector *d, const struct service_key *k)
{
	return ics_pmtu_key(d, &k->reporter, &k->far, (uint32_t)k->proto << 16 | k->port);
}

static bool
has_hole(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *host, const struct ics_ip *far)
{
	uint32_t context = ics_path_context(&seg->key);

	for (unsigned k = 0; k < ICS_HOLE_KINDS; k++)
		if (ics_hole_find(d->model, context, host, far, (enum ics_hole_kind)k) != NULL)
			return true;
	return false;
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->has_hole | (uint64_t)e->muted << 1;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_quote *q = &msg->error.quote;
	struct service_key key = {.reporter = msg->src, .far = q->far, .segment = c->segment->id};
	uint32_t n = 1 + msg->rec->repeats;
	struct state *st = d->state;
	struct service *s;
	struct episode *e;
	struct ics_ip ekey;
	char text[64];

	if (!(q->flags & ICS_QUOTE_IP) || !is_prohibited(msg))
		return;
	key.proto = q->proto;
	key.port = q->flags & ICS_QUOTE_PORTS ? q->dport : 0;
	s = service_get(st, &key);
	if (s == NULL)
		return;
	ics_recent_put(&st->recent, msg->rec->frame_hash, ics_table_index(&st->services, s));
	if (msg->ts_ns >= s->window_ns + WINDOW_NS) {
		s->window_ns = msg->ts_ns;
		s->n = 0;
	}
	s->n += n;
	ekey = key_of(d, &key);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &ekey);
	if (e == NULL) {
		if (s->n < MESSAGES)
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &ekey, "reporter",
							  ics_ip_format(&msg->src, text));
		if (e == NULL)
			return;
		ics_pmtu_end(&q->far, q->dport, (q->flags & ICS_QUOTE_PORTS) != 0, text);
		ics_subject_set_text(e->ep.a, "service", "%s %s", ics_pmtu_proto(q->proto), text);
		e->muted = true;
		e->is_ip4 = (msg->rec->flags & ICS_REC_IP4) != 0;
		e->reporter = msg->src;
		e->n = s->n - n;
	}
	e->n += n;
	e->type = msg->error.type;
	e->code = msg->error.code;
	e->host = msg->dst;
	e->far = q->far;
	e->mac = msg->smac;
	e->q = *q;
	e->q.bytes = (struct ics_view){NULL, 0};
	e->has_hole |= has_hole(d, c->segment, &msg->dst, &q->far);
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &msg->src, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

static void
on_copies(struct ics_detector *d, const struct ics_record *rec, const struct ics_segment *seg)
{
	struct state *st = d->state;
	uint32_t i = ics_recent_find(&st->recent, rec->frame_hash);
	struct service *s;
	struct episode *e;
	struct ics_ip key;

	if (i == 0 || !ics_table_is_live(&st->services, i))
		return;
	s = ics_table_at(&st->services, i);
	if (s->key.segment != seg->id)
		return;
	s->n += 1 + rec->repeats;
	key = key_of(d, &s->key);
	e = (struct episode *)ics_episode_find(d, seg->id, &key);
	if (e == NULL)
		return;
	e->n += 1 + rec->repeats;
	ics_episode_refresh(&e->ep, signature_of(e));
}

/* A black hole between two whose packets a filter rejects. */
static void
on_hole(struct ics_detector *d, const struct ics_hole *h, bool open)
{
	const struct ics_segment *seg = ics_model_segment(d->model, h->segment);

	for (uint32_t i = 1; open && seg != NULL && d->episodes.count != 0 && i <= d->episodes.fresh; i++) {
		struct episode *e = ics_table_at(&d->episodes, i);

		if (!ics_table_is_live(&d->episodes, i) || e->has_hole || !ics_ip_equal(&e->host, &h->host) ||
		    !ics_ip_equal(&e->far, &h->far) || !has_hole(d, seg, &h->host, &h->far))
			continue;
		e->has_hole = true;
		ics_episode_refresh(&e->ep, signature_of(e));
	}
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return -ENOMEM;
	d->state = st;
	return ics_table_init(&st->services, sizeof(struct service), sizeof(struct service_key), SERVICES_MAX,
			      ics_hash_mix(d->seed, 1));
}

static void
fini(struct ics_detector *d)
{
	struct state *st = d->state;

	if (st != NULL)
		ics_table_fini(&st->services);
	free(st);
}

const struct ics_detector_ops ics_det_unreach_admin_prohibited = {
	.classes = 1ull << ICS_CLASS_icmp6_unreach | 1ull << ICS_CLASS_icmp4_unreach,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.copies = on_copies,
	.hole = on_hole,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
