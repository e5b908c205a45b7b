/* Rules of A9: Multicast Listener Discovery and Multicast Router Discovery. */
#include "test_rules.h"

#define GROUP 8  /* of a query, report or done of version 1 */
#define RECORD 8 /* the first of a version 2 report */
#define RECORD_GROUP 12
#define SOURCE "20010db8000000000000000000000005"
#define RECORD_HEX "04000000 ff0200000000000000000001ff000010"

/* Adds sources to the only record of a report. */
static void
add_source(struct packet *p, const char *addr)
{
	append_zero(p, 16);
	set_addr(p, 28, addr);
	set16(p, RECORD + 2, 1);
}

RULE(mld_hop_limit)
{
	struct packet p = base_packet(BASE_query2);

	silent(&p, "mld_hop_limit", "");
	set_ip8(&p, 7, 2);
	fires(&p, "mld_hop_limit");
	p = base_packet(BASE_report2);
	set_ip8(&p, 7, 255);
	fires(&p, "mld_hop_limit");
}

RULE(mld_no_router_alert)
{
	struct packet p = base_packet(BASE_query2);

	drop_ext(&p);
	fires(&p, "mld_no_router_alert");
	p = base_packet(BASE_done1);
	drop_ext(&p);
	fires(&p, "mld_no_router_alert");
	p = base_packet(BASE_report2);
	silent(&p, "mld_no_router_alert", "");
}

RULE(mld_router_alert_value)
{
	struct packet p = base_packet(BASE_query2);

	silent(&p, "mld_router_alert_value", "");
	set_ip8(&p, 45, 2);
	fires(&p, "mld_router_alert_value");
}

RULE(mld_src_not_link_local)
{
	struct packet p = base_packet(BASE_query2);

	silent(&p, "mld_src_not_link_local", "");
	set_src(&p, "::");
	fires(&p, "mld_src_not_link_local");
	p = base_packet(BASE_report2);
	set_src(&p, "2001:db8:1::10");
	fires(&p, "mld_src_not_link_local");
	set_src(&p, "::");
	silent(&p, "mld_src_not_link_local", "mld_src_unspecified");
}

RULE(mld_src_unspecified)
{
	static const enum base bases[] = {BASE_report1, BASE_done1, BASE_report2};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bases); i++) {
		struct packet p = base_packet(bases[i]);

		silent(&p, "mld_src_unspecified", "");
		set_src(&p, "::");
		fires(&p, "mld_src_unspecified");
	}
}

RULE(mld_len_short)
{
	struct packet p = base_packet(BASE_report1);

	silent(&p, "mld_len_short", "");
	set_len(&p, 23);
	fires(&p, "mld_len_short");
	set_len(&p, 20);
	assert_true(fires(&p, "mld_len_short") & ICS_PKT_UNPARSED);
	p = base_packet(BASE_query1);
	set_len(&p, 20);
	fires(&p, "mld_len_short");
	p = base_packet(BASE_report2);
	set_len(&p, 8);
	set16(&p, 6, 0);
	silent(&p, "mld_len_short", "mld2_report_zero_records");
	set_len(&p, 4);
	fires(&p, "mld_len_short");
}

RULE(mld_query_len_invalid)
{
	struct packet p = base_packet(BASE_query2);

	silent(&p, "mld_query_len_invalid", "");
	for (uint32_t len = 27; len > 24; len--) {
		set_len(&p, len);
		fires(&p, "mld_query_len_invalid");
	}
	set_len(&p, 24);
	silent(&p, "mld_query_len_invalid", "");
}

RULE(mld_code_nonzero)
{
	static const enum base bases[] = {BASE_query1, BASE_query2, BASE_report1, BASE_done1, BASE_report2};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bases); i++) {
		struct packet p = base_packet(bases[i]);

		silent(&p, "mld_code_nonzero", "");
		set8(&p, 1, 7);
		fires(&p, "mld_code_nonzero");
	}
}

RULE(mld_fragmented)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "mld_fragmented", "");
	add_ext(&p, ICS_PROTO_FRAGMENT, "0000 0000 00000001");
	fires(&p, "mld_fragmented ip6_frag_atomic");
	/* The rest of the records is in the next fragment: nothing is missing. */
	p = base_packet(BASE_report2);
	set16(&p, 6, 5);
	set_len(&p, 32);
	set_hex(&p, 28, "04000000");
	add_ext(&p, ICS_PROTO_FRAGMENT, "0000 0001 00000001");
	fires(&p, "mld_fragmented");
}

RULE(mld_query_group_invalid)
{
	struct packet p = base_packet(BASE_query2);

	silent(&p, "mld_query_group_invalid", "");
	set_addr(&p, GROUP, "2001:db8::1");
	fires(&p, "mld_query_group_invalid mld_query_dst");
	set_addr(&p, GROUP, "ff02::fb");
	set_dst(&p, "ff02::fb");
	silent(&p, "mld_query_group_invalid", "");
}

