/* Ports that go away while the program runs, and come back: a cable, an interface that is set down, one that is deleted and
 * made again, a card that is pulled. Said on standard error, in the journal and in telemetry. Called by the control core.
 */
#ifndef ICMPSCOPE_LINK_H
#define ICMPSCOPE_LINK_H

#include "journalist.h"
#include "port.h"

struct link {
	enum ics_link_state state;
	unsigned index;       /* of the kernel's interface when it was opened; 0: it is none */
	char name[16];        /* of it */
	_Atomic bool removed; /* the driver says so, from a thread of DPDK's */
};

struct links {
	struct link link[PLAN_PORTS_MAX];
	unsigned n;
	int fd;          /* asks the kernel; -1: it cannot be asked */
	bool supervised; /* somebody starts the program again when it fails */
	bool restart;    /* that is wanted: a port is back that this process cannot open any more */
	uint64_t next_ns;
};

/* Before the sandbox; the network namespace is the one of this moment. views: what telemetry shows of each port. is_notified:
 * whoever started the program is told that it runs.
 */
void links_open(struct links *l, const struct device *devices, const struct port *ports, struct ics_export_port *views,
		unsigned n, bool is_notified, uint64_t now_ns);
/* A turn of the control loop; looks a few times a second. */
void links_turn(struct links *l, const struct device *devices, const struct port *ports, struct ics_export_port *views,
		struct journalist *j, uint64_t now_ns);
void links_close(struct links *l, const struct port *ports);

#endif
