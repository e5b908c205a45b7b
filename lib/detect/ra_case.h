/* What the detectors of RA contents share: who sent it, whether it is news at all, how severe, and wording. */
#ifndef ICS_RA_CASE_H
#define ICS_RA_CASE_H

#include "detect_priv.h"

#define DAY_NS (86400 * NS_PER_S)
/* A segment with more routers than this is being flooded with invented ones: ra_flood is the voice for them, and here
 * only what is about a router that was known for a while is told.
 */
#define RA_CROWD 16
/* Findings about newcomers that a detector opens a minute on a segment. */
#define RA_NEWCOMERS 3

/* The message that an episode is about, as far as all of them show it. */
struct ra_case {
	bool started, lenient, muted, has_mac, mac_known;
	struct ics_mac mac;
	struct ics_router router; /* as it was before; of an unknown one only the address */
	struct ics_defaults left; /* other DEFAULT routers */
	uint32_t hosts;
};

/* Takes the message in: lenient and muted only while all of them are. */
void ics_ra_case_note(struct ics_detector *d, struct ra_case *k, const struct ics_msg *msg, const struct ics_change *c);
/* The same of what the clock found, or an announcement that left something out. */
void ics_ra_case_render(struct ics_anomaly *a, const struct ra_case *k);
/* Severity with the modifiers of B1: one lower for what only lenient stacks act on, critical for a configured gateway. */
enum ics_severity ics_ra_case_severity(const struct ra_case *k, enum ics_severity s);
/* "fe80::1 (00:00:5e:00:53:01)", or, where the MAC is not the router's, who it is that claims to be it. */
void ics_ra_case_say_who(struct ics_anomaly *a, const struct ra_case *k);
/* Ends what the operator is told to do. */
void ics_ra_case_say_forger(struct ics_anomaly *a, const struct ra_case *k, const char *otherwise);

/* Not told here: a newcomer among invented routers, or one of more than a few a minute. Counted. Asked right before an
 * episode is opened.
 */
bool ics_ra_is_crowd(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c);
/* In detect.routers_allow or detect.gateways. */
bool ics_ra_is_allowed(const struct ics_detector *d, const struct ics_ip *router);
bool ics_ra_has_allow_list(const struct ics_detector *d);
/* A router that came up within a day, after others and not while the segment was learned; never an allowed one. With an allow list
 * one that is not in it is news at any time.
 */
bool ics_ra_is_new_router(const struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c);
/* "30 s", "20 min", "2 h", "30 days", "for ever" */
char *ics_ra_duration(uint64_t s, char buf[static 32]);
/* Appends ", text" to a list that ends in "..." when it is full. */
void ics_ra_list_add(char list[static ICS_FACT_TEXT_LEN], const char *text);

/* Seconds from now to a deadline; UINT32_MAX: for ever. */
static inline uint32_t
ra_left_s(uint64_t until_ns, uint64_t now_ns)
{
	if (until_ns == UINT64_MAX)
		return ICS_LIFETIME_INFINITE;
	return until_ns > now_ns ? (uint32_t)((until_ns - now_ns + NS_PER_S / 2) / NS_PER_S) : 0;
}

#endif
