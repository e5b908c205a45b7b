/* What outlives a restart: it comes back whole, it opens no blind window, and no file can do harm. */
#include "ics_state.h"
#include "test_slow.h"

#include "state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/icmpscope-state-XXXXXX";
static char path[64], bad[80], tmp[80];

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/state", dir);
	snprintf(bad, sizeof(bad), "%s.bad", path);
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(bad);
	rmdir(tmp);
	unlink(tmp);
	return rmdir(dir);
}

static int
clean(void **state)
{
	(void)state;
	unlink(path);
	unlink(bad);
	return 0;
}

static void
save(struct rig *r, unsigned places)
{
	struct ics_state_snapshot *s = ics_state_snapshot_new();

	assert_non_null(s);
	while (!ics_state_snapshot_step(s, r->engine, places))
		;
	assert_int_equal(ics_state_write(s, path), 0);
	ics_state_snapshot_free(s);
}

static struct ics_state_restored
restore(struct rig *r, uint64_t now_ns)
{
	struct ics_state_restored back;
	char err[ICS_STATE_ERR_LEN] = "";

	assert_int_equal(ics_state_restore(r->engine, path, now_ns, &back, err), 0);
	assert_string_equal(err, "");
	return back;
}

static size_t
slurp(uint8_t **data)
{
	FILE *f = fopen(path, "rb");
	long len;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	*data = malloc((size_t)len);
	assert_int_equal(fread(*data, 1, (size_t)len, f), len);
	fclose(f);
	return (size_t)len;
}

