/* Opening, reading and closing of ports (port.h). A tap port takes every frame: promiscuous, all multicast, no
 * filter, VLAN tags left in the frame where the driver lets them.
 */
#include "port.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

#define DESCRIPTORS 1024
#define POOL_CACHE 256
/* Jumbo frames are taken where the device takes them. */
#define MTU_MAX 9216

static int
make_pool(struct port *p, const struct device *d, const struct plan *plan, unsigned i, char err[static PORT_ERR_LEN])
{
	char name[32];

	snprintf(name, sizeof(name), "port%u", i);
	p->pool = rte_pktmbuf_pool_create(name, plan->mbufs[i], POOL_CACHE, 0, (uint16_t)d->data_room,
					  rte_eth_dev_socket_id(p->id));
	if (p->pool != NULL)
		return 0;
	snprintf(err, PORT_ERR_LEN, "%.200s: no memory for %u packet buffers (%s): set eal.memory_mb above %" PRIu64,
		 d->text, plan->mbufs[i], rte_strerror(rte_errno), plan->memory_mb);
	return -rte_errno;
}

static void
make_conf(const struct device *d, const struct rte_eth_dev_info *info, struct rte_eth_conf *c)
{
	const uint64_t wanted = RTE_ETH_RX_OFFLOAD_TIMESTAMP | RTE_ETH_RX_OFFLOAD_SCATTER;

	memset(c, 0, sizeof(*c));
	c->rxmode.offloads = wanted & info->rx_offload_capa;
	/* A virtual device would pass the MTU on to the kernel's interface, which is not ours to change. */
	if (d->kind == DEVICE_PCI && (c->rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER))
		c->rxmode.mtu = info->max_mtu < MTU_MAX ? info->max_mtu : MTU_MAX;
}

/* AF_XDP wants as many transmit queues as receive queues, memif does not connect without one. Nothing is put in. */
static bool
needs_tx(const struct device *d)
{
	return d->kind == DEVICE_XDP || d->kind == DEVICE_VDEV;
}

/* Types that nobody believes need not be found out: drivers that do so in software save the time. One that cannot leave
 * it refuses, or says nothing; what it does then does no harm.
 */
static int
ask_for_ptypes(const struct port *p)
{
	return rte_eth_dev_set_ptypes(p->id, p->trust_ptypes ? RTE_PTYPE_ALL_MASK : RTE_PTYPE_UNKNOWN, NULL, 0);
}

/* Once it is started, since what a driver finds out may depend on how it receives. */
static void
read_ptypes(struct port *p)
{
	uint32_t declared[PTYPE_LIST_MAX];
	int n = rte_eth_dev_get_supported_ptypes(p->id, RTE_PTYPE_ALL_MASK, declared, PTYPE_LIST_MAX);

	if (n < 0)
		n = 0;
	if (n > PTYPE_LIST_MAX)
		n = PTYPE_LIST_MAX;
	p->declared = ptype_map_make(&p->ptypes, declared, (unsigned)n, p->tunnels);
}

struct ptype_map *
port_ptypes(struct port *p)
{
	return p->trust_ptypes && p->declared ? &p->ptypes : NULL;
}

/* One attempt with n_tx transmit queues. */
static int
start(struct port *p, const struct rte_eth_conf *conf, const struct rte_eth_dev_info *info, unsigned queues,
      unsigned n_tx)
{
	uint16_t n_rxd = DESCRIPTORS, n_txd = 64;
	int socket = rte_eth_dev_socket_id(p->id), rc;
	struct rte_eth_rxconf rx = info->default_rxconf;

	rc = rte_eth_dev_configure(p->id, (uint16_t)queues, (uint16_t)n_tx, conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &n_rxd, &n_txd);
	rx.offloads = conf->rxmode.offloads;
	for (unsigned q = 0; q < queues && rc == 0; q++)
		rc = rte_eth_rx_queue_setup(p->id, (uint16_t)q, n_rxd, (unsigned)socket, &rx, p->pool);
	for (unsigned q = 0; q < n_tx && rc == 0; q++)
		rc = rte_eth_tx_queue_setup(p->id, (uint16_t)q, n_txd, (unsigned)socket, NULL);
	if (rc == 0 && ask_for_ptypes(p) != 0)
		p->trust_ptypes = false;
	return rc == 0 ? rte_eth_dev_start(p->id) : rc;
}

