/* Summaries of streams too large to keep: of fixed size, seeded against chosen input. Used by detectors that
 * must stay exact enough in a flood of invented names.
 */
#ifndef ICS_SKETCH_H
#define ICS_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many different items were added: HyperLogLog with 256 registers, standard error 6.5 % (1.04 / sqrt(256)); few
 * items are counted by empty registers, off by one or two up to some dozens.
 */
#define ICS_HLL_BITS 8
#define ICS_HLL_REGISTERS (1u << ICS_HLL_BITS)
struct ics_hll {
	uint64_t seed;
	uint8_t reg[ICS_HLL_REGISTERS];
};

void ics_hll_init(struct ics_hll *h, uint64_t seed);
/* True when the sketch changed: the item was not there before. */
bool ics_hll_add(struct ics_hll *h, const void *item, size_t len);
uint64_t ics_hll_count(const struct ics_hll *h);
/* As if all that was added to other had been added to h. 0, or -EINVAL when their seeds differ. */
int ics_hll_merge(struct ics_hll *h, const struct ics_hll *other);

/* Who counts most: space-saving over keys of up to 16 octets (shorter ones are filled up with zeros). An item is listed
 * for certain when it makes up more than 1/ICS_TOP_ENTRIES of the total; its count is exact or up to error too high, and
 * error is at most total / ICS_TOP_ENTRIES. Adding costs one hash and a few swaps.
 */
#define ICS_TOP_ENTRIES 64
#define ICS_TOP_SLOTS 128
#define ICS_TOP_KEY_LEN 16
struct ics_top_entry {
	uint64_t count, error;
	uint8_t key[ICS_TOP_KEY_LEN];
	uint8_t pos; /* in the heap */
};
struct ics_top {
	uint64_t seed, total; /* total: of all that was added, listed or not */
	uint32_t n;           /* entries in use */
	uint8_t heap[ICS_TOP_ENTRIES];
	uint8_t slot[ICS_TOP_SLOTS];
	struct ics_top_entry entry[ICS_TOP_ENTRIES];
};
struct ics_top_item {
	uint64_t count, error; /* between count - error and count */
	uint8_t key[ICS_TOP_KEY_LEN];
};

void ics_top_init(struct ics_top *t, uint64_t seed);
void ics_top_add(struct ics_top *t, const void *item, size_t len, uint64_t n);
/* An upper bound; 0 for an item that is not listed. */
uint64_t ics_top_count(const struct ics_top *t, const void *item, size_t len);
/* The largest ones first, at most max; returns how many. */
unsigned ics_top_list(const struct ics_top *t, struct ics_top_item *out, unsigned max);
/* Halves every count: called at even intervals, what is long ago weighs less and less. */
void ics_top_halve(struct ics_top *t);

#endif
