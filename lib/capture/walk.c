/* The usual capture file without libpcap: a plain file in this machine's byte order, pcap or pcapng of one interface, read
 * in large pieces that stay in the cache, each record found by its header, nothing copied twice. It takes what it is sure
 * of and no more: at the first thing that is odd (damage, the end within a record, another section or interface) libpcap
 * goes on from that place, so that errors and corner cases are its own. Nothing is mapped, so a file that somebody
 * truncates meanwhile just ends. Called by capture.c.
 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Half of a usual second-level cache, and more than the largest record. */
#define BUF_LEN (512u << 10)
/* Octets that are asked for ahead of a record: what fetches ahead by itself stops at each page. */
#define AHEAD 768u
/* libpcap takes no longer frames of these link types. */
#define CAP_LEN_MAX 262144u

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define FILE_HEADER_LEN 24u
#define RECORD_HEADER_LEN 16u

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET_OLD 2u
#define BLOCK_PACKET_SIMPLE 3u
#define BLOCK_PACKET 6u
#define BLOCK_MIN 12u
#define BLOCK_PACKET_MIN 32u
/* A description with more options is for libpcap. */
#define INTERFACE_MAX 4096u
#define OPTION_END 0u
#define OPTION_TSRESOL 9u
#define OPTION_TSOFFSET 14u
/* Blocks in front of the description of the interface. */
#define BLOCKS_BEFORE_MAX 64u

_Static_assert(RECORD_HEADER_LEN + CAP_LEN_MAX <= BUF_LEN, "a record fits");

