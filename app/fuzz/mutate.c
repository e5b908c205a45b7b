/* One table of changes to a frame; see frame.h. Each takes the layout of the innermost message and may decline. */
#include "frame.h"

/* Where the options of an ND message, or the records of an MLDv2 report, start and end. */
#define PARTS_MAX 64
struct parts {
	unsigned n;
	uint32_t off[PARTS_MAX + 1]; /* of part n: the end */
	bool records;
};

static uint32_t
options_at(uint8_t type)
{
	switch (type) {
	case ICS_ICMP6_RS:
		return 8;
	case ICS_ICMP6_RA:
		return 16;
	case ICS_ICMP6_NS:
	case ICS_ICMP6_NA:
		return 24;
	case ICS_ICMP6_REDIRECT:
		return 40;
	default:
		return 0;
	}
}

static bool
find_parts(const struct fuzz_frame *f, const struct fuzz_layout *at, struct parts *p)
{
	const uint8_t *b = f->b;
	uint32_t off = at->l4, len;

	p->n = 0;
	if (at->proto != ICS_PROTO_ICMP6 || at->version != 6 || off + 8 > f->len)
		return false;
	p->records = b[off] == ICS_ICMP6_MLD2_REPORT;
	off += p->records ? 8 : options_at(b[off]);
	if (off == at->l4 || off > f->len)
		return false;
	while (p->n < PARTS_MAX && off + (p->records ? 20 : 8) <= f->len) {
		len = p->records ? 20 + 16u * ics_load_be16(b + off + 2) + 4u * b[off + 1] : 8u * b[off + 1];
		if (len == 0 || len > f->len - off)
			break;
		p->off[p->n++] = off;
		off += len;
	}
	p->off[p->n] = off;
	return true;
}

static void
count_records(struct fuzz_frame *f, const struct fuzz_layout *at, const struct parts *p, int more)
{
	unsigned n = p->n + (unsigned)more;

	if (!p->records)
		return;
	f->b[at->l4 + 6] = (uint8_t)(n >> 8);
	f->b[at->l4 + 7] = (uint8_t)n;
}

static const char *const options[] = {
	"010100005e005310",
	"020100005e005301",
	"030440c000278d0000093a800000000020010db8000100000000000000000000",
	"030440c0ffffffffffffffff0000000020010db8000200000000000000000000",
	"03044040000000000000000000000000fe800000000000000000000000000000",
	"0401000000000000",
	"04060000000000006000000000003a4020010db800010000000000000000001020010db800090000000000000000000901",
	"05010000000005dc",
	"0501000000000500",
	"0e01a1a2a3a4a5a6",
	"18020008000007080000000000000000",
	"18034018000007082001 0db8000500000000000000000000",
	"1901000000000708",
	"190300000000070820010db8000100000000000000000053",
	"1f020000000007080161026262000000",
	"1f030000000007080765786d706c6503636f6d00000000000000000000000000",
	"2101000100000001",
	"21020000000000010102030405060708",
	"250268747470733a2f2f612e62000000",
	"260207080064ff9b0000000000000000",
	"0d01000000000000",
	"fd01000000000000",
	"0b02000000000000000000000000000000",
};

static const char *const records[] = {
	"04000000ff0200000000000000000001ff000010",
	"03000000ff0200000000000000000001ff000011",
	"01000001ff0500000000000000000000000000fb20010db8000100000000000000000010",
	"05000001ff3e00000000000000000000000000aa20010db8000100000000000000000010",
	"06000002ff3500000000000000000000000000bb20010db800010000000000000000001020010db8000100000000000000000011",
	"02010000ff0200000000000000000000000000fb01020304",
	"07000000ff02000000000000000000000000000c",
	"04000000ff020000000000000000000000000001",
	"04000000fe800000000000000000000000000010",
};

static const char *const extensions[] = {
	"00", "0000050200000100", /* type, header with its first octet to fill in */
	"00", "0000050200030100",
	"00", "0000010400000000",
	"00", "0001c20400010000050200000100000000000000",
	"3c", "0000010400000000",
	"3c", "0001010c000000000000000000000000",
	"2b", "0002000100000000fe800000000000000000000000000009",
	"2b", "0002030100000000fe800000000000000000000000000009",
	"2c", "0000000012345678",
	"2c", "0000000112345678",
	"2c", "0000010012345678",
	"33", "000400000000000100000001000000000000000000000000",
	"87", "0000010000000000",
	"8b", "0000000000000000",
	"fd", "0000000000000000",
};

