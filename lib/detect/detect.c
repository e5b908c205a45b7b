/* The table of detectors, and the fan-out of messages to those that asked for their class. Called by the engine. */
#include "repeat.h"

#include <errno.h>
#include <stdlib.h>

#define DETECTOR(name, rfc, severity, text, advice, thresholds) extern const struct ics_detector_ops ics_det_##name;
#include "detectors.def"
#undef DETECTOR

static const struct {
	const struct ics_detector_ops *ops;
	struct ics_detector_info info;
} table[] = {
#define DETECTOR(name_, rfc_, severity_, text_, advice_, thresholds_)                                                  \
	{&ics_det_##name_,                                                                                             \
	 {.name = #name_,                                                                                              \
	  .rfc = (rfc_),                                                                                               \
	  .text = (text_),                                                                                             \
	  .advice = (advice_),                                                                                         \
	  .thresholds = (thresholds_),                                                                                 \
	  .severity = ICS_SEV_##severity_,                                                                             \
	  .state = "on"}},
#include "detectors.def"
#undef DETECTOR
};

#define N_DETECTORS ICS_ARRAY_LEN(table)

_Static_assert(ICS_CLASS_COUNT <= 64, "classes of a detector are bits of a word");

_Static_assert(N_DETECTORS <= 64, "so are detectors of an audience");

struct listener {
	void (*message)(struct ics_detector *d, const struct ics_msg *msg, const struct ics_change *c);
	struct ics_detector *d;
};

/* Messages by what keeps them from some. */
enum { VALID, VALID_AGAIN, INVALID, INVALID_AGAIN, STANDINGS };

struct ics_detectors {
	struct ics_config conf;
	/* By number of the detector, and as sets of numbers. */
	struct listener listener[N_DETECTORS];
	uint64_t audience[STANDINGS][ICS_CLASS_COUNT];
	uint64_t only[ICS_ONLY_COUNT];
	struct {
		unsigned n;
		struct ics_detector *d[N_DETECTORS];
	} ahead[ICS_CLASS_COUNT];
	bool data_seen, both_ways_seen;
	struct ics_model *model;
	struct ics_detect_shared shared;
	struct ics_detector d[N_DETECTORS];
};

static bool
listens(const struct ics_detector_ops *ops, unsigned standing)
{
	return (ops->invalid_too || standing == VALID || standing == VALID_AGAIN) &&
	       (!ops->once_in_loop || standing == VALID || standing == INVALID);
}

static void
join_audiences(struct ics_detectors *s, struct ics_detector *d)
{
	s->listener[d->number] = (struct listener){d->ops->message, d};
	s->only[d->ops->only] |= 1ull << d->number;
	for (unsigned i = 0; i < STANDINGS * ICS_CLASS_COUNT; i++) {
		unsigned standing = i / ICS_CLASS_COUNT, class = i % ICS_CLASS_COUNT;

		if ((d->ops->classes >> class & 1) && listens(d->ops, standing))
			s->audience[standing][class] |= 1ull << d->number;
		if (standing == VALID && (d->ops->classes >> class & 1) && d->ops->ahead != NULL)
			s->ahead[class].d[s->ahead[class].n++] = d;
	}
}

static void
on_dad_over(void *ctx, const struct ics_dad *dad)
{
	struct ics_detectors *s = ctx;

	for (unsigned i = 0; i < N_DETECTORS; i++)
		if (s->d[i].ops->dad_over != NULL)
			s->d[i].ops->dad_over(&s->d[i], dad);
}

static void
on_hole(void *ctx, const struct ics_hole *h, bool open)
{
	struct ics_detectors *s = ctx;

	for (unsigned i = 0; i < N_DETECTORS; i++)
		if (s->d[i].ops->hole != NULL)
			s->d[i].ops->hole(&s->d[i], h, open);
}

struct ics_detectors *
ics_detectors_new(const struct ics_config *conf, struct ics_model *model, struct ics_anomaly_store *store,
		  uint64_t seed)
{
	struct ics_detectors *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conf = *conf;
	s->model = model;
	for (unsigned i = 0; i < N_DETECTORS; i++) {
		struct ics_detector *d = &s->d[i];

		d->info = table[i].info;
		d->ops = table[i].ops;
		d->conf = &s->conf;
		d->model = model;
		d->store = store;
		d->shared = &s->shared;
		d->seed = ics_hash_mix(seed, i);
		d->number = i;
		if (ics_table_init(&d->episodes, (uint32_t)(d->ops->episode_len + 7) & ~7u, 20, ICS_ANOMALY_OPEN_MAX,
				   d->seed) != 0 ||
		    (d->ops->init != NULL && d->ops->init(d) != 0)) {
			ics_detectors_free(s);
			errno = ENOMEM;
			return NULL;
		}
		if (d->ops->configure != NULL)
			d->ops->configure(d);
		join_audiences(s, d);
	}
	ics_model_on_dad_over(model, on_dad_over, s);
	ics_model_on_hole(model, on_hole, s);
	return s;
}

