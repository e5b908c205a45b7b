/* fuzz_corpus pack FILE.corpus DIR and fuzz_corpus unpack FILE.corpus DIR. Called by devtools/fuzz. */
#include "corpus.h"

#include "ics_wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct out {
	FILE *packed;
	const char *dir;
	unsigned n;
};

static void
pack(void *ctx, const uint8_t *data, size_t size)
{
	struct out *o = ctx;
	uint8_t len[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};

	if (fwrite(len, 1, 4, o->packed) != 4 || fwrite(data, 1, size, o->packed) != size) {
		perror("write");
		exit(1);
	}
}

static void
unpack(void *ctx, const uint8_t *data, size_t size)
{
	struct out *o = ctx;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/kept-%05u", o->dir, o->n++);
	f = fopen(path, "wbe");
	if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	struct out o = {0};
	bool packs = argc == 4 && strcmp(argv[1], "pack") == 0;
	long n;

	if (!packs && !(argc == 4 && strcmp(argv[1], "unpack") == 0)) {
		fprintf(stderr, "usage: fuzz_corpus pack|unpack FILE.corpus DIR\n");
		return 2;
	}
	o.dir = argv[3];
	if (packs) {
		o.packed = fopen(argv[2], "wbe");
		if (o.packed == NULL) {
			perror(argv[2]);
			return 1;
		}
		n = fuzz_corpus_each(o.dir, pack, &o);
		if (fclose(o.packed) != 0)
			n = -1;
	} else {
		if (mkdir(o.dir, 0777) != 0 && errno != EEXIST) {
			perror(o.dir);
			return 1;
		}
		n = fuzz_corpus_each(argv[2], unpack, &o);
	}
	if (n < 0) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