static int
find(struct port *p, const struct device *d, char err[static PORT_ERR_LEN])
{
	if (rte_eth_dev_get_port_by_name(d->name, &p->id) == 0)
		return 0;
	if (d->kind == DEVICE_PCI)
		snprintf(err, PORT_ERR_LEN,
			 "%.200s: DPDK did not take this device: bind it with `dpdk-devbind.py -b "
			 "vfio-pci %s`",
			 d->text, d->name);
	else
		snprintf(err, PORT_ERR_LEN, "%.200s: DPDK has no port of this name", d->text);
	return -ENODEV;
}

int
port_open(struct port *p, const struct device *d, const struct plan *plan, unsigned i, unsigned *queues,
	  struct ics_export_port *view, char err[static PORT_ERR_LEN])
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	int rc;

	rc = find(p, d, err);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_info_get(p->id, &info);
	if (rc != 0) {
		snprintf(err, PORT_ERR_LEN, "%.200s: the driver says nothing about it: %s", d->text, rte_strerror(-rc));
		return rc;
	}
	if (*queues > info.max_rx_queues)
		*queues = info.max_rx_queues;
	rc = make_pool(p, d, plan, i, err);
	if (rc != 0)
		return rc;
	make_conf(d, &info, &conf);
	p->rss = rss_choose(&info, *queues, &conf);
	if (p->rss == PORT_RSS_NONE)
		*queues = 1;
	rc = start(p, &conf, &info, *queues, needs_tx(d) ? *queues : 0);
	if (rc != 0 && !needs_tx(d))
		rc = start(p, &conf, &info, *queues, *queues);
	if (rc != 0 && conf.rx_adv_conf.rss_conf.rss_key != NULL) {
		p->rss = rss_without_key(&conf);
		rc = start(p, &conf, &info, *queues, needs_tx(d) ? *queues : 0);
	}
	if (rc != 0) {
		snprintf(err, PORT_ERR_LEN, "%.200s: driver %s cannot start it: %s", d->text, info.driver_name,
			 rte_strerror(-rc));
		return rc;
	}
	p->started = true;
	/* Drivers without such a filter refuse: then there is nothing to switch off. */
	(void)rte_eth_promiscuous_enable(p->id);
	(void)rte_eth_allmulticast_enable(p->id);
	read_ptypes(p);
	*view = (struct ics_export_port){.device = d->text,
					 .driver = info.driver_name,
					 .clock = device_is_once(d) ? "capture" : "tsc",
					 .node = d->node,
					 .queues = *queues,
					 .capture_frames = device_is_once(d) ? d->frames : 0};
	port_read(p, view);
	return 0;
}

void
port_close(struct port *p)
{
	if (!p->started)
		return;
	(void)rte_eth_dev_stop(p->id);
	(void)rte_eth_dev_close(p->id);
	p->started = false;
}

void
port_read(const struct port *p, struct ics_export_port *view)
{
	struct rte_eth_stats s;
	struct rte_eth_link link;

	view->ptypes = !p->declared                                                       ? ICS_PTYPES_UNDECLARED
		       : !p->trust_ptypes                                                 ? ICS_PTYPES_DECLARED
		       : atomic_load_explicit(&p->ptypes.withdrawn, memory_order_relaxed) ? ICS_PTYPES_WITHDRAWN
											  : ICS_PTYPES_TRUSTED;
	if (rte_eth_stats_get(p->id, &s) == 0) {
		view->rx_packets = s.ipackets;
		view->rx_bytes = s.ibytes;
		view->missed = s.imissed;
		view->errors = s.ierrors;
		view->no_mbuf = s.rx_nombuf;
	}
	if (rte_eth_link_get_nowait(p->id, &link) == 0) {
		view->link_up = link.link_status == RTE_ETH_LINK_UP && view->link == ICS_LINK_UP;
		view->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	}
}
