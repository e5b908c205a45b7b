/* Fuzz target: an INI file through ics_config_load(), then lines through ics_config_set(), as the programs do with -c
 * and --set. The input is the file, a zero octet, and the assignments, one a line. What is refused must change nothing
 * and say so in one line; what is taken must be inside the bounds of the table.
 */
#include "fuzz.h"

#include "ics_config.h"

static void
check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	FUZZ_CHECK(n < size, "a text without end");
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(text[i] >= 0x20 && text[i] < 0x7f, "octet 0x%02x in a text", (unsigned char)text[i]);
}

static void
check_between(const char *key, uint32_t v, uint32_t lo, uint32_t hi)
{
	FUZZ_CHECK(v >= lo && v <= hi, "%s is %u", key, v);
}

static bool
is_pow2(uint32_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

static void
check_config(const struct ics_config *c)
{
	check_between("learn_s", c->detect.learn_s, 0, 86400);
	check_between("link_mtu", c->detect.link_mtu, 1280, 65535);
	check_between("table_model", c->detect.table_model, 0, 2);
	check_between("gateways", c->detect.gateways.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("routers_allow", c->detect.routers_allow.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("queriers_allow", c->detect.queriers_allow.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("proxies", c->detect.proxies.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("anycast_gw_macs", c->detect.anycast_gw_macs.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("watch", c->detect.watch.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("nondefault_ok", c->detect.nondefault_ok.n, 0, ICS_CONFIG_LIST_MAX);
	check_between("mute", c->detect.n_mutes, 0, ICS_CONFIG_LIST_MAX);
	for (unsigned i = 0; i < c->detect.n_mutes; i++) {
		check_text(c->detect.mute[i].detector, sizeof(c->detect.mute[i].detector));
		FUZZ_CHECK(c->detect.mute[i].scope != ICS_MUTE_VLAN ||
				   (c->detect.mute[i].vlan >= 1 && c->detect.mute[i].vlan <= 4094),
			   "VLAN %u", c->detect.mute[i].vlan);
	}
	check_between("tunnels", c->decode.tunnels, 0, 0x3f);
	check_between("devices", c->port.n_devices, 0, ICS_CONFIG_DEVICES_MAX);
	for (unsigned i = 0; i < c->port.n_devices; i++)
		check_text(c->port.device[i], sizeof(c->port.device[i]));
	check_text(c->worker.cpus, sizeof(c->worker.cpus));
	check_text(c->eal.file_prefix, sizeof(c->eal.file_prefix));
	FUZZ_CHECK(is_pow2(c->worker.ring_urgent) && is_pow2(c->worker.ring_bulk), "rings of %u and %u",
		   c->worker.ring_urgent, c->worker.ring_bulk);
}

/* After a call that tried to change *c. */
static void
check_outcome(int rc, const struct ics_config *before, const struct ics_config *c, const char *err)
{
	if (rc == 0) {
		FUZZ_CHECK(err[0] == '\0', "taken, and yet \"%s\"", err);
		check_config(c);
		return;
	}
	FUZZ_CHECK(rc == -22, "refused with %d", rc);
	fuzz_check_line(err, ICS_CONFIG_ERR_LEN);
	FUZZ_CHECK(memcmp(before, c, sizeof(*c)) == 0, "refused, and yet changed: %s", err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ics_config c, before;
	const uint8_t *zero = size != 0 ? memchr(data, 0, size) : NULL;
	size_t file_len = zero != NULL ? (size_t)(zero - data) : size;
	char err[ICS_CONFIG_ERR_LEN];
	char *sets, *line;

	ics_config_init(&c);
	check_config(&c);
	before = c;
	check_outcome(ics_config_load(&c, fuzz_file(data, file_len), err), &before, &c, err);

	if (zero == NULL)
		return 0;
	sets = strndup((const char *)zero + 1, size - file_len - 1);
	for (char *rest = sets; (line = strsep(&rest, "\n")) != NULL;) {
		char *exact = strdup(line);

		before = c;
		check_outcome(ics_config_set(&c, exact, err), &before, &c, err);
		free(exact);
	}
	free(sets);
	/* A zero octet inside a file is refused too. */
	before = c;
	check_outcome(ics_config_load(&c, fuzz_file(data, size), err), &before, &c, err);
	return 0;
}

/* Values of the kinds that the table knows, right ones and nearly right ones. */
static const char *const values[] = {
	"0",
	"1",
	"1500",
	"4096",
	"65536",
	"4294967295",
	"4294967296",
	"18446744073709551616",
	"-1",
	"0x10",
	"on",
	"off",
	"yes",
	"true",
	"port2",
	"group",
	"vxlan,gre",
	"vxlan, geneve, gre, erspan, ipip, 6in4",
	"fe80::1",
	"fe80::1, fe80::2",
	"192.0.2.1",
	"::ffff:192.0.2.1",
	"2001:db8::1,,",
	"fe80::1%eth0",
	"00:00:5e:00:53:01",
	"0-0-5e-0-53-1",
	"router_lifetime_zero",
	"*@vlan10/2026-05-12T06:00Z",
	"router_flag_cleared@fe80::1",
	"*/2026-02-31T00:00:00Z",
	"*@00:00:5e:00:53:01/9999-12-31T23:59:59Z",
	"@vlan0",
	"eth0",
	"xdp:eth0, pcap:a.pcap",
	"net_tap0,iface=tap0",
	"iface=tap0",
	"1-3,5",
	"3-1",
	"4095",
	"0-1023",
	"icmpscope",
	"../x",
	"",
	" ; comment",
	"\"quoted\"",
};

/* One more line, of a key of the table, at the end of the file or of the assignments. */
static size_t
append_key(struct fuzz_rng *r, uint8_t *data, size_t size, size_t max_size)
{
	const char *value = values[fuzz_rng_below(r, ICS_ARRAY_LEN(values))];
	const uint8_t *zero = size != 0 ? memchr(data, 0, size) : NULL;
	size_t at = zero != NULL ? (size_t)(zero - data) : size;
	struct ics_config_key key;
	unsigned n = 0;
	char line[512];
	int len;

	while (ics_config_key(n, &key))
		n++;
	ics_config_key(fuzz_rng_below(r, n), &key);
	if (fuzz_rng_below(r, 4) == 0)
		value = key.def;
	if (zero != NULL && fuzz_rng_below(r, 2) == 0) {
		len = snprintf(line, sizeof(line), "\n%s.%s=%s", key.section, key.key, value);
		at = size;
	} else {
		len = snprintf(line, sizeof(line), "\n[%s]\n%s = %s\n", key.section, key.key, value);
	}
	if (len <= 0 || (size_t)len >= sizeof(line) || size + (size_t)len > max_size)
		return 0;
	memmove(data + at + len, data + at, size - at);
	memcpy(data + at, line, (size_t)len);
	return size + (size_t)len;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct fuzz_rng r = {seed};
	size_t len = fuzz_rng_below(&r, 3) == 0 ? append_key(&r, data, size, max_size) : 0;

	return len != 0 ? len : LLVMFuzzerMutate(data, size, max_size);
}
