/* Shared by the unit tests: base packets, ways to change one thing in them and to repair lengths and checksums
 * after that, and assertions over the rules that a packet breaks.
 */
#ifndef ICS_TEST_COMMON_H
#define ICS_TEST_COMMON_H

#include "ics_inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum base {
#define BASE(name, text, hex) BASE_##name,
#include "base_packets.def"
#undef BASE
	BASE_COUNT
};

/* A frame under construction. l3 and l4 are the offsets of the IP header and of the ICMP message. */
struct packet {
	uint8_t b[4096];
	uint32_t len;
	uint32_t l3;
	uint32_t l4;
	uint32_t pad;      /* octets of Ethernet padding at the end */
	uint32_t snap;     /* captured octets; 0 is all of them */
	bool raw;          /* leave lengths and checksums as they are */
	uint32_t link_mtu; /* for the validator */
	uint8_t link;      /* enum ics_link */
};

const char *base_name(enum base b);
struct packet base_packet(enum base b);
/* A frame from hex digits; l3 and l4 are found for untagged Ethernet. */
struct packet hex_packet(const char *hex);

/* Octets of the IP header, of the message. */
void set_ip8(struct packet *p, uint32_t off, uint8_t v);
void set8(struct packet *p, uint32_t off, uint8_t v);
void set16(struct packet *p, uint32_t off, uint16_t v);
void set32(struct packet *p, uint32_t off, uint32_t v);
/* Octets from hex digits or from an address in text form, at an offset of the message. */
void set_hex(struct packet *p, uint32_t off, const char *hex);
void set_addr(struct packet *p, uint32_t off, const char *addr);
/* IP addresses; set_dst() fits the destination MAC. */
void set_src(struct packet *p, const char *addr);
void set_dst(struct packet *p, const char *addr);
void set_dmac(struct packet *p, const char *mac);
void set_smac(struct packet *p, const char *mac);
/* Length of the message: cut, or filled up with zeros. */
void set_len(struct packet *p, uint32_t len);
/* More message from hex digits or zeros, at its end or at an offset of it. */
void append_hex(struct packet *p, const char *hex);
void append_zero(struct packet *p, uint32_t n);
void insert_hex(struct packet *p, uint32_t off, const char *hex);
void remove_bytes(struct packet *p, uint32_t off, uint32_t n);
/* An IPv6 extension header of type in front of the message; its first octet is filled in. */
void add_ext(struct packet *p, uint8_t type, const char *hex);
/* Without the extension headers that are there. */
void drop_ext(struct packet *p);
/* Takes the message for protocol 58 away and puts UDP there. */
void make_udp(struct packet *p);
/* Other bytes instead of the Ethernet type, in front of IP. */
void set_encap(struct packet *p, const char *hex);
void add_padding(struct packet *p, uint32_t n);
/* Lengths and checksums, outer IP and ICMP; then hands off: later changes are left as they are. */
void repair(struct packet *p);
void repair_keep(struct packet *p);
/* One's complement checksum in network order, over what is at off. */
uint16_t checksum(const uint8_t *p, uint32_t len, uint64_t acc);
/* Of the extension that starts at an offset of the message and ends with it (RFC 4884 7). */
void repair_extension(struct packet *p, uint32_t off);

/* What decode and validate say. The frame is given in memory of exactly its captured length, so that a
 * sanitizer sees every step beyond it. pkt points into memory that stays until the next call.
 */
void inspect(const struct packet *p, struct ics_pkt *pkt);

/* Exactly these rules are broken, names split by blanks. The first is the one that the test is about, which
 * the registry notes: as provoked by fires(), as negated by silent(), where the rest may fire all the same.
 * Both return the flags of the packet.
 */
#define fires(p, names) check_fires((p), (names), __FILE__, __LINE__)
#define silent(p, rule, others) check_silent((p), (rule), (others), __FILE__, __LINE__)
uint32_t check_fires(const struct packet *p, const char *names, const char *file, int line);
uint32_t check_silent(const struct packet *p, const char *rule, const char *others, const char *file, int line);

/* The registry of this program. */
bool is_provoked(enum ics_reason n);
bool is_negated(enum ics_reason n);

#endif
