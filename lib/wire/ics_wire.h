/* Bounded access to packet bytes, and what is written on the wire in so many words: addresses, protocol
 * numbers, checksum, hash. A view is a pointer and a length; every getter checks its bounds and reads zero
 * beyond them, so that no caller can run past what was captured. No packet memory is ever cast to a struct.
 */
#ifndef ICS_WIRE_H
#define ICS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ICS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ics_likely(x) __builtin_expect(!!(x), 1)
#define ics_unlikely(x) __builtin_expect(!!(x), 0)

/* ---- views -------------------------------------------------------------------------------------- */

/* Readable bytes. len counts bytes; p may be NULL only when len is 0. */
struct ics_view {
	const uint8_t *p;
	uint32_t len;
};

static inline bool
ics_view_has(struct ics_view v, uint32_t off, uint32_t n)
{
	return off <= v.len && n <= v.len - off;
}

static inline uint8_t
ics_view_u8(struct ics_view v, uint32_t off)
{
	return off < v.len ? v.p[off] : 0;
}

/* Unchecked big-endian loads, for offsets that the caller has proved with ics_view_has(). */
static inline uint16_t
ics_load_be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t
ics_load_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t
ics_load_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
ics_view_be16(struct ics_view v, uint32_t off)
{
	return ics_view_has(v, off, 2) ? ics_load_be16(v.p + off) : 0;
}

static inline uint32_t
ics_view_be32(struct ics_view v, uint32_t off)
{
	return ics_view_has(v, off, 4) ? ics_load_be32(v.p + off) : 0;
}

/* n bytes from off on, or as many of them as there are. */
static inline struct ics_view
ics_view_sub(struct ics_view v, uint32_t off, uint32_t n)
{
	if (off >= v.len)
		return (struct ics_view){v.p, 0};
	return (struct ics_view){v.p + off, n < v.len - off ? n : v.len - off};
}

/* ---- addresses ---------------------------------------------------------------------------------- */

/* An IPv6 address in network order; an IPv4 address is held as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
struct ics_ip {
	uint8_t b[16];
};

struct ics_mac {
	uint8_t b[6];
};

#define ICS_IP_STRLEN 46
#define ICS_MAC_STRLEN 18

static inline struct ics_ip
ics_ip_from6(const uint8_t *p)
{
	struct ics_ip a;

	memcpy(a.b, p, 16);
	return a;
}

static inline struct ics_ip
ics_ip_from4(const uint8_t *p)
{
	struct ics_ip a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};

	memcpy(a.b + 12, p, 4);
	return a;
}

static inline struct ics_mac
ics_mac_from(const uint8_t *p)
{
	struct ics_mac m;

	memcpy(m.b, p, 6);
	return m;
}

static inline bool
ics_ip_equal(const struct ics_ip *a, const struct ics_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool
ics_mac_equal(const struct ics_mac *a, const struct ics_mac *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Predicates over 16 bytes in network order (RFC 4291 2.4 to 2.7). */
static inline bool
ics_ip6_is_multicast(const uint8_t *a)
{
	return a[0] == 0xff;
}

