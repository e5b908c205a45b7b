/* What the reader of quoted packets hands to those who look for black holes: who, to whom, how long, which
 * connection, which labels.
 */
#include "ics_quote.h"
#include "test_common.h"

#include <errno.h>

#define Q 8

static struct ics_quote
parse(const struct packet *p, int expected)
{
	struct ics_pkt pkt;
	struct ics_quote q;

	inspect(p, &pkt);
	assert_int_equal(ics_quote_parse(&pkt, &q), expected);
	return q;
}

static void
assert_ip(const struct ics_ip *ip, const char *text)
{
	struct ics_ip want;

	assert_int_equal(ics_ip_parse(text, &want), 0);
	assert_memory_equal(ip, &want, sizeof(want));
}

static void
test_ip4(void **state)
{
	struct packet p = base_packet(BASE_fragneeded);
	struct ics_quote q = parse(&p, 0);

	(void)state;
	assert_ip(&q.host, "192.0.2.10");
	assert_ip(&q.far, "198.51.100.9");
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF | ICS_QUOTE_PORTS | ICS_QUOTE_WORD);
	assert_int_equal(q.len, 28);
	assert_int_equal(q.bytes.len, 28);
	assert_int_equal(q.ip_len, 1500);
	assert_int_equal(q.ip_hdr_len, 20);
	assert_int_equal(q.ip_id, 0x1234);
	assert_int_equal(q.hop_limit, 60);
	assert_int_equal(q.proto, ICS_PROTO_TCP);
	assert_int_equal(q.sport, 50000);
	assert_int_equal(q.dport, 443);
	assert_int_equal(q.l4_word, 0x01020304);
	assert_int_equal(q.n_labels, 0);
}

static void
test_labels(void **state)
{
	struct packet p = base_packet(BASE_fragneeded_mpls);
	struct ics_quote q = parse(&p, 0);

	(void)state;
	assert_int_equal(q.len, 128);
	assert_int_equal(q.n_labels, 2);
	assert_int_equal(ics_quote_label(q.labels[0]), 100);
	assert_int_equal(ics_quote_label(q.labels[1]), 200);

	/* Without the length attribute the extension is found by its checksum. */
	set8(&p, 5, 0);
	q = parse(&p, 0);
	assert_int_equal(q.n_labels, 2);

	/* More entries than are kept are counted. */
	p = base_packet(BASE_fragneeded_mpls);
	insert_hex(&p, 144, "00001000 00002000 00003000 00004000 00005000 00006000 00007000 00008000");
	set16(&p, 140, 4 + 10 * 4);
	repair_extension(&p, 136);
	q = parse(&p, 0);
	assert_int_equal(q.n_labels, 10);
	assert_int_equal(ics_quote_label(q.labels[ICS_QUOTE_LABELS_MAX - 1]), 8);

	/* A broken stack is none. */
	set16(&p, 140, 3);
	repair_extension(&p, 136);
	q = parse(&p, 0);
	assert_int_equal(q.n_labels, 0);
}

static void
test_ip6(void **state)
{
	struct packet p = base_packet(BASE_ptb);
	struct ics_quote q = parse(&p, 0);

	(void)state;
	assert_ip(&q.host, "2001:db8:1::10");
	assert_ip(&q.far, "2001:db8:9::9");
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF | ICS_QUOTE_PORTS | ICS_QUOTE_WORD);
	assert_int_equal(q.len, 60);
	assert_int_equal(q.ip_len, 1500);
	assert_int_equal(q.sport, 50000);
	assert_int_equal(q.dport, 443);
	assert_int_equal(q.l4_word, 0x01020304);
}

static void
test_ip6_extensions(void **state)
{
	struct packet p = base_packet(BASE_ptb);
	struct ics_quote q;

	(void)state;
	/* destination options, then a first fragment, then UDP */
	set8(&p, Q + 6, ICS_PROTO_DSTOPTS);
	insert_hex(&p, Q + 40, "2c00 0104 00000000 1100 0001 0a0b0c0d");
	q = parse(&p, 0);
	assert_int_equal(q.proto, ICS_PROTO_UDP);
	assert_int_equal(q.ip_hdr_len, 56);
	assert_int_equal(q.ip_id, 0x0a0b0c0d);
	assert_int_equal(q.dport, 443);
	/* the same as a later fragment: there are no ports */
	set16(&p, Q + 50, 0x0009);
	q = parse(&p, 0);
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF | ICS_QUOTE_LATER);
	assert_int_equal(q.proto, ICS_PROTO_UDP);
	/* a header that runs past the quote: the walk ends there */
	set8(&p, Q + 41, 0xff);
	q = parse(&p, 0);
	assert_int_equal(q.proto, ICS_PROTO_DSTOPTS);
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF);
}

static void
test_cut(void **state)
{
	struct packet p = base_packet(BASE_fragneeded);
	struct ics_quote q;

	(void)state;
	/* ports, but no sequence number */
	set_len(&p, Q + 24);
	q = parse(&p, 0);
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF | ICS_QUOTE_PORTS);
	set_len(&p, Q + 20);
	q = parse(&p, 0);
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF);
	set_len(&p, Q + 19);
	parse(&p, -EINVAL);
	set_len(&p, Q);
	parse(&p, -EINVAL);
	/* captured short: the length is that of the message */
	p = base_packet(BASE_fragneeded);
	p.snap = p.l4 + Q + 22;
	q = parse(&p, 0);
	assert_int_equal(q.len, 28);
	assert_int_equal(q.bytes.len, 22);
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF);
}

static void
test_not_there(void **state)
{
	static const enum base bases[] = {BASE_ra, BASE_na, BASE_report2, BASE_query1};
	struct packet p = base_packet(BASE_fragneeded);

	(void)state;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(bases); i++) {
		struct packet other = base_packet(bases[i]);

		parse(&other, -ENOENT);
	}
	set_len(&p, 7);
	parse(&p, -ENOENT);
	p = base_packet(BASE_fragneeded);
	set8(&p, Q, 0x65);
	parse(&p, -EINVAL);
	set8(&p, Q, 0x44);
	parse(&p, -EINVAL);
	p = base_packet(BASE_ptb);
	set8(&p, Q, 0x45);
	parse(&p, -EINVAL);
}

static void
test_icmp(void **state)
{
	struct packet p = base_packet(BASE_fragneeded);
	struct ics_quote q;

	(void)state;
	set8(&p, Q + 9, ICS_PROTO_ICMP4);
	set_hex(&p, Q + 20, "0800 0000 abcd 0007");
	q = parse(&p, 0);
	assert_int_equal(q.flags, ICS_QUOTE_IP | ICS_QUOTE_DF | ICS_QUOTE_WORD | ICS_QUOTE_ICMP);
	assert_int_equal(q.icmp_type, ICS_ICMP4_ECHO_REQUEST);
	assert_int_equal(q.l4_word, 0xabcd0007);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip4),  cmocka_unit_test(test_labels),
		cmocka_unit_test(test_ip6),  cmocka_unit_test(test_ip6_extensions),
		cmocka_unit_test(test_cut),  cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
