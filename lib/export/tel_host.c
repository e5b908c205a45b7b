/* The host family: the MACs that spoke Neighbor Discovery or reported groups, with the addresses each holds and the groups
 * it is in. START and ID are the number of a host's place in the table, which it keeps for as long as it is known: a page
 * costs what is on it.
 */
#include "endpoint.h"

#include "ics_report.h"

static const struct reply_column columns[] = {
	{"id", false},         {"segment", false},     {"port", false},      {"vlan", true},
	{"mac", true},         {"class", true},        {"addresses", false}, {"link_local", false},
	{"stable", false},     {"temp", false},        {"first_ns", false},  {"last_ns", false},
	{"last_rs_ns", false}, {"last_dad_ns", false}, {"groups", false},    {"mld_version", false},
};

/* Addresses and groups that /info lists. */
#define ADDRESSES_MAX 64
#define GROUPS_MAX 64

static const char *
class_of(const struct ics_host *h)
{
	if (h->flags & ICS_HOST_FHRP)
		return "fhrp";
	if (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT))
		return "router";
	if (h->flags & ICS_HOST_HYPERVISOR)
		return "hypervisor";
	return h->flags & ICS_HOST_PROXY ? "proxy" : "host";
}

/* The host of the lowest id >= start; its own in *id. */
static const struct ics_host *
host_at(const struct ics_model *m, uint64_t start, uint32_t *id)
{
	if (start > UINT32_MAX)
		return NULL;
	*id = start == 0 ? 1 : (uint32_t)start;
	return ics_model_host_next(m, id);
}

void
tel_host_list(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	uint64_t start;
	uint32_t id;

	if (!param_start(r, params, &start))
		return;
	reply_list_kind(r, REPLY_LIST_UINT);
	for (const struct ics_host *h = host_at(m, start, &id); h != NULL; h = host_at(m, id + 1ull, &id))
		if (!reply_list_uint(r, id))
			return;
}

static void
add_addresses(const struct ics_model *m, const struct ics_host *h, struct reply *r)
{
	const struct ics_binding *b = NULL;
	char ip[ICS_IP_STRLEN], key[24];

	for (unsigned i = 0; i < ADDRESSES_MAX && (b = ics_model_host_binding(m, h, b)) != NULL; i++) {
		snprintf(key, sizeof(key), "address_%u", i);
		reply_text(r, key, "%s %s", ics_ip_format(&b->addr, ip), ics_iid_name(b->iid));
	}
}

static void
add_groups(const struct ics_model *m, const struct ics_host *h, struct reply *r)
{
	const struct ics_member *e = NULL;
	char ip[ICS_IP_STRLEN], key[24];

	for (unsigned i = 0; i < GROUPS_MAX && (e = ics_model_host_member(m, h, e)) != NULL; i++) {
		snprintf(key, sizeof(key), "group_%u", i);
		reply_text(r, key, "%s", ics_ip_format(&ics_model_member_group(m, e)->addr, ip));
	}
}

void
tel_host_info(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	const struct ics_segment_key *k;
	char mac[ICS_MAC_STRLEN], vlan[16], where[64];
	const struct ics_host *h;
	uint32_t at = 0;
	uint64_t id;

	if (!param_number(r, params, "a host id", &id))
		return;
	h = host_at(m, id, &at);
	if (h == NULL || at != id) {
		reply_error(r, "%.40s is not a host id: /icmpscope/host/list has them", params);
		return;
	}
	k = segment_key(m, h->segment);
	reply_uint(r, "id", id);
	reply_text(r, "mac", "%s", ics_mac_format(&h->mac, mac));
	reply_text(r, "class", "%s", class_of(h));
	reply_uint(r, "segment", h->segment);
	reply_text(r, "where", "%s", ics_report_segment(k, where));
	reply_uint(r, "port", k->port);
	reply_text(r, "vlan", "%s", ics_segment_vlan_format(k, vlan));
	reply_uint(r, "addresses", h->n_bindings);
	reply_uint(r, "link_local", h->n_iid[ICS_IID_LINK_LOCAL]);
	reply_uint(r, "eui64", h->n_iid[ICS_IID_EUI64]);
	reply_uint(r, "stable", h->n_iid[ICS_IID_STABLE]);
	reply_uint(r, "temp", h->n_iid[ICS_IID_TEMP]);
	reply_uint(r, "temp_arrivals", h->temp_arrivals);
	reply_uint(r, "first_ns", h->first_ns);
	reply_uint(r, "last_ns", h->last_ns);
	reply_uint(r, "last_rs_ns", h->last_rs_ns);
	reply_uint(r, "last_dad_ns", h->last_dad_ns);
	reply_uint(r, "groups", h->n_groups);
	reply_uint(r, "solicited_node_groups", h->n_snm);
	reply_uint(r, "mld_version", h->mld_version);
	add_addresses(m, h, r);
	add_groups(m, h, r);
}

static void
put_row(const struct ics_model *m, const struct ics_host *h, uint32_t id, struct reply *r)
{
	const struct ics_segment_key *k = segment_key(m, h->segment);
	char mac[ICS_MAC_STRLEN], vlan[16];

	reply_cell(r, id);
	reply_cell(r, h->segment);
	reply_cell(r, k->port);
	reply_cell_text(r, "%s", ics_segment_vlan_format(k, vlan));
	reply_cell_text(r, "%s", ics_mac_format(&h->mac, mac));
	reply_cell_text(r, "%s", class_of(h));
	reply_cell(r, h->n_bindings);
	reply_cell(r, h->n_iid[ICS_IID_LINK_LOCAL]);
	reply_cell(r, (uint64_t)h->n_iid[ICS_IID_STABLE] + h->n_iid[ICS_IID_EUI64]);
	reply_cell(r, h->n_iid[ICS_IID_TEMP]);
	reply_cell(r, h->first_ns);
	reply_cell(r, h->last_ns);
	reply_cell(r, h->last_rs_ns);
	reply_cell(r, h->last_dad_ns);
	reply_cell(r, h->n_groups);
	reply_cell(r, h->mld_version);
}

void
tel_host_table(const struct ics_export_source *src, const char *params, struct reply *r)
{
	const struct ics_model *m = ics_engine_model(src->engine);
	uint64_t start, count, next;
	const struct ics_host *h;
	uint32_t id = 0;

	if (!param_page(r, params, &start, &count))
		return;
	reply_columns(r, columns, ICS_ARRAY_LEN(columns));
	next = start;
	for (h = host_at(m, start, &id); h != NULL && count > 0; count--, h = host_at(m, id + 1ull, &id)) {
		put_row(m, h, id, r);
		if (!reply_row_end(r))
			break;
		next = id + 1ull;
	}
	reply_page(r, ics_model_host_count(m), next, h != NULL);
}
