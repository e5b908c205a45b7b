/* One table a kind: which members of ics_warm.h are on file, how wide, and what they may hold. Whatever a file says is
 * within these limits before the model sees it. A changed table is another layout, and older files are refused.
 */
#include "state.h"

#include <stddef.h>

#define WIDTH(t, m) (sizeof(((struct t *)0)->m))
#define INT(t, m, max)                                                                                                 \
	{                                                                                                              \
		offsetof(struct t, m), WIDTH(t, m), FIELD_INT, 1, max                                                  \
	}
#define U(t, m) INT(t, m, UINT64_MAX)
#define BYTES(t, m)                                                                                                    \
	{                                                                                                              \
		offsetof(struct t, m), 1, FIELD_INT, WIDTH(t, m), UINT8_MAX                                            \
	}
#define TEXT(t, m)                                                                                                     \
	{                                                                                                              \
		offsetof(struct t, m), 1, FIELD_TEXT, WIDTH(t, m), 0                                                   \
	}
#define PAST(t, m)                                                                                                     \
	{                                                                                                              \
		offsetof(struct t, m), 8, FIELD_PAST, 1, 0                                                             \
	}
#define UNTIL(t, m)                                                                                                    \
	{                                                                                                              \
		offsetof(struct t, m), 8, FIELD_UNTIL, 1, 0                                                            \
	}
#define INTS(t, m, max)                                                                                                \
	{                                                                                                              \
		offsetof(struct t, m), WIDTH(t, m[0]), FIELD_INT, WIDTH(t, m) / WIDTH(t, m[0]), max                    \
	}
#define PASTS(t, m)                                                                                                    \
	{                                                                                                              \
		offsetof(struct t, m), 8, FIELD_PAST, WIDTH(t, m) / 8, 0                                               \
	}

#define SEGMENT_MAX (ICS_SEGMENTS_MAX - 1)
/* Sums of a few of them do not overflow. */
#define SPAN_MAX (1ull << 60)
#define PLEN_MAX 128
/* The farthest that a 32-bit lifetime reaches. */
#define AHEAD_MAX (UINT32_MAX * 1000000000ull)

static const struct field model[] = {U(ics_warm_model, prefix_seed)};

static const struct field segment[] = {
	INT(ics_warm_segment, s.id, SEGMENT_MAX),
	U(ics_warm_segment, s.key.port),
	U(ics_warm_segment, s.key.encap),
	U(ics_warm_segment, s.key.vlan_outer),
	U(ics_warm_segment, s.key.vlan_inner),
	PAST(ics_warm_segment, s.first_ns),
	PAST(ics_warm_segment, s.last_ns),
	U(ics_warm_segment, s.routes_created),
	U(ics_warm_segment, s.dads),
	PAST(ics_warm_segment, s.seen.start_ns),
	U(ics_warm_segment, s.seen.asked),
	U(ics_warm_segment, s.seen.answered),
	U(ics_warm_segment, s.seen.last_asked),
	U(ics_warm_segment, s.seen.last_answered),
	U(ics_warm_segment, routes.total),
	INTS(ics_warm_segment, routes.by_cause, UINT32_MAX),
	PASTS(ics_warm_segment, routes.ring_ns),
};

static const struct field router[] = {
	INT(ics_warm_router, r.segment, SEGMENT_MAX),
	BYTES(ics_warm_router, r.addr),
	BYTES(ics_warm_router, r.mac),
	INT(ics_warm_router, r.n_macs, ICS_ROUTER_MACS),
	INT(ics_warm_router, r.state, ICS_ROUTER_EXPIRED),
	PAST(ics_warm_router, r.first_ns),
	PAST(ics_warm_router, r.last_ra_ns),
	UNTIL(ics_warm_router, r.expires_ns),
	PAST(ics_warm_router, r.last_r1_ns),
	PAST(ics_warm_router, r.last_r0_ns),
	PAST(ics_warm_router, r.retracted_ns),
	PAST(ics_warm_router, r.dad_ns),
	PAST(ics_warm_router, r.last_nonzero_ra_ns),
	PAST(ics_warm_router, r.default_ns),
	INT(ics_warm_router, r.lifetime_s, UINT16_MAX),
	INT(ics_warm_router, r.last_nonzero_lifetime_s, UINT16_MAX),
	U(ics_warm_router, r.reachable_ms),
	U(ics_warm_router, r.retrans_ms),
	U(ics_warm_router, r.mtu),
	U(ics_warm_router, r.cur_hop_limit),
	U(ics_warm_router, r.flags),
	INT(ics_warm_router, r.ra_count, SPAN_MAX),
	INT(ics_warm_router, r.zero_ra_count, SPAN_MAX),
	INT(ics_warm_router, r.r0_count, SPAN_MAX),
	INT(ics_warm_router, r.transitions, SPAN_MAX),
	PAST(ics_warm_router, r.last_multicast_ra_ns),
	INT(ics_warm_router, r.interval_ewma_ns, SPAN_MAX),
	INT(ics_warm_router, r.interval_max_ns, SPAN_MAX),
	U(ics_warm_router, r.n_intervals),
	U(ics_warm_router, r.routes_created),
	INT(ics_warm_router, r.unicast_ra_count, SPAN_MAX),
	PAST(ics_warm_router, gone_ns),
	U(ics_warm_router, cycles),
	PASTS(ics_warm_router, cycle_down_ns),
	PASTS(ics_warm_router, cycle_up_ns),
	INTS(ics_warm_router, cycle_by_na, 1),
};

