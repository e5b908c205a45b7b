/* The frames that prove an anomaly, asked for one by one and written as a pcapng file (ics_client.h). */
#include "ics_client.h"

#include "ics_evidence.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* At most max octets of hexadecimal digits; how many there were, or -1. */
static int
read_hex(const char *text, uint8_t *out, unsigned max)
{
	unsigned n = 0;

	for (; text[2 * n] != '\0' && n < max; n++) {
		char digits[3] = {text[2 * n], text[2 * n + 1], '\0'};

		if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
			return -1;
		out[n] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return (int)n;
}

static int
write_frame(struct ics_pcapng *out, const json_t *frame, const char *port)
{
	const struct ics_evidence_comment c = {.id = ics_client_uint(frame, "id"),
					       .name = ics_client_text(frame, "name"),
					       .variant = ics_client_text(frame, "variant"),
					       .severity = ics_client_text(frame, "severity"),
					       .role = ics_client_text(frame, "role"),
					       .n = (unsigned)ics_client_uint(frame, "frame"),
					       .frames = (unsigned)ics_client_uint(frame, "frames")};
	char comment[ICS_EVIDENCE_COMMENT_LEN], hex[2 * ICS_ANOMALY_EVIDENCE_FRAME + 1];
	uint8_t bytes[ICS_ANOMALY_EVIDENCE_FRAME];
	int n;

	ics_client_long_text(frame, "hex", hex, sizeof(hex));
	n = read_hex(hex, bytes, sizeof(bytes));
	if (n < 0)
		return -EPROTO;
	const struct ics_pcapng_packet pkt = {.ts_ns = ics_client_uint(frame, "ts_ns"),
					      .data = bytes,
					      .len = (uint32_t)n,
					      .wire_len = (uint32_t)ics_client_uint(frame, "wire_len"),
					      .link = (uint8_t)ics_client_uint(frame, "link"),
					      .interface = (uint32_t)ics_client_uint(frame, "port"),
					      .name = port,
					      .comment = ics_evidence_comment(&c, comment)};
	return ics_pcapng_packet(out, &pkt);
}

json_t *
ics_client_evidence(struct ics_client *c, uint64_t id)
{
	json_t *frames = json_array();
	uint64_t n = 1;

	for (uint64_t i = 1; i <= n && i <= ICS_PROOFS; i++) {
		json_t *frame = ics_client_ask(c, "/icmpscope/anomaly/evidence,%" PRIu64 ",%" PRIu64, id, i);

		if (frame == NULL) {
			json_decref(frames);
			return NULL;
		}
		n = ics_client_uint(frame, "frames");
		if (n == 0)
			json_decref(frame);
		else
			(void)json_array_append_new(frames, frame);
	}
	return frames;
}

int
ics_client_write_evidence(struct ics_client *c, const json_t *frames, FILE *out, const char *program)
{
	uint64_t number = ics_client_uint(json_array_get(frames, 0), "port");
	json_t *port = ics_client_ask(c, "/icmpscope/port/info,%" PRIu64, number), *frame;
	struct ics_pcapng file;
	size_t i;
	int rc;

	if (port == NULL)
		return -EPROTO;
	rc = ics_pcapng_begin(&file, out, program);
	json_array_foreach((json_t *)frames, i, frame)
	{
		if (rc == 0)
			rc = write_frame(&file, frame, ics_client_text(port, "device"));
		if (rc == -EPROTO)
			snprintf(c->error, sizeof(c->error), "the socket sent a frame that is no hexadecimal number");
	}
	json_decref(port);
	return rc;
}
