/* Evidence as capture files: what libpcap reads back, comments, and a directory that stays within its bounds. */
#include "ics_evidence.h"
#include "test_slow.h"

#include <dirent.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/icmpscope-evidence-XXXXXX";

static int
set_up(void **state)
{
	return mkdtemp(dir) == NULL ? -1 : 0;
}

/* Names in the directory that hold a text; all of them go with remove. */
static unsigned
names(const char *like, bool remove)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' && strlen(e->d_name) <= 2)
			continue;
		n += strstr(e->d_name, like) != NULL;
		if (remove)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
	return n;
}

static int
tear_down(void **state)
{
	names("", true);
	return rmdir(dir);
}

static void
make(struct ics_anomaly *a, uint64_t id, unsigned frames, unsigned len)
{
	static uint8_t frame[600];

	memset(a, 0, sizeof(*a));
	a->id = id;
	a->detector = "router_flap";
	a->variant = id % 2 ? "often" : "";
	a->severity = ICS_SEV_WARN;
	a->segment.port = (uint8_t)(id % 3);
	for (unsigned i = 0; i < frames; i++) {
		struct ics_record rec = {
			.ts_ns = T0 + id * S + i, .wire_len = 1000, .encap = id % 2 ? ICS_LINK_RAW_IP << 5 : 0};

		memset(frame, (int)i, sizeof(frame));
		ics_anomaly_note_frame(a, &rec, (struct ics_view){frame, len}, i + 1);
	}
}

static void
test_comment(void **state)
{
	struct ics_evidence_comment c = {17, "router_lifetime_zero", "graceful", "critical", "opened it", 1, 3};
	char buf[ICS_EVIDENCE_COMMENT_LEN];

	assert_string_equal(ics_evidence_comment(&c, buf),
			    "anomaly 17 router_lifetime_zero (graceful), critical: opened it (frame 1 of 3)");
	c.variant = "";
	assert_string_equal(ics_evidence_comment(&c, buf),
			    "anomaly 17 router_lifetime_zero, critical: opened it (frame 1 of 3)");
}

/* Every length from nothing on, so that padding is right; nanoseconds and length on the wire as they were. */
static void
test_libpcap_reads_it(void **state)
{
	char err[PCAP_ERRBUF_SIZE], *file = NULL;
	struct ics_pcapng out;
	struct ics_anomaly a;
	size_t size = 0;
	FILE *f = open_memstream(&file, &size);
	pcap_t *pcap;
	struct pcap_pkthdr *h;
	const u_char *bytes;

	assert_int_equal(ics_pcapng_begin(&out, f, "icmpscope test"), 0);
	for (unsigned len = 1; len <= 70; len++) {
		make(&a, 2, 1, len == 70 ? 600 : len);
		a.proof[0].ts_ns = T0 + 123456789 + len;
		assert_int_equal(ics_evidence_add(&out, &a, len % 2 ? "eth1" : "a longer name"), 1);
	}
	fclose(f);
	assert_non_null(memmem(file, size, "anomaly 2 router_flap, warn: opened it (frame 1 of 1)", 53));
	assert_non_null(memmem(file, size, "icmpscope test", 14));
	f = fmemopen(file, size, "rb");
	pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, err);
	if (pcap == NULL)
		fail_msg("%s", err);
	assert_int_equal(pcap_datalink(pcap), DLT_EN10MB);
	for (unsigned len = 1; len <= 70; len++) {
		assert_int_equal(pcap_next_ex(pcap, &h, &bytes), 1);
		assert_int_equal(h->caplen, len == 70 ? 512 : len);
		assert_int_equal(h->len, 1000);
		assert_int_equal((uint64_t)h->ts.tv_sec * S + (uint64_t)h->ts.tv_usec, T0 + 123456789 + len);
	}
	assert_int_equal(pcap_next_ex(pcap, &h, &bytes), PCAP_ERROR_BREAK);
	pcap_close(pcap);
	free(file);
}

