/* lib/config: defaults, what each type takes and refuses, errors that change nothing, and config/icmpscope.ini
 * against the table.
 */
#include "ics_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char err[ICS_CONFIG_ERR_LEN];

/* Loads text as a file on top of *c. */
static int
load_bytes(struct ics_config *c, const char *text, size_t len)
{
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	ret = ics_config_load(c, path, err);
	unlink(path);
	return ret;
}

static int
load_text(struct ics_config *c, const char *text)
{
	return load_bytes(c, text, strlen(text));
}

/* text is refused, the message holds each of the words, and nothing changed. */
static void
refuse_text(const char *text, const char *word1, const char *word2)
{
	struct ics_config c, before;

	ics_config_init(&c);
	assert_int_equal(ics_config_set(&c, "detect.learn_s=17", err), 0);
	before = c;
	assert_int_equal(load_text(&c, text), -EINVAL);
	if (strstr(err, word1) == NULL || strstr(err, word2) == NULL)
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err, word1, word2);
	assert_null(strchr(err, '\n'));
	assert_memory_equal(&c, &before, sizeof(c));
}

static void
refuse_set(const char *assignment, const char *word)
{
	struct ics_config c, before;

	ics_config_init(&c);
	before = c;
	assert_int_equal(ics_config_set(&c, assignment, err), -EINVAL);
	if (strstr(err, word) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", err, word);
	assert_null(strchr(err, '\n'));
	assert_memory_equal(&c, &before, sizeof(c));
}

static void
accept_set(struct ics_config *c, const char *assignment)
{
	if (ics_config_set(c, assignment, err) != 0)
		fail_msg("%s: %s", assignment, err);
}

static void
test_defaults(void **state)
{
	struct ics_config c;

	memset(&c, 0xa5, sizeof(c));
	ics_config_init(&c);
	assert_int_equal(c.detect.learn_s, 600);
	assert_int_equal(c.detect.gateways.n, 0);
	assert_int_equal(c.detect.link_mtu, 1500);
	assert_int_equal(c.detect.r0_victims, 5);
	assert_int_equal(c.detect.route_limit, 100);
	assert_int_equal(c.detect.pfx_hosts, 5);
	assert_int_equal(c.detect.nce_limit, 1024);
	assert_int_equal(c.detect.groups_per_host, 24);
	assert_int_equal(c.detect.table_cap, 3000);
	assert_int_equal(c.detect.table_model, 1);
	assert_int_equal(c.detect.hosts_per_port, 1);
	assert_int_equal(c.detect.mld_pps_warn, 500);
	assert_int_equal(c.detect.mld_pps_crit, 1000);
	assert_int_equal(c.detect.mld_version, 2);
	assert_true(c.detect.snooping);
	assert_int_equal(c.detect.journal_days, 90);
	assert_int_equal(c.detect.n_mutes, 0);
	assert_int_equal(c.decode.tunnels, 0);
	assert_false(c.decode.mpls_control_word);
	assert_int_equal(c.port.n_devices, 0);
	assert_string_equal(c.worker.cpus, "");
	assert_int_equal(c.worker.ring_urgent, 8192);
	assert_int_equal(c.worker.ring_bulk, 65536);
	assert_string_equal(c.eal.file_prefix, "icmpscope");
	assert_int_equal(c.eal.memory_mb, 0);
}

static void
test_numbers(void **state)
{
	struct ics_config c;

	ics_config_init(&c);
	accept_set(&c, "detect.learn_s=0");
	assert_int_equal(c.detect.learn_s, 0);
	accept_set(&c, "detect.learn_s=86400");
	assert_int_equal(c.detect.learn_s, 86400);
	refuse_set("detect.learn_s=86401", "0 to 86400");
	refuse_set("detect.learn_s=99999999999999999999", "out of range");
	refuse_set("detect.learn_s=4294967296", "out of range");
	refuse_set("detect.learn_s=-1", "no whole number");
	refuse_set("detect.learn_s=+1", "no whole number");
	refuse_set("detect.learn_s= 1", "no whole number");
	refuse_set("detect.learn_s=0x10", "no whole number");
	refuse_set("detect.learn_s=10s", "\"10s\"");
	refuse_set("detect.learn_s=", "empty");
	refuse_set("detect.link_mtu=1279", "1280 to 65535");
	accept_set(&c, "worker.ring_bulk=1024");
	assert_int_equal(c.worker.ring_bulk, 1024);
	refuse_set("worker.ring_bulk=1025", "power of two");
	assert_int_equal(c.worker.idle, ICS_IDLE_POLL);
	accept_set(&c, "worker.idle=sleep");
	assert_int_equal(c.worker.idle, ICS_IDLE_SLEEP);
	refuse_set("worker.idle=nap", "poll, pause or sleep");
	refuse_set("worker.ring_bulk=512", "out of range");
}

static void
test_words(void **state)
{
	static const char *const on[] = {"on", "true", "yes", "1", "ON"}, *const off[] = {"off", "false", "no", "0"};
	struct ics_config c;
	char text[64];

	ics_config_init(&c);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(on); i++) {
		c.detect.snooping = false;
		snprintf(text, sizeof(text), "detect.snooping=%s", on[i]);
		accept_set(&c, text);
		assert_true(c.detect.snooping);
	}
	for (unsigned i = 0; i < ICS_ARRAY_LEN(off); i++) {
		c.detect.snooping = true;
		snprintf(text, sizeof(text), "detect.snooping=%s", off[i]);
		accept_set(&c, text);
		assert_false(c.detect.snooping);
	}
	refuse_set("detect.snooping=2", "on or off");
	accept_set(&c, "detect.table_model=group");
	assert_int_equal(c.detect.table_model, 0);
	accept_set(&c, "detect.table_model=port2");
	assert_int_equal(c.detect.table_model, 2);
	refuse_set("detect.table_model=port3", "group, port or port2");
	accept_set(&c, "decode.tunnels=vxlan, 6in4");
	assert_int_equal(c.decode.tunnels, ICS_TUNNEL_VXLAN | ICS_TUNNEL_6IN4);
	accept_set(&c, "decode.tunnels=all");
	assert_int_equal(c.decode.tunnels, 0x3f);
	accept_set(&c, "decode.tunnels=off");
	assert_int_equal(c.decode.tunnels, 0);
	refuse_set("decode.tunnels=vxlan,mpls", "not known");
	refuse_set("decode.tunnels=", "not known");
	accept_set(&c, "worker.cpus=2,4-7");
	assert_string_equal(c.worker.cpus, "2,4-7");
	refuse_set("worker.cpus=7-4", "ends before");
	refuse_set("worker.cpus=2,,3", "CPU numbers");
	refuse_set("worker.cpus=1024", "1023");
	accept_set(&c, "worker.cpus=");
	assert_string_equal(c.worker.cpus, "");
	accept_set(&c, "eal.file_prefix=scope-2");
	assert_string_equal(c.eal.file_prefix, "scope-2");
	refuse_set("eal.file_prefix=../x", "not allowed");
	refuse_set("eal.file_prefix=..", "dot");
	refuse_set("eal.file_prefix=", "empty");
	accept_set(&c, "history.file=/var/lib/icmpscope/a b.db");
	assert_string_equal(c.history.file, "/var/lib/icmpscope/a b.db");
	accept_set(&c, "history.file=");
	assert_string_equal(c.history.file, "");
}

