/* An open anomaly as its detector sees it: found by segment and router, shown to followers not too often, with one
 * timer, closed once. When a detector has its fill, one about a router that was known for a while takes the
 * place of one about a newcomer: a flood of invented routers cannot hide what happens to a real one.
 */
#include "detect_priv.h"

#include <errno.h>

#include <stdlib.h>

/* Changes of counts alone are shown this often at most, unless the detector says otherwise; the first messages are
 * shown at once.
 */
#define INTERVAL_NS (60 * NS_PER_S)
#define PUBLISH_FIRST ICS_ANOMALY_FRAMES_MAX
/* New anomalies of one detector on one segment: more than these are one fault or one attack, told often enough. */
#define QUOTA 8
#define QUOTA_WINDOW_NS (60 * NS_PER_S)

struct episode_key {
	struct ics_ip addr;
	uint32_t segment;
};

struct ics_episode *
ics_episode_find(struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	struct episode_key key = {*addr, segment};
	uint32_t i = d->episodes.count == 0 ? 0 : ics_table_find(&d->episodes, &key);

	return i == 0 ? NULL : ics_table_at(&d->episodes, i);
}

static void
show(struct ics_episode *ep, uint64_t signature)
{
	struct ics_detector *d = ep->det;

	if (ep->dirty)
		d->n_dirty--;
	ep->dirty = false;
	ep->signature = signature;
	ep->published_ns = ics_model_clock(d->model)->now_ns;
	d->ops->render(d, ep);
	ics_anomaly_changed(d->store, ep->a);
}

void
ics_episode_rearm(struct ics_episode *ep)
{
	struct ics_timers *timers = &ics_model_clock(ep->det->model)->timers;
	uint64_t due = ep->det->ops->due(ep);

	if (ep->dirty && ep->published_ns + ep->interval_ns < due)
		due = ep->published_ns + ep->interval_ns;
	if (due == UINT64_MAX)
		ics_timer_cancel(timers, &ep->timer);
	else
		(void)ics_timer_set(timers, &ep->timer, due);
}

static void
on_timer(struct ics_timer *t, uint64_t now_ns)
{
	struct ics_episode *ep = t->owner;
	struct ics_detector *d = ep->det;

	if (ep->dirty && now_ns >= ep->published_ns + ep->interval_ns)
		show(ep, ep->signature);
	if (d->ops->timer(d, ep, now_ns))
		ics_episode_rearm(ep);
}

/* The least severe newcomer, or 0. */
static uint32_t
find_newcomer(struct ics_detector *d)
{
	uint32_t best = 0;
	const struct ics_episode *b = NULL;

	for (uint32_t i = 1; i <= d->episodes.fresh; i++) {
		const struct ics_episode *ep;

		if (!ics_table_is_live(&d->episodes, i))
			continue;
		ep = ics_table_at(&d->episodes, i);
		if (ep->established)
			continue;
		if (b == NULL || ep->a->severity < b->a->severity ||
		    (ep->a->severity == b->a->severity && ep->a->id < b->a->id)) {
			b = ep;
			best = i;
		}
	}
	return best;
}

/* That of the records, which the model's own clock leaves when captures jump. */
static uint64_t
packet_time(const struct ics_detector *d)
{
	const struct ics_clock *clock = ics_model_clock(d->model);

	return clock->now_ns - clock->offset_ns;
}

static struct ics_episode *
open_episode(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr, bool established,
	     const char *what, const char *text)
{
	struct episode_key key = {*addr, seg->id};
	struct ics_anomaly *a;
	struct ics_episode *ep;
	uint32_t i;

	if (d->episodes.count >= ICS_ANOMALY_OPEN_MAX && established && (i = find_newcomer(d)) != 0)
		ics_episode_close(ics_table_at(&d->episodes, i));
	a = ics_anomaly_open(d->store, d->info.name, ics_hash(&key, 20, d->seed));
	if (a == NULL)
		return NULL;
	i = ics_table_insert(&d->episodes, &key);
	if (i == 0) {
		ics_anomaly_clear(d->store, a, 0);
		return NULL;
	}
	d->shared->open |= 1ull << d->number;
	ep = ics_table_at(&d->episodes, i);
	ep->index = i;
	ep->established = established;
	ep->interval_ns = INTERVAL_NS;
	ep->det = d;
	ep->a = a;
	ep->timer.owner = ep;
	ep->timer.fire = on_timer;
	/* A newcomer may go: findings about invented ones must not take the places of real ones. */
	if (established)
		ics_model_hold(d->model, seg->id, addr);
	a->rfc = d->info.rfc;
	a->segment = seg->key;
	/* Of findings that no message begins. */
	a->first_ns = a->last_ns = packet_time(d);
	ics_subject_set_text(a, what, "%s", text);
	ics_detect_mark_lossy(d, a);
	d->info.fired++;
	return ep;
}

