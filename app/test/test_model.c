/* The model and what it stands on: table, timers, segments, routers, hosts, bindings, with their caps. */
#include "ics_table.h"
#include "ics_timer.h"
#include "test_slow.h"

/* ---- table --------------------------------------------------------------------------------------- */

struct entry {
	struct ics_table_head head;
	uint64_t key;
	uint64_t value;
};

static void
table_finds_what_was_put_in(void **state)
{
	struct ics_table t;
	enum { N = 20000 };

	assert_int_equal(ics_table_init(&t, sizeof(struct entry), 8, N, 1), 0);
	for (uint64_t k = 0; k < N; k++) {
		uint32_t i;

		assert_int_equal(ics_table_find(&t, &k), 0);
		i = ics_table_insert(&t, &k);
		assert_int_not_equal(i, 0);
		((struct entry *)ics_table_at(&t, i))->value = ~k;
	}
	uint64_t more = N;
	assert_int_equal(ics_table_insert(&t, &more), 0);
	for (uint64_t k = 0; k < N; k += 2)
		ics_table_remove(&t, ics_table_find(&t, &k));
	assert_int_equal(t.count, N / 2);
	for (uint64_t k = 0; k < N; k++) {
		uint32_t i = ics_table_find(&t, &k);

		if (k % 2 == 0) {
			assert_int_equal(i, 0);
		} else {
			assert_int_equal(((struct entry *)ics_table_at(&t, i))->value, ~k);
			assert_true(ics_table_is_live(&t, i));
		}
	}
	/* What was freed is used again. */
	for (uint64_t k = 0; k < N; k += 2)
		assert_int_not_equal(ics_table_insert(&t, &k), 0);
	assert_int_equal(t.fresh, N);
	ics_table_fini(&t);
}

/* Keys of every length that differ in one octet only, wherever it is; come and go at random. */
static void
table_tells_keys_apart(void **state)
{
	enum { KEY_MAX = 40, VALUES = 64 };
	struct {
		struct ics_table_head head;
		uint8_t key[KEY_MAX];
	} entry;

	for (uint32_t len = 1; len <= KEY_MAX; len++) {
		bool in[KEY_MAX][VALUES] = {{false}};
		struct ics_table t;
		uint64_t random = len;
		uint32_t count = 0;

		assert_int_equal(ics_table_init(&t, sizeof(entry), len, KEY_MAX * VALUES, len), 0);
		for (unsigned n = 0; n < 20000; n++) {
			uint8_t key[KEY_MAX] = {0};
			uint32_t i, at, value;

			random = ics_hash_mix(random, n);
			at = (uint32_t)(random >> 8) % len;
			value = 1 + (uint32_t)(random >> 32) % (VALUES - 1);
			key[at] = (uint8_t)value;
			i = ics_table_peek(&t, key);
			assert_int_equal(i != 0, in[at][value]);
			assert_int_equal(ics_table_find(&t, key), i);
			if (i == 0) {
				assert_int_not_equal(ics_table_insert(&t, key), 0);
				count++;
			} else if (random % 3 != 0) {
				ics_table_remove(&t, i);
				count--;
			} else {
				continue;
			}
			in[at][value] = !in[at][value];
			assert_int_equal(t.count, count);
		}
		ics_table_fini(&t);
	}
}

static bool
is_odd(const void *e)
{
	return ((const struct entry *)e)->key % 2 != 0;
}

static void
table_lets_the_least_recently_used_go(void **state)
{
	struct ics_table t;

	assert_int_equal(ics_table_init(&t, sizeof(struct entry), 8, ICS_TABLE_WINDOW, 1), 0);
	assert_int_equal(ics_table_oldest(&t, NULL), 0);
	for (uint64_t k = 0; k < ICS_TABLE_WINDOW; k++)
		assert_int_not_equal(ics_table_insert(&t, &k), 0);
	for (uint64_t k = 0; k < 4; k++)
		assert_int_not_equal(ics_table_find(&t, &k), 0);
	struct entry *e = ics_table_at(&t, ics_table_oldest(&t, NULL));
	assert_int_equal(e->key, 4);
	e = ics_table_at(&t, ics_table_oldest(&t, is_odd));
	assert_int_equal(e->key, 5);
	ics_table_fini(&t);
}

/* How often each entry was looked at, and what to say of it. */
struct looks {
	const struct ics_table *t;
	uint8_t *n;
	int rank;
};

