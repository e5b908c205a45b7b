/* What a path MTU looks like: which encapsulations leave just this much of a usual link, and what hosts make of a router
 * that tells no MTU (RFC 1191 5 and 7). A label stack that the router tells (RFC 4950) says how much MPLS takes (RFC
 * 3032 3.4 to 3.6), encapsulations that the tap sees break ties. Called for evidence and advice; pure.
 */
#include "ics_path.h"

#include <stdio.h>

#define ETHERNET 1500
#define PPPOE_OVERHEAD 8
#define LABEL_OVERHEAD 4
#define ANY 0

enum { LOW = ICS_CONFIDENCE_LOW, MEDIUM = ICS_CONFIDENCE_MEDIUM, HIGH = ICS_CONFIDENCE_HIGH };

/* By octets that are missing of the link, likeliest first among equals. version: of the packets inside. evidence: what
 * the tap sees when it is so.
 */
static const struct shape {
	uint8_t loss, version, confidence, evidence;
	const char *text;
} shapes[] = {
	{4, ANY, MEDIUM, ICS_ENCAP_MPLS, "1 MPLS label"},
	{4, ANY, LOW, ICS_ENCAP_VLAN | ICS_ENCAP_QINQ, "an 802.1Q tag without room for it"},
	{8, ANY, MEDIUM, ICS_ENCAP_PPPOE, "PPPoE"},
	{8, ANY, LOW, ICS_ENCAP_MPLS, "2 MPLS labels (L3VPN)"},
	{8, ANY, LOW, ICS_ENCAP_QINQ, "QinQ"},
	{8, ANY, LOW, 0, "802.3 with LLC/SNAP"},
	{12, ANY, LOW, ICS_ENCAP_MPLS, "3 MPLS labels"},
	{12, ANY, LOW, ICS_ENCAP_PPPOE, "PPPoE and 1 MPLS label"},
	{16, ANY, LOW, ICS_ENCAP_PPPOE, "PPPoE and 2 MPLS labels"},
	{16, ANY, LOW, ICS_ENCAP_MPLS, "4 MPLS labels"},
	{20, 4, MEDIUM, 0, "IPIP"},
	{20, 4, LOW, 0, "NAT64 or 464XLAT"},
	{20, 6, MEDIUM, 0, "6in4 or 6rd"},
	{24, ANY, MEDIUM, 0, "GRE over IPv4"},
	{28, ANY, MEDIUM, 0, "GRE with key over IPv4"},
	{28, 6, LOW, ICS_ENCAP_PPPOE, "6in4 over PPPoE"},
	{28, 4, LOW, ICS_ENCAP_PPPOE, "IPIP over PPPoE"},
	{32, ANY, LOW, 0, "GRE with key and sequence over IPv4"},
	{32, ANY, LOW, ICS_ENCAP_PPPOE, "GRE over PPPoE"},
	{36, ANY, MEDIUM, 0, "GTP-U"},
	{40, 4, MEDIUM, 0, "DS-Lite (IPv4 in IPv6)"},
	{40, 6, MEDIUM, 0, "IPv6 in IPv6"},
	{44, ANY, MEDIUM, 0, "GRE over IPv6"},
	{48, ANY, MEDIUM, 0, "IPv6 tunnel with encapsulation limit (Linux)"},
	{50, ANY, MEDIUM, 0, "VXLAN over IPv4"},
	{54, ANY, MEDIUM, 0, "ESP AES-GCM tunnel over IPv4"},
	{58, ANY, MEDIUM, 0, "Geneve with 8 octets of options (OVN)"},
	{60, ANY, MEDIUM, 0, "WireGuard over IPv4"},
	{62, ANY, LOW, 0, "ESP AES-CBC tunnel over IPv4"},
	{62, ANY, LOW, 0, "ESP AES-GCM tunnel with NAT-T over IPv4"},
	{68, ANY, MEDIUM, ICS_ENCAP_PPPOE, "WireGuard over IPv4 over PPPoE"},
	{70, ANY, MEDIUM, 0, "VXLAN over IPv6"},
	{78, ANY, MEDIUM, 0, "ESP AES-CBC tunnel with NAT-T over IPv4"},
	{80, ANY, MEDIUM, 0, "WireGuard (default, over IPv6)"},
	{88, ANY, MEDIUM, ICS_ENCAP_PPPOE, "WireGuard (default) over PPPoE"},
	{100, ANY, LOW, 0, "GRE with IPsec"},
	{100, ANY, LOW, 0, "a mobile network"},
	{220, ANY, LOW, 0, "a tunnel or setting at the IPv6 minimum"},
	{220, ANY, LOW, 0, "Teredo"},
	{220, ANY, LOW, 0, "a mobile network"},
};