void
ics_detectors_configure(struct ics_detectors *s, const struct ics_config *conf)
{
	s->conf = *conf;
	for (unsigned i = 0; i < N_DETECTORS; i++)
		if (s->d[i].ops->configure != NULL)
			s->d[i].ops->configure(&s->d[i]);
}

/* Open episodes hold timers in the model's clock: the model goes after the detectors, its heap with it. */
void
ics_detectors_free(struct ics_detectors *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < N_DETECTORS; i++) {
		struct ics_detector *d = &s->d[i];

		for (uint32_t e = 1; e <= d->episodes.fresh; e++)
			if (ics_table_is_live(&d->episodes, e))
				ics_timer_cancel(&ics_model_clock(d->model)->timers,
						 &((struct ics_episode *)ics_table_at(&d->episodes, e))->timer);
		ics_table_fini(&d->episodes);
		if (d->ops != NULL && d->ops->fini != NULL)
			d->ops->fini(d);
	}
	ics_model_on_dad_over(s->model, NULL, NULL);
	ics_model_on_hole(s->model, NULL, NULL);
	free(s);
}

/* A loop repeats it, or several MACs repeat something, which is about to be named as one. */
static bool
is_looped(struct ics_detectors *s, uint32_t segment, const struct ics_frame_count *f)
{
	struct ics_chorus chorus;

	if (f == NULL || f->heard <= 1)
		return false;
	if (s->shared.l2_loop[segment])
		return true;
	if (f->in_second < ICS_REPEATER_MIN)
		return false;
	ics_detect_chorus(&s->d[0], segment, ICS_REPEATER_MIN, 0, &chorus);
	return ics_chorus_may_loop(&chorus);
}

/* Detectors for which an NS or NA holds nothing, whether they have open episodes or not. */
static uint64_t
bored(const struct ics_detectors *s, const struct ics_msg *msg, const struct ics_change *c)
{
	bool is_na = msg->class == ICS_CLASS_nd_na;
	uint64_t set = 0;

	set |= c->frame != NULL && c->frame->multicast ? 0 : s->only[ICS_ONLY_MULTICAST];
	set |= c->note.what != ICS_NOTE_NONE || c->note.proven ? 0 : s->only[ICS_ONLY_NEWS];
	set |= c->dad != NULL || c->dad_started ? 0 : s->only[ICS_ONLY_DAD];
	set |= (is_na ? c->has_router : ics_ip6_is_link_local(msg->src.b)) ? 0 : s->only[ICS_ONLY_ROUTER];
	set |= c->claim.claims && (c->claim.flags & ICS_BINDING_DISPUTED) ? 0 : s->only[ICS_ONLY_DISPUTED];
	set |= msg->na.has_lla && !ics_mac_equal(&msg->na.lla, &msg->smac) ? 0 : s->only[ICS_ONLY_FOREIGN_LLA];
	set |= c->asker != NULL ? 0 : s->only[ICS_ONLY_ASKER];
	set |= ics_view_u8(msg->frame, msg->rec->l3_off + 6u) == ICS_PROTO_HOPOPTS ? 0 : s->only[ICS_ONLY_HOP_BY_HOP];
	return set;
}

void
ics_detectors_message(struct ics_detectors *s, const struct ics_msg *msg, const struct ics_change *change)
{
	bool valid = msg->strict || msg->lenient, again;
	uint64_t left;

	s->shared.message++;
	if (change->segment == NULL)
		return;
	again = is_looped(s, change->segment->id, change->frame);
	left = s->audience[(valid ? VALID : INVALID) + again][msg->class];
	if (msg->class == ICS_CLASS_nd_ns || msg->class == ICS_CLASS_nd_na)
		left &= ~bored(s, msg, change) | s->shared.open;
	for (; left != 0; left &= left - 1) {
		const struct listener *l = &s->listener[__builtin_ctzll(left)];

		l->message(l->d, msg, change);
	}
}

