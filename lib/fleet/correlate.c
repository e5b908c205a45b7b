/* What no single tap can see: the same key at several sites. Everything that is read becomes small facts (kind, key, site,
 * appliance, time), which are sorted; each run of one key is then judged by the rule of its kind. Sites and keys come from
 * appliances that may lie: the number of facts is bounded, and nothing is looked up by a hash of theirs. Called by
 * icmpscopectl fleet correlate and by tests.
 */
#include "ics_fleet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 48
#define NAMES_SHOWN 64

enum kind { MAC, ADDRESS, OUI_STORM, PMTU_REPORTER, ROUTER_CHANGE, VERSION, KINDS };

static const char *const kind_names[KINDS] = {"mac",           "address",       "oui_storm",
					      "pmtu_reporter", "router_change", "version_silent"};

struct fact {
	uint8_t kind;
	bool silent; /* VERSION */
	uint32_t site, appliance;
	uint64_t ts_s; /* ROUTER_CHANGE */
	char key[KEY_LEN];
};

/* Names by number, each once: a sorted array of pointers is rebuilt when it is asked, by bisection. */
struct names {
	char (*text)[64];
	uint32_t *order;
	uint32_t n, cap;
};

struct ics_fleet_correlation {
	struct fact *fact;
	uint32_t n, cap;
	uint64_t left_out;
	struct names sites, appliances; /* an appliance as SITE.APPLIANCE, cut */
	uint32_t all_silent, all;
};

struct ics_fleet_correlation *
ics_fleet_correlation_new(void)
{
	return calloc(1, sizeof(struct ics_fleet_correlation));
}

static void
free_names(struct names *s)
{
	free(s->text);
	free(s->order);
}

void
ics_fleet_correlation_free(struct ics_fleet_correlation *c)
{
	if (c == NULL)
		return;
	free_names(&c->sites);
	free_names(&c->appliances);
	free(c->fact);
	free(c);
}

/* Number of a name; UINT32_MAX: no memory. */
static uint32_t
number_of(struct names *s, const char *text)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int d = strncmp(text, s->text[s->order[mid]], sizeof(s->text[0]) - 1);

		if (d == 0)
			return s->order[mid];
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (s->n == s->cap) {
		uint32_t cap = s->cap == 0 ? 64 : s->cap * 2;
		void *text_new = realloc(s->text, cap * sizeof(*s->text)), *order_new;

		if (text_new == NULL)
			return UINT32_MAX;
		s->text = text_new;
		order_new = realloc(s->order, cap * sizeof(*s->order));
		if (order_new == NULL)
			return UINT32_MAX;
		s->order = order_new;
		s->cap = cap;
	}
	memset(s->text[s->n], 0, sizeof(s->text[0]));
	memcpy(s->text[s->n], text, strnlen(text, sizeof(s->text[0]) - 1));
	memmove(s->order + lo + 1, s->order + lo, (s->n - lo) * sizeof(*s->order));
	s->order[lo] = s->n;
	return s->n++;
}

static struct fact *
add(struct ics_fleet_correlation *c, enum kind kind, const char *key, const char *site, const char *appliance)
{
	char who[136];
	struct fact *f;

	if (key == NULL || key[0] == '\0')
		return NULL;
	if (c->n == c->cap) {
		uint32_t cap = c->cap == 0 ? 4096 : c->cap * 2;
		struct fact *grown = cap <= ICS_FLEET_FACTS_MAX * 2 ? realloc(c->fact, cap * sizeof(*grown)) : NULL;

		if (grown == NULL) {
			c->left_out++;
			return NULL;
		}
		c->fact = grown;
		c->cap = cap;
	}
	if (c->n >= ICS_FLEET_FACTS_MAX) {
		c->left_out++;
		return NULL;
	}
	f = &c->fact[c->n];
	memset(f, 0, sizeof(*f));
	f->kind = (uint8_t)kind;
	memcpy(f->key, key, strnlen(key, sizeof(f->key) - 1));
	snprintf(who, sizeof(who), "%.63s.%.63s", site, appliance);
	f->site = number_of(&c->sites, site);
	f->appliance = number_of(&c->appliances, who);
	if (f->site == UINT32_MAX || f->appliance == UINT32_MAX) {
		c->left_out++;
		return NULL;
	}
	c->n++;
	return f;
}