static int
look(const void *entry, void *ctx)
{
	struct looks *l = ctx;
	uint32_t i = ics_table_index(l->t, entry);

	l->n[i] += l->n[i] < UINT8_MAX;
	return l->rank;
}

/* Whatever they rank, one round of the hand sees all. */
static void
table_looks_at_every_entry(void **state)
{
	static const uint32_t sizes[] = {ICS_TABLE_LOOKS + 1, 66, 1000, 1001, 131072, 262143};
	static const uint32_t a_call[] = {ICS_TABLE_LOOKS, 4, ICS_TABLE_WINDOW}; /* of rank -1, 0, 1 */

	for (unsigned i = 0; i < ICS_ARRAY_LEN(sizes); i++)
		for (int rank = -1; rank <= 1; rank++) {
			uint32_t n = sizes[i], unseen = 0, often = 0;
			struct looks l = {.n = calloc(n + 1, 1), .rank = rank};
			struct ics_table t;

			assert_int_equal(ics_table_init(&t, sizeof(struct entry), 8, n, 7), 0);
			for (uint64_t k = 0; k < n; k++)
				assert_int_not_equal(ics_table_insert(&t, &k), 0);
			l.t = &t;
			for (uint32_t k = 0; k <= n / a_call[rank + 1]; k++)
				assert_int_equal(ics_table_victim(&t, look, &l) != 0, rank >= 0);
			for (uint32_t k = 1; k <= n; k++) {
				unseen += l.n[k] == 0;
				often += l.n[k] > (n < 2 * ICS_TABLE_LOOKS ? 2 : 1);
			}
			assert_int_equal(unseen, 0);
			assert_true(often <= 2 * ICS_TABLE_LOOKS);
			ics_table_fini(&t);
			free(l.n);
		}
}

static void
table_refuses_bad_shapes(void **state)
{
	struct ics_table t;

	assert_int_equal(ics_table_init(&t, 24, 8, 0, 1), -22);
	assert_int_equal(ics_table_init(&t, 20, 8, 10, 1), -22);
	assert_int_equal(ics_table_init(&t, 16, 12, 10, 1), -22);
	assert_int_equal(ics_table_init(&t, 24, 8, 1u << 24, 1), -22);
}

/* ---- timers -------------------------------------------------------------------------------------- */

static uint64_t fired[200];
static unsigned n_fired;

static void
on_fire(struct ics_timer *t, uint64_t now_ns)
{
	assert_int_equal(t->due_ns, now_ns);
	fired[n_fired++] = now_ns;
}

/* Against a list that is searched from end to end: the same timers at the same times, in the same order. */
#define WHEEL_TIMERS 500
struct wheel_rig {
	struct ics_timers h;
	struct ics_timer t[WHEEL_TIMERS];
	uint64_t due[WHEEL_TIMERS]; /* 0: not set */
	uint64_t now, last;
	unsigned fired;
};

static void
on_wheel(struct ics_timer *t, uint64_t now_ns)
{
	struct wheel_rig *r = t->owner;
	size_t i = (size_t)(t - r->t);

	assert_true(r->due[i] != 0 && r->due[i] == t->due_ns && r->due[i] <= r->now);
	for (unsigned k = 0; k < WHEEL_TIMERS; k++)
		assert_true(r->due[k] == 0 || r->due[k] >= r->due[i]);
	assert_true(now_ns >= r->last && now_ns >= t->due_ns);
	r->last = now_ns;
	r->due[i] = 0;
	r->fired++;
}

static void
timers_are_like_a_list(void **state)
{
	static const uint64_t reach[] = {1000,           1000000,         1000000000,       100000000000,
					 20000000000000, 300000000000000, 40000000000000000};
	struct wheel_rig *r = calloc(1, sizeof(*r));
	uint64_t seed = 5, clock = 1463012470000000000ull;

	assert_non_null(r);
	r->now = clock;
	for (unsigned i = 0; i < WHEEL_TIMERS; i++)
		r->t[i] = (struct ics_timer){.fire = on_wheel, .owner = r};
	for (unsigned n = 0; n < 200000; n++) {
		uint64_t x = seed = ics_hash_mix(seed, n);
		unsigned i = (unsigned)(x % WHEEL_TIMERS), what = x >> 16 & 15;

		if (what < 9) {
			r->due[i] = r->now + 1 + (x >> 24) % reach[(x >> 20 & 15) % ICS_ARRAY_LEN(reach)];
			assert_int_equal(ics_timer_set(&r->h, &r->t[i], r->due[i]), 0);
		} else if (what < 12) {
			r->due[i] = 0;
			ics_timer_cancel(&r->h, &r->t[i]);
			assert_int_equal(r->t[i].pos, 0);
		} else {
			r->now += (x >> 24) % reach[(x >> 20 & 15) % (what == 15 ? 7 : 4)];
			if (ics_timers_are_due(&r->h, r->now))
				ics_timers_run(&r->h, r->now, &clock);
			for (unsigned k = 0; k < WHEEL_TIMERS; k++)
				assert_true(r->due[k] == 0 || r->due[k] > r->now);
		}
	}
	assert_true(r->fired > 10000);
	r->now = UINT64_MAX;
	ics_timers_run(&r->h, r->now, &clock);
	assert_int_equal(r->h.n + r->h.n_listed, 0);
	ics_timers_fini(&r->h);
	free(r);
}