static void
test_interfaces(void **state)
{
	static const uint8_t byte;
	struct ics_pcapng out;
	char *file = NULL;
	size_t size = 0, before;
	FILE *f = open_memstream(&file, &size);
	struct ics_pcapng_packet p = {.data = &byte, .len = 1, .name = "x", .comment = ""};

	assert_int_equal(ics_pcapng_begin(&out, f, ""), 0);
	for (unsigned i = 0; i < 2 * ICS_PCAPNG_INTERFACES_MAX; i++) {
		p.interface = i / 2 % (ICS_PCAPNG_INTERFACES_MAX / 2);
		p.link = i % 2;
		assert_int_equal(ics_pcapng_packet(&out, &p), 0);
	}
	assert_int_equal(out.n_interfaces, ICS_PCAPNG_INTERFACES_MAX);
	fflush(f);
	before = size;
	p.interface = 100;
	assert_int_equal(ics_pcapng_packet(&out, &p), -ENOSPC);
	fflush(f);
	assert_int_equal(size, before);
	fclose(f);
	free(file);
}

static void
test_directory(void **state)
{
	struct ics_evidence_dir d = {.path = dir, .boot = "b1", .program = "test", .max_files = 20};
	struct ics_anomaly a;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/icmpscope-mine.pcapng", dir);
	f = fopen(path, "w");
	fclose(f);
	assert_int_equal(ics_evidence_open(&d), 0);
	assert_int_equal(d.files, 0);
	make(&a, 1, 0, 0);
	assert_int_equal(ics_evidence_write(&d, &a, "eth1"), 0);
	/* The same one again takes its own place. */
	make(&a, 1, 3, 60);
	assert_int_equal(ics_evidence_write(&d, &a, "eth1"), 1);
	assert_int_equal(ics_evidence_write(&d, &a, "eth1"), 1);
	assert_int_equal(d.files, 1);
	assert_int_equal(names("-router_flap-1-b1.pcapng", false), 1);
	for (uint64_t id = 2; id < 60; id++) {
		make(&a, id, 3, 60);
		assert_int_equal(ics_evidence_write(&d, &a, "eth1"), 1);
		assert_true(d.files <= 20);
		assert_int_equal(names("-b1.pcapng", false), d.files);
	}
	/* The newest are there, the oldest are not, what is not ours is. */
	assert_int_equal(names("-router_flap-59-b1", false), 1);
	assert_int_equal(names("-router_flap-1-b1", false), 0);
	assert_int_equal(names("icmpscope-mine.pcapng", false), 1);
	assert_int_equal(names(".tmp", false), 0);
	/* Another run finds them; by size as by number. */
	d = (struct ics_evidence_dir){.path = dir, .boot = "b2", .program = "test", .max_bytes = 3000};
	assert_int_equal(ics_evidence_open(&d), 0);
	assert_true(d.files > 0 && d.files < 12 && d.bytes <= 3000);
	assert_int_equal(names("-b1.pcapng", false), d.files);
	make(&a, 1, 3, 600);
	a.first_ns += 1000 * S;
	assert_int_equal(ics_evidence_write(&d, &a, "eth1"), 1);
	assert_int_equal(names("-router_flap-1-b2", false), 1);
	assert_true(d.bytes <= 3000);
}

static void
test_directory_that_is_none(void **state)
{
	struct ics_evidence_dir d = {.path = "/nonexistent", .boot = "b", .program = "test"};
	struct ics_anomaly a;

	assert_int_equal(ics_evidence_open(&d), -ENOENT);
	make(&a, 1, 1, 60);
	assert_int_equal(ics_evidence_write(&d, &a, "eth1"), -ENOENT);
	d.path = "/dev/null";
	assert_int_equal(ics_evidence_open(&d), -ENOTDIR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comment),
		cmocka_unit_test(test_libpcap_reads_it),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_directory_that_is_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
