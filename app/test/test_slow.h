/* Shared by the tests of the slow half: frames in, anomalies and model out, through the same code as a capture takes.
 * Time is what the test says.
 */
#ifndef ICS_TEST_SLOW_H
#define ICS_TEST_SLOW_H

#include "ics_engine.h"
#include "test_common.h"

#include <stdio.h>

#define S 1000000000ull
#define MS 1000000ull
/* Packet time of the first frame. */
#define T0 (1463012450 * S)

#define MAC_R "00:00:5e:00:53:01"
#define MAC_R2 "00:00:5e:00:53:02"
#define MAC_X "00:00:5e:00:53:66"
#define MAC_VRRP "00:00:5e:00:02:01"

struct rig {
	struct ics_config conf;
	struct ics_engine *engine;
	struct ics_anomaly_store *store;
	struct ics_inspect in;
	struct ics_counters *counters;
	struct ics_samplers samplers; /* rig_sample() */
	uint64_t frame_no;
	const char *watched; /* names of the detectors that the test is about, split by blanks; NULL: all */
};

static inline int
rig_push(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct rig *r = ctx;

	ics_engine_feed(r->engine, rec, (struct ics_view){frame, rec->cap_len}, r->frame_no);
	return 0;
}

static inline void
rig_set(struct rig *r, const char *assignment)
{
	char err[ICS_CONFIG_ERR_LEN];

	assert_int_equal(ics_config_set(&r->conf, assignment, err), 0);
}

/* An engine of these settings. With ICS_TEST_CONFIGURE_LATE in the environment it begins with the defaults of all keys
 * that are live and is told the others as SIGHUP does, which must come to the same.
 */
static inline struct ics_engine *
rig_engine(const struct ics_config *conf)
{
	struct ics_config first = *conf, defaults;
	struct ics_config_key key;
	struct ics_engine *e;

	if (getenv("ICS_TEST_CONFIGURE_LATE") == NULL)
		return ics_engine_new(conf, 0x5eed);
	ics_config_init(&defaults);
	for (unsigned i = 0; ics_config_key(i, &key); i++)
		if (key.live)
			ics_config_take(&first, &defaults, i);
	e = ics_engine_new(&first, 0x5eed);
	if (e != NULL)
		ics_engine_configure(e, conf);
	return e;
}

/* Settings split by blanks, or NULL. */
static inline struct rig *
rig_new(const char *settings)
{
	struct rig *r = calloc(1, sizeof(*r));
	char buf[512], *save = NULL;

	assert_non_null(r);
	ics_config_init(&r->conf);
	snprintf(buf, sizeof(buf), "%s", settings != NULL ? settings : "");
	for (char *s = strtok_r(buf, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save))
		rig_set(r, s);
	r->engine = rig_engine(&r->conf);
	assert_non_null(r->engine);
	r->counters = aligned_alloc(64, sizeof(*r->counters));
	assert_non_null(r->counters);
	memset(r->counters, 0, sizeof(*r->counters));
	r->in = (struct ics_inspect){
		.validate = {.link_mtu = 1500},
		.counters = r->counters,
		.sink = {rig_push, r},
		.seed = 0xf00d,
	};
	ics_inspect_init(&r->in);
	r->store = ics_engine_anomalies(r->engine);
	return r;
}

/* With the TCP sampler on. */
static inline void
rig_sample(struct rig *r)
{
	struct ics_sample_conf c = {.filter_bits = 1u << 20, .link_mtu = r->conf.detect.link_mtu, .seed = 0x5a};

	r->in.sampler = ics_sampler_init(&c, NULL);
	assert_non_null(r->in.sampler);
	ics_inspect_init(&r->in);
	r->samplers = (struct ics_samplers){1, {r->in.sampler}};
	ics_engine_set_samplers(r->engine, &r->samplers, NULL);
}

static inline void
rig_free(struct rig *r)
{
	ics_engine_free(r->engine);
	ics_sampler_free(r->in.sampler);
	free(r->counters);
	free(r);
}