static void
timers_fire_in_order(void **state)
{
	struct ics_timers h = {0};
	struct ics_timer t[200];
	uint64_t clock = 0;

	n_fired = 0;
	for (unsigned i = 0; i < 200; i++) {
		t[i] = (struct ics_timer){.fire = on_fire};
		assert_int_equal(ics_timer_set(&h, &t[i], 1 + (i * 7919) % 1000), 0);
	}
	for (unsigned i = 0; i < 200; i += 4)
		ics_timer_cancel(&h, &t[i]);
	for (unsigned i = 1; i < 200; i += 4)
		assert_int_equal(ics_timer_set(&h, &t[i], 2000 - i), 0);
	ics_timer_cancel(&h, &t[0]);
	assert_int_equal(h.n, 150);
	ics_timers_run(&h, 1500, &clock);
	assert_int_equal(n_fired, 100);
	assert_false(ics_timers_are_due(&h, 1500));
	ics_timers_run(&h, 3000, &clock);
	assert_int_equal(n_fired, 150);
	for (unsigned i = 1; i < n_fired; i++)
		assert_true(fired[i - 1] <= fired[i]);
	assert_int_equal(h.n, 0);
	assert_int_equal(clock, 1999);
	ics_timers_fini(&h);
}

/* ---- model --------------------------------------------------------------------------------------- */

static const struct ics_router *
only_router(struct rig *r)
{
	const struct ics_router *router = ics_model_router_next(ics_engine_model(r->engine), 0);

	assert_non_null(router);
	assert_null(ics_model_router_next(ics_engine_model(r->engine), router->id + 1));
	return router;
}

static void
router_states(void **state)
{
	struct rig *r = rig_new(NULL);
	const struct ics_segment *seg;
	struct packet p;

	feed_base(r, BASE_inc_ra, T0);
	assert_int_equal(only_router(r)->state, ICS_ROUTER_NONDEFAULT);
	assert_int_equal(only_router(r)->n_macs, 0);
	feed_base(r, BASE_ra, T0 + S);
	seg = ics_model_segment(ics_engine_model(r->engine), 0);
	assert_int_equal(only_router(r)->state, ICS_ROUTER_DEFAULT);
	assert_int_equal(only_router(r)->lifetime_s, 1800);
	assert_int_equal(only_router(r)->expires_ns, T0 + 1801 * S);
	assert_int_equal(only_router(r)->reachable_ms, 900000);
	assert_int_equal(only_router(r)->mtu, 1500);
	assert_int_equal(only_router(r)->cur_hop_limit, 64);
	assert_int_equal(only_router(r)->ra_count, 2);
	assert_int_equal(only_router(r)->zero_ra_count, 1);
	assert_int_equal(seg->default_routers, 1);
	assert_int_equal(seg->router_hosts, 1);
	feed_base(r, BASE_inc_na, T0 + 2 * S);
	assert_int_equal(only_router(r)->state, ICS_ROUTER_HOSTED);
	assert_int_equal(seg->default_routers, 0);
	feed_base(r, BASE_ra, T0 + 3 * S);
	feed_base(r, BASE_inc_ra, T0 + 4 * S);
	assert_int_equal(only_router(r)->state, ICS_ROUTER_RETRACTED);
	feed_base(r, BASE_ra, T0 + 5 * S);
	/* A shorter lifetime counts at once, a longer one postpones the end. */
	p = ra_from("fe80::1", MAC_R, 10, 0);
	feed(r, &p, T0 + 6 * S);
	p = ra_from("fe80::1", MAC_R2, 20, 0);
	feed(r, &p, T0 + 7 * S);
	ics_engine_tick(r->engine, T0 + 27 * S - 1);
	assert_int_equal(only_router(r)->state, ICS_ROUTER_DEFAULT);
	ics_engine_tick(r->engine, T0 + 27 * S);
	assert_int_equal(only_router(r)->state, ICS_ROUTER_EXPIRED);
	assert_int_equal(only_router(r)->n_macs, 2);
	assert_int_equal(only_router(r)->transitions, 7);
	assert_int_equal(seg->default_routers, 0);
	assert_int_equal(seg->class[ICS_CLASS_nd_ra], 7);
	assert_int_equal(seg->class[ICS_CLASS_nd_na], 1);
	rig_free(r);
}

