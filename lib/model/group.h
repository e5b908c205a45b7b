/* Groups and memberships inside the model: what group.c, member.c and mcast.c share. */
#ifndef ICS_MODEL_GROUP_H
#define ICS_MODEL_GROUP_H

#include "model_priv.h"

#define ICS_PORTS_MAX 256
/* 24 hours. */
#define ICS_TREND_POINTS 96
#define ICS_TREND_NS 900000000000ull

struct ics_domain {
	struct ics_mcast_load load;
	uint32_t point[ICS_TREND_POINTS]; /* entries used, one each quarter of an hour */
	uint32_t n, next;
};

struct ics_mcast {
	struct ics_table groups, members;
	struct ics_timer sweep, trend;
	uint32_t sweep_hand;
	uint64_t probes;      /* for room that were made */
	uint64_t mali_min_ns; /* of all segments: what is younger need not be looked at */
	struct ics_domain domain[ICS_PORTS_MAX];
};

static inline struct ics_group *
group_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->mcast->groups, i);
}

static inline struct ics_member *
member_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->mcast->members, i);
}

static inline struct ics_host *
member_host(const struct ics_model *m, const struct ics_member *e)
{
	return ics_table_at(&m->hosts, e->host);
}

/* group.c. Indexes, 0: there is none. */
uint32_t ics_group_get(struct ics_model *m, const struct seg_entry *seg, const uint8_t *addr);
uint32_t ics_member_get(struct ics_model *m, uint32_t group, uint32_t host);
/* Of the group that is new next, most probably. */
uint32_t ics_group_next(const struct ics_mcast *c);
/* Where a group and a membership probably are, 0: no idea; saves the look-up where it is right. */
struct ics_member_hint {
	uint32_t group, member;
};
bool ics_group_is(const struct ics_model *m, uint32_t i, const struct seg_entry *seg, const uint8_t *addr);
/* The host is in the group, as it says in msg: made where it is new, else refreshed. NULL: there is no room. */
struct ics_member *ics_member_join(struct ics_model *m, struct seg_entry *seg, const uint8_t *addr, uint32_t host,
				   const struct ics_msg *msg, struct ics_member_hint hint, bool *is_new);
/* The group goes with its last member. */
void ics_member_remove(struct ics_model *m, uint32_t i);
void ics_host_set_mld_version(struct ics_model *m, struct seg_entry *seg, uint32_t host, uint8_t version);

/* mcast.c */
void ics_trend_start(struct ics_model *m);

#endif
