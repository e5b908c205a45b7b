/* Base packets, mutation, repair and assertions for the unit tests. */
#include "test_common.h"

#include <stdio.h>

static const struct {
	const char *name;
	const char *hex;
} bases[BASE_COUNT] = {
#define BASE(name, text, hex) [BASE_##name] = {#name, hex},
#include "base_packets.def"
#undef BASE
};

static bool provoked[ICS_REASON_COUNT], negated[ICS_REASON_COUNT];

bool
is_provoked(enum ics_reason n)
{
	return provoked[n];
}

bool
is_negated(enum ics_reason n)
{
	return negated[n];
}

/* ---- building ------------------------------------------------------------------------------------ */

static uint32_t
unhex(const char *hex, uint8_t *out, uint32_t room)
{
	uint32_t n = 0;

	while (*hex != '\0') {
		unsigned v;

		if (*hex == ' ') {
			hex++;
			continue;
		}
		assert_true(n < room);
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		hex += 2;
	}
	return n;
}

const char *
base_name(enum base b)
{
	return bases[b].name;
}

struct packet
hex_packet(const char *hex)
{
	struct packet p = {.l3 = 14, .link_mtu = 1500};

	p.len = unhex(hex, p.b, sizeof(p.b));
	if (p.b[p.l3] >> 4 == 4)
		p.l4 = p.l3 + (p.b[p.l3] & 15u) * 4;
	else
		p.l4 = p.l3 + 40 + (p.b[p.l3 + 6] == 0 ? (p.b[p.l3 + 41] + 1u) * 8 : 0);
	return p;
}

struct packet
base_packet(enum base b)
{
	return hex_packet(bases[b].hex);
}

static bool
is_ip4(const struct packet *p)
{
	return p->b[p->l3] >> 4 == 4;
}

void
set_ip8(struct packet *p, uint32_t off, uint8_t v)
{
	p->b[p->l3 + off] = v;
}

void
set8(struct packet *p, uint32_t off, uint8_t v)
{
	p->b[p->l4 + off] = v;
}

void
set16(struct packet *p, uint32_t off, uint16_t v)
{
	set8(p, off, (uint8_t)(v >> 8));
	set8(p, off + 1, (uint8_t)v);
}

void
set32(struct packet *p, uint32_t off, uint32_t v)
{
	set16(p, off, (uint16_t)(v >> 16));
	set16(p, off + 2, (uint16_t)v);
}

void
set_hex(struct packet *p, uint32_t off, const char *hex)
{
	unhex(hex, p->b + p->l4 + off, (uint32_t)sizeof(p->b) - p->l4 - off);
}

static struct ics_ip
addr_of(const char *text)
{
	struct ics_ip ip;

	assert_int_equal(ics_ip_parse(text, &ip), 0);
	return ip;
}

/* Four octets for an IPv4 address, sixteen for the rest. */
static void
put_addr(uint8_t *at, const char *text)
{
	struct ics_ip ip = addr_of(text);

	if (strchr(text, ':') == NULL)
		memcpy(at, ip.b + 12, 4);
	else
		memcpy(at, ip.b, 16);
}

void
set_addr(struct packet *p, uint32_t off, const char *addr)
{
	put_addr(p->b + p->l4 + off, addr);
}

void
set_src(struct packet *p, const char *addr)
{
	put_addr(p->b + p->l3 + (is_ip4(p) ? 12 : 8), addr);
}

void
set_dmac(struct packet *p, const char *mac)
{
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	memcpy(p->b, m.b, 6);
}

void
set_smac(struct packet *p, const char *mac)
{
	struct ics_mac m;

	assert_int_equal(ics_mac_parse(mac, &m), 0);
	memcpy(p->b + 6, m.b, 6);
}

void
set_dst(struct packet *p, const char *addr)
{
	struct ics_ip ip = addr_of(addr);

	put_addr(p->b + p->l3 + (is_ip4(p) ? 16 : 24), addr);
	if (is_ip4(p))
		return;
	set_dmac(p, "00:00:5e:00:53:10");
	if (ics_ip6_is_multicast(ip.b)) {
		memset(p->b, 0x33, 2);
		memcpy(p->b + 2, ip.b + 12, 4);
	}
}

