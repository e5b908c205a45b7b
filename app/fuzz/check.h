/* What holds for any model, whatever it was fed or restored from; used by the targets that have one. */
#ifndef ICS_FUZZ_CHECK_H
#define ICS_FUZZ_CHECK_H

#include "fuzz.h"

#include "ics_engine.h"

/* Tables within their caps, lists as long as their owners say, totals the sums of what they are totals of. Returns how many
 * messages the segments counted.
 */
uint64_t fuzz_check_model(struct ics_engine *e, const struct ics_config *conf);

#endif
