/* Duplicate address detections that are under way (RFC 4862 5.4, RFC 7527): who asks for which address, for three
 * seconds, and whether anybody answered. All live equally long, so one list in order of start and one timer do. Called
 * for each probe and NA; tells one listener when a detection is over.
 */
#include "model_priv.h"

struct dad_key {
	struct ics_ip target;
	uint32_t segment;
};

static struct ics_dad *
dad_at(const struct ics_model *m, uint32_t i)
{
	return ics_table_at(&m->dads, i);
}

static struct ics_dad *
dad_find(struct ics_model *m, uint32_t segment, const struct ics_ip *target)
{
	struct dad_key key = {*target, segment};
	uint32_t i = m->dads.count == 0 ? 0 : ics_table_find(&m->dads, &key);

	return i == 0 ? NULL : dad_at(m, i);
}

static void
on_timer(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_model *m = t->owner;

	while (m->dad_oldest != 0 && now_ns >= dad_at(m, m->dad_oldest)->start_ns + ICS_DAD_NS) {
		uint32_t i = m->dad_oldest;

		m->dad_oldest = dad_at(m, i)->newer;
		if (m->dad_oldest == 0)
			m->dad_newest = 0;
		if (m->dad_over != NULL)
			m->dad_over(m->dad_ctx, dad_at(m, i));
		ics_table_remove(&m->dads, i);
	}
	if (m->dad_oldest != 0)
		(void)ics_timer_set(&m->clock.timers, t, dad_at(m, m->dad_oldest)->start_ns + ICS_DAD_NS);
}

/* RFC 7527 4.1: the nonce of six or more octets; longer ones are told apart by their first six. */
void
ics_msg_nonce(const struct ics_msg *msg, uint8_t nonce[static 6])
{
	struct ics_msg_options it = {0};
	struct ics_view opt;

	memset(nonce, 0, 6);
	while (ics_msg_option_next(msg, &it, &opt))
		if (ics_view_u8(opt, 0) == ICS_OPT_NONCE) {
			memcpy(nonce, opt.p + 2, 6);
			return;
		}
}

void
ics_dad_probed(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	struct dad_key key = {msg->na.target, seg->s.id};
	struct ics_dad *e = dad_find(m, key.segment, &key.target);
	uint32_t i;

	if (e != NULL) {
		if (!ics_mac_equal(&e->asker, &msg->smac))
			e->answers++;
		out->dad = e;
		return;
	}
	i = ics_table_insert(&m->dads, &key);
	if (i == 0) {
		m->stats.dad_drops++;
		return;
	}
	e = dad_at(m, i);
	e->asker = msg->smac;
	ics_msg_nonce(msg, e->nonce);
	e->start_ns = msg->ts_ns;
	e->frame_hash = msg->rec->frame_hash;
	if (m->dad_newest != 0)
		dad_at(m, m->dad_newest)->newer = i;
	else
		m->dad_oldest = i;
	m->dad_newest = i;
	seg->s.dads++;
	out->dad_started = true;
	if (m->dad_timer.pos == 0) {
		m->dad_timer.owner = m;
		m->dad_timer.fire = on_timer;
		(void)ics_timer_set(&m->clock.timers, &m->dad_timer, e->start_ns + ICS_DAD_NS);
	}
}

void
ics_dad_answered(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, struct ics_change *out)
{
	struct ics_dad *e = dad_find(m, seg->s.id, &msg->na.target);

	if (e == NULL)
		return;
	/* Who asked now says that it has the address. */
	if (ics_mac_equal(&e->asker, &msg->smac)) {
		e->done = 1;
		return;
	}
	if (e->done)
		return;
	e->answers++;
	out->dad = e;
}

bool
ics_dad_is_won(struct ics_model *m, uint32_t segment, const struct ics_ip *addr, const struct ics_mac *mac)
{
	const struct ics_dad *e = dad_find(m, segment, addr);

	return e != NULL && e->answers == 0 && ics_mac_equal(&e->asker, mac);
}

void
ics_model_on_dad_over(struct ics_model *m, ics_dad_fn fn, void *ctx)
{
	m->dad_over = fn;
	m->dad_ctx = ctx;
}