RULE(mld_query_dst)
{
	struct packet p = base_packet(BASE_query2);

	silent(&p, "mld_query_dst", "");
	set_dst(&p, "ff02::16");
	fires(&p, "mld_query_dst");
	p = base_packet(BASE_query1);
	set_addr(&p, GROUP, "ff02::fb");
	fires(&p, "mld_query_dst");
	set_dst(&p, "ff02::fb");
	silent(&p, "mld_query_dst", "");
}

static struct packet
specific_query(const char *group)
{
	struct packet p = base_packet(BASE_query2);

	set_addr(&p, GROUP, group);
	set_dst(&p, group);
	return p;
}

RULE(mld2_query_truncated)
{
	struct packet p = specific_query("ff0e::1");

	append_hex(&p, SOURCE);
	set16(&p, 26, 1);
	silent(&p, "mld2_query_truncated", "");
	set16(&p, 26, 2);
	fires(&p, "mld2_query_truncated");
}

RULE(mld2_query_general_with_sources)
{
	struct packet p = specific_query("ff0e::1");

	append_hex(&p, SOURCE);
	set16(&p, 26, 1);
	silent(&p, "mld2_query_general_with_sources", "");
	set_addr(&p, GROUP, "::");
	set_dst(&p, "ff02::1");
	fires(&p, "mld2_query_general_with_sources");
}

RULE(mld_query_mrd_zero)
{
	struct packet p = base_packet(BASE_query2);

	set16(&p, 4, 0);
	fires(&p, "mld_query_mrd_zero");
	set16(&p, 4, 1000);
	silent(&p, "mld_query_mrd_zero", "");
	p = base_packet(BASE_query1);
	set16(&p, 4, 0);
	fires(&p, "mld_query_mrd_zero");
	p = specific_query("ff0e::1");
	set16(&p, 4, 0);
	silent(&p, "mld_query_mrd_zero", "");
}

RULE(mld1_group_invalid)
{
	struct packet p = base_packet(BASE_report1);

	silent(&p, "mld1_group_invalid", "");
	set_addr(&p, GROUP, "2001:db8::1");
	fires(&p, "mld1_group_invalid mld1_report_dst_ne_group");
	p = base_packet(BASE_done1);
	set_addr(&p, GROUP, "2001:db8::1");
	fires(&p, "mld1_group_invalid");
}

RULE(mld_group_unreportable)
{
	static const char *const bad[] = {"ff02::1", "ff01::1", "ff00::1", "ff11::1"}, *const good[] = {"ff02::2",
													"ff05::1"};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		struct packet p = base_packet(BASE_report1), q = base_packet(BASE_report2), d = base_packet(BASE_done1);

		set_addr(&p, GROUP, bad[i]);
		set_dst(&p, bad[i]);
		fires(&p, "mld_group_unreportable");
		set_addr(&q, RECORD_GROUP, bad[i]);
		fires(&q, "mld_group_unreportable");
		set_addr(&d, GROUP, bad[i]);
		fires(&d, "mld_group_unreportable");
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(good); i++) {
		struct packet p = base_packet(BASE_report1), q = base_packet(BASE_report2);

		set_addr(&p, GROUP, good[i]);
		set_dst(&p, good[i]);
		silent(&p, "mld_group_unreportable", "");
		set_addr(&q, RECORD_GROUP, good[i]);
		silent(&q, "mld_group_unreportable", "");
	}
}

RULE(mld1_report_dst_ne_group)
{
	struct packet p = base_packet(BASE_report1);

	silent(&p, "mld1_report_dst_ne_group", "");
	set_dst(&p, "ff02::16");
	fires(&p, "mld1_report_dst_ne_group");
}

RULE(mld1_done_dst)
{
	struct packet p = base_packet(BASE_done1);

	silent(&p, "mld1_done_dst", "");
	set_dst(&p, "ff02::1");
	fires(&p, "mld1_done_dst");
}

RULE(mld2_report_dst)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "mld2_report_dst", "");
	set_dst(&p, "ff02::1");
	fires(&p, "mld2_report_dst");
}

RULE(mld2_report_truncated)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "mld2_report_truncated", "");
	set16(&p, 6, 2);
	fires(&p, "mld2_report_truncated");
	set16(&p, 6, 1);
	set16(&p, RECORD + 2, 1);
	fires(&p, "mld2_report_truncated");
	set16(&p, RECORD + 2, 0);
	set8(&p, RECORD + 1, 1);
	fires(&p, "mld2_report_truncated mld2_report_aux_data");
	p = base_packet(BASE_report2);
	for (unsigned i = 1; i < 72; i++)
		append_hex(&p, RECORD_HEX);
	set16(&p, 6, 72);
	silent(&p, "mld2_report_truncated", "");
	/* The capture ends in the last record, the message does not. */
	p.snap = p.len - 10;
	silent(&p, "mld2_report_truncated", "");
}

