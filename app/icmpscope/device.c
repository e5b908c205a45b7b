/* Parsing and checking of -p (device.h): a PCI address, a kernel interface, a capture, or DPDK's own words. */
#include "device.h"

#include "ics_capture.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADROOM 128
#define DATA_ROOM_DEFAULT (2048 + HEADROOM)
/* One segment of a packet buffer is at most this long. */
#define DATA_ROOM_MAX 65535
/* Longer slots would not fit into a packet buffer; a longer frame (loopback alone has them) is cut by the kernel. */
#define PACKET_SLOT_MAX 32768
/* Of an AF_PACKET slot not usable for the frame: tpacket2_hdr, sockaddr_ll, alignment. */
#define PACKET_SLOT_OVERHEAD 128
#define PACKET_SLOTS 4096
/* Slots of memif's ring, as a power of two: without a word, and at most. */
#define MEMIF_RING_LOG 10
#define MEMIF_RING_LOG_MAX 14

#define ALLOWED "a PCI address, an interface, xdp:INTERFACE, pcap:FILE[,loop] or a DPDK vdev (net_...) is"

/* "3b:00.0", "0000:3b:00.0"; what follows the address is left to EAL. */
static bool
is_pci(const char *s, char addr[static 16], const char **rest)
{
	unsigned domain = 0, bus, dev, fn;
	int len = 0;

	if (sscanf(s, "%4x:%2x:%2x.%1x%n", &domain, &bus, &dev, &fn, &len) != 4 || len == 0) {
		domain = 0;
		len = 0;
		if (sscanf(s, "%2x:%2x.%1x%n", &bus, &dev, &fn, &len) != 3 || len == 0)
			return false;
	}
	if (s[len] != '\0' && s[len] != ',')
		return false;
	snprintf(addr, 16, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, dev & 0xff, fn & 0xf);
	*rest = s + len;
	return true;
}

/* NUMA node from a sysfs file; -1 without one. */
static int
read_node(const char *fmt, const char *what)
{
	char path[PATH_MAX];
	int node = -1;
	FILE *f;

	snprintf(path, sizeof(path), fmt, what);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	if (fscanf(f, "%d", &node) != 1)
		node = -1;
	fclose(f);
	return node;
}

static int
parse_pci(struct device *d, const char *addr, const char *rest, char err[static DEVICE_ERR_LEN])
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", addr);
	if (access(path, F_OK) != 0) {
		snprintf(err, DEVICE_ERR_LEN, "%s: no such PCI device; `lspci -D` shows them", d->text);
		return -ENODEV;
	}
	d->kind = DEVICE_PCI;
	d->node = read_node("/sys/bus/pci/devices/%s/numa_node", addr);
	snprintf(d->name, sizeof(d->name), "%s", addr);
	snprintf(d->target, sizeof(d->target), "%s", addr);
	snprintf(d->eal, sizeof(d->eal), "%s%s", addr, rest);
	return 0;
}

/* What the kernel says of an interface: MTU and whether it is up. */
static void
read_interface(const char *ifname, int *mtu, bool *up)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*mtu = 1500;
	*up = true;
	if (fd < 0)
		return;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCGIFMTU, &ifr) == 0)
		*mtu = ifr.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
		*up = (ifr.ifr_flags & IFF_UP) != 0;
	close(fd);
}

