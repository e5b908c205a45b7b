/* What the interface identifier of an address tells about how it was made: from the MAC (RFC 4291 2.5.1, appendix A), by
 * hand or by a DHCPv6 server, as a stable random one (RFC 7217), as a temporary one (RFC 8981). Called by host.c once
 * for each new binding.
 */
#include "model_priv.h"

/* Addresses of the host that are looked at: the stable one is among its first. */
#define LOOKS 8

static const char *const names[ICS_IID_COUNT] = {
	[ICS_IID_EUI64] = "eui64",
	[ICS_IID_STABLE] = "stable",
	[ICS_IID_TEMP] = "temp",
	[ICS_IID_LINK_LOCAL] = "link_local",
};

const char *
ics_iid_name(enum ics_iid iid)
{
	return (unsigned)iid < ICS_IID_COUNT ? names[iid] : "unknown";
}

static bool
is_eui64(const uint8_t *iid)
{
	return iid[3] == 0xff && iid[4] == 0xfe;
}

/* Written by people or servers: half of it zero, or four groups of small numbers, as in ::192:168:1:10. By chance a
 * random one looks like that once in ten million.
 */
static bool
is_readable(const uint8_t *iid)
{
	unsigned zeros = 0, small = 0;

	for (unsigned i = 0; i < 8; i++)
		zeros += iid[i] == 0;
	for (unsigned i = 0; i < 8; i += 2)
		small += iid[i] < 4;
	return zeros >= 4 || small == 4;
}

enum ics_iid
ics_iid_of(const struct ics_model *m, uint32_t host, const struct ics_ip *addr)
{
	const struct ics_host *h = host != 0 ? ics_table_at(&m->hosts, host) : NULL;
	uint32_t i = h != NULL ? h->oldest : 0;

	if (ics_ip6_is_link_local(addr->b))
		return ICS_IID_LINK_LOCAL;
	if (is_eui64(addr->b + 8))
		return ICS_IID_EUI64;
	if (is_readable(addr->b + 8))
		return ICS_IID_STABLE;
	for (unsigned n = 0; n < LOOKS && i != 0; n++) {
		const struct ics_binding *b = ics_table_at(&m->bindings, i);

		if (memcmp(b->addr.b, addr->b, 8) == 0 && b->iid != ICS_IID_EUI64 && !is_readable(b->addr.b + 8))
			return ICS_IID_TEMP;
		i = binding_more_at(m, i)->newer;
	}
	return ICS_IID_STABLE;
}
