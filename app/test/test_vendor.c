/* The list of MAC prefixes: both forms of the file, all lengths of prefixes, and files that are none. */
#include "ics_vendor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test_common.h"

static char path[] = "/tmp/ics-vendor-XXXXXX";

static void
write_file(const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
write_text(const char *text)
{
	write_file(text, strlen(text));
}

static int
load(const char *text)
{
	char err[ICS_VENDOR_ERR_LEN];

	write_text(text);
	return ics_vendor_load(path, err);
}

static const char *
name(const char *text)
{
	struct ics_mac mac;

	assert_int_equal(ics_mac_parse(text, &mac), 0);
	return ics_vendor_name(&mac);
}

static void
text_form(void **state)
{
	assert_string_equal(name("00:22:72:01:02:03"), "");
	assert_int_equal(load("OUI/MA-L                Organization\n"
			      "company_id              Organization\n"
			      "\n"
			      "00-22-72   (hex)\t\tAmerican Micro-Fuel Device Corp.\r\n"
			      "002272     (base 16)\t\tAmerican Micro-Fuel Device Corp.\r\n"
			      "\t\t\t\t2181 Buchanan Loop\r\n"
			      "FC-FF-AA   (hex)\t\tCaf\xc3\xa9 GmbH  \n"
			      "00-D0-EF   (hex)\t\tIGT"),
			 0);
	assert_int_equal(ics_vendor_count(), 3);
	assert_string_equal(name("00:22:72:01:02:03"), "American Micro-Fuel Device Corp.");
	assert_string_equal(name("00:d0:ef:ff:ff:ff"), "IGT");
	assert_string_equal(name("fc:ff:aa:00:00:00"), "Caf?? GmbH");
	assert_string_equal(name("00:22:73:01:02:03"), "");
	/* The same bits with the local one set are nobody's. */
	assert_string_equal(name("02:22:72:01:02:03"), "locally administered");
}

static void
csv_form(void **state)
{
	assert_int_equal(load("Registry,Assignment,Organization Name,Organization Address\n"
			      "MA-L,70B3D5,IEEE Registration Authority,445 Hoes Lane\n"
			      "MA-S,70B3D5123,\"Small, \"\"quoted\"\" Ltd\",Street 1\n"
			      "MA-M,70B3D51,Middle,Street 2\n"
			      "MA-L,70B3D6,,no name\n"
			      "MA-L,70B3,too short,x\n"),
			 0);
	assert_int_equal(ics_vendor_count(), 3);
	assert_string_equal(name("70:b3:d5:12:30:01"), "Small, \"quoted\" Ltd");
	assert_string_equal(name("70:b3:d5:12:40:01"), "Middle");
	assert_string_equal(name("70:b3:d5:22:40:01"), "IEEE Registration Authority");
	assert_string_equal(name("70:b3:d6:22:40:01"), "");
}

static void
long_names_are_cut(void **state)
{
	char text[6000] = "00-11-22   (hex)\t\t";

	memset(text + strlen(text), 'x', 5000);
	strcat(text, "\n00-11-33   (hex)\t\tShort\n");
	assert_int_equal(load(text), 0);
	assert_int_equal(strlen(name("00:11:22:00:00:00")), ICS_VENDOR_NAME_LEN - 1);
	assert_string_equal(name("00:11:33:00:00:00"), "Short");
}

static void
what_is_no_list_is_refused(void **state)
{
	char err[ICS_VENDOR_ERR_LEN];
	uint8_t junk[20000];
	uint64_t x = 1;

	assert_int_equal(load("00-D0-EF   (hex)\t\tIGT\n"), 0);
	assert_int_equal(ics_vendor_load("/nonexistent/oui.txt", err), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/oui.txt: "));
	assert_int_equal(ics_vendor_load("/tmp", err), -EINVAL);
	assert_int_equal(ics_vendor_load("/dev/zero", err), -EINVAL);
	assert_int_equal(load(""), -EINVAL);
	assert_int_equal(load("00-D0 (hex) short\nMA-L,\nMA-L,zz\n(hex)\n00-D0-EF-11-22-33 (hex) long\n"), -EINVAL);
	memset(junk, 0, sizeof(junk));
	write_file(junk, sizeof(junk));
	assert_int_equal(ics_vendor_load(path, err), -EINVAL);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < sizeof(junk); i++)
			junk[i] = (uint8_t)(x = ics_hash_mix(x, i));
		write_file(junk, sizeof(junk));
		assert_int_equal(ics_vendor_load(path, err), -EINVAL);
	}
	/* What was there before is there still. */
	assert_string_equal(name("00:d0:ef:00:00:01"), "IGT");
}

