/* Which rules a decoded ICMP message breaks. One file a message, one table from class to check; everything
 * here is stateless (rules that need memory across frames are the control core's: ICS_REASON_STATEFUL).
 */
#ifndef ICS_VALIDATE_H
#define ICS_VALIDATE_H

#include "ics_decode.h"

#define ICS_ND_OPTIONS_MAX 64
#define ICS_MLD_RECORDS_MAX 512
#define ICS_MLD_SOURCES_MAX 4096

struct ics_validate_conf {
	uint32_t link_mtu; /* octets; an RA that announces more is told (default 1500) */
};

/* Adds to pkt->reasons what is wrong with the message; does nothing without ICS_PKT_ICMP or with
 * ICS_PKT_UNPARSED. Order of evaluation: ICMP length, checksum, hop limit, code, fixed part, options.
 */
void ics_validate(struct ics_pkt *pkt, const struct ics_validate_conf *conf);

#endif