static inline bool
ics_ip6_is_link_local(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static inline bool
ics_ip6_is_unspecified(const uint8_t *a)
{
	return (ics_load_u64(a) | ics_load_u64(a + 8)) == 0;
}

static inline bool
ics_ip6_is_loopback(const uint8_t *a)
{
	return ics_load_u64(a) == 0 && ics_load_be32(a + 8) == 0 && ics_load_be32(a + 12) == 1;
}

static inline bool
ics_ip6_is_v4mapped(const uint8_t *a)
{
	return ics_load_u64(a) == 0 && ics_load_be32(a + 8) == 0xffff;
}

/* ff02::1:ff00:0/104, RFC 4291 2.7.1 */
static inline bool
ics_ip6_is_solicited_node(const uint8_t *a)
{
	return ics_load_be32(a) == 0xff020000 && ics_load_be32(a + 4) == 0 && ics_load_be32(a + 8) == 1 &&
	       a[12] == 0xff;
}

/* ff02::<group>, the link-scope well-known groups: 1 all nodes, 2 all routers, 0x16 MLDv2 routers */
static inline bool
ics_ip6_is_link_group(const uint8_t *a, uint32_t group)
{
	return ics_load_be32(a) == 0xff020000 && ics_load_be32(a + 4) == 0 && ics_load_be32(a + 8) == 0 &&
	       ics_load_be32(a + 12) == group;
}

/* Text forms; both return buf. ICS_IP_STRLEN and ICS_MAC_STRLEN bytes suffice. */
char *ics_ip_format(const struct ics_ip *a, char buf[static ICS_IP_STRLEN]);
char *ics_mac_format(const struct ics_mac *m, char buf[static ICS_MAC_STRLEN]);
/* 0, or -EINVAL for text that is no address (IPv6, or IPv4 in dotted form). */
int ics_ip_parse(const char *text, struct ics_ip *out);
/* 0, or -EINVAL for text that is not six octets of one or two hex digits, split by ':' or '-'. */
int ics_mac_parse(const char *text, struct ics_mac *out);

/* ---- checksum and hash -------------------------------------------------------------------------- */

/* The last n bytes of something, 1 <= n <= 7, as if zeros followed. Loads that overlap, and no copy in memory: a load from
 * bytes that were just stored one by one waits until they have left the store queue.
 */
static inline uint64_t
ics_load_tail(const uint8_t *p, uint32_t n)
{
	uint32_t low, high;

	if (n < 4)
		return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
	memcpy(&low, p, sizeof(low));
	memcpy(&high, p + n - 4, sizeof(high));
	return low | (uint64_t)high << 8 * (n - 4);
}

/* One's complement sum of v on top of acc (RFC 1071), not yet folded; an odd length is padded with zero, so
 * only the last of several views may have one. Sums 32-bit words: 2^32 of them fit before it overflows.
 */
static inline uint64_t
ics_sum_add(uint64_t acc, struct ics_view v)
{
	const uint8_t *p = v.p;
	uint32_t n = v.len;
	uint64_t w;

	for (; n >= 8; n -= 8, p += 8) {
		w = ics_load_u64(p);
		acc += (w & 0xffffffff) + (w >> 32);
	}
	if (n != 0) {
		w = ics_load_tail(p, n);
		acc += (w & 0xffffffff) + (w >> 32);
	}
	return acc;
}

/* The sum folded to 16 bits in memory order: 0xffff (or 0) when a checksum over it verifies. */
static inline uint16_t
ics_sum_fold(uint64_t acc)
{
	acc = (acc & 0xffffffff) + (acc >> 32);
	acc = (acc & 0xffffffff) + (acc >> 32);
	acc = (acc & 0xffff) + (acc >> 16);
	acc = (acc & 0xffff) + (acc >> 16);
	acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)acc;
}

/* Full 64 by 64 bit product, its halves folded together. */
static inline uint64_t
ics_hash_mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xd6e8feb86659fd93ull);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Keyed 64-bit hash for tables over hostile bytes: two independent lanes of multiply and fold, 32 bytes a
 * step; both factors are keyed, so nobody without the seed can make one of them zero. No MAC; the seed is drawn per run so
 * that collisions cannot be prepared beforehand.
 */
struct ics_hash_key {
	uint64_t a, b, key;
};

static inline struct ics_hash_key
ics_hash_key(uint64_t seed)
{
	return (struct ics_hash_key){seed ^ 0xa0761d6478bd642full, ~seed ^ 0x8ebc6af09c88c6e3ull,
				     seed ^ 0xd6e8feb86659fd93ull};
}

