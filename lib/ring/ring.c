/* Record sink and source on rte_ring (design: The record). The producer writes header and frame straight into
 * reserved ring memory; the consumer reads them in place and copies only the frame that wraps. Called by workers
 * (push) and by the control core (drain).
 */
#include "ics_ring.h"

#include "ics_compat.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>
#include <stdio.h>

#define ELEM ICS_RECORD_ELEM
#define RECORD_ELEMS_MAX (1 + (ICS_RECORD_FRAME_MAX + ELEM - 1) / ELEM)
/* Elements looked at in one go: enough for a few longest records, little enough to give space back early. */
#define DRAIN_ELEMS 1024
/* Reserved in one go: a burst's records, mostly. */
#define BATCH_ELEMS 256
/* So many elements ahead of what is written are fetched. */
#define AHEAD 12

_Static_assert(DRAIN_ELEMS >= 2 * RECORD_ELEMS_MAX, "a whole record fits into one look");
_Static_assert(ICS_RING_MIN >= 4 * RECORD_ELEMS_MAX, "three quarters of a ring hold the longest record");

/* What the producer has reserved and not published yet: open elements at z, of them used ones are written; free are left
 * behind them.
 */
struct batch {
	struct rte_ring_zc_data z;
	unsigned open, used, free;
};

/* One direction of one lane. batch and peak are written by the producer alone. */
struct lane {
	struct rte_ring *ring;
	unsigned size;
	unsigned reserve;
	struct batch batch;
	_Atomic uint64_t peak;
	RTE_CACHE_GUARD;
};

struct ics_ring {
	struct lane urgent, bulk;
	/* the consumer's: a frame that wraps is put together here */
	uint8_t scratch[ICS_RECORD_FRAME_MAX + ELEM];
};

static bool
is_size(unsigned n)
{
	return n >= ICS_RING_MIN && n <= ICS_RING_MAX && (n & (n - 1)) == 0;
}