static const struct field advertiser[] = {
	INT(ics_advertiser, segment, SEGMENT_MAX),
	BYTES(ics_advertiser, router),
	U(ics_advertiser, round),
	PAST(ics_advertiser, first_ns),
	PAST(ics_advertiser, round_ns),
	PAST(ics_advertiser, any_ns),
	U(ics_advertiser, ras),
	INTS(ics_advertiser, value, UINT32_MAX),
	INTS(ics_advertiser, steady, UINT16_MAX),
};

static const struct field prefix[] = {
	INT(ics_prefix, segment, SEGMENT_MAX),
	BYTES(ics_prefix, router),
	BYTES(ics_prefix, value),
	INT(ics_prefix, kind, ICS_PREFIX_KINDS - 1),
	INT(ics_prefix, plen, PLEN_MAX),
	U(ics_prefix, flags),
	U(ics_prefix, max_gap),
	U(ics_prefix, steady),
	U(ics_prefix, valid_s),
	U(ics_prefix, preferred_s),
	U(ics_prefix, prev_valid_s),
	U(ics_prefix, prev_preferred_s),
	U(ics_prefix, count),
	U(ics_prefix, rounds),
	U(ics_prefix, round_seen),
	PAST(ics_prefix, first_ns),
	PAST(ics_prefix, last_ns),
	UNTIL(ics_prefix, valid_until_ns),
	UNTIL(ics_prefix, preferred_until_ns),
	TEXT(ics_prefix, text),
};

static const struct field route[] = {
	INT(ics_warm_route, segment, SEGMENT_MAX),
	BYTES(ics_warm_route, prefix),
	BYTES(ics_warm_route, router),
	INT(ics_warm_route, plen, PLEN_MAX),
	INT(ics_warm_route, cause, ICS_ROUTE_CAUSES - 1),
	UNTIL(ics_warm_route, expires_ns),
};

static const struct field host[] = {
	INT(ics_warm_host, segment, SEGMENT_MAX),
	BYTES(ics_warm_host, mac),
	BYTES(ics_warm_host, other),
	U(ics_warm_host, flags),
	PAST(ics_warm_host, first_ns),
	PAST(ics_warm_host, last_ns),
	PAST(ics_warm_host, last_rs_ns),
	PAST(ics_warm_host, last_dad_ns),
	PAST(ics_warm_host, boot_ns),
	U(ics_warm_host, routes_base),
	U(ics_warm_host, routes_extra),
};

static const struct field binding[] = {
	INT(ics_warm_binding, segment, SEGMENT_MAX),
	BYTES(ics_warm_binding, addr),
	BYTES(ics_warm_binding, mac),
	BYTES(ics_warm_binding, prev),
	BYTES(ics_warm_binding, host),
	U(ics_warm_binding, flags),
	INT(ics_warm_binding, iid, ICS_IID_COUNT - 1),
	INT(ics_warm_binding, proven, 1),
	U(ics_warm_binding, changes),
	PAST(ics_warm_binding, first_ns),
	PAST(ics_warm_binding, last_ns),
};

#define KIND(fields)                                                                                                   \
	{                                                                                                              \
		fields, ICS_ARRAY_LEN(fields), 0, false                                                                \
	}
#define KIND_BY(fields, t, m)                                                                                          \
	{                                                                                                              \
		fields, ICS_ARRAY_LEN(fields), offsetof(struct t, m), true                                             \
	}

