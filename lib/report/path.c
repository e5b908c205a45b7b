/* Path MTUs for the report: what each router told, what that looks like and what to clamp the TCP MSS to, and the paths that
 * it was told for. Called by json.c and text.c.
 */
#include "path.h"

#include "ics_report.h"

#include <inttypes.h>

#define REPORTERS_SHOWN 20
#define PATHS_SHOWN 30

static void
set(json_t *o, const char *key, json_t *v, bool *bad)
{
	if (json_object_set_new(o, key, v) != 0)
		*bad = true;
}

static json_t *
address(const struct ics_ip *ip)
{
	char buf[ICS_IP_STRLEN];

	return json_string(ics_ip_format(ip, buf));
}

static json_t *
mac_or_null(const struct ics_mac *mac)
{
	static const struct ics_mac none;
	char buf[ICS_MAC_STRLEN];

	return ics_mac_equal(mac, &none) ? json_null() : json_string(ics_mac_format(mac, buf));
}

static json_t *
vlan_or_null(uint16_t vlan)
{
	return vlan == ICS_VLAN_NONE ? json_null() : json_integer(vlan);
}

/* The clock of the model is not that of the packets when a capture's time ran back. */
static json_t *
iso_time(struct ics_model *m, uint64_t ns)
{
	uint64_t offset = ics_model_clock(m)->offset_ns;
	char buf[32];

	return json_string(ics_report_time(ns > offset ? ns - offset : 0, buf));
}

static json_t *
guesses(const struct ics_guess *g, bool *bad)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->n; i++) {
		json_t *o = json_object();

		set(o, "what", json_string(g->at[i].text), bad);
		set(o, "confidence", json_string(ics_confidence_name(g->at[i].confidence)), bad);
		if (json_array_append_new(list, o) != 0)
			*bad = true;
	}
	return list;
}

static void
add_advice(json_t *o, uint32_t mtu, const struct ics_guess *g, bool *bad)
{
	set(o, "guess", guesses(g, bad), bad);
	set(o, "mss4", json_integer(ics_mss4(mtu)), bad);
	set(o, "mss6", json_integer(ics_mss6(mtu)), bad);
}

static json_t *
path(struct ics_model *m, const struct ics_path *p, bool *bad)
{
	struct ics_segment_key k = ics_path_context_key(p->context);
	json_t *o = json_object();
	struct ics_guess g;

	ics_guess_of_path(p, &g);
	set(o, "host", address(&p->host), bad);
	set(o, "far", address(&p->far), bad);
	set(o, "class", json_string(ics_path_class_name((enum ics_path_class)p->class)), bad);
	set(o, "vlan_outer", vlan_or_null(k.vlan_outer), bad);
	set(o, "vlan_inner", vlan_or_null(k.vlan_inner), bad);
	set(o, "mtu", json_integer(p->mtu), bad);
	set(o, "estimate", json_boolean(p->flags & ICS_PATH_ESTIMATE), bad);
	set(o, "reporter", address(&p->reporter), bad);
	set(o, "reporter_mac", mac_or_null(&p->mac), bad);
	set(o, "first", iso_time(m, ics_path_first_ns(m, p)), bad);
	set(o, "last", iso_time(m, ics_path_last_ns(m, p)), bad);
	set(o, "repeats", json_integer(p->repeats), bad);
	set(o, "quoted_len", p->quoted_len != 0 ? json_integer(p->quoted_len) : json_null(), bad);
	set(o, "sport", json_integer(p->sport), bad);
	set(o, "dport", json_integer(p->dport), bad);
	set(o, "labels", json_integer(p->n_labels), bad);
	set(o, "black_hole", json_boolean(p->flags & ICS_PATH_HOLE), bad);
	add_advice(o, p->mtu, &g, bad);
	return o;
}

static void
guess_of_reporter(const struct ics_reporter *r, struct ics_guess *g)
{
	struct ics_guess_hint hint = {
		.is_ip4 = r->is_ip4, .n_labels = r->n_labels, .encap = r->encap, .quoted = r->quoted_len};

	ics_guess_encap(r->mtu, &hint, g);
}

