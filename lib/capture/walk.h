/* Private to lib/capture; see walk.c. */
#ifndef ICS_WALK_H
#define ICS_WALK_H

#include "ics_decode.h"

#include <pcap/pcap.h>
#include <stdio.h>

/* Of a record, what a file says. */
struct walk_record {
	const uint8_t *data; /* until the next call */
	uint32_t cap_len, wire_len;
	uint64_t s, ns;
};

struct walk {
	int fd;
	bool ng;
	uint32_t snaplen;
	uint32_t unit_ns;   /* of a file's fraction of a second */
	uint32_t per_s;     /* of those in a second */
	uint64_t at;        /* in the file, of the first octet in buf */
	uint32_t have, off; /* octets in buf; of them done with */
	bool ended;         /* the last octet of the file is in buf */
	bool failed;        /* ... or what follows could not be read */
	uint8_t *buf;
};

enum walk_result { WALK_ODD = -1, WALK_END, WALK_RECORD };

/* False: this file is not walked. f was at offset begin before libpcap opened it as p, and has not been read from since. */
bool ics_walk_begin(struct walk *w, FILE *f, pcap_t *p, uint64_t begin);
void ics_walk_end(struct walk *w);
/* WALK_ODD: what comes next is for libpcap to judge, at *w's offset. */
enum walk_result ics_walk_next(struct walk *w, struct walk_record *out);
uint64_t ics_walk_offset(const struct walk *w);

#endif
