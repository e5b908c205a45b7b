/* Capture files as frames of the fast half. libpcap opens them and reads both byte orders, micro- and nanoseconds and
 * pcapng; records of the usual file are found without it (walk.c). What it takes for granted is checked here: that the
 * file is one, its link type, its times and lengths. Called by icmpscope-read.
 */
#include "ics_capture.h"
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NS_PER_S 1000000000u
/* Later seconds (pcapng has room for them) would not fit into 64 bits of nanoseconds. */
#define SECONDS_MAX (INT64_MAX / NS_PER_S)

struct ics_capture {
	pcap_t *pcap;
	enum ics_link link;
	uint64_t frames;
	bool walks; /* else libpcap reads */
	struct walk walk;
};

/* Values of the file format (LINKTYPE_) and of libpcap (DLT_) side by side: they differ for raw IP. */
static const struct {
	int type;
	enum ics_link link;
} links[] = {
	{1, ICS_LINK_ETHERNET}, {12, ICS_LINK_RAW_IP},  {14, ICS_LINK_RAW_IP}, {101, ICS_LINK_RAW_IP},
	{228, ICS_LINK_RAW_IP}, {229, ICS_LINK_RAW_IP}, {113, ICS_LINK_SLL},   {276, ICS_LINK_SLL2},
	{0, ICS_LINK_NULL},     {108, ICS_LINK_LOOP},
};

static bool
find_link(int type, enum ics_link *out)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(links); i++) {
		if (links[i].type == type) {
			*out = links[i].link;
			return true;
		}
	}
	return false;
}

/* What stat() can tell before libpcap says "truncated dump file" about it. */
static const char *
refuse_file(FILE *f)
{
	struct stat st;

	if (fstat(fileno(f), &st) != 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "is a directory, not a capture file";
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return "is empty: the capture was never written";
	return NULL;
}

struct ics_capture *
ics_capture_open(const char *path, char err[static ICS_CAPTURE_ERR_LEN])
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *name = is_stdin ? "standard input" : path, *problem;
	char why[PCAP_ERRBUF_SIZE] = "";
	struct ics_capture *c;
	FILE *f = is_stdin ? stdin : fopen(path, "rbe");
	off_t begin;

	err[0] = '\0';
	if (f == NULL) {
		snprintf(err, ICS_CAPTURE_ERR_LEN, "%s: %s", name, strerror(errno));
		return NULL;
	}
	problem = refuse_file(f);
	if (problem != NULL) {
		snprintf(err, ICS_CAPTURE_ERR_LEN, "%s: %s", name, problem);
		goto close_file;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		snprintf(err, ICS_CAPTURE_ERR_LEN, "%s: out of memory", name);
		goto close_file;
	}
	begin = ftello(f);
	c->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (c->pcap == NULL) {
		snprintf(err, ICS_CAPTURE_ERR_LEN, "%s: is no capture file that can be read (pcap or pcapng): %s", name,
			 why);
		free(c);
		goto close_file;
	}
	if (!find_link(pcap_datalink(c->pcap), &c->link)) {
		int type = pcap_datalink(c->pcap);
		const char *text = pcap_datalink_val_to_name(type);

		snprintf(err, ICS_CAPTURE_ERR_LEN,
			 "%s: link type %d (%s) cannot be read; readable: Ethernet, raw IP, Linux cooked (SLL, SLL2), "
			 "BSD loopback (NULL, LOOP)",
			 name, type, text != NULL ? text : "unknown");
		ics_capture_close(c);
		return NULL;
	}
	c->walks = begin >= 0 && ics_walk_begin(&c->walk, f, c->pcap, (uint64_t)begin);
	return c;

close_file:
	if (!is_stdin)
		fclose(f);
	return NULL;
}

static inline uint64_t
time_ns(uint64_t s, uint64_t ns)
{
	return (s > SECONDS_MAX ? SECONDS_MAX : s) * NS_PER_S + ns;
}

static inline int
give(struct ics_capture *c, const struct walk_record *r, struct ics_frame *f, uint64_t *ts_ns)
{
	c->frames++;
	*f = (struct ics_frame){
		.data = r->data,
		.cap_len = r->cap_len,
		/* Some files claim to hold more than was on the wire; what is there is what there was. */
		.wire_len = r->wire_len < r->cap_len ? r->cap_len : r->wire_len,
		.stripped_tci = ICS_VLAN_NONE,
		.link = (uint8_t)c->link,
	};
	*ts_ns = time_ns(r->s, r->ns);
	return 1;
}

/* libpcap goes on where the walk ended. */
static bool
leave_walk(struct ics_capture *c)
{
	c->walks = false;
	return fseeko(pcap_file(c->pcap), (off_t)ics_walk_offset(&c->walk), SEEK_SET) == 0;
}

static int
next_by_libpcap(struct ics_capture *c, struct walk_record *r, char err[static ICS_CAPTURE_ERR_LEN])
{
	struct pcap_pkthdr *h;
	int ret = pcap_next_ex(c->pcap, &h, &r->data);

	if (ret == PCAP_ERROR_BREAK)
		return 0;
	if (ret != 1) {
		snprintf(err, ICS_CAPTURE_ERR_LEN, "cut short after frame %llu: %s", (unsigned long long)c->frames,
			 pcap_geterr(c->pcap));
		return -EINVAL;
	}
	r->cap_len = h->caplen;
	r->wire_len = h->len;
	/* A classic file has 32 bits of seconds without sign; libpcap may have given them one. */
	r->s = h->ts.tv_sec < 0 ? (uint32_t)h->ts.tv_sec : (uint64_t)h->ts.tv_sec;
	r->ns = h->ts.tv_usec < 0 ? 0 : (uint64_t)h->ts.tv_usec;
	return 1;
}

int
ics_capture_next(struct ics_capture *c, struct ics_frame *f, uint64_t *ts_ns, char err[static ICS_CAPTURE_ERR_LEN])
{
	struct walk_record r;
	int ret;

	if (ics_likely(c->walks)) {
		enum walk_result found = ics_walk_next(&c->walk, &r);

		if (ics_likely(found == WALK_RECORD))
			return give(c, &r, f, ts_ns);
		if (found == WALK_END)
			return 0;
		if (!leave_walk(c)) {
			snprintf(err, ICS_CAPTURE_ERR_LEN, "cut short after frame %llu: %s",
				 (unsigned long long)c->frames, strerror(errno));
			return -EINVAL;
		}
	}
	ret = next_by_libpcap(c, &r, err);
	return ret == 1 ? give(c, &r, f, ts_ns) : ret;
}

enum ics_link
ics_capture_link(const struct ics_capture *c)
{
	return c->link;
}

void
ics_capture_close(struct ics_capture *c)
{
	if (c == NULL)
		return;
	ics_walk_end(&c->walk);
	pcap_close(c->pcap);
	free(c);
}
