/* The way from a worker to the control core: two single-producer, single-consumer rte_rings of 64-byte elements. A record is its header followed by the frame, padded to whole elements, and
 * goes in and out as a whole. The worker never waits: what does not fit is refused and counted by the caller.
 */
#ifndef ICS_RING_H
#define ICS_RING_H

#include "ics_record.h"

#include <stdatomic.h>

/* Elements; a ring must hold the longest record several times over. */
#define ICS_RING_MIN 1024
#define ICS_RING_MAX (1u << 24)

struct ics_ring;

/* Numbers of one of the two rings; elements of 64 bytes. */
struct ics_ring_stats {
	uint64_t size, used, peak;
};

/* urgent and bulk: elements, powers of two. name: unique in the process, at most 20 characters. NULL and errno:
 * EINVAL for a size out of bounds, else what rte_ring_create_elem() or the allocator said.
 */
struct ics_ring *ics_ring_new(const char *name, unsigned urgent, unsigned bulk, int socket);
void ics_ring_free(struct ics_ring *r);
/* Bytes that a pair of these sizes takes. */
uint64_t ics_ring_bytes(unsigned urgent, unsigned bulk);

/* A struct ics_sink's push: ctx is the ring. The consumer sees it after ics_ring_publish(), or when no more of it fits. Of the urgent ring the last quarter is for ICS_LANE_RESERVED alone, so
 * that no flood of other urgent messages can push out what concerns known routers. ICS_LANE_SAMPLE is bulk that is refused
 * once an eighth of the ring is taken, so that samples leave room for messages. Producer only.
 */
int ics_ring_push(void *ring, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame);
/* A struct ics_sink's publish. Producer only. */
void ics_ring_publish(void *ring);

/* Hands at most max_records records to cb, oldest first and up to ICS_RING_BATCH at a time, and gives their space back;
 * records and frames live as long as the call. Returns how many there were. Consumer only.
 */
#define ICS_RING_BATCH 128
struct ics_ring_item {
	const struct ics_record *rec;
	struct ics_view frame;
};
typedef void (*ics_ring_batch_fn)(void *ctx, const struct ics_ring_item *items, unsigned n);
unsigned ics_ring_drain_urgent(struct ics_ring *r, unsigned max_records, ics_ring_batch_fn cb, void *ctx);
unsigned ics_ring_drain_bulk(struct ics_ring *r, unsigned max_records, ics_ring_batch_fn cb, void *ctx);

/* From any thread; used is a moment's value, peak the highest fill that the producer saw. */
void ics_ring_stats_urgent(const struct ics_ring *r, struct ics_ring_stats *out);
void ics_ring_stats_bulk(const struct ics_ring *r, struct ics_ring_stats *out);

#endif
