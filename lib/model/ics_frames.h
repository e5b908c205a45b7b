/* Which frames repeat, how often and where: copies of one frame, counted over all workers by its hash, and what that
 * says about a segment: who repeats himself, whether the others do too (a loop repeats everybody, a broken network card
 * only what it sends), and whether the tap itself delivers every frame several times. Part of ics_model.h.
 */
#ifndef ICS_FRAMES_H
#define ICS_FRAMES_H

#include "ics_msg.h"

/* Multicast ND, MLD and other ICMP, and all MLD, are counted as long as they come again within a second. */
#define ICS_FRAMES_MAX 65536
#define ICS_FRAME_AGE_NS 1000000000ull
#define ICS_FRAME_SLOT_NS 100000000ull
#define ICS_FRAME_SLOTS 10
#define ICS_FRAME_PLACES 4

struct ics_frame_count {
	uint64_t hash;                      /* 0: free */
	uint64_t first_ns, last_ns, run_ns; /* run_ns: since when it comes without a pause */
	uint64_t heard;                     /* messages since first_ns, wherever they came in */
	uint64_t total;              /* of them at the place that had most: what is seen at several is no repetition */
	uint32_t added;              /* by which the latest message, or record of copies, made total more */
	uint64_t slot;               /* number of the latest slot of 100 ms */
	uint32_t n[ICS_FRAME_SLOTS]; /* messages in the latest ten slots */
	uint32_t in_second;          /* sum of them */
	uint32_t min_gap_ns;         /* UINT32_MAX: not known. 0: in one burst */
	uint32_t segment[ICS_FRAME_PLACES]; /* ids, in order of appearance; of more places those that repeat stay */
	uint32_t at[ICS_FRAME_PLACES];      /* messages there */
	uint8_t home;                       /* where it repeats: index of one of them */
	uint16_t ports;                     /* bits: where copies arrived */
	uint8_t n_segments;                 /* saturates at ICS_FRAME_PLACES */
	uint8_t class;
	uint8_t doublings; /* slots in a row with at least twice the messages of the one before */
	bool multicast;
	bool twin_port; /* a copy came in at another port within two milliseconds: mirrored twice */
	struct ics_mac smac;
};

/* A MAC whose frame comes more than a few times a second on this segment. */
#define ICS_REPEATERS 8
#define ICS_REPEATER_MIN 5 /* copies a second */
struct ics_repeater {
	struct ics_mac mac;
	uint8_t class;   /* of its frame */
	bool other_kind; /* it repeats something else than MLD reports too */
	uint64_t hash;
	uint64_t since_ns, last_ns;
	uint32_t per_s;   /* of the latest second, corrected by the feed */
	uint32_t span_ms; /* for how long that frame has been coming */
	uint32_t clean;   /* frames that others sent since then, and that came once */
};

/* Frames by how often each came within two milliseconds, 1 to 5 and more. */
#define ICS_FEED_MAX 4 /* a mirror delivers a frame up to so many times */
#define ICS_FEED_BUCKETS (ICS_FEED_MAX + 2)
#define ICS_FEED_GAPS 4 /* of copies: below 0.1, 0.5, 1 and 2 ms */
struct ics_feed {
	uint32_t times[ICS_FEED_BUCKETS]; /* at all places of the tap; of the latest one to two minutes */
	uint32_t frames;                  /* all of them */
	uint32_t gap[ICS_FEED_GAPS];
	uint16_t ports;    /* bits: where they came in */
	unsigned k;        /* every frame comes so many times; 1: once */
	uint64_t since_ns; /* k is what it is */
};

struct ics_model;
/* The frame of that hash, NULL when it is not counted (any more). */
const struct ics_frame_count *ics_model_frame(const struct ics_model *m, uint64_t hash);
/* Those that repeated something within the latest second or so; returns how many, at most ICS_REPEATERS. */
unsigned ics_model_repeaters(const struct ics_model *m, uint32_t segment,
			     const struct ics_repeater *out[static ICS_REPEATERS]);
/* MACs of which a multicast frame was heard within the latest ten seconds, up to 8. */
unsigned ics_model_speakers(const struct ics_model *m, uint32_t segment);
/* How often the tap delivers a frame at one place of this segment, 1 to ICS_FEED_MAX: what counts of copies, which are
 * those of one place, are to be divided by.
 */
unsigned ics_model_feed_factor(const struct ics_model *m, uint32_t segment);
/* How often it delivers a frame at all places, as ics_feed.k. */
unsigned ics_model_feed_times(const struct ics_model *m, uint32_t segment);
void ics_model_feed(const struct ics_model *m, uint32_t segment, struct ics_feed *out);

struct ics_frames_stats {
	uint64_t kept;      /* frames in the table */
	uint64_t evictions; /* frames that went within a second of their latest copy */
	uint64_t unknown;   /* copies of frames that are not in it */
};
void ics_model_frames_stats(const struct ics_model *m, struct ics_frames_stats *out);

/* Messages a second of a frame as its sender sent them, and in all. */
static inline uint32_t
ics_frame_per_s(const struct ics_frame_count *f, unsigned factor)
{
	return f->in_second / factor;
}

#endif