static void
router_learns_four_macs(void **state)
{
	struct rig *r = rig_new(NULL);

	for (unsigned i = 0; i < 10; i++) {
		char mac[ICS_MAC_STRLEN];

		snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", 0x20 + i);
		struct packet p = ra_from("fe80::1", mac, 1800, 0);
		feed(r, &p, T0 + i * S);
	}
	assert_int_equal(only_router(r)->n_macs, ICS_ROUTER_MACS);
	assert_int_equal(only_router(r)->mac[0].b[5], 0x20);
	assert_int_equal(only_router(r)->mac[3].b[5], 0x23);
	rig_free(r);
}

static void
router_quota_of_a_segment(void **state)
{
	struct rig *r = rig_new("detect.gateways=fe80::ffff,fe80::fffe");
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_model_stats st;
	struct packet p = ra_from("fe80::ffff", MAC_R, 0, 0);
	char addr[ICS_IP_STRLEN];
	uint32_t last = 0;
	unsigned pinned = 0;
	unsigned n = 0;

	feed(r, &p, T0);
	/* Those without a lifetime make room, the configured one does not. */
	for (unsigned i = 1; i <= 100; i++) {
		snprintf(addr, sizeof(addr), "fe80::1:%x", i);
		p = ra_from(addr, MAC_X, 0, 0);
		feed(r, &p, T0 + i * MS);
	}
	assert_int_equal(ics_model_segment(m, 0)->routers, ICS_ROUTERS_PER_SEGMENT);
	for (unsigned i = 1; i <= 100; i++) {
		snprintf(addr, sizeof(addr), "fe80::2:%x", i);
		p = ra_from(addr, MAC_X, 1800, 0);
		feed(r, &p, T0 + S + i * MS);
	}
	ics_model_stats(m, &st);
	assert_int_equal(st.routers, ICS_ROUTERS_PER_SEGMENT);
	assert_int_equal(st.router_drops, 100 - (ICS_ROUTERS_PER_SEGMENT - 1));
	assert_int_equal(ics_model_segment(m, 0)->default_routers, ICS_ROUTERS_PER_SEGMENT - 1);
	/* A configured one finds a place among routers that an attacker invented. */
	p = ra_from("fe80::fffe", MAC_R, 1800, 0);
	feed(r, &p, T0 + S + 101 * MS);
	for (const struct ics_router *router = ics_model_router_next(m, 0); router != NULL;
	     router = ics_model_router_next(m, router->id + 1)) {
		pinned += router->pinned;
		assert_true(router->id > last);
		assert_true(router->state == ICS_ROUTER_DEFAULT || router->pinned);
		last = router->id;
		n++;
	}
	assert_int_equal(n, ICS_ROUTERS_PER_SEGMENT);
	assert_int_equal(pinned, 2);
	/* They expire, and the next one finds a place. */
	ics_engine_tick(r->engine, T0 + 2000 * S);
	assert_int_equal(ics_model_segment(m, 0)->default_routers, 0);
	feed_base(r, BASE_ra, T0 + 2001 * S);
	assert_int_equal(ics_model_segment(m, 0)->default_routers, 1);
	rig_free(r);
}

static void
segments_are_capped(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model_stats st;

	for (unsigned i = 1; i <= ICS_SEGMENTS_MAX + 10; i++) {
		struct packet p = base_packet(BASE_ra);
		char tags[32];

		snprintf(tags, sizeof(tags), "88a8%04x8100%04x86dd", 1 + i / 4000, 1 + i % 4000);
		set_encap(&p, tags);
		feed(r, &p, T0 + i * MS);
	}
	ics_model_stats(ics_engine_model(r->engine), &st);
	assert_int_equal(st.segments, ICS_SEGMENTS_MAX);
	assert_int_equal(st.segment_drops, 10);
	assert_int_equal(ics_model_segment(ics_engine_model(r->engine), 5)->id, 5);
	assert_null(ics_model_segment(ics_engine_model(r->engine), ICS_SEGMENTS_MAX));
	rig_free(r);
}

