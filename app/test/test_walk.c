/* lib/capture/walk.c: what the walk over a plain file gives is what libpcap gives of the same octets through a pipe: frames,
 * times, the end and every error, for files that are right, cut anywhere and damaged anywhere.
 */
#include "ics_capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX (1000u << 10)
#define PIPE_LEN (1024 << 10)

/* A file under construction. */
static struct {
	uint8_t b[FILE_MAX];
	size_t len;
} file;

static uint64_t random_state;

static uint32_t
below(uint32_t n)
{
	random_state += 0x9e3779b97f4a7c15ull;
	return (uint32_t)((ics_hash_mix(random_state, 0xabc) >> 32) * n >> 32);
}

static void
put(uint64_t v, unsigned n)
{
	assert_true(file.len + n <= sizeof(file.b));
	memcpy(file.b + file.len, &v, n);
	file.len += n;
}

static void
put_bytes(uint32_t n)
{
	assert_true(file.len + n <= sizeof(file.b));
	for (uint32_t i = 0; i < n; i++)
		file.b[file.len++] = (uint8_t)below(256);
}

static void
begin_classic(uint32_t magic, uint16_t minor, uint32_t snaplen)
{
	file.len = 0;
	put(magic, 4);
	put(2, 2);
	put(minor, 2);
	put(0, 8);
	put(snaplen, 4);
	put(1, 4);
}

static void
put_record(uint32_t s, uint32_t frac, uint32_t cap_len, uint32_t wire_len)
{
	put(s, 4);
	put(frac, 4);
	put(cap_len, 4);
	put(wire_len, 4);
	put_bytes(cap_len);
}

static void
put_section(void)
{
	put(0x0a0d0d0a, 4);
	put(28, 4);
	put(0x1a2b3c4d, 4);
	put(1, 2);
	put(0, 2);
	put(UINT64_MAX, 8);
	put(28, 4);
}

/* resolution 0: not told. */
static void
put_interface(uint32_t snaplen, uint8_t resolution, bool offset)
{
	uint32_t len = 20 + (resolution != 0 ? 8 : 0) + (offset ? 12 : 0) + 4;

	put(1, 4);
	put(len, 4);
	put(1, 2);
	put(0, 2);
	put(snaplen, 4);
	if (resolution != 0) {
		put(9, 2);
		put(1, 2);
		put(resolution, 4);
	}
	if (offset) {
		put(14, 2);
		put(8, 2);
		put(3600, 8);
	}
	put(0, 4);
	put(len, 4);
}

static void
put_block(uint32_t type, uint32_t body)
{
	put(type, 4);
	put(12 + body, 4);
	put_bytes(body);
	put(12 + body, 4);
}

static void
put_packet(uint32_t interface, uint64_t t, uint32_t cap_len, uint32_t wire_len, uint32_t options)
{
	uint32_t pad = -cap_len & 3, len = 32 + cap_len + pad + options;

	put(6, 4);
	put(len, 4);
	put(interface, 4);
	put(t >> 32, 4);
	put(t & 0xffffffff, 4);
	put(cap_len, 4);
	put(wire_len, 4);
	put_bytes(cap_len + pad + options);
	put(len, 4);
}

/* A plain file (walked) or a pipe (read by libpcap), on a descriptor that is then standard input: both have one name. */
static struct ics_capture *
open_as(bool plain, char err[static ICS_CAPTURE_ERR_LEN])
{
	struct ics_capture *c;
	FILE *f;
	int fd;

	if (plain) {
		fd = memfd_create("capture", 0);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, file.b, file.len), (ssize_t)file.len);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	} else {
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		if (file.len > 65536)
			assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_LEN) >= (int)file.len);
		assert_int_equal(write(ends[1], file.b, file.len), (ssize_t)file.len);
		close(ends[1]);
		fd = ends[0];
	}
	f = fdopen(fd, "rb");
	assert_non_null(f);
	stdin = f;
	c = ics_capture_open("-", err);
	if (c == NULL)
		fclose(f);
	return c;
}

/* How many frames both ways gave. */
static unsigned
compare(void)
{
	char walk_err[ICS_CAPTURE_ERR_LEN] = "", pcap_err[ICS_CAPTURE_ERR_LEN] = "";
	FILE *in = stdin;
	struct ics_capture *walk = open_as(true, walk_err), *pcap = open_as(false, pcap_err);
	unsigned n = 0;

	stdin = in;
	if (pcap == NULL && file.len != 0) {
		assert_null(walk);
		assert_string_equal(walk_err, pcap_err);
		return 0;
	}
	if (pcap == NULL)
		return 0;
	assert_non_null(walk);
	for (;; n++) {
		struct ics_frame a, b;
		uint64_t ts_a = 0, ts_b = 1;
		int ra = ics_capture_next(walk, &a, &ts_a, walk_err);
		int rb = ics_capture_next(pcap, &b, &ts_b, pcap_err);

		assert_int_equal(ra, rb);
		if (rb != 1)
			break;
		assert_true(ts_a == ts_b);
		assert_int_equal(a.cap_len, b.cap_len);
		assert_int_equal(a.wire_len, b.wire_len);
		assert_int_equal(a.link, b.link);
		assert_memory_equal(a.data, b.data, b.cap_len);
	}
	assert_string_equal(walk_err, pcap_err);
	ics_capture_close(walk);
	ics_capture_close(pcap);
	return n;
}

