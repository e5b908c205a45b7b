/* Which flows were seen of late: three Bloom filters, of which one is filled, one is five minutes old and one is being
 * emptied a little at a time, so that no packet waits for that. The bits of a flow lie in one cache line. The worker
 * writes, the control core reads at the same time: every word is atomic, and a flow that is missed in the moment it comes
 * is none that a message quotes yet. RFC 5927 4.1: a message about a connection that is not there is to be doubted.
 */
#include "sampler.h"

#define TURN_NS 300000000000ull
#define BITS 4
#define LINE_WORDS 8
/* Words that are emptied for a burst of packets. */
#define CLEAR_WORDS 128

static _Atomic uint64_t *
line_of(const struct filter *f, uint32_t words, uint64_t h)
{
	return f->word + (h >> 36) % (words / LINE_WORDS) * LINE_WORDS;
}

void
ics_sample_filter_prefetch(const struct ics_sampler *s, uint64_t hash)
{
	const struct filter *f = &s->filter[atomic_load_explicit(&s->present, memory_order_relaxed)];

	__builtin_prefetch((const void *)line_of(f, s->filter_words, ics_hash_mix(hash, s->seed1)), 1);
}

void
ics_sample_filter_add(struct ics_sampler *s, uint64_t hash)
{
	struct filter *f = &s->filter[atomic_load_explicit(&s->present, memory_order_relaxed)];
	uint64_t h = ics_hash_mix(hash, s->seed1), fresh = 0;
	_Atomic uint64_t *line = line_of(f, s->filter_words, h);

	for (unsigned i = 0; i < BITS; i++, h >>= 9) {
		_Atomic uint64_t *w = &line[h >> 6 & 7];
		uint64_t bit = 1ull << (h & 63), old = atomic_load_explicit(w, memory_order_relaxed);

		if (old & bit)
			continue;
		atomic_store_explicit(w, old | bit, memory_order_relaxed);
		fresh++;
	}
	if (fresh != 0)
		ics_count_add(&f->set, fresh);
}

static bool
has(const struct filter *f, uint32_t words, uint64_t h)
{
	_Atomic uint64_t *line = line_of(f, words, h);

	for (unsigned i = 0; i < BITS; i++, h >>= 9)
		if (!(atomic_load_explicit(&line[h >> 6 & 7], memory_order_relaxed) >> (h & 63) & 1))
			return false;
	return true;
}

bool
ics_sample_filter_has(const struct ics_sampler *s, uint64_t hash)
{
	unsigned present = atomic_load_explicit((_Atomic unsigned *)&s->present, memory_order_acquire);
	uint64_t h = ics_hash_mix(hash, s->seed1);

	return has(&s->filter[present], s->filter_words, h) || has(&s->filter[(present + 2) % 3], s->filter_words, h);
}

static void
clear(struct ics_sampler *s, uint32_t words)
{
	struct filter *f = &s->filter[(atomic_load_explicit(&s->present, memory_order_relaxed) + 1) % 3];

	for (; words > 0 && s->clear_at < s->filter_words; words--, s->clear_at++)
		atomic_store_explicit(&f->word[s->clear_at], 0, memory_order_relaxed);
	if (s->clear_at == s->filter_words)
		atomic_store_explicit(&f->set, 0, memory_order_relaxed);
}

/* The filter after the present one is empty by then, unless hardly any packet came: then there is time. */
static void
turn(struct ics_sampler *s)
{
	clear(s, s->filter_words);
	atomic_store_explicit(&s->present, (atomic_load_explicit(&s->present, memory_order_relaxed) + 1) % 3,
			      memory_order_release);
	s->clear_at = 0;
}

void
ics_sample_filter_turn(struct ics_sampler *s, uint64_t ts_ns)
{
	/* Captures one after the other: time may jump either way. */
	if (ics_unlikely(s->filter_ns == 0 || ts_ns < s->filter_ns))
		s->filter_ns = ts_ns;
	if (ics_unlikely(ts_ns - s->filter_ns >= TURN_NS)) {
		if (ts_ns - s->filter_ns >= 2 * TURN_NS)
			turn(s);
		turn(s);
		s->filter_ns = ts_ns;
	}
	if (ics_unlikely(s->clear_at < s->filter_words))
		clear(s, CLEAR_WORDS);
}

/* Up to half full a filter says "seen" of a flow that was not once in sixteen times, and then no more. */
bool
ics_sample_filter_is_sure(const struct ics_sampler *s)
{
	unsigned present = atomic_load_explicit((_Atomic unsigned *)&s->present, memory_order_acquire);
	uint64_t room = (uint64_t)s->filter_words * 32;

	return ics_count_get(&s->filter[present].set) <= room &&
	       ics_count_get(&s->filter[(present + 2) % 3].set) <= room &&
	       ics_count_get(&s->last_ns) >= ics_count_get(&s->lossy_until_ns);
}
