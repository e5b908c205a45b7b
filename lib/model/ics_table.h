/* The one hash table of the slow half: fixed-size entries behind a seeded hash, capped, with the least recently used
 * entry of a small window as the one to go. Buckets grow one split at a time (linear hashing), and memory is address
 * space that the kernel fills in as it is touched, so that neither an empty table nor a growing one ever costs
 * more than a few microseconds or pages. Entries never move; an index (from 1 on, 0 is none) names one for as
 * long as it lives. One thread.
 */
#ifndef ICS_TABLE_H
#define ICS_TABLE_H

#include "ics_wire.h"

/* Entries that an eviction looks at. */
#define ICS_TABLE_WINDOW 8

/* First member of every entry; the key follows it at once. */
struct ics_table_head {
	uint64_t next : 24; /* in its bucket, or in the free list */
	uint64_t used : 40; /* when it was last found, in look-ups; 0: free */
};

struct ics_table {
	uint64_t seed, clock;
	uint8_t *entry;   /* max of them */
	uint32_t *bucket; /* heads of chains: index, whether it is alone, some bits of the hash of its key */
	uint32_t entry_len, key_len, max;
	uint32_t count, fresh;   /* entries that live; entries ever handed out */
	uint32_t n_buckets, low; /* low: power of two, low <= n_buckets < 2 * low */
	uint32_t free_head, hand;
};

/* key_len bytes behind the head are the key. 0, -EINVAL or -ENOMEM. */
int ics_table_init(struct ics_table *t, uint32_t entry_len, uint32_t key_len, uint32_t max, uint64_t seed);
void ics_table_fini(struct ics_table *t);

/* 0 when there is none. Counts as a use. */
uint32_t ics_table_find(struct ics_table *t, const void *key);
/* The same where the entry of that index (0: none) is likely the one; it may also be gone or another's. */
uint32_t ics_table_find_near(struct ics_table *t, const void *key, uint32_t index);
/* As ics_table_find(), without being a use. */
uint32_t ics_table_peek(const struct ics_table *t, const void *key);
/* A new entry, zero but for its key, which must not be in the table; 0 when the table is full. */
uint32_t ics_table_insert(struct ics_table *t, const void *key);
void ics_table_remove(struct ics_table *t, uint32_t index);
/* The least recently used of the next few entries that may_go allows (NULL: any); 0 when there is none. Only of the
 * whole table when it has no more than ICS_TABLE_WINDOW entries.
 */
uint32_t ics_table_oldest(struct ics_table *t, bool (*may_go)(const void *entry));

/* The least recently used of those that rank lowest, of some places far apart: enough to see a few that may go. From call
 * to call it goes round, so each entry gets its turn. rank is below 0 for one that must stay. 0 when there is none; of the
 * whole table when that has no more than ICS_TABLE_LOOKS.
 */
#define ICS_TABLE_LOOKS 64
typedef int (*ics_table_rank_fn)(const void *entry, void *ctx);
uint32_t ics_table_victim(struct ics_table *t, ics_table_rank_fn rank, void *ctx);

static inline void *
ics_table_at(const struct ics_table *t, uint32_t index)
{
	return t->entry + (size_t)(index - 1) * t->entry_len;
}

static inline uint32_t
ics_table_index(const struct ics_table *t, const void *entry)
{
	return (uint32_t)((size_t)((const uint8_t *)entry - t->entry) / t->entry_len) + 1;
}

/* Brings what a look-up will touch into the cache, for those who know keys ahead: first the bucket, then the entry
 * at its head, which prefetch_entry returns the index of (0: none).
 */
uint64_t ics_table_hash(const struct ics_table *t, const void *key);
static inline uint32_t
ics_table_bucket(const struct ics_table *t, uint64_t hash)
{
	uint32_t b = (uint32_t)(hash ^ hash >> 32) & (2 * t->low - 1);

	return b < t->n_buckets ? b : b & (t->low - 1);
}

static inline void
ics_table_prefetch_bucket(const struct ics_table *t, uint64_t hash)
{
	__builtin_prefetch(&t->bucket[ics_table_bucket(t, hash)]);
}

#define ICS_TABLE_INDEX 0x00ffffffu /* of a bucket */
#define ICS_TABLE_MORE 0x01000000u
#define ICS_TABLE_TAG 0xfe000000u
static inline uint32_t
ics_table_tag(uint64_t hash)
{
	return (uint32_t)(hash >> 32) & ICS_TABLE_TAG;
}

/* The first two lines of an entry; entries of 64 octets, or of more in full lines, lie on lines of their own. */
static inline void
ics_table_prefetch_at(const struct ics_table *t, uint32_t i)
{
	const uint8_t *e = ics_table_at(t, i);

	__builtin_prefetch(e);
	if (t->entry_len != 64)
		__builtin_prefetch(e + 64);
}

static inline uint32_t
ics_table_prefetch_entry(const struct ics_table *t, uint64_t hash)
{
	uint32_t head = t->bucket[ics_table_bucket(t, hash)], i = head & ICS_TABLE_INDEX;

	if (i == 0 || (head & ICS_TABLE_TAG) != ics_table_tag(hash))
		return 0;
	ics_table_prefetch_at(t, i);
	return i;
}

/* The same where the entry may stand behind another one, of another tag: then what is asked for is that other one, and the
 * index has ICS_TABLE_BEHIND on top. Once it has come, prefetch_behind asks for the one behind it and returns its index;
 * chains of more are rare.
 */
#define ICS_TABLE_BEHIND (1ull << 32)
static inline uint64_t
ics_table_prefetch_chain(const struct ics_table *t, uint64_t hash)
{
	uint32_t head = t->bucket[ics_table_bucket(t, hash)], i = head & ICS_TABLE_INDEX;
	bool behind = (head & ICS_TABLE_TAG) != ics_table_tag(hash);

	if (i == 0 || (behind && !(head & ICS_TABLE_MORE)))
		return 0;
	ics_table_prefetch_at(t, i);
	return behind ? i | ICS_TABLE_BEHIND : i;
}

static inline uint32_t
ics_table_prefetch_behind(const struct ics_table *t, uint64_t index)
{
	uint32_t i = ((const struct ics_table_head *)ics_table_at(t, (uint32_t)index))->next;

	if (i != 0)
		ics_table_prefetch_at(t, i);
	return i;
}

/* Counting index from 1 to t->fresh visits every entry that lives. */
static inline bool
ics_table_is_live(const struct ics_table *t, uint32_t index)
{
	return ((const struct ics_table_head *)ics_table_at(t, index))->used != 0;
}

static inline void
ics_table_touch(struct ics_table *t, void *entry)
{
	((struct ics_table_head *)entry)->used = ++t->clock;
}

#endif
