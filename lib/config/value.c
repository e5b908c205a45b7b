/* Values as text, as they would stand in the file, and single values taken over from another configuration. Called where a
 * configuration that runs is compared with one that was read again.
 */
#include "row.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

struct out {
	char *text;
	size_t size, len;
};

/* What does not fit is left out. */
static void __attribute__((format(printf, 2, 3))) put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->text + o->len, o->size - o->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len = (size_t)n < o->size - o->len ? o->len + (size_t)n : o->size - 1;
}

static const char *
comma(unsigned i)
{
	return i == 0 ? "" : ", ";
}

static void
put_ips(struct out *o, const struct ics_ip_list *l)
{
	char ip[ICS_IP_STRLEN];

	for (unsigned i = 0; i < l->n; i++)
		put(o, "%s%s", comma(i), ics_ip_format(&l->ip[i], ip));
}

static void
put_macs(struct out *o, const struct ics_mac_list *l)
{
	char mac[ICS_MAC_STRLEN];

	for (unsigned i = 0; i < l->n; i++)
		put(o, "%s%s", comma(i), ics_mac_format(&l->mac[i], mac));
}

static void
put_until(struct out *o, uint64_t until_ns)
{
	time_t t = (time_t)(until_ns / 1000000000u);
	char when[32];
	struct tm tm;

	if (until_ns == UINT64_MAX || gmtime_r(&t, &tm) == NULL)
		return;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put(o, "/%s", when);
}

static void
put_mutes(struct out *o, const struct ics_config *c)
{
	char text[ICS_IP_STRLEN];

	for (unsigned i = 0; i < c->detect.n_mutes; i++) {
		const struct ics_mute *m = &c->detect.mute[i];

		put(o, "%s%s", comma(i), m->detector);
		if (m->scope == ICS_MUTE_IP)
			put(o, "@%s", ics_ip_format(&m->ip, text));
		else if (m->scope == ICS_MUTE_MAC)
			put(o, "@%s", ics_mac_format(&m->mac, text));
		else if (m->scope == ICS_MUTE_VLAN)
			put(o, "@vlan%u", m->vlan);
		put_until(o, m->until_ns);
	}
}

static void
put_tunnels(struct out *o, uint32_t set)
{
	const char *name;
	uint32_t bit;

	if (set == 0)
		put(o, "off");
	for (unsigned i = 0, n = 0; (name = ics_config_tunnel(i, &bit)) != NULL; i++)
		if ((set & bit) != 0)
			put(o, "%s%s", comma(n++), name);
}

void
ics_config_value(const struct ics_config *c, unsigned i, char *buf, size_t size)
{
	const struct ics_config_row *row = ics_config_row(i);
	struct out o = {.text = buf, .size = size};
	const void *member;

	buf[0] = '\0';
	if (row == NULL)
		return;
	member = (const char *)c + row->off;
	switch (row->type) {
	case ICS_CONFIG_U32:
	case ICS_CONFIG_POW2:
		put(&o, "%u", *(const uint32_t *)member);
		break;
	case ICS_CONFIG_BOOL:
		put(&o, "%s", *(const bool *)member ? "on" : "off");
		break;
	case ICS_CONFIG_MODEL:
		put(&o, "%s", ics_config_model(*(const uint32_t *)member));
		break;
	case ICS_CONFIG_IDLE:
		put(&o, "%s", ics_config_idle(*(const uint32_t *)member));
		break;
	case ICS_CONFIG_SANDBOX:
		put(&o, "%s", ics_config_sandbox(*(const uint32_t *)member));
		break;
	case ICS_CONFIG_TUNNELS:
		put_tunnels(&o, *(const uint32_t *)member);
		break;
	case ICS_CONFIG_CPUS:
	case ICS_CONFIG_NAME:
	case ICS_CONFIG_LABEL:
	case ICS_CONFIG_PATH:
	case ICS_CONFIG_SERVERS:
		put(&o, "%s", (const char *)member);
		break;
	case ICS_CONFIG_IPS:
		put_ips(&o, member);
		break;
	case ICS_CONFIG_MACS:
		put_macs(&o, member);
		break;
	case ICS_CONFIG_MUTES:
		put_mutes(&o, c);
		break;
	case ICS_CONFIG_DEVICES:
		for (unsigned k = 0; k < c->port.n_devices; k++)
			put(&o, "%s%s", comma(k), c->port.device[k]);
		break;
	}
}

/* Of a member, how many octets belong to its value. */
static size_t
size_of(const struct ics_config *c, const struct ics_config_row *row)
{
	switch (row->type) {
	case ICS_CONFIG_BOOL:
		return sizeof(bool);
	case ICS_CONFIG_CPUS:
		return sizeof(c->worker.cpus);
	case ICS_CONFIG_NAME:
	case ICS_CONFIG_LABEL:
		return sizeof(c->eal.file_prefix);
	case ICS_CONFIG_PATH:
		return sizeof(c->history.file);
	case ICS_CONFIG_SERVERS:
		return sizeof(c->fleet.servers);
	case ICS_CONFIG_IPS:
		return sizeof(c->detect.gateways);
	case ICS_CONFIG_MACS:
		return sizeof(c->detect.proxies);
	case ICS_CONFIG_MUTES:
		return sizeof(c->detect.mute);
	case ICS_CONFIG_DEVICES:
		return sizeof(c->port.device);
	default:
		return sizeof(uint32_t);
	}
}

void
ics_config_take(struct ics_config *c, const struct ics_config *from, unsigned i)
{
	const struct ics_config_row *row = ics_config_row(i);

	if (row == NULL)
		return;
	memcpy((char *)c + row->off, (const char *)from + row->off, size_of(c, row));
	if (row->type == ICS_CONFIG_MUTES)
		c->detect.n_mutes = from->detect.n_mutes;
	else if (row->type == ICS_CONFIG_DEVICES)
		c->port.n_devices = from->port.n_devices;
}
