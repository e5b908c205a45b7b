/* Lists: addresses, MAC addresses, maintenance windows, devices. Elements are split by commas; each is wholly
 * right or the list is refused. Called by config.c for the rows that are lists.
 */
#include "row.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEXT_MAX 8192
/* As the kernel has it, its end included. */
#define INTERFACE_MAX 16

static bool (*knows_detector)(const char *name);

void
ics_config_know_detectors(bool (*is_detector)(const char *name))
{
	knows_detector = is_detector;
}

char *
ics_config_next_element(char **rest)
{
	char *start = *rest, *end;

	if (start == NULL)
		return NULL;
	start += strspn(start, " \t");
	end = strchr(start, ',');
	*rest = end != NULL ? end + 1 : NULL;
	if (end == NULL)
		end = start + strlen(start);
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return start;
}

static const char *
add_ip(struct ics_ip_list *l, const char *text)
{
	struct ics_ip ip;

	if (ics_ip_parse(text, &ip) != 0)
		return "has an element that is no address";
	for (unsigned i = 0; i < l->n; i++)
		if (ics_ip_equal(&l->ip[i], &ip))
			return NULL;
	if (l->n == ICS_CONFIG_LIST_MAX)
		return "has too many elements";
	l->ip[l->n++] = ip;
	return NULL;
}

static const char *
add_mac(struct ics_mac_list *l, const char *text)
{
	struct ics_mac mac;

	if (ics_mac_parse(text, &mac) != 0)
		return "has an element that is no MAC address";
	for (unsigned i = 0; i < l->n; i++)
		if (ics_mac_equal(&l->mac[i], &mac))
			return NULL;
	if (l->n == ICS_CONFIG_LIST_MAX)
		return "has too many elements";
	l->mac[l->n++] = mac;
	return NULL;
}

/* RFC 3339 in UTC, seconds optional: 2026-05-12T06:00Z */
static bool
parse_time(const char *text, uint64_t *ns)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"};

	for (unsigned i = 0; i < ICS_ARRAY_LEN(forms); i++) {
		struct tm tm = {0}, back;
		const char *end = strptime(text, forms[i], &tm);
		int day = tm.tm_mday;
		time_t t;

		if (end == NULL || *end != '\0')
			continue;
		t = timegm(&tm);
		/* 31 February comes back as another day. */
		if (t < 0 || t > (time_t)(UINT64_MAX / 1000000000u / 2) || gmtime_r(&t, &back) == NULL ||
		    back.tm_mday != day)
			return false;
		*ns = (uint64_t)t * 1000000000u;
		return true;
	}
	return false;
}

static const char *
parse_scope(struct ics_mute *m, const char *text)
{
	if (strncmp(text, "vlan", 4) == 0) {
		const char *id = text + 4;
		unsigned long v = strtoul(id, NULL, 10);

		if (id[0] == '\0' || strlen(id) > 4 || id[strspn(id, "0123456789")] != '\0' || v < 1 || v > 4094)
			return "mutes a VLAN that is not 1 to 4094";
		m->scope = ICS_MUTE_VLAN;
		m->vlan = (uint16_t)v;
	} else if (ics_mac_parse(text, &m->mac) == 0) {
		m->scope = ICS_MUTE_MAC;
	} else if (ics_ip_parse(text, &m->ip) == 0) {
		m->scope = ICS_MUTE_IP;
	} else {
		return "mutes what is neither an address nor a MAC address nor a VLAN";
	}
	return NULL;
}

