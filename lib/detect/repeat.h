/* What the detectors of repetition share: who repeats on a segment, alone or together with everybody. */
#ifndef ICS_DETECT_REPEAT_H
#define ICS_DETECT_REPEAT_H

#include "detect_priv.h"

/* Messages in each of the latest ten seconds. */
struct ics_seconds {
	uint64_t sec;
	uint32_t n[10], sum;
};

/* Those who repeat on a segment, without the ones of which it is clear that they are alone with it. */
struct ics_chorus {
	unsigned macs;     /* of those that make up the number asked for */
	bool other_kind;   /* one of them repeats something else than MLD reports */
	bool others_speak; /* somebody who does not repeat was heard within the latest ten seconds */
	uint64_t since_ns; /* all of them do since then */
	const struct ics_repeater *who[ICS_REPEATERS];
};

/* MACs that repeat something at the same time, and are a loop then. */
#define ICS_CHORUS_MACS 3
/* Or so many, when it is not MLD reports alone. */
#define ICS_DUET_MACS 2

/* repeat.c. Adds n to second sec; returns the sum of the latest ten. */
uint32_t ics_seconds_add(struct ics_seconds *s, uint64_t sec, uint32_t n);
/* It repeats MLD reports, while messages of others came once: a broken network card, and no loop. */
bool ics_repeater_is_alone(const struct ics_repeater *r);
const struct ics_repeater *ics_detect_repeater(const struct ics_detector *d, uint32_t segment,
					       const struct ics_mac *mac);
/* Those with per_s copies a second and more, coming for min_ms and longer. */
void ics_detect_chorus(const struct ics_detector *d, uint32_t segment, uint32_t per_s, uint32_t min_ms,
		       struct ics_chorus *out);
/* They may well be a loop, that is: those who judge one machine wait for what l2_loop says. */
bool ics_chorus_may_loop(const struct ics_chorus *c);
/* "", or the vendor of the MAC. */
void ics_detect_set_vendor(struct ics_anomaly *a, const struct ics_mac *mac);
/* "0,1": numbers of the bits set in ports. */
const char *ics_detect_port_list(uint32_t ports, char buf[static ICS_FACT_TEXT_LEN]);

#endif
