/* Sample records: what the TCP sampler tells of flows, for the detectors of path MTUs, and which hosts sent data. They
 * are no control messages and are in no count of messages. Which (host, far) pairs the sampler is to look at whatever the
 * load follows from the paths that are learned.
 */
#include "engine_priv.h"

static struct ics_msg
message_of(const struct ics_record *rec, const struct ics_sample *m, struct ics_view frame)
{
	static const struct ics_mac none;
	bool is_arp = m->proto == 0 && !(m->flags & ICS_SAMPLE_IP6);
	struct ics_msg msg = {
		.rec = rec,
		.frame = frame,
		.class = is_arp                      ? ICS_CLASS_arp
			 : m->flags & ICS_SAMPLE_IP6 ? ICS_CLASS_ip6_other
						     : ICS_CLASS_ip4_other,
		.strict = true,
		.has_mac = !ics_mac_equal(&m->smac, &none),
		.smac = m->smac,
		.dmac = m->dmac,
		.src = m->src,
		.dst = m->dst,
	};

	return msg;
}

void
ics_engine_take_sample(struct ics_engine *e, const struct ics_record *rec, struct ics_view bytes, uint64_t ts_ns,
		       const struct ics_segment *seg, uint64_t frame_no)
{
	struct ics_sample m;
	struct ics_view frame;
	struct ics_msg msg;

	if (seg == NULL || !ics_sample_parse(rec, bytes, &m, &frame))
		return;
	msg = message_of(rec, &m, frame);
	msg.ts_ns = ts_ns;
	msg.frame_no = frame_no;
	if (m.kind == ICS_SAMPLE_HOSTDATA) {
		ics_model_note_data(e->model, seg, &m.smac, ts_ns);
		ics_detectors_data(e->detectors, &msg, seg);
		return;
	}
	ics_detectors_sample(e->detectors, &m, &msg, seg);
}

void
ics_engine_set_samplers(struct ics_engine *e, const struct ics_samplers *samplers, struct ics_known *watch)
{
	e->watch = watch;
	ics_detectors_set_samplers(e->detectors, samplers != NULL && samplers->n != 0 ? samplers : NULL);
}

/* A full list costs a flow its place when not all are looked at, nothing else. */
void
ics_engine_note_watch(struct ics_engine *e, const struct ics_change *c)
{
	if (e->watch != NULL && c->segment != NULL && c->path.path != NULL &&
	    (c->path.what == ICS_PATH_NEW || c->path.what == ICS_PATH_LOWERED))
		(void)ics_known_insert(e->watch,
				       ics_sample_watch_hash(e->watch, &c->path.path->host, &c->path.path->far));
}
