/* What a report or done says about its sender's memberships: RFC 9777 4.2, 5.2.13 and 7.4 for version 2 records with
 * their source lists, RFC 2710 4 for version 1. Followed for each host by itself, as snooping switches do (RFC 9777
 * appendix A.2). Called for strict and lenient reports: switches do not ask for a router alert.
 */
#include "group.h"
#include "ics_mld.h"
#include "ics_validate.h"

#define V1_GROUP_OFF 8
#define V1_LEN 24
#define N_RECORDS_OFF 6
#define WINDOW_NS 10000000000ull
/* Records whose memory is fetched at once. */
#define AHEAD 16

static bool
is_source(const uint8_t *a)
{
	return !ics_ip6_is_multicast(a) && !ics_ip6_is_unspecified(a);
}

static uint16_t
fingerprint(const struct ics_model *m, const uint8_t *a)
{
	return (uint16_t)ics_hash(a, 16, m->mcast->groups.seed);
}

static void
add_source(struct ics_member *e, uint16_t f)
{
	if (e->n_sources == ICS_MEMBER_MANY)
		return;
	for (unsigned i = 0; i < e->n_sources; i++)
		if (e->source[i] == f)
			return;
	if (e->n_sources == ICS_MEMBER_SOURCES)
		e->n_sources = ICS_MEMBER_MANY;
	else
		e->source[e->n_sources++] = f;
}

/* Of more sources than are kept it is not known which are left: then the membership ends by its other ways. */
static void
remove_source(struct ics_member *e, uint16_t f)
{
	for (unsigned i = 0; e->n_sources != ICS_MEMBER_MANY && i < e->n_sources; i++)
		if (e->source[i] == f) {
			e->source[i] = e->source[--e->n_sources];
			return;
		}
}

static unsigned
count_sources(const struct ics_mld_record *rec)
{
	unsigned n = 0;

	for (uint32_t off = 0; ics_view_has(rec->sources, off, 16); off += 16)
		n += is_source(rec->sources.p + off);
	return n;
}

static void
for_sources(const struct ics_model *m, struct ics_member *e, const struct ics_mld_record *rec,
	    void (*fn)(struct ics_member *, uint16_t))
{
	for (uint32_t off = 0; ics_view_has(rec->sources, off, 16); off += 16)
		if (is_source(rec->sources.p + off))
			fn(e, fingerprint(m, rec->sources.p + off));
}

struct report {
	struct ics_model *m;
	struct seg_entry *seg;
	const struct ics_msg *msg;
	struct ics_mcast_change *out;
	uint32_t host;
	struct ics_member_hint hint; /* of the record at hand */
};

static struct ics_member *
join(const struct report *r, const uint8_t *group, bool *is_new)
{
	struct ics_member *e = ics_member_join(r->m, r->seg, group, r->host, r->msg, r->hint, is_new);

	r->out->joined += *is_new;
	return e;
}

static void
leave(const struct report *r, const uint8_t *group)
{
	uint32_t i = ics_member_get(r->m, ics_group_get(r->m, r->seg, group), r->host);

	if (i == 0)
		return;
	ics_member_remove(r->m, i);
	r->out->left++;
}

/* Everything but what is listed, or everything. */
static void
take_exclude(const struct report *r, const struct ics_mld_record *rec)
{
	struct ics_member *e;
	bool is_new;

	/* Source-specific groups have no such thing (RFC 4604 2.2). */
	if (ics_ip6_is_source_specific(rec->group) || (e = join(r, rec->group, &is_new)) == NULL)
		return;
	e->flags &= ~ICS_MEMBER_INCLUDE;
	e->n_sources = 0;
}

/* What is listed, alone (anew) or beside what it was; nothing is how a group is left. */
static void
take_include(const struct report *r, const struct ics_mld_record *rec)
{
	struct ics_member *e;
	bool is_new;

	if (count_sources(rec) == 0) {
		if (rec->type == ICS_MLD_TO_INCLUDE && rec->n_sources == 0)
			leave(r, rec->group);
		return;
	}
	e = join(r, rec->group, &is_new);
	if (e == NULL)
		return;
	if (is_new || rec->type == ICS_MLD_TO_INCLUDE ||
	    (rec->type == ICS_MLD_IS_INCLUDE && !(e->flags & ICS_MEMBER_INCLUDE))) {
		e->flags |= ICS_MEMBER_INCLUDE;
		e->n_sources = 0;
	}
	/* A host that takes all sources but some goes on with ALLOW to take one more of them. */
	if (e->flags & ICS_MEMBER_INCLUDE)
		for_sources(r->m, e, rec, add_source);
}

static void
take_block(const struct report *r, const struct ics_mld_record *rec)
{
	uint32_t i = ics_member_get(r->m, ics_group_get(r->m, r->seg, rec->group), r->host);
	struct ics_member *e;
	bool is_new;

	if (i == 0 || count_sources(rec) == 0)
		return;
	e = member_at(r->m, i);
	if (e->flags & ICS_MEMBER_INCLUDE) {
		for_sources(r->m, e, rec, remove_source);
		if (e->n_sources == 0) {
			leave(r, rec->group);
			return;
		}
	}
	(void)join(r, rec->group, &is_new);
}

