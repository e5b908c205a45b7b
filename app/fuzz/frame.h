/* Changes to a frame that keep it a frame: options, records, headers and tags come and go, and lengths and checksums
 * are mostly right again afterwards, so that a fuzzer gets past them. Used by the mutators of the targets.
 */
#ifndef ICS_FUZZ_FRAME_H
#define ICS_FUZZ_FRAME_H

#include "fuzz.h"

#include "ics_decode.h"

#define FUZZ_FRAME_MAX 2600

struct fuzz_frame {
	uint8_t *b;
	uint32_t len, max;
	uint8_t link; /* enum ics_link */
};

/* Base packet n (from 0 on) as hex digits; NULL past the last. */
const char *fuzz_base(unsigned n);
/* Octets of those digits; returns how many. */
uint32_t fuzz_unhex(const char *hex, uint8_t *to, uint32_t max);

/* One change, and mostly a repair. */
void fuzz_frame_mutate(struct fuzz_frame *f, struct fuzz_rng *r);
/* IP, UDP and PPPoE lengths as the frame's end says, less pad octets; IPv4 and ICMP checksums. */
void fuzz_frame_repair(struct fuzz_frame *f, uint32_t pad);

/* Where the innermost headers are; 0 where there is none. */
struct fuzz_layout {
	uint32_t type_off; /* the Ethernet type in front of IP, or 0 */
	uint32_t l3;
	uint32_t next_off; /* the octet that names the upper layer */
	uint32_t l4;
	uint32_t end; /* of the datagram */
	uint8_t version, proto;
};
void fuzz_frame_layout(const struct fuzz_frame *f, struct fuzz_layout *at);

/* False when there is no room. */
bool fuzz_frame_insert(struct fuzz_frame *f, uint32_t off, const void *data, uint32_t n);
void fuzz_frame_remove(struct fuzz_frame *f, uint32_t off, uint32_t n);

#endif
