/* A station whose frames carry one MAC and whose Neighbor Discovery options another (RFC 4861 4.6.1): a proxy, a bundle of
 * links, a wireless controller, or somebody who speaks for others. Each pair is news once; after a day its speaker counts
 * as a proxy. Called for NS, NA, RS and RA; says each thing once, the finding ends ten minutes after the last new pair.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PAIRS_MAX 65536
#define SPEAKERS_MAX 8192
/* MACs that one speaks for before it is more than a curiosity. */
#define MANY 16
#define PROXY_NS (24 * 3600 * NS_PER_S)
#define CLEAR_NS (600 * NS_PER_S)

struct pair {
	struct ics_table_head head;
	uint32_t segment; /* with both MACs the key */
	struct ics_mac smac, lla;
};

struct speaker {
	struct ics_table_head head;
	uint32_t segment; /* with mac the key */
	struct ics_mac mac;
	uint16_t pad;
	uint32_t pairs;
	uint64_t first_ns;
};

struct state {
	struct ics_table pairs, speakers;
};

struct episode {
	struct ics_episode ep;
	bool muted, router;
	struct ics_mac smac, lla; /* the pair that mattered most */
	struct ics_ip addr;
	uint32_t pairs;
	uint64_t last_ns;
};

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char ip[ICS_IP_STRLEN], m1[ICS_MAC_STRLEN], m2[ICS_MAC_STRLEN];

	a->variant = e->router ? "router" : e->pairs >= MANY ? "many" : "pair";
	a->severity = e->router || e->pairs >= MANY ? ICS_SEV_WARN : ICS_SEV_INFO;
	a->muted = e->muted;
	ics_mac_format(&e->smac, m1);
	ics_mac_format(&e->lla, m2);
	ics_ip_format(&e->addr, ip);
	ics_fact_set_text(a, "lla", "%s", m2);
	ics_fact_set_text(a, "address", "%s", ip);
	ics_fact_set_uint(a, "pairs", e->pairs);
	a->says[0] = '\0';
	ics_say(a, "%s speaks Neighbor Discovery for %s, about %s", m1, m2, ip);
	if (e->pairs > 1)
		ics_say(a, "; it spoke for %u MACs so far", e->pairs);
	ics_say(a, ". Hosts send to the MAC in the message, not to the one that sent it. ");
	if (a->severity == ICS_SEV_WARN)
		ics_say(a,
			"Find the port of %s unless it is a proxy, a controller or a router that you know: then name "
			"it "
			"in detect.proxies.",
			m1);
	else
		ics_say(a, "Nothing to do if it is a bundle of links, a proxy or a wireless controller.");
}

static bool
lla_of(const struct ics_msg *msg, struct ics_mac *lla, struct ics_ip *addr)
{
	switch (msg->class) {
	case ICS_CLASS_nd_ns:
	case ICS_CLASS_nd_na:
		*lla = msg->na.lla;
		*addr = msg->na.target;
		return msg->na.has_lla;
	case ICS_CLASS_nd_rs:
		*lla = msg->rs.slla;
		*addr = msg->src;
		return msg->rs.has_slla;
	case ICS_CLASS_nd_ra:
		*lla = msg->ra.slla;
		*addr = msg->src;
		return msg->ra.has_slla;
	default:
		return false;
	}
}

/* True when it is new. */
static bool
note_pair(struct state *s, uint32_t segment, const struct ics_mac *smac, const struct ics_mac *lla)
{
	struct {
		uint32_t segment;
		struct ics_mac smac, lla;
	} key = {segment, *smac, *lla};

	if (ics_table_find(&s->pairs, &key) != 0)
		return false;
	if (s->pairs.count >= PAIRS_MAX)
		ics_table_remove(&s->pairs, ics_table_oldest(&s->pairs, NULL));
	return ics_table_insert(&s->pairs, &key) != 0;
}

static struct speaker *
speaker_of(struct state *s, uint32_t segment, const struct ics_mac *mac, uint64_t ts_ns)
{
	struct {
		uint32_t segment;
		struct ics_mac mac;
	} key = {segment, *mac};
	uint32_t i = ics_table_find(&s->speakers, &key);

	if (i == 0) {
		if (s->speakers.count >= SPEAKERS_MAX)
			ics_table_remove(&s->speakers, ics_table_oldest(&s->speakers, NULL));
		i = ics_table_insert(&s->speakers, &key);
		if (i == 0)
			return NULL;
		((struct speaker *)ics_table_at(&s->speakers, i))->first_ns = ts_ns;
	}
	return ics_table_at(&s->speakers, i);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	struct state *s = d->state;
	struct ics_mac lla;
	struct ics_ip addr, key;
	struct speaker *sp;
	struct episode *e;
	bool router;
	char text[ICS_MAC_STRLEN];

	if (!msg->strict || !msg->has_mac || !lla_of(msg, &lla, &addr) || ics_mac_equal(&lla, &msg->smac))
		return;
	/* No station has a group address: rule eth_smac_group. */
	if (msg->smac.b[0] & 1)
		return;
	if (ics_model_is_shared_mac(d->model, &msg->smac) || ics_model_is_shared_mac(d->model, &lla) ||
	    ics_model_is_proxy(d->model, &msg->smac)) {
		d->info.suppressed++;
		return;
	}
	if (!note_pair(s, c->segment->id, &msg->smac, &lla))
		return;
	sp = speaker_of(s, c->segment->id, &msg->smac, msg->ts_ns);
	if (sp == NULL)
		return;
	sp->pairs++;
	/* A router that nobody knows is router_new's to tell. */
	if (c->created)
		return;
	router = ics_detect_is_router_addr(d, c->segment->id, &addr) ||
		 ics_detect_is_router_mac(d, c->segment->id, &lla);
	/* What is new is no news while the segment is learned, nor from one who has done it for a day. */
	if (ics_model_is_learning(d->model, c->segment) ||
	    (!router && sp->pairs > 1 && msg->ts_ns >= sp->first_ns + PROXY_NS)) {
		d->info.suppressed++;
		return;
	}
	key = ics_episode_key_of_mac(&msg->smac);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	if (e == NULL) {
		if (!router && d->shared->nd_flood[c->segment->id]) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open_as(d, c->segment, &key, "mac", ics_mac_format(&msg->smac, text));
		if (e == NULL)
			return;
		e->smac = msg->smac;
		e->muted = true;
	}
	if (e->pairs == 0 || (router && !e->router)) {
		e->lla = lla;
		e->addr = addr;
	}
	e->router |= router;
	e->pairs = sp->pairs;
	e->last_ns = msg->ts_ns;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &addr, &msg->smac);
	ics_episode_update(&e->ep, msg,
			   1 | (uint64_t)e->router << 1 | (uint64_t)e->muted << 2 | (uint64_t)(e->pairs >= MANY) << 3);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	d->state = s;
	if (ics_table_init(&s->pairs, sizeof(struct pair), 16, PAIRS_MAX, ics_hash_mix(d->seed, 1)) != 0)
		return -ENOMEM;
	return ics_table_init(&s->speakers, sizeof(struct speaker), 10, SPEAKERS_MAX, ics_hash_mix(d->seed, 2));
}

static void
fini(struct ics_detector *d)
{
	struct state *s = d->state;

	if (s != NULL) {
		ics_table_fini(&s->pairs);
		ics_table_fini(&s->speakers);
	}
	free(s);
}

const struct ics_detector_ops ics_det_nb_lla_mismatch = {
	.classes =
		1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_rs | 1ull << ICS_CLASS_nd_ra,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_FOREIGN_LLA,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
