/* Memory that records will need, asked for before it is needed: a million addresses do not fit into any cache, and each
 * look-up would wait for a bucket, then for an entry, then for the host that it leads to. So a burst of records goes
 * through these steps side by side. Nothing depends on it but speed. Called by the engine.
 */
#include "group.h"

struct addr_key {
	struct ics_ip addr;
	uint32_t segment;
};

struct mac_key {
	uint32_t segment;
	struct ics_mac mac;
};

static bool
segment_of(const struct ics_model *m, const struct ics_record *rec, uint32_t *id)
{
	struct ics_segment_key k = ics_segment_key_of(rec);
	uint64_t key = pack_segment_key(&k);
	const struct seg_entry *e = m->recent_seg[recent_segment(key)];
	uint32_t i;

	if (e == NULL || e->key != key) {
		i = ics_table_peek(&m->segments, &key);
		if (i == 0)
			return false;
		e = ics_table_at(&m->segments, i);
	}
	*id = e->s.id;
	return true;
}

static uint64_t
find_bucket(const struct ics_table *t, const void *key)
{
	uint64_t hash = ics_table_hash(t, key) | 1ull << 56; /* a bit that neither bucket nor tag are made of */

	ics_table_prefetch_bucket(t, hash);
	return hash;
}

/* The first group of a report; member.c goes on with the others. */
static void
find_group_bucket(const struct ics_model *m, const struct ics_record *rec, struct ics_view frame, uint32_t segment,
		  struct ics_ahead *ahead)
{
	struct addr_key key = {.segment = segment};
	uint32_t off = rec->l4_off + (rec->class == ICS_CLASS_mld2_report ? 12u : 8u);

	if ((rec->class != ICS_CLASS_mld2_report && rec->class != ICS_CLASS_mld1_report) ||
	    !ics_view_has(frame, off, sizeof(key.addr)))
		return;
	key.addr = ics_ip_from6(frame.p + off);
	ahead->reports = true;
	ahead->group = find_bucket(&m->mcast->groups, &key);
}

static void
find_host_bucket(const struct ics_model *m, struct ics_view frame, uint32_t segment, struct ics_ahead *ahead)
{
	struct mac_key station = {segment, ics_mac_from(frame.p + 6)};

	ahead->host = find_bucket(&m->hosts, &station);
}

static void
find_buckets(const struct ics_model *m, const struct ics_record *rec, struct ics_view frame, struct ics_ahead *ahead)
{
	struct addr_key target = {.segment = 0}, src;
	uint32_t off = rec->l4_off + 8u;
	bool is_dad;

	if (!ics_view_has(frame, rec->l3_off + 8u, 32) || !segment_of(m, rec, &target.segment))
		return;
	ahead->segment = target.segment + 1;
	if (rec->class != ICS_CLASS_nd_ns && rec->class != ICS_CLASS_nd_na) {
		find_host_bucket(m, frame, target.segment, ahead);
		find_group_bucket(m, rec, frame, target.segment, ahead);
		return;
	}
	if (!ics_view_has(frame, off, sizeof(target.addr)))
		return;
	target.addr = ics_ip_from6(frame.p + off);
	src.addr = ics_ip_from6(frame.p + rec->l3_off + 8);
	src.segment = target.segment;
	is_dad = ics_ip6_is_unspecified(src.addr.b);
	ahead->binding = find_bucket(&m->bindings, rec->class == ICS_CLASS_nd_na || is_dad ? &target : &src);
	if (is_dad) {
		find_host_bucket(m, frame, target.segment, ahead);
		ahead->dad = find_bucket(&m->dads, &target);
		return;
	}
	if (rec->class == ICS_CLASS_nd_na) {
		ahead->solicit = find_bucket(&m->solicits, &target);
	} else if (ics_ip6_is_multicast(frame.p + rec->l3_off + 24)) {
		struct mac_key asker = {target.segment, ics_mac_from(frame.p + 6)};

		ahead->solicit = find_bucket(&m->solicits, &target);
		if (m->askers.count != 0)
			ahead->asker = find_bucket(&m->askers, &asker);
	}
}

/* Only what went to everyone is looked up among the frames that repeat. */
static bool
may_repeat(const struct ics_record *rec, struct ics_view frame)
{
	return ics_view_u8(frame, 0) & 1 || rec->class == ICS_CLASS_mld1_report ||
	       rec->class == ICS_CLASS_mld2_report || rec->class == ICS_CLASS_mld_query;
}