/* In front of the IP header, in place of the type. */
static const char *const shims[] = {
	"8100000a86dd",
	"810000148100000a86dd",
	"88a800648100000a86dd",
	"8100000086dd",
	"8100600086dd",
	"884700064140",
	"884700064040000641ff",
	"88641100000100000057",
	"8864110000010000c021",
	"8100000a884700064140",
	"910000648100000a8100000186dd",
	"89090101000100010064 86dd",
	"86dd",
	"0800",
	"0806",
	"0040aaaa0300000086dd",
};

/* Outer headers for a tunnel, up to the inner frame or datagram. */
static const char *const tunnels[] = {
	/* VXLAN, GENEVE, GRE with Ethernet, ERSPAN II and III: Ethernet inside */
	"00005e00531100005e00531008004500003200000000401100000a0000010a000002c00012b5001e00000800000000000a00",
	"00005e00531100005e00531008004500003200000000401100000a0000010a000002c00017c1001e00000000655800000a00",
	"00005e00531100005e00531008004500003200000000402f00000a0000010a00000200006558",
	"00005e00531100005e00531008004500003200000000402f00000a0000010a000002100088be00000001100a006400000000",
	"00005e00531100005e00531008004500003200000000402f00000a0000010a000002100022eb00000001200a0064000000000000000d00"
	"000000"
	"00000000",
	/* IP inside */
	"00005e00531100005e00531008004500003200000000402900000a0000010a000002",
	"00005e00531100005e00531008004500003200000000400400000a0000010a000002",
	"00005e00531100005e00531086dd600000000000294020010db800ff0000000000000000000120010db800ff00000000000000000002",
	"00005e00531100005e00531008004500003200000000402f00000a0000010a000002000086dd",
};
#define ETHERNET_TUNNELS 5

/* Behind a quote padded to its length: RFC 4884 extensions with a label stack, an interface, an odd length. */
static const char *const multiparts[] = {
	"20000000000c010100064 0fe000c813c",
	"20001d68000c01010006403c000c813c",
	"2000000000080101000c813c",
	"20000000000801010006403c",
	"20000000001802050000000120010db800ff00000000000000000001000005dc",
	"2000000000040101",
	"20000000fff00101000c813c",
	"1000000000080101000c813c",
};

static const char *const addresses[] = {
	"00000000000000000000000000000000", "00000000000000000000000000000001", "fe800000000000000000000000000001",
	"fe800000000000000000000000000010", "fe800000000000000000000000000066", "20010db8000100000000000000000010",
	"ff020000000000000000000000000001", "ff020000000000000000000000000002", "ff020000000000000000000000000016",
	"ff0200000000000000000001ff000010", "ff0200000000000000000001ff000001", "ff02000000000000000000000000006a",
	"00000000000000000000ffffc0000201", "ff0e0000000000000000000000000101", "fec00000000000000000000000000001",
};

static uint32_t
unhex_any(struct fuzz_rng *r, const char *const *list, unsigned n, uint8_t *to, uint32_t max)
{
	char clean[160];
	uint32_t len = 0;

	for (const char *p = list[fuzz_rng_below(r, n)]; *p != '\0' && len < sizeof(clean) - 1; p++)
		if (*p != ' ')
			clean[len++] = *p;
	clean[len] = '\0';
	return fuzz_unhex(clean, to, max);
}
#define UNHEX_ANY(r, list, to) unhex_any((r), (list), ICS_ARRAY_LEN(list), (to), sizeof(to))

static bool
insert_part(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	struct parts p;
	uint8_t part[80];
	uint32_t n;

	if (!find_parts(f, at, &p))
		return false;
	n = p.records ? UNHEX_ANY(r, records, part) : UNHEX_ANY(r, options, part);
	if (!fuzz_frame_insert(f, p.off[fuzz_rng_below(r, p.n + 1)], part, n))
		return false;
	count_records(f, at, &p, 1);
	return true;
}

static bool
double_part(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	struct parts p;
	uint8_t part[512];
	uint32_t n;
	unsigned i;

	if (!find_parts(f, at, &p) || p.n == 0)
		return false;
	i = fuzz_rng_below(r, p.n);
	n = p.off[i + 1] - p.off[i];
	if (n > sizeof(part))
		return false;
	memcpy(part, f->b + p.off[i], n);
	if (!fuzz_frame_insert(f, p.off[fuzz_rng_below(r, p.n + 1)], part, n))
		return false;
	count_records(f, at, &p, 1);
	return true;
}

