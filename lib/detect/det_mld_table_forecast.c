/* The multicast table of the switch fills up (incident 2): each group a host joins is an entry there, and a table that is
 * full floods or drops what it has no entry for, Neighbor Discovery first. One finding a port of the tap, since all VLANs
 * of a switch share its table. Called for reports; clears when the table was well below the limit for an hour.
 */
#include "detect_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WARN_PERCENT 70
#define CRITICAL_PERCENT 90
#define CLEAR_PERCENT 60
#define CLEAR_NS (3600 * NS_PER_S)
/* A trend that ends later than this is none of today's worries. */
#define TREND_HOURS (7 * 24)
#define CHECK_NS (900 * NS_PER_S)
#define PORTS 256
/* In percent: shown again when it moved by so much; beyond the end of the table, when it doubled. */
#define STEP 5

enum variant { FULL, NEARLY_FULL, FILLING, TREND, NONE };
static const char *const names[] = {
	[FULL] = "full", [NEARLY_FULL] = "nearly_full", [FILLING] = "filling", [TREND] = "trend", [NONE] = "trend"};

struct episode {
	struct ics_episode ep;
	uint8_t port;
	bool muted;
	enum variant variant; /* the worst */
	struct ics_table_forecast now;
	uint64_t most;
	uint64_t quiet_ns; /* since when it is well below; 0: it is not */
	uint64_t checked_ns;
};

struct state {
	struct episode *open[PORTS];
	uint64_t trend_ns[PORTS]; /* when the trend was looked at */
	uint64_t warn;            /* entries */
};

static int
init(struct ics_detector *d)
{
	struct state *s = calloc(1, sizeof(*s));

	d->state = s;
	if (s == NULL)
		return -ENOMEM;
	return 0;
}

static void
configure(struct ics_detector *d)
{
	struct state *s = d->state;

	s->warn = ((uint64_t)d->conf->detect.table_cap * WARN_PERCENT + 99) / 100;
	snprintf(d->thresholds, sizeof(d->thresholds),
		 "table_cap %u entries, warn %u %%, critical %u %%, trend %u h, clear_below %u %% for %llu s",
		 d->conf->detect.table_cap, WARN_PERCENT, CRITICAL_PERCENT, TREND_HOURS, CLEAR_PERCENT,
		 CLEAR_NS / NS_PER_S);
	d->info.thresholds = d->thresholds;
}

static void
fini(struct ics_detector *d)
{
	free(d->state);
}

static enum variant
variant_of(const struct ics_table_forecast *f)
{
	if (f->used >= f->cap)
		return FULL;
	if (f->used * 100 >= f->cap * (uint64_t)CRITICAL_PERCENT)
		return NEARLY_FULL;
	if (f->used * 100 >= f->cap * (uint64_t)WARN_PERCENT)
		return FILLING;
	return f->has_trend && f->hours_to_full < TREND_HOURS ? TREND : NONE;
}

static const char *
describe_model(const struct ics_table_forecast *f)
{
	return strcmp(f->model, "group") == 0   ? "one entry for each group"
	       : strcmp(f->model, "port2") == 0 ? "two entries for each group and port"
						: "one entry for each group and port";
}

static void
add_hosts(struct ics_detector *d, struct ics_anomaly *a, const struct ics_mcast_hosts *h)
{
	static const char *const keys[ICS_MCAST_TOP] = {"top_1", "top_2", "top_3", "top_4", "top_5",
							"top_6", "top_7", "top_8", "top_9", "top_10"};
	char mac[ICS_MAC_STRLEN];

	ics_fact_set_uint(a, "groups_per_host_p50", h->p50);
	ics_fact_set_uint(a, "groups_per_host_p95", h->p95);
	ics_fact_set_uint(a, "groups_per_host_max", h->max);
	for (unsigned i = 0; i < h->n_top; i++) {
		const struct ics_segment *seg = ics_model_segment(d->model, h->top[i].segment);

		if (seg->key.vlan_outer == ICS_VLAN_NONE)
			ics_fact_set_text(a, keys[i], "%s %u", ics_mac_format(&h->top[i].mac, mac), h->top[i].groups);
		else
			ics_fact_set_text(a, keys[i], "%s %u on VLAN %u", ics_mac_format(&h->top[i].mac, mac),
					  h->top[i].groups, seg->key.vlan_outer);
	}
}

