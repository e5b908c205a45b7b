/* Version 2 Report (143) and its records: RFC 9777 (3810) 5.2, 6; RFC 4604 2.2; RFC 9279 3. */
#include "validate.h"

#define FLAGS_OFF 4
#define N_RECORDS_OFF 6
#define HEADER_LEN 8
#define RECORD_LEN 20
#define FLAG_EXTENSION 0x80 /* RFC 9279: TLVs follow the records */

enum {
	IS_INCLUDE = 1,
	IS_EXCLUDE = 2,
	TO_INCLUDE = 3,
	TO_EXCLUDE = 4,
	ALLOW_NEW = 5,
	BLOCK_OLD = 6,
};

static bool
is_source_specific(const uint8_t *group)
{
	return (ics_load_be32(group) & 0xfff0ffff) == 0xff300000;
}

/* sources holds what was captured of them; budget is what is left of ICS_MLD_SOURCES_MAX. */
static void
check_sources(struct ics_pkt *pkt, struct ics_view sources, unsigned *budget)
{
	for (uint32_t off = 0; ics_view_has(sources, off, 16) && *budget > 0; off += 16, (*budget)--) {
		const uint8_t *a = sources.p + off;

		/* A source is one host (9777 5.2.10). */
		ICS_FIRES(pkt, mld2_report_source_invalid, ics_ip6_is_multicast(a) || ics_ip6_is_unspecified(a));
	}
}

static void
check_record(struct ics_pkt *pkt, const uint8_t *rec)
{
	uint8_t type = rec[0];
	const uint8_t *group = rec + 4;
	bool excludes = type == IS_EXCLUDE || type == TO_EXCLUDE;

	/* Six types are defined, others are skipped (9777 5.2.13). */
	ICS_FIRES(pkt, mld2_report_rectype_unknown, type < IS_INCLUDE || type > BLOCK_OLD);
	/* No auxiliary data is defined (9777 5.2.11). */
	ICS_FIRES(pkt, mld2_report_aux_data, rec[1] != 0);
	/* What is reported is a group (9777 5.2.9), and not one of those that need no report. */
	ICS_FIRES(pkt, mld2_report_group_invalid, !ics_ip6_is_multicast(group));
	ics_mld_check_reported_group(pkt, group);
	/* These say nothing without a source (9777 5.2.13); TO_INCLUDE of nothing is how a group is left. */
	ICS_FIRES(pkt, mld2_report_empty_source_list,
		  ics_load_be16(rec + 2) == 0 && (type == IS_INCLUDE || type == ALLOW_NEW || type == BLOCK_OLD));
	/* Source-specific groups have no "all but" (4604 2.2). */
	ICS_FIRES(pkt, mld2_report_ssm_exclude, excludes && is_source_specific(group));
}

/* Returns where the last record ends, or 0 when that is not known. */
static uint32_t
walk_records(struct ics_pkt *pkt, unsigned n)
{
	const uint32_t len = ics_msg_len(pkt);
	unsigned budget = ICS_MLD_SOURCES_MAX;
	uint32_t off = HEADER_LEN;

	for (unsigned i = 0; i < n; i++) {
		uint32_t sources_len, end;
		const uint8_t *rec;

		if (ics_unlikely(i == ICS_MLD_RECORDS_MAX))
			return 0;
		/* A record, its sources and its auxiliary data lie within the message (9777 5.2). */
		if (ics_unlikely(RECORD_LEN > len - off)) {
			ics_reasons_add(&pkt->reasons, ICS_REASON_mld2_report_truncated);
			return 0;
		}
		if (ics_unlikely(!ics_view_has(pkt->icmp, off, RECORD_LEN)))
			return 0;
		rec = pkt->icmp.p + off;
		sources_len = ics_load_be16(rec + 2) * 16u;
		end = off + RECORD_LEN + sources_len + rec[1] * 4u;
		check_record(pkt, rec);
		check_sources(pkt, ics_view_sub(pkt->icmp, off + RECORD_LEN, sources_len), &budget);
		if (ics_unlikely(end > len)) {
			ics_reasons_add(&pkt->reasons, ICS_REASON_mld2_report_truncated);
			return 0;
		}
		off = end;
	}
	return off;
}

void
ics_validate_mld2_report(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	uint32_t len = ics_msg_len(pkt), end;
	unsigned n;

	(void)conf;
	ics_mld_check_common(pkt);
	/* Routers listen to a group of their own (9777 5.2.15). */
	ICS_FIRES(pkt, mld2_report_dst, !ics_ip6_is_link_group(pkt->dst, 0x16));
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, HEADER_LEN)))
		return;
	n = ics_load_be16(pkt->icmp.p + N_RECORDS_OFF);

	/* A report of nothing (9777 5.2). */
	ICS_FIRES(pkt, mld2_report_zero_records, n == 0);
	end = walk_records(pkt, n);
	/* Octets behind the records that are no announced extension (9777 5.2.12). */
	ICS_FIRES(pkt, mld_extra_octets,
		  end != 0 && end < len && len != ICS_LEN_UNKNOWN && !(pkt->icmp.p[FLAGS_OFF] & FLAG_EXTENSION));
}
