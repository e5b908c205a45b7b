/* The log of default routers (ics_gateway.h): told by router.c, which knows when the list of RFC 4861 6.3.4 changes. */
#include "gateway.h"

#include "model_priv.h"

#include <stdlib.h>

#define NS_PER_S 1000000000ull

struct ics_gateways {
	uint64_t last_seq, skipped;
	struct {
		uint64_t second; /* of the latest refill */
		uint32_t credit;
	} bucket[ICS_GATEWAY_WHATS];
	struct ics_gateway_event ring[ICS_GATEWAY_EVENTS]; /* seq modulo its size */
};

const char *
ics_gateway_what_name(enum ics_gateway_what what)
{
	static const char *const names[] = {"advertised", "changed", "retracted", "flag_cleared", "expired"};

	return (unsigned)what < ICS_ARRAY_LEN(names) ? names[what] : "?";
}

int
ics_gateways_init(struct ics_model *m)
{
	m->gateways = calloc(1, sizeof(*m->gateways));
	if (m->gateways == NULL)
		return -1;
	for (unsigned i = 0; i < ICS_GATEWAY_WHATS; i++)
		m->gateways->bucket[i].credit = ICS_GATEWAY_BURST;
	return 0;
}

void
ics_gateways_fini(struct ics_model *m)
{
	free(m->gateways);
	m->gateways = NULL;
}

/* One a second of each kind, ICS_GATEWAY_BURST at once: a flood of one kind leaves room for the others. */
static bool
may_note(struct ics_gateways *g, enum ics_gateway_what what, uint64_t second)
{
	uint64_t gained = second > g->bucket[what].second ? second - g->bucket[what].second : 0;

	if (g->bucket[what].second == 0 || gained > ICS_GATEWAY_BURST)
		gained = ICS_GATEWAY_BURST;
	g->bucket[what].second = second;
	g->bucket[what].credit += (uint32_t)gained;
	if (g->bucket[what].credit > ICS_GATEWAY_BURST)
		g->bucket[what].credit = ICS_GATEWAY_BURST;
	if (g->bucket[what].credit == 0)
		return false;
	g->bucket[what].credit--;
	return true;
}

void
ics_gateway_note(struct ics_model *m, const struct ics_segment *s, const struct ics_router *r,
		 enum ics_gateway_what what, uint32_t lifetime_before_s)
{
	struct ics_gateways *g = m->gateways;
	struct ics_gateway_event *ev;

	if (!may_note(g, what, m->clock.now_ns / NS_PER_S)) {
		g->skipped++;
		return;
	}
	ev = &g->ring[++g->last_seq % ICS_GATEWAY_EVENTS];
	*ev = (struct ics_gateway_event){
		.seq = g->last_seq,
		.ts_ns = m->clock.now_ns - m->clock.offset_ns,
		.router = r->id,
		.segment = r->segment,
		.addr = r->addr,
		.what = (uint8_t)what,
		.flags = r->flags,
		.left = (uint16_t)(s->default_routers > UINT16_MAX ? UINT16_MAX : s->default_routers),
		.lifetime_s = r->lifetime_s,
		.lifetime_before_s = lifetime_before_s,
	};
	if (r->n_macs > 0)
		ev->mac = r->mac[r->n_macs - 1];
}

const struct ics_gateway_event *
ics_gateway_next(const struct ics_model *m, uint64_t seq)
{
	const struct ics_gateways *g = m->gateways;
	uint64_t first = g->last_seq > ICS_GATEWAY_EVENTS ? g->last_seq - ICS_GATEWAY_EVENTS + 1 : 1;

	if (seq < first)
		seq = first;
	return seq > g->last_seq ? NULL : &g->ring[seq % ICS_GATEWAY_EVENTS];
}

uint64_t
ics_gateway_count(const struct ics_model *m)
{
	return m->gateways->last_seq < ICS_GATEWAY_EVENTS ? m->gateways->last_seq : ICS_GATEWAY_EVENTS;
}

uint64_t
ics_gateway_skipped(const struct ics_model *m)
{
	return m->gateways->skipped;
}
