/* The model against its own rules; see check.h. Everything that the model keeps a count of is counted again. */
#include "check.h"

#define PORTS 256

struct sums {
	uint32_t hosts, bindings, routers;
	struct ics_mcast_load mcast;
};
static struct sums of_segment[ICS_SEGMENTS_MAX];
static struct ics_mcast_load of_port[PORTS];

static struct sums *
sums_of(const struct ics_model *m, uint32_t segment)
{
	FUZZ_CHECK(segment < ics_model_segment_count(m), "segment %u of %u", segment, ics_model_segment_count(m));
	return &of_segment[segment];
}

static void
check_host(const struct ics_model *m, const struct ics_host *h)
{
	struct sums *s = sums_of(m, h->segment);
	const struct ics_binding *b = NULL;
	const struct ics_member *e = NULL;
	uint32_t n = 0, snm = 0;

	while ((b = ics_model_host_binding(m, h, b)) != NULL) {
		FUZZ_CHECK(++n <= h->n_bindings, "more than %u bindings", h->n_bindings);
		FUZZ_CHECK(b->segment == h->segment, "a binding of another segment");
	}
	FUZZ_CHECK(n == h->n_bindings && n <= ICS_BINDINGS_PER_MAC, "%u of %u bindings", n, h->n_bindings);
	for (n = 0; (e = ics_model_host_member(m, h, e)) != NULL; snm += (e->flags & ICS_MEMBER_SNM) != 0) {
		FUZZ_CHECK(++n <= h->n_groups, "more than %u memberships", h->n_groups);
		FUZZ_CHECK(ics_model_member_group(m, e)->segment == h->segment, "a group of another segment");
		FUZZ_CHECK(e->n_sources <= ICS_MEMBER_SOURCES || e->n_sources == ICS_MEMBER_MANY, "%u sources",
			   e->n_sources);
	}
	FUZZ_CHECK(n == h->n_groups && snm == h->n_snm && n <= ICS_MEMBERS_PER_MAC,
		   "%u of %u memberships, %u of %u snm", n, h->n_groups, snm, h->n_snm);
	s->hosts++;
	s->mcast.memberships += n;
	s->mcast.snm += snm;
	s->mcast.hosts += n != 0;
	s->mcast.v1_hosts += n != 0 && h->mld_version == 1;
	s->mcast.packets += h->mld_version == 1 ? n : (n + ICS_RECORDS_PER_PACKET - 1) / ICS_RECORDS_PER_PACKET;
}

static void
check_groups(const struct ics_model *m, const struct ics_config *conf, const struct ics_model_stats *stats)
{
	uint64_t n = 0, members = 0;

	for (uint32_t i = 1; i <= ics_model_group_last(m); i++) {
		const struct ics_group *g = ics_model_group_at(m, i);
		struct sums *s;

		if (g == NULL)
			continue;
		FUZZ_CHECK(g->members != 0, "a group without a member");
		s = sums_of(m, g->segment);
		s->mcast.groups++;
		s->mcast.entries += (g->members + conf->detect.hosts_per_port - 1) / conf->detect.hosts_per_port;
		n++;
		members += g->members;
	}
	FUZZ_CHECK(n == stats->groups && n <= ICS_GROUPS_MAX, "%llu of %llu groups", (unsigned long long)n,
		   (unsigned long long)stats->groups);
	FUZZ_CHECK(members == stats->members && members <= ICS_MEMBERS_MAX, "%llu of %llu members",
		   (unsigned long long)members, (unsigned long long)stats->members);
}

static void
check_load(const char *what, const struct ics_mcast_load *a, const struct ics_mcast_load *b)
{
	FUZZ_CHECK(
		memcmp(a, b, sizeof(*a)) == 0,
		"%s counts groups %u, %u memberships %u, %u snm %u, %u hosts %u, %u v1 %u, %u packets %u, %u entries "
		"%u, %u",
		what, a->groups, b->groups, a->memberships, b->memberships, a->snm, b->snm, a->hosts, b->hosts,
		a->v1_hosts, b->v1_hosts, a->packets, b->packets, a->entries, b->entries);
}

static void
add_load(struct ics_mcast_load *to, const struct ics_mcast_load *l)
{
	to->groups += l->groups;
	to->memberships += l->memberships;
	to->snm += l->snm;
	to->hosts += l->hosts;
	to->v1_hosts += l->v1_hosts;
	to->packets += l->packets;
	to->entries += l->entries;
}

static void
check_routers(struct ics_model *m, const struct ics_model_stats *stats)
{
	const struct ics_router *r;
	uint64_t n = 0;

	for (uint32_t id = 0; (r = ics_model_router_next(m, id)) != NULL; id = r->id + 1) {
		FUZZ_CHECK(r->id >= id, "router %u, at least %u", r->id, id);
		FUZZ_CHECK(r->n_macs <= ICS_ROUTER_MACS, "%u MACs", r->n_macs);
		FUZZ_CHECK(ics_router_state_name(r->state) != NULL, "state %d", r->state);
		FUZZ_CHECK(ics_model_router_find(m, r->segment, &r->addr) == r, "router %u is not found", r->id);
		sums_of(m, r->segment)->routers++;
		n++;
	}
	FUZZ_CHECK(n == stats->routers && n <= ICS_ROUTERS_MAX, "%llu of %llu routers", (unsigned long long)n,
		   (unsigned long long)stats->routers);
}

