/* Fuzz target: the bytes of a capture file through lib/capture into decode, as icmpscope-read does with a file that
 * somebody sent. Every frame must lie inside what was read, every refusal be one line, and all that the walk over a plain
 * file gives be what libpcap gives of the same bytes in a pipe.
 */
#include "fuzz.h"

#include "ics_capture.h"
#include "ics_inspect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_MAX 4096
/* A pipe holds so much. */
#define PIPE_MAX 65536

/* As standard input. NULL when it does not fit or cannot be opened. */
static struct ics_capture *
open_pipe(const uint8_t *data, size_t size)
{
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c = NULL;
	FILE *before = stdin, *f;
	int ends[2];

	if (size > PIPE_MAX || pipe(ends) != 0)
		return NULL;
	f = write(ends[1], data, size) == (ssize_t)size ? fdopen(ends[0], "rb") : NULL;
	close(ends[1]);
	if (f == NULL) {
		close(ends[0]);
		return NULL;
	}
	stdin = f;
	c = ics_capture_open("-", err);
	stdin = before;
	if (c == NULL)
		fclose(f);
	return c;
}

static void
check_same(struct ics_capture *pipe_c, int rc, const struct ics_frame *f, uint64_t ts, const char *err)
{
	char pipe_err[ICS_CAPTURE_ERR_LEN] = "";
	struct ics_frame g;
	uint64_t pipe_ts;
	int pipe_rc = ics_capture_next(pipe_c, &g, &pipe_ts, pipe_err);

	FUZZ_CHECK(rc == pipe_rc, "walk says %d, libpcap %d", rc, pipe_rc);
	if (rc < 0)
		FUZZ_CHECK(strcmp(err, pipe_err) == 0, "\"%s\" and \"%s\"", err, pipe_err);
	if (rc != 1)
		return;
	FUZZ_CHECK(f->cap_len == g.cap_len && f->wire_len == g.wire_len && ts == pipe_ts, "another header");
	FUZZ_CHECK(memcmp(f->data, g.data, g.cap_len) == 0, "other octets");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ics_counters counters;
	struct ics_inspect in = {.validate = {1500}, .counters = &counters, .seed = 1};
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c = ics_capture_open(fuzz_file(data, size), err), *in_pipe = open_pipe(data, size);
	unsigned n = 0, sum = 0;
	uint64_t read = 0;
	int rc = 0;

	if (c == NULL) {
		fuzz_check_line(err, sizeof(err));
		FUZZ_CHECK(in_pipe == NULL, "refused as a file, not in a pipe");
		return 0;
	}
	FUZZ_CHECK(in_pipe != NULL || size > PIPE_MAX, "refused in a pipe, not as a file");
	FUZZ_CHECK(err[0] == '\0', "opened, and yet \"%s\"", err);
	memset(&counters, 0, sizeof(counters));
	ics_inspect_init(&in);
	for (; n < FRAMES_MAX; n++) {
		struct ics_frame f;
		uint64_t ts;

		rc = ics_capture_next(c, &f, &ts, err);
		if (in_pipe != NULL)
			check_same(in_pipe, rc, &f, ts, err);
		if (rc != 1)
			break;
		FUZZ_CHECK(f.cap_len <= f.wire_len, "%u captured of %u", f.cap_len, f.wire_len);
		FUZZ_CHECK(f.stripped_tci == ICS_VLAN_NONE && f.link == ics_capture_link(c), "link %u", f.link);
		read += f.cap_len;
		FUZZ_CHECK(read <= size, "%llu octets of frames in a file of %zu", (unsigned long long)read, size);
		for (uint32_t i = 0; i < f.cap_len; i++)
			sum += f.data[i];
		ics_inspect_burst(&in, &f, 1, ts);
	}
	FUZZ_CHECK(n == FRAMES_MAX || rc == 0 || rc == -22, "ics_capture_next() says %d", rc);
	if (rc < 0)
		fuzz_check_line(err, sizeof(err));
	FUZZ_CHECK(ics_count_get(&counters.frames) == n, "%u frames read (sum %u)", n, sum);
	ics_capture_close(c);
	ics_capture_close(in_pipe);
	return 0;
}

static uint32_t
load32(const uint8_t *p, bool swapped)
{
	return swapped ? ics_load_be32(p) : __builtin_bswap32(ics_load_be32(p));
}

static void
store32(uint8_t *p, uint32_t v, bool swapped)
{
	v = swapped ? __builtin_bswap32(v) : v;
	memcpy(p, &v, 4);
}

/* Offset of a record of a classic file, or of a block of pcapng; 0 when there is none. */
static size_t
pick_record(struct fuzz_rng *r, const uint8_t *data, size_t size, bool ng, bool swapped, uint32_t *len)
{
	size_t off = ng ? 0 : 24, found = 0;
	uint32_t found_len = 0;

	for (unsigned n = 1; off + 16 <= size && n < 256; n++) {
		uint32_t l = ng ? load32(data + off + 4, swapped) : 16 + load32(data + off + 8, swapped);

		if (l < 12 || l > size - off)
			break;
		if (fuzz_rng_below(r, n) == 0) {
			found = off;
			found_len = l;
		}
		off += l;
	}
	*len = found_len;
	return found;
}

/* Libpcap is not instrumented, so most blind changes end at a length that no longer fits. Half of the changes are
 * therefore to one record or block: doubled, taken out, changed inside, its length nudged on both ends.
 */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct fuzz_rng r = {seed};
	bool ng, swapped;
	uint32_t len, magic;
	size_t off;

	if (size < 40 || fuzz_rng_below(&r, 2) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	magic = ics_load_be32(data);
	ng = magic == 0x0a0d0d0a;
	swapped = ng ? ics_load_be32(data + 8) == 0x1a2b3c4d : magic == 0xa1b2c3d4 || magic == 0xa1b23c4d;
	off = pick_record(&r, data, size, ng, swapped, &len);
	if (len == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	switch (fuzz_rng_below(&r, 5)) {
	case 0: /* doubled */
		if (size + len > max_size)
			break;
		memmove(data + off + len, data + off, size - off);
		return size + len;
	case 1: /* taken out */
		memmove(data + off, data + off + len, size - off - len);
		return size - len;
	case 2: /* changed inside */
		LLVMFuzzerMutate(data + off + 8, len - 8, len - 8);
		if (ng)
			store32(data + off + len - 4, len, swapped);
		return size;
	case 3: { /* four octets more or less inside, and the lengths know */
		uint32_t at = 8 + (fuzz_rng_below(&r, len - 8) & ~3u);

		if (fuzz_rng_below(&r, 2) == 0 && size + 4 <= max_size) {
			memmove(data + off + at + 4, data + off + at, size - off - at);
			len += 4;
			size += 4;
		} else if (len > at + 8 && len > 20) {
			memmove(data + off + at, data + off + at + 4, size - off - at - 4);
			len -= 4;
			size -= 4;
		}
		if (ng) {
			store32(data + off + 4, len, swapped);
			store32(data + off + len - 4, len, swapped);
		} else if (off != 0) {
			store32(data + off + 8, len - 16, swapped);
		}
		return size;
	}
	default: { /* a field of it */
		static const uint32_t odd[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 262144, 262145, 65535};
		uint32_t at = fuzz_rng_below(&r, len / 4) * 4;

		store32(data + off + at, odd[fuzz_rng_below(&r, ICS_ARRAY_LEN(odd))], swapped);
		return size;
	}
	}
	return LLVMFuzzerMutate(data, size, max_size);
}