static inline uint64_t
ics_hash_fold(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t
ics_hash_step(const uint8_t *p, uint64_t lane, uint64_t key)
{
	return ics_hash_fold(ics_load_u64(p) ^ lane, ics_load_u64(p + 8) ^ key);
}

/* k: of ics_hash_key(), or with lanes that something else went into already. */
static inline uint64_t
ics_hash_keyed(const void *data, size_t len, struct ics_hash_key k)
{
	const uint8_t *p = data;
	uint64_t t[2] = {0};
	size_t n = len;

	for (; n >= 32; n -= 32, p += 32) {
		k.a = ics_hash_step(p, k.a, k.key);
		k.b = ics_hash_step(p + 16, k.b, k.key);
	}
	if (n >= 16) {
		k.a = ics_hash_step(p, k.a, k.key);
		p += 16;
		n -= 16;
	}
	if (n > 8) {
		t[0] = ics_load_u64(p);
		t[1] = ics_load_u64(p + n - 8) >> 8 * (16 - n);
	} else if (n == 8) {
		t[0] = ics_load_u64(p);
	} else if (n != 0) {
		t[0] = ics_load_tail(p, (uint32_t)n);
	}
	if (n != 0)
		k.b = ics_hash_fold(t[0] ^ k.b, t[1] ^ k.key);
	return ics_hash_mix(k.a ^ len, k.b);
}

static inline uint64_t
ics_hash(const void *data, size_t len, uint64_t seed)
{
	return ics_hash_keyed(data, len, ics_hash_key(seed));
}

/* Numbers on the wire. */
enum {
	ICS_ETHERTYPE_IP4 = 0x0800,
	ICS_ETHERTYPE_ARP = 0x0806,
	ICS_ETHERTYPE_RARP = 0x8035,
	ICS_ETHERTYPE_VLAN = 0x8100,
	ICS_ETHERTYPE_QINQ = 0x88a8,
	ICS_ETHERTYPE_QINQ_OLD = 0x9100,
	ICS_ETHERTYPE_IP6 = 0x86dd,
	ICS_ETHERTYPE_MPLS = 0x8847,
	ICS_ETHERTYPE_MPLS_MC = 0x8848,
	ICS_ETHERTYPE_PPPOE_SESSION = 0x8864,
	ICS_ETHERTYPE_CMD = 0x8909, /* Cisco metadata: security group tag */
	ICS_ETHERTYPE_TEB = 0x6558,
	ICS_ETHERTYPE_ERSPAN = 0x88be,
	ICS_ETHERTYPE_ERSPAN3 = 0x22eb,
};

enum {
	ICS_PROTO_HOPOPTS = 0,
	ICS_PROTO_ICMP4 = 1,
	ICS_PROTO_IPIP = 4,
	ICS_PROTO_TCP = 6,
	ICS_PROTO_UDP = 17,
	ICS_PROTO_IP6 = 41,
	ICS_PROTO_ROUTING = 43,
	ICS_PROTO_FRAGMENT = 44,
	ICS_PROTO_GRE = 47,
	ICS_PROTO_ESP = 50,
	ICS_PROTO_AH = 51,
	ICS_PROTO_ICMP6 = 58,
	ICS_PROTO_NONE = 59,
	ICS_PROTO_DSTOPTS = 60,
	ICS_PROTO_MOBILITY = 135,
	ICS_PROTO_HIP = 139,
	ICS_PROTO_SHIM6 = 140,
};

enum {
	ICS_ICMP6_UNREACH = 1,
	ICS_ICMP6_TOO_BIG = 2,
	ICS_ICMP6_TIME_EXCEEDED = 3,
	ICS_ICMP6_PARAM_PROBLEM = 4,
	ICS_ICMP6_ECHO_REQUEST = 128,
	ICS_ICMP6_ECHO_REPLY = 129,
	ICS_ICMP6_MLD_QUERY = 130,
	ICS_ICMP6_MLD1_REPORT = 131,
	ICS_ICMP6_MLD1_DONE = 132,
	ICS_ICMP6_RS = 133,
	ICS_ICMP6_RA = 134,
	ICS_ICMP6_NS = 135,
	ICS_ICMP6_NA = 136,
	ICS_ICMP6_REDIRECT = 137,
	ICS_ICMP6_MLD2_REPORT = 143,
	ICS_ICMP6_CPS = 148,
	ICS_ICMP6_CPA = 149,
	ICS_ICMP6_MRD_ADVERT = 151,
	ICS_ICMP6_MRD_SOLICIT = 152,
	ICS_ICMP6_MRD_TERM = 153,
};

enum {
	ICS_ICMP4_ECHO_REPLY = 0,
	ICS_ICMP4_UNREACH = 3,
	ICS_ICMP4_SOURCE_QUENCH = 4,
	ICS_ICMP4_REDIRECT = 5,
	ICS_ICMP4_ECHO_REQUEST = 8,
	ICS_ICMP4_TIME_EXCEEDED = 11,
	ICS_ICMP4_PARAM_PROBLEM = 12,
	ICS_ICMP4_CODE_FRAG_NEEDED = 4,
};

enum {
	ICS_OPT_SLLA = 1,
	ICS_OPT_TLLA = 2,
	ICS_OPT_PIO = 3,
	ICS_OPT_REDIRECTED = 4,
	ICS_OPT_MTU = 5,
	ICS_OPT_NONCE = 14,
	ICS_OPT_RIO = 24,
	ICS_OPT_RDNSS = 25,
	ICS_OPT_DNSSL = 31,
	ICS_OPT_EARO = 33,
	ICS_OPT_CAPTIVE_PORTAL = 37,
	ICS_OPT_PREF64 = 38,
	ICS_OPT_ENCRYPTED_DNS = 144,
};

/* RA flags octet I+5 and NA flags octet I+4 (RFC 4861 4.2, 4.4; RFC 4191 2.2) */
#define ICS_RA_FLAG_MANAGED 0x80
#define ICS_RA_FLAG_OTHER 0x40
#define ICS_RA_FLAG_HOME_AGENT 0x20
#define ICS_RA_PRF_MASK 0x18
#define ICS_NA_FLAG_ROUTER 0x80
#define ICS_NA_FLAG_SOLICITED 0x40
#define ICS_NA_FLAG_OVERRIDE 0x20

#endif
