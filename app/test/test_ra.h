/* Shared by the tests of what RAs announce: normal RAs with one thing changed. The base RA holds an SLLA at 16, a prefix
 * at 24 and an MTU at 56.
 */
#ifndef ICS_TEST_RA_H
#define ICS_TEST_RA_H

#include "test_slow.h"

static inline void
set_lifetimes(struct packet *p, uint32_t valid_s, uint32_t preferred_s)
{
	set32(p, 28, valid_s);
	set32(p, 32, preferred_s);
}

static inline struct packet
ra_without_pio(void)
{
	struct packet p = base_packet(BASE_ra);

	remove_bytes(&p, 24, 32);
	return p;
}

#endif