/* ---- what is taken from where ---- */

/* Addresses that routers of a standby group have everywhere: VRRP, HSRP, GLBP. And what is no station's. */
static bool
is_shared_mac(const struct ics_mac *m)
{
	static const struct {
		uint8_t n, b[5];
	} shared[] = {{5, {0x00, 0x00, 0x5e, 0x00, 0x01}}, {5, {0x00, 0x00, 0x5e, 0x00, 0x02}},
		      {5, {0x00, 0x00, 0x0c, 0x07, 0xac}}, {4, {0x00, 0x00, 0x0c, 0x9f}},
		      {4, {0x00, 0x05, 0x73, 0xa0}},       {4, {0x00, 0x07, 0xb4, 0x00}}};
	static const uint8_t none[6];

	for (unsigned i = 0; i < ICS_ARRAY_LEN(shared); i++)
		if (memcmp(m->b, shared[i].b, shared[i].n) == 0)
			return true;
	return (m->b[0] & 1) != 0 || memcmp(m->b, none, sizeof(none)) == 0;
}

void
ics_fleet_correlate_bindings(struct ics_fleet_correlation *c, const char *site, const char *appliance,
			     const json_t *value)
{
	json_t *b;
	size_t i;

	json_array_foreach(json_object_get(value, "bindings"), i, b)
	{
		const char *mac = json_string_value(json_array_get(b, 0)),
			   *addr = json_string_value(json_array_get(b, 1));
		struct ics_mac m;
		struct ics_ip ip;

		if (i >= ICS_FLEET_BINDINGS_MAX)
			break;
		if (mac == NULL || addr == NULL || ics_mac_parse(mac, &m) != 0 || ics_ip_parse(addr, &ip) != 0)
			continue;
		if (!is_shared_mac(&m))
			(void)add(c, MAC, mac, site, appliance);
		(void)add(c, ADDRESS, addr, site, appliance);
	}
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n >= k && strcmp(text + n - k, end) == 0;
}

/* One finding of an appliance: about which MAC, reporter or router. */
static void
take_finding(struct ics_fleet_correlation *c, const char *site, const char *appliance, const char *name,
	     const char *mac, const char *reporter, const char *router, bool opened, uint64_t ts_ns)
{
	struct ics_mac m;
	struct fact *f;

	/* A MAC that its owner made up has no vendor. */
	if ((ends_with(name, "_storm") || ends_with(name, "_flood")) && mac != NULL && ics_mac_parse(mac, &m) == 0 &&
	    (m.b[0] & 3) == 0 && !is_shared_mac(&m)) {
		char oui[16];

		snprintf(oui, sizeof(oui), "%02x:%02x:%02x", m.b[0], m.b[1], m.b[2]);
		(void)add(c, OUI_STORM, oui, site, appliance);
	}
	if (strncmp(name, "pmtu_", 5) == 0)
		(void)add(c, PMTU_REPORTER, reporter, site, appliance);
	if (opened && (strcmp(name, "router_gateway_mac_changed") == 0 || strcmp(name, "router_new") == 0)) {
		f = add(c, ROUTER_CHANGE, router, site, appliance);
		if (f != NULL)
			f->ts_s = ts_ns / 1000000000u;
		f = add(c, ROUTER_CHANGE, mac, site, appliance);
		if (f != NULL)
			f->ts_s = ts_ns / 1000000000u;
	}
}

/* Of "key=value key=value". NULL when it is not there. */
static const char *
word_of(const char *text, const char *key, char buf[static KEY_LEN])
{
	size_t n = strlen(key);

	while (text != NULL && *text != '\0') {
		if (strncmp(text, key, n) == 0 && text[n] == '=') {
			size_t len = strcspn(text + n + 1, " ");

			len = len < KEY_LEN - 1 ? len : KEY_LEN - 1;
			memcpy(buf, text + n + 1, len);
			buf[len] = '\0';
			return buf;
		}
		text = strchr(text, ' ');
		text = text != NULL ? text + 1 : NULL;
	}
	return NULL;
}