static void
spill(const uint8_t *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

/* A rig that has learned the router for 600 s, its state on file. */
static void
save_learned(void)
{
	struct rig *r = rig_new(NULL);
	struct packet p;

	learn(r);
	p = base_packet(BASE_dad);
	feed(r, &p, T0 + 601 * S);
	save(r, 4096);
	rig_free(r);
}

static const struct ics_router *
the_router(struct rig *r)
{
	const struct ics_router *x = ics_model_router_next(ics_engine_model(r->engine), 0);

	assert_non_null(x);
	assert_null(ics_model_router_next(ics_engine_model(r->engine), x->id + 1));
	return x;
}

static void
test_router_comes_back_as_it_was(void **state)
{
	struct rig *a = rig_new(NULL), *b = rig_new(NULL);
	const struct ics_router *x, *y;
	const struct ics_segment *seg;
	struct ics_state_restored back;
	const struct ics_prefix *p, *q;
	struct ics_model *ma, *mb;

	(void)state;
	learn(a);
	save(a, 4096);
	back = restore(b, T0 + 620 * S);
	assert_true(back.found);
	assert_int_equal(back.saved_ns, T0 + 600 * S);
	assert_int_equal(back.taken[ICS_WARM_ROUTER], 1);
	assert_int_equal(back.taken[ICS_WARM_SEGMENT], 1);
	x = the_router(a);
	y = the_router(b);
	assert_memory_equal(&x->addr, &y->addr, sizeof(x->addr));
	assert_memory_equal(x->mac, y->mac, sizeof(x->mac));
	assert_int_equal(y->n_macs, x->n_macs);
	assert_int_equal(y->state, ICS_ROUTER_DEFAULT);
	assert_int_equal(y->expires_ns, x->expires_ns);
	assert_int_equal(y->interval_ewma_ns, 200 * S);
	assert_int_equal(y->n_intervals, x->n_intervals);
	assert_int_equal(y->ra_count, x->ra_count);
	assert_int_equal(y->flags, x->flags);
	assert_int_equal(y->cur_hop_limit, x->cur_hop_limit);

	ma = ics_engine_model(a->engine);
	mb = ics_engine_model(b->engine);
	seg = ics_model_segment(mb, 0);
	assert_int_equal(seg->default_routers, 1);
	assert_int_equal(seg->routers, 1);
	assert_int_equal(seg->router_hosts, 1);
	assert_int_equal(seg->first_ns, T0);
	assert_false(ics_model_is_learning(mb, seg));
	assert_int_equal(seg->routes_created, ics_model_segment(ma, 0)->routes_created);
	assert_int_equal(ics_model_routelog(mb, 0)->total, ics_model_routelog(ma, 0)->total);
	assert_int_equal(ics_model_prefix_count(mb), ics_model_prefix_count(ma));
	assert_true(ics_model_prefix_count(mb) > 0);
	p = ics_model_segment_prefix(ma, 0, NULL);
	q = ics_model_segment_prefix(mb, 0, NULL);
	assert_memory_equal(&p->value, &q->value, sizeof(p->value));
	assert_int_equal(p->valid_until_ns, q->valid_until_ns);
	assert_int_equal(p->count, q->count);
	assert_non_null(ics_model_binding_find(mb, 0, &y->addr));
	/* The same RA again makes no route, no router and no finding. */
	feed_base(b, BASE_ra, T0 + 800 * S);
	assert_int_equal(count_anomalies(b), 0);
	assert_int_equal(ics_model_segment(mb, 0)->routes_created, ics_model_segment(ma, 0)->routes_created);
	assert_int_equal(the_router(b)->ra_count, x->ra_count + 1);
	rig_free(a);
	rig_free(b);
}

static void
test_no_blind_window(void **state)
{
	struct packet rogue = ra_from("fe80::66", MAC_X, 1800, 0);
	struct rig *r = rig_new(NULL);

	(void)state;
	save_learned();
	restore(r, T0 + 620 * S);
	r->watched = "router_new";
	feed(r, &rogue, T0 + 621 * S);
	assert_string_equal(the_anomaly(r)->detector, "router_new");
	rig_free(r);

	/* Without the file it is learned in silence. */
	r = rig_new(NULL);
	r->watched = "router_new";
	feed(r, &rogue, T0 + 621 * S);
	assert_int_equal(count_anomalies(r), 0);
	rig_free(r);
}

static void
test_retraction_as_first_packet(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	save_learned();
	restore(r, T0 + 620 * S);
	r->watched = "router_lifetime_zero";
	feed_base(r, BASE_inc_ra, T0 + 621 * S);
	assert_finding(the_anomaly(r), "router_lifetime_zero", "graceful", "critical");
	assert_string_equal(fact_text(the_anomaly(r), "event"), "gateway_retracted");
	assert_int_equal(fact_value(the_anomaly(r), "lifetime_before_s"), 1800);
	rig_free(r);
}

/* The router died while nobody listened: hosts lose it, and that is said. */
static void
test_router_that_stays_silent(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	save_learned();
	restore(r, T0 + 620 * S);
	r->watched = "router_expiring";
	ics_engine_tick(r->engine, T0 + 700 * S);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_tick(r->engine, T0 + (620 + 1800) * S);
	assert_finding(the_anomaly(r), "router_expiring", "router_expired", "critical");
	rig_free(r);
}

static void
test_what_is_too_old(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_state_restored back;
	struct ics_model *m;

	(void)state;
	save_learned();
	/* Beyond its lifetime the router is known, but no default router. */
	restore(r, T0 + 600 * S + 1801 * S);
	m = ics_engine_model(r->engine);
	assert_int_equal(the_router(r)->state, ICS_ROUTER_EXPIRED);
	assert_int_equal(ics_model_segment(m, 0)->default_routers, 0);
	assert_false(ics_model_is_learning(m, ics_model_segment(m, 0)));
	rig_free(r);

	r = rig_new(NULL);
	back = restore(r, T0 + 8 * 86400 * S);
	assert_int_equal(back.taken[ICS_WARM_SEGMENT], 0);
	assert_int_equal(back.left[ICS_WARM_SEGMENT], 1);
	assert_int_equal(back.left[ICS_WARM_ROUTER], 1);
	assert_null(ics_model_router_next(ics_engine_model(r->engine), 0));
	rig_free(r);
}

/* The clock was set back by a day: the file counts as saved now. */
static void
test_clock_set_back(void **state)
{
	uint64_t now = T0 - 86400 * S;
	struct rig *r = rig_new(NULL);

	(void)state;
	save_learned();
	ics_engine_set_steady(r->engine);
	restore(r, now);
	assert_int_equal(the_router(r)->state, ICS_ROUTER_DEFAULT);
	/* Saved 1 s after the RA. */
	assert_int_equal(the_router(r)->expires_ns, now - 1 * S + 1800 * S);
	r->watched = "router_lifetime_zero";
	feed_base(r, BASE_inc_ra, now + 1 * S);
	assert_finding(the_anomaly(r), "router_lifetime_zero", "graceful", "critical");
	rig_free(r);
}

/* Time of the capture is not known at the start: the file's is taken, and captures go on from there. */
static void
test_time_unknown(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	save_learned();
	restore(r, 0);
	r->watched = "router_lifetime_zero";
	feed_base(r, BASE_inc_ra, T0);
	assert_finding(the_anomaly(r), "router_lifetime_zero", "graceful", "critical");
	rig_free(r);
}

static void
test_slices_give_the_same(void **state)
{
	struct rig *r = rig_new(NULL);
	uint8_t *one, *many;
	size_t len;

	(void)state;
	learn(r);
	for (unsigned i = 2; i < 9; i++) {
		char addr[32], mac[32];
		struct packet p;

		snprintf(addr, sizeof(addr), "fe80::%u", i);
		snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02u", 10 + i);
		p = ra_from(addr, mac, 1800, 0);
		feed(r, &p, T0 + 600 * S + i * S);
	}
	save(r, 1u << 20);
	len = slurp(&one);
	save(r, 1);
	assert_int_equal(slurp(&many), len);
	assert_memory_equal(one, many, len);
	free(one);
	free(many);
	rig_free(r);
}

static void
test_full_tables_fit(void **state)
{
	static const uint64_t max[ICS_WARM_KINDS] = {
		[ICS_WARM_MODEL] = 1,
		[ICS_WARM_SEGMENT] = ICS_SEGMENTS_MAX,
		[ICS_WARM_ROUTER] = ICS_ROUTERS_MAX,
		[ICS_WARM_ADVERTISER] = ICS_ADVERTISERS_MAX,
		[ICS_WARM_PREFIX] = ICS_PREFIXES_MAX,
		[ICS_WARM_ROUTE] = ICS_ROUTES_MAX,
		[ICS_WARM_HOST] = ICS_HOSTS_MAX,
		[ICS_WARM_BINDING] = ICS_WARM_BINDINGS_MAX,
	};
	uint64_t sum = HEADER_LEN;

	(void)state;
	for (unsigned k = 0; k < ICS_WARM_KINDS; k++) {
		assert_true(max[k] > 0);
		sum += SECTION_LEN + max[k] * state_entry_len(k);
	}
	assert_true(sum <= ICS_STATE_BYTES_MAX);
}

/* ---- files that are not to be trusted ---- */

/* Refused with a line, set aside, and the engine has nothing of it. */
static void
assert_refused(const char *what)
{
	struct rig *r = rig_new(NULL);
	char err[ICS_STATE_ERR_LEN] = "";
	struct ics_state_restored back;

	assert_int_equal(ics_state_restore(r->engine, path, T0 + 620 * S, &back, err), -EINVAL);
	assert_non_null(strstr(err, what));
	assert_non_null(strstr(err, path));
	assert_null(strchr(err, '\n'));
	assert_false(back.found);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(bad, F_OK), 0);
	assert_int_equal(ics_model_segment_count(ics_engine_model(r->engine)), 0);
	assert_null(ics_model_router_next(ics_engine_model(r->engine), 0));
	rig_free(r);
	unlink(bad);
}

