/* Telling one who repeats himself from a network that repeats everybody: a network card in trouble sends MLD reports
 * again and again while the frames of others come once; in a loop all that is sent to many comes again. Called by
 * mld_report_storm, l2_loop and l2_mac_move.
 */
#include "repeat.h"

#include "ics_vendor.h"

#include <stdio.h>

/* Frames of others that came once: one could have been sent where the loop is not. */
#define CLEAN_ENOUGH 2

uint32_t
ics_seconds_add(struct ics_seconds *s, uint64_t sec, uint32_t n)
{
	for (unsigned i = 0; s->sec < sec && i < ICS_ARRAY_LEN(s->n); i++) {
		uint32_t *old = &s->n[(sec - i) % ICS_ARRAY_LEN(s->n)];

		if (sec - i <= s->sec)
			break;
		s->sum -= *old;
		*old = 0;
	}
	if (sec > s->sec)
		s->sec = sec;
	s->n[s->sec % ICS_ARRAY_LEN(s->n)] += n;
	s->sum += n;
	return s->sum;
}

bool
ics_repeater_is_alone(const struct ics_repeater *r)
{
	return r->clean >= CLEAN_ENOUGH && !r->other_kind;
}

const struct ics_repeater *
ics_detect_repeater(const struct ics_detector *d, uint32_t segment, const struct ics_mac *mac)
{
	const struct ics_repeater *r[ICS_REPEATERS];
	unsigned n = ics_model_repeaters(d->model, segment, r);

	for (unsigned i = 0; i < n; i++)
		if (ics_mac_equal(&r[i]->mac, mac))
			return r[i];
	return NULL;
}

void
ics_detect_chorus(const struct ics_detector *d, uint32_t segment, uint32_t per_s, uint32_t min_ms,
		  struct ics_chorus *out)
{
	const struct ics_repeater *r[ICS_REPEATERS];
	unsigned n = ics_model_repeaters(d->model, segment, r);

	memset(out, 0, sizeof(*out));
	out->others_speak = ics_model_speakers(d->model, segment) > n;
	for (unsigned i = 0; i < n; i++) {
		if (r[i]->per_s < per_s || r[i]->span_ms < min_ms || ics_repeater_is_alone(r[i]))
			continue;
		out->who[out->macs++] = r[i];
		out->other_kind |= r[i]->other_kind;
		if (r[i]->since_ns > out->since_ns)
			out->since_ns = r[i]->since_ns;
	}
}

bool
ics_chorus_may_loop(const struct ics_chorus *c)
{
	return c->macs >= ICS_CHORUS_MACS || (c->macs >= ICS_DUET_MACS && c->other_kind);
}

void
ics_detect_set_vendor(struct ics_anomaly *a, const struct ics_mac *mac)
{
	const char *name = ics_vendor_name(mac);

	if (name[0] != '\0')
		ics_fact_set_text(a, "vendor", "%s", name);
}

const char *
ics_detect_port_list(uint32_t ports, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < 32; i++)
		if (ports >> i & 1)
			len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%u", len != 0 ? "," : "", i);
	return buf;
}
