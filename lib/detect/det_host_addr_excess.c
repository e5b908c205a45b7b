/* One MAC holds more IPv6 addresses than any system keeps by itself: each of them is a multicast group to report, an entry
 * in every switch's table and in the router's neighbor cache (incident 2). Counts what was asked for or answered with
 * within a day, and since its link came up: addresses end with the link, and one that comes and goes is what
 * host_temp_churn speaks of. Called for NS and NA; clears when the number was well below the limit for an hour.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Linux configures at most 16 (max_addresses); RFC 4941 gives at most 8 temporary ones in a prefix, and the stable one. */
#define ADDRESSES 16
#define PER_PREFIX 10
#define PREFIXES_MAX 8 /* an invented flood of prefixes does not lift the limit */
#define PREFIX_LOOKS 32
#define CRITICAL 100
#define BROKEN 300
#define CLEAR_PERCENT 80
#define CLEAR_NS (3600 * NS_PER_S)
#define CHECK_NS (3600 * NS_PER_S)
/* What was heard so lately counts whatever the link did: some systems probe for their link-local address again and again. */
#define RECENT_NS (3600 * NS_PER_S)
/* Addresses of a MAC that are looked at one by one, and MACs a second: beyond, all that it had count, or it waits for its
 * next address.
 */
#define WALK_MAX 512
#define WALKS_PER_S 100
#define DAY_NS (86400 * NS_PER_S)
/* Default Maximum Response Delay of queriers, over which hosts spread their reports (RFC 3810 9.3). */
#define RESPONSE_S 10
#define SHOWN 8
#define PREFIXES_SHOWN 3

struct state {
	uint64_t second;
	unsigned walks; /* in that second */
};

struct episode {
	struct ics_episode ep;
	struct ics_mac mac;
	bool muted, hint;
	uint64_t boot_ns; /* of the host when its addresses were counted */
	uint32_t n, limit, most;
	uint64_t below_ns; /* since when it is well below the limit; 0: it is not */
	uint64_t checked_ns;
};

/* What its addresses are, at the time of writing. */
struct stock {
	uint32_t n, new_in_day, prefixes, others;
	uint32_t iid[ICS_IID_COUNT];
	struct {
		uint8_t prefix[8];
		uint32_t n;
	} prefix[PREFIXES_SHOWN];
	struct ics_ip shown[SHOWN];
};

/* Prefixes of the segment that hosts form addresses in, each once whoever announces it. */
static uint32_t
count_prefixes(struct ics_detector *d, uint32_t segment, uint64_t now_ns)
{
	const struct ics_prefix *seen[PREFIXES_MAX], *p = NULL;
	uint32_t n = 0;

	for (unsigned i = 0; i < PREFIX_LOOKS && n < PREFIXES_MAX; i++) {
		bool known = false;

		p = ics_model_segment_prefix(d->model, segment, p);
		if (p == NULL)
			break;
		if (p->kind != ICS_PREFIX_PIO || !(p->flags & ICS_PIO_AUTO) || !ics_prefix_is_active(p, now_ns))
			continue;
		for (uint32_t k = 0; k < n; k++)
			known |= seen[k]->plen == p->plen && ics_ip_equal(&seen[k]->value, &p->value);
		if (!known)
			seen[n++] = p;
	}
	return n;
}

static uint32_t
limit_of(struct ics_detector *d, uint32_t segment, uint64_t now_ns)
{
	uint32_t limit = 1 + PER_PREFIX * count_prefixes(d, segment, now_ns);

	return limit > ADDRESSES ? limit : ADDRESSES;
}

/* Addresses heard last before that are gone with their link. */
static uint64_t
in_use_since(const struct ics_host *h, uint64_t now_ns)
{
	if (h->boot_ns == 0 || now_ns < RECENT_NS)
		return 0;
	return h->boot_ns < now_ns - RECENT_NS ? h->boot_ns : now_ns - RECENT_NS;
}

