/* Questions about what routers advertise: names and texts, walks over a segment or a router, whether an address is in
 * a prefix, how many addresses are, what is missing. Called by detectors, reports and telemetry.
 */
#include "model_priv.h"

#include <stdio.h>

/* B4: options may be split over several RAs, so an option is missing only from the third announcement on. */
#define MISSED_ROUNDS 3
/* ... and only if it had been there that often. */
#define ALWAYS_ROUNDS 3

const char *
ics_prefix_kind_name(enum ics_prefix_kind k)
{
	static const char *const names[] = {
		[ICS_PREFIX_PIO] = "prefix",
		[ICS_PREFIX_RIO] = "route",
		[ICS_PREFIX_RDNSS] = "rdnss",
		[ICS_PREFIX_DNSSL] = "dnssl",
		[ICS_PREFIX_PREF64] = "pref64",
		[ICS_PREFIX_CAPTIVE_PORTAL] = "captive_portal",
		[ICS_PREFIX_ENCRYPTED_DNS] = "encrypted_dns",
	};

	return (unsigned)k < ICS_ARRAY_LEN(names) ? names[k] : "?";
}

char *
ics_prefix_format(const struct ics_prefix *p, char buf[static ICS_PREFIX_STRLEN])
{
	char ip[ICS_IP_STRLEN];

	switch (p->kind) {
	case ICS_PREFIX_PIO:
	case ICS_PREFIX_RIO:
	case ICS_PREFIX_PREF64:
		snprintf(buf, ICS_PREFIX_STRLEN, "%s/%u", ics_ip_format(&p->value, ip), p->plen);
		break;
	case ICS_PREFIX_RDNSS:
		ics_ip_format(&p->value, buf);
		break;
	default:
		memcpy(buf, p->text, ICS_PREFIX_STRLEN);
		break;
	}
	return buf;
}

bool
ics_prefix_is_active(const struct ics_prefix *p, uint64_t now_ns)
{
	return p->valid_until_ns > now_ns;
}

bool
ics_prefix_covers(const struct ics_ip *prefix, unsigned plen, const struct ics_ip *addr)
{
	unsigned bytes = plen / 8, bits = plen % 8;

	if (plen > 128 || memcmp(prefix->b, addr->b, bytes) != 0)
		return false;
	return bits == 0 || ((prefix->b[bytes] ^ addr->b[bytes]) & (uint8_t)(0xff << (8 - bits))) == 0;
}

uint32_t
ics_prefix_misses(const struct ics_model *m, const struct ics_prefix *p)
{
	const struct ics_advertiser *a = ics_table_at(&m->advertisers, p->advertiser);

	return p->rounds == 0 ? 0 : a->round - p->round_seen;
}

uint32_t
ics_prefix_missing_at(const struct ics_prefix *p)
{
	return MISSED_ROUNDS * p->max_gap;
}

bool
ics_prefix_is_missing(const struct ics_model *m, const struct ics_prefix *p)
{
	return p->rounds >= ALWAYS_ROUNDS && ics_prefix_misses(m, p) >= ics_prefix_missing_at(p);
}

uint64_t
ics_model_prefix_count(const struct ics_model *m)
{
	return m->prefixes.count;
}

const struct ics_prefix *
ics_model_prefix_next(const struct ics_model *m, uint32_t id)
{
	for (uint32_t i = id == 0 ? 1 : id; i <= m->prefixes.fresh; i++)
		if (ics_table_is_live(&m->prefixes, i))
			return ics_table_at(&m->prefixes, i);
	return NULL;
}

const struct ics_prefix *
ics_model_segment_prefix(const struct ics_model *m, uint32_t segment, const struct ics_prefix *after)
{
	const struct seg_entry *seg = seg_by_id(m, segment);
	uint32_t i;

	if (after == NULL)
		i = seg->prefix[ICS_PREFIX_AGAIN].newest;
	else
		i = after->seg_next;
	if (i == 0 && (after == NULL || after->count > 1))
		i = seg->prefix[ICS_PREFIX_ONCE].newest;
	return i == 0 ? NULL : ics_table_at(&m->prefixes, i);
}

