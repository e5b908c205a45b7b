/* The server of icmpscope-exporter (libmicrohttpd): metrics, the page and what it asks for. A few threads, so that who waits for
 * icmpscope holds up nobody else; one question at a time goes over each connection to the socket.
 */
#ifndef ICMPSCOPE_EXPORTER_HTTP_H
#define ICMPSCOPE_EXPORTER_HTTP_H

#include "metrics.h"

#define HTTP_ERR_LEN 256
struct http;

struct http_conf {
	const char *listen; /* "127.0.0.1:9886" or "[::1]:9886" */
	const char *path;   /* of the telemetry socket */
	char **hosts;       /* names by which it may be asked besides localhost and numbers */
	unsigned n_hosts;
};
/* NULL, errno (EINVAL: listen is none) and a line in err. */
struct http *http_start(const struct http_conf *conf, char err[static HTTP_ERR_LEN]);
void http_stop(struct http *h);

#endif
