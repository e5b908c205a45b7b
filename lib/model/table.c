/* Linear hashing (Litwin) over reserved address space: an insertion that leaves fewer than BUCKETS an entry splits
 * the next buckets in turn, so there is never a rehash of everything, and no allocation after ics_table_init().
 * Called by the model and the detectors for every record.
 */
#include "ics_pages.h"
#include "ics_table.h"

#include <errno.h>

#define BUCKETS_MIN 1024
/* Of an entry: what is not the first of its chain costs another miss. */
#define BUCKETS 4
#define INDEX_MAX ((1u << 24) - 1)
/* Buckets before a split of which the entries are asked for. Fewer than BUCKETS_MIN, so there are as many. */
#define SPLIT_AHEAD 16
/* Tables of this size get large pages behind the first of them, and that one once half of it is in use. */
#define LARGE_MIN (4u << 20)
#define FRONT_USED (ICS_PAGES_LARGE / 2)

static void *
reserve(size_t len)
{
	void *p = ics_pages_reserve(len);

	if (p != NULL && len >= LARGE_MIN)
		ics_pages_prefer_large((uint8_t *)p + ICS_PAGES_LARGE, len - ICS_PAGES_LARGE);
	return p;
}

static size_t
entries_len(const struct ics_table *t)
{
	return (size_t)t->max * t->entry_len;
}

