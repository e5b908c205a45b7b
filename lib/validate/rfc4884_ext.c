/* What follows the quoted packet of an ICMP error: a length attribute says where, a header with version and
 * checksum, then objects, of which the MPLS label stack is read. RFC 4884 3 to 5, 7, 8; RFC 4950 4. Packet Too
 * Big never has any: its 32 bits are the MTU. Called by the validators of errors and by quote.c.
 */
#include "validate.h"

#define MSG_HEADER_LEN 8
#define QUOTE_MIN 128 /* the original datagram is padded to this */
#define EXT_HEADER_LEN 4
#define EXT_VERSION 2
#define OBJECT_HEADER_LEN 4
#define OBJECTS_MAX 32
#define CLASS_MPLS 1
#define CTYPE_INCOMING 1
#define ENTRY_LEN 4
#define ENTRY_BOTTOM 0x100

/* Classes whose messages can have extensions: where the attribute stands, and octets a unit. */
static const struct {
	uint8_t attr_off;
	uint8_t unit;
} places[ICS_CLASS_COUNT] = {
	[ICS_CLASS_icmp6_unreach] = {4, 8},       [ICS_CLASS_icmp6_time_exceeded] = {4, 8},
	[ICS_CLASS_icmp4_unreach] = {5, 4},       [ICS_CLASS_icmp4_frag_needed] = {5, 4},
	[ICS_CLASS_icmp4_time_exceeded] = {5, 4}, [ICS_CLASS_icmp4_param_problem] = {5, 4},
};

uint32_t
ics_ext_attr_len(const struct ics_pkt *pkt)
{
	return ics_view_u8(pkt->icmp, places[pkt->class].attr_off) * (uint32_t)places[pkt->class].unit;
}

static bool
sum_verifies(struct ics_view ext)
{
	return ics_sum_fold(ics_sum_add(0, ext)) == 0xffff;
}

/* Whole entries, the last of them and no other with the bottom bit (4950 4). */
static bool
is_label_stack(struct ics_view payload)
{
	if (payload.len == 0 || payload.len % ENTRY_LEN != 0)
		return false;
	for (uint32_t off = 0; off < payload.len; off += ENTRY_LEN) {
		bool bottom = ics_load_be32(payload.p + off) & ENTRY_BOTTOM;

		if (bottom != (off + ENTRY_LEN == payload.len))
			return false;
	}
	return true;
}

static unsigned
copy_labels(struct ics_view payload, uint32_t *labels, unsigned max)
{
	unsigned n = payload.len / ENTRY_LEN;

	for (unsigned i = 0; i < n && i < max; i++)
		labels[i] = ics_load_be32(payload.p + i * ENTRY_LEN);
	return n;
}

/* ext_len octets are said to be at ext, of which some may not have been captured. */
static unsigned
walk_objects(struct ics_view ext, uint32_t ext_len, struct ics_reasons *reasons, uint32_t *labels, unsigned max)
{
	unsigned n_labels = 0;
	uint32_t off = EXT_HEADER_LEN, len;

	for (unsigned n = 0; n < OBJECTS_MAX && off < ext_len; n++, off += len) {
		struct ics_view payload;

		if (ext_len - off >= OBJECT_HEADER_LEN && !ics_view_has(ext, off, OBJECT_HEADER_LEN))
			break;
		len = ics_view_be16(ext, off);
		/* An object has a header and ends within the extension (7, 8). */
		if (ext_len - off < OBJECT_HEADER_LEN || len < OBJECT_HEADER_LEN || len > ext_len - off) {
			ics_reasons_add(reasons, ICS_REASON_ext_obj_len);
			break;
		}
		if (ext.p[off + 2] != CLASS_MPLS || ext.p[off + 3] != CTYPE_INCOMING || !ics_view_has(ext, off, len))
			continue;
		payload = ics_view_sub(ext, off + OBJECT_HEADER_LEN, len - OBJECT_HEADER_LEN);
		if (is_label_stack(payload))
			n_labels = copy_labels(payload, labels, max);
		else
			ics_reasons_add(reasons, ICS_REASON_ext_mpls_bad_stack);
	}
	return n_labels;
}

unsigned
ics_ext_walk(const struct ics_pkt *pkt, struct ics_reasons *reasons, uint32_t *labels, unsigned max)
{
	uint32_t len = ics_msg_len(pkt), attr = ics_ext_attr_len(pkt), off, ext_len;
	bool whole = ics_msg_is_whole(pkt);
	struct ics_view ext;

	if (places[pkt->class].unit == 0 || len == ICS_LEN_UNKNOWN)
		return 0;
	off = MSG_HEADER_LEN + (attr != 0 ? attr : QUOTE_MIN);
	ext = ics_view_sub(pkt->icmp, off, UINT32_MAX);

	if (ics_likely(attr == 0)) {
		/* Routers older than the attribute put the extension behind 128 octets without saying so (5.5). */
		if (len < off + EXT_HEADER_LEN || !whole || ext.p[0] >> 4 != EXT_VERSION || !sum_verifies(ext))
			return 0;
		ics_reasons_add(reasons, ICS_REASON_ext_legacy_no_length);
		return walk_objects(ext, len - off, reasons, labels, max);
	}

	/* The original datagram field is 128 octets or more (3, 4.1 to 4.4), and ends within the message. */
	if (attr < QUOTE_MIN)
		ics_reasons_add(reasons, ICS_REASON_ext_length_lt_128);
	if (off > len)
		ics_reasons_add(reasons, ICS_REASON_ext_length_overrun);
	if (attr < QUOTE_MIN || off > len || ext.len < EXT_HEADER_LEN)
		return 0;
	ext_len = len - off;

	/* Only version 2 is defined (7). */
	if (ext.p[0] >> 4 != EXT_VERSION) {
		ics_reasons_add(reasons, ICS_REASON_ext_version);
		return 0;
	}
	/* Zero means that none was computed (7). */
	if (whole && ics_load_be16(ext.p + 2) != 0 && !sum_verifies(ext)) {
		ics_reasons_add(reasons, ICS_REASON_ext_checksum);
		return 0;
	}
	return walk_objects(ext, ext_len, reasons, labels, max);
}