static void
test_labels(void **state)
{
	struct ics_config c;

	ics_config_init(&c);
	accept_set(&c, "journal.site=berlin-3");
	assert_string_equal(c.journal.site, "berlin-3");
	accept_set(&c, "journal.site=");
	assert_string_equal(c.journal.site, "");
	refuse_set("journal.appliance=tap 3", "not allowed");
	refuse_set("journal.appliance=\"", "not allowed");
	refuse_set("journal.appliance=0123456789012345678901234567890123456789012345678901234567890123", "too long");
	refuse_set("journal.keep=1001", "0 to 1000");
	refuse_set("evidence.max_files=0", "1 to 100000");
}

static void
test_lists(void **state)
{
	struct ics_config c;
	struct ics_ip ip;
	char text[2048] = "detect.watch=";

	ics_config_init(&c);
	accept_set(&c, "detect.gateways=fe80::1, 192.0.2.1 ,fe80::1");
	assert_int_equal(c.detect.gateways.n, 2);
	assert_int_equal(ics_ip_parse("192.0.2.1", &ip), 0);
	assert_true(ics_ip_equal(&c.detect.gateways.ip[1], &ip));
	accept_set(&c, "detect.gateways=fe80::2");
	assert_int_equal(c.detect.gateways.n, 1);
	accept_set(&c, "detect.gateways=");
	assert_int_equal(c.detect.gateways.n, 0);
	refuse_set("detect.gateways=fe80::1,,fe80::2", "empty element");
	refuse_set("detect.gateways=fe80::1,", "empty element");
	refuse_set("detect.gateways=fe80::g", "no address");
	accept_set(&c, "detect.proxies=00:00:5E:00:53:01,00-00-5e-00-53-02");
	assert_int_equal(c.detect.proxies.n, 2);
	assert_int_equal(c.detect.proxies.mac[1].b[5], 2);
	refuse_set("detect.proxies=00:00:5e:00:53", "MAC");
	for (unsigned i = 0; i <= ICS_CONFIG_LIST_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sfe80::%x", i ? "," : "", i + 1);
	refuse_set(text, "too many");
	*strrchr(text, ',') = '\0';
	accept_set(&c, text);
	assert_int_equal(c.detect.watch.n, ICS_CONFIG_LIST_MAX);
}

static void
test_mutes(void **state)
{
	struct ics_config c;
	const struct ics_mute *m = c.detect.mute;

	ics_config_init(&c);
	accept_set(&c, "detect.mute=router_lifetime_zero, *@vlan20/2026-05-12T06:00Z, "
		       "router_flag_cleared@fe80::1/2026-05-12T06:00:30Z, *@00:00:5e:00:53:01");
	assert_int_equal(c.detect.n_mutes, 4);
	assert_string_equal(m[0].detector, "router_lifetime_zero");
	assert_int_equal(m[0].scope, ICS_MUTE_ALL);
	assert_true(m[0].until_ns == UINT64_MAX);
	assert_int_equal(m[1].scope, ICS_MUTE_VLAN);
	assert_int_equal(m[1].vlan, 20);
	assert_true(m[1].until_ns == 1778565600000000000ull);
	assert_int_equal(m[2].scope, ICS_MUTE_IP);
	assert_int_equal(m[2].ip.b[15], 1);
	assert_true(m[2].until_ns == 1778565630000000000ull);
	assert_int_equal(m[3].scope, ICS_MUTE_MAC);
	assert_int_equal(m[3].mac.b[2], 0x5e);
	refuse_set("detect.mute=*@vlan0", "1 to 4094");
	refuse_set("detect.mute=*@vlan4095", "1 to 4094");
	refuse_set("detect.mute=*@eth0", "neither");
	refuse_set("detect.mute=*/tomorrow", "time");
	refuse_set("detect.mute=*/2026-02-31T06:00Z", "time");
	refuse_set("detect.mute=*/2026-02-03T06:00", "time");
	refuse_set("detect.mute=Router", "detector");
	refuse_set("detect.mute=@fe80::1", "detector");
	refuse_set("detect.mute=a123456789012345678901234567890123456789", "too long");
}

static void
test_devices(void **state)
{
	struct ics_config c;

	ics_config_init(&c);
	accept_set(&c, "port.device=0000:3b:00.0, eth1,net_pcap0,rx_pcap=/tmp/a.pcap,infinite_rx=1,pcap:b=c.pcap");
	assert_int_equal(c.port.n_devices, 4);
	assert_string_equal(c.port.device[0], "0000:3b:00.0");
	assert_string_equal(c.port.device[2], "net_pcap0,rx_pcap=/tmp/a.pcap,infinite_rx=1");
	assert_string_equal(c.port.device[3], "pcap:b=c.pcap");
	refuse_set("port.device=iface=eth0", "argument");
	refuse_set("port.device=net_tap0,iface=\x12", "printed");
	accept_set(&c, "port.device=pcap:a.pcap,loop,eth0,loop");
	assert_int_equal(c.port.n_devices, 3);
	assert_string_equal(c.port.device[0], "pcap:a.pcap,loop");
	assert_string_equal(c.port.device[2], "loop");
	assert_int_equal(load_text(&c, "[port]\ndevice = eth0\ndevice = eth1, eth2\n"), 0);
	assert_int_equal(c.port.n_devices, 3);
	assert_string_equal(c.port.device[2], "eth2");
}

static void
test_assignments(void **state)
{
	refuse_set("detect.learn_s", "SECTION.KEY=VALUE");
	refuse_set("learn_s=1", "SECTION.KEY=VALUE");
	refuse_set("=", "SECTION.KEY=VALUE");
	refuse_set("detect.lern_s=1", "did you mean detect.learn_s?");
	refuse_set("decode.learn_s=1", "did you mean detect.learn_s?");
	refuse_set("detekt.xyzzyx=1", "unknown section");
	refuse_set("detect.xyzzyx=1", "unknown key");
	refuse_set("detect.=1", "unknown key");
	refuse_set("detect.learn_s=\n\x1b[31m\xff", "\"??[31m?\"");
}

static void
test_files(void **state)
{
	struct ics_config c;
	char line[600] = "[detect]\ngateways = ";

	ics_config_init(&c);
	assert_int_equal(load_text(&c, "\xef\xbb\xbf# x\r\n[detect]\r\nlearn_s = 5 ; five\r\ngateways=fe80::1,\r\n"),
			 -EINVAL);
	assert_int_equal(load_text(&c, "\xef\xbb\xbf# x\r\n[detect]\r\nlearn_s = 5 ; five\r\ngateways=fe80::1\r\n"
				       "gateways = fe80::2\n[eal]\nmemory_mb=64"),
			 0);
	assert_int_equal(c.detect.learn_s, 5);
	assert_int_equal(c.detect.gateways.n, 2);
	assert_int_equal(c.eal.memory_mb, 64);
	/* A file's list replaces what was there before it; keys that it does not name stay. */
	assert_int_equal(load_text(&c, "[detect]\ngateways = fe80::3\n"), 0);
	assert_int_equal(c.detect.gateways.n, 1);
	assert_int_equal(c.detect.learn_s, 5);
	assert_int_equal(load_text(&c, ""), 0);

	/* The key is named for lines that are wrong as such, too. */
	assert_int_equal(load_bytes(&c, "[detect]\nlearn_s = 1\0 2\n", 23), -EINVAL);
	assert_non_null(strstr(err, ":2: detect.learn_s = \"1\": a zero byte"));
	refuse_text("[detect]\nlearn_s = ten\n", ":2: detect.learn_s = \"ten\"", "allowed: 0 to 86400");
	refuse_text("[detect]\nlink_mtu = 9000\nlern_s = 1\n", ":3: ", "did you mean detect.learn_s?");
	refuse_text("[detekt]\n", ":1: unknown section \"detekt\"", "decode");
	refuse_text("[detekt]\nlearn_s = 1\n", ":1: unknown section", "detekt");
	refuse_text("learn_s = 1\n", ":1: ", "before the first [section]");
	refuse_text("[detect]\nlearn_s\n", ":2: ", "neither");
	refuse_text("[detect]\nlearn_s\nlink_mtu = 1\n", ":2: ", "neither");
	refuse_text("[detect\nlearn_s = 1\n", ":1: ", "neither");
	refuse_text("[detect]\nlearn_s = 1\nlearn_s = 2\n", ":3: ", "second time");
	/* A line that starts with blanks continues the value before it: never a silent change. */
	refuse_text("[detect]\nlearn_s = 1\n  link_mtu = 9000\n", ":3: ", "second time");
	refuse_text("[detect]\nlearn_s = 1 # one\n", ":2: ", "allowed");
	assert_int_equal(load_bytes(&c, "[detect]\nlearn\0_s = 1\n", 21), -EINVAL);
	assert_non_null(strstr(err, "zero byte"));

	/* 199 characters fit, 200 are an error and not two lines. */
	for (unsigned i = 0; strlen(line) < 9 + 199; i++)
		strcat(line, i == 0 ? "fe80::1" : " ");
	assert_int_equal(load_text(&c, line), 0);
	strcat(line, " ");
	refuse_text(line, ":2: ", "longer than 199");
}

static void
test_unreadable(void **state)
{
	struct ics_config c;

	ics_config_init(&c);
	assert_int_equal(ics_config_load(&c, "/nonexistent/icmpscope.ini", err), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/icmpscope.ini: No such file"));
	assert_int_equal(ics_config_load(&c, "/", err), -EIO);
	assert_non_null(strstr(err, "is it a file?"));
	assert_int_equal(ics_config_load(&c, "/dev/zero", err), -EINVAL);
}

/* The comment above a key, which several may share, on one line. */
static char *
comment_of(const char *text, const char *at, char *buf, size_t size)
{
	const char *line = at;
	size_t len = 0;

	while (line > text && (line == at || (line[0] != '\0' && line[0] != '\n' && line[0] != '[')))
		for (line--; line > text && line[-1] != '\n'; line--)
			;
	buf[0] = '\0';
	for (; line < at; line = strchr(line, '\n') + 1) {
		if (line[0] != '#')
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
		assert_true(len < size);
	}
	return buf;
}

/* What the comment must tell of each kind of value. */
static const char *
word_of(const struct ics_config_key *key)
{
	static const struct {
		const char *type, *word;
	} words[] = {
		{"switch", "on or off"},
		{"addresses", "At most 64 addresses"},
		{"macs", "At most 64 MAC addresses"},
		{"mutes", "At most 64"},
		{"devices", "At most 16"},
		{"path", "at most 255 characters"},
		{"label", "At most 63"},
		{"name", "1 to 63"},
		{"word", "group"},
		{"mode", "on, try or off"},
		{"rest", "poll, pause or sleep"},
		{"words", "off, all, or some of"},
		{"cpus", "as 2,4-7"},
		{"servers", "tls://HOST[:PORT]"},
	};

	if (strcmp(key->type, "number") == 0)
		return strpbrk(key->allowed, "0123456789");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(words); i++)
		if (strcmp(key->type, words[i].type) == 0)
			return words[i].word;
	return "";
}

/* The documented file names every key in order, with its default; its comment tells what is allowed and whether it is
 * applied by SIGHUP.
 */
static void
test_documented_file(void **state)
{
	const char *path = ICS_TEST_SOURCE_ROOT "/config/icmpscope.ini";
	struct ics_config fresh, loaded;
	struct ics_config_key key;
	char *text, *at, comment[2048];
	unsigned n, lines = 0;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text = calloc(1, 65536);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);

	ics_config_init(&fresh);
	/* Everything that the file leaves out would stay different. */
	memset(&loaded, 0, sizeof(loaded));
	if (ics_config_load(&loaded, path, err) != 0)
		fail_msg("%s", err);
	assert_memory_equal(&loaded, &fresh, sizeof(fresh));

	at = text;
	for (n = 0; ics_config_key(n, &key); n++) {
		char line[256];
		size_t len;

		snprintf(line, sizeof(line), "\n[%s]\n", key.section);
		if (strstr(text, line) > at)
			at = strstr(text, line);
		len = (size_t)snprintf(line, sizeof(line), "\n%s =%s%s\n", key.key, key.def[0] ? " " : "", key.def);
		at = strstr(at, line);
		if (at == NULL)
			fail_msg("config/icmpscope.ini lacks, or has out of order, \"%.*s\" of [%s]", (int)len - 2,
				 line + 1, key.section);
		comment_of(text, at + 1, comment, sizeof(comment));
		if (strstr(comment, word_of(&key)) == NULL)
			fail_msg("config/icmpscope.ini does not tell \"%s\" of %s.%s", word_of(&key), key.section,
				 key.key);
		if ((strstr(comment, "Live.") != NULL) != key.live)
			fail_msg("config/icmpscope.ini is wrong about whether %s.%s is live", key.section, key.key);
		assert_true(key.text[0] != '\0' && key.allowed[0] != '\0');
	}
	/* ... and no other. */
	for (const char *p = text; (p = strstr(p, "\n")) != NULL && p[1] != '\0'; p++)
		lines += p[1] >= 'a' && p[1] <= 'z';
	assert_int_equal(lines, n);
	free(text);
}