/* Read when the first name is asked for, and no sooner; what is wrong with it is told then. */
static void
later(void **state)
{
	char err[ICS_VENDOR_ERR_LEN] = "";

	assert_int_equal(load("00-D0-EF   (hex)\t\tIGT\n"), 0);
	assert_int_equal(ics_vendor_load_later("/nonexistent/oui.txt", err), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/oui.txt: "));
	assert_int_equal(ics_vendor_load_later("/tmp", err), -EINVAL);
	assert_string_equal(name("00:d0:ef:00:00:01"), "IGT");
	assert_int_equal(ics_vendor_late(err), 0);

	write_text("00-11-22   (hex)\t\tOne\n00-11-33   (hex)\t\tTwo\n");
	assert_int_equal(ics_vendor_load_later(path, err), 0);
	assert_int_equal(ics_vendor_count(), 1);
	assert_string_equal(name("02:11:22:00:00:01"), "locally administered");
	assert_int_equal(ics_vendor_count(), 1);
	assert_string_equal(name("00:11:22:00:00:01"), "One");
	assert_int_equal(ics_vendor_count(), 2);
	assert_string_equal(name("00:d0:ef:00:00:01"), "");
	assert_int_equal(ics_vendor_late(err), 0);

	/* The old one stays when the new one is none. */
	write_text("nothing\n");
	assert_int_equal(ics_vendor_load_later(path, err), 0);
	assert_int_equal(ics_vendor_late(err), 0);
	assert_string_equal(name("00:11:33:00:00:01"), "Two");
	assert_int_equal(ics_vendor_late(err), -EINVAL);
	assert_non_null(strstr(err, path));
	assert_non_null(strstr(err, "not a list"));

	/* One that is loaded at once takes the place of one that waits. */
	write_text("00-11-44   (hex)\t\tThree\n");
	assert_int_equal(ics_vendor_load_later(path, err), 0);
	assert_int_equal(load("00-11-55   (hex)\t\tFour\n"), 0);
	assert_string_equal(name("00:11:55:00:00:01"), "Four");
	assert_int_equal(ics_vendor_late(err), 0);
	assert_int_equal(ics_vendor_load_later(path, err), 0);
	ics_vendor_free();
	assert_string_equal(name("00:11:55:00:00:01"), "");
}

/* Bytes of a good file changed at random: whatever it gives, it gives within bounds. */
static void
damaged(void **state)
{
	static const char good[] = "00-22-72   (hex)\t\tAmerican Micro-Fuel Device Corp.\r\n"
				   "MA-S,70B3D5123,\"Small, \"\"quoted\"\" Ltd\",Street 1\n"
				   "MA-M,70B3D51,Middle,Street 2\n";
	char err[ICS_VENDOR_ERR_LEN], text[sizeof(good)];
	uint64_t x = 3;

	for (unsigned round = 0; round < 2000; round++) {
		memcpy(text, good, sizeof(good));
		for (unsigned i = 0; i < 4; i++) {
			x = ics_hash_mix(x, round);
			text[x % (sizeof(good) - 1)] = (char)(x >> 32);
		}
		write_file(text, sizeof(good) - 1);
		(void)ics_vendor_load(path, err);
		assert_in_range(ics_vendor_count(), 1, 10);
		assert_true(strlen(name("00:22:72:01:02:03")) < ICS_VENDOR_NAME_LEN);
		assert_true(strlen(name("70:b3:d5:12:30:01")) < ICS_VENDOR_NAME_LEN);
	}
}

static int
setup(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	ics_vendor_free();
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_form),
		cmocka_unit_test(csv_form),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(later),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