/* Records of all lengths, across the ends of what is read at once. */
static void
test_large(void **state)
{
	unsigned n = 0;

	begin_classic(0xa1b2c3d4, 4, 262144);
	put_record(1, 999999, 262144, 262144);
	put_record(1, 999999, 0, 60);
	for (; file.len < FILE_MAX - 10000; n++)
		put_record(n, below(1000000), below(3000), below(3000));
	assert_int_equal(compare(), n + 2);
	file.len = 0;
	put_section();
	put_interface(0, 9, false);
	for (n = 0; file.len < FILE_MAX - 10000; n++) {
		put_packet(0, (uint64_t)below(1u << 31) << 20, below(3000), below(3000), 8 * below(3));
		if (below(8) == 0)
			put_block(5, 4 * below(40));
	}
	assert_int_equal(compare(), n);
}

static void
test_kinds(void **state)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xd4c3b2a1, 0xa1b2cd34};
	static const uint8_t resolutions[] = {0, 3, 6, 9, 12, 0x80 | 20};

	for (unsigned m = 0; m < ICS_ARRAY_LEN(magics); m++)
		for (uint16_t minor = 2; minor < 6; minor++) {
			begin_classic(magics[m], minor, 100);
			put_record(5, 1, 60, 60);
			put_record(0xffffffff, 999999999, 60, 50);
			put_record(6, 1000000000, 100, 1500);
			put_record(7, 3, 101, 1500); /* more than the file says that it holds */
			put_record(8, 0xffffffff, 60, 60);
			put_record(9, 0, 60, 60);
			(void)compare();
		}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(resolutions); i++)
		for (unsigned offset = 0; offset < 2; offset++) {
			file.len = 0;
			put_section();
			put_block(0x0bad, 16);
			put_interface(200, resolutions[i], offset != 0);
			put_packet(0, 1700000000123456789ull, 60, 60, 0);
			put_packet(0, UINT64_MAX, 61, 1500, 8);
			put_interface(200, 9, false);
			put_packet(1, 1700000000123456789ull, 60, 60, 0);
			put_block(3, 64); /* a simple packet, longer than the block */
			put_section();
			put_interface(200, 6, false);
			put_packet(0, 1700000000123456ull, 62, 60, 4);
			assert_int_equal(compare(), 3);
		}
}

static void
make_small(unsigned kind)
{
	if (kind < 2) {
		begin_classic(kind == 0 ? 0xa1b2c3d4 : 0xa1b23c4d, 4, 65535);
		for (unsigned i = 0; i < 4; i++)
			put_record(i, i, 20 + i, 60);
		return;
	}
	file.len = 0;
	put_section();
	put_interface(65535, kind == 2 ? 0 : 9, false);
	for (unsigned i = 0; i < 3; i++)
		put_packet(0, 1700000000000000ull + i, 20 + i, 60, 0);
	if (kind == 3) {
		put_block(5, 8);
		put_interface(65535, 6, false);
		put_packet(1, 1700000000000000ull, 20, 60, 4);
	}
}

static void
test_cut_everywhere(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		make_small(kind);
		for (size_t len = file.len; len > 0; len--) {
			file.len = len;
			(void)compare();
		}
	}
}

static void
test_damaged_everywhere(void **state)
{
	static const uint32_t odd[] = {0, 1, 0x80, 0x7fffffff, 0x80000000, 0xffffffff, 262144, 262145, 65535, 65536};
	unsigned frames = 0;

	for (unsigned kind = 0; kind < 4; kind++) {
		size_t len;

		make_small(kind);
		len = file.len;
		for (size_t at = 0; at + 4 <= len; at += 4)
			for (unsigned i = 0; i < ICS_ARRAY_LEN(odd); i++) {
				random_state = 0;
				make_small(kind);
				memcpy(file.b + at, &odd[i], 4);
				frames += compare();
			}
	}
	assert_true(frames > 1000);
}

/* Somebody empties the file while it is read: it ends, and nothing worse happens. */
static void
test_truncated_meanwhile(void **state)
{
	char err[ICS_CAPTURE_ERR_LEN], path[] = "/tmp/test_walk.XXXXXX";
	int fd = mkstemp(path);
	struct ics_capture *c;
	struct ics_frame f;
	unsigned n = 0;
	uint64_t ts;
	int ret;

	assert_true(fd >= 0);
	begin_classic(0xa1b2c3d4, 4, 65535);
	while (file.len < FILE_MAX - 10000)
		put_record(1, 0, 1000, 1000);
	assert_int_equal(write(fd, file.b, file.len), (ssize_t)file.len);
	c = ics_capture_open(path, err);
	assert_non_null(c);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
	assert_int_equal(ftruncate(fd, 24), 0);
	while ((ret = ics_capture_next(c, &f, &ts, err)) == 1)
		n++;
	assert_int_equal(ret, 0);
	assert_in_range(n, 1, FILE_MAX / 1016);
	ics_capture_close(c);
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_damaged_everywhere),
		cmocka_unit_test(test_truncated_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