static void
say(struct ics_anomaly *a, const struct episode *e)
{
	const struct ics_table_forecast *f = &e->now;

	a->says[0] = '\0';
	ics_say(a, "%u hosts behind port %u of the tap fill %llu of %u entries of the multicast table (model %s: %s)",
		f->load.hosts, f->port, (unsigned long long)f->used, f->cap, f->model, describe_model(f));
	if (f->used >= f->cap)
		ics_say(a, ", %u %%: it is full.", f->percent);
	else if (f->per_host_100 != 0)
		ics_say(a, ", %u %%: it is full with about %llu more of them.", f->percent,
			(unsigned long long)f->hosts_to_full);
	else
		ics_say(a, ".");
	if (f->has_trend)
		ics_say(a, " It grew by %llu entries within a day and reaches its end in about %llu hours.",
			(unsigned long long)f->per_day, (unsigned long long)f->hours_to_full);
	ics_say(a, " A switch whose table is full floods groups to all ports or stops forwarding them, and Neighbor "
		   "Discovery depends on them.");
	ics_say(a, " Disable snooping for ff02::1:ff00:0/104 or temporary addresses, look at the hosts with most "
		   "groups, or split the VLAN.");
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	const struct ics_table_forecast *f = &e->now;
	struct ics_anomaly *a = ep->a;
	struct ics_mcast_hosts hosts;

	ics_model_forecast(d->model, e->port, &e->now);
	ics_model_mcast_hosts(d->model, e->port, UINT32_MAX, &hosts);
	a->variant = names[e->variant];
	a->severity = e->variant <= NEARLY_FULL ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
	a->muted = e->muted;
	ics_fact_set_text(a, "model", "%s", f->model);
	ics_fact_set_uint(a, "used", f->used);
	ics_fact_set_uint(a, "used_most", e->most);
	ics_fact_set_uint(a, "cap", f->cap);
	ics_fact_set_uint(a, "percent", f->percent);
	ics_fact_set_uint(a, "hosts", f->load.hosts);
	ics_fact_set_text(a, "entries_per_host", "%u.%02u", f->per_host_100 / 100, f->per_host_100 % 100);
	if (f->per_host_100 != 0) {
		ics_fact_set_uint(a, "hosts_to_full", f->hosts_to_full);
		ics_fact_set_uint(a, "hosts_at_full", f->hosts_at_full);
	}
	ics_fact_set_uint(a, "groups", f->load.groups);
	ics_fact_set_uint(a, "memberships", f->load.memberships);
	if (f->load.memberships != 0)
		ics_fact_set_uint(a, "snm_percent", f->load.snm * 100ull / f->load.memberships);
	if (f->has_trend) {
		ics_fact_set_uint(a, "growth_per_day", f->per_day);
		ics_fact_set_uint(a, "hours_to_full", f->hours_to_full);
	}
	add_hosts(d, a, &hosts);
	say(a, e);
}

/* Each step looks at all hosts: a table that is full many times over is not news a hundred times. */
static uint64_t
step_of(uint32_t percent)
{
	return percent < 100 ? percent / STEP : 100 + (31 - (unsigned)__builtin_clz(percent / 100));
}

static uint64_t
signature_of(const struct episode *e)
{
	return e->variant | step_of(e->now.percent) << 8 | (uint64_t)e->muted << 63;
}

static void
take_in(struct episode *e, const struct ics_table_forecast *f, uint64_t now_ns)
{
	enum variant v = variant_of(f);

	e->now = *f;
	if (f->used > e->most)
		e->most = f->used;
	if (v < e->variant)
		e->variant = v;
	if (f->used * 100 >= f->cap * (uint64_t)CLEAR_PERCENT || v == TREND)
		e->quiet_ns = 0;
	else if (e->quiet_ns == 0)
		e->quiet_ns = now_ns;
}

static struct episode *
open_episode(struct ics_detector *d, const struct ics_segment *seg, enum variant v)
{
	struct ics_ip key = {{0}};
	struct state *s = d->state;
	struct episode *e;
	char text[16];

	snprintf(text, sizeof(text), "%u", seg->key.port);
	key.b[15] = seg->key.port;
	e = (struct episode *)ics_episode_open_as(d, seg, &key, "switch_at_port", text);
	if (e == NULL)
		return NULL;
	e->port = seg->key.port;
	e->variant = v;
	e->muted = true;
	s->open[e->port] = e;
	return e;
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	static const struct ics_ip none;
	struct state *s = d->state;
	uint8_t port = c->segment->key.port;
	struct episode *e = s->open[port];
	struct ics_table_forecast f;

	if (c->mcast.joined == 0 && c->mcast.left == 0)
		return;
	if (e == NULL && ics_model_table_used(d->model, port) < s->warn) {
		if (msg->ts_ns < s->trend_ns[port] + CHECK_NS)
			return;
		s->trend_ns[port] = msg->ts_ns;
	}
	ics_model_forecast(d->model, port, &f);
	if (e == NULL) {
		enum variant v = variant_of(&f);

		if (v == NONE || (e = open_episode(d, c->segment, v)) == NULL)
			return;
		e->checked_ns = msg->ts_ns;
	}
	take_in(e, &f, msg->ts_ns);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &none, msg->has_mac ? &msg->smac : NULL);
	ics_episode_update(&e->ep, msg, signature_of(e));
}

/* Memberships also end in silence. */
static bool
on_timer(struct ics_detector *d, struct ics_episode *ep, uint64_t now_ns)
{
	struct episode *e = (struct episode *)ep;
	struct state *s = d->state;

	if (e->quiet_ns != 0 && now_ns >= e->quiet_ns + CLEAR_NS) {
		s->open[e->port] = NULL;
		ics_episode_close(ep);
		return false;
	}
	if (now_ns >= e->checked_ns + CHECK_NS) {
		struct ics_table_forecast f;

		e->checked_ns = now_ns;
		ics_model_forecast(d->model, e->port, &f);
		take_in(e, &f, now_ns);
	}
	return true;
}

static uint64_t
due(const struct ics_episode *ep)
{
	const struct episode *e = (const struct episode *)ep;
	uint64_t check = e->checked_ns + CHECK_NS;

	return e->quiet_ns != 0 && e->quiet_ns + CLEAR_NS < check ? e->quiet_ns + CLEAR_NS : check;
}

const struct ics_detector_ops ics_det_mld_table_forecast = {
	.classes = 1ull << ICS_CLASS_mld1_report | 1ull << ICS_CLASS_mld2_report | 1ull << ICS_CLASS_mld1_done,
	.episode_len = sizeof(struct episode),
	.init = init,
	.configure = configure,
	.fini = fini,
	.message = on_message,
	.render = render,
	.timer = on_timer,
	.due = due,
};