static json_t *
reporter(struct ics_model *m, const struct ics_reporter *r, bool *bad)
{
	struct ics_segment_key k = ics_path_context_key(r->context);
	json_t *o = json_object(), *labels = json_array();
	struct ics_guess g;

	guess_of_reporter(r, &g);
	set(o, "address", address(&r->addr), bad);
	set(o, "mac", mac_or_null(&r->mac), bad);
	set(o, "vlan_outer", vlan_or_null(k.vlan_outer), bad);
	set(o, "vlan_inner", vlan_or_null(k.vlan_inner), bad);
	set(o, "mtu", json_integer(r->mtu), bad);
	set(o, "paths", json_integer(r->rows), bad);
	set(o, "far_prefixes", json_integer(r->n_far), bad);
	set(o, "messages", json_integer((json_int_t)r->messages), bad);
	set(o, "first", iso_time(m, r->first_ns), bad);
	set(o, "last", iso_time(m, r->last_ns), bad);
	for (unsigned i = 0; i < r->n_labels && i < ICS_QUOTE_LABELS_MAX; i++)
		if (json_array_append_new(labels, json_integer(ics_quote_label(r->labels[i]))) != 0)
			*bad = true;
	set(o, "label_stack", labels, bad);
	add_advice(o, r->mtu, &g, bad);
	return o;
}

void
ics_report_paths_json(json_t *o, struct ics_model *m, bool *bad)
{
	json_t *paths = json_array(), *reporters = json_array();
	const struct ics_reporter *r;
	uint32_t i = 1;

	while (i != 0 && i <= ics_path_last(m)) {
		const struct ics_path *p = ics_path_next(m, &i);

		if (p == NULL)
			continue;
		if (json_array_append_new(paths, path(m, p, bad)) != 0)
			*bad = true;
		i++;
	}
	for (i = 1; (r = ics_reporter_next(m, &i)) != NULL; i++)
		if (r->messages != 0 && json_array_append_new(reporters, reporter(m, r, bad)) != 0)
			*bad = true;
	set(o, "pmtu", paths, bad);
	set(o, "pmtu_reporters", reporters, bad);
}

static void
print_reporters(FILE *out, struct ics_model *m)
{
	const struct ics_reporter *r;
	uint64_t n = 0;

	for (uint32_t i = 1; (r = ics_reporter_next(m, &i)) != NULL; i++) {
		char ip[ICS_IP_STRLEN], mac[ICS_MAC_STRLEN], text[200];
		struct ics_guess g;

		if (r->messages == 0)
			continue;
		if (n++ == 0)
			fputs("Path MTU\n", out);
		if (n > REPORTERS_SHOWN)
			continue;
		guess_of_reporter(r, &g);
		fprintf(out, "  %s (%s): at most %" PRIu32 " octets on %" PRIu32 " path%s, %s\n",
			ics_ip_format(&r->addr, ip), ics_mac_format(&r->mac, mac), r->mtu, r->rows,
			r->rows == 1 ? "" : "s", ics_guess_say(&g, text, sizeof(text)));
		fprintf(out, "    TCP MSS that fits: %" PRIu32 " for IPv4, %" PRIu32 " for IPv6\n", ics_mss4(r->mtu),
			ics_mss6(r->mtu));
	}
	if (n > REPORTERS_SHOWN)
		fprintf(out, "  and %" PRIu64 " more routers\n", n - REPORTERS_SHOWN);
}

void
ics_report_paths_text(FILE *out, struct ics_model *m)
{
	struct ics_model_stats st;
	unsigned shown = 0;
	uint32_t i = 1;

	ics_model_stats(m, &st);
	print_reporters(out, m);
	while (i != 0 && i <= ics_path_last(m) && shown < PATHS_SHOWN) {
		const struct ics_path *p = ics_path_next(m, &i);
		char host[ICS_IP_STRLEN], far[ICS_IP_STRLEN], by[ICS_IP_STRLEN];

		if (p == NULL)
			continue;
		fprintf(out, "  %s to %s (%s): %" PRIu32 "%s, told by %s", ics_ip_format(&p->host, host),
			ics_ip_format(&p->far, far), ics_path_class_name((enum ics_path_class)p->class), p->mtu,
			p->flags & ICS_PATH_ESTIMATE ? " by guess" : "", ics_ip_format(&p->reporter, by));
		if (p->repeats != 0)
			fprintf(out, " %" PRIu64 " times", (uint64_t)p->repeats + 1);
		fputs(p->flags & ICS_PATH_HOLE ? ", in vain: a black hole\n" : "\n", out);
		shown++;
		i++;
	}
	if (st.paths > shown && shown == PATHS_SHOWN)
		fprintf(out, "  and %" PRIu64 " more paths\n", st.paths - shown);
}
