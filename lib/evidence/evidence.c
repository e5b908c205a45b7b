/* An anomaly's frames in a capture file, each with a comment that names the anomaly and what the frame has to do with it. */
#include "ics_evidence.h"

char *
ics_evidence_comment(const struct ics_evidence_comment *c, char buf[static ICS_EVIDENCE_COMMENT_LEN])
{
	bool has_variant = c->variant != NULL && c->variant[0] != '\0';

	snprintf(buf, ICS_EVIDENCE_COMMENT_LEN, "anomaly %llu %s%s%s%s, %s: %s (frame %u of %u)",
		 (unsigned long long)c->id, c->name, has_variant ? " (" : "", has_variant ? c->variant : "",
		 has_variant ? ")" : "", c->severity, c->role, c->n, c->frames);
	return buf;
}

int
ics_evidence_add(struct ics_pcapng *out, const struct ics_anomaly *a, const char *port)
{
	const struct ics_proof *proofs[ICS_PROOFS];
	unsigned n = ics_anomaly_proofs(a, proofs);
	char comment[ICS_EVIDENCE_COMMENT_LEN];

	for (unsigned i = 0; i < n; i++) {
		const struct ics_evidence_comment c = {.id = a->id,
						       .name = a->detector,
						       .variant = a->variant,
						       .severity = ics_severity_name(a->severity),
						       .role = ics_anomaly_proof_role(a, proofs[i]),
						       .n = i + 1,
						       .frames = n};
		const struct ics_pcapng_packet pkt = {.ts_ns = proofs[i]->ts_ns,
						      .data = proofs[i]->bytes,
						      .len = proofs[i]->len,
						      .wire_len = proofs[i]->wire_len,
						      .link = proofs[i]->link,
						      .interface = a->segment.port,
						      .name = port,
						      .comment = ics_evidence_comment(&c, comment)};
		int rc = ics_pcapng_packet(out, &pkt);

		if (rc != 0)
			return rc;
	}
	return (int)n;
}