static bool
remove_part(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	struct parts p;
	unsigned i;

	if (!find_parts(f, at, &p) || p.n == 0)
		return false;
	i = fuzz_rng_below(r, p.n);
	fuzz_frame_remove(f, p.off[i], p.off[i + 1] - p.off[i]);
	count_records(f, at, &p, -1);
	return true;
}

/* The length that a part says it has, with octets that follow suit or without. */
static bool
resize_part(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	static const uint8_t zero[16];
	struct parts p;
	uint32_t off, unit;
	bool grow = fuzz_rng_below(r, 2) == 0;

	if (!find_parts(f, at, &p) || p.n == 0)
		return false;
	off = p.off[fuzz_rng_below(r, p.n)];
	unit = p.records ? 16 : 8;
	f->b[p.records ? off + 3 : off + 1] += (uint8_t)(grow ? 1 : -1);
	if (fuzz_rng_below(r, 4) == 0)
		return true;
	off += p.records ? 20 : 2;
	if (grow)
		return fuzz_frame_insert(f, off, zero, unit);
	fuzz_frame_remove(f, off, unit);
	return true;
}

/* Another type, flags or number inside a part. */
static bool
change_part(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 6, 14, 24, 25, 31, 33, 37, 38, 253, 255};
	struct parts p;
	uint32_t off, n;
	unsigned i;

	if (!find_parts(f, at, &p) || p.n == 0)
		return false;
	i = fuzz_rng_below(r, p.n);
	off = p.off[i];
	n = p.off[i + 1] - off;
	if (fuzz_rng_below(r, 3) == 0)
		f->b[off] = types[fuzz_rng_below(r, ICS_ARRAY_LEN(types))];
	else if (n > 2)
		LLVMFuzzerMutate(f->b + off + 2, n - 2, n - 2);
	return true;
}

static bool
add_extension(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	unsigned i = fuzz_rng_below(r, ICS_ARRAY_LEN(extensions) / 2) * 2;
	uint8_t header[64], type;
	uint32_t n;

	if (at->version != 6)
		return false;
	fuzz_unhex(extensions[i], &type, 1);
	n = fuzz_unhex(extensions[i + 1], header, sizeof(header));
	n -= n % 8;
	/* In front of the message, or of all other headers. */
	if (fuzz_rng_below(r, 3) == 0) {
		header[0] = f->b[at->l3 + 6];
		f->b[at->l3 + 6] = type;
		return fuzz_frame_insert(f, at->l3 + 40, header, n);
	}
	header[0] = f->b[at->next_off];
	f->b[at->next_off] = type;
	return fuzz_frame_insert(f, at->l4, header, n);
}

static bool
drop_extension(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	uint32_t off = at->l3 + 40, n;

	if (at->version != 6 || at->l4 <= off || off + 8 > f->len)
		return false;
	n = (f->b[off + 1] + 1u) * 8;
	if (n > at->l4 - off || fuzz_rng_below(r, 2) == 0)
		n = at->l4 - off;
	f->b[at->l3 + 6] = n == at->l4 - off ? at->proto : f->b[off];
	fuzz_frame_remove(f, off, n);
	return true;
}

static bool
change_shims(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	uint8_t shim[32];
	uint32_t n;

	if (f->link != ICS_LINK_ETHERNET || f->len < 14)
		return false;
	if (at->type_off > 14 && fuzz_rng_below(r, 2) == 0) {
		fuzz_frame_remove(f, 12, 4);
		return true;
	}
	n = UNHEX_ANY(r, shims, shim);
	if (at->version == 4 && n >= 2 && shim[n - 2] == 0x86)
		memcpy(shim + n - 2, "\x08", 2);
	return fuzz_frame_insert(f, 14, shim + 2, n - 2) && (memcpy(f->b + 12, shim, 2), true);
}

static bool
add_tunnel(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	unsigned i = fuzz_rng_below(r, ICS_ARRAY_LEN(tunnels));
	uint8_t outer[80];
	uint32_t n = fuzz_unhex(tunnels[i], outer, sizeof(outer));

	if (f->link != ICS_LINK_ETHERNET || at->l3 == 0)
		return false;
	if (i >= ETHERNET_TUNNELS) {
		fuzz_frame_remove(f, 0, at->l3);
		if (at->version == 4 && outer[23] == ICS_PROTO_IP6)
			outer[23] = ICS_PROTO_IPIP;
	}
	return fuzz_frame_insert(f, 0, outer, n);
}