/* Values as text are what the file would hold: read again they are the same. */
static void
test_values(void **state)
{
	static const char *const sets[] = {
		"detect.learn_s=17",
		"detect.gateways=fe80::1, 192.0.2.1",
		"detect.proxies=00:00:5e:00:53:01",
		"detect.table_model=port2",
		"detect.snooping=off",
		"detect.mute=*@vlan20/2026-05-12T06:00:00Z, router_new@fe80::1, nd_scan@00:00:5e:00:53:01",
		"decode.tunnels=vxlan, 6in4",
		"port.device=0000:3b:00.0, net_pcap0,rx_pcap=/tmp/a.pcap, eth1",
		"worker.cpus=2,4-7",
		"journal.site=berlin",
		"state.file=/tmp/\xc3\xa4",
	};
	struct ics_config c, back, taken;
	struct ics_config_key key;
	char value[ICS_CONFIG_VALUE_LEN], line[ICS_CONFIG_VALUE_LEN + 64];

	ics_config_init(&c);
	ics_config_init(&back);
	ics_config_init(&taken);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(sets); i++) {
		const char *equals = strchr(sets[i], '=');
		unsigned row = 0;

		accept_set(&c, sets[i]);
		while (ics_config_key(row, &key)) {
			snprintf(line, sizeof(line), "%s.%s", key.section, key.key);
			if (strncmp(sets[i], line, (size_t)(equals - sets[i])) == 0 && line[equals - sets[i]] == '\0')
				break;
			row++;
		}
		ics_config_value(&c, row, value, sizeof(value));
		assert_string_equal(value, equals + 1);
		assert_memory_not_equal(&c, &taken, sizeof(c));
		ics_config_take(&taken, &c, row);
		assert_memory_equal(&c, &taken, sizeof(c));
	}
	for (unsigned row = 0; ics_config_key(row, &key); row++) {
		ics_config_value(&c, row, value, sizeof(value));
		snprintf(line, sizeof(line), "%s.%s=%s", key.section, key.key, value);
		accept_set(&back, line);
	}
	assert_memory_equal(&c, &back, sizeof(c));
	ics_config_value(&c, 0, value, 2);
	assert_string_equal(value, "1");
	ics_config_value(&c, 1000, value, sizeof(value));
	assert_string_equal(value, "");
}

