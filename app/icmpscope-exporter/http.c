/* The server (http.h): routes in a table, GET and HEAD alone, and nothing of a request is ever repeated in an answer. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scrapers keep a connection or two; whoever holds more waits. */
#define CONNECTIONS_MAX 64
#define CONNECTIONS_PER_ADDRESS 16
#define TIMEOUT_S 10

struct http {
	struct MHD_Daemon *daemon;
	struct ics_client client;
	char path[ICS_CLIENT_PATH_LEN];
};

struct route {
	const char *url;
	enum MHD_Result (*answer)(struct http *h, struct MHD_Connection *c);
};

/* Takes over body, which came from malloc. */
static enum MHD_Result
reply(struct MHD_Connection *c, unsigned status, const char *type, char *body, size_t len)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (r == NULL) {
		free(body);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(r, "Content-Security-Policy", "default-src 'none'");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result
reply_line(struct MHD_Connection *c, unsigned status, const char *line)
{
	char *body = strdup(line);

	return body == NULL ? MHD_NO : reply(c, status, "text/plain; charset=utf-8", body, strlen(body));
}

static enum MHD_Result
answer_metrics(struct http *h, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	bool openmetrics = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
	struct text out = {0};

	metrics_scrape(&h->client, h->path, openmetrics, &out);
	if (!out.ok) {
		text_free(&out);
		return reply_line(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	}
	return reply(c, MHD_HTTP_OK,
		     openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				 : "text/plain; version=0.0.4; charset=utf-8",
		     out.p, out.len);
}

static enum MHD_Result
answer_health(struct http *h, struct MHD_Connection *c)
{
	json_t *info = NULL;

	for (unsigned i = 0; i < 2 && info == NULL; i++)
		if (h->client.fd >= 0 || ics_client_open(&h->client, h->path) == 0)
			info = ics_client_ask(&h->client, "/icmpscope/info");
	json_decref(info);
	return info != NULL ? reply_line(c, MHD_HTTP_OK, "ok\n")
			    : reply_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "icmpscope does not answer\n");
}

static enum MHD_Result
answer_index(struct http *h, struct MHD_Connection *c)
{
	return reply_line(c, MHD_HTTP_OK, "icmpscope-exporter: /metrics, /healthz\n");
}

static const struct route routes[] = {
	{"/", answer_index},
	{"/metrics", answer_metrics},
	{"/healthz", answer_health},
};

static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method, const char *version,
	   const char *upload, size_t *upload_len, void **state)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply_line(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are allowed\n");
	for (unsigned i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(url, routes[i].url) == 0)
			return routes[i].answer(ctx, c);
	return reply_line(c, MHD_HTTP_NOT_FOUND, "not found: /metrics, /healthz\n");
}

/* "127.0.0.1:9886" or "[::1]:9886" */
static bool
parse_listen(const char *text, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *a4 = (struct sockaddr_in *)addr;
	const char *colon = strrchr(text, ':');
	char host[64];
	unsigned long port;
	size_t n;

	memset(addr, 0, sizeof(*addr));
	if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5)
		return false;
	port = strtoul(colon + 1, NULL, 10);
	n = (size_t)(colon - text);
	if (port == 0 || port > 65535 || n == 0 || n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &a6->sin6_addr) == 1;
	}
	a4->sin_family = AF_INET;
	a4->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &a4->sin_addr) == 1;
}

struct http *
http_start(const char *listen, const char *path, char err[static HTTP_ERR_LEN])
{
	struct http *h = calloc(1, sizeof(*h));
	struct sockaddr_storage addr;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	if (h == NULL) {
		snprintf(err, HTTP_ERR_LEN, "out of memory");
		return NULL;
	}
	if (!parse_listen(listen, &addr)) {
		snprintf(err, HTTP_ERR_LEN, "--listen %.60s: ADDRESS:PORT is wanted, 127.0.0.1:9886 or [::1]:9886",
			 listen);
		free(h);
		errno = EINVAL;
		return NULL;
	}
	h->client.fd = -1;
	snprintf(h->path, sizeof(h->path), "%s", path);
	if (addr.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, &addr,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
				     CONNECTIONS_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
	if (h->daemon == NULL) {
		int error = errno;

		snprintf(err, HTTP_ERR_LEN, "cannot listen on %.60s: %s", listen, strerror(error));
		free(h);
		errno = error != EINVAL ? error : EIO;
		return NULL;
	}
	return h;
}

void
http_stop(struct http *h)
{
	if (h == NULL)
		return;
	MHD_stop_daemon(h->daemon);
	ics_client_close(&h->client);
	free(h);
}
