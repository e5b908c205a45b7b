/* The check of the Host header (host.h). An address is nobody's name: no DNS leads to it. */
#include "host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 253

const char host_refusal[] = "not by this name: ask by address or as localhost, or allow the name with --host\n";

bool
host_is_allowed(const struct host_rule *r, const char *host)
{
	char name[NAME_MAX_LEN + 1];
	struct in6_addr a;
	size_t n;

	if (host == NULL)
		return true;
	if (host[0] == '[') {
		const char *end = strchr(host, ']');

		n = end != NULL ? (size_t)(end - host - 1) : 0;
		if (n == 0 || n > NAME_MAX_LEN)
			return false;
		memcpy(name, host + 1, n);
		name[n] = '\0';
		return inet_pton(AF_INET6, name, &a) == 1;
	}
	n = strcspn(host, ":");
	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	if (inet_pton(AF_INET, name, &a) == 1 || strcasecmp(name, "localhost") == 0)
		return true;
	for (unsigned i = 0; i < r->n_names; i++)
		if (strcasecmp(name, r->names[i]) == 0)
			return true;
	return false;
}
