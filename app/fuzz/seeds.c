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

	for (unsigned i = 0; i < 64 * ICS_ARRAY_LEN(params); i++) {
		const char *p = params[i / 64];
		uint8_t b[64] = {(uint8_t)(i % 64), (uint8_t)(i % 3)};

		memcpy(b + 2, p, strlen(p));
		write_seed("telemetry", "params", i, b, 2 + strlen(p));
	}
}

/* What fuzz_files.c reads: which file, two choices, and what is in it. */
static void
seed_files(void)
{
	static const char vendors[] =
		"\2\0\0"
		"00-22-72   (hex)\t\tOne Company\r\n002272     (base 16)\nMA-L,002273,\"A, \"\"B\",x\n"
		"MA-S,70B3D5001,Name,y\nMA-M,0055DA1,N,z\n";
	static const char *const replies[] = {
		"{\"/icmpscope/"
		"info\":{\"version\":\"0.1\",\"mode\":\"live\",\"bindings\":3,\"bindings_max\":9,\"says_0\":\"a\"}}",
		"{\"/icmpscope/classes\":{\"nd_ra\":3,\"arp\":7}}",
		"{\"x\":{\"id\":[1,2],\"name\":[\"a\",\"b\\n\\\"\\\\\"],\"vlan\":[\"10\",\"-\"],\"port\":[0,1],"
		"\"more\":0,\"next\":2,\"total\":2}}",
	};
	uint8_t b[4096];
	size_t len;

	write_seed("files", "vendors", 0, vendors, sizeof(vendors) - 1);
	for (unsigned i = 0; i < 8; i++)
		write_seed("files", "state", i, (uint8_t[]){0, (uint8_t)(i & 3), (uint8_t)i}, 3);
	for (unsigned mode = 3; mode < 5; mode++) {
		memset(b, 0, 3);
		b[0] = (uint8_t)mode;
		len = 3;
		for (unsigned i = 0; i < 8 * ICS_ARRAY_LEN(replies); i++) {
			const char *text = replies[i % ICS_ARRAY_LEN(replies)];
			size_t n = strlen(text);

			b[len] = (uint8_t)(n >> 8);
			b[len + 1] = (uint8_t)n;
			memcpy(b + len + 2, text, n);
			len += 2 + n;
		}
		write_seed("files", "replies", mode, b, len);
	}
}

/* A capture file under construction. */
struct file {
	uint8_t b[16384];
	size_t len;
	bool swapped; /* not in this machine's order */
};

static void
add32(struct file *f, uint32_t v)
{
	v = f->swapped ? __builtin_bswap32(v) : v;
	memcpy(f->b + f->len, &v, 4);
	f->len += 4;
}

static void
add16(struct file *f, uint16_t v)
{
	v = f->swapped ? __builtin_bswap16(v) : v;
	memcpy(f->b + f->len, &v, 2);
	f->len += 2;
}

static void
add_bytes(struct file *f, const uint8_t *p, uint32_t n)
{
	memcpy(f->b + f->len, p, n);
	memset(f->b + f->len + n, 0, 3);
	f->len += n;
}

static void
pad(struct file *f)
{
	f->len = (f->len + 3) & ~(size_t)3;
}

/* The classic format; one of its magic numbers has records that are eight octets longer. */
static void
make_pcap(struct file *f, uint32_t magic, uint32_t link)
{
	uint8_t frame[FUZZ_FRAME_MAX];

	add32(f, magic);
	add16(f, 2);
	add16(f, 4);
	add32(f, 0);
	add32(f, 0);
	add32(f, 65535);
	add32(f, link);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t len = fuzz_unhex(fuzz_base(i), frame, sizeof(frame));

		add32(f, 1463012000 + i);
		add32(f, 999999);
		add32(f, len);
		add32(f, len + i);
		if (magic == 0xa1b2cd34)
			add_bytes(f, (const uint8_t[8]){0}, 8);
		add_bytes(f, frame, len);
	}
}

