/* Addresses as text, both ways. */
#include "ics_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

char *
ics_ip_format(const struct ics_ip *a, char buf[static ICS_IP_STRLEN])
{
	if (ics_ip6_is_v4mapped(a->b))
		inet_ntop(AF_INET, a->b + 12, buf, ICS_IP_STRLEN);
	else
		inet_ntop(AF_INET6, a->b, buf, ICS_IP_STRLEN);
	return buf;
}

char *
ics_mac_format(const struct ics_mac *m, char buf[static ICS_MAC_STRLEN])
{
	snprintf(buf, ICS_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2], m->b[3], m->b[4],
		 m->b[5]);
	return buf;
}

int
ics_ip_parse(const char *text, struct ics_ip *out)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET6, text, out->b) == 1)
		return 0;
	if (inet_pton(AF_INET, text, v4) != 1)
		return -EINVAL;
	*out = ics_ip_from4(v4);
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
ics_mac_parse(const char *text, struct ics_mac *out)
{
	char split = 0;

	for (unsigned i = 0; i < 6; i++) {
		int hi = hex_digit(*text);
		int lo = hi < 0 ? -1 : hex_digit(text[1]);

		if (hi < 0)
			return -EINVAL;
		out->b[i] = lo < 0 ? (uint8_t)hi : (uint8_t)(hi << 4 | lo);
		text += lo < 0 ? 1 : 2;
		if (i == 5)
			break;
		if ((*text != ':' && *text != '-') || (split != 0 && *text != split))
			return -EINVAL;
		split = *text++;
	}
	return *text == '\0' ? 0 : -EINVAL;
}
