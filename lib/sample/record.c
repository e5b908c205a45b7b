/* Sample records, read back. Called by the engine. */
#include "ics_sample.h"

static const char *const kinds[ICS_SAMPLE_KINDS] = {
	[ICS_SAMPLE_SYN] = "syn", [ICS_SAMPLE_RETX] = "retx", [ICS_SAMPLE_SHRUNK] = "shrunk",
	[ICS_SAMPLE_SUM] = "sum", [ICS_SAMPLE_END] = "end",   [ICS_SAMPLE_HOSTDATA] = "hostdata",
};

const char *
ics_sample_kind_name(unsigned kind)
{
	return kind < ICS_SAMPLE_KINDS ? kinds[kind] : NULL;
}

bool
ics_sample_parse(const struct ics_record *rec, struct ics_view bytes, struct ics_sample *out, struct ics_view *frame)
{
	if (!ics_record_is_sample(rec) || !ics_view_has(bytes, 0, sizeof(*out)))
		return false;
	memcpy(out, bytes.p, sizeof(*out));
	*frame = ics_view_sub(bytes, sizeof(*out), ICS_SAMPLE_FRAME_MAX);
	return out->kind < ICS_SAMPLE_KINDS;
}
