/* Multicast groups and who is in them, as a router or a snooping switch would know it that follows every host (RFC 9777
 * 6, 7.2 and appendix B.3; RFC 2710 4): from reports and dones of both versions. And how full that makes the multicast
 * table of a switch, with a forecast. Part of ics_model.h.
 */
#ifndef ICS_GROUP_H
#define ICS_GROUP_H

#include "ics_msg.h"
#include "ics_table.h"

#define ICS_GROUPS_MAX 262144
#define ICS_GROUPS_PER_SEGMENT (ICS_GROUPS_MAX / 4)
#define ICS_MEMBERS_MAX 2097152
#define ICS_MEMBERS_PER_SEGMENT (ICS_MEMBERS_MAX / 4)
#define ICS_MEMBERS_PER_MAC 4096
/* RFC 9777 9.4 with the default values of 9.1 to 9.3: two intervals of 125 s and 10 s to answer. */
#define ICS_MALI_DEFAULT_NS 260000000000ull
/* Records in one report of 1,500 octets: what a version 2 host says in one packet. */
#define ICS_RECORDS_PER_PACKET 72

struct ics_group {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	uint32_t members;        /* at least one */
	uint32_t last_at, v1_at; /* ICS_COARSE(): its latest report, its latest version 1 report; 0: never */
	uint32_t reports;        /* saturates */
	uint32_t reporter;       /* index of the host that sent the latest */
};

#define ICS_MEMBER_V1 0x01      /* its latest report was version 1: others may have answered for it */
#define ICS_MEMBER_INCLUDE 0x02 /* from certain sources only */
#define ICS_MEMBER_SNM 0x04     /* of a solicited-node group */
#define ICS_MEMBER_AGAIN 0x08   /* reported more than once */
#define ICS_MEMBER_SOURCES 3    /* fingerprints that are kept */
#define ICS_MEMBER_MANY 255
/* Unit of last: good for three days, and nobody is a member for so long without a report. */
#define ICS_MEMBER_UNIT_NS (1u << 28)
struct ics_member {
	struct ics_table_head head;
	uint32_t group, host;                /* indexes; together the key */
	uint64_t older : 22, newer : 22;     /* in the list of its host, in order of joining */
	uint64_t last : 20;                  /* when it was reported, in ICS_MEMBER_UNIT_NS */
	uint16_t source[ICS_MEMBER_SOURCES]; /* INCLUDE: fingerprints */
	uint8_t n_sources;                   /* of them; ICS_MEMBER_MANY: more than there is room for */
	uint8_t flags;
};

/* What the members of a segment, or of all segments of a port, come to. */
struct ics_mcast_load {
	uint32_t groups, memberships;
	uint32_t snm;      /* of the memberships: in solicited-node groups */
	uint32_t hosts;    /* with at least one membership */
	uint32_t v1_hosts; /* of them: they speak version 1 */
	uint32_t packets;  /* that a general query makes them send: one a group in version 1, else one for 72 groups */
	uint32_t entries;  /* one for each group and port, with detect.hosts_per_port behind each */
};

/* What a report or done changed. */
struct ics_mcast_change {
	uint32_t records, joined, left;
};

/* How full the multicast table of the switch is (F3: which entries a switch makes differs, so the model is named). Its
 * domain is a port of the tap: all VLANs that one switch carries share its table.
 */
struct ics_table_forecast {
	uint32_t cap;
	const char *model; /* "group", "port", "port2" */
	uint32_t port;     /* of the tap */
	uint64_t used;
	uint32_t percent;
	struct ics_mcast_load load;
	uint32_t per_host_100;  /* entries that a host takes on average, in hundredths; 0: there is no host */
	uint64_t hosts_to_full; /* so many more; only where per_host_100 is not 0 */
	uint64_t hosts_at_full; /* so many in all; likewise */
	bool has_trend;         /* it grew steadily for 24 h: */
	uint64_t per_day;       /* entries */
	uint64_t hours_to_full;
};

/* Groups per host over a port or a segment. */
#define ICS_MCAST_TOP 10
struct ics_mcast_hosts {
	uint32_t hosts, p50, p95, max;
	unsigned n_top;
	struct {
		struct ics_mac mac;
		uint32_t id, segment, groups, snm; /* id: index in the table of hosts */
		uint8_t version;
	} top[ICS_MCAST_TOP]; /* most groups first */
};

struct ics_model;
struct ics_host;
struct ics_segment;

/* How long a membership of the segment lives that is not reported again: by what its querier says, or as that asks. */
uint64_t ics_model_mali_ns(const struct ics_model *m, uint32_t segment);

uint64_t ics_model_group_count(const struct ics_model *m);
uint64_t ics_model_member_count(const struct ics_model *m);
const struct ics_group *ics_model_group_find(struct ics_model *m, uint32_t segment, const struct ics_ip *addr);
/* Groups in order of their index in the table: see ics_model_binding_next(). */
#define ICS_GROUP_STEPS 65536
const struct ics_group *ics_model_group_next(const struct ics_model *m, uint32_t *index);
uint32_t ics_model_group_last(const struct ics_model *m);                               /* no index is higher */
uint64_t ics_model_group_last_ns(const struct ics_model *m, const struct ics_group *g); /* its latest report */
uint64_t ics_model_now_ns(const struct ics_model *m);
const struct ics_group *ics_model_group_at(const struct ics_model *m, uint32_t index); /* NULL: it is free */

/* NULL: this MAC is not in the group. */
const struct ics_member *ics_model_member_find(struct ics_model *m, uint32_t segment, const struct ics_mac *mac,
					       const struct ics_ip *group);
const struct ics_member *ics_model_host_in_group(struct ics_model *m, const struct ics_host *h,
						 const struct ics_ip *group);
/* The memberships of a host, the latest joined first: begin with after = NULL; at most ICS_MEMBERS_PER_MAC. */
const struct ics_member *ics_model_host_member(const struct ics_model *m, const struct ics_host *h,
					       const struct ics_member *after);
const struct ics_group *ics_model_member_group(const struct ics_model *m, const struct ics_member *e);
/* When it was last reported, to about a quarter of a second. */
uint64_t ics_model_member_last_ns(const struct ics_model *m, const struct ics_member *e);

/* MLD messages a second, of the latest ten seconds that are over. */
uint32_t ics_segment_mld_pps(const struct ics_segment *s, uint64_t now_ns);
/* Of all segments of a port of the tap. */
const struct ics_mcast_load *ics_model_port_mcast(const struct ics_model *m, uint8_t port);
uint32_t ics_model_table_cap(const struct ics_model *m);
uint64_t ics_model_table_used(const struct ics_model *m, uint8_t port);
void ics_model_forecast(const struct ics_model *m, uint8_t port, struct ics_table_forecast *out);
/* One pass over all hosts: for reports and evidence, not for every record. segment UINT32_MAX: all of the port. */
void ics_model_mcast_hosts(const struct ics_model *m, uint8_t port, uint32_t segment, struct ics_mcast_hosts *out);

#endif
