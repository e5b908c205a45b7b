/* Internal to lib/model: who tells the log of default routers. */
#ifndef ICS_MODEL_GATEWAY_H
#define ICS_MODEL_GATEWAY_H

#include "ics_gateway.h"
#include "ics_model.h"

int ics_gateways_init(struct ics_model *m); /* 0, or -1 without memory */
void ics_gateways_fini(struct ics_model *m);
/* The router and its segment as they are afterwards. lifetime_before_s: that of its RA before; 0: there was none. */
void ics_gateway_note(struct ics_model *m, const struct ics_segment *s, const struct ics_router *r,
		      enum ics_gateway_what what, uint32_t lifetime_before_s);

#endif
