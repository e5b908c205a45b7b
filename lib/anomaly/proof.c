/* The frames that prove an anomaly: the one that opened it, the latest that made it worse or another variant, and the latest
 * of all, so that memory is bounded however long it lasts. Called for each message that contributes, and by the store.
 */
#include "proof.h"

static void
keep(struct ics_proof *p, uint64_t nth, const struct ics_record *rec, struct ics_view frame, uint64_t frame_no)
{
	p->ts_ns = rec->ts_ns;
	p->frame_no = frame_no;
	p->nth = nth;
	p->len = (uint16_t)(frame.len < sizeof(p->bytes) ? frame.len : sizeof(p->bytes));
	p->wire_len = rec->wire_len > p->len ? rec->wire_len : p->len;
	p->l3_off = rec->l3_off;
	p->l4_off = rec->l4_off;
	p->link = (uint8_t)ics_record_link(rec);
	p->is_ip4 = (rec->flags & ICS_REC_IP4) != 0;
	memcpy(p->bytes, frame.p, p->len);
}

void
ics_anomaly_note_frame(struct ics_anomaly *a, const struct ics_record *rec, struct ics_view frame, uint64_t frame_no)
{
	if (a->count == 0)
		a->first_ns = rec->ts_ns;
	a->count += 1 + (uint64_t)rec->repeats;
	if (rec->ts_ns > a->last_ns)
		a->last_ns = rec->ts_ns;
	a->frame_hash = rec->frame_hash;
	if (a->n_frames < ICS_ANOMALY_FRAMES_MAX)
		a->frame_no[a->n_frames++] = frame_no;
	/* Further copies come without their bytes: those of the first are known. */
	if (frame.len == 0)
		return;
	a->judged.noted++;
	keep(&a->proof[a->judged.noted == 1 ? ICS_PROOF_FIRST : ICS_PROOF_LATEST], a->judged.noted, rec, frame,
	     frame_no);
}

void
anomaly_judge(struct ics_anomaly *a)
{
	const char *before = a->judged.variant != NULL ? a->judged.variant : "",
		   *now = a->variant != NULL ? a->variant : "";
	bool turned = a->severity > a->judged.severity || (a->judged.variant != NULL && strcmp(before, now) != 0);

	/* What no frame did since, time did. */
	if (turned && a->judged.noted > 1 && a->judged.nth < a->judged.noted)
		a->proof[ICS_PROOF_TURN] = a->proof[ICS_PROOF_LATEST];
	a->judged.nth = a->judged.noted;
	a->judged.severity = a->severity;
	a->judged.variant = now;
}

unsigned
ics_anomaly_proofs(const struct ics_anomaly *a, const struct ics_proof *out[static ICS_PROOFS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < ICS_PROOFS; i++)
		if (a->proof[i].nth != 0 && (n == 0 || a->proof[i].nth != out[n - 1]->nth))
			out[n++] = &a->proof[i];
	return n;
}

const char *
ics_anomaly_proof_role(const struct ics_anomaly *a, const struct ics_proof *p)
{
	static const char *const roles[ICS_PROOFS] = {"opened it", "made it worse or changed it", "latest"};

	return roles[p - a->proof];
}
