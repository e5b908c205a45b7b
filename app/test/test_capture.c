/* lib/capture: byte orders, time units, pcapng, link types, and files that are damaged or none. */
#include "ics_capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char err[ICS_CAPTURE_ERR_LEN];

/* A file under construction, in either byte order. */
struct file {
	uint8_t b[4096];
	size_t len;
	bool big;
};

static void
put(struct file *f, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		f->b[f->len++] = (uint8_t)(v >> 8 * (f->big ? n - 1 - i : i));
}

static void
put_header(struct file *f, bool big, uint32_t magic, uint32_t snaplen, uint32_t link)
{
	f->len = 0;
	f->big = big;
	put(f, magic, 4);
	put(f, 2, 2);
	put(f, 4, 2);
	put(f, 0, 8);
	put(f, snaplen, 4);
	put(f, link, 4);
}

/* A record of cap_len bytes that count up from first. */
static void
put_record(struct file *f, uint32_t s, uint32_t frac, uint32_t cap_len, uint32_t wire_len, uint8_t first)
{
	put(f, s, 4);
	put(f, frac, 4);
	put(f, cap_len, 4);
	put(f, wire_len, 4);
	for (uint32_t i = 0; i < cap_len; i++)
		put(f, (uint8_t)(first + i), 1);
}

static struct ics_capture *
open_file(const struct file *f)
{
	char path[] = "/tmp/test_capture.XXXXXX";
	int fd = mkstemp(path);
	struct ics_capture *c;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, f->b, f->len), (ssize_t)f->len);
	close(fd);
	c = ics_capture_open(path, err);
	unlink(path);
	return c;
}

static void
test_byte_orders_and_units(void **state)
{
	static const struct {
		bool big;
		uint32_t magic, frac;
	} kinds[] = {{false, 0xa1b2c3d4, 123456},
		     {true, 0xa1b2c3d4, 123456},
		     {false, 0xa1b23c4d, 123456000},
		     {true, 0xa1b23c4d, 123456000}};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(kinds); i++) {
		struct file file;
		struct ics_capture *c;
		struct ics_frame f;
		uint64_t ts;

		put_header(&file, kinds[i].big, kinds[i].magic, 65535, 1);
		put_record(&file, 1463012470, kinds[i].frac, 60, 118, 7);
		put_record(&file, 1463012471, 0, 14, 14, 9);
		c = open_file(&file);
		assert_non_null(c);
		assert_int_equal(ics_capture_link(c), ICS_LINK_ETHERNET);
		assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
		assert_true(ts == 1463012470123456000ull);
		assert_int_equal(f.cap_len, 60);
		assert_int_equal(f.wire_len, 118);
		assert_int_equal(f.data[0], 7);
		assert_int_equal(f.data[59], 66);
		assert_int_equal(f.stripped_tci, ICS_VLAN_NONE);
		assert_int_equal(f.link, ICS_LINK_ETHERNET);
		assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
		assert_int_equal(f.data[0], 9);
		assert_int_equal(ics_capture_next(c, &f, &ts, err), 0);
		ics_capture_close(c);
	}
}

static void
test_pcapng(void **state)
{
	struct file file = {.big = false};
	struct ics_capture *c;
	struct ics_frame f;
	uint64_t ts;

	put(&file, 0x0a0d0d0a, 4); /* section header */
	put(&file, 28, 4);
	put(&file, 0x1a2b3c4d, 4);
	put(&file, 1, 2);
	put(&file, 0, 2);
	put(&file, UINT64_MAX, 8);
	put(&file, 28, 4);
	put(&file, 1, 4); /* interface: Ethernet, microseconds */
	put(&file, 20, 4);
	put(&file, 1, 2);
	put(&file, 0, 2);
	put(&file, 65535, 4);
	put(&file, 20, 4);
	put(&file, 6, 4); /* enhanced packet of 4 bytes */
	put(&file, 36, 4);
	put(&file, 0, 4);
	put(&file, 1463012470123456ull >> 32, 4);
	put(&file, 1463012470123456ull & 0xffffffff, 4);
	put(&file, 4, 4);
	put(&file, 60, 4);
	put(&file, 0x04030201, 4);
	put(&file, 36, 4);
	c = open_file(&file);
	assert_non_null(c);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
	assert_true(ts == 1463012470123456000ull);
	assert_int_equal(f.cap_len, 4);
	assert_int_equal(f.wire_len, 60);
	assert_int_equal(f.data[3], 4);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 0);
	ics_capture_close(c);
}