void
ics_fleet_correlate_state(struct ics_fleet_correlation *c, const char *site, const char *appliance, const json_t *value,
			  double age_s)
{
	const char *version = json_string_value(json_object_get(value, "version"));
	const char *exporter = json_string_value(json_object_get(value, "exporter"));
	const char *health = json_string_value(json_object_get(value, "health"));
	struct fact *f;
	json_t *a;
	size_t i;

	f = add(c, VERSION, version != NULL ? version : exporter, site, appliance);
	if (f != NULL) {
		f->silent = age_s > ICS_FLEET_SILENT_S && (health == NULL || strcmp(health, "stopped") != 0);
		c->all++;
		c->all_silent += f->silent;
	}
	json_array_foreach(json_object_get(value, "anomalies"), i, a)
	{
		const char *name = json_string_value(json_object_get(a, "name"));
		const char *subject = json_string_value(json_object_get(a, "subject"));
		char mac[KEY_LEN], reporter[KEY_LEN];

		if (i >= ICS_FLEET_ANOMALIES_MAX)
			break;
		if (name != NULL)
			take_finding(c, site, appliance, name, word_of(subject, "mac", mac),
				     word_of(subject, "reporter", reporter), NULL, false, 0);
	}
}

void
ics_fleet_correlate_event(struct ics_fleet_correlation *c, const char *subject, const json_t *event, uint64_t stored_ns)
{
	const json_t *own = json_object_get(event, "icmpscope"), *about = json_object_get(own, "subject");
	const char *name = json_string_value(json_object_get(own, "name"));
	const char *what = json_string_value(json_object_get(own, "event"));
	char site[64], appliance[64];

	/* The subject is what the server let it write to; what the body says of itself is not asked. */
	if (name == NULL || what == NULL || sscanf(subject, "icmpscope.%63[^.].%63[^.].", site, appliance) != 2)
		return;
	take_finding(c, site, appliance, name, json_string_value(json_object_get(about, "mac")),
		     json_string_value(json_object_get(about, "reporter")),
		     json_string_value(json_object_get(about, "router")), strcmp(what, "open") == 0, stored_ns);
}

/* ---- judging ---- */

static int
by_key(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;
	int d;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	d = strcmp(x->key, y->key);
	if (d != 0)
		return d;
	if (x->kind == ROUTER_CHANGE && x->ts_s != y->ts_s)
		return x->ts_s < y->ts_s ? -1 : 1;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return x->appliance < y->appliance ? -1 : x->appliance > y->appliance;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Distinct numbers of n facts, sites or appliances, into out. */
static uint32_t
distinct(const struct fact *f, uint32_t n, bool sites, bool silent_only, uint32_t *out)
{
	uint32_t k = 0, m = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!silent_only || f[i].silent)
			out[k++] = sites ? f[i].site : f[i].appliance;
	qsort(out, k, sizeof(*out), by_number);
	for (uint32_t i = 0; i < k; i++)
		if (i == 0 || out[i] != out[i - 1])
			out[m++] = out[i];
	return m;
}

static void
report(const struct ics_fleet_correlation *c, json_t *list, const struct fact *f, uint32_t n, bool silent_only,
       const char *says, uint32_t *scratch)
{
	uint32_t appliances = distinct(f, n, false, silent_only, scratch),
		 sites = distinct(f, n, true, silent_only, scratch);
	json_t *names = json_array();

	for (uint32_t i = 0; i < sites && i < NAMES_SHOWN; i++)
		(void)json_array_append_new(names, json_string(c->sites.text[scratch[i]]));
	(void)json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o, s:I, s:s}", "kind", kind_names[f->kind],
						    "key", f->key, "n_sites", (json_int_t)sites, "sites", names,
						    "appliances", (json_int_t)appliances, "says", says));
}