static struct ics_ip
ip(const char *text)
{
	struct ics_ip a;

	assert_int_equal(ics_ip_parse(text, &a), 0);
	return a;
}

static struct ics_mac
mac(const char *text)
{
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(text, &m), 0);
	return m;
}

static void
hosts_and_bindings(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_ip h = ip("fe80::10"), router = ip("fe80::1");
	struct ics_mac h_mac = mac("00:00:5e:00:53:10"), r_mac = mac(MAC_R), x_mac = mac(MAC_X);
	const struct ics_binding *b;
	struct packet p;

	feed_base(r, BASE_dad, T0);
	b = ics_model_binding_find(m, 0, &h);
	assert_non_null(b);
	assert_true(b->flags & ICS_BINDING_TENTATIVE);
	assert_int_equal(b->dad_at, ICS_COARSE(T0));
	feed_base(r, BASE_rs, T0 + S);
	assert_false(b->flags & ICS_BINDING_TENTATIVE);
	feed_base(r, BASE_ns, T0 + 2 * S);
	assert_int_equal(b->first_ns, T0);
	assert_int_equal(b->last_ns, T0 + 2 * S);
	assert_memory_equal(&b->mac, &h_mac, 6);
	assert_int_equal(ics_model_host_find(m, 0, &h_mac)->last_rs_ns, T0 + S);
	assert_int_equal(ics_model_host_find(m, 0, &h_mac)->n_bindings, 1);

	feed_base(r, BASE_na, T0 + 3 * S);
	b = ics_model_binding_find(m, 0, &router);
	assert_true(b->flags & ICS_BINDING_ROUTER);
	assert_true(ics_model_host_find(m, 0, &r_mac)->flags & ICS_HOST_ROUTER_HINT);
	assert_int_equal(ics_model_segment(m, 0)->hosts, 2);
	assert_int_equal(ics_model_segment(m, 0)->router_hosts, 1);
	feed_base(r, BASE_ra, T0 + 4 * S);
	assert_int_equal(ics_model_segment(m, 0)->router_hosts, 1);

	/* RFC 4861 7.2.5: without override a foreign address does not replace what is there. */
	p = base_packet(BASE_na);
	set8(&p, 4, 0x40);
	set_addr(&p, 8, "fe80::10");
	set_smac(&p, MAC_X);
	set_hex(&p, 26, "00005e005366");
	feed(r, &p, T0 + 5 * S);
	b = ics_model_binding_find(m, 0, &h);
	assert_memory_equal(&b->mac, &h_mac, 6);
	set8(&p, 4, 0x60);
	feed(r, &p, T0 + 6 * S);
	assert_memory_equal(&b->mac, &x_mac, 6);
	assert_int_equal(ics_model_host_find(m, 0, &h_mac)->n_bindings, 0);
	assert_int_equal(ics_model_host_find(m, 0, &x_mac)->n_bindings, 1);

	/* What a conforming receiver discards teaches nothing. */
	p = base_packet(BASE_ns);
	set_src(&p, "fe80::99");
	set_ip8(&p, 7, 64);
	feed(r, &p, T0 + 7 * S);
	assert_int_equal(ics_model_binding_count(m), 2);
	assert_int_equal(ics_model_host_count(m), 3);
	rig_free(r);
}

static void
binding_quota_of_a_mac(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_model *m = ics_engine_model(r->engine);
	struct ics_mac x = mac(MAC_X);
	struct ics_ip first = ip("2001:db8:1::1:0"), second = ip("2001:db8:1::1:1"), last = ip("2001:db8:1::1:1000");
	struct ics_ip host = ip("fe80::10");
	struct ics_model_stats st;
	struct packet p = base_packet(BASE_ns);

	feed_base(r, BASE_ns, T0);
	set_smac(&p, MAC_X);
	for (unsigned i = 0; i <= ICS_BINDINGS_PER_MAC; i++) {
		char addr[ICS_IP_STRLEN];

		snprintf(addr, sizeof(addr), "2001:db8:1::1:%x", i);
		set_src(&p, addr);
		feed(r, &p, T0 + S + i * 1000);
	}
	ics_model_stats(m, &st);
	assert_int_equal(st.bindings, ICS_BINDINGS_PER_MAC + 1);
	assert_int_equal(st.binding_evictions, 1);
	assert_int_equal(ics_model_host_find(m, 0, &x)->n_bindings, ICS_BINDINGS_PER_MAC);
	assert_null(ics_model_binding_find(m, 0, &first));
	assert_non_null(ics_model_binding_find(m, 0, &second));
	assert_non_null(ics_model_binding_find(m, 0, &last));
	assert_non_null(ics_model_binding_find(m, 0, &host));
	assert_int_equal(ics_model_segment(m, 0)->bindings, ICS_BINDINGS_PER_MAC + 1);
	rig_free(r);
}

