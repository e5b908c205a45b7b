/* Shared by the fuzz targets: a property that must hold for every input, random numbers for mutators (from the seed
 * that libFuzzer gives, so that a run can be repeated), and a file in memory with a path.
 */
#ifndef ICS_FUZZ_H
#define ICS_FUZZ_H

#include "ics_wire.h"

#include <stdio.h>
#include <stdlib.h>

/* Ends the run: the engine keeps the input that did it. */
#define FUZZ_CHECK(holds, ...)                                                                                         \
	do {                                                                                                           \
		if (ics_unlikely(!(holds))) {                                                                          \
			fprintf(stderr, "%s:%d: broken: %s: ", __FILE__, __LINE__, #holds);                            \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fputc('\n', stderr);                                                                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* A message to the user: one line of printable ASCII that ends inside its buffer. */
void fuzz_check_line(const char *text, size_t size);

/* The file, always the same one, now with these contents. */
const char *fuzz_file(const void *data, size_t len);

struct fuzz_rng {
	uint64_t s;
};

static inline uint32_t
fuzz_rng_next(struct fuzz_rng *r)
{
	r->s = ics_hash_mix(r->s + 0x9e3779b97f4a7c15ull, 0x2545f4914f6cdd1dull);
	return (uint32_t)(r->s >> 32);
}

/* 0 to n - 1; 0 when n is 0. */
static inline uint32_t
fuzz_rng_below(struct fuzz_rng *r, uint32_t n)
{
	return n != 0 ? fuzz_rng_next(r) % n : 0;
}

/* libFuzzer's */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
