/* sys_event_loss: what full rings cost is told, in numbers that add up, and does not hide the gateway that goes. */
#include "test_querier.h"

#include <errno.h>

#define LOSS "sys_event_loss"

static struct ics_loss
loss_of(unsigned worker, uint64_t messages, uint64_t urgent, uint64_t bulk, enum ics_class class)
{
	struct ics_loss l = {
		.worker = worker,
		.port = (uint8_t)worker,
		.messages = messages,
		.lost = {[ICS_DROP_URGENT_FULL] = urgent, [ICS_DROP_BULK_FULL] = bulk},
	};

	l.lost_class[class] = urgent + bulk;
	return l;
}

static void
started(struct rig *r)
{
	struct packet p = base_packet(BASE_ns);

	feed(r, &p, T0);
}

static void
degraded_and_clear(void **state)
{
	struct ics_loss first = loss_of(0, 10000, 0, 100, ICS_CLASS_nd_ns),
			more = loss_of(1, 50000, 0, 7, ICS_CLASS_nd_na);
	struct rig *r = rig_watching(LOSS, NULL);
	const struct ics_anomaly *a;

	started(r);
	ics_engine_note_loss(r->engine, &first);
	a = the_anomaly(r);
	assert_finding(a, LOSS, "degraded", "warn");
	assert_non_null(strstr(a->says, "Inspector overloaded: 100 messages summarised, exact counters kept."));
	assert_int_equal(a->count, 100);
	ics_engine_tick(r->engine, T0 + 2 * S);
	ics_engine_note_loss(r->engine, &more);
	ics_engine_note_loss(r->engine, &more);
	a = the_anomaly(r);
	assert_int_equal(fact_value(a, "lost"), 114);
	assert_int_equal(fact_value(a, "nd_ns"), 100);
	assert_int_equal(fact_value(a, "nd_na"), 14);
	assert_int_equal(fact_value(a, "peak_permille"), 10);
	assert_string_equal(fact_text(a, "worker_a"), "worker 0, port 0: 0 urgent, 100 bulk of 10000");
	assert_string_equal(fact_text(a, "worker_b"), "worker 1, port 1: 0 urgent, 14 bulk of 100000");
	/* A minute without. */
	ics_engine_tick(r->engine, T0 + 61 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_OPEN);
	ics_engine_tick(r->engine, T0 + 62 * S);
	assert_int_equal(the_anomaly(r)->state, ICS_ANOMALY_CLEARED);
	rig_free(r);
}

static void
critical_losses(void **state)
{
	struct ics_loss share = loss_of(0, 10000, 0, 101, ICS_CLASS_nd_ns),
			urgent = loss_of(0, 10000, 1, 0, ICS_CLASS_nd_ra);
	struct ics_loss none = loss_of(0, 10000, 0, 0, ICS_CLASS_nd_ra);
	struct rig *r = rig_watching(LOSS, NULL);

	started(r);
	ics_engine_note_loss(r->engine, &none);
	assert_int_equal(count_anomalies(r), 0);
	ics_engine_note_loss(r->engine, &share);
	assert_finding(the_anomaly(r), LOSS, "degraded", "critical");
	rig_free(r);

	r = rig_watching(LOSS, NULL);
	started(r);
	ics_engine_note_loss(r->engine, &urgent);
	assert_finding(the_anomaly(r), LOSS, "degraded", "critical");
	assert_non_null(strstr(the_anomaly(r)->says, "1 of them were about routers"));
	rig_free(r);
}

/* The capture's clock goes back an hour: what lasts does not end before it began. */
static void
clock_goes_back(void **state)
{
	struct ics_loss loss = loss_of(0, 10000, 0, 100, ICS_CLASS_nd_ns);
	struct rig *r = rig_watching(LOSS, NULL);
	struct packet p = base_packet(BASE_ns);

	feed(r, &p, T0);
	ics_engine_note_loss(r->engine, &loss);
	feed(r, &p, T0 - 3600 * S);
	ics_engine_note_loss(r->engine, &loss);
	assert_int_equal(the_anomaly(r)->count, 200);
	assert_int_equal(the_anomaly(r)->first_ns, T0);
	assert_int_equal(the_anomaly(r)->last_ns, T0);
	rig_free(r);
}

