/* Internal to the path files of the model: keys, and the way to a row. */
#ifndef ICS_MODEL_PATH_H
#define ICS_MODEL_PATH_H

#include "model_priv.h"

struct path_key {
	struct ics_ip host, far;
	uint32_t context, class;
};

struct reporter_key {
	struct ics_ip addr;
	uint32_t context;
};

_Static_assert(offsetof(struct ics_path, mtu) == sizeof(struct ics_table_head) + sizeof(struct path_key), "key first");

static inline struct ics_path *
path_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->paths.rows, i);
}

static inline uint32_t
age_of(const struct ics_model *m, uint32_t at)
{
	return ICS_COARSE(m->clock.now_ns) - at;
}

/* Index of the row, 0 when there is none or its time is over. */
uint32_t ics_path_row(struct ics_model *m, const struct path_key *key);
void ics_path_remove(struct ics_model *m, uint32_t row);
/* NULL: not known. */
struct ics_reporter *ics_reporter_get(struct ics_model *m, uint32_t context, const struct ics_ip *addr);
/* Begins to let go of what nobody tells any more. */
void ics_paths_watch(struct ics_model *m);

#endif
