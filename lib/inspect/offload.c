/* Checksums that the sender's NIC had still to fill in: a mirror inside a hypervisor shows messages before that, their
 * checksum field holding the sum of the pseudo-header alone. A sender is believed to do so when more than one in
 * twenty of its messages fail and every failure is of this kind; then they are no longer judged.
 */
#include "offload.h"

/* Fewer messages say nothing about a share of 5 %. */
#define SAMPLE_MIN 20

static struct ics_offload_sender *
slot_of(struct ics_offload *o, const uint8_t *smac)
{
	return &o->sender[ics_hash_mix(ics_load_be32(smac), ics_load_be16(smac + 4)) % ICS_OFFLOAD_SENDERS];
}

void
ics_offload_judge(struct ics_offload *o, struct ics_pkt *pkt)
{
	bool bad = ics_reasons_has(&pkt->reasons, ICS_REASON_icmp6_checksum);
	bool partial = bad && (pkt->flags & ICS_PKT_CSUM_PARTIAL) != 0;
	struct ics_offload_sender *s;

	if (pkt->ip_version != 6 || !(pkt->flags & ICS_PKT_ETHER))
		return;
	s = slot_of(o, pkt->smac);
	if (memcmp(s->mac.b, pkt->smac, sizeof(s->mac.b)) != 0 || s->seen == 0) {
		if (!partial)
			return;
		if (s->seen == 0)
			o->n++;
		*s = (struct ics_offload_sender){.mac = ics_mac_from(pkt->smac)};
	}
	s->seen++;
	s->partial += partial;
	s->wrong += bad && !partial;
	if (partial && s->wrong == 0 && s->seen >= SAMPLE_MIN && s->partial * 20ull > s->seen) {
		pkt->reasons.w[ICS_REASON_icmp6_checksum >> 6] &= ~(1ull << (ICS_REASON_icmp6_checksum & 63));
		o->forgiven++;
	}
}