struct ics_episode *
ics_episode_open(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *addr, bool established)
{
	char ip[ICS_IP_STRLEN];

	return open_episode(d, seg, addr, established, "router", ics_ip_format(addr, ip));
}

struct ics_episode *
ics_episode_open_as(struct ics_detector *d, const struct ics_segment *seg, const struct ics_ip *key, const char *what,
		    const char *text)
{
	struct ics_detect_quota *q = &d->quota[seg->id % ICS_DETECT_QUOTA_SLOTS];
	uint64_t now = ics_model_clock(d->model)->now_ns;

	if (q->segment != seg->id || now >= q->start_ns + QUOTA_WINDOW_NS)
		*q = (struct ics_detect_quota){.segment = seg->id, .start_ns = now};
	if (q->n >= QUOTA) {
		d->info.suppressed++;
		return NULL;
	}
	q->n++;
	return open_episode(d, seg, key, true, what, text);
}

struct ics_ip
ics_episode_key_of_mac(const struct ics_mac *mac)
{
	struct ics_ip key = {{0}};

	memcpy(key.b + 10, mac->b, 6);
	return key;
}

void
ics_episode_last_now(struct ics_episode *ep)
{
	uint64_t now_ns = packet_time(ep->det);

	if (now_ns > ep->a->last_ns)
		ep->a->last_ns = now_ns;
}

void
ics_episode_refresh(struct ics_episode *ep, uint64_t signature)
{
	struct ics_detector *d = ep->det;
	uint64_t now = ics_model_clock(d->model)->now_ns;

	if (signature != ep->signature || ep->a->count <= PUBLISH_FIRST || now >= ep->published_ns + ep->interval_ns) {
		show(ep, signature);
	} else if (!ep->dirty) {
		ep->dirty = true;
		d->n_dirty++;
	}
	ics_episode_rearm(ep);
}

void
ics_episode_add_copies(struct ics_episode *ep, const struct ics_record *rec, uint64_t signature)
{
	if (ep->a->frame_hash != rec->frame_hash)
		ics_anomaly_note_frame(ep->a, rec, (struct ics_view){NULL, 0}, 0);
	ics_anomaly_touch(ep->det->store, ep->a);
	ics_episode_refresh(ep, signature);
}

void
ics_episode_update(struct ics_episode *ep, const struct ics_msg *msg, uint64_t signature)
{
	if (ep->noted != ep->det->shared->message) {
		ep->noted = ep->det->shared->message;
		ics_anomaly_note_frame(ep->a, msg->rec, msg->frame, msg->frame_no);
	}
	ics_anomaly_touch(ep->det->store, ep->a);
	ics_episode_refresh(ep, signature);
}

void
ics_episode_close(struct ics_episode *ep)
{
	struct ics_detector *d = ep->det;
	struct ics_clock *clock = ics_model_clock(d->model);

	if (ep->dirty)
		d->n_dirty--;
	d->ops->render(d, ep);
	ics_timer_cancel(&clock->timers, &ep->timer);
	ics_anomaly_clear(d->store, ep->a, clock->now_ns - clock->offset_ns);
	d->info.cleared++;
	if (ep->established)
		ics_model_release(d->model, ep->segment, &ep->addr);
	ics_table_remove(&d->episodes, ep->index);
	if (d->episodes.count == 0)
		d->shared->open &= ~(1ull << d->number);
}

bool
ics_episode_expire(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	if (now_ns < d->ops->due(ep))
		return true;
	ics_episode_close(ep);
	return false;
}

int
ics_detector_make_table(struct ics_detector *d, uint32_t entry_len, uint32_t key_len, uint32_t cap)
{
	d->state = calloc(1, sizeof(struct ics_table));
	if (d->state == NULL)
		return -ENOMEM;
	return ics_table_init(d->state, entry_len, key_len, cap, ics_hash_mix(d->seed, 1));
}

void
ics_detector_drop_table(struct ics_detector *d)
{
	if (d->state != NULL)
		ics_table_fini(d->state);
	free(d->state);
}

void
ics_episode_settle_all(struct ics_detector *d)
{
	for (uint32_t i = 1; i <= d->episodes.fresh && d->n_dirty != 0; i++) {
		struct ics_episode *ep;

		if (!ics_table_is_live(&d->episodes, i))
			continue;
		ep = ics_table_at(&d->episodes, i);
		if (ep->dirty)
			show(ep, ep->signature);
	}
}