static size_t
buckets_len(const struct ics_table *t)
{
	return (BUCKETS * (size_t)t->max + BUCKETS_MIN) * sizeof(*t->bucket);
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

/* As ics_hash(), in one lane, which is quicker for keys as short as these are: 16 octets a step, of which the last may
 * take in some for the second time.
 */
static inline uint64_t
hash_of(const uint8_t *p, uint32_t len, uint64_t seed)
{
	const uint8_t *end = p + len;
	uint64_t hash = seed;

	if (len < 8)
		return ics_hash(p, len, seed);
	if (len < 16)
		return ics_hash_mix(ics_load_u64(p) ^ hash, ics_load_u64(end - 8) + hash);
	for (; end - p > 16; p += 16)
		hash = ics_hash_mix(ics_load_u64(p) ^ hash, ics_load_u64(p + 8) + seed);
	return ics_hash_mix(ics_load_u64(end - 16) ^ hash, ics_load_u64(end - 8) + seed);
}

/* Keys of the model are an address, a MAC or an index with the segment: of known length it is half the work. */
uint64_t
ics_table_hash(const struct ics_table *t, const void *key)
{
	switch (t->key_len) {
	case 8:
		return hash_of(key, 8, t->seed);
	case 10:
		return hash_of(key, 10, t->seed);
	case 20:
		return hash_of(key, 20, t->seed);
	default:
		return hash_of(key, t->key_len, t->seed);
	}
}

/* Keys are 8 octets or longer, or short enough for whatever memcmp() does. */
static inline bool
is_key(const struct ics_table *t, const struct ics_table_head *h, const void *key)
{
	const uint8_t *a = key_of(h), *b = key;
	uint32_t n = t->key_len, i = 0;
	uint64_t differ;

	if (n == 20)
		return ((ics_load_u64(a) ^ ics_load_u64(b)) | (ics_load_u64(a + 8) ^ ics_load_u64(b + 8)) |
			(ics_load_u64(a + 12) ^ ics_load_u64(b + 12))) == 0;
	if (n == 10)
		return ((ics_load_u64(a) ^ ics_load_u64(b)) | (ics_load_u64(a + 2) ^ ics_load_u64(b + 2))) == 0;
	if (n < 8)
		return memcmp(a, b, n) == 0;
	differ = ics_load_u64(a + n - 8) ^ ics_load_u64(b + n - 8);
	for (; i + 8 < n; i += 8)
		differ |= ics_load_u64(a + i) ^ ics_load_u64(b + i);
	return differ == 0;
}

int
ics_table_init(struct ics_table *t, uint32_t entry_len, uint32_t key_len, uint32_t max, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	if (max == 0 || max > INDEX_MAX || entry_len % 8 != 0 || entry_len < sizeof(struct ics_table_head) + key_len)
		return -EINVAL;
	t->entry_len = entry_len;
	t->key_len = key_len;
	t->max = max;
	t->seed = seed;
	t->low = t->n_buckets = BUCKETS_MIN;
	t->entry = reserve(entries_len(t));
	t->bucket = reserve(buckets_len(t));
	if (t->entry == NULL || t->bucket == NULL) {
		ics_table_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void
ics_table_fini(struct ics_table *t)
{
	ics_pages_free(t->entry, entries_len(t));
	ics_pages_free(t->bucket, buckets_len(t));
	memset(t, 0, sizeof(*t));
}

uint32_t
ics_table_peek(const struct ics_table *t, const void *key)
{
	uint64_t hash = ics_table_hash(t, key);
	uint32_t head = t->bucket[ics_table_bucket(t, hash)], i = head & ICS_TABLE_INDEX;

	/* Most keys that are not there end here, without a look at any entry. */
	if (i != 0 && (head & ICS_TABLE_TAG) != ics_table_tag(hash))
		i = head & ICS_TABLE_MORE ? head_at(t, i)->next : 0;
	while (i != 0) {
		const struct ics_table_head *h = head_at(t, i);

		if (is_key(t, h, key))
			return i;
		i = h->next;
	}
	return 0;
}

uint32_t
ics_table_find(struct ics_table *t, const void *key)
{
	uint32_t i = ics_table_peek(t, key);

	if (i != 0)
		head_at(t, i)->used = ++t->clock;
	return i;
}

uint32_t
ics_table_find_near(struct ics_table *t, const void *key, uint32_t index)
{
	struct ics_table_head *h;

	if (index == 0)
		return ics_table_find(t, key);
	h = head_at(t, index);
	if (h->used == 0 || !is_key(t, h, key))
		return ics_table_find(t, key);
	h->used = ++t->clock;
	return index;
}

static void
put_in_front(struct ics_table *t, uint64_t hash, uint32_t index)
{
	uint32_t *head = &t->bucket[ics_table_bucket(t, hash)];

	head_at(t, index)->next = *head & ICS_TABLE_INDEX;
	*head = index | (*head != 0 ? ICS_TABLE_MORE : 0) | ics_table_tag(hash);
}

static void
split(struct ics_table *t)
{
	uint32_t *from = &t->bucket[t->n_buckets - t->low], i = *from & ICS_TABLE_INDEX, next;
	uint32_t soon = from[SPLIT_AHEAD] & ICS_TABLE_INDEX;

	if (soon != 0)
		__builtin_prefetch(head_at(t, soon));
	if (++t->n_buckets == FRONT_USED / sizeof(*t->bucket) && buckets_len(t) >= LARGE_MIN)
		ics_pages_prefer_large(t->bucket, ICS_PAGES_LARGE);
	*from = 0;
	for (; i != 0; i = next) {
		struct ics_table_head *h = head_at(t, i);

		next = h->next;
		put_in_front(t, ics_table_hash(t, key_of(h)), i);
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
	if (++t->fresh == FRONT_USED / t->entry_len && entries_len(t) >= LARGE_MIN)
		ics_pages_prefer_large(t->entry, ICS_PAGES_LARGE);
	return t->fresh;
}

uint32_t
ics_table_insert(struct ics_table *t, const void *key)
{
	uint32_t i = take(t);
	struct ics_table_head *h;

	if (i == 0)
		return 0;
	h = head_at(t, i);
	memset(h, 0, t->entry_len);
	memcpy(h + 1, key, t->key_len);
	h->used = ++t->clock;
	put_in_front(t, ics_table_hash(t, key), i);
	t->count++;
	while (t->n_buckets < BUCKETS * t->count)
		split(t); /* a few times at most */
	return i;
}

/* The chain behind the bucket begins with this entry from now on. */
static void
set_front(struct ics_table *t, uint32_t *head, uint32_t index)
{
	const struct ics_table_head *h;

	*head = 0;
	if (index == 0)
		return;
	h = head_at(t, index);
	*head = index | (h->next != 0 ? ICS_TABLE_MORE : 0) | ics_table_tag(ics_table_hash(t, key_of(h)));
}

void
ics_table_remove(struct ics_table *t, uint32_t index)
{
	struct ics_table_head *h = head_at(t, index), *p;
	uint32_t *head = &t->bucket[ics_table_bucket(t, ics_table_hash(t, key_of(h)))];

	if ((*head & ICS_TABLE_INDEX) == index) {
		set_front(t, head, h->next);
	} else {
		for (p = head_at(t, *head & ICS_TABLE_INDEX); p->next != index; p = head_at(t, p->next))
			;
		p->next = h->next;
		if (head_at(t, *head & ICS_TABLE_INDEX)->next == 0)
			*head &= ~ICS_TABLE_MORE;
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

/* Two neighbours at each place: half as many misses of the cache. */
#define LOOK_RUN 2
/* Candidates that suffice where one of them ranks lowest. */
#define LOOK_FEW 4
/* A prime beyond any number of places: stepping by it visits each of them before any for the second time. */
#define LOOK_STRIDE 2654435761ull

uint32_t
ics_table_victim(struct ics_table *t, ics_table_rank_fn rank, void *ctx)
{
	uint32_t places = (t->fresh + LOOK_RUN - 1) / LOOK_RUN, best = 0, seen = 0, at = 0;
	bool small = t->fresh <= ICS_TABLE_LOOKS;
	int best_rank = 0;

	for (uint32_t n = 0; n < ICS_TABLE_LOOKS; n++) {
		const struct ics_table_head *h;
		int r;

		if (small && n == t->fresh)
			break;
		/* Between two places, never within one: the rest of it would wait for a whole round, each time. */
		if (!small && n % LOOK_RUN == 0) {
			if (seen >= ICS_TABLE_WINDOW || (seen >= LOOK_FEW && best_rank == 0))
				break;
			t->hand = (uint32_t)((t->hand + LOOK_STRIDE) % places);
			at = t->hand * LOOK_RUN;
		}
		if (++at > t->fresh)
			continue;
		h = head_at(t, at);
		r = h->used == 0 ? -1 : rank(h, ctx);
		if (r < 0)
			continue;
		if (best == 0 || r < best_rank || (r == best_rank && h->used < head_at(t, best)->used)) {
			best = at;
			best_rank = r;
		}
		seen++;
	}
	return best;
}