static void
test_no_file(void **state)
{
	struct rig *r = rig_new(NULL);

	(void)state;
	assert_false(restore(r, T0).found);
	rig_free(r);
}

static void
test_files_of_others(void **state)
{
	uint8_t zeros[4096] = {0};

	(void)state;
	spill(zeros, 0);
	assert_refused("too short");
	spill(zeros, 63);
	assert_refused("too short");
	spill(zeros, sizeof(zeros));
	assert_refused("no state file of icmpscope");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused("no regular file");
	/* Sparse, and longer than any. */
	spill(zeros, 1);
	assert_int_equal(truncate(path, (off_t)ICS_STATE_BYTES_MAX + 1), 0);
	assert_refused("longer");
}

static void
test_any_octet_changed(void **state)
{
	uint8_t *data;
	size_t len;

	(void)state;
	save_learned();
	len = slurp(&data);
	/* All of the header, then every 61st octet. */
	for (size_t i = 0; i < len; i += i < HEADER_LEN + SECTION_LEN ? 1 : 61) {
		data[i] ^= 0x10;
		spill(data, len);
		assert_refused(i < 8 ? "no state file" : "damaged");
		data[i] ^= 0x10;
	}
	free(data);
}

static void
test_truncated(void **state)
{
	uint8_t *data;
	size_t len;

	(void)state;
	save_learned();
	len = slurp(&data);
	for (size_t n = HEADER_LEN; n < len; n += 97) {
		spill(data, n);
		assert_refused("not whole");
	}
	free(data);
}