void
ics_detectors_ahead(const struct ics_detectors *s, uint8_t class, uint32_t segment, const uint8_t *macs)
{
	if (class >= ICS_CLASS_COUNT)
		return;
	for (unsigned i = 0; i < s->ahead[class].n; i++)
		s->ahead[class].d[i]->ops->ahead(s->ahead[class].d[i], segment, macs);
}

void
ics_detectors_hidden(struct ics_detectors *s, const struct ics_msg *msg, const struct ics_segment *segment,
		     uint8_t type)
{
	s->shared.message++;
	for (unsigned i = 0; segment != NULL && i < N_DETECTORS; i++)
		if (s->d[i].ops->hidden != NULL)
			s->d[i].ops->hidden(&s->d[i], msg, segment, type);
}

void
ics_detectors_data(struct ics_detectors *s, const struct ics_msg *msg, const struct ics_segment *segment)
{
	s->data_seen = true;
	s->shared.message++;
	for (unsigned i = 0; segment != NULL && i < N_DETECTORS; i++)
		if (s->d[i].ops->data != NULL)
			s->d[i].ops->data(&s->d[i], msg, segment);
}

void
ics_detectors_sample(struct ics_detectors *s, const struct ics_sample *sample, const struct ics_msg *msg,
		     const struct ics_segment *segment)
{
	s->both_ways_seen |= (sample->flags & ICS_SAMPLE_BOTH_WAYS) != 0;
	s->shared.message++;
	for (unsigned i = 0; segment != NULL && i < N_DETECTORS; i++)
		if (s->d[i].ops->sample != NULL)
			s->d[i].ops->sample(&s->d[i], sample, msg, segment);
}

void
ics_detectors_set_samplers(struct ics_detectors *s, const struct ics_samplers *samplers)
{
	s->shared.samplers = samplers;
}

void
ics_detectors_note_loss(struct ics_detectors *s, const struct ics_loss *loss)
{
	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		if (loss->lost_class[i] != 0)
			s->shared.lost_ns[i] = ics_model_clock(s->model)->now_ns;
	for (unsigned i = 0; i < N_DETECTORS; i++)
		if (s->d[i].ops->loss != NULL)
			s->d[i].ops->loss(&s->d[i], loss);
}

void
ics_detectors_copies(struct ics_detectors *s, const struct ics_record *rec, const struct ics_segment *seg)
{
	bool again;

	if (seg == NULL || rec->class >= ICS_CLASS_COUNT)
		return;
	again = is_looped(s, seg->id, ics_model_frame(s->model, rec->frame_hash));
	for (unsigned i = 0; i < N_DETECTORS; i++)
		if (s->d[i].ops->copies != NULL && (s->d[i].ops->classes >> rec->class & 1) &&
		    !(again && s->d[i].ops->once_in_loop))
			s->d[i].ops->copies(&s->d[i], rec, seg);
}

void
ics_detectors_resumed(struct ics_detectors *s)
{
	const struct ics_router *r;

	for (unsigned i = 0; i < N_DETECTORS; i++)
		for (r = ics_model_router_next(s->model, 0); s->d[i].ops->resumed != NULL && r != NULL;
		     r = ics_model_router_next(s->model, r->id + 1))
			s->d[i].ops->resumed(&s->d[i], r);
}

void
ics_detectors_settle(struct ics_detectors *s)
{
	for (unsigned i = 0; i < N_DETECTORS; i++)
		ics_episode_settle_all(&s->d[i]);
}

const struct ics_detector_info *
ics_detector_row(unsigned i)
{
	return i < N_DETECTORS ? &table[i].info : NULL;
}

static const char *
what_it_lacks(const struct ics_detectors *s, const struct ics_detector_ops *ops)
{
	if (ops->needs_samples && s->shared.samplers == NULL)
		return "the TCP sampler is off (sample.enable)";
	if (ops->needs_data && !s->data_seen)
		return "no data of hosts was seen";
	if (ops->needs_both_ways && !s->both_ways_seen)
		return "no TCP flow was seen in both directions";
	return NULL;
}

const struct ics_detector_info *
ics_detectors_info(struct ics_detectors *s, unsigned i)
{
	if (i >= N_DETECTORS)
		return NULL;
	s->d[i].info.lacks = what_it_lacks(s, s->d[i].ops);
	if (ics_detect_is_muted_wholly(&s->d[i]))
		s->d[i].info.state = "muted";
	else if (s->d[i].info.lacks != NULL)
		s->d[i].info.state = "not_assessed";
	else
		s->d[i].info.state = "on";
	return &s->d[i].info;
}
