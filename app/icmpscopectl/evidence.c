/* icmpscopectl evidence: the frames that prove an anomaly, as a pcapng file on standard output. */
#include "ctl.h"

#include "ics_version.h"

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
				 "  --config FILE    settings (-c); " CTL_DEFAULT_INI "\n"
				 "  --json           what the socket says of the frames, no capture file\n";

static int
write_capture(struct ics_client *c, const json_t *frames)
{
	int rc = ics_client_write_evidence(c, frames, stdout, "icmpscopectl " ICS_VERSION);

	if (rc == -EPROTO)
		return ctl_complain(CTL_FAILED, "%s", c->error);
	if (rc != 0 || fflush(stdout) != 0 || ferror(stdout))
		return ctl_complain(CTL_FAILED, "the capture could not be written: %s", strerror(errno));
	return CTL_ANSWERED;
}

static json_t *
fetch(struct ics_client *c, uint64_t id)
{
	json_t *frames = ics_client_evidence(c, id);

	if (frames == NULL)
		(void)ctl_complain(CTL_FAILED, "%s", c->error);
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
