/* A corpus in one file: each input as its length, four octets big-endian, and its octets, in order of name. Thousands
 * of small files become one that a repository can hold.
 */
#ifndef ICS_FUZZ_CORPUS_H
#define ICS_FUZZ_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/* Calls fn for each input of a packed file, for each file of a folder, or for the one file that path is, with a copy
 * of exactly its size. Returns how many there were, or -1 and errno.
 */
typedef void (*fuzz_corpus_fn)(void *ctx, const uint8_t *data, size_t size);
long fuzz_corpus_each(const char *path, fuzz_corpus_fn fn, void *ctx);

#endif
