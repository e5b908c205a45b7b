/* Capture files in pcapng (draft-ietf-opsawg-pcapng), with a comment for each packet, which no library of Debian writes.
 * Writes to any stream; knows nothing of anomalies.
 */
#ifndef ICS_PCAPNG_H
#define ICS_PCAPNG_H

#include "ics_decode.h"

#include <stdio.h>

/* Of one file; 16 ports, each with one link type or two. */
#define ICS_PCAPNG_INTERFACES_MAX 32
/* Octets of a text, longer ones are cut. */
#define ICS_PCAPNG_TEXT_MAX 1024

struct ics_pcapng {
	FILE *out;
	unsigned n_interfaces;
	struct {
		uint32_t id; /* the caller's: a port */
		uint8_t link;
	} interface[ICS_PCAPNG_INTERFACES_MAX];
};

struct ics_pcapng_packet {
	uint64_t ts_ns;
	const uint8_t *data;
	uint32_t len, wire_len;
	uint8_t link;        /* enum ics_link */
	uint32_t interface;  /* any number that is the same for what came in at one place */
	const char *name;    /* of that place */
	const char *comment; /* UTF-8 */
};

/* Begins a file. program: who wrote it. 0 or -EIO. */
int ics_pcapng_begin(struct ics_pcapng *p, FILE *out, const char *program);
/* 0, -EIO, or -ENOSPC when there are more interfaces than fit. Times have nanoseconds. */
int ics_pcapng_packet(struct ics_pcapng *p, const struct ics_pcapng_packet *pkt);

#endif
