/* HyperLogLog (Flajolet and others, 2007) over the keyed hash of the project: the top bits of an item's hash choose a
 * register, which keeps the longest run of zeros seen in the rest. Hashes have 64 bits, so no correction for large counts.
 */
#include "ics_sketch.h"

#include "ics_wire.h"

#include <errno.h>
#include <math.h>

void
ics_hll_init(struct ics_hll *h, uint64_t seed)
{
	memset(h, 0, sizeof(*h));
	h->seed = seed;
}

bool
ics_hll_add(struct ics_hll *h, const void *item, size_t len)
{
	uint64_t hash = ics_hash(item, len, h->seed);
	uint64_t rest = hash << ICS_HLL_BITS | 1ull << (ICS_HLL_BITS - 1); /* never 0: the run ends */
	uint8_t rank = (uint8_t)(1 + __builtin_clzll(rest));
	uint8_t *reg = &h->reg[hash >> (64 - ICS_HLL_BITS)];

	if (rank <= *reg)
		return false;
	*reg = rank;
	return true;
}

uint64_t
ics_hll_count(const struct ics_hll *h)
{
	const double m = ICS_HLL_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
	double sum = 0, estimate;
	unsigned empty = 0;

	for (unsigned i = 0; i < ICS_HLL_REGISTERS; i++) {
		sum += 1.0 / (double)(1ull << h->reg[i]);
		empty += h->reg[i] == 0;
	}
	estimate = alpha * m * m / sum;
	/* Few items leave registers empty, and how many says more than the runs do. */
	if (estimate <= 2.5 * m && empty != 0)
		estimate = m * log(m / empty);
	return (uint64_t)(estimate + 0.5);
}

int
ics_hll_merge(struct ics_hll *h, const struct ics_hll *other)
{
	if (h->seed != other->seed)
		return -EINVAL;
	for (unsigned i = 0; i < ICS_HLL_REGISTERS; i++)
		if (other->reg[i] > h->reg[i])
			h->reg[i] = other->reg[i];
	return 0;
}