/* Addresses in use. False: not now, too many were asked for in this second. */
static bool
count_in_use(struct ics_detector *d, const struct ics_host *h, uint64_t now_ns, uint32_t *n)
{
	uint64_t since = in_use_since(h, now_ns);
	const struct ics_binding *b = NULL;
	struct state *st = d->state;

	*n = h->n_proven;
	if (h->first_ns >= since || h->n_bindings > WALK_MAX)
		return true;
	if (st->second != now_ns / NS_PER_S) {
		st->second = now_ns / NS_PER_S;
		st->walks = 0;
	}
	if (st->walks >= WALKS_PER_S)
		return false;
	st->walks++;
	*n = 0;
	for (unsigned i = 0; i < WALK_MAX && (b = ics_model_host_binding(d->model, h, b)) != NULL; i++)
		*n += b->proven && b->last_ns >= since;
	return true;
}

static void
take_stock(struct ics_detector *d, const struct ics_host *h, struct stock *s)
{
	uint64_t now = ics_model_clock(d->model)->now_ns;
	uint64_t since = h == NULL || h->n_bindings > WALK_MAX ? 0 : in_use_since(h, now);
	const struct ics_binding *b = NULL;

	memset(s, 0, sizeof(*s));
	while (h != NULL && s->n < ICS_BINDINGS_PER_MAC && (b = ics_model_host_binding(d->model, h, b)) != NULL) {
		uint32_t i;

		if (!b->proven || b->last_ns < since)
			continue;
		s->iid[b->iid]++;
		if (s->n < SHOWN)
			s->shown[s->n] = b->addr;
		s->n++;
		s->new_in_day += b->first_ns + DAY_NS > now;
		for (i = 0; i < s->prefixes && memcmp(s->prefix[i].prefix, b->addr.b, 8) != 0; i++)
			;
		if (i == PREFIXES_SHOWN) {
			s->others++;
			continue;
		}
		if (i == s->prefixes)
			memcpy(s->prefix[s->prefixes++].prefix, b->addr.b, 8);
		s->prefix[i].n++;
	}
}

static void
list_prefixes(const struct stock *s, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < s->prefixes; i++) {
		struct ics_ip ip = {{0}};
		char text[ICS_IP_STRLEN];

		memcpy(ip.b, s->prefix[i].prefix, 8);
		len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s/64 %u", i > 0 ? ", " : "",
					ics_ip_format(&ip, text), s->prefix[i].n);
	}
	if (s->others > 0)
		snprintf(buf + len, ICS_FACT_TEXT_LEN - len, ", others %u", s->others);
}

static enum ics_severity
severity_of(const struct episode *e)
{
	if (e->hint)
		return ICS_SEV_INFO;
	return e->most >= CRITICAL ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
}

static const char *
variant_of(const struct episode *e)
{
	return e->most >= BROKEN ? "broken_host" : "many";
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	static const char *const keys[SHOWN] = {"address_1", "address_2", "address_3", "address_4",
						"address_5", "address_6", "address_7", "address_8"};
	struct episode *e = (struct episode *)ep;
	const struct ics_host *h = ics_model_host_find(d->model, ep->segment, &e->mac);
	char text[ICS_FACT_TEXT_LEN], mac[ICS_MAC_STRLEN];
	struct ics_anomaly *a = ep->a;
	uint32_t pps = (e->most + RESPONSE_S - 1) / RESPONSE_S;
	struct stock s;

	take_stock(d, h, &s);
	a->variant = variant_of(e);
	a->severity = severity_of(e);
	a->muted = e->muted;
	ics_fact_set_uint(a, "addresses", e->n);
	ics_fact_set_uint(a, "addresses_most", e->most);
	ics_fact_set_uint(a, "limit", e->limit);
	ics_fact_set_uint(a, "link_local", s.iid[ICS_IID_LINK_LOCAL]);
	ics_fact_set_uint(a, "stable", s.iid[ICS_IID_STABLE] + s.iid[ICS_IID_EUI64]);
	ics_fact_set_uint(a, "temp", s.iid[ICS_IID_TEMP]);
	list_prefixes(&s, text);
	ics_fact_set_text(a, "per_prefix", "%s", text);
	ics_fact_set_uint(a, "growth_per_day", s.new_in_day);
	ics_fact_set_uint(a, "mld_pps_predicted", pps);
	ics_fact_set_bool(a, "proxy_hint", e->hint);
	for (uint32_t i = 0; i < SHOWN && i < s.n; i++)
		ics_fact_set_text(a, keys[i], "%s", ics_ip_format(&s.shown[i], text));

	a->says[0] = '\0';
	ics_say(a,
		"%s holds %u IPv6 addresses here, where %u are usual at most; %u of them were new within the last day.",
		ics_mac_format(&e->mac, mac), e->most, e->limit, s.new_in_day);
	ics_say(a,
		" Each is a multicast group: it may answer every MLD query with %u reports a second for %u s, and "
		"takes "
		"as many entries in switches and in the router's neighbor cache.",
		pps, RESPONSE_S);
	if (e->hint)
		ics_say(a, " It also speaks for other MACs, as bridges and proxies do: if it is one, name it in "
			   "detect.proxies.");
	else
		ics_say(a, " Update its system or network driver, or disable temporary addresses there; if it answers "
			   "for others, name it in detect.proxies.");
}