static const char *
add_mute(struct ics_config *c, char *text)
{
	struct ics_mute m = {.scope = ICS_MUTE_ALL, .until_ns = UINT64_MAX};
	char *until = strchr(text, '/'), *scope;
	const char *problem;

	if (until != NULL)
		*until++ = '\0';
	scope = strchr(text, '@');
	if (scope != NULL)
		*scope++ = '\0';
	if (strcmp(text, "*") != 0 &&
	    (text[0] == '\0' || text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0'))
		return "has an element that does not start with a detector's name";
	if (snprintf(m.detector, sizeof(m.detector), "%s", text) >= (int)sizeof(m.detector))
		return "has a detector's name that is too long";
	if (knows_detector != NULL && strcmp(text, "*") != 0 && !knows_detector(text))
		return "names a detector that there is not; docs/detectors.md has all of them";
	if (scope != NULL && (problem = parse_scope(&m, scope)) != NULL)
		return problem;
	if (until != NULL && !parse_time(until, &m.until_ns))
		return "has a time that cannot be read";
	if (c->detect.n_mutes == ICS_CONFIG_LIST_MAX)
		return "has too many elements";
	c->detect.mute[c->detect.n_mutes++] = m;
	return NULL;
}

/* A device's arguments are split by commas as well: "net_tap0,iface=tap0" is one device, "pcap:FILE,loop" too. */
static bool
is_device_argument(const struct ics_config *c, const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	if (c->port.n_devices != 0 && strcmp(text, "loop") == 0)
		return strncmp(c->port.device[c->port.n_devices - 1], "pcap:", 5) == 0;
	return n > 0 && text[n] == '=';
}

/* A device's own words for what they are; anything else is a PCI address or an interface, and short. */
static const char *
judge_device(const char *text)
{
	size_t len = strcspn(text, ",");

	if (strncmp(text, "net_", 4) == 0)
		return NULL;
	if (strncmp(text, "pcap:", 5) == 0)
		return len > 5 ? NULL : "has a capture without a file";
	if (strncmp(text, "xdp:", 4) == 0) {
		text += 4;
		len -= 4;
	}
	if (len == 0 || len >= INTERFACE_MAX || strcspn(text, "[]=\"'/ ") < len)
		return "has a device that is none";
	return NULL;
}

static bool
takes_arguments(const char *device)
{
	return strncmp(device, "xdp:", 4) != 0 && (strncmp(device, "net_", 4) == 0 || strchr(device, ':') != NULL);
}

static const char *
add_device(struct ics_config *c, const char *text)
{
	char *to;
	size_t size = sizeof(c->port.device[0]);
	const char *problem;

	for (const char *p = text; *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			return "has a device with a character that cannot be printed";
	if (is_device_argument(c, text)) {
		size_t used;

		if (c->port.n_devices == 0)
			return "starts with a device's argument";
		if (!takes_arguments(c->port.device[c->port.n_devices - 1]))
			return "has an argument for a device that takes none";
		to = c->port.device[c->port.n_devices - 1];
		used = strlen(to);
		if (snprintf(to + used, size - used, ",%s", text) >= (int)(size - used))
			return "has a device that is too long";
		return NULL;
	}
	problem = judge_device(text);
	if (problem != NULL)
		return problem;
	if (c->port.n_devices == ICS_CONFIG_DEVICES_MAX)
		return "has too many elements";
	if (snprintf(c->port.device[c->port.n_devices], size, "%s", text) >= (int)size)
		return "has a device that is too long";
	c->port.n_devices++;
	return NULL;
}

static const char *
add_element(struct ics_config *c, const struct ics_config_row *row, char *text)
{
	void *member = (char *)c + row->off;

	if (text[0] == '\0')
		return "has an empty element";
	switch (row->type) {
	case ICS_CONFIG_IPS:
		return add_ip(member, text);
	case ICS_CONFIG_MACS:
		return add_mac(member, text);
	case ICS_CONFIG_MUTES:
		return add_mute(c, text);
	case ICS_CONFIG_DEVICES:
		return add_device(c, text);
	default:
		return "cannot be read";
	}
}

const char *
ics_config_read_list(struct ics_config *c, const struct ics_config_row *row, const char *text)
{
	char copy[TEXT_MAX], *rest = copy, *element;

	if (text[strspn(text, " \t")] == '\0')
		return NULL;
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return "is too long";
	while ((element = ics_config_next_element(&rest)) != NULL) {
		const char *problem = add_element(c, row, element);

		if (problem != NULL)
			return problem;
	}
	return NULL;
}

void
ics_config_empty_list(struct ics_config *c, const struct ics_config_row *row)
{
	void *member = (char *)c + row->off;

	switch (row->type) {
	case ICS_CONFIG_IPS:
		((struct ics_ip_list *)member)->n = 0;
		break;
	case ICS_CONFIG_MACS:
		((struct ics_mac_list *)member)->n = 0;
		break;
	case ICS_CONFIG_MUTES:
		c->detect.n_mutes = 0;
		break;
	case ICS_CONFIG_DEVICES:
		c->port.n_devices = 0;
		break;
	default:
		break;
	}
}