/* The longest stretch of changes that are together, at most sites. */
static void
judge_changes(const struct ics_fleet_correlation *c, json_t *list, const struct fact *f, uint32_t n, uint32_t *scratch)
{
	uint32_t best = 0, best_n = 0, best_sites = 1, end = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t sites;

		while (end < n && f[end].ts_s - f[i].ts_s <= ICS_FLEET_TOGETHER_S)
			end++;
		/* A window that ends where the one before did holds less. */
		if (best_n != 0 && end == best + best_n)
			continue;
		sites = distinct(f + i, end - i, true, false, scratch);
		if (sites > best_sites) {
			best = i;
			best_n = end - i;
			best_sites = sites;
		}
	}
	if (best_sites >= 2)
		report(c, list, f + best, best_n, false,
		       "the same router appeared or changed its MAC at several sites within minutes", scratch);
}

static void
judge(const struct ics_fleet_correlation *c, json_t *list, const struct fact *f, uint32_t n, uint32_t *scratch)
{
	uint32_t sites, appliances, silent;

	switch ((enum kind)f->kind) {
	case MAC:
		if (distinct(f, n, true, false, scratch) >= 2)
			report(c, list, f, n, false,
			       "one MAC is bound at several sites: a clone, a copied image, or a station that moved",
			       scratch);
		break;
	case ADDRESS:
		if (distinct(f, n, true, false, scratch) >= 2)
			report(c, list, f, n, false,
			       "one address is bound at several sites: a prefix that is used twice, or a station that "
			       "moved",
			       scratch);
		break;
	case OUI_STORM:
		if (distinct(f, n, true, false, scratch) >= ICS_FLEET_SITES_OUI)
			report(c, list, f, n, false,
			       "devices of one vendor storm at several sites: a model, driver or firmware", scratch);
		break;
	case PMTU_REPORTER:
		if (distinct(f, n, true, false, scratch) >= 2)
			report(c, list, f, n, false,
			       "one router on the way limits packets of several sites: a carrier's or yours", scratch);
		break;
	case ROUTER_CHANGE:
		judge_changes(c, list, f, n, scratch);
		break;
	case VERSION:
		/* Of others fewer are silent, or there are no others: else it is not the version. */
		appliances = distinct(f, n, false, false, scratch);
		silent = distinct(f, n, false, true, scratch);
		sites = c->all - appliances;
		if (silent >= 2 && silent * 2 >= appliances && (c->all_silent - silent) * 4 <= sites)
			report(c, list, f, n, true,
			       "most appliances of this version stopped reporting, those of others did not", scratch);
		break;
	default:
		break;
	}
}

static int
by_sites(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	json_int_t p = json_integer_value(json_object_get(x, "n_sites")),
		   q = json_integer_value(json_object_get(y, "n_sites"));

	if (p != q)
		return p > q ? -1 : 1;
	return strcmp(json_string_value(json_object_get(x, "key")), json_string_value(json_object_get(y, "key")));
}

static json_t *
sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **p = calloc(n + 1, sizeof(*p)), *out;

	if (p == NULL)
		return list;
	for (size_t i = 0; i < n; i++)
		p[i] = json_array_get(list, i);
	qsort(p, n, sizeof(*p), by_sites);
	out = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append(out, p[i]);
	free(p);
	json_decref(list);
	return out;
}

json_t *
ics_fleet_correlate(struct ics_fleet_correlation *c, uint64_t *left_out)
{
	uint32_t *scratch = calloc(c->n + 1u, sizeof(*scratch));
	json_t *list = json_array();

	*left_out = c->left_out;
	if (scratch == NULL || list == NULL) {
		free(scratch);
		return list;
	}
	if (c->n > 0)
		qsort(c->fact, c->n, sizeof(*c->fact), by_key);
	for (uint32_t i = 0, end; i < c->n; i = end) {
		for (end = i + 1; end < c->n && c->fact[end].kind == c->fact[i].kind &&
				  strcmp(c->fact[end].key, c->fact[i].key) == 0;
		     end++)
			;
		judge(c, list, c->fact + i, end - i, scratch);
	}
	free(scratch);
	return sorted(list);
}
