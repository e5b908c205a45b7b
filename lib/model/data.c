/* When a host sent data last: a machine that sends control messages and no data sleeps, or is none. Called by the engine
 * for what the sampler tells, at most about once a minute and source.
 */
#include "model_priv.h"

void
ics_model_note_data(struct ics_model *m, const struct ics_segment *seg, const struct ics_mac *mac, uint64_t ts_ns)
{
	/* A MAC that was never heard in a control message is no host of the model. */
	struct ics_host *h = (struct ics_host *)ics_model_host_find(m, seg->id, mac);

	if (h != NULL && ts_ns > h->last_data_ns)
		h->last_data_ns = ts_ns;
}
