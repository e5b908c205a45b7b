/* The server (http.h): routes in a table, GET and HEAD alone, and nothing of a request is ever repeated in an answer. A browser
 * may only ask by a name that cannot be another's (host.c), and what it gets may load nothing from elsewhere.
 */
#include "http.h"

#include "api.h"
#include "host.h"

#include "ics_page.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A scraper keeps a connection or two, a browser six; whoever holds more waits. */
#define CONNECTIONS_MAX 64
#define CONNECTIONS_PER_ADDRESS 16
#define TIMEOUT_S 10
#define THREADS 4
/* How long a scrape waits for another one. */
#define SCRAPE_WAIT_S 4

#define POLICY_NOTHING "default-src 'none'; frame-ancestors 'none'"
#define POLICY_PAGE                                                                                                    \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "          \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct http {
	struct MHD_Daemon *daemon;
	struct api *api;
	struct host_rule rule;
	pthread_mutex_t lock; /* of client */
	struct ics_client client;
	char path[ICS_CLIENT_PATH_LEN];
};

struct route {
	const char *url;
	enum MHD_Result (*answer)(struct http *h, struct MHD_Connection *c);
};

static const struct {
	const char *name, *value;
} headers[] = {
	{"Cache-Control", "no-store"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"X-Frame-Options", "DENY"},
};

static enum MHD_Result
queue(struct MHD_Connection *c, unsigned status, const char *type, const char *policy, struct MHD_Response *r)
{
	enum MHD_Result rc;

	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(r, "Content-Security-Policy", policy);
	for (unsigned i = 0; i < ICS_ARRAY_LEN(headers); i++)
		(void)MHD_add_response_header(r, headers[i].name, headers[i].value);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

/* Takes over body, which came from malloc. */
static enum MHD_Result
reply(struct MHD_Connection *c, unsigned status, const char *type, char *body, size_t len)
{
	struct MHD_Response *r =
		body != NULL ? MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE) : NULL;

	if (r == NULL) {
		free(body);
		return MHD_NO;
	}
	return queue(c, status, type, POLICY_NOTHING, r);
}

static enum MHD_Result
reply_line(struct MHD_Connection *c, unsigned status, const char *line)
{
	char *body = strdup(line);

	return body == NULL ? MHD_NO : reply(c, status, "text/plain; charset=utf-8", body, strlen(body));
}

static bool
take_client(struct http *h)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += SCRAPE_WAIT_S;
	return pthread_mutex_clocklock(&h->lock, CLOCK_MONOTONIC, &t) == 0;
}

static enum MHD_Result
answer_metrics(struct http *h, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	bool openmetrics = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
	struct text out = {0};

	if (!take_client(h))
		return reply_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "another scrape is not done yet\n");
	metrics_scrape(&h->client, h->path, openmetrics, &out);
	pthread_mutex_unlock(&h->lock);
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
	bool answers;

	if (!take_client(h))
		return reply_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "another scrape is not done yet\n");
	for (unsigned i = 0; i < 2 && info == NULL; i++)
		if (h->client.fd >= 0 || ics_client_open(&h->client, h->path) == 0)
			info = ics_client_ask(&h->client, "/icmpscope/info");
	pthread_mutex_unlock(&h->lock);
	answers = info != NULL;
	json_decref(info);
	return answers ? reply_line(c, MHD_HTTP_OK, "ok\n")
		       : reply_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "icmpscope does not answer\n");
}

static const struct route routes[] = {
	{"/metrics", answer_metrics},
	{"/healthz", answer_health},
};

static enum MHD_Result
answer_file(struct MHD_Connection *c, const struct ics_page_file *f)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(f->len, (void *)f->text, MHD_RESPMEM_PERSISTENT);

	return r == NULL ? MHD_NO : queue(c, MHD_HTTP_OK, f->type, POLICY_PAGE, r);
}

static enum MHD_Result
answer_api(struct http *h, struct MHD_Connection *c, const char *url)
{
	struct MHD_Response *r;
	struct api_reply a;
	char disposition[96];

	api_answer(h->api, url, MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "start"),
		   MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "count"),
		   MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "since"), &a);
	r = a.body != NULL ? MHD_create_response_from_buffer(a.len, a.body, MHD_RESPMEM_MUST_FREE) : NULL;
	if (r == NULL) {
		free(a.body);
		return MHD_NO;
	}
	if (a.name[0] != '\0') {
		snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", a.name);
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_DISPOSITION, disposition);
	}
	return queue(c, a.status, a.type, POLICY_NOTHING, r);
}

static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method, const char *version,
	   const char *upload, size_t *upload_len, void **state)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	const struct ics_page_file *file = ics_page_file(url);
	struct http *h = ctx;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply_line(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are allowed\n");
	for (unsigned i = 0; i < ICS_ARRAY_LEN(routes); i++)
		if (strcmp(url, routes[i].url) == 0)
			return h->rule.is_loopback && !host_is_allowed(&h->rule, host)
				       ? reply_line(c, MHD_HTTP_MISDIRECTED_REQUEST, host_refusal)
				       : routes[i].answer(h, c);
	if (!host_is_allowed(&h->rule, host))
		return reply_line(c, MHD_HTTP_MISDIRECTED_REQUEST, host_refusal);
	return file != NULL ? answer_file(c, file) : answer_api(h, c, url);
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

static bool
is_loopback(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)addr;

	return addr->ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&a6->sin6_addr)
					   : (ntohl(a4->sin_addr.s_addr) >> 24) == 127;
}

struct http *
http_start(const struct http_conf *conf, char err[static HTTP_ERR_LEN])
{
	struct http *h = calloc(1, sizeof(*h));
	struct sockaddr_storage addr;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
	int error;

	if (h == NULL) {
		snprintf(err, HTTP_ERR_LEN, "out of memory");
		return NULL;
	}
	if (!parse_listen(conf->listen, &addr)) {
		snprintf(err, HTTP_ERR_LEN, "--listen %.60s: ADDRESS:PORT is wanted, 127.0.0.1:9886 or [::1]:9886",
			 conf->listen);
		free(h);
		errno = EINVAL;
		return NULL;
	}
	h->client.fd = -1;
	h->rule = (struct host_rule){is_loopback(&addr), conf->hosts, conf->n_hosts};
	snprintf(h->path, sizeof(h->path), "%s", conf->path);
	pthread_mutex_init(&h->lock, NULL);
	h->api = api_start(conf->path);
	if (h->api == NULL) {
		error = errno;
		snprintf(err, HTTP_ERR_LEN, "cannot start: %s", strerror(error));
		free(h);
		errno = error != EINVAL ? error : EIO;
		return NULL;
	}
	if (addr.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_SOCK_ADDR, &addr,
				     MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				     MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_ADDRESS,
				     MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
	if (h->daemon == NULL) {
		error = errno;
		snprintf(err, HTTP_ERR_LEN, "cannot listen on %.60s: %s", conf->listen, strerror(error));
		api_stop(h->api);
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
	api_stop(h->api);
	ics_client_close(&h->client);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
