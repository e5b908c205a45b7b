/* Recent directions of flows: what came by in this epoch and needs no second look, which is nearly all there is. Here, and
 * not in the sampler's own files, for the loop that goes over a burst: it asks while it has the header at hand.
 */
#ifndef ICS_RECENT_H
#define ICS_RECENT_H

#include "ics_wire.h"

/* A word each: 16 bits of the hash, 3 of the epoch, five that are 0, and 8 of the length up to which packets are of no
 * interest: the high octet of IPv4's total length or of IPv6's payload length. So one subtraction compares all of it:
 * word - (hash, epoch, length of the packet) is at most ICS_RECENT_LEN_MAX when the packet is of none.
 */
#define ICS_RECENT_SLOTS 16384 /* in pairs: a flow may be in either */
#define ICS_RECENT_LEN_MAX 0xffu
#define ICS_RECENT_HASH 0xffff0000u

struct ics_recent {
	uint32_t word[ICS_RECENT_SLOTS] __attribute__((aligned(64)));
	uint64_t seed[4];
	uint32_t epoch; /* its bits in the words */
};

/* Of one direction: as little work as tells flows apart. ports: both, as they lie there. */
static inline uint64_t
ics_recent_hash4(const struct ics_recent *r, uint64_t addrs, uint32_t ports, uint8_t proto)
{
	__uint128_t m = (__uint128_t)(addrs ^ r->seed[0]) * (r->seed[1] ^ ports ^ (uint64_t)proto << 32);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t
ics_recent_hash6(const struct ics_recent *r, const uint8_t *src, const uint8_t *dst, uint32_t ports, uint8_t proto)
{
	__uint128_t m = (__uint128_t)(ics_load_u64(src) ^ r->seed[0]) * (ics_load_u64(src + 8) ^ r->seed[1]) +
			(__uint128_t)(ics_load_u64(dst) ^ r->seed[2]) *
				(ics_load_u64(dst + 8) ^ r->seed[3] ^ ports ^ (uint64_t)proto << 32);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint32_t
ics_recent_word(const struct ics_recent *r, uint64_t hash, uint32_t len)
{
	return ((uint32_t)(hash >> 32) & ICS_RECENT_HASH) | r->epoch | len;
}

static inline bool
ics_recent_has(const struct ics_recent *r, uint64_t hash, uint32_t len)
{
	const uint32_t *pair = &r->word[hash * 2 % ICS_RECENT_SLOTS];
	uint32_t word = ics_recent_word(r, hash, len);

	return (pair[0] - word <= ICS_RECENT_LEN_MAX) | (pair[1] - word <= ICS_RECENT_LEN_MAX);
}

static inline uint32_t
ics_recent_ports(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ip: a header without options as ics_peek() settles it, and four octets behind it. */
static inline bool
ics_recent_has4(const struct ics_recent *r, const uint8_t *ip)
{
	uint32_t ports = ics_recent_ports(ip + 20);

	if (ics_unlikely(ip[9] != ICS_PROTO_TCP && ip[9] != ICS_PROTO_UDP))
		ports = 0;
	return ics_recent_has(r, ics_recent_hash4(r, ics_load_u64(ip + 12), ports, ip[9]), ip[2]);
}

static inline bool
ics_recent_has6(const struct ics_recent *r, const uint8_t *ip)
{
	return ics_recent_has(r, ics_recent_hash6(r, ip + 8, ip + 24, ics_recent_ports(ip + 40), ip[6]), ip[4]);
}

#endif
