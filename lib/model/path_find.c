/* The way to a row of the path table: by key, in order, and out again when ten minutes have passed since its last message
 * (RFC 8201 4, RFC 1191 6.3). Called by path.c, the detectors, reports and telemetry.
 */
#include "path.h"

/* The sweep looks at so many places a turn: the whole table once a minute. */
#define SWEEP_NS 4000000000ull
#define SWEEP_ROWS 17500
#define AGE_COARSE ((uint32_t)(ICS_PATH_AGE_NS / ICS_COARSE_NS))

uint32_t
ics_path_context(const struct ics_segment_key *k)
{
	return (uint32_t)k->vlan_outer << 16 | k->vlan_inner;
}

struct ics_segment_key
ics_path_context_key(uint32_t context)
{
	return (struct ics_segment_key){.vlan_outer = (uint16_t)(context >> 16), .vlan_inner = (uint16_t)context};
}

const char *
ics_path_class_name(enum ics_path_class c)
{
	static const char *const names[] = {
		[ICS_PATH_TCP] = "tcp",
		[ICS_PATH_UDP] = "udp",
		[ICS_PATH_OTHER] = "other",
	};

	return (unsigned)c < ICS_ARRAY_LEN(names) ? names[c] : "any";
}

enum ics_path_class
ics_path_class_of(uint8_t proto)
{
	return proto == ICS_PROTO_TCP ? ICS_PATH_TCP : proto == ICS_PROTO_UDP ? ICS_PATH_UDP : ICS_PATH_OTHER;
}

unsigned
ics_path_prefix_len(const struct ics_ip *addr)
{
	return ics_ip6_is_v4mapped(addr->b) ? 24 : 48;
}

struct ics_ip
ics_path_prefix(const struct ics_ip *addr)
{
	unsigned octets = ics_ip6_is_v4mapped(addr->b) ? 15 : 6;
	struct ics_ip p = *addr;

	memset(p.b + octets, 0, 16 - octets);
	return p;
}

static bool
is_over(const struct ics_model *m, const struct ics_path *p)
{
	return age_of(m, p->last_at) >= AGE_COARSE;
}

static uint64_t
coarse_to_ns(const struct ics_model *m, uint32_t at)
{
	uint64_t age = (uint64_t)age_of(m, at) * ICS_COARSE_NS;

	return age < m->clock.now_ns ? m->clock.now_ns - age : 0;
}

uint64_t
ics_path_first_ns(const struct ics_model *m, const struct ics_path *p)
{
	return coarse_to_ns(m, p->first_at);
}

uint64_t
ics_path_last_ns(const struct ics_model *m, const struct ics_path *p)
{
	return coarse_to_ns(m, p->last_at);
}

struct ics_reporter *
ics_reporter_get(struct ics_model *m, uint32_t context, const struct ics_ip *addr)
{
	struct reporter_key key = {*addr, context};
	uint32_t i = ics_table_find(&m->paths.reporters, &key);

	return i == 0 ? NULL : ics_table_at(&m->paths.reporters, i);
}

void
ics_path_remove(struct ics_model *m, uint32_t i)
{
	struct ics_path *p = path_at(m, i);
	struct ics_reporter *r = ics_reporter_get(m, p->context, &p->reporter);

	if (r != NULL && r->rows != 0)
		r->rows--;
	if (p->flags & ICS_PATH_FLOODED)
		m->paths.flooded--;
	ics_table_remove(&m->paths.rows, i);
}

uint32_t
ics_path_row(struct ics_model *m, const struct path_key *key)
{
	uint32_t i = ics_table_find(&m->paths.rows, key);

	if (i != 0 && is_over(m, path_at(m, i))) {
		ics_path_remove(m, i);
		m->stats.path_expiries++;
		return 0;
	}
	return i;
}

const struct ics_path *
ics_path_find(struct ics_model *m, uint32_t context, const struct ics_ip *host, const struct ics_ip *far,
	      enum ics_path_class class)
{
	const struct ics_path *best = NULL;

	for (unsigned c = 0; c < ICS_PATH_CLASSES; c++) {
		struct path_key key = {*host, *far, context, c};
		uint32_t i = class == ICS_PATH_CLASSES || class == c ? ics_path_row(m, &key) : 0;

		if (i != 0 && (best == NULL || path_at(m, i)->mtu < best->mtu))
			best = path_at(m, i);
	}
	return best;
}

const struct ics_path *
ics_path_next(const struct ics_model *m, uint32_t *index)
{
	const struct ics_table *t = &m->paths.rows;
	uint32_t i = *index == 0 ? 1 : *index;

	for (unsigned n = 0; n < ICS_PATH_STEPS && i <= t->fresh; n++, i++)
		if (ics_table_is_live(t, i) && !is_over(m, path_at(m, i))) {
			*index = i;
			return path_at(m, i);
		}
	*index = i <= t->fresh ? i : 0;
	return NULL;
}

uint32_t
ics_path_last(const struct ics_model *m)
{
	return m->paths.rows.fresh;
}

const struct ics_reporter *
ics_reporter_find(struct ics_model *m, uint32_t context, const struct ics_ip *addr)
{
	return ics_reporter_get(m, context, addr);
}

const struct ics_reporter *
ics_reporter_next(const struct ics_model *m, uint32_t *index)
{
	const struct ics_table *t = &m->paths.reporters;

	for (uint32_t i = *index == 0 ? 1 : *index; i <= t->fresh; i++)
		if (ics_table_is_live(t, i)) {
			*index = i;
			return ics_table_at(t, i);
		}
	return NULL;
}

static void
on_sweep(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;
	struct ics_paths *ps = &m->paths;
	uint32_t n = ps->rows.fresh < SWEEP_ROWS ? ps->rows.fresh : SWEEP_ROWS;

	for (; n != 0; n--) {
		ps->hand = ps->hand < ps->rows.fresh ? ps->hand + 1 : 1;
		if (!ics_table_is_live(&ps->rows, ps->hand) || !is_over(m, path_at(m, ps->hand)))
			continue;
		ics_path_remove(m, ps->hand);
		m->stats.path_expiries++;
	}
	if (ps->rows.count != 0)
		(void)ics_timer_set(&m->clock.timers, t, now_ns + SWEEP_NS);
}

int
ics_paths_init(struct ics_model *m, uint64_t seed)
{
	struct ics_paths *ps = &m->paths;
	int err;

	ps->sweep.owner = m;
	ps->sweep.fire = on_sweep;
	err = ics_table_init(&ps->rows, sizeof(struct ics_path), sizeof(struct path_key), ICS_PATHS_MAX,
			     ics_hash_mix(seed, 1));
	if (err == 0)
		err = ics_table_init(&ps->reporters, sizeof(struct ics_reporter), sizeof(struct reporter_key),
				     ICS_REPORTERS_MAX, ics_hash_mix(seed, 2));
	if (err == 0)
		err = ics_holes_init(m, ics_hash_mix(seed, 3));
	return err;
}

void
ics_paths_fini(struct ics_model *m)
{
	ics_table_fini(&m->paths.rows);
	ics_table_fini(&m->paths.reporters);
	ics_table_fini(&m->paths.holes);
}

void
ics_paths_watch(struct ics_model *m)
{
	if (m->paths.sweep.pos == 0)
		(void)ics_timer_set(&m->clock.timers, &m->paths.sweep, m->clock.now_ns + SWEEP_NS);
}