RULE(mld2_report_zero_records)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "mld2_report_zero_records", "");
	set_len(&p, 8);
	set16(&p, 6, 0);
	fires(&p, "mld2_report_zero_records");
	append_hex(&p, RECORD_HEX);
	fires(&p, "mld2_report_zero_records mld_extra_octets");
}

RULE(mld2_report_rectype_unknown)
{
	struct packet p = base_packet(BASE_report2);

	set8(&p, RECORD, 7);
	fires(&p, "mld2_report_rectype_unknown");
	set8(&p, RECORD, 0);
	fires(&p, "mld2_report_rectype_unknown");
	add_source(&p, "2001:db8::5");
	for (uint8_t type = 1; type <= 6; type++) {
		set8(&p, RECORD, type);
		silent(&p, "mld2_report_rectype_unknown", "");
	}
}

RULE(mld2_report_aux_data)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "mld2_report_aux_data", "");
	set8(&p, RECORD + 1, 1);
	append_zero(&p, 4);
	fires(&p, "mld2_report_aux_data");
}

RULE(mld2_report_group_invalid)
{
	struct packet p = base_packet(BASE_report2);

	silent(&p, "mld2_report_group_invalid", "");
	set_addr(&p, RECORD_GROUP, "fe80::1");
	fires(&p, "mld2_report_group_invalid");
}

RULE(mld2_report_empty_source_list)
{
	static const uint8_t bad[] = {1, 5, 6}, good[] = {2, 3, 4};
	struct packet p = base_packet(BASE_report2);

	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set8(&p, RECORD, bad[i]);
		fires(&p, "mld2_report_empty_source_list");
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(good); i++) {
		set8(&p, RECORD, good[i]);
		silent(&p, "mld2_report_empty_source_list", "");
	}
}

RULE(mld2_report_source_invalid)
{
	struct packet p = base_packet(BASE_report2);

	add_source(&p, "2001:db8::5");
	silent(&p, "mld2_report_source_invalid", "");
	set_addr(&p, 28, "ff02::1");
	fires(&p, "mld2_report_source_invalid");
	set_addr(&p, 28, "::");
	fires(&p, "mld2_report_source_invalid");
}

RULE(mld2_report_ssm_exclude)
{
	struct packet p = base_packet(BASE_report2);

	set_addr(&p, RECORD_GROUP, "ff0e::1");
	silent(&p, "mld2_report_ssm_exclude", "");
	set_addr(&p, RECORD_GROUP, "ff3e::8000:1");
	fires(&p, "mld2_report_ssm_exclude");
	set8(&p, RECORD, 2);
	fires(&p, "mld2_report_ssm_exclude");
	/* ff3x:0030:: has a prefix in it (RFC 3306) and is no source-specific group */
	set_addr(&p, RECORD_GROUP, "ff3e:30::8000:1");
	silent(&p, "mld2_report_ssm_exclude", "");
	set_addr(&p, RECORD_GROUP, "ff3e::8000:1");
	set8(&p, RECORD, 5);
	add_source(&p, "2001:db8::5");
	silent(&p, "mld2_report_ssm_exclude", "");
}

RULE(mld_extra_octets)
{
	struct packet p = base_packet(BASE_report2);

	append_zero(&p, 8);
	fires(&p, "mld_extra_octets");
	set8(&p, 4, 0x80);
	silent(&p, "mld_extra_octets", "");
	p = base_packet(BASE_report1);
	set_len(&p, 32);
	fires(&p, "mld_extra_octets");
	p = base_packet(BASE_query2);
	append_zero(&p, 8);
	fires(&p, "mld_extra_octets");
	set8(&p, 24, 0x82);
	silent(&p, "mld_extra_octets", "");
	p = base_packet(BASE_report2);
	add_padding(&p, 12);
	silent(&p, "mld_extra_octets", "");
}

static struct packet
mrd(uint8_t type, uint32_t len)
{
	struct packet p = base_packet(BASE_report2);

	set_len(&p, len);
	set8(&p, 0, type);
	return p;
}

RULE(mrd_invalid)
{
	struct packet p = mrd(ICS_ICMP6_MRD_ADVERT, 8);

	silent(&p, "mrd_invalid", "");
	set_ip8(&p, 7, 64);
	fires(&p, "mrd_invalid");
	p = mrd(ICS_ICMP6_MRD_ADVERT, 8);
	set_src(&p, "2001:db8:1::1");
	fires(&p, "mrd_invalid");
	p = mrd(ICS_ICMP6_MRD_TERM, 4);
	silent(&p, "mrd_invalid", "");
	drop_ext(&p);
	fires(&p, "mrd_invalid");
	p = mrd(ICS_ICMP6_MRD_SOLICIT, 4);
	set_src(&p, "::");
	silent(&p, "mrd_invalid", "");
}