/* Suites of ESP tunnels in use (RFC 4106, 3602 with 2404 and 4868). */
static const struct {
	const char *name;
	uint8_t iv, icv, block;
} suites[] = {
	{"AES-GCM", 8, 16, 4},
	{"AES-CBC", 16, 12, 16},
	{"AES-CBC", 16, 16, 16},
};

/* Links with more than Ethernet's 1500: what switches and routers are set to. */
static const uint16_t large_links[] = {9216, 9192, 9100, 9000, 4470, 2000, 1600};
static const uint16_t plateaus[] = {65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

const char *
ics_confidence_name(enum ics_confidence c)
{
	static const char *const names[] = {"low", "medium", "high"};

	return (unsigned)c < ICS_ARRAY_LEN(names) ? names[c] : "low";
}

uint32_t
ics_mss4(uint32_t mtu)
{
	return mtu > ICS_TCP_HEADERS4 ? mtu - ICS_TCP_HEADERS4 : 0;
}

uint32_t
ics_mss6(uint32_t mtu)
{
	return mtu > ICS_TCP_HEADERS6 ? mtu - ICS_TCP_HEADERS6 : 0;
}

uint32_t
ics_guess_plateau(uint32_t quoted_len, uint32_t ihl, uint32_t link_mtu)
{
	if (quoted_len > link_mtu && quoted_len > ihl)
		quoted_len -= ihl;
	for (unsigned i = 0; i < ICS_ARRAY_LEN(plateaus); i++)
		if (plateaus[i] < quoted_len)
			return plateaus[i];
	return plateaus[ICS_ARRAY_LEN(plateaus) - 1];
}

/* SPI and sequence number are 8 octets; padding fills a block together with its own two (RFC 4303 2). */
uint32_t
ics_guess_esp(uint32_t link, uint32_t outer, uint32_t udp, uint32_t iv, uint32_t icv, uint32_t block)
{
	uint32_t taken = outer + udp + 8 + iv + icv;

	if (link <= taken + 2 || block == 0)
		return 0;
	link = (link - taken) / block * block;
	return link > 2 ? link - 2 : 0;
}

static void
put(struct ics_guess *g, unsigned confidence, const char *fmt, const char *what, uint32_t n)
{
	char text[ICS_GUESS_TEXT_LEN];

	if (g->n == ICS_GUESS_MAX)
		return;
	snprintf(text, sizeof(text), fmt, what, n);
	for (unsigned i = 0; i < g->n; i++)
		if (strcmp(g->at[i].text, text) == 0)
			return;
	memcpy(g->at[g->n].text, text, sizeof(text));
	g->at[g->n++].confidence = (enum ics_confidence)confidence;
}

static bool
is_link(uint32_t mtu)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(large_links); i++)
		if (mtu == large_links[i])
			return true;
	return mtu == ETHERNET;
}

static void
put_labels(uint32_t mtu, unsigned n, struct ics_guess *g)
{
	uint32_t link = mtu + LABEL_OVERHEAD * n;
	const char *what = n == 1 ? "MPLS label" : "MPLS labels";
	char text[32];

	snprintf(text, sizeof(text), "%u %s", n, what);
	if (is_link(link)) {
		g->link = link;
		put(g, HIGH, "%s, link %u", text, link);
	} else if (is_link(link + PPPOE_OVERHEAD)) {
		g->link = link + PPPOE_OVERHEAD;
		put(g, MEDIUM, "%s over PPPoE, link %u", text, g->link);
	} else {
		put(g, MEDIUM, "%s and more", text, 0);
	}
}

/* Those that the tap has seen signs of come first. */
static void
put_shapes(uint32_t loss, const struct ics_guess_hint *hint, const char *fmt, struct ics_guess *g)
{
	uint8_t version = hint->is_ip4 ? 4 : 6;

	for (unsigned seen = 1; seen < 2; seen--) /* 1, 0 */
		for (unsigned i = 0; i < ICS_ARRAY_LEN(shapes); i++) {
			const struct shape *s = &shapes[i];
			bool is_seen = (s->evidence & hint->encap) != 0;

			if (s->loss != loss || (s->version != ANY && s->version != version) || is_seen != (seen == 1))
				continue;
			put(g, is_seen && s->confidence < HIGH ? s->confidence + 1u : s->confidence, fmt, s->text, 0);
		}
}