void
set_len(struct packet *p, uint32_t len)
{
	assert_true(p->l4 + len <= sizeof(p->b));
	for (uint32_t i = p->len; i < p->l4 + len; i++)
		p->b[i] = 0;
	p->len = p->l4 + len;
}

static void
insert_at(struct packet *p, uint32_t at, const uint8_t *bytes, uint32_t n)
{
	assert_true(at <= p->len && p->len + n <= sizeof(p->b));
	memmove(p->b + at + n, p->b + at, p->len - at);
	memcpy(p->b + at, bytes, n);
	p->len += n;
}

void
insert_hex(struct packet *p, uint32_t off, const char *hex)
{
	uint8_t bytes[2048];

	insert_at(p, p->l4 + off, bytes, unhex(hex, bytes, sizeof(bytes)));
}

void
append_hex(struct packet *p, const char *hex)
{
	insert_hex(p, p->len - p->l4, hex);
}

void
append_zero(struct packet *p, uint32_t n)
{
	set_len(p, p->len - p->l4 + n);
}

void
remove_bytes(struct packet *p, uint32_t off, uint32_t n)
{
	uint32_t at = p->l4 + off;

	assert_true(at + n <= p->len);
	memmove(p->b + at, p->b + at + n, p->len - at - n);
	p->len -= n;
}

/* Offset of the octet that names what stands in front of the message; knows the headers that add_ext() adds. */
static uint32_t
last_next_header(const struct packet *p)
{
	uint32_t at = p->l3 + 6, off = p->l3 + 40;

	while (off < p->l4) {
		uint8_t type = p->b[at];

		at = off;
		off += type == ICS_PROTO_FRAGMENT ? 8 : (p->b[off + 1] + 1u) * 8;
	}
	return at;
}

void
add_ext(struct packet *p, uint8_t type, const char *hex)
{
	uint8_t bytes[1024];
	uint32_t n = unhex(hex, bytes, sizeof(bytes)), at = last_next_header(p);

	bytes[0] = p->b[at];
	p->b[at] = type;
	insert_at(p, p->l4, bytes, n);
	p->l4 += n;
}

void
drop_ext(struct packet *p)
{
	uint32_t n = p->l4 - p->l3 - 40;

	p->b[p->l3 + 6] = p->b[last_next_header(p)];
	p->l4 -= n;
	remove_bytes(p, 0, n);
}

void
make_udp(struct packet *p)
{
	if (is_ip4(p))
		set_ip8(p, 9, ICS_PROTO_UDP);
	else
		p->b[last_next_header(p)] = ICS_PROTO_UDP;
	set_len(p, 16);
	set_hex(p, 0, "c000 0035 0010 0000 0000000000000000");
}

void
set_encap(struct packet *p, const char *hex)
{
	uint8_t bytes[256];
	uint32_t n = unhex(hex, bytes, sizeof(bytes));

	assert_int_equal(p->l3, 14);
	repair_keep(p);
	memmove(p->b + 12, p->b + 14, p->len - 14);
	p->len -= 2;
	insert_at(p, 12, bytes, n);
	p->l3 = 12 + n;
	p->l4 += n - 2;
}

void
add_padding(struct packet *p, uint32_t n)
{
	memset(p->b + p->len, 0, n);
	p->len += n;
	p->pad += n;
}

/* ---- repair -------------------------------------------------------------------------------------- */

uint16_t
checksum(const uint8_t *p, uint32_t len, uint64_t acc)
{
	for (uint32_t i = 0; i < len; i++)
		acc += i % 2 == 0 ? (uint64_t)p[i] << 8 : p[i];
	while (acc > 0xffff)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)~acc;
}

static uint64_t
sum_of(const uint8_t *p, uint32_t len)
{
	return (uint16_t)~checksum(p, len, 0);
}

