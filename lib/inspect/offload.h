/* Private to lib/inspect; see offload.c. */
#ifndef ICS_OFFLOAD_H
#define ICS_OFFLOAD_H

#include "ics_inspect.h"

/* pkt is decoded and validated. Takes icmp6_checksum out of its reasons where the sender is known to offload. To be
 * called for messages with ICS_PKT_CSUM_PARTIAL, and for all others once o->n is not 0.
 */
void ics_offload_judge(struct ics_offload *o, struct ics_pkt *pkt);

#endif