/* Length in front of a block's body and behind it, once it is known. */
static void
end_block(struct file *f, size_t start)
{
	uint32_t len = (uint32_t)(f->len - start) + 4, v = f->swapped ? __builtin_bswap32(len) : len;

	memcpy(f->b + start + 4, &v, 4);
	add32(f, len);
}

static size_t
start_block(struct file *f, uint32_t type)
{
	size_t start = f->len;

	add32(f, type);
	add32(f, 0);
	return start;
}

/* pcapng: a section, an interface with a resolution of its own, enhanced, simple and obsolete packets, statistics. */
static void
make_pcapng(struct file *f, uint32_t link, uint8_t resolution)
{
	uint8_t frame[FUZZ_FRAME_MAX];
	size_t block = start_block(f, 0x0a0d0d0a);

	add32(f, 0x1a2b3c4d);
	add16(f, 1);
	add16(f, 0);
	add32(f, UINT32_MAX);
	add32(f, UINT32_MAX);
	end_block(f, block);
	block = start_block(f, 1);
	add16(f, (uint16_t)link);
	add16(f, 0);
	add32(f, 65535);
	add16(f, 9);
	add16(f, 1);
	add_bytes(f, &resolution, 1);
	pad(f);
	add32(f, 0);
	end_block(f, block);
	for (unsigned i = 0; i < 3; i++) {
		static const uint32_t types[] = {6, 3, 2};
		uint32_t len = fuzz_unhex(fuzz_base(i), frame, sizeof(frame));

		block = start_block(f, types[i]);
		if (types[i] == 6)
			add32(f, 0);
		if (types[i] == 2)
			add32(f, 0);
		if (types[i] != 3) {
			add32(f, 0x00053299);
			add32(f, 0x12345678 + i);
			add32(f, len);
		}
		add32(f, len);
		add_bytes(f, frame, len);
		pad(f);
		end_block(f, block);
	}
	block = start_block(f, 5);
	add32(f, 0);
	add32(f, 0x00053299);
	add32(f, 0x12345678);
	end_block(f, block);
}

static void
seed_captures(void)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
	static const uint32_t link_types[] = {1, 101, 113, 276, 0, 108, 228, 229, 105};
	static const uint8_t resolutions[] = {6, 9, 3, 0, 0x80 | 20, 0x80 | 63, 19, 127};
	static struct file f;
	unsigned n = 0;

	for (unsigned i = 0; i < ICS_ARRAY_LEN(magics) * ICS_ARRAY_LEN(link_types); i++) {
		f.len = 0;
		f.swapped = i & 1;
		make_pcap(&f, magics[i % ICS_ARRAY_LEN(magics)], link_types[i / ICS_ARRAY_LEN(magics)]);
		write_seed("capture", "pcap", n++, f.b, f.len);
	}
	for (unsigned i = 0; i < 2 * ICS_ARRAY_LEN(resolutions); i++) {
		f.len = 0;
		f.swapped = i & 1;
		make_pcapng(&f, link_types[i % ICS_ARRAY_LEN(link_types)], resolutions[i / 2]);
		write_seed("capture", "pcapng", n++, f.b, f.len);
	}
}

static void
seed_config(void)
{
	static const char text[] =
		"[detect]\nlearn_s = 60\ngateways = fe80::1, fe80::2\n[decode]\ntunnels = vxlan, gre\n"
		"[port]\ndevice = net_tap0,iface=tap0\n[worker]\ncpus = 1-2\n\0"
		"detect.learn_s=10\ndetect.mute=*@vlan10/2026-05-12T06:00Z\nworker.ring_bulk=4096";

	write_seed("config", "both", 0, text, sizeof(text) - 1);
	write_seed("config", "file", 0, text, strlen(text));
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
	seed_files();
	seed_captures();
	seed_config();
	for (int i = 2; i < argc; i++)
		seed_capture(argv[i]);
	return 0;
}
