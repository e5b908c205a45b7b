/* The server of icmpscope-exporter (libmicrohttpd): one thread, so that one question at a time goes to the socket. */
#ifndef ICMPSCOPE_EXPORTER_HTTP_H
#define ICMPSCOPE_EXPORTER_HTTP_H

#include "metrics.h"

#define HTTP_ERR_LEN 256
struct http;

/* listen: "127.0.0.1:9886" or "[::1]:9886". NULL, errno (EINVAL: listen is none) and a line in err. */
struct http *http_start(const char *listen, const char *path, char err[static HTTP_ERR_LEN]);
void http_stop(struct http *h);

#endif
