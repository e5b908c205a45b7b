/* Summaries of streams too large to keep: of fixed size, seeded against chosen input, mergeable. Used by detectors that
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

#endif