/* Many workers: all in the sums, the first eight by name. */
static void
many_workers(void **state)
{
	struct rig *r = rig_watching(LOSS, NULL);

	started(r);
	for (unsigned i = 0; i < 100; i++) {
		struct ics_loss l = loss_of(i, 10000, 0, 1, ICS_CLASS_nd_ns);

		ics_engine_note_loss(r->engine, &l);
	}
	assert_int_equal(fact_value(the_anomaly(r), "lost"), 100);
	assert_non_null(ics_fact_find(the_anomaly(r), "worker_h"));
	rig_free(r);
}

/* A sink whose bulk ring takes so many records and no more. */
struct ring {
	struct rig *rig;
	unsigned room;
};

static int
push_into_ring(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct ring *ring = ctx;

	if (lane == ICS_LANE_BULK && ring->room == 0)
		return -ENOSPC;
	ring->room -= lane == ICS_LANE_BULK;
	return rig_push(ring->rig, lane, rec, frame);
}

static void
full_ring(void **state)
{
	struct packet ns = base_packet(BASE_ns);
	struct rig *r = rig_new("detect.learn_s=0 detect.gateways=fe80::1");
	struct ring ring = {r, 500};
	struct ics_loss loss = {0};
	uint64_t sum = 0;

	r->in.sink = (struct ics_sink){push_into_ring, &ring};
	for (unsigned i = 0; i < 3000; i++) {
		set32(&ns, 20, i);
		feed(r, &ns, T0 + i * MS / 10);
	}
	/* Nothing is missing from the counters. */
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++) {
		sum += ics_count_get(&r->counters->class[i]);
		loss.lost_class[i] = ics_count_get(&r->counters->dropped_class[i]);
	}
	assert_int_equal(sum, 3000);
	assert_int_equal(ics_count_get(&r->counters->control), 3000);
	assert_int_equal(ics_count_get(&r->counters->delivered), 500);
	loss.messages = ics_count_get(&r->counters->control);
	loss.lost[ICS_DROP_BULK_FULL] = ics_count_get(&r->counters->dropped[ICS_DROP_BULK_FULL]);
	ics_engine_note_loss(r->engine, &loss);
	r->watched = LOSS;
	assert_finding(the_anomaly(r), LOSS, "degraded", "critical");
	assert_int_equal(fact_value(the_anomaly(r), "nd_ns"), 2500);
	/* The gateway goes all the same, by a way of its own. */
	feed_base(r, BASE_inc_ra, T0 + S);
	r->watched = "router_lifetime_zero";
	assert_non_null(nth_anomaly(r, 1));
	assert_null(ics_fact_find(nth_anomaly(r, 1), "lossy"));
	rig_free(r);
}

/* Who needs every message says when some of its kind were lost. */
static void
lossy_findings(void **state)
{
	struct ics_loss ra = loss_of(0, 10000, 0, 1, ICS_CLASS_nd_ra),
			query = loss_of(0, 10000, 0, 1, ICS_CLASS_mld_query);
	struct packet zero = query_of(2, Q5, MAC_Q5, 0, QQIC_125, 2), q1 = query2(Q1, MAC_Q1), q5 = query2(Q5, MAC_Q5);
	struct rig *r = rig_new("detect.learn_s=0");

	started(r);
	ics_engine_note_loss(r->engine, &ra);
	ics_engine_note_loss(r->engine, &query);
	feed_base(r, BASE_inc_ra, T0 + 10 * S);
	r->watched = "router_lifetime_zero";
	assert_int_equal(fact_value(the_anomaly(r), "lossy"), 1);
	/* Not who counts; and not for ever. */
	feed(r, &zero, T0 + 20 * S);
	r->watched = "mld_query_anomaly";
	assert_null(ics_fact_find(the_anomaly(r), "lossy"));
	feed(r, &q5, T0 + 55 * S);
	feed(r, &q1, T0 + 61 * S);
	r->watched = "mld_querier_change";
	assert_null(ics_fact_find(the_anomaly(r), "lossy"));
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(degraded_and_clear), cmocka_unit_test(critical_losses),
		cmocka_unit_test(clock_goes_back),    cmocka_unit_test(many_workers),
		cmocka_unit_test(full_ring),          cmocka_unit_test(lossy_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
