/* Blocks of pcapng, little-endian: one section, an interface description for each port and link type when its first packet
 * comes, enhanced packets with comments. Called for evidence by every program.
 */
#include "ics_pcapng.h"

#include <errno.h>

#define BLOCK_SECTION 0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET 6
#define OPT_END 0
#define OPT_COMMENT 1
#define OPT_APPLICATION 4
#define OPT_NAME 2
#define OPT_TSRESOL 9
#define NANOSECONDS 9

/* LINKTYPE_ of the registry, by enum ics_link. */
static const uint16_t linktype[] = {
	[ICS_LINK_ETHERNET] = 1, [ICS_LINK_RAW_IP] = 101, [ICS_LINK_SLL] = 113,
	[ICS_LINK_SLL2] = 276,   [ICS_LINK_NULL] = 0,     [ICS_LINK_LOOP] = 108,
};

static void
put(FILE *f, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fputc((int)(v >> 8 * i & 0xff), f);
}

static uint32_t
padded(uint32_t n)
{
	return (n + 3) & ~3u;
}

static void
put_padded(FILE *f, const void *data, uint32_t n)
{
	if (n != 0)
		fwrite(data, 1, n, f);
	put(f, 0, padded(n) - n);
}

static uint32_t
text_len(const char *s)
{
	return (uint32_t)strnlen(s, ICS_PCAPNG_TEXT_MAX);
}

static void
put_option(FILE *f, uint16_t code, const void *data, uint32_t n)
{
	put(f, code, 2);
	put(f, n, 2);
	put_padded(f, data, n);
}

int
ics_pcapng_begin(struct ics_pcapng *p, FILE *out, const char *program)
{
	uint32_t n = text_len(program), len = 28 + 4 + padded(n) + 4;

	p->out = out;
	p->n_interfaces = 0;
	put(out, BLOCK_SECTION, 4);
	put(out, len, 4);
	put(out, 0x1a2b3c4d, 4);
	put(out, 1, 2); /* version 1.0 */
	put(out, 0, 2);
	put(out, UINT64_MAX, 8); /* length of the section: not told */
	put_option(out, OPT_APPLICATION, program, n);
	put(out, OPT_END, 4);
	put(out, len, 4);
	return ferror(out) ? -EIO : 0;
}

/* The number of the interface in the file, or -errno. */
static int
interface_of(struct ics_pcapng *p, const struct ics_pcapng_packet *pkt)
{
	uint32_t n = text_len(pkt->name), len = 20 + 4 + padded(n) + 8 + 4;

	for (unsigned i = 0; i < p->n_interfaces; i++)
		if (p->interface[i].id == pkt->interface && p->interface[i].link == pkt->link)
			return (int)i;
	if (p->n_interfaces == ICS_PCAPNG_INTERFACES_MAX)
		return -ENOSPC;
	put(p->out, BLOCK_INTERFACE, 4);
	put(p->out, len, 4);
	put(p->out, pkt->link < ICS_ARRAY_LEN(linktype) ? linktype[pkt->link] : 1, 2);
	put(p->out, 0, 2);
	put(p->out, 0, 4); /* snap length: no limit */
	put_option(p->out, OPT_NAME, pkt->name, n);
	put_option(p->out, OPT_TSRESOL, &(uint8_t){NANOSECONDS}, 1);
	put(p->out, OPT_END, 4);
	put(p->out, len, 4);
	p->interface[p->n_interfaces].id = pkt->interface;
	p->interface[p->n_interfaces].link = pkt->link;
	return (int)p->n_interfaces++;
}

int
ics_pcapng_packet(struct ics_pcapng *p, const struct ics_pcapng_packet *pkt)
{
	uint32_t n = text_len(pkt->comment), len = 32 + padded(pkt->len) + 4 + padded(n) + 4;
	int interface = interface_of(p, pkt);

	if (interface < 0)
		return interface;
	put(p->out, BLOCK_PACKET, 4);
	put(p->out, len, 4);
	put(p->out, (uint32_t)interface, 4);
	put(p->out, pkt->ts_ns >> 32, 4);
	put(p->out, pkt->ts_ns & UINT32_MAX, 4);
	put(p->out, pkt->len, 4);
	put(p->out, pkt->wire_len > pkt->len ? pkt->wire_len : pkt->len, 4);
	put_padded(p->out, pkt->data, pkt->len);
	put_option(p->out, OPT_COMMENT, pkt->comment, n);
	put(p->out, OPT_END, 4);
	put(p->out, len, 4);
	return ferror(p->out) ? -EIO : 0;
}
