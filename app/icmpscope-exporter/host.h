/* By which names a browser may ask (RFC 9110 7.2): a site elsewhere that makes its own name point here (DNS rebinding) sends that
 * name as Host, and must get nothing.
 */
#ifndef ICMPSCOPE_EXPORTER_HOST_H
#define ICMPSCOPE_EXPORTER_HOST_H

#include <stdbool.h>

struct host_rule {
	bool is_loopback; /* it listens there: then metrics are under the rule as well */
	char **names;     /* allowed besides localhost and addresses */
	unsigned n_names;
};
extern const char host_refusal[];
/* host: the header, with a port or without, or NULL (no browser leaves it out). */
bool host_is_allowed(const struct host_rule *r, const char *host);

#endif