static void
prefetch_host_of(const struct ics_model *m, uint32_t binding)
{
	const struct ics_binding *b = ics_table_at(&m->bindings, binding);

	if (b->host != 0)
		__builtin_prefetch(ics_table_at(&m->hosts, b->host));
}

/* Buckets have come. */
static void
find_entries(const struct ics_model *m, struct ics_ahead *ahead)
{
	if (ahead->solicit != 0)
		ahead->solicit = ics_table_prefetch_entry(&m->solicits, ahead->solicit);
	if (ahead->asker != 0)
		(void)ics_table_prefetch_entry(&m->askers, ahead->asker);
	if (ahead->dad != 0)
		(void)ics_table_prefetch_entry(&m->dads, ahead->dad);
	if (ahead->binding != 0)
		ahead->binding = ics_table_prefetch_chain(&m->bindings, ahead->binding);
	if (ahead->host != 0)
		ahead->host = ics_table_prefetch_entry(&m->hosts, ahead->host);
	if (ahead->group != 0)
		ahead->group = ics_table_prefetch_entry(&m->mcast->groups, ahead->group);
}

/* Once a minute an address is news (host.c), and then it is looked whether its holder is in the group that it must join. */
static void
find_group_of(const struct ics_model *m, struct ics_ahead *ahead)
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};
	const struct ics_binding *b = ics_table_at(&m->bindings, (uint32_t)ahead->binding);
	struct addr_key key = {.segment = ahead->segment - 1};

	if (b->last_ns >= m->minute_ns || !b->proven)
		return;
	memcpy(key.addr.b, prefix, sizeof(prefix));
	memcpy(key.addr.b + 13, b->addr.b + 13, 3);
	ahead->news_group = find_bucket(&m->mcast->groups, &key);
}

static void
find_membership(const struct ics_model *m, const struct ics_ahead *ahead)
{
	const struct ics_binding *b = ics_table_at(&m->bindings, (uint32_t)ahead->binding);
	uint32_t key[2] = {ics_table_prefetch_entry(&m->mcast->groups, ahead->news_group), b->host};

	if (key[0] != 0)
		(void)find_bucket(&m->mcast->members, key);
}

/* Entries have come. */
static void
find_behind_entries(const struct ics_model *m, struct ics_ahead *ahead)
{
	if (ahead->binding & ICS_TABLE_BEHIND) {
		ahead->binding = ics_table_prefetch_behind(&m->bindings, ahead->binding);
		ahead->binding_late = true;
	} else if (ahead->binding != 0) {
		prefetch_host_of(m, (uint32_t)ahead->binding);
		find_group_of(m, ahead);
	}
	if (ahead->reports && ahead->host != 0) {
		uint32_t key[2] = {(uint32_t)ahead->group, (uint32_t)ahead->host};

		if (key[0] == 0)
			key[0] = ics_group_next(m->mcast);
		ahead->member = find_bucket(&m->mcast->members, key);
	}
}

static void
find_last(const struct ics_model *m, struct ics_ahead *ahead)
{
	const struct ics_host *h;

	if (ahead->binding_late && ahead->binding != 0)
		prefetch_host_of(m, (uint32_t)ahead->binding);
	if (ahead->news_group != 0)
		find_membership(m, ahead);
	if (ahead->member == 0 || ics_table_prefetch_entry(&m->mcast->members, ahead->member) != 0)
		return;
	/* A new one is put behind the host's latest. */
	h = ics_table_at(&m->hosts, (uint32_t)ahead->host);
	if (h->member_newest != 0)
		__builtin_prefetch(ics_table_at(&m->mcast->members, h->member_newest), 1);
}

void
ics_model_prefetch(const struct ics_model *m, unsigned step, const struct ics_record *rec, struct ics_view frame,
		   struct ics_ahead *ahead)
{
	if (step < 2 && may_repeat(rec, frame))
		ics_frames_prefetch(m, step, rec->frame_hash);
	switch (step) {
	case 0:
		*ahead = (struct ics_ahead){0};
		if (rec->cap_len != 0 && ics_record_link(rec) == ICS_LINK_ETHERNET && !(rec->flags & ICS_REC_IP4))
			find_buckets(m, rec, frame, ahead);
		break;
	case 1:
		find_entries(m, ahead);
		break;
	case 2:
		find_behind_entries(m, ahead);
		break;
	default:
		find_last(m, ahead);
		break;
	}
}

void
ics_model_expect(struct ics_model *m, const struct ics_ahead *ahead)
{
	m->expected_host = (uint32_t)ahead->host;
	m->expected_solicit = (uint32_t)ahead->solicit;
	m->latest_binding = (uint32_t)ahead->binding;
}
