/* Builds a sample record and hands it over. A record that finds no room is lost and counted; nothing waits for it, and no
 * control message gives way to it.
 */
#include "sampler.h"

static void
set_ends(struct ics_sample *m, const struct seg *g, bool swap)
{
	const uint8_t *p = g->f->data + g->l3_off;
	struct ics_ip a = g->is6 ? ics_ip_from6(p + 8) : ics_ip_from4(p + 12);
	struct ics_ip b = g->is6 ? ics_ip_from6(p + 24) : ics_ip_from4(p + 16);

	m->src = swap ? b : a;
	m->dst = swap ? a : b;
	m->sport = swap ? g->dport : g->sport;
	m->dport = swap ? g->sport : g->dport;
	if (!g->ether)
		return;
	m->dmac = ics_mac_from(g->f->data + (swap ? 6 : 0));
	m->smac = ics_mac_from(g->f->data + (swap ? 0 : 6));
}

void
ics_sample_tell(struct ics_sampler *s, const struct seg *g, struct ics_sample *m, uint8_t dir)
{
	struct {
		struct ics_sample m;
		uint8_t frame[ICS_SAMPLE_FRAME_MAX];
	} out;
	uint32_t n = g->f->cap_len < ICS_SAMPLE_FRAME_MAX ? g->f->cap_len : ICS_SAMPLE_FRAME_MAX;
	uint32_t *spent = m->kind == ICS_SAMPLE_HOSTDATA ? &s->sources
			  : m->kind == ICS_SAMPLE_SYN    ? &s->syns
							 : &s->records;
	uint32_t most = m->kind == ICS_SAMPLE_HOSTDATA ? SOURCES_MAX
			: m->kind == ICS_SAMPLE_SYN    ? SYNS_MAX
						       : RECORDS_MAX;
	struct ics_record rec = {
		.ts_ns = g->ts_ns,
		.frame_hash = g->hash,
		.vlan_outer = g->vlan[0],
		.vlan_inner = g->vlan[1],
		.wire_len = (uint16_t)(g->f->wire_len < UINT16_MAX ? g->f->wire_len : UINT16_MAX),
		.cap_len = (uint16_t)(sizeof(*m) + n),
		.l3_off = (uint16_t)g->l3_off,
		.port = s->port,
		.queue = s->queue,
		.class = ICS_RECORD_SAMPLE,
		.flags = g->is6 ? 0 : ICS_REC_IP4,
		.encap = (uint8_t)(g->encap | (g->ether ? ICS_LINK_ETHERNET : g->f->link) << 5),
	};

	if (s->sink == NULL || s->sink->push == NULL)
		return;
	if (*spent >= most) {
		ics_count_add(&s->counters->sample_dropped, 1);
		return;
	}
	(*spent)++;
	m->proto = g->proto;
	m->flow = (uint32_t)(g->hash >> 32);
	m->flags |= (g->is6 ? ICS_SAMPLE_IP6 : 0) | (s->shift != 0 ? ICS_SAMPLE_SAMPLED : 0);
	if (!g->arp)
		set_ends(m, g, dir != g->dir);
	out.m = *m;
	memcpy(out.frame, g->f->data, n);
	if (ics_unlikely(s->sink->push(s->sink->ctx, ICS_LANE_SAMPLE, &rec, (const uint8_t *)&out) != 0))
		ics_count_add(&s->counters->sample_dropped, 1);
	else
		ics_count_add(&s->counters->sampled, 1);
}
