/* The format of the file, shared by those who write and read it. Numbers are little-endian.
 *
 *   header   64 octets: magic, version, length of the header, layout, saved_ns, length and sum of what follows, 0, sum of
 *            the header
 *   section  one for each kind, in order: kind, length of one entry, number of entries, 0 (four octets each); entries
 *   entry    the fields of its table (fields.c), one behind the other
 */
#ifndef STATE_H
#define STATE_H

#include "ics_state.h"

#define STATE_MAGIC "icsstate"
#define STATE_VERSION 1
#define HEADER_LEN 64
#define SECTION_LEN 16
/* Sums tell damage, not intent. */
#define STATE_SUM_SEED 0x1c5ull

enum field_type {
	FIELD_INT,   /* at most max */
	FIELD_PAST,  /* a time that was; 0: never */
	FIELD_UNTIL, /* a time that may be ahead, by no more than a lifetime can say; UINT64_MAX: never */
	FIELD_TEXT,  /* printable ASCII without blanks, then zeros, one at least */
};

struct field {
	uint16_t off;
	uint8_t width; /* of one element: 1, 2, 4 or 8 */
	uint8_t type;
	uint16_t count;
	uint64_t max;
};

struct kind {
	const struct field *field;
	unsigned n_fields;
	uint16_t order_off; /* of the time in union ics_warm by which entries are put back, ... */
	bool ordered;       /* ... where that matters */
};
extern const struct kind state_kinds[ICS_WARM_KINDS];

uint32_t state_entry_len(enum ics_warm_kind k);
/* A number that differs when the tables do. */
uint64_t state_layout(void);
/* offset_ns: what the clock of the model is ahead of packet time. */
void state_encode(enum ics_warm_kind k, const union ics_warm *w, uint64_t offset_ns, uint8_t *out);
/* False: a number is out of its range. back_ns is taken from every time. */
bool state_decode(enum ics_warm_kind k, const uint8_t *in, uint64_t saved_ns, uint64_t back_ns, union ics_warm *w);

static inline void
put_le(uint8_t *p, uint64_t v, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline uint64_t
get_le(const uint8_t *p, unsigned width)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

/* snapshot.c. The octets of the snapshot: room for a header, then the sections. */
uint8_t *state_snapshot_data(struct ics_state_snapshot *s, size_t *len);

/* file.c. Reads a file of at most ICS_STATE_BYTES_MAX octets; the caller frees it. NULL and errno; *why says what is
 * wrong with one that was read but is of no use (errno EINVAL).
 */
uint8_t *state_read(const char *path, size_t *len, const char **why);
/* Renames PATH to PATH.bad. 0 or -errno. */
int state_set_aside(const char *path);

#endif