void
repair(struct packet *p)
{
	uint8_t *ip = p->b + p->l3, *icmp = p->b + p->l4;
	uint32_t end = p->len - p->pad, ip_len = end - p->l3, ilen = end - p->l4;
	uint64_t acc = 0;

	p->raw = true;
	if (is_ip4(p)) {
		ip[2] = (uint8_t)(ip_len >> 8);
		ip[3] = (uint8_t)ip_len;
		ip[10] = ip[11] = 0;
		uint16_t sum = checksum(ip, (ip[0] & 15u) * 4, 0);

		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
		if (ip[9] != ICS_PROTO_ICMP4)
			return;
	} else {
		ip[4] = (uint8_t)((ip_len - 40) >> 8);
		ip[5] = (uint8_t)(ip_len - 40);
		if (p->b[last_next_header(p)] != ICS_PROTO_ICMP6)
			return;
		acc = sum_of(ip + 8, 32) + ilen + ICS_PROTO_ICMP6;
	}
	if (ilen < 4)
		return;
	icmp[2] = icmp[3] = 0;
	uint16_t sum = checksum(icmp, ilen, acc);

	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
}

void
repair_keep(struct packet *p)
{
	if (!p->raw)
		repair(p);
}

void
repair_extension(struct packet *p, uint32_t off)
{
	set16(p, off + 2, 0);
	set16(p, off + 2, checksum(p->b + p->l4 + off, p->len - p->l4 - off, 0));
}

/* ---- assertions ---------------------------------------------------------------------------------- */

void
inspect(const struct packet *p, struct ics_pkt *pkt)
{
	static uint8_t *copy;
	const struct ics_inspect in = {.validate = {.link_mtu = p->link_mtu}};
	struct packet fixed = *p;
	struct ics_frame frame;

	repair_keep(&fixed);
	frame = (struct ics_frame){
		.cap_len = p->snap != 0 && p->snap < p->len ? p->snap : p->len,
		.wire_len = p->len,
		.stripped_tci = ICS_VLAN_NONE,
		.link = p->link,
	};
	free(copy);
	copy = malloc(frame.cap_len);
	assert_non_null(copy);
	memcpy(copy, fixed.b, frame.cap_len);
	frame.data = copy;
	ics_inspect_frame(&in, &frame, pkt);
}

/* The set, and its first rule. */
static struct ics_reasons
parse_names(const char *names, int *first)
{
	struct ics_reasons set = {{0}};
	char buf[512], *save = NULL;

	*first = -1;
	assert_true(strlen(names) < sizeof(buf));
	strcpy(buf, names);
	for (char *name = strtok_r(buf, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
		int n = ics_reason_find(name);

		if (n < 0)
			fail_msg("no rule has the name %s", name);
		ics_reasons_add(&set, (enum ics_reason)n);
		if (*first < 0)
			*first = n;
	}
	return set;
}

static void
format_names(const struct ics_reasons *set, char *buf, size_t room)
{
	unsigned n;
	size_t used = 0;

	buf[0] = '\0';
	ICS_REASONS_FOREACH(n, set) {
		int k = snprintf(buf + used, room - used, "%s ", ics_reason_info(n)->name);

		used += (size_t)k < room - used ? (size_t)k : 0;
	}
}

static uint32_t
check_exact(const struct packet *p, const struct ics_reasons *want, const char *file, int line)
{
	char wanted[1024], got[1024];
	struct ics_pkt pkt;

	inspect(p, &pkt);
	if (memcmp(&pkt.reasons, want, sizeof(*want)) != 0) {
		format_names(want, wanted, sizeof(wanted));
		format_names(&pkt.reasons, got, sizeof(got));
		print_error("%s:%d: expected { %s}, got { %s}, class %s\n", file, line, wanted, got,
			    ics_class_name(pkt.class));
		_fail(file, line);
	}
	return pkt.flags;
}

uint32_t
check_fires(const struct packet *p, const char *names, const char *file, int line)
{
	int first;
	struct ics_reasons want = parse_names(names, &first);
	uint32_t flags = check_exact(p, &want, file, line);

	assert_true(first >= 0);
	provoked[first] = true;
	return flags;
}

uint32_t
check_silent(const struct packet *p, const char *rule, const char *others, const char *file, int line)
{
	int first, unused;
	struct ics_reasons want;
	uint32_t flags;

	parse_names(rule, &first);
	want = parse_names(others, &unused);
	assert_true(first >= 0 && !ics_reasons_has(&want, (enum ics_reason)first));
	flags = check_exact(p, &want, file, line);
	negated[first] = true;
	return flags;
}
