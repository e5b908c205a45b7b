/* What the files of the model do for warm.c: each tells and takes back what it owns. Taking back is false when the entry
 * is there already or has no room.
 */
#ifndef ICS_MODEL_WARM_PRIV_H
#define ICS_MODEL_WARM_PRIV_H

#include "ics_warm.h"
#include "model_priv.h"

/* model.c. NULL: it is there already, or there are too many. */
struct seg_entry *ics_segment_make(struct ics_model *m, const struct ics_segment_key *key);

/* router.c. A DEFAULT router whose lifetime has run out by now is an EXPIRED one as soon as the clock moves. */
void ics_router_tell(const struct router_entry *e, struct ics_warm_router *out);
bool ics_router_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_router *w);

/* prefix.c. In order of last_ns, the oldest first; advertisers before their prefixes. */
bool ics_advertiser_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_advertiser *w);
bool ics_prefix_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_prefix *w);

/* route.c */
bool ics_route_tell(const struct ics_model *m, uint32_t index, struct ics_warm_route *out);
bool ics_route_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_route *w);
void ics_routelog_restore(struct seg_entry *seg, const struct ics_routelog *log);

/* host.c. Bindings in order of last_ns, the oldest first; hosts before them. */
bool ics_host_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_host *w);
bool ics_binding_restore(struct ics_model *m, struct seg_entry *seg, const struct ics_warm_binding *w);

#endif