static void
seal(uint8_t *data, size_t len)
{
	put_le(data + 32, len - HEADER_LEN, 8);
	put_le(data + 40, ics_hash(data + HEADER_LEN, len - HEADER_LEN, STATE_SUM_SEED), 8);
	put_le(data + 56, ics_hash(data, 56, STATE_SUM_SEED), 8);
}

static void
test_another_version(void **state)
{
	uint8_t *data;
	size_t len;

	(void)state;
	save_learned();
	len = slurp(&data);
	put_le(data + 8, STATE_VERSION + 1, 4);
	seal(data, len);
	spill(data, len);
	assert_refused("another version");
	put_le(data + 8, STATE_VERSION, 4);
	data[16] ^= 1;
	seal(data, len);
	spill(data, len);
	assert_refused("another version");
	free(data);
}

/* Sums that are right prove nothing: whatever the numbers are, the file is refused or what it says is harmless. */
static void
test_hostile_numbers(void **state)
{
	static const uint64_t values[] = {0, 1, 0x7f, 0xff, 0xffff, 0xffffffff, UINT64_MAX, 1ull << 63};
	unsigned refused = 0, taken = 0;
	uint8_t *data, *copy;
	struct ics_state_snapshot *s = ics_state_snapshot_new();
	uint64_t seed = 1;
	size_t len;

	(void)state;
	save_learned();
	len = slurp(&data);
	copy = malloc(len);
	assert_non_null(copy);
	for (unsigned round = 0; round < 1200; round++) {
		struct rig *r;
		struct ics_state_restored back;
		char err[ICS_STATE_ERR_LEN];
		int rc;

		memcpy(copy, data, len);
		for (unsigned n = 0; n <= round % 3; n++) {
			size_t at;
			unsigned width;

			seed = ics_hash_mix(seed, round + 7);
			at = HEADER_LEN + seed % (len - HEADER_LEN - 8);
			width = 1u << (seed >> 32) % 4;
			put_le(copy + at, values[(seed >> 40) % ICS_ARRAY_LEN(values)], width);
		}
		/* The time too. */
		if (round % 50 == 0)
			put_le(copy + 24, values[round / 50 % ICS_ARRAY_LEN(values)], 8);
		seal(copy, len);
		spill(copy, len);
		r = rig_new(NULL);
		rc = ics_state_restore(r->engine, path, T0 + 620 * S, &back, err);
		if (rc == 0) {
			taken++;
			feed_base(r, BASE_ra, T0 + 621 * S);
			feed_base(r, BASE_inc_na, T0 + 622 * S);
			feed_base(r, BASE_inc_ra, T0 + 623 * S);
			ics_engine_tick(r->engine, T0 + 90000 * S);
			ics_state_snapshot_begin(s);
			while (!ics_state_snapshot_step(s, r->engine, 100))
				;
			assert_true(count_anomalies(r) > 0);
		} else {
			assert_int_equal(rc, -EINVAL);
			refused++;
		}
		rig_free(r);
	}
	assert_true(refused > 100);
	assert_true(taken > 100);
	ics_state_snapshot_free(s);
	free(copy);
	free(data);
}

/* One section said twice, entries without their segment, the same router again. */
static void
test_relations(void **state)
{
	struct rig *r = rig_new(NULL);
	struct ics_state_restored back;
	uint8_t *data, *copy, *at;
	size_t len;

	(void)state;
	save_learned();
	len = slurp(&data);
	copy = malloc(2 * len);
	assert_non_null(copy);
	memcpy(copy, data, len);
	memcpy(copy + len, data + HEADER_LEN, len - HEADER_LEN);
	seal(copy, 2 * len - HEADER_LEN);
	spill(copy, 2 * len - HEADER_LEN);
	assert_refused("section is unknown");

	/* The segment gets another number: nothing belongs to it any more. */
	memcpy(copy, data, len);
	at = copy + HEADER_LEN + SECTION_LEN + state_entry_len(ICS_WARM_MODEL);
	assert_int_equal(get_le(at, 4), ICS_WARM_SEGMENT);
	put_le(at + SECTION_LEN, 77, 4);
	seal(copy, len);
	spill(copy, len);
	back = restore(r, T0 + 620 * S);
	assert_int_equal(back.taken[ICS_WARM_SEGMENT], 1);
	assert_int_equal(back.left[ICS_WARM_ROUTER], 1);
	assert_int_equal(back.taken[ICS_WARM_ROUTER], 0);
	assert_int_equal(back.taken[ICS_WARM_PREFIX], 0);
	rig_free(r);

	/* A count beyond the end. */
	memcpy(copy, data, len);
	put_le(copy + HEADER_LEN + 8, UINT32_MAX, 4);
	seal(copy, len);
	spill(copy, len);
	assert_refused("section is cut");
	free(copy);
	free(data);
}

