/* The mutator of fuzz_inspect as a library for AFL++ (AFL_CUSTOM_MUTATOR_LIBRARY), so that a second engine gets past
 * checksums too; AFL++'s own changes go on beside it. See docs/fuzzing.md.
 */
#include "fuzz.h"

#define SIZE_MAX_OUT 4096

struct mutator {
	struct fuzz_rng rng;
	uint8_t out[SIZE_MAX_OUT];
};

static struct fuzz_rng blind;

void *afl_custom_init(void *afl, unsigned seed);
void afl_custom_deinit(void *m);
size_t afl_custom_fuzz(void *m, uint8_t *in, size_t in_size, uint8_t **out, uint8_t *add, size_t add_size,
		       size_t max_size);

/* libFuzzer's part: a few octets at random. */
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	if (size == 0)
		return 0;
	for (unsigned n = 1 + fuzz_rng_below(&blind, 4); n != 0; n--) {
		uint32_t at = fuzz_rng_below(&blind, (uint32_t)size);

		if (fuzz_rng_below(&blind, 2) == 0)
			data[at] ^= (uint8_t)(1u << fuzz_rng_below(&blind, 8));
		else
			data[at] = (uint8_t)fuzz_rng_next(&blind);
	}
	return size;
}

void *
afl_custom_init(void *afl, unsigned seed)
{
	struct mutator *m = calloc(1, sizeof(*m));

	blind.s = seed;
	if (m != NULL)
		m->rng.s = seed;
	return m;
}

void
afl_custom_deinit(void *m)
{
	free(m);
}

size_t
afl_custom_fuzz(void *mutator, uint8_t *in, size_t in_size, uint8_t **out, uint8_t *add, size_t add_size,
		size_t max_size)
{
	struct mutator *m = mutator;
	size_t max = max_size < sizeof(m->out) ? max_size : sizeof(m->out);

	if (in_size > max)
		in_size = max;
	memcpy(m->out, in, in_size);
	*out = m->out;
	return LLVMFuzzerCustomMutator(m->out, in_size, max, fuzz_rng_next(&m->rng));
}
