/* icmpscopectl evidence: the frames that prove an anomaly, as a pcapng file on standard output. */
#include "ctl.h"

#include "ics_evidence.h"
#include "ics_version.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char ctl_evidence_help[] = "\n"
				 "Writes the frames that icmpscope keeps of an anomaly to standard output, as a\n"
				 "pcapng file: the one that opened it, the latest that made it worse or changed\n"
				 "its variant, the latest of all. Each has a comment that says so.\n"
				 "\n"
				 "  icmpscopectl evidence 17 > 17.pcapng\n"
				 "  icmpscopectl evidence 17 | tshark -V -r -\n"
				 "\n"
				 "  --socket FILE    the telemetry socket; by default that of eal.file_prefix\n"
				 "  --config FILE    settings (also -c); " CTL_DEFAULT_INI " where it exists\n"
				 "  --json           what the socket says of the frames, no capture file\n";

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
		return ctl_complain(CTL_FAILED, "the socket sent a frame that is no hexadecimal number");
	const struct ics_pcapng_packet pkt = {.ts_ns = ics_client_uint(frame, "ts_ns"),
					      .data = bytes,
					      .len = (uint32_t)n,
					      .wire_len = (uint32_t)ics_client_uint(frame, "wire_len"),
					      .link = (uint8_t)ics_client_uint(frame, "link"),
					      .interface = (uint32_t)ics_client_uint(frame, "port"),
					      .name = port,
					      .comment = ics_evidence_comment(&c, comment)};
	return ics_pcapng_packet(out, &pkt) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static int
write_capture(struct ics_client *c, const json_t *frames)
{
	uint64_t number = ics_client_uint(json_array_get(frames, 0), "port");
	json_t *port = ctl_ask(c, "/icmpscope/port/info,%" PRIu64, number), *frame;
	struct ics_pcapng out;
	int status = port == NULL ? CTL_FAILED : CTL_ANSWERED;
	size_t i;

	if (status == CTL_ANSWERED)
		status = ics_pcapng_begin(&out, stdout, "icmpscopectl " ICS_VERSION) == 0 ? CTL_ANSWERED : CTL_FAILED;
	json_array_foreach((json_t *)frames, i, frame)
	{
		if (status == CTL_ANSWERED)
			status = write_frame(&out, frame, ics_client_text(port, "device"));
	}
	json_decref(port);
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_complain(CTL_FAILED, "the capture could not be written: %s", strerror(errno));
	return status;
}

/* All frames of the anomaly as the socket tells them, or NULL after a line. */
static json_t *
fetch(struct ics_client *c, uint64_t id)
{
	json_t *frames = json_array();
	uint64_t n = 1;

	for (uint64_t i = 1; i <= n && i <= ICS_PROOFS; i++) {
		json_t *frame = ctl_ask(c, "/icmpscope/anomaly/evidence,%" PRIu64 ",%" PRIu64, id, i);

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
ctl_evidence(int argc, char **argv)
{
	struct ctl_options o;
	struct ics_client c;
	json_t *frames;
	uint64_t id = 0;
	int status = ctl_options_parse(&o, argc, argv, 0, 1);

	if (status != CTL_ANSWERED)
		return status;
	if (o.argv[0][strspn(o.argv[0], "0123456789")] == '\0')
		id = strtoull(o.argv[0], NULL, 10);
	if (id == 0)
		return ctl_complain(CTL_USAGE, "%.60s is no id of an anomaly (icmpscopectl anomalies names them)",
				    o.argv[0]);
	if (!o.json && isatty(STDOUT_FILENO))
		return ctl_complain(CTL_USAGE,
				    "a capture file is nothing for a terminal: icmpscopectl evidence %" PRIu64
				    " > %" PRIu64 ".pcapng",
				    id, id);
	status = ctl_connect(&c, &o, false);
	if (status != CTL_ANSWERED)
		return status;
	frames = fetch(&c, id);
	if (frames == NULL)
		status = CTL_FAILED;
	else if (o.json)
		status = ctl_print_json(json_pack("{s:O}", "frames", frames));
	else if (json_array_size(frames) == 0)
		status = ctl_complain(CTL_FAILED,
				      "anomaly %" PRIu64 " was found without a frame: by time, or by counters", id);
	else
		status = write_capture(&c, frames);
	json_decref(frames);
	ics_client_close(&c);
	return status;
}