static void
check_paths(struct ics_model *m, const struct ics_model_stats *stats)
{
	const struct ics_reporter *r;
	const struct ics_path *p;
	const struct ics_hole *h;
	uint64_t n = 0, rows = 0;

	for (uint32_t i = 1; (p = ics_path_next(m, &i)) != NULL; i++, n++) {
		FUZZ_CHECK(p->class < ICS_PATH_CLASSES, "class %u", p->class);
		FUZZ_CHECK(p->mtu >= 68, "an MTU of %u", p->mtu);
	}
	FUZZ_CHECK(n <= stats->paths && stats->paths <= ICS_PATHS_MAX, "%llu paths", (unsigned long long)n);
	n = 0;
	for (uint32_t i = 1; (r = ics_reporter_next(m, &i)) != NULL; i++, n++) {
		FUZZ_CHECK(r->rows <= ICS_PATHS_PER_REPORTER && r->n_far <= ICS_REPORTER_FAR_MAX, "%u rows, %u far",
			   r->rows, r->n_far);
		rows += r->rows;
	}
	FUZZ_CHECK(n == stats->reporters && rows <= stats->paths, "%llu reporters of %llu rows", (unsigned long long)n,
		   (unsigned long long)rows);
	n = 0;
	for (uint32_t i = 1; (h = ics_hole_next(m, &i)) != NULL; i++, n++)
		FUZZ_CHECK(h->kind < ICS_HOLE_KINDS, "kind %u", h->kind);
	FUZZ_CHECK(n == stats->holes && n <= ICS_BLACK_HOLES_MAX, "%llu black holes", (unsigned long long)n);
}

static void
check_queriers(const struct ics_model *m, uint32_t segment)
{
	const struct ics_queriers *q = ics_model_queriers(m, segment);

	if (q == NULL)
		return;
	FUZZ_CHECK(q->n <= ICS_QUERIERS_PER_SEGMENT && (q->n == 0 || q->current < q->n), "querier %u of %u", q->current,
		   q->n);
	for (unsigned i = 0; i < q->n; i++) {
		FUZZ_CHECK(q->q[i].first_ns <= q->q[i].last_ns, "a querier ends before it starts");
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(!ics_ip_equal(&q->q[i].addr, &q->q[j].addr), "a querier twice");
	}
}

static uint64_t
check_segments(struct ics_model *m, const struct ics_config *conf)
{
	uint64_t classes = 0;

	for (uint32_t i = 0; i < ics_model_segment_count(m); i++) {
		const struct ics_segment *seg = ics_model_segment(m, i);
		const struct sums *s = &of_segment[i];

		FUZZ_CHECK(seg != NULL && seg->id == i, "segment %u", i);
		FUZZ_CHECK(seg->routers <= ICS_ROUTERS_PER_SEGMENT + conf->detect.gateways.n,
			   "%u routers on one segment", seg->routers);
		FUZZ_CHECK(seg->default_routers <= seg->routers && seg->router_hosts <= seg->hosts,
			   "%u of %u default, %u of %u hosts", seg->default_routers, seg->routers, seg->router_hosts,
			   seg->hosts);
		FUZZ_CHECK(seg->first_ns <= seg->last_ns, "segment %u ends before it starts", i);
		FUZZ_CHECK(seg->routers == s->routers && seg->hosts == s->hosts && seg->bindings == s->bindings,
			   "segment %u has %u, %u routers, %u, %u hosts, %u, %u bindings", i, seg->routers, s->routers,
			   seg->hosts, s->hosts, seg->bindings, s->bindings);
		check_load("a segment", &seg->mcast, &s->mcast);
		add_load(&of_port[seg->key.port], &seg->mcast);
		check_queriers(m, i);
		for (unsigned c = 0; c < ICS_CLASS_COUNT; c++)
			classes += seg->class[c];
	}
	FUZZ_CHECK(ics_model_segment(m, ics_model_segment_count(m)) == NULL, "one segment more");
	for (unsigned p = 0; p < PORTS; p++)
		check_load("a port", ics_model_port_mcast(m, (uint8_t)p), &of_port[p]);
	return classes;
}

uint64_t
fuzz_check_model(struct ics_engine *e, const struct ics_config *conf)
{
	struct ics_model *m = ics_engine_model(e);
	const struct ics_host *h;
	const struct ics_binding *b;
	struct ics_model_stats stats;
	uint64_t n = 0;

	ics_model_stats(m, &stats);
	FUZZ_CHECK(stats.segments == ics_model_segment_count(m) && stats.segments <= ICS_SEGMENTS_MAX, "segments");
	memset(of_segment, 0, stats.segments * sizeof(of_segment[0]));
	memset(of_port, 0, sizeof(of_port));
	for (uint32_t i = 1; (h = ics_model_host_next(m, &i)) != NULL; i++, n++)
		check_host(m, h);
	FUZZ_CHECK(n == stats.hosts && n <= ICS_HOSTS_MAX, "%llu of %llu hosts", (unsigned long long)n,
		   (unsigned long long)stats.hosts);
	n = 0;
	for (uint32_t i = 1; i <= ics_model_binding_last(m); i++) {
		b = ics_model_binding_at(m, i);
		if (b == NULL)
			continue;
		FUZZ_CHECK(ics_model_binding_find(m, b->segment, &b->addr) == b, "a binding is not found");
		sums_of(m, b->segment)->bindings++;
		n++;
	}
	FUZZ_CHECK(n == stats.bindings && n <= ICS_BINDINGS_MAX, "%llu of %llu bindings", (unsigned long long)n,
		   (unsigned long long)stats.bindings);
	check_groups(m, conf, &stats);
	check_routers(m, &stats);
	check_paths(m, &stats);
	return check_segments(m, conf);
}
