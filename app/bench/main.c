/* Cycles per packet of each stage of the fast half, without EAL or NIC: a capture is loaded into memory and gone
 * through again and again in bursts of 32, hot in cache, the best of many rounds counting.
 */
#include "ics_capture.h"
#include "ics_inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BURST 32
#define FRAMES_MAX 65536

static struct ics_frame frames[FRAMES_MAX];
static unsigned n_frames;

static struct ics_counters counters;
static struct ics_inspect in;
static volatile uint64_t keep; /* results go here so that no stage is optimised away */
static uint64_t now_ns = 1;

static uint64_t
cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
#endif
}

static int
load(const char *path)
{
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c = ics_capture_open(path, err);
	struct ics_frame f;
	uint64_t ts;
	int rc = 0;

	if (c == NULL) {
		fprintf(stderr, "%s\n", err);
		return -1;
	}
	while (n_frames < FRAMES_MAX && (rc = ics_capture_next(c, &f, &ts, err)) == 1) {
		uint8_t *copy = malloc(f.cap_len);

		if (copy == NULL)
			break;
		memcpy(copy, f.data, f.cap_len);
		f.data = copy;
		frames[n_frames++] = f;
	}
	if (rc < 0)
		fprintf(stderr, "%s\n", err);
	ics_capture_close(c);
	return n_frames >= BURST ? 0 : -1;
}

static int
discard(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	keep += rec->frame_hash;
	return 0;
}

static void
stage_peek(const struct ics_frame *f)
{
	for (unsigned i = 0; i < BURST; i++)
		keep += ics_peek(&f[i], &in.decode);
}

static void
stage_decode(const struct ics_frame *f)
{
	struct ics_pkt pkt;

	for (unsigned i = 0; i < BURST; i++) {
		ics_decode(&f[i], &in.decode, &pkt);
		keep += pkt.class;
	}
}

static void
stage_validate(const struct ics_frame *f)
{
	struct ics_pkt pkt;

	for (unsigned i = 0; i < BURST; i++) {
		ics_inspect_frame(&in, &f[i], &pkt);
		keep += pkt.reasons.w[0];
	}
}

static void
stage_inspect(const struct ics_frame *f)
{
	ics_inspect_burst(&in, f, BURST, now_ns += 100);
}

/* Best of the rounds, in hundredths of a cycle a packet. */
static uint64_t
measure(void (*stage)(const struct ics_frame *f), unsigned rounds)
{
	uint64_t best = UINT64_MAX;
	unsigned n = n_frames / BURST * BURST;

	for (unsigned r = 0; r < rounds; r++) {
		uint64_t t = cycles();

		for (unsigned i = 0; i < n; i += BURST)
			stage(&frames[i]);
		t = (cycles() - t) * 100 / n;
		if (t < best)
			best = t;
	}
	return best;
}

static void
row(const char *name, uint64_t hundredths)
{
	printf("%-44s %5" PRIu64 ".%02" PRIu64 "\n", name, hundredths / 100, hundredths % 100);
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2000;

	if (argc < 2 || argc > 3 || rounds == 0) {
		fprintf(stderr, "usage: icmpscope-bench CAPTURE [ROUNDS]   (32 to %u frames are used)\n", FRAMES_MAX);
		return 2;
	}
	if (load(argv[1]) != 0) {
		fprintf(stderr, "icmpscope-bench: %s: need a capture of at least %u frames\n", argv[1], BURST);
		return 1;
	}
	in = (struct ics_inspect){.validate = {1500}, .counters = &counters, .seed = 1};
	ics_inspect_init(&in);
	printf("%-44s %8s\n", argv[1], "cycles/packet");
	row("peek", measure(stage_peek, rounds));
	row("decode", measure(stage_decode, rounds));
	row("decode, validate", measure(stage_validate, rounds));
	row("inspect: counted only", measure(stage_inspect, rounds));
	in.sink.push = discard;
	row("inspect: a record each", measure(stage_inspect, rounds));
	in.fold = ics_fold_init(NULL);
	if (in.fold == NULL)
		return 1;
	row("inspect: folded", measure(stage_inspect, rounds));
	in.sampler =
		ics_sampler_init(&(struct ics_sample_conf){.filter_bits = 1u << 25, .link_mtu = 1500, .seed = 1}, NULL);
	if (in.sampler == NULL)
		return 1;
	ics_inspect_init(&in);
	row("inspect: folded, TCP sampler on", measure(stage_inspect, rounds));
	ics_sampler_free(in.sampler);
	ics_fold_free(in.fold);
	return 0;
}