/* Overhead that ESP suites of the table leave on this link, over IPv4 or IPv6, plain or in UDP. */
static void
put_esp(uint32_t mtu, uint32_t link, const char *below, struct ics_guess *g)
{
	static const struct {
		uint8_t outer, udp;
		const char *name;
	} ways[] = {
		{20, 0, "over IPv4"},
		{20, 8, "with NAT-T over IPv4"},
		{40, 0, "over IPv6"},
		{40, 8, "with NAT-T over IPv6"},
	};

	for (unsigned w = 0; w < ICS_ARRAY_LEN(ways); w++)
		for (unsigned i = 0; i < ICS_ARRAY_LEN(suites); i++) {
			char text[64];

			if (ics_guess_esp(link, ways[w].outer, ways[w].udp, suites[i].iv, suites[i].icv,
					  suites[i].block) != mtu)
				continue;
			snprintf(text, sizeof(text), "ESP %s tunnel %s%s", suites[i].name, ways[w].name, below);
			put(g, LOW, "%s", text, 0);
		}
}

static void
put_of_link(uint32_t mtu, uint32_t link, const struct ics_guess_hint *hint, struct ics_guess *g)
{
	unsigned before = g->n;
	char fmt[24];

	snprintf(fmt, sizeof(fmt), link == ETHERNET ? "%%s" : "%%s, link %u", link);
	if (mtu == link)
		put(g, hint->quoted > link ? HIGH : MEDIUM, "%sa link with MTU %u", "", link);
	else if (mtu < link)
		put_shapes(link - mtu, hint, fmt, g);
	if (g->n > before && g->link == 0)
		g->link = link;
}

void
ics_guess_encap(uint32_t mtu, const struct ics_guess_hint *hint, struct ics_guess *out)
{
	memset(out, 0, sizeof(*out));
	if (hint->n_labels != 0)
		put_labels(mtu, hint->n_labels, out);
	/* The link that the packet came from says most about the next one. */
	if (hint->quoted != ETHERNET && is_link(hint->quoted) && hint->quoted > mtu)
		put_of_link(mtu, hint->quoted, hint, out);
	put_of_link(mtu, ETHERNET, hint, out);
	for (unsigned i = 0; mtu > ETHERNET && i < ICS_ARRAY_LEN(large_links); i++)
		put_of_link(mtu, large_links[i], hint, out);
	if (mtu < ETHERNET) {
		put_esp(mtu, ETHERNET, "", out);
		put_esp(mtu, ETHERNET - PPPOE_OVERHEAD, ", PPPoE", out);
	}
	if (out->n == 0 && mtu < ETHERNET - PPPOE_OVERHEAD)
		put_shapes(ETHERNET - PPPOE_OVERHEAD - mtu, hint, "%s, PPPoE", out);
	if (out->n == 0 && mtu < 1400)
		put(out, LOW, "%s", "several encapsulations, ESP among them", 0);
}

void
ics_guess_of_path(const struct ics_path *p, struct ics_guess *out)
{
	struct ics_guess_hint hint = {
		.is_ip4 = ics_ip6_is_v4mapped(p->host.b),
		.n_labels = p->n_labels,
		.encap = p->encap,
		.quoted = p->quoted_len,
	};

	ics_guess_encap(p->mtu, &hint, out);
}

const char *
ics_guess_say(const struct ics_guess *g, char *buf, size_t len)
{
	/* Where the router showed its label stack, the others are out of the question. */
	unsigned n = g->n > 0 && g->at[0].confidence == ICS_CONFIDENCE_HIGH ? 1 : g->n;
	size_t at = 0;

	snprintf(buf, len, "not the mark of any usual encapsulation");
	for (unsigned i = 0; i < n; i++) {
		int w = snprintf(buf + at, len - at, "%s%s",
				 i == 0       ? g->at[0].confidence == ICS_CONFIDENCE_LOW ? "perhaps " : ""
				 : i + 1 == n ? " or "
					      : ", ",
				 g->at[i].text);

		if (w < 0 || at + (size_t)w >= len) {
			buf[at] = '\0';
			break;
		}
		at += (size_t)w;
	}
	return buf;
}
