/* Space-saving (Metwally and others, 2005): a fixed number of counters, the smallest of which is taken over by an item
 * that has none, with its count as the error. A heap keeps the smallest at hand, a small hash index finds an item.
 */
#include "ics_sketch.h"

#include "ics_wire.h"

#define NONE ICS_TOP_ENTRIES

_Static_assert(ICS_TOP_SLOTS >= 2 * ICS_TOP_ENTRIES && (ICS_TOP_SLOTS & (ICS_TOP_SLOTS - 1)) == 0,
	       "half of the index is always free: a walk along it ends");
_Static_assert(ICS_TOP_ENTRIES < UINT8_MAX, "entries are numbered in an octet");

void
ics_top_init(struct ics_top *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->seed = seed;
	memset(t->slot, NONE, sizeof(t->slot));
}

static unsigned
home_of(const struct ics_top *t, const uint8_t key[static ICS_TOP_KEY_LEN])
{
	return (unsigned)(ics_hash(key, ICS_TOP_KEY_LEN, t->seed) % ICS_TOP_SLOTS);
}

/* The slot that names key, or the free one where it would go. */
static unsigned
slot_of(const struct ics_top *t, const uint8_t key[static ICS_TOP_KEY_LEN])
{
	unsigned i = home_of(t, key);

	while (t->slot[i] != NONE && memcmp(t->entry[t->slot[i]].key, key, ICS_TOP_KEY_LEN) != 0)
		i = (i + 1) % ICS_TOP_SLOTS;
	return i;
}

/* Takes slot i out; what lies behind it and would no longer be found moves up. */
static void
free_slot(struct ics_top *t, unsigned i)
{
	unsigned j = i;

	for (;;) {
		t->slot[i] = NONE;
		do {
			j = (j + 1) % ICS_TOP_SLOTS;
			if (t->slot[j] == NONE)
				return;
		} while ((j - home_of(t, t->entry[t->slot[j]].key)) % ICS_TOP_SLOTS < (j - i) % ICS_TOP_SLOTS);
		t->slot[i] = t->slot[j];
		i = j;
	}
}

static void
place(struct ics_top *t, unsigned pos, uint8_t e)
{
	t->heap[pos] = e;
	t->entry[e].pos = (uint8_t)pos;
}

static uint64_t
count_at(const struct ics_top *t, unsigned pos)
{
	return t->entry[t->heap[pos]].count;
}

static void
sift_down(struct ics_top *t, unsigned pos)
{
	uint8_t e = t->heap[pos];

	for (;;) {
		unsigned c = 2 * pos + 1;

		if (c >= t->n)
			break;
		if (c + 1 < t->n && count_at(t, c + 1) < count_at(t, c))
			c++;
		if (t->entry[e].count <= count_at(t, c))
			break;
		place(t, pos, t->heap[c]);
		pos = c;
	}
	place(t, pos, e);
}

static void
sift_up(struct ics_top *t, unsigned pos)
{
	uint8_t e = t->heap[pos];

	while (pos != 0 && count_at(t, (pos - 1) / 2) > t->entry[e].count) {
		place(t, pos, t->heap[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	place(t, pos, e);
}

void
ics_top_add(struct ics_top *t, const void *item, size_t len, uint64_t n)
{
	uint8_t key[ICS_TOP_KEY_LEN] = {0};
	struct ics_top_entry *e;
	unsigned slot;
	uint8_t i;

	memcpy(key, item, len < sizeof(key) ? len : sizeof(key));
	t->total += n;
	slot = slot_of(t, key);
	if (t->slot[slot] != NONE) {
		e = &t->entry[t->slot[slot]];
		e->count += n;
		sift_down(t, e->pos);
		return;
	}
	if (t->n < ICS_TOP_ENTRIES) {
		i = (uint8_t)t->n++;
		e = &t->entry[i];
		e->count = n;
		e->error = 0;
		memcpy(e->key, key, sizeof(key));
		t->slot[slot] = i;
		t->heap[t->n - 1] = i;
		sift_up(t, t->n - 1);
		return;
	}
	i = t->heap[0];
	e = &t->entry[i];
	free_slot(t, slot_of(t, e->key));
	e->error = e->count;
	e->count += n;
	memcpy(e->key, key, sizeof(key));
	t->slot[slot_of(t, key)] = i;
	sift_down(t, 0);
}

uint64_t
ics_top_count(const struct ics_top *t, const void *item, size_t len)
{
	uint8_t key[ICS_TOP_KEY_LEN] = {0};
	unsigned slot;

	memcpy(key, item, len < sizeof(key) ? len : sizeof(key));
	slot = slot_of(t, key);
	return t->slot[slot] != NONE ? t->entry[t->slot[slot]].count : 0;
}

unsigned
ics_top_list(const struct ics_top *t, struct ics_top_item *out, unsigned max)
{
	unsigned n = 0;

	/* Insertion into a list that is short: max of them are kept. */
	for (unsigned i = 0; i < t->n; i++) {
		const struct ics_top_entry *e = &t->entry[i];
		unsigned at = n;

		if (e->count == 0)
			continue;
		while (at > 0 && out[at - 1].count < e->count)
			at--;
		if (at == max)
			continue;
		n += n < max;
		memmove(&out[at + 1], &out[at], (n - 1 - at) * sizeof(*out));
		out[at] = (struct ics_top_item){.count = e->count, .error = e->error};
		memcpy(out[at].key, e->key, sizeof(e->key));
	}
	return n;
}

void
ics_top_halve(struct ics_top *t)
{
	/* Halves keep the order of the heap. */
	for (unsigned i = 0; i < t->n; i++) {
		t->entry[i].count /= 2;
		t->entry[i].error /= 2;
	}
	t->total /= 2;
}