static int
lane_init(struct lane *l, const char *name, const char *suffix, unsigned size, int socket)
{
	char full[RTE_RING_NAMESIZE];

	snprintf(full, sizeof(full), "%.20s%s", name, suffix);
	/* One element of a ring of this size cannot be used; lanes have thousands. */
	l->ring = rte_ring_create_elem(full, ELEM, size, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (l->ring == NULL)
		return -rte_errno;
	l->size = size - 1;
	/* Without hugepages the kernel would hand it out page by page as records come: a quiet lane is an hour's way round. */
	memset((uint8_t *)l->ring->memzone->addr + sizeof(*l->ring), 0, l->ring->memzone->len - sizeof(*l->ring));
	return 0;
}

struct ics_ring *
ics_ring_new(const char *name, unsigned urgent, unsigned bulk, int socket)
{
	struct ics_ring *r;
	int rc;

	if (!is_size(urgent) || !is_size(bulk)) {
		errno = EINVAL;
		return NULL;
	}
	r = rte_zmalloc_socket(name, sizeof(*r), RTE_CACHE_LINE_SIZE, socket);
	if (r == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	rc = lane_init(&r->urgent, name, "_u", urgent, socket);
	if (rc == 0)
		rc = lane_init(&r->bulk, name, "_b", bulk, socket);
	if (rc != 0) {
		ics_ring_free(r);
		errno = -rc;
		return NULL;
	}
	r->urgent.reserve = urgent / 4;
	r->bulk.reserve = bulk - bulk / 8;
	return r;
}

void
ics_ring_free(struct ics_ring *r)
{
	if (r == NULL)
		return;
	rte_ring_free(r->bulk.ring);
	rte_ring_free(r->urgent.ring);
	rte_free(r);
}

uint64_t
ics_ring_bytes(unsigned urgent, unsigned bulk)
{
	return ((uint64_t)urgent + bulk) * ELEM + sizeof(struct ics_ring) + 2 * sizeof(struct rte_ring);
}

/* Where element i of what was reserved lies. */
static uint8_t *
place(const struct rte_ring_zc_data *z, unsigned i)
{
	return i < z->n1 ? (uint8_t *)z->ptr1 + (size_t)i * ELEM : (uint8_t *)z->ptr2 + (size_t)(i - z->n1) * ELEM;
}

/* Fetches for writing: the consumer's CPU has read it last. */
static inline void
fetch(const uint8_t *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* Header, then frame, into n elements from i on, which may lie in two pieces. Padding behind the frame is left as it was:
 * it is never read.
 */
static void
put_record(const struct batch *b, unsigned n, const struct ics_record *rec, const uint8_t *frame)
{
	uint8_t *body;
	uint32_t first;

	ics_record_copy(place(&b->z, b->used), rec);
	if (n == 1)
		return;
	body = place(&b->z, b->used + 1);
	if (ics_likely(b->used + n <= b->z.n1 || b->used + 1 >= b->z.n1)) {
		memcpy(body, frame, rec->cap_len);
		return;
	}
	first = (b->z.n1 - b->used - 1) * ELEM;
	if (first > rec->cap_len)
		first = rec->cap_len;
	memcpy(body, frame, first);
	memcpy(b->z.ptr2, frame + first, rec->cap_len - first);
}

static void
publish(struct lane *l)
{
	struct batch *b = &l->batch;
	uint64_t used;

	if (b->open == 0)
		return;
	rte_ring_enqueue_zc_elem_finish(l->ring, b->used);
	used = l->size - b->free - (b->open - b->used);
	if (ics_unlikely(used > atomic_load_explicit(&l->peak, memory_order_relaxed)))
		atomic_store_explicit(&l->peak, used, memory_order_relaxed);
	b->open = b->used = 0;
}

void
ics_ring_publish(void *ring)
{
	struct ics_ring *r = ring;

	publish(&r->urgent);
	publish(&r->bulk);
}

static bool
has_room(const struct lane *l, unsigned n, bool modest)
{
	unsigned left = l->batch.open - l->batch.used;

	return left >= n && !(modest && l->batch.free + left - n < l->reserve);
}

/* Room for n elements and a few more. What was written is published first: whoever waits for room needs it taken. */
static bool
reserve(struct lane *l, unsigned n)
{
	struct batch *b = &l->batch;

	publish(l);
	b->open =
		rte_ring_enqueue_zc_burst_elem_start(l->ring, ELEM, n > BATCH_ELEMS ? n : BATCH_ELEMS, &b->z, &b->free);
	if (b->open >= n)
		return true;
	if (b->open != 0)
		rte_ring_enqueue_zc_elem_finish(l->ring, 0);
	b->open = 0;
	return false;
}

int
ics_ring_push(void *ring, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	struct ics_ring *r = ring;
	struct lane *l = lane == ICS_LANE_BULK || lane == ICS_LANE_SAMPLE ? &r->bulk : &r->urgent;
	struct batch *b = &l->batch;
	unsigned n = ics_record_elems(rec->cap_len);

	bool modest = lane == ICS_LANE_URGENT || lane == ICS_LANE_SAMPLE;

	/* What is known of the room may be old: looked up again before anything is refused. */
	if (ics_unlikely(!has_room(l, n, modest)) && !(reserve(l, n) && has_room(l, n, modest))) {
		publish(l);
		return -ENOSPC;
	}
	put_record(b, n, rec, frame);
	b->used += n;
	for (unsigned i = b->used + AHEAD; i < b->used + AHEAD + n && i < b->open; i++)
		fetch(place(&b->z, i));
	return 0;
}

/* Where element i of the look lies. */
static const uint8_t *
elem_at(const struct rte_ring_zc_data *z, unsigned i)
{
	return i < z->n1 ? (const uint8_t *)z->ptr1 + (size_t)i * ELEM
			 : (const uint8_t *)z->ptr2 + (size_t)(i - z->n1) * ELEM;
}

/* The frame behind the header at element i, in one piece. */
static struct ics_view
frame_at(struct ics_ring *r, const struct rte_ring_zc_data *z, unsigned i, unsigned cap_len)
{
	uint32_t first;

	if (cap_len == 0)
		return (struct ics_view){0};
	if (i + 1 >= z->n1 || i + ics_record_elems(cap_len) <= z->n1)
		return (struct ics_view){.p = elem_at(z, i + 1), .len = cap_len};
	first = (z->n1 - i - 1) * ELEM;
	if (first >= cap_len)
		first = cap_len;
	memcpy(r->scratch, elem_at(z, i + 1), first);
	memcpy(r->scratch + first, z->ptr2, cap_len - first);
	return (struct ics_view){.p = r->scratch, .len = cap_len};
}

/* Bounded by max records; each look gives its space back before the next. At most one frame of a look wraps, so the
 * scratch holds it as long as the look lasts.
 */
static unsigned
drain(struct ics_ring *r, struct lane *l, unsigned max, ics_ring_batch_fn cb, void *ctx)
{
	struct ics_ring_item items[ICS_RING_BATCH];
	struct rte_ring_zc_data z;
	unsigned done = 0, n, i, k;

	while (done < max) {
		n = rte_ring_dequeue_zc_burst_elem_start(l->ring, ELEM, DRAIN_ELEMS, &z, NULL);
		for (i = 0, k = 0; i < n && done < max; done++) {
			const struct ics_record *rec = (const struct ics_record *)elem_at(&z, i);
			unsigned elems = ics_record_elems(rec->cap_len);

			/* The look may end inside a record: that one waits for the next look. */
			if (i + elems > n)
				break;
			items[k++] = (struct ics_ring_item){.rec = rec, .frame = frame_at(r, &z, i, rec->cap_len)};
			if (k == ICS_RING_BATCH) {
				cb(ctx, items, k);
				k = 0;
			}
			i += elems;
		}
		if (k > 0)
			cb(ctx, items, k);
		rte_ring_dequeue_zc_elem_finish(l->ring, i);
		if (i == 0)
			break;
	}
	return done;
}

unsigned
ics_ring_drain_urgent(struct ics_ring *r, unsigned max_records, ics_ring_batch_fn cb, void *ctx)
{
	return drain(r, &r->urgent, max_records, cb, ctx);
}

unsigned
ics_ring_drain_bulk(struct ics_ring *r, unsigned max_records, ics_ring_batch_fn cb, void *ctx)
{
	return drain(r, &r->bulk, max_records, cb, ctx);
}

static void
stats(const struct lane *l, struct ics_ring_stats *out)
{
	out->size = l->size;
	out->used = rte_ring_count(l->ring);
	out->peak = atomic_load_explicit((_Atomic uint64_t *)&l->peak, memory_order_relaxed);
}

void
ics_ring_stats_urgent(const struct ics_ring *r, struct ics_ring_stats *out)
{
	stats(&r->urgent, out);
}

void
ics_ring_stats_bulk(const struct ics_ring *r, struct ics_ring_stats *out)
{
	stats(&r->bulk, out);
}