static uint16_t
nudged(struct fuzz_rng *r, uint16_t v)
{
	static const int16_t by[] = {1, -1, 4, -4, 8, -8, 16, -16, 40, -40};
	static const uint16_t odd[] = {0, 1, 0x7fff, 0x8000, 0xffff, 1280, 1500, 9216};

	if (fuzz_rng_below(r, 3) == 0)
		return odd[fuzz_rng_below(r, ICS_ARRAY_LEN(odd))];
	return (uint16_t)(v + by[fuzz_rng_below(r, ICS_ARRAY_LEN(by))]);
}

/* A length or count that the message or the IP header says. */
static bool
nudge_length(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	const uint32_t places[] = {at->l3 + (at->version == 6 ? 4 : 2), at->l4 + 4, at->l4 + 6, at->l4 + 26,
				   at->l4 + 10};
	uint32_t off = places[fuzz_rng_below(r, ICS_ARRAY_LEN(places))];
	uint16_t v;

	if (at->l3 == 0 || off + 2 > f->len)
		return false;
	v = nudged(r, ics_load_be16(f->b + off));
	f->b[off] = (uint8_t)(v >> 8);
	f->b[off + 1] = (uint8_t)v;
	return true;
}

static bool
change_type(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	static const uint8_t types[] = {1,   2,   3,   4,   128, 129, 130, 131, 132, 133, 134, 135, 136,
					137, 143, 148, 151, 152, 153, 0,   5,   8,   11,  12,  255};
	static const uint8_t limits[] = {0, 1, 63, 64, 254, 255};

	if (at->l4 == 0 || at->l4 + 2 > f->len)
		return false;
	switch (fuzz_rng_below(r, 4)) {
	case 0:
		f->b[at->l4] = types[fuzz_rng_below(r, ICS_ARRAY_LEN(types))];
		break;
	case 1:
		f->b[at->l4 + 1] = (uint8_t)fuzz_rng_below(r, 16);
		break;
	case 2:
		f->b[at->version == 6 ? at->l3 + 7 : at->l3 + 8] = limits[fuzz_rng_below(r, ICS_ARRAY_LEN(limits))];
		break;
	default:
		f->b[at->next_off] = at->version == 6 ? ICS_PROTO_ICMP6 : ICS_PROTO_ICMP4;
		break;
	}
	return true;
}

static bool
change_address(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	const uint32_t places[] = {at->l3 + 8, at->l3 + 24, at->l4 + 8, at->l4 + 24};
	uint32_t off = places[fuzz_rng_below(r, ICS_ARRAY_LEN(places))];
	uint8_t addr[16];

	if (at->version != 6 || off + 16 > f->len)
		return false;
	UNHEX_ANY(r, addresses, addr);
	memcpy(f->b + off, addr, 16);
	return true;
}

/* The quote of an error filled up to the length that RFC 4884 asks for, and extensions behind it. */
static bool
add_multipart(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	static const uint8_t zero[128];
	uint32_t unit = at->version == 6 ? 8 : 4, quote, want;
	uint8_t ext[64];
	uint32_t n = UNHEX_ANY(r, multiparts, ext);

	if (at->l4 == 0 || f->len < at->l4 + 8)
		return false;
	quote = f->len - at->l4 - 8;
	want = quote < 128 ? 128 : (quote + unit - 1) / unit * unit;
	if (!fuzz_frame_insert(f, f->len, zero, want - quote) || want / unit > 255)
		return false;
	f->b[at->l4 + (at->version == 6 ? 4 : 5)] = (uint8_t)(want / unit);
	ext[2] = ext[3] = 0;
	if (fuzz_rng_below(r, 4) != 0) {
		uint16_t sum = (uint16_t)~ics_sum_fold(ics_sum_add(0, (struct ics_view){ext, n}));

		memcpy(ext + 2, &sum, 2);
	}
	return fuzz_frame_insert(f, f->len, ext, n);
}

static bool
change_message(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	uint32_t n = f->len - at->l4;

	if (at->l4 == 0 || n < 4)
		return false;
	f->len = at->l4 + (uint32_t)LLVMFuzzerMutate(f->b + at->l4, n, fuzz_rng_below(r, 2) ? n : f->max - at->l4);
	return true;
}

static bool
change_any(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	f->len = (uint32_t)LLVMFuzzerMutate(f->b, f->len, f->max);
	return true;
}

