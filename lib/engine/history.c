/* Tells the address history what the model learned of bindings (addr_journal): changes at once, refreshes at most once a
 * minute, never more in a second than a disk takes. Called for each message that claims an address.
 */
#include "engine_priv.h"

#define SECOND_NS 1000000000ull

static enum ics_history_how
how_of(const struct ics_msg *msg)
{
	switch (msg->class) {
	case ICS_CLASS_nd_ra:
		return ICS_HISTORY_RA;
	case ICS_CLASS_nd_rs:
		return ICS_HISTORY_RS;
	case ICS_CLASS_nd_na:
		return ICS_HISTORY_NA;
	default:
		return ics_ip6_is_unspecified(msg->src.b) ? ICS_HISTORY_DAD : ICS_HISTORY_NS;
	}
}

/* A flood of invented addresses must not fill the disk. */
static bool
is_over_rate(struct ics_engine *e)
{
	uint64_t second = e->clock->now_ns / SECOND_NS;

	if (second != e->history.second) {
		e->history.second = second;
		e->history.in_second = 0;
	}
	return e->history.in_second++ >= ICS_HISTORY_RATE;
}

static void
offer(struct ics_engine *e, const struct ics_history_event *ev)
{
	if (!e->history.fn(e->history.ctx, ev))
		e->history.dropped++;
}

void
ics_engine_note_history(struct ics_engine *e, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_binding *b = c->note.binding;
	struct ics_history_event ev;

	if (e->history.fn == NULL)
		return;
	if (is_over_rate(e)) {
		e->history.dropped++;
		return;
	}
	ev = (struct ics_history_event){
		.ts_ns = msg->rec->ts_ns,
		.addr = b->addr,
		.mac = b->mac,
		.segment = c->segment->key,
		.how = (uint8_t)how_of(msg),
		.iid = b->iid,
	};
	if (c->note.what == ICS_NOTE_MOVED) {
		ev.before = c->note.before;
		ev.before_ns = c->note.before_ns - e->clock->offset_ns;
	}
	offer(e, &ev);
}

void
ics_engine_flush_history(struct ics_engine *e)
{
	const struct ics_binding *b;
	uint32_t i = 1;

	for (; e->history.fn != NULL && (b = ics_model_binding_next(e->model, &i)) != NULL; i++) {
		struct ics_history_event ev = {
			.ts_ns = b->last_ns - e->clock->offset_ns,
			.addr = b->addr,
			.mac = b->mac,
			.segment = ics_model_segment(e->model, b->segment)->key,
			.how = ICS_HISTORY_NS,
			.iid = b->iid,
		};

		offer(e, &ev);
	}
}

void
ics_engine_set_history(struct ics_engine *e, ics_history_fn fn, void *ctx)
{
	e->history.fn = fn;
	e->history.ctx = ctx;
}

uint64_t
ics_engine_history_dropped(const struct ics_engine *e)
{
	return e->history.dropped;
}
