/* Black holes: paths on which packets of the usual size vanish, as the detectors find them (RFC 2923 2.1). Kept here for
 * those who give advice about them. Called by the detectors.
 */
#include "model_priv.h"

struct hole_key {
	struct ics_ip host, far;
	uint32_t context, kind;
};

int
ics_holes_init(struct ics_model *m, uint64_t seed)
{
	return ics_table_init(&m->paths.holes, sizeof(struct ics_hole), sizeof(struct hole_key), ICS_BLACK_HOLES_MAX,
			      seed);
}

static struct ics_hole *
hole_get(struct ics_model *m, const struct hole_key *key)
{
	uint32_t i = m->paths.holes.count == 0 ? 0 : ics_table_find(&m->paths.holes, key);

	return i == 0 ? NULL : ics_table_at(&m->paths.holes, i);
}

/* Rows of the path are kept while it has a hole. */
static void
mark_rows(struct ics_model *m, const struct ics_hole *h, enum ics_path_mark what)
{
	for (unsigned c = 0; c < ICS_PATH_CLASSES; c++) {
		const struct ics_path *p = ics_path_find(m, h->context, &h->host, &h->far, (enum ics_path_class)c);

		if (p != NULL)
			ics_path_mark(m, p, what);
	}
}

const struct ics_hole *
ics_hole_set(struct ics_model *m, const struct ics_hole *in)
{
	struct hole_key key = {in->host, in->far, in->context, in->kind};
	struct ics_hole *h = hole_get(m, &key);
	uint64_t first_ns = h != NULL ? h->first_ns : m->clock.now_ns;
	struct ics_table_head head;

	if (h == NULL) {
		uint32_t i = ics_table_insert(&m->paths.holes, &key);

		if (i == 0) {
			m->stats.hole_drops++;
			return NULL;
		}
		h = ics_table_at(&m->paths.holes, i);
	}
	head = h->head;
	*h = *in;
	h->head = head;
	h->first_ns = first_ns;
	h->last_ns = m->clock.now_ns;
	mark_rows(m, h, ICS_PATH_MARK_HOLE);
	if (m->paths.on_hole != NULL)
		m->paths.on_hole(m->paths.hole_ctx, h, true);
	return h;
}

void
ics_hole_end(struct ics_model *m, uint32_t context, const struct ics_ip *host, const struct ics_ip *far,
	     enum ics_hole_kind kind)
{
	struct hole_key key = {*host, *far, context, kind};
	struct ics_hole *h = hole_get(m, &key);

	if (h == NULL)
		return;
	if (m->paths.on_hole != NULL)
		m->paths.on_hole(m->paths.hole_ctx, h, false);
	mark_rows(m, h, ICS_PATH_UNMARK_HOLE);
	ics_table_remove(&m->paths.holes, ics_table_index(&m->paths.holes, h));
}

const struct ics_hole *
ics_hole_find(struct ics_model *m, uint32_t context, const struct ics_ip *host, const struct ics_ip *far,
	      enum ics_hole_kind kind)
{
	struct hole_key key = {*host, *far, context, kind};

	return hole_get(m, &key);
}

const struct ics_hole *
ics_hole_next(const struct ics_model *m, uint32_t *index)
{
	const struct ics_table *t = &m->paths.holes;

	for (uint32_t i = *index == 0 ? 1 : *index; i <= t->fresh; i++)
		if (ics_table_is_live(t, i)) {
			*index = i;
			return ics_table_at(t, i);
		}
	return NULL;
}

void
ics_model_on_hole(struct ics_model *m, ics_hole_fn fn, void *ctx)
{
	m->paths.on_hole = fn;
	m->paths.hole_ctx = ctx;
}
