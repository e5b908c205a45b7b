/* One address that goes back and forth between MACs: two machines with the same address, an attacker and its victim in
 * turns, or links that are not the bundle they were meant to be. One move is one change, a failover and its return are
 * two. Called for claims of addresses that have been in dispute; clears after ten stable minutes.
 */
#include "detect_priv.h"

#include <stdio.h>

#define WINDOW_NS (60 * NS_PER_S)
#define CLEAR_NS (600 * NS_PER_S)
#define CHANGES 4
#define CLAIMS 5
#define MACS 4
#define TRACKED_MAX 4096

struct track {
	struct ics_table_head head;
	struct ics_ip addr; /* with segment the key */
	uint32_t segment;
	struct ics_mac last; /* that claimed it */
	uint8_t n_macs, n_changes;
	struct ics_mac mac[MACS];
	uint16_t claims[MACS]; /* in the window */
	bool returned;         /* a MAC came back after another one */
	uint8_t pad[3];
	uint32_t pad2;
	uint64_t window_ns, first_ns;
	uint64_t change_ns[CHANGES]; /* newest first */
};

struct episode {
	struct ics_episode ep;
	struct track t;
	bool muted, router;
	uint64_t changes, last_change_ns;
};

static void
mac_list(const struct track *t, char buf[static ICS_FACT_TEXT_LEN])
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < t->n_macs; i++) {
		char mac[ICS_MAC_STRLEN];

		len += (size_t)snprintf(buf + len, ICS_FACT_TEXT_LEN - len, "%s%s (%u)", i != 0 ? ", " : "",
					ics_mac_format(&t->mac[i], mac), t->claims[i]);
	}
}

static void
render(struct ics_detector *d, struct ics_episode *ep)
{
	struct episode *e = (struct episode *)ep;
	struct ics_anomaly *a = ep->a;
	char ip[ICS_IP_STRLEN], m1[ICS_MAC_STRLEN], m2[ICS_MAC_STRLEN], macs[ICS_FACT_TEXT_LEN];

	a->variant = "alternating";
	a->severity = e->router ? ICS_SEV_CRITICAL : ICS_SEV_WARN;
	a->muted = e->muted;
	mac_list(&e->t, macs);
	ics_fact_set_text(a, "macs", "%s", macs);
	ics_fact_set_uint(a, "changes", e->changes);
	ics_fact_set_bool(a, "is_router", e->router);
	ics_fact_set_uint(a, "port", a->segment.port);
	a->says[0] = '\0';
	ics_say(a,
		"Address %s alternates between %s and %s: %llu changes so far. Hosts send to whichever spoke last, and "
		"connections to it break. Find both ports: two machines with one address, a spoofer, or a bundle of "
		"links "
		"that is none.",
		ics_ip_format(&e->t.addr, ip), ics_mac_format(&e->t.mac[0], m1), ics_mac_format(&e->t.mac[1], m2),
		(unsigned long long)e->changes);
}

static struct track *
track_of(struct ics_table *t, uint32_t segment, const struct ics_ip *addr, bool make)
{
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {*addr, segment};
	uint32_t i = t->count == 0 ? 0 : ics_table_find(t, &key);

	if (i == 0 && make) {
		if (t->count >= TRACKED_MAX)
			ics_table_remove(t, ics_table_oldest(t, NULL));
		i = ics_table_insert(t, &key);
	}
	return i == 0 ? NULL : ics_table_at(t, i);
}

/* Counts a claim of mac; false when there are too many MACs to keep apart. */
static bool
note_mac(struct track *t, const struct ics_mac *mac, bool change)
{
	for (unsigned i = 0; i < t->n_macs; i++)
		if (ics_mac_equal(&t->mac[i], mac)) {
			if (t->claims[i] != UINT16_MAX)
				t->claims[i]++;
			t->returned |= change;
			return true;
		}
	if (t->n_macs == MACS)
		return false;
	t->mac[t->n_macs] = *mac;
	t->claims[t->n_macs++] = 1;
	return true;
}

