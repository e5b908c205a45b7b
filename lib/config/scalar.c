/* Single values: numbers in a range, on and off, words, CPU lists, names. Nothing is guessed: a value is wholly
 * right or refused. Called by config.c for the rows that are no lists.
 */
#include "row.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CPU_MAX 1023

struct word {
	const char *name;
	uint32_t value;
};

static const struct word bool_words[] = {
	{"on", 1}, {"true", 1}, {"yes", 1}, {"1", 1}, {"off", 0}, {"false", 0}, {"no", 0}, {"0", 0},
};

static const struct word model_words[] = {{"group", 0}, {"port", 1}, {"port2", 2}};
static const struct word idle_words[] = {{"poll", ICS_IDLE_POLL}, {"pause", ICS_IDLE_PAUSE}, {"sleep", ICS_IDLE_SLEEP}};
static const struct word sandbox_words[] = {
	{"off", ICS_SANDBOX_OFF},
	{"try", ICS_SANDBOX_TRY},
	{"on", ICS_SANDBOX_ON},
};

#define TUNNELS_ALL                                                                                                    \
	(ICS_TUNNEL_VXLAN | ICS_TUNNEL_GENEVE | ICS_TUNNEL_GRE | ICS_TUNNEL_ERSPAN | ICS_TUNNEL_IPIP | ICS_TUNNEL_6IN4)
static const struct word tunnel_words[] = {
	{"vxlan", ICS_TUNNEL_VXLAN},   {"geneve", ICS_TUNNEL_GENEVE}, {"gre", ICS_TUNNEL_GRE},
	{"erspan", ICS_TUNNEL_ERSPAN}, {"ipip", ICS_TUNNEL_IPIP},     {"6in4", ICS_TUNNEL_6IN4},
	{"all", TUNNELS_ALL},
};

const char *
ics_config_tunnel(unsigned i, uint32_t *bit)
{
	if (i + 1 >= ICS_ARRAY_LEN(tunnel_words))
		return NULL;
	*bit = tunnel_words[i].value;
	return tunnel_words[i].name;
}

const char *
ics_config_model(uint32_t model)
{
	return model_words[model % ICS_ARRAY_LEN(model_words)].name;
}

const char *
ics_config_sandbox(uint32_t mode)
{
	return sandbox_words[mode % ICS_ARRAY_LEN(sandbox_words)].name;
}

const char *
ics_config_idle(uint32_t idle)
{
	return idle_words[idle % ICS_ARRAY_LEN(idle_words)].name;
}

static bool
find_word(const struct word *words, unsigned n, const char *text, uint32_t *out)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcasecmp(words[i].name, text) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

/* Decimal digits alone, at most ten of them; false for anything else. */
static bool
parse_u64(const char *text, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 10 || text[n] != '\0')
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

static const char *
read_number(const struct ics_config_row *row, const char *text, uint32_t *out)
{
	uint64_t v;

	if (text[0] == '\0')
		return "is empty";
	if (text[strspn(text, "0123456789")] != '\0')
		return "is no whole number";
	if (!parse_u64(text, &v) || v < row->lo || v > row->hi)
		return "is out of range";
	if (row->type == ICS_CONFIG_POW2 && (v & (v - 1)) != 0)
		return "is no power of two";
	*out = (uint32_t)v;
	return NULL;
}

static const char *
read_tunnels(const char *text, uint32_t *out)
{
	char copy[128], *rest = copy, *word;
	uint32_t set = 0, bit;

	if (strcasecmp(text, "off") == 0 || strcasecmp(text, "none") == 0) {
		*out = 0;
		return NULL;
	}
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return "is too long";
	while ((word = ics_config_next_element(&rest)) != NULL) {
		if (!find_word(tunnel_words, ICS_ARRAY_LEN(tunnel_words), word, &bit))
			return "names a tunnel that is not known";
		set |= bit;
	}
	*out = set;
	return NULL;
}

static const char *
read_cpus(const char *text, char *out, size_t size)
{
	char copy[128], *rest = copy, *range;
	size_t n = 0;

	if (strlen(text) >= size || strlen(text) >= sizeof(copy))
		return "is too long";
	if (text[strspn(text, "0123456789-, \t")] != '\0')
		return "is no list of CPU numbers";
	strcpy(copy, text);
	out[0] = '\0';
	while (text[0] != '\0' && (range = ics_config_next_element(&rest)) != NULL) {
		char *dash = strchr(range, '-');
		uint64_t first, last;

		if (dash != NULL)
			*dash = '\0';
		if (!parse_u64(range, &first) || !parse_u64(dash != NULL ? dash + 1 : range, &last))
			return "is no list of CPU numbers";
		if (first > last)
			return "has a range that ends before it starts";
		if (last > CPU_MAX)
			return "has a CPU number above 1023";
	}
	/* Without the blanks, which only people need. */
	for (const char *p = text; *p != '\0'; p++)
		if (*p != ' ' && *p != '\t')
			out[n++] = *p;
	out[n] = '\0';
	return NULL;
}