static void
test_link_types(void **state)
{
	static const struct {
		uint32_t type;
		enum ics_link link;
	} links[] = {{1, ICS_LINK_ETHERNET}, {12, ICS_LINK_RAW_IP},  {14, ICS_LINK_RAW_IP}, {101, ICS_LINK_RAW_IP},
		     {228, ICS_LINK_RAW_IP}, {229, ICS_LINK_RAW_IP}, {113, ICS_LINK_SLL},   {276, ICS_LINK_SLL2},
		     {0, ICS_LINK_NULL},     {108, ICS_LINK_LOOP}};
	struct file file;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(links); i++) {
		struct ics_capture *c;
		struct ics_frame f;
		uint64_t ts;

		put_header(&file, false, 0xa1b2c3d4, 65535, links[i].type);
		put_record(&file, 1, 2, 20, 20, 0);
		c = open_file(&file);
		if (c == NULL)
			fail_msg("link type %u: %s", links[i].type, err);
		assert_int_equal(ics_capture_link(c), links[i].link);
		assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
		assert_int_equal(f.link, links[i].link);
		ics_capture_close(c);
	}
	put_header(&file, false, 0xa1b2c3d4, 65535, 127); /* 802.11 with radiotap */
	assert_null(open_file(&file));
	assert_non_null(strstr(err, "link type 127 (IEEE802_11_RADIO) cannot be read"));
	assert_non_null(strstr(err, "Ethernet, raw IP, Linux cooked"));
}

static void
test_strange_lengths_and_times(void **state)
{
	struct file file;
	struct ics_capture *c;
	struct ics_frame f;
	uint64_t ts;

	put_header(&file, false, 0xa1b2c3d4, 65535, 1);
	put_record(&file, 0, 0, 60, 40, 0); /* more captured than there was */
	put_record(&file, 0xffffffff, 999999, 0, 0, 0);
	c = open_file(&file);
	assert_non_null(c);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
	assert_int_equal(f.cap_len, 60);
	assert_int_equal(f.wire_len, 60);
	assert_true(ts == 0);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
	assert_int_equal(f.cap_len, 0);
	assert_true(ts == 4294967295999999000ull);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 0);
	ics_capture_close(c);
}

/* Cut at every length: either all that was whole is given and the cut is told, or the file is refused. */
static void
test_cut_everywhere(void **state)
{
	struct file whole, file;

	put_header(&whole, false, 0xa1b2c3d4, 65535, 1);
	put_record(&whole, 1, 0, 20, 20, 0);
	put_record(&whole, 2, 0, 20, 20, 0);
	for (size_t len = 0; len <= whole.len; len++) {
		unsigned expect = len >= 24 ? (unsigned)(len - 24) / 36 : 0, given = 0;
		struct ics_capture *c;
		struct ics_frame f;
		uint64_t ts;
		int ret;

		file = whole;
		file.len = len;
		c = open_file(&file);
		if (len < 24) {
			assert_null(c);
			assert_int_not_equal(err[0], '\0');
			assert_null(strchr(err, '\n'));
			continue;
		}
		assert_non_null(c);
		while ((ret = ics_capture_next(c, &f, &ts, err)) == 1)
			given++;
		assert_int_equal(given, expect);
		if ((len - 24) % 36 == 0) {
			assert_int_equal(ret, 0);
		} else {
			char text[64];

			assert_int_equal(ret, -EINVAL);
			snprintf(text, sizeof(text), "cut short after frame %u: ", expect);
			assert_non_null(strstr(err, text));
		}
		ics_capture_close(c);
	}
	file = whole;
	file.len = 24;
	file.big = false;
	put(&file, 1, 4);
	put(&file, 0, 4);
	put(&file, 0x7fffffff, 4); /* absurd length */
	put(&file, 0x7fffffff, 4);
	{
		struct ics_capture *c = open_file(&file);
		struct ics_frame f;
		uint64_t ts;

		assert_non_null(c);
		assert_int_equal(ics_capture_next(c, &f, &ts, err), -EINVAL);
		assert_non_null(strstr(err, "after frame 0: "));
		ics_capture_close(c);
	}
}

static void
test_no_capture(void **state)
{
	struct file file = {.len = 0};

	assert_null(ics_capture_open("/nonexistent/a.pcap", err));
	assert_string_equal(err, "/nonexistent/a.pcap: No such file or directory");
	assert_null(ics_capture_open("/", err));
	assert_non_null(strstr(err, "is a directory"));
	assert_null(open_file(&file));
	assert_non_null(strstr(err, "is empty"));
	for (unsigned i = 0; i < 100; i++)
		put(&file, 'x', 1);
	assert_null(open_file(&file));
	assert_non_null(strstr(err, "is no capture file"));
}

static void
test_standard_input(void **state)
{
	struct file file;
	struct ics_capture *c;
	struct ics_frame f;
	uint64_t ts;
	int ends[2];

	put_header(&file, false, 0xa1b2c3d4, 65535, 1);
	put_record(&file, 5, 0, 20, 20, 3);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], file.b, file.len), (ssize_t)file.len);
	close(ends[1]);
	assert_true(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	close(ends[0]);
	c = ics_capture_open("-", err);
	assert_non_null(c);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 1);
	assert_int_equal(f.data[0], 3);
	assert_int_equal(ics_capture_next(c, &f, &ts, err), 0);
	ics_capture_close(c);
	assert_null(ics_capture_open("-", err));
	assert_non_null(strstr(err, "standard input: "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_byte_orders_and_units),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_strange_lengths_and_times),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_no_capture),
		cmocka_unit_test(test_standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