const struct kind state_kinds[ICS_WARM_KINDS] = {
	[ICS_WARM_MODEL] = KIND(model),
	[ICS_WARM_SEGMENT] = KIND(segment),
	[ICS_WARM_ROUTER] = KIND(router),
	[ICS_WARM_ADVERTISER] = KIND(advertiser),
	[ICS_WARM_PREFIX] = KIND_BY(prefix, ics_prefix, last_ns),
	[ICS_WARM_ROUTE] = KIND(route),
	[ICS_WARM_HOST] = KIND(host),
	[ICS_WARM_BINDING] = KIND_BY(binding, ics_warm_binding, last_ns),
};

uint32_t
state_entry_len(enum ics_warm_kind k)
{
	uint32_t len = 0;

	for (unsigned i = 0; i < state_kinds[k].n_fields; i++)
		len += (uint32_t)state_kinds[k].field[i].width * state_kinds[k].field[i].count;
	return len;
}

uint64_t
state_layout(void)
{
	uint64_t h = STATE_SUM_SEED;

	for (unsigned k = 0; k < ICS_WARM_KINDS; k++)
		for (unsigned i = 0; i < state_kinds[k].n_fields; i++) {
			const struct field *f = &state_kinds[k].field[i];

			h = ics_hash_mix(h, (uint64_t)k << 48 | (uint64_t)f->type << 40 | (uint64_t)f->width << 32 |
						    f->count);
			h = ics_hash_mix(h, f->max);
		}
	return h;
}

static uint64_t
load(const void *p, unsigned width)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (width) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		memcpy(&v2, p, 2);
		return v2;
	case 4:
		memcpy(&v4, p, 4);
		return v4;
	default:
		memcpy(&v8, p, 8);
		return v8;
	}
}

static void
store(void *p, uint64_t v, unsigned width)
{
	uint32_t v4 = (uint32_t)v;
	uint16_t v2 = (uint16_t)v;
	uint8_t v1 = (uint8_t)v;

	memcpy(p, width == 1 ? (void *)&v1 : width == 2 ? (void *)&v2 : width == 4 ? (void *)&v4 : (void *)&v, width);
}

static bool
is_time(const struct field *f, uint64_t v)
{
	return f->type == FIELD_PAST ? v != 0 : f->type == FIELD_UNTIL && v != 0 && v != UINT64_MAX;
}

/* What was is never 0, which means that it was not. */
static uint64_t
earlier(uint64_t t, uint64_t by)
{
	return t > by ? t - by : 1;
}

void
state_encode(enum ics_warm_kind k, const union ics_warm *w, uint64_t offset_ns, uint8_t *out)
{
	for (unsigned i = 0; i < state_kinds[k].n_fields; i++) {
		const struct field *f = &state_kinds[k].field[i];
		const uint8_t *p = (const uint8_t *)w + f->off;

		if (f->width == 1) {
			memcpy(out, p, f->count);
			out += f->count;
			continue;
		}
		for (unsigned n = 0; n < f->count; n++, p += f->width, out += f->width) {
			uint64_t v = load(p, f->width);

			put_le(out, is_time(f, v) ? earlier(v, offset_ns) : v, f->width);
		}
	}
}

static bool
is_text(const uint8_t *p, unsigned len)
{
	unsigned n = 0;

	while (n < len && p[n] > 0x20 && p[n] < 0x7f)
		n++;
	if (n == len)
		return false;
	for (; n < len; n++)
		if (p[n] != 0)
			return false;
	return true;
}

static bool
is_in_range(const struct field *f, uint64_t v, uint64_t saved_ns)
{
	switch (f->type) {
	case FIELD_INT:
		return v <= f->max;
	case FIELD_PAST:
		return v <= saved_ns;
	case FIELD_UNTIL:
		return v == UINT64_MAX || v <= saved_ns + AHEAD_MAX;
	default:
		return true;
	}
}

bool
state_decode(enum ics_warm_kind k, const uint8_t *in, uint64_t saved_ns, uint64_t back_ns, union ics_warm *w)
{
	memset(w, 0, sizeof(*w));
	for (unsigned i = 0; i < state_kinds[k].n_fields; i++) {
		const struct field *f = &state_kinds[k].field[i];
		uint8_t *p = (uint8_t *)w + f->off;

		if (f->type == FIELD_TEXT && !is_text(in, f->count))
			return false;
		for (unsigned n = 0; n < f->count; n++, p += f->width, in += f->width) {
			uint64_t v = get_le(in, f->width);

			if (!is_in_range(f, v, saved_ns))
				return false;
			store(p, is_time(f, v) ? earlier(v, back_ns) : v, f->width);
		}
	}
	return true;
}