/* The new file cannot be written: the old one stays as it is. */
static void
test_failed_write_leaves_the_old(void **state)
{
	struct ics_state_snapshot *s = ics_state_snapshot_new();
	struct rig *r = rig_new(NULL);
	uint8_t *before, *after;
	size_t len;

	(void)state;
	save_learned();
	len = slurp(&before);
	assert_int_equal(mkdir(tmp, 0700), 0);
	while (!ics_state_snapshot_step(s, r->engine, 64))
		;
	assert_int_equal(ics_state_write(s, path), -EISDIR);
	rmdir(tmp);
	assert_int_equal(slurp(&after), len);
	assert_memory_equal(before, after, len);
	assert_int_equal(ics_state_write(s, "/nowhere/at/all"), -ENOENT);
	free(before);
	free(after);
	ics_state_snapshot_free(s);
	rig_free(r);
}

/* Killed at any moment, again and again: there is always a whole file. */
static void
test_killed_while_saving(void **state)
{
	(void)state;
	save_learned();
	for (unsigned round = 0; round < 30; round++) {
		struct ics_state_restored back;
		struct rig *r;
		int ready[2];
		char c;
		pid_t pid;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct ics_state_snapshot *s = ics_state_snapshot_new();

			r = rig_new(NULL);
			learn(r);
			for (uint64_t n = 0;; n++) {
				ics_engine_tick(r->engine, T0 + 700 * S + n * S);
				ics_state_snapshot_begin(s);
				while (!ics_state_snapshot_step(s, r->engine, 64))
					;
				if (ics_state_write(s, path) != 0 || (n == 0 && write(ready[1], "", 1) != 1))
					_exit(1);
			}
		}
		close(ready[1]);
		assert_int_equal(read(ready[0], &c, 1), 1);
		close(ready[0]);
		usleep(137 * round);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		r = rig_new(NULL);
		back = restore(r, 0);
		assert_int_equal(back.taken[ICS_WARM_ROUTER], 1);
		assert_true(back.saved_ns >= T0 + 700 * S);
		rig_free(r);
	}
}

static void
test_only_its_owner_reads_it(void **state)
{
	struct stat st;

	(void)state;
	save_learned();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_router_comes_back_as_it_was, clean),
		cmocka_unit_test_teardown(test_no_blind_window, clean),
		cmocka_unit_test_teardown(test_retraction_as_first_packet, clean),
		cmocka_unit_test_teardown(test_router_that_stays_silent, clean),
		cmocka_unit_test_teardown(test_what_is_too_old, clean),
		cmocka_unit_test_teardown(test_clock_set_back, clean),
		cmocka_unit_test_teardown(test_time_unknown, clean),
		cmocka_unit_test_teardown(test_slices_give_the_same, clean),
		cmocka_unit_test_teardown(test_full_tables_fit, clean),
		cmocka_unit_test_teardown(test_no_file, clean),
		cmocka_unit_test_teardown(test_files_of_others, clean),
		cmocka_unit_test_teardown(test_any_octet_changed, clean),
		cmocka_unit_test_teardown(test_truncated, clean),
		cmocka_unit_test_teardown(test_another_version, clean),
		cmocka_unit_test_teardown(test_hostile_numbers, clean),
		cmocka_unit_test_teardown(test_relations, clean),
		cmocka_unit_test_teardown(test_failed_write_leaves_the_old, clean),
		cmocka_unit_test_teardown(test_killed_while_saving, clean),
		cmocka_unit_test_teardown(test_only_its_owner_reads_it, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
