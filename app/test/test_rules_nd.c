/* Rules of A6 to A8: Neighbor Solicitation and Advertisement, Redirect. */
#include "test_rules.h"

#define TARGET 8
#define DEST 24
#define EARO_MULTICAST "2102 0000 10000000 0000000000000000"

RULE(nd_ns_len)
{
	struct packet p = base_packet(BASE_dad);

	set_len(&p, 24);
	silent(&p, "nd_ns_len", "");
	set_len(&p, 23);
	fires(&p, "nd_ns_len");
	set_len(&p, 20);
	fires(&p, "nd_ns_len");
}

RULE(nd_ns_target_multicast)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "nd_ns_target_multicast", "");
	set_addr(&p, TARGET, "ff02::5");
	set_dst(&p, "ff02::1:ff00:5");
	fires(&p, "nd_ns_target_multicast");
	append_hex(&p, EARO_MULTICAST);
	silent(&p, "nd_ns_target_multicast", "");
	set8(&p, 36, 0x20); /* anycast */
	fires(&p, "nd_ns_target_multicast");
}

RULE(nd_ns_unspecified_dst)
{
	struct packet p = base_packet(BASE_dad);

	silent(&p, "nd_ns_unspecified_dst", "");
	set_dst(&p, "ff02::1");
	fires(&p, "nd_ns_unspecified_dst");
	set_dst(&p, "fe80::10");
	fires(&p, "nd_ns_unspecified_dst");
}

RULE(nd_ns_unspecified_with_slla)
{
	struct packet p = base_packet(BASE_dad);

	silent(&p, "nd_ns_unspecified_with_slla", "");
	append_hex(&p, "0101 00005e005310");
	fires(&p, "nd_ns_unspecified_with_slla");
}

/* Needs memory: what an optimistic node leaves out is not a fault, so the fast half says nothing. */
RULE(nd_ns_mcast_no_slla)
{
	struct packet p = base_packet(BASE_ns);

	set_len(&p, 24);
	silent(&p, "nd_ns_mcast_no_slla", "");
	set_dst(&p, "fe80::1");
	silent(&p, "nd_ns_mcast_no_slla", "");
}

RULE(nd_ns_snm_mismatch)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "nd_ns_snm_mismatch", "");
	set_dst(&p, "ff02::1:ff00:99");
	fires(&p, "nd_ns_snm_mismatch");
	set_dst(&p, "ff02::1");
	silent(&p, "nd_ns_snm_mismatch", "");
}

RULE(nd_ns_target_invalid)
{
	struct packet p = base_packet(BASE_ns);

	silent(&p, "nd_ns_target_invalid", "");
	set_addr(&p, TARGET, "::1");
	fires(&p, "nd_ns_target_invalid");
	set_addr(&p, TARGET, "::");
	set_dst(&p, "ff02::1:ff00:0");
	fires(&p, "nd_ns_target_invalid");
	set_addr(&p, TARGET, "::ffff:c000:201");
	set_dst(&p, "ff02::1:ff00:201");
	fires(&p, "nd_ns_target_invalid");
	set_addr(&p, TARGET, "::2");
	set_dst(&p, "ff02::1:ff00:2");
	silent(&p, "nd_ns_target_invalid", "");
}

RULE(nd_na_len)
{
	struct packet p = base_packet(BASE_na_r0);

	set_len(&p, 24);
	silent(&p, "nd_na_len", "");
	set_len(&p, 23);
	fires(&p, "nd_na_len");
	set_len(&p, 20);
	fires(&p, "nd_na_len");
}

RULE(nd_na_target_multicast)
{
	struct packet p = base_packet(BASE_na);

	silent(&p, "nd_na_target_multicast", "");
	set_addr(&p, TARGET, "ff02::1");
	fires(&p, "nd_na_target_multicast");
	append_hex(&p, EARO_MULTICAST);
	silent(&p, "nd_na_target_multicast", "");
}

