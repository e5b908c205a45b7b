/* Reading of kept inputs; see corpus.h. Used by fuzz_corpus and by the replay programs. */
#include "corpus.h"

#include "ics_wire.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PACKED_SUFFIX ".corpus"

static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rbe");
	struct stat st;
	uint8_t *data = NULL;

	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) == 0 && (data = malloc((size_t)st.st_size + 1)) != NULL)
		*size = fread(data, 1, (size_t)st.st_size, f);
	fclose(f);
	return data;
}

static void
give(fuzz_corpus_fn fn, void *ctx, const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size != 0 ? size : 1);

	if (exact == NULL)
		abort();
	if (size != 0)
		memcpy(exact, data, size);
	fn(ctx, exact, size);
	free(exact);
}

static long
each_of_file(const char *path, fuzz_corpus_fn fn, void *ctx)
{
	size_t size = 0, n = strlen(path), suffix = strlen(PACKED_SUFFIX);
	uint8_t *data = read_file(path, &size);
	long count = 0;

	if (data == NULL)
		return -1;
	if (n < suffix || strcmp(path + n - suffix, PACKED_SUFFIX) != 0) {
		give(fn, ctx, data, size);
		count = 1;
	} else {
		for (size_t off = 0; off + 4 <= size; count++) {
			size_t len = ics_load_be32(data + off);

			off += 4;
			if (len > size - off) {
				errno = EINVAL;
				count = -1;
				break;
			}
			give(fn, ctx, data + off, len);
			off += len;
		}
	}
	free(data);
	return count;
}

long
fuzz_corpus_each(const char *path, fuzz_corpus_fn fn, void *ctx)
{
	struct dirent **names;
	struct stat st;
	long count = 0;
	int n;

	if (stat(path, &st) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return each_of_file(path, fn, ctx);
	n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (count >= 0 && names[i]->d_name[0] != '.') {
			long m = fuzz_corpus_each(file, fn, ctx);

			count = m < 0 ? -1 : count + m;
		}
		free(names[i]);
	}
	free(names);
	return count;
}
