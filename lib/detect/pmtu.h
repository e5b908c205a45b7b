/* What the detectors of ICMP errors share: keys, rates, names, and the facts of a path. */
#ifndef ICS_PMTU_H
#define ICS_PMTU_H

#include "detect_priv.h"

/* Messages in each second; over: seconds on end before this one that were above the limit. */
struct ics_rate {
	uint64_t sec;
	uint32_t n, over, last; /* last: the second before, or what it was when n is of a new one */
};
/* Adds n messages; how many seconds on end, this one included, were above the limit. */
uint32_t ics_rate_add(struct ics_rate *r, uint64_t ts_ns, uint32_t n, uint32_t limit);

/* Which entry of a table a frame was counted for: its folded copies are for the same. */
#define ICS_RECENT_FRAMES 256
struct ics_recent_frames {
	struct {
		uint64_t frame_hash;
		uint32_t index;
	} at[ICS_RECENT_FRAMES];
};
static inline void
ics_recent_put(struct ics_recent_frames *f, uint64_t frame_hash, uint32_t index)
{
	f->at[frame_hash % ICS_RECENT_FRAMES].frame_hash = frame_hash;
	f->at[frame_hash % ICS_RECENT_FRAMES].index = index;
}
/* 0: not among the recent ones. */
static inline uint32_t
ics_recent_find(const struct ics_recent_frames *f, uint64_t frame_hash)
{
	bool is_it = frame_hash != 0 && f->at[frame_hash % ICS_RECENT_FRAMES].frame_hash == frame_hash;

	return is_it ? f->at[frame_hash % ICS_RECENT_FRAMES].index : 0;
}

/* Whether the tap saw the flow that a message quotes. */
enum ics_flow_seen ics_pmtu_flow_seen(const struct ics_detector *d, const struct ics_quote *q);

/* Key of an episode about two addresses and a number. */
struct ics_ip ics_pmtu_key(const struct ics_detector *d, const struct ics_ip *a, const struct ics_ip *b, uint32_t n);
/* "tcp", "udp", "esp", ...; "protocol" for others. */
const char *ics_pmtu_proto(uint8_t proto);
/* Facts host, far, reporter, reporter_mac, proto and ports, quoted_len of the message in hand. */
void ics_pmtu_set_quote(struct ics_anomaly *a, const struct ics_quote *q);
void ics_pmtu_set_labels(struct ics_anomaly *a, const uint32_t *labels, unsigned n);
/* Fact guess_1 .. guess_3: "PPPoE (medium)". */
void ics_pmtu_set_guess(struct ics_anomaly *a, const struct ics_guess *g);
/* Facts mss4 and mss6. */
void ics_pmtu_set_mss(struct ics_anomaly *a, uint32_t mtu);
/* "192.0.2.10 port 40000", of a quoted packet's end. */
const char *ics_pmtu_end(const struct ics_ip *ip, uint16_t port, bool has_port, char buf[static 64]);
/* Name of a code of unreachable or time exceeded messages (RFC 792, 1122, 1812, 4443). */
const char *ics_unreach_name(bool is_ip4, uint8_t type, uint8_t code);

#endif