RULE(nd_na_solicited_multicast)
{
	struct packet p = base_packet(BASE_inc_na);

	silent(&p, "nd_na_solicited_multicast", "");
	set8(&p, 4, 0x60);
	fires(&p, "nd_na_solicited_multicast");
	p = base_packet(BASE_na);
	silent(&p, "nd_na_solicited_multicast", "");
}

RULE(nd_na_src_unspecified)
{
	struct packet p = base_packet(BASE_inc_na);

	silent(&p, "nd_na_src_unspecified", "");
	set_src(&p, "::");
	fires(&p, "nd_na_src_unspecified");
}

RULE(nd_na_unsol_no_tlla)
{
	struct packet p = base_packet(BASE_inc_na);

	silent(&p, "nd_na_unsol_no_tlla", "");
	/* The option was sent, only not captured. */
	p.snap = p.len - 8;
	silent(&p, "nd_na_unsol_no_tlla", "");
	p.snap = 0;
	set_len(&p, 24);
	fires(&p, "nd_na_unsol_no_tlla");
	p = base_packet(BASE_na_r0);
	silent(&p, "nd_na_unsol_no_tlla", "");
}

RULE(nd_na_target_invalid)
{
	static const char *const bad[] = {"::1", "::", "::ffff:c000:201"};
	struct packet p = base_packet(BASE_na);

	silent(&p, "nd_na_target_invalid", "");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bad); i++) {
		set_addr(&p, TARGET, bad[i]);
		fires(&p, "nd_na_target_invalid");
	}
}

RULE(nd_na_dst_mcast_other)
{
	struct packet p = base_packet(BASE_inc_na);

	silent(&p, "nd_na_dst_mcast_other", "");
	set_dst(&p, "ff02::1:ff00:10");
	fires(&p, "nd_na_dst_mcast_other");
	set_dst(&p, "ff02::2");
	set8(&p, 4, 0);
	silent(&p, "nd_na_dst_mcast_other", "");
}

RULE(nd_redir_len)
{
	struct packet p = base_packet(BASE_redirect);

	set_len(&p, 40);
	silent(&p, "nd_redir_len", "");
	set_len(&p, 39);
	fires(&p, "nd_redir_len");
	set_len(&p, 36);
	fires(&p, "nd_redir_len");
}

RULE(nd_redir_src_not_link_local)
{
	struct packet p = base_packet(BASE_redirect);

	silent(&p, "nd_redir_src_not_link_local", "");
	set_src(&p, "2001:db8:1::1");
	fires(&p, "nd_redir_src_not_link_local");
}

RULE(nd_redir_dest_multicast)
{
	struct packet p = base_packet(BASE_redirect);

	silent(&p, "nd_redir_dest_multicast", "");
	set_addr(&p, DEST, "ff0e::1");
	fires(&p, "nd_redir_dest_multicast");
}

RULE(nd_redir_target_bad)
{
	struct packet p = base_packet(BASE_redirect);

	set_addr(&p, TARGET, "2001:db8:1::2");
	fires(&p, "nd_redir_target_bad");
	set_addr(&p, TARGET, "2001:db8:9::9");
	silent(&p, "nd_redir_target_bad", "");
}

RULE(nd_redir_to_multicast)
{
	struct packet p = base_packet(BASE_redirect);

	silent(&p, "nd_redir_to_multicast", "");
	set_dst(&p, "ff02::1");
	fires(&p, "nd_redir_to_multicast");
}

/* A redirected header that fills the packet up to total octets. */
static struct packet
redirect_of(uint32_t total)
{
	struct packet p = base_packet(BASE_redirect);
	uint32_t at = p.len - p.l4;

	append_hex(&p, "0400 0000 00000000 60");
	set8(&p, at + 1, (uint8_t)((total - 40 - at) / 8));
	set_len(&p, total - 40);
	return p;
}

RULE(nd_redir_oversize)
{
	struct packet p = redirect_of(1304);

	fires(&p, "nd_redir_oversize");
	p = redirect_of(1288);
	fires(&p, "nd_redir_oversize");
	p = redirect_of(1280);
	silent(&p, "nd_redir_oversize", "");
}
