/* Version 2 Report (143) and its records: RFC 9777 (3810) 5.2, 6; RFC 4604 2.2; RFC 9279 3. */
#include "ics_mld.h"
#include "validate.h"

#define FLAGS_OFF 4
#define N_RECORDS_OFF 6
#define FLAG_EXTENSION 0x80 /* RFC 9279: TLVs follow the records */

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
check_record(struct ics_pkt *pkt, const struct ics_mld_record *rec)
{
	uint8_t type = rec->type;
	bool excludes = type == ICS_MLD_IS_EXCLUDE || type == ICS_MLD_TO_EXCLUDE;

	/* Six types are defined, others are skipped (9777 5.2.13). */
	ICS_FIRES(pkt, mld2_report_rectype_unknown, type < ICS_MLD_IS_INCLUDE || type > ICS_MLD_BLOCK_OLD);
	/* No auxiliary data is defined (9777 5.2.11). */
	ICS_FIRES(pkt, mld2_report_aux_data, rec->aux_words != 0);
	/* What is reported is a group (9777 5.2.9), and not one of those that need no report. */
	ICS_FIRES(pkt, mld2_report_group_invalid, !ics_ip6_is_multicast(rec->group));
	ics_mld_check_reported_group(pkt, rec->group);
	/* These say nothing without a source (9777 5.2.13); TO_INCLUDE of nothing is how a group is left. */
	ICS_FIRES(pkt, mld2_report_empty_source_list,
		  rec->n_sources == 0 &&
			  (type == ICS_MLD_IS_INCLUDE || type == ICS_MLD_ALLOW_NEW || type == ICS_MLD_BLOCK_OLD));
	/* Source-specific groups have no "all but" (4604 2.2). */
	ICS_FIRES(pkt, mld2_report_ssm_exclude, excludes && ics_ip6_is_source_specific(rec->group));
}

/* Returns where the last record ends, or 0 when that is not known. */
static uint32_t
walk_records(struct ics_pkt *pkt, unsigned n)
{
	const uint32_t len = ics_msg_len(pkt);
	unsigned budget = ICS_MLD_SOURCES_MAX;
	uint32_t off = ICS_MLD2_RECORDS_OFF;

	for (unsigned i = 0; i < n; i++) {
		struct ics_mld_record rec;
		enum ics_mld_walk walk;

		if (ics_unlikely(i == ICS_MLD_RECORDS_MAX))
			return 0;
		/* A record, its sources and its auxiliary data lie within the message (9777 5.2). */
		walk = ics_mld_record_at(pkt->icmp, len, off, &rec);
		ICS_FIRES(pkt, mld2_report_truncated, walk == ICS_MLD_TRUNCATED);
		if (ics_unlikely(walk != ICS_MLD_RECORD))
			return 0;
		check_record(pkt, &rec);
		check_sources(pkt, rec.sources, &budget);
		ICS_FIRES(pkt, mld2_report_truncated, rec.end > len);
		if (ics_unlikely(rec.end > len))
			return 0;
		off = rec.end;
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
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, ICS_MLD2_RECORDS_OFF)))
		return;
	n = ics_load_be16(pkt->icmp.p + N_RECORDS_OFF);

	/* A report of nothing (9777 5.2). */
	ICS_FIRES(pkt, mld2_report_zero_records, n == 0);
	end = walk_records(pkt, n);
	/* Octets behind the records that are no announced extension (9777 5.2.12). */
	ICS_FIRES(pkt, mld_extra_octets,
		  end != 0 && end < len && len != ICS_LEN_UNKNOWN && !(pkt->icmp.p[FLAGS_OFF] & FLAG_EXTENSION));
}