/* Routers and proxies answer for many by their nature. */
static bool
is_excused(const struct ics_detector *d, const struct ics_host *h)
{
	return (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT | ICS_HOST_FHRP)) != 0 ||
	       ics_model_is_proxy(d->model, &h->mac);
}

static void
set_count(struct episode *e, uint32_t n, uint64_t now_ns)
{
	e->n = n;
	if (n > e->most)
		e->most = n;
	if (n * 100 >= e->limit * CLEAR_PERCENT)
		e->below_ns = 0;
	else if (e->below_ns == 0)
		e->below_ns = now_ns;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_host *h = c->host;
	char mac[ICS_MAC_STRLEN];
	struct episode *e = NULL;
	struct ics_ip key;
	uint32_t n;

	/* Only what is new makes it more; claims that nobody asked for are what floods are made of. */
	if (h == NULL || !c->note.proven || (h->n_proven <= ADDRESSES && d->episodes.count == 0))
		return;
	key = ics_episode_key_of_mac(&h->mac);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &key);
	if (e == NULL) {
		uint32_t limit;

		if (h->n_proven <= ADDRESSES)
			return;
		limit = limit_of(d, c->segment->id, msg->ts_ns);
		if (h->n_proven <= limit && h->n_proven < CRITICAL)
			return;
		if (is_excused(d, h)) {
			d->info.suppressed++;
			return;
		}
		if (!count_in_use(d, h, msg->ts_ns, &n) || (n <= limit && n < CRITICAL))
			return;
		e = (struct episode *)ics_episode_open_as(d, c->segment, &key, "mac", ics_mac_format(&h->mac, mac));
		if (e == NULL)
			return;
		e->mac = h->mac;
		e->limit = limit;
		e->muted = true;
		e->checked_ns = msg->ts_ns;
		e->boot_ns = h->boot_ns;
	} else if (e->boot_ns == h->boot_ns || !count_in_use(d, h, msg->ts_ns, &n)) {
		n = e->n + 1 < h->n_proven ? e->n + 1 : h->n_proven; /* this one is new */
	} else {
		e->boot_ns = h->boot_ns;
	}
	e->hint = (h->flags & (ICS_HOST_PROXY | ICS_HOST_HYPERVISOR)) != 0;
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &c->note.binding->addr, &h->mac);
	set_count(e, n, msg->ts_ns);
	ics_episode_update(&e->ep, msg,
			   (uint64_t)severity_of(e) | (uint64_t)(e->most >= BROKEN) << 2 | (uint64_t)e->muted << 3);
}

static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_host *h = ics_model_host_find(d->model, ep->segment, &e->mac);
	uint32_t n = 0;

	if (e->below_ns != 0 && now_ns >= e->below_ns + CLEAR_NS) {
		ics_episode_close(ep);
		return false;
	}
	if (now_ns >= e->checked_ns + CHECK_NS) {
		e->checked_ns = now_ns;
		if (h != NULL)
			ics_model_host_age(d->model, h);
		if (h == NULL || count_in_use(d, h, now_ns, &n))
			set_count(e, n, now_ns);
	}
	return true;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t check = e->checked_ns + CHECK_NS;

	return e->below_ns != 0 && e->below_ns + CLEAR_NS < check ? e->below_ns + CLEAR_NS : check;
}

static int
init(struct ics_detector *d)
{
	d->state = calloc(1, sizeof(struct state));
	return d->state == NULL ? -ENOMEM : 0;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

const struct ics_detector_ops ics_det_host_addr_excess = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = fini,
	.message = on_message,
	.only = ICS_ONLY_NEWS,
	.render = render,
	.timer = on_timer,
	.due = due,
};
