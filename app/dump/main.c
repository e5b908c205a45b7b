/* icmpscope-dump: what the fast half finds in each frame of a capture, one line a frame, to be compared with other
 * readers of the same capture (dts/test_differential.py). Options (RFC 4861 4.6) and records (RFC 9777 5.2) are listed as
 * the validators walk them, with the same bounds, and include the one at which a walk stops.
 */
#include "ics_capture.h"
#include "ics_inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_OFF 8
#define RECORD_LEN 20
/* The end of the message is in another fragment. */
#define LEN_UNKNOWN UINT32_MAX

/* Where the options of a Neighbor Discovery message start; 0: the class has none. */
static const uint8_t options_off[ICS_CLASS_COUNT] = {
	[ICS_CLASS_nd_rs] = 8,  [ICS_CLASS_nd_ra] = 16,       [ICS_CLASS_nd_ns] = 24,
	[ICS_CLASS_nd_na] = 24, [ICS_CLASS_nd_redirect] = 40,
};

static bool
is_readable(const struct ics_pkt *pkt)
{
	return (pkt->flags & (ICS_PKT_ICMP | ICS_PKT_UNPARSED)) == ICS_PKT_ICMP;
}

static uint32_t
message_len(const struct ics_pkt *pkt)
{
	if ((pkt->flags & (ICS_PKT_FRAGMENT | ICS_PKT_FRAG_ATOMIC)) == ICS_PKT_FRAGMENT)
		return LEN_UNKNOWN;
	return pkt->ilen;
}

static bool
sum_verifies(const struct ics_pkt *pkt)
{
	uint64_t acc = ics_sum_add(0, pkt->icmp);

	if (pkt->ip_version == 6) {
		acc = ics_sum_add(acc, (struct ics_view){pkt->src, 16});
		acc = ics_sum_add(acc, (struct ics_view){pkt->dst, 16});
		acc += (uint64_t)__builtin_bswap32(pkt->ilen) + __builtin_bswap32(ICS_PROTO_ICMP6);
	}
	return ics_sum_fold(acc) == 0xffff;
}

/* A message without complaint about its sum has a good one, or was not judged. */
static const char *
checksum_verdict(const struct ics_pkt *pkt)
{
	if (ics_reasons_has(&pkt->reasons, ICS_REASON_icmp6_checksum) ||
	    ics_reasons_has(&pkt->reasons, ICS_REASON_icmp4_checksum))
		return "bad";
	return is_readable(pkt) && pkt->icmp.len == message_len(pkt) && sum_verifies(pkt) ? "ok" : "skipped";
}

/* type:units of each option, up to ICS_ND_OPTIONS_MAX of them. */
static unsigned
print_options(const struct ics_pkt *pkt)
{
	uint32_t off = options_off[pkt->class], len = message_len(pkt);
	unsigned n;

	if (off == 0 || !is_readable(pkt))
		return 0;
	for (n = 0; n < ICS_ND_OPTIONS_MAX && off < len && ics_view_has(pkt->icmp, off, 2); n++) {
		uint32_t units = pkt->icmp.p[off + 1];

		printf("%s%u:%" PRIu32, n > 0 ? "," : "", pkt->icmp.p[off], units);
		if (units == 0 || units * 8 > len - off)
			return n + 1;
		off += units * 8;
	}
	return n;
}

/* type/group/sources of each record, up to ICS_MLD_RECORDS_MAX of them; the group as hex digits. */
static unsigned
print_records(const struct ics_pkt *pkt)
{
	uint32_t off = RECORDS_OFF, len = message_len(pkt);
	unsigned n, announced = ics_view_be16(pkt->icmp, RECORDS_OFF - 2);

	if (pkt->class != ICS_CLASS_mld2_report || !is_readable(pkt))
		return 0;
	for (n = 0; n < announced && n < ICS_MLD_RECORDS_MAX && ics_view_has(pkt->icmp, off, RECORD_LEN); n++) {
		const uint8_t *rec = pkt->icmp.p + off;
		uint32_t rec_len = RECORD_LEN + ics_load_be16(rec + 2) * 16u + rec[1] * 4u;

		printf("%s%u/", n > 0 ? "," : "", rec[0]);
		for (unsigned i = 4; i < RECORD_LEN; i++)
			printf("%02x", rec[i]);
		printf("/%u", ics_load_be16(rec + 2));
		if (rec_len > len - off)
			return n + 1;
		off += rec_len;
	}
	return n;
}

static unsigned
print_reasons(const struct ics_pkt *pkt)
{
	unsigned n, printed = 0;

	ICS_REASONS_FOREACH(n, &pkt->reasons)
		printf("%s%s", printed++ > 0 ? "," : "", ics_reason_info(n)->name);
	return printed;
}

static void
print_frame(uint64_t frame_no, const struct ics_pkt *pkt)
{
	static unsigned (*const lists[])(const struct ics_pkt *) = {print_options, print_records, print_reasons};

	printf("%" PRIu64 "\t%s\t%s", frame_no, ics_class_name(pkt->class), checksum_verdict(pkt));
	for (unsigned i = 0; i < ICS_ARRAY_LEN(lists); i++) {
		putchar('\t');
		if (lists[i](pkt) == 0)
			putchar('-');
	}
	putchar('\n');
}

int
main(int argc, char **argv)
{
	const struct ics_inspect inspect = {.validate = {.link_mtu = 1500}};
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c;
	struct ics_frame f;
	uint64_t ts_ns, frame_no = 0;
	int ret;

	if (argc != 2) {
		fputs("usage: icmpscope-dump CAPTURE\n", stderr);
		return 2;
	}
	c = ics_capture_open(argv[1], err);
	if (c == NULL) {
		fprintf(stderr, "icmpscope-dump: %s\n", err);
		return 1;
	}
	puts("frame\tclass\tchecksum\toptions\trecords\treasons");
	while ((ret = ics_capture_next(c, &f, &ts_ns, err)) == 1) {
		struct ics_pkt pkt;

		ics_inspect_frame(&inspect, &f, &pkt);
		print_frame(++frame_no, &pkt);
	}
	ics_capture_close(c);
	if (ret != 0)
		fprintf(stderr, "icmpscope-dump: %s: %s\n", argv[1], err);
	return ret != 0 || fflush(stdout) != 0;
}
