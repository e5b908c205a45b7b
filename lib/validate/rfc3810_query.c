/* Multicast Listener Query (130) of both versions: RFC 2710 3, 8; RFC 9777 (3810) 5.1, 8.1; RFC 9279 3. The
 * length tells the version: 24 octets are version 1, 28 and more are version 2.
 */
#include "validate.h"

#define MAX_RESPONSE_OFF 4
#define GROUP_OFF 8
#define V1_LEN 24
#define FLAGS_OFF 24
#define N_SOURCES_OFF 26
#define V2_LEN 28
#define FLAG_EXTENSION 0x80 /* RFC 9279: TLVs follow the sources */

static void
check_v2(struct ics_pkt *pkt, bool general)
{
	uint32_t len = ics_msg_len(pkt);
	uint32_t n = ics_view_be16(pkt->icmp, N_SOURCES_OFF), end = V2_LEN + 16 * n;

	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, V2_LEN)))
		return;
	/* More sources announced than there are octets (9777 5.1.10). */
	ICS_FIRES(pkt, mld2_query_truncated, end > len);
	/* Who asks for all groups cannot name sources (9777 5.1.13). */
	ICS_FIRES(pkt, mld2_query_general_with_sources, general && n > 0);
	/* Octets behind the sources that are no announced extension (9777 5.1.12). */
	ICS_FIRES(pkt, mld_extra_octets,
		  end < len && len != ICS_LEN_UNKNOWN && !(pkt->icmp.p[FLAGS_OFF] & FLAG_EXTENSION));
}

void
ics_validate_mld_query(struct ics_pkt *pkt, const struct ics_validate_conf *conf)
{
	uint32_t len = ics_msg_len(pkt);
	const uint8_t *group;
	bool general;

	(void)conf;
	ics_mld_check_common(pkt);
	/* Neither version 1 nor version 2 (9777 8.1). */
	ICS_FIRES(pkt, mld_query_len_invalid, len > V1_LEN && len < V2_LEN);
	if (ics_unlikely(!ics_view_has(pkt->icmp, 0, V1_LEN)))
		return;
	group = pkt->icmp.p + GROUP_OFF;
	general = ics_ip6_is_unspecified(group);

	/* It asks for all groups or for one (9777 5.1.5). */
	ICS_FIRES(pkt, mld_query_group_invalid, !general && !ics_ip6_is_multicast(group));
	/* General queries go to all nodes, specific ones to their group (9777 5.1.15). */
	ICS_FIRES(pkt, mld_query_dst, general ? !ics_ip6_is_link_group(pkt->dst, 1) : memcmp(pkt->dst, group, 16) != 0);
	/* Answer at once, all of you (9777 5.1.3). */
	ICS_FIRES(pkt, mld_query_mrd_zero, general && ics_load_be16(pkt->icmp.p + MAX_RESPONSE_OFF) == 0);
	if (len >= V2_LEN)
		check_v2(pkt, general);
}