static void
test_paths_and_devices(void **state)
{
	refuse_set("state.file=/tmp/\xff", "UTF-8");
	refuse_set("state.file=/tmp/\xed\xa0\x80", "UTF-8");
	refuse_set("state.file=/tmp/\xc0\xaf", "UTF-8");
	refuse_set("state.file=/tmp/\xe2\x82", "UTF-8");
	refuse_set("state.file=/tmp/a\tb", "printed");
	refuse_set("port.device=interface-too-long", "none");
	refuse_set("port.device=a/b", "none");
	refuse_set("port.device=pcap:", "without a file");
	refuse_set("port.device=xdp:", "none");
	refuse_set("port.device=eth0,blocksz=4096", "takes none");
}

static bool
is_only_detector(const char *name)
{
	return strcmp(name, "router_new") == 0;
}

static void
test_mute_names(void **state)
{
	struct ics_config c;

	ics_config_init(&c);
	accept_set(&c, "detect.mute=router_old");
	ics_config_know_detectors(is_only_detector);
	refuse_set("detect.mute=router_old", "a detector that there is not");
	accept_set(&c, "detect.mute=router_new, *@vlan2");
	ics_config_know_detectors(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_mutes),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_assignments),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_documented_file),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_paths_and_devices),
		cmocka_unit_test(test_mute_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