const struct ics_advertiser *
ics_model_advertiser(struct ics_model *m, uint32_t segment, const struct ics_ip *router)
{
	struct {
		struct ics_ip router;
		uint32_t segment;
	} key = {*router, segment};
	uint32_t i = ics_table_find(&m->advertisers, &key);

	return i == 0 ? NULL : ics_table_at(&m->advertisers, i);
}

const struct ics_prefix *
ics_model_router_prefix(struct ics_model *m, uint32_t segment, const struct ics_ip *router,
			const struct ics_prefix *after)
{
	const struct ics_advertiser *a;
	uint32_t i;

	if (after != NULL) {
		i = after->adv_next;
	} else {
		a = ics_model_advertiser(m, segment, router);
		i = a == NULL ? 0 : a->newest;
	}
	return i == 0 ? NULL : ics_table_at(&m->prefixes, i);
}

const struct ics_prefix *
ics_model_router_stalest(struct ics_model *m, uint32_t segment, const struct ics_ip *router,
			 const struct ics_prefix *after)
{
	const struct ics_advertiser *a;
	uint32_t i;

	if (after != NULL) {
		i = after->adv_prev;
	} else {
		a = ics_model_advertiser(m, segment, router);
		i = a == NULL ? 0 : a->oldest;
	}
	return i == 0 ? NULL : ics_table_at(&m->prefixes, i);
}

const struct ics_prefix *
ics_model_prefix_elsewhere(const struct ics_model *m, const struct ics_prefix *p)
{
	const struct ics_prefix *q = NULL;

	for (unsigned n = 0; n < ICS_PREFIX_LOOKS; n++) {
		q = ics_model_segment_prefix(m, p->segment, q);
		if (q == NULL)
			return NULL;
		if (q->kind == p->kind && q->plen == p->plen && ics_ip_equal(&q->value, &p->value) &&
		    !ics_ip_equal(&q->router, &p->router) && ics_prefix_is_active(q, m->clock.now_ns))
			return q;
	}
	return NULL;
}

const struct ics_prefix *
ics_model_prefix_find(struct ics_model *m, uint32_t segment, const struct ics_ip *router, enum ics_prefix_kind kind,
		      const struct ics_ip *value, unsigned plen)
{
	struct {
		struct ics_ip router, value;
		uint32_t segment;
		uint16_t kind, plen;
	} key = {*router, *value, segment, (uint16_t)kind, (uint16_t)plen};
	uint32_t i = ics_table_find(&m->prefixes, &key);

	return i == 0 ? NULL : ics_table_at(&m->prefixes, i);
}

const struct ics_prefix *
ics_model_prefix_of(const struct ics_model *m, uint32_t segment, const struct ics_ip *addr, uint8_t flags)
{
	const struct ics_prefix *p = NULL;

	for (unsigned n = 0; n < ICS_PREFIX_LOOKS; n++) {
		p = ics_model_segment_prefix(m, segment, p);
		if (p == NULL)
			return NULL;
		if (p->kind == ICS_PREFIX_PIO && (p->flags & flags) && ics_prefix_is_active(p, m->clock.now_ns) &&
		    ics_prefix_covers(&p->value, p->plen, addr))
			return p;
	}
	return NULL;
}

bool
ics_model_prefix_hosts(const struct ics_model *m, uint32_t segment, const struct ics_prefix *const *p, unsigned n,
		       uint32_t *hosts)
{
	uint32_t last = m->bindings.fresh < ICS_PREFIX_SCAN ? m->bindings.fresh : ICS_PREFIX_SCAN;

	memset(hosts, 0, n * sizeof(*hosts));
	for (uint32_t i = 1; i <= last; i++) {
		const struct ics_binding *b = ics_table_at(&m->bindings, i);

		if (b->head.used == 0 || b->segment != segment || ics_ip6_is_link_local(b->addr.b))
			continue;
		for (unsigned k = 0; k < n; k++)
			hosts[k] += ics_prefix_covers(&p[k]->value, p[k]->plen, &b->addr);
	}
	return last == m->bindings.fresh;
}
