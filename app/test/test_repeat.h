/* Shared by the tests of repetition: stations that say the same thing again and again. With a fold every case takes the
 * way of a live capture, workers and all; without, that of the reader: verdicts must be the same.
 */
#ifndef ICS_TEST_REPEAT_H
#define ICS_TEST_REPEAT_H

#include "test_nb.h"

static inline struct rig *
repeat_rig(const char *settings, bool folded)
{
	struct rig *r = rig_new(settings);

	r->watched = "mld_report_storm l2_loop l2_mac_move tap_duplicate_feed nd_flood nd_scan dad_conflict dad_denial "
		     "ra_flood nb_spoof nb_flip_flop nb_lla_mismatch";
	if (folded) {
		r->in.fold = ics_fold_init(NULL);
		assert_non_null(r->in.fold);
	}
	return r;
}

static inline void
repeat_free(struct rig *r)
{
	ics_fold_free(r->in.fold);
	rig_free(r);
}

/* A worker sweeps its repeat cache when it is idle, and the clock of the control core ticks. */
static inline void
pass(struct rig *r, uint64_t ts_ns)
{
	ics_inspect_idle(&r->in, ts_ns);
	ics_engine_tick(r->engine, ts_ns);
}

/* A report of station n for a group of its own. */
static inline struct packet
report_of(unsigned n, unsigned group)
{
	struct packet p = base_packet(BASE_report2);
	char mac[ICS_MAC_STRLEN], addr[40];

	snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", n);
	snprintf(addr, sizeof(addr), "fe80::%x", n);
	set_smac(&p, mac);
	set_src(&p, addr);
	snprintf(addr, sizeof(addr), "ff02::1:ff00:%x", group);
	set_addr(&p, 12, addr);
	return p;
}

static inline struct packet
ns_by(unsigned n, unsigned target)
{
	char mac[ICS_MAC_STRLEN], addr[40], to[40];

	snprintf(mac, sizeof(mac), "00:00:5e:00:53:%02x", n);
	snprintf(addr, sizeof(addr), "fe80::%x", n);
	snprintf(to, sizeof(to), "fe80::1:%x", target);
	return ns_of(mac, addr, to, NULL);
}

/* copies of p, gap_ns apart, with the fold swept in between; returns the time behind the last. */
static inline uint64_t
repeat(struct rig *r, const struct packet *p, unsigned copies, uint64_t gap_ns, uint64_t ts)
{
	for (unsigned i = 0; i < copies; i++) {
		feed(r, p, ts);
		ts += gap_ns;
		if (i % 10 == 9)
			pass(r, ts);
	}
	return ts;
}

/* Life of others: every step a frame that nobody sent before. */
static inline void
others(struct rig *r, unsigned from, unsigned n, uint64_t step_ns, uint64_t ts)
{
	static unsigned target;

	for (unsigned i = 0; i < n; i++) {
		struct packet ns = ns_by(from + i % 8, 0x100 + target++ % 0xf000);

		feed(r, &ns, ts + i * step_ns);
	}
}

static inline unsigned
open_count(struct rig *r, const char *name)
{
	const struct ics_anomaly *a;
	unsigned n = 0;

	for (unsigned i = 1; (a = nth_anomaly(r, i)) != NULL; i++)
		n += strcmp(a->detector, name) == 0 && a->state == ICS_ANOMALY_OPEN;
	return n;
}

#endif
