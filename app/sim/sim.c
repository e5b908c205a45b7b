/* Time, chance and the queue: what is to happen lies in a heap by time and then by order of arrival, so that a run is the
 * same every time. Frames that are on their way are events like all others.
 */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>

struct sim_event {
	uint64_t at_ns, sequence;
	sim_event_fn fn; /* NULL: a frame, who and arg are its bytes and length */
	void *who;
	uint64_t arg;
	const uint32_t *life;
	uint32_t life_then;
};

uint64_t
sim_now(const struct sim *s)
{
	return s->now_ns;
}

uint64_t
sim_random(struct sim *s)
{
	s->random += 0x9e3779b97f4a7c15ull;
	return ics_hash_mix(s->random, s->conf.seed);
}

uint64_t
sim_below(struct sim *s, uint64_t n)
{
	return (uint64_t)((__uint128_t)sim_random(s) * n >> 64);
}

uint64_t
sim_between(struct sim *s, uint64_t low, uint64_t high)
{
	return low + sim_below(s, high - low + 1);
}

bool
sim_chance(struct sim *s, unsigned percent)
{
	return sim_below(s, 100) < percent;
}

static bool
is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static void
push(struct sim *s, struct sim_event ev)
{
	size_t i = s->n_events;

	if (i == s->max_events) {
		size_t max = i == 0 ? 4096 : 2 * i;
		struct sim_event *heap = realloc(s->heap, max * sizeof(*heap));

		if (heap == NULL) {
			s->failed = s->stopped = true;
			return;
		}
		s->heap = heap;
		s->max_events = max;
	}
	ev.sequence = s->sequence++;
	s->n_events++;
	for (; i != 0 && is_before(&ev, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = ev;
}

static struct sim_event
pop(struct sim *s)
{
	struct sim_event first = s->heap[0], last = s->heap[--s->n_events];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->n_events) {
		if (child + 1 < s->n_events && is_before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!is_before(&s->heap[child], &last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return first;
}

void
sim_after(struct sim *s, uint64_t wait_ns, sim_event_fn fn, void *who, uint64_t arg, const uint32_t *life)
{
	push(s, (struct sim_event){
			.at_ns = s->now_ns + wait_ns,
			.fn = fn,
			.who = who,
			.arg = arg,
			.life = life,
			.life_then = life != NULL ? *life : 0,
		});
}

void
sim_send(struct sim *s, struct sim_packet *p, uint64_t wait_ns)
{
	uint8_t *bytes;

	sim_finish(p);
	bytes = malloc(p->len);
	if (bytes == NULL) {
		s->failed = s->stopped = true;
		return;
	}
	memcpy(bytes, p->b, p->len);
	push(s, (struct sim_event){.at_ns = s->now_ns + wait_ns, .who = bytes, .arg = p->len});
}

struct sim *
sim_new(const struct sim_conf *conf, sim_sink_fn sink, void *ctx)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conf = *conf;
	s->sink = sink;
	s->sink_ctx = ctx;
	s->host = calloc(conf->hosts, sizeof(*s->host));
	if (s->host == NULL) {
		free(s);
		return NULL;
	}
	sim_populate(s);
	return s;
}

void
sim_free(struct sim *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_events; i++)
		if (s->heap[i].fn == NULL)
			free(s->heap[i].who);
	free(s->heap);
	free(s->host);
	free(s);
}

int
sim_run(struct sim *s)
{
	while (!s->stopped && s->n_events != 0 && s->heap[0].at_ns < s->conf.duration_ns) {
		struct sim_event ev = pop(s);

		s->now_ns = ev.at_ns;
		if (ev.fn == NULL) {
			s->frames++;
			s->stopped |= !s->sink(s->sink_ctx, s->conf.epoch_ns + ev.at_ns, ev.who, (unsigned)ev.arg);
			free(ev.who);
		} else if (ev.life == NULL || *ev.life == ev.life_then) {
			ev.fn(s, ev.who, ev.arg);
		}
	}
	return s->failed ? -ENOMEM : 0;
}