/* As this machine has it. */
static inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool
read_at(int fd, uint64_t at, uint8_t *buf, uint32_t len)
{
	return pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

/* ---- which files ---- */

static bool
set_unit(struct walk *w, uint32_t per_s)
{
	w->per_s = per_s;
	w->unit_ns = 1000000000u / per_s;
	return true;
}

static bool
begin_classic(struct walk *w, pcap_t *p, uint32_t magic)
{
	if (pcap_major_version(p) != 2 || pcap_minor_version(p) != 4)
		return false;
	if (magic != MAGIC_US && magic != MAGIC_NS)
		return false;
	return set_unit(w, magic == MAGIC_US ? 1000000 : 1000000000);
}

/* Micro- or nanoseconds since the epoch, by the options of a description. */
static bool
read_options(struct walk *w, const uint8_t *p, uint32_t len)
{
	uint32_t off = 0, per_s = 1000000;

	while (len - off >= 4) {
		uint16_t code = load16(p + off), n = load16(p + off + 2);

		off += 4;
		if (code == OPTION_END)
			break;
		if (((n + 3u) & ~3u) > len - off || code == OPTION_TSOFFSET)
			return false;
		if (code == OPTION_TSRESOL) {
			if (n != 1 || (p[off] != 6 && p[off] != 9))
				return false;
			per_s = p[off] == 6 ? 1000000 : 1000000000;
		}
		off += ((n + 3u) & ~3u);
	}
	return set_unit(w, per_s);
}

/* libpcap has read up to the end of the description of the first interface, which is the last block before `end`. */
static bool
begin_ng(struct walk *w, uint64_t begin, uint64_t end)
{
	uint8_t block[INTERFACE_MAX];
	uint64_t at = begin;
	uint32_t len = 0;

	for (unsigned n = 0; n < BLOCKS_BEFORE_MAX && at < end; n++, at += len) {
		if (!read_at(w->fd, at, block, 8))
			return false;
		len = load32(block + 4);
		if (len < BLOCK_MIN || len > end - at)
			return false;
		if (at + len == end)
			break;
	}
	if (at + len != end || load32(block) != BLOCK_INTERFACE || len < 20 || len > sizeof(block) ||
	    !read_at(w->fd, at, block, len))
		return false;
	return read_options(w, block + 16, len - 20);
}

bool
ics_walk_begin(struct walk *w, FILE *f, pcap_t *p, uint64_t begin)
{
	off_t start = ftello(f);
	uint8_t magic[4];
	struct stat st;

	*w = (struct walk){.fd = fileno(f), .at = (uint64_t)start};
	if (start < 0 || fstat(w->fd, &st) != 0 || !S_ISREG(st.st_mode) || pcap_is_swapped(p) ||
	    !read_at(w->fd, begin, magic, sizeof(magic)))
		return false;
	w->ng = load32(magic) == BLOCK_SECTION;
	w->snaplen = (uint32_t)pcap_snapshot(p) < CAP_LEN_MAX ? (uint32_t)pcap_snapshot(p) : CAP_LEN_MAX;
	if (!(w->ng ? begin_ng(w, begin, (uint64_t)start)
		    : w->at == begin + FILE_HEADER_LEN && begin_classic(w, p, load32(magic))))
		return false;
	w->buf = malloc(BUF_LEN + AHEAD);
	if (w->buf != NULL)
		(void)posix_fadvise(w->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a wish */
	return w->buf != NULL;
}

void
ics_walk_end(struct walk *w)
{
	free(w->buf);
	w->buf = NULL;
}

uint64_t
ics_walk_offset(const struct walk *w)
{
	return w->at + w->off;
}

/* ---- records ---- */

/* So many octets from off on, if the file has them. */
static __attribute__((noinline)) bool
fill(struct walk *w, uint32_t want)
{
	uint32_t left = w->have - w->off;

	memmove(w->buf, w->buf + w->off, left);
	w->at += w->off;
	w->off = 0;
	w->have = left;
	/* Bounded: each turn brings octets, or the end. */
	while (w->have < want && !w->ended) {
		ssize_t n = pread(w->fd, w->buf + w->have, BUF_LEN - w->have, (off_t)(w->at + w->have));

		if (n < 0 && errno == EINTR)
			continue;
		w->failed = n < 0;
		w->ended = n <= 0;
		w->have += n > 0 ? (uint32_t)n : 0;
	}
	return w->have >= want;
}

static inline bool
need(struct walk *w, uint32_t want)
{
	return ics_likely(w->have - w->off >= want) || (want <= BUF_LEN && fill(w, want));
}

static inline enum walk_result
next_classic(struct walk *w, struct walk_record *out)
{
	const uint8_t *p;
	uint32_t frac;

	if (ics_unlikely(!need(w, RECORD_HEADER_LEN)))
		return w->have == w->off && !w->failed ? WALK_END : WALK_ODD;
	p = w->buf + w->off;
	__builtin_prefetch(p + AHEAD);
	frac = load32(p + 4);
	out->s = load32(p);
	out->ns = (uint64_t)frac * w->unit_ns;
	out->cap_len = load32(p + 8);
	out->wire_len = load32(p + 12);
	if (ics_unlikely(out->cap_len > w->snaplen || frac >= w->per_s || !need(w, RECORD_HEADER_LEN + out->cap_len)))
		return WALK_ODD;
	out->data = w->buf + w->off + RECORD_HEADER_LEN;
	w->off += RECORD_HEADER_LEN + out->cap_len;
	return WALK_RECORD;
}

/* Passes by what is no packet. Bounded: each turn takes a block from the file. */
static enum walk_result
next_ng(struct walk *w, struct walk_record *out)
{
	for (;;) {
		uint32_t type, len;
		const uint8_t *p;
		uint64_t t;

		if (ics_unlikely(!need(w, 8)))
			return w->have == w->off && !w->failed ? WALK_END : WALK_ODD;
		type = load32(w->buf + w->off);
		len = load32(w->buf + w->off + 4);
		if (ics_unlikely(len < BLOCK_MIN || len % 4 != 0 || !need(w, len)))
			return WALK_ODD;
		p = w->buf + w->off;
		__builtin_prefetch(p + AHEAD);
		if (ics_unlikely(load32(p + len - 4) != len || type == BLOCK_SECTION || type == BLOCK_INTERFACE ||
				 type == BLOCK_PACKET_OLD || type == BLOCK_PACKET_SIMPLE))
			return WALK_ODD;
		if (ics_likely(type == BLOCK_PACKET)) {
			if (ics_unlikely(len < BLOCK_PACKET_MIN || load32(p + 8) != 0))
				return WALK_ODD;
			out->cap_len = load32(p + 20);
			out->wire_len = load32(p + 24);
			if (ics_unlikely(out->cap_len > w->snaplen || out->cap_len > len - BLOCK_PACKET_MIN))
				return WALK_ODD;
			t = (uint64_t)load32(p + 12) << 32 | load32(p + 16);
			out->s = t / w->per_s;
			out->ns = t % w->per_s * w->unit_ns;
			out->data = p + 28;
			w->off += len;
			return WALK_RECORD;
		}
		w->off += len;
	}
}

enum walk_result
ics_walk_next(struct walk *w, struct walk_record *out)
{
	return w->ng ? next_ng(w, out) : next_classic(w, out);
}
