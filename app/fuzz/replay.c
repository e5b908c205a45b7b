/* Runs a fuzz target over kept inputs, without libFuzzer and with any compiler: the regression test of what fuzzing
 * found, and what coverage is measured with. replay_TARGET PATH...: files, folders, packed corpora.
 */
#include "corpus.h"
#include "fuzz.h"

#include <errno.h>

static void
one(void *ctx, const uint8_t *data, size_t size)
{
	LLVMFuzzerTestOneInput(data, size);
}

/* Mutators are not run here. */
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	return size;
}

int
main(int argc, char **argv)
{
	long sum = 0;

	for (int i = 1; i < argc; i++) {
		long n = fuzz_corpus_each(argv[i], one, NULL);

		if (n < 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		sum += n;
	}
	if (sum == 0) {
		fprintf(stderr, "usage: %s PATH... (nothing was run)\n", argv[0]);
		return 2;
	}
	printf("%ld inputs\n", sum);
	return 0;
}
