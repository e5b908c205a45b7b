/* The devices as DPDK ports: pools, queues, promiscuous reception, statistics. Nothing is ever sent: there is no
 * transmit queue but where a driver insists on one. Called by main.c and control.c.
 */
#ifndef ICMPSCOPE_PORT_H
#define ICMPSCOPE_PORT_H

#include "device.h"
#include "plan.h"
#include "ptype.h"
#include "rss.h"

#include "ics_export.h"

#define PORT_ERR_LEN 480

struct port {
	uint16_t id; /* DPDK's */
	bool started;
	struct rte_mempool *pool;
	enum port_rss rss;
	bool trust_ptypes;       /* in: the operator wants it, and nobody has to see the frames */
	bool tunnels;            /* in: some are looked into */
	bool declared;           /* the driver knows packet types that can be believed */
	struct ptype_map ptypes; /* believed when trust_ptypes and declared */
};

/* Configures and starts row i of the plan. queues: in the plan's number, out what the device has. -errno and err. */
int port_open(struct port *p, const struct device *d, const struct plan *plan, unsigned i, unsigned *queues,
	      struct ics_export_port *view, char err[static PORT_ERR_LEN]);
void port_close(struct port *p);
/* What its workers may believe; NULL: nothing. */
struct ptype_map *port_ptypes(struct port *p);
/* Reads the counters and the link. */
void port_read(const struct port *p, struct ics_export_port *view);

#endif