static unsigned
count_rx_queues(const char *ifname)
{
	char path[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", ifname);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		n += strncmp(e->d_name, "rx-", 3) == 0;
	if (d != NULL)
		closedir(d);
	return n;
}

/* AF_PACKET slots are sized for the interface's MTU: a longer frame would be cut. */
static void
compose_packet(struct device *d, unsigned index, const char *ifname, int mtu)
{
	unsigned slot = 2048;

	while (slot < (unsigned)mtu + 18 + PACKET_SLOT_OVERHEAD && slot < PACKET_SLOT_MAX)
		slot *= 2;
	if (slot > 2048)
		d->data_room = slot + HEADROOM;
	snprintf(d->name, sizeof(d->name), "net_af_packet_p%u", index);
	snprintf(d->eal, sizeof(d->eal), "%s,iface=%s,blocksz=%u,framesz=%u,framecnt=%u", d->name, ifname,
		 slot < 4096 ? 4096 : slot, slot, PACKET_SLOTS * 2048 / slot < 256 ? 256 : PACKET_SLOTS * 2048 / slot);
}

static int
parse_interface(struct device *d, unsigned index, const char *ifname, char err[static DEVICE_ERR_LEN])
{
	unsigned queues;
	int mtu;
	bool up;

	if (ifname[0] == '\0' || strlen(ifname) >= IF_NAMESIZE || strpbrk(ifname, ",[]=\"'/ ") != NULL) {
		snprintf(err, DEVICE_ERR_LEN, "%s: not a device; " ALLOWED, d->text);
		return -EINVAL;
	}
	if (if_nametoindex(ifname) == 0) {
		snprintf(err, DEVICE_ERR_LEN, "%s: no interface %s here (`ip link` shows them); " ALLOWED " allowed",
			 d->text, ifname);
		return -ENODEV;
	}
	read_interface(ifname, &mtu, &up);
	d->node = read_node("/sys/class/net/%s/device/numa_node", ifname);
	snprintf(d->target, sizeof(d->target), "%s", ifname);
	queues = count_rx_queues(ifname);
	if (d->kind == DEVICE_XDP) {
		snprintf(d->name, sizeof(d->name), "net_af_xdp_p%u", index);
		snprintf(d->eal, sizeof(d->eal), "%s,iface=%s", d->name, ifname);
		if (queues > 1)
			snprintf(d->note, sizeof(d->note),
				 "%s: %u receive queues, AF_XDP reads the first; "
				 "`ethtool -L %s combined 1` brings all frames there",
				 d->text, queues, ifname);
	} else {
		compose_packet(d, index, ifname, mtu);
	}
	if (!up)
		snprintf(d->note, sizeof(d->note), "%s is down and receives nothing: `ip link set %s up`", d->text,
			 ifname);
	return 0;
}

/* Reads the whole capture once: how many frames there are to expect, and whether all are Ethernet. */
static int
scan_capture(struct device *d, char err[static DEVICE_ERR_LEN])
{
	char why[ICS_CAPTURE_ERR_LEN];
	struct ics_capture *c;
	struct ics_frame f;
	uint64_t ts;
	int rc;

	c = ics_capture_open(d->target, why);
	if (c == NULL) {
		snprintf(err, DEVICE_ERR_LEN, "%.400s", why);
		return -ENOENT;
	}
	while ((rc = ics_capture_next(c, &f, &ts, why)) == 1 && f.link == ICS_LINK_ETHERNET) {
		d->frames++;
		d->snapped += f.cap_len < f.wire_len;
		if (f.cap_len > d->longest)
			d->longest = f.cap_len;
	}
	if (rc == 1 || ics_capture_link(c) != ICS_LINK_ETHERNET) {
		ics_capture_close(c);
		snprintf(err, DEVICE_ERR_LEN, "%.300s: not an Ethernet capture; icmpscope-read reads it", d->target);
		return -EPROTONOSUPPORT;
	}
	ics_capture_close(c);
	if (rc < 0)
		snprintf(d->damage, sizeof(d->damage), "%.400s", why);
	return 0;
}

static int
parse_capture(struct device *d, unsigned index, const char *arg, char err[static DEVICE_ERR_LEN])
{
	size_t len = strlen(arg);
	bool loop = len > 5 && strcmp(arg + len - 5, ",loop") == 0;
	int rc;

	if (loop)
		len -= 5;
	snprintf(d->target, sizeof(d->target), "%.*s", (int)len, arg);
	if (len == 0 || strcmp(d->target, "-") == 0) {
		snprintf(err, DEVICE_ERR_LEN,
			 "%s: no file; pcap:FILE or pcap:FILE,loop is allowed, and icmpscope-read "
			 "reads standard input",
			 d->text);
		return -EINVAL;
	}
	if (strpbrk(d->target, ",[]\"'=") != NULL) {
		snprintf(err, DEVICE_ERR_LEN,
			 "%s: DPDK cannot take a path with one of , [ ] \" ' = in it: rename the "
			 "file or make a link to it",
			 d->text);
		return -EINVAL;
	}
	d->kind = loop ? DEVICE_LOOP : DEVICE_CAPTURE;
	rc = scan_capture(d, err);
	if (rc != 0)
		return rc;
	if (loop && d->frames == 0) {
		snprintf(err, DEVICE_ERR_LEN, "%s: no frame in it to play again and again", d->text);
		return -ENODATA;
	}
	/* Every frame of a loop lies in a buffer of its own. */
	d->held = loop ? (unsigned)d->frames : 0;
	if (d->longest + HEADROOM > d->data_room)
		d->data_room = d->longest + HEADROOM < DATA_ROOM_MAX ? d->longest + HEADROOM : DATA_ROOM_MAX;
	if (d->snapped > 0)
		snprintf(d->note, sizeof(d->note),
			 "%s: %" PRIu64 " of %" PRIu64 " frames were cut short when captured, "
			 "and count with the length they have; icmpscope-read knows their true length",
			 d->text, d->snapped, d->frames);
	snprintf(d->name, sizeof(d->name), "net_pcap_p%u", index);
	snprintf(d->eal, sizeof(d->eal), "%s,rx_pcap=%s%s", d->name, d->target, loop ? ",infinite_rx=1" : "");
	return 0;
}

/* As a client with zero-copy memif lends the peer as many buffers as its ring has slots, and asks for all of them at once: with
 * fewer in the pool nothing is ever received.
 */
static void
lend_buffers(struct device *d)
{
	const char *rsize = strstr(d->text, ",rsize=");
	unsigned long slots_log = rsize != NULL ? strtoul(rsize + 7, NULL, 10) : MEMIF_RING_LOG;

	if (strncmp(d->name, "net_memif", 9) != 0 || strstr(d->text, ",zero-copy=yes") == NULL)
		return;
	d->shared_memory = true;
	d->held = 1u << (slots_log < MEMIF_RING_LOG_MAX ? slots_log : MEMIF_RING_LOG_MAX);
}

static int
parse_vdev(struct device *d, char err[static DEVICE_ERR_LEN])
{
	size_t len = strcspn(d->text, ",");

	if (len >= sizeof(d->name)) {
		snprintf(err, DEVICE_ERR_LEN, "%s: a name of at most %zu characters is allowed", d->text,
			 sizeof(d->name) - 1);
		return -EINVAL;
	}
	d->kind = DEVICE_VDEV;
	snprintf(d->name, sizeof(d->name), "%.*s", (int)len, d->text);
	snprintf(d->target, sizeof(d->target), "%s", d->name);
	snprintf(d->eal, sizeof(d->eal), "%s", d->text);
	lend_buffers(d);
	return 0;
}

int
device_parse(struct device *d, unsigned index, const char *text, char err[static DEVICE_ERR_LEN])
{
	const char *rest;
	char addr[16];

	memset(d, 0, sizeof(*d));
	d->node = -1;
	d->data_room = DATA_ROOM_DEFAULT;
	if (strlen(text) >= sizeof(d->text)) {
		snprintf(err, DEVICE_ERR_LEN, "%.40s...: a device of at most %zu characters is allowed", text,
			 sizeof(d->text) - 1);
		return -EINVAL;
	}
	snprintf(d->text, sizeof(d->text), "%s", text);
	if (is_pci(text, addr, &rest))
		return parse_pci(d, addr, rest, err);
	if (strncmp(text, "pcap:", 5) == 0)
		return parse_capture(d, index, text + 5, err);
	if (strncmp(text, "net_", 4) == 0)
		return parse_vdev(d, err);
	if (strncmp(text, "xdp:", 4) == 0) {
		d->kind = DEVICE_XDP;
		return parse_interface(d, index, text + 4, err);
	}
	d->kind = DEVICE_PACKET;
	return parse_interface(d, index, text, err);
}