/* A record as the fast half makes it, without the cost of making it: an NS of host i for its address j. */
static void
feed_ns(struct ics_engine *e, const struct packet *base, uint32_t host, uint32_t addr, uint64_t ts)
{
	uint8_t b[86];
	struct ics_record rec = {
		.ts_ns = ts,
		.frame_hash = ics_hash_mix(host, addr),
		.vlan_outer = ICS_VLAN_NONE,
		.vlan_inner = ICS_VLAN_NONE,
		.wire_len = 86,
		.cap_len = 86,
		.l3_off = 14,
		.l4_off = 54,
		.ilen = 32,
		.class = ICS_CLASS_nd_ns,
		.flags = ICS_REC_STRICT,
	};

	memcpy(b, base->b, sizeof(b));
	memcpy(b + 8, &host, 4);
	memcpy(b + 80 + 2, &host, 4);
	memcpy(b + 30, &addr, 4);
	memcpy(b + 34, &host, 4);
	ics_engine_feed(e, &rec, (struct ics_view){b, sizeof(b)}, 0);
}

/* Octets of memory that this process really has. */
static size_t
resident(void)
{
	unsigned long total, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &total, &pages), 2);
	fclose(f);
	return pages * 4096;
}

static void
caps_of_hosts_and_bindings(void **state)
{
	struct ics_config conf;
	struct ics_model_stats st;
	struct packet base = base_packet(BASE_ns);
	uint64_t ts = T0;
	size_t before = resident(), empty, full;

	ics_config_init(&conf);
	struct ics_engine *e = ics_engine_new(&conf, 1);
	assert_non_null(e);
	empty = resident() - before;
	for (uint32_t a = 0; a < 10; a++)
		for (uint32_t h = 0; h < 110000; h++)
			feed_ns(e, &base, h, a, ts += 1000);
	full = resident() - before;
	ics_model_stats(ics_engine_model(e), &st);
	assert_int_equal(st.hosts, 110000);
	assert_int_equal(st.bindings, ICS_BINDINGS_MAX);
	assert_int_equal(st.binding_evictions, 1100000 - ICS_BINDINGS_MAX);
	assert_int_equal(st.host_evictions, 0);
	for (uint32_t h = 110000; h < 140000; h++)
		feed_ns(e, &base, h, 0, ts += 1000);
	ics_model_stats(ics_engine_model(e), &st);
	assert_int_equal(st.hosts, ICS_HOSTS_MAX);
	assert_int_equal(st.host_evictions, 140000 - ICS_HOSTS_MAX);
	assert_int_equal(ics_model_segment(ics_engine_model(e), 0)->hosts, ICS_HOSTS_MAX);
	assert_int_equal(ics_model_segment(ics_engine_model(e), 0)->bindings, ICS_BINDINGS_MAX);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(empty < 2u << 20);
	assert_true(full - empty < (97u + 24) << 20); /* bindings, and 110,000 hosts */
#else
	(void)empty;
	(void)full;
#endif
	ics_engine_free(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_finds_what_was_put_in),
		cmocka_unit_test(table_tells_keys_apart),
		cmocka_unit_test(table_lets_the_least_recently_used_go),
		cmocka_unit_test(table_looks_at_every_entry),
		cmocka_unit_test(table_refuses_bad_shapes),
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(timers_are_like_a_list),
		cmocka_unit_test(router_states),
		cmocka_unit_test(router_learns_four_macs),
		cmocka_unit_test(router_quota_of_a_segment),
		cmocka_unit_test(segments_are_capped),
		cmocka_unit_test(hosts_and_bindings),
		cmocka_unit_test(binding_quota_of_a_mac),
		cmocka_unit_test(caps_of_hosts_and_bindings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
