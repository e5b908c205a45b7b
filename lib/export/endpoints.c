/* The table of endpoints: what is registered is what stands here. A family has list, info and (where there can be many) table, as DPDK's own families have, so that its client's FOREACH works on them.
 */
#include "endpoint.h"

#include <string.h>

#define FAMILY(name, what, item)                                                                                       \
	{"/icmpscope/" #name "/list", what ". Parameters: START", tel_##name##_list},                                  \
	{                                                                                                              \
		"/icmpscope/" #name "/info", "All about one. Parameters: " item, tel_##name##_info                     \
	}
#define DIRECT(name, what, item)                                                                                       \
	{"/icmpscope/" #name "/list", what ". Parameters: START", tel_##name##_list, true},                            \
	{                                                                                                              \
		"/icmpscope/" #name "/info", "All about one. Parameters: " item, tel_##name##_info, true               \
	}
#define TABLE(name, start)                                                                                             \
	{                                                                                                              \
		"/icmpscope/" #name "/table",                                                                          \
			"Columns, with total, next and more. Parameters: START[,COUNT], START a " start,               \
			tel_##name##_table                                                                             \
	}

static const struct endpoint endpoints[] = {
	{"/icmpscope/info", "Version, uptime, mode, conservation: received, classified, delivered, dropped", tel_info},
	{"/icmpscope/classes", "Frames by class, exact. Parameters: WORKER or none", tel_classes},
	{"/icmpscope/reasons", "Messages by rule, exact. Parameters: WORKER or none", tel_reasons},
	{"/icmpscope/dropped", "Messages lost between worker and control core by class. Parameters: WORKER or none",
	 tel_dropped},
	{"/icmpscope/encapsulation", "Frames by what they were wrapped in. Parameters: WORKER or none",
	 tel_encapsulation},
	FAMILY(reason, "Names of the rules", "NAME"),
	{"/icmpscope/watchdog", "Whether control core and workers turn; answered even when the control core does not",
	 tel_watchdog, true},
	DIRECT(worker, "Numbers of the workers", "WORKER"),
	{"/icmpscope/worker/table", "Columns, with total, next and more. Parameters: START[,COUNT], START a worker",
	 tel_worker_table, true},
	{"/icmpscope/plan", "What runs where, memory, and every compromise with its remedy", tel_plan},
	TABLE(plan, "worker"),
	FAMILY(port, "Numbers of the ports", "PORT"),
	TABLE(port, "port"),
	FAMILY(detector, "Names of the detectors", "NAME"),
	TABLE(detector, "row number"),
	FAMILY(anomaly, "Ids of the anomalies that are kept", "ID"),
	TABLE(anomaly, "sequence number"),
	{"/icmpscope/anomaly/ack", "Marks an anomaly as seen by an operator. Parameters: ID", tel_anomaly_ack},
	{"/icmpscope/anomaly/evidence",
	 "A frame that proves an anomaly, in hexadecimal. Parameters: ID[,N], N from 1 on", tel_anomaly_evidence},
	FAMILY(neighbor, "Places of the addresses and who holds them", "ID"),
	TABLE(neighbor, "place"),
	FAMILY(router, "Ids of the routers", "ID"),
	TABLE(router, "router id"),
	FAMILY(prefix, "Ids of what routers advertise", "ID"),
	TABLE(prefix, "prefix id"),
	FAMILY(host, "Ids of the hosts", "ID"),
	TABLE(host, "host id"),
	FAMILY(group, "Places of the multicast groups", "ID"),
	TABLE(group, "place"),
	FAMILY(querier, "Ids of the MLD queriers", "ID"),
	TABLE(querier, "querier id"),
	FAMILY(pmtu, "Places of the paths whose MTU was told", "ID"),
	TABLE(pmtu, "place"),
	TABLE(reporter, "place"),
	TABLE(gateway, "sequence number"),
	FAMILY(segment, "Ids of the segments", "ID"),
	TABLE(segment, "segment id"),
};

const struct endpoint *
endpoint_at(unsigned i)
{
	return i < ICS_ARRAY_LEN(endpoints) ? &endpoints[i] : NULL;
}

const struct endpoint *
endpoint_find(const char *command)
{
	for (unsigned i = 0; i < ICS_ARRAY_LEN(endpoints); i++)
		if (strcmp(endpoints[i].command, command) == 0)
			return &endpoints[i];
	return NULL;
}
