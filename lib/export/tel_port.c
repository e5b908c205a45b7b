/* The port family: what the devices received and what they lost before a worker saw it. */
#include "endpoint.h"

static const struct reply_column columns[] = {
	{"port", false},     {"device", true},      {"driver", true},         {"link_up", false}, {"rx_packets", false},
	{"rx_bytes", false}, {"missed", false},     {"errors", false},        {"no_mbuf", false}, {"link", true},
	{"link_ups", false}, {"link_downs", false}, {"link_since_ns", false},
};

const char *
ics_link_name(enum ics_link_state link)
{
	static const char *const names[] = {"up", "down", "gone", "replaced"};

	return (unsigned)link < ICS_ARRAY_LEN(names) ? names[link] : "?";
}

static const char *
ptypes_name(enum ics_ptypes ptypes)
{
	static const char *const names[] = {"undeclared", "declared", "trusted", "withdrawn"};

	return (unsigned)ptypes < ICS_ARRAY_LEN(names) ? names[ptypes] : "?";
}

void
tel_port_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint64_t start;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	for (uint64_t i = start; i < src->n_ports; i++)
		if (!reply_list_uint(r, i))
			return;
}

void
tel_port_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_export_port *p;
	uint64_t i;

	if (!param_index(r, params, "a port", src->n_ports, &i))
		return;
	read_ports(src);
	p = &src->ports[i];
	reply_uint(r, "port", i);
	reply_text(r, "device", "%s", p->device);
	reply_text(r, "driver", "%s", p->driver);
	reply_text(r, "clock", "%s", p->clock);
	if (p->node >= 0)
		reply_uint(r, "numa_node", (uint64_t)p->node);
	reply_uint(r, "queues", p->queues);
	reply_uint(r, "link_up", p->link_up);
	reply_text(r, "link", "%s", ics_link_name(p->link));
	reply_uint(r, "link_ups", p->link_ups);
	reply_uint(r, "link_downs", p->link_downs);
	reply_uint(r, "link_since_ns", p->link_since_ns);
	reply_uint(r, "link_mbps", p->link_mbps);
	reply_text(r, "packet_types", "%s", ptypes_name(p->ptypes));
	reply_uint(r, "rx_packets", p->rx_packets);
	reply_uint(r, "rx_bytes", p->rx_bytes);
	reply_uint(r, "missed", p->missed);
	reply_uint(r, "errors", p->errors);
	reply_uint(r, "no_mbuf", p->no_mbuf);
	if (src->plan != NULL && i < ICS_EXPORT_PORTS_MAX) {
		reply_uint(r, "buffers", src->plan->buffers[i]);
		reply_uint(r, "pool_bytes", src->plan->pool_bytes[i]);
	}
	if (p->capture_frames != 0) {
		reply_uint(r, "capture_frames", p->capture_frames);
		reply_uint(r, "capture_read", p->capture_read);
	}
}

void
tel_port_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	uint64_t start, count, i;

	if (!param_page(r, params, &start, &count))
		return;
	read_ports(src);
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	for (i = start; i < src->n_ports && count > 0; i++, count--) {
		const struct ics_export_port *p = &src->ports[i];

		reply_cell(r, i);
		reply_cell_text(r, "%s", p->device);
		reply_cell_text(r, "%s", p->driver);
		reply_cell(r, p->link_up);
		reply_cell(r, p->rx_packets);
		reply_cell(r, p->rx_bytes);
		reply_cell(r, p->missed);
		reply_cell(r, p->errors);
		reply_cell(r, p->no_mbuf);
		reply_cell_text(r, "%s", ics_link_name(p->link));
		reply_cell(r, p->link_ups);
		reply_cell(r, p->link_downs);
		reply_cell(r, p->link_since_ns);
		if (!reply_row_end(r))
			break;
	}
	reply_page(r, src->n_ports, i, i < src->n_ports);
}