/* One more of the same, a hundred times: options, labels, tags, extension headers beyond every limit. */
static bool
repeat_part(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	uint32_t n = 1u << (1 + fuzz_rng_below(r, 8)), off, len;
	uint8_t unit[64];
	struct parts p;

	switch (fuzz_rng_below(r, 3)) {
	case 0:
		if (!find_parts(f, at, &p) || p.n == 0)
			return false;
		off = p.off[p.n - 1];
		len = p.off[p.n] - off;
		count_records(f, at, &p, (int)n);
		break;
	case 1: /* the last tag or label; the first one of a stack has no bottom bit */
		if (f->link != ICS_LINK_ETHERNET || at->l3 < 18)
			return false;
		off = at->type_off >= 16 ? at->type_off - 2 : 14;
		len = 4;
		break;
	default: /* the first extension header, which then comes behind itself */
		off = at->l3 + 40;
		if (at->version != 6 || at->l4 < off + 8 || off + 8 > f->len)
			return false;
		len = (f->b[off + 1] + 1u) * 8;
		break;
	}
	if (len > sizeof(unit) || off + len > f->len)
		return false;
	memcpy(unit, f->b + off, len);
	if (off == at->l3 + 40 && at->version == 6)
		unit[0] = f->b[at->l3 + 6];
	while (n-- != 0 && fuzz_frame_insert(f, off, unit, len))
		;
	return true;
}

/* What a NIC that fills checksums in is given: the sum of the pseudo-header alone. */
static void
offload_checksum(struct fuzz_frame *f)
{
	struct fuzz_layout at;
	uint8_t pseudo[8] = {0};
	uint32_t n;
	uint16_t sum;

	fuzz_frame_layout(f, &at);
	n = f->len - at.l4;
	if (at.version != 6 || at.proto != ICS_PROTO_ICMP6 || n < 4)
		return;
	pseudo[2] = (uint8_t)(n >> 8);
	pseudo[3] = (uint8_t)n;
	pseudo[7] = ICS_PROTO_ICMP6;
	sum = ics_sum_fold(
		ics_sum_add(ics_sum_add(0, (struct ics_view){pseudo, 8}), (struct ics_view){f->b + at.l3 + 8, 32}));
	memcpy(f->b + at.l4 + 2, &sum, 2);
}

static bool
cut_end(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	if (f->len <= at->l3 + 1)
		return false;
	f->len -= fuzz_rng_below(r, f->len - at->l3);
	return true;
}

static bool
take_base(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r)
{
	unsigned n = 0;

	while (fuzz_base(n) != NULL)
		n++;
	f->len = fuzz_unhex(fuzz_base(fuzz_rng_below(r, n)), f->b, f->max);
	f->link = ICS_LINK_ETHERNET;
	return true;
}

typedef bool (*change_fn)(struct fuzz_frame *f, const struct fuzz_layout *at, struct fuzz_rng *r);
static const struct {
	change_fn fn;
	unsigned weight;
} changes[] = {
	{insert_part, 4},   {double_part, 2},    {remove_part, 2},   {resize_part, 3},    {change_part, 5},
	{add_extension, 3}, {drop_extension, 2}, {change_shims, 2},  {add_tunnel, 1},     {nudge_length, 3},
	{change_type, 3},   {change_address, 4}, {add_multipart, 1}, {change_message, 6}, {change_any, 3},
	{repeat_part, 1},   {cut_end, 1},        {take_base, 1},
};

void
fuzz_frame_mutate(struct fuzz_frame *f, struct fuzz_rng *r)
{
	struct fuzz_layout at;
	unsigned sum = 0, pick, i;

	for (i = 0; i < ICS_ARRAY_LEN(changes); i++)
		sum += changes[i].weight;
	/* A change that does not fit this frame leaves it to another; base packets always fit. */
	for (unsigned tries = 0; tries < 8; tries++) {
		fuzz_frame_layout(f, &at);
		pick = fuzz_rng_below(r, sum);
		for (i = 0; pick >= changes[i].weight; i++)
			pick -= changes[i].weight;
		if (changes[i].fn(f, &at, r))
			break;
	}
	if (fuzz_rng_below(r, 8) != 0)
		fuzz_frame_repair(f, fuzz_rng_below(r, 6) == 0 ? fuzz_rng_below(r, 20) : 0);
	if (fuzz_rng_below(r, 32) == 0)
		offload_checksum(f);
}