static bool
note_claim(struct track *t, const struct ics_mac *mac, uint64_t ts_ns)
{
	bool change = !ics_mac_equal(&t->last, mac);

	if (ts_ns >= t->window_ns + WINDOW_NS) {
		memset(t->claims, 0, sizeof(t->claims));
		t->window_ns = ts_ns;
	}
	note_mac(t, mac, change);
	if (change) {
		memmove(&t->change_ns[1], &t->change_ns[0], (CHANGES - 1) * sizeof(t->change_ns[0]));
		t->change_ns[0] = ts_ns;
		if (t->n_changes < CHANGES)
			t->n_changes++;
		t->last = *mac;
	}
	return change;
}

static bool
is_flipping(const struct track *t)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < t->n_macs; i++)
		busy += t->claims[i] > CLAIMS;
	if (busy >= 2)
		return true;
	return t->returned && t->n_changes == CHANGES && t->change_ns[0] < t->change_ns[CHANGES - 1] + WINDOW_NS;
}

static bool
may_change(const struct ics_detector *d, const struct ics_mac *mac)
{
	return ics_model_is_shared_mac(d->model, mac) || ics_model_is_proxy(d->model, mac);
}

static void
on_message(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c)
{
	const struct ics_claim_change *k = &c->claim;
	struct episode *e;
	struct track *t;
	bool change;
	char ip[ICS_IP_STRLEN];

	if (!k->claims || !(k->flags & ICS_BINDING_DISPUTED) || !msg->strict)
		return;
	/* What a detection of duplicates settles is dad_conflict's; shared MACs are meant to change. */
	if (may_change(d, &k->claimed) || (k->differs && (k->tentative || may_change(d, &k->before)))) {
		d->info.suppressed++;
		return;
	}
	t = track_of(d->state, c->segment->id, &k->addr, k->differs);
	if (t == NULL)
		return;
	if (t->n_macs == 0) {
		t->last = k->before;
		t->window_ns = t->first_ns = msg->ts_ns;
		note_mac(t, &k->before, false);
	}
	change = note_claim(t, &k->claimed, msg->ts_ns);
	e = (struct episode *)ics_episode_find(d, c->segment->id, &k->addr);
	if (e == NULL) {
		if (!is_flipping(t))
			return;
		if (d->shared->nd_flood[c->segment->id]) {
			d->info.suppressed++;
			return;
		}
		e = (struct episode *)ics_episode_open_as(d, c->segment, &k->addr, "address",
							  ics_ip_format(&k->addr, ip));
		if (e == NULL)
			return;
		e->muted = true;
		e->changes = t->n_changes;
		e->last_change_ns = msg->ts_ns;
	} else if (change) {
		e->changes++;
		e->last_change_ns = msg->ts_ns;
	}
	e->t = *t;
	e->router = ics_detect_is_router_addr(d, c->segment->id, &k->addr);
	e->muted &= ics_detect_is_muted(d, &c->segment->key, &k->addr, &k->claimed);
	ics_episode_update(&e->ep, msg,
			   1 | (uint64_t)e->router << 1 | (uint64_t)e->muted << 2 | (uint64_t)t->n_macs << 3);
}

static uint64_t
due(const struct ics_episode *ep)
{
	return ((const struct episode *)ep)->last_change_ns + CLEAR_NS;
}

static int
init(struct ics_detector *d)
{
	return ics_detector_make_table(d, sizeof(struct track), 20, TRACKED_MAX);
}

const struct ics_detector_ops ics_det_nb_flip_flop = {
	.classes = 1ull << ICS_CLASS_nd_ns | 1ull << ICS_CLASS_nd_na | 1ull << ICS_CLASS_nd_rs |
		   1ull << ICS_CLASS_nd_ra | 1ull << ICS_CLASS_nd_redirect,
	.once_in_loop = true,
	.episode_len = sizeof(struct episode),
	.init = init,
	.fini = ics_detector_drop_table,
	.message = on_message,
	.only = ICS_ONLY_DISPUTED,
	.render = render,
	.timer = ics_episode_expire,
	.due = due,
};