/* p at ts, lengths and checksums put right unless the packet is raw. */
static inline void
feed(struct rig *r, const struct packet *p, uint64_t ts_ns)
{
	struct packet fixed = *p;
	struct ics_frame f;

	repair_keep(&fixed);
	f = (struct ics_frame){
		.data = fixed.b,
		.cap_len = p->snap != 0 && p->snap < fixed.len ? p->snap : fixed.len,
		.wire_len = fixed.len,
		.stripped_tci = ICS_VLAN_NONE,
		.link = fixed.link,
	};
	r->frame_no++;
	ics_inspect_burst(&r->in, &f, 1, ts_ns);
}

static inline void
feed_base(struct rig *r, enum base b, uint64_t ts_ns)
{
	struct packet p = base_packet(b);

	feed(r, &p, ts_ns);
}

/* "L:" of the detector sequences: the router advertises every 200 s for 600 s. Returns the time of the last RA. */
static inline uint64_t
learn(struct rig *r)
{
	for (unsigned i = 0; i <= 3; i++)
		feed_base(r, BASE_ra, T0 + i * 200 * S);
	return T0 + 600 * S;
}

/* An RA of another router, made from the normal one. */
static inline struct packet
ra_from(const char *addr, const char *mac, unsigned lifetime_s, unsigned flags)
{
	struct packet p = base_packet(BASE_ra);
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	set_src(&p, addr);
	set_smac(&p, mac);
	set16(&p, 6, (uint16_t)lifetime_s);
	set8(&p, 5, (uint8_t)flags);
	for (unsigned i = 0; i < 6; i++)
		set8(&p, 18 + i, m.b[i]);
	return p;
}

/* The n-th anomaly of the watched detectors, from 1 on, in order of opening; NULL past the last. */
static inline const struct ics_anomaly *
nth_anomaly(struct rig *r, unsigned n)
{
	struct ics_anomaly_stats st;

	ics_engine_anomalies(r->engine);
	ics_anomaly_stats(r->store, &st);
	for (uint64_t id = 1; id <= st.opened; id++) {
		const struct ics_anomaly *a = ics_anomaly_get(r->store, id);

		if (a != NULL && (r->watched == NULL || strstr(r->watched, a->detector) != NULL) && --n == 0)
			return a;
	}
	return NULL;
}

static inline unsigned
count_anomalies(struct rig *r)
{
	unsigned n = 0;

	while (nth_anomaly(r, n + 1) != NULL)
		n++;
	return n;
}

/* The only anomaly there ever was. */
static inline const struct ics_anomaly *
the_anomaly(struct rig *r)
{
	assert_non_null(nth_anomaly(r, 1));
	assert_null(nth_anomaly(r, 2));
	return nth_anomaly(r, 1);
}

static inline const struct ics_detector_info *
detector(struct rig *r, const char *name)
{
	const struct ics_detector_info *d;

	for (unsigned i = 0; (d = ics_engine_detector(r->engine, i)) != NULL; i++)
		if (strcmp(d->name, name) == 0)
			return d;
	fail_msg("no detector %s", name);
	return NULL;
}

static inline const char *
fact_text(const struct ics_anomaly *a, const char *key)
{
	const struct ics_fact *f = ics_fact_find(a, key);

	assert_non_null(f);
	assert_int_equal(f->type, ICS_FACT_TEXT);
	return f->text;
}

static inline uint64_t
fact_value(const struct ics_anomaly *a, const char *key)
{
	const struct ics_fact *f = ics_fact_find(a, key);

	assert_non_null(f);
	assert_int_not_equal(f->type, ICS_FACT_TEXT);
	return f->u;
}

#define assert_finding(a, name_, variant_, severity_)                                                                  \
	do {                                                                                                           \
		assert_string_equal((a)->detector, (name_));                                                           \
		assert_string_equal((a)->variant, (variant_));                                                         \
		assert_string_equal(ics_severity_name((a)->severity), (severity_));                                    \
	} while (0)

#endif