/* It becomes the name of a directory, so it must be one that stays where it is put. */
static const char *
read_name(const char *text, char *out, size_t size)
{
	size_t n = strlen(text);

	if (n == 0)
		return "is empty";
	if (n >= size)
		return "is too long";
	for (size_t i = 0; i < n; i++)
		if (!isascii((unsigned char)text[i]) ||
		    (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL))
			return "has a character that is not allowed";
	if (text[0] == '.')
		return "starts with a dot";
	strcpy(out, text);
	return NULL;
}

/* Octets of the UTF-8 character at s (RFC 3629: the shortest form, no surrogates); 0 where there is none. */
static unsigned
utf8_len(const unsigned char *s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	uint32_t c = n < 2 ? s[0] : s[0] & (0x7fu >> n);

	for (unsigned i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n != 0 && (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	return n;
}

/* It is shown in messages and in the journal, so it has to be text. */
static const char *
read_path(const char *text, char *out, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;

	if (strlen(text) >= size)
		return "is too long";
	for (unsigned n; *s != '\0'; s += n) {
		n = utf8_len(s);
		if (n == 0)
			return "is no text in UTF-8";
		if (*s < ' ' || *s == 0x7f)
			return "has a character that cannot be printed";
	}
	strcpy(out, text);
	return NULL;
}

/* "nats://HOST[:PORT]", HOST also "[IPv6]". */
static bool
is_server(const char *url)
{
	size_t host;

	if (strncmp(url, "nats://", 7) != 0 && strncmp(url, "tls://", 6) != 0)
		return false;
	url = strstr(url, "://") + 3;
	if (url[0] == '[') {
		host = strspn(url + 1, "0123456789abcdefABCDEF:.");
		url += 1 + host;
		if (*url++ != ']')
			return false;
	} else {
		host = strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_");
		url += host;
	}
	if (host == 0)
		return false;
	if (url[0] == '\0')
		return true;
	return url[0] == ':' && url[1] != '\0' && strlen(url + 1) <= 5 &&
	       url[1 + strspn(url + 1, "0123456789")] == '\0';
}

/* No secret belongs into a file that everybody may read, nor into a message about it. */
static const char *
read_servers(const char *text, char *out, size_t size)
{
	char copy[512], *rest = copy, *url;

	if (strlen(text) >= size || strlen(text) >= sizeof(copy))
		return "is too long";
	if (strchr(text, '@') != NULL)
		return "names a user: fleet.nkey or fleet.creds name the file with what this client is known by";
	strcpy(copy, text);
	while (text[0] != '\0' && (url = ics_config_next_element(&rest)) != NULL)
		if (!is_server(url))
			return "has an element that is no server";
	strcpy(out, text);
	return NULL;
}

const char *
ics_config_read_scalar(struct ics_config *c, const struct ics_config_row *row, const char *text)
{
	void *member = (char *)c + row->off;
	uint32_t v;

	switch (row->type) {
	case ICS_CONFIG_U32:
	case ICS_CONFIG_POW2:
		return read_number(row, text, member);
	case ICS_CONFIG_BOOL:
		if (!find_word(bool_words, ICS_ARRAY_LEN(bool_words), text, &v))
			return "is neither on nor off";
		*(bool *)member = v != 0;
		return NULL;
	case ICS_CONFIG_MODEL:
		if (!find_word(model_words, ICS_ARRAY_LEN(model_words), text, member))
			return "is none of the words";
		return NULL;
	case ICS_CONFIG_IDLE:
		if (!find_word(idle_words, ICS_ARRAY_LEN(idle_words), text, member))
			return "is none of the words";
		return NULL;
	case ICS_CONFIG_SANDBOX:
		if (!find_word(sandbox_words, ICS_ARRAY_LEN(sandbox_words), text, member))
			return "is none of the words";
		return NULL;
	case ICS_CONFIG_TUNNELS:
		return read_tunnels(text, member);
	case ICS_CONFIG_CPUS:
		return read_cpus(text, member, sizeof(c->worker.cpus));
	case ICS_CONFIG_PATH:
		return read_path(text, member, sizeof(c->history.file));
	case ICS_CONFIG_SERVERS:
		return read_servers(text, member, sizeof(c->fleet.servers));
	case ICS_CONFIG_LABEL:
		*(char *)member = '\0';
		return text[0] == '\0' ? NULL : read_name(text, member, sizeof(c->journal.site));
	case ICS_CONFIG_NAME:
		return read_name(text, member, sizeof(c->eal.file_prefix));
	default:
		return "cannot be read";
	}
}
