/* An event as a line of JSON: the envelope of EVE, whose readers find time, place and addresses where they look for them,
 * and ours in an object of its own. Addresses and MACs are those of the latest frame that proves an anomaly, or
 * of its subject where there is no frame. Called by the writer of the journal.
 */
#include "ics_journal.h"

#include "ics_report_json.h"

#include <errno.h>
#include <time.h>

static const char *const kind_names[ICS_JOURNAL_KINDS] = {
	[ICS_JOURNAL_OPEN] = "open",
	[ICS_JOURNAL_UPDATE] = "update",
	[ICS_JOURNAL_CLEAR] = "clear",
	[ICS_JOURNAL_START] = "start",
	[ICS_JOURNAL_STOP] = "stop",
	[ICS_JOURNAL_CONFIG] = "config",
	[ICS_JOURNAL_CONFIG_KEY] = "config_key",
	[ICS_JOURNAL_CONFIG_REFUSED] = "config_refused",
	[ICS_JOURNAL_LINK] = "link",
	[ICS_JOURNAL_LOSS] = "loss",
	[ICS_JOURNAL_STATE_SAVED] = "state_saved",
	[ICS_JOURNAL_STATE_FAILED] = "state_failed",
	[ICS_JOURNAL_REOPEN] = "reopen",
	[ICS_JOURNAL_STALLED] = "stalled",
	[ICS_JOURNAL_RESUMED] = "resumed",
	[ICS_JOURNAL_PAUSED] = "paused",
	[ICS_JOURNAL_DENIED] = "denied",
	[ICS_JOURNAL_LOST] = "journal_lost",
};

void
ics_journal_event_init(struct ics_journal_event *ev, enum ics_journal_kind kind, uint64_t ts_ns)
{
	ev->kind = kind;
	ev->ts_ns = ts_ns;
	ev->n_facts = 0;
	memset(ev->lost_class, 0, sizeof(ev->lost_class));
}

static struct ics_fact *
add(struct ics_journal_event *ev, const char *key, enum ics_fact_type type)
{
	struct ics_fact *f;

	if (ev->n_facts == ICS_JOURNAL_FACTS_MAX)
		return NULL;
	f = &ev->fact[ev->n_facts++];
	f->key = key;
	f->type = type;
	f->text[0] = '\0';
	return f;
}

void
ics_journal_add_uint(struct ics_journal_event *ev, const char *key, uint64_t v)
{
	struct ics_fact *f = add(ev, key, ICS_FACT_UINT);

	if (f != NULL)
		f->u = v;
}

void
ics_journal_add_bool(struct ics_journal_event *ev, const char *key, bool v)
{
	struct ics_fact *f = add(ev, key, ICS_FACT_BOOL);

	if (f != NULL)
		f->u = v;
}

void
ics_journal_add_text(struct ics_journal_event *ev, const char *key, const char *text)
{
	struct ics_fact *f = add(ev, key, ICS_FACT_TEXT);

	if (f == NULL)
		return;
	snprintf(f->text, sizeof(f->text), "%s", text);
	for (char *c = f->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* json_object_set_new() takes NULL for an error; *bad remembers it. */
static void
set(json_t *o, const char *key, json_t *v, bool *bad)
{
	if (json_object_set_new(o, key, v) != 0)
		*bad = true;
}

/* "2016-05-12T00:21:10.543000+0000" */
static json_t *
eve_time(uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000u);
	struct tm tm;
	char buf[48];
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, sizeof(buf) - n, ".%06u+0000", (unsigned)(ns % 1000000000u / 1000u));
	return json_string(buf);
}

static void
add_vlan(json_t *o, const struct ics_segment_key *k, bool *bad)
{
	json_t *list;

	if (k->vlan_outer == ICS_VLAN_NONE)
		return;
	list = json_array();
	*bad |= json_array_append_new(list, json_integer(k->vlan_outer)) != 0;
	if (k->vlan_inner != ICS_VLAN_NONE)
		*bad |= json_array_append_new(list, json_integer(k->vlan_inner)) != 0;
	set(o, "vlan", list, bad);
}

/* The subject of one of these keys that is an address, or NULL. */
static const char *
subject_address(const struct ics_anomaly *a)
{
	static const char *const keys[] = {"router", "querier", "host", "address", "reporter", "source"};
	struct ics_ip ip;

	for (unsigned k = 0; k < ICS_ARRAY_LEN(keys); k++)
		for (unsigned i = 0; i < a->n_subject; i++)
			if (strcmp(a->subject[i].key, keys[k]) == 0 && ics_ip_parse(a->subject[i].text, &ip) == 0)
				return a->subject[i].text;
	return NULL;
}

static const char *
subject_mac(const struct ics_anomaly *a)
{
	struct ics_mac mac;

	for (unsigned i = 0; i < a->n_subject; i++)
		if (strcmp(a->subject[i].key, "mac") == 0 && ics_mac_parse(a->subject[i].text, &mac) == 0)
			return a->subject[i].text;
	return NULL;
}

static void
set_mac(json_t *ether, const char *key, const uint8_t *b, bool *bad)
{
	char text[ICS_MAC_STRLEN];
	struct ics_mac mac;

	memcpy(mac.b, b, sizeof(mac.b));
	set(ether, key, json_string(ics_mac_format(&mac, text)), bad);
}

