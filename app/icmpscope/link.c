/* What becomes of links (link.h). An interface that was down receives again by itself when it is up: its packet socket stays
 * bound. One that was deleted takes its socket along, and the rights to open another were given away at the start: then
 * only a new process can listen there, and where a supervisor starts one, this one ends for it.
 */
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_NS 200000000u

static bool
is_kernel_interface(const struct device *d)
{
	return d->kind == DEVICE_PACKET || d->kind == DEVICE_XDP;
}

/* A capture has no link. */
static bool
has_link(const struct device *d)
{
	return d->kind != DEVICE_CAPTURE && d->kind != DEVICE_LOOP;
}

/* 0 when there is none of this name. */
static unsigned
index_of(const struct links *l, const char *name)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(l->fd, SIOCGIFINDEX, &ifr) == 0 ? (unsigned)ifr.ifr_ifindex : 0;
}

static bool
is_running(const struct links *l, const char *name)
{
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(l->fd, SIOCGIFFLAGS, &ifr) != 0)
		return false;
	return (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

static enum ics_link_state
look(const struct links *l, const struct link *k, const struct device *d, const struct port *p)
{
	struct rte_eth_link link;

	if (atomic_load_explicit(&k->removed, memory_order_relaxed))
		return ICS_LINK_GONE;
	if (is_kernel_interface(d) && k->index != 0) {
		unsigned now = index_of(l, k->name);

		if (now == 0)
			return ICS_LINK_GONE;
		if (now != k->index)
			return ICS_LINK_REPLACED;
		return is_running(l, k->name) ? ICS_LINK_UP : ICS_LINK_DOWN;
	}
	if (rte_eth_link_get_nowait(p->id, &link) != 0)
		return k->state;
	return link.link_status == RTE_ETH_LINK_UP ? ICS_LINK_UP : ICS_LINK_DOWN;
}

static int
on_removed(uint16_t port, enum rte_eth_event_type event, void *ctx, void *ret)
{
	struct link *k = ctx;

	(void)port;
	(void)event;
	(void)ret;
	atomic_store_explicit(&k->removed, true, memory_order_relaxed);
	return 0;
}

void
links_open(struct links *l, const struct device *devices, const struct port *ports, struct ics_export_port *views,
	   unsigned n, bool is_notified, uint64_t now_ns)
{
	l->n = n;
	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* systemd's name for this run of a unit, which whoever is started from there inherits. */
	l->supervised = is_notified && getenv("INVOCATION_ID") != NULL;
	for (unsigned i = 0; i < n; i++) {
		struct link *k = &l->link[i];

		if (is_kernel_interface(&devices[i]) && l->fd >= 0) {
			snprintf(k->name, sizeof(k->name), "%.15s", devices[i].target);
			k->index = index_of(l, k->name);
		}
		k->state = has_link(&devices[i]) ? look(l, k, &devices[i], &ports[i]) : ICS_LINK_UP;
		views[i].link = k->state;
		views[i].link_since_ns = now_ns;
		if (has_link(&devices[i]))
			(void)rte_eth_dev_callback_register(ports[i].id, RTE_ETH_EVENT_INTR_RMV, on_removed, k);
	}
}

void
links_close(struct links *l, const struct port *ports)
{
	for (unsigned i = 0; i < l->n; i++)
		(void)rte_eth_dev_callback_unregister(ports[i].id, RTE_ETH_EVENT_INTR_RMV, on_removed, &l->link[i]);
	if (l->n > 0 && l->fd >= 0)
		close(l->fd);
	l->n = 0;
}

/* ---- what is said ---- */

static void
explain(const struct links *l, const struct link *k, char *buf, size_t size)
{
	switch (k->state) {
	case ICS_LINK_UP:
		snprintf(buf, size, "receives again");
		break;
	case ICS_LINK_DOWN:
		snprintf(buf, size, "is down and receives nothing; it goes on by itself once it is up");
		break;
	case ICS_LINK_GONE:
		snprintf(buf, size,
			 "is gone and receives nothing; once it is back, icmpscope has to be started again%s",
			 l->supervised && k->index != 0 ? ", which happens by itself" : "");
		break;
	case ICS_LINK_REPLACED:
		snprintf(buf, size, "is another interface of the same name now, which this process does not hear; %s",
			 l->supervised ? "it ends, to be started again" : "start icmpscope again");
		break;
	}
}

static void
tell(struct links *l, unsigned port, const struct device *d, struct journalist *j, uint64_t before_s)
{
	const struct link *k = &l->link[port];
	char says[ICS_FACT_TEXT_LEN];

	explain(l, k, says, sizeof(says));
	fprintf(stderr, "icmpscope: %s%s %s\n", k->state == ICS_LINK_UP ? "" : "warning: ", d->text, says);
	if (!journalist_begin(j, ICS_JOURNAL_LINK))
		return;
	ics_journal_add_uint(&j->event, "port", port);
	ics_journal_add_text(&j->event, "device", d->text);
	ics_journal_add_text(&j->event, "link", ics_link_name(k->state));
	ics_journal_add_uint(&j->event, "before_s", before_s);
	ics_journal_add_text(&j->event, "says", says);
	journalist_tell(j);
}

static void
follow(struct links *l, unsigned port, const struct device *d, const struct port *p, struct ics_export_port *view,
       struct journalist *j, uint64_t now_ns)
{
	struct link *k = &l->link[port];
	enum ics_link_state state = look(l, k, d, p);
	uint64_t since_ns = view->link_since_ns;

	if (state == k->state)
		return;
	if (k->state == ICS_LINK_UP)
		view->link_downs++;
	if (state == ICS_LINK_UP)
		view->link_ups++;
	k->state = state;
	view->link = state;
	view->link_since_ns = now_ns;
	tell(l, port, d, j, now_ns > since_ns ? (now_ns - since_ns) / 1000000000u : 0);
	l->restart |= state == ICS_LINK_REPLACED && l->supervised;
}

void
links_turn(struct links *l, const struct device *devices, const struct port *ports, struct ics_export_port *views,
	   struct journalist *j, uint64_t now_ns)
{
	if (now_ns < l->next_ns)
		return;
	l->next_ns = now_ns + LOOK_NS;
	for (unsigned i = 0; i < l->n; i++)
		if (has_link(&devices[i]))
			follow(l, i, &devices[i], &ports[i], &views[i], j, now_ns);
}
