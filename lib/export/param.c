/* Checks of what clients send behind the comma. Any client may send any bytes: everything but plain decimal numbers
 * is refused with an error that names what is allowed. Called by tel_*.c.
 */
#include "endpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Digits only, at most 20, no overflow; *end is left behind the last digit. */
static bool
parse_number(const char *s, uint64_t *out, const char **end)
{
	uint64_t v = 0;
	unsigned n = 0;

	for (; s[n] >= '0' && s[n] <= '9'; n++) {
		uint64_t digit = (uint64_t)(s[n] - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	*end = s + n;
	return n > 0 && n <= 20;
}

bool
param_none(struct reply *r, const char *params)
{
	if (params == NULL || params[0] == '\0')
		return true;
	reply_error(r, "takes no parameter, got %.40s", params);
	return false;
}

bool
param_number(struct reply *r, const char *params, const char *what, uint64_t *out)
{
	const char *end;

	if (params == NULL || params[0] == '\0') {
		reply_error(r, "wants %s as its parameter", what);
		return false;
	}
	if (!parse_number(params, out, &end) || *end != '\0') {
		reply_error(r, "%.40s is not %s: a decimal number is", params, what);
		return false;
	}
	return true;
}

bool
param_index(struct reply *r, const char *params, const char *what, uint64_t n, uint64_t *out)
{
	if (!param_number(r, params, what, out))
		return false;
	if (*out < n)
		return true;
	if (n == 0)
		reply_error(r, "%.40s is not %s: there are none", params, what);
	else
		reply_error(r, "%.40s is not %s: 0 to %" PRIu64 " are", params, what, n - 1);
	return false;
}

bool
param_index_or_all(struct reply *r, const char *params, const char *what, uint64_t n, uint32_t *out)
{
	uint64_t v;

	*out = ICS_EXPORT_ALL;
	if (params == NULL || params[0] == '\0')
		return true;
	if (!param_index(r, params, what, n, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool
param_start(struct reply *r, const char *params, uint64_t *start)
{
	*start = 0;
	if (params == NULL || params[0] == '\0')
		return true;
	return param_number(r, params, "START", start);
}

bool
param_page(struct reply *r, const char *params, uint64_t *start, uint64_t *count)
{
	const char *end;

	*start = 0;
	*count = UINT64_MAX;
	if (params == NULL || params[0] == '\0')
		return true;
	if (!parse_number(params, start, &end) || (*end != '\0' && *end != ','))
		goto bad;
	if (*end == '\0')
		return true;
	if (!parse_number(end + 1, count, &end) || *end != '\0' || *count == 0)
		goto bad;
	return true;
bad:
	reply_error(r, "%.40s is not START[,COUNT]: decimal numbers, COUNT from 1 on", params);
	return false;
}

bool
param_pair(struct reply *r, const char *params, const char *what, uint64_t *id, uint64_t *n)
{
	const char *end;

	*n = 1;
	if (params == NULL || params[0] == '\0') {
		reply_error(r, "wants %s as its parameter", what);
		return false;
	}
	if (!parse_number(params, id, &end) || (*end == ',' && !parse_number(end + 1, n, &end)) || *end != '\0' ||
	    *n == 0) {
		reply_error(r, "%.40s is not %s, or one and a number behind a comma", params, what);
		return false;
	}
	return true;
}

const struct ics_segment_key *
segment_key(const struct ics_model *m, uint32_t id)
{
	static const struct ics_segment_key nowhere = {.vlan_outer = ICS_VLAN_NONE, .vlan_inner = ICS_VLAN_NONE};
	const struct ics_segment *s = ics_model_segment(m, id);

	return s != NULL ? &s->key : &nowhere;
}
