/* First inputs of the targets: fuzz_seeds DIR [CAPTURE...] fills DIR/TARGET from the base packets of the unit tests and
 * from the frames of captures that are given. Called by devtools/fuzz.
 */
#include "frame.h"

#include "ics_capture.h"

#include <errno.h>
#include <sys/stat.h>

#define FRAMES_MAX 400 /* of one capture */
#define SEQUENCE_MAX 24

static const char *root;

static void
write_seed(const char *target, const char *name, unsigned n, const void *data, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, target);
	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		goto bad;
	snprintf(path, sizeof(path), "%s/%s/%s-%u", root, target, name, n);
	f = fopen(path, "wbe");
	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		goto bad;
	return;
bad:
	perror(path);
	exit(1);
}

/* What fuzz_inspect.c reads: nothing but two copies, then the frame. */
static void
seed_inspect(const char *name, unsigned n, uint8_t link, const uint8_t *frame, uint32_t len)
{
	uint8_t b[10 + FUZZ_FRAME_MAX] = {link, 0, 0, 0, 0xff, 0xff, 0, 1, 1, 0};

	if (len > FUZZ_FRAME_MAX)
		len = FUZZ_FRAME_MAX;
	memcpy(b + 10, frame, len);
	write_seed("inspect", name, n, b, 10 + len);
}

/* What fuzz_engine.c reads. */
struct sequence {
	uint8_t b[2 + SEQUENCE_MAX * (4 + FUZZ_FRAME_MAX)];
	size_t len;
};

static void
sequence_start(struct sequence *s, uint8_t link)
{
	s->b[0] = 0x08;
	s->b[1] = (uint8_t)(link << 5);
	s->len = 2;
}

/* step and often: codes of fuzz_engine.c. False when it is full. */
static bool
sequence_add(struct sequence *s, uint8_t step, uint8_t often, const uint8_t *frame, uint32_t len)
{
	if (len > FUZZ_FRAME_MAX || s->len + 4 + len > sizeof(s->b))
		return false;
	s->b[s->len] = step;
	s->b[s->len + 1] = often;
	s->b[s->len + 2] = (uint8_t)(len >> 8);
	s->b[s->len + 3] = (uint8_t)len;
	if (len != 0)
		memcpy(s->b + s->len + 4, frame, len);
	s->len += 4 + len;
	return true;
}

/* A router that says something, then each of the base packets, several times and alone. */
static void
seed_sequences(void)
{
	static const uint8_t often[] = {0x00, 0x01, 0x0b, 0x33, 0x1c, 0x24, 0x5d};
	uint8_t ra[FUZZ_FRAME_MAX], b[FUZZ_FRAME_MAX];
	uint32_t ra_len = fuzz_unhex(fuzz_base(2), ra, sizeof(ra)), len;
	struct sequence s;
	const char *hex;

	for (unsigned i = 0; (hex = fuzz_base(i)) != NULL; i++) {
		len = fuzz_unhex(hex, b, sizeof(b));
		sequence_start(&s, ICS_LINK_ETHERNET);
		sequence_add(&s, 0, 0, ra, ra_len);
		sequence_add(&s, 6, often[i % ICS_ARRAY_LEN(often)], b, len);
		sequence_add(&s, 9, 0, NULL, 0);
		sequence_add(&s, 4, 0, ra, ra_len);
		sequence_add(&s, 7, 0, b, len);
		write_seed("engine", "base", i, s.b, s.len);
	}
}

/* What fuzz_telemetry.c reads: endpoint, population, parameter. */
static void
seed_telemetry(void)
{
	static const char *const params[] = {"", "0", "1", "0,1", "nd_hop_limit", "router_lifetime_zero"};

	for (unsigned i = 0; i < 48 * ICS_ARRAY_LEN(params); i++) {
		const char *p = params[i / 48];
		uint8_t b[64] = {(uint8_t)(i % 48), (uint8_t)(i % 3)};

		memcpy(b + 2, p, strlen(p));
		write_seed("telemetry", "params", i, b, 2 + strlen(p));
	}
}

/* Every base packet in every link layer and tunnel that the mutator knows would be many; one of each kind will do. */
static void
seed_bases(void)
{
	static const char *const heads[] = {"", "8100000a", "88a8006481000014", "8864110000010000", "884700064140"};
	const char *hex;

	for (unsigned i = 0; (hex = fuzz_base(i)) != NULL; i++) {
		uint8_t b[FUZZ_FRAME_MAX], shim[32];
		struct fuzz_frame f = {b, fuzz_unhex(hex, b, sizeof(b)), sizeof(b), ICS_LINK_ETHERNET};
		const char *head = heads[i % ICS_ARRAY_LEN(heads)];
		uint32_t n;

		seed_inspect("base", i, ICS_LINK_ETHERNET, f.b, f.len);
		seed_inspect("raw", i, ICS_LINK_RAW_IP, f.b + 14, f.len - 14);
		n = fuzz_unhex(head, shim, sizeof(shim));
		if (n == 0)
			continue;
		/* The type goes with the tag in front of it; PPPoE and MPLS say by themselves what follows. */
		if (shim[0] == 0x81 || (shim[0] == 0x88 && shim[1] == 0xa8)) {
			memcpy(shim + n, b + 12, 2);
		} else if (shim[1] == 0x64) {
			memcpy(shim + n, "\x00", 1);
			shim[n + 1] = b[12] == 0x86 ? 0x57 : 0x21;
		} else {
			n -= 2;
		}
		fuzz_frame_remove(&f, 12, 2);
		fuzz_frame_insert(&f, 12, shim, n + 2);
		fuzz_frame_repair(&f, 0);
		seed_inspect("shim", i, ICS_LINK_ETHERNET, f.b, f.len);
	}
}

static void
seed_capture(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	char err[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c = ics_capture_open(path, err);
	struct sequence s = {.len = 0};
	struct ics_frame f;
	uint64_t ts;
	bool open = true;

	if (c == NULL) {
		fprintf(stderr, "%s\n", err);
		return;
	}
	for (unsigned n = 0; n < FRAMES_MAX && ics_capture_next(c, &f, &ts, err) == 1; n++) {
		seed_inspect(name, n, f.link, f.data, f.cap_len);
		if (n == 0)
			sequence_start(&s, f.link);
		open = open && n < SEQUENCE_MAX && sequence_add(&s, 5, 0, f.data, f.cap_len);
	}
	if (s.len > 2)
		write_seed("engine", name, 0, s.b, s.len);
	ics_capture_close(c);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: fuzz_seeds DIR [CAPTURE...]\n");
		return 2;
	}
	root = argv[1];
	if (mkdir(root, 0777) != 0 && errno != EEXIST) {
		perror(root);
		return 1;
	}
	seed_bases();
	seed_sequences();
	seed_telemetry();
	for (int i = 2; i < argc; i++)
		seed_capture(argv[i]);
	return 0;
}