static void
take_record(const struct report *r, const struct ics_mld_record *rec)
{
	static void (*const take[])(const struct report *, const struct ics_mld_record *) = {
		[ICS_MLD_IS_INCLUDE] = take_include, [ICS_MLD_IS_EXCLUDE] = take_exclude,
		[ICS_MLD_TO_INCLUDE] = take_include, [ICS_MLD_TO_EXCLUDE] = take_exclude,
		[ICS_MLD_ALLOW_NEW] = take_include,  [ICS_MLD_BLOCK_OLD] = take_block,
	};

	if (rec->type >= ICS_ARRAY_LEN(take) || take[rec->type] == NULL || !ics_ip6_is_multicast(rec->group) ||
	    ics_ip6_is_unreportable(rec->group))
		return;
	r->out->records++;
	take[rec->type](r, rec);
}

/* Step by step for all of them, so that the misses of one overlap with those of the others. */
static void
take_batch(struct report *r, const struct ics_mld_record *rec, unsigned n)
{
	struct ics_member_hint hint[AHEAD];
	uint64_t hash[AHEAD];
	struct {
		struct ics_ip addr;
		uint32_t segment;
	} key = {.segment = r->seg->s.id};
	const struct ics_mcast *c = r->m->mcast;
	uint32_t member[2] = {0, r->host};

	if (n == 1)
		hint[0] = (struct ics_member_hint){0, 0};
	for (unsigned i = 0; n > 1 && i < n; i++) {
		key.addr = ics_ip_from6(rec[i].group);
		hash[i] = ics_table_hash(&c->groups, &key);
		ics_table_prefetch_bucket(&c->groups, hash[i]);
	}
	for (unsigned i = 0; n > 1 && i < n; i++)
		hint[i].group = ics_table_prefetch_entry(&c->groups, hash[i]);
	for (unsigned i = 0; n > 1 && i < n; i++) {
		if (!ics_group_is(r->m, hint[i].group, r->seg, rec[i].group))
			hint[i].group = ics_group_get(r->m, r->seg, rec[i].group);
		member[0] = hint[i].group;
		hash[i] = ics_table_hash(&c->members, member);
		ics_table_prefetch_bucket(&c->members, hash[i]);
	}
	for (unsigned i = 0; n > 1 && i < n; i++)
		hint[i].member = ics_table_prefetch_entry(&c->members, hash[i]);
	for (unsigned i = 0; i < n; i++) {
		r->hint = hint[i];
		take_record(r, &rec[i]);
	}
}

static void
take_v2(struct report *r)
{
	unsigned n = ics_view_be16(r->msg->icmp, N_RECORDS_OFF), filled = 0;
	uint32_t len = r->msg->rec->ilen, off = ICS_MLD2_RECORDS_OFF;
	struct ics_mld_record rec[AHEAD];

	if (n > ICS_MLD_RECORDS_MAX)
		n = ICS_MLD_RECORDS_MAX;
	for (; n != 0; n--) {
		/* Who stumbles over the end has acted on the records before it. */
		if (off > len || ics_mld_record_at(r->msg->icmp, len, off, &rec[filled]) != ICS_MLD_RECORD)
			break;
		off = rec[filled++].end;
		if (filled == AHEAD) {
			take_batch(r, rec, filled);
			filled = 0;
		}
	}
	take_batch(r, rec, filled);
}

static void
take_v1(const struct report *r)
{
	const uint8_t *group = r->msg->icmp.p + V1_GROUP_OFF;
	struct ics_member *e;
	bool is_new;

	if (!ics_view_has(r->msg->icmp, 0, V1_LEN) || !ics_ip6_is_multicast(group) || ics_ip6_is_unreportable(group))
		return;
	r->out->records++;
	if (r->msg->class == ICS_CLASS_mld1_done) {
		leave(r, group);
		return;
	}
	e = join(r, group, &is_new);
	if (e != NULL) {
		e->flags &= ~ICS_MEMBER_INCLUDE;
		e->n_sources = 0;
	}
}

void
ics_members_heard(struct ics_model *m, struct seg_entry *seg, const struct ics_msg *msg, uint32_t host,
		  struct ics_mcast_change *out)
{
	struct report r = {m, seg, msg, out, host, {0, 0}};
	struct ics_host *h;

	if (host == 0)
		return;
	h = ics_table_at(&m->hosts, host);
	h->mld_at = ICS_COARSE(msg->ts_ns);
	if (msg->class != ICS_CLASS_mld1_done)
		ics_host_set_mld_version(m, seg, host, msg->class == ICS_CLASS_mld1_report ? 1 : 2);
	if (msg->class == ICS_CLASS_mld2_report)
		take_v2(&r);
	else
		take_v1(&r);
}

void
ics_mld_counted(struct ics_segment *s, uint64_t n, uint64_t now_ns)
{
	if (now_ns >= s->mld.start_ns + WINDOW_NS) {
		s->mld.last_n = now_ns < s->mld.start_ns + 2 * WINDOW_NS ? s->mld.n : 0;
		s->mld.n = 0;
		s->mld.start_ns = now_ns / WINDOW_NS * WINDOW_NS;
	}
	s->mld.n += n;
}

uint32_t
ics_segment_mld_pps(const struct ics_segment *s, uint64_t now_ns)
{
	uint64_t n = now_ns < s->mld.start_ns + WINDOW_NS       ? s->mld.last_n
		     : now_ns < s->mld.start_ns + 2 * WINDOW_NS ? s->mld.n
								: 0;

	return (uint32_t)(n * 1000000000ull / WINDOW_NS);
}
