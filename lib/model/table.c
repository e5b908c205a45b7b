/* Linear hashing over chunks (Litwin): each insertion beyond one entry a bucket splits the next bucket in turn, so
 * there is never a rehash of everything. Called by the model and the detectors for every record.
 */
#include "ics_table.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKET_SHIFT 10
#define BUCKET_CHUNK (1u << BUCKET_SHIFT)
#define CHUNK_BYTES 65536
#define INDEX_MAX ((1u << 24) - 1)

static uint32_t *
bucket_at(const struct ics_table *t, uint32_t b)
{
	return &t->bucket[b >> BUCKET_SHIFT][b & (BUCKET_CHUNK - 1)];
}

static struct ics_table_head *
head_at(const struct ics_table *t, uint32_t index)
{
	return ics_table_at(t, index);
}

static const void *
key_of(const struct ics_table_head *h)
{
	return h + 1;
}

static uint32_t
bucket_of(const struct ics_table *t, const void *key)
{
	uint64_t h = ics_hash(key, t->key_len, t->seed);
	uint32_t b = (uint32_t)(h ^ h >> 32) & (2 * t->low - 1);

	return b < t->n_buckets ? b : b & (t->low - 1);
}

int
ics_table_init(struct ics_table *t, uint32_t entry_len, uint32_t key_len, uint32_t max, uint64_t seed)
{
	uint32_t n_chunks;

	memset(t, 0, sizeof(*t));
	if (max == 0 || max > INDEX_MAX || entry_len % 8 != 0 || entry_len < sizeof(struct ics_table_head) + key_len)
		return -EINVAL;
	t->entry_len = entry_len;
	t->key_len = key_len;
	t->max = max;
	t->seed = seed;
	while ((size_t)entry_len << (t->chunk_shift + 1) <= CHUNK_BYTES)
		t->chunk_shift++;
	n_chunks = ((max - 1) >> t->chunk_shift) + 1;
	t->chunk = calloc(n_chunks, sizeof(*t->chunk));
	/* A split happens only while there are fewer buckets than entries. */
	t->bucket = calloc((max >> BUCKET_SHIFT) + 2, sizeof(*t->bucket));
	if (t->chunk == NULL || t->bucket == NULL || (t->bucket[0] = calloc(BUCKET_CHUNK, sizeof(uint32_t))) == NULL) {
		ics_table_fini(t);
		return -ENOMEM;
	}
	t->low = t->n_buckets = BUCKET_CHUNK;
	return 0;
}

void
ics_table_fini(struct ics_table *t)
{
	if (t->chunk != NULL)
		for (uint32_t i = 0; i <= (t->max - 1) >> t->chunk_shift; i++)
			free(t->chunk[i]);
	if (t->bucket != NULL)
		for (uint32_t i = 0; i < (t->max >> BUCKET_SHIFT) + 2; i++)
			free(t->bucket[i]);
	free(t->chunk);
	free(t->bucket);
	memset(t, 0, sizeof(*t));
}

uint32_t
ics_table_find(struct ics_table *t, const void *key)
{
	uint32_t i = *bucket_at(t, bucket_of(t, key));

	while (i != 0) {
		struct ics_table_head *h = head_at(t, i);

		if (memcmp(key_of(h), key, t->key_len) == 0) {
			h->used = ++t->clock;
			return i;
		}
		i = h->next;
	}
	return 0;
}

/* Without memory for a new bucket the chains just get longer. */
static void
split(struct ics_table *t)
{
	uint32_t from = t->n_buckets - t->low, to = t->n_buckets, *from_head, *to_head, i, next;

	if (t->bucket[to >> BUCKET_SHIFT] == NULL) {
		t->bucket[to >> BUCKET_SHIFT] = calloc(BUCKET_CHUNK, sizeof(uint32_t));
		if (t->bucket[to >> BUCKET_SHIFT] == NULL)
			return;
	}
	t->n_buckets++;
	from_head = bucket_at(t, from);
	to_head = bucket_at(t, to);
	i = *from_head;
	*from_head = 0;
	for (; i != 0; i = next) {
		struct ics_table_head *h = head_at(t, i);
		uint32_t *where = bucket_of(t, key_of(h)) == to ? to_head : from_head;

		next = h->next;
		h->next = *where;
		*where = i;
	}
	if (t->n_buckets == 2 * t->low)
		t->low = t->n_buckets;
}

static uint32_t
take(struct ics_table *t)
{
	uint32_t i = t->free_head;

	if (i != 0) {
		t->free_head = head_at(t, i)->next;
		return i;
	}
	if (t->fresh == t->max)
		return 0;
	if (t->chunk[t->fresh >> t->chunk_shift] == NULL) {
		t->chunk[t->fresh >> t->chunk_shift] = calloc(1u << t->chunk_shift, t->entry_len);
		if (t->chunk[t->fresh >> t->chunk_shift] == NULL)
			return 0;
	}
	return ++t->fresh;
}

uint32_t
ics_table_insert(struct ics_table *t, const void *key)
{
	uint32_t i = take(t), *head;
	struct ics_table_head *h;

	if (i == 0)
		return 0;
	h = head_at(t, i);
	memset(h, 0, t->entry_len);
	memcpy(h + 1, key, t->key_len);
	h->used = ++t->clock;
	head = bucket_at(t, bucket_of(t, key));
	h->next = *head;
	*head = i;
	if (++t->count > t->n_buckets)
		split(t);
	return i;
}

void
ics_table_remove(struct ics_table *t, uint32_t index)
{
	struct ics_table_head *h = head_at(t, index), *p;
	uint32_t *head = bucket_at(t, bucket_of(t, key_of(h)));

	if (*head == index) {
		*head = h->next;
	} else {
		for (p = head_at(t, *head); p->next != index; p = head_at(t, p->next))
			;
		p->next = h->next;
	}
	h->used = 0;
	h->next = t->free_head;
	t->free_head = index;
	t->count--;
}

uint32_t
ics_table_oldest(struct ics_table *t, bool (*may_go)(const void *entry))
{
	uint32_t window = t->fresh < ICS_TABLE_WINDOW ? t->fresh : ICS_TABLE_WINDOW, best = 0;

	for (uint32_t n = 0; n < window; n++) {
		const struct ics_table_head *h;

		t->hand = t->hand < t->fresh ? t->hand + 1 : 1;
		h = head_at(t, t->hand);
		if (h->used == 0 || (may_go != NULL && !may_go(h)))
			continue;
		if (best == 0 || h->used < head_at(t, best)->used)
			best = t->hand;
	}
	return best;
}