/* offs: of source and destination. */
static void
set_addresses(json_t *o, struct ics_view v, uint32_t src_off, uint32_t dst_off, uint32_t len, bool *bad)
{
	static const char *const keys[2] = {"src_ip", "dest_ip"};
	const uint32_t off[2] = {src_off, dst_off};
	char text[ICS_IP_STRLEN + 16];

	for (unsigned i = 0; i < 2; i++) {
		if (!ics_view_has(v, off[i], len))
			return;
		if (len == 4) {
			snprintf(text, sizeof(text), "%u.%u.%u.%u", v.p[off[i]], v.p[off[i] + 1], v.p[off[i] + 2],
				 v.p[off[i] + 3]);
		} else {
			struct ics_ip ip;

			memcpy(ip.b, v.p + off[i], sizeof(ip.b));
			(void)ics_ip_format(&ip, text);
		}
		set(o, keys[i], json_string(text), bad);
	}
}

static void
add_frame(json_t *o, const struct ics_proof *p, bool *bad)
{
	struct ics_view v = {p->bytes, p->len};
	json_t *ether;

	if (p->link == ICS_LINK_ETHERNET && ics_view_has(v, 0, 12)) {
		ether = json_object();
		set_mac(ether, "src_mac", v.p + 6, bad);
		set_mac(ether, "dest_mac", v.p, bad);
		set(o, "ether", ether, bad);
	}
	if (p->l3_off == 0 && p->link == ICS_LINK_ETHERNET)
		return;
	if (p->is_ip4)
		set_addresses(o, v, p->l3_off + 12u, p->l3_off + 16u, 4, bad);
	else
		set_addresses(o, v, p->l3_off + 8u, p->l3_off + 24u, 16, bad);
	if (p->l4_off == 0 || !ics_view_has(v, p->l4_off, 2))
		return;
	set(o, "proto", json_string(p->is_ip4 ? "ICMP" : "IPv6-ICMP"), bad);
	set(o, "icmp_type", json_integer(v.p[p->l4_off]), bad);
	set(o, "icmp_code", json_integer(v.p[p->l4_off + 1]), bad);
}

static void
add_envelope(json_t *o, const struct ics_journal_self *self, const struct ics_anomaly *a, bool *bad)
{
	const struct ics_proof *proofs[ICS_PROOFS];
	unsigned n = ics_anomaly_proofs(a, proofs);
	char event[128];

	if (a->segment.port < self->n_ports)
		set(o, "in_iface", json_string(self->port[a->segment.port]), bad);
	add_vlan(o, &a->segment, bad);
	if (n > 0) {
		add_frame(o, proofs[n - 1], bad);
	} else {
		if (subject_mac(a) != NULL)
			set(o, "ether", json_pack("{s:s}", "src_mac", subject_mac(a)), bad);
		if (subject_address(a) != NULL)
			set(o, "src_ip", json_string(subject_address(a)), bad);
	}
	/* Where dashboards for EVE look for what an anomaly is. */
	snprintf(event, sizeof(event), "icmpscope.%s", a->detector);
	set(o, "anomaly", json_pack("{s:s, s:s}", "type", "unknown", "event", event), bad);
}

static void
add_lost_classes(json_t *o, const struct ics_journal_event *ev, bool *bad)
{
	json_t *lost = json_object();

	for (unsigned i = 0; i < ICS_CLASS_COUNT; i++)
		if (ev->lost_class[i] != 0)
			set(lost, ics_class_name(i), json_integer((json_int_t)ev->lost_class[i]), bad);
	set(o, "lost_class", lost, bad);
}

static json_t *
own(const struct ics_journal_self *self, const struct ics_journal_event *ev, uint64_t seq, bool *bad)
{
	json_t *o = json_object(), *rest;

	set(o, "event", json_string(kind_names[ev->kind]), bad);
	set(o, "seq", json_integer((json_int_t)seq), bad);
	set(o, "line", json_integer((json_int_t)(self->lines_before + seq)), bad);
	set(o, "boot", json_string(self->boot), bad);
	if (self->appliance[0] != '\0')
		set(o, "appliance", json_string(self->appliance), bad);
	if (self->site[0] != '\0')
		set(o, "site", json_string(self->site), bad);
	if (ev->kind <= ICS_JOURNAL_CLEAR) {
		set(o, "change", json_integer((json_int_t)ev->anomaly.seq), bad);
		rest = ics_report_anomaly_json(&ev->anomaly, bad);
		/* Numbers of frames are those of a capture file. */
		(void)json_object_del(rest, "frames");
	} else {
		rest = ics_report_facts_json(ev->fact, ev->n_facts, bad);
	}
	*bad |= rest == NULL || json_object_update(o, rest) != 0;
	json_decref(rest);
	if (ev->kind == ICS_JOURNAL_LOSS)
		add_lost_classes(o, ev, bad);
	return o;
}

int
ics_journal_line(char buf[static ICS_JOURNAL_LINE_MAX], const struct ics_journal_self *self,
		 const struct ics_journal_event *ev, uint64_t seq)
{
	bool is_anomaly = ev->kind <= ICS_JOURNAL_CLEAR, bad = false;
	json_t *o = json_object();
	size_t len;

	set(o, "timestamp", eve_time(ev->ts_ns), &bad);
	set(o, "event_type", json_string(is_anomaly ? "anomaly" : "icmpscope"), &bad);
	set(o, "host", json_string(self->host), &bad);
	if (is_anomaly)
		add_envelope(o, self, &ev->anomaly, &bad);
	set(o, "icmpscope", own(self, ev, seq, &bad), &bad);
	len = bad ? 0
		  : json_dumpb(o, buf, ICS_JOURNAL_LINE_MAX - 1,
			       JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	json_decref(o);
	if (len == 0)
		return -ENOMEM;
	if (len > ICS_JOURNAL_LINE_MAX - 1)
		return -EMSGSIZE;
	buf[len] = '\n';
	return (int)len + 1;
}
